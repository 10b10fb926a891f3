"""Walks over expressions: what is kept, how deep they go, how the work grows."""

import itertools
import sys

import pytest
import sympy as sp
from sympy.core.cache import clear_cache

import symgrad as sg
from symgrad import trees
from symgrad.shapes import shape_of

KINDS = ({"real": True}, {}, {"positive": True}, {"zero": True}, {"commutative": False})
SYMBOLS = [sp.Symbol(name, **kind) for name in ("a", "w1_2", "W", "x_1") for kind in KINDS]


def test_a_product_of_two_symbols_is_that_of_sympy():
    for first, second in itertools.product([*SYMBOLS, sp.Dummy("a")], repeat=2):
        made, wanted = trees.times(first, second), first * second
        assert (type(made), made.args, hash(made)) == (type(wanted), wanted.args, hash(wanted))
        assert made.is_commutative == wanted.is_commutative


def test_an_answer_is_kept_for_the_node_itself_alone():
    asked = []

    @trees.by_identity
    def length(node):
        asked.append(node)
        return len(node.args)

    x = sp.Symbol("x")
    first, second = sp.Add(x, 1, evaluate=False), sp.Add(x, 1, evaluate=False)
    again = first.func(*first.args, evaluate=False)
    nodes = {id(node): node for node in (first, second, again)}
    for node in [*nodes.values(), *nodes.values()]:
        assert length(node) == 2
    assert [id(node) for node in asked] == list(nodes)


def test_the_number_of_kept_answers_is_bounded_and_all_stay_right():
    number = trees.by_identity(lambda node: int(node))
    integers = [sp.Integer(k) for k in range(10**6, 10**6 + trees.MOST_KEPT + 100)]
    for _ in range(2):
        assert [number(node) for node in integers] == [int(node) for node in integers]


def test_what_may_change_is_not_kept():
    size = trees.by_identity(lambda matrix: matrix.shape[0])
    table = sp.Matrix([[1, 2]])
    assert size(table) == 1
    table.row_del(0)
    assert size(table) == 0


def test_a_long_walk_is_the_same_as_a_short_one():
    x = sp.Symbol("x", real=True)
    for terms in (3, 2 * trees.LONGEST_KEPT):
        made = sp.Add(*(sp.sin(k * x) for k in range(1, terms)))
        assert trees.nodes(made) == trees.nodes(made) == tuple(trees.postorder(made))


def test_deep_expressions_do_not_end_in_a_recursion_error():
    x = sp.Symbol("x", real=True)
    made = x
    for _ in range(3000):
        made = sp.Pow(made, 3, evaluate=False)
    assert trees.symbols(made) == {x}
    assert shape_of(made) == ()
    assert len(trees.nodes(made)) == 3002


def calls_of(function):
    """How many Python functions are called: the work, whatever machine does it."""
    count = 0

    def note(frame, event, argument):
        nonlocal count
        count += event == "call"

    before = sys.getprofile()
    sys.setprofile(note)
    try:
        function()
    finally:
        sys.setprofile(before)
    return count


@pytest.mark.parametrize("form", ["rows", "columns", "scalars"])
def test_the_work_of_a_gradient_grows_with_the_depth_alone(form):
    def derive(depth):
        layers = [sg.Dense(2, activation="tanh") for _ in range(depth)]
        sg.gradient(sg.mse(getattr(sg.Network(2, layers), form)()))

    derive(2)  # so that what is found once for all layers is found
    work = {}
    for depth in (16, 32, 64):
        clear_cache()  # SymPy knows a short network by heart, not a long one
        work[depth] = calls_of(lambda depth=depth: derive(depth))
    assert (work[64] - work[32]) / (work[32] - work[16]) == pytest.approx(2, rel=0.15)
