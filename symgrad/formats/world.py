"""What everything that a derivation prints stands for, written out in scalars."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import sympy as sp

from symgrad import functions, trees
from symgrad.circuit import Circuit
from symgrad.circuit.kinds import (
    ADD,
    CALL,
    CONDITIONS,
    CONSTANT,
    COS,
    EXP,
    MULTIPLY,
    NUMBER,
    POWER,
    SELECT,
    SIN,
    VARIABLE,
)
from symgrad.derivation import Derivation
from symgrad.errors import SymgradError
from symgrad.formats.full import unmarked
from symgrad.formats.lines import PROVED, REFUTED, UNREAD, Line
from symgrad.formats.names import argument_letter
from symgrad.formats.printer import Printer
from symgrad.formats.style import style_of
from symgrad.graph import SYMMETRIC
from symgrad.lowering.calculus import gradient as slopes_of
from symgrad.reading.printed import read
from symgrad.rules import partial
from symgrad.shapes import name_of, shape_of
from symgrad.verification.balls import balls
from symgrad.verification.ladder import decide
from symgrad.verification.oracle import symmetric_part
from symgrad.verification.points import drawn
from symgrad.verification.problem import Problem, TimeIsUp
from symgrad.verification.proof import prove
from symgrad.verification.settings import Setting, sizes_for


class World:
    """The values of everything that is printed, at concrete sizes."""

    def __init__(self, derived: Derivation, stopped: Callable[[], None]) -> None:
        graph = derived.result
        self.derived, self.graph, self.printer = derived, graph, Printer(graph)
        self.style, self.letter = style_of(graph), argument_letter(self.printer.names.values())
        self.setting = Setting(Circuit(), graph.inputs, sizes_for(graph, 0), {})
        self.writer = self.setting.writer()
        self.forward = derived.forward
        self.names = self._names()
        self.rounded = any(map(_is_rounded, self._floats()))
        self.origins = {v.symbol: v.origin for v in graph.inputs if v.origin}
        for symbol, expression in self.forward:
            self.writer.define(symbol, expression)
            stopped()
        self.loss = int(np.ravel(self.writer.values[derived.goal])[0])
        self.writer.values.update(derivatives_of(derived, self.forward, self.setting))
        self.valued = self.writer.values.keys() - set(graph.sizes)

    def _floats(self) -> Iterator[Any]:
        expressions = [e for _, e in self.graph.definitions]
        expressions += [c.value for a in self.derived.adjoints for c in a.contributions]
        for expression in expressions:
            yield from (node for node in trees.postorder(expression) if node.is_Float)

    def _names(self) -> dict[str, Any]:
        printer = self.printer
        names = {printer.name(v.symbol): v.symbol for v in self.graph.inputs}
        names.update({printer._print(size): size for size in self.graph.sizes})
        for symbol, expression in self.forward:
            names[printer.name(symbol)] = symbol
            if not symbol.is_Matrix:
                names.update(self._local(symbol, expression))
        for adjoint in self.derived.adjoints:
            names[printer.name(adjoint.symbol)] = adjoint.symbol
            derivative = printer.derivative(name_of(self.derived.goal), name_of(adjoint.variable))
            names.setdefault(derivative, adjoint.symbol)
        return names

    def _local(self, symbol: Any, expression: Any) -> Iterator[tuple[str, Any]]:
        """Yield the factors of the chain rule: derivatives of a definition by what it uses."""
        for used in sorted(trees.symbols(expression), key=name_of):
            if not used.is_Matrix and symbol != self.derived.goal:
                name = self.printer.derivative(name_of(symbol), name_of(used))
                yield name, partial(expression, used)

    def decided(self, left: str, right: str, shape: Any, stopped: Callable[[], None]) -> Line:
        """Read both sides of an equality, and prove it."""
        written = left, right
        left, right = (unmarked(self.style.read(text)) for text in written)
        left, right, shape = self._collected(left, right, shape)
        found = self._decided(left, right, shape, stopped)
        return replace(found, left=written[0], right=written[1])

    def _collected(self, left: str, right: str, shape: Any) -> tuple[str, str, Any]:
        """Take what is said of all entries as said of the whole: [A]_{ij} = ..., A = [...]_{ij}."""
        match = re.fullmatch(r"\\left\[(.*)\\right\]_\{([a-z])([a-z]?)\}", left, re.DOTALL)
        if match is None or match.group(1) not in self.names:
            return left, right, shape
        name, row, column = match.groups()
        shape = tuple(shape_of(self.names[name]))
        places = f"{row}{column}" if column else rf"{row}=1"
        above = "" if column else rf"^{{{self.printer._print(shape[0])}}}"
        return name, rf"\left[{right}\right]_{{{places}}}{above}", shape

    def _decided(self, left: str, right: str, shape: Any, stopped: Callable[[], None]) -> Line:
        try:
            first, second = self._side(left, right, shape), self._side(right, left, shape)
        except SymgradError as error:
            return Line(left, right, UNREAD, str(error))
        if np.size(first) == 1 or np.size(second) == 1:
            first, second = np.broadcast_arrays(first, second)
        if np.shape(first) != np.shape(second):
            return Line(left, right, REFUTED, "the shapes differ")
        problem = Problem(
            self.setting.circuit,
            tuple(int(node) for node in np.ravel(first)),
            tuple(int(node) for node in np.ravel(second)),
            tuple(np.ndindex(*np.shape(first))),
            self.setting.ranges,
            (self.loss,),
            self.setting.tables,
        )
        try:
            if problem.differing() and self._holds_locally(problem, (left, right), shape, stopped):
                return Line(left, right, PROVED, "prime field")
            outcome = decide(problem, stopped)
        except (SymgradError, TimeIsUp) as error:
            return Line(left, right, UNREAD, reason_of(error))
        if outcome.status == REFUTED and self.rounded:
            return Line(left, right, UNREAD, "numbers are printed with eight digits")
        return Line(left, right, outcome.status, outcome.method)

    def _holds_locally(
        self, problem: Problem, texts: tuple[str, str], shape: Any, stopped: Callable[[], None]
    ) -> bool:
        """Tell whether the sides are equal whatever the values of the names printed in them.

        Most lines need no more than that, however deep the network below; what is equal for any
        values is equal for those that the names have.
        """
        if any(text.endswith(f"({self.letter})") for text in texts):
            return False
        sides = [
            read(text, self.names, shape, self.origins) for text in texts if text not in self.names
        ]
        symbols = {symbol for side in sides for symbol in trees.symbols(side)}
        # What is declared of an input, as that its rows sum to one, may be what a line needs.
        printed = (symbols & self.valued) - {v.symbol for v in self.graph.inputs}
        # Some lines hold because one of the names in them is a function of others.
        forward = dict(self.forward)
        swept = {adjoint.symbol: adjoint.value for adjoint in self.derived.adjoints}
        attempts = [printed]
        for known in (forward, {**forward, **swept}):
            free = {s for s in printed if not (s in known and trees.symbols(known[s]) <= symbols)}
            if free not in attempts:
                attempts.append(free)
        return any(self._holds_above(problem, names, stopped) for names in attempts)

    def _holds_above(self, problem: Problem, names: set[Any], stopped: Callable[[], None]) -> bool:
        """Tell whether entries are equal whatever the values of some names."""
        values = [self.writer.values[s] for s in sorted(names, key=name_of)]
        leaves = _factors(problem.circuit, [int(n) for value in values for n in np.ravel(value)])
        pairs = list(zip(problem.derived, problem.claimed, strict=True))
        circuit, _ = _cut(problem.circuit, [node for pair in pairs for node in pair], leaves)
        # Every entry has cases of its own: together they would be as many as their product.
        cases = any(node.kind in (SELECT, CALL) for node in circuit.nodes)
        groups = [[pair] for pair in pairs if pair[0] != pair[1]] if cases else [pairs]
        return all(self._equal(problem, group, leaves, stopped) for group in groups)

    def _equal(
        self,
        problem: Problem,
        pairs: list[tuple[int, int]],
        leaves: set[int],
        stopped: Callable[[], None],
    ) -> bool:
        circuit, images = _cut(problem.circuit, [n for pair in pairs for n in pair], leaves)
        entries = tuple((k,) for k in range(len(pairs)))
        ranges = problem.ranges
        local = Problem(circuit, tuple(images[::2]), tuple(images[1::2]), entries, ranges)
        try:
            found = prove(local, stopped)
        except SymgradError:
            return False
        return found.equal and self._certified(problem, found.assumed, leaves, stopped)

    def _certified(
        self, problem: Problem, assumed: Any, leaves: set[int], stopped: Callable[[], None]
    ) -> bool:
        """Tell whether what a proof took as not zero is not zero at some point of the world.

        The proof is of any values of the leaves; here they have those that they have.
        """
        left = [(circuit, set(nodes)) for circuit, nodes in assumed if nodes]
        if not left:
            return True
        names = problem.circuit.variables(sorted(leaves))
        points, count = drawn(names, problem.ranges)
        for number in range(min(count, POINTS)):
            point = {name: float(column[number]) for name, column in points.items()}
            values = balls(problem.circuit, sorted(leaves), point, DIGITS, check=stopped)
            at = {**point, **{f"value {node}": float(v) for node, (v, _) in values.items()}}
            for circuit, nodes in left:
                found = balls(circuit, sorted(nodes), defaultdict(_anything, at), DIGITS)
                nodes -= {node for node, (v, error) in found.items() if abs(v) > error}
        return not any(nodes for _, nodes in left)

    def _side(self, text: str, other: str, shape: Any) -> Any:
        z = sp.Symbol("the argument", real=True)
        lemma = self._lemma(text, other, z)
        if lemma is not None:
            self.writer.values.setdefault(z, self.setting.circuit.variable("the argument"))
            return np.asarray(self.writer(lemma), dtype=object)
        return np.asarray(self.writer(read(text, self.names, shape, self.origins)), dtype=object)

    def has_total(self, parts: Iterable[str]) -> bool:
        """Tell whether something is said of all samples at once."""
        return False

    def shape_of(self, parts: Iterable[str]) -> Any:
        """Tell the shape of what is equal, from a name among it."""
        for part in map(self.style.read, parts):
            if part in self.names:
                value = self.names[part]
                return tuple(shape_of(value)) if value.is_Matrix else ()
        return ()

    def _lemma(self, text: str, other: str, z: Any) -> Any:
        """Return what a side of f(z) = ... or f'(z) = ... means, or None."""
        for entry in functions.FUNCTIONS.values():
            value, slope = f"{entry.latex}({self.letter})", f"{entry.latex}'({self.letter})"
            for name in (value, slope):
                if text == name and name not in self.names:
                    if name == slope:
                        return sp.diff(entry.definition(z), z)
                    return entry.apply(z) if other != name else entry.definition(z)
                if other == name:
                    return read(text, {self.letter: z}, ())
        return None


#: Points at which assumptions of a proof are looked at, and the digits there.
POINTS, DIGITS = 6, 30


def _anything() -> float:
    return 0.37


def _is_rounded(value: Any) -> bool:
    """Tell whether a number is not what is printed for it."""
    return float(f"{float(value):.8g}") != float(value)


def derivatives_of(derived: Derivation, forward: Any, setting: Setting) -> dict[Any, Any]:
    """Return the derivatives of the goal by everything that has an adjoint, by its symbol.

    Every entry of an input or a definition is given a small change of its own, by which the goal is
    differentiated: so a derivative is that through this entry alone, whatever it is equal to.
    """
    changed = Setting(Circuit(), derived.result.inputs, setting.sizes, {})
    writer, circuit = changed.writer(), changed.circuit
    changes: dict[Any, Any] = {}
    wanted = {adjoint.variable for adjoint in derived.adjoints}
    inputs = [(v.symbol, writer.values[v.symbol]) for v in derived.result.inputs]
    for symbol, expression in (*inputs, *forward):
        written = expression if isinstance(expression, (int, np.ndarray)) else writer(expression)
        value = np.asarray(written, dtype=object)
        if symbol in wanted:
            changes[symbol] = _changes(circuit, name_of(symbol), value.shape)
            pairs = zip(value.ravel(), changes[symbol].ravel(), strict=True)
            moved = [circuit.add(int(a), int(b)) for a, b in pairs]
            value = np.reshape(np.array(moved, dtype=object), value.shape)
        writer.values[symbol] = value[()]
    goal = int(np.ravel(writer.values[derived.goal])[0])
    changed_entries = [int(node) for table in changes.values() for node in table.ravel()]
    slopes = dict(zip(changed_entries, slopes_of(circuit, goal, changed_entries), strict=True))
    images: dict[int, int] = {}
    _at_no_change(circuit, list(slopes.values()), setting.circuit, images)
    found = {}
    profile = derived.result.profile
    transposed = profile is not None and profile.layout == "numerator"
    for adjoint in derived.adjoints:
        table = changes[adjoint.variable]
        kept = [images[slopes[int(node)]] for node in np.ravel(table)]
        if derived.result.label(adjoint.symbol).letter == SYMMETRIC:
            kept = symmetric_part(setting.circuit, kept)
        value = np.reshape(np.array(kept, dtype=object), np.shape(table))
        found[adjoint.symbol] = value.T[()] if transposed else value[()]
    return found


def _changes(circuit: Circuit, name: str, shape: tuple[int, ...]) -> Any:
    table = np.empty(shape, dtype=object)
    for place in np.ndindex(*shape):
        table[place] = circuit.variable(f"{CHANGE}{name}{list(place)}")
    return table


#: How the names of changes begin; no input is called so.
CHANGE = "change of "


def _factors(circuit: Circuit, nodes: Iterable[int]) -> set[int]:
    """Return what products are made of: they merge with others, and are no nodes there."""
    found, pending = set(), list(nodes)
    while pending:
        node = pending.pop()
        kind, args, _ = circuit.nodes[node]
        if kind in (MULTIPLY, POWER):
            pending.extend(args)
        elif kind != NUMBER:
            found.add(node)
    return found


def _cut(circuit: Circuit, outputs: Iterable[int], leaves: set[int]) -> tuple[Circuit, list[int]]:
    """Copy the nodes above the leaves, with a variable in the place of every leaf."""
    outputs, target = list(outputs), Circuit()
    images: dict[int, int] = {}
    pending, above = list(outputs), set()
    while pending:
        node = pending.pop()
        if node not in above:
            above.add(node)
            pending.extend(() if node in leaves else circuit.nodes[node].args)
    for node in sorted(above):  # what a node is made of has smaller numbers
        kind, args, value = circuit.nodes[node]
        if node in leaves:
            images[node] = target.variable(f"value {node}")
        else:
            images[node] = target.apply(kind, [images[arg] for arg in args], value)
    return target, [images[node] for node in outputs]


def _at_no_change(
    source: Circuit, outputs: list[int], circuit: Circuit, images: dict[int, int]
) -> None:
    """Do in another circuit what one does, at no change; every node's image is noted."""
    total: dict[int, bool] = {}
    for node in source.cone(outputs):
        kind, args, value = source.nodes[node]
        if kind == VARIABLE and str(value).startswith(CHANGE):
            images[node] = circuit.number(0)
        elif kind == SELECT:
            images[node] = _chosen(circuit, [images[arg] for arg in args], total)
        else:
            images[node] = circuit.apply(kind, [images[arg] for arg in args], value)


def _chosen(circuit: Circuit, args: list[int], total: dict[int, bool]) -> int:
    """Choose between a node and zero by a factor 1 or 0, where the node has a value anyway.

    So the choices of a derivative are factors of it, as they are in what is printed.
    """
    condition, first, second = args
    one, none = circuit.number(1), circuit.number(0)
    if second == none and _is_total(circuit, first, total):
        return circuit.multiply(first, circuit.select(condition, one, none))
    if first == none and _is_total(circuit, second, total):
        return circuit.multiply(second, circuit.select(condition, none, one))
    return circuit.select(condition, first, second)


#: Operations that have a value for any arguments.
_TOTAL = (NUMBER, VARIABLE, CONSTANT, ADD, MULTIPLY, EXP, SIN, COS, SELECT)


def _is_total(circuit: Circuit, node: int, known: dict[int, bool]) -> bool:
    pending = [node]
    while pending:
        at = pending[-1]
        kind, args, value = circuit.nodes[at]
        if at in known:
            pending.pop()
        elif kind not in (*_TOTAL, *CONDITIONS) and not (kind == POWER and value > 0):
            known[at] = False
        else:
            missing = [arg for arg in args if arg not in known]
            pending.extend(missing)
            if not missing:
                known[at] = all(known[arg] for arg in args)
    return known[node]


def reason_of(error: Exception) -> str:
    """Say why a line was not decided.

    >>> reason_of(TimeIsUp())
    'time was up'
    """
    return "time was up" if isinstance(error, TimeIsUp) else str(error)
