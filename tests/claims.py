"""Losses and variables about whose gradients claims are made: by hand, rewritten, corrupted.

The claims themselves are derived here by SymPy's own `diff` where it can, so that what the
verifier compares with does not come from the package alone.
"""

from dataclasses import dataclass
from typing import Any

import sympy as sp

import symgrad as sg

w, x, y, b, z, v, c = sp.symbols("w x y b z v c", real=True)
s, t = sp.symbols("s t", positive=True)
i = sp.Symbol("i", integer=True)
n, d, k = (sp.Symbol(name, integer=True, positive=True) for name in "ndk")
X, Y = sp.IndexedBase("X"), sp.IndexedBase("Y")


@dataclass(frozen=True)
class Scalar:
    """A scalar loss and the variable of the claim."""

    name: str
    loss: Any
    variable: Any
    domain: Any = None


def relu(u):
    return sp.Max(0, u)


def sigmoid(u):
    return 1 / (1 + sp.exp(-u))


u = w * x + b
SCALARS = [
    Scalar("perceptron w", (sp.tanh(u) - y) ** 2, w),
    Scalar("perceptron b", (sp.tanh(u) - y) ** 2, b),
    Scalar("logistic neuron", (sigmoid(u) - y) ** 2, w),
    Scalar("relu neuron", (relu(u) - y) ** 2, w),
    Scalar("leaky neuron", (sp.Piecewise((u, u > 0), (u / 100, True)) - y) ** 2, w),
    Scalar("absolute error", sp.Abs(u - y), w),
    Scalar("hinge", relu(1 - y * u), w),
    Scalar(
        "huber",
        sp.Piecewise(((u - y) ** 2 / 2, sp.Abs(u - y) <= 1), (sp.Abs(u - y) - sp.S.Half, True)),
        w,
    ),
    Scalar("softplus", sp.log(1 + sp.exp(u)) - y * u, w),
    Scalar("log of logistic", -y * sp.log(sigmoid(u)) - (1 - y) * sp.log(1 - sigmoid(u)), w),
    Scalar("two layers", (v * sp.tanh(w * x + b) + c - y) ** 2, w),
    Scalar("two logistic layers", (sigmoid(v * sigmoid(w * x + b) + c) - y) ** 2, w),
    Scalar("softmax of three", -sp.log(sp.exp(w) / (sp.exp(w) + sp.exp(v) + sp.exp(z))), w),
    Scalar("logsumexp", sp.log(sp.exp(w * x) + sp.exp(w * y) + 1), w),
    Scalar("gaussian", sp.log(s) + (x - w) ** 2 / (2 * s**2), s),
    Scalar("gaussian density", sp.exp(-((x - w) ** 2) / 2), w),
    Scalar("norm", sp.sqrt(1 + w**2 + v**2) * y, w),
    Scalar("normalised", w / sp.sqrt(w**2 + v**2), w),
    Scalar("swish", (u * sigmoid(u) - y) ** 2, w),
    Scalar("gelu", u * (1 + sp.erf(u / sp.sqrt(2))) / 2, w),
    Scalar("trigonometric", sp.sin(w * x) * sp.cos(b) + w**2, w),
    Scalar("power", t ** (w + 1) + w / t, w),
    Scalar("line", sp.Sum((w * X[i] + b - Y[i]) ** 2, (i, 1, n)) / 2, w),
    Scalar("mean of a neuron", sp.Sum((sp.tanh(w * X[i] + b) - Y[i]) ** 2, (i, 1, n)) / n, w),
]


def slope(case: Scalar) -> Any:
    """The derivative by SymPy's own rules, branch by branch."""
    loss = case.loss.replace(sp.Max, lambda *a: sp.Piecewise((a[1], a[1] > 0), (0, True)))
    loss = loss.replace(sp.Abs, lambda a: sp.Piecewise((a, a > 0), (-a, True)))
    return loss.diff(case.variable)


def network(activation: str, orientation: str = "rows", last: str | None = None) -> Any:
    layers = [sg.Dense(4, activation=activation), sg.Dense(2, activation=last)]
    return sg.Network(3, layers, orientation=orientation)


#: Networks of which every gradient is claimed.
NETWORKS = {
    "tanh, mse": sg.mse(network("tanh")),
    "sigmoid, mse": sg.mse(network("sigmoid", last="sigmoid")),
    "relu, mse": sg.mse(network("relu")),
    "relu, softmax": sg.cross_entropy(network("relu", last="softmax")),
    "tanh, sse, columns": sg.sse(network("tanh", "columns")),
    "softplus, binary": sg.binary_cross_entropy(network("softplus", last="sigmoid")),
}
