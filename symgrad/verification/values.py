"""Circuits evaluated in floating point, on many points at once."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Callable, Iterable, Mapping
from fractions import Fraction
from typing import Any

import mpmath
import numpy as np
import sympy as sp

from symgrad.circuit import Circuit, Undefined
from symgrad.circuit import kinds as ops
from symgrad.verification.balls import precise

Values = dict[int, Any]


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
    made = np.full(count, np.nan)
    if function is Undefined:
        return made
    try:
        exact = precise(function)
    except Exception:  # SymPy's printer fails in its own ways for what mpmath does not have
        return made
    for k, arguments in enumerate(zip(*(np.broadcast_to(b, (count,)) for b in below), strict=True)):
        with contextlib.suppress(Exception):
            made[k] = float(exact(*map(mpmath.mpf, arguments)))
    return made
