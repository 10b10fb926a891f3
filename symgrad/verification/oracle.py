"""An oracle for gradients: the loss written out in scalars, differentiated without any rule.

At small concrete sizes every entry is a node of its own, and these are differentiated one by one:
no rule of matrices takes part in it.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import Any

import mpmath
import numpy as np
import sympy as sp

from symgrad.circuit import Circuit
from symgrad.errors import SymgradError, UnsupportedError
from symgrad.gradient import Gradient
from symgrad.graph import SYMMETRIC
from symgrad.graph.requirements import possible
from symgrad.lowering.calculus import gradient as slopes_of
from symgrad.shapes import Variable, name_of
from symgrad.verification.balls import balls
from symgrad.verification.points import drawn
from symgrad.verification.questions import written
from symgrad.verification.settings import Setting

#: Sizes of symbolic axes: different, and none is one.
SIZES = (3, 2, 4, 5)
#: Formulas that have more operations than this, written out at these sizes, are not compared.
MOST_OPERATIONS = 100_000
#: How many points are tried until the loss has a value, and to how many digits.
TRIES, DIGITS = 12, 40
#: Relative differences below this are rounding.
TOLERANCE = mpmath.mpf(10) ** -20
#: Assumptions under which entries do not vary one by one.
STRUCTURE = frozenset(
    {
        "symmetric",
        "positive definite",
        "orthogonal",
        "rows sum to one",
        "entries sum to one",
        "one-hot",
    }
)


def confirm(derived: Gradient) -> None:
    """Compare gradients with the oracle.

    Raises:
        UnsupportedError: One of them is wrong.
    """
    wrong = difference(derived)
    if wrong is not None:
        raise UnsupportedError(
            f"the gradient by `{wrong}` does not agree with the oracle, and is not returned: this "
            "is a fault of symgrad's; please report the formula"
        )


def difference(derived: Gradient) -> str | None:
    """Return the name of a variable whose gradient differs from the oracle's, or None.

    >>> from symgrad.reading.text import parse
    >>> from symgrad.gradient import gradient
    >>> difference(gradient(parse("sum(tanh(X @ w))", {"X": ("n", 2), "w": 2}), ["w"]))
    """
    graph = derived.graph
    names = [name_of(size) for size in graph.sizes]
    generic = {name: SIZES[k % len(SIZES)] + k // 4 for k, name in enumerate(names)}
    free = replace(graph, inputs=tuple(map(_unstructured, graph.inputs)))
    # Eigenvalues have a form in scalars for two rows alone.
    for wanted in (generic, dict.fromkeys(names, 2)):
        try:
            sizes = possible(wanted, graph)
            world = written(free, sizes, {})
            break
        except SymgradError:
            continue
    else:
        return None  # what has no form in scalars has no oracle
    circuit = world.setting.circuit
    if len(circuit) > MOST_OPERATIONS:
        return None
    loss = int(np.ravel(world.named[name_of(derived.loss.output)])[0])
    pairs: dict[str, list[tuple[int, int]]] = {}
    for name, formula in derived.items():
        entries = [int(node) for node in np.ravel(world.named[name])]
        slopes = slopes_of(circuit, loss, entries)
        if graph.label(formula.output).letter == SYMMETRIC:
            slopes = symmetric_part(circuit, slopes)
        claimed = [int(node) for node in np.ravel(world.named[name_of(formula.output)])]
        pairs[name] = list(zip(slopes, claimed, strict=True))
    nodes = [loss, *(node for found in pairs.values() for pair in found for node in pair)]
    for point in _points(graph.inputs, world.setting, sizes):
        values = balls(circuit, nodes, point, DIGITS)
        if all(mpmath.isfinite(value) for value, _ in values.values()):
            return _differing(pairs, values)
    return None


def symmetric_part(circuit: Circuit, slopes: list[int]) -> list[int]:
    """Return the mean of a square table of nodes, row by row, and of its transpose."""
    size = math.isqrt(len(slopes))
    whole = np.reshape(slopes, (size, size))
    half = circuit.number(sp.Rational(1, 2))
    pairs = zip(whole.ravel(), whole.T.ravel(), strict=True)
    return [circuit.multiply(half, circuit.add(int(a), int(b))) for a, b in pairs]


def _unstructured(variable: Variable) -> Variable:
    words = tuple(word for word in variable.assumptions if word not in STRUCTURE)
    return replace(variable, assumptions=words)


def _points(inputs: Iterable[Variable], free: Setting, sizes: Any) -> Iterator[dict[str, Any]]:
    """Yield points that keep the assumptions, as values of all entries."""
    setting = Setting(Circuit(), inputs, sizes, {})
    names = setting.circuit.variables(range(len(setting.circuit)))
    points, _ = drawn(names, setting.ranges)
    tables = [(setting.tables[name], free.tables[name]) for name in setting.tables]
    own = [int(node) for table, _ in tables for node in np.ravel(table)]
    other = [free.circuit.nodes[int(node)].value for _, table in tables for node in np.ravel(table)]
    for number in range(TRIES):
        point = {name: float(values[number]) for name, values in points.items()}
        values = balls(setting.circuit, own, point, DIGITS)
        if all(mpmath.isfinite(values[node][0]) for node in own):
            yield {name: values[node][0] for name, node in zip(other, own, strict=True)}


def _differing(pairs: dict[str, list[tuple[int, int]]], values: Any) -> str | None:
    for name, found in pairs.items():
        scale = max((abs(values[slope][0]) for slope, _ in found), default=mpmath.mpf(0))
        for slope, claimed in found:
            (a, first), (b, second) = values[slope], values[claimed]
            if abs(a - b) > first + second + TOLERANCE * scale:
                return name
    return None
