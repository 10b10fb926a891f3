"""Statements in the order in which they are carried out, and the names of what is defined again."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

import sympy as sp

from symgrad.errors import ParseError
from symgrad.graph import fresh
from symgrad.reading.text.evaluate import Evaluator
from symgrad.reading.text.grammar import Loop, Statement, placed
from symgrad.reading.text.values import Value, number
from symgrad.reading.text.words import as_value

#: Texts in which loops carry out more statements are not read.
MOST_STATEMENTS = 2_000


def carried_out(read: Iterable[Statement | Loop], evaluator: Evaluator) -> Iterator[Statement]:
    """Yield statements in order, those of a loop as often as it says; its name is a number then.

    Raises:
        ParseError: The bounds are no whole numbers, or the loops go on for too long.
    """
    left, counters = [MOST_STATEMENTS], set[str]()

    def through(items: Iterable[Statement | Loop]) -> Iterator[Statement]:
        for item in items:
            if isinstance(item, Statement):
                yield item
                continue
            own = item.name.text
            if own in evaluator.scope and own not in counters:
                message = f"`{own}` means something already; count with another name"
                raise placed(evaluator.text, item.name.start, ParseError(message))
            counters.add(own)
            for step in _range(item, evaluator):
                left[0] -= len(item.body)
                if left[0] < 0:
                    message = f"the loops carry out more than {MOST_STATEMENTS} statements"
                    raise placed(evaluator.text, item.name.start, ParseError(message))
                evaluator.scope[own] = number(step)
                yield from through(item.body)

    return through(read)


def _range(loop: Loop, evaluator: Evaluator) -> range:
    given = [evaluator.evaluate(part) for part in loop.bounds.parts[1:]]
    try:
        return range(*(_whole(value) for value in given))
    except (ParseError, TypeError, ValueError):
        message = "range takes one to three whole numbers, the last not 0: how many steps is known"
        raise placed(evaluator.text, loop.bounds.start, ParseError(message)) from None


def _whole(value: object) -> int:
    node = as_value(value, "range").node
    if not node.is_Integer:
        raise ParseError("no whole number")
    return int(node)


def assigned_again(read: Iterable[Statement | Loop]) -> dict[str, int]:
    r"""Return the names that are defined more than once, with the number of the first definition.

    What a loop defines for the first time counts from 1, as its first step does; what is there
    before the loop is number 0.

    >>> from symgrad.reading.text.grammar import statements
    >>> assigned_again(statements("h = 0 * x; u = 1\nfor t in range(3): h = tanh(w * h + x)"))
    {'h': 0}
    """
    counted: Counter[str] = Counter()
    first: dict[str, int] = {}

    def count(items: Iterable[Statement | Loop], inside: bool) -> None:
        for item in items:
            if isinstance(item, Loop):
                count(item.body, True)
            elif item.name is not None:
                counted[item.name.text] += 2 if inside else 1
                first.setdefault(item.name.text, int(inside))

    count(read, False)
    return {name: first[name] for name, often in counted.items() if often > 1}


@dataclass
class Versions:
    """The names of definitions: `h0`, `h1`, ... where a text defines `h` again and again.

    Attributes:
        numbers: The number of the next version of every name that is defined more than once.
    """

    numbers: dict[str, int] = field(default_factory=dict)

    def next(self, name: str, taken: Iterable[str]) -> str:
        """Return the name of the next definition.

        >>> versions = Versions({"h": 0})
        >>> versions.next("h", []), versions.next("h", []), versions.next("a", [])
        ('h0', 'h1', 'a')
        """
        if name not in self.numbers:
            return name
        number_now = self.numbers[name]
        self.numbers[name] += 1
        joint = "_" if name[-1].isdigit() else ""
        return fresh(f"{name}{joint}{number_now}", taken)


def needs_no_name(value: Value) -> bool:
    """Tell whether a value stands where it is used: a name, a number, zeros, ones, the identity.

    >>> needs_no_name(number(3))
    True
    """
    constants = (sp.MatrixSymbol, sp.ZeroMatrix, sp.OneMatrix, sp.Identity)
    return bool(value.node.is_Symbol or value.node.is_Number or isinstance(value.node, constants))
