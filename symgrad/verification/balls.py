"""Circuits evaluated to many digits, each value with a bound of its error.

A value is a pair of a number and a bound of how far rounding may have taken it from the truth
(to first order). Saturated functions lose nearly all of their digits: what is left of
1 - tanh(40)^2 says nothing, and its bound says so. A value that is not defined has the bound 0
where that is certain, and an infinite one where more digits may tell.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from fractions import Fraction
from functools import cache
from typing import Any, NamedTuple

import mpmath
import sympy as sp

from symgrad.circuit import Circuit, Undefined
from symgrad.circuit import kinds as ops

Ball = tuple[Any, Any]
ZERO = mpmath.mpf(0)
NAN = mpmath.mpf("nan")
#: Not a real number, for certain; or as far as these digits go.
UNDEFINED: Ball = (NAN, ZERO)
UNSURE: Ball = (NAN, mpmath.inf)
#: Arguments of exp beyond this are not computed: their values have millions of digits.
LARGEST_EXPONENT = 1e15
#: How far a constant with all digits of a double may be from what it rounds.
ROUNDING = mpmath.mpf(2) ** -52


@cache
def precise(function: Any) -> Callable[..., Any]:
    """Return mpmath's version of a SymPy function."""
    nargs = max(function.nargs) if function.nargs else 1
    names = [sp.Dummy(f"u{k}", real=True) for k in range(nargs)]
    return sp.lambdify(names, function(*names), "mpmath")  # type: ignore[no-any-return]


def balls(
    circuit: Circuit,
    outputs: Iterable[int],
    point: Mapping[str, Any],
    digits: int,
    zeros: frozenset[int] = frozenset(),
    check: Callable[[], None] = lambda: None,
    *,
    settle: bool = False,
) -> dict[int, Ball]:
    """Evaluate outputs at one point to many digits.

    Args:
        circuit: The circuit.
        outputs: The nodes that are asked for.
        point: A number for every variable, taken as exact.
        digits: Working precision in decimal digits.
        zeros: Nodes that conditions take as zero, because the point lies on a kink.
        check: Called now and then; raises when time is over.
        settle: Let conditions take as zero what these digits do not tell from zero.

    Returns:
        By node an mpmath number and the bound of its error.

    >>> circuit = Circuit()
    >>> x = circuit.variable("x")
    >>> value, error = balls(circuit, [circuit.exp(x)], {"x": 1}, 30)[1]
    >>> mpmath.nstr(value, 10), bool(error < 1e-28)
    ('2.718281828', True)
    """
    outputs = list(outputs)
    values: dict[int, Any] = {}
    with mpmath.workdps(digits):
        unit = mpmath.eps * 4
        how = _How(point, zeros, unit, settle)
        for count, node in enumerate(circuit.cone(outputs)):
            if count % 256 == 0:
                check()
            try:
                values[node] = _evaluated(circuit, node, values, how)
            except Exception:  # a special function of mpmath's may fail in its own ways
                values[node] = UNDEFINED
        return {node: values[node] for node in outputs}


class _How(NamedTuple):
    point: Mapping[str, Any]
    zeros: frozenset[int]
    unit: Any
    settle: bool


def _evaluated(circuit: Circuit, node: int, values: Mapping[int, Any], how: _How) -> Any:
    kind, args, value = circuit.nodes[node]
    unit = how.unit
    if kind in (ops.POSITIVE, ops.ZERO):
        zero = args[0] in how.zeros
        return (kind == ops.ZERO) if zero else _sign(kind, values[args[0]], how.settle)
    if kind in (ops.NOT, ops.AND):
        return _logic(kind, [values[arg] for arg in args])
    if kind == ops.SELECT:
        condition = values[args[0]]
        if condition is None:
            return UNSURE
        return UNDEFINED if condition is NAN else values[args[1] if condition else args[2]]
    below = [values[arg] for arg in args]
    undefined = [error for number, error in below if mpmath.isnan(number)]
    if undefined:
        return NAN, min(undefined)
    if kind == ops.NUMBER:
        return _of_fraction(value, unit)
    if kind == ops.VARIABLE:
        return _of_variable(how.point[value], unit)
    if kind == ops.CONSTANT and isinstance(value, sp.Float):
        number = mpmath.mpf(str(value))
        return number, abs(number) * ROUNDING
    if kind == ops.CONSTANT:
        return _rounded(mpmath.mpf(value._to_mpmath(mpmath.mp.prec)), ZERO, unit)
    if kind == ops.POWER:
        return _power(below[0], value, unit)
    if kind == ops.CALL and value is Undefined:
        return UNDEFINED
    if kind == ops.CALL:
        return _call(precise(value), below, unit)
    return BALLS[kind](below, unit)


def _rounded(number: Any, error: Any, unit: Any) -> Ball:
    if isinstance(number, mpmath.mpc):
        return (number.real, error) if number.imag == 0 else UNDEFINED
    if not mpmath.isfinite(number):
        return UNDEFINED
    return number, error + abs(number) * unit


def _bits(number: Any) -> tuple[int, int]:
    """Return the exponent of the last binary digit, and the number of digits."""
    _, _, exponent, count = number._mpf_
    return int(exponent), int(count)


def _sum_is_exact(first: Any, second: Any) -> bool:
    """Tell whether a sum has so few digits that nothing is rounded off."""
    if not first or not second:
        return True
    (low, few), (high, more) = sorted([_bits(first), _bits(second)])
    return bool(max(low + few, high + more) + 1 - low <= mpmath.mp.prec)


def _product_is_exact(first: Any, second: Any) -> bool:
    return bool(_bits(first)[1] + _bits(second)[1] <= mpmath.mp.prec)


def _of_variable(number: Any, unit: Any) -> Ball:
    if isinstance(number, Fraction):
        return _of_fraction(number, unit)
    return mpmath.mpf(number), ZERO


def _of_fraction(number: Fraction, unit: Any) -> Ball:
    power_of_two = number.denominator & (number.denominator - 1) == 0
    value = mpmath.mpf(number.numerator) / number.denominator
    exact = power_of_two and number.numerator.bit_length() <= mpmath.mp.prec
    return (value, ZERO) if exact else _rounded(value, ZERO, unit)


def _sign(kind: str, ball: Ball, settle: bool) -> Any:
    """Return whether u > 0 (or u = 0) holds: NaN where u is undefined, None where unsure."""
    number, error = ball
    if mpmath.isnan(number):
        return None if error else NAN
    if error and abs(number) <= error:
        return kind == ops.ZERO if settle else None
    return bool(number > 0) if kind == ops.POSITIVE else bool(number == 0)


def _logic(kind: str, parts: list[Any]) -> Any:
    if kind == ops.NOT:
        return parts[0] if parts[0] is None or parts[0] is NAN else not parts[0]
    # What stands behind a condition that fails is not asked for.
    if any(part is False for part in parts):
        return False
    if any(part is NAN for part in parts):
        return NAN
    return None if any(part is None for part in parts) else True


def _sum(terms: list[Ball], unit: Any) -> Ball:
    total, error = terms[0]
    for number, own in terms[1:]:
        exact = not error and not own and mpmath.isfinite(total + number)
        if exact and _sum_is_exact(total, number):
            total += number
            continue
        total, error = _rounded(total + number, error + own, unit)
    return total, error


def _product(factors: list[Ball], unit: Any) -> Ball:
    total, error = factors[0]
    for number, own in factors[1:]:
        if not error and not own and _product_is_exact(total, number):
            total *= number
            continue
        error = abs(total) * own + abs(number) * error + error * own
        total, error = _rounded(total * number, error, unit)
    return total, error


def _power(ball: Ball, exponent: Fraction, unit: Any) -> Ball:
    base, error = ball
    negative, whole = exponent < 0, exponent.denominator == 1
    if abs(base) <= 2 * error and (negative or not whole):
        return UNSURE
    if base < 0 and not whole:
        return UNDEFINED
    if base == 0:
        return UNDEFINED if negative else (ZERO, error ** int(exponent) if whole else ZERO)
    if whole:
        value = base ** int(exponent)
    elif exponent.denominator == 2:
        value = mpmath.sqrt(base) ** int(exponent.numerator)
    else:
        value = mpmath.root(base, exponent.denominator) ** int(exponent.numerator)
    size = max(1, abs(int(exponent.numerator)))
    if not error and whole and not negative and size * _bits(base)[1] <= mpmath.mp.prec:
        return value, ZERO
    if abs(base) <= 2 * error:
        return value, (abs(base) + error) ** int(exponent) + abs(value)
    # (1 + r)^e - 1 is at most 2^|e| |e| r for |r| <= 1/2; for small r it is |e| r.
    relative = error / abs(base)
    growth = 2 if relative * size < 1 else mpmath.mpf(2) ** min(size, 10_000)
    return value, abs(value) * (size * relative * growth + size * unit)


def _exp(below: list[Ball], unit: Any) -> Ball:
    number, error = below[0]
    if abs(number) > LARGEST_EXPONENT or error > 1:
        return UNSURE
    value = mpmath.exp(number)
    return value, value * (2 * error + unit)


def _log(below: list[Ball], unit: Any) -> Ball:
    number, error = below[0]
    if error and abs(number) <= 2 * error:
        return UNSURE
    if number <= 0:
        return UNDEFINED
    return _rounded(mpmath.log(number), 2 * error / number, unit)


def _turned(function: Callable[[Any], Any]) -> Callable[[list[Ball], Any], Ball]:
    def turned(below: list[Ball], unit: Any) -> Ball:
        number, error = below[0]
        if error > 1 or abs(number) > LARGEST_EXPONENT**10:
            return UNSURE
        return function(number), error + unit

    return turned


BALLS: dict[str, Callable[[list[Ball], Any], Ball]] = {
    ops.ADD: _sum,
    ops.MULTIPLY: _product,
    ops.EXP: _exp,
    ops.LOG: _log,
    ops.SIN: _turned(mpmath.sin),
    ops.COS: _turned(mpmath.cos),
}


def _call(function: Callable[..., Any], below: list[Ball], unit: Any) -> Ball:
    """Evaluate an opaque function; its error is seen at the ends of the arguments' errors."""
    numbers = [number for number, _ in below]
    value = function(*numbers)
    if isinstance(value, mpmath.mpc) and value.imag:
        return UNDEFINED
    spread = ZERO
    for k, (number, error) in enumerate(below):
        for end in (number - error, number + error) if error else ():
            moved = function(*numbers[:k], end, *numbers[k + 1 :])
            spread += 2 * abs(moved - value)
    # Special functions are right to a few units more than elementary ones.
    return _rounded(mpmath.mpf(mpmath.re(value)), spread, 100 * unit)


def sign_of_constant(circuit: Circuit, node: int) -> int:
    """Return the sign of a node without variables: 1, -1, or 0 where 200 digits do not tell."""
    number, error = balls(circuit, [node], {}, 200)[node]
    if mpmath.isnan(number) or abs(number) <= error:
        return 0
    return 1 if number > 0 else -1
