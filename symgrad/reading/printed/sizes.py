"""Sizes that are not printed, and what they turn out to be."""

from __future__ import annotations

from typing import Any

import sympy as sp

from symgrad.errors import ParseError
from symgrad.shapes import Shape, same_size


class Unknown(sp.Dummy):
    """A size that is not known yet."""


def is_known(size: Any) -> bool:
    """Tell whether a size has nothing unknown in it."""
    return bool(size.is_Integer or not size.atoms(Unknown))


class Sizes:
    """What unknown sizes turned out to be.

    >>> sizes = Sizes()
    >>> size = sizes.fresh()
    >>> sizes.equate(2 * size - 1, sp.Integer(5))
    >>> sizes.of(size)
    3
    """

    def __init__(self) -> None:
        self.known: dict[Any, Any] = {}

    def fresh(self) -> Any:
        """Return a size that is not known yet."""
        return Unknown("size", integer=True, positive=True)

    def of(self, size: Any) -> Any:
        """Return what a size turned out to be."""
        size = sp.sympify(size)
        while not is_known(size) and size.atoms(Unknown) & self.known.keys():
            size = sp.expand(size.xreplace(self.known))
        return size

    def shape(self, shape: Shape) -> Shape:
        """Return what the sizes of a shape turned out to be; one row and column is a scalar."""
        found = tuple(map(self.of, shape))
        return () if found == (1, 1) else found

    def equate(self, first: Any, second: Any) -> None:
        """Note that two sizes are equal.

        Raises:
            ParseError: They cannot be.
        """
        first, second = self.of(first), self.of(second)
        if first == second:
            return
        apart = sp.expand(first - second)
        for unknown in sorted(apart.atoms(Unknown), key=lambda size: size.dummy_index):
            factor = apart.coeff(unknown)
            rest = sp.expand(apart - factor * unknown)
            if is_known(factor) and factor != 0 and not rest.has(unknown):
                value = sp.cancel(-rest / factor)
                if not is_size(value):
                    break
                self.known[unknown] = value
                return
        if not same_size(first, second):
            raise ParseError(f"sizes {worded(first)} and {worded(second)} do not fit")


def is_size(value: Any) -> bool:
    """Tell whether a value may be a size: an integer above zero, or a sum of symbols.

    >>> is_size(sp.Rational(1, 2)), is_size(sp.Symbol("n", integer=True))
    (False, True)
    """
    if value.is_number:
        return bool(value.is_Integer and value > 0)
    return bool(value.is_integer is not False and sp.denom(value) == 1)


def worded(size: Any) -> str:
    """Word a size for a message."""
    return str(size) if is_known(size) else "of another matrix"
