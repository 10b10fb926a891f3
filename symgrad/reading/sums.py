"""NumPy's reductions of traced arrays: sums, means, variances, extremes, running sums, norms."""

from __future__ import annotations

from typing import Any

import numpy as np

from symgrad.circuit import Circuit
from symgrad.reading.arrays import FUNCTIONS, TracedArray, entries, wrapped
from symgrad.reading.places import refusal
from symgrad.reading.shaping import implements
from symgrad.reading.ufuncs import accumulated, reduced, reduction


def _as_array(circuit: Circuit, value: Any) -> Any:
    return TracedArray(circuit, entries(circuit, value))


def _reducer(name: str) -> Any:
    def rule(
        circuit: Circuit,
        a: Any,
        axis: Any = None,
        dtype: Any = None,
        out: Any = None,
        keepdims: Any = False,
        initial: Any = None,
        where: Any = True,
    ) -> Any:
        kept = _flag(keepdims)
        start = None if initial is np._NoValue else initial
        holds = True if where is np._NoValue else where
        return reduction(circuit, name, a, axis, dtype, out, kept, start, holds)

    return rule


def _without_dtype(name: str) -> Any:
    rule = _reducer(name)
    return lambda circuit, a, axis=None, out=None, keepdims=False, **options: rule(
        circuit, a, axis, None, out, keepdims, **options
    )


def _flag(value: Any) -> bool:
    return False if value is np._NoValue else bool(value)


FUNCTIONS.update({np.sum: _reducer("add"), np.nansum: _reducer("add")})
FUNCTIONS.update({np.prod: _reducer("multiply"), np.nanprod: _reducer("multiply")})
_extremes: dict[str, tuple[Any, ...]] = {
    "maximum": (np.max, np.amax, np.nanmax),
    "minimum": (np.min, np.amin, np.nanmin),
}
for _name, _functions in _extremes.items():
    FUNCTIONS.update(dict.fromkeys(_functions, _without_dtype(_name)))
FUNCTIONS.update({np.all: _without_dtype("logical_and"), np.any: _without_dtype("logical_or")})


def count_of(shape: tuple[int, ...], axis: Any) -> int:
    """Return how many entries are along axes.

    >>> count_of((2, 3), None), count_of((2, 3), 1)
    (6, 3)
    """
    axes = range(len(shape)) if axis is None else axis if isinstance(axis, tuple) else (axis,)
    return int(np.prod([shape[k] for k in axes], dtype=int))


@implements(np.mean, np.nanmean)
def mean(
    circuit: Circuit,
    a: Any,
    axis: Any = None,
    dtype: Any = None,
    out: Any = None,
    keepdims: Any = False,
    *,
    where: Any = True,
) -> Any:
    """Return the mean along axes, of the entries where a condition holds."""
    data = _as_array(circuit, a)
    if where is True or where is np._NoValue:
        total = np.sum(data, axis=axis, keepdims=_flag(keepdims))
        count = count_of(data.shape, axis)
        if not count:
            raise refusal("the mean of no entries")
        return np.divide(total, count, out=out) if out is not None else total / count
    holds = _as_array(circuit, np.broadcast_to(entries(circuit, where), data.shape))
    kept = {"axis": axis, "keepdims": _flag(keepdims)}
    chosen = np.sum(data, where=holds, **kept)
    return chosen / np.sum(holds, **kept)


@implements(np.count_nonzero)
def count_nonzero(circuit: Circuit, a: Any, axis: Any = None, *, keepdims: bool = False) -> Any:
    """Count the entries that are not zero."""
    return np.sum(_as_array(circuit, a) != 0, axis=axis, keepdims=keepdims)


@implements(np.average)
def average(
    circuit: Circuit,
    a: Any,
    axis: Any = None,
    weights: Any = None,
    returned: bool = False,
    *,
    keepdims: Any = False,
) -> Any:
    """Return the mean with weights."""
    data = _as_array(circuit, a)
    if returned:
        raise refusal("np.average(returned=True) is not read")
    if weights is None:
        return mean(circuit, data, axis, keepdims=keepdims)
    factors = _as_array(circuit, weights)
    if factors.shape != data.shape:
        shape = [1] * data.ndim
        shape[axis] = -1
        factors = factors.reshape(shape)
    kept = {"axis": axis, "keepdims": _flag(keepdims)}
    below = np.sum(_as_array(circuit, np.broadcast_to(factors.data, data.shape)), **kept)
    return np.sum(data * factors, **kept) / below


@implements(np.var, np.nanvar)
def var(
    circuit: Circuit,
    a: Any,
    axis: Any = None,
    dtype: Any = None,
    out: Any = None,
    ddof: Any = 0,
    keepdims: Any = False,
    *,
    correction: Any = None,
    where: Any = True,
    **more: Any,
) -> Any:
    """Return the variance along axes."""
    if more or where not in (True, np._NoValue):
        raise refusal("np.var with where= or mean= is not read; write the mean of squares")
    less = ddof if correction is None or correction is np._NoValue else correction
    data = _as_array(circuit, a)
    apart = data - mean(circuit, data, axis, keepdims=True)
    squares = np.sum(apart * apart, axis=axis, keepdims=_flag(keepdims))
    return squares / (count_of(data.shape, axis) - less)


@implements(np.std, np.nanstd)
def std(circuit: Circuit, *args: Any, **options: Any) -> Any:
    """Return the standard deviation along axes."""
    return np.sqrt(var(circuit, *args, **options))


@implements(np.ptp)
def ptp(circuit: Circuit, a: Any, axis: Any = None, out: Any = None, keepdims: Any = False) -> Any:
    """Return the greatest entry minus the least."""
    kept = {"axis": axis, "keepdims": _flag(keepdims)}
    data = _as_array(circuit, a)
    return np.max(data, **kept) - np.min(data, **kept)


def _running(name: str) -> Any:
    def rule(circuit: Circuit, a: Any, axis: Any = None, dtype: Any = None, out: Any = None) -> Any:
        data = _as_array(circuit, a)
        along = data.reshape(-1) if axis is None else data
        return accumulated(circuit, name, along, axis or 0, out=out)

    return rule


FUNCTIONS.update({np.cumsum: _running("add"), np.cumprod: _running("multiply")})


@implements(np.diff)
def diff(circuit: Circuit, a: Any, n: int = 1, axis: int = -1) -> Any:
    """Return the differences of neighbours."""
    data = _as_array(circuit, a)
    for _step in range(n):
        moved = np.moveaxis(data, axis, 0)
        data = np.moveaxis(moved[1:] - moved[:-1], 0, axis)
    return data


@implements(np.trace)
def trace(
    circuit: Circuit, a: Any, offset: int = 0, axis1: int = 0, axis2: int = 1, *_: Any
) -> Any:
    """Return the sum of the diagonal."""
    return np.sum(np.diagonal(_as_array(circuit, a), offset, axis1, axis2), axis=-1)


@implements(np.clip)
def clip(
    circuit: Circuit, a: Any, a_min: Any = None, a_max: Any = None, out: Any = None, **more: Any
) -> Any:
    """Cut off below and above."""
    low, high = more.get("min", a_min), more.get("max", a_max)
    result = _as_array(circuit, a)
    result = result if low is None or low is np._NoValue else np.maximum(result, low)
    result = result if high is None or high is np._NoValue else np.minimum(result, high)
    target = out[0] if isinstance(out, tuple) else out
    if target is None:
        return wrapped(circuit, entries(circuit, result))
    target[...] = result
    return target


@implements(np.round, np.around)
def rounded(circuit: Circuit, a: Any, decimals: int = 0, out: Any = None) -> Any:
    """Round known numbers; others jump."""
    from symgrad.reading.ufuncs import elementwise

    return elementwise(circuit, "round", a, decimals)


@implements(np.sinc)
def sinc(circuit: Circuit, x: Any) -> Any:
    """Return sin(pi x)/(pi x)."""
    angle = _as_array(circuit, x) * np.pi
    return np.where(angle == 0, 1, np.sin(angle) / angle)


@implements(np.linalg.norm)
def norm(
    circuit: Circuit, x: Any, ord: Any = None, axis: Any = None, keepdims: bool = False
) -> Any:
    """Return a norm of vectors, or the Frobenius, row or column sum norm of matrices."""
    data = _as_array(circuit, x)
    kept = {"axis": axis, "keepdims": keepdims}
    matrix = isinstance(axis, tuple) or (axis is None and data.ndim == 2)
    if ord is None or (matrix and ord == "fro") or (not matrix and ord == 2):
        return np.sqrt(np.sum(data * data, **kept))
    size = np.abs(data)
    if matrix:
        rows, columns = axis if isinstance(axis, tuple) else (0, 1)
        sums = {1: rows, np.inf: columns, -1: rows, -np.inf: columns}
        if ord not in sums:
            raise refusal(f"the norm {ord!r} of a matrix is not read; known are fro, 1 and inf")
        total = np.sum(size, axis=sums[ord], keepdims=True)
        return (np.max if ord > 0 else np.min)(total, axis=axis, keepdims=keepdims)
    if ord in (np.inf, -np.inf):
        return (np.max if ord > 0 else np.min)(size, **kept)
    if ord == 0:
        return np.sum(data != 0, **kept)
    total = np.sum(size if ord == 1 else size**ord, **kept)
    return total if ord == 1 else total ** (1 / ord)


def softmax_like(circuit: Circuit, x: Any, axis: Any = None) -> Any:
    """Return exp(x) over its sum along axes, as `scipy.special.softmax` does."""
    powers = np.exp(_as_array(circuit, x))
    return powers / np.sum(powers, axis=axis, keepdims=True)


def logsumexp(
    circuit: Circuit, a: Any, axis: Any = None, b: Any = None, keepdims: bool = False
) -> Any:
    """Return the logarithm of a sum of exponentials, as `scipy.special.logsumexp` does."""
    powers = np.exp(_as_array(circuit, a))
    return np.log(np.sum(powers if b is None else b * powers, axis=axis, keepdims=keepdims))


def log_softmax(circuit: Circuit, x: Any, axis: Any = None) -> Any:
    """Return x minus its log-sum-exp along axes, as `scipy.special.log_softmax` does."""
    data = _as_array(circuit, x)
    return data - logsumexp(circuit, data, axis, keepdims=True)


__all__ = ["log_softmax", "logsumexp", "mean", "reduced", "softmax_like"]
