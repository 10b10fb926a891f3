"""Derivative rules and losses: the registries are walked, and derivations are replayed."""

from fractions import Fraction

import oracle
import pytest
import sympy as sp
from checks import agrees_with_what_was_written, explicit, gradient_is_right, same

import symgrad as sg
from symgrad import algebra, derivation, losses, rules

w, b = sp.symbols("w b", real=True)
A, B = sp.MatrixSymbol("A", 2, 2), sp.MatrixSymbol("B", 2, 2)
X, W, u = sp.MatrixSymbol("X", 2, 3), sp.MatrixSymbol("W", 3, 2), sp.MatrixSymbol("u", 3, 1)
i, j = sp.symbols("i j", integer=True)
x, V = sp.IndexedBase("x"), sp.IndexedBase("V")


def rule_is_right(rule):
    """What every entry must have: a law, a reason, and an example that is differentiated right."""
    if not (rule.name and rule.law and rule.reason):
        return False
    expression = rule.example()
    return agrees_with_what_was_written(expression, positive=True) and gradient_is_right(
        expression, seed=2, second=True
    )


def loss_is_right(entry):
    prediction, target, value = entry.example
    made = getattr(sg, entry.name)(sp.Matrix(prediction), sp.Matrix(target))
    pair = sp.MatrixSymbol("P", 2, 3), sp.MatrixSymbol("T", 2, 3)
    # Probabilities; a target that is computed is not declared to sum to one.
    free = [sg.elementwise(sg.sigmoid, part) for part in pair] if entry.fuses else pair
    symbolic = getattr(sg, entry.name)(*free)
    close = abs(sp.N(explicit(made) - value, 30)) < sp.Rational(1, 10**25)
    return bool(entry.law) and bool(close) and gradient_is_right(symbolic, positive=True)


@pytest.mark.parametrize("head", rules.RULES, ids=lambda h: h.__name__)
def test_a_rule_is_complete_and_right(head):
    assert rule_is_right(rules.RULES[head])


@pytest.mark.parametrize(
    "rule", sorted(set(rules.RULES.values()), key=lambda r: r.law), ids=lambda r: r.law
)
def test_the_example_takes_the_rule(rule):
    formula = sg.Formula.of(rule.example())
    steps = sg.derive(formula, list(formula.inputs)).steps
    heads = [head for head, known in rules.RULES.items() if known is rule]
    # What is piecewise constant gives nothing, so that it takes no step.
    if rule.name in ("piecewise constant function", "which entry is extreme"):
        assert any(formula.sympy.has(head) for head in heads)
    else:
        assert rule in {step.rule for step in steps}


def test_names_and_laws_tell_rules_apart():
    known = set(rules.RULES.values())
    assert len({rule.law for rule in known}) == len(known)


@pytest.mark.parametrize("entry", losses.LOSSES.values(), ids=lambda e: e.name)
def test_a_loss_is_complete_and_right(entry):
    assert loss_is_right(entry)


def distributions(table):
    """Rows of two entries between 0 and 1 that sum to one."""
    first = [1 / (1 + sp.exp(table[i, 0])) for i in range(table.rows)]
    return sp.ImmutableMatrix([[p, 1 - p] for p in first])


@pytest.mark.parametrize("entry", losses.LOSSES.values(), ids=lambda e: e.name)
def test_losses_agree_with_the_oracles_network(entry):
    activation = entry.fuses or "tanh"
    reference = oracle.network((3, 2), [activation], samples=4, loss=entry.name)
    net = sg.Network(3, [sg.Dense(2, activation=activation)])
    made = getattr(sg, entry.name)(net)
    names = {"b1": reference.parameters["b1"].T}
    targets = distributions(reference.targets) if entry.fuses else reference.targets
    names["Y"] = targets
    written = reference.loss.xreplace(dict(zip(reference.targets, targets, strict=True)))
    value = oracle.inline(list(made.graph), made.output, {"n": 4}, names)
    assert same(value, written)
    for name, symbols in reference.parameters.items():
        gradient = sg.gradient(made, name)
        got = oracle.inline(list(gradient.graph), gradient.output, {"n": 4}, names)
        wanted = oracle.gradient(written, symbols)
        assert same(got.T if name == "b1" else got, wanted), name


# ------------------------------------------------------------- derivations

NET = sg.Network(2, [sg.Dense(3, activation="tanh"), sg.Dense(2, activation="sigmoid")])
SHARED = sg.Dense(2, activation="softplus")

DERIVED = {
    "rows": sg.mse(NET),
    "columns": sg.half_sse(NET.columns()),
    "scalars": sg.sse(NET.scalars()),
    "a shared layer": sg.mse(sg.Network(2, [SHARED, SHARED, sg.Dense(1, activation="relu")])),
    "one factor twice": sp.Trace(sp.MatMul(A, B, A, B.T, A)),
    "one entry twice": sg.sum_entries(sp.HadamardProduct(A, B, A)),
    "inverse and det": sp.log(sp.Determinant(A)) * sp.Trace(sp.Inverse(A) * B),
    "shared scalars": (sp.tanh(w * b) + sp.exp(sp.tanh(w * b))) * sp.tanh(w * b) ** 2,
    "an index": sp.Sum((x[i] * x[i + 1] + w) ** 2 * x[i], (i, 1, 3)),
    "two indices": sp.Sum((sp.Sum(V[j, i] * x[i], (i, 0, 2)) - w) ** 2, (j, 0, 1)),
    "cases": sp.Piecewise((w**2 * b, w > b), (sp.exp(b), True)) * sp.Max(w, b),
    "entries in a map": sg.sum_entries(sg.elementwise(lambda t: sp.sin(t * A[0, 1]) * w, X)),
}  # fmt: skip


def derived(name):
    formula = sg.Formula.of(DERIVED[name])
    return sg.derive(formula, list(formula.inputs))


@pytest.mark.parametrize("name", DERIVED)
def test_every_step_replays_to_its_result(name):
    steps = derived(name).steps
    assert steps
    for step in steps:
        assert derivation.replay(step) == step.result, step


@pytest.mark.parametrize("name", DERIVED)
def test_steps_and_adjoints_compose_to_the_result(name):
    made = derived(name)
    assert made.adjoints
    written = {a.symbol: a.value for a in made.adjoints if not a.kept}
    adjoint_of = {a.variable: a.symbol for a in made.adjoints} | {made.goal: sp.S.One}
    for adjoint in made.adjoints:
        for contribution in adjoint.contributions:
            incoming = adjoint_of[contribution.source]
            for step in contribution.steps:
                assert step.incoming == incoming
                incoming = step.result
            assert contribution.value == incoming
            if contribution.steps:
                assert contribution.steps[-1].child == adjoint.variable
        values = [c.value for c in adjoint.contributions]
        if not values:
            continue
        total = algebra.add(*values) if adjoint.variable.is_Matrix else sp.Add(*values)
        # Adjoints that are no definitions are written out where they are used.
        for symbol in reversed(list(written)):
            total = sg.trees.replace(total, {symbol: written[symbol]})
        value = adjoint.value
        for symbol in reversed(list(written)):
            value = sg.trees.replace(value, {symbol: written[symbol]})
        sizes = {"n": 3}
        assert same(*(oracle.inline(list(made.result), v, sizes) for v in (total, value)))


@pytest.mark.parametrize("name", DERIVED)
def test_the_adjoints_are_the_result(name):
    made = derived(name)
    definitions = dict(made.result.definitions)
    for adjoint in made.adjoints:
        if adjoint.kept:
            assert definitions[adjoint.symbol] == adjoint.value
        else:
            assert adjoint.symbol not in definitions
    assert set(made.result.outputs) == {a.symbol for a in made.adjoints if a.variable in made.wrt}


def test_a_step_that_gives_nothing_does_not_replay():
    step = derived("shared scalars").steps[0]
    other = sg.Step(
        step.rule, step.node, step.value, sp.Symbol("q"), step.incoming, step.local, step.result
    )
    with pytest.raises(sg.UnsupportedError, match="gives nothing to `q`"):
        derivation.replay(other)


# -------------------------------------------------------------- conventions


def test_ties_of_maxima_have_one_winner():
    a, c = sp.symbols("a c", real=True)
    for head in (sp.Max, sp.Min):
        parts = sg.gradient(head(a, b, c), [a, b, c])
        for point in ({a: 2, b: 2, c: 2}, {a: 2, b: 2, c: 1}, {a: 1, b: 2, c: 2}):
            slopes = [part.sympy.subs(point) for part in parts.values()]
            assert set(slopes) == {0, 1}
            assert sum(slopes) == 1 or head is sp.Min or head is sp.Max
            assert sum(slopes) == 1
        clipped = sg.gradient(head(a, 0), a).sympy
        assert clipped.subs(a, 0) == 0


def test_functions_between_jumps_are_constant():
    for head in (sp.sign, sp.floor, sp.ceiling, sp.Heaviside, sg.step):
        assert sg.gradient(head(w) * w**2, w).sympy.subs(w, Fraction(7, 3)) == (
            head(sp.Rational(7, 3)) * sp.Rational(14, 3)
        )


def test_a_border_between_cases_belongs_to_the_case_that_holds():
    loss = sp.Piecewise((w**2, w > 1), (3 * w, True))
    slope = sg.gradient(loss, w).sympy
    assert (slope.subs(w, 1), slope.subs(w, 2)) == (3, 4)


def test_a_branch_that_is_not_taken_does_not_spoil_the_gradient():
    loss = sp.Piecewise((sp.log(w), w > 0), (w**2, True)) * b
    value, grads = sg.compile(loss, [w, b])(w=-2.0, b=3.0)
    assert (value, grads) == (12.0, {"w": -12.0, "b": 4.0})
    n, y = sp.Symbol("n", integer=True, positive=True), sp.IndexedBase("y")
    loss = sp.Sum(sp.Piecewise((sp.sqrt(y[i]), y[i] > 0), (w, True)), (i, 1, n))
    value, grads = sg.compile(loss, ["y", "w"])(y=[4.0, -1.0, 9.0], w=1.0)
    assert (value, grads["w"]) == (6.0, 1.0)
    assert list(grads["y"]) == [0.25, 0.0, 1 / 6]


@pytest.mark.parametrize("power", [1, 2, 3, 4])
def test_matrix_powers(power):
    assert gradient_is_right(sp.Trace(sp.MatMul(sp.MatPow(A, power), B)), second=power < 3)


def test_matrix_powers_without_a_rule_are_refused():
    for exponent in (sp.Rational(1, 2), w):
        with pytest.raises(sg.UnsupportedError, match="the exponent must be 1, 2, 3"):
            sg.gradient(sp.Trace(sp.MatPow(A, exponent, evaluate=False)), "A")


def test_derivatives_below_a_case_without_a_rule_are_refused():
    with pytest.raises(sg.UnsupportedError, match="no rule for the derivative"):
        sg.gradient(sp.Piecewise((sp.Trace(A * B), w > 0), (w, True)), "A")
