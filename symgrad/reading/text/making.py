"""Functions that make arrays."""

from __future__ import annotations

from typing import Any

import sympy as sp

from symgrad import algebra
from symgrad.errors import OptionError, ShapeError
from symgrad.matrices import Broadcast
from symgrad.operations.parts import (
    Diagonal,
    DiagonalMatrix,
    Reshaped,
    Slice,
    Stacked,
    Triangle,
    span,
)
from symgrad.operations.sequences import Convolution, Toeplitz
from symgrad.reading.text.indices import indexed
from symgrad.reading.text.linear import square_of
from symgrad.reading.text.reductions import axis_of
from symgrad.reading.text.values import Value, negative, number, spread, total
from symgrad.reading.text.words import Call, as_value, said, word
from symgrad.shapes import numpy_shape, same_size, worded


def sizes_of(given: Any, word: str) -> tuple[Any, ...]:
    """Return a shape: a size, or a tuple of at most two.

    Raises:
        OptionError: A size that is no positive integer and no name of one.
    """
    parts = given if isinstance(given, tuple) else (given,)
    sizes = []
    for part in parts:
        node = part.node if isinstance(part, Value) and not part.rank else None
        if node is None or not node.is_integer or not node.is_positive:
            raise OptionError(f"`{word}` takes sizes, positive integers or their names")
        sizes.append(node)
    if not 1 <= len(sizes) <= 2:
        raise OptionError(f"`{word}` makes arrays of one or two axes, not {len(sizes)}")
    return tuple(sizes)


@word("ones", example="{}(4) @ X.T")
def _ones(call: Call) -> Value:
    shape = sizes_of(call.bound("shape", required=1)["shape"], call.word)
    return Value(sp.OneMatrix(*(*shape, sp.S.One)[:2]), len(shape))


@word("zeros", example="X + {}((3, 1))")
def _zeros(call: Call) -> Value:
    shape = sizes_of(call.bound("shape", required=1)["shape"], call.word)
    return Value(sp.ZeroMatrix(*(*shape, sp.S.One)[:2]), len(shape))


@word("full", example="{}((3, 4), t) * X")
def _full(call: Call) -> Value:
    given = call.bound("shape", "fill_value", required=2)
    shape = sizes_of(given["shape"], call.word)
    return Value(spread(as_value(given["fill_value"], call.word), shape), len(shape))


@word("ones_like", "zeros_like", example="X + {}(X)")
def _like(call: Call) -> Value:
    value = as_value(call.bound("a", required=1)["a"], call.word)
    entry = sp.S.One if call.word == "ones_like" else sp.S.Zero
    if not value.rank:
        return Value(entry)
    kind = sp.OneMatrix if entry else sp.ZeroMatrix
    return Value(kind(*value.node.shape), value.rank)


@word("eye", example="A + t * {}(3)")
def _eye(call: Call) -> Value:
    sizes = sizes_of(call.bound("N", required=1)["N"], call.word)
    if len(sizes) != 1:
        raise OptionError("`eye` takes one size")
    return Value(sp.Identity(sizes[0]), 2)


@word("array", example="{}([[1, 2, t], [0, 1, 2]]) @ X")
def _array(call: Call) -> Value:
    return as_value(call.bound("object", required=1)["object"], call.word)


@word("broadcast_to", example="{}(x[:, None], (3, 4)) * X")
def _broadcast_to(call: Call) -> Value:
    given = call.bound("array", "shape", required=2)
    value, shape = as_value(given["array"], call.word), sizes_of(given["shape"], call.word)
    if value.rank > len(shape):
        raise ShapeError(f"{value.worded} does not broadcast to {worded(numpy_shape(shape))}")
    return Value(spread(value, shape), len(shape))


@word("diag", example="{}(x) @ {}(A)")
def _diag(call: Call) -> Value:
    value = as_value(call.bound("v", required=1)["v"], call.word)
    if value.rank == 1:
        return Value(DiagonalMatrix(value.node), 2)
    if value.rank == 2 and same_size(*value.shape):
        return Value(Diagonal(value.node), 1)
    raise ShapeError(f"`diag` takes a 1-D array or a square matrix, not {value.worded}")


@word("diagonal", example="{}(A)")
def _diagonal(call: Call) -> Value:
    return Value(Diagonal(square_of(call.bound("a", required=1)["a"], call.word).node), 1)


@word("tril", "triu", example="{}(A, -1) + {}(X @ X.T)")
def _triangle(call: Call) -> Value:
    given = call.bound("m", "k", required=1)
    value, offset = as_value(given["m"], call.word), as_value(given.get("k", number(0)), call.word)
    if value.rank != 2 or not offset.node.is_Integer:
        raise ShapeError(f"`{call.word}` takes a matrix and an integer")
    return Value(Triangle(value.node, offset.node, int(call.word == "tril")), 2)


@word("reshape", example="{}(X, (2, 6)) @ ones(6)")
def _reshape(call: Call) -> Value:
    if len(call.given) > 2:  # the method takes sizes one by one
        call = Call(call.word, [call.given[0], tuple(call.given[1:])], call.named)
    given = call.bound("a", "shape", required=2)
    value = as_value(given["a"], call.word)
    shape = _completed(given["shape"], value, call.word)
    return Value(Reshaped(value.node, *(*shape, sp.S.One)[:2]), len(shape))


@word("ravel", "flatten", example="{}(X) @ ones(12)")
def _ravel(call: Call) -> Value:
    value = as_value(call.bound("a", required=1)["a"], call.word)
    return Value(Reshaped(value.node, sp.Mul(*value.shape), 1), 1)


def _completed(given: Any, value: Value, word: str) -> tuple[Any, ...]:
    """Return a shape in which one size may be -1: as large as it must be."""
    parts = given if isinstance(given, tuple) else (given,)
    free = [k for k, part in enumerate(parts) if isinstance(part, Value) and part.node == -1]
    known = [part for k, part in enumerate(parts) if k not in free]
    if not free:
        return sizes_of(tuple(parts), word)
    sizes = list(sizes_of(tuple(known), word)) if known else []
    rest = sp.cancel(sp.Mul(*value.shape) / sp.Mul(*sizes))
    if len(free) > 1 or rest.is_integer is False:
        raise ShapeError(f"{value.worded} does not reshape to {said(given)}")
    sizes.insert(free[0], rest)
    return tuple(sizes)


@word("concatenate", "concat", example="{}([X, A], axis=1) @ ones(7)")
def _concatenate(call: Call) -> Value:
    given = call.bound("arrays", "axis", required=1)
    values = _arrays(given["arrays"], call.word)
    axis = axis_of(given.get("axis", number(0)), values[0].rank, call.word)
    if axis is None or len({value.rank for value in values}) != 1 or not values[0].rank:
        raise ShapeError(f"`{call.word}` joins arrays of one rank along an axis")
    return Value(Stacked(*(value.node for value in values), axis), values[0].rank)


@word("vstack", example="{}([X, x @ X])")
def _vstack(call: Call) -> Value:
    values = _arrays(call.bound("tup", required=1)["tup"], call.word)
    return Value(Stacked(*(_as_rows(value) for value in values), 0), 2)


@word("hstack", example="{}([x, y]) @ ones(6)")
def _hstack(call: Call) -> Value:
    values = _arrays(call.bound("tup", required=1)["tup"], call.word)
    rank = values[0].rank
    if len({value.rank for value in values}) != 1 or not rank:
        raise ShapeError("`hstack` joins arrays of one rank")
    return Value(Stacked(*(value.node for value in values), rank - 1), rank)


@word("stack", "column_stack", example="{}([x, y]) * t")
def _stack(call: Call) -> Value:
    given = call.bound("arrays", "axis", required=1)
    values = _arrays(given["arrays"], call.word)
    default = number(1 if call.word == "column_stack" else 0)
    axis = axis_of(given.get("axis", default), 2, call.word)
    if any(value.rank != 1 for value in values):
        raise ShapeError(f"`{call.word}` is read for 1-D arrays")
    nodes = [value.node if axis else algebra.transpose(value.node) for value in values]
    return Value(Stacked(*nodes, axis), 2)


@word("block", example="{}([[A, X], [X.T, ones((4, 4))]]) @ ones(7)")
def _block(call: Call) -> Value:
    rows = call.bound("arrays", required=1)["arrays"]
    if not isinstance(rows, tuple) or not all(isinstance(row, tuple) for row in rows):
        raise ShapeError("`block` takes a list of rows, each a list of matrices")
    made = [Stacked(*(_as_rows(value) for value in _arrays(row, call.word)), 1) for row in rows]
    return Value(made[0] if len(made) == 1 else Stacked(*made, 0), 2)


def _arrays(given: Any, word: str) -> list[Value]:
    if not isinstance(given, tuple) or not given:
        raise ShapeError(f"`{word}` takes a list of arrays")
    return [as_value(part, word) for part in given]


def _as_rows(value: Value) -> Any:
    if not value.rank:
        return Broadcast(value.node, 1, 1)
    return algebra.transpose(value.node) if value.rank == 1 else value.node


@word("flip", "flipud", "fliplr", example="{}(X) * X")
def _flip(call: Call) -> Value:
    given = call.bound("m", "axis", required=1)
    value = as_value(given["m"], call.word)
    fixed = {"flipud": number(0), "fliplr": number(1)}.get(call.word)
    axis = axis_of(given.get("axis", fixed), value.rank, call.word)
    back = slice(None, None, number(-1))
    axes = range(value.rank) if axis is None else [axis]
    return indexed(value, [back if k in axes else slice(None) for k in range(value.rank)])


@word("diff", example="{}(X, axis=0)")
def _differences(call: Call) -> Value:
    given = call.bound("a", "n", "axis", required=1)
    value, often = as_value(given["a"], call.word), given.get("n", number(1))
    axis = axis_of(given.get("axis", number(-1)), value.rank, call.word)
    count = often.node if isinstance(often, Value) else None
    if count is None or not count.is_Integer or not 0 <= count <= MOST_DIFFERENCES or axis is None:
        raise OptionError(f"`diff` is taken 0 to {MOST_DIFFERENCES} times, not {said(often)}")
    whole = [slice(None)] * value.rank
    for _ in range(int(count)):
        later, earlier = (
            indexed(value, [*whole[:axis], part, *whole[axis + 1 :]])
            for part in (slice(number(1), None), slice(None, number(-1)))
        )
        value = total([later, negative(earlier)])
    return value


#: How often differences are taken of differences.
MOST_DIFFERENCES = 10


@word("roll", example="{}(x, 1) * {}(y, -1)")
def _roll(call: Call) -> Value:
    given = call.bound("a", "shift", "axis", required=2)
    value, shift = as_value(given["a"], call.word), as_value(given["shift"], call.word).node
    axis = axis_of(given.get("axis"), value.rank, call.word)
    if not value.rank or (axis is None and value.rank == 2) or not shift.is_Integer:
        raise OptionError("`roll` takes an array, an integer, and of a matrix an axis")
    axis = axis or 0
    size = value.shape[axis]
    shift = shift % size if size.is_Integer else shift
    if shift == 0:
        return value
    whole = [slice(None)] * value.rank
    parts = [
        indexed(value, [*whole[:axis], part, *whole[axis + 1 :]]).node
        for part in (slice(number(-shift), None), slice(None, number(-shift)))
    ]
    return Value(Stacked(*parts, axis), value.rank)


@word("toeplitz", example="{}(x, X[0]) @ X.T")
def _toeplitz(call: Call) -> Value:
    given = call.bound("c", "r", required=1)
    column, row = (_vector(given[k], call.word) for k in ("c", "r" if "r" in given else "c"))
    rows, columns = column.shape[0], row.shape[0]
    if columns == 1:
        return Value(column.node, 2)
    # From the upper right corner to the lower left one; the corner of both is the column's.
    turned = Slice(row.node, span(columns - 1, columns - 1, -1), span(0, 1))
    return Value(Toeplitz(Stacked(turned, column.node, 0), rows, columns), 2)


@word("convolve", "conv1d", example="{}(x, X[0]) * {}(X[0], y, 'full')")
def _convolve(call: Call) -> Value:
    given = call.bound("a", "v", "mode", required=2)
    first, second = _vector(given["a"], call.word), _vector(given["v"], call.word)
    whole = Convolution(first.node, second.node)
    mode = given.get("mode", "full")
    if mode == "full":
        return Value(whole, 1)
    n, m = first.shape[0], second.shape[0]
    if mode not in ("valid", "same") or not (n.is_Integer and m.is_Integer):
        raise OptionError("`convolve` has the modes full, and valid and same for known sizes")
    if mode == "valid":
        count, start = abs(n - m) + 1, min(n, m) - 1
    else:
        count, start = max(n, m), (min(n, m) - 1) // 2
    return Value(Slice(whole, span(start, count), span(0, 1)), 1)


def _vector(given: Any, word: str) -> Value:
    value = as_value(given, word)
    if value.rank != 1:
        raise ShapeError(f"`{word}` takes 1-D arrays, not {value.worded}")
    return value
