"""Functions in compiled languages: what they share, whatever compiles the loops.

A target prints a `Kernel` and gives back an `Engine`. Formulas that have none (there is no
straight-line code of them, or it would be too long) run in NumPy's forms, and the plan says so.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import cached_property
from typing import Any

import numpy as np

from symgrad.backends.bound import BoundFunction, bound, diverged
from symgrad.backends.descent import loop_of
from symgrad.backends.function import CompiledFunction
from symgrad.backends.kernel import Kernel, kernel_of
from symgrad.backends.plan import VALUE, Form, Plan, Wanted
from symgrad.backends.recipe import Recipe
from symgrad.backends.runners import Call, Quick, Runner
from symgrad.errors import UnsupportedError


class Engine:
    """A kernel that a target has compiled, for one type of numbers."""

    #: The text that was compiled.
    source: str

    @abstractmethod
    def caller(
        self, count: int, inputs: Mapping[str, Any], value: Any, gradients: Mapping[str, Any]
    ) -> Callable[[], None]:
        """Return a function that computes from arrays into arrays.

        Args:
            count: The number of samples.
            inputs: Contiguous arrays by name; those with samples have them on the first axis.
            value: An array of one entry, where a value is computed.
            gradients: Contiguous arrays by the names of the parameters.
        """

    @abstractmethod
    def descend(
        self,
        count: int,
        inputs: Mapping[str, Any],
        learning_rate: float,
        epochs: int,
        order: Any,
    ) -> None:
        """Move the parameters among the inputs, in place, sample by sample."""


class NativePlan(Plan):
    """The plan of a function for a compiled language."""

    def __init__(self, wanted: Wanted, target: str) -> None:
        super().__init__(wanted)
        self.target = target
        self._kernels: dict[Any, Kernel | str] = {}

    def kernel(self, sizes: Mapping[Any, int]) -> Kernel | str:
        """Return the kernel for sizes, or what keeps the formulas from having one."""
        key = tuple((s, n) for s, n in sizes.items() if s != self.axis)
        if key not in self._kernels:
            try:
                self._kernels[key] = kernel_of(self, dict(key), self._wanted.trained)
            except UnsupportedError as error:
                self._kernels[key] = str(error)
        return self._kernels[key]

    def form(self, sizes: Mapping[Any, int]) -> Form:
        """Choose the form for sizes; see `Plan.form`."""
        numpy_form = super().form(sizes)
        if self.obstacle:
            return numpy_form
        kernel = self.kernel(sizes)
        if isinstance(kernel, str):
            return Form(numpy_form.kind, f"in NumPy, {numpy_form.reason} ({kernel})")
        count = kernel.after.count + (kernel.body.count if kernel.body else 0)
        return Form(self.target, f"{count} operations for a sample, in one compiled loop")


class NativeQuick(Quick):
    """The forms of one function for a compiled language.

    Args:
        wanted: What is computed.
        target: The target's name.
        compile_kernel: Makes the engine of a kernel, from the type of numbers too.
    """

    plan: NativePlan

    def __init__(self, wanted: Wanted, target: str, compile_kernel: Callable[..., Engine]) -> None:
        self.target, self._compile = target, compile_kernel
        self._engines: dict[Any, Engine] = {}
        super().__init__(wanted)

    def _planned(self, wanted: Wanted) -> Plan:
        return NativePlan(wanted, self.target)

    @property
    def alone(self) -> None:
        """Nothing: a second library costs more to compile than the gradient to compute."""
        return None

    def kernel(self, sizes: Mapping[Any, int]) -> Kernel:
        """Return the kernel for sizes.

        Raises:
            UnsupportedError: There is none.
        """
        found = self.plan.kernel(sizes)
        if isinstance(found, str):
            raise UnsupportedError(found)
        return found

    def engine(self, call: Call) -> Engine:
        """Compile the kernel for arrays, unless that was done."""
        kernel = self.kernel(call.sizes)
        key = kernel.axis, tuple(kernel.shapes.items()), call.dtype
        if key not in self._engines:
            self._engines[key] = self._compile(self, kernel, call)
        return self._engines[key]

    def _made(self, form: Form, call: Call) -> Runner | None:
        if form.kind == self.target:
            return NativeRunner(self, call)
        return super()._made(form, call)

    def count(self, call: Call) -> int:
        """Return the number of samples."""
        return call.sizes.get(self.plan.axis, 1) if self.plan.axis is not None else 1


def in_order(names: Sequence[str], shapes: Mapping[str, Any]) -> dict[str, Any]:
    """Return where parameters lie, one after the other as they are; see `Runner.pieces`."""
    found: dict[str, Any] = {}
    start = 0
    for name in names:
        count = int(np.prod(shapes[name], dtype=int))
        found[name] = slice(start, start + count), None, shapes[name]
        start += count
    return found


class _Space:
    """The arrays of one run."""

    def __init__(self, quick: NativeQuick, call: Call, data: Mapping[str, Any]) -> None:
        engine, kernel = quick.engine(call), quick.kernel(call.sizes)
        self.pieces = in_order(kernel.trained, call.shapes)
        size = sum(part.stop - part.start for part, _, _ in self.pieces.values())
        self.gradient, self.value = np.zeros(size, call.dtype), np.zeros(1, call.dtype)
        self.parameters = np.zeros(size, call.dtype)
        self.inputs: dict[str, Any] = {}
        for name, shape in call.shapes.items():
            if name in self.pieces:
                self.inputs[name] = self.parameters[self.pieces[name][0]]
            elif name in data:
                self.inputs[name] = data[name]
            else:
                self.inputs[name] = np.zeros(shape, call.dtype)
        parts = {name: self.gradient[part] for name, (part, _, _) in self.pieces.items()}
        self.run = engine.caller(quick.count(call), self.inputs, self.value, parts)


class NativeRunner(Runner):
    """Computes with compiled code."""

    def __init__(self, quick: NativeQuick, call: Call) -> None:
        self.quick, self.call = quick, call
        self._valued = VALUE in quick.wanted.outputs
        self._own = _Space(quick, call, {})
        self._free = [_Space(quick, call, {})]
        self.pieces, self.source = self._own.pieces, quick.engine(call).source

    def __call__(self, arrays: Iterable[Any]) -> tuple[Any, Any]:
        """Compute; a thread that comes meanwhile makes arrays of its own."""
        try:
            space = self._free.pop()
        except IndexError:
            space = _Space(self.quick, self.call, {})
        value, gradient = self._computed(space, arrays)
        gradient = gradient.copy()
        self._free.append(space)
        return value, gradient

    def raw(self, arrays: Iterable[Any]) -> tuple[Any, Any]:
        """Compute into arrays that the next call overwrites; one thread at a time."""
        return self._computed(self._own, arrays)

    def _computed(self, space: _Space, arrays: Iterable[Any]) -> tuple[Any, Any]:
        for target, array in zip(space.inputs.values(), arrays, strict=True):
            np.copyto(target.reshape(array.shape), array, casting="same_kind")
        space.run()
        return (space.value.item() if self._valued else None), space.gradient


class NativeBound(BoundFunction):
    """A bound function in compiled code."""

    _quick: NativeQuick

    def _bind(self) -> None:
        self._data = {name: np.ascontiguousarray(array) for name, array in self._data.items()}
        self._space = _Space(self._quick, self._call, self._data)
        self._pieces = self._space.pieces
        self._valued = VALUE in self._quick.wanted.outputs
        self._engine = self._quick.engine(self._call)
        self.source = self._engine.source

    def __call__(self, p: Any) -> tuple[Any, Any]:
        """Compute the value and the flat gradient; see `BoundFunction`."""
        space = self._space
        parameters = space.parameters
        if p is not parameters:
            if len(p) != len(parameters):
                raise self._misfit(p)
            parameters[:] = p
        space.run()
        return (space.value.item() if self._valued else None), space.gradient

    @property
    def descends(self) -> bool:
        """Whether `descend` is the fastest way to visit sample by sample: it is."""
        try:
            return bool(self.sampled)
        except UnsupportedError:
            return False

    def descend(
        self, p: Any, learning_rate: float, epochs: int = 1, order: Sequence[int] | None = None
    ) -> Any:
        """Run per-sample gradient descent in compiled code; see `BoundFunction.descend`."""
        if len(p) != self.size:
            raise self._misfit(p)
        space, count = self._space, len(self._data[self.sampled[0]])
        places = None if order is None else np.ascontiguousarray(order, dtype=np.uintp)
        if places is not None and (places.ndim != 1 or (places.size and places.max() >= count)):
            raise IndexError(f"order holds places of samples, from 0 to {count - 1}")
        space.parameters[:] = p
        visited = count if places is None else len(places)
        self._engine.descend(visited, space.inputs, float(learning_rate), int(epochs), places)
        if not np.isfinite(space.parameters).all():
            raise diverged(learning_rate)
        return space.parameters.tolist() if type(p) is list else space.parameters.copy()


class NativeFunction(CompiledFunction):
    """A compiled function in a compiled language."""

    target: str

    @abstractmethod
    def _compile(self, quick: NativeQuick, kernel: Kernel, call: Call) -> Engine:
        """Compile a kernel."""

    @cached_property
    def _quick(self) -> NativeQuick:
        return NativeQuick(self._wanted, self.target, self._compile)

    def _bound(self, seen: Call, data: Mapping[str, Any]) -> BoundFunction:
        form = self._quick.form(seen)
        if form.kind == self.target:
            return NativeBound(self._quick, seen, data, form)
        return bound(self._quick, seen, data)


def looped(quick: NativeQuick, kernel: Kernel, call: Call) -> tuple[Any, Any]:
    """Return one update of per-sample descent, and the flat order of the parameters.

    Returns:
        Nothing, twice, where there are no samples to visit or a gradient is not asked for.
    """
    if not kernel.sampled or not kernel.trained:
        return None, ()
    flat = [
        (name, i, j)
        for name in kernel.trained
        for i in range(kernel.shapes[name][0])
        for j in range(kernel.shapes[name][1])
    ]
    plan = quick.plan
    tape = plan.recorded(None if plan.batched else plan.axis, spelled=True)
    sizes = {s: n for s, n in call.sizes.items() if s != plan.axis}
    return loop_of(tape, sizes, flat, kernel.sampled), flat


def open_call(quick: NativeQuick, recipe: Recipe) -> Call:
    """Return a call with as many samples as one, where all other sizes are declared as numbers.

    Raises:
        UnsupportedError: Another size is a name.
    """
    axis = quick.plan.axis
    named = [str(size) for size in recipe.graph.sizes if size != axis]
    if named:
        raise UnsupportedError(
            f"the source depends on the size {named[0]}, which is known when the function is "
            "called; declare it as a number"
        )
    sizes = {} if axis is None else {axis: 1}
    return Call({}, sizes, np.dtype(recipe.dtype or np.float64))
