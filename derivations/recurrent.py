"""A recurrent network over a known number of steps: back-propagation through time."""

import numpy as np
from _page import Page

import symgrad as sg
from symgrad.formats import pictures

#: The gradient by the weights as it is written by hand, for three steps.
BY_HAND = """\
g3 = 2 * (h3 - y) * (1 - h3**2)
g2 = W.T @ g3 * (1 - h2**2)
g1 = W.T @ g2 * (1 - h1**2)
dW = outer(g3, h2) + outer(g2, h1) + outer(g1, h0)"""
#: How far back gradients are looked at, and by what the weights are scaled.
STEPS, SCALES = 20, (0.6, 1.0, 1.4)


def network(steps):
    """The same layer at every step: the new state from the old one and a row of X."""
    text = f"""
    h = h0
    for t in range({steps}):
        x = X[t]
        a = W @ h + U @ x + b
        h = tanh(a)
    sum((h - y)**2)
    """
    shapes = {"W": ("k", "k"), "U": ("k", "d"), "b": "k", "h0": "k", "y": "k"}
    return sg.parse(text, {**shapes, "X": (steps, "d")})


def formulas():
    """What the tests compare with the oracle: by name an expression and its variables."""
    return {"three": (network(3), ["W", "U", "b", "h0"]), "five": (network(5), ["W", "X"])}


def setting(scale):
    """Arrays for many steps: the weights turn the state by 40 degrees, and scale it."""
    turn = np.radians(40.0)
    rotation = np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]])
    times = np.arange(STEPS)
    return {
        "W": scale * rotation,
        "U": np.eye(2),
        "b": np.zeros(2),
        "h0": np.zeros(2),
        "y": np.array([0.4, -0.1]),
        "X": 0.2 * np.stack([np.sin(0.7 * times), np.cos(0.7 * times)], axis=1),
    }


def lengths(scale):
    """The length of the gradient by the input of every step, the last one first."""
    given = setting(scale)
    _, grads = sg.compile(network(STEPS), wrt=["X"])(**given)
    return np.linalg.norm(grads["X"], axis=1)[::-1]


def write(folder):
    """Write the derivation, the claim, and how gradients fade or grow on the way back."""
    page = Page("recurrent", "A recurrent network")
    page.text(
        "The same weights at every step, for a known number of steps. The text has a loop, the "
        "states are numbered, and the gradient by a weight has a term for every step: "
        "back-propagation through time."
    )
    page.derivation(sg.derive(network(3), ["W", "U", "b"]), "Three steps")
    page.section("The gradient by hand")
    verdict = sg.verify(network(3), "W", BY_HAND)
    page.text(f"```python\n{BY_HAND}\n```")
    wrong = sg.verify(network(3), "W", BY_HAND.replace("(g2, h1)", "(g2, h2)"))
    page.text(
        f'`sg.verify(loss, "W", claim)` says: {verdict.status}. With `h2` in the place of `h1` in '
        f"the last line: {wrong.status}."
    )
    page.section("How far back a gradient reaches")
    page.text(
        f"The length of the gradient by the input of a step, for {STEPS} steps; the weights are a "
        "rotation, scaled. Every step back multiplies by $W^{\\top}$ and by slopes of tanh below "
        "1: scaled by 0.6 the gradient fades by the same factor at every step, by 1.0 it keeps its "
        "length, and by 1.4 it grows as soon as the states are small enough not to saturate."
    )
    by_scale = {scale: lengths(scale) for scale in SCALES}
    back = (0, 1, 2, 5, 10, 19)
    rows = [(k, *(by_scale[scale][k] for scale in SCALES)) for k in back]
    page.table(["steps back", *(f"scale {scale}" for scale in SCALES)], rows)
    functions = {
        f"scale {scale}": lambda v, scale=scale: np.log10(
            np.interp(v, np.arange(STEPS), by_scale[scale])
        )
        for scale in SCALES
    }
    labels = ("steps back", "log10 of the length of the gradient")
    figure = pictures.curves(functions, (0.0, STEPS - 1.0), labels, steps=2 * STEPS - 1)
    page.picture("reach", figure, "The gradient by the input of earlier and earlier steps")
    return page.write(folder)
