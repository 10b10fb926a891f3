"""What the sizes of arrays must be, beyond what their shapes say: slices lie inside."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import sympy as sp
from sympy.matrices.expressions.matexpr import MatrixElement

from symgrad import trees
from symgrad.graph import Graph
from symgrad.operations.parts import Placed, Slice


def requirements(graph: Graph) -> tuple[Any, ...]:
    """Return expressions in sizes that must not be negative, those that may be.

    NumPy cuts a slice that reaches beyond an array; a formula of known shapes cannot.

    >>> from symgrad.operations.parts import span
    >>> n = sp.Symbol("n", integer=True, positive=True)
    >>> first = Slice(sp.MatrixSymbol("y", n, 1), span(0, 3), span(0, 1))
    >>> from symgrad.shapes import declare
    >>> requirements(Graph((declare("y", "n"),), (), ((sp.MatrixSymbol("u", 3, 1), first),), ()))
    (n - 3,)
    """
    found: dict[Any, None] = {}
    known = set(graph.sizes)
    for _, expression in graph.definitions:
        for node in trees.postorder(expression):
            for size in _conditions(node):
                # The indices of sums run inside of their arrays.
                if size.free_symbols and size.free_symbols <= known and not _is_sure(size):
                    found[size] = None
    return tuple(found)


def _conditions(node: Any) -> Iterator[Any]:
    if isinstance(node, (Slice, Placed)):
        of_slice = isinstance(node, Slice)
        options = node.options if of_slice else node.options[2:]
        shape = node.args[0].shape if of_slice else node.shape
        for (start, count, step), size in zip(options, shape, strict=True):
            for place in (start, start + (count - 1) * step):
                yield from (sp.expand(place), sp.expand(size - 1 - place))
    elif isinstance(node, MatrixElement) and isinstance(node.parent, sp.MatrixSymbol):
        for place, size in zip(node.args[1:], node.parent.shape, strict=True):
            if trees.is_size(place):
                yield from (sp.expand(place), sp.expand(size - 1 - place))


def _is_sure(size: Any) -> bool:
    """Tell whether an expression is not negative for any sizes, which are at least 1."""
    more = {s: 1 + sp.Symbol(f"{s}_", integer=True, nonnegative=True) for s in size.free_symbols}
    return bool(sp.expand(size.xreplace(more)).is_nonnegative)
