"""Random formulas through every form of compiled code, held to the listing."""

from collections import Counter

import pytest
from forms import arrays_of, wrong_forms
from hypothesis import given, settings
from hypothesis import strategies as st
from test_random import LEAVES, grown, reached, scalars_of_matrices

import symgrad as sg
from symgrad.backends import runners, workspace
from symgrad.backends.numpy import compile as compile_unchecked

#: Rounding of sums in another order, through inverses and powers.
TOLERANCE = 1e-8


@pytest.fixture(autouse=True)
def _many_chunks(monkeypatch):
    monkeypatch.setattr(workspace, "chunk_bytes", lambda: 1)
    monkeypatch.setattr(runners, "_STRUCTURES", {})
    monkeypatch.setattr(workspace, "LEAST_CHUNK", 3)


def compare(expression, seed, kinds, **options):
    formula = sg.Formula.of(expression)
    if not formula.inputs:
        return
    kinds["made"] += 1
    function = compile_unchecked(formula, list(formula.inputs), **options)
    kinds["compared"] += not function.plan.obstacle
    for samples in (1, 8):
        assert not wrong_forms(function, arrays_of(function, samples, seed), TOLERANCE)


def test_random_scalars_over_samples():
    kinds = Counter()

    @settings(max_examples=60)
    @given(st.recursive(LEAVES, grown, max_leaves=7), st.integers(0, 5), st.booleans())
    def check(expression, seed, mean):
        names = [s.name for s in sorted(expression.free_symbols, key=str)]
        formula = sg.Formula.of(expression)
        if len(names) < 2:
            return
        kinds["made"] += 1
        function = compile_unchecked(
            formula, names[:1], batch=names[1:], reduce="mean" if mean else "sum"
        )
        kinds["compared"] += not function.plan.obstacle
        for samples in (1, 8):
            assert not wrong_forms(function, arrays_of(function, samples, seed), TOLERANCE)

    check()
    assert kinds["compared"] >= 10, kinds


def test_random_matrices():
    kinds = Counter()

    @settings(max_examples=60)
    @given(scalars_of_matrices(), st.integers(0, 5))
    def check(expression, seed):
        compare(expression, seed, kinds)

    check()
    assert kinds["compared"] >= 10, kinds


# Parts of texts over samples: shapes (n, 2), (n, 1) and scalars, and what they are made of.
WIDE = st.sampled_from(["X@W + b", "X@V", "X@W - X@V", "Y", "X[:, :2]*0 + Y", "(X@W)*(Y - b)"])
MAPS = st.sampled_from(
    ["tanh({0})", "1/(1 + exp(-({0})))", "({0})**2", "abs({0})", "maximum({0}, 0.1)", "-({0})",
     "2*({0})",
     "softplus({0})", "where({0} > 0, {0}, 0.5*({0}))", "sin({0})/n", "({0})/(1 + ({0})**2)"]
)  # fmt: skip
PAIRS = st.sampled_from(["({}) + ({})", "({}) - ({})", "({}) * ({})", "maximum({}, {})"])
SQUARE = st.sampled_from(["({}) @ Q", "({}) @ Q.T + b", "({}) @ (Q@Q) - b", "({}) * c"])
TOTALS = st.sampled_from(
    ["sum({})", "mean({})", "sum(({})**2) / (2*n)", "sum(mean({}, axis=0)**2)"]
)
PENALTIES = st.sampled_from(["", " + 0.1*sum(W**2)", " + c*sum(abs(V))", " + sum(b)**2", " - 3"])
INPUTS = {"X": ("n", 3), "Y": ("n", 2), "W": (3, 2), "V": (3, 2), "Q": (2, 2), "b": (2,), "c": ()}


@st.composite
def layered(draw):
    text = draw(WIDE)
    for _ in range(draw(st.integers(1, 4))):
        choice = draw(st.integers(0, 3))
        if choice == 0:
            text = draw(SQUARE).format(text)
        elif choice == 1:
            other = draw(MAPS).format(draw(WIDE))
            text = draw(PAIRS).format(text, other)
        else:
            text = draw(MAPS).format(text)
    total = draw(TOTALS).format(text)
    if draw(st.booleans()):
        total += " + " + draw(TOTALS).format(draw(MAPS).format(draw(WIDE)))
    return total + draw(PENALTIES)


def test_random_layers_over_samples():
    kinds = Counter()

    @settings(max_examples=60, deadline=None)
    @given(layered(), st.integers(0, 5), st.booleans())
    def check(text, seed, data_too):
        formula = sg.parse(text, INPUTS)
        names = [name for name in formula.inputs if data_too or name not in "XY"]
        if not names:
            return
        kinds["made"] += 1
        function = compile_unchecked(formula, names)
        kinds["compared"] += not function.plan.obstacle
        for samples in (1, 2, 8):
            assert not wrong_forms(function, arrays_of(function, samples, seed), TOLERANCE)

    check()
    reached(kinds, 0.5)
