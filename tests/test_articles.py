"""The articles' own programs, written anew in plain Python, beside symgrad's path."""

import math

import numpy as np
import pytest
import seeds
import sympy as sp

import symgrad as sg
from symgrad import demo

Y = [float(text) for text in seeds.LINE_Y]
i, n = sp.Symbol("i", integer=True), sp.Symbol("n", integer=True, positive=True)
w, b = sp.symbols("w b", real=True)
x, y = sp.IndexedBase("x"), sp.IndexedBase("y")
LOSS = sp.Sum((w * x[i] + b - y[i]) ** 2, (i, 1, n)) / 2


def line_program(rate, steps):
    """Article 002: half the sum of squares, both parameters moved from one point."""
    at_w, at_b = 1.0, 0.0
    for _ in range(steps):
        residuals = [at_w * a + at_b - wanted for a, wanted in zip(seeds.LINE_X, Y, strict=True)]
        slope_w = sum(r * a for r, a in zip(residuals, seeds.LINE_X, strict=True))
        at_w, at_b = at_w - rate * slope_w, at_b - rate * sum(residuals)
    return at_w, at_b


def trained(rate, steps):
    data = {"x": np.array(seeds.LINE_X, dtype=float), "y": np.array(Y)}
    return sg.train(LOSS, data, start={"w": 1.0, "b": 0.0}, learning_rate=rate, epochs=steps)


@pytest.mark.parametrize("row", seeds.LINE_DESCENT, ids=lambda row: f"{row[0]}-{row[1]}")
def test_the_line_through_training(row):
    rate, steps, *wanted = row
    fit = trained(rate, steps)
    own = line_program(rate, steps)
    found = (fit.parameters["w"], fit.parameters["b"])
    np.testing.assert_allclose(found, own, rtol=1e-12)
    np.testing.assert_allclose((*found, fit.losses[-1]), wanted, rtol=1e-12)


def test_one_rate_diverges_and_the_other_converges():
    rising = trained(0.01, 10).losses
    assert np.all(np.diff(rising) > 0)
    falling = trained(0.001, 10_000)
    assert np.all(np.diff(falling.losses) <= 1e-15)
    best = [float(sp.Rational(text)) for text in seeds.LINE_OPTIMUM]
    np.testing.assert_allclose([falling.parameters["w"], falling.parameters["b"]], best, rtol=1e-6)
    with pytest.raises(sg.DivergenceError, match="rate"):
        trained(0.01, 10_000)


def test_the_perceptron_through_training():
    own = demo.article_program(list(seeds.AGES), list(seeds.PROBABILITIES))
    z = (np.array(seeds.AGES) - own.mean) / own.std
    net = sg.Network(1, [sg.Dense(1, activation="tanh")]).scalars()
    fit = net.fit(
        z, seeds.PROBABILITIES, start={"w1": 0.3, "b1": -0.7}, learning_rate=0.05, epochs=10,
        batch_size=1, shuffle=False, update="sequential",
    )  # fmt: skip
    np.testing.assert_allclose(
        (fit.parameters["w1"], fit.parameters["b1"]), own.path[-1], rtol=1e-13
    )


def small_net(at, rate):
    """Article 001: the 3-2-2 net entry by entry, its loss, all slopes and one step."""

    def sigma(v):
        return 1 / (1 + math.exp(-v))

    hidden = [sigma(sum(c * v for c, v in zip(row, at["x"], strict=True))) for row in at["W1"]]
    out = [sigma(sum(c * v for c, v in zip(row, hidden, strict=True))) for row in at["W2"]]
    last = [2 * (o - t) * o * (1 - o) for o, t in zip(out, at["y"], strict=True)]
    first = [
        sum(last[k] * at["W2"][k][j] for k in range(2)) * hidden[j] * (1 - hidden[j])
        for j in range(2)
    ]
    slopes = {
        "W1": [[d * v for v in at["x"]] for d in first],
        "W2": [[d * v for v in hidden] for d in last],
    }
    moved = {
        name: [[c - rate * s for c, s in zip(*rows, strict=True)]
               for rows in zip(at[name], slopes[name], strict=True)]
        for name in slopes
    }  # fmt: skip
    return sum((o - t) ** 2 for o, t in zip(out, at["y"], strict=True)), slopes, moved


def test_the_small_net_through_compiled_code():
    at = {"x": [1.0, 0.5, -1.0], "W1": [[0.1, -0.2, 0.3], [0.4, 0.5, -0.6]],
          "W2": [[0.7, -0.8], [0.9, 0.25]], "y": [1.0, 0.0]}  # fmt: skip
    layers = [sg.Dense(2, activation="sigmoid", bias=False) for _ in range(2)]
    net = sg.Network(3, layers, orientation="columns")
    value, grads = sg.compile(sg.sse(net), wrt="parameters")(at)
    own, slopes, moved = small_net(at, 0.1)
    np.testing.assert_allclose(value, own, rtol=1e-14)
    for name, table in slopes.items():
        np.testing.assert_allclose(grads[name], table, rtol=1e-13)
    after, _, _ = small_net({**at, **moved}, 0.1)
    np.testing.assert_allclose(after, seeds.SMALL_S_AFTER_STEP, rtol=1e-12)
