"""What a printed formula is made of: a tree of parts, in which nothing is computed yet."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

from symgrad.errors import ParseError


@dataclass(frozen=True, eq=False)
class Part:
    """A part of a formula: its kind, the parts below, a value, and where it begins."""

    kind: str
    below: tuple[Part, ...] = ()
    value: Any = None
    start: int | None = None


class Range(NamedTuple):
    """The symbol that the letter of a sum stands for, and its first and last value."""

    symbol: Any
    low: Any
    high: Any


class Grid(NamedTuple):
    """The symbols of a matrix given entry by entry, where they begin, and where a column ends."""

    symbols: tuple[Any, ...]
    starts: tuple[Any, ...]
    last: Any = None


class Places(NamedTuple):
    """What stands in a subscript: one index for a column, two for a matrix; None if not read so."""

    single: tuple[Any, ...] | None
    double: tuple[Any, ...] | None


#: All rows, or all columns.
ALL = ":"


class Span(NamedTuple):
    """Places first, second, ..., last, counted from 1; without a second, one after the other."""

    first: Any
    last: Any
    second: Any = None


def located(text: str, start: int, message: str) -> ParseError:
    """Return an error that shows its place in a formula.

    >>> print(located("a + ?", 4, "this is not read"))
    this is not read, at '?' in 'a + ?'
    """
    shown = text if len(text) <= 400 else f"{text[:397]}..."
    return ParseError(f"{message}, at {text[start : start + 40]!r} in {shown!r}", start)
