"""HTML: one file that needs nothing else, with formulas as MathML and no script.

Browsers display MathML by themselves. A subset of the font STIX Two Math is in the file, so that
formulas look alike everywhere; every formula carries its LaTeX, for copying, and its plain text,
for those who listen. The conversion needs the package math-core, the extra `html`.
"""

from __future__ import annotations

import base64
import re
from functools import cache
from html import escape
from importlib.resources import files
from typing import Any

from symgrad.errors import UnsupportedError
from symgrad.formats.blocks import Block, parted
from symgrad.formats.equations import document as blocks_of
from symgrad.formats.equations import title
from symgrad.formats.latex import aligned
from symgrad.formats.text import lines_of as plain_lines
from symgrad.formats.text import plain

_PAGE = """\
<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>{title}</title>
<style>
{style}
</style>
</head>
<body>
<main>
{body}
</main>
</body>
</html>
"""

_STYLE = """\
@font-face {
  font-family: "symgrad math";
  src: url(data:font/woff2;base64,FONT) format("woff2");
}
:root { --ink: #1c1c1e; --paper: #ffffff; --line: #d8d8dc; --mark: #1f4e79; }
@media (prefers-color-scheme: dark) {
  :root { --ink: #e8e8ea; --paper: #17181b; --line: #3a3b40; --mark: #8ab4e8; }
}
* { box-sizing: border-box; }
body { margin: 0; background: var(--paper); color: var(--ink);
  font: 1.05rem/1.55 Georgia, "Times New Roman", serif; }
main { max-width: 52rem; margin: 0 auto; padding: 2rem 1.25rem 4rem; }
h1 { font-size: 1.7rem; line-height: 1.25; margin: 0 0 1.2rem; }
h2 { font-size: 1.2rem; margin: 2.2rem 0 0.6rem; padding-bottom: 0.2rem; color: var(--mark);
  border-bottom: 1px solid var(--line); }
p { margin: 0.6rem 0; }
math { font-family: "symgrad math", "STIX Two Math", math; }
.formula { margin: 0.9rem 0; padding: 0.2rem 0; overflow-x: auto; overflow-y: hidden; }
.formula math { font-size: 1.08em; }
.formula mtd { padding: 0.28em 0; }
.result { border: 1.5px solid var(--mark); border-radius: 4px; padding: 0.5rem 1rem; }
table { border-collapse: collapse; margin: 0.9rem 0; }
th, td { text-align: left; font-weight: normal; padding: 0.2rem 1.4rem 0.2rem 0; }
tr:first-child th { border-bottom: 1px solid var(--line); font-size: 0.92em; }
.formula:focus-visible { outline: 2px solid var(--mark); outline-offset: 2px; }
@media print {
  :root { --ink: #000000; --paper: #ffffff; --line: #999999; --mark: #000000; }
  main { max-width: none; padding: 0; }
  .formula { overflow: visible; break-inside: avoid; }
  h2 { break-after: avoid; }
}"""


def derivation(derived: Any, *, detail: str) -> str:
    """Print a derivation as one HTML page.

    Raises:
        UnsupportedError: The package math-core is missing.
    """
    heading = title(derived)
    body = [f"<h1>{_text(heading)}</h1>", *map(_block, blocks_of(derived, detail))]
    return _PAGE.format(title=escape(_plain(heading)), style=_style(), body="\n".join(body))


def _block(block: Block) -> str:
    if block.kind == "heading":
        return f'<h2 id="{anchor(block.text)}">{_text(block.text)}</h2>'
    if block.kind == "text":
        return f"<p>{_text(block.text)}</p>"
    if block.kind == "table":
        return _table(block.rows)
    shown = mathml(aligned(block.equations, block.relation), display=True, said=_said(block))
    # Whoever has no mouse can scroll a long formula, too.
    kind = "formula result" if block.kind == "result" else "formula"
    labels = (equation.label for equation in block.equations if equation.label)
    anchors = "".join(f'<span id="{escape(label)}"></span>' for label in labels)
    return f'{anchors}<div class="{kind}" tabindex="0">{shown}</div>'


def anchor(heading: str) -> str:
    """Return the name of a heading's place, as Markdown has it.

    >>> anchor("Derivatives of the functions")
    'derivatives-of-the-functions'
    """
    return re.sub(r"[^a-z0-9]+", "-", heading.lower()).strip("-")


def _table(rows: tuple[tuple[str, ...], ...]) -> str:
    head, *body = rows
    lines = ["".join(f'<th scope="col">{_text(cell)}</th>' for cell in head)]
    for row in body:
        first, *rest = map(_text, row)
        lines.append(f'<th scope="row">{first}</th>' + "".join(f"<td>{c}</td>" for c in rest))
    return "<table>\n" + "\n".join(f"<tr>{line}</tr>" for line in lines) + "\n</table>"


def _text(text: str) -> str:
    return "".join(_piece(*piece) for piece in parted(text))


def _piece(kind: str, words: str, target: str) -> str:
    if kind == "formula":
        return mathml(words, display=False, said=plain(words))
    if kind == "link":
        return f'<a href="#{escape(target)}">{_text(words)}</a>'
    return f"<code>{escape(words)}</code>" if kind == "code" else escape(words)


def _plain(text: str) -> str:
    return "".join(plain(words) if k == "formula" else words for k, words, _ in parted(text))


def _said(block: Block) -> str:
    relation = plain(block.relation)
    lines = (plain_lines(equation, relation) for equation in block.equations)
    return "; ".join(" ".join(line.strip() for line in each) for each in lines)


def mathml(latex: str, *, display: bool, said: str) -> str:
    r"""Convert a formula that symgrad printed to MathML.

    Args:
        latex: The formula.
        display: Whether it stands on lines of its own.
        said: The formula as plain text.

    Raises:
        UnsupportedError: The package math-core is missing, or cannot read the formula.
    """
    error, converter = _converter()
    try:
        shown: str = converter.convert_with_local_state(latex, displaystyle=display)
    except error as problem:
        raise UnsupportedError(f"this formula has no MathML: {latex} ({problem})") from problem
    return shown.replace("<math", f'<math alttext="{escape(said)}"', 1)


@cache
def _converter() -> tuple[Any, Any]:
    try:
        from math_core import LatexError, LatexToMathML
    except ImportError:
        raise UnsupportedError(
            "HTML needs the package math-core: pip install 'symgrad[html]'"
        ) from None
    return LatexError, LatexToMathML(annotation=True)


@cache
def _style() -> str:
    font = (files("symgrad") / "data" / "math.woff2").read_bytes()
    return _STYLE.replace("FONT", base64.b64encode(font).decode("ascii"))
