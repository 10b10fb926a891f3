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
from symgrad.reading.printed.building import Sizes, build, find_shape
from symgrad.reading.printed.parser import Parser
from symgrad.shapes import Shape


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
    part = Parser(latex, names).parse()
    sizes = Sizes()
    shapes: dict[int, Shape] = {}
    found = find_shape(part, sizes, shapes)
    if found and shape:
        for own, wanted in zip(found, shape, strict=True):
            sizes.equate(own, wanted)
    elif not found and shape:
        return broadcast(build(part, sizes, shapes), *shape)
    elif found:
        for own in found:
            sizes.equate(own, sp.S.One)
    value = build(part, sizes, shapes)
    return sp.Trace(value) if value.is_Matrix and not shape else value
