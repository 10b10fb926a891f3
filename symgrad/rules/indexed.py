"""Derivative rules of what is differentiated in place: cases, and sums over an index.

Below a sum the index is bound, and below a case its condition holds; the
expressions there are small, and are differentiated without naming their parts.
The derivative by a whole array is given entry by entry, at `PLACES`.
"""

from __future__ import annotations

from typing import Any

import sympy as sp

from symgrad import trees
from symgrad.algebra import scale, split_coefficient
from symgrad.errors import UnsupportedError
from symgrad.matrices import UnitMatrix
from symgrad.rules import Pull, derivative_rule, partial, pull_back
from symgrad.trees import times


def _x(name: str = "x") -> Any:
    return sp.Symbol(name, real=True)


def _k() -> Any:
    return sp.Symbol("k", integer=True)


def _vector(name: str = "u", size: int = 4) -> Any:
    return sp.MatrixSymbol(name, size, 1)


@derivative_rule(
    sp.Piecewise,
    name="case by case",
    law="inside each case the derivative is that of the case's expression",
    reason="a case holds in a neighbourhood, except on the border between two, where the "
    "derivative of the case that holds there is taken",
    example=lambda: sp.Piecewise((_x() ** 2, _x() > _x("y")), (sp.exp(_x("y")), True)),
)
def _piecewise(node: Any, g: Any, value: Any, active: Any) -> Pull:
    for leaf in _leaves(node, active):
        cases = [(partial(case.expr, leaf), case.cond) for case in node.args]
        if any(derivative != 0 for derivative, _ in cases):
            local = sp.Piecewise(*cases)
            yield leaf, times(g, local), local
    for matrix in _matrices_below(node, active):
        for k, case in enumerate(node.args):
            for part in _parts(case.expr, matrix):
                # The case goes inside, so that a branch that is not taken cannot spoil the product.
                chosen = [
                    (part if j == k else sp.S.Zero, other.cond) for j, other in enumerate(node.args)
                ]
                local = _by_entries(sp.Piecewise(*chosen), matrix)
                yield matrix, scale(g, local), local


def _leaves(node: Any, active: Any) -> list[Any]:
    """Return the active scalar symbols below a node that is differentiated in place."""
    found = {s for s in trees.postorder(node) if isinstance(s, sp.Symbol) and s in active}
    return sorted(found - set(getattr(node, "variables", ())), key=sp.default_sort_key)


def _matrices_below(node: Any, active: Any) -> list[Any]:
    found = {m for m in trees.postorder(node) if isinstance(m, sp.MatrixSymbol) and m in active}
    return sorted(found, key=sp.default_sort_key)


#: The row and column of an entry in a matrix given entry by entry.
PLACES = (sp.Dummy("i", dummy_index=11, integer=True), sp.Dummy("j", dummy_index=12, integer=True))


def _by_entries(body: Any, matrix: Any) -> Any:
    return sp.FunctionMatrix(*matrix.shape, sp.Lambda(PLACES, body))


def _parts(expression: Any, matrix: Any) -> list[Any]:
    """Differentiate a scalar by the entry of a matrix at `PLACES`; return the terms.

    An entry at a fixed place gives Kronecker's delta of that place.
    """
    found = pull_back(expression, sp.S.One, expression, {matrix}, record=False)
    return [_entry_form(value) for value, _ in found.get(matrix, ())]


def _entry_form(value: Any) -> Any:
    coefficient, rest = split_coefficient(value)
    if isinstance(rest, sp.FunctionMatrix):
        return times(coefficient, rest.lamda.expr)
    if not isinstance(rest, UnitMatrix):
        raise UnsupportedError(f"no rule for the derivative `{value}` below a sum or a case")
    deltas = [
        sp.KroneckerDelta(place, index)
        for place, index, size in zip(PLACES, rest.args[2:], rest.shape, strict=True)
        if size != 1
    ]
    return sp.Mul(coefficient, *deltas)


@derivative_rule(
    sp.Sum,
    name="sum over an index",
    law="d sum_i u_i = sum_i du_i",
    reason="a finite sum is differentiated term by term",
    example=lambda: sp.Sum((_x() * _vector()[_k(), 0] + 1) ** 2, (_k(), 0, 3)),
)
def _index_sum(node: Any, g: Any, value: Any, active: Any) -> Pull:
    body, limits = node.function, node.limits
    if any(s in active for limit in limits for end in limit[1:] for s in end.free_symbols):
        raise UnsupportedError(f"no rule for a variable in the limits of `{node}`")
    for leaf in _leaves(node, active):
        local = partial(body, leaf)
        if local != 0:
            # A constant factor leaves the sum, so that the 2 of a square meets a 1/2 outside.
            factor, rest = local.as_coeff_Mul()
            yield leaf, times(times(g, factor), sp.Sum(rest, *limits)), sp.Sum(local, *limits)
    for matrix in _matrices_below(node, active):
        for part in _parts(body, matrix):
            local = _by_entries(_collapsed(part, limits, matrix), matrix)
            yield matrix, scale(g, local), local


def _collapsed(part: Any, limits: Any, matrix: Any) -> Any:
    """Sum a term over its limits; where a delta fixes the index, only that summand is left."""
    left = []
    conditions: list[Any] = []
    for index, low, high in limits:
        delta = _delta_of(part, index)
        if delta is None:
            left.append((index, low, high))
            continue
        place, shifted = delta.args if delta.args[0] in PLACES else reversed(delta.args)
        shift = shifted - index
        part = sp.Mul(*(f for f in sp.Mul.make_args(part) if f != delta))
        part = part.xreplace({index: place - shift})
        size = matrix.shape[PLACES.index(place)]
        conditions += _inside(place, low + shift, high + shift, size)
    if left:
        part = sp.Sum(part, *left)
    return sp.Piecewise((part, sp.And(*conditions)), (0, True)) if conditions else part


def _delta_of(part: Any, index: Any) -> Any:
    """Find the delta in a product that ties an index, plus a constant, to a place."""
    for factor in sp.Mul.make_args(part):
        if isinstance(factor, sp.KroneckerDelta):
            places = [arg for arg in factor.args if arg in PLACES]
            others = [arg for arg in factor.args if arg not in PLACES]
            if len(places) == 1 and index in others[0].free_symbols:
                if not (others[0] - index).free_symbols - {index} and not (others[0] - index).has(
                    index
                ):
                    return factor
                raise UnsupportedError(f"no rule for the index `{others[0]}`: only i + constant")
    return None


def _inside(place: Any, low: Any, high: Any, size: Any) -> list[Any]:
    """Return the conditions under which a place is in a range, none where it always is."""
    conditions = [] if low == 0 else [place >= low]
    return conditions if sp.expand(high - size + 1) == 0 else [*conditions, place <= high]
