"""The eight points of the article on the line, and formulas evaluated at them without rounding."""

import numpy as np
import sympy as sp

X = tuple(range(1, 9))
Y = ("0.85", "1.43", "1.92", "2.59", "3.20", "3.82", "4.38", "4.97")  # exact decimals
FLOATS = {"x": np.array(X, dtype=float), "y": np.array([float(text) for text in Y])}

w, b = sp.symbols("w b", real=True)
n, d = sp.symbols("n d", integer=True, positive=True)
i, j, k = sp.symbols("i j k", integer=True)
x, y = sp.IndexedBase("x", real=True), sp.IndexedBase("y", real=True)

# The article's start, two other places that it names, its own fit, a place far away.
PLACES = ((1, 0), (0, 0), (2, 1), ("0.6", "0.2"), ("-2.5", "15"))


def at_points(expression):
    """A formula over x[1] .. x[n], y[1] .. y[n] with the points put in as fractions."""
    exact = sp.sympify(expression).subs(n, len(X)).doit()
    values = {x[m]: sp.Integer(value) for m, value in enumerate(X, 1)}
    values |= {y[m]: sp.Rational(text) for m, text in enumerate(Y, 1)}
    return exact.xreplace(values)


def at_places(expressions, places):
    """Rows of a table: every place (w, b) with the exact values of the formulas there."""
    formulas = [at_points(expression) for expression in expressions]
    for place in places:
        at = dict(zip((w, b), map(sp.Rational, place), strict=True))
        yield (*map(str, place), *(formula.xreplace(at) for formula in formulas))
