"""How long formulas are on paper, and which fit on one line."""

from __future__ import annotations

import re
from collections.abc import Iterable


def joined(parts: Iterable[str], room: int = 60) -> tuple[str, ...]:
    """Join equal right-hand sides into lines of at most `room` visible characters.

    >>> joined(["a b", "c"]), joined(["x" * 50, "y" * 50]) == ("x" * 50, "y" * 50)
    (('a b = c',), True)
    """
    lines: list[str] = []
    for part in parts:
        if lines and visible(lines[-1]) + visible(part) < room:
            lines[-1] += f" = {part}"
        else:
            lines.append(part)
    return tuple(lines)


def visible(text: str) -> int:
    """Estimate how many characters a formula takes on paper: a matrix its longest row."""
    text = re.sub(r"\\begin\{bmatrix\}(.*?)\\end\{bmatrix\}", _longest_row, text)
    fractions = re.sub(r"\\frac\{(.*?)\}\{.*?\}", r"\1", text)
    return len(re.sub(r"\\[a-zA-Z]+|[{}^_\s]", "", fractions)) + fractions.count("\\")


def _longest_row(match: re.Match[str]) -> str:
    return f"[{max(match.group(1).split(chr(92) * 2), key=len)}]"
