"""Proof by evaluation modulo primes, branch by branch where there are branches."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from symgrad import circuit as ops
from symgrad.circuit import Circuit
from symgrad.verification.balls import sign_of_constant
from symgrad.verification.degrees import log2_of_degree
from symgrad.verification.feasible import possible
from symgrad.verification.field import Evaluation
from symgrad.verification.generators import SPARE, TooFewLanes, Undecided
from symgrad.verification.modular import PRIMES, Prime
from symgrad.verification.problem import Problem

#: Branches are tried one by one for up to so many conditions: 2^8 evaluations.
MOST_CONDITIONS = 8
#: No evaluation has more lanes than this.
MOST_LANES = 40_000


@dataclass(frozen=True)
class Proof:
    """What exact evaluation says.

    Attributes:
        equal: Whether all entries are equal: in every branch that can be.
        log2_bound: The binary logarithm of the chance that a difference was overlooked.
        branches: How many combinations of signs were tried; 1 where they did not matter.
        open: Combinations of signs in which the formulas differ formally, if they can occur:
            by condition, the node u of u > 0 and whether it holds.
        reason: Why there is no proof.
    """

    equal: bool
    log2_bound: float = 0.0
    branches: int = 1
    open: tuple[tuple[tuple[int, bool], ...], ...] = ()
    reason: str = ""


def almost_everywhere(problem: Problem) -> bool:
    """Tell whether both sides are one form, once conventions at kinks are left aside."""
    target = Circuit(almost_everywhere=True)
    images = target.copy(problem.circuit, [*problem.derived, *problem.claimed])
    half = len(problem.derived)
    return images[:half] == images[half:]


def prove(problem: Problem, check: Callable[[], None]) -> Proof:
    """Evaluate both sides in a prime field, and compare.

    Raises:
        TimeIsUp: By `check`.
    """
    reasons = []
    for prime in PRIMES:
        try:
            return _prove(problem, prime, check)
        except Undecided as error:
            reasons.append(str(error))
        except RecursionError:
            reasons.append("too deep")
    return Proof(False, reason=reasons[0])


def _prove(problem: Problem, prime: Prime, check: Callable[[], None]) -> Proof:
    run = evaluated(problem, prime, {}, check)
    if not run.differing:
        return Proof(True, run.log2_bound)
    count = len(run.evaluation.atoms)
    if not count:
        return Proof(False, reason="the two differ as rational functions of their generators")
    if count > MOST_CONDITIONS:
        return Proof(False, reason=f"{count} conditions have too many combinations to try each")
    return _by_branches(problem, prime, run.evaluation, check)


@dataclass(frozen=True)
class Run:
    """One evaluation of a problem: what differs, and the bound."""

    evaluation: Evaluation
    differing: list[int]
    log2_bound: float


def evaluated(
    problem: Problem, prime: Prime, signs: Mapping[int, bool], check: Callable[[], None]
) -> Run:
    """Evaluate a problem, with more lanes where roots drop too many.

    Raises:
        Undecided: The field cannot evaluate the problem.
    """
    cone = [problem.circuit.nodes[n] for n in problem.circuit.cone(problem.outputs)]
    generators = sum(node.kind in (ops.EXP, ops.LOG, ops.SIN, ops.COS) for node in cone)
    roots = sum(node.kind == ops.POWER and node.value.denominator > 1 for node in cone)
    lanes = generators + roots + 2 * SPARE
    lanes = min(MOST_LANES, lanes << min(roots, 5))
    while True:
        evaluation = Evaluation(prime, lanes, signs=signs, check=check, sign_of=sign_of_constant)
        try:
            images = evaluation.take(problem.circuit, [*problem.derived, *problem.claimed])
            if evaluation.spare < SPARE:
                raise TooFewLanes("too few lanes are left after taking roots")
            half = len(problem.derived)
            differing = [k for k in range(half) if images[k] != images[half + k]]
            return Run(evaluation, differing, _bound(evaluation, images))
        except TooFewLanes:
            if lanes >= MOST_LANES:
                raise
            lanes = min(MOST_LANES, 4 * lanes)


def _bound(evaluation: Evaluation, images: Sequence[int]) -> float:
    """Bound the chance of an accident, as a binary logarithm.

    Each comparison of two values is a test of one rational function for zero, on lanes that are
    independent; at most `spare` of them are used up by the relations. By Schwartz and Zippel it is
    overlooked with a chance of (degree/p)^lanes, and there are fewer comparisons than pairs.
    """
    degree = log2_of_degree(evaluation, images)
    per_lane = degree - math.log2(evaluation.prime.p)
    if per_lane > -1:
        raise Undecided(f"the degree, 2^{degree:.0f}, is too large for the field")
    comparisons = 2 * math.log2(len(evaluation.values) + 1)
    return comparisons + evaluation.spare * per_lane


def _by_branches(
    problem: Problem, prime: Prime, first: Evaluation, check: Callable[[], None]
) -> Proof:
    atoms = first.atoms
    bound, branches, found = -math.inf, 0, []
    for combination in itertools.product([True, False], repeat=len(atoms)):
        check()
        signs = dict(enumerate(combination))
        run = evaluated(problem, prime, signs, check)
        branches += 1
        bound = max(bound, run.log2_bound)
        if run.differing and possible(first.circuit, list(zip(atoms, combination, strict=True))):
            found.append(tuple(zip(atoms, combination, strict=True)))
    if found:
        return Proof(False, branches=branches, open=tuple(found), reason=DIFFERS_IN_BRANCHES)
    return Proof(True, bound + math.log2(branches), branches)


DIFFERS_IN_BRANCHES = "the two differ formally in branches in which no point was found"


def worded_bound(log2: float) -> str:
    """Word a bound: a power of ten.

    >>> worded_bound(-200.0)
    '1e-60'
    """
    return f"1e{math.ceil(log2 * math.log10(2)):d}"
