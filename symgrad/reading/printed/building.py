"""Parts of a formula, whose shapes are known, as expressions."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import sympy as sp
from sympy.matrices.expressions.matexpr import MatrixElement

from symgrad.algebra import (
    add,
    broadcast,
    elementwise,
    hadamard,
    multiply,
    scale,
    softmax,
    split_coefficient,
    transpose,
)
from symgrad.errors import ParseError, SymgradError
from symgrad.matrices import Broadcast, SumEntries, UnitMatrix
from symgrad.operations.linear import LogDeterminant
from symgrad.operations.spectral import Exponential
from symgrad.reading.printed.fitting import Fitter
from symgrad.reading.printed.parts import Grid, Part, Range, located
from symgrad.reading.printed.sizes import is_known
from symgrad.rules.indexed import index_sum
from symgrad.shapes import Shape, shape_of

#: Where the entries of an array begin, by its symbol.
Origins = Mapping[Any, tuple[Any, ...]]


class Builder:
    """Builds the expressions of parts.

    Args:
        fitter: What found the shapes.
        origins: Where arrays begin that do not begin at 1.
    """

    def __init__(self, fitter: Fitter, origins: Origins) -> None:
        self.fitter, self.origins = fitter, origins
        self.ranges: dict[Any, tuple[Any, Any]] = {}
        self.cases = 0

    def build(self, part: Part) -> Any:
        """Return the expression of a part.

        Raises:
            ParseError: A size cannot be told, or an index lies outside.
        """
        shape = self.fitter.of(part)
        try:
            if any(not is_known(size) for size in shape):
                raise ParseError("the size of ones, zeros or an identity cannot be told")
            value = self._built(part, shape)
        except SymgradError as error:
            if isinstance(error, ParseError) and error.start is not None:
                raise
            raise located(self.fitter.text, part.start or 0, str(error)) from None
        return value if self.fitter.shapes[part] else _scalar(value)

    def _built(self, part: Part, shape: Shape) -> Any:
        own = {"sum": self._sum, "product": self._product, "grid": self._grid, "cases": self._cases}
        if part.kind in own:
            return own[part.kind](part, shape)
        if part.kind == "entry":
            return self._entry(part)
        values = [self.build(each) for each in part.below]
        return _BUILDERS[part.kind](part, values, shape)

    # ------------------------------------------------------------- what binds letters

    def _sum(self, part: Part, shape: Shape) -> Any:
        """Add up; what is a matrix does not depend on the index, and stands behind the sum."""
        found: Range = part.value
        self.ranges[found.symbol] = found.low, found.high
        (body,) = part.below
        value = self.build(body)
        if not value.is_Matrix:
            return index_sum(value, tuple(found))
        coefficient, rest = split_coefficient(value)
        if found.symbol in rest.free_symbols:
            raise ParseError("a sum of matrices is not read")
        return scale(index_sum(coefficient, tuple(found)), rest)

    def _product(self, part: Part, shape: Shape) -> Any:
        found: Range = part.value
        self.ranges[found.symbol] = found.low, found.high
        return sp.Product(self.build(part.below[0]), tuple(found))

    def _grid(self, part: Part, shape: Shape) -> Any:
        grid: Grid = part.value
        if grid.last is None and (not shape or shape[1] == 1):
            raise ParseError("a column given entry by entry has one index")
        places = [sp.Dummy(symbol.name, integer=True) for symbol in (*grid.symbols, *grid.symbols)]
        inner = {}
        for symbol, start, place, size in zip(
            grid.symbols, grid.starts, places, shape or (sp.S.One,) * 2, strict=False
        ):
            self.ranges[symbol] = start, sp.expand(start + size - 1)
            inner[symbol] = place + start
        body = self.build(part.below[0]).xreplace(inner)
        return sp.FunctionMatrix(*(shape or (1, 1)), sp.Lambda(tuple(places[:2]), body))

    def _cases(self, part: Part, shape: Shape) -> Any:
        """Build cases; one that does not hold may have entries outside of an array."""
        self.cases += 1
        values = [self.build(each) for each in part.below]
        self.cases -= 1
        return _function(part, values, shape)

    # ------------------------------------------------------------------------ entries

    def _entry(self, part: Part) -> Any:
        (below,) = part.below
        shape = self.fitter.of(below) or (sp.S.One, sp.S.One)
        single, double = part.value
        is_name = below.kind == "name"
        value = below.value if is_name else _matrix(self.build(below))
        first, second, *_ = (*(self.origins.get(value, ()) if is_name else ()), 1, 1)
        if shape[1] == 1:
            places = [sp.expand(single[0] - first), sp.S.Zero]
        else:
            places = [sp.expand(double[0] - first), sp.expand(double[1] - second)]
        for place, size in zip(places, shape, strict=True):
            if not self.cases and self._is_outside(place, size):
                raise ParseError(f"there is no entry at {place} of {size}, counted from 0")
        return MatrixElement(value, *places)

    def _is_outside(self, place: Any, size: Any) -> bool:
        """Tell whether a place, or an end of the places that it takes, lies outside for sure."""
        least = most = place
        for symbol, (low, high) in reversed(self.ranges.items()):
            if symbol in least.free_symbols | most.free_symbols:
                least = _extreme(least, symbol, low, high)
                most = _extreme(most, symbol, high, low)
        return bool(least.is_negative or sp.expand(size - 1 - most).is_negative)


def _extreme(place: Any, symbol: Any, rising: Any, falling: Any) -> Any:
    """Put an end of a range into a place: one if it rises with the index, else the other."""
    slope = sp.expand(place).coeff(symbol)
    if slope.is_negative:
        return sp.expand(place.xreplace({symbol: falling}))
    return sp.expand(place.xreplace({symbol: rising}))


def _matrix(value: Any) -> Any:
    return value if value.is_Matrix else sp.ImmutableMatrix([[value]])


def _scalar(value: Any) -> Any:
    """Return a matrix of one entry as that entry."""
    if not value.is_Matrix:
        return value
    return value[0, 0] if isinstance(value, sp.MatrixBase) else sp.Trace(value)


def _filled(value: Any, shape: Shape) -> Any:
    return value if value.is_Matrix else broadcast(value, *shape)


def _add(part: Part, values: list[Any], shape: Shape) -> Any:
    return add(*(_filled(value, shape) for value in values)) if shape else sp.Add(*values)


def _multiply(part: Part, values: list[Any], shape: Shape) -> Any:
    scalars = [value for value in values if not value.is_Matrix]
    matrices = [value for value in values if value.is_Matrix]
    if not matrices:
        return sp.Mul(*scalars)
    return scale(sp.Mul(*scalars), multiply(*matrices) if len(matrices) > 1 else matrices[0])


def _entries(part: Part, values: list[Any], shape: Shape) -> Any:
    return hadamard(*(_filled(value, shape) for value in values)) if shape else sp.Mul(*values)


def _quotient(part: Part, values: list[Any], shape: Shape) -> Any:
    over, under = values
    if not shape:
        return over / under
    below = elementwise(lambda entry: 1 / entry, under) if under.is_Matrix else 1 / under
    return _entries(part, [over, below], shape)


def _power(part: Part, values: list[Any], shape: Shape) -> Any:
    base, exponent = values
    if not base.is_Matrix:
        return base**exponent
    return sp.Inverse(base) if exponent == -1 else sp.MatPow(base, exponent)


def _function(part: Part, values: list[Any], shape: Shape) -> Any:
    if not shape:
        return part.value(*values)
    matrices = [value if value.is_Matrix else Broadcast(value, *shape) for value in values]
    return elementwise(part.value, *matrices)


def _norm(part: Part, values: list[Any], shape: Shape) -> Any:
    (value,) = values
    squares = SumEntries(sp.HadamardPower(value, 2)) if value.is_Matrix else value**2
    return squares ** (part.value / 2)


def _unit(part: Part, values: list[Any], shape: Shape) -> Any:
    rows, columns = shape or (sp.S.One, sp.S.One)
    return UnitMatrix(rows, columns, part.value - 1, 0)


def _softmax(part: Part, values: list[Any], shape: Shape) -> Any:
    matrix = _matrix(values[0])
    return softmax(matrix, axis=0 if matrix.shape[1] == 1 else 1)


def _operated(part: Part, values: list[Any], shape: Shape) -> Any:
    made = part.value.make(list(map(_matrix, values)), shape or (sp.S.One, sp.S.One))
    shape_of(made)  # places that lie outside are found there
    return made


def _of_matrix(head: Callable[[Any], Any], scalar: Callable[[Any], Any]) -> Any:
    """Return a builder that does one thing with a matrix and another with a scalar."""
    return lambda part, values, shape: (head if values[0].is_Matrix else scalar)(values[0])


def _identity(value: Any) -> Any:
    return value


_BUILDERS: dict[str, Callable[[Part, list[Any], Shape], Any]] = {
    "name": lambda part, values, shape: part.value,
    "number": lambda part, values, shape: part.value,
    "group": lambda part, values, shape: values[0],
    "ones": lambda part, values, shape: sp.OneMatrix(*(shape or (1, 1))),
    "zeros": lambda part, values, shape: sp.ZeroMatrix(*(shape or (1, 1))),
    "identity": lambda part, values, shape: sp.Identity((shape or (1,))[0]),
    "unit": _unit,
    "transpose": _of_matrix(transpose, _identity),
    "inverse": _of_matrix(sp.Inverse, lambda value: 1 / value),
    "add": _add,
    "mul": _multiply,
    "entries": _entries,
    "quotient": _quotient,
    "reciprocal": lambda part, values, shape: 1 / values[0],
    "root": lambda part, values, shape: sp.sqrt(values[0]),
    "scalar power": _power,
    "power": _power,
    "exponential": _of_matrix(Exponential, sp.exp),
    "norm": _norm,
    "function": _function,
    "softmax": _softmax,
    "trace": _of_matrix(sp.Trace, _identity),
    "det": _of_matrix(sp.Determinant, _identity),
    "logdet": _of_matrix(LogDeterminant, lambda value: sp.log(sp.Abs(value))),
    "operator": _operated,
    "explicit": lambda part, values, shape: sp.ImmutableMatrix(*part.value, values),
}
