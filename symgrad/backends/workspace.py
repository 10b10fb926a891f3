"""Workspaces: the arrays that a printed tape runs in, for sizes and a type of numbers.

All parameters are one flat vector, all gradients another; what the statements name are views of
these, of the data, and of buffers that are made once. Nothing is allocated while it runs.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

from symgrad.backends.affine import Block
from symgrad.backends.buffered import Printer
from symgrad.backends.memory import GIVEN, TOTAL, shown, spread
from symgrad.tape import INPUT, NUMBER, SLICE, TRANSPOSE, Tape
from symgrad.tape.evaluation import KERNELS, extent, number_at

#: The buffers of a chunk take as much as this where the third cache has room for eight.
CHUNK_BYTES = 4 * 1024**2
LEAST_CHUNK = 256
#: Operations that may warn where the result is right: 1 / (1 + exp(800)) is 0.
LOUD = frozenset(("exp", "where", "divide", "reciprocal", "log", "power", "sqrt"))


@lru_cache(maxsize=1)
def chunk_bytes() -> int:
    """Return how much the buffers of a chunk should take: half of a core's second cache or more.

    Longer chunks save calls as long as the third cache holds them; measured, see the benchmarks.
    """
    second, third = _cache(2, 1024**2), _cache(3, 8 * CHUNK_BYTES)
    return max(second // 2, min(CHUNK_BYTES, third // 8))


def _cache(level: int, otherwise: int) -> int:
    """Return the size of a cache, as Linux tells it."""
    path = Path(f"/sys/devices/system/cpu/cpu0/cache/index{level}/size")
    try:
        text = path.read_text().strip()
        return int(text[:-1]) * {"K": 1024, "M": 1024**2}[text[-1]]
    except (OSError, ValueError, KeyError, IndexError):
        return otherwise


_code = lru_cache(maxsize=256)(lambda text: compile(text, "<symgrad workspace>", "exec"))


class Workspace:
    """The arrays of one function for some sizes, and the function that runs in them.

    Attributes:
        parameters: The flat vector of parameters, to be filled before a run.
        gradient: The flat vector of gradients, overwritten by every run.
        results: Arrays of other results that are no numbers, by name, overwritten by every run.
        inputs: A view of every input, to be filled: parameters and data.
        edges: Where the chunks of samples begin and end.
        run: Computes everything.
    """

    def __init__(
        self, tape: Tape, sizes: Mapping[Any, int], dtype: Any, trained: Sequence[str]
    ) -> None:
        self.tape, self.dtype, self.trained = tape, np.dtype(dtype), tuple(trained)
        self.sizes = dict(sizes)
        count = self.sizes[tape.axis] if tape.axis is not None else 0
        self.printer = Printer(tape, sizes, self.trained)
        self.edges = self._split(count)
        if len(self.edges) > 2:
            self.printer = Printer(tape, sizes, self.trained, self.chunk)
        self.text = self.printer.printed()
        self._allocate()
        self.run = self._bound()

    @property
    def pieces(self) -> int:
        """The number of chunks."""
        return len(self.edges) - 1

    @property
    def chunk(self) -> int:
        """The number of samples in the longest chunk."""
        return max(high - low for low, high in pairwise(self.edges))

    def _split(self, count: int) -> list[int]:
        printer, tape = self.printer, self.tape
        if not printer.chunked or count <= LEAST_CHUNK:
            return [0, count]
        rows = sum(
            extent(buffer.shape[0], self.sizes)
            for buffer in printer.all_buffers
            if buffer.shape[1] == tape.axis
        ) + sum(
            extent(op.shape[0], self.sizes) + (place in printer.aug)
            for place, op in enumerate(tape.ops)
            if place in printer.aug or (op.kind == INPUT and spread(op, tape.axis))
        )
        room = chunk_bytes() / (max(rows, 1) * self.dtype.itemsize)
        chunk = max(LEAST_CHUNK, 2 ** round(np.log2(room)))
        return [int(edge) for edge in np.linspace(0, count, max(1, -(-count // chunk)) + 1)]

    # ----------------------------------------------------------------- arrays

    def _allocate(self) -> None:
        tape, printer = self.tape, self.printer
        size = sum(entry.count for entry in printer.entries.values())
        self.parameters = np.zeros(size, self.dtype)
        self.negated = np.zeros(size if self.printer.negated else 0, self.dtype)
        self.data: dict[str, Any] = {}
        self.inputs: dict[str, Any] = {}
        for name, place in tape.inputs.items():
            if name in printer.entries:
                self.inputs[name] = printer.entries[name].view(self.parameters)
                continue
            op = tape.ops[place]
            rows, columns = (extent(extent_, self.sizes) for extent_ in op.shape)
            # The row of ones comes last, and stays as it is.
            full = np.ones((rows + (place in printer.aug), columns), self.dtype)
            self.data[name] = full
            self.inputs[name] = full[:rows].T if op.data[1] else full[:rows]
        self.sums = np.zeros((self.pieces, printer.slots.size), self.dtype)
        alone = self.pieces == 1
        self.totals = self.sums[0] if alone else np.zeros(printer.slots.size, self.dtype)
        self.gradient = self.totals[:size]
        self.results = {
            name: np.zeros([extent(s, self.sizes) for s in tape.ops[v.node].shape], self.dtype)
            for name, v in tape.outputs.items()
            if name not in printer.entries and v.shape != (1, 1)
        }
        self.short = self._buffers(None)

    def _buffers(self, length: int | None) -> dict[int, Any]:
        """Make the buffers with an axis of samples of some length, or those without one."""
        made: dict[int, Any] = {}
        for buffer in self.printer.all_buffers:
            long = self.tape.axis is not None and buffer.shape[1] == self.tape.axis
            if long != (length is not None):
                continue
            rows, columns = buffer.shape
            shape = extent(rows, self.sizes), length if long else extent(columns, self.sizes)
            made[buffer.number] = np.zeros(shape, np.bool_ if buffer.logical else self.dtype)
        return made

    @property
    def nbytes(self) -> int:
        """The bytes of all arrays."""
        every = [self.parameters, self.negated, self.sums, self.totals]
        every += [*self.data.values(), *self.results.values()]
        for group in self.groups:
            every += [*group.buffers.values(), *group.with_ones.values()]
        return sum({id(array): array.nbytes for array in every}.values())

    def number(self, name: str) -> tuple[Any, float]:
        """Return the array of one entry that holds a result, and its factor."""
        value = self.tape.outputs[name]
        group = self.first
        late = self.printer.stage[shown(self.tape, value.node)] == TOTAL
        return group.array(value.node, 0, late=late), number_at(value.factor, self.sizes)

    @property
    def source(self) -> str:
        """The statements that run, what they work on and in which pieces."""
        text = self.text
        samples = f"chunks of up to {self.chunk} of {self.edges[-1]} samples"
        parts = [
            ("once, before", text.before),
            (samples if self.pieces > 1 else "statements", text.body),
            ("once, after", text.after),
        ]
        return "".join(
            f"# {word}\n" + "".join(f"{line}\n" for line in lines) for word, lines in parts if lines
        )

    # ---------------------------------------------------------------- binding

    def _bound(self) -> Callable[[], None]:
        """Bind the statements to arrays: one function for each length of chunk."""
        lengths: dict[int, list[int]] = {}
        for number, (low, high) in enumerate(pairwise(self.edges)):
            lengths.setdefault(high - low, []).append(number)
        groups = [_Group(self, length, numbers) for length, numbers in lengths.items()]
        self.groups, self.first = groups, groups[0]
        run = self.first.single() if self.pieces == 1 else self._over_chunks(groups)
        if not any(op.kind in LOUD for op in self.tape.ops):
            return run

        def quietly() -> None:
            with np.errstate(all="ignore"):
                run()

        return quietly

    def _over_chunks(self, groups: Sequence[_Group]) -> Callable[[], None]:
        text = self.text
        before = self.first.function("before", text.before)
        after = self.first.function("after", text.after)
        runs = [group.chunks() for group in groups]
        sums, totals = self.sums, self.totals

        def run() -> None:
            before()
            for body, chunks in runs:
                body(chunks)
            np.add.reduce(sums, 0, out=totals)
            after()

        return run


class _Group:
    """The names that statements use, bound for one length of chunk."""

    def __init__(self, space: Workspace, length: int, numbers: Sequence[int]) -> None:
        self.space, self.printer, self.tape = space, space.printer, space.tape
        self.length, self.numbers = length, numbers
        self.sizes = {**space.sizes, space.tape.axis: length} if space.edges[-1] else space.sizes
        self.buffers = dict(space.short)
        if space.tape.axis is not None:
            self.buffers.update(space._buffers(length))
        self.with_ones = {
            place: np.ones(
                (extent(self.tape.ops[place].shape[0], self.sizes) + 1, length), space.dtype
            )
            for place in self.printer.aug
            if self.printer.stage[place] != GIVEN
        }
        text = space.text
        self.namespace: dict[str, Any] = {
            name: self.resolved(key, numbers[0])
            for name, key in text.names.items()
            if space.pieces == 1 or name not in text.running
        }

    # ------------------------------------------------------------------ arrays

    def resolved(self, key: tuple[Any, ...], number: int) -> Any:
        """Return what a name stands for, in a chunk."""
        return getattr(self, f"_{key[0]}")(number, *key[1:])

    def _place(self, number: int, place: int, view: str, late: bool) -> Any:
        return _viewed(self.array(place, number, ones=view == "a", late=late), view)

    def _block(self, number: int, block: Block, view: str) -> Any:
        flat = self.space.negated if view.startswith("n") else self.space.parameters
        return _viewed(self._layer(flat, block), view.removeprefix("n"))

    def _gradient(self, number: int, block: Block) -> Any:
        return self._layer(self.space.sums[number], block)

    def _layer(self, flat: Any, block: Block) -> Any:
        weight = self.printer.entries[block.weight]
        rows, columns = weight.held
        return flat[weight.start : weight.start + (rows + 1) * columns].reshape(rows + 1, columns)

    def _ones(self, number: int, shape: tuple[Any, Any], single: bool) -> Any:
        made = np.ones([extent(size, self.sizes) for size in shape], self.space.dtype)
        return made.reshape(-1) if single else made

    def _number(self, number: int, value: float) -> Any:
        return np.asarray(value, self.space.dtype)

    def _function(self, number: int, name: str) -> Any:
        if name in KERNELS:
            return KERNELS[name]
        found: Any = np
        for part in name.split("."):
            found = getattr(found, part)
        return found

    def _parameters(self, number: int) -> Any:
        return self.space.parameters

    def _negated(self, number: int) -> Any:
        return self.space.negated

    def _flat(self, number: int) -> Any:
        return self.space.gradient

    def _entry(self, number: int, name: str) -> Any:
        return self.printer.entries[name].part(self.space.gradient)

    def _result(self, number: int, name: str) -> Any:
        return self.space.results[name]

    def _factors(self, number: int, factors: tuple[tuple[str, float], ...]) -> Any:
        """Return the factors of all gradients, one number where they agree."""
        values = {factor for _, factor in factors}
        if len(values) == 1:
            return np.asarray(values.pop(), self.space.dtype)
        made = np.ones(len(self.space.gradient), self.space.dtype)
        for name, factor in factors:
            self.printer.entries[name].part(made)[...] = factor
        return made

    def array(self, place: int, number: int, ones: bool = False, late: bool = False) -> Any:
        """Return the array of a place, in a chunk, with its row of ones where that is wanted."""
        space, op = self.space, self.tape.ops[place]
        if op.kind == NUMBER:
            return np.asarray(number_at(op.data, space.sizes), space.dtype)
        if op.kind == TRANSPOSE:
            return self.array(op.args[0], number, late=late).T
        if op.kind == SLICE:
            row, column = op.data
            part = self.array(op.args[0], number, late=late)[row : row + 1]
            return part if column is None else part[:, column : column + 1]
        if op.kind == INPUT:
            return self._given(place, number, ones)
        if place in self.printer.negated:
            name = self.tape.ops[op.args[0]].data[0]
            return self.printer.entries[name].view(space.negated)
        if place in self.printer.slots.places:
            start, held = self.printer.slots.places[place]
            flat = space.totals if late else space.sums[number]
            return flat[start : start + held[0] * held[1]].reshape(held)
        if place in self.with_ones:
            full = self.with_ones[place]
            return full if ones else full[:-1]
        if place in self.printer.hints:
            return self.array(self.printer.hints[place], number)
        return self.buffers[self.printer.buffers[place].number]

    def _given(self, place: int, number: int, ones: bool) -> Any:
        space = self.space
        name, _ = self.tape.ops[place].data
        if name in self.printer.entries:
            return space.inputs[name]
        full = space.data[name]
        if place in self.printer.aug and not ones:
            full = full[:-1]
        if spread(self.tape.ops[place], self.tape.axis) and space.pieces > 1:
            return full[:, space.edges[number] : space.edges[number + 1]]
        return full

    # --------------------------------------------------------------- functions

    def single(self) -> Callable[[], None]:
        """Return one function that does everything, for a single piece."""
        text = self.space.text
        made: Callable[[], None] = self.function("run", [*text.before, *text.body, *text.after])
        return made

    def chunks(self) -> tuple[Callable[..., None], list[tuple[Any, ...]]]:
        """Return the function of the chunks, and what it takes for each of them."""
        text = self.space.text
        names = ", ".join(text.running)
        head = f"for {names}{',' * (len(text.running) == 1)} in chunks:"
        body = self.function("body", [head, *(f"    {line}" for line in text.body)], "chunks")
        keys = [text.names[name] for name in text.running]
        return body, [tuple(self.resolved(key, n) for key in keys) for n in self.numbers]

    def function(self, name: str, lines: Sequence[str], arguments: str = "") -> Any:
        """Make a function of statements."""
        body = "\n".join(f"    {line}" for line in lines) or "    pass"
        # Only statements printed by a Printer come here, with names of its own choosing.
        exec(_code(f"def {name}({arguments}):\n{body}\n"), self.namespace)
        return self.namespace[name]


def _viewed(array: Any, view: str) -> Any:
    """Return an array, its transpose, its entries in a row, or its only entry's place."""
    if view == "T":
        return array.T
    if view not in ("r", "s"):
        return array
    made = array.reshape(-1) if view == "r" else array.reshape(())
    if not np.shares_memory(made, array):
        raise AssertionError("a view was a copy: the printer took an array for contiguous")
    return made
