"""Gradients that are compared with an oracle before they are returned.

The oracle writes the loss out in scalars, at small concrete sizes, and differentiates these one by
one: none of the rules of matrices takes part in it.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import Any

import mpmath
import numpy as np
import sympy as sp

from symgrad import gradient as engine
from symgrad.circuit import Circuit
from symgrad.derivation import Derivation, check_detail
from symgrad.errors import SymgradError, UnsupportedError, checks_options
from symgrad.formula import Formula
from symgrad.gradient import Gradient
from symgrad.graph import SYMMETRIC
from symgrad.lowering.calculus import gradient as slopes_of
from symgrad.shapes import Variable, name_of
from symgrad.verification.balls import balls
from symgrad.verification.points import drawn
from symgrad.verification.questions import written
from symgrad.verification.settings import Setting

#: Sizes of symbolic axes: different, and none is one.
SIZES = (3, 2, 4, 5)
#: Formulas that have more operations than this, written out at these sizes, are not compared.
MOST_OPERATIONS = 100_000
#: How many points are tried until the loss has a value, and to how many digits.
TRIES, DIGITS = 12, 40
#: Relative differences below this are rounding.
TOLERANCE = mpmath.mpf(10) ** -20
#: Assumptions under which entries do not vary one by one.
STRUCTURE = frozenset(
    {
        "symmetric",
        "positive definite",
        "orthogonal",
        "rows sum to one",
        "entries sum to one",
        "one-hot",
    }
)


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
    found = engine.gradient(formula, wrt, structured=structured)
    if check or (check is None and formula.source):
        _confirm(formula, _names(formula, found, wrt), structured)
    return found


def _names(formula: Formula, found: Any, wrt: Any) -> list[str]:
    """Return the names of the variables, those of the entries of an explicit matrix, too."""
    if not isinstance(found, Formula):
        return list(found)
    given = wrt if isinstance(wrt, sp.MatrixBase) else [wrt]
    return [name for name in map(name_of, given) if name in formula.inputs]


@checks_options
def derive(
    loss: Any,
    wrt: Any = None,
    *,
    detail: str = "chain",
    structured: bool = False,
    check: bool | None = None,
) -> Derivation:
    r"""Derive gradients and return the derivation, which prints and saves itself.

    Args:
        loss: A scalar Formula or bare SymPy.
        wrt: As in `gradient`.
        detail: `"result"` prints definitions and gradients, `"chain"` every factor of
            the chain rule.
        structured: As in `gradient`.
        check: As in `gradient`.

    Returns:
        A `Derivation` with `.latex()`, `.markdown()` and `.save("x.tex")` or `("x.md")`.

    Raises:
        OptionError: An unknown name or detail.
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
    found = gradient(loss, wrt, structured=structured, check=check)
    derivation: Derivation = found.derivation
    return replace(derivation, detail=detail)


def _confirm(formula: Formula, names: list[str], structured: bool) -> None:
    derived: Gradient = engine.gradient(formula, names, structured=structured)
    wrong = difference(derived)
    if wrong is not None:
        raise UnsupportedError(
            f"the gradient by `{wrong}` does not agree with the oracle, and is not returned: this "
            "is a fault of symgrad's; please report the formula"
        )


def difference(derived: Gradient) -> str | None:
    """Return the name of a variable whose gradient differs from the oracle's, or None.

    >>> from symgrad.reading.text import parse
    >>> difference(engine.gradient(parse("sum(tanh(X @ w))", {"X": ("n", 2), "w": 2}), ["w"]))
    """
    graph = derived.graph
    sizes = {name_of(size): SIZES[k % len(SIZES)] + k // 4 for k, size in enumerate(graph.sizes)}
    free = replace(graph, inputs=tuple(map(_unstructured, graph.inputs)))
    try:
        world = written(free, sizes, {})
    except SymgradError:
        return None  # what has no form in scalars has no oracle
    circuit = world.setting.circuit
    if len(circuit) > MOST_OPERATIONS:
        return None
    loss = int(np.ravel(world.named[name_of(derived.loss.output)])[0])
    pairs: dict[str, list[tuple[int, int]]] = {}
    for name, formula in derived.items():
        entries = [int(node) for node in np.ravel(world.named[name])]
        slopes = slopes_of(circuit, loss, entries)
        if graph.label(formula.output).letter == SYMMETRIC:
            slopes = _symmetric_part(circuit, slopes)
        claimed = [int(node) for node in np.ravel(world.named[name_of(formula.output)])]
        pairs[name] = list(zip(slopes, claimed, strict=True))
    nodes = [loss, *(node for found in pairs.values() for pair in found for node in pair)]
    for point in _points(graph.inputs, world.setting, sizes):
        values = balls(circuit, nodes, point, DIGITS)
        if all(mpmath.isfinite(value) for value, _ in values.values()):
            return _differing(pairs, values)
    return None


def _symmetric_part(circuit: Circuit, slopes: list[int]) -> list[int]:
    """Return the mean of a square table of nodes, row by row, and of its transpose."""
    size = math.isqrt(len(slopes))
    whole = np.reshape(slopes, (size, size))
    half = circuit.number(sp.Rational(1, 2))
    pairs = zip(whole.ravel(), whole.T.ravel(), strict=True)
    return [circuit.multiply(half, circuit.add(int(a), int(b))) for a, b in pairs]


def _unstructured(variable: Variable) -> Variable:
    words = tuple(word for word in variable.assumptions if word not in STRUCTURE)
    return replace(variable, assumptions=words)


def _points(inputs: Iterable[Variable], free: Setting, sizes: Any) -> Iterator[dict[str, Any]]:
    """Yield points that keep the assumptions, as values of all entries."""
    setting = Setting(Circuit(), inputs, sizes, {})
    names = setting.circuit.variables(range(len(setting.circuit)))
    points, _ = drawn(names, setting.ranges)
    tables = [(setting.tables[name], free.tables[name]) for name in setting.tables]
    own = [int(node) for table, _ in tables for node in np.ravel(table)]
    other = [free.circuit.nodes[int(node)].value for _, table in tables for node in np.ravel(table)]
    for number in range(TRIES):
        point = {name: float(values[number]) for name, values in points.items()}
        values = balls(setting.circuit, own, point, DIGITS)
        if all(mpmath.isfinite(values[node][0]) for node in own):
            yield {name: values[node][0] for name, node in zip(other, own, strict=True)}


def _differing(pairs: dict[str, list[tuple[int, int]]], values: Any) -> str | None:
    for name, found in pairs.items():
        scale = max((abs(values[slope][0]) for slope, _ in found), default=mpmath.mpf(0))
        for slope, claimed in found:
            (a, first), (b, second) = values[slope], values[claimed]
            if abs(a - b) > first + second + TOLERANCE * scale:
                return name
    return None
