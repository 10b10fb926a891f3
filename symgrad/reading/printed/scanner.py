r"""The characters of a printed formula, gone over from left to right."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

from symgrad.errors import ParseError
from symgrad.reading.printed.parts import Part, located

T = TypeVar("T")
#: How deep brackets, fractions and exponents may be nested.
DEEPEST = 60
_ROOM = re.compile(r"(?:\s|\\,|\\cdot(?![A-Za-z])|\{\})*")
_BRACKET = re.compile(
    r"\\left(?![A-Za-z])|\\right(?![A-Za-z])|\\begin\{|\\end\{|\\.|[{}]", re.DOTALL
)
_CLOSING = {r"\right": r"\left", r"\end{": r"\begin{", "}": "{"}


def ends_of(text: str) -> dict[int, int]:
    r"""Return where what begins with a brace, a \left or a \begin ends, by where it begins.

    Raises:
        ParseError: They do not match, or are nested too deeply.

    >>> ends_of(r"\left({a}\right)")
    {6: 8, 0: 9}
    """
    ends: dict[int, int] = {}
    opened: list[tuple[str, int]] = []
    for found in _BRACKET.finditer(text):
        sign, at = found.group(), found.start()
        # The name of an environment stands in braces of its own, which are read with it.
        kind = _CLOSING.get(sign)
        if sign in _CLOSING.values():
            opened.append((sign, at))
            if len(opened) > 4 * DEEPEST:
                raise located(text, at, "this is nested too deeply")
            if sign == r"\begin{":
                opened.append(("{", at + len(r"\begin")))
        elif kind is not None:
            if not opened or opened[-1][0] != kind:
                raise located(text, at, "nothing is open that this would close")
            ends[opened.pop()[1]] = at
            if sign == r"\end{":
                opened.append(("{", at + len(r"\end")))
    if opened:
        raise located(text, opened[-1][1], "this is not closed")
    return ends


class Scanner:
    """A text, and how far it is read."""

    def __init__(self, text: str) -> None:
        self.text, self.at, self.end = text, 0, len(text)
        self.ends = ends_of(text)
        self.depth = 0

    def error(self, message: str, start: int | None = None) -> ParseError:
        """Return an error with its place."""
        return located(self.text, self.at if start is None else start, message)

    def part(self, kind: str, *below: Part, value: Any = None, start: int) -> Part:
        """Return a part that began somewhere."""
        return Part(kind, below, value, start)

    def skip(self) -> None:
        """Go over blanks, and over what only makes room."""
        found = _ROOM.match(self.text, self.at, self.end)
        self.at = found.end() if found else self.at

    def next_is(self, text: str) -> bool:
        """Tell whether a text comes next, with no room before it; a command as a whole."""
        after = self.at + len(text)
        if after > self.end or not self.text.startswith(text, self.at):
            return False
        command = text[-1:].isalpha() and "\\" in text
        return not (command and after < self.end and self.text[after].isalpha())

    def has(self, *texts: str) -> str:
        """Go over one of these texts if it comes next."""
        self.skip()
        for text in texts:
            if self.next_is(text):
                self.at += len(text)
                return text
        return ""

    def expect(self, text: str) -> None:
        """Go over a text that has to come next."""
        if not self.has(text):
            raise self.error(f"expected `{text}`")

    def sees(self, *texts: str) -> bool:
        """Tell whether one of these texts comes next."""
        place = self.at
        found = bool(self.has(*texts))
        self.at = place
        return found

    def find(self, pattern: re.Pattern[str]) -> str:
        """Go over what a pattern finds here."""
        found = pattern.match(self.text, self.at, self.end)
        if found is None:
            return ""
        self.at = found.end()
        return found.group()

    def inside(self, end: int, read: Callable[[], T]) -> T:
        """Read what stands before a place, all of it, and stop there."""
        outer, self.end = self.end, end
        found = read()
        self.skip()
        if self.at != end:
            raise self.error("this is not read")
        self.end = outer
        return found

    @contextmanager
    def deeper(self) -> Iterator[None]:
        """Count a level of nesting."""
        self.depth += 1
        if self.depth > DEEPEST:
            raise self.error(f"more than {DEEPEST} levels of nesting are not read")
        yield
        self.depth -= 1
