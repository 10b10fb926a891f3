"""What user code finds under `np` and `scipy.special` while it is read.

Functions of plain whole numbers and truth values stay NumPy's own, since sizes and indices are made
of them; floating-point numbers become exact, so that `np.sqrt(2)` is the root of 2.
"""

from __future__ import annotations

import sys
import warnings
from collections.abc import Callable
from types import ModuleType
from typing import Any

import numpy as np

from symgrad.circuit import Circuit
from symgrad.reading import products, shaping, sums
from symgrad.reading.arrays import (
    FUNCTIONS,
    MOST_CONSTANTS,
    TracedArray,
    as_given,
    call_function,
    entries,
    is_traced,
    plain_key,
    real_dtype,
    uniform,
    wrapped,
)
from symgrad.reading.kinds import KINDS, dtype_of
from symgrad.reading.places import refusal
from symgrad.reading.pythons import Own, builtin_names, constants, math_names
from symgrad.reading.scalars import Entry, read
from symgrad.reading.ufuncs import call_ufunc


def _is_numeric(value: Any) -> bool:
    if isinstance(value, (list, tuple)):
        return any(map(_is_numeric, value))
    return isinstance(value, (float, np.floating)) or (
        isinstance(value, np.ndarray) and value.dtype.kind == "f"
    )


def _is_discrete(value: Any) -> bool:
    """Whether a result consists of whole numbers, truth values, text, or no numbers at all."""
    if isinstance(value, (list, tuple)):
        return all(map(_is_discrete, value))
    return not _is_numeric(value)


def call(circuit: Circuit, function: Any, args: Any, options: Any) -> Any:
    """Call a function of NumPy as user code does, with plain or traced arguments.

    >>> call(Circuit(), np.sqrt, (4,), {})
    2
    """
    if any(map(is_traced, args)) or is_traced(options):
        return call_function(circuit, function, args, options)
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        result = function(*args, **options)
    if result is None or "out" in options or _is_discrete(result):
        return result
    large = any(isinstance(arg, np.ndarray) and arg.size > MOST_CONSTANTS for arg in args)
    if (isinstance(function, np.ufunc) or function in FUNCTIONS) and not large:
        return call_function(circuit, function, args, options)
    return as_given(circuit, result)


class Function:
    """A function of NumPy that also takes traced values; a ufunc keeps its methods."""

    def __init__(self, circuit: Circuit, function: Any) -> None:
        self.circuit, self.function = circuit, function
        self.__name__ = getattr(function, "__name__", "function")
        self.__doc__ = getattr(function, "__doc__", None)

    def __call__(self, *args: Any, **options: Any) -> Any:
        """Call it; a stand-in for a type that is given as dtype is made a dtype."""
        options = {name: value for name, value in options.items() if name != "dtype"} | (
            {"dtype": dtype_of(options["dtype"])} if options.get("dtype") is not None else {}
        )
        return call(self.circuit, self.function, args, options)

    def __getattr__(self, name: str) -> Any:
        value = getattr(self.function, name)
        if name not in ("reduce", "accumulate", "outer", "at", "reduceat"):
            return value

        def method(*args: Any, **options: Any) -> Any:
            if any(map(is_traced, args)):
                return call_ufunc(self.circuit, self.function, name, args, options)
            return as_given(self.circuit, value(*args, **options))

        return method


def _refused(name: str, reason: str) -> Callable[..., Any]:
    def function(*_: Any, **__: Any) -> Any:
        raise refusal(f"{name} {reason}")

    return function


def _filled(value: Any) -> Callable[..., Any]:
    return lambda circuit, shape, dtype=None, order="C", **_: shaping.filled(
        circuit, shape, value, dtype
    )


def _full(circuit: Circuit, shape: Any, fill_value: Any, dtype: Any = None, **_: Any) -> Any:
    if dtype is None and not is_traced(fill_value):
        dtype = np.asarray(fill_value).dtype
    return shaping.filled(circuit, shape, fill_value, dtype)


def _eye(circuit: Circuit, *args: Any, dtype: Any = None, **options: Any) -> Any:
    plain: Any = np.eye(*map(plain_key, args), **options)
    return shaping.array(circuit, plain, dtype)


def _arange(circuit: Circuit, *args: Any, dtype: Any = None, **_: Any) -> Any:
    args = tuple(
        arg.known if isinstance(arg, Entry) and arg.known is not None else arg for arg in args
    )
    if all(isinstance(arg, (int, np.integer)) for arg in args) and real_dtype(dtype) is float:
        plain = np.arange(*args)
        return plain if dtype is None else shaping.array(circuit, plain.astype(float))
    count = len(np.arange(*map(float, args)))
    start, step = (args[0] if len(args) > 1 else 0), (args[2] if len(args) > 2 else 1)
    if real_dtype(dtype) is int:
        return np.arange(*args, dtype=dtype)
    first, by = read(circuit, start), read(circuit, step)
    return wrapped(circuit, entries(circuit, [first + k * by for k in range(count)]))


def _linspace(circuit: Circuit, start: Any, stop: Any, num: int = 50, endpoint: bool = True) -> Any:
    first, last = read(circuit, start), read(circuit, stop)
    parts = max(num - 1 if endpoint else num, 1)
    row = [first + (last - first) * k / parts for k in range(num)]
    return TracedArray(circuit, entries(circuit, row))


def _vectorize(circuit: Circuit, pyfunc: Any, *_: Any, **options: Any) -> Any:
    if options.get("signature") is not None or options.get("excluded"):
        raise refusal("np.vectorize with signature= or excluded= is not read")

    def function(*args: Any) -> Any:
        data = [entries(circuit, arg) for arg in args]
        wide = np.broadcast_shapes(*(a.shape for a in data))
        result = np.empty(wide, dtype=object)
        for place in np.ndindex(wide):
            result[place] = pyfunc(*(np.broadcast_to(a, wide)[place] for a in data))
        return wrapped(circuit, uniform(circuit, result))

    return function


def _apply_along_axis(
    circuit: Circuit, func1d: Any, axis: int, arr: Any, *args: Any, **options: Any
) -> Any:
    given: Any = TracedArray(circuit, entries(circuit, arr))
    data = np.moveaxis(given, axis, -1)
    rows = [func1d(data[place], *args, **options) for place in np.ndindex(data.shape[:-1])]
    found: Any = TracedArray(circuit, entries(circuit, rows))
    result: Any = found.reshape(data.shape[:-1] + found.shape[1:])
    back = range(data.ndim - 1, result.ndim)
    return np.moveaxis(result, list(back), [axis + k for k in range(len(back))])


def _ndenumerate(circuit: Circuit, arr: Any) -> Any:
    data = TracedArray(circuit, entries(circuit, arr))
    return ((place, data[place]) for place in np.ndindex(data.shape))


class _Joined:
    """`np.c_` and `np.r_`."""

    def __init__(self, circuit: Circuit, plain: Any) -> None:
        self.circuit, self.plain = circuit, plain

    def __getitem__(self, key: Any) -> Any:
        parts = key if isinstance(key, tuple) else (key,)
        known = [p if isinstance(p, (str, slice)) else entries(self.circuit, p) for p in parts]
        return wrapped(self.circuit, uniform(self.circuit, self.plain[tuple(known)]))


_ARRAY_MAKERS: dict[str, Callable[..., Any]] = {
    "array": shaping.array,
    "asarray": shaping.asarray,
    "asanyarray": shaping.asarray,
    "ascontiguousarray": shaping.asarray,
    "asfortranarray": shaping.asarray,
    "zeros": _filled(0),
    "ones": _filled(1),
    # What is in an empty array is not said; entries that are read before they are set are 0.
    "empty": _filled(0),
    "full": _full,
    "eye": _eye,
    "identity": _eye,
    "arange": _arange,
    "linspace": _linspace,
    "vectorize": _vectorize,
    "apply_along_axis": _apply_along_axis,
    "ndenumerate": _ndenumerate,
    "einsum": products.einsum,
}

_NO_RANDOM = (
    "draws random numbers: each call would be another function; draw them outside, and pass them "
    "as an argument"
)
#: Functions that take user code away from what can be read.
_REFUSED = {
    "fromiter": "is not read; write np.array(list)",
    "frombuffer": "is not read",
    "load": "reads a file; load the data outside, and pass it as an argument",
    "loadtxt": "reads a file; load the data outside, and pass it as an argument",
    "genfromtxt": "reads a file; load the data outside, and pass it as an argument",
}


class Module:
    """A stand-in for a module: known names are replaced, others passed through.

    Attributes:
        circuit: The circuit.
        module: The real module.
        names: What is replaced.
    """

    def __init__(self, circuit: Circuit, module: Any, names: dict[str, Any]) -> None:
        self.__dict__.update(names)
        self.__dict__.update(circuit=circuit, module=module, __name__=module.__name__)

    def __getattr__(self, name: str) -> Any:
        found = replaced(self.circuit, getattr(self.module, name))
        self.__dict__[name] = found
        return found


def _numpy_names(circuit: Circuit) -> dict[str, Any]:
    names = constants(circuit)
    names |= {name: Own(circuit, rule, name) for name, rule in _ARRAY_MAKERS.items()}
    names |= {name: _refused(f"np.{name}", reason) for name, reason in _REFUSED.items()}
    return names | {"c_": _Joined(circuit, np.c_), "r_": _Joined(circuit, np.r_)}


# ------------------------------------------------------------------- scipy

_SPECIAL: dict[str, Callable[..., Any]] = {
    "softmax": sums.softmax_like,
    "log_softmax": sums.log_softmax,
    "logsumexp": sums.logsumexp,
}


def _special_names(circuit: Circuit) -> dict[str, Any]:
    return {name: Own(circuit, rule, name) for name, rule in _SPECIAL.items()}


# ------------------------------------------------------------------ replacing

#: The names that are replaced in a module, by the module's name.
_NAMES: dict[str, Callable[[Circuit], dict[str, Any]]] = {
    "numpy": _numpy_names,
    "math": math_names,
    "scipy.special": _special_names,
}
#: Modules whose functions take traced values through stand-ins.
_ROOTS = ("numpy", "math", "scipy")


def is_replaced_module(value: Any) -> bool:
    """Tell whether a module has a stand-in.

    >>> is_replaced_module(np), is_replaced_module(sys)
    (True, False)
    """
    return isinstance(value, ModuleType) and value.__name__.split(".")[0] in _ROOTS


def _module(circuit: Circuit, module: Any) -> Any:
    if module.__name__.startswith("numpy.random"):
        return Random()
    rule = _NAMES.get(module.__name__)
    return Module(circuit, module, rule(circuit) if rule else {})


class Random:
    """What user code finds as `np.random`."""

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        return _refused(f"np.random.{name}", _NO_RANDOM)


def _by_identity(circuit: Circuit) -> dict[int, Any]:
    """The stand-ins of functions that user code imported by name, by the function's identity."""
    found: dict[int, Any] = {}
    for name, names in _NAMES.items():
        module = sys.modules.get(name)
        if module is None:
            continue
        for key, value in names(circuit).items():
            real = getattr(module, key, None)
            if real is not None and not isinstance(real, float):
                found[id(real)] = value
    return found


_IDENTITIES: list[tuple[Circuit, dict[int, Any]]] = []


def _is_numeric_function(value: Any) -> bool:
    if isinstance(value, np.ufunc):
        return True
    if isinstance(value, np.vectorize):
        return False
    module = getattr(value, "__module__", None) or ""
    return callable(value) and module.split(".")[0] == "numpy"


def replaced(circuit: Circuit, value: Any) -> Any:
    """Return the stand-in of a module, function or type of NumPy, `math` or SciPy, or the value.

    >>> replaced(Circuit(), np).sqrt(4)
    2
    """
    if is_replaced_module(value):
        return _module(circuit, value)
    if isinstance(value, type):
        if issubclass(value, (np.random.Generator, np.random.RandomState)):
            return _refused(f"np.random.{value.__name__}", _NO_RANDOM)
        if value is np.vectorize:
            return Own(circuit, _vectorize, "vectorize")
        return KINDS.get(value, value)
    if isinstance(value, (np.random.Generator, np.random.RandomState)):
        return Random()
    if not _IDENTITIES or _IDENTITIES[-1][0] is not circuit:
        _IDENTITIES[:] = [(circuit, _by_identity(circuit))]
    known = _IDENTITIES[-1][1].get(id(value))
    if known is not None:
        return known
    if "numpy.random" in str(type(getattr(value, "__self__", None))) or (
        isinstance(getattr(value, "__self__", None), (np.random.Generator, np.random.RandomState))
    ):
        return _refused(f"np.random.{value.__name__}", _NO_RANDOM)
    return Function(circuit, value) if _is_numeric_function(value) else value


__all__ = ["KINDS", "Function", "Module", "builtin_names", "call", "replaced"]
