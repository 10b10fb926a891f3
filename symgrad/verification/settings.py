"""Inputs at concrete sizes: a node for every entry, and where it lies."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
import sympy as sp

from symgrad.circuit import Circuit
from symgrad.errors import OptionError, listed
from symgrad.facts import sums_of_scalars
from symgrad.graph import Graph
from symgrad.graph.requirements import possible
from symgrad.lowering import SizedNode, Writer, table
from symgrad.lowering.matrices import inverse, product
from symgrad.shapes import Variable, name_of
from symgrad.verification.problem import Range

#: Sizes that symbolic ones are given, one set after the other; points alone are compared at the
#: last one. No two are alike, none is one, the first is large enough for neighbours three apart,
#: and no difference or ratio of two sizes is the same in two sets.
GENERIC_SIZES = ((6, 3, 4, 8, 5, 7), (4, 7, 3, 5, 9, 8), (9, 5, 7, 3, 8, 4))


class Setting:
    """The inputs of a formula at concrete sizes, written into a circuit.

    Attributes:
        circuit: Where everything is written.
        values: What symbols stand for, as a writer takes it.
        tables: The node, or the array of nodes, of every input by name.
        ranges: Where variables lie.
        sizes: The sizes that symbols stand for, by name.
    """

    def __init__(
        self,
        circuit: Circuit,
        inputs: Iterable[Variable],
        sizes: Mapping[str, int],
        domain: Mapping[str, tuple[float, float]],
    ) -> None:
        self.circuit, self.sizes = circuit, dict(sizes)
        self.values: dict[Any, Any] = {}
        self.tables: dict[str, Any] = {}
        self.ranges: dict[str, Range] = {}
        self.origins: dict[str, tuple[int, ...]] = {}
        inputs = list(inputs)
        for variable in inputs:
            for size in variable.inside:
                for symbol in sp.sympify(size).free_symbols:
                    self.values[symbol] = SizedNode(self.sizes[name_of(symbol)])
        for variable in inputs:
            if variable.name not in self.sizes:
                self._declare(variable, domain.get(variable.name))
        for group in sums_of_scalars(inputs):
            self._tie(group)

    def writer(self) -> Writer:
        """Return a writer that knows the inputs."""
        return Writer(self.circuit, dict(self.values))

    def _declare(self, variable: Variable, domain: tuple[float, float] | None) -> None:
        at = _range(variable, domain)
        if not variable.inside:
            node = self.circuit.variable(variable.name)
            self.ranges[variable.name] = at
            self.values[variable.symbol] = self.tables[variable.name] = node
            return
        write = Writer(self.circuit, dict(self.values))
        rows, columns = (write.size(size) for size in variable.inside)
        nodes = self._entries(variable, (rows, columns), at)
        self.values[variable.symbol] = nodes
        self.tables[variable.name] = nodes[:, 0] if len(variable.shape) == 1 else nodes
        if variable.origin:
            self.origins[variable.name] = tuple(write.size(low) for low in variable.origin)

    def _tie(self, group: tuple[Variable, ...]) -> None:
        """Let the last of scalars that sum to one be one minus the others."""
        line = np.array([self.values[variable.symbol] for variable in group], dtype=object)
        self._normalise(line.reshape(1, -1), 1, "")
        last = group[-1]
        self.values[last.symbol] = self.tables[last.name] = int(line[-1])

    def _entries(self, variable: Variable, shape: tuple[int, int], at: Range) -> Any:
        words = set(variable.assumptions)
        rank = len(variable.shape)
        if "positive definite" in words:
            return self._positive_definite(variable.name, shape[0])
        if "orthogonal" in words:
            return self._orthogonal(variable.name, shape)
        symmetric = "symmetric" in words

        def entry(i: int, j: int) -> int:
            place = tuple(sorted((i, j))) if symmetric else (i, j)
            return self._variable(variable.name, place[:rank], at)

        nodes = table(shape, entry)
        for word, axis in (("rows sum to one", 1), ("one-hot", 1), ("entries sum to one", None)):
            if word in words:
                self._normalise(nodes, axis, variable.name if word == "one-hot" else "")
                break
        return nodes

    def _variable(self, name: str, place: tuple[int, ...], at: Range) -> int:
        entry = f"{name}[{', '.join(map(str, place))}]"
        self.ranges[entry] = at
        return self.circuit.variable(entry)

    def _normalise(self, nodes: Any, axis: int | None, choice: str) -> None:
        """Let the last entry of every row, or of all, be one minus the others."""
        lines = nodes if axis == 1 and nodes.shape[1] > 1 else [nodes.reshape(-1)]
        for k, line in enumerate(lines):
            total = self.circuit.negative(self.circuit.add(*line[:-1], self.circuit.number(-1)))
            for node in line[:-1]:
                name = self.circuit.nodes[node].value
                share = Range(0.0, 1.0 / len(line), choice=f"{choice}{k}" if choice else "")
                self.ranges[name] = share
            line[-1] = total

    def _positive_definite(self, name: str, n: int) -> Any:
        """Return B B' for a lower triangular B with positive diagonal: every such matrix is one."""
        circuit, zero = self.circuit, self.circuit.number(0)

        def entry(i: int, j: int) -> int:
            if j > i:
                return zero
            at = Range(0.0, math.inf) if i == j else Range()
            return self._variable(f"root of {name}", (i, j), at)

        root = table((n, n), entry)
        return product(circuit, root, root.T)

    def _orthogonal(self, name: str, shape: tuple[int, int]) -> Any:
        """Return columns of (I - S)(I + S)^-1 for a skew S: a rotation; or reflect one."""
        circuit, n = self.circuit, max(shape)
        turn = circuit.positive(self._variable(f"side of {name}", (), Range()))
        side = circuit.select(turn, circuit.number(1), circuit.number(-1))

        def entry(i: int, j: int) -> int:
            if i == j:
                return circuit.number(0)
            node = self._variable(f"angle of {name}", (min(i, j), max(i, j)), Range())
            return node if i < j else circuit.negative(node)

        skew = table((n, n), entry)
        one = table((n, n), lambda i, j: circuit.number(int(i == j)))
        less = table((n, n), lambda i, j: circuit.subtract(one[i, j], skew[i, j]))
        more = table((n, n), lambda i, j: circuit.add(one[i, j], skew[i, j]))
        whole = product(circuit, less, inverse(circuit, more))
        whole[:, 0] = [circuit.multiply(side, node) for node in whole[:, 0]]
        return whole[: shape[0], : shape[1]]


def _range(variable: Variable, domain: tuple[float, float] | None) -> Range:
    words, symbol = variable.assumptions, variable.symbol
    low, high = -math.inf, math.inf
    scalar = isinstance(symbol, sp.Symbol)
    if "positive" in words or (scalar and symbol.is_nonnegative):
        low = 0.0
    if scalar and symbol.is_nonpositive:
        high = 0.0
    if "in (0,1)" in words or "in [0,1]" in words:
        low, high = 0.0, 1.0
    if domain is not None:
        low, high = max(low, domain[0]), min(high, domain[1])
    integer = "integer" in words or bool(scalar and symbol.is_integer)
    return Range(low, high, integer)


def generic_sizes(symbols: Iterable[Any], choice: int) -> dict[str, int]:
    """Return generic sizes for the symbols of sizes: different, and none is one.

    >>> generic_sizes([sp.Symbol("n"), sp.Symbol("d")], 0)
    {'n': 6, 'd': 3}
    """
    known = GENERIC_SIZES[choice]
    return {
        name_of(symbol): known[k] if k < len(known) else 2 + k for k, symbol in enumerate(symbols)
    }


def sizes_for(graph: Graph, choice: int) -> dict[str, int]:
    """Return generic sizes at which a graph's definitions can be written out.

    >>> from symgrad.shapes import declare
    >>> sizes_for(Graph((declare("X", ("n", "d")),), (), (), ()), 0)
    {'n': 6, 'd': 3}
    """
    return possible(generic_sizes(graph.sizes, choice), graph)


def domains(given: Any, names: Iterable[str]) -> dict[str, tuple[float, float]]:
    """Read `domain`: a mapping of names or symbols to pairs of numbers.

    Raises:
        OptionError: An unknown name, or not a pair with low < high.

    >>> domains({"x": (0, sp.oo)}, ["x"])
    {'x': (0.0, inf)}
    """
    names = list(names)
    if given is None:
        return {}
    if not isinstance(given, Mapping):
        raise OptionError(f"domain is a mapping of names to (low, high), not {given!r}")
    found = {}
    for key, pair in given.items():
        name = name_of(key)
        if name not in names:
            raise OptionError(f"domain names `{name}`; the variables are {listed(names)}")
        try:
            low, high = (float(end) for end in pair)
        except (TypeError, ValueError):
            raise OptionError(f"the domain of `{name}` is (low, high), not {pair!r}") from None
        if not low < high:
            raise OptionError(f"the domain of `{name}` is empty: low {low} is not below {high}")
        found[name] = (low, high)
    return found
