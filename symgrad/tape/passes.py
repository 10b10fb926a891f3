"""Passes over tapes: each is small, has a name, and keeps every value."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import sympy as sp

from symgrad.tape import INNER, MATMUL, NUMBER, SUM, TRANSPOSE, Op, Tape
from symgrad.tape.evaluation import extent
from symgrad.tape.reading import trimmed


def readers_of(tape: Tape) -> dict[int, list[int]]:
    """Return for every place those that read it; what is asked for is read by place -1."""
    found: dict[int, list[int]] = {place: [] for place in range(len(tape.ops))}
    for place, op in enumerate(tape.ops):
        for arg in op.args:
            found[arg].append(place)
    for value in tape.outputs.values():
        found[value.node].append(-1)
    return found


class _Rewriter:
    """Copies a tape operation by operation; equal ones become one."""

    def __init__(self) -> None:
        self.ops: list[Op] = []
        self._known: dict[Op, int] = {}

    def __call__(self, op: Op) -> int:
        found = self._known.get(op)
        if found is None:
            found = self._known[op] = len(self.ops)
            self.ops.append(op)
        return found


def _finished(tape: Tape, rewriter: _Rewriter, place_of: Mapping[int, int]) -> Tape:
    outputs = {n: v._replace(node=place_of[v.node]) for n, v in tape.outputs.items()}
    return Tape(tuple(rewriter.ops), outputs, tape.axis)


def folded(tape: Tape) -> Tape:
    """Move a sign or a factor of weight @ data + bias into weight and bias, which are small.

    -(W x + b) = (-W) x + (-b), where nobody else reads W x + b. It saves a pass over the samples.
    """
    readers = readers_of(tape)
    signs: dict[tuple[int, int], Op] = {}
    skipped: dict[int, int] = {}
    for place, op in enumerate(tape.ops):
        inner = _foldable(tape, place, op, readers)
        if inner is None:
            continue
        members = _members(tape, inner, readers)
        if members is None:
            continue
        skipped[place] = inner
        signs.update(dict.fromkeys(members, op))
    return _folded(tape, signs, skipped)


def multiplied_out(tape: Tape) -> Tape:
    """Write x (1 - s) as x - x s: as many operations, and none with a number.

    A scalar operand costs NumPy more than an array does. Both spellings round alike: the error is
    that of 1 - s beside x.
    """
    readers = readers_of(tape)
    rewriter = _Rewriter()
    place_of: dict[int, int] = {}
    for place, op in enumerate(tape.ops):
        found = _complement(tape, place, op, readers)
        if found is None:
            place_of[place] = rewriter(op._replace(args=tuple(place_of[arg] for arg in op.args)))
            continue
        x, s = (place_of[arg] for arg in found)
        kind = Op("square", (x,), op.shape) if x == s else Op("multiply", (x, s), op.shape)
        place_of[place] = rewriter(Op("subtract", (x, rewriter(kind)), op.shape))
    return trimmed(_finished(tape, rewriter, place_of))


def _complement(
    tape: Tape, place: int, op: Op, readers: Mapping[int, list[int]]
) -> tuple[int, int] | None:
    """Return x and s of x (1 - s), where nobody else reads 1 - s and all have one shape."""
    if op.kind != "multiply":
        return None
    for x, inner in (op.args, op.args[::-1]):
        found = tape.ops[inner]
        if found.kind != "subtract" or readers[inner] != [place] or found.shape != op.shape:
            continue
        one, s = found.args
        if tape.ops[one] == Op(NUMBER, (), (1, 1), sp.S.One) and tape.ops[x].shape == op.shape:
            return x, s
    return None


def _foldable(tape: Tape, place: int, op: Op, readers: Mapping[int, list[int]]) -> int | None:
    """Return what a sign or factor stands before, if it alone reads that."""
    if op.kind == "negative":
        inner = op.args[0]
    elif op.kind == "multiply" and tape.ops[op.args[0]].kind == NUMBER:
        inner = op.args[1]
    else:
        return None
    long = tape.axis is not None and tape.ops[inner].shape[1] == tape.axis
    return inner if long and readers[inner] == [place] else None


def _members(
    tape: Tape, inner: int, readers: Mapping[int, list[int]]
) -> list[tuple[int, int]] | None:
    """Return who reads the small arrays that take the factor, and these: a weight, a bias."""
    op = tape.ops[inner]
    parts = (
        [inner] if op.kind == MATMUL else list(op.args) if op.kind in ("add", "subtract") else []
    )
    small = []
    for part in parts:
        part_op = tape.ops[part]
        if part_op.kind == MATMUL and (part == inner or readers[part] == [inner]):
            weight = part_op.args[0]
            if tape.axis in tape.ops[weight].shape:
                return None
            small.append((part, weight))
        elif tape.axis in part_op.shape:
            return None
        else:
            small.append((inner, part))
    return small or None


def _folded(tape: Tape, signs: Mapping[tuple[int, int], Op], skipped: Mapping[int, int]) -> Tape:
    rewriter = _Rewriter()
    place_of: dict[int, int] = {}
    for place, op in enumerate(tape.ops):
        if place in skipped:
            place_of[place] = place_of[skipped[place]]
            continue
        args = []
        for arg in op.args:
            sign = signs.get((place, arg))
            if sign is None:
                args.append(place_of[arg])
                continue
            others = tuple(rewriter(tape.ops[a]) for a in sign.args[:-1])
            made = Op(sign.kind, (*others, place_of[arg]), tape.ops[arg].shape)
            args.append(rewriter(made))
        place_of[place] = rewriter(op._replace(args=tuple(args)))
    return _finished(tape, rewriter, place_of)


#: Gradients of fewer entries stay as they are.
LARGE = 8192


def flipped(tape: Tape, sizes: Mapping[Any, int], single: bool = False) -> Tape:
    """Compute large gradients X' D as the transpose of D' X, where X is wider than D.

    BLAS is faster where the longer side of the result is contiguous. The result, and its
    parameter with it, then lies transposed in memory. In single precision what the forward product
    loses by that is more than what the gradient gains, unless the parameter is met backward, too.

    Args:
        tape: Formulas.
        sizes: Numbers for the symbolic sizes.
        single: Whether numbers are of single precision.
    """
    readers = readers_of(tape)
    ops = list(tape.ops)
    outputs = dict(tape.outputs)
    for name, value in tape.outputs.items():
        op = ops[value.node]
        if op.kind != MATMUL or readers[value.node] != [-1]:
            continue
        rows, columns = (extent(size, sizes) for size in op.shape)
        if rows <= columns or rows * columns <= LARGE:
            continue
        if single and name in tape.inputs and len(readers[tape.inputs[name]]) == 1:
            continue
        (left, right), (turn_left, turn_right) = op.args, op.data
        turned = not turn_right, not turn_left
        ops[value.node] = Op(MATMUL, (right, left), op.shape[::-1], turned)
        outputs[name] = value._replace(turned=not value.turned)
    return Tape(tuple(ops), outputs, tape.axis)


def sunk(tape: Tape, sizes: Mapping[Any, int]) -> Tape:
    """Multiply by a factor early where arrays are small, not at the end where they are large.

    The gradients of a wide layer have more entries than the residuals of a batch; all of them
    are linear in the residuals, so that 2/n is put there once.
    """
    demanded = _demands(tape, sizes)
    rewriter = _Rewriter()
    place_of: dict[int, int] = {}
    scaled: dict[tuple[int, Any], int] = {}
    for place, op in enumerate(tape.ops):
        args = []
        for arg in op.args:
            factor = demanded.get((place, arg))
            if factor is None:
                args.append(place_of[arg])
                continue
            key = (arg, factor)
            if key not in scaled:
                number = rewriter(Op(NUMBER, (), (1, 1), factor))
                product = Op("multiply", (number, place_of[arg]), tape.ops[arg].shape)
                scaled[key] = rewriter(product)
            args.append(scaled[key])
        place_of[place] = rewriter(op._replace(args=tuple(args)))
    made = _finished(tape, rewriter, place_of)
    outputs = {
        name: value._replace(factor=value.factor / demanded.get((-1, name), 1))
        for name, value in made.outputs.items()
    }
    return Tape(made.ops, outputs, made.axis)


def _demands(tape: Tape, sizes: Mapping[Any, int]) -> dict[Any, Any]:
    """Return where factors go: by reader and argument, and by (-1, name) those taken off."""
    readers = readers_of(tape)
    asked: dict[int, list[Any]] = {place: [] for place in range(len(tape.ops))}
    cost = [_count(op, sizes) for op in tape.ops]
    reach = _reaches(tape, cost)
    names: dict[int, list[str]] = {}
    for name, value in tape.outputs.items():
        asked[value.node].append(value.factor)
        names.setdefault(value.node, []).append(name)
    placed: dict[Any, Any] = {}
    saved = spent = 0
    for place in range(len(tape.ops) - 1, -1, -1):
        op, factors = tape.ops[place], asked[place]
        if len(factors) != len(readers[place]) or len(set(factors)) != 1 or factors[0] == 1:
            continue
        arg = _linear(tape, op, reach)
        if arg is None:
            continue
        factor = factors[0]
        saved += cost[place] * len(names.get(place, ()))
        for name in names.get(place, ()):
            placed[-1, name] = factor
        asked[arg].append(factor)
        for reader in readers[place]:
            placed.pop((reader, place), None)
        placed[place, arg] = factor
    spent = sum(cost[arg] for arg in {a for r, a in placed if r != -1})
    return placed if spent < saved else {}


def _factors(tape: Tape, op: Op) -> list[int]:
    """Return the arguments that a factor of an operation can pass on to: one of them."""
    if op.kind in (MATMUL, INNER, "multiply") and op.args[0] != op.args[1]:
        return [arg for arg in op.args if tape.ops[arg].kind != NUMBER]
    return [op.args[0]] if op.kind in (SUM, TRANSPOSE, "negative") else []


def _reaches(tape: Tape, cost: list[int]) -> list[int]:
    """Return for every place how small the array is that a factor of it can get to."""
    found: list[int] = []
    for place, op in enumerate(tape.ops):
        found.append(min([cost[place], *(found[arg] for arg in _factors(tape, op))]))
    return found


def _linear(tape: Tape, op: Op, reach: list[int]) -> int | None:
    """Return the argument that a factor passes on to: towards the residuals.

    The smallest array is theirs; of two that are as small, the one computed later.
    """
    below = _factors(tape, op)
    return min(below, key=lambda arg: (reach[arg], -arg)) if below else None


def _count(op: Op, sizes: Mapping[Any, int]) -> int:
    rows, columns = (extent(size, sizes) for size in op.shape)
    return rows * columns
