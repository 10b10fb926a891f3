"""Circuits written as SymPy expressions again, for messages."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import sympy as sp

from symgrad.circuit import Circuit
from symgrad.circuit import kinds as ops

#: Longer expressions are cut.
LONGEST = 60


def raised(circuit: Circuit, node: int, symbols: Mapping[str, Any] | None = None) -> Any:
    """Return a node as a SymPy expression.

    Args:
        circuit: The circuit.
        node: The node.
        symbols: What variables become; without it, real symbols of their names.

    >>> circuit = Circuit()
    >>> raised(circuit, circuit.exp(circuit.variable("x")))
    exp(x)
    """
    made: dict[int, Any] = {}
    for below in circuit.cone([node]):
        kind, args, value = circuit.nodes[below]
        parts = [made[arg] for arg in args]
        given = kind == ops.VARIABLE and symbols is not None
        made[below] = symbols[value] if given and symbols else RAISED[kind](parts, value)
    return made[node]


def _power(parts: list[Any], value: Any) -> Any:
    return parts[0] ** sp.Rational(value.numerator, value.denominator)


#: How every kind of node is written, from its parts and its value.
RAISED: dict[str, Any] = {
    ops.NUMBER: lambda parts, value: sp.Rational(value.numerator, value.denominator),
    ops.VARIABLE: lambda parts, value: sp.Symbol(value, real=True),
    ops.CONSTANT: lambda parts, value: value,
    ops.ADD: lambda parts, value: sp.Add(*parts),
    ops.MULTIPLY: lambda parts, value: sp.Mul(*parts),
    ops.POWER: _power,
    ops.EXP: lambda parts, value: sp.exp(*parts),
    ops.LOG: lambda parts, value: sp.log(*parts),
    ops.SIN: lambda parts, value: sp.sin(*parts),
    ops.COS: lambda parts, value: sp.cos(*parts),
    ops.CALL: lambda parts, value: value(*parts),
    ops.SELECT: lambda parts, value: sp.Piecewise((parts[1], parts[0]), (parts[2], True)),
    ops.POSITIVE: lambda parts, value: sp.StrictGreaterThan(parts[0], 0),
    ops.ZERO: lambda parts, value: sp.Eq(parts[0], 0),
    ops.NOT: lambda parts, value: sp.Not(*parts),
    ops.AND: lambda parts, value: sp.And(*parts),
}

#: Larger circuits are only counted in messages.
MOST_NODES = 60


def worded(circuit: Circuit, node: int) -> str:
    """Word a node for a message."""
    size = len(circuit.cone([node]))
    if size > MOST_NODES:
        return f"an expression of {size} operations"
    text = str(raised(circuit, node))
    return text if len(text) <= LONGEST else f"{text[: LONGEST - 3]}..."
