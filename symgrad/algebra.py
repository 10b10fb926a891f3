"""Constructors of matrix expressions in one normal form, and what users write by hand.

SymPy's `+` and `*` on matrices evaluate whole trees. The constructors here
build unevaluated nodes and apply a few laws on the way, each named in its
docstring: nested sums and products are flat, scalars stand in front, zeros
and identities are gone, ones are sums or repetitions.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache
from typing import Any

import sympy as sp

from symgrad import functions, trees
from symgrad.errors import OptionError, UnsupportedError
from symgrad.matrices import (
    ENTRY,
    Broadcast,
    Elementwise,
    SumColumns,
    SumEntries,
    SumRows,
    UnitMatrix,
    entry_symbols,
)
from symgrad.operations.parts import DiagonalMatrix
from symgrad.shapes import dimension, same_size, shape_of
from symgrad.softmax import LogSoftmax, Softmax
from symgrad.trees import times

# ------------------------------------------------------- what users write by hand


def elementwise(function: Any, *matrices: Any) -> Any:
    """Apply a scalar function to every entry.

    Args:
        function: An activation's name, a SymPy function class, a `Lambda`, or a Python
            function that takes SymPy scalars.
        *matrices: Matrices of one shape; a scalar is taken as it is.

    Returns:
        A matrix of that shape (a scalar, if scalars were given).

    Raises:
        ShapeError: The matrices have different shapes.
        UnsupportedError: The function does not take or return SymPy scalars.

    >>> X = sp.MatrixSymbol("X", 2, 3)
    >>> elementwise(sp.tanh, X).shape
    (2, 3)
    """
    if isinstance(function, str):
        function = functions.activation(function).apply
    below = [trees.as_sympy(matrix) for matrix in matrices]
    if not any(m.is_Matrix for m in below):
        return _applied(function, below)
    variables = entry_symbols(len(below))
    body = _applied(function, variables)
    factor = _factor_of_entry(body) if len(below) == 1 else None
    if factor is not None:
        return scale(factor, below[0])
    node = Elementwise(_function_of(body, len(below)), *below)
    shape_of(node)
    return node


@lru_cache(maxsize=1024)
def _factor_of_entry(body: Any) -> Any:
    """Return the c of a multiple c t of the entry, which is the multiple c A of the matrix."""
    if ENTRY not in body.free_symbols:
        return None
    factor, rest = body.as_independent(ENTRY, as_Add=False)
    return factor if rest == ENTRY else None


@lru_cache(maxsize=1024)
def _function_of(body: Any, count: int) -> Any:
    return sp.Lambda(entry_symbols(count), body)


def _applied(function: Any, values: Iterable[Any]) -> Any:
    """Call a user's function on SymPy scalars; what it raises is told in one sentence."""
    accepted = "a function that takes and returns SymPy scalars, such as sympy.tanh"
    if not callable(function):
        raise UnsupportedError(f"elementwise needs {accepted}, not {type(function).__name__}")
    try:
        value = function(*values)
    except (TypeError, AttributeError, ValueError) as error:
        raise UnsupportedError(f"elementwise needs {accepted}; it raised: {error}") from error
    value = trees.as_sympy(value, f"{accepted}; it returned something else:")
    if value.is_Matrix:
        raise UnsupportedError(f"elementwise needs {accepted}; it returned a matrix")
    return value


def sum_entries(matrix: Any) -> Any:
    """Add up all entries: (n, k) to a scalar.

    >>> sum_entries(sp.MatrixSymbol("X", 2, 3))
    sum_entries(X)
    """
    coefficient, rest = split_coefficient(trees.as_sympy(matrix))
    while isinstance(rest, (SumRows, SumColumns)):
        rest = rest.matrix
    return times(coefficient, SumEntries(rest))


def sum_rows(matrix: Any) -> Any:
    """Add the rows up: (n, k) to (1, k), as NumPy's `sum(axis=0)` does.

    >>> sum_rows(sp.MatrixSymbol("X", 2, 3)).shape
    (1, 3)
    """
    coefficient, rest = split_coefficient(trees.as_sympy(matrix))
    return scale(coefficient, SumRows(rest))


def sum_columns(matrix: Any) -> Any:
    """Add the columns up: (n, k) to (n, 1), as NumPy's `sum(axis=1)` does.

    >>> sum_columns(sp.MatrixSymbol("X", 2, 3)).shape
    (2, 1)
    """
    coefficient, rest = split_coefficient(trees.as_sympy(matrix))
    return scale(coefficient, SumColumns(rest))


def broadcast(value: Any, rows: Any, columns: Any) -> Any:
    """Repeat a scalar, a row (1, k) or a column (n, 1) to (rows, columns).

    Raises:
        ShapeError: The value's shape does not repeat to the one asked for.

    >>> broadcast(sp.MatrixSymbol("b", 1, 3), 2, 3).shape
    (2, 3)
    """
    value, rows, columns = map(trees.as_sympy, (value, rows, columns))
    rows, columns = dimension(rows), dimension(columns)
    node = Broadcast(value, rows, columns)
    shape_of(node)
    factor, single = split_coefficient(value)
    if isinstance(single, sp.Identity) and single.shape == (1, 1):
        return Broadcast(factor, rows, columns)
    if value.is_Matrix and same_size(value.shape[0], rows) and same_size(value.shape[1], columns):
        return value
    coefficient, rest = split_coefficient(value)
    return node if coefficient == 1 else scale(coefficient, Broadcast(rest, rows, columns))


def softmax(matrix: Any, *, axis: int = 1) -> Any:
    """Normalise the exponentials of every row (axis=1) or of every column (axis=0).

    Raises:
        OptionError: The axis is neither 0 nor 1.
        ShapeError: A scalar was given.

    >>> softmax(sp.MatrixSymbol("X", 2, 3))
    softmax(X)
    """
    return _normalised(Softmax, matrix, axis)


def log_softmax(matrix: Any, *, axis: int = 1) -> Any:
    """Return the logarithm of softmax, in a form that does not underflow.

    >>> log_softmax(sp.MatrixSymbol("X", 2, 3), axis=0)
    log_softmax(X, axis=0)
    """
    return _normalised(LogSoftmax, matrix, axis)


def _normalised(kind: Any, matrix: Any, axis: int) -> Any:
    if axis not in (0, 1):
        raise OptionError(f"axis is 1 (every row) or 0 (every column), not {axis!r}")
    node = kind(trees.as_sympy(matrix), axis)
    shape_of(node)
    return node


# ----------------------------------------------------- constructors of normal form


def split_coefficient(matrix: Any) -> tuple[Any, Any]:
    """Split a matrix into its scalar factor and the rest.

    >>> split_coefficient(sp.MatMul(2, sp.MatrixSymbol("X", 2, 3)))
    (2, X)
    """
    if not isinstance(matrix, sp.MatMul):
        return sp.S.One, matrix
    scalars = [factor for factor in matrix.args if not factor.is_Matrix]
    if not scalars:
        return sp.S.One, matrix
    rest = [factor for factor in matrix.args if factor.is_Matrix]
    return times(*scalars), rest[0] if len(rest) == 1 else sp.MatMul(*rest)


def is_zero(matrix: Any) -> bool:
    """Tell whether a matrix or scalar is zero by its form.

    >>> is_zero(sp.ZeroMatrix(2, 3)), is_zero(sp.Integer(0))
    (True, True)
    """
    if isinstance(matrix, sp.Basic) and not matrix.is_Number:
        return isinstance(matrix, sp.ZeroMatrix)
    return bool(matrix == 0)


def scale(factor: Any, matrix: Any) -> Any:
    """Multiply a matrix by a scalar: c (d A) = (c d) A, 1 A = A, 0 A = 0.

    >>> scale(2, sp.MatMul(3, sp.MatrixSymbol("X", 2, 3)))
    6*X
    """
    factor = trees.as_sympy(factor)
    coefficient, rest = split_coefficient(matrix)
    factor = times(factor, coefficient)
    if factor == 0 or is_zero(rest):
        return sp.ZeroMatrix(*rest.shape)
    if factor == 1:
        return rest
    if isinstance(rest, Broadcast) and not rest.args[0].is_Matrix:
        return Broadcast(times(factor, rest.args[0]), *rest.shape)
    if isinstance(rest, sp.FunctionMatrix):
        body = sp.Lambda(rest.lamda.variables, times(factor, rest.lamda.expr))
        return sp.FunctionMatrix(*rest.shape, body)
    below = rest.args if isinstance(rest, sp.MatMul) else (rest,)
    return sp.MatMul(factor, *below)


def add(*terms: Any) -> Any:
    """Add matrices in the order given: sums are flattened, zeros dropped, equal terms collected.

    >>> X = sp.MatrixSymbol("X", 2, 3)
    >>> add(X, X, sp.ZeroMatrix(2, 3))
    2*X
    """
    collected: dict[Any, Any] = {}
    for term in terms:
        for part in term.args if isinstance(term, sp.MatAdd) else (term,):
            coefficient, rest = split_coefficient(part)
            collected[rest] = collected.get(rest, sp.S.Zero) + coefficient
    kept = [scale(c, rest) for rest, c in collected.items() if c != 0 and not is_zero(rest)]
    if not kept:
        return sp.ZeroMatrix(*terms[0].shape)
    return kept[0] if len(kept) == 1 else sp.MatAdd(*kept)


def multiply(*factors: Any) -> Any:
    """Multiply matrices and scalars: (A B) C = A B C, I A = A, 0 A = 0, scalars to the front.

    >>> X, Y = sp.MatrixSymbol("X", 2, 3), sp.MatrixSymbol("Y", 3, 2)
    >>> multiply(X, sp.MatMul(2, Y))
    2*X*Y
    """
    scalars: list[Any] = []
    matrices: list[Any] = []
    for factor in factors:
        for part in factor.args if isinstance(factor, sp.MatMul) else (factor,):
            (matrices if part.is_Matrix else scalars).append(part)
    rows, columns = matrices[0].shape[0], matrices[-1].shape[1]
    matrices = _without_ones(matrices)
    if any(map(is_zero, matrices)):
        return sp.ZeroMatrix(rows, columns)
    kept = [m for m in matrices if not isinstance(m, sp.Identity)] or matrices[:1]
    product = kept[0] if len(kept) == 1 else sp.MatMul(*kept)
    return scale(times(*scalars), product) if scalars else product


def _without_ones(factors: list[Any]) -> list[Any]:
    """Turn products with vectors of ones into sums and repetitions: A 1, 1' A, 1 b'."""
    if not any(isinstance(factor, sp.OneMatrix) and 1 in factor.shape for factor in factors):
        return factors
    kept: list[Any] = []
    for factor in factors:
        before = kept[-1] if kept else None
        if before is None:
            kept.append(factor)
        elif _is_ones(factor) and factor.shape[1] == 1 and factor.shape[0] != 1:
            kept[-1] = SumColumns(before)
        elif _is_ones(factor) and before.shape[1] == 1:
            kept[-1] = Broadcast(before, before.shape[0], factor.shape[1])
        elif _is_ones(before) and before.shape[0] == 1:
            kept[-1] = SumRows(factor)
        elif _is_ones(before) and factor.shape[0] == 1:
            kept[-1] = Broadcast(factor, before.shape[0], factor.shape[1])
        else:
            kept.append(factor)
    return kept


def _is_ones(matrix: Any) -> bool:
    return isinstance(matrix, sp.OneMatrix) and 1 in matrix.shape


def transpose(matrix: Any) -> Any:
    """Transpose: (A B)' = B' A', A'' = A, a diagonal matrix is kept, and so are scalars.

    A sum stays together, (A - B)': it is mostly used beside the sum itself.

    >>> X, Y = sp.MatrixSymbol("X", 2, 3), sp.MatrixSymbol("Y", 3, 4)
    >>> transpose(sp.MatMul(X, Y.T.T))
    Y.T*X.T
    """
    if isinstance(matrix, sp.Transpose):
        return matrix.arg
    if isinstance(matrix, sp.MatMul):
        return multiply(*(transpose(f) if f.is_Matrix else f for f in reversed(matrix.args)))
    if isinstance(matrix, sp.HadamardProduct):
        return matrix.func(*map(transpose, matrix.args))
    if isinstance(matrix, sp.HadamardPower):
        return sp.HadamardPower(transpose(matrix.base), matrix.exp)
    if isinstance(matrix, (sp.Identity, DiagonalMatrix)):
        return matrix
    if isinstance(matrix, (sp.ZeroMatrix, sp.OneMatrix)):
        return matrix.func(matrix.shape[1], matrix.shape[0])
    if isinstance(matrix, Elementwise):
        return Elementwise(matrix.function, *map(transpose, matrix.matrices))
    if isinstance(matrix, (Softmax, LogSoftmax)):
        return matrix.func(transpose(matrix.matrix), 1 - matrix.axis)
    if isinstance(matrix, Broadcast):
        value = matrix.args[0]
        below = transpose(value) if value.is_Matrix else value
        return Broadcast(below, matrix.shape[1], matrix.shape[0])
    if isinstance(matrix, UnitMatrix):
        return matrix._eval_transpose()
    if isinstance(matrix, sp.MatrixBase):
        return matrix.T
    return sp.Transpose(matrix)


def hadamard(*factors: Any) -> Any:
    """Multiply entry by entry: scalars to the front, a repeated scalar is a scalar factor.

    >>> X = sp.MatrixSymbol("X", 2, 3)
    >>> hadamard(Broadcast(sp.Symbol("c"), 2, 3), X)
    c*X
    """
    coefficient: Any = sp.S.One
    kept: list[Any] = []
    for factor in factors:
        for part in factor.args if isinstance(factor, sp.HadamardProduct) else (factor,):
            c, rest = split_coefficient(part)
            coefficient = times(coefficient, c)
            if isinstance(rest, Broadcast) and not rest.args[0].is_Matrix:
                coefficient = times(coefficient, rest.args[0])
            elif not isinstance(rest, sp.OneMatrix):
                kept.append(rest)
    shape = factors[0].shape
    if any(map(is_zero, kept)):
        return sp.ZeroMatrix(*shape)
    if not kept:
        return Broadcast(coefficient, *shape)
    return scale(coefficient, kept[0] if len(kept) == 1 else sp.HadamardProduct(*kept))


trees.CONSTRUCTORS.update(
    {
        sp.MatAdd: add,
        sp.MatMul: multiply,
        sp.Transpose: transpose,
        sp.HadamardProduct: hadamard,
        SumEntries: sum_entries,
        SumRows: sum_rows,
        SumColumns: sum_columns,
        Broadcast: broadcast,
    }
)
