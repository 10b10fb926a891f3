"""Rewrite rules: laws, examples, the same value, the same result in any order, and again."""

import random
from collections import Counter
from dataclasses import replace

import numpy as np
import oracle
import pytest
import sympy as sp
from checks import agrees_with_what_was_written, same
from hypothesis import given, settings
from hypothesis import strategies as st
from test_random import scalars_of_matrices

import symgrad as sg
from symgrad import spelling
from symgrad.simplify import REWRITES, simplified
from symgrad.spelling import NOTHING, SPELLINGS, Facts, rewrite

RULES = [*SPELLINGS.rules, *REWRITES.rules]
X, Y, Z = (sp.MatrixSymbol(name, 2, 3) for name in "XYZ")
a, b, y = sp.symbols("a b y", real=True)


def kept(facts):
    """Explicit values for symbols of which facts are known, so that the facts hold."""
    values = {}
    for symbol, axis in facts.normal:
        table = oracle.entries(symbol)
        values[symbol.name] = oracle.softmax(table, axis)
    for group in facts.sums:
        values[group[-1].name] = 1 - sp.Add(*group[:-1])
    for symbol in facts.symmetric:
        values[symbol.name] = mirrored(oracle.entries(symbol))
    for symbol in facts.orthogonal:
        values[symbol.name] = rotation(oracle.entries(symbol))
    for symbol in facts.positive:
        values[symbol.name] = oracle.entries(symbol).applyfunc(sp.exp)
    return values


def mirrored(table):
    """The symmetric table with this upper half."""
    return oracle.table(*table.shape, lambda i, j: table[min(i, j), max(i, j)])


def rotation(table):
    """Cayley's transform (I - S)(I + S)^-1 of a skew matrix S."""
    n = table.rows
    skew = oracle.table(n, n, lambda i, j: sp.sign(j - i) * table[min(i, j), max(i, j)])
    return (sp.eye(n) - skew) * oracle.inverse(sp.eye(n) + skew)


def rewrite_is_right(rule):
    """The rule applies to its example, offers a cheaper form, and the value stays."""
    expression, facts = rule.example()
    if not (rule.name and rule.law and isinstance(expression, rule.heads)):
        return False
    new = rule.apply(expression, facts)
    if new is None or not spelling.cost(new) < spelling.cost(expression):
        return False
    before, after = (oracle.explicit(e, values=kept(facts)) for e in (expression, new))
    return all(same(before, after, seed) for seed in (1, 2))


@pytest.mark.parametrize("rule", RULES, ids=lambda r: r.law)
def test_a_rule_is_complete_and_right(rule):
    assert rewrite_is_right(rule)


@pytest.mark.parametrize("rule", RULES, ids=lambda r: r.law)
def test_a_wrong_rule_is_caught(rule):
    def wrong(node, facts):
        new = rule.apply(node, facts)
        return sg.algebra.scale(2, new) if new.is_Matrix else 2 * new

    assert not rewrite_is_right(replace(rule, apply=wrong))
    assert not rewrite_is_right(replace(rule, apply=lambda node, facts: None))
    assert not rewrite_is_right(replace(rule, law=""))
    assert not rewrite_is_right(replace(rule, example=lambda: (sp.Symbol("q"), NOTHING)))


@pytest.mark.parametrize("rule", [r for r in RULES if r.tied], ids=lambda r: r.law)
def test_what_is_not_known_is_not_used(rule):
    expression, facts = rule.example()
    assert rule.apply(expression, NOTHING) is None
    assert facts.tied & set(sg.trees.symbols(expression)), "a tied rule uses a fact"


def test_facts_of_open_sets_tie_nothing():
    assert Facts(positive=frozenset({X})).tied == frozenset()


@pytest.mark.parametrize("rule", RULES, ids=lambda r: r.law)
def test_a_result_does_not_change_again(rule):
    expression, facts = rule.example()
    new, applied = rewrite(expression, RULES, facts)
    assert applied
    assert rewrite(new, RULES, facts) == (new, ())


def in_any_order(expression, rules, facts=NOTHING):
    results = set()
    for seed in range(4):
        shuffled = list(rules)
        random.Random(seed).shuffle(shuffled)
        results.add(rewrite(expression, shuffled, facts)[0])
    return results


@pytest.mark.parametrize("rule", RULES, ids=lambda r: r.law)
def test_the_order_of_rules_does_not_matter(rule):
    expression, facts = rule.example()
    assert len(in_any_order(expression, RULES, facts)) == 1


P = sg.softmax(Z)
EXPRESSIONS = {
    # what it is: (before, facts, after)
    "softmax and cross-entropy": (
        sp.HadamardProduct(P, sp.MatAdd(sg.elementwise(lambda s, t: -s / t, Y, P),
                                        sg.broadcast(sg.sum_columns(Y), 2, 3))),
        Facts(frozenset({(Y, 1)})), sp.MatAdd(P, sp.MatMul(-1, Y)),
    ),
    "without the fact": (
        sp.HadamardProduct(P, sp.MatAdd(sg.elementwise(lambda s, t: -s / t, Y, P),
                                        sg.broadcast(sg.sum_columns(Y), 2, 3))),
        NOTHING,
        sp.MatAdd(sp.HadamardProduct(P, sg.broadcast(sg.sum_columns(Y), 2, 3)),
                  sp.MatMul(-1, Y)),
    ),
    "sigmoid and cross-entropy": (
        sg.elementwise(lambda z, t: -t * (1 - sg.sigmoid(z)) + (1 - t) * (1 - sg.sigmoid(-z)),
                       Z, Y),
        NOTHING, sp.MatAdd(sg.elementwise(sg.sigmoid, Z), sp.MatMul(-1, Y)),
    ),
    "one constant for two": (
        sp.MatAdd(sp.MatMul(-2, a, X), sp.MatMul(2, a, Y)), NOTHING,
        sp.MatMul(2 * a, sp.MatAdd(Y, sp.MatMul(-1, X))),
    ),
    "half of twice": (sp.Sum(2 * a * sp.IndexedBase("v")[sp.Symbol("i")],
                             (sp.Symbol("i"), 1, 4)) / 2, NOTHING,
                      sp.Sum(a * sp.IndexedBase("v")[sp.Symbol("i")], (sp.Symbol("i"), 1, 4))),
    "probabilities that sum to one": (
        sp.exp(a - b) * y + sp.exp(a - b) * a - y, Facts(sums=((y, a),)), sp.exp(a - b) - y,
    ),
    "what is short already": (sp.MatMul(2, X.T, Y), NOTHING, sp.MatMul(2, X.T, Y)),
}  # fmt: skip


def as_set(expression):
    """Sums and products keep their terms in the order of writing; that is no matter here."""
    return sp.sympify(expression).doit() if not getattr(expression, "is_Matrix", False) else (
        type(expression).__name__, sorted(map(str, expression.args)))  # fmt: skip


@pytest.mark.parametrize("case", EXPRESSIONS)
def test_what_a_person_would_write(case):
    before, facts, after = EXPRESSIONS[case]
    new, _ = simplified(before, facts)
    assert as_set(new) == as_set(after), new
    assert simplified(new, facts)[0] == new
    assert len(in_any_order(before, REWRITES.rules, facts)) == 1


def test_a_value_that_has_a_name_is_written_by_it():
    named = {sg.elementwise(sg.sigmoid, Z): X}
    new, _ = simplified(sg.elementwise(lambda z, t: sg.sigmoid(z) - t, Z, Y), NOTHING, named)
    assert new == sp.MatAdd(X, sp.MatMul(-1, Y))


def total(values):
    return sg.algebra.add(*values) if values[0].is_Matrix else sp.Add(*values)


def test_random_gradients_keep_their_value():
    kinds = Counter()

    @settings(max_examples=40)
    @given(scalars_of_matrices(), st.integers(0, 3))
    def check(loss, seed):
        kinds["made"] += 1
        formula = sg.Formula.of(loss)
        for adjoint in sg.derive(formula, list(formula.inputs)).adjoints:
            raw = total([c.value for c in adjoint.contributions])
            new, applied = rewrite(raw, REWRITES.rules)
            values = oracle.explicit(raw), oracle.explicit(new)
            assert same(*values, seed)
            assert rewrite(new, REWRITES.rules)[0] == new
            assert in_any_order(raw, REWRITES.rules) == {new}
            kinds["rewritten"] += bool(applied)
        kinds["compared"] += 1

    check()
    assert kinds["compared"] >= 0.9 * kinds["made"] >= 30
    assert kinds["rewritten"] >= 5, kinds


# ------------------------------------------------------------ spellings

STABLE = {
    "softplus": (lambda z: sp.log(1 + sp.exp(z)), sg.softplus),
    "log of a logistic": (lambda z: sp.log(1 / (1 + sp.exp(-z))), sg.log_sigmoid),
    "log of one minus a logistic": (
        lambda z: sp.log(1 - 1 / (1 + sp.exp(-z))), lambda z: sg.log_sigmoid(-z)),
    "logistic": (lambda z: 1 / (1 + sp.exp(-z)), sg.sigmoid),
    "logistic as a quotient": (lambda z: sp.exp(z) / (1 + sp.exp(z)), sg.sigmoid),
    "tanh": (lambda z: (sp.exp(z) - sp.exp(-z)) / (sp.exp(z) + sp.exp(-z)), sp.tanh),
    "tanh by one exponential": (lambda z: (1 - sp.exp(2 * z)) / (1 + sp.exp(2 * z)),
                                lambda z: -sp.tanh(z)),
    "tanh by another": (lambda z: 3 * (1 - sp.exp(-2 * z)) / (1 + sp.exp(-2 * z)),
                        lambda z: 3 * sp.tanh(z)),
    "log cosh": (lambda z: sp.log(sp.cosh(z)), sg.log_cosh),
    "log of exponentials": (lambda z: sp.log(sp.exp(z) + 3 * sp.exp(-z)),
                            lambda z: z + sg.softplus(sp.log(3) - 2 * z)),
    "slope of a logistic": (lambda z: sp.exp(-z) / (1 + sp.exp(-z)) ** 2,
                            lambda z: sg.sigmoid(z) * sg.sigmoid(-z)),
    "its square": (lambda z: 1 / (1 + sp.exp(-3 * z)) ** 2, lambda z: sg.sigmoid(3 * z) ** 2),
}  # fmt: skip


@pytest.mark.parametrize("case", STABLE)
@pytest.mark.parametrize("x", [-800.0, -3.0, 0.25, 800.0])
def test_what_people_write_is_computed_stably(case, x):
    written, stable = STABLE[case]
    compiled, wanted = (sg.compile(f(a * y), ["a"]) for f in (written, stable))
    value, parts = compiled(a=1.0, y=x)
    right, slopes = wanted(a=1.0, y=x)
    assert np.isfinite(value)
    assert value == pytest.approx(right, rel=1e-14, abs=1e-300)
    assert parts["a"] == pytest.approx(slopes["a"], rel=1e-14, abs=1e-300)
    assert agrees_with_what_was_written(written(a * y))


def test_what_is_computed_stably_is_printed_as_it_was_written():
    text = sg.Formula.of(sp.log(1 + sp.exp(a))).latex()
    assert r"\log" in text
    assert "e^{a}" in text


def test_log_of_softmax_does_not_underflow():
    loss = -sg.sum_entries(sp.HadamardProduct(Y, sg.elementwise(sp.log, sg.softmax(Z))))
    scores = np.array([[800.0, 0.0, -800.0], [1.0, 2.0, 3.0]])
    target = np.eye(3)[[2, 0]]
    value, parts = sg.compile(loss, ["Z"])(Y=target, Z=scores)
    assert value == pytest.approx(1600 + np.log(np.exp([0, 1, 2]).sum()))
    assert np.all(np.isfinite(parts["Z"]))
    assert parts["Z"][0].tolist() == [1.0, 0.0, -1.0]


def test_matrices_below_a_sum_are_left_alone():
    A, C = sp.MatrixSymbol("A", 3, 2), sp.MatrixSymbol("C", 2, 2)
    rational = sg.elementwise(lambda p, q: p / (1 + q**2), A, A)
    first = sg.gradient(sg.sum_entries(rational * C**2), "A").sympy
    again = sg.Formula.of(sg.sum_entries(sg.elementwise(lambda t: t**2, first)))
    assert sg.gradient(again, "C").shape == (2, 2)


def test_softmax_of_columns_is_told_apart():
    Z = sp.MatrixSymbol("Z", 2, 3)
    text = sg.Formula.of(sg.softmax(Z) - sg.softmax(Z, axis=0)).latex()
    assert r"\operatorname{softmax}(Z) - \operatorname{softmax}(Z^{\top})^{\top}" in text
    product = sg.Formula.of(sg.log_softmax(Z) * sp.MatrixSymbol("B", 3, 2)).latex()
    assert r"\log(\operatorname{softmax}(Z)) B" in product


def test_rules_of_scalars_leave_matrices_alone():
    X = sp.MatrixSymbol("X", 2, 2)
    p, q = sp.symbols("p q", real=True)
    total = sp.MatAdd(sp.MatMul(p, X), sp.MatMul(q, X))
    new, _ = simplified(total, Facts(sums=((p, q),)))
    assert same(oracle.explicit(new), oracle.explicit(total))
    index, bound = sp.IndexedBase("v"), sp.Symbol("i", integer=True)
    scaled = sp.MatMul(sp.Sum(2 * index[bound], (bound, 1, 3)), X)
    assert same(oracle.explicit(simplified(scaled)[0]), oracle.explicit(scaled))
