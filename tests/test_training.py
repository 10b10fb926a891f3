"""Saved fits from strangers, ranks of targets, standardisation: what training leaves behind."""

import copy
import json
import re
import runpy
import subprocess
import sys
import time

import numpy as np
import pytest
import sympy as sp

import symgrad as sg
from symgrad.formats import record

FORMS = ("rows", "columns", "scalars")
RNG = np.random.default_rng(8)
X, Y = RNG.normal(size=(12, 2)), RNG.uniform(-0.8, 0.8, size=(12, 2))
w, b, z, t = sp.symbols("w b z t", real=True)


def fit_of(form="rows", inputs=2, outputs=2, y=None, **options):
    net = sg.Network(inputs, [sg.Dense(3, activation="tanh"), sg.Dense(outputs)])
    target = Y[:, :outputs] if y is None else y
    settings = {"epochs": 3, "seed": 1, **options}
    return getattr(net, form)().fit(X[:, :inputs], target, **settings)


# -------------------------------------------------------------- ranks and scales


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("inputs", [1, 2])
@pytest.mark.parametrize("rank", [1, 2])
@pytest.mark.parametrize("standardize", [None, "inputs"])
def test_ranks_survive_saving_and_export(form, inputs, rank, standardize, tmp_path):
    target = Y[:, 0] if rank == 1 else Y[:, :1]
    fit = fit_of(form, inputs, 1, target, standardize=standardize)
    prediction = fit.predict(X[:, :inputs])
    assert prediction.shape == target.shape
    again = sg.load(fit.save(tmp_path / "model.json"))
    np.testing.assert_array_equal(again.predict(X[:, :inputs]), prediction)
    module = runpy.run_path(str(fit.export(tmp_path / "model.py")))
    columns = [X[:, k] for k in range(inputs)] if form == "scalars" else [X[:, :inputs]]
    exported = module["predict"](*columns)
    assert exported.shape == target.shape
    np.testing.assert_allclose(exported, prediction, rtol=1e-13)
    if inputs == 1:
        assert type(fit.predict(0.5)) is type(module["predict"](0.5)) is float
        assert np.isclose(fit.predict(0.5), module["predict"](0.5), rtol=1e-13)


@pytest.mark.parametrize("form", FORMS)
def test_lists_mappings_and_pairs_are_the_same_data(form):
    wanted = fit_of(form)
    lists = fit_of(form, y=Y.tolist())
    np.testing.assert_array_equal(lists.losses, wanted.losses)
    if form == "scalars":
        data = {"x_1": X[:, 0], "x_2": X[:, 1], "y_1": Y[:, 0], "y_2": Y[:, 1]}
    else:
        data = dict(zip(("X", "Y") if form == "rows" else ("x", "y"), (X, Y), strict=True))
    by_name = sg.train(wanted.loss, data, epochs=3, seed=1)
    np.testing.assert_array_equal(by_name.losses, wanted.losses)
    np.testing.assert_array_equal(by_name.predict(X), wanted.predict(X))


@pytest.mark.parametrize("form", FORMS)
def test_the_three_forms_descend_alike(form):
    start = fit_of("rows", epochs=0).parameters
    if form == "columns":
        start = {n: p.T if n[0] == "W" else p for n, p in start.items()}
    if form == "scalars":
        start = {
            "_".join([n.lower(), *(str(k + 1) for k in place)]): float(p[place])
            for n, p in start.items()
            for place in np.ndindex(p.shape)
        }
    fit = fit_of(form, start=start, batch_size=4, epochs=5)
    wanted = fit_of("rows", start=fit_of("rows", epochs=0).parameters, batch_size=4, epochs=5)
    np.testing.assert_allclose(fit.losses, wanted.losses, rtol=1e-11)


def test_standardised_data_are_those_that_the_formula_sees():
    scaled = (X - X.mean(axis=0)) / X.std(axis=0)
    net = sg.Network(2, [sg.Dense(3, activation="tanh"), sg.Dense(2)])
    by_hand = net.fit(scaled, Y, epochs=3, seed=1)
    fit = fit_of(standardize="inputs")
    np.testing.assert_allclose(fit.losses, by_hand.losses, rtol=1e-13)
    np.testing.assert_allclose(fit.predict(X), by_hand.predict(scaled), rtol=1e-12)


def test_inputs_that_cannot_be_told_from_targets_are_not_standardised():
    # Both z and t would have been shifted and scaled, and t is the target.
    with pytest.raises(sg.OptionError, match="which input is the target"):
        sg.train((w * z - t) ** 2, {"z": [1.0, 2], "t": [2.0, 4]}, {"w": 0}, standardize="inputs")


@pytest.mark.parametrize(
    ("reduce", "words"), [("sum", "takes all samples itself"), ("mena", "did you mean `mean`?")]
)
def test_reduce_has_an_effect_or_is_refused(reduce, words):
    with pytest.raises(sg.OptionError) as raised:
        fit_of(reduce=reduce)
    assert words in str(raised.value)


def test_predictions_of_one_sample():
    column = fit_of("columns")
    assert column.predict(X[0]).shape == (2,)
    np.testing.assert_allclose(column.predict(X[0]), column.predict(X)[0], rtol=1e-13)
    with pytest.raises(sg.ShapeError, match=r"`X` must be \(n, 2\)"):
        fit_of("rows").predict(np.ones((3, 5)))
    with pytest.raises(sg.DataError, match="NaN"):
        fit_of("rows").predict([[1.0, np.nan]])


def test_predicting_again_does_not_compile_again():
    fit = fit_of()
    first = fit.predict(X)
    start = time.perf_counter()
    for _ in range(20):
        np.testing.assert_array_equal(fit.predict(X), first)
    assert time.perf_counter() - start < 0.2


# ------------------------------------------------------------- files of strangers

GOOD = fit_of()._record()
EXPONENT = ["Integer", "9" * 9]


def changed(**entries):
    return lambda r: {**r, **entries}


def in_loss(**entries):
    return lambda r: {**r, "loss": {**r["loss"], **entries}}


def output(*expression):
    return in_loss(output=list(expression))


def input_changed(**entries):
    def change(r):
        r = copy.deepcopy(r)
        r["loss"]["inputs"][0].update(entries)
        return r

    return change


def label_changed(**entries):
    def change(r):
        r = copy.deepcopy(r)
        r["loss"]["labels"]["W1"].update(entries)
        return r

    return change


def deep(expression, head, times):
    for _ in range(times):
        expression = [head, expression]
    return expression


SYMBOL = ["Symbol", "L", ["real"]]
HOSTILE = {
    "losses as texts": changed(losses=["1", "2"]),
    "losses as a number": changed(losses=3.0),
    "losses nested": changed(losses=[[1.0, 2.0]]),
    "epochs as text": changed(epochs="3"),
    "epochs as a truth": changed(epochs=True),
    "flat as text": changed(flat="no"),
    "stopped as a list": changed(stopped=[]),
    "parameters as a list": changed(parameters=[1, 2]),
    "no parameters": changed(parameters={}),
    "one parameter too few": lambda r: {
        **r, "parameters": {n: v for n, v in r["parameters"].items() if n != "b1"}
    },
    "a parameter too many": lambda r: {**r, "parameters": {**r["parameters"], "W7": 1.0}},
    "a parameter of texts": lambda r: {**r, "parameters": {**r["parameters"], "b1": ["1"] * 3}},
    "a parameter of the wrong shape": lambda r: {
        **r, "parameters": {**r["parameters"], "b1": [1.0] * 4}
    },
    "a parameter that is not finite": lambda r: {
        **r, "parameters": {**r["parameters"], "b1": [1.0, float("nan"), 1.0]}
    },
    "scales of an unknown input": changed(standardisation={"Q": {"mean": [0.0], "std": [1.0]}}),
    "scales of zero": changed(standardisation={"X": {"mean": [0.0, 0], "std": [0.0, 1]}}),
    "scales of texts": changed(standardisation={"X": {"mean": ["a"], "std": ["b"]}}),
    "loss as a list": changed(loss=[]),
    "loss as text": changed(loss="mse"),
    "no inputs": in_loss(inputs=[]),
    "inputs of nothing": in_loss(inputs=[{}]),
    "definitions of one part": in_loss(definitions=[[SYMBOL]]),
    "definitions as text": in_loss(definitions="L = exit()"),
    "labels as a list": in_loss(labels=[]),
    "parameters that are no inputs": in_loss(parameters=["nothing"]),
    "targets that are no inputs": in_loss(targets=["nothing"]),
    "model of nothing": in_loss(model={}),
    "output of nothing": output(),
    "output not defined": output("Symbol", "nowhere", ["real"]),
    "output as a number": in_loss(output=3),
    "head that is a list": output(["Symbol"], "x"),
    "head of Python": output("eval", "exit()"),
    "head of SymPy that is not in the table": output("Derivative", SYMBOL, SYMBOL),
    "text for an expression": output("sin", "__import__('os')"),
    "a text for digits": output("Integer", "exit()"),
    "too many digits": output("Integer", "9" * 10_000),
    "not a number": output("Float", "exit()"),
    "division by zero": output("Rational", "1", "0"),
    "a constant that is none": output("Constant", "__builtins__"),
    "an enormous power": output("Pow", ["Integer", "9"], EXPONENT),
    "an enormous power inside": output(
        "Pow", ["Mul", ["Integer", "9"], SYMBOL], ["Integer", "9" * 12]
    ),
    "powers of powers": output(
        "Pow", ["Pow", ["Pow", ["Integer", "9"], ["Integer", "999"]], ["Integer", "999"]],
        ["Integer", "999"],
    ),
    "a tower": output("floor", deep(["Integer", "9"], "exp", 6)),
    "a comparison of towers": output(
        "StrictGreaterThan", deep(["Integer", "9"], "exp", 6), ["Integer", "2"]
    ),
    "a table of nothing": output("Matrix", 1_000_000_000, 0, []),
    "a table with too few entries": output("Matrix", 2, 2, [SYMBOL]),
    "a deep expression": output("tanh", deep(SYMBOL, "tanh", 900)),
    "shape with code": input_changed(shape=['3)"""\nimport os\n"""', 2, 3]),
    "shape of the wrong rank": input_changed(shape=[]),
    "a size that is no name": input_changed(
        symbol=["MatrixSymbol", "X", ["Symbol", "1); exit(", ["integer", "positive"]],
                ["Integer", "2"]]
    ),
    "a negative size": input_changed(
        symbol=["MatrixSymbol", "X", ["Integer", "-2"], ["Integer", "2"]]
    ),
    "an input that is a sum": input_changed(symbol=["Add", SYMBOL, ["Integer", "1"]]),
    "assumptions that are none": input_changed(assumptions=["evil"]),
    "a rank that is none": label_changed(rank=7),
    "a layer as text": label_changed(layer="1"),
    "a letter as a list": label_changed(letter=["W"]),
    "a label with more": label_changed(index="ab"),
}  # fmt: skip


@pytest.mark.parametrize("name", HOSTILE)
def test_files_of_strangers_are_refused_in_a_sentence(name, tmp_path):
    path = tmp_path / "model.json"
    path.write_text(json.dumps(HOSTILE[name](GOOD)))
    start = time.perf_counter()
    with pytest.raises(sg.DataError) as raised:
        sg.load(path)
    assert "model.json" in str(raised.value)
    assert time.perf_counter() - start < 5


def test_every_single_change_of_type_is_refused_or_harmless(tmp_path):
    """Each value in a file in turn becomes something else; nothing but a DataError comes out."""
    path = tmp_path / "model.json"
    refused = accepted = 0
    for place in places(GOOD):
        for value in (None, [], {}, "exit()", -7, 1e400):
            record_ = copy.deepcopy(GOOD)
            inner = record_
            for key in place[:-1]:
                inner = inner[key]
            if type(inner[place[-1]]) is type(value):
                continue
            inner[place[-1]] = value
            path.write_text(json.dumps(record_))
            try:
                fit = sg.load(path)
            except sg.DataError:
                refused += 1
                continue
            accepted += 1
            try:
                assert np.shape(fit.predict(X))[0] == len(X)
            except sg.SymgradError:
                # Without its model the loss predicts, and asks for targets.
                assert place[:2] == ("loss", "model")
    assert refused > 10 * accepted > 0


def places(value, place=(), most=3):
    """Paths into a record: the first few of each list, all of each mapping."""
    if isinstance(value, dict):
        items = list(value.items())
    elif isinstance(value, list):
        items = list(enumerate(value))[:most]
    else:
        return
    for key, inner in items:
        if len(place) < 5:
            yield (*place, key)
            yield from places(inner, (*place, key), most)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"\xff\xfe\x00", "not JSON"),
        (b"", "not JSON"),
        (b"[" * 100_000, "nested too deeply"),
        (b'{"format": "symgrad fit 1", "loss": ' + b"[" * 3000 + b"]" * 3000 + b"}", "model.json"),
        (b'{"format": "symgrad fit 2"}', "not a fit saved by symgrad"),
        (b'{"format": "symgrad fit 1"}', "model.json is broken"),
        (b"3", "not a fit saved by symgrad"),
    ],
)
def test_files_that_are_something_else(content, words, tmp_path):
    path = tmp_path / "model.json"
    path.write_bytes(content)
    with pytest.raises(sg.DataError, match=words):
        sg.load(path)


def test_a_folder_is_no_fit(tmp_path):
    with pytest.raises(sg.DataError, match="cannot read"):
        sg.load(tmp_path)


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("loss", ["mse", "sse", "half_sse"])
def test_records_are_the_formulas_that_they_were_made_of(form, loss):
    net = getattr(sg.Network(2, [sg.Dense(2, activation="softplus"), sg.Dense(1)]), form)()
    formula = getattr(sg, loss)(net)
    again = record.to_formula(json.loads(json.dumps(record.of_formula(formula))))
    assert again.graph.definitions == formula.graph.definitions
    assert again.graph.inputs == formula.graph.inputs
    assert dict(again.graph.labels) == dict(formula.graph.labels)
    assert (again.parameters, again.targets) == (formula.parameters, formula.targets)
    assert again.latex() == formula.latex()
    assert again.model.graph.definitions == formula.model.graph.definitions


def test_fits_of_sums_over_an_index_are_saved_too(tmp_path):
    i, n = sp.Symbol("i", integer=True), sp.Symbol("n", integer=True, positive=True)
    xs, ys = sp.IndexedBase("x"), sp.IndexedBase("y")
    loss = sp.Sum((w * xs[i] + b - ys[i]) ** 2, (i, 1, n)) / n
    data = {"x": [1.0, 2.0, 3.0], "y": [2.0, 4.1, 5.9]}
    fit = sg.train(
        loss, data, {"w": 1, "b": 0}, learning_rate=0.05, epochs=20, batch_size=2, seed=0
    )
    again = sg.load(fit.save(tmp_path / "model.json"))
    assert again.parameters == fit.parameters
    assert again.loss.sympy == fit.loss.sympy
    assert again.predict(data) == fit.predict(data) == pytest.approx(fit.losses[-1], rel=1e-12)


# ------------------------------------------------------------- how it is worded


def test_one_epoch_is_not_epochs():
    assert "after 1 epoch)" in repr(fit_of(epochs=1))
    assert "after 3 epochs)" in repr(fit_of())


def checked(formula, wrt, path, spoil=str):
    """What a saved module says about itself, and its exit code."""
    sg.compile(formula, wrt=wrt).save(path)
    path.write_text(spoil(path.read_text()))
    done = subprocess.run([sys.executable, path], capture_output=True, text=True, timeout=60)
    return done.returncode, done.stdout.splitlines()


def test_a_saved_module_words_its_self_check(tmp_path):
    code, (verdict, error) = checked(w * sp.tanh(b), ["w", "b"], tmp_path / "two.py")
    assert code == 0
    assert verdict == "2 gradients agree with central differences at 4 random points"
    assert re.fullmatch(
        r"largest relative error (\d\.\de-\d\d|below that of .*), limit 1e-05", error
    )
    assert "0.0e+00" not in error
    code, (verdict, _) = checked(w * z, ["w"], tmp_path / "one.py")
    assert code == 0
    assert verdict.startswith("1 gradient agrees with central differences")


def test_a_self_check_without_a_visible_error_does_not_print_zero(tmp_path):
    # The differences of a linear function agree with the gradient to more than they do among
    # themselves.
    code, (_, error) = checked(sp.Integer(2) * w, ["w"], tmp_path / "linear.py", no_error)
    assert code == 0
    said = "largest relative error below that of the differences themselves, limit 1e-05"
    assert error == said


def no_error(text):
    """Let the differences be exact."""
    start = text.index("    sides = []")
    end = text.index("def check(")
    return text[:start] + "    return 2.0\n\n\n" + text[end:]


def test_a_wrong_gradient_is_told_with_its_error(tmp_path):
    code, (verdict, error) = checked(
        w**2 * z,
        ["w"],
        tmp_path / "bad.py",
        lambda text: text.replace("LIMIT = 1e-5", "LIMIT = -1"),
    )
    assert code == 1
    assert verdict.startswith("1 gradient DIFFERS from central differences")
    assert error.endswith("limit -1e+00")
