"""Differentials of nodes on every lane: how a logarithm is compared with others.

Generators have random differentials of their own, an exponential's included: then a relation
between dU/U says that a product of powers is constant, and nothing else does.
"""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction
from typing import TYPE_CHECKING

import numpy as np

from symgrad.circuit import kinds as ops
from symgrad.verification.field.generators import Pair
from symgrad.verification.field.modular import Lanes

if TYPE_CHECKING:
    from symgrad.verification.field import Evaluation


def differential(run: Evaluation, node: int) -> Lanes:
    """Return the differential of a node from those of the nodes below it."""
    kind, args, exponent = run.circuit.nodes[node]
    slopes = [run.differentials[arg] for arg in args]
    values = [run.values[arg] for arg in args]
    zero = np.zeros(run.lanes, dtype=np.uint64)
    if kind == ops.NUMBER:
        return zero
    if kind == ops.ADD:
        return sum(slopes, zero) % run.p
    if kind in (ops.MULTIPLY, ops.AND):
        total = zero
        for k, slope in enumerate(slopes):
            if slope.any():
                for factor in values[:k] + values[k + 1 :]:
                    slope = slope * factor % run.p
                total = (total + slope) % run.p
        return total
    if kind == ops.NOT:
        return (run.p - slopes[0]) % run.p
    if kind == ops.POWER:
        below = run.values[node] * run.prime.inverse(values[0]) % run.p
        return run.times(exponent, below * slopes[0] % run.p)
    if kind == ops.SELECT:
        chosen = values[0] * slopes[1] + (1 + run.p - values[0]) % run.p * slopes[2]
        jump = (values[1] + run.p - values[2]) % run.p
        return (chosen % run.p + slopes[0] * jump) % run.p
    return _of_generator(run, kind, node)


def _of_generator(run: Evaluation, kind: str, node: int) -> Lanes:
    known = run.exponents.get(node)
    if kind == ops.EXP and known is not None:
        return run.values[node] * _combined(run, known, run.pairs) % run.p
    if kind == ops.LOG and known is not None:
        total = np.zeros(run.lanes, dtype=np.uint64)
        for k, c in known.items():
            at = run.pairs[k].node
            slope = run.drawn(("da", k)) if at is None else run.differential(at)
            total = (total + run.times(c, slope)) % run.p
        return total
    if kind in (ops.SIN, ops.COS) and known is not None:
        turn = _combined(run, known, run.angles)
        y = run.product(run.angles, known)
        unit, inverse = run.prime.imaginary_unit, run.prime.inverse(y)
        if kind == ops.COS:
            return run.times(
                Fraction(1, 2),
                turn * ((y + run.p - inverse) % run.p),
            )
        below = pow(2 * unit, -1, run.prime.p)
        return turn * ((y + inverse) % run.p) % run.p * np.uint64(below) % run.p
    if kind == ops.POSITIVE:
        constant = (run.values[node] <= 1).all()
        return np.zeros(run.lanes, dtype=np.uint64) if constant else run.drawn(("d", node))
    return run.drawn(("d", node))


def _combined(run: Evaluation, exponents: Mapping[int, Fraction], pairs: list[Pair]) -> Lanes:
    total = np.zeros(run.lanes, dtype=np.uint64)
    for k, c in exponents.items():
        total = (total + run.times(c, pairs[k].slope)) % run.p
    return total
