"""The JavaScript target: modules run under node, as a page would run them; one process for all."""

import json
import os
import re
import shutil
import subprocess
import sys

import mpmath
import numpy as np
import pytest
import sympy as sp
from test_backends import ROWS, arrays_of, compiled, net
from test_targets_native import (
    DESCENTS,
    FORMULAS,
    ODD,
    ORDER,
    arrays,
    descended,
    descent_case,
    odd_formula,
    same,
)

import symgrad as sg

NODE = shutil.which("node")
needs_node = pytest.mark.skipif(NODE is None, reason="JavaScript runs under node, not found here")
w, x = sp.symbols("w x", real=True)

#: Runs cases: imports a module, calls a function of it, or notes what it throws.
RUNNER = """
import { readFileSync } from "node:fs";
const plain = (value) => ArrayBuffer.isView(value) ? Array.from(value) : value;
const cases = JSON.parse(readFileSync(process.argv[2], "utf8"));
const found = [];
for (const { path, call, given, options, typed } of cases) {
  const module = await import(path);
  if (typed) for (const name of Object.keys(given)) given[name] = Float64Array.from(given[name]);
  const before = JSON.stringify(given);
  try {
    const result = module[call](given, options);
    found.push({ result, same: JSON.stringify(given) === before });
  } catch (error) {
    found.push({ error: `${error.name}: ${error.message}` });
  }
}
console.log(JSON.stringify(found, (key, value) => plain(value)));
"""


class Cases:
    """Modules and calls, collected, and run in one process."""

    def __init__(self, folder):
        self.folder, self.cases, self.keys = folder, [], {}

    def add(self, key, function, tables, call=None, **more):
        path = self.folder / f"m{len(self.cases)}.mjs"
        function.save(path)
        found = re.findall(r"^export function (\w+)", function.source, re.MULTILINE)
        given = {n: t.tolist() if hasattr(t, "tolist") else t for n, t in tables.items()}
        case = {"path": str(path), "call": call or found[0], "given": given, **more}
        self.keys[key] = len(self.cases)
        self.cases.append(case)

    def run(self):
        (self.folder / "run.mjs").write_text(RUNNER, encoding="utf-8")
        cases = self.folder / "cases.json"
        cases.write_text(json.dumps(self.cases), encoding="utf-8")
        command = [NODE, str(self.folder / "run.mjs"), str(cases)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        found = json.loads(done.stdout)
        return {key: found[place] for key, place in self.keys.items()}


def wanted_of(row):
    formula, _, batch = ROWS[row]
    plain = compiled(row, "numpy")
    tables = arrays_of(formula, batch)
    tables = {name: table for name, table in tables.items() if name in plain.inputs}
    return plain, tables


def sources(row):
    """The module of a row; None where the formulas have none, by an error that says so."""
    try:
        function = compiled(row, "javascript")
        assert function.source
        return function
    except sg.UnsupportedError:
        return None


#: The rows that have no straight-line code, or a size that only arrays tell.
WITHOUT = {
    *(f"text {k}" for k in range(13) if k not in (1, 4)),
    *("special", "not smooth", "an index", "cases in a sum", "a triangle", "explicit"),
    *("samples in turn", "samples of everything", "samples of an inverse"),
}

ERF = np.concatenate([np.linspace(-6.5, 27, 300), np.array([0.49999, 0.5, -0.5, 1e-9, 26.54])])
ACCURATE = sp.erf(x) + w * sp.erfc(x)
SPOILT = {
    "missing": (lambda g: g.pop("X"), 'missing input "X"; there are: X, W1'),
    "unknown": (lambda g: g.update(Z=[1]), 'unknown input "Z"; there are: X, W1'),
    "short": (lambda g: g.update(W1=[1, 2]), '"W1" must be an array of 12 numbers, row by row, '),
    "long": (lambda g: g.update(b1=[0] * 5), "for 4; it has 5"),
    "text": (lambda g: g.update(b1=[1, 2, "3", 4]), '"b1" has 3 at place 2, which is not a number'),
    "null": (lambda g: g.update(b1=None), "it is no array"),
    "samples": (lambda g: g.update(Y=g["Y"][:-1]), '"X" has 5, "Y" has 4'),
    "split": (lambda g: g.update(X=[1.0] * 7), '"X" must be an array of at least one sample, n by'),
}
OPTIONS = {
    "rate": (None, "descend needs { learningRate: a number"),
    "option": ({"learningRate": 1, "rate": 2}, 'unknown option "rate"; there are: learningRate'),
    "order": ({"learningRate": 1, "order": [9]}, "places of samples, from 0 to 4, not 9"),
    "epochs": ({"learningRate": 1, "epochs": 0.5}, "epochs must be a whole number, not 0.5"),
    "diverged": ({"learningRate": 1e160, "epochs": 9}, "a smaller learningRate than 1e+160"),
}


@pytest.fixture(scope="module")
def wanted():
    """What NumPy gives, by row, with the arrays that it was given."""
    found = {}
    for row in ROWS:
        plain, tables = wanted_of(row)
        found[row] = (tables, plain(tables))
    return found


@pytest.fixture(scope="module")
def run(wanted, tmp_path_factory):
    """What node makes of every case of this file."""
    cases = Cases(tmp_path_factory.mktemp("javascript"))
    for row, (tables, _) in wanted.items():
        function = sources(row)
        if function is not None:
            cases.add(("row", row), function, tables)
    for name, (formula, wrt, batch) in FORMULAS.items():
        function = sg.compile(formula, wrt, backend="javascript", batch=batch)
        tables = arrays(sg.compile(formula, wrt, batch=batch), 33, batch)
        cases.add(("formula", name), function, tables)
        wanted["formula", name] = tables, sg.compile(formula, wrt, batch=batch)(tables)
    for names in ODD:
        formula, wrt, batch = odd_formula(names)
        tables = arrays(sg.compile(formula, wrt, batch=batch), 4, batch)
        function = sg.compile(formula, wrt, backend="javascript", batch=batch)
        cases.add(("odd", str(names)), function, tables)
        wanted["odd", str(names)] = tables, sg.compile(formula, wrt, batch=batch)(tables)
    for name in DESCENTS:
        loss, trained, batch, data, start = descent_case(name)
        function = sg.compile(loss, trained, backend="javascript", batch=batch)
        for order in (None, ORDER):
            options = {"learningRate": 0.05, "epochs": 2, "order": order}
            key = ("descent", name, order is None)
            cases.add(key, function, {**data, **start}, "descend", options=options)
            places = 2 * list(range(9) if order is None else order)
            wanted[key] = descended(loss, data, start, 0.05, places, batch)
    made = net("tanh")
    output = sg.compile(made.output, backend="javascript")
    tables = arrays(output, 6, ())
    cases.add("output", output, tables)
    wanted["output"] = sg.compile(made.output)(tables)
    alone = sg.compile(sg.gradient(sg.mse(made)), backend="javascript")
    tables = arrays(alone, 6, ())
    flat = {name: table.ravel() for name, table in tables.items()}
    cases.add("gradients", alone, flat, typed=True)
    wanted["gradients"] = sg.compile(sg.gradient(sg.mse(made)))(tables)
    accurate = sg.compile(ACCURATE, backend="javascript", batch=["x"])
    cases.add("erf", accurate, {"x": ERF, "w": 0.0})
    cases.add("erfc", accurate, {"x": ERF, "w": 1.0})
    loss = sg.compile(sg.mse(made), "parameters", backend="javascript")
    good = {n: t.tolist() for n, t in arrays(loss, 5, ()).items()}
    for name, (spoil, _) in SPOILT.items():
        given = dict(good)
        spoil(given)
        cases.add(("spoilt", name), loss, given)
    for name, (options, _) in OPTIONS.items():
        cases.add(("options", name), loss, good, "descend", options=options)
    return cases.run()


def compare(wanted, found):
    value, grads = wanted
    assert found["same"]
    result = found["result"]
    same(np.ravel(value), np.ravel(result["value"]))
    assert set(result["gradients"]) == set(grads)
    for name, gradient in grads.items():
        same(np.ravel(gradient), np.ravel(result["gradients"][name]))
        assert isinstance(result["gradients"][name], list) == (np.ndim(gradient) > 0)


@needs_node
@pytest.mark.parametrize("row", ROWS)
def test_javascript_gives_what_numpy_gives(row, run, wanted):
    if ("row", row) not in run:
        assert row in WITHOUT
        with pytest.raises(sg.UnsupportedError, match=r"no JavaScript of|the source depends on"):
            _ = compiled(row, "javascript").source
        return
    assert row not in WITHOUT
    compare(wanted[row][1], run["row", row])


@needs_node
@pytest.mark.parametrize("name", FORMULAS)
def test_every_activation_and_operation(name, run, wanted):
    compare(wanted["formula", name][1], run["formula", name])


@needs_node
@pytest.mark.parametrize("names", list(map(str, ODD)))
def test_odd_names(names, run, wanted):
    compare(wanted["odd", names][1], run["odd", names])


@needs_node
@pytest.mark.parametrize("name", DESCENTS)
def test_descent_is_a_plain_loop(name, run, wanted):
    for ordered in (True, False):
        found = run["descent", name, ordered]
        assert found["same"]
        for key, value in wanted["descent", name, ordered].items():
            same(np.ravel(value), np.ravel(found["result"][key]))


@needs_node
def test_values_alone_and_gradients_alone(run, wanted):
    same(wanted["output"].ravel(), run["output"]["result"])
    for name, gradient in wanted["gradients"].items():
        same(gradient.ravel(), run["gradients"]["result"][name])


@needs_node
def test_erf_and_erfc_keep_their_digits(run):
    """With w = 0 the sum is erf, with w = 1 it is erf + erfc, which is 1."""
    got = np.array(run["erf"]["result"])
    true = np.array([float(mpmath.erf(p)) for p in ERF])
    np.testing.assert_array_less(np.abs(got - true), 4 * np.spacing(np.abs(true)))
    np.testing.assert_allclose(run["erfc"]["result"], 1.0, rtol=0, atol=5e-16)


@needs_node
@pytest.mark.parametrize("name", SPOILT)
def test_wrong_arrays_are_explained(name, run):
    assert run["spoilt", name]["error"].startswith("TypeError: ")
    assert SPOILT[name][1] in run["spoilt", name]["error"]


@needs_node
@pytest.mark.parametrize("name", OPTIONS)
def test_wrong_options_are_explained(name, run):
    assert OPTIONS[name][1] in run["options", name]["error"]


def test_python_says_where_it_runs(tmp_path):
    function = sg.compile(w * x, ["w"], backend="javascript")
    for call in (
        lambda: function(w=1, x=2),
        lambda: function.raw(1, 2),
        lambda: function.bind(x=2),
    ):
        with pytest.raises(sg.UnsupportedError, match=r"f\.save\('net\.mjs'\).*backend='numpy'"):
            call()
    assert str(function.plan).startswith("javascript: ")
    with pytest.raises(sg.OptionError, match=r"saved as name\.mjs or name\.js, not as net\.py"):
        function.save(tmp_path / "net.py")
    with pytest.raises(sg.OptionError, match="double precision, not in float32"):
        sg.compile(w * x, ["w"], backend="javascript", dtype="float32")


REFUSALS = {
    "inverse": (sg.parse("trace(inv(A))", {"A": (3, 3)}), "`Inverse`"),
    "wide": (sg.mse(sg.Network(90, [sg.Dense(90)])), "straight-line code is for up to 2500"),
    "open": (sg.parse("sum(X @ w)", {"X": ("n", "d"), "w": ("d",)}), "the size d, which is known"),
}


@pytest.mark.parametrize("name", REFUSALS)
def test_what_has_no_module_is_refused_by_name(name):
    formula, said = REFUSALS[name]
    with pytest.raises(sg.UnsupportedError, match=re.escape(said)):
        _ = sg.compile(formula, list(formula.inputs)[-1:], backend="javascript").source


def test_the_text_does_not_depend_on_the_hash_seed():
    code = (
        "import symgrad as sg; n = sg.Network(2, [sg.Dense(3, activation='gelu'), sg.Dense(2)]);"
        "m = sg.mse(n);"
        "[print(sg.compile(m, 'parameters', backend=b).source) for b in ('javascript', 'c')]"
    )
    texts = {
        subprocess.run(
            [sys.executable, "-c", code],
            env={**os.environ, "PYTHONHASHSEED": seed},
            capture_output=True,
            check=True,
        ).stdout
        for seed in ("1", "2")
    }
    assert len(texts) == 1
    assert b"export function valueAndGradients" in texts.pop()
