"""The fast forms of a compiled function at work: for arrays of some shapes, for data given once."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np

from symgrad.backends import straight
from symgrad.backends.flat import Entry
from symgrad.backends.plan import LINES, SCALARS, VALUE, Form, Plan, Wanted
from symgrad.backends.spaces import Shelf
from symgrad.backends.workspace import Workspace
from symgrad.tape.scalars import Straight

#: Shapes of arrays that one function remembers.
REMEMBERED = 16


@dataclass(frozen=True)
class Call:
    """What arrays look like.

    Attributes:
        shapes: The shape of every input's array, by name, in order.
        sizes: Numbers for the symbolic sizes, the number of samples among them.
        dtype: The type of numbers to compute with.
    """

    shapes: Mapping[str, tuple[int, ...]]
    sizes: Mapping[Any, int]
    dtype: Any


def make_room(known: dict[Any, Any]) -> None:
    """Forget what was remembered first, where there is too much; other threads may do so, too."""
    while len(known) >= REMEMBERED:
        for key in list(known)[: 1 + len(known) - REMEMBERED]:
            known.pop(key, None)


class Quick:
    """The fast forms of one compiled function, made when they are first needed.

    Attributes:
        wanted: What is computed.
        plan: Which form runs when.
    """

    def __init__(self, wanted: Wanted) -> None:
        self.wanted, self.plan = wanted, self._planned(wanted)
        self._runners: dict[Any, Runner | None] = {}

    def _planned(self, wanted: Wanted) -> Plan:
        return Plan(wanted)

    @cached_property
    def alone(self) -> Quick | None:
        """The fast forms of the value without gradients; None where there is no value."""
        if VALUE not in self.wanted.outputs:
            return None
        return Quick(replace(self.wanted, outputs={VALUE: self.wanted.outputs[VALUE]}))

    def form(self, call: Call) -> Form:
        """Choose the form for arrays."""
        return self.plan.form(call.sizes, call.dtype)

    def runner(self, call: Call) -> Runner | None:
        """Return what computes for such arrays; None where that is the line-for-line form."""
        key = tuple(call.shapes.items()), tuple(call.sizes.items()), call.dtype
        found = self._runners.get(key, self)
        if found is self:
            make_room(self._runners)
            found = self._runners[key] = self._made(self.form(call), call)
        return found  # type: ignore[return-value]

    def _made(self, form: Form, call: Call) -> Runner | None:
        if form.kind == SCALARS:
            return ScalarRunner(self, call)
        return None if form.kind == LINES else ArrayRunner(self, form, call)


#: The fast forms of formulas that were compiled lately, by what they are.
_STRUCTURES: dict[Any, Quick] = {}
MOST_STRUCTURES = 64


def of_structure(wanted: Wanted) -> Quick:
    """Return the fast forms of formulas, which equal formulas share.

    They hold generated code and free buffers; whoever runs them takes what is free.
    """
    graph = wanted.graph
    key = (
        *(graph.definitions, graph.inputs, tuple(wanted.outputs.items())),
        *(wanted.trained, wanted.batch, wanted.reduce, wanted.workers, wanted.dtype),
    )
    found = _STRUCTURES.get(key)
    if found is None:
        while len(_STRUCTURES) >= MOST_STRUCTURES:
            _STRUCTURES.pop(next(iter(_STRUCTURES)), None)
        found = _STRUCTURES[key] = Quick(wanted)
    return found


class Runner:
    """Computes the value and the flat vector of gradients; see `Quick.runner`.

    Attributes:
        pieces: By parameter: its part of the flat vector, the rows and columns that lie there
            transposed (None where nothing is), and the shape in which its array came.
        source: The text that runs.
    """

    pieces: dict[str, tuple[slice, tuple[int, int] | None, tuple[int, ...]]]
    source: str

    def __call__(self, arrays: Iterable[Any]) -> tuple[Any, Any] | None:
        """Compute from arrays in order; None where only the line-for-line form has an answer."""
        raise NotImplementedError

    def raw(self, arrays: Iterable[Any]) -> tuple[Any, Any] | None:
        """Compute into arrays that the next call overwrites."""
        raise NotImplementedError

    def parts(self, flat: Any) -> dict[str, Any]:
        """Take the flat vector apart: views of it, in the shapes in which the arrays came."""
        return {
            name: (
                flat[part].reshape(shape)
                if turned is None
                else flat[part].reshape(turned).T.reshape(shape)
            )
            for name, (part, turned, shape) in self.pieces.items()
        }


def piece_of(entry: Entry, shape: tuple[int, ...]) -> tuple[Any, Any, tuple[int, ...]]:
    """Return a runner's record of where a parameter lies."""
    turned = entry.held if entry.turned and 1 not in entry.held else None
    return slice(entry.start, entry.start + entry.count), turned, shape


#: A workspace, its inputs in the shapes of the users' arrays, and where the value is.
_Space = tuple[Workspace, list[Any], Any]


class ArrayRunner(Runner):
    """Computes with NumPy's calls into buffers; re-entrant: every thread has buffers of its own."""

    def __init__(self, quick: Quick, form: Form, call: Call) -> None:
        self.call, self.batch = call, frozenset(quick.wanted.batch)
        self.trained = quick.wanted.trained
        self.tape = quick.plan.tape(form, call.sizes, call.dtype)
        made = self._made()
        space = made[0]
        self._shelf: Shelf[_Space] = Shelf(space.nbytes)
        self._shelf.put(made)
        self.source = space.source
        self.pieces = {
            name: piece_of(space.printer.entries[name], call.shapes[name]) for name in self.trained
        }

    def _made(self) -> _Space:
        space = Workspace(self.tape, self.call.sizes, self.call.dtype, self.trained)
        targets = [
            laid_over(space.inputs[name], shape, name in self.batch)
            for name, shape in self.call.shapes.items()
        ]
        value = space.number(VALUE) if VALUE in self.tape.outputs else None
        return space, targets, value

    def __call__(self, arrays: Iterable[Any]) -> tuple[Any, Any]:
        """Compute; a thread that comes meanwhile makes buffers of its own."""
        held = self._shelf.take() or self._made()
        value, gradient = self._computed(held, arrays)
        gradient = gradient.copy()
        self._shelf.put(held)
        return value, gradient

    @cached_property
    def _own(self) -> _Space:
        """The buffers of `raw`, whose results nobody else may overwrite."""
        return self._made()

    def raw(self, arrays: Iterable[Any]) -> tuple[Any, Any]:
        """Compute into arrays that the next call overwrites; one thread at a time."""
        found: tuple[Any, Any] = self._computed(self._own, arrays)
        return found

    def _computed(self, held: _Space, arrays: Iterable[Any]) -> Any:
        space, targets, value = held
        for target, array in zip(targets, arrays, strict=True):
            target[...] = array
        space.run()
        number = None if value is None else value[0].item() * value[1]
        return number, space.gradient


def laid_over(matrix: Any, shape: Sequence[int], lifted: bool) -> Any:
    """Return the view of a tape's matrix that has the shape of a user's array.

    Args:
        matrix: Rows and columns; of an input with samples, one column for each of them.
        shape: The shape of the array.
        lifted: Whether the array has samples on an axis of its own, the first.
    """
    full = matrix.T if lifted else matrix
    if len(shape) == 2:
        return full
    if len(shape) == 3:
        # One sample is a column, or a row.
        return full[:, :, None] if shape[2] == 1 else full[:, None, :]
    if len(shape) == 0:
        return full[0, 0, ...]
    return full[:, 0] if full.shape[1] == 1 else full[0]


class ScalarRunner(Runner):
    """Computes with Python's own floats."""

    def __init__(self, quick: Quick, call: Call) -> None:
        code = quick.plan.straight(call.sizes)
        trained, order = quick.wanted.trained, tuple(call.shapes)
        self.source, self._function = scalar_function(code, trained, order)
        self._valued = VALUE in code.outputs
        self.pieces = {}
        start = 0
        for name in trained:
            rows, columns = code.shapes[name]
            self.pieces[name] = (slice(start, start + rows * columns), None, call.shapes[name])
            start += rows * columns
        self._own = np.zeros(start)

    def __call__(self, arrays: Iterable[Any]) -> tuple[Any, Any] | None:
        """Compute, unless Python's math raises where NumPy has inf or nan."""
        found = self._numbers(arrays)
        return None if found is None else (found[0], np.array(found[1]))

    def raw(self, arrays: Iterable[Any]) -> tuple[Any, Any] | None:
        """Compute into an array that the next call overwrites."""
        found = self._numbers(arrays)
        if found is None:
            return None
        self._own[:] = found[1]
        return found[0], self._own

    def _numbers(self, arrays: Iterable[Any]) -> tuple[Any, Any] | None:
        try:
            numbers = self._function(*[array.ravel().tolist() for array in arrays])
        except straight.OUTSIDE:
            return None
        return (numbers[0], numbers[1:]) if self._valued else (None, numbers)


def scalar_function(
    code: Straight, trained: Sequence[str], order: Sequence[str]
) -> tuple[str, Callable[..., Any]]:
    """Make the function of flat lists, one for each input, that returns value and gradients.

    Returns:
        The source and the function.
    """
    names = straight.entry_names(code.shapes, order)
    printer = straight.Printer(code, names, straight.PYTHON)
    body = printer.statements()
    arguments = [f"p{k}" for k, _ in enumerate(order)]
    head = [
        straight.unpacking([names[key] for key in entries(code, name)], argument)
        for name, argument in zip(order, arguments, strict=True)
    ]
    results = result_texts(code, printer, trained)
    return loaded("run", arguments, [*head, *body], results, straight.namespace(printer))


def result_texts(code: Straight, printer: straight.Printer, trained: Sequence[str]) -> list[str]:
    """Return the texts of the value, where it is wanted, and of all gradients' entries."""
    wanted = [name for name in (VALUE, *trained) if name in code.outputs]
    return [
        printer.result(entry, code.outputs[name][0])
        for name in wanted
        for row in code.outputs[name][1]
        for entry in row
    ]


def loaded(
    name: str,
    arguments: Sequence[str],
    lines: Sequence[str],
    results: Sequence[str],
    namespace: dict[str, Any],
) -> tuple[str, Callable[..., Any]]:
    """Make a function of statements and results, which were printed by a Printer."""
    comma = "," if len(results) == 1 else ""
    body = [*lines, f"return {', '.join(results)}{comma}"]
    head = f"def {name}({', '.join(arguments)}):\n"
    source = head + "".join(f"    {line}\n" for line in body)
    exec(compile(source, "<symgrad scalars>", "exec"), namespace)
    return source, namespace[name]


def entries(code: Straight, name: str) -> list[tuple[str, int, int]]:
    """Return the keys of an input's entries, row by row."""
    rows, columns = code.shapes[name]
    return [(name, i, j) for i in range(rows) for j in range(columns)]


__all__ = ["ArrayRunner", "Call", "Quick", "Runner", "ScalarRunner"]
