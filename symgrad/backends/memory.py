"""Where the values of a tape live: stages of a pass over samples, buffers reused when free."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from symgrad.tape import (
    BROADCAST,
    INNER,
    INPUT,
    LARGEST,
    LOGICAL,
    MATMUL,
    NUMBER,
    SLICE,
    SUM,
    TRANSPOSE,
    Op,
    Tape,
)

#: What a place of a tape is: given, once before the samples, for every chunk of samples, a sum
#: over the samples, once after them.
GIVEN, BEFORE, BODY, TOTAL, AFTER = "given", "before", "body", "total", "after"
VIEWS = (TRANSPOSE, SLICE)
_TURNS = {GIVEN: 0, BEFORE: 0, BODY: 1, TOTAL: 1, AFTER: 2}


def spread(op: Op, axis: Any) -> bool:
    """Tell whether an operation's result has one column for every sample."""
    return axis is not None and op.shape[1] == axis


def shown(tape: Tape, place: int) -> int:
    """Return what a view, or a view of one, shows; other places are themselves."""
    while tape.ops[place].kind in VIEWS:
        place = tape.ops[place].args[0]
    return place


def stages(tape: Tape) -> list[str] | None:
    """Tell when every operation runs in one pass over chunks of samples.

    Returns:
        The stage of every place; None where no single pass does: a value of one sample needs a
        sum over all of them, or the samples stand on both axes.
    """
    found: list[str] = []
    for op in tape.ops:
        below = {found[arg] for arg in op.args}
        if tape.axis in (op.shape[0],):
            return None
        if spread(op, tape.axis):
            if below & {TOTAL, AFTER}:
                return None
            found.append(GIVEN if op.kind == INPUT else BODY)
        elif op.kind in (INPUT, NUMBER):
            found.append(GIVEN)
        elif any(spread(tape.ops[arg], tape.axis) for arg in op.args):
            if op.kind not in (MATMUL, SUM, INNER) or below & {TOTAL, AFTER}:
                return None
            found.append(TOTAL)
        else:
            found.append(AFTER if below & {TOTAL, AFTER} else BEFORE)
    return found


def last_uses(tape: Tape, stage: Sequence[str]) -> dict[int, int]:
    """Return for every place the last one that reads it; what is asked for is read at the end.

    So is what one stage leaves to another: it is there for every chunk of samples.
    """
    found: dict[int, int] = {}
    for place, op in enumerate(tape.ops):
        for arg in op.args:
            crossing = stage[arg] == BEFORE and stage[place] != BEFORE
            found[arg] = len(tape.ops) if crossing else max(place, found.get(arg, 0))
    for place in range(len(tape.ops) - 1, -1, -1):
        # A view lives in what it is a view of.
        if tape.ops[place].kind in VIEWS and place in found:
            source = tape.ops[place].args[0]
            found[source] = max(found[source], found[place])
    end = len(tape.ops)
    for value in tape.outputs.values():
        found[value.node] = found[shown(tape, value.node)] = end
    return found


@dataclass(frozen=True)
class Buffer:
    """One array of a workspace.

    Attributes:
        number: Its place among the buffers.
        shape: Rows and columns; the samples' axis as the tape has it.
        logical: Whether it holds truth values.
    """

    number: int
    shape: tuple[Any, Any]
    logical: bool = False


@dataclass
class Pool:
    """Hands out buffers, those that are free first."""

    buffers: list[Buffer] = field(default_factory=list)
    free: dict[tuple[Any, bool], list[Buffer]] = field(default_factory=dict)

    def take(self, shape: tuple[Any, Any], logical: bool) -> Buffer:
        """Return a buffer of a shape."""
        waiting = self.free.get((shape, logical))
        if waiting:
            return waiting.pop()
        self.buffers.append(Buffer(len(self.buffers), shape, logical))
        return self.buffers[-1]

    def give(self, buffer: Buffer) -> None:
        """Take a buffer back."""
        self.free.setdefault((buffer.shape, buffer.logical), []).append(buffer)


def assigned(
    tape: Tape, stage: Sequence[str], fixed: Mapping[int, Any], hints: Mapping[int, int]
) -> tuple[dict[int, Buffer], list[Buffer]]:
    """Give every computed place a buffer, reusing those of values that nobody reads any more.

    Args:
        tape: The tape.
        stage: When each operation runs.
        fixed: Places that have their memory already: inputs, totals, results.
        hints: Places whose value may be written where another, of `fixed`, will be.

    Returns:
        The buffer of every place, and all buffers.
    """
    last = last_uses(tape, stage)
    pool = Pool()
    held: dict[int, Buffer] = {}
    # In the order in which they run: what is computed once before the samples may stand late.
    for place in sorted(range(len(tape.ops)), key=lambda p: (_TURNS[stage[p]], p)):
        op = tape.ops[place]
        if place in fixed or place in hints or op.kind in (*VIEWS, NUMBER, INPUT):
            continue
        logical = op.kind in LOGICAL
        dying = [arg for arg in dict.fromkeys(op.args) if arg in held and last[arg] == place]
        same = [
            arg
            for arg in dying
            if held[arg].shape == op.shape and held[arg].logical == logical and _in_place(op, arg)
        ]
        if same:
            held[place] = held[same[0]]
            dying.remove(same[0])
        else:
            held[place] = pool.take(op.shape, logical)
        _release(tape, place, dying, held, last, pool)
    return held, pool.buffers


def _release(
    tape: Tape,
    place: int,
    dying: list[int],
    held: Mapping[int, Buffer],
    last: Mapping[int, int],
    pool: Pool,
) -> None:
    """Free the buffers of what was read for the last time."""
    ending = dict.fromkeys(dying)
    for arg in tape.ops[place].args:
        # The end of a view may be the end of what it shows.
        while tape.ops[arg].kind in VIEWS:
            arg = tape.ops[arg].args[0]
            if arg in held and last[arg] == place and held[arg] is not held[place]:
                ending[arg] = None
    for arg in ending:
        pool.give(held[arg])


def _in_place(op: Op, arg: int) -> bool:
    """Tell whether a result may be written over an argument."""
    if op.kind in (MATMUL, SUM, LARGEST, INNER, BROADCAST):
        return False
    if op.kind == "where":
        # The result takes the third argument first; the other two are read after that.
        return arg == op.args[2] and arg not in op.args[:2]
    return op.kind not in ("erf", "erfc", "step")
