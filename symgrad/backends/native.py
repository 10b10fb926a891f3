"""Functions in compiled languages: what they share, whatever compiles the loops.

A target prints a `Kernel` and gives back an `Engine`. Formulas that have none (there is no
straight-line code of them, or it would be too long) run in NumPy's forms, and the plan says so.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import cached_property
from math import isfinite
from typing import Any, ClassVar

import numpy as np

from symgrad.backends.arguments import evaluated
from symgrad.backends.bound import BoundFunction, bound, diverged
from symgrad.backends.descent import loop_of
from symgrad.backends.function import CompiledFunction
from symgrad.backends.kernel import Kernel, kernel_of
from symgrad.backends.plan import DOUBLE, FAST, VALUE, Form, Plan, Wanted
from symgrad.backends.recipe import Recipe
from symgrad.backends.runners import Call, Quick, Runner
from symgrad.backends.spaces import Shelf
from symgrad.errors import DataError, OptionError, UnsupportedError
from symgrad.graph.layouts import held_shape, layouts


class Engine:
    """A kernel that a target has compiled, for one type of numbers."""

    #: The text that was compiled.
    source: str
    #: Whether there is a loop of per-sample descent in it.
    descends: bool

    @abstractmethod
    def caller(self, count: int, space: Space) -> Callable[[Any], Any]:
        """Return a function that computes in the arrays of a space.

        Args:
            count: The number of samples.
            space: The arrays.

        Returns:
            A function of a flat vector, which it copies into the parameters unless it is these,
            that returns the value and the gradient, or NotImplemented where that is no vector of
            the right kind.
        """

    @abstractmethod
    def descender(self, space: Space) -> Callable[[int, float, int, Any], None]:
        """Return a function that moves the parameters of a space, sample by sample.

        It takes the number of samples to visit, the learning rate, the number of epochs, and the
        places of the samples, an array of `uintp` or None.
        """


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

    def form(self, sizes: Mapping[Any, int], dtype: Any = DOUBLE) -> Form:
        """Choose the form for sizes; see `Plan.form`."""
        numpy_form = super().form(sizes, dtype)
        if self.obstacle or dtype not in FAST:
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


def _value_shape(quick: NativeQuick, kernel: Kernel, call: Call) -> tuple[int, ...]:
    """Return the shape of the value: of one number, or as its users get it."""
    if not kernel.valued:
        return ()
    graph, symbol = quick.wanted.graph, quick.wanted.outputs[VALUE]
    sizes = {str(s): n for s, n in call.sizes.items()}
    shape = tuple(evaluated(s, sizes) for s in held_shape(symbol, layouts(graph)[symbol]))
    lifted = quick.plan.batched and VALUE in kernel.each
    return (quick.count(call), *shape) if lifted else shape


def in_order(names: Sequence[str], shapes: Mapping[str, Any]) -> dict[str, Any]:
    """Return where parameters lie, one after the other as they are; see `Runner.pieces`."""
    found: dict[str, Any] = {}
    start = 0
    for name in names:
        count = int(np.prod(shapes[name], dtype=int))
        found[name] = slice(start, start + count), None, shapes[name]
        start += count
    return found


class Space:
    """The arrays of one run.

    Attributes:
        inputs: Contiguous arrays by name; those with samples have them on the first axis. The
            parameters are parts of one flat vector.
        parameters: That vector.
        targets: Views of the inputs, in the shapes of the users' arrays.
        parts: The parts of the flat gradient, by parameter.
        gradient: The flat gradient.
        value: The value: an array without axes, or with a part for every sample.
        single: Whether it is one number.
        at: Computes from a flat vector; see `Engine.caller`.
    """

    def __init__(self, quick: NativeQuick, call: Call, data: Mapping[str, Any]) -> None:
        engine, kernel = quick.engine(call), quick.kernel(call.sizes)
        self.pieces = in_order(kernel.trained, call.shapes)
        size = sum(part.stop - part.start for part, _, _ in self.pieces.values())
        self.gradient = np.zeros(size, call.dtype)
        shape = _value_shape(quick, kernel, call)
        self.value, self.single = np.zeros(shape, call.dtype), shape == ()
        self.parameters = np.zeros(size, call.dtype)
        self.inputs: dict[str, Any] = {}
        for name, shape in call.shapes.items():
            if name in self.pieces:
                self.inputs[name] = self.parameters[self.pieces[name][0]]
            else:
                self.inputs[name] = data[name] if name in data else np.zeros(shape, call.dtype)
        pairs = zip(self.inputs.values(), call.shapes.values(), strict=True)
        self.targets = [array.reshape(shape) for array, shape in pairs]
        self.parts = {name: self.gradient[part] for name, (part, _, _) in self.pieces.items()}
        self.at = engine.caller(quick.count(call), self)

    @property
    def nbytes(self) -> int:
        """The bytes of all arrays."""
        arrays = [self.parameters, self.gradient, self.value, *self.inputs.values()]
        return sum(array.nbytes for array in arrays)


def through(space: Space, run: Callable[[], Any], valued: bool) -> Callable[[Any], Any]:
    """Return the function of a flat vector that runs in a space; see `Engine.caller`."""
    parameters, gradient = space.parameters, space.gradient
    item = space.value.item if valued and space.single else None

    def at(p: Any) -> Any:
        if p is not parameters:
            if np.shape(p) != parameters.shape:
                return NotImplemented
            parameters[:] = p
        run()
        return (None if item is None else item()), gradient

    return at


class NativeRunner(Runner):
    """Computes with compiled code."""

    def __init__(self, quick: NativeQuick, call: Call) -> None:
        self.quick, self.call = quick, call
        space = Space(quick, call, {})
        self._shelf: Shelf[Space] = Shelf(space.nbytes)
        self._shelf.put(space)
        self.pieces, self.source = space.pieces, quick.engine(call).source

    def __call__(self, arrays: Iterable[Any]) -> tuple[Any, Any]:
        """Compute; a thread that comes meanwhile makes arrays of its own."""
        space = self._shelf.take() or Space(self.quick, self.call, {})
        value, gradient = self._computed(space, arrays)
        gradient = gradient.copy()
        if not space.single and value is not None:
            value = value.copy()
        self._shelf.put(space)
        return value, gradient

    @cached_property
    def _own(self) -> Space:
        """The arrays of `raw`, whose results nobody else may overwrite."""
        return Space(self.quick, self.call, {})

    def raw(self, arrays: Iterable[Any]) -> tuple[Any, Any]:
        """Compute into arrays that the next call overwrites; one thread at a time."""
        return self._computed(self._own, arrays)

    def _computed(self, space: Space, arrays: Iterable[Any]) -> tuple[Any, Any]:
        for target, array in zip(space.targets, arrays, strict=True):
            target[...] = array
        value, gradient = space.at(space.parameters)
        return (value if space.single or value is None else space.value), gradient


class NativeBound(BoundFunction):
    """A bound function in compiled code."""

    _quick: NativeQuick

    def _bind(self) -> None:
        self._data = {name: np.ascontiguousarray(array) for name, array in self._data.items()}
        self._space = Space(self._quick, self._call, self._data)
        self._pieces = self._space.pieces
        self.source = self._quick.engine(self._call).source
        self.raw = self._space.at
        self.parameters = self._space.parameters

    def __call__(self, p: Any) -> tuple[Any, Any]:
        """Compute the value and the flat gradient; see `BoundFunction`."""
        found = self.raw(p)
        if found is NotImplemented:
            found = self.raw(self._vector(p).astype(self._call.dtype))
        return found  # type: ignore[no-any-return]

    @cached_property
    def _descend(self) -> Callable[[int, float, int, Any], None]:
        engine = self._quick.engine(self._call)
        if not engine.descends:
            raise UnsupportedError(
                "there are no samples to visit one by one: the samples are differentiated by, or "
                "one sample alone has no loss"
            )
        return engine.descender(self._space)

    @cached_property
    def _count(self) -> int:
        return len(self._data[self.sampled[0]])

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
        start = self._vector(p)
        count = self._count
        places = None
        if order is not None:
            places = np.asarray(order)
            whole = places.dtype.kind in "iu" and places.ndim == 1
            if not whole or (places.size and not 0 <= places.min() <= places.max() < count):
                raise OptionError(f"order holds places of samples, from 0 to {count - 1}")
            places = np.ascontiguousarray(places, dtype=np.uintp)
            count = len(places)
        parameters = self.parameters
        parameters[:] = start
        self._descend(count, learning_rate, epochs, places)
        # One number tells; where it overflows, the parameters may be finite all the same.
        if not isfinite(parameters.dot(parameters)) and not np.all(np.isfinite(parameters)):
            raise diverged(learning_rate)
        return parameters.tolist() if type(p) is list else parameters.copy()


class NativeFunction(CompiledFunction):
    """A compiled function in a compiled language."""

    target: ClassVar[str]
    #: Makes an engine of a kernel, a type of numbers, a loop of descent and its flat order.
    engine: ClassVar[Callable[..., Engine]]

    def _compile(self, quick: NativeQuick, kernel: Kernel, call: Call) -> Engine:
        return type(self).engine(kernel, call.dtype, *looped(quick, kernel, call))

    def _opened(self) -> tuple[Kernel, Any, Any, Any]:
        """Return what a source is printed from: the kernel, the type, a loop and its flat order.

        Raises:
            UnsupportedError: There is no kernel, or a size of a layer is open.
        """
        call = open_call(self._quick, self._recipe)
        kernel = self._quick.kernel(call.sizes)
        return kernel, call.dtype, *looped(self._quick, kernel, call)

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
        Nothing, twice, where there are no samples to visit, a gradient is not asked for, the
        samples themselves are differentiated by, or one sample alone has no loss: 1/(n - 1).
    """
    if not kernel.sampled or not kernel.trained or set(kernel.sampled) & set(kernel.trained):
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
    try:
        return loop_of(tape, sizes, flat, kernel.sampled), flat
    except DataError:
        return None, ()


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
