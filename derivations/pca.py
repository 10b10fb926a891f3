"""Principal components: the direction of the largest variance, and of the smallest rest."""

import numpy as np
import sympy as sp
from _page import Page, named

import symgrad as sg
from symgrad.formats import pictures

# Points along the direction (2, 1), more or less.
POINTS = np.array([[2.0, 1.1], [-1.0, -0.2], [0.5, 0.6], [-2.2, -1.4], [1.3, 0.4], [-0.6, -0.5]])

n, d = sp.symbols("n d", integer=True, positive=True)
S, X, w = sp.MatrixSymbol("S", d, d), sp.MatrixSymbol("X", n, d), sp.MatrixSymbol("w", d, 1)
loss = sp.Symbol("L", real=True)


def quotient():
    """Minus the variance along w, for a w of any length."""
    variance, length = sp.symbols("q s", real=True)
    return named(
        (variance, sp.Trace(w.T * S * w)),
        (length, sp.Trace(w.T * w)),
        (loss, -variance / length),
    )


def rest():
    """The sum of squares of what is left of the rows of X beside their parts along w."""
    residual = sp.MatrixSymbol("R", n, d)
    return named((residual, X - X * w * w.T), (loss, sp.Trace(residual.T * residual)))


def formulas():
    """What the tests compare with the oracle: by name an expression and its variables."""
    return {"quotient": (quotient(), ["w", "S"]), "rest": (rest(), ["w"])}


def covariance():
    """The covariance of the points (population)."""
    centred = POINTS - POINTS.mean(axis=0)
    return centred, centred.T @ centred / len(centred)


def directions():
    """The eigenvectors of the covariance, the largest eigenvalue first, with a fixed sign."""
    levels, vectors = np.linalg.eigh(covariance()[1])
    ordered = vectors[:, np.argsort(-levels)].T
    return [vector * np.sign(vector[0]) for vector in ordered]


def write(folder):
    """Write both derivations, and the numbers at the eigenvectors."""
    centred, table = covariance()
    page = Page("pca", "Principal components")
    page.text(
        "The direction along which samples vary most is the one that loses least when the samples "
        "are replaced by their parts along it. $S$ is the covariance matrix; the rows of $X$ are "
        "samples with mean 0."
    )
    page.derivation(sg.derive(quotient(), ["w"]), "The variance along a direction")
    page.text(
        "$S$ is symmetric, so the gradient is 0 exactly where $S w = (q / s) w$: at the "
        "eigenvectors, with the eigenvalue as the variance."
    )
    page.derivation(sg.derive(rest(), ["w"]), "The rest beside a direction", "rest")
    page.section("Six points in the plane")
    page.text("Values and the length of the gradient, by $w$, at three directions:")
    along, beside = sg.compile(quotient(), wrt=["w"]), sg.compile(rest(), wrt=["w"])
    rows = []
    names = ("first eigenvector", "second eigenvector", "neither")
    for name, at in zip(names, [*directions(), np.array([0.6, -0.8])], strict=True):
        column = at[:, None]
        value, slopes = along(S=table, w=column)
        left, others = beside(X=centred, w=column)
        sizes = np.linalg.norm(slopes["w"]), np.linalg.norm(others["w"])
        rows.append((name, -value, sizes[0], left, sizes[1]))
    page.table(["$w$", "variance along", "gradient", "rest beside", "gradient"], rows)

    def at_angle(degrees):
        angle = np.radians(degrees)
        return np.array([[np.cos(angle)], [np.sin(angle)]])

    functions = {
        "variance along $w$": lambda v: -along(S=table, w=at_angle(v))[0],
        "rest beside $w$, a sample": lambda v: beside(X=centred, w=at_angle(v))[0] / len(centred),
    }
    labels = ("angle of $w$ in degrees", "")
    figure = pictures.curves(functions, (0.0, 180.0), labels, steps=181)
    page.picture("angle", figure, "Variance and rest add up to the same at every angle")
    return page.write(folder)
