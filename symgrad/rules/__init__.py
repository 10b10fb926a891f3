"""Derivative rules: one per kind of node, each with its law, its reason and an example.

A rule is a generator `pull(node, g, value, active)`. Given the adjoint g of a
node it yields, for every child in `active`, the child, the contribution to
its adjoint, and the local derivative apart from g. `value` is a name for the
node's own value, so that tanh' is 1 - a^2 and nothing is computed twice.

The adjoint of a variable has the variable's own shape. To add a rule, decorate
a generator with `derivative_rule` in one of the tables `scalars`, `indexed`,
`matrices` and `operations`; the tests differentiate its example by it and compare with the
oracle.
"""

from __future__ import annotations

import copyreg
from collections.abc import Callable, Container, Iterator
from typing import Any

import sympy as sp

from symgrad import trees
from symgrad.algebra import is_zero
from symgrad.derivation import Rule, Step
from symgrad.errors import UnsupportedError

Pull = Iterator[tuple[Any, Any, Any]]

#: Every derivative rule, by the class of its node.
RULES: dict[type, Rule] = {}


def derivative_rule(
    *heads: type, name: str, law: str, reason: str, example: Callable[[], Any]
) -> Callable[[Any], Any]:
    """Register the rule of the node classes `heads` (a decorator)."""

    def register(pull: Any) -> Any:
        rule = Rule(name, law, reason, example, pull)
        RULES.update(dict.fromkeys(heads, rule))
        return pull

    return register


def _registered(law: str) -> Rule:
    return next(rule for rule in RULES.values() if rule.law == law)


# Derivations are pickled with their steps; a rule is one of the registry, known by its law.
copyreg.pickle(Rule, lambda rule: (_registered, (rule.law,)))


def rule_of(node: Any) -> Rule:
    """Find the rule of a node.

    Raises:
        UnsupportedError: There is none; the message names the operation.

    >>> rule_of(sp.tanh(sp.Symbol("x"))).name
    'chain rule'
    """
    for head in type(node).__mro__:
        if head in RULES:
            return RULES[head]
    raise UnsupportedError(f"no derivative rule for `{type(node).__name__}`, in `{node}`")


def pull_back(
    expression: Any, g: Any, value: Any, active: Container[Any], record: bool = True
) -> dict[Any, list[tuple[Any, tuple[Step, ...]]]]:
    """Pull the adjoint of an expression back to the active symbols below it.

    Args:
        expression: The right-hand side of a definition.
        g: Its adjoint.
        value: The name of its value.
        active: The symbols whose adjoints are wanted.
        record: Whether to keep the steps.

    Returns:
        For every active symbol its contributions, each with the steps that led to it.
    """
    found: dict[Any, list[tuple[Any, tuple[Step, ...]]]] = {}
    alive = _active_nodes(expression, active)
    pending: list[tuple[Any, Any, Any, tuple[Step, ...]]] = [(expression, g, value, ())]
    while pending:
        node, adjoint, own, path = pending.pop()
        if node in active:
            found.setdefault(node, []).append((adjoint, path))
            continue
        if node not in alive:
            continue
        rule = rule_of(node)
        taken = []
        for child, contribution, local in rule.pull(node, adjoint, own, alive):
            if is_zero(contribution):
                continue
            steps = path
            if record:
                steps = (*path, Step(rule, node, own, child, adjoint, local, contribution))
            taken.append((child, contribution, child, steps))
        pending.extend(reversed(taken))
    return found


def _active_nodes(expression: Any, active: Container[Any]) -> set[Any]:
    alive: set[Any] = set()
    for node in trees.nodes(expression):
        if node in active or any(child in alive for child in trees.children(node)):
            alive.add(node)
    return alive


def partial(expression: Any, variable: Any) -> Any:
    """Differentiate a small scalar expression by one symbol or entry, written out.

    >>> x = sp.Symbol("x", real=True)
    >>> partial(sp.tanh(2 * x), x)
    2*(1 - tanh(2*x)**2)
    """
    found = pull_back(expression, sp.S.One, expression, {variable}, record=False)
    return sp.Add(*(value for value, _ in found.get(variable, ())))


# The tables of rules register themselves.
from symgrad.rules import indexed, matrices, operations, scalars  # noqa: E402, F401
