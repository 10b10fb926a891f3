"""How matrices are written into a circuit: as tables of nodes."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from functools import partial, reduce
from typing import Any

import numpy as np
import sympy as sp
from sympy.matrices.expressions.applyfunc import ElementwiseApplyFunction
from sympy.matrices.expressions.matexpr import MatrixElement

from symgrad.circuit import Circuit
from symgrad.errors import ShapeError, UnsupportedError
from symgrad.lowering import SizedNode, Table, Writer, table, writes
from symgrad.matrices import Broadcast, Elementwise, SumColumns, SumEntries, SumRows, UnitMatrix
from symgrad.shapes import name_of
from symgrad.softmax import LogSoftmax, Softmax


def entrywise(function: Callable[..., int], *tables: Table) -> Table:
    """Apply a function of nodes to the entries of tables of one shape.

    Raises:
        ShapeError: The shapes differ.
    """
    shapes = {each.shape for each in tables}
    if len(shapes) != 1:
        raise ShapeError(f"entries of tables of the shapes {sorted(shapes)}")
    return table(tables[0].shape, lambda i, j: function(*(each[i, j] for each in tables)))


def product(circuit: Circuit, first: Table, second: Table) -> Table:
    """Multiply two tables as matrices."""
    if first.shape[1] != second.shape[0]:
        raise ShapeError(f"a product of the shapes {first.shape} and {second.shape}")
    terms = range(first.shape[1])
    return table(
        (first.shape[0], second.shape[1]),
        lambda i, j: circuit.add(*(circuit.multiply(first[i, k], second[k, j]) for k in terms)),
    )


#: Determinants and inverses up to this size are written by minors, which never divide by a pivot.
BY_EXPANSION = 3
#: Larger ones up to this size by traces of powers, without a pivot, too.
BY_TRACES = 5


def determinant(circuit: Circuit, matrix: Table) -> int:
    """Return the determinant: by expansion up to 3 rows, else by elimination."""
    n = matrix.shape[0]
    if n == 0:
        return circuit.number(1)
    if n == 1:
        return int(matrix[0, 0])
    if n <= BY_EXPANSION:
        parts = (
            circuit.multiply(circuit.scale((-1) ** j, matrix[0, j]), _minor(circuit, matrix, 0, j))
            for j in range(n)
        )
        return circuit.add(*parts)
    if n <= BY_TRACES:
        return _by_traces(circuit, matrix)[0]
    rows = matrix.copy()
    sign = _eliminate(circuit, rows, below=True)
    return circuit.scale(sign, circuit.multiply(*np.diag(rows))) if sign else circuit.number(0)


def _minor(circuit: Circuit, matrix: Table, i: int, j: int) -> int:
    """Return the determinant of a table without its row i and column j."""
    return determinant(circuit, np.delete(np.delete(matrix, i, 0), j, 1))


def _by_traces(circuit: Circuit, matrix: Table) -> tuple[int, Table]:
    """Return the determinant and the adjugate, by the algorithm of Faddeev and Leverrier.

    With M_1 = I and c_k = -tr(A M_k)/k, M_(k+1) = A M_k + c_k I: the c_k are the coefficients of
    the characteristic polynomial, by Newton's identities. So A M_n = -c_n I, by Cayley's theorem
    that a matrix is a zero of it. Only integers are divided by: an entry that is zero without
    looking like it does no harm.
    """
    n = matrix.shape[0]
    identity = table((n, n), lambda i, j: circuit.number(int(i == j)))
    current, coefficient = identity, circuit.number(1)
    for k in range(1, n + 1):
        whole = product(circuit, matrix, current)
        coefficient = circuit.scale(Fraction(-1, k), circuit.add(*np.diag(whole)))
        if k < n:
            shift = [circuit.multiply(coefficient, entry) for entry in identity.flat]
            current = entrywise(circuit.add, whole, np.reshape(shift, (n, n)))
    sign = (-1) ** (n + 1)
    adjugate = entrywise(lambda entry: circuit.scale(sign, entry), current)
    return circuit.scale(-sign, coefficient), adjugate


def _eliminate(circuit: Circuit, rows: Table, *, below: bool) -> int:
    """Make the columns of a table zero off the diagonal, or below it.

    Rows are exchanged only where a pivot is the number 0: no pivot is searched by size.

    Returns:
        The sign of the exchanges; 0 where there is no pivot, that is for a singular matrix.
    """
    sign = 1
    for k in range(len(rows)):
        at = next((r for r in range(k, len(rows)) if circuit.as_number(rows[r, k]) != 0), None)
        if at is None:
            return 0
        if at != k:
            rows[[k, at]], sign = rows[[at, k]], -sign
        for r in range(k + 1 if below else 0, len(rows)):
            if r == k or circuit.as_number(rows[r, k]) == 0:
                continue
            factor = circuit.divide(rows[r, k], rows[k, k])
            rows[r, k] = circuit.number(0)
            for c in range(k + 1, rows.shape[1]):
                rows[r, c] = circuit.subtract(rows[r, c], circuit.multiply(factor, rows[k, c]))
    return sign


def solution(circuit: Circuit, matrix: Table, right: Table) -> Table:
    """Return the solution of matrix x = right: by minors up to 3 rows, else by elimination.

    Raises:
        UnsupportedError: The matrix is singular, whatever the variables are.
    """
    n = matrix.shape[0]
    if n <= BY_TRACES:
        return product(circuit, inverse(circuit, matrix), right)
    rows = np.concatenate([matrix, right], axis=1)
    if not _eliminate(circuit, rows, below=False):
        raise UnsupportedError(SINGULAR)
    return table(right.shape, lambda i, j: circuit.divide(rows[i, n + j], rows[i, i]))


def inverse(circuit: Circuit, matrix: Table) -> Table:
    """Return the inverse: by minors up to 3 rows, else by elimination.

    Raises:
        UnsupportedError: The matrix is singular, whatever the variables are.
    """
    n = matrix.shape[0]
    if n > BY_TRACES:
        identity = table((n, n), lambda i, j: circuit.number(int(i == j)))
        return solution(circuit, matrix, identity)
    if n > BY_EXPANSION:
        whole, adjugate = _by_traces(circuit, matrix)
    else:
        whole, adjugate = determinant(circuit, matrix), None
    if circuit.as_number(whole) == 0:
        raise UnsupportedError(SINGULAR)
    if adjugate is not None:
        return entrywise(lambda part: circuit.divide(part, whole), adjugate)

    def entry(i: int, j: int) -> int:
        part = circuit.scale((-1) ** (i + j), _minor(circuit, matrix, j, i))
        return circuit.divide(part, whole)

    return table((n, n), entry)


SINGULAR = "the inverse of a singular matrix"


@writes(sp.matrices.immutable.ImmutableDenseMatrix)
def _explicit(write: Writer, node: Any) -> Table:
    return table(node.shape, lambda i, j: write(node[i, j]))


@writes(sp.MatrixSymbol)
def _matrix_symbol(write: Writer, node: Any) -> Table:
    raise UnsupportedError(f"the matrix `{name_of(node)}` is not known here")


@writes(MatrixElement)
def _element(write: Writer, node: Any) -> int:
    matrix, *indices = node.args
    values, place = write(matrix), tuple(map(write.size, indices))
    if not all(0 <= k < size for k, size in zip(place, values.shape, strict=True)):
        raise UnsupportedError(f"`{node}`: there is no entry at {place}")
    return values[place]  # type: ignore[no-any-return]


@writes(sp.MatAdd)
def _sum(write: Writer, node: Any) -> Table:
    return entrywise(write.circuit.add, *write.below(node))


@writes(sp.MatMul)
def _product(write: Writer, node: Any) -> Table:
    parts = write.below(node)
    tables = [part for part in parts if isinstance(part, np.ndarray)]
    scalars = [part for part in parts if not isinstance(part, np.ndarray)]
    whole = reduce(partial(product, write.circuit), tables)
    if not scalars:
        return whole
    return entrywise(lambda entry: write.circuit.multiply(*scalars, entry), whole)


@writes(sp.HadamardProduct)
def _hadamard(write: Writer, node: Any) -> Table:
    return entrywise(write.circuit.multiply, *write.below(node))


@writes(sp.HadamardPower)
def _hadamard_power(write: Writer, node: Any) -> Table:
    base, exponent = write.below(node)
    return entrywise(lambda entry: write.circuit.general_power(entry, exponent), base)


@writes(sp.Transpose)
def _transpose(write: Writer, node: Any) -> Table:
    return write.below(node)[0].T


@writes(sp.Inverse)
def _inverse(write: Writer, node: Any) -> Table:
    return inverse(write.circuit, write.below(node)[0])


@writes(sp.MatPow)
def _matrix_power(write: Writer, node: Any) -> Table:
    base, exponent = write(node.base), write.size(node.exp)
    if exponent < 0:
        base, exponent = inverse(write.circuit, base), -exponent
    identity = table(base.shape, lambda i, j: write.circuit.number(int(i == j)))
    return reduce(partial(product, write.circuit), [base] * exponent, identity)


@writes(sp.Trace)
def _trace(write: Writer, node: Any) -> int:
    return write.circuit.add(*np.diag(write.below(node)[0]))


@writes(sp.Determinant)
def _determinant(write: Writer, node: Any) -> int:
    return determinant(write.circuit, write.below(node)[0])


@writes(sp.ZeroMatrix, sp.OneMatrix, sp.Identity)
def _constant_matrix(write: Writer, node: Any) -> Table:
    entry = {
        sp.ZeroMatrix: lambda i, j: 0,
        sp.OneMatrix: lambda i, j: 1,
        sp.Identity: lambda i, j: int(i == j),
    }
    rows, columns = map(write.size, node.shape)
    known = next(value for head, value in entry.items() if isinstance(node, head))
    return table((rows, columns), lambda i, j: write.circuit.number(known(i, j)))  # type: ignore[no-untyped-call]


@writes(UnitMatrix)
def _unit(write: Writer, node: Any) -> Table:
    rows, columns, *place = map(write.size, node.args)
    return table((rows, columns), lambda i, j: write.circuit.number(int([i, j] == place)))


@writes(sp.FunctionMatrix)
def _function_matrix(write: Writer, node: Any) -> Table:
    function: Any = node.lamda
    rows, columns = map(write.size, node.shape)

    def entry(i: int, j: int) -> Any:
        # Bound, not put in: SymPy evaluates entries, also those of a case that does not hold.
        at = dict(zip(function.variables, (SizedNode(i), SizedNode(j)), strict=True))
        return Writer(write.circuit, {**write.values, **at})(function.expr)

    return table((rows, columns), entry)


@writes(Elementwise)
def _elementwise(write: Writer, node: Any) -> Table:
    tables = [write(matrix) for matrix in node.matrices]
    return entrywise(partial(write.apply, node.function), *tables)


@writes(ElementwiseApplyFunction)
def _applied(write: Writer, node: Any) -> Table:
    return entrywise(partial(write.apply, node.function), write(node.expr))


@writes(Broadcast)
def _broadcast(write: Writer, node: Any) -> Table:
    value, rows, columns = node.args
    shape = write.size(rows), write.size(columns)
    written = write(value)
    known = written if isinstance(written, np.ndarray) else np.array([[written]], dtype=object)
    return np.broadcast_to(known, shape)


@writes(SumEntries)
def _sum_entries(write: Writer, node: Any) -> int:
    return write.circuit.add(*write.below(node)[0].flat)


@writes(SumRows)
def _sum_rows(write: Writer, node: Any) -> Table:
    matrix = write.below(node)[0]
    return table((1, matrix.shape[1]), lambda _, j: write.circuit.add(*matrix[:, j]))


@writes(SumColumns)
def _sum_columns(write: Writer, node: Any) -> Table:
    matrix = write.below(node)[0]
    return table((matrix.shape[0], 1), lambda i, _: write.circuit.add(*matrix[i, :]))


@writes(Softmax, LogSoftmax)
def _normalised(write: Writer, node: Any) -> Table:
    circuit, matrix = write.circuit, write(node.matrix)
    powers = entrywise(circuit.exp, matrix)
    totals = [circuit.add(*line) for line in (powers if node.axis else powers.T)]

    def entry(i: int, j: int) -> int:
        total = totals[i if node.axis else j]
        if isinstance(node, Softmax):
            return circuit.divide(powers[i, j], total)
        return circuit.subtract(matrix[i, j], circuit.log(total))

    return table(matrix.shape, entry)
