"""From a user's NumPy function to a `Formula`: with whole matrices, or entry by entry."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import numpy as np
import sympy as sp

from symgrad import graph as graphs
from symgrad import trees
from symgrad.circuit import Circuit
from symgrad.circuit.kinds import CONDITIONS
from symgrad.errors import OptionError, TraceError, listed
from symgrad.formula import Formula
from symgrad.graph import Graph
from symgrad.lowering.raising import RAISED
from symgrad.reading.matrices import MatrixValue, lifted, not_matrices
from symgrad.reading.matrix_functions import HELD
from symgrad.reading.trace import call_traced, nodes_of, variables
from symgrad.shapes import Variable, declare, name_of

_LEAVES = ("number", "constant", "variable")


def expression_of(circuit: Circuit, node: int, symbols: Mapping[str, Any] | None = None) -> Any:
    """Write a node of a circuit as one SymPy expression.

    >>> circuit = Circuit()
    >>> expression_of(circuit, circuit.add(circuit.variable("x"), circuit.number(2)))
    x + 2
    """
    written, _ = _definitions(circuit, [node], symbols or {}, None)
    return written[node]


def _definitions(
    circuit: Circuit, outputs: list[int], symbols: Mapping[str, Any], taken: set[str] | None
) -> tuple[dict[int, Any], list[tuple[Any, Any]]]:
    """Write nodes; those with several uses get names, where names that are taken are given."""
    order = circuit.cone(outputs)
    uses = Counter(arg for node in order for arg in circuit.nodes[node].args)
    found: dict[int, Any] = {}
    definitions: list[tuple[Any, Any]] = []
    for node in order:
        kind, args, value = circuit.nodes[node]
        if kind == "variable":
            found[node] = symbols.get(value, sp.Symbol(value, real=True))
            continue
        found[node] = RAISED[kind]([found[arg] for arg in args], value)
        shared = uses[node] > 1 and kind not in _LEAVES and kind not in CONDITIONS
        if taken is not None and shared and not found[node].is_number:
            symbol = sp.Symbol(graphs.fresh(f"t{len(definitions) + 1}", taken), real=True)
            taken.add(symbol.name)
            definitions.append((symbol, found[node]))
            found[node] = symbol
    return found, definitions


def trace(
    function: Callable[..., Any],
    shapes: Mapping[str, Any],
    *,
    parameters: Iterable[str] = (),
    name: str = "L",
) -> Formula:
    """Read a NumPy function as a formula; the function is called once, with symbols for arrays.

    Args:
        function: A Python function that computes with NumPy; its module is left as it is.
        shapes: The shape of every argument, in order: `{"X": ("n", "d"), "w": ("d",), "c": ()}`.
            Sizes that are names need a function of whole matrices; with integers any function
            is read, entry by entry where need be.
        parameters: The names of the arguments that are trained.
        name: The name of the value.

    Raises:
        TraceError: Something in the function that cannot be read; the message names the line.
        OptionError: A parameter that is not in `shapes`.

    >>> loss = trace(lambda X, w: np.mean((X @ w) ** 2), {"X": ("n", "d"), "w": ("d",)})
    >>> loss.shape, sorted(loss.inputs)
    ((), ['X', 'w'])
    """
    inputs = [declare(key, shape) for key, shape in shapes.items()]
    chosen = tuple(parameters)
    for parameter in chosen:
        if parameter not in shapes:
            raise OptionError(
                f"`{parameter}` is no argument in `shapes`; there are {listed(shapes)}"
            )
    try:
        return _of_matrices(function, inputs, chosen, name)
    except TraceError:
        sizes = [size for variable in inputs for size in variable.sizes]
        if not all(sp.sympify(size).is_Integer for size in sizes):
            raise
    return _of_entries(function, inputs, chosen, name)


def _of_matrices(
    function: Callable[..., Any], inputs: list[Variable], parameters: tuple[str, ...], name: str
) -> Formula:
    arguments = [MatrixValue(v.symbol, v.sizes) for v in inputs]
    result = lifted(call_traced(Circuit(), function, arguments)).expression
    used = {name_of(symbol) for symbol in trees.symbols(result)}
    if any(held.startswith(HELD) for held in used):
        raise not_matrices("np.max over an axis, other than below a softmax,")
    return Formula.of(
        result,
        shapes={v.name: v.shape for v in inputs if v.name in used},
        parameters=[parameter for parameter in parameters if parameter in used],
        name=name,
    )


def _symbols(variable: Variable) -> dict[str, Any]:
    if not variable.shape:
        return {variable.name: variable.symbol}
    places = np.ndindex(tuple(map(int, variable.sizes)))
    return {
        f"{variable.name}[{', '.join(map(str, place))}]": variable.symbol[(*place, 0)[:2]]
        for place in places
    }


def _of_entries(
    function: Callable[..., Any], inputs: list[Variable], parameters: tuple[str, ...], name: str
) -> Formula:
    circuit = Circuit()
    given = [variables(circuit, v.name, tuple(map(int, v.sizes))) for v in inputs]
    nodes = nodes_of(call_traced(circuit, function, given), circuit)
    if nodes.ndim > 2:
        raise TraceError(f"the function returns {nodes.ndim} axes; a formula has at most two")
    symbols = {key: symbol for v in inputs for key, symbol in _symbols(v).items()}
    taken = {v.name for v in inputs} | {name}
    outputs = [int(node) for node in nodes.flat]
    written, definitions = _definitions(circuit, outputs, symbols, taken)
    value = written[outputs[0]]
    if nodes.ndim:
        rows = [written[node] for node in outputs]
        value = sp.ImmutableDenseMatrix(*(*nodes.shape, 1)[:2], rows)
    introduced = frozenset(symbol.name for symbol, _ in definitions)
    inside = (*nodes.shape, 1)[:2] if nodes.ndim else ()
    output = graphs.symbol_like(name, tuple(map(sp.Integer, inside)))
    definitions.append((output, value))
    graphs.check(inputs, definitions)
    graph = Graph(tuple(inputs), parameters, tuple(definitions), (output,), {}, introduced)
    return Formula(graph, output)
