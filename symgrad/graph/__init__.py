"""Graphs: ordered named definitions over SymPy expressions.

A `Graph` has the shape of `sympy.cse`'s answer: pairs of a symbol and an
expression over inputs and earlier symbols. Everything that symgrad derives,
prints and compiles is one; expressions are written out ("inlined") only on
request, and only below a budget that is counted before anything is built.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from types import MappingProxyType
from typing import Any

import sympy as sp
from sympy.matrices.expressions.matexpr import MatrixElement

from symgrad import trees
from symgrad.errors import OptionError, ShapeError, UnsupportedError, listed
from symgrad.matrices import Broadcast, Elementwise, SumColumns, SumEntries, SumRows
from symgrad.operations import Operation, ScalarOperation
from symgrad.operations.parts import Slice
from symgrad.shapes import Shape, Variable, name_of, same_size, shape_of, worded
from symgrad.softmax import LogSoftmax, Softmax

#: Above this many nodes a formula is not written out as one SymPy expression.
NODE_BUDGET = 200_000
#: SymPy's own algorithms recurse; deeper expressions end them in a RecursionError.
DEPTH_BUDGET = 120


@dataclass(frozen=True)
class Label:
    """What a name stands for, for printers: `W1` is the weight W of layer 1.

    Attributes:
        letter: The letter, `"W"`, `"delta"`; empty where the name itself is printed.
        role: weight, bias, parameter, input, target, pre-activation, activation,
            prediction, loss, adjoint, gradient or intermediate.
        layer: The layer that the letter is marked with, if any.
        index: Which entry, counted from 1; empty for the whole.
        of: For adjoints and gradients: the name of the variable.
        over: For adjoints and gradients: the name of what is differentiated.
        rank: How many axes a definition's array has, where its expression does not tell.
        tied: The inputs of which something known was used: it is no derivative by them any more.
    """

    letter: str = ""
    role: str = "intermediate"
    layer: int | None = None
    index: tuple[int, ...] = ()
    of: str = ""
    over: str = ""
    rank: int | None = None
    tied: tuple[str, ...] = ()


#: Nodes that work entry by entry.
ENTRYWISE = (
    *(sp.MatAdd, sp.HadamardProduct, sp.HadamardPower, Elementwise),
    *(Softmax, LogSoftmax),
)
#: The letter of a gradient in the space of the symmetric matrices.
SYMMETRIC = "sym"

Definition = tuple[Any, Any]


@dataclass(frozen=True)
class Graph:
    """Ordered definitions over declared inputs; iterating gives `(symbol, expression)` pairs.

    Attributes:
        inputs: The declared inputs.
        parameters: The names of the inputs that are trained.
        definitions: Pairs of a symbol and its expression, each over inputs and earlier symbols.
        outputs: The symbols whose values are asked for.
        labels: What names stand for.
        introduced: Names that the engine made up to share a subexpression.
        profile: How it is printed, a `symgrad.profiles.Profile`; None for symgrad's own way.
    """

    inputs: tuple[Variable, ...]
    parameters: tuple[str, ...]
    definitions: tuple[Definition, ...]
    outputs: tuple[Any, ...]
    labels: Mapping[str, Label] = field(default_factory=dict)
    introduced: frozenset[str] = frozenset()
    profile: Any = None

    def __post_init__(self) -> None:
        """Freeze the labels; those of another graph are frozen, and shared."""
        if not isinstance(self.labels, MappingProxyType):
            object.__setattr__(self, "labels", MappingProxyType(dict(self.labels)))

    def __iter__(self) -> Iterator[Definition]:
        return iter(self.definitions)

    def __len__(self) -> int:
        return len(self.definitions)

    def __getitem__(self, name: Any) -> Any:
        """Return the expression of a definition, by name or symbol."""
        for symbol, expression in self.definitions:
            if symbol == name or name_of(symbol) == name:
                return expression
        raise OptionError(
            f"no definition is named `{name}`; there are {listed(self.defined_names, 30)}"
        )

    def __reduce__(self) -> Any:
        # A mapping proxy does not pickle; the dictionary behind it does.
        fields = (self.inputs, self.parameters, self.definitions, self.outputs)
        return Graph, (*fields, dict(self.labels), self.introduced, self.profile)

    @property
    def defined_names(self) -> list[str]:
        """The names of the definitions, in order."""
        return [name_of(symbol) for symbol, _ in self.definitions]

    @property
    def symbols(self) -> dict[str, Any]:
        """Every symbol by its name: inputs, then definitions."""
        pairs = [(v.name, v.symbol) for v in self.inputs]
        return dict(pairs + [(name_of(s), s) for s, _ in self.definitions])

    @cached_property
    def sizes(self) -> tuple[Any, ...]:
        """The symbols for sizes that the shapes of the inputs mention, in order."""
        found: dict[Any, None] = {}
        for variable in self.inputs:
            for size in variable.inside:
                found.update(dict.fromkeys(sorted(sp.sympify(size).free_symbols, key=str)))
        return tuple(found)

    def label(self, symbol: Any) -> Label:
        """Return what a symbol stands for; a bare label where nothing is declared."""
        return self.labels.get(name_of(symbol), _BARE)

    def needed(self, outputs: Iterable[Any]) -> Graph:
        """Keep only what the outputs need; inputs stay declared."""
        outputs = tuple(outputs)
        wanted: set[Any] = set(outputs)
        kept: list[Definition] = []
        for symbol, expression in reversed(self.definitions):
            if symbol in wanted:
                wanted |= trees.symbols(expression)
                kept.append((symbol, expression))
        return replace(self, definitions=tuple(reversed(kept)), outputs=outputs)

    def inline(self, output: Any, budget: int = NODE_BUDGET) -> Any:
        """Write an output out as one SymPy expression over the inputs.

        Raises:
            UnsupportedError: The expression would be larger than the budget, or too
                deep for SymPy; the message has the count.
        """
        graph = self.needed([output])
        _require_affordable(graph, budget)
        values: dict[Any, Any] = {}
        for symbol, expression in graph.definitions:
            values[symbol] = trees.replace(expression, values)
        return values.get(output, output)


_BARE = Label()


def _require_affordable(graph: Graph, budget: int) -> None:
    nodes: dict[Any, int] = {}
    depths: dict[Any, int] = {}
    for symbol, expression in graph.definitions:
        count, depth = _measure(expression, nodes, depths)
        nodes[symbol], depths[symbol] = count, depth
    if not nodes:
        return
    count, depth = nodes[symbol], max(depths.values())
    if count > budget or depth > DEPTH_BUDGET:
        raise UnsupportedError(
            f"written out, `{symbol}` has {count} nodes and is {depth} levels deep; the limits are "
            f"{budget} and {DEPTH_BUDGET}. Use .graph, where it is {len(graph)} named definitions"
        )


def _measure(expression: Any, nodes: dict[Any, int], depths: dict[Any, int]) -> tuple[int, int]:
    count, depth = {}, {}
    for node in trees.postorder(expression):
        if node in nodes:
            count[node], depth[node] = nodes[node], depths[node]
            continue
        below = trees.children(node)
        count[node] = 1 + sum(count[child] for child in below)
        depth[node] = 1 + max((depth[child] for child in below), default=0)
    return count[expression], depth[expression]


def dependents(graph: Graph, variables: Iterable[Any]) -> set[Any]:
    """Return the variables and every definition that depends on one of them."""
    active = set(variables)
    for symbol, expression in graph.definitions:
        if not active.isdisjoint(trees.symbols(expression)):
            active.add(symbol)
    return active


# ------------------------------------------------------------------- building


def check(
    inputs: Iterable[Variable], definitions: Iterable[Definition], known: Iterable[Definition] = ()
) -> None:
    """Check definitions: names are new, statements in order, shapes fit.

    Args:
        inputs: The declared inputs.
        definitions: The definitions to check.
        known: Definitions before them that were checked already.

    Raises:
        OptionError: A name is defined twice, or clashes with an input.
        ShapeError: An expression's shapes do not fit, or are not those of its symbol.
        UnsupportedError: An expression uses a name before its definition.
    """
    inputs = list(inputs)
    ready = {v.symbol for v in inputs} | {s for s, _ in known}
    names = {v.name for v in inputs} | {name_of(s) for s, _ in known}
    sizes = {s for v in inputs for size in v.inside for s in sp.sympify(size).free_symbols}
    scalars = not any(getattr(symbol, "is_Matrix", False) for symbol in ready)
    for symbol, expression in definitions:
        name = name_of(symbol)
        if name in names:
            raise OptionError(f"the name `{name}` of a definition is taken; rename that input")
        missing = trees.symbols(expression) - ready - sizes
        if missing:
            what = listed(sorted(map(name_of, missing)))
            raise UnsupportedError(f"`{name}` uses {what} before it is defined")
        scalars = scalars and not getattr(symbol, "is_Matrix", False)
        if not scalars:
            _check_shape(symbol, expression)
        ready.add(symbol)
        names.add(name)


def _check_shape(symbol: Any, expression: Any) -> None:
    shape, wanted = shape_of(expression), shape_of(symbol)
    if not _same(shape, wanted):
        raise ShapeError(
            f"`{symbol}` is {worded(wanted)}, but its definition is {worded(shape)}: {expression}"
        )


def _same(first: Shape, second: Shape) -> bool:
    return len(first) == len(second) and all(
        same_size(a, b) for a, b in zip(first, second, strict=True)
    )


def symbol_like(name: str, shape: Shape) -> Any:
    """Return a symbol for a definition of the given inside shape.

    >>> symbol_like("Z1", (sp.Integer(2), sp.Integer(3))).shape
    (2, 3)
    """
    if not shape:
        return sp.Symbol(name, real=True)
    return sp.MatrixSymbol(name, *shape)


def fresh(name: str, taken: Iterable[str]) -> str:
    """Return a name that is not taken: the name itself, or with a number after it.

    >>> fresh("dx", {"dx", "dx_2"})
    'dx_3'
    """
    taken = taken if isinstance(taken, (set, frozenset, dict)) else set(taken)
    if name not in taken:
        return name
    count = 2
    while f"{name}_{count}" in taken:
        count += 1
    return f"{name}_{count}"


def is_trivial(node: Any) -> bool:
    """Tell whether a node is so small that naming it would only add a line.

    >>> x = sp.Symbol("x")
    >>> is_trivial(-x), is_trivial(x + 1)
    (True, False)
    """
    if not node.args or isinstance(node, (sp.MatrixSymbol, sp.Indexed, sp.Number, sp.Lambda)):
        return True
    if isinstance(node, (sp.Transpose, MatrixElement, Broadcast, Slice)):
        return is_trivial(node.args[0])
    if isinstance(node, (sp.Pow, sp.HadamardPower)):
        return is_trivial(node.args[0]) and _is_number(node.args[1])
    if isinstance(node, (sp.Mul, sp.MatMul)):
        rest = [arg for arg in node.args if not _is_number(arg)]
        return len(rest) <= 1 and all(map(is_trivial, rest))
    return isinstance(node, sp.Expr) and _is_number(node)


def _is_number(node: Any) -> bool:
    return not getattr(node, "is_Matrix", False) and trees.is_constant(node)


#: Nodes through which a derivative passes unchanged: their operands need no name.
LINEAR = (sp.Add, sp.MatAdd, sp.Transpose, sp.Trace, SumEntries, SumRows, SumColumns, Broadcast)


#: Nodes that bind an index or choose a branch: their insides are differentiated in place.
OPAQUE = (sp.Sum, sp.Product, sp.Piecewise, sp.Lambda)


def _operands_to_name(node: Any) -> list[Any]:
    if isinstance(node, OPAQUE):
        return []
    if isinstance(node, LINEAR):
        return []
    if isinstance(node, (sp.Mul, sp.MatMul)):
        rest = [arg for arg in node.args if not _is_number(arg)]
        return rest if len(rest) > 1 else []
    if isinstance(node, Elementwise):
        return list(node.matrices)
    return list(trees.children(node))


def flatten(expression: Any, taken: Iterable[str], start: int = 0) -> tuple[list[Definition], Any]:
    """Name the parts of an expression that a derivative needs, and every shared part.

    Args:
        expression: A checked expression over inputs.
        taken: Names that are in use.
        start: How many names there are of this kind: the next has the next number.

    Returns:
        The definitions, in order, and the expression over them.

    >>> w, x = sp.symbols("w x", real=True)
    >>> flatten(sp.tanh(w * x + 1) ** 2, set())
    ([(t1, w*x + 1), (t2, tanh(t1))], t2**2)
    """
    nodes = list(trees.postorder(expression, OPAQUE))
    uses = Counter(child for node in nodes for child in set(_below(node)))
    named = {_untransposed(operand) for node in nodes for operand in _operands_to_name(node)}
    named |= {_untransposed(node) for node in nodes if uses[node] > 1 or _acts(node)}
    wanted = {node for node in named if _deserves_name(node)}
    wanted.discard(expression)
    taken = frozenset(taken)
    definitions: list[Definition] = []
    done: dict[Any, Any] = {}
    for node in nodes:
        built = node
        if not isinstance(node, OPAQUE):
            built = trees.remade(node, [done[child] for child in trees.children(node)])
        if node in wanted:
            start = _next_number(start, taken)
            symbol = symbol_like(f"t{start}", shape_of(built))
            definitions.append((symbol, built))
            built = symbol
        done[node] = built
    return definitions, done[expression]


def _untransposed(node: Any) -> Any:
    """Return what a name is given to: a column stands for its row, too."""
    while isinstance(node, sp.Transpose):
        node = node.arg
    return node


def _below(node: Any) -> tuple[Any, ...]:
    return () if isinstance(node, OPAQUE) else trees.children(node)


def _next_number(number: int, taken: frozenset[str]) -> int:
    """Return the next number with which `t` is no name yet, nor prints like one."""
    number += 1
    while not taken.isdisjoint({f"t{number}", f"t_{number}"}):
        number += 1
    return number


def _acts(node: Any) -> bool:
    """Tell whether a derivative refers to the node's value, as tanh' = 1 - tanh^2 does."""
    heads = (
        *(sp.Function, Elementwise, sp.Inverse, sp.Determinant, Softmax, LogSoftmax),
        *(Operation, ScalarOperation),
    )
    return isinstance(node, heads) and not isinstance(node, sp.Piecewise)


def _deserves_name(node: Any) -> bool:
    if isinstance(node, (sp.logic.boolalg.Boolean, sp.Tuple)) and not isinstance(node, sp.Symbol):
        return False
    if isinstance(node, sp.functions.elementary.piecewise.ExprCondPair) or trees.is_size(node):
        return False
    return not is_trivial(node)


# -------------------------------------------------------------------- counts


def counts(graph: Graph) -> dict[str, int]:
    """Count the operations of all definitions: matrix products, elementwise maps, reductions.

    >>> x = sp.Symbol("x", real=True)
    >>> counts(Graph((Variable(x),), (), ((sp.Symbol("L"), sp.tanh(x) * x),), ()))
    {'matrix products': 0, 'elementwise': 2, 'reductions': 0}
    """
    total = {"matrix products": 0, "elementwise": 0, "reductions": 0}
    for _, expression in graph.definitions:
        for node in trees.postorder(expression):
            kind, count = _cost(node)
            if kind:
                total[kind] += count
    return total


def _cost(node: Any) -> tuple[str, int]:
    if isinstance(node, sp.MatMul):
        return "matrix products", max(0, sum(bool(arg.is_Matrix) for arg in node.args) - 1)
    if isinstance(node, (SumRows, SumColumns, sp.Trace, sp.Sum)):
        return "reductions", 1
    if isinstance(node, SumEntries):
        return "reductions", 1
    if isinstance(node, (sp.Add, sp.Mul, sp.MatAdd, sp.HadamardProduct)):
        return "elementwise", len(node.args) - 1
    if isinstance(node, (sp.Function, sp.Pow, *ENTRYWISE)):
        return "elementwise", 1
    return "", 0
