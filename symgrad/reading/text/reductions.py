"""Sums, means and other reductions along axes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import sympy as sp

from symgrad import algebra
from symgrad.errors import OptionError, listed
from symgrad.matrices import Broadcast
from symgrad.operations.along import CumulativeSum, Extreme, LogSumExp, ProductAlong
from symgrad.reading.text.values import (
    Value,
    entrywise,
    number,
    scaled,
    total,
)
from symgrad.reading.text.words import (
    Build,
    Call,
    as_value,
    said,
    truth,
    word,
)

FULL_ARGUMENTS = ("a", "axis", "keepdims")


def axis_of(given: Any, rank: int, word: str) -> Any:
    """Return an axis counted from 0, or None for all.

    Raises:
        OptionError: It is no axis of the array.
    """
    if given is None:
        return None
    if isinstance(given, tuple):
        axes = sorted({axis_of(part, rank, word) for part in given})
        if axes == list(range(rank)):
            return None
        if len(axes) == 1:
            return axes[0]
    exact = given.node if isinstance(given, Value) else None
    if exact is None or not exact.is_Integer or not -rank <= exact < rank:
        accepted: list[Any] = [*range(rank), None]
        raise OptionError(f"`{word}`: axis is one of {listed(accepted)}, not {said(given)}")
    return int(exact) % rank


@dataclass(frozen=True)
class Reduction:
    """What a reduction is given: the value, the axis (None for all), whether axes are kept."""

    value: Value
    axis: int | None
    keepdims: bool

    @property
    def count(self) -> Any:
        """How many entries become one."""
        if self.axis is not None:
            return self.value.shape[self.axis]
        return sp.Mul(*self.value.shape)

    @property
    def _along(self) -> int:
        """The axis of the matrix inside: a 1-D array is a column."""
        return int(self.axis or 0)

    def finished(self, whole: Callable[[Any], Any], along: Callable[[Any, int], Any]) -> Value:
        """Reduce the matrix inside by one of two rules, and give the result its rank.

        Args:
            whole: Takes the matrix to a scalar.
            along: Takes the matrix and an axis to a row (axis 0) or a column (axis 1).
        """
        value, keep = self.value, self.keepdims
        if not value.rank:
            return value
        if self.axis is None or value.rank == 1:
            result = whole(value.node)
            if not keep:
                return Value(result)
            return Value(Broadcast(result, 1, 1), value.rank)
        made = along(value.node, self._along)
        if keep:
            return Value(made, 2)
        return Value(algebra.transpose(made) if self._along == 0 else made, 1)


def reduction(call: Call, *more: str) -> tuple[Reduction, dict[str, Any]]:
    """Read the arguments of a reduction, and those that it has besides."""
    given = call.bound("a", "axis", *more, "keepdims", required=1)
    value = as_value(given["a"], call.word)
    axis = axis_of(given.get("axis"), value.rank, call.word)
    keep = truth(given.get("keepdims", False), call.word)
    return Reduction(value, axis, keep), given


def _summed(matrix: Any, axis: int) -> Any:
    return algebra.sum_columns(matrix) if axis else algebra.sum_rows(matrix)


def sum_of(what: Reduction) -> Value:
    """Add entries up."""
    return what.finished(algebra.sum_entries, _summed)


def mean_of(what: Reduction) -> Value:
    """Return the mean of entries."""
    return scaled(1 / sp.sympify(what.count), sum_of(what))


@word("sum", example="{}(X**2, axis=0) @ ones(4)")
def _sum(call: Call) -> Value:
    return sum_of(reduction(call)[0])


@word("mean", "average", example="{}(X, axis=1, keepdims=True) * X")
def _mean(call: Call) -> Value:
    return mean_of(reduction(call)[0])


def _variance(call: Call) -> Value:
    what, given = reduction(call, "ddof")
    ddof = as_value(given.get("ddof", number(0)), call.word)
    kept = mean_of(Reduction(what.value, what.axis, True))
    apart = total([what.value, scaled(sp.S.NegativeOne, kept)])
    squares = entrywise(lambda z: z**2, [apart])
    added = sum_of(Reduction(squares, what.axis, what.keepdims))
    return scaled(1 / (sp.sympify(what.count) - ddof.node), added)


word("var", example="{}(X, axis=0, ddof=1)")(_variance)


@word("std", example="{}(X, axis=1)")
def _deviation(call: Call) -> Value:
    return entrywise(sp.sqrt, [_variance(call)])


@word("softmax", "log_softmax", example="{}(X, axis=1)")
def _softmax(call: Call) -> Value:
    given = call.bound("x", "axis", required=1)
    value = as_value(given["x"], call.word)
    axis = axis_of(given.get("axis"), value.rank, call.word)
    if not value.rank or (axis is None and value.rank == 2):
        raise OptionError(f"`{call.word}` takes an array, and of a matrix an axis")
    build = algebra.softmax if call.word == "softmax" else algebra.log_softmax
    return Value(build(value.node, axis=axis or 0), value.rank)


def extreme_of(what: Reduction, sign: int) -> Value:
    """Return the largest entry, or with -1 the smallest."""
    return _nested(what, lambda m, axis: Extreme(m, axis, sign))


def _extreme_of(sign: int) -> Build:
    return lambda call: extreme_of(reduction(call)[0], sign)


def _nested(what: Reduction, along: Callable[[Any, int], Any]) -> Value:
    """Reduce along one axis, or along both, one after the other."""

    def whole(matrix: Any) -> Any:
        # The result has one entry, and the trace of it is that entry.
        rows = matrix if matrix.shape[1] == 1 else along(matrix, 1)
        return sp.Trace(rows if rows.shape[0] == 1 else along(rows, 0))

    return what.finished(whole, along)


word("max", "amax", example="{}(X, axis=0) @ X.T")(_extreme_of(1))
word("min", "amin", example="{}(X)")(_extreme_of(-1))


@word("prod", example="{}(X, axis=1, keepdims=True) * {}(x)")
def _product(call: Call) -> Value:
    return _nested(reduction(call)[0], ProductAlong)


@word("logsumexp", example="{}(X, axis=1) * {}(X)")
def _log_sum_exp(call: Call) -> Value:
    return _nested(reduction(call)[0], LogSumExp)


@word("cumsum", example="{}(X, axis=0) * {}(X, 1)")
def _cumulative(call: Call) -> Value:
    given = call.bound("a", "axis", required=1)
    value = as_value(given["a"], call.word)
    axis = axis_of(given.get("axis"), value.rank, call.word)
    if not value.rank or (axis is None and value.rank == 2):
        raise OptionError("`cumsum` takes an array, and of a matrix an axis")
    return Value(CumulativeSum(value.node, axis or 0, 0), value.rank)
