"""In which order a circuit is evaluated, and what must be positive for it to have a value."""

from __future__ import annotations

from collections.abc import Iterable

from symgrad.circuit import Circuit
from symgrad.circuit import kinds as ops


def _is_root(source: Circuit, node: int) -> bool:
    """Tell whether a node is defined for positive arguments alone: a root or a logarithm."""
    kind, _, value = source.nodes[node]
    return kind == ops.LOG or (kind == ops.POWER and value.denominator > 1)


def roots_last(source: Circuit, outputs: Iterable[int]) -> list[int]:
    """Order nodes so that those without a root come first: a root may be one of them.

    Signs that are fixed are known then, too.
    """
    with_root: set[int] = set()
    parts: tuple[list[int], list[int]] = ([], [])
    for node in source.cone(outputs):
        args = source.nodes[node].args
        if _is_root(source, node) or any(arg in with_root for arg in args):
            with_root.add(node)
        parts[node in with_root].append(node)
    return parts[0] + parts[1]


def positive_arguments(source: Circuit, outputs: Iterable[int]) -> set[int]:
    """Return what must be positive for the outputs to be defined, whatever branch is taken."""
    found: set[int] = set()
    seen: set[int] = set()
    stack = list(outputs)
    while stack:
        node = stack.pop()
        if node in seen:
            continue
        seen.add(node)
        kind, args, _ = source.nodes[node]
        if _is_root(source, node):
            found.add(args[0])
        stack.extend(args[:1] if kind == ops.SELECT else args)
    return found
