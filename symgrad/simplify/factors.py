"""Rewrites that move common factors, signs and constants."""

from __future__ import annotations

from typing import Any

import sympy as sp

from symgrad import trees
from symgrad.algebra import add, multiply, scale, split_coefficient
from symgrad.simplify.registry import REWRITES, array, scalar
from symgrad.spelling import Facts


@REWRITES.rule(
    sp.MatAdd,
    name="common factor",
    law="c A + c B = c (A + B)",
    example=lambda: sp.MatAdd(sp.MatMul(scalar(), array()), sp.MatMul(-1, scalar(), array("B"))),
)
def _common_scalar(node: Any, facts: Facts) -> Any:
    parts = [split_coefficient(term) for term in node.args]
    first = _positive(parts[0][0])
    if all(coefficient == parts[0][0] for coefficient, _ in parts):
        first = parts[0][0]
        return None if first == 1 else scale(first, add(*(rest for _, rest in parts)))
    if first == 1 or any(_positive(coefficient) != first for coefficient, _ in parts):
        return None
    return scale(first, add(*(scale(c / first, rest) for c, rest in parts)))


def _positive(coefficient: Any) -> Any:
    return -coefficient if coefficient.could_extract_minus_sign() else coefficient


@REWRITES.rule(
    sp.MatMul,
    name="sign",
    law="-c (B - A) = c (A - B)",
    example=lambda: sp.MatMul(-scalar(), sp.MatAdd(array("B"), sp.MatMul(-1, array()))),
)
def _sign(node: Any, facts: Facts) -> Any:
    coefficient, rest = split_coefficient(node)
    factors = list(rest.args) if isinstance(rest, sp.MatMul) else [rest]
    if not coefficient.could_extract_minus_sign():
        return None
    for place, factor in enumerate(factors):
        if isinstance(factor, sp.MatAdd):
            turned = add(*(scale(-1, term) for term in factor.args))
            factors[place] = turned
            return scale(-coefficient, multiply(*factors))
    return None


@REWRITES.rule(
    sp.MatAdd,
    name="common matrix factor",
    law="A B + A C = A (B + C), B A + C A = (B + C) A",
    example=lambda: sp.MatAdd(
        sp.MatMul(array(), array("B", 3, 2)), sp.MatMul(-1, array(), array("C", 3, 2))
    ),
)
def _common_matrix(node: Any, facts: Facts) -> Any:
    parts = [split_coefficient(term) for term in node.args]
    chains = [list(rest.args) if isinstance(rest, sp.MatMul) else [rest] for _, rest in parts]
    if min(map(len, chains)) < 2:
        return None
    for left in (True, False):
        ends = {chain[0] if left else chain[-1] for chain in chains}
        if len(ends) == 1:
            inner = [
                multiply(c, *(chain[1:] if left else chain[:-1]))
                for (c, _), chain in zip(parts, chains, strict=True)
            ]
            outer, rest = ends.pop(), add(*inner)
            return multiply(outer, rest) if left else multiply(rest, outer)
    return None


@REWRITES.rule(
    sp.Mul,
    sp.Sum,
    name="constant factor of a sum",
    law="sum of c f(i) = c times the sum of f(i)",
    example=lambda: (
        sp.Sum(2 * scalar() * sp.IndexedBase("v")[sp.Symbol("i")], (sp.Symbol("i"), 0, 3)) / 2
    ),
)
def _constant_of_a_sum(node: Any, facts: Facts) -> Any:
    sums = [f for f in sp.Mul.make_args(node) if isinstance(f, sp.Sum)]
    if len(sums) != 1:
        return None
    (inner,) = sums
    number, body = inner.function.as_coeff_Mul()
    outside = [f for f in sp.Mul.make_args(node) if f is not inner]
    if number == 1:
        return None
    return trees.times(sp.Mul(number, *outside), sp.Sum(body, *inner.limits))


@REWRITES.rule(
    sp.Sum,
    name="sum of a constant",
    law="the sum of c over i = a, ..., b is (b - a + 1) c",
    example=lambda: sp.Sum(scalar(), (sp.Symbol("i"), 1, 4)),
)
def _sum_of_a_constant(node: Any, facts: Facts) -> Any:
    (index, low, high), *outer = node.limits
    if index in node.function.free_symbols:
        return None
    body = trees.times(sp.expand(high - low + 1), node.function)
    return sp.Sum(body, *outer) if outer else body
