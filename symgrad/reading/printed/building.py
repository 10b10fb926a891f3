"""Parts of a printed formula as expressions: shapes first, for some sizes are not printed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import sympy as sp

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
from symgrad.reading.printed.parser import Part
from symgrad.shapes import Shape, same_size, shape_of


@dataclass
class Sizes:
    """Sizes that are not printed, and what they turned out to be."""

    known: dict[Any, Any] = field(default_factory=dict)

    def fresh(self) -> Any:
        """Return a size that is not known yet."""
        return sp.Dummy("size", integer=True, positive=True)

    def of(self, size: Any) -> Any:
        """Return what a size turned out to be."""
        while size in self.known:
            size = self.known[size]
        return size

    def equate(self, first: Any, second: Any) -> None:
        """Note that two sizes are equal; a ParseError if they cannot be."""
        first, second = self.of(first), self.of(second)
        if isinstance(first, sp.Dummy):
            if first != second:
                self.known[first] = second
        elif isinstance(second, sp.Dummy):
            self.known[second] = first
        elif not same_size(first, second):
            raise ParseError(f"sizes {first} and {second} do not fit")


_Rule = Callable[[Part, list[Shape], Sizes], Shape]


def find_shape(part: Part, sizes: Sizes, shapes: dict[int, Shape]) -> Shape:
    """Note the shape of a part and of all below it, by their ids.

    >>> find_shape(Part("identity"), Sizes(), {})
    (_size, _size)
    """
    below = [find_shape(each, sizes, shapes) for each in part.below]
    found = _SHAPES.get(part.kind, _like)(part, below, sizes)
    shapes[id(part)] = found
    return found


def _folded(join: Callable[[Shape, Shape, Sizes], Shape]) -> _Rule:
    """Join the shapes of those parts that are matrices, one after the other."""

    def rule(part: Part, below: list[Shape], sizes: Sizes) -> Shape:
        found: Shape = ()
        for shape in filter(None, below):
            found = join(found, shape, sizes) if found else shape
        return found

    return rule


def _same(first: Shape, second: Shape, sizes: Sizes) -> Shape:
    sizes.equate(first[0], second[0])
    sizes.equate(first[1], second[1])
    return first


def _multiplied(first: Shape, second: Shape, sizes: Sizes) -> Shape:
    sizes.equate(first[1], second[0])
    return (first[0], second[1])


_like = _folded(_same)


def _leaf(part: Part, below: list[Shape], sizes: Sizes) -> Shape:
    return tuple(shape_of(part.value)) if part.kind == "matrix" else ()


def _square(part: Part, below: list[Shape], sizes: Sizes) -> Shape:
    if below and below[0]:
        sizes.equate(*below[0])
        return below[0]
    return ()


_SHAPES: dict[str, _Rule] = {
    "matrix": _leaf,
    "scalar": _leaf,
    "number": _leaf,
    "ones": lambda part, below, sizes: (sizes.fresh(), sp.S.One),
    "zeros": lambda part, below, sizes: (sizes.fresh(), sizes.fresh()),
    "identity": lambda part, below, sizes: (size := sizes.fresh(), size),
    "transpose": lambda part, below, sizes: below[0][::-1],
    "mul": _folded(_multiplied),
    "inverse": _square,
    "trace": lambda part, below, sizes: (),
    "det": lambda part, below, sizes: (),
    "logdet": lambda part, below, sizes: (),
    "norm": lambda part, below, sizes: (),
}


def build(part: Part, sizes: Sizes, shapes: dict[int, Shape]) -> Any:
    """Build the expression of a part whose shapes are known.

    Raises:
        ParseError: The size of ones or of an identity cannot be told.

    >>> part = Part("number", value=sp.Integer(2))
    >>> build(part, Sizes(), {id(part): ()})
    2
    """
    values = [build(each, sizes, shapes) for each in part.below]
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
