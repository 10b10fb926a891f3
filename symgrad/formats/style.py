r"""The signs of a profile: transposes, entrywise products and the activation's letter.

Formulas are printed with symgrad's signs, and those are exchanged at the end; before a formula is
read back they are exchanged again. So every way of writing has one printer and one reader.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

from symgrad import functions, trees
from symgrad.formats.blocks import Block, Equation
from symgrad.formats.naming import names_of
from symgrad.graph import Graph
from symgrad.matrices import Elementwise
from symgrad.profiles import STANDARD, Profile


@dataclass(frozen=True)
class Style:
    """What is exchanged in the formulas of one graph.

    Attributes:
        transpose: The mark of a transpose.
        entrywise: The sign of an entrywise product.
        function: The letter of the activation; empty where it keeps its name.
        activation: How symgrad prints that activation.
    """

    transpose: str = r"\top"
    entrywise: str = r"\odot"
    function: str = ""
    activation: str = ""

    def formula(self, text: str) -> str:
        r"""Exchange symgrad's signs for those of the profile.

        >>> Style(transpose="T", entrywise=r"\circ").formula(r"x^{\top} \odot y^{(1)\top}")
        'x^{T} \\circ y^{(1)T}'
        """
        text = _command(text, r"\top", self.transpose)
        text = _command(text, r"\odot", self.entrywise)
        return _applied(text, self.activation, self.function) if self.function else text

    def read(self, text: str) -> str:
        r"""Exchange the signs of the profile for symgrad's.

        >>> Style(transpose="T", entrywise=r"\circ").read(r"x^{T} \circ y^{(1)T}")
        'x^{\\top} \\odot y^{(1)\\top}'
        """
        mark = re.escape(self.transpose)
        text = re.sub(rf"(\^\{{(?:\([^{{}}]*\)|-)?){mark}\}}", r"\1\\top}", text)
        text = _command(text, self.entrywise, r"\odot")
        return _applied(text, self.function, self.activation) if self.function else text

    def sentence(self, text: str) -> str:
        """Exchange the signs in the formulas between the dollars of a text."""
        parts = re.split(r"(?<!\\)\$", text)
        return "$".join(self.formula(p) if k % 2 else p for k, p in enumerate(parts))

    def block(self, block: Block) -> Block:
        """Exchange the signs in a block."""
        return replace(
            block,
            text=self.sentence(block.text),
            equations=tuple(map(self.equation, block.equations)),
            rows=tuple(tuple(map(self.sentence, row)) for row in block.rows),
        )

    def equation(self, equation: Equation) -> Equation:
        """Exchange the signs in an equation."""
        return replace(
            equation,
            left=self.formula(equation.left),
            right=tuple(map(self.formula, equation.right)),
        )


def _command(text: str, old: str, new: str) -> str:
    """Exchange a command, which ends where its letters end."""
    return text if old == new else re.sub(re.escape(old) + r"(?![A-Za-z])", lambda _: new, text)


def _applied(text: str, old: str, new: str) -> str:
    """Exchange the name of a function where it is applied: before a bracket, a prime, a power."""
    pattern = rf"(?<![A-Za-z\\]){re.escape(old)}(?=\\left\(|['(^])"
    return re.sub(pattern, lambda _: new, text)


def style_of(graph: Graph) -> Style:
    r"""Return what a graph's profile exchanges in its formulas.

    >>> style_of(Graph((), (), (), ())).entrywise
    '\\odot'
    """
    profile: Profile = graph.profile or STANDARD
    entrywise = profile.entrywise
    if entrywise in (r"\otimes", r"\ast", r"\circ") and _has_other_products(graph):
        entrywise = r"\odot"  # the sign has another meaning in these formulas
    activation = _activation(graph) if profile.function else ""
    function = profile.function if activation and profile.function != activation else ""
    if function in names_of(graph).values():
        function = ""
    return Style(profile.transpose, entrywise, function, activation if function else "")


def _has_other_products(graph: Graph) -> bool:
    heads = {type(node).__name__ for node in _nodes(graph)}
    return any(name.startswith(("Kronecker", "Convolution", "Toeplitz")) for name in heads)


def _nodes(graph: Graph) -> Iterator[object]:
    for _, expression in graph.definitions:
        yield from trees.postorder(expression)


def _activation(graph: Graph) -> str:
    """Return how the activation is printed that all layers have; empty if there are several."""
    found = {entry.latex for entry in _entries(graph) if entry.name not in ("identity", "step")}
    return found.pop() if len(found) == 1 else ""


def _entries(graph: Graph) -> Iterable[functions.ScalarFunction]:
    for symbol, expression in graph.definitions:
        if graph.label(symbol).role in ("activation", "prediction"):
            body = expression.function.expr if isinstance(expression, Elementwise) else expression
            entry = functions.entry_of(getattr(body, "func", None))
            if entry is not None:
                yield entry
