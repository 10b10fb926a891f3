"""Claims as text: ordered definitions in the names of a graph."""

from __future__ import annotations

from typing import Any

from symgrad import algebra, bare
from symgrad import graph as graphs
from symgrad.graph import COLUMN, FULL, ROW, SCALAR, Graph
from symgrad.reading.text.evaluate import Evaluator
from symgrad.reading.text.grammar import located, statements
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
    own: set[str] = set()
    read = statements(text)
    for token, node in read:
        value = evaluator.value(node)
        name = token.text if token else ""
        if name in own or (not name and len(read) > 1):
            message = f"`{name}` is defined already" if name else "a line without a name"
            raise located(text, token.start if token else node.start, message)
        own.add(name)
        expression = bare.normalized(value.node)
        found.append((name, expression))
        if name:
            symbol = graphs.symbol_like(name, shape_of(expression))
            evaluator.scope[name] = Value(symbol, value.rank)
    return found


def _scope(graph: Graph) -> dict[str, Value]:
    held = graphs.layouts(graph)
    scope = {name_of(size): Value(size) for size in graph.sizes}
    for symbol, layout in held.items():
        rank = _RANKS[layout]
        node = algebra.transpose(symbol) if layout == ROW else symbol
        scope[name_of(symbol)] = Value(node, rank)
    return scope
