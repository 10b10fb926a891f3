"""Whether the steps of a derivation are a chain: none is missing, doubled or out of order."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from typing import Any

import sympy as sp

from symgrad import trees
from symgrad.algebra import transpose
from symgrad.derivation import Adjoint, Contribution, Derivation, replay
from symgrad.errors import UnsupportedError
from symgrad.graph import SYMMETRIC
from symgrad.rules import pull_back
from symgrad.shapes import name_of
from symgrad.staging import forward_of, swept


def faults(derived: Derivation) -> list[str]:
    """Say what is wrong with the steps of a derivation; nothing if they are a chain.

    Every step is applied again. Each must begin where the one before it ends, and every use of a
    variable must contribute once; an adjoint may use those before it alone.

    >>> import sympy as sp
    >>> from dataclasses import replace
    >>> from symgrad.gradient import gradient
    >>> w, x = sp.symbols("w x", real=True)
    >>> derived = gradient(sp.tanh(w * x) ** 2, ["w"]).derivation
    >>> faults(derived), faults(replace(derived, adjoints=derived.adjoints[1:]))[0]
    ([], 'the derivative by `t2` is missing')
    """
    return list(dict.fromkeys(_faults(derived)))


def _faults(derived: Derivation) -> Iterator[str]:
    forward = forward_of(derived)
    kept = [adjoint.symbol for adjoint in derived.adjoints if adjoint.kept]
    known = {symbol for symbol, _ in forward}
    if kept != [s for s, _ in derived.result.definitions if s not in known]:
        yield "the derivatives are not those that are defined, in their order"
    found = [adjoint.variable for adjoint in derived.adjoints]
    wanted = [adjoint.variable for adjoint in swept(derived, forward).adjoints]
    for variable in dict.fromkeys(wanted):
        if found.count(variable) < wanted.count(variable):
            yield f"the derivative by `{name_of(variable)}` is missing"
        elif found.count(variable) > wanted.count(variable):
            yield f"the derivative by `{name_of(variable)}` stands there twice"
    if found != wanted:
        yield "the derivatives are not in the order of the sweep"
    values = {derived.goal: sp.S.One}
    values |= {a.variable: a.symbol if a.kept else a.value for a in derived.adjoints}
    if _is_turned(derived):
        values = {v: transpose(g) if g.is_Matrix else g for v, g in values.items()}
    for adjoint in derived.adjoints:
        yield from _of_uses(derived, adjoint, dict(forward), values)


def _is_turned(derived: Derivation) -> bool:
    profile = derived.result.profile
    return profile is not None and profile.layout == "numerator"


def _of_uses(
    derived: Derivation, adjoint: Adjoint, forward: dict[Any, Any], values: dict[Any, Any]
) -> Iterator[str]:
    """Find the uses of a variable that do not contribute to its adjoint, or do so twice."""
    variable, name = adjoint.variable, name_of(adjoint.variable)
    if derived.result.label(adjoint.symbol).letter == SYMMETRIC:
        return  # it is made of the derivative by the same variable, not of its uses
    wanted: list[Any] = []
    for source, expression in forward.items():
        if source in values and variable in trees.symbols(expression):
            pulled = pull_back(expression, values[source], source, {variable})
            wanted += [source] * len(pulled.get(variable, ()))
    given = [c.source for c in adjoint.contributions if variable != derived.goal]
    if sorted(map(name_of, given)) != sorted(map(name_of, wanted)):
        yield f"the uses of `{name}` and the terms of its derivative differ"
    turned = _is_turned(derived)
    for contribution in adjoint.contributions:
        first = contribution.steps[0] if contribution.steps else None
        if first and first.node != forward.get(contribution.source):
            yield f"the steps to `{name}` do not begin with `{name_of(contribution.source)}`"
        # In the other layout terms are transposed, and steps are not.
        yield from _of_chain(variable, contribution, whole=not turned)


def _of_chain(variable: Any, contribution: Contribution, *, whole: bool) -> Iterator[str]:
    steps, name = contribution.steps, name_of(variable)
    if not steps:
        return
    ends = steps[-1].child == variable
    ends = ends and (not whole or steps[-1].result == contribution.value)
    if not ends:
        yield f"the steps to `{name}` do not end in its derivative"
    for first, second in pairwise(steps):
        if first.child != second.node or first.result != second.incoming:
            yield f"a step to `{name}` does not begin where the one before it ends"
    for step in steps:
        try:
            again = replay(step)
        except (UnsupportedError, AttributeError, TypeError, ValueError):
            again = None  # a rule of another kind of node
        if again != step.result:
            yield f"the {step.rule.name} does not give what a step to `{name}` says"
