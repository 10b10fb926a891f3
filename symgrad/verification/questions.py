"""A claim about one variable, made a problem at concrete sizes."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import numpy as np
import sympy as sp

from symgrad.circuit import Circuit
from symgrad.errors import DataError
from symgrad.formula import Formula
from symgrad.gradient import Gradient
from symgrad.graph import Graph
from symgrad.shapes import name_of
from symgrad.verification import claims
from symgrad.verification.functions import called, of_other_shape
from symgrad.verification.points import drawn
from symgrad.verification.problem import Problem
from symgrad.verification.settings import Setting
from symgrad.verification.signatures import parameters_of
from symgrad.verification.values import on_points
from symgrad.verification.verdict import AGREES, REFUTED, Verdict, Witness

#: What the numeric comparison takes as equal, relative to the largest entry.
TOLERANCE = 1e-8
#: Points of a numeric comparison.
POINTS = 24


class World(NamedTuple):
    """All definitions of a gradient's graph in one circuit, at concrete sizes.

    Attributes:
        setting: The inputs.
        named: The nodes of inputs and definitions, by name.
        values: The same by symbol.
    """

    setting: Setting
    named: dict[str, Any]
    values: dict[Any, Any]


def written(graph: Graph, sizes: Mapping[str, int], domain: Mapping[str, Any]) -> World:
    """Write all definitions of a graph into a circuit, at concrete sizes."""
    setting = Setting(Circuit(), graph.inputs, sizes, domain)
    write = setting.writer()
    named: dict[str, Any] = dict(setting.tables)
    for symbol, expression in graph:
        named[name_of(symbol)] = write.define(symbol, expression)
    return World(setting, named, write.values)


class Worlds:
    """The worlds of one gradient, each written once, whatever number of claims is asked about.

    Attributes:
        derived: The gradients, with the graph of all definitions.
        domain: Where inputs lie.
    """

    def __init__(self, derived: Gradient, domain: Mapping[str, Any]) -> None:
        self.derived, self.domain = derived, domain
        self._known: dict[tuple[tuple[str, int], ...], World] = {}

    def at(self, sizes: Mapping[str, int]) -> World:
        """Return the world at concrete sizes."""
        key = tuple(sizes.items())
        if key not in self._known:
            self._known[key] = written(self.derived.graph, sizes, self.domain)
        return self._known[key]


def together(problems: Sequence[Problem]) -> Problem:
    """Join problems of one circuit to one."""
    first = problems[0]
    return replace(
        first,
        derived=tuple(node for problem in problems for node in problem.derived),
        claimed=tuple(node for problem in problems for node in problem.claimed),
        entries=tuple(entry for problem in problems for entry in problem.entries),
    )


@dataclass(frozen=True)
class Question:
    """Is this claim the derivative by that variable?

    Attributes:
        worlds: The gradients at concrete sizes.
        name: The variable.
        claim: What was claimed.
    """

    worlds: Worlds
    name: str
    claim: Any

    @property
    def derived(self) -> Gradient:
        """The gradients, with the graph of all definitions."""
        return self.worlds.derived

    @property
    def is_function(self) -> bool:
        """Whether the claim is a function that gives numbers."""
        return callable(self.claim) and not isinstance(self.claim, (sp.Basic, Formula))

    def at(self, sizes: Mapping[str, int], check: Callable[[], None]) -> Problem | Verdict:
        """Write derivative and claim into one circuit, at concrete sizes.

        Args:
            sizes: The sizes by name.
            check: Raises when time is over.

        Returns:
            The problem; a verdict where the claim has another shape.

        Raises:
            TraceError: The claim is a function that cannot be traced.
        """
        setting, known, wanted, loss = self._written(self.worlds.at(sizes))
        if self.is_function:
            value = called(self.claim, setting.circuit, setting.tables, check)
            wanted = self._as_array(wanted)
        else:
            lines = claims.lines_of(self.claim, self.name)
            value, _ = claims.written(lines, setting, known)
        if np.size(value) == np.size(wanted) == 1:
            value = np.reshape(np.asarray(value, dtype=object), np.shape(wanted))
        if np.shape(value) != np.shape(wanted):
            return of_other_shape(self.name, np.shape(value), np.shape(wanted))
        return self._problem(setting, wanted, value, loss)

    def _written(self, world: World) -> tuple[Setting, dict[str, Any], Any, int]:
        setting, named, values = world
        output = self.derived[self.name].output
        loss = named[name_of(self.derived.loss.output)]
        # The gradients are what is asked for; claims that name them would prove each other.
        asked = {name_of(formula.output) for formula in self.derived.values()}
        known = {name: value for name, value in named.items() if name not in asked}
        return setting, known, values[output], int(np.ravel(loss)[0])

    def _as_array(self, nodes: Any) -> Any:
        """Return a table in NumPy's rank: without the axis that a 1-D input has inside only."""
        return nodes[:, 0] if len(self.derived[self.name].shape) == 1 else nodes

    def _problem(self, setting: Setting, wanted: Any, value: Any, loss: int) -> Problem:
        rank = len(self.derived[self.name].shape)
        places = np.ndindex(*np.shape(wanted))
        return Problem(
            setting.circuit,
            tuple(int(node) for node in np.ravel(wanted)),
            tuple(int(node) for node in np.ravel(value)),
            tuple(place[:rank] for place in places) if rank else ((),),
            setting.ranges,
            (loss,),
            setting.tables,
        )

    def numerically(self, sizes: Mapping[str, int], reason: str) -> Verdict:
        """Compare numbers in floating point at generic points; only when asked.

        Raises:
            DataError: The claim gives no finite numbers.
        """
        setting, _, wanted, loss = self._written(self.worlds.at(sizes))
        wanted = np.asarray(self._as_array(wanted), dtype=object)
        problem = self._problem(setting, wanted, wanted, loss)
        names = setting.circuit.variables(range(len(setting.circuit)))
        points, count = drawn(names, setting.ranges)
        values = on_points(setting.circuit, problem.derived, points, count)
        compared = 0
        for number in range(POINTS):
            point = {name: float(column[number]) for name, column in points.items()}
            derived = np.array([values[node][number] for node in problem.derived])
            claimed = self._numbers(problem, point, np.shape(wanted))
            if not np.isfinite(derived).all():
                continue
            compared += 1
            off = ~(np.abs(derived - claimed) <= TOLERANCE * np.max(np.abs(derived)))
            if off.any():
                shown = int(np.flatnonzero(off)[0])
                entries = tuple(problem.entries[k] for k in np.flatnonzero(off))
                found = derived[shown], claimed[shown]
                at = problem.entries[shown]
                witness = Witness(problem.arrays(point), at, *found, entries, len(derived))
                return Verdict(self.name, REFUTED, "numeric", witness, notes=(reason,))
        note = f"equal to {TOLERANCE:g} of the largest entry in floating point: no proof"
        return Verdict(self.name, AGREES, "numeric", points=compared, notes=(note, reason))

    def _numbers(self, problem: Problem, point: Mapping[str, float], shape: Any) -> Any:
        arrays = problem.arrays(point)
        given = {key: arrays[key] for key in parameters_of(self.claim, arrays)}
        result = np.asarray(self.claim(**given), dtype=float)
        if result.shape != tuple(shape) and not result.size == int(np.prod(shape)) == 1:
            raise DataError(f"the claim gives the shape {result.shape}, not {tuple(shape)}")
        return result.ravel()
