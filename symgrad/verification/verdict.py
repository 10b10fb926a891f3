"""What a verification answers."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import mpmath
import numpy as np

from symgrad.errors import OptionError, unknown

#: Larger arrays are cut in texts.
MOST_ENTRIES = 40
PROVED, AGREES, REFUTED, UNDECIDED = "proved", "agrees", "refuted", "undecided"


@dataclass(frozen=True)
class Witness:
    """A point at which a claim is wrong.

    Attributes:
        point: The value of every variable, a number or an array, by name.
        entry: The index of the entry that is shown, `()` for a scalar.
        derived: The derivative there.
        claimed: What the claim gives there; NaN where it is not defined.
        entries: The indices of all entries that differ there.
        count: How many entries there are.
    """

    point: Mapping[str, Any]
    entry: tuple[int, ...]
    derived: Any
    claimed: Any
    entries: tuple[tuple[int, ...], ...]
    count: int

    @property
    def ratio(self) -> float:
        """The claimed value over the derived one; NaN where that is zero."""
        return float(self.claimed / self.derived) if self.derived else math.nan


@dataclass(frozen=True)
class Kink:
    """A place where both are right almost everywhere, and use another convention.

    Attributes:
        where: The condition, such as `"z = 0"`.
        derived: The derivative's value there, by symgrad's convention; NaN where it has none.
        claimed: The claim's value there.
        point: A point on it.
        entry: The index of the entry that is shown.
    """

    where: str
    derived: float
    claimed: float
    point: Mapping[str, Any]
    entry: tuple[int, ...] = ()


@dataclass(frozen=True)
class Verdict:
    """The answer to "is this gradient right?".

    Attributes:
        variable: The name of the variable whose gradient was claimed.
        status: `"proved"`, `"agrees"` (equal at all points tried, not proved) or `"refuted"`; in
            a batch also `"undecided"`, where one claim could not be read.
        method: How: `"same form"`, `"normal form"` (both for certain), `"prime field"` (with a
            bound), `"simplifiers"` (those of SymPy, where all points agreed), `"points"`,
            `"shape"`, `"numeric"`, `"error"`.
        witness: Where the claim is wrong, if it is and a point shows it.
        kinks: Where the two use other conventions; counted as right almost everywhere.
        points: At how many points the two were compared, to 50 digits.
        log2_bound: For a proof by random evaluation: the binary logarithm of the chance that it
            overlooked a difference.
        sizes: The sizes at which symbolic ones were taken; empty where it holds for every size.
        notes: Sentences that belong to the verdict.
        diagnosis: The mistake by name; None until a later version names it.
        require: What `bool()` asks for: `"proved"`, or None for "not refuted".
    """

    variable: str
    status: str
    method: str
    witness: Witness | None = None
    kinks: tuple[Kink, ...] = ()
    points: int = 0
    log2_bound: float | None = None
    sizes: tuple[Mapping[str, int], ...] = ()
    notes: tuple[str, ...] = ()
    diagnosis: Any = None
    require: str | None = None

    def __bool__(self) -> bool:
        if self.require == PROVED:
            return self.status == PROVED
        return self.status in (PROVED, AGREES)

    @property
    def bound(self) -> float | None:
        """The chance that a proof by random evaluation overlooked a difference, or None."""
        return None if self.log2_bound is None else 2.0 ** max(self.log2_bound, -1000.0)

    def _repr_markdown_(self) -> str:
        return f"```text\n{self.explain()}\n```"

    def explain(self) -> str:
        """Say the verdict in sentences: what holds, how it is known, and where it fails."""
        lines = [f"d/d{self.variable}: {self._headline()}"]
        lines += [f"  {line}" for line in self._details()]
        lines += [f"  note: {note}" for note in self.notes]
        return "\n".join(lines)

    def _headline(self) -> str:
        if self.status == PROVED:
            return f"proved ({self._by()})"
        if self.status == AGREES and self.method == "numeric":
            return "agrees numerically, which is no proof"
        if self.status == UNDECIDED:
            return "undecided"
        if self.status == AGREES:
            return f"agrees at {self.points} points to 50 digits, which is no proof"
        return "refuted"

    def _by(self) -> str:
        if self.method == "simplifiers":
            return "by SymPy's simplifiers, and equal at all points tried"
        if self.method != "prime field" or self.log2_bound is None:
            return f"by {self.method}"
        power = math.ceil(self.log2_bound * math.log10(2))
        return f"by evaluation in a prime field; chance of an oversight below 1e{power}"

    def _details(self) -> list[str]:
        lines = []
        if self.sizes:
            words = "; ".join(
                ", ".join(f"{k} = {v}" for k, v in sizes.items()) for sizes in self.sizes
            )
            lines.append(f"at the sizes {words}")
        if self.witness is not None:
            lines += _worded_witness(self.witness)
        for kink in self.kinks:
            lines.append(
                f"kink: where {kink.where}, the derivative is {_short(kink.derived)} by convention "
                f"and the claim gives {_short(kink.claimed)}; right almost everywhere"
            )
        return lines

    def as_json(self) -> dict[str, Any]:
        """Return the verdict as plain data, for `json.dumps`."""
        witness = self.witness and {
            "point": {name: _plain(value) for name, value in self.witness.point.items()},
            "entry": list(self.witness.entry),
            "derived": _plain(self.witness.derived),
            "claimed": _plain(self.witness.claimed),
            "entries": [list(entry) for entry in self.witness.entries],
            "count": self.witness.count,
        }
        return {
            "variable": self.variable,
            "status": self.status,
            "method": self.method,
            "witness": witness,
            "kinks": [
                {
                    "where": kink.where,
                    "derived": _plain(kink.derived),
                    "claimed": _plain(kink.claimed),
                    "point": {name: _plain(value) for name, value in kink.point.items()},
                    "entry": list(kink.entry),
                }
                for kink in self.kinks
            ],
            "points": self.points,
            "log2_bound": self.log2_bound,
            "sizes": [dict(sizes) for sizes in self.sizes],
            "notes": list(self.notes),
        }


def _worded_witness(witness: Witness) -> list[str]:
    at = ", ".join(f"{name} = {_worded_value(value)}" for name, value in witness.point.items())
    entry = f"in entry {list(witness.entry)} " if witness.entry else ""
    digits = _digits_that_tell(witness.derived, witness.claimed)
    derived, claimed = (
        mpmath.nstr(mpmath.mpf(value), digits) for value in (witness.derived, witness.claimed)
    )
    found = "has no value" if claimed == "nan" else f"gives {claimed}"
    lines = [f"at {at}", f"{entry}the derivative is {derived}, the claim {found}"]
    if len(witness.entries) > 1:
        lines.append(f"{len(witness.entries)} of {witness.count} entries differ")
    return lines


def _digits_that_tell(first: Any, second: Any) -> int:
    """Return how many digits show the difference of two numbers."""
    first, second = mpmath.mpf(first), mpmath.mpf(second)
    if not mpmath.isfinite(first) or not mpmath.isfinite(second) or first == second:
        return 6
    relative = abs(first - second) / max(abs(first), abs(second))
    return max(6, min(45, 3 - int(mpmath.floor(mpmath.log10(relative)))))


def _short(value: Any) -> str:
    return "undefined" if mpmath.isnan(value) else mpmath.nstr(mpmath.mpf(value), 6)


def _worded_value(value: Any) -> str:
    if isinstance(value, np.ndarray):
        text = np.array2string(value, separator=", ", precision=6, threshold=MOST_ENTRIES)
        return " ".join(text.split())
    return f"{value:g}" if float(f"{value:g}") == value else repr(value)


def _plain(value: Any) -> Any:
    if isinstance(value, np.ndarray):
        return value.tolist()
    number = float(value)
    return number if math.isfinite(number) else None


def check_require(require: str | None) -> None:
    """Raise an OptionError for an unknown requirement.

    >>> check_require("proved")
    """
    if require not in (None, PROVED):
        raise unknown("requirement", require, [PROVED])


def check_timeout(timeout: Any) -> float:
    """Return a time limit in seconds.

    Raises:
        OptionError: It is not a positive number.
    """
    try:
        seconds = float(timeout)
    except (TypeError, ValueError):
        seconds = math.nan
    if not seconds > 0:
        raise OptionError(f"timeout is a positive number of seconds, not {timeout!r}")
    return seconds
