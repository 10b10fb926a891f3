"""Operations along an axis: extremes, products, running sums, logarithms of exponentials."""

from __future__ import annotations

from typing import Any

import sympy as sp

from symgrad.errors import ShapeError
from symgrad.operations import KERNELS, Operation, Source, matrix, operation_shape
from symgrad.shapes import Shape

KERNELS["log_sum_exp"] = """\
def log_sum_exp(z, axis):
    # The largest entry is taken off first, so that no exponential overflows.
    top = np.max(z, axis=axis, keepdims=True)
    return top + np.log(np.sum(np.exp(z - top), axis=axis, keepdims=True))
"""
KERNELS["others_product"] = """\
def others_product(z, axis):
    # The product of all other entries, by products from both ends: no division by zero.
    z = np.moveaxis(z, axis, 0)
    before, after = np.ones_like(z), np.ones_like(z)
    before[1:] = np.cumprod(z[:-1], axis=0)
    after[:-1] = np.cumprod(z[:0:-1], axis=0)[::-1]
    return np.moveaxis(before * after, 0, axis)
"""


class _Along(Operation):
    """What they share: a matrix and an axis, 1 for every row, 0 for every column."""

    @property
    def matrix(self) -> Any:
        """The matrix below."""
        return self.args[0]

    @property
    def axis(self) -> int:
        """1: along every row; 0: along every column."""
        return int(self.args[1])

    def _lines(self, table: Any) -> list[list[Any]]:
        """Return the rows, or the columns, that the operation runs along."""
        rows = table.tolist()
        return rows if self.axis else [list(column) for column in zip(*rows, strict=True)]

    def _as_matrix(self, lines: list[list[Any]]) -> Any:
        made = sp.ImmutableMatrix(lines)
        return made if self.axis else made.T

    def _eval_transpose(self) -> Any:
        return self.func(sp.transpose(self.matrix), 1 - self.axis, *self.args[2:])

    def _latex(self, printer: Any) -> str:
        mark = "" if 1 in self.matrix.shape else "_{j}" if self.axis else "_{i}"
        return rf"{self._letters()}{mark} \left({printer._print(self.matrix)}\right)"

    def _letters(self) -> str:
        return rf"\operatorname{{{self.word}}}"


class _Reducing(_Along):
    @property
    def shape(self) -> Any:
        """One entry in the place of every row or column."""
        rows, columns = self.matrix.shape
        return (rows, sp.S.One) if self.axis else (sp.S.One, columns)

    def written_out(self, *matrices: Any) -> Any:
        """Reduce every line."""
        return self._as_matrix([[self._of_line(line)] for line in self._lines(matrices[0])])

    def _of_line(self, line: list[Any]) -> Any:
        raise NotImplementedError


class LogSumExp(_Reducing):
    """The logarithm of the sum of exponentials along an axis.

    >>> LogSumExp(sp.ImmutableMatrix([[0, 0]]), 1).as_explicit()
    Matrix([[log(2)]])
    """

    word = "logsumexp"
    kernels = ("log_sum_exp",)

    def _of_line(self, line: list[Any]) -> Any:
        return sp.log(sp.Add(*map(sp.exp, line)))

    def source(self, operands: list[str], text: Source) -> str:
        """Print a call of the helper function."""
        return f"log_sum_exp({operands[0]}, axis={self.axis})"


class Extreme(_Reducing):
    """The largest (sign 1) or least (sign -1) entry along an axis: Extreme(A, axis, sign).

    >>> Extreme(sp.ImmutableMatrix([[1, 3], [5, 2]]), 0, 1).as_explicit()
    Matrix([[5, 3]])
    """

    word = "extreme"

    @property
    def sign(self) -> int:
        """1 for the largest entry, -1 for the least."""
        return int(self.args[2])

    def _of_line(self, line: list[Any]) -> Any:
        return (sp.Max if self.sign > 0 else sp.Min)(*line)

    def source(self, operands: list[str], text: Source) -> str:
        """Print np.max or np.min."""
        return f"{self._name('np.')}({operands[0]}, axis={self.axis}, keepdims=True)"

    def _name(self, module: str) -> str:
        return f"{module}max" if self.sign > 0 else f"{module}min"

    def _letters(self) -> str:
        return self._name("\\")


KERNELS["extreme_weights"] = """\
def extreme_weights(z, axis, extreme):
    # Where several entries are the extreme one, as in a symmetric matrix, they share.
    hits = z == extreme(z, axis=axis, keepdims=True)
    return hits / np.sum(hits, axis=axis, keepdims=True)
"""


class ExtremeWeights(_Along):
    """1 where an entry is the extreme one along an axis, else 0; several share the 1.

    >>> ExtremeWeights(sp.ImmutableMatrix([[1, 3], [5, 5]]), 1, 1).as_explicit()
    Matrix([
    [  0,   1],
    [1/2, 1/2]])
    """

    word = "extreme_weights"
    kernels = ("extreme_weights",)

    @property
    def sign(self) -> int:
        """1 for the largest entry, -1 for the least."""
        return int(self.args[2])

    @property
    def shape(self) -> Any:
        """That of the matrix."""
        return self.matrix.shape

    def written_out(self, *matrices: Any) -> Any:
        """Compare every entry with the extreme one of its line."""
        return self._as_matrix([self._of_line(line) for line in self._lines(matrices[0])])

    def _of_line(self, line: list[Any]) -> list[Any]:
        top = (sp.Max if self.sign > 0 else sp.Min)(*line)
        hits = [sp.Piecewise((sp.S.One, sp.Eq(entry, top)), (sp.S.Zero, True)) for entry in line]
        return [hit / sp.Add(*hits) for hit in hits]

    def source(self, operands: list[str], text: Source) -> str:
        """Print a call of the helper function."""
        name = "np.max" if self.sign > 0 else "np.min"
        return f"extreme_weights({operands[0]}, {self.axis}, {name})"

    def _latex(self, printer: Any) -> str:
        inner = printer._print(self.matrix)
        word = r"\max" if self.sign > 0 else r"\min"
        mark = "" if 1 in self.matrix.shape else "_{j}" if self.axis else "_{i}"
        return rf"\left[{inner} = {word}{mark} \left({inner}\right)\right]"


class ProductAlong(_Reducing):
    """The product of the entries along an axis.

    >>> ProductAlong(sp.ImmutableMatrix([[2, 3], [4, 5]]), 1).as_explicit()
    Matrix([
    [ 6],
    [20]])
    """

    word = "prod"

    def _of_line(self, line: list[Any]) -> Any:
        return sp.Mul(*line)

    def source(self, operands: list[str], text: Source) -> str:
        """Print np.prod."""
        return f"np.prod({operands[0]}, axis={self.axis}, keepdims=True)"

    def _letters(self) -> str:
        return r"\prod"


class OthersProduct(_Along):
    """For every entry the product of the others along an axis: the slope of a product.

    >>> OthersProduct(sp.ImmutableMatrix([[2, 3, 0]]), 1).as_explicit()
    Matrix([[0, 0, 6]])
    """

    word = "others_product"
    kernels = ("others_product",)

    @property
    def shape(self) -> Any:
        """That of the matrix."""
        return self.matrix.shape

    def written_out(self, *matrices: Any) -> Any:
        """Multiply all other entries of every line."""
        lines = self._lines(matrices[0])
        return self._as_matrix(
            [[sp.Mul(*line[:k], *line[k + 1 :]) for k in range(len(line))] for line in lines]
        )

    def source(self, operands: list[str], text: Source) -> str:
        """Print a call of the helper function."""
        return f"others_product({operands[0]}, {self.axis})"

    def _letters(self) -> str:
        return r"\operatorname{others}"


class CumulativeSum(_Along):
    """Running sums along an axis, from the first (reverse = 0) or the last entry (1).

    >>> CumulativeSum(sp.ImmutableMatrix([[1, 2, 3]]), 1, 0).as_explicit()
    Matrix([[1, 3, 6]])
    """

    word = "cumsum"

    @property
    def shape(self) -> Any:
        """That of the matrix."""
        return self.matrix.shape

    @property
    def reverse(self) -> bool:
        """Whether sums run from the last entry."""
        return bool(self.args[2])

    def written_out(self, *matrices: Any) -> Any:
        """Add up to, or from, every entry."""
        lines = self._lines(matrices[0])
        if self.reverse:
            return self._as_matrix(
                [[sp.Add(*line[k:]) for k in range(len(line))] for line in lines]
            )
        return self._as_matrix(
            [[sp.Add(*line[: k + 1]) for k in range(len(line))] for line in lines]
        )

    def source(self, operands: list[str], text: Source) -> str:
        """Print np.cumsum."""
        if not self.reverse:
            return f"np.cumsum({operands[0]}, axis={self.axis})"
        flip = f"np.flip({{}}, axis={self.axis})"
        return flip.format(f"np.cumsum({flip.format(operands[0])}, axis={self.axis})")

    def _letters(self) -> str:
        return r"\operatorname{cumsum}" + ("^{\\leftarrow}" if self.reverse else "")


@operation_shape(
    *(LogSumExp, ProductAlong, OthersProduct),
    law="along axis 1 every row, along axis 0 every column becomes one entry, or keeps its length",
    example=lambda head: head(matrix(), 1),
    wrong=lambda head: head(sp.Symbol("a"), 1),
)
@operation_shape(
    *(Extreme, ExtremeWeights, CumulativeSum),
    law="extremes and running sums are taken along an axis",
    example=lambda head: head(matrix(), 0, 1),
    wrong=lambda head: head(matrix(), 2, 1),
)
def _along_shape(node: Any, below: list[Shape]) -> None:
    if node.axis not in (0, 1):
        raise ShapeError(f"`{node.word}` runs along axis 0 or 1, not {node.axis}")
