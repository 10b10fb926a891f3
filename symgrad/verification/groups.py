"""Which conditions belong together: a sum over samples has branches sample by sample."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from symgrad.circuit import Circuit
from symgrad.circuit import kinds as ops


def independent(
    circuit: Circuit, outputs: Iterable[int], numbers: Mapping[int, int]
) -> list[tuple[int, ...]]:
    """Group conditions so that outputs are sums of parts with the conditions of one group each.

    Args:
        circuit: The circuit.
        outputs: Nodes.
        numbers: The number of every condition u > 0, by its node; one number can have several.

    >>> circuit = Circuit()
    >>> x, y = circuit.variable("x"), circuit.variable("y")
    >>> both = circuit.add(circuit.absolute(x), circuit.absolute(y))
    >>> signs = {circuit.positive(x): 0, circuit.positive(y): 1}
    >>> independent(circuit, [both], signs)
    [(0,), (1,)]
    """
    outputs = list(outputs)
    below: dict[int, int] = {}
    for node in circuit.cone(outputs):
        mask = 1 << numbers[node] if node in numbers else 0
        for arg in circuit.nodes[node].args:
            mask |= below[arg]
        below[node] = mask
    groups: list[int] = []
    for output in outputs:
        for mask in _parts(circuit, output, below):
            apart = [group for group in groups if not group & mask]
            joined = [group for group in groups if group & mask]
            groups = [*apart, mask | sum(joined)]
    found = [tuple(k for k in range(group.bit_length()) if group >> k & 1) for group in groups]
    return sorted(found)


def _parts(circuit: Circuit, node: int, below: Mapping[int, int]) -> Iterator[int]:
    """Yield the conditions of every addend, as bits; common factors without any are passed."""
    stack, seen = [node], set()
    while stack:
        node = stack.pop()
        if not below[node] or node in seen:
            continue
        seen.add(node)
        kind, args, _ = circuit.nodes[node]
        choosing = [arg for arg in args if below[arg]]
        if kind == ops.ADD or (kind == ops.MULTIPLY and len(choosing) == 1):
            stack.extend(choosing)
        else:
            yield below[node]
