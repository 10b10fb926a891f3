"""Matrices and vectors made by shifting: convolutions, Toeplitz matrices."""

from __future__ import annotations

from typing import Any

import sympy as sp

from symgrad.errors import ShapeError
from symgrad.operations import KERNELS, Operation, Source, matrix, operand, operation_shape
from symgrad.shapes import Shape, same_size, worded

KERNELS["toeplitz"] = """\
def toeplitz(w, rows, columns):
    # T_ij = w[columns - 1 + i - j]
    i, j = np.arange(rows)[:, None], np.arange(columns)
    return w[columns - 1 + i - j, 0]
"""
KERNELS["diagonal_sums"] = """\
def diagonal_sums(a):
    # The transpose of toeplitz: the sums along i - j, from 1 - columns to rows - 1.
    rows, columns = a.shape
    i, j = np.arange(rows)[:, None], np.arange(columns)
    place = (columns - 1 + i - j).ravel()
    return np.bincount(place, a.ravel(), rows + columns - 1)[:, None]
"""


class Convolution(Operation):
    """The full convolution of two columns: c_k = sum of a_i b_(k - i), NumPy's `convolve`.

    >>> Convolution(sp.ImmutableMatrix([1, 2]), sp.ImmutableMatrix([3, 4])).as_explicit().T
    Matrix([[3, 10, 8]])
    """

    word = "convolve"
    arity = 2

    @property
    def shape(self) -> Any:
        """A column of n + m - 1."""
        return self.args[0].shape[0] + self.args[1].shape[0] - 1, sp.S.One

    def written_out(self, *matrices: Any) -> Any:
        """Add up the products."""
        a, b = map(list, matrices)

        def entry(k: int) -> Any:
            return sp.Add(*(a[i] * b[k - i] for i in range(len(a)) if 0 <= k - i < len(b)))

        return sp.ImmutableMatrix([entry(k) for k in range(len(a) + len(b) - 1)])

    def source(self, operands: list[str], text: Source) -> str:
        """Print np.convolve."""
        return f"np.convolve({operands[0]}[:, 0], {operands[1]}[:, 0])[:, None]"

    def _latex(self, printer: Any) -> str:
        return r" \ast ".join(operand(m, printer) for m in self.args)


class Toeplitz(Operation):
    """The matrix with equal entries along diagonals: Toeplitz(w, rows, columns).

    T_ij = w_(columns - 1 + i - j), so that w runs from the upper right to the lower left corner.

    >>> Toeplitz(sp.ImmutableMatrix([1, 2, 3]), 2, 2).as_explicit()
    Matrix([
    [2, 1],
    [3, 2]])
    """

    word = "toeplitz"
    kernels = ("toeplitz",)

    @property
    def shape(self) -> Any:
        """The given numbers of rows and columns."""
        return self.args[1], self.args[2]

    def written_out(self, *matrices: Any) -> Any:
        """Pick the entries."""
        rows, columns = map(int, self.shape)
        return sp.ImmutableMatrix(rows, columns, lambda i, j: matrices[0][columns - 1 + i - j])

    def source(self, operands: list[str], text: Source) -> str:
        """Print a call of the helper function."""
        return f"toeplitz({operands[0]}, {', '.join(map(text, self.shape))})"


class DiagonalSums(Operation):
    """The sums along the diagonals of a matrix: the transpose of `Toeplitz`.

    >>> DiagonalSums(sp.ImmutableMatrix([[1, 2], [3, 4]])).as_explicit().T
    Matrix([[2, 5, 3]])
    """

    word = "diagonal_sums"
    kernels = ("diagonal_sums",)

    @property
    def shape(self) -> Any:
        """A column of rows + columns - 1."""
        rows, columns = self.args[0].shape
        return rows + columns - 1, sp.S.One

    def written_out(self, *matrices: Any) -> Any:
        """Add up along every diagonal."""
        a = matrices[0]
        sums = [sp.S.Zero] * (a.rows + a.cols - 1)
        for i in range(a.rows):
            for j in range(a.cols):
                sums[a.cols - 1 + i - j] += a[i, j]
        return sp.ImmutableMatrix(sums)

    def source(self, operands: list[str], text: Source) -> str:
        """Print a call of the helper function."""
        return f"diagonal_sums({operands[0]})"

    def _latex(self, printer: Any) -> str:
        return rf"\operatorname{{diagsums}}\left({printer._print(self.args[0])}\right)"


@operation_shape(
    Convolution,
    law="columns of n and m convolve to a column of n + m - 1",
    example=lambda head: head(matrix(3, 1), matrix(2, 1, "B")),
    wrong=lambda head: head(matrix(3, 1), matrix(2, 2, "B")),
)
def _convolution_shape(node: Any, below: list[Shape]) -> None:
    for shape in below:
        if shape[1] != 1:
            raise ShapeError(f"`convolve` takes columns, not {worded(shape)}")


@operation_shape(
    Toeplitz,
    law="a column of rows + columns - 1 makes a Toeplitz matrix",
    example=lambda head: head(matrix(4, 1), 2, 3),
    wrong=lambda head: head(matrix(4, 1), 3, 3),
)
def _toeplitz_shape(node: Any, below: list[Shape]) -> None:
    rows, columns = node.shape
    if below[0][1] != 1 or not same_size(below[0][0], rows + columns - 1):
        raise ShapeError(f"{worded(below[0])} makes no Toeplitz matrix {worded(node.shape)}")


@operation_shape(
    DiagonalSums,
    law="a matrix has rows + columns - 1 diagonals",
    example=lambda head: head(matrix()),
    wrong=lambda head: head(sp.Symbol("a")),
)
def _diagonals_shape(node: Any, below: list[Shape]) -> None:
    pass
