"""Functions of the parameters alone: the data is given once, before the loop."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from typing import Any

import numpy as np

from symgrad.backends import descent, straight
from symgrad.backends.plan import LINES, ROWS, SCALARS, VALUE, Form
from symgrad.backends.runners import Call, Quick, entries, laid_over, loaded, piece_of, result_texts
from symgrad.backends.workspace import Workspace
from symgrad.errors import (
    DataError,
    DivergenceError,
    OptionError,
    ShapeError,
    UnsupportedError,
    listed,
    unknown,
)
from symgrad.shapes import worded
from symgrad.tape.evaluation import extent


class BoundFunction:
    """A function of one flat vector of parameters; see `CompiledFunction.bind`.

    `value, gradient = f(p)`: `p` and `gradient` are flat, in one and the same order, which
    `pack` and `unpack` know. The gradient is overwritten by the next call: copy it to keep it.
    One thread at a time; bind again for another.

    Attributes:
        names: The parameters.
        given: The inputs that were bound.
        size: The length of the flat vector.
        form: Which form of code runs, and why.
        source: The text that runs.
        parameters: The vector that is read: what is given is copied here, unless it is this one.
        raw: The call without checks, for the tightest loops.
    """

    parameters: Any
    raw: Callable[[Any], Any]

    #: By parameter: its part of the flat vector, the rows and columns that lie there transposed,
    #: and its shape.
    _pieces: dict[str, tuple[slice, tuple[int, int] | None, tuple[int, ...]]]

    def __init__(self, quick: Quick, call: Call, data: Mapping[str, Any], form: Form) -> None:
        self._quick, self._call, self.form = quick, call, form
        self.names = quick.wanted.trained
        self.given = tuple(data)
        self._data = {name: np.array(array, call.dtype) for name, array in data.items()}
        self.source = ""
        self._bind()
        self.size = sum(part.stop - part.start for part, _, _ in self._pieces.values())

    def _bind(self) -> None:
        """Make what `__call__` runs, and `_pieces`."""
        raise NotImplementedError

    def __call__(self, p: Any) -> tuple[Any, Any]:
        """Compute the value and the flat gradient.

        Args:
            p: The flat vector, an array; a list of floats where one sample runs in Python's own
                numbers: then the gradient is a sequence of floats, too, and nothing is converted.

        Raises:
            ShapeError: The vector does not have the right length.
        """
        raise NotImplementedError

    def _in_order(self) -> dict[str, Any]:
        """Return pieces that lie one after the other as they are."""
        made: dict[str, Any] = {}
        start = 0
        for name in self.names:
            shape = self._call.shapes[name]
            count = int(np.prod(shape, dtype=int))
            made[name] = slice(start, start + count), None, shape
            start += count
        return made

    def __deepcopy__(self, memo: Any) -> BoundFunction:
        return type(self)(self._quick, self._call, self._data, self.form)

    def __copy__(self) -> BoundFunction:
        # What runs is bound to its buffers, which are for one function alone.
        return self.__deepcopy__({})

    def _misfit(self, p: Any) -> ShapeError:
        found = f"it is {worded(np.shape(p))}"
        if np.shape(p) == (self.size,):
            found = f"it holds {np.asarray(p).dtype}"
        return ShapeError(
            f"the flat vector of {listed(self.names)} has {self.size} numbers, but {found}; "
            "pack({...}) makes one"
        )

    def _vector(self, p: Any) -> Any:
        """Return a flat vector as an array of numbers, whatever it came as."""
        try:
            vector = np.asarray(p).astype(float, casting="same_kind")
        except (TypeError, ValueError):
            raise self._misfit(p) from None
        if vector.shape != (self.size,):
            raise self._misfit(p)
        return vector

    # ------------------------------------------------------------- flat vectors

    def pack(self, parameters: Mapping[str, Any]) -> Any:
        """Return a new flat vector of parameters given by name.

        Raises:
            OptionError: A parameter is missing or unknown.
            ShapeError: An array does not have its shape.
        """
        for name in parameters:
            if name not in self._pieces:
                raise unknown("parameter", name, self._pieces)
        missing = [name for name in self._pieces if name not in parameters]
        if missing:
            raise OptionError(f"missing {listed(missing)}; the flat vector holds all parameters")
        flat = np.zeros(self.size, self._call.dtype)
        for name, view in self.unpack(flat).items():
            array = np.asarray(parameters[name])
            if array.shape != view.shape:
                raise ShapeError(
                    f"`{name}` must be {worded(view.shape)}, but it is {worded(array.shape)}"
                )
            if array.dtype.kind not in "fiub":
                raise DataError(f"`{name}` holds {array.dtype}, not real numbers")
            view[...] = array
        return flat

    def unpack(self, flat: Any) -> dict[str, Any]:
        """Return views of a flat vector, by name, each in its parameter's shape.

        Raises:
            ShapeError: The vector does not have the right length.
        """
        flat = np.asarray(flat)
        if flat.shape != (self.size,):
            raise self._misfit(flat)
        found = {}
        for name, (part, turned, shape) in self._pieces.items():
            piece = flat[part]
            found[name] = (piece.reshape(turned).T if turned else piece).reshape(shape)
        return found

    # --------------------------------------------------------------------- data

    def rebind(self, arrays: Mapping[str, Any] | None = None, /, **named: Any) -> None:
        """Give other data of the same shapes: it is copied over what was bound before.

        No new buffers are made, so that mini-batches run at the pace of a function that is bound
        once. Inputs that are left out stay as they are. Shapes are checked; values are not.

        Raises:
            OptionError: There is no such input among the data.
            ShapeError: An array does not have the shape of the one that it replaces.

        >>> import symgrad as sg
        >>> f = sg.compile(sg.mse(sg.Network(1, [sg.Dense(1)])), wrt="parameters")
        >>> call = f.bind(X=np.array([[1.0], [2.0]]), Y=np.array([[2.0], [4.0]]))
        >>> p = call.pack({"W1": [[1.0]], "b1": [0.0]})
        >>> call.rebind(Y=np.array([[1.0], [2.0]]))
        >>> call(p)[0]
        0.0
        """
        given = {**(arrays or {}), **named}
        for name, array in given.items():
            if name not in self._data:
                raise unknown("bound input", name, self._data)
            held = self._data[name].shape
            if np.shape(array) != held:
                raise ShapeError(
                    f"`{name}` was bound as {worded(held)}, but it is {worded(np.shape(array))}; "
                    "rebind keeps the shapes, bind takes others"
                )
        for name, array in given.items():
            self._data[name][...] = array
        for made in ("_loop", "_written_out", "_again", "_arrays"):
            self.__dict__.pop(made, None)
        alone = self.__dict__.get("_alone")
        if alone is not None:
            alone[0].rebind(given)

    # -------------------------------------------------------------------- value

    def value(self, p: Any) -> Any:
        """Compute the value without the gradient; None where the function has none.

        Raises:
            ShapeError: The vector does not have the right length.
        """
        if len(p) != self.size:
            raise self._misfit(p)
        alone = self._alone
        if alone is None:
            return self(p)[0]
        function, order = alone
        return function(p if order is None else np.asarray(p)[order])[0]

    @cached_property
    def _alone(self) -> tuple[BoundFunction, Any] | None:
        """The function that computes the value alone, and the order of its flat vector."""
        quick = self._quick.alone
        if quick is None or quick.form(self._call).kind == LINES:
            return None
        function = bound(quick, self._call, self._data)
        order = function.pack(self.unpack(np.arange(self.size))).astype(int)
        return function, None if np.array_equal(order, np.arange(self.size)) else order

    # ---------------------------------------------------------------- descending

    @cached_property
    def descends(self) -> bool:
        """Whether `descend` is the fastest way to visit sample by sample.

        It is where one sample runs in Python's own floats, or in compiled code; for wide layers
        NumPy's calls are faster.
        """
        plan = self._quick.plan
        one = {**self._call.sizes, plan.axis: 1}
        try:
            return bool(self.sampled) and plan.form(one).kind == SCALARS
        except UnsupportedError:
            return False

    def descend(
        self, p: Any, learning_rate: float, epochs: int = 1, order: Sequence[int] | None = None
    ) -> Any:
        """Run per-sample gradient descent: one update of all parameters at every sample.

        Args:
            p: The flat vector to start from; it is not changed.
            learning_rate: What the gradient of one sample's loss is multiplied by.
            epochs: How often all samples are visited.
            order: The places of the samples in the order in which they are visited; left out,
                as they lie in the data.

        Returns:
            The flat vector at the end.

        Raises:
            ShapeError: The vector does not have the right length.
            OptionError: A place in `order` is none of the samples'.
            UnsupportedError: There are no samples to visit one by one.
            DivergenceError: The numbers left the finite range.
        """
        if type(p) is list:
            start = p
        else:
            plain = type(p) is np.ndarray and p.dtype == np.float64 and p.ndim == 1
            start = (p if plain else self._vector(p)).tolist()
        if len(start) != self.size:
            raise self._misfit(p)
        run, samples, constants = self._loop
        visited = samples
        if order is not None:
            if not all(0 <= k < len(samples) for k in order):
                raise OptionError(f"order holds places of samples, from 0 to {len(samples) - 1}")
            visited = [samples[k] for k in order]
        elif self._again:
            run = self._written_out or run
        self._again = True
        rate, rounds = float(learning_rate), int(epochs)
        try:
            end = run(start, visited, constants, rate, rounds)
        except straight.OUTSIDE:
            raise diverged(learning_rate) from None
        # Python's floats overflow to inf in sums and products, without an error. One number tells;
        # where the sum alone overflows, the parameters may be finite all the same.
        if not math.isfinite(sum(end)) and not all(map(math.isfinite, end)):
            raise diverged(learning_rate)
        return end if type(p) is list else np.array(end, self._call.dtype)

    @cached_property
    def flat(self) -> list[tuple[str, int, int]]:
        """The entry of a parameter, as (name, row, column), at every place of the flat vector."""
        found: list[tuple[str, int, int]] = []
        tape = self._quick.plan.rows
        for name in sorted(self._pieces, key=lambda name: self._pieces[name][0].start):
            shape = tape.ops[tape.inputs[name]].shape
            rows, columns = (extent(size, self._call.sizes) for size in shape)
            if self._pieces[name][1]:
                found += [(name, i, j) for j in range(columns) for i in range(rows)]
            else:
                found += [(name, i, j) for i in range(rows) for j in range(columns)]
        return found

    @cached_property
    def sampled(self) -> list[str]:
        """The inputs that have samples.

        Raises:
            UnsupportedError: None has.
        """
        plan = self._quick.plan
        batch = self._quick.wanted.batch
        found = [name for name in self._data if name in batch]
        if plan.columns is not None and not batch:
            tape = plan.columns
            found = [n for n in self._data if plan.axis in tape.ops[tape.inputs[n]].shape]
        if not found:
            raise UnsupportedError(
                "there are no samples to visit one by one: no input has an axis of samples"
            )
        return found

    @cached_property
    def loop(self) -> descent.Loop:
        """One update, written out entry by entry."""
        plan = self._quick.plan
        tape = plan.recorded(None if plan.batched else plan.axis, spelled=True)
        return descent.loop_of(tape, self._call.sizes, self.flat, self.sampled)

    #: Whether samples have been visited before: then more is worth the while.
    _again = False

    def _descender(self, table: Sequence[Sequence[float]] = ()) -> Any:
        source, namespace = descent.python_source(self.loop, self.flat, table)
        # Only source printed from a tape comes here.
        exec(compile(source, "<symgrad descent>", "exec"), namespace)
        return namespace["descend"]

    @cached_property
    def _written_out(self) -> Any:
        """The loop with all samples written out as constants; None where they are many."""
        _, samples, _ = self._loop
        if len(samples) * self.loop.straight.count > descent.MOST_OPERATIONS:
            return None
        return self._descender(samples)

    @cached_property
    def _loop(self) -> tuple[Any, list[tuple[float, ...]], list[float]]:
        """The loop in Python, the samples, and the entries of what is the same for all."""
        count = len(self._data[self.sampled[0]])
        columns = [self._data[name].reshape(count, -1) for name in self.sampled]
        table = np.concatenate(columns, axis=1).tolist()
        others = [self._data[name] for name in self._data if name not in self.sampled]
        constants = [number for array in others for number in array.ravel().tolist()]
        return self._descender(), list(map(tuple, table)), constants

    def __repr__(self) -> str:
        return f"<function of {self.size} parameters: {listed(self.names)}; {self.form.kind}>"


def diverged(learning_rate: float) -> DivergenceError:
    """Return the error for numbers that left the finite range."""
    return DivergenceError(
        f"the numbers left the finite range; a smaller learning rate than {learning_rate} may help"
    )


class ArrayFunction(BoundFunction):
    """A bound function in NumPy's calls."""

    def _bind(self) -> None:
        quick, call = self._quick, self._call
        tape = quick.plan.tape(self.form, call.sizes, call.dtype)
        space = Workspace(tape, call.sizes, call.dtype, self.names)
        for name, array in self._data.items():
            target = laid_over(space.inputs[name], call.shapes[name], name in quick.wanted.batch)
            target[...] = array
            # What is bound is what the statements read: there is no second copy.
            self._data[name] = target
        self._pieces = {
            name: piece_of(space.printer.entries[name], call.shapes[name]) for name in self.names
        }
        self._space, self.parameters, self.source = space, space.parameters, space.source
        self.raw = _evaluator(space)

    def __call__(self, p: Any) -> tuple[Any, Any]:
        """Compute the value and the flat gradient; see `BoundFunction`."""
        if p is not self.parameters and (type(p) is not np.ndarray or p.shape != (self.size,)):
            p = self._vector(p)
        return self.raw(p)  # type: ignore[no-any-return]


def _evaluator(space: Workspace) -> Callable[[Any], Any]:
    """Return the function of a flat vector that runs in a workspace."""
    run, parameters, gradient = space.run, space.parameters, space.gradient
    if VALUE not in space.tape.outputs:

        def gradient_at(p: Any) -> Any:
            if p is not parameters:
                parameters[:] = p
            run()
            return None, gradient

        return gradient_at
    array, factor = space.number(VALUE)
    item = array.item

    def at(p: Any) -> Any:
        if p is not parameters:
            parameters[:] = p
        run()
        return item() * factor, gradient

    return at


class ScalarFunction(BoundFunction):
    """A bound function in Python's own floats."""

    def _bind(self) -> None:
        quick, call = self._quick, self._call
        code = quick.plan.straight(call.sizes)
        names = straight.entry_names(code.shapes, call.shapes)
        printer = straight.Printer(code, names, straight.PYTHON)
        body = printer.statements()
        flat = [names[key] for name in self.names for key in entries(code, name)]
        self._namespace = namespace = straight.namespace(printer)
        self._names = {n: [names[key] for key in entries(code, n)] for n in self._data}
        self._name_data()
        lines = [straight.unpacking(flat, "p"), *body]
        results = result_texts(code, printer, self.names)
        value = results.pop(0) if VALUE in code.outputs else "None"
        pair = [value, f"({', '.join(results)}{',' * (len(results) == 1)})"]
        self.source, self.raw = loaded("run", ["p"], lines, pair, namespace)
        self._pieces = self._in_order()
        self.parameters = np.zeros(len(flat))
        self._gradient = np.zeros(len(flat))

    def __call__(self, p: Any) -> tuple[Any, Any]:
        """Compute the value and the flat gradient; see `BoundFunction`."""
        kept = type(p) is list
        if not kept and (type(p) is not np.ndarray or p.ndim != 1):
            p = self._vector(p)
        try:
            found = self.raw(p if kept else p.tolist())
        except straight.OUTSIDE:
            if len(p) != self.size:
                raise self._misfit(p) from None
            return self._in_arrays(p, kept)
        if kept:
            return found  # type: ignore[no-any-return]
        if found[1]:  # a function of the value alone has none
            self._gradient[:] = found[1]
        return found[0], self._gradient

    def _name_data(self) -> None:
        for name, array in self._data.items():
            self._namespace.update(zip(self._names[name], array.ravel().tolist(), strict=True))

    def rebind(self, arrays: Mapping[str, Any] | None = None, /, **named: Any) -> None:
        """Give other data of the same shapes; see `BoundFunction.rebind`."""
        super().rebind(arrays, **named)
        self._name_data()

    def _in_arrays(self, p: Any, kept: bool) -> tuple[Any, Any]:
        """Compute with NumPy, which has inf and nan where Python's math raises."""
        arrays = self._arrays
        with np.errstate(all="ignore"):
            value, gradient = arrays(arrays.pack(self.unpack(np.asarray(p, float))))
        self._gradient[:] = self.pack_views(arrays.unpack(gradient))
        return value, self._gradient.tolist() if kept else self._gradient

    def pack_views(self, parts: Mapping[str, Any]) -> Any:
        """Return the flat vector of arrays by name."""
        return np.concatenate([parts[name].ravel() for name in self.names])

    @cached_property
    def _arrays(self) -> ArrayFunction:
        form = Form(ROWS, "Python's math raised")
        return ArrayFunction(self._quick, self._call, self._data, form)


def bound(quick: Quick, call: Call, data: Mapping[str, Any]) -> BoundFunction:
    """Bind data: the fast form for such arrays becomes a function of the parameters."""
    form = quick.form(call)
    kind = ScalarFunction if form.kind == SCALARS else ArrayFunction
    return kind(quick, call, data, form)
