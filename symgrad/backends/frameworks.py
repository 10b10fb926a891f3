"""What the functions for JAX and for PyTorch share: a call, and a value that is differentiated.

Arguments are checked as NumPy's are. Names and shapes always; values (rows that sum to one,
symmetry) where there are values, which inside of a transformation there are not.
"""

from __future__ import annotations

import linecache
import zlib
from abc import abstractmethod
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any, ClassVar

from symgrad.backends.arguments import (
    Call,
    Slot,
    by_name,
    check_values,
    evaluated,
    gathered,
)
from symgrad.backends.function import CompiledFunction, compile_source
from symgrad.backends.translation import Translated, Translator
from symgrad.errors import OptionError, UnsupportedError, listed
from symgrad.facts import sum_axis
from symgrad.graph.layouts import held_shape

#: Words of a declaration that values are checked for, besides what a slot's facts say.
_CHECKED = {"in [0,1]", "entries sum to one"}


class FrameworkFunction(CompiledFunction):
    """A generated function of a framework's arrays, which checks its arguments."""

    translator: ClassVar[type[Translator]]

    def __init__(self, plan: Any) -> None:
        self._recipe = plan
        self._text = self.translator.translated(plan.program)
        self._function = _loaded(self._text)
        # What a plan works out once is worked out here, and not while a call is traced.
        _ = plan.layouts, plan.requirements
        self._checked = [name for name, slot in plan.slots.items() if _restricted(slot)]

    @property
    def source(self) -> str:
        """The source that runs: a module of imports, helper functions and the function."""
        return self._text.source

    @property
    def listing(self) -> str:
        """The line-for-line form: definition i of the graph is statement i."""
        return self._text.listing

    @property
    def plan(self) -> Any:
        """Which form runs: there is one."""
        library = self.translator.library
        return f"line for line, in {library}, whose own compiler does the rest"

    def raw(self, *arrays: Any) -> Any:
        """Refuse: arrays of the framework cannot be written into.

        Raises:
            UnsupportedError: Always.
        """
        raise UnsupportedError(f"raw is for NumPy's arrays, not {self.translator.library}'s")

    def bind(self, arrays: Any = None, /, **named: Any) -> Any:
        """Refuse: `functools.partial` does it, and the framework compiles that.

        Raises:
            UnsupportedError: Always.
        """
        raise UnsupportedError(
            f"bind is for NumPy's arrays; in {self.translator.library}, give functools.partial"
            "(f, X=...) to its own compiler"
        )

    def __call__(self, arrays: Mapping[str, Any] | None = None, /, **named: Any) -> Any:
        """Evaluate; see `CompiledFunction`. Results are the framework's arrays.

        Raises:
            OptionError: An argument is missing or unknown.
            ShapeError: An array does not have its declared shape.
            DataError: An argument is not made of numbers, or not what it is declared to be.
        """
        call = self._called(by_name(self._recipe.slots, gathered(arrays, named)))
        return self._results(call)

    @property
    def differentiable(self) -> Callable[..., Any]:
        """The value alone, whose derivative in the framework is the closed gradient.

        A function of the same arguments. It is composed with other functions of the framework
        as any function is. By an input that is not in `wrt` it has no derivative: asking for
        one is an error. A second derivative is the framework's, of the closed gradient.

        Raises:
            OptionError: The function was compiled without `wrt`.
        """
        plan = self._recipe
        if not (plan.valued and plan.keys):
            raise OptionError(
                "a differentiable value needs a scalar formula and the variables of its gradient: "
                f"sg.compile(formula, wrt=[...], backend={self.translator.name!r})"
            )
        return self._value

    def _value(self, arrays: Mapping[str, Any] | None = None, /, **named: Any) -> Any:
        given = by_name(self._recipe.slots, gathered(arrays, named))
        ready, _ = self._arrays({name: given[name] for name in self._recipe.slots})
        self._check_values(ready)
        return self._closed(*ready.values())

    def save(self, path: str | Path) -> Path:
        """Refuse: modules that check themselves are made for NumPy.

        Raises:
            UnsupportedError: Always.
        """
        raise UnsupportedError(
            f"modules that check themselves are written for NumPy, not for "
            f"{self.translator.library}; write the text of `.source` to a file, which needs "
            f"{self.translator.library} alone, or compile with backend='numpy'"
        )

    # ------------------------------------------------------------ one call

    def _called(self, given: Mapping[str, Any]) -> Call:
        ready, kind = self._arrays({name: given[name] for name in self._recipe.slots})
        call = self._fitted(ready, kind)
        self._check_values(ready)
        return call

    def _fitted(self, ready: Mapping[str, Any], kind: Any) -> Call:
        call = Call.fitted(self._recipe.slots, ready, kind)
        self._recipe.check_sizes(call)
        return call

    def _check_values(self, arrays: Mapping[str, Any]) -> None:
        found = {name: self._values(arrays[name]) for name in self._checked}
        known = {name: values for name, values in found.items() if values is not None}
        check_values(self._recipe.slots, known)

    def _results(self, call: Call) -> Any:
        """Evaluate, and put raw results into the shapes and containers that users get."""
        plan = self._recipe
        raw = (
            self._each(call)
            if plan.program.form == "looped"
            else self._listed(self._function(*call.arguments))
        )
        values = [self._settled(call, s, v) for s, v in zip(plan.outputs, raw, strict=True)]
        values = self._unshared(values, call)
        if not plan.keys:
            return values[0]
        parts = zip(plan.keys, values[1:] if plan.valued else values, strict=True)
        gradients = {key: value.reshape(call.shapes[key]) for key, value in parts}
        if plan.single:
            return gradients[plan.keys[0]]
        return (values[0], gradients) if plan.valued else gradients

    def _both(self, names: Iterable[str], arrays: Iterable[Any]) -> tuple[Any, dict[str, Any]]:
        """Return the value and the gradients, of arrays that are checked but for their shapes."""
        ready = dict(zip(names, arrays, strict=True))
        kind = next(iter(ready.values())).dtype
        value, gradients = self._results(self._fitted(ready, kind))
        return value, gradients

    def _listed(self, result: Any) -> list[Any]:
        return list(result) if len(self._recipe.outputs) > 1 else [result]

    def _settled(self, call: Call, symbol: Any, value: Any) -> Any:
        value = self._array(value, call)
        return self._over_samples(call, symbol, value) if self._recipe.batch else value

    def _over_samples(self, call: Call, symbol: Any, value: Any) -> Any:
        """Reduce the leading axis, or keep it where one result per sample is wanted."""
        plan = self._recipe
        inner = held_shape(symbol, plan.layouts[symbol])
        sizes = tuple(evaluated(size, call.sizes) for size in inner)
        own = plan.graph.label(symbol).of in plan.batch
        stacked = plan.program.form == "looped" or symbol in plan.dependent
        full = value.reshape((call.samples, *sizes) if stacked else sizes)
        if not stacked and (plan.reduce is None or own):
            full = self._broadcast(full, (call.samples, *sizes))
        if own:
            return full / call.samples if plan.reduce == "mean" else full
        if plan.reduce is None:
            return full
        if not stacked:
            return full * call.samples if plan.reduce == "sum" else full
        return full.mean(0) if plan.reduce == "mean" else full.sum(0)

    def _unshared(self, values: list[Any], call: Call) -> list[Any]:
        """Copy what shares memory with an argument; immutable arrays may."""
        return values

    def _check_moved(self, names: Iterable[str]) -> None:
        """Refuse derivatives that are not there.

        Raises:
            OptionError: By an input that is not in `wrt`.
        """
        others = [name for name in names if name not in self._recipe.keys]
        if others:
            raise OptionError(
                f"this value was compiled with gradients by {listed(self._recipe.keys)}, and is "
                f"now differentiated by {listed(others)}, too: name them in wrt, or cut them off "
                f"({self.translator.cut})"
            )

    # ------------------------------------------------------------ what the frameworks differ in

    @abstractmethod
    def _arrays(self, given: Mapping[str, Any]) -> tuple[dict[str, Any], Any]:
        """Return the arguments as arrays of one floating-point type, and that type."""

    @staticmethod
    @abstractmethod
    def _values(array: Any) -> Any:
        """Return an array's values for NumPy, or None inside of a transformation."""

    @staticmethod
    @abstractmethod
    def _array(value: Any, call: Call) -> Any:
        """Return a raw result as an array of the call's type."""

    @staticmethod
    @abstractmethod
    def _broadcast(value: Any, shape: tuple[int, ...]) -> Any:
        """Repeat a value to a shape."""

    @abstractmethod
    def _each(self, call: Call) -> list[Any]:
        """Evaluate for every sample and stack the results."""

    @abstractmethod
    def _closed(self, *arrays: Any) -> Any:
        """Return the value with its closed derivative, of arrays in the order of the slots."""


def _restricted(slot: Slot) -> bool:
    words = set(slot.variable.assumptions)
    return bool(slot.facts or words & _CHECKED) or sum_axis(slot.variable) is not None


def _loaded(text: Translated) -> Any:
    """Load generated source; `linecache` lets tracebacks show its lines."""
    source = text.source
    filename = f"<symgrad {text.name} {zlib.crc32(source.encode()):x}>"
    linecache.cache[filename] = (len(source), None, source.splitlines(keepends=True), filename)
    namespace: dict[str, Any] = {}
    # Only a translation of what an Emitter printed comes here.
    exec(compile_source(source, filename), namespace)
    return namespace[text.name]


__all__ = ["FrameworkFunction"]
