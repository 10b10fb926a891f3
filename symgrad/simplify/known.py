"""Rewrites by what is known of variables: what sums to one, what is symmetric or orthogonal."""

from __future__ import annotations

from typing import Any

import sympy as sp

from symgrad import functions, trees
from symgrad.algebra import add, broadcast, multiply, transpose
from symgrad.matrices import Broadcast, Elementwise, SumColumns, SumEntries, SumRows, entry_symbols
from symgrad.shapes import same_size
from symgrad.simplify.registry import REWRITES, array, mapped, of_entries, scalar
from symgrad.softmax import Softmax
from symgrad.spelling import Facts, rewrite


@REWRITES.rule(
    SumColumns,
    SumRows,
    name="what sums to one",
    law="P 1 = 1 where the rows of P sum to one",
    example=lambda: (SumColumns(array("P")), Facts(frozenset({(array("P"), 1)}))),
    tied=True,
)
def _sums_to_one(node: Any, facts: Facts) -> Any:
    axis = 1 if isinstance(node, SumColumns) else 0
    return sp.OneMatrix(*node.shape) if is_normal(node.matrix, axis, facts) else None


@REWRITES.rule(
    SumEntries,
    name="what sums to one",
    law="1' P 1 is the number of rows where the rows of P sum to one",
    example=lambda: (SumEntries(array("P")), Facts(frozenset({(array("P"), 1)}))),
    tied=True,
)
def _entries_sum(node: Any, facts: Facts) -> Any:
    for axis in (1, 0):
        if is_normal(node.matrix, axis, facts):
            return node.matrix.shape[1 - axis]
    return None


def is_normal(matrix: Any, axis: int, facts: Facts) -> bool:
    """Tell whether the entries along an axis are known to sum to one.

    >>> is_normal(Softmax(sp.MatrixSymbol("Z", 2, 3)), 1, Facts())
    True
    """
    if (matrix, axis) in facts.normal:
        return True
    return isinstance(matrix, Softmax) and matrix.axis == axis


@REWRITES.rule(
    Broadcast,
    name="repeated ones",
    law="ones repeated are ones",
    example=lambda: Broadcast(sp.OneMatrix(2, 1), 2, 3),
)
def _repeated_ones(node: Any, facts: Facts) -> Any:
    return sp.OneMatrix(*node.shape) if isinstance(node.args[0], sp.OneMatrix) else None


@REWRITES.rule(
    Broadcast,
    name="repeated repetition",
    law="what is repeated twice is repeated",
    example=lambda: Broadcast(Broadcast(array("b", 1, 1), 2, 1), 2, 3),
)
def _repeated_twice(node: Any, facts: Facts) -> Any:
    inner = node.args[0]
    return broadcast(inner.args[0], *node.shape) if isinstance(inner, Broadcast) else None


@REWRITES.rule(
    sp.Add,
    name="what sums to one",
    law="p_1 c + ... + p_k c = c where p_1 + ... + p_k = 1",
    example=lambda: (
        scalar("p") * scalar("c") + scalar("q") * scalar("c") + scalar(),
        Facts(sums=((scalar("p"), scalar("q")),)),
    ),
    tied=True,
)
def _scalars_sum_to_one(node: Any, facts: Facts) -> Any:
    terms = set(node.args)
    for group in facts.sums:
        for term in node.args:
            if group[0] not in sp.Mul.make_args(term):
                continue
            rest = term / group[0]
            members = {rest * p for p in group}
            if members <= terms:
                return sp.Add(*(t for t in node.args if t not in members), rest)
    return None


# ------------------------------------------------- symmetric, orthogonal, inverse


def _symmetric(name: str = "A") -> Facts:
    return Facts(symmetric=frozenset({array(name, 3, 3)}))


def _orthogonal(rows: int = 3, columns: int = 3) -> Facts:
    return Facts(orthogonal=frozenset({array("Q", rows, columns)}))


@REWRITES.rule(
    sp.Transpose,
    name="symmetry",
    law="A' = A where A is symmetric, and so are its powers",
    example=lambda: (sp.Transpose(sp.Inverse(array("A", 3, 3))), _symmetric()),
    tied=True,
)
def _own_transpose(node: Any, facts: Facts) -> Any:
    return node.arg if is_symmetric(node.arg, facts) else None


def is_symmetric(matrix: Any, facts: Facts) -> bool:
    """Tell whether a matrix is its own transpose, by its form and by what is known.

    >>> is_symmetric(sp.MatMul(sp.Transpose(array()), array()), Facts())
    True
    """
    while isinstance(matrix, (sp.MatPow, sp.Inverse)):
        matrix = matrix.base
    if isinstance(matrix, sp.MatrixSymbol):
        return matrix in facts.symmetric
    if not same_size(*matrix.shape) or matrix.shape[0] == 1:
        return False
    if len(trees.nodes(matrix)) > LARGEST_MATRIX:
        return False
    if isinstance(matrix, sp.MatAdd):
        other = add(*map(transpose, matrix.args))
    else:
        other = transpose(matrix)
    if isinstance(other, sp.Transpose):
        return False
    other, _ = rewrite(other, (SYMMETRY,), facts)
    if isinstance(matrix, sp.MatAdd) and isinstance(other, sp.MatAdd):
        return set(other.args) == set(matrix.args)
    return bool(other == matrix)


#: Whether an expression of more nodes is symmetric is not asked.
LARGEST_MATRIX = 60
#: The rule by which a transpose is left out.
SYMMETRY = REWRITES.rules[-1]


@REWRITES.rule(
    sp.MatMul,
    name="orthonormal columns",
    law="Q' Q = I where the columns of Q are orthonormal, and Q Q' = I where Q is square",
    example=lambda: (
        sp.MatMul(array("B"), sp.Transpose(array("Q", 3, 3)), array("Q", 3, 3)),
        _orthogonal(),
    ),
    tied=True,
)
def _orthonormal(node: Any, facts: Facts) -> Any:
    return _cancelled(node, lambda left, right: _is_orthonormal(left, right, facts))


def _is_orthonormal(left: Any, right: Any, facts: Facts) -> bool:
    if transpose(left) != right:
        return False
    rows, columns = right.shape
    return right in facts.orthogonal or (left in facts.orthogonal and rows == columns)


@REWRITES.rule(
    sp.Inverse,
    name="inverse of an orthogonal matrix",
    law="Q^-1 = Q' where Q is orthogonal",
    example=lambda: (sp.Inverse(array("Q", 3, 3)), _orthogonal()),
    tied=True,
)
def _orthogonal_inverse(node: Any, facts: Facts) -> Any:
    return transpose(node.arg) if node.arg in facts.orthogonal else None


@REWRITES.rule(
    sp.MatMul,
    name="a matrix times its inverse",
    law="A^-1 A = A A^-1 = I",
    example=lambda: sp.MatMul(array("B"), sp.Inverse(array("A", 3, 3)), array("A", 3, 3)),
)
def _inverse_cancels(node: Any, facts: Facts) -> Any:
    return _cancelled(node, _are_inverse)


def _are_inverse(left: Any, right: Any) -> bool:
    left, right = (m.arg if isinstance(m, sp.Transpose) else m for m in _same_side(left, right))
    return any(isinstance(a, sp.Inverse) and a.arg == b for a, b in ((left, right), (right, left)))


def _same_side(left: Any, right: Any) -> tuple[Any, Any]:
    """Return two factors, or nothing that matches where one alone is transposed."""
    both = isinstance(left, sp.Transpose) == isinstance(right, sp.Transpose)
    return (left, right) if both else (None, None)


def _cancelled(product: Any, cancel: Any) -> Any:
    """Leave out the first pair of neighbours that multiply to the identity."""
    factors = list(product.args)
    for place in range(len(factors) - 1):
        left, right = factors[place : place + 2]
        if left.is_Matrix and right.is_Matrix and cancel(left, right):
            size = left.shape[0]
            return multiply(*factors[:place], sp.Identity(size), *factors[place + 2 :])
    return None


# --------------------------------------------------------------- positive entries


@REWRITES.rule(
    Elementwise,
    name="positive entries",
    law="|x| = x, sign(x) = 1 and relu(x) = x where x > 0",
    example=lambda: (
        mapped(lambda x, y: sp.sign(x) * y, array(), array("B")),
        Facts(positive=frozenset({array()})),
    ),
)
def _positive_entries(node: Any, facts: Facts) -> Any:
    variables = entry_symbols(len(node.matrices))
    known = [v for v, m in zip(variables, node.matrices, strict=True) if m in facts.positive]
    if not known:
        return None
    stand_ins = {v: sp.Dummy(f"p{k}", positive=True) for k, v in enumerate(known)}
    body = trees.rebuild(trees.replace(node.function.expr, stand_ins), _without_sign)
    body = trees.replace(body, {dummy: v for v, dummy in stand_ins.items()})
    return None if body == node.function.expr else of_entries(body, node.matrices)


def _without_sign(node: Any) -> Any:
    if isinstance(node, (sp.Abs, sp.sign)):
        return node.func(node.args[0])
    if isinstance(node, (functions.relu, functions.step)) and node.args[0].is_positive:
        return node.args[0] if isinstance(node, functions.relu) else sp.S.One
    return node
