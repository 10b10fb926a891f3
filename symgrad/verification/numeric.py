"""The numeric check, for functions that cannot be traced; it answers only when asked.

Along a direction v the remainder f(x + h v) - f(x) - h <g, v> of a right gradient shrinks like h^2,
that of a wrong one like h, whatever the scale of the loss. Several directions, points and steps
are tried, with extended precision where the functions keep it.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from symgrad.errors import DataError, OptionError
from symgrad.verification.settings import GENERIC_SIZES
from symgrad.verification.signatures import arranged
from symgrad.verification.verdict import AGREES, REFUTED, Verdict, Witness

#: Points, directions at each, and halvings of the step.
POINTS, DIRECTIONS, HALVINGS = 4, 3, 16
#: An observed order from here on counts as two, one below it as one.
SECOND, FIRST = 1.7, 1.3
NOTE = (
    "a numeric check only: the order of the Taylor remainder was observed at {points} points; "
    "differences below rounding, and those in places that no point reached, are not seen"
)


def verdicts(pair: Any, check: Callable[[], None], reason: str) -> dict[str, Verdict]:
    """Check a pair of functions numerically.

    Args:
        pair: The functions; see `symgrad.verification.functions.Pair`.
        check: Raises when time is over.
        reason: Why they were not traced.

    Raises:
        DataError: The functions give nothing finite at any point.
    """
    wrong: dict[str, Verdict] = {}
    seen: dict[str, int] = dict.fromkeys(pair.wrt, 0)
    for seed in range(POINTS):
        run = _Run(pair, seed)
        for name in pair.wrt:
            if name in wrong:
                continue
            check()
            order, witness = run.order(name)
            if order is None:
                continue
            seen[name] += 1
            if order < FIRST and witness is not None:
                wrong[name] = Verdict(name, REFUTED, "numeric", witness, notes=(reason,))
    found = {}
    for name in pair.wrt:
        if not seen[name]:
            raise DataError(f"the functions give nothing finite for `{name}` at {POINTS} points")
        notes = (NOTE.format(points=seen[name]), reason)
        agrees = Verdict(name, AGREES, "numeric", points=seen[name], notes=notes)
        found[name] = wrong.get(name, agrees)
    return found


class _Run:
    """Both functions at one point."""

    def __init__(self, pair: Any, seed: int) -> None:
        self.pair = pair
        self.random = np.random.default_rng(seed)
        self.dtype = np.longdouble
        sizes: dict[str, int] = {}
        self.arguments = {
            name: self._drawn(given, name, sizes) for name, given in pair.shapes.items()
        }
        self.upstream: Any = None
        returned = self._gradient()
        self.gradients = pair.by_name(returned)

    def _drawn(self, given: Any, name: str, sizes: dict[str, int]) -> Any:
        from symgrad.verification.functions import is_shape

        if is_shape(given):
            for size in given:
                if isinstance(size, str):
                    sizes.setdefault(size, GENERIC_SIZES[0][len(sizes) % len(GENERIC_SIZES[0])])
            shape = tuple(sizes[size] if isinstance(size, str) else size for size in given)
            low, high = self.pair.domain.get(name, (-np.inf, np.inf))
            return self._numbers(shape, low, high)
        if isinstance(given, Mapping):
            return {key: self._drawn(part, str(key), sizes) for key, part in given.items()}
        if isinstance(given, (list, tuple)):
            return type(given)(self._drawn(part, name, sizes) for part in given)
        return copy.deepcopy(given)

    def _numbers(self, shape: tuple[int, ...], low: float, high: float) -> Any:
        values = self.random.uniform(0.2, 2.0, shape) * self.random.choice([-1.0, 1.0], shape)
        if np.isfinite(low) and np.isfinite(high):
            values = low + (high - low) * self.random.uniform(0.05, 0.95, shape)
        elif np.isfinite(low):
            values = low + np.abs(values)
        elif np.isfinite(high):
            values = high - np.abs(values)
        return values if shape else float(values)

    def _gradient(self) -> Any:
        arguments = copy.deepcopy(self.arguments)
        if self.pair.upstream is None:
            return self.pair.grad(*arranged(self.pair.grad, arguments))
        value = self.pair.loss(*arranged(self.pair.loss, arguments))
        output, *cache = value if isinstance(value, tuple) else (value,)
        self.upstream = self._numbers(np.shape(output), -np.inf, np.inf)
        return self.pair.grad(copy.deepcopy(self.upstream), *cache[:1])

    def _loss(self, arguments: Mapping[str, Any]) -> float:
        with np.errstate(all="ignore"):
            value = self.pair.loss(*arranged(self.pair.loss, copy.deepcopy(arguments)))
        if self.pair.upstream is None:
            if np.size(value) != 1:
                raise OptionError("the loss is no scalar; for a forward pass give upstream=")
            return np.ravel(value)[0]  # type: ignore[no-any-return]
        output = value[0] if isinstance(value, tuple) else value
        return np.sum(np.asarray(output) * self.upstream)  # type: ignore[no-any-return]

    def order(self, name: str) -> tuple[float | None, Witness | None]:
        """Observe the order of the remainder by one variable; the least over the directions."""
        least: float | None = None
        witness = None
        for _ in range(DIRECTIONS):
            order, slope, claimed = self._along(name)
            if order is not None and (least is None or order < least):
                least, witness = order, self._witness(slope, claimed)
        return least, witness

    def _along(self, name: str) -> tuple[float | None, float, float]:
        direction = _like(self.pair.wanted(self.arguments)[name], self.random)
        claimed = _dot(self.gradients[name], direction)
        base = self._loss(self.arguments)
        if not np.isfinite(base) or not np.isfinite(claimed):
            return None, 0.0, 0.0
        steps = 0.5 ** np.arange(4, 4 + HALVINGS)
        ahead = np.array([self._loss(self._moved(name, direction, h)) for h in steps])
        behind = np.array([self._loss(self._moved(name, direction, -h)) for h in steps])
        remainders = np.abs(ahead - base - steps * claimed)
        # Below this, rounding of the two losses is all that is left.
        floor = (
            64 * np.finfo(np.asarray(base).dtype.type).eps * np.maximum(np.abs(ahead), abs(base))
        )
        usable = np.isfinite(remainders) & (remainders > floor)
        slope = float((ahead - behind)[8] / (2 * steps[8]))
        if usable.sum() < 3:
            return 2.0, slope, float(claimed)
        logs = np.log2(remainders[usable])
        # The smallest usable steps tell: larger ones may cross a kink.
        orders = (logs[:-1] - logs[1:]) / np.diff(np.flatnonzero(usable))
        return float(np.median(orders[-4:])), slope, float(claimed)

    def _moved(self, name: str, direction: Any, step: float) -> dict[str, Any]:
        moved = copy.deepcopy(dict(self.arguments))
        if name in moved:
            moved[name] = _sum(moved[name], direction, step)
            return moved
        for argument in moved.values():
            if isinstance(argument, dict) and name in argument:
                argument[name] = _sum(argument[name], direction, step)
        return moved

    def _witness(self, slope: float, claimed: float) -> Witness:
        plain = {k: v for k, v in self.arguments.items() if not isinstance(v, (dict, list))}
        return Witness(plain, (), slope, claimed, ((),), 1)


def _like(value: Any, random: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _like(part, random) for key, part in value.items()}
    if isinstance(value, (list, tuple)):
        return [_like(part, random) for part in value]
    return random.uniform(0.3, 1.0, np.shape(value)) * random.choice([-1.0, 1.0], np.shape(value))


def _sum(value: Any, direction: Any, step: float) -> Any:
    if isinstance(value, Mapping):
        return {key: _sum(part, direction[key], step) for key, part in value.items()}
    if isinstance(value, (list, tuple)):
        return type(value)(_sum(a, b, step) for a, b in zip(value, direction, strict=True))
    moved = value + step * direction
    return moved if np.shape(value) else float(moved)


def _dot(value: Any, direction: Any) -> float:
    if isinstance(direction, Mapping):
        return sum(_dot(value[key], part) for key, part in direction.items())
    if isinstance(direction, list):
        return sum(_dot(a, b) for a, b in zip(value, direction, strict=True))
    if np.shape(value) != np.shape(direction) and not np.size(value) == np.size(direction) == 1:
        raise DataError(
            f"the gradient has the shape {np.shape(value)}, the variable {np.shape(direction)}"
        )
    return float(np.sum(np.asarray(value) * direction))
