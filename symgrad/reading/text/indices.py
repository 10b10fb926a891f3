"""Constant indices and slices of arrays, as NumPy takes them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import sympy as sp

from symgrad import algebra
from symgrad.errors import OptionError, ShapeError, UnsupportedError
from symgrad.operations.parts import Slice, span
from symgrad.reading.text.values import Value


def indexed(value: Value, places: Sequence[Any]) -> Value:
    """Return `value[places]`.

    Args:
        value: An array.
        places: Integers as values, slices, or None for a new axis.

    Raises:
        OptionError: More indices than axes, one that is no integer, or one outside.
    """
    kept = [place for place in places if place is not None]
    if len(kept) > value.rank:
        raise OptionError(f"{len(kept)} indices of an array of shape {value.worded}")
    kept += [slice(None)] * (value.rank - len(kept))
    result = _picked(value, kept)
    return _with_axes(result, places, kept) if None in places else result


def _picked(value: Value, places: Sequence[Any]) -> Value:
    if all(place == slice(None) for place in places):
        return value
    spans = [_span(place, size) for place, size in zip(places, value.shape, strict=True)]
    single = [not isinstance(place, slice) for place in places]
    if all(single):
        return Value(entry_of(value.node, *(places[0] for places in (*spans, [sp.S.Zero])[:2])))
    rows, columns = (*spans, span(0, 1))[:2]
    node = Slice(value.node, rows, columns)
    if value.rank == 2 and single[0]:
        node = algebra.transpose(node)
    return Value(node, value.rank - sum(single))


def entry_of(node: Any, i: Any, j: Any) -> Any:
    """Return an entry of a matrix as a scalar.

    >>> entry_of(sp.MatrixSymbol("A", 2, 2), 0, 1)
    A[0, 1]
    """
    if isinstance(node, (sp.MatrixSymbol, sp.MatrixBase)):
        return node[i, j]
    return sp.Trace(Slice(node, span(i, 1), span(j, 1)))


def _span(place: Any, size: Any) -> Any:
    """Return the places that an index or a slice takes."""
    if not isinstance(place, slice):
        return span(_inside(place, size), 1)
    step = sp.S.One if place.step is None else _whole(place.step)
    if step == 0:
        raise OptionError("the step of a slice is not 0")
    if step.is_negative:
        first = size - 1 if place.start is None else _end(place.start, size)
        last = sp.S.NegativeOne if place.stop is None else _end(place.stop, size)
    else:
        first = sp.S.Zero if place.start is None else _end(place.start, size)
        last = size if place.stop is None else _end(place.stop, size)
    return span(first, _count(first, last, step), step)


def _end(place: Any, size: Any) -> Any:
    """Return an end of a slice, counted from 0; ends outside mean the end of the axis."""
    index = _whole(place)
    if not size.is_Integer:
        return size + index if index.is_negative else index
    return min(max(index + size if index < 0 else index, sp.S.Zero), size)


def _count(first: Any, last: Any, step: Any) -> Any:
    distance = last - first
    if step in (1, -1):
        count = distance * step
    elif distance.is_Integer:
        count = -((-distance) // step) if step > 0 else -(distance // -step)
    else:
        raise UnsupportedError("a slice with a step takes an axis of known size")
    if count.is_Integer and count < 1:
        raise ShapeError("the slice is empty")
    return count


def _whole(place: Any) -> Any:
    if isinstance(place, Value) and not place.rank and place.node.is_integer:
        return place.node
    raise OptionError(
        f"an index is an integer, not {place.node if isinstance(place, Value) else place}"
    )


def _inside(place: Any, size: Any) -> Any:
    index = _whole(place)
    if size.is_Integer and index.is_Integer and not -size <= index < size:
        raise ShapeError(f"index {index} is outside an axis of size {size}")
    return index + size if index.is_negative else index


def _with_axes(value: Value, places: Sequence[Any], kept: Sequence[Any]) -> Value:
    """Put in new axes: a column x[:, None] or a row x[None, :] of a 1-D array."""
    if value.rank != 1 or len(places) > 2 or any(place is not None for place in places[2:]):
        raise UnsupportedError("a new axis is read for 1-D arrays: x[:, None] or x[None, :]")
    node = algebra.transpose(value.node) if places[0] is None else value.node
    return Value(node, 2)
