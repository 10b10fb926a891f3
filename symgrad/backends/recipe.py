"""What a compiled function takes and gives: arguments by name, results in the users' shapes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from symgrad.backends import runners as quick
from symgrad.backends.arguments import FLOAT, Call, Slot, evaluated, is_checked, numbers
from symgrad.backends.program import Program, program
from symgrad.errors import OptionError, ShapeError
from symgrad.graph import Graph
from symgrad.graph.layouts import SCALAR, held_shape, layouts
from symgrad.graph.requirements import requirements
from symgrad.shapes import Variable
from symgrad.tape import SAMPLES

#: Words that are used in gradients, and words that are used in values, too.
TIED = ("symmetric", "positive definite", "orthogonal")
RANGES = ("positive", "in (0,1)", "integer")


@dataclass(frozen=True)
class Recipe:
    """What a compiled function needs to know to take arguments and give results.

    Attributes:
        outputs: Symbols: the value first, where it is wanted, then gradients.
        keys: The names under which gradients are given, in the order of `outputs`.
        valued: Whether the first output is the value.
        reduce: How samples are put together, or None for a result per sample.
        dependent: The outputs that depend on an input with samples.
        workers: How many processes bound functions are spread over; None for this one alone.
    """

    graph: Graph
    outputs: tuple[Any, ...]
    keys: tuple[str, ...]
    valued: bool
    single: bool
    dtype: Any
    batch: tuple[str, ...]
    reduce: str | None
    dependent: frozenset[Any]
    workers: Any = None

    @cached_property
    def program(self) -> Program:
        """The line-for-line form.

        Raises:
            UnsupportedError: NumPy has no form for an operation.
        """
        name = "value" if not self.keys else "gradients"
        name = "value_and_gradients" if self.valued and self.keys else name
        return program(self.graph, self.outputs, self.batch, name)

    @cached_property
    def layouts(self) -> dict[Any, str]:
        """How the outputs are held."""
        held = layouts(self.graph)
        return {symbol: held[symbol] for symbol in self.outputs}

    @cached_property
    def slots(self) -> dict[str, Slot]:
        """What every input must look like."""
        # Without samples on an axis of their own there is one form.
        form = self.program.form if self.batch else "plain"
        return {
            v.name: Slot.of(v, v.name in self.batch, form, self._facts(v))
            for v in self.graph.inputs
        }

    @cached_property
    def _tied(self) -> set[str]:
        """The inputs of which something declared was used."""
        return {name for label in self.graph.labels.values() for name in label.tied}

    def _facts(self, variable: Variable) -> list[str]:
        """Return what the formula uses of a variable: its arrays are checked for that."""
        if not variable.assumptions:
            return []
        wanted = [*TIED * (variable.name in self._tied), *RANGES]
        return [word for word in variable.assumptions if word in wanted]

    @cached_property
    def scalars(self) -> tuple[str, ...]:
        """The names whose gradients are numbers."""
        lead = {name: self.slots[name].lead for name in self.keys if name in self.slots}
        return tuple(key for key in self.keys if not self.slots[key].sizes and not lead.get(key))

    @cached_property
    def axes(self) -> int:
        """The number of axes of the value's array; 0 for a number."""
        if not self.valued:
            return 0
        return len(held_shape(self.outputs[0], self.layouts[self.outputs[0]]))

    @cached_property
    def checked(self) -> bool:
        """Whether the values of arrays are checked, not only their shapes."""
        return any(slot.facts or is_checked(slot.variable) for slot in self.slots.values())

    def seen(self, call: Call) -> quick.Call:
        """Return what the fast forms need to know of arrays."""
        sizes: dict[Any, int] = {s: call.sizes[str(s)] for s in self.graph.sizes}
        if self.batch:
            sizes[SAMPLES] = call.samples
        shapes = {name: call.shapes[name] for name in self.slots}
        return quick.Call(shapes, sizes, np.dtype(self.dtype or call.dtype))

    def example(self, count: int, axis: Any) -> quick.Call:
        """Return what arrays look like for a number of samples; open sizes are taken for 2."""
        sizes = dict.fromkeys(self.graph.sizes, 2)
        if axis is not None:
            sizes[axis] = count
        named = {str(size): number for size, number in sizes.items()}
        shapes = {}
        for name, slot in self.slots.items():
            own = tuple(evaluated(size, named) for size in slot.sizes)
            shapes[name] = (*(count,) * slot.lead, *own)
        return quick.Call(shapes, sizes, np.dtype(self.dtype or FLOAT))

    def sizes_of(self, given: Mapping[str, Any]) -> dict[Any, int]:
        """Read sizes off the arrays that are given.

        Raises:
            OptionError: A size of a parameter does not follow.
        """
        sizes: dict[str, int] = {}
        for name, slot in self.slots.items():
            if name in given:
                slot.fitted(numbers(name, given[name], self.dtype), sizes)
        for key in self.keys:
            lacking = [
                str(s)
                for size in self.slots[key].variable.sizes
                for s in size.free_symbols
                if str(s) not in sizes
            ]
            if key not in given and lacking:
                raise OptionError(
                    f"the size {lacking[0]} of `{key}` does not follow from the data: give an "
                    f"example of `{key}`, too"
                )
        return sizes

    @property
    def form_is_scalar(self) -> bool:
        """Whether the one output is a number for every sample."""
        return self.layouts[self.outputs[0]] == SCALAR

    @cached_property
    def requirements(self) -> tuple[Any, ...]:
        """What the sizes must be, so that slices lie inside of arrays."""
        return requirements(self.graph)

    def check_sizes(self, call: Call) -> None:
        """Refuse arrays that are too small.

        Raises:
            ShapeError: A slice or an entry lies outside.
        """
        for size in self.requirements:
            if evaluated(size, call.sizes) < 0:
                known = ", ".join(
                    f"{s} = {call.sizes[str(s)]}" for s in sorted(size.free_symbols, key=str)
                )
                raise ShapeError(
                    f"the formula takes entries that arrays with {known} do not have; it needs "
                    f"{size} >= 0"
                )

    def presented(self, call: Call, values: list[Any]) -> Any:
        """Put raw values into the shapes and containers that users get."""
        values = [self._settled(call, s, v) for s, v in zip(self.outputs, values, strict=True)]
        values = _unshared(values, call)
        if not self.keys:
            return values[0]
        given = values[1:] if self.valued else values
        gradients = {
            key: call.as_given(key, value) for key, value in zip(self.keys, given, strict=True)
        }
        if self.single:
            return gradients[self.keys[0]]
        return (values[0], gradients) if self.valued else gradients

    def _settled(self, call: Call, symbol: Any, value: Any) -> Any:
        layout = self.layouts[symbol]
        value = np.asarray(value)
        if self.batch:
            value = self._over_samples(call, symbol, value, layout)
        if value.dtype != call.dtype:
            # Constants are written as Python numbers; results have the type of the data.
            value = value.astype(call.dtype)
        if layout == SCALAR and value.ndim == 0:
            return float(value) if call.dtype == FLOAT else value[()]
        return value

    def _over_samples(self, call: Call, symbol: Any, value: Any, layout: str) -> Any:
        """Reduce the leading axis, or keep it where one result per sample is wanted."""
        inner = held_shape(symbol, layout)
        sizes = tuple(evaluated(size, call.sizes) for size in inner)
        own = self.graph.label(symbol).of in self.batch
        stacked = self.program.form == "looped" or symbol in self.dependent
        full = value.reshape((call.samples, *sizes)) if stacked else value.reshape(sizes)
        if not stacked and (self.reduce is None or own):
            full = np.broadcast_to(full, (call.samples, *sizes))
        if own:
            return full / call.samples if self.reduce == "mean" else full
        if self.reduce is None:
            return full
        if not stacked:
            return full * call.samples if self.reduce == "sum" else full
        return full.mean(axis=0) if self.reduce == "mean" else full.sum(axis=0)


def _unshared(values: list[Any], call: Call) -> list[Any]:
    """Copy results that share memory with an argument or with an earlier result."""
    kept: list[Any] = []
    for value in values:
        if isinstance(value, np.ndarray) and (
            value.base is not None
            or not value.flags.writeable
            or any(value is other for other in (*kept, *call.arguments))
        ):
            value = value.copy()
        kept.append(value)
    return kept
