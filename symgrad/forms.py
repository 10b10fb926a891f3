"""The forms of a loss: the same loss of the same network, written another way."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

#: What the loss of many samples is of those of single ones; `ANY`: it does not depend on them.
MEAN, SUM, ANY = "mean", "sum", "any"


@dataclass(frozen=True)
class Forms:
    """How a loss of a network is made of another form of that network.

    Attributes:
        make: Returns the loss in the form `"rows"`, `"columns"` or `"scalars"`.
        reduce: `"mean"` or `"sum"` of the losses of single samples; `"any"` where the loss does
            not depend on samples; empty where it is none of these.
    """

    make: Callable[[str], Any]
    reduce: str


def combined(
    first: Forms | None, second: Forms | None, combine: Callable[[Any, Any], Any], *, adds: bool
) -> Forms | None:
    """Return the forms of a sum or of a product of two losses; None where one has none.

    >>> def plus(a, b):
    ...     return a + b
    >>> loss, penalty = Forms(lambda form: 1, MEAN), Forms(lambda form: 2, ANY)
    >>> made = combined(loss, penalty, plus, adds=True)
    >>> made.make("rows"), made.reduce
    (3, 'mean')
    """
    if first is None or second is None:
        return None
    reduce = _reduced({first.reduce, second.reduce}, adds)
    return Forms(partial(_remade, first, second, combine), reduce)


def _reduced(parts: set[str], adds: bool) -> str:
    if parts in ({ANY}, {MEAN}) or (adds and parts == {SUM}):
        # A product of two means is no mean, but one of constants is constant.
        return "" if parts == {MEAN} and not adds else next(iter(parts))
    if parts == {MEAN, ANY}:
        return MEAN
    # A sum over samples counts a penalty once for every sample; a factor does no harm.
    return SUM if parts == {SUM, ANY} and not adds else ""


def _remade(first: Forms, second: Forms, combine: Callable[[Any, Any], Any], form: str) -> Any:
    return combine(first.make(form), second.make(form))


def constant(value: Any) -> Forms:
    """Return the forms of what is the same in all of them.

    >>> constant(7).make("rows")
    7
    """
    return Forms(partial(_itself, value), ANY)


def _itself(value: Any, form: str) -> Any:
    return value
