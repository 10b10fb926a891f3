"""NumPy's ufuncs of traced arrays: calls, `out`, `where`, reductions, `at` and `outer`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from symgrad.circuit import Circuit
from symgrad.reading.arrays import (
    FUNCTIONS,
    UFUNCS,
    TracedArray,
    boxed,
    call_function,
    entries,
    mapped,
    plain_key,
    wrapped,
)
from symgrad.reading.masks import Masked, map_masked
from symgrad.reading.places import refusal
from symgrad.reading.scalars import (
    IDENTITIES,
    apply,
    as_condition,
    choose,
    fold,
    read,
    truth,
)

#: Ufuncs of NumPy that are not elementwise: they are looked up among the functions.
_PRODUCTS = {
    name: getattr(np, name)
    for name in ("matmul", "vecdot", "matvec", "vecmat")
    if hasattr(np, name)
}


def call_ufunc(
    circuit: Circuit, ufunc: Any, method: str, inputs: tuple[Any, ...], options: dict[str, Any]
) -> Any:
    """Do what a ufunc's method does, with traced inputs.

    Raises:
        TraceError: A method or an output that cannot hold traced values.
    """
    name = ufunc.__name__
    if name in _PRODUCTS:
        out = options.pop("out", None)
        result = call_function_of(circuit, ufunc, inputs, options)
        return store(circuit, result, out)
    if any(isinstance(value, Masked) for value in inputs):
        if method != "__call__":
            raise inputs[0].refused(f"np.{name}.{method}")
        out = options.get("out", (None,))[0]
        result = map_masked(circuit, name, inputs)
        if isinstance(out, Masked):
            out.array = result.array
        return result if out is None else out
    if method not in _UFUNC_METHODS:
        raise refusal(f"np.{name}.{method} is not read")
    return _UFUNC_METHODS[method](circuit, name, *inputs, **options)


def call_function_of(circuit: Circuit, ufunc: Any, inputs: Any, options: dict[str, Any]) -> Any:
    """Call the function that is registered for a ufunc that is no elementwise one."""
    if ufunc not in FUNCTIONS:
        raise refusal(f"np.{ufunc.__name__} is not read")
    return FUNCTIONS[ufunc](circuit, *inputs, **options)


def store(circuit: Circuit, result: Any, out: Any) -> Any:
    """Return a result, or write it into the array that was given as `out`.

    Raises:
        TraceError: `out` is an array of plain numbers.
    """
    target = out[0] if isinstance(out, tuple) else out
    if target is None:
        return result
    if not isinstance(target, TracedArray):
        raise refusal(
            "an array of plain numbers is to hold a traced value; make it inside the function, "
            "with np.zeros or as a copy of an argument"
        )
    data = entries(circuit, result)
    if np.broadcast_shapes(data.shape, target.shape) != target.shape:
        raise ValueError(
            f"non-broadcastable output operand with shape {target.shape} doesn't match the "
            f"broadcast shape {data.shape}"
        )
    target[...] = TracedArray(circuit, data)
    return target


def elementwise(circuit: Circuit, name: str, *inputs: Any, **options: Any) -> Any:
    """Call a ufunc: entry by entry, broadcast, into `out` and only where `where` holds."""
    data = [entries(circuit, value) for value in inputs]
    out, where = options.get("out"), options.get("where", True)
    if where is True:
        return store(
            circuit, wrapped(circuit, mapped(lambda *e: apply(circuit, name, *e), *data)), out
        )
    target = out[0] if isinstance(out, tuple) else out
    if target is None:
        raise refusal(f"np.{name} with where= needs out=: the other entries have no value")

    def one(holds: Any, old: Any, *found: Any) -> Any:
        # A division by zero is avoided that way: nothing is computed where it is not wanted.
        if truth(circuit, holds) == circuit.false:
            return old
        return choose(circuit, holds, apply(circuit, name, *found), old)

    new = mapped(one, entries(circuit, where), entries(circuit, target), *data)
    return store(circuit, TracedArray(circuit, new), out)


def reduced(data: Any, axis: Any, keepdims: bool, function: Callable[[list[Any]], Any]) -> Any:
    """Apply a function of a list of entries along axes of an object array.

    >>> reduced(np.array([[1, 2], [3, 4]], dtype=object), 1, False, sum)
    array([3, 7], dtype=object)
    """
    axes = tuple(range(data.ndim)) if axis is None else axis
    axes = tuple(axes) if isinstance(axes, (tuple, list)) else (axes,)
    axes = np.lib.array_utils.normalize_axis_tuple(tuple(plain_key(a) for a in axes), data.ndim)
    kept = [k for k in range(data.ndim) if k not in axes]
    shape = tuple(data.shape[k] for k in kept)
    rows = data.transpose(kept + list(axes)).reshape(*shape, -1) if data.size else None
    result = np.empty(shape, dtype=object)
    for place in np.ndindex(shape):
        result[place] = function([] if rows is None else list(rows[place]))
    if keepdims:
        result = result.reshape([1 if k in axes else n for k, n in enumerate(data.shape)])
    return result


def reduction(
    circuit: Circuit,
    name: str,
    value: Any,
    axis: Any = 0,
    dtype: Any = None,
    out: Any = None,
    keepdims: bool = False,
    initial: Any = None,
    where: Any = True,
) -> Any:
    """Reduce along axes with a ufunc of two arguments."""
    data = entries(circuit, value)
    if where is not True:
        start = IDENTITIES.get(name, initial)
        if start is None:
            raise ValueError(f"reduction operation {name!r} with where= needs `initial`")
        rest = boxed(read(circuit, start))
        data = mapped(lambda m, a, z: choose(circuit, m, a, z), entries(circuit, where), data, rest)
    more = [] if initial is None else [read(circuit, initial)]
    logical = name.startswith("logical")

    def one(found: list[Any]) -> Any:
        given = [as_condition(circuit, e) for e in found] if logical else found
        return fold(circuit, name, [*more, *given])

    result = reduced(data, axis, bool(keepdims), one)
    return store(circuit, wrapped(circuit, result), out)


def accumulated(
    circuit: Circuit, name: str, value: Any, axis: int = 0, dtype: Any = None, out: Any = None
) -> Any:
    """Return the running sums, products or maxima along an axis."""
    data = np.moveaxis(entries(circuit, value), axis, -1)
    result = np.empty(data.shape, dtype=object)
    for place in np.ndindex(data.shape[:-1]):
        row = list(data[place])
        for k in range(len(row)):
            result[(*place, k)] = fold(circuit, name, row[: k + 1])
    return store(circuit, wrapped(circuit, np.moveaxis(result, -1, axis)), out)


def outer(circuit: Circuit, name: str, first: Any, second: Any, **options: Any) -> Any:
    """Apply a function to all pairs of entries of two arrays."""
    left, right = entries(circuit, first), entries(circuit, second)
    wide = left.reshape(left.shape + (1,) * right.ndim)
    pair = TracedArray(circuit, wide), TracedArray(circuit, right)
    return elementwise(circuit, name, *pair, **options)


def at(circuit: Circuit, name: str, array: Any, places: Any, *values: Any) -> None:
    """Do `array[places] += values` for each place in turn, repeated ones too."""
    if not isinstance(array, TracedArray):
        store(circuit, None, array)
    numbers = np.arange(array.size).reshape(array.shape)[plain_key(places)]
    given = [np.broadcast_to(entries(circuit, value), np.shape(numbers)) for value in values]
    for k, number in np.ndenumerate(numbers):
        place = np.unravel_index(int(number), array.shape)
        array.data[place] = apply(circuit, name, array.data[place], *(g[k] for g in given))


_UFUNC_METHODS: dict[str, Callable[..., Any]] = {
    "__call__": elementwise,
    "reduce": reduction,
    "accumulate": accumulated,
    "outer": outer,
    "at": at,
}

UFUNCS.append(call_ufunc)
__all__ = ["call_function", "call_ufunc", "elementwise", "reduced", "reduction", "store"]
