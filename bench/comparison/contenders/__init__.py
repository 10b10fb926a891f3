"""The contenders, a file for each tool or pair of tools; none is imported before it is built."""

from . import (
    casadi_side,
    jax_side,
    native,
    numba_side,
    pytensor_side,
    python_side,
    symgrad_side,
    sympy_side,
    torch_side,
    vector_side,
)

MODULES = (
    symgrad_side,
    native,
    jax_side,
    torch_side,
    casadi_side,
    vector_side,
    numba_side,
    pytensor_side,
    sympy_side,
    python_side,
)
CONTENDERS = tuple(contender for module in MODULES for contender in module.CONTENDERS)


def of_kind(kind, wanted=()):
    """The contenders of a kind whose names begin with one of `wanted`; symgrad is always in."""
    return [
        c
        for c in CONTENDERS
        if c.kind == kind
        and (not wanted or any(c.name.startswith(w) for w in (*wanted, "symgrad")))
    ]
