"""Tapes written out entry by entry, for sizes that are numbers: straight-line code of scalars.

Equal parts become one, and products with 0 and 1 vanish, so that what is left is what a person
would write for one sample of a small network.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

import sympy as sp

from symgrad.errors import UnsupportedError
from symgrad.tape import (
    BROADCAST,
    INNER,
    INPUT,
    LARGEST,
    MATMUL,
    NUMBER,
    SLICE,
    SUM,
    TRANSPOSE,
    Op,
    Tape,
)
from symgrad.tape.evaluation import extent, number_at

#: A factor that is given when the code runs: the learning rate of a loop.
RATE = sp.Dummy("rate", dummy_index=21, positive=True)
#: The name of inputs that are expressions of such symbols, to be computed before the rest.
EXPRESSION = " "

#: More operations than this are refused.
MOST_SCALARS = 400_000


class Scalar(NamedTuple):
    """One operation on scalars.

    Attributes:
        kind: `"input"`, `"number"`, or an entrywise operation of a tape.
        args: The places of what it works on.
        data: The name, row and column of an input's entry; the value of a number.
    """

    kind: str
    args: tuple[int, ...] = ()
    data: Any = None


@dataclass(frozen=True)
class Straight:
    """Straight-line code of scalars.

    Attributes:
        ops: The operations, each after those that it works on.
        outputs: By name: the factor, and the places of the entries, row by row.
        shapes: By name: rows and columns of the inputs.
    """

    ops: tuple[Scalar, ...]
    outputs: Mapping[str, tuple[float, tuple[tuple[int, ...], ...]]]
    shapes: Mapping[str, tuple[int, int]]

    @property
    def count(self) -> int:
        """The number of operations."""
        return sum(op.kind not in ("input", "number") for op in self.ops)


Table = list[list[int]]


class _Writer:
    """Writes operations out; every place of the tape becomes a table of scalars."""

    def __init__(self, sizes: Mapping[Any, int], symbolic: frozenset[Any]) -> None:
        self.sizes, self.symbolic = sizes, symbolic
        self.ops: list[Scalar] = []
        self._known: dict[Scalar, int] = {}
        self.zero, self.one = self.number(0.0), self.number(1.0)

    def op(self, kind: str, args: tuple[int, ...] = (), data: Any = None) -> int:
        """Record a scalar operation, unless it is there."""
        made = Scalar(kind, args, data)
        found = self._known.get(made)
        if found is None:
            found = self._known[made] = len(self.ops)
            self.ops.append(made)
            if found > MOST_SCALARS:
                raise UnsupportedError(
                    f"written out entry by entry, the formula has more than {MOST_SCALARS} "
                    "operations; compile it for arrays instead"
                )
        return found

    def number(self, value: float) -> int:
        """Record a number."""
        return self.op("number", (), value)

    def factor(self, number: Any) -> int:
        """Record a number, or an expression of what is known when the code runs."""
        if number.free_symbols & self.symbolic:
            known = {s: sp.Integer(n) for s, n in self.sizes.items() if s not in self.symbolic}
            return self.op("input", (), (EXPRESSION, number.xreplace(known), 0))
        return self.number(number_at(number, self.sizes))

    def add(self, left: int, right: int) -> int:
        """Record a sum."""
        if left == self.zero:
            return right
        return left if right == self.zero else self.op("add", (left, right))

    def multiply(self, left: int, right: int) -> int:
        """Record a product."""
        if self.zero in (left, right):
            return self.zero
        if left == self.one:
            return right
        return left if right == self.one else self.op("multiply", (left, right))

    def total(self, parts: list[int]) -> int:
        """Record a sum of several."""
        result = self.zero
        for part in parts:
            result = self.add(result, part)
        return result

    def product(self, row: list[int], column: list[int]) -> int:
        """Record a row times a column."""
        result, op = self.zero, self.op
        plain = self.zero, self.one
        for left, right in zip(row, column, strict=True):
            if left in plain or right in plain:
                result = self.add(result, self.multiply(left, right))
            else:
                term = op("multiply", (left, right))
                result = term if result == plain[0] else op("add", (result, term))
        return result

    def written(self, op: Op, args: list[Table]) -> Table:
        """Write one operation of the tape out."""
        write = _WRITERS.get(op.kind)
        if write is not None:
            return write(self, op, args)
        rows, columns = (extent(size, self.sizes) for size in op.shape)
        apply = {"add": self.add, "multiply": self.multiply}.get(op.kind)
        picked = [_picker(arg) for arg in args]
        if apply is not None:
            first, second = picked
            return [[apply(first(i, j), second(i, j)) for j in range(columns)] for i in range(rows)]
        kind, make = op.kind, self.op
        return [
            [make(kind, tuple(pick(i, j) for pick in picked)) for j in range(columns)]
            for i in range(rows)
        ]


def _picker(table: Table) -> Callable[[int, int], int]:
    """Return how entries are picked of a table that is repeated where it has one row or column."""
    by_row, by_column = len(table) > 1, len(table[0]) > 1
    return lambda i, j: table[i if by_row else 0][j if by_column else 0]


def _input(writer: _Writer, op: Op, args: list[Table]) -> Table:
    rows, columns = (extent(size, writer.sizes) for size in op.shape)
    name, turned = op.data
    return [
        [writer.op("input", (), (name, j, i) if turned else (name, i, j)) for j in range(columns)]
        for i in range(rows)
    ]


def _matmul(writer: _Writer, op: Op, args: list[Table]) -> Table:
    left = _turned(args[0]) if op.data[0] else args[0]
    right = args[1] if op.data[1] else _turned(args[1])
    return [[writer.product(row, column) for column in right] for row in left]


def _turned(table: Table) -> Table:
    return [list(column) for column in zip(*table, strict=True)]


def _broadcast(writer: _Writer, op: Op, args: list[Table]) -> Table:
    rows, columns = (extent(size, writer.sizes) for size in op.shape)
    pick = _picker(args[0])
    return [[pick(i, j) for j in range(columns)] for i in range(rows)]


def _sum(writer: _Writer, op: Op, args: list[Table]) -> Table:
    (table,) = args
    if op.data is None:
        return [[writer.total([entry for row in table for entry in row])]]
    if op.data == 0:
        return [[writer.total(column) for column in _turned(table)]]
    return [[writer.total(row)] for row in table]


def _largest(writer: _Writer, op: Op, args: list[Table]) -> Table:
    table = _turned(args[0]) if op.data == 0 else args[0]
    found = []
    for row in table:
        result = row[0]
        for entry in row[1:]:
            result = writer.op("maximum", (result, entry))
        found.append(result)
    return [found] if op.data == 0 else [[entry] for entry in found]


def _inner(writer: _Writer, op: Op, args: list[Table]) -> Table:
    first, second = ([entry for row in table for entry in row] for table in args)
    terms = [
        writer.op("square", (a,)) if a == b else writer.multiply(a, b)
        for a, b in zip(first, second, strict=True)
    ]
    return [[writer.total(terms)]]


def _slice(writer: _Writer, op: Op, args: list[Table]) -> Table:
    row, column = op.data
    part = args[0][row]
    return [list(part) if column is None else [part[column]]]


_WRITERS: dict[str, Callable[[_Writer, Op, list[Table]], Table]] = {
    INPUT: _input,
    NUMBER: lambda writer, op, args: [[writer.factor(op.data)]],
    MATMUL: _matmul,
    TRANSPOSE: lambda writer, op, args: _turned(args[0]),
    BROADCAST: _broadcast,
    SUM: _sum,
    LARGEST: _largest,
    INNER: _inner,
    SLICE: _slice,
}


def written_out(
    tape: Tape, sizes: Mapping[Any, int], symbolic: frozenset[Any] = frozenset()
) -> Straight:
    """Write a tape out entry by entry.

    Args:
        tape: The tape.
        sizes: Numbers for its symbolic sizes, in shapes.
        symbolic: What stays a symbol in factors: a rate, the number of samples.

    Raises:
        UnsupportedError: There would be too many operations.
    """
    writer = _Writer(sizes, symbolic)
    tables: list[Table] = []
    shapes: dict[str, tuple[int, int]] = {}
    for op in tape.ops:
        table = writer.written(op, [tables[arg] for arg in op.args])
        tables.append(table)
        if op.kind == INPUT:
            rows, columns = len(table), len(table[0])
            shapes[op.data[0]] = (columns, rows) if op.data[1] else (rows, columns)
    outputs = {}
    for name, value in tape.outputs.items():
        table = _turned(tables[value.node]) if value.turned else tables[value.node]
        if value.factor.free_symbols & symbolic:
            given = writer.factor(value.factor)
            table = [[writer.multiply(given, entry) for entry in row] for row in table]
            outputs[name] = 1.0, tuple(tuple(row) for row in table)
        else:
            outputs[name] = number_at(value.factor, sizes), tuple(tuple(row) for row in table)
    return _needed(tuple(writer.ops), outputs, shapes)


def _needed(ops: tuple[Scalar, ...], outputs: Any, shapes: Any) -> Straight:
    """Drop what no output needs."""
    wanted = {entry for _, table in outputs.values() for row in table for entry in row}
    for place in range(len(ops) - 1, -1, -1):
        if place in wanted:
            wanted.update(ops[place].args)
    place_of = {old: new for new, old in enumerate(sorted(wanted))}
    kept = tuple(
        op._replace(args=tuple(place_of[arg] for arg in op.args))
        for place, op in enumerate(ops)
        if place in wanted
    )
    renamed = {
        name: (factor, tuple(tuple(place_of[entry] for entry in row) for row in table))
        for name, (factor, table) in outputs.items()
    }
    return Straight(kept, renamed, shapes)
