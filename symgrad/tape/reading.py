"""Graphs recorded on tapes.

A formula of one sample is recorded over all of them: what depends on a sample has the samples as
its columns, and a sum over samples of a column times a row is one matrix product.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import sympy as sp
from sympy.matrices.expressions.matexpr import MatrixElement

from symgrad.errors import UnsupportedError
from symgrad.functions import identity
from symgrad.graph import Graph
from symgrad.matrices import Broadcast, Elementwise, SumColumns, SumEntries, SumRows
from symgrad.shapes import name_of
from symgrad.softmax import LogSoftmax, Softmax
from symgrad.tape import MATMUL, SAMPLES, SUM, Tape, Value
from symgrad.tape.functions import record_of
from symgrad.tape.recorder import NATIVE, ONE, Recorder, is_long


@dataclass(frozen=True)
class Outers:
    """A sum of columns times rows for every sample, which is kept only as a sum over samples.

    Attributes:
        terms: Factors, columns and rows.
        shared: Matrices that are added to it, the same for every sample: the slope of a penalty.
    """

    terms: tuple[tuple[Any, Value, Value], ...]
    shared: tuple[Value, ...] = ()


def recorded(
    graph: Graph,
    outputs: Mapping[str, Any],
    batch: Iterable[str] = (),
    reduce: str | None = None,
    last: Any = None,
    values: Mapping[Any, int] | None = None,
    native: frozenset[str] = NATIVE,
) -> Tape:
    """Record what a graph's outputs need.

    Args:
        graph: The graph.
        outputs: The symbols that are asked for, by the names that the tape gives them.
        batch: Inputs that have samples.
        reduce: How samples are put together: "mean", "sum", or None for one result each.
        last: The size of the samples' axis, which stands last in memory.
        values: Numbers for symbolic sizes, where a tape for these alone is wanted.
        native: Operations that the target has, of those that can be spelled in others.

    Raises:
        UnsupportedError: Something that tapes have no operation for; the message names it.
    """
    reader = Reader(Recorder(last, native), graph, frozenset(batch), dict(values or {}))
    needed = graph.needed(outputs.values())
    for symbol, expression in needed.definitions:
        found = reader.values[symbol] = reader(expression)
        if isinstance(found, Value) and is_long(found.factor):
            # In h = h @ h / 30 every definition squares it: it would have twice the digits, and
            # leave arrays that overflow.
            raise UnsupportedError("factors that grow from definition to definition")
    made = {name: reader.output(symbol, reduce) for name, symbol in outputs.items()}
    axis = SAMPLES if batch else last
    return trimmed(Tape(tuple(reader.recorder.ops), made, axis))


def trimmed(tape: Tape) -> Tape:
    """Drop the operations that no output needs; inputs stay."""
    wanted = {value.node for value in tape.outputs.values()}
    for place in range(len(tape.ops) - 1, -1, -1):
        if place in wanted:
            wanted.update(tape.ops[place].args)
    kept = [p for p, op in enumerate(tape.ops) if p in wanted or op.kind == "input"]
    place_of = {old: new for new, old in enumerate(kept)}
    ops = tuple(
        tape.ops[old]._replace(args=tuple(place_of[arg] for arg in tape.ops[old].args))
        for old in kept
    )
    outputs = {n: v._replace(node=place_of[v.node]) for n, v in tape.outputs.items()}
    return Tape(ops, outputs, tape.axis)


class Reader:
    """Records expressions, each shared part once."""

    def __init__(
        self, recorder: Recorder, graph: Graph, batch: frozenset[str], sizes: dict[Any, int]
    ) -> None:
        self.recorder, self.graph, self.batch, self.sizes = recorder, graph, batch, sizes
        self.values: dict[Any, Any] = {
            v.symbol: recorder.input(v.name, self.shape(v.symbol), v.name in batch)
            for v in graph.inputs
        }
        self.known_sizes = set(graph.sizes)
        self._done: dict[Any, Any] = {}

    def shape(self, expression: Any) -> tuple[Any, Any]:
        """Return rows and columns, as ints where they are known."""
        if not getattr(expression, "is_Matrix", False):
            return (1, 1)
        rows, columns = expression.shape
        return self.size(rows), self.size(columns)

    def size(self, size: Any) -> Any:
        """Return a size as an int, or as the expression that it is."""
        if isinstance(size, int):
            return size
        size = sp.sympify(size)
        if self.sizes and size.free_symbols:
            size = size.xreplace({s: sp.Integer(v) for s, v in self.sizes.items()})
        return int(size) if size.is_Integer else size

    def __call__(self, expression: Any) -> Any:
        """Record an expression; the value is a `Value`, or `Outers`."""
        if expression in self.values:
            return self.values[expression]
        found = self._done.get(expression)
        if found is None:
            found = self._done[expression] = self._read(expression)
        return found

    def value(self, expression: Any) -> Value:
        """Record an expression that is no matrix for every sample."""
        found = self(expression)
        if isinstance(found, Outers):
            raise UnsupportedError(f"a matrix for every sample, `{expression}`")
        return found  # type: ignore[no-any-return]

    def _read(self, expression: Any) -> Any:
        if not getattr(expression, "is_Matrix", False) and self._of_sizes(expression):
            return self.recorder.number(self._number(expression))
        for head in type(expression).__mro__:
            read = READERS.get(head)
            if read is not None:
                return read(self, expression)
        raise UnsupportedError(f"`{type(expression).__name__}`")

    def _of_sizes(self, expression: Any) -> bool:
        """Tell whether an expression is a number once the sizes are known."""
        number = expression.is_number or expression.free_symbols <= self.known_sizes
        # The sum of a matrix of ones is none for SymPy: it is read part by part.
        return bool(number) and not expression.has(sp.MatrixExpr)

    def _number(self, expression: Any) -> Any:
        if self.sizes and expression.free_symbols:
            return expression.xreplace({s: sp.Integer(v) for s, v in self.sizes.items()})
        return expression

    def whole_number(self, expression: Any) -> int:
        """Return an index or an exponent as an int."""
        found = self._number(sp.sympify(expression))
        if not found.is_Integer:
            raise UnsupportedError(f"the index `{expression}`")
        return int(found)

    # ---------------------------------------------------------------- outputs

    def output(self, symbol: Any, reduce: str | None) -> Value:
        """Return what is asked for, put together over samples."""
        found = self(symbol)
        recorder = self.recorder
        if not self.batch:
            return recorder.full(found)
        own = self.graph.label(symbol).of in self.batch
        share = 1 / SAMPLES if reduce == "mean" else ONE
        if isinstance(found, Outers):
            if own or reduce is None:
                raise UnsupportedError("a matrix for every sample")
            parts = [self._gathered(f * share, a, b) for f, a, b in found.terms]
            times = ONE if reduce == "mean" else SAMPLES
            parts += [recorder.scaled(times, recorder.full(value)) for value in found.shared]
            return recorder.add(*parts)
        if own or reduce is None:
            if not recorder.lifted(found):
                raise UnsupportedError("a result that is the same for every sample")
            found = recorder.full(found)
            return recorder.scaled(share, found) if own and reduce else found
        if not recorder.lifted(found):
            found = recorder.full(found)
            return found if reduce == "mean" else recorder.scaled(SAMPLES, found)
        rows = recorder.shape(found.node)[0]
        if rows == 1:
            node = recorder.total(found.node)
        else:
            node = recorder.node(SUM, (found.node,), (rows, 1), 1)
        return recorder.full(found._replace(factor=found.factor * share, node=node))

    def _gathered(self, factor: Any, column: Value, row: Value) -> Value:
        """Return the sum over samples of a column times a row: one matrix product."""
        recorder = self.recorder
        shape = (column.shape[0], row.shape[1])
        column, row = recorder.full(column), recorder.full(row)
        node = recorder.node(MATMUL, (row.node, column.node), shape[::-1], (False, True))
        return Value(factor * column.factor * row.factor, node, True, shape)


# --------------------------------------------------------------------- readers


def _symbol(reader: Reader, expression: Any) -> Value:
    raise UnsupportedError(f"`{name_of(expression)}`, which is not an input")


def _add(reader: Reader, expression: Any) -> Any:
    parts = [reader(arg) for arg in expression.args]
    outers = [part for part in parts if isinstance(part, Outers)]
    if not outers:
        return reader.recorder.add(*parts)
    others = [part for part in parts if not isinstance(part, Outers)]
    if any(map(reader.recorder.lifted, others)):
        raise UnsupportedError("a matrix for every sample plus another")
    terms = (term for part in outers for term in part.terms)
    return Outers(tuple(terms), (*others, *(v for part in outers for v in part.shared)))


def _mul(reader: Reader, expression: Any) -> Value:
    recorder = reader.recorder
    over: list[Value] = []
    under: list[Value] = []
    for factor in expression.args:
        if isinstance(factor, sp.Pow) and factor.exp.is_Number and factor.exp.is_negative:
            under.append(recorder.power(reader.value(factor.base), -factor.exp))
        else:
            over.append(reader.value(factor))
    result = recorder.multiply(*over) if over else recorder.number(1)
    return recorder.divide(result, recorder.multiply(*under)) if under else result


def _pow(reader: Reader, expression: Any) -> Value:
    base, exponent = expression.base, expression.exp
    if base == sp.E:
        return reader.recorder.entrywise("exp", reader.value(exponent))
    if exponent.is_number:
        return reader.recorder.power(reader.value(base), exponent)
    return reader.recorder.entrywise("power", reader.value(base), reader.value(exponent))


def _function(reader: Reader, expression: Any) -> Value:
    record = record_of(expression.func)
    if record is None or expression.func is identity:
        raise UnsupportedError(f"`{expression.func.__name__}`")
    return record(reader.recorder, *map(reader.value, expression.args))


def _one_by_one(kind: str) -> Callable[[Reader, Any], Value]:
    """Return the reader of an operation that takes two of its arguments at a time."""

    def read(reader: Reader, expression: Any) -> Value:
        result, *others = map(reader.value, expression.args)
        for other in others:
            result = reader.recorder.entrywise(kind, result, other)
        return result

    return read


def _piecewise(reader: Reader, expression: Any) -> Value:
    recorder = reader.recorder
    *cases, (result, condition) = expression.args
    if condition != sp.true:
        raise UnsupportedError("a case without an otherwise")
    value = reader.value(result)
    for case, condition in reversed(cases):
        value = recorder.entrywise("where", reader.value(condition), reader.value(case), value)
    return value


_COMPARED = {
    sp.StrictGreaterThan: ("greater", False, False),
    sp.GreaterThan: ("greater_equal", False, False),
    sp.StrictLessThan: ("greater", True, False),
    sp.LessThan: ("greater_equal", True, False),
    sp.Equality: ("equal", False, False),
    sp.Unequality: ("equal", False, True),
}


def _relation(reader: Reader, expression: Any) -> Value:
    kind, swapped, opposite = _COMPARED[type(expression)]
    pair = list(map(reader.value, expression.args))
    found = reader.recorder.entrywise(kind, *(reversed(pair) if swapped else pair))
    return reader.recorder.entrywise("not", found) if opposite else found


def _opposite(reader: Reader, expression: Any) -> Value:
    return reader.recorder.entrywise("not", reader.value(expression.args[0]))


def _matrix_mul(reader: Reader, expression: Any) -> Any:
    recorder = reader.recorder
    coefficient, factors = expression.as_coeff_matrices()
    lead = reader.value(coefficient)
    parts = [reader.value(factor) for factor in factors]
    column, row = parts[0], parts[-1]
    if len(parts) > 1 and recorder.lifted(column) and recorder.lifted(row):
        split = _meeting(recorder, parts)
        if split is not None:
            left, right = (_chain(recorder, part) for part in split)
            if not recorder.is_number(lead):
                left = recorder.multiply(lead, left)
                return Outers(((ONE, left, right),))
            return Outers(((lead.factor, left, right),))
    product = _chain(recorder, parts)
    if recorder.is_number(lead):
        return recorder.scaled(lead.factor, product)
    return recorder.multiply(lead, product)


def _meeting(recorder: Recorder, parts: list[Value]) -> tuple[list[Value], list[Value]] | None:
    """Split a product of samples' columns and rows where a column meets a row, if it does."""
    if parts[0].shape[0] == 1 or parts[-1].shape[1] == 1:
        return None
    for cut in range(1, len(parts)):
        if parts[cut - 1].shape[1] == 1 and parts[cut].shape[0] == 1:
            return parts[:cut], parts[cut:]
    return None


def _chain(recorder: Recorder, parts: list[Value]) -> Value:
    """Return a product of several matrices, bracketed in the cheapest order."""
    sizes = [parts[0].shape[0], *(part.shape[1] for part in parts)]
    guesses = [float(size) if isinstance(size, int) else 100.0 for size in sizes]

    def bracketed(order: Any) -> Value:
        if isinstance(order, int):
            return parts[order]
        return recorder.matmul(bracketed(order[0]), bracketed(order[1]))

    return bracketed(cheapest_order(guesses))


def _hadamard(reader: Reader, expression: Any) -> Value:
    return reader.recorder.multiply(*map(reader.value, expression.args))


def _hadamard_power(reader: Reader, expression: Any) -> Value:
    if not expression.exp.is_number:
        raise UnsupportedError("a power with an exponent that varies")
    return reader.recorder.power(reader.value(expression.base), expression.exp)


def _elementwise(reader: Reader, expression: Any) -> Value:
    inner = Reader.__new__(Reader)
    inner.__dict__.update(reader.__dict__)
    bound = map(reader.value, expression.matrices)
    inner.values = {**reader.values, **dict(zip(expression.function.variables, bound, strict=True))}
    inner._done = {}
    found = inner.value(expression.function.expr)
    return found._replace(shape=reader.shape(expression))


def _broadcast(reader: Reader, expression: Any) -> Value:
    value = reader.value(expression.args[0])
    return value._replace(shape=reader.shape(expression))


def _transpose(reader: Reader, expression: Any) -> Any:
    found = reader(expression.arg)
    if isinstance(found, Outers):
        flip = reader.recorder.transpose
        turned = tuple((f, flip(b), flip(a)) for f, a, b in found.terms)
        return Outers(turned, tuple(map(flip, found.shared)))
    return reader.recorder.transpose(found)


def _softmax(reader: Reader, expression: Any) -> Value:
    recorder, axis = reader.recorder, expression.axis
    matrix = reader.value(expression.matrix)
    shifted = recorder.add(matrix, recorder.negative(recorder.largest(matrix, axis)))
    exponentials = recorder.entrywise("exp", shifted)
    total = recorder.sum(exponentials, axis)
    if isinstance(expression, LogSoftmax):
        return recorder.add(shifted, recorder.negative(recorder.entrywise("log", total)))
    return recorder.divide(exponentials, total)


def _entry(reader: Reader, expression: Any) -> Value:
    matrix, *indices = expression.args
    return reader.recorder.entry(reader.value(matrix), *map(reader.whole_number, indices))


def _trace(reader: Reader, expression: Any) -> Value:
    recorder = reader.recorder
    if isinstance(expression.arg, sp.MatMul):
        coefficient, factors = expression.arg.as_coeff_matrices()
        if len(factors) > 1:
            left = recorder.transpose(reader.value(factors[0]))
            right = _chain(recorder, list(map(reader.value, factors[1:])))
            total = recorder.sum_entries(recorder.multiply(left, right))
            return recorder.multiply(reader.value(coefficient), total)
    raise UnsupportedError("the trace of what is no product")


def _constant(number: int) -> Callable[[Reader, Any], Value]:
    return lambda reader, expression: reader.recorder.number(number, reader.shape(expression))


READERS: dict[Any, Callable[[Reader, Any], Any]] = {
    sp.Symbol: _symbol,
    sp.MatrixSymbol: _symbol,
    sp.Add: _add,
    sp.Mul: _mul,
    sp.Pow: _pow,
    sp.Function: _function,
    sp.Max: _one_by_one("maximum"),
    sp.Min: _one_by_one("minimum"),
    sp.Piecewise: _piecewise,
    sp.core.relational.Relational: _relation,
    sp.And: _one_by_one("and"),
    sp.Or: _one_by_one("or"),
    sp.Not: _opposite,
    MatrixElement: _entry,
    sp.MatAdd: _add,
    sp.MatMul: _matrix_mul,
    sp.HadamardProduct: _hadamard,
    sp.HadamardPower: _hadamard_power,
    Elementwise: _elementwise,
    Broadcast: _broadcast,
    Softmax: _softmax,
    LogSoftmax: _softmax,
    sp.Transpose: _transpose,
    SumRows: lambda reader, e: reader.recorder.sum(reader.value(e.matrix), 0),
    SumColumns: lambda reader, e: reader.recorder.sum(reader.value(e.matrix), 1),
    SumEntries: lambda reader, e: reader.recorder.sum_entries(reader.value(e.matrix)),
    sp.Trace: _trace,
    sp.ZeroMatrix: _constant(0),
    sp.OneMatrix: _constant(1),
}


def cheapest_order(sizes: list[float]) -> Any:
    """Bracket a chain of matrices with the fewest multiplications (dynamic programming).

    Args:
        sizes: The chain's sizes; matrix k is `sizes[k]` by `sizes[k + 1]`.

    Returns:
        A matrix's place, or a pair of such orders.

    >>> cheapest_order([100, 100, 100, 1])
    (0, (1, 2))
    """
    count = len(sizes) - 1
    best: dict[tuple[int, int], tuple[float, Any]] = {(k, k): (0.0, k) for k in range(count)}
    for length in range(1, count):
        for first in range(count - length):
            last = first + length
            options = []
            for cut in range(first, last):
                (left, a), (right, b) = best[first, cut], best[cut + 1, last]
                cost = left + right + sizes[first] * sizes[cut + 1] * sizes[last + 1]
                options.append((cost, (a, b)))
            best[first, last] = min(options, key=lambda option: option[0])
    return best[0, count - 1][1]
