"""What documents are made of: data without a trace of LaTeX's or Markdown's marks around it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Equation:
    """A left-hand side, and the lines to its right; every line's parts are equal.

    A line joins several right-hand sides by equality signs where they are short.
    """

    left: str
    right: tuple[str, ...]


@dataclass(frozen=True)
class Block:
    """A piece of a document.

    Attributes:
        kind: `heading`, `text`, `table`, `equations`, `result` or `assignments`.
        text: What a heading or a text says, with formulas between dollars.
        equations: Those of the last three kinds; a result stands out.
        rows: Those of a table, the first is its head; every cell is a text.
        relation: The sign between the sides of its lines, as LaTeX.
    """

    kind: str
    text: str = ""
    equations: tuple[Equation, ...] = ()
    rows: tuple[tuple[str, ...], ...] = ()
    relation: str = "="
