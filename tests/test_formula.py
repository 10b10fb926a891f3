"""The Formula's contract: what is wrapped, under which names, and how formulas combine."""

import pickle

import numpy as np
import oracle
import pytest
import sympy as sp
from checks import agrees_with_what_was_written, same

import symgrad as sg

w, b, c = sp.symbols("w b c", real=True)
n, npos = sp.Symbol("n"), sp.Symbol("n", integer=True, positive=True)
A, X, u = sp.MatrixSymbol("A", 3, 3), sp.MatrixSymbol("X", 3, 2), sp.MatrixSymbol("u", 3, 1)
i = sp.Symbol("i", integer=True)
x = sp.IndexedBase("x")
NET = sg.Network(2, [sg.Dense(3, activation="tanh"), sg.Dense(1)])


def test_what_a_formula_tells():
    formula = sg.Formula.of(
        sg.sum_entries(A * u) * w, shapes={"u": (3,)}, assumptions={"A": "symmetric"},
        parameters=["w", "A"], name="value",
    )  # fmt: skip
    assert str(formula.output) == "value"
    assert formula.shape == ()
    assert formula.parameters == ("w", "A")
    assert {name: v.shape for name, v in formula.inputs.items()} == {
        "A": (3, 3),
        "u": (3,),
        "w": (),
    }
    assert formula.inputs["A"].assumptions == ("symmetric",)
    assert formula.counts["matrix products"] == 1
    assert formula.counts["reductions"] == 1
    assert [s for s, _ in formula.graph][-1] == formula.output
    assert formula.graph["value"] == formula.graph[formula.output]
    assert formula.sympy == w * sg.matrices.SumEntries(A * u)
    assert sg.Formula.of(formula) is formula
    assert "value: a scalar" in repr(formula)
    assert formula.latex().startswith(r"\mathrm{value} =")
    assert r"\documentclass" in formula.latex(document=True)
    with pytest.raises(sg.OptionError, match="no definition is named `q`"):
        _ = formula.graph["q"]


def test_symbols_may_name_what_is_declared():
    formula = sg.Formula.of(sg.sum_entries(u) * w, shapes={u: (3,)}, parameters=w)
    assert formula.inputs["u"].shape == (3,)
    assert formula.parameters == ("w",)
    assert sg.Formula.of(w * b, parameters="w").parameters == ("w",)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"shapes": {"q": ()}}, "unknown input `q`"),
        ({"assumptions": {"q": "positive"}}, "unknown input `q`"),
        ({"parameters": ["q"]}, "unknown parameter `q`"),
        ({"parameters": "uw"}, "unknown parameter `uw`"),
        ({"assumptions": {"u": "big"}}, "unknown assumption `big`"),
        (
            {"shapes": {"u": (4,)}},
            r"`u` is declared as \(4,\), but in the expression",
        ),
        ({"shape": {}}, "unknown option of Formula.of `shape`; did you mean `shapes`"),
    ],
)
def test_declarations_that_are_refused(options, message):
    with pytest.raises(sg.SymgradError, match=message):
        sg.Formula.of(sg.sum_entries(u) * w, **options)


@pytest.mark.parametrize(
    "bad",
    [
        "x + 1", object(), None, True, [w], (w,), {"w": w}, np.eye(2), sp.Eq(w, b), w > b,
        sp.Array([w, b]), lambda t: t, sp.I * w, w + sp.zoo, sp.oo, -sp.oo, sp.nan, float("nan"),
        float("inf"), 1 + 2j, w * sp.sqrt(-2), w * sp.root(-2, 3), sp.log(-1) * w,
        sp.Sum(sp.I * x[i], (i, 1, 3)), sp.Matrix([[w, sp.I]]), sp.Tuple(w, b),
    ],
)  # fmt: skip
def test_what_is_no_real_expression_is_refused(bad):
    with pytest.raises(sg.UnsupportedError):
        sg.Formula.of(bad)


def test_numbers_are_formulas():
    for number in (3, 2.5, sp.pi, np.float64(1.5), sp.Rational(1, 3)):
        assert sg.Formula.of(number).sympy == sp.sympify(number)
        assert sg.Formula.of(number).inputs == {}
    assert sg.compile(sg.Formula.of(2.5))() == 2.5


def test_explicit_matrices():
    table = sp.Matrix([[w, b], [w * b, 1], [0, c]])
    formula = sg.Formula.of(table)
    table[0, 0] = 7  # a mutable matrix is copied
    assert formula.shape == (3, 2)
    assert formula.sympy[0, 0] == w
    assert formula[2, 1].sympy == c
    assert sg.Formula.of(sp.SparseMatrix([[w, 0], [0, b]])).sympy == sp.Matrix([[w, 0], [0, b]])


# ---------------------------------------------------------------------- names

NAMES = ["E", "I", "N", "S", "Q", "O", "C", "beta", "lambda", "gamma", "zeta", "pi", "np", "print",
         "sum", "L", "t1", "dx", "Z1", "delta1", "w_{11}^{(1)}", "x'", "a b", "sigma", "class",
         "None", "\u03b1", "value", "e"]  # fmt: skip


@pytest.mark.parametrize("name", NAMES)
def test_any_name_works(name):
    symbol, other = sp.Symbol(name), sp.Symbol("x", real=True)
    loss = sp.tanh(symbol * other) ** 2 + symbol
    assert agrees_with_what_was_written(loss)
    value, grads = sg.compile(loss, [name, "x"])({name: 0.5, "x": 2.0})
    tanh = np.tanh(1.0)
    np.testing.assert_allclose(value, tanh**2 + 0.5, rtol=1e-15)
    np.testing.assert_allclose(grads[name], 2 * tanh * (1 - tanh**2) * 2 + 1, rtol=1e-14)
    np.testing.assert_allclose(grads["x"], 2 * tanh * (1 - tanh**2) * 0.5, rtol=1e-14)
    assert sg.gradient(loss, name).latex()


@pytest.mark.parametrize("name", ["E", "I", "S", "lambda", "L", "w_{11}^{(1)}"])
def test_any_name_works_for_matrices(name):
    matrix = sp.MatrixSymbol(name, 3, 2)
    loss = sg.sum_entries(sg.elementwise(sp.tanh, matrix)) * w
    assert agrees_with_what_was_written(loss)
    grads = sg.compile(loss, [name])({name: np.ones((3, 2)), "w": 2.0})[1]
    np.testing.assert_allclose(grads[name], np.full((3, 2), 2 * (1 - np.tanh(1) ** 2)))


def test_one_name_is_one_variable_where_that_is_consistent():
    plain, real, positive = sp.Symbol("q"), sp.Symbol("q", real=True), sp.Symbol("q", positive=True)
    formula = sg.Formula.of(plain * real + positive**2)
    assert formula.sympy == 2 * positive**2
    assert list(formula.inputs) == ["q"]
    assert sg.Formula.of(plain**2).sympy == plain**2  # what goes in comes out
    assert sg.gradient(plain**3, real).sympy == 3 * plain**2


def test_sizes_of_one_name_are_one_size():
    left, right = sp.MatrixSymbol("P", n, 2), sp.MatrixSymbol("Q", npos, 2)
    assert sg.Formula.of(sp.MatAdd(left, right)).shape == ("n", 2)
    mean = sg.Formula.of(sg.sum_entries(left) / npos)
    assert list(mean.inputs) == ["P"]
    assert sg.compile(mean)(P=np.ones((4, 2))) == 2.0
    same_matrix = sp.MatAdd(left, sp.MatrixSymbol("P", npos, 2))
    assert list(sg.Formula.of(same_matrix).inputs) == ["P"]


@pytest.mark.parametrize(
    ("expression", "message"),
    [
        (
            sp.Symbol("q", positive=True) + sp.Symbol("q", negative=True),
            "two symbols are named `q`",
        ),
        (sp.Symbol("q", integer=True) + sp.Symbol("q", integer=False), "two symbols are named"),
        (sp.Symbol("q", imaginary=True), "not real"),
        (sp.Symbol("q", real=False) ** 2, "not real"),
        (sp.Symbol("A") * sp.Trace(A), "used both as MatrixSymbol and as Symbol"),
        (sp.Symbol("x") * x[1], "used both as IndexedBase and as Symbol"),
        (
            sp.Trace(sp.MatrixSymbol("x", 2, 2)) * x[1],
            "used both as IndexedBase and as MatrixSymbol",
        ),
        (sp.Trace(A) + sp.Trace(sp.MatrixSymbol("A", 2, 2)), "`A` is used with the shapes"),
        (sp.Dummy("q") * 2 + sp.Dummy("q"), "one of them a Dummy"),
        (sp.Dummy("q") * sp.Symbol("q"), "one of them a Dummy"),
        (
            sp.IndexedBase("x", shape=(3,))[0] * sp.IndexedBase("x", shape=(4,))[1],
            "with the shapes",
        ),
    ],
)
def test_names_that_contradict_are_refused(expression, message):
    with pytest.raises(sg.SymgradError, match=message):
        sg.Formula.of(expression)


def test_a_dummy_alone_is_a_variable():
    q = sp.Dummy("q", real=True)
    assert sg.gradient(q**2 * w, q).sympy == 2 * q * w


# ----------------------------------------------------------------- 1x1 borders


def test_a_product_of_size_one_is_a_scalar():
    for made in (u.T * A * u, u.T * u, (u.T * u).inv(), sp.OneMatrix(1, 3) * u, (u.T * u) ** 2):
        assert sg.Formula.of(made).shape == ()
    # What was declared or written out as a matrix stays one.
    assert sg.Formula.of(sp.MatrixSymbol("s", 1, 1)).shape == (1, 1)
    assert sg.Formula.of(sp.Matrix([[w]])).shape == (1,)  # one column


def test_elementwise_nodes_of_sympy_are_read():
    made = sg.Formula.of((A * X).applyfunc(sp.tanh))
    again = sg.Formula.of((A * X).applyfunc(sp.tanh))
    assert made.sympy == again.sympy == sg.elementwise(sp.tanh, A * X)
    lambdas = sg.Formula.of(X.applyfunc(sp.Lambda(c, sp.sin(c) * w)))
    assert set(lambdas.inputs) == {"X", "w"}


def test_scalar_functions_of_matrices_are_refused():
    for made in (sp.exp(X), sp.tanh(A), sp.log(A * A)):
        with pytest.raises(sg.ShapeError, match=r"apply it to every entry with sg\.elementwise"):
            sg.Formula.of(made)


# --------------------------------------------------------------------- entries


def test_entries():
    formula = sg.Formula.of(A * X)
    assert formula[1, 0].shape == ()
    assert same(
        oracle.inline(list(formula[1, 0].graph), formula[1, 0].output), oracle.explicit(A * X)[1, 0]
    )
    assert formula[np.int64(1), 0].sympy == formula[1, 0].sympy
    vector = sg.gradient(sg.sse(NET), "b1")
    assert vector.shape == (3,)
    assert vector[2].shape == ()
    rows = sg.Formula.of(sp.MatrixSymbol("P", npos, 2))
    for bad in ((-1, 0), (0, 2), (3, 0)):
        with pytest.raises(sg.OptionError, match="outside"):
            _ = formula[bad]
    with pytest.raises(sg.OptionError, match="outside"):
        _ = rows[-1, 0]
    for bad in (0, (0, 0, 0), (0.0, 1), ("a", 0), (True, 0), slice(None)):
        with pytest.raises(sg.OptionError, match="takes 2 integers"):
            _ = formula[bad]
    with pytest.raises(TypeError):
        list(formula)


# ------------------------------------------------------------------- combining


def value_of(formula, sizes=None):
    return oracle.inline(list(formula.graph), formula.output, sizes)


def test_arithmetic():
    first, second = sg.Formula.of(sp.tanh(w * b + 1) ** 2), sg.Formula.of(sp.tanh(w * b + 1) * c)
    one, two = value_of(first), value_of(second)
    for made, wanted in [
        (first + second, one + two), (first - second, one - two), (first * second, one * two),
        (2 * first + 1, 2 * one + 1), (1 - first, 1 - one), (-first, -one), (first * 0.5, one / 2),
        (c * first, c * one), (c + first, c + one), (c - first, c - one), (first - c, one - c),
        (first + first, 2 * one), (first - first, 0 * one), (first * first, one**2),
        (sp.Rational(1, 3) * first + sp.pi, one / 3 + sp.pi),
    ]:  # fmt: skip
        assert same(value_of(made), oracle.explicit(wanted))
        names = list(made.inputs)
        grads = sg.gradient(made, names)
        for name in names:
            symbol = oracle.variable(name)
            assert same(value_of(grads[name]), oracle.gradient(oracle.explicit(wanted), symbol))


def test_arithmetic_of_matrices():
    first, second = sg.Formula.of(A * X), sg.Formula.of(sg.elementwise(sp.tanh, X))
    assert same(value_of(first + second), oracle.explicit(sp.MatAdd(A * X, second.sympy)))
    assert same(value_of(first - second * w), oracle.explicit(A * X - w * second.sympy))
    assert same(value_of(-first), oracle.explicit(-A * X))
    for wrong in (sg.Formula.of(A), w, 1):
        with pytest.raises(sg.ShapeError, match="cannot add"):
            _ = first + wrong
    with pytest.raises(sg.UnsupportedError, match="write matrix products in SymPy"):
        _ = first * second


def test_made_up_names_give_way_when_formulas_are_combined():
    # t1 is the name of w b + 1 in the first formula, and an input of the second.
    t1 = sp.Symbol("t1", real=True)
    first, second = sg.Formula.of(sp.tanh(w * b + 1) ** 2), sg.Formula.of(t1**2)
    for made in (first + second, second + first):
        assert made.sympy == sp.tanh(w * b + 1) ** 2 + t1**2
        assert set(made.inputs) == {"w", "b", "t1"}
        assert sg.gradient(made, "t1").sympy == 2 * t1
        value, grads = sg.compile(made, ["t1", "w"])(w=0.5, b=0.25, t1=3.0)
        np.testing.assert_allclose(value, np.tanh(1.125) ** 2 + 9)
        assert grads["t1"] == 6.0
    # Two formulas that name different parts alike keep them apart.
    third = sg.Formula.of(sp.exp(w - b) ** 2 * sp.sin(w - b))
    assert same(value_of(first + third), value_of(first) + value_of(third))


def test_names_given_for_good_do_not_give_way():
    hidden = sg.sum_entries(sp.MatrixSymbol("H1", npos, 3))
    for combine in (lambda: sg.mse(NET) + hidden, lambda: sg.Formula.of(hidden) + sg.mse(NET)):
        with pytest.raises(sg.OptionError, match="`H1` is a"):
            combine()


def test_variables_are_matched_by_name_when_formulas_are_combined():
    weights = sg.sum_entries(sp.MatrixSymbol("W1", 2, 3))
    total = sg.mse(NET) + sp.Rational(1, 10) * sg.Formula.of(weights)
    assert list(total.parameters) == ["W1", "b1", "W2", "b2"]
    both, alone = (value_of(sg.gradient(f, "W1"), {"n": 2}) for f in (total, sg.mse(NET)))
    assert same(both, alone + oracle.explicit(sp.OneMatrix(2, 3)) / 10)
    plain = sg.Formula.of(sp.Symbol("w") ** 2)
    assert (plain + sg.Formula.of(w * b)).sympy == w**2 + w * b
    assert (sg.mse(NET) + sg.sum_entries(sp.MatrixSymbol("X", n, 2))).inputs["X"].shape == ("n", 2)
    with pytest.raises(sg.ShapeError, match="`W1` is used with the shapes"):
        _ = sg.mse(NET) + sg.sum_entries(sp.MatrixSymbol("W1", 3, 2))
    with pytest.raises(sg.OptionError, match="used both as"):
        _ = sg.mse(NET) + sp.Symbol("W1")


# ------------------------------------------------------------- written out, kept


def test_written_out_formulas_have_a_budget():
    deep = sg.Network(2, [sg.Dense(3, activation="tanh") for _ in range(30)])
    with pytest.raises(sg.UnsupportedError, match=r"`dW1` has \d+ nodes .* Use .graph"):
        _ = sg.gradient(sg.mse(deep))["W1"].sympy
    small = sg.mse(NET)
    with pytest.raises(sg.UnsupportedError, match="the limits are 10 "):
        small.graph.inline(small.output, budget=10)
    assert sg.trees.size(small.sympy) > 10


@pytest.mark.parametrize(
    "formula",
    [sg.mse(NET), sg.Formula.of(sp.Sum((w * x[i] - b) ** 2, (i, 1, 3))), sg.Formula.of(A * X),
     sg.gradient(sg.sse(NET.scalars()), "w1_1_1")],
    ids=["network", "sum", "matrix", "gradient"],
)  # fmt: skip
def test_pickle(formula):
    copy = pickle.loads(pickle.dumps(formula))
    assert copy.output == formula.output
    assert copy.inputs == formula.inputs
    assert copy.graph.labels == formula.graph.labels
    assert [s for s, _ in copy.graph] == [s for s, _ in formula.graph]
    # SymPy multiplies 2 (a - y) out when it is read back, so that the value is compared.
    assert same(value_of(copy, {"n": 2}), value_of(formula, {"n": 2}))
    if formula.derivation is not None:
        assert [s.rule for s in copy.derivation.steps] == [s.rule for s in formula.derivation.steps]


def test_written_out_formulas_are_plain_sympy_and_lambdify():
    # The names that a user wrote, x[i], are there again.
    loss = sp.Sum((w * x[i] - b) ** 2, (i, 1, 3))
    assert sg.Formula.of(loss).sympy == loss
    assert sg.gradient(loss, "b").sympy.atoms(sp.Indexed) == {x[i]}
    made = sg.mse(NET)
    arrays = {
        "X": np.array([[0.5, -1.0], [2.0, 0.25], [1.0, 1.5]]), "Y": np.array([[1.0], [0.0], [2.0]]),
        "W1": np.arange(6.0).reshape(2, 3) / 7, "b1": np.array([0.1, -0.2, 0.3]),
        "W2": np.array([[0.5], [1.5], [-1.0]]), "b2": np.array([0.75]),
    }  # fmt: skip
    compiled = sg.compile(made, wrt="parameters")
    value, grads = compiled(arrays)
    symbols = [v.symbol for v in made.inputs.values()]
    tall = [arrays[name].reshape(-1, 1) if arrays[name].ndim == 1 else arrays[name]
            for name in made.inputs]  # fmt: skip
    size = sp.Symbol("n", integer=True, positive=True)
    for name, wanted in {"": value, **grads}.items():
        written = made.sympy if not name else sg.gradient(made, name).sympy
        got = sp.lambdify([size, *symbols], written, "numpy")(3, *tall)
        np.testing.assert_allclose(np.ravel(got), np.ravel(wanted), rtol=1e-12, atol=1e-15)


def test_counts_count_the_graph():
    assert sg.mse(NET).counts["matrix products"] == 2
    assert sg.gradient(sg.mse(NET))["W1"].counts["matrix products"] == 5
    assert sg.Formula.of(w * b + c).counts == {
        "matrix products": 0, "elementwise": 2, "reductions": 0,
    }  # fmt: skip


def test_what_a_graph_needs_is_kept_in_order():
    made = sg.gradient(sg.mse(NET))
    needed = made.graph.needed([made["b2"].output])
    names = [str(s) for s, _ in needed]
    assert names[-1] == "db2"
    assert "dW1" not in names
    assert names == [name for name in made.graph.defined_names if name in names]
    sg.graph.check(needed.inputs, needed.definitions)
