"""Functions compiled from gradients that are compared with an oracle first."""

from __future__ import annotations

import functools
from typing import Any

import sympy as sp

from symgrad.backends.numpy import CompiledFunction
from symgrad.backends.numpy import compile as unchecked_compile
from symgrad.formula import Formula
from symgrad.gradient import gradient
from symgrad.verification.oracle import confirm


@functools.wraps(unchecked_compile)
def compile(formula: Any, wrt: Any = None, **options: Any) -> CompiledFunction:
    """Compile as `symgrad.backends.numpy` does, with gradients of text confirmed."""
    compiled = unchecked_compile(formula, wrt, **options)
    if isinstance(formula, Formula) and formula.source and wrt is not None:
        single = isinstance(wrt, (str, sp.Basic)) and wrt != "parameters"
        confirm(gradient(formula, [wrt] if single else None if wrt == "parameters" else wrt))
    return compiled
