"""Roots in a prime field: of nodes, of generators and of numbers."""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING

import numpy as np
import sympy as sp

from symgrad.verification.field.generators import Drop, Pair, Undecided
from symgrad.verification.field.modular import Lanes

if TYPE_CHECKING:
    from symgrad.verification.field import Evaluation


def radical(run: Evaluation, node: int, exponent: Fraction) -> Lanes:
    """Return a fractional power of a node.

    Raises:
        Undecided: A root that the field does not have.
        Drop: A root that exists on some lanes only.
    """
    number = run.circuit.as_number(node)
    if number is not None:
        return root_of_number(run, number, exponent)
    exponents, constant, degree = run.factored(node)
    if constant is None:
        if not run.values[node].all():
            return np.zeros(run.lanes, dtype=np.uint64)
        raise Undecided("a root of an irrational constant")
    total = root_of_number(run, abs(constant), exponent / degree)
    if constant < 0:
        total = total * _root_of_minus_one(run, node, exponent / degree) % run.p
    powers = {k: c * exponent for k, c in exponents.items()}
    return total * run.product(run.pairs, powers) % run.p


def _root_of_minus_one(run: Evaluation, node: int, exponent: Fraction) -> Lanes:
    """sqrt(-x) is i sqrt(x), of a sign that nothing says: they are real in different places."""
    if exponent.denominator > 2:
        raise Undecided("a root of a negative multiple of what has a root")
    unit = np.full(run.lanes, run.prime.imaginary_unit, dtype=np.uint64)
    sign = run.kept(("sign of a root", node), lambda: _of_random_sign(run, unit))
    return run.prime.power(sign, int(2 * exponent))


def _of_random_sign(run: Evaluation, root: Lanes) -> Lanes:
    """Change signs at random: which root is meant, no identity may depend on."""
    return np.where(run.coins(), (run.p - root) % run.p, root)


def even_root(run: Evaluation, pair: Pair, degree: int) -> Lanes:
    """Return the root of a generator whose degree is a power of two."""
    if degree in pair.roots:
        return pair.roots[degree]
    if pair.node is not None:
        raise Undecided(f"a root of degree {degree} of an exponential")
    below = pair.m if degree == 2 else even_root(run, pair, degree // 2)
    root, there = run.prime.root(below)
    if not there.all():
        raise Drop(there)
    pair.roots[degree] = _of_random_sign(run, root)
    return pair.roots[degree]


def root_of_number(run: Evaluation, number: Fraction, exponent: Fraction) -> Lanes:
    """Return a rational power of a number, prime factor by prime factor."""
    if number < 0:
        raise Undecided(f"a root of {number}")
    total = np.ones(run.lanes, dtype=np.uint64)
    for part, sign in ((number.numerator, 1), (number.denominator, -1)):
        for q, count in sp.factorint(part).items():
            total = total * root_of_prime(run, int(q), exponent * count * sign) % run.p
    return total


def root_of_prime(run: Evaluation, q: int, exponent: Fraction) -> Lanes:
    """Return a rational power of a prime number, of a random sign on every lane."""
    degree = exponent.denominator
    root = run.kept(("root", q, degree), lambda: _root_of_prime(run, q, degree))
    return run.prime.power(root, exponent.numerator)


def _root_of_prime(run: Evaluation, q: int, degree: int) -> Lanes:
    base = np.full(run.lanes, q % run.prime.p, dtype=np.uint64)
    while degree % 2 == 0:
        root, there = run.prime.root(base)
        if not there.all():
            raise Undecided(f"the square root of {q} in this field")
        # The square roots of one number differ by their sign alone, on every lane.
        base, degree = _of_random_sign(run, root), degree // 2
    if degree == 1:
        return base
    odd = run.prime.odd_root(base, degree)
    if odd is None:
        raise Undecided(f"a root of degree {degree}")
    return odd


def degrees_of_numbers(run: Evaluation) -> list[int]:
    """Return the degrees of the roots of numbers that were taken, that of -1 with them."""
    names = run.names()
    degrees = [name[2] for name in names if name[0] == "root"]
    return degrees + [2 for name in names if name[0] == "sign of a root"]
