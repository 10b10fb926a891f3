"""Numbers read as people mean them."""

from __future__ import annotations

import math
from fractions import Fraction
from typing import Any

import sympy as sp

from symgrad.errors import UnsupportedError

#: A floating-point number within so many units in the last place of a simple fraction is that.
ROUNDING = 4


def exact(value: Any) -> Fraction:
    """Read a number as people mean it: 0.1 is 1/10, and 1/3 in floating point is 1/3.

    A float is the decimal that it prints as, where that is short; otherwise the fraction with a
    denominator up to a million that lies within four roundings of it, if there is one.

    Raises:
        UnsupportedError: Not a finite number.

    >>> exact(1e-5), exact(1 / 3), exact(0.1 + 0.2)
    (Fraction(1, 100000), Fraction(1, 3), Fraction(3, 10))
    """
    if isinstance(value, (int, Fraction)):
        return Fraction(value)
    if isinstance(value, sp.Rational):
        return Fraction(int(value.p), int(value.q))
    if hasattr(value, "__index__"):
        return Fraction(int(value))
    number = float(value)
    if not math.isfinite(number):
        raise UnsupportedError(f"{number} is not a finite number")
    written = Fraction(repr(number))
    digits = repr(number).split("e")[0].replace(".", "").replace("-", "").strip("0")
    if len(digits) <= SHORT:
        return written
    near = written.limit_denominator(1_000_000)
    return near if abs(near - written) <= ROUNDING * Fraction(math.ulp(number)) else written


def is_rounded(value: Any) -> bool:
    """Tell whether a float is a constant written out, such as 0.7978845608028654.

    >>> is_rounded(0.7978845608028654), is_rounded(0.1), is_rounded(1 / 3)
    (True, False, False)
    """
    if not isinstance(value, float) or not math.isfinite(value):
        return False
    digits = repr(float(value)).split("e")[0].replace(".", "").replace("-", "").strip("0")
    return len(digits) >= WRITTEN_OUT and exact(value) == Fraction(repr(float(value)))


#: A constant with so many digits is meant as the real number that it rounds.
WRITTEN_OUT = 15
#: A decimal with up to so many digits is meant as it is written.
SHORT = 12
