"""The 3-4-4-1 net in one line, and its chain rule."""

from dataclasses import replace

import numpy as np
from _page import Page

import symgrad as sg

ACTIVATIONS = ("tanh", "tanh", "sigmoid")
WIDTHS = (4, 4, 1)


def network():
    """One sample is a column; the weights are units x inputs."""
    layers = [sg.Dense(k, activation=f) for k, f in zip(WIDTHS, ACTIVATIONS, strict=True)]
    return sg.Network(3, layers, orientation="columns")


def loss():
    """The squared error of one sample."""
    return sg.sse(network())


def formulas():
    """What the tests compare with the oracle: by name an expression and its variables."""
    return {"columns": (loss(), None), "rows": (sg.sse(network().rows()), None)}


def point():
    """A sample, and weights without any pattern: W_ij of layer l is sin(100 l + 10 i + j) / 2."""
    values = {"x": np.array([0.5, -1.0, 2.0]), "y": np.array([1.0])}
    for name, variable in network().output.inputs.items():
        if name == "x":
            continue
        layer = int(name[1:])
        index = np.indices(tuple(map(int, variable.shape))) + 1
        if name.startswith("W"):
            values[name] = np.sin(100 * layer + 10 * index[0] + index[1]) / 2
        else:
            values[name] = np.cos(100 * layer + 10 * index[0]) / 2
    return values


def values():
    """The output, the loss and all gradients at the point."""
    at = point()
    output = sg.compile(network().output)({name: v for name, v in at.items() if name != "y"})
    value, gradients = sg.compile(loss(), wrt="parameters")(at)
    return output, value, gradients


def one_line():
    """The output as one formula of the input."""
    output = network().output
    whole = replace(output.graph, definitions=((output.output, output.sympy),))
    return replace(output, graph=whole)


def write(folder):
    """Write the one line, the chain rule and the numbers."""
    output, value, gradients = values()
    count = sum(np.size(gradient) for gradient in gradients.values())
    weights = sum(np.size(gradient) for name, gradient in gradients.items() if name[0] == "W")
    page = Page("deep_3_4_4_1", "A 3-4-4-1 net in one line")
    page.text(
        f"Three inputs, two hidden layers of four units and one output, {weights} weights and "
        f"{count - weights} biases. The output is one formula of the input:"
    )
    page.formula(one_line().latex())
    page.text("Named parts make it readable, and the chain rule goes back along the same names.")
    page.derivation(sg.derive(loss()), "The chain rule")
    page.section("In numbers")
    page.text(
        "At $x = (0.5, -1, 2)$, $y = 1$, $W^{(l)}_{ij} = \\frac{1}{2} \\sin(100 l + 10 i + j)$ and "
        "$b^{(l)}_i = \\frac{1}{2} \\cos(100 l + 10 i)$, angles in radians:"
    )
    norm = np.sqrt(sum(np.sum(gradient**2) for gradient in gradients.values()))
    rows = [("output", np.squeeze(output)), ("loss", value), (f"norm of all {count} slopes", norm)]
    page.table(["", "value"], rows)
    page.table(
        ["gradient", "its norm", "its first entry"],
        [
            (f"by ${name[0]}^{{({name[1]})}}$", np.linalg.norm(gradient), np.ravel(gradient)[0])
            for name, gradient in gradients.items()
        ],
    )
    page.errata("the-overview")
    return page.write(folder)
