"""Entries of matrices as polynomials with summed indices, in a canonical form.

The entry (row, column) of a matrix expression is a sum of terms. A term is an exact number,
factors with exponents, and bound indices, each with the size that it runs over. Equal polynomials
have equal forms: factors are sorted, and bound indices are named in an order that does not depend
on the names they had. Factors and polynomials are numbered when they first occur, so comparing
and sorting them is comparing numbers.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from fractions import Fraction
from itertools import permutations, product
from math import factorial, prod
from typing import Any, NamedTuple

#: An index is a number: the two free ones, concrete ones below, bound ones from 0 on.
ROW, COLUMN = -1, -2
_CONCRETE = -10
#: Bound indices of a term are numbered from this times its height, see `Forms._labelled`.
_LEVEL = 64
_MARK, _COLOUR, _FRESH = 10**6, 10**6 + 1, 10**7

MOST_TERMS = 2_000
MOST_BOUND = 10
MOST_ORDERS = 720
MOST_HEIGHT = 12
MOST_STEPS = 100_000

Exponent = int | Fraction
Powers = tuple[tuple[int, Exponent], ...]
Bound = tuple[tuple[int, int], ...]
Key = tuple[Powers, Bound]
#: A sum of terms by what they consist of, with their numbers.
Poly = dict[Key, Fraction]
#: A term on its way into a canonical form.
Raw = tuple[Fraction, Iterable[tuple[int, Exponent]], Mapping[int, int]]


class GiveUp(Exception):
    """Nothing can be told here: beyond a budget, or not a polynomial of known factors."""


class Factor(NamedTuple):
    """What a term multiplies: the tag says how it is read, the arguments are polynomials.

    Attributes:
        tag: `sym` a scalar, `at` an entry, `fun` a function, `paren` a sum that is divided by,
            `root`, `delta`, `idx` an index as a number, `inv` an entry of an inverse, `det`.
        name: Of the symbol, the function, the root's order; else the number of a polynomial.
        indices: The indices of an entry.
        args: The numbers of the polynomials that are its arguments.
    """

    tag: str
    name: str
    indices: tuple[int, ...] = ()
    args: tuple[int, ...] = ()


def concrete(place: int) -> int:
    """Return the index that stands for a concrete place.

    >>> place_of(concrete(3))
    3
    """
    return _CONCRETE - place


def place_of(index: int) -> int | None:
    """Return the place of a concrete index, None for others.

    >>> place_of(ROW) is None
    True
    """
    return _CONCRETE - index if index <= _CONCRETE else None


class Forms:
    """Polynomials and their canonical forms, numbered in one table.

    Args:
        check: Called now and then; raises when time is up.

    >>> forms = Forms(lambda: None)
    >>> a, b = (forms.single(Factor("sym", name)) for name in "ab")
    >>> forms.multiply(a, b) == forms.multiply(b, a)
    True
    """

    def __init__(self, check: Callable[[], None]) -> None:
        self.check = check
        self.factors: list[Factor] = []
        self.polys: list[Poly] = []
        #: Places that a symbolic size must have, by the number of the size's polynomial.
        self.places: set[tuple[int, int]] = set()
        self._ids: dict[Any, int] = {}
        self._poly_ids: dict[Any, int] = {}
        self._skeletons: dict[Any, int] = {}
        self._memo: dict[Any, Any] = {}
        self._fresh = _FRESH
        self._steps = 0

    def tick(self) -> None:
        """Count a step; now and then look at the clock."""
        self._steps += 1
        if self._steps > MOST_STEPS:
            raise GiveUp("steps")
        if self._steps % 64 == 0:
            self.check()

    def fresh(self) -> int:
        """Return an index that occurs nowhere."""
        self._fresh += 1
        return self._fresh

    # ------------------------------------------------------------ numbering

    def number(self, factor: Factor) -> int:
        """Return the number of a factor."""
        if factor not in self._ids:
            self._ids[factor] = len(self.factors)
            self.factors.append(factor)
            if self.height(self._ids[factor]) > MOST_HEIGHT:
                raise GiveUp("height")
        return self._ids[factor]

    def frozen(self, poly: Poly) -> int:
        """Return the number of a polynomial."""
        key = tuple(sorted(poly.items()))
        if key not in self._poly_ids:
            self._poly_ids[key] = len(self.polys)
            self.polys.append(dict(poly))
        return self._poly_ids[key]

    def height(self, fid: int) -> int:
        """Return how deep arguments are nested in a factor: 0 for symbols and entries."""
        key = ("height", fid)
        if key not in self._memo:
            inside = [
                1
                + max((self.height(f) for powers, _ in self.polys[a] for f, _ in powers), default=0)
                for a in self.factors[fid].args
            ]
            self._memo[key] = max(inside, default=0)
        return self._memo[key]  # type: ignore[no-any-return]

    def indices(self, fid: int) -> frozenset[int]:
        """Return the indices of a factor that nothing inside it binds, concrete ones included."""
        key = ("indices", fid)
        if key not in self._memo:
            factor = self.factors[fid]
            found = set(factor.indices).union(*(self.free(self.polys[a]) for a in factor.args))
            self._memo[key] = frozenset(found)
        return self._memo[key]  # type: ignore[no-any-return]

    def free(self, poly: Poly) -> set[int]:
        """Return the indices that a polynomial does not bind."""
        found: set[int] = set()
        for powers, bound in poly:
            inside = set().union(*(self.indices(fid) for fid, _ in powers))
            found |= inside - {label for label, _ in bound}
        return found

    # ------------------------------------------------------------ skeletons

    def skeleton(self, poly: Poly) -> dict[int, Fraction]:
        """Return the sums of the numbers of all terms that differ in indices only."""
        found: dict[int, Fraction] = {}
        for key, number in poly.items():
            kind = self._term_skeleton(key)
            found[kind] = found.get(kind, Fraction(0)) + number
        return found

    def _term_skeleton(self, key: Key) -> int:
        powers, bound = key
        parts = sorted((self._factor_skeleton(fid), exponent) for fid, exponent in powers)
        return self._kind(("term", tuple(parts), tuple(sorted(size for _, size in bound))))

    def _factor_skeleton(self, fid: int) -> int:
        memo = ("skeleton", fid)
        if memo not in self._memo:
            tag, name, indices, args = self.factors[fid]
            below = tuple(tuple(sorted(self.skeleton(self.polys[a]).items())) for a in args)
            self._memo[memo] = self._kind((tag, name, len(indices), below))
        return self._memo[memo]  # type: ignore[no-any-return]

    def _kind(self, key: Any) -> int:
        return self._skeletons.setdefault(key, len(self._skeletons))

    def leading(self, poly: Poly) -> Fraction:
        """Return a number of a polynomial that renaming indices does not change, 1 if in doubt."""
        known = sorted((kind, number) for kind, number in self.skeleton(poly).items() if number)
        return known[0][1] if known else Fraction(1)

    # ------------------------------------------------------------ sums and products

    def constant(self, value: Any) -> Poly:
        """Return a number as a polynomial."""
        value = Fraction(value)
        return {((), ()): value} if value else {}

    def single(self, factor: Factor, exponent: Exponent = 1) -> Poly:
        """Return one factor as a polynomial."""
        return self.collected([(Fraction(1), [(self.number(factor), exponent)], {})])

    def add(self, *polys: Poly) -> Poly:
        """Add polynomials."""
        total: Poly = {}
        for poly in polys:
            for key, number in poly.items():
                _accumulate(total, key, number)
        return self._affordable(total)

    def scale(self, number: Any, poly: Poly) -> Poly:
        """Multiply a polynomial by a number."""
        return {key: number * value for key, value in poly.items()} if number else {}

    def multiply(self, first: Poly, second: Poly) -> Poly:
        """Multiply two polynomials out."""
        if len(first) * len(second) > 2 * MOST_TERMS:
            raise GiveUp("terms")
        raw: list[Raw] = []
        for (powers, bound), number in first.items():
            for (others, more), value in second.items():
                apart = self._apart(others, more) if bound and more else (others, more)
                raw.append((number * value, (*powers, *apart[0]), dict((*bound, *apart[1]))))
        return self.collected(raw)

    def _apart(self, powers: Powers, bound: Bound) -> tuple[Powers, Bound]:
        """Give bound indices names that occur nowhere else."""
        names = {label: self.fresh() for label, _ in bound}
        return self._renamed(powers, names), tuple((names[k], size) for k, size in bound)

    def _renamed(self, powers: Powers, names: Mapping[int, int]) -> Powers:
        return tuple((self.relabelled(fid, names), exponent) for fid, exponent in powers)

    def bind(self, poly: Poly, index: int, size: int) -> Poly:
        """Sum over an index; the size is the number of a polynomial."""
        raw: list[Raw] = []
        for (powers, bound), number in poly.items():
            label = self.fresh()
            named = self._renamed(powers, {index: label})
            raw.append((number, named, {**dict(bound), label: size}))
        return self.collected(raw)

    def collected(self, raw: Iterable[Raw]) -> Poly:
        """Bring terms into canonical form and add them up."""
        total: Poly = {}
        todo = list(raw)
        while todo:
            self.tick()
            number, powers, bound = todo.pop()
            merged = self._merged(powers)
            simpler = self.simplified(merged, bound)
            if simpler is None:
                _accumulate(total, self._labelled(merged, bound), number)
            else:
                todo += [(number * value, *rest) for value, *rest in simpler if value]  # type: ignore[misc]
            self._affordable(total)
        return total

    def _affordable(self, poly: Poly) -> Poly:
        if len(poly) > MOST_TERMS:
            raise GiveUp("terms")
        return poly

    def _merged(self, powers: Iterable[tuple[int, Exponent]]) -> dict[int, Exponent]:
        merged: dict[int, Exponent] = {}
        for fid, exponent in powers:
            before = merged.get(fid, 0)
            if before * exponent < 0 and not self.generic(fid):
                raise GiveUp("a factor that may be zero everywhere")
            merged[fid] = before + exponent
            if not merged[fid]:
                del merged[fid]
        return merged

    def generic(self, fid: int) -> bool:
        """Tell whether a factor is surely not zero at generic points, so that it cancels."""
        return self.factors[fid].tag in ("sym", "at")

    def simplified(self, powers: dict[int, Exponent], bound: Mapping[int, int]) -> list[Raw] | None:
        """Return simpler terms that a term is the sum of, or None where it stays."""
        return None

    # ------------------------------------------------------------ names of indices

    def relabelled(self, fid: int, names: Mapping[int, int]) -> int:
        """Rename indices in a factor, no two to one."""
        inside = self.indices(fid)
        kept = {old: new for old, new in names.items() if old in inside and old != new}
        if not kept:
            return fid
        key = ("relabelled", fid, tuple(sorted(kept.items())))
        if key not in self._memo:
            tag, name, indices, args = self.factors[fid]
            moved = tuple(kept.get(index, index) for index in indices)
            below = tuple(self.frozen(self.relabelled_poly(self.polys[a], kept)) for a in args)
            if tag == "delta" or (tag == "inv" and name.endswith("=")):
                moved = tuple(sorted(moved))
            self._memo[key] = self.number(Factor(tag, name, moved, below))
        return self._memo[key]  # type: ignore[no-any-return]

    def relabelled_poly(self, poly: Poly, names: Mapping[int, int]) -> Poly:
        """Rename free indices in a polynomial, no two to one."""
        total: Poly = {}
        for (powers, bound), number in poly.items():
            moved: dict[int, Exponent] = {}
            for fid, exponent in self._renamed(powers, names):
                moved[fid] = moved.get(fid, 0) + exponent
            _accumulate(total, self._labelled(moved, dict(bound)), number)
        return total

    def _labelled(self, powers: Mapping[int, Exponent], bound: Mapping[int, int]) -> Key:
        """Name the bound indices canonically and sort the factors."""
        if not bound:
            return tuple(sorted(powers.items())), ()
        if len(bound) > MOST_BOUND:
            raise GiveUp("indices")
        # Above all names that are bound inside of arguments, so that none is bound twice.
        base = _LEVEL * max(map(self.height, powers), default=0)
        found: list[Key] = []
        for order in self._orders(powers, bound):
            names = {label: base + k for k, label in enumerate(order)}
            named = tuple(sorted(self._renamed(tuple(powers.items()), names)))
            found.append((named, tuple((names[label], bound[label]) for label in order)))
        return min(found)

    def _orders(
        self, powers: Mapping[int, Exponent], bound: Mapping[int, int]
    ) -> Iterable[tuple[int, ...]]:
        """Return the orders of bound indices that their places in the term do not rule out."""
        if len(bound) == 1:
            return [tuple(bound)]
        colours = _ranked({label: (size,) for label, size in bound.items()})
        while True:
            signs = {label: self._sign(label, powers, colours) for label in bound}
            finer = _ranked({label: (colours[label], signs[label]) for label in bound})
            if len(set(finer.values())) == len(set(colours.values())):
                break
            colours = finer
        classes = [
            [label for label in bound if finer[label] == colour]
            for colour in sorted(set(finer.values()))
        ]
        if prod(factorial(len(members)) for members in classes) > MOST_ORDERS:
            raise GiveUp("symmetric indices")
        choices = product(*(permutations(members) for members in classes))
        return [tuple(label for part in choice for label in part) for choice in choices]

    def _sign(
        self, label: int, powers: Mapping[int, Exponent], colours: Mapping[int, int]
    ) -> tuple[Any, ...]:
        self.tick()
        # One after the other, not at once: several indices of one colour get one name.
        names = {other: _COLOUR + colour for other, colour in colours.items()}
        names[label] = _MARK
        found = [
            (self.relabelled(fid, names), exponent)
            for fid, exponent in powers.items()
            if label in self.indices(fid)
        ]
        return tuple(sorted(found))


def _accumulate(total: Poly, key: Key, number: Fraction) -> None:
    value = total.get(key, Fraction(0)) + number
    if value:
        total[key] = value
    else:
        total.pop(key, None)


def _ranked(values: Mapping[int, Any]) -> dict[int, int]:
    order = {value: rank for rank, value in enumerate(sorted(set(values.values())))}
    return {label: order[value] for label, value in values.items()}
