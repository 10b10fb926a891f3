"""Gradients checked in test suites."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from symgrad.verification import Verdict, verify_functions


def assert_gradient(
    loss: Callable[..., Any],
    grad: Callable[..., Any],
    shapes: Mapping[str, Any],
    wrt: Any,
    **options: Any,
) -> dict[str, Verdict]:
    """Fail a test where a NumPy function is not the gradient of another.

    Args:
        loss: A function that returns a scalar, or a forward pass (with `upstream`).
        grad: Its gradient by hand: a mapping by name, or a tuple in the order of `wrt`.
        shapes: The shape of every argument, in order; see `symgrad.verify_functions`.
        wrt: The name of an argument, or several.
        options: Those of `symgrad.verify_functions`: `upstream`, `domain`, `require`, `numeric`,
            `timeout`.

    Returns:
        The verdicts by name, where all of them hold.

    Raises:
        AssertionError: A gradient is refuted, or less than `require` asks for; the text has the
            witness.
        SymgradError: The functions cannot be traced, as in `symgrad.verify_functions`.

    >>> def loss(w, x):
    ...     return ((w * x) ** 2).sum()
    >>> verdicts = assert_gradient(loss, lambda w, x: 2 * w * x**2, {"w": (3,), "x": (3,)}, "w")
    >>> verdicts["w"].status
    'proved'
    """
    __tracebackhide__ = True
    verdicts = verify_functions(loss, grad, shapes, wrt, **options)
    failed = [verdict.explain() for verdict in verdicts.values() if not verdict]
    if failed:
        raise AssertionError("\n".join(["the gradient is not right", *failed]))
    return verdicts
