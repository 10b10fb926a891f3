"""Sizes that are not printed, and what they turn out to be."""

from __future__ import annotations

from typing import Any

import sympy as sp

from symgrad.errors import ParseError
from symgrad.shapes import Shape, same_size


class Unknown(sp.Dummy):
    """A size that is not known yet."""


class Several(Unknown):
    """An unknown size that was not 1 when it was printed, or its ones would not be there."""


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
        self.waiting: list[tuple[Any, Any]] = []

    def fresh(self, kind: type[Unknown] = Unknown) -> Any:
        """Return a size that is not known yet."""
        return kind("size", integer=True, positive=True)

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
        """Note that two sizes are equal; where it is open what follows, it waits for `settle`.

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
                    raise ParseError("a size would be no whole number")
                self.known[unknown] = value
                return
        if not (is_known(first) and is_known(second)):
            self.waiting.append((first, second))
        elif not same_size(first, second):
            raise ParseError(f"the sizes {first} and {second} do not fit")

    def settle(self) -> None:
        """Look again at what waits, as long as that says something.

        Raises:
            ParseError: Sizes cannot be equal.
        """
        before = None
        while self.waiting and before != (len(self.known), len(self.waiting)):
            before = len(self.known), len(self.waiting)
            again, self.waiting = self.waiting, []
            for first, second in again:
                self.equate(first, second)


def may_equal(first: Any, second: Any) -> bool:
    """Tell whether two sizes may turn out to be equal."""
    if is_known(first) and is_known(second):
        return same_size(first, second)
    return 1 not in (first, second) or not any(isinstance(s, Several) for s in (first, second))


def is_size(value: Any) -> bool:
    """Tell whether a value may be a size: an integer above zero, or a sum of symbols.

    >>> is_size(sp.Rational(1, 2)), is_size(sp.Symbol("n", integer=True))
    (False, True)
    """
    if value.is_number:
        return bool(value.is_Integer and value > 0)
    return bool(value.is_integer is not False and sp.denom(value) == 1)
