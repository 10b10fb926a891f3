"""Sums over samples: from the loss and the gradients of one sample to those of all."""

from __future__ import annotations

from dataclasses import replace

from symgrad.derivation import Derivation
from symgrad.formats.blocks import Block, Equation
from symgrad.formats.printer import Printer
from symgrad.shapes import name_of


def total_printer(derived: Derivation) -> Printer:
    """Return a printer to which the goal is the loss of all samples."""
    made = derived.result
    printer = Printer(made)
    if derived.reduce:
        alone = replace(made, profile=replace(printer.profile, notation=""))
        printer.names = {**printer.names, name_of(derived.goal): Printer(alone).name(derived.goal)}
    return printer


def summed(derived: Derivation, text: str) -> str:
    """Print the sum, or the mean, of a term over all samples."""
    profile = Printer(derived.result).profile
    limits = rf"\sum_{{{profile.index}=1}}^{{{profile.count}}}"
    limits = limits if profile.counted else rf"\sum_{{{profile.index}}}"
    mean = rf"\frac{{1}}{{{profile.count}}} " if derived.reduce == "mean" else ""
    term = rf"\left({text}\right)" if _is_sum(text) else text
    return f"{mean}{limits} {term}"


def _is_sum(text: str) -> bool:
    """Tell whether a sign of a sum stands outside of brackets."""
    depth = 0
    for place, character in enumerate(text):
        depth += (character in "{([") - (character in "})]")
        if not depth and (text.startswith((" + ", " - "), place) or text.startswith("-")):
            return True
    return False


def all_samples(derived: Derivation) -> list[Block]:
    """Return what holds of all samples, where a derivation is that of one of them."""
    if not derived.reduce:
        return []
    one, all_of_them = Printer(derived.result), total_printer(derived)
    goal = name_of(derived.goal)
    lines = [Equation(all_of_them.name(derived.goal), (summed(derived, one.name(derived.goal)),))]
    for adjoint in derived.adjoints:
        if adjoint.variable in derived.wrt:
            variable = name_of(adjoint.variable)
            single = one.derivative(goal, variable)
            value = one._print(adjoint.value)
            right = [summed(derived, single), summed(derived, value)]
            left = all_of_them.derivative(goal, variable)
            lines.append(Equation(left, tuple(dict.fromkeys(right))))
    profile = one.profile
    which = f"of the ${profile.count}$ samples"
    if profile.counted:
        which = f"of the samples ${profile.index} = 1, \\dots, {profile.count}$"
    word = "mean" if derived.reduce == "mean" else "sum"
    total = all_of_them.name(derived.goal)
    text = (
        f"The total loss ${total}$ is the {word} of the losses ${one.name(derived.goal)}$ {which}; "
        f"its gradient is the {word} of their gradients:"
    )
    return [
        Block("heading", "All samples"),
        Block("text", text),
        Block("result", equations=tuple(lines)),
    ]
