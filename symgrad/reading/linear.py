"""NumPy's linear algebra of traced matrices, exactly: no pivot is searched by size.

Up to 3x3 by Laplace's expansion, so that an inverse reads as it is written by hand; above by
elimination, in which rows are exchanged only where a pivot is the number 0.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from symgrad.circuit import Circuit
from symgrad.reading.arrays import TracedArray, entries, wrapped
from symgrad.reading.places import refusal
from symgrad.reading.scalars import apply, fold, read
from symgrad.reading.shaping import implements

#: Matrices up to this size are expanded.
EXPANDED = 3


def _square(circuit: Circuit, value: Any) -> Any:
    data = entries(circuit, value)
    if data.ndim < 2 or data.shape[-1] != data.shape[-2]:
        raise np.linalg.LinAlgError(f"Last 2 dimensions of the array must be square: {data.shape}")
    return data


def _over_batch(circuit: Circuit, rule: Any, *arrays: Any) -> Any:
    """Apply a rule for matrices to each of the matrices in the last two axes."""
    batch = np.broadcast_shapes(*(a.shape[:-2] for a in arrays))
    wide = [np.broadcast_to(a, batch + a.shape[-2:]) for a in arrays]
    if not batch:
        return rule(circuit, *wide)
    results = [rule(circuit, *(a[place] for a in wide)) for place in np.ndindex(batch)]
    stacked = np.empty((len(results), *np.shape(results[0])), dtype=object)
    for k, result in enumerate(results):
        stacked[k] = result
    return stacked.reshape(batch + stacked.shape[1:])


def _minor(data: Any, row: int, column: int) -> Any:
    return np.delete(np.delete(data, row, axis=0), column, axis=1)


def determinant(circuit: Circuit, data: Any) -> Any:
    """Return the determinant of a square object array.

    >>> circuit = Circuit()
    >>> determinant(circuit, entries(circuit, [[1, 2], [3, 4]]))
    -2
    """
    size = len(data)
    if size == 0:
        return read(circuit, 1)
    if size == 1:
        return data[0, 0]
    if size > EXPANDED:
        rows, sign, _ = _eliminated(circuit, data)
        if rows is None:
            return read(circuit, 0)
        return fold(circuit, "multiply", [read(circuit, sign), *(rows[k, k] for k in range(size))])
    terms = []
    for column in range(size):
        below = determinant(circuit, _minor(data, 0, column))
        terms.append((-1) ** column * data[0, column] * below)
    return fold(circuit, "add", terms)


def _is_number_zero(entry: Any) -> bool:
    return bool(entry.known == 0)


def _eliminated(circuit: Circuit, data: Any, right: Any = None) -> tuple[Any, int, Any]:
    """Return rows below whose diagonal is 0, the sign of the exchanges, and the right side."""
    rows, other, sign = data.copy(), None if right is None else right.copy(), 1
    size = len(rows)
    for k in range(size):
        pivot = next((r for r in range(k, size) if not _is_number_zero(rows[r, k])), None)
        if pivot is None:
            return None, 0, None
        if pivot != k:
            sign = -sign
            for part in (rows, other) if other is not None else (rows,):
                part[[k, pivot]] = part[[pivot, k]]
        for r in range(k + 1, size):
            factor = apply(circuit, "divide", rows[r, k], rows[k, k])
            if _is_number_zero(factor):
                continue
            rows[r, k] = read(circuit, 0)
            for c in range(k + 1, size):
                rows[r, c] = rows[r, c] - factor * rows[k, c]
            if other is not None:
                for c in range(other.shape[1]):
                    other[r, c] = other[r, c] - factor * other[k, c]
    return rows, sign, other


def _inverse(circuit: Circuit, data: Any) -> Any:
    size = len(data)
    if size > EXPANDED:
        return _solution(circuit, data, entries(circuit, np.eye(size)))
    whole = determinant(circuit, data)
    _require_regular(whole)
    result = np.empty((size, size), dtype=object)
    for row, column in np.ndindex(size, size):
        cofactor = (-1) ** (row + column) * determinant(circuit, _minor(data, column, row))
        result[row, column] = apply(circuit, "divide", cofactor, whole)
    return result


def _require_regular(whole: Any) -> None:
    if whole is None or _is_number_zero(whole):
        raise np.linalg.LinAlgError("Singular matrix")


def _solution(circuit: Circuit, data: Any, right: Any) -> Any:
    if len(data) <= EXPANDED:
        from symgrad.reading.products import contract

        return contract(circuit, [_inverse(circuit, data), right], ["ij", "jk"], "ik")
    rows, _, other = _eliminated(circuit, data, right)
    if rows is None:
        raise np.linalg.LinAlgError("Singular matrix")
    for k in reversed(range(len(rows))):
        for c in range(other.shape[1]):
            known = [-rows[k, j] * other[j, c] for j in range(k + 1, len(rows))]
            rest = fold(circuit, "add", [other[k, c], *known])
            other[k, c] = apply(circuit, "divide", rest, rows[k, k])
    return other


@implements(np.linalg.inv)
def inv(circuit: Circuit, a: Any) -> Any:
    """Return the inverse."""
    return TracedArray(circuit, _over_batch(circuit, _inverse, _square(circuit, a)))


@implements(np.linalg.det)
def det(circuit: Circuit, a: Any) -> Any:
    """Return the determinant."""
    return wrapped(circuit, _over_batch(circuit, determinant, _square(circuit, a)))


@implements(np.linalg.slogdet)
def slogdet(circuit: Circuit, a: Any) -> Any:
    """Return the sign of the determinant and the logarithm of its absolute value."""
    whole = det(circuit, a)
    kind = type(np.linalg.slogdet(np.eye(1)))
    return kind(np.sign(whole), np.log(np.abs(whole)))


@implements(np.linalg.solve)
def solve(circuit: Circuit, a: Any, b: Any) -> Any:
    """Return the solution of a system of linear equations."""
    left, right = _square(circuit, a), entries(circuit, b)
    vector = right.ndim == 1
    result = _over_batch(circuit, _solution, left, right[:, None] if vector else right)
    return TracedArray(circuit, result[..., 0] if vector else result)


@implements(np.linalg.pinv)
def pinv(circuit: Circuit, a: Any, **_: Any) -> Any:
    """Return the pseudoinverse of a matrix of full rank: inv(A'A) A', or A' inv(A A')."""
    data = TracedArray(circuit, entries(circuit, a))
    if data.ndim != 2:
        raise refusal(f"np.linalg.pinv is read for one matrix, not for the shape {data.shape}")
    if data.shape[0] >= data.shape[1]:
        return np.linalg.inv(data.T @ data) @ data.T
    return data.T @ np.linalg.inv(data @ data.T)


@implements(np.linalg.matrix_power)
def matrix_power(circuit: Circuit, a: Any, n: int) -> Any:
    """Return a whole power of a square matrix."""
    data = TracedArray(circuit, _square(circuit, a))
    base = np.linalg.inv(data) if n < 0 else data
    result = TracedArray(circuit, entries(circuit, np.eye(data.shape[-1])))
    for _ in range(abs(n)):
        result = result @ base
    return result


@implements(np.linalg.multi_dot)
def multi_dot(circuit: Circuit, arrays: Any, *, out: Any = None) -> Any:
    """Return the product of several matrices."""
    result, *others = (TracedArray(circuit, entries(circuit, a)) for a in arrays)
    for other in others:
        result = np.dot(result, other)
    return result


@implements(np.linalg.cholesky)
def cholesky(circuit: Circuit, a: Any, **options: Any) -> Any:
    """Return the lower triangular factor L of a positive definite matrix, by its recurrence."""
    data = _square(circuit, a)
    lower = TracedArray(circuit, _over_batch(circuit, _lower_factor, data))
    return np.swapaxes(lower, -1, -2) if options.get("upper") else lower


def _lower_factor(circuit: Circuit, data: Any) -> Any:
    size = len(data)
    lower = np.empty((size, size), dtype=object)
    lower.fill(read(circuit, 0))
    for row in range(size):
        for column in range(row + 1):
            known = [-lower[row, k] * lower[column, k] for k in range(column)]
            rest = fold(circuit, "add", [data[row, column], *known])
            lower[row, column] = (
                apply(circuit, "sqrt", rest)
                if row == column
                else apply(circuit, "divide", rest, lower[column, column])
            )
    return lower
