"""Python's operators for arrays of entries, all by NumPy's functions."""

from __future__ import annotations

from typing import Any

import numpy as np

from symgrad.reading.scalars import NUMBERS, Entry


def _operator(name: str) -> Any:
    ufunc = getattr(np, name)
    return lambda self, other: _binary(ufunc, self, other)


def _binary(ufunc: Any, first: Any, second: Any) -> Any:
    if not isinstance(second, (Operators, Entry, np.ndarray, list, tuple, *NUMBERS)):
        return NotImplemented
    return ufunc(first, second)


def _reflected(name: str) -> Any:
    ufunc = getattr(np, name)
    return lambda self, other: NotImplemented if other is None else ufunc(other, self)


def _in_place(name: str) -> Any:
    ufunc = getattr(np, name)

    def operator(self: Any, other: Any) -> Any:
        if self.is_single:
            return ufunc(self, other)
        ufunc(self, other, out=(self,))
        return self

    return operator


def _unary(name: str) -> Any:
    return lambda self: getattr(np, name)(self)


class Operators:
    """Python's operators, all by NumPy's functions."""

    __add__, __radd__, __iadd__ = _operator("add"), _reflected("add"), _in_place("add")
    __sub__, __rsub__ = _operator("subtract"), _reflected("subtract")
    __isub__ = _in_place("subtract")
    __mul__, __rmul__ = _operator("multiply"), _reflected("multiply")
    __imul__ = _in_place("multiply")
    __truediv__, __rtruediv__ = _operator("divide"), _reflected("divide")
    __itruediv__ = _in_place("divide")
    __pow__, __rpow__, __ipow__ = _operator("power"), _reflected("power"), _in_place("power")
    __floordiv__, __rfloordiv__ = _operator("floor_divide"), _reflected("floor_divide")
    __mod__, __rmod__ = _operator("remainder"), _reflected("remainder")
    __matmul__, __rmatmul__ = _operator("matmul"), _reflected("matmul")
    __imatmul__ = _in_place("matmul")
    __and__, __rand__ = _operator("bitwise_and"), _reflected("bitwise_and")
    __iand__ = _in_place("bitwise_and")
    __or__, __ror__ = _operator("bitwise_or"), _reflected("bitwise_or")
    __ior__ = _in_place("bitwise_or")
    __xor__, __rxor__ = _operator("bitwise_xor"), _reflected("bitwise_xor")
    __lt__, __gt__ = _operator("less"), _operator("greater")
    __le__, __ge__ = _operator("less_equal"), _operator("greater_equal")
    __eq__, __ne__ = _operator("equal"), _operator("not_equal")
    __neg__, __pos__ = _unary("negative"), _unary("positive")
    __abs__, __invert__ = _unary("absolute"), _unary("invert")
    #: Whether it stands for a single number, which `+=` replaces and does not change.
    is_single = False
    __hash__ = None  # type: ignore[assignment]

    def refused(self, use: str) -> Exception:
        """Return the error for a use that cannot be read."""
        raise NotImplementedError
