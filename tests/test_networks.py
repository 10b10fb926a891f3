"""Networks and losses against the oracle's own, in rows, columns and scalars."""

import itertools

import numpy as np
import oracle
import pytest
import sympy as sp

import symgrad as sg

NETS = [
    ((1, 1), ("tanh",), True),
    ((3, 2, 2), ("sigmoid", "sigmoid"), False),
    ((2, 3, 1), ("softplus", "identity"), True),
    ((1, 2, 3), ("relu", "tanh"), True),
    ((3, 1, 2, 1), ("tanh", "sigmoid", "softplus"), True),
]
LOSSES = ("mse", "sse", "half_sse")


def network(sizes, activations, bias, form):
    layers = [
        sg.Dense(k, activation=a, bias=bias) for k, a in zip(sizes[1:], activations, strict=True)
    ]
    orientation = "columns" if form == "columns" else "rows"
    return getattr(sg.Network(sizes[0], layers, orientation=orientation), form)()


def arrays_of(point, samples, sizes, form):
    """Turn the oracle's point into arrays by symgrad's names."""
    tables = {}
    for name, value in point.items():
        base, i, j = name.rsplit("_", 2)
        tables.setdefault(base, {})[int(i) - 1, int(j) - 1] = float(value)
    arrays = {}
    for base, entries in tables.items():
        shape = tuple(max(place[axis] for place in entries) + 1 for axis in (0, 1))
        table = np.array([[entries[i, j] for j in range(shape[1])] for i in range(shape[0])])
        arrays[base] = table.ravel() if base[0] == "b" or base in "xy" else table
    return arrays


@pytest.mark.parametrize(("sizes", "activations", "bias"), NETS)
@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("form", ["rows", "columns"])
def test_gradients_of_networks(sizes, activations, bias, loss, form):
    samples = 3 if form == "rows" else 1
    reference = oracle.network(
        sizes, activations, bias=bias, samples=samples, orientation=form, loss=loss
    )
    point = oracle.generic_point(sorted(reference.loss.free_symbols, key=str), seed=5)
    wanted = oracle.network_gradients(reference, point)
    net = network(sizes, activations, bias, form)
    formula = getattr(sg, loss)(net)
    arrays = arrays_of(point, samples, sizes, form)
    value, grads = sg.compile(formula, wrt="parameters")(**arrays)
    np.testing.assert_allclose(value, float(oracle.evaluate(reference.loss, point)), rtol=1e-12)
    assert set(grads) == set(wanted) == set(net.parameters)
    for name, table in wanted.items():
        reference_table = np.array(table, dtype=float).reshape(grads[name].shape)
        np.testing.assert_allclose(grads[name], reference_table, rtol=1e-10, atol=1e-14)


@pytest.mark.parametrize(("sizes", "activations", "bias"), NETS)
def test_symbolic_gradients_agree_to_fifty_digits(sizes, activations, bias):
    reference = oracle.network(sizes, activations, bias=bias, samples=2, loss="mse")
    point = oracle.generic_point(sorted(reference.loss.free_symbols, key=str), seed=7)
    wanted = oracle.network_gradients(reference, point)
    net = network(sizes, activations, bias, "rows")
    gradients = sg.gradient(sg.mse(net))
    values = {}
    for name, table in reference.parameters.items():
        values[name] = table.T if name[0] == "b" else table
    for name, table in wanted.items():
        got = oracle.inline(
            list(gradients.graph), gradients[name].output, sizes={"n": 2}, values=values
        )
        got = got.T if name[0] == "b" else got
        assert oracle.agree(oracle.evaluate(got, point), table), name


@pytest.mark.parametrize(("sizes", "activations", "bias"), NETS)
def test_the_three_forms_are_one_network(sizes, activations, bias):
    rng = np.random.default_rng(3)
    rows = network(sizes, activations, bias, "rows")
    parameters = {name: rng.normal(size=shape) for name, shape in rows.parameters.items()}
    X, Y = rng.normal(size=(5, sizes[0])), rng.normal(size=(5, sizes[-1]))
    value, grads = sg.compile(sg.mse(rows), wrt="parameters")(X=X, Y=Y, **parameters)
    columns = rows.columns()
    turned = {n: p.T if n[0] == "W" else p for n, p in parameters.items()}
    function = sg.compile(sg.mse(columns), wrt="parameters", batch=["x", "y"])
    other, slopes = function(x=X, y=Y, **turned)
    assert np.isclose(value, other, rtol=1e-13)
    for name, gradient in grads.items():
        same = slopes[name].T if name[0] == "W" else slopes[name]
        np.testing.assert_allclose(gradient, same, rtol=1e-11, atol=1e-14)
    scalars = rows.scalars()
    entries = {entry_name(n, p.shape, i): p[i] for n, p in parameters.items() for i in places(p)}
    data = {entry_name("x", (sizes[0],), (j,)): X[:, j] for j in range(sizes[0])}
    data |= {entry_name("y", (sizes[-1],), (j,)): Y[:, j] for j in range(sizes[-1])}
    function = sg.compile(sg.mse(scalars), wrt="parameters", batch=list(data))
    other, slopes = function(**data, **entries)
    assert np.isclose(value, other, rtol=1e-13)
    for name, gradient in grads.items():
        for place in places(gradient):
            slope = slopes[entry_name(name, gradient.shape, place)]
            assert np.isclose(slope, gradient[place], rtol=1e-10, atol=1e-14)


def places(array):
    return itertools.product(*map(range, array.shape))


def entry_name(name, shape, place):
    kept = [str(i + 1) for i, size in zip(place, shape, strict=True) if size > 1]
    return "_".join([name.lower(), *kept])


def test_shared_layers_share_weights():
    shared = sg.Dense(2, activation="tanh")
    net = sg.Network(2, [shared, shared, sg.Dense(1)])
    assert list(net.parameters) == ["W1", "b1", "W3", "b3"]
    rng = np.random.default_rng(0)
    arrays = {n: rng.normal(size=s) for n, s in net.parameters.items()}
    arrays |= {"X": rng.normal(size=(4, 2)), "Y": rng.normal(size=(4, 1))}
    function = sg.compile(sg.mse(net), wrt="parameters")
    _, grads = function(**arrays)
    apart = sg.Network(
        2, [sg.Dense(2, activation="tanh"), sg.Dense(2, activation="tanh"), sg.Dense(1)]
    )
    twice = {**arrays, "W2": arrays["W1"], "b2": arrays["b1"]}
    _, parts = sg.compile(sg.mse(apart), wrt="parameters")(**twice)
    np.testing.assert_allclose(grads["W1"], parts["W1"] + parts["W2"], rtol=1e-12)
    np.testing.assert_allclose(grads["b1"], parts["b1"] + parts["b2"], rtol=1e-12)
    with pytest.raises(sg.ShapeError, match="shared"):
        sg.Network(3, [shared, shared])


def test_names_and_shapes():
    net = sg.Network(3, [sg.Dense(4, activation="tanh"), sg.Dense(2)])
    assert net.parameters == {"W1": (3, 4), "b1": (4,), "W2": (4, 2), "b2": (2,)}
    assert net.columns().parameters["W1"] == (4, 3)
    names = [str(symbol) for symbol, _ in sg.gradient(sg.mse(net)).graph]
    assert names == ["Z1", "H1", "Z2", "Yhat", "L", "delta2", "dW2", "db2", "delta1", "dW1", "db1"]
    columns = [str(symbol) for symbol, _ in sg.mse(net.columns()).graph]
    assert columns == ["z1", "h1", "z2", "yhat", "L"]
    one = sg.Network(1, [sg.Dense(1)]).scalars()
    assert list(sg.mse(one).inputs) == ["x", "w1", "b1", "y"]
    assert sg.mse(net).inputs["X"].shape == ("n", 3)
    assert net.output.shape == ("n", 2)
    assert net.columns().output.shape == (2,)
    assert net.scalars().output.shape == (2,)
    assert "w1_2_1" in net.scalars().parameters


def test_losses_of_formulas():
    w, x, y = sp.symbols("w x y", real=True)
    made = sg.mse(sg.Formula.of(sp.tanh(w * x)), y)
    assert sp.expand(made.sympy - (sp.tanh(w * x) - y) ** 2) == 0
    X, W = sp.MatrixSymbol("X", sp.Symbol("n"), 3), sp.MatrixSymbol("W", 3, 2)
    loss = sg.mse(X * W, sp.MatrixSymbol("T", sp.Symbol("n"), 2))
    assert loss.targets == ("T",)
    with pytest.raises(sg.ShapeError, match=r"the prediction is .* but the target is"):
        sg.mse(X * W, sp.MatrixSymbol("T", sp.Symbol("n"), 3))
    with pytest.raises(sg.OptionError, match="takes a network, or a prediction and a target"):
        sg.mse(X * W)
