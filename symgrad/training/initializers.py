"""Initializers: how weights are drawn before training.

An initializer draws an array of a given shape from a given random generator; it knows how many
inputs each unit has (`fan_in`) and how many units each input feeds (`fan_out`).

To add one: a function `(shape, fan_in, fan_out, rng) -> array` and a line in `INITIALIZERS` with
its law and an example that states the range and the variance to expect. The tests draw from every
entry; one without an example fails them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

from symgrad import errors
from symgrad.training.samples import check_whole

Array = NDArray[np.float64]
Shape = tuple[int, ...]
Draw = Callable[[Shape, int, int, np.random.Generator], Array]


@dataclass(frozen=True)
class Example:
    """What draws with these fans look like: mean 0, all in [-bound, bound], this variance."""

    fan_in: int
    fan_out: int
    bound: float
    variance: float


@dataclass(frozen=True)
class Initializer:
    """A way to draw weights; call it to draw.

    Attributes:
        name: the name under which users ask for it.
        law: the distribution, in a line.
        draw: the function that draws.
        example: what its draws look like for one pair of fans.

    Example:
        >>> rng = np.random.default_rng(0)
        >>> initializer("glorot_uniform")((3, 2), fan_in=3, fan_out=2, rng=rng).shape
        (3, 2)
    """

    name: str
    law: str
    draw: Draw
    example: Example | None = None

    def __call__(self, shape: Shape, fan_in: int, fan_out: int, rng: np.random.Generator) -> Array:
        """Draw an array of `shape`.

        Args:
            shape: the shape of the weights; `()` draws one number.
            fan_in: how many inputs each unit has, at least 1.
            fan_out: how many units each input feeds, at least 1.
            rng: the generator; the same generator state gives the same weights.

        Returns:
            A new float64 array.

        Raises:
            OptionError: a fan is not a whole number of at least 1.
        """
        fans = check_whole("fan_in", fan_in, 1), check_whole("fan_out", fan_out, 1)
        return np.asarray(self.draw(shape, *fans, rng), dtype=np.float64)


def _glorot_uniform(shape: Shape, fan_in: int, fan_out: int, rng: np.random.Generator) -> Array:
    """Glorot and Bengio (2010): variance 2 / (fan_in + fan_out), for tanh and sigmoid."""
    bound = np.sqrt(6 / (fan_in + fan_out))
    return np.asarray(rng.uniform(-bound, bound, shape))


def _he_normal(shape: Shape, fan_in: int, fan_out: int, rng: np.random.Generator) -> Array:
    """He and others (2015): variance 2 / fan_in, for relu; the normal is not truncated."""
    return np.asarray(rng.normal(0, np.sqrt(2 / fan_in), shape))


def _uniform(shape: Shape, fan_in: int, fan_out: int, rng: np.random.Generator) -> Array:
    """LeCun's range: the sum over a unit's inputs keeps a variance of a third of theirs."""
    bound = 1 / np.sqrt(fan_in)
    return np.asarray(rng.uniform(-bound, bound, shape))


def _zeros(shape: Shape, fan_in: int, fan_out: int, rng: np.random.Generator) -> Array:
    """For biases; as weights of a hidden layer they would keep all its units equal."""
    return np.zeros(shape)


INITIALIZERS: Mapping[str, Initializer] = MappingProxyType(
    {
        entry.name: entry
        for entry in (
            Initializer(
                name="glorot_uniform",
                law="uniform on [-a, a], a = sqrt(6 / (fan_in + fan_out))",
                draw=_glorot_uniform,
                example=Example(fan_in=20, fan_out=4, bound=0.5, variance=1 / 12),
            ),
            Initializer(
                name="he_normal",
                law="normal with mean 0 and variance 2 / fan_in",
                draw=_he_normal,
                example=Example(fan_in=8, fan_out=3, bound=np.inf, variance=0.25),
            ),
            Initializer(
                name="uniform",
                law="uniform on [-a, a], a = 1 / sqrt(fan_in)",
                draw=_uniform,
                example=Example(fan_in=16, fan_out=5, bound=0.25, variance=1 / 48),
            ),
            Initializer(
                name="zeros",
                law="0 everywhere",
                draw=_zeros,
                example=Example(fan_in=7, fan_out=2, bound=0.0, variance=0.0),
            ),
        )
    }
)


def initializer(given: str | Initializer) -> Initializer:
    """The initializer of that name; an `Initializer` is returned as it is.

    Args:
        given: a name from `INITIALIZERS`, or an `Initializer` of one's own.

    Raises:
        OptionError: an unknown name, or something that is neither.

    Example:
        >>> initializer("zeros").law
        '0 everywhere'
    """
    if isinstance(given, Initializer):
        return given
    if not isinstance(given, str):
        raise errors.OptionError(
            f"`initializer` must be one of {errors.listed(sorted(INITIALIZERS))}, "
            f"or an Initializer; got {given!r}"
        )
    if given not in INITIALIZERS:
        raise errors.unknown("initializer", given, sorted(INITIALIZERS))
    return INITIALIZERS[given]
