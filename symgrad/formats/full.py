"""Detail `full`: every line with the rules that lead to it, and what simplification changed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import sympy as sp

from symgrad import trees
from symgrad.derivation import Adjoint, Derivation
from symgrad.formats.blocks import Block, Equation
from symgrad.formats.order import paren
from symgrad.formats.printer import Printer
from symgrad.shapes import shape_of

#: What a part that is about to change is put into; the reader takes it as brackets.
MARK = r"\underbrace"


def steps(
    derived: Derivation, equations: list[Equation], shorter: Mapping[Any, Adjoint]
) -> list[Block]:
    """Return the backward pass: every adjoint with its rules, then its simplification.

    Args:
        derived: The derivation with every operation named.
        equations: A line for each of its adjoints.
        shorter: Adjoints of the derivation with the names that it was given, by the variable:
            more can be simplified where less has a name.
    """
    blocks: list[Block] = []
    printer = Printer(derived.result)
    for adjoint, equation in zip(derived.adjoints, equations, strict=True):
        said = _rules_of(adjoint)
        if said:
            blocks.append(Block("text", said))
        by_entry = by_entries(printer, adjoint, equation.left.split(" = ")[-1])
        blocks += [Block("equations", equations=(by_entry,))] if by_entry else []
        blocks.append(Block("equations", equations=(equation,)))
        name, known = equation.left.split(" = ")[0], [adjoint]
        other = shorter.get(adjoint.variable)
        if other is not None and other.rewrites and other.value != adjoint.value:
            known.append(other)
        for each in known:
            changes = _changes(printer, each, name)
            if changes:
                names = ", ".join(dict.fromkeys(rule.name for rule, _, _ in each.rewrites))
                blocks.append(Block("text", f"Simplified by: {names}."))
                blocks.append(Block("equations", equations=tuple(changes)))
        if len(known) > 1 and not changes:
            line = Equation(name, (str(printer._print(known[-1].value)),))
            blocks.append(Block("equations", equations=(line,)))
    return blocks


def by_entries(printer: Printer, adjoint: Adjoint, name: str) -> Equation | None:
    r"""Print a product of two matrices entry by entry, before it is collected.

    >>> from symgrad.gradient import gradient
    >>> W, x = sp.MatrixSymbol("W", 2, 3), sp.MatrixSymbol("x", 3, 1)
    >>> a = sp.MatrixSymbol("a", 2, 1)
    >>> derived = gradient(sp.Trace(a.T * W * x), ["W"]).derivation
    >>> by_entries(Printer(derived.result), derived.adjoints[-1], "G")
    Equation(left='\\left[G\\right]_{ij}', right=('a_{i} x_{j}',), label='')
    """
    value = printer.seen(adjoint.total)
    factors = list(value.args) if isinstance(value, sp.MatMul) else []
    if len(factors) != 2 or not all(_is_plain(factor) for factor in factors):
        return None
    left, right = factors[0], factors[1]
    i, j, k = (sp.Symbol(letter, integer=True) for letter in _letters(printer))
    row = left.shape[0] != 1 and right.shape[1] == 1
    if left.shape[0] == 1:
        return None
    inner = left.shape[1]
    term = left[i - 1, k - 1] * right[k - 1, 0 if row else j - 1]
    # Over an axis of length one there is nothing to be added.
    entry = term.subs(k, 1) if inner == 1 else sp.Sum(term, (k, 1, inner))
    places = f"{i}" if row else f"{i}{j}"
    return Equation(rf"\left[{name}\right]_{{{places}}}", (str(printer._print(entry)),))


def _is_plain(factor: Any) -> bool:
    inner = factor.arg if isinstance(factor, sp.Transpose) else factor
    return isinstance(inner, sp.MatrixSymbol)


def _letters(printer: Printer) -> list[str]:
    """Return three letters for indices that stand for nothing else."""
    taken = {*printer.names.values(), *map(str, printer.graph.sizes)}
    taken |= {printer.profile.index} if printer.profile.notation == "samples" else set()
    return [letter for letter in "ijkpqrs" if letter not in taken][:3]


def _rules_of(adjoint: Adjoint) -> str:
    """Name the rules that lead to an adjoint, in the order in which they are applied."""
    names = [_names(contribution) for contribution in adjoint.contributions]
    found = list(dict.fromkeys(filter(None, names)))
    if not found:
        return ""
    several = len(adjoint.contributions) > 1
    added = " The contributions of all that use it are added up." if several else ""
    return f"By the {'; by the '.join(found)}.{added}"


def _names(contribution: Any) -> str:
    names = dict.fromkeys(step.rule.name for step in contribution.steps)
    return ", then the ".join(f"[{name}](#rules)" for name in names)


def _changes(printer: Printer, adjoint: Adjoint, name: str) -> list[Equation]:
    """Print every rewriting as one equation, with the part that it changes marked."""
    value = adjoint.total
    last = str(printer._print(value))
    lines = []
    for _, before, after in adjoint.rewrites:
        changed = trees.replace(value, {before: after}) if _occurs(before, value) else value
        shown = str(printer._print(changed))
        if shown != last:
            # What stands inside of a function of entries has no letter of its own.
            marked = trees.symbols(before) <= trees.symbols(value)
            right = (_marked(printer, value, before), shown) if marked else (shown,)
            lines.append(Equation(name, right))
        value, last = changed, shown
    shown = str(printer._print(adjoint.value))
    if lines and shown != last:
        lines.append(Equation(name, (shown,)))
    return lines


def _occurs(part: Any, whole: Any) -> bool:
    return any(node == part for node in trees.postorder(whole))


def _marked(printer: Printer, whole: Any, part: Any) -> str:
    """Print an expression with one part of it marked."""
    shape = shape_of(part)
    name = "the part that changes"
    mark = sp.MatrixSymbol(name, *shape) if shape else sp.Symbol(name, real=True)
    shown = str(printer._print(part))
    if isinstance(part, (sp.Add, sp.MatAdd)) and part != whole:
        shown = paren(shown)
    names = printer.names
    printer.names = {**names, name: rf"{MARK}{{{shown}}}"}
    text = str(printer._print(trees.replace(whole, {part: mark})))
    printer.names = names
    return text


def rules(derived: Derivation) -> list[Block]:
    """List the rules that were applied, with what they say and why they hold."""
    rows = {}
    for adjoint in derived.adjoints:
        for contribution in adjoint.contributions:
            for step in contribution.steps:
                rows[step.rule.name] = (step.rule.name, f"`{step.rule.law}`", step.rule.reason)
        for rule, _, _ in adjoint.rewrites:
            rows[rule.name] = (rule.name, f"`{rule.law}`", "")
    if not rows:
        return []
    text = (
        "In these laws A' is the transpose of a matrix, f' the derivative of a function, A o B the "
        "product entry by entry, <A, B> the sum of its entries, d a small change, and the adjoint "
        "of A the derivative of what is differentiated with respect to A."
    )
    table = (("rule", "what it says", "why"), *rows.values())
    return [Block("heading", "Rules"), Block("text", text), Block("table", rows=table)]


def is_marked(text: str) -> bool:
    r"""Tell whether a formula has a marked part.

    >>> is_marked(r"\underbrace{x} + y")
    True
    """
    return MARK in text


def unmarked(text: str) -> str:
    r"""Put brackets in the place of marks.

    >>> unmarked(r"2 \underbrace{x^{2}} y")
    '2 \\left(x^{2}\\right) y'
    """
    while MARK in text:
        start = text.index(MARK)
        inside, depth = start + len(MARK) + 1, 1
        end = inside
        while depth:
            depth += {"{": 1, "}": -1}.get(text[end], 0)
            end += 1
        text = rf"{text[:start]}\left({text[inside : end - 1]}\right){text[end:]}"
    return text
