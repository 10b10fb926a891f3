"""Fractions of a half turn in a prime field, by square roots."""

from __future__ import annotations

from fractions import Fraction
from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from symgrad.circuit import kinds as ops
from symgrad.verification.field.generators import HALF_TURN, Pair, Undecided
from symgrad.verification.field.modular import Lanes
from symgrad.verification.field.radicals import root_of_prime

if TYPE_CHECKING:
    from symgrad.verification.field import Evaluation


def half_turn(run: Evaluation) -> Pair:
    """Return the pair of pi: exp(i pi) = -1."""
    minus = np.full(run.lanes, run.prime.p - 1, dtype=np.uint64)
    at = run.drawn((ops.CONSTANT, "pi"))
    return Pair(at, minus, np.zeros(run.lanes, dtype=np.uint64), HALF_TURN)


def turned(run: Evaluation, turns: Fraction) -> Lanes:
    """Return exp(i pi turns) in the square roots of 2 and 3 that the lanes use."""
    unit = np.full(run.lanes, run.prime.imaginary_unit, dtype=np.uint64)
    half = partial(run.times, Fraction(1, 2))
    if 12 % turns.denominator:
        raise Undecided(f"the angle {turns} pi")
    result = run.prime.power(unit, int(2 * turns) if turns.denominator <= 2 else 0)
    if turns.denominator % 3 == 0:
        # exp(i pi/3) = (1 + i sqrt 3)/2
        root = root_of_prime(run, 3, Fraction(1, 2))
        third = half((1 + unit * root) % run.p)
        count = turns.numerator * pow(turns.denominator // 3, -1, 3) % 3
        return _times_rest(run, run.prime.power(third, count), turns - Fraction(count, 3))
    if turns.denominator == 4:
        # exp(i pi/4) = (1 + i)/sqrt 2
        root = root_of_prime(run, 2, Fraction(1, 2))
        quarter = (1 + unit) % run.p * run.prime.inverse(root) % run.p
        return run.prime.power(quarter, turns.numerator)
    return result


def _times_rest(run: Evaluation, value: Lanes, turns: Fraction) -> Lanes:
    return value * turned(run, turns) % run.p
