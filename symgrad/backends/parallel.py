"""Bound functions over several processes: each holds its part of the samples.

The parts are added in a fixed order, so that the same number of workers gives the same bits. The
calling process computes the first part itself.
"""

from __future__ import annotations

import os
import weakref
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from itertools import pairwise
from typing import Any, NoReturn

import numpy as np

from symgrad.backends.bound import BoundFunction
from symgrad.backends.plan import NARROW, VALUE, Form
from symgrad.backends.runners import Call
from symgrad.backends.splitting import weights
from symgrad.backends.workers import (
    BOTH,
    REBIND,
    VALUE_ALONE,
    Crew,
    Make,
    Parcel,
    Part,
    hired,
    parcelled,
)
from symgrad.errors import ShapeError, SymgradError, UnsupportedError, counted, unknown
from symgrad.shapes import worded

#: With "auto", a worker has at least so many operations: with fewer, waking it takes what it saves.
#: In layers for which BLAS decides an operation takes a fraction of that in narrow ones.
LEAST_OPERATIONS, LEAST_OF_WIDE = 2_500_000, 50_000_000


def cores() -> int:
    """Return the number of cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def worker_count(given: Any, samples: int, operations: int, wide: bool = False) -> int:
    """Return how many processes compute, this one among them.

    Args:
        given: A number, or "auto".
        samples: How many there are.
        operations: About how many are done for all of them.
        wide: Whether most of them are products of wide layers.

    >>> worker_count(3, 1000, 10**5), worker_count(3, 2, 10**5), worker_count("auto", 1000, 10**5)
    (3, 2, 1)
    """
    if given == "auto":
        least = LEAST_OF_WIDE if wide else LEAST_OPERATIONS
        return max(1, min(cores(), samples, operations // least))
    return max(1, min(int(given or 1), samples))


class ParallelFunction(BoundFunction):
    """A bound function whose samples are spread over processes; see `CompiledFunction.bind`.

    It is closed by `close`, at the end of a `with` block, when nobody holds it any more, and when
    Python ends.
    """

    def __init__(
        self, first: BoundFunction, crew: Crew, parts: Sequence[Part], factors: Any, form: Form
    ) -> None:
        # Not the constructor of `BoundFunction`: the data lies in the parts.
        self._quick, self._call, self.form = first._quick, first._call, form
        self._first, self._crew, self._parts, self._factors = first, crew, parts, factors
        self.names, self.given, self.size = first.names, first.given, first.size
        self.source, self._pieces, self._data = first.source, first._pieces, {}
        dtype = first._call.dtype
        self._gradient, self._sums = np.zeros(first.size, dtype), np.zeros(first.size + 1, dtype)
        self._valued = VALUE in self._quick.wanted.outputs
        self._finish = weakref.finalize(self, Crew.dismiss, crew)

    def __call__(self, p: Any) -> tuple[Any, Any]:
        """Compute the value and the flat gradient; see `BoundFunction`."""
        kept = type(p) is list
        views = self._asked(p)

        def own() -> None:
            value, views["results"][0, 1:] = self._first(views["p"])
            views["results"][0, 0] = np.nan if value is None else value

        self._everywhere(BOTH, own)
        # In the order of the parts, one after the other: the same bits in every run.
        with np.errstate(all="ignore"):
            np.add.reduce(views["results"] * self._factors, 0, out=self._sums)
        value = self._sums[0].item() if self._valued else None
        self._gradient[:] = self._sums[1:]
        return value, self._gradient.tolist() if kept else self._gradient

    def value(self, p: Any) -> Any:
        """Compute the value alone; see `BoundFunction.value`."""
        views = self._asked(p)
        if not self._valued:
            return None

        def own() -> None:
            views["results"][0, 0] = self._first.value(views["p"])

        self._everywhere(VALUE_ALONE, own)
        with np.errstate(all="ignore"):
            return np.add.reduce(views["results"][:, 0] * self._factors[:, 0]).item()

    def rebind(self, arrays: Mapping[str, Any] | None = None, /, **named: Any) -> None:
        """Give other data of the same shapes to all parts; see `BoundFunction.rebind`."""
        self._check_open()
        given = {n: np.asarray(a) for n, a in {**(arrays or {}), **named}.items()}
        for name, array in given.items():
            if name not in self.given:
                raise unknown("bound input", name, self.given)
            held = self._call.shapes[name]
            if name in self._parts[0].sampled:
                held = (self._parts[-1].high, *held[1:])
            if array.shape != held:
                raise ShapeError(
                    f"`{name}` was bound as {worded(held)}, but it is {worded(array.shape)}; "
                    "rebind keeps the shapes, bind takes others"
                )
        with parcelled(given) as parcel:
            self._everywhere(REBIND, lambda: self._first.rebind(self._parts[0].cut(given)), parcel)

    @property
    def descends(self) -> bool:
        """Whether `descend` is the fastest way to visit sample by sample: there is none."""
        return False

    def descend(
        self, p: Any, learning_rate: float, epochs: int = 1, order: Sequence[int] | None = None
    ) -> Any:
        """Refuse: samples that are visited one after the other cannot be spread.

        Raises:
            UnsupportedError: Always.
        """
        raise UnsupportedError(
            "descend visits the samples one after the other, which is work for one process: "
            "compile without workers"
        )

    # ---------------------------------------------------------------------- workers

    def _check_open(self) -> None:
        if not self._finish.alive:
            raise UnsupportedError(
                "this function was closed, by close(), an interrupt or the end of a worker; "
                "bind the data again"
            )

    def _asked(self, p: Any) -> dict[str, Any]:
        """Put the parameters where all parts see them; return the shared arrays."""
        self._check_open()
        if len(p) != self.size:
            raise self._misfit(p)
        self._crew.views["p"][:] = p
        return self._crew.views

    def _everywhere(
        self, told: bytes, own: Callable[[], None], parcel: Parcel | None = None
    ) -> None:
        """Let all parts do something at once, and wait for the last."""
        try:
            for pipe in self._crew.pipes:
                pipe.send_bytes(told)
                if parcel is not None:
                    pipe.send(parcel)
            faults: list[Exception | None] = [None]
            try:
                own()
            except Exception as error:
                faults[0] = error
            faults += [pipe.recv() for pipe in self._crew.pipes]
        except (EOFError, OSError) as error:
            self._abandon(error)
        except BaseException:
            # An interrupt: who has answered is not known, so that no later call may ask.
            self.close()
            raise
        for fault in faults:
            if fault is not None:
                raise fault

    def _abandon(self, error: Exception) -> NoReturn:
        codes = [process.exitcode for process in self._crew.processes]
        self.close()
        raise SymgradError(
            f"a worker ended before it was told to (exit codes: {codes}), out of memory, perhaps; "
            "bind the data again, with fewer workers"
        ) from error

    def close(self) -> None:
        """Stop the workers and give the shared memory back; twice does no harm."""
        self._finish()

    def __enter__(self) -> ParallelFunction:
        return self

    def __exit__(self, *given: object) -> None:
        self.close()


def spread_out(
    make: Make, plan: Any, call: Call, data: Mapping[str, Any], workers: Any
) -> BoundFunction:
    """Bind data in several processes, where the formulas and the data are worth it.

    Args:
        make: Binds the data of one part; under spawn it is pickled.
        plan: The plan of the function.
        call: What the arrays look like.
        data: All of them by name.
        workers: How many processes, or "auto".
    """
    samples = call.sizes.get(plan.axis, 1) if plan.axis is not None else 1
    wide = plan.columns is None or plan.width(call.sizes) > NARROW
    count = worker_count(workers, samples, plan.operations(call.sizes), wide)
    if count == 1:
        return _in_one(make, call, data, f"{counted(samples, 'sample')}: work for one process")
    edges = [int(edge) for edge in np.linspace(0, samples, count + 1)]
    try:
        factors = weights(plan, call.sizes, [high - low for low, high in pairwise(edges)])
    except UnsupportedError as error:
        return _in_one(make, call, data, f"in one process: {error}")
    tape = plan.columns
    long = {name for name, place in tape.inputs.items() if plan.axis in tape.ops[place].shape}
    sampled = tuple(name for name in data if name in (plan.batch or long))
    parts = []
    for number, (low, high) in enumerate(pairwise(edges)):
        shapes = {n: (high - low, *s[1:]) if n in sampled else s for n, s in call.shapes.items()}
        sizes = {**call.sizes, plan.axis: high - low}
        parts.append(
            Part(number, low, high, replace(call, shapes=shapes, sizes=sizes), sampled, {})
        )
    first = make(parts[0].call, parts[0].cut(data))
    places = first.unpack(np.arange(first.size))
    parts = [replace(part, places=places) for part in parts]
    table = np.empty((count, first.size + 1), call.dtype)
    views = first.unpack(np.arange(1, first.size + 1))
    table[:, 0] = factors.get(VALUE, 1.0)
    for name, view in views.items():
        table[:, np.ravel(view)] = np.reshape(factors[name], (count, 1))
    crew = hired(make, parts, data, call.dtype, first.size)
    most = max(part.high - part.low for part in parts)
    reason = f"{first.form.reason}; {count} processes, up to {most} samples each"
    return ParallelFunction(first, crew, parts, table, Form(first.form.kind, reason))


def _in_one(make: Make, call: Call, data: Mapping[str, Any], why: str) -> BoundFunction:
    function = make(call, data)
    function.form = Form(function.form.kind, f"{function.form.reason}; {why}")
    return function
