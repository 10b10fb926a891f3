r"""Formulas read back from the LaTeX that symgrad prints: that language, and no other.

The names are known, so that `\frac{\partial L}{\partial W}` is read as one of them and not as a
quotient. The sizes of ones and identities are not printed; they follow from what stands beside
them. What is not read is an error with its place, never a guess.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import sympy as sp

from symgrad import functions
from symgrad.algebra import (
    add,
    broadcast,
    elementwise,
    hadamard,
    multiply,
    scale,
    softmax,
    transpose,
)
from symgrad.errors import ParseError
from symgrad.matrices import Broadcast, SumEntries
from symgrad.operations.linear import LogDeterminant
from symgrad.shapes import Shape, same_size, shape_of

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


@dataclass
class _Sizes:
    """Sizes that are not printed, and what they turned out to be."""

    known: dict[Any, Any] = field(default_factory=dict)

    def fresh(self) -> Any:
        return sp.Dummy("size", integer=True, positive=True)

    def of(self, size: Any) -> Any:
        while size in self.known:
            size = self.known[size]
        return size

    def equate(self, first: Any, second: Any) -> None:
        first, second = self.of(first), self.of(second)
        if isinstance(first, sp.Dummy):
            if first != second:
                self.known[first] = second
        elif isinstance(second, sp.Dummy):
            self.known[second] = first
        elif not same_size(first, second):
            raise ParseError(f"sizes {first} and {second} do not fit")


def read(latex: str, names: Mapping[str, Any], shape: Shape) -> Any:
    r"""Read a printed formula.

    Args:
        latex: What symgrad printed.
        names: Symbols, or expressions, by how they are printed.
        shape: The shape that the value has: `()` or `(rows, columns)`.

    Raises:
        ParseError: It is not of the language, or shapes do not fit.

    >>> x = sp.MatrixSymbol("x", 3, 1)
    >>> read(r"\frac{1}{2} x^{\top}", {"x": x}, (1, 3))
    (1/2)*x.T
    """
    reader = _Reader(latex, names)
    part = reader.whole()
    sizes = _Sizes()
    shapes: dict[int, Shape] = {}
    found = _shape(part, sizes, shapes)
    if found and shape:
        for own, wanted in zip(found, shape, strict=True):
            sizes.equate(own, wanted)
    elif not found and shape:
        return broadcast(_built(part, sizes, shapes), *shape)
    elif found:
        for own in found:
            sizes.equate(own, sp.S.One)
    value = _built(part, sizes, shapes)
    return sp.Trace(value) if value.is_Matrix and not shape else value


class _Reader:
    """Walk over the characters of a formula."""

    def __init__(self, text: str, names: Mapping[str, Any]) -> None:
        self.text, self.at = text, 0
        self.names = sorted(names.items(), key=lambda pair: -len(pair[0]))
        for name, value in list(self.names):
            if name.endswith(")}") and "^{(" in name and getattr(value, "is_Matrix", False):
                self.names.insert(0, (rf"{name[:-1]}\top}}", transpose(value)))

    def error(self, message: str) -> ParseError:
        return ParseError(f"{message}, at {self.text[self.at : self.at + 40]!r} in {self.text!r}")

    def skip(self) -> None:
        """Go over blanks, and over what only makes room."""
        found = _ROOM.match(self.text, self.at)
        self.at = found.end() if found else self.at

    def has(self, *texts: str) -> str:
        """Go over one of these texts if it comes next."""
        self.skip()
        for text in texts:
            after = self.text[self.at + len(text) : self.at + len(text) + 1]
            whole = not (text[-1:].isalpha() and text.startswith("\\") and after.isalpha())
            if self.text.startswith(text, self.at) and whole:
                self.at += len(text)
                return text
        return ""

    def expect(self, text: str) -> None:
        if not self.has(text):
            raise self.error(f"expected `{text}`")

    def sees(self, *texts: str) -> bool:
        place = self.at
        found = bool(self.has(*texts))
        self.at = place
        return found

    def whole(self) -> Part:
        found = self.sum()
        self.skip()
        if self.at < len(self.text):
            raise self.error("expected the end")
        return found

    def sum(self) -> Part:
        terms = [self.signed()]
        while self.sees("+", "-"):
            terms.append(self.signed())
        return terms[0] if len(terms) == 1 else Part("add", tuple(terms))

    def signed(self) -> Part:
        sign = self.has("+", "-")
        term = self.entrywise()
        return Part("mul", (Part("number", value=sp.S.NegativeOne), term)) if sign == "-" else term

    def entrywise(self) -> Part:
        value = self.product()
        while sign := self.has(r"\odot", r"\oslash"):
            other = self.product()
            if sign == r"\oslash":
                other = Part("power", (other,), sp.S.NegativeOne)
            value = Part("entries", (value, other))
        return value

    def product(self) -> Part:
        factors = [self.factor()]
        while not self.ends():
            factors.append(self.factor())
        return factors[0] if len(factors) == 1 else Part("mul", tuple(factors))

    def ends(self) -> bool:
        self.skip()
        closing = ("+", "-", ")", "]", "}", ",", "=", ">", "<", "&")
        more = (r"\odot", r"\oslash", r"\right", r"\rVert", r"\rvert")
        return self.at >= len(self.text) or self.sees(*closing, *more)

    def factor(self) -> Part:
        value = self.atom()
        while self.has("^"):
            value = self.raised(value)
        return value

    def raised(self, base: Part) -> Part:
        if not self.has("{"):
            digits = self.digits()
            return Part("power" if base.kind != "matrix" else "matpow", (base,), digits)
        if self.has(r"-\top"):
            self.expect("}")
            return Part("inverse", (Part("transpose", (base,)),))
        if self.has(r"\top"):
            self.expect("}")
            return Part("transpose", (base,))
        entries = bool(self.has(r"\odot"))
        exponent = self.sum()
        self.expect("}")
        return Part("entrypower" if entries else "power", (base, exponent))

    def digits(self) -> Any:
        self.skip()
        found = _NUMBER.match(self.text, self.at)
        if found is None:
            raise self.error("expected a number")
        self.at = found.end()
        return sp.Rational(found.group())

    def atom(self) -> Part:
        self.skip()
        for name, value in self.names:
            if self._is_here(name):
                self.at += len(name)
                return Part(
                    "matrix" if getattr(value, "is_Matrix", False) else "scalar", value=value
                )
        if _NUMBER.match(self.text, self.at):
            return Part("number", value=self.digits())
        if self.has(r"\mathbf{1}"):
            return Part("ones")
        if self.has(r"\mathbf{0}"):
            return Part("zeros")
        if self.has("I"):
            return Part("identity")
        if self.has(r"\pi"):
            return Part("number", value=sp.pi)
        if self.has(r"\frac", r"\tfrac"):
            over, under = self.group(), self.group()
            return Part("mul", (over, Part("power", (under,), sp.S.NegativeOne)))
        if self.has(r"\sqrt"):
            return Part("power", (self.group(),), sp.Rational(1, 2))
        if self.has(r"\left\lVert"):
            return self.norm()
        if self.has(r"\log\left\lvert \det"):
            inner = self.bracketed() if self.sees(r"\left(", "(") else self.factor()
            self.expect(r"\right\rvert")
            return Part("logdet", (inner,))
        if self.has(r"\left\lvert"):
            inner = self.sum()
            self.expect(r"\right\rvert")
            return Part("function", (inner,), sp.Abs)
        if self.has(r"\operatorname{tr}"):
            return Part("trace", (self.bracketed(),))
        if self.has(r"\det"):
            return Part("det", (self.bracketed() if self.sees(r"\left(", "(") else self.atom(),))
        if self.has(r"\operatorname{softmax}"):
            return Part("softmax", (self.bracketed(),))
        if self.has("e^{"):
            inner = self.sum()
            self.expect("}")
            return Part("function", (inner,), sp.exp)
        if self.has(r"\max", r"\min"):
            return self.extreme()
        if self.sees("["):
            return self.condition()
        return self.function() or self.brackets()

    def _is_here(self, name: str) -> bool:
        if not self.text.startswith(name, self.at):
            return False
        after = self.text[self.at + len(name) :]
        command = re.search(r"\\[A-Za-z]+$", name)
        return not (command and after[:1].isalpha()) and not after.startswith("_")

    def group(self) -> Part:
        self.expect("{")
        found = self.sum()
        self.expect("}")
        return found

    def bracketed(self) -> Part:
        left = self.has(r"\left(", "(")
        if not left:
            raise self.error("expected a bracket")
        found = self.sum()
        self.expect(r"\right)" if left == r"\left(" else ")")
        return found

    def brackets(self) -> Part:
        if not self.sees(r"\left(", "("):
            raise self.error("this is not read")
        return Part("group", (self.bracketed(),))

    def norm(self) -> Part:
        inner = self.sum()
        self.expect(r"\right\rVert")
        self.has("_F")
        exponent = sp.S.One
        if self.has("^{"):
            exponent = self.digits()
            self.expect("}")
        elif self.has("^"):
            exponent = self.digits()
        return Part("norm", (inner,), exponent)

    def extreme(self) -> Part:
        kind = sp.Max if self.text[self.at - 4 : self.at] == r"\max" else sp.Min
        left = self.has(r"\left(", "(")
        parts = [self.sum()]
        while self.has(","):
            parts.append(self.sum())
        self.expect(r"\right)" if left == r"\left(" else ")")
        return Part("function", tuple(parts), kind)

    def condition(self) -> Part:
        self.expect("[")
        left = self.sum()
        sign = self.has(">", "<")
        if not sign:
            raise self.error("expected a comparison")
        right = self.sum()
        self.expect("]")
        pair = (left, right) if sign == ">" else (right, left)
        minus = Part("mul", (Part("number", value=sp.S.NegativeOne), pair[1]))
        return Part("function", (Part("add", (pair[0], minus)),), functions.step)

    def function(self) -> Part | None:
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
        if self.has("^{"):
            entries = bool(self.has(r"\odot"))
            power = ("entrypower" if entries else "power", self.sum())
            self.expect("}")
        value = Part("function", (self.bracketed(),), apply)
        return Part(power[0], (value, power[1])) if power else value


def _shape(part: Part, sizes: _Sizes, shapes: dict[int, Shape]) -> Shape:
    below = [_shape(each, sizes, shapes) for each in part.below]
    found = _SHAPES.get(part.kind, _like)(part, below, sizes)
    shapes[id(part)] = found
    return found


def _like(part: Part, below: list[Shape], sizes: _Sizes) -> Shape:
    """The shape of those parts that are matrices: all of them have one."""
    found: Shape = ()
    for shape in below:
        if shape and found:
            sizes.equate(found[0], shape[0])
            sizes.equate(found[1], shape[1])
        found = found or shape
    return found


def _product_shape(part: Part, below: list[Shape], sizes: _Sizes) -> Shape:
    found: Shape = ()
    for shape in below:
        if shape and found:
            sizes.equate(found[1], shape[0])
            found = (found[0], shape[1])
        found = found or shape
    return found


def _leaf(part: Part, below: list[Shape], sizes: _Sizes) -> Shape:
    return tuple(shape_of(part.value)) if part.kind == "matrix" else ()


def _square(part: Part, below: list[Shape], sizes: _Sizes) -> Shape:
    if below and below[0]:
        sizes.equate(*below[0])
        return below[0]
    return ()


_SHAPES: dict[str, Callable[[Part, list[Shape], _Sizes], Shape]] = {
    "matrix": _leaf,
    "scalar": _leaf,
    "number": _leaf,
    "ones": lambda part, below, sizes: (sizes.fresh(), sp.S.One),
    "zeros": lambda part, below, sizes: (sizes.fresh(), sizes.fresh()),
    "identity": lambda part, below, sizes: (size := sizes.fresh(), size),
    "transpose": lambda part, below, sizes: below[0][::-1],
    "mul": _product_shape,
    "inverse": _square,
    "trace": lambda part, below, sizes: (),
    "det": lambda part, below, sizes: (),
    "logdet": lambda part, below, sizes: (),
    "norm": lambda part, below, sizes: (),
}


def _built(part: Part, sizes: _Sizes, shapes: dict[int, Shape]) -> Any:
    values = [_built(each, sizes, shapes) for each in part.below]
    shape = tuple(map(sizes.of, shapes[id(part)]))
    if any(isinstance(size, sp.Dummy) for size in shape):
        raise ParseError("the size of ones or of an identity cannot be told")
    return _BUILDERS[part.kind](part, values, shape)


def _is_one(value: Any) -> bool:
    return bool(value.is_Matrix and value.shape == (1, 1))


def _as_scalar(value: Any) -> Any:
    return sp.Trace(value) if _is_one(value) else value


def _sum_of(part: Part, values: list[Any], shape: Shape) -> Any:
    if not shape:
        return sp.Add(*values)
    return add(*(v if v.is_Matrix else broadcast(v, *shape) for v in values))


def _product_of(part: Part, values: list[Any], shape: Shape) -> Any:
    scalars = [v for v in values if not v.is_Matrix]
    matrices = [v for v in values if v.is_Matrix]
    if not matrices:
        return sp.Mul(*scalars)
    return scale(sp.Mul(*scalars), multiply(*matrices) if len(matrices) > 1 else matrices[0])


def _entries_of(part: Part, values: list[Any], shape: Shape) -> Any:
    if not shape:
        return sp.Mul(*values)
    return hadamard(*(v if v.is_Matrix else broadcast(v, *shape) for v in values))


def _power_of(part: Part, values: list[Any], shape: Shape) -> Any:
    base = values[0]
    exponent = values[1] if len(values) > 1 else part.value
    if not base.is_Matrix:
        return base**exponent
    if part.kind == "power" and exponent == -1 and len(values) > 1:
        return sp.Inverse(base)
    if part.kind == "power" and len(values) > 1:
        return sp.MatPow(base, exponent)
    if _is_one(base) and part.kind == "power":
        return sp.Trace(base) ** exponent
    return elementwise(lambda z: z**exponent, base)


def _norm_of(part: Part, values: list[Any], shape: Shape) -> Any:
    squares = SumEntries(sp.HadamardPower(values[0], 2)) if values[0].is_Matrix else values[0] ** 2
    return squares ** (part.value / 2)


def _function_of(part: Part, values: list[Any], shape: Shape) -> Any:
    if not shape:
        return part.value(*map(_as_scalar, values))
    matrices = [v if v.is_Matrix else Broadcast(v, *shape) for v in values]
    return elementwise(part.value, *matrices)


_BUILDERS: dict[str, Callable[[Part, list[Any], Shape], Any]] = {
    "matrix": lambda part, values, shape: part.value,
    "scalar": lambda part, values, shape: part.value,
    "number": lambda part, values, shape: part.value,
    "group": lambda part, values, shape: _as_scalar(values[0]),
    "ones": lambda part, values, shape: sp.OneMatrix(*shape),
    "zeros": lambda part, values, shape: sp.ZeroMatrix(*shape),
    "identity": lambda part, values, shape: sp.Identity(shape[0]),
    "transpose": lambda part, values, shape: transpose(values[0]),
    "inverse": lambda part, values, shape: sp.Inverse(values[0]),
    "add": _sum_of,
    "mul": _product_of,
    "entries": _entries_of,
    "power": _power_of,
    "entrypower": _power_of,
    "matpow": lambda part, values, shape: sp.MatPow(values[0], part.value),
    "norm": _norm_of,
    "function": _function_of,
    "softmax": lambda part, values, shape: softmax(values[0], axis=0 if shape[1] == 1 else 1),
    "trace": lambda part, values, shape: sp.Trace(values[0]),
    "det": lambda part, values, shape: sp.Determinant(values[0]),
    "logdet": lambda part, values, shape: LogDeterminant(values[0]),
}
