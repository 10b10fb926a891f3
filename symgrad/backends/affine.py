"""Layers held as one array: the weight with the bias as its last row.

Beside a row of ones below the activations, weight @ activation + bias is one product, and so are
the gradients of both together.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

from symgrad.backends.memory import spread
from symgrad.tape import INPUT, MATMUL, SUM, Tape


@dataclass(frozen=True)
class Block:
    """A layer's weight and bias held as one array, the bias below.

    Attributes:
        weight: The name of the weight.
        bias: The name of the bias.
        turned: Whether the weight's array is held as its transpose.
    """

    weight: str
    bias: str
    turned: bool


@dataclass(frozen=True)
class Affine:
    """Places of weight @ activation + bias, computed by one product with a row of ones."""

    block: Block
    activation: int
    product: int
    total: int
    negative: bool


def affines(tape: Tape, trained: frozenset[str]) -> list[Affine]:
    """Find the layers whose weight and bias can be one array: both trained, in one layer each."""
    if tape.axis is None:
        return []
    readers: dict[int, list[int]] = {}
    for place, op in enumerate(tape.ops):
        for arg in op.args:
            readers.setdefault(arg, []).append(place)
    found: list[Affine] = []
    for place, op in enumerate(tape.ops):
        if op.kind != "add":
            continue
        for bias, product in (op.args, op.args[::-1]):
            made = _affine(tape, place, bias, product, readers, trained)
            if made is not None:
                found.append(made)
    return _unshared(found)


def _unshared(found: list[Affine]) -> list[Affine]:
    """Keep the layers whose weight and bias no other layer pairs with another."""
    partners: dict[str, set[Block]] = {}
    for affine in found:
        for name in (affine.block.weight, affine.block.bias):
            partners.setdefault(name, set()).add(affine.block)
    return [
        affine
        for affine in found
        if len(partners[affine.block.weight]) == len(partners[affine.block.bias]) == 1
    ]


def _affine(
    tape: Tape,
    total: int,
    bias: int,
    product: int,
    readers: Mapping[int, list[int]],
    trained: frozenset[str],
) -> Affine | None:
    op = tape.ops[product]
    if op.kind != MATMUL or op.data[1] or readers[product] != [total]:
        return None
    if not spread(tape.ops[op.args[1]], tape.axis):
        return None
    weight_name, weight_sign = _parameter(tape, op.args[0])
    bias_name, bias_sign = _parameter(tape, bias)
    if weight_sign != bias_sign or tape.ops[bias].shape[1] != 1:
        return None
    if weight_name not in trained or bias_name not in trained:
        return None
    assert weight_name is not None
    assert bias_name is not None
    # Held as (inputs, outputs), with the bias as the last row.
    block = Block(weight_name, bias_name, turned=not op.data[0])
    return Affine(block, op.args[1], product, total, weight_sign)


def _parameter(tape: Tape, place: int) -> tuple[str | None, bool]:
    """Return the input that a place is, and whether with the other sign."""
    op = tape.ops[place]
    if op.kind == "negative":
        name, _ = _parameter(tape, op.args[0])
        return name, True
    return (op.data[0] if op.kind == INPUT else None), False


def gathered(tape: Tape, found: list[Affine]) -> dict[int, tuple[int, Affine]]:
    """Pair the gradients of a layer's weight and bias that one product gives.

    Returns:
        By the place of the weight's gradient, that of the bias's and the layer.
    """
    results: dict[int, tuple[int, Affine]] = {}
    nodes = Counter(value.node for value in tape.outputs.values())
    for affine in found:
        pair = [tape.outputs.get(name) for name in (affine.block.weight, affine.block.bias)]
        if pair[0] is None or pair[1] is None or any(nodes[v.node] > 1 for v in pair if v):
            continue
        weight, bias = tape.ops[pair[0].node], tape.ops[pair[1].node]
        if (
            (weight.kind, bias.kind) == (MATMUL, SUM)
            and weight.args == (affine.activation, bias.args[0])
            and weight.data == (False, True)
            and pair[0].turned == affine.block.turned
        ):
            results[pair[0].node] = pair[1].node, affine
    return results
