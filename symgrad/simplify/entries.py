"""Rewrites of functions that are taken entry by entry."""

from __future__ import annotations

import math
from functools import lru_cache
from typing import Any

import sympy as sp

from symgrad import functions, trees
from symgrad.algebra import add, hadamard
from symgrad.matrices import Elementwise, entry_symbols
from symgrad.simplify.registry import REWRITES, array, mapped, of_entries, scalar
from symgrad.spelling import Facts, cost, one_minus_sigmoid, rewrite

#: An entrywise function of more nodes is left as it is: what SymPy does to it takes long.
LARGEST_BODY = 80
#: What would have more terms is not expanded.
MOST_EXPANDED = 64
#: A sum of more terms is not expanded.
MOST_TERMS = 8


@REWRITES.rule(
    Elementwise,
    name="algebra in every entry",
    law="the function of the entries is expanded or factored, sigma(-u) = 1 - sigma(u)",
    example=lambda: mapped(
        lambda z, y: -y * (1 - functions.sigmoid(z)) + (1 - y) * (1 - functions.sigmoid(-z)),
        array(),
        array("B"),
    ),
)
def _entry_algebra(node: Any, facts: Facts) -> Any:
    body = _shorter(node.function.expr)
    return None if body is None else of_entries(body, node.matrices)


@lru_cache(maxsize=4096)
def _shorter(body: Any) -> Any:
    """Return the cheapest of several forms of a scalar expression, or None."""
    nodes = list(trees.postorder(body))
    interesting = any(isinstance(node, (sp.Add, sp.Pow)) for node in nodes)
    if any(getattr(node, "is_Matrix", False) for node in nodes):
        return None  # SymPy's factoring goes into matrices, and does not end well there
    if not interesting or trees.size(body) > LARGEST_BODY or body.has(sp.Piecewise):
        return None
    if _expanded_terms(body) > MOST_EXPANDED:
        return None
    reflected = trees.rebuild(body, _reflected)
    # exp(a - b) is no product: exp(a) alone may overflow.
    expanded = sp.expand(reflected, power_exp=False)
    forms = {body, reflected, expanded, sp.factor_terms(expanded)}
    if any(isinstance(node, sp.Pow) and node.exp.is_negative for node in trees.postorder(body)):
        forms.add(sp.factor(sp.cancel(sp.together(reflected))))
    best = min(forms, key=lambda form: (cost(form), sp.srepr(form)))
    return best if cost(best) < cost(body) else None


def _expanded_terms(body: Any) -> int:
    """Count the terms that expanding would make: twelve factors 1 - a^2 become 4096."""
    counts: dict[Any, int] = {}
    for node in trees.postorder(body):
        below = [counts[child] for child in trees.children(node)]
        if isinstance(node, sp.Add):
            counts[node] = sum(below)
        elif isinstance(node, sp.Mul):
            counts[node] = math.prod(below)
        elif isinstance(node, sp.Pow) and node.exp.is_Integer and node.exp > 0:
            counts[node] = min(below[0] ** int(min(node.exp, 9)), MOST_EXPANDED + 1)
        else:
            counts[node] = 1
    return counts[body]


def _reflected(node: Any) -> Any:
    if isinstance(node, functions.sigmoid) and node.args[0].could_extract_minus_sign():
        return 1 - functions.sigmoid(-node.args[0])
    return node


@REWRITES.rule(
    sp.Mul,
    sp.Add,
    name="reflection of the logistic function",
    law="1 - sigma(-u) = sigma(u)",
    example=lambda: 1 - functions.sigmoid(-scalar()),
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
    example=lambda: -scalar("y") * (1 - scalar("a")) + (1 - scalar("y")) * scalar("a"),
)
def _scalar_algebra(node: Any, facts: Facts) -> Any:
    products = [t for t in node.args if t.is_Mul and any(f.is_Add for f in t.args)]
    if len(node.args) > MOST_TERMS or len(products) < 2:
        return None
    return _shorter(node)


@REWRITES.rule(
    Elementwise,
    name="sum of entrywise functions",
    law="(f(a) + g(b)) entry by entry is f(A) + g(B)",
    example=lambda: mapped(lambda p, y: functions.sigmoid(p) - y, array(), array("B")),
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
    return add(*(of_entries(parts[v], node.matrices) for v in entry_symbols(count) if v in parts))


@REWRITES.rule(
    sp.HadamardProduct,
    name="entrywise products of functions",
    law="f(A) o g(A, B) is f(a) g(a, b) entry by entry",
    example=lambda: sp.HadamardProduct(array(), mapped(lambda y, p: y / p, array("B"), array())),
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
    numbers = {matrix: number for number, matrix in enumerate(places)}
    own = tuple((body, tuple(numbers[m] for m in matrices)) for body, matrices in pieces)
    return of_entries(_product(own, len(places)), places)


@lru_cache(maxsize=4096)
def _product(pieces: tuple[tuple[Any, tuple[int, ...]], ...], count: int) -> Any:
    """Multiply functions of entries: every one its body, and the numbers of its matrices."""
    variables = entry_symbols(count)
    bodies = []
    for body, numbers in pieces:
        own = entry_symbols(len(numbers))
        values = {o: variables[n] for o, n in zip(own, numbers, strict=True)}
        bodies.append(body.xreplace(values))
    merged = sp.Mul(*bodies)
    return _shorter(merged) or merged


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
        array(), sp.MatAdd(mapped(lambda y, p: y / p, array("B"), array()), array("C"))
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
    example=lambda: sp.HadamardPower(array(), 1),
)
def _trivial_power(node: Any, facts: Facts) -> Any:
    if node.exp == 1:
        return node.base
    return sp.OneMatrix(*node.base.shape) if node.exp == 0 else None
