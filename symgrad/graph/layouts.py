"""How the arrays of a graph are held: as scalars, as 1-D arrays, as 2-D arrays."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import sympy as sp

from symgrad import trees
from symgrad.graph import ENTRYWISE, Graph
from symgrad.matrices import SumColumns, SumRows
from symgrad.operations import Operation
from symgrad.shapes import Variable, name_of, numpy_shape

#: How an array is held: a 1-D array stands for a column or for a row.
SCALAR, COLUMN, ROW, FULL = "scalar", "column", "row", "full"
_FLIPPED = {COLUMN: ROW, ROW: COLUMN}


def layouts(graph: Graph) -> dict[Any, str]:
    """Tell for every symbol whether it is held as a scalar, a 1-D array or a 2-D array.

    1-D inputs are columns inside; what is computed from them follows NumPy:
    a matrix times a 1-D array is 1-D. An adjoint is held as its variable is.
    """
    held = {v.symbol: _declared_layout(v) for v in graph.inputs}
    names = {name_of(symbol): symbol for symbol in held}
    for symbol, expression in graph.definitions:
        label = graph.label(symbol)
        of = names.get(label.of)
        if label.rank is not None:
            held[symbol] = _turned((SCALAR, COLUMN, FULL)[label.rank], symbol)
        elif of is not None:
            held[symbol] = _turned(held[of], symbol)
        else:
            held[symbol] = layout_of(expression, held)
        names[name_of(symbol)] = symbol
    return held


def _turned(layout: str, symbol: Any) -> str:
    """Return the layout of an adjoint: in numerator layout that of a column is a row."""
    return ROW if layout == COLUMN and symbol.shape[0] == 1 != symbol.shape[1] else layout


def _declared_layout(variable: Variable) -> str:
    return (SCALAR, COLUMN, FULL)[len(variable.shape)]


def layout_of(expression: Any, held: Mapping[Any, str]) -> str:
    """Tell how the value of an expression is held; see `layouts`."""
    found: dict[Any, str] = {}
    for node in trees.postorder(expression):
        below = [found[child] for child in trees.children(node)]
        found[node] = held[node] if node in held else _node_layout(node, below)
    return found[expression]


def _node_layout(node: Any, below: list[str]) -> str:
    if not getattr(node, "is_Matrix", False):
        return SCALAR
    if isinstance(node, sp.MatMul):
        return _product_layout([kind for kind in below if kind != SCALAR])
    if isinstance(node, sp.Transpose):
        return _FLIPPED.get(below[0], FULL)
    if isinstance(node, (SumRows, Operation)) and node.shape[0] == 1:
        return ROW
    if isinstance(node, (SumColumns, Operation)) and node.shape[1] == 1:
        return COLUMN
    if isinstance(node, (sp.MatrixBase, sp.FunctionMatrix)):
        return COLUMN if node.shape[1] == 1 else FULL
    if isinstance(node, ENTRYWISE):
        parts = zip(trees.children(node), below, strict=True)
        # A repeated scalar takes the layout of what it is combined with.
        kinds = {k for part, k in parts if k != SCALAR and not getattr(part, "of_scalar", False)}
        return kinds.pop() if len(kinds) == 1 else FULL
    return FULL


def _product_layout(kinds: list[str]) -> str:
    result = kinds[0]
    for kind in kinds[1:]:
        if kind == COLUMN and result == FULL:
            result = COLUMN
        elif not (kind == FULL and result == ROW):
            result = FULL
    return result


def held_shape(symbol: Any, layout: str) -> tuple[Any, ...]:
    """Return NumPy's shape of a symbol that is held in a layout."""
    if layout == SCALAR:
        return ()
    rows, columns = symbol.shape
    return numpy_shape({COLUMN: (rows,), ROW: (columns,)}.get(layout, (rows, columns)))
