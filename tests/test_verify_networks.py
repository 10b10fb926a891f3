"""Networks in several spellings, a deep delta recursion, and the first article's own program."""

import math

import numpy as np
import pytest
import sympy as sp

import symgrad as sg
from symgrad import verification

HALF = sp.Rational(1, 2)


def relu_by_max(u):
    # Evaluated, SymPy's Max compares its arguments for seconds.
    return sp.Max(0, u, evaluate=False)


SPELLINGS = {
    "tanh": [
        sp.tanh,
        lambda u: (sp.exp(u) - sp.exp(-u)) / (sp.exp(u) + sp.exp(-u)),
        lambda u: sp.sinh(u) / sp.cosh(u),
        lambda u: 2 * sg.sigmoid(2 * u) - 1,
    ],
    "sigmoid": [
        sg.sigmoid,
        lambda u: 1 / (1 + sp.exp(-u)),
        lambda u: sp.exp(u) / (1 + sp.exp(u)),
        lambda u: (1 + sp.tanh(u / 2)) / 2,
    ],
    "relu": [
        sg.relu,
        relu_by_max,
        lambda u: (u + sp.Abs(u)) / 2,
        lambda u: u * (1 + sp.sign(u)) / 2,
        lambda u: u * sp.Heaviside(u),
    ],
}
STEPS = [
    sg.step,
    lambda u: sp.Heaviside(u, 0),
    sg.step,
    lambda u: sp.Heaviside(u, 0),
    lambda u: sp.Max(0, sp.sign(u), evaluate=False),
]
HEADS = {"tanh": sp.tanh, "sigmoid": sg.sigmoid, "relu": sg.relu}


@pytest.mark.parametrize(
    ("activation", "number"),
    [(name, number) for name, spellings in SPELLINGS.items() for number in range(len(spellings))],
)
def test_all_gradients_of_the_3_4_4_1_net_in_several_spellings(activation, number):
    layers = [sg.Dense(units, activation=activation) for units in (4, 4, 1)]
    loss = sg.mse(sg.Network(3, layers, orientation="columns").scalars())
    gradient = sg.gradient(loss)
    assert len(gradient) == 41

    def spelled(expression):
        expression = expression.replace(HEADS[activation], SPELLINGS[activation][number])
        return expression.replace(sg.step, STEPS[number])

    claims = {name: spelled(formula.sympy) for name, formula in gradient.items()}
    verdicts = sg.verify(loss, list(claims), claims)
    assert {verdict.status for verdict in verdicts.values()} == {"proved"}
    wrong = {**claims, "w2_1_2": claims["w2_1_2"] * (1 + sp.Rational(1, 10**8))}
    few = ["w1_1_1", "w2_1_2", "w3_1", "b1_2"]
    found = sg.verify(loss, few, {name: wrong[name] for name in few})
    assert [found[name].status for name in few] == ["proved", "refuted", "proved", "proved"]


def test_one_wrong_claim_among_many_costs_the_others_nothing(monkeypatch):
    layers = [sg.Dense(units, activation="relu") for units in (4, 1)]
    loss = sg.mse(sg.Network(3, layers, orientation="columns").scalars())
    claims = {
        name: formula.sympy.replace(sg.relu, relu_by_max)
        for name, formula in sg.gradient(loss).items()
    }
    wrong = {"w1_2_1": -claims["w1_2_1"], "b2": claims["b2"] + sp.Rational(1, 10**6)}
    opaque = sp.gamma(sp.Symbol("b2") ** 2 + 2) / sp.gamma(sp.Symbol("b2") ** 2 + 1)
    hidden = {"w1_3_1": claims["w1_3_1"] * opaque / (sp.Symbol("b2") ** 2 + 1)}
    asked = []

    def counted(question, *rest, once=verification._verdict):
        asked.append(question.name)
        return once(question, *rest)

    monkeypatch.setattr(verification, "_verdict", counted)
    verdicts = sg.verify(loss, list(claims), {**claims, **wrong, **hidden})
    assert {name for name, verdict in verdicts.items() if verdict.status != "proved"} == {
        *wrong,
        "w1_3_1",
    }
    assert {verdicts[name].status for name in wrong} == {"refuted"}
    assert verdicts["w1_3_1"].status == "agrees"
    # What was proved together is not asked again.
    assert set(asked) == {*wrong, "w1_3_1"}


def test_a_ten_layer_delta_recursion_as_definitions():
    layers = [sg.Dense(3, activation="tanh") for _ in range(10)]
    loss = sg.mse(sg.Network(2, layers))
    n = sp.Symbol("n", integer=True, positive=True)
    t = sp.Symbol("t")
    slope = sp.Lambda(t, 1 - t**2)

    def matrix(name, rows=n, columns=3):
        return sp.MatrixSymbol(name, rows, columns)

    delta = sp.HadamardProduct(
        2 * (matrix("Yhat") - matrix("Y")) / (3 * n), matrix("Yhat").applyfunc(slope)
    )
    lines = [("D10", delta)]
    for layer in range(9, 0, -1):
        back = matrix(f"D{layer + 1}") * matrix(f"W{layer + 1}", 3, 3).T
        hidden = matrix(f"H{layer}").applyfunc(slope)
        lines.append((f"D{layer}", sp.HadamardProduct(back, hidden)))
    lines.append(("dW1", matrix("X", n, 2).T * matrix("D1")))
    verdict = sg.verify(loss, "W1", lines)
    assert (verdict.status, verdict.method, verdict.sizes) == ("proved", "normal form", ())
    lines[4] = (lines[4][0], -lines[4][1])
    assert sg.verify(loss, "W1", lines).status == "refuted"
    del lines[4]
    with pytest.raises(sg.OptionError, match="`D6`"):
        sg.verify(loss, "W1", lines)


# --------------------------------------------- article 000, in plain `math`


def squash(v):
    return (math.exp(v) - math.exp(-v)) / (math.exp(v) + math.exp(-v))


def loss_of_one(w1, b1, z, y):
    return (squash(w1 * z + b1) - y) ** 2


def slope_by_weight(w1, b1, z, y):
    p = squash(z * w1 + b1)
    return 2 * (p - y) * (1 - squash(z * w1 + b1) ** 2) * z


def slope_by_bias(w1, b1, z, y):
    p = squash(z * w1 + b1)
    return 2 * (p - y) * (1 - squash(z * w1 + b1) ** 2)


ARGUMENTS = {"w1": (), "b1": (), "z": (), "y": ()}


def test_the_two_gradient_functions_of_article_000():
    for name, by_hand in (("w1", slope_by_weight), ("b1", slope_by_bias)):
        verdict = sg.verify_functions(loss_of_one, by_hand, ARGUMENTS, name)[name]
        assert verdict.status == "proved"
        swapped = slope_by_bias if name == "w1" else slope_by_weight
        wrong = sg.verify_functions(loss_of_one, swapped, ARGUMENTS, name)[name]
        assert wrong.status == "refuted"
    net = sg.Network(1, [sg.Dense(1, activation="tanh")]).scalars()
    named = sg.verify(sg.mse(net), "w1", lambda w1, b1, x, y: slope_by_weight(w1, b1, x, y))
    assert named.status == "proved"


def test_traced_functions_are_formulas():
    loss = sg.trace(loss_of_one, ARGUMENTS)
    assert sg.verify(loss, "w1", slope_by_weight).status == "proved"
    assert sg.verify(loss, "b1", sg.gradient(loss, "b1")).status == "proved"


# -------------------------------------------------------------------- wide networks

#: Written out in scalars these would take hundreds of millions of operations.
WIDE = sg.cross_entropy(
    sg.Network(784, [sg.Dense(128, activation="relu"), sg.Dense(10, activation="softmax")])
)


def wide_by_hand(X, W1, b1, W2, b2, Y):
    hidden = np.maximum(X @ W1 + b1, 0)
    scores = np.exp(hidden @ W2 + b2)
    shares = scores / np.sum(scores, axis=1, keepdims=True)
    return hidden.T @ (shares - Y) / X.shape[0]


@pytest.mark.parametrize(
    ("claim", "status"),
    [
        ("H1.T @ (Yhat - Y) / n", "proved"),
        ("H1.T @ (Yhat - Y) * 1.01 / n", "refuted"),
        ("dW2 = H1.T @ (Yhat - Y); dW2 = dW2 / n", "proved"),
        (wide_by_hand, "proved"),
    ],
    ids=["text", "wrong text", "definitions", "function"],
)
def test_wide_networks_are_decided_at_other_sizes(claim, status):
    assert sg.verify(WIDE, "W2", claim).status == status


def test_own_gradients_of_wide_networks_are_claims():
    own = sg.gradient(WIDE)
    found = sg.verify(WIDE, ["W1", "b1"], {"W1": own["W1"], "b1": own["b1"]})
    assert {verdict.status for verdict in found.values()} == {"proved"}


def test_a_size_that_may_be_a_number_is_not_exchanged():
    loss = sg.mse(sg.Network(500, [sg.Dense(600)]))
    with pytest.raises(sg.UnsupportedError, match="`600` may also be"):
        sg.verify(loss, "W1", "2 * X.T @ (Yhat - Y) / n / 600")


def test_time_that_is_up_is_a_named_error():
    net = sg.Network(3, [sg.Dense(4, activation="tanh"), sg.Dense(2, activation="tanh")])
    with pytest.raises(sg.UnsupportedError, match="time was up"):
        sg.verify(sg.mse(net), "W1", "X.T @ (delta2 @ W2.T / cosh(Z1)**2)", timeout=1e-9)
