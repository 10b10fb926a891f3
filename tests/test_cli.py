"""The command line: what it prints, what it writes, how it fails."""

import subprocess
import sys

import numpy as np
import pytest

import symgrad as sg
from symgrad.cli import main, network_of, read_columns


@pytest.fixture
def ages(tmp_path):
    path = tmp_path / "ages.csv"
    path.write_text("age,height,prob\n21,1.7,0.16\n57,1.6,0.45\n23,1.8,0.17\n75,1.75,0.53\n")
    return path


def run(capsys, *arguments):
    code = main(list(arguments))
    out, err = capsys.readouterr()
    return code, out, err


def test_derive_prints_text_latex_and_markdown(capsys):
    code, out, _ = run(capsys, "derive", "--layers", "1-1:tanh")
    assert code == 0
    assert "∂L/∂w = 2 (tanh(w x + b) - y) (1 - tanh²(w x + b)) x" in out
    code, out, _ = run(capsys, "derive", "--layers", "3-2:sigmoid", "--format", "latex")
    assert code == 0
    assert out.startswith(r"\documentclass")
    code, out, _ = run(capsys, "derive", "--layers", "3-2", "--format", "markdown", "--wrt", "W1")
    assert code == 0
    assert r"\frac{\partial L}{\partial W}" in out
    assert r"\frac{\partial L}{\partial b}" not in out


def test_derive_writes_by_the_files_ending(capsys, tmp_path):
    path = tmp_path / "out.tex"
    code, out, _ = run(
        capsys, "derive", "--layers", "3-2:sigmoid-2:sigmoid", "--no-bias", "--output", str(path)
    )
    assert code == 0
    assert str(path) in out
    written = path.read_text()
    assert r"\delta^{(2)}" in written
    assert "b^{(1)}" not in written


def test_compile_prints_source_that_runs(capsys, tmp_path):
    code, out, _ = run(capsys, "compile", "--layers", "3-4:tanh-2")
    assert code == 0
    scope = {}
    exec(out, scope)
    value, *gradients = scope["value_and_gradients"](
        np.ones((5, 3)), np.ones((3, 4)), np.ones(4), np.ones((4, 2)), np.ones(2), np.ones((5, 2))
    )
    assert np.isfinite(value)
    assert [g.shape for g in gradients] == [(3, 4), (4,), (4, 2), (2,)]
    path = tmp_path / "module.py"
    assert main(["compile", "--layers", "3-4:tanh-2", "--output", str(path)]) == 0
    assert subprocess.run([sys.executable, path], timeout=60).returncode == 0


def test_train_saves_a_model_that_predicts(capsys, ages, tmp_path):
    path = tmp_path / "model.json"
    code, out, err = run(
        capsys, "train", str(ages), "--target", "prob", "--inputs", "age", "--layers", "1-1:tanh",
        "--standardize", "inputs", "--epochs", "50", "--start", "w1=0.3,b1=-0.7",
        "--output", str(path),
    )  # fmt: skip
    assert code == 0
    assert "finished after 50 epochs" in out
    assert "epoch 50: loss" in err
    assert 0 < sg.load(path).predict(40) < 1


def test_train_takes_all_other_columns_as_inputs(capsys, ages):
    code, out, _ = run(
        capsys, "train", str(ages), "--target", "prob", "--layers", "2-3:tanh-1", "--epochs", "5",
        "--standardize", "inputs", "--batch-size", "2", "--optimizer", "adam",
    )  # fmt: skip
    assert code == 0
    assert "W1 = [[" in out


def test_training_that_diverges_keeps_the_last_good_model(capsys, ages, tmp_path):
    path = tmp_path / "model.json"
    code, out, err = run(
        capsys, "train", str(ages), "--target", "prob", "--inputs", "age", "--layers", "1-1",
        "--learning-rate", "1", "--epochs", "500", "--output", str(path),
    )  # fmt: skip
    assert code == 1
    assert "diverged" in err
    assert "smaller learning rate" in err
    assert np.isfinite(sg.load(path).parameters["w1"])
    assert "wrote" in out


BAD = [
    (["derive", "--layers", "3"], "has no layer"),
    (["derive", "--layers", "3-2:sigmod"], "unknown activation `sigmod`; did you mean `sigmoid`?"),
    (["derive", "--layers", "x-2"], "'x' is not a number of units"),
    (["derive", "--layers", "3-0"], "positive whole number of units"),
    (["derive", "--layers", "3-2", "--loss", "mes"], "unknown loss `mes`; did you mean `mse`?"),
    (["derive", "--layers", "3-2", "--form", "row"], "unknown form `row`; did you mean `rows`?"),
    (["derive", "--layers", "3-2", "--wrt", "W2"], "unknown variable `W2`"),
    (["derive", "--layers", "3-2", "--detail", "full"], "unknown detail `full`"),
    (["derive", "--layers", "3-2", "--format", "pdf"], "unknown format `pdf`"),
    (["derive", "--layers", "3-2", "--output", "a.pdf"], "unknown format `.pdf`"),
]


@pytest.mark.parametrize(("arguments", "message"), BAD, ids=lambda p: str(p)[-30:])
def test_bad_usage_is_one_sentence_and_exit_code_2(capsys, arguments, message):
    code, out, err = run(capsys, *arguments)
    assert code == 2
    assert message in err
    assert err.count("\n") == 1
    assert out == ""


def test_bad_data_are_exit_code_1_and_unknown_columns_2(capsys, ages, tmp_path):
    code, _, err = run(capsys, "train", str(ages), "--target", "prop", "--layers", "2-1")
    assert code == 2
    assert "unknown column `prop`; did you mean `prob`?" in err
    ages.write_text("age,prob\n1,2\nx,3\n")
    code, _, err = run(capsys, "train", str(ages), "--target", "prob", "--layers", "1-1")
    assert code == 1
    assert "line 3, column age: 'x' is not a number" in err
    code, _, err = run(
        capsys, "train", str(tmp_path / "no.csv"), "--target", "y", "--layers", "1-1"
    )
    assert code == 1
    assert "cannot read" in err


@pytest.mark.parametrize("arguments", [[], ["nonsense"], ["derive"], ["train", "--epochs", "x"]])
def test_usage_errors_of_the_parser_are_exit_code_2(arguments, capsys):
    with pytest.raises(SystemExit) as stopped:
        main(arguments)
    assert stopped.value.code == 2
    assert "usage: symgrad" in capsys.readouterr().err


@pytest.mark.parametrize("verb", ["demo", "derive", "compile", "train"])
def test_help_teaches_by_example(verb, capsys):
    with pytest.raises(SystemExit) as stopped:
        main([verb, "--help"])
    assert stopped.value.code == 0
    assert f"  symgrad {verb}" in capsys.readouterr().out


def test_the_first_number_of_layers_is_the_count_of_inputs():
    net = network_of("3-2:sigmoid-1", bias=False)
    assert net.widths == (3, 2, 1)
    assert [layer.function.name for layer in net.layers] == ["sigmoid", "identity"]
    assert network_of("1-1:tanh").form == "scalars"
    assert network_of("1-1:tanh", form="rows").form == "rows"


def test_columns_are_read_by_name(ages):
    X, target = read_columns(str(ages), "prob", "height,age")
    assert X.shape == (4, 2)
    assert X[0].tolist() == [1.7, 21.0]
    assert target.tolist() == [0.16, 0.45, 0.17, 0.53]
