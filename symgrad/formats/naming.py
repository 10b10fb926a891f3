r"""Names of a graph: by their labels, and so that no two of them look alike.

`W1` of layer 1 prints as `W^{(1)}`, its gradient as
`\frac{\partial L}{\partial W^{(1)}}`, a gradient of a gradient as
`\frac{\partial^2 L}{\partial x\,\partial w}`.
"""

from __future__ import annotations

from itertools import groupby
from typing import Any

import sympy as sp
from sympy.printing.latex import LatexPrinter

from symgrad import functions, trees
from symgrad.formats.names import distinct, latex_name
from symgrad.graph import SYMMETRIC, Graph, Label
from symgrad.operations.spectral import Eigenvalues, Eigenvectors
from symgrad.profiles import LETTERS, STANDARD, Profile
from symgrad.shapes import name_of


def names_of(graph: Graph) -> dict[str, str]:
    """Print every name of a graph, inputs first: what the engine named gives way to them.

    Derivatives are left out, they print as fractions.
    """
    inputs = [v.name for v in graph.inputs] + [str(size) for size in graph.sizes]
    signs = _signs(graph)
    first = distinct({name: _alone(graph, name) for name in inputs}, signs)
    profile = graph.profile or STANDARD
    others = [n for n in graph.defined_names if not _is_fraction(graph.labels.get(n), profile)]
    wanted = {name: _alone(graph, name) for name in others if name not in first}
    return first | distinct(wanted, [*signs, *first.values()])


def _is_fraction(label: Label | None, profile: Profile) -> bool:
    return bool(label and label.of and (not label.letter or _is_plain_adjoint(label, profile)))


def _is_plain_adjoint(label: Label, profile: Profile) -> bool:
    return label.letter == "delta" and not profile.delta


def _entry(label: Label) -> tuple[int, ...]:
    """Return which entry of a gradient it is; the index of a scalar is in its variable's name."""
    return label.index if label.rank == 0 else ()


def _repeated(name: str, count: int) -> str:
    if count == 1:
        return name
    return f"({name})^{count}" if "^" in name else f"{name}^{count}"


def _alone(graph: Graph, name: str) -> str:
    label = graph.labels.get(name)
    return _labelled(graph, name, label) if label and label.letter else latex_name(name)


#: What belongs to one sample.
_OF_SAMPLES = ("input", "target", "prediction", "pre-activation", "activation", "adjoint", "loss")


def _labelled(graph: Graph, name: str, label: Label) -> str:
    if label.letter == SYMMETRIC:
        return rf"\nabla^{{\mathrm{{sym}}}}_{{{latex_name(label.of)}}} {latex_name(label.over)}"
    profile: Profile = graph.profile or STANDARD
    role = _role(label, profile)
    if role not in LETTERS:
        return _marked(latex_name(label.letter), profile, label.layer, label.index)
    layer = label.layer
    if role != label.role and layer is None:  # the input or the prediction, as an activation
        last = max((other.layer or 1 for other in graph.labels.values()), default=1)
        layer = 0 if label.role == "input" else last
    number = None if layer is None else profile.number(role, layer)
    sampled = profile.notation == "samples" and label.role in _OF_SAMPLES
    letter = profile.letter(role, _rank(graph, name, label))
    below = role == "loss"  # the loss of a sample is C_x wherever the mark of others stands
    return _marked(letter, profile, number, label.index, sampled, below)


def _role(label: Label, profile: Profile) -> str:
    """Return what the letter of a name is that of."""
    if label.role == "input" and label.letter in ("x", "X") and profile.input_as_activation:
        return "activation"
    if label.role == "prediction" and profile.prediction_as_activation:
        return "activation"
    if label.letter == "delta":
        return "adjoint"
    known = {"X", "x", "Y", "y", "Yhat", "yhat", "Z", "z", "H", "h", "W", "w", "b", "L"}
    return label.role if label.letter in known else ""


def _rank(graph: Graph, name: str, label: Label) -> int:
    """Tell whether a name is a scalar (0), a column (1) or a matrix (2), as its letter says."""
    symbol = graph.symbols.get(name)
    if not getattr(symbol, "is_Matrix", False):
        return 0
    if label.letter == "delta":
        of = graph.labels.get(label.of, Label())
        return 2 if of.letter[:1].isupper() else 1
    return 2 if label.letter[:1].isupper() else 1


def _marked(
    letter: str,
    profile: Profile,
    layer: int | None,
    index: tuple[int, ...],
    sampled: bool = False,
    below: bool = False,
) -> str:
    """Put layer, entry and sample to a letter: one superscript, one subscript."""
    up: list[str] = []
    down: list[str] = []
    if "#" in letter:
        mark = profile.sample.replace("@", profile.index) if sampled else ""
        letter, sampled = letter.replace("#", mark), False
    if layer is not None:
        (up if profile.layer[0] == "^" else down).append(_inside(profile.layer, layer))
    if index:
        down.append(_entry_mark(index, profile))
    if sampled and profile.sample[0] == "^" and not below:
        up.insert(0, _inside(profile.sample, profile.index))
    elif sampled:
        down.append(_inside(profile.sample, profile.index))
    raised = f"^{{{','.join(up)}}}" if up else ""
    return letter + raised + (f"_{{{','.join(down)}}}" if down else "")


def _entry_mark(index: tuple[int, ...], profile: Profile) -> str:
    entry = [number + profile.first_unit - 1 for number in index]
    return ("," if profile.comma or max(entry) > 9 else "").join(map(str, entry))


def _inside(template: str, mark: object) -> str:
    return template[2:-1].replace("@", str(mark))


def _signs(graph: Graph) -> list[str]:
    """List the signs of a graph's functions and constants, which are no names for variables."""
    profile = graph.profile or STANDARD
    found: dict[str, None] = dict.fromkeys(filter(None, (profile.function,)))
    if profile.transpose.isalpha():
        found[profile.transpose] = None
    for _, expression in graph.definitions:
        for node in trees.postorder(expression):
            entry = functions.entry_of(getattr(node, "func", None))
            if entry is not None:
                found[entry.latex] = None
            elif type(node) in SIGNS:
                found[SIGNS[type(node)]] = None
    return list(found)


#: The signs of what has no entry among the functions.
SIGNS = {
    type(sp.pi): r"\pi",
    sp.EulerGamma.__class__: r"\gamma",
    sp.GoldenRatio.__class__: r"\phi",
    sp.Catalan.__class__: "G",
    sp.gamma: r"\Gamma",
    sp.loggamma: r"\Gamma",
    sp.polygamma: r"\psi",
    sp.Heaviside: r"\theta",
    sp.Identity: "I",
    Eigenvalues: r"\lambda",
    Eigenvectors: "V",
}


class Naming(LatexPrinter):
    """Print names; `names` has how those of the graph are printed."""

    graph: Graph
    names: dict[str, str]
    letters: dict[Any, str]
    has_e: bool

    @property
    def profile(self) -> Profile:
        """How the graph is printed."""
        return self.graph.profile or STANDARD

    def _is_short(self, of: str) -> bool:
        """Tell whether a derivative has a sign without a fraction."""
        if self.profile.gradient == "partial":
            return False
        symbol = self.graph.symbols.get(of)
        return self.profile.gradient == "d" or bool(getattr(symbol, "is_Matrix", False))

    def name(self, symbol: Any) -> str:
        """Print a name by its label."""
        return self.letters.get(symbol) or self._named(name_of(symbol))

    def _named(self, name: str) -> str:
        if name in self.names:
            return self.names[name]
        label = self.graph.labels.get(name, Label())
        if _is_fraction(label, self.profile):
            return self.derivative(label.over, label.of, _entry(label))
        return _alone(self.graph, name)

    def derivative(self, over: str, of: str, index: tuple[int, ...] = ()) -> str:
        r"""Print \frac{\partial L}{\partial x} for two names, \partial^2 L for a derivative's."""
        by = [self._variable(of, index)]
        label = self.graph.labels.get(over)
        if label and label.role == "loss" and self._is_short(of):
            sign = f"d{by[0]}" if self.profile.gradient == "d" else rf"\nabla_{{{by[0]}}} "
            return sign if self.profile.gradient == "d" else sign + self._named(over)
        # By another derivative, as in the chain rule, fractions stand on one another.
        while label and _is_fraction(label, self.profile) and r"\frac" not in by[0]:
            by.append(self._variable(label.of, _entry(label)))
            over, label = label.over, self.graph.labels.get(label.over)
        order = "" if len(by) == 1 else f"^{len(by)}"
        runs = [(name, len(list(run))) for name, run in groupby(by)]
        below = r"\,\partial ".join(_repeated(name, count) for name, count in runs)
        return rf"\frac{{\partial{order} {self._named(over)}}}{{\partial {below}}}"

    def _variable(self, name: str, index: tuple[int, ...]) -> str:
        text = self._named(name)
        if not index:
            return text
        marked = f"({text})" if "_" in text else text
        return f"{marked}_{{{_entry_mark(index, self.profile)}}}"
