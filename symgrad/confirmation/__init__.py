"""Gradients that are compared with an oracle before they are returned, printed or compiled.

See `symgrad.verification.oracle`. What is read from text is always compared. The oracle is loaded
when it is asked: most gradients need neither it nor NumPy.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import sympy as sp

from symgrad.derivation import Derivation, check_detail
from symgrad.errors import OptionError, UnsupportedError, checks_options, unknown
from symgrad.formula import Formula
from symgrad.gradient import gradient as unchecked_gradient
from symgrad.graph import Graph
from symgrad.layout import numerator
from symgrad.profiles import NOTATIONS, Profile, profile_of
from symgrad.shapes import name_of


@checks_options
def gradient(
    loss: Any, wrt: Any = None, *, structured: bool = False, check: bool | None = None
) -> Any:
    """Derive the gradient of a scalar in closed form.

    Args:
        loss: A scalar Formula (a loss, or an entry of a gradient) or bare SymPy.
        wrt: A name or symbol gives one Formula; a list gives a mapping by name;
            left out, all parameters. An explicit matrix of symbols gives a matrix.
        structured: Give symmetric gradients by the variables that are declared symmetric, those in
            the space of the symmetric matrices: (G + G') / 2. Left out, all entries of a symmetric
            variable are differentiated by as if each were by itself.
        check: Compare with the oracle at one generic point; left out: for formulas from text.

    Returns:
        A `Formula` in the variable's own shape, or a `Gradient`, a mapping of them.
        Both have `.graph` and `.derivation`.

    Raises:
        ShapeError: The loss is not a scalar.
        OptionError: A name does not occur in the loss, or `wrt` is missing and the loss
            has no parameters. Or `structured` is asked for, and no variable is symmetric.
        UnsupportedError: An operation without a rule; the message names it. Or the loss is a
            gradient which was simplified with what is known of the variable. Or the result does
            not agree with the oracle.

    The method is reverse accumulation; the adjoint of a variable has its shape, so that
    dL = sum over variables of <adjoint, d variable>, which is how every rule is proved.

    >>> import sympy as sp
    >>> w, x, y = sp.symbols("w x y", real=True)
    >>> gradient((w * x - y) ** 2, w, check=True).sympy
    2*x*(w*x - y)
    """
    formula = Formula.of(loss)
    if check is False or not (check or formula.source):
        return unchecked_gradient(formula, wrt, structured=structured)
    from symgrad.verification.oracle import confirm

    if isinstance(wrt, sp.MatrixBase):
        names = [name for name in map(name_of, wrt) if name in formula.inputs]
        confirm(unchecked_gradient(formula, names, structured=structured))
        return unchecked_gradient(formula, wrt, structured=structured)
    single = isinstance(wrt, (str, sp.Basic))
    found = unchecked_gradient(formula, [wrt] if single else wrt, structured=structured)
    confirm(found)
    return found[wrt] if single else found


@checks_options
def derive(
    loss: Any,
    wrt: Any = None,
    *,
    detail: str = "chain",
    notation: str | None = None,
    profile: Any = None,
    example: Any = None,
    structured: bool = False,
    check: bool | None = None,
) -> Derivation:
    r"""Derive gradients and return the derivation, which prints and saves itself.

    Args:
        loss: A scalar Formula or bare SymPy.
        wrt: As in `gradient`.
        detail: `"result"` prints definitions and gradients, `"chain"` every factor of
            the chain rule, `"full"` every operation with the rule that is applied to it.
        notation: For a loss of a network, how it is written: `"scalars"` entry by entry,
            `"columns"` for one sample, `"rows"` for a batch, `"samples"` as a sum over samples
            with an index. Left out, as the profile's text does, or as the loss is. Names in
            `wrt` are those of that form.
        profile: Whose letters, marks and signs are printed: a name of `sg.PROFILES`, or an
            `sg.Profile`.
        example: Values of all inputs by name, with at most 8 rows and columns: every line is
            printed once more with the numbers put in, and what comes out.
        structured: As in `gradient`.
        check: As in `gradient`.

    Returns:
        A `Derivation` with `.latex()`, `.markdown()` and `.save("x.tex")` or `("x.md")`.

    Raises:
        OptionError: An unknown name, detail, notation or profile; an example with an input
            missing.
        DataError: An example that is too large to be printed, or not finite.
        ShapeError, UnsupportedError: As `gradient` does.

    >>> import sympy as sp
    >>> w, x, y = sp.symbols("w x y", real=True)
    >>> print(derive((w * x - y) ** 2, w).latex(document=False, detail="result"))
    \begin{aligned}
    L &= (w x - y)^{2} \\
    \frac{\partial L}{\partial w} &= 2 (w x - y) x
    \end{aligned}
    """
    check_detail(detail)
    chosen = profile_of(profile)
    formula, form = _in_notation(loss, notation, chosen)
    found = gradient(formula, wrt, structured=structured, check=check)
    derivation: Derivation = found.derivation
    if chosen.layout == "numerator":
        derivation = numerator(derivation)
    reduce = formula.forms.reduce if form == "samples" else ""
    graph = replace(derivation.result, profile=replace(chosen, notation=form))
    given = None if example is None else _checked_example(graph, example)
    return replace(derivation, detail=detail, result=graph, reduce=reduce, example=given)


def _checked_example(graph: Graph, example: Any) -> dict[str, Any]:
    from symgrad import examples

    return examples.checked(graph, example)


def _in_notation(loss: Any, notation: str | None, profile: Profile) -> tuple[Any, str]:
    """Return a loss in the notation that is asked for, and that notation.

    Raises:
        OptionError: An unknown notation, or the loss has no other form.
        UnsupportedError: It is no sum or mean over samples.
    """
    if notation is not None and notation not in NOTATIONS:
        raise unknown("notation", notation, NOTATIONS)
    form = notation or profile.notation
    known = loss.forms if isinstance(loss, Formula) else None
    if known is None:
        if notation is not None:
            raise OptionError(
                f"notation={notation!r} is for losses of networks, such as sg.mse(net); this one "
                "is written in one way only"
            )
        return loss, ""
    if form == "samples" and known.reduce not in ("mean", "sum"):
        if notation is None:
            return known.make("columns"), "columns"
        raise UnsupportedError(
            "this loss is no sum or mean over samples; write it with notation='columns' or 'rows'"
        )
    return (known.make(form), form) if form else (loss, "")
