"""Arithmetic modulo a prime, on many lanes at once.

A lane is one random evaluation; a value is an array with one residue per lane. The primes lie
below 2^31, so that a product of two residues fits into 64 bits.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property
from typing import Any

import numpy as np

Lanes = Any


@dataclass(frozen=True)
class Prime:
    """A prime p = 9 mod 16 with a primitive root.

    So p - 1 is 8 times an odd number: -1 and 2 have square roots, and after at most three square
    roots there are no more. 5, 7, 11, 13, 17, 19 and 23 are squares, too, and 5th to 13th roots
    are unique. One prime has a square root of 3, the other one unique cube roots: no prime of
    this kind has both, because (3/p) = (p/3).

    >>> prime, _ = PRIMES[0]
    >>> int(prime.inverse(np.array([3], dtype=np.uint64))[0]) * 3 % prime.p
    1
    """

    p: int
    primitive_root: int

    @cached_property
    def eighth_root(self) -> int:
        """An element of order 8."""
        return pow(self.primitive_root, (self.p - 1) // 8, self.p)

    @property
    def imaginary_unit(self) -> int:
        """A square root of -1."""
        return pow(self.eighth_root, 2, self.p)

    def of(self, number: Fraction) -> int:
        """Return the residue of a rational number.

        Raises:
            ZeroDivisionError: The denominator is a multiple of p.
        """
        below = number.denominator % self.p
        if not below:
            raise ZeroDivisionError(f"{number} has no residue modulo {self.p}")
        return number.numerator * pow(below, -1, self.p) % self.p

    def power(self, value: Lanes, exponent: int) -> Lanes:
        """Raise every lane to a whole power, by squaring."""
        if exponent < 0:
            return self.power(self.inverse(value), -exponent)
        p = np.uint64(self.p)
        result, square = np.ones_like(value), value
        while exponent:
            if exponent & 1:
                result = result * square % p
            exponent >>= 1
            if exponent:
                square = square * square % p
        return result

    def inverse(self, value: Lanes) -> Lanes:
        """Return the inverse in every lane; 0 where there is none."""
        return self.power(value, self.p - 2)

    def root(self, value: Lanes) -> tuple[Lanes, Lanes]:
        """Return a square root in every lane, and where there is one.

        Tonelli's algorithm: with p - 1 = 8 t, the number r = u^((t+1)/2) has r^2 = u u^t, and
        u^t is a power of the element of order 8; half of that power is divided out.

        >>> r, there = PRIMES[0][0].root(np.array([9, 3], dtype=np.uint64))
        >>> int(r[0]) in (3, PRIMES[0][0].p - 3), there.tolist()
        (True, [True, False])
        """
        p = np.uint64(self.p)
        odd = (self.p - 1) // 8
        correction = np.zeros_like(value)
        there = np.zeros(value.shape, dtype=bool)
        rest = self.power(value, odd)
        for half in range(4):
            matches = rest == pow(self.eighth_root, 2 * half, self.p)
            correction[matches] = pow(self.eighth_root, -half, self.p)
            there |= matches
        return self.power(value, (odd + 1) // 2) * correction % p, there | (value == 0)

    def odd_root(self, value: Lanes, degree: int) -> Lanes | None:
        """Return the unique root of an odd degree in every lane, or None where it is not unique."""
        try:
            return self.power(value, pow(degree, -1, self.p - 1))
        except ValueError:
            return None


#: Pairs of primes, one of each kind, with their least primitive roots.
PRIMES = tuple(
    (Prime(*unique_cube_roots), Prime(*root_of_3))
    for unique_cube_roots, root_of_3 in (
        ((2147458889, 3), (2147451289, 41)),
        ((2147433929, 3), (2147422489, 37)),
        ((2147393609, 3), (2146873369, 67)),
        ((2147240489, 3), (2146841449, 31)),
        ((2147094569, 3), (2146786009, 53)),
        ((2146985129, 3), (2146735369, 37)),
        ((2146891289, 3), (2146664809, 41)),
        ((2146691369, 3), (2146624489, 29)),
    )
)

#: Rational numbers up to this size are read off their residues.
MOST_NUMERATOR, MOST_DENOMINATOR = 20_000, 1_000


def rational(residue: int, p: int) -> Fraction | None:
    """Return the small rational number with a residue, or None.

    With |numerator| <= 20,000 and denominator <= 1,000 there is at most one, because
    2 * 20,000 * 1,000 < p.

    >>> rational(PRIMES[0][0].of(Fraction(-3, 7)), PRIMES[0][0].p)
    Fraction(-3, 7)
    """
    first, second = (p, 0), (residue, 1)
    while second[0] > MOST_NUMERATOR:
        quotient = first[0] // second[0]
        rest = first[0] - quotient * second[0], first[1] - quotient * second[1]
        first, second = second, rest
    numerator, denominator = second
    if not denominator or abs(denominator) > MOST_DENOMINATOR:
        return None
    return Fraction(numerator, denominator)


class Relations:
    """Finds how a vector is a rational combination of vectors seen before.

    Vectors are rows of residues, one per lane. Kept in echelon form, each row with its
    coefficients over the vectors that were added.
    """

    def __init__(self, prime: Prime) -> None:
        self.prime = prime
        self._rows: list[tuple[int, Lanes, dict[int, int]]] = []
        self._count = 0

    @property
    def rank(self) -> int:
        """The number of independent vectors."""
        return len(self._rows)

    def add(self, vector: Lanes) -> int:
        """Add a vector that `find` could not express; return its number."""
        number = self._count
        self._count += 1
        rest, used = self._reduced(vector)
        nonzero = np.flatnonzero(rest)
        if nonzero.size:
            at = int(nonzero[0])
            factor = pow(int(rest[at]), -1, self.prime.p)
            own = {k: -c * factor % self.prime.p for k, c in used.items()}
            own[number] = factor
            row = rest * np.uint64(factor) % np.uint64(self.prime.p)
            self._rows.append((at, row, own))
        return number

    def _reduced(self, vector: Lanes) -> tuple[Lanes, dict[int, int]]:
        p = self.prime.p
        rest = vector
        used: dict[int, int] = {}
        for at, row, own in self._rows:
            factor = int(rest[at])
            if factor:
                rest = (rest + np.uint64(p - factor) * row) % np.uint64(p)
                for k, c in own.items():
                    used[k] = (used.get(k, 0) + factor * c) % p
        return rest, used

    def find(self, vector: Lanes) -> dict[int, Fraction] | None:
        """Return the coefficients over the added vectors, or None where there is no relation."""
        rest, used = self._reduced(vector)
        if rest.any():
            return None
        found = {k: rational(c, self.prime.p) for k, c in used.items() if c}
        if any(c is None for c in found.values()):
            return None
        return found  # type: ignore[return-value]
