"""Degrees of circuits as rational functions of their generators: what a bound needs."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from fractions import Fraction
from typing import Any

from symgrad.circuit import kinds as ops
from symgrad.verification.field import Evaluation
from symgrad.verification.field.generators import DEGREE, HALF_TURN
from symgrad.verification.field.radicals import degrees_of_numbers

#: The numerator's degree, and the denominators with their exponents, by node.
Degree = tuple[int, dict[int, int]]


def log2_of_degree(evaluation: Evaluation, outputs: Iterable[int]) -> float:
    """Return the binary logarithm of a degree that no comparison exceeds.

    Numerators and denominators are kept apart, and a denominator that several terms share is
    counted once. Values are compared by pairs, whence the last factor two.

    A root of degree k multiplies the degree by k. For a square root of U: a value v of degree D
    that is not zero has a norm N, the product of its two conjugates, that is not zero and has the
    degree 2D. Let b be a direction in which the highest part of N does not vanish. On each line
    along b, N has at most 2D zeros, counted as often as N vanishes there, which is at least once
    for each sign of the root with v = 0. So there are at most 2D/p times as many pairs of a point
    and a sign with v = 0 as there are points. Half of the points have a root, with two signs each:
    they give as many pairs as there are points, and of these pairs the lanes are a random sample.

    >>> from symgrad.circuit import Circuit
    >>> from symgrad.verification.field.modular import PRIMES
    >>> circuit, evaluation = Circuit(), Evaluation(PRIMES[0][0], 100)
    >>> x = circuit.variable("x")
    >>> node = evaluation.take(circuit, [circuit.multiply(x, x)])
    >>> log2_of_degree(evaluation, node)
    2.0
    """
    count = _Count(evaluation)
    nodes = evaluation.circuit.cone([*outputs, *_arguments(evaluation)])
    most = max((sum(count.whole(node)) for node in nodes), default=1)
    return math.log2(max(most, 1)) + 1 + _roots(evaluation)


def _roots(evaluation: Evaluation) -> float:
    """Return the binary logarithm of what roots multiply the degree by."""
    total = sum(math.log2(degree) for degree in degrees_of_numbers(evaluation))
    for pair in evaluation.pairs + evaluation.angles:
        even = pair.degree & -pair.degree
        if pair.node is None:
            total += math.log2(pair.degree)
        else:
            # A generator was drawn as a power, of which the even roots are powers, too.
            total += math.log2(pair.degree // (1 if pair.node == HALF_TURN else even))
    return total


def _arguments(evaluation: Evaluation) -> list[int]:
    return [pair.node for pair in evaluation.pairs if pair.node is not None]


class _Count:
    def __init__(self, evaluation: Evaluation) -> None:
        self.evaluation = evaluation
        self.known: dict[int, Degree] = {}

    def whole(self, node: int) -> tuple[int, int]:
        """Return the degrees of numerator and denominator."""
        for below in self.evaluation.circuit.cone([node]) if node not in self.known else ():
            if below not in self.known:
                self.known[below] = self._degree(below)
        numerator, below_it = self.known[node]
        return numerator, self._weight(below_it)

    def _weight(self, denominators: dict[int, int]) -> int:
        return sum(self.known[base][0] * count for base, count in denominators.items())

    def _degree(self, node: int) -> Degree:
        kind, args, value = self.evaluation.circuit.nodes[node]
        if kind == ops.NUMBER:
            return 0, {}
        if kind in (ops.ADD, ops.SELECT):
            return self._of_sum([self.known[arg] for arg in args], kind == ops.SELECT)
        if kind in (ops.MULTIPLY, ops.AND):
            return self._of_product([self.known[arg] for arg in args])
        if kind == ops.POWER and value.denominator == 1:
            return self._of_power(args[0], int(value))
        return self._of_generator(node, kind, args, value)

    def _of_sum(self, parts: list[Degree], choice: bool) -> Degree:
        common: dict[int, int] = {}
        for _, below in parts:
            for base, count in below.items():
                common[base] = max(common.get(base, 0), count)
        weight = self._weight(common)
        most = max(number + weight - self._weight(below) for number, below in parts)
        return most + choice, common

    def _of_product(self, parts: list[Degree]) -> Degree:
        total: dict[int, int] = {}
        for _, below in parts:
            for base, count in below.items():
                total[base] = total.get(base, 0) + count
        return sum(number for number, _ in parts), total

    def _of_power(self, base: int, exponent: int) -> Degree:
        number, below = self.known[base]
        if exponent >= 0:
            return number * exponent, {b: c * exponent for b, c in below.items()}
        return -exponent * self._weight(below), {base: -exponent}

    def _of_generator(self, node: int, kind: str, args: tuple[int, ...], value: Any) -> Degree:
        exponents = self.evaluation.exponents.get(node)
        if kind == ops.POWER:
            number, below = self.known[args[0]]
            return (number + self._weight(below)) * abs(value.numerator), {}
        if exponents is None or kind == ops.LOG:
            return 1, {}
        if kind == ops.EXP:
            return self._of_powers(exponents)
        # sin u and cos u are (y^2 +- 1)/y over one generator, or a product of such.
        size = DEGREE * sum(math.ceil(abs(c)) for c in exponents.values())
        key = -1 - node
        self.known[key] = (size, {})
        return 2 * size, {key: 1}

    def _of_powers(self, exponents: Mapping[int, Fraction]) -> Degree:
        """Count a product of powers of the drawn generators, and of given ones."""
        above, below = 0, {}
        for k, exponent in exponents.items():
            pair, count = self.evaluation.pairs[k], math.ceil(abs(exponent))
            degree = DEGREE if pair.of is None else sum(self.whole(pair.of))
            key = -1 - len(self.evaluation.circuit.nodes) - k
            self.known[key] = (degree, {})
            if exponent > 0:
                above += degree * count
            else:
                below[key] = count
        return above, below
