r"""Sums and entries: every index gets a letter that nothing else in its reach uses.

A gradient entry by entry, `[...]_{i=1}^n`, may hold a sum over `i`: one letter
for both would make the formula say something else.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count
from typing import Any

import sympy as sp
from sympy.matrices.expressions.matexpr import MatrixElement
from sympy.printing.latex import LatexPrinter

from symgrad import trees
from symgrad.formats.order import is_negative, paren
from symgrad.shapes import Variable

_LETTERS = "ijklmpqrs"


class Indices(LatexPrinter):
    """Print what binds an index; the letters in reach are kept in `letters`."""

    def __init__(self) -> None:
        super().__init__()
        self.letters: dict[Any, str] = {}
        self.written: dict[Any, Any] = {}
        self.variables: dict[Any, Variable] = {}

    def name(self, symbol: Any) -> str:
        """Print a name; the printer of names says how."""
        raise NotImplementedError

    def seen(self, expr: Any) -> Any:
        """Return what is printed for an expression; the printer says what that is."""
        raise NotImplementedError

    def _used(self, expr: Any, bound: tuple[Any, ...]) -> set[str]:
        """Collect the letters of an expression and of all that is written out in it."""
        found: set[str] = set(self.letters.values())
        waiting: list[Any] = [expr]
        done: set[Any] = set()
        while waiting:
            inside = trees.symbols(waiting.pop()) - done
            done |= inside
            found |= {self.name(symbol) for symbol in inside if symbol not in bound}
            waiting += [self.written[symbol] for symbol in inside if symbol in self.written]
        return found

    def _indices_of_sums(self, expr: Any) -> set[str]:
        sums = [node for node in trees.postorder(expr) if isinstance(node, sp.Sum)]
        return {self.name(index) for node in sums for index, *_ in node.limits}

    @contextmanager
    def _bound(self, letters: dict[Any, str]) -> Iterator[None]:
        before = self.letters
        self.letters = {**before, **letters}
        yield
        self.letters = before

    def _print_Sum(self, expr: Any) -> str:
        shown = self.seen(expr)
        if shown is not expr:
            return str(self._print(shown))
        variables = tuple(index for index, *_ in expr.limits)
        used = self._used(expr.function, variables)
        letters: dict[Any, str] = {}
        for variable in reversed(variables):
            letter = self.name(variable)
            letters[variable] = _free(letter, used) if letter in used else letter
            used.add(letters[variable])
        with self._bound(letters):
            # SymPy's first limit is the innermost sum.
            limits = "".join(
                rf"\sum_{{{self._print(i)}={self._print(low)}}}^{{{self._print(high)}}} "
                for i, low, high in reversed(expr.limits)
            )
            return limits + str(self._factor(expr.function))

    def _factor(self, expr: Any) -> str:
        text = str(self._print(expr))
        return paren(text) if isinstance(expr, sp.Add) or is_negative(expr) else text

    def _print_FunctionMatrix(self, expr: Any) -> str:
        places, body = expr.lamda.variables, expr.lamda.expr
        used = self._used(body, places) | self._indices_of_sums(body)
        starts = [self._origin(body, place) for place in places]
        names = []
        for _ in places:
            names.append(_free("i", used))
            used.add(names[-1])
        # Dummies, so that they are no variable of the body, whatever that is called.
        letters = {sp.Dummy(name, integer=True): name for name in names}
        shown = {p: s - o for p, s, o in zip(places, letters, starts, strict=True)}
        with self._bound(letters):
            text = rf"\left[{self._print(body.xreplace(shown))}\right]"
        if expr.shape[1] == 1:
            last = self._print(expr.shape[0] + starts[0] - 1)
            return rf"{text}_{{{names[0]}={starts[0]}}}^{{{last}}}"
        if set(starts) == {1}:
            return f"{text}_{{{''.join(names)}}}"
        marks = (f"{name}={start}" for name, start in zip(names, starts, strict=True))
        return f"{text}_{{{', '.join(marks)}}}"

    def _origin(self, body: Any, place: Any) -> int:
        """Tell where the arrays count from that a place is an index of: 1 unless all agree."""
        found = {
            self._origins(node.args[0])[axis]
            for node in trees.postorder(body)
            if isinstance(node, MatrixElement)
            for axis, index in enumerate(node.args[1:])
            if index == place
        }
        return found.pop() if len(found) == 1 else 1

    def _origins(self, matrix: Any) -> tuple[Any, Any]:
        variable = self.variables.get(matrix)
        first, second, *_ = (*(variable.origin if variable else ()), 1, 1)
        return first, second

    def _print_MatrixElement(self, expr: Any) -> str:
        matrix, *indices = expr.args
        rank = 1 if matrix.shape[1] == 1 else 2
        places = zip(indices[:rank], self._origins(matrix), strict=False)
        shown = [self._print(index + origin) for index, origin in places]
        name = self._print(matrix)
        if not isinstance(matrix, sp.MatrixSymbol) or r"\frac" in name:
            name = rf"\left[{name}\right]"
        elif "_" in name:
            name = f"({name})"  # two subscripts would not compile
        comma = "," if any(len(text) > 1 for text in shown) else ""
        text = f"{name}_{{{comma.join(shown)}}}"
        taken = set(self.names.values())
        if text in taken and len(shown) > 1:  # a variable is called so
            text = f"{name}_{{{','.join(shown)}}}"
        return f"({name})_{{{comma.join(shown)}}}" if text in taken else text


def _free(wanted: str, used: set[str]) -> str:
    """Return a letter for an index that is not in use.

    >>> _free("i", {"i", "k"}), _free("t", {"t"})
    ('j', 'i')
    """
    numbered = (f"i_{{{number}}}" for number in count(1))
    candidates = (*wanted, *_LETTERS) if len(wanted) == 1 else _LETTERS
    plain = next((letter for letter in candidates if letter not in used), None)
    return plain or next(letter for letter in numbered if letter not in used)
