"""SymPy's simplifiers, the last rung: in a process of their own, which can be stopped.

They know what the prime field does not: recurrences of gamma and Bessel functions, roots of unity,
special values. They are slow, may never end, and reason without regard to regions; so they are
asked last, for small expressions without branches, after all points agreed.
"""

from __future__ import annotations

import os
import pickle
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import sympy as sp

from symgrad.circuit import Circuit
from symgrad.circuit import kinds as ops
from symgrad.lowering.raising import raised
from symgrad.verification.problem import Problem, TimeIsUp, deadline

#: Seconds that the simplifiers may take, all together.
SECONDS = 5.0
#: Differences that are larger, written out as trees, are not tried; nor are more of them.
MOST_OPERATIONS = 400
MOST_DIFFERENCES = 12
#: Seconds between looks at the process.
PAUSE = 0.02
#: What the process prints where all differences are zero.
ZERO = b"zero"
PROGRAM = "from symgrad.verification.simplifiers import main; main()"


def all_zero(problem: Problem, places: Iterable[int], check: Callable[[], None]) -> bool:
    """Tell whether SymPy simplifies all differences to zero, within a few seconds.

    Args:
        problem: The two sides.
        places: The pairs that are not known to be equal.
        check: Raises when time is over.

    Raises:
        TimeIsUp: By `check`.
    """
    pairs = [(problem.derived[k], problem.claimed[k]) for k in places]
    if len(pairs) > MOST_DIFFERENCES or not _suits(problem.circuit, pairs):
        return False
    symbols = {name: _symbol(problem, name) for name in problem.circuit.variables(problem.outputs)}
    differences = [
        raised(problem.circuit, first, symbols) - raised(problem.circuit, second, symbols)
        for first, second in pairs
    ]
    return _asked(differences, check)


def _suits(circuit: Circuit, pairs: list[tuple[int, int]]) -> bool:
    """Tell whether expressions are small as trees and, as choices take long, without branches."""
    nodes = [node for pair in pairs for node in pair]
    sizes: dict[int, int] = {}
    for node in circuit.cone(nodes):
        kind, args, _ = circuit.nodes[node]
        if kind == ops.SELECT:
            return False
        sizes[node] = 1 + sum(sizes[arg] for arg in args)
    return sum(sizes[node] for node in nodes) <= MOST_OPERATIONS


def _symbol(problem: Problem, name: str) -> Any:
    at = problem.ranges.get(name)
    if at is None:
        return sp.Symbol(name, real=True)
    known: dict[str, bool] = {"integer": True} if at.integer else {"real": True}
    if at.low >= 0:
        known["positive"] = True
    elif at.high <= 0:
        known["negative"] = True
    return sp.Symbol(name, **known)


def _asked(differences: list[Any], check: Callable[[], None]) -> bool:
    limit = deadline(SECONDS)
    with tempfile.TemporaryFile() as question, tempfile.TemporaryFile() as answer:
        pickle.dump(differences, question)
        question.seek(0)
        try:
            process = subprocess.Popen(
                [sys.executable, "-c", PROGRAM],
                stdin=question,
                stdout=answer,
                stderr=subprocess.DEVNULL,
                env={**os.environ, "PYTHONPATH": _path()},
            )
        except OSError:  # there is no interpreter to start: inside another program
            return False
        try:
            while True:
                check()
                limit()
                try:
                    process.wait(PAUSE)
                    break
                except subprocess.TimeoutExpired:
                    continue
        except TimeIsUp:
            check()
            return False
        finally:
            process.kill()
            process.wait()
        answer.seek(0)
        return answer.read() == ZERO


def _path() -> str:
    """Return where the process finds symgrad and its packages: where this one found them."""
    own = str(Path(__file__).resolve().parent.parent.parent)
    return os.pathsep.join([own, *(part for part in sys.path if part)])


def is_zero(difference: Any) -> bool:
    """Tell whether one of SymPy's simplifiers makes zero of an expression.

    >>> x = sp.Symbol("x", positive=True)
    >>> is_zero(sp.gamma(x + 1) - x * sp.gamma(x))
    True
    """
    for simplifier in (sp.expand, _expanded_functions, sp.simplify):
        difference = simplifier(difference)
        if difference == 0:
            return True
    return False


def _expanded_functions(expression: Any) -> Any:
    return sp.expand(sp.expand_func(expression))


def main() -> None:
    """Answer the question on standard input: are all of these expressions zero?"""
    differences = pickle.load(sys.stdin.buffer)
    if all(map(is_zero, differences)):
        sys.stdout.buffer.write(ZERO)
