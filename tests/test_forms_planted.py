"""Test the testers: faults planted into the passes, the memory and the printers are caught.

Each is a slip that the forms of compiled code could have; the check that the tests run over all
formulas, `wrong_forms`, must say no.
"""

from dataclasses import replace

import numpy as np
import pytest
from forms import arrays_of, wrong_forms

import symgrad as sg
from symgrad.backends import affine, flat, memory, runners, straight, workspace
from symgrad.tape import passes, scalars
from symgrad.tape.recorder import Recorder

SHAPES = {"X": ("n", 3), "W": (3, 4), "b": (4,), "V": (4, 2), "c": (2,), "Y": ("n", 2)}
#: A network with weights and biases, a sign before a layer, and a penalty.
TEXT = "sum((1 / (1 + exp(-(X@W + b)))@V + c - Y)**2) / n + 0.1 * sum(W**2)"

#: For few samples the residuals are smaller than the gradients: a factor goes there.
WIDE = "sum((tanh(X@W + b)@V + c - Y)**2) / n"


def caught(samples=20, text=TEXT, shapes=SHAPES):
    """Whether the check finds a difference, or the form does not run at all."""
    wrt = [name for name in shapes if name not in "xXyY"]
    function = sg.compile(sg.parse(text, shapes), wrt)
    try:
        return bool(wrong_forms(function, arrays_of(function, samples)))
    except (AssertionError, ValueError, IndexError, KeyError, TypeError):
        return True


@pytest.fixture(autouse=True)
def _many_chunks(monkeypatch):
    monkeypatch.setattr(workspace, "chunk_bytes", lambda: 1)
    # Equal formulas share their forms: those made without the fault are not taken.
    monkeypatch.setattr(runners, "_STRUCTURES", {})
    monkeypatch.setattr(workspace, "LEAST_CHUNK", 3)


@pytest.mark.parametrize("samples", [1, 3, 20])
def test_nothing_is_caught_where_nothing_is_wrong(samples):
    assert not caught(samples)


def test_a_sign_that_one_member_does_not_get_is_caught(monkeypatch):
    real = passes._members

    def members(*args):
        found = real(*args)
        return found and found[:-1]

    monkeypatch.setattr(passes, "_members", members)
    assert caught()


def test_a_sign_that_is_dropped_is_caught(monkeypatch):
    real = passes._folded
    monkeypatch.setattr(passes, "_folded", lambda tape, signs, skipped: real(tape, {}, skipped))
    assert caught()


def test_a_factor_that_is_taken_off_and_not_put_in_is_caught(monkeypatch):
    real = passes._demands

    def demands(*args):
        return {key: factor for key, factor in real(*args).items() if key[0] == -1}

    monkeypatch.setattr(passes, "_demands", demands)
    assert caught(3, WIDE)


def test_a_factor_that_is_put_in_twice_is_caught(monkeypatch):
    real = passes._demands

    def demands(*args):
        return {key: factor for key, factor in real(*args).items() if key[0] != -1}

    monkeypatch.setattr(passes, "_demands", demands)
    assert caught(3, WIDE)


def test_a_buffer_that_is_free_too_early_is_caught(monkeypatch):
    real = memory.last_uses

    def last_uses(tape, stage):
        found = real(tape, stage)
        return {place: min(last, place + 1) for place, last in found.items()}

    monkeypatch.setattr(memory, "last_uses", last_uses)
    assert caught()


def test_buffers_in_the_order_of_the_tape_are_caught(monkeypatch):
    monkeypatch.setattr(memory, "_TURNS", dict.fromkeys(memory._TURNS, 0))
    assert caught(text="sum(tanh(tanh(X.T@X) @ W) @ V) + sum(b) + sum(c)")


def test_a_product_written_over_its_argument_is_caught(monkeypatch):
    monkeypatch.setattr(memory, "_in_place", lambda op, arg: True)
    assert caught(text="sum(where(X@W > b, X@W, 2*b)) + sum((tanh(V) @ V.T) @ tanh(W).T) + sum(c)")


def test_a_sum_that_two_results_ask_for_may_not_be_multiplied_in_place(monkeypatch):
    monkeypatch.setattr(flat, "shown", lambda tape, place: -1)
    assert caught(text="mean(exp(x + w))", shapes={"x": ("n",), "w": ()})


def test_a_layer_that_forgets_the_ones_is_caught(monkeypatch):
    real = workspace._Group.array

    def array(self, place, number, ones=False, late=False):
        found = real(self, place, number, ones, late)
        return found * np.r_[np.ones(len(found) - 1), 0.0][:, None] if ones else found

    monkeypatch.setattr(workspace._Group, "array", array)
    assert caught()


def test_layers_that_share_a_bias_are_no_layers_of_their_own(monkeypatch):
    monkeypatch.setattr(affine, "_unshared", lambda found: found)
    shapes = {"X": ("n", 3), "W": (3, 4), "V": (3, 4), "b": (4,)}
    assert caught(text="sum(tanh(X@W + b)) + sum(sin(X@V + b))", shapes=shapes)


def test_a_chunk_that_is_left_out_is_caught(monkeypatch):
    real = workspace._Group.chunks

    def chunks(self):
        body, rows = real(self)
        return body, rows[1:]

    monkeypatch.setattr(workspace._Group, "chunks", chunks)
    assert caught()


def test_a_transpose_that_is_lost_is_caught(monkeypatch):
    real = workspace._viewed
    monkeypatch.setattr(workspace, "_viewed", lambda a, view: real(a, "" if view == "T" else view))
    assert caught()


def test_operations_that_are_one_though_their_arguments_differ_are_caught(monkeypatch):
    real = Recorder.node

    def node(self, kind, args=(), shape=(1, 1), data=None):
        return real(self, kind, sorted(args) if kind == "subtract" else args, shape, data)

    monkeypatch.setattr(Recorder, "node", node)
    assert caught()


@pytest.mark.parametrize("kind", ["add", "multiply"])
def test_a_wrong_shortcut_of_scalars_is_caught(monkeypatch, kind):
    monkeypatch.setattr(scalars._Writer, kind, lambda self, left, right: left)
    assert caught(1)


def test_parentheses_that_are_lost_are_caught(monkeypatch):
    monkeypatch.setattr(
        straight.Printer, "within", lambda self, place, level: self._texts[place][0]
    )
    assert caught(1)


@pytest.mark.parametrize("kind", [kind for kind in straight.PYTHON.twice if kind != "square"])
def test_a_wrong_text_of_an_operation_is_caught(monkeypatch, kind):
    texts = {**straight.PYTHON.twice, kind: ("0.5", straight.ATOM)}
    monkeypatch.setattr(straight, "PYTHON", replace(straight.PYTHON, twice=texts))
    names = {"maximum": "maximum(X@W, b)", "minimum": "minimum(X@W, b)", "sign": "abs(X@W + b)"}
    names |= {"step": "relu(X@W + b)", "softplus": "softplus(X@W + b)"}
    assert caught(1, f"sum({names[kind]}) + sum(V) + sum(c)")
