"""What is printed is read back as what it was: every kind of formula, and no other text."""

import sys
from pathlib import Path

import numpy as np
import pytest
import sympy as sp
from sympy.matrices.expressions.matexpr import MatrixElement

import symgrad as sg
from symgrad import functions, shapes
from symgrad.circuit import Circuit
from symgrad.errors import ParseError
from symgrad.formats.printer import Printer
from symgrad.formats.signs import function_name
from symgrad.matrices import Broadcast, SumColumns, SumEntries, SumRows, UnitMatrix
from symgrad.operations.along import (
    CumulativeSum,
    Extreme,
    ExtremeWeights,
    LogSumExp,
    OthersProduct,
    ProductAlong,
)
from symgrad.operations.linear import (
    Kronecker,
    KroneckerBlocks,
    LogDeterminant,
    PseudoInverse,
)
from symgrad.operations.parts import (
    Diagonal,
    DiagonalMatrix,
    Placed,
    Reshaped,
    Slice,
    Stacked,
    Triangle,
    span,
)
from symgrad.operations.sequences import Convolution, DiagonalSums, Toeplitz
from symgrad.operations.spectral import (
    Cholesky,
    Eigenvalues,
    Eigenvectors,
    Exponential,
    ExponentialSlope,
)
from symgrad.reading.printed import read
from symgrad.reading.printed.scanner import DEEPEST
from symgrad.reading.printed.signs import FUNCTIONS
from symgrad.rules import RULES
from symgrad.verification.ladder import decide
from symgrad.verification.problem import Problem, deadline
from symgrad.verification.settings import Setting, generic_sizes, sizes_for

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "derivations"))
import identities
import regenerate

# ------------------------------------------------------------- what is printed is read back


def differ(setting, first, second):
    """Whether two tables of nodes differ."""
    first, second = (np.asarray(each, dtype=object) for each in (first, second))
    if first.shape != second.shape:
        return True
    if first.tolist() == second.tolist():
        return False
    sides = (tuple(map(int, each.flat)) for each in (first, second))
    problem = Problem(
        setting.circuit, *sides, tuple(np.ndindex(*first.shape)), setting.ranges, (), setting.tables
    )
    return decide(problem, deadline(20)).status not in ("proved", "agrees")


def misread(graph):
    """Yield the definitions of a graph that are not read back as what they are."""
    printer = Printer(graph)
    setting = Setting(Circuit(), graph.inputs, sizes_for(graph, 0), {})
    names = {printer.name(v.symbol): v.symbol for v in graph.inputs}
    names.update({printer._print(size): size for size in graph.sizes})
    names.update({printer.name(symbol): symbol for symbol, _ in graph.definitions})
    origins = {v.symbol: v.origin for v in graph.inputs}
    writer = setting.writer()
    for symbol, expression in graph.definitions:
        text = printer._print(expression)
        shape = tuple(shapes.shape_of(symbol)) if symbol.is_Matrix else ()
        value = writer.define(symbol, expression)
        try:
            back = read(text, names, shape, origins)
        except sg.SymgradError as error:
            yield f"{text}: {error}"
        else:
            if differ(setting, value, writer(back)):
                yield text


SCRIPTS = [
    (script.stem, part)
    for script in regenerate.scripts()
    for module in [regenerate.load(script)]
    if hasattr(module, "formulas")
    for part in module.formulas()
]


@pytest.mark.parametrize(("name", "part"), SCRIPTS)
def test_the_gallery_is_read_back(name, part):
    expression, wrt = regenerate.load(regenerate.HERE / f"{name}.py").formulas()[part]
    graph = sg.derive(expression, wrt, check=False).result
    assert graph.definitions
    assert not list(misread(graph))


@pytest.mark.parametrize("section", identities.SECTIONS)
def test_the_identities_are_read_back(section):
    for title, text, by, _ in identities.rows().values():
        if title == section:
            graph = sg.derive(identities.loss_of(text), by, check=False).result
            assert not list(misread(graph)), text


#: Examples of rules whose formulas leave out a size that nothing beside tells: they are refused.
WITHOUT_SIZE = {sp.FunctionMatrix, Broadcast}


@pytest.mark.parametrize("head", RULES, ids=lambda head: head.__name__)
def test_every_operation_is_read_back(head):
    """Everything that has a derivative rule can be read, and so can its derivative."""
    loss = RULES[head].example()
    if loss.is_Matrix:
        loss = sg.sum_entries(sg.elementwise(lambda entry: entry**2 / 2 + entry, loss))
    formula = sg.Formula.of(loss)
    wrong = list(misread(sg.derive(formula, list(formula.inputs), check=False).result))
    assert all("cannot be told" in line for line in wrong), wrong
    assert bool(wrong) == (head in WITHOUT_SIZE)


# ------------------------------------------------------------------------- what texts mean

n, m = sp.symbols("n m", integer=True, positive=True)
A, S, B = sp.MatrixSymbol("A", n, n), sp.MatrixSymbol("S", n, n), sp.MatrixSymbol("B", n, m)
x, y, u = sp.MatrixSymbol("x", n, 1), sp.MatrixSymbol("y", n, 1), sp.MatrixSymbol("u", m, 1)
r, W = sp.MatrixSymbol("r", 1, m), sp.MatrixSymbol("W1", n, m)
P, Q, v = sp.MatrixSymbol("P", 2, 2), sp.MatrixSymbol("Q", 2, 2), sp.MatrixSymbol("v1", 2, 1)
t, s = sp.symbols("t s", real=True)
z = sp.MatrixSymbol("z", n, 1)  # an array whose first entry is z_0
Z = sp.MatrixSymbol("Z", n, m)  # one whose first entry is Z_03
INPUTS = (A, S, B, x, y, u, r, W, P, Q, v, t, s, z, Z)
NAMES = {
    **{symbol.name: symbol for symbol in INPUTS if symbol not in (W, v)},
    **{"n": n, "m": m, "W^{(1)}": W, "v_{1}": v, r"\frac{\partial L}{\partial A}": A},
}
ORIGINS = {z: (0,), Z: (0, 3)}
i, j, k = sp.symbols("i j k", integer=True)
PLACES = sp.Dummy("a", integer=True), sp.Dummy("b", integer=True)
a, b = PLACES
every = lambda function, *matrices: sg.elementwise(function, *matrices)  # noqa: E731
by_entries = lambda rows, columns, body: sp.FunctionMatrix(  # noqa: E731
    rows, columns, sp.Lambda(PLACES, body)
)
REST = r"0 & \text{otherwise} \end{cases}"
#: What is printed and what it means, a row for every kind of text.
MEANINGS = [
    # sums over letters, and entries
    (r"\sum_{i=1}^{n} x_{i}^{2}", sp.Sum(x[i, 0] ** 2, (i, 0, n - 1))),
    (r"\sum_{i=1}^{n} x_{i} y_{i} + t", sp.Sum(x[i, 0] * y[i, 0], (i, 0, n - 1)) + t),
    (r"\sum_{i=1}^{n} (x_{i} + t)", sp.Sum(x[i, 0] + t, (i, 0, n - 1))),
    (r"\sum_{i=1}^{n} \sum_{j=1}^{i} A_{ij}", sp.Sum(A[i, j], (j, 0, i), (i, 0, n - 1))),
    (r"\sum_{i=1}^{n} x_{i} \sum_{j=1}^{m} u_{j}", sg.sum_entries(x) * sg.sum_entries(u)),
    (r"\sum_{i=1}^{n - 1} x_{i} x_{i + 1}", sp.Sum(x[i, 0] * x[i + 1, 0], (i, 0, n - 2))),
    (r"\frac{1}{2} \sum_{k=1}^{3} k x_{k}", sp.Sum(k * x[k - 1, 0], (k, 1, 3)) / 2),
    (r"\sum_{i=0}^{n - 1} z_{i}", sg.sum_entries(z)),
    (r"z_{0}", z[0, 0]),
    (r"Z_{14}", Z[1, 1]),
    (r"\prod_{i=1}^{n} x_{i}", sp.Product(x[i, 0], (i, 0, n - 1))),
    (r"A_{12}", A[0, 1]),
    (r"A_{n1}", A[n - 1, 0]),
    (r"A_{1,n - 1}", A[0, n - 2]),
    (r"x_{2}", x[1, 0]),
    (r"W^{(1)}_{12}", W[0, 1]),
    (r"(v_{1})_{2}", v[1, 0]),
    (r"\left[A S\right]_{12}", MatrixElement(A * S, 0, 1)),
    (r"\left[\frac{\partial L}{\partial A}\right]_{23}", A[1, 2]),
    # matrices given entry by entry
    (r"\left[x_{i}^{2}\right]_{i=1}^{n}", by_entries(n, 1, x[a, 0] ** 2)),
    (r"\left[\sum_{k=1}^{m} B_{ik}\right]_{i=1}^{n}", SumColumns(B)),
    (r"\left[A_{ij} - x_{i}\right]_{ij}", by_entries(n, n, A[a, b] - x[a, 0])),
    (r"\left[z_{i} A_{i + 1,j}\right]_{i=0, j=1}", by_entries(n, n, z[a, 0] * A[a, b])),
    (r"\left[i^{2}\right]_{i=1}^{n}", by_entries(n, 1, (a + 1) ** 2)),
    (r"\left[[i = 2] t\right]_{i=1}^{n}", sp.MatMul(t, UnitMatrix(n, 1, 1, 0))),
    (r"\mathbf{e}_{2} \mathbf{e}_{3}^{\top}", UnitMatrix(n, n, 1, 2)),
    (r"t \mathbf{e}_{1}", sp.MatMul(t, UnitMatrix(n, 1, 0, 0))),
    (r"\left[\begin{matrix}t & 1\\0 & s\end{matrix}\right]", sp.ImmutableMatrix([[t, 1], [0, s]])),
    # parts
    (r"B_{1, :}", Slice(B, span(0, 1), span(0, m))),
    (r"B_{2, :}^{\top}", Slice(B, span(1, 1), span(0, m)).T),
    (r"A_{1:n - 1, 2}", Slice(A, span(0, n - 1), span(1, 1))),
    (r"x_{n,n - 1,\ldots,1}", Slice(x, span(n - 1, n, -1), span(0, 1))),
    (r"P_{:, 2,1,\ldots,1}", Slice(P, span(0, 2), span(1, 2, -1))),
    (r"\left(A + S\right)_{1:2, :}", Slice(A + S, span(0, 2), span(0, n))),
    (r"\left[r\right]^{1, :}", Placed(r, n, m, span(0, 1), span(0, m))),
    (r"\left[x_{1:2}\right]^{2:3}", Placed(Slice(x, span(0, 2), span(0, 1)), n, 1,
                                           span(1, 2), span(0, 1))),
    (r"\begin{bmatrix} x \\ u \end{bmatrix}", Stacked(x, u, 0)),
    (r"\begin{bmatrix} A & B \end{bmatrix}", Stacked(A, B, 1)),
    (r"\operatorname{reshape}_{m \times n}\left(B\right)", Reshaped(B, m, n)),
    (r"\operatorname{diag}\left(A\right)", Diagonal(A)),
    (r"\operatorname{diag}\left(x\right)", DiagonalMatrix(x)),
    (r"\operatorname{tril}\left(A\right)", Triangle(A, 0, 1)),
    (r"\operatorname{triu}_{-1}\left(A\right)", Triangle(A, -1, 0)),
    # along rows and columns
    (r"\max_{j} \left(B\right)", Extreme(B, 1, 1)),
    (r"\min_{i} \left(B\right)", Extreme(B, 0, -1)),
    (r"\max \left(x\right)", sp.Trace(Extreme(x, 0, 1))),
    (r"\max(t, x)", every(lambda e: sp.Max(t, e), x)),
    (r"\operatorname{logsumexp}_{j} \left(B\right)", LogSumExp(B, 1)),
    (r"\operatorname{logsumexp} \left(r\right)", sp.Trace(LogSumExp(r, 1))),
    (r"\prod_{i} \left(B\right)", ProductAlong(B, 0)),
    (r"\prod \left(x\right)", sp.Trace(ProductAlong(x, 0))),
    (r"\operatorname{others}_{j} \left(B\right)", OthersProduct(B, 1)),
    (r"\operatorname{cumsum}_{i} \left(B\right)", CumulativeSum(B, 0, 0)),
    (r"\operatorname{cumsum}^{\leftarrow} \left(x\right)", CumulativeSum(x, 0, 1)),
    (r"\left[B = \max_{j} \left(B\right)\right]", ExtremeWeights(B, 1, 1)),
    (r"\operatorname{softmax}(B)", sg.softmax(B)),
    (r"\operatorname{softmax}(x)", sg.softmax(x, axis=0)),
    (r"\operatorname{softmax}(B^{\top})^{\top}", sg.softmax(B, axis=0)),
    (r"\log(\operatorname{softmax}(B))", sg.log_softmax(B)),
    (r"\mathbf{1}^{\top} B", SumRows(B)),
    (r"\mathbf{1}^{\top} B \mathbf{1}", SumEntries(B)),
    # products
    (r"A \otimes B", Kronecker(A, B)),
    (r"2 A \otimes \left(A + S\right)", 2 * Kronecker(A, A + S)),
    (r"\left(P \otimes \cdot\right)^{\ast} \left(\mathbf{1} \mathbf{1}^{\top}\right)",
     KroneckerBlocks(sp.OneMatrix(2 * n, 2 * n), P, 1), (n, n)),
    (r"\left(\cdot \otimes P\right)^{\ast} \left(P \otimes A\right)",
     KroneckerBlocks(Kronecker(P, A), P, 0)),
    (r"x \ast u", Convolution(x, u)),
    (r"\operatorname{toeplitz}\left(x \ast u\right)", Toeplitz(Convolution(x, u), n, m)),
    (r"\operatorname{diagsums}\left(B\right)", DiagonalSums(B)),
    (r"(x^{\top} y) x", sp.MatMul(sp.Trace(x.T * y), x)),
    (r"x y^{\top} x", sp.MatMul(x, y.T, x)),
    (r"\frac{1}{x^{\top} y} x - t y", sp.MatMul(1 / sp.Trace(x.T * y), x) - sp.MatMul(t, y)),
    (r"\sum_{i=1}^{n} x_{i} A", sp.MatMul(sg.sum_entries(x), A)),
    (r"x \odot y \oslash (x \odot x)", every(lambda p, q: q / p, x, y)),
    (r"\mathbf{1}^{\top} B \odot r", every(lambda p, q: p * q, SumRows(B), r)),
    # functions of matrices
    (r"A^{2}", A**2),
    (r"A^{-1}", sp.Inverse(A)),
    (r"A^{-\top}", sp.Inverse(A).T),
    (r"A^{\odot 2}", sp.HadamardPower(A, 2)),
    (r"x^{\odot (-t)}", every(lambda e: e ** (-t), x)),
    (r"B^{+}", PseudoInverse(B)),
    (r"\log\left\lvert \det \left(A S\right) \right\rvert", LogDeterminant(A * S)),
    (r"\det(P)^{2}", sp.Determinant(P) ** 2),
    (r"\operatorname{tr}(A S)", sp.Trace(A * S)),
    (r"e^{P}", Exponential(P)),
    (r"\exp(P)", every(sp.exp, P)),
    (r"\mathrm{D}e^{P}\left[Q\right]", ExponentialSlope(P, Q)),
    (r"\operatorname{chol}\left(P\right)", Cholesky(P)),
    (r"\lambda\left(P\right)", Eigenvalues(P)),
    (r"V\left(P\right)", Eigenvectors(P)),
    (r"\left\lVert B \right\rVert_F^2", sg.sum_entries(sp.HadamardPower(B, 2))),
    (r"\left\lVert x \right\rVert^{3}", sp.sqrt(sg.sum_entries(sp.HadamardPower(x, 2))) ** 3),
    # cases, brackets and scalar functions
    (r"\begin{cases} t^{2} & \text{for } t > s \\ {}[s > 0] & \text{otherwise} \end{cases}",
     sp.Piecewise((t**2, t > s), (functions.step(s), True))),
    (r"\begin{cases} 1 & \text{for } t \geq 0 \wedge t < s \\ s & \text{for } t \neq s \\ " + REST,
     sp.Piecewise((1, sp.And(t >= 0, t < s)), (s, sp.Ne(t, s)), (0, True))),
    (r"\begin{cases} 1 & \text{for } \left(t \leq 0 \wedge s > 0\right) \vee \neg t > s \\ " + REST,
     sp.Piecewise((1, sp.Or(sp.And(t <= 0, s > 0), t <= s)), (0, True))),
    (r"\begin{cases} x & \text{for } x > y \\ 0 & \text{otherwise} \end{cases}",
     every(lambda p, q: sp.Piecewise((p, p > q), (0, True)), x, y)),
    (r"\sum_{i=1}^{n} \begin{cases} x_{i - 1} & \text{for } i \geq 2 \\ " + REST,
     sp.Sum(x[i, 0], (i, 0, n - 2))),
    (r"[x > 0] \odot y", every(lambda p, q: functions.step(p) * q, x, y)),
    (r"[t < s]", functions.step(s - t)),
    (r"[t = s]", sp.Piecewise((1, sp.Eq(t, s)), (0, True))),
    (r"\left\lfloor t \right\rfloor + \left\lceil s \right\rceil", sp.floor(t) + sp.ceiling(s)),
    (r"\Gamma(t) + \log \Gamma(s)", sp.gamma(t) + sp.loggamma(s)),
    (r"\psi(t) + \psi^{(1)}(s)", sp.polygamma(0, t) + sp.polygamma(1, s)),
    (r"t \log(s)", t * sp.log(s)),
    (r"\operatorname{atan2}(t, s)", sp.atan2(t, s)),
    (r"\operatorname{hard\,\sigma}'(t)", functions.FUNCTIONS["hard_sigmoid"].derivative(t)),
    (r"\tanh^{\odot 2}(x)", every(lambda e: sp.tanh(e) ** 2, x)),
    (r"-1.5 \cdot 10^{-3} t", -sp.Rational(3, 2000) * t),
    (r"\pi e^{t}", sp.pi * sp.exp(t)),
]  # fmt: skip


def setting():
    """The inputs at sizes of their own."""
    variables = [
        shapes.Variable(symbol, tuple(symbol.shape) if symbol.is_Matrix else ())
        for symbol in INPUTS
    ]
    return Setting(Circuit(), variables, generic_sizes((n, m), 0), {})


def shape_of(expression):
    return tuple(shapes.shape_of(expression)) if expression.is_Matrix else ()


@pytest.mark.parametrize("row", MEANINGS, ids=lambda row: row[0])
def test_texts_mean_what_is_printed(row):
    text, expression, *shape = row
    (shape,) = shape or [shape_of(expression)]
    given = setting()
    writer = given.writer()
    assert not differ(given, writer(expression), writer(read(text, NAMES, shape, ORIGINS)))


#: Changed texts, by the right one: each has another meaning, or none.
SPOILED = {
    r"\sum_{i=1}^{n} x_{i} y_{i}": [
        r"\sum_{i=1}^{n} x_{i} y_{j}",
        r"\sum_{j=1}^{n} x_{i} y_{i}",
        r"\sum_{i=0}^{n} x_{i} y_{i}",
        r"\sum_{i=0}^{n - 1} x_{i} y_{i}",
        r"\sum_{i=2}^{n} x_{i} y_{i}",
        r"\sum_{i=1}^{n - 1} x_{i} y_{i}",
        r"\sum_{i=1}^{n + 1} x_{i} y_{i}",
        r"\sum_{i=1}^{m} x_{i} y_{i}",
        r"\sum_{i=1}^{n} x_{i} y_{i + 1}",
        r"\sum_{i=1}^{n} x_{i} y_{1}",
        r"\sum_{i=1}^{n} x_{i} x_{i}",
        r"\sum_{i=1}^{n} x_{i} z_{i}",
        r"\sum_{i=1}^{n} x_{i} + y_{i}",
        r"\sum_{i=1}^{n} x_{ii} y_{i}",
    ],
    r"\sum_{i=1}^{n} \sum_{j=1}^{i} A_{ij}": [
        r"\sum_{i=1}^{n} \sum_{j=1}^{i} A_{ji}",
        r"\sum_{i=1}^{n} \sum_{j=1}^{n} A_{ij}",
        r"\sum_{i=1}^{n} \sum_{j=1}^{j} A_{ij}",
        r"\sum_{i=1}^{j} \sum_{j=1}^{n} A_{ij}",
        r"\sum_{i=1}^{n} \sum_{j=1}^{i + 1} A_{ij}",
        r"\sum_{i=1}^{n} \sum_{j=0}^{i} A_{ij}",
        r"\sum_{i=1}^{n} \sum_{j=1}^{i} A_{i}",
    ],
    r"A_{12} S_{21}": [
        r"A_{21} S_{21}",
        r"A_{12} S_{12}",
        r"S_{12} A_{21}",
        r"A_{12}",
        r"A_{02} S_{21}",
        r"A_{1} S_{21}",
        r"A_{1,2,1} S_{21}",
        r"A_{112} S_{21}",
        r"A_{1.5,2} S_{21}",
    ],
    r"\left[x_{i} y_{i}\right]_{i=1}^{n}": [
        r"\left[x_{j} y_{i}\right]_{i=1}^{n}",
        r"\left[x_{i} y_{i}\right]_{i=0}^{n}",
        r"\left[x_{i} y_{i}\right]_{i=2}^{n}",
        r"\left[x_{i} y_{i}\right]_{i=2}^{n + 1}",
        r"\left[x_{i} y_{i}\right]_{i=1}^{m}",
        r"\left[x_{i} y_{i}\right]_{j=1}^{n}",
        r"\left[x y_{i}\right]_{i=1}^{n}",
        r"\left[x_{i} y_{i}\right]_{ij}",
    ],
    r"\left[A_{ij} x_{i}\right]_{ij}": [
        r"\left[A_{ij} x_{i}\right]_{ji}",
        r"\left[A_{ji} x_{i}\right]_{ij}",
        r"\left[A_{ij} x_{j}\right]_{ij}",
        r"\left[A_{ij} x_{i}\right]_{ii}",
        r"\left[A_{ij} x_{i}\right]_{kl}",
        r"\left[A_{ij} x_{i}\right]_{i=2, j=1}",
    ],
    r"x_{n,n - 1,\ldots,1}": [
        r"x_{1,2,\ldots,n}",
        r"x_{n,n - 2,\ldots,1}",
        r"x_{1:n}",
        r"x_{n:1}",
        r"x_{n - 1,n - 2,\ldots,0}",
    ],
    r"\max_{j} \left(A\right)": [
        r"\max_{i} \left(A\right)",
        r"\min_{j} \left(A\right)",
        r"\max_{k} \left(A\right)",
        r"\max \left(A\right)",
    ],
    r"\begin{cases} t & \text{for } t > s \\ s & \text{otherwise} \end{cases}": [
        r"\begin{cases} s & \text{for } t > s \\ t & \text{otherwise} \end{cases}",
        r"\begin{cases} t & \text{for } t < s \\ s & \text{otherwise} \end{cases}",
        r"\begin{cases} t & \text{for } t > s \\ 0 & \text{otherwise} \end{cases}",
        r"\begin{cases} t & \text{for } t \\ s & \text{otherwise} \end{cases}",
        r"\begin{cases} t & t > s \\ s & \text{otherwise} \end{cases}",
    ],
    r"P \otimes Q": [r"Q \otimes P", r"P Q", r"P \odot Q", r"P \otimes P \otimes Q"],
    r"\begin{bmatrix} P \\ Q \end{bmatrix}": [
        r"\begin{bmatrix} Q \\ P \end{bmatrix}",
        r"\begin{bmatrix} P & Q \end{bmatrix}",
        r"\begin{bmatrix} P \\ Q & P \end{bmatrix}",
        r"\begin{bmatrix} P \\ Q \end{matrix}",
    ],
    r"\operatorname{diag}\left(\operatorname{diag}\left(A\right)\right)": [
        r"\operatorname{diag}\left(A\right)",
        r"A",
        r"\operatorname{tril}\left(A\right)",
    ],
    r"\left[P_{1, :}\right]^{2, :}": [
        r"\left[P_{2, :}\right]^{1, :}",
        r"\left[P_{1, :}\right]^{1, :}",
        r"\left[P_{1, :}\right]^{3, :}",
        r"\left[P_{1, :}\right]^{:, 2}",
        r"P_{1, :}",
    ],
    r"A \mathbf{e}_{1}": [r"A \mathbf{e}_{2}", r"A^{\top} \mathbf{e}_{1}", r"A \mathbf{e}_{0}"],
    r"e^{P}": [r"\exp(P)", r"e^{-P}", r"e^{B}", r"e^{Q}"],
    r"P^{2}": [r"P^{\odot 2}", r"P^{(2)}", r"P^{3}", r"P^{Q}", r"P^2"],
}


@pytest.mark.parametrize("text", SPOILED)
def test_a_changed_text_means_something_else(text):
    given = setting()
    writer = given.writer()
    (shape,) = {shape_of(row[1]) for row in MEANINGS if row[0] == text} or {None}
    right = read_at_any_shape(text, shape)
    value = writer(right)
    for wrong in SPOILED[text]:
        try:
            found = writer(read(wrong, NAMES, shape_of(right), ORIGINS))
        except sg.SymgradError:
            continue
        assert differ(given, value, found), wrong


def read_at_any_shape(text, shape):
    """Read a text whose shape is that of its first matrix, or a scalar."""
    tried = [shape] if shape is not None else [(), (n, n), (n, 1), (2, 2), (4, 4), (4, 2)]
    for known in tried:
        try:
            return read(text, NAMES, known, ORIGINS)
        except ParseError:
            pass
    raise AssertionError(text)


# ------------------------------------------------------------------------- what is no formula

HOSTILE = [
    "", " ", r"\,", "{}", "(", ")", "(t", "t)", r"\left(t", r"t\right)", r"\left(t)", "{t", "t}",
    r"\left[x\right)", r"\left(t\right", r"\left", r"\begin{cases}", r"\end{cases}",
    r"\begin{cases} t \end{bmatrix}", r"\begin{cases} t & \text{otherwise}",
    r"\begin{cases} t & \text{for } \end{cases}", r"\begin{cases} t & \text{for } t \wedge s",
    r"\begin{bmatrix} \end{bmatrix}", r"\begin{bmatrix} A & u \end{bmatrix}", r"\begin{",
    r"\frac{t}", r"\frac{t}{}", r"\frac{A}{S}", r"\sqrt{A}", r"\sqrt", "t^", "t^{", "t^2", "t_",
    "t_{1}", "x_{", "x_{}", "x_{1,}", "x_{i}", "x_{t}", "x_{:,:,:}", "x_{0}", "x_{-1}",
    r"x_{1,\ldots,n}", r"x_{A}", "A_{123}", "A_{1}", "B_{i1}", r"\sum_{i=1}^{n}",
    r"\sum_{i=1} x_{i}", r"\sum x_{i}", r"\sum_{i}^{n} x_{i}", r"\sum_{1=1}^{n} x_{1}",
    r"\sum_{i=1}^{A} x_{1}", r"\sum_{i=1}^{t} t", r"\sum_{i=1}^{n} \left[x\right]_{i}_{i}",
    r"\left[t\right]", r"\left[x\right]_{}", r"\left[x\right]_{i", r"\left[t\right]_{i=1}",
    r"\left[t\right]_{i=1, j=1, k=1}", r"\left[t\right]^{1, :}^{1, :}",
    r"\left[A = \max_{j} \left(S\right)\right]", r"\left[A = A\right]", "[t]", "[t > s",
    "[t > s > 0]", r"\unknown", r"\operatorname{what}(t)", r"\operatorname{diag}",
    r"\operatorname{diag}\left(B\right)", r"\operatorname{diag}\left(\mathbf{0}\right)",
    r"\operatorname{reshape}_{n \times n}\left(B\right)", r"\operatorname{tr}(B)", r"\det(B)",
    r"\operatorname{chol}\left(B\right)", "A + B", "A B^{\\top}", "A^{t}^{t}", r"\lambda",
    r"\lambda (A)^", "V", r"t(s)", r"t'", r"t\left(s\right)", r"\max()", r"\max(A, B)",
    r"\max_{j}(t, s)", r"\prod_{k} \left(A\right)", r"\psi", r"\psi^{(1)}", r"A \otimes",
    r"\otimes A", r"A S \otimes A", r"A \odot S \otimes A", r"A S \odot A",
    r"t \oslash s \odot t", r"\left(A \otimes A\right)^{\ast} \left(A\right)",
    r"\left(A\right)^{\ast}", r"\mathbf{1}^{\top} \mathbf{1}", r"\operatorname{tr}(I)",
    r"\mathbf{e}", "1 2", "1 + + 2", "2.", "1..2", "x y", "x x", "A x^{\\top}", "\\", "\\\\", "&",
    "t & s", "t = s", "t, s", "t : s", "$", "\x00", "é", r"\text{otherwise}", r"\ldots",
    "W^{(2)}", "W", "v_{2}", r"\mathrm{D}e^{P}\left[\right]",
    r"\mathrm{D}^{2}e^{P}\left[Q\right]", r"\tanh", r"\tanh'", r"\tanh t", r"\log^{2}(A)",
    r"\log(t, s)", r"\Gamma'(t)", r"\operatorname{atan2}(t)", "__import__('os')",
    r"\left\lVert x", r"\left\lvert t \right\rVert", "e^", "e^{B}", "0^{A}",
]  # fmt: skip


@pytest.mark.parametrize("text", HOSTILE)
@pytest.mark.parametrize("shape", [(), (n, n)])
def test_what_is_no_formula_is_an_error_with_its_place(text, shape):
    with pytest.raises(ParseError) as caught:
        read(text, NAMES, shape, ORIGINS)
    assert 0 <= caught.value.start <= len(text)
    assert repr(text[caught.value.start :][:40])[1:-1] in str(caught.value)


DEEP = {
    "brackets": ("(", "t", ")"),
    "growing brackets": (r"\left(", "t", r"\right)"),
    "fractions": (r"\frac{1}{", "t", "}"),
    "powers": ("2^{", "t", "}"),
    "functions": (r"\tanh(", "t", ")"),
    "sums": (r"\sum_{i=1}^{n} ", "t", ""),
    "cases": (r"\begin{cases} ", "t", r" & \text{otherwise} \end{cases}"),
    "entries": (r"\left[", "x", r"\right]_{i=1}^{n}"),
    "subscripts": ("x_{", "1", "}"),
    "conditions": (r"\begin{cases} 1 & \text{for } " + r"\left(", "t > 0", r"\right)"),
    "signs": (r"\neg ", "t", ""),
    "open": (r"\left(", "t", ""),
}


@pytest.mark.parametrize("kind", DEEP)
@pytest.mark.parametrize("levels", [DEEPEST + 1, 10_000])
def test_deep_nesting_is_an_error(kind, levels):
    before, inside, after = DEEP[kind]
    with pytest.raises(ParseError):
        read(before * levels + inside + after * levels, NAMES, ())


def test_long_formulas_are_read():
    text = " + ".join(["t s"] * 3_000)
    assert read(text, NAMES, ()) == 3_000 * t * s
    assert read(" ".join(["t"] * 3_000), NAMES, ()) == t**3_000
    nested = "(" * (DEEPEST - 1) + "t" + ")" * (DEEPEST - 1)
    assert read(nested, NAMES, ()) == t


# -------------------------------------------------------------------------- signs and names


@pytest.mark.parametrize("sign", FUNCTIONS)
def test_functions_have_the_signs_of_the_printer(sign):
    """The printer is of another room, which the reader cannot ask."""
    function = FUNCTIONS[sign]
    if sign == r"\operatorname{atan2}":
        assert function_name(sp.atan2(t, s)) == sign
        return
    entry = functions.entry_of(function)
    if entry is None and function is not functions.identity:
        assert function_name(function(t, evaluate=False)) == sign or function is sp.exp
    given = setting()
    writer = given.writer()
    assert not differ(given, writer(function(t)), writer(read(rf"{sign}(t)", NAMES, ())))


def test_the_longest_name_is_meant():
    first, second = sp.symbols("first second", real=True)
    names = {"w": first, "w_{1}": second, "w^{(1)}": sp.pi, r"\alpha": t, r"\alpha_{2}": s}
    assert read("w w_{1} w^{(1)}", names, ()) == first * second * sp.pi
    assert read(r"\alpha \alpha_{2}", names, ()) == t * s
    with pytest.raises(ParseError):
        read("w_{2}", names, ())


def test_a_letter_hides_a_name_where_it_is_bound():
    names = {**NAMES, "i": t}
    found = read(r"i + \sum_{i=1}^{3} i + i", names, ())
    assert found.doit() == 2 * t + 6


def test_a_sign_that_is_a_name_is_no_function():
    names = {r"\sigma": t, r"\lambda": s, "e": sp.Symbol("e", real=True), "s": s, "P": P}
    assert read(r"\sigma (s + 1)", names, ()) == t * (s + 1)
    assert read(r"e^{2}", names, ()) == names["e"] ** 2
    for text in (r"\sigma(s)", r"\sigma'(s)", r"\lambda\left(P\right)"):
        with pytest.raises(ParseError, match="product or the value"):
            read(text, names, ())


def test_entries_beyond_an_array_are_errors():
    for text in ("P_{31}", "P_{13}", "P_{10}", r"\sum_{i=1}^{3} P_{i1}", r"\sum_{i=1}^{2} P_{i3}"):
        with pytest.raises(ParseError):
            read(text, NAMES, ())


@pytest.mark.parametrize(
    ("sign", "relation"),
    {">": sp.Gt, "<": sp.Lt, r"\geq": sp.Ge, r"\leq": sp.Le, "=": sp.Eq, r"\neq": sp.Ne}.items(),
)
def test_comparisons_are_those_that_are_printed(sign, relation):
    """On the border only they differ, which no random point meets."""
    text = rf"\begin{{cases}} 1 & \text{{for }} t {sign} s \\ 0 & \text{{otherwise}} \end{{cases}}"
    assert read(text, NAMES, ()) == sp.Piecewise((1, relation(t, s)), (0, True))


def test_products_that_are_printed_with_brackets_need_them():
    for text in (r"P \otimes Q \otimes P", r"P \otimes Q P", r"P Q \otimes P", r"x \ast u \ast x"):
        for shape in [(8, 8), (4, 4), (2 * n + m - 2, 1)]:
            with pytest.raises(ParseError, match=r"brackets|fit"):
                read(text, NAMES, shape)
    with pytest.raises(ParseError, match="needs brackets"):
        read(r"P \otimes Q \otimes P", NAMES, (8, 8))


def test_a_scalar_is_no_matrix():
    with pytest.raises(ParseError, match="a scalar"):
        read("t", NAMES, (n, n))
    assert read("0", NAMES, (n, n)) == Broadcast(0, n, n)
    assert read("t", NAMES, (1, 1)).shape == (1, 1)


def test_sizes_that_are_not_printed_follow_from_what_is_beside():
    assert read(r"A + \mathbf{1} \mathbf{1}^{\top}", NAMES, (n, n)).shape == (n, n)
    assert read(r"\mathbf{1}^{\top} (I + P) \mathbf{1}", NAMES, ()).has(sp.Identity(2))
    assert read(r"\left(\mathbf{e}_{1} \otimes \cdot\right)^{\ast} \left(x \ast u\right)",
                NAMES, (1, 1)) is not None  # fmt: skip
    with pytest.raises(ParseError, match="cannot be told"):
        read(r"t \mathbf{1}^{\top} \mathbf{1}", NAMES, ())
