"""The lines of a derivation, and what became of them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise

from symgrad.formats.blocks import Equation
from symgrad.formats.text import plain

#: What a line can be.
PROVED, AGREES, REFUTED, UNREAD = "proved", "agrees", "refuted", "unread"


@dataclass(frozen=True)
class Line:
    """One equality of a derivation.

    Attributes:
        left: What stands to the left of the sign, as LaTeX; or what is wrong with the steps.
        right: What stands to its right; empty for what is said of steps.
        status: `"proved"`, `"agrees"` (at points, not proved), `"refuted"` or `"unread"`.
        reason: Why it was not read, or how it was decided.
    """

    left: str
    right: str
    status: str
    reason: str = ""

    def words(self) -> str:
        r"""Return the line as plain text; what is said of steps is a sentence already.

        >>> Line(r"\delta", "2 x", "proved").words()
        'δ = 2 x'
        """
        return f"{plain(self.left)} = {plain(self.right)}" if self.right else self.left


@dataclass(frozen=True)
class Proof:
    """What became of the lines of a derivation; true if all of them hold.

    Attributes:
        lines: In the order in which they are printed.
    """

    lines: tuple[Line, ...]

    def __bool__(self) -> bool:
        return all(line.status in (PROVED, AGREES) for line in self.lines)

    def __iter__(self) -> Iterator[Line]:
        return iter(self.lines)

    def __len__(self) -> int:
        return len(self.lines)

    @property
    def failing(self) -> tuple[Line, ...]:
        """The lines that are wrong."""
        return tuple(line for line in self.lines if line.status == REFUTED)

    def __repr__(self) -> str:
        counts = {s: sum(line.status == s for line in self.lines) for s in _STATES}
        said = ", ".join(f"{count} {status}" for status, count in counts.items() if count)
        return f"Proof({len(self.lines)} lines: {said or 'nothing'})"

    def _repr_markdown_(self) -> str:
        rows = [
            f"| {_cell(line.left) if line.right else line.left} | {_cell(line.right)} "
            f"| {line.status}{_because(line)} |"
            for line in self.lines
        ]
        return "\n".join([f"{self!r}\n", "| left | right | |", "| --- | --- | --- |", *rows])

    def explain(self) -> str:
        """Say what became of every line, in words."""
        rows = [f"{line.status:>8}  {line.words()}{_because(line)}" for line in self.lines]
        return "\n".join([repr(self), *rows])


def _cell(text: str) -> str:
    return f"${text}$".replace("|", r"\vert ") if text else ""


def _because(line: Line) -> str:
    return f"  ({line.reason})" if line.status == UNREAD else ""


_STATES = (PROVED, AGREES, REFUTED, UNREAD)


def equalities(equation: Equation) -> list[tuple[str, str]]:
    r"""Split an equation at its signs: every part beside the one before it.

    >>> equalities(Equation("a", ("b = c", "d")))
    [('a', 'b'), ('b', 'c'), ('c', 'd')]
    """
    parts = [part for text in (equation.left, *equation.right) for part in _sides(text)]
    return list(pairwise(parts))


def _sides(text: str) -> list[str]:
    depth, start, parts = 0, 0, []
    for place, character in enumerate(text):
        depth += (character in "{([") - (character in "})]")
        if not depth and text.startswith(" = ", place):
            parts.append(text[start:place])
            start = place + 3
    return [*parts, text[start:]]
