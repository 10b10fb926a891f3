"""Formulas that are hard on the forms of compiled code: every form gives what the listing gives."""

import shutil

import numpy as np
import pytest
import sympy as sp
from forms import arrays_of, wrong_forms

import symgrad as sg
from symgrad.backends import runners, workspace
from symgrad.backends.plan import VALUE
from symgrad.backends.workspace import Workspace
from symgrad.tape import Recorder, Tape

HAS_C = bool(shutil.which("cc"))

X = {"X": ("n", 3)}
LAYER = {**X, "W": (3, 2), "b": (2,)}
SQUARE = {**X, "W": (3, 3), "b": (3,), "Y": ("n", 3)}
LINE = {**X, "w": (3,), "y": ("n",)}

#: By the text: the shapes, and what is differentiated by.
TEXTS = {
    # One sum over the samples is asked for several times, with factors of its own.
    "mean((X@w + b + 2*c - y)**2)": ({**LINE, "b": (), "c": ()}, "w b c"),
    "sum((X@w + b + 2*c - y)**2)": ({**LINE, "b": (), "c": ()}, "w b c"),
    "mean(exp(x + w))": ({"x": ("n",), "w": ()}, "w"),
    "sum(exp(x + w)) / n + sum(exp(x + w))": ({"x": ("n",), "w": ()}, "w"),
    "sum(tanh(X@(w + 2*v))) / n": ({**X, "w": (3,), "v": (3,)}, "w v"),
    "sum(tanh(X@w - X@v)) / n": ({**X, "w": (3,), "v": (3,)}, "w v"),
    # Layers that share a weight or a bias.
    "sum((tanh(tanh(X@W + b)@W + b) - Y)**2) / n": (SQUARE, "W b"),
    "sum((tanh(tanh(X@W + b)@V + b) - Y)**2) / n": ({**SQUARE, "V": (3, 3)}, "W V b"),
    "sum((tanh(tanh(X@W + b)@W + c) - Y)**2) / n": ({**SQUARE, "c": (3,)}, "W b c"),
    "sum((tanh(tanh(X@W + b)@W.T + b) - Y)**2) / n": (SQUARE, "W b"),
    "sum((tanh(X@W + b)@W.T - X)**2) / n": (LAYER, "W b"),
    "sum((X@W + b)**2)/n + lam*sum(W**2) + sum(abs(b))": ({**LAYER, "lam": ()}, "W b"),
    # Signs and factors before weight @ data + bias.
    "sum(exp(-(X@W + b))) / n": (LAYER, "W b"),
    "sum(exp(b - X@W)) / n": (LAYER, "W b"),
    "sum(exp(-2*(X@W + b + b))) / n": (LAYER, "W b"),
    # Results that are inputs, numbers, zero, or one another.
    "sum(w*c)": ({"w": (3,), "c": (3,)}, "w c"),
    "sum(2*w) + 3": ({"w": (3,)}, "w"),
    "w + v": ({"w": (), "v": ()}, "w v"),
    "sum(3*w + v) / 2": ({"w": (3,), "v": (3,)}, "w v"),
    "sum(where(X@w > 0, 1, 2)) + 0.5": ({**X, "w": (3,)}, "w"),
    # Sizes that are names; samples that meet.
    "sum((X@W + b)**2) / (n*d) + sum(W) / d": (
        {"X": ("n", "d"), "W": ("d", 2), "b": (2,)},
        "W b",
    ),
    "sum((y - w*mean(y))**2) / n * w": ({"y": ("n",), "w": ()}, "w"),
    "sum(softmax(X@W, axis=0) * Y)": ({**LAYER, "Y": ("n", 2)}, "W"),
    "sum(tanh(X@A@X.T)) / n": ({**X, "A": (3, 3)}, "A"),
    # An array meets its own transpose.
    "sum(where(A > A.T, A.T, A) * A)": ({"A": (3, 3)}, "A"),
    "sum(tanh(A + A.T) * A) + trace(A@A)": ({"A": (3, 3)}, "A"),
    # A sum over the samples, and then products that need room of their own.
    "sum(tanh(X.T@X) @ A)": ({**X, "A": (3, 3)}, "A"),
    "sum(tanh(tanh(X.T@X) @ A) @ B)": ({**X, "A": (3, 3), "B": (3, 3)}, "A B"),
}


@pytest.mark.parametrize("samples", [1, 2, 20])
@pytest.mark.parametrize("text", TEXTS)
def test_hard_formulas(text, samples, monkeypatch):
    monkeypatch.setattr(workspace, "chunk_bytes", lambda: 1)
    monkeypatch.setattr(runners, "_STRUCTURES", {})
    monkeypatch.setattr(workspace, "LEAST_CHUNK", 3)  # 20 samples are seven chunks
    shapes, wrt = TEXTS[text]
    function = sg.compile(sg.parse(text, shapes), wrt.split())
    assert not function.plan.obstacle
    assert not wrong_forms(function, arrays_of(function, samples))


IN_C = [
    "mean((X@w + b + 2*c - y)**2)",
    "sum(exp(x + w)) / n + sum(exp(x + w))",
    "sum((tanh(tanh(X@W + b)@W.T + b) - Y)**2) / n",
    "sum(w*c)",
]


@pytest.mark.skipif(not HAS_C, reason="needs a C compiler")
@pytest.mark.parametrize("text", IN_C)
def test_hard_formulas_in_c(text):
    shapes, wrt = TEXTS[text]
    formula = sg.parse(text, shapes)
    function, c = (sg.compile(formula, wrt.split(), backend=name) for name in ("numpy", "c"))
    assert "compiled loop" in str(c.plan)
    assert not wrong_forms(function, arrays_of(function, 5), others={"c": c})


@pytest.mark.skipif(not HAS_C, reason="needs a C compiler")
@pytest.mark.parametrize("wrt", ["X", "W X", "X b Y"])
def test_a_gradient_for_every_sample_in_c(wrt):
    formula = sg.parse("sum((tanh(X@W + b) - Y)**2) / n", {**LAYER, "Y": ("n", 2)})
    function, c = (sg.compile(formula, wrt.split(), backend=name) for name in ("numpy", "c"))
    assert "compiled loop" in str(c.plan)
    for samples in (1, 6):
        assert not wrong_forms(function, arrays_of(function, samples), others={"c": c})


def test_a_view_of_a_sum_over_chunks_is_of_the_whole_sum(monkeypatch):
    monkeypatch.setattr(workspace, "chunk_bytes", lambda: 1)
    monkeypatch.setattr(runners, "_STRUCTURES", {})
    monkeypatch.setattr(workspace, "LEAST_CHUNK", 3)
    n = sp.Symbol("n", integer=True, positive=True)
    recorder = Recorder(last=n)
    data, w = recorder.input("x", (n, 3)), recorder.input("w", (3, 1))
    entry = recorder.entry(recorder.sum(data, 0), 0, 1)
    outputs = {VALUE: entry, "w": recorder.multiply(entry, w)}
    tape = Tape(tuple(recorder.ops), outputs, n)
    space = Workspace(tape, {n: 20}, np.float64, ("w",))
    assert space.pieces > 1
    space.inputs["x"][...] = np.arange(60.0).reshape(20, 3)
    space.inputs["w"][...] = [[1.0], [2.0], [3.0]]
    space.run()
    assert space.number(VALUE)[0].item() == 590.0
    assert space.gradient.tolist() == [590.0, 1180.0, 1770.0]


def test_factors_that_are_squared_again_and_again_run_line_for_line():
    text = "h = A\nfor t in range(40): h = h @ h / 3\nsum(h)"
    function = sg.compile(sg.parse(text, {"A": (3, 3)}))
    assert "factors that grow" in str(function.plan)
    assert function(A=np.ones((3, 3))) == 9.0
    text = "c = 1/3\nfor t in range(60): c = c * c * 3\nc * x"
    assert sg.compile(sg.parse(text, {"x": ()}))(x=3.0) == 1.0


def test_the_sum_of_a_matrix_of_ones_is_read_part_by_part():
    matrix = sp.MatrixSymbol("A", 2, 2)
    formula = sg.sum_entries(sg.broadcast(sg.sum_entries(matrix), 2, 3))
    function = sg.compile(formula, ["A"])
    assert not function.plan.obstacle
    assert not wrong_forms(function, arrays_of(function))
