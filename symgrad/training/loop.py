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
from symgrad.training.optimizers import Optimizer, State, optimizer
from symgrad.training.samples import (
    batches,
    check_array,
    check_batches,
    check_numbers,
    check_whole,
    count_samples,
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
        batch_size: samples per step, see `batches`; None: all of them at once.
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
    """Where a run stands after `epoch` epochs; `states` has the optimizer's state by group."""

    parameters: dict[str, Array]
    states: Mapping[Names, State]
    epoch: int


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
    try:
        losses = [_full_loss(run, start)]
    except _NotFinite as fault:
        return _record(start, [np.nan], f"diverged at the start: {fault}")
    kept, stopped = start, "finished"
    try:
        for epoch in range(1, epochs + 1):
            point, loss = _epoch(run, kept, run.rate(epoch))
            losses.append(loss)
            # one assignment moves point and epoch together, so an interrupt cannot part them
            kept = point
            if _asks_to_stop(callback, epoch, loss, point):
                stopped = "callback"
                break
    except _NotFinite as fault:
        stopped = f"diverged in epoch {kept.epoch + 1}: {fault}"
    except KeyboardInterrupt:
        stopped = "interrupted"
    return _record(kept, losses, stopped)


def _epoch(run: _Run, point: _Point, rate: float) -> tuple[_Point, float]:
    """One visit of all samples: the new point and its loss on all data."""
    with np.errstate(all="ignore"):  # what overflows is found by looking, and told once
        try:
            for index in batches(run.count, run.batch_size, run.shuffle, run.rng):
                batch = {name: array[index] for name, array in run.data.items()}
                point = _step(run, point, batch, rate)
            point = _Point(point.parameters, point.states, point.epoch + 1)
            return point, _full_loss(run, point)
        except OverflowError as error:  # plain Python floats raise where NumPy's become infinite
            raise _NotFinite(f"a number is too large ({error})") from error
        except errors.AssumptionError as error:  # a step took a parameter to where it may not be
            raise _NotFinite(str(error)) from error


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
    return _Point(parameters, states, point.epoch)


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


def _asks_to_stop(callback: Callback | None, epoch: int, loss: float, point: _Point) -> bool:
    """Whether the callback ends the run; only True itself does, not whatever a lambda returns."""
    if callback is None:
        return False
    try:
        answer = callback(epoch, loss, _copied(point.parameters))
    except StopIteration:
        return True
    return isinstance(answer, (bool, np.bool_)) and bool(answer)


def _record(point: _Point, losses: list[float], stopped: str) -> Record:
    """The record of a run that ended at `point`."""
    kept = np.array(losses[: point.epoch + 1], dtype=np.float64)
    return Record(_copied(point.parameters), kept, point.epoch, stopped)


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
    return _Point(parameters, states, epoch=0)


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
