"""The numbers that every contender has to give, in extended precision and with no outside tool.

`longdouble` has 64 bits of mantissa on x86; where the platform has no more than float64, the
tolerances of the workloads still hold.
"""

from types import SimpleNamespace

import numpy as np

WIDE = np.longdouble


def activated(kind, z):
    if kind == "tanh":
        return np.tanh(z)
    return 1 / (1 + np.exp(-z)) if kind == "sigmoid" else z


def slope(kind, a):
    """The derivative of an activation, from its value."""
    if kind == "tanh":
        return 1 - a * a
    return a * (1 - a) if kind == "sigmoid" else np.ones_like(a)


def passes(layers, X, Y):
    """One forward and one backward sweep: activations, deltas, and gradients by layer.

    The gradients are of the sum of squares, so the caller divides by their number.
    """
    A = [X]
    for W, b, kind in layers:
        z = A[-1] @ W
        A.append(activated(kind, z if b is None else z + b))
    error = A[-1] - Y
    deltas = [2 * error * slope(layers[-1][2], A[-1])]
    for k in range(len(layers) - 1, 0, -1):
        back = deltas[0] @ layers[k][0].T
        deltas.insert(0, back * slope(layers[k - 1][2], A[k]))
    gradients = []
    for (_, b, _), a, delta in zip(layers, A, deltas, strict=False):
        gradients.append(a.T @ delta)
        if b is not None:
            gradients.append(delta.sum(0))
    return SimpleNamespace(activations=A, deltas=deltas, error=error, gradients=gradients)


def widened(layers):
    return [(W.astype(WIDE), None if b is None else b.astype(WIDE), a) for W, b, a in layers]


def network(work):
    """The loss and the flat gradient of a network."""
    swept = passes(widened(work.layers), work.X.astype(WIDE), work.Y.astype(WIDE))
    value = np.sum(swept.error**2) / work.errors
    gradient = np.concatenate([g.ravel() for g in swept.gradients]) / work.errors
    return float(value), gradient.astype(float)


def descent(work):
    """The flat parameters after one epoch, one sample after the other."""
    layers = widened(work.layers)
    rate = WIDE(work.rate) / work.outputs
    for x, y in zip(work.X.astype(WIDE), work.Y.astype(WIDE), strict=True):
        gradients = iter(passes(layers, x[None], y[None]).gradients)
        layers = [
            (W - rate * next(gradients), None if b is None else b - rate * next(gradients), a)
            for W, b, a in layers
        ]
    arrays = [array for W, b, _ in layers for array in (W, b) if array is not None]
    return None, np.concatenate([array.ravel() for array in arrays]).astype(float)


def perceptron(work):
    """The weight and the bias after all epochs."""
    w, b, rate = WIDE(work.weight), WIDE(work.bias), WIDE(work.rate)
    samples = list(zip(work.x.astype(WIDE), work.y.astype(WIDE), strict=True))
    for _ in range(work.epochs):
        for x, y in samples:
            a = np.tanh(w * x + b)
            step = 2 * rate * (a - y) * (1 - a * a)
            w, b = w - step * x, b - step
    return None, np.array([w, b], dtype=float)


def expected(work):
    """The value (None for training) and the flat vector that a contender has to give."""
    return {"network": network, "descent": descent, "perceptron": perceptron}[work.kind](work)


def complaint(expected, got, tolerance):
    """What is wrong with an answer, or an empty text.

    The error of a vector is measured against its largest entry: a sum over samples has no better
    bound, whatever the order of its terms.
    """
    (value, vector), (own_value, own_vector) = expected, got
    own_vector = np.asarray(own_vector, dtype=float)
    if own_vector.shape != vector.shape:
        return f"has {own_vector.size} numbers in place of {vector.size}"
    error = float(np.max(np.abs(own_vector - vector)) / np.max(np.abs(vector)))
    if not error <= tolerance:
        return f"is wrong: relative error {error:.1e}, allowed {tolerance:.0e}"
    if value is not None and own_value is not None:
        error = abs(float(own_value) - value) / abs(value)
        if not error <= tolerance:
            return f"has a wrong loss: relative error {error:.1e}, allowed {tolerance:.0e}"
    return ""
