r"""What has a sign of its own: functions, cases, conditions, norms, operations of matrices."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import sympy as sp

from symgrad import functions
from symgrad.operations.along import (
    CumulativeSum,
    Extreme,
    LogSumExp,
    OthersProduct,
    ProductAlong,
)
from symgrad.reading.printed.indexed import Indexed
from symgrad.reading.printed.operators import (
    OF_ONE,
    along,
    blocks,
    reshaped,
    stacked,
    triangle,
)
from symgrad.reading.printed.parts import Part
from symgrad.reading.printed.signs import FUNCTION, FUNCTIONS, SLOPES

_RELATIONS = {
    ">": sp.StrictGreaterThan,
    "<": sp.StrictLessThan,
    r"\geq": sp.GreaterThan,
    r"\leq": sp.LessThan,
    "=": sp.Equality,
    r"\neq": sp.Unequality,
}
_CONNECTIVES = {r"\wedge": sp.And, r"\vee": sp.Or, r"\veebar": sp.Xor}


class Condition(NamedTuple):
    """A condition: the scalars or matrices in it, and how it is made of them."""

    parts: tuple[Part, ...]
    make: Callable[..., Any]


class Special(Indexed):
    """Reads what begins with a sign of its own."""

    # ------------------------------------------------------------------ functions

    def bracketed(self) -> Part:
        """Read what stands in brackets."""
        (found,) = self.arguments(1)
        return found

    def arguments(self, count: int = 0) -> list[Part]:
        """Read what stands in brackets, between commas; so many, unless that is 0."""
        left = self.has(r"\left(", "(")
        if not left:
            raise self.error("expected a bracket")
        found = [self.sum()]
        while self.has(","):
            found.append(self.sum())
        if count and len(found) != count:
            raise self.error(f"expected one argument, not {len(found)}")
        self.expect(r"\right)" if left == r"\left(" else ")")
        return found

    def read_function(self) -> Part | None:
        """Read f(x), f'(x), f^{2}(x), if a function begins here."""
        start = self.at
        name = self.find(FUNCTION)
        if not name:
            return None
        apply = FUNCTIONS[name]
        if self.next_is("'"):
            if name not in SLOPES:
                raise self.error("the derivative of this function has no name", start)
            self.at += 1
            apply = SLOPES[name]
        power = None
        if self.has("^{"):
            entries = bool(self.has(r"\odot"))
            power = self.sum()
            self.expect("}")
        return self._called(name, apply, power, entries if power else False, start)

    def _called(self, name: str, apply: Any, power: Part | None, entries: bool, start: int) -> Part:
        given = self.arguments(2 if name == r"\operatorname{atan2}" else 1)
        value = self.part("function", *given, value=apply, start=start)
        if power is None:
            return value
        if entries:
            return self.part("function", value, power, value=sp.Pow, start=start)
        return self.part("scalar power", value, power, start=start)

    def read_polygamma(self, start: int) -> Part:
        r"""Read \psi(x) and \psi^{(1)}(x), after the letter."""
        order: Any = sp.S.Zero
        if self.has("^{("):
            order = self.scalar()
            self.expect(")}")
        value = self.bracketed()
        return self.part("function", value, value=lambda x: sp.polygamma(order, x), start=start)

    def read_enclosed(self, closing: str, apply: Any, start: int) -> Part:
        r"""Read what stands between signs, as between \left\lvert and \right\rvert."""
        inner = self.sum()
        self.expect(closing)
        return self.part("function", inner, value=apply, start=start)

    def read_norm(self, start: int) -> Part:
        """Read a norm and its power, after the opening sign."""
        inner = self.sum()
        self.expect(r"\right\rVert")
        self.has("_F")
        exponent: Any = sp.S.One
        if self.has("^{"):
            exponent = self.scalar()
            self.expect("}")
        elif self.has("^"):
            exponent = self.digit()
        return self.part("norm", inner, value=exponent, start=start)

    def digit(self) -> Any:
        """Read an exponent without braces, which is one digit."""
        if self.at < self.end and self.text[self.at].isdecimal():
            self.at += 1
            return sp.Integer(self.text[self.at - 1])
        raise self.error("expected a digit")

    # --------------------------------------------------------- along rows and columns

    def read_extreme(self, sign: int, start: int) -> Part:
        r"""Read \max(a, b), entry by entry, or \max_{j} \left(A\right), along the rows."""
        axis = self.axis()
        given = self.arguments()
        if len(given) > 1:
            if axis is not None:
                raise self.error("a letter below the largest of several", start)
            apply = sp.Max if sign > 0 else sp.Min
            return self.part("function", *given, value=apply, start=start)
        operator = along(Extreme, axis, sign, reduces=True)
        return self.part("operator", *given, value=operator, start=start)

    def read_product(self, start: int) -> Part:
        r"""Read \prod_{i=1}^{n} x_{i}, or \prod_{j} \left(A\right) along the rows."""
        axis = self.axis()
        if axis is None and self.has("_{"):
            return self.read_sum("product", start)
        operator = along(ProductAlong, axis, reduces=True)
        return self.part("operator", self.bracketed(), value=operator, start=start)

    def read_along(self, head: Any, start: int) -> Part:
        """Read an operation along rows or columns, after its word."""
        options = []
        if head is CumulativeSum:
            options = [int(bool(self.has(r"^{\leftarrow}")))]
        axis = self.axis()
        operator = along(head, axis, *options, reduces=head is LogSumExp)
        return self.part("operator", self.bracketed(), value=operator, start=start)

    # --------------------------------------------------------- operations of matrices

    def read_operation(self, sign: str, start: int) -> Part:
        """Read an operation of one matrix, after its sign."""
        return self.part("operator", self.bracketed(), value=OF_ONE[sign], start=start)

    def read_triangle(self, lower: bool, start: int) -> Part:
        """Read tril or triu, after the word."""
        offset: Any = sp.S.Zero
        if self.has("_{"):
            offset = self.scalar()
            self.expect("}")
        operator = triangle(offset, lower)
        return self.part("operator", self.bracketed(), value=operator, start=start)

    def read_reshape(self, start: int) -> Part:
        r"""Read \operatorname{reshape}_{n \times m}, after the word."""
        self.expect("_{")
        rows = self.scalar()
        self.expect(r"\times")
        columns = self.scalar()
        self.expect("}")
        operator = reshaped(rows, columns)
        return self.part("operator", self.bracketed(), value=operator, start=start)

    def read_blocks(self, start: int) -> Part | None:
        r"""Read \left(A \otimes \cdot\right)^{\ast} \left(G\right), if it begins here."""
        end = self.ends.get(start, -1)
        if end < 0 or not self.text.startswith(r"\right)^{\ast}", end):
            return None
        self.at = start + len(r"\left(")
        left = not self.has_other(r"\cdot \otimes ")
        place = r" \otimes \cdot" if left else ""
        stop = end - len(place)
        if not self.text.startswith(place, stop):
            raise self.error("expected the place of a factor")
        factor = self.inside(stop, self.sum)
        self.at = end + len(r"\right)^{\ast}")
        whole = self.bracketed()
        return self.part("operator", whole, factor, value=blocks(left=left), start=start)

    def has_other(self, text: str) -> bool:
        """Go over a text that may begin with what only makes room elsewhere."""
        if not self.text.startswith(text, self.at):
            return False
        self.at += len(text)
        return True

    def read_stack(self, start: int) -> Part:
        """Read matrices below or beside each other, after the begin."""
        parts = [self.sum()]
        sign = self.has("&", r"\\")
        while sign:
            parts.append(self.sum())
            if not self.has(sign):
                break
        self.expect(r"\end{bmatrix}")
        return self.part("operator", *parts, value=stacked(int(sign == "&")), start=start)

    # ----------------------------------------------------------------- conditions

    def read_bracket(self, start: int) -> Part:
        """Read [a > b], which is 1 where it holds and else 0, after the bracket."""
        left = self.sum()
        sign = self.has(">", "<", "=")
        if not sign:
            raise self.error("expected a comparison")
        right = self.sum()
        self.expect("]")
        return self.part("function", left, right, value=_BRACKETS[sign], start=start)

    def read_cases(self, start: int) -> Part:
        """Read cases, after the begin."""
        parts: list[Part] = []
        rows: list[tuple[int, Any]] = []
        while not rows or self.has(r"\\"):
            parts.append(self.sum())
            self.expect("&")
            if self.has(r"\text{otherwise}"):
                rows.append((0, None))
                break
            self.expect(r"\text{for }")
            condition = self.condition()
            rows.append((len(condition.parts), condition.make))
            parts += condition.parts
        self.expect(r"\end{cases}")

        def apply(*values: Any) -> Any:
            found, given = [], iter(values)
            for count, make in rows:
                value = next(given)
                holds = make(*(next(given) for _ in range(count))) if make else sp.true
                found.append((value, holds))
            return sp.Piecewise(*found)

        return self.part("cases", *parts, value=apply, start=start)

    def condition(self) -> Condition:
        """Read comparisons with one sign of logic between them."""
        found = [self._comparison()]
        sign = self.has(*_CONNECTIVES)
        while sign:
            found.append(self._comparison())
            if not self.has(sign):
                break
        if self.sees(*_CONNECTIVES):
            raise self.error("different signs of logic need brackets")
        return _joined(_CONNECTIVES[sign], found) if sign else found[0]

    def _comparison(self) -> Condition:
        with self.deeper():
            if self.has(r"\neg"):
                return _joined(sp.Not, [self._comparison()])
            if self.has(r"\operatorname{ITE}"):
                return self._choice()
            word = self.has(r"\text{True}", r"\text{False}")
            if word:
                return Condition((), lambda: sp.true if "True" in word else sp.false)
            if self._is_logic():
                self.expect(r"\left(")
                found = self.condition()
                self.expect(r"\right)")
                return found
            left = self.sum()
            sign = self.has(*_RELATIONS)
            if not sign:
                raise self.error("expected a comparison")
            return Condition((left, self.sum()), _RELATIONS[sign])

    def _choice(self) -> Condition:
        """Read ITE(a, b, c), which is b where a holds, else c, after the word."""
        self.expect(r"\left(")
        found = [self.condition()]
        while self.has(","):
            found.append(self.condition())
        self.expect(r"\right)")
        if len(found) != 3:
            raise self.error("expected three conditions")
        return _joined(sp.ITE, found)

    def _is_logic(self) -> bool:
        """Tell whether a bracket begins here that has a comparison in it, at its own level."""
        self.skip()
        end = self.ends.get(self.at, -1)
        if end < 0 or not self.next_is(r"\left("):
            return False
        place = self.at + len(r"\left(")
        while place < end:
            if place in self.ends:
                place = self.ends[place] + 1
            elif any(self.text.startswith(sign, place) for sign in (*_RELATIONS, r"\neg ")):
                return True
            else:
                place += 1
        return False


def _joined(head: Any, conditions: Sequence[Condition]) -> Condition:
    def make(*values: Any) -> Any:
        given = iter(values)
        return head(*(c.make(*(next(given) for _ in c.parts)) for c in conditions))

    return Condition(tuple(part for c in conditions for part in c.parts), make)


def _delta(left: Any, right: Any) -> Any:
    """Return one where two are equal: Kronecker's delta of indices."""
    if left.is_integer and right.is_integer:
        return sp.KroneckerDelta(left, right)
    return sp.Piecewise((sp.S.One, sp.Eq(left, right)), (sp.S.Zero, True))


_BRACKETS = {
    ">": lambda left, right: functions.step(left - right),
    "<": lambda left, right: functions.step(right - left),
    "=": _delta,
}
#: Operations along rows or columns, by their words.
ALONG = {
    r"\operatorname{logsumexp}": LogSumExp,
    r"\operatorname{others}": OthersProduct,
    r"\operatorname{cumsum}": CumulativeSum,
}
