r"""Sums over letters, entries and slices: \sum_{i=1}^{n} x_{i}, A_{12}, \left[...\right]_{ij}."""

from __future__ import annotations

import re
from typing import Any

import sympy as sp

from symgrad.operations.along import ExtremeWeights
from symgrad.reading.printed.building import Builder
from symgrad.reading.printed.fitting import Fitter
from symgrad.reading.printed.operators import SLOPE_OF_EXPONENTIAL, along, put, sliced
from symgrad.reading.printed.parts import ALL, Grid, Part, Places, Range, Span
from symgrad.reading.printed.scanner import Scanner

#: What stands for an index.
_LETTER = re.compile(r"[A-Za-z](?:_\{\d+\})?|\\[A-Za-z]+(?![A-Za-z])")
_TWO = re.compile(r"[A-Za-z0-9]{2}")
_LETTERS = re.compile(r"([a-z](?:_\{\d+\})?)([a-z](?:_\{\d+\})?)")


class Indexed(Scanner):
    """Reads what has indices; what stands around them is read by the parser."""

    letters: dict[str, Any]

    def sum(self) -> Part:
        """Read a sum; the parser says how."""
        raise NotImplementedError

    def term(self) -> Part:
        """Read a product; the parser says how."""
        raise NotImplementedError

    def scalar(self) -> Any:
        """Read a scalar as an expression: an index, a size, an end of a sum."""
        start = self.at
        part = self.sum()
        fitter = Fitter(self.text)
        if fitter.fit(part):
            raise self.error("a scalar is expected here, not a matrix", start)
        return Builder(fitter, {}).build(part)

    def _integer(self) -> Any:
        start = self.at
        value = self.scalar()
        if not value.is_integer:
            raise self.error("an index is an integer", start)
        return value

    # ---------------------------------------------------------------------- sums

    def _letter(self) -> tuple[str, Any]:
        """Read the letter of an index; return it with its symbol."""
        self.skip()
        letter = self.find(_LETTER)
        if not letter:
            raise self.error("expected the letter of an index")
        return letter, sp.Dummy(letter, integer=True)

    def read_sum(self, kind: str, start: int) -> Part:
        r"""Read a sum or a product over a letter, after its `\sum_{`."""
        letter, symbol = self._letter()
        self.expect("=")
        low = self._integer()
        self.expect("}")
        self.expect("^")
        self.expect("{")
        high = self._integer()
        self.expect("}")
        body = self._bound({letter: symbol})
        return self.part(kind, body, value=Range(symbol, low, high), start=start)

    def _bound(self, letters: dict[str, Any], end: int | None = None) -> Part:
        """Read what letters are bound in: a product, or all that stands before a place."""
        before, self.letters = self.letters, {**self.letters, **letters}
        with self.deeper():
            found = self.term() if end is None else self.inside(end, self.sum)
        self.letters = before
        return found

    # ------------------------------------------------------------------- entries

    def subscripted(self, base: Part, start: int) -> Part:
        """Read the entry or the slice that a subscript picks, if there is one."""
        if not self.next_is("_{") or base.kind not in ("name", "group"):
            return base
        return self._subscript(base, start)

    def _subscript(self, base: Part, start: int) -> Part:
        if base.kind == "group" and base.below[0].kind == "name":
            (base,) = base.below  # (x_{1})_{2}, an entry of x_{1}
        opening = self.at + 1
        self.at += 2
        end = self.ends[opening]
        text = self.text[self.at : end]
        if _TWO.fullmatch(text):
            # A matrix has two indices, a column one: which it is shows in the shape.
            single = (sp.Integer(text),) if text.isdigit() else None
            double = tuple(self._at(self.at + k, self.at + k + 1) for k in range(2))
            self.at = end + 1
            return self.part("entry", base, value=Places(single, double), start=start)
        places, is_slice = self.inside(end, self._places)
        self.at = end + 1
        if is_slice:
            return self.part("operator", base, value=sliced(places), start=start)
        indices = Places(places, None) if len(places) == 1 else Places(None, places)
        return self.part("entry", base, value=indices, start=start)

    def _at(self, start: int, end: int) -> Any:
        place, self.at = self.at, start
        found = self.inside(end, self._integer)
        self.at = place
        return found

    def _places(self) -> tuple[tuple[Any, ...], bool]:
        """Read places of rows and columns; tell whether they are those of a slice."""
        found: list[Any] = [self._place()]
        while self.has(","):
            if not self.has(r"\ldots"):
                found.append(self._place())
                continue
            self.expect(",")
            if len(found) < 2:
                raise self.error("expected the second place before the dots")
            second, first = found.pop(), found.pop()
            found.append(Span(first, self._integer(), second))
        if len(found) > 2:
            raise self.error("a matrix has places in its rows and its columns")
        is_slice = any(place == ALL or isinstance(place, Span) for place in found)
        return tuple(found), is_slice

    def _place(self) -> Any:
        if self.has(ALL):
            return ALL
        first = self._integer()
        return Span(first, self._integer()) if self.has(ALL) else first

    # ------------------------------------------------------------ square brackets

    def read_square(self, start: int) -> Part:
        r"""Read what begins with \left[, after it: its end says what it is."""
        end = self.ends[start]
        after = end + len(r"\right]")
        if not self.text.startswith(r"\right]", end):
            raise self.error(r"expected `\right]`", end)
        if self.has(r"\begin{matrix}"):
            found = self._explicit(start)
        elif self.text.startswith("_{", after):
            found = self._picked(start, end, after)
        elif self.text.startswith("^{", after):
            found = self._put(start, end, after)
        else:
            found = self._extreme_weights(start, end)
        return found

    def _explicit(self, start: int) -> Part:
        rows = [self._row()]
        while self.has(r"\\"):
            rows.append(self._row())
        self.expect(r"\end{matrix}")
        self.expect(r"\right]")
        if len({len(row) for row in rows}) > 1:
            raise self.error("the rows have different lengths", start)
        shape = sp.Integer(len(rows)), sp.Integer(len(rows[0]))
        return self.part("explicit", *(p for row in rows for p in row), value=shape, start=start)

    def _row(self) -> list[Part]:
        row = [self.sum()]
        while self.has("&"):
            row.append(self.sum())
        return row

    def _put(self, start: int, end: int, after: int) -> Part:
        body = self.inside(end, self.sum)
        self.at = after + 2
        places, _ = self.inside(self.ends[after + 1], self._places)
        self.expect("}")
        return self.part("operator", body, value=put(places), start=start)

    def _extreme_weights(self, start: int, end: int) -> Part:
        r"""Read [A = \max A], which is one where an entry is the largest."""
        body = self.inside(self.text.find(" = ", self.at, end), self.sum)
        own = self.text[start + len(r"\left[") : self.at]
        self.expect("=")
        sign = 1 if self.has(r"\max") else -1 if self.has(r"\min") else 0
        axis = self.axis()
        self.expect(r"\left(")
        again = self.text[self.at : end].removesuffix(r"\right)")
        if not sign or own != again:
            raise self.error("expected the largest or least entry of the same matrix")
        self.at = end
        self.expect(r"\right]")
        return self.part("operator", body, value=along(ExtremeWeights, axis, sign), start=start)

    def axis(self) -> int | None:
        """Read the letter that says what an operation runs along."""
        return {"_{j}": 1, "_{i}": 0}.get(self.has("_{j}", "_{i}"))

    def _picked(self, start: int, end: int, after: int) -> Part:
        """Read an entry of what stands in brackets, or a matrix that is given entry by entry."""
        place = self.at
        closing = self.ends[after + 1]
        script = self.text[after + 2 : closing]
        self.at = after + 2
        letters = _LETTERS.fullmatch(script)
        if "=" in script:
            grid, names = self.inside(closing, self._starts)
            self.expect("}")
            if len(names) == 1:
                self.expect("^")
                self.expect("{")
                grid = grid._replace(last=self._integer())
                self.expect("}")
        elif letters and letters[1] != letters[2] and not {*letters.groups()} & self.known():
            names = dict(zip(letters.groups(), self._symbols(letters.groups()), strict=True))
            grid = Grid(tuple(names.values()), (sp.S.One, sp.S.One))
            self.at = closing + 1
        else:
            self.at = place
            body = self.inside(end, self.sum)
            self.at = after
            return self._subscript(body, start)
        last, self.at = self.at, place
        body = self._bound(names, end)
        self.at = last
        return self.part("grid", body, value=grid, start=start)

    def _symbols(self, letters: Any) -> list[Any]:
        return [sp.Dummy(letter, integer=True) for letter in letters]

    def _starts(self) -> tuple[Grid, dict[str, Any]]:
        names: dict[str, Any] = {}
        starts: list[Any] = []
        while not starts or self.has(","):
            letter, symbol = self._letter()
            self.expect("=")
            names[letter] = symbol
            starts.append(self._integer())
        if len(names) != len(starts) or len(starts) > 2:
            raise self.error("an entry has one index or two")
        return Grid(tuple(names.values()), tuple(starts)), names

    def known(self) -> set[str]:
        """Return the letters and names that mean something already."""
        return set(self.letters)

    def read_slope(self, start: int) -> Part:
        r"""Read \mathrm{D}e^{A}\left[E\right], the derivative of the exponential, after its D."""
        order = 1
        if self.has("^{"):
            order = int(self._integer())
            self.expect("}")
        if self.has("e^{"):
            closing = "}"
        else:
            self.expect(r"\operatorname{expm}")
            closing = r"\right)" if self.has(r"\left(", "(") == r"\left(" else ")"
        parts = [self.sum()]
        self.expect(closing)
        self.expect(r"\left[")
        parts.append(self.sum())
        while self.has(","):
            parts.append(self.sum())
        self.expect(r"\right]")
        if len(parts) != order + 1:
            raise self.error(f"expected {order} directions", start)
        return self.part("operator", *parts, value=SLOPE_OF_EXPONENTIAL, start=start)
