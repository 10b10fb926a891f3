"""The line y = w x + b with half the sum of squares: sums kept, its Hessian, its stable rates."""

import functools

import numpy as np
import sympy as sp
from _page import Page, named
from _points import FLOATS, PLACES, at_places, at_points, b, d, i, j, k, n, w, x, y

import symgrad as sg
from symgrad.formats import pictures

START = (1.0, 0.0)
STEPS = {0.01: (1, 2, 10), 0.001: (1, 10, 100, 1000, 10000), 0.005: (100,)}


def loss():
    """Half the sum of squares over n samples, the sum kept as a sum."""
    return sp.Sum((w * x[i] + b - y[i]) ** 2, (i, 1, n)) / 2


def loss_of_many():
    """The same with d inputs, both sums kept."""
    weights = sp.IndexedBase("w", real=True)
    inside = sp.Sum(weights[j] * x[k, j], (j, 1, d)) + b - y[k]
    return sp.Sum(inside**2 / 2, (k, 1, n))


def loss_of_matrices():
    """The same with d inputs as matrices: the samples are the rows of X."""
    table, weights = sp.MatrixSymbol("X", n, d), sp.MatrixSymbol("w", d, 1)
    target, rest = sp.MatrixSymbol("y", n, 1), sp.MatrixSymbol("r", n, 1)
    return named(
        (rest, table * weights + sg.broadcast(b, n, 1) - target),
        (sp.Symbol("L", real=True), sp.Trace(rest.T * rest) / 2),
    )


def second():
    """The second derivatives: every slope of every slope."""
    slopes = sg.gradient(loss(), ["w", "b"])
    return {(u, v): sg.gradient(slopes[u], [v])[v] for u in ("w", "b") for v in ("w", "b")}


def formulas():
    """What the tests compare with the oracle: by name an expression and its variables."""
    return {
        "loss": (loss(), ["w", "b"]),
        "loss_of_many": (loss_of_many(), ["w", "b"]),
        "loss_of_matrices": (loss_of_matrices(), ["w", "b"]),
    }


def optimum():
    """Where both slopes are zero, exactly."""
    slopes = sg.gradient(loss(), ["w", "b"])
    (point,) = sp.linsolve([at_points(slopes[name].sympy) for name in ("w", "b")], [w, b])
    return point


def hessian():
    """The second derivatives at the eight points; they do not depend on w and b."""
    parts = second()
    return sp.Matrix(2, 2, lambda r, c: at_points(parts["wb"[r], "wb"[c]].sympy))


@functools.cache
def compiled(wrt=()):
    """The loss at the eight points as a function of w and b, with slopes where `wrt` asks."""
    function = sg.compile(loss(), wrt=list(wrt) or None)
    return lambda point: function(**FLOATS, w=point[0], b=point[1])


def descend(rate, steps):
    """Points (w, b) of gradient descent from the start, one a step."""
    point = START
    path = [point]
    for _ in range(steps):
        _, slopes = compiled(("w", "b"))(point)
        point = (point[0] - rate * slopes["w"], point[1] - rate * slopes["b"])
        path.append(point)
    return path


def exact_values(page):
    """Loss and slopes where the article stops, and where both slopes are zero."""
    slopes = sg.gradient(loss(), ["w", "b"])
    rows = at_places([loss(), slopes["w"].sympy, slopes["b"].sympy], [*PLACES, optimum()])
    page.section("Values at the eight points")
    page.text("Exact fractions; the last line is the optimum, where both slopes are zero.")
    head = ["$w$", "$b$", "$L$", "slope by $w$", "slope by $b$"]
    page.table(head, rows)


def rates(page):
    """The Hessian and the rates that it allows."""
    parts, table = second(), hessian()
    low, high = np.linalg.eigvalsh(np.array(table, dtype=float))
    page.section("The Hessian and the learning rate")
    page.text("The gradient of the gradient, entry by entry:")
    for (u, v), entry in parts.items():
        by = f"\\partial {u} \\, \\partial {v}" if u != v else f"\\partial {u}^2"
        page.formula(f"\\frac{{\\partial^2 L}}{{{by}}} = {sp.latex(entry.sympy)}")
    page.text("At the eight points, with its eigenvalues:")
    page.formula(f"H = {sp.latex(table)}")
    page.text(
        "A step of descent multiplies the distance to the optimum by $1 - \\eta \\lambda$ along an "
        "eigenvector, so it shrinks only while $\\eta < 2 / \\lambda_{\\max}$."
    )
    page.table(
        ["", "value"],
        [
            ("smallest eigenvalue", low),
            ("largest eigenvalue", high),
            ("their quotient", high / low),
            ("largest stable rate, $2 / \\lambda_{\\max}$", 2 / high),
            ("fastest rate, $2 / (\\lambda_{\\min} + \\lambda_{\\max})$", 2 / (low + high)),
        ],
    )
    page.text("From $w$ = 1, $b$ = 0, with three rates; the first is beyond the stable one:")
    rows = []
    for rate, counts in STEPS.items():
        path = descend(rate, max(counts))
        rows += [(f"{rate:g}", count, *path[count], compiled()(path[count])) for count in counts]
    page.table(["rate", "steps", "$w$", "$b$", "$L$"], rows)


def draw(page):
    """The loss over w and b, with a path that converges and one that does not."""

    def surface(path, each):
        return pictures.loss_surface(lambda u, v: compiled()((u, v)), path, 61, each=each)

    page.section("Pictures")
    slow = descend(0.001, 1000)
    seen = [slow[count] for count in (0, 1, 2, 3, 5, 10, 100, 200, 300, 500, 700, 1000)]
    page.picture("surface", surface(seen, "some steps"), "Rate 0.001: down, then along the valley")
    page.picture(
        "diverging", surface(descend(0.01, 10), "a step"), "Rate 0.01: across the valley and away"
    )
    best = [float(number) for number in optimum()]
    line = functools.partial(np.polyval, best)
    labels = ("$x$", "$y$")
    fitted = pictures.fitted(*FLOATS.values(), line, labels, 6.28, name="fitted line")
    page.picture("fit", fitted, "The line at the optimum")


def write(folder):
    """Write the derivations, the numbers and the pictures."""
    page = Page("line", "A line, and half the sum of squares")
    page.text(
        "Eight points and the line $y = w x + b$. The sums over the samples stay sums, so that the "
        "formulas hold for any number of points."
    )
    # What is named as a parameter is also updated.
    trained = sg.Formula.of(loss(), parameters=["w", "b"])
    page.derivation(sg.derive(trained), "One input")
    page.derivation(sg.derive(loss_of_many(), ["w", "b"]), "Several inputs, as sums", "many")
    matrices = sg.derive(loss_of_matrices(), ["w", "b"])
    page.derivation(matrices, "Several inputs, as matrices", "matrices")
    exact_values(page)
    rates(page)
    draw(page)
    page.errata("the-line")
    return page.write(folder)
