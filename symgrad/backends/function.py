"""Compiled functions: what they check, which form of the code computes, what they give."""

from __future__ import annotations

import linecache
from collections.abc import Callable, Mapping
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from symgrad.backends import runners as quick
from symgrad.backends.arguments import (
    FLOAT,
    Call,
    by_name,
    check_values,
    evaluated,
    gathered,
)
from symgrad.backends.bound import BoundFunction, bound
from symgrad.backends.plan import LINES, VALUE, Plan, Wanted
from symgrad.backends.program import Program
from symgrad.backends.recipe import Recipe
from symgrad.backends.runners import Quick, Runner, make_room
from symgrad.errors import DataError, OptionError, UnsupportedError, listed
from symgrad.files import write
from symgrad.shapes import Variable, name_of


class CompiledFunction:
    """A generated NumPy function that checks its arguments.

    Call it with arrays by name, or with one mapping (for names that are not Python
    identifiers). Every array has the declared shape; sizes that are names are taken from
    the arrays and must agree. For an (n, 1) or (1, n) input a 1-D array is taken too.
    Results never share memory with arguments or with each other.
    """

    def __init__(self, recipe: Recipe) -> None:
        self._recipe = recipe
        self._names = tuple(v.name for v in recipe.graph.inputs)
        self._known: dict[Any, tuple[Runner, quick.Call]] = {}
        if self.plan.obstacle:
            _ = self._function

    @cached_property
    def _function(self) -> Callable[..., Any]:
        """The line-for-line form, loaded."""
        return _loaded(self._recipe.program)

    @cached_property
    def _wanted(self) -> Wanted:
        recipe = self._recipe
        names = (VALUE, *recipe.keys) if recipe.valued else recipe.keys
        outputs = dict(zip(names, recipe.outputs, strict=True))
        samples = recipe.batch, recipe.reduce, recipe.workers
        return Wanted(recipe.graph, outputs, recipe.keys, *samples, recipe.dtype)

    @cached_property
    def _quick(self) -> Quick:
        """The fast forms of the same formulas; equal formulas share them."""
        return quick.of_structure(self._wanted)

    @property
    def plan(self) -> Plan:
        """Which form runs for which sizes, and why; to be printed."""
        return self._quick.plan

    @property
    def source(self) -> str:
        """What runs: a text for one sample, and one for a hundred, where the plan has two.

        Sizes of layers that are known when arrays come are taken for 2. What has no faster form is
        a module's text, the listing with the helper functions that it calls.
        """
        if self.plan.obstacle:
            return f"import numpy as np\n\n\n{self._recipe.program.module}"
        texts: dict[str, str] = {}
        for count in (1, 100):
            seen = self._recipe.example(count, self.plan.axis)
            runner = self._quick.runner(seen)
            form = self._quick.form(seen)
            text = self.listing if runner is None else runner.source
            samples = f"{count} sample{'s' * (count > 1)}" if self.plan.axis is not None else "code"
            texts.setdefault(text, f"# {samples}: {form.kind}: {form.reason}\n")
        return "\n".join(f"{head}{text}" for text, head in texts.items())

    @property
    def listing(self) -> str:
        """The line-for-line form: definition i of the graph is statement i."""
        return self._recipe.program.source

    @property
    def inputs(self) -> dict[str, Variable]:
        """The declared inputs by name."""
        return {v.name: v for v in self._recipe.graph.inputs}

    @property
    def results(self) -> tuple[str, ...]:
        """The names of the value and of the gradients that a call returns."""
        return tuple(map(name_of, self._recipe.outputs))

    def __reduce__(self) -> tuple[Any, ...]:
        """Copy and pickle what was asked for; what runs holds arrays, and is made again."""
        return type(self), (self._recipe,)

    def __deepcopy__(self, memo: Any) -> CompiledFunction:
        return type(self)(self._recipe)

    def __repr__(self) -> str:
        return f"<compiled {', '.join(self.results)} of {listed(self.inputs)}>"

    def __call__(self, arrays: Mapping[str, Any] | None = None, /, **named: Any) -> Any:
        """Evaluate.

        Raises:
            OptionError: An argument is missing or unknown.
            ShapeError: An array does not have its declared shape.
            DataError: An argument is not made of numbers, or a matrix to invert is singular.
        """
        plan = self._recipe
        given = gathered(arrays, named)
        found = self._remembered(given)
        if found is not None:
            return found
        call = Call.of(plan.slots, given, plan.dtype)
        plan.check_sizes(call)
        found = self._quickly(call)
        if found is not None:
            return found
        try:
            return plan.presented(call, self._evaluate(call))
        except np.linalg.LinAlgError as error:
            raise DataError(
                "a matrix is singular at these values, and the formula needs its inverse "
                "(so does the derivative of a determinant)"
            ) from error

    def _remembered(self, given: Mapping[Any, Any]) -> Any:
        """Compute for arrays of shapes and types that were checked before; else return None."""
        try:
            arrays = [given[name] for name in self._names]
        except KeyError:
            return None
        if len(arrays) != len(given):
            return None
        for array in arrays:
            if type(array) is not np.ndarray:
                return None
        known = self._known.get(tuple([(array.shape, array.dtype) for array in arrays]))
        if known is None:
            return None
        if self._recipe.checked:
            check_values(self._recipe.slots, given)
        return self._finished(known[0], known[1], arrays)

    def _quickly(self, call: Call) -> Any:
        """Compute with the fast form that the plan has for such arrays; None where it has none."""
        seen = self._recipe.seen(call)
        runner = self._quick.runner(seen)
        if runner is None:
            return None
        make_room(self._known)
        arrays = list(call.arrays.values())
        self._known[tuple([(array.shape, array.dtype) for array in arrays])] = runner, seen
        return self._finished(runner, seen, arrays)

    def _finished(self, runner: Runner, seen: quick.Call, arrays: list[Any]) -> Any:
        found = runner(arrays)
        if found is None:
            return None
        plan = self._recipe
        value, flat = found
        if value is not None and seen.dtype != FLOAT:
            value = seen.dtype.type(value)
        if value is not None and plan.axes and not np.ndim(value):
            # One number that NumPy would hold in an array, as sum(keepdims=True) is.
            value = np.full((1,) * plan.axes, value)
        if not plan.keys:
            return value
        gradients = runner.parts(flat)
        for key in plan.scalars:
            gradients[key] = gradients[key].item() if seen.dtype == FLOAT else gradients[key][()]
        if plan.single:
            return gradients[plan.keys[0]]
        return (value, gradients) if plan.valued else gradients

    def raw(self, *arrays: Any) -> tuple[Any, ...]:
        """Compute without checks, from arrays in the order of `inputs`, into the same results.

        For loops. The arrays are NumPy's, of the declared shapes and of one type, float64 or
        float32. The gradients that are returned are overwritten by the next call of `raw`, which
        is not for two threads at a time.

        Returns:
            The value, where there is one, and the gradients in the order of `results`.

        >>> import sympy as sp
        >>> import symgrad as sg
        >>> w, x = sp.symbols("w x", real=True)
        >>> f = sg.compile((w * x - 1) ** 2, wrt=["w"])
        >>> f.raw(*map(np.array, (2.0, 3.0)))
        (25.0, array(30.))
        """
        runner = self._raw_runner(arrays)
        found = None if runner is None else runner.raw(arrays)
        if found is None:
            result = self(dict(zip(self._names, arrays, strict=True)))
            return self._in_order(result)
        value, flat = found
        gradients = runner.parts(flat).values()  # type: ignore[union-attr]
        return (value, *gradients) if self._recipe.valued else tuple(gradients)

    def _in_order(self, result: Any) -> tuple[Any, ...]:
        plan = self._recipe
        if not plan.keys or plan.single:
            return (result,)
        value, gradients = result if plan.valued else (None, result)
        return (value, *gradients.values()) if plan.valued else tuple(gradients.values())

    def _raw_runner(self, arrays: tuple[Any, ...]) -> Runner | None:
        key = tuple([(array.shape, array.dtype) for array in arrays])
        known = self._known.get(key)
        if known is None:
            self(dict(zip(self._names, arrays, strict=True)))
            known = self._known.get(key)
        return None if known is None else known[0]

    def bind(self, arrays: Mapping[str, Any] | None = None, /, **named: Any) -> BoundFunction:
        """Give the data once, and get a function of the parameters alone, for loops.

        Args:
            arrays: The inputs that are not differentiated by, and, where a shape does not follow
                from these, example values of the others.
            **named: The same, by name.

        Returns:
            A function f: `value, gradient = f(p)` for a flat vector p. The data is copied. With
            `workers`, it is spread over processes: `f.close()`, or a `with` block, ends them.

        Raises:
            OptionError: An input is missing or unknown, or nothing is differentiated by.
            ShapeError: An array does not have its declared shape.
            UnsupportedError: The formulas run line for line alone; see `plan`.

        >>> import symgrad as sg
        >>> f = sg.compile(sg.mse(sg.Network(1, [sg.Dense(1)])), wrt="parameters")
        >>> call = f.bind(X=np.array([[1.0], [2.0]]), Y=np.array([[2.0], [4.0]]))
        >>> value, gradient = call(call.pack({"W1": [[1.0]], "b1": [0.0]}))
        >>> value, call.unpack(gradient)["b1"]
        (2.5, array([-3.]))
        """
        plan = self._recipe
        given = by_name(self._names, gathered(arrays, named), partly=True)
        if not plan.keys:
            raise OptionError("nothing is differentiated by: compile with wrt to bind the data")
        sizes = {str(s): n for s, n in plan.sizes_of(given).items()}
        stand_ins = {
            key: np.zeros([evaluated(size, sizes) for size in plan.slots[key].sizes])
            for key in plan.keys
            if key not in given
        }
        call = Call.of(plan.slots, {**given, **stand_ins}, plan.dtype)
        plan.check_sizes(call)
        seen = plan.seen(call)
        if self._quick.form(seen).kind == LINES:
            raise UnsupportedError(f"no form that binds data: {self._quick.form(seen).reason}")
        data = {name: array for name, array in call.arrays.items() if name not in plan.keys}
        if plan.workers is None:
            return self._bound(seen, data)
        from symgrad.backends.parallel import spread_out

        return spread_out(self._bound, self.plan, seen, data, plan.workers)

    def _bound(self, seen: quick.Call, data: Mapping[str, Any]) -> BoundFunction:
        return bound(self._quick, seen, data)

    def _evaluate(self, call: Call) -> list[Any]:
        if self._recipe.program.form == "looped":
            return _looped(self._recipe, self._function, call)
        return _as_list(self._function(*call.arguments), self._recipe)

    def save(self, path: str | Path) -> Path:
        """Write a module that imports only NumPy and checks its gradients when run.

        Raises:
            UnsupportedError: The function runs over samples in a loop.
        """
        from symgrad.backends.module import text_of

        return write(path, text_of(self._recipe))


def _as_list(result: Any, plan: Recipe) -> list[Any]:
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


def _looped(plan: Recipe, function: Callable[..., Any], call: Call) -> list[Any]:
    """Evaluate sample by sample and stack the results."""
    rows = []
    for k in range(call.samples):
        arguments = [
            value[k] if name in plan.batch else value
            for name, value in zip(plan.program.arguments, call.arguments, strict=True)
        ]
        rows.append(_as_list(function(*arguments), plan))
    return [np.stack([np.asarray(row[j]) for row in rows]) for j in range(len(plan.outputs))]
