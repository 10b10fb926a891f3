"""Losses: every entry of the registry on networks and on pairs of formulas, in numbers."""

import runpy
import subprocess
import sys

import numpy as np
import oracle
import pytest
import sympy as sp

import symgrad as sg
from symgrad.losses import LOSSES

RNG = np.random.default_rng(4)


def written(name, prediction, target):
    """The oracle's own definition, on numbers, with one sample a row."""
    return float(oracle.loss_of(name, *(np.atleast_2d(t).tolist() for t in (prediction, target))))


def ending(name):
    """The activation of a last layer whose outputs the loss takes."""
    return LOSSES[name].fuses or "identity"


def normalised(arrays, name):
    """Targets of a loss over classes sum to one; those of the binary one are below it."""
    if not LOSSES[name].fuses:
        return arrays
    targets = [key for key in arrays if key.lower() in ("y", "t") or key.startswith("y_")]
    table = np.stack([np.abs(arrays[key]) for key in targets], axis=-1)
    total = table.sum(axis=-1) if len(targets) > 1 else table[..., 0].sum(axis=-1, keepdims=True)
    return {**arrays, **{key: np.abs(arrays[key]) / total for key in targets}}


@pytest.mark.parametrize("name", LOSSES)
@pytest.mark.parametrize("form", ["rows", "columns", "scalars"])
def test_losses_of_networks_are_those_of_their_predictions(name, form):
    layers = [sg.Dense(3, activation="tanh"), sg.Dense(2, activation=ending(name))]
    net = getattr(sg.Network(2, layers), form)()
    loss = getattr(sg, name)(net)
    arrays = {
        key: RNG.normal(size=[5 if size == "n" else size for size in v.shape])
        for key, v in loss.inputs.items()
    }
    arrays = normalised(arrays, name)
    function = sg.compile(loss)
    prediction = sg.compile(net.output)({k: arrays[k] for k in net.output.inputs})
    target = sg.compile(net.target)({k: arrays[k] for k in net.target.inputs})
    assert np.isclose(function(arrays), written(name, prediction, target), rtol=1e-13)


@pytest.mark.parametrize("name", LOSSES)
def test_losses_of_pairs(name):
    make = getattr(sg, name)
    X, W, T = (sp.MatrixSymbol(n, *s) for n, s in zip("XWT", ((4, 3), (3, 2), (4, 2)), strict=True))
    # Products of such X and W are probabilities, too.
    arrays = {"X": RNG.uniform(0, 1, (4, 3)), "W": RNG.uniform(0, 1 / 3, (3, 2)),
              "T": RNG.uniform(0, 1, (4, 2))}  # fmt: skip
    arrays = normalised(arrays, name)
    loss = make(X * W, T)
    wanted = written(name, arrays["X"] @ arrays["W"], arrays["T"])
    assert np.isclose(sg.compile(loss)(arrays), wanted, rtol=1e-13)
    w, y = sp.symbols("w y", real=True)
    own = make(w**2, y)
    goal = 1.0 if LOSSES[name].distribution else 0.25
    assert np.isclose(sg.compile(own)(w=0.6, y=goal), written(name, [0.36], [goal]))
    column = make(sp.Matrix([w, w**2]), sp.Matrix([y, 1 - y]))
    wanted = written(name, [0.6, 0.36], [0.25, 0.75])
    assert np.isclose(sg.compile(column)(w=0.6, y=0.25), wanted)


@pytest.mark.parametrize("name", LOSSES)
def test_a_loss_keeps_its_prediction_and_its_targets(name):
    net = sg.Network(2, [sg.Dense(2, activation=ending(name))])
    loss = getattr(sg, name)(net)
    assert loss.model.output == net.output.output
    assert loss.targets == ("Y",)
    assert loss.parameters == net.output.parameters == ("W1", "b1")
    assert getattr(sg, name)(net.scalars()).targets == ("y_1", "y_2")


def test_the_constant_is_in_what_is_printed():
    net = sg.Network(2, [sg.Dense(3)])
    n = sp.Symbol("n", integer=True, positive=True)
    squares = sg.sse(net).graph["L"]
    assert sp.simplify(sg.mse(net).graph["L"] / squares) == 1 / (3 * n)
    assert sp.simplify(sg.half_sse(net).graph["L"] / squares) == sp.Rational(1, 2)
    assert r"\frac{1}{3 n}" in sg.mse(net).latex()
    assert r"\frac{1}{2}" in sg.half_sse(net).latex()


def test_losses_may_be_added_and_scaled():
    net = sg.Network(1, [sg.Dense(1)])
    penalty = sp.Trace(sp.MatrixSymbol("W1", 1, 1).T * sp.MatrixSymbol("W1", 1, 1))
    total = sg.mse(net) + 0.1 * sg.Formula.of(penalty)
    fit = sg.train(total, ([1.0, 2, 3], [2.0, 4, 6]), epochs=3000, learning_rate=0.05, seed=0)
    x, y = np.array([1.0, 2, 3]), np.array([2.0, 4, 6])
    xc = x - x.mean()
    # The ridge regression that this is, in closed form.
    slope = np.mean(xc * (y - y.mean())) / (np.mean(xc**2) + 0.1)
    assert np.isclose(fit.parameters["W1"][0, 0], slope, rtol=1e-9)
    assert np.isclose(fit.predict(2.0), slope * (2 - x.mean()) + y.mean(), rtol=1e-9)


def test_a_name_that_is_both_prediction_and_input_is_told():
    w, y = sp.symbols("w L", real=True)
    loss = sg.mse(w**2, y)
    assert sorted(loss.inputs) == ["L", "w"]
    assert str(loss.output) != "L"
    assert sg.compile(loss, ["w"])(w=1.0, L=3.0) == (4.0, {"w": -8.0})


@pytest.mark.parametrize("name", LOSSES)
@pytest.mark.parametrize("form", ["rows", "columns", "scalars"])
def test_saved_modules_check_themselves(name, form, tmp_path):
    layers = [sg.Dense(3, activation="tanh"), sg.Dense(2, activation=ending(name))]
    net = getattr(sg.Network(2, layers), form)()
    loss = getattr(sg, name)(net) + sg.l2(net, 0.1)
    path = sg.compile(loss, wrt="parameters").save(tmp_path / "loss.py")
    done = subprocess.run([sys.executable, "-I", path], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "agree with central differences" in done.stdout


@pytest.mark.parametrize("name", LOSSES)
@pytest.mark.parametrize("activation", ["tanh", "gelu"])
def test_samples_of_columns_and_scalars_are_those_of_rows(name, activation):
    """One formula of a sample, run over many, has the mean that the formula of rows has."""
    layers = [sg.Dense(4, activation=activation), sg.Dense(3, activation=ending(name))]
    rows = sg.Network(2, layers)
    X, P = RNG.normal(size=(5, 2)), {k: RNG.normal(size=s) for k, s in rows.parameters.items()}
    Y = RNG.dirichlet(np.ones(3), size=5)
    loss = getattr(sg, name)
    value, grads = sg.compile(loss(rows), wrt="parameters")(X=X, Y=Y, **P)
    scale = 1 if name not in ("sse", "half_sse") else 5  # sums over samples, here their mean
    columns = sg.compile(loss(rows.columns()), wrt="parameters", batch=["x", "y"])
    value_of_columns, of_columns = columns(x=X, y=Y, **{k: p.T for k, p in P.items()})
    np.testing.assert_allclose(scale * value_of_columns, value, rtol=1e-12)
    for key, gradient in grads.items():
        np.testing.assert_allclose(scale * of_columns[key].T, gradient, rtol=1e-10, atol=1e-13)
    single = loss(rows.scalars())
    moving = [key for key in single.inputs if key[0] in "xy"]
    at = {key: (X if key[0] == "x" else Y)[:, int(key[2:]) - 1] for key in moving}
    for key in single.parameters:
        letter, *places = key.split("_")
        at[key] = P[letter.replace("w", "W")][tuple(int(k) - 1 for k in places)]
    value_of_scalars, of_scalars = sg.compile(single, wrt="parameters", batch=moving)(at)
    np.testing.assert_allclose(scale * value_of_scalars, value, rtol=1e-12)
    np.testing.assert_allclose(scale * of_scalars["w1_2_1"], grads["W1"][1, 0], rtol=1e-9)


def test_class_numbers_are_told_to_become_rows():
    net = sg.Network(2, [sg.Dense(3, activation="softmax")])
    with pytest.raises(sg.ShapeError, match=r"np\.eye\(3\)\[numbers\]"):
        net.fit(np.ones((4, 2)), [0, 1, 2, 0], loss=sg.cross_entropy)
    with pytest.raises(sg.DataError, match="must sum to one"):
        net.fit(np.ones((4, 2)), np.ones((4, 3)), loss=sg.cross_entropy)


def test_second_derivatives_by_logits():
    Z, Y = sp.MatrixSymbol("Z", 2, 3), sp.MatrixSymbol("Y", 2, 3)
    first = sg.gradient(sg.cross_entropy(Z, Y, from_logits=True), "Z")
    scores = RNG.normal(size=(2, 3))
    p = np.exp(scores) / np.exp(scores).sum(axis=1, keepdims=True)
    wanted = np.zeros((2, 3))
    wanted[0] = (p[0, 1] * (np.eye(3)[1] - p[0])) / 2
    got = sg.compile(sg.gradient(first[0, 1], "Z"))(Z=scores)
    np.testing.assert_allclose(got, wanted, rtol=1e-12, atol=1e-16)


def test_a_symbol_with_the_name_of_a_size_is_that_size():
    n, net = sp.Symbol("n"), sg.Network(2, [sg.Dense(1, bias=False)])
    arrays = {"X": np.arange(8.0).reshape(4, 2), "W1": np.ones((2, 1)), "Y": np.zeros((4, 1))}
    mean = sg.compile(sg.mse(net))(arrays)
    r = np.abs(arrays["X"] @ arrays["W1"])
    wanted = {
        sg.mse(net) * n: 4 * mean,
        sg.mse(net) + sg.l2(net, n): mean + 4 * 2,
        sg.huber(net, delta=n): np.where(r <= 4, r**2 / 2, 4 * (r - 2)).mean(),
    }
    for formula, value in wanted.items():
        assert "n" not in formula.inputs
        assert np.isclose(sg.compile(formula)(arrays), value, rtol=1e-13)


def test_scalar_networks_with_several_outputs_are_exported(tmp_path):
    net = sg.Network(1, [sg.Dense(2, activation="softmax")]).scalars()
    x = RNG.normal(size=8)
    target = np.eye(2)[(x > 0).astype(int)]
    data = {"x": x, "y_1": target[:, 0], "y_2": target[:, 1]}
    fit = sg.train(sg.cross_entropy(net), data, learning_rate=0.5, epochs=5, seed=0)
    predict = runpy.run_path(str(fit.export(tmp_path / "model.py")))["predict"]
    np.testing.assert_allclose(predict(x), fit.predict(x), rtol=1e-14)
    assert np.shape(predict(0.3)) == np.shape(fit.predict(0.3))
