"""Derivations at sizes at which they can be written out in scalars.

A layer of 784 units has no line that a layer of 6 units does not have: sizes stand in the shapes
alone. So the large ones are made symbols, which a proof gives small values; where a size also is a
number of the formula, as in a mean over 784 entries, the derivation stays as it is.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

import sympy as sp

from symgrad import trees
from symgrad.derivation import Derivation
from symgrad.errors import UnsupportedError
from symgrad.graph import Graph
from symgrad.matrices import Broadcast
from symgrad.shapes import Shape, Variable, dimension, shape_of

#: Above this many sums and products of scalars a derivation is not written out.
LARGE = 10_000
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
    work = _work(derived.result, {})
    if work <= LARGE:
        return derived
    named: dict[Any, Any] = {}
    for size in sorted(_sizes(derived.result), reverse=True):
        named[sp.Integer(size)] = dimension(f"size_{size}")
        if _work(derived.result, named) <= LARGE:
            break
    else:
        raise UnsupportedError(f"it takes {work} sums and products written out in scalars")
    for number in _numbers(derived.result):
        if number.is_Rational and {sp.Integer(number.p), sp.Integer(number.q)} & named.keys():
            raise UnsupportedError(
                f"it takes {work} sums and products written out in scalars, and smaller sizes do "
                f"not do: the number {number} may come from one of them"
            )
    return _Renaming(named).derivation(derived)


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


def _numbers(graph: Graph) -> Iterator[Any]:
    """Yield the numbers of the definitions that are no sizes of constant matrices."""
    for _, expression in graph.definitions:
        for node in trees.postorder(expression):
            if not isinstance(node, _OF_SIZES):
                below = trees.children(node)
                kept = below[:1] if isinstance(node, Broadcast) else below
                yield from (child for child in kept if child.is_Number)


class _Renaming:
    """Puts symbols in the place of sizes."""

    def __init__(self, named: Mapping[Any, Any]) -> None:
        self.named = named

    def size(self, given: Any) -> Any:
        return self.named.get(sp.sympify(given), given)

    def symbol(self, given: Any) -> Any:
        if isinstance(given, sp.MatrixSymbol):
            return sp.MatrixSymbol(given.name, *map(self.size, given.shape))
        return given

    def variable(self, given: Variable) -> Variable:
        shape = tuple(self.size(axis) if isinstance(axis, int) else axis for axis in given.shape)
        return replace(given, symbol=self.symbol(given.symbol), shape=shape)

    def expression(self, root: Any) -> Any:
        done: dict[Any, Any] = {}
        for node in trees.postorder(root):
            if isinstance(node, _OF_SIZES):
                done[node] = node.func(*map(self.size, node.args))
            elif isinstance(node, Broadcast):
                done[node] = node.func(done[node.args[0]], *map(self.size, node.args[1:]))
            elif trees.children(node):
                done[node] = trees.remade(node, [done[child] for child in trees.children(node)])
            else:
                done[node] = self.symbol(node)
        return done[root]

    def derivation(self, given: Derivation) -> Derivation:
        graph = replace(
            given.result,
            inputs=tuple(map(self.variable, given.result.inputs)),
            definitions=tuple((self.symbol(s), self.expression(e)) for s, e in given.result),
            outputs=tuple(map(self.symbol, given.result.outputs)),
        )
        adjoints = tuple(
            replace(
                adjoint,
                variable=self.symbol(adjoint.variable),
                symbol=self.symbol(adjoint.symbol),
                value=self.expression(adjoint.value),
            )
            for adjoint in given.adjoints
        )
        return replace(given, adjoints=adjoints, result=graph)
