"""A 3-2-2 sigmoid net without biases, loss the sum of squares: one sample, a batch, entries."""

from dataclasses import replace

import numpy as np
import sympy as sp
from _page import Page, matrix

import symgrad as sg

POINT = {
    "x": np.array([1, 0.5, -1]),
    "y": np.array([1.0, 0.0]),
    "W1": np.array([[0.1, -0.2, 0.3], [0.4, 0.5, -0.6]]),
    "W2": np.array([[0.7, -0.8], [0.9, 0.25]]),
}
RATE = 0.1


def network():
    """One sample is a column; the weights are units x inputs."""
    layers = [sg.Dense(2, activation="sigmoid", bias=False) for _ in range(2)]
    return sg.Network(3, layers, orientation="columns")


def formulas():
    """What the tests compare with the oracle: by name an expression and its variables."""
    net = network()
    scalars = sg.sse(net.scalars())
    return {
        "columns": (sg.sse(net.columns()), ["W1", "W2"]),
        "rows": (sg.sse(net.rows()), ["W1", "W2"]),
        "scalars": (scalars, list(scalars.parameters)),
    }


def entries(name, rows, columns):
    """The symbols that the scalar form gives to the entries of a weight matrix."""
    return sp.Matrix(rows, columns, lambda i, j: sp.Symbol(f"{name}_{i + 1}_{j + 1}", real=True))


def slopes():
    """Both gradient matrices, entry by entry."""
    loss = sg.sse(network().scalars())
    shapes = {"W1": (2, 3), "W2": (2, 2)}
    return {
        name: sg.gradient(loss, entries(name.lower(), *shape)) for name, shape in shapes.items()
    }


def written(slope):
    """A gradient matrix as LaTeX, every entry by the names of the forward and backward pass."""

    def entry(name):
        formula = sg.Formula.of(slope.graph[name])
        labelled = replace(formula.graph, labels=slope.graph.labels)
        return replace(formula, graph=labelled).latex().partition("= ")[2]

    return matrix([list(map(entry, row)) for row in slope.graph[slope.output].tolist()])


def step():
    """The values of all definitions at the point, the gradients, and the loss after one step."""
    loss = sg.sse(network())
    value, gradients = sg.compile(loss, wrt="parameters")(POINT)
    moved = {**POINT, **{name: POINT[name] - RATE * slope for name, slope in gradients.items()}}
    return value, gradients, moved, sg.compile(loss)(moved)


def passes():
    """The numbers of the forward and the backward pass, by the names of the definitions."""
    graph = sg.gradient(sg.sse(network())).graph
    found = {}
    for symbol, _ in graph:
        function = sg.compile(sg.Formula(replace(graph, outputs=(symbol,)), symbol))
        found[symbol.name] = function({name: POINT[name] for name in function.inputs})
    return found


def numbers(page):
    """One step of descent in numbers."""
    value, gradients, moved, after = step()
    page.section("One step in numbers")
    page.text(f"The sample, its target and the weights, with the learning rate $\\eta = {RATE}$:")
    given = [("x", POINT["x"][:, None]), ("y", POINT["y"][:, None])]
    given += [(f"W^{{({k})}}", POINT[f"W{k}"]) for k in (1, 2)]
    page.formula(", \\quad ".join(f"{name} = {matrix(table)}" for name, table in given))
    page.text("Forward, and backward:")
    found = passes()
    vectors = {
        "z^{(1)}": "z1",
        "h^{(1)}": "h1",
        "z^{(2)}": "z2",
        "\\hat{y}": "yhat",
        "\\delta^{(2)}": "delta2",
        "\\delta^{(1)}": "delta1",
    }
    page.table(
        ["", "entry 1", "entry 2"],
        [(f"${shown}$", *np.ravel(found[name])) for shown, name in vectors.items()],
    )
    page.text("Both gradients, and the weights after the step:")
    for name, slope in gradients.items():
        page.formula(f"\\frac{{\\partial L}}{{\\partial W^{{({name[1]})}}}} = {matrix(slope)}")
    for name in gradients:
        page.formula(f"W^{{({name[1]})}} \\leftarrow {matrix(moved[name])}")
    rows = [("before the step", value, value / 2), ("after the step", after, after / 2)]
    page.table(["", "sum of squares", "mean of squares"], rows)
    page.text(
        "The article on this network calls the sum a mean; the mean over the two outputs is half "
        "of it, and so are its gradients."
    )


def write(folder):
    """Write the derivation in columns, rows and scalars, and one step in numbers."""
    net = network()
    page = Page("sigmoid_3_2_2", "A 3-2-2 net of sigmoids")
    page.text(
        "Three inputs, two hidden units, two outputs, no biases; the loss is the sum of squares. "
        "The gradients of one network in three forms: for one sample as a column; for a batch "
        "whose samples are rows, with the weight matrices transposed and the loss summed over the "
        "samples; and entry by entry."
    )
    page.derivation(sg.derive(sg.sse(net.columns()), example=POINT), "One sample", "columns")
    numbers(page)
    page.derivation(sg.derive(sg.sse(net.rows())), "A batch of rows", "rows")
    page.derivation(sg.derive(sg.sse(net.scalars())), "Entry by entry", "scalars")
    page.section("The gradient matrices, entry by entry")
    page.text("The same gradients, put into the shape of the weights:")
    for name, slope in slopes().items():
        page.formula(f"\\frac{{\\partial L}}{{\\partial W^{{({name[1]})}}}} = {written(slope)}")
    page.errata("the-3-2-2-net")
    return page.write(folder)
