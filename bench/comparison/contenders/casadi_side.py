"""CasADi: its virtual machine, and its own C code compiled by gcc."""

import numpy as np

from ..contender import Contender, Ready
from ..workloads import flat
from .straight import only_narrow, scalars

FLAGS = ("-O3", "-march=native", "-ffast-math")


def options(compiled):
    if not compiled:
        return {}
    return {"jit": True, "compiler": "shell", "jit_options": {"flags": list(FLAGS)}}


def bound(function, arguments, results):
    """A call without copies: the function reads and writes these arrays in place."""
    buffer, run = function.buffer()
    for i, array in enumerate(arguments):
        buffer.set_arg(i, memoryview(array))
    for i, array in enumerate(results):
        buffer.set_res(i, memoryview(array))
    return run, (buffer, arguments, results)


def symbols(work):
    import casadi as ca

    xs, ys, ps, loss = scalars(work, ca.SX.sym, ca.tanh, ca.exp)
    return ca, ca.vertcat(*ps), ca.vertcat(*xs), ca.vertcat(*ys), loss


def network(compiled):
    def build(work):
        ca, p, x, y, loss = symbols(work)
        step = ca.Function("step", [p, x, y], [loss, ca.gradient(loss, p)])
        if work.samples > 1:  # parameters are shared, results are summed
            step = step.map("mapped", "serial", work.samples, [0], [0, 1])
        if compiled:
            arguments = [ca.MX.sym(f"a{i}", *step.size_in(i)) for i in range(3)]
            step = ca.Function("outer", arguments, step.call(arguments), options(True))
        value, gradient = np.empty(1), np.empty(work.count)
        data = [work.vector, work.X.ravel().copy(), work.Y.ravel().copy()]
        run, alive = bound(step, data, [value, gradient])
        n = work.samples

        def call(_alive=alive):
            run()
            if n > 1:
                np.divide(gradient, n, gradient)
            return value[0] / n, gradient

        return Ready(call, lambda out: (out[0], out[1].copy()))

    return build


def matrices(work):
    import casadi as ca

    X, Y = ca.MX.sym("X", *work.X.shape), ca.MX.sym("Y", *work.Y.shape)
    given = [np.atleast_2d(a) for a in work.parameters.values()]
    ps = [ca.MX.sym(f"p{i}", *a.shape) for i, a in enumerate(given)]
    rest, A = iter(ps), X
    for kind in work.activations:
        z = A @ next(rest)
        z = z + ca.repmat(next(rest), work.samples, 1) if work.biased else z
        A = ca.tanh(z) if kind == "tanh" else z
    loss = ca.sumsqr(A - Y) / work.errors
    step = ca.Function("step", [X, Y, *ps], [loss, *[ca.gradient(loss, p) for p in ps]])
    # CasADi has columns first.
    data = [a.ravel("F") for a in (work.X, work.Y, *given)]
    results = [np.empty(1), *[np.empty(a.size) for a in given]]
    run, alive = bound(step, data, results)

    def call(_alive=alive):
        run()
        return results

    def answer(out):
        pairs = zip(out[1:], given, strict=True)
        return out[0][0], flat([g.reshape(a.shape, order="F") for g, a in pairs])

    return Ready(call, answer)


def descent(compiled):
    def build(work):
        ca, p, x, y, loss = symbols(work)
        step = ca.Function("step", [p, x, y], [p - work.rate * ca.gradient(loss, p)])
        epoch = step.mapaccum(work.samples)
        start = ca.MX.sym("start", work.count)
        X, Y = (ca.MX.sym("X", *epoch.size_in(1)), ca.MX.sym("Y", *epoch.size_in(2)))
        whole = ca.Function("epoch", [start, X, Y], [epoch(start, X, Y)[:, -1]], options(compiled))
        result = np.empty(work.count)
        data = [work.vector, work.X.ravel().copy(), work.Y.ravel().copy()]
        run, alive = bound(whole, data, [result])

        def call(_alive=alive):
            run()
            return result

        return Ready(call, lambda out: (None, out.copy()))

    return build


def perceptron(compiled):
    def build(work):
        import casadi as ca

        p, x, y = ca.SX.sym("p", 2), ca.SX.sym("x"), ca.SX.sym("y")
        loss = (ca.tanh(p[0] * x + p[1]) - y) ** 2
        step = ca.Function("step", [p, x, y], [p - work.rate * ca.gradient(loss, p)])
        every = step.mapaccum(len(work.x))
        start = ca.MX.sym("start", 2)
        last = every(start, ca.DM(work.x).T, ca.DM(work.y).T)[:, -1]
        epochs = ca.Function("epoch", [start], [last]).fold(work.epochs)
        whole = ca.Function("train", [start], [epochs(start)], options(compiled))
        result = np.empty(2)
        run, alive = bound(whole, [np.array([work.weight, work.bias])], [result])

        def call(_alive=alive):
            run()
            return result

        return Ready(call, lambda out: (None, out.copy()))

    return build


def only_wide(work):
    if work.narrow:
        return "is meant for wide networks; narrow ones have scalar symbols"
    return "" if work.dtype == "float64" else "computes in float64 only"


VM = "SX, reverse mode, its virtual machine, buffers bound (no copies)"
OWN = f"the same, its generated C compiled by gcc {' '.join(FLAGS)}"
CONTENDERS = (
    Contender("casadi", "network", network(False), f"{VM}; map", "symbolic", only_narrow),
    Contender("casadi compiled", "network", network(True), OWN, "casadi compiled", only_narrow),
    Contender("casadi matrices", "network", matrices, "MX, buffers bound", "symbolic", only_wide),
    Contender("casadi", "descent", descent(False), f"{VM}; mapaccum", "symbolic"),
    Contender("casadi compiled", "descent", descent(True), OWN, "casadi compiled"),
    Contender("casadi", "perceptron", perceptron(False), f"{VM}; mapaccum, fold", "symbolic"),
    Contender("casadi compiled", "perceptron", perceptron(True), OWN, "casadi compiled"),
)
