"""Test the testers: planted faults are caught by the checks that the suite runs."""

from dataclasses import replace

import pytest
import sympy as sp
from checks import function_is_right, gradient_is_right, shape_rule_is_right

import symgrad as sg
from symgrad import functions, graph, rules, shapes


def planted(rule, change):
    """A copy of a rule whose contributions are changed."""

    def pull(node, g, value, active):
        for child, contribution, local in rule.pull(node, g, value, active):
            yield child, change(contribution), local

    return replace(rule, pull=pull)


SCALAR = [sp.Add, sp.Mul, sp.Pow, sp.Function, sp.Abs, sp.Max, sp.Min, sp.Piecewise]
MATRIX = [sp.MatAdd, sp.MatMul, sp.Transpose, sp.HadamardProduct, sp.HadamardPower, sp.Inverse,
          sp.Determinant, sp.Trace, sp.MatPow]  # fmt: skip


@pytest.mark.parametrize("head", SCALAR, ids=lambda h: h.__name__)
@pytest.mark.parametrize("factor", [-1, sp.Rational(1, 2)], ids=["sign", "half"])
def test_a_wrong_scalar_rule_is_caught(monkeypatch, head, factor):
    rule = rules.RULES[head]
    assert gradient_is_right(rule.example())
    monkeypatch.setitem(rules.RULES, head, planted(rule, lambda c: factor * c))
    assert not gradient_is_right(rule.example())


@pytest.mark.parametrize("head", MATRIX, ids=lambda h: h.__name__)
def test_a_wrong_matrix_rule_is_caught(monkeypatch, head):
    from symgrad.algebra import scale

    rule = rules.RULES[head]
    wrong = planted(rule, lambda c: scale(2, c) if c.is_Matrix else 2 * c)
    monkeypatch.setitem(rules.RULES, head, wrong)
    assert not gradient_is_right(rule.example())


@pytest.mark.parametrize("head", [sp.Inverse, sp.MatPow, sp.Determinant], ids=lambda h: h.__name__)
def test_a_lost_transpose_is_caught(monkeypatch, head):
    from symgrad.algebra import transpose

    rule = rules.RULES[head]
    monkeypatch.setitem(rules.RULES, head, planted(rule, transpose))
    assert not gradient_is_right(rule.example())


@pytest.mark.parametrize("name", ["sigmoid", "tanh", "relu", "softplus"])
def test_a_wrong_derivative_of_an_activation_is_caught(name):
    entry = functions.FUNCTIONS[name]
    assert function_is_right(entry)
    assert not function_is_right(replace(entry, derivative=lambda z: 1 + entry.derivative(z)))
    if entry.from_value is not None:
        assert not function_is_right(replace(entry, from_value=lambda a: 1 + a**2))
    assert not function_is_right(replace(entry, definition=lambda z: entry.definition(-z)))


def test_a_wrong_shape_rule_is_caught():
    rule = shapes.SHAPE_RULES[sp.Transpose]
    assert shape_rule_is_right(rule)


def test_wrong_shape_rules_are_caught(monkeypatch):
    transposition = shapes.SHAPE_RULES[sp.Transpose]
    kept = replace(transposition, rule=lambda node, below: below[0])
    monkeypatch.setitem(shapes.SHAPE_RULES, sp.Transpose, kept)
    assert not shape_rule_is_right(kept)
    addition = shapes.SHAPE_RULES[sp.MatAdd]
    lax = replace(addition, rule=lambda node, below: below[0])
    monkeypatch.setitem(shapes.SHAPE_RULES, sp.MatAdd, lax)
    assert not shape_rule_is_right(lax)


@pytest.mark.parametrize("registry", ["FUNCTIONS", "RULES", "SHAPE_RULES"])
def test_an_entry_without_an_example_is_caught(registry):
    if registry == "FUNCTIONS":
        with pytest.raises((TypeError, AttributeError, ValueError)):
            function_is_right(replace(functions.FUNCTIONS["tanh"], example=None))
    elif registry == "RULES":
        with pytest.raises(TypeError):
            gradient_is_right(replace(rules.RULES[sp.Add], example=None).example())
    else:
        with pytest.raises(TypeError):
            shape_rule_is_right(replace(shapes.SHAPE_RULES[sp.MatAdd], example=None))


def test_a_wrong_order_of_statements_is_caught():
    made = sg.mse(sg.Network(2, [sg.Dense(2, activation="tanh"), sg.Dense(1)])).graph
    graph.check(made.inputs, made.definitions)
    for place in range(len(made.definitions) - 1):
        swapped = list(made.definitions)
        swapped[place], swapped[place + 1] = swapped[place + 1], swapped[place]
        with pytest.raises(sg.UnsupportedError, match="before it is defined"):
            graph.check(made.inputs, swapped)


def test_a_definition_of_the_wrong_shape_is_caught():
    made = sg.mse(sg.Network(2, [sg.Dense(3, activation="tanh"), sg.Dense(1)])).graph
    symbol, expression = made.definitions[0]
    wrong = sp.MatrixSymbol(symbol.name, *reversed(symbol.shape))
    with pytest.raises(sg.ShapeError, match="but its definition is"):
        graph.check(made.inputs, [(wrong, expression)])


def test_a_name_that_is_taken_is_caught():
    made = sg.mse(sg.Network(2, [sg.Dense(1)])).graph
    symbol, expression = made.definitions[0]
    with pytest.raises(sg.OptionError, match="is taken"):
        graph.check(made.inputs, [(symbol, expression), (symbol, expression)])
