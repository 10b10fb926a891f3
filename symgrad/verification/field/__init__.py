"""Evaluation of circuits in a prime field, under which equal functions get equal values.

Variables become random residues. An exponential becomes a residue, too, and here lies the point:
exp(u) and exp(v) may be chosen freely only where u and v are independent. So every argument is
first expressed, if it can be, as a rational combination of the arguments before it, found by
linear algebra on the values; then exp(2u - v) is exp(u)^2/exp(v). A logarithm log(U) is likewise
compared by its differential dU/U with all logarithms and exponentials before it, so that
log(1 + exp(-z)) becomes log(1 + exp(z)) - z. Sines and cosines are exponentials of i times their
argument. What is left is a rational function of generators, and the lanes are random points of it:
the Schwartz-Zippel lemma bounds the chance that one which is not zero vanishes on all of them.

A proof does not need the generators to be independent. Every value is a rational function R of
generators g with R(g) = f once the true functions are put in for g; where R is zero for all g, so
is f. An overlooked relation between generators costs a proof, it never makes one. Few are
overlooked: let t = exp(u) be algebraic over the field K of what came before, with the least
equation t^n + a1 t^(n-1) + ... + an = 0. Its derivative less n u' times itself has no t^n, and so
is zero: an' = n u' an, whence an is a constant times t^n. So a power of t lies in K up to a
constant, and relations of that kind are those that are looked for.

Two values that agree on every lane are merged to one node, so that conditions, choices and
arguments meet as soon as they are equal, however they were written.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from fractions import Fraction
from typing import Any

import numpy as np
import sympy as sp

from symgrad.circuit import Circuit
from symgrad.circuit import kinds as ops
from symgrad.errors import UnsupportedError
from symgrad.verification.field.angles import half_turn, turned
from symgrad.verification.field.differentials import differential
from symgrad.verification.field.generators import (
    DEGREE,
    EVEN,
    HALF_TURN,
    ODD,
    SPARE,
    Drop,
    Impossible,
    Pair,
    TooFewLanes,
    Undecided,
)
from symgrad.verification.field.modular import Lanes, Prime, Relations, rational
from symgrad.verification.field.order import positive_arguments, roots_last
from symgrad.verification.field.radicals import even_root, radical
from symgrad.verification.field.squares import Squares


class Evaluation:
    """One evaluation of circuits on many lanes.

    Attributes:
        prime: The field.
        circuit: What was evaluated, in its form almost everywhere; its nodes are merged by value.
        values: The residues of each of its nodes.
        truths: For conditions u > 0 of the source whose truth is fixed: the truth, by node.
    """

    def __init__(
        self,
        prime: Prime,
        lanes: int,
        *,
        truths: Mapping[int, bool] | None = None,
        check: Callable[[], None] = lambda: None,
        sign_of: Callable[[Circuit, int], int] | None = None,
        discrete: frozenset[str] = frozenset(),
    ) -> None:
        self.prime, self.lanes = prime, lanes
        self.circuit = Circuit(almost_everywhere=True, discrete=discrete)
        self.values: list[Lanes] = []
        self.truths = dict(truths or {})
        self._held: dict[int, bool] = {}
        #: What was fixed: the u of this circuit, and whether u > 0, by the source's condition.
        self.fixed: dict[int, tuple[int, bool]] = {}
        self._check, self._sign_of = check, sign_of
        self._random = np.random.default_rng(20_240_229)
        self.p = np.uint64(prime.p)
        self._by_value: dict[tuple[bool, bytes], int] = {}
        self._squares = Squares(self)
        self._keyed: dict[Any, Lanes] = {}
        self._atoms: list[int] = []
        #: Nodes that are positive wherever the outputs are defined.
        self._positive: set[int] = set()
        self.differentials: dict[int, Lanes] = {}
        #: How exponentials, logarithms and turns depend on the pairs, by node.
        self.exponents: dict[int, Mapping[int, Fraction]] = {}
        self.pairs: list[Pair] = []
        self.angles: list[Pair] = []
        self._sums, self._products, self._turns = (Relations(prime) for _ in range(3))
        for condition in (self.circuit.true, self.circuit.false):
            self.settled(condition)

    # -------------------------------------------------------------- taking in

    def take(self, source: Circuit, outputs: Iterable[int]) -> list[int]:
        """Evaluate outputs of a circuit; equal values come back as equal nodes.

        Raises:
            Undecided: Something that this field cannot evaluate.
        """
        outputs = list(outputs)
        images: dict[int, int] = {}
        positive = positive_arguments(source, outputs)
        for count, node in enumerate(roots_last(source, outputs)):
            if count % 64 == 0:
                self._check()
            kind, args, value = source.nodes[node]
            if node in self.truths:
                self.fixed[node] = images[args[0]], self.truths[node]
                images[node] = self._fixed(*self.fixed[node])
                continue
            below = [images[arg] for arg in args]
            if kind == ops.POWER and value.denominator == 2:
                found = self._squares.root(below[0])
                if found is not None:
                    below, value = [found], 2 * value
            try:
                made = self.circuit.apply(kind, below, value)
            except UnsupportedError as error:
                raise Undecided(str(error)) from None
            images[node] = self.settled(made)
            if node in positive:
                self._positive.add(images[node])
        return [images[node] for node in outputs]

    @property
    def spare(self) -> int:
        """How many lanes there are beyond those that the relations use up."""
        return self.lanes - max(r.rank for r in (self._sums, self._products, self._turns))

    def settled(self, node: int) -> int:
        """Evaluate what is new in the circuit, and return the first node of a node's value."""
        while len(self.values) < len(self.circuit.nodes):
            new = len(self.values)
            try:
                value = self._value(new)
            except Drop as drop:
                self._keep(drop.there)
                continue
            except ZeroDivisionError as error:
                raise Undecided(str(error)) from None
            self.values.append(value)
            self._enter(new)
        return self._by_value[self._mark(node)]

    def _enter(self, node: int) -> None:
        if self._by_value.setdefault(self._mark(node), node) != node:
            return
        if self.circuit.nodes[node].kind not in ops.CONDITIONS:
            self._squares.enter(node)

    def _mark(self, node: int) -> tuple[bool, bytes]:
        """Return the key of a node's value; conditions are not merged with numbers."""
        return self.circuit.nodes[node].kind in ops.CONDITIONS, self.values[node].tobytes()

    def _keep(self, lanes: Lanes) -> None:
        """Go on with some of the lanes alone: everything known is cut down to them."""
        self.lanes = int(lanes.sum())
        self.values = [value[lanes] for value in self.values]
        self._keyed = {key: value[lanes] for key, value in self._keyed.items()}
        self.differentials = {key: value[lanes] for key, value in self.differentials.items()}
        self._by_value = {}
        self._squares.clear()
        for node in range(len(self.values)):
            self._enter(node)
        for pair in self.pairs + self.angles:
            pair.a, pair.m, pair.slope = pair.a[lanes], pair.m[lanes], pair.slope[lanes]
            pair.roots = {degree: root[lanes] for degree, root in pair.roots.items()}
        self._sums, self._products, self._turns = (Relations(self.prime) for _ in range(3))
        for pair in self.pairs:
            self._sums.add(pair.a)
            self._products.add(pair.slope)
        for pair in self.angles:
            self._turns.add(pair.a)

    def _value(self, node: int) -> Lanes:
        kind, args, value = self.circuit.nodes[node]
        p = self.p
        below = [self.values[arg] for arg in args]
        if kind == ops.NUMBER:
            return np.full(self.lanes, self.prime.of(value), dtype=np.uint64)
        if kind in (ops.VARIABLE, ops.CONSTANT):
            return self.drawn((kind, str(value)))
        if kind == ops.ADD:
            total = below[0]
            for term in below[1:]:
                total = (total + term) % p
            return total
        if kind in (ops.MULTIPLY, ops.AND):
            total = np.ones(self.lanes, dtype=np.uint64)
            for factor in below:
                total = total * factor % p
            return total
        if kind == ops.NOT:
            return (np.uint64(1) + p - below[0]) % p
        if kind == ops.SELECT:
            return (below[2] + below[0] * ((below[1] + p - below[2]) % p)) % p
        return self._function(node)

    def _function(self, at: int) -> Lanes:
        kind, args, value = self.circuit.nodes[at]
        if kind == ops.POWER:
            if value.denominator > 1:
                return radical(self, args[0], value)
            if value < 0 and not self.values[args[0]].all():
                # It may stand in a branch that is not taken.
                return self.drawn(("undefined", at))
            return self.prime.power(self.values[args[0]], int(value))
        if kind == ops.EXP:
            return self._exponential(args[0], at)
        if kind == ops.LOG:
            return self._logarithm(args[0], at)
        if kind in (ops.SIN, ops.COS):
            return self._turn(kind, args[0], at)
        if kind == ops.POSITIVE:
            return self._indicator(args[0])
        if kind == ops.ZERO:
            number, _ = self._atom(args[0])
            # Whether what is not analytic is zero stays open, as one more variable.
            return (
                self.drawn(("zero", number))
                if number >= 0
                else np.full(self.lanes, int(not self.values[args[0]].any()), dtype=np.uint64)
            )
        return self._opaque(value, args)

    def drawn(self, key: Any) -> Lanes:
        """Return the random residues under a key: drawn once, never zero."""
        return self.kept(key, self._fresh)

    def kept(self, key: Any, make: Callable[[], Lanes]) -> Lanes:
        """Return the residues under a key, made once."""
        if key not in self._keyed:
            self._keyed[key] = make()
        return self._keyed[key]

    def names(self) -> list[tuple[Any, ...]]:
        """Return the keys of residues."""
        return [key for key in self._keyed if isinstance(key, tuple)]

    def coins(self) -> Lanes:
        """Toss a coin for every lane."""
        return self._random.integers(0, 2, self.lanes, dtype=bool)

    def _fresh(self) -> Lanes:
        return self._random.integers(1, self.prime.p, self.lanes, dtype=np.uint64)

    def _opaque(self, function: Any, args: tuple[int, ...]) -> Lanes:
        if function in ODD + EVEN and len(args) == 1:
            flipped = ((self.p - self.values[args[0]]) % self.p).tobytes()
            opposite = self._by_value.get((False, flipped))
            known = self._keyed.get((function, opposite))
            if known is not None and opposite != args[0]:
                return known if function in EVEN else (self.p - known) % self.p
        return self.drawn((function, *args))

    # --------------------------------------------------- exponentials, logs

    def _exponential(self, node: int, at: int) -> Lanes:
        found = self._related(self._sums, self.values[node])
        if found is None:
            pair = self._drawn_pair(self.values[node], node)
            found = {self._new_pair(pair): Fraction(1)}
        self.exponents[at] = found
        return self.product(self.pairs, found)

    def _drawn_pair(self, a: Lanes, node: int) -> Pair:
        root = self._fresh()
        roots = {2**k: self.prime.power(root, DEGREE >> k) for k in range(1, 5)}
        return Pair(a, self.prime.power(root, DEGREE), self._fresh(), node, None, roots)

    def _new_pair(self, pair: Pair) -> int:
        self.pairs.append(pair)
        self._sums.add(pair.a)
        self._products.add(pair.slope)
        return len(self.pairs) - 1

    def _related(self, relations: Relations, vector: Lanes) -> dict[int, Fraction] | None:
        if self.lanes - relations.rank < SPARE:
            raise TooFewLanes("too few lanes")
        self._check()
        return relations.find(vector)

    def product(self, pairs: list[Pair], exponents: Mapping[int, Fraction]) -> Lanes:
        """Multiply powers of generators."""
        total = np.ones(self.lanes, dtype=np.uint64)
        for k, exponent in exponents.items():
            total = total * self._pair_power(pairs, k, exponent) % self.p
        return total

    def _pair_power(self, pairs: list[Pair], k: int, exponent: Fraction) -> Lanes:
        pair = pairs[k]
        if pair.node == HALF_TURN:
            pair.degree = math.lcm(pair.degree, exponent.denominator)
            return turned(self, exponent)
        pair.degree = math.lcm(pair.degree, exponent.denominator)
        even = exponent.denominator & -exponent.denominator
        base = pair.m if even == 1 else even_root(self, pair, even)
        odd = exponent.denominator // even
        if odd > 1:
            root = self.prime.odd_root(base, odd)
            if root is None:
                raise Undecided(f"roots of degree {odd}")
            base = root
        return self.prime.power(base, exponent.numerator)

    def _logarithm(self, node: int, at: int) -> Lanes:
        number = self.circuit.as_number(node)
        if number is not None:
            return self._log_of_number(number)
        exponents, constant, degree = self.factored(node)
        if constant is None or constant <= 0:
            return self.drawn(("log", node))
        self.exponents[at] = exponents
        total = self.times(Fraction(1, degree), self._log_of_number(constant))
        for k, exponent in exponents.items():
            total = (total + self.times(exponent, self.pairs[k].a)) % self.p
        return total

    def times(self, number: Fraction, value: Lanes) -> Lanes:
        """Multiply every lane by a number."""
        return value * np.uint64(self.prime.of(number)) % self.p

    def factored(self, node: int) -> tuple[dict[int, Fraction], Fraction | None, int]:
        """Write |U|^N = r times powers of pairs; r is None for a constant of another kind."""
        value, slope = self._size(node), self.differential(node)
        if not slope.any() or not value.all():
            return {}, None, 1
        slope = slope * self.prime.inverse(self.values[node]) % self.p
        found = self._related(self._products, slope)
        if found is None:
            pair = self._new_pair(Pair(self._fresh(), value, slope, of=node))
            return {pair: Fraction(1)}, Fraction(1), 1
        degree = math.lcm(*(c.denominator for c in found.values()))
        whole = {k: c * degree for k, c in found.items()}
        below = self.prime.inverse(self.product(self.pairs, whole))
        ratio = self.prime.power(value, degree) * below % self.p
        constant = rational(int(ratio[0]), self.prime.p) if (ratio == ratio[0]).all() else None
        return found, constant, degree

    def _size(self, node: int) -> Lanes:
        """Return |U|; U itself where it is positive, as the argument of an only logarithm is.

        A logarithm in a branch says nothing of the sign of its argument in the other.
        """
        value = self.values[node]
        if node in self._positive or self.circuit.traits[node].nonnegative:
            return value
        number, sign = self._atom(node)
        if number >= 0 and number not in self._held:
            twice = 2 * self._indicator(node)
            return value * ((twice + self.p - np.uint64(1)) % self.p) % self.p
        positive = sign > 0 if number < 0 else self._held[number] == (sign > 0)
        return value if positive else (self.p - value) % self.p

    def _log_of_number(self, number: Fraction) -> Lanes:
        if number <= 0:
            return self.drawn(("undefined log", number))
        total = np.zeros(self.lanes, dtype=np.uint64)
        for part, sign in ((number.numerator, 1), (number.denominator, -1)):
            for q, count in sp.factorint(part).items():
                term = self.times(Fraction(count * sign), self.drawn(("log", q)))
                total = (total + term) % self.p
        return total

    def _turn(self, kind: str, node: int, at: int) -> Lanes:
        """Write sin and cos by y = exp(i u), with the square root of -1 of the field."""
        if not self.angles:
            self._new_angle(half_turn(self))
        found = self._related(self._turns, self.values[node])
        if found is None:
            found = {self._new_angle(self._drawn_pair(self.values[node], node)): Fraction(1)}
        self.exponents[at] = found
        y = self.product(self.angles, found)
        inverse = self.prime.inverse(y)
        if kind == ops.COS:
            return self.times(Fraction(1, 2), (y + inverse) % self.p)
        below = pow(2 * self.prime.imaginary_unit, -1, self.prime.p)
        return (y + self.p - inverse) % self.p * np.uint64(below) % self.p

    def _new_angle(self, pair: Pair) -> int:
        self.angles.append(pair)
        self._turns.add(pair.a)
        return len(self.angles) - 1

    # --------------------------------------------------------- conditions

    def _indicator(self, node: int) -> Lanes:
        """Return the residues of u > 0, the same for all positive multiples of u."""
        number, sign = self._atom(node)
        if number < 0:
            return np.full(self.lanes, int(sign > 0), dtype=np.uint64)
        if sign < 0 and not self.circuit.analytic(node):
            return self.drawn(("sign of the negative", number))
        drawn = self.drawn(("sign", number))
        return drawn if sign > 0 else (np.uint64(1) + self.p - drawn) % self.p

    def _fixed(self, node: int, truth: bool) -> int:
        """Take u > 0 as true or as false, unless it is known, or was taken, to be otherwise."""
        natural = self.settled(self.circuit.positive(node))
        constants = {self.circuit.true: True, self.circuit.false: False}
        if natural in constants:
            held = constants[natural]
        else:
            number, sign = self._atom(node)
            if sign < 0 and not self.circuit.analytic(node):
                number = -2 - number
            held = (self._held.setdefault(number, truth == (sign > 0))) == (sign > 0)
        if held != truth:
            raise Impossible
        return self.circuit.true if truth else self.circuit.false

    def _atom(self, node: int) -> tuple[int, int]:
        """Return the number of the condition u > 0 and u's sign in it; -1 where u is constant."""
        value = self.values[node]
        if not value.any():
            return -1, -1
        if self._sign_of is not None and not self.circuit.variables([node]):
            return -1, self._sign_of(self.circuit, node)
        for number, other in enumerate(self._atoms):
            ratio = value * self.prime.inverse(self.values[other]) % self.p
            if (ratio == ratio[0]).all():
                known = rational(int(ratio[0]), self.prime.p)
                if known is not None:
                    return number, 1 if known > 0 else -1
        self._atoms.append(node)
        return len(self._atoms) - 1, 1

    @property
    def atoms(self) -> list[int]:
        """The nodes u of the conditions u > 0, one for every class of positive multiples."""
        return list(self._atoms)

    def atom_numbers(self) -> dict[int, int]:
        """Return the number of the condition that a node u > 0 is, by node."""
        return {node: number for node, (number, _) in self.atom_signs().items()}

    def atom_signs(self) -> dict[int, tuple[int, int]]:
        """Return the number of the condition that a node is, and the sign of its u in it."""
        found = {}
        for node, (kind, args, _) in enumerate(self.circuit.nodes):
            if kind == ops.POSITIVE:
                number, sign = self._atom(args[0])
                if number >= 0:
                    found[node] = number, sign
        return found

    # ------------------------------------------------------- differentials

    def differential(self, node: int) -> Lanes:
        """Return du on every lane, for random differentials of the generators."""
        for below in self.circuit.cone([node]):
            if below not in self.differentials:
                self.differentials[below] = differential(self, below)
        return self.differentials[node]
