r"""Formulas read back from the LaTeX that symgrad prints: that language, and no other.

The names are known, so that `\frac{\partial L}{\partial W}` is read as one of them and not as a
quotient. The sizes of ones and identities are not printed; they follow from what stands beside
them. What is not read is an error with its place, never a guess.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import sympy as sp

from symgrad.algebra import broadcast
from symgrad.errors import ParseError
from symgrad.reading.printed.building import Builder
from symgrad.reading.printed.fitting import Fitter
from symgrad.reading.printed.parser import Parser
from symgrad.reading.printed.parts import Part, located
from symgrad.shapes import Shape


def read(
    latex: str,
    names: Mapping[str, Any],
    shape: Shape,
    origins: Mapping[Any, tuple[Any, ...]] | None = None,
) -> Any:
    r"""Read a printed formula.

    Args:
        latex: What symgrad printed.
        names: Symbols, or expressions, by how they are printed; those of sizes, too.
        shape: The shape that the value has: `()` or `(rows, columns)`.
        origins: By the symbols of arrays, the indices of their first entries; 1 where left out.

    Raises:
        ParseError: It is not of the language, or shapes do not fit.

    >>> x = sp.MatrixSymbol("x", 3, 1)
    >>> read(r"\frac{1}{2} x^{\top}", {"x": x}, (1, 3))
    (1/2)*x.T
    """
    part = Parser(latex, names).parse()
    try:
        return _built(latex, part, shape, origins or {})
    except RecursionError:
        raise located(latex, 0, "this is nested too deeply") from None


def _built(latex: str, part: Part, shape: Shape, origins: Mapping[Any, Any]) -> Any:
    fitter = Fitter(latex)
    found = fitter.fit(part)
    wanted = fitter.sizes.shape(shape)
    try:
        if found:
            fitter.equate(found, wanted or (sp.S.One, sp.S.One))
        elif wanted and not (part.kind == "number" and part.value == 0):
            raise ParseError("this is a scalar, and a matrix is expected")
        fitter.sizes.settle()
    except ParseError as error:
        raise located(latex, 0, str(error)) from None
    value = Builder(fitter, origins).build(part)
    if value.is_Matrix == bool(shape):
        return value
    return broadcast(value, *shape) if shape else sp.Trace(value)
