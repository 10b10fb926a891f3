"""What is printed of several samples at once, written out in scalars."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import replace
from typing import Any

import numpy as np
import sympy as sp

from symgrad import trees
from symgrad.derivation import Adjoint, Derivation
from symgrad.errors import ParseError
from symgrad.formats.printer import Printer
from symgrad.formats.samples import total_printer
from symgrad.formats.world import World, derivatives_of
from symgrad.graph import Graph
from symgrad.reading.printed import read
from symgrad.shapes import Variable, name_of

#: How many samples a proof takes.
COUNT = 3


class Samples(World):
    """The values of what is printed of several samples at once."""

    def __init__(self, derived: Derivation, stopped: Any) -> None:
        self.one = derived
        self.copies = [_copied(derived, number) for number in range(COUNT)]
        total = _total(derived, self.copies)
        super().__init__(total, stopped)
        for copy, _ in self.copies:
            self.writer.values.update(derivatives_of(copy, copy.forward, self.setting))
        printer, whole = Printer(derived.result), total_printer(derived)
        goal = name_of(derived.goal)
        self.names = World(derived, stopped).names  # those of one sample
        self.totals = {whole.name(derived.goal): total.goal}
        for adjoint, own in zip(total.adjoints, _of_inputs(derived), strict=True):
            self.totals[whole.derivative(goal, name_of(own.variable))] = adjoint.symbol
        profile = printer.profile
        below = f"{profile.index}=1" if profile.counted else profile.index
        above = rf"\^\{{{re.escape(profile.count)}\}}" if profile.counted else ""
        share = rf"\\frac\{{1\}}\{{{re.escape(profile.count)}\}} "
        mean = share if derived.reduce == "mean" else ""
        self.pattern = re.compile(rf"{mean}\\sum_\{{{re.escape(below)}\}}{above} (.*)", re.DOTALL)

    def _side(self, text: str, other: str, shape: Any) -> Any:
        if text in self.totals:
            return np.asarray(self.writer.values[self.totals[text]], dtype=object)
        match = self.pattern.fullmatch(text)
        if match is None:
            raise ParseError(f"this is no sum over samples: {text}")
        value = read(match.group(1), self.names, shape, self.origins)
        circuit = self.setting.circuit
        parts = [self.writer(trees.replace(value, symbols)) for _, symbols in self.copies]
        factor = circuit.number(sp.Rational(1, COUNT) if self.one.reduce == "mean" else 1)
        tables = [np.asarray(part, dtype=object) for part in parts]
        found = np.empty(tables[0].shape, dtype=object)
        for place in np.ndindex(*found.shape):
            found[place] = circuit.multiply(factor, circuit.add(*(int(t[place]) for t in tables)))
        return found

    def _holds_locally(self, *_: Any) -> bool:
        return False

    def has_total(self, parts: Iterable[str]) -> bool:
        """Tell whether the total of all samples, or a derivative of it, is among these parts."""
        return any(part in self.totals for part in map(self.style.read, parts))

    def shape_of(self, parts: Any) -> Any:
        """Tell the shape of what is equal, from a total among it."""
        for part in map(self.style.read, parts):
            if part in self.totals:
                symbol = self.totals[part]
                return tuple(symbol.shape) if symbol.is_Matrix else ()
        return ()


def _of_inputs(derived: Derivation) -> list[Adjoint]:
    return [adjoint for adjoint in derived.adjoints if adjoint.variable in derived.wrt]


def _copied(derived: Derivation, number: int) -> tuple[Derivation, dict[Any, Any]]:
    """Return a derivation for one more sample, and what its symbols are called there."""
    made = derived.result
    shared = set(made.parameters) | {v.name for v in made.inputs if made.label(v.symbol).role == ""}
    symbols: dict[Any, Any] = {}
    owned = [v.symbol for v in made.inputs if v.name not in shared and _is_of_sample(made, v)]
    owned += [symbol for symbol, _ in made.definitions]
    owned += [adjoint.symbol for adjoint in derived.adjoints]
    for symbol in owned:
        symbols[symbol] = _renamed(symbol, f"{name_of(symbol)} of {number}")
    labels = {name_of(symbols.get(s, s)): made.label(s) for s in made.symbols.values()}
    graph = replace(
        made,
        inputs=tuple(replace(v, symbol=symbols.get(v.symbol, v.symbol)) for v in made.inputs),
        definitions=tuple((symbols[s], trees.replace(e, symbols)) for s, e in made),
        outputs=(),
        labels=labels,
        introduced=frozenset(),
    )
    adjoints = tuple(
        Adjoint(
            symbols.get(a.variable, a.variable),
            symbols[a.symbol],
            (),
            trees.replace(a.value, symbols),
            a.kept,
        )
        for a in derived.adjoints
    )
    copy = replace(derived, goal=symbols[derived.goal], adjoints=adjoints, result=graph)
    return copy, symbols


def _is_of_sample(made: Graph, variable: Variable) -> bool:
    return made.label(variable.symbol).role in ("input", "target")


def _renamed(symbol: Any, name: str) -> Any:
    if isinstance(symbol, sp.MatrixSymbol):
        return sp.MatrixSymbol(name, *symbol.shape)
    return sp.Symbol(name, **symbol.assumptions0)


def _total(derived: Derivation, copies: list[tuple[Derivation, Any]]) -> Derivation:
    """Return the loss of all copies, with adjoints of what all of them share."""
    goal = sp.Symbol("the loss of all", real=True)
    losses = [copy.goal for copy, _ in copies]
    share = sp.Rational(1, COUNT) if derived.reduce == "mean" else sp.S.One
    inputs = {v.name: v for copy, _ in copies for v in copy.result.inputs}
    definitions = [definition for copy, _ in copies for definition in copy.forward]
    adjoints = tuple(
        replace(a, symbol=_renamed(a.symbol, f"{name_of(a.symbol)} of all"), contributions=())
        for a in _of_inputs(derived)
    )
    graph = replace(
        derived.result,
        inputs=tuple(inputs.values()),
        definitions=(*definitions, (goal, share * sp.Add(*losses))),
        outputs=(goal,),
        labels={},
        introduced=frozenset(),
    )
    return replace(derived, goal=goal, adjoints=adjoints, result=graph)
