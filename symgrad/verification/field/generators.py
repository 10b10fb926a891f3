"""Generators of the functions that a prime field evaluates, and why it may give up."""

from __future__ import annotations

from dataclasses import dataclass, field

import sympy as sp

from symgrad.verification.field.modular import Lanes

#: So many more lanes than generators: a relation that holds on all of them is no accident.
SPARE = 24
#: A generator of an exponential is a 16th power, so that exp(u/16) is one of its roots.
DEGREE = 16
#: The node of the pair of pi, which is none.
HALF_TURN = -1
#: Functions that are odd: f(-u) = -f(u); and even ones.
ODD = (sp.erf, sp.atan, sp.asin, sp.erfi, sp.Si)
EVEN = (sp.besselj,)


class Undecided(Exception):
    """This field cannot tell; the text says why."""


class TooFewLanes(Undecided):
    """Roots do not exist on enough lanes: try again with more."""


class Impossible(Exception):
    """Conditions whose truth was fixed contradict each other."""


class Drop(Exception):
    """Some lanes have no square root; carries the lanes that have one."""

    def __init__(self, there: Lanes) -> None:
        super().__init__()
        self.there = there


@dataclass
class Pair:
    """Two values a and m with m = exp(a), one of them chosen at random.

    Attributes:
        a: The additive side, the argument of an exponential or the value of a logarithm.
        m: The multiplicative side.
        slope: dm/m, for random differentials of all generators.
        node: The node of a, where a was given and m drawn; None where m was given.
        of: The node of m, where m was given.
        roots: Known roots of m by their degree, a power of two.
        degree: The least common denominator of the powers of m that were taken.
    """

    a: Lanes
    m: Lanes
    slope: Lanes
    node: int | None = None
    of: int | None = None
    roots: dict[int, Lanes] = field(default_factory=dict)
    degree: int = 1
