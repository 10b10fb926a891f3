"""Functions of linear algebra."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import sympy as sp

from symgrad import algebra
from symgrad.errors import OptionError, ShapeError, UnsupportedError
from symgrad.operations.linear import Kronecker, LogDeterminant, PseudoInverse
from symgrad.operations.spectral import Cholesky, Eigenvalues, Eigenvectors, Exponential
from symgrad.reading.text.indices import indexed
from symgrad.reading.text.reductions import Reduction, axis_of, extreme_of, sum_of
from symgrad.reading.text.values import (
    Value,
    entrywise,
    matrix_product,
    number,
    power,
    product,
)
from symgrad.reading.text.words import (
    Build,
    Call,
    as_value,
    said,
    truth,
    word,
)
from symgrad.shapes import same_size


def square_of(given: Any, word: str) -> Value:
    """Return an argument as a square matrix.

    Raises:
        ShapeError: It is none.
    """
    value = as_value(given, word)
    if value.rank != 2 or not same_size(*value.shape):
        raise ShapeError(f"`{word}` takes a square matrix, not {value.worded}")
    return value


def two_of(call: Call) -> tuple[Value, Value]:
    """Return the two arguments, arrays or numbers."""
    given = call.bound("a", "b", required=2)
    return as_value(given["a"], call.word), as_value(given["b"], call.word)


def _of_square(build: Callable[[Any], Any], rank: int) -> Build:
    def made(call: Call) -> Value:
        return Value(build(square_of(call.bound("a", required=1)["a"], call.word).node), rank)

    return made


word("trace", example="{}(A @ S)")(_of_square(sp.Trace, 0))
word("det", example="{}(A @ S)")(_of_square(sp.Determinant, 0))
word("logdet", example="{}(S + A**2)")(_of_square(LogDeterminant, 0))
word("cholesky", example="{}(S + x[:, None] * x)")(_of_square(Cholesky, 2))
word("eigvalsh", example="{}(S)")(_of_square(Eigenvalues, 1))
word("eigvecsh", example="{}(S)")(_of_square(Eigenvectors, 2))
word("expm", example="{}(A / 3) @ X")(_of_square(Exponential, 2))
word("inv", example="{}(S)")(_of_square(sp.Inverse, 2))


@word("solve", example="{}(S, x)")
def _solve(call: Call) -> Value:
    given = call.bound("a", "b", required=2)
    left, right = square_of(given["a"], call.word), as_value(given["b"], call.word)
    return matrix_product(Value(sp.Inverse(left.node), 2), right)


@word("matrix_power", example="{}(A, 3)")
def _matrix_power(call: Call) -> Value:
    given = call.bound("a", "n", required=2)
    base = square_of(given["a"], call.word)
    exponent = as_value(given["n"], call.word).node
    if not exponent.is_Integer or abs(exponent) > MOST_FACTORS:
        raise OptionError(f"`matrix_power` takes an integer up to {MOST_FACTORS}, not {exponent}")
    if exponent == 0:
        return Value(sp.Identity(base.shape[0]), 2)
    node = base.node if exponent > 0 else sp.Inverse(base.node)
    return Value(node if abs(exponent) == 1 else sp.MatPow(node, abs(exponent)), 2)


#: The highest power of a matrix: its derivative has a term for every factor.
MOST_FACTORS = 50


@word("transpose", example="{}(X) @ A")
def _transpose(call: Call) -> Value:
    return transposed(as_value(call.bound("a", required=1)["a"], call.word))


def transposed(value: Value) -> Value:
    """Transpose a matrix; what has at most one axis stays as it is."""
    return Value(algebra.transpose(value.node), 2) if value.rank == 2 else value


@word("dot", example="{}(A, x)")
def _dot(call: Call) -> Value:
    first, second = two_of(call)
    if not first.rank or not second.rank:
        return product(first, second)
    return matrix_product(first, second)


@word("inner", "vdot", example="{}(x, y)")
def _inner(call: Call) -> Value:
    first, second = two_of(call)
    if first.rank != 1 or second.rank != 1:
        raise ShapeError(
            f"`{call.word}` takes two 1-D arrays, not {first.worded} and {second.worded}"
        )
    return matrix_product(first, second)


@word("outer", example="{}(x, y) @ A")
def _outer(call: Call) -> Value:
    first, second = two_of(call)
    if first.rank != 1 or second.rank != 1:
        raise ShapeError(f"`outer` takes two 1-D arrays, not {first.worded} and {second.worded}")
    return Value(algebra.multiply(first.node, algebra.transpose(second.node)), 2)


@word("norm", example="{}(x) * {}(X) * {}(x, 1)")
def _norm(call: Call) -> Value:
    given = call.bound("x", "ord", "axis", "keepdims", required=1)
    value = as_value(given["x"], call.word)
    order = given.get("ord")
    axis = axis_of(given.get("axis"), value.rank, call.word)
    what = Reduction(value, axis, truth(given.get("keepdims", False), call.word))
    of_vectors = value.rank == 1 or axis is not None
    if order is None or order == "fro" or (of_vectors and _is(order, 2)):
        squares = entrywise(lambda z: z**2, [value])
        return entrywise(sp.sqrt, [sum_of(Reduction(squares, axis, what.keepdims))])
    if of_vectors and _is(order, 1):
        return sum_of(Reduction(entrywise(sp.Abs, [value]), axis, what.keepdims))
    if of_vectors and isinstance(order, Value) and order.node.is_Rational and order.node > 0:
        powers = entrywise(lambda z: sp.Abs(z) ** order.node, [value])
        return power(sum_of(Reduction(powers, axis, what.keepdims)), number(1 / order.node))
    if of_vectors and order == "inf":
        return extreme_of(Reduction(entrywise(sp.Abs, [value]), axis, what.keepdims), 1)
    if value.rank == 2 and not of_vectors and not what.keepdims:
        return _matrix_norm(value, order)
    raise UnsupportedError(
        f"`norm` of {value.worded} with ord={said(order)}; read are ord 1, 2, inf and p of vectors"
    )


def _matrix_norm(value: Value, order: Any) -> Value:
    """Return the norm of a matrix that takes it as a linear map: by sums, or by singular values."""
    for wanted, axis in ((_is(order, 1), 0), (order == "inf", 1)):
        if wanted:
            sums = sum_of(Reduction(entrywise(sp.Abs, [value]), axis, False))
            return extreme_of(Reduction(sums, None, False), 1)
    if not _is(order, 2) and order != "nuc":
        raise UnsupportedError(
            f"`norm` of {value.worded} with ord={said(order)}; read are 'fro', 1, 2, inf and 'nuc'"
        )
    squares = Value(Eigenvalues(_smaller_gram(value, order)), 1)
    if order == "nuc":
        return sum_of(Reduction(entrywise(sp.sqrt, [squares]), None, False))
    return entrywise(sp.sqrt, [indexed(squares, [number(-1)])])


def _smaller_gram(value: Value, order: Any) -> Any:
    """Return A'A or AA': its eigenvalues are the squares of the singular values.

    Raises:
        UnsupportedError: All singular values are asked for, and it is not known how many there are.
    """
    rows, columns = value.shape
    transposed_node = algebra.transpose(value.node)
    wide = rows.is_Integer and columns.is_Integer and rows < columns
    if order == "nuc" and not (
        same_size(rows, columns) or (rows.is_Integer and columns.is_Integer)
    ):
        raise UnsupportedError(
            f"`norm` with ord='nuc' of {value.worded}: whether rows or columns are fewer has to be "
            "known; declare the sizes as numbers"
        )
    pair = (value.node, transposed_node) if wide else (transposed_node, value.node)
    return algebra.multiply(*pair)


def _is(order: Any, wanted: int) -> bool:
    return isinstance(order, Value) and order.node == wanted


@word("pinv", example="{}(X) @ A")
def _pinv(call: Call) -> Value:
    value = as_value(call.bound("a", required=1)["a"], call.word)
    if value.rank != 2:
        raise ShapeError(f"`pinv` takes a matrix, not {value.worded}")
    return Value(PseudoInverse(value.node), 2)


@word("kron", example="{}(A, X)")
def _kron(call: Call) -> Value:
    first, second = two_of(call)
    if not first.rank or not second.rank:
        return product(first, second)
    rank = max(first.rank, second.rank)
    # A 1-D array beside a matrix is a row, as NumPy pads shapes in front.
    nodes = [
        algebra.transpose(value.node) if value.rank < rank else value.node
        for value in (first, second)
    ]
    return Value(Kronecker(*nodes), rank)
