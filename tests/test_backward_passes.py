"""The gradients written by hand are right, and what is made of them is what it says it is."""

import inspect
import random

import mpmath
import numpy as np
import pytest
import sympy as sp
from backward_passes import CASES, arrays_of
from mutation import mutants, wrong_mutants
from rewriting import MATRIX, SCALAR, rewritten, rewritten_by, rewritten_matrix


def moved(value, place, step):
    """The argument with one of its numbers moved, counted through all its arrays."""
    if isinstance(value, (list, tuple)):
        parts = []
        for one in value:
            size = sum(array.size for array in arrays_of(one))
            parts.append(moved(one, place, step) if 0 <= place < size else one)
            place -= size
        return parts
    if isinstance(value, float):
        return value + step
    copy = value.copy()
    copy.flat[place] += step
    return copy


def differences(case, arguments, upstream):
    """The gradients by central differences, a flat array for each name in `wrt`."""

    def value(point):
        found = case.loss(**point)
        return found if case.upstream is None else np.sum(found[0] * upstream)

    found = {}
    for name in case.wrt:
        holder = next(
            (
                key
                for key, shape in case.shapes.items()
                if isinstance(shape, dict) and name in shape
            ),
            None,
        )
        start = arguments[name] if holder is None else arguments[holder][name]
        flat = []
        for place in range(sum(array.size for array in arrays_of(start))):
            ends = []
            for step in (1e-5, -1e-5):
                at = moved(start, place, step)
                point = {name: at} if holder is None else {holder: {**arguments[holder], name: at}}
                ends.append(value({**arguments, **point}))
            flat.append((ends[0] - ends[1]) / 2e-5)
        found[name] = np.array(flat)
    return found


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("name", CASES)
def test_each_gradient_is_right(name, seed):
    case = CASES[name]
    rng = np.random.default_rng([seed, *name.encode()])
    arguments = case.arguments(rng)
    upstream = None
    if case.upstream is None:
        gradient = case.grad(**arguments)
    else:
        out, cache = case.loss(**arguments)
        upstream = rng.normal(size=out.shape)
        gradient = case.grad(upstream, cache)
    gradient = case.by_name(gradient)
    wanted = differences(case, arguments, upstream)
    for key in case.wrt:
        parts = arrays_of(gradient[key])
        start = arguments.get(key)
        if start is None:
            start = next(v[key] for v in arguments.values() if isinstance(v, dict) and key in v)
        assert [part.shape for part in parts] == [part.shape for part in arrays_of(start)], key
        flat = np.concatenate([part.ravel() for part in parts])
        scale = max(np.abs(wanted[key]).max(), 1e-3)
        np.testing.assert_allclose(flat / scale, wanted[key] / scale, rtol=0, atol=1e-6)


# ---------------------------------------------------------------- wrong versions of the gradients


def test_every_gradient_has_wrong_versions_and_there_are_many():
    counts = {name: sum(1 for _ in wrong_mutants(case)) for name, case in CASES.items()}
    assert min(counts.values()) >= 4, counts
    assert sum(counts.values()) > 5000, counts


@pytest.mark.parametrize("name", ["relu_mse", "class", "rnn", "conv1d"])
def test_the_wrong_versions_are_wrong_and_the_same_each_time(name):
    case = CASES[name]
    found = list(wrong_mutants(case))
    assert [text for text, _ in found] == [text for text, _ in wrong_mutants(case)]
    assert len({text for text, _ in found}) == len(found)
    right = case.grad(*case.inputs(np.random.default_rng(7)))
    for _, mutant in found[:10]:
        mutant(*case.inputs(np.random.default_rng(7)))
    again = case.grad(*case.inputs(np.random.default_rng(7)))
    for one, other in zip(arrays_of(right), arrays_of(again), strict=True):
        np.testing.assert_array_equal(one, other)


def test_a_mutant_has_its_own_source_and_helpers():
    case = CASES["columns"]
    found = dict(mutants(case.grad, case.helpers))
    flipped = next(text for text in found if "sign flipped: (o - y)" in text)
    assert "delta_o = -(" in inspect.getsource(found[flipped])
    inside = next(text for text in found if text.startswith("in sigmoid"))
    point = case.inputs(np.random.default_rng(0))
    assert not np.allclose(found[inside](*point)["W1"], case.grad(*point)["W1"])
    assert any(".T dropped: W2.T @ delta_o -> W2 @ delta_o" in text for text in found)


@pytest.mark.parametrize(
    ("name", "mistake"),
    [
        ("relu_softmax", "statement deleted: dh[h <= 0] = 0"),
        ("relu_softmax", "statement deleted: dscores /= n"),
        ("rnn", "assigned, not added up: grads['Wh'] +="),
        ("tanh_einsum", "power dropped: H ** 2 -> H"),
        ("leaky", "the other comparison: Z > 0 -> Z < 0"),
        ("logistic", "division dropped: X.T @ (p - y) / n"),
        ("linear_out", "another function: dY_hat.sum -> dY_hat.mean"),
        ("softmax_labels", "another number: 1 -> 2"),
        ("attention", "keepdims dropped"),
        ("rnn", "index off by one: xs[t] -> xs[t - 1]"),
        ("conv2d", "bound shifted"),
        ("char_rnn", "not reversed"),
    ],
)
def test_the_mistakes_that_people_make_are_among_them(name, mistake):
    assert any(mistake in text for text, _ in wrong_mutants(CASES[name]))


# ---------------------------------------------------------------- other ways to write expressions

x, y, z, w = sp.symbols("x y z w", real=True)
p = sp.Symbol("p", positive=True)
i = sp.Symbol("i", integer=True)
u, v = sp.IndexedBase("u"), sp.IndexedBase("v")
ARRAYS = {u: (0.31, -1.27, 0.83, 1.9, -0.44), v: (1.12, 0.57, -0.78, 0.21, -1.6)}

EXPRESSIONS = {
    "perceptron": (sp.tanh(w * x + z) - y) ** 2 / 2,
    "slope": (sp.tanh(w * x + z) - y) * (1 - sp.tanh(w * x + z) ** 2) * x,
    "logistic": y * sp.log(1 + sp.exp(-w * x)) + (1 - y) * sp.log(1 + sp.exp(w * x)),
    "logistic slope": x / (1 + sp.exp(-w * x - z)) - x * y,
    "logistic layers": 1 / (1 + sp.exp(-w / (1 + sp.exp(-x * y)))),
    "softmax": sp.exp(x + y) / (sp.exp(x + y) + sp.exp(y) + sp.exp(z)),
    "log softmax": x - sp.log(sp.exp(x) + sp.exp(y) + sp.exp(z)),
    "ramp": (sp.Max(0, w * x + z) - y) ** 2,
    "ramp slope": 2 * x * sp.Piecewise((1, w * x > 0), (0, True)) * (sp.Max(0, w * x) - y),
    "leaky": sp.Piecewise((x * w, x * w > 0), (x * w / 10, True)) ** 2,
    "distance": sp.Abs(x - y) + sp.sign(x - y) * w,
    "huber": sp.Piecewise((x**2 / 2, sp.Abs(x) < 1), (sp.Abs(x) - sp.Rational(1, 2), True)),
    "extremes": sp.Max(x, y) - sp.Min(x * y, w),
    "gaussian": sp.log(p) + (x - y) ** 2 / (2 * p**2),
    "logs": sp.log(p * sp.exp(x) * (1 + x**2)) + sp.log(1 + y**2),
    "waves": sp.sin(x * y) * sp.cos(x + z) + sp.sinh(x) / sp.cosh(y),
    "polynomial": (x + y) ** 3 - 3 * x * y * (x + y) + 2 * w,
    "fraction": (x * y + 1) / (x**2 + y**2 + 1) - w / (x**2 + 1),
    "sum of squares": sp.Sum((w * u[i] + z - v[i]) ** 2, (i, 0, 4)),
    "sum of slopes": sp.Sum(2 * w * u[i] * (1 - sp.tanh(w * u[i]) ** 2), (i, 0, 4)) / 5,
    "sum and sum": sp.Sum(x * u[i], (i, 0, 4)) + sp.Sum(y * v[i] + x, (i, 0, 4)),
    "product of exp": sp.Mul(sp.exp(x), sp.exp(y), evaluate=False) + w,
    "log of a sum": sp.log(sp.Sum(sp.exp(x * u[i]), (i, 0, 4))) - y * u[2],
}


MEANINGS = {
    sp.Add: lambda *terms: mpmath.fsum(terms),
    sp.Mul: lambda *factors: mpmath.fprod(factors),
    sp.Pow: mpmath.power,
    sp.exp: mpmath.exp,
    sp.log: mpmath.log,
    sp.sin: mpmath.sin,
    sp.cos: mpmath.cos,
    sp.sinh: mpmath.sinh,
    sp.cosh: mpmath.cosh,
    sp.tanh: mpmath.tanh,
    sp.sech: mpmath.sech,
    sp.Abs: abs,
    sp.sign: mpmath.sign,
    sp.Max: max,
    sp.Min: min,
    sp.Heaviside: lambda t, at_zero: mpmath.mpf(t > 0) if t else at_zero,
    sp.StrictGreaterThan: lambda a, b: a > b,
    sp.StrictLessThan: lambda a, b: a < b,
    sp.GreaterThan: lambda a, b: a >= b,
    sp.LessThan: lambda a, b: a <= b,
}


def value_of(part, numbers):
    """The value of an expression as it stands, in mpmath; SymPy evaluates nothing."""
    if part in numbers:
        return numbers[part]
    if isinstance(part, sp.Rational):
        return mpmath.mpf(int(part.p)) / int(part.q)
    if part in (sp.true, sp.false):
        return bool(part)
    if isinstance(part, sp.Indexed):
        return mpmath.mpf(ARRAYS[part.base][int(value_of(part.indices[0], numbers))])
    if isinstance(part, sp.Sum):
        ((index, low, high),) = part.limits
        rounds = range(int(value_of(low, numbers)), int(value_of(high, numbers)) + 1)
        terms = [value_of(part.function, {**numbers, index: mpmath.mpf(k)}) for k in rounds]
        return mpmath.fsum(terms)
    if isinstance(part, sp.Piecewise):
        chosen = next(value for value, test in part.args if value_of(test, numbers))
        return value_of(chosen, numbers)
    return MEANINGS[part.func](*(value_of(one, numbers) for one in part.args))


def numbers_at(seed):
    rng = np.random.default_rng(seed)
    names = sorted((x, y, z, w), key=str)
    numbers = {name: mpmath.mpf(rng.normal()) for name in names}
    return numbers | {p: mpmath.mpf(rng.uniform(0.5, 2))}


@pytest.fixture
def digits():
    with mpmath.workdps(30):
        yield


@pytest.mark.usefixtures("digits")
@pytest.mark.parametrize("name", EXPRESSIONS)
def test_a_rewritten_expression_has_the_same_value(name):
    expression = EXPRESSIONS[name]
    points = [numbers_at(seed) for seed in (1, 2, 3)]
    wanted = [value_of(expression, numbers) for numbers in points]
    changed = 0
    for seed in range(25):
        other = rewritten(expression, seed)
        assert other == rewritten(expression, seed)
        assert sum(1 for _ in sp.preorder_traversal(other)) < 2000
        changed += other != expression
        for numbers, value in zip(points, wanted, strict=True):
            found = value_of(other, numbers)
            assert abs(found - value) <= 1e-20 * max(1, abs(value)), (seed, other)
    assert changed > 20


def test_every_identity_is_used():
    used, rng = set(), random.Random(0)
    for wanted, identities in ((EXPRESSIONS, SCALAR), (MATRICES, MATRIX)):
        for expression in wanted.values():
            for name, identity in identities.items():
                found = rewritten_by(identity, expression, rng)
                if found is not None:
                    used.add(name if identities is SCALAR else f"{name} of matrices")
    assert used == {*SCALAR, *(f"{name} of matrices" for name in MATRIX)}


A, C = sp.MatrixSymbol("A", 3, 2), sp.MatrixSymbol("C", 3, 2)
B, D = sp.MatrixSymbol("B", 2, 4), sp.MatrixSymbol("D", 2, 4)
S, R = sp.MatrixSymbol("S", 3, 3), sp.MatrixSymbol("R", 3, 3)
MATRICES = {
    "product": A * B,
    "line": A.T * (A * B - C * D),
    "sum": A * B + A * D - 2 * C * B,
    "scaled": x * A * B / 3 + y * C * D,
    "hadamard": sp.hadamard_product(A * B, C * D, A * D),
    "back": A.T * sp.hadamard_product(A * B, C * D) * B.T,
    "inverse": (S * R).inv() * A + S.T.inv() * C,
    "trace": sp.Trace(A.T * S * C) + x * sp.Trace(S * R + R),
}


@pytest.mark.parametrize("name", MATRICES)
def test_a_rewritten_matrix_has_the_same_value(name):
    expression = MATRICES[name]
    rng = np.random.default_rng(5)
    arrays = {one.name: rng.normal(size=one.shape) for one in (A, B, C, D, S, R)}
    arrays |= {"x": 0.7, "y": -1.3}
    wanted = matrix_value(expression, arrays)
    changed = 0
    for seed in range(40):
        other = rewritten_matrix(expression, seed)
        assert other == rewritten_matrix(expression, seed)
        assert sum(1 for _ in sp.preorder_traversal(other)) < 2000
        changed += other != expression
        np.testing.assert_allclose(
            matrix_value(other, arrays), wanted, rtol=1e-9, atol=1e-9, err_msg=f"{seed}: {other}"
        )
    assert changed > 35


def matrix_value(part, arrays):
    if isinstance(part, (sp.MatrixSymbol, sp.Symbol)):
        return arrays[part.name]
    if part.is_Number:
        return float(part)
    if isinstance(part, sp.Identity):
        return np.eye(int(part.shape[0]))
    values = [matrix_value(one, arrays) for one in part.args]
    match part:
        case sp.MatMul() | sp.Mul():
            result = 1.0
            for value in values:
                result = result @ value if np.ndim(result) and np.ndim(value) else result * value
            return result
        case sp.MatAdd() | sp.Add():
            return sum(values[1:], values[0])
        case sp.HadamardProduct():
            return np.prod(values, axis=0)
        case sp.Transpose():
            return values[0].T
        case sp.Inverse():
            return np.linalg.inv(values[0])
        case sp.Trace():
            return np.trace(values[0])
    raise TypeError(part.func)
