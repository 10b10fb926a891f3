r"""Names of a graph: by their labels, and so that no two of them look alike.

`W1` of layer 1 prints as `W^{(1)}`, its gradient as
`\frac{\partial L}{\partial W^{(1)}}`, a gradient of a gradient as
`\frac{\partial^2 L}{\partial x\,\partial w}`.
"""

from __future__ import annotations

from itertools import groupby
from typing import Any

import sympy as sp
from sympy.printing.latex import LatexPrinter

from symgrad import functions, trees
from symgrad.formats.names import distinct, latex_name
from symgrad.graph import SYMMETRIC, Graph, Label
from symgrad.shapes import name_of

_LETTERS = {"Yhat": r"\hat{Y}", "yhat": r"\hat{y}", "delta": r"\delta"}


def names_of(graph: Graph) -> dict[str, str]:
    """Print every name of a graph, inputs first: what the engine named gives way to them.

    Derivatives are left out, they print as fractions.
    """
    inputs = [v.name for v in graph.inputs] + [str(size) for size in graph.sizes]
    signs = _signs(graph)
    first = distinct({name: _alone(graph, name) for name in inputs}, signs)
    others = [name for name in graph.defined_names if not _is_fraction(graph.labels.get(name))]
    wanted = {name: _alone(graph, name) for name in others if name not in first}
    return first | distinct(wanted, [*signs, *first.values()])


def _is_fraction(label: Label | None) -> bool:
    return bool(label and label.of and not label.letter)


def _entry(label: Label) -> tuple[int, ...]:
    """Return which entry of a gradient it is; the index of a scalar is in its variable's name."""
    return label.index if label.rank == 0 else ()


def _repeated(name: str, count: int) -> str:
    if count == 1:
        return name
    return f"({name})^{count}" if "^" in name else f"{name}^{count}"


def _alone(graph: Graph, name: str) -> str:
    label = graph.labels.get(name)
    return _labelled(label) if label and label.letter else latex_name(name)


def _labelled(label: Label) -> str:
    if label.letter == SYMMETRIC:
        return rf"\nabla^{{\mathrm{{sym}}}}_{{{latex_name(label.of)}}} {latex_name(label.over)}"
    text = _LETTERS.get(label.letter) or latex_name(label.letter)
    if label.layer is not None:
        text += f"^{{({label.layer})}}"
    return text + _subscript(label.index)


def _subscript(index: tuple[int, ...]) -> str:
    comma = "," if index and max(index) > 9 else ""
    return f"_{{{comma.join(map(str, index))}}}" if index else ""


def _signs(graph: Graph) -> list[str]:
    """List the signs of a graph's functions and constants, which are no names for variables."""
    found: dict[str, None] = {}
    for _, expression in graph.definitions:
        for node in trees.postorder(expression):
            entry = functions.entry_of(getattr(node, "func", None))
            if entry is not None:
                found[entry.latex] = None
            elif node == sp.pi:
                found[r"\pi"] = None
            elif isinstance(node, (sp.gamma, sp.loggamma)):
                found[r"\Gamma"] = None
            elif isinstance(node, sp.polygamma):
                found[r"\psi"] = None
            elif isinstance(node, sp.Identity):
                found["I"] = None
    return list(found)


class Naming(LatexPrinter):
    """Print names; `names` has how those of the graph are printed."""

    graph: Graph
    names: dict[str, str]
    letters: dict[Any, str]
    has_e: bool

    def name(self, symbol: Any) -> str:
        """Print a name by its label."""
        return self.letters.get(symbol) or self._named(name_of(symbol))

    def _named(self, name: str) -> str:
        if name in self.names:
            return self.names[name]
        label = self.graph.labels.get(name, Label())
        if _is_fraction(label):
            return self.derivative(label.over, label.of, _entry(label))
        return _alone(self.graph, name)

    def derivative(self, over: str, of: str, index: tuple[int, ...] = ()) -> str:
        r"""Print \frac{\partial L}{\partial x} for two names, \partial^2 L for a derivative's."""
        by = [self._variable(of, index)]
        label = self.graph.labels.get(over)
        # By another derivative, as in the chain rule, fractions stand on one another.
        while label and _is_fraction(label) and r"\frac" not in by[0]:
            by.append(self._variable(label.of, _entry(label)))
            over, label = label.over, self.graph.labels.get(label.over)
        order = "" if len(by) == 1 else f"^{len(by)}"
        runs = [(name, len(list(run))) for name, run in groupby(by)]
        below = r"\,\partial ".join(_repeated(name, count) for name, count in runs)
        return rf"\frac{{\partial{order} {self._named(over)}}}{{\partial {below}}}"

    def _variable(self, name: str, index: tuple[int, ...]) -> str:
        text = self._named(name)
        return (f"({text})" if index and "_" in text else text) + _subscript(index)
