"""Scalar functions for the Numba target: Python source that LLVM turns into vector code.

Numba calls the C library for exp and tanh, one number at a time. These are the C target's own
functions once more (`c_elementary` says how they work, `c_polynomials` has their coefficients):
arithmetic and selections, both sides of a case computed. A function keeps its own rules of rounding
where it is put into a loop, so that the freedom of the loop's sums does not reach into it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from string import Template

from symgrad.backends.c_elementary import TYPES
from symgrad.backends.c_polynomials import COEFFICIENTS, polynomial

#: How a function is compiled: into its callers. Products and sums may be fused, nothing else.
INLINE = '@njit(error_model="numpy", fastmath={"contract"}, forceinline=True)'

#: Source by name, and the names that it calls. Numbers become `real` where that is not Python's.
TEXTS: dict[str, tuple[str, tuple[str, ...]]] = {
    "plus": (
        """\
@njit(error_model="numpy", fastmath={"contract", "reassoc"}, forceinline=True)
def plus(a, b):
    # The sums over samples alone may be taken in another order: in lanes, side by side.
    return a + b
""",
        (),
    ),
    "bits": ("def bits(x):\n    return real(x).view(np.$int)\n", ()),
    "of_bits": ("def of_bits(u):\n    return np.$int(u).view(np.$float)\n", ()),
    "power_of": (
        """\
def power_of(x):
    # exp(x) = (1 + r + square) * low * high; low and high are powers of two.
    t = x * $log2e + $magic
    k = t - $magic
    r = (x - k * $ln2_high) - k * $ln2_low
    both = bits(t) - $magic_bits + 2 * $bias
    half = both >> 1
    return r, (r * r) * exp_tail(r), of_bits(half << $digits), of_bits((both - half) << $digits)
""",
        ("bits", "of_bits", "exp_tail"),
    ),
    "exp": (
        """\
def exp(x):
    least = $exp_low if x < $exp_low else x
    r, square, low, high = power_of($exp_high if least > $exp_high else least)
    return (((r + square) + 1.0) * low) * high
""",
        ("power_of",),
    ),
    "expm1": (
        """\
def expm1(x):
    least = $expm1_low if x < $expm1_low else x
    r, square, low, high = power_of($exp_high if least > $exp_high else least)
    # Half the value: 2^1024 is no number, but exp(709.7) is.
    scale = (low * 0.5) * high
    half = (scale * r + (scale - 0.5)) + scale * square
    return x if math.fabs(x) < $tiny else half + half
""",
        ("power_of",),
    ),
    "tanh": (
        """\
def tanh(x):
    y = math.fabs(x)
    near = y < 0.6
    far = $tanh_high if y > $tanh_high else y
    t = far * (2.0 * $log2e) + $magic
    k = t - $magic
    rest = (far - k * (0.5 * $ln2_high)) - k * (0.5 * $ln2_low)
    scale = of_bits(($magic_bits + $bias - bits(t)) << $digits)
    w = y if near else rest
    z = w * w
    c = z * coth_tail(z)
    whole = 1.0 + c
    m = (whole - w) * scale
    total = (whole + w) + m
    above = w * c if near else m + m
    below = whole if near else total
    return math.copysign((w if near else real(1.0)) - above / below, x)
""",
        ("bits", "of_bits", "coth_tail"),
    ),
    "tanh_chain": (
        """\
def tanh_chain(x):
    # For a chain of calls, each waiting for the one before: near 0 without a division.
    z = x * x
    if z < 0.81:
        return math.copysign(x + (x * z) * tanh_tail(z), x)
    return tanh(x)
""",
        ("tanh", "tanh_tail"),
    ),
    "sigmoid": (
        """\
def sigmoid(x):
    y = -math.fabs(x)
    r, square, low, high = power_of($sigmoid_low if y < $sigmoid_low else y)
    tail = r + square
    one = 1.0 + tail
    e = (one * low) * high
    below = 1.0 + e
    # 1 + tail and 1 + e are rounded; what was lost is given back.
    lost = e - (below - 1.0)
    left = ((1.0 + (tail - lost * one)) * low) * high
    return (left if x < 0.0 else real(1.0)) / below
""",
        ("power_of",),
    ),
    "sigmoid_chain": (
        """\
def sigmoid_chain(x):
    # (1 + tanh(x/2))/2 near 0, where the branch is worth its price in a chain of calls.
    w = 0.5 * x
    z = w * w
    if z < 0.81:
        return 0.5 + (0.5 * w + (0.5 * w * z) * tanh_tail(z))
    return sigmoid(x)
""",
        ("sigmoid", "tanh_tail"),
    ),
    "log_of": (
        """\
def log_of(k, f, lost):
    # k log(2) + log(1 + f) + lost, for f from -0.3 to 0.5.
    s = f / (2.0 + f)
    z = s * s
    low = s * (f - (z + z) * atanh_tail(z)) - (k * $ln2_low + lost)
    return k * $ln2_high + (f - low)
""",
        ("atanh_tail",),
    ),
    "log": (
        """\
def log(x):
    small = x < $least_normal
    u = bits(x * $lift if small else x) + ($one - $half_root)
    shift = $integer_lifted if small else $integer_bias
    k = of_bits((u >> $digits) | $integer_bits) - shift
    value = log_of(k, of_bits((u & $fraction) + $half_root) - 1.0, real(0.0))
    finite = value if x < math.inf else x
    zero = real(-math.inf) if x == 0.0 else real(math.nan)
    return finite if x > 0.0 else zero
""",
        ("bits", "of_bits", "log_of"),
    ),
    "log1p": (
        """\
def log1p(x):
    v = 1.0 + x
    back = v - 1.0
    lost = (1.0 - (v - back)) + (x - back)
    u = bits(v) + ($one - $half_root)
    exponent = u >> $digits
    k = of_bits(exponent | $integer_bits) - $integer_bias
    f = of_bits((u & $fraction) + $half_root) - 1.0
    # lost/v: 1/(1 + f) is nearly (1 - f)(1 + f^2); a large x has no need of it.
    down = of_bits((2 * $bias - exponent) << $digits) if x < $large else real(0.0)
    value = log_of(k, f, (lost * ((1.0 - f) * (1.0 + f * f))) * down)
    finite = value if x < math.inf else x
    edge = real(-math.inf) if x == -1.0 else real(math.nan)
    inside = finite if x > -1.0 else edge
    return x if math.fabs(x) < $tiny else inside
""",
        ("bits", "of_bits", "log_of"),
    ),
    "softplus": (
        """\
def softplus(x):
    y = -math.fabs(x)
    r, square, low, high = power_of($exp_low if y < $exp_low else y)
    tail = r + square
    one = 1.0 + tail
    e = (one * low) * high
    lost = (((tail - (one - 1.0)) + ((r - tail) + square)) * low) * high
    large = e > 0.5
    # log(1 + e + lost)
    k, f = (real(1.0), 0.5 * (e - 1.0)) if large else (real(0.0), e)
    return (real(0.0) if x < 0.0 else x) + log_of(k, f, lost * (1.0 - 0.5 * e))
""",
        ("power_of", "log_of"),
    ),
    "maximum": ("def maximum(a, b):\n    return a if (a >= b) or (a != a) else b\n", ()),
    "minimum": ("def minimum(a, b):\n    return a if (a <= b) or (a != a) else b\n", ()),
    "sign": (
        """\
def sign(x):
    below = real(-1.0) if x < 0.0 else x
    return real(1.0) if x > 0.0 else below
""",
        (),
    ),
    "step": (
        """\
def step(x):
    below = real(0.0) if x <= 0.0 else x
    return real(1.0) if x > 0.0 else below
""",
        (),
    ),
}
#: Functions that end early: in scalar code a shorter chain is faster, in vector code it is not.
CHAINS = {"tanh": "tanh_chain", "sigmoid": "sigmoid_chain"}
_KINDS = {"float64": ("double", "int64"), "float32": ("float", "int32")}
#: Python's numbers with a fraction or an exponent, where they are not the type's already.
_FLOAT = re.compile(r"(?<!real\()(?<!real\(-)(?<![\w.])\d+(?:\.\d+(?:e[+-]?\d+)?|e[+-]?\d+)")


def _number(text: str) -> str:
    """Return a number of C's in Python."""
    if "p" in text:
        return repr(float.fromhex(text))
    return str(int(text, 16)) if text.startswith("0x") else text


def source_of(names: Iterable[str], dtype: str) -> str:
    """Return the source of functions: each once, and after those that it calls.

    Args:
        names: Some of `TEXTS`.
        dtype: `"float64"` or `"float32"`.

    >>> print(source_of(["plus"], "float64").splitlines()[1])
    def plus(a, b):
    """
    found: dict[str, str] = {}
    for name in names:
        _collect(name, dtype, found)
    return "\n\n".join(found.values())


def _collect(name: str, dtype: str, found: dict[str, str]) -> None:
    if name in found:
        return
    kind, integer = _KINDS[dtype]
    text, needs = TEXTS[name] if name in TEXTS else (_polynomial(name, kind), ())
    for other in needs:
        _collect(other, dtype, found)
    fields = {key: _number(value) for key, value in TYPES[kind].items() if key not in ("real", "f")}
    whole, bias, lifted = (float(fields[key]) for key in ("integer", "bias", "lifted"))
    fields |= {
        **{"int": integer, "float": dtype, "large": repr(2.0**60)},
        **{"integer_bias": repr(whole + bias), "integer_lifted": repr(whole + bias + lifted)},
    }
    text = Template(text).substitute(fields)
    if dtype == "float32":
        lines = text.splitlines(keepends=True)
        text = "".join(
            line if line.strip().startswith("#") else _FLOAT.sub(r"real(\g<0>)", line)
            for line in lines
        )
    found[name] = text if text.startswith("@") else f"{INLINE}\n{text}"


def _polynomial(name: str, kind: str) -> str:
    """Return the function of one polynomial, by Estrin's scheme."""
    coefficients = tuple(_number(text) for text in COEFFICIENTS[name][kind])
    lines, power = [f"def {name}(z):"], 2
    while power < len(coefficients):
        root = "z" if power == 2 else f"z{power // 2}"
        lines.append(f"    z{power} = {root} * {root}")
        power *= 2
    return "\n".join([*lines, f"    return {polynomial('z', coefficients, '')}", ""])


__all__ = ["CHAINS", "INLINE", "TEXTS", "source_of"]
