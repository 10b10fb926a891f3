"""What is printed says one thing only: indices, orders of sums, names, higher derivatives."""

import shutil
import subprocess

import pytest
import sympy as sp

import symgrad as sg

i, j, k = sp.symbols("i j k", integer=True)
n, d = sp.symbols("n d", integer=True, positive=True)
x, y, w = (sp.IndexedBase(name) for name in "xyw")
a, b = sp.symbols("a b", real=True)
S, v = sp.MatrixSymbol("S", n, n), sp.MatrixSymbol("v", n, 1)


def printed(loss, wrt):
    formula = sg.Formula.of(loss)
    return (formula.latex() + sg.gradient(formula, wrt).latex()).replace("&", "")


def test_the_index_of_an_entry_is_not_that_of_a_sum():
    loss = sp.Sum((sp.Sum(w[j] * x[i, j], (j, 1, d)) + b - y[i]) ** 2, (i, 1, n)) / 2
    text = printed(loss, ["w", "b"])
    assert r"x_{ik}\right]_{k=1}^{d}" in text
    assert r"x_{ii}" not in text
    # The half and the two of the square cancel, under the sum, too.
    assert r"\frac{\partial L}{\partial b} = \sum_{i=1}^{n} \left(b +" in text


def test_the_letter_of_an_entry_is_no_variable():
    taken = sp.Symbol("i", real=True)
    assert r"\right]_{j=1}^{3}" in printed(sp.Sum(taken * x[k] ** 2, (k, 1, 3)), "x")


def test_the_outer_sum_stands_outside():
    text = printed(sp.Sum(x[i] * y[j], (j, 1, i), (i, 1, n)), "x")
    assert r"L = \sum_{i=1}^{n} \sum_{j=1}^{i} x_{i} y_{j}" in text


def test_entries_of_products_print_as_products():
    text = printed((v.T * S * v)[0, 0], "v")
    assert r"L = v^{\top} S v" in text
    assert r"= (S + S^{\top}) v" in text


def test_ranges_from_zero():
    text = printed(sp.Sum(a * x[i] ** 2, (i, 0, n - 1)), "a")
    assert r"\sum_{i=0}^{n - 1} x_{i}^{2}" in text


def test_a_variable_e_is_not_eulers_number():
    e = sp.Symbol("e", real=True)
    assert r"\exp(a e)" in printed(sp.exp(e * a), "a").replace("e a", "a e")


ODD = ["a%b", "#", "$", "&", "_", "x_", "{", "}{", "^", "a^b^c", "~", "\\", "x'", "é", "a\u0301",
       "\u03b1", "\u03b1_2", "\u6570", "lambda_", "w_{11}^{(1)}", "rate", "a b", "\n"]  # fmt: skip


@pytest.mark.skipif(not shutil.which("pdflatex"), reason="pdflatex is missing: apt install "
                    "texlive-latex-base")  # fmt: skip
def test_no_name_breaks_the_document(tmp_path):
    value = sp.Mul(*(sp.Symbol(name, real=True) for name in ODD))
    sg.derive(sp.tanh(value), ["rate"]).save(tmp_path / "odd.tex")
    done = subprocess.run(
        ["pdflatex", "-interaction=nonstopmode", "-halt-on-error", "odd.tex"],
        cwd=tmp_path, capture_output=True, text=True, timeout=120,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout[-1500:]


def test_the_title_is_a_formula():
    derived = sg.derive(sp.Symbol("L", real=True) ** 2 * a, "L")
    assert r"\section*{The gradient of $L_{2}$}" in derived.latex()
    assert derived.markdown().startswith("# The gradient of $L_{2}$")


def test_derivatives_of_derivatives():
    first = sg.gradient(sp.tanh(a * b), "a")
    assert r"\frac{\partial^2 L}{\partial a^2}" in sg.gradient(first, "a").latex()
    mixed = sg.gradient(first, "b").latex()
    assert r"\frac{\partial^2 L}{\partial b\,\partial a}" in mixed
    third = sg.gradient(sg.gradient(first, "a"), "a").latex()
    assert r"\frac{\partial^3 L}{\partial a^3}" in third


def test_signs_and_constants():
    X = sp.MatrixSymbol("X", 3, 2)
    assert r"-\mathbf{1} \mathbf{1}^{\top}" in printed(-sg.sum_entries(X), "X")
    assert "1 " + r"\mathbf" not in printed(-sg.sum_entries(X), "X")
    assert r"10^{-5}" in printed(sp.Float(1e-5) * a**2, "a")
    power = sg.sum_entries(sp.HadamardPower(X, -2))
    assert r"X^{\odot (-3)}" in printed(power, "X")
    assert r"\exp(-X)" in printed(sg.sum_entries(sg.elementwise(sp.exp, -X)), "X")


def test_signs_are_explained_where_they_are_used():
    sums = sg.derive(sp.Sum(a * x[i] ** 2, (i, 1, n)), "a").markdown()
    assert r"\odot" not in sums
    assert "column of ones" not in sums
    net = sg.Network(2, [sg.Dense(3, activation="softmax")])
    text = sg.derive(sg.cross_entropy(net)).markdown()
    assert "The rows of $Y$ sum to one." in text
    assert "column of ones" in text


def test_what_is_subtracted_stands_in_brackets():
    x, a = (sp.MatrixSymbol(name, 3, 1) for name in "xa")
    difference = sp.MatAdd(x, sp.MatMul(-1, a))
    shown = sg.Formula.of(sp.MatMul(-1, difference)).latex()
    assert shown.endswith("= -(x - a)")
    whole = sp.MatAdd(a, sp.MatMul(-1, sp.HadamardProduct(x, x)), sp.MatMul(-1, difference))
    assert "- (x - a)" in sg.Formula.of(whole).latex() or "-(x - a)" in sg.Formula.of(whole).latex()
    loss = sg.parse("exp(-(x - a) @ (x - a) / 2)", {"x": "n", "a": "n"})
    assert "{2} -(" not in loss.latex()


def test_operations_bracket_what_they_take():
    shapes = {"A": ("n", "n"), "B": ("n", "n")}
    assert r"\left(A + B\right)^{+}" in sg.parse("sum(pinv(A + B))", shapes).latex()
    assert r"\left(A + B\right) \otimes A" in sg.parse("sum(kron(A + B, A))", shapes).latex()
    assert r"\det \left(A B\right)" in sg.parse("logdet(A @ B)", shapes).latex()
    by_inverse = sg.gradient(sg.parse("logdet(A @ A)", shapes), "A").latex()
    assert r"(A A)^{-\top}" in by_inverse


def test_the_backward_pass_names_what_the_forward_pass_defines():
    shapes = {"X": ("n", 5), "W": (5, "h"), "b": "h", "w": "h", "y": "n"}
    loss = sg.parse("mean((softplus(X @ W + b) @ w - y)**2)", shapes)
    page = sg.derive(loss, ["W", "w"], detail="result").markdown()
    forward, backward = page.split("## Forward pass")[1].split("## Backward pass")
    for name in ("t_{1}", "t_{2}", "t_{3}"):
        assert name not in backward or f"{name} &=" in forward
    assert "t_{3}" in backward
