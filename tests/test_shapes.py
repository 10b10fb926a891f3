"""Shapes: the checker against explicit tables, and what it must refuse."""

import pytest
import sympy as sp
from checks import shape_rule_is_right

import symgrad as sg
from symgrad import shapes
from symgrad.matrices import Broadcast, Elementwise, SumColumns, SumEntries, SumRows, UnitMatrix

n, m = shapes.dimension("n"), shapes.dimension("m")
X, Y, W = sp.MatrixSymbol("X", n, 3), sp.MatrixSymbol("Y", m, 3), sp.MatrixSymbol("W", 3, 2)


@pytest.mark.parametrize("rule", shapes.SHAPE_RULES.values(), ids=lambda r: r.head.__name__)
def test_a_rule_is_complete_and_right(rule):
    assert rule.law
    assert shape_rule_is_right(rule)


# These nodes can be built from any arguments of the right kind.
NEVER_WRONG = {"Transpose", "ZeroMatrix", "OneMatrix", "Identity", "FunctionMatrix",
               "ImmutableDenseMatrix", "HadamardPower"}  # fmt: skip


@pytest.mark.parametrize("rule", shapes.SHAPE_RULES.values(), ids=lambda r: r.head.__name__)
def test_a_rule_has_something_to_refuse(rule):
    assert (rule.wrong is None) == (rule.head.__name__ in NEVER_WRONG)


def test_every_own_node_has_a_rule():
    nodes = {Broadcast, Elementwise, SumColumns, SumEntries, SumRows, UnitMatrix}
    assert nodes <= set(shapes.SHAPE_RULES)


@pytest.mark.parametrize(
    ("expression", "shape"),
    [
        (sp.MatMul(X, W), (n, 2)),
        (sp.MatMul(sp.Symbol("c"), W.T, X.T), (2, n)),
        (sp.MatAdd(X, sp.MatMul(2, X)), (n, 3)),
        (SumRows(X), (1, 3)),
        (SumColumns(X), (n, 1)),
        (SumEntries(X), ()),
        (Broadcast(SumRows(X), n, 3), (n, 3)),
        (Broadcast(SumColumns(X), n, 7), (n, 7)),
        (sp.Trace(sp.MatMul(X.T, X)), ()),
        (sp.Inverse(sp.MatMul(X.T, X)), (3, 3)),
        (X[0, 2] + 1, ()),
        (sp.HadamardPower(X, 2), (n, 3)),
        (sp.ImmutableMatrix([[1, 2], [3, 4], [5, 6]]), (3, 2)),
    ],
)
def test_shapes_of_expressions(expression, shape):
    assert shapes.same_shape(shapes.shape_of(expression), shape)


@pytest.mark.parametrize(
    ("expression", "message"),
    [
        (sp.MatAdd(X, Y), r"`X` is \(n, 3\), `Y` is \(m, 3\)"),
        (sp.HadamardProduct(X, Y), "shapes do not fit"),
        (sp.MatMul(X, sp.MatrixSymbol("A", n, n)), "inner sizes 3 and n differ"),
        (SumEntries(sp.MatAdd(X, Y)), "shapes do not fit"),
        (Broadcast(X, m, 3), "does not repeat"),
        (Broadcast(sp.MatrixSymbol("r", 1, 3), n, 4), "does not repeat"),
        (sp.Determinant(sp.MatMul(X, X.T)) + sp.Trace(sp.MatMul(W, W.T)), None),
        (sp.Basic.__new__(sp.Trace, X), "needs a square matrix"),
        (sp.tanh(W), r"apply it to every entry with sg.elementwise\(tanh"),
        (SumRows(sp.Symbol("c")), "is a scalar"),
        (UnitMatrix(2, 3, 0, 3), "outside 0..2"),
        (UnitMatrix(2, 3, -1, 0), "outside 0..1"),
    ],
)
def test_what_does_not_fit_is_refused(expression, message):
    if message is None:  # the one that fits, so that the list is no list of refusals alone
        assert shapes.shape_of(expression) == ()
        return
    with pytest.raises(sg.ShapeError, match=message):
        shapes.shape_of(expression)


def test_sizes_are_compared_after_expansion():
    assert shapes.same_size(n * (m + 1), n * m + n)
    assert not shapes.same_size(n, m)
    assert not shapes.same_size(n, n + 1)
    assert shapes.same_shape_by_name((sp.Symbol("n"),), (n,))
    assert not shapes.same_shape_by_name((sp.Symbol("k"),), (n,))
    left, right = sp.MatrixSymbol("P", n * (m + 1), 2), sp.MatrixSymbol("Q", n * m + n, 2)
    assert shapes.same_shape(shapes.shape_of(sp.MatAdd(left, right)), left.shape)


def test_a_matrix_operation_without_a_rule_is_refused_by_name():
    with pytest.raises(sg.UnsupportedError, match="KroneckerProduct"):
        shapes.shape_of(sp.KroneckerProduct(W, W))


@pytest.mark.parametrize("size", [0, -1, 1.5, True, "2x", "", None, sp.Rational(1, 2)])
def test_what_is_no_size_is_refused(size):
    with pytest.raises(sg.ShapeError, match="a size is a positive integer or a name"):
        shapes.dimension(size)


def test_declarations():
    vector = shapes.declare("b", ("k",), "positive")
    assert (vector.shape, vector.inside[1], vector.assumptions) == (("k",), 1, ("positive",))
    assert shapes.declare("t", ()).symbol.is_extended_real
    assert shapes.declare("t", (), "positive").symbol.is_positive
    table = shapes.declare("X", ("n", 3), ["rows sum to one", "in (0,1)"])
    assert table.shape == ("n", 3)
    with pytest.raises(sg.OptionError, match=r"unknown assumption `positiv` for `t`; accepted"):
        shapes.declare("t", (), "positiv")
    with pytest.raises(sg.ShapeError, match="3 axes"):
        shapes.declare("T", (1, 2, 3))
