"""Circuits evaluated with numbers: in floating point on many points at once, and to many digits."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Callable, Iterable, Mapping
from fractions import Fraction
from functools import cache
from typing import Any

import mpmath
import numpy as np
import sympy as sp

from symgrad import circuit as ops
from symgrad.circuit import Circuit

Values = dict[int, Any]
#: Arguments of exp beyond this are not computed: their values have millions of digits.
LARGEST_EXPONENT = 1e15
NAN = mpmath.mpf("nan")
#: The key of the largest magnitude among values.
LARGEST = -1


# -------------------------------------------------------------- many points


def on_points(
    circuit: Circuit, outputs: Iterable[int], points: Mapping[str, Any], count: int
) -> Values:
    """Evaluate outputs in floating point on many points at once.

    Args:
        circuit: The circuit.
        outputs: The nodes that are asked for.
        points: An array of `count` numbers for every variable.
        count: The number of points.

    Returns:
        An array by node; NaN where a value is not defined.
    """
    outputs = list(outputs)
    values: Values = {}
    with np.errstate(all="ignore"):
        for node in circuit.cone(outputs):
            values[node] = _array(circuit, node, values, points, count)
    return {node: np.broadcast_to(values[node], (count,)) for node in outputs}


def _array(circuit: Circuit, node: int, values: Values, points: Any, count: int) -> Any:
    kind, args, value = circuit.nodes[node]
    below = [values[arg] for arg in args]
    if kind == ops.NUMBER:
        return np.float64(float(value)) if abs(value) < 1e300 else np.float64("inf")
    if kind == ops.VARIABLE:
        return points[value]
    if kind == ops.CONSTANT:
        return np.float64(value)
    if kind == ops.POWER:
        return _array_power(below[0], value)
    if kind == ops.CALL:
        return _array_call(value, below, count)
    return ARRAYS[kind](*below)


def _product(*factors: Any) -> Any:
    total = factors[0]
    for factor in factors[1:]:
        total = total * factor
    return total


def _sum(*terms: Any) -> Any:
    total = terms[0]
    for term in terms[1:]:
        total = total + term
    return total


def _all(*conditions: Any) -> Any:
    total = np.bool_(True)
    for condition in conditions:
        total = total & condition
    return total


ARRAYS: dict[str, Callable[..., Any]] = {
    ops.ADD: _sum,
    ops.MULTIPLY: _product,
    ops.EXP: np.exp,
    ops.LOG: np.log,
    ops.SIN: np.sin,
    ops.COS: np.cos,
    ops.SELECT: np.where,
    ops.POSITIVE: lambda u: u > 0,
    ops.ZERO: lambda u: u == 0,
    ops.NOT: np.logical_not,
    ops.AND: _all,
}


def _array_power(base: Any, exponent: Fraction) -> Any:
    if exponent == Fraction(1, 2):
        return np.sqrt(base)
    if exponent == -1:
        return 1.0 / base
    return np.power(base, int(exponent) if exponent == 2 else float(exponent))


#: Opaque functions in floating point.
CALLS: dict[Any, Callable[..., Any]] = {
    sp.erf: np.vectorize(math.erf, otypes=[float]),
    sp.atan: np.arctan,
    sp.asin: np.arcsin,
    sp.acos: np.arccos,
    sp.atan2: np.arctan2,
    sp.floor: np.floor,
    sp.ceiling: np.ceil,
}


def _array_call(function: Any, below: list[Any], count: int) -> Any:
    if function in CALLS:
        return CALLS[function](*below)
    exact = _precise(function)
    made = np.full(count, np.nan)
    for k, arguments in enumerate(zip(*(np.broadcast_to(b, (count,)) for b in below), strict=True)):
        with contextlib.suppress(Exception):
            made[k] = float(exact(*map(mpmath.mpf, arguments)))
    return made


@cache
def _precise(function: Any) -> Callable[..., Any]:
    """Return mpmath's version of a SymPy function."""
    nargs = max(function.nargs) if function.nargs else 1
    names = [sp.Dummy(f"u{k}", real=True) for k in range(nargs)]
    return sp.lambdify(names, function(*names), "mpmath")  # type: ignore[no-any-return]


# -------------------------------------------------------------- many digits


def to_digits(
    circuit: Circuit,
    outputs: Iterable[int],
    point: Mapping[str, Any],
    digits: int,
    zeros: frozenset[int] = frozenset(),
    check: Callable[[], None] = lambda: None,
) -> Values:
    """Evaluate outputs at one point to many digits.

    Args:
        circuit: The circuit.
        outputs: The nodes that are asked for.
        point: A number for every variable.
        digits: Working precision in decimal digits.
        zeros: Nodes that conditions take as zero, because the point lies on a kink.
        check: Called now and then; raises when time is over.

    Returns:
        An mpmath number by node; NaN where a value is not defined or not real. Under `LARGEST`
        the largest magnitude on the way, which tells what rounding can hide.
    """
    outputs = list(outputs)
    values: Values = {}
    with mpmath.workdps(digits):
        for count, node in enumerate(circuit.cone(outputs)):
            if count % 256 == 0:
                check()
            try:
                values[node] = _number(circuit, node, values, point, zeros)
            except (ValueError, ZeroDivisionError, OverflowError, TypeError, ArithmeticError):
                values[node] = NAN
        sizes = (abs(v) for v in values.values() if not isinstance(v, bool))
        largest = max((size for size in sizes if mpmath.isfinite(size)), default=mpmath.mpf(0))
    return {LARGEST: largest, **{node: values[node] for node in outputs}}


def _number(
    circuit: Circuit, node: int, values: Values, point: Mapping[str, Any], zeros: frozenset[int]
) -> Any:
    kind, args, value = circuit.nodes[node]
    if kind in (ops.POSITIVE, ops.ZERO):
        u = values[args[0]]
        if args[0] in zeros:
            return kind == ops.ZERO
        if mpmath.isnan(u):
            raise ValueError("a condition on what is not defined")
        return u > 0 if kind == ops.POSITIVE else u == 0
    if kind == ops.SELECT:
        if values[args[0]] is NAN:
            return NAN
        return values[args[1]] if values[args[0]] else values[args[2]]
    below = [values[arg] for arg in args]
    if kind == ops.NUMBER:
        return mpmath.mpf(value.numerator) / value.denominator
    if kind == ops.VARIABLE:
        number = point[value]
        whole = isinstance(number, Fraction)
        return mpmath.mpf(number.numerator) / number.denominator if whole else mpmath.mpf(number)
    if kind == ops.CONSTANT:
        return value._to_mpmath(mpmath.mp.prec)
    if kind == ops.POWER:
        return _number_power(below[0], value)
    if kind == ops.CALL:
        return _real(_precise(value)(*below))
    return _real(NUMBERS[kind](*below))


def _number_power(base: Any, exponent: Fraction) -> Any:
    if exponent.denominator == 1:
        return base ** int(exponent)
    if base < 0:
        return NAN
    root = (
        mpmath.sqrt(base) if exponent.denominator == 2 else mpmath.root(base, exponent.denominator)
    )
    return root ** int(exponent.numerator)


def _real(value: Any) -> Any:
    if isinstance(value, mpmath.mpc):
        return value.real if value.imag == 0 else NAN
    return value if isinstance(value, bool) or value is NAN else mpmath.mpf(value)


def _exp(u: Any) -> Any:
    return mpmath.exp(u) if abs(u) < LARGEST_EXPONENT else NAN


def _log(u: Any) -> Any:
    return mpmath.log(u) if u > 0 else NAN


def _turned(function: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """Sines of huge arguments need as many more digits as the argument has."""

    def turned(u: Any) -> Any:
        return function(u) if abs(u) < mpmath.mpf(10) ** 1000 else NAN

    return turned


NUMBERS: dict[str, Callable[..., Any]] = {
    ops.ADD: lambda *terms: mpmath.fsum(terms) if len(terms) > 2 else terms[0] + terms[1],
    ops.MULTIPLY: _product,
    ops.EXP: _exp,
    ops.LOG: _log,
    ops.SIN: _turned(mpmath.sin),
    ops.COS: _turned(mpmath.cos),
    ops.NOT: lambda c: NAN if c is NAN else not c,
    ops.AND: lambda *parts: NAN if any(part is NAN for part in parts) else all(parts),
}


def sign_of_constant(circuit: Circuit, node: int) -> int:
    """Return the sign of a node without variables: 1, -1, or 0 where 200 digits do not tell."""
    value = to_digits(circuit, [node], {}, 200)[node]
    if abs(value) < mpmath.mpf(10) ** -150:
        return 0
    return 1 if value > 0 else -1
