"""What user code finds under `math` and among Python's built-in names while it is read."""

from __future__ import annotations

import builtins
import math
from collections.abc import Callable
from typing import Any

import numpy as np
import sympy as sp

from symgrad.circuit import Circuit
from symgrad.reading.arrays import TracedArray, is_traced
from symgrad.reading.kinds import KINDS, dtype_of
from symgrad.reading.masks import Masked
from symgrad.reading.places import refusal
from symgrad.reading.scalars import Scalar, apply, fold, is_entry, read


class Own:
    """A function that is not NumPy's: called with the circuit first."""

    def __init__(self, circuit: Circuit, function: Callable[..., Any], name: str) -> None:
        self.circuit, self.function, self.__name__ = circuit, function, name

    def __call__(self, *args: Any, **options: Any) -> Any:
        """Call it; a stand-in for a type that is given as dtype is made a dtype."""
        for value in _parts(args):
            if hasattr(type(value), "called_by"):
                return value.called_by(self.__name__, args, options)
        if "dtype" in options:
            options["dtype"] = dtype_of(options["dtype"])
        return self.function(self.circuit, *args, **options)


def _parts(args: tuple[Any, ...]) -> list[Any]:
    return [part for arg in args for part in (arg if isinstance(arg, (tuple, list)) else [arg])]


def constants(circuit: Circuit) -> dict[str, Any]:
    """Return pi, e and the like, exactly."""
    pi = Scalar(circuit, circuit.constant(sp.pi))
    return {
        "pi": pi,
        "e": Scalar(circuit, circuit.exp(circuit.number(1))),
        "tau": 2 * pi,
        "euler_gamma": Scalar(circuit, circuit.constant(sp.EulerGamma)),
    }


def _extreme(name: str, plain: Any) -> Callable[..., Any]:
    def function(circuit: Circuit, *args: Any, **options: Any) -> Any:
        values = list(args) if len(args) > 1 else list(args[0])
        if options or not any(map(is_traced, values)):
            return plain(values, **options)
        if not all(map(is_entry, values)):
            raise TypeError(f"{plain.__name__}() compares single numbers, not arrays")
        return fold(circuit, name, [read(circuit, value) for value in values])

    return function


def _round(circuit: Circuit, value: Any, digits: Any = None) -> Any:
    return round(value) if digits is None else round(value, digits)


_BUILTINS: dict[str, Callable[..., Any]] = {
    "max": _extreme("maximum", max),
    "min": _extreme("minimum", min),
    "round": _round,
}


def builtin_names(circuit: Circuit) -> dict[str, Any]:
    """Return Python's built-in names with those replaced that must take traced values.

    >>> circuit = Circuit()
    >>> builtin_names(circuit)["max"](0, Scalar(circuit, circuit.number(2)))
    2
    """
    names = dict(vars(builtins))
    names |= {name: Own(circuit, function, name) for name, function in _BUILTINS.items()}
    return names | {"float": KINDS[float], "int": KINDS[int], "bool": KINDS[bool]}


def _math_function(name: str) -> Callable[..., Any]:
    plain = getattr(math, name)
    spelled = _MATH[name]

    def function(circuit: Circuit, *args: Any) -> Any:
        if any(isinstance(arg, Masked) for arg in args):
            raise refusal(f"math.{name} of a[mask]; write np.where(mask, a, b)")
        values = [arg.item() if isinstance(arg, (TracedArray, np.ndarray)) else arg for arg in args]
        if name in ("floor", "ceil", "trunc") and not any(map(is_traced, values)):
            return plain(*values)
        return apply(circuit, spelled, *(read(circuit, value) for value in values))

    return function


def _log(circuit: Circuit, value: Any, base: Any = None) -> Any:
    above = apply(circuit, "log", read(circuit, _single(value)))
    if base is None:
        return above
    return above / apply(circuit, "log", read(circuit, _single(base)))


def _single(value: Any) -> Any:
    return value.item() if isinstance(value, (TracedArray, np.ndarray)) else value


def _fsum(circuit: Circuit, values: Any) -> Any:
    return fold(circuit, "add", [read(circuit, value) for value in values])


def _product(circuit: Circuit, values: Any, start: Any = 1) -> Any:
    return fold(circuit, "multiply", [read(circuit, value) for value in [start, *values]])


def _distance(circuit: Circuit, *values: Any) -> Any:
    squares = [read(circuit, value) ** 2 for value in values]
    return apply(circuit, "sqrt", fold(circuit, "add", squares))


def _closeness(circuit: Circuit, a: Any, b: Any, **options: Any) -> bool:
    return math.isclose(float(a), float(b), **options)


#: Functions of `math` that are ufuncs of NumPy, with their name there.
_SAME_NAME = (
    "sqrt cbrt exp exp2 expm1 log2 log10 log1p sin cos tan sinh cosh tanh fabs erf erfc gamma "
    "floor ceil trunc isfinite isnan isinf copysign fmod degrees radians"
)
_MATH = {name: name for name in _SAME_NAME.split() if hasattr(math, name)} | {
    "asin": "arcsin",
    "acos": "arccos",
    "atan": "arctan",
    "atan2": "arctan2",
    "asinh": "arcsinh",
    "acosh": "arccosh",
    "atanh": "arctanh",
    "pow": "power",
    "lgamma": "gammaln",
}
_MATH_RULES: dict[str, Callable[..., Any]] = {name: _math_function(name) for name in _MATH} | {
    "log": _log,
    "fsum": _fsum,
    "prod": _product,
    "hypot": _distance,
    "isclose": _closeness,
}


def math_names(circuit: Circuit) -> dict[str, Any]:
    """Return what is replaced in the module math."""
    own = {name: Own(circuit, rule, name) for name, rule in _MATH_RULES.items()}
    return own | {name: constants(circuit)[name] for name in ("pi", "e", "tau")}
