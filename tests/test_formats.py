"""LaTeX, Markdown and plain text: what people would write, and what compiles."""

import re
import shutil
import subprocess

import numpy as np
import pytest
import sympy as sp

import symgrad as sg
from symgrad.formats import equations, text
from symgrad.formats.printer import Printer

w, x, b, y, z = sp.symbols("w x b y z", real=True)
lam, beta = sp.symbols("lambda beta", real=True)
n, d, k = (sp.Symbol(name, integer=True, positive=True) for name in "ndk")
X, W, Y = sp.MatrixSymbol("X", n, d), sp.MatrixSymbol("W", d, k), sp.MatrixSymbol("Y", n, k)
A, v = sp.MatrixSymbol("A", 3, 3), sp.MatrixSymbol("v", 3, 1)
i = sp.Symbol("i", integer=True)
xs, ys = sp.IndexedBase("x"), sp.IndexedBase("y")


def closed(loss, wrt):
    return sg.gradient(loss, wrt).latex().removesuffix("\n")


GRADIENTS = [
    # (loss, variable, what a person would write after "=")
    ((sp.tanh(w * z + b) - y) ** 2, w, r"2 (\tanh(w z + b) - y) (1 - \tanh^{2}(w z + b)) z"),
    ((w * x + b - y) ** 2, b, r"2 (w x + b - y)"),
    (sg.sum_entries(sp.HadamardPower(X * W - Y, 2)), W, r"2 X^{\top} (X W - Y)"),
    (sp.Trace(A * X.subs({n: 3, d: 3})), sp.MatrixSymbol("X", 3, 3), r"A^{\top}"),
    (v.T * A * v, v, r"A v + A^{\top} v"),
    (sp.log(sp.Determinant(A)), A, r"A^{-\top}"),
    (sp.exp(-lam * x), lam, r"-e^{-\lambda x} x"),
    (sp.sqrt(v.T * v), v, r"\frac{1}{\sqrt{v^{\top} v}} v"),
    (sp.Sum((w * xs[i] + b - ys[i]) ** 2, (i, 1, n)) / 2, w,
     r"\sum_{i=1}^{n} (w x_{i} + b - y_{i}) x_{i}"),
    (sg.sum_entries(sg.elementwise(sp.tanh, X * W)), W,
     r"X^{\top} (1 - \tanh^{\odot 2}(X W))"),
    (sp.Abs(x - y), x, r"\operatorname{sign}(x - y)"),
]  # fmt: skip


@pytest.mark.parametrize(("loss", "wrt", "wanted"), GRADIENTS, ids=lambda p: str(p)[:30])
def test_gradients_print_as_a_person_writes_them(loss, wrt, wanted):
    printed = closed(loss, wrt)
    assert f"= {wanted}" in printed.replace("&=", "=")


EXPRESSIONS = [
    ((x + y) ** 2 / 2, r"\frac{(x + y)^{2}}{2}", r"\frac{1}{2} (x + y)^{2}"),
    (sp.Rational(1, 2) * sp.Add(x**2, y**2), r"\frac{x^{2}}{2} + \frac{y^{2}}{2}", None),
    (1 - x**2, r"1 - x^{2}", None),
    (b + w * x, r"w x + b", r"b + w x"),
    (-y + x, r"x - y", None),
    (x / y, r"\frac{x}{y}", None),
    (x**-2, r"\frac{1}{x^{2}}", None),
    ((x + y) / (x - y), r"\frac{1}{x - y} (x + y)", None),
    (sp.Symbol("w_{11}^{(1)}", real=True) * x, r"w_{11}^{(1)} x", None),
    (sp.Max(0, x), r"\max(0, x)", None),
    (sg.relu(x), r"\operatorname{relu}(x)", None),
    (sp.tanh(x) ** 2, r"\tanh^{2}(x)", None),
    (x * (1 - x), r"x (1 - x)", None),
]  # fmt: skip


@pytest.mark.parametrize(("expression", "wanted", "other"), EXPRESSIONS, ids=lambda p: str(p)[:30])
def test_expressions_print_in_the_usual_order(expression, wanted, other):
    made = sg.Formula.of(expression).graph
    printed = Printer(made, dict(made.definitions))._print(made.definitions[-1][1])
    assert printed in (wanted, other)


j = sp.Symbol("j", integer=True)
a = sp.Symbol("a", real=True)
B = sp.MatrixSymbol("B", 3, 3)


def test_an_entrywise_gradient_takes_a_letter_that_no_sum_uses():
    loss = sp.Sum(xs[i] * xs[j] * ys[i], (i, 1, n), (j, 1, n))
    assert r"\left[\sum_{i=1}^{n} x_{i} y_{i}\right]_{j=1}^{n}" in closed(loss, "x")
    mean = sp.Sum(xs[j], (j, 1, n)) / n
    loss = sp.Sum((xs[i] - mean) ** 2, (i, 1, n))
    assert r"\right]_{k=1}^{n}" in closed(loss, "x")


def test_entrywise_gradients_count_from_where_the_array_counts():
    loss = sp.Sum((w * xs[i] - ys[i]) ** 2, (i, 0, n - 1))
    assert closed(loss, "x").endswith(r"\left[2 (w x_{i} - y_{i}) w\right]_{i=0}^{n - 1}")


def test_an_index_used_again_inside_of_a_sum_gets_a_letter_of_its_own():
    inner = sp.Sum(xs[i], (i, 1, n))
    loss = sp.Sum(sp.sin(inner) * ys[i], (i, 1, n))
    printed = sg.Formula.of(loss).latex()
    assert printed.count(r"\sum_{i=1}") == printed.count(r"\sum_{j=1}") == 1


def test_the_outer_sum_is_printed_first():
    loss = sp.Sum(xs[i] * ys[j], (j, 1, i), (i, 1, n))
    assert r"\sum_{i=1}^{n} \sum_{j=1}^{i} x_{i} y_{j}" in sg.Formula.of(loss).latex()


FACTORS = [
    # (loss, variable, the whole right-hand side)
    (sg.sum_entries(A), A, r"\mathbf{1} \mathbf{1}^{\top}"),
    (sg.sum_entries(-A), A, r"-\mathbf{1} \mathbf{1}^{\top}"),
    (sp.Trace(-2 * A.T * B), A, "-2 B"),
    (sg.sum_entries(sg.elementwise(sp.exp, A * B)), A, r"\exp(A B) B^{\top}"),
    (sg.sum_entries(sp.HadamardPower(A, a)), A, r"a A^{\odot (a - 1)}"),
    (sp.Max(a, b), a, "1 - [b > a]"),
    (sp.Sum(w + xs[i], (i, 1, n)), w, "n"),
]


@pytest.mark.parametrize(("loss", "wrt", "wanted"), FACTORS, ids=lambda p: str(p)[:30])
def test_no_factor_and_no_sign_is_left_over(loss, wrt, wanted):
    assert closed(loss, wrt).split(" = ")[-1] == wanted


def test_a_fraction_is_transposed_in_parentheses():
    printer = Printer(sg.gradient(sg.sse(sg.Network(2, [sg.Dense(2)]))).graph)
    slope = next(s for s in printer.graph.outputs)
    assert printer._print(slope.T).startswith(r"\left(\frac")


def test_a_sum_inside_a_product_keeps_its_parentheses():
    # The mean of two squares: without parentheses the factor would cover only the first.
    net = sg.Network(1, [sg.Dense(2)]).scalars()
    last = equations.definitions(sg.mse(net).graph)[-1]
    assert last.right[0].startswith(r"\frac{1}{2} ((")


def test_rows_columns_and_scalars_print_in_their_own_notation():
    layers = [sg.Dense(2, activation="tanh"), sg.Dense(1)]
    net = sg.Network(3, layers)
    rows = sg.gradient(sg.mse(net)).latex()
    assert r"Z^{(1)} &= X W^{(1)} + \mathbf{1} b^{(1)\top}" in rows
    assert r"\delta^{(1)} &= (\delta^{(2)} W^{(2)\top}) \odot (1 - (H^{(1)})^{\odot 2})" in rows
    assert r"\frac{\partial L}{\partial b^{(1)}} &= \delta^{(1)\top} \mathbf{1}" in rows
    columns = sg.gradient(sg.mse(net.columns())).latex()
    assert r"z^{(1)} &= W^{(1)} x + b^{(1)}" in columns
    assert r"\frac{\partial L}{\partial W^{(1)}} &= \delta^{(1)} x^{\top}" in columns
    scalars = sg.gradient(sg.mse(net.scalars())).latex()
    assert r"z^{(1)}_{1} &= w^{(1)}_{11} x_{1} + w^{(1)}_{21} x_{2}" in scalars


def test_a_one_layer_network_has_no_layer_marks():
    printed = sg.mse(sg.Network(1, [sg.Dense(1, activation="tanh")]).scalars()).latex()
    assert printed.splitlines()[1:-1] == [
        r"z &= w x + b \\",
        r"\hat{y} &= \tanh(z) \\",
        r"L &= (\hat{y} - y)^{2}",
    ]


def test_the_constant_of_the_loss_is_printed():
    net = sg.Network(3, [sg.Dense(2)])
    assert r"L &= \frac{1}{2 n} \left\lVert" in sg.mse(net).latex()
    assert r"L &= \frac{1}{2} \left\lVert" in sg.half_sse(net).latex()
    assert r"L &= \left\lVert" in sg.sse(net).latex()


def test_conventions_at_kinks_are_printed():
    net = sg.Network(2, [sg.Dense(1, activation="relu")])
    assert r"\operatorname{relu}'(0) = 0" in sg.gradient(sg.mse(net)).latex()
    assert r"\operatorname{relu}'(0) = 0" in sg.derive(sg.mse(net)).markdown()
    assert r"\operatorname{sign}(0) = 0" in sg.gradient(sp.Abs(x), x).latex()


def test_printed_length_is_linear_in_depth_and_within_the_bound():
    def length(depth):
        net = sg.Network(4, [sg.Dense(5, activation="tanh") for _ in range(depth)])
        return len(sg.gradient(sg.mse(net)).latex())

    assert length(10) <= 3500
    # Numbers of two digits make lines longer, by less than a tenth.
    assert length(64) - length(32) < 1.1 * 2 * (length(32) - length(16))


def test_details_and_formats_are_checked_by_name():
    derived = sg.derive((w * x - y) ** 2, w)
    with pytest.raises(sg.OptionError, match=r"unknown detail `chains`; did you mean `chain`"):
        derived.latex(detail="chains")
    with pytest.raises(sg.OptionError, match=r"unknown format `\.docx`"):
        derived.save("derivation.docx")


def test_chain_detail_shows_the_factors_of_the_chain_rule():
    net = sg.Network(1, [sg.Dense(1, activation="tanh")]).scalars()
    body = sg.derive(sg.mse(net)).latex(document=False)
    assert (
        r"\frac{\partial L}{\partial w} &= \frac{\partial L}{\partial z} "
        r"\frac{\partial z}{\partial w} = \delta x" in body
    )
    assert r"\tanh'(z) &= 1 - \tanh^{2}(z)" in body


def balanced(latex):
    """Braces and environments close in the order in which they opened."""
    depth = 0
    for token in re.findall(r"\\[{}]|[{}]", latex):
        depth += {"{": 1, "}": -1}.get(token, 0)
        assert depth >= 0
    opened = []
    for kind, name in re.findall(r"\\(begin|end)\{(\w+\*?)\}", latex):
        if kind == "begin":
            opened.append(name)
        else:
            assert opened.pop() == name
    return depth == 0 and not opened


DERIVATIONS = {
    "perceptron": sg.mse(sg.Network(1, [sg.Dense(1, activation="tanh")]).scalars()),
    "rows": sg.mse(sg.Network(3, [sg.Dense(4, activation="relu"), sg.Dense(2)])),
    "columns": sg.sse(sg.Network(3, [sg.Dense(2, activation="softplus")], orientation="columns")),
    "scalars": sg.mse(sg.Network(2, [sg.Dense(2, activation="sigmoid"), sg.Dense(1)]).scalars()),
    "sum": sp.Sum((w * xs[i] + b - ys[i]) ** 2, (i, 1, n)) / 2,
    "cases": sp.Piecewise((x**2 * y, x > 0), (sp.sin(x) / y, True)) + sp.Max(x, y, 0),
    "matrices": sp.log(sp.Determinant(A)) + sp.Trace(A.inv() * A.T) + (v.T * A * v)[0, 0],
    "odd names": sp.Symbol("lambda", real=True) * sp.Symbol("E") ** 2 + sp.Symbol("w_{1}^{(2)}"),
}  # fmt: skip


def derived_of(name):
    loss = DERIVATIONS[name]
    formula = sg.Formula.of(loss)
    return sg.derive(formula, None if formula.parameters else list(formula.inputs))


@pytest.mark.parametrize("name", DERIVATIONS)
def test_latex_is_balanced_and_leaves_nothing_of_python(name):
    derived = derived_of(name)
    for latex in (derived.latex(), derived.latex(document=False, detail="result")):
        assert balanced(latex)
        assert not re.search(r"Elementwise|MatMul|Broadcast|Dummy|\*\*|_t\b|sum_entries", latex)


@pytest.mark.parametrize("name", DERIVATIONS)
def test_documents_compile_with_the_base_packages(name, tmp_path):
    if shutil.which("pdflatex") is None:
        pytest.skip("pdflatex is missing: install texlive-latex-base (.ci/run does)")
    path = derived_of(name).save(tmp_path / "derivation.tex")
    command = ["pdflatex", "-interaction=nonstopmode", "-halt-on-error", path.name]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stdout[-1500:]
    assert (tmp_path / "derivation.pdf").stat().st_size > 5000
    # A line may reach a little into the margin, not off the page.
    wide = [float(points) for points in re.findall(r"Overfull \\hbox \(([\d.]+)pt", done.stdout)]
    assert all(points < 20 for points in wide), wide


def test_markdown_has_the_same_formulas_between_dollars():
    derived = derived_of("rows")
    page = derived.markdown()
    assert page.startswith("# The gradient of L\n")
    assert page.count("$$") % 2 == 0
    assert r"\delta^{(1)} = \frac{\partial L}{\partial Z^{(1)}}" in page


def test_text_reads_what_the_printer_writes():
    shown = text.derivation(derived_of("rows"), detail="chain")
    assert "\\" not in shown
    assert "∂L/∂W⁽¹⁾ = Xᵀ δ⁽¹⁾" in shown
    for name in DERIVATIONS:
        assert "\\" not in text.derivation(derived_of(name), detail="result"), name


def test_fitted_numbers_print_in_full():
    fit = sg.Network(1, [sg.Dense(1)]).scalars().fit([1.0, 2.0], [2.0, 4.0], seed=0, epochs=3)
    value = fit.parameters["w1"]
    assert f"{value:.10f}"[:10] in fit.formula().latex()
    assert np.isfinite(value)
