"""The values of a worked example: an array for every input, small enough to be printed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from symgrad import trees
from symgrad.errors import DataError, OptionError, listed, unknown
from symgrad.graph import Graph
from symgrad.shapes import name_of

#: A larger axis is not printed.
LARGEST = 8


def checked(graph: Graph, given: Mapping[str, Any]) -> dict[str, Any]:
    """Read the values of an example: an array for every input.

    Raises:
        DataError: Something that is no array of finite numbers, or is too large to be printed.
        OptionError: An input without a value, or a name that is none.

    >>> import sympy as sp
    >>> from symgrad.formula import Formula
    >>> made = Formula.of(sp.Symbol("x", real=True) ** 2).graph
    >>> checked(made, {"x": -2})
    {'x': array(-2.)}
    """
    if not isinstance(given, Mapping):
        raise OptionError(f"example is a mapping of names to arrays, not {type(given).__name__}")
    used = {s for _, e in graph.definitions for s in trees.symbols(e)}
    wanted = [v.name for v in graph.inputs if v.symbol in used]
    named = {name_of(key): value for key, value in given.items()}
    for name in named:
        if name not in [v.name for v in graph.inputs]:
            raise unknown("input of the example", name, wanted)
    missing = [name for name in wanted if name not in named]
    if missing:
        raise OptionError(f"the example has no value for {listed(missing)}")
    found = {}
    for name in wanted:
        try:
            array = np.asarray(named[name], dtype=float)
        except (TypeError, ValueError):
            raise DataError(f"the example's `{name}` is no array of numbers") from None
        if not np.isfinite(array).all():
            raise DataError(f"the example's `{name}` has numbers that are not finite")
        if array.ndim > 2 or max(array.shape, default=1) > LARGEST:
            raise DataError(
                f"an example is printed with at most {LARGEST} rows and columns, and `{name}` has "
                f"the shape {array.shape}"
            )
        found[name] = array
    return found
