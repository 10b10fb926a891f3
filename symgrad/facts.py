"""What is known of declared variables: what sums to one, what is symmetric or positive."""

from __future__ import annotations

import re
from collections.abc import Iterable

from symgrad.shapes import Variable


def sum_axis(variable: Variable) -> int | None:
    """Return the axis along which a variable's entries sum to one, or None.

    >>> from symgrad.shapes import declare
    >>> sum_axis(declare("Y", ("n", 3), "rows sum to one")), sum_axis(declare("y", (3,), "one-hot"))
    (1, 0)
    """
    words = set(variable.assumptions)
    if not variable.shape:
        return None
    if "entries sum to one" in words:
        rows, columns = variable.inside
        return 0 if columns == 1 else 1 if rows == 1 else None
    if {"rows sum to one", "one-hot"} & words:
        return 0 if len(variable.shape) == 1 else 1
    return None


def is_symmetric(variable: Variable) -> bool:
    """Tell whether a variable equals its transpose.

    >>> from symgrad.shapes import declare
    >>> is_symmetric(declare("A", ("n", "n"), "positive definite"))
    True
    """
    return bool({"symmetric", "positive definite"} & set(variable.assumptions))


def is_positive(variable: Variable) -> bool:
    """Tell whether all entries of a variable are greater than zero.

    >>> from symgrad.shapes import declare
    >>> is_positive(declare("p", ("n",), "in (0,1)")), is_positive(declare("p", ("n",), "in [0,1]"))
    (True, False)
    """
    return bool({"positive", "in (0,1)"} & set(variable.assumptions))


def sums_of_scalars(variables: Iterable[Variable]) -> list[tuple[Variable, ...]]:
    """Return the groups of scalars that sum to one: those whose names differ in a number.

    >>> from symgrad.shapes import declare
    >>> word = "entries sum to one"
    >>> found = sums_of_scalars(declare(name, (), word) for name in ("y_1", "y_2", "s1", "s2"))
    >>> [[v.name for v in group] for group in found]
    [['y_1', 'y_2'], ['s1', 's2']]
    """
    groups: dict[str, list[Variable]] = {}
    for variable in variables:
        if not variable.shape and "entries sum to one" in variable.assumptions:
            groups.setdefault(stem(variable.name), []).append(variable)
    return [tuple(group) for group in groups.values()]


def stem(name: str) -> str:
    """Return a name without the number at its end.

    >>> stem("y_12"), stem("y1"), stem("y")
    ('y', 'y', 'y')
    """
    return re.sub(r"_?[0-9]+$", "", name)
