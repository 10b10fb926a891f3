"""Three inputs, two hidden layers, one output, tanh throughout: one weight's slope in scalars."""

from _page import Page

import symgrad as sg

# The article gives the widths of its hidden layers in a picture alone; two units suffice here.
WIDTHS = (2, 2, 1)
FIRST = "w1_1_1"


def loss():
    """The squared error of one sample, every weight and bias a symbol of its own."""
    net = sg.Network(3, [sg.Dense(width, activation="tanh") for width in WIDTHS])
    return sg.mse(net.scalars())


def formulas():
    """What the tests compare with the oracle: by name an expression and its variables."""
    return {"loss": (loss(), [FIRST, "w3_2", "b2_1"])}


def size(page):
    """What it would take to write the slope as one formula."""
    slope = sg.gradient(loss(), FIRST)
    once = slope.sympy.count_ops()
    shared = sum(expression.count_ops() for _, expression in slope.graph.needed([slope.output]))
    page.section("One formula or named parts")
    page.text(
        "The first weight acts through one unit of the first layer and through every unit of the "
        "second. Written as one formula, its slope repeats the forward pass; with named parts, as "
        "above, every part is computed once."
    )
    rows = [("operations as one formula", once), ("operations with named parts", shared)]
    page.table(["", "count"], rows)


def write(folder):
    """Write the slope by the first weight, step by step."""
    page = Page("two_hidden_layers", "Two hidden layers, in scalars")
    page.text(
        f"Three inputs, hidden layers of {WIDTHS[0]} and {WIDTHS[1]} units and one output, all with"
        " $\\tanh$. The slope of the squared error by one weight of the first layer, by the chain "
        "rule; every other weight has a slope of the same form."
    )
    page.derivation(sg.derive(loss(), [FIRST]), "The slope by one weight")
    size(page)
    page.errata("the-perceptron")
    return page.write(folder)
