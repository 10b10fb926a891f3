"""Compiling: formulas and their gradients become functions of NumPy arrays.

Definition i of the graph is statement i of the line-for-line form, which is the one that is
saved and shown; what runs is the fastest form for the sizes that the arrays have.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from symgrad import graph as graphs
from symgrad import trees
from symgrad.backends.function import CompiledFunction
from symgrad.backends.program import Program, program
from symgrad.backends.recipe import Recipe
from symgrad.backends.targets import check_workers, compiler
from symgrad.errors import OptionError, checks_options, listed, unknown
from symgrad.formula import Formula
from symgrad.gradient import Gradient, gradient
from symgrad.graph import Graph
from symgrad.shapes import Variable, name_of

REDUCTIONS = ("mean", "sum")


@checks_options
def compile(
    formula: Any,
    wrt: Any = None,
    *,
    backend: str = "numpy",
    dtype: Any = None,
    batch: Iterable[str] = (),
    reduce: str | None = None,
    workers: Any = None,
) -> CompiledFunction:
    """Compile a formula, and its gradients, to a function of arrays.

    Args:
        formula: A Formula, the mapping that `gradient` returns, or bare SymPy.
        wrt: Names or symbols whose gradients are wanted; `"parameters"` is all of them.
        backend: The target: `"numpy"`, or `"jax"`, `"torch"` for functions of JAX's arrays and of
            PyTorch's tensors (each is an extra of that name).
        dtype: Arguments are converted to it; None keeps float32 and float64 as they come.
        batch: Names of inputs whose arrays have the samples on an additional first axis.
        reduce: With `batch`: `"mean"` or `"sum"` over samples; left out, the mean for a loss
            or with `wrt`, and one result per sample otherwise.
        workers: Over how many processes `bind` spreads the samples: a number, `"auto"` for as
            many cores as the data are worth, or None for this process alone.

    Returns:
        A function f. With `wrt`, `value, grads = f(**arrays)`, `grads` by name in the shape
        in which the array came; without, `value = f(**arrays)`; for a mapping of gradients,
        `grads = f(**arrays)`.

    Raises:
        OptionError: An unknown name or option.
        UnsupportedError: An operation that the target has no form for; the message names it.

    >>> import sympy as sp
    >>> w, x = sp.symbols("w x", real=True)
    >>> f = compile((w * x - 1) ** 2, wrt=["w"])
    >>> f(w=2, x=3)
    (25.0, {'w': 30.0})
    """
    finish = compiler(backend)
    check_workers(workers)
    if reduce is not None and reduce not in REDUCTIONS:
        raise unknown("reduction", reduce, REDUCTIONS)
    kind = _float_type(dtype)
    made, outputs, keys, valued, single, loss = _wanted(formula, wrt)
    made = made.needed(outputs)
    made = replace(made, inputs=_used_inputs(made, keys))
    chosen = _checked_batch(made, batch)
    if reduce is not None and not chosen:
        raise OptionError("reduce is for arrays of samples; name them in batch=[...]")
    if chosen and reduce is None and (loss or (valued and keys)):
        reduce = "mean"
    moving = graphs.dependents(made, [made.symbols[key] for key in chosen])
    plan = Recipe(
        graph=made,
        outputs=outputs,
        keys=keys,
        valued=valued,
        single=single,
        dtype=kind,
        batch=chosen,
        reduce=reduce,
        dependent=frozenset(moving),
        workers=workers,
    )
    function: CompiledFunction = finish(plan)
    return function


def compiled(plan: Recipe) -> CompiledFunction:
    """Return the NumPy function of a plan."""
    return CompiledFunction(plan)


def _wanted(
    formula: Any, wrt: Any
) -> tuple[Graph, tuple[Any, ...], tuple[str, ...], bool, bool, bool]:
    """Return the graph, its outputs, their keys, and how they are given."""
    if isinstance(formula, Gradient):
        if wrt is not None:
            raise OptionError("wrt is for a loss; a mapping of gradients compiles as it is")
        outputs = tuple(part.output for part in formula.values())
        return formula.graph, outputs, tuple(formula), False, False, True
    value = Formula.of(formula)
    if wrt is None:
        return value.graph, (value.output,), (), True, False, value.model is not None
    names = _names_of(value, wrt)
    parts = gradient(value, names)
    outputs = (value.output, *(parts[name].output for name in names))
    return parts.graph, outputs, tuple(names), True, False, True


def _names_of(value: Formula, wrt: Any) -> list[str]:
    if isinstance(wrt, str) and wrt == "parameters" and wrt not in value.inputs:
        if not value.parameters:
            raise OptionError(
                f"the formula has no parameters; name variables in wrt: {listed(value.inputs)}"
            )
        return list(value.parameters)
    single = not isinstance(wrt, (list, tuple, set, frozenset, Mapping))
    return [name if isinstance(name, str) else name_of(name) for name in ([wrt] if single else wrt)]


def _used_inputs(made: Graph, keys: Iterable[str]) -> tuple[Variable, ...]:
    """Keep the inputs that the outputs depend on, and those that tell a size."""
    used = set().union(*(trees.symbols(e) for _, e in made.definitions), set(made.outputs))
    names = set(keys)
    kept = {v.name for v in made.inputs if v.symbol in used or v.name in names}
    told = {s for v in made.inputs if v.name in kept for s in _sizes_of(v)}
    lacking = (set(made.sizes) & used) - told
    for variable in made.inputs:
        if variable.name not in kept and _sizes_of(variable) & lacking:
            kept.add(variable.name)
            lacking -= _sizes_of(variable)
    return tuple(v for v in made.inputs if v.name in kept)


def _sizes_of(variable: Variable) -> set[Any]:
    return {s for size in variable.sizes for s in size.free_symbols}


def _float_type(dtype: Any) -> Any:
    try:
        kind = None if dtype is None else np.dtype(dtype)
    except TypeError:
        raise unknown("dtype", dtype, ["float32", "float64"]) from None
    if kind is not None and kind.kind != "f":
        raise OptionError(f"dtype is a floating-point type such as 'float32', not {kind}")
    return kind


def _checked_batch(made: Graph, batch: Iterable[str]) -> tuple[str, ...]:
    if isinstance(batch, str):
        raise OptionError(f"batch is a list of names, such as batch=[{batch!r}]")
    names = [v.name for v in made.inputs]
    chosen = tuple(name if isinstance(name, str) else name_of(name) for name in batch)
    for name in chosen:
        if name not in names:
            raise unknown("batch input", name, names)
    return chosen


__all__ = ["CompiledFunction", "Program", "compile", "program"]
