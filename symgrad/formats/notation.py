r"""The notation of a derivation: its variables with their shapes, and the signs that it uses."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import groupby
from typing import Any

import sympy as sp

from symgrad import trees
from symgrad.derivation import Derivation
from symgrad.facts import sum_axis, sums_of_scalars
from symgrad.formats.blocks import Block
from symgrad.formats.printer import Printer
from symgrad.formats.style import style_of
from symgrad.graph import SYMMETRIC, Graph, Label
from symgrad.matrices import Elementwise
from symgrad.operations.along import CumulativeSum, OthersProduct
from symgrad.operations.linear import Kronecker, KroneckerBlocks, PseudoInverse
from symgrad.operations.parts import Placed, Reshaped, Slice, Triangle
from symgrad.operations.sequences import Convolution, DiagonalSums
from symgrad.operations.spectral import Cholesky, Eigenvalues, Exponential, ExponentialSlope
from symgrad.shapes import Variable
from symgrad.softmax import LogSoftmax, Softmax


def notation(derived: Derivation, printed: str) -> list[Block]:
    """Describe the variables with their shapes, what is known of them, and the signs in use."""
    made, printer = derived.result, Printer(derived.result)
    texts: list[str] = []
    style = style_of(made)
    if style.function:
        texts.append(f"The activation is ${style.function} = {_bare(style.activation)}$.")
    texts += _known(made, printer)
    said = [text for sign, text in SIGNS.items() if sign in printed]
    heads = {type(node) for _, e in made.definitions for node in trees.postorder(e)}
    said += [text for head, text in HEADS.items() if head in heads]
    said += _softmax(made)
    if any(variable.is_Matrix for variable in derived.wrt):
        goal = printer.name(derived.goal)
        turned = printer.profile.layout == "numerator"
        shape = "transposed shape" if turned else "shape"
        said.append(f"The derivative of ${goal}$ by a matrix has the {shape} of that matrix.")
    if any(label.letter == SYMMETRIC for label in made.labels.values()):
        said.append(SYMMETRIC_MEANS)
    if said:
        texts.append(" ".join(said))
    return [*_table(made, printer), *(Block("text", text) for text in texts)]


def _softmax(made: Graph) -> list[str]:
    """Say of what entries a softmax is taken, where one is printed."""
    nodes = [node for _, e in made.definitions for node in trees.postorder(e)]
    found = {1 in node.shape for node in nodes if isinstance(node, (Softmax, LogSoftmax))}
    words = {False: "of a matrix is that of every row", True: "of a column is that of its entries"}
    return [f"The softmax {words[column]}." for column in sorted(found)]


def _bare(function: str) -> str:
    """Print the name of a function so that it is not exchanged."""
    return function + "{}"


#: More variables are not listed.
MOST_ROWS = 24
#: What variables are, by the roles of their labels.
ROLES = {
    "weight": "weights",
    "bias": "biases",
    "parameter": "parameter",
    "input": "inputs",
    "target": "targets",
}


def _table(made: Graph, printer: Printer) -> list[Block]:
    """List inputs and definitions with their shapes and what they are, where there is something."""
    used = {s for _, e in made.definitions for s in trees.symbols(e)}
    rows = [row for group in _groups(made, used) for row in _rows(made, printer, group)]
    if not rows or not any(row[1] or row[2] for row in rows):
        return []
    rows += _named_rows(made, printer)
    rows += _size_rows(made, printer)
    if len(rows) > MOST_ROWS:
        return []
    shaped, meant = (any(row[k] for row in rows) for k in (1, 2))
    rows = [("variable", "shape", "what it is"), *((n, s or "a number", w) for n, s, w in rows)]
    kept = [0, *([1] if shaped else []), *([2] if meant else [])]
    return [Block("table", rows=tuple(tuple(row[k] for k in kept) for row in rows))]


def _groups(made: Graph, used: set[Any]) -> list[list[Variable]]:
    """Put the entries of one array that follow one another together."""

    def key(variable: Variable) -> Any:
        label = made.label(variable.symbol)
        entry = bool(label.index) and not variable.shape
        return (label.letter, label.role, label.layer) if entry else variable.name

    inputs = [v for v in made.inputs if v.symbol in used]
    return [list(group) for _, group in groupby(inputs, key)]


def _rows(made: Graph, printer: Printer, group: list[Variable]) -> Iterator[tuple[str, str, str]]:
    if len(group) <= 2:
        yield from (_row(made, printer, variable) for variable in group)
        return
    first, _, words = _row(made, printer, group[0])
    last = printer.name(group[-1].symbol)
    plural = {"weight": "weights", "bias": "biases", "input": "inputs", "target": "targets"}
    word, _, rest = words.partition(" ")
    shown = rf"{first[:-1]}, \dots, {last}$"
    yield shown, "", f"{plural.get(word, word)} {rest}".strip() + _order_of(made, group)


def _order_of(made: Graph, group: list[Variable]) -> str:
    """Say which index of a weight is that of the unit that it leads to."""
    names = {v.symbol: made.label(v.symbol).index for v in group}
    if any(len(index) != 2 for index in names.values()):
        return ""
    places = set()
    for symbol, expression in made.definitions:
        unit = made.label(symbol).index
        if made.label(symbol).role == "pre-activation" and len(unit) == 1:
            for used in trees.symbols(expression) & names.keys():
                places.add(tuple(number == unit[0] for number in names[used]))
    if places and all(first for first, _ in places):
        return "; the first index is that of the unit that it leads to"
    if places and all(second for _, second in places):
        return "; the second index is that of the unit that it leads to"
    return ""


#: What definitions are, by the roles of their labels.
DEFINED = {
    "pre-activation": "pre-activations",
    "activation": "activations",
    "prediction": "prediction",
    "loss": "loss",
}


def _named_rows(made: Graph, printer: Printer) -> list[tuple[str, str, str]]:
    """Describe the layers of a network, and the derivatives that have a letter."""
    rows = []
    for symbol, _ in made.definitions:
        label = made.label(symbol)
        words = DEFINED.get(label.role, "")
        if label.letter == "delta" and printer.profile.delta:
            by, goal = made.symbols.get(label.of), made.symbols.get(label.over)
            words = f"derivative of ${printer.name(goal)}$ by ${printer.name(by)}$"
        if words and symbol.is_Matrix and label.letter:
            if label.layer is not None and label.role != "adjoint":
                words += f" of layer {printer.profile.number(label.role, label.layer)}"
            rows.append((f"${printer.name(symbol)}$", _shape_words(printer, symbol.shape), words))
    return rows


def _size_rows(made: Graph, printer: Printer) -> list[tuple[str, str, str]]:
    """Say that the number of rows is the number of samples."""
    found = {}
    for variable in made.inputs:
        role = made.label(variable.symbol).role
        if role in ("input", "target") and variable.sizes and variable.sizes[0].is_Symbol:
            size = variable.sizes[0]
            found[size] = (f"${printer._print(size)}$", "", "number of samples, one in each row")
    return list(found.values())


def network_words(made: Graph) -> str:
    """Describe the network that a loss is of; nothing where there is none."""
    layers: dict[int, int] = {}
    for symbol, _ in made.definitions:
        label = made.label(symbol)
        if label.role == "pre-activation":
            layer = label.layer or 1
            width = _width(made, symbol) if symbol.is_Matrix else layers.get(layer, 0) + 1
            layers[layer] = width
    inputs = [v for v in made.inputs if made.label(v.symbol).role == "input"]
    if not layers or not inputs:
        return ""
    count = _width(made, inputs[0].symbol) if inputs[0].shape else len(inputs)
    if not isinstance(count, int) or not all(isinstance(w, int) for w in layers.values()):
        return ""
    units = [str(layers[layer]) for layer in sorted(layers)]
    many = "layers" if len(units) > 1 else "one layer"
    listed = " and ".join(filter(None, [", ".join(units[:-1]), units[-1]]))
    word = "unit" if units == ["1"] else "units"
    return f"A network has {count} input{'s' * (count != 1)} and {many} of {listed} {word}."


def _width(made: Graph, symbol: Any) -> Any:
    """Return how many units a layer has, in rows or in columns."""
    rows = any(made.label(v.symbol).letter == "X" for v in made.inputs)
    size = symbol.shape[1] if rows else symbol.shape[0]
    return int(size) if size.is_Integer else size


def _row(made: Graph, printer: Printer, variable: Variable) -> tuple[str, str, str]:
    label = made.label(variable.symbol)
    words = ROLES.get(label.role, "")
    if not variable.shape or variable.inside == (1, 1):
        words = {"weights": "weight", "biases": "bias"}.get(words, words.removesuffix("s"))
    if words and label.layer is not None:
        words += _of_layer(printer, label)
    shape = _shape_words(printer, variable.inside) if variable.shape else ""
    return f"${printer.name(variable.symbol)}$", shape, words


def _of_layer(printer: Printer, label: Label) -> str:
    number = printer.profile.number(label.role, label.layer or 0)
    if printer.profile.weights == "source":
        return f" from layer {number} to layer {number + 1}"
    return f" of layer {number}"


#: What is said of a sign where it is printed, and of a node where it occurs.
SIGNS = {
    r" \odot ": r"$\odot$ multiplies entry by entry.",
    r"^{\odot": r"A power $A^{\odot 2}$ is taken entry by entry.",
    r"\oslash": r"$\oslash$ divides entry by entry.",
    r"\mathbf{1}": r"$\mathbf{1}$ is a column of ones, as long as what it is multiplied by.",
    r"\rVert_F^2": r"$\left\lVert A \right\rVert_F^2$ is the sum of the squares of all entries.",
    r"\rVert^2": r"$\left\lVert a \right\rVert^2$ is the sum of the squares of the entries.",
    " > 0]": r"$[c]$ is 1 where the condition $c$ holds and 0 elsewhere.",
}
#: What is said where a gradient is symmetric by request.
SYMMETRIC_MEANS = (
    r"$\nabla^{\mathrm{sym}}$ is the gradient in the space of the symmetric matrices; a derivative "
    "by a matrix is that by all its entries, each by itself."
)
HEADS = {
    Elementwise: "A function of a matrix or column is applied to each of its entries; a number "
    "that is added to one is added to every entry.",
    sp.KroneckerDelta: r"$[c]$ is 1 where the condition $c$ holds and 0 elsewhere.",
    Kronecker: r"$\otimes$ is the Kronecker product.",
    KroneckerBlocks: r"$(A \otimes \cdot)^{\ast}$ is the transpose of $B \mapsto A \otimes B$, and "
    r"$(\cdot \otimes B)^{\ast}$ that of $A \mapsto A \otimes B$.",
    Slice: r"Rows and columns are counted from 1.",
    Placed: r"$[A]^{r, c}$ is $A$ at the rows $r$ and the columns $c$, and 0 elsewhere.",
    PseudoInverse: r"$A^{+}$ is the pseudo-inverse.",
    Eigenvalues: r"$\lambda(A)$ are the eigenvalues, and $V(A)$ the eigenvectors as columns.",
    Exponential: r"$e^{A}$ of a square matrix is the matrix exponential.",
    ExponentialSlope: r"$\mathrm{D}e^{A}[E]$ is the derivative of $e^{A}$ in the direction $E$.",
    Convolution: r"$\ast$ is the convolution.",
    Cholesky: r"$\operatorname{chol}(A)$ is the lower triangular $L$ with $L L^{\top} = A$.",
    OthersProduct: r"$\operatorname{others}$ has, for every entry, the product of the others.",
    CumulativeSum: r"$\operatorname{cumsum}$ has running sums; with an arrow from the other end.",
    DiagonalSums: r"$\operatorname{diagsums}$ has the sums along diagonals, from the upper right.",
    Reshaped: r"$\operatorname{reshape}$ keeps the entries in the order of rows.",
    Triangle: r"$\operatorname{tril}$ and $\operatorname{triu}$ keep a triangle of a matrix.",
    sp.polygamma: r"$\psi$ is the derivative of $\log \Gamma$, $\psi^{(n)}$ its $n$-th derivative.",
}


#: The words that are said of a matrix as they are.
SAID = ("symmetric", "positive definite", "orthogonal", "invertible")


def _known(made: Graph, printer: Printer) -> list[str]:
    """Say what is declared of the inputs, and was used."""
    said = []
    for variable in made.inputs:
        name = printer.name(variable.symbol)
        words = [word for word in SAID if word in variable.assumptions]
        if words and variable.shape:
            said.append(f"${name}$ is {' and '.join(words)}.")
        axis = sum_axis(variable)
        if axis is not None:
            what = "rows" if axis == 1 and variable.inside[0] != 1 else "entries"
            said.append(f"The {what} of ${name}$ sum to one.")
    for group in sums_of_scalars(made.inputs):
        total = " + ".join(printer.name(v.symbol) for v in group)
        said.append(f"It is known that ${total} = 1$.")
    return said


def _shape_words(printer: Printer, shape: Any) -> str:
    rows, columns = (printer._print(size) for size in shape)
    return rf"${rows} \times {columns}$"
