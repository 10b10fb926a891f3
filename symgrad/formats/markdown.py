"""Markdown with formulas between `$$`, as GitHub, Jupyter and most sites show it."""

from __future__ import annotations

from typing import Any

from symgrad.formats.blocks import Block, parted
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
        return _text(block.text)
    if block.kind == "table":
        head, *rows = block.rows
        lines = [head, ("---",) * len(head), *rows]
        return "\n".join(f"| {' | '.join(line)} |" for line in lines)
    formula = aligned(block.equations, block.relation)
    if block.kind == "result":
        formula = f"\\boxed{{\n{formula}\n}}"
    return f"$$\n{formula}\n$$"


def _text(text: str) -> str:
    """Point links to headings: lines have no names in Markdown."""
    return "".join(_piece(*piece) for piece in parted(text))


def _piece(kind: str, words: str, target: str) -> str:
    if kind == "link":
        place = LEMMAS if target.startswith("lemma:") else target
        return words if ":" in place else f"[{words}](#{place})"
    return {"formula": f"${words}$", "code": f"`{words}`"}.get(kind, words)


#: Where the derivatives of functions stand.
LEMMAS = "the-functions"
