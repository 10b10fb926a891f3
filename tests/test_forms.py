"""The forms of compiled code: whatever the plan chooses, the numbers are those of the listing."""

import numpy as np
import pytest
from test_tape import NETS, TEXTS, case_of

from symgrad.backends import runners, workspace
from symgrad.backends.plan import VALUE
from symgrad.backends.workspace import Workspace


def agree(found, wanted, tolerance=1e-12):
    assert found.keys() == wanted.keys()
    for name, expected in wanted.items():
        scale = np.max(np.abs(expected)) + 1e-300
        assert np.shape(found[name]) == np.shape(expected), name
        assert np.max(np.abs(found[name] - expected)) <= tolerance * scale, name


def called(function, arrays):
    value, gradients = function(**arrays)
    return {"value": value, **gradients}


@pytest.mark.parametrize("samples", [1, 7, 700])
@pytest.mark.parametrize("name", [*NETS, *TEXTS])
def test_every_form_gives_what_the_listing_gives(name, samples, monkeypatch):
    monkeypatch.setattr(workspace, "chunk_bytes", lambda: 1)  # many chunks
    monkeypatch.setattr(runners, "_STRUCTURES", {})
    case = case_of(name, samples)
    agree(called(case.function, case.arrays), case.wanted)
    agree(called(case.function, case.arrays), case.wanted)


@pytest.mark.parametrize("name", [*NETS, *TEXTS])
def test_both_forms_of_arrays_give_what_the_listing_gives(name):
    case = case_of(name, 6)
    plan = case.function.plan
    assert not plan.obstacle, plan.obstacle
    sizes = dict(case.sizes)
    for tape in [plan.rows] + [plan.columns] * (plan.columns is not None):
        space = Workspace(tape, sizes, np.float64, case.wrt)
        for key, matrix in case.matrices.items():
            space.inputs[key][...] = matrix
        space.run()
        number, factor = space.number(VALUE)
        found = {key: space.printer.entries[key].view(space.gradient) for key in case.wrt}
        agree({"value": number.item() * factor}, {"value": case.wanted["value"]})
        for key, gradient in found.items():
            agree({key: gradient.reshape(np.shape(case.wanted[key]))}, {key: case.wanted[key]})


def test_a_penalty_beside_samples_in_columns_has_fast_forms():
    plan = case_of("penalty columns").function.plan
    assert not plan.obstacle
    assert plan.columns is not None
