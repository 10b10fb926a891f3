"""Formulas as MathML, written into the page when the site is built.

Browsers display MathML Core by themselves, so that a reader loads no script and neither the build
nor the reader needs the network or LaTeX. The converter knows what it can convert: an unknown
command is an error with its position, and the strict build fails on it.
"""

from __future__ import annotations

import html
from typing import Any

from docutils import nodes
from math_core import LatexError, LatexToMathML
from sphinx.application import Sphinx
from sphinx.util import logging

logger = logging.getLogger(__name__)
# The TeX source stays in the page as an annotation, for copying and for search.
converter = LatexToMathML(annotation=True, fancy_error=False)


def convert(latex: str, node: nodes.Element, *, display: bool) -> str:
    """Convert one formula; what cannot be converted is a warning, and shows as its source."""
    try:
        return converter.convert_with_local_state(latex, displaystyle=display)
    except LatexError as error:
        logger.warning("formula not converted: %s in: %s", error, latex, location=node)
        return f"<code>{html.escape(latex)}</code>"


def several_lines(latex: str) -> str:
    r"""Align the lines of a formula that has several, as Sphinx does for LaTeX."""
    if r"\\" not in latex or r"\begin{" in latex:
        return latex
    return rf"\begin{{aligned}}{latex}\end{{aligned}}"


def visit_inline(translator: Any, node: nodes.math) -> None:
    """Write a formula in the running text."""
    translator.body.append(convert(node.astext(), node, display=False))
    raise nodes.SkipNode


def visit_display(translator: Any, node: nodes.math_block) -> None:
    """Write a displayed formula, with its number and its anchor where it has a label."""
    translator.body.append(translator.starttag(node, "div", CLASS="math"))
    if node.get("number"):
        translator.body.append(f'<span class="eqno">({node["number"]})</span>')
    translator.body.append(convert(several_lines(node.astext()), node, display=True))
    translator.body.append("</div>\n")
    raise nodes.SkipNode


def setup(app: Sphinx) -> dict[str, Any]:
    """Register the renderer; `html_math_renderer` selects it."""
    app.add_html_math_renderer("mathml", (visit_inline, None), (visit_display, None))
    return {"parallel_read_safe": True, "parallel_write_safe": True}
