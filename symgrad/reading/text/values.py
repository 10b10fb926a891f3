"""Values of formulas as text: SymPy nodes with NumPy's ranks, and broadcasting between them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import sympy as sp

from symgrad import algebra, trees
from symgrad.errors import ShapeError, UnsupportedError
from symgrad.matrices import Broadcast
from symgrad.shapes import numpy_shape, same_size, worded

#: Exact numbers with more bits than this are not computed.
MOST_BITS = 20_000


@dataclass(frozen=True)
class Value:
    """A number or an array.

    Attributes:
        node: SymPy: a scalar, or a matrix expression.
        rank: How many axes the array has in NumPy; a 1-D array is a column inside.
    """

    node: Any
    rank: int = 0

    @property
    def shape(self) -> tuple[Any, ...]:
        """NumPy's shape, sizes as SymPy has them."""
        return tuple(self.node.shape)[: self.rank] if self.rank else ()

    @property
    def worded(self) -> str:
        """The shape in words."""
        return worded(numpy_shape(self.shape))


@dataclass(frozen=True)
class Test:
    """A condition on the entries of values: `x > 0`.

    Attributes:
        operands: The values, of shapes that broadcast.
        holds: Takes an entry of every operand, and returns SymPy's condition.
    """

    operands: tuple[Value, ...]
    holds: Callable[..., Any]

    def as_value(self) -> Value:
        """Return 1 where the condition holds, and 0 elsewhere, as NumPy counts it."""
        return entrywise(lambda *entries: _indicator(self.holds(*entries)), self.operands)


def _indicator(condition: Any) -> Any:
    return sp.Piecewise((sp.S.One, condition), (sp.S.Zero, True))


def number(value: Any) -> Value:
    """Return an exact number or a scalar expression as a value."""
    return Value(sp.sympify(value))


def common_shape(values: Sequence[Value]) -> tuple[Any, ...]:
    """Return the shape that values broadcast to, by NumPy's rules.

    Raises:
        ShapeError: They do not.

    >>> X, b = Value(sp.MatrixSymbol("X", 4, 3), 2), Value(sp.MatrixSymbol("b", 3, 1), 1)
    >>> common_shape([X, b])
    (4, 3)
    """
    rank = max((value.rank for value in values), default=0)
    found: list[Any] = [sp.S.One] * rank
    for value in values:
        padded = (sp.S.One,) * (rank - value.rank) + value.shape
        for axis, size in enumerate(padded):
            if found[axis] == 1:
                found[axis] = size
            elif size != 1 and not same_size(size, found[axis]):
                shapes = " and ".join(v.worded for v in values if v.rank)
                raise ShapeError(f"the shapes {shapes} do not broadcast")
    return tuple(found)


def spread(value: Value, shape: tuple[Any, ...]) -> Any:
    """Return the matrix that a value broadcasts to."""
    rows, columns = (*shape, sp.S.One)[:2]
    if not value.rank:
        return Broadcast(value.node, rows, columns)
    node = value.node
    if isinstance(node, Broadcast) and not node.args[0].is_Matrix:
        return Broadcast(node.args[0], rows, columns)
    if value.rank == 1 and len(shape) == 2:
        node = algebra.transpose(node)
    return algebra.broadcast(node, rows, columns)


def entrywise(function: Callable[..., Any], values: Sequence[Value]) -> Value:
    """Apply a function of scalars to the entries of values that broadcast.

    Numbers and scalar symbols stay inside the function; other scalars are repeated, so that the
    rules of matrices see what they are made of.
    """
    shape = common_shape(values)
    if not shape:
        return Value(function(*(value.node for value in values)))
    inside = [not v.rank and (v.node.is_number or v.node.is_Symbol) for v in values]
    matrices = [spread(v, shape) for v, own in zip(values, inside, strict=True) if not own]

    def of_entries(*entries: Any) -> Any:
        coming = iter(entries)
        pairs = zip(values, inside, strict=True)
        return function(*(v.node if own else next(coming) for v, own in pairs))

    return Value(algebra.elementwise(of_entries, *matrices), len(shape))


# ---------------------------------------------------------------- arithmetic


def total(terms: Sequence[Value]) -> Value:
    """Add values up."""
    shape = common_shape(terms)
    if not shape:
        return Value(bounded(sp.Add(*(term.node for term in terms))))
    return Value(algebra.add(*(spread(term, shape) for term in terms)), len(shape))


def negative(value: Value) -> Value:
    """Return the value with its sign changed."""
    return scaled(sp.S.NegativeOne, value)


def scaled(factor: Any, value: Value) -> Value:
    """Multiply a value by a scalar."""
    if not value.rank:
        return Value(bounded(trees.times(factor, value.node)))
    return Value(algebra.scale(factor, value.node), value.rank)


def product(first: Value, second: Value) -> Value:
    """Multiply entry by entry."""
    if not first.rank:
        return scaled(first.node, second)
    if not second.rank:
        return scaled(second.node, first)
    shape = common_shape((first, second))
    return Value(algebra.hadamard(spread(first, shape), spread(second, shape)), len(shape))


def quotient(first: Value, second: Value) -> Value:
    """Divide entry by entry.

    Raises:
        UnsupportedError: A division by the number zero.
    """
    if second.node.is_zero:
        raise UnsupportedError("a division by zero")
    if not second.rank:
        return scaled(power(second, number(-1)).node, first)
    return entrywise(lambda a, b: a / b, (first, second))


def remainder(first: Value, second: Value) -> Value:
    """Return a - b floor(a / b): it has the sign of b.

    Raises:
        UnsupportedError: A division by the number zero.
    """
    whole = entrywise(sp.floor, [quotient(first, second)])
    return total([first, negative(product(whole, second))])


def power(base: Value, exponent: Value) -> Value:
    """Raise entry by entry."""
    return entrywise(_power, (base, exponent))


def _power(base: Any, exponent: Any) -> Any:
    if base.is_Rational and exponent.is_Rational:
        bits = max(abs(base.p).bit_length(), base.q.bit_length())
        if bits > 1 and (abs(exponent.p) // exponent.q + 1) * bits > MOST_BITS:
            raise UnsupportedError(TOO_LARGE)
    result = bounded(base**exponent)
    if (result.is_number and result.is_real is False) or result.has(sp.zoo, sp.nan, sp.oo):
        raise UnsupportedError(f"{base}**({exponent}) is no real number")
    return result


TOO_LARGE = f"a number of more than {MOST_BITS} bits"


def bounded(node: Any) -> Any:
    """Return a node, unless it is too large a number.

    Raises:
        UnsupportedError: It is.
    """
    if node.is_Rational and max(abs(node.p).bit_length(), node.q.bit_length()) > MOST_BITS:
        raise UnsupportedError(TOO_LARGE)
    return node


def matrix_product(first: Value, second: Value) -> Value:
    """Multiply as `@` does.

    Raises:
        ShapeError: A scalar, or inner sizes that differ.
    """
    if not first.rank or not second.rank:
        raise ShapeError("`@` multiplies arrays; for scalars use `*`")
    inner = first.shape[-1], second.shape[0]
    if not same_size(*inner):
        raise ShapeError(
            f"`@` of the shapes {first.worded} and {second.worded}: the inner sizes {inner[0]} "
            f"and {inner[1]} differ"
        )
    if first.rank == second.rank == 1:
        whole = algebra.multiply(algebra.transpose(first.node), second.node)
        factor, rest = algebra.split_coefficient(whole)
        return Value(trees.times(factor, sp.Trace(rest)))
    if first.rank == 1:
        return Value(algebra.multiply(algebra.transpose(second.node), first.node), 1)
    return Value(algebra.multiply(first.node, second.node), second.rank)
