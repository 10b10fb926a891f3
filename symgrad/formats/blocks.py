"""What documents are made of: data without a trace of LaTeX's or Markdown's marks around it."""

from __future__ import annotations

import re
from dataclasses import dataclass


@dataclass(frozen=True)
class Equation:
    """A left-hand side, and the lines to its right; every line's parts are equal.

    A line joins several right-hand sides by equality signs where they are short. What has a label
    can be referred to: a text has `[words](#label)`.
    """

    left: str
    right: tuple[str, ...]
    label: str = ""


@dataclass(frozen=True)
class Block:
    """A piece of a document.

    Attributes:
        kind: `heading`, `text`, `table`, `equations`, `result` or `assignments`.
        text: What a heading or a text says, with formulas between dollars, links as
            `[words](#label)`, and code between backticks.
        equations: Those of the last three kinds; a result stands out.
        rows: Those of a table, the first is its head; every cell is a text.
        relation: The sign between the sides of its lines, as LaTeX.
    """

    kind: str
    text: str = ""
    equations: tuple[Equation, ...] = ()
    rows: tuple[tuple[str, ...], ...] = ()
    relation: str = "="


def parted(text: str) -> list[tuple[str, str, str]]:
    r"""Split a text into pieces: their kind (words, formula, code or link), words and target.

    >>> parted("by [the rule $x$](#rules) of `d(u v)`: $y$")[1]
    ('link', 'the rule $x$', 'rules')
    """
    found, start = [], 0
    for match in _PIECE.finditer(text):
        found.append(("words", text[start : match.start()], ""))
        formula, code, words, target = match.groups()
        if words is not None:
            found.append(("link", words, target))
        elif code is not None:
            found.append(("code", code, ""))
        else:
            found.append(("formula", formula, ""))
        start = match.end()
    found.append(("words", text[start:], ""))
    return [piece for piece in found if piece[1]]


# An escaped dollar is part of a name; a link may have formulas among its words.
_PIECE = re.compile(r"(?<!\\)\$(.*?)(?<!\\)\$|`([^`]+)`|\[([^\[\]]+)\]\(#([\w:-]+)\)")


def label_of(kind: str, name: str) -> str:
    """Make a label of a kind and a name.

    >>> label_of("eq", "W^{(1)}")
    'eq:W-1'
    """
    plain = re.sub(r"[^A-Za-z0-9]+", "-", name).strip("-")
    return f"{kind}:{plain}"
