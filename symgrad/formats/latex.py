r"""LaTeX: bodies for pages that have their own preamble, and whole documents.

A document needs texlive-latex-base alone: article, amsmath, amssymb, geometry.
"""

from __future__ import annotations

from typing import Any

from symgrad.derivation import check_detail
from symgrad.formats.equations import (
    Block,
    Equation,
    definitions,
    kinks,
    title,
)
from symgrad.formats.equations import (
    document as blocks_of,
)
from symgrad.graph import Graph

_PREAMBLE = r"""\documentclass[a4paper,11pt]{article}
\usepackage[utf8]{inputenc}
\usepackage{amsmath,amssymb}
\usepackage[margin=25mm]{geometry}
\setlength{\parindent}{0pt}
\setlength{\parskip}{6pt}
\allowdisplaybreaks
\begin{document}
"""


def lines_of(equations: Any, relation: str = "=") -> list[str]:
    r"""Lay equations out in aligned lines, every further right-hand side on its own.

    >>> lines_of([Equation("a", ("b", "c"))])
    ['a &= b', '&= c']
    """
    lines = []
    for equation in equations:
        lines += [f"{equation.left} &{relation} {equation.right[0]}"]
        lines += [f"&{relation} {right}" for right in equation.right[1:]]
    return lines


def aligned(equations: Any, relation: str = "=") -> str:
    r"""Join equations: one stands alone, several are an `aligned` block.

    >>> aligned([Equation("a", ("b",))])
    'a = b'
    """
    lines = lines_of(equations, relation)
    if len(lines) == 1:
        return lines[0].replace("&", "", 1)
    body = " \\\\\n".join(lines)
    return f"\\begin{{aligned}}\n{body}\n\\end{{aligned}}"


def formula(value: Any, *, document: bool, detail: str) -> str:
    """Print a Formula: its definitions, or with `detail="chain"` its derivation."""
    check_detail(detail)
    if detail == "chain" and value.derivation is not None:
        return derivation(value.derivation, document=document, detail=detail)
    made = value.graph.needed([value.output])
    body = _definitions(made)
    if not document:
        return body
    return f"{_PREAMBLE}\\[\n{body}\n\\]\n\\end{{document}}\n"


def _definitions(made: Graph) -> str:
    equations = definitions(made)
    if not equations:
        from symgrad.formats.printer import Printer

        return str(Printer(made)._print(made.outputs[0]))
    notes = kinks(made)
    if notes:
        said = r",\ ".join(notes)
        equations = [*equations, Equation("", (rf"\text{{(convention: }} {said}\text{{)}}",))]
        lines = lines_of(equations[:-1])
        lines.append(f"&{equations[-1].right[0]}")
        return "\\begin{aligned}\n" + " \\\\\n".join(lines) + "\n\\end{aligned}"
    return aligned(equations)


def derivation(derived: Any, *, document: bool, detail: str) -> str:
    """Print a derivation: a whole document, or the body alone.

    The body at detail `result` is the list of all definitions, forward and backward, and
    stands inside `$$ $$`; at `chain` it is a text with headings.
    """
    check_detail(detail)
    if not document and detail == "result":
        return _definitions(derived.result)
    body = "\n".join(map(_block, blocks_of(derived, detail)))
    if not document:
        return body
    heading = f"\\section*{{{title(derived)}}}\n"
    return f"{_PREAMBLE}{heading}{body}\n\\end{{document}}\n"


def _block(block: Block) -> str:
    if block.kind == "heading":
        return f"\\subsection*{{{block.text}}}"
    if block.kind == "text":
        return f"{block.text}\n"
    relation = r"\leftarrow" if block.kind == "assignments" else "="
    body = " \\\\\n".join(lines_of(block.equations, relation))
    return f"\\begin{{align*}}\n{body}\n\\end{{align*}}"
