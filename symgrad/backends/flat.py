"""One flat vector of parameters, and one of gradients: where each of them lies."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from symgrad.backends.affine import Block
from symgrad.backends.memory import TOTAL, shown
from symgrad.tape import MATMUL, SUM, Tape
from symgrad.tape.evaluation import extent


@dataclass(frozen=True)
class Entry:
    """Where one parameter, or its gradient, is in the flat vector.

    Attributes:
        name: Its name.
        start: The first place.
        held: Rows and columns as they lie in memory.
        turned: Whether that is the transpose.
    """

    name: str
    start: int
    held: tuple[int, int]
    turned: bool

    @property
    def count(self) -> int:
        """The number of entries."""
        return self.held[0] * self.held[1]

    def part(self, flat: Any) -> Any:
        """Return the view of a flat vector as it lies there."""
        return flat[self.start : self.start + self.count].reshape(self.held)

    def view(self, flat: Any) -> Any:
        """Return the parameter as a matrix, a view of a flat vector."""
        return self.part(flat).T if self.turned else self.part(flat)


def laid_out(
    tape: Tape, trained: Sequence[str], blocks: Sequence[Block], sizes: Mapping[Any, int]
) -> dict[str, Entry]:
    """Place the parameters one after the other, a layer's bias after its weight."""
    partner = {b.weight: b for b in blocks} | {b.bias: b for b in blocks}
    entries: dict[str, Entry] = {}
    start = 0
    for first in trained:
        block = partner.get(first)
        if block is None:
            output = tape.outputs.get(first)
            members = [(first, output.turned if output else False)]
        else:
            members = [(block.weight, block.turned), (block.bias, True)]
        for name, turned in members:
            if name in entries:
                continue
            rows, columns = (extent(size, sizes) for size in tape.ops[tape.inputs[name]].shape)
            held = (columns, rows) if turned else (rows, columns)
            entries[name] = Entry(name, start, held, turned)
            start += rows * columns
    return entries


@dataclass(frozen=True)
class Slots:
    """Places in the flat vector of sums: gradients first, then what else is summed.

    Attributes:
        places: By the place in the tape: the first place in the vector, rows and columns.
        size: The length of the vector.
    """

    places: Mapping[int, tuple[int, tuple[int, int]]]
    size: int


def slots_of(
    tape: Tape, entries: Mapping[str, Entry], stage: Sequence[str], sizes: Mapping[Any, int]
) -> Slots:
    """Give every sum over samples a place; gradients that are one, the place of their entry."""
    places: dict[int, tuple[int, tuple[int, int]]] = {}
    alone = written_alone(tape)
    chunked = TOTAL in stage
    asked = Counter(shown(tape, value.node) for value in tape.outputs.values())

    def held_at(place: int) -> tuple[int, int]:
        rows, columns = (extent(size, sizes) for size in tape.ops[place].shape)
        return rows, columns

    for name, entry in entries.items():
        value = tape.outputs.get(name)
        # An entry is multiplied by its factor in place: nobody else may have asked for the sum.
        if value is None or asked[value.node] > 1:
            continue
        # One row lies as one column does.
        if value.turned != entry.turned and 1 not in entry.held:
            continue
        if stage[value.node] == TOTAL or (not chunked and value.node in alone):
            places[value.node] = (entry.start, held_at(value.node))
    start = sum(entry.count for entry in entries.values())
    for place in range(len(tape.ops)):
        if stage[place] == TOTAL and place not in places:
            places[place] = (start, held_at(place))
            start += places[place][1][0] * places[place][1][1]
    return Slots(places, start)


def written_alone(tape: Tape) -> set[int]:
    """Return the results that their operation can write where they belong, without a copy."""
    read = {arg for op in tape.ops for arg in op.args}
    nodes = Counter(value.node for value in tape.outputs.values())
    return {
        node
        for node, count in nodes.items()
        if count == 1 and node not in read and tape.ops[node].kind in (MATMUL, SUM)
    }
