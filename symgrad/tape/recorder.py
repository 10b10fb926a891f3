"""Recording: operations are added one by one, equal ones once, factors carried outside.

Every method returns a `Value`. A factor moves through what is linear, so that the 2/n of a mean
squared error meets the gradients, which are small, and never the arrays of samples.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import sympy as sp

from symgrad.errors import UnsupportedError
from symgrad.tape import (
    BROADCAST,
    INNER,
    INPUT,
    LARGEST,
    MATMUL,
    NUMBER,
    SAMPLES,
    SLICE,
    SUM,
    TRANSPOSE,
    Op,
    Value,
)

ONE, MINUS = sp.S.One, sp.S.NegativeOne
SCALAR = (1, 1)
#: Operations that can be spelled in others.
NATIVE = frozenset(("sigmoid", "softplus"))
#: Factors up to this many bits, and sizes up to this power, are carried outside of arrays.
MOST_BITS, HIGHEST_POWER = 128, 8
#: Functions f with f(-z) = -f(z), through which a sign moves.
ODD = frozenset(("tanh", "sin", "sinh", "arctan", "arcsinh", "arctanh", "arcsin", "tan", "erf"))


class Recorder:
    """A growing tape.

    Attributes:
        last: The size that stands last in memory, or None where arrays stay as they are.
        native: Operations that the target has, of those that can be spelled in others.
    """

    def __init__(self, last: Any = None, native: frozenset[str] = NATIVE) -> None:
        self.last, self.native = last, native
        self.ops: list[Op] = []
        self._known: dict[Op, int] = {}

    def node(
        self, kind: str, args: Sequence[int] = (), shape: Any = SCALAR, data: Any = None
    ) -> int:
        """Record an operation as it is, unless it is there already; return its place."""
        op = Op(kind, tuple(args), shape, data)
        found = self._known.get(op)
        if found is None:
            found = self._known[op] = len(self.ops)
            self.ops.append(op)
        return found

    def shape(self, node: int) -> tuple[Any, Any]:
        """Return the shape of what a node holds."""
        return self.ops[node].shape

    def lifted(self, value: Value) -> bool:
        """Tell whether a value is of one sample and differs from sample to sample."""
        return self.shape(value.node)[1] is SAMPLES

    def whole(self, value: Value) -> bool:
        """Tell whether the node has the value's full shape."""
        shape = self.shape(value.node)
        if shape[1] is SAMPLES:
            return bool(shape[0] == value.shape[1 if value.turned else 0])
        return bool((shape[::-1] if value.turned else shape) == value.shape)

    # ------------------------------------------------------------ leaves

    def input(self, name: str, shape: tuple[Any, Any], lifted: bool = False) -> Value:
        """Record an input; one of one sample has its samples as columns."""
        if lifted:
            rows, columns = shape
            if rows != 1 and columns != 1:
                raise UnsupportedError(f"`{name}` is a matrix for every sample")
            turned = rows == 1 and columns != 1
            node = self.node(INPUT, (), (columns if turned else rows, SAMPLES), (name, turned))
            return Value(ONE, node, turned, shape)
        turned = self.last is not None and shape[0] == self.last != shape[1]
        held = shape[::-1] if turned else shape
        return Value(ONE, self.node(INPUT, (), held, (name, turned)), turned, shape)

    def number(self, number: Any, shape: tuple[Any, Any] = SCALAR) -> Value:
        """Return a number, repeated to a shape."""
        return Value(sp.sympify(number), self.node(NUMBER, (), SCALAR, ONE), False, shape)

    def is_number(self, value: Value) -> bool:
        """Tell whether a value is a number, or an expression of sizes."""
        return self.ops[value.node] == Op(NUMBER, (), SCALAR, ONE)

    # -------------------------------------------------------- bringing together

    def plain(self, value: Value) -> int:
        """Return a node that holds the value with its factor, turned as it is."""
        if value.factor == 1:
            return value.node
        if self.is_number(value):
            return self.node(NUMBER, (), SCALAR, value.factor)
        if value.factor == -1:
            return self.node("negative", (value.node,), self.shape(value.node))
        number = self.node(NUMBER, (), SCALAR, value.factor)
        return self.node("multiply", (number, value.node), self.shape(value.node))

    def frame(self, values: Sequence[Value]) -> bool:
        """Return whether values that work together should be held turned."""
        lifted = [v for v in values if self.lifted(v) and v.shape != SCALAR]
        if lifted:
            return lifted[0].turned
        size = [v for v in values if self.shape(v.node) != SCALAR]
        if self.last is not None:
            along = [v for v in size if self.last in self.shape(v.node)]
            size = along or size
        return bool(size) and max(size, key=self._extent).turned

    def within(self, value: Value, turned: bool) -> Value:
        """Bring a value into a frame."""
        if value.turned == turned:
            return value
        shape = self.shape(value.node)
        if shape == SCALAR or (self.lifted(value) and value.shape == SCALAR):
            return value._replace(turned=turned)
        if self.lifted(value):
            raise UnsupportedError("rows and columns of samples meet in one operation")
        op = self.ops[value.node]
        node = (
            op.args[0] if op.kind == TRANSPOSE else self.node(TRANSPOSE, (value.node,), shape[::-1])
        )
        return value._replace(node=node, turned=turned)

    def full(self, value: Value) -> Value:
        """Write a repeated value out to its full shape."""
        if self.whole(value):
            return value
        held = value.shape[::-1] if value.turned else value.shape
        if self.lifted(value):
            held = (held[0], SAMPLES)
        return value._replace(node=self.node(BROADCAST, (value.node,), held))

    def _together(self, shapes: Sequence[tuple[Any, Any]]) -> tuple[Any, Any]:
        """Return the shape that NumPy's broadcasting gives."""
        result = []
        for axis in (0, 1):
            found = {shape[axis] for shape in shapes} - {1}
            if len(found) > 1:
                raise UnsupportedError(f"arrays with {shapes} meet in one operation")
            result.append(found.pop() if found else 1)
        return result[0], result[1]

    def entrywise(self, kind: str, *values: Value) -> Value:
        """Record an operation entry by entry; factors are multiplied in."""
        if kind in ODD and values[0].factor.could_extract_minus_sign():
            return self.negative(self.entrywise(kind, self.negative(values[0])))
        turned = self.frame(values)
        held = [self.within(value, turned) for value in values]
        nodes = [self.plain(value) for value in held]
        return self._made(kind, nodes, turned, values)

    def _made(self, kind: str, nodes: list[int], turned: bool, values: Sequence[Value]) -> Value:
        shape = self._together([self.shape(node) for node in nodes])
        whole = self._together([value.shape for value in values])
        return Value(ONE, self.node(kind, nodes, shape), turned, whole)

    # -------------------------------------------------------------- arithmetic

    def negative(self, value: Value) -> Value:
        """Return the value with the other sign."""
        return value._replace(factor=-value.factor)

    def scaled(self, factor: Any, value: Value) -> Value:
        """Return a number times a value."""
        loose, held = _split(sp.sympify(factor) * value.factor)
        if held != 1 and not self.is_number(value):
            return self._times(held, value)._replace(factor=loose)
        return value._replace(factor=factor * value.factor)

    def _times(self, number: Any, value: Value) -> Value:
        """Multiply a node by a number that does not move on."""
        held = self.node(NUMBER, (), SCALAR, number)
        node = self.node("multiply", (held, value.node), self.shape(value.node))
        return value._replace(node=node, factor=ONE)

    def multiply(self, *values: Value) -> Value:
        """Return the product, entry by entry."""
        factors = [value.factor for value in values if value.factor is not ONE]
        factor = sp.Mul(*factors) if factors else ONE
        shape = self._together([value.shape for value in values])
        parts = [value for value in values if not self.is_number(value)]
        if factor == 0 or not parts:
            return self.number(factor, shape)
        loose, held = _split(factor)
        if held != 1:
            # Only what stays exact moves on: a rounded factor times another is a third one.
            parts[0] = self._times(held, parts[0])
            factor = loose
        result = parts[0]
        for part in parts[1:]:
            turned = self.frame([result, part])
            pair = [self.within(v, turned).node for v in (result, part)]
            if pair[0] == pair[1]:
                made = Value(ONE, self.node("square", pair[:1], self.shape(pair[0])), turned, shape)
            else:
                made = self._made("multiply", pair, turned, (result, part))
            result = made
        return result._replace(factor=factor, shape=shape)

    def divide(self, over: Value, under: Value) -> Value:
        """Return the quotient, entry by entry."""
        if self.is_number(under):
            return over._replace(factor=over.factor / under.factor)
        factor = over.factor / under.factor
        shape = self._together([over.shape, under.shape])
        if self.is_number(over):
            node = self.node("reciprocal", (under.node,), self.shape(under.node))
            return Value(factor, node, under.turned, shape)
        turned = self.frame([over, under])
        pair = [self.within(v, turned).node for v in (over, under)]
        return self._made("divide", pair, turned, (over, under))._replace(factor=factor)

    def power(self, value: Value, exponent: Any) -> Value:
        """Return a power with an exponent that is a number."""
        exponent = sp.sympify(exponent)
        if exponent == 1:
            return value
        if exponent.is_negative:
            return self.divide(self.number(1), self.power(value, -exponent))
        if exponent == sp.Rational(1, 2):
            return self.entrywise("sqrt", value)
        if not exponent.is_Integer or exponent > 8:
            return self.entrywise("power", value, self.number(exponent))
        bare = value._replace(factor=ONE)
        result = bare
        for bit in bin(int(exponent))[3:]:
            result = self.multiply(result, result)
            result = self.multiply(result, bare) if bit == "1" else result
        return result._replace(factor=value.factor**exponent)

    def add(self, *values: Value) -> Value:
        """Return the sum; a factor that all terms share moves outside."""
        shape = self._together([value.shape for value in values])
        numbers = [v for v in values if self.is_number(v)]
        parts = [v for v in values if not self.is_number(v) and v.factor != 0]
        constant = sp.Add(*(v.factor for v in numbers)) if numbers else sp.S.Zero
        if not parts:
            return self.number(constant, shape)
        if constant != 0:
            parts = [*parts, self.number(constant)]
        merged = self._merged(parts)
        if len(merged) == 1:
            return merged[0]._replace(shape=shape)
        factor = self._common(merged)
        # What is added comes before what is taken away, small arrays before large ones.
        over = merged
        if factor is not ONE:
            over = [v._replace(factor=v.factor / factor) for v in merged]
        over.sort(key=lambda v: (v.factor == -1, self._extent(v)))
        if all(v.factor == -1 for v in over):
            over, factor = [self.negative(v) for v in over], -factor
        result = over[0]
        for part in over[1:]:
            result = self._sum(result, part)
        return result._replace(factor=factor * result.factor, shape=shape)

    def _merged(self, parts: list[Value]) -> list[Value]:
        """Add up the factors of terms that are one node."""
        found: dict[tuple[int, bool], Value] = {}
        for part in parts:
            key = part.node, part.turned
            known = found.get(key)
            found[key] = (
                part if known is None else known._replace(factor=known.factor + part.factor)
            )
        kept = [value for value in found.values() if value.factor != 0]
        return kept or [self.number(0)]

    def _common(self, parts: list[Value]) -> Any:
        """Return the factor of the largest arrays: what has another one is multiplied by it."""
        if all(v.factor is ONE or v.factor is MINUS for v in parts):
            return ONE if any(v.factor is ONE for v in parts) else MINUS
        if any(map(self.is_number, parts)) and all(
            part.factor in (1, -1) for part in parts if not self.is_number(part)
        ):
            return ONE
        most = max(self._extent(part) for part in parts)
        large = [part.factor for part in parts if self._extent(part) == most]
        positive = [factor for factor in large if not factor.could_extract_minus_sign()]
        return (positive or large)[0]

    def _extent(self, value: Value) -> int:
        """Tell how much an array holds, roughly: a symbolic size is large."""
        count = 1
        for size in self.shape(value.node):
            count *= size if isinstance(size, int) else 10_000
        return count

    def total(self, node: int) -> int:
        """Record the sum of all entries that a node holds."""
        op = self.ops[node]
        if op.kind == SUM and op.data is not None:
            return self.total(op.args[0])
        held = op.shape
        if op.kind == "square":
            return self.node(INNER, (op.args[0], op.args[0]))
        if op.kind == "multiply" and all(self.shape(arg) == held for arg in op.args):
            return self.node(INNER, op.args)
        return node if held == SCALAR else self.node(SUM, (node,), SCALAR, None)

    def _sum(self, left: Value, right: Value) -> Value:
        turned = self.frame([left, right])
        left, right = self.within(left, turned), self.within(right, turned)
        kind = "subtract" if right.factor == -1 else "add"
        second = right.node if right.factor == -1 else self.plain(right)
        return self._made(kind, [self.plain(left), second], turned, (left, right))

    # ---------------------------------------------------------------- matrices

    def transpose(self, value: Value) -> Value:
        """Return the transpose: the same node, read the other way."""
        return value._replace(turned=not value.turned, shape=value.shape[::-1])

    def matmul(self, left: Value, right: Value) -> Value:
        """Return the matrix product."""
        shape = (left.shape[0], right.shape[1])
        if left.shape == SCALAR or right.shape == SCALAR:
            return self.multiply(left, right)
        factor = left.factor * right.factor
        lifted = self.lifted(left), self.lifted(right)
        if all(lifted):
            return self._lifted_product(left, right)
        if lifted[0]:
            # x' A for every sample is (A' x)'.
            if left.shape[0] != 1:
                raise UnsupportedError("a column of every sample times a matrix")
            flipped = self.matmul(self.transpose(right), self.transpose(left))
            return self.transpose(flipped)
        left, right = self.full(left), self.full(right)
        if lifted[1]:
            if right.turned and right.shape != SCALAR:
                raise UnsupportedError("a matrix times a row of every sample")
            node = self._product(left.node, left.turned, right.node, False, (shape[0], SAMPLES))
            return Value(factor, node, False, shape)
        if self.last is not None and shape[0] == self.last != shape[1]:
            node = self._product(
                right.node, not right.turned, left.node, not left.turned, shape[::-1]
            )
            return Value(factor, node, True, shape)
        node = self._product(left.node, left.turned, right.node, right.turned, shape)
        return Value(factor, node, False, shape)

    def _product(self, left: int, turn_left: bool, right: int, turn_right: bool, shape: Any) -> int:
        return self.node(MATMUL, (left, right), shape, (turn_left, turn_right))

    def _lifted_product(self, left: Value, right: Value) -> Value:
        if left.shape[0] == 1 and right.shape[1] == 1:
            product = self.multiply(self.transpose(left), right)
            return self.sum(product, 0)
        raise UnsupportedError("a matrix for every sample")

    def sum(self, value: Value, axis: int) -> Value:
        """Return the sums along an axis: 0 adds the rows up, 1 the columns."""
        shape = (1, value.shape[1]) if axis == 0 else (value.shape[0], 1)
        if value.shape == shape:
            return value
        along = axis ^ value.turned
        held = self.shape(value.node)
        if self.is_number(value) or held[along] == 1:
            # Repeated along the axis: as often as the axis is long.
            factor = value.factor * sp.sympify(value.shape[axis])
            return value._replace(factor=factor, shape=shape)
        if self.lifted(value) and along == 1:
            raise UnsupportedError("a sum over the samples inside of the formula of one sample")
        result = (1, held[1]) if along == 0 else (held[0], 1)
        if result == SCALAR:
            return Value(value.factor, self.total(value.node), False, shape)
        node = self.node(SUM, (value.node,), result, along)
        return Value(value.factor, node, value.turned, shape)

    def sum_entries(self, value: Value) -> Value:
        """Return the sum of all entries."""
        if self.lifted(value) or not self.whole(value):
            return self.sum(self.sum(value, 0), 1)
        if value.shape == SCALAR:
            return value
        return Value(value.factor, self.total(value.node), False, SCALAR)

    def largest(self, value: Value, axis: int) -> Value:
        """Return the largest entry along an axis."""
        value = self.full(value)
        node = self.plain(value)
        along = axis ^ value.turned
        held = self.shape(node)
        if held[along] == 1:
            return value
        result = (1, held[1]) if along == 0 else (held[0], 1)
        shape = (1, value.shape[1]) if axis == 0 else (value.shape[0], 1)
        return Value(ONE, self.node(LARGEST, (node,), result, along), value.turned, shape)

    def entry(self, value: Value, row: int, column: int) -> Value:
        """Return one entry."""
        value = self.full(value)
        at = (column, row) if value.turned else (row, column)
        if self.lifted(value):
            node = self.node(SLICE, (value.node,), (1, SAMPLES), (at[0], None))
        else:
            node = self.node(SLICE, (value.node,), SCALAR, at)
        return Value(value.factor, node, False, SCALAR)


def is_long(factor: Any) -> bool:
    """Tell whether a factor is beyond what formulas are written with."""
    for part in sp.Mul.make_args(factor):
        if part.is_Rational and part.p.bit_length() + part.q.bit_length() > MOST_BITS:
            return True
        if part.is_Pow and part.exp.is_Integer and abs(part.exp) > HIGHEST_POWER:
            return True
    return False


def _split(factor: Any) -> tuple[Any, Any]:
    """Split a factor into what moves through linear operations, and what stays where it is.

    Rational numbers and sizes move: their products and quotients are exact.
    """
    if factor.is_Rational:
        return factor, ONE
    loose: list[Any] = []
    held: list[Any] = []
    for part in sp.Mul.make_args(factor):
        moves = part.is_Rational or (part.free_symbols and not part.has(sp.Float))
        (loose if moves else held).append(part)
    return sp.Mul(*loose), sp.Mul(*held)
