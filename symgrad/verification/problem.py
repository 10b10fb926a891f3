"""The question that the ladder answers: are these nodes those nodes, for all values in a domain?"""

from __future__ import annotations

import math
import time
from collections import defaultdict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import sympy as sp

from symgrad.circuit import Circuit
from symgrad.circuit.kinds import CONSTANT
from symgrad.verification.balls import balls


@dataclass(frozen=True)
class Range:
    """Where a variable lies.

    Attributes:
        low: The lower end.
        high: The upper end.
        integer: Whether only integers count.
        choice: For a one-hot target: the name of the group of which one member is 1.
    """

    low: float = -math.inf
    high: float = math.inf
    integer: bool = False
    choice: str = ""


#: A variable without a declared domain.
ANYWHERE = Range()


@dataclass(frozen=True)
class Problem:
    """Two lists of nodes of one circuit, to be compared entry by entry.

    Attributes:
        circuit: Where the nodes are.
        derived: What symgrad derived, entry by entry.
        claimed: What was claimed, in the same order.
        entries: The index of every entry, `()` for a scalar.
        ranges: Where the variables lie, by name; others lie anywhere.
        defined: Nodes that must have a value for a point to count, such as the loss.
        tables: What people call the variables, by name: a node, or an array of nodes.
    """

    circuit: Circuit
    derived: tuple[int, ...]
    claimed: tuple[int, ...]
    entries: tuple[tuple[int, ...], ...]
    ranges: Mapping[str, Range] = field(default_factory=dict)
    defined: tuple[int, ...] = ()
    tables: Mapping[str, Any] = field(default_factory=dict)

    def contains(self, name: str, value: float) -> bool:
        """Tell whether a variable may have a value."""
        at = self.ranges.get(name, ANYWHERE)
        whole = not at.integer or value == round(value)
        return whole and (at.low < value < at.high or (bool(at.choice) and value in (0.0, 1.0)))

    def arrays(self, point: Mapping[str, float]) -> dict[str, Any]:
        """Return a point as people write it: a number or an array for every name."""
        nodes = [int(n) for table in self.tables.values() for n in np.ravel(table)]
        # Entries on which nothing depends have no value yet; any will do.
        values = balls(self.circuit, nodes, defaultdict(lambda: 0.37, point), 30)
        made = {}
        for name, table in self.tables.items():
            array = np.vectorize(lambda node: float(values[int(node)][0]), otypes=[float])(table)
            made[name] = array if array.shape else float(array)
        return made or dict(point)

    @property
    def has_rounded_constants(self) -> bool:
        """Whether a constant is known by its floating-point digits alone."""
        nodes = (self.circuit.nodes[node] for node in self.circuit.cone(self.outputs))
        return any(node.kind == CONSTANT and isinstance(node.value, sp.Float) for node in nodes)

    @property
    def discrete(self) -> frozenset[str]:
        """The names of the variables that take single values only."""
        return frozenset(n for n, at in self.ranges.items() if at.integer or at.choice)

    @property
    def outputs(self) -> tuple[int, ...]:
        """All nodes that matter."""
        return (*self.derived, *self.claimed, *self.defined)

    def differing(self) -> list[int]:
        """Return the places where the nodes are not the same node."""
        pairs = zip(self.derived, self.claimed, strict=True)
        return [k for k, (first, second) in enumerate(pairs) if first != second]


class TimeIsUp(Exception):
    """The time limit was reached."""


def deadline(seconds: float) -> Callable[[], None]:
    """Return a function that raises `TimeIsUp` from so many seconds on.

    >>> deadline(60)()
    """
    end = time.monotonic() + seconds

    def check() -> None:
        if time.monotonic() > end:
            raise TimeIsUp

    return check
