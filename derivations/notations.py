"""The same two networks as ten texts write them: one page for each text, and one beside another."""

from _page import Page

import symgrad as sg
from symgrad.formats import proof
from symgrad.formats.printer import Printer
from symgrad.formats.style import style_of


def losses():
    """The 3-2-2 net of the article, and a net of other sizes with another activation."""
    layers = [sg.Dense(2, activation="sigmoid", bias=False) for _ in range(2)]
    other = [sg.Dense(4, activation="tanh"), sg.Dense(3, activation="tanh")]
    return {
        "3-2-2": sg.sse(sg.Network(3, layers)),
        "2-4-3": sg.mse(sg.Network(2, other)),
    }


def formulas():
    """What the tests compare with the oracle: by name an expression and its variables."""
    return {name: (loss, list(loss.parameters)) for name, loss in losses().items()}


def derivations(profile):
    """Both networks as one text writes them."""
    return {name: sg.derive(loss, profile=profile) for name, loss in losses().items()}


TITLES = {
    "3-2-2": "Three inputs, two layers of two sigmoids, no biases; the sum of squares",
    "2-4-3": "Two inputs, layers of four and of three units, tanh; the mean of squares",
}
#: What the table puts side by side: names of definitions, of which every form has one.
COLUMNS = {
    "forward": ("Z2", "z2", "z2_1"),
    "backward": ("delta1", "delta1_1"),
    "gradient": ("dW1", "dw1_1_1"),
}


def line(derived, names):
    """The printed line of a definition, from its name to its last form."""
    printer, style = Printer(derived.result), style_of(derived.result)
    (symbol,) = (s for s in derived.result.symbols if s in names)
    name = style.formula(printer.name(derived.result.symbols[symbol]))
    for equation in proof.printed(derived):
        left = equation.left.split(" = ")[0]
        if left == name:
            return f"${left} = {equation.right[-1].split(' = ')[-1]}$"
    raise LookupError(name)


def side_by_side(page):
    """One row for every text: a pre-activation, its adjoint, a gradient."""
    rows = []
    for name in sg.PROFILES:
        derived = derivations(name)["3-2-2"]
        lines = [line(derived, names) for names in COLUMNS.values()]
        rows.append((f"[{name}](notations_{name}.md)", *lines))
    page.table(["text", *COLUMNS], rows)


def write(folder):
    """Write a page for every profile, and the one that compares them."""
    page = Page("notations", "One network in the notation of ten texts")
    page.text(
        "A network of three inputs, two hidden units and two outputs, all sigmoids, without "
        "biases, with the sum of squares as its loss: one line of every pass, as each text would "
        "write it. "
        "The pages behind the names have the whole derivation, of this and of a second network. "
        '`sg.derive(loss, profile="nielsen")` writes yours so.'
    )
    written = []
    for name, profile in sg.PROFILES.items():
        own = Page(f"notations_{name}", f"Networks in the notation of `{name}`")
        own.text(profile.text)
        for net, derived in derivations(name).items():
            own.derivation(derived, TITLES[net], net.replace("-", "_"))
        written += own.write(folder)
    side_by_side(page)
    return [*page.write(folder), *written]
