"""Stable spellings across entries: what elementwise functions say together, and over a whole axis.

log(1 + exp(Z)) is three nodes, of which none overflows by itself. Written over one entry they are
log(1 + exp(t)), which the rules of `symgrad.spelling` recognise.
"""

from __future__ import annotations

from typing import Any

import sympy as sp

from symgrad.algebra import elementwise, scale, transpose
from symgrad.matrices import ENTRY, Broadcast, Elementwise, SumColumns, SumEntries, SumRows
from symgrad.operations.along import LogSumExp
from symgrad.softmax import Softmax
from symgrad.spelling import SPELLINGS, Facts, rewrite, spelled

#: The rules about scalars, which are applied to what stands in an entry.
_SCALAR_RULES = tuple(rule for rule in SPELLINGS.rules if Elementwise not in rule.heads)
#: Longer expressions in an entry are not looked at.
LONGEST = 60


def _z(rows: int = 2, columns: int = 3) -> Any:
    return sp.MatrixSymbol("Z", rows, columns)


def _exp(matrix: Any) -> Any:
    return elementwise(sp.exp, matrix)


class _Entries:
    """What stands in an entry of a matrix expression, over the entries of its leaves.

    Attributes:
        leaves: The symbol of an entry, by the matrix.
        bodies: The matrix of which an expression is the entry.
    """

    def __init__(self) -> None:
        self.leaves: dict[Any, Any] = {}
        self.bodies: dict[Any, Any] = {}

    def of(self, node: Any) -> Any:
        """Return the entry of a matrix expression."""
        body = self._of(node)
        self.bodies.setdefault(body, node)
        return body

    def _of(self, node: Any) -> Any:
        if isinstance(node, Elementwise):
            return node.function(*map(self.of, node.matrices))
        if isinstance(node, (sp.MatAdd, sp.HadamardProduct)):
            operation = sp.Add if isinstance(node, sp.MatAdd) else sp.Mul
            return operation(*map(self.of, node.args))
        if isinstance(node, sp.MatMul):
            scalars = [factor for factor in node.args if not factor.is_Matrix]
            rest = [factor for factor in node.args if factor.is_Matrix]
            if len(rest) == 1 and all(s.is_number or s.is_Symbol for s in scalars):
                return sp.Mul(*scalars, self.of(rest[0]))
        if isinstance(node, Broadcast) and node.of_scalar:
            value = node.args[0]
            if value.is_number or value.is_Symbol:
                return value
        return self.leaves.setdefault(node, sp.Dummy(f"e{len(self.leaves)}", real=True))

    def matrix(self, body: Any) -> Any:
        """Return the matrix with an expression in its entries, over the largest known matrices."""
        symbols: dict[Any, Any] = {}
        known = sorted(self.bodies, key=lambda b: (-_length(b), str(b)))
        for each in known:
            if each.free_symbols and body.has(each):
                symbol = sp.Dummy(f"m{len(symbols)}", real=True)
                body = body.xreplace({each: symbol})
                symbols[symbol] = self.bodies[each]
        used = [symbol for symbol in symbols if symbol in body.free_symbols]
        function = sp.Lambda(tuple(used), body)
        return elementwise(function, *(symbols[symbol] for symbol in used))


def _length(body: Any) -> int:
    return sum(1 for _ in sp.preorder_traversal(body))


@SPELLINGS.rule(
    Elementwise,
    name="stable spelling of entries",
    law="f(g(Z)), entry by entry, is the function f o g of the entries, by its stable spelling",
    example=lambda: elementwise(sp.log, sp.MatAdd(Broadcast(1, 2, 3), _exp(_z()))),
)
def _of_entries(node: Any, facts: Facts) -> Any:
    if all(isinstance(m, sp.MatrixSymbol) for m in node.matrices):
        return None
    entries = _Entries()
    body = entries.of(node)
    if _length(body) > LONGEST or not body.has(sp.exp, sp.log):
        return None
    new, applied = rewrite(body, _SCALAR_RULES)
    return entries.matrix(new) if applied and not new.is_number else None


def _exponent(node: Any) -> Any:
    """Return Z of exp(Z), or None."""
    own = isinstance(node, Elementwise) and node.function.expr == sp.exp(ENTRY)
    return node.matrices[0] if own else None


@SPELLINGS.rule(
    sp.log,
    name="logarithm of a sum of exponentials",
    law="log of the sum of exp(Z_ij) keeps its digits where an exponential overflows",
    example=lambda: sp.log(SumEntries(_exp(_z()))),
)
def _of_all(node: Any, facts: Facts) -> Any:
    below = node.args[0]
    z = _exponent(below.matrix) if isinstance(below, SumEntries) else None
    if z is None:
        return None
    rows = z if z.shape[1] == 1 else LogSumExp(z, 1)
    return sp.Trace(rows if rows.shape[0] == 1 else LogSumExp(rows, 0))


@SPELLINGS.rule(
    Elementwise,
    name="logarithm of sums of exponentials",
    law="log of the sums of exp(Z) along an axis keeps its digits where an exponential overflows",
    example=lambda: elementwise(sp.log, SumColumns(_exp(_z()))),
)
def _of_lines(node: Any, facts: Facts) -> Any:
    if node.function.expr != sp.log(ENTRY):
        return None
    below, flipped = node.matrices[0], isinstance(node.matrices[0], sp.Transpose)
    below = below.arg if flipped else below
    if not isinstance(below, (SumRows, SumColumns)):
        return None
    z = _exponent(below.matrix)
    if z is None:
        return None
    value = LogSumExp(z, 1 if isinstance(below, SumColumns) else 0)
    return transpose(value) if flipped else value


def _softmax_of(above: Any, below: Any) -> Any:
    """Return softmax where exp(Z) is divided by its own sums along an axis, else None."""
    z = _exponent(above)
    if z is None or not isinstance(below, Broadcast):
        return None
    for axis, head in ((0, SumRows), (1, SumColumns)):
        if isinstance(below.args[0], head) and _exponent(below.args[0].matrix) == z:
            return Softmax(z, axis)
    return None


@SPELLINGS.rule(
    Elementwise,
    name="softmax",
    law="exp(Z) divided by its sums along an axis is softmax(Z)",
    example=lambda: elementwise(
        lambda a, b: a / b, _exp(_z()), Broadcast(SumColumns(_exp(_z())), 2, 3)
    ),
)
def _softmax(node: Any, facts: Facts) -> Any:
    if len(node.matrices) != 2:
        return None
    first, second = node.function.variables
    pairs = {first / second: node.matrices, second / first: node.matrices[::-1]}
    pair = pairs.get(node.function.expr)
    return None if pair is None else _softmax_of(*pair)


@SPELLINGS.rule(
    sp.MatMul,
    name="softmax of a vector",
    law="exp(z) divided by the sum of its entries is softmax(z)",
    example=lambda: sp.MatMul(1 / SumEntries(_exp(_z(3, 1))), _exp(_z(3, 1))),
)
def _softmax_of_vector(node: Any, facts: Facts) -> Any:
    scalars = [factor for factor in node.args if not factor.is_Matrix]
    rest = [factor for factor in node.args if factor.is_Matrix]
    z = _exponent(rest[0]) if len(rest) == 1 else None
    if z is None or 1 not in z.shape:
        return None
    total = 1 / SumEntries(rest[0])
    product = sp.Mul(*scalars)
    if not product.has(total):
        return None
    return scale(product / total, Softmax(z, 0 if z.shape[1] == 1 else 1))


__all__ = ["spelled"]
