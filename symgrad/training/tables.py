"""Tables: the columns of a CSV file by name, as arrays of numbers.

Everything that is wrong with a file is said here, with the file, the line and the column where it
is wrong. Nothing is guessed: a cell is a number as one writes it, a name stands for one column.
"""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from symgrad import errors
from symgrad.errors import counted


@dataclass(frozen=True)
class Table:
    """A file with a header line, read but not yet understood as numbers.

    Attributes:
        source: What the file is called in messages.
        names: The names of the columns, in order.
        rows: Below the header: the number of the line, and its cells.
    """

    source: str
    names: tuple[str, ...]
    rows: tuple[tuple[int, tuple[str, ...]], ...]

    def array(self, names: Sequence[str]) -> NDArray[np.float64]:
        """Return columns as numbers: shape (n,) for one name, else (n, columns).

        Raises:
            DataError: There are no rows, or a cell is not a finite number.
        """
        if not self.rows:
            raise errors.DataError(f"{self.source} has no samples below its header line")
        places = [self.names.index(name) for name in names]
        table = np.array(
            [[self._number(line, cells, place) for place in places] for line, cells in self.rows]
        )
        return table[:, 0] if len(places) == 1 else table

    def _number(self, line: int, cells: Sequence[str], place: int) -> float:
        cell = cells[place].strip()
        where = f"{self.source}, line {line}, column {self.names[place]}"
        if not cell:
            raise errors.DataError(f"{where}: the cell is empty; give a number, or drop the line")
        # float also takes 1_0 for 10, and the digits of other scripts: no way to write data.
        plain = cell.isascii() and "_" not in cell
        try:
            value = float(cell if plain else "")
        except ValueError:
            raise errors.DataError(f"{where}: {cell[:40]!r} is not a number") from None
        if not math.isfinite(value):
            raise errors.DataError(f"{where}: {cell[:40]!r} is not a finite number")
        return value

    def named(self, names: str) -> list[str]:
        """Split a list such as `a,b` into the names of columns.

        Raises:
            OptionError: There is no such column, or it is named twice.
        """
        found = [name.strip() for name in names.split(",")]
        for k, name in enumerate(found):
            if name not in self.names:
                raise errors.unknown("column", name, self.names)
            if name in found[:k]:
                raise errors.OptionError(f"column `{name}` is twice in {names!r}; name it once")
        return found


def read(path: str | Path) -> Table:
    """Read a CSV file with a header.

    Raises:
        DataError: The file cannot be read, or is not a table with a name for every column.
    """
    try:
        text = Path(path).read_text(encoding="utf-8-sig")
    except (OSError, ValueError) as error:
        why = getattr(error, "strerror", None) or error
        raise errors.DataError(f"cannot read {path}: {why}") from None
    return parsed(io.StringIO(text), str(path))


def parsed(lines: Iterable[str], source: str) -> Table:
    """Return the table in the lines of a CSV file.

    Raises:
        DataError: There is no header, two columns have one name, or lines differ in length.

    >>> parsed(["age,height", "21,1.7"], "people.csv").array(["height"])
    array([1.7])
    """
    reader = csv.reader(lines, skipinitialspace=True)
    try:
        rows = [(reader.line_num, tuple(cells)) for cells in reader if cells]
    except csv.Error as error:
        raise errors.DataError(f"{source}, line {reader.line_num}: {error}") from None
    if not rows:
        raise errors.DataError(f"{source} is empty; it needs a header line with names")
    names = tuple(name.strip() for name in rows[0][1])
    _check_header(names, source)
    for line, cells in rows[1:]:
        if len(cells) != len(names):
            raise errors.DataError(
                f"{source}, line {line} has {counted(len(cells), 'cell')}, but the header has "
                f"{counted(len(names), 'column')}: {errors.listed(names)}"
            )
    return Table(source, names, tuple(rows[1:]))


def _check_header(names: Sequence[str], source: str) -> None:
    for k, name in enumerate(names):
        if name in names[:k]:
            which = f"{source}: columns {names.index(name) + 1} and {k + 1}"
            said = f"are both named `{name}`; rename one" if name else "have no name; name them"
            raise errors.DataError(f"{which} {said}")
    for mark in (";", "\t"):
        if len(names) == 1 and mark in names[0]:
            raise errors.DataError(
                f"{source} is separated by {mark!r}, but columns are read between commas; "
                "save it with commas"
            )


def choose(table: Table, target: str, inputs: str | None = None) -> tuple[list[str], list[str]]:
    """Return the names of the input columns and of the target columns.

    Args:
        table: The table.
        target: Names with commas between them.
        inputs: The same; None is all columns that are not targets.

    Raises:
        OptionError: A column is not there, is named twice, is both, or none is left for inputs.
        DataError: All other columns are wanted, and one of them has no name.
    """
    targets = table.named(target)
    if inputs:
        chosen = table.named(inputs)
        both = [name for name in chosen if name in targets]
        if both:
            raise errors.OptionError(
                f"column `{both[0]}` is both an input and a target; take it out of one of the two"
            )
        return chosen, targets
    others = [name for name in table.names if name not in targets]
    if not others:
        raise errors.OptionError(
            f"every column of {table.source} is a target, none is left for the inputs; its "
            f"columns are {errors.listed(table.names)}"
        )
    if "" in others:
        raise errors.DataError(
            f"{table.source}: column {table.names.index('') + 1} has no name; give it one, or "
            f"say which columns are the inputs: {errors.listed(filter(None, others))}"
        )
    return others, targets
