"""C text of exp, log, tanh, sigmoid and what is made of them: the functions that vectorise.

Each is written once for both types, as a `string.Template`: `$real` is `double` or `float`, `$f` is
the ending of names and constants (nothing, or `f`), the other fields are in `TYPES`. Both sides of
every case are computed and one is selected, so that a compiler can turn a loop over a call into
vector code.

The mathematics, with k = round(x / log 2) and a reduced argument:

- exp(x) = 2^k (1 + t), t = r + r^2 P(r) at r = x - k log 2. The power of two is applied as two
  factors, so that it can neither overflow nor lose a subnormal result.
- tanh(k log(2)/2 + w): with exp(2w) = (C + w)/(C - w), C = w coth(w), it is
  1 - 2 m/(C + w + m) at m = 2^-k (C - w): one division and a polynomial of half the degree that
  exp needs. Below 0.6 it is w/C, as w - w c/(1 + c) with C = 1 + c, so that w is not rounded.
- log(1 + f) = 2 atanh(s), s = f/(2 + f); as 2s = f - s f, it is f - s (f - 2 s^2 Q(s^2)).
- erfc(y) exp(y^2) (1 + 2y) is smooth in (y - 2.5)/(y + 3); a polynomial in that gives erfc and
  gelu, which keep their digits in the tails.
- 1 + t and 1 + exp(-|x|) are rounded; what was lost is found by subtraction, and given to the next
  step where it would be seen in the result.

The polynomials are those of `c_polynomials`.
"""

from __future__ import annotations

from typing import NamedTuple


class Text(NamedTuple):
    """One C function, or a few that belong together.

    Attributes:
        text: The template of its source.
        needs: Names of the texts that must stand before it.
    """

    text: str
    needs: tuple[str, ...] = ()


#: What differs between the two types. `magic` is 1.5 times 2 to the number of bits of a fraction:
#: added to a number, it leaves the nearest integer in the last bits. `ln2_high` has as many
#: trailing zeros as k has bits, so that k times it is exact.
TYPES: dict[str, dict[str, str]] = {
    "double": {
        "real": "double",
        "f": "",
        "uint": "uint64_t",
        "digits": "52",
        "bias": "1023",
        "fraction": "0x000fffffffffffff",
        "one": "0x3ff0000000000000",
        "half_root": "0x3fe6a09e667f3bcd",
        "magic": "0x1.8p52",
        "magic_bits": "0x4338000000000000",
        "integer": "0x1p52",
        "integer_bits": "0x4330000000000000",
        "log2e": "0x1.71547652b82fep0",
        "ln2": "0x1.62e42fefa39efp-1",
        "ln2_high": "0x1.62e42fefa38p-1",
        "ln2_low": "0x1.ef35793c7673p-45",
        "least_normal": "0x1p-1022",
        "lift": "0x1p54",
        "lifted": "54",
        "tiny": "0x1p-54",
        "exp_low": "-746.0",
        "exp_high": "710.0",
        "expm1_low": "-40.0",
        "sigmoid_low": "-760.0",
        "tanh_high": "22.0",
        "upper_half": "0xfffffffff8000000",
        "erfc_high": "27.5",
        "gelu_high": "39.0",
    },
    "float": {
        "real": "float",
        "f": "f",
        "uint": "uint32_t",
        "digits": "23",
        "bias": "127",
        "fraction": "0x007fffff",
        "one": "0x3f800000",
        "half_root": "0x3f3504f3",
        "magic": "0x1.8p23",
        "magic_bits": "0x4b400000",
        "integer": "0x1p23",
        "integer_bits": "0x4b000000",
        "log2e": "0x1.715476p0",
        "ln2": "0x1.62e43p-1",
        "ln2_high": "0x1.62e4p-1",
        "ln2_low": "0x1.7f7d1cp-20",
        "least_normal": "0x1p-126",
        "lift": "0x1p25",
        "lifted": "25",
        "tiny": "0x1p-25",
        "exp_low": "-105.0",
        "exp_high": "89.0",
        "expm1_low": "-20.0",
        "sigmoid_low": "-115.0",
        "tanh_high": "10.0",
        "upper_half": "0xfffff000",
        "erfc_high": "10.7",
        "gelu_high": "15.1",
    },
}

#: Templates by name. Those that only others call are in `c_functions._INNER`.
TEXTS: dict[str, Text] = {
    "bits": Text("""\
static inline $uint sg_bits$f($real x) {
    $uint u;
    memcpy(&u, &x, sizeof u);
    return u;
}
static inline $real sg_of_bits$f($uint u) {
    $real x;
    memcpy(&x, &u, sizeof x);
    return x;
}
"""),
    "power_of": Text(
        """\
/* exp(x - rest) = (1 + r + square) * low * high; low and high are powers of two. */
typedef struct { $real r, square, low, high; } sg_power_t$f;
static inline sg_power_t$f sg_power_of$f($real x, $real rest) {
    const $real t = (x - rest) * $log2e$f + $magic$f, k = t - $magic$f;
    const $real r = ((x - k * $ln2_high$f) - k * $ln2_low$f) - rest;
    const $uint both = sg_bits$f(t) - $magic_bits + 2 * $bias, half = both >> 1;
    sg_power_t$f p;
    p.r = r;
    p.square = (r * r) * sg_exp_tail$f(r);
    p.low = sg_of_bits$f(half << $digits);
    p.high = sg_of_bits$f((both - half) << $digits);
    return p;
}
""",
        ("bits", "exp_tail"),
    ),
    "exp": Text(
        """\
static inline $real sg_exp$f($real x) {
    const $real least = x < $exp_low$f ? $exp_low$f : x;
    const sg_power_t$f p = sg_power_of$f(least > $exp_high$f ? $exp_high$f : least, 0.0$f);
    return (((p.r + p.square) + 1.0$f) * p.low) * p.high;
}
""",
        ("power_of",),
    ),
    "expm1": Text(
        """\
static inline $real sg_expm1$f($real x) {
    const $real least = x < $expm1_low$f ? $expm1_low$f : x;
    const sg_power_t$f p = sg_power_of$f(least > $exp_high$f ? $exp_high$f : least, 0.0$f);
    /* Half the value: 2^1024 is no number, but exp(709.7) is. */
    const $real scale = (p.low * 0.5$f) * p.high;
    const $real half = (scale * p.r + (scale - 0.5$f)) + scale * p.square;
    return fabs$f(x) < $tiny$f ? x : half + half;
}
""",
        ("power_of",),
    ),
    "tanh": Text(
        """\
static inline $real sg_tanh$f($real x) {
    const $real y = fabs$f(x), far = y > $tanh_high$f ? $tanh_high$f : y;
    const $real t = far * (2.0$f * $log2e$f) + $magic$f, k = t - $magic$f;
    const $real rest = (far - k * (0.5$f * $ln2_high$f)) - k * (0.5$f * $ln2_low$f);
    const $real scale = sg_of_bits$f(($magic_bits + $bias - sg_bits$f(t)) << $digits);
    const $real w = y < 0.6$f ? y : rest, z = w * w;
    const $real c = z * sg_coth_tail$f(z), whole = 1.0$f + c;
    const $real m = (whole - w) * scale, sum = (whole + w) + m;
    const $real above = y < 0.6$f ? w * c : m + m, below = y < 0.6$f ? whole : sum;
    return copysign$f((y < 0.6$f ? w : 1.0$f) - above / below, x);
}
""",
        ("bits", "coth_tail"),
    ),
    "tanh_chain": Text(
        """\
/* For a chain of calls, each waiting for the one before: near 0 without a division. */
static inline $real sg_tanh_chain$f($real x) {
    const $real z = x * x;
    if (z < 0.81$f) return copysign$f(x + (x * z) * sg_tanh_tail$f(z), x);
    return sg_tanh$f(x);
}
""",
        ("tanh", "tanh_tail"),
    ),
    "sigmoid_chain": Text(
        """\
/* (1 + tanh(x/2))/2 near 0, where the branch is worth its price in a chain of calls. */
static inline $real sg_sigmoid_chain$f($real x) {
    const $real w = 0.5$f * x, z = w * w;
    if (z < 0.81$f) return 0.5$f + (0.5$f * w + (0.5$f * w * z) * sg_tanh_tail$f(z));
    return sg_sigmoid$f(x);
}
""",
        ("sigmoid", "tanh_tail"),
    ),
    "sigmoid_times": Text(
        """\
/* factor * sigmoid(x); the factor comes in before the power of two, where nothing underflows. */
static inline $real sg_sigmoid_times$f($real factor, $real x) {
    const $real y = -fabs$f(x);
    const sg_power_t$f p = sg_power_of$f(y < $sigmoid_low$f ? $sigmoid_low$f : y, 0.0$f);
    const $real tail = p.r + p.square, one = 1.0$f + tail;
    const $real e = (one * p.low) * p.high, below = 1.0$f + e;
    const $real lost = e - (below - 1.0$f);
    const $real left = ((factor * (1.0$f + (tail - lost * one))) * p.low) * p.high;
    return (x < 0.0$f ? left : factor) / below;
}
""",
        ("power_of",),
    ),
    "sigmoid": Text(
        """\
static inline $real sg_sigmoid$f($real x) { return sg_sigmoid_times$f(1.0$f, x); }
""",
        ("sigmoid_times",),
    ),
    "silu": Text(
        """\
static inline $real sg_silu$f($real x) {
    return sg_sigmoid_times$f(x < $sigmoid_low$f ? $sigmoid_low$f : x, x);
}
""",
        ("sigmoid_times",),
    ),
    "gelu_tanh": Text(
        """\
static inline $real sg_gelu_tanh$f($real x) {
    const $real u = 0.7978845608028654$f * (x + 0.044715$f * (x * x * x));
    return sg_sigmoid_times$f(x < -40.0$f ? -40.0$f : x, u + u);
}
""",
        ("sigmoid_times",),
    ),
    "mish": Text(
        """\
/* tanh(log(1 + e)) = (e^2 + 2e)/(e^2 + 2e + 2). */
static inline $real sg_mish$f($real x) {
    const $real y = -fabs$f(x), factor = x < $sigmoid_low$f ? $sigmoid_low$f : x;
    const sg_power_t$f p = sg_power_of$f(y < $sigmoid_low$f ? $sigmoid_low$f : y, 0.0$f);
    const $real one = 1.0$f + (p.r + p.square), e = (one * p.low) * p.high;
    const $real left = (((factor * one) * (e + 2.0$f)) * p.low) * p.high;
    const $real right = 1.0$f + 2.0$f * e;
    return x < 0.0$f ? left / (e * (e + 2.0$f) + 2.0$f)
                     : factor * (1.0$f - (2.0$f * e * e) / (right + 2.0$f * e * e));
}
""",
        ("power_of",),
    ),
    "elu": Text(
        """\
static inline $real sg_elu$f($real x) {
    const $real low = sg_expm1$f(x > 0.0$f ? 0.0$f : x);
    return x > 0.0$f ? x : low;
}
""",
        ("expm1",),
    ),
    "selu": Text(
        """\
static inline $real sg_selu$f($real x) {
    const $real low = sg_expm1$f(x > 0.0$f ? 0.0$f : x);
    return x > 0.0$f ? 1.0507009873554805$f * x : 1.7580993408473768$f * low;
}
""",
        ("expm1",),
    ),
    "log_of": Text(
        """\
/* k log(2) + log(1 + f) + lost, for f from -0.3 to 0.5. */
static inline $real sg_log_of$f($real k, $real f, $real lost) {
    const $real s = f / (2.0$f + f), z = s * s;
    const $real low = s * (f - (z + z) * sg_atanh_tail$f(z)) - (k * $ln2_low$f + lost);
    return k * $ln2_high$f + (f - low);
}
""",
        ("atanh_tail",),
    ),
    "log": Text(
        """\
static inline $real sg_log$f($real x) {
    const int small = x < $least_normal$f;
    const $uint u = sg_bits$f(small ? x * $lift$f : x) + ($one - $half_root);
    const $real k = sg_of_bits$f((u >> $digits) | $integer_bits)
        - (small ? $integer$f + $bias.0$f + $lifted.0$f : $integer$f + $bias.0$f);
    const $real f = sg_of_bits$f((u & $fraction) + $half_root) - 1.0$f;
    const $real value = sg_log_of$f(k, f, 0.0$f);
    const $real finite = x < INFINITY ? value : x;
    return x > 0.0$f ? finite : (x == 0.0$f ? -INFINITY : NAN);
}
""",
        ("bits", "log_of"),
    ),
    "log1p": Text(
        """\
static inline $real sg_log1p$f($real x) {
    const $real v = 1.0$f + x, back = v - 1.0$f;
    const $real lost = (1.0$f - (v - back)) + (x - back);
    const $uint u = sg_bits$f(v) + ($one - $half_root), exponent = u >> $digits;
    const $real k = sg_of_bits$f(exponent | $integer_bits) - ($integer$f + $bias.0$f);
    const $real f = sg_of_bits$f((u & $fraction) + $half_root) - 1.0$f;
    /* lost/v: 1/(1 + f) is nearly (1 - f)(1 + f^2); a large x has no need of it. */
    const $real down = sg_of_bits$f((2 * $bias - exponent) << $digits);
    const $real part = (lost * ((1.0$f - f) * (1.0$f + f * f))) * (x < 0x1p60$f ? down : 0.0$f);
    const $real value = sg_log_of$f(k, f, part);
    const $real finite = x < INFINITY ? value : x;
    const $real inside = x > -1.0$f ? finite : (x == -1.0$f ? -INFINITY : NAN);
    return fabs$f(x) < $tiny$f ? x : inside;
}
""",
        ("bits", "log_of"),
    ),
    "log1p_unit": Text(
        """\
/* log(1 + e + lost) for e from 0 to 1 and a lost that is small beside e. */
static inline $real sg_log1p_unit$f($real e, $real lost) {
    const int large = e > 0.5$f;
    return sg_log_of$f(large ? 1.0$f : 0.0$f, large ? 0.5$f * (e - 1.0$f) : e,
                       lost * (1.0$f - 0.5$f * e));
}
""",
        ("log_of",),
    ),
    "softplus": Text(
        """\
static inline $real sg_softplus$f($real x) {
    const $real y = -fabs$f(x);
    const sg_power_t$f p = sg_power_of$f(y < $exp_low$f ? $exp_low$f : y, 0.0$f);
    const $real tail = p.r + p.square, one = 1.0$f + tail;
    const $real e = (one * p.low) * p.high;
    const $real lost = (((tail - (one - 1.0$f)) + ((p.r - tail) + p.square)) * p.low) * p.high;
    return (x < 0.0$f ? 0.0$f : x) + sg_log1p_unit$f(e, lost);
}
""",
        ("power_of", "log1p_unit"),
    ),
    "log1pexp": Text(
        "static inline $real sg_log1pexp$f($real x) { return sg_softplus$f(x); }\n", ("softplus",)
    ),
    "log_sigmoid": Text(
        "static inline $real sg_log_sigmoid$f($real x) { return -sg_softplus$f(-x); }\n",
        ("softplus",),
    ),
    "logaddexp": Text(
        """\
static inline $real sg_logaddexp$f($real a, $real b) {
    /* Two equal infinities have no difference. */
    const $real size = a == b ? 0.0$f : fabs$f(a - b), top = a > b ? a : b;
    return top + sg_softplus$f(-size);
}
""",
        ("softplus",),
    ),
    "log_cosh": Text(
        """\
/* log(1 + E^2/(2 + 2E)) at E = expm1(y) near 0; y + log(1 + exp(-2y)) - log(2) elsewhere. */
static inline $real sg_log_cosh$f($real x) {
    const $real y = fabs$f(x);
    const $real e = sg_expm1$f(y < 1.0$f ? y : -2.0$f * y);
    const $real near = (e * e) / (2.0$f + 2.0$f * e), far = 1.0$f + e;
    const $real value = sg_log1p_unit$f(y < 1.0$f ? near : far, 0.0$f);
    return y < 1.0$f ? value : y + (value - $ln2$f);
}
""",
        ("expm1", "log1p_unit"),
    ),
    "erfc_times": Text(
        """\
/* factor * erfc(y) for y >= 0, where w is y or sqrt(2) y, and share * w^2 is y^2. In exp(-y^2)
   the upper half of w is squared, exactly; the rest comes in when the argument is reduced. */
static inline $real sg_erfc_times$f($real factor, $real y, $real w, $real share) {
    const $real top = sg_of_bits$f(sg_bits$f(w) & $upper_half);
    const sg_power_t$f p = sg_power_of$f(-(share * (top * top)), share * ((w - top) * (w + top)));
    const $real t = (y - 2.5$f) / (y + 3.0$f), one = 1.0$f + (p.r + p.square);
    return (((factor * (one * sg_erfc_body$f(t))) / (1.0$f + 2.0$f * y)) * p.low) * p.high;
}
""",
        ("power_of", "erfc_body"),
    ),
    "erf": Text(
        """\
static inline $real sg_erf$f($real x) {
    const $real size = fabs$f(x), y = size > $erfc_high$f ? $erfc_high$f : size;
    const $real near = x + x * sg_erf_tail$f(y * y);
    const $real far = copysign$f(1.0$f - sg_erfc_times$f(1.0$f, y, y, 1.0$f), x);
    return y < 0.5$f ? near : far;
}
""",
        ("erfc_times", "erf_tail"),
    ),
    "erfc": Text(
        """\
static inline $real sg_erfc$f($real x) {
    const $real size = fabs$f(x), y = size > $erfc_high$f ? $erfc_high$f : size;
    const $real near = 1.0$f - (x + x * sg_erf_tail$f(y * y));
    const $real tail = sg_erfc_times$f(1.0$f, y, y, 1.0$f);
    const $real far = x < 0.0$f ? 2.0$f - tail : tail;
    return y < 0.5$f ? near : far;
}
""",
        ("erfc_times", "erf_tail"),
    ),
    "gelu": Text(
        """\
/* x Phi(x): x (1 + erf(v))/2 near 0, x - x erfc(v)/2 above, what is subtracted there below. */
static inline $real sg_gelu$f($real x) {
    const $real size = fabs$f(x), w = size > $gelu_high$f ? $gelu_high$f : size;
    const $real y = 0.7071067811865476$f * w, v = copysign$f(y, x), half = 0.5$f * x;
    const $real near = half * (1.0$f + (v + v * sg_erf_tail$f(y * y)));
    const $real tail = sg_erfc_times$f(0.5$f * w, y, w, 0.5$f);
    const $real far = x < 0.0$f ? -tail : x - tail;
    return w < 0.7$f ? near : far;
}
""",
        ("erfc_times", "erf_tail"),
    ),
}
