"""Markdown with formulas between `$$`, as GitHub, Jupyter and most sites show it."""

from __future__ import annotations

from typing import Any

from symgrad.formats.blocks import Block
from symgrad.formats.equations import document as blocks_of
from symgrad.formats.equations import title
from symgrad.formats.latex import aligned


def derivation(derived: Any, *, detail: str) -> str:
    """Print a derivation as a Markdown document."""
    parts = [f"# {title(derived)}", *map(block, blocks_of(derived, detail))]
    return "\n\n".join(parts) + "\n"


def block(block: Block) -> str:
    r"""Print a block: a heading, a text or equations.

    >>> block(Block("text", "We differentiate $L$."))
    'We differentiate $L$.'
    """
    if block.kind == "heading":
        return f"## {block.text}"
    if block.kind == "text":
        return block.text
    if block.kind == "table":
        head, *rows = block.rows
        lines = [head, ("---",) * len(head), *rows]
        return "\n".join(f"| {' | '.join(line)} |" for line in lines)
    formula = aligned(block.equations, block.relation)
    if block.kind == "result":
        formula = f"\\boxed{{\n{formula}\n}}"
    return f"$$\n{formula}\n$$"
