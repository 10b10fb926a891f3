"""The table of gradients in derivations/identities.py: every row is proved, and computed."""

import sys
from pathlib import Path

import numpy as np
import pytest

import symgrad as sg

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "derivations"))
import identities

ROWS = identities.rows()
SIZES = {"n": 3, "m": 4, "k": 2}
RANDOM = np.random.default_rng(11)


def point(loss):
    """An array for every input, inside of the functions' domains."""
    made = {}
    for name, variable in loss.inputs.items():
        shape = tuple(SIZES.get(size, size) for size in variable.shape)
        made[name] = RANDOM.uniform(0.2, 0.9, size=shape)
        if len(shape) == 2 and shape[0] == shape[1]:
            near = 0.0 if variable.assumptions else 0.1
            made[name] = made[name] @ made[name].T + np.eye(shape[0]) + near * made[name]
    return made


def test_there_are_at_least_150():
    assert len(ROWS) >= 150


@pytest.mark.parametrize("number", ROWS)
def test_the_known_form_is_proved(number):
    _, text, by, known = ROWS[number]
    verdict = sg.verify(identities.loss_of(text), by, known)
    assert verdict.status == "proved", verdict.explain()


@pytest.mark.parametrize("number", ROWS)
def test_compiled_gradients_are_differences(number):
    _, text, by, _ = ROWS[number]
    loss = identities.loss_of(text)
    arrays = point(loss)
    function = sg.compile(loss, wrt=[by])
    value, grads = function(**arrays)
    direction = RANDOM.normal(size=np.shape(arrays[by]))
    if loss.inputs[by].assumptions:  # where the assumption holds
        direction = direction + direction.T
    step = 1e-4

    def along(by_steps):
        return function(**{**arrays, by: arrays[by] + by_steps * step * direction})[0]

    wanted = (8 * (along(1) - along(-1)) - (along(2) - along(-2))) / (12 * step)
    assert np.isfinite(value)
    assert np.isclose(np.sum(grads[by] * direction), wanted, rtol=1e-6, atol=1e-8)


def test_a_wrong_row_would_show():
    _, text, by, known = ROWS[12]
    assert sg.verify(identities.loss_of(text), by, f"2 * ({known})").status == "refuted"
