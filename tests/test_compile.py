"""The NumPy backend: what a compiled function takes and gives, saved modules, lambdify."""

import ast
import subprocess
import sys
import warnings
from concurrent.futures import ThreadPoolExecutor

import mpmath
import numpy as np
import pytest
import sympy as sp

import symgrad as sg

w, b, x, y = sp.symbols("w b x y", real=True)
i = sp.Symbol("i", integer=True)
n = sp.Symbol("n", integer=True, positive=True)
xs, ys = sp.IndexedBase("x"), sp.IndexedBase("y")
RNG = np.random.default_rng(11)


def net_and_arrays(form="rows", activation="tanh"):
    net = sg.Network(3, [sg.Dense(4, activation=activation), sg.Dense(2)])
    net = getattr(net, form)()
    arrays = {name: RNG.normal(size=shape) for name, shape in net.parameters.items()}
    if form == "rows":
        arrays |= {"X": RNG.normal(size=(5, 3)), "Y": RNG.normal(size=(5, 2))}
    else:
        arrays |= {"x": RNG.normal(size=3), "y": RNG.normal(size=2)}
    return net, arrays


def differences(function, arrays, name, step=1e-6):
    """Central differences of the value of a compiled function by one argument."""
    base = np.array(arrays[name], dtype=float)
    slopes = np.zeros_like(base)
    for place in np.ndindex(base.shape):
        sides = []
        for sign in (1, -1):
            moved = base.copy()
            moved[place] += sign * step
            sides.append(function(**{**arrays, name: moved})[0])
        slopes[place] = (sides[0] - sides[1]) / (2 * step)
    return slopes


@pytest.mark.parametrize("form", ["rows", "columns"])
@pytest.mark.parametrize("activation", ["tanh", "sigmoid", "softplus", "relu", "identity"])
def test_gradients_by_every_input_agree_with_differences(form, activation):
    net, arrays = net_and_arrays(form, activation)
    function = sg.compile(sg.mse(net), wrt=list(arrays))
    _, grads = function(**arrays)
    for name, gradient in grads.items():
        assert gradient.shape == arrays[name].shape
        wanted = differences(function, arrays, name)
        np.testing.assert_allclose(gradient, wanted, rtol=1e-5, atol=1e-7)


def test_definition_i_is_statement_i():
    net, _ = net_and_arrays()
    function = sg.compile(sg.mse(net), wrt="parameters")
    gradients = sg.gradient(sg.mse(net))
    (definition,) = ast.parse(function.listing).body
    statements = [s for s in definition.body if isinstance(s, ast.Assign)]
    assigned = [statement.targets[0].id for statement in statements]
    assert assigned == ["n", *(str(symbol) for symbol, _ in gradients.graph)]


def test_what_is_asked_for_is_what_comes():
    loss = (w * x - 1) ** 2
    assert sg.compile(loss)(w=2, x=3) == 25.0
    value, grads = sg.compile(loss, wrt=["w"])(w=2, x=3)
    assert (value, grads) == (25.0, {"w": 30.0})
    assert sg.compile(loss, wrt=w)(w=2, x=3) == (25.0, {"w": 30.0})
    assert sg.compile(sg.gradient(loss, [w, x]))(w=2, x=3) == {"w": 30.0, "x": 20.0}
    assert sg.compile(sg.gradient(loss, w))(w=2, x=3) == 30.0
    assert sg.compile(loss)({"w": 2, x: 3}) == 25.0


def test_odd_names_are_passed_by_mapping():
    symbols = [sp.Symbol(name) for name in ("lambda", "w_{11}^{(1)}", "np", "2 words", "sum")]
    function = sg.compile(sp.Add(*(k * s for k, s in enumerate(symbols, 1))), wrt=symbols)
    value, grads = function({s.name: 1.0 for s in symbols})
    assert value == 15.0
    assert list(grads.values()) == [1.0, 2.0, 3.0, 4.0, 5.0]


def test_arrays_of_rank_one_are_taken_for_one_column():
    net = sg.Network(1, [sg.Dense(1, activation="tanh")])
    function = sg.compile(sg.mse(net), wrt=["X", "W1"])
    flat = {"X": np.arange(4.0), "Y": np.ones(4), "W1": np.array([[0.5]]), "b1": np.zeros(1)}
    value, grads = function(**flat)
    full = {**flat, "X": flat["X"][:, None], "Y": flat["Y"][:, None]}
    other, parts = function(**full)
    assert value == other
    assert grads["X"].shape == (4,)
    assert parts["X"].shape == (4, 1)
    np.testing.assert_array_equal(grads["X"], parts["X"][:, 0])


def test_float32_stays_and_dtype_converts():
    net, arrays = net_and_arrays(activation="sigmoid")
    small = {name: array.astype(np.float32) for name, array in arrays.items()}
    value, grads = sg.compile(sg.mse(net), wrt="parameters")(**small)
    assert all(gradient.dtype == np.float32 for gradient in grads.values())
    exact, _ = sg.compile(sg.mse(net), wrt="parameters")(**arrays)
    assert abs(value - exact) < 1e-5 * abs(exact)
    _, grads = sg.compile(sg.mse(net), wrt="parameters", dtype=np.float32)(**arrays)
    assert all(gradient.dtype == np.float32 for gradient in grads.values())
    _, grads = sg.compile(sg.mse(net), wrt="parameters")(
        **{**arrays, "X": np.ones((5, 3), dtype=int)}
    )
    assert grads["W1"].dtype == np.float64


def test_results_share_memory_with_nothing():
    A = sp.MatrixSymbol("A", 3, 3)
    for formula in (A, A.T, 2 * A - A):
        function, given = sg.compile(formula), RNG.normal(size=(3, 3))
        result = function(A=given)
        assert not np.shares_memory(result, given)
        result[:] = 0
    net, arrays = net_and_arrays("columns")
    _, grads = sg.compile(sg.mse(net), wrt="parameters")(**arrays)
    parts = list(grads.values())
    for k, first in enumerate(parts):
        assert first.flags.writeable
        assert not any(np.shares_memory(first, second) for second in parts[k + 1 :])


@pytest.mark.parametrize("kind", ["fortran", "strided", "read-only", "negative"])
def test_any_layout_of_arrays(kind):
    net, arrays = net_and_arrays()
    function = sg.compile(sg.mse(net), wrt="parameters")
    value, grads = function(**arrays)

    def changed(array):
        if kind == "fortran":
            return np.asfortranarray(array)
        if kind == "strided":
            return np.repeat(array, 2, axis=0)[::2]
        if kind == "negative":
            return array[::-1].copy()[::-1]
        copy = array.copy()
        copy.flags.writeable = False
        return copy

    other, parts = function(**{name: changed(array) for name, array in arrays.items()})
    assert np.isclose(value, other, rtol=1e-14)
    for name, gradient in grads.items():
        np.testing.assert_allclose(gradient, parts[name], rtol=1e-12)


def test_two_threads_may_call_one_function():
    net, arrays = net_and_arrays()
    function = sg.compile(sg.mse(net), wrt="parameters")
    shifted = [{**arrays, "X": arrays["X"] + k} for k in range(8)]
    wanted = [function(**given)[0] for given in shifted]
    with ThreadPoolExecutor(4) as pool:
        for _ in range(5):
            got = list(pool.map(lambda given: function(**given)[0], shifted))
            assert got == wanted


EXTREMES = [-800.0, -40.0, 0.0, 40.0, 800.0]


@pytest.mark.parametrize("name", ["sigmoid", "softplus", "tanh", "relu"])
def test_values_and_two_derivatives_are_right_at_extremes(name):
    z = sp.Symbol("z", real=True)
    formula = sg.functions.FUNCTIONS[name].apply(z)
    first = sg.gradient(formula, z)
    functions = [sg.compile(f) for f in (formula, first, sg.gradient(first, z))]
    exact = {
        "sigmoid": lambda v: 1 / (1 + mpmath.exp(-v)),
        "softplus": lambda v: mpmath.log(1 + mpmath.exp(v)),
        "tanh": mpmath.tanh,
        "relu": lambda v: mpmath.mpf(max(v, 0)),
    }[name]

    def wanted(point, order):
        if name == "relu" and point == 0 and order:
            return 0.0  # the convention
        at = mpmath.mpf(point)
        return float(
            mpmath.diff(exact, at, order, h=mpmath.mpf(10) ** -300) if order else exact(at)
        )

    with mpmath.workdps(800), warnings.catch_warnings():
        warnings.simplefilter("error")
        for point in EXTREMES:
            for order, function in enumerate(functions):
                got = function(z=point) if function.inputs else function()
                right = wanted(point, order)
                assert np.isfinite(got)
                assert abs(got - right) <= 1e-15 + 1e-12 * abs(right)


def test_networks_at_extremes_stay_finite_without_warnings():
    for activation in ("sigmoid", "softplus", "tanh", "relu"):
        net, arrays = net_and_arrays(activation=activation)
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            value, grads = sg.compile(sg.mse(net), wrt="parameters")(
                **{**arrays, "X": 800 * np.sign(arrays["X"])}
            )
        assert np.isfinite(value)
        assert all(np.all(np.isfinite(gradient)) for gradient in grads.values())


def test_a_branch_that_is_not_taken_spoils_nothing():
    formula = sp.Piecewise((sp.log(x) * w, x > 0), (w**2, True))
    function = sg.compile(formula, wrt=["w", "x"])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for point in (-1.0, 0.0):
            assert function(x=point, w=3.0) == (9.0, {"w": 6.0, "x": 0.0})
        value, grads = function(x=2.0, w=3.0)
    assert np.isclose(value, 3 * np.log(2))
    assert np.isclose(grads["x"], 1.5)


def test_matrix_chains_are_bracketed_in_the_cheap_order():
    m = sp.Symbol("m")
    A, B = sp.MatrixSymbol("A", m, m), sp.MatrixSymbol("B", m, m)
    v = sp.MatrixSymbol("v", m, 1)
    source = sg.compile(sg.Formula.of(A * B * v)).listing
    assert "A @ (B @ v)" in source
    ones = sg.compile(sg.Formula.of(A * sp.OneMatrix(m, 1))).listing
    assert "np.ones" not in ones
    assert ".sum(axis=1)" in ones


def test_sums_over_an_index_are_vectorised():
    loss = sp.Sum((w * xs[i] + b - ys[i]) ** 2, (i, 1, n)) / 2
    function = sg.compile(loss, wrt=["w", "b", "x"])
    arrays = {"w": 0.3, "b": 0.1, "x": RNG.normal(size=6), "y": RNG.normal(size=6)}
    residual = arrays["w"] * arrays["x"] + arrays["b"] - arrays["y"]
    value, grads = function(**arrays)
    assert np.isclose(value, np.sum(residual**2) / 2)
    assert np.isclose(grads["w"], residual @ arrays["x"])
    assert np.isclose(grads["b"], residual.sum())
    np.testing.assert_allclose(grads["x"], residual * arrays["w"])
    assert "for" not in function.listing


BATCHED = {
    "scalar": ((sp.tanh(w * x + b) - y) ** 2, ("x", "y")),
    "column": (
        sg.sum_entries(
            sg.elementwise(lambda t: t**2, sp.MatrixSymbol("M", 2, 3) * sp.MatrixSymbol("v", 3, 1))
        ),
        ("v",),
    ),
    "index": (sp.Sum((w * xs[i] - 1) ** 2, (i, 1, n)), ("x",)),
}


@pytest.mark.parametrize("name", BATCHED)
@pytest.mark.parametrize("reduce", ["mean", "sum"])
def test_samples_on_a_leading_axis(name, reduce):
    formula, batch = BATCHED[name]
    formula = sg.Formula.of(formula, shapes={"v": (3,)} if name == "column" else None)
    shapes = {"M": (2, 3), "v": (4, 3), "x": (4, 5) if name == "index" else (4,), "y": (4,)}
    arrays = {key: RNG.normal(size=shapes.get(key, ())) for key in formula.inputs}
    function = sg.compile(formula, wrt=list(arrays), batch=batch, reduce=reduce)
    value, grads = function(**arrays)
    single = sg.compile(formula, wrt=list(arrays))
    rows = [single(**{k: a[s] if k in batch else a for k, a in arrays.items()}) for s in range(4)]
    put = np.mean if reduce == "mean" else np.sum
    assert np.isclose(value, put([row[0] for row in rows]))
    for key, gradient in grads.items():
        parts = np.array([row[1][key] for row in rows])
        wanted = parts / (4 if reduce == "mean" else 1) if key in batch else put(parts, axis=0)
        np.testing.assert_allclose(gradient, wanted, rtol=1e-12, atol=1e-14)


def test_without_reduction_every_sample_has_its_value():
    net = sg.Network(2, [sg.Dense(3, activation="tanh")]).columns()
    arrays = {name: RNG.normal(size=shape) for name, shape in net.parameters.items()}
    X = RNG.normal(size=(6, 2))
    together = sg.compile(net.output, batch=["x"])(x=X, **arrays)
    assert together.shape == (6, 3)
    for row, sample in zip(together, X, strict=True):
        np.testing.assert_allclose(row, sg.compile(net.output)(x=sample, **arrays))


# ----------------------------------------------------------------- saved modules


def saved(function, tmp_path, change=lambda text: text):
    path = function.save(tmp_path / "module.py")
    path.write_text(change(path.read_text()))
    done = subprocess.run([sys.executable, path], capture_output=True, text=True, timeout=60)
    return path.read_text(), done


@pytest.mark.parametrize("form", ["rows", "columns", "batch", "scalars", "index", "cases"])
def test_saved_modules_need_numpy_alone_and_check_themselves(form, tmp_path):
    if form == "index":
        function = sg.compile(sp.Sum((w * xs[i] + b) ** 2, (i, 1, n)), ["w", "x"], batch=["x"])
    elif form == "cases":
        function = sg.compile(sp.Piecewise((w**2 * x, x > w), (sp.exp(w), True)), ["w", "x"])
    elif form == "batch":
        net = sg.Network(3, [sg.Dense(2, activation="sigmoid")]).columns()
        function = sg.compile(sg.mse(net), wrt="parameters", batch=["x", "y"])
    else:
        net = getattr(sg.Network(2, [sg.Dense(2, activation="softplus"), sg.Dense(1)]), form)()
        function = sg.compile(sg.mse(net), wrt="parameters")
    text, done = saved(function, tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "agree with central differences" in done.stdout
    imported = [node for node in ast.walk(ast.parse(text)) if isinstance(node, ast.Import)]
    assert [alias.name for node in imported for alias in node.names] == ["numpy"]
    assert not any(isinstance(node, ast.ImportFrom) for node in ast.walk(ast.parse(text)))


def test_a_corrupted_module_finds_its_fault(tmp_path):
    net, _ = net_and_arrays()
    function = sg.compile(sg.mse(net), wrt="parameters")
    _, done = saved(function, tmp_path, lambda text: text.replace("dW1 = X.T", "dW1 = 1.01 * X.T"))
    assert done.returncode == 1
    assert "DIFFER from central differences" in done.stdout


# --------------------------------------------------------------------- lambdify


@pytest.mark.parametrize("activation", ["tanh", "sigmoid", "softplus", "relu"])
@pytest.mark.parametrize("form", ["rows", "columns"])
def test_lambdify_agrees_with_the_compiled_function(form, activation):
    net, arrays = net_and_arrays(form, activation)
    loss = sg.mse(net)
    variables = list(loss.inputs.values())
    symbols = [v.symbol for v in variables]
    given = [np.reshape(arrays[v.name], (*arrays[v.name].shape, 1)[:2]) for v in variables]
    if form == "rows":
        symbols.append(sp.Symbol("n", integer=True, positive=True))
        given.append(5)
    value, grads = sg.compile(loss, wrt="parameters")(**arrays)
    assert np.isclose(sp.lambdify(symbols, loss.sympy)(*given), value, rtol=1e-12)
    for name, formula in sg.gradient(loss).items():
        other = sp.lambdify(symbols, formula.sympy)(*given)
        np.testing.assert_allclose(np.reshape(other, grads[name].shape), grads[name], rtol=1e-10)


@pytest.mark.parametrize("module", ["numpy", "math", "mpmath"])
def test_lambdify_of_scalars_in_every_module(module):
    net = sg.Network(2, [sg.Dense(2, activation="sigmoid"), sg.Dense(1, activation="relu")])
    loss = sg.mse(net.scalars())
    point = {name: 0.3 + 0.1 * k for k, name in enumerate(loss.inputs)}
    symbols = [v.symbol for v in loss.inputs.values()]
    value, grads = sg.compile(loss, wrt="parameters")(**point)
    assert np.isclose(float(sp.lambdify(symbols, loss.sympy, module)(*point.values())), value)
    for name, formula in sg.gradient(loss).items():
        other = sp.lambdify(symbols, formula.sympy, module)(*point.values())
        assert np.isclose(float(other), grads[name])


def test_an_index_that_is_used_again_inside_is_another_index():
    j = sp.Symbol("j", integer=True)
    reused = sg.compile(sp.Sum(xs[i] * sp.Sum(ys[i], (i, 0, n - 1)), (i, 0, n - 1)))
    assert reused(x=np.arange(1.0, 6), y=np.arange(1.0, 6)) == 225.0
    # The chain rule puts one sum inside of another by itself.
    loss = sp.Sum(sp.tanh(sp.Sum(xs[i] * ys[j], (i, 0, 2))), (j, 0, 1))
    function = sg.compile(loss, wrt=["x", "y"])
    arrays = {"x": np.array([0.3, -0.7, 1.1]), "y": np.array([0.5, -0.2])}
    _, grads = function(**arrays)
    for name in arrays:
        np.testing.assert_allclose(grads[name], differences(function, arrays, name), rtol=1e-6)
