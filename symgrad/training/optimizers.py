"""Optimizers: how parameters move, given their gradients.

An optimizer is a frozen dataclass with two pure methods, `init` and `step`; what it must remember
from one step to the next (a velocity, running means) is handed back and forth as data. Nothing is
changed in place, so a step that went wrong can be thrown away.

To add one: a subclass of `Optimizer` with `begin` and `move` for a single parameter, and a line in
`OPTIMIZERS` with its law and an example worked by hand. The tests walk that table; an entry without
an example fails them.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import ClassVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

from symgrad import errors

Array = NDArray[np.float64]
Memory = tuple[Array, ...]
State = Mapping[str, Memory]


class Optimizer(ABC):
    """What the training loop needs from an optimizer: `init` and `step`, both pure.

    Subclasses are frozen dataclasses and say what happens to one parameter, in `begin` and `move`;
    mapping that over all parameters is done here, once.

    Example:
        >>> sgd = Sgd()
        >>> start = {"w": 1.0}
        >>> moved, state = sgd.step(start, {"w": 0.5}, sgd.init(start), learning_rate=0.1)
        >>> float(moved["w"])
        0.95
    """

    #: Whether `move` treats every entry by itself, so that all parameters may be moved as one
    #: flat vector. A subclass says it for itself: one that overrides `move` does not inherit it.
    entrywise: ClassVar[bool] = False

    @abstractmethod
    def begin(self, parameter: Array) -> Memory:
        """What is remembered about `parameter` before its first step: arrays, maybe none."""

    @abstractmethod
    def move(
        self, parameter: Array, gradient: Array, memory: Memory, rate: float
    ) -> tuple[Array, Memory]:
        """The moved parameter, in the same shape, and what to remember for the next step."""

    def init(self, parameters: Mapping[str, ArrayLike]) -> State:
        """The state before the first step.

        Args:
            parameters: name to number or array, of any shape.

        Returns:
            Name to what this optimizer remembers about that parameter.
        """
        return {name: self.begin(_float64(value)) for name, value in parameters.items()}

    def step(
        self,
        parameters: Mapping[str, ArrayLike],
        gradients: Mapping[str, ArrayLike],
        state: State,
        learning_rate: float,
    ) -> tuple[dict[str, Array], State]:
        """One step of every parameter in `parameters`.

        Args:
            parameters: name to number or array, of any shape.
            gradients: name to gradient, in the parameter's own shape; further names are ignored.
            state: what `init` or the last `step` gave for these parameters.
            learning_rate: the step size.

        Returns:
            The moved parameters, as new float64 arrays, and the new state.

        Raises:
            DataError: a parameter has no gradient.
            ShapeError: a gradient does not have its parameter's shape.
        """
        moved: dict[str, Array] = {}
        memories: dict[str, Memory] = {}
        for name, value in parameters.items():
            parameter = _float64(value)
            gradient = _gradient_of(name, parameter, gradients)
            new, memories[name] = self.move(parameter, gradient, state[name], learning_rate)
            moved[name] = _float64(new)
        return moved, memories


@dataclass(frozen=True)
class Sgd(Optimizer):
    """Gradient descent: `w <- w - rate * g`.

    Called stochastic when the gradient `g` is that of a batch. It remembers nothing.
    """

    entrywise: ClassVar[bool] = True

    def begin(self, parameter: Array) -> Memory:
        """Nothing to remember."""
        return ()

    def move(
        self, parameter: Array, gradient: Array, memory: Memory, rate: float
    ) -> tuple[Array, Memory]:
        """`w - rate * g`."""
        return parameter - rate * gradient, memory


@dataclass(frozen=True)
class Momentum(Optimizer):
    """Heavy-ball descent: `v <- coefficient * v + g`, then `w <- w - rate * v`; v starts at 0.

    Polyak (1964). The rate multiplies the whole velocity, so a changing rate also rescales the
    steps that the velocity remembers.

    Attributes:
        coefficient: how much of the velocity stays from step to step, 0 <= coefficient < 1.
    """

    entrywise: ClassVar[bool] = True
    coefficient: float = 0.9

    def __post_init__(self) -> None:
        """Check the option; OptionError otherwise."""
        _check_decay("coefficient", self.coefficient)

    def begin(self, parameter: Array) -> Memory:
        """The velocity, zero."""
        return (np.zeros_like(parameter),)

    def move(
        self, parameter: Array, gradient: Array, memory: Memory, rate: float
    ) -> tuple[Array, Memory]:
        """`w - rate * v` with the new velocity `v`."""
        velocity = _float64(self.coefficient * memory[0] + gradient)
        return parameter - rate * velocity, (velocity,)


@dataclass(frozen=True)
class Adam(Optimizer):
    """Adam: descent with running means of the gradient and of its square.

    Kingma and Ba (2015), Algorithm 1. In step t = 1, 2, ... with gradient g:

    - `m <- beta1 * m + (1 - beta1) * g`
    - `v <- beta2 * v + (1 - beta2) * g**2`
    - `w <- w - rate * (m / (1 - beta1**t)) / (sqrt(v / (1 - beta2**t)) + epsilon)`

    m and v start at 0; the two divisions undo their bias towards that start.

    Attributes:
        beta1: decay of the mean of gradients, 0 <= beta1 < 1.
        beta2: decay of the mean of squared gradients, 0 <= beta2 < 1.
        epsilon: positive; keeps the quotient finite where all gradients were 0.
    """

    entrywise: ClassVar[bool] = True
    beta1: float = 0.9
    beta2: float = 0.999
    epsilon: float = 1e-8

    def __post_init__(self) -> None:
        """Check the options; OptionError otherwise."""
        _check_decay("beta1", self.beta1)
        _check_decay("beta2", self.beta2)
        if not 0 < self.epsilon < np.inf:
            raise errors.OptionError(
                f"`epsilon` must be a positive finite number; got {self.epsilon!r}"
            )

    def begin(self, parameter: Array) -> Memory:
        """Both running means and the count of steps, zero."""
        return np.zeros_like(parameter), np.zeros_like(parameter), np.zeros(())

    def move(
        self, parameter: Array, gradient: Array, memory: Memory, rate: float
    ) -> tuple[Array, Memory]:
        """The three lines of the class's law."""
        count = memory[2] + 1
        mean = self.beta1 * memory[0] + (1 - self.beta1) * gradient
        square = self.beta2 * memory[1] + (1 - self.beta2) * gradient**2
        unbiased = mean / (1 - self.beta1**count)
        scale = np.sqrt(square / (1 - self.beta2**count)) + self.epsilon
        return parameter - rate * unbiased / scale, tuple(map(_float64, (mean, square, count)))


@dataclass(frozen=True)
class Example:
    """A run of one number by hand: after gradient k the parameter is `expected[k]`."""

    start: float
    gradients: tuple[float, ...]
    learning_rate: float
    expected: tuple[float, ...]


@dataclass(frozen=True)
class OptimizerEntry:
    """One optimizer of the table: how to make it, its law in a line, an example of the law."""

    make: Callable[[], Optimizer]
    law: str
    example: Example | None = None


OPTIMIZERS: Mapping[str, OptimizerEntry] = MappingProxyType(
    {
        "sgd": OptimizerEntry(
            make=Sgd,
            law="w <- w - rate * g",
            example=Example(1.0, (1.0, -0.5, 0.0), 0.1, (0.9, 0.95, 0.95)),
        ),
        "momentum": OptimizerEntry(
            make=Momentum,
            law="v <- 0.9 * v + g; w <- w - rate * v",
            # velocities 1, 0.4, 0.36
            example=Example(1.0, (1.0, -0.5, 0.0), 0.1, (0.9, 0.86, 0.824)),
        ),
        "adam": OptimizerEntry(
            make=Adam,
            law="m <- 0.9 * m + 0.1 * g; v <- 0.999 * v + 0.001 * g**2; "
            "w <- w - rate * (m / (1 - 0.9**t)) / (sqrt(v / (1 - 0.999**t)) + 1e-8)",
            # the unbiased means are 1 and 1, then 4/19 and 1249/1999
            example=Example(1.0, (1.0, -0.5), 0.1, (0.900000001, 0.873366297370902967)),
        ),
    }
)


def optimizer(given: str | Optimizer) -> Optimizer:
    """The optimizer of that name, with its default options; an instance is returned as it is.

    Args:
        given: a name from `OPTIMIZERS`, or an instance such as `Adam(beta1=0.8)`.

    Raises:
        OptionError: an unknown name, or something that is neither.

    Example:
        >>> optimizer("momentum")
        Momentum(coefficient=0.9)
    """
    if isinstance(given, Optimizer):
        return given
    if not isinstance(given, str):
        raise errors.OptionError(
            f"`optimizer` must be one of {errors.listed(sorted(OPTIMIZERS))}, or an instance "
            f"such as Adam(beta1=0.8); got {given!r}"
        )
    if given not in OPTIMIZERS:
        raise errors.unknown("optimizer", given, sorted(OPTIMIZERS))
    return OPTIMIZERS[given].make()


def moves_flat(given: Optimizer) -> bool:
    """Whether an optimizer moves a flat vector of all parameters as it moves each of them.

    Example:
        >>> moves_flat(Adam())
        True
    """
    return bool(vars(type(given)).get("entrywise", False))


def _float64(value: ArrayLike) -> Array:
    """`value` as an array again: NumPy turns arithmetic on 0-d arrays into bare scalars."""
    return np.asarray(value, dtype=np.float64)


def _gradient_of(name: str, parameter: Array, gradients: Mapping[str, ArrayLike]) -> Array:
    """The gradient of one parameter; broadcasting would change the parameter's shape unseen."""
    if name not in gradients:
        raise errors.DataError(
            f"there is no gradient for the parameter `{name}`; given: {errors.listed(gradients)}"
        )
    gradient = _float64(gradients[name])
    if gradient.shape != parameter.shape:
        raise errors.ShapeError(
            f"the gradient of `{name}` has shape {gradient.shape}, "
            f"the parameter itself {parameter.shape}; they must be the same"
        )
    return gradient


def _check_decay(option: str, value: float) -> None:
    """A share of the past that is kept: at 1 it would never be forgotten."""
    if not 0 <= value < 1:
        raise errors.OptionError(f"`{option}` must be a number from 0 to below 1; got {value!r}")
