"""The ladder of methods, cheapest first: form, points, prime field, SymPy's simplifiers.

A formula that differs from the derivative is found at a point, with that point as the witness: a
form that differs never refutes by itself. What is decided, and why, is written in
docs/concepts/verification.md.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import mpmath

from symgrad.circuit.kinds import CALL, EXP, POSITIVE, ZERO
from symgrad.errors import UnsupportedError
from symgrad.verification import proof as proofs
from symgrad.verification import simplifiers
from symgrad.verification.balls import Ball, balls
from symgrad.verification.kinks import kinks_of
from symgrad.verification.points import LARGE, Search, point_of, search, selection
from symgrad.verification.problem import Problem, TimeIsUp
from symgrad.verification.verdict import AGREES, PROVED, REFUTED, Kink, Witness

#: Working precisions in digits; the higher ones are for values in which most digits cancel.
PRECISIONS = (60, 300, 1500)
ROUNDED = "equal as far as constants with 15 digits and more tell, which are known by rounding"
UNCERTIFIED = "a condition depends on the sign of what is zero at all points, by its numbers"
#: Values up to this saturate nothing.
ORDINARY = 4.0
#: Relative differences below this are none.
SMALLEST = mpmath.mpf(10) ** -50


@dataclass(frozen=True)
class Outcome:
    """What the ladder found: what a `Verdict` says at one set of sizes.

    Attributes:
        found: The points of the search.
        places: The pairs that differ at a point, or that a proof left open; None for all of them.
    """

    status: str
    method: str
    witness: Witness | None = None
    kinks: tuple[Kink, ...] = ()
    points: int = 0
    log2_bound: float | None = None
    notes: tuple[str, ...] = ()
    found: Search | None = None
    places: tuple[int, ...] | None = None


def decide(
    problem: Problem,
    check: Callable[[], None],
    *,
    prove: bool = True,
    simplify: bool = True,
    form: Callable[[], bool] | None = None,
) -> Outcome:
    """Climb the ladder.

    Args:
        problem: The two sides.
        check: Raises when time is over.
        prove: Go further than the points.
        simplify: Go as far as SymPy's simplifiers.
        form: Tells whether a normal form proves the claim, whatever the sizes.

    Raises:
        UnsupportedError: Time was up before a single point was compared, or the derivative has no
            value anywhere.
    """
    if not problem.differing():
        return Outcome(PROVED, "same form")
    climb = _Climb(problem, check, prove, simplify, form)
    try:
        return climb.outcome()
    except TimeIsUp:
        if not climb.compared:
            raise UnsupportedError(
                "time was up before the first comparison; give a larger timeout="
            ) from None
        notes = ("time was up before a proof",)
        return Outcome(AGREES, "points", None, climb.kinks, climb.compared, notes=notes)


class _Climb:
    """One way up the ladder; keeps what is known when time is up.

    Attributes:
        compared: At how many points the two were compared.
        kinks: The kinks found.
    """

    def __init__(
        self,
        problem: Problem,
        check: Callable[[], None],
        prove: bool,
        simplify: bool,
        form: Callable[[], bool] | None,
    ) -> None:
        self.problem, self.check, self.form = problem, check, form
        self.prove, self.simplify = prove, simplify
        self.compared = 0
        self.kinks: tuple[Kink, ...] = ()
        self.found: Search | None = None

    def outcome(self) -> Outcome:
        """Go up step by step."""
        if self._is_large() and self.form is not None and self.form():
            return self._with(PROVED, "normal form")
        self.found = found = search(self.problem, self.check)
        places = selection(self.problem, found)
        refuted = self._refuted(found, places)
        if refuted is not None:
            return refuted
        if not self.compared:
            raise UnsupportedError(
                "the derivative has no finite value at any of the points that were tried; give "
                "domain={name: (low, high)}"
            )
        self.kinks = kinks_of(self.problem, found, self.check)
        if not self.prove:
            return self._with(AGREES, "points")
        if self.form is not None and self.form():
            return self._with(PROVED, "normal form")
        proof = proofs.almost_everywhere(self.problem)
        if proof.equal and self._certified(proof, places):
            return self._with(PROVED, "same form")
        proof = proofs.prove(self.problem, self.check)
        if not self._certified(proof, places):
            proof = replace(proof, equal=False, reason=UNCERTIFIED, places=None)
        if proof.equal:
            return replace(self._with(PROVED, "prime field"), log2_bound=proof.log2_bound)
        # A form that differs refutes nothing: it buys more points.
        more = [k for k in selection(self.problem, found, more=True) if k not in places]
        refuted = self._refuted(found, more)
        if refuted is not None:
            return refuted
        if self.simplify and not self.problem.has_rounded_constants:
            bound = proof.log2_bound
            places = self.problem.differing() if proof.places is None else list(proof.places)
            if simplifiers.all_zero(self.problem, places, self.check):
                proved = self._with(PROVED, "simplifiers")
                return proved if proof.places is None else replace(proved, log2_bound=bound)
        agrees = self._with(AGREES, "points")
        notes = (*agrees.notes, f"no proof: {proof.reason}")
        return replace(agrees, log2_bound=proof.log2_bound, places=proof.places, notes=notes)

    def _is_large(self) -> bool:
        """Tell whether points are dear, and there are no kinks that they would show."""
        cone = self.problem.circuit.cone(self.problem.outputs)
        kinds = {self.problem.circuit.nodes[node].kind for node in cone}
        return len(cone) > LARGE and kinds.isdisjoint((POSITIVE, ZERO))

    def _certified(self, proof: proofs.Proof, places: Sequence[int]) -> bool:
        """Tell whether what a proof took as not zero almost everywhere is not zero somewhere."""
        assert self.found is not None
        for circuit, nodes in proof.assumed:
            left = set(nodes)
            for number in places:
                if not left:
                    break
                point = defaultdict(lambda: 0.37, point_of(self.found, number))
                values = balls(circuit, left, point, PRECISIONS[0], check=self.check)
                left = {n for n, (v, error) in values.items() if not abs(v) > error}
            if left:
                return False
        return True

    def _with(self, status: str, method: str) -> Outcome:
        notes = (ROUNDED,) if self.problem.has_rounded_constants and status == AGREES else ()
        return Outcome(
            *(status, method, None, self.kinks, self.compared), notes=notes, found=self.found
        )

    def _refuted(self, found: Search, places: Sequence[int]) -> Outcome | None:
        for number in places:
            point = point_of(found, number)
            different = differences(self.problem, point, self.check)
            self.compared += different is not None
            if different:
                shown = witness(self.problem, _simpler(self.problem, point, self.check), self.check)
                refuted = replace(self._with(REFUTED, "points"), witness=shown, kinks=())
                return replace(refuted, places=tuple(different))
        return None


def _is_algebraic(problem: Problem) -> bool:
    """Tell whether nothing grows faster than powers: then what is tiny is zero."""
    cone = problem.circuit.cone(problem.outputs)
    fast = (EXP, CALL)
    return not any(problem.circuit.nodes[node].kind in fast for node in cone)


def differences(
    problem: Problem, point: Mapping[str, Any], check: Callable[[], None] = lambda: None
) -> list[int] | None:
    """Compare at one point to 50 digits.

    Returns:
        The places of the entries that differ; None where the derivative is not defined.
    """
    pairs = list(zip(problem.derived, problem.claimed, strict=True))
    places = [k for k, (first, second) in enumerate(pairs) if first != second]
    found: list[int] = []
    for digits in PRECISIONS:
        # Among values of size one, what 1500 digits do not tell from zero is zero.
        ordinary = all(abs(v) <= ORDINARY for v in point.values()) or _is_algebraic(problem)
        settle = digits == PRECISIONS[-1] and ordinary
        values = balls(problem.circuit, problem.outputs, point, digits, check=check, settle=settle)
        needed = [values[node] for node in (*problem.derived, *problem.defined)]
        if any(mpmath.isnan(number) and not error for number, error in needed):
            return None
        sizes = (abs(number) for number, _ in needed if mpmath.isfinite(number))
        scale = max(sizes, default=mpmath.mpf(0))
        answers = {k: _differ(values[pairs[k][0]], values[pairs[k][1]], scale) for k in places}
        found += [k for k in places if answers[k]]
        places = [k for k in places if answers[k] is None]
        if found or not places:
            return sorted(found)
    # Constants known by rounding alone leave open what is smaller than that.
    return [] if problem.has_rounded_constants else None


def _differ(first: Ball, second: Ball, scale: Any) -> bool | None:
    """Compare two values; None where the digits do not tell."""
    (a, error), (b, other) = first, second
    if mpmath.isnan(a):
        return None
    if mpmath.isnan(b):
        return None if other else True
    difference, hidden, size = abs(a - b), error + other, max(abs(a), abs(b))
    if difference > 4 * hidden:
        return bool(difference > SMALLEST * size)
    # A value that is zero has no leading digits: it is compared on the scale of the others.
    return False if hidden <= SMALLEST * max(size, scale) or not hidden else None


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
    precise = balls(problem.circuit, problem.outputs, point, PRECISIONS[1])
    values = {node: number for node, (number, _) in precise.items()}

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
