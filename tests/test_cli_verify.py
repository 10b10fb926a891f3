"""`symgrad verify`: a Python file with a loss and a grad, or a grad against a network."""

import json

import pytest

from symgrad.cli import main

PAIR = """
import numpy as np

shapes = {"W": (3, 2), "X": ("n", 3), "Y": ("n", 2)}
wrt = ["W"]


def loss(W, X, Y):
    return np.mean((np.tanh(X @ W) - Y) ** 2)


def grad(W, X, Y):
    a = np.tanh(X @ W)
    return {"W": X.T @ (2 * (a - Y) * (1 - a**2)) / Y.size}
"""
NETWORK = """
import numpy as np


def grad(X, W1, b1, W2, b2, Y):
    H = np.tanh(X @ W1 + b1)
    d2 = 2 * (H @ W2 + b2 - Y) / Y.size
    d1 = d2 @ W2.T * (1 - H)
    return {"W1": X.T @ d1, "b1": d1.sum(axis=0), "W2": H.T @ d2, "db2": d2.sum(axis=0)}
"""
LAYER = """
def forward(X, W):
    return X @ W, (X, W)


def backward(dout, cache):
    X, W = cache
    return dout @ W.T, X.T @ dout
"""


@pytest.fixture
def script(tmp_path):
    def write(text):
        path = tmp_path / "by_hand.py"
        path.write_text(text, encoding="utf-8")
        return str(path)

    return write


def test_a_file_with_a_loss_and_a_grad(script, capsys):
    path = script(PAIR)
    assert main(["verify", path]) == 0
    assert "d/dW: proved" in capsys.readouterr().out
    given = ["--shapes", "W=3,2", "X=4,3", "Y=4,2", "--wrt", "W", "--require", "proved"]
    assert main(["verify", path, *given]) == 0
    assert main(["verify", script(PAIR.replace("2 * (a", "(a"))]) == 1
    said = capsys.readouterr().out
    assert "d/dW: refuted" in said
    assert "the claim gives" in said


def test_a_grad_against_a_network(script, capsys):
    path = script(NETWORK)
    assert main(["verify", path, "--layers", "3-4:tanh-2"]) == 1
    said = capsys.readouterr().out
    assert "d/dW1: refuted" in said
    assert "d/dW2: proved" in said
    assert "d/db2: proved" in said
    assert main(["verify", path, "--layers", "3-4:tanh-2", "--wrt", "W2,b2", "--json"]) == 0
    verdicts = json.loads(capsys.readouterr().out)
    assert {name: verdict["status"] for name, verdict in verdicts.items()} == {
        "W2": "proved",
        "b2": "proved",
    }


def test_a_backward_pass(script, capsys):
    given = ["--shapes", "X=4,3", "W=3,2", "--upstream", "dout"]
    assert main(["verify", script(LAYER), *given]) == 0
    assert capsys.readouterr().out.count("proved") == 2


@pytest.mark.parametrize(
    ("text", "options", "code", "words"),
    [
        ("x = 1", [], 2, "shapes"),
        ("shapes = {'x': ()}", [], 2, "no function `loss`"),
        ("raise ValueError('no')", [], 1, "ValueError: no"),
        (PAIR, ["--shapes", "W"], 2, "write NAME=SIZES"),
        (PAIR, ["--shapes", "W=3;2"], 2, "neither a number nor a name"),
        (PAIR, ["--wrt", "Q"], 2, "`Q`"),
        (PAIR, ["--timeout", "0"], 2, "timeout"),
        (PAIR, ["--require", "sure"], 2, "requirement"),
        (NETWORK, ["--layers", "3-4:tanh-2", "--wrt", "W9"], 2, "`W9`"),
        (PAIR.replace("a = ", "assert X.sum() > 0\n    a = "), [], 2, "assert X.sum() > 0"),
    ],
    ids=range(10),
)
def test_mistakes_are_one_sentence(script, capsys, text, options, code, words):
    assert main(["verify", script(text), *options]) == code
    captured = capsys.readouterr()
    assert words in captured.err
    assert "Traceback" not in captured.err


def test_a_missing_file(capsys):
    assert main(["verify", "nowhere.py"]) == 1
    assert "nowhere.py" in capsys.readouterr().err
