"""NumPy's functions that move entries about, make arrays, and choose among them.

Most of them work on the object array as they are, so that NumPy's own rules decide which results
are views.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from symgrad.circuit import Circuit
from symgrad.reading.arrays import (
    FUNCTIONS,
    TracedArray,
    boxed,
    entries,
    is_traced,
    mapped,
    plain_key,
    real_dtype,
    uniform,
    wrapped,
)
from symgrad.reading.masks import Masked
from symgrad.reading.places import refusal
from symgrad.reading.scalars import Entry, choose
from symgrad.reading.ufuncs import store


def implements(*functions: Any) -> Callable[[Any], Any]:
    """Register what functions of NumPy do with traced arrays (a decorator)."""

    def register(rule: Any) -> Any:
        FUNCTIONS.update(dict.fromkeys(functions, rule))
        return rule

    return register


def _unwrapped(value: Any) -> Any:
    if isinstance(value, TracedArray):
        return value.data
    if isinstance(value, Masked):
        raise value.refused("a function of arrays")
    if isinstance(value, Entry):
        return boxed(value)
    if isinstance(value, (list, tuple)) and is_traced(value):
        return type(value)(map(_unwrapped, value))
    return value


def _sequence(circuit: Circuit, value: Any) -> Any:
    """Unwrap a sequence of arrays; a list in it is an array, of which NumPy would make another."""
    if not isinstance(value, (list, tuple)):
        return _unwrapped(value)
    return [
        entries(circuit, part) if isinstance(part, (list, tuple)) else _unwrapped(part)
        for part in value
    ]


def _rewrapped(circuit: Circuit, value: Any) -> Any:
    if isinstance(value, (list, tuple)):
        return type(value)(_rewrapped(circuit, part) for part in value)
    if isinstance(value, np.ndarray) and value.dtype == object:
        return TracedArray(circuit, uniform(circuit, value))
    return wrapped(circuit, value) if isinstance(value, Entry) else value


def _moved(function: Any) -> Any:
    def rule(circuit: Circuit, *args: Any, **options: Any) -> Any:
        options.pop("dtype", None)
        given = [_unwrapped(arg) for arg in args]
        if args and function in _OF_SEQUENCES and is_traced(args[0]):
            given[0] = _sequence(circuit, args[0])
        result = function(*given, **{k: _unwrapped(v) for k, v in options.items()})
        return _rewrapped(circuit, result)

    return rule


#: Functions of a sequence of arrays.
_OF_SEQUENCES = (np.concatenate, np.stack, np.vstack, np.hstack, np.dstack, np.column_stack)
#: Functions that NumPy runs on arrays of any objects.
_MOVED = (
    "transpose swapaxes moveaxis rollaxis reshape ravel squeeze expand_dims broadcast_to "
    "broadcast_arrays concatenate stack vstack hstack dstack column_stack split array_split hsplit "
    "vsplit dsplit tile repeat flip fliplr flipud rot90 roll diag diagflat diagonal tril triu pad "
    "copy atleast_1d atleast_2d atleast_3d append insert delete take take_along_axis resize block "
    "meshgrid matrix_transpose permute_dims concat unstack"
)
FUNCTIONS.update({getattr(np, n): _moved(getattr(np, n)) for n in _MOVED.split() if hasattr(np, n)})
_tricks = np.lib.stride_tricks
FUNCTIONS.update({f: _moved(f) for f in (_tricks.sliding_window_view, _tricks.as_strided)})
FUNCTIONS[np.shape] = lambda circuit, a: entries(circuit, a).shape
FUNCTIONS[np.ndim] = lambda circuit, a: entries(circuit, a).ndim
FUNCTIONS[np.size] = lambda circuit, a, axis=None: np.size(entries(circuit, a), axis)
FUNCTIONS[np.iscomplexobj] = lambda circuit, a: False
FUNCTIONS[np.isscalar] = lambda circuit, a: isinstance(a, Entry)


# ------------------------------------------------------------------ new arrays


def array(circuit: Circuit, value: Any, dtype: Any = None, **options: Any) -> Any:
    """Make a new array, as `np.array` does; whole numbers and truth values stay plain."""
    if isinstance(value, Masked):
        raise value.refused("np.array")
    if not is_traced(value):
        plain = np.array(value, dtype=dtype)
        if plain.dtype.kind != "f" and not (plain.dtype == object and dtype is None):
            return plain
    result = TracedArray(circuit, entries(circuit, value).copy())
    if dtype is not None:
        result = result.astype(dtype)
    ndmin = options.get("ndmin", 0)
    return result[(None,) * (ndmin - result.ndim)] if ndmin > result.ndim else result


def asarray(circuit: Circuit, value: Any, dtype: Any = None, **options: Any) -> Any:
    """Return an array as it is where it is one, as `np.asarray` does."""
    same = isinstance(value, TracedArray) and (
        dtype is None or real_dtype(dtype) is (bool if value.boolean else float)
    )
    return value if same else array(circuit, value, dtype)


def filled(circuit: Circuit, shape: Any, value: Any, dtype: Any = None) -> Any:
    """Make an array of one value, as `np.full` does; whole numbers stay plain."""
    kind = real_dtype(dtype)
    if kind is int or (kind is bool and not is_traced(value)):
        return np.full(plain_key(shape), value, dtype=kind)
    data = np.empty(plain_key(shape), dtype=object)
    data[...] = entries(circuit, value)
    return array(circuit, TracedArray(circuit, data), dtype)


def _like(value: Any) -> Any:
    def rule(circuit: Circuit, prototype: Any, *more: Any, **options: Any) -> Any:
        args = list(more)
        if value is None:
            given = options["fill_value"] if "fill_value" in options else args.pop(0)
        else:
            given = value
        dtype = args[0] if args else options.get("dtype")
        if dtype is None and isinstance(prototype, TracedArray):
            dtype = prototype.dtype
        shape = options.get("shape")
        shape = np.shape(entries(circuit, prototype)) if shape is None else shape
        if isinstance(prototype, TracedArray) and prototype.boolean and real_dtype(dtype) is bool:
            # It may receive conditions that are not known: it must not become a plain array.
            return array(circuit, filled(circuit, shape, given)).astype(bool)
        return filled(circuit, shape, given, dtype)

    return rule


FUNCTIONS[np.zeros_like] = FUNCTIONS[np.empty_like] = _like(0)
FUNCTIONS[np.ones_like] = _like(1)
FUNCTIONS[np.full_like] = _like(None)
FUNCTIONS[np.array] = FUNCTIONS[np.asarray] = asarray
FUNCTIONS[np.asanyarray] = FUNCTIONS[np.ascontiguousarray] = asarray
FUNCTIONS[np.asarray_chkfinite] = FUNCTIONS[np.nan_to_num] = asarray
FUNCTIONS[np.real_if_close] = FUNCTIONS[np.real] = asarray


# --------------------------------------------------------------------- choices


@implements(np.where)
def where(circuit: Circuit, condition: Any, *choices: Any, **options: Any) -> Any:
    """Choose entry by entry; the places where a condition holds cannot be read."""
    if len(choices) != 2:
        raise refusal(
            "np.where(condition) alone: which places those are depends on the inputs; write "
            "np.where(condition, a, b)"
        )
    data = [entries(circuit, value) for value in (condition, *choices)]
    chosen = mapped(lambda c, a, b: choose(circuit, c, a, b), *data)
    return wrapped(circuit, uniform(circuit, chosen))


@implements(np.select)
def select(circuit: Circuit, conditions: Any, choices: Any, default: Any = 0) -> Any:
    """Choose by the first condition that holds."""
    result = default
    for condition, choice in reversed(list(zip(conditions, choices, strict=True))):
        result = where(circuit, condition, choice, result)
    return result


@implements(np.piecewise)
def piecewise(circuit: Circuit, x: Any, conditions: Any, functions: Any, *args: Any) -> Any:
    """Choose by the last condition that holds, among numbers and functions of x."""

    def value(function: Any) -> Any:
        return function(x, *args) if callable(function) else function

    more = len(functions) > len(conditions)
    result = value(functions[-1]) if more else 0
    for condition, function in zip(conditions, functions, strict=False):
        result = where(circuit, condition, value(function), result)
    return result


@implements(np.copyto)
def copyto(
    circuit: Circuit, target: Any, source: Any, casting: str = "", where: Any = True
) -> None:
    """Write into an array, where a condition holds."""
    old = target if isinstance(target, TracedArray) else 0
    store(circuit, FUNCTIONS[np.where](circuit, where, source, old), target)


@implements(np.putmask)
def putmask(circuit: Circuit, target: Any, mask: Any, values: Any) -> None:
    """Write values where a mask holds."""
    copyto(circuit, target, values, where=mask)


@implements(np.fill_diagonal)
def fill_diagonal(circuit: Circuit, target: Any, value: Any, wrap: bool = False) -> None:
    """Write onto the diagonal."""
    if not isinstance(target, TracedArray):
        store(circuit, value, target)
    places = np.arange(min(target.shape))
    target[(places,) * target.ndim] = value
