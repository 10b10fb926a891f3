"""The line y = w x + b with the sum of absolute values, and its kinks."""

import sympy as sp
from _page import Page
from _points import FLOATS, PLACES, at_places, b, i, n, w, x, y

import symgrad as sg
from symgrad.formats import pictures


def loss():
    """The sum of absolute values, the sum kept as a sum."""
    return sp.Sum(sp.Abs(w * x[i] + b - y[i]), (i, 1, n))


def formulas():
    """What the tests compare with the oracle: by name an expression and its variables."""
    return {"loss": (loss(), ["w", "b"])}


def at_a_kink(page):
    """One point alone, with w where its line goes through it: the two sides and the convention."""
    both = sg.compile(loss(), wrt=["w"])
    one = {name: values[:1] for name, values in FLOATS.items()}
    place = float(one["y"][0] / one["x"][0])
    rows = []
    for words, at in (("left", place - 0.1), ("at the kink", place), ("right", place + 0.1)):
        value, slopes = both(**one, w=at, b=0.0)
        rows.append((words, at, value, slopes["w"]))
    page.section("At a kink")
    page.text(
        "The first point alone, with $b = 0$. Where the line goes through the point, the slopes of "
        "the two sides differ and there is no derivative; the value that is used there is the one "
        "of the convention."
    )
    page.table(["", "$w$", "$L$", "slope by $w$"], rows)


def draw(page):
    """The loss and its slope along w: straight pieces, and a step at every kink."""
    both = sg.compile(loss(), wrt=["w"])

    def at(value):
        return both(**FLOATS, w=value, b=0.0)

    functions = {"loss": lambda v: at(v)[0], "slope by $w$": lambda v: at(v)[1]["w"]}
    # Where a point of the grid is a kink, rounding decides on the side: 607 points miss them.
    figure = pictures.curves(functions, (0.5, 1.0), ("$w$", ""), steps=607)
    page.section("Pictures")
    page.picture("slope", figure, "Along w with b = 0: the slope steps up at every kink")


def write(folder):
    """Write the derivation, its kinks and its numbers."""
    page = Page("line_l1", "A line, and the sum of absolute values")
    page.text("The same eight points; the loss is the sum of the distances.")
    # What is named as a parameter is also updated.
    trained = sg.Formula.of(loss(), parameters=["w", "b"])
    page.derivation(sg.derive(trained), "The gradient")
    slopes = sg.gradient(loss(), ["w", "b"])
    page.section("Values at the eight points")
    head = ["$w$", "$b$", "$L$", "slope by $w$", "slope by $b$"]
    page.table(head, at_places([loss(), slopes["w"].sympy, slopes["b"].sympy], PLACES))
    at_a_kink(page)
    draw(page)
    page.errata("the-line")
    return page.write(folder)
