"""The training loop: descent on compiled functions.

An `Objective` is three functions of parameters and data; `descend` follows its gradients and
returns a `Record`. The loop knows neither formulas nor networks, changes no array in place, and
keeps no state between calls: the same arguments, with a generator in the same state, give the same
record.

One idea carries both update orders. A step goes through *groups* of parameters; the gradients of a
group are taken at the point that the groups before it have already moved. "simultaneous" is one
group of all parameters, "sequential" one group for each.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from symgrad import errors
from symgrad.training.epochs import Bind, Epochs, Outside, Place, epochs_on
from symgrad.training.optimizers import Optimizer, State, moves_flat, optimizer
from symgrad.training.samples import (
    check_array,
    check_batches,
    check_numbers,
    check_whole,
    count_samples,
    drawn_order,
    spans,
)

Array = NDArray[np.float64]
Arrays = Mapping[str, Array]
Names = tuple[str, ...]
Callback = Callable[[int, float, dict[str, Array]], Any]
Schedule = Callable[[int], float]


@dataclass(frozen=True)
class Objective:
    """What the loop descends: compiled functions of `(parameters, batch)`.

    Both arguments are mappings from names to float64 arrays; every array of the batch has its
    samples on the first axis. The functions change neither; they may reuse their own buffers for
    what they return, the loop is done with it before the next call.

    Attributes:
        value: the loss, a number.
        value_and_gradients: the loss, and name to gradient in the parameter's shape.
        gradient_of: `(name, parameters, batch)` to that one gradient, for sequential updates.
        bind: of `(parameters, data)`, a function of the flat vector of all parameters, for data
            given once: see `symgrad.training.epochs`. Epochs then run on such functions, as far
            as the optimizer and the update order let them. None: there is no such form.

    Example:
        >>> square = Objective(
        ...     value=lambda at, batch: float(at["w"] ** 2),
        ...     value_and_gradients=lambda at, batch: (float(at["w"] ** 2), {"w": 2 * at["w"]}),
        ...     gradient_of=lambda name, at, batch: 2 * at["w"],
        ... )
        >>> record = descend(square, {}, {"w": 1.0}, learning_rate=0.25, epochs=3)
        >>> record.losses.tolist()
        [1.0, 0.25, 0.0625, 0.015625]
    """

    value: Callable[[Arrays, Arrays], float]
    value_and_gradients: Callable[[Arrays, Arrays], tuple[float, Mapping[str, Array]]]
    gradient_of: Callable[[str, Arrays, Arrays], Array]
    bind: Bind | None = None


@dataclass(frozen=True, eq=False)
class Record:
    """What a run left: the last good parameters and the way to them.

    Attributes:
        parameters: name to float64 array, after the last complete epoch with finite numbers.
        losses: `losses[k]` is the loss on all data after epoch k, `losses[0]` at the start;
            `losses[-1]` belongs to `parameters`. Its length is `epochs + 1`. Every loss is finite,
            except that of a start that has none: then it is NaN, alone.
        epochs: how many epochs lie behind `parameters`.
        stopped: "finished", "callback", "interrupted", or "diverged ..." with where and what.
    """

    parameters: dict[str, Array]
    losses: Array
    epochs: int
    stopped: str

    @property
    def diverged(self) -> bool:
        """Whether a loss, a gradient or a parameter was not finite."""
        return self.stopped.startswith("diverged")


def descend(
    objective: Objective,
    data: Mapping[str, ArrayLike],
    start: Mapping[str, ArrayLike],
    *,
    learning_rate: float | Schedule,
    epochs: int,
    optimizer: str | Optimizer = "sgd",
    batch_size: int | None = None,
    shuffle: bool = True,
    rng: np.random.Generator | None = None,
    update: str = "simultaneous",
    callback: Callback | None = None,
) -> Record:
    """Follow the gradients of `objective` from `start`.

    Where a loss, a gradient or a parameter is not finite, the run stops at once and the record
    keeps the last good parameters and says what was wrong. The same holds for an interrupt from
    the keyboard.

    Args:
        objective: the compiled functions.
        data: name to array with the samples on the first axis; may be empty. Constants without
            that axis belong into the objective.
        start: name to number or array: the parameters, in the order of sequential updates.
        learning_rate: a positive number, or a function of the epoch (1 for the first) that gives
            numbers of at least 0.
        epochs: how often all samples are visited; 0 only evaluates the start.
        optimizer: a name from `OPTIMIZERS`, or an instance.
        batch_size: samples per step, the last step may have fewer; None: all of them at once.
        shuffle: whether each epoch draws a new order; without effect on full batches.
        rng: where orders are drawn from; needed only then.
        update: "simultaneous": all gradients are taken at the same point. "sequential": one
            parameter moves after the other, each along its gradient at the point already moved.
        callback: called after each epoch as `callback(epoch, loss, parameters)`, with copies;
            returning True or raising StopIteration ends the run.

    Returns:
        The record of the run.

    Raises:
        DataError: data or start hold no numbers, no samples, NaN, or lengths that disagree; a name
            is both; there are no parameters; or the objective leaves a gradient out.
        OptionError: an option's value is not accepted.
        ShapeError: the loss is not a single number, or a gradient not in its parameter's shape.
    """
    epochs = check_whole("epochs", epochs, 0)
    _check_callback(callback)
    run = _prepare(objective, data, optimizer, learning_rate, batch_size, shuffle, rng, update)
    return _follow(run, _start(run, start), epochs, callback)


@dataclass(frozen=True)
class _Run:
    """The checked settings of a run; nothing here changes while it lasts."""

    objective: Objective
    data: Arrays
    count: int
    optimizer: Optimizer
    rate: Schedule
    batch_size: int | None
    shuffle: bool
    rng: np.random.Generator | None
    update: _Update


@dataclass(frozen=True)
class _Point:
    """Where a run stands; `states` has the optimizer's state by group."""

    parameters: dict[str, Array]
    states: Mapping[Names, State]


@dataclass(frozen=True)
class _Update:
    """An update order: how it groups the parameters, and how it gets a group's gradients."""

    groups: Callable[[Names], tuple[Names, ...]]
    gradients: Callable[[Objective, Names, Arrays, Arrays], Arrays]


class _NotFinite(Exception):
    """Something in the run is not finite; the message says what."""


def _all_gradients(objective: Objective, names: Names, at: Arrays, batch: Arrays) -> Arrays:
    """All gradients at one point."""
    value, gradients = objective.value_and_gradients(at, batch)
    _finite_loss(value)
    return gradients


def _one_gradient(objective: Objective, names: Names, at: Arrays, batch: Arrays) -> Arrays:
    """The gradient of a group's only parameter."""
    return {name: objective.gradient_of(name, at, batch) for name in names}


_UPDATES: Mapping[str, _Update] = MappingProxyType(
    {
        "simultaneous": _Update(lambda names: (names,), _all_gradients),
        "sequential": _Update(lambda names: tuple((name,) for name in names), _one_gradient),
    }
)


def _follow(run: _Run, start: _Point, epochs: int, callback: Callback | None) -> Record:
    """The run from a checked start."""
    way = _way(run, start)
    try:
        place, loss = way.begin(start)
    except _NotFinite as fault:
        return _record(start.parameters, [np.nan], 0, f"diverged at the start: {fault}")
    losses = [loss]
    kept, stopped = (place, 0), "finished"
    try:
        for epoch in range(1, epochs + 1):
            rate = run.rate(epoch)
            order = drawn_order(run.count, run.batch_size, run.shuffle, run.rng)
            with np.errstate(all="ignore"):  # what overflows is found by looking, and told once
                place, loss = way.epoch(kept[0], rate, order)
            losses.append(loss)
            # one assignment moves place and epoch together, so an interrupt cannot part them
            kept = place, epoch
            if callback is not None and _asks_to_stop(callback, epoch, loss, way.parameters(place)):
                stopped = "callback"
                break
    except _NotFinite as fault:
        stopped = f"diverged in epoch {kept[1] + 1}: {fault}"
    except KeyboardInterrupt:
        stopped = "interrupted"
    return _record(way.parameters(kept[0]), losses, kept[1], stopped)


def _way(run: _Run, start: _Point) -> Any:
    """How the epochs run: on bound functions where there are such, else step by step."""
    steps = _Steps(run)
    flat = run.update is _UPDATES["simultaneous"] and moves_flat(run.optimizer)
    if run.objective.bind is None or not flat:
        return steps
    try:
        with np.errstate(all="ignore"):
            chosen = epochs_on(
                run.objective.bind,
                start.parameters,
                run.data,
                run.count,
                run.optimizer,
                run.batch_size,
            )
    except errors.UnsupportedError:
        return steps
    return _Flat(steps, chosen)


class _Steps:
    """Epochs step by step, on a mapping of parameters: what every objective can do."""

    def __init__(self, run: _Run) -> None:
        self.run = run

    def begin(self, start: _Point) -> tuple[_Point, float]:
        """The start, and its loss."""
        return start, _full_loss(self.run, start)

    def epoch(
        self, point: _Point, rate: float, order: NDArray[np.int64] | None
    ) -> tuple[_Point, float]:
        """One visit of all samples: the new point and its loss on all data."""
        run = self.run
        try:
            for span in spans(run.count, run.batch_size):
                index = span if order is None else order[span]
                batch = {name: array[index] for name, array in run.data.items()}
                point = _step(run, point, batch, rate)
            return point, _full_loss(run, point)
        except OverflowError as error:  # plain Python floats raise where NumPy's become infinite
            raise _NotFinite(f"a number is too large ({error})") from error
        except errors.AssumptionError as error:  # a step took a parameter to where it may not be
            raise _NotFinite(str(error)) from error

    def parameters(self, point: _Point) -> Arrays:
        """The parameters by name."""
        return point.parameters


class _Flat:
    """Epochs on bound functions; one that leaves the finite range is gone through in steps."""

    def __init__(self, steps: _Steps, epochs: Epochs) -> None:
        self.steps, self.epochs, self.main = steps, epochs, epochs.main

    def begin(self, start: _Point) -> tuple[Place, float]:
        """The start, and its loss."""
        self.names = tuple(start.parameters)
        with np.errstate(all="ignore"):
            place, loss = self.epochs.begin(self.main.pack(start.parameters))
        return place, loss if np.isfinite(loss) else self.steps.begin(start)[1]

    def epoch(
        self, place: Place, rate: float, order: NDArray[np.int64] | None
    ) -> tuple[Place, float]:
        """One visit of all samples: the new place and its loss on all data."""
        try:
            return self.epochs.run(place, rate, order)
        except Outside:
            point, loss = self.steps.epoch(self._point(place), rate, order)
            return self._place(point), loss

    def parameters(self, place: Place) -> Arrays:
        """The parameters by name, in the order in which they were given."""
        views = self.main.unpack(place.flat)
        return {name: views[name] for name in self.names}

    def _point(self, place: Place) -> _Point:
        """The same place, by name: what is remembered of every entry is taken apart, too."""
        parts = [self.main.unpack(part) if np.ndim(part) else part for part in place.memory]
        state = {
            name: tuple(part[name] if isinstance(part, dict) else part for part in parts)
            for name in self.names
        }
        return _Point(dict(self.parameters(place)), {self.names: state})

    def _place(self, point: _Point) -> Place:
        state = point.states[self.names]
        first = state[self.names[0]]
        shared = self.steps.run.optimizer.begin(np.zeros(1))
        memory = tuple(
            self.main.pack({name: state[name][k] for name in self.names}) if np.ndim(part) else own
            for k, (part, own) in enumerate(zip(shared, first, strict=True))
        )
        return Place(self.main.pack(point.parameters), memory)


def _step(run: _Run, point: _Point, batch: Arrays, rate: float) -> _Point:
    """One step of every parameter on one batch, group after group."""
    parameters = dict(point.parameters)
    states = dict(point.states)
    for group, state in point.states.items():
        gradients = run.update.gradients(run.objective, group, parameters, batch)
        part = {name: parameters[name] for name in group}
        moved, states[group] = run.optimizer.step(part, gradients, state, rate)
        for name in group:
            _check_finite(f"the gradient of `{name}`", gradients[name])
            _check_finite(f"`{name}`", moved[name])
        parameters.update(moved)
    return _Point(parameters, states)


def _full_loss(run: _Run, point: _Point) -> float:
    """The loss on all data."""
    with np.errstate(all="ignore"):
        try:
            return _finite_loss(run.objective.value(point.parameters, run.data))
        except OverflowError as error:
            raise _NotFinite(f"the loss is too large ({error})") from error


def _finite_loss(value: ArrayLike) -> float:
    """The loss as a float."""
    if np.ndim(value) != 0:
        raise errors.ShapeError(
            f"the loss must be a single number; the objective gave shape {np.shape(value)}"
        )
    _check_finite("the loss", value)
    return float(np.asarray(value))


def _check_finite(what: str, value: ArrayLike) -> None:
    """Raise _NotFinite with the first value that is not."""
    finite = np.isfinite(value)
    if finite.all():
        return
    position = tuple(np.argwhere(~finite)[0].tolist())
    where = f" at {list(position)}" if position else ""
    raise _NotFinite(f"{what} is not finite ({float(np.asarray(value)[position])}{where})")


def _asks_to_stop(callback: Callback, epoch: int, loss: float, parameters: Arrays) -> bool:
    """Whether the callback ends the run; only True itself does, not whatever a lambda returns."""
    try:
        answer = callback(epoch, loss, _copied(parameters))
    except StopIteration:
        return True
    return isinstance(answer, (bool, np.bool_)) and bool(answer)


def _record(parameters: Arrays, losses: list[float], epoch: int, stopped: str) -> Record:
    """The record of a run whose last good parameters are these."""
    kept = np.array(losses[: epoch + 1], dtype=np.float64)
    return Record(_copied(parameters), kept, epoch, stopped)


def _copied(parameters: Arrays) -> dict[str, Array]:
    """The same numbers in arrays of their own."""
    return {name: array.copy() for name, array in parameters.items()}


def _prepare(
    objective: Objective,
    data: Mapping[str, ArrayLike],
    chosen: str | Optimizer,
    learning_rate: float | Schedule,
    batch_size: int | None,
    shuffle: bool,
    rng: np.random.Generator | None,
    update: str,
) -> _Run:
    """The settings, checked."""
    if not isinstance(update, str) or update not in _UPDATES:
        raise errors.unknown("update order", str(update), _UPDATES)
    arrays = {name: check_array(name, value) for name, value in data.items()}
    if not arrays and batch_size is not None:
        raise errors.OptionError(
            "`batch_size` must be None where there is no data to take batches of; "
            f"got {batch_size!r}"
        )
    count = count_samples(arrays) if arrays else 0
    check_batches(count, batch_size, shuffle, rng)
    return _Run(
        objective=objective,
        data=MappingProxyType(arrays),
        count=count,
        optimizer=optimizer(chosen),
        rate=_schedule(learning_rate),
        batch_size=batch_size,
        shuffle=shuffle,
        rng=rng,
        update=_UPDATES[update],
    )


def _start(run: _Run, start: Mapping[str, ArrayLike]) -> _Point:
    """The first point: the start as float64 arrays, and the optimizer's first states."""
    if not start:
        raise errors.DataError("there are no parameters to train: `start` is empty")
    both = [name for name in start if name in run.data]
    if both:
        raise errors.DataError(f"`{both[0]}` is in both `start` and `data`; it can be only one")
    parameters = {name: check_numbers(name, value) for name, value in start.items()}
    groups = run.update.groups(tuple(parameters))
    states = {
        group: run.optimizer.init({name: parameters[name] for name in group}) for group in groups
    }
    return _Point(parameters, states)


def _schedule(learning_rate: float | Schedule) -> Schedule:
    """The rate as a function of the epoch, which checks what it gives."""
    if not callable(learning_rate):
        fixed = _rate(learning_rate, "a positive finite number, or a function of the epoch")
        if fixed == 0:
            raise errors.OptionError(
                "`learning_rate` must be positive; at 0 no parameter would ever move"
            )
        return lambda epoch: fixed
    return lambda epoch: _rate(
        learning_rate(epoch), f"a finite number of at least 0 in epoch {epoch}"
    )


def _rate(value: Any, accepted: str) -> float:
    """`value` as a float; a schedule may end at 0."""
    number = isinstance(value, (int, float, np.integer, np.floating))
    if not number or isinstance(value, bool) or not 0 <= value < np.inf:
        raise errors.OptionError(f"`learning_rate` must be {accepted}; got {value!r}")
    return float(value)


def _check_callback(callback: Any) -> None:
    """Raise OptionError where it cannot be called."""
    if callback is not None and not callable(callback):
        raise errors.OptionError(
            f"`callback` must be None or a function of (epoch, loss, parameters); got {callback!r}"
        )
