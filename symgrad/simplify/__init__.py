"""Simplification as a person does it: rewrite rules, each with its law and an example.

The sweep of `symgrad.gradient` passes every adjoint through `simplified`, which
also uses what is known of the inputs (rows that sum to one) and writes values
that have a name by that name. What was applied is recorded with the adjoint.
See `symgrad.spelling` for the engine and for why the order of rules does not matter.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from functools import lru_cache
from typing import Any

import sympy as sp

from symgrad import functions, trees
from symgrad.facts import is_positive, is_symmetric, sum_axis, sums_of_scalars
from symgrad.matrices import Broadcast, Elementwise, SumColumns, SumEntries, SumRows
from symgrad.shapes import Variable
from symgrad.simplify import entries, factors, known  # noqa: F401
from symgrad.simplify.registry import REWRITES
from symgrad.softmax import LogSoftmax, Softmax
from symgrad.spelling import NOTHING, Applied, Facts, rewrite

#: Nodes whose value is named in a graph, and recognised where it is used again.
NAMED = (Elementwise, Softmax, LogSoftmax, sp.Function, sp.Inverse)


def facts_of(inputs: Iterable[Variable], definitions: Iterable[Any] = ()) -> Facts:
    """Read off the declared inputs, and the definitions, what is known.

    >>> from symgrad.shapes import declare
    >>> facts_of([declare("A", ("n", "n"), "symmetric")]).symmetric
    frozenset({A})
    """
    inputs = list(inputs)
    along = [(variable.symbol, sum_axis(variable)) for variable in inputs]
    groups = [tuple(v.symbol for v in group) for group in sums_of_scalars(inputs)]
    facts = Facts(
        frozenset((symbol, axis) for symbol, axis in along if axis is not None),
        tuple(groups),
        symmetric=frozenset(v.symbol for v in inputs if is_symmetric(v)),
        orthogonal=frozenset(v.symbol for v in inputs if "orthogonal" in v.assumptions),
        positive=frozenset(v.symbol for v in inputs if v.shape and is_positive(v)),
    )
    for symbol, expression in definitions:
        facts = with_definition(facts, symbol, expression)
    return facts


def with_definition(facts: Facts, symbol: Any, expression: Any) -> Facts:
    """Add what is known of a definition: that it sums to one, or that it is symmetric.

    >>> A, G = sp.MatrixSymbol("A", 2, 3), sp.MatrixSymbol("G", 3, 3)
    >>> with_definition(NOTHING, G, sp.MatMul(sp.Transpose(A), A)).symmetric
    frozenset({G})
    """
    if isinstance(expression, Softmax):
        normal = facts.normal | {(symbol, expression.axis)}
        return replace(facts, normal=normal, defined=facts.defined | {symbol})
    if not expression.is_Matrix or not known.is_symmetric(expression, facts):
        return facts
    return replace(
        facts,
        symmetric=facts.symmetric | {symbol},
        sources=facts.sources | {(symbol, source) for source in facts.ties(expression)},
        defined=facts.defined | {symbol},
    )


def simplified(
    expression: Any, facts: Facts = NOTHING, named: Mapping[Any, Any] | None = None
) -> tuple[Any, tuple[Applied, ...]]:
    """Simplify an expression.

    Args:
        expression: A scalar or a matrix expression.
        facts: What is known of its symbols.
        named: Symbols by the expressions whose values they name.

    Returns:
        The simpler expression, and the rewrites that led to it, in order.

    >>> A, B = sp.MatrixSymbol("A", 2, 2), sp.MatrixSymbol("B", 2, 2)
    >>> simplified(sp.MatAdd(sp.MatMul(3, A), sp.MatMul(3, B)))[0]
    3*(A + B)
    """
    applied: tuple[Applied, ...] = ()
    settled: set[Any] = set()
    written = trees.replace(expression, named or {})
    while True:
        new, more = rewrite(written, REWRITES.rules, facts, settled)
        applied += more
        if new == expression:
            return new, applied
        expression, written = new, trees.replace(new, named or {})
        if named and written is new:
            # Nothing more has a name, and to all nodes that are left no rule applies.
            return new, applied


#: Nodes that tell that a rule may apply; other expressions are not searched.
TRIGGERS = (
    *(Elementwise, sp.HadamardProduct, sp.HadamardPower, sp.MatAdd, sp.Sum, sp.Inverse),
    *(SumColumns, SumRows, SumEntries, Broadcast),
    *(Softmax, LogSoftmax, functions.sigmoid),
)


def may_simplify(nodes: Iterable[Any], facts: Facts = NOTHING) -> bool:
    """Tell cheaply whether an expression with these nodes is worth `simplified`.

    >>> may_simplify([sp.Symbol("x"), sp.tanh(sp.Symbol("x"))])
    False
    """
    nodes = tuple(nodes)
    if any(map(_triggers, map(type, nodes))):
        return True
    tied = {s for group in facts.sums for s in group} | facts.symmetric | facts.orthogonal
    return not tied.isdisjoint(nodes)


@lru_cache(maxsize=1024)
def _triggers(kind: type) -> bool:
    return issubclass(kind, TRIGGERS)
