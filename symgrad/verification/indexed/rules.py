"""Laws that hold between the factors of one term of an indexed polynomial."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from fractions import Fraction
from typing import TYPE_CHECKING

from symgrad.verification.indexed.forms import (
    COLUMN,
    ROW,
    Exponent,
    Factor,
    GiveUp,
    Raw,
    place_of,
)

if TYPE_CHECKING:
    from symgrad.verification.indexed.functions import Functions

Powers = dict[int, Exponent]
Rule = Callable[["Functions", int, Powers, Mapping[int, int]], list[Raw] | None]
#: By the tag of a factor, or by the name of a function: what may replace a term that has it.
RULES: dict[str, Rule] = {}
ONE = Fraction(1)


def _rule(key: str) -> Callable[[Rule], Rule]:
    def register(rule: Rule) -> Rule:
        RULES[key] = rule
        return rule

    return register


def _without(powers: Mapping[int, Exponent], *fids: int) -> Powers:
    return {fid: e for fid, e in powers.items() if fid not in fids}


@_rule("step")
def _idempotent(
    forms: Functions, fid: int, powers: Powers, bound: Mapping[int, int]
) -> list[Raw] | None:
    if powers[fid] == 1:
        return None
    if powers[fid] < 0:
        raise GiveUp("a division by a step")
    return [(ONE, {**powers, fid: 1}.items(), bound)]


@_rule("delta")
def _contract(
    forms: Functions, fid: int, powers: Powers, bound: Mapping[int, int]
) -> list[Raw] | None:
    _, name, (first, second), _ = forms.factors[fid]
    rest = _without(powers, fid)
    if powers[fid] < 0:
        raise GiveUp("a division by zeros")
    if first == second:
        return [(ONE, rest.items(), bound)]
    if place_of(first) is not None and place_of(second) is not None:
        return []
    for old, new in ((first, second), (second, first)):
        if bound.get(old) == int(name) and _lies_inside(forms, new, int(name)):
            kept = {label: size for label, size in bound.items() if label != old}
            return _replaced(forms, rest, kept, old, new)
    return [(ONE, {**powers, fid: 1}.items(), bound)] if powers[fid] != 1 else None


def _lies_inside(forms: Functions, index: int, size: int) -> bool:
    place = place_of(index)
    if place is None or place == 0 or (size, place) in forms.places:
        return True
    constant = forms.polys[size]
    return constant.keys() == {((), ())} and place < constant[((), ())]


def _replaced(
    forms: Functions, powers: Powers, bound: Mapping[int, int], old: int, new: int
) -> list[Raw]:
    names = {label: forms.fresh() for label in (*bound, old)}
    target = names.get(new, new)
    result = forms.constant(1)
    for fid, exponent in powers.items():
        moved = forms.relabelled(fid, names)
        part = forms.mapped_factor(moved, exponent, {names[old]: target}, {})
        result = forms.multiply(result, part)
    return forms.times(result, {}, {names[label]: size for label, size in bound.items()})


@_rule("tanh")
def _beside_exp(
    forms: Functions, fid: int, powers: Powers, bound: Mapping[int, int]
) -> list[Raw] | None:
    """With e = exp(2z): e tanh z = e - 1 - tanh z, and tanh z / e = 1 - tanh z - 1/e."""
    exponent = powers[fid]
    if exponent < 1 or len(powers) < 2:
        return None
    double = forms.exp(forms.scale(2, forms.polys[forms.factors[fid].args[0]]))
    ((parts, inner), number), *others = double.items()
    whole = not inner and number == 1 and not others and parts
    if not whole or not all(forms.is_exp(f) for f, _ in parts) or parts[0][0] not in powers:
        return None
    order = Fraction(powers[parts[0][0]]) / Fraction(parts[0][1])
    if -1 < order <= 0:
        return None
    sign = 1 if order > 0 else -1
    unit: Powers = {f: sign * e for f, e in parts}
    rest: Powers = {**powers, fid: exponent - 1}
    for f, e in unit.items():
        rest[f] = rest.get(f, 0) - e
    kept = [(f, e) for f, e in rest.items() if e]
    terms: list[tuple[int, Powers]] = [(-sign, {}), (-1, {fid: 1}), (sign, unit)]
    return [(Fraction(c), [*kept, *more.items()], bound) for c, more in terms]


@_rule("cos")
def _square_of_cos(
    forms: Functions, fid: int, powers: Powers, bound: Mapping[int, int]
) -> list[Raw] | None:
    if powers[fid] < 2:
        return None
    z = forms.polys[forms.factors[fid].args[0]]
    sine = forms.power(forms.function("sin", z), 2)
    rest = {**powers, fid: powers[fid] - 2}
    kept = {f: e for f, e in rest.items() if e}
    return forms.times(forms.add(forms.constant(1), forms.scale(-1, sine)), kept, bound)


@_rule("root")
def _power_of_root(
    forms: Functions, fid: int, powers: Powers, bound: Mapping[int, int]
) -> list[Raw] | None:
    """Reduce powers of roots of what is surely positive: numbers and sizes."""
    _, name, _, (pid,) = forms.factors[fid]
    whole, rest = divmod(int(powers[fid]), int(name))
    base = forms.polys[pid]
    if not whole or len(base) != 1:
        return None
    ((factors, inner), number), *_ = base.items()
    if inner or number <= 0 or not all(forms.is_positive(f) for f, _ in factors):
        return None
    kept = _without(powers, fid) | ({fid: rest} if rest else {})
    return forms.times(forms.power(base, whole), kept, bound)


@_rule("inv")
def _times_inverse(
    forms: Functions, fid: int, powers: Powers, bound: Mapping[int, int]
) -> list[Raw] | None:
    """Contract a matrix with its inverse: the sum over k of A[i, k] inv(A)[k, j] is delta."""
    _, name, (row, column), _ = forms.factors[fid]
    pid, size = (int(part) for part in name.rstrip("=").split(":"))
    ((inside, inner), number), *others = forms.polys[pid].items()
    if others or inner or number != 1 or powers[fid] != 1 or len(inside) != 1 or row == column:
        return None
    ((entry, power),) = inside
    tag, matrix, places, _ = forms.factors[entry]
    if tag != "at" or set(places) != {ROW, COLUMN} or power != 1:
        return None
    for shared, other, own in ((row, column, 1), (column, row, 0)):
        touching = [f for f in powers if f != fid and shared in forms.indices(f)]
        if bound.get(shared) != size or len(touching) != 1:
            continue
        beside = forms.factors[touching[0]]
        if (beside.tag, beside.name) != ("at", matrix) or powers[touching[0]] != 1:
            continue
        at = dict(zip(places, beside.indices, strict=True))
        found = (at[ROW], at[COLUMN])
        if found[own] == shared != found[1 - own]:
            kept = {label: s for label, s in bound.items() if label != shared}
            ends = tuple(sorted((found[1 - own], other)))
            delta = forms.number(Factor("delta", str(size), ends))
            return [(ONE, [*_without(powers, fid, touching[0]).items(), (delta, 1)], kept)]
    return None
