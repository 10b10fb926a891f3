"""Claims as text: ordered definitions in the names of a graph."""

from __future__ import annotations

from typing import Any

from symgrad import algebra, bare
from symgrad import graph as graphs
from symgrad.graph import Graph
from symgrad.graph.layouts import COLUMN, FULL, ROW, SCALAR, layouts
from symgrad.reading.text.evaluate import Evaluator
from symgrad.reading.text.grammar import located, statements
from symgrad.reading.text.loops import (
    Versions,
    assigned_again,
    carried_out,
    needs_no_name,
)
from symgrad.reading.text.values import Value
from symgrad.shapes import name_of, shape_of

_RANKS = {SCALAR: 0, COLUMN: 1, ROW: 1, FULL: 2}


def definitions_of(text: str, graph: Graph) -> list[tuple[str, Any]]:
    """Read ordered definitions, `delta2 = ...; dW2 = X.T @ delta2`, or a single expression.

    Args:
        text: In NumPy's expression language, see `symgrad.parse`.
        graph: Its inputs, sizes and definitions may be named.

    Returns:
        Pairs of a name and an expression; the name of a single expression is empty.

    Raises:
        ParseError: The text is not of this language; the message marks the column.
        ShapeError: Shapes that do not fit, with the place.
    """
    found: list[tuple[str, Any]] = []

    def named(value: Value) -> Value:
        if value.rank or not any(getattr(n, "is_Matrix", False) for n in value.node.atoms()):
            return value
        name = graphs.fresh("s", {*graph.symbols, *(n for n, _ in found)})
        found.append((name, bare.normalized(value.node)))
        return Value(graphs.symbol_like(name, ()))

    evaluator = Evaluator(text, _scope(graph), lambda name: None, named)
    read = statements(text)
    versions, own = Versions(assigned_again(read)), ""
    for token, node in carried_out(read, evaluator):
        value = evaluator.value(node)
        if token is None and node is not getattr(read[-1], "value", None):
            raise located(text, node.start, "only the last line may be without a name")
        own = token.text if token else ""
        if own in versions.numbers and needs_no_name(value):
            versions.next(own, ())
            evaluator.scope[own] = value
            continue
        name = versions.next(own, {*graph.symbols, *(n for n, _ in found)})
        expression = bare.normalized(value.node)
        found.append((name, expression))
        if own:
            symbol = graphs.symbol_like(name, shape_of(expression))
            evaluator.scope[own] = Value(symbol, value.rank)
    return _with_last_versions(found, own, {n: evaluator.scope[n].node for n in versions.numbers})


def _with_last_versions(
    found: list[tuple[str, Any]], last: str, values: dict[str, Any]
) -> list[tuple[str, Any]]:
    """Let names that are defined again stand for their last versions; the last line stays last."""
    others = [(name, value) for name, value in values.items() if name != last]
    if last in values:
        return [*found, *others, (last, values[last])]
    return [*found[:-1], *others, *found[-1:]]


def _scope(graph: Graph) -> dict[str, Value]:
    held = layouts(graph)
    scope = {name_of(size): Value(size) for size in graph.sizes}
    for symbol, layout in held.items():
        rank = _RANKS[layout]
        node = algebra.transpose(symbol) if layout == ROW else symbol
        scope[name_of(symbol)] = Value(node, rank)
    return scope
