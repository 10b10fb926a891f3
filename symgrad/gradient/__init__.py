"""Reverse accumulation over named definitions.

The sweep walks the definitions of a graph backwards. Every definition hands
its adjoint to the rules of `symgrad.rules`, which return what it contributes
to the adjoints of the names that it uses; the terms of a name are added up
and named in turn. Nothing is written out, so that the cost is linear in the
number of definitions, and every applied rule is recorded.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from typing import Any

import sympy as sp

from symgrad import graph as graphs
from symgrad.derivation import Adjoint, Derivation
from symgrad.errors import (
    OptionError,
    ShapeError,
    UnsupportedError,
    listed,
    unknown,
)
from symgrad.facts import is_symmetric
from symgrad.formula import Formula
from symgrad.gradient.sweep import differentiate
from symgrad.graph import Graph, Label
from symgrad.shapes import name_of, shape_of, worded


class Gradient(Mapping[str, Formula]):
    """Gradients by the name (or symbol) of the variable, over one shared graph.

    Attributes:
        graph: Forward and backward definitions together.
        derivation: How the gradients came about.
        loss: The formula that was differentiated.
    """

    def __init__(self, loss: Formula, formulas: Mapping[str, Formula], derivation: Any) -> None:
        self._formulas = dict(formulas)
        self.loss = loss
        self.derivation = derivation
        self.graph: Graph = derivation.result

    def __getitem__(self, name: Any) -> Formula:
        """Return the gradient by one variable."""
        key = name if isinstance(name, str) else name_of(name)
        if key not in self._formulas:
            raise unknown("variable", key, self._formulas)
        return self._formulas[key]

    def __contains__(self, name: object) -> bool:
        return (name if isinstance(name, str) else name_of(name)) in self._formulas

    def __iter__(self) -> Iterator[str]:
        return iter(self._formulas)

    def __len__(self) -> int:
        return len(self._formulas)

    def __repr__(self) -> str:
        return f"Gradient of {name_of(self.loss.output)} by {listed(self._formulas)}"

    def latex(self, *, document: bool = False, detail: str = "result") -> str:
        """Print forward and backward definitions as LaTeX; see `Derivation.latex`."""
        return str(self.derivation.latex(document=document, detail=detail))

    def _repr_latex_(self) -> str:
        return f"$$\n{self.latex()}\n$$"


def gradient(loss: Any, wrt: Any = None, *, structured: bool = False) -> Any:
    """Derive the gradient of a scalar, without a comparison; see `symgrad.confirmation.gradient`.

    >>> w, x, y = sp.symbols("w x y", real=True)
    >>> gradient((w * x - y) ** 2, w).sympy
    2*x*(w*x - y)
    """
    formula = Formula.of(loss)
    shape = shape_of(formula.output)
    if shape:
        raise ShapeError(
            f"a gradient is that of a scalar, but `{formula.output}` is {worded(shape)}; "
            "take an entry, f[0, 0], or sg.sum_entries"
        )
    if isinstance(wrt, sp.MatrixBase) and not structured:
        return _by_explicit_matrix(formula, wrt)
    single = isinstance(wrt, (str, sp.Basic))
    variables = _resolve(formula, [wrt] if single else wrt)
    _refuse_used_facts(formula, variables)
    kept = _structured(formula, variables, structured)
    derivation = differentiate(formula.graph, formula.output, variables, kept)
    formulas = {
        name_of(a.variable): _formula(derivation, a) for a in _of_inputs(derivation, variables)
    }
    if single:
        return formulas[name_of(variables[0])]
    return Gradient(formula, formulas, derivation)


def _refuse_used_facts(formula: Formula, variables: Iterable[Any]) -> None:
    """Refuse the derivative of a gradient by what was used as known in it.

    Raises:
        UnsupportedError: What was used of a variable does not hold for all its values.
    """
    made = formula.graph.needed([formula.output])
    tied = {name for symbol, _ in made.definitions for name in made.label(symbol).tied}
    for name in (name_of(variable) for variable in variables):
        if name in tied:
            known = " and ".join(formula.inputs[name].assumptions)
            raise UnsupportedError(
                f"this gradient was simplified with what is known of `{name}`, which is declared "
                f"as {known}; differentiate by `{name}` first and then by the others, or declare "
                f"`{name}` without that"
            )


def _structured(formula: Formula, variables: Iterable[Any], structured: bool) -> list[Any]:
    """Return the variables that are symmetric, if their gradients shall be symmetric.

    Raises:
        OptionError: None is.
    """
    if not structured:
        return []
    symmetric = [v.symbol for v in formula.inputs.values() if is_symmetric(v)]
    found = [variable for variable in variables if variable in symmetric]
    if not found:
        raise OptionError(
            "structured=True gives symmetric gradients by variables that are declared symmetric "
            f"or positive definite, and none of {listed(map(name_of, variables))} is"
        )
    return found


def _formula(derivation: Derivation, adjoint: Adjoint) -> Formula:
    graph = replace(derivation.result, outputs=(adjoint.symbol,))
    return Formula(graph, adjoint.symbol, derivation=derivation)


def _of_inputs(derivation: Derivation, variables: Iterable[Any]) -> list[Adjoint]:
    found = {adjoint.variable: adjoint for adjoint in derivation.adjoints}
    return [found[variable] for variable in variables]


def _resolve(formula: Formula, wrt: Any) -> list[Any]:
    inputs = formula.inputs
    if wrt is None:
        if not formula.parameters:
            raise OptionError(
                f"the formula has no parameters, so wrt is required: one or several of "
                f"{listed(inputs)}"
            )
        wrt = formula.parameters
    if not isinstance(wrt, Iterable):
        raise OptionError(f"wrt is a name, a symbol or a list of them, not {wrt!r}")
    names = [name if isinstance(name, str) else name_of(name) for name in wrt]
    if isinstance(wrt, (set, frozenset)):
        names.sort()  # the order of a set depends on the hash seed
    if not names:
        raise OptionError(f"wrt is empty; name one or several of {listed(inputs)}")
    for name in names:
        if name not in inputs:
            raise unknown("variable", name, inputs)
    return [inputs[name].symbol for name in dict.fromkeys(names)]


def _by_explicit_matrix(formula: Formula, wrt: Any) -> Formula:
    entries = [entry for entry in wrt if entry.is_Symbol]
    if len(entries) != len(wrt) or len(set(entries)) != len(entries):
        raise OptionError("a matrix in wrt has distinct symbols as entries, nothing else")
    known = [entry for entry in entries if name_of(entry) in formula.inputs]
    # What does not occur has the derivative zero; if nothing occurs, the names are wrong.
    parts = gradient(formula, known or entries)
    table = [parts[entry].output if entry in known else sp.S.Zero for entry in entries]
    value = sp.ImmutableMatrix(wrt.rows, wrt.cols, table)
    name = graphs.fresh("G", parts.graph.symbols)
    symbol = sp.MatrixSymbol(name, wrt.rows, wrt.cols)
    graph = replace(
        parts.graph,
        definitions=(*parts.graph.definitions, (symbol, value)),
        outputs=(symbol,),
        labels={**parts.graph.labels, name: Label(letter="G", role="gradient")},
    )
    derivation = replace(parts.derivation, result=graph)
    return Formula(graph, symbol, derivation=derivation)
