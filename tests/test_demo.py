"""The main job: every number of the demo is computed from the data at hand."""

import json
import math
import re
import runpy
import subprocess
import sys
from pathlib import Path

import pytest
import seeds

import symgrad as sg
from symgrad import demo


@pytest.fixture(scope="module")
def report(tmp_path_factory):
    """The demo on the article's data: what it said, and where its files are."""
    folder = tmp_path_factory.mktemp("demo") / "out"
    lines = []
    demo.run(folder=folder, say=lines.append)
    return "\n".join(lines), folder


def test_the_readme_shows_what_the_demo_says(report):
    said, folder = report
    readme = (Path(__file__).resolve().parent.parent / "README.md").read_text(encoding="utf-8")
    shown = re.search(r"<!-- output: demo -->\n```text\n(.*?)\n```", readme, re.DOTALL).group(1)
    said = said.replace(f"{folder}/", "symgrad-demo/")
    said = re.sub(r"Written into .*", "Written into symgrad-demo/", said)
    pairs = zip(shown.strip().splitlines(), said.strip().splitlines(), strict=True)
    for line, other in pairs:
        if set(line) - set("="):  # the rule below a heading has the heading's length
            assert _rounded(line) == _rounded(other)


def _rounded(line):
    """Numbers to ten digits: the last ones depend on the machine; roundings are any."""
    line = re.sub(r"-?\d+\.\d+e[-+]\d+$", "rounding", line)
    return re.sub(r"-?\d+\.\d{11,}", lambda match: f"{float(match.group()):.10f}", line).split()


def test_parts_come_in_order(report):
    said, _ = report
    parts = [
        "its network and its loss",
        "Both gradients, by the chain rule",
        "hand-written gradients",
        "Training on 14 samples: probability by age",
        "is a formula again",
        "Written into",
    ]
    places = [said.index(part) for part in parts]
    assert places == sorted(places)


def test_the_articles_formulas_are_found_equal(report):
    said, _ = report
    assert "∂L/∂w: proved by normal form" in said
    assert "∂L/∂b: proved by normal form" in said


def test_a_wrong_hand_written_formula_would_be_found(monkeypatch):
    wrong = demo.hand_written()
    wrong["b1"] = wrong["b1"] / 2
    monkeypatch.setattr(demo, "hand_written", lambda: wrong)
    lines = []
    net = sg.Network(1, [sg.Dense(1, activation="tanh")]).scalars()
    loss = sg.mse(net)
    demo._compare_formulas(lines.append, loss, sg.gradient(loss))
    assert "∂L/∂b: refuted" in "\n".join(lines)
    assert "∂L/∂w: proved" in "\n".join(lines)


def test_numbers_are_those_of_the_reference(report):
    said, folder = report
    fit = sg.load(folder / "model.json")
    assert math.isclose(fit.parameters["w1"], 0.1872177180362486, rel_tol=1e-12)
    assert math.isclose(fit.parameters["b1"], 0.3273675938569492, rel_tol=1e-12)
    assert math.isclose(fit.predict(30), 0.25251167609059105, rel_tol=1e-12)
    assert "0.25251167609059" in said
    assert "0.187217718036249" in said


def test_the_articles_program_is_reproduced():
    run = demo.article_program(list(map(float, seeds.AGES)), list(seeds.PROBABILITIES))
    assert math.isclose(run.path[-1][0], 0.1872177180362486, rel_tol=1e-12)
    assert math.isclose(run.first_loss, 0.7882012807909957, rel_tol=1e-12)


def test_files_are_written_and_run(report):
    said, folder = report
    for name in ("derivation.tex", "derivation.md", "gradients.py", "model.py", "model.json"):
        assert (folder / name).stat().st_size > 200
        assert name in said
    for picture in ("data.png", "tanh.png", "loss_surface.png", "fit.png"):
        assert (folder / picture).read_bytes()[:8] == b"\x89PNG\r\n\x1a\n"
    done = subprocess.run(
        [sys.executable, folder / "gradients.py"], capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0
    assert "2 gradients agree with central differences" in done.stdout
    predict = runpy.run_path(str(folder / "model.py"))["predict"]
    assert math.isclose(predict(30), 0.25251167609059105, rel_tol=1e-12)
    assert json.loads((folder / "model.json").read_text())["epochs"] == 10


def test_other_data_give_other_numbers(tmp_path):
    data = tmp_path / "other.csv"
    data.write_text("dose,response\n1,0.1\n2,0.2\n4,0.35\n8,0.6\n")
    lines = []
    demo.run(data, tmp_path / "out", say=lines.append)
    said = "\n".join(lines)
    assert "Training on 4 samples: response by dose" in said
    assert "predicted response at dose 3" in said
    assert "39.28" not in said
    assert "article prints" not in said


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("a,b\n1,2\nx,3\n", "line 3, column a: 'x' is not a number"),
        ("a,b\n1,2\nnan,3\n", "line 3, column a: 'nan' is not a finite number"),
        ("a,b\n1,2\n1_0,3\n", "line 3, column a: '1_0' is not a number"),
        ("a,a\n1,2\n2,3\n", "columns 1 and 2 are both named `a`"),
        ("a,b\n", "at least two samples"),
        ("a\n1\n2\n", "two names"),
        ("a,b\n1,2\n3\n", "line 3"),
    ],
)
def test_bad_data_end_in_one_sentence(tmp_path, content, message):
    data = tmp_path / "bad.csv"
    data.write_text(content)
    with pytest.raises(sg.DataError, match=message):
        demo.read_samples(data)


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(sg.DataError, match=r"cannot read .*none\.csv"):
        demo.read_samples(tmp_path / "none.csv")


@pytest.fixture
def three(tmp_path):
    path = tmp_path / "three.csv"
    path.write_text("dose,day,response\n1,7,0.1\n2,5,0.2\n4,6,0.35\n")
    return path


def test_more_than_two_columns_are_not_chosen_from_silently(three):
    with pytest.raises(sg.DataError) as raised:
        demo.read_samples(three)
    message = str(raised.value)
    assert "three.csv has 3 columns: `dose`, `day`, `response`" in message
    assert "--inputs dose --target response" in message
    with pytest.raises(sg.DataError, match="name both"):
        demo.read_samples(three, inputs="day")


def test_columns_are_chosen_by_name(three, tmp_path):
    samples = demo.read_samples(three, inputs="day", target="response")
    assert (samples.x_name, samples.y_name) == ("day", "response")
    assert samples.x.tolist() == [7, 5, 6]
    lines = []
    demo.run(three, tmp_path / "out", say=lines.append, inputs="day", target="dose")
    assert "Training on 3 samples: dose by day" in "\n".join(lines)


def test_of_two_columns_the_other_one_is_known(tmp_path):
    path = tmp_path / "two.csv"
    path.write_text("a,b\n1,2\n2,3\n")
    for names in ({"inputs": "b"}, {"target": "a"}, {"inputs": "b", "target": "a"}):
        samples = demo.read_samples(path, **names)
        assert (samples.x_name, samples.y_name) == ("b", "a")
    assert demo.read_samples(path).x_name == "a"


@pytest.mark.parametrize(
    ("names", "message"),
    [
        ({"inputs": "dos", "target": "response"}, "unknown column `dos`; did you mean `dose`?"),
        ({"inputs": "dose,day", "target": "response"}, "takes one input and one target, not"),
        ({"inputs": "dose", "target": "dose"}, "both an input and a target"),
    ],
)
def test_a_wrong_choice_of_columns_is_answered(three, names, message):
    with pytest.raises(sg.OptionError, match=re.escape(message)):
        demo.read_samples(three, **names)


def test_the_articles_data_have_no_choice():
    with pytest.raises(sg.OptionError, match="--data"):
        demo.read_samples(None, inputs="age")


def test_a_folder_that_cannot_be_made_is_named(tmp_path):
    file = tmp_path / "file"
    file.write_text("")
    with pytest.raises(sg.OptionError, match=r"cannot make the folder .*file: "):
        demo.run(folder=file, say=str)
