"""The engine against the oracle: every registry walked, and formulas of every kind."""

import oracle
import pytest
import sympy as sp
from checks import (
    explicit,
    function_is_right,
    gradient_is_right,
    same,
    shape_rule_is_right,
)

import symgrad as sg
from symgrad import functions, losses, rules, shapes

i, j = sp.symbols("i j", integer=True)
x, y, V = map(sp.IndexedBase, "xyV")
w, b = sp.symbols("w b", real=True)
A, B = sp.MatrixSymbol("A", 3, 3), sp.MatrixSymbol("B", 3, 3)
X, Y, u = sp.MatrixSymbol("X", 3, 2), sp.MatrixSymbol("Y", 3, 2), sp.MatrixSymbol("u", 3, 1)


@pytest.mark.parametrize("entry", functions.FUNCTIONS.values(), ids=lambda e: e.name)
def test_functions(entry):
    assert entry.law
    assert function_is_right(entry)


@pytest.mark.parametrize("rule", shapes.SHAPE_RULES.values(), ids=lambda r: r.head.__name__)
def test_shape_rules(rule):
    assert rule.law
    assert shape_rule_is_right(rule)


@pytest.mark.parametrize("head", rules.RULES, ids=lambda h: h.__name__)
def test_derivative_rules(head):
    rule = rules.RULES[head]
    assert rule.law
    assert rule.reason
    # Second derivatives of the examples are compared in test_rules.py, at another point.
    assert gradient_is_right(rule.example())


@pytest.mark.parametrize("entry", losses.LOSSES.values(), ids=lambda e: e.name)
def test_losses(entry):
    prediction, target, value = entry.example
    made = getattr(sg, entry.name)(sp.Matrix(prediction), sp.Matrix(target))
    assert entry.law
    assert abs(sp.N(explicit(made) - value, 30)) < sp.Rational(1, 10**25)


SOFTMAX = sp.HadamardProduct(
    sg.elementwise(sp.exp, X),
    sg.broadcast(sg.elementwise(lambda t: 1 / t, sg.sum_columns(sg.elementwise(sp.exp, X))), 3, 2),
)

FORMULAS = {
    "squares over an index": sp.Sum((w * x[i] + b - y[i]) ** 2, (i, 1, 4)) / 2,
    "nested sums": sp.Sum((sp.Sum(V[j, i] * x[i], (i, 0, 2)) - y[j]) ** 2, (j, 0, 1)),
    "shifted index": sp.Sum((x[i] - x[i - 1]) ** 2 * w, (i, 2, 4)),
    "three neighbours": sp.Sum(x[i] * x[i + 1] * x[i + 2], (i, 0, 2)),
    "both triangles": sp.Sum(V[i, j] * V[j, i] * x[i], (i, 0, 2), (j, 0, 2)),
    "diagonal": sp.Sum(V[i, i] ** 3 * x[i], (i, 0, 2)),
    "function of a sum": (
        sp.exp(sp.Sum(sp.tanh(w * x[i]), (i, 1, 3))) * sp.Sum(x[i] ** 2, (i, 1, 3))
    ),
    "cases in a sum": sp.Sum(sp.Piecewise((x[i] ** 2, x[i] > 1), (w * x[i], True)), (i, 1, 3)),
    "fixed entries": x[1] * x[2] ** 2 + sp.sin(x[3]),
    "logsumexp": sp.Sum(sp.log(sp.Sum(sp.exp(V[i, j]), (j, 0, 2))) * y[i], (i, 0, 1)),
    "backwards": sp.Sum(x[3 - i] * sp.sin(y[i]) * x[i], (i, 0, 3)),
    "a triangle": sp.Sum(V[i, j] ** 2 * x[j], (i, 0, j), (j, 0, 2)),
    "pairs": sp.Sum(x[i] * x[j] ** 2, (i, 0, j), (j, 0, 2)),
    "sum in a case": sp.Piecewise((sp.Sum(x[i] * w, (i, 1, 3)), w > 0), (x[1] ** 2, True)),
    "index as a number": sp.Sum(i * w * x[i], (i, 1, 3)),
    "sum of a constant": sp.Sum(w, (i, 1, 3)) * w,
    "kinks": sp.Abs(w - 2) * b + sp.Max(w, b, 0) ** 2 + sp.Min(w * b, b) * w,
    "powers": w**b + b**w + 2**w + w ** sp.Rational(-3, 2),
    "two arguments": sp.atan2(w, b) * w,
    "activations": sg.softplus(w) * sg.sigmoid(b) * sg.relu(w - b) ** 2,
    "shared parts": (sp.tanh(w * b) + sp.exp(sp.tanh(w * b))) * sp.tanh(w * b),
    "inverse": sp.Trace(A.inv() * B * A.T * B),
    "linear in disguise": sp.Trace(A.inv() * B * A.T * A),
    "log det": sp.log(sp.Determinant(A * A.T + B * B.T)),
    "det and powers": sp.Determinant(A) ** 2 * sp.Trace(B**3 * A),
    "quadratic form": u.T * A * u + u.T * u,
    "norm": sp.sqrt((A * u).T * (A * u)),
    "entrywise": sg.sum_entries(sp.HadamardProduct(A, B, A + B)),
    "entrywise power": sg.sum_entries(sp.HadamardPower(A * u, 3)),
    "two-argument map": sg.sum_entries(
        sg.elementwise(lambda s, t: sp.exp(s * w) * t, A, B * A)
    ),
    "columns": sg.sum_entries(sp.HadamardProduct(sg.broadcast(sg.sum_columns(X), 3, 2), X)),
    "rows": sg.sum_entries(sp.HadamardProduct(sg.broadcast(sg.sum_rows(X), 3, 2), X)),
    "cross-entropy": -sg.sum_entries(sp.HadamardProduct(sg.elementwise(sp.log, SOFTMAX), Y)),
    "scalar factors": sg.sum_entries(w * A * u + b * u) ** 2,
    "explicit determinant": sp.Matrix([[w, b], [b, w**2]]).det() * b,
    "explicit and symbols": sg.sum_entries(
        sp.ImmutableMatrix([[w, b, 1], [b, w**2, 0], [0, 1, w]]) * A * u
    ),
    "ones": sg.sum_entries(sp.OneMatrix(2, 3) * A * sp.OneMatrix(3, 1)) * w,
    "identity": sp.Trace(sp.Identity(3) * w * A) ** 2,
    "rank one": sp.Trace(A * u * u.T),
    "an entry": (A * B * u)[1, 0] ** 2,
    "SymPy's own map": sg.sum_entries((A * X).applyfunc(sp.tanh)),
}  # fmt: skip


@pytest.mark.parametrize("name", FORMULAS)
def test_first_and_second_derivatives_of_formulas(name):
    assert gradient_is_right(FORMULAS[name], positive=True, second=True)


@pytest.mark.parametrize("name", ["kinks", "activations", "entrywise", "scalar factors"])
def test_formulas_where_variables_are_negative(name):
    for seed in range(4):
        assert gradient_is_right(FORMULAS[name], seed=seed)


@pytest.mark.parametrize("name", FORMULAS)
def test_steps_replay_to_their_results(name):
    formula = sg.Formula.of(FORMULAS[name])
    steps = sg.derive(formula, list(formula.inputs)).steps
    assert steps
    for step in steps:
        active = {step.child, *step.node.atoms(sp.MatrixSymbol)}
        pulled = step.rule.pull(step.node, step.incoming, step.node, active)
        given = [value for child, value, _ in pulled if child == step.child]
        assert given, step
        if step.rule.name not in ("chain rule", "entrywise chain rule", "inverse", "determinant"):
            # Those four refer to the value of the node by its name.
            assert step.result in given, step


def test_what_has_no_rule_is_refused_by_name():
    f = sp.Function("f")
    refused = {
        f(w): "no closed derivative of `f`",
        sp.Determinant(sp.KroneckerProduct(A, B)): "KroneckerProduct",
        sp.Derivative(f(w), w): "no rule for `Derivative`",
        sp.Integral(sp.exp(-(w**2)), (w, 0, b)): "no rule for `Integral`",
        sp.Trace(A**w): "exponent must be 1, 2, 3",
    }
    for expression, message in refused.items():
        with pytest.raises(sg.UnsupportedError, match=message):
            sg.gradient(expression, list(map(str, sorted(expression.free_symbols, key=str)))[:1])


def test_conventions_at_kinks():
    point = {w: 0}
    assert sg.gradient(sg.relu(w), w).sympy.subs(point) == 0
    assert sg.gradient(sp.Max(0, w), w).sympy.subs(point) == 0
    assert sg.gradient(sp.Min(0, w), w).sympy.subs(point) == 0
    assert sg.gradient(sp.Abs(w), w).sympy.subs(point) == 0
    # Of two equal variables exactly one counts, so that the diagonal's slope is one.
    parts = sg.gradient(sp.Max(w, b), [w, b])
    assert sum(part.sympy.subs({w: 2, b: 2}) for part in parts.values()) == 1


def test_one_name_gives_a_formula_and_a_list_a_mapping():
    loss = (w * b - 1) ** 2
    single = sg.gradient(loss, w)
    assert isinstance(single, sg.Formula)
    many = sg.gradient(loss, ["w", b])
    assert list(many) == ["w", "b"]
    assert many["w"].sympy == many[w].sympy == single.sympy
    assert many.graph.definitions == many.derivation.result.definitions
    with pytest.raises(sg.OptionError, match="wrt is required"):
        sg.gradient(loss)
    with pytest.raises(sg.OptionError, match=r"unknown variable `q`; .*`b`, `w`"):
        sg.gradient(loss, "q")
    with pytest.raises(sg.ShapeError, match="gradient is that of a scalar"):
        sg.gradient(A * B, "A")


def test_an_explicit_matrix_of_symbols_gives_a_matrix():
    table = sp.Matrix(2, 3, sp.symbols("m:6", real=True))
    loss = sp.sin((table * table.T)[0, 1])
    made = sg.gradient(loss, table)
    assert made.shape == (2, 3)
    wanted = sp.Matrix(2, 3, [loss.diff(entry) for entry in table])
    assert sp.simplify(made.sympy - wanted) == sp.zeros(2, 3)


def test_symbols_with_any_name_just_work():
    for name in ("E", "I", "N", "S", "Q", "beta", "lambda", "L", "Z1", "dx", "t1", "pi", "np"):
        symbol = sp.Symbol(name)
        result = sg.gradient(symbol**2 * sp.Symbol("x"), name).sympy
        assert result == 2 * symbol * sp.Symbol("x"), name
        compiled = sg.compile(symbol**2 * sp.Symbol("x"), [name])
        assert compiled({name: 3.0, "x": 2.0}) == (18.0, {name: 12.0})


def test_symbols_of_one_name_are_one_variable_where_that_is_consistent():
    plain, real = sp.Symbol("q"), sp.Symbol("q", real=True)
    assert sg.Formula.of(plain * real + plain).sympy.free_symbols == {real}
    positive, negative = sp.Symbol("q", positive=True), sp.Symbol("q", negative=True)
    with pytest.raises(sg.OptionError, match="two symbols are named `q`"):
        sg.Formula.of(positive + negative)
    with pytest.raises(sg.OptionError, match="not real"):
        sg.Formula.of(sp.Symbol("q", imaginary=True))
    with pytest.raises(sg.OptionError, match="used both as"):
        sg.Formula.of(sp.Symbol("A") * sp.Trace(A))


def test_bare_symbols_come_out_as_they_went_in():
    plain = sp.Symbol("q")
    assert sg.gradient(plain**3, "q").sympy == 3 * plain**2


@pytest.mark.parametrize(
    ("expression", "message"),
    [
        (X + sp.MatrixSymbol("Z", sp.Symbol("n"), 2), "shapes do not fit"),
        (
            sp.MatMul(
                sp.MatrixSymbol("P", 3, sp.Symbol("k")), sp.MatrixSymbol("Q", sp.Symbol("m"), 2)
            ),
            "inner sizes k and m differ",
        ),
        (sp.HadamardProduct(X, sp.MatrixSymbol("Z", 3, sp.Symbol("m"))), "shapes do not fit"),
        (sp.Trace(sp.MatrixSymbol("P", sp.Symbol("k"), sp.Symbol("m"))), "square"),
        (sp.exp(A), "apply it to every entry with sg.elementwise"),
    ],
)  # fmt: skip
def test_ill_shaped_expressions_are_refused(expression, message):
    with pytest.raises(sg.ShapeError, match=message):
        sg.Formula.of(expression)


@pytest.mark.parametrize("bad", ["x + 1", object(), sp.I * w, sp.oo, True, None, sp.S.true])
def test_what_is_no_formula_is_refused(bad):
    with pytest.raises(sg.UnsupportedError):
        sg.Formula.of(bad)


def test_written_out_formulas_have_a_budget():
    net = sg.Network(2, [sg.Dense(3, activation="tanh") for _ in range(30)])
    with pytest.raises(sg.UnsupportedError, match=r"has \d+ nodes .* Use .graph"):
        _ = sg.gradient(sg.mse(net))["W1"].sympy


def test_arithmetic_of_formulas():
    net = sg.Network(2, [sg.Dense(1)])
    first, second = sg.mse(net), sg.half_sse(net)
    total = 2 * first - second + 1
    assert total.parameters == first.parameters
    sizes = {"n": 3}
    left = explicit(total, sizes)
    right = 2 * explicit(first, sizes) - explicit(second, sizes) + 1
    assert same(left, right)
    with pytest.raises(sg.ShapeError):
        _ = first + net.output
    other = sg.Formula.of(sp.Trace(sp.MatrixSymbol("W1", 5, 5)))
    with pytest.raises(sg.ShapeError, match="`W1` is"):
        _ = first + other


def test_counts():
    net = sg.Network(4, [sg.Dense(5, activation="tanh") for _ in range(10)])
    gradients = sg.gradient(sg.mse(net))
    assert gradients["W1"].counts["matrix products"] == 29
    assert sg.mse(net).counts["matrix products"] == 10


def test_cost_is_linear_in_depth():
    def size(depth):
        net = sg.Network(4, [sg.Dense(3, activation="tanh") for _ in range(depth)])
        made = sg.gradient(sg.mse(net))
        return len(made.graph), len(made.derivation.steps)

    small, double = size(16), size(32)
    assert size(64)[0] - double[0] == 2 * (double[0] - small[0])
    assert size(64)[1] - double[1] == 2 * (double[1] - small[1])


def test_deep_expressions_do_not_recurse():
    value = w
    for _ in range(150):
        value = sp.tanh(b * value)
    made = sg.gradient(value, [w, b])
    assert len(made.graph) < 1000
    compiled = sg.compile(value, ["w", "b"])
    result, parts = compiled(w=0.3, b=1.05)
    step = 1e-6
    ahead, _ = compiled(w=0.3, b=1.05 + step)
    behind, _ = compiled(w=0.3, b=1.05 - step)
    assert abs((ahead - behind) / (2 * step) - parts["b"]) < 1e-6 * max(1, abs(parts["b"]))
    assert 0 < result < 1


def test_the_oracle_refutes_a_wrong_claim():
    # The check itself must be able to fail.
    right = oracle.explicit(sp.Trace(A * B))
    assert same(right, oracle.explicit(sp.Trace(B * A)))
    assert not same(right, oracle.explicit(sp.Trace(A * B.T)))
