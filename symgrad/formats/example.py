r"""One worked example: every line with its numbers put in, and what comes out.

Numbers are rounded where they are printed, never in what is computed; negative ones are in
parentheses. So a result follows from the numbers before they were rounded, and stands behind an
`\approx`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from symgrad import trees
from symgrad.backends.numpy import compile as compiled
from symgrad.derivation import Derivation
from symgrad.errors import DataError
from symgrad.formats.blocks import Block, Equation
from symgrad.formats.lengths import joined, visible
from symgrad.formats.printer import Printer
from symgrad.formats.signs import number
from symgrad.formula import Formula
from symgrad.shapes import name_of

#: Significant digits that are printed.
DIGITS = 5
#: The word in the lines of an example.
ABOUT = r"\approx"


def worked(derived: Derivation) -> list[Block]:
    """Return the section with the numbers of a derivation's example, if it has one.

    Raises:
        DataError: A value of a definition is not finite there.
    """
    if derived.example is None:
        return []
    values = _values(derived, derived.example)
    printer = Printer(derived.result)
    inputs = [v.symbol for v in derived.result.inputs if v.name in derived.example]
    given = ", ".join(f"${printer.name(s)} = {_shown(values[s])}$" for s in inputs)
    lines = [_line(printer, s, e, values) for s, e in derived.forward]
    lines += [_line(printer, a.symbol, a.total, values) for a in derived.adjoints]
    text = f"One example, its numbers rounded to {DIGITS} digits where they are printed: {given}."
    return [
        Block("heading", "In numbers"),
        Block("text", text),
        Block("example", equations=tuple(lines)),
    ]


def _values(derived: Derivation, arrays: Mapping[str, Any]) -> dict[Any, Any]:
    """Compute every definition and every adjoint, unrounded; sizes have their values, too."""
    definitions = [*derived.forward, *((a.symbol, a.total) for a in derived.adjoints)]
    graph = replace(derived.result, definitions=tuple(definitions), outputs=())
    found: dict[Any, Any] = {}
    for variable in graph.inputs:
        if variable.name in arrays:
            found[variable.symbol] = array = arrays[variable.name]
            for size, count in zip(variable.sizes, array.shape, strict=False):
                if size.is_Symbol:
                    found[size] = np.asarray(float(count))
    for symbol, _ in definitions:
        formula = Formula(replace(graph, outputs=(symbol,)).needed([symbol]), symbol)
        inside = {name_of(s) for _, e in formula.graph for s in trees.symbols(e)}
        used = {name: arrays[name] for name in arrays if name in inside}
        with np.errstate(all="ignore"):  # what is not finite is an error below
            value = compiled(formula)(used) if used else _constant(formula, found)
        value = np.asarray(value, dtype=float)
        if not np.isfinite(value).all():
            raise DataError(f"the example's `{name_of(symbol)}` is not finite")
        row = value.ndim == 1 and symbol.is_Matrix and symbol.shape[0] == 1
        found[symbol] = value.reshape(1, -1) if row else value
    return found


def _constant(formula: Formula, found: Mapping[Any, Any]) -> Any:
    """Compute what depends on sizes alone."""
    sizes = {s: int(v) for s, v in found.items() if np.size(v) == 1 and s.is_integer}
    value = formula.sympy.subs(sizes)
    return np.array(value.as_explicit().tolist(), dtype=float) if value.is_Matrix else float(value)


def _line(printer: Printer, symbol: Any, expression: Any, values: Mapping[Any, Any]) -> Equation:
    """Print a definition: its formula, the formula with numbers, the result."""
    formula, result = str(printer._print(expression)), f"{ABOUT} {_shown(values[symbol])}"
    parts = [formula]
    if trees.children(expression):
        parts.append(_with_numbers(printer, expression, values))
    name = printer.name(symbol)
    lines = joined([*parts, result], 66 - visible(name))
    lines = tuple(line.replace(f" = {ABOUT}", f" {ABOUT}") for line in lines)
    return Equation(name, lines)


def _with_numbers(printer: Printer, expression: Any, values: Mapping[Any, Any]) -> str:
    tokens = {f"@{k}@": value for k, value in enumerate(values.values())}
    names = printer.names
    printer.names = {**names, **dict(zip(map(name_of, values), tokens, strict=True))}
    text = _multiplied(str(printer._print(expression)), tokens)
    printer.names = names
    for token, value in tokens.items():
        text = text.replace(token, _shown(value, inside=True))
    text = re.sub(r"\((\(-[^()]*\))\)", r"\1", text)
    if "bmatrix" in text:  # brackets as tall as the matrices in them
        text = re.sub(r"(?<!\\left)\(", r"\\left(", text)
        text = re.sub(r"(?<!\\right)\)", r"\\right)", text)
    return text


def _multiplied(text: str, tokens: Mapping[str, Any]) -> str:
    """Put a dot between numbers that are factors: two of them side by side would be one."""
    scalars = "|".join(re.escape(t) for t, value in tokens.items() if np.size(value) == 1)
    if not scalars:
        return text
    factor = r"(?:@|\d|\(|\\left\(|\\frac|\\sigma|\\tanh|\\operatorname|\\exp|\\log|\\mathbf)"
    text = re.sub(rf"({scalars}) +(?={factor})", r"\1 \\cdot ", text)
    return re.sub(rf"(?<=[)\d}}]) +(?={scalars})", r" \\cdot ", text)


def _shown(value: Any, *, inside: bool = False) -> str:
    """Print a number, a column or a matrix; negative numbers in a formula are in parentheses."""
    array = np.asarray(value)
    if array.size == 1:
        text = _rounded(float(array.ravel()[0]))
        return rf"({text})" if inside and (text.startswith("-") or "10^" in text) else text
    rows = array.reshape(-1, 1) if array.ndim == 1 else array
    body = r" \\ ".join(" & ".join(_rounded(float(v)) for v in row) for row in rows)
    return rf"\begin{{bmatrix}} {body} \end{{bmatrix}}"


def _rounded(value: float) -> str:
    return number(float(f"{value:.{DIGITS}g}"))
