"""Whole loops of per-sample gradient descent as generated code.

Every parameter is a local variable, the learning rate meets the residual before anything else is
computed with it, and one pass of the loop body is one update at one sample.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from symgrad.backends.straight import (
    PYTHON,
    Printer,
    entry_names,
    namespace,
    number_text,
    unpacking,
)
from symgrad.tape import SAMPLES, Tape
from symgrad.tape.evaluation import number_at
from symgrad.tape.passes import sunk
from symgrad.tape.scalars import EXPRESSION, RATE, Scalar, Straight, written_out


@dataclass(frozen=True)
class Loop:
    """What a target needs to print the loop.

    Attributes:
        straight: One update, for one sample: outputs are what is taken off the parameters.
        names: The name of every input's entry.
        parameters: The names of the parameters' entries, in the order of the flat vector.
        sample: The names of the entries of one sample, input by input.
        constants: The names of the entries of inputs that are the same for all samples.
        rates: By its name, how often a rate is the learning rate.
    """

    straight: Straight
    names: Mapping[Any, str]
    parameters: tuple[str, ...]
    sample: tuple[str, ...]
    constants: tuple[str, ...]
    rates: Mapping[str, float]


def loop_of(
    tape: Tape, sizes: Mapping[Any, int], flat: Sequence[tuple[str, int, int]], data: Sequence[str]
) -> Loop:
    """Write one update out.

    Args:
        tape: The tape of the gradients by name.
        sizes: Numbers for sizes other than that of the samples.
        flat: The entries of the parameters, in the order of the flat vector.
        data: The inputs that have samples.
    """
    one = {**sizes, SAMPLES: 1, **({} if tape.axis is None else {tape.axis: 1})}
    trained = list(dict.fromkeys(name for name, _, _ in flat))
    outputs = {n: v._replace(factor=v.factor * RATE) for n, v in tape.outputs.items()}
    kept = {name: value for name, value in outputs.items() if name in trained}
    straight = written_out(sunk(replace(tape, outputs=kept), one), one, frozenset((RATE,)))
    order = list(tape.inputs)
    names: dict[Any, str] = entry_names(straight.shapes, order)
    rates: dict[str, float] = {}
    for op in straight.ops:
        if op.kind == "input" and op.data[0] == EXPRESSION:
            names[op.data] = f"r{len(rates)}"
            rates[names[op.data]] = number_at(op.data[1] / RATE, one)
    sample = [names[key] for name in data for key in _entries(name, straight)]
    constants = [
        names[key]
        for name in order
        if name not in trained and name not in data
        for key in _entries(name, straight)
    ]
    parameters = tuple(names[key] for key in flat)
    return Loop(straight, names, parameters, tuple(sample), tuple(constants), rates)


def _entries(name: str, straight: Straight) -> list[tuple[str, int, int]]:
    rows, columns = straight.shapes[name]
    return [(name, i, j) for i in range(rows) for j in range(columns)]


def updates(loop: Loop, printer: Printer, flat: Sequence[tuple[str, int, int]]) -> list[str]:
    """Print the statements of one update, all parameters at once, from the old values."""
    lines = list(printer.statements())
    late: list[str] = []
    moved: set[str] = set()
    for name, i, j in flat:
        if name not in loop.straight.outputs:
            continue
        factor, table = loop.straight.outputs[name]
        entry = table[i][j]
        target = loop.names[name, i, j]
        text = printer.result(entry, factor)
        if printer.mentions[entry] & moved:
            # It reads a parameter that has moved by then: it is computed before.
            lines.append(printer.language.statement(f"{target}_step", text))
            text = f"{target}_step"
        late.append(f"{target} -= {text}{printer.language.end}")
        moved.add(target)
    return [*lines, *late]


#: A visit of all samples is written out up to so many operations.
MOST_OPERATIONS = 1000


def python_source(
    loop: Loop, flat: Sequence[tuple[str, int, int]], table: Sequence[Sequence[float]] = ()
) -> tuple[str, dict[str, Any]]:
    """Print the loop as Python: `descend(p, data, constants, learning_rate, epochs)`.

    Args:
        loop: One update.
        flat: The entries of the parameters, in the order of the flat vector.
        table: The numbers of every sample, to write a visit of all of them out: they are
            constants then, and `data` is not read.

    Returns:
        The source, and the functions that it calls.
    """
    codes = [_of_sample(loop, row) for row in table] or [loop.straight]
    watched = frozenset(loop.parameters)
    printers = [Printer(code, loop.names, PYTHON, watched) for code in codes]
    bodies = [updates(loop, printer, flat) for printer in printers]
    head = [unpacking(loop.parameters, "p")]
    if loop.constants:
        head.append(unpacking(loop.constants, "constants"))
    head += [
        f"{name} = {'' if times == 1.0 else number_text(times) + '*'}learning_rate"
        for name, times in loop.rates.items()
    ]
    sample = f"{', '.join(loop.sample)}{',' if len(loop.sample) == 1 else ''}" or "_"
    if table:
        visit = [f"        {line}" for body in bodies for line in body]
    else:
        visit = [f"        for {sample} in data:", *(f"            {line}" for line in bodies[0])]
    lines = [
        "def descend(p, data, constants, learning_rate, epochs):",
        *(f"    {line}" for line in head),
        "    for _ in range(epochs):",
        *visit,
        f"    return [{', '.join(loop.parameters)}]",
    ]
    return "\n".join(lines) + "\n", namespace(printers[0])


def _of_sample(loop: Loop, row: Sequence[float]) -> Straight:
    """Return the update at one sample, with its numbers in place of the names."""
    numbers = dict(zip(loop.sample, row, strict=True))
    ops = tuple(
        Scalar("number", (), numbers[loop.names[op.data]])
        if op.kind == "input" and loop.names[op.data] in numbers
        else op
        for op in loop.straight.ops
    )
    return replace(loop.straight, ops=ops)
