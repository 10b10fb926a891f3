"""Straight-line code of scalars printed as text, in Python or another language.

Python's own floats and `math` cost some 20 ns an operation, a NumPy call 300 ns and more, so
that up to some hundred parameters this is the fastest form for one sample. Where `math` raises
(an overflow, a logarithm of 0), the caller computes with NumPy instead, which gives inf and nan.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from symgrad.backends.source import identifiers
from symgrad.tape.scalars import Scalar, Straight

#: What Python's math raises where NumPy returns inf or nan.
OUTSIDE = (OverflowError, ZeroDivisionError, ValueError)

# How tightly a text holds together, from loosest to tightest.
_TEST, _SUM, _PRODUCT, _SIGN, ATOM = range(5)
#: An expression is not nested deeper than this: compilers recurse.
DEEPEST = 40

#: The text of an operation in most languages: its level, the levels that its arguments need.
COMMON: dict[str, tuple[str, int, tuple[int, ...]]] = {
    "add": ("{0} + {1}", _SUM, (_SUM, _PRODUCT)),
    "subtract": ("{0} - {1}", _SUM, (_SUM, _PRODUCT)),
    "multiply": ("{0}*{1}", _PRODUCT, (_PRODUCT, _SIGN)),
    "divide": ("{0}/{1}", _PRODUCT, (_PRODUCT, _SIGN)),
    "negative": ("-{0}", _SIGN, (ATOM,)),
    "greater": ("{0} > {1}", _TEST, (_SUM, _SUM)),
    "greater_equal": ("{0} >= {1}", _TEST, (_SUM, _SUM)),
    "equal": ("{0} == {1}", _TEST, (_SUM, _SUM)),
}


@dataclass(frozen=True)
class Language:
    """How a language writes straight-line code.

    Attributes:
        texts: The text of operations, their level, and the levels that their arguments need.
        twice: Texts that have an argument more than once: it is computed before.
        calls: The name of a function for an operation.
        statement: A statement that names a value.
        number: The text of a number.
        end: What ends a statement.
    """

    texts: Mapping[str, tuple[str, int, tuple[int, ...]]]
    twice: Mapping[str, tuple[str, int]]
    calls: Callable[[str], str]
    statement: Callable[[str, str], str]
    number: Callable[[float], str]
    end: str = ""


def number_text(value: float) -> str:
    """Write a number in double precision."""
    if math.isfinite(value):
        return repr(float(value))
    return "nan" if value != value else ("inf" if value > 0 else "-inf")


_MATH = {
    **{"arcsin": "asin", "arccos": "acos", "arctan": "atan", "abs": "fabs", "power": "pow"},
    **{"arcsinh": "asinh", "arccosh": "acosh", "arctanh": "atanh"},
}

PYTHON = Language(
    texts={
        **COMMON,
        "reciprocal": ("1.0/{0}", _PRODUCT, (_SIGN,)),
        "and": ("({0} and {1})", ATOM, (ATOM, ATOM)),
        "or": ("({0} or {1})", ATOM, (ATOM, ATOM)),
        "not": ("(not {0})", ATOM, (ATOM,)),
        "where": ("({1} if {0} else {2})", ATOM, (_TEST, _TEST, _TEST)),
        "sigmoid": ("1.0/(1.0 + exp(-{0}))", _PRODUCT, (ATOM,)),
        "floor": ("float(floor({0}))", ATOM, (_TEST,)),
        "ceil": ("float(ceil({0}))", ATOM, (_TEST,)),
    },
    twice={
        "square": ("{0}*{0}", _PRODUCT),
        "maximum": ("({0} if {0} >= {1} or {0} != {0} else {1})", ATOM),
        "minimum": ("({0} if {0} <= {1} or {0} != {0} else {1})", ATOM),
        "sign": ("(1.0 if {0} > 0.0 else -1.0 if {0} < 0.0 else {0})", ATOM),
        "step": ("(1.0 if {0} > 0.0 else 0.0 if {0} <= 0.0 else {0})", ATOM),
        "softplus": ("(({0} if {0} > 0.0 else 0.0) + log1p(exp(-fabs({0}))))", ATOM),
    },
    calls=lambda kind: _MATH.get(kind, kind),
    statement=lambda name, text: f"{name} = {text}",
    number=number_text,
)


@dataclass
class Printer:
    """Prints straight-line code.

    Attributes:
        straight: The code.
        names: The name of every input's entry, by (name, row, column).
        language: How it is written.
        watched: Names of which `mentions` is kept.
        mentions: The watched names that stand in the text of each place.
        kinds: The operations that were printed.
        prefix: What names of intermediate values begin with.
    """

    straight: Straight
    names: Mapping[Any, str]
    language: Language
    watched: frozenset[str] = frozenset()
    prefix: str = "t"
    mentions: list[frozenset[str]] = field(default_factory=list)
    kinds: dict[str, None] = field(default_factory=dict)
    _texts: list[tuple[str, int]] = field(default_factory=list)
    _depths: list[int] = field(default_factory=list)

    def _uses(self) -> list[int]:
        ops = self.straight.ops
        uses = [0] * len(ops)
        for op in ops:
            for arg in op.args:
                uses[arg] += 2 if op.kind in self.language.twice else 1
        for _, table in self.straight.outputs.values():
            for row in table:
                for entry in row:
                    uses[entry] += 1
        return uses

    def statements(self) -> list[str]:
        """Print every operation; what is read once stands where it is read."""
        lines = []
        uses = self._uses()
        nothing: frozenset[str] = frozenset()
        for place, op in enumerate(self.straight.ops):
            text, level, depth = self._text(op)
            if op.kind in ("input", "number"):
                found = self.watched & {text} if self.watched else nothing
            elif uses[place] > 1 or depth > DEEPEST:
                lines.append(self.language.statement(f"{self.prefix}{place}", text))
                text, level, depth, found = f"{self.prefix}{place}", ATOM, 0, nothing
            elif self.watched:
                found = nothing.union(*(self.mentions[arg] for arg in op.args))
            else:
                found = nothing
            self.mentions.append(found)
            self._texts.append((text, level))
            self._depths.append(depth)
        return lines

    def _text(self, op: Scalar) -> tuple[str, int, int]:
        if op.kind == "input":
            return self.names[op.data], ATOM, 0
        language = self.language
        if op.kind == "number":
            return language.number(op.data), ATOM if op.data >= 0 else _SIGN, 0
        self.kinds[op.kind] = None
        depth = 1 + max([self._depths[arg] for arg in op.args])
        if op.kind in language.twice:
            text, level = language.twice[op.kind]
            return text.format(*(self.within(arg, ATOM) for arg in op.args)), level, depth
        known = language.texts.get(op.kind)
        if known is not None:
            text, level, levels = known
            args = [self.within(arg, need) for arg, need in zip(op.args, levels, strict=True)]
            return text.format(*args), level, depth
        inner = ", ".join(self.within(arg, _TEST) for arg in op.args)
        return f"{language.calls(op.kind)}({inner})", ATOM, depth

    def within(self, place: int, level: int) -> str:
        """Return the text of a place, in parentheses where it holds less tightly."""
        text, own = self._texts[place]
        return text if own >= level else f"({text})"

    def result(self, place: int, factor: float = 1.0) -> str:
        """Return the text of a result, with its factor."""
        if factor == 1.0:
            return self.within(place, _TEST)
        return f"{self.language.number(factor)}*{self.within(place, _SIGN)}"


def namespace(printer: Printer) -> dict[str, Any]:
    """Return the functions of Python's that printed statements call."""
    found: dict[str, Any] = {"inf": math.inf, "nan": math.nan}
    needs = {"sigmoid": ("exp",), "softplus": ("log1p", "exp", "abs")}
    for kind in printer.kinds:
        for name in needs.get(kind, (kind,)):
            name = _MATH.get(name, name)
            if hasattr(math, name):
                found[name] = getattr(math, name)
    return found


def entry_names(shapes: Mapping[str, tuple[int, int]], order: Iterable[str]) -> dict[Any, str]:
    """Name the entries of inputs: W1_0_2 is the entry of W1 in row 0 and column 2."""
    chosen = identifiers(order)
    return {
        (name, i, j): f"{chosen[name]}_{i}_{j}"
        for name in chosen
        for i in range(shapes[name][0])
        for j in range(shapes[name][1])
    }


def unpacking(names: Sequence[str], source: str) -> str:
    """Return a statement of Python that takes a sequence apart."""
    comma = "," if len(names) == 1 else ""
    return f"{', '.join(names)}{comma} = {source}"
