"""How matrices are read as indexed polynomials: each node by its entry (ROW, COLUMN)."""

from __future__ import annotations

from functools import reduce
from itertools import pairwise
from typing import Any

import sympy as sp

from symgrad.matrices import Broadcast, Elementwise, SumColumns, SumEntries, SumRows, UnitMatrix
from symgrad.softmax import LogSoftmax, Softmax
from symgrad.verification.indexed.forms import COLUMN, ROW, GiveUp, Poly, concrete, place_of
from symgrad.verification.indexed.reading import Reader, reads


@reads(sp.Lambda)
def _lambda(read: Reader, node: Any, below: list[Poly]) -> Poly:
    # Read where it is applied.
    return {}


@reads(Elementwise)
def _elementwise(read: Reader, node: Any, below: list[Poly]) -> Poly:
    values = dict(zip(node.function.variables, below[1:], strict=True))
    return read(node.function.expr, values)


@reads(Broadcast)
def _broadcast(read: Reader, node: Any, below: list[Poly]) -> Poly:
    # An axis of size one has no index, so that nothing depends on where it repeats.
    return below[0]


@reads(sp.MatMul)
def _product(read: Reader, node: Any, below: list[Poly]) -> Poly:
    forms = read.forms
    scalars = [poly for arg, poly in zip(node.args, below, strict=True) if not arg.is_Matrix]
    pairs = [(arg, poly) for arg, poly in zip(node.args, below, strict=True) if arg.is_Matrix]
    result = pairs[0][1]
    for (before, _), (_, poly) in pairwise(pairs):
        result = _matrix_product(read, result, poly, before.shape[1])
    return reduce(forms.multiply, scalars, result)


def _matrix_product(read: Reader, first: Poly, second: Poly, size: Any) -> Poly:
    forms = read.forms
    label = forms.fresh()
    left = forms.relabelled_poly(first, {COLUMN: label})
    right = forms.relabelled_poly(second, {ROW: label})
    pid = read.size(size)
    if forms.polys[pid] == forms.constant(1):
        return forms.multiply(left, right)
    return forms.bind(forms.multiply(left, right), label, pid)


@reads(sp.Transpose)
def _transpose(read: Reader, node: Any, below: list[Poly]) -> Poly:
    return read.forms.relabelled_poly(below[0], {ROW: COLUMN, COLUMN: ROW})


@reads(sp.Trace)
def _trace(read: Reader, node: Any, below: list[Poly]) -> Poly:
    size = read.size(node.arg.shape[0])
    label = read.counter(size)
    return read.summed(read.forms.mapped(below[0], {ROW: label, COLUMN: label}), label, size)


@reads(SumEntries, SumRows, SumColumns)
def _reduction(read: Reader, node: Any, below: list[Poly]) -> Poly:
    poly, (rows, columns) = below[0], node.matrix.shape
    if not isinstance(node, SumColumns) and rows != 1:
        poly = read.forms.bind(poly, ROW, read.size(rows))
    if not isinstance(node, SumRows) and columns != 1:
        poly = read.forms.bind(poly, COLUMN, read.size(columns))
    return poly


@reads(sp.ZeroMatrix)
def _zero(read: Reader, node: Any, below: list[Poly]) -> Poly:
    return {}


@reads(sp.OneMatrix)
def _ones(read: Reader, node: Any, below: list[Poly]) -> Poly:
    return read.forms.constant(1)


@reads(sp.Identity)
def _identity(read: Reader, node: Any, below: list[Poly]) -> Poly:
    return _unit_along(read, ROW, COLUMN, node.shape[0])


def _unit_along(read: Reader, index: int, place: int, size: Any) -> Poly:
    pid = read.size(size)
    if read.forms.polys[pid] == read.forms.constant(1):
        return read.forms.constant(1)
    return read.forms.delta(index, place, pid)


@reads(UnitMatrix)
def _unit(read: Reader, node: Any, below: list[Poly]) -> Poly:
    places = [read.place(poly) for poly in below[2:]]
    for size, index in zip(node.shape, places, strict=True):
        place = place_of(index)
        if place is not None:
            # Where it lies outside, there is no such matrix.
            read.forms.places.add((read.size(size), place))
        elif read.sizes.get(index) != read.size(size):
            raise GiveUp("a unit matrix at an index of another size")
    parts = zip((ROW, COLUMN), places, node.shape, strict=True)
    return reduce(read.forms.multiply, [_unit_along(read, *part) for part in parts])


@reads(sp.Inverse)
def _inverse(read: Reader, node: Any, below: list[Poly]) -> Poly:
    parts = node.arg.args if isinstance(node.arg, sp.MatMul) else ()
    square = [part for part in parts if part.is_Matrix and part.shape[0] == part.shape[1]]
    if len(parts) > 1 and len(square) == len(parts):
        return read(sp.MatMul(*(sp.Inverse(part) for part in reversed(parts)), evaluate=False))
    return read.forms.inverse_entry(below[0], read.size(node.shape[0]))


@reads(sp.Determinant)
def _determinant(read: Reader, node: Any, below: list[Poly]) -> Poly:
    return read.forms.det(below[0], read.size(node.arg.shape[0]))


@reads(sp.MatPow)
def _matrix_power(read: Reader, node: Any, below: list[Poly]) -> Poly:
    if not node.exp.is_Integer or not 1 <= abs(node.exp) <= 8:
        raise GiveUp("a symbolic power")
    size = node.shape[0]
    base = below[0]
    if node.exp < 0:
        base = read.forms.inverse_entry(base, read.size(size))
    copies = [base] * abs(int(node.exp))
    return reduce(lambda a, b: _matrix_product(read, a, b, size), copies)


@reads(sp.FunctionMatrix)
def _function_matrix(read: Reader, node: Any, below: list[Poly]) -> Poly:
    places: dict[int, int] = {}
    values: list[Poly] = []
    for size, index in zip(node.shape, (ROW, COLUMN), strict=True):
        label = read.counter(read.size(size))
        places[label] = concrete(0) if size == 1 else index
        values.append(read.forms.index_value(label))
    variables = node.lamda.variables
    return read.forms.mapped(
        read(node.lamda.expr, dict(zip(variables, values, strict=True))), places
    )


@reads(Softmax, LogSoftmax)
def _normalised(read: Reader, node: Any, below: list[Poly]) -> Poly:
    forms, z = read.forms, below[0]
    size = node.shape[node.axis]
    power = forms.exp(z)
    total = power
    if size != 1:
        total = forms.bind(power, COLUMN if node.axis else ROW, read.size(size))
    if isinstance(node, Softmax):
        return forms.multiply(power, forms.inverse(total))
    return forms.add(z, forms.scale(-1, forms.log(total)))
