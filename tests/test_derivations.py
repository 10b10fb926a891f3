"""The pages of derivations/: formulas against the oracle, numbers against the articles' numbers."""

import importlib.util
import re
import shutil
import subprocess
import sys
from functools import cache, partial
from pathlib import Path

import numpy as np
import oracle
import pytest
import seeds
import sympy as sp
from checks import free, original_names

import symgrad as sg
from symgrad import facts

pytest.importorskip("matplotlib", reason="pictures need matplotlib: pip install 'symgrad[plot]'")

FOLDER = Path(__file__).resolve().parent.parent / "derivations"
SIZES = {"n": 3, "d": 2, "k": 2}


def _regenerate():
    spec = importlib.util.spec_from_file_location("regenerate", FOLDER / "regenerate.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


regenerate = _regenerate()
NAMES = [script.stem for script in regenerate.scripts()]


@cache
def script(name):
    return regenerate.load(FOLDER / f"{name}.py")


FORMULAS = [
    pytest.param(name, part, id=f"{name}-{part}")
    for name in NAMES
    if hasattr(script(name), "formulas")
    for part in script(name).formulas()
]


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    folder = tmp_path_factory.mktemp("derivations")
    return {name: [Path(path) for path in script(name).write(folder)] for name in NAMES}


def close(value, wanted, rtol=seeds.RTOL):
    np.testing.assert_allclose(
        np.asarray(value, dtype=float), np.asarray(wanted, dtype=float), rtol
    )


# ----------------------------------------------------------- formulas and the oracle


def written_out(expression, formula, names):
    """The value in scalars: of bare SymPy as it was written, of a Formula from its definitions."""
    if isinstance(expression, sg.Formula):
        value = oracle.inline(list(formula.graph), formula.output, SIZES, names)
    else:
        value = oracle.explicit(expression, SIZES)
    return value[0, 0] if isinstance(value, sp.MatrixBase) else value


def point_of(value):
    """A generic point at which the value is real: a variance may not be negative."""
    for seed in range(1, 40):
        point = oracle.generic_point(free(value), seed)
        try:
            oracle.evaluate(value, point)
        except ValueError:
            continue
        return point
    raise AssertionError("no point at which the value is real")


def distributions(formula):
    """Tables whose rows sum to one, where the formula's gradients make use of it."""
    tables = {}
    for name, variable in formula.inputs.items():
        along = facts.sum_axis(variable)
        if along is not None:
            tables[name] = oracle.softmax(oracle.entries(variable.symbol, SIZES), along)
    return tables


@pytest.mark.parametrize(("name", "part"), FORMULAS)
def test_gradients_agree_with_the_oracle(name, part):
    expression, wrt = script(name).formulas()[part]
    formula = sg.Formula.of(expression)
    names = {**original_names(formula, SIZES), **distributions(formula)}
    value = written_out(expression, formula, names)
    point = point_of(value)
    loss = partial(oracle.evaluate, value, digits=105)
    gradients = sg.gradient(formula, wrt)
    assert len(gradients) > 0
    for variable, gradient in gradients.items():
        symbols = names.get(variable, oracle.explicit(formula.inputs[variable].symbol, SIZES))
        symbols = symbols if isinstance(symbols, sp.MatrixBase) else sp.Matrix([[symbols]])
        got = oracle.inline(list(gradient.graph), gradient.output, SIZES, names)
        got = got if isinstance(got, sp.MatrixBase) else sp.Matrix([[got]])
        wanted = [
            [oracle.central_difference(loss, point, str(symbol)) for symbol in row]
            for row in symbols.tolist()
        ]
        assert oracle.agree(oracle.evaluate(got, point), wanted), (name, part, variable)


@pytest.mark.parametrize(("name", "part"), FORMULAS)
def test_every_script_names_what_it_differentiates(name, part):
    expression, wrt = script(name).formulas()[part]
    formula = sg.Formula.of(expression)
    assert formula.shape == ()
    assert set(wrt or formula.parameters) <= set(formula.inputs)


# --------------------------------------------------------- numbers of the articles


@pytest.mark.parametrize(
    ("update", "epochs", "prediction"),
    [
        ("sequential", seeds.EPOCHS_SEQUENTIAL, seeds.PREDICTION_SEQUENTIAL),
        ("simultaneous", seeds.EPOCHS_SIMULTANEOUS, seeds.PREDICTION_SIMULTANEOUS),
    ],
)
def test_the_perceptron(update, epochs, prediction):
    perceptron = script("perceptron")
    fit, path = perceptron.train(update)
    assert path[0] == seeds.START
    assert len(path) == seeds.EPOCHS + 1
    for place, loss, (w, b, mean_loss) in zip(path[1:], fit.losses[1:], epochs, strict=True):
        np.testing.assert_allclose(place, (w, b), atol=1e-14)
        np.testing.assert_allclose(loss, mean_loss, atol=1e-12)
    close(fit.predict(perceptron.NEW_AGE), prediction)
    close(fit.losses[0], seeds.START_MEAN_LOSS)


def test_the_small_net():
    net = script("sigmoid_3_2_2")
    value, gradients, _, after = net.step()
    close(value, seeds.SMALL_S)
    close(after, seeds.SMALL_S_AFTER_STEP)
    close(gradients["W1"], seeds.SMALL_GRADIENT_W1)
    close(gradients["W2"], seeds.SMALL_GRADIENT_W2)
    assert net.RATE == seeds.SMALL_STEP_RATE
    # The article counts the input as the first layer.
    found = net.passes()
    for name, wanted in (
        ("z1", seeds.SMALL_Z2),
        ("h1", seeds.SMALL_X2),
        ("z2", seeds.SMALL_Z3),
        ("yhat", seeds.SMALL_X3),
        ("delta2", seeds.SMALL_D3),
        ("delta1", seeds.SMALL_D2),
    ):
        close(np.ravel(found[name]), wanted)
    # Entry by entry it is the same.
    point = script("errata").scalar_point()
    for name, slope in net.slopes().items():
        function = sg.compile(slope)
        close(function({key: point[key] for key in function.inputs}), gradients[name])


def test_the_line():
    line, points = script("line"), sys.modules["_points"]
    assert tuple(points.X) == seeds.LINE_X
    assert [float(text) for text in points.Y] == [float(text) for text in seeds.LINE_Y]
    assert tuple(line.optimum()) == tuple(map(sp.Rational, seeds.LINE_OPTIMUM))
    assert line.hessian() == sp.Matrix(seeds.LINE_HESSIAN)
    eigenvalues = np.linalg.eigvalsh(np.array(line.hessian(), dtype=float))[::-1]
    close(eigenvalues, seeds.LINE_EIGENVALUES)
    close(2 / eigenvalues[0], seeds.LINE_LARGEST_STABLE_RATE)
    close(2 / eigenvalues.sum(), seeds.LINE_FASTEST_RATE)
    for rate, steps, w, b, loss in seeds.LINE_DESCENT:
        # Rounding is carried along for up to 10000 steps.
        place = line.descend(rate, steps)[-1]
        np.testing.assert_allclose(place, (w, b), rtol=1e-10)
        np.testing.assert_allclose(line.compiled()(place), loss, rtol=1e-10)


def test_exact_values_of_the_line():
    line, l1, points = script("line"), script("line_l1"), sys.modules["_points"]
    slopes = sg.gradient(line.loss(), ["w", "b"])
    parts = [line.loss(), l1.loss(), slopes["w"].sympy, slopes["b"].sympy]
    places = [row[:2] for row in seeds.LINE_LOSSES]
    assert [tuple(map(str, place)) for place in points.PLACES] == places
    rows = points.at_places(parts, places)
    for row, (_, _, squares, absolutes, gradient) in zip(rows, seeds.LINE_LOSSES, strict=True):
        assert list(row[2:]) == [sp.Rational(x) for x in (squares, absolutes, *gradient)]


@pytest.mark.parametrize("net", seeds.HIDDEN_NETS, ids=["one", "two", "four"])
def test_sums_of_neurons(net):
    sums = script("sums_of_neurons")
    units = len(net[0])
    assert sums.NETS[units] == net[:3]
    both = sg.compile(sums.output(units), wrt=["x"])
    at = [both(**sums.values(units), x=float(place)) for place in seeds.HIDDEN_POINTS]
    np.testing.assert_allclose([value for value, _ in at], net[3], rtol=1e-12, atol=1e-14)
    np.testing.assert_allclose(at[seeds.HIDDEN_POINTS.index(1)][1]["x"], net[4], rtol=1e-11)


def check_slopes(value, gradients, numbers):
    close(value, numbers["loss"])
    close(np.sqrt(sum(np.sum(g**2) for g in gradients.values())), numbers["norm"])
    for key, wanted in numbers.items():
        name, *index = key.split("_")
        if index:
            place = tuple(int(k) - 1 for k in index)[: gradients[name].ndim]
            close(gradients[name][place], wanted, rtol=1e-11)


PRINTED = {
    "1": r"\frac{\partial L}{\partial W} = 2 X^{\top} (X W - Y)",
    "5": r"\frac{\partial L}{\partial W} = X^{\top} (\operatorname{softmax}(X W) - Y)",
    "7": r"\frac{\partial L}{\partial S} = S^{-\top}",
    "9": r"\frac{\partial L}{\partial x} = (A + A^{\top}) x",
    "11": r"\frac{\partial L}{\partial w} = -X^{\top} (\sigma(-(X w) \odot t) \odot t)",
}


def test_standard_cases_print_as_a_person_writes_them():
    cases = script("standard_cases").formulas()
    assert list(cases) == [str(number) for number in range(1, 13)]
    for number, (expression, wrt) in cases.items():
        text = sg.gradient(sg.Formula.of(expression), wrt).latex()
        lines = [line.replace("&", "") for line in text.splitlines()]
        assert max(map(len, lines)) <= 120, number
        assert PRINTED.get(number, "") in "".join(lines)


def test_the_deep_net():
    output, value, gradients = script("deep_3_4_4_1").values()
    close(np.squeeze(output), seeds.DEEP_OUTPUT)
    check_slopes(value, gradients, seeds.DEEP_SQUARED)
    check_slopes(*script("cross_entropy").values(), seeds.DEEP_CROSS_ENTROPY)
    weights = sum(np.size(g) for name, g in gradients.items() if name[0] == "W")
    assert (weights, sum(map(np.size, gradients.values())) - weights) == seeds.DEEP_PARAMETERS


def test_the_neuron_and_its_line():
    neuron = script("neuron")
    at = {sp.Symbol(k, real=True): v for k, v in neuron.WEIGHTS.items()}
    for first in (-3, 0, 2):
        second = neuron.line().subs(at).subs(neuron.x1, first)
        value = sg.compile(neuron.output())(**neuron.WEIGHTS, x1=first, x2=float(second))
        close(value, neuron.LEVEL)


def test_walks_downhill():
    tangent = script("tangent")
    down = sg.compile(tangent.slope())
    assert float(down(x=0.0)) == pytest.approx(1.3)
    ends = {start: tangent.walk(start)[0] for start in tangent.STARTS}
    inside = [end for end in ends.values() if tangent.LIMITS[0] <= end <= tangent.LIMITS[1]]
    assert len(inside) == len(ends) - 1
    assert all(abs(down(x=end)) < 1e-6 for end in inside)


def test_principal_components():
    pca = script("pca")
    centred, table = pca.covariance()
    levels = np.sort(np.linalg.eigvalsh(table))[::-1]
    along, beside = sg.compile(pca.quotient(), wrt=["w"]), sg.compile(pca.rest(), wrt=["w"])
    for direction, level in zip(pca.directions(), levels, strict=True):
        value, slopes = along(S=table, w=direction[:, None])
        left, others = beside(X=centred, w=direction[:, None])
        close(-value, level)
        close(left / len(centred) - value, np.trace(table))
        np.testing.assert_allclose([slopes["w"], others["w"]], 0, atol=1e-12)


def test_the_gaussian_by_numpy():
    value = sg.compile(script("gaussian").of_vector())
    covariance = np.array([[2.0, 0.3], [0.3, 1.0]])
    mean, at = np.array([[0.5], [-1.0]]), np.array([[1.5], [0.2]])
    rest = at - mean
    distance = float(np.squeeze(rest.T @ np.linalg.solve(covariance, rest)))
    wanted = -(2 * np.log(2 * np.pi) + np.linalg.slogdet(covariance)[1] + distance) / 2
    close(value(mu=mean, Sigma=covariance, x=at), wanted)


def test_batch_normalisation_by_numpy():
    page = script("batch_normalisation")
    at = page.point()
    X, G = at["X"], at["G"]
    deviation = np.sqrt(X.var(axis=0) + at["epsilon"])
    normal = (X - X.mean(axis=0)) / deviation
    value, slopes = sg.compile(page.loss(), wrt=["X", "gamma", "beta"])(at)
    close(value, np.sum(G * (at["gamma"] * normal + at["beta"])))
    close(slopes["gamma"], (G * normal).sum(axis=0, keepdims=True))
    close(slopes["beta"], G.sum(axis=0, keepdims=True))
    # The closed form that textbooks give.
    inner = at["gamma"] * G
    wanted = (inner - inner.mean(axis=0) - normal * (inner * normal).mean(axis=0)) / deviation
    np.testing.assert_allclose(slopes["X"], wanted, rtol=1e-10, atol=1e-13)


ERRATA = {error.name: error for error in script("errata").errors()}


@pytest.mark.parametrize("name", ERRATA)
def test_errors_are_shown_by_numbers_that_differ(name):
    error = ERRATA[name]
    wrong, right = ([str(value) for _, value in part] for part in (error.wrong, error.right))
    assert not set(wrong) & set(right)


def test_errors_have_the_numbers_of_the_reference():
    def first(name):
        return [float(part[0][1]) for part in (ERRATA[name].wrong, ERRATA[name].right)]

    close(first("lost brackets"), [seeds.SIGMOID_MISPRINT, seeds.SIGMOID_RIGHT])
    close(first("a weight of the other layer"), [seeds.SMALL_S_MISPRINT, seeds.SMALL_S])
    close(first("a sum is no mean"), [seeds.SMALL_S, seeds.SMALL_MEAN])
    close(first("dropped targets"), [seeds.LINE_SLOPE_MISPRINT, seeds.LINE_LOSSES[0][4][0]])
    close(first("one sample is no mean"), [seeds.FIRST_LOSS, seeds.START_MEAN_LOSS])
    assert ERRATA["raw inputs"].wrong[0][1] == pytest.approx(seeds.RAW_OUTPUT_RANGE[0], abs=1e-6)
    along, against = first("which way is down")
    assert against < float(seeds.LINE_LOSSES[0][2]) < along


# --------------------------------------------------------------------- the files


def test_the_folder_has_what_the_scripts_write_and_nothing_else(written):
    made = {path.name for paths in written.values() for path in paths}
    kept = {path.name for path in FOLDER.iterdir() if path.suffix in regenerate.MADE}
    assert kept == made | {"README.md"}


def _anchor(heading):
    return re.sub(r"[^a-z0-9]+", "-", heading.lower()).strip("-")


def test_pages_and_their_list_lead_somewhere():
    pages = {f"{name}.md" for name in NAMES}
    for page in [*pages, "README.md"]:
        text = (FOLDER / page).read_text(encoding="utf-8")
        links = re.findall(r"\]\(([^)]+)\)", text)
        headings = set()
        for line in re.findall(r"^#+ (.*)$", text, re.MULTILINE):
            count = sum(re.sub(r"-\d+$", "", known) == _anchor(line) for known in headings)
            headings.add(f"{_anchor(line)}-{count}" if count else _anchor(line))
        for link in links:
            file, _, place = link.partition("#")
            assert (FOLDER / file).is_file() if file else place in headings, link
        assert text.count("$$") % 2 == 0, page
    listed = re.findall(r"\]\(([^)]+\.md)\)", (FOLDER / "README.md").read_text(encoding="utf-8"))
    assert sorted(listed) == sorted(pages)


def test_numbers_have_at_most_eight_digits(written):
    for paths in written.values():
        for path in paths:
            if path.suffix != ".md":
                continue
            # Between backticks stands what an article prints.
            text = re.sub(r"`[^`]*`", "", path.read_text(encoding="utf-8"))
            for number in re.findall(r"\d+\.\d+", text):
                digits = number.replace(".", "").lstrip("0")
                assert len(digits) <= 8, (path.name, number)


def test_pictures_have_no_date_and_no_random_names(written):
    pictures = [path for paths in written.values() for path in paths if path.suffix == ".svg"]
    assert len(pictures) >= 12
    for path in pictures:
        text = path.read_text(encoding="utf-8")
        assert "<dc:date>" not in text
        assert text.count("<path") > 3


def test_documents_compile(written, tmp_path):
    if shutil.which("pdflatex") is None:
        pytest.skip("pdflatex is missing: install texlive-latex-base (.ci/run does)")
    documents = [p for paths in written.values() for p in paths if p.suffix == ".tex"]
    for path in documents:
        command = ["pdflatex", "-interaction=nonstopmode", "-halt-on-error", str(path)]
        done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=120)
        assert done.returncode == 0, (path.name, done.stdout[-1500:])
        wide = [float(pt) for pt in re.findall(r"Overfull \\hbox \(([\d.]+)pt", done.stdout)]
        assert all(points < 20 for points in wide), (path.name, wide)


# ---------------------------------------------------- planted differences are found

SVG = (
    '<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink">'
    "<metadata>{made}</metadata>"
    '<g id="axes_1"><path id="m{salt}" d="M 10.5 20 L {x} 40" style="stroke: #1f5fa8"/>'
    '<use xlink:href="#m{salt}" x="3"/></g>'
    '<g id="legend_1"><path d="M {far} 5"/></g>'
    '<g><text style="{font}" x="{far}">{label}</text></g></svg>'
)
PICTURE = {"made": "3.9", "salt": "a1", "x": 30, "far": 50, "font": "font: 10px", "label": "0.12"}


def drawn(**changes):
    return SVG.format(**{**PICTURE, **changes})


@pytest.mark.parametrize(
    ("changes", "alike"),
    [
        ({}, True),
        ({"made": "3.11"}, True),
        ({"salt": "b7"}, True),
        ({"font": "font-size: 10px"}, True),
        ({"x": 30.4}, True),
        ({"far": 54}, True),
        ({"x": 30.6}, False),
        ({"far": 60}, False),
        ({"label": "0.21"}, False),
        ({"x": "30 35 L 31"}, False),
        ({"made": "</metadata><circle/><metadata>"}, False),
    ],
)
def test_pictures_are_compared_by_what_they_draw(changes, alike):
    assert regenerate.drawn_alike(drawn(), drawn(**changes)) == alike


def test_letters_of_a_formula_may_be_placed_singly():
    first, second, third = (
        drawn(label="".join(f"<tspan>{part}</tspan>" for part in parts))
        for parts in (("sin()", "x"), ("s", "i", "n", "(", "x", ")"), ("sin()", "y"))
    )
    assert regenerate.drawn_alike(first, second)
    assert not regenerate.drawn_alike(first, third)


def test_a_colour_is_no_number():
    other = drawn().replace("#1f5fa8", "#1f6fa8")
    assert not regenerate.drawn_alike(drawn(), other)


def test_differences_of_folders(tmp_path):
    made, kept = tmp_path / "made", tmp_path / "kept"
    for folder in (made, kept):
        folder.mkdir()
        (folder / "same.md").write_text("the same\n")
        (folder / "alike.svg").write_text(drawn(x=30 if folder == made else 30.2))
        (folder / "moved.svg").write_text(drawn(x=30 if folder == made else 33))
        (folder / "changed.tex").write_text(f"$x$ {folder == made}\n")
    (made / "new.tex").write_text("new\n")
    (kept / "old.svg").write_text(drawn())
    (kept / "README.md").write_text("written by hand\n")
    assert sorted(regenerate.differences(made, kept)) == [
        "changed.tex differs from what is checked in",
        "moved.svg differs from what is checked in",
        "new.tex is not checked in",
        "old.svg is written by no script",
    ]


def test_other_arguments_are_refused(capsys):
    assert regenerate.main(["--chekc"]) == 2
    assert "--check" in capsys.readouterr().err


def test_derivations_are_documents_in_every_format(tmp_path, monkeypatch):
    pytest.importorskip("math_core", reason="HTML needs math-core: pip install 'symgrad[html]'")
    monkeypatch.setattr(regenerate, "scripts", lambda: [FOLDER / "neuron.py"])
    made = {path.name for path in regenerate.write_documents(tmp_path / "documents")}
    endings = {".tex", ".md", ".html", ".ipynb", *([".pdf"] if shutil.which("pdflatex") else [])}
    assert {f"neuron{ending}" for ending in endings} <= made
    assert all(path.stat().st_size > 200 for path in (tmp_path / "documents").iterdir())


def test_misprints_are_refuted_and_what_is_right_is_proved():
    page = (FOLDER / "errata.md").read_text(encoding="utf-8")
    verdicts = re.findall(r"^\| (article|correct) \| \$.*\$ \| (\w+) by", page, re.MULTILINE)
    assert len(verdicts) >= 4
    assert set(verdicts) == {("article", "refuted"), ("correct", "proved")}
