"""The registry of the rules that are applied to derivatives, and what their examples need."""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache
from typing import Any

import sympy as sp

from symgrad.algebra import broadcast, hadamard, scale
from symgrad.matrices import Elementwise, entry_symbols
from symgrad.spelling import Registry

#: The rules that are applied to derivatives.
REWRITES = Registry()


def scalar(name: str = "x") -> Any:
    """Return a real symbol.

    >>> scalar()
    x
    """
    return sp.Symbol(name, real=True)


def array(name: str = "A", rows: int = 2, columns: int = 3) -> Any:
    """Return a small matrix symbol.

    >>> array().shape
    (2, 3)
    """
    return sp.MatrixSymbol(name, rows, columns)


def mapped(function: Any, *matrices: Any) -> Any:
    """Take a function of the entries of matrices, as it is.

    >>> mapped(sp.tanh, array()).shape
    (2, 3)
    """
    variables = entry_symbols(len(matrices))
    return Elementwise(sp.Lambda(variables, function(*variables)), *matrices)


def of_entries(body: Any, matrices: Iterable[Any]) -> Any:
    """Take a function of entries, of those matrices that it depends on.

    >>> of_entries(entry_symbols(2)[1] + 1, [array(), array("B")]).matrices
    (B,)
    """
    matrices = tuple(matrices)
    coefficient, function, places = _of_places(body, len(matrices))
    if not places:
        return broadcast(body, *matrices[0].shape)
    kept = [matrices[place] for place in places]
    if function is None:
        return scale(coefficient, hadamard(*kept))
    return scale(coefficient, Elementwise(function, *kept))


@lru_cache(maxsize=4096)
def _of_places(body: Any, count: int) -> tuple[Any, Any, tuple[int, ...]]:
    """Split a body into a factor, a function, and the places of the matrices that it is of.

    No function is the product of the entries.
    """
    variables = entry_symbols(count)
    free = body.free_symbols
    kept = [place for place, variable in enumerate(variables) if variable in free]
    if not kept:
        return body, None, ()
    coefficient, rest = body.as_independent(*variables, as_Add=False)
    factors = sp.Mul.make_args(rest)
    if all(factor in variables for factor in factors):
        return coefficient, None, tuple(variables.index(factor) for factor in factors)
    fresh = entry_symbols(len(kept))
    renamed = rest.xreplace(dict(zip((variables[k] for k in kept), fresh, strict=True)))
    return coefficient, sp.Lambda(fresh, renamed), tuple(kept)
