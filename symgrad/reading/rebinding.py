"""Copies of user code in which `np`, `math` and the user's own helpers are stand-ins.

A function runs with the globals of its module. `Rebinder` makes functions with the same code whose
globals are looked up in the module when they are asked for, and replaced there and then; the
module, its classes and its arrays stay as they are.
"""

from __future__ import annotations

import abc
import functools
import importlib
import os
import sys
import sysconfig
import types
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from symgrad.circuit import Circuit
from symgrad.reading import standins
from symgrad.reading.arrays import MOST_CONSTANTS, TracedArray, entries
from symgrad.reading.operators import Operators
from symgrad.reading.places import UserGlobals
from symgrad.reading.scalars import Entry, read

_INSTALLED = tuple({sysconfig.get_paths()[name] for name in ("stdlib", "purelib", "platlib")})
_OWN = str(Path(__file__).resolve().parents[1])


def _is_user_file(file: str | None) -> bool:
    if file is None:
        return False
    return not file.startswith(("<frozen", *(folder + os.sep for folder in (_OWN, *_INSTALLED))))


class _LazyGlobals(UserGlobals):
    """The globals of a module, each rebound when it is first looked up."""

    def __init__(self, rebinder: Rebinder, original: dict[str, Any]) -> None:
        super().__init__(__builtins__=rebinder.builtins, __name__=original.get("__name__", ""))
        self.rebinder, self.original = rebinder, original

    def __missing__(self, name: str) -> Any:
        value = self.rebinder.rebound(self.original[name])
        self[name] = value
        return value


class _LazyModule:
    """A user's module whose functions are rebound when they are asked for."""

    def __init__(self, names: UserGlobals) -> None:
        self.__dict__["_names"] = names

    def __getattr__(self, name: str) -> Any:
        try:
            return self.__dict__["_names"][name]
        except KeyError:
            raise AttributeError(name) from None

    def __setattr__(self, name: str, value: Any) -> None:
        self.__dict__["_names"][name] = value


class Rebinder:
    """Makes copies of user code for one circuit; what was copied once stays one object.

    >>> circuit = Circuit()
    >>> Rebinder(circuit).rebound(lambda x: max(x, 0))(read(circuit, 2))
    2
    """

    def __init__(self, circuit: Circuit) -> None:
        self.circuit = circuit
        self.builtins = standins.builtin_names(circuit)
        self.builtins["__import__"] = self._imported
        self._known: dict[int, Any] = {}
        # What was copied stays alive, so that no other object gets its identity.
        self._kept: list[Any] = []
        self._globals: dict[int, UserGlobals] = {}

    def rebound(self, value: Any) -> Any:
        """Return the copy of any value that user code refers to."""
        if id(value) in self._known:
            return self._known[id(value)]
        if isinstance(value, (Entry, Operators)) or value is None:
            return value
        other = standins.replaced(self.circuit, value)
        if other is not value:
            return self._remember(value, other)
        for kind, rule in _RULES.items():
            if isinstance(value, kind):
                return rule(self, value)
        return self._instance(value)

    def _remember(self, value: Any, copy: Any) -> Any:
        self._kept.append(value)
        self._known[id(value)] = copy
        return copy

    def _globals_of(self, original: dict[str, Any]) -> UserGlobals:
        if isinstance(original, UserGlobals):
            return original
        if id(original) not in self._globals:
            self._kept.append(original)
            self._globals[id(original)] = _LazyGlobals(self, original)
        return self._globals[id(original)]

    def _function(self, function: Any) -> Any:
        wrapped = getattr(function, "__wrapped__", None)
        if not _is_user_file(function.__code__.co_filename):
            # functools.wraps of an installed library: what it wraps is the user's.
            return self.rebound(wrapped) if wrapped is not None else function
        cells = tuple(types.CellType() for _ in function.__closure__ or ())
        names = self._globals_of(function.__globals__)
        copy = types.FunctionType(function.__code__, names, function.__name__, None, cells or None)
        self._remember(function, copy)
        for cell, original in zip(cells, function.__closure__ or (), strict=True):
            self._fill(cell, original)
        copy.__defaults__ = self._values(function.__defaults__)
        copy.__kwdefaults__ = self._values(function.__kwdefaults__)
        copy.__dict__.update({k: self.rebound(v) for k, v in vars(function).items()})
        return copy

    def _values(self, values: Any) -> Any:
        return None if values is None else self.rebound(values)

    def _fill(self, cell: Any, original: Any) -> None:
        try:
            cell.cell_contents = self.rebound(original.cell_contents)
        except ValueError:
            return  # A name that is not assigned yet.

    def _method(self, method: Any) -> Any:
        return types.MethodType(self.rebound(method.__func__), self.rebound(method.__self__))

    def _partial(self, value: Any) -> Any:
        parts = self.rebound(value.args), self.rebound(value.keywords)
        return functools.partial(self.rebound(value.func), *parts[0], **parts[1])

    def _cached(self, value: Any) -> Any:
        return self.rebound(value.__wrapped__)

    def _class(self, kind: Any) -> Any:
        # Enumerations and the like make their classes in their own way, and hold constants.
        if type(kind) not in (type, abc.ABCMeta) or not _is_user_class(kind):
            return kind
        bases = tuple(self.rebound(base) for base in kind.__bases__)
        slots = kind.__dict__.get("__slots__", ())
        skipped = {"__dict__", "__weakref__", "__slots__", "__abstractmethods__", "_abc_impl"}
        skipped |= {slots} if isinstance(slots, str) else set(slots)
        held = {name: value for name, value in vars(kind).items() if name not in skipped}
        copy = type(kind)(kind.__name__, bases, dict(held))
        self._remember(kind, copy)
        for name, value in held.items():
            setattr(copy, name, self._member(value, copy, name))
        return copy

    def _member(self, value: Any, owner: Any, name: str) -> Any:
        if isinstance(value, (staticmethod, classmethod)):
            return type(value)(self.rebound(value.__func__))
        if isinstance(value, property):
            return property(*(f and self.rebound(f) for f in (value.fget, value.fset, value.fdel)))
        if isinstance(value, functools.cached_property):
            cached: Any = functools.cached_property(self.rebound(value.func))
            cached.__set_name__(owner, name)
            return cached
        return self.rebound(value)

    def _instance(self, value: Any) -> Any:
        plain = getattr(value, "py_func", None)
        if isinstance(plain, types.FunctionType):
            return self.rebound(plain)  # What a compiler was given.
        kind = self.rebound(type(value)) if _is_user_class(type(value)) else type(value)
        if kind is type(value):
            return value
        copy = object.__new__(kind)
        self._remember(value, copy)
        for name, held in _attributes(value).items():
            object.__setattr__(copy, name, self.rebound(held))
        return copy

    def _vectorized(self, value: Any) -> Any:
        return self.rebound(np.vectorize)(self.rebound(value.pyfunc))

    def _module(self, module: Any) -> Any:
        if not _is_user_file(getattr(module, "__file__", None)):
            return module
        return self._remember(module, _LazyModule(self._globals_of(vars(module))))

    def _array(self, array: Any) -> Any:
        if array.dtype.kind == "f" and array.size <= MOST_CONSTANTS:
            return self._remember(array, TracedArray(self.circuit, entries(self.circuit, array)))
        return self._remember(array, array.copy())

    def _number(self, value: Any) -> Any:
        return read(self.circuit, value)

    def _list(self, value: Any) -> Any:
        copy: list[Any] = self._remember(value, type(value)())
        copy.extend(map(self.rebound, value))
        return copy

    def _tuple(self, value: Any) -> Any:
        parts = [self.rebound(part) for part in value]
        made = type(value)(*parts) if hasattr(value, "_fields") else tuple(parts)
        return self._remember(value, made)

    def _dict(self, value: Any) -> Any:
        copy = self._remember(value, value.copy())
        for key in value:
            copy[key] = self.rebound(value[key])
        return copy

    def _imported(
        self,
        name: str,
        globals: Any = None,
        locals: Any = None,
        fromlist: Any = (),
        level: int = 0,
    ) -> Any:
        module = __import__(name, globals, locals, fromlist or (), level)
        if name.split(".")[0] in ("numpy", "scipy") and fromlist:
            module = importlib.import_module(name)
        return self.rebound(module)


def _is_user_class(kind: Any) -> bool:
    if kind.__module__ in ("builtins", "typing", "abc"):
        return False
    module = sys.modules.get(kind.__module__)
    file = getattr(module, "__file__", None)
    return kind.__module__ == "__main__" or module is None or _is_user_file(file)


def _attributes(value: Any) -> dict[str, Any]:
    found = dict(getattr(value, "__dict__", {}))
    for kind in type(value).__mro__:
        slots = kind.__dict__.get("__slots__", ())
        for name in (slots,) if isinstance(slots, str) else slots:
            if hasattr(value, name) and name != "__dict__":
                found[name] = getattr(value, name)
    return found


#: How values are copied, by their type; the first that fits counts.
_RULES: dict[Any, Callable[[Rebinder, Any], Any]] = {
    types.FunctionType: Rebinder._function,
    types.MethodType: Rebinder._method,
    types.ModuleType: Rebinder._module,
    functools.partial: Rebinder._partial,
    functools._lru_cache_wrapper: Rebinder._cached,
    type: Rebinder._class,
    np.vectorize: Rebinder._vectorized,
    np.ndarray: Rebinder._array,
    (float, np.floating): Rebinder._number,
    list: Rebinder._list,
    tuple: Rebinder._tuple,
    dict: Rebinder._dict,
}
