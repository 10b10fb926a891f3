"""The targets of code generation: a target is added by one line here and one file beside this.

Its file has a function `compiled` that takes a plan (what `symgrad.backends.numpy.compile` made of
its arguments: the graph, its outputs, how arrays are taken and results are given) and returns a
`CompiledFunction`. The file is imported when the target is asked for, so that what it needs is
needed by those alone who use it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from importlib.util import find_spec
from typing import Any

from symgrad.errors import OptionError, unknown


@dataclass(frozen=True)
class Target:
    """One target.

    Attributes:
        name: What users write, `backend="jax"`.
        module: The module of symgrad that compiles for it.
        needs: The package that must be there; empty where NumPy is enough.
        extra: symgrad's extra that installs it.
    """

    name: str
    module: str
    needs: str = ""
    extra: str = ""


#: Every target, by name.
BACKENDS: dict[str, Target] = {
    target.name: target
    for target in (
        Target("numpy", "symgrad.backends.numpy"),
        Target("c", "symgrad.backends.c"),
        Target("numba", "symgrad.backends.numba", needs="numba", extra="numba"),
        Target("javascript", "symgrad.backends.javascript"),
        Target("jax", "symgrad.backends.jax", needs="jax", extra="jax"),
        Target("torch", "symgrad.backends.torch", needs="torch", extra="torch"),
    )
}


def compiler(name: Any) -> Callable[[Any], Any]:
    """Return what compiles a plan for a target.

    Raises:
        OptionError: There is no such target, or the package that it needs is not installed.

    >>> compiler("numpy").__name__
    'compiled'
    """
    if name not in BACKENDS:
        raise unknown("backend", name, BACKENDS)
    target = BACKENDS[name]
    if target.needs and find_spec(target.needs) is None:
        raise OptionError(
            f"backend={name!r} needs the package `{target.needs}`, which is not installed here: "
            f"pip install 'symgrad[{target.extra}]'"
        )
    found: Callable[[Any], Any] = import_module(target.module).compiled
    return found


def check_workers(given: Any) -> None:
    """Refuse what is no number of workers.

    Raises:
        OptionError: It is neither None nor "auto" nor a whole number of at least 1.

    >>> check_workers("auto")
    """
    whole = isinstance(given, int) and not isinstance(given, bool)
    if given in (None, "auto") if not whole else given >= 1:
        return
    raise OptionError(
        "workers is a whole number of at least 1, None for none beside this process, or "
        f"'auto' for as many as the data are worth; got {given!r}"
    )


__all__ = ["BACKENDS", "Target", "check_workers", "compiler"]
