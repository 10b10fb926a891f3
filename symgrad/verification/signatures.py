"""Which arguments functions take, by the names of their parameters."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from symgrad.errors import OptionError, listed, unknown


def _parameters(function: Callable[..., Any]) -> list[inspect.Parameter] | None:
    try:
        return list(inspect.signature(function).parameters.values())
    except (TypeError, ValueError):
        return None


def arranged(function: Callable[..., Any], given: Mapping[str, Any]) -> list[Any]:
    """Return arguments in the order in which a function takes them.

    Where they have the names of its parameters these decide; other names go by their order.

    Args:
        function: The function.
        given: Arguments by name.

    Raises:
        OptionError: There are too few or too many.

    >>> arranged(lambda x, w: x @ w, {"w": 1, "x": 2})
    [2, 1]
    >>> arranged(lambda inputs, weights: inputs @ weights, {"x": 2, "w": 1})
    [2, 1]
    """
    parameters = _parameters(function)
    if parameters is None or any(p.kind is p.VAR_POSITIONAL for p in parameters):
        return list(given.values())
    plain = [p for p in parameters if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)]
    names = [p.name for p in plain]
    required = [p.name for p in plain if p.default is p.empty]
    name = getattr(function, "__name__", "function")
    takes = f"`{name}` takes the arguments {listed(names)}"
    if all(name in names for name in given):
        missing = [name for name in required if name not in given]
    else:
        missing = required[len(given) :]
    if missing:
        raise OptionError(f"{takes}; give a shape or a value for {listed(missing)}, too")
    if len(given) > len(names):
        raise OptionError(f"{takes}; shapes are given for {listed(given)}")
    first = names[: len(given)]
    return [given[name] for name in first] if set(first) == set(given) else list(given.values())


def parameters_of(claim: Callable[..., Any], names: Sequence[str] | Mapping[str, Any]) -> list[str]:
    """Return the names that a claim's parameters have; all where it takes any.

    Raises:
        OptionError: A parameter without a default that is no name of the loss.
    """
    parameters = _parameters(claim)
    if parameters is None or any(p.kind is p.VAR_KEYWORD for p in parameters):
        return list(names)
    for parameter in parameters:
        missing = parameter.default is parameter.empty and parameter.name not in names
        if missing and parameter.kind is not parameter.VAR_POSITIONAL:
            raise unknown("parameter of the claim", parameter.name, names)
    return [parameter.name for parameter in parameters if parameter.name in names]
