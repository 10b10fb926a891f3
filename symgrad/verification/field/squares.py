"""Roots of squares that are not written as squares, recognised by their residues."""

from __future__ import annotations

from collections import defaultdict
from fractions import Fraction
from typing import TYPE_CHECKING

from symgrad.circuit import kinds as ops
from symgrad.verification.field.modular import rational

if TYPE_CHECKING:
    from symgrad.verification.field import Evaluation

#: So many exponentials are tried as those of a hyperbolic function under a root.
MOST_POWERS = 30


class Squares:
    """Finds the node whose square a node is, up to a rational factor.

    Attributes:
        run: The evaluation.
    """

    def __init__(self, run: Evaluation) -> None:
        self.run = run
        #: Nodes by the ratio of the first two residues of their squares, which no factor changes.
        self._known: dict[int, list[int]] = defaultdict(list)

    def clear(self) -> None:
        """Forget all nodes: their residues have changed."""
        self._known.clear()

    def enter(self, node: int) -> None:
        """Remember a node."""
        ratio = self._ratio(node)
        if ratio is not None:
            self._known[ratio * ratio % self.run.prime.p].append(node)

    def _ratio(self, node: int) -> int | None:
        first, second = map(int, self.run.values[node][:2])
        if first == second or not first or not second:
            return None
        return first * pow(second, -1, self.run.prime.p) % self.run.prime.p

    def root(self, node: int) -> int | None:
        """Return |v| sqrt(r), where a node is r v^2 for a node v that is known, or one over it."""
        ratio = self._ratio(node)
        if ratio is None:
            return None
        inverse = pow(ratio, -1, self.run.prime.p)
        for exponent, key in ((1, ratio), (-1, inverse)):
            for other in self._known.get(key, ()):
                factor = self._factor(node, other, 2 * exponent)
                if factor is not None and factor > 0:
                    return self._scaled_size(factor, other, exponent)
        return self._hyperbolic_root(node)

    def _factor(self, node: int, other: int, exponent: int) -> Fraction | None:
        """Return the rational number r with u = r v^exponent, where there is one."""
        run = self.run
        if not run.values[other].all():
            return None
        ratio = run.values[node] * run.prime.power(run.values[other], -exponent) % run.p
        return rational(int(ratio[0]), run.prime.p) if (ratio == ratio[0]).all() else None

    def _scaled_size(self, square: Fraction, node: int, exponent: int = 1) -> int:
        circuit = self.run.circuit
        root = circuit.root(circuit.number(square))
        return circuit.multiply(root, circuit.power(circuit.absolute(node), exponent))

    def _hyperbolic_root(self, node: int) -> int | None:
        """Return the root where a node is (e^u + e^-u)^2/4 or (e^u - e^-u)^2/4, as 1 + sinh^2 is.

        Of these squares the root is often written nowhere.
        """
        run = self.run
        powers = [k for k, other in enumerate(run.circuit.nodes) if other.kind == ops.EXP]
        for power in powers[:MOST_POWERS]:
            value = run.values[power]
            inverse = run.prime.inverse(value)
            for sign, other in ((1, inverse), (-1, run.p - inverse)):
                square = run.prime.power((value + other) % run.p, 2)
                if (4 * run.values[node] % run.p == square).all():
                    below = run.circuit.power(power, -1)
                    whole = run.circuit.add(power, run.circuit.scale(sign, below))
                    return self._scaled_size(Fraction(1, 4), run.settled(whole))
        return None
