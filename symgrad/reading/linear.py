"""NumPy's linear algebra of traced matrices, by the rules that matrices of a formula follow."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from symgrad.circuit import Circuit
from symgrad.errors import UnsupportedError
from symgrad.lowering import matrices
from symgrad.reading.arrays import TracedArray, entries, wrapped
from symgrad.reading.places import refusal
from symgrad.reading.scalars import Scalar, apply, fold, read, real
from symgrad.reading.shaping import implements


def _square(circuit: Circuit, value: Any) -> Any:
    data = entries(circuit, value)
    if data.ndim < 2 or data.shape[-1] != data.shape[-2]:
        raise np.linalg.LinAlgError(f"Last 2 dimensions of the array must be square: {data.shape}")
    return data


def _over_batch(circuit: Circuit, rule: Any, *arrays: Any) -> Any:
    """Apply a rule for matrices to each of the matrices in the last two axes."""
    batch = np.broadcast_shapes(*(a.shape[:-2] for a in arrays))
    if 0 in batch:
        raise refusal("linear algebra of no matrices")
    wide = [np.broadcast_to(a, batch + a.shape[-2:]) for a in arrays]
    if not batch:
        return rule(circuit, *wide)
    results = [rule(circuit, *(a[place] for a in wide)) for place in np.ndindex(batch)]
    stacked = np.empty((len(results), *np.shape(results[0])), dtype=object)
    for k, result in enumerate(results):
        stacked[k] = result
    return stacked.reshape(batch + stacked.shape[1:])


def _by_rule(rule: Callable[..., Any]) -> Callable[..., Any]:
    """Make a rule for tables of nodes one for arrays of entries."""

    def of_entries(circuit: Circuit, *arrays: Any) -> Any:
        tables = [_nodes(data) for data in arrays]
        try:
            result = rule(circuit, *tables)
        except UnsupportedError as error:
            raise np.linalg.LinAlgError("Singular matrix") from error
        if not isinstance(result, np.ndarray):
            return Scalar(circuit, result)
        found = np.empty(result.shape, dtype=object)
        for place, node in np.ndenumerate(result):
            found[place] = Scalar(circuit, node)
        return found

    return of_entries


def _nodes(data: Any) -> Any:
    found = np.empty(data.shape, dtype=object)
    for place, entry in np.ndenumerate(data):
        found[place] = real(entry)
    return found


determinant = _by_rule(matrices.determinant)
_inverse = _by_rule(matrices.inverse)
_solution = _by_rule(matrices.solution)


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
