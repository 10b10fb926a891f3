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
            whole = index_sum(rest, *limits)
            yield leaf, times(times(g, factor), whole), times(factor, whole)
    for matrix in _matrices_below(node, active):
        for part in _parts(body, matrix):
            local = _by_entries(_collapsed(part, limits, matrix), matrix)
            yield matrix, scale(g, local), local


def index_sum(body: Any, *limits: Any) -> Any:
    """Build a sum over indices; a factor that is itself a sum is merged with it.

    SymPy pulls cases out of everything that stands below a sum, even out of an inner sum
    whose index they contain, which would be wrong: sums in sums are merged, and where SymPy
    still lets an index escape, the sum is refused.

    >>> i, k = sp.symbols("i k", integer=True)
    >>> index_sum(k * sp.Sum(i, (i, 1, 2)), (k, 1, 3))
    Sum(i*k, (i, 1, 2), (k, 1, 3))
    """
    inner: tuple[Any, ...] = ()
    rest = []
    for factor in sp.Mul.make_args(body):
        if (
            isinstance(factor, sp.Sum)
            and not inner
            and not _indices(factor) & _mentioned(body, factor)
        ):
            inner, factor = factor.limits, factor.function
        rest.append(factor)
    limits = tuple(limit if isinstance(limit, sp.Tuple) else sp.Tuple(*limit) for limit in limits)
    made = sp.Sum(sp.Mul(*rest), *inner, *limits)
    wanted = body.free_symbols | {s for lim in limits for end in lim[1:] for s in end.free_symbols}
    if made.free_symbols - wanted:
        raise UnsupportedError(f"no rule for the cases inside of the sums in `{body}`")
    return made


def _indices(node: Any) -> set[Any]:
    return {limit[0] for limit in node.limits}


def _mentioned(body: Any, factor: Any) -> set[Any]:
    """Return the symbols that the other factors of a product mention."""
    others = [f for f in sp.Mul.make_args(body) if f is not factor]
    return set().union(*(f.free_symbols for f in others)) if others else set()


def _collapsed(part: Any, limits: Any, matrix: Any) -> Any:
    """Sum a term over its limits; where a delta fixes the index, only that summand is left."""
    ranges = {index: (low, high) for index, low, high in limits}
    if matrix is not None:
        sizes = zip(PLACES, matrix.shape, strict=True)
        ranges.update({place: (sp.S.Zero, size - 1) for place, size in sizes})
    left = []
    conditions: list[Any] = []
    for index, low, high in limits:
        found = _delta_of(part, index)
        if found is None:
            left.append((index, low, high))
            continue
        delta, other, sign, constant = found
        # The delta says sign * index + constant = other.
        part = sp.Mul(*(f for f in sp.Mul.make_args(part) if f != delta))
        fixed = {index: sp.expand(sign * (other - constant))}
        least, most = (low, high) if sign == 1 else (high, low)
        least, most = sp.expand(sign * least + constant), sp.expand(sign * most + constant)
        part = part.xreplace(fixed)
        conditions = [condition.xreplace(fixed) for condition in conditions]
        left = [tuple(end.xreplace(fixed) for end in limit) for limit in left]
        conditions += _inside(other, least, most, ranges)
    if conditions:
        part = sp.Piecewise((part, sp.And(*conditions)), (0, True))
    return index_sum(part, *left) if left else part


def _inside(value: Any, low: Any, high: Any, ranges: Any) -> list[Any]:
    """Return the conditions under which a value is in a range, none where it always is."""
    least, most = ranges.get(value, (value, value))
    conditions = [] if sp.expand(least - low).is_nonnegative else [value >= low]
    return conditions if sp.expand(high - most).is_nonnegative else [*conditions, value <= high]


def _delta_of(part: Any, index: Any) -> tuple[Any, Any, int, Any] | None:
    """Find the delta in a product that ties `sign * index + constant` to a value free of it.

    Returns:
        The delta, the value, the sign and the constant; None where no delta has the index.
    """
    for factor in sp.Mul.make_args(part):
        if isinstance(factor, sp.KroneckerDelta) and index in factor.free_symbols:
            for moving, other in (factor.args[:2], factor.args[1::-1]):
                for sign in (1, -1):
                    constant = sp.expand(moving - sign * index)
                    if not constant.has(index) and not other.has(index):
                        return factor, other, sign, constant
            raise UnsupportedError(f"no rule for the index in `{factor}`: only i or -i + constant")
    return None


#: The row and column of an entry of a matrix that is itself given entry by entry.
_INNER = (sp.Dummy("k", dummy_index=13, integer=True), sp.Dummy("l", dummy_index=14, integer=True))


@derivative_rule(
    sp.FunctionMatrix,
    name="entry by entry",
    law="the entries f(i, j) are differentiated as scalars: dL = sum_ij G_ij df(i, j)",
    reason="<G, dA> is the sum of G_ij dA_ij",
    example=lambda: sp.Trace(
        sp.FunctionMatrix(3, 3, sp.Lambda(PLACES, _x() ** 2 * _square()[PLACES] ** 3))
    ),
)
def _entry_by_entry(node: Any, g: Any, value: Any, active: Any) -> Pull:
    rows, columns = node.shape
    inner = (_INNER[0], _INNER[1] if columns != 1 else sp.S.Zero)
    body = node.lamda.expr.xreplace(dict(zip(node.lamda.variables, inner, strict=True)))
    limits = [(_INNER[0], sp.S.Zero, rows - 1), (_INNER[1], sp.S.Zero, columns - 1)]
    limits = limits[: 1 if columns == 1 else 2]
    weight = _entry_at(g, *inner)
    for leaf in _leaves(node, active):
        local = partial(body, leaf)
        if local != 0:
            yield leaf, _collapsed(weight * local, limits, None), local
    for matrix in _matrices_below(node, active):
        for part in _parts(body, matrix):
            local = _by_entries(_collapsed(weight * part, limits, matrix), matrix)
            yield matrix, local, part


def _entry_at(matrix: Any, i: Any, j: Any) -> Any:
    coefficient, rest = split_coefficient(matrix)
    if isinstance(rest, sp.FunctionMatrix):
        return times(coefficient, rest.lamda(i, j))
    if isinstance(rest, UnitMatrix):
        rows, columns, at_row, at_column = rest.args
        pairs = [(i, at_row, rows), (j, at_column, columns)]
        deltas = [sp.KroneckerDelta(a, b) for a, b, size in pairs if size != 1]
        return sp.Mul(coefficient, *deltas)
    if isinstance(rest, sp.Identity):
        return times(coefficient, sp.KroneckerDelta(i, j))
    return times(coefficient, rest[i, j])


def _square() -> Any:
    return sp.MatrixSymbol("A", 3, 3)
