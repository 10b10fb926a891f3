r"""Names as they are printed: the longest that stands at a place is meant."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, NamedTuple

from symgrad.algebra import transpose

_COMMAND = re.compile(r"\\[A-Za-z]+$")


class Named(NamedTuple):
    """A name that was found: its characters, and what it stands for."""

    text: str
    value: Any


class Names:
    r"""What names stand for, by how they are printed.

    >>> import sympy as sp
    >>> W = sp.MatrixSymbol("W1", 2, 2)
    >>> Names({"W^{(1)}": W}).at(r"W^{(1)\top}", 0, 11)
    Named(text='W^{(1)\\top}', value=W1.T)
    """

    def __init__(self, names: Mapping[str, Any]) -> None:
        self.known = {name: value for name, value in names.items() if name}
        for name, value in names.items():
            # The mark of a transpose joins that of a layer.
            if name.endswith(")}") and "^{(" in name and getattr(value, "is_Matrix", False):
                self.known.setdefault(rf"{name[:-1]}\top}}", transpose(value))
        self.lengths = sorted({len(name) for name in self.known}, reverse=True)

    def at(self, text: str, start: int, end: int) -> Named | None:
        """Return the name that stands at a place."""
        for length in self.lengths:
            name = text[start : start + length]
            if start + length <= end and name in self.known:
                found = Named(name, self.known[name])
                if self._is_whole(found, text, start + length):
                    return found
        return None

    def _is_whole(self, found: Named, text: str, after: int) -> bool:
        if text[after : after + 1].isalpha() and _COMMAND.search(found.text):
            return False
        # Only arrays have entries.
        return text[after : after + 1] != "_" or getattr(found.value, "is_Matrix", False)
