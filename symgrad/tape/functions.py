"""How scalar functions are recorded: each in operations that targets have, in its stable form."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import sympy as sp

from symgrad.functions import FUNCTIONS, several
from symgrad.tape import Value
from symgrad.tape.recorder import Recorder

Record = Callable[..., Value]

#: Operations with the names that SymPy's functions have in a tape.
DIRECT: dict[Any, str] = {
    **{getattr(sp, name): name for name in ("exp", "log", "sin", "cos", "tan", "tanh")},
    **{sp.sinh: "sinh", sp.cosh: "cosh", sp.atan2: "atan2", sp.Abs: "abs", sp.sign: "sign"},
    **{sp.asin: "arcsin", sp.acos: "arccos", sp.atan: "arctan", sp.erf: "erf", sp.erfc: "erfc"},
    **{sp.asinh: "arcsinh", sp.acosh: "arccosh", sp.atanh: "arctanh"},
    **{sp.floor: "floor", sp.ceiling: "ceil"},
}
#: Functions that are the reciprocal of another.
RECIPROCALS = {
    **{sp.sec: "cos", sp.csc: "sin", sp.cot: "tan"},
    **{sp.sech: "cosh", sp.csch: "sinh", sp.coth: "tanh"},
}


def _sigmoid(r: Recorder, z: Value) -> Value:
    if "sigmoid" in r.native:
        return r.entrywise("sigmoid", z)
    # Right to the last digits on both sides: exp(-z) may overflow, and 1 / inf is 0.
    return r.divide(r.number(1), r.add(r.number(1), r.entrywise("exp", r.negative(z))))


def _softplus(r: Recorder, z: Value) -> Value:
    if "softplus" in r.native:
        return r.entrywise("softplus", z)
    decay = r.entrywise("exp", r.negative(r.entrywise("abs", z)))
    return r.add(_relu(r, z), r.entrywise("log1p", decay))


def _relu(r: Recorder, z: Value) -> Value:
    return r.entrywise("maximum", z, r.number(0))


def _low(r: Recorder, z: Value) -> Value:
    """Return exp(min(z, 0)) - 1, the side of elu below 0."""
    return r.entrywise("expm1", r.entrywise("minimum", z, r.number(0)))


def _clipped(r: Recorder, z: Value, low: Any, high: Any) -> Value:
    return r.entrywise("minimum", r.entrywise("maximum", z, r.number(low)), r.number(high))


def _leaky_relu(r: Recorder, z: Value) -> Value:
    return r.entrywise("maximum", z, r.scaled(sp.Rational(1, 100), z))


_SELU_SCALE = sp.Float("1.0507009873554804934193349852946", 30)
_SELU_ALPHA = sp.Float("1.6732632423543772848170429916717", 30)


def _selu(r: Recorder, z: Value) -> Value:
    parts = _relu(r, z), r.scaled(_SELU_ALPHA, _low(r, z))
    return r.scaled(_SELU_SCALE, r.add(*parts))


def _log_cosh(r: Recorder, z: Value) -> Value:
    """Record log(1 + 2 sinh(z/2)^2) near 0, |z| + log(1 + exp(-2|z|)) - log 2 elsewhere."""
    size = r.entrywise("abs", z)
    one = r.number(1)
    half = r.scaled(sp.Rational(1, 2), r.entrywise("minimum", size, one))
    bend = r.power(r.entrywise("sinh", half), 2)
    near = r.entrywise("log1p", r.scaled(2, bend))
    decay = r.entrywise("log1p", r.entrywise("exp", r.scaled(-2, size)))
    far = r.add(size, decay, r.number(-sp.log(2).evalf(30)))
    return r.entrywise("where", r.entrywise("greater", one, size), near, far)


def _gelu(r: Recorder, z: Value) -> Value:
    tail = r.entrywise("erfc", r.scaled(-sp.sqrt(sp.Rational(1, 2)).evalf(30), z))
    return r.scaled(sp.Rational(1, 2), r.multiply(z, tail))


def _gelu_tanh(r: Recorder, z: Value) -> Value:
    cubic = r.add(z, r.scaled(sp.Rational(44715, 10**6), r.power(z, 3)))
    slope = 2 * sp.sqrt(2 / sp.pi).evalf(30)
    return r.multiply(z, _sigmoid(r, r.scaled(slope, cubic)))


def _direct(kind: str) -> Record:
    return lambda r, *z: r.entrywise(kind, *z)


#: symgrad's own functions by name; the tests compare each with its definition.
OWN: dict[str, Record] = {
    "sigmoid": _sigmoid,
    "step": _direct("step"),
    "softplus": _softplus,
    "log1pexp": _softplus,
    "erf": _direct("erf"),
    "erfc": _direct("erfc"),
    "relu": _relu,
    "leaky_relu": _leaky_relu,
    "elu": lambda r, z: r.add(_relu(r, z), _low(r, z)),
    "selu": _selu,
    "silu": lambda r, z: r.multiply(z, _sigmoid(r, z)),
    "mish": lambda r, z: r.multiply(z, r.entrywise("tanh", _softplus(r, z))),
    "softsign": lambda r, z: r.divide(z, r.add(r.number(1), r.entrywise("abs", z))),
    "hardtanh": lambda r, z: _clipped(r, z, -1, 1),
    "hard_sigmoid": lambda r, z: _clipped(
        r, r.add(r.scaled(sp.Rational(1, 6), z), r.number(sp.Rational(1, 2))), 0, 1
    ),
    "log_sigmoid": lambda r, z: r.negative(_softplus(r, r.negative(z))),
    "log_cosh": _log_cosh,
    "gelu": _gelu,
    "gelu_tanh": _gelu_tanh,
}


def _xlogy(r: Recorder, x: Value, y: Value) -> Value:
    zero = r.entrywise("equal", x, r.number(0))
    safe = r.entrywise("where", zero, r.number(1), y)
    return r.entrywise("where", zero, r.number(0), r.multiply(x, r.entrywise("log", safe)))


def _logsumexp(r: Recorder, *values: Value) -> Value:
    top = values[0]
    for value in values[1:]:
        top = r.entrywise("maximum", top, value)
    total = r.add(*(r.entrywise("exp", r.add(value, r.negative(top))) for value in values))
    return r.add(top, r.entrywise("log", total))


SEVERAL: dict[Any, Record] = {several.xlogy: _xlogy, several.logsumexp: _logsumexp}


def record_of(head: Any) -> Record | None:
    """Return how a function class of SymPy's or of symgrad's is recorded, or None."""
    if head in DIRECT:
        return _direct(DIRECT[head])
    if head in RECIPROCALS:
        kind = RECIPROCALS[head]
        return lambda r, z: r.divide(r.number(1), r.entrywise(kind, z))
    if head in SEVERAL:
        return SEVERAL[head]
    for name, record in OWN.items():
        if FUNCTIONS[name].apply is head:
            return record
    return None
