"""The functions of formulas as text, by NumPy's names; each with an example that the tests run."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import sympy as sp

from symgrad.errors import OptionError, ShapeError, listed
from symgrad.reading.text.values import (
    Test,
    Value,
    number,
)

#: Entries that are written out one by one: a literal array, a shape.
MOST_ENTRIES = 10_000


@dataclass
class Call:
    """The arguments of one call.

    Attributes:
        word: The function's name, for messages.
        given: Arguments by position: a `Value`, a `Test`, a tuple of these, a str, a bool or None.
        named: Arguments by keyword.
    """

    word: str
    given: list[Any]
    named: dict[str, Any] = field(default_factory=dict)

    def bound(self, *names: str, required: int) -> dict[str, Any]:
        """Return the arguments by the names of the parameters.

        Raises:
            OptionError: Too many, too few, or an unknown keyword.
        """
        shown = f"`{self.word}` takes {listed(names)}"
        if len(self.given) > len(names):
            raise OptionError(f"{shown}; {len(self.given)} arguments are given")
        found = dict(zip(names, self.given, strict=False))
        for key, value in self.named.items():
            if key not in names:
                raise OptionError(f"{shown}; it has no `{key}`")
            if key in found:
                raise OptionError(f"`{self.word}` is given `{key}` twice")
            found[key] = value
        missing = [name for name in names[:required] if name not in found]
        if missing:
            raise OptionError(f"{shown}; {listed(missing)} is missing")
        return found


def as_value(given: Any, word: str) -> Value:
    """Return an argument as a value: a condition counts as 1 or 0, a list is an array.

    Raises:
        OptionError: It is no value.
    """
    if isinstance(given, Value):
        return given
    if isinstance(given, Test):
        return given.as_value()
    if isinstance(given, bool):
        return number(int(given))
    if isinstance(given, tuple):
        return array_of(given)
    raise OptionError(f"`{word}` takes numbers and arrays, not {given!r}")


def array_of(parts: Sequence[Any]) -> Value:
    """Return the array that a list of numbers, or of lists of numbers, writes out.

    Raises:
        ShapeError: Rows of several lengths, or entries that are arrays.
    """
    values = [as_value(part, "array") for part in parts]
    if not values:
        raise ShapeError("an array has at least one entry")
    shapes = {value.shape for value in values}
    if len(shapes) != 1:
        raise ShapeError("the entries of an array have different shapes")
    shape = shapes.pop()
    if not shape:
        return Value(sp.ImmutableMatrix([value.node for value in values]), 1)
    if len(shape) == 1 and all(isinstance(value.node, sp.MatrixBase) for value in values):
        return Value(sp.ImmutableMatrix([list(value.node) for value in values]), 2)
    raise ShapeError("an array is written out with at most two axes, and scalar entries")


#: Builds a value from the arguments of a call.
Build = Callable[[Call], Value]


@dataclass(frozen=True)
class Word:
    """One function of the language.

    Attributes:
        name: Its name.
        build: Makes a value of a call.
        example: A text in `X` (3, 4), `A` and `S` (3, 3), `x` and `y` (3,), `t` () that uses it.
    """

    name: str
    build: Build
    example: str


#: Every function by its name.
WORDS: dict[str, Word] = {}


def word(*names: str, example: str) -> Callable[[Build], Build]:
    """Register a function under its names (a decorator); `{}` in the example is the name."""

    def register(build: Build) -> Build:
        for name in names:
            WORDS[name] = Word(name, build, example.replace("{}", name))
        return build

    return register


def as_test(given: Any, word: str) -> Test:
    """Return an argument as a condition; a number holds where it is not zero."""
    if isinstance(given, Test):
        return given
    if isinstance(given, bool):
        return Test((), lambda: sp.true if given else sp.false)
    return Test((as_value(given, word),), lambda entry: sp.Ne(entry, 0))


def said(given: Any) -> str:
    """Word an argument for a message."""
    return str(given.node) if isinstance(given, Value) else repr(given)


def truth(given: Any, word: str) -> bool:
    """Return a flag.

    Raises:
        OptionError: Neither True nor False.
    """
    if isinstance(given, bool):
        return given
    raise OptionError(f"`{word}` takes True or False, not {said(given)}")
