"""Epochs on bound functions: the parameters are one flat vector, the data is given once.

There are three ways through the samples: all at once, batch after batch, and one by one in a
generated loop. Each does what the steps of `symgrad.training.loop` do, to rounding, without what
these check in every step. What leaves the finite range raises `Outside`, and the loop goes
through that epoch again step by step: it says where it happened.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from symgrad.errors import DivergenceError
from symgrad.training.optimizers import Memory, Optimizer, Sgd
from symgrad.training.samples import spans

Array = NDArray[np.float64]
Arrays = Mapping[str, Array]


class Bound(Protocol):
    """What is needed of a function of a flat vector: see `symgrad.backends.bound`."""

    given: tuple[str, ...]
    size: int

    @property
    def descends(self) -> bool:
        """Whether `descend` is the fastest way to visit sample by sample."""

    @property
    def sampled(self) -> list[str]:
        """The inputs that have samples."""

    def __call__(self, p: Array) -> tuple[float, Array]:
        """The value and the flat gradient, which the next call overwrites."""

    def value(self, p: Array) -> float:
        """The value alone."""

    def rebind(self, arrays: Arrays) -> None:
        """Give other data of the same shapes."""

    def pack(self, parameters: Arrays) -> Array:
        """The flat vector of parameters by name."""

    def unpack(self, flat: Any) -> dict[str, Array]:
        """Views of a flat vector, by name."""

    def descend(self, p: Array, learning_rate: float, epochs: int, order: Any) -> Array:
        """Move the parameters, sample by sample."""


#: Binds arrays: all samples or a batch of them, with examples of the parameters.
Bind = Callable[[Arrays, Arrays], Bound]


class Outside(Exception):
    """Something left the finite range in this epoch."""


@dataclass(frozen=True)
class Place:
    """Where a run stands.

    Attributes:
        flat: The parameters.
        memory: What the optimizer remembers about them.
        gradient: The gradient on all data, where the last epoch left it.
    """

    flat: Array
    memory: Memory
    gradient: Array | None = None


class Epochs(ABC):
    """A way through the samples, once in an epoch.

    Args:
        full: The function of all data.
        optimizer: One that moves every entry by itself, so that a flat vector is as good as
            arrays by name.
    """

    def __init__(self, full: Bound, optimizer: Optimizer) -> None:
        self.full, self.optimizer = full, optimizer
        self._zeros = np.zeros(full.size)

    @property
    def main(self) -> Bound:
        """The function whose order of parameters the flat vector has."""
        return self.full

    def begin(self, flat: Array) -> tuple[Place, float]:
        """Return the first place, and the loss on all data there."""
        return Place(flat, self.optimizer.begin(flat)), self.loss(flat)

    @abstractmethod
    def run(self, place: Place, rate: float, order: Any) -> tuple[Place, float]:
        """Visit all samples.

        Args:
            place: Where to start from; it is not changed.
            rate: The learning rate.
            order: The places of the samples in the order in which they are visited, or None.

        Returns:
            The new place, and the loss on all data there.

        Raises:
            Outside: A loss or a parameter is not finite.
        """

    def loss(self, flat: Array) -> float:
        """Return the loss on all data."""
        return self.full.value(flat)

    def moved(self, place: Place, gradient: Array, rate: float) -> tuple[Array, Memory]:
        """Return the parameters and the memory after a step."""
        return self.optimizer.move(place.flat, gradient, place.memory, rate)

    def checked(self, flat: Array, loss: float) -> float:
        """Return the loss; every number that is not finite stays so once a parameter has it.

        Raises:
            Outside: The loss or a parameter is not finite.
        """
        # Zero times what is not finite is nan, and a sum of zeros cannot overflow.
        if not (math.isfinite(loss) and math.isfinite(self._zeros.dot(flat))):
            raise Outside
        return loss


class AllAtOnce(Epochs):
    """One step on all samples: the loss after it comes with the gradient of the next one."""

    def begin(self, flat: Array) -> tuple[Place, float]:
        """Return the first place, and the loss there; see `Epochs`."""
        loss, gradient = self.full(flat)
        return Place(flat, self.optimizer.begin(flat), gradient.copy()), loss

    def run(self, place: Place, rate: float, order: Any) -> tuple[Place, float]:
        """Take one step; see `Epochs`."""
        gradient = self.full(place.flat)[1] if place.gradient is None else place.gradient
        flat, memory = self.moved(place, gradient, rate)
        loss, gradient = self.full(flat)
        return Place(flat, memory, gradient.copy()), self.checked(flat, loss)


class BatchByBatch(Epochs):
    """One step on every batch: each is copied into the same bound arrays.

    Args:
        full: The function of all data.
        optimizer: See `Epochs`.
        bind: Binds arrays.
        at: Examples of the parameters.
        data: All samples.
        batches: Where each batch begins and ends; all but the last have one size.
    """

    def __init__(
        self,
        full: Bound,
        optimizer: Optimizer,
        bind: Bind,
        at: Arrays,
        data: Arrays,
        batches: Sequence[slice],
    ) -> None:
        super().__init__(full, optimizer)
        self._bind, self._at, self._data, self._batches = bind, at, data, batches
        size = batches[0].stop
        self._main = bind(at, {name: array[:size] for name, array in data.items()})
        self._made: dict[int, tuple[Bound, Any]] = {size: (self._main, None)}
        self._order = _order_of(full, self._main)
        self._room: dict[str, Array] = {}

    @property
    def main(self) -> Bound:
        """The function of a whole batch; see `Epochs`."""
        return self._main

    def run(self, place: Place, rate: float, order: Any) -> tuple[Place, float]:
        """Take one step for every batch; see `Epochs`."""
        arrays = self._data if order is None else self._gathered(order)
        for span in self._batches:
            batch = {name: array[span] for name, array in arrays.items()}
            function, there_and_back = self._of(span.stop - span.start, batch)
            function.rebind(batch)
            if there_and_back is None:
                loss, gradient = function(place.flat)
            else:
                there, back = there_and_back
                loss, gradient = function(place.flat[there])
                gradient = gradient[back]
            if not math.isfinite(loss):
                raise Outside
            place = Place(*self.moved(place, gradient, rate))
        return place, self.checked(place.flat, self.loss(place.flat))

    def loss(self, flat: Array) -> float:
        """Return the loss on all data; see `Epochs`."""
        return self.full.value(flat if self._order is None else flat[self._order[0]])

    def _gathered(self, order: Any) -> Arrays:
        """Gather all samples once; the batches are then slices, which cost next to nothing."""
        self._room = self._room or {name: np.empty_like(a) for name, a in self._data.items()}
        for name, array in self._data.items():
            np.take(array, order, axis=0, out=self._room[name], mode="clip")
        return self._room

    def _of(self, size: int, batch: Arrays) -> tuple[Bound, Any]:
        """Return the function of batches of a size, and how its flat vector is ordered."""
        if size not in self._made:
            function = self._bind(self._at, batch)
            self._made[size] = function, _order_of(function, self._main)
        return self._made[size]


class OneByOne(Epochs):
    """One step of plain gradient descent at every sample, in a generated loop."""

    def run(self, place: Place, rate: float, order: Any) -> tuple[Place, float]:
        """Run the loop over all samples; see `Epochs`."""
        try:
            flat = self.full.descend(place.flat, rate, 1, order)
        except DivergenceError:
            raise Outside from None
        return Place(flat, place.memory), self.checked(flat, self.loss(flat))


def _order_of(function: Bound, main: Bound) -> tuple[Any, Any] | None:
    """Return how to go from one flat vector to the other's order, and back; None if they agree."""
    places = np.arange(main.size)
    there = function.pack(main.unpack(places)).astype(int)
    return None if np.array_equal(there, places) else (there, np.argsort(there))


def epochs_on(
    bind: Bind,
    at: Arrays,
    data: Arrays,
    count: int,
    optimizer: Optimizer,
    batch_size: int | None,
) -> Epochs:
    """Choose the way through the samples.

    Args:
        bind: Binds arrays.
        at: The parameters at the start.
        data: All samples, by name.
        count: Their number.
        optimizer: One that moves every entry by itself.
        batch_size: Samples in a step; None for all.
    """
    full = bind(at, data)
    data = {name: array for name, array in data.items() if name in full.given}
    if batch_size is None or batch_size == count:
        return AllAtOnce(full, optimizer)
    if batch_size == 1 and type(optimizer) is Sgd and _descends(full, data):
        return OneByOne(full, optimizer)
    return BatchByBatch(full, optimizer, bind, at, data, spans(count, batch_size))


def _descends(full: Bound, data: Arrays) -> bool:
    """Tell whether the generated loop visits what the run takes for samples."""
    return full.descends and set(full.sampled) == set(data)
