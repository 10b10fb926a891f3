r"""Definitions and derivations as equations: what every format prints.

An `Equation` is a left-hand side and the right-hand sides that follow from one
another. A document is a list of blocks: headings, sentences and groups of
equations. LaTeX and Markdown differ only in how they wrap the blocks.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from typing import Any

import sympy as sp

from symgrad import functions, graph, trees
from symgrad.algebra import add
from symgrad.derivation import Adjoint, Contribution, Derivation, check_detail
from symgrad.formats.blocks import Block, Equation, label_of
from symgrad.formats.example import worked
from symgrad.formats.full import rules, steps
from symgrad.formats.lengths import joined, visible
from symgrad.formats.names import argument_letter
from symgrad.formats.notation import network_words, notation
from symgrad.formats.printer import Printer
from symgrad.formats.samples import all_samples, total_printer
from symgrad.formats.style import style_of
from symgrad.graph import SYMMETRIC, Graph
from symgrad.matrices import Elementwise
from symgrad.shapes import name_of
from symgrad.staging import in_full

#: Made-up names are written out where the line stays below this many characters.
LINE = 120
#: Functions that are printed as what they stand for: their derivatives have no name.
UNNAMED = ("log1pexp", "log_cosh", "log_sigmoid")
#: More gradients are not listed once more.
MOST_RESULTS = 12
#: Above this many nodes an expression is not tried written out.
SMALL = 120


def printers(made: Graph) -> tuple[Printer, list[Any]]:
    """Return a printer of a graph, and the definitions that it does not write out."""
    written = _written_out(made)
    shown = [(s, e) for s, e in made.definitions if s not in written]
    return Printer(made, written), shown


def _written_out(made: Graph) -> dict[Any, Any]:
    """Choose the made-up names that are written out: all, or those that are used once."""
    written = {s: e for s, e in made.definitions if name_of(s) in made.introduced}
    written.update(_value_used_again(made))
    if not written:
        return {}
    nodes: dict[Any, int] = {}
    for symbol, expression in made.definitions:
        nodes[symbol], _ = graph._measure(expression, nodes, dict.fromkeys(nodes, 0))
    printer = Printer(made, written)
    shown = [(s, e) for s, e in made.definitions if name_of(s) not in made.introduced]
    short = all(nodes[s] <= SMALL and len(printer._print(e)) <= LINE for s, e in shown)
    return written if short else _used_once(made)


def _used_once(made: Graph) -> dict[Any, Any]:
    """Find the made-up names that one definition uses, once, where its line stays short."""
    uses = Counter(
        child
        for _, expression in made.definitions
        for node in trees.postorder(expression)
        for child in {*trees.children(node), *([node] if node == expression else [])}
    )
    written: dict[Any, Any] = {}
    # A derivative by a name, which is defined, needs that name.
    needed = {made.label(symbol).of for symbol, _ in made.definitions}
    for symbol, expression in made.definitions:
        if name_of(symbol) in needed:
            continue
        if name_of(symbol) in made.introduced and uses[symbol] == 1 and is_short(expression):
            written[symbol] = expression
    return written


def is_short(expression: Any) -> bool:
    """Tell whether an expression may stand inside of another line."""
    return trees.size(expression) <= SMALL // 4


def _value_used_again(made: Graph) -> dict[Any, Any]:
    """Find an unnamed loss whose value its own gradient uses, as exp' = exp does."""
    goals = {label.over for label in made.labels.values() if label.role == "gradient"}
    return {
        s: e
        for s, e in made.definitions
        if name_of(s) in goals
        and made.label(s).role != "loss"
        and any(s in trees.symbols(other) for _, other in made.definitions)
    }


def definitions(
    made: Graph, *, write_out: bool = True, like: Printer | None = None
) -> list[Equation]:
    """Return one equation for every definition that is not written out.

    >>> from symgrad.formula import Formula
    >>> x, y = sp.symbols("x y", real=True)
    >>> definitions(Formula.of((x - y) ** 2).graph)
    [Equation(left='L', right=('(x - y)^{2}',), label='eq:L')]
    """
    printer, shown = printers(made) if write_out else (Printer(made), list(made))
    if like is not None:  # the forward pass alone may use fewer signs, and name otherwise
        printer = Printer(made, printer.written, like)
    return [
        Equation(printer.name(s), (printer._print(e),), label_of("eq", name_of(s)))
        for s, e in shown
    ]


def kinks(made: Graph) -> list[str]:
    r"""Return the conventions that hold at the kinks of the functions in a graph.

    >>> from symgrad.formula import Formula
    >>> kinks(Formula.of(functions.relu(sp.Symbol("x", real=True))).graph)
    ["\\operatorname{relu}'(0) = 0"]
    """
    printer = Printer(made)
    found: dict[str, None] = {}
    for _, expression in made.definitions:
        for node in trees.postorder(expression):
            entry = functions.entry_of(getattr(node, "func", None))
            if entry is not None and entry.name != "step":
                for point in entry.kinks:
                    value = printer._print(entry.derivative(point))
                    found[f"{entry.latex}'({printer._print(point)}) = {value}"] = None
            elif isinstance(node, (sp.Abs, sp.sign)):
                found[r"\operatorname{sign}(0) = 0"] = None
            elif isinstance(node, (sp.Max, sp.Min)):
                name = r"\max" if isinstance(node, sp.Max) else r"\min"
                slope = rf"\frac{{\partial}}{{\partial a}} {name}(a, b)"
                found[rf"{slope} = 1 \text{{ where }} a = b"] = None
            elif isinstance(node, (sp.floor, sp.ceiling)):
                left, right = (r"\lfloor", r"\rfloor")
                if isinstance(node, sp.ceiling):
                    left, right = (r"\lceil", r"\rceil")
                found[rf"\frac{{\partial}}{{\partial a}} {left} a {right} = 0"] = None
    return list(found)


# ------------------------------------------------------------------ derivations


def document(derived: Derivation, detail: str) -> list[Block]:
    """Return the blocks of a derivation's document.

    Args:
        derived: The derivation.
        detail: `"result"`: definitions and gradients; `"chain"`: every adjoint with the
            factors of the chain rule that lead to it; `"full"`: every operation named, every
            rule, every simplification.

    Raises:
        OptionError: The detail is unknown.
    """
    check_detail(detail)
    shorter = {adjoint.variable: adjoint for adjoint in derived.adjoints}
    derived = in_full(derived) if detail == "full" else derived
    made = derived.result
    forward = _forward(derived)
    blocks: list[Block] = []
    names = {symbol for symbol, _ in forward.definitions}
    # One choice of what is written out for both passes: a name of one stands in the other.
    printer, shown_definitions = printers(made)
    passes: tuple[list[Equation], list[Equation]] = [], []
    for symbol, expression in shown_definitions:
        label = label_of("eq", name_of(symbol))
        line = Equation(printer.name(symbol), (printer._print(expression),), label)
        passes[symbol not in names].append(line)
    if detail != "result":
        lines = tuple(definitions(forward, write_out=False, like=Printer(made)))
    else:
        lines = tuple(passes[0])
    blocks += [Block("heading", "Forward pass"), Block("equations", equations=lines)]
    lemmas = _lemmas(derived)
    if detail != "result" and lemmas:
        blocks += [Block("heading", "The functions")]
        blocks += [Block("equations", equations=tuple(lemmas))]
    if kinks(made):
        shown = ", ".join(f"${kink}$" for kink in kinks(made))
        blocks.append(Block("text", f"Convention at the kinks: {shown}."))
    blocks.append(Block("heading", "Backward pass"))
    lines = tuple(chain(derived)) if detail != "result" else ()
    referred = _referred(lemmas, " ".join(part for line in lines for part in line.right))
    blocks += [Block("text", referred)] if referred else []
    if detail == "chain":
        blocks.append(Block("equations", equations=lines))
    elif detail == "full":
        blocks += steps(derived, list(lines), shorter)
    else:
        blocks.append(Block("equations", equations=tuple(passes[1])))
    blocks += _result(derived, detail)
    printed = " ".join(right for b in blocks for e in b.equations for right in e.right)
    opening = [Block("text", _opening(derived)), *notation(derived, printed)]
    ending = [*all_samples(derived), *worked(derived), *_update(derived)]
    ending += rules(derived) if detail == "full" else []
    return list(map(style_of(made).block, [*opening, *blocks, *ending]))


def _result(derived: Derivation, detail: str) -> list[Block]:
    """Return the gradients once more, in terms of the inputs where that is short enough."""
    lines = written_out(derived) if detail != "result" else []
    if not lines:
        printer, _ = printers(derived.result)
        ends = [a for a in derived.adjoints if a.symbol in derived.result.outputs]
        lines = [Equation(printer.name(a.symbol), (printer._print(a.value),)) for a in ends]
    if detail == "result" or derived.reduce or len(lines) > MOST_RESULTS:
        return []
    return [Block("heading", "Result"), Block("result", equations=tuple(lines))]


def title(derived: Derivation) -> str:
    """Return the title of a derivation's document, with its formula between dollars."""
    made = derived.result
    return style_of(made).sentence(f"The gradient of ${total_printer(derived).name(derived.goal)}$")


def _forward(derived: Derivation) -> Graph:
    """Return what was defined before the sweep, also what only the gradients use."""
    return replace(derived.result, definitions=derived.forward, outputs=(derived.goal,))


def _opening(derived: Derivation) -> str:
    made, printer = derived.result, Printer(derived.result)
    goal = printer.name(derived.goal)
    names = ", ".join(f"${printer.name(symbol)}$" for symbol in derived.wrt[:12])
    more = f" and {len(derived.wrt) - 12} more" if len(derived.wrt) > 12 else ""
    network = network_words(made)
    if network:
        loss = f"Its loss ${goal}$"
        loss += f" for one sample, number ${printer.profile.index}$," if derived.reduce else ""
        return f"{network} {loss} is differentiated with respect to {names}{more}."
    return f"We differentiate the scalar ${goal}$ with respect to {names}{more}."


def _lemmas(derived: Derivation) -> list[Equation]:
    """Return the functions that were differentiated, and their derivatives, in forward order."""
    found: dict[str, list[Equation]] = {}
    printer = Printer(derived.result)
    letter = argument_letter(printer.names.values())
    z = sp.Symbol(letter, real=True)
    printer.names = {**printer.names, letter: letter}
    used = {entry for step in derived.steps for entry in _entries(step.node)}
    for _, expression in derived.forward:
        for name, entry in _entries(expression).items():
            if name in used and name not in ("identity", "step", *UNNAMED):
                shown, plain = f"{entry.latex}({letter})", _as_fraction(printer, entry, z)
                value = printer._print(entry.derivative(z))
                lines = [Equation(shown, (plain,))] if plain != shown else []
                slope = Equation(f"{entry.latex}'({letter})", (value,), label_of("lemma", name))
                found[name] = [*lines, slope]
                for other, inner in _entries(entry.derivative(z)).items():
                    plain = _as_fraction(printer, inner, z)
                    if other not in (*found, *used, "step") and plain != f"{inner.latex}({letter})":
                        found[other] = [Equation(f"{inner.latex}({letter})", (plain,))]
    return [line for lines in found.values() for line in lines]


def _as_fraction(printer: Printer, entry: Any, z: Any) -> str:
    """Print a definition; a sum over a sum as one fraction, as tables of functions do."""
    definition = entry.definition(z)
    over, under = sp.fraction(definition)
    if isinstance(over, sp.Add) and isinstance(under, sp.Add):
        return rf"\frac{{{printer._print(over)}}}{{{printer._print(under)}}}"
    return str(printer._print(definition))


def _referred(lemmas: list[Equation], printed: str) -> str:
    """Say which of the derivatives of functions are used, each with its place."""
    slopes = [(lemma.left.partition("(")[0], lemma.label) for lemma in lemmas if lemma.label]
    links = [f"[${name}$](#{label})" for name, label in slopes if name in printed]
    if not links:
        return ""
    said = " and ".join(filter(None, [", ".join(links[:-1]), links[-1]]))
    verb = "is" if len(links) == 1 else "are"
    return f"Here {said} {verb} used, with the values that the forward pass has."


def _entries(expression: Any) -> dict[str, Any]:
    heads = (getattr(node, "func", None) for node in trees.postorder(expression))
    entries = (functions.entry_of(head) for head in heads)
    return {entry.name: entry for entry in entries if entry is not None}


def chain(derived: Derivation) -> list[Equation]:
    """Return one equation for every adjoint: the factors of the chain rule, then the value."""
    printer = Printer(derived.result)
    return [_adjoint_equation(printer, derived, adjoint) for adjoint in derived.adjoints]


def _adjoint_equation(printer: Printer, derived: Derivation, adjoint: Adjoint) -> Equation:
    name = printer.name(adjoint.symbol)
    label = label_of("eq", name_of(adjoint.symbol))
    derivative = printer.derivative(name_of(derived.goal), name_of(adjoint.variable))
    if derived.result.label(adjoint.symbol).letter == SYMMETRIC:
        part = rf"\tfrac{{1}}{{2}} \left({derivative} + \left({derivative}\right)^{{\top}}\right)"
        room = 60 - visible(name)
        return Equation(name, joined([part, printer._print(adjoint.value)], room), label)
    left = name if name == derivative else f"{name} = {derivative}"
    right = []
    factors = [_chain_factors(printer, derived, adjoint, c) for c in adjoint.contributions]
    if factors and all(factors):
        right.append(" + ".join(f for f in factors if f))
        right += _by_lemma(printer, derived, adjoint)
    right.append(_summed(printer, adjoint))
    if adjoint.kept:
        right.append(printer._print(adjoint.value))
    return Equation(left, joined(dict.fromkeys(right), 60 - visible(left)), label)


def _summed(printer: Printer, adjoint: Adjoint) -> str:
    values = [c.value for c in adjoint.contributions]
    if not values:
        return "0"
    if adjoint.variable.is_Matrix:
        return str(printer._print(values[0] if len(values) == 1 else add(*values)))
    return str(printer._print(sp.Add(*values)))


def _chain_factors(
    printer: Printer, derived: Derivation, adjoint: Adjoint, contribution: Contribution
) -> str:
    """Print one term of the chain rule: adjoint of the source times the local derivative."""
    source, variable = contribution.source, adjoint.variable
    if source == derived.goal or not contribution.steps:
        return ""
    if not source.is_Matrix and not variable.is_Matrix:
        up = printer.derivative(name_of(derived.goal), name_of(source))
        return f"{up} {printer.derivative(name_of(source), name_of(variable))}"
    step = contribution.steps[0]
    if printer.profile.layout == "numerator":
        return ""  # the factors of a step are those of the other layout
    if isinstance(step.node, Elementwise) and len(contribution.steps) == 1:
        return _entrywise_factor(printer, step)
    return ""


def _by_lemma(printer: Printer, derived: Derivation, adjoint: Adjoint) -> list[str]:
    """Print the derivative of a named function of one scalar: the adjoint times f'(z)."""
    if adjoint.variable.is_Matrix or len(adjoint.contributions) != 1:
        return []
    source = adjoint.contributions[0].source
    expression = dict(derived.result.definitions).get(source)
    entry = functions.entry_of(getattr(expression, "func", None))
    if entry is None or entry.name in ("identity", "step", *UNNAMED):
        return []
    if expression is None or expression.args != (adjoint.variable,):
        return []
    up = printer.derivative(name_of(derived.goal), name_of(source))
    return [f"{up} {entry.latex}'({printer.name(adjoint.variable)})"]


def _entrywise_factor(printer: Printer, step: Any) -> str:
    body = step.node.function.expr
    entry = functions.entry_of(body.func) if isinstance(body, sp.Function) else None
    if entry is None or len(step.node.matrices) != 1 or entry.name in UNNAMED:
        return ""
    incoming = printer._entrywise_factor(step.incoming)
    return rf"{incoming} \odot {entry.latex}'({printer._print(step.child)})"


def written_out(derived: Derivation) -> list[Equation]:
    """Return the gradients in terms of the inputs alone, where they are short enough to read."""
    made = derived.result
    if any(a.variable.is_Matrix for a in derived.adjoints):
        return []
    written = dict(made.definitions)
    nodes: dict[Any, int] = {}
    for symbol, expression in made.definitions:
        nodes[symbol], _ = graph._measure(expression, nodes, dict.fromkeys(nodes, 0))
    printer = Printer(made, written)
    found = []
    for adjoint in derived.adjoints:
        if adjoint.variable in derived.wrt:
            if nodes[adjoint.symbol] > SMALL:
                return []
            found.append(Equation(printer.name(adjoint.symbol), (printer._print(adjoint.symbol),)))
    return found if all(len(e.right[0]) <= 2 * LINE for e in found) else []


def _update(derived: Derivation) -> list[Block]:
    outputs, parameters = derived.result.outputs, derived.result.parameters
    trained = [
        a for a in derived.adjoints if name_of(a.variable) in parameters and a.symbol in outputs
    ]
    if not trained:
        return []
    printer = total_printer(derived)
    lines = [_moved(printer, derived, adjoint) for adjoint in trained[:12]]
    text = (
        f"Gradient descent with the learning rate ${printer.profile.rate} > 0$ moves every "
        "parameter against its gradient, all of them at once, from the old values"
    )
    more = ", for example" if len(trained) > len(lines) else ""
    relation = {"arrow": r"\leftarrow", "prime": r"\rightarrow", "to": r"\rightarrow"}.get(
        printer.profile.update, "="
    )
    block = Block("assignments", equations=tuple(lines), relation=relation)
    return [Block("heading", "Update"), Block("text", f"{text}{more}:"), block]


def _moved(printer: Printer, derived: Derivation, adjoint: Adjoint) -> Equation:
    """Print how gradient descent changes one parameter."""
    profile, name = printer.profile, printer.name(adjoint.variable)
    gradient = printer.derivative(name_of(derived.goal), name_of(adjoint.variable))
    if derived.result.label(adjoint.symbol).letter == SYMMETRIC:
        gradient = printer.name(adjoint.symbol)
    if profile.layout == "numerator" and adjoint.symbol.is_Matrix:
        gradient = rf"\left({gradient}\right)^{{\top}}"
    marks = {"new": (r"\mathrm{old}", r"\mathrm{new}"), "time": ("t", "t+1")}
    old, new = (_dated(name, mark) for mark in marks.get(profile.update, ("", "")))
    moved = f"{old} - {profile.rate} {gradient}"
    if profile.update == "prime":
        return Equation(name, (f"{{{name}}}' = {moved}",))
    return Equation(new, (moved,))


def _dated(name: str, mark: str) -> str:
    """Put a mark of time to a name, which may have a subscript already."""
    if not mark:
        return name
    if name.endswith("}") and "_{" in name:
        return f"{name[:-1]},{mark}}}"
    return f"{name}_{{{mark}}}"
