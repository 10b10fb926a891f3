"""A worked example: the numbers that are put in, and what comes out."""

import re

import numpy as np
import pytest
import seeds
import sympy as sp

import symgrad as sg
from symgrad.formats.equations import document
from symgrad.formats.example import DIGITS
from symgrad.reading.printed import read

w, z, b, y = sp.symbols("w z b y", real=True)
NET = sg.Network(3, [sg.Dense(2, activation="sigmoid", bias=False) for _ in range(2)])
SMALL = {
    "x": np.array(seeds.SMALL_X, dtype=float),
    "y": np.array(seeds.SMALL_Y, dtype=float),
    "W1": np.array(seeds.SMALL_W1, dtype=float),
    "W2": np.array(seeds.SMALL_W2, dtype=float),
}


def entries(table):
    """The same values, every entry by its own name."""
    found = {}
    for name, array in table.items():
        for place in np.ndindex(*array.shape):
            index = "_".join(str(i + 1) for i in place)
            found[f"{name.lower()}_{index}"] = array[place]
    return found


PERCEPTRON = {
    "w": seeds.START[0],
    "b": seeds.START[1],
    "z": seeds.FIRST_Z,
    "y": seeds.PROBABILITIES[0],
}


def perceptron(**options):
    return sg.derive((sp.tanh(w * z + b) - y) ** 2, ["w", "b"], example=PERCEPTRON, **options)


def lines_of(derived, detail="chain"):
    (block,) = [b for b in document(derived, detail) if b.kind == "example"]
    return block.equations


def numbers(text):
    """The numbers of the last part of a line, a matrix row by row."""
    return [float(n) for n in re.findall(r"-?\d+(?:\.\d+)?", text.split(r"\approx")[-1])]


def test_the_first_sample_of_the_article():
    shown = {line.left: line.right[-1] for line in lines_of(perceptron())}
    wanted = {
        "t_{1}": seeds.FIRST_PREACTIVATION,
        "t_{2}": seeds.FIRST_PREDICTION,
        "L": seeds.FIRST_LOSS,
        r"\frac{\partial L}{\partial w}": seeds.FIRST_GRADIENT[0],
        r"\frac{\partial L}{\partial b}": seeds.FIRST_GRADIENT[1],
    }
    for name, value in wanted.items():
        assert numbers(shown[name]) == [pytest.approx(value, rel=10.0 ** (1 - DIGITS))]
    assert shown["t_{1}"] == r"w z + b = 0.3 \cdot (-0.72865) + (-0.7) \approx -0.9186"


def test_every_line_follows_from_the_numbers_in_it():
    for derived in (perceptron(), perceptron(detail="full")):
        for line in lines_of(derived, derived.detail):
            text = " = ".join(line.right).replace(r" = \approx", r" \approx")
            *_, put_in, _ = re.split(r" = | \\approx ", f"{text} ")
            if not re.search(r"[a-zA-Z]_|L|[wzby]\b", re.sub(r"\\[a-z]+", "", put_in)):
                value = float(read(put_in, {}, ()))
                assert numbers(text) == [pytest.approx(value, rel=1e-3)]


def test_matrices_are_those_of_the_reference():
    derived = sg.derive(sg.sse(NET), notation="columns", example=SMALL)
    shown = {line.left: " ".join(line.right) for line in lines_of(derived)}
    wanted = {
        "z^{(1)}": seeds.SMALL_Z2,
        "h^{(1)}": seeds.SMALL_X2,
        r"\hat{y}": seeds.SMALL_X3,
        "L": [seeds.SMALL_S],
        r"\delta^{(2)}": seeds.SMALL_D3,
        r"\delta^{(1)}": seeds.SMALL_D2,
        r"\frac{\partial L}{\partial W^{(1)}}": seeds.SMALL_GRADIENT_W1,
        r"\frac{\partial L}{\partial W^{(2)}}": seeds.SMALL_GRADIENT_W2,
    }
    for name, value in wanted.items():
        found = numbers(shown[name])
        np.testing.assert_allclose(found, np.ravel(value), rtol=10.0 ** (1 - DIGITS))
    assert r"\left(1 - \begin{bmatrix}" in shown[r"\delta^{(2)}"]


@pytest.mark.parametrize("profile", ["nielsen", "cs231n", "parr-howard", "article-perceptron"])
def test_any_profile_has_examples(profile):
    form = sg.PROFILES[profile].notation
    given = SMALL
    if form == "scalars":
        given = entries(SMALL)
    elif form == "rows":
        given = {
            n.upper() if n in "xy" else n: a[None] if a.ndim == 1 else a.T for n, a in SMALL.items()
        }
    derived = sg.derive(sg.sse(NET), profile=profile, example=given)
    text = derived.markdown()
    assert "## In numbers" in text
    assert "0.016525" in text
    assert derived.check()


def test_sizes_are_numbers_too():
    X, Y = np.arange(6.0).reshape(3, 2) / 7, np.ones((3, 1))
    loss = sg.mse(sg.Network(2, [sg.Dense(1)]))
    given = {"X": X, "Y": Y, "W1": np.array([[0.5], [-0.25]]), "b1": np.array([0.1])}
    shown = {line.left: " ".join(line.right) for line in lines_of(sg.derive(loss, example=given))}
    assert r"\frac{1}{n}" in shown["L"]
    assert r"\frac{1}{3}" in shown["L"]


BAD = {
    "missing": ({"w": 1, "b": 2, "z": 3}, sg.OptionError, "no value for `y`"),
    "unknown": ({**PERCEPTRON, "q": 1}, sg.OptionError, "`q`"),
    "no mapping": ([1, 2], sg.OptionError, "mapping"),
    "text": ({**PERCEPTRON, "w": "a"}, sg.DataError, "no array of numbers"),
    "infinite": ({**PERCEPTRON, "w": np.inf}, sg.DataError, "not finite"),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_examples_are_answered(case):
    given, error, said = BAD[case]
    with pytest.raises(error, match=said):
        sg.derive((sp.tanh(w * z + b) - y) ** 2, ["w", "b"], example=given)


def test_large_examples_are_refused():
    loss = sg.sse(sg.Network(9, [sg.Dense(1)]).columns())
    given = {"x": np.ones(9), "y": np.ones(1), "W1": np.ones((1, 9)), "b1": np.ones(1)}
    with pytest.raises(sg.DataError, match="at most 8 rows"):
        sg.derive(loss, example=given)
    with pytest.raises(sg.DataError, match="not finite"):
        sg.derive(sp.log(w), ["w"], example={"w": -1.0}).markdown()


def test_without_an_example_there_are_no_numbers():
    assert "In numbers" not in sg.derive(sp.tanh(w) ** 2, ["w"]).markdown()
