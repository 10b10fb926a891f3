"""The error family, and how messages are worded.

Every error that symgrad raises on purpose derives from `SymgradError`, so that
one `except sg.SymgradError` catches them all. A message says what was given,
what is accepted, and where it helps, how to fix it.
"""

from __future__ import annotations

import difflib
import functools
import inspect
from collections.abc import Callable, Iterable
from typing import Any, ParamSpec, TypeVar

P = ParamSpec("P")
R = TypeVar("R")
C = TypeVar("C", bound=type)


class SymgradError(Exception):
    """Base class of every error that symgrad raises on purpose.

    >>> issubclass(ShapeError, SymgradError)
    True
    """


class ShapeError(SymgradError, ValueError):
    """Shapes that do not fit together, in a formula or in data."""


class UnsupportedError(SymgradError, NotImplementedError):
    """An operation for which symgrad has no rule; the message names it."""


class TraceError(UnsupportedError):
    """Something in a traced Python function that cannot be read; the message names the line."""


class ParseError(SymgradError, ValueError):
    """Text that is no formula; the message shows the line and marks the column.

    Attributes:
        start: Where in the text it stopped making sense, counted from 0; None where that is not
            known.
    """

    def __init__(self, message: str, start: int | None = None) -> None:
        super().__init__(message)
        self.start = start


class DataError(SymgradError, ValueError):
    """Data that cannot be used: no samples, NaN, text where numbers belong."""


class AssumptionError(DataError):
    """Data that break what is declared of them, and was used."""


class OptionError(SymgradError, ValueError):
    """An unknown name or option, or an option with a value that is not accepted."""


class DivergenceError(SymgradError, ArithmeticError):
    """Training left the finite numbers.

    Attributes:
        fit: What training had reached before: the last good parameters and losses.
    """

    def __init__(self, message: str, fit: Any = None) -> None:
        super().__init__(message)
        self.fit = fit


def listed(names: Iterable[object], most: int = 12) -> str:
    """Word a list of names for a message.

    >>> listed(["X", "Y"])
    '`X`, `Y`'
    """
    given = [f"`{name}`" for name in names]
    if not given:
        return "none"
    more = f" and {len(given) - most} more" if len(given) > most else ""
    return ", ".join(given[:most]) + more


def counted(count: int, noun: str) -> str:
    """Word how many there are: a noun that takes an s where they are not one.

    >>> counted(1, "epoch"), counted(2, "epoch")
    ('1 epoch', '2 epochs')
    """
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"


def unknown(kind: str, given: object, accepted: Iterable[object]) -> OptionError:
    """Build the error for a name that is not known, with the nearest known one.

    >>> print(unknown("activation", "tanhh", ["relu", "tanh"]))
    unknown activation `tanhh`; did you mean `tanh`? Accepted: `relu`, `tanh`
    """
    names = [str(name) for name in accepted]
    near = difflib.get_close_matches(str(given), names, n=1)
    hint = f"did you mean `{near[0]}`? " if near else ""
    return OptionError(f"unknown {kind} `{given}`; {hint}Accepted: {listed(names)}")


def checks_options(function: Callable[P, R]) -> Callable[P, R]:
    """Let a verb answer an unknown keyword with the options that it accepts (a decorator).

    >>> @checks_options
    ... def fit(data, *, epochs=10):
    ...     return epochs
    >>> try:
    ...     fit([], epoch=3)
    ... except OptionError as error:
    ...     print(error)
    unknown option of fit `epoch`; did you mean `epochs`? Accepted: `data`, `epochs`
    """
    accepted = inspect.signature(function).parameters
    open_ended = any(p.kind is p.VAR_KEYWORD for p in accepted.values())

    @functools.wraps(function)
    def checked(*args: P.args, **options: P.kwargs) -> R:
        for name in options:
            if name not in accepted and not open_ended:
                names = [known for known in accepted if known != "self"]
                raise unknown(f"option of {_called(function)}", name, names)
        return function(*args, **options)

    return checked


def _called(function: Any) -> str:
    return str(function.__qualname__).removesuffix(".__init__")


def checks_init(kind: C) -> C:
    """Do for a class what `checks_options` does for a function (a decorator)."""
    kind.__init__ = checks_options(kind.__init__)  # type: ignore[misc]
    return kind
