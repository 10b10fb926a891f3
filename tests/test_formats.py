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
    (v.T * A * v, v, r"(A + A^{\top}) v"),
    (sp.log(sp.Determinant(A)), A, r"A^{-\top}"),
    (sp.exp(-lam * x), lam, r"-e^{-\lambda x} x"),
    (sp.sqrt(v.T * v), v, r"\frac{1}{\left\lVert v \right\rVert} v"),
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
    assert r"\frac{\partial L}{\partial w^{(1)}_{11}} &= " in scalars
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
    assert r"\tanh'(u) &= 1 - \tanh^{2}(u)" in body  # z has a meaning


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


ODD_NAMES = (
    *("a%", "#", "$", "&", "{", "}", "_", "\\", "^", "~", "x'", "\\x{", "x__a", "x1", "x_1"),
    *(
        "w_{11}^{(1)}",
        "rate",
        "lambda_",
        "a b",
        "t_1",
        "L",
        "e",
        "x\N{COMBINING CIRCUMFLEX ACCENT}",
    ),
    *("\N{LATIN SMALL LETTER E WITH ACUTE}", "\N{CJK UNIFIED IDEOGRAPH-5931}"),
)
DERIVATIONS = {
    "perceptron": sg.mse(sg.Network(1, [sg.Dense(1, activation="tanh")]).scalars()),
    "rows": sg.mse(sg.Network(3, [sg.Dense(4, activation="relu"), sg.Dense(2)])),
    "columns": sg.sse(sg.Network(3, [sg.Dense(2, activation="softplus")], orientation="columns")),
    "scalars": sg.mse(sg.Network(2, [sg.Dense(2, activation="sigmoid"), sg.Dense(1)]).scalars()),
    "sum": sp.Sum((w * xs[i] + b - ys[i]) ** 2, (i, 1, n)) / 2,
    "cases": sp.Piecewise((x**2 * y, x > 0), (sp.sin(x) / y, True)) + sp.Max(x, y, 0),
    "matrices": sp.log(sp.Determinant(A)) + sp.Trace(A.inv() * A.T) + (v.T * A * v)[0, 0],
    "names": sp.prod(sp.Symbol(name, real=True) ** 2 for name in ODD_NAMES),
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
    assert page.startswith("# The gradient of $L$\n")
    assert page.count("$$") % 2 == 0
    assert r"\delta^{(1)} = \frac{\partial L}{\partial Z^{(1)}}" in page


def test_text_reads_what_the_printer_writes():
    shown = text.derivation(derived_of("rows"), detail="chain")
    assert "\\" not in shown
    assert "∂L/∂W⁽¹⁾ = Xᵀ δ⁽¹⁾" in shown
    for name in DERIVATIONS:
        # A backslash in a name is shown; one of LaTeX is not.
        shown = text.derivation(derived_of(name), detail="result")
        assert not re.search(r"\\[a-wy-z]{2}", shown), name


def test_fitted_numbers_print_with_eight_digits():
    fit = sg.Network(1, [sg.Dense(1)]).scalars().fit([1.0, 2.0], [2.0, 4.0], seed=0, epochs=3)
    value = fit.parameters["w1"]
    assert f"{value:.8g} x" in fit.formula().latex()
    assert np.isfinite(value)


def printed_of(expression):
    return sg.Formula.of(expression).latex().removeprefix("L = ")


NUMBERS = [
    (1e-5, "10^{-5}"),
    (1.5e20, r"1.5 \cdot 10^{20}"),
    (0.1 + 0.2, "0.3"),
    (1 / 3, "0.33333333"),
]


@pytest.mark.parametrize(("value", "wanted"), NUMBERS)
def test_numbers_print_as_people_write_them(value, wanted):
    assert printed_of(sp.Float(value) * x) == f"{wanted} x"
    assert printed_of(-sp.Float(value) * x) == f"-{wanted} x"


FUNCTIONS = [
    (sp.atan2(w, x), r"\operatorname{atan2}(w, x)"),
    (sp.asin(x), r"\arcsin(x)"),
    (sp.atan(x), r"\arctan(x)"),
    (sp.gamma(x), r"\Gamma(x)"),
    (sp.loggamma(x), r"\log \Gamma(x)"),
    (sp.digamma(x), r"\psi(x)"),
    (sp.polygamma(1, x), r"\psi^{(1)}(x)"),
]


@pytest.mark.parametrize(("expression", "wanted"), FUNCTIONS, ids=lambda p: str(p)[:30])
def test_functions_have_their_usual_names(expression, wanted):
    assert Printer(sg.Formula.of(x).graph)._print(expression) == wanted


def named(name):
    return sp.Symbol(name, real=True)


def test_names_that_are_introduced_look_like_no_input():
    loss = named("t_1") * sp.tanh(w * x) ** 2 * sp.cos(w * x)
    graph = sg.gradient(loss, w).graph
    printer = Printer(graph)
    shown = [
        printer.name(symbol).replace("{", "").replace("}", "") for symbol in graph.symbols.values()
    ]
    assert len(shown) == len(set(shown))
    assert "t1" not in graph.symbols


def test_inputs_that_would_print_alike_are_told_apart():
    assert printed_of(named("x1") * named("x_1") ** 2) == r"\mathrm{x1} \, x_{1}^{2}"
    assert printed_of(named("e") * sp.exp(x)) == r"e \exp(x)"
    assert printed_of(named("pi") * sp.pi) == r"\pi \, \mathrm{pi}"
    assert printed_of(named("sigma") * sg.sigmoid(x)) == r"\mathrm{sigma} \, \sigma(x)"


def test_a_loss_named_by_symgrad_stands_in_dollars_in_the_title():
    derived = sg.derive(named("L") * w**2, w)
    assert r"\section*{The gradient of $L_{2}$}" in derived.latex()
    assert derived.markdown().startswith("# The gradient of $L_{2}$\n")
    assert text.derivation(derived, detail="chain").startswith("The gradient of L₂\n")


NAMES = {
    "w_{11}^{(1)}": "w_{11}^{(1)}",
    "rate": r"\mathrm{rate}",
    "lambda_": r"\lambda",
    "100%": r"\mathrm{100\%}",
    "a#": r"\mathrm{a\#}",
    "$x": r"\mathrm{\$x}",
    "a&b": r"\mathrm{a\&b}",
    "{": r"\mathrm{\{}",
    "_": r"\mathrm{\_}",
    "\\": r"\mathrm{\backslash}",
    r"\input{a}": r"\mathrm{\backslash input\{a\}}",
    "x^": r"\mathrm{x\wedge}",
    "\N{LATIN SMALL LETTER E WITH ACUTE}": r"\acute{e}",
    "x\N{COMBINING CIRCUMFLEX ACCENT}": r"\hat{x}",
    "\N{GREEK SMALL LETTER LAMDA}": r"\lambda",
    "\N{CJK UNIFIED IDEOGRAPH-5931}": r"\mathrm{[5931]}",
    "w_ij": "w_{ij}",
    "x__a_1": "x^{a}_{1}",
    "x'": "x'",
}


@pytest.mark.parametrize("name", NAMES)
def test_every_name_prints_as_something_that_tex_can_read(name):
    assert Printer(sg.Formula.of(named(name)).graph).name(named(name)) == NAMES[name]


def test_gradients_of_gradients_print_as_second_derivatives():
    once = sg.gradient(w**3 * sp.sin(w * x), w)
    assert sg.gradient(once, w).latex().startswith(r"\frac{\partial^2 L}{\partial w^2} =")
    assert sg.gradient(once, x).latex().startswith(r"\frac{\partial^2 L}{\partial x\,\partial w} =")
    entry = sg.gradient((v.T * A * v)[0, 0] ** 2, v)[1, 0]
    assert r"\frac{\partial^2 L}{\partial v\,\partial v_{2}} &=" in sg.gradient(entry, v).latex()


def test_only_functions_that_were_differentiated_have_their_derivatives_listed():
    page = sg.derive(sg.softplus(w * x), w).latex()
    assert r"\operatorname{softplus}'(z) &= \sigma(z)" in page
    assert r"\sigma'(z)" not in page


def test_signs_of_what_is_written_out_come_to_the_front():
    graph = sg.Formula.of(x).graph
    t, u = named("t"), named("u")
    printer = Printer(graph, {t: -3 * w, u: 2 * t * x})
    assert printer._print(2 * t) == "-6 w"
    assert printer._print(b + u) == "b - 6 w x"


def test_what_has_a_formula_shows_it_in_jupyter():
    net = sg.Network(1, [sg.Dense(1, activation="tanh")])
    loss = sg.mse(net)
    fit = sg.train(loss, {"X": [[1.0], [2.0]], "Y": [[0.1], [0.5]]}, epochs=2, seed=0)
    for shown in (net, net.output, loss, sg.gradient(loss), sg.gradient(loss, "W1"), fit):
        assert shown._repr_latex_().startswith("$$")
    derivation = sg.derive(loss)
    assert "## Backward pass" in derivation._repr_markdown_()
    proof = derivation.check()._repr_markdown_()
    assert proof.count("| proved |") == len(derivation.check())
    wrong = sg.verify(loss, "W1", "X.T @ delta1 * 2")
    assert "refuted" in wrong._repr_markdown_()
