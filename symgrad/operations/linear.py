"""Linear algebra: Kronecker products, the pseudo-inverse, the logarithm of a determinant."""

from __future__ import annotations

from typing import Any

import sympy as sp

from symgrad.errors import ShapeError, UnsupportedError
from symgrad.operations import (
    KERNELS,
    Operation,
    ScalarOperation,
    Source,
    matrix,
    operand,
    operation_shape,
    require_square,
)
from symgrad.shapes import Shape, same_size, worded

KERNELS["kron_blocks"] = """\
def kron_blocks(whole, factor, left):
    # The transpose of B -> kron(A, B) (left) or of A -> kron(A, B), applied to `whole`.
    rows, columns = whole.shape[0] // factor.shape[0], whole.shape[1] // factor.shape[1]
    if left:
        blocks = whole.reshape(factor.shape[0], rows, factor.shape[1], columns)
        return np.einsum("ikjl,ij->kl", blocks, factor)
    blocks = whole.reshape(rows, factor.shape[0], columns, factor.shape[1])
    return np.einsum("ikjl,kl->ij", blocks, factor)
"""


class Kronecker(Operation):
    """The Kronecker product: every entry of A times B.

    >>> Kronecker(sp.ImmutableMatrix([[1, 2]]), sp.ImmutableMatrix([[1], [3]])).as_explicit()
    Matrix([
    [1, 2],
    [3, 6]])
    """

    word = "kron"
    arity = 2

    @property
    def shape(self) -> Any:
        """The products of the sizes."""
        (m, n), (p, q) = (each.shape for each in self.args)
        return m * p, n * q

    def written_out(self, *matrices: Any) -> Any:
        """Multiply every pair of entries."""
        a, b = matrices

        def entry(i: int, j: int) -> Any:
            (i, k), (j, m) = divmod(i, b.rows), divmod(j, b.cols)
            return a[i, j] * b[k, m]

        return sp.ImmutableMatrix(a.rows * b.rows, a.cols * b.cols, entry)

    def source(self, operands: list[str], text: Source) -> str:
        """Print np.kron."""
        return f"np.kron({', '.join(operands)})"

    def _eval_transpose(self) -> Any:
        return Kronecker(*map(sp.transpose, self.args))

    def _latex(self, printer: Any) -> str:
        return r" \otimes ".join(operand(m, printer) for m in self.args)


class KroneckerBlocks(Operation):
    """The transpose of the Kronecker product as a map of one of its factors.

    KroneckerBlocks(G, A, 1) has the entries sum over ij of A_ij G_(ik)(jl), and
    KroneckerBlocks(G, B, 0) sum over kl of B_kl G_(ik)(jl).

    >>> whole = sp.ImmutableMatrix([[1, 2], [3, 4]])
    >>> KroneckerBlocks(whole, sp.ImmutableMatrix([[1, 10]]), 1).as_explicit()
    Matrix([
    [21],
    [43]])
    """

    word = "kron_blocks"
    arity = 2
    kernels = ("kron_blocks",)

    @property
    def left(self) -> bool:
        """Whether the given factor is the left one."""
        return bool(self.args[2])

    @property
    def shape(self) -> Any:
        """The shape of the other factor."""
        whole, factor = (each.shape for each in self.matrices)
        return tuple(sp.cancel(a / b) for a, b in zip(whole, factor, strict=True))

    def written_out(self, *matrices: Any) -> Any:
        """Add up the entries of blocks."""
        whole, factor = matrices
        rows, columns = whole.rows // factor.rows, whole.cols // factor.cols

        def entry(k: int, m: int) -> Any:
            def at(i: int, j: int) -> Any:
                if self.left:
                    return whole[i * rows + k, j * columns + m]
                return whole[k * factor.rows + i, m * factor.cols + j]

            places = [(i, j) for i in range(factor.rows) for j in range(factor.cols)]
            return sp.Add(*(factor[i, j] * at(i, j) for i, j in places))

        return sp.ImmutableMatrix(rows, columns, entry)

    def source(self, operands: list[str], text: Source) -> str:
        """Print a call of the helper function."""
        return f"kron_blocks({', '.join(operands)}, {self.left})"

    def _latex(self, printer: Any) -> str:
        whole, factor = printer._print(self.args[0]), operand(self.args[1], printer)
        mark = r"\otimes \cdot" if self.left else r"\cdot \otimes"
        sides = rf"{factor} {mark}" if self.left else rf"{mark} {factor}"
        return rf"\left({sides}\right)^{{\ast}} \left({whole}\right)"


class PseudoInverse(Operation):
    """The Moore-Penrose inverse of a matrix of full rank.

    >>> PseudoInverse(sp.ImmutableMatrix([[1], [2]])).as_explicit()
    Matrix([[1/5, 2/5]])
    """

    word = "pinv"

    @property
    def shape(self) -> Any:
        """The shape of the transpose."""
        return self.args[0].shape[1], self.args[0].shape[0]

    def written_out(self, *matrices: Any) -> Any:
        """(A'A)^-1 A', or A'(AA')^-1 where there are more columns than rows."""
        a = matrices[0]
        if a.rows >= a.cols:
            return sp.ImmutableMatrix((a.T * a).inv(method="ADJ") * a.T)
        return sp.ImmutableMatrix(a.T * (a * a.T).inv(method="ADJ"))

    def source(self, operands: list[str], text: Source) -> str:
        """Print np.linalg.pinv."""
        return f"np.linalg.pinv({operands[0]})"

    def _eval_transpose(self) -> Any:
        return PseudoInverse(sp.transpose(self.args[0]))

    def _latex(self, printer: Any) -> str:
        return rf"{operand(self.args[0], printer)}^{{+}}"


class LogDeterminant(ScalarOperation):
    """The logarithm of the absolute value of a determinant.

    >>> LogDeterminant(sp.ImmutableMatrix([[2, 0], [0, 3]])).as_explicit()
    log(6)
    """

    word = "logdet"

    def written_out(self, *matrices: Any) -> Any:
        """Log |det A|."""
        value = matrices[0].det(method="laplace")
        if value.is_zero:
            raise UnsupportedError("the logarithm of the determinant of a singular matrix")
        return sp.log(sp.Abs(value))

    def source(self, operands: list[str], text: Source) -> str:
        """Print np.linalg.slogdet, which does not overflow."""
        return f"np.linalg.slogdet({operands[0]})[1]"

    def _latex(self, printer: Any, exp: Any = None) -> str:
        text = rf"\log\left\lvert \det {operand(self.args[0], printer)} \right\rvert"
        return text if exp is None else rf"\left({text}\right)^{{{exp}}}"


@operation_shape(
    Kronecker,
    law="the sizes of a Kronecker product are the products of the sizes",
    example=lambda head: head(matrix(), matrix(4, 2, "B")),
    wrong=lambda head: head(matrix(), sp.Symbol("b")),
)
@operation_shape(
    PseudoInverse,
    law="the pseudo-inverse of (n, m) is (m, n)",
    example=lambda head: head(matrix()),
    wrong=lambda head: head(sp.Symbol("a")),
)
def _any_shape(node: Any, below: list[Shape]) -> None:
    pass


@operation_shape(
    KroneckerBlocks,
    law="the sizes of the whole are multiples of those of the factor",
    example=lambda head: head(matrix(4, 6), matrix(), 1),
    wrong=lambda head: head(matrix(5, 6), matrix(), 1),
)
def _blocks_shape(node: Any, below: list[Shape]) -> None:
    whole, factor = below[:2]
    for size, own, other in zip(whole, factor, node.shape, strict=True):
        if not same_size(own * other, size) or other.is_integer is False:
            raise ShapeError(f"{worded(whole)} is not made of blocks {worded(factor)}")


@operation_shape(
    LogDeterminant,
    law="a determinant is that of a square matrix",
    example=lambda head: head(matrix(2, 2)),
    wrong=lambda head: head(matrix()),
)
def _determinant_shape(node: Any, below: list[Shape]) -> None:
    require_square(node, below[0])
