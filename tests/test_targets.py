"""Targets that sum to one: what is declared, used, checked, and refused."""

import subprocess
import sys

import numpy as np
import pytest
import sympy as sp

import symgrad as sg

RNG = np.random.default_rng(3)
a, c = sp.symbols("a c", real=True)


def softmax(z):
    e = np.exp(z - z.max())
    return e / e.sum()


def test_a_column_is_one_sample():
    y, z = sp.MatrixSymbol("y", 3, 1), sp.MatrixSymbol("z", 3, 1)
    loss = sg.cross_entropy(z, y, from_logits=True)
    value, parts = sg.compile(loss, ["z"])(z=np.zeros((3, 1)), y=[[0.0], [1.0], [0.0]])
    assert np.isclose(value, np.log(3))
    np.testing.assert_allclose(parts["z"].ravel(), np.full(3, 1 / 3) - [0, 1, 0], rtol=1e-14)
    with pytest.raises(sg.DataError, match="entries of `y` must sum to one"):
        sg.compile(loss)(z=np.zeros((3, 1)), y=np.full((3, 1), 0.9))
    assert "The entries of $y$ sum to one." in sg.derive(loss, "z").markdown()
    mixed = loss + sg.Formula.of(sg.sum_entries(sp.MatMul(a, y)))
    _, parts = sg.compile(mixed, ["a"])(a=1.0, y=[0.2, 0.3, 0.5], z=np.zeros(3))
    assert np.isclose(parts["a"], 1.0)


def test_entries_of_several_samples_are_not_one_group():
    Y = sp.Matrix(2, 2, sp.symbols("y1:5", real=True))
    loss = sg.cross_entropy(sp.MatrixSymbol("Z", 2, 2), Y, from_logits=True)
    extra = sg.Formula.of(sp.Add(*(v * sg.sigmoid(c) for v in Y)))
    at = {"Z": np.zeros((2, 2)), "y1": 1.0, "y2": 0.0, "y3": 0.0, "y4": 1.0, "c": 0.3}
    _, parts = sg.compile(loss + extra, ["c"])(at)
    sigma = 1 / (1 + np.exp(-0.3))
    assert np.isclose(parts["c"], 2 * sigma * (1 - sigma))


def test_two_losses_have_two_groups():
    first, second = (
        sg.cross_entropy(
            sp.Matrix(sp.symbols(f"{p}1:3")), sp.Matrix(sp.symbols(f"{t}1:3")), from_logits=True
        )
        for p, t in (("p", "y"), ("q", "s"))
    )
    at = {"p1": 0.2, "p2": 1.0, "q1": 0.0, "q2": 2.0, "y1": 0.4, "y2": 0.6, "s1": 1.0, "s2": 0.0}
    value, parts = sg.compile(first + second, ["p1", "q2"])(at)
    assert np.isclose(parts["p1"], softmax(np.array([0.2, 1.0]))[0] - 0.4)
    assert np.isclose(parts["q2"], softmax(np.array([0.0, 2.0]))[1])
    assert value > 0


def test_what_was_used_is_not_differentiated():
    net = sg.Network(1, [sg.Dense(2, activation="softmax")])
    loss = sg.cross_entropy(net)
    first = sg.gradient(loss, "W1")
    with pytest.raises(sg.UnsupportedError, match="differentiate by `Y` first"):
        sg.gradient(first[0, 0], "Y")
    scalars = sg.cross_entropy(net.scalars())
    with pytest.raises(sg.UnsupportedError, match="differentiate by `y_2` first"):
        sg.gradient(sg.gradient(scalars, "b1_1"), "y_2")
    mixed = sg.gradient(sg.gradient(scalars, "y_2"), "b1_1")
    at = {"w1_1": 0.3, "w1_2": -0.2, "b1_1": 0.1, "b1_2": 0.4, "x": 0.7}
    wanted = softmax(np.array([0.3 * 0.7 + 0.1, -0.2 * 0.7 + 0.4]))[0]
    used = {name: at[name] for name in sg.compile(mixed).inputs}
    assert np.isclose(sg.compile(mixed)(used), wanted)


def test_predictions_of_softmax_and_sigmoid_are_fused_in_pairs_too():
    Z, Y = sp.MatrixSymbol("Z", 1, 2), sp.MatrixSymbol("Y", 1, 2)
    at = {"Z": np.array([[800.0, 0.0]]), "Y": np.array([[1.0, 0.0]])}
    for loss in (sg.cross_entropy, sg.kl_divergence):
        value, parts = sg.compile(loss(sg.softmax(Z), Y), ["Z"])(at)
        assert (value, parts["Z"].tolist()) == (0.0, [[0.0, 0.0]])
    made = sg.binary_cross_entropy(sg.elementwise(sg.sigmoid, Z), Y)
    assert np.all(np.isfinite(sg.compile(made, ["Z"])(at)[1]["Z"]))
    z, y = sp.symbols("z y", real=True)
    single = sg.compile(sg.binary_cross_entropy(sg.sigmoid(z), y), ["z"])
    assert single(z=800.0, y=1.0) == (0.0, {"z": 0.0})


def test_targets_that_are_no_probabilities():
    one = sg.Network(1, [sg.Dense(1, activation="sigmoid")])
    with pytest.raises(sg.DataError, match="between 0 and 1"):
        one.fit([1.0, 2.0], [-1, 1], loss=sg.binary_cross_entropy)
    two = sg.Network(1, [sg.Dense(3, activation="softmax")])
    with pytest.raises(sg.DataError, match="between 0 and 1"):
        two.fit([1.0], [[2.0, -1.0, 0.0]], loss=sg.cross_entropy)
    with pytest.raises(sg.OptionError, match=r"take sg\.binary_cross_entropy"):
        sg.cross_entropy(one)
    with pytest.raises(sg.OptionError, match="not a matrix"):
        sg.huber(one, delta=sp.MatrixSymbol("d", 2, 2))
    with pytest.raises(sg.OptionError, match="finite number"):
        sg.l1(one, float("nan"))


@pytest.mark.parametrize("form", ["rows", "columns", "scalars"])
def test_saved_binary_modules_draw_targets_between_0_and_1(form, tmp_path):
    net = getattr(sg.Network(2, [sg.Dense(3, activation="gelu"), sg.Dense(2)]), form)()
    loss = sg.binary_cross_entropy(net, from_logits=True)
    path = sg.compile(loss, wrt="parameters").save(tmp_path / "b.py")
    done = subprocess.run([sys.executable, "-I", path], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stdout + done.stderr


def test_saved_formulas_keep_what_is_known(tmp_path):
    net = sg.Network(1, [sg.Dense(2, activation="softmax")]).columns()
    fit = net.fit([[0.1], [2.0]], np.eye(2), loss=sg.cross_entropy, epochs=2, seed=0)
    again = sg.load(fit.save(tmp_path / "m.json"))
    np.testing.assert_allclose(again.predict([[0.3]]), fit.predict([[0.3]]), rtol=1e-14)
