r"""Operations of matrices that are printed with a sign of their own, as \operatorname{diag}."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import sympy as sp

from symgrad.errors import ParseError
from symgrad.operations.linear import Kronecker, KroneckerBlocks, PseudoInverse
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
    ExponentialSlope,
)
from symgrad.reading.printed.parts import ALL, Span
from symgrad.reading.printed.sizes import Several, Sizes, is_known, is_size
from symgrad.shapes import Shape


class Operator(NamedTuple):
    """An operation: how its shape follows from those below, and how it is built of matrices.

    Attributes:
        shape: Of the shapes below, all of two sizes, some of them not known yet.
        make: Of the matrices below and the shape that was found, by then known.
        is_infix: Whether its sign stands between matrices.
    """

    shape: Callable[[list[Shape], Sizes], Shape]
    make: Callable[[list[Any], Shape], Any]
    is_infix: bool = False


def _kept(below: list[Shape], sizes: Sizes) -> Shape:
    return below[0]


def _square(below: list[Shape], sizes: Sizes) -> Shape:
    for shape in below:
        sizes.equate(*shape)
        sizes.equate(shape[0], below[0][0])
    return below[0]


def _column(below: list[Shape], sizes: Sizes) -> Shape:
    for shape in below:
        sizes.equate(shape[1], sp.S.One)
    return below[0]


# ------------------------------------------------------------- along rows and columns


def along(head: Any, axis: int | None, *options: Any, reduces: bool = False) -> Operator:
    """Return an operation along an axis; None: along the vector that it is taken of."""

    def axis_of(shape: Shape) -> int:
        if axis is not None:
            return axis
        if 1 not in shape:
            raise ParseError("whether rows or columns are meant cannot be told")
        return 0 if shape[1] == 1 else 1

    def shape_of(below: list[Shape], sizes: Sizes) -> Shape:
        rows, columns = map(sizes.of, below[0])
        found = axis_of((rows, columns))
        if not reduces:
            return rows, columns
        return (rows, sp.S.One) if found else (sp.S.One, columns)

    def make(values: list[Any], shape: Shape) -> Any:
        return head(values[0], axis_of(values[0].shape), *options)

    return Operator(shape_of, make)


# ------------------------------------------------------------------- places of entries


def _spanned(places: Sequence[Any], shape: Shape) -> tuple[Any, ...]:
    """Return the places in rows and columns, counted from 0; a column's are those of its rows."""
    if len(places) == 1:
        if shape[1] != 1:
            raise ParseError("only a column has places without those of its columns")
        places = (*places, ALL)
    return tuple(_span(place, size) for place, size in zip(places, shape, strict=True))


def _span(place: Any, size: Any) -> Any:
    if place == ALL:
        return span(sp.S.Zero, size)
    if not isinstance(place, Span):
        return span(place - 1, sp.S.One)
    if place.second is None:
        return span(place.first - 1, sp.expand(place.last - place.first + 1))
    step = sp.expand(place.second - place.first)
    count = sp.cancel((place.last - place.first) / step) + 1 if step != 0 else sp.S.Zero
    if not step.is_Integer or not is_size(sp.expand(count)):
        raise ParseError("these are no places at equal distances")
    return span(place.first - 1, sp.expand(count), step)


def sliced(places: Sequence[Any]) -> Operator:
    """Return the operation that picks some rows and columns."""

    def shape_of(below: list[Shape], sizes: Sizes) -> Shape:
        rows, columns = _spanned(places, tuple(map(sizes.of, below[0])))
        if not (is_size(rows[1]) and is_size(columns[1])):
            raise ParseError("no places are picked")
        return rows[1], columns[1]

    return Operator(
        shape_of, lambda values, shape: Slice(values[0], *_spanned(places, values[0].shape))
    )


def put(places: Sequence[Any]) -> Operator:
    """Return the operation that puts a matrix at some rows and columns of zeros."""

    def shape_of(below: list[Shape], sizes: Sizes) -> Shape:
        # Of a single place it is that in a column.
        whole = (sizes.fresh(), sp.S.One if len(places) == 1 else sizes.fresh(Several))
        for (_, count, _), size in zip(_spanned(places, whole), below[0], strict=True):
            sizes.equate(count, size)
        return whole

    def make(values: list[Any], shape: Shape) -> Any:
        return Placed(values[0], *shape, *_spanned(places, shape))

    return Operator(shape_of, make)


def stacked(axis: int) -> Operator:
    """Return the operation that puts matrices below (axis 0) or beside (1) each other."""

    def shape_of(below: list[Shape], sizes: Sizes) -> Shape:
        for shape in below[1:]:
            sizes.equate(shape[1 - axis], below[0][1 - axis])
        total = sp.Add(*(shape[axis] for shape in below))
        return (below[0][0], total) if axis else (total, below[0][1])

    return Operator(shape_of, lambda values, shape: Stacked(*values, axis))


def reshaped(rows: Any, columns: Any) -> Operator:
    """Return the operation that deals entries out to another shape."""

    def shape_of(below: list[Shape], sizes: Sizes) -> Shape:
        sizes.equate(sp.expand(below[0][0] * below[0][1]), sp.expand(rows * columns))
        return rows, columns

    return Operator(shape_of, lambda values, shape: Reshaped(values[0], rows, columns))


def triangle(offset: Any, lower: bool) -> Operator:
    """Return the operation that keeps the entries on one side of a diagonal."""
    return Operator(_kept, lambda values, shape: Triangle(values[0], offset, int(lower)))


def _diagonal_shape(below: list[Shape], sizes: Sizes) -> Shape:
    rows, columns = map(sizes.of, below[0])
    if columns == 1:
        return rows, rows
    if not is_known(columns) and rows != columns and not isinstance(columns, Several):
        raise ParseError("whether this is a diagonal or its matrix cannot be told")
    sizes.equate(rows, columns)
    return rows, sp.S.One


def _diagonal(values: list[Any], shape: Shape) -> Any:
    return (DiagonalMatrix if values[0].shape[1] == 1 else Diagonal)(values[0])


# --------------------------------------------------------------------------- products


def _kronecker_shape(below: list[Shape], sizes: Sizes) -> Shape:
    (m, n), (p, q) = below
    return sp.expand(m * p), sp.expand(n * q)


def blocks(*, left: bool) -> Operator:
    """Return the transpose of the Kronecker product, of the whole and of one of the factors."""

    def shape_of(below: list[Shape], sizes: Sizes) -> Shape:
        return tuple(_shared(a, b, sizes) for a, b in zip(*below, strict=True))

    return Operator(shape_of, lambda values, shape: KroneckerBlocks(*values, int(left)))


def _shared(whole: Any, factor: Any, sizes: Sizes) -> Any:
    """Return the size that a factor is multiplied by to be the whole."""
    whole, factor = sizes.of(whole), sizes.of(factor)
    if is_known(whole) and is_known(factor):
        found = sp.cancel(whole / factor)
        if not is_size(found):
            raise ParseError(f"{whole} is no multiple of {factor}")
        return found
    found = sizes.fresh()
    sizes.equate(whole, found * factor)
    return found


def _convolved(below: list[Shape], sizes: Sizes) -> Shape:
    _column(below, sizes)
    return sp.expand(below[0][0] + below[1][0] - 1), sp.S.One


def _toeplitz_shape(below: list[Shape], sizes: Sizes) -> Shape:
    _column(below, sizes)
    rows, columns = sizes.fresh(), sizes.fresh()
    sizes.equate(rows + columns - 1, below[0][0])
    return rows, columns


KRONECKER = Operator(_kronecker_shape, lambda values, shape: Kronecker(*values), is_infix=True)
CONVOLUTION = Operator(_convolved, lambda values, shape: Convolution(*values), is_infix=True)
PSEUDO_INVERSE = Operator(
    lambda below, sizes: below[0][::-1], lambda values, shape: PseudoInverse(*values)
)
SLOPE_OF_EXPONENTIAL = Operator(_square, lambda values, shape: ExponentialSlope(*values))
#: Operations of one matrix, by what is printed before its bracket.
OF_ONE = {
    r"\operatorname{diag}": Operator(_diagonal_shape, _diagonal),
    r"\operatorname{chol}": Operator(_square, lambda values, shape: Cholesky(*values)),
    r"\operatorname{toeplitz}": Operator(
        _toeplitz_shape, lambda values, shape: Toeplitz(values[0], *shape)
    ),
    r"\operatorname{diagsums}": Operator(
        lambda below, sizes: (sp.expand(below[0][0] + below[0][1] - 1), sp.S.One),
        lambda values, shape: DiagonalSums(*values),
    ),
    r"\lambda": Operator(
        lambda below, sizes: (_square(below, sizes)[0], sp.S.One),
        lambda values, shape: Eigenvalues(*values),
    ),
    "V": Operator(_square, lambda values, shape: Eigenvectors(*values)),
}
