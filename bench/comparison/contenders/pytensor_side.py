"""PyTensor: compiled graphs with trusted inputs, by each of its two linkers."""

import numpy as np

from ..contender import Contender, Ready
from ..workloads import flat


def graph(work, shared=False):
    import pytensor
    import pytensor.tensor as pt

    X, Y = pt.matrix("X", dtype=work.dtype), pt.matrix("Y", dtype=work.dtype)
    if shared:
        ps = [pytensor.shared(a, name=name) for name, a in work.parameters.items()]
    else:
        ps = [pt.tensor(n, dtype=a.dtype, shape=a.shape) for n, a in work.parameters.items()]
    functions = {"tanh": pt.tanh, "sigmoid": pt.sigmoid, "linear": lambda z: z}
    rest, A = iter(ps), X
    for kind in work.activations:
        z = A @ next(rest)
        A = functions[kind](z + next(rest) if work.biased else z)
    return X, Y, ps, pt.mean((A - Y) ** 2)


def network(mode):
    def build(work):
        import pytensor

        X, Y, ps, loss = graph(work)
        step = pytensor.function([X, Y, *ps], [loss, *pytensor.grad(loss, ps)], mode=mode)
        step.trust_input = True
        given = [work.X, work.Y, *work.parameters.values()]
        return Ready(lambda: step(*given), lambda out: (float(out[0]), flat(out[1:])))

    return build


def descent(work):
    import pytensor

    X, Y, shared, loss = graph(work, shared=True)
    gradients = pytensor.grad(loss, shared)
    updates = [(p, p - work.rate * g) for p, g in zip(shared, gradients, strict=True)]
    step = pytensor.function([X, Y], [], updates=updates, mode="NUMBA")
    step.trust_input = True
    samples = [(work.X[s : s + 1], work.Y[s : s + 1]) for s in range(work.samples)]

    def call():
        for p, a in zip(shared, work.parameters.values(), strict=True):
            p.set_value(a)
        for sample in samples:
            step(*sample)
        return [p.get_value() for p in shared]

    return Ready(call, lambda out: (None, flat(out)))


def perceptron(work):
    import pytensor
    import pytensor.tensor as pt

    w, b, xs, ys = pt.dscalar("w"), pt.dscalar("b"), pt.dvector("xs"), pt.dvector("ys")

    def update(x, y, w, b):
        loss = (pt.tanh(w * x + b) - y) ** 2
        dw, db = pytensor.grad(loss, [w, b])
        return w - work.rate * dw, b - work.rate * db

    (all_w, all_b), _ = pytensor.scan(update, sequences=[xs, ys], outputs_info=[w, b])
    epoch = pytensor.function([w, b, xs, ys], [all_w[-1], all_b[-1]], mode="NUMBA")
    epoch.trust_input = True
    start = np.asarray(work.weight), np.asarray(work.bias)

    def call():
        w, b = start
        for _ in range(work.epochs):
            w, b = epoch(np.asarray(w), np.asarray(b), work.x, work.y)
        return w, b

    return Ready(call, lambda out: (None, np.array([float(v) for v in out])))


NUMBA = "function, mode NUMBA, trust_input"
CONTENDERS = (
    Contender("pytensor", "network", network("NUMBA"), NUMBA, "symbolic"),
    Contender(
        "pytensor C",
        "network",
        network("FAST_RUN"),
        "function, mode FAST_RUN with the C linker, trust_input",
        "symbolic",
    ),
    Contender("pytensor", "descent", descent, f"{NUMBA}, shared parameters", "symbolic"),
    Contender("pytensor", "perceptron", perceptron, f"{NUMBA}, an epoch is one scan", "symbolic"),
)
