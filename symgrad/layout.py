"""Layouts of derivatives: in the shape of the parameter, or transposed, as in a Jacobian.

In numerator layout the derivative of a number by a column is a row, and that by an (r, c) matrix
has the shape (c, r). Kronecker products apart, it is the same derivation with every adjoint of a
matrix transposed: A' = (value)^T, wherever A stood stands A'^T.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import sympy as sp

from symgrad import trees
from symgrad.algebra import add, scale, split_coefficient, transpose
from symgrad.derivation import Derivation


def numerator(derived: Derivation) -> Derivation:
    """Return a derivation whose derivatives by columns are rows, and by matrices transposed.

    >>> from symgrad.gradient import gradient
    >>> a, x = sp.MatrixSymbol("a", 3, 1), sp.MatrixSymbol("x", 3, 1)
    >>> made = numerator(gradient(sp.Trace(a.T * x), ["x"]).derivation)
    >>> made.adjoints[0].value, made.adjoints[0].symbol.shape
    (a.T, (1, 3))
    """
    flipped = {
        adjoint.symbol: sp.MatrixSymbol(adjoint.symbol.name, *adjoint.symbol.shape[::-1])
        for adjoint in derived.adjoints
        if adjoint.symbol.is_Matrix
    }
    inside = {symbol: sp.Transpose(other) for symbol, other in flipped.items()}

    def turned(symbol: Any, value: Any) -> Any:
        value = trees.replace(value, inside)
        return _transposed(value) if symbol in flipped else value

    adjoints = tuple(
        replace(
            adjoint,
            symbol=flipped.get(adjoint.symbol, adjoint.symbol),
            value=turned(adjoint.symbol, adjoint.value),
            contributions=tuple(
                replace(c, value=turned(adjoint.symbol, c.value)) for c in adjoint.contributions
            ),
        )
        for adjoint in derived.adjoints
    )
    made = derived.result
    graph = replace(
        made,
        definitions=tuple((flipped.get(s, s), turned(s, e)) for s, e in made.definitions),
        outputs=tuple(flipped.get(symbol, symbol) for symbol in made.outputs),
    )
    return replace(derived, adjoints=adjoints, result=graph)


def _transposed(value: Any) -> Any:
    """Transpose a sum term by term, as people write it."""
    coefficient, rest = split_coefficient(value)
    if isinstance(rest, sp.MatAdd):
        return scale(coefficient, add(*map(_transposed, rest.args)))
    return transpose(value)
