"""Can these conditions hold together? Only a proof that they cannot is worth an answer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from fractions import Fraction

from symgrad.circuit import Circuit
from symgrad.circuit import kinds as ops

#: Of more conditions together, and of more combinations of them, nothing is asked.
MOST, MOST_COMBINATIONS = 8, 256
#: The key of the number that is added, in a linear combination of nodes.
_NUMBER = -1

#: Factors that are not below 0, one for each condition.
_Factors = tuple[Fraction, ...]


def possible(circuit: Circuit, conditions: Sequence[tuple[int, bool]]) -> bool:
    """Tell whether conditions u > 0, or u < 0, may hold together.

    Every u is a linear combination of nodes, which are taken as free, but for exponentials, which
    are above 0. "No" is a proof: the conditions, times factors that are not below 0, add up to
    0 > 0 (Motzkin's transposition theorem: if nothing does, numbers for the nodes fulfil all
    conditions). "Yes" is none, as the nodes may depend on each other.

    >>> circuit = Circuit()
    >>> x = circuit.variable("x")
    >>> more = circuit.add(x, circuit.number(-5))
    >>> possible(circuit, [(more, True), (x, False)])
    False
    """
    if len(conditions) > MOST:
        return True
    rows = [_linear(circuit, node, 1 if positive else -1) for node, positive in conditions]
    found: list[_Factors] = [
        tuple(Fraction(k == place) for k in range(len(rows))) for place in range(len(rows))
    ]
    nodes = dict.fromkeys(node for row in rows for node in row if node != _NUMBER)
    grows = {node: circuit.nodes[node].kind == ops.EXP for node in nodes}
    # Where a node may have either sign, combinations become few: they come first.
    for node in sorted(nodes, key=grows.__getitem__):
        found = _without(found, [row.get(node, Fraction(0)) for row in rows], grows[node])
        if len(found) > MOST_COMBINATIONS:
            return True
    above = [_above_zero(circuit, *condition) for condition in conditions]
    exponentials = [node for node in nodes if grows[node]]
    return not any(_contradicts(factors, rows, above, exponentials) for factors in found)


def _above_zero(circuit: Circuit, node: int, positive: bool) -> bool:
    """Tell whether a condition excludes 0: what is not analytic may be 0 where u > 0 fails."""
    return positive or (circuit.analytic(node) and circuit.as_number(node) is None)


def _without(found: list[_Factors], column: Sequence[Fraction], grows: bool) -> list[_Factors]:
    """Combine combinations so that a node cancels; one that is above 0 may have a factor below."""
    sums = [_dot(factors, column) for factors in found]
    kept = [f for f, total in zip(found, sums, strict=True) if total == 0 or (grows and total < 0)]
    high = [(f, total) for f, total in zip(found, sums, strict=True) if total > 0]
    low = [(f, total) for f, total in zip(found, sums, strict=True) if total < 0]
    for first, above in high:
        for second, below in low:
            pairs = zip(first, second, strict=True)
            kept.append(_scaled([above * b - below * a for a, b in pairs]))
    return list(dict.fromkeys(kept))


def _scaled(factors: Sequence[Fraction]) -> _Factors:
    total = sum(factors)
    return tuple(factor / total for factor in factors)


def _contradicts(
    factors: _Factors,
    rows: Sequence[Mapping[int, Fraction]],
    above: Sequence[bool],
    exponentials: Sequence[int],
) -> bool:
    """Tell whether what the conditions add up to is not above 0, although it has to be."""
    number = _dot(factors, [row.get(_NUMBER, Fraction(0)) for row in rows])
    strict = any(factor and holds for factor, holds in zip(factors, above, strict=True))
    below = any(_dot(factors, [row.get(n, Fraction(0)) for row in rows]) for n in exponentials)
    return number < 0 or (number == 0 and (strict or below))


def _dot(factors: _Factors, column: Sequence[Fraction]) -> Fraction:
    return sum((a * b for a, b in zip(factors, column, strict=True)), Fraction(0))


def _linear(circuit: Circuit, node: int, factor: Fraction | int) -> dict[int, Fraction]:
    """Return a multiple of a node as a linear combination: factors by node, and a number."""
    kind, args, value = circuit.nodes[node]
    if kind == ops.NUMBER:
        return {_NUMBER: factor * Fraction(value)}
    if kind == ops.ADD:
        total: dict[int, Fraction] = {}
        for arg in args:
            for part, coefficient in _linear(circuit, arg, factor).items():
                total[part] = total.get(part, Fraction(0)) + coefficient
        return total
    number = circuit.as_number(args[0]) if kind == ops.MULTIPLY else None
    if number is None:
        return {node: Fraction(factor)}
    return _linear(circuit, circuit.multiply(*args[1:]), factor * Fraction(number))
