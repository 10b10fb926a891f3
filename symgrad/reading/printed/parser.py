"""What is printed, as a tree of parts: walked over once, from left to right."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import sympy as sp

from symgrad import functions
from symgrad.algebra import transpose
from symgrad.errors import ParseError

#: Functions by what is printed: of one scalar, taken of every entry of a matrix.
FUNCTIONS: dict[str, Callable[[Any], Any]] = {
    **{entry.latex: entry.apply for entry in functions.FUNCTIONS.values()},
    **{
        rf"\{name}": getattr(sp, name)
        for name in ("sin", "cos", "tan", "sinh", "cosh", "exp", "log")
    },
    r"\arcsin": sp.asin,
    r"\arccos": sp.acos,
    r"\operatorname{sign}": sp.sign,
    r"\operatorname{artanh}": sp.atanh,
    r"\operatorname{arsinh}": sp.asinh,
}
#: Their derivatives, as f'(z).
SLOPES = {entry.latex: entry.derivative for entry in functions.FUNCTIONS.values()}
_COMMAND = re.compile(r"\\[A-Za-z]+|\\.")
_ROOM = re.compile(r"(?:\s|\\,|\\cdot(?![A-Za-z])|\{\})*")
_NUMBER = re.compile(r"\d+(?:\.\d+)?")
_OPERATOR = re.compile(r"\\operatorname\{[a-zA-Z]+\}(?:_\{\\[a-z]+\})?|\(\\log\\[a-z]+\)")


@dataclass(frozen=True)
class Part:
    """A part of a formula: its kind, the parts below, and a value."""

    kind: str
    below: tuple[Any, ...] = ()
    value: Any = None


class Parser:
    """Walk over the characters of a formula."""

    def __init__(self, text: str, names: Mapping[str, Any]) -> None:
        self.text, self.at = text, 0
        self.names = sorted(names.items(), key=lambda pair: -len(pair[0]))
        for name, value in list(self.names):
            if name.endswith(")}") and "^{(" in name and getattr(value, "is_Matrix", False):
                self.names.insert(0, (rf"{name[:-1]}\top}}", transpose(value)))

    def _error(self, message: str) -> ParseError:
        return ParseError(f"{message}, at {self.text[self.at : self.at + 40]!r} in {self.text!r}")

    def _skip(self) -> None:
        """Go over blanks, and over what only makes room."""
        found = _ROOM.match(self.text, self.at)
        self.at = found.end() if found else self.at

    def _has(self, *texts: str) -> str:
        """Go over one of these texts if it comes next."""
        self._skip()
        for text in texts:
            after = self.text[self.at + len(text) : self.at + len(text) + 1]
            whole = not (text[-1:].isalpha() and text.startswith("\\") and after.isalpha())
            if self.text.startswith(text, self.at) and whole:
                self.at += len(text)
                return text
        return ""

    def _expect(self, text: str) -> None:
        if not self._has(text):
            raise self._error(f"expected `{text}`")

    def _sees(self, *texts: str) -> bool:
        place = self.at
        found = bool(self._has(*texts))
        self.at = place
        return found

    def parse(self) -> Part:
        """Read the whole text."""
        found = self._sum()
        self._skip()
        if self.at < len(self.text):
            raise self._error("expected the end")
        return found

    def _sum(self) -> Part:
        terms = [self._signed()]
        while self._sees("+", "-"):
            terms.append(self._signed())
        return terms[0] if len(terms) == 1 else Part("add", tuple(terms))

    def _signed(self) -> Part:
        sign = self._has("+", "-")
        term = self._entrywise()
        return Part("mul", (Part("number", value=sp.S.NegativeOne), term)) if sign == "-" else term

    def _entrywise(self) -> Part:
        value = self._product()
        while sign := self._has(r"\odot", r"\oslash"):
            other = self._product()
            if sign == r"\oslash":
                other = Part("power", (other,), sp.S.NegativeOne)
            value = Part("entries", (value, other))
        return value

    def _product(self) -> Part:
        factors = [self._factor()]
        while not self._ends():
            factors.append(self._factor())
        return factors[0] if len(factors) == 1 else Part("mul", tuple(factors))

    def _ends(self) -> bool:
        self._skip()
        closing = ("+", "-", ")", "]", "}", ",", "=", ">", "<", "&")
        more = (r"\odot", r"\oslash", r"\right", r"\rVert", r"\rvert")
        return self.at >= len(self.text) or self._sees(*closing, *more)

    def _factor(self) -> Part:
        value = self._atom()
        while self._has("^"):
            value = self._raised(value)
        return value

    def _raised(self, base: Part) -> Part:
        if not self._has("{"):
            digits = self._digits()
            return Part("power" if base.kind != "matrix" else "matpow", (base,), digits)
        if self._has(r"-\top"):
            self._expect("}")
            return Part("inverse", (Part("transpose", (base,)),))
        if self._has(r"\top"):
            self._expect("}")
            return Part("transpose", (base,))
        entries = bool(self._has(r"\odot"))
        exponent = self._sum()
        self._expect("}")
        return Part("entrypower" if entries else "power", (base, exponent))

    def _digits(self) -> Any:
        self._skip()
        found = _NUMBER.match(self.text, self.at)
        if found is None:
            raise self._error("expected a number")
        self.at = found.end()
        return sp.Rational(found.group())

    def _atom(self) -> Part:
        self._skip()
        for name, value in self.names:
            if self._is_here(name):
                self.at += len(name)
                return Part(
                    "matrix" if getattr(value, "is_Matrix", False) else "scalar", value=value
                )
        if _NUMBER.match(self.text, self.at):
            return Part("number", value=self._digits())
        if self._has(r"\mathbf{1}"):
            return Part("ones")
        if self._has(r"\mathbf{0}"):
            return Part("zeros")
        if self._has("I"):
            return Part("identity")
        if self._has(r"\pi"):
            return Part("number", value=sp.pi)
        if self._has(r"\frac", r"\tfrac"):
            over, under = self._group(), self._group()
            return Part("mul", (over, Part("power", (under,), sp.S.NegativeOne)))
        if self._has(r"\sqrt"):
            return Part("power", (self._group(),), sp.Rational(1, 2))
        if self._has(r"\left\lVert"):
            return self._norm()
        if self._has(r"\log\left\lvert \det"):
            inner = self._bracketed() if self._sees(r"\left(", "(") else self._factor()
            self._expect(r"\right\rvert")
            return Part("logdet", (inner,))
        if self._has(r"\left\lvert"):
            inner = self._sum()
            self._expect(r"\right\rvert")
            return Part("function", (inner,), sp.Abs)
        if self._has(r"\operatorname{tr}"):
            return Part("trace", (self._bracketed(),))
        if self._has(r"\det"):
            return Part("det", (self._bracketed() if self._sees(r"\left(", "(") else self._atom(),))
        if self._has(r"\operatorname{softmax}"):
            return Part("softmax", (self._bracketed(),))
        if self._has("e^{"):
            inner = self._sum()
            self._expect("}")
            return Part("function", (inner,), sp.exp)
        if self._has(r"\max", r"\min"):
            return self._extreme()
        if self._sees("["):
            return self._condition()
        return self._function() or self._brackets()

    def _is_here(self, name: str) -> bool:
        if not self.text.startswith(name, self.at):
            return False
        after = self.text[self.at + len(name) :]
        command = re.search(r"\\[A-Za-z]+$", name)
        return not (command and after[:1].isalpha()) and not after.startswith("_")

    def _group(self) -> Part:
        self._expect("{")
        found = self._sum()
        self._expect("}")
        return found

    def _bracketed(self) -> Part:
        left = self._has(r"\left(", "(")
        if not left:
            raise self._error("expected a bracket")
        found = self._sum()
        self._expect(r"\right)" if left == r"\left(" else ")")
        return found

    def _brackets(self) -> Part:
        if not self._sees(r"\left(", "("):
            raise self._error("this is not read")
        return Part("group", (self._bracketed(),))

    def _norm(self) -> Part:
        inner = self._sum()
        self._expect(r"\right\rVert")
        self._has("_F")
        exponent = sp.S.One
        if self._has("^{"):
            exponent = self._digits()
            self._expect("}")
        elif self._has("^"):
            exponent = self._digits()
        return Part("norm", (inner,), exponent)

    def _extreme(self) -> Part:
        kind = sp.Max if self.text[self.at - 4 : self.at] == r"\max" else sp.Min
        left = self._has(r"\left(", "(")
        parts = [self._sum()]
        while self._has(","):
            parts.append(self._sum())
        self._expect(r"\right)" if left == r"\left(" else ")")
        return Part("function", tuple(parts), kind)

    def _condition(self) -> Part:
        self._expect("[")
        left = self._sum()
        sign = self._has(">", "<")
        if not sign:
            raise self._error("expected a comparison")
        right = self._sum()
        self._expect("]")
        pair = (left, right) if sign == ">" else (right, left)
        minus = Part("mul", (Part("number", value=sp.S.NegativeOne), pair[1]))
        return Part("function", (Part("add", (pair[0], minus)),), functions.step)

    def _function(self) -> Part | None:
        """Read f(x), f'(x), f^{2}(x)."""
        named = _OPERATOR.match(self.text, self.at) or _COMMAND.match(self.text, self.at)
        name = named.group() if named else ""
        if name not in FUNCTIONS:
            return None
        self.at += len(name)
        apply = FUNCTIONS[name]
        if self.text.startswith("'", self.at):
            self.at += 1
            apply = SLOPES[name]
        power = None
        if self._has("^{"):
            entries = bool(self._has(r"\odot"))
            power = ("entrypower" if entries else "power", self._sum())
            self._expect("}")
        value = Part("function", (self._bracketed(),), apply)
        return Part(power[0], (value, power[1])) if power else value
