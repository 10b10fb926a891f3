"""What is declared of variables, where it simplifies gradients: and only there."""

from dataclasses import replace

import numpy as np
import pytest

import symgrad as sg
from symgrad.gradient import Gradient
from symgrad.gradient import gradient as unchecked
from symgrad.simplify import facts_of, simplified
from symgrad.verification.oracle import difference

RANDOM = np.random.default_rng(5)
SQUARE = {"A": ("n", "n"), "B": ("n", "n"), "x": "n", "y": "n"}


def declared(text, words):
    used = {name: shape for name, shape in SQUARE.items() if name in text}
    return sg.parse(text, used, {"A": words})


def arrays_of(loss, words):
    made = {name: RANDOM.normal(size=(3,) * len(v.shape)) for name, v in loss.inputs.items()}
    if "A" not in made:
        return made
    a = RANDOM.normal(size=(3, 3))
    made["A"] = {
        "symmetric": a + a.T,
        "positive definite": a @ a.T + np.eye(3),
        "orthogonal": np.linalg.qr(a)[0],
        "positive": np.exp(a),
        "in (0,1)": 1 / (1 + np.exp(a)),
        "invertible": a,
    }[words]
    return made


#: Text, what is declared of A, the variable, and how its gradient prints.
SIMPLER = [
    ("x @ A @ x", "symmetric", "x", "2 A x"),
    ("x @ A @ x", "positive definite", "x", "2 A x"),
    ("trace(A @ B @ A)", "symmetric", "B", "A A"),
    ("trace(A @ A)", "symmetric", "A", "2 A"),
    ("trace(A @ A @ A @ A)", "symmetric", "A", "4 A A A"),
    ("logdet(A)", "positive definite", "A", "A^{-1}"),
    ("x @ inv(A) @ x", "positive definite", "x", "2 A^{-1} x"),
    ("x @ inv(A) @ x", "symmetric", "A", r"-A^{-1} x x^{\top} A^{-1}"),
    ("sum((A @ x - y)**2)", "symmetric", "x", r"2 A (A x - y)"),
    ("x @ A.T @ A @ x", "orthogonal", "x", "2 x"),
    ("trace(A @ B @ A.T @ A)", "orthogonal", "B", "A^{\\top}"),
    ("sum(abs(A) * B)", "positive", "A", "B"),
    ("sum(abs(A) * abs(B))", "in (0,1)", "A", r"\left\lvert B \right\rvert"),
    ("norm(A, inf)", "symmetric", "A", None),
]


@pytest.mark.parametrize(("text", "words", "by", "shown"), SIMPLER)
def test_gradients_use_what_is_known_and_stay_right(text, words, by, shown):
    loss = declared(text, words)
    plain = declared(text, [])
    made = arrays_of(loss, words)
    assert difference(unchecked(loss, [by])) is None
    known, free = (sg.compile(f, wrt=[by])(**made)[1][by] for f in (loss, plain))
    assert np.allclose(known, free, rtol=1e-10, atol=1e-12)
    printed, longer = (sg.gradient(f, by).latex() for f in (loss, plain))
    if shown is not None:
        assert len(printed) < len(longer)


@pytest.mark.parametrize(("text", "words", "by", "shown"), [case for case in SIMPLER if case[3]])
def test_gradients_print_as_a_person_writes_them(text, words, by, shown):
    lines = sg.derive(declared(text, words), by).latex(document=False, detail="result")
    last = lines.split("&= ")[-1]
    for name, value in {"t_{1}": "A^{-1}"}.items():
        last = last.replace(name, value) if f"{name} &= {value}" in lines else last
    assert last.split(r" \\")[0].split("\n")[0].strip() in shown or shown in last, lines


def called(formula, made):
    """The value at those of the arrays that the formula still has."""
    names = {str(s) for s in formula.sympy.free_symbols} & set(made)
    return sg.compile(formula)(**{name: made[name] for name in names})


def test_positive_entries_pass_a_rectifier():
    A = sg.parse("sum(A)", {"A": (2, 3)}, {"A": "positive"}).inputs["A"]
    node = sg.elementwise(lambda z: sg.relu(z) + sg.relu(z) ** 2, A.symbol)
    new, applied = simplified(node, facts_of([A]))
    assert "relu" not in str(new)
    assert [rule.tied for rule, _, _ in applied] == [False] * len(applied)


STRUCTURED = [
    "x @ A @ y",
    "x @ A @ x",
    "logdet(A)",
    "trace(inv(A) @ B)",
    "sum(A * B)",
    "sum(exp(A))",
]


@pytest.mark.parametrize("text", STRUCTURED)
def test_structured_gradients_are_symmetric_and_right(text):
    loss = declared(text, "positive definite")
    free, kept = (sg.gradient(loss, "A", structured=s) for s in (False, True))
    made = arrays_of(loss, "positive definite")
    values = [called(f, made) for f in (free, kept)]
    assert np.allclose(values[1], values[1].T)
    assert np.allclose(values[1], (values[0] + values[0].T) / 2)
    # Along a symmetric direction both give the derivative, and it is that of the loss.
    direction = RANDOM.normal(size=(3, 3))
    direction += direction.T
    f, step = sg.compile(loss), 1e-5
    slope = (
        f(**{**made, "A": made["A"] + step * direction})
        - f(**{**made, "A": made["A"] - step * direction})
    ) / (2 * step)
    assert np.sum(values[1] * direction) == pytest.approx(slope, rel=1e-6)


def test_a_structured_gradient_prints_its_own_sign():
    loss = declared("x @ A @ y", "symmetric")
    printed = sg.derive(loss, ["A"], structured=True).latex(document=False)
    assert r"\nabla^{\mathrm{sym}}_{A} L" in printed
    assert r"\tfrac{1}{2} \left(\frac{\partial L}{\partial A}" in printed
    assert r"\frac{1}{2} (x y^{\top} + y x^{\top})" in printed
    assert "symmetric matrices" in printed


def test_structured_needs_a_symmetric_variable():
    loss = declared("x @ A @ y", [])
    with pytest.raises(sg.OptionError, match="declared symmetric"):
        sg.gradient(loss, "A", structured=True)
    with pytest.raises(sg.OptionError, match="declared symmetric"):
        sg.gradient(declared("x @ A @ y", "symmetric"), "x", structured=True)


@pytest.mark.parametrize("text", STRUCTURED)
def test_a_wrong_structured_gradient_is_found(text):
    derived = unchecked(declared(text, "symmetric"), ["A"], structured=True)
    assert difference(derived) is None
    formula = derived["A"]
    pairs = [
        (symbol, sg.algebra.scale(2, value) if symbol == formula.output else value)
        for symbol, value in formula.graph.definitions
    ]
    wrong = replace(formula.graph, definitions=tuple(pairs))
    broken = Gradient(
        derived.loss,
        {"A": replace(formula, graph=wrong)},
        replace(derived.derivation, result=wrong),
    )
    assert difference(broken) == "A"


def test_what_was_used_is_not_differentiated_by():
    loss = declared("x @ A @ x", "symmetric")
    by_x = sg.gradient(loss, "x")
    entry = by_x[0]
    with pytest.raises(sg.UnsupportedError, match="declared as symmetric"):
        sg.gradient(entry, "A")
    # Nothing was used of it on the other way, and the result is the same.
    by_a = sg.gradient(loss, "A")
    assert sg.gradient(by_a[0, 1], "x").shape == ("n",)
    assert sg.gradient(entry, "x").shape == ("n",)


def test_what_was_used_is_remembered_through_definitions():
    loss = declared("x @ inv(A) @ x", "symmetric")
    entry = sg.gradient(loss, "x")[0]
    with pytest.raises(sg.UnsupportedError, match="differentiate by `A` first"):
        sg.gradient(entry, "A")
    always = sg.parse("x @ inv(X.T @ X) @ x", {"X": ("m", "n"), "x": "n"})
    printed = sg.gradient(always, "x")
    assert sg.gradient(printed[0], "X").shape == ("m", "n")


def test_symmetry_of_definitions_needs_no_declaration():
    loss = sg.parse("G = X.T @ X; x @ inv(G) @ x", {"X": ("m", "n"), "x": "n"})
    derivation = sg.derive(loss, "x")
    assert r"2 t_{1} x" in derivation.latex(document=False)


def test_the_document_says_what_is_declared():
    text = declared("x @ A @ x", ["symmetric", "invertible"])
    assert "$A$ is symmetric and invertible." in sg.derive(text, "x").latex(document=False)


def test_the_command_line_has_it(capsys):
    from symgrad.cli import main

    words = ["derive", "x @ A @ y", "--shape", "A=n,n", "--shape", "x=n", "--shape", "y=n"]
    words += ["--assume", "A=symmetric", "--wrt", "A"]
    assert main([*words, "--structured"]) == 0
    assert "∇" in capsys.readouterr().out
    assert main(words) == 0
    assert "∇" not in capsys.readouterr().out


def test_arrays_must_be_what_was_used_of_them():
    loss = declared("x @ A @ x", "symmetric")
    crooked = np.array([[1.0, 2.0], [0.0, 3.0]])
    by_x = sg.compile(loss, wrt=["x"])
    with pytest.raises(sg.DataError, match="declared symmetric"):
        by_x(A=crooked, x=np.ones(2))
    # The value uses nothing of it, nor does the gradient by A.
    assert sg.compile(loss, wrt=["A"])(A=crooked, x=np.ones(2))[0] == 6
    positive = sg.parse("sum(abs(x))", {"x": 2}, {"x": "positive"})
    for wrt in (None, ["x"]):
        with pytest.raises(sg.DataError, match="declared positive"):
            sg.compile(positive, wrt=wrt)(x=np.array([1.0, -2.0]))
    turned = declared("x @ A.T @ A @ x", "orthogonal")
    with pytest.raises(sg.DataError, match="declared orthogonal"):
        sg.compile(turned, wrt=["x"])(A=crooked, x=np.ones(2))


def test_descent_out_of_the_range_stops_and_keeps_what_it_has():
    loss = sg.parse("sum(abs(w) * x)", {"w": 2, "x": 2}, {"w": "positive"})
    start = {"w": np.array([0.3, 0.5])}
    with pytest.raises(sg.DivergenceError, match="declared positive") as caught:
        sg.train(loss, {"x": np.ones(2)}, start=start, learning_rate=0.1, epochs=10)
    assert len(caught.value.fit.losses) == 3


def test_orthonormal_columns_are_compared_at_sizes_that_allow_them():
    loss = sg.parse("x @ U.T @ U @ y", {"U": ("n", "k"), "x": "k", "y": "k"}, {"U": "orthogonal"})
    assert sg.verify(loss, "x", "U.T @ U @ y").status == "proved"
    assert sg.verify(loss, "x", "y").status == "proved"
    assert sg.verify(loss, "x", "2 * y").status == "refuted"
    assert sg.gradient(loss, "x").sympy == loss.inputs["y"].symbol
    known = sg.parse(
        "sum((Q @ x - y)**2)", {"Q": ("m", "n"), "x": "n", "y": "m"}, {"Q": "orthogonal"}
    )
    assert sg.verify(known, "x", "2 * (x - Q.T @ y)").status == "proved"


def test_entries_that_sum_to_one_are_not_rows_that_do():
    shapes = {"X": (2, 2), "Y": (2, 2)}
    loss = sg.parse("-sum(Y * log(softmax(X, axis=1)))", shapes, {"Y": "entries sum to one"})
    assert sg.verify(loss, "X", "softmax(X, axis=1) - Y").status == "refuted"
    right = "softmax(X, axis=1) * sum(Y, axis=1, keepdims=True) - Y"
    assert sg.verify(loss, "X", right).status == "proved"
    assert sg.gradient(loss, "X").shape == (2, 2)
    value = sg.compile(loss)(X=np.ones((2, 2)), Y=np.full((2, 2), 0.25))
    assert value == pytest.approx(np.log(2))
    with pytest.raises(sg.DataError, match="sum to one"):
        sg.compile(loss)(X=np.ones((2, 2)), Y=np.full((2, 2), 0.5))
