r"""The notation of a derivation: its variables with their shapes, and the signs that it uses."""

from __future__ import annotations

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
    """List the inputs with their shapes and what they are; not where nothing is to be said."""
    used = {s for _, e in made.definitions for s in trees.symbols(e)}
    inputs = [v for v in made.inputs if v.symbol in used]
    rows = [_row(made, printer, variable) for variable in inputs]
    shaped, meant = (any(row[k] for row in rows) for k in (1, 2))
    if not rows or len(rows) > MOST_ROWS or not (shaped or meant):
        return []
    rows = [("variable", "shape", "what it is"), *((n, s or "a number", w) for n, s, w in rows)]
    kept = [0, *([1] if shaped else []), *([2] if meant else [])]
    return [Block("table", rows=tuple(tuple(row[k] for k in kept) for row in rows))]


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
    r"\mathbf{1}": r"$\mathbf{1}$ is a column of ones.",
    " > 0]": r"$[c]$ is 1 where the condition $c$ holds and 0 elsewhere.",
}
#: What is said where a gradient is symmetric by request.
SYMMETRIC_MEANS = (
    r"$\nabla^{\mathrm{sym}}$ is the gradient in the space of the symmetric matrices; a derivative "
    "by a matrix is that by all its entries, each by itself."
)
HEADS = {
    Elementwise: "A function of a matrix is taken of every entry; a number in a sum of matrices "
    "stands in every entry.",
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
