"""Cross-entropy and the Kullback-Leibler divergence: P - Y, and what becomes of it in a net."""

import deep_3_4_4_1 as deep
import numpy as np
import sympy as sp
from _page import Page

import symgrad as sg

n, d, k = sp.symbols("n d k", integer=True, positive=True)
X, W, Y = sp.MatrixSymbol("X", n, d), sp.MatrixSymbol("W", d, k), sp.MatrixSymbol("Y", n, k)
p, q = sp.MatrixSymbol("p", k, 1), sp.MatrixSymbol("q", k, 1)


def classifier():
    """Two layers, of which the last gives the probabilities of three classes."""
    layers = [sg.Dense(4, activation="tanh"), sg.Dense(3, activation="softmax")]
    return sg.cross_entropy(sg.Network(3, layers))


def linear():
    """The cross-entropy of softmax(X W), summed over the samples."""
    return -sg.sum_entries(sp.HadamardProduct(Y, sg.log_softmax(X * W)))


def known():
    """The same, where the rows of Y are known to sum to one."""
    return sg.Formula.of(linear(), assumptions={"Y": "rows sum to one"})


def divergence():
    """The divergence of p from q, of one distribution each."""
    return sg.kl_divergence(q, p)


def binary():
    """The 3-4-4-1 net with the binary cross-entropy."""
    return sg.binary_cross_entropy(deep.network())


def formulas():
    """What the tests compare with the oracle: by name an expression and its variables."""
    return {
        "linear": (linear(), ["W"]),
        "known": (known(), ["W"]),
        "classifier": (classifier(), None),
        "binary": (binary(), None),
        "divergence": (divergence(), ["q"]),
    }


def values():
    """The binary cross-entropy of the 3-4-4-1 net at its point, with all gradients."""
    return sg.compile(binary(), wrt="parameters")(deep.point())


def divergences(page):
    """The divergence is 0 between equals, positive otherwise, and not symmetric."""
    compiled = sg.compile(divergence(), ["q"])
    rows = []
    for name, first, second in (
        ("equal", (0.5, 0.3, 0.2), (0.5, 0.3, 0.2)),
        ("p, q", (0.5, 0.3, 0.2), (0.2, 0.2, 0.6)),
        ("q, p", (0.2, 0.2, 0.6), (0.5, 0.3, 0.2)),
        ("one class is certain", (1.0, 0.0, 0.0), (0.5, 0.3, 0.2)),
    ):
        value, slopes = compiled(p=np.array(first), q=np.array(second))
        rows.append((name, value, *slopes["q"]))
    page.table(["distributions", "divergence", "$\\partial / \\partial q_1$",
                "$\\partial / \\partial q_2$", "$\\partial / \\partial q_3$"], rows)  # fmt: skip


def write(folder):
    """Write the derivations and the numbers."""
    page = Page("cross_entropy", "Cross-entropy and the Kullback-Leibler divergence")
    page.text(
        "The gradient of the cross-entropy by what softmax is taken of is the probabilities minus "
        "the target, if every row of the target sums to one. Otherwise the probabilities are "
        "weighted with the sums of those rows."
    )
    page.derivation(sg.derive(known(), ["W"]), "Rows that sum to one", "known")
    page.derivation(sg.derive(linear(), ["W"]), "Any target", "any")
    page.derivation(sg.derive(classifier()), "Two layers and three classes")
    page.derivation(sg.derive(divergence(), ["q"]), "The divergence", "divergence")
    page.section("The divergence in numbers")
    page.text("It measures how unlike two distributions are: 0 where they are equal.")
    divergences(page)
    page.derivation(sg.derive(binary()), "Two classes: the 3-4-4-1 net", "binary")
    value, gradients = values()
    norm = np.sqrt(sum(np.sum(gradient**2) for gradient in gradients.values()))
    page.text("At the point of [the 3-4-4-1 net](deep_3_4_4_1.md):")
    page.table(["", "value"], [("loss", value), ("norm of all slopes", norm)])
    page.errata("the-overview")
    return page.write(folder)
