"""SymPy expressions written into circuits, entry by entry, at concrete sizes.

Every function is spelled in the small alphabet of `symgrad.circuit`: tanh, sech and the logistic
function in exponentials, Max, Abs and Piecewise as choices by signs, a softmax entry by entry, an
inverse by elimination. So equal functions meet however they were written.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import sympy as sp
from sympy.matrices.expressions.applyfunc import ElementwiseApplyFunction
from sympy.matrices.expressions.matexpr import MatrixElement

from symgrad import trees
from symgrad.circuit import Circuit
from symgrad.errors import UnsupportedError
from symgrad.matrices import Broadcast, Elementwise, UnitMatrix

#: A table of nodes: the value of a matrix at concrete sizes.
Table = Any


def lowered(circuit: Circuit, expression: Any, values: Mapping[Any, Any] | None = None) -> Any:
    """Write an expression into a circuit.

    Args:
        circuit: Where to write.
        expression: A scalar, a matrix or a condition of SymPy's or symgrad's.
        values: What symbols stand for: a node for a scalar, a table of nodes (a NumPy array of
            two axes) for a matrix symbol or an indexed base, an int for a size.

    Returns:
        A node, or a table of nodes for a matrix.

    Raises:
        UnsupportedError: An operation that is not real-valued mathematics of scalars.

    >>> circuit, z = Circuit(), sp.Symbol("z", real=True)
    >>> at = {z: circuit.variable("z")}
    >>> lowered(circuit, sp.cosh(z) ** 2 - 1, at) == lowered(circuit, sp.cosh(z) ** 2 - 1, at)
    True
    """
    return Writer(circuit, dict(values or {}))(expression)


def table(shape: tuple[Any, ...], entry: Callable[[int, int], Any]) -> Table:
    """Return the table whose entry at (i, j) is entry(i, j).

    >>> table((1, 2), lambda i, j: j).tolist()
    [[0, 1]]
    """
    made = np.empty(tuple(map(int, shape)), dtype=object)
    for i, j in np.ndindex(*made.shape):
        made[i, j] = entry(i, j)
    return made


class Writer:
    """Writes expressions into one circuit, each shared part once.

    Attributes:
        circuit: Where to write.
        values: What symbols stand for.
    """

    def __init__(self, circuit: Circuit, values: dict[Any, Any]) -> None:
        self.circuit, self.values = circuit, values
        self._done: dict[Any, Any] = {}

    def __call__(self, expression: Any) -> Any:
        """Write an expression; see `lowered`."""
        if isinstance(expression, sp.MatrixBase):
            expression = sp.ImmutableMatrix(expression)
        for node in trees.postorder(expression, OWN_WALK):
            if node not in self._done:
                self._done[node] = self._written(node)
        return self._done[expression]

    def define(self, symbol: Any, expression: Any) -> Any:
        """Write a definition, and let its symbol stand for it from now on."""
        self.values[symbol] = self(expression)
        return self.values[symbol]

    def size(self, expression: Any) -> int:
        """Return the integer that a size, a bound or an index is."""
        value = sp.sympify(expression)
        found = value.xreplace({s: self._size_of(s) for s in value.free_symbols})
        if not found.is_Integer:
            raise UnsupportedError(f"`{expression}` is not an integer at the chosen sizes")
        return int(found)

    def _size_of(self, symbol: Any) -> Any:
        known = self.values.get(symbol)
        if isinstance(known, SizedNode):
            return sp.Integer(known.size)
        return symbol if known is None else sp.Integer(known)

    def _written(self, node: Any) -> Any:
        if node in self.values:
            found = self.values[node]
            return self.circuit.number(found.size) if isinstance(found, SizedNode) else found
        for head in type(node).__mro__:
            if head in WRITERS:
                return WRITERS[head](self, node)
        raise UnsupportedError(
            f"`{type(node).__name__}` in `{short(node)}` is nothing that can be computed with "
            "real numbers"
        )

    def below(self, node: Any) -> list[Any]:
        """Return what the children of a node were written as."""
        return [self._done[child] for child in trees.children(node)]

    def apply(self, function: Any, *arguments: int) -> int:
        """Write a lambda or a function class of nodes."""
        names = [sp.Dummy(f"u{k}", real=True) for k, _ in enumerate(arguments)]
        inner = dict(zip(names, arguments, strict=True))
        return Writer(self.circuit, {**self.values, **inner})(function(*names))  # type: ignore[no-any-return]


class SizedNode:
    """The value of a symbol for a size: an int for shapes, its number in formulas."""

    def __init__(self, size: int) -> None:
        self.size = size


#: What a walk does not enter: what binds a symbol is written by its own writer.
OWN_WALK = (
    *(sp.Sum, sp.Product, sp.Lambda, sp.Piecewise, Elementwise, ElementwiseApplyFunction),
    *(MatrixElement, sp.FunctionMatrix, UnitMatrix, sp.ZeroMatrix, sp.OneMatrix, sp.Identity),
    *(Broadcast, sp.Integral, sp.Derivative, sp.matrices.immutable.ImmutableDenseMatrix),
)
Write = Callable[[Writer, Any], Any]
WRITERS: dict[type, Write] = {}


def short(node: Any) -> str:
    """Word an expression for a message, cut where it is long."""
    text = str(node)
    return text if len(text) <= 60 else f"{text[:57]}..."


def writes(*heads: type) -> Callable[[Write], Write]:
    """Register how nodes of some classes are written (a decorator)."""

    def register(write: Write) -> Write:
        WRITERS.update(dict.fromkeys(heads, write))
        return write

    return register


# The writers register themselves.
from symgrad.lowering import matrices, operations, scalars  # noqa: E402

__all__ = ["SizedNode", "Writer", "lowered", "matrices", "operations", "scalars", "table"]
