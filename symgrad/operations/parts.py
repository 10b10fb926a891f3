"""Parts of matrices and matrices made of parts: slices, stacks, diagonals, triangles."""

from __future__ import annotations

from typing import Any

import sympy as sp

from symgrad.errors import ShapeError
from symgrad.operations import (
    KERNELS,
    Operation,
    Source,
    matrix,
    operand,
    operation_shape,
    require_square,
)
from symgrad.shapes import Shape, same_size, worded

KERNELS["placed"] = """\
def placed(part, shape, place):
    whole = np.zeros(shape)
    whole[place] = part
    return whole
"""


def span(start: Any, count: Any, step: Any = 1) -> Any:
    """Return the places start, start + step, ... of an axis, so many of them.

    >>> span(1, 3)
    (1, 3, 1)
    """
    return sp.Tuple(start, count, step)


def _place(places: Any, k: int) -> Any:
    return places[0] + k * places[2]


def _slice_text(places: Any, size: Any, text: Source) -> str:
    start, count, step = places
    if start == 0 and step == 1 and same_size(count, size):
        return ":"
    last = start + (count - 1) * step
    if step == 1:
        return f"{text(start)}:{text(last + 1)}"
    # A stop before the first entry would count from the end.
    end = "" if step.is_negative and last == 0 else text(last + (1 if step.is_positive else -1))
    return f"{text(start)}:{end}:{text(step)}"


class Slice(Operation):
    """Some rows and columns: Slice(A, rows, columns), each a `span`.

    >>> Slice(sp.ImmutableMatrix([[1, 2, 3], [4, 5, 6]]), span(1, 1), span(0, 2)).as_explicit()
    Matrix([[4, 5]])
    """

    word = "slice"

    @property
    def shape(self) -> Any:
        """The numbers of rows and columns that are picked."""
        return self.args[1][1], self.args[2][1]

    def written_out(self, *matrices: Any) -> Any:
        """Pick the entries."""
        rows, columns = self.options
        return sp.ImmutableMatrix(
            rows[1],
            columns[1],
            lambda i, j: matrices[0][_place(rows, i), _place(columns, j)],
        )

    def source(self, operands: list[str], text: Source) -> str:
        """Print a NumPy slice."""
        places = zip(self.options, self.args[0].shape, strict=True)
        inner = ", ".join(_slice_text(place, size, text) for place, size in places)
        return f"{operands[0]}[{inner}]"

    def _latex(self, printer: Any) -> str:
        inner = _latex_spans(self.options, self.args[0].shape, printer)
        return rf"{operand(self.args[0], printer, indexed=True)}_{{{inner}}}"

    def _sympystr(self, printer: Any) -> str:
        places = zip(self.options, self.args[0].shape, strict=True)
        inner = ", ".join(_slice_text(place, size, printer._print) for place, size in places)
        return f"{printer._print(self.args[0])}[{inner}]"


def _latex_spans(options: Any, shape: Any, printer: Any) -> str:
    """Print the places in rows and columns; a column's are those of its rows."""
    places = list(zip(options, shape, strict=True))
    if shape[1] == 1:
        places = places[:1]
    return ", ".join(_latex_span(place, size, printer) for place, size in places)


def _latex_span(places: Any, size: Any, printer: Any) -> str:
    """Print places counted from 1."""
    start, count, step = places
    if start == 0 and step == 1 and same_size(count, size):
        return ":"
    if count == 1:
        return str(printer._print(start + 1))
    first, last = (printer._print(start + 1 + k * step) for k in (0, count - 1))
    if step == 1:
        return f"{first}:{last}"
    return rf"{first},{printer._print(start + 1 + step)},\ldots,{last}"


class Placed(Operation):
    """Zeros with a matrix at some rows and columns: the transpose of `Slice`.

    >>> Placed(sp.ImmutableMatrix([[7]]), 2, 2, span(1, 1), span(0, 1)).as_explicit()
    Matrix([
    [0, 0],
    [7, 0]])
    """

    word = "placed"
    kernels = ("placed",)

    @property
    def shape(self) -> Any:
        """The shape around the part."""
        return self.args[1], self.args[2]

    def written_out(self, *matrices: Any) -> Any:
        """Put the entries into zeros."""
        rows, columns = self.options[2:]
        whole = sp.zeros(*self.shape)
        for i in range(rows[1]):
            for j in range(columns[1]):
                whole[_place(rows, i), _place(columns, j)] = matrices[0][i, j]
        return sp.ImmutableMatrix(whole)

    def source(self, operands: list[str], text: Source) -> str:
        """Print a call of the helper function."""
        places = zip(self.options[2:], self.shape, strict=True)
        inner = ", ".join(_slice_text(place, size, text) for place, size in places)
        shape = ", ".join(map(text, self.shape))
        return f"placed({operands[0]}, ({shape}), np.s_[{inner}])"

    def _latex(self, printer: Any) -> str:
        inner = _latex_spans(self.options[2:], self.shape, printer)
        whole = printer._print(self.args[0])
        return rf"\left[{whole}\right]^{{{inner}}}"


class Stacked(Operation):
    """Matrices below each other (axis 0) or beside each other (axis 1): Stacked(A, B, ..., axis).

    >>> Stacked(sp.ImmutableMatrix([[1]]), sp.ImmutableMatrix([[2, 3]]), 1).as_explicit()
    Matrix([[1, 2, 3]])
    """

    word = "concatenate"

    @property
    def matrices(self) -> tuple[Any, ...]:
        """The matrices, in order."""
        return self.args[:-1]

    @property
    def options(self) -> tuple[Any, ...]:
        """The axis."""
        return self.args[-1:]

    @property
    def axis(self) -> int:
        """0: below each other; 1: beside each other."""
        return int(self.args[-1])

    @property
    def shape(self) -> Any:
        """The sum of sizes along the axis; the common size across it."""
        total = sp.Add(*(m.shape[self.axis] for m in self.matrices))
        rows, columns = self.matrices[0].shape
        return (total, columns) if self.axis == 0 else (rows, total)

    def written_out(self, *matrices: Any) -> Any:
        """Join the tables."""
        join = sp.Matrix.hstack if self.axis else sp.Matrix.vstack
        return sp.ImmutableMatrix(join(*map(sp.Matrix, matrices)))

    def source(self, operands: list[str], text: Source) -> str:
        """Print a concatenation."""
        return f"np.concatenate([{', '.join(operands)}], axis={self.axis})"

    def _latex(self, printer: Any) -> str:
        between = " & " if self.axis else r" \\ "
        body = between.join(map(printer._print, self.matrices))
        return rf"\begin{{bmatrix}} {body} \end{{bmatrix}}"


class Reshaped(Operation):
    """The entries, row by row, in another shape: Reshaped(A, rows, columns).

    >>> Reshaped(sp.ImmutableMatrix([[1, 2], [3, 4]]), 1, 4).as_explicit()
    Matrix([[1, 2, 3, 4]])
    """

    word = "reshape"

    @property
    def shape(self) -> Any:
        """The new shape."""
        return self.args[1], self.args[2]

    def written_out(self, *matrices: Any) -> Any:
        """Deal the entries out again."""
        return sp.ImmutableMatrix(*self.shape, list(matrices[0]))

    def source(self, operands: list[str], text: Source) -> str:
        """Print a reshape."""
        return f"np.reshape({operands[0]}, ({', '.join(map(text, self.shape))}))"

    def _latex(self, printer: Any) -> str:
        shape = r" \times ".join(map(printer._print, self.shape))
        return rf"\operatorname{{reshape}}_{{{shape}}}\left({printer._print(self.args[0])}\right)"


class Diagonal(Operation):
    """The diagonal of a square matrix, as a column.

    >>> Diagonal(sp.ImmutableMatrix([[1, 2], [3, 4]])).as_explicit()
    Matrix([
    [1],
    [4]])
    """

    word = "diag"

    @property
    def shape(self) -> Any:
        """A column."""
        return self.args[0].shape[0], sp.S.One

    def written_out(self, *matrices: Any) -> Any:
        """Pick the diagonal."""
        return sp.ImmutableMatrix([matrices[0][k, k] for k in range(matrices[0].rows)])

    def source(self, operands: list[str], text: Source) -> str:
        """Print np.diag."""
        return f"np.diag({operands[0]})[:, None]"


class DiagonalMatrix(Operation):
    """The matrix with a column on its diagonal, and zeros elsewhere.

    >>> DiagonalMatrix(sp.ImmutableMatrix([1, 2])).as_explicit()
    Matrix([
    [1, 0],
    [0, 2]])
    """

    word = "diag"

    @property
    def shape(self) -> Any:
        """Square."""
        return self.args[0].shape[0], self.args[0].shape[0]

    def written_out(self, *matrices: Any) -> Any:
        """Put the entries on a diagonal."""
        return sp.ImmutableMatrix(sp.diag(*matrices[0]))

    def source(self, operands: list[str], text: Source) -> str:
        """Print np.diag."""
        return f"np.diag({operands[0]}[:, 0])"

    def _eval_transpose(self) -> Any:
        return self


class Triangle(Operation):
    """The entries on and below (lower = 1) or above (0) a diagonal: Triangle(A, k, lower).

    >>> Triangle(sp.ImmutableMatrix([[1, 2], [3, 4]]), 0, 1).as_explicit()
    Matrix([
    [1, 0],
    [3, 4]])
    """

    word = "triangle"

    @property
    def shape(self) -> Any:
        """That of the matrix."""
        return self.args[0].shape

    @property
    def lower(self) -> bool:
        """Whether the entries below are kept."""
        return bool(self.args[2])

    def written_out(self, *matrices: Any) -> Any:
        """Keep the entries of the triangle."""
        k = int(self.args[1])

        def entry(i: int, j: int) -> Any:
            kept = j - i <= k if self.lower else j - i >= k
            return matrices[0][i, j] if kept else sp.S.Zero

        return sp.ImmutableMatrix(matrices[0].rows, matrices[0].cols, entry)

    def source(self, operands: list[str], text: Source) -> str:
        """Print np.tril or np.triu."""
        name = "np.tril" if self.lower else "np.triu"
        offset = f", {text(self.args[1])}" if self.args[1] else ""
        return f"{name}({operands[0]}{offset})"

    def _latex(self, printer: Any) -> str:
        name = "tril" if self.lower else "triu"
        offset = f"_{{{printer._print(self.args[1])}}}" if self.args[1] else ""
        return rf"\operatorname{{{name}}}{offset}\left({printer._print(self.args[0])}\right)"


# --------------------------------------------------------------------- shapes


@operation_shape(
    Slice,
    law="a slice has as many rows and columns as it picks",
    example=lambda head: head(matrix(), span(0, 2), span(1, 2)),
    wrong=lambda head: head(matrix(), span(1, 2), span(0, 1)),
)
def _slice_shape(node: Any, below: list[Shape]) -> None:
    _require_inside(node, node.options, below[0])


@operation_shape(
    Placed,
    law="what is placed fits its place, and the place lies inside the shape",
    example=lambda head: head(matrix(), 3, 4, span(0, 2), span(1, 3)),
    wrong=lambda head: head(matrix(), 2, 2, span(0, 2), span(0, 3)),
)
def _placed_shape(node: Any, below: list[Shape]) -> None:
    _require_inside(node, node.options[2:], node.shape)
    if not all(same_size(p[1], s) for p, s in zip(node.options[2:], below[0], strict=True)):
        raise ShapeError(f"`{node}`: {worded(below[0])} does not fit its place")


def _require_inside(node: Any, spans: Any, shape: Any) -> None:
    for (start, count, step), size in zip(spans, shape, strict=True):
        for index in (start, start + (count - 1) * step):
            beyond = size - 1 - index
            if index.is_negative or beyond.is_negative:
                raise ShapeError(f"`{node}`: index {index} is outside 0..{size - 1}")


@operation_shape(
    Stacked,
    law="stacked matrices have one size across the axis",
    example=lambda head: head(matrix(), matrix(4, 3, "B"), 0),
    wrong=lambda head: head(matrix(), matrix(4, 3, "B"), 1),
)
def _stacked_shape(node: Any, below: list[Shape]) -> None:
    across = [m.shape[1 - node.axis] for m in node.matrices]
    if not all(same_size(size, across[0]) for size in across):
        shapes = ", ".join(worded(m.shape) for m in node.matrices)
        raise ShapeError(f"the shapes {shapes} do not stack along axis {node.axis}")


@operation_shape(
    Reshaped,
    law="a new shape has as many entries",
    example=lambda head: head(matrix(), 3, 2),
    wrong=lambda head: head(matrix(), 4, 2),
)
def _reshaped_shape(node: Any, below: list[Shape]) -> None:
    rows, columns = node.shape
    if not same_size(rows * columns, below[0][0] * below[0][1]):
        raise ShapeError(f"{worded(below[0])} does not reshape to {worded(node.shape)}")


@operation_shape(
    Diagonal,
    law="the diagonal of (n, n) is a column of n",
    example=lambda head: head(matrix(3, 3)),
    wrong=lambda head: head(matrix()),
)
def _diagonal_shape(node: Any, below: list[Shape]) -> None:
    require_square(node, below[0])


@operation_shape(
    DiagonalMatrix,
    law="a column of n makes a matrix (n, n)",
    example=lambda head: head(matrix(3, 1)),
    wrong=lambda head: head(matrix()),
)
def _diagonal_matrix_shape(node: Any, below: list[Shape]) -> None:
    if below[0][1] != 1:
        raise ShapeError(f"a diagonal is made of a column, not of {worded(below[0])}")


@operation_shape(
    Triangle,
    law="a triangle keeps the shape",
    example=lambda head: head(matrix(), 0, 1),
    wrong=lambda head: head(sp.Symbol("a"), 0, 1),
)
def _triangle_shape(node: Any, below: list[Shape]) -> None:
    pass
