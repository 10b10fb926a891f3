"""A curve of one variable, its tangents, and the walk downhill."""

import sympy as sp
from _page import Page

import symgrad as sg
from symgrad.formats import pictures

x = sp.Symbol("x", real=True)
# The article shows a polynomial without writing it down; this one has its slope 1.3 at 0.
CURVE = sg.Formula.of(sp.Rational(13, 10) * (x - 5 * x**3 / 12 + x**5 / 20), name="f")
LIMITS = (-2.5, 2.5)
RATE, STEPS = 0.1, 200
STARTS = (-1.9, 0.5, 1.2, 2.4, -2.05)


def formulas():
    """What the tests compare with the oracle: by name an expression and its variables."""
    return {"curve": (CURVE, ["x"])}


def slope():
    """The derivative."""
    return sg.gradient(CURVE, "x")


def walk(start, rate=RATE, steps=STEPS):
    """Go against the slope until the picture ends; returns the place and the number of steps."""
    down, place = sg.compile(slope()), start
    for count in range(steps):
        if not LIMITS[0] <= place <= LIMITS[1]:
            return place, count
        place -= rate * float(down(x=place))
    return place, steps


def write(folder):
    """Write the derivative, its picture and the walks."""
    page = Page("tangent", "The tangent of a curve")
    page.text("A polynomial of one variable, its derivative, and the tangents that it gives.")
    page.derivation(sg.derive(CURVE, ["x"]), "The derivative")
    level = sorted(sp.solve(slope().sympy, x))
    again = sg.gradient(slope(), "x").sympy
    page.section("Valleys and peaks")
    page.text("Where the slope is 0, the second derivative tells a valley from a peak:")
    bends = [(place, again.subs(x, place)) for place in level]
    rows = [(place, bend, "valley" if bend > 0 else "peak") for place, bend in bends]
    page.table(["$x$", "second derivative", ""], rows)
    page.section("Walking downhill")
    page.text(
        f"Steps against the slope with the rate {RATE:g}, at most {STEPS}. From beyond the last "
        "peak on the left the curve falls without end, and so does the walk: a valley is reached "
        "only where there is one."
    )
    down, rows = sg.compile(slope()), []
    for start in STARTS:
        place, count = walk(start)
        inside = LIMITS[0] <= place <= LIMITS[1]
        rows.append((start, count, f"{place:.4f}" if inside else "left the picture"))
    page.table(["start", "steps", "end"], rows)
    function = sg.compile(CURVE)
    figure = pictures.tangents(
        lambda v: function(x=v), lambda v: down(x=v), (-1.6, 0.0, 1.0), LIMITS, ("$x$", "$f(x)$")
    )
    page.picture("curve", figure, "The curve and three of its tangents")
    return page.write(folder)
