"""Tapes evaluated one operation after the other with plain NumPy: what every target is held to."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import sympy as sp

from symgrad.errors import DataError
from symgrad.functions import kernels_of
from symgrad.tape import (
    BROADCAST,
    INNER,
    INPUT,
    LARGEST,
    MATMUL,
    NUMBER,
    SLICE,
    SUM,
    TRANSPOSE,
    Op,
    Tape,
)

#: NumPy's names of entrywise operations, where they differ from the tape's.
UFUNCS = {
    "abs": "absolute",
    "and": "logical_and",
    "or": "logical_or",
    "not": "logical_not",
    "atan2": "arctan2",
}


def extent(size: Any, sizes: Mapping[Any, int]) -> int:
    """Return the number that a size is."""
    if isinstance(size, int):
        return size
    return int(size.xreplace({s: sp.Integer(n) for s, n in sizes.items()}))


def number_at(number: Any, sizes: Mapping[Any, int]) -> float:
    """Return a factor as a float, from the sizes that arrays have.

    Raises:
        DataError: It has no value for such arrays: 1/(n - 1) of one sample.
    """
    if number.is_Integer or number.is_Float:
        return float(number)
    found = number.xreplace({s: sp.Integer(n) for s, n in sizes.items()})
    if found.is_real is False or found.has(sp.zoo, sp.nan):
        known = ", ".join(f"{s} = {sizes[s]}" for s in sorted(number.free_symbols, key=str))
        raise DataError(
            f"the formula has the factor {number}, which has no value for arrays with {known}"
            if known
            else "the formula has a factor that has no value for one sample: it divides by 0"
        )
    return float(found)


def _kernel(name: str) -> Callable[..., Any]:
    namespace: dict[str, Any] = {"np": np}
    # The text comes from the registry of functions, never from outside.
    exec("\n\n".join(kernels_of([name]).values()), namespace)
    return namespace[name]  # type: ignore[no-any-return]


#: Entrywise operations that are no function of NumPy's.
KERNELS = {name: _kernel(name) for name in ("sigmoid", "softplus", "step", "erf", "erfc")}


def entrywise(kind: str) -> Callable[..., Any]:
    """Return the NumPy function of an entrywise operation."""
    return KERNELS.get(kind) or getattr(np, UFUNCS.get(kind, kind))


def evaluated(
    tape: Tape, arrays: Mapping[str, Any], sizes: Mapping[Any, int]
) -> dict[str, np.ndarray]:
    """Evaluate a tape.

    Args:
        tape: The tape.
        arrays: The inputs by name, of two axes, held as the tape holds them but not turned: an
            input of one sample has its samples as columns.
        sizes: Numbers for symbolic sizes.

    Returns:
        The outputs by name, with their samples, where they have some, as columns.
    """
    values: list[Any] = []
    for op in tape.ops:
        values.append(_computed(op, [values[arg] for arg in op.args], arrays, sizes))
    results = {}
    for name, output in tape.outputs.items():
        value = number_at(output.factor, sizes) * values[output.node]
        results[name] = value.T if output.turned else value
    return results


def _computed(op: Op, args: list[Any], arrays: Mapping[str, Any], sizes: Mapping[Any, int]) -> Any:
    if op.kind == INPUT:
        name, turned = op.data
        return arrays[name].T if turned else arrays[name]
    if op.kind == NUMBER:
        return np.full((1, 1), number_at(op.data, sizes))
    if op.kind == MATMUL:
        left, right = (a.T if t else a for a, t in zip(args, op.data, strict=True))
        return left @ right
    if op.kind == TRANSPOSE:
        return args[0].T
    if op.kind == BROADCAST:
        return np.broadcast_to(args[0], tuple(extent(size, sizes) for size in op.shape))
    if op.kind == SUM:
        return args[0].sum(axis=op.data, keepdims=True)
    if op.kind == LARGEST:
        return args[0].max(axis=op.data, keepdims=True)
    if op.kind == INNER:
        return np.sum(args[0] * args[1], keepdims=True)
    if op.kind == SLICE:
        row, column = op.data
        part = args[0][row : row + 1]
        return part if column is None else part[:, column : column + 1]
    return entrywise(op.kind)(*args)
