r"""LaTeX: bodies for pages that have their own preamble, and whole documents.

A document needs texlive-latex-base alone: article, amsmath, amssymb, geometry.
"""

from __future__ import annotations

import re
from itertools import zip_longest
from typing import Any

from symgrad.derivation import check_detail
from symgrad.formats.blocks import Block, Equation, parted
from symgrad.formats.equations import definitions, kinks, title
from symgrad.formats.equations import (
    document as blocks_of,
)
from symgrad.formats.lengths import visible
from symgrad.graph import Graph

_PREAMBLE = r"""\documentclass[a4paper,11pt]{article}
\usepackage[utf8]{inputenc}
\usepackage{amsmath,amssymb}
\usepackage[margin=25mm]{geometry}
\setlength{\parindent}{0pt}
\setlength{\parskip}{6pt}
\setlength{\jot}{5pt}
\renewcommand{\arraystretch}{1.2}
\allowdisplaybreaks
\begin{document}
"""


#: A right-hand side of more visible characters than this is broken into lines.
ROOM = 72
#: A table with a cell of more characters has columns of fixed widths.
WIDE = 60


def lines_of(equations: Any, relation: str = "=") -> list[str]:
    r"""Lay equations out in aligned lines, every further right-hand side on its own.

    >>> lines_of([Equation("a", ("b", "c"))])
    ['a &= b', '&= c']
    """
    lines = []
    for equation in equations:
        left = f"{equation.left} "
        for right in equation.right:
            first, *rest = broken(right)
            # A rounded result begins with its own sign.
            sign = "" if first.startswith(r"\approx") else f"{relation} "
            lines.append(f"{left}&{sign}{first}")
            lines += [rf"&\qquad {{}} {part}" for part in rest]
            left = ""
    return lines


def broken(text: str, room: int = ROOM) -> list[str]:
    """Break a long formula before signs that stand outside of all brackets.

    >>> broken("a + (b + c) - d", room=6)
    ['a', '+ (b + c)', '- d']
    """
    lines = [""]
    for part in _terms(text):
        if lines[-1] and visible(lines[-1]) + visible(part) > room:
            lines.append("")
        lines[-1] = f"{lines[-1]} {part}".strip()
    return lines


def _terms(text: str) -> list[str]:
    """Split a formula at the signs that stand outside of all brackets."""
    depth, start, parts = 0, 0, []
    for match in re.finditer(r"\\begin|\\end|\\left|\\right|[{}()\[\]]| [+-] ", text):
        token = match.group()
        if token in ("\\begin", "\\left", "{", "(", "["):
            depth += 1
        elif token in ("\\end", "\\right", "}", ")", "]"):
            depth -= 1
        elif depth == 0:
            parts.append(text[start : match.start()])
            start = match.start() + 1
    return [*parts, text[start:]]


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
    blocks = blocks_of(derived, detail)
    pairs = zip_longest(blocks, blocks[1:])
    body = "\n".join(_joined(block, after) for block, after in pairs)
    if not document:
        return body
    heading = f"\\section*{{{title(derived)}}}\n"
    return f"{_PREAMBLE}{heading}{body}\n\\end{{document}}\n"


def _text(text: str) -> str:
    """Print a text: signs that mean something to TeX are escaped, links are numbers of lines."""
    return "".join(_piece(*piece) for piece in parted(text))


def _piece(kind: str, words: str, target: str) -> str:
    if kind == "formula":
        return f"${words}$"
    if kind == "code":
        return rf"\texttt{{{_escaped(words)}}}"
    if kind == "link":
        number = rf"\eqref{{{target}}}" if ":" in target else ""
        # The tag of a lemma is its name.
        return number if target.startswith("lemma:") else f"{_text(words)} {number}".rstrip()
    return _escaped(words)


_ESCAPES = {"^": r"\textasciicircum{}", "~": r"\textasciitilde{}", "\\": r"\textbackslash{}"}
_ESCAPES |= {sign: f"\\{sign}" for sign in "#%&_{}"}
_ESCAPES |= {"<": r"\textless{}", ">": r"\textgreater{}", "|": r"\textbar{}"}


def _escaped(words: str) -> str:
    return "".join(_ESCAPES.get(sign, sign) for sign in words)


def _numbered(equations: tuple[Equation, ...]) -> str:
    """Lay equations out with a number for each that has a label, at its first line."""
    lines = []
    for equation in equations:
        first, *rest = lines_of([equation])
        mark = rf" \label{{{equation.label}}}" if equation.label else r" \notag"
        if equation.label.startswith("lemma:"):  # known by its name, not by a number
            mark = rf" \tag{{${equation.left.partition('(')[0]}$}}{mark}"
        lines += [first + mark, *(rf"{line} \notag" for line in rest)]
    body = " \\\\\n".join(lines)
    return f"\\begin{{align}}\n{body}\n\\end{{align}}"


def _joined(block: Block, after: Block | None) -> str:
    """Print a block; a text before formulas goes on in them, without a paragraph's end."""
    shown = _block(block)
    goes_on = block.kind == "text" and after is not None and after.equations
    return shown.rstrip("\n") if goes_on else shown


def _block(block: Block) -> str:
    if block.kind == "heading":
        return f"\\subsection*{{{_text(block.text)}}}"
    if block.kind == "text":
        return f"{_text(block.text)}\n"
    if block.kind == "table":
        return _table(block.rows)
    if block.kind == "result":
        return f"\\[\n\\boxed{{\n{aligned(block.equations)}\n}}\n\\]"
    if any(equation.label for equation in block.equations):
        return _numbered(block.equations)
    body = " \\\\\n".join(lines_of(block.equations, block.relation))
    return f"\\begin{{align*}}\n{body}\n\\end{{align*}}"


def _table(rows: tuple[tuple[str, ...], ...]) -> str:
    head, *lines = (" & ".join(map(_text, row)) for row in rows)
    body = " \\\\\n".join(lines)
    widest = max(len(cell) for row in rows for cell in row)
    # Words of some length are broken into lines.
    columns = "l" * len(rows[0]) if widest < WIDE else r"p{35mm}p{65mm}p{45mm}"[: 7 * len(rows[0])]
    table = f"\\begin{{tabular}}{{{columns}}}\n{head} \\\\ \\hline\n{body}\n\\end{{tabular}}"
    return f"\\begin{{center}}\n{table}\n\\end{{center}}\n"
