"""Staged computation: every operation gets a name of its own.

A derivation of a staged graph applies one rule a line, which is what its detail `full` prints.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Any

import sympy as sp

from symgrad import graph as graphs
from symgrad import trees
from symgrad.derivation import Derivation
from symgrad.gradient.sweep import differentiate
from symgrad.graph import SYMMETRIC, Graph
from symgrad.layout import numerator
from symgrad.matrices import Broadcast
from symgrad.shapes import Shape, name_of, shape_of

#: What has a body of its own, in which nothing gets a name.
WHOLE = (sp.Lambda, sp.Sum, sp.Product, sp.Piecewise, sp.FunctionMatrix)


def staged(graph: Graph, wrt: Iterable[Any]) -> Graph:
    """Name every operation on the way from `wrt`, one definition each.

    >>> from symgrad.formula import Formula
    >>> w, x, b = sp.symbols("w x b", real=True)
    >>> loss = Formula.of(sp.tanh(w * x + b) ** 2)
    >>> [f"{s} = {e}" for s, e in staged(loss.graph, [w])]
    ['m1 = w*x', 't1 = b + m1', 't2 = tanh(t1)', 'L = t2**2']
    """
    active = graphs.dependents(graph, wrt) | set(wrt)
    taken = set(graph.symbols)
    names: dict[Any, Any] = {}
    definitions: list[Any] = []
    for symbol, expression in graph.definitions:
        done: dict[Any, Any] = {}
        for node in trees.postorder(expression, WHOLE):
            made = node
            if not isinstance(node, WHOLE):
                made = trees.remade(node, [done[child] for child in trees.children(node)])
            if node != expression and made in names:
                made = names[made]
            elif node != expression and _is_stage(made, active):
                name = _name(taken, shape_of(made))
                names[made] = graphs.symbol_like(name, shape_of(made))
                active.add(names[made])
                definitions.append((names[made], made))
                made = names[made]
            done[node] = made
        definitions.append((symbol, done[expression]))
    return replace(graph, definitions=tuple(definitions), introduced=frozenset())


def _name(taken: set[str], shape: Shape) -> str:
    """Return a free name: a capital letter for a matrix, one count for both."""
    number = 1
    while {f"m{number}", f"M{number}"} & taken:
        number += 1
    letter = "M" if shape and 1 not in shape else "m"
    taken.add(f"{letter}{number}")
    return f"{letter}{number}"


def _is_stage(node: Any, active: set[Any]) -> bool:
    """Tell whether a node is an operation worth a line: no sign, no transpose, no repetition."""
    if isinstance(node, (*WHOLE, sp.Transpose, Broadcast)) or not trees.children(node):
        return False
    if isinstance(node, (sp.Mul, sp.MatMul)):
        factors = [arg for arg in node.args if not arg.is_number]
        if len(factors) < 2:
            return False
    return not active.isdisjoint(trees.symbols(node))


def in_full(derived: Derivation) -> Derivation:
    """Return the derivation of the same derivatives with every operation named.

    >>> from symgrad.gradient import gradient
    >>> w, x = sp.symbols("w x", real=True)
    >>> made = in_full(gradient(sp.tanh(w * x) ** 2, ["w"]).derivation)
    >>> [str(adjoint.symbol) for adjoint in made.adjoints]
    ['t2_bar', 't1_bar', 'dw']
    """
    found = swept(derived, staged(forward_of(derived), derived.wrt))
    if derived.result.profile is not None and derived.result.profile.layout == "numerator":
        found = numerator(found)
    return replace(found, detail=derived.detail, reduce=derived.reduce, example=derived.example)


def forward_of(derived: Derivation) -> Graph:
    """Return what was defined before the sweep.

    >>> from symgrad.gradient import gradient
    >>> w, x = sp.symbols("w x", real=True)
    >>> [str(s) for s, _ in forward_of(gradient(sp.tanh(w * x) ** 2, ["w"]).derivation)]
    ['t1', 't2', 'L']
    """
    made, goal = derived.result, name_of(derived.goal)
    swept_ones = {adjoint.symbol for adjoint in derived.adjoints}
    definitions = tuple(
        (symbol, expression)
        for symbol, expression in made.definitions
        if symbol not in swept_ones and made.label(symbol).over != goal
    )
    names = {name_of(symbol) for symbol, _ in definitions} | {v.name for v in made.inputs}
    labels = {name: label for name, label in made.labels.items() if name in names}
    return replace(made, definitions=definitions, outputs=(derived.goal,), labels=labels)


def swept(derived: Derivation, forward: Graph) -> Derivation:
    """Sweep a graph for the derivatives of a derivation.

    >>> from symgrad.gradient import gradient
    >>> derived = gradient(sp.Symbol("x", real=True) ** 2, ["x"]).derivation
    >>> swept(derived, forward_of(derived)) == derived
    True
    """
    made = derived.result
    symmetric = [a.variable for a in derived.adjoints if made.label(a.symbol).letter == SYMMETRIC]
    return differentiate(forward, derived.goal, derived.wrt, symmetric)
