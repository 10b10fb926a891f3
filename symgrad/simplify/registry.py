"""The registry of the rules that are applied to derivatives, and what their examples need."""

from __future__ import annotations

from collections.abc import Iterable
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
    variables = entry_symbols(len(matrices))
    free = body.free_symbols
    kept = [(v, m) for v, m in zip(variables, matrices, strict=True) if v in free]
    if not kept:
        return broadcast(body, *matrices[0].shape)
    coefficient, rest = body.as_independent(*variables, as_Add=False)
    factors = sp.Mul.make_args(rest)
    if all(factor in variables for factor in factors):
        below = dict(kept)
        return scale(coefficient, hadamard(*(below[factor] for factor in factors)))
    fresh = entry_symbols(len(kept))
    renamed = rest.xreplace(dict(zip((v for v, _ in kept), fresh, strict=True)))
    return scale(coefficient, Elementwise(sp.Lambda(fresh, renamed), *(m for _, m in kept)))
