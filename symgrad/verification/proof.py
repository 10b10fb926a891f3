"""Proof by evaluation modulo primes, branch by branch where there are branches."""

from __future__ import annotations

import hashlib
import itertools
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from symgrad.circuit import Circuit
from symgrad.circuit import kinds as ops
from symgrad.verification.balls import sign_of_constant
from symgrad.verification.feasible import possible
from symgrad.verification.field import Evaluation
from symgrad.verification.field.degrees import log2_of_degree
from symgrad.verification.field.generators import SPARE, Impossible, TooFewLanes, Undecided
from symgrad.verification.field.modular import PRIMES, Prime
from symgrad.verification.groups import independent
from symgrad.verification.problem import Problem

#: Branches are tried one by one, in up to so many evaluations.
MOST_RUNS = 600
#: No evaluation has more lanes than this.
MOST_LANES = 40_000


@dataclass(frozen=True)
class Proof:
    """What exact evaluation says.

    Attributes:
        equal: Whether all entries are equal: in every branch that can be.
        log2_bound: The binary logarithm of the chance that a difference was overlooked.
        branches: How many combinations of signs were tried; 1 where they did not matter.
        reason: Why there is no proof.
        places: The pairs that are not known to be equal; None where that is all of them.
        assumed: Circuits, each with nodes that were taken as not zero almost everywhere.
    """

    equal: bool
    log2_bound: float = 0.0
    branches: int = 1
    reason: str = ""
    places: tuple[int, ...] | None = None
    assumed: tuple[tuple[Circuit, frozenset[int]], ...] = ()


def almost_everywhere(problem: Problem) -> Proof:
    """Tell whether both sides are one form, once conventions at kinks are left aside."""
    target = Circuit(almost_everywhere=True, discrete=problem.discrete)
    images = target.copy(problem.circuit, [*problem.derived, *problem.claimed])
    half = len(problem.derived)
    return Proof(images[:half] == images[half:], assumed=((target, frozenset(target.assumed)),))


def prove(problem: Problem, check: Callable[[], None]) -> Proof:
    """Evaluate both sides in a prime field, and compare.

    Raises:
        TimeIsUp: By `check`.
    """
    reasons: list[str] = []
    found: list[Proof] = []
    # A number may be a multiple of one prime: where one is that large, both must agree.
    wanted = 2 if _has_large_numbers(problem) else 1
    for prime in primes_for(problem):
        try:
            found.append(_prove(problem, prime, check))
        except Undecided as error:
            reasons.append(str(error))
        except RecursionError:
            reasons.append("too deep")
        if len(found) == wanted:
            break
    return _both(found) if found else Proof(False, reason=reasons[0])


def _both(found: Sequence[Proof]) -> Proof:
    """Join what two primes say: only what both prove is proved."""
    first = next((proof for proof in found if not proof.equal), found[0])
    unknown = any(proof.places is None and not proof.equal for proof in found)
    places = sorted({place for proof in found for place in proof.places or ()})
    return replace(
        first,
        log2_bound=max(proof.log2_bound for proof in found),
        places=None if unknown or first.equal else tuple(places),
        assumed=tuple(each for proof in found for each in proof.assumed),
    )


def primes_for(problem: Problem) -> tuple[Prime, Prime]:
    """Choose one prime of each kind by a digest of the problem.

    So that no claim is made of numbers that vanish modulo the primes, as one could be for primes
    that never change; and equal problems have equal verdicts.
    """
    digest = hashlib.sha256()
    for node in problem.circuit.cone(problem.outputs):
        kind, args, value = problem.circuit.nodes[node]
        digest.update(f"{kind}{args}{value};".encode())
    at = digest.digest()[0] % len(PRIMES)
    return PRIMES[at]


def _has_large_numbers(problem: Problem) -> bool:
    nodes = (problem.circuit.nodes[node] for node in problem.circuit.cone(problem.outputs))
    numbers = [node.value for node in nodes if node.kind == ops.NUMBER]
    return any(max(abs(n.numerator), n.denominator) >= 2**30 for n in numbers)


def _prove(problem: Problem, prime: Prime, check: Callable[[], None]) -> Proof:
    outputs = [node for pair in zip(problem.derived, problem.claimed, strict=True) for node in pair]
    run = evaluated(problem.circuit, outputs, prime, {}, check, problem.discrete)
    if not run.differing:
        return Proof(True, run.log2_bound, assumed=run.assumed)
    atoms = run.evaluation.atoms
    bound, places = run.log2_bound, run.places
    if not atoms:
        return Proof(False, bound, reason=DIFFERS, places=places, assumed=run.assumed)
    groups = independent(run.evaluation.circuit, run.differing, run.evaluation.atom_numbers())
    if not groups:
        # There are conditions, but what differs depends on none of them.
        return Proof(False, bound, reason=DIFFERS, places=places, assumed=run.assumed)
    many = f"{len(atoms)} conditions have too many combinations to try each"
    proof = Proof(False, bound, reason=many)
    # Group by group first; conditions that exclude each other across groups need all at once.
    for choice in (groups, [tuple(range(len(atoms)))]):
        if not proof.equal and sum(2 ** len(group) for group in choice) <= MOST_RUNS:
            proof = _by_branches(run, choice, prime, check)
    if proof.equal:
        return replace(proof, assumed=(*run.assumed, *proof.assumed))
    return replace(proof, log2_bound=bound, places=places, assumed=run.assumed)


@dataclass(frozen=True)
class Run:
    """One evaluation of pairs of nodes.

    Attributes:
        evaluation: The evaluation.
        differing: Its nodes of the pairs that are not equal, one after the other.
        places: The numbers of these pairs.
        log2_bound: The chance of an accident, as a binary logarithm.
    """

    evaluation: Evaluation
    differing: list[int]
    places: tuple[int, ...]
    log2_bound: float

    @property
    def assumed(self) -> tuple[tuple[Circuit, frozenset[int]], ...]:
        """What was taken as not zero almost everywhere."""
        circuit = self.evaluation.circuit
        return ((circuit, frozenset(circuit.assumed)),)


def evaluated(
    circuit: Circuit,
    outputs: Sequence[int],
    prime: Prime,
    truths: Mapping[int, bool],
    check: Callable[[], None],
    discrete: frozenset[str] = frozenset(),
) -> Run:
    """Evaluate pairs of nodes, with more lanes where roots drop too many.

    Args:
        circuit: The circuit.
        outputs: The two nodes of every pair, one after the other.
        prime: The field.
        truths: Conditions u > 0 of the circuit whose truth is fixed.
        check: Raises when time is over.
        discrete: Variables that take single values only.

    Raises:
        Undecided: The field cannot evaluate the nodes.
        Impossible: The fixed truths contradict each other.
    """
    cone = [circuit.nodes[node] for node in circuit.cone(outputs)]
    generators = sum(node.kind in (ops.EXP, ops.LOG, ops.SIN, ops.COS) for node in cone)
    roots = sum(node.kind == ops.POWER and node.value.denominator > 1 for node in cone)
    lanes = generators + roots + 2 * SPARE
    lanes = min(MOST_LANES, lanes << min(roots, 5))
    while True:
        evaluation = Evaluation(
            *(prime, lanes),
            truths=truths,
            check=check,
            sign_of=sign_of_constant,
            discrete=discrete,
        )
        try:
            images = evaluation.take(circuit, outputs)
            if evaluation.spare < SPARE:
                raise TooFewLanes("too few lanes are left after taking roots")
            pairs = list(zip(images[::2], images[1::2], strict=True))
            places = tuple(k for k, pair in enumerate(pairs) if pair[0] != pair[1])
            differing = [node for k in places for node in pairs[k]]
            return Run(evaluation, differing, places, _bound(evaluation, images))
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
    first: Run, groups: Sequence[tuple[int, ...]], prime: Prime, check: Callable[[], None]
) -> Proof:
    """Try the signs of one group of conditions after the other.

    The difference is a sum of parts, each of which depends on the conditions of one group. Where
    it is zero for all signs of a group, the others being as they may, that part does not depend on
    them; where that holds for all groups, the difference is zero everywhere.
    """
    circuit, signs = first.evaluation.circuit, first.evaluation.atom_signs()
    bound, branches = first.log2_bound, 1
    found = 0
    assumed: dict[Any, None] = {}
    for group in groups:
        for combination in itertools.product([True, False], repeat=len(group)):
            check()
            chosen = dict(zip(group, combination, strict=True))
            truths = {
                node: chosen.get(number, True) == (sign > 0)
                for node, (number, sign) in signs.items()
            }
            branches += 1
            try:
                run = evaluated(circuit, first.differing, prime, truths, check, circuit.discrete)
            except Impossible:
                # It may be the signs outside the group that these exclude.
                base = len(groups) > 1 and all(combination)
                if base or (len(groups) > 1 and possible(circuit, _held(first, chosen))):
                    return Proof(False, branches=branches, reason=EXCLUDED)
                continue
            bound = max(bound, run.log2_bound)
            assumed |= dict.fromkeys(run.assumed)
            if run.differing and len(groups) > 1 and all(combination):
                # All groups are compared with this one: it must be equal, possible or not.
                return Proof(False, branches=branches, reason=EXCLUDED)
            if run.differing:
                own = [node for node, (number, _) in signs.items() if number in chosen]
                fixed = [run.evaluation.fixed[node] for node in own if node in run.evaluation.fixed]
                found += possible(run.evaluation.circuit, fixed)
    if found:
        return Proof(False, branches=branches, reason=DIFFERS_IN_BRANCHES.format(found))
    return Proof(True, bound + math.log2(branches), branches, assumed=tuple(assumed))


def _held(first: Run, chosen: Mapping[int, bool]) -> list[tuple[int, bool]]:
    atoms = first.evaluation.atoms
    return [(atoms[number], side) for number, side in chosen.items()]


DIFFERS = "the two differ as rational functions of their generators"
EXCLUDED = "conditions exclude each other across the parts of a sum"
DIFFERS_IN_BRANCHES = "the two differ formally in {} branches in which no point was found"
