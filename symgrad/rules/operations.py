"""Derivative rules of the operations of `symgrad.operations`."""

from __future__ import annotations

from typing import Any

import sympy as sp

from symgrad.algebra import (
    add,
    broadcast,
    elementwise,
    hadamard,
    multiply,
    scale,
    sum_columns,
    sum_entries,
    sum_rows,
    transpose,
)
from symgrad.operations.along import (
    CumulativeSum,
    Extreme,
    LogSumExp,
    OthersProduct,
    ProductAlong,
)
from symgrad.operations.linear import (
    Kronecker,
    KroneckerBlocks,
    LogDeterminant,
    PseudoInverse,
)
from symgrad.operations.parts import (
    Diagonal,
    DiagonalMatrix,
    Placed,
    Reshaped,
    Slice,
    Stacked,
    Triangle,
    span,
)
from symgrad.rules import Pull, derivative_rule
from symgrad.softmax import Softmax


def _m(rows: int = 2, columns: int = 3, name: str = "A") -> Any:
    return sp.MatrixSymbol(name, rows, columns)


def _weighted(matrix: Any, name: str = "C") -> Any:
    """Return a scalar in which all entries count differently."""
    rows, columns = matrix.shape
    return sum_entries(hadamard(matrix, _m(rows, columns, name)))


@derivative_rule(
    Slice,
    name="slice",
    law="the adjoint of a slice, put at its place among zeros, is that of the matrix",
    reason="picking entries is linear: <G, dA[places]> = <G at the places, dA>",
    example=lambda: _weighted(Slice(_m(4, 3), span(3, 2, -2), span(1, 2))),
)
def _slice(node: Any, g: Any, value: Any, active: Any) -> Pull:
    below = node.args[0]
    if below in active:
        yield below, Placed(g, *below.shape, *node.options), sp.S.One


@derivative_rule(
    Placed,
    name="placing among zeros",
    law="the adjoint of what is placed is the slice at its place",
    reason="placing is the transpose of slicing",
    example=lambda: _weighted(Placed(_m(), 3, 5, span(0, 2), span(1, 3))),
)
def _placed(node: Any, g: Any, value: Any, active: Any) -> Pull:
    if node.args[0] in active:
        yield node.args[0], Slice(g, *node.options[2:]), sp.S.One


@derivative_rule(
    Stacked,
    name="stacking",
    law="the adjoint of a part is that part of the adjoint",
    reason="<G, [dA; dB]> = <G's first rows, dA> + <G's other rows, dB>",
    example=lambda: _weighted(Stacked(_m(), _m(1, 3, "B"), _m(), 0)),
)
def _stacked(node: Any, g: Any, value: Any, active: Any) -> Pull:
    start = sp.S.Zero
    for part in node.matrices:
        size = part.shape[node.axis]
        if part in active:
            whole = span(0, part.shape[1 - node.axis])
            own = span(start, size)
            yield part, Slice(g, *((whole, own) if node.axis else (own, whole))), sp.S.One
        start += size


@derivative_rule(
    Reshaped,
    name="reshaping",
    law="the adjoint is reshaped back",
    reason="the entries keep their order",
    example=lambda: _weighted(Reshaped(_m(), 3, 2)),
)
def _reshaped(node: Any, g: Any, value: Any, active: Any) -> Pull:
    if node.args[0] in active:
        yield node.args[0], Reshaped(g, *node.args[0].shape), sp.S.One


@derivative_rule(
    Diagonal,
    name="diagonal of a matrix",
    law="the adjoint of A is diag(g)",
    reason="<g, diagonal of dA> = <diag(g), dA>",
    example=lambda: _weighted(Diagonal(_m(3, 3))),
)
def _diagonal(node: Any, g: Any, value: Any, active: Any) -> Pull:
    if node.args[0] in active:
        yield node.args[0], DiagonalMatrix(g), sp.S.One


@derivative_rule(
    DiagonalMatrix,
    name="diagonal matrix",
    law="the adjoint of a is the diagonal of G",
    reason="<G, diag(da)> = <diagonal of G, da>",
    example=lambda: _weighted(DiagonalMatrix(_m(3, 1))),
)
def _diagonal_matrix(node: Any, g: Any, value: Any, active: Any) -> Pull:
    if node.args[0] in active:
        yield node.args[0], Diagonal(g), sp.S.One


@derivative_rule(
    Triangle,
    name="triangle",
    law="the adjoint is the same triangle of G",
    reason="entries outside of the triangle do not matter: <G, tril(dA)> = <tril(G), dA>",
    example=lambda: _weighted(Triangle(_m(3, 3), 1, 0)),
)
def _triangle(node: Any, g: Any, value: Any, active: Any) -> Pull:
    if node.args[0] in active:
        yield node.args[0], Triangle(g, *node.options), sp.S.One


@derivative_rule(
    LogSumExp,
    name="logarithm of a sum of exponentials",
    law="for c = log sum exp(A) along an axis with adjoint g: the adjoint of A is softmax(A) o g",
    reason="d log sum exp(A_ik) = sum over k of exp(A_ik) dA_ik / sum exp(A_ik)",
    example=lambda: _weighted(LogSumExp(_m(), 1)),
)
def _log_sum_exp(node: Any, g: Any, value: Any, active: Any) -> Pull:
    if node.matrix in active:
        local = Softmax(node.matrix, node.axis)
        yield node.matrix, hadamard(local, broadcast(g, *node.matrix.shape)), local


def _is_extreme(a: Any, m: Any) -> Any:
    return sp.Piecewise((sp.S.One, sp.Eq(a, m)), (sp.S.Zero, True))


@derivative_rule(
    Extreme,
    name="extreme entry",
    law="the adjoint goes to the entry that is the extreme one",
    reason="where one entry alone is the largest, it alone changes the maximum",
    example=lambda: _weighted(Extreme(_m(), 1, -1)),
)
def _extreme(node: Any, g: Any, value: Any, active: Any) -> Pull:
    if node.matrix in active:
        shape = node.matrix.shape
        local = elementwise(_is_extreme, node.matrix, broadcast(value, *shape))
        yield node.matrix, hadamard(broadcast(g, *shape), local), local


@derivative_rule(
    ProductAlong,
    name="product along an axis",
    law="the adjoint of an entry is g times the product of the others",
    reason="the product rule, with n factors",
    example=lambda: _weighted(ProductAlong(_m(), 0)),
)
def _product_along(node: Any, g: Any, value: Any, active: Any) -> Pull:
    if node.matrix in active:
        local = OthersProduct(node.matrix, node.axis)
        yield node.matrix, hadamard(broadcast(g, *node.matrix.shape), local), local


@derivative_rule(
    OthersProduct,
    name="product of the others",
    law="for P_i = product of a_k, k != i: a_j has the adjoint (sum over i != j of g_i P_i) / a_j",
    reason="for i != j, P_i has the factor a_j once; where a_j is not 0, dP_i = P_i / a_j da_j",
    example=lambda: _weighted(OthersProduct(_m(), 1)),
)
def _others_product(node: Any, g: Any, value: Any, active: Any) -> Pull:
    if node.matrix in active:
        own = hadamard(g, value)
        summed = sum_columns(own) if node.axis else sum_rows(own)
        others = add(broadcast(summed, *node.shape), scale(-1, own))
        yield node.matrix, elementwise(lambda a, b: a / b, others, node.matrix), value


@derivative_rule(
    CumulativeSum,
    name="running sum",
    law="the adjoint is the running sum of G from the other end",
    reason="an entry counts in all sums from its place on",
    example=lambda: _weighted(CumulativeSum(_m(), 1, 0)),
)
def _cumulative_sum(node: Any, g: Any, value: Any, active: Any) -> Pull:
    if node.matrix in active:
        yield node.matrix, CumulativeSum(g, node.axis, int(not node.reverse)), sp.S.One


@derivative_rule(
    Kronecker,
    name="Kronecker product",
    law="d(A x B) = dA x B + A x dB; the adjoint of A_ij is the sum of B_kl G_(ik)(jl) over kl",
    reason="every entry of the product is A_ij B_kl, once",
    example=lambda: _weighted(Kronecker(_m(), _m(2, 1, "B"))),
)
def _kronecker(node: Any, g: Any, value: Any, active: Any) -> Pull:
    a, b = node.args
    if a in active:
        yield a, KroneckerBlocks(g, b, 0), b
    if b in active:
        yield b, KroneckerBlocks(g, a, 1), a


@derivative_rule(
    KroneckerBlocks,
    name="transpose of a Kronecker product",
    law="<W, blocks(G, A)> = <A x W, G>",
    reason="by its definition as the transpose; it is linear in both",
    example=lambda: _weighted(KroneckerBlocks(_m(4, 3), _m(2, 1, "B"), 1)),
)
def _kronecker_blocks(node: Any, g: Any, value: Any, active: Any) -> Pull:
    whole, factor = node.matrices
    if whole in active:
        yield whole, Kronecker(factor, g) if node.left else Kronecker(g, factor), factor
    if factor in active:
        yield factor, KroneckerBlocks(whole, g, int(not node.left)), whole


@derivative_rule(
    PseudoInverse,
    name="pseudo-inverse of full rank",
    law="for C = A^+ with adjoint G: -C' G C' + (I - A C) G' C C' + C' C G' (I - C A)",
    reason="d(A^+) = -C dA C + C C' dA' (I - A C) + (I - C A) dA' C' C while the rank is constant; "
    "it follows from the four Penrose equations, differentiated",
    example=lambda: _weighted(PseudoInverse(_m(3, 2))),
)
def _pseudo_inverse(node: Any, g: Any, value: Any, active: Any) -> Pull:
    a = node.args[0]
    if a not in active:
        return
    c, ct = value, transpose(value)
    rows, columns = a.shape
    left = add(sp.Identity(rows), scale(-1, multiply(a, c)))
    right = add(sp.Identity(columns), scale(-1, multiply(c, a)))
    flipped = transpose(g)
    terms = [
        multiply(sp.S.NegativeOne, ct, g, ct),
        multiply(left, flipped, c, ct),
        multiply(ct, c, flipped, right),
    ]
    yield a, add(*terms), c


@derivative_rule(
    LogDeterminant,
    name="logarithm of a determinant",
    law="d log |det A| = tr(A^-1 dA)",
    reason="Jacobi's formula, divided by det(A)",
    example=lambda: LogDeterminant(_m(3, 3)),
)
def _log_determinant(node: Any, g: Any, value: Any, active: Any) -> Pull:
    if node.args[0] in active:
        local = sp.Transpose(sp.Inverse(node.args[0]))
        yield node.args[0], scale(g, local), local
