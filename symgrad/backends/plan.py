"""Which form of generated code runs for which sizes, and why."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from symgrad.backends.memory import stages
from symgrad.errors import UnsupportedError, counted
from symgrad.graph import Graph
from symgrad.tape import INPUT, NUMBER, SAMPLES, Tape, recorded
from symgrad.tape.evaluation import extent
from symgrad.tape.passes import flipped, folded, multiplied_out, sunk
from symgrad.tape.recorder import NATIVE
from symgrad.tape.scalars import Straight, written_out

#: The forms of generated code.
SCALARS, COLUMNS, ROWS, LINES = "scalars", "columns", "rows", "lines"
#: The types of numbers that have other forms than the line-for-line one.
DOUBLE, SINGLE = np.dtype(np.float64), np.dtype(np.float32)
FAST = DOUBLE, SINGLE
#: One sample runs in Python's own floats where a call of NumPy's would do fewer operations.
OPERATIONS_OF_A_CALL = 23
#: Layers up to this width run with the samples last; wider ones are a matter of BLAS alone.
NARROW = 128
#: Above this many samples wide layers run with the samples last, too: in chunks.
MOST_ROWS = 2048

#: The name of the value among the outputs of a tape; no input can have it.
VALUE = ""


@dataclass(frozen=True)
class Form:
    """One form of generated code.

    Attributes:
        kind: `"scalars"`, `"columns"`, `"rows"` or `"lines"`.
        reason: Why it was chosen.
    """

    kind: str
    reason: str


@dataclass(frozen=True)
class Wanted:
    """What is to be computed.

    Attributes:
        graph: The formulas.
        outputs: The symbols asked for, by the names that results have.
        trained: The inputs whose gradients are among them.
        batch: The inputs that have samples on an axis of their own.
        reduce: How samples are put together.
        workers: How many processes bound functions are spread over; None for this one alone.
        dtype: The type of numbers to compute with; None for that of the arrays.
    """

    graph: Graph
    outputs: Mapping[str, Any]
    trained: tuple[str, ...]
    batch: tuple[str, ...]
    reduce: str | None
    workers: Any = None
    dtype: Any = None


class Plan:
    """The forms of one compiled function; printing it says which runs when, and why."""

    def __init__(self, wanted: Wanted) -> None:
        self._wanted = wanted

    # ------------------------------------------------------------------- tapes

    @property
    def batch(self) -> tuple[str, ...]:
        """The inputs that have samples on an axis of their own."""
        return self._wanted.batch

    @property
    def batched(self) -> bool:
        """Whether samples lie on an axis of their own."""
        return bool(self._wanted.batch)

    @cached_property
    def obstacle(self) -> str:
        """What keeps the formulas from any fast form; empty where nothing does."""
        try:
            _ = self._plain
            return ""
        except UnsupportedError as error:
            return str(error)
        except RecursionError:
            return "expressions nested too deeply"

    @cached_property
    def axis(self) -> Any:
        """The size that counts samples, or None."""
        if self._wanted.batch:
            return SAMPLES
        graph = self._wanted.graph
        leading = [v.sizes[0] for v in graph.inputs if v.sizes and not v.sizes[0].is_Integer]
        others = {s for v in graph.inputs for size in v.sizes[1:] for s in size.free_symbols}
        free = [size for size in leading if size.is_Symbol and size not in others]
        return max(dict.fromkeys(free), key=leading.count) if free else None

    def recorded(self, last: Any = None, spelled: bool = False) -> Tape:
        """Record the formulas.

        Args:
            last: The size that stands last in memory.
            spelled: Whether sigmoid and softplus stay as they are; NumPy has none.
        """
        wanted = self._wanted
        native = NATIVE if spelled else frozenset()
        return recorded(
            wanted.graph, wanted.outputs, wanted.batch, wanted.reduce, last=last, native=native
        )

    @cached_property
    def _plain(self) -> Tape:
        return self.recorded(None)

    @cached_property
    def rows(self) -> Tape:
        """The tape with arrays as they come."""
        return multiplied_out(folded(self._plain))

    @cached_property
    def columns(self) -> Tape | None:
        """The tape with the samples last, where there are some and one pass over them does."""
        if self.axis is None:
            return None
        tape = multiplied_out(folded(self.recorded(self.axis)))
        spread = [name for name, p in tape.inputs.items() if tape.ops[p].shape[1] == self.axis]
        if stages(tape) is None or set(spread) & set(self._wanted.trained):
            return None
        return tape

    def tape(self, form: Form, sizes: Mapping[Any, int], dtype: Any = DOUBLE) -> Tape:
        """Return the tape that a form of arrays runs."""
        if form.kind == COLUMNS:
            assert self.columns is not None
            return self.columns
        return flipped(sunk(self.rows, sizes), sizes, single=dtype != DOUBLE)

    def straight(self, sizes: Mapping[Any, int]) -> Straight:
        """Return the formulas written out entry by entry."""
        tape = self._plain
        if any(op.kind in ("exp", "log1p") for op in tape.ops):
            # There may be a sigmoid or softplus, which NumPy spells and Python has a form for.
            tape = self.recorded(spelled=True)
        return written_out(sunk(tape, sizes), sizes)

    # ------------------------------------------------------------------- choice

    def width(self, sizes: Mapping[Any, int]) -> int:
        """Return the largest number of values that one sample has in a layer."""
        held = [
            [extent(size, sizes) for size in op.shape if size != self.axis]
            for op in self._plain.ops
            if self.axis in op.shape
        ]
        return max((size for each in held for size in each), default=1)

    def operations(self, sizes: Mapping[Any, int]) -> int:
        """Estimate how many operations the formulas take, written out."""
        total = 0
        ops = self._plain.ops
        for op in ops:
            if op.kind == INPUT:
                continue
            rows, columns = (extent(size, sizes) for size in op.shape)
            inner = 1
            if op.kind == "matmul":
                held = ops[op.args[0]].shape
                inner = 2 * extent(held[0 if op.data[0] else 1], sizes)
            elif op.args:
                inner = max(
                    1,
                    max(_entries(ops[a].shape, sizes) for a in op.args) // max(1, rows * columns),
                )
            total += rows * columns * inner
        return total

    def form(self, sizes: Mapping[Any, int], dtype: Any = DOUBLE) -> Form:
        """Choose the form for sizes.

        Args:
            sizes: Numbers for the symbolic sizes, by symbol.
            dtype: The type of numbers.
        """
        if self.obstacle:
            return Form(LINES, f"line for line: there is no faster form for {self.obstacle}")
        if dtype not in FAST:
            return Form(LINES, f"line for line: the numbers are {dtype}")
        count = sizes.get(self.axis, 1) if self.axis is not None else 1
        operations = self.operations(sizes)
        if self._by_sample():
            return Form(LINES, "line for line: a result for every sample")
        arrays = any(value.shape != (1, 1) for value in self._matrices())
        calls = sum(op.kind not in (INPUT, NUMBER) for op in self._plain.ops)
        if count == 1 and operations <= OPERATIONS_OF_A_CALL * calls and not arrays:
            if dtype != DOUBLE:
                kind = ROWS if self.columns is None else COLUMNS
                return Form(kind, "Python's own floats have double precision")
            return Form(
                SCALARS,
                f"about {operations} operations on one sample: {counted(calls, 'call')} of NumPy's "
                f"would take as long as {OPERATIONS_OF_A_CALL * calls}",
            )
        if arrays and not self._wanted.trained:
            return Form(LINES, "line for line: a value alone, which is an array")
        width = 0 if self.axis is None else self.width(sizes)
        if width > NARROW and count <= MOST_ROWS and not self._wanted.batch:
            return Form(ROWS, f"layers of up to {width} values: BLAS decides, arrays as they come")
        if self.axis is None or self.columns is None or arrays:
            return Form(ROWS, "arrays as they come, results written into buffers")
        if width > NARROW:
            return Form(COLUMNS, f"{counted(count, 'sample')}, last and in chunks")
        return Form(
            COLUMNS,
            f"layers of up to {width} values: samples last, in chunks that stay in the cache",
        )

    def _by_sample(self) -> bool:
        """Tell whether a result has one part for every sample."""
        tape = self._plain
        held = (tape.ops[value.node].shape for value in tape.outputs.values())
        return any(shape[1] == SAMPLES for shape in held)

    def _matrices(self) -> list[Any]:
        trained = self._wanted.trained
        return [v for name, v in self._plain.outputs.items() if name not in trained]

    def __str__(self) -> str:
        if self._wanted.workers is None:
            return self._forms()
        from symgrad.backends.splitting import shares_of

        try:
            shares_of(self)
            given = self._wanted.workers
            many = "as many processes as they are worth"
            many = many if given == "auto" else f"{given} processes"
            said = f"data that are bound are spread over {many}"
        except UnsupportedError as error:
            said = f"one process: {error}"
        return f"{self._forms()}\nworkers: {said}"

    def _forms(self) -> str:
        if self.obstacle:
            return self.form({}).reason
        sizes = tuple(dict.fromkeys(self._wanted.graph.sizes))
        dtype = self._wanted.dtype or DOUBLE
        if self.axis is None and not sizes:
            form = self.form({}, dtype)
            return f"{form.kind}: {form.reason}"
        lines = []
        for count, word in ((1, "one sample"), (100, "100 samples"), (10**6, "a million samples")):
            known = dict.fromkeys(sizes, count if len(sizes) == 1 else 10)
            if self.axis is not None:
                known[self.axis] = count
            form = self.form(known, dtype)
            lines.append(f"{word}: {form.kind}: {form.reason}")
        return "\n".join(lines)

    def __repr__(self) -> str:
        return str(self)


def _entries(shape: tuple[Any, Any], sizes: Mapping[Any, int]) -> int:
    rows, columns = (extent(size, sizes) for size in shape)
    return rows * columns
