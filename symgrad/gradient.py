"""Reverse accumulation over named definitions.

The sweep walks the definitions of a graph backwards. Every definition hands
its adjoint to the rules of `symgrad.rules`, which return what it contributes
to the adjoints of the names that it uses; the terms of a name are added up
and named in turn. Nothing is written out, so that the cost is linear in the
number of definitions, and every applied rule is recorded.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import sympy as sp
from sympy.matrices.expressions.matexpr import MatrixElement

from symgrad import graph as graphs
from symgrad import simplify, trees
from symgrad.algebra import add
from symgrad.derivation import Adjoint, Contribution, Derivation, check_detail
from symgrad.errors import (
    OptionError,
    ShapeError,
    UnsupportedError,
    checks_options,
    listed,
    unknown,
)
from symgrad.facts import sum_axis, sums_of_scalars
from symgrad.formula import Formula
from symgrad.graph import Graph, Label
from symgrad.rules import pull_back
from symgrad.shapes import name_of, shape_of, worded


class Gradient(Mapping[str, Formula]):
    """Gradients by the name (or symbol) of the variable, over one shared graph.

    Attributes:
        graph: Forward and backward definitions together.
        derivation: How the gradients came about.
        loss: The formula that was differentiated.
    """

    def __init__(self, loss: Formula, formulas: Mapping[str, Formula], derivation: Any) -> None:
        self._formulas = dict(formulas)
        self.loss = loss
        self.derivation = derivation
        self.graph: Graph = derivation.result

    def __getitem__(self, name: Any) -> Formula:
        """Return the gradient by one variable."""
        key = name if isinstance(name, str) else name_of(name)
        if key not in self._formulas:
            raise unknown("variable", key, self._formulas)
        return self._formulas[key]

    def __contains__(self, name: object) -> bool:
        return (name if isinstance(name, str) else name_of(name)) in self._formulas

    def __iter__(self) -> Iterator[str]:
        return iter(self._formulas)

    def __len__(self) -> int:
        return len(self._formulas)

    def __repr__(self) -> str:
        return f"Gradient of {name_of(self.loss.output)} by {listed(self._formulas)}"

    def latex(self, *, document: bool = False, detail: str = "result") -> str:
        """Print forward and backward definitions as LaTeX; see `Derivation.latex`."""
        return str(self.derivation.latex(document=document, detail=detail))

    def _repr_latex_(self) -> str:
        return f"$$\n{self.latex()}\n$$"


@checks_options
def gradient(loss: Any, wrt: Any = None) -> Any:
    """Derive the gradient of a scalar in closed form.

    Args:
        loss: A scalar Formula (a loss, or an entry of a gradient) or bare SymPy.
        wrt: A name or symbol gives one Formula; a list gives a mapping by name;
            left out, all parameters. An explicit matrix of symbols gives a matrix.

    Returns:
        A `Formula` in the variable's own shape, or a `Gradient`, a mapping of them.
        Both have `.graph` and `.derivation`.

    Raises:
        ShapeError: The loss is not a scalar.
        OptionError: A name does not occur in the loss, or `wrt` is missing and the loss
            has no parameters.
        UnsupportedError: An operation without a rule; the message names it.

    The method is reverse accumulation; the adjoint of a variable has its shape, so that
    dL = sum over variables of <adjoint, d variable>, which is how every rule is proved.

    >>> w, x, y = sp.symbols("w x y", real=True)
    >>> gradient((w * x - y) ** 2, w).sympy
    2*x*(w*x - y)
    """
    formula = Formula.of(loss)
    shape = shape_of(formula.output)
    if shape:
        raise ShapeError(
            f"a gradient is that of a scalar, but `{formula.output}` is {worded(shape)}; "
            "take an entry, f[0, 0], or sg.sum_entries"
        )
    if isinstance(wrt, sp.MatrixBase):
        return _by_explicit_matrix(formula, wrt)
    single = isinstance(wrt, (str, sp.Basic))
    variables = _resolve(formula, [wrt] if single else wrt)
    _refuse_used_facts(formula, variables)
    derivation = differentiate(formula.graph, formula.output, variables)
    formulas = {
        name_of(a.variable): _formula(derivation, a) for a in _of_inputs(derivation, variables)
    }
    if single:
        return formulas[name_of(variables[0])]
    return Gradient(formula, formulas, derivation)


def _refuse_used_facts(formula: Formula, variables: Iterable[Any]) -> None:
    """Refuse the derivative of a gradient by what was used as known in it.

    Raises:
        UnsupportedError: That the variable sums to one was used, so that it does not vary freely.
    """
    made = formula.graph.needed([formula.output])
    if not any(made.label(s).role in ("gradient", "adjoint") for s, _ in made.definitions):
        return
    known = [v for v in formula.inputs.values() if sum_axis(v) is not None]
    known += [v for group in sums_of_scalars(formula.inputs.values()) for v in group]
    for variable in known:
        if variable.symbol in variables:
            raise UnsupportedError(
                f"this gradient was simplified with what is known of `{variable.name}`, which "
                f"sums to one; differentiate by `{variable.name}` first, and then by the others"
            )


def _formula(derivation: Derivation, adjoint: Adjoint) -> Formula:
    graph = replace(derivation.result, outputs=(adjoint.symbol,))
    return Formula(graph, adjoint.symbol, derivation=derivation)


def _of_inputs(derivation: Derivation, variables: Iterable[Any]) -> list[Adjoint]:
    found = {adjoint.variable: adjoint for adjoint in derivation.adjoints}
    return [found[variable] for variable in variables]


def _resolve(formula: Formula, wrt: Any) -> list[Any]:
    inputs = formula.inputs
    if wrt is None:
        if not formula.parameters:
            raise OptionError(
                f"the formula has no parameters, so wrt is required: one or several of "
                f"{listed(inputs)}"
            )
        wrt = formula.parameters
    if not isinstance(wrt, Iterable):
        raise OptionError(f"wrt is a name, a symbol or a list of them, not {wrt!r}")
    names = [name if isinstance(name, str) else name_of(name) for name in wrt]
    if isinstance(wrt, (set, frozenset)):
        names.sort()  # the order of a set depends on the hash seed
    if not names:
        raise OptionError(f"wrt is empty; name one or several of {listed(inputs)}")
    for name in names:
        if name not in inputs:
            raise unknown("variable", name, inputs)
    return [inputs[name].symbol for name in dict.fromkeys(names)]


def _by_explicit_matrix(formula: Formula, wrt: Any) -> Formula:
    entries = [entry for entry in wrt if entry.is_Symbol]
    if len(entries) != len(wrt) or len(set(entries)) != len(entries):
        raise OptionError("a matrix in wrt has distinct symbols as entries, nothing else")
    known = [entry for entry in entries if name_of(entry) in formula.inputs]
    # What does not occur has the derivative zero; if nothing occurs, the names are wrong.
    parts = gradient(formula, known or entries)
    table = [parts[entry].output if entry in known else sp.S.Zero for entry in entries]
    value = sp.ImmutableMatrix(wrt.rows, wrt.cols, table)
    name = graphs.fresh("G", parts.graph.symbols)
    symbol = sp.MatrixSymbol(name, wrt.rows, wrt.cols)
    graph = replace(
        parts.graph,
        definitions=(*parts.graph.definitions, (symbol, value)),
        outputs=(symbol,),
        labels={**parts.graph.labels, name: Label(letter="G", role="gradient")},
    )
    derivation = replace(parts.derivation, result=graph)
    return Formula(graph, symbol, derivation=derivation)


# ------------------------------------------------------------------- the sweep


@dataclass
class _Sweep:
    """The state of one sweep: what was contributed to whom, and the names in use."""

    graph: Graph
    goal: Any
    active: set[Any]
    wrt: dict[Any, None]
    taken: set[str] = field(default_factory=set)
    terms: dict[Any, list[Contribution]] = field(default_factory=dict)
    adjoints: list[Adjoint] = field(default_factory=list)
    labels: dict[str, Label] = field(default_factory=dict)

    def name(self, variable: Any) -> Any:
        """Name the adjoint of a variable, and remember what the name stands for."""
        label = self.graph.label(variable)
        name, role = name_of(variable), "adjoint"
        if variable in self.wrt:
            wanted, role = f"d{name}", "gradient"
        elif label.role == "pre-activation":
            wanted = f"delta{name[1:]}"
        else:
            wanted = f"{name}_bar"
        chosen = graphs.fresh(wanted, self.taken)
        self.taken.add(chosen)
        letter = "delta" if chosen.startswith("delta") and chosen == wanted else ""
        self.labels[chosen] = Label(
            letter, role, label.layer, label.index, of=name, over=name_of(self.goal)
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


def differentiate(graph: Graph, goal: Any, wrt: Iterable[Any]) -> Derivation:
    """Sweep a graph backwards from `goal` and return the derivation.

    Args:
        graph: Definitions of the goal, a scalar.
        goal: The symbol of the definition (or input) to differentiate.
        wrt: Symbols of inputs.
    """
    wrt = dict.fromkeys(wrt)
    whole, graph = graph, _entry_named(graph.needed([goal]), goal)
    sweep = _Sweep(graph, goal, graphs.dependents(graph, wrt), wrt, taken=set(whole.symbols))
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
    result = replace(
        sweep.graph,
        definitions=(*forward, *kept),
        outputs=tuple(a.symbol for a in adjoints if a.variable in sweep.wrt),
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
    done = []
    for adjoint, found in zip(adjoints, parts, strict=True):
        if not values.keys().isdisjoint(found):
            adjoint = known.simpler(replace(adjoint, value=trees.replace(adjoint.value, values)))
        value = adjoint.value
        label = sweep.labels[name_of(adjoint.symbol)]
        named = label.role == "gradient" or label.letter == "delta"
        shared = uses[adjoint.symbol] > 1 and not graphs.is_trivial(value)
        kept = named or shared or _is_long(value)
        if not kept:
            values[adjoint.symbol] = value
        done.append(replace(adjoint, value=value, kept=kept))
    return tuple(done)


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
        nodes = list(trees.postorder(adjoint.value))
        worth = simplify.may_simplify(nodes) or bool(self.facts.sums)
        if len(nodes) > LONGEST or not worth:
            return adjoint
        value, applied = simplify.simplified(adjoint.value, self.facts, self.named)
        return replace(adjoint, value=value, rewrites=adjoint.rewrites + applied)


#: An adjoint of more parts keeps its name, so that the cost stays linear in the depth.
LONGEST = 200


def _is_long(value: Any) -> bool:
    return sum(1 for _ in trees.postorder(value)) > LONGEST


def _parts_of(value: Any) -> list[Any]:
    """List the value itself and every child of every node, repeated as often as it occurs."""
    return [value, *(child for node in trees.postorder(value) for child in trees.children(node))]


@checks_options
def derive(loss: Any, wrt: Any = None, *, detail: str = "chain") -> Derivation:
    r"""Derive gradients and return the derivation, which prints and saves itself.

    Args:
        loss: A scalar Formula or bare SymPy.
        wrt: As in `gradient`.
        detail: `"result"` prints definitions and gradients, `"chain"` every factor of
            the chain rule.

    Returns:
        A `Derivation` with `.latex()`, `.markdown()` and `.save("x.tex")` or `("x.md")`.

    Raises:
        OptionError: An unknown name or detail.

    >>> w, x, y = sp.symbols("w x y", real=True)
    >>> print(derive((w * x - y) ** 2, w).latex(document=False, detail="result"))
    \begin{aligned}
    L &= (w x - y)^{2} \\
    \frac{\partial L}{\partial w} &= 2 (w x - y) x
    \end{aligned}
    """
    check_detail(detail)
    derivation: Derivation = gradient(loss, wrt).derivation
    return replace(derivation, detail=detail)
