"""numba: loops over samples and matrix backpropagation, written for it by hand."""

import math

import numpy as np

from ..contender import Contender, Ready
from .straight import only_narrow, straight


def defined(lines, name):
    """The function of generated Python source, compiled by numba."""
    import numba

    space = {"tanh": math.tanh, "exp": math.exp}
    exec("\n".join(lines), space)
    return numba.njit(fastmath=True, error_model="numpy")(space[name])


def network(work):
    code = straight(work)
    count = range(len(code.parameters))
    lines = ["def f(X, Y, P, G):", "    n = X.shape[1]", "    loss = 0.0"]
    lines += [f"    {p} = P[{i}]" for i, p in enumerate(code.parameters)]
    lines += [f"    g{i} = 0.0" for i in count]
    lines += ["    for s in range(n):"]
    lines += [f"        {x} = X[{i}, s]" for i, x in enumerate(code.inputs)]
    lines += [f"        {y} = Y[{i}, s]" for i, y in enumerate(code.targets)]
    lines += [f"        {name} = {text}" for name, text in code.statements]
    lines += [f"        g{i} += {text}" for i, text in enumerate(code.gradients)]
    lines += [f"        loss += {code.loss}"]
    lines += [f"    G[{i}] = g{i} / n" for i in count] + ["    return loss / n"]
    function = defined(lines, "f")
    X, Y, P, G = work.X.T.copy(), work.Y.T.copy(), work.vector, np.empty(work.count)
    return Ready(lambda: (function(X, Y, P, G), G), lambda out: (out[0], out[1].copy()))


def matrices(work):
    import numba

    def body(X, Y, n, W1, b1, W2, b2):  # two layers, as for 784-128-10
        H = np.tanh(X @ W1 + b1)
        error = H @ W2 + b2 - Y
        delta2 = error * n
        delta1 = (delta2 @ W2.T) * (1 - H * H)
        value = np.sum(error * error) * n / 2
        return value, X.T @ delta1, delta1.sum(0), H.T @ delta2, delta2.sum(0)

    function = numba.njit(fastmath=True)(body)
    given = (work.X, work.Y, work.X.dtype.type(2 / work.errors), *work.parameters.values())
    return Ready(
        lambda: function(*given),
        lambda out: (out[0], np.concatenate([np.asarray(g, float).ravel() for g in out[1:]])),
    )


def descent(work):
    code = straight(work)
    lines = ["def f(X, Y, P, rate):"]
    lines += [f"    {p} = P[{i}]" for i, p in enumerate(code.parameters)]
    lines += ["    for s in range(X.shape[0]):"]
    lines += [f"        {x} = X[s, {i}]" for i, x in enumerate(code.inputs)]
    lines += [f"        {y} = Y[s, {i}]" for i, y in enumerate(code.targets)]
    lines += [f"        {name} = {text}" for name, text in code.statements]
    pairs = zip(code.parameters, code.gradients, strict=True)
    lines += [f"        {p} -= rate*{text}" for p, text in pairs]
    lines += [f"    P[{i}] = {p}" for i, p in enumerate(code.parameters)]
    function = defined(lines, "f")
    start, P = work.vector, work.vector.copy()

    def call():
        P[:] = start
        function(work.X, work.Y, P, work.rate)
        return P

    return Ready(call, lambda out: (None, out.copy()))


LOOP = """
def train(epochs, w, b, rate, xs, ys):
    for _ in range(epochs):
        for s in range(xs.size):
            a = tanh(w*xs[s] + b)
            d = 2*rate*(a - ys[s])*(1 - a*a)
            w -= d*xs[s]
            b -= d
    return w, b
"""


def perceptron(work):
    train = defined([LOOP], "train")
    given = (work.epochs, work.weight, work.bias, work.rate, work.x, work.y)
    return Ready(lambda: train(*given), lambda out: (None, np.array(out)))


def only_two_layers(work):
    if work.narrow or len(work.sizes) != 3:
        return "is written for two wide layers"
    return ""


LOOPS = "njit(fastmath), the loop written by hand"
CONTENDERS = (
    Contender("numba", "network", network, f"{LOOPS}, scalars as locals", "", only_narrow),
    Contender("numba matrices", "network", matrices, "njit, fused passes", "", only_two_layers),
    Contender("numba", "descent", descent, f"{LOOPS}, weights as locals"),
    Contender("numba", "perceptron", perceptron, LOOPS),
)
