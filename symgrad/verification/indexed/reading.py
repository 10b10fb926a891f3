"""SymPy expressions read as indexed polynomials, what has a name folded to it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from fractions import Fraction
from functools import reduce
from typing import Any

import sympy as sp
from sympy.matrices.expressions.matexpr import MatrixElement

from symgrad import functions, trees
from symgrad.circuit import exact
from symgrad.functions import ScalarFunctionBase, several
from symgrad.shapes import name_of
from symgrad.verification.indexed.forms import COLUMN, ROW, Factor, GiveUp, Poly, concrete
from symgrad.verification.indexed.functions import HALF, Functions

#: What a walk does not enter: what binds a symbol or chooses is read by its own reader.
OWN_WALK = (sp.Sum, sp.Product, sp.Lambda, sp.Piecewise, sp.FunctionMatrix)


@dataclass
class Name:
    """What a name stands for.

    Attributes:
        symbol: How the polynomials call it.
        shape: The numbers of its sizes; empty for a scalar.
        value: What it is defined as, where that is known.
        inlined: Whether its definition is written for it everywhere.
        origin: The index of the first element of an indexed input.
    """

    symbol: str
    shape: tuple[int, ...] = ()
    value: Poly | None = None
    inlined: bool = False
    origin: tuple[Any, ...] = (0, 0)


Read = Callable[["Reader", Any, list[Poly]], Poly]
READERS: dict[type, Read] = {}


def reads(*heads: type) -> Callable[[Read], Read]:
    """Register how nodes of some classes are read (a decorator)."""

    def register(read: Read) -> Read:
        READERS.update(dict.fromkeys(heads, read))
        return read

    return register


class Reader:
    """Reads expressions over names.

    Attributes:
        forms: The table of forms.
        names: What names stand for.
        folds: By the number of a form: the name that has it, what it is multiplied by, and whether
            it is transposed.
    """

    def __init__(self, forms: Functions, names: dict[str, Name]) -> None:
        self.forms, self.names = forms, names
        self.folds: dict[int, tuple[Name, Poly, bool]] = {}
        self.sizes: dict[int, int] = {}
        self._bound: dict[Any, Poly] = {}

    def __call__(self, expression: Any, bound: Mapping[Any, Poly] | None = None) -> Poly:
        """Read an expression; `bound` has what symbols that are bound around it stand for."""
        outer, self._bound = self._bound, {**self._bound, **(bound or {})}
        try:
            done: dict[Any, Poly] = {}
            for node in trees.postorder(expression, OWN_WALK):
                self.forms.tick()
                below = [] if isinstance(node, OWN_WALK) else trees.children(node)
                done[node] = self._read(node, [done[child] for child in below])
            return done[expression]
        finally:
            self._bound = outer

    def _read(self, node: Any, below: list[Poly]) -> Poly:
        if node in self._bound:
            return self._bound[node]
        for head in type(node).__mro__:
            if head in READERS:
                poly = READERS[head](self, node, below)
                return self.folded(poly) if node.args and not _is_leaf(node) else poly
        raise GiveUp(type(node).__name__)

    # ------------------------------------------------------------ names

    def size(self, expression: Any) -> int:
        """Return the number of the polynomial that a size is."""
        return self.forms.frozen(self(sp.sympify(expression)))

    def atom(self, name: Name) -> Poly:
        """Return what a name stands for, as the entry (ROW, COLUMN) of it."""
        if name.inlined and name.value is not None:
            return name.value
        if not name.shape:
            return self.forms.single(Factor("sym", name.symbol))
        one = self.forms.frozen(self.forms.constant(1))
        places = (
            concrete(0) if size == one else index
            for size, index in zip(name.shape, (ROW, COLUMN), strict=True)
        )
        return self.forms.single(Factor("at", name.symbol, tuple(places)))

    def known(self, symbol: Any) -> Name:
        """Return the name of a symbol."""
        name = self.names.get(name_of(symbol))
        if name is None:
            raise GiveUp(f"the name {symbol}")
        return name

    def is_scalar(self, name: Name) -> bool:
        """Tell whether a name has one entry."""
        one = self.forms.frozen(self.forms.constant(1))
        return all(size == one for size in name.shape)

    def define(self, name: Name, poly: Poly) -> None:
        """Let a name stand for a polynomial, and fold what is the same to it from now on."""
        forms = self.forms
        name.value = poly
        factors = [f for powers, _ in poly for f in powers]
        if len(poly) <= 1 and len(factors) <= 1 and not any(bound for _, bound in poly):
            name.inlined = True
            return
        one = forms.frozen(forms.constant(1))
        sides = zip(name.shape, (ROW, COLUMN), strict=False)
        if forms.free(poly) != {index for size, index in sides if size != one}:
            return
        key, scale = self._monic(poly)
        if len(forms.polys[key]) == 1 and sum(len(powers) for powers, _ in forms.polys[key]) < 2:
            return
        self.folds.setdefault(key, (name, scale, False))
        turned = forms.frozen(self._turned(forms.polys[key]))
        self.folds.setdefault(turned, (name, self._turned(scale), True))

    def _turned(self, poly: Poly) -> Poly:
        return self.forms.relabelled_poly(poly, {ROW: COLUMN, COLUMN: ROW})

    def _monic(self, poly: Poly) -> tuple[int, Poly]:
        """Split a polynomial into the number of a form without a factor, and that factor."""
        forms = self.forms
        number = forms.leading(poly)
        common = {f: e for f, e in forms.common(poly).items() if forms.is_positive(f)}
        common = {f: e for f, e in common.items() if not forms.is_exp(f)}
        scale = forms.collected([(number, common.items(), {})])
        return forms.frozen(forms.multiply(poly, forms.inverse(scale))), scale

    def folded(self, poly: Poly) -> Poly:
        """Return a name (times a factor) for a polynomial that has one, else the polynomial."""
        forms = self.forms
        if not poly or not self.folds or not forms.free(poly) <= {ROW, COLUMN}:
            return poly
        key, scale = self._monic(poly)
        if key not in self.folds:
            return poly
        name, other, turned = self.folds[key]
        entry = self.atom(name)
        entry = self._turned(entry) if turned else entry
        return forms.multiply(forms.multiply(scale, forms.inverse(other)), entry)

    # ------------------------------------------------------------ indices

    def index(self, poly: Poly) -> tuple[int | None, int]:
        """Return the index that a polynomial is, and what is added to it."""
        label, offset = None, Fraction(0)
        for (powers, bound), number in poly.items():
            if not powers and not bound:
                offset = number
                continue
            factor = self.forms.factors[powers[0][0]]
            if bound or number != 1 or len(powers) != 1 or factor.tag != "idx" or label is not None:
                raise GiveUp("an index that is no index")
            label = factor.indices[0]
        if offset.denominator != 1:
            raise GiveUp("an index that is no integer")
        return label, int(offset)

    def place(self, poly: Poly) -> int:
        """Return a polynomial as an index of an entry."""
        label, offset = self.index(poly)
        if label is None and offset >= 0:
            return concrete(offset)
        if label is None or offset:
            raise GiveUp("a shifted index")
        return label

    def counter(self, size: int) -> int:
        """Return a new index that runs over a size."""
        label = self.forms.fresh()
        self.sizes[label] = size
        return label

    def summed(self, poly: Poly, label: int, size: Any) -> Poly:
        """Sum over an index of a size."""
        pid = size if isinstance(size, int) else self.size(size)
        if self.forms.polys[pid] == self.forms.constant(1):
            return self.forms.mapped(poly, {label: concrete(0)})
        return self.forms.bind(poly, label, pid)


def _is_leaf(node: Any) -> bool:
    return isinstance(node, (sp.MatrixSymbol, sp.Symbol, sp.Lambda, sp.Number))


# ---------------------------------------------------------------- scalars


@reads(sp.Rational, sp.Float)
def _number(read: Reader, node: Any, below: list[Poly]) -> Poly:
    return read.forms.constant(exact(node))


@reads(sp.NumberSymbol)
def _constant(read: Reader, node: Any, below: list[Poly]) -> Poly:
    if node is sp.E:
        return read.forms.exp(read.forms.constant(1))
    name = f"const:{node}"
    read.forms.positive.add(name)
    return read.forms.single(Factor("sym", name))


@reads(sp.Symbol)
def _symbol(read: Reader, node: Any, below: list[Poly]) -> Poly:
    name = read.known(node)
    if not read.is_scalar(name):
        raise GiveUp("a matrix as a scalar")
    return read.atom(name)


@reads(sp.MatrixSymbol)
def _matrix_symbol(read: Reader, node: Any, below: list[Poly]) -> Poly:
    name = read.known(node)
    shape = tuple(map(read.size, node.shape))
    one = read.forms.frozen(read.forms.constant(1))
    if shape != (name.shape or (one, one)):
        raise GiveUp("a matrix of another shape")
    return read.atom(name)


@reads(sp.Indexed)
def _indexed(read: Reader, node: Any, below: list[Poly]) -> Poly:
    name = read.known(node.base)
    if not name.shape or len(node.indices) > 2:
        raise GiveUp("an entry of a scalar")
    places = [read(index - low) for index, low in zip(node.indices, name.origin, strict=False)]
    return _entry(read, read.atom(name), [read.place(poly) for poly in places])


@reads(MatrixElement)
def _element(read: Reader, node: Any, below: list[Poly]) -> Poly:
    return _entry(read, below[0], [read.place(poly) for poly in below[1:]])


def _entry(read: Reader, matrix: Poly, places: list[int]) -> Poly:
    return read.forms.mapped(matrix, dict(zip((ROW, COLUMN), places, strict=False)))


@reads(sp.Add, sp.MatAdd)
def _add(read: Reader, node: Any, below: list[Poly]) -> Poly:
    return read.forms.add(*below)


@reads(sp.Mul, sp.HadamardProduct)
def _multiply(read: Reader, node: Any, below: list[Poly]) -> Poly:
    return reduce(read.forms.multiply, below)


@reads(sp.Pow, sp.HadamardPower)
def _power(read: Reader, node: Any, below: list[Poly]) -> Poly:
    base, exponent = below
    if node.base is sp.E:
        return read.forms.exp(exponent)
    if not exponent or exponent.keys() == {((), ())}:
        return read.forms.power(base, exponent.get(((), ()), Fraction(0)))
    return read.forms.function("pow", base, exponent)


Scalar = Callable[[Functions, list[Poly]], Poly]


def _negative(forms: Functions, z: Poly) -> Poly:
    return forms.scale(-1, z)


def _half(forms: Functions, z: Poly, sign: int) -> Poly:
    """Return (exp(z) + sign exp(-z))/2."""
    both = forms.add(forms.exp(z), forms.scale(sign, forms.exp(_negative(forms, z))))
    return forms.scale(HALF, both)


def _sign(forms: Functions, z: Poly) -> Poly:
    return forms.add(forms.step(z), _negative(forms, forms.step(_negative(forms, z))))


def _relu(forms: Functions, z: Poly) -> Poly:
    return forms.multiply(z, forms.step(z))


def _greatest(forms: Functions, args: list[Poly], sign: int) -> Poly:
    def two(a: Poly, b: Poly) -> Poly:
        difference = forms.scale(sign, forms.add(b, _negative(forms, a)))
        return forms.add(a, forms.scale(sign, _relu(forms, difference)))

    return reduce(two, args)


def _log(forms: Functions, args: list[Poly]) -> Poly:
    value, *base = map(forms.log, args)
    return forms.multiply(value, forms.inverse(base[0])) if base else value


SCALARS: dict[Any, Scalar] = {
    sp.exp: lambda f, a: f.exp(a[0]),
    sp.log: _log,
    sp.tanh: lambda f, a: f.tanh(a[0]),
    sp.coth: lambda f, a: f.inverse(f.tanh(a[0])),
    sp.cosh: lambda f, a: _half(f, a[0], 1),
    sp.sinh: lambda f, a: _half(f, a[0], -1),
    sp.sech: lambda f, a: f.inverse(_half(f, a[0], 1)),
    sp.csch: lambda f, a: f.inverse(_half(f, a[0], -1)),
    sp.sin: lambda f, a: f.function("sin", a[0]),
    sp.cos: lambda f, a: f.function("cos", a[0]),
    sp.tan: lambda f, a: f.multiply(f.function("sin", a[0]), f.inverse(f.function("cos", a[0]))),
    sp.erf: lambda f, a: f.function("erf", a[0]),
    sp.erfc: lambda f, a: f.add(f.constant(1), _negative(f, f.function("erf", a[0]))),
    sp.atan: lambda f, a: f.function("atan", a[0]),
    sp.asinh: lambda f, a: f.function("asinh", a[0]),
    sp.Abs: lambda f, a: f.multiply(a[0], _sign(f, a[0])),
    sp.sign: lambda f, a: _sign(f, a[0]),
    sp.Heaviside: lambda f, a: f.step(a[0]),
    sp.Max: lambda f, a: _greatest(f, a, 1),
    sp.Min: lambda f, a: _greatest(f, a, -1),
    functions.sigmoid: lambda f, a: f.sigmoid(a[0]),
    functions.step: lambda f, a: f.step(a[0]),
    functions.relu: lambda f, a: _relu(f, a[0]),
}


def _scalar(head: Any) -> Read:
    return lambda read, node, below: SCALARS[head](read.forms, below)


READERS.update({head: _scalar(head) for head in SCALARS})


@reads(ScalarFunctionBase, several._OfSeveral)
def _own_function(read: Reader, node: Any, below: list[Poly]) -> Poly:
    names = [sp.Dummy(f"u{k}", real=True) for k, _ in enumerate(node.args)]
    return read(type(node)(*names).definition(), dict(zip(names, below, strict=True)))


@reads(sp.Function)
def _opaque(read: Reader, node: Any, below: list[Poly]) -> Poly:
    if isinstance(node, sp.core.function.AppliedUndef) or not below:
        raise GiveUp("an undefined function")
    return read.forms.function(f"{type(node).__module__}.{type(node).__name__}", *below)


@reads(sp.Sum)
def _sum(read: Reader, node: Any, below: list[Poly]) -> Poly:
    bound: dict[Any, Poly] = {}
    runs: list[tuple[int, int]] = []
    for index, low, high in node.limits:
        count = sp.expand(high - low + 1)
        # An empty sum has no negative number of terms.
        whole = {s: sp.Symbol(name_of(s), integer=True, positive=True) for s in count.free_symbols}
        if not count.xreplace(whole).is_nonnegative or index in bound:
            raise GiveUp("a range that may be empty")
        if any(name_of(s) not in read.forms.positive for s in count.free_symbols):
            raise GiveUp("a range that is no size")
        label = read.counter(read.size(count))
        bound[index] = read.forms.add(read.forms.index_value(label), read(low))
        runs.append((label, read.sizes[label]))
    poly = read(node.function, bound)
    for label, size in runs:
        poly = read.summed(poly, label, size)
    return poly


@reads(sp.KroneckerDelta)
def _kronecker(read: Reader, node: Any, below: list[Poly]) -> Poly:
    (first, low), (second, other) = map(read.index, below[:2])
    if first is None and second is None:
        return read.forms.constant(int(low == other))
    if first is None or second is None:
        label, place = (second, low - other) if first is None else (first, other - low)
        if place < 0:
            return {}
        size = read.sizes.get(label, -1)  # type: ignore[arg-type]
        second, first = concrete(place), label
    else:
        size = read.sizes.get(first, -1)
        if low != other or size != read.sizes.get(second, -2):
            raise GiveUp("a delta of shifted indices")
    if size < 0:
        raise GiveUp("a delta of something else than indices")
    return read.forms.delta(first, second, size)  # type: ignore[arg-type]


@reads(sp.Piecewise)
def _piecewise(read: Reader, node: Any, below: list[Poly]) -> Poly:
    forms = read.forms
    if node.args[-1][1] != True:  # noqa: E712
        raise GiveUp("a function without a value everywhere")
    result = read(node.args[-1][0])
    for value, condition in reversed(node.args[:-1]):
        holds = _holds(read, condition)
        change = forms.add(read(value), forms.scale(-1, result))
        result = forms.add(result, forms.multiply(holds, change))
    return result


def _holds(read: Reader, condition: Any) -> Poly:
    """Return one where a condition holds, else zero."""
    forms = read.forms
    if isinstance(condition, (sp.StrictLessThan, sp.LessThan)):
        return _holds(read, condition.reversed)
    if isinstance(condition, (sp.StrictGreaterThan, sp.GreaterThan)):
        difference = forms.add(read(condition.lhs), forms.scale(-1, read(condition.rhs)))
        if isinstance(condition, sp.StrictGreaterThan):
            return forms.step(difference)
        less = forms.step(forms.scale(-1, difference))
        return forms.add(forms.constant(1), forms.scale(-1, less))
    if isinstance(condition, sp.And):
        return reduce(forms.multiply, [_holds(read, part) for part in condition.args])
    raise GiveUp("a condition")


# The readers of matrices register themselves.
from symgrad.verification.indexed import matrices  # noqa: E402

__all__ = ["Name", "Reader", "matrices", "reads"]
