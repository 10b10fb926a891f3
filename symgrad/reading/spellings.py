"""How NumPy's elementwise functions are spelled in the alphabet of a circuit, by name.

This is the one place: `np.tanh`, `math.tanh` and a method of an array all look here.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from fractions import Fraction
from typing import Any

import sympy as sp

from symgrad.circuit import Circuit
from symgrad.circuit import spellings as own
from symgrad.circuit.spellings import HALF
from symgrad.circuit.spellings import plus as _plus
from symgrad.errors import UnsupportedError

Spelling = Callable[..., int]


def _log_of(base: int) -> Spelling:
    def spelled(c: Circuit, x: int) -> int:
        return c.divide(c.log(x), c.log(c.number(base)))

    return spelled


def _quotient(c: Circuit, x: int, y: int) -> int:
    if c.as_number(y) == 0:
        raise UnsupportedError("a division by zero")
    return c.divide(x, y)


def _called(function: Any) -> Spelling:
    return lambda c, *args: c.call(function, *args)


def _exp_of_base(base: int) -> Spelling:
    return lambda c, x: c.general_power(c.number(base), x)


def _xlogy(c: Circuit, x: int, y: int) -> int:
    return c.number(0) if c.as_number(x) == 0 else c.multiply(x, c.log(y))


def _entropy(c: Circuit, x: int) -> int:
    return c.negative(_xlogy(c, x, x))


def _angle(factor: Fraction, power: int) -> Spelling:
    return lambda c, x: c.scale(factor, c.multiply(x, c.power(c.constant(sp.pi), power)))


#: Real functions of real numbers.
REAL: dict[str, Spelling] = {
    "add": lambda c, *args: c.add(*args),
    "subtract": lambda c, x, y: c.subtract(x, y),
    "multiply": lambda c, *args: c.multiply(*args),
    "divide": _quotient,
    "power": lambda c, x, y: c.general_power(x, y),
    "float_power": lambda c, x, y: c.general_power(x, y),
    "pow": lambda c, x, y: c.general_power(x, y),
    "negative": lambda c, x: c.negative(x),
    "positive": lambda c, x: x,
    "conjugate": lambda c, x: x,
    "square": lambda c, x: c.power(x, 2),
    "reciprocal": lambda c, x: c.power(x, -1),
    "sqrt": lambda c, x: c.root(x),
    "cbrt": lambda c, x: c.multiply(c.sign(x), c.power(c.absolute(x), Fraction(1, 3))),
    "exp": lambda c, x: c.exp(x),
    "exp2": _exp_of_base(2),
    "expm1": lambda c, x: _plus(c, c.exp(x), -1),
    "log": lambda c, x: c.log(x),
    "log1p": lambda c, x: c.log(_plus(c, x, 1)),
    "log2": _log_of(2),
    "log10": _log_of(10),
    "sin": lambda c, x: c.sin(x),
    "cos": lambda c, x: c.cos(x),
    "tan": own.tan,
    "sinh": own.sinh,
    "cosh": own.cosh,
    "tanh": own.tanh,
    "arcsin": _called(sp.asin),
    "arccos": _called(sp.acos),
    "arctan": _called(sp.atan),
    "arctan2": _called(sp.atan2),
    "arcsinh": own.asinh,
    "arccosh": own.acosh,
    "arctanh": own.atanh,
    "absolute": lambda c, x: c.absolute(x),
    "fabs": lambda c, x: c.absolute(x),
    "sign": lambda c, x: c.sign(x),
    "heaviside": own.step,
    "maximum": lambda c, *args: c.maximum(*args),
    "minimum": lambda c, *args: c.minimum(*args),
    "fmax": lambda c, *args: c.maximum(*args),
    "fmin": lambda c, *args: c.minimum(*args),
    "clip": lambda c, x, low, high: c.minimum(c.maximum(x, low), high),
    "hypot": lambda c, x, y: c.root(c.add(c.power(x, 2), c.power(y, 2))),
    "logaddexp": lambda c, x, y: c.log(c.add(c.exp(x), c.exp(y))),
    "logaddexp2": lambda c, x, y: _log_of(2)(
        c, c.add(_exp_of_base(2)(c, x), _exp_of_base(2)(c, y))
    ),
    "deg2rad": _angle(Fraction(1, 180), 1),
    "radians": _angle(Fraction(1, 180), 1),
    "rad2deg": _angle(Fraction(180), -1),
    "degrees": _angle(Fraction(180), -1),
    # Those of scipy.special and of the module math.
    "expit": own.logistic,
    "log_expit": lambda c, x: c.negative(own.softplus(c, c.negative(x))),
    "logit": lambda c, x: c.subtract(c.log(x), c.log(_plus(c, c.negative(x), 1))),
    "softplus": own.softplus,
    "xlogy": _xlogy,
    "xlog1py": lambda c, x, y: _xlogy(c, x, _plus(c, y, 1)),
    "entr": _entropy,
    "erf": _called(sp.erf),
    "erfc": own.erfc,
    "gammaln": _called(sp.loggamma),
    "gamma": _called(sp.gamma),
    "digamma": lambda c, x: c.call(sp.polygamma, c.number(0), x),
    "psi": lambda c, x: c.call(sp.polygamma, c.number(0), x),
    "polygamma": lambda c, n, x: c.call(sp.polygamma, n, x),
    "ndtr": lambda c, x: c.scale(
        HALF, _plus(c, c.call(sp.erf, c.multiply(x, c.power(c.number(2), -HALF))), 1)
    ),
}

#: Conditions on real numbers.
COMPARISONS: dict[str, Spelling] = {
    "greater": own.greater,
    "less": lambda c, x, y: own.greater(c, y, x),
    "greater_equal": lambda c, x, y: c.negation(own.greater(c, y, x)),
    "less_equal": lambda c, x, y: c.negation(own.greater(c, x, y)),
    "equal": own.equal,
    "not_equal": lambda c, x, y: c.negation(own.equal(c, x, y)),
    "isfinite": lambda c, x: c.true,
    "isnan": lambda c, x: c.false,
    "isinf": lambda c, x: c.false,
    "signbit": lambda c, x: c.positive(c.negative(x)),
}


def _differ(c: Circuit, p: int, q: int) -> int:
    return c.either(c.both(p, c.negation(q)), c.both(c.negation(p), q))


def _all(c: Circuit, *args: int) -> int:
    return c.both(*args)


def _any(c: Circuit, *args: int) -> int:
    return c.either(*args)


def _not(c: Circuit, p: int) -> int:
    return c.negation(p)


#: Conditions on conditions; a real number counts as the condition that it is not zero.
LOGIC: dict[str, Spelling] = {
    "logical_and": _all,
    "logical_or": _any,
    "logical_xor": _differ,
    "logical_not": _not,
}

#: The same by the operators & | ^ ~, which NumPy refuses for real numbers.
BITS: dict[str, Spelling] = {
    "bitwise_and": _all,
    "bitwise_or": _any,
    "bitwise_xor": _differ,
    "invert": _not,
}

#: What NumPy does where all arguments are conditions.
OF_CONDITIONS: dict[str, Spelling] = {
    "add": _any,
    "multiply": _all,
    "maximum": _any,
    "minimum": _all,
    "equal": lambda c, p, q: c.negation(_differ(c, p, q)),
    "not_equal": _differ,
}


def _whole(function: Callable[[Fraction], int]) -> Callable[..., Any]:
    return lambda x: Fraction(function(x))


#: Functions that jump: only of numbers that are known.
OF_NUMBERS: dict[str, Callable[..., Any]] = {
    "floor": _whole(math.floor),
    "ceil": _whole(math.ceil),
    "trunc": _whole(math.trunc),
    "rint": _whole(round),
    "round": lambda x, digits=0: round(x, int(digits)),
    "floor_divide": lambda x, y: Fraction(x // y),
    "remainder": lambda x, y: x % y,
    "fmod": lambda x, y: x - y * math.trunc(x / y),
    "copysign": lambda x, y: abs(x) if y >= 0 else -abs(x),
    "nextafter": lambda x, y: x,
}


def _infinite_sum(*args: float) -> float:
    return sum(args)


#: What is known of functions where an argument is infinite and finite ones are not known
#: (they are given as 0 here); a finite argument that must be returned itself is None.
INFINITE: dict[str, Callable[..., Any]] = {
    "add": _infinite_sum,
    "subtract": lambda x, y: x - y,
    "negative": lambda x: -x,
    "positive": lambda x: x,
    "absolute": abs,
    "exp": lambda x: x if x > 0 else 0,
    "expm1": lambda x: x if x > 0 else -1,
    "tanh": lambda x: 1 if x > 0 else -1,
    "sign": lambda x: 1 if x > 0 else -1,
    "expit": lambda x: 1 if x > 0 else 0,
    "greater": lambda x, y: x > y,
    "less": lambda x, y: x < y,
    "greater_equal": lambda x, y: x >= y,
    "less_equal": lambda x, y: x <= y,
    "equal": lambda x, y: x == y,
    "not_equal": lambda x, y: x != y,
    "isfinite": lambda x: False,
    "isinf": lambda x: x in (math.inf, -math.inf),
    "isnan": lambda x: x != x,
}
