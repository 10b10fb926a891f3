"""What people write without a tool: NumPy as in textbooks, loops over `math`."""

import math

import numpy as np

from .. import reference
from ..contender import Contender, Ready
from ..workloads import flat


def textbook(work):
    """Vectorised backpropagation with fresh arrays."""
    layers, X, Y, n = work.layers, work.X, work.Y, work.errors

    def call():
        A = [X]
        for W, b, kind in layers:
            z = A[-1] @ W
            if b is not None:
                z = z + b
            A.append(reference.activated(kind, z))
        error = A[-1] - Y
        value = np.sum(error**2) / n
        delta, gradients = 2 / n * error, []
        for k in reversed(range(len(layers))):
            W, b, kind = layers[k]
            if kind == "tanh":
                delta = delta * (1 - A[k + 1] ** 2)
            elif kind == "sigmoid":
                delta = delta * (A[k + 1] * (1 - A[k + 1]))
            if b is not None:
                gradients.append(delta.sum(axis=0))
            gradients.append(A[k].T @ delta)
            if k:
                delta = delta @ W.T
        return value, gradients[::-1]

    return Ready(call, lambda out: (out[0], flat(out[1])))


def textbook_descent(work):
    X, Y, rate = work.X, work.Y, work.rate
    kinds, last = work.activations, len(work.activations) - 1

    def call():
        weights = [W.copy() for W, _, _ in work.layers]
        biases = [b.copy() for _, b, _ in work.layers]
        for x, y in zip(X, Y, strict=True):
            A = [x]
            for W, b, kind in zip(weights, biases, kinds, strict=True):
                A.append(reference.activated(kind, A[-1] @ W + b))
            delta = 2 * (A[-1] - y)
            for k in range(last, -1, -1):
                if kinds[k] != "linear":
                    delta = delta * (1 - A[k + 1] ** 2)
                back = weights[k] @ delta
                weights[k] -= rate * np.outer(A[k], delta)
                biases[k] -= rate * delta
                delta = back
        return [array for pair in zip(weights, biases, strict=True) for array in pair]

    return Ready(call, lambda out: (None, flat(out)))


def scalar_numpy(work):
    def call():
        w, b, rate = np.float64(work.weight), np.float64(work.bias), work.rate
        for _ in range(work.epochs):
            for x, y in zip(work.x, work.y, strict=True):
                a = np.tanh(w * x + b)
                d = 2 * (a - y) * (1 - a**2)
                w, b = w - rate * d * x, b - rate * d
        return w, b

    return Ready(call, lambda out: (None, np.array(out)))


def math_loop(work):
    xs, ys = work.x.tolist(), work.y.tolist()

    def call():
        w, b, rate = work.weight, work.bias, work.rate
        for _ in range(work.epochs):
            for x, y in zip(xs, ys):  # noqa: B905 - `strict` costs time, and people leave it out
                a = math.tanh(w * x + b)
                d = 2 * (a - y) * (1 - a**2)
                w -= rate * d * x
                b -= rate * d
        return w, b

    return Ready(call, lambda out: (None, np.array(out)))


CONTENDERS = (
    Contender("textbook NumPy", "network", textbook, "backpropagation as books write it"),
    Contender("textbook NumPy", "descent", textbook_descent, "backpropagation sample by sample"),
    Contender("textbook NumPy", "perceptron", scalar_numpy, "NumPy's scalars in a Python loop"),
    Contender("math loop", "perceptron", math_loop, "a Python loop over floats, math.tanh"),
)
