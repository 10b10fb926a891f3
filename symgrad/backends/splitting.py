"""Which formulas can be computed on parts of the samples, and how the parts add up.

A result that is `f(n)` times a sum over n samples, such as a mean, is a weighted sum of the same
result on parts: the part of m samples has the weight `f(n) / f(m)`. A penalty is the same on all
parts, and weights that sum to one keep it; that is so for a mean. What is no such thing (the root
of a mean, a sum with a penalty) is not split.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import sympy as sp

from symgrad.backends.memory import AFTER, BEFORE, BODY, TOTAL, stages
from symgrad.backends.plan import VALUE, Plan
from symgrad.errors import UnsupportedError
from symgrad.tape import BROADCAST, INNER, INPUT, MATMUL, NUMBER, SLICE, SUM, TRANSPOSE, Op, Tape
from symgrad.tape.evaluation import number_at

#: Operations of one argument after which a multiple is the same multiple.
LINEAR = frozenset(("negative", TRANSPOSE, SLICE, BROADCAST, SUM))
PRODUCTS = frozenset(("multiply", MATMUL, INNER))


class Share(NamedTuple):
    """How a value depends on the number of samples.

    Attributes:
        summed: Whether it is a multiple of a sum over the samples; else it is one of something
            that does not depend on them.
        factor: The multiple, an expression of the number of samples.
    """

    summed: bool
    factor: Any


def weights(plan: Plan, sizes: Mapping[Any, int], counts: Sequence[int]) -> dict[str, list[float]]:
    """Return, for every result, what its values on parts of the samples are multiplied by.

    Args:
        plan: The plan of the function.
        sizes: Numbers for the symbolic sizes.
        counts: The numbers of samples in the parts.

    Raises:
        UnsupportedError: The formulas cannot be split; the message says what stands against it.
    """
    axis = plan.axis
    shares = shares_of(plan)
    total = sum(counts)
    whole = {**sizes, axis: total}
    found = {}
    for name, share in shares.items():
        above = number_at(share.factor, whole)
        below = [number_at(share.factor, {**sizes, axis: count}) for count in counts]
        parts = [1.0] * len(counts) if share.summed else [count / total for count in counts]
        found[name] = [above / b * p for b, p in zip(below, parts, strict=True)]
    return found


def shares_of(plan: Plan) -> dict[str, Share]:
    """Return how each result depends on the number of samples.

    Raises:
        UnsupportedError: One of them is no multiple of a sum over the samples.
    """
    if plan.obstacle:
        raise UnsupportedError(f"there is no fast form for {plan.obstacle}")
    tape = plan.columns
    if tape is None:
        raise UnsupportedError("there are no samples, or they meet each other")
    stage = stages(tape) or []
    made: list[Share | None] = []
    for place, op in enumerate(tape.ops):
        made.append(_share(tape, stage, made, place, op))
    found = {}
    for name, value in tape.outputs.items():
        share = made[value.node]
        if share is None or stage[value.node] == BODY:
            said = "the value" if name == VALUE else f"the gradient of `{name}`"
            raise UnsupportedError(f"{said} is no sum or mean over the samples")
        found[name] = share._replace(factor=share.factor * value.factor)
    return found


def _share(
    tape: Tape, stage: Sequence[str], made: Sequence[Share | None], place: int, op: Op
) -> Share | None:
    """Return how a value depends on the number of samples; None where no rule tells."""
    if op.kind == NUMBER:
        return Share(False, sp.sympify(op.data))
    if op.kind == INPUT:
        return Share(False, sp.S.One)
    shares = [made[arg] for arg in op.args]
    if stage[place] in (BODY, BEFORE):
        return Share(False, sp.S.One) if all(_is_open(s, tape.axis) for s in shares) else None
    if stage[place] == TOTAL:
        return Share(True, sp.S.One) if all(_is_open(s, tape.axis) for s in shares) else None
    assert stage[place] == AFTER
    known = [share for share in shares if share is not None]
    if len(known) < len(shares):
        return None
    if op.kind in LINEAR:
        return known[0]
    if op.kind in PRODUCTS or op.kind == "divide":
        return _product(op, known)
    if op.kind in ("add", "subtract"):
        return _sum(tape, known)
    return None


def _is_open(share: Share | None, axis: Any) -> bool:
    """Tell whether a value is the same whatever the number of samples is."""
    return share is not None and not share.summed and axis not in share.factor.free_symbols


def _product(op: Op, shares: Sequence[Share]) -> Share | None:
    left, right = shares
    if left.summed and right.summed:
        return None
    if op.kind != "divide":
        return Share(left.summed or right.summed, left.factor * right.factor)
    return None if right.summed else Share(left.summed, left.factor / right.factor)


def _sum(tape: Tape, shares: Sequence[Share]) -> Share | None:
    """A sum is a multiple as both are; a mean keeps what does not depend on the samples."""
    left, right = shares
    by = sp.S.One if left.summed == right.summed else tape.axis
    if right.summed:
        left, right = right, left
    ratio = sp.simplify(left.factor * by / right.factor)
    return left if tape.axis not in ratio.free_symbols else None
