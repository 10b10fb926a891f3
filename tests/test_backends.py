"""The targets of `sg.compile` beside NumPy: one table of formulas, each on every target.

What NumPy computes is compared with oracles elsewhere; here a target must give what NumPy gives.
PyTorch is in no extra of the tests (its file is large): `pip install torch`, and its tests run.
"""

import ast
import functools
import re
from pathlib import Path

import numpy as np
import pytest
import sympy as sp

import symgrad as sg
from symgrad import functions, operations
from symgrad.backends import program as programs
from symgrad.backends.targets import BACKENDS, Target
from symgrad.functions import several, special
from symgrad.losses import LOSSES

RNG = np.random.default_rng(23)
w, b, x, y, z = sp.symbols("w b x y z", real=True)
i, j = sp.symbols("i j", integer=True)
xs, V = sp.IndexedBase("x"), sp.IndexedBase("V")


# --- The worlds: how arrays are made, read and differentiated in each -------------------------


class Jax:
    name = "jax"

    def __init__(self, jax):
        self.module = jax
        self.grad, self.tanh = jax.grad, jax.numpy.tanh
        # These functions run once: what XLA does for speed is left out.
        options = {"xla_backend_optimization_level": 0}
        self.jit = functools.partial(jax.jit, compiler_options=options)
        self.kinds = {kind: np.dtype(kind) for kind in ("float32", "float64")}

    def hessian(self, function):
        return self.jit(self.module.hessian(function))

    def array(self, table, dtype="float64"):
        return self.module.numpy.asarray(table, dtype)

    def map(self, function, *tables):
        return self.jit(self.module.vmap(function))(*tables)

    def numbers(self, value):
        assert isinstance(value, self.module.Array)
        return np.asarray(value)


class Torch:
    name = "torch"

    def __init__(self, torch):
        self.module = torch
        self.grad, self.tanh = torch.func.grad, torch.tanh
        self.kinds = {"float32": torch.float32, "float64": torch.float64}

    @staticmethod
    def jit(function):
        return function

    def hessian(self, function):
        return self.module.func.jacrev(self.module.func.grad(function))

    def array(self, table, dtype="float64"):
        return self.module.tensor(np.asarray(table), dtype=self.kinds[dtype])

    def map(self, function, *tables):
        return self.module.vmap(function)(*tables)

    def numbers(self, value):
        assert isinstance(value, self.module.Tensor)
        return value.detach().numpy()


def bits(jax, wide):
    """JAX's 64-bit mode, on or off for a while."""
    found = jax if hasattr(jax, "enable_x64") else jax.experimental
    return found.enable_x64(wide)


@pytest.fixture(params=["jax", "torch"])
def world(request):
    if request.param == "torch":
        reason = "PyTorch is not in the extra `test`: pip install torch"
        yield Torch(pytest.importorskip("torch", reason=reason))
    else:
        jax = pytest.importorskip(
            "jax", reason="the extra `test` has jax: pip install -e '.[test]'"
        )
        with bits(jax, True):
            yield Jax(jax)


def arrays_of(formula, batch=(), samples=3):
    """Generic arrays for every input, inside of the functions' domains."""
    sizes = dict(zip("nmk", (5, 3, 4), strict=True))
    made = {}
    for name, variable in sg.Formula.of(formula).inputs.items():
        shape = [int(s) if s.is_Integer else sizes[str(s)] for s in map(sp.sympify, variable.sizes)]
        stack = [samples] if name in batch else []
        table = RNG.uniform(0.2, 0.9, [*stack, *shape])
        if len(shape) == 2 and shape[0] == shape[1]:
            table = table + 2 * np.eye(shape[0])
        if variable.assumptions:  # targets: rows that sum to one
            table = table / table.sum(axis=-1, keepdims=True)
        made[name] = table
    return made


def same(world, wanted, got, tolerance=1e-12):
    """Equal numbers, in the same shapes."""
    wanted, got = np.asarray(wanted), world.numbers(got)
    assert got.shape == wanted.shape
    assert np.isfinite(wanted).all()
    np.testing.assert_allclose(got, wanted, rtol=0, atol=tolerance * max(1.0, np.abs(wanted).max()))


# --- The table --------------------------------------------------------------------------------


def net(activation, form="rows", last=None):
    made = sg.Network(3, [sg.Dense(4, activation=activation), sg.Dense(2, activation=last)])
    return getattr(made, form)()


def deep(names, form):
    return getattr(sg.Network(3, [sg.Dense(3, activation=name) for name in names]), form)()


def matrix(name, rows, columns):
    return sp.MatrixSymbol(name, rows, columns)


A, B, u = matrix("A", 3, 3), matrix("B", 2, 3), matrix("u", 3, 1)
SHAPES = {"A": (3, 3), "B": (4, 3), "X": ("n", "m"), "x": (3,), "y": (4,), "t": ()}
TEXTS = [
    "det(A) + trace(inv(A)) + logdet(A @ A.T)",
    "sum(where(B > 0.5, log(B), 0.1 * B)) + sum(where(B > 0.5, 0.1, 0.3))",
    "sum(max(B, axis=0) * x) + max(B) + sum(min(X, axis=1))",
    "sum(softmax(X, axis=1) * logsumexp(X, axis=1, keepdims=True)) / n",
    "norm(x) * sum(maximum(B, t)) + sum(minimum(x, 0.5)) + sum(relu(B - 0.5))",
    "sum(A[::-1, 1] * x) + sum(B[:, ::-2][1:] ** 2) + x[2] * sum(B[-1])",
    "sum(cumsum(B, axis=1) ** 2) + sum(prod(B, axis=0)) + sum(triu(A) @ tril(A))",
    "sum(kron(A, B) ** 2) + sum(outer(x, y) ** 3) + sum(concat([A, B]) ** 2)",
    "sum(expm(A / 4)) + trace(matrix_power(A, 3)) + sum(pinv(A))",
    "sum(eigvalsh(A + A.T) ** 2) + sum(convolve(x, y) ** 2) + sum(diag(x) @ A)",
    "t ** 2 * log(10) + sqrt(n) * sum(X) / m + erf(t) + arctan2(t, 2)",
    "sum(reshape(B, (3, 4)) ** 2) + sum(eye(3) + ones((3, 3)) * t + A)",
    "sum(broadcast_to(x, (4, 3)) * B) + sum(toeplitz(x) ** 2 @ A)",
]
SCALARS = {
    "powers": w**b + b**w + 2**w + w ** sp.Rational(-3, 2) + w * 10**12 + w / 10**30,
    "cases": sp.Piecewise((0.1, w > b), (0.3, w > 10), (sp.log(w) * b, True)) * w,
    "kinks": sp.Abs(w - 2) * b + sp.Max(w, b, 0) ** 2 + sp.Min(w * b, b) * w + sp.sign(w) * b,
    "special": sp.gamma(w) + sp.loggamma(b + 1) + sp.digamma(w * b) + sp.polygamma(2, w),
    "not smooth": sp.Heaviside(w - b) * w + sp.floor(3 * w) * b + sg.step(w),
    "of several": sp.log(sp.exp(w) + sp.exp(b) + sp.exp(w * b)) + sp.atan2(w, b) + sp.sec(w),
    "of numbers": sg.sigmoid(sp.Integer(2)) * w + sp.log(3) + sp.sqrt(2) * sp.pi * b,
    "an index": sp.Sum((w * xs[i] + b - xs[2 - i]) ** 2 * i, (i, 0, 2)),
    "cases in a sum": sp.Sum(sp.Piecewise((xs[i] ** 2, xs[i] > 0.5), (w * xs[i], True)), (i, 1, 3)),
    "a triangle": sp.Sum(V[i, j] ** 2 * V[j, i], (i, 0, j), (j, 0, 2)),
    "explicit": sg.sum_entries(sp.ImmutableMatrix([[w, b, 1], [b, w**2, 0], [0, 1, w]]) * A * u),
    "one by one": matrix("p", 1, 1) * matrix("q", 1, 3) * u,
}
#: Every activation, four in a network; what comes before a step function has no slope.
NAMES = ["step", *(name for name in functions.FUNCTIONS if name != "step")]
GROUPS = [tuple(NAMES[k : k + 4]) for k in range(0, len(NAMES), 4)]
SQUARES = sg.sum_entries(sg.elementwise(lambda t: sp.tanh(t) ** 2, B * u))
#: Formulas; the variables of gradients; the inputs that have samples.
ROWS = {
    **{f"{', '.join(names)}, {form}": (sg.mse(deep(names, form)), "parameters", ())
       for names in GROUPS for form in ("rows", "columns")},
    **{f"loss {name}": (getattr(sg, name)(net("tanh", last=entry.fuses or None)), "parameters", ())
       for name, entry in LOSSES.items()},
    **{f"text {k}": (sg.parse(text, SHAPES), None, ()) for k, text in enumerate(TEXTS)},
    **{name: (formula, None, ()) for name, formula in SCALARS.items()},
    "samples of a scalar": ((sp.tanh(w * x + b) - y) ** 2, None, ("x", "y")),
    "samples of columns": (sg.mse(net("elu", "columns")), "parameters", ("x", "y")),
    "samples of classes": (
        sg.cross_entropy(net("tanh", "columns", "softmax")), "parameters", ("x", "y")),
    "samples in turn": (sp.Sum((w * xs[i] - 1) ** 2, (i, 0, 2)), None, ("x",)),
    "samples of everything": (SQUARES, None, ("B", "u")),
    "samples of an inverse": (sp.Trace(sp.Inverse(A)) * sp.Determinant(A), None, ("A",)),
}  # fmt: skip


def compiled(row, backend, **options):
    formula, wrt, batch = ROWS[row]
    wrt = list(sg.Formula.of(formula).inputs) if wrt is None else wrt
    return sg.compile(formula, wrt, backend=backend, batch=batch, **options)


@pytest.mark.parametrize("row", ROWS)
def test_a_target_gives_what_numpy_gives(row, world):
    formula, _, batch = ROWS[row]
    function = compiled(row, world.name)
    tables = arrays_of(formula, batch)
    tables = {name: table for name, table in tables.items() if name in function.inputs}
    arrays = {name: world.array(table) for name, table in tables.items()}
    value, grads = compiled(row, "numpy")(tables)
    got, slopes = world.jit(function)(arrays)
    same(world, value, got)
    assert set(slopes) == set(grads)
    for name, gradient in grads.items():
        same(world, gradient, slopes[name])


@pytest.mark.parametrize(
    "row", ["loss huber", "loss cross_entropy", "text 1", "samples of columns"]
)
def test_float32_stays_float32(row, world):
    formula, _, batch = ROWS[row]
    tables = arrays_of(formula, batch)
    arrays = {name: world.array(table, "float32") for name, table in tables.items()}
    value, grads = compiled(row, "numpy")(tables)
    got, slopes = world.jit(compiled(row, world.name))(arrays)
    same(world, value, got, 1e-5)
    assert {got.dtype, *(slope.dtype for slope in slopes.values())} == {world.kinds["float32"]}
    for name, gradient in grads.items():
        same(world, gradient, slopes[name], 1e-5)
    wide, _ = world.jit(compiled(row, world.name, dtype="float64"))(arrays)
    assert wide.dtype == world.kinds["float64"]


def test_values_without_gradients_and_gradients_without_values(world):
    made = net("tanh")
    tables = arrays_of(sg.mse(made))
    arrays = {name: world.array(table) for name, table in tables.items()}
    alone = sg.gradient(sg.mse(made))
    got = world.jit(sg.compile(alone, backend=world.name))(arrays)
    for name, gradient in sg.compile(alone)(tables).items():
        same(world, gradient, got[name])
    one = sg.gradient(sg.mse(made), "W1")
    given = {name: arrays[name] for name in sg.compile(one).inputs}
    same(world, sg.compile(one)(tables), world.jit(sg.compile(one, backend=world.name))(given))
    output = made.columns().output
    given = {name: table for name, table in tables.items() if name not in "XY"}
    given = {name: table.T for name, table in given.items()} | {"x": tables["X"]}
    each = sg.compile(output, backend=world.name, batch=["x"])(
        {name: world.array(table) for name, table in given.items()}
    )
    same(world, sg.compile(output, batch=["x"])(given), each)


def test_shapes_are_those_that_came(world):
    single = sg.Network(1, [sg.Dense(3, activation="tanh"), sg.Dense(1)])
    function = sg.compile(sg.mse(single), ["X", "W1"], backend=world.name)
    tables = arrays_of(sg.mse(single)) | {"X": np.arange(5) / 7, "Y": np.arange(5) / 3}
    call = world.jit(function)
    _, grads = call({name: world.array(table) for name, table in tables.items()})
    assert tuple(grads["X"].shape) == (5,)
    assert tuple(grads["W1"].shape) == (1, 3)


def test_python_numbers_take_the_type_of_the_arrays_and_keep_their_digits(world):
    function = sg.compile(w * (xs[0] + xs[1]), ["w"], backend=world.name)
    for kind in ("float32", "float64"):
        value, _ = function(w=0.1, x=world.array([1.0, 0.0], kind))
        assert value.dtype == world.kinds[kind]
        assert float(value) == float(np.dtype(kind).type(0.1))
    value, grads = function(w=2, x=np.array([1.0, 2.0]))
    assert (float(value), float(grads["w"])) == (6.0, 3.0)


# --- Derivatives in the framework -------------------------------------------------------------


def scalar_functions():
    return [entry for entry in functions.FUNCTIONS.values() if entry.apply(z).free_symbols]


POINTS = np.array([-800.0, -40.0, -1.3, -0.4, 0.0, 0.3, 2.7, 40.0, 800.0])


@pytest.mark.parametrize("entry", scalar_functions(), ids=lambda entry: entry.name)
def test_scalar_functions_and_two_derivatives_by_the_framework(entry, world):
    formula = sg.Formula.of(entry.apply(z))
    first = sg.gradient(formula, z)
    second = sg.gradient(first, z)
    kinks = [float(point) for point in entry.kinks]
    points = np.array([p for p in POINTS if p not in kinks])
    wanted = [
        [f(z=point) if f.inputs else f() for point in points]
        for f in map(sg.compile, (formula, first, second))
    ]
    array = world.array(points)
    plain = sg.compile(formula, backend=world.name)
    closed = sg.compile(formula, ["z"], backend=world.name).differentiable

    def ours(p):
        return closed(z=p)

    def theirs(p):  # the framework's derivative of the helper functions: no tie may spoil it
        return plain(z=p)

    def results(p):
        once = world.grad(ours)
        return theirs(p), world.grad(theirs)(p), once(p), world.grad(once)(p)

    value, slope, same_slope, twice = world.map(results, array)
    same(world, wanted[0], value)
    same(world, wanted[1], slope)
    same(world, wanted[1], same_slope)
    smooth = np.isfinite(wanted[2]) & (points != 0 if entry.name in ONE_SIDED else True)
    got = world.numbers(twice)[smooth]
    np.testing.assert_allclose(got, np.array(wanted[2])[smooth], rtol=1e-11, atol=1e-12)


#: Their second derivative jumps at zero.
ONE_SIDED = ("elu", "softsign")


def loss_and_arrays(world, form="rows"):
    loss = sg.mse(net("gelu", form))
    tables = arrays_of(loss)
    return loss, {name: world.array(table) for name, table in tables.items()}


def test_a_differentiable_value_composes(world):
    loss, arrays = loss_and_arrays(world)
    function = sg.compile(loss, "parameters", backend=world.name)
    value, grads = world.jit(function)(arrays)

    def outer(W1):
        return world.tanh(3 * function.differentiable({**arrays, "W1": 2 * W1}))

    got = world.jit(world.grad(outer))(arrays["W1"] / 2)
    slope = 3 * (1 - np.tanh(3 * float(value)) ** 2)
    same(world, 2 * slope * world.numbers(grads["W1"]), got)
    stack = world.array(np.stack([world.numbers(arrays["W1"])] * 2)) / 2
    many = world.map(world.grad(outer), stack)
    same(world, np.stack([world.numbers(got)] * 2), many, 1e-11)


def test_second_derivatives_are_symgrads(world):
    loss = sg.mse(sg.Network(2, [sg.Dense(2, activation="tanh"), sg.Dense(1)]).scalars())
    tables = arrays_of(loss)
    names = list(loss.parameters)
    function = sg.compile(loss, names, backend=world.name)
    fixed = {name: world.array(t) for name, t in tables.items() if name not in names}

    def value(vector):
        return function.differentiable({**fixed, **dict(zip(names, vector, strict=True))})

    point = world.array([float(tables[name]) for name in names])
    got = world.hessian(value)(point)
    first = sg.gradient(loss, names)
    wanted = [
        [sg.compile(first[one], [other])(tables)[1][other] for other in names] for one in names[:3]
    ]
    same(world, wanted, got[:3])


def test_second_derivatives_of_matrices_by_the_framework_and_by_ours(world):
    loss = sp.Trace(sp.Inverse(A) * matrix("C", 3, 3)) + sp.log(sp.Determinant(A))
    tables = arrays_of(loss)
    function = sg.compile(loss, ["A"], backend=world.name)
    C, direction = world.array(tables["C"]), world.array(RNG.normal(size=(3, 3)))

    def along(table):
        return (world.grad(lambda a: function.differentiable(A=a, C=C))(table) * direction).sum()

    step, slope = 1e-5, sg.compile(sg.gradient(loss, "A"))
    ahead, behind = (
        slope(A=tables["A"] + sign * step * world.numbers(direction), C=tables["C"])
        for sign in (1, -1)
    )
    got = world.jit(world.grad(along))(world.array(tables["A"]))
    same(world, (ahead - behind) / (2 * step), got, 1e-8)


def test_samples_are_differentiated_together(world):
    function = sg.compile(SQUARES, ["B", "u"], batch=["u"], backend=world.name)
    tables = arrays_of(SQUARES, ["u"])
    arrays = {name: world.array(table) for name, table in tables.items()}
    _, grads = sg.compile(SQUARES, ["B", "u"], batch=["u"])(tables)
    for name, gradient in grads.items():
        once = world.grad(lambda t, n=name: function.differentiable({**arrays, n: t}))
        same(world, gradient, world.jit(once)(arrays[name]))


def test_derivatives_that_were_not_asked_for_are_refused(world):
    loss, arrays = loss_and_arrays(world)
    function = sg.compile(loss, ["W1", "W2"], backend=world.name)
    with pytest.raises(sg.OptionError, match="differentiated by `X`, too: name them in wrt"):
        world.grad(lambda X: function.differentiable({**arrays, "X": X}))(arrays["X"])
    once = world.jit(world.grad(lambda t: function.differentiable({**arrays, "W1": t})))
    same(world, world.numbers(world.jit(function)(arrays)[1]["W1"]), once(arrays["W1"]))


# --- What is refused --------------------------------------------------------------------------


def test_wrong_arguments(world):
    loss, arrays = loss_and_arrays(world)
    function = sg.compile(loss, "parameters", backend=world.name)
    with pytest.raises(sg.OptionError, match="unknown argument `W3`; Accepted: `X`"):
        function(arrays, W3=1)
    with pytest.raises(sg.OptionError, match="missing `X`"):
        function({name: array for name, array in arrays.items() if name != "X"})
    with pytest.raises(sg.OptionError, match="by name"):
        function([1.0])
    wrong = {**arrays, "b1": world.array([1.0, 2.0])}
    for call in (function, function.differentiable, world.jit(function)):
        with pytest.raises(sg.ShapeError, match=r"`b1` must be \(4,\), but it is \(2,\)"):
            call(wrong)
    with pytest.raises(sg.DataError, match="not real numbers"):
        function({**arrays, "X": world.array(np.ones((5, 3))) * 1j})
    for value in ("text", [[1.0], [1.0, 2.0]]):
        with pytest.raises(sg.DataError, match="`X` is not a regular array of numbers"):
            function({**arrays, "X": value})
    with pytest.raises(sg.DataError, match="`X` has no samples"):
        function({**arrays, "X": arrays["X"][:0], "Y": arrays["Y"][:0]})


def test_values_are_checked_where_there_are_values(world):
    loss = sg.cross_entropy(net("tanh", last="softmax"))
    function = sg.compile(loss, "parameters", backend=world.name)
    arrays = {name: world.array(table) for name, table in arrays_of(loss).items()}
    wrong = {**arrays, "Y": arrays["Y"] / 2}
    for call in (function, function.differentiable):
        with pytest.raises(sg.DataError, match="the rows of `Y` must sum to one"):
            call(wrong)
    if world.name == "jax":  # inside of torch.func no tensor has values
        # The target is no argument of the derivative, and is looked at.
        with pytest.raises(sg.DataError, match="the rows of `Y` must sum to one"):
            world.grad(lambda t: function.differentiable({**wrong, "W1": t}))(arrays["W1"])
    stack = world.array(np.stack([world.numbers(wrong["Y"])] * 2))
    values = world.map(lambda Y: function({**arrays, "Y": Y})[0], stack)
    assert np.isfinite(world.numbers(values)).all()


def test_a_differentiable_value_needs_a_value_and_variables(world):
    loss, _ = loss_and_arrays(world)
    for function in (
        sg.compile(loss, backend=world.name),
        sg.compile(sg.gradient(loss), backend=world.name),
    ):
        with pytest.raises(sg.OptionError, match=r"wrt=\[...\]"):
            _ = function.differentiable


def test_modules_are_numpys(world, tmp_path):
    function = sg.compile(w * b, ["w"], backend=world.name)
    with pytest.raises(sg.UnsupportedError, match=r"write the text of `.source` to a file"):
        function.save(tmp_path / "module.py")


def test_a_target_that_is_not_there(monkeypatch):
    with pytest.raises(sg.OptionError, match="unknown backend `jaxx`; did you mean `jax`"):
        sg.compile(w, backend="jaxx")
    absent = Target("absent", "symgrad.backends.absent", needs="no_such_package", extra="absent")
    monkeypatch.setitem(BACKENDS, "absent", absent)
    with pytest.raises(sg.OptionError, match=r"pip install 'symgrad\[absent\]'"):
        sg.compile(w, backend="absent")


# --- The text ---------------------------------------------------------------------------------


def translator_of(world):
    from importlib import import_module

    module = import_module(f"symgrad.backends.{world.name}")
    return getattr(module, f"{world.name.capitalize()}Translator")


KERNELS = [name for name, entry in functions.FUNCTIONS.items() if entry.kernel]
KERNELS += [*several.KERNELS, *special.KERNELS, *operations.KERNELS, "softmax", "log_softmax"]


def test_every_helper_function_has_a_form(world):
    """A new kernel is translated, or this names the word that is missing."""
    for name in KERNELS:
        text = "\n\n".join(programs._kernels([name]))
        if name == "lanczos":  # called by others, which need it not
            continue
        rest = ", (3, 3), np.s_[1:, 2:0:-1]" if name == "placed" else ""
        call = f"def formula(a):\n    return {name}(a{rest})\n"
        made = programs.Program("formula", call, text, {"a": "a"}, "plain")
        source = translator_of(world).translated(made).source
        assert "np." not in source.replace("jnp.", "")
        assert f"def {name}(" in source
        ast.parse(source)


def test_what_has_no_form_is_refused_by_name(world):
    text = "def formula(a):\n    return np.bessel(a)\n"
    made = programs.Program("formula", text, "", {"a": "a"}, "plain")
    with pytest.raises(sg.UnsupportedError, match="form for NumPy's `bessel`"):
        translator_of(world).translated(made)


def test_the_source_reads_and_runs(world):
    loss, arrays = loss_and_arrays(world, "columns")
    function = sg.compile(loss, "parameters", backend=world.name)
    (definition,) = ast.parse(function.listing).body
    count = sum(isinstance(statement, ast.Assign) for statement in definition.body)
    assert count == len(sg.gradient(loss).graph)
    namespace = {}
    exec(function.source, namespace)
    plain = world.jit(namespace["value_and_gradients"])
    results = plain(*(arrays[name] for name in function.inputs))
    value, grads = world.jit(function)(arrays)
    ordered = [value, *(grads[name] for name in loss.parameters)]
    for wanted, got in zip(ordered, results, strict=True):
        same(world, world.numbers(wanted), got)
    assert "h1 = gelu(z1)\n    z2 = W2 @ h1 + b2\n" in function.listing
    assert sg.compile(loss, "parameters", backend=world.name).source == function.source


def test_names_do_not_clash_with_those_of_the_target(world):
    for name in ("np", "jax", "jnp", "torch", "math", "max", "min", "slice", "convolve", "step"):
        s = sp.Symbol(name, real=True)
        formula = sp.Max(sp.log(3) * s, b) * sg.sigmoid(s) + sp.Trace(A * s) + sp.pi * s
        tables = {name: 0.7, "b": 0.2, "A": np.eye(3) + 0.1}
        wanted, _ = sg.compile(formula, [name])(tables)
        got, _ = world.jit(sg.compile(formula, [name], backend=world.name))(
            {key: world.array(table) for key, table in tables.items()}
        )
        same(world, wanted, got)


# --- One framework alone ----------------------------------------------------------------------


def test_jax_without_64_bits_says_so():
    jax = pytest.importorskip("jax", reason="the extra `test` has jax: pip install -e '.[test]'")
    with bits(jax, False):
        value, grads = sg.compile(w * b + 10**12, ["w"], backend="jax")(w=0.5, b=np.float64(3))
        assert {value.dtype, grads["w"].dtype} == {np.dtype("float32")}
        with pytest.raises(sg.OptionError, match="jax_enable_x64"):
            sg.compile(w * b, ["w"], backend="jax", dtype="float64")(w=0.5, b=3)


def test_jax_differentiates_forwards():
    jax = pytest.importorskip("jax", reason="the extra `test` has jax: pip install -e '.[test]'")
    with bits(jax, True):
        function = sg.compile((w * b) ** 2, ["w"], backend="jax")

        def value_of(v):
            return function.differentiable(w=v, b=3.0)

        value, slope = jax.jit(lambda v: jax.jvp(value_of, (v,), (1.0,)))(2.0)
        assert (float(value), float(slope)) == (36.0, 36.0)
        twice = jax.jit(jax.jacfwd(jax.jacfwd(value_of)))(2.0)
        assert float(twice) == 18.0


@pytest.fixture
def torch():
    return pytest.importorskip(
        "torch", reason="PyTorch is not in the extra `test`: pip install torch"
    )


# torch itself calls what it has deprecated, when it first differentiates forwards.
@pytest.mark.filterwarnings("ignore:.*torch.jit.script:DeprecationWarning")
def test_torch_goes_backward(torch):
    world = Torch(torch)
    loss, arrays = loss_and_arrays(world)
    function = sg.compile(loss, "parameters", backend="torch")
    value, grads = function(arrays)
    leaves = {name: a.clone().requires_grad_(name in grads) for name, a in arrays.items()}
    (function.differentiable(leaves) ** 2).backward()
    for name, gradient in grads.items():
        same(world, 2 * float(value) * gradient, leaves[name].grad)
    with pytest.raises(sg.OptionError, match=r"\.detach\(\)"):
        function.differentiable({**leaves, "X": arrays["X"].clone().requires_grad_()})
    assert torch.autograd.gradgradcheck(
        lambda W1: function.differentiable({**arrays, "W1": W1}), leaves["W1"]
    )
    with pytest.raises(NotImplementedError, match="forward mode"):
        torch.func.jacfwd(lambda t: function.differentiable({**arrays, "W1": t}))(arrays["W1"])


def test_torch_results_share_no_memory(torch):
    C = matrix("C", 2, 3)
    function = sg.compile(sp.Trace(B * C.T), ["B", "C"], backend="torch")
    given = {"B": torch.ones(2, 3), "C": torch.full((2, 3), 2.0)}
    _, grads = function(given)
    grads["B"] += 1
    assert given["C"].unique().tolist() == [2.0]
    assert grads["B"].unique().tolist() == [3.0]


def test_torch_stays_on_the_device_of_its_tensors(torch):
    """The device `meta` has shapes and no values: what is made elsewhere does not fit to it."""
    for text in TEXTS:
        if "eig" in text or "pinv" in text or "inv" in text:
            continue
        formula = sg.parse(text, SHAPES)
        function = sg.compile(formula, list(formula.inputs), backend="torch")
        tables = arrays_of(formula)
        arrays = {k: torch.tensor(t, dtype=torch.float32, device="meta") for k, t in tables.items()}
        value, grads = function(arrays)
        for result in (value, *grads.values()):
            assert (result.device.type, result.dtype) == ("meta", torch.float32)
    with pytest.raises(sg.DataError, match="on one device, but `b` is on meta, `w` is on cpu"):
        sg.compile(w * b, backend="torch")(w=torch.ones(()), b=torch.ones((), device="meta"))


@pytest.mark.filterwarnings("ignore:.*should not be instantiated:DeprecationWarning")  # by torch
def test_torch_compiles_it_further(torch):
    world = Torch(torch)
    loss, arrays = loss_and_arrays(world)
    function = sg.compile(loss, "parameters", backend="torch")
    (value, grads) = torch.compile(lambda **t: function(t), backend="eager", fullgraph=True)(
        **arrays
    )
    same(world, float(function(arrays)[0]), value)
    W1 = arrays["W1"].clone().requires_grad_()
    inner = torch.compile(lambda **t: function.differentiable(t), backend="eager", fullgraph=True)(
        **{**arrays, "W1": W1}
    )
    inner.backward()
    same(world, world.numbers(grads["W1"]), W1.grad)


def test_torch_says_what_is_singular(torch):
    function = sg.compile(sp.Trace(sp.Inverse(A)), ["A"], backend="torch")
    with pytest.raises(sg.DataError, match="singular"):
        function(A=torch.zeros(3, 3))
    with pytest.raises(sg.DataError, match="singular"):
        function.differentiable(A=torch.zeros(3, 3))


def test_the_code_for_torch_on_the_page_runs(torch):
    """What is in the page's other blocks runs with all pages; these need what need not be there."""
    page = (Path(__file__).parent.parent / "docs" / "backends.md").read_text(encoding="utf-8")
    # What follows is for targets without tensors.
    page = page.split("## Loops over samples")[0]
    blocks = re.findall(r"```\{code-block\} python\n(.*?)```", page, re.DOTALL)
    names = {}
    exec("\n".join(blocks), names)
    value, grads = names["f"](names["tensors"])
    wanted = grads["W1"] / (1 + value)
    assert torch.allclose(names["leaves"]["W1"].grad, wanted, rtol=1e-5)
