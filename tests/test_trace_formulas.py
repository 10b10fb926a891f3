"""User code read as formulas: with whole matrices where that is possible, else by entries."""

from __future__ import annotations

import math

import numpy as np
import pytest

import symgrad as sg
from symgrad.errors import OptionError, ShapeError, TraceError
from symgrad.reading.formulas import trace
from symgrad.shapes import name_of
from symgrad.trees import symbols

SIZES = {"n": 4, "d": 3, "m": 2, "k": 5}
SHAPES = {
    "X": ("n", "d"),
    "W": ("d", "m"),
    "V": ("d", "k"),
    "b": ("m",),
    "c": (),
    "y": ("n",),
    "w": ("d",),
    "T": ("n", "m"),
    "K": ("n", "k"),
    "S": ("d", "d"),
}


def sigmoid(z):
    return 1 / (1 + np.exp(-z))


def network(X, W, b, T):
    h = np.tanh(X @ W + b)
    return np.mean((h - T) ** 2)


def network_by_statements(X, W, b, T):
    z = X @ W
    z += b
    n, m = z.shape
    e = sigmoid(z) - T
    return (e * e).sum() / n / m


def cross_entropy(X, V, K):
    z = X @ V
    e = np.exp(z - z.max(axis=1, keepdims=True))
    p = e / e.sum(axis=1, keepdims=True)
    return -np.sum(K * np.log(p)) / len(X) if False else -np.sum(K * np.log(p)) / X.shape[0]


def cross_entropy_other(X, V, K):
    z = X @ V
    e = np.exp(z - np.max(z, axis=1)[:, None])
    p = e / np.sum(e, axis=1)[:, None]
    return -(K * np.log(p)).sum(axis=1).mean()


def centred(X):
    return np.sum(((X - X.mean(axis=0)) / np.sqrt(X.var(axis=0) + 0.1)) ** 3)


MATRICES = {
    "network": (network, "X W b T"),
    "statements": (network_by_statements, "X W b T"),
    "vector": (lambda X, w, c, y: ((X @ w + c - y) ** 2).mean() + 0.5 * w @ w, "X w c y"),
    "logistic": (lambda X, w, y: -np.mean(np.log(sigmoid(y * (X @ w)))), "X w y"),
    "softmax": (cross_entropy, "X V K"),
    "softmax again": (cross_entropy_other, "X V K"),
    "penalty": (lambda W, c: c * np.sum(np.abs(W)) + np.linalg.norm(W) ** 2, "W c"),
    "relu": (lambda X, W: np.maximum(0, X @ W).sum(), "X W"),
    "where": (lambda X, W: np.where(X @ W > 0, X @ W, 0.1 * (X @ W)).sum(), "X W"),
    "where and": (lambda X: np.where((X > -1) & (X < 1), X**2, 2 * X - 1).sum(), "X"),
    "mask": (lambda X: np.sum((X > 0) * X) + (X > 0.5).sum() * 0, "X"),
    "columns": (lambda X, y: np.sum(X * y[:, None] + y.reshape(-1, 1)), "X y"),
    "rows": (lambda X, w: np.exp(X * w).sum(axis=0), "X w"),
    "row sums": (lambda X: np.log(np.exp(X).sum(axis=1)), "X"),
    "centred": (centred, "X"),
    "outer": (lambda y, w: np.outer(y, w), "y w"),
    "array": (lambda X, W, b: np.tanh(X @ W + b), "X W b"),
    "back": (lambda X, W, b, T: X.T @ (np.tanh(X @ W + b) - T), "X W b T"),
    "bias": (lambda X, W, T: (X @ W - T).sum(axis=0) / X.shape[0], "X W T"),
    "kept": (lambda X: X - X.mean(axis=1, keepdims=True), "X"),
    "clip": (lambda X: np.clip(X, -0.5, 0.5).sum(), "X"),
    "constants": (lambda X: np.sum(np.exp(-(X**2) / 2) / np.sqrt(2 * np.pi)), "X"),
    "scalar": (lambda c: math.exp(-c) + max(c, 0) * np.sin(c), "c"),
    "ones": (lambda X: np.ones((1, X.shape[0])) @ X, "X"),
    "determinant": (lambda S: np.linalg.det(S) + np.trace(S @ S.T), "S"),
    "inverse": (lambda S, w: w @ np.linalg.inv(S) @ w, "S w"),
    "swish": (lambda X: np.sum(X / (1 + np.exp(-X))), "X"),
    "quotient": (lambda X: np.sum(X / np.sum(X**2, axis=1, keepdims=True)), "X"),
    "dims differ": (lambda y, X: np.sum((y - X[:, None] if False else y) * 2), "y X"),
    "copy": (lambda X, b, W: _updated(X, b, W), "X b W"),
    "view": (lambda W: (W.T @ W).T, "W"),
    "number": (lambda X: np.mean(2 - X), "X"),
    "product of elements": (lambda X: np.sum(np.tanh(X) * (1 - np.tanh(X) ** 2)), "X"),
}


def _updated(X, b, W):
    z = (X @ W).copy()
    z *= 2
    z -= b
    return z


def _data(names):
    rng = np.random.default_rng(5)
    shapes = {name: [SIZES[size] for size in SHAPES[name]] for name in names}
    return {name: rng.uniform(-1, 1, shape) if shape else 0.7 for name, shape in shapes.items()}


def _value(formula, data):
    graph = formula.graph.needed(formula.graph.outputs)
    used = {name_of(s) for _, expression in graph for s in symbols(expression)}
    return sg.compile(formula)(**{name: value for name, value in data.items() if name in used})


@pytest.mark.parametrize("name", MATRICES)
def test_whole_matrices(name):
    function, names = MATRICES[name]
    data = _data(names.split())
    formula = trace(function, {key: SHAPES[key] for key in data})
    expected = function(**data)
    found = _value(formula, data)
    assert np.shape(found) == np.shape(expected)
    np.testing.assert_allclose(found, expected, rtol=1e-9)


@pytest.mark.parametrize("name", ["network", "softmax", "vector", "statements", "rows"])
def test_matrices_and_entries_have_one_gradient(name):
    function, names = MATRICES[name]
    data = _data(names.split())
    whole = trace(function, {key: SHAPES[key] for key in data})
    if whole.shape:
        return
    by_entries = trace(lambda *args: function(*map(_by_entries, args)), _sized(data))
    for key in data:
        first = _value(sg.gradient(whole, key), data)
        second = _value(sg.gradient(by_entries, key), data)
        np.testing.assert_allclose(first, second, rtol=1e-8, atol=1e-12)


def _by_entries(value):
    # A list of rows is nothing that whole matrices have.
    return np.array(value.tolist())


def _sized(data):
    return {key: tuple(SIZES[size] for size in SHAPES[key]) for key in data}


def test_the_gradient_reads_as_in_a_textbook():
    formula = trace(
        lambda X, W1, b1, W2, Y: np.mean((np.tanh(X @ W1 + b1) @ W2 - Y) ** 2),
        {"X": ("n", "d"), "W1": ("d", "m"), "b1": ("m",), "W2": ("m", 1), "Y": ("n", 1)},
        parameters=["W1", "b1", "W2"],
    )
    printed = sg.gradient(formula, "W1").latex()
    assert r"\frac{2}{n} X^{\top} (((t_{2} W_{2} - Y) W_{2}^{\top})" in printed
    assert formula.parameters == ("W1", "b1", "W2")


def test_entries():
    def loops(x, W):
        total = 0
        for k in range(x.shape[0]):
            row = x[k] @ W
            total += max(row[0], 0) + math.tanh(row[1]) * row[0]
        return total

    shapes = {"x": (3, 2), "W": (2, 2)}
    formula = trace(loops, shapes)
    rng = np.random.default_rng(2)
    data = {name: rng.normal(size=shape) for name, shape in shapes.items()}
    np.testing.assert_allclose(_value(formula, data), loops(**data))
    gradient = _value(sg.gradient(formula, "W"), data)
    for place in np.ndindex(2, 2):
        step = np.zeros((2, 2))
        step[place] = 1e-6
        slope = loops(data["x"], data["W"] + step) - loops(data["x"], data["W"] - step)
        assert gradient[place] == pytest.approx(slope / 2e-6, rel=1e-6)


def test_entries_return_arrays():
    def flipped(x, b):
        y = x[::-1].copy()
        y[0] += b
        return y

    formula = trace(flipped, {"x": (3, 2), "b": (2,)})
    data = {"x": np.arange(6.0).reshape(3, 2), "b": np.array([0.5, 1.5])}
    np.testing.assert_allclose(_value(formula, data), flipped(**data))


def _ranges(X):
    return sum(X[i].sum() for i in range(X.shape[0]))  # the line


NOT_MATRICES = {
    "range": _ranges,
    "row": lambda X: X[0].sum(),
    "sort": lambda X: np.sort(X),
    "len": lambda X: len(X) * X,
    "max": lambda X: X.max(axis=0),
    "zeros": lambda X: np.zeros((3, 2)) + X,
    "if": lambda X: 1 if X.sum() > 0 else 2,
}


@pytest.mark.parametrize("name", NOT_MATRICES)
def test_names_of_sizes_need_whole_matrices(name):
    with pytest.raises(TraceError) as caught:
        trace(NOT_MATRICES[name], {"X": ("n", "d")})
    assert "integers" in str(caught.value) or "np.where" in str(caught.value)


def test_mistakes():
    with pytest.raises(TraceError, match="not aligned"):
        trace(lambda X, W: X @ W, {"X": ("n", "d"), "W": ("n", "d")})
    with pytest.raises(TraceError, match="broadcast"):
        trace(lambda X, y: X + y, {"X": ("n", "d"), "y": ("n",)})
    with pytest.raises(OptionError, match="`V` is no argument"):
        trace(lambda X: X, {"X": (2, 3)}, parameters=["V"])
    with pytest.raises(ShapeError):
        trace(lambda X: X, {"X": (2, 3, 4)})
    with pytest.raises(TraceError, match="positional argument"):
        trace(lambda X: X, {"X": (2, 3), "Y": (2, 3)})


def test_views_are_not_updated_behind_the_back():
    def changed(X):
        view = X.T
        view += 1
        return X

    with pytest.raises(TraceError, match="views"):
        trace(changed, {"X": ("n", "d")})
    formula = trace(changed, {"X": (2, 3)})
    X = np.ones((2, 3))
    np.testing.assert_allclose(_value(formula, {"X": X}), 2 * X)
