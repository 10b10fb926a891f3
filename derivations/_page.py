"""What the scripts of this folder share: formulas with named parts, and pages of Markdown."""

import re
from pathlib import Path

import sympy as sp

import symgrad as sg
from symgrad.formats import pictures

SMALL = 1e-12  # below it, what cancels exactly in theory has left the noise of floats


def named(*definitions):
    """A formula of `(symbol, expression)` pairs; the last is its value."""
    known = {symbol.name for symbol, _ in definitions}
    inputs = {}
    for _, expression in definitions:
        found = sg.Formula.of(expression).inputs
        inputs.update({name: v for name, v in found.items() if name not in known | set(inputs)})
    last = definitions[-1][0]
    return sg.Formula(sg.Graph(tuple(inputs.values()), (), definitions, (last,)), last)


def number(value):
    """At most eight significant digits, which every machine computes alike."""
    if isinstance(value, str):
        return value
    if isinstance(value, (int, sp.Rational)):
        return str(value)
    value = float(value)
    return "0" if abs(value) < SMALL else f"{value:.8g}"


def matrix(values):
    """A table of numbers as a matrix in LaTeX."""
    rows = [" & ".join(map(number, row)) for row in values]
    return "\\begin{bmatrix} " + " \\\\ ".join(rows) + " \\end{bmatrix}"


#: Every derivation of the pages that were written, by the name of its file.
WRITTEN = {}


class Page:
    """A page of Markdown with the files that belong to it, written together.

    Files are named after the page: `line.md` has `line.tex` and `line_surface.svg`.
    """

    def __init__(self, name, title):
        self.name, self.parts, self.files = name, [f"# {title}"], []
        self.derivations = {}

    def text(self, words):
        self.parts.append(words)

    def section(self, title):
        self.parts.append(f"## {title}")

    def formula(self, latex):
        self.parts.append(f"$$\n{latex}\n$$")

    def derivation(self, derivation, title, part=""):
        """Put a derivation on the page, one level deeper, and beside it as LaTeX."""
        heading, *body = derivation.markdown().strip().splitlines()
        assert heading.startswith("# "), "a derivation begins with its heading"
        lines = [f"#{line}" if line.startswith("#") else line for line in body]
        lines = [re.sub(r"\]\(#([a-z-]+)\)", self._place, line) for line in lines]
        self.parts += [f"## {title}", "\n".join(lines).strip()]
        self.files.append((f"{self._called(part)}.tex", derivation.save))
        self.derivations[self._called(part)] = derivation

    def errata(self, section):
        """Say where the errors of an article stand."""
        self.parts.append(
            f"The errors of the article are [listed, each with what shows it](errata.md#{section})."
        )

    def _place(self, match):
        """Point a link to the heading of its own derivation, of several with the same words."""
        words = match.group(1).replace("-", " ")
        before = "\n".join(self.parts).lower().count(f"# {words}\n")
        return f"](#{match.group(1)}{f'-{before}' if before else ''})"

    def table(self, head, rows):
        lines = [head, ["---"] * len(head), *([number(cell) for cell in row] for row in rows)]
        self.parts.append("\n".join(f"| {' | '.join(line)} |" for line in lines))

    def picture(self, part, figure, caption):
        file = f"{self._called(part)}.svg"
        self.parts.append(f"![{caption}]({file})")
        self.files.append((file, lambda path: pictures.save_svg(figure, path)))

    def _called(self, part):
        return f"{self.name}_{part}" if part else self.name

    def write(self, folder):
        """Write the page and its files; returns their paths."""
        page = Path(folder) / f"{self.name}.md"
        page.write_text("\n\n".join(self.parts) + "\n", encoding="utf-8")
        WRITTEN.update(self.derivations)
        return [page, *(write(Path(folder) / file) for file, write in self.files)]
