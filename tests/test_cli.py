"""The command line: what it prints, what it writes, how it fails."""

import io
import runpy
import shutil
import subprocess
import sys

import numpy as np
import pytest

import symgrad as sg
from symgrad.cli import main
from symgrad.specification import network_of
from symgrad.training import tables
from symgrad.training.progress import Progress


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


@pytest.mark.parametrize(
    ("file", "holds"),
    [
        ("net.c", "void net(size_t n, const real *X"),
        ("net.mjs", "export function valueAndGradients"),
        ("net.js", "export function valueAndGradients"),
    ],
)
def test_compile_writes_the_language_that_the_file_is_for(file, holds, capsys, tmp_path):
    path = tmp_path / file
    code, out, _ = run(capsys, "compile", "--layers", "3-4:tanh-2", "--output", str(path))
    header = f" and {path.with_suffix('.h')}" * (file == "net.c")
    assert (code, out) == (0, f"wrote {path}{header}\n")
    assert holds in path.read_text()
    assert path.with_suffix(".h").exists() == (file == "net.c")


def test_compile_prints_what_the_backend_runs(capsys, tmp_path):
    arguments = ["compile", "--layers", "3-4:tanh-2", "--backend"]
    code, out, _ = run(capsys, *arguments, "c")
    assert code == 0
    assert "void value_and_gradients(size_t n" in out
    pytest.importorskip("jax", reason="the extra `test` has jax: pip install -e '.[test]'")
    _, out, _ = run(capsys, *arguments, "jax")
    assert "import jax.numpy as jnp" in out
    path = tmp_path / "net.py"
    run(capsys, *arguments, "jax", "--output", str(path))
    assert path.read_text().rstrip() == out.rstrip()


@pytest.mark.skipif(not shutil.which("cc"), reason="there is no C compiler")
def test_train_with_another_backend_takes_the_same_steps(ages, capsys):
    command = ["train", str(ages), "--target", "prob", "--inputs", "age", "--layers", "1-2:tanh-1"]
    command += ["--standardize", "inputs", "--epochs", "7"]
    _, plain, _ = run(capsys, *command)
    code, out, _ = run(capsys, *command, "--backend", "c", "--workers", "1")
    assert code == 0
    assert out == plain


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
    assert "a smaller --learning-rate than 1 may help" in err
    assert ".fit" not in err
    assert "is not finite" in out
    assert np.isfinite(sg.load(path).parameters["w1"])
    assert "wrote" in out


def test_a_start_that_is_not_finite_is_not_the_learning_rates_fault(capsys, tmp_path):
    path = tmp_path / "huge.csv"
    path.write_text("a,y\n1e300,1\n2,1e300\n")
    code, _, err = run(capsys, "train", str(path), "--target", "y", "--layers", "1-1")
    assert code == 1
    assert "--standardize inputs" in err
    assert "learning-rate" not in err


BAD = [
    (["derive", "--layers", "3"], "has no layer"),
    (["derive", "--layers", "3-2:sigmod"], "unknown activation `sigmod`; did you mean `sigmoid`?"),
    (
        ["derive", "--layers", "x-2"],
        "'x' is not a number of inputs; write inputs-units[:activation]-",
    ),
    (["derive", "--layers", "a-b"], "'a' is not a number of inputs"),
    (["derive", "--layers", "3-b"], "'b' is not a number of units"),
    (["derive", "--layers", "3--1"], "'' is not a number of units"),
    (["derive", "--layers", "3-2:"], "no activation after `:`"),
    (["compile", "--layers", "3-2000000"], "2000000 is above the limit of 1000000 units, which"),
    (["compile", "--layers", "9" * 9999 + "-1"], "is above the limit of 1000000 inputs"),
    (["compile", "--layers", "999999-999999"], "weights, above the limit of 100000000"),
    (["compile", "--layers", "500-500", "--form", "scalars"], "--form rows has one for a layer"),
    (["compile", "--layers", "3-2", "--output", "a.txt"], "unknown ending of --output `.txt`"),
    (["compile", "--layers", "3-2", "--output", "no/a.py"], "there is no folder no; make it"),
    (["compile", "--layers", "3-2", "--backend", "cc"], "unknown backend `cc`; did you mean `c`?"),
    (
        ["compile", "--layers", "3-2", "--backend", "c", "--output", "a.py"],
        "--backend c and --output a.py disagree: .py is for `numpy`, `numba`, `jax`, `torch`; c is",
    ),
    (["derive", "--layers", "3-2", "--output", "no/a.md"], "there is no folder no; make it"),
    (["derive", "--layers", "3-2", "--format", "docx"], "Accepted: `text`, `tex`, `latex`, `md`"),
    (["derive", "--layers", "3-2", "--format", "md", "--output", "a.tex"], "disagree"),
    (["derive", "--layers", "3-2", "--format", "text", "--output", "a.tex"], "disagree"),
    (
        ["train", "a.csv", "--target", "y", "--layers", "1-1", "--output", "no/a.json"],
        "there is no folder no; make it",
    ),
    (
        ["train", "a.csv", "--target", "y", "--layers", "1-1", "--output", "model"],
        "unknown ending of --output `model`",
    ),
    (["derive", "--layers", "3-0"], "positive whole number of units"),
    (["derive", "--layers", "3-2", "--loss", "mes"], "unknown loss `mes`; did you mean `mse`?"),
    (["derive", "--layers", "3-2", "--form", "row"], "unknown form `row`; did you mean `rows`?"),
    (["derive", "--layers", "3-2", "--wrt", "W2"], "unknown variable `W2`"),
    (["derive", "--layers", "3-2", "--detail", "all"], "unknown detail `all`"),
    (["derive", "--layers", "3-2", "--format", "pdf"], "PDF is written to a file"),
    (["derive", "--layers", "3-2", "--output", "a.doc"], "unknown format `.doc`"),
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


@pytest.mark.parametrize("arguments", [[], ["nonsense"], ["verify"], ["train", "--epochs", "x"]])
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
    table = tables.read(ages)
    inputs, targets = tables.choose(table, "prob", "height,age")
    assert table.array(inputs)[0].tolist() == [1.7, 21.0]
    assert table.array(inputs).shape == (4, 2)
    assert table.array(targets).tolist() == [0.16, 0.45, 0.17, 0.53]


def test_derive_takes_a_format_that_agrees_with_the_file(capsys, tmp_path):
    for name, ending in (("tex", "tex"), ("latex", "tex"), ("md", "md"), ("markdown", "md")):
        path = tmp_path / f"{name}.{ending}"
        code, out, _ = run(
            capsys, "derive", "--layers", "1-1", "--format", name, "--output", str(path)
        )
        assert (code, out) == (0, f"wrote {path}\n")
        code, out, _ = run(capsys, "derive", "--layers", "1-1", "--format", name)
        assert (code, out) == (0, path.read_text())


COLUMNS = [
    # target, inputs, layers: words of the message
    ("prob,prob", None, "2-2", "column `prob` is twice in 'prob,prob'"),
    ("prob", "age,age", "2-1", "column `age` is twice"),
    ("prob", "age,prob", "2-1", "column `prob` is both an input and a target"),
    ("age,height,prob", None, "1-3", "none is left for the inputs; its columns are `age`"),
    ("prob", None, "3-1", "takes 3 inputs, but --inputs has 2 columns: `age`, `height`;"),
    ("prob", "age", "2-1", "has 1 column: `age`; change one of the two. The columns of"),
    ("prob", "age", "1-2", "gives 2 outputs, but --target has 1 column: `prob`;"),
]


@pytest.mark.parametrize(("target", "inputs", "layers", "message"), COLUMNS)
def test_columns_that_do_not_fit_are_named(capsys, ages, target, inputs, layers, message):
    chosen = [] if inputs is None else ["--inputs", inputs]
    code, out, err = run(
        capsys, "train", str(ages), "--target", target, *chosen, "--layers", layers
    )
    assert (code, out) == (2, "")
    assert message in err
    assert err.count("\n") == 1


FILES = [
    ("a,a,y\n1,2,3\n", "columns 1 and 2 are both named `a`; rename one"),
    ("a,y\n1,2\n1_0,3\n", "line 3, column a: '1_0' is not a number"),
    ("a,y\n1,2\n\n\u0661,3\n", "line 4, column a: '\u0661' is not a number"),
    ("a,y\n1,2\ninf,3\n", "line 3, column a: 'inf' is not a finite number"),
    ("a,y\n1,2\n,3\n", "line 3, column a: the cell is empty"),
    ("a,y\n1,2\n1,2,3\n", "line 3 has 3 cells, but the header has 2 columns: `a`, `y`"),
    ("a,y\n1\n", "line 2 has 1 cell, but the header has 2 columns"),
    ("a;y\n1;2\n", "is separated by ';'"),
    (",a,y\n0,1,2\n", "column 1 has no name; give it one, or say which columns are the inputs"),
    (",,y\n0,1,2\n", "columns 1 and 2 have no name"),
    ("a,y\n", "has no samples below its header line"),
    ("", "is empty"),
]


@pytest.mark.parametrize(("content", "message"), FILES, ids=[message for _, message in FILES])
def test_a_file_that_is_no_table_is_said_with_its_place(capsys, tmp_path, content, message):
    path = tmp_path / "data.csv"
    path.write_text(content, encoding="utf-8")
    code, out, err = run(capsys, "train", str(path), "--target", "y", "--layers", "1-1")
    assert (code, out) == (1, "")
    assert message in err
    assert err.count("\n") == 1


def test_an_index_column_without_a_name_is_left_alone_where_columns_are_named(tmp_path):
    path = tmp_path / "data.csv"
    path.write_text(',a,"y"\n0, 1e0 ,2\n1,+3,-4.5\n')
    table = tables.read(path)
    inputs, targets = tables.choose(table, "y", "a")
    assert table.array(inputs).tolist() == [1, 3]
    assert table.array(targets).tolist() == [2, -4.5]


def test_train_answers_options_with_values_that_it_does_not_take(capsys, ages):
    train = ["train", str(ages), "--target", "prob", "--inputs", "age", "--layers", "1-1"]
    code, _, err = run(capsys, *train, "--seed", "-1")
    assert code == 2
    assert "seed is a whole number of at least 0" in err
    code, _, err = run(capsys, *train, "--start", "w1=1,w1=2")
    assert code == 2
    assert "has `w1` twice" in err


def test_one_epoch_is_not_epochs(capsys, ages):
    code, out, _ = run(
        capsys, "train", str(ages), "--target", "prob", "--layers", "2-1", "--epochs", "1",
        "--standardize", "inputs",
    )  # fmt: skip
    assert code == 0
    assert "finished after 1 epoch:" in out


def test_train_writes_code_too(capsys, ages, tmp_path):
    path = tmp_path / "model.py"
    code, out, _ = run(
        capsys, "train", str(ages), "--target", "prob", "--inputs", "age", "--layers", "1-1:tanh",
        "--standardize", "inputs", "--output", str(path),
    )  # fmt: skip
    assert code == 0
    assert f"wrote {path}" in out
    assert 0 < runpy.run_path(str(path))["predict"](40.0) < 1


def test_the_demo_takes_columns_by_name(capsys, ages, tmp_path):
    folder = str(tmp_path / "out")
    code, out, err = run(capsys, "demo", "--data", str(ages), "--output", folder)
    assert code == 1
    assert "has 3 columns: `age`, `height`, `prob`" in err
    code, out, err = run(
        capsys, "demo", "--data", str(ages), "--inputs", "age", "--target", "prob",
        "--output", folder,
    )  # fmt: skip
    assert code == 0
    assert "Training on 4 samples: prob by age" in out


class Terminal(io.StringIO):
    def isatty(self):
        return True


def reported(stream, epochs=40):
    """What a run says whose every epoch takes 0.2 seconds."""
    now = [0.0]
    progress = Progress(epochs, stream, clock=lambda: now[0])
    for epoch in range(1, epochs + 1):
        now[0] += 0.2
        progress(epoch, 1 / epoch, {})
    progress.clear()
    return stream.getvalue()


def test_progress_on_a_terminal_moves_between_the_ten_lines():
    said = reported(Terminal())
    assert "\repoch 3 of 40: loss 0.33333333" in said
    assert said.count(" of 40") > 8
    # What a terminal shows in the end: each line as its last writing left it.
    shown = []
    for line in said.split("\n"):
        cells = ""
        for writing in line.split("\r"):
            cells = writing + cells[len(writing) :]
        shown.append(cells.rstrip())
    assert shown == [*(f"epoch {k}: loss {1 / k:.8g}" for k in range(4, 41, 4)), ""]


def test_progress_in_a_file_is_ten_lines():
    said = reported(io.StringIO())
    assert "\r" not in said
    assert said.count("\n") == 10


def test_losses_and_penalties(tmp_path, capsys):
    table = tmp_path / "classes.csv"
    table.write_text("u,v,a,b\n0.1,0.2,1,0\n0.5,-0.2,0,1\n-1,0.7,1,0\n1.1,0.3,0,1\n")
    train = ["train", str(table), "--target", "a,b", "--epochs", "20", "--seed", "0"]
    assert main([*train, "--layers", "2-2:softmax", "--loss", "cross_entropy"]) == 0
    fused = capsys.readouterr().out
    assert main([*train, "--layers", "2-2", "--loss", "cross_entropy", "--from-logits"]) == 0
    assert capsys.readouterr().out == fused
    assert main([*train, "--layers", "2-2", "--loss", "huber", "--delta", "0.5"]) == 0
    plain = capsys.readouterr().out
    assert main([*train, "--layers", "2-2", "--loss", "huber", "--delta", "0.5", "--l2", "1"]) == 0
    assert capsys.readouterr().out != plain
    assert main(["derive", "--layers", "2-2", "--l1", "0.1"]) == 0
    assert "0.1" in capsys.readouterr().out
    assert main(["derive", "--layers", "2-2", "--delta", "2"]) == 2
    assert "unknown option of mse `delta`" in capsys.readouterr().err
    assert main([*train, "--layers", "2-2", "--loss", "cross_entropy"]) == 2
    assert "give from_logits=True" in capsys.readouterr().err


TEXT = "sum((X @ w + b - y)**2) / n"
SHAPES = ["--shape", "X=n,2", "w=2", "--shape", "b=", "y=n"]


def test_derive_and_compile_take_text(capsys, tmp_path):
    code, out, _ = run(capsys, "derive", TEXT, *SHAPES, "--wrt", "w,b", "--detail", "result")
    assert code == 0
    assert "∂L/∂w = " in out
    target = tmp_path / "gradients.py"
    code, out, _ = run(capsys, "compile", TEXT, *SHAPES, "--wrt", "w", "--output", str(target))
    assert code == 0
    checked = subprocess.run([sys.executable, target], capture_output=True, text=True, check=False)
    assert checked.returncode == 0, checked.stderr
    code, out, _ = run(capsys, "derive", "(tanh(w*z) - y)**2", "--assume", "z=positive")
    assert code == 0
    assert "∂L/∂z" in out


def test_verify_takes_text(capsys):
    right = "r = X @ w + b - y; dw = 2 * X.T @ r / n; db = 2 * sum(r) / n"
    code, out, _ = run(capsys, "verify", TEXT, "--claim", right, *SHAPES, "--wrt", "w,b")
    assert code == 0
    assert out.count("proved") == 2
    code, out, _ = run(
        *(capsys, "verify", TEXT, "--claim", "X.T @ (X @ w + b - y) / n", *SHAPES, "--wrt", "w")
    )
    assert code == 1
    assert "refuted" in out


def test_train_takes_text(capsys, tmp_path):
    data = tmp_path / "data.csv"
    data.write_text("z,y,other\n1,0.5,0\n2,0.7,0\n3,0.9,0\n")
    options = ["--formula", "(tanh(w*z + b) - y)**2", "--start", "w=0.3,b=-0.7"]
    code, out, _ = run(capsys, "train", str(data), *options, "--epochs", "200")
    assert code == 0
    assert "w = 0.53" in out


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["derive"], "one of the two"),
        (["derive", "x + 1", "--layers", "1-1"], "one of the two"),
        (["derive", "--layers", "1-1", "--shape", "x=3"], "belong to a formula"),
        (["derive", "x +"], "column 4"),
        (["derive", "x @ y", "--shape", "x=3", "y=4"], "inner sizes"),
        (["derive", "x", "--shape", "x"], "NAME=SIZES"),
        (["derive", "x", "--assume", "x"], "NAME=WORD"),
        (["derive", "x", "--assume", "x=blue"], "unknown assumption"),
        (["compile", "sum(x) * q", "--shape", "x=3"], "unknown name `q`"),
        (["verify", "x**2", "--claim", "2*"], "found the end"),
        (["train", "no.csv", "--formula", "w*x"], "--start"),
        (["train", "no.csv", "--layers", "1-1"], "--target"),
        (["train", "no.csv", "--formula", "w*x", "--start", "w=1", "--target", "y"], "--target"),
    ],
    ids=str,
)
def test_text_that_is_no_formula_is_bad_usage(capsys, arguments, words):
    code, _, err = run(capsys, *arguments)
    assert code == 2
    assert words in err
