"""How named functions are spelled in the alphabet of a circuit; formulas and arrays share them."""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING

import sympy as sp

if TYPE_CHECKING:
    from symgrad.circuit import Circuit

HALF = Fraction(1, 2)


def plus(circuit: Circuit, z: int, number: int | Fraction) -> int:
    """Write z + number."""
    return circuit.add(z, circuit.number(number))


def logistic(circuit: Circuit, z: int) -> int:
    """Write the logistic function, 1/(1 + exp(-z))."""
    return circuit.power(plus(circuit, circuit.exp(circuit.negative(z)), 1), -1)


def softplus(circuit: Circuit, z: int) -> int:
    """Write log(1 + exp(z))."""
    return circuit.log(plus(circuit, circuit.exp(z), 1))


def tanh(circuit: Circuit, z: int) -> int:
    """Write tanh z = 1 - 2/(exp(2z) + 1).

    With the exponential of 2z alone, tanh and a logistic function of 2z share their generator.
    """
    below = plus(circuit, circuit.exp(circuit.scale(2, z)), 1)
    return plus(circuit, circuit.scale(-2, circuit.power(below, -1)), 1)


def cosh(circuit: Circuit, z: int) -> int:
    """Write cosh z = (exp(z) + exp(-z))/2."""
    return circuit.scale(HALF, circuit.add(circuit.exp(z), circuit.exp(circuit.negative(z))))


def sinh(circuit: Circuit, z: int) -> int:
    """Write sinh z = (exp(z) - exp(-z))/2."""
    return circuit.scale(HALF, circuit.subtract(circuit.exp(z), circuit.exp(circuit.negative(z))))


def _area(circuit: Circuit, z: int, shift: int) -> int:
    return circuit.log(circuit.add(z, circuit.root(plus(circuit, circuit.power(z, 2), shift))))


def asinh(circuit: Circuit, z: int) -> int:
    """Write asinh z = log(z + sqrt(z^2 + 1))."""
    return _area(circuit, z, 1)


def acosh(circuit: Circuit, z: int) -> int:
    """Write acosh z = log(z + sqrt(z^2 - 1))."""
    return _area(circuit, z, -1)


def atanh(circuit: Circuit, z: int) -> int:
    """Write atanh z = (log(1 + z) - log(1 - z))/2."""
    ends = (circuit.log(plus(circuit, side, 1)) for side in (z, circuit.negative(z)))
    return circuit.scale(HALF, circuit.subtract(*ends))


def tan(circuit: Circuit, z: int) -> int:
    """Write tan z = sin z / cos z."""
    return circuit.divide(circuit.sin(z), circuit.cos(z))


def erfc(circuit: Circuit, z: int) -> int:
    """Write erfc z = 1 - erf z."""
    return plus(circuit, circuit.negative(circuit.call(sp.erf, z)), 1)


def greater(circuit: Circuit, first: int, second: int) -> int:
    """Write the condition first > second."""
    return circuit.positive(circuit.subtract(first, second))


def equal(circuit: Circuit, first: int, second: int) -> int:
    """Write the condition first = second."""
    return circuit.zero(circuit.subtract(first, second))


def step(circuit: Circuit, z: int, at_zero: int) -> int:
    """Write Heaviside's step, with a given value at zero."""
    less = circuit.select(circuit.zero(z), at_zero, circuit.number(0))
    return circuit.select(circuit.positive(z), circuit.number(1), less)
