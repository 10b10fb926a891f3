"""What the nodes of a circuit are."""

from __future__ import annotations

from typing import Any, NamedTuple

import sympy as sp

#: The names of what nodes are; those of conditions come last.
NUMBER, VARIABLE, CONSTANT = "number", "variable", "constant"
ADD, MULTIPLY, POWER, EXP, LOG, SIN, COS = "add", "multiply", "power", "exp", "log", "sin", "cos"
CALL, SELECT = "call", "select"
POSITIVE, ZERO, NOT, AND = "positive", "zero", "not", "and"
#: Kinds whose nodes hold or do not hold.
CONDITIONS = frozenset({POSITIVE, ZERO, NOT, AND})


class Node(NamedTuple):
    """One operation.

    Attributes:
        kind: What it does, one of the names above.
        args: The nodes that it works on.
        value: The number, the name of a variable, the exponent, the SymPy constant or function.
    """

    kind: str
    args: tuple[int, ...] = ()
    value: Any = None


class Undefined(sp.Function):
    """No value at all: a division by zero, or a Piecewise where no condition holds."""

    nargs = 0

    def _eval_evalf(self, prec: int) -> Any:
        return sp.nan
