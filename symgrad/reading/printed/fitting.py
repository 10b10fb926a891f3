r"""The shapes of the parts of a formula: some sizes are not printed, but follow from what is near.

A matrix of one row and one column is a scalar here: so (b^\top x) a is b^\top x times the column a.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise

import sympy as sp

from symgrad.errors import ParseError
from symgrad.reading.printed.operators import Operator
from symgrad.reading.printed.parts import Part, located
from symgrad.reading.printed.sizes import Several, Sizes, may_equal
from symgrad.shapes import Shape, shape_of


class Fitter:
    """Finds the shape of every part of a formula.

    >>> part = Part("identity")
    >>> Fitter("I").fit(part)
    (_size, _size)
    """

    def __init__(self, text: str) -> None:
        self.text, self.sizes = text, Sizes()
        self.shapes: dict[Part, Shape] = {}

    def fit(self, part: Part) -> Shape:
        """Note the shapes of a part and of all below it.

        Raises:
            ParseError: Shapes do not fit.
        """
        below = [self.fit(each) for each in part.below]
        try:
            found = _RULES.get(part.kind, _alike)(self, part, below)
        except ParseError as error:
            if error.start is not None:
                raise
            raise located(self.text, part.start or 0, str(error)) from None
        self.shapes[part] = found = self.sizes.shape(found)
        return found

    def of(self, part: Part) -> Shape:
        """Return the shape of a part, with all that turned out since."""
        shape = self.shapes[part]
        return tuple(map(self.sizes.of, shape))

    def equate(self, first: Shape, second: Shape) -> None:
        """Note that two matrices have one shape."""
        for own, other in zip(first, second, strict=True):
            self.sizes.equate(own, other)

    def factors(self, part: Part) -> list[Part]:
        """Return the matrices that a part is a product of, without brackets."""
        if part.kind != "mul":
            return [part] if self.shapes[part] else []
        return [factor for each in part.below for factor in self.factors(each)]

    def is_several(self, part: Part) -> bool:
        """Tell whether a part is a product of several matrices, without brackets."""
        return len(self.factors(part)) > 1


_Rule = Callable[[Fitter, Part, list[Shape]], Shape]


def _alike(fitter: Fitter, part: Part, below: list[Shape]) -> Shape:
    """All matrices have one shape; scalars stand for as many entries."""
    matrices = list(filter(None, below))
    for other in matrices[1:]:
        fitter.equate(matrices[0], other)
    return matrices[0] if matrices else ()


def _entries(fitter: Fitter, part: Part, below: list[Shape]) -> Shape:
    r"""A B \odot C is (A B) \odot C; where A (B \odot C) fits as well, brackets are asked for."""
    shape = _alike(fitter, part, below)
    for left, right in pairwise(part.below):
        before, after = fitter.factors(left), fitter.factors(right)
        if not before or not after or len(before) + len(after) == 2:
            continue
        if all(map(may_equal, fitter.of(before[-1]), fitter.of(after[0]))):
            raise ParseError("a product of matrices beside an entrywise sign needs brackets")
    return shape


def _multiplied(fitter: Fitter, part: Part, below: list[Shape]) -> Shape:
    found: Shape = ()
    for shape in filter(None, below):
        if found:
            fitter.sizes.equate(found[1], shape[0])
        found = (found[0], shape[1]) if found else shape
    return found


def _square(fitter: Fitter, part: Part, below: list[Shape]) -> Shape:
    if below[0]:
        fitter.sizes.equate(*below[0])
    return below[0]


def _of_square(fitter: Fitter, part: Part, below: list[Shape]) -> Shape:
    _square(fitter, part, below)
    return ()


def _scalars(fitter: Fitter, part: Part, below: list[Shape]) -> Shape:
    if any(below):
        raise ParseError("a scalar is expected here, not a matrix")
    return ()


def _power(fitter: Fitter, part: Part, below: list[Shape]) -> Shape:
    if below[1]:
        raise ParseError("the exponent is a matrix")
    return _square(fitter, part, below)


def _operated(fitter: Fitter, part: Part, below: list[Shape]) -> Shape:
    operator: Operator = part.value
    if operator.is_infix and any(fitter.is_several(each) for each in part.below):
        raise ParseError("a product of matrices beside this sign needs brackets")
    return operator.shape([shape or (sp.S.One, sp.S.One) for shape in below], fitter.sizes)


def _entry(fitter: Fitter, part: Part, below: list[Shape]) -> Shape:
    """An entry: whether a column or a matrix is meant shows in the number of its indices."""
    single, double = part.value
    column = not below[0] or fitter.sizes.of(below[0][1]) == 1
    if (single if column else double) is None:
        raise ParseError("a column has one index, any other matrix has two")
    return ()


def _grid(fitter: Fitter, part: Part, below: list[Shape]) -> Shape:
    _scalars(fitter, part, below)
    if part.value.last is None:
        return fitter.sizes.fresh(), fitter.sizes.fresh(Several)
    return sp.expand(part.value.last - part.value.starts[0] + 1), sp.S.One


_RULES: dict[str, _Rule] = {
    "name": lambda fitter, part, below: tuple(shape_of(part.value)),
    "number": _scalars,
    "ones": lambda fitter, part, below: (fitter.sizes.fresh(Several), sp.S.One),
    "unit": lambda fitter, part, below: (fitter.sizes.fresh(), sp.S.One),
    "zeros": lambda fitter, part, below: (fitter.sizes.fresh(), fitter.sizes.fresh()),
    "identity": lambda fitter, part, below: (size := fitter.sizes.fresh(Several), size),
    "transpose": lambda fitter, part, below: below[0][::-1],
    "mul": _multiplied,
    "entries": _entries,
    "quotient": _entries,
    "sum": lambda fitter, part, below: below[0],
    "product": _scalars,
    "reciprocal": _scalars,
    "root": _scalars,
    "scalar power": _scalars,
    "power": _power,
    "inverse": _square,
    "exponential": _square,
    "trace": _of_square,
    "det": _of_square,
    "logdet": _of_square,
    "norm": lambda fitter, part, below: (),
    "operator": _operated,
    "entry": _entry,
    "grid": _grid,
    "explicit": lambda fitter, part, below: _scalars(fitter, part, below) or part.value,
}
