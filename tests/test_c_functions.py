"""The C functions against mpmath at 50 digits: every binade, every switch, both ends."""

import ctypes
import math
import platform
import re
import shutil
import struct
import subprocess

import mpmath
import numpy as np
import pytest
import sympy as sp

from symgrad import functions
from symgrad.backends import c_functions
from symgrad.backends.c_functions import HEAD, NAMES, REFUSED, ULPS, VECTORISED, call_of, source_of
from symgrad.backends.c_polynomials import COEFFICIENTS
from symgrad.backends.source import NUMPY_NAMES, RECIPROCALS
from symgrad.errors import OptionError
from symgrad.functions import several, special

COMPILER = next((found for found in map(shutil.which, ("cc", "gcc", "clang")) if found), None)
needs_compiler = pytest.mark.skipif(COMPILER is None, reason="there is no C compiler")
STRICT = ("-Wall", "-Wextra", "-pedantic", "-Werror")
#: What a careful user may pass: one machine's vectors with fused sums, and plain C99 without.
FLAGS = {
    "vector": (*c_functions.FLAGS, "-march=native"),
    "plain": ("-std=c99", "-O1", "-ffp-contract=off", *STRICT),
}
TYPES = {"double": (np.float64, 53, -1074), "float": (np.float32, 24, -149)}
TWO = {"atan2", "power", "heaviside", "maximum", "minimum", "xlogy", "logaddexp"}


# --- What the numbers should be ------------------------------------------------------------------


def softplus(x):
    return mpmath.log1p(mpmath.exp(x)) if x < 0 else x + mpmath.log1p(mpmath.exp(-x))


def sigmoid(x):
    return 1 / (1 + mpmath.exp(-x)) if x > 0 else mpmath.exp(x) / (1 + mpmath.exp(x))


def elu(x):
    return x if x > 0 else mpmath.expm1(x)


def selu(x):
    low = mpmath.mpf("1.6732632423543772848170429916717") * mpmath.expm1(min(x, 0))
    return mpmath.mpf("1.0507009873554804934193349852946") * (x if x > 0 else low)


def mish(x):
    return x * mpmath.tanh(softplus(x))


def log_cosh(x):
    size = abs(x)
    if size > 100:
        return size + mpmath.log1p(mpmath.exp(-2 * size)) - mpmath.log(2)
    return mpmath.log1p(2 * mpmath.sinh(size / 2) ** 2)


def erfc(x):
    # Where mpmath's own fails: 0 or 2 to more digits than either type has.
    return mpmath.erfc(x) if abs(x) < 40 else mpmath.mpf("1e-4000") + (2 if x < 0 else 0)


def erf(x):
    return mpmath.erf(x) if abs(x) < 40 else mpmath.sign(x)


def gelu(x):
    return x * erfc(-x / mpmath.sqrt(2)) / 2


#: Functions that are held to units in the last place: the truth, and the domain.
TRUTH = {
    "exp": (mpmath.exp, -math.inf, 800),
    "expm1": (mpmath.expm1, -math.inf, 800),
    "tanh": (mpmath.tanh, -math.inf, math.inf),
    "tanh_chain": (mpmath.tanh, -math.inf, math.inf),
    "sigmoid": (sigmoid, -math.inf, math.inf),
    "sigmoid_chain": (sigmoid, -math.inf, math.inf),
    "log": (mpmath.log, 0, math.inf),
    "log1p": (mpmath.log1p, -1, math.inf),
    "softplus": (softplus, -math.inf, math.inf),
    "log1pexp": (softplus, -math.inf, math.inf),
    "log_sigmoid": (lambda x: -softplus(-x), -math.inf, math.inf),
    "silu": (lambda x: x * sigmoid(x), -math.inf, math.inf),
    "mish": (mish, -math.inf, math.inf),
    "elu": (elu, -math.inf, math.inf),
    "selu": (selu, -math.inf, math.inf),
    "log_cosh": (log_cosh, -math.inf, math.inf),
    "erf": (erf, -math.inf, math.inf),
    "erfc": (erfc, -math.inf, math.inf),
    "gelu": (gelu, -math.inf, math.inf),
    "softsign": (lambda x: x / (1 + abs(x)), -math.inf, math.inf),
}
#: Where a function changes its form, saturates, or leaves the range of the type.
SWITCHES = (
    *(0.3466, 0.35355, 0.41421, 0.5, 0.6, 0.6931, 0.70711, 0.9, 1.0, 1.0397, 1.41421, 1.7329, 1.8),
    *(
        2.0,
        3.0,
        8.3178,
        9.01,
        10.0,
        16.6,
        17.3,
        18.715,
        20.0,
        9.28,
        10.06,
        10.7,
        13.2,
        15.1,
        26.55,
        27.23,
        27.5,
        37.7,
        38.5,
        39.0,
        22.0,
        36.7368,
        37.43,
        38.4,
        40.0,
    ),
    *(87.3365, 88.7228, 89.0, 92.0, 100.0, 103.9721, 105.0, 115.0),
    *(708.3964, 709.7827, 710.0, 745.1332, 746.0, 760.0, 2.0**-54, 2.0**-25, 2.0**60, 2.0**53),
)


def points_of(dtype, low, high, count=3000):
    """Numbers of every binade, of the middle range, and around every switch."""
    kind, digits, least = TYPES[dtype]
    random = np.random.default_rng(11)
    top = 1023 if dtype == "double" else 127
    binades = np.ldexp(random.uniform(1, 2, 700), np.linspace(least, top, 700).astype(int))
    near = np.ldexp(random.uniform(1, 2, 300), random.integers(-12, 2, 300))
    middle = np.concatenate([random.uniform(0, size, 200) for size in (1, 4, 40, 120, 760)])
    around = np.array(
        [
            kind(s) * (1 + j * 2.0 ** (1 - digits))
            for s in SWITCHES
            for j in (-9, -2, -1, 0, 1, 2, 9)
        ]
    )
    sizes = np.concatenate([binades, near, middle, around, around * random.uniform(0.99, 1.01)])
    found = np.unique(np.concatenate([sizes, -sizes]).astype(kind))
    found = found[(found > low) & (found < high) & np.isfinite(found)]
    return found[np.sort(random.permutation(len(found))[:count])]


def exact(value):
    """An mpf of a number of either type, whatever its size."""
    return mpmath.mpf(float(value))


def ulps(got, true, dtype):
    """The error in units in the last place of the truth; infinity is the next power of two."""
    _, digits, least = TYPES[dtype]
    top = mpmath.ldexp(1, 1024 if dtype == "double" else 128)
    value = top * mpmath.sign(float(got)) if np.isinf(got) else exact(got)
    if abs(true) >= top:
        true = top * mpmath.sign(true)
    place = max(int(mpmath.frexp(true)[1]) - digits, least) if true else least
    return float(abs(value - true) / mpmath.ldexp(1, place))


# --- Compiled once -------------------------------------------------------------------------------


def loops(dtype):
    """C source: every function, and a loop over each."""
    real = dtype
    lines = [source_of(NAMES, dtype)]
    for name in NAMES:
        call = call_of(name, dtype)
        more = f", const {real} *b" if name in TWO else ""
        inner = "a[i], b[i]" if name in TWO else "a[i]"
        inner = f"(int)b[i], {inner}" if name == "polygamma" else inner
        more = f", const {real} *b" if name == "polygamma" else more
        lines.append(
            f"void loop_{name}(long n, {real} *restrict out, const {real} *a{more}) "
            f"{{ for (long i = 0; i < n; i++) out[i] = {call}({inner}); }}\n"
        )
    return HEAD + "".join(lines)


def built(folder, dtype, flags):
    """A shared library of the loops."""
    source = folder / f"{dtype}.c"
    source.write_text(loops(dtype), encoding="utf-8")
    library = folder / f"{dtype}.so"
    command = [COMPILER, *flags, "-shared", "-fPIC", str(source), "-o", str(library), "-lm"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return ctypes.CDLL(str(library))


@pytest.fixture(autouse=True)
def default_rounding():
    """Subnormal numbers stay what they are: another library may have had them flushed to zero."""
    if platform.system() == "Linux":
        ctypes.CDLL("libm.so.6").fesetenv(ctypes.c_void_p(-1))


@pytest.fixture(scope="module")
def libraries(tmp_path_factory):
    return {
        (dtype, way): built(tmp_path_factory.mktemp(way), dtype, flags)
        for dtype in TYPES
        for way, flags in FLAGS.items()
    }


def called(library, name, dtype, *arrays):
    """The values of a loop."""
    kind = TYPES[dtype][0]
    arrays = [np.ascontiguousarray(a, dtype=kind) for a in np.broadcast_arrays(*arrays)]
    out = np.empty_like(arrays[0])
    getattr(library, f"loop_{name}")(
        ctypes.c_long(out.size), *(a.ctypes.data_as(ctypes.c_void_p) for a in (out, *arrays))
    )
    return out


# --- Values ----------------------------------------------------------------------------------


@needs_compiler
@pytest.mark.parametrize("dtype", TYPES)
@pytest.mark.parametrize("name", TRUTH)
def test_errors_are_below_the_stated_units_in_the_last_place(libraries, name, dtype):
    truth, low, high = TRUTH[name]
    points = points_of(dtype, low, high)
    assert len(points) > 2500
    with mpmath.workdps(50):
        wanted = [truth(exact(x)) for x in points]
        for way in FLAGS:
            got = called(libraries[dtype, way], name, dtype, points)
            errors = [ulps(g, w, dtype) for g, w in zip(got, wanted, strict=True)]
            worst = int(np.argmax(errors))
            assert errors[worst] <= ULPS[name], (way, points[worst], got[worst])


def test_what_matters_most_is_held_to_two_units():
    names = {"exp", "expm1", "tanh", "sigmoid", "softplus", "log1p", "log", "log_sigmoid"}
    assert max(ULPS[name] for name in names) <= 2
    assert set(TRUTH) <= set(ULPS)


INF, NAN = math.inf, math.nan
#: The values at -oo, -0.0, 0.0 and oo; all but `xlogy` answer NaN with NaN.
SPECIAL_VALUES = {
    "exp": (0.0, 1.0, 1.0, INF),
    "expm1": (-1.0, -0.0, 0.0, INF),
    "tanh": (-1.0, -0.0, 0.0, 1.0),
    "tanh_chain": (-1.0, -0.0, 0.0, 1.0),
    "sigmoid": (0.0, 0.5, 0.5, 1.0),
    "sigmoid_chain": (0.0, 0.5, 0.5, 1.0),
    "log": (NAN, -INF, -INF, INF),
    "log1p": (NAN, -0.0, 0.0, INF),
    "softplus": (0.0, math.log(2), math.log(2), INF),
    "log1pexp": (0.0, math.log(2), math.log(2), INF),
    "log_sigmoid": (-INF, -math.log(2), -math.log(2), -0.0),
    "silu": (-0.0, -0.0, 0.0, INF),
    "mish": (-0.0, -0.0, 0.0, INF),
    "elu": (-1.0, -0.0, 0.0, INF),
    "gelu": (-0.0, -0.0, 0.0, INF),
    "erf": (-1.0, -0.0, 0.0, 1.0),
    "erfc": (2.0, 1.0, 1.0, 0.0),
    "gelu_tanh": (-0.0, -0.0, 0.0, INF),
    "log_cosh": (INF, 0.0, 0.0, INF),
    "softsign": (-1.0, -0.0, 0.0, 1.0),
    "hardtanh": (-1.0, -0.0, 0.0, 1.0),
    "hard_sigmoid": (0.0, 0.5, 0.5, 1.0),
    "step": (0.0, 0.0, 0.0, 1.0),
    "sign": (-1.0, -0.0, 0.0, 1.0),
    "gamma_function": (NAN, NAN, NAN, INF),
    "log_gamma": (NAN, INF, INF, INF),
    "digamma": (NAN, NAN, NAN, INF),
}


@needs_compiler
@pytest.mark.parametrize("name", SPECIAL_VALUES)
def test_infinities_zeros_and_nan(libraries, name):
    wanted = np.array([*SPECIAL_VALUES[name], NAN])
    for (dtype, _), library in libraries.items():
        got = called(library, name, dtype, [-INF, -0.0, 0.0, INF, NAN])
        assert np.array_equal(got, wanted.astype(got.dtype), equal_nan=True)
        signed = ~np.isnan(wanted)
        assert np.array_equal(np.signbit(got[signed]), np.signbit(wanted[signed])), name


@needs_compiler
@pytest.mark.parametrize("name", ["exp", "expm1", "tanh", "sigmoid", "softplus", "log", "log1p"])
def test_values_rise_with_their_argument(libraries, name):
    low = max(TRUTH[name][1], -800)
    coarse = np.linspace(max(low, -5), 5, 8001)[1:]
    for (dtype, _), library in libraries.items():
        kind, digits, _ = TYPES[dtype]
        assert (np.diff(called(library, name, dtype, coarse)) > 0).all()
        for switch in SWITCHES:
            steps = np.arange(-200, 201) * 2.0 ** (1 - digits)
            for sign in (-1, 1):
                close = np.sort((kind(sign * switch) * (1 + steps)).astype(kind))
                if close[0] <= low:
                    continue
                values = called(library, name, dtype, close)
                finite = values[np.isfinite(values)]
                assert (np.diff(finite) >= -np.spacing(np.abs(finite[1:]))).all(), (switch, dtype)


def kernel(name):
    """The NumPy function of an entry of the registry."""
    space = {"np": np}
    for text in functions.kernels_of([name]).values():
        exec(text, space)
    if name == "identity":
        return np.asarray
    return space[name] if functions.FUNCTIONS[name].kernel else getattr(np, name)


@needs_compiler
@pytest.mark.parametrize("name", functions.FUNCTIONS)
def test_every_registered_function_agrees_with_its_kernel(libraries, name, rng):
    points = np.concatenate([rng.uniform(-9, 9, 500), [-3.0, -1.0, -0.0, 0.0, 1.0, 3.0]])
    for (dtype, _), library in libraries.items():
        kind, digits, _ = TYPES[dtype]
        wanted = kernel(name)(points.astype(kind).astype(float))
        got = called(library, name, dtype, points)
        np.testing.assert_allclose(got, wanted, rtol=150 * 2.0**-digits, atol=2.0 ** -(digits - 1))


LIBRARY_TRUTH = {
    "sqrt": (mpmath.sqrt, 0, 50),
    "cos": (mpmath.cos, -9, 9),
    "tan": (mpmath.tan, -9, 9),
    "asin": (mpmath.asin, -1, 1),
    "acos": (mpmath.acos, -1, 1),
    "sinh": (mpmath.sinh, -9, 9),
    "cosh": (mpmath.cosh, -9, 9),
    "asinh": (mpmath.asinh, -9, 9),
    "acosh": (mpmath.acosh, 1, 9),
    "atanh": (mpmath.atanh, -1, 1),
    "sec": (mpmath.sec, -9, 9),
    "csc": (mpmath.csc, -9, 9),
    "cot": (mpmath.cot, -9, 9),
    "sech": (mpmath.sech, -9, 9),
    "csch": (mpmath.csch, -9, 9),
    "coth": (mpmath.coth, -9, 9),
    "abs": (abs, -9, 9),
    "floor": (mpmath.floor, -9, 9),
    "ceiling": (mpmath.ceil, -9, 9),
}


@needs_compiler
@pytest.mark.parametrize("name", LIBRARY_TRUTH)
def test_functions_of_the_library_are_called_by_the_right_name(libraries, name, rng):
    truth, low, high = LIBRARY_TRUTH[name]
    points = rng.uniform(low, high, 100)
    for dtype, way in libraries:
        kind = TYPES[dtype][0]
        got = called(libraries[dtype, way], name, dtype, points)
        with mpmath.workdps(50):
            errors = [
                ulps(g, truth(exact(x)), dtype)
                for g, x in zip(got, points.astype(kind), strict=True)
            ]
        assert max(errors) <= 4


@needs_compiler
@pytest.mark.parametrize("dtype", TYPES)
def test_functions_of_two_arguments(libraries, dtype, rng):
    kind, digits, _ = TYPES[dtype]
    values = [-INF, -2.0, -0.0, 0.0, 0.5, 3.0, INF, NAN]
    a, b = (part.ravel().astype(kind) for part in np.meshgrid(values, values))
    library = libraries[dtype, "vector"]
    simple = {"maximum": np.maximum, "minimum": np.minimum, "heaviside": np.heaviside}
    for name, function in {**simple, "atan2": np.arctan2, "logaddexp": np.logaddexp}.items():
        got = called(library, name, dtype, a, b)
        with np.errstate(all="ignore"):
            wanted = function(a, b)
        np.testing.assert_allclose(got, wanted, rtol=2.0 ** (2 - digits), err_msg=name)
    a, b = rng.uniform(0.1, 5, (2, 300)).astype(kind)
    np.testing.assert_allclose(called(library, "power", dtype, a, b), a**b, rtol=8 * 2.0**-digits)
    x = np.append(rng.uniform(-5, 5, 300), [0.0, -0.0, 0.0]).astype(kind)
    y = np.append(10 ** rng.uniform(-9, 9, 300), [0.0, NAN, -1.0]).astype(kind)
    got = called(library, "xlogy", dtype, x, y)
    a, b = (30 * rng.uniform(-1, 1, (2, 300))).astype(kind)
    sums = called(library, "logaddexp", dtype, a, b)
    with mpmath.workdps(50):
        wanted = [
            exact(p) * mpmath.log(exact(q)) if p else mpmath.mpf(0)
            for p, q in zip(x, y, strict=True)
        ]
        assert max(ulps(g, w, dtype) for g, w in zip(got, wanted, strict=True)) <= ULPS["xlogy"]
        for g, p, q in zip(sums, a, b, strict=True):
            true = mpmath.log(mpmath.exp(exact(p)) + mpmath.exp(exact(q)))
            assert abs(exact(g) - true) <= (1 + max(abs(p), abs(q))) * 2.0 ** (1 - digits)


@needs_compiler
@pytest.mark.parametrize("dtype", TYPES)
def test_gelu_tanh_is_as_good_as_its_inner_polynomial(libraries, dtype):
    """Its inner u is rounded: that changes exp(2u) by |2u| units."""
    points = points_of(dtype, -9, INF)
    got = called(libraries[dtype, "plain"], "gelu_tanh", dtype, points)
    with mpmath.workdps(50):
        for x, value in zip(points, got, strict=True):
            u = mpmath.sqrt(2 / mpmath.pi) * (exact(x) + mpmath.mpf("0.044715") * exact(x) ** 3)
            assert ulps(value, exact(x) * sigmoid(2 * u), dtype) <= 4 + 4 * min(abs(u), 800)


@needs_compiler
@pytest.mark.parametrize("sign", [1, -1])
def test_the_gamma_function_and_its_relatives(libraries, sign, rng):
    points = sign * np.concatenate([rng.uniform(0.01, 3, 40), rng.uniform(3, 120, 40), [2.5, 1.5]])
    points = np.append(points, [1.0, 2.0, 7.0]) if sign > 0 else points

    def check(name, truth, slope, absolute, bound, *order):
        """Relative to the value; from below 0, also to what the last digit of x changes."""
        with mpmath.workdps(40):
            wanted = [truth(exact(x)) for x in points]
            scales = [absolute + abs(w) for w in wanted]
            if sign < 0:
                moves = (abs(x * slope(exact(x))) for x in points)
                scales = [scale + move for scale, move in zip(scales, moves, strict=True)]
            for way in FLAGS:
                got = called(libraries["double", way], name, "double", points, *order)
                for g, w, scale in zip(got, wanted, scales, strict=True):
                    assert abs(exact(g) - w) < bound * scale

    def psi(n):
        return lambda x: mpmath.psi(n, x)

    check("gamma_function", mpmath.gamma, lambda x: mpmath.gamma(x) * mpmath.psi(0, x), 0, 5e-15)
    check("log_gamma", lambda x: mpmath.log(abs(mpmath.gamma(x))), psi(0), 1, 4e-15)
    check("digamma", mpmath.digamma, psi(1), 1, 4e-15)
    for n in (0, 1, 4, special.HIGHEST_ORDER):
        check("polygamma", psi(n), psi(n + 1), n == 0, 2e-14, float(n))


@needs_compiler
def test_polygamma_has_no_value_above_its_highest_order(libraries):
    order = [special.HIGHEST_ORDER + 1.0]
    for (dtype, _), library in libraries.items():
        assert np.isnan(called(library, "polygamma", dtype, [2.0], order))[0]


# --- Text ------------------------------------------------------------------------------------


def test_every_function_that_numpy_code_has_is_there_or_refused():
    for name in [*functions.FUNCTIONS, *several.KERNELS]:
        assert (name in NAMES) != (name in REFUSED), f"`{name}` has no C form, nor a refusal"
    for function in [*NUMPY_NAMES, *RECIPROCALS, *special.NAMES, sp.Max, sp.Min]:
        assert c_functions.name_of_function(function) in NAMES, function
    assert c_functions.name_of_function(sp.zeta) is None
    assert set(ULPS) | set(VECTORISED) <= set(NAMES)


@pytest.mark.parametrize("dtype", TYPES)
def test_a_function_stands_once_and_after_what_it_calls(dtype):
    for names in (NAMES, NAMES[::-1], *([name] for name in NAMES)):
        text = source_of(names, dtype)
        defined = set()
        for line in text.splitlines():
            made = re.match(r"static inline \w+ (sg_\w+)\(", line)
            calls = set(re.findall(r"(sg_\w+)\(", line)) - ({made[1]} if made else set())
            assert not made or made[1] not in defined
            defined |= {made[1]} if made else set()
            assert calls <= defined, (names, line)
        assert {call_of(name, dtype) for name in names} <= defined
    assert source_of(["tanh", "tanh"]) == source_of(["tanh"])


def test_unknown_names_and_types_are_errors_that_list_what_there_is():
    with pytest.raises(OptionError, match="tanh"):
        source_of(["tahn"])
    with pytest.raises(OptionError, match="float32"):
        source_of(["tanh"], "float16")
    assert source_of(["tanh"], np.float32) == source_of(["tanh"], np.dtype("float32"))
    assert source_of(["tanh"], float) == source_of(["tanh"], np.float64) == source_of(["tanh"])


def _erfc_body(y):
    return mpmath.erfc(y) * mpmath.exp(y * y) * (1 + 2 * y)


#: The functions under the polynomials, and the largest error of their share of a result.
SMOOTH = {
    "erfc_body": (
        lambda t: _erfc_body((mpmath.mpf("2.5") + 3 * t) / (1 - t)),
        -0.8333,
        0.82,
        0,
        (-55, -24.5),
    ),
    "erf_tail": (
        lambda z: mpmath.erf(mpmath.sqrt(z)) / mpmath.sqrt(z) - 1,
        0,
        0.25,
        0,
        (-55.5, -27),
    ),
    "exp_tail": (lambda r: (mpmath.expm1(r) - r) / r**2, -0.34658, 0.34658, 2, (-56, -27)),
    "coth_tail": (
        lambda z: (mpmath.sqrt(z) * mpmath.coth(mpmath.sqrt(z)) - 1) / z,
        0,
        0.36,
        1,
        (-57, -29),
    ),
    "atanh_tail": (
        lambda z: (mpmath.atanh(mpmath.sqrt(z)) / mpmath.sqrt(z) - 1) / z,
        0,
        0.04,
        1,
        (-61, -28),
    ),
    "tanh_tail": (
        lambda z: (mpmath.tanh(mpmath.sqrt(z)) / mpmath.sqrt(z) - 1) / z,
        0,
        0.81,
        1,
        (-58, -27),
    ),
}


@pytest.mark.parametrize("name", COEFFICIENTS)
def test_polynomials_are_as_close_as_the_functions_need(name):
    function, low, high, power, bits = SMOOTH[name]
    for real, bound in zip(TYPES, bits, strict=True):
        coefficients = [float.fromhex(text) for text in COEFFICIENTS[name][real]]
        if real == "float":
            assert coefficients == [
                struct.unpack("f", struct.pack("f", c))[0] for c in coefficients
            ]
        with mpmath.workdps(90):
            worst = max(
                abs(z) ** power * abs(mpmath.polyval(coefficients[::-1], z) - function(z))
                for z in (
                    mpmath.mpf(low) + (mpmath.mpf(high) - low) * (j + 0.5) / 400 for j in range(400)
                )
            )
        assert mpmath.log(worst, 2) < bound


def is_gcc_for_x86():
    if COMPILER is None or platform.machine() not in {"x86_64", "AMD64"}:
        return False
    made = subprocess.run([COMPILER, "-dM", "-E", "-"], input="", capture_output=True, text=True)
    return "__GNUC__" in made.stdout and "__clang__" not in made.stdout


@pytest.mark.skipif(not is_gcc_for_x86(), reason="the report is that of gcc for x86-64")
@pytest.mark.parametrize("dtype", TYPES)
def test_loops_become_vector_code(dtype, tmp_path):
    source = tmp_path / "loops.c"
    source.write_text(loops(dtype), encoding="utf-8")
    report = subprocess.run(
        [
            COMPILER,
            *c_functions.FLAGS,
            "-march=x86-64-v3",
            # Equal functions and copies of memory would have no report of their own.
            "-fno-ipa-icf",
            "-fno-tree-loop-distribute-patterns",
            "-fopt-info-vec-optimized",
            "-c",
            str(source),
            "-o",
            str(tmp_path / "loops.o"),
        ],
        capture_output=True,
        text=True,
        check=True,
    ).stderr
    lines = {int(number) for number in re.findall(r"loops\.c:(\d+):.*loop vectorized", report)}
    text = source.read_text(encoding="utf-8").splitlines()
    found = {re.search(r"loop_(\w+)\(", text[number - 1]) for number in lines}
    assert {match[1] for match in found if match} >= VECTORISED


@needs_compiler
@pytest.mark.parametrize("flag", ["-ffast-math", "-ffinite-math-only"])
def test_flags_that_would_break_the_functions_are_refused(flag, tmp_path):
    source = tmp_path / "refused.c"
    source.write_text(HEAD + source_of(["tanh"]), encoding="utf-8")
    done = subprocess.run(
        [COMPILER, flag, "-c", str(source), "-o", str(tmp_path / "refused.o")],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode != 0
    assert f"compile without {flag}" in done.stderr
