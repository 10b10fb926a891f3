"""Derivatives of circuits: the sum over paths, in one sweep from the output back."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import sympy as sp

from symgrad.circuit import Circuit
from symgrad.circuit.kinds import ADD, CALL, COS, EXP, LOG, MULTIPLY, POWER, SELECT, SIN
from symgrad.lowering import lowered


def gradient(
    circuit: Circuit,
    output: int,
    variables: Sequence[int],
    check: Callable[[], None] = lambda: None,
) -> list[int]:
    """Differentiate a node by variables, in one sweep from the output back.

    A choice passes the derivative to the branch that is taken; conditions have none.

    >>> circuit = Circuit()
    >>> x = circuit.variable("x")
    >>> gradient(circuit, circuit.multiply(x, x), [x]) == [circuit.scale(2, x)]
    True
    """
    below, wanted = set(variables), set(variables)
    active = []
    for node in circuit.cone([output]):
        if node in below or not below.isdisjoint(circuit.nodes[node].args):
            below.add(node)
            active.append(node)
    adjoints: dict[int, list[int]] = {output: [circuit.number(1)]}
    for node in reversed(active):
        if node not in adjoints or node in wanted:
            continue
        check()
        adjoint = circuit.add(*adjoints.pop(node))
        for argument, local in _locals(circuit, node, below):
            adjoints.setdefault(argument, []).append(_passed(circuit, adjoint, local))
    return [circuit.add(*adjoints.get(v, [circuit.number(0)])) for v in variables]


def _locals(circuit: Circuit, node: int, active: set[int]) -> Iterator[tuple[int, int]]:
    kind, args, value = circuit.nodes[node]
    if kind == ADD:
        yield from ((arg, circuit.number(1)) for arg in args if arg in active)
    elif kind == MULTIPLY:
        for k, arg in enumerate(args):
            if arg in active:
                yield arg, circuit.multiply(*args[:k], *args[k + 1 :])
    elif kind == POWER:
        yield args[0], circuit.scale(value, circuit.power(args[0], value - 1))
    elif kind == EXP:
        yield args[0], node
    elif kind == LOG:
        yield args[0], circuit.power(args[0], -1)
    elif kind == SIN:
        yield args[0], circuit.cos(args[0])
    elif kind == COS:
        yield args[0], circuit.negative(circuit.sin(args[0]))
    elif kind == SELECT:
        condition, first, second = args
        one, none = circuit.number(1), circuit.number(0)
        for arg, local in ((first, (one, none)), (second, (none, one))):
            if arg in active:
                yield arg, circuit.select(condition, *local)
    elif kind == CALL:
        yield from _locals_of_call(circuit, args, value, active)


def _locals_of_call(
    circuit: Circuit, args: tuple[int, ...], function: Any, active: set[int]
) -> Iterator[tuple[int, int]]:
    if function in (sp.floor, sp.ceiling):
        return  # constant between jumps
    for k, arg in enumerate(args):
        if arg in active:
            names = [sp.Dummy(f"u{k}", real=True) for k, _ in enumerate(args)]
            known = dict(zip(names, args, strict=True))
            yield arg, lowered(circuit, function(*names).diff(names[k]), known)


def _passed(circuit: Circuit, adjoint: int, local: int) -> int:
    """Multiply, branch by branch: where a branch is not taken, its slope is 0 even if undefined."""
    kind, args, _ = circuit.nodes[adjoint]
    if kind != SELECT:
        kind, args, _ = circuit.nodes[local]
        adjoint, local = local, adjoint
    if kind != SELECT or not any(circuit.as_number(arg) == 0 for arg in args[1:]):
        return circuit.multiply(adjoint, local)
    branches = (
        circuit.number(0) if circuit.as_number(arg) == 0 else _passed(circuit, arg, local)
        for arg in args[1:]
    )
    return circuit.select(args[0], *branches)
