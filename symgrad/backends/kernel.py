"""Formulas for languages with loops: what is done for every sample, and what after them.

One sample is straight-line code of scalars; the sums over samples are accumulators; what is left
(factors, penalties) is straight-line code of these. Each language prints the three parts.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import sympy as sp

from symgrad.backends.memory import TOTAL, spread, stages
from symgrad.backends.plan import VALUE, Plan
from symgrad.errors import UnsupportedError
from symgrad.tape import INPUT, Op, Tape, Value
from symgrad.tape.evaluation import extent
from symgrad.tape.passes import sunk
from symgrad.tape.reading import trimmed
from symgrad.tape.scalars import Straight, written_out

#: Straight-line code of more operations is left to arrays.
MOST_OPERATIONS = 2500


@dataclass(frozen=True)
class Kernel:
    """Formulas for a loop over samples.

    Attributes:
        shapes: By name: rows and columns of every input, of one sample where it has samples.
        sampled: The inputs that have samples.
        body: What one sample adds, by accumulator, and the results that it has of its own; None
            where there are no samples.
        after: The results by name, from the accumulators, which are inputs named by numbers.
        axis: The symbol of the number of samples, in expressions; None without samples.
        trained: The inputs whose gradients are results, in order.
        each: The results that have a part for every sample; they are outputs of the body.
    """

    shapes: Mapping[str, tuple[int, int]]
    sampled: tuple[str, ...]
    body: Straight | None
    after: Straight
    axis: Any
    trained: tuple[str, ...]
    each: tuple[str, ...] = ()

    @property
    def valued(self) -> bool:
        """Whether the value is among the results."""
        return VALUE in self.after.outputs or VALUE in self.each

    def entries(self, name: str) -> int:
        """Return how many numbers a result has; of one sample, where it has a part for each."""
        held = self.body if name in self.each else self.after
        assert held is not None
        return sum(map(len, held.outputs[name][1]))

    @property
    def accumulators(self) -> list[tuple[str, int, int]]:
        """The keys of the sums over samples."""
        if self.body is None:
            return []
        return [
            (name, i, j)
            for name, (_, table) in self.body.outputs.items()
            if name not in self.each
            for i, row in enumerate(table)
            for j, _ in enumerate(row)
        ]


def kernel_of(plan: Plan, sizes: Mapping[Any, int], trained: tuple[str, ...]) -> Kernel:
    """Take formulas apart into what is done for every sample and what after them.

    Args:
        plan: The plan of the function.
        sizes: Numbers for the symbolic sizes; that of the samples is left open.
        trained: The inputs whose gradients are asked for.

    Raises:
        UnsupportedError: There is no such form: the reason is in the message.
    """
    if plan.obstacle:
        raise UnsupportedError(f"there is no loop over samples for {plan.obstacle}")
    axis = plan.axis
    tape = plan.recorded(axis if not plan.batched else None, spelled=True)
    stage = stages(tape) if axis is not None else None
    if axis is None or not any(spread(op, axis) for op in tape.ops):
        axis = None
    elif stage is None:
        raise UnsupportedError("one pass over the samples does not do: they meet each other")
    one = dict(sizes) if axis is None else {**sizes, axis: 1}
    shapes = {}
    for op in tape.ops:
        if op.kind == INPUT:
            rows, columns = (extent(size, one) for size in op.shape)
            shapes[op.data[0]] = (columns, rows) if op.data[1] else (rows, columns)
    if axis is None or stage is None:
        after = written_out(sunk(tape, one), one)
        return _small(Kernel(shapes, (), None, after, None, trained))
    sampled = tuple(op.data[0] for op in tape.ops if op.kind == INPUT and spread(op, axis))
    totals = [place for place, found in enumerate(stage) if found == TOTAL]
    # No input has a name that begins so.
    outputs = {f" {p}": Value(sp.S.One, p, False, tape.ops[p].shape) for p in totals}
    each = {n: v for n, v in tape.outputs.items() if spread(tape.ops[v.node], axis)}
    rest = {n: v for n, v in tape.outputs.items() if n not in each}
    inner = trimmed(replace(tape, outputs={**outputs, **each}))
    symbols = frozenset((axis,))
    body = written_out(inner, one, symbols)
    ops = tuple(
        Op(INPUT, (), op.shape, (f" {place}", False)) if place in totals else op
        for place, op in enumerate(tape.ops)
    )
    after = written_out(trimmed(Tape(ops, rest, None)), one, symbols)
    return _small(Kernel(shapes, sampled, body, after, axis, trained, tuple(each)))


def _small(kernel: Kernel) -> Kernel:
    count = (kernel.body.count if kernel.body else 0) + kernel.after.count
    if count > MOST_OPERATIONS:
        raise UnsupportedError(
            f"{count} operations for every sample; straight-line code is for up to "
            f"{MOST_OPERATIONS}, above it NumPy's matrix products are as good"
        )
    return kernel
