"""What the sizes of arrays must be, beyond what their shapes say: slices lie inside."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import sympy as sp
from sympy.matrices.expressions.matexpr import MatrixElement

from symgrad import trees
from symgrad.errors import UnsupportedError
from symgrad.graph import Graph
from symgrad.operations.parts import Placed, Slice
from symgrad.shapes import name_of


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


#: How much larger sizes are made until what a formula asks of them holds.
MOST_LARGER = 40


def possible(sizes: Mapping[str, int], graph: Graph) -> dict[str, int]:
    """Make sizes larger until slices lie inside, and orthonormal columns fit.

    Raises:
        UnsupportedError: They are too small still.

    >>> from symgrad.shapes import declare
    >>> tall = declare("Q", ("n", "k"), "orthogonal")
    >>> possible({"n": 3, "k": 6}, Graph((tall,), (), (), ()))
    {'n': 7, 'k': 6}
    """
    sizes = dict(sizes)
    symbols = {name_of(symbol): symbol for symbol in graph.sizes}
    asked = requirements(graph)
    for variable in graph.inputs:
        if "orthogonal" in variable.assumptions and variable.sizes[0] != variable.sizes[1]:
            # More rows, not as many: where Q is square, Q Q' is the identity, too.
            asked += (variable.sizes[0] - variable.sizes[1] - 1,)
    for _ in range(MOST_LARGER):
        values = {symbols[name]: size for name, size in sizes.items() if name in symbols}
        short = [e for e in asked if e.xreplace(values).is_negative]
        if not short:
            return sizes
        for name in {name_of(s) for e in short for s in e.free_symbols if e.coeff(s) > 0}:
            sizes[name] += 1
    raise UnsupportedError(f"sizes for which {short[0]} >= 0 are too large to compare at")
