"""Generated NumPy code against the oracle: every rule's example, and formulas of every kind.

Each formula runs plainly, in float32, over samples in every combination, and from a saved module.
The same function must come out of all of them.
"""

import ast
import itertools
import runpy
import time
import warnings

import numpy as np
import oracle
import pytest
import sympy as sp
from checks import entries_of, explicit
from test_engine import FORMULAS

import symgrad as sg
from symgrad import rules

i, j = sp.symbols("i j", integer=True)
x, y, V = map(sp.IndexedBase, "xyV")
w, b = sp.symbols("w b", real=True)


def matrix(name, rows, columns):
    return sp.MatrixSymbol(name, rows, columns)


A, B, u, v = matrix("A", 3, 3), matrix("B", 2, 3), matrix("u", 3, 1), matrix("v", 4, 1)
MORE = {
    "index as an exponent": sp.Sum(x[i] * sp.Integer(2) ** (-i) * w**i, (i, 1, 5)),
    "alternating signs": sp.Sum((-1) ** i * x[i] * w, (i, 0, 3)),
    "sum of two indices": sp.Sum(x[i + j] * y[i] * w, (i, 0, 2), (j, 0, 1)),
    "transposed by index": sp.Sum(x[i] * y[j] * V[j, i], (i, 0, 2), (j, 0, 1)),
    "diagonal by index": sp.Sum(V[i, i] ** 2 * x[i], (i, 0, 2)),
    "one by one": matrix("p", 1, 1) * matrix("q", 1, 3) * u,
    "one unit": sg.sum_entries(
        sg.elementwise(sp.tanh, v * matrix("W", 1, 1) + sg.broadcast(matrix("c", 1, 1), 4, 1))
    ),
    "outer product": sg.sum_entries(sg.elementwise(sp.tanh, u * matrix("r", 2, 1).T)),
    "chain": matrix("a", 1, 4) * matrix("C", 4, 3) * A * u,
    "row that stands for a matrix": sg.sum_entries(
        sg.elementwise(
            lambda t: t**2, sg.broadcast(sg.sum_rows(matrix("D", 2, 2) * B), 2, 3)
        )
    ),
    "transposed row that stands for a matrix": sg.sum_entries(
        sp.HadamardProduct(sg.broadcast(sg.sum_rows(B), 2, 3).T, B.T)
    ),
    "logarithm in a case": sp.Piecewise((sp.log(w), w > 0), (w**2, True)) * b,
    "not and": sp.Piecewise((w, sp.Not(sp.And(w > 0.5, b < 10))), (w**2 * b, True)),
    "or": sp.Piecewise((w, sp.Or(w > 1000, b < -1)), (w**2 * b, True)),
    "unequal": sp.Piecewise((w, sp.Ne(w, 3)), (b, True)),
    "cases of a case": sp.Piecewise(
        (w, sp.Piecewise((-1, w > b), (b, True)) > 0), (w**2 * b, True)
    ),
    "cases of entries": sg.sum_entries(
        sg.elementwise(lambda t: sp.Piecewise((sp.log(t), t > 1), (t * w, True)), B)
    ),
    "reciprocals": sp.sec(w) + sp.csc(w) + sp.cot(w) + sp.sech(w) + sp.csch(w) + sp.coth(w),
    "negative powers": w**-2 * b ** sp.Rational(-5, 2) / (3 * w * b) - sp.Rational(-3, 7) * w,
    "floats": -0.5 * w + 1.5 * w * b - 2.0 / b,
    "large integers": w * 10**30 + b * sp.Rational(1, 10**30),
    "constants": sp.pi * w + sp.E**b + sp.log(w, 10),
    "inverse and determinant": sp.Determinant(A) * sp.Trace(sp.Inverse(A)),
    "explicit": sg.sum_entries(
        sp.ImmutableMatrix([[w, b], [b, w]]) * sp.ImmutableMatrix([[1, 2], [3, 4]])
    ),
    "trace of a multiple": sp.Trace(w * sp.Identity(3)),
    "table by function": sp.Trace(sp.FunctionMatrix(3, 3, sp.Lambda((i, j), i - 2 * j)) * A),
    "powers of entries": sg.sum_entries(
        sp.HadamardPower(B, -2) + sp.HadamardPower(B, sp.Rational(1, 2))
    ),
    "linear": 3 * w + sg.sum_entries(B),
    "one entry": B[1, 2] * B[0, 0] ** 2,
}  # fmt: skip
EXAMPLES = {
    **{f"rule of {head.__name__}": rule.example() for head, rule in rules.RULES.items()},
    **FORMULAS,
    **MORE,
}


def inputs_at(formula, seed=3):
    """A generic point, and the arrays that it stands for."""
    symbols = [
        s
        for variable in formula.inputs.values()
        for s in (oracle.entries(variable.symbol) if variable.shape else [variable.symbol])
    ]
    point = oracle.generic_point(symbols, seed, positive=True)
    arrays = {}
    for name, variable in formula.inputs.items():
        table = np.array(oracle.evaluate(entries_of(variable.symbol), point), dtype=float)
        arrays[name] = table.reshape([int(size) for size in variable.sizes])
    return point, arrays


def numbers(value, shape):
    return np.array(value, dtype=float).reshape(shape)


def samples_of(arrays, batch):
    """Three samples of the arrays that `batch` names; the others as they are."""
    factors = (1.0, 1.1, 0.9)
    return {
        name: np.stack([array * f for f in factors]) if name in batch else array
        for name, array in arrays.items()
    }


@pytest.fixture(autouse=True)
def warnings_are_errors():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        yield


@pytest.mark.parametrize("name", EXAMPLES)
def test_value_and_gradients_are_the_oracles(name):
    formula = sg.Formula.of(EXAMPLES[name])
    exact, (point, arrays) = explicit(formula), inputs_at(formula)
    value, grads = sg.compile(formula, list(arrays))(arrays)
    assert type(value) is float
    np.testing.assert_allclose(value, float(oracle.evaluate(exact, point)), rtol=1e-9)
    for key, variable in formula.inputs.items():
        wanted = oracle.evaluate(oracle.gradient(exact, entries_of(variable.symbol)), point)
        wanted = numbers(wanted, arrays[key].shape)
        np.testing.assert_allclose(grads[key], wanted, rtol=1e-8, atol=1e-10)
        assert np.shape(grads[key]) == arrays[key].shape
        assert np.asarray(grads[key]).dtype == np.float64
    small = {key: array.astype(np.float32) for key, array in arrays.items()}
    _, grads = sg.compile(formula, list(arrays))(small)
    assert {np.asarray(gradient).dtype for gradient in grads.values()} == {np.dtype(np.float32)}


@pytest.mark.parametrize("name", EXAMPLES)
def test_samples_give_what_one_by_one_gives(name):
    formula = sg.Formula.of(EXAMPLES[name])
    _, arrays = inputs_at(formula)
    names = list(arrays)
    single = sg.compile(formula, names)
    for batch in ([names[0]], [names[-1]], names):
        given = samples_of(arrays, batch)
        parts = [
            single({key: a[k] if key in batch else a for key, a in given.items()}) for k in range(3)
        ]
        values = [part[0] for part in parts]
        each = sg.compile(formula, batch=batch)(given)
        np.testing.assert_allclose(each, values, rtol=1e-12)
        for reduce, put in (("mean", np.mean), ("sum", np.sum)):
            value, grads = sg.compile(formula, names, batch=batch, reduce=reduce)(given)
            np.testing.assert_allclose(value, put(values), rtol=1e-12)
            for key, gradient in grads.items():
                slopes = np.array([part[1][key] for part in parts])
                own = slopes / (3 if reduce == "mean" else 1)
                wanted = own if key in batch else put(slopes, axis=0)
                assert np.shape(gradient) == wanted.shape
                np.testing.assert_allclose(gradient, wanted, rtol=1e-10, atol=1e-11)


@pytest.mark.parametrize("name", EXAMPLES)
def test_a_saved_module_is_the_same_function_and_checks_itself(name, tmp_path):
    formula = sg.Formula.of(EXAMPLES[name])
    _, arrays = inputs_at(formula)
    names = list(arrays)
    for wrt, batch in itertools.product((None, names), ((), names[:1], names)):
        function = sg.compile(formula, wrt, batch=batch)
        module = runpy.run_path(str(function.save(tmp_path / "module.py")))
        given = {k: a for k, a in samples_of(arrays, batch).items() if k in function.inputs}
        call = module["over_samples" if batch else function._recipe.program.name]
        got, wanted = call(*given.values()), function(given)
        if wrt is None:
            got, wanted = [got], [wanted]
        else:
            wanted = [wanted[0], *wanted[1].values()]
            with np.errstate(all="ignore"):
                errors = [e for e in map(module["check"], range(4)) if np.isfinite(e)]
            assert errors
            assert max(errors) < 1e-5
        for first, second in zip(got, wanted, strict=True):
            assert np.shape(first) == np.shape(second)
            np.testing.assert_allclose(first, second, rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize("name", EXAMPLES)
def test_statement_i_is_definition_i(name):
    formula = sg.Formula.of(EXAMPLES[name])
    function = sg.compile(formula, list(formula.inputs))
    (definition,) = ast.parse(function.listing).body
    count = sum(isinstance(s, ast.Assign) for s in definition.body)
    wanted = sg.gradient(formula, list(formula.inputs)).graph
    assert count == len(wanted)
    assert isinstance(definition.body[-1], ast.Return)


def test_limits_may_depend_on_an_index():
    triangle = sg.compile(sp.Sum(sp.IndexedBase("V")[i, j], (i, 0, j), (j, 0, 3)))
    assert triangle(V=np.ones((4, 4))) == 10.0
    table = np.arange(16.0).reshape(4, 4)
    assert triangle(V=table) == np.triu(table).sum()


def test_sizes_that_are_expressions_are_checked_wherever_they_stand():
    n = sp.Symbol("n", integer=True, positive=True)
    loss = sp.Trace(sp.MatrixSymbol("a", n - 1, 1).T * sp.MatrixSymbol("M", n - 1, n)
                    * sp.MatrixSymbol("c", n, 1))  # fmt: skip
    function = sg.compile(loss)
    assert function(a=np.ones((3, 1)), M=np.ones((3, 4)), c=np.ones((4, 1))) == 12.0
    with pytest.raises(sg.ShapeError, match="`a` must be"):
        function(a=np.ones((2, 1)), M=np.ones((3, 4)), c=np.ones((4, 1)))


def test_numbers_and_their_gradients_are_floats():
    value, grads = sg.compile(3 * w + 2 * b, ["w", "b"])(w=1, b=2)
    assert (type(value), type(grads["w"]), type(grads["b"])) == (float, float, float)
    _, grads = sg.compile(sg.sum_entries(2 * A), ["A"])(A=np.ones((3, 3), dtype=int))
    assert grads["A"].dtype == np.float64
    value, _ = sg.compile(w * b, ["w"])(w=np.float32(2), b=np.float32(3))
    assert value.dtype == np.float32
    assert sg.compile(sp.Sum(i * x[i], (i, 1, 3)))(x=[1, 2, 3]) == 14.0


def test_a_mixture_of_types_gives_the_wider_one():
    _, grads = sg.compile(w * b, ["w"])(w=np.float32(2), b=np.float64(3))
    assert type(grads["w"]) is float


def test_a_call_costs_little_more_than_its_statements():
    net = sg.Network(3, [sg.Dense(4, activation="tanh"), sg.Dense(1)])
    function = sg.compile(sg.mse(net), wrt="parameters")
    arrays = {name: np.ones(shape) for name, shape in net.parameters.items()}
    arrays |= {"X": np.ones((5, 3)), "Y": np.ones((5, 1))}
    ordered = [arrays[name] for name in function.inputs]

    def seconds(call):
        best = np.inf
        for _ in range(20):
            start = time.perf_counter()
            for _ in range(20):
                call()
            best = min(best, (time.perf_counter() - start) / 20)
        return best

    bare = seconds(lambda: function._function(*ordered))
    # It was a millisecond when every call looked at the graph again.
    assert seconds(lambda: function(arrays)) - bare < 3e-4


def test_dimension_names_and_helpers_do_not_clash(tmp_path):
    helpers = "samples sample k rows draw random low np sigmoid value result_0 step check sum"
    for name in (*helpers.split(), "L", "t1", "n"):
        s = sp.Symbol(name, real=True)
        for formula in (sg.sigmoid(s) * 2, s * sp.Trace(A) + sp.Trace(A * A), s * x[0] + x[1]):
            for batch in ((), (name,)):
                function = sg.compile(formula, [name], batch=batch)
                module = runpy.run_path(str(function.save(tmp_path / "module.py")))
                assert module["check"]() < 1e-6


def test_a_name_cannot_put_code_into_a_module(tmp_path):
    name = 'x"""\nraise SystemExit(7)\n"""'
    function = sg.compile(sp.Symbol(name) * w, [sp.Symbol(name)])
    runpy.run_path(str(function.save(tmp_path / "module.py")))
    assert "SystemExit(7)" not in function.source


REFUSED = {
    "a dtype that is none": (lambda: sg.compile(w, dtype="float23"), "unknown dtype `float23`"),
    "whole numbers": (lambda: sg.compile(w, dtype="int64"), "floating-point type"),
    "complex numbers": (lambda: sg.compile(w, dtype=complex), "floating-point type"),
    "reduce without samples": (lambda: sg.compile(w, reduce="mean"), "batch=[...]"),
    "reduce misspelt": (lambda: sg.compile(w, batch=["w"], reduce="man"), "did you mean `mean`?"),
    "wrt that is no name": (lambda: sg.compile(w, wrt=3), "unknown variable `3`"),
    "wrt that is empty": (lambda: sg.compile(w, wrt=[]), "wrt is empty"),
    "batch that is no input": (lambda: sg.compile(w, batch=["x"]), "unknown batch input `x`"),
    "a list for a mapping": (lambda: sg.compile(w)([1.0]), "by name"),
    "parameters of none": (lambda: sg.compile(w, "parameters"), "has no parameters"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_refused(name):
    call, words = REFUSED[name]
    with pytest.raises(sg.OptionError) as raised:
        call()
    assert words in str(raised.value)


def test_samples_that_do_not_fit():
    function = sg.compile(w * b, ["w"], batch=["w", "b"])
    with pytest.raises(sg.ShapeError, match="numbers of samples differ: `b` has 3, `w` has 2"):
        function(w=[1, 2], b=[1, 2, 3])
    with pytest.raises(sg.ShapeError, match=r"`w` must be \(samples,\), but it is a scalar"):
        function(w=1, b=[1, 2, 3])
    with pytest.raises(sg.DataError, match="no samples"):
        function(w=[], b=[])
