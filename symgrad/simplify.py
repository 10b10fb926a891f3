"""Simplification as a person does it: rewrite rules, each with its law and an example.

The sweep of `symgrad.gradient` passes every adjoint through `simplified`, which
also uses what is known of the inputs (rows that sum to one) and writes values
that have a name by that name. What was applied is recorded with the adjoint.
See `symgrad.spelling` for the engine and for why the order of rules does not matter.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import Any

import sympy as sp

from symgrad import functions, trees
from symgrad.algebra import add, broadcast, hadamard, multiply, scale, split_coefficient
from symgrad.facts import sum_axis, sums_of_scalars
from symgrad.matrices import Broadcast, Elementwise, SumColumns, SumEntries, SumRows, entry_symbols
from symgrad.shapes import Variable
from symgrad.softmax import LogSoftmax, Softmax
from symgrad.spelling import NOTHING, Applied, Facts, Registry, cost, one_minus_sigmoid, rewrite

#: The rules that are applied to derivatives.
REWRITES = Registry()

#: An entrywise function of more nodes is left as it is: what SymPy does to it takes long.
LARGEST_BODY = 80
#: A sum of more terms is not expanded.
MOST_TERMS = 8


def _x(name: str = "x") -> Any:
    return sp.Symbol(name, real=True)


def _m(name: str = "A", rows: int = 2, columns: int = 3) -> Any:
    return sp.MatrixSymbol(name, rows, columns)


def _map(function: Any, *matrices: Any) -> Any:
    variables = entry_symbols(len(matrices))
    return Elementwise(sp.Lambda(variables, function(*variables)), *matrices)


# ------------------------------------------------------------ entrywise functions


@REWRITES.rule(
    Elementwise,
    name="algebra in every entry",
    law="the function of the entries is expanded or factored, sigma(-u) = 1 - sigma(u)",
    example=lambda: _map(
        lambda z, y: -y * (1 - functions.sigmoid(z)) + (1 - y) * (1 - functions.sigmoid(-z)),
        _m(),
        _m("B"),
    ),
)
def _entry_algebra(node: Any, facts: Facts) -> Any:
    body = _shorter(node.function.expr)
    return None if body is None else _mapped(body, node.matrices)


@lru_cache(maxsize=4096)
def _shorter(body: Any) -> Any:
    """Return the cheapest of several forms of a scalar expression, or None."""
    nodes = list(trees.postorder(body))
    interesting = any(isinstance(node, (sp.Add, sp.Pow)) for node in nodes)
    if any(getattr(node, "is_Matrix", False) for node in nodes):
        return None  # SymPy's factoring goes into matrices, and does not end well there
    if not interesting or trees.size(body) > LARGEST_BODY or body.has(sp.Piecewise):
        return None
    reflected = trees.rebuild(body, _reflected)
    forms = {body, reflected, sp.expand(reflected), sp.factor_terms(sp.expand(reflected))}
    if any(isinstance(node, sp.Pow) and node.exp.is_negative for node in trees.postorder(body)):
        forms.add(sp.factor(sp.cancel(sp.together(reflected))))
    best = min(forms, key=lambda form: (cost(form), sp.srepr(form)))
    return best if cost(best) < cost(body) else None


def _reflected(node: Any) -> Any:
    if isinstance(node, functions.sigmoid) and node.args[0].could_extract_minus_sign():
        return 1 - functions.sigmoid(-node.args[0])
    return node


@REWRITES.rule(
    sp.Mul,
    sp.Add,
    name="reflection of the logistic function",
    law="1 - sigma(-u) = sigma(u)",
    example=lambda: 1 - functions.sigmoid(-_x()),
)
def _reflection(node: Any, facts: Facts) -> Any:
    u = one_minus_sigmoid(node)
    if u is None or not u.could_extract_minus_sign():
        return None
    return functions.sigmoid(-u)


@REWRITES.rule(
    sp.Add,
    name="algebra",
    law="a sum of products is expanded or factored, where that is shorter",
    example=lambda: -_x("y") * (1 - _x("a")) + (1 - _x("y")) * _x("a"),
)
def _scalar_algebra(node: Any, facts: Facts) -> Any:
    products = [t for t in node.args if t.is_Mul and any(f.is_Add for f in t.args)]
    if len(node.args) > MOST_TERMS or len(products) < 2:
        return None
    return _shorter(node)


def _mapped(body: Any, matrices: Iterable[Any]) -> Any:
    """Apply a function of entries to the matrices that it depends on."""
    matrices = tuple(matrices)
    variables = entry_symbols(len(matrices))
    kept = [(v, m) for v, m in zip(variables, matrices, strict=True) if v in body.free_symbols]
    if not kept:
        return broadcast(body, *matrices[0].shape)
    coefficient, rest = body.as_independent(*variables, as_Add=False)
    factors = sp.Mul.make_args(rest)
    if all(factor in variables for factor in factors):
        below = dict(kept)
        return scale(coefficient, hadamard(*(below[factor] for factor in factors)))
    fresh = entry_symbols(len(kept))
    renamed = rest.xreplace(dict(zip((v for v, _ in kept), fresh, strict=True)))
    return scale(coefficient, Elementwise(sp.Lambda(fresh, renamed), *(m for _, m in kept)))


@REWRITES.rule(
    Elementwise,
    name="sum of entrywise functions",
    law="(f(a) + g(b)) entry by entry is f(A) + g(B)",
    example=lambda: _map(lambda p, y: functions.sigmoid(p) - y, _m(), _m("B")),
)
def _separated(node: Any, facts: Facts) -> Any:
    body, count = node.function.expr, len(node.matrices)
    if count < 2 or not isinstance(body, sp.Add):
        return None
    variables = set(entry_symbols(count))
    parts: dict[Any, Any] = {}
    for term in body.args:
        used = term.free_symbols & variables
        if len(used) != 1:
            return None
        (variable,) = used
        parts[variable] = parts.get(variable, sp.S.Zero) + term
    return add(*(_mapped(parts[v], node.matrices) for v in entry_symbols(count) if v in parts))


@REWRITES.rule(
    sp.HadamardProduct,
    name="entrywise products of functions",
    law="f(A) o g(A, B) is f(a) g(a, b) entry by entry",
    example=lambda: sp.HadamardProduct(_m(), _map(lambda y, p: y / p, _m("B"), _m())),
)
def _merged(node: Any, facts: Facts) -> Any:
    if not any(isinstance(factor, (Elementwise, sp.HadamardPower)) for factor in node.args):
        return None
    places: dict[Any, Any] = {}
    pieces = [_as_map(factor) for factor in node.args]
    if any(piece is None for piece in pieces):
        return None
    for _, matrices in pieces:
        for matrix in matrices:
            places.setdefault(matrix, None)
    variables = dict(zip(places, entry_symbols(len(places)), strict=True))
    bodies = []
    for body, matrices in pieces:
        own = entry_symbols(len(matrices))
        bodies.append(body.xreplace({o: variables[m] for o, m in zip(own, matrices, strict=True)}))
    merged = sp.Mul(*bodies)
    return _mapped(_shorter(merged) or merged, places)


def _as_map(matrix: Any) -> Any:
    """Write a factor as a function of the entries of matrices: its body, and the matrices."""
    (entry,) = entry_symbols(1)
    if isinstance(matrix, Elementwise):
        return matrix.function.expr, matrix.matrices
    if isinstance(matrix, sp.HadamardPower):
        if getattr(matrix.exp, "is_Matrix", False):
            return None
        return entry**matrix.exp, (matrix.base,)
    return entry, (matrix,)


@REWRITES.rule(
    sp.HadamardProduct,
    name="distribution",
    law="A o (B + C) = A o B + A o C, where a term cancels",
    example=lambda: sp.HadamardProduct(
        _m(), sp.MatAdd(_map(lambda y, p: y / p, _m("B"), _m()), _m("C"))
    ),
)
def _distributed(node: Any, facts: Facts) -> Any:
    for place, factor in enumerate(node.args):
        if isinstance(factor, sp.MatAdd):
            rest = [*node.args[:place], *node.args[place + 1 :]]
            terms = [hadamard(*rest, term) for term in factor.args]
            return rewrite(add(*terms), REWRITES.rules, facts)[0]
    return None


@REWRITES.rule(
    sp.HadamardPower,
    name="power zero or one",
    law="A^o0 = 1 1', A^o1 = A",
    example=lambda: sp.HadamardPower(_m(), 1),
)
def _trivial_power(node: Any, facts: Facts) -> Any:
    if node.exp == 1:
        return node.base
    return sp.OneMatrix(*node.base.shape) if node.exp == 0 else None


# ------------------------------------------------------------------ common factors


@REWRITES.rule(
    sp.MatAdd,
    name="common factor",
    law="c A + c B = c (A + B)",
    example=lambda: sp.MatAdd(sp.MatMul(_x(), _m()), sp.MatMul(-1, _x(), _m("B"))),
)
def _common_scalar(node: Any, facts: Facts) -> Any:
    parts = [split_coefficient(term) for term in node.args]
    first = _positive(parts[0][0])
    if first == 1 or any(_positive(coefficient) != first for coefficient, _ in parts):
        return None
    return scale(first, add(*(scale(c / first, rest) for c, rest in parts)))


def _positive(coefficient: Any) -> Any:
    return -coefficient if coefficient.could_extract_minus_sign() else coefficient


@REWRITES.rule(
    sp.MatMul,
    name="sign",
    law="-c (B - A) = c (A - B)",
    example=lambda: sp.MatMul(-_x(), sp.MatAdd(_m("B"), sp.MatMul(-1, _m()))),
)
def _sign(node: Any, facts: Facts) -> Any:
    coefficient, rest = split_coefficient(node)
    factors = list(rest.args) if isinstance(rest, sp.MatMul) else [rest]
    if not coefficient.could_extract_minus_sign():
        return None
    for place, factor in enumerate(factors):
        if isinstance(factor, sp.MatAdd):
            turned = add(*(scale(-1, term) for term in factor.args))
            factors[place] = turned
            return scale(-coefficient, multiply(*factors))
    return None


@REWRITES.rule(
    sp.MatAdd,
    name="common matrix factor",
    law="A B + A C = A (B + C), B A + C A = (B + C) A",
    example=lambda: sp.MatAdd(sp.MatMul(_m(), _m("B", 3, 2)), sp.MatMul(-1, _m(), _m("C", 3, 2))),
)
def _common_matrix(node: Any, facts: Facts) -> Any:
    parts = [split_coefficient(term) for term in node.args]
    chains = [list(rest.args) if isinstance(rest, sp.MatMul) else [rest] for _, rest in parts]
    if min(map(len, chains)) < 2:
        return None
    for left in (True, False):
        ends = {chain[0] if left else chain[-1] for chain in chains}
        if len(ends) == 1:
            inner = [
                multiply(c, *(chain[1:] if left else chain[:-1]))
                for (c, _), chain in zip(parts, chains, strict=True)
            ]
            outer, rest = ends.pop(), add(*inner)
            return multiply(outer, rest) if left else multiply(rest, outer)
    return None


@REWRITES.rule(
    sp.Mul,
    sp.Sum,
    name="constant factor of a sum",
    law="sum of c f(i) = c times the sum of f(i)",
    example=lambda: (
        sp.Sum(2 * _x() * sp.IndexedBase("v")[sp.Symbol("i")], (sp.Symbol("i"), 0, 3)) / 2
    ),
)
def _constant_of_a_sum(node: Any, facts: Facts) -> Any:
    sums = [f for f in sp.Mul.make_args(node) if isinstance(f, sp.Sum)]
    if len(sums) != 1:
        return None
    (inner,) = sums
    number, body = inner.function.as_coeff_Mul()
    outside = [f for f in sp.Mul.make_args(node) if f is not inner]
    if number == 1:
        return None
    return trees.times(sp.Mul(number, *outside), sp.Sum(body, *inner.limits))


@REWRITES.rule(
    sp.Sum,
    name="sum of a constant",
    law="the sum of c over i = a, ..., b is (b - a + 1) c",
    example=lambda: sp.Sum(_x(), (sp.Symbol("i"), 1, 4)),
)
def _sum_of_a_constant(node: Any, facts: Facts) -> Any:
    (index, low, high), *outer = node.limits
    if index in node.function.free_symbols:
        return None
    body = trees.times(sp.expand(high - low + 1), node.function)
    return sp.Sum(body, *outer) if outer else body


# ------------------------------------------------------------------------- facts


@REWRITES.rule(
    SumColumns,
    SumRows,
    name="what sums to one",
    law="P 1 = 1 where the rows of P sum to one",
    example=lambda: (SumColumns(_m("P")), Facts(frozenset({(_m("P"), 1)}))),
)
def _sums_to_one(node: Any, facts: Facts) -> Any:
    axis = 1 if isinstance(node, SumColumns) else 0
    return sp.OneMatrix(*node.shape) if is_normal(node.matrix, axis, facts) else None


@REWRITES.rule(
    SumEntries,
    name="what sums to one",
    law="1' P 1 is the number of rows where the rows of P sum to one",
    example=lambda: (SumEntries(_m("P")), Facts(frozenset({(_m("P"), 1)}))),
)
def _entries_sum(node: Any, facts: Facts) -> Any:
    for axis in (1, 0):
        if is_normal(node.matrix, axis, facts):
            return node.matrix.shape[1 - axis]
    return None


def is_normal(matrix: Any, axis: int, facts: Facts) -> bool:
    """Tell whether the entries along an axis are known to sum to one.

    >>> is_normal(Softmax(sp.MatrixSymbol("Z", 2, 3)), 1, Facts())
    True
    """
    if (matrix, axis) in facts.normal:
        return True
    return isinstance(matrix, Softmax) and matrix.axis == axis


@REWRITES.rule(
    Broadcast,
    name="repeated ones",
    law="ones repeated are ones",
    example=lambda: Broadcast(sp.OneMatrix(2, 1), 2, 3),
)
def _repeated_ones(node: Any, facts: Facts) -> Any:
    return sp.OneMatrix(*node.shape) if isinstance(node.args[0], sp.OneMatrix) else None


@REWRITES.rule(
    sp.Add,
    name="what sums to one",
    law="p_1 c + ... + p_k c = c where p_1 + ... + p_k = 1",
    example=lambda: (
        _x("p") * _x("c") + _x("q") * _x("c") + _x(),
        Facts(sums=((_x("p"), _x("q")),)),
    ),
)
def _scalars_sum_to_one(node: Any, facts: Facts) -> Any:
    terms = set(node.args)
    for group in facts.sums:
        for term in node.args:
            if group[0] not in sp.Mul.make_args(term):
                continue
            rest = term / group[0]
            members = {rest * p for p in group}
            if members <= terms:
                return sp.Add(*(t for t in node.args if t not in members), rest)
    return None


# ---------------------------------------------------------------------- the verb

#: Nodes whose value is named in a graph, and recognised where it is used again.
NAMED = (Elementwise, Softmax, LogSoftmax, sp.Function, sp.Inverse)


def facts_of(inputs: Iterable[Variable], definitions: Iterable[Any] = ()) -> Facts:
    """Read off the declared inputs, and the definitions, what sums to one."""
    inputs = list(inputs)
    along = [(variable.symbol, sum_axis(variable)) for variable in inputs]
    normal = {(symbol, axis) for symbol, axis in along if axis is not None}
    groups = [tuple(v.symbol for v in group) for group in sums_of_scalars(inputs)]
    for symbol, expression in definitions:
        if isinstance(expression, Softmax):
            normal.add((symbol, expression.axis))
    return Facts(frozenset(normal), tuple(groups))


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
    while True:
        new, more = rewrite(trees.replace(expression, named or {}), REWRITES.rules, facts)
        applied += more
        if new == expression:
            return new, applied
        expression = new


#: Nodes that tell that a rule may apply; other expressions are not searched.
TRIGGERS = (
    *(Elementwise, sp.HadamardProduct, sp.HadamardPower, sp.MatAdd, sp.Sum),
    *(SumColumns, SumRows, SumEntries, Broadcast),
    *(Softmax, LogSoftmax, functions.sigmoid),
)


def may_simplify(nodes: Iterable[Any]) -> bool:
    """Tell cheaply whether an expression with these nodes is worth `simplified`.

    >>> may_simplify([_x(), sp.tanh(_x())])
    False
    """
    return any(isinstance(node, TRIGGERS) for node in nodes)
