"""heyoka and SymEngine: symbols for scalars, LLVM behind, samples in chunks that fit the cache."""

import numpy as np

from ..contender import Contender, Ready
from .straight import only_narrow, scalars

#: Samples a chunk: 4096 columns of some 90 doubles stay in a second-level cache of a few MiB.
CHUNK = 2048


def heyoka_function(work):
    import heyoka as hk

    hk.set_nthreads(1)  # it shares batches between threads by default
    xs, ys, ps, loss = scalars(work, lambda name: hk.make_vars(name), hk.tanh, hk.exp)
    gradient = hk.diff_tensors([loss], ps).gradient
    return hk.cfunc([loss, *gradient], xs + ys + ps, fast_math=True)


def heyoka(work):
    function = heyoka_function(work)
    count, n = work.count, work.samples
    if n == 1:
        given = np.concatenate([work.X[0], work.Y[0], work.vector])
        out = np.empty(count + 1)

        def single():
            return function(inputs=given, outputs=out)

        return Ready(single, lambda result: (result[0], result[1:].copy()))
    data = np.vstack([work.X.T, work.Y.T])
    wide, size = len(data), min(n, CHUNK)
    vector = work.vector[:, None]
    pieces = []
    for length in {size, n % size} - {0}:  # the last chunk may be shorter
        begin = n - n % size if length != size else 0
        stop = n if length != size else n - n % size
        given, out = np.empty((wide + count, length)), np.empty((count + 1, length))
        pieces.append((range(begin, stop, length), length, given, out))
    total = np.empty(count + 1)

    def call():
        total[:] = 0
        for starts, length, given, out in pieces:
            given[wide:] = vector  # its parameters are columns, too
            for start in starts:
                given[:wide] = data[:, start : start + length]
                function(inputs=given, outputs=out)
                np.add(total, out.sum(1), total)
        return np.divide(total, n, total)

    return Ready(call, lambda result: (result[0], result[1:].copy()))


def symengine_function(work):
    import symengine as se

    xs, ys, ps, loss = scalars(work, se.Symbol, se.tanh, se.exp)
    results = [loss, *[loss.diff(p) for p in ps]]
    return se.Lambdify(xs + ys + ps, results, backend="llvm", cse=True, opt_level=3)


def symengine(work):
    function = symengine_function(work)
    count, n, vector = work.count, work.samples, work.vector
    data = np.hstack([work.X, work.Y])
    wide, size = data.shape[1], min(n, CHUNK)
    given, out = np.empty((size, wide + count)), np.empty((size, count + 1))
    total = np.empty(count + 1)

    def call():
        total[:] = 0
        given[:, wide:] = vector
        for start in range(0, n, size):
            length = min(size, n - start)
            given[:length, :wide] = data[start : start + length]
            function(given[:length], out=out[:length])
            np.add(total, out[:length].sum(0), total)
        return np.divide(total, n, total)

    return Ready(call, lambda result: (result[0], result[1:].copy()))


def stepping(work, function):
    """Per-sample descent by a function of one sample that is called from Python."""
    rate, start = work.rate, work.vector
    samples = list(np.hstack([work.X, work.Y]))
    wide = samples[0].size
    given, out = np.empty(wide + work.count), np.empty(work.count + 1)
    parameters, gradient, step = given[wide:], out[1:], np.empty(work.count)

    def call():
        parameters[:] = start
        for sample in samples:
            given[:wide] = sample
            function(given, out)
            np.multiply(gradient, rate, step)
            np.subtract(parameters, step, parameters)
        return parameters

    return Ready(call, lambda result: (None, result.copy()))


def heyoka_descent(work):
    function = heyoka_function(work)
    return stepping(work, lambda given, out: function(inputs=given, outputs=out))


def symengine_descent(work):
    function = symengine_function(work)
    return stepping(work, lambda given, out: function(given, out=out))


def perceptron(work, function):
    given, out = np.empty(4), np.empty(2)
    samples = list(zip(work.x.tolist(), work.y.tolist(), strict=True))

    def call():
        w, b, rate = work.weight, work.bias, work.rate
        for _ in range(work.epochs):
            for x, y in samples:
                given[0], given[1], given[2], given[3] = w, b, x, y
                function(given, out)
                dw, db = out.tolist()
                w -= rate * dw
                b -= rate * db
        return w, b

    return Ready(call, lambda result: (None, np.array(result)))


def heyoka_perceptron(work):
    import heyoka as hk

    w, b, x, y = hk.make_vars("w", "b", "x", "y")
    gradient = hk.diff_tensors([(hk.tanh(w * x + b) - y) ** 2], [w, b]).gradient
    function = hk.cfunc(gradient, [w, b, x, y], fast_math=True)
    return perceptron(work, lambda given, out: function(inputs=given, outputs=out))


def symengine_perceptron(work):
    import symengine as se

    w, b, x, y = se.symbols("w b x y")
    loss = (se.tanh(w * x + b) - y) ** 2
    function = se.Lambdify(
        [w, b, x, y], [loss.diff(w), loss.diff(b)], backend="llvm", cse=True, opt_level=3
    )
    return perceptron(work, lambda given, out: function(given, out=out))


HEYOKA = f"cfunc, fast_math, one thread, arrays given for results; chunks of {CHUNK} samples"
SYMENGINE = f"Lambdify, LLVM, cse, opt_level 3; chunks of {CHUNK} samples"
CONTENDERS = (
    Contender("heyoka", "network", heyoka, HEYOKA, "symbolic", only_narrow),
    Contender("heyoka", "descent", heyoka_descent, f"{HEYOKA}; Python loop", "symbolic"),
    Contender("heyoka", "perceptron", heyoka_perceptron, f"{HEYOKA}; Python loop", "symbolic"),
    Contender("symengine", "network", symengine, SYMENGINE, "symbolic", only_narrow),
    Contender("symengine", "descent", symengine_descent, f"{SYMENGINE}; Python loop", "symbolic"),
    Contender(
        "symengine", "perceptron", symengine_perceptron, f"{SYMENGINE}; Python loop", "symbolic"
    ),
)
