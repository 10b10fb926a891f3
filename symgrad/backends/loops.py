"""Kernels as text: what every language with loops prints, whatever its words for it.

A `LoopWriter` names everything that a program mentions, so that no two names clash, and prints the
parts: numbers that are known before the loop, one sample, the sums, the results. A language adds
its words, and puts the parts into functions.
"""

from __future__ import annotations

import re
from abc import abstractmethod
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import replace
from typing import Any

import sympy as sp

from symgrad.backends.descent import Loop, updates
from symgrad.backends.kernel import Kernel
from symgrad.backends.plan import VALUE
from symgrad.backends.source import identifiers
from symgrad.backends.straight import Language, Printer
from symgrad.tape.scalars import EXPRESSION, RATE, Straight

_LEARNING_RATE, _SAMPLES = sp.Symbol("learning_rate"), sp.Symbol("samples")

Entry = tuple[str, int, int]


class LoopWriter:
    """Prints the parts of one function; every function has a writer of its own.

    Args:
        kernel: The formulas.
        reserved: Words that cannot be names.

    Attributes:
        arguments: The identifier of every input.
        results: The identifier of every gradient.
        names: The identifier of every number: of an input's entry, an accumulator, an expression.
        kinds: The operations that were printed.
    """

    def __init__(self, kernel: Kernel, reserved: Iterable[str]) -> None:
        self.kernel = kernel
        words = tuple(reserved)
        self.arguments = identifiers(kernel.shapes, reserved=words)
        results = identifiers(
            [f"d{self.arguments[key]}" for key in kernel.trained],
            reserved=[*words, *self.arguments.values()],
        )
        self.results = dict(zip(kernel.trained, results.values(), strict=True))
        self._taken = {*words, *self.arguments.values(), *results.values()}
        self.names: dict[Any, str] = {}
        for name in kernel.shapes:
            for key in self.entries(name):
                self.names[key] = self._fresh(f"{self.arguments[name]}_{key[1]}_{key[2]}")
        self.kinds: dict[str, None] = {}

    # -------------------------------------------------------------------- words

    def element(self, name: str, place: int) -> str:
        """Return the text of an input's entry: a place in its rows; of one sample, if it has.

        Arrays are flat everywhere: a compiler takes the length of a row for known then.
        """
        return f"{self.arguments[name]}[{self.offset(name, place)}]"

    @abstractmethod
    def formula(self, expression: Any) -> str:
        """Return the text of an expression in `samples`, or in `learning_rate`."""

    @abstractmethod
    def variable(self, name: str, text: str) -> str:
        """Return the declaration of a number that changes."""

    # -------------------------------------------------------------------- names

    def _fresh(self, name: str) -> str:
        """Return a name that nothing has, and that nothing has with `_step` at its end."""
        while name in self._taken or f"{name}_step" in self._taken:
            name += "_"
        self._taken.add(name)
        return name

    def letter(self, letter: str) -> str:
        """Return what numbered names begin with: the letter, where no such name is taken."""
        while any(re.fullmatch(rf"{letter}\d+", name) for name in self._taken):
            letter += "_"
        return letter

    def offset(self, name: str, place: int) -> str:
        """Return where an entry lies in a flat array of all samples, or of the one that there is.

        Args:
            name: An input, or a result; those with samples have them one after the other.
            place: The place among the entries of one sample.
        """
        kernel = self.kernel
        if name not in kernel.sampled and name not in kernel.each:
            return str(place)
        if name in kernel.shapes:
            rows, columns = kernel.shapes[name]
            step = rows * columns
        else:
            step = kernel.entries(name)
        start = "k" if step == 1 else f"{step}*k"
        return f"{start} + {place}" if place else start

    def entries(self, name: str) -> Iterator[Entry]:
        """Yield the keys of an input's entries, row by row."""
        rows, columns = self.kernel.shapes[name]
        return ((name, i, j) for i in range(rows) for j in range(columns))

    def accumulators(self) -> list[str]:
        """Name the sums over samples."""
        letter = self.letter("a")
        for number, key in enumerate(self.kernel.accumulators):
            self.names[key] = f"{letter}{number}"
        return [self.names[key] for key in self.kernel.accumulators]

    # -------------------------------------------------------------------- parts

    def loads(self, names: Iterable[str], language: Language, fixed: bool = True) -> list[str]:
        """Declare the entries of inputs as local numbers."""
        say = language.statement if fixed else self.variable
        return [
            say(self.names[key], self.element(name, place))
            for name in names
            for place, key in enumerate(self.entries(name))
        ]

    def expressions(self, codes: Iterable[Straight], language: Language) -> list[str]:
        """Declare the numbers that depend on the number of samples, or on the learning rate."""
        lines: list[str] = []
        letter = self.letter("e")
        for code in codes:
            for op in code.ops:
                if op.kind == "input" and op.data[0] == EXPRESSION and op.data not in self.names:
                    self.names[op.data] = f"{letter}{len(lines)}"
                    known = {self.kernel.axis: _SAMPLES, RATE: _LEARNING_RATE}
                    text = self.formula(op.data[1].xreplace(known))
                    lines.append(language.statement(self.names[op.data], text))
        return lines

    def printer(self, code: Straight, language: Language, letter: str) -> Printer:
        """Return a printer of straight-line code."""
        return Printer(code, self.names, language, prefix=self.letter(letter))

    def statements(self, printer: Printer) -> list[str]:
        """Print straight-line code; note its operations."""
        lines = printer.statements()
        self.kinds.update(printer.kinds)
        return lines

    def sums(
        self, language: Language
    ) -> tuple[list[str], list[tuple[str, str]], dict[str, list[str]]]:
        """Print one sample: statements, what is added to which accumulator, results of its own."""
        kernel = self.kernel
        assert kernel.body is not None
        made = self.printer(kernel.body, language, "t")
        lines = [*self.loads(kernel.sampled, language), *self.statements(made)]
        added = [
            (self.names[name, i, j], made.result(entry, factor))
            for name, (factor, table) in kernel.body.outputs.items()
            if name not in kernel.each
            for i, row in enumerate(table)
            for j, entry in enumerate(row)
        ]
        return lines, added, _results(made, kernel.body, [VALUE, *kernel.trained], kernel.each)

    def after(self, language: Language) -> tuple[list[str], dict[str, list[str]]]:
        """Print what follows the samples: the statements, and the texts of the results' entries."""
        made = self.printer(self.kernel.after, language, "w")
        lines = self.statements(made)
        code = self.kernel.after
        return lines, _results(made, code, [VALUE, *self.kernel.trained], code.outputs)

    def update(self, loop: Loop, flat: Sequence[Entry], language: Language) -> list[str]:
        """Print one update of all parameters at one sample."""
        watched = frozenset(self.names.values())
        printer = Printer(loop.straight, self.names, language, watched, prefix=self.letter("u"))
        lines = updates(replace(loop, names=self.names), printer, flat)
        self.kinds.update(printer.kinds)
        return [*self.loads(self.kernel.sampled, language), *lines]


def _results(
    printer: Printer, code: Straight, order: Iterable[str], wanted: Collection[str]
) -> dict[str, list[str]]:
    """Return the texts of results' entries, row by row."""
    return {
        name: [
            printer.result(entry, code.outputs[name][0])
            for row in code.outputs[name][1]
            for entry in row
        ]
        for name in order
        if name in wanted
    }
