"""symgrad: bound calls of the NumPy code and of the compiled backends, and the checked call.

`bind` gives everything but the parameters once; the call then takes one flat vector. Where a
compiled function has no `bind`, its plain call is measured, and the report says so.
"""

import functools

import numpy as np

from ..contender import Contender, Ready
from ..workloads import flat

PLAIN = "the plain call: this version has no `bind`"


def network_of(work):
    import symgrad as sg

    layers = [
        sg.Dense(size, activation=None if kind == "linear" else kind, bias=work.biased)
        for size, kind in zip(work.sizes[1:], work.activations, strict=True)
    ]
    return sg.Network(work.sizes[0], layers)


def loss_of(work):
    import symgrad as sg

    return sg.mse(network_of(work))


def compiled(work, backend):
    import symgrad as sg

    options = {} if work.dtype == "float64" else {"dtype": work.dtype}
    return sg.compile(loss_of(work), "parameters", backend=backend, **options)


def in_order(work, mapping):
    return flat([mapping[name] for name in work.parameters])


def plain(work, function, note=""):
    given = {"X": work.X, "Y": work.Y, **work.parameters}
    return Ready(
        lambda: function(**given), lambda out: (float(out[0]), in_order(work, out[1])), note
    )


def bound_network(work, function):
    if not hasattr(function, "bind"):
        return plain(work, function, PLAIN)
    bound = function.bind(X=work.X, Y=work.Y)
    # The vector that is read in place, as the others read their arrays in place.
    vector = bound.parameters
    vector[:] = bound.pack(work.parameters)
    if bound.form.kind == "scalars":
        # Python's own floats are what that form computes with, as arrays are what others do.
        vector = vector.tolist()
    return Ready(
        functools.partial(bound.raw, vector),
        lambda out: (float(out[0]), in_order(work, bound.unpack(np.array(out[1])))),
    )


def network(backend):
    return lambda work: bound_network(work, compiled(work, backend))


def by_name(work):
    return plain(work, compiled(work, "numpy"))


def bound_descent(work, function):
    if not hasattr(function, "bind"):
        return plain_descent(work, function)
    bound = function.bind(X=work.X, Y=work.Y)
    start, rate = bound.pack(work.parameters), work.rate
    return Ready(
        lambda: bound.descend(start, learning_rate=rate, epochs=1),
        lambda out: (None, in_order(work, bound.unpack(out))),
    )


def descent(backend):
    return lambda work: bound_descent(work, compiled(work, backend))


def plain_descent(work, function):
    samples = [(work.X[s : s + 1], work.Y[s : s + 1]) for s in range(work.samples)]

    def call():
        p = dict(work.parameters)
        for X, Y in samples:
            _, g = function(X=X, Y=Y, **p)
            p = {name: a - work.rate * g[name] for name, a in p.items()}
        return p

    return Ready(call, lambda out: (None, in_order(work, out)), PLAIN)


def bound_perceptron(work, function):
    bound = function.bind(x=work.x, y=work.y)
    start = bound.pack({"w": work.weight, "b": work.bias})

    def answer(out):
        parameters = bound.unpack(out)
        return None, flat([parameters["w"], parameters["b"]])

    return Ready(lambda: bound.descend(start, learning_rate=work.rate, epochs=work.epochs), answer)


def perceptron(backend):
    def build(work):
        import sympy as sp

        import symgrad as sg

        w, b, x, y = sp.symbols("w b x y", real=True)
        loss = (sp.tanh(w * x + b) - y) ** 2
        function = sg.compile(loss, ["w", "b"], batch=["x", "y"], backend=backend)
        if hasattr(function, "bind"):
            return bound_perceptron(work, function)
        return plain_perceptron(work, sg.compile(loss, ["w", "b"], backend=backend))

    return build


def plain_perceptron(work, function):
    samples = list(zip(work.x.tolist(), work.y.tolist(), strict=True))

    def call():
        w, b = work.weight, work.bias
        for _ in range(work.epochs):
            for x, y in samples:
                _, g = function(w=w, b=b, x=x, y=y)
                w, b = w - work.rate * g["w"], b - work.rate * g["b"]
        return w, b

    return Ready(call, lambda out: (None, np.array(out, dtype=float)), PLAIN)


#: The one in NumPy or Python alone comes first; the others need a compiler or numba.
BACKENDS = {"symgrad": "numpy", "symgrad C": "c", "symgrad numba": "numba"}
COMPILED = ("symgrad C", "symgrad numba")
SUBJECTS = tuple(BACKENDS)
MAKERS = {"network": network, "descent": descent, "perceptron": perceptron}

CONTENDERS = (
    *[
        Contender(name, kind, make(backend), f"backend {backend!r}, data bound", "symgrad")
        for kind, make in MAKERS.items()
        for name, backend in BACKENDS.items()
    ],
    Contender(
        "symgrad by name",
        "network",
        by_name,
        "backend 'numpy', every array by name at every call, checked",
        "symgrad",
    ),
)
