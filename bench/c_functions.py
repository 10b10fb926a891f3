"""Speed and accuracy of the C functions, against the C library, its vector form, and NumPy.

Vectorised: a loop over 4096 numbers in cache, ns an element. Chained: every call waits for the one
before, as in per-sample descent, ns a call. The C library's vector form needs gcc and glibc, and
-ffast-math. Before a time is printed, values are compared with mpmath's.

    python bench/c_functions.py
"""

import ctypes
import platform
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import mpmath
import numpy as np

from symgrad.backends.c_functions import FLAGS, HEAD, call_of, source_of
from symgrad.functions import kernels_of

COUNT, INSIDE, REPEATS, ROUNDS = 4096, 20, 2, 60
COMPILER = shutil.which("cc") or shutil.which("gcc")
FAST = [*FLAGS, "-march=native"]
LOOSE = ["-O3", "-march=native", "-ffast-math"]
NAMES = ("tanh", "exp", "sigmoid", "expm1", "log1p", "log", "softplus", "silu", "erf", "gelu")
TYPES = {"double": np.float64, "float": np.float32}
TRUTH = {
    "tanh": mpmath.tanh,
    "exp": mpmath.exp,
    "expm1": mpmath.expm1,
    "log1p": mpmath.log1p,
    "log": mpmath.log,
    "sigmoid": lambda x: 1 / (1 + mpmath.exp(-x)),
    "softplus": lambda x: mpmath.log1p(mpmath.exp(x)),
    "silu": lambda x: x / (1 + mpmath.exp(-x)),
    "erf": mpmath.erf,
    "gelu": lambda x: x * mpmath.erfc(-x / mpmath.sqrt(2)) / 2,
}
#: How the same is written with the C library, and with NumPy.
LIBRARY = {
    "sigmoid": "1 / (1 + exp{f}(-x))",
    "softplus": "log1p{f}(exp{f}(x))",
    "silu": "x / (1 + exp{f}(-x))",
    "gelu": "0.5{f} * x * erfc{f}(-0.7071067811865476{f} * x)",
}
NUMPY = {
    "sigmoid": lambda x, out: np.divide(1, np.add(1, np.exp(np.negative(x, out), out), out), out),
    "softplus": lambda x, out: np.logaddexp(0, x, out),
    "silu": lambda x, out: np.divide(x, np.add(1, np.exp(np.negative(x, out), out), out), out),
}
#: NumPy has neither; symgrad's own NumPy code has both.
KERNELS: dict = {"np": np}
for source in kernels_of(["erf", "gelu"]).values():
    exec(source, KERNELS)
for name in ("erf", "gelu"):
    NUMPY[name] = lambda x, out, f=KERNELS[name]: np.copyto(out, f(x))

#: Per-sample descent on (tanh(w x + b) - y)^2: what a chain of dependent calls is for.
CHAIN = """\
{real} chain_{way}{f}(long n, const {real} *x, const {real} *y) {{
    {real} w = 0.5{f}, b = 0.1{f};
    for (long i = 0; i < n; i++) {{
        const {real} a = {call}(w * x[i] + b), d = (a - y[i]) * (1 - a * a) * 0.02{f};
        w -= d * x[i];
        b -= d;
    }}
    return w + b;
}}
"""


#: Calls a loop several times: one call from Python costs as much as a thousand elements.
REPEAT = """\
void repeat(long times, void (*f)(long, void *, const void *), long n, void *out, const void *a) {
    for (long i = 0; i < times; i++) f(n, out, a);
}
"""


def loop(name, value, real):
    return (
        f"void {name}(long n, {real} *restrict out, const {real} *restrict a) "
        f"{{ for (long i = 0; i < n; i++) {{ const {real} x = a[i]; out[i] = {value}; }} }}\n"
    )


def library_value(name, suffix):
    return LIBRARY.get(name, f"{name}{suffix}(x)").format(f=suffix)


def own_source(real):
    suffix = "f" if real == "float" else ""
    text = source_of([*NAMES, "tanh_chain"], real)
    for name in NAMES:
        text += loop(f"own_{name}{suffix}", f"{call_of(name, real)}(x)", real)
        text += loop(f"libm_{name}{suffix}", library_value(name, suffix), real)
    calls = {"own": call_of("tanh", real), "early": call_of("tanh_chain", real)}
    for way, call in {**calls, "libm": f"tanh{suffix}"}.items():
        text += CHAIN.format(real=real, f=suffix, way=way, call=call)
    return text


def vector_source(real):
    suffix = "f" if real == "float" else ""
    return "".join(
        loop(f"vector_{name}{suffix}", library_value(name, suffix), real) for name in NAMES
    )


def compiled(folder, name, text, flags, libraries):
    """A shared library, or None where the compiler refuses.

    Linked apart: linked with -ffast-math it would flush subnormal numbers in the whole process.
    """
    source, unit = Path(folder, f"{name}.c"), Path(folder, f"{name}.o")
    source.write_text(text, encoding="utf-8")
    made = [COMPILER, *flags, "-fPIC", "-c", str(source), "-o", str(unit)]
    library = Path(folder, f"{name}.so")
    linked = [COMPILER, "-shared", str(unit), "-o", str(library), *libraries]
    for command in (made, linked):
        if subprocess.run(command, capture_output=True, check=False).returncode:
            return None
    return ctypes.CDLL(str(library))


def best(call):
    """The best and the median time of a call, in ns."""
    times = []
    for _ in range(ROUNDS):
        start = time.perf_counter()
        for _ in range(REPEATS):
            call()
        times.append((time.perf_counter() - start) / REPEATS)
    return 1e9 * min(times), 1e9 * float(np.median(times))


def pointer(array):
    return array.ctypes.data_as(ctypes.c_void_p)


def largest_error(got, points, name, kind):
    """In units in the last place."""
    worst = 0.0
    with mpmath.workdps(50):
        for g, x in zip(got, points, strict=True):
            true = TRUTH[name](mpmath.mpf(float(x)))
            place = float(np.spacing(np.abs(kind(true))))
            worst = max(worst, float(abs(mpmath.mpf(float(g)) - true)) / place)
    return worst


def vectorised(libraries, real, kind):
    suffix = "f" if real == "float" else ""
    random = np.random.default_rng(0)
    print(f"\n{real}, ns an element (best, median) and the largest error in ulps")
    print(f"{'':10}{'own':>22}{'libm':>22}{'vector libm':>22}{'NumPy':>22}")
    for name in NAMES:
        low, high = (0.01, 8) if name.startswith("log") else (-8, 8)
        x = random.uniform(low, high, COUNT).astype(kind)
        out = np.empty_like(x)
        cells = []
        for way in ("own", "libm", "vector"):
            library = libraries[way]
            if library is None:
                cells.append("-")
                continue
            function = getattr(library, f"{way}_{name}{suffix}")
            given = ctypes.cast(function, ctypes.c_void_p), ctypes.c_long(COUNT)
            given = ctypes.c_long(INSIDE), *given, pointer(out), pointer(x)
            repeat = libraries["own"].repeat
            cells.append(cell(lambda f=repeat, g=given: f(*g), out, x, name, kind, INSIDE))
        numpy = NUMPY.get(name) or getattr(np, name)
        cells.append(cell(lambda f=numpy, x=x, out=out: f(x, out), out, x, name, kind, 1))
        print(f"{name:10}" + "".join(f"{text:>22}" for text in cells))


def cell(call, out, x, name, kind, inside):
    call()
    error = largest_error(out[:1000], x[:1000], name, kind)
    if error > 500:  # a formula that loses digits in its tails may; a wrong one is far above
        sys.exit(f"{name}: the error is {error:.0f} ulps; nothing is timed")
    least, median = best(call)
    count = COUNT * inside
    return f"{least / count:.2f}, {median / count:.2f} ({error:.1f})"


def chained(library, real, kind):
    suffix = "f" if real == "float" else ""
    random = np.random.default_rng(1)
    print(f"\n{real}, per-sample descent with one tanh, ns an update (best, median)")
    for size in (0.8, 3.0):
        x = random.uniform(-size, size, COUNT).astype(kind)
        y = np.tanh(0.8 * x - 0.2).astype(kind)
        values, cells = [], []
        for way in ("own", "early", "libm"):
            function = getattr(library, f"chain_{way}{suffix}")
            function.restype = ctypes.c_float if suffix else ctypes.c_double
            given = ctypes.c_long(COUNT), pointer(x), pointer(y)
            values.append(function(*given))
            least, median = best(lambda f=function, g=given: f(*g))
            cells.append(f"{way} {least / COUNT:.1f}, {median / COUNT:.1f}")
        np.testing.assert_allclose(values, values[0], rtol=1e3 * float(np.finfo(kind).eps))
        print(f"  |x| < {size}: " + "; ".join(cells))


def main():
    if COMPILER is None:
        sys.exit("there is no C compiler here: install gcc or clang")
    version = subprocess.run([COMPILER, "--version"], capture_output=True, text=True, check=True)
    print(f"{platform.processor() or platform.machine()}, Python {platform.python_version()}")
    print(f"NumPy {np.__version__}, {version.stdout.splitlines()[0]}, {' '.join(FAST)}")
    with tempfile.TemporaryDirectory() as folder:
        text = HEAD + REPEAT + "".join(own_source(real) for real in TYPES)
        own = compiled(folder, "own", text, FAST, ["-lm"])
        text = "#include <math.h>\n" + "".join(vector_source(real) for real in TYPES)
        vector = compiled(folder, "vector", text, LOOSE, ["-lmvec", "-lm"])
        libraries = {"own": own, "libm": own, "vector": vector}
        for real, kind in TYPES.items():
            vectorised(libraries, real, kind)
            chained(own, real, kind)


if __name__ == "__main__":
    main()
