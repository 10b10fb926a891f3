"""The oracle is right: the seeds' numbers, SymPy's own nodes, gradients by hand, planted errors."""

import ast
import math
import os
import subprocess
import sys
import time
from fractions import Fraction
from itertools import accumulate, pairwise
from pathlib import Path

import mpmath
import oracle
import pytest
import seeds
import sympy
from sympy import Lambda, MatrixSymbol, Rational, Symbol, Trace

# --- Stand-ins: what the oracle knows of the package under test are these names and arguments ---


class Matrixlike(sympy.MatrixExpr):
    """A matrix node whose shape comes from its arguments."""

    shape = property(lambda self: self.args[-1].shape)


class Elementwise(Matrixlike):
    pass


class SumRows(Matrixlike):
    shape = property(lambda self: (sympy.Integer(1), self.args[0].shape[1]))


class SumColumns(Matrixlike):
    shape = property(lambda self: (self.args[0].shape[0], sympy.Integer(1)))


class Broadcast(Matrixlike):
    shape = property(lambda self: self.args[1:3])


class UnitMatrix(Matrixlike):
    shape = property(lambda self: self.args[:2])


class SumEntries(sympy.Expr):
    pass


class Mystery(sympy.Expr):
    pass


class sigmoid(sympy.Function):
    pass


class relu(sympy.Function):
    pass


class softplus(sympy.Function):
    pass


class step(sympy.Function):
    pass


class identity(sympy.Function):
    pass


t, u = sympy.symbols("t u")
X, Y, V = MatrixSymbol("X", 4, 3), MatrixSymbol("Y", 4, 2), MatrixSymbol("V", 4, 3)
W, A, S = MatrixSymbol("W", 3, 2), MatrixSymbol("A", 3, 3), MatrixSymbol("S", 3, 3)
B, C = MatrixSymbol("B", 2, 2), MatrixSymbol("C", 2, 2)
x, row = MatrixSymbol("x", 3, 1), MatrixSymbol("r", 1, 2)
ALL = (X, Y, V, W, A, S, B, C, x, row)
POINT = oracle.generic_point([*ALL, "t", "u"], seed=11)


def numbers(expr, **options):
    """The 50-digit numbers of an expression at POINT."""
    return oracle.evaluate(oracle.explicit(expr, **options), POINT)


def slope(loss, variable):
    """The oracle's gradient at POINT."""
    return oracle.evaluate(oracle.gradient(oracle.explicit(loss), oracle.entries(variable)), POINT)


def close(value):
    """The full-precision floats of the seeds, without pytest's absolute tolerance."""
    return pytest.approx(value, rel=seeds.RTOL, abs=0)


def exact(value):
    """The decimal that a float prints as."""
    return Rational(repr(value))


def mapped(function, matrix):
    return Elementwise(Lambda(t, function(t)), matrix)


# --- explicit: SymPy's nodes against SymPy, the package's nodes against plain sums --------------

SYMPY_NODES = [
    X + V - 2 * X,
    X * W,
    3 * X * W + t * Y,
    W.T * X.T,
    sympy.HadamardProduct(X, V, X),
    sympy.HadamardPower(X, 3),
    A**3,
    A**0,
    sympy.MatPow(B, -2),
    sympy.Inverse(A),
    sympy.Inverse(B * C) * W.T,
    sympy.ZeroMatrix(3, 2) + W,
    sympy.Identity(3) + A,
    sympy.OneMatrix(4, 3) * A,
    X[1:4, 0:2],
    sympy.FunctionMatrix(3, 2, Lambda((t, u), t + 2 * u + 1)) + W,
    sympy.ImmutableMatrix([[t, u**2], [t * u, sympy.exp(t)]]),
    X.applyfunc(sympy.sin),
]
SYMPY_SCALARS = [
    (Trace(A * S), (A * S).as_explicit().trace()),
    (sympy.Determinant(A), A.as_explicit().det()),
    (sympy.Determinant(A + S), (A + S).as_explicit().det()),
    ((X * W)[2, 1], (X * W).as_explicit()[2, 1]),
    (sympy.log(Trace(A) ** 2) / 3, sympy.log(A.as_explicit().trace() ** 2) / 3),
    (
        sympy.Sum(X[t, u] * t, (t, 0, u), (u, 0, 2)),
        sum(X[i, j] * i for j in range(3) for i in range(j + 1)),
    ),
    (sympy.Product(t + u, (t, 1, 3)), (1 + u) * (2 + u) * (3 + u)),
]


@pytest.mark.parametrize("node", SYMPY_NODES, ids=str)
def test_matrix_nodes_agree_with_sympy(node):
    assert oracle.explicit(node).shape == node.shape
    assert oracle.agree(numbers(node), numbers(node.as_explicit()))


@pytest.mark.parametrize(("node", "plain"), SYMPY_SCALARS, ids=str)
def test_scalar_nodes_agree_with_sympy(node, plain):
    assert oracle.agree(numbers(node), numbers(plain))


def test_entries_are_real_symbols_counted_from_one():
    assert oracle.entries(W)[2, 0] == Symbol("W_3_1", real=True)
    i, values = Symbol("i"), sympy.IndexedBase("x")
    total = oracle.explicit(sympy.Sum(values[i] * Symbol("w"), (i, 1, 2)))
    w, x1, x2 = sympy.symbols("w x_1 x_2", real=True)
    assert total == w * x1 + w * x2


def test_own_nodes():
    a, b = oracle.entries(X), oracle.entries(V)
    w = oracle.entries(W)
    product = Elementwise(Lambda((t, u), t * sympy.exp(u)), X, V)
    assert oracle.explicit(product)[1, 2] == a[1, 2] * sympy.exp(b[1, 2])
    assert oracle.explicit(SumEntries(W)) == sum(w)
    assert oracle.explicit(SumRows(W)).tolist() == [[w[0, j] + w[1, j] + w[2, j] for j in range(2)]]
    assert oracle.explicit(SumColumns(W)).tolist() == [[w[i, 0] + w[i, 1]] for i in range(3)]
    assert oracle.explicit(Broadcast(row, 3, 2))[2, 1] == Symbol("r_1_2", real=True)
    assert oracle.explicit(Broadcast(x, 3, 2))[2, 1] == Symbol("x_3_1", real=True)
    assert set(oracle.explicit(Broadcast(t, 3, 2))) == {Symbol("t", real=True)}
    assert oracle.explicit(UnitMatrix(2, 3, 1, 0)).tolist() == [[0, 0, 0], [1, 0, 0]]
    assert oracle.explicit(mapped(lambda z: t * u * z**2, W)).shape == (3, 2)


@pytest.mark.parametrize(
    ("function", "at", "value", "derivative"),
    [
        (
            sigmoid,
            "1/3",
            1 / (1 + math.exp(-1 / 3)),
            math.exp(-1 / 3) / (1 + math.exp(-1 / 3)) ** 2,
        ),
        (softplus, "1/3", math.log(1 + math.exp(1 / 3)), 1 / (1 + math.exp(-1 / 3))),
        (sympy.tanh, "1/3", math.tanh(1 / 3), 1 - math.tanh(1 / 3) ** 2),
        (identity, "-1/3", -1 / 3, 1),
        (relu, "1/3", 1 / 3, 1),
        (relu, "-1/3", 0, 0),
        (relu, "0", 0, 0),
        (step, "1/3", 1, 0),
        (step, "0", 0, 0),
        (sympy.Abs, "-1/3", 1 / 3, -1),
        (sympy.Abs, "0", 0, 0),
        (sympy.sign, "-1/3", -1, 0),
        (sympy.sign, "0", 0, 0),
        (lambda z: sympy.Max(z, -z, 0), "-1/3", 1 / 3, -1),
        (lambda z: sympy.Min(z, 2 * z), "-1/3", -2 / 3, 2),
    ],
)
def test_scalar_functions(function, at, value, derivative):
    """Values, slopes and the convention at kinks, without Heaviside, Dirac or open derivatives."""
    symbol = oracle.variable("t")
    written = oracle.explicit(function(t))
    by_symbol = oracle.gradient(written, symbol)
    assert not by_symbol.has(sympy.Heaviside, sympy.DiracDelta, sympy.Derivative, sympy.Subs)
    assert float(oracle.evaluate(written, {"t": Rational(at)})) == pytest.approx(value, abs=1e-15)
    assert float(oracle.evaluate(by_symbol, {"t": Rational(at)})) == pytest.approx(
        derivative, abs=1e-15
    )


def test_known_cases_are_decided():
    cases = sympy.Piecewise((t, t > u), (u, True))
    assert oracle.explicit(cases, values={"t": 3, "u": 2}) == 3
    assert oracle.explicit(cases, values={"t": 1, "u": 2}) == 2
    assert oracle.explicit(relu(t), values={"t": -2}) == 0


def test_sizes_and_values():
    n = Symbol("n")
    tall = MatrixSymbol("T", n + 1, 2)
    mean = SumEntries(tall) / n
    assert oracle.explicit(mean, sizes={n: 2}) == sum(oracle.entries(tall, {"n": 2})) / 2
    assert oracle.explicit(mean, {"n": 1}, {"T": [[1, 2], [3, 4]]}) == 10


def test_slices_with_steps():
    """SymPy 1.14 gives X[:, 0:3:2] one column; Python's ranges, and the oracle, have two."""
    written = oracle.explicit(X[1:4:2, 0:3:2])
    assert [s.name for s in written] == ["X_2_1", "X_2_3", "X_4_1", "X_4_3"]


def test_inline_passes_definitions_down():
    z, h = MatrixSymbol("Z", 4, 2), MatrixSymbol("H", 4, 2)
    definitions = [(z, X * W), (h, mapped(sympy.tanh, z)), (Symbol("L"), SumEntries(h))]
    nested = SumEntries(mapped(sympy.tanh, X * W)) ** 2
    assert oracle.inline(definitions, Symbol("L") ** 2) == oracle.explicit(nested)


def test_shared_subexpressions_are_written_once():
    deep = X
    for _ in range(30):
        deep = sympy.MatAdd(deep, mapped(sympy.sin, deep), evaluate=False)
    begun = time.perf_counter()
    value = oracle.evaluate(oracle.explicit(SumEntries(deep)), POINT)
    assert mpmath.isfinite(value)
    assert time.perf_counter() - begun < 10  # written out as a tree it would never end


# Shapes that SymPy lets pass, because it compares no symbolic sizes: (2, 3) and (3, 2).
P, Q = (MatrixSymbol(name, *sympy.symbols(dims)) for name, dims in (("P", "n m"), ("Q", "m n")))


@pytest.mark.parametrize(
    ("expr", "error", "text"),
    [
        (Mystery(t), NotImplementedError, "Mystery"),
        (sympy.Function("f")(t), NotImplementedError, "f"),
        (sympy.Derivative(sympy.sin(t), t), NotImplementedError, "Derivative"),
        (MatrixSymbol("T", Symbol("k"), 2), ValueError, "sizes"),
        (P + Q, ValueError, "MatAdd"),
        (P * Q.T, ValueError, "MatMul"),
        (sympy.HadamardProduct(P, Q), ValueError, "HadamardProduct"),
        (P**2, ValueError, "MatPow"),
        (Trace(P), ValueError, "Trace"),
        (sympy.Inverse(P), ValueError, "Inverse"),
        ((P * Q)[1, Symbol("m")], ValueError, "MatrixElement"),
        (Elementwise(Lambda((t, u), t * u), X, W), ValueError, "shape"),
        (Broadcast(row, 3, 5), ValueError, "broadcast"),
        (sympy.sin(SumRows(W), evaluate=False), ValueError, "matrix"),
    ],
    ids=str,
)
def test_errors_name_the_fault(expr, error, text):
    with pytest.raises(error, match=text):
        oracle.explicit(expr, sizes={"n": 2, "m": 3})


def test_a_definition_of_another_shape_is_an_error():
    with pytest.raises(ValueError, match="declared"):
        oracle.inline([(MatrixSymbol("dW", 3, 2), W.T)], MatrixSymbol("dW", 3, 2))


# --- gradient: by hand, and planted errors ------------------------------------------------------

residual = X * W - Y
squares = Trace(residual.T * residual)
quadratic = Trace(x.T * A * x)
activated = SumEntries(mapped(sympy.tanh, X * W))
inverted = Trace(A * sympy.Inverse(S))
s_inverse_t = sympy.Inverse(S).T
slope_of_tanh = mapped(lambda z: 1 - sympy.tanh(z) ** 2, X * W)

BY_HAND = [
    (squares, W, 2 * X.T * residual),
    (quadratic, x, (A + A.T) * x),
    (quadratic, A, x * x.T),
    (inverted, S, -s_inverse_t * A.T * s_inverse_t),
    (inverted, A, s_inverse_t),
    (sympy.log(sympy.Determinant(S) ** 2) / 2, S, s_inverse_t),
    (sympy.Determinant(S), S, sympy.Determinant(S) * s_inverse_t),
    (Trace(S**3), S, 3 * (S.T) ** 2),
    (activated, W, X.T * slope_of_tanh),
    (SumEntries(sympy.HadamardPower(X, 3)), X, 3 * sympy.HadamardPower(X, 2)),
    (SumEntries(Broadcast(row, 4, 2)), row, 4 * sympy.OneMatrix(1, 2)),
    (SumEntries(sympy.HadamardProduct(Broadcast(row, 4, 2), Y)), row, SumRows(Y)),
]
PLANTED = [
    (squares, W, X.T * residual),  # factor 2 lost
    (squares, W, -2 * X.T * residual),  # sign
    (squares, W, 2 * X.T * (X * W + Y)),  # sign inside
    (squares, W, (2 * X.T * residual).T),  # shape
    (quadratic, x, 2 * A * x),  # taken for symmetric
    (quadratic, x, (A - A.T) * x),
    (inverted, S, -s_inverse_t * A * s_inverse_t),  # one transpose lost
    (inverted, S, s_inverse_t * A.T * s_inverse_t),  # sign
    (inverted, A, sympy.Inverse(S)),  # transposed
    (sympy.Determinant(S), S, sympy.Determinant(S) * sympy.Inverse(S)),  # transposed
    (activated, W, X.T * mapped(lambda z: 1 - sympy.tanh(z), X * W)),  # square lost
    (activated, W, X.T * mapped(lambda z: 1 + sympy.tanh(z) ** 2, X * W)),  # sign
    (SumEntries(Broadcast(row, 4, 2)), row, sympy.OneMatrix(1, 2)),  # repetition lost
]


@pytest.mark.parametrize(("loss", "variable", "claim"), BY_HAND, ids=str)
def test_gradients_by_hand(loss, variable, claim):
    assert oracle.agree(slope(loss, variable), numbers(claim))


@pytest.mark.parametrize(("loss", "variable", "claim"), PLANTED, ids=str)
def test_planted_errors_differ(loss, variable, claim):
    assert not oracle.agree(slope(loss, variable), numbers(claim), digits=2)


def test_gradient_of_a_gradient():
    """The Hessian of x' A x is A + A', entry by entry."""
    entries = oracle.entries(x)
    first = oracle.gradient(oracle.explicit(quadratic), entries)
    rows = [oracle.gradient(first[i, 0], entries).T.tolist()[0] for i in range(3)]
    assert sympy.Matrix(rows) == oracle.explicit(A + A.T)


# --- points and numbers -------------------------------------------------------------------------


def test_generic_points_are_generic():
    values = list(POINT.values())
    assert {"X_4_3", "t", "r_1_2"} < set(POINT)
    assert len({abs(value) for value in values}) == len(values)
    assert all(Rational(1, 5) < abs(v) < 2 and abs(v) != 1 and v.q > 9999 for v in values)
    assert {v > 0 for v in values} == {True, False}
    near = oracle.generic_point(["p", "q", "s"], 3, low=0.1, high=0.9, positive=True).values()
    assert all(Rational(1, 10) < v < Rational(9, 10) for v in near)


def test_generic_points_are_distinct_even_where_few_values_fit(monkeypatch):
    monkeypatch.setattr(oracle.sympy, "nextprime", lambda _: 10_007)
    for seed in range(20):
        few = oracle.generic_point(["p", "q", "s"], seed, low=0.5, high=0.50025).values()
        assert len({abs(value) for value in few}) == 3


def test_generic_points_are_deterministic():
    names = ["t", *oracle.entries(W)]
    assert oracle.generic_point(names, 5) == oracle.generic_point(reversed(names), 5)
    assert oracle.generic_point(names, 5) != oracle.generic_point(names, 6)
    program = "import oracle; print(oracle.generic_point({'a', 'b', 'c', 'd'}, 7))"
    folder = str(Path(oracle.__file__).parent)
    runs = {
        subprocess.run(
            [sys.executable, "-c", program],
            env={**os.environ, "PYTHONHASHSEED": seed, "PYTHONPATH": folder},
            capture_output=True,
            check=True,
        ).stdout
        for seed in ("1", "2")
    }
    assert len(runs) == 1


def test_evaluate_to_fifty_digits():
    third = {"t": Rational(1, 3)}
    with mpmath.workdps(60):
        argument = mpmath.mpf(1) / 3
        for function in ("exp", "log", "sin", "tanh", "erf", "gamma", "sinh", "digamma", "atan"):
            value = oracle.evaluate(getattr(sympy, function)(t), third)
            assert oracle.agree(value, getattr(mpmath, function)(argument), digits=50)
        value = oracle.evaluate(sympy.pi * t ** Rational(2, 7) + sympy.E, third)
        assert oracle.agree(value, mpmath.pi * argument ** (mpmath.mpf(2) / 7) + mpmath.e, 50)


def test_evaluate_takes_only_the_branch_that_holds():
    cases = sympy.Piecewise((sympy.log(t), t > 0), (sympy.log(-t), t <= 0))
    assert oracle.agree(oracle.evaluate(cases, {"t": -2}), mpmath.log(2), digits=14)
    with pytest.raises(ValueError, match="not real"):
        oracle.evaluate(sympy.log(t), {"t": -2})
    with pytest.raises(KeyError, match="t"):
        oracle.evaluate(sympy.log(t), {"s": 2})


def test_evaluate_relations():
    for relation in (t > 1, t >= 1, t < 1, t <= 1, sympy.Eq(t, 1), sympy.Ne(t, 1)):
        for value in (0, 1, 2):
            got = oracle.evaluate(sympy.Piecewise((1, relation), (0, True)), {"t": value})
            assert got == int(bool(relation.subs(t, value)))


def test_agree_can_fail():
    assert oracle.agree([[1, 2]], [[1, 2]])
    assert not oracle.agree([[1, 2]], [[1], [2]])
    assert not oracle.agree([[1, 2]], [[1, 2 + mpmath.mpf("1e-12")]])
    assert oracle.agree([[1, 2]], [[1, 2 + mpmath.mpf("1e-12")]], digits=10)
    assert oracle.largest_difference([0.0], [0.0]) == 0


def test_the_oracle_is_independent():
    tree = ast.parse(Path(oracle.__file__).read_text(encoding="utf-8"))
    imports = [n for n in ast.walk(tree) if isinstance(n, ast.Import | ast.ImportFrom)]
    names = {a.name for n in imports if isinstance(n, ast.Import) for a in n.names}
    names |= {n.module for n in imports if isinstance(n, ast.ImportFrom)}
    roots = {name.split(".")[0] for name in names}
    assert roots - set(sys.stdlib_module_names) == {"sympy", "mpmath"}


# --- networks -----------------------------------------------------------------------------------


def point_of(net, seed=2):
    return oracle.generic_point([net.inputs, net.targets, *net.parameters.values()], seed)


@pytest.mark.parametrize(
    ("sizes", "activations", "options"),
    [
        ((3, 2, 2), ["sigmoid", "sigmoid"], {"bias": False, "orientation": "columns"}),
        ((2, 3, 2), ["tanh", "identity"], {"samples": 3, "loss": "half_sse"}),
        ((2, 3, 1), ["relu", "softplus"], {"samples": 2, "loss": "sse"}),
        ((3, 4, 4, 1), ["tanh", "tanh", "sigmoid"], {"orientation": "columns"}),
    ],
)
def test_differences_agree_with_diff(sizes, activations, options):
    net = oracle.network(sizes, activations, **options)
    by_differences = oracle.network_gradients(net, point_of(net))
    by_diff = oracle.network_gradients(net, point_of(net), exact=True)
    assert list(by_differences) == list(by_diff) == list(net.parameters)
    assert all(oracle.agree(by_differences[name], by_diff[name], 48) for name in by_diff)


def test_differences_notice_a_wrong_gradient():
    net = oracle.network((3, 4, 4, 1), ["tanh", "tanh", "sigmoid"])
    right = oracle.network_gradients(net, point_of(net))
    other = oracle.network_gradients(
        oracle.network((3, 4, 4, 1), ["tanh", "sigmoid", "sigmoid"]), point_of(net)
    )
    assert not any(oracle.agree(right[name], other[name], digits=2) for name in right)


def test_rows_and_columns_are_the_same_network():
    sizes, activations = (3, 2, 2), ["tanh", "sigmoid"]
    rows = oracle.network(sizes, activations)
    columns = oracle.network(sizes, activations, orientation="columns")
    turned = [columns.inputs, columns.targets, *columns.parameters.values()]
    straight = [rows.inputs, rows.targets, *rows.parameters.values()]
    assert [a.shape for a in straight] == [a.shape[::-1] for a in turned]
    names = {
        b: a for s, c in zip(straight, turned, strict=True) for a, b in zip(s, c.T, strict=True)
    }
    assert columns.loss.xreplace(names) == rows.loss
    assert columns.output.xreplace(names) == rows.output.T
    with pytest.raises(ValueError, match="one sample"):
        oracle.network(sizes, activations, orientation="columns", samples=2)


def test_rows_against_matrices():
    """The scalars and the matrices of one network are written by different code."""
    w1, w2 = MatrixSymbol("W1", 3, 2), MatrixSymbol("W2", 2, 2)
    b1, b2 = MatrixSymbol("b1", 1, 2), MatrixSymbol("b2", 1, 2)
    hidden = mapped(sigmoid, X * w1 + Broadcast(b1, 4, 2))
    error = hidden * w2 + Broadcast(b2, 4, 2) - Y
    total = oracle.explicit(SumEntries(sympy.HadamardPower(error, 2)))
    for loss, factor in {"sse": 1, "half_sse": 2, "mse": 8}.items():
        net = oracle.network((3, 2, 2), ["sigmoid", "identity"], samples=4, loss=loss)
        at = point_of(net)
        assert oracle.agree(oracle.evaluate(net.loss, at), oracle.evaluate(total / factor, at))


def test_wide_networks_stay_fast():
    net = oracle.network((3, 16, 16, 1), ["tanh"] * 3)
    weights = {"W2": net.parameters["W2"][:2, :]}
    small = oracle.Network(net.inputs, net.targets, weights, net.output, net.loss)
    begun = time.perf_counter()
    assert len(oracle.flat(oracle.network_gradients(small, point_of(net))["W2"])) == 32
    assert time.perf_counter() - begun < 5


# --- The seeds, 1: the perceptron -----------------------------------------------------------------

w, b, z, y = sympy.symbols("w b z y")
SAMPLE_LOSS = oracle.explicit((sympy.tanh(w * z + b) - y) ** 2)
VARIABLES = [oracle.variable(name) for name in "wbzy"]
SLOPES = [oracle.gradient(SAMPLE_LOSS, variable) for variable in VARIABLES[:2]]


class Perceptron:
    """The seed's perceptron on plain floats, or in mpmath on the exact decimals."""

    def __init__(self, number=float, module=math):
        self.number, self.tanh = number, module.tanh
        ages = [number(age) for age in seeds.AGES]
        self.mean = sum(ages) / len(ages)
        self.std = module.sqrt(sum((age - self.mean) ** 2 for age in ages) / len(ages))
        inputs = [self.standardised(age) for age in ages]
        targets = [number(repr(p)) for p in seeds.PROBABILITIES]
        self.samples = list(zip(inputs, targets, strict=True))
        self.loss = sympy.lambdify(VARIABLES, SAMPLE_LOSS, module.__name__)
        self.slopes = [sympy.lambdify(VARIABLES, s, module.__name__) for s in SLOPES]
        self.start = [number(repr(value)) for value in seeds.START]
        self.rate = number(repr(seeds.LEARNING_RATE))

    def standardised(self, age):
        return (age - self.mean) / self.std

    def output(self, point, z):
        return self.tanh(point[0] * z + point[1])

    def mean_loss(self, point):
        return sum(self.loss(*point, *sample) for sample in self.samples) / len(self.samples)

    def mean_slopes(self, point):
        terms = [[s(*point, *sample) for s in self.slopes] for sample in self.samples]
        return [sum(column) / len(self.samples) for column in zip(*terms, strict=True)]

    def step(self, point, sample, update):
        """One sample's step; `sequential` moves b with the gradient at the w that has moved."""
        moved = list(point)
        for i, slope in enumerate(self.slopes):
            at = moved if update == "sequential" else point
            moved[i] = point[i] - self.rate * slope(*at, *sample)
        return moved

    def path(self, update):
        """The parameters after each sample of ten epochs, the start first."""
        order = self.samples * seeds.EPOCHS
        return list(accumulate(order, lambda p, s: self.step(p, s, update), initial=self.start))


@pytest.fixture(scope="module")
def plain():
    return Perceptron()


@pytest.fixture(scope="module")
def precise():
    with mpmath.workdps(40):
        yield Perceptron(mpmath.mpf, mpmath)


def test_ages():
    assert sum(seeds.AGES) == seeds.AGE_SUM
    assert len(seeds.AGES) == len(seeds.PROBABILITIES) == 14
    mean = Fraction(seeds.AGE_SUM, 14)
    squares = sum((age - mean) ** 2 for age in seeds.AGES)
    assert (mean, squares / 14) == (seeds.AGE_MEAN_EXACT, seeds.AGE_VARIANCE)
    assert float(mean) == seeds.AGE_MEAN
    assert math.sqrt(squares / 14) == close(seeds.AGE_STD)
    assert math.sqrt(squares / 13) == close(seeds.AGE_STD_SAMPLE)


def test_first_sample(plain):
    (first, target), start = plain.samples[0], seeds.START
    assert first == close(seeds.FIRST_Z)
    assert round(first, 3) == seeds.FIRST_Z_PRINTED
    assert start[0] * first + start[1] == close(seeds.FIRST_PREACTIVATION)
    assert plain.output(start, first) == close(seeds.FIRST_PREDICTION)
    assert plain.loss(*start, first, target) == close(seeds.FIRST_LOSS)
    assert round(plain.loss(*start, first, target), 3) == seeds.FIRST_LOSS_PRINTED
    rounded = plain.loss(*start, seeds.FIRST_Z_PRINTED, seeds.FIRST_TARGET_ROUNDED)
    assert rounded == close(seeds.FIRST_LOSS_ROUNDED)
    assert [s(*start, first, target) for s in plain.slopes] == close(list(seeds.FIRST_GRADIENT))


def test_the_gradient_formulas_of_the_perceptron():
    """2 (tanh - y)(1 - tanh^2), times z for w; the same with a lost factor differs."""
    a = sympy.tanh(VARIABLES[0] * VARIABLES[2] + VARIABLES[1])
    by_hand = 2 * (a - VARIABLES[3]) * (1 - a**2)
    assert sympy.expand(SLOPES[0] - by_hand * VARIABLES[2]) == 0
    assert sympy.expand(SLOPES[1] - by_hand) == 0
    assert sympy.expand(SLOPES[0] - by_hand) != 0


@pytest.mark.parametrize(
    ("update", "first_loss", "three", "epochs", "rises", "prediction"),
    [
        (
            "sequential",
            seeds.STEP_SEQUENTIAL_LOSS,
            seeds.THREE_STEPS_SEQUENTIAL,
            seeds.EPOCHS_SEQUENTIAL,
            seeds.LOSS_RISES_AFTER_SEQUENTIAL,
            seeds.PREDICTION_SEQUENTIAL,
        ),
        (
            "simultaneous",
            seeds.STEP_SIMULTANEOUS_LOSS,
            seeds.THREE_STEPS_SIMULTANEOUS,
            seeds.EPOCHS_SIMULTANEOUS,
            seeds.LOSS_RISES_AFTER_SIMULTANEOUS,
            seeds.PREDICTION_SIMULTANEOUS,
        ),
    ],
)
def test_update_orders(plain, precise, update, first_loss, three, epochs, rises, prediction):
    for model, half in ((plain, 0.6), (precise, 0.501)):
        path = model.path(update)
        assert [[float(v) for v in p] for p in path[1:4]] == [close(list(p)) for p in three]
        assert float(model.loss(*path[1], *model.samples[0])) == close(first_loss)
        after = [(*point, model.mean_loss(point)) for point in path[14::14]]
        assert len(after) == len(epochs) == seeds.EPOCHS
        for got, printed in zip(after, epochs, strict=True):
            for value, number, places in zip(got, printed, seeds.EPOCH_DECIMALS, strict=True):
                # float64's own noise is a few units of the 17th digit
                assert abs(value - model.number(repr(number))) < half * 10**-places
        losses = [loss for *_, loss in after]
        falls = [later < earlier for earlier, later in pairwise(losses)]
        assert falls == [epoch < rises for epoch in range(1, seeds.EPOCHS)]
        new = model.standardised(seeds.NEW_AGE)
        assert float(new) == close(seeds.NEW_Z)
        assert float(model.output(path[-1], new)) == close(prediction)


def test_steps_of_the_two_orders_differ():
    assert seeds.THREE_STEPS_SEQUENTIAL[0] == seeds.STEP_SEQUENTIAL
    assert seeds.THREE_STEPS_SIMULTANEOUS[0] == seeds.STEP_SIMULTANEOUS
    assert seeds.STEP_SEQUENTIAL[1] != close(seeds.STEP_SIMULTANEOUS[1])


def test_final_numbers_to_twenty_digits(plain, precise):
    assert plain.path("sequential")[-1] == close(list(seeds.FINAL_SEQUENTIAL))
    final = precise.path("sequential")[-1]
    assert [mpmath.nstr(value, 20) for value in final] == list(seeds.FINAL_SEQUENTIAL_LONG)
    prediction = precise.output(final, precise.standardised(seeds.NEW_AGE))
    assert mpmath.nstr(prediction, 20) == seeds.PREDICTION_SEQUENTIAL_LONG
    outputs = [precise.output(final, z) for z, _ in precise.samples]
    assert [round(float(a), 6) for a in outputs] == list(seeds.TRAINED_OUTPUTS)


def test_all_samples_at_once(plain, precise):
    assert plain.mean_loss(seeds.START) == close(seeds.START_MEAN_LOSS)
    assert plain.mean_slopes(seeds.START) == close(list(seeds.START_MEAN_GRADIENT))
    point = list(seeds.START)
    for _ in range(seeds.FULL_BATCH_STEPS):
        slopes = plain.mean_slopes(point)
        point = [p - seeds.LEARNING_RATE * s for p, s in zip(point, slopes, strict=True)]
    assert point == close(list(seeds.FULL_BATCH))
    assert plain.mean_loss(point) == close(seeds.FULL_BATCH_LOSS)
    best = mpmath.findroot(lambda *p: precise.mean_slopes(p), seeds.FULL_BATCH)
    assert [float(value) for value in best] == close(list(seeds.OPTIMUM))
    assert float(precise.mean_loss(best)) == close(seeds.OPTIMUM_LOSS)
    new = precise.standardised(seeds.NEW_AGE)
    assert float(precise.output(best, new)) == close(seeds.OPTIMUM_PREDICTION)


def test_raw_ages(plain):
    w_best, b_best = seeds.OPTIMUM
    assert w_best / plain.std == close(seeds.RAW_OPTIMUM[0])
    assert b_best - w_best * plain.mean / plain.std == close(seeds.RAW_OPTIMUM[1])
    raw = [plain.output(seeds.RAW_OPTIMUM, age) for age in seeds.AGES]
    assert raw == close([plain.output(seeds.OPTIMUM, z) for z, _ in plain.samples])
    outputs = [plain.output(seeds.START, age) for age in seeds.AGES]
    low, high = seeds.RAW_OUTPUT_RANGE
    assert (round(min(outputs), 6), max(outputs)) == (low, pytest.approx(high, abs=1e-12))
    slopes = [s(*seeds.START, seeds.AGES[0], seeds.PROBABILITIES[0]) for s in plain.slopes]
    assert slopes == pytest.approx(list(seeds.RAW_FIRST_GRADIENT), rel=5e-6)


def test_tanh_by_exponentials_overflows():
    def by_exponentials(v):
        return (math.exp(v) - math.exp(-v)) / (math.exp(v) + math.exp(-v))

    limit = seeds.TANH_OVERFLOWS_FROM
    for sign in (1, -1):
        assert by_exponentials(sign * (limit - 1)) == math.tanh(sign * (limit - 1)) == sign
        with pytest.raises(OverflowError):
            by_exponentials(sign * limit)
        assert math.tanh(sign * limit) == sign
    quotient = (sympy.exp(t) - sympy.exp(-t)) / (sympy.exp(t) + sympy.exp(-t))
    assert oracle.agree(numbers(quotient), numbers(sympy.tanh(t)))


# --- The seeds, 2: the line, exact ----------------------------------------------------------------

i = Symbol("i")
xs, ys = sympy.IndexedBase("x"), sympy.IndexedBase("y")
LINE_DATA = {f"x_{k}": value for k, value in enumerate(seeds.LINE_X, 1)} | {
    f"y_{k}": Rational(value) for k, value in enumerate(seeds.LINE_Y, 1)
}
ERROR = w * xs[i] + b - ys[i]
LINE_L2 = oracle.explicit(sympy.Sum(ERROR**2, (i, 1, seeds.LINE_N)) / 2, values=LINE_DATA)
LINE_L1 = oracle.explicit(sympy.Sum(sympy.Abs(ERROR), (i, 1, seeds.LINE_N)), values=LINE_DATA)
LINE_VARIABLES = sympy.Matrix([VARIABLES[:2]])
LINE_SLOPES = oracle.gradient(LINE_L2, LINE_VARIABLES)


def test_line_data():
    pairs = [(x, Fraction(y)) for x, y in zip(seeds.LINE_X, seeds.LINE_Y, strict=True)]
    assert len(pairs) == seeds.LINE_N
    assert sum(x for x, _ in pairs) == seeds.LINE_SX
    assert sum(x * x for x, _ in pairs) == seeds.LINE_SXX
    assert sum(y for _, y in pairs) == seeds.LINE_SY
    assert sum(x * y for x, y in pairs) == seeds.LINE_SXY
    assert sum(y * y for _, y in pairs) == seeds.LINE_SYY


@pytest.mark.parametrize(("w_at", "b_at", "l2", "l1", "slopes"), seeds.LINE_LOSSES)
def test_line_losses(w_at, b_at, l2, l1, slopes):
    at = dict(zip(VARIABLES, (Rational(w_at), Rational(b_at)), strict=False))
    assert LINE_L2.subs(at) == Rational(l2)
    assert oracle.explicit(LINE_L1, values=at) == Rational(l1)
    assert list(LINE_SLOPES.subs(at)) == [Rational(slope) for slope in slopes]


def test_line_optimum_and_curvature():
    at = dict(zip(VARIABLES, map(Rational, seeds.LINE_OPTIMUM), strict=False))
    assert list(LINE_SLOPES.subs(at)) == [0, 0]
    assert tuple(map(float, seeds.LINE_OPTIMUM)) == seeds.LINE_OPTIMUM_FLOAT
    assert LINE_L2.subs(at) == Rational(seeds.LINE_OPTIMUM_LOSS)
    assert float(seeds.LINE_OPTIMUM_LOSS) == seeds.LINE_OPTIMUM_LOSS_FLOAT
    assert float(seeds.LINE_OPTIMUM_LOSS) / 4 == close(seeds.LINE_OPTIMUM_MEAN_SQUARE)
    fitted = [Rational(value) for value in seeds.LINE_FIT]
    for point, value in seeds.LINE_PREDICTIONS:
        assert fitted[0] * Rational(point) + fitted[1] == Rational(value)
    hessian = sympy.Matrix([list(oracle.gradient(slope, LINE_VARIABLES)) for slope in LINE_SLOPES])
    assert hessian == sympy.Matrix(seeds.LINE_HESSIAN)
    high, low = sorted((float(v) for v in hessian.eigenvals()), reverse=True)
    assert (high, low) == close(seeds.LINE_EIGENVALUES)
    assert high / low == close(seeds.LINE_CONDITION)
    assert 2 / high == close(seeds.LINE_LARGEST_STABLE_RATE)
    assert 2 / (high + low) == close(seeds.LINE_FASTEST_RATE)


@pytest.mark.parametrize(("rate", "steps", "w_end", "b_end", "l2"), seeds.LINE_DESCENT)
def test_line_descent(rate, steps, w_end, b_end, l2):
    slopes = sympy.lambdify(VARIABLES[:2], list(LINE_SLOPES), "math")
    point = seeds.LINE_START
    for _ in range(steps):
        point = [p - rate * s for p, s in zip(point, slopes(*point), strict=True)]
    assert point == pytest.approx([w_end, b_end], rel=1e-11)
    loss = sympy.lambdify(VARIABLES[:2], LINE_L2, "mpmath")
    with mpmath.workdps(30):
        assert float(loss(*map(mpmath.mpf, point))) == pytest.approx(l2, rel=1e-11)


@pytest.mark.parametrize(("wi", "bias", "wo", "outputs", "slope_at_one"), seeds.HIDDEN_NETS)
def test_hidden_units(wi, bias, wo, outputs, slope_at_one):
    net = oracle.network((1, len(wi), 1), ["sigmoid", "identity"])
    tables = {"W1": [wi], "b1": [bias], "W2": [[v] for v in wo], "b2": [[0]]}
    at = settings(net.parameters, tables)
    for point, value in zip(seeds.HIDDEN_POINTS, outputs, strict=True):
        got = oracle.evaluate(net.output[0, 0], {**at, "X_1_1": exact(point)})
        assert float(got) == pytest.approx(value, rel=1e-12, abs=1e-40)
    by_input = oracle.gradient(net.output[0, 0], net.inputs[0, 0])
    assert float(oracle.evaluate(by_input, {**at, "X_1_1": 1})) == close(slope_at_one)


# --- The seeds, 3 and 4: the 3-2-2 and the 3-4-4-1 net --------------------------------------------


def settings(symbols, tables):
    """The point at which the symbols have the tables' decimals."""
    return {
        symbol.name: exact(value)
        for name, rows in tables.items()
        for symbol, value in zip(symbols[name], [v for line in rows for v in line], strict=True)
    }


def floats(table):
    return [[float(value) for value in line] for line in table]


SMALL = oracle.network(
    seeds.SMALL_SIZES, ["sigmoid"] * 2, bias=False, orientation="columns", loss="sse"
)
SMALL_AT = settings(
    {"x": SMALL.inputs, "y": SMALL.targets, **SMALL.parameters},
    {
        "x": [seeds.SMALL_X],
        "y": [seeds.SMALL_Y],
        "W1": seeds.SMALL_W1,
        "W2": seeds.SMALL_W2,
    },
)


def test_small_net():
    assert float(oracle.evaluate(SMALL.loss, SMALL_AT)) == close(seeds.SMALL_S)
    assert float(oracle.evaluate(SMALL.loss / 2, SMALL_AT)) == close(seeds.SMALL_MEAN)
    assert [float(v) for [v] in oracle.evaluate(SMALL.output, SMALL_AT)] == close(
        list(seeds.SMALL_X3)
    )
    for way in (True, False):
        slopes = oracle.network_gradients(SMALL, SMALL_AT, exact=way)
        assert floats(slopes["W1"]) == [close(list(line)) for line in seeds.SMALL_GRADIENT_W1]
        assert floats(slopes["W2"]) == [close(list(line)) for line in seeds.SMALL_GRADIENT_W2]


def test_small_net_by_its_definitions():
    """Forward and backward as named matrix definitions, and dS/dz by sympy.diff."""
    w1, w2 = MatrixSymbol("W1", 2, 3), MatrixSymbol("W2", 2, 2)
    y = MatrixSymbol("y", 2, 1)
    z2, x2, z3, x3, d3, d2 = (MatrixSymbol(n, 2, 1) for n in ["z2", "x2", "z3", "x3", "d3", "d2"])
    after = [(x3, mapped(sigmoid, z3)), ("S", SumEntries(sympy.HadamardPower(x3 - y, 2)))]
    slope = Lambda((t, u), 2 * (t - u) * t * (1 - t))
    rule = Elementwise(Lambda((t, u), t * u * (1 - u)), w2.T * d3, x2)
    backward = [(d3, Elementwise(slope, x3, y)), (d2, rule)]
    definitions = [(z2, w1 * x), (x2, mapped(sigmoid, z2)), (z3, w2 * x2), *after, *backward]
    expected = {
        z2: seeds.SMALL_Z2,
        x2: seeds.SMALL_X2,
        z3: seeds.SMALL_Z3,
        x3: seeds.SMALL_X3,
        d3: seeds.SMALL_D3,
        d2: seeds.SMALL_D2,
    }
    for target, values in expected.items():
        got = oracle.evaluate(oracle.inline(definitions, target), SMALL_AT)
        assert [float(value) for [value] in got] == close(list(values))
    tail = {z3: after, z2: [(x2, mapped(sigmoid, z2)), (z3, w2 * x2), *after]}
    for target, values in ((z3, seeds.SMALL_D3), (z2, seeds.SMALL_D2)):
        by_diff = oracle.gradient(oracle.inline(tail[target], Symbol("S")), oracle.entries(target))
        at = {**SMALL_AT, **settings({"z": oracle.entries(target)}, {"z": [expected[target]]})}
        assert [float(v) for [v] in oracle.evaluate(by_diff, at)] == close(list(values))


def test_small_net_after_a_step_and_with_the_misprint():
    slopes = oracle.network_gradients(SMALL, SMALL_AT)
    moved = dict(SMALL_AT)
    for name, symbols in SMALL.parameters.items():
        for symbol, value in zip(symbols, oracle.flat(slopes[name]).values(), strict=True):
            moved[symbol.name] = (
                oracle.number(SMALL_AT[symbol.name]) - seeds.SMALL_STEP_RATE * value
            )
    assert float(oracle.evaluate(SMALL.loss, moved)) == close(seeds.SMALL_S_AFTER_STEP)
    misprint = {**SMALL_AT, "W1_2_2": SMALL_AT["W2_2_2"]}
    assert float(oracle.evaluate(SMALL.loss, misprint)) == close(seeds.SMALL_S_MISPRINT)


@pytest.mark.skipif(not sympy.__version__.startswith("1.14"), reason="counts of SymPy 1.14")
def test_written_out_gradients_are_long():
    slopes = [oracle.gradient(SMALL.loss, a) for a in SMALL.parameters.values()]
    assert sympy.count_ops(slopes[0][0, 0]) == seeds.SMALL_SLOPE_OPERATIONS
    every = [entry for slope in slopes for entry in slope]
    assert sum(map(sympy.count_ops, every)) == seeds.SMALL_ALL_OPERATIONS
    named, rest = sympy.cse(every)
    shared = [*(value for _, value in named), *rest]
    assert sum(map(sympy.count_ops, shared)) == seeds.SMALL_ALL_OPERATIONS_CSE


def deep_net():
    """The 3-4-4-1 net and the floats of its point, which are the reference's own rounding."""
    net = oracle.network(
        seeds.DEEP_SIZES, seeds.DEEP_ACTIVATIONS, orientation="columns", loss="mse"
    )
    at = {"y_1_1": seeds.DEEP_Y, **{f"x_{k}_1": value for k, value in enumerate(seeds.DEEP_X, 1)}}
    for name, symbols in net.parameters.items():
        layer = 100 * int(name[1:])
        for r in range(symbols.rows):
            for c in range(symbols.cols):
                angle = layer + 10 * (r + 1)
                value = mpmath.sin(angle + c + 1) if name[0] == "W" else mpmath.cos(angle)
                at[symbols[r, c].name] = value / 2
    return net, at


def test_deep_net():
    net, at = deep_net()
    counts = [sum(len(a) for n, a in net.parameters.items() if n[0] == kind) for kind in "Wb"]
    assert tuple(counts) == seeds.DEEP_PARAMETERS
    [[output]] = oracle.evaluate(net.output, at)
    assert float(output) == close(seeds.DEEP_OUTPUT)
    entropy = oracle.Network(
        net.inputs, net.targets, net.parameters, net.output, -sympy.log(net.output[0, 0])
    )
    for model, expected in ((net, seeds.DEEP_SQUARED), (entropy, seeds.DEEP_CROSS_ENTROPY)):
        slopes = oracle.network_gradients(model, at)
        named = {
            symbol.name: value
            for name, symbols in net.parameters.items()
            for symbol, value in zip(symbols, oracle.flat(slopes[name]).values(), strict=True)
        }
        named["loss"] = oracle.evaluate(model.loss, at)
        named["norm"] = mpmath.sqrt(sum(v**2 for n, v in named.items() if n != "loss"))
        assert {name: float(named[name]) for name in expected} == {
            name: close(value) for name, value in expected.items()
        }


def test_misprints_are_visible():
    x_at, w_at, b_at = seeds.SIGMOID_MISPRINT_AT
    right, wrong = (
        oracle.evaluate(oracle.explicit(sigmoid(t)), {"t": w_at * x_at + s * b_at}) for s in (1, -1)
    )
    assert (float(right), float(wrong)) == close((seeds.SIGMOID_RIGHT, seeds.SIGMOID_MISPRINT))
    start = dict(zip(VARIABLES, seeds.LINE_START, strict=False))
    dropped = LINE_DATA | {f"y_{k}": 0 for k in range(1, seeds.LINE_N + 1)}
    literal = oracle.explicit(sympy.Sum(ERROR**2, (i, 1, seeds.LINE_N)) / 2, values=dropped)
    slope_at_start = oracle.gradient(literal, VARIABLES[0]).subs(start)
    assert slope_at_start == seeds.LINE_SLOPE_MISPRINT
    assert LINE_SLOPES[0].subs(start) != seeds.LINE_SLOPE_MISPRINT
