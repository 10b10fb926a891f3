"""Verdicts at several sizes, joined to one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from symgrad.verification.verdict import AGREES, PROVED, REFUTED, UNDECIDED, Verdict

#: Seconds that one call may take.
TIMEOUT = 60.0
#: From the best to the worst.
ORDER = (PROVED, AGREES, UNDECIDED, REFUTED)
#: Methods that prove up to something: a chance, or SymPy's reasoning.
WEAK = ("prime field", "simplifiers")


def _weakness(method: str) -> int:
    return WEAK.index(method) + 1 if method in WEAK else 0


def joined(name: str, found: Sequence[tuple[Mapping[str, int], Any]]) -> Verdict:
    """Join what holds at several sizes: the worst counts.

    Args:
        name: The variable.
        found: The sizes, and a verdict or an outcome at them.

    >>> from symgrad.verification.ladder import Outcome
    >>> two = [({"n": 2}, Outcome(PROVED, "same form")), ({"n": 3}, Outcome(AGREES, "points"))]
    >>> joined("w", two).status
    'agrees'
    """
    outcomes = [outcome for _, outcome in found]
    worst = max(outcomes, key=lambda outcome: ORDER.index(outcome.status))
    if worst.status in (REFUTED, UNDECIDED):
        found = [pair for pair in found if pair[1] is worst]
        outcomes = [worst]
    bounds = [outcome.log2_bound for outcome in outcomes if outcome.log2_bound is not None]
    method = worst.method
    if worst.status == PROVED:
        # The weakest of the methods is named: it is what the verdict rests on.
        method = max((outcome.method for outcome in outcomes), key=_weakness)
    return Verdict(
        variable=name,
        status=worst.status,
        method=method,
        witness=worst.witness,
        kinks=worst.kinks,
        points=sum(outcome.points for outcome in outcomes),
        log2_bound=max(bounds) + 1 if bounds and worst.status == PROVED else None,
        sizes=tuple(dict(sizes) for sizes, _ in found if sizes),
        notes=tuple(dict.fromkeys(note for outcome in outcomes for note in outcome.notes)),
    )
