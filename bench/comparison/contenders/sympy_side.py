"""SymPy by itself: diff by each parameter, lambdify with and without cse."""

import numpy as np

from ..contender import Contender, Ready
from .straight import only_narrow, scalars


def results(work):
    import sympy as sp

    xs, ys, ps, loss = scalars(work, sp.Symbol, sp.tanh, sp.exp)
    return xs, ys, ps, [loss, *[sp.diff(loss, p) for p in ps]]


def network(cse, module):
    def build(work):
        import sympy as sp

        xs, ys, ps, formulas = results(work)
        function = sp.lambdify([xs, ys, ps], formulas, module, cse=cse)
        vector = work.vector.tolist()
        if work.samples == 1:
            given = work.X[0].tolist(), work.Y[0].tolist(), vector
            return Ready(lambda: function(*given), lambda out: (out[0], np.array(out[1:])))
        given = list(work.X.T.copy()), list(work.Y.T.copy()), vector

        def call():
            return [values.mean() for values in function(*given)]

        return Ready(call, lambda out: (out[0], np.array(out[1:])))

    return build


def descent(work):
    import sympy as sp

    xs, ys, ps, formulas = results(work)
    function = sp.lambdify([xs, ys, ps], formulas[1:], "math", cse=True)
    samples = list(zip(work.X.tolist(), work.Y.tolist(), strict=True))
    start, rate = work.vector.tolist(), work.rate

    def call():
        p = start
        for x, y in samples:
            p = [a - rate * g for a, g in zip(p, function(x, y, p))]  # noqa: B905 - costs time
        return p

    return Ready(call, lambda out: (None, np.array(out)))


def perceptron(cse, module):
    def build(work):
        import sympy as sp

        w, b, x, y = sp.symbols("w b x y")
        loss = (sp.tanh(w * x + b) - y) ** 2
        formulas = [sp.diff(loss, w), sp.diff(loss, b)]
        function = sp.lambdify((w, b, x, y), formulas, module, cse=cse)
        samples = list(zip(work.x.tolist(), work.y.tolist(), strict=True))

        def call():
            w, b, rate = work.weight, work.bias, work.rate
            for _ in range(work.epochs):
                for x, y in samples:
                    dw, db = function(w, b, x, y)
                    w -= rate * dw
                    b -= rate * db
            return w, b

        return Ready(call, lambda out: (None, np.array(out)))

    return build


def only_one(work):
    return only_narrow(work) or ("" if work.samples == 1 else "is for one sample")


def not_large(work):
    if work.narrow and work.samples > 100_000:
        return "computes every operation of every gradient on all samples: minutes, and gigabytes"
    return only_narrow(work)


DIFF = "diff by each parameter, lambdify"
CONTENDERS = (
    Contender(
        "sympy", "network", network(False, "numpy"), f"{DIFF} to NumPy", "symbolic", not_large
    ),
    Contender(
        "sympy cse", "network", network(True, "numpy"), f"{DIFF}(cse=True)", "symbolic", only_narrow
    ),
    Contender(
        "sympy math", "network", network(False, "math"), f"{DIFF} to math", "symbolic", only_one
    ),
    Contender(
        "sympy math cse",
        "network",
        network(True, "math"),
        f"{DIFF}(cse=True) to math",
        "symbolic",
        only_one,
    ),
    Contender("sympy math cse", "descent", descent, f"{DIFF}(cse=True) to math", "symbolic"),
    Contender("sympy math", "perceptron", perceptron(False, "math"), f"{DIFF} to math", "symbolic"),
    Contender(
        "sympy math cse",
        "perceptron",
        perceptron(True, "math"),
        f"{DIFF}(cse=True) to math",
        "symbolic",
    ),
    Contender("sympy", "perceptron", perceptron(False, "numpy"), f"{DIFF} to NumPy", "symbolic"),
)
