"""Can these conditions hold together? Only a proof that they cannot is worth an answer."""

from __future__ import annotations

from typing import Any

import sympy as sp
from sympy.solvers.simplex import InfeasibleLPError, UnboundedLPError, lpmax

from symgrad.circuit import Circuit
from symgrad.circuit import kinds as ops

#: Of more conditions together nothing is asked: the program in exact numbers takes minutes.
MOST = 4


def possible(circuit: Circuit, conditions: list[tuple[int, bool]]) -> bool:
    """Tell whether conditions u > 0, or u < 0, may hold together.

    Every u is a linear combination of nodes; the nodes are taken as free (a linear program with
    exact numbers). So "no" is a proof, "yes" is not.

    >>> circuit = Circuit()
    >>> x = circuit.variable("x")
    >>> more = circuit.add(x, circuit.number(-5))
    >>> possible(circuit, [(more, True), (x, False)])
    False
    """
    if len(conditions) > MOST:
        return True
    slack = sp.Symbol("t")
    rows: list[Any] = [slack <= 1]
    names: dict[int, Any] = {}
    for node, positive in conditions:
        row = _linear(circuit, node, names)
        # What is not analytic may be zero on a region: then u > 0 fails there.
        strict = positive or (circuit.analytic(node) and circuit.as_number(node) is None)
        rows.append((row if positive else -row) >= (slack if strict else 0))
    for node, name in names.items():
        if circuit.nodes[node].kind == ops.EXP:
            rows.append(name >= 0)
    try:
        best, _ = lpmax(slack, rows)
    except InfeasibleLPError:
        return False
    except (UnboundedLPError, ValueError, TypeError):
        return True
    return bool(best > 0)


def _linear(circuit: Circuit, node: int, names: dict[int, Any]) -> Any:
    kind, args, value = circuit.nodes[node]
    if kind == ops.NUMBER:
        return sp.Rational(value.numerator, value.denominator)
    if kind == ops.ADD:
        return sp.Add(*(_linear(circuit, arg, names) for arg in args))
    factor = circuit.as_number(args[0]) if kind == ops.MULTIPLY else None
    if factor is not None:
        number = sp.Rational(factor.numerator, factor.denominator)
        return number * _linear(circuit, circuit.multiply(*args[1:]), names)
    return names.setdefault(node, sp.Symbol(f"u{node}", real=True))
