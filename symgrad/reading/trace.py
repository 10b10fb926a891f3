"""Calling a user's function with traced arguments."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from symgrad.circuit import Circuit
from symgrad.errors import SymgradError, TraceError
from symgrad.reading import linear, sums  # noqa: F401  (they register NumPy's functions)
from symgrad.reading.arrays import TracedArray, entries, mapped
from symgrad.reading.masks import Masked
from symgrad.reading.places import Watch, located, refusal, tick, watched
from symgrad.reading.rebinding import Rebinder
from symgrad.reading.scalars import Entry, Scalar, real

#: The most nodes of one trace.
MAX_NODES = 2_000_000


def variables(circuit: Circuit, name: str, shape: Sequence[int] = ()) -> TracedArray | Scalar:
    """Make an array of variables, named `X[0, 1]`; without axes a single one, named `x`.

    >>> variables(Circuit(), "X", (2, 3))[0, 1]
    X[0, 1]
    """
    if not tuple(shape):
        return Scalar(circuit, circuit.variable(name))
    data = np.empty(tuple(shape), dtype=object)
    for place in np.ndindex(data.shape):
        at = ", ".join(map(str, place))
        data[place] = Scalar(circuit, circuit.variable(f"{name}[{at}]"))
    return TracedArray(circuit, data)


def _copied(value: Any) -> Any:
    """Copy traced arrays, in containers too, so that updates in place stay in the call."""
    if isinstance(value, TracedArray):
        return value.copy()
    if isinstance(value, dict):
        return {key: _copied(part) for key, part in value.items()}
    if type(value) in (list, tuple):
        return type(value)(map(_copied, value))
    return value


class _Passed:
    """An exception of the caller's own hook: it goes through user code and is not reworded."""

    def __init__(self, check: Callable[[], None]) -> None:
        self.check, self.raised = check, None

    def __call__(self) -> None:
        try:
            self.check()
        except BaseException as error:
            self.raised = error  # type: ignore[assignment]
            raise


def call_traced(
    circuit: Circuit,
    function: Callable[..., Any],
    arguments: Sequence[Any],
    check: Callable[[], None] | None = None,
    *,
    keywords: dict[str, Any] | None = None,
    max_nodes: int = MAX_NODES,
) -> Any:
    """Call a function with traced or plain arguments, and return what it returns.

    Args:
        circuit: Where the operations are recorded.
        function: The user's function; a copy of it is called, its module stays as it is.
        arguments: Traced arrays and scalars, constant arrays, other objects, or containers of
            them.
        check: Called now and then; what it raises ends the call.
        keywords: Arguments by name.
        max_nodes: The most nodes that the circuit may get.

    Raises:
        TraceError: Something that cannot be read, or an error of the function; it names the line.

    >>> circuit = Circuit()
    >>> x = variables(circuit, "x")
    >>> call_traced(circuit, lambda x: np.sum(x * np.ones(3)), [x]).node == (3 * x).node
    True
    """
    passed = None if check is None else _Passed(check)
    watch = Watch(circuit, passed, max_nodes)
    with watched(watch):
        rebinder = Rebinder(circuit)
        given = [rebinder.rebound(_copied(argument)) for argument in arguments]
        named = {key: rebinder.rebound(_copied(v)) for key, v in (keywords or {}).items()}
        try:
            result = rebinder.rebound(function)(*given, **named)
        except Exception as error:
            if passed is not None and passed.raised is not None:
                raise passed.raised from None
            if watch.refused is not None:
                raise watch.refused from error
            if isinstance(error, TraceError):
                raise
            raise located(error, error.__traceback__) from error
    if passed is not None and passed.raised is not None:
        raise passed.raised
    if watch.refused is not None:
        raise watch.refused
    return result


def nodes_of(value: Any, circuit: Circuit | None = None) -> Any:
    """Return the nodes of what a function returned, as an array of whole numbers.

    Args:
        value: A traced or plain number or array, or nested lists of them.
        circuit: The circuit, where plain numbers are in the value.

    Raises:
        TraceError: Something that is no array of finite numbers.

    >>> circuit = Circuit()
    >>> nodes_of(variables(circuit, "X", (1, 2)))
    array([[0, 1]])
    """
    found = circuit if circuit is not None else _circuit_of(value)
    if found is None:
        raise refusal("the result does not depend on the inputs; give nodes_of the circuit")
    data = mapped(real, entries(found, value))
    return data.astype(int)


def _circuit_of(value: Any) -> Any:
    if isinstance(value, (list, tuple)):
        return next((c for c in map(_circuit_of, value) if c is not None), None)
    return value.circuit if isinstance(value, (Entry, TracedArray, Masked)) else None


__all__ = ["SymgradError", "call_traced", "nodes_of", "tick", "variables"]
