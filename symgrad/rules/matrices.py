"""Derivative rules of matrix expressions.

<A, B> is the sum of A_ij B_ij. Each rule is read off dL = <G, dC> for the
adjoint G of a node C by bringing it into the form <., dA>.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import sympy as sp
from sympy.matrices.expressions.matexpr import MatrixElement

from symgrad import functions, trees
from symgrad.algebra import (
    add,
    broadcast,
    elementwise,
    hadamard,
    multiply,
    scale,
    sum_columns,
    sum_entries,
    sum_rows,
    transpose,
)
from symgrad.errors import UnsupportedError
from symgrad.matrices import (
    ENTRY,
    Broadcast,
    Elementwise,
    SumColumns,
    SumEntries,
    SumRows,
    UnitMatrix,
    entry_symbols,
)
from symgrad.rules import Pull, derivative_rule, partial
from symgrad.rules.scalars import local_derivative
from symgrad.softmax import LogSoftmax, Softmax


def _x(name: str = "x") -> Any:
    return sp.Symbol(name, real=True)


def _m(rows: int = 2, columns: int = 3, name: str = "A") -> Any:
    return sp.MatrixSymbol(name, rows, columns)


@derivative_rule(
    sp.MatAdd,
    name="sum rule",
    law="d(A + B) = dA + dB",
    reason="entry by entry, a sum is differentiated term by term",
    example=lambda: sum_entries(hadamard(_m(), add(_m(), _m(name="B")))),
)
def _matrix_sum(node: Any, g: Any, value: Any, active: Any) -> Pull:
    for term in node.args:
        if term in active:
            yield term, g, sp.S.One


@derivative_rule(
    sp.MatMul,
    name="matrix product rule",
    law="for C = A B with adjoint G: the adjoint of A is G B', the adjoint of B is A' G",
    reason="<G, dA B + A dB> = <G B', dA> + <A' G, dB>",
    example=lambda: sum_entries(elementwise(sp.tanh, sp.MatMul(_x(), _m(), _m(3, 2, "B"), _m()))),
)
def _matrix_product(node: Any, g: Any, value: Any, active: Any) -> Pull:
    scalars = [f for f in node.args if not f.is_Matrix]
    factors = [f for f in node.args if f.is_Matrix]
    for k, factor in enumerate(factors):
        if factor in active:
            left = [transpose(f) for f in reversed(factors[:k])]
            right = [transpose(f) for f in reversed(factors[k + 1 :])]
            local = (tuple(left), tuple(right))
            yield factor, multiply(*scalars, *left, g, *right), sp.Tuple(*local)
    for scalar in scalars:
        if scalar in active:
            others = [f for f in scalars if f is not scalar]
            local = multiply(*others, *factors)
            yield scalar, sum_entries(hadamard(g, local)), local


@derivative_rule(
    sp.Transpose,
    name="transposition",
    law="d(A') = (dA)'",
    reason="transposition is linear: <G, (dA)'> = <G', dA>",
    example=lambda: sum_entries(hadamard(sp.Transpose(_m()), _m(3, 2, "B"))),
)
def _transposition(node: Any, g: Any, value: Any, active: Any) -> Pull:
    if node.arg in active:
        yield node.arg, transpose(g), sp.S.One


@derivative_rule(
    sp.HadamardProduct,
    name="entrywise product rule",
    law="d(A o B) = dA o B + A o dB",
    reason="the product rule in every entry",
    example=lambda: sum_entries(sp.HadamardProduct(_m(), _m(name="B"), _m(name="C"))),
)
def _hadamard_product(node: Any, g: Any, value: Any, active: Any) -> Pull:
    for k, factor in enumerate(node.args):
        if factor in active:
            local = hadamard(*node.args[:k], *node.args[k + 1 :])
            yield factor, hadamard(g, local), local


@derivative_rule(
    sp.HadamardPower,
    name="entrywise power rule",
    law="d(A^op) = p A^o(p - 1) o dA + A^op o log(A) dp",
    reason="the power rule in every entry",
    example=lambda: sum_entries(sp.HadamardPower(_m(), 3)),
)
def _hadamard_power(node: Any, g: Any, value: Any, active: Any) -> Pull:
    base, exponent = node.args
    if base in active:
        lower = exponent - 1
        local = base if lower == 1 else sp.HadamardPower(base, lower)
        local = scale(exponent, sp.OneMatrix(*base.shape) if lower == 0 else local)
        yield base, hadamard(g, local), local
    if exponent in active:
        local = hadamard(value, elementwise(sp.log, base))
        yield exponent, sum_entries(hadamard(g, local)), local


@derivative_rule(
    Elementwise,
    name="entrywise chain rule",
    law="d f(A) = f'(A) o dA, entry by entry",
    reason="every entry of f(A) depends on the entry of A at the same place alone",
    example=lambda: sum_entries(
        elementwise(lambda a, b: sp.tanh(_x() * a) * b, _m(), _m(name="B"))
    ),
)
def _entrywise(node: Any, g: Any, value: Any, active: Any) -> Pull:
    for k, matrix in enumerate(node.matrices):
        if matrix in active:
            local = local_map(node, k, value)
            yield matrix, hadamard(g, local), local
    body = node.function.expr
    symbols = {s for s in trees.symbols(body) if isinstance(s, sp.Symbol)}
    for scalar in sorted(symbols - set(node.function.variables), key=str):
        if scalar in active:
            local = elementwise_of(partial(body, scalar), node.matrices)
            yield scalar, sum_entries(hadamard(g, local)), local
    for entry in entries_below(body):
        if entry.args[0] in active:
            # Entries are differentiated one by one, each in the place of a scalar.
            stand_in = sp.Dummy("s", real=True)
            partial_by_entry = partial(body.xreplace({entry: stand_in}), stand_in)
            local = elementwise_of(partial_by_entry.xreplace({stand_in: entry}), node.matrices)
            matrix, i, j = entry.args
            place = UnitMatrix(matrix.shape[0], matrix.shape[1], i, j)
            yield matrix, scale(sum_entries(hadamard(g, local)), place), local


def entries_below(body: Any) -> list[Any]:
    """Return the entries A[i, j] that a scalar expression mentions, each once, in order.

    >>> A = sp.MatrixSymbol("A", 2, 2)
    >>> entries_below(A[0, 1] + A[0, 1] ** 2 * A[0, 0])
    [A[0, 0], A[0, 1]]
    """
    found = {node for node in trees.postorder(body) if isinstance(node, MatrixElement)}
    return sorted(found, key=sp.default_sort_key)


def local_map(node: Any, k: int, value: Any) -> Any:
    """Return the entries of f' at the k-th matrix, through the value f(A) where that is shorter.

    >>> node = elementwise(sp.tanh, sp.MatrixSymbol("Z", 2, 3))
    >>> local_map(node, 0, sp.MatrixSymbol("H", 2, 3)).matrices
    (H,)
    """
    body = node.function.expr
    if isinstance(body, sp.Function) and body.args == (ENTRY,):
        entry = functions.entry_of(body.func)
        if entry is not None and entry.from_value is not None:
            return elementwise_of(_at_entry(entry.from_value), (value,))
        if isinstance(body, sp.exp):
            return elementwise_of(local_derivative(body, 0, ENTRY), (value,))
    return elementwise_of(_partial_body(body, k, len(node.matrices)), node.matrices)


# Every layer of a network asks this of the same few functions.
@lru_cache(maxsize=1024)
def _at_entry(function: Any) -> Any:
    return function(ENTRY)


@lru_cache(maxsize=1024)
def _partial_body(body: Any, k: int, count: int) -> Any:
    return partial(body, entry_symbols(count)[k])


def elementwise_of(body: Any, matrices: tuple[Any, ...]) -> Any:
    """Build the elementwise map of a body in entry symbols; a constant becomes a broadcast."""
    function, used = _of_used(body, len(matrices))
    if not used:
        return Broadcast(body, *matrices[0].shape)
    return elementwise(function, *(matrices[k] for k in used))


@lru_cache(maxsize=1024)
def _of_used(body: Any, count: int) -> tuple[Any, tuple[int, ...]]:
    """Return the function of those entries on which a body depends, and their numbers."""
    variables, free = entry_symbols(count), body.free_symbols
    used = tuple(k for k, v in enumerate(variables) if v in free)
    names = dict(zip((variables[k] for k in used), entry_symbols(len(used)), strict=True))
    return sp.Lambda(entry_symbols(len(used)), body.xreplace(names)), used


@derivative_rule(
    SumEntries,
    name="sum over entries",
    law="d sum(A) = sum(dA)",
    reason="every entry of A counts once: the adjoint is the scalar adjoint in every entry",
    example=lambda: SumEntries(_m()) ** 2,
)
@derivative_rule(
    SumRows,
    name="sum of rows",
    law="d(1' A) = 1' dA",
    reason="<G, 1' dA> = <1 G, dA>: every row of A receives the row G",
    example=lambda: sum_entries(sp.HadamardPower(SumRows(_m()), 2)),
)
@derivative_rule(
    SumColumns,
    name="sum of columns",
    law="d(A 1) = dA 1",
    reason="<G, dA 1> = <G 1', dA>: every column of A receives the column G",
    example=lambda: sum_entries(sp.HadamardPower(SumColumns(_m()), 2)),
)
def _reduction(node: Any, g: Any, value: Any, active: Any) -> Pull:
    if node.matrix in active:
        yield node.matrix, scale(1, Broadcast(g, *node.matrix.shape)), sp.S.One


@derivative_rule(
    Broadcast,
    name="repetition",
    law="every copy of the value counts: their adjoints are added up",
    reason="repetition is linear, and its transpose is the sum over the copies",
    example=lambda: sum_entries(sp.HadamardPower(Broadcast(_m(1, 3), 2, 3), 2)),
)
def _repetition(node: Any, g: Any, value: Any, active: Any) -> Pull:
    below = node.args[0]
    if below not in active:
        return
    if not below.is_Matrix:
        yield below, sum_entries(g), sp.S.One
        return
    gathered = g
    if below.shape[0] == 1 and g.shape[0] != 1:
        gathered = sum_rows(gathered)
    if below.shape[1] == 1 and g.shape[1] != 1:
        gathered = sum_columns(gathered)
    yield below, gathered, sp.S.One


def _along(matrix: Any, axis: int) -> Any:
    """Repeat the sums of every row (axis 1) or column (axis 0) over it."""
    sums = sum_columns(matrix) if axis else sum_rows(matrix)
    return broadcast(sums, *matrix.shape)


@derivative_rule(
    Softmax,
    name="softmax",
    law="for P = softmax(Z) with adjoint G: the adjoint of Z is P o (G - (G o P) 1 1')",
    reason="dP_ij = P_ij (dZ_ij - sum over k of P_ik dZ_ik), by the quotient rule",
    example=lambda: sum_entries(hadamard(Softmax(_m()), _m(name="B"))),
)
def _softmax(node: Any, g: Any, value: Any, active: Any) -> Pull:
    if node.matrix in active:
        inner = _along(hadamard(g, value), node.axis)
        yield node.matrix, hadamard(value, add(g, scale(-1, inner))), value


@derivative_rule(
    LogSoftmax,
    name="logarithm of softmax",
    law="for C = log softmax(Z) with adjoint G: the adjoint of Z is G - softmax(Z) o (G 1 1')",
    reason="dC_ij = dZ_ij - sum over k of P_ik dZ_ik, because C_ij = Z_ij - log sum exp(Z_ik)",
    example=lambda: sum_entries(hadamard(LogSoftmax(_m(), 0), _m(name="B"))),
)
def _log_softmax(node: Any, g: Any, value: Any, active: Any) -> Pull:
    if node.matrix in active:
        local = Softmax(node.matrix, node.axis)
        yield node.matrix, add(g, scale(-1, hadamard(local, _along(g, node.axis)))), local


@derivative_rule(
    sp.Trace,
    name="trace",
    law="d tr(A) = tr(dA)",
    reason="tr(dA) = <I, dA>",
    example=lambda: sp.Trace(sp.MatMul(_m(), _m(3, 2, "B"))),
)
def _trace(node: Any, g: Any, value: Any, active: Any) -> Pull:
    if node.arg in active:
        local = sp.Identity(node.arg.shape[0])
        yield node.arg, scale(g, local), local


@derivative_rule(
    sp.Inverse,
    name="inverse",
    law="d(A^-1) = -A^-1 dA A^-1",
    reason="0 = d(A A^-1) = dA A^-1 + A d(A^-1)",
    example=lambda: sp.Trace(sp.MatMul(sp.Inverse(_m(2, 2)), _m(2, 2, "B"))),
)
def _inverse(node: Any, g: Any, value: Any, active: Any) -> Pull:
    if node.arg in active:
        local = transpose(value)
        yield node.arg, multiply(sp.S.NegativeOne, local, g, local), local


@derivative_rule(
    sp.Determinant,
    name="determinant",
    law="d det(A) = det(A) tr(A^-1 dA)",
    reason="Jacobi's formula: the derivative of det(A) by A_ij is its cofactor",
    example=lambda: sp.Determinant(_m(2, 2)),
)
def _determinant(node: Any, g: Any, value: Any, active: Any) -> Pull:
    if node.arg in active:
        local = scale(value, sp.Transpose(sp.Inverse(node.arg)))
        yield node.arg, scale(g, local), local


@derivative_rule(
    sp.MatPow,
    name="matrix power",
    law="d(A^k) = sum over j < k of A^j dA A^(k - 1 - j)",
    reason="the matrix product rule, applied to k equal factors",
    example=lambda: sp.Trace(sp.MatMul(sp.MatPow(_m(2, 2), 3), _m(2, 2, "B"))),
)
def _matrix_power(node: Any, g: Any, value: Any, active: Any) -> Pull:
    base, exponent = node.args
    if exponent in active or not exponent.is_Integer or exponent < 1:
        raise UnsupportedError(f"no rule for the power `{node}`: the exponent must be 1, 2, 3, ...")
    if base not in active:
        return
    flipped = transpose(base)
    terms = [
        multiply(*[flipped] * j, g, *[flipped] * (int(exponent) - 1 - j))
        for j in range(int(exponent))
    ]
    yield base, add(*terms), flipped


@derivative_rule(
    MatrixElement,
    name="entry",
    law="d(A_ij) = <e_i e_j', dA>",
    reason="only the entry itself changes it",
    example=lambda: _m()[1, 2] ** 2,
)
def _entry(node: Any, g: Any, value: Any, active: Any) -> Pull:
    matrix, i, j = node.args
    if matrix in active:
        local = UnitMatrix(matrix.shape[0], matrix.shape[1], i, j)
        yield matrix, scale(g, local), local


@derivative_rule(
    sp.matrices.immutable.ImmutableDenseMatrix,
    name="explicit matrix",
    law="the adjoint of an entry is that entry of the adjoint",
    reason="<G, dA> is the sum of G_ij dA_ij",
    example=lambda: sum_entries(sp.ImmutableMatrix([[_x(), _x("y") ** 2], [1, _x()]])),
)
def _explicit(node: Any, g: Any, value: Any, active: Any) -> Pull:
    columns = node.shape[1]
    for place, entry in enumerate(node.flat()):
        if entry in active:
            yield entry, entry_of(g, place // columns, place % columns), sp.S.One


def entry_of(matrix: Any, i: int, j: int) -> Any:
    """Return an entry of a matrix expression, without writing products out.

    >>> entry_of(Broadcast(sp.Symbol("c"), 2, 3), 0, 1)
    c
    """
    if isinstance(matrix, Broadcast) and not matrix.args[0].is_Matrix:
        return matrix.args[0]
    if isinstance(matrix, sp.MatrixSymbol):
        return matrix[i, j]
    picked = hadamard(matrix, UnitMatrix(matrix.shape[0], matrix.shape[1], i, j))
    return sum_entries(picked)
