"""Where a derivative jumps, conventions decide: relu'(0) may be 0, 1/2 or 1.

Two formulas that are equal almost everywhere are compared there, too. A point on the kink is
found by bisection along a line; the conditions' nodes that vanish there are taken as exactly
zero, and both formulas say what they make of it.
"""

from __future__ import annotations

from collections.abc import Callable

import mpmath
import numpy as np

from symgrad.circuit import kinds as ops
from symgrad.lowering.raising import worded
from symgrad.verification.balls import balls
from symgrad.verification.points import Points, Search
from symgrad.verification.problem import Problem
from symgrad.verification.values import on_points
from symgrad.verification.verdict import Kink

#: A condition's node is taken as zero where it is this small beside its values nearby.
TINY = 1e-12
#: So many kinks are reported at most, and so many points tried.
MOST_KINKS, MOST_TRIED = 4, 24


def kinks_of(problem: Problem, found: Search, check: Callable[[], None]) -> tuple[Kink, ...]:
    """Compare both sides on the kinks that the search ran into."""
    atoms = _atoms(problem)
    count = len(next(iter(found.kinks.values()), ()))
    if not atoms or not count:
        return ()
    values = on_points(problem.circuit, atoms, found.kinks, count)
    usual = on_points(problem.circuit, atoms, found.points, found.count)
    with np.errstate(all="ignore"):
        scale = {atom: np.nanmedian(np.abs(usual[atom])) + 1e-300 for atom in atoms}
    sizes = on_points(problem.circuit, problem.derived, found.points, found.count)
    with np.errstate(all="ignore"):
        magnitudes = np.abs(np.array(list(sizes.values())))
    usable = magnitudes[np.isfinite(magnitudes) & (magnitudes > 0)]
    # The point lies on the kink as far as floating point goes: less than this is no jump.
    least = TINY * float(np.median(usable)) if usable.size else TINY
    kinks: list[Kink] = []
    tried: set[frozenset[int]] = set()
    for number in range(count):
        zeros = frozenset(a for a in atoms if abs(values[a][number]) < TINY * scale[a])
        if not zeros or zeros in tried:
            continue
        if len(kinks) == MOST_KINKS or len(tried) == MOST_TRIED:
            break
        check()
        tried.add(zeros)
        kink = _kink(problem, found.kinks, number, zeros, least)
        if kink is not None:
            kinks.append(kink)
    return tuple(kinks)


def _atoms(problem: Problem) -> list[int]:
    nodes = problem.circuit.nodes
    cone = problem.circuit.cone([*problem.derived, *problem.claimed])
    return sorted({nodes[n].args[0] for n in cone if nodes[n].kind in (ops.POSITIVE, ops.ZERO)})


def _kink(
    problem: Problem, points: Points, number: int, zeros: frozenset[int], least: float
) -> Kink | None:
    point = {name: float(values[number]) for name, values in points.items()}
    precise = balls(problem.circuit, problem.outputs, point, 30, zeros)
    values = {node: number for node, (number, _) in precise.items()}
    if not all(mpmath.isfinite(values[node]) for node in problem.defined):
        return None
    for k, (first, second) in enumerate(zip(problem.derived, problem.claimed, strict=True)):
        a, b = values[first], values[second]
        if mpmath.isnan(a) and mpmath.isnan(b):
            continue
        if not abs(a - b) <= max(least, 1e-9 * max(abs(a), abs(b))):
            where = f"{worded(problem.circuit, min(zeros))} = 0"
            return Kink(where, float(a), float(b), problem.arrays(point), problem.entries[k])
    return None
