"""Test the testers: every planted fault is caught by the checks that the suite runs.

A check that cannot fail is no check: each fault below is planted where a slip of the pen would
put it, and the same function that the walks over the registries call must say no.
"""

from dataclasses import replace

import pytest
import sympy as sp
from checks import (
    agrees_with_what_was_written,
    function_is_right,
    gradient_is_right,
    shape_rule_is_right,
)
from test_rules import DERIVED, derived, loss_is_right, rule_is_right

import symgrad as sg
from symgrad import algebra, derivation, functions, graph, losses, rules, shapes


def planted(rule, change):
    """The rule with contributions changed on their way; `change` takes the node, too."""

    def pull(node, g, value, active):
        for child, contribution, local in rule.pull(node, g, value, active):
            yield child, change(node, contribution), local

    return replace(rule, pull=pull)


def times(factor):
    return lambda _, c: algebra.scale(factor, c) if c.is_Matrix else factor * c


# Rules that give nothing have no contribution to change.
NOTHING = ("piecewise constant function", "which entry is extreme")
GIVING = [head for head, rule in rules.RULES.items() if rule.name not in NOTHING]
FAULTS = {"sign": times(-1), "half": times(sp.Rational(1, 2))}


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("head", GIVING, ids=lambda h: h.__name__)
def test_a_wrong_rule_is_caught(monkeypatch, head, fault):
    wrong = planted(rules.RULES[head], FAULTS[fault])
    monkeypatch.setitem(rules.RULES, head, wrong)
    assert not rule_is_right(wrong)


SQUARE = {
    sp.MatMul: sp.Trace(sp.MatMul(sp.MatrixSymbol("A", 2, 2), sp.MatrixSymbol("B", 2, 2))),
    sp.Transpose: sg.sum_entries(
        sp.HadamardProduct(sp.MatrixSymbol("A", 2, 2).T, sp.MatrixSymbol("B", 2, 2))
    ),
    sp.Inverse: rules.RULES[sp.Inverse].example(),
    sp.MatPow: rules.RULES[sp.MatPow].example(),
    sp.Determinant: rules.RULES[sp.Determinant].example(),
}


@pytest.mark.parametrize("head", SQUARE, ids=lambda h: h.__name__)
def test_a_missing_transpose_is_caught(monkeypatch, head):
    # On square matrices no shape tells.
    assert gradient_is_right(SQUARE[head])
    wrong = planted(rules.RULES[head], lambda _, c: algebra.transpose(c))
    monkeypatch.setitem(rules.RULES, head, wrong)
    assert not gradient_is_right(SQUARE[head])


def test_a_missing_transpose_of_other_shapes_is_refused(monkeypatch):
    wrong = planted(rules.RULES[sp.MatMul], lambda _, c: algebra.transpose(c))
    monkeypatch.setitem(rules.RULES, sp.MatMul, wrong)
    loss = sg.sum_entries(sp.MatMul(sp.MatrixSymbol("A", 2, 3), sp.MatrixSymbol("B", 3, 4)))
    with pytest.raises(sg.ShapeError, match="but its definition is"):
        sg.gradient(loss, "A")


@pytest.mark.parametrize("head", [sp.Mul, sp.MatMul, sp.HadamardProduct, sp.Piecewise, sp.Max])
def test_a_lost_term_is_caught(monkeypatch, head):
    """A silent zero: the last child receives nothing."""
    rule = rules.RULES[head]

    def pull(node, g, value, active):
        yield from list(rule.pull(node, g, value, active))[:-1]

    wrong = replace(rule, pull=pull)
    monkeypatch.setitem(rules.RULES, head, wrong)
    assert not rule_is_right(wrong)


def test_a_derivative_where_there_is_none_is_caught(monkeypatch):
    rule = rules.RULES[sp.sign]

    def pull(node, g, value, active):
        yield node.args[0], g, sp.S.One

    wrong = replace(rule, pull=pull)
    monkeypatch.setitem(rules.RULES, sp.sign, wrong)
    assert not rule_is_right(wrong)


@pytest.mark.parametrize("field", ["name", "law", "reason"])
def test_a_rule_without_words_is_caught(field):
    assert not rule_is_right(replace(rules.RULES[sp.Add], **{field: ""}))


def test_a_rule_without_an_example_is_caught():
    with pytest.raises(TypeError):
        rule_is_right(replace(rules.RULES[sp.Add], example=None))
    with pytest.raises(TypeError, match="example"):
        rules.derivative_rule(sp.Add, name="n", law="l", reason="r")


def test_an_example_that_does_not_take_the_rule_tells_nothing():
    # This is why the walk asks whether the rule is among the steps of its own example.
    formula = sg.Formula.of(sp.tanh(sp.Symbol("x", real=True)))
    steps = sg.derive(formula, "x").steps
    assert rules.RULES[sp.Mul] not in {step.rule for step in steps}


# ----------------------------------------------------------------- functions


@pytest.mark.parametrize("name", sorted(functions.FUNCTIONS))
def test_a_wrong_function_is_caught(name):
    entry = functions.FUNCTIONS[name]
    assert function_is_right(entry)
    assert not function_is_right(replace(entry, derivative=lambda z: entry.derivative(z) + 1))
    if name != "step":  # whose derivative is zero, so that a sign does not show
        assert not function_is_right(replace(entry, derivative=lambda z: -entry.derivative(z)))
    assert not function_is_right(replace(entry, definition=lambda z: entry.definition(-2 * z - 1)))
    assert not function_is_right(replace(entry, from_value=lambda a: 1 + a / 3))


def test_a_wrong_sign_of_a_saturated_derivative_is_caught(monkeypatch):
    # Through the gradient of a network, not only through the registry's own check.
    entry = functions.FUNCTIONS["tanh"]
    net = sg.mse(sg.Network(2, [sg.Dense(2, activation="tanh")]).scalars())
    assert gradient_is_right(net)
    wrong = replace(entry, from_value=lambda a: 1 + a**2)
    monkeypatch.setitem(functions._BY_CLASS, sp.tanh, wrong)
    assert not gradient_is_right(net)


def test_a_function_without_an_example_is_caught():
    for missing in (None, sp.Symbol("q")):
        with pytest.raises((TypeError, AttributeError, ValueError, KeyError)):
            function_is_right(replace(functions.FUNCTIONS["tanh"], example=missing))
    with pytest.raises(TypeError, match="example"):
        functions.scalar_function(
            "new", definition=lambda z: z, derivative=lambda z: 1, latex="n", law="l"
        )(sp.asinh)
    assert "new" not in functions.FUNCTIONS


# -------------------------------------------------------------------- shapes


@pytest.mark.parametrize("rule", shapes.SHAPE_RULES.values(), ids=lambda r: r.head.__name__)
def test_a_wrong_shape_rule_is_caught(monkeypatch, rule):
    def check_with(change):
        wrong = replace(rule, rule=lambda node, below: change(rule.rule(node, below)))
        with monkeypatch.context() as patch:
            patch.setitem(shapes.SHAPE_RULES, rule.head, wrong)
            return shape_rule_is_right(wrong)

    assert check_with(lambda shape: shape)
    assert not check_with(lambda shape: (shape[0] + 1, shape[1]) if shape else (1, 1))
    if rule.wrong is not None:
        lax = replace(rule, rule=lambda node, below: rule.rule(rule.example(), [
            shapes.shape_of(child) for child in sg.trees.children(rule.example())
        ]))  # fmt: skip
        monkeypatch.setitem(shapes.SHAPE_RULES, rule.head, lax)
        assert not shape_rule_is_right(lax)


def test_a_shape_rule_without_an_example_is_caught():
    borrowed = replace(shapes.SHAPE_RULES[sp.Inverse], example=lambda: sp.Identity(2))
    assert not shape_rule_is_right(borrowed)
    with pytest.raises(TypeError):
        shape_rule_is_right(replace(shapes.SHAPE_RULES[sp.MatAdd], example=None))
    with pytest.raises(TypeError, match="example"):
        shapes.shape_rule(sp.MatAdd, law="l")


# -------------------------------------------------------------------- losses


@pytest.mark.parametrize("name", sorted(losses.LOSSES))
def test_a_wrong_constant_of_a_loss_is_caught(monkeypatch, name):
    entry = losses.LOSSES[name]
    assert loss_is_right(entry)
    right, (prediction, target, value) = entry.define, entry.example

    def doubled(operands, **options):
        return 2 * right(operands, **options)

    wrong = replace(entry, define=doubled)
    monkeypatch.setattr(sg, name, lambda *pair: losses._applied(wrong, *pair))
    assert not loss_is_right(wrong)
    monkeypatch.undo()
    assert not loss_is_right(replace(entry, example=(prediction, target, value + 1)))
    assert not loss_is_right(replace(entry, law=""))
    with pytest.raises(TypeError):
        loss_is_right(replace(entry, example=None))


# --------------------------------------------------------- graphs, derivations

GRAPHS = {
    "forward": sg.mse(sg.Network(2, [sg.Dense(2, activation="tanh"), sg.Dense(1)])).graph,
    "backward": sg.gradient(
        sg.mse(sg.Network(2, [sg.Dense(2, activation="tanh"), sg.Dense(1)]).scalars())
    ).graph,
}


@pytest.mark.parametrize("name", GRAPHS)
def test_a_wrong_order_of_statements_is_caught(name):
    made = GRAPHS[name]
    graph.check(made.inputs, made.definitions)
    caught = 0
    for place in range(len(made.definitions)):
        # Every definition moved to the front is too early, unless it needs inputs alone.
        symbol, expression = made.definitions[place]
        rest = [d for d in made.definitions if d[0] != symbol]
        needs = sg.trees.symbols(expression) & {s for s, _ in made.definitions}
        if needs:
            with pytest.raises(sg.UnsupportedError, match=f"`{symbol}` uses .* before"):
                graph.check(made.inputs, [(symbol, expression), *rest])
            caught += 1
    assert caught >= 3


def test_a_missing_statement_is_caught():
    made = GRAPHS["backward"]
    for place in range(len(made.definitions) - 1):
        symbol = made.definitions[place][0]
        left = [d for d in made.definitions if d[0] != symbol]
        if any(symbol in sg.trees.symbols(e) for _, e in left):
            with pytest.raises(sg.UnsupportedError, match="before it is defined"):
                graph.check(made.inputs, left)


def test_a_definition_of_the_wrong_shape_or_name_is_caught():
    made = GRAPHS["forward"]
    symbol, expression = made.definitions[0]
    wrong = sp.MatrixSymbol(symbol.name, *reversed(symbol.shape))
    with pytest.raises(sg.ShapeError, match="but its definition is"):
        graph.check(made.inputs, [(wrong, expression)])
    for name in (symbol.name, "X"):
        clash = sp.MatrixSymbol(name, *symbol.shape)
        with pytest.raises(sg.OptionError, match="is taken"):
            graph.check(made.inputs, [(symbol, expression), (clash, expression)])


@pytest.mark.parametrize("name", ["scalars", "one factor twice", "an index"])
def test_a_tampered_step_does_not_replay(name):
    assert name in DERIVED
    for step in derived(name).steps:
        double = step.incoming * 2 if not step.incoming.is_Matrix else 2 * step.incoming
        assert derivation.replay(replace(step, incoming=double)) != step.result
        wrong = replace(step, rule=planted(step.rule, times(-1)))
        assert derivation.replay(wrong) != step.result


def test_a_misread_expression_is_caught(monkeypatch):
    """What the engine derives is right for what it read; only the written expression tells."""
    x = sp.IndexedBase("x")
    loss = x[1] * x[2] ** 2
    assert agrees_with_what_was_written(loss)
    read = sg.Formula.of

    def misread(expression, *rest, **options):
        if expression is loss:
            expression = x[1] * x[2] * x[1]
        return read(expression, *rest, **options)

    monkeypatch.setattr(sg.Formula, "of", staticmethod(misread))
    assert not agrees_with_what_was_written(loss)
