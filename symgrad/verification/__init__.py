"""Is this gradient right? Proved, or refuted with a witness."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from symgrad.errors import SymgradError, TraceError, UnsupportedError, checks_options
from symgrad.formula import Formula
from symgrad.gradient import gradient
from symgrad.shapes import name_of
from symgrad.shrinking import LARGE_CLAIM, expressions_of, renaming_for
from symgrad.verification import claims
from symgrad.verification.functions import verify_functions
from symgrad.verification.indexed import proved_for_every_size
from symgrad.verification.kinks import kinks_of
from symgrad.verification.ladder import Outcome, decide
from symgrad.verification.oracle import confirm
from symgrad.verification.problem import Problem, TimeIsUp, deadline
from symgrad.verification.questions import Question, Worlds, together
from symgrad.verification.results import TIMEOUT, joined
from symgrad.verification.settings import GENERIC_SIZES, domains, sizes_for
from symgrad.verification.verdict import (
    PROVED,
    REFUTED,
    UNDECIDED,
    Kink,
    Verdict,
    Witness,
    check_require,
    check_timeout,
)

#: From so many variables on, claims are tried together.
SEVERAL = 3
#: So often are the claims that a point refutes put aside, and the others tried together again.
ROUNDS = 4
Check = Callable[[], None]
#: What is said where time ends between two steps.
TIME_WAS_UP = "time was up; give a larger timeout="
#: Seconds for a normal form.
FORM_SECONDS = 1.0
#: The same where there are no sizes: the prime field is quick then, and as sure.
SCALAR_FORM_SECONDS = 0.3

__all__ = ["Kink", "Verdict", "Witness", "verify", "verify_functions"]


@checks_options
def verify(
    loss: Any,
    wrt: Any,
    claim: Any,
    domain: Mapping[Any, Any] | None = None,
    require: str | None = None,
    *,
    numeric: bool = False,
    timeout: float = TIMEOUT,
) -> Any:
    """Tell whether a claimed gradient is right: proved, agreeing, or refuted with a witness.

    Args:
        loss: A scalar Formula or bare SymPy.
        wrt: The name or symbol of a variable, or a list of them.
        claim: What was derived by hand, in the shape of the variable: SymPy, a Formula, or ordered
            definitions, a list of `(name, expression)` of which `d` and the variable's name is the
            claim (or else the last one). It may name the loss's own definitions: `Z1`, `H1`,
            `Yhat`, `delta2`. Or text, see `symgrad.parse`: `"X.T @ delta1"`, or definitions,
            `"D = 2 * (Yhat - Y) / n; dW1 = X.T @ D"`. Or a function of inputs by their names that
            gives numbers: it is traced. For a list of variables: a mapping by name, or definitions
            with all.
        domain: Where variables lie: name or symbol to `(low, high)`. Others lie anywhere that
            their assumptions allow.
        require: `"proved"` makes `bool()` of the verdict False for anything less.
        numeric: Compare numbers in floating point where a function as a claim cannot be traced;
            the verdict's method is then `"numeric"`.
        timeout: Seconds for the whole call; time spent inside SymPy counts, but is not cut short.

    Returns:
        A `Verdict`; for a list of variables a mapping of verdicts by name. There a claim that
        cannot be read or decided has the status `"undecided"`, and the others their verdicts.

    Raises:
        OptionError: An unknown name, a wrong domain, no claim for a variable.
        ShapeError: Shapes do not fit in the loss or inside the claim.
        UnsupportedError: No derivative by the rules, an operation that is not real-valued
            mathematics, or time was up before a single comparison.

    A witness is a point at which the two differ by more than 50 digits can hide. A proof is an
    evaluation modulo a prime, in which equal functions have equal values and others differ with
    the stated chance; see `symgrad.verification.field`.

    >>> import sympy as sp
    >>> w, x, y = sp.symbols("w x y", real=True)
    >>> loss = (sp.tanh(w * x) - y) ** 2
    >>> verify(loss, w, 2 * (sp.tanh(w * x) - y) * x / sp.cosh(w * x) ** 2).status
    'proved'
    >>> wrong = verify(loss, w, 2 * (sp.tanh(w * x) - y) * x)
    >>> wrong.status, bool(wrong)
    ('refuted', False)
    """
    check_require(require)
    check = deadline(check_timeout(timeout))
    formula = Formula.of(loss)
    several = isinstance(wrt, (list, tuple, set, frozenset))
    names = [name_of(each) for each in (wrt if several else [wrt])]
    derived = gradient(formula, names if several else [wrt])
    if formula.source:
        confirm(derived)
    claim = claims.read(claim, derived.graph)
    renaming = renaming_for(derived.graph, expressions_of(claim), LARGE_CLAIM)
    if renaming:
        derived = gradient(renaming.formula(formula), names if several else [wrt])
        claim = renaming.claim(claim)
    given = claims.by_variable(claim, names) if several else {names[0]: claim}
    inside = domains(domain, formula.inputs)
    worlds = Worlds(derived, inside)
    verdicts: dict[str, Verdict] = _all_at_once(worlds, given, check) if several else {}
    for name in names:
        if name in verdicts:
            continue
        try:
            found = _verdict(Question(worlds, name, given[name]), check, numeric)
        except (SymgradError, TimeIsUp) as error:
            reason = str(error) or TIME_WAS_UP
            if not several:
                raise (error if str(error) else UnsupportedError(reason)) from None
            # One claim that cannot be read costs no other its verdict.
            found = Verdict(name, UNDECIDED, "error", notes=(reason,))
        verdicts[name] = found
    answers = {name: replace(verdicts[name], require=require) for name in names}
    return answers if several else answers[names[0]]


def _all_at_once(worlds: Worlds, given: Mapping[str, Any], check: Check) -> dict[str, Verdict]:
    """Prove the claims about many scalars in one go; what that leaves open is asked one by one."""
    if worlds.derived.graph.sizes or len(given) < SEVERAL:
        return {}
    problems: dict[str, Problem] = {}
    for name, claim in given.items():
        try:
            problem = Question(worlds, name, claim).at({}, check)
        except SymgradError:
            continue
        if isinstance(problem, Problem):
            problems[name] = problem
    for _ in range(ROUNDS):
        try:
            outcome = decide(together(list(problems.values())), check, simplify=False)
        except SymgradError:
            return {}
        # Each problem is one pair of nodes, since all variables are scalars.
        open_ = range(len(problems)) if outcome.places is None else outcome.places
        closed = {name: p for k, (name, p) in enumerate(problems.items()) if k not in open_}
        if outcome.status == PROVED:
            return {name: _of_one(name, p, outcome, check) for name, p in problems.items()}
        if outcome.status != REFUTED or len(closed) < SEVERAL:
            proved = replace(outcome, status=PROVED, method="prime field", notes=())
            found = closed if outcome.status != REFUTED else {}
            return {name: _of_one(name, p, proved, check) for name, p in found.items()}
        problems = closed
    return {}


def _of_one(name: str, problem: Problem, outcome: Outcome, check: Check) -> Verdict:
    # Which of them uses another convention is asked one by one, at the points found together.
    kinks: tuple[Kink, ...] = ()
    if outcome.kinks and outcome.found is not None:
        kinks = kinks_of(problem, outcome.found, check)
    return replace(joined(name, [({}, outcome)]), kinks=kinks)


def _verdict(question: Question, check: Check, numeric: bool) -> Verdict:
    name, sizes = question.name, question.derived.graph.sizes
    form = _form(question, check)
    found: list[tuple[dict[str, int], Any]] = []
    for choice in range(len(GENERIC_SIZES) if sizes else 1):
        chosen = sizes_for(question.derived.graph, choice)
        try:
            problem = question.at(chosen, check)
        except TraceError as error:
            if numeric:
                return question.numerically(chosen, str(error))
            raise
        if isinstance(problem, Verdict):
            return problem
        # The last sizes are for claims that happen to be right at the first ones.
        last = bool(sizes) and choice == len(GENERIC_SIZES) - 1
        outcome = decide(problem, check, prove=not last, form=None if choice else form)
        if sizes and outcome.method == "same form" and not choice and _in_time(form):
            outcome = replace(outcome, method="normal form")
        if outcome.method == "normal form":
            return joined(name, [({}, outcome)])
        if outcome.status == REFUTED:
            return joined(name, [(chosen, outcome)])
        if not last:
            found.append((chosen, outcome))
    return joined(name, found)


def _in_time(form: Callable[[], bool]) -> bool:
    """Ask for a better proof of what is proved already."""
    try:
        return form()
    except TimeIsUp:
        return False


def _form(question: Question, check: Check) -> Callable[[], bool]:
    """Return the test whether the normal form of a claim proves it, for every size."""

    def holds() -> bool:
        if question.is_function:
            return False
        sized = bool(question.derived.graph.sizes)
        limit = deadline(FORM_SECONDS if sized else SCALAR_FORM_SECONDS)

        def both() -> None:
            check()
            limit()

        lines = claims.lines_of(question.claim, question.name)
        output = question.derived[question.name].output
        try:
            return proved_for_every_size(question.derived.graph, output, lines, both)
        except TimeIsUp:
            check()
            return False

    return holds
