"""Derivative rules of the operations of `symgrad.operations`."""

from __future__ import annotations

from collections.abc import Callable
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
    ExtremeWeights,
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
from symgrad.operations.sequences import Convolution, DiagonalSums, Toeplitz
from symgrad.operations.spectral import (
    Cholesky,
    Eigenvalues,
    Eigenvectors,
    Exponential,
    ExponentialSlope,
)
from symgrad.rules import Pull, derivative_rule
from symgrad.softmax import Softmax


def _m(rows: int = 2, columns: int = 3, name: str = "A") -> Any:
    return sp.MatrixSymbol(name, rows, columns)


def _weighted(matrix: Any, name: str = "C") -> Any:
    """Return a scalar in which all entries count differently."""
    rows, columns = matrix.shape
    return sum_entries(hadamard(matrix, _m(rows, columns, name)))


def _linear(transposed: Callable[[Any, Any], Any]) -> Callable[..., Pull]:
    """Return the rule of a linear function of one matrix: its transpose, applied to the adjoint."""

    def pull(node: Any, g: Any, value: Any, active: Any) -> Pull:
        if node.args[0] in active:
            yield node.args[0], transposed(node, g), sp.S.One

    return pull


derivative_rule(
    Slice,
    name="slice",
    law="the adjoint of a slice, put at its place among zeros, is that of the matrix",
    reason="picking entries is linear: <G, dA[places]> = <G at the places, dA>",
    example=lambda: _weighted(Slice(_m(4, 3), span(3, 2, -2), span(1, 2))),
)(_linear(lambda node, g: Placed(g, *node.args[0].shape, *node.options)))


derivative_rule(
    Placed,
    name="placing among zeros",
    law="the adjoint of what is placed is the slice at its place",
    reason="placing is the transpose of slicing",
    example=lambda: _weighted(Placed(_m(), 3, 5, span(0, 2), span(1, 3))),
)(_linear(lambda node, g: Slice(g, *node.options[2:])))


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


derivative_rule(
    Reshaped,
    name="reshaping",
    law="the adjoint is reshaped back",
    reason="the entries keep their order",
    example=lambda: _weighted(Reshaped(_m(), 3, 2)),
)(_linear(lambda node, g: Reshaped(g, *node.args[0].shape)))


derivative_rule(
    Diagonal,
    name="diagonal of a matrix",
    law="the adjoint of A is diag(g)",
    reason="<g, diagonal of dA> = <diag(g), dA>",
    example=lambda: _weighted(Diagonal(_m(3, 3))),
)(_linear(lambda node, g: DiagonalMatrix(g)))


derivative_rule(
    DiagonalMatrix,
    name="diagonal matrix",
    law="the adjoint of a is the diagonal of G",
    reason="<G, diag(da)> = <diagonal of G, da>",
    example=lambda: _weighted(DiagonalMatrix(_m(3, 1))),
)(_linear(lambda node, g: Diagonal(g)))


derivative_rule(
    Triangle,
    name="triangle",
    law="the adjoint is the same triangle of G",
    reason="entries outside of the triangle do not matter: <G, tril(dA)> = <tril(G), dA>",
    example=lambda: _weighted(Triangle(_m(3, 3), 1, 0)),
)(_linear(lambda node, g: Triangle(g, *node.options)))


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


@derivative_rule(
    Extreme,
    name="extreme entry",
    law="the adjoint goes to the entry that is the extreme one; several such entries share it",
    reason="where one entry alone is the largest, it alone changes the maximum; entries that are "
    "equal wherever the variables are, as in a symmetric matrix, have equal derivatives",
    example=lambda: _weighted(Extreme(_m(), 1, -1)),
)
def _extreme(node: Any, g: Any, value: Any, active: Any) -> Pull:
    if node.matrix in active:
        shape = node.matrix.shape
        local = ExtremeWeights(node.matrix, node.axis, node.sign)
        yield node.matrix, hadamard(broadcast(g, *shape), local), local


@derivative_rule(
    ExtremeWeights,
    name="which entry is extreme",
    law="the adjoint is zero",
    reason="which entry is the largest does not change, but at ties",
    example=lambda: _weighted(ExtremeWeights(_m(), 1, 1)),
)
def _extreme_weights(node: Any, g: Any, value: Any, active: Any) -> Pull:
    if node.matrix in active:
        yield node.matrix, sp.ZeroMatrix(*node.shape), sp.ZeroMatrix(*node.shape)


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


derivative_rule(
    CumulativeSum,
    name="running sum",
    law="the adjoint is the running sum of G from the other end",
    reason="an entry counts in all sums from its place on",
    example=lambda: _weighted(CumulativeSum(_m(), 1, 0)),
)(_linear(lambda node, g: CumulativeSum(g, node.axis, int(not node.reverse))))


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


@derivative_rule(
    Convolution,
    name="convolution",
    law="the adjoint of a is the correlation of g with b: the sum over k of g_(i + k) b_k",
    reason="every product a_i b_k stands in c_(i + k), once",
    example=lambda: _weighted(Convolution(_m(3, 1), _m(2, 1, "B"))),
)
def _convolution(node: Any, g: Any, value: Any, active: Any) -> Pull:
    whole = span(0, 1)
    for own, other in (node.args, node.args[::-1]):
        if own in active:
            n, m = own.shape[0], other.shape[0]
            turned = Slice(other, span(m - 1, m, -1), whole)
            yield own, Slice(Convolution(g, turned), span(m - 1, n), whole), other


derivative_rule(
    Toeplitz,
    name="Toeplitz matrix",
    law="the adjoint of w is the sums of G along its diagonals",
    reason="every entry of w stands on one diagonal",
    example=lambda: _weighted(Toeplitz(_m(4, 1), 2, 3)),
)(_linear(lambda node, g: DiagonalSums(g)))


derivative_rule(
    DiagonalSums,
    name="sums along diagonals",
    law="the adjoint is the Toeplitz matrix of g",
    reason="the transpose of making a Toeplitz matrix",
    example=lambda: _weighted(DiagonalSums(_m())),
)(_linear(lambda node, g: Toeplitz(g, *node.args[0].shape)))


def _symmetric_part(matrix: Any) -> Any:
    return scale(sp.Rational(1, 2), add(matrix, transpose(matrix)))


@derivative_rule(
    Cholesky,
    name="Cholesky factor",
    law="for A = L L': the adjoint is the symmetric part of L'^-1 P L^-1, where P is the lower "
    "triangle of L'G with half its diagonal",
    reason="dA = dL L' + L dL', so that L^-1 dA L'^-1 = M + M' for the lower triangular M with "
    "dL = L M: it is the lower triangle of the left side with half its diagonal",
    example=lambda: _weighted(
        Cholesky(add(multiply(_m(2, 2), transpose(_m(2, 2))), sp.Identity(2)))
    ),
)
def _cholesky(node: Any, g: Any, value: Any, active: Any) -> Pull:
    if node.args[0] in active:
        inner = multiply(transpose(value), g)
        diagonal = DiagonalMatrix(Diagonal(inner))
        lower = add(Triangle(inner, 0, 1), scale(sp.Rational(-1, 2), diagonal))
        inverse = sp.Inverse(value)
        yield node.args[0], _symmetric_part(multiply(transpose(inverse), lower, inverse)), value


@derivative_rule(
    Eigenvalues,
    name="eigenvalues of a symmetric matrix",
    law="for A = V diag(lambda) V': the adjoint is V diag(g) V'",
    reason="v'v = 1 and v'A v = lambda, so that d lambda = v'dA v, where eigenvalues are distinct",
    example=lambda: _weighted(Eigenvalues(_m(2, 2))),
)
def _eigenvalues(node: Any, g: Any, value: Any, active: Any) -> Pull:
    if node.args[0] in active:
        vectors = Eigenvectors(node.args[0])
        yield node.args[0], multiply(vectors, DiagonalMatrix(g), transpose(vectors)), vectors


def _reciprocal_distance(a: Any, b: Any) -> Any:
    return sp.Piecewise((sp.S.Zero, sp.Eq(a, b)), (1 / (a - b), True))


@derivative_rule(
    Eigenvectors,
    name="eigenvectors of a symmetric matrix",
    law="the adjoint is the symmetric part of V (K o V'G) V', K_ij = 1/(lambda_j - lambda_i)",
    reason="dV = V M with M' = -M, since V'V = I; and V'dA V = M L - L M + dL for the diagonal L "
    "of eigenvalues, so that M_ij = (V'dA V)_ij / (lambda_j - lambda_i) for i != j",
    example=lambda: _weighted(Eigenvectors(_m(2, 2))),
)
def _eigenvectors(node: Any, g: Any, value: Any, active: Any) -> Pull:
    if node.args[0] in active:
        numbers, shape = Eigenvalues(node.args[0]), node.shape
        rows, columns = broadcast(transpose(numbers), *shape), broadcast(numbers, *shape)
        local = elementwise(_reciprocal_distance, rows, columns)
        inner = hadamard(local, multiply(transpose(value), g))
        yield node.args[0], _symmetric_part(multiply(value, inner, transpose(value))), local


@derivative_rule(
    Exponential,
    name="matrix exponential",
    law="the adjoint is the derivative of the exponential at A' in the direction G",
    reason="d exp(A) = sum of A^j dA A^k / (j + k + 1)!, and <G, A^j dA A^k> = <A'^j G A'^k, dA>",
    example=lambda: _weighted(Exponential(_m(2, 2))),
)
def _exponential(node: Any, g: Any, value: Any, active: Any) -> Pull:
    if node.args[0] in active:
        yield node.args[0], ExponentialSlope(transpose(node.args[0]), g), value


@derivative_rule(
    ExponentialSlope,
    name="derivative of the exponential in directions",
    law="E has the adjoint: the derivative at A' in the directions G and the others, transposed; "
    "that of A has the direction E, transposed, too",
    reason="a derivative is a sum of products A^j E A^k F ..., in every order of the directions; a "
    "factor stands alone on the other side of <G, .> once the others are transposed",
    example=lambda: _weighted(ExponentialSlope(_m(2, 2), _m(2, 2, "E"))),
)
def _exponential_slope(node: Any, g: Any, value: Any, active: Any) -> Pull:
    matrix, *directions = node.matrices
    flipped = [transpose(direction) for direction in directions]
    if matrix in active:
        yield matrix, ExponentialSlope(transpose(matrix), g, *flipped), value
    for k, direction in enumerate(directions):
        if direction in active:
            others = flipped[:k] + flipped[k + 1 :]
            yield direction, ExponentialSlope(transpose(matrix), g, *others), value
