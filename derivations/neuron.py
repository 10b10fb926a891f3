"""A neuron with two inputs: where its output is one half there is a straight line."""

import sympy as sp
from _page import Page

import symgrad as sg
from symgrad.formats import pictures

w1, w2, b, x1, x2 = sp.symbols("w1 w2 b x1 x2", real=True)
WEIGHTS = {"w1": 1.0, "w2": 2.0, "b": 0.0}  # the article's
LEVEL = 0.5


def output():
    """The output of the neuron."""
    return sg.Formula.of(sg.sigmoid(w1 * x1 + w2 * x2 + b), name="y")


def formulas():
    """What the tests compare with the oracle: by name an expression and its variables."""
    return {"output": (output(), ["w1", "w2", "b", "x1", "x2"])}


def line():
    """The second input on the line where the output is the level, as a formula."""
    (inside,) = output().sympy.args
    at_level = sp.log(sp.Rational(LEVEL) / (1 - sp.Rational(LEVEL)))
    (found,) = sp.solve(sp.Eq(inside, at_level), x2)
    return found


def write(folder):
    """Write the derivation, the line and its picture."""
    page = Page("neuron", "A neuron with two inputs")
    page.text("A weighted sum of two inputs and a bias in a sigmoid, and all its slopes.")
    page.derivation(sg.derive(output(), ["w1", "w2", "b", "x1", "x2"]), "The slopes")
    page.section("The line of decision")
    page.text(f"The output is {LEVEL:g} where the weighted sum is 0, which is a straight line:")
    page.formula(f"x_2 = {sp.latex(line())}")
    page.text(
        "The slopes by the inputs are the weights, times one number: across the line the output "
        "changes fastest, along it not at all. At points of the line, with the weights "
        f"{WEIGHTS['w1']:g} and {WEIGHTS['w2']:g} and the bias {WEIGHTS['b']:g}:"
    )
    neuron = sg.compile(output(), wrt=["x1", "x2"])
    fixed = {symbol: WEIGHTS[symbol.name] for symbol in (w1, w2, b)}
    rows = []
    for first in (-2.0, 0.0, 1.0):
        second = float(line().subs({**fixed, x1: first}))
        value, slopes = neuron(**WEIGHTS, x1=first, x2=second)
        rows.append((first, second, value, slopes["x1"], slopes["x2"]))
    page.table(["$x_1$", "$x_2$", "output", "slope by $x_1$", "slope by $x_2$"], rows)
    figure = pictures.decision(
        lambda u, v: neuron(**WEIGHTS, x1=u, x2=v)[0],
        LEVEL,
        ((-5.0, 5.0), (-5.0, 5.0)),
        ("$x_1$", "$x_2$"),
    )
    page.picture("line", figure, "The output over both inputs, and the line of decision")
    return page.write(folder)
