"""Recurrences as text: loops over known numbers of steps, and names that are defined again."""

import numpy as np
import pytest

import symgrad as sg

RANDOM = np.random.default_rng(9)
RECURRENT = """
h = zeros(k)
for t in range({steps}):
    a = W @ h + U @ X[t] + b
    h = tanh(a)
sum((V @ h - y)**2)
"""
SHAPES = {
    "W": ("k", "k"), "U": ("k", "d"), "X": (5, "d"), "b": "k", "V": ("m", "k"), "y": "m",
}  # fmt: skip


def arrays():
    sizes = {"k": 3, "d": 2, "m": 4}
    return {
        name: RANDOM.normal(size=[sizes.get(s, s) for s in np.atleast_1d(np.array(shape, object))])
        for name, shape in SHAPES.items()
    }


def through_time(given):
    """The value, and the gradients by hand: back-propagation through time."""
    W, U, X, b, V, y = (given[name] for name in "WUXbVy")
    states = [np.zeros(3)]
    for x in X:
        states.append(np.tanh(W @ states[-1] + U @ x + b))
    rest = V @ states[-1] - y
    back = 2 * V.T @ rest
    dW, dU, db = np.zeros_like(W), np.zeros_like(U), np.zeros_like(b)
    for t in reversed(range(5)):
        delta = back * (1 - states[t + 1] ** 2)
        dW += np.outer(delta, states[t])
        dU += np.outer(delta, X[t])
        db += delta
        back = W.T @ delta
    return rest @ rest, {"W": dW, "U": dU, "b": db, "V": 2 * np.outer(rest, states[-1])}


def test_a_recurrent_network_is_differentiated_through_time():
    loss = sg.parse(RECURRENT.format(steps=5), SHAPES)
    assert [n for n in loss.graph.defined_names if n[0] in "ha"] == [
        name for t in range(1, 6) for name in (f"a{t}", f"h{t}")
    ]
    given = arrays()
    value, grads = sg.compile(loss, wrt=["W", "U", "b", "V"])(**given)
    wanted, by_hand = through_time(given)
    assert value == pytest.approx(wanted)
    for name, gradient in by_hand.items():
        assert np.allclose(grads[name], gradient), name


def test_the_derivation_has_a_delta_for_every_step():
    lines = sg.derive(sg.parse(RECURRENT.format(steps=3), SHAPES), ["W"]).latex(document=False)
    assert (
        r"\frac{\partial L}{\partial W} &= \frac{\partial L}{\partial a_{3}} h_{2}^{\top}" in lines
    )


def test_backpropagation_through_time_is_proved():
    claim = """
    g = 2 * V.T @ (V @ h4 - y)
    g4 = g * (1 - h4**2)
    g3 = W.T @ g4 * (1 - h3**2)
    g2 = W.T @ g3 * (1 - h2**2)
    dW = outer(g4, h3) + outer(g3, h2) + outer(g2, h1)
    """
    loss = sg.parse(RECURRENT.format(steps=4), SHAPES)
    assert sg.verify(loss, "W", claim).status == "proved"
    wrong = claim.replace("outer(g2, h1)", "outer(g2, h2)")
    assert sg.verify(loss, "W", wrong).status == "refuted"


def test_claims_have_loops_too():
    loss = sg.parse("h = x\nfor t in range(4): h = tanh(w * h)\nh", {"x": (), "w": ()})
    names = loss.graph.defined_names
    assert [n for n in names if n.startswith("h")] == ["h1", "h2", "h3", "h4"]
    claim = """
    g = 1; dw = 0
    dw += g * (1 - h4**2) * h3; g *= (1 - h4**2) * w
    dw += g * (1 - h3**2) * h2; g *= (1 - h3**2) * w
    dw += g * (1 - h2**2) * h1; g *= (1 - h2**2) * w
    dw += g * (1 - h1**2) * x
    """
    assert sg.verify(loss, "w", claim).status == "proved"
    powers = "p = 1\nfor k in range(3): p = p * w; q = k * p\ndw = 3 * p / w + 0 * q"
    assert sg.verify(sg.parse("w**3"), "w", powers).status == "proved"


def test_the_last_line_is_the_claim():
    loss = sg.parse("w**3")
    assert sg.verify(loss, "w", "g = w; g = g * w; out = 3 * g").status == "proved"
    assert sg.verify(loss, "w", "g = w; out = 1; g = 3 * g * w").status == "proved"
    assert sg.verify(loss, "w", "g = 2; g = 3; r = g * w**2").status == "proved"


def test_a_claim_may_end_without_a_name():
    loss = sg.parse("sum((X @ w - y)**2)", {"X": ("n", 3), "w": 3, "y": "n"})
    assert sg.verify(loss, "w", "r = X @ w - y\n2 * X.T @ r").status == "proved"
    assert sg.verify(loss, "w", "r = X @ w - y; X.T @ r").status == "refuted"


#: A text, and what it is without its loop.
SAME = {
    "s = 0\nfor i in range(3): s += x[i] * y[i]\ns": "x @ y",
    "p = 1\nfor i in range(1, 3): p *= x[i]\np": "x[1] * x[2]",
    "s = x\nfor i in range(2):\n    for j in range(2):\n      s = s + (i + 2*j) * y\ns": "x + 6*y",
    "s = x\nfor i in range(2, -1, -1): s = s + i * y\ns": "x + 3*y",
    "s = x\nfor i in range(0): s = s * y\ns": "x",
    "s = x; s -= y; s /= 2; s @= A\ns": "(x - y) / 2 @ A",
    "h2 = x; h = y\nfor i in range(2): h = h * h2\nh": "y * x * x",
    "for t in range(2):\n  u = x * t  # a comment\n\n  v = u + 1\nv": "x + 1",
}


@pytest.mark.parametrize("text", SAME)
def test_loops_are_what_they_repeat(text):
    shapes = {"x": 3, "y": 3, "A": (3, 3)}
    given = {name: RANDOM.normal(size=shape) for name, shape in shapes.items()}
    values = []
    for formula in (sg.parse(t, shapes) for t in (text, SAME[text])):
        values.append(sg.compile(formula)(**{name: given[name] for name in formula.inputs}))
    assert np.allclose(*values)


#: Texts that are no formulas: what the error says.
REFUSED = {
    "for": "expected a name",
    "for t in range(3): h = x": "a loop has no value",
    "for t in range(3): x\nx": "without a name",
    "for x in range(3): h = 1\nh": "means something",
    "for t in range(n): h = x\nh": "whole numbers",
    "for t in range(0.5): h = x\nh": "whole numbers",
    "for t in range(): h = x\nh": "whole numbers",
    "for t in range(1, 2, 0): h = x\nh": "whole numbers",
    "for t in x: h = t\nh": "is over `range",
    "for t in range(3) h = x\nh": "expected `:`",
    "for t of range(3): h = x\nh": "expected `in range",
    "for 3 in range(3): h = x\nh": "expected a name",
    "for t in range(3):\nh = x\nh": "no body",
    "for t in range(10**6): h = x\nh": "more than",
    "for i in range(100):\n  for j in range(100):\n    h = x\nh": "more than",
    "x = x + 1\nx": "is an input",
    "h += x\nh": "unknown name",
    "[t for t in range(3)]": "expected",
    "h = x\nh = h[0:2]\nfor t in range(3): h = h[1:]\nh": "is empty",
}


@pytest.mark.parametrize("text", REFUSED)
def test_what_is_refused(text):
    with pytest.raises(sg.SymgradError, match=REFUSED[text]):
        sg.parse(text, {"x": ("n",)})


def test_shapes_may_change_from_step_to_step():
    text = "h = x\nfor t in range(2): h = h[1:] - h[:-1]\nsum(h**2)"
    loss = sg.parse(text, {"x": 5})
    given = RANDOM.normal(size=5)
    value, grads = sg.compile(loss, wrt=["x"])(x=given)
    assert value == pytest.approx(np.sum(np.diff(given, 2) ** 2))
    step = 1e-6 * np.eye(5)
    f = [np.sum(np.diff(given + s, 2) ** 2) - np.sum(np.diff(given - s, 2) ** 2) for s in step]
    assert np.allclose(grads["x"], np.array(f) / 2e-6, rtol=1e-6)


def test_a_long_loop_has_short_names():
    loss = sg.parse("h = x\nfor t in range(300): h = tanh(w * h)\nh", {"x": (), "w": ()})
    assert len(loss.graph) == 601
    assert max(map(len, loss.graph.defined_names)) == 4


def test_constants_do_not_grow_without_a_name():
    text = "h = ones((30, 30))\nfor t in range(40): h = h @ h / 30\nsum(h) * x"
    loss = sg.parse(text)
    assert len(loss.graph) < 200
    assert sg.compile(loss)(x=2.0) == pytest.approx(1800.0)
