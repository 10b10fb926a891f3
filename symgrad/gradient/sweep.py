"""The sweep: adjoints from the last definition to the first, and what is kept of them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

import sympy as sp
from sympy.matrices.expressions.matexpr import MatrixElement

from symgrad import graph as graphs
from symgrad import simplify, trees
from symgrad.algebra import add, scale, transpose
from symgrad.derivation import Adjoint, Contribution, Derivation
from symgrad.graph import SYMMETRIC, Graph, Label
from symgrad.rules import pull_back
from symgrad.shapes import name_of, shape_of


@dataclass
class _Sweep:
    """The state of one sweep: what was contributed to whom, and the names in use."""

    graph: Graph
    goal: Any
    active: set[Any]
    wrt: dict[Any, None]
    structured: frozenset[Any] = frozenset()
    taken: set[str] = field(default_factory=set)
    terms: dict[Any, list[Contribution]] = field(default_factory=dict)
    adjoints: list[Adjoint] = field(default_factory=list)
    labels: dict[str, Label] = field(default_factory=dict)

    @cached_property
    def ranks(self) -> dict[Any, int]:
        """How many axes the arrays of the inputs have."""
        return {v.symbol: len(v.shape) for v in self.graph.inputs if v.shape}

    def name(self, variable: Any) -> Any:
        """Name the adjoint of a variable, and remember what the name stands for."""
        label = self.graph.label(variable)
        name, role = name_of(variable), "adjoint"
        if variable in self.wrt and variable not in self.structured:
            wanted, role = f"d{name}", "gradient"
        elif label.role == "pre-activation":
            wanted = f"delta{name[1:]}"
        else:
            wanted = f"{name}_bar"
        chosen = graphs.fresh(wanted, self.taken)
        self.taken.add(chosen)
        letter = "delta" if chosen.startswith("delta") and chosen == wanted else ""
        rank = self.ranks.get(variable) if role == "gradient" else None
        self.labels[chosen] = Label(
            letter, role, label.layer, label.index, of=name, over=name_of(self.goal), rank=rank
        )
        return graphs.symbol_like(chosen, shape_of(variable))

    def close(self, variable: Any) -> Any:
        """Add up what a variable received, and return the name of its adjoint."""
        contributions = tuple(self.terms.get(variable, ()))
        symbol = self.name(variable)
        value = _total(variable, [c.value for c in contributions])
        self.adjoints.append(Adjoint(variable, symbol, contributions, value, kept=True))
        return symbol

    def push(self, symbol: Any, expression: Any, g: Any) -> None:
        """Hand the adjoint of a definition on to the names that it uses."""
        for leaf, found in pull_back(expression, g, symbol, self.active).items():
            received = self.terms.setdefault(leaf, [])
            received.extend(Contribution(symbol, steps, value) for value, steps in found)


def _total(variable: Any, values: list[Any]) -> Any:
    if not values:
        return sp.ZeroMatrix(*variable.shape) if variable.is_Matrix else sp.S.Zero
    if not variable.is_Matrix:
        return values[0] if len(values) == 1 else sp.Add(*values)
    return values[0] if len(values) == 1 else add(*values)


def differentiate(
    graph: Graph, goal: Any, wrt: Iterable[Any], structured: Iterable[Any] = ()
) -> Derivation:
    """Sweep a graph backwards from `goal` and return the derivation.

    Args:
        graph: Definitions of the goal, a scalar.
        goal: The symbol of the definition (or input) to differentiate.
        wrt: Symbols of inputs.
        structured: Those of `wrt` that are symmetric, and shall have symmetric gradients.
    """
    wrt = dict.fromkeys(wrt)
    whole, graph = graph, _entry_named(graph.needed([goal]), goal)
    active = graphs.dependents(graph, wrt)
    sweep = _Sweep(graph, goal, active, wrt, frozenset(structured), taken=set(whole.symbols))
    order = _backwards(graph)
    last_use = _last_uses(order, wrt)
    if goal in wrt:
        sweep.terms[goal] = [Contribution(goal, (), sp.S.One)]
    for symbol, expression in order:
        if symbol == goal:
            sweep.push(symbol, expression, sp.S.One)
        elif symbol in sweep.terms:
            sweep.push(symbol, expression, sweep.close(symbol))
        for variable in last_use.get(symbol, ()):
            sweep.close(variable)
    closed = {adjoint.variable for adjoint in sweep.adjoints}
    for variable in wrt:
        if variable not in closed:
            sweep.close(variable)
    return _finished(sweep, whole)


def _entry_named(graph: Graph, goal: Any) -> Graph:
    """Note that a goal is an entry of a gradient, so that printers see a second derivative."""
    entry = dict(graph.definitions).get(goal)
    if not isinstance(entry, MatrixElement) or graph.labels.get(name_of(goal)):
        return graph
    matrix, *places = entry.args
    label = graph.label(matrix)
    if label.role != "gradient" or not label.of or not all(i.is_Integer for i in places):
        return graph
    index = tuple(int(i) + 1 for i in places[: 1 if matrix.shape[1] == 1 else 2])
    named = replace(label, index=index, rank=0)
    return replace(graph, labels={**graph.labels, name_of(goal): named})


def _backwards(graph: Graph) -> list[Any]:
    """Order the definitions so that all users of a name come before it.

    Definitions that do not depend on one another keep their order: the units of a layer
    are differentiated from first to last.
    """
    levels: dict[Any, int] = {}
    for symbol, expression in graph.definitions:
        used = trees.symbols(expression)
        levels[symbol] = 1 + max((levels.get(name, 0) for name in used), default=0)
    return sorted(graph.definitions, key=lambda definition: -levels[definition[0]])


def _last_uses(order: list[Any], wrt: Iterable[Any]) -> dict[Any, list[Any]]:
    """Return for definitions the variables that they are the last to use in this order.

    When its last user is done, a variable has received everything.
    """
    waiting = {variable: place for place, variable in enumerate(wrt)}
    found: dict[Any, list[Any]] = {}
    for symbol, expression in reversed(order):
        used = waiting.keys() & trees.symbols(expression)
        # Not the set's own order, which depends on the hash seed.
        found[symbol] = sorted(used, key=waiting.__getitem__)
        for variable in used:
            del waiting[variable]
    return found


def _finished(sweep: _Sweep, whole: Graph) -> Derivation:
    """Put the adjoints behind the definitions that they, or the goal, need."""
    adjoints = _written_out(sweep, _Known.of(whole))
    kept = [(a.symbol, a.value) for a in adjoints if a.kept]
    used = {s for _, value in kept for s in trees.symbols(value)}
    # A prediction that the loss does not need may be what a gradient is written with.
    named = [s for s, _ in whole.definitions if s in used]
    forward = whole.needed([sweep.goal, *named]).definitions
    graphs.check(sweep.graph.inputs, kept, known=forward)
    outputs = [a.symbol for a in adjoints if sweep.labels[name_of(a.symbol)].role == "gradient"]
    result = replace(
        sweep.graph,
        definitions=(*forward, *kept),
        outputs=tuple(outputs),
        labels={**sweep.graph.labels, **sweep.labels},
        introduced=sweep.graph.introduced
        | {name_of(a.symbol) for a in adjoints if name_of(a.symbol).endswith("_bar")},
    )
    return Derivation(sweep.goal, tuple(sweep.wrt), adjoints, result)


def _written_out(sweep: _Sweep, known: _Known) -> tuple[Adjoint, ...]:
    """Write adjoints that are used once where they are used; keep deltas and gradients."""
    adjoints = [known.simpler(adjoint) for adjoint in sweep.adjoints]
    parts = [_parts_of(adjoint.value) for adjoint in adjoints]
    uses = Counter(child for found in parts for child in found)
    values: dict[Any, Any] = {}
    ties: dict[Any, set[str]] = {}
    done = []
    for adjoint, found in zip(adjoints, parts, strict=True):
        if not values.keys().isdisjoint(found) or not known.facts.defined.isdisjoint(found):
            adjoint = known.simpler(replace(adjoint, value=trees.replace(adjoint.value, values)))
        value, name = adjoint.value, name_of(adjoint.symbol)
        inherited = [ties[child] for child in found if child in values]
        tied = known.ties(adjoint.rewrites).union(*inherited)
        label = sweep.labels[name]
        if tied:
            label = sweep.labels[name] = replace(label, tied=tuple(sorted(tied)))
        named = label.role == "gradient" or label.letter == "delta"
        shared = uses[adjoint.symbol] > 1 and not graphs.is_trivial(value)
        kept = named or shared or _is_long(value)
        if kept:
            known = known.also(adjoint.symbol, value)
        else:
            values[adjoint.symbol], ties[adjoint.symbol] = value, tied
        done.append(adjoint if kept else replace(adjoint, kept=False))
    symmetric = [a for adjoint in done for a in _symmetric_part(sweep, known, adjoint)]
    return (*done, *symmetric)


def _symmetric_part(sweep: _Sweep, known: _Known, adjoint: Adjoint) -> Iterator[Adjoint]:
    """Yield the gradient in the symmetric matrices: the chain rule through A = (A + A') / 2."""
    variable = adjoint.variable
    if variable not in sweep.structured:
        return
    incoming = adjoint.symbol if adjoint.kept else adjoint.value
    part = scale(sp.Rational(1, 2), add(variable, transpose(variable)))
    name = graphs.fresh(f"d{name_of(variable)}", sweep.taken)
    sweep.taken.add(name)
    contributions = tuple(
        Contribution(variable, steps, value)
        for value, steps in pull_back(part, incoming, variable, {variable})[variable]
    )
    total = _total(variable, [c.value for c in contributions])
    symbol = graphs.symbol_like(name, shape_of(variable))
    found = known.simpler(Adjoint(variable, symbol, contributions, total, kept=True))
    tied = known.ties(found.rewrites).union(sweep.labels[name_of(adjoint.symbol)].tied)
    sweep.labels[name] = Label(
        SYMMETRIC,
        "gradient",
        of=name_of(variable),
        over=name_of(sweep.goal),
        tied=tuple(sorted(tied)),
    )
    yield found


@dataclass(frozen=True)
class _Known:
    """What simplification may use: facts about inputs, and values that have a name."""

    facts: Any
    named: Mapping[Any, Any]

    @staticmethod
    def of(graph: Graph) -> _Known:
        named = {e: s for s, e in graph.definitions if isinstance(e, simplify.NAMED)}
        return _Known(simplify.facts_of(graph.inputs, graph.definitions), named)

    def simpler(self, adjoint: Adjoint) -> Adjoint:
        nodes = trees.nodes(adjoint.value)
        worth = simplify.may_simplify(nodes, self.facts)
        if len(nodes) > LONGEST or not worth:
            return adjoint
        value, applied = simplify.simplified(adjoint.value, self.facts, self.named)
        return replace(adjoint, value=value, rewrites=adjoint.rewrites + applied)

    def also(self, symbol: Any, value: Any) -> _Known:
        """Add what is known of an adjoint that has a name."""
        facts = simplify.with_definition(self.facts, symbol, value)
        return self if facts is self.facts else replace(self, facts=facts)

    def ties(self, rewrites: Iterable[Any]) -> set[str]:
        """Name the inputs of which some rewrite used what is known of them."""
        used = (before for rule, before, _ in rewrites if rule.tied)
        return {name_of(symbol) for before in used for symbol in self.facts.ties(before)}


#: An adjoint of more parts keeps its name, so that the cost stays linear in the depth.
LONGEST = 80


def _is_long(value: Any) -> bool:
    return len(trees.nodes(value)) > LONGEST


def _parts_of(value: Any) -> list[Any]:
    """List the value itself and every child of every node, repeated as often as it occurs."""
    return [value, *(child for node in trees.nodes(value) for child in trees.children(node))]
