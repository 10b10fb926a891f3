"""The NumPy backend: definition i of the graph is statement i of the function.

`compile` returns a `CompiledFunction` that checks what it is given and calls
the generated function, whose source can be read (`.source`) and saved as a
module that needs NumPy alone (`.save`).
"""

from __future__ import annotations

import linecache
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from symgrad import graph as graphs
from symgrad import trees
from symgrad.backends.arguments import FLOAT, Call, Slot, evaluated, gathered
from symgrad.backends.program import Program, program
from symgrad.backends.targets import compiler
from symgrad.errors import (
    DataError,
    OptionError,
    ShapeError,
    checks_options,
    listed,
    unknown,
)
from symgrad.files import write
from symgrad.formula import Formula
from symgrad.gradient import Gradient, gradient
from symgrad.graph import Graph
from symgrad.graph.layouts import SCALAR, held_shape, layouts
from symgrad.graph.requirements import requirements
from symgrad.shapes import Variable, name_of

REDUCTIONS = ("mean", "sum")


# --------------------------------------------------------------- calling it


class CompiledFunction:
    """A generated NumPy function that checks its arguments.

    Call it with arrays by name, or with one mapping (for names that are not Python
    identifiers). Every array has the declared shape; sizes that are names are taken from
    the arrays and must agree. For an (n, 1) or (1, n) input a 1-D array is taken too.
    Results never share memory with arguments or with each other.
    """

    def __init__(self, plan: _Plan) -> None:
        self._plan = plan
        self._function = _loaded(plan.program)

    @property
    def source(self) -> str:
        """The source that runs, with the helper functions that it calls."""
        return f"import numpy as np\n\n\n{self._plan.program.module}"

    @property
    def listing(self) -> str:
        """The line-for-line form: definition i of the graph is statement i."""
        return self._plan.program.source

    @property
    def inputs(self) -> dict[str, Variable]:
        """The declared inputs by name."""
        return {v.name: v for v in self._plan.graph.inputs}

    @property
    def results(self) -> tuple[str, ...]:
        """The names of the value and of the gradients that a call returns."""
        return tuple(map(name_of, self._plan.outputs))

    def __repr__(self) -> str:
        return f"<compiled {', '.join(self.results)} of {listed(self.inputs)}>"

    def __call__(self, arrays: Mapping[str, Any] | None = None, /, **named: Any) -> Any:
        """Evaluate.

        Raises:
            OptionError: An argument is missing or unknown.
            ShapeError: An array does not have its declared shape.
            DataError: An argument is not made of numbers, or a matrix to invert is singular.
        """
        plan = self._plan
        call = Call.of(plan.slots, gathered(arrays, named), plan.dtype)
        plan.check_sizes(call)
        try:
            return plan.presented(call, self._evaluate(call))
        except np.linalg.LinAlgError as error:
            raise DataError(
                "a matrix is singular at these values, and the formula needs its inverse "
                "(so does the derivative of a determinant)"
            ) from error

    def _evaluate(self, call: Call) -> list[Any]:
        if self._plan.program.form == "looped":
            return _looped(self._plan, self._function, call)
        return _as_list(self._function(*call.arguments), self._plan)

    def save(self, path: str | Path) -> Path:
        """Write a module that imports only NumPy and checks its gradients when run.

        Raises:
            UnsupportedError: The function runs over samples in a loop.
        """
        from symgrad.backends.module import text_of

        return write(path, text_of(self._plan))


def _as_list(result: Any, plan: _Plan) -> list[Any]:
    return list(result) if len(plan.outputs) > 1 else [result]


def _loaded(made: Program) -> Callable[..., Any]:
    """Load generated source; `linecache` lets tracebacks show its lines."""
    text = f"import numpy as np\n\n\n{made.module}"
    filename = f"<symgrad {made.name} {abs(hash(text)):x}>"
    linecache.cache[filename] = (len(text), None, text.splitlines(keepends=True), filename)
    namespace: dict[str, Any] = {"np": np}
    # Only source printed by an Emitter comes here, with identifiers of its own choosing.
    exec(compile_source(text, filename), namespace)
    return namespace[made.name]  # type: ignore[no-any-return]


def compile_source(text: str, filename: str) -> Any:
    """Compile generated source; Python's `compile`, which this module's verb shadows."""
    import builtins

    return builtins.compile(text, filename, "exec")


def _looped(plan: _Plan, function: Callable[..., Any], call: Call) -> list[Any]:
    """Evaluate sample by sample and stack the results."""
    rows = []
    for k in range(call.samples):
        arguments = [
            value[k] if name in plan.batch else value
            for name, value in zip(plan.program.arguments, call.arguments, strict=True)
        ]
        rows.append(_as_list(function(*arguments), plan))
    return [np.stack([np.asarray(row[j]) for row in rows]) for j in range(len(plan.outputs))]


#: Words that are used in gradients, and words that are used in values, too.
TIED = ("symmetric", "positive definite", "orthogonal")
RANGES = ("positive", "in (0,1)", "integer")


@dataclass(frozen=True)
class _Plan:
    """What a compiled function needs to know to take arguments and give results.

    Attributes:
        outputs: Symbols: the value first, where it is wanted, then gradients.
        keys: The names under which gradients are given, in the order of `outputs`.
        valued: Whether the first output is the value.
        reduce: How samples are put together, or None for a result per sample.
        dependent: The outputs that depend on an input with samples.
    """

    graph: Graph
    program: Program
    outputs: tuple[Any, ...]
    keys: tuple[str, ...]
    valued: bool
    single: bool
    dtype: Any
    batch: tuple[str, ...]
    reduce: str | None
    dependent: frozenset[Any]

    @cached_property
    def layouts(self) -> dict[Any, str]:
        """How the outputs are held."""
        held = layouts(self.graph)
        return {symbol: held[symbol] for symbol in self.outputs}

    @cached_property
    def slots(self) -> dict[str, Slot]:
        """What every input must look like."""
        form = self.program.form
        return {
            v.name: Slot.of(v, v.name in self.batch, form, self._facts(v))
            for v in self.graph.inputs
        }

    def _facts(self, variable: Variable) -> list[str]:
        """Return what the formula uses of a variable: its arrays are checked for that."""
        tied = {name for label in self.graph.labels.values() for name in label.tied}
        wanted = [*TIED * (variable.name in tied), *RANGES]
        return [word for word in variable.assumptions if word in wanted]

    @property
    def form_is_scalar(self) -> bool:
        """Whether the one output is a number for every sample."""
        return self.layouts[self.outputs[0]] == SCALAR

    @cached_property
    def requirements(self) -> tuple[Any, ...]:
        """What the sizes must be, so that slices lie inside of arrays."""
        return requirements(self.graph)

    def check_sizes(self, call: Call) -> None:
        """Refuse arrays that are too small.

        Raises:
            ShapeError: A slice or an entry lies outside.
        """
        for size in self.requirements:
            if evaluated(size, call.sizes) < 0:
                known = ", ".join(
                    f"{s} = {call.sizes[str(s)]}" for s in sorted(size.free_symbols, key=str)
                )
                raise ShapeError(
                    f"the formula takes entries that arrays with {known} do not have; it needs "
                    f"{size} >= 0"
                )

    def presented(self, call: Call, values: list[Any]) -> Any:
        """Put raw values into the shapes and containers that users get."""
        values = [self._settled(call, s, v) for s, v in zip(self.outputs, values, strict=True)]
        values = _unshared(values, call)
        if not self.keys:
            return values[0]
        given = values[1:] if self.valued else values
        gradients = {
            key: call.as_given(key, value) for key, value in zip(self.keys, given, strict=True)
        }
        if self.single:
            return gradients[self.keys[0]]
        return (values[0], gradients) if self.valued else gradients

    def _settled(self, call: Call, symbol: Any, value: Any) -> Any:
        layout = self.layouts[symbol]
        value = np.asarray(value)
        if self.batch:
            value = self._over_samples(call, symbol, value, layout)
        if value.dtype != call.dtype:
            # Constants are written as Python numbers; results have the type of the data.
            value = value.astype(call.dtype)
        if layout == SCALAR and value.ndim == 0:
            return float(value) if call.dtype == FLOAT else value[()]
        return value

    def _over_samples(self, call: Call, symbol: Any, value: Any, layout: str) -> Any:
        """Reduce the leading axis, or keep it where one result per sample is wanted."""
        inner = held_shape(symbol, layout)
        sizes = tuple(evaluated(size, call.sizes) for size in inner)
        own = self.graph.label(symbol).of in self.batch
        stacked = self.program.form == "looped" or symbol in self.dependent
        full = value.reshape((call.samples, *sizes)) if stacked else value.reshape(sizes)
        if not stacked and (self.reduce is None or own):
            full = np.broadcast_to(full, (call.samples, *sizes))
        if own:
            return full / call.samples if self.reduce == "mean" else full
        if self.reduce is None:
            return full
        if not stacked:
            return full * call.samples if self.reduce == "sum" else full
        return full.mean(axis=0) if self.reduce == "mean" else full.sum(axis=0)


def _unshared(values: list[Any], call: Call) -> list[Any]:
    """Copy results that share memory with an argument or with an earlier result."""
    kept: list[Any] = []
    for value in values:
        if isinstance(value, np.ndarray) and (
            value.base is not None
            or not value.flags.writeable
            or any(value is other for other in (*kept, *call.arguments))
        ):
            value = value.copy()
        kept.append(value)
    return kept


# ------------------------------------------------------------------- compile


@checks_options
def compile(
    formula: Any,
    wrt: Any = None,
    *,
    backend: str = "numpy",
    dtype: Any = None,
    batch: Iterable[str] = (),
    reduce: str | None = None,
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
    name = "value_and_gradients" if valued and keys else "gradients" if keys else "value"
    generated = program(made, outputs, chosen, name)
    moving = graphs.dependents(made, [made.symbols[key] for key in chosen])
    plan = _Plan(
        graph=made,
        program=generated,
        outputs=outputs,
        keys=keys,
        valued=valued,
        single=single,
        dtype=kind,
        batch=chosen,
        reduce=reduce,
        dependent=frozenset(moving),
    )
    function: CompiledFunction = finish(plan)
    return function


def compiled(plan: _Plan) -> CompiledFunction:
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
    kept = [v for v in made.inputs if v.symbol in used or v.name in set(keys)]
    sizes = {s for _, e in made.definitions for s in _free_sizes(e, made)}
    for variable in made.inputs:
        told = {s for v in kept for size in v.sizes for s in size.free_symbols}
        own = {s for size in variable.sizes for s in size.free_symbols}
        if variable not in kept and own & (sizes - told):
            kept.append(variable)
    return tuple(v for v in made.inputs if v in kept)


def _free_sizes(expression: Any, made: Graph) -> set[Any]:
    return set(made.sizes) & trees.symbols(expression)


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
