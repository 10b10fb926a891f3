"""Batch normalisation: every column to mean 0 and variance 1, then scaled and shifted."""

import numpy as np
import sympy as sp
from _page import Page, named

import symgrad as sg

n, d = sp.symbols("n d", integer=True, positive=True)
X, G = sp.MatrixSymbol("X", n, d), sp.MatrixSymbol("G", n, d)
gamma, beta = sp.MatrixSymbol("gamma", 1, d), sp.MatrixSymbol("beta", 1, d)
epsilon = sp.Symbol("epsilon", positive=True)


def forward():
    """The definitions: mean, centred samples, variance, scale, normalised samples, output."""
    mean, variance = sp.MatrixSymbol("mu", 1, d), sp.MatrixSymbol("v", 1, d)
    scale = sp.MatrixSymbol("r", 1, d)
    centred, normal, output = (sp.MatrixSymbol(name, n, d) for name in ("C", "N", "Y"))
    squares = sg.elementwise(lambda c: c**2, centred)
    return (
        (mean, sg.sum_rows(X) / n),
        (centred, X - sg.broadcast(mean, n, d)),
        (variance, sg.sum_rows(squares) / n),
        (scale, sg.elementwise(lambda v: 1 / sp.sqrt(v + epsilon), variance)),
        (normal, sp.HadamardProduct(centred, sg.broadcast(scale, n, d))),
        (output, sp.HadamardProduct(sg.broadcast(gamma, n, d), normal) + sg.broadcast(beta, n, d)),
    )


def loss():
    """A loss whose gradient by the output is any matrix G: the layers above hand it down."""
    definitions = forward()
    value = sg.sum_entries(sp.HadamardProduct(G, definitions[-1][0]))
    return named(*definitions, (sp.Symbol("L", real=True), value))


def formulas():
    """What the tests compare with the oracle: by name an expression and its variables."""
    return {"loss": (loss(), ["X", "gamma", "beta"])}


def point():
    """Five samples of three numbers without a pattern, and the rest."""
    rows, columns = np.indices((5, 3)) + 1
    return {
        "X": np.sin(10 * rows + columns) * columns,
        "G": np.cos(7 * rows + 3 * columns),
        "gamma": np.array([[1.0, 0.5, -2.0]]),
        "beta": np.array([[0.1, 0.2, 0.3]]),
        "epsilon": 1e-5,
    }


def write(folder):
    """Write the derivation, and what its numbers must fulfil."""
    page = Page("batch_normalisation", "Batch normalisation")
    page.text(
        "The rows of $X$ are samples. Every column is shifted to mean 0 and scaled to variance 1, "
        "then scaled by $\\gamma$ and shifted by $\\beta$, which are trained. $G$ is what the "
        "layers above hand down, the gradient of their loss by the output $Y$."
    )
    page.derivation(sg.derive(loss(), ["X", "gamma", "beta"]), "Forward and backward")
    at = point()
    _, slopes = sg.compile(loss(), wrt=["X", "gamma", "beta"])(at)
    moved = {**at, "X": at["X"] + np.array([3.0, -1.0, 2.0])}
    value = sg.compile(loss())
    page.section("What must hold")
    page.text(
        "A constant added to a column changes nothing, so that every column of the gradient by $X$ "
        "adds up to 0. Five samples of three numbers:"
    )
    sums = np.sum(slopes["X"], axis=0)
    page.table(
        ["column", "gradient by $\\gamma$", "gradient by $\\beta$", "sum of the gradient by $X$"],
        [(k + 1, slopes["gamma"][0, k], slopes["beta"][0, k], sums[k]) for k in range(3)],
    )
    page.text("The loss before and after 3, -1 and 2 are added to the columns:")
    page.table(["", "$L$"], [("before", value(at)), ("after", value(moved))])
    return page.write(folder)
