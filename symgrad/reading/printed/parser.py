r"""What is printed, as a tree of parts: walked over once, from left to right.

Signs bind as they are printed: a power first, then products, then \otimes and \ast, \odot and
\oslash, then + and -. Where the printer sets brackets, because a reader might take it otherwise,
they are asked for.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

import sympy as sp

from symgrad.reading.printed.names import Named, Names
from symgrad.reading.printed.operators import CONVOLUTION, KRONECKER, OF_ONE, PSEUDO_INVERSE
from symgrad.reading.printed.parts import Part
from symgrad.reading.printed.signs import CONSTANTS, longest_first
from symgrad.reading.printed.special import ALONG, Special

_NUMBER = re.compile(r"\d+(?:\.\d+)?")
#: What ends a product.
_END = re.compile(
    r"[-+)\]},=<>&:]|\\\\|"
    r"\\(?:odot|oslash|otimes|ast|right|end|text|wedge|vee|veebar|geq|leq|neq|times|ldots)"
    r"(?![A-Za-z])"
)
#: The mark of a layer, which is no exponent.
_LAYER = re.compile(r"[(\[]\d+[)\]](?:\\top)?\}")
_INFIX = {r"\otimes": KRONECKER, r"\ast": CONVOLUTION}


class Parser(Special):
    """Walk over the characters of a formula.

    Args:
        text: What was printed.
        names: What names stand for, by how they are printed.
    """

    def __init__(self, text: str, names: Mapping[str, Any]) -> None:
        super().__init__(text)
        self.names = Names(names)
        self.letters = {}

    def parse(self) -> Part:
        """Read the whole text.

        Raises:
            ParseError: It is not of the language.
        """
        try:
            return self.inside(self.end, self.sum)
        except RecursionError:
            raise self.error("this is nested too deeply", 0) from None

    def sum(self) -> Part:
        """Read a sum."""
        self.skip()
        start = self.at
        with self.deeper():
            terms = [self._signed()]
            while self.sees("+", "-"):
                terms.append(self._signed())
        return terms[0] if len(terms) == 1 else self.part("add", *terms, start=start)

    def _signed(self) -> Part:
        self.skip()
        start = self.at
        sign = self.has("+", "-")
        term = self._entrywise()
        if sign != "-":
            return term
        minus = self.part("number", value=sp.S.NegativeOne, start=start)
        return self.part("mul", minus, term, start=start)

    def _entrywise(self) -> Part:
        start = self.at
        factors = [self.term()]
        infix = self.has(*_INFIX)
        if infix:
            value = self.part(
                "operator", *factors, self._factor(), value=_INFIX[infix], start=start
            )
            if not self._ends() or self.sees(*_INFIX, r"\odot", r"\oslash"):
                raise self.error(f"a product beside `{infix}` needs brackets")
            return value
        while self.has(r"\odot"):
            factors.append(self.term())
        value = factors[0]
        if len(factors) > 1:
            value = self.part("entries", *factors, start=start)
        if not self.has(r"\oslash"):
            return value
        below = self.term()
        if self.sees(r"\odot", r"\oslash", *_INFIX):
            raise self.error(r"a product behind `\oslash` needs brackets")
        return self.part("quotient", value, below, start=start)

    def term(self) -> Part:
        """Read a product, up to the next sign."""
        self.skip()
        start = self.at
        factors = [self._factor()]
        before = self.at
        while not self._ends():
            gap = self.text[before - 1 : self.at + 1]
            if gap[0].isdecimal() and gap[-1].isdecimal() and r"\cdot" not in gap:
                raise self.error("two numbers without a sign between them")
            factors.append(self._factor())
            before = self.at
        return factors[0] if len(factors) == 1 else self.part("mul", *factors, start=start)

    def _ends(self) -> bool:
        self.skip()
        return self.at >= self.end or _END.match(self.text, self.at, self.end) is not None

    # -------------------------------------------------------------------- factors

    def _factor(self) -> Part:
        self.skip()
        start = self.at
        value = self.subscripted(self._atom(), start)
        return self._raised(value, start) if self.next_is("^") else value

    def _raised(self, base: Part, start: int) -> Part:
        self.at += 1
        self.expect("{")
        if _LAYER.match(self.text, self.at, self.end):
            raise self.error("no name has this mark of a layer", start)
        if self.has("+}"):
            return self.part("operator", base, value=PSEUDO_INVERSE, start=start)
        inverse, transposed = self.has(r"-\top}"), self.has(r"\top}")
        if inverse or transposed:
            found = self.part("transpose", base, start=start)
            return self.part("inverse", found, start=start) if inverse else found
        entries = bool(self.has(r"\odot"))
        exponent = self.sum()
        self.expect("}")
        if entries:
            return self.part("function", base, exponent, value=sp.Pow, start=start)
        return self.part("power", base, exponent, start=start)

    def _atom(self) -> Part:
        start = self.at
        found = self._named() or self._number()
        if found is not None:
            return found
        sign = self.find(_SIGN)
        if sign:
            return _ATOMS[sign](self, start)
        return self.read_function() or self._brackets()

    def _number(self) -> Part | None:
        start, digits = self.at, self.find(_NUMBER)
        return self.part("number", value=sp.Rational(digits), start=start) if digits else None

    def _named(self) -> Part | None:
        """Read a letter that is bound here, or else the longest name."""
        start = self.at
        found = self.names.at(self.text, start, self.end)
        letter = max(filter(self.next_is, self.letters), key=len, default="")
        if letter and (found is None or len(letter) >= len(found.text)):
            self.at += len(letter)
            return self.part("number", value=self.letters[letter], start=start)
        if found is None:
            return None
        self._require_clear(found)
        self.at += len(found.text)
        return self.part("name", value=found.value, start=start)

    def _require_clear(self, found: Named) -> None:
        """Raise where a name could be taken for something else."""
        after = self.at + len(found.text)
        if self.text.startswith(("(", "'", r"\left("), after):
            # A product is printed with room; a function's sign is no name beside it.
            raise self.error("this may be a product or the value of a function")

    def known(self) -> set[str]:
        """Return the letters and names that mean something already."""
        return {*self.letters, *self.names.known}

    def _group(self) -> Part:
        self.expect("{")
        found = self.sum()
        self.expect("}")
        return found

    def _brackets(self) -> Part:
        start = self.at
        if not self.sees(r"\left(", "("):
            raise self.error("this is not read")
        return self.read_blocks(start) or self.part("group", self.bracketed(), start=start)

    # ---------------------------------------------------------------- single signs

    def _fraction(self, start: int) -> Part:
        over, under = self._group(), self._group()
        return self.part("mul", over, self.part("reciprocal", under, start=start), start=start)

    def _exponential(self, start: int) -> Part:
        inner = self.sum()
        self.expect("}")
        return self.part("exponential", inner, start=start)

    def _unit(self, start: int) -> Part:
        index = self._integer()
        self.expect("}")
        return self.part("unit", value=index, start=start)

    def _log_determinant(self, start: int) -> Part:
        inner = self._factor()
        self.expect(r"\right\rvert")
        return self.part("logdet", inner, start=start)


_Read = Callable[[Parser, int], Part]


def _leaf(kind: str) -> _Read:
    return lambda parser, start: parser.part(kind, start=start)


def _of_one(kind: str) -> _Read:
    return lambda parser, start: parser.part(kind, parser.bracketed(), start=start)


_ATOMS: dict[str, _Read] = {
    r"\mathbf{1}": _leaf("ones"),
    r"\mathbf{0}": _leaf("zeros"),
    "I": _leaf("identity"),
    r"\mathbf{e}_{": Parser._unit,
    r"\frac": Parser._fraction,
    r"\tfrac": Parser._fraction,
    r"\sqrt": lambda parser, start: parser.part("root", parser._group(), start=start),
    "e^{": Parser._exponential,
    r"\operatorname{expm}": _of_one("exponential"),
    r"\mathrm{D}": Parser.read_slope,
    r"\operatorname{tr}": _of_one("trace"),
    r"\det": _of_one("det"),
    r"\log\left\lvert \det": Parser._log_determinant,
    r"\operatorname{softmax}": _of_one("softmax"),
    r"\psi": Parser.read_polygamma,
    r"\left\lVert": Parser.read_norm,
    r"\left\lvert": lambda p, start: p.read_enclosed(r"\right\rvert", sp.Abs, start),
    r"\left\lfloor": lambda p, start: p.read_enclosed(r"\right\rfloor", sp.floor, start),
    r"\left\lceil": lambda p, start: p.read_enclosed(r"\right\rceil", sp.ceiling, start),
    r"\sum_{": lambda parser, start: parser.read_sum("sum", start),
    r"\prod": Parser.read_product,
    r"\max": lambda parser, start: parser.read_extreme(1, start),
    r"\min": lambda parser, start: parser.read_extreme(-1, start),
    r"\operatorname{tril}": lambda parser, start: parser.read_triangle(True, start),
    r"\operatorname{triu}": lambda parser, start: parser.read_triangle(False, start),
    r"\operatorname{reshape}": Parser.read_reshape,
    r"\begin{cases}": Parser.read_cases,
    r"\begin{bmatrix}": Parser.read_stack,
    r"\left[": Parser.read_square,
    "[": Parser.read_bracket,
}


def _operation(sign: str) -> _Read:
    return lambda parser, start: parser.read_operation(sign, start)


def _along(head: Any) -> _Read:
    return lambda parser, start: parser.read_along(head, start)


def _number(value: Any) -> _Read:
    return lambda parser, start: parser.part("number", value=value, start=start)


_ATOMS.update({sign: _operation(sign) for sign in OF_ONE})
_ATOMS.update({sign: _along(head) for sign, head in ALONG.items()})
_ATOMS.update({sign: _number(value) for sign, value in CONSTANTS.items()})
_SIGN = longest_first(_ATOMS)
