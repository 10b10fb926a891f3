"""Formulas at sizes at which they can be written out in scalars.

A layer of 784 units has no line that a layer of 6 units does not have: sizes stand in the shapes
alone. So the large ones are made symbols, which a proof gives small values; where a size also is a
number of the formula, as in a mean over 784 entries, nothing is exchanged.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from typing import Any

import sympy as sp

from symgrad import trees
from symgrad.derivation import Derivation
from symgrad.errors import UnsupportedError, listed
from symgrad.formula import Formula
from symgrad.graph import Graph
from symgrad.matrices import Broadcast
from symgrad.shapes import Shape, Variable, dimension, shape_of

#: Above this many sums and products of scalars a derivation is not written out.
LARGE = 10_000
#: The same for what is asked about one claim.
LARGE_CLAIM = 12_000
#: Above this many nothing is written out, whatever time there is.
HOPELESS = 200_000
#: Sizes up to this one are kept.
SMALL = 4
#: What a symbolic size counts as; proofs take one of 3 to 9.
GENERIC = 6
_OF_SIZES = (sp.Identity, sp.OneMatrix, sp.ZeroMatrix)


def manageable(derived: Derivation) -> Derivation:
    """Return a derivation with symbols for its largest sizes, as many as it takes.

    Raises:
        UnsupportedError: It would be too large to be written out in scalars.
    """
    renaming = renaming_for(derived.result, [], LARGE)
    return renaming.derivation(derived) if renaming else derived


def renaming_for(graph: Graph, more: Iterable[Any], limit: int) -> Renaming | None:
    """Find the sizes to make symbols so that a graph can be written out; None if there is no need.

    Args:
        graph: What is written out.
        more: Expressions in which the same sizes occur.
        limit: How many sums and products of scalars are written without making sizes symbols.

    Raises:
        UnsupportedError: It takes more than `HOPELESS`, whatever is made a symbol.

    >>> renaming_for(Graph((), (), (), ()), [], LARGE) is None
    True
    """
    work = _work(graph, {})
    if work <= limit:
        return None
    # A number that is a size, or one over it, may be that of a mean: it would have to change, too.
    numbers = [n for n in _numbers([*(e for _, e in graph), *more]) if n.is_Rational]
    kept = {abs(part) for number in numbers for part in (number.p, number.q)}
    named: dict[Any, Any] = {}
    for size in sorted(_sizes(graph) - kept, reverse=True):
        named[sp.Integer(size)] = dimension(f"size_{size}")
        if _work(graph, named) <= limit:
            return Renaming(named)
    if work <= HOPELESS:
        return None  # slow, but decided within the time that there is
    found = sorted(_sizes(graph) & kept)
    also = (
        f"; {listed(found)} may also be numbers of the formula: write sizes as names"
        if found
        else ""
    )
    raise UnsupportedError(
        f"written out in scalars this takes {work} sums and products, of which {HOPELESS} can be "
        f"decided{also or '; take smaller sizes'}"
    )


def _sizes(graph: Graph) -> set[int]:
    sizes = {size for variable in graph.inputs for size in variable.inside}
    return {int(size) for size in sizes if size.is_Integer and size > SMALL}


def _work(graph: Graph, named: Mapping[Any, Any]) -> int:
    """Count the sums and products of scalars in the definitions, each product of matrices whole."""

    def count(size: Any) -> int:
        size = named.get(size, size)
        return int(size) if size.is_Integer else GENERIC

    total = 0
    shapes: dict[Any, Shape] = {}
    for _, expression in graph.definitions:
        for node in trees.postorder(expression):
            shapes[node] = shape = shape_of(node, shapes)
            if isinstance(node, sp.MatMul):
                matrices = [shapes[arg] for arg in node.args if shapes[arg]]
                total += sum(
                    count(matrices[0][0]) * count(one[0]) * count(one[1]) for one in matrices[1:]
                )
            elif shape:
                total += count(shape[0]) * count(shape[1])
            else:
                total += 1
    return total


def _numbers(expressions: Iterable[Any]) -> Iterator[Any]:
    """Yield the numbers of expressions that are no sizes of constant matrices."""
    for expression in expressions:
        for node in trees.postorder(expression):
            if not isinstance(node, _OF_SIZES):
                below = trees.children(node)
                kept = below[:1] if isinstance(node, Broadcast) else below
                yield from (child for child in kept if child.is_Number)


class Renaming:
    """Puts symbols in the place of sizes.

    Attributes:
        named: The symbols by the sizes for which they stand.
    """

    def __init__(self, named: Mapping[Any, Any]) -> None:
        self.named = named

    def _size(self, given: Any) -> Any:
        return self.named.get(sp.sympify(given), given)

    def _symbol(self, given: Any) -> Any:
        if isinstance(given, sp.MatrixSymbol):
            return sp.MatrixSymbol(given.name, *map(self._size, given.shape))
        return given

    def _variable(self, given: Variable) -> Variable:
        shape = tuple(self._size(axis) if isinstance(axis, int) else axis for axis in given.shape)
        return replace(given, symbol=self._symbol(given.symbol), shape=shape)

    def expression(self, root: Any) -> Any:
        """Return an expression with symbols for its sizes."""
        done: dict[Any, Any] = {}
        for node in trees.postorder(root):
            if isinstance(node, _OF_SIZES):
                done[node] = node.func(*map(self._size, node.args))
            elif isinstance(node, Broadcast):
                done[node] = node.func(done[node.args[0]], *map(self._size, node.args[1:]))
            elif trees.children(node):
                done[node] = trees.remade(node, [done[child] for child in trees.children(node)])
            else:
                done[node] = self._symbol(node)
        return done[root]

    def graph(self, given: Graph) -> Graph:
        """Return a graph with symbols for its sizes."""
        return replace(
            given,
            inputs=tuple(map(self._variable, given.inputs)),
            definitions=tuple((self._symbol(s), self.expression(e)) for s, e in given),
            outputs=tuple(map(self._symbol, given.outputs)),
        )

    def formula(self, given: Formula) -> Formula:
        """Return a formula with symbols for its sizes."""
        return Formula(self.graph(given.graph), self.expression(given.output))

    def claim(self, given: Any) -> Any:
        """Return a claim with symbols for its sizes; a function takes arrays of any size."""
        if isinstance(given, Formula):
            return self.formula(given)
        if isinstance(given, Mapping):
            return {key: self.claim(value) for key, value in given.items()}
        if isinstance(given, (list, tuple)):
            return [
                (pair[0], self.claim(pair[1])) if _is_pair(pair) else self.claim(pair)
                for pair in given
            ]
        return self.expression(given) if isinstance(given, sp.Basic) else given

    def derivation(self, given: Derivation) -> Derivation:
        """Return a derivation with symbols for its sizes."""
        adjoints = tuple(
            replace(
                adjoint,
                variable=self._symbol(adjoint.variable),
                symbol=self._symbol(adjoint.symbol),
                value=self.expression(adjoint.value),
            )
            for adjoint in given.adjoints
        )
        return replace(given, adjoints=adjoints, result=self.graph(given.result))


def _is_pair(value: Any) -> bool:
    return isinstance(value, (list, tuple)) and len(value) == 2


def expressions_of(claim: Any) -> Iterator[Any]:
    """Yield the expressions of a claim.

    >>> list(expressions_of({"x": [("dx", sp.Integer(2))]}))
    [2]
    """
    if isinstance(claim, Formula):
        yield from (e for _, e in claim.graph)
    elif isinstance(claim, Mapping):
        for value in claim.values():
            yield from expressions_of(value)
    elif isinstance(claim, (list, tuple)):
        for pair in claim:
            yield from expressions_of(pair[1] if _is_pair(pair) else pair)
    elif isinstance(claim, sp.Basic):
        yield claim
