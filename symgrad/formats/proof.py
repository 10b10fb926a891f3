r"""Every line of a derivation proved from what is printed.

The lines are read back from their LaTeX. A name of the forward pass stands for its value, a name
such as \partial L / \partial Z for the derivative itself: it is found in the formula written out in
scalars, without any rule of matrices. So no line leans on another, and a wrong one is found where
it stands.
"""

from __future__ import annotations

from collections.abc import Callable

from symgrad.derivation import Derivation
from symgrad.errors import SymgradError
from symgrad.formats import equations
from symgrad.formats.blocks import Equation
from symgrad.formats.crowd import Samples
from symgrad.formats.lines import REFUTED, UNREAD, Line, Proof, equalities
from symgrad.formats.world import World, reason_of
from symgrad.shrinking import manageable
from symgrad.soundness import faults
from symgrad.staging import in_full
from symgrad.verification.problem import TimeIsUp, deadline

#: Seconds for all lines of a derivation, and for one of them.
TIME, LINE = 60.0, 6.0


def check(derived: Derivation, lines: list[Equation] | None = None) -> Proof:
    """Prove every line of a derivation from what is printed.

    Args:
        derived: The derivation.
        lines: The equations; left out, those that the derivation prints, step by step.
    """
    shown = printed(derived) if lines is None else lines
    derived = in_full(derived) if derived.detail == "full" else derived
    stopped = deadline(TIME)
    try:
        smaller = manageable(derived)
        world = World(smaller, stopped)
        samples = Samples(smaller, stopped) if derived.reduce else world
    except (SymgradError, TimeIsUp) as error:
        pairs = [pair for equation in shown for pair in equalities(equation)]
        return Proof(tuple(Line(*pair, UNREAD, reason_of(error)) for pair in pairs))
    # Lines that are given are asked about one by one; all of them must be a chain, too.
    found = [
        Line(text, "", REFUTED, "steps") for text in (faults(derived) if lines is None else [])
    ]
    for equation in shown:
        pairs = equalities(equation)
        place = samples if samples.has_total(part for pair in pairs for part in pair) else world
        shape = place.shape_of(part for pair in pairs for part in pair)
        found += [place.decided(left, right, shape, _sooner(stopped)) for left, right in pairs]
    return Proof(tuple(found))


def _sooner(stopped: Callable[[], None]) -> Callable[[], None]:
    """Stop one line earlier than all of them: a hard one shall not take the time of others."""
    own = deadline(LINE)

    def check() -> None:
        stopped()
        own()

    return check


def printed(derived: Derivation) -> list[Equation]:
    """Return the equations of a derivation, forward pass, backward pass and result."""
    detail = "full" if derived.detail == "full" else "chain"
    blocks = equations.document(derived, detail)
    kinds = ("equations", "result")
    return [equation for block in blocks if block.kind in kinds for equation in block.equations]
