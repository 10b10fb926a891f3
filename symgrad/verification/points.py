"""Points at which two formulas are compared.

Convenient points hide mistakes: at zero, at one, at integers, with equal or saturated values wrong
formulas agree. So values are drawn with all their digits, of both signs, in several magnitudes,
near the ends of their domain; and where a formula has branches, lines through random points are
cut where a condition changes, and a point is taken from every piece.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from symgrad.circuit import kinds as ops
from symgrad.verification.problem import ANYWHERE, Problem, Range
from symgrad.verification.values import on_points

Points = dict[str, Any]

#: Magnitudes, as powers of ten, and how many points of each are drawn.
MAGNITUDES = (
    ((-0.7, 0.3), 96),
    ((-6.0, -2.0), 24),
    ((0.7, 2.0), 24),
    ((2.0, 4.0), 16),
    ((-4.0, 4.0), 40),
)
#: Lines through random points, along one variable each, that are searched for branches.
LINES = 24
#: Points to many digits: so many generic ones, and at most so many in all.
GENERIC, MOST = 8, 64
#: Of larger circuits fewer points are taken before a proof is tried.
LARGE = 4000


def drawn(names: Iterable[str], ranges: Mapping[str, Range], seed: int = 1) -> tuple[Points, int]:
    """Draw points for variables: magnitude by magnitude, generic ones first.

    Returns:
        An array for every name, and how many points there are.

    >>> points, count = drawn(["x"], {"x": Range(0, 1)})
    >>> bool(((points["x"] > 0) & (points["x"] < 1)).all()), count
    (True, 200)
    """
    random = np.random.default_rng(seed)
    names = list(names)
    blocks: dict[str, list[Any]] = {name: [] for name in names}
    for powers, count in MAGNITUDES:
        for name in names:
            blocks[name].append(_within(ranges.get(name, ANYWHERE), powers, count, random))
    points = {name: np.concatenate(parts) for name, parts in blocks.items()}
    count = sum(size for _, size in MAGNITUDES)
    _choose(points, ranges, count, random)
    return points, count


def _within(at: Range, powers: tuple[float, float], count: int, random: Any) -> Any:
    sizes = 10.0 ** random.uniform(*powers, count)
    signs = random.choice([-1.0, 1.0], count)
    if math.isinf(at.low) and math.isinf(at.high):
        values = signs * sizes
    elif math.isinf(at.high):
        values = at.low + sizes
    elif math.isinf(at.low):
        values = at.high - sizes
    else:
        # Generic points lie inside; small magnitudes near one end, large ones near the other.
        width = at.high - at.low
        if powers[0] > -1 and powers[1] < 1:
            values = at.low + width * random.uniform(0.05, 0.95, count)
        else:
            near = width * np.minimum(np.minimum(sizes, 1 / sizes), 0.5)
            values = np.where(signs > 0, at.low + near, at.high - near)
    if at.integer:
        # Small magnitudes become the small integers, which a loss may single out.
        small = (
            random.integers(-3, 4, count) if powers[1] < 0 else signs * random.integers(2, 9, count)
        )
        values = np.where(np.abs(values) < 2, small, values)
        values = np.clip(np.round(values), np.ceil(at.low), np.floor(at.high))
    return values


def _choose(points: Points, ranges: Mapping[str, Range], count: int, random: Any) -> None:
    """Make groups of which one member is 1: the last one, or none of them, is the one not drawn."""
    groups: dict[str, list[str]] = {}
    for name in points:
        group = ranges.get(name, ANYWHERE).choice
        if group:
            groups.setdefault(group, []).append(name)
    for members in groups.values():
        chosen = random.integers(0, len(members) + 1, count)
        for k, name in enumerate(members):
            points[name] = (chosen == k).astype(float)


@dataclass(frozen=True)
class Search:
    """What a search for points found.

    Attributes:
        points: An array for every variable.
        count: How many points there are.
        generic: How many of them, from the first on, were drawn freely.
        kinks: Points at which a condition's node is zero, as far as floating point goes.
        conditions: For every condition whether it holds, by node.
    """

    points: Points
    count: int
    generic: int
    kinks: Points
    conditions: dict[int, Any]


def search(problem: Problem, check: Callable[[], None] = lambda: None) -> Search:
    """Draw points, and find more until every branch that lines reach has one."""
    circuit = problem.circuit
    cone = circuit.cone(problem.outputs)
    names = [circuit.nodes[node].value for node in cone if circuit.nodes[node].kind == ops.VARIABLE]
    points, count = drawn(names, problem.ranges)
    generic = count
    signs = [n for n in cone if circuit.nodes[n].kind in (ops.POSITIVE, ops.ZERO)]
    kinks: Points = {name: np.empty(0) for name in names}
    if signs:
        check()
        more, kinks = _pieces(problem, sorted({circuit.nodes[n].args[0] for n in signs}), points)
        points = {name: np.concatenate([points[name], more[name]]) for name in names}
        count = len(next(iter(points.values()))) if names else count
    choosing = {circuit.nodes[n].args[0] for n in cone if circuit.nodes[n].kind == ops.SELECT}
    conditions = on_points(circuit, sorted(choosing | set(signs)), points, count)
    return Search(points, count, generic, kinks, conditions)


def _pieces(problem: Problem, atoms: list[int], points: Points) -> tuple[Points, Points]:
    """Cut random lines where an atom changes its sign; return points between, and the cuts."""
    names = problem.circuit.variables(atoms)
    lines = _lines(problem, names, points) if names else []
    if not lines:
        empty: Points = {name: np.empty(0) for name in points}
        return empty, empty
    cuts = _cuts(problem, atoms, lines, points)
    number: list[int] = []
    where: list[float] = []
    for line, (_, _, grid) in enumerate(lines):
        own = np.unique(cuts[1][cuts[0] == line])
        if own.size:
            ends = np.concatenate([[grid[0]], own, [grid[-1]]])
            step = np.maximum(np.abs(own), 1e-3) * 1e-3
            near = np.concatenate([own - step, own + step])
            near = near[(near > grid[0]) & (near < grid[-1])]
            inner = np.concatenate([(ends[1:] + ends[:-1]) / 2, near])
            number += [line] * len(inner)
            where += inner.tolist()
    between = np.array(number, dtype=int), np.array(where)
    return _on_lines(lines, between, points), _on_lines(lines, cuts, points)


#: The variable that runs, the point that the line runs through, the grid.
Line = tuple[str, int, Any]
#: The numbers of lines, and the values there of the variables that run.
Places = tuple[Any, Any]


def _lines(problem: Problem, names: list[str], points: Points) -> list[Line]:
    """Choose lines: the variable that runs, the point that it runs through, the grid."""
    found = []
    for k in range(max(LINES, min(2 * len(names), 4 * LINES))):
        name = names[k % len(names)]
        at = problem.ranges.get(name, ANYWHERE)
        if at.choice:
            continue
        grid = np.concatenate([np.linspace(-10, 10, 161), np.geomspace(1e-6, 1e6, 97)])
        grid = np.unique(np.concatenate([grid, -np.geomspace(1e-6, 1e6, 97)]))
        if math.isfinite(at.low) and math.isfinite(at.high):
            grid = at.low + (at.high - at.low) * np.linspace(0.001, 0.999, 257)
        else:
            # An irrational offset: a grid of round numbers meets the kinks themselves.
            grid = grid * 1.0000000271828 + 1.37e-9
            grid = grid[(grid > at.low) & (grid < at.high)]
        if at.integer:
            grid = np.unique(np.round(grid))
        found.append((name, k % GENERIC if k < LINES else k, grid))
    return found


def _on_lines(lines: list[Line], places: Places, points: Points) -> Points:
    """Return the points at places of lines."""
    number, where = places
    base = np.array([at for _, at, _ in lines], dtype=int)[number]
    runners = np.array([name for name, _, _ in lines])[number]
    made = {}
    for name, values in points.items():
        column = values[base % len(values)]
        made[name] = np.where(runners == name, where, column)
    return made


def _cuts(problem: Problem, atoms: list[int], lines: list[Line], points: Points) -> Places:
    """Find where atoms change their sign on lines: on a grid, then by bisection."""
    number = np.concatenate([np.full(len(grid), k) for k, (_, _, grid) in enumerate(lines)])
    where = np.concatenate([grid for _, _, grid in lines])
    rows, places = [], []
    for row, values in enumerate(_signs(problem, atoms, lines, (number, where), points)):
        with np.errstate(invalid="ignore"):
            changes = (values[1:] * values[:-1] < 0) & (number[1:] == number[:-1])
        found = np.flatnonzero(changes)
        rows += [row] * len(found)
        places += found.tolist()
    rows, places = rows[:MOST_CUTS], places[:MOST_CUTS]
    on, low = number[places], where[places]
    high = where[np.array(places, dtype=int) + 1] if places else low
    if not places:
        return on.astype(int), low

    def sign_at(where: Any) -> Any:
        return _signs(problem, atoms, lines, (on, where), points)[rows, np.arange(len(rows))]

    first = sign_at(low)
    for _ in range(60):
        middle = (low + high) / 2
        same = sign_at(middle) == first
        low, high = np.where(same, middle, low), np.where(same, high, middle)
    return on, (low + high) / 2


#: So many changes of sign are followed at most.
MOST_CUTS = 400


def _signs(
    problem: Problem, atoms: list[int], lines: list[Line], places: Places, points: Points
) -> Any:
    """Return the signs of atoms at places of lines: a row for every atom."""
    at = _on_lines(lines, places, points)
    values = on_points(problem.circuit, atoms, at, len(places[0]))
    with np.errstate(invalid="ignore"):
        return np.sign(np.array([values[atom] for atom in atoms], dtype=float))


def selection(problem: Problem, found: Search, *, more: bool = False) -> list[int]:
    """Choose the points that are worth many digits.

    Generic ones of every magnitude; for every condition one at which it holds and one at which it
    does not; and those at which floating point already sees a difference.

    Args:
        problem: The problem.
        found: The points.
        more: Take three times as many, because no proof was found.
    """
    values = on_points(problem.circuit, problem.outputs, found.points, found.count)
    usable = np.ones(found.count, dtype=bool)
    for node in (*problem.derived, *problem.defined):
        usable &= np.isfinite(values[node])
    seen = _different(problem, values, found.count)
    suspicious = [int(k) for k in np.flatnonzero(seen & usable)[:GENERIC]]
    chosen: list[int] = []
    first = 0
    small = len(problem.circuit.cone(problem.outputs)) < LARGE
    generic = 3 * GENERIC if more else GENERIC if small else GENERIC // 4
    for _, size in MAGNITUDES:
        block = [k for k in range(first, first + size) if usable[k]]
        chosen += block[: generic if first == 0 else (generic + 3) // 4]
        first += size
    for holds in found.conditions.values():
        for side in (holds, ~holds):
            places = np.flatnonzero(side & usable)
            if places.size and not side[chosen].any() and len(chosen) < MOST:
                chosen.append(int(places[0]))
    # A derivative that is zero there, behind a relu that is off, tells nothing.
    for node in problem.derived:
        alive = (values[node] != 0) & usable
        places = np.flatnonzero(alive)
        if places.size and not alive[chosen].any() and len(chosen) < MOST:
            chosen.append(int(places[0]))
    return list(dict.fromkeys(suspicious + chosen))


def _different(problem: Problem, values: dict[int, Any], count: int) -> Any:
    seen = np.zeros(count, dtype=bool)
    with np.errstate(all="ignore"):
        for first, second in zip(problem.derived, problem.claimed, strict=True):
            if first != second:
                a, b = values[first], values[second]
                scale = np.maximum(np.abs(a), np.abs(b))
                seen |= ~(np.abs(a - b) <= 1e-9 * scale + 1e-300)
    return seen


def point_of(found: Search, number: int) -> dict[str, float]:
    """Return one of the points."""
    return {name: float(values[number]) for name, values in found.points.items()}
