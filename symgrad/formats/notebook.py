"""Jupyter notebooks: the derivation as text, then the same formulas as NumPy code that checks them.

The code needs NumPy alone. It is written as version 4.5 of the format, without outputs.
"""

from __future__ import annotations

import json
from typing import Any

from symgrad.backends.module import text_of
from symgrad.backends.numpy import compile as compiled
from symgrad.errors import UnsupportedError
from symgrad.formats import markdown
from symgrad.formats.equations import document as blocks_of
from symgrad.formats.equations import title
from symgrad.formula import Formula
from symgrad.shapes import name_of

_ENTRY = '\n\nif __name__ == "__main__":'
_COMPARED = """\
# Every gradient beside central differences, at random points of the domain.
with np.errstate(all="ignore"):
    errors = [check(seed) for seed in range(4)]
error = max(error for error in errors if np.isfinite(error))
print(f"largest relative error {error:.1e}, limit {LIMIT:.0e}")
assert error < LIMIT"""


def derivation(derived: Any, *, detail: str) -> str:
    """Print a derivation as a notebook."""
    sections = [f"# {title(derived)}"]
    for block in blocks_of(derived, detail):
        text = markdown.block(block)
        if block.kind == "heading":
            sections.append(text)
        else:
            sections[-1] += f"\n\n{text}"
    cells = [_cell("markdown", text) for text in sections]
    cells += [_cell(kind, text) for kind, text in _code(derived)]
    for number, cell in enumerate(cells):
        cell["id"] = f"cell-{number}"
    kernel = {"display_name": "Python 3", "language": "python", "name": "python3"}
    notebook = {
        "cells": cells,
        "metadata": {"kernelspec": kernel, "language_info": {"name": "python"}},
        "nbformat": 4,
        "nbformat_minor": 5,
    }
    return json.dumps(notebook, indent=1, ensure_ascii=False) + "\n"


def _cell(kind: str, text: str) -> dict[str, Any]:
    cell: dict[str, Any] = {"cell_type": kind, "id": "", "metadata": {}}
    if kind == "code":
        cell.update(execution_count=None, outputs=[])
    return {**cell, "source": text.splitlines(keepends=True)}


def _code(derived: Any) -> list[tuple[str, str]]:
    """Return the cells with code; none for what NumPy has no form for."""
    loss = Formula(derived.result.needed([derived.goal]), derived.goal)
    try:
        function = compiled(loss, wrt=[name_of(symbol) for symbol in derived.wrt])
        text = text_of(function._recipe)
    except UnsupportedError:
        return []
    whole, _, _ = text.partition(_ENTRY)
    program, mark, rest = whole.partition("\n\n\ndef example(")
    return [
        ("markdown", "## As code\n\nThe value and the gradients, as NumPy computes them."),
        ("code", program.partition('"""\n\n')[2].strip()),
        ("markdown", "The same gradients by differences."),
        ("code", f"{mark}{rest}".strip()),
        ("code", _COMPARED),
    ]
