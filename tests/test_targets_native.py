"""The targets with loops of their own: C, Numba, JavaScript; one table, compared with NumPy.

Where Numba is missing its tests are skipped, and so are those of C and
JavaScript where there is no compiler and no node.
"""

import importlib.util
import re
import shutil
import subprocess
from pathlib import Path

import mpmath
import numpy as np
import pytest
import sympy as sp
from test_backends import ROWS, arrays_of, compiled, net

import symgrad as sg
from symgrad import functions
from symgrad.backends import numba_functions

RNG = np.random.default_rng(5)
w, b, x, y, t = sp.symbols("w b x y t", real=True)
COMPILER = next((found for found in map(shutil.which, ("cc", "gcc", "clang")) if found), None)
NODE = shutil.which("node")
needs_c = pytest.mark.skipif(COMPILER is None, reason="there is no C compiler")
needs_numba = pytest.mark.skipif(
    importlib.util.find_spec("numba") is None,
    reason="the extra `test` has Numba: pip install -e '.[test]'",
)
needs_node = pytest.mark.skipif(NODE is None, reason="JavaScript runs under node, not found here")
COMPILED = [pytest.param("c", marks=needs_c), pytest.param("numba", marks=needs_numba)]


@pytest.fixture(scope="module", autouse=True)
def cache(tmp_path_factory):
    """Compiled libraries go where the test's files go."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.mktemp("cache")))
        yield


def same(wanted, got, tolerance=1e-12):
    wanted, got = np.asarray(wanted), np.asarray(got)
    assert got.shape == wanted.shape
    assert np.isfinite(wanted).all()
    np.testing.assert_allclose(got, wanted, rtol=0, atol=tolerance * max(1.0, np.abs(wanted).max()))


# --- Formulas ---------------------------------------------------------------------------------

SMOOTH = [name for name in functions.FUNCTIONS if name != "step"]
#: Every activation at once: one formula is one compilation, and Numba takes its time.
ACTIVATIONS = sum(
    (functions.FUNCTIONS[name].apply(w * x / (k + 1) + b) for k, name in enumerate(SMOOTH)), t * y
)
OPERATIONS = (
    (w * x + b) ** 3
    + sp.Abs(w * x - y) ** sp.Rational(3, 2)
    + sp.Piecewise((sp.sin(w * x), x > b), (sp.cos(b * y), True))
    + sp.sqrt(1 + x**2) * sp.atan2(w, 1 + y**2)
    + sp.Max(w * x, b, y)
    + sp.Min(w, x) * sp.sign(x)
    + sp.log(1 + w**2 * x**2)
    + sp.exp(-x * b)
    + sp.asinh(w * x)
    + sp.floor(3 * x) * w
    + sp.erf(w * x)
    + sg.step(x) * b
    + sp.acos(sp.tanh(w * x))
    + sp.sinh(b) / (x**2 + 1)
    + 2**x
)
PENALTY = sg.parse(
    "sum((X @ w - y) ** 2) / n + t * sum(w ** 2) / n + sqrt(n) * t",
    {"X": ("n", 3), "w": (3,), "y": ("n",), "t": ()},
)
FORMULAS = {
    "activations": (ACTIVATIONS, ["w", "b", "t"], ("x", "y")),
    "operations": (OPERATIONS, ["w", "b"], ("x", "y")),
    "classes": (sg.cross_entropy(net("tanh", last="softmax")), "parameters", ()),
    "columns": (sg.mse(net("elu", "columns")), "parameters", ("x", "y")),
    "penalty": (PENALTY, ["w"], ()),
}


def arrays(function, count, batch, scale=0.8):
    """Generic arrays for as many samples."""
    made = {}
    for name, variable in function.inputs.items():
        shape = [count if str(size) == "n" else int(size) for size in variable.sizes]
        table = RNG.normal(size=[count] * (name in batch) + shape) * scale
        if variable.assumptions:
            table = np.exp(table) / np.exp(table).sum(axis=-1, keepdims=True)
        made[name] = table
    return made


@pytest.mark.parametrize("backend", COMPILED)
@pytest.mark.parametrize("name", FORMULAS)
def test_any_number_of_samples(name, backend):
    """One sample, less than a vector of them, exactly one, one more, and many."""
    formula, wrt, batch = FORMULAS[name]
    plain = sg.compile(formula, wrt, batch=batch)
    function = sg.compile(formula, wrt, backend=backend, batch=batch)
    for count in (1, 15, 16, 17, 1000):
        tables = arrays(plain, count, batch)
        value, grads = plain(tables)
        got, slopes = function(tables)
        same(value, got)
        for key, gradient in grads.items():
            same(gradient, slopes[key])
        raw = function.raw(*(tables[key] for key in function.inputs))
        same(value, raw[0])
        call = function.bind({key: tables[key] for key in tables if key not in grads})
        number, flat = call(call.pack({key: tables[key] for key in call.names}))
        same(value, number)
        for key, gradient in call.unpack(flat).items():
            same(grads[key], gradient)
    assert str(function.plan).count(f"{backend}: ") == 3


@pytest.mark.parametrize("backend", COMPILED)
def test_float32(backend):
    formula, wrt, batch = FORMULAS["activations"]
    tables = arrays(sg.compile(formula, wrt, batch=batch), 100, batch)
    value, grads = sg.compile(formula, wrt, batch=batch)(tables)
    single = {name: np.asarray(table, np.float32) for name, table in tables.items()}
    got, slopes = sg.compile(formula, wrt, backend=backend, batch=batch)(single)
    assert {np.asarray(part).dtype for part in (got, *slopes.values())} == {np.dtype(np.float32)}
    same(value, got, 1e-5)
    for key, gradient in grads.items():
        same(gradient, slopes[key], 1e-5)


@pytest.mark.parametrize("backend", COMPILED)
def test_results_for_every_sample(backend):
    """Predictions, and gradients by the samples themselves."""
    made = net("tanh")
    output = sg.compile(made.output, backend=backend)
    tables = arrays(output, 20, ())
    same(sg.compile(made.output)(tables), output(tables))
    held = output(tables)
    kept = held.copy()
    output({**tables, "X": -tables["X"]})
    same(kept, held)
    columns = made.columns().output
    each = sg.compile(columns, backend=backend, batch=["x"])
    tables = arrays(each, 20, "x")
    same(sg.compile(columns, batch=["x"])(tables), each(tables))
    loss = (sp.tanh(w * x + b) - y) ** 2
    both = sg.compile(loss, ["w", "x"], backend=backend, batch=["x", "y"])
    tables = arrays(both, 20, "xy")
    value, grads = both(tables)
    wanted, slopes = sg.compile(loss, ["w", "x"], batch=["x", "y"])(tables)
    same(wanted, value)
    same(slopes["x"], grads["x"])
    call = both.bind(y=tables["y"], b=tables["b"], x=tables["x"])
    with pytest.raises(sg.UnsupportedError, match="no samples to visit"):
        call.descend(call.pack({"w": tables["w"], "x": tables["x"]}), 0.1)


def descended(loss, data, parameters, rate, places, batch):
    """Per-sample descent as a plain loop over NumPy's gradients of one sample's loss."""
    function = sg.compile(loss, list(parameters), batch=batch)
    point = {name: np.array(value, float) for name, value in parameters.items()}
    for k in places:
        one = {n: v[k : k + 1] if np.ndim(v) else v for n, v in data.items()}
        _, grads = function({**point, **one})
        point = {name: value - rate * grads[name] for name, value in point.items()}
    return point


DESCENTS = {
    "scalars": ((sp.tanh(w * x + b) - y) ** 2, ["w", "b"], ("x", "y")),
    "rows": (sg.mse(net("sigmoid")), None, ()),
    "penalty": (PENALTY, ["w"], ()),
}


def descent_case(name):
    loss, trained, batch = DESCENTS[name]
    trained = list(loss.parameters) if trained is None else trained
    plain = sg.compile(loss, trained, batch=batch)
    tables = arrays(plain, 9, batch)
    data = {key: table for key, table in tables.items() if key not in trained}
    return loss, trained, batch, data, {key: tables[key] for key in trained}


ORDER = [3, 0, 8, 3, 5]


@pytest.mark.parametrize("backend", COMPILED)
@pytest.mark.parametrize("name", DESCENTS)
def test_descent_is_a_plain_loop(name, backend):
    loss, trained, batch, data, start = descent_case(name)
    call = sg.compile(loss, trained, backend=backend, batch=batch).bind(data)
    flat = call.pack(start)
    for order in (None, ORDER):
        places = 2 * list(range(9) if order is None else order)
        wanted = descended(loss, data, start, 0.05, places, batch)
        got = call.unpack(call.descend(flat, 0.05, 2, order))
        for key, value in wanted.items():
            same(value, got[key])
    same(call.pack(start), flat)
    with pytest.raises(sg.OptionError, match="from 0 to 8"):
        call.descend(flat, 0.05, 1, [9])
    if name == "penalty":  # tanh and sigmoid have gradients that cannot grow
        with pytest.raises(sg.DivergenceError, match="smaller learning rate"):
            call.descend(flat, 1e200, 20)


#: Names that a language, a header or the generated text itself has for something else.
ODD = [
    *(["w7", "t7", "a0", "e0"], ["X", "X_0_0", "X_0_0_0_0", "n"], ["value", "samples", "dw", "w"]),
    *(["exp", "sg_exp", "fabs", "real"], ["order", "learning_rate", "NAN", "main"]),
    *(["function", "__proto__", "constructor", "np"], ["λ", "w_{11}^{(1)}", "lambda", "ß y"]),
    *(["tanh", "math", "Math", "k"], ['"]);//', "*/ #", "\\", "\u2028${x}`"]),
]


def odd_formula(names):
    p, q, u, v = (sp.Symbol(name, real=True) for name in names)
    return (sp.tanh(p * u + q) - v) ** 2 * sp.exp(p) + q**2, names[:2], names[2:]


@pytest.mark.parametrize(
    ("backend", "lists"),
    [
        pytest.param("c", ODD, marks=needs_c),
        pytest.param("numba", [ODD[0], ODD[7]], marks=needs_numba),
    ],
)
def test_odd_names(backend, lists):
    for names in lists:
        formula, wrt, batch = odd_formula(names)
        plain = sg.compile(formula, wrt, batch=batch)
        tables = arrays(plain, 20, batch)
        value, grads = plain(tables)
        got, slopes = sg.compile(formula, wrt, backend=backend, batch=batch)(tables)
        same(value, got)
        same([grads[name] for name in wrt], [slopes[name] for name in wrt])


# --- C ----------------------------------------------------------------------------------------


#: The rows with every activation are for JavaScript; C has them in one formula, above.
SHORT = [row for row in ROWS if not row.endswith((", rows", ", columns"))]


@needs_c
@pytest.mark.parametrize("row", SHORT)
def test_c_gives_what_numpy_gives(row):
    formula, _, batch = ROWS[row]
    function = compiled(row, "c")
    tables = arrays_of(formula, batch)
    tables = {name: table for name, table in tables.items() if name in function.inputs}
    value, grads = compiled(row, "numpy")(tables)
    got, slopes = function(tables)
    same(value, got)
    assert set(slopes) == set(grads)
    for name, gradient in grads.items():
        same(gradient, slopes[name])


@needs_c
def test_saved_c_is_a_program_of_its_own(tmp_path):
    made = sg.Network(2, [sg.Dense(2, activation="gelu"), sg.Dense(1)])
    function = sg.compile(sg.mse(made), "parameters", backend="c")
    path = function.save(tmp_path / "net.c")
    tables = arrays(function, 5, ())
    value, grads = function(tables)
    start = {name: tables[name] for name in made.parameters}
    call = function.bind(X=tables["X"], Y=tables["Y"])
    end = call.unpack(call.descend(call.pack(start), 0.1, 3))
    lines = ["#include <stdio.h>", '#include "net.h"', "int main(void) {"]
    for name, table in tables.items():
        numbers = ", ".join(map(float.hex, table.ravel().tolist()))
        lines.append(f"    double {name}[] = {{{numbers}}};")
    lines += [f"    double d{name}[{table.size}];" for name, table in start.items()]
    given = ", ".join(tables)
    results = ", ".join(f"d{name}" for name in start)
    lines += ["    double value[1];", f"    net(5, {given}, value, {results});"]
    shown = ["value", *(f"d{name}" for name in start)]
    loop = '    for (int k = 0; k < {1}; k++) printf("%.17g\\n", {0}[k]);'
    sizes = [1, *(table.size for table in start.values())]
    lines += [loop.format(name, size) for name, size in zip(shown, sizes, strict=True)]
    lines.append(f"    net_descend(5, X, Y, {', '.join(start)}, 0.1, 3, NULL);")
    lines += [loop.format(name, table.size) for name, table in start.items()]
    (tmp_path / "main.c").write_text("\n".join([*lines, "    return 0;", "}", ""]))
    flags = ["-std=c99", "-O1", "-Wall", "-Wextra", "-pedantic", "-Wno-unknown-pragmas", "-Werror"]
    command = [COMPILER, *flags, str(path), str(tmp_path / "main.c"), "-o", str(tmp_path / "run")]
    done = subprocess.run([*command, "-lm"], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    run = subprocess.run([tmp_path / "run"], capture_output=True, text=True, check=True)
    parts = [np.ravel(value), *(grads[n].ravel() for n in start), *(end[n].ravel() for n in start)]
    same(np.concatenate(parts), np.array(run.stdout.split(), float))


@needs_c
def test_saved_c_compiles_whatever_its_file_is_called(tmp_path):
    function = sg.compile(sg.mse(sg.Network(1, [sg.Dense(1, activation="gelu")])), backend="c")
    stems = ["a", "k", "exp", "lgammaf", "main", "memcpy", "isnan", "NAN", "sg_tanh", "_Bool", "I"]
    for stem in [*stems, "1st net", "W1", "x-y", "ß"]:
        path = function.save(tmp_path / f"{stem}.c")
        heads = "".join(f"#include <{h}.h>\n" for h in ("math", "stdio", "stdlib", "string"))
        user = tmp_path / "user.c"
        user.write_text(f'{heads}#include "{stem}.h"\nint main(void) {{ return 0; }}\n')
        flags = ["-std=c99", "-Wall", "-Wextra", "-Wno-unknown-pragmas", "-Werror", "-O0"]
        command = [COMPILER, *flags, path, user, "-o", tmp_path / "run", "-lm"]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert done.returncode == 0, (stem, done.stderr)


def test_c_is_saved_as_c(tmp_path):
    function = sg.compile(w * x, ["w"], backend="c")
    with pytest.raises(sg.OptionError, match=r"saved as name\.c"):
        function.save(tmp_path / "net.txt")
    with pytest.raises(sg.UnsupportedError, match="Determinant"):
        _ = sg.compile(sg.parse("det(A)", {"A": (5, 5)}), backend="c").source


# --- Numba ------------------------------------------------------------------------------------


@needs_numba
def test_numba_source_is_a_module_of_its_own(tmp_path):
    function = sg.compile(*DESCENTS["scalars"][:2], backend="numba", batch=("x", "y"))
    path = function.save(tmp_path / "net.py")
    assert path.read_text(encoding="utf-8") == function.source
    assert "symgrad" not in function.source
    spec = importlib.util.spec_from_file_location("saved_net", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    tables = arrays(function, 30, "xy")
    value, dw, db = np.zeros(1), np.zeros(1), np.zeros(1)
    given = [tables[name].reshape(-1) for name in function.inputs]
    module.value_and_gradients(30, *given, value, dw, db)
    wanted, grads = function(tables)
    same([wanted, grads["w"], grads["b"]], [value[0], dw[0], db[0]])
    with pytest.raises(sg.OptionError, match=r"saved as name\.py"):
        function.save(tmp_path / "net.c")


@needs_numba
def test_numba_functions_keep_their_digits():
    """At most a few units in the last place, in vector loops and in chains; the ends are right."""
    from numba import njit

    every = ["exp", "expm1", "tanh", "tanh_chain", "sigmoid", "sigmoid_chain", "log", "log1p"]
    truth = {"sigmoid": lambda p: 1 / (1 + mpmath.exp(-p)), "softplus": softplus}
    ends = {"exp": (0, np.inf), "expm1": (-1, np.inf), "tanh": (-1, 1), "sigmoid": (0, 1)}
    ends |= {"log": (np.nan, np.inf), "log1p": (np.nan, np.inf), "softplus": (0, np.inf)}
    short = ["exp", "tanh", "log1p", "softplus"]
    for dtype, names in (("float64", [*every, "softplus"]), ("float32", short)):
        text = "import math\nimport numpy as np\n" + f"real = np.{dtype}\n"
        text += numba_functions.source_of(names, dtype)
        loops = [f"    for k in range(len(p)):\n        out[{i}, k] = {n}(p[k])\n"
                 for i, n in enumerate(names)]  # fmt: skip
        text += "@njit(error_model='numpy')\ndef run(p, out):\n" + "".join(loops)
        space = {"njit": njit}
        exec(text, space)
        top = 700 if dtype == "float64" else 85
        sizes = np.concatenate([RNG.uniform(0, s, 40) for s in (0.01, 1, 5, 40, top)])
        points = np.concatenate([-sizes, sizes, [np.inf, -np.inf, np.nan, 0.0]]).astype(dtype)
        out = np.zeros((len(names), len(points)), dtype)
        space["run"](points, out)
        for name, row in zip(names, out, strict=True):
            plain = name.removesuffix("_chain")
            high, low, nan, _ = row[-4:]
            np.testing.assert_array_equal([low, high], ends[plain])
            assert np.isnan(nan)
            exact = truth.get(plain) or getattr(mpmath, plain)
            inside = points[:-4] > {"log": 0, "log1p": -1}.get(plain, -np.inf)
            with mpmath.workdps(40):
                wanted = [exact(mpmath.mpf(float(p))) for p in points[:-4][inside]]
                errors = [abs(mpmath.mpf(float(g)) - v) / np.spacing(dtype_of(dtype)(abs(v)))
                          for g, v in zip(row[:-4][inside], wanted, strict=True)]  # fmt: skip
            assert max(errors) <= 3, name


def dtype_of(name):
    kind = np.dtype(name).type
    return lambda value: kind(float(value))


def softplus(p):
    return mpmath.log1p(mpmath.exp(p)) if p < 0 else p + mpmath.log1p(mpmath.exp(-p))


def test_numba_that_is_missing_teaches(monkeypatch):
    monkeypatch.setattr("symgrad.backends.targets.find_spec", lambda name: None)
    with pytest.raises(sg.OptionError, match=r"pip install 'symgrad\[numba\]'"):
        sg.compile(w * x, ["w"], backend="numba")


@pytest.mark.parametrize("target", COMPILED)
def test_the_code_on_the_page_runs(target, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    page = (Path(__file__).parent.parent / "docs" / "backends.md").read_text(encoding="utf-8")
    blocks = re.findall(r"```\{code-block\} python\n(.*?)```", page, re.DOTALL)
    (block,) = (block for block in blocks if f'backend="{target}"' in block)
    made = sg.Network(3, [sg.Dense(4, activation="tanh"), sg.Dense(1)])
    tables = arrays(sg.compile(sg.mse(made), "parameters"), 8, ())
    names = {"sg": sg, "net": made, "arrays": tables}
    exec(block, names)
    value, grads = sg.compile(sg.mse(made), "parameters")(tables)
    same(value, names["value"])
    same(grads["W1"], names["grads"]["W1"])
    assert (tmp_path / "net.c").exists() == (target == "c")
