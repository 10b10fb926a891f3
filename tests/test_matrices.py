"""Own matrix nodes keep SymPy's protocol, and the constructors keep the value."""

import pickle

import numpy as np
import oracle
import pytest
import sympy as sp
from checks import same

import symgrad as sg
from symgrad import algebra, matrices
from symgrad.matrices import Broadcast, Elementwise, SumColumns, SumEntries, SumRows, UnitMatrix

w = sp.Symbol("w", real=True)
a, t = sp.symbols("a t")
X, Y = sp.MatrixSymbol("X", 3, 2), sp.MatrixSymbol("Y", 3, 2)
A, B = sp.MatrixSymbol("A", 2, 3), sp.MatrixSymbol("B", 2, 2)
r, c = sp.MatrixSymbol("r", 1, 2), sp.MatrixSymbol("c", 3, 1)

NODES = {
    "map": Elementwise(sp.Lambda(t, sp.tanh(w * t)), X),
    "map of two": Elementwise(sp.Lambda((a, t), a * t**2 + w), X, sp.MatMul(A.T, B)),
    "scalar repeated": Broadcast(w, 3, 2),
    "row repeated": Broadcast(r, 3, 2),
    "column repeated": Broadcast(sp.MatMul(2, c), 3, 2),
    "sum of entries": SumEntries(X),
    "sum of rows": SumRows(X),
    "sum of columns": SumColumns(X),
    "unit": UnitMatrix(3, 2, 2, 1),
}


def by_class():
    return {cls for cls in vars(matrices).values() if isinstance(cls, type)
            and issubclass(cls, sp.Expr) and cls.__module__ == matrices.__name__}  # fmt: skip


def test_every_own_node_is_tested():
    assert {type(node) for node in NODES.values()} == by_class()


@pytest.mark.parametrize("name", NODES)
def test_protocol(name):
    node = NODES[name]
    assert node.func(*node.args) == node
    copy = pickle.loads(pickle.dumps(node))
    assert copy == node
    assert hash(copy) == hash(node)
    assert isinstance(str(node), str)
    assert sp.latex(node)
    assert node.xreplace({X: Y, w: a}).free_symbols == {
        {X: Y, w: a}.get(s, s) for s in node.free_symbols
    }
    assert node.subs(w, 3).free_symbols == node.free_symbols - {w}


@pytest.mark.parametrize("name", NODES)
def test_written_out_as_the_oracle_does(name):
    node = NODES[name]
    wanted = oracle.explicit(node)
    assert same(oracle.explicit(node.as_explicit()), wanted)
    assert same(oracle.explicit(node.doit()), wanted)
    if node.is_Matrix:
        assert node.as_explicit().shape == node.shape
        assert same(oracle.explicit(sp.transpose(node)), wanted.T)
        assert same(oracle.explicit(algebra.transpose(node)), wanted.T)


@pytest.mark.parametrize("name", NODES)
def test_subs_of_explicit_matrices_evaluates(name):
    node = NODES[name]
    tables = {
        X: sp.Matrix(3, 2, [2, 3, 5, 7, 11, 13]), A: sp.Matrix(2, 3, [1, 4, 9, 16, 25, 36]),
        B: sp.Matrix(2, 2, [1, -2, 3, -4]), r: sp.Matrix([[6, 8]]), c: sp.Matrix([3, 1, 4]),
        w: sp.Rational(1, 7),
    }  # fmt: skip
    made = node.subs(tables).doit()
    values = {str(k): sp.ImmutableMatrix(v) if k != w else v for k, v in tables.items()}
    wanted = oracle.explicit(node, values=values)
    assert not made.free_symbols
    assert made.as_explicit() == wanted if node.is_Matrix else made == wanted


@pytest.mark.parametrize("name", NODES)
def test_lambdify(name):
    node, generator = NODES[name], np.random.default_rng(3)
    arguments = [X, A, B, r, c, w]
    arrays = [generator.normal(size=s.shape) if s != w else 0.7 for s in arguments]
    got = sp.lambdify(arguments, node, "numpy")(*arrays)
    point = {
        entry.name: float(value)
        for symbol, array in zip(arguments, arrays, strict=True)
        for entry, value in zip(np.ravel(oracle.explicit(symbol)), np.ravel(array), strict=True)
    }
    wanted = np.array(oracle.evaluate(oracle.explicit(node), point), dtype=float)
    np.testing.assert_allclose(got, wanted, rtol=1e-13)


def test_symbolic_sizes_are_written_as_sums():
    n = sp.Symbol("n", integer=True, positive=True)
    P = sp.MatrixSymbol("P", n, 2)
    assert (
        SumRows(P)[0, 1].subs(n, 3).doit()
        == P.subs(n, 3)[0, 1] + P.subs(n, 3)[1, 1] + (P.subs(n, 3)[2, 1])
    )
    assert SumColumns(P)[2, 0] == P[2, 0] + P[2, 1]


def test_one_function_is_one_node():
    # SymPy's own elementwise node compares unequal to itself.
    assert sg.elementwise(sp.tanh, X) == sg.elementwise(sp.tanh, X)
    assert sg.elementwise(lambda s: s**2 + w, X) == sg.elementwise(sp.Lambda(a, a**2 + w), X)
    assert X.applyfunc(sp.tanh) != sg.elementwise(sp.tanh, X)
    assert sg.Formula.of(sg.sum_entries(X.applyfunc(sp.tanh))).sympy == SumEntries(
        sg.elementwise(sp.tanh, X)
    )


def test_the_variable_of_a_map_is_no_users_symbol():
    t = sp.Symbol("t", real=True)
    node = sg.elementwise(lambda s: s * t, X)
    assert same(oracle.explicit(node), oracle.explicit(X) * t)
    node = sg.elementwise(lambda s: sp.sin(s) * t, X)
    assert node.free_symbols == {X, t}


def test_a_map_takes_as_many_matrices_as_are_given():
    many = [sp.MatrixSymbol(f"M{k}", 2, 1) for k in range(11)]
    node = sg.elementwise(lambda *parts: sp.exp(sp.Add(*parts)), *many)
    assert len(node.matrices) == len(node.function.variables) == 11
    assert node.as_explicit()[1, 0] == sp.exp(sp.Add(*(m[1, 0] for m in many)))


def test_latex_brackets_what_a_function_is_applied_to():
    node = sg.elementwise(lambda s: s**2, sp.MatAdd(X, Y))
    assert sp.latex(node) == r"\left(X + Y\right)^{2}"


def test_what_users_write_by_hand():
    assert sg.elementwise("relu", w) == sg.relu(w)
    assert sg.elementwise("tanh", X).shape == (3, 2)
    assert sg.broadcast(X, 3, 2) == X
    assert sg.sum_entries(sp.MatMul(2, X)) == 2 * SumEntries(X)
    with pytest.raises(sg.OptionError, match="did you mean `tanh`"):
        sg.elementwise("tahn", X)
    with pytest.raises(sg.ShapeError, match="does not repeat"):
        sg.broadcast(c, 4, 2)
    with pytest.raises(sg.ShapeError, match="shapes do not fit"):
        sg.elementwise(lambda s, q: s * q, X, A)
    with pytest.raises(sg.UnsupportedError, match="SumEntries; use"):
        SumEntries(sp.MatMul(w, X)).diff(w)


ones, row_ones = sp.OneMatrix(3, 1), sp.OneMatrix(1, 3)
# What a constructor builds, and the same in SymPy's unevaluated nodes.
LAWS = {
    "like terms": (algebra.add(X, Y, sp.MatMul(-3, X)), sp.MatAdd(X, Y, sp.MatMul(-3, X))),
    "cancelled": (algebra.add(X, sp.MatMul(-1, X)), sp.ZeroMatrix(3, 2)),
    "nested": (algebra.add(algebra.add(X, Y), algebra.add(X, Y)), sp.MatAdd(X, Y, X, Y)),
    "scalars": (
        algebra.multiply(A, w, sp.MatMul(3, X), sp.Identity(2)),
        sp.MatMul(3, w, A, X),
    ),
    "identities alone": (algebra.multiply(sp.Identity(2), sp.Identity(2)), sp.Identity(2)),
    "zero": (algebra.multiply(A, sp.ZeroMatrix(3, 4)), sp.ZeroMatrix(2, 4)),
    "A 1": (algebra.multiply(A, ones), sp.MatMul(A, ones)),
    "1' X": (algebra.multiply(row_ones, X), sp.MatMul(row_ones, X)),
    "1' X 1": (
        algebra.multiply(row_ones, X, sp.OneMatrix(2, 1)),
        sp.MatMul(row_ones, X, sp.OneMatrix(2, 1)),
    ),
    "1 r": (algebra.multiply(ones, r), sp.MatMul(ones, r)),
    "c 1'": (algebra.multiply(c, sp.OneMatrix(1, 4)), sp.MatMul(c, sp.OneMatrix(1, 4))),
    "X 1 1' X": (
        algebra.multiply(A, ones, row_ones, X),
        sp.MatMul(A, ones, row_ones, X),
    ),
    "1' 1": (algebra.multiply(row_ones, ones), sp.MatMul(row_ones, ones)),
    "full ones": (
        algebra.multiply(A, sp.OneMatrix(3, 3), X),
        sp.MatMul(A, sp.OneMatrix(3, 3), X),
    ),
    "transposed product": (
        algebra.transpose(sp.MatMul(w, A, X, B)),
        sp.MatMul(w, B.T, X.T, A.T),
    ),
    "transposed sum": (algebra.transpose(sp.MatAdd(X, A.T)), sp.MatAdd(X.T, A)),
    "transposed power": (
        algebra.transpose(sp.HadamardPower(X, 3)),
        sp.HadamardPower(X.T, 3),
    ),
    "entrywise": (
        algebra.hadamard(sp.MatMul(2, X), Broadcast(w, 3, 2), Y, sp.OneMatrix(3, 2)),
        sp.MatMul(2, w, sp.HadamardProduct(X, Y)),
    ),
    "entrywise zero": (algebra.hadamard(X, sp.ZeroMatrix(3, 2)), sp.ZeroMatrix(3, 2)),
    "entrywise constants": (
        algebra.hadamard(Broadcast(w, 3, 2), sp.OneMatrix(3, 2)),
        Broadcast(w, 3, 2),
    ),
    "scaled twice": (algebra.scale(2, algebra.scale(w, X)), sp.MatMul(2, w, X)),
    "scaled copies": (algebra.scale(2, Broadcast(w, 3, 2)), Broadcast(2 * w, 3, 2)),
    "sum of sums": (sg.sum_entries(sp.MatMul(w, SumRows(X))), w * SumEntries(X)),
    "linear map": (sg.elementwise(lambda s: 3 * w * s, X), sp.MatMul(3, w, X)),
}  # fmt: skip


@pytest.mark.parametrize("name", LAWS)
def test_constructors_keep_shape_and_value(name):
    made, plain = LAWS[name]
    assert same(oracle.explicit(made), oracle.explicit(plain))
    if made.is_Matrix:
        assert tuple(made.shape) == tuple(plain.shape)


@pytest.mark.parametrize("name", LAWS)
def test_normal_forms_are_stable(name):
    made, _ = LAWS[name]
    again = sg.trees.rebuild(made, lambda node: node)
    assert again == made
