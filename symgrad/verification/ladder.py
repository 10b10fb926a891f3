"""The ladder of methods, cheapest first: form, points, prime field, simplifiers.

A formula that differs from the derivative is found at a point, with that point as the witness: a
form that differs never refutes by itself. What is decided, and why, is written in
docs/concepts/verification.md.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import mpmath

from symgrad.errors import UnsupportedError
from symgrad.verification import proof as proofs
from symgrad.verification.kinks import kinks_of
from symgrad.verification.points import Search, point_of, search, selection
from symgrad.verification.problem import Problem, TimeIsUp
from symgrad.verification.values import LARGEST, to_digits
from symgrad.verification.verdict import AGREES, PROVED, REFUTED, Kink, Witness

#: Working precisions, in pairs: digits that agree in both are right. The second pair is for
#: saturated values, in which most digits cancel.
PRECISIONS = ((60, 90), (300, 450))
#: Relative differences below this are none.
SMALLEST = mpmath.mpf(10) ** -50
#: What two precisions differ by is noise; a difference must stand out of it.
NOISE = mpmath.mpf(10) ** -10
#: This share of the working digits is trusted, relative to the largest value on the way.
TRUSTED = 0.8


@dataclass(frozen=True)
class Outcome:
    """What the ladder found; the fields are those of a `Verdict`."""

    status: str
    method: str
    witness: Witness | None = None
    kinks: tuple[Kink, ...] = ()
    points: int = 0
    log2_bound: float | None = None
    notes: tuple[str, ...] = ()


def decide(problem: Problem, check: Callable[[], None]) -> Outcome:
    """Climb the ladder.

    Raises:
        UnsupportedError: Time was up before a single point was compared, or the derivative has no
            value anywhere.
    """
    if not problem.differing():
        return Outcome(PROVED, "same form")
    compared = 0
    try:
        found = search(problem, check)
        witness, compared = _refuted(problem, found, check)
        if witness is not None:
            return Outcome(REFUTED, "points", witness, points=compared)
        if not compared:
            raise UnsupportedError(
                "the derivative has no finite value at any of the points that were tried; give "
                "domain={name: (low, high)}"
            )
        return _proved(problem, found, compared, check)
    except TimeIsUp:
        if not compared:
            raise UnsupportedError(
                "time was up before the first comparison; give a larger timeout="
            ) from None
        return Outcome(AGREES, "points", points=compared, notes=("time was up before a proof",))


def _proved(problem: Problem, found: Search, compared: int, check: Callable[[], None]) -> Outcome:
    try:
        kinks = kinks_of(problem, found, check)
        if proofs.almost_everywhere(problem):
            return Outcome(PROVED, "same form", None, kinks, compared)
        proof = proofs.prove(problem, check)
    except TimeIsUp:
        return Outcome(AGREES, "points", points=compared, notes=("time was up before a proof",))
    if proof.equal:
        return Outcome(PROVED, "prime field", None, kinks, compared, proof.log2_bound)
    return Outcome(AGREES, "points", None, kinks, compared, notes=(f"no proof: {proof.reason}",))


def _refuted(
    problem: Problem, found: Search, check: Callable[[], None]
) -> tuple[Witness | None, int]:
    compared = 0
    for number in selection(problem, found):
        check()
        point = point_of(found, number)
        different = differences(problem, point, check)
        if different is None:
            continue
        compared += 1
        if different:
            return witness(problem, _simpler(problem, point, check), check), compared
    return None, compared


def differences(
    problem: Problem, point: Mapping[str, Any], check: Callable[[], None] = lambda: None
) -> list[int] | None:
    """Compare at one point to 50 digits.

    Returns:
        The places of the entries that differ; None where the derivative is not defined.
    """
    pairs = list(zip(problem.derived, problem.claimed, strict=True))
    open_places = [k for k, (first, second) in enumerate(pairs) if first != second]
    found = []
    for level, digits in enumerate(PRECISIONS):
        low, high = (
            to_digits(problem.circuit, problem.outputs, point, each, check=check) for each in digits
        )
        needed = (*problem.derived, *problem.defined)
        if not all(mpmath.isfinite(high[node]) for node in needed):
            return None
        with mpmath.workdps(digits[1]):
            answers = {k: _differ(*pairs[k], low, high, digits[1]) for k in open_places}
        found += [k for k, answer in answers.items() if answer]
        open_places = [k for k, answer in answers.items() if answer is None]
        if not open_places or (found and level):
            break
    return sorted(found)


def _differ(
    first: int, second: int, low: Mapping[int, Any], high: Mapping[int, Any], digits: int
) -> bool | None:
    """Compare two values; None where the working precision does not tell."""
    a, b = high[first], high[second]
    if not mpmath.isfinite(b):
        return True
    difference = abs(a - b)
    noise = abs(low[first] - a) + abs(low[second] - b)
    hidden = mpmath.mpf(10) ** int(-TRUSTED * digits) * high[LARGEST]
    if difference <= SMALLEST * max(abs(a), abs(b)):
        return False
    return True if difference > hidden and noise <= NOISE * difference else None


def _simpler(
    problem: Problem, point: Mapping[str, float], check: Callable[[], None]
) -> Mapping[str, float]:
    """Round a point to as few digits as show the difference."""
    before = differences(problem, point, check) or []
    for digits in (2, 3, 5):
        rounded = {name: float(f"{value:.{digits}g}") for name, value in point.items()}
        inside = all(problem.contains(name, value) for name, value in rounded.items())
        if inside and len(differences(problem, rounded, check) or []) >= len(before):
            return rounded
    return point


def witness(
    problem: Problem, point: Mapping[str, float], check: Callable[[], None] = lambda: None
) -> Witness:
    """Describe how a claim fails at a point; the entry that fails most is shown."""
    places = differences(problem, point, check) or []
    values = to_digits(problem.circuit, problem.outputs, point, PRECISIONS[0][1])

    def miss(k: int) -> Any:
        a, b = values[problem.derived[k]], values[problem.claimed[k]]
        return abs(a - b) if mpmath.isfinite(b) else mpmath.inf

    shown = max(places, key=miss)
    return Witness(
        problem.arrays(point),
        problem.entries[shown],
        values[problem.derived[shown]],
        values[problem.claimed[shown]],
        tuple(problem.entries[k] for k in places),
        len(problem.entries),
    )
