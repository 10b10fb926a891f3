"""All activations: definitions, derivatives, conventions at the kinks, and pictures."""

import numpy as np
import sympy as sp
from _page import Page
from matplotlib.figure import Figure

import symgrad as sg
from symgrad import functions
from symgrad.formats.printer import Printer

z, a = sp.symbols("z a", real=True)
#: Functions of the registry that nobody uses as an activation.
HELPERS = ("erf", "erfc", "log1pexp")
COLUMNS = 4


def entries():
    """The activations of the registry."""
    return [entry for name, entry in functions.FUNCTIONS.items() if name not in HELPERS]


def formulas():
    """What the tests compare with the oracle: by name an expression and its variables."""
    return {entry.name: (entry.apply(z) * z, ["z"]) for entry in entries()}


def in_latex(expression):
    """A formula in a cell of a table, in which a bar would end the cell."""
    printed = Printer(sg.Formula.of(z * a).graph)._print(sp.sympify(expression))
    return f"${printed}$".replace("|", r"\vert ")


def kinks(entry):
    """The convention at every kink, as formulas."""
    pairs = [(in_latex(kink), in_latex(entry.derivative(kink))) for kink in entry.kinks]
    return ", ".join(f"{slope} at {kink}" for kink, slope in pairs)


def figure():
    """Every activation with its derivative, from -4 to 4."""
    made = entries()
    rows = -(-len(made) // COLUMNS)
    drawn = Figure(figsize=(10, 2.2 * rows))
    points = np.linspace(-4, 4, 401)
    for place, entry in enumerate(made):
        axes = drawn.add_subplot(rows, COLUMNS, place + 1)
        both = sg.compile(entry.apply(z), ["z"])
        pairs = [both(z=float(point)) for point in points]
        value, slope = [pair[0] for pair in pairs], [pair[1]["z"] for pair in pairs]
        axes.plot(points, value, color="#1f4e79")
        axes.plot(points, slope, color="#c55a11", linestyle="--", linewidth=1)
        axes.set_title(entry.name, fontsize=9)
        axes.set_ylim(-1.7, 2.2)
        axes.tick_params(labelsize=7)
        axes.grid(visible=True, linewidth=0.3)
    drawn.subplots_adjust(left=0.05, right=0.98, top=0.95, bottom=0.04, hspace=0.5, wspace=0.25)
    return drawn


def write(folder):
    """Write the table and the picture."""
    page = Page("activations", "Activations")
    page.text(
        "Every activation is one class, known by its name in `sg.Dense(2, activation=...)` and as "
        "a function such as `sg.gelu`. The derivative is a claim that the tests compare with the "
        "definition; where it can be had from the value $a = f(z)$, compiled code uses that form. "
        "Value, first and second derivative are finite at -800 and 800."
    )
    rows = [
        (
            f"`{entry.name}`",
            in_latex(entry.definition(z)),
            in_latex(entry.derivative(z)),
            in_latex(entry.from_value(a)) if entry.from_value else "",
            kinks(entry),
        )
        for entry in entries()
    ]
    head = ["name", "$f(z)$", "$f'(z)$", "by its value", "by convention"]
    page.table(head, rows)
    other = ", ".join(f"`{name}` is `{of}`" for name, of in sorted(functions.ALIASES.items()))
    page.text(f"Other names: {other}. `softmax` is accepted as the activation of a last layer.")
    page.text(
        "Constants: $\\alpha_{\\mathrm{selu}}$ = 1.6732632, $\\lambda_{\\mathrm{selu}}$ = "
        "1.0507010. Saved modules carry their own erf, right to 5 in the 15th digit, because "
        "NumPy has none."
    )
    page.picture("curves", figure(), "Every activation, and dashed its derivative")
    return page.write(folder)
