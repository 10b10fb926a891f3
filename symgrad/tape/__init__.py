"""Tapes: straight-line code over arrays, between the formulas and the text of a target.

A `Tape` is a list of operations on matrices, each named by its place in the list, with equal
operations recorded once. Factors are kept apart from arrays until they are small (`Value`), a
transpose is a flag of its reader, and one size, that of the samples, may be told to stand last
in memory. What a tape computes is what its graph says; how it is held is the tape's own.

    sum of rows:   Op("sum", (3,), shape=(1, 4), data=0)

Targets print tapes; `symgrad.tape.scalars` writes one out entry by entry.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple

import sympy as sp

#: The size of the axis that samples lie on, where a formula is of one sample.
SAMPLES = sp.Dummy("samples", dummy_index=20, integer=True, positive=True)

INPUT, NUMBER, MATMUL, TRANSPOSE, BROADCAST = "input", "number", "matmul", "transpose", "broadcast"
SUM, LARGEST, SLICE, INNER = "sum", "largest", "slice", "inner"

#: Operations that work entry by entry, and how many arguments they take. A (1, c), (r, 1) or
#: (1, 1) argument is repeated, as NumPy does.
ENTRYWISE: dict[str, int] = {
    **dict.fromkeys(("add", "subtract", "multiply", "divide", "power", "atan2"), 2),
    **dict.fromkeys(("maximum", "minimum", "greater", "greater_equal", "equal"), 2),
    **dict.fromkeys(("and", "or"), 2),
    **dict.fromkeys(("negative", "square", "sqrt", "reciprocal", "abs", "sign", "not"), 1),
    **dict.fromkeys(("exp", "expm1", "log", "log1p", "floor", "ceil"), 1),
    **dict.fromkeys(("sin", "cos", "tan", "arcsin", "arccos", "arctan"), 1),
    **dict.fromkeys(("sinh", "cosh", "tanh", "arcsinh", "arccosh", "arctanh"), 1),
    **dict.fromkeys(("sigmoid", "softplus", "step", "erf", "erfc"), 1),
    "where": 3,
}
#: Operations whose results are true or false.
LOGICAL = frozenset(("greater", "greater_equal", "equal", "and", "or", "not"))


class Op(NamedTuple):
    """One operation.

    Attributes:
        kind: What is done: a key of `ENTRYWISE`, or one of this module's names in capitals.
        args: The places of what it works on.
        shape: Rows and columns of the result: integers or SymPy sizes.
        data: What else it needs: the name of an input, a number, flags of transposes, an axis.
    """

    kind: str
    args: tuple[int, ...] = ()
    shape: tuple[Any, Any] = (1, 1)
    data: Any = None


class Value(NamedTuple):
    """An array that an expression stands for: factor times what a node holds.

    Attributes:
        factor: A number, or an expression of sizes such as 2/n.
        node: The place of an operation.
        turned: Whether the node holds the transpose.
        shape: Rows and columns of the value of one sample. The node's may be smaller, where the
            value is repeated, and has the samples as columns where it depends on them.
    """

    factor: Any
    node: int
    turned: bool
    shape: tuple[Any, Any]


@dataclass(frozen=True)
class Tape:
    """Operations in the order in which they can run, and what is asked for.

    Attributes:
        ops: The operations, each after those that it works on.
        outputs: The values that are asked for, by name.
        axis: The size of the samples' axis, which stands last; None where no size is told so.
    """

    ops: tuple[Op, ...]
    outputs: dict[str, Value]
    axis: Any = None

    @cached_property
    def inputs(self) -> dict[str, int]:
        """The place of every input by name."""
        return {op.data[0]: place for place, op in enumerate(self.ops) if op.kind == INPUT}

    def __str__(self) -> str:
        lines = []
        for place, op in enumerate(self.ops):
            parts = [f"v{arg}" for arg in op.args] + ([str(op.data)] if op.data is not None else [])
            lines.append(f"v{place} = {op.kind}({', '.join(parts)})  {op.shape}")
        for name, value in self.outputs.items():
            turned = ".T" if value.turned else ""
            lines.append(f"{name} = {value.factor} * v{value.node}{turned}")
        return "\n".join(lines)


from symgrad.tape.reading import recorded  # noqa: E402
from symgrad.tape.recorder import Recorder  # noqa: E402

__all__ = ["ENTRYWISE", "LOGICAL", "SAMPLES", "Op", "Recorder", "Tape", "Value", "recorded"]
