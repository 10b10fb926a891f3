"""Powers and functions of indexed polynomials: each family is spelled by one generator.

tanh and the logistic function are tanh, with exponentials beside it; cosh, sinh and their
inverses are exponentials; relu, Max, Abs and sign are multiples of step. Every law used holds for
real values wherever both of its sides are defined, up to where the argument of a step is zero.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from fractions import Fraction
from typing import Any

import sympy as sp

from symgrad.verification.indexed.forms import (
    COLUMN,
    ROW,
    Exponent,
    Factor,
    GiveUp,
    Poly,
    Raw,
    place_of,
)
from symgrad.verification.indexed.generic import Generic
from symgrad.verification.indexed.rules import RULES

ONE, HALF = Fraction(1), Fraction(1, 2)
MOST_POWER = 12


class Functions(Generic):
    """Indexed polynomials with functions.

    Args:
        check: Called now and then; raises when time is up.

    >>> forms = Functions(lambda: None)
    >>> z = forms.single(Factor("sym", "z"))
    >>> one = forms.multiply(forms.exp(z), forms.exp(forms.scale(-1, z)))
    >>> one == forms.constant(1)
    True
    """

    # ------------------------------------------------------------ laws inside of a term

    def simplified(self, powers: dict[int, Exponent], bound: Mapping[int, int]) -> list[Raw] | None:
        """Return simpler terms that a term is the sum of, or None where it stays."""
        for fid in powers:
            tag, name, *_ = self.factors[fid]
            rule = RULES.get(name if tag == "fun" else tag)
            simpler = rule(self, fid, powers, bound) if rule else None
            if simpler is not None:
                return simpler
        if bound:
            return self._without_idle(powers, bound)
        return None

    def _without_idle(
        self, powers: dict[int, Exponent], bound: Mapping[int, int]
    ) -> list[Raw] | None:
        """Sum over an index that occurs nowhere: a factor of its size."""
        used = set().union(*map(self.indices, powers))
        for label, size in bound.items():
            if label not in used:
                rest = {k: v for k, v in bound.items() if k != label}
                return self.times(self.polys[size], powers, rest)
        return None

    def times(
        self, poly: Poly, powers: Mapping[int, Exponent], bound: Mapping[int, int]
    ) -> list[Raw]:
        """Multiply a polynomial by a term whose bound indices occur in it, too."""
        raw: list[Raw] = []
        for (more, inner), number in poly.items():
            apart = self._apart(more, inner)
            raw.append((number, [*powers.items(), *apart[0]], {**bound, **dict(apart[1])}))
        return raw

    # ------------------------------------------------------------ substitution

    def mapped(
        self, poly: Poly, indices: Mapping[int, int], values: Mapping[str, Poly] | None = None
    ) -> Poly:
        """Put indices for indices, and polynomials for symbols."""
        values = values or {}
        raw: list[Raw] = []
        for (powers, bound), number in poly.items():
            self.tick()
            powers, bound = self._apart(powers, bound)
            part = self.constant(number)
            for fid, exponent in powers:
                part = self.multiply(part, self.mapped_factor(fid, exponent, indices, values))
            for (factors, inner), value in part.items():
                apart = self._apart(factors, inner)
                raw.append((value, apart[0], dict((*bound, *apart[1]))))
        return self.collected(raw)

    def mapped_factor(
        self,
        fid: int,
        exponent: Exponent,
        indices: Mapping[int, int],
        values: Mapping[str, Poly],
    ) -> Poly:
        """Put indices for indices, and polynomials for symbols, in a power of a factor."""
        inside = self.indices(fid)
        moved = [indices.get(index, index) for index in inside]
        if self.factors[fid].tag == "idx":
            (index,) = self.factors[fid].indices
            return self.power(self.index_value(indices.get(index, index)), exponent)
        known = values.keys().isdisjoint(self.mentions(fid))
        if known and len(set(moved)) == len(moved):
            moved_fid = self.relabelled(fid, indices)
            return self.collected([(ONE, [(moved_fid, exponent)], {})])
        tag, name, own, args = self.factors[fid]
        places = tuple(indices.get(index, index) for index in own)
        if tag in ("at", "sym"):
            if known:
                return self.single(Factor(tag, name, places), exponent)
            at = dict(zip((ROW, COLUMN), places, strict=False))
            return self.power(self.mapped(values[name], at), exponent)
        if tag in ("inv", "det"):
            pid, size = (int(part) for part in name.rstrip("=").split(":"))
            inner = self.mapped(self.polys[pid], {}, values)
            made = self.inverse_entry(inner, size, *places) if places else self.det(inner, size)
            return self.power(made, exponent)
        below = [self.mapped(self.polys[a], indices, values) for a in args]
        return self._remade(tag, name, places, below, exponent)

    def _remade(
        self, tag: str, name: str, places: tuple[int, ...], below: list[Poly], exponent: Exponent
    ) -> Poly:
        if tag == "paren":
            return self.power(below[0], exponent)
        if tag == "root":
            return self.power(below[0], Fraction(exponent) / int(name))
        if (tag, name) == ("fun", "exp"):
            return self.exp(self.scale(exponent, below[0]))
        if tag == "fun":
            return self.power(self.function(name, *below), exponent)
        # What is left is a delta.
        return self.single(Factor(tag, name, tuple(sorted(places))), exponent)

    def index_value(self, index: int) -> Poly:
        """Return an index as a number."""
        place = place_of(index)
        return self.single(Factor("idx", "", (index,))) if place is None else self.constant(place)

    # ------------------------------------------------------------ powers

    def power(self, poly: Poly, exponent: Exponent) -> Poly:
        """Raise to a rational power."""
        exponent = Fraction(exponent)
        if exponent.denominator != 1:
            return self._root(poly, exponent)
        count = int(exponent)
        if abs(count) > MOST_POWER:
            raise GiveUp("a high power")
        base = poly if count >= 0 else self.inverse(poly)
        result = self.constant(1)
        for _ in range(abs(count)):
            result = self.multiply(result, base)
        return result

    def _root(self, poly: Poly, exponent: Fraction) -> Poly:
        if not poly:
            raise GiveUp("a root of zero")
        if len(poly) == 1:
            ((powers, bound), number) = next(iter(poly.items()))
            own = [self.factors[fid] for fid, _ in powers]
            if not bound and number == 1 and all(f[:2] == ("fun", "exp") for f in own):
                return self.collected([(ONE, [(f, e * exponent) for f, e in powers], {})])
        content = abs(self.leading(poly))
        if content != 1 and len(poly) >= 1 and poly.keys() != {((), ())}:
            rest = self._root(self.scale(1 / content, poly), exponent)
            return self.multiply(self._root(self.constant(content), exponent), rest)
        factor = Factor("root", str(exponent.denominator), (), (self.frozen(poly),))
        if poly == self.constant(1):
            return poly
        return self.single(factor, exponent.numerator)

    def inverse(self, poly: Poly) -> Poly:
        """Divide one by a polynomial."""
        if not poly:
            raise GiveUp("a division by zero")
        if len(poly) == 1:
            ((powers, bound), number) = next(iter(poly.items()))
            if not bound:
                if any(self.factors[fid][:2] == ("fun", "step") for fid, _ in powers):
                    raise GiveUp("a division by a step")
                return self.collected([(1 / number, [(fid, -e) for fid, e in powers], {})])
        common = self.common(poly)
        if common:
            back = self.collected([(ONE, [(fid, -e) for fid, e in common.items()], {})])
            return self.multiply(back, self.inverse(self.multiply(back, poly)))
        for special in (self._inverse_of_two, self._inverse_of_tanh):
            found = special(poly)
            if found is not None:
                return found
        content = self.leading(poly)
        kept = self.frozen(self.scale(1 / content, poly))
        return self.scale(1 / content, self.single(Factor("paren", "", (), (kept,)), -1))

    def common(self, poly: Poly) -> dict[int, Exponent]:
        """Return the factors that all terms have, where they may be divided by."""
        terms = []
        for powers, bound in poly:
            labels = {label for label, _ in bound}
            terms.append({f: e for f, e in powers if labels.isdisjoint(self.indices(f))})
        found: dict[int, Exponent] = {}
        for fid in terms[0]:
            if self.factors[fid][:2] == ("fun", "step") or not self.generic(fid):
                continue
            exponents = [term.get(fid, 0) for term in terms]
            least, most = min(exponents), max(exponents)
            if least > 0 or most < 0:
                found[fid] = least if least > 0 else most
        return found

    def _two(self, poly: Poly) -> tuple[Poly, Poly] | None:
        """Split c T + c T exp(m) into c T and m, m with a positive leading number."""
        if len(poly) != 2:
            return None
        (first, a), (second, b) = sorted(poly.items())
        if a != b or first[1] or second[1]:
            return None
        exponents: dict[int, Exponent] = dict(second[0])
        for fid, e in first[0]:
            exponents[fid] = exponents.get(fid, 0) - e
        ratio: Poly = {}
        for fid, e in exponents.items():
            if e and self.factors[fid][:2] != ("fun", "exp"):
                return None
            if e:
                ratio = self.add(ratio, self.scale(e, self.polys[self.factors[fid].args[0]]))
        if self.leading(ratio) > 0:
            return {first: a}, ratio
        return {second: b}, self.scale(-1, ratio)

    def _inverse_of_two(self, poly: Poly) -> Poly | None:
        """Write 1/(T + T exp(m)) as (1 - tanh(m/2))/(2 T)."""
        found = self._two(poly)
        if found is None:
            return None
        term, ratio = found
        tanh = self.tanh(self.scale(HALF, ratio))
        below = self.scale(HALF, self.add(self.constant(1), self.scale(-1, tanh)))
        return self.multiply(self.inverse(term), below)

    def _in_tanh(self, poly: Poly) -> tuple[Poly, Fraction, int, int] | None:
        """Write a polynomial as c (1 + tanh z)^p (1 - tanh z)^q, and return z, c, p, q."""
        fids = {fid for powers, _ in poly for fid, _ in powers}
        if len(fids) != 1 or any(bound for _, bound in poly):
            return None
        (fid,) = fids
        if self.factors[fid][:2] != ("fun", "tanh"):
            return None
        degrees = {int(powers[0][1]) if powers else 0: c for (powers, _), c in poly.items()}
        if min(degrees) < 0:
            return None
        numbers = [degrees.get(k, Fraction(0)) for k in range(max(degrees) + 1)]
        counts = {-1: 0, 1: 0}
        for zero in counts:
            while len(numbers) > 1 and not sum(c * zero**k for k, c in enumerate(numbers)):
                numbers = _divided(numbers, zero)
                counts[zero] += 1
        if len(numbers) > 1:
            return None
        # The zero at 1 comes from tanh z - 1, the negative of 1 - tanh z.
        number = numbers[0] * (-1) ** counts[1]
        return self.polys[self.factors[fid].args[0]], number, counts[-1], counts[1]

    def _inverse_of_tanh(self, poly: Poly) -> Poly | None:
        """Write 1/(1 + tanh z) as (1 + exp(-2z))/2, and 1/(1 - tanh z) as (1 + exp(2z))/2."""
        found = self._in_tanh(poly)
        if found is None:
            return None
        z, number, plus, minus = found
        result = self.constant(1 / number)
        for count, sign in ((plus, -2), (minus, 2)):
            part = self.add(self.constant(1), self.exp(self.scale(sign, z)))
            result = self.multiply(result, self.power(self.scale(HALF, part), count))
        return result

    # ------------------------------------------------------------ functions

    def function(self, name: str, *args: Poly) -> Poly:
        """Apply a function by its name; what has no laws here stays as it is."""
        known = {
            "exp": self.exp,
            "log": self.log,
            "tanh": self.tanh,
            "step": self.step,
            "sin": lambda z: self._odd("sin", z),
            "erf": lambda z: self._odd("erf", z),
            "atan": lambda z: self._odd("atan", z),
            "asinh": lambda z: self._odd("asinh", z),
            "cos": self._cos,
        }.get(name)
        return known(*args) if known else self._opaque(name, *args)

    def _opaque(self, name: str, *args: Poly) -> Poly:
        return self.single(Factor("fun", name, (), tuple(map(self.frozen, args))))

    def _odd(self, name: str, z: Poly) -> Poly:
        if not z:
            return {}
        if self.leading(z) < 0:
            return self.scale(-1, self._opaque(name, self.scale(-1, z)))
        return self._opaque(name, z)

    def _cos(self, z: Poly) -> Poly:
        if not z:
            return self.constant(1)
        return self._opaque("cos", self.scale(-1, z) if self.leading(z) < 0 else z)

    def tanh(self, z: Poly) -> Poly:
        """Return the hyperbolic tangent."""
        return self._odd("tanh", z)

    def sigmoid(self, z: Poly) -> Poly:
        """Return the logistic function, (1 + tanh(z/2))/2."""
        return self.scale(HALF, self.add(self.constant(1), self.tanh(self.scale(HALF, z))))

    def exp(self, z: Poly) -> Poly:
        """Return the exponential: a product over the terms of its argument."""
        result = self.constant(1)
        for (powers, bound), number in z.items():
            result = self.multiply(result, self._exp_of_term(powers, bound, number))
        return result

    def _exp_of_term(self, powers: Any, bound: Any, number: Fraction) -> Poly:
        tags = [self.factors[fid][:2] for fid, _ in powers]
        steps = [k for k, tag in enumerate(tags) if tag == ("fun", "step")]
        if steps and not bound:
            # exp(m step(z)) = 1 + step(z) (exp(m) - 1)
            rest = (*powers[: steps[0]], *powers[steps[0] + 1 :])
            step = self.collected([(ONE, [powers[steps[0]]], {})])
            inner = self._exp_of_term(rest, bound, number)
            less = self.add(inner, self.constant(-1))
            return self.add(self.constant(1), self.multiply(step, less))
        if tags == [("fun", "log")] and powers[0][1] == 1 and not bound:
            return self.power(self.polys[self.factors[powers[0][0]].args[0]], number)
        kept = self.frozen({(powers, bound): ONE})
        return self.single(Factor("fun", "exp", (), (kept,)), number)

    def log(self, poly: Poly) -> Poly:
        """Return the logarithm."""
        if not poly:
            raise GiveUp("the logarithm of zero")
        if poly == self.constant(1):
            return {}
        if poly.keys() == {((), ())} and poly[((), ())] > 0:
            return self._log_of_number(poly[((), ())])
        exps = {f: e for f, e in self.common(poly).items() if self.is_exp(f)}
        if exps:
            outside: Poly = {}
            for fid, e in exps.items():
                outside = self.add(outside, self.scale(e, self.polys[self.factors[fid].args[0]]))
            back = self.exp(self.scale(-1, outside))
            return self.add(outside, self.log(self.multiply(back, poly)))
        special = self._log_of_tanh(poly)
        if special is not None:
            return special
        content = abs(self.leading(poly))
        if content != 1 and poly.keys() != {((), ())}:
            inner = self.log(self.scale(1 / content, poly))
            return self.add(self.log(self.constant(content)), inner)
        two = self._two(poly)
        if two is not None and two[0] != self.constant(1):
            back = self.inverse(two[0])
            return self.add(self.log(two[0]), self.log(self.multiply(back, poly)))
        return self._opaque("log", poly)

    def _log_of_number(self, number: Fraction) -> Poly:
        if max(number.numerator, number.denominator) > 10**9:
            raise GiveUp("the logarithm of a long number")
        result: Poly = {}
        for part, sign in ((number.numerator, 1), (number.denominator, -1)):
            for prime, count in sp.factorint(part).items():
                inner = self._opaque("log", self.constant(int(prime)))
                result = self.add(result, self.scale(sign * int(count), inner))
        return {} if number == 1 else result

    def _log_of_tanh(self, poly: Poly) -> Poly | None:
        found = self._in_tanh(poly)
        if found is None or found[1] <= 0:
            return None
        z, number, plus, minus = found
        result = self.log(self.constant(number))
        for count, sign in ((plus, -2), (minus, 2)):
            part = self.add(self.constant(1), self.exp(self.scale(sign, z)))
            inner = self.add(self.log(self.constant(2)), self.scale(-1, self.log(part)))
            result = self.add(result, self.scale(count, inner))
        return result

    def step(self, z: Poly) -> Poly:
        """Return one where z > 0, else zero."""
        if not z:
            return {}
        if z.keys() == {((), ())}:
            return self.constant(int(z[((), ())] > 0))
        steps = self._common_steps(z)
        if steps is not None:
            fid, rest = steps
            return self.multiply(self.collected([(ONE, [(fid, 1)], {})]), self.step(rest))
        positive = {f: -e for f, e in self.common(z).items() if self.is_positive(f)}
        if positive:
            z = self.multiply(z, self.collected([(ONE, positive.items(), {})]))
        number = self.leading(z)
        if z.keys() == {((), ())}:
            return self.constant(int(number > 0))
        if number > 0 or not self.nonzero(z):
            return self._opaque("step", self.scale(1 / abs(number), z))
        return self.add(self.constant(1), self.scale(-1, self.step(self.scale(-1, z))))

    def is_positive(self, fid: int) -> bool:
        """Tell whether a factor is positive."""
        tag, name, *_ = self.factors[fid]
        return self.is_exp(fid) or (tag == "sym" and name in self.positive)

    def _common_steps(self, z: Poly) -> tuple[int, Poly] | None:
        """Split a step that all terms have off: step(s z) = s step(z)."""
        shared: set[int] | None = None
        for powers, bound in z:
            labels = {label for label, _ in bound}
            steps = {
                f
                for f, _ in powers
                if self.factors[f][:2] == ("fun", "step") and labels.isdisjoint(self.indices(f))
            }
            shared = steps if shared is None else shared & steps
        if not shared:
            return None
        fid = min(shared)
        raw: Iterable[Raw] = [
            (number, [(f, e) for f, e in powers if f != fid], dict(bound))
            for (powers, bound), number in z.items()
        ]
        return fid, self.collected(raw)

    # ------------------------------------------------------------ matrices

    def delta(self, first: int, second: int, size: int) -> Poly:
        """Return an entry of the identity."""
        return self.single(Factor("delta", str(size), tuple(sorted((first, second)))))

    def _scaled(self, poly: Poly) -> tuple[Fraction, Poly, bool]:
        """Split a matrix into a number and the lesser of the rest and its transpose."""
        number = self.leading(poly)
        rest = self.scale(1 / number, poly)
        turned = self.relabelled_poly(rest, {ROW: COLUMN, COLUMN: ROW})
        if self.frozen(turned) < self.frozen(rest):
            return number, turned, True
        return number, rest, False

    def inverse_entry(self, poly: Poly, size: int, row: int = ROW, column: int = COLUMN) -> Poly:
        """Return an entry of the inverse of a matrix, given as its entry (ROW, COLUMN)."""
        if not poly or not self.free(poly) <= {ROW, COLUMN}:
            raise GiveUp("the inverse of a matrix with other indices")
        if self.polys[size] == self.constant(1):
            return self.inverse(poly)
        number, rest, turned = self._scaled(poly)
        pid = self.frozen(rest)
        same = pid == self.frozen(self.relabelled_poly(rest, {ROW: COLUMN, COLUMN: ROW}))
        places = (column, row) if turned else (row, column)
        places = (min(places), max(places)) if same else places
        name = f"{pid}:{size}{'=' if same else ''}"
        return self.scale(1 / number, self.single(Factor("inv", name, places)))

    def det(self, poly: Poly, size: int) -> Poly:
        """Return the determinant of a matrix, given as its entry (ROW, COLUMN)."""
        if not poly or not self.free(poly) <= {ROW, COLUMN}:
            raise GiveUp("the determinant of a matrix with other indices")
        if self.polys[size] == self.constant(1):
            return poly
        turned = self.relabelled_poly(poly, {ROW: COLUMN, COLUMN: ROW})
        pid = min(self.frozen(poly), self.frozen(turned))
        return self.single(Factor("det", f"{pid}:{size}"))


def _divided(numbers: list[Fraction], zero: int) -> list[Fraction]:
    """Divide a polynomial by (t - zero), which divides it; the numbers are from degree 0 on."""
    quotient: list[Fraction] = []
    carry = Fraction(0)
    for number in reversed(numbers[1:]):
        carry = number + zero * carry
        quotient.append(carry)
    return quotient[::-1]
