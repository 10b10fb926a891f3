"""Stand-ins for number types: `float(x)` of a traced value, `isinstance(x, np.ndarray)`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from symgrad.reading.arrays import TracedArray, is_traced
from symgrad.reading.places import refusal
from symgrad.reading.scalars import Condition, Scalar, as_condition, as_real


def dtype_of(dtype: Any) -> Any:
    """Return the dtype that a stand-in stands for, or what was given."""
    return getattr(dtype, "dtype", dtype)


class _Kind(type):
    """The class of stand-ins for number types: calling one casts, traced numbers are of it."""

    plain: type
    traced: tuple[type, ...]
    cast: Callable[..., Any]

    def __call__(cls, *args: Any, **options: Any) -> Any:
        if args and (is_traced(args[0])):
            return cls.cast(args[0])
        return cls.plain(*args, **options)

    def __instancecheck__(cls, value: Any) -> bool:
        return isinstance(value, (cls.plain, *cls.traced))

    def __subclasscheck__(cls, kind: type) -> bool:
        return issubclass(kind, (cls.plain, *cls.traced))

    def __eq__(cls, other: Any) -> bool:
        return other is cls or other is cls.plain or dtype_of(other) is vars(cls).get("dtype", cls)

    def __hash__(cls) -> int:
        return hash(cls.plain)

    def __getattr__(cls, name: str) -> Any:
        return getattr(cls.plain, name)


def _as_float(value: Any) -> Any:
    if isinstance(value, TracedArray):
        return value.astype(float)
    return as_real(value.circuit, value)


def _one_float(value: Any) -> Any:
    if isinstance(value, TracedArray):
        value = value.item()
    return as_real(value.circuit, value)


def _as_int(value: Any) -> Any:
    value = value.item() if isinstance(value, TracedArray) else value
    if isinstance(value, Condition) and value.known is None:
        return as_real(value.circuit, value)
    return int(value)


def _as_bool(value: Any) -> Any:
    value = value.item() if isinstance(value, TracedArray) else value
    condition = as_condition(value.circuit, value)
    return condition if condition.known is None else condition.known


def _as_array_class(value: Any) -> Any:
    raise refusal("np.ndarray(...) is not read; write np.zeros or np.array")


def _kind(plain: type, traced: tuple[type, ...], cast: Any, dtype: Any = None) -> Any:
    inside: dict[str, Any] = {"plain": plain, "traced": traced, "cast": staticmethod(cast)}
    if dtype is not None:
        inside["dtype"] = np.dtype(dtype)
    return _Kind(plain.__name__, (), inside)


#: Stand-ins for types, by the type.
KINDS: dict[Any, Any] = {
    float: _kind(float, (Scalar,), _one_float, float),
    int: _kind(int, (), _as_int, int),
    bool: _kind(bool, (Condition,), _as_bool, bool),
    np.ndarray: _kind(np.ndarray, (TracedArray,), _as_array_class),
}
KINDS |= {t: _kind(t, (Scalar,), _as_float, t) for t in (np.float64, np.float32, np.float16)}
KINDS |= {t: _kind(t, (Scalar,), _as_float) for t in (np.floating, np.number, np.generic)}
KINDS |= {t: _kind(t, (), _as_int, t) for t in (np.int64, np.int32, np.int8, np.uint8)}
KINDS[np.bool_] = _kind(np.bool_, (Condition,), _as_bool, np.bool_)
