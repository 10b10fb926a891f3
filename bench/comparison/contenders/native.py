"""The floor: C written for the workload and compiled by gcc, and the bare matrix products."""

import ctypes
import subprocess
import tempfile
from pathlib import Path

import numpy as np

from .. import reference
from ..contender import Contender, Ready
from .straight import only_narrow, straight

FLAGS = ("-O3", "-march=native", "-ffast-math", "-shared", "-fPIC")
WIDE = "-mprefer-vector-width=512"  # gcc halves AVX-512 vectors unless told otherwise

#: tanh inlined, for loops in which each step waits for the one before: exp by a power of two and a
#: Taylor polynomial (|r| <= log(2)/2, the first term left out is below 2e-17 of the sum).
OWN_TANH = """
static inline double own_exp(double v) {
    double k = __builtin_rint(v*1.4426950408889634);
    double r = __builtin_fma(k, -1.90821492927058770002e-10,
               __builtin_fma(k, -6.93147180369123816490e-01, v));
    double r2 = r*r, r4 = r2*r2;
    double low = (1 + r) + r2*(1./2 + r*(1./6));
    double mid = (1./24 + r*(1./120)) + r2*(1./720 + r*(1./5040));
    double top = (1./40320 + r*(1./362880)) + r2*(1./3628800 + r*(1./39916800));
    top += r4*((1./479001600) + r*(1./6227020800));
    union { long i; double d; } power = { ((long)k + 1023) << 52 };
    return power.d*(low + r4*(mid + r4*top));
}
static inline double own_tanh(double z) {
    z = z > 20 ? 20 : z < -20 ? -20 : z;
    return 1 - 2/(own_exp(2*z) + 1);
}
"""


def compiled(source):
    """The shared library of a C source; it stays loaded when its file is gone."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "code.c"
        file.write_text("#include <math.h>\n" + source, encoding="utf-8")
        library = file.with_suffix(".so")
        cpu = Path("/proc/cpuinfo")
        wide = [WIDE] if cpu.exists() and "avx512f" in cpu.read_text() else []
        command = ["gcc", *FLAGS, *wide, str(file), "-o", str(library), "-lm"]
        subprocess.run(command, check=True, capture_output=True)
        return ctypes.CDLL(str(library))


def pointer(array):
    return ctypes.c_void_p(array.ctypes.data)


def network_source(work):
    code = straight(work)
    lines = ["void f(long n, const double*restrict X, const double*restrict Y,"]
    lines.append("       const double*restrict P, double*restrict G) {")
    lines += [f"const double {p} = P[{i}];" for i, p in enumerate(code.parameters)]
    lines += [f"double g{i} = 0;" for i in range(len(code.parameters))]
    lines += ["double loss = 0;", "for (long s = 0; s < n; s++) {"]
    lines += [f"const double {x} = X[{i}*n + s];" for i, x in enumerate(code.inputs)]
    lines += [f"const double {y} = Y[{i}*n + s];" for i, y in enumerate(code.targets)]
    lines += [f"const double {name} = {text};" for name, text in code.statements]
    lines += [f"g{i} += {text};" for i, text in enumerate(code.gradients)]
    lines += [f"loss += {code.loss};", "}", "G[0] = loss/n;"]
    lines += [f"G[{i + 1}] = g{i}/n;" for i in range(len(code.parameters))]
    return "\n".join([*lines, "}"])


def chosen(source, own):
    """The source with glibc's tanh, or with the one above."""
    return OWN_TANH + source.replace("tanh(", "own_tanh(") if own else source


def network(own):
    def build(work):
        library = compiled(chosen(network_source(work), own))
        X, Y, P = work.X.T.copy(), work.Y.T.copy(), work.vector
        G = np.empty(work.count + 1)
        arguments = [ctypes.c_long(work.samples), *map(pointer, (X, Y, P, G))]
        run = library.f
        run.restype = None

        def call(_alive=(X, Y, P)):
            run(*arguments)
            return G

        return Ready(call, lambda out: (out[0], out[1:].copy()))

    return build


def descent_source(work):
    code = straight(work)
    lines = ["void f(long n, double rate, const double*restrict X, const double*restrict Y,"]
    lines.append("       double*restrict P) {")
    lines += [f"double {p} = P[{i}];" for i, p in enumerate(code.parameters)]
    lines.append("for (long s = 0; s < n; s++) {")
    width, height = len(code.inputs), len(code.targets)
    lines += [f"const double {x} = X[{width}*s + {i}];" for i, x in enumerate(code.inputs)]
    lines += [f"const double {y} = Y[{height}*s + {i}];" for i, y in enumerate(code.targets)]
    lines += [f"const double {name} = {text};" for name, text in code.statements]
    lines += [
        f"{p} -= rate*{text};" for p, text in zip(code.parameters, code.gradients, strict=True)
    ]
    lines.append("}")
    lines += [f"P[{i}] = {p};" for i, p in enumerate(code.parameters)]
    return "\n".join([*lines, "}"])


def descent(own):
    def build(work):
        library = compiled(chosen(descent_source(work), own))
        X, Y, start, P = work.X.copy(), work.Y.copy(), work.vector, work.vector.copy()
        arguments = [
            ctypes.c_long(work.samples),
            ctypes.c_double(work.rate),
            *map(pointer, (X, Y, P)),
        ]
        run = library.f
        run.restype = None

        def call(_alive=(X, Y)):
            P[:] = start
            run(*arguments)
            return P

        return Ready(call, lambda out: (None, out.copy()))

    return build


PERCEPTRON = """
void f(long epochs, long n, double rate, const double*restrict x, const double*restrict y,
       double*restrict p) {
    double w = p[0], b = p[1];
    rate *= 2;
    while (epochs--)
        for (long s = 0; s < n; s++) {
            const double a = tanh(w*x[s] + b);
            const double d = rate*(a - y[s])*(1 - a*a);
            w -= d*x[s];
            b -= d;
        }
    p[0] = w;
    p[1] = b;
}
"""


def perceptron(own):
    def build(work):
        library = compiled(chosen(PERCEPTRON, own))
        x, y, p = work.x, work.y, np.empty(2)
        arguments = [
            ctypes.c_long(work.epochs),
            ctypes.c_long(len(x)),
            ctypes.c_double(work.rate),
            *map(pointer, (x, y, p)),
        ]
        run = library.f
        run.restype = None

        def call(_alive=(x, y)):
            p[0], p[1] = work.weight, work.bias
            run(*arguments)
            return p

        return Ready(call, lambda out: (None, out.copy()))

    return build


def products(work):
    """The matrix products of one forward and backward pass, on the true activations and deltas.

    What they give is checked: the gradients of the weights are among them, and the biases, which
    are no products, are added for the check. For every product the faster of `dot` and `matmul` is
    taken, as `dot` clears its result first.
    """
    layers = work.layers
    swept = reference.passes(layers, work.X, work.Y)
    jobs, results = [], []
    for k, (W, _, _) in enumerate(layers):
        a = np.ascontiguousarray(swept.activations[k])
        d = np.ascontiguousarray(swept.deltas[k])
        results.append(np.empty(W.shape, W.dtype))
        jobs.append((a, W, np.empty((work.samples, W.shape[1]), W.dtype)))
        jobs.append((a.T, d, results[-1]))
        if k:
            jobs.append((d, W.T, np.empty((work.samples, W.shape[0]), W.dtype)))
    steps = [(np.dot if out.size <= 8192 else np.matmul, *job, out) for *job, out in jobs]

    def call():
        for product, left, right, out in steps:
            product(left, right, out)
        return results

    def answer(out):
        arrays = []
        for product, (_, b, _), delta in zip(out, layers, swept.deltas, strict=True):
            arrays.append(product)
            if b is not None:
                arrays.append(delta.sum(0))
        return None, np.concatenate([a.ravel() for a in arrays]).astype(float) / work.errors

    return Ready(call, answer)


SETTINGS = (
    f"gcc {' '.join(FLAGS)}, 512-bit vectors where there are any, glibc's vector tanh and exp"
)


def only_narrow_tanh(work):
    return only_narrow(work) or ("" if work.hidden == "tanh" else "has no tanh to replace")


def only_wide(work):
    return "" if not work.narrow else "is the floor of wide networks; narrow ones have C"


CONTENDERS = (
    Contender("C", "network", network(False), SETTINGS, "floor", only_narrow),
    Contender(
        "C, own tanh",
        "network",
        network(True),
        "the same, tanh inlined",
        "floor",
        only_narrow_tanh,
    ),
    Contender("C", "perceptron", perceptron(False), SETTINGS, "floor"),
    Contender("C, own tanh", "perceptron", perceptron(True), "the same, tanh inlined", "floor"),
    Contender("C", "descent", descent(False), SETTINGS, "floor"),
    Contender("C, own tanh", "descent", descent(True), "the same, tanh inlined", "floor"),
    Contender(
        "matrix products",
        "network",
        products,
        "NumPy's products alone (no activation, no bias, no loss), each into its own array by the "
        "faster of dot and matmul",
        "products",
        only_wide,
    ),
)
