"""Arrays that wait for the next call: reused, and within a bound together."""

import gc
import shutil

import numpy as np
import pytest

import symgrad as sg
from symgrad.backends import spaces
from symgrad.backends.spaces import Shelf


@pytest.fixture
def bound(monkeypatch):
    monkeypatch.setattr(spaces, "LARGE", 100)
    monkeypatch.setattr(spaces, "MOST_BYTES", 1000)
    monkeypatch.setattr(spaces, "_LARGE", {})


def test_what_is_put_is_taken_and_no_more_than_threads_need():
    shelf = Shelf(8)
    assert shelf.take() is None
    for k in range(10):
        shelf.put(k)
    assert len(shelf) == spaces.MOST_SPACES
    assert [shelf.take() for _ in range(5)] == [3, 2, 1, 0, None]


@pytest.mark.usefixtures("bound")
def test_large_spaces_stay_within_a_bound_and_those_used_last_stay():
    shelves = [Shelf(400) for _ in range(4)]
    for shelf in shelves[:3]:
        shelf.put("space")
    assert [len(shelf) for shelf in shelves] == [0, 1, 1, 0]
    shelves[1].put(shelves[1].take())
    shelves[3].put("space")
    assert [len(shelf) for shelf in shelves] == [0, 1, 0, 1]


@pytest.mark.usefixtures("bound")
def test_one_space_stays_however_large_and_small_ones_do_not_count():
    small = [Shelf(99) for _ in range(30)]
    for shelf in small:
        shelf.put("space")
    large = Shelf(5000)
    large.put("one")
    large.put("two")
    assert len(large) == 1
    assert all(len(shelf) == 1 for shelf in small)
    shelf = Shelf(300)
    shelf.put("space")
    assert (len(shelf), len(large)) == (1, 0)


@pytest.mark.usefixtures("bound")
def test_shelves_that_are_gone_are_forgotten():
    shelf = Shelf(900)
    shelf.put("space")
    del shelf
    gc.collect()
    other = Shelf(900)
    other.put("space")
    assert len(other) == 1
    assert len(spaces._LARGE) == 1


@pytest.mark.parametrize("backend", ["numpy", "c"])
def test_batches_of_many_sizes_hold_no_more_than_the_bound(backend, monkeypatch):
    if backend == "c" and not any(map(shutil.which, ("cc", "gcc", "clang"))):
        pytest.skip("there is no C compiler")
    monkeypatch.setattr(spaces, "LARGE", 10_000)
    monkeypatch.setattr(spaces, "MOST_BYTES", 300_000)
    monkeypatch.setattr(spaces, "_LARGE", {})
    net = sg.Network(3, [sg.Dense(3, activation="tanh"), sg.Dense(1)])
    f = sg.compile(sg.mse(net), "parameters", backend=backend)
    draw = np.random.default_rng(0)
    start = {name: draw.normal(size=shape) for name, shape in net.parameters.items()}
    data = {n: (draw.normal(size=(n, 3)), draw.normal(size=(n, 1))) for n in range(1000, 1012)}
    first = {n: f(start, X=X, Y=Y) for n, (X, Y) in data.items()}
    held = [found() for found in spaces._LARGE.values()]
    sizes = [shelf.size * len(shelf) for shelf in held if shelf is not None]
    assert 200_000 <= sum(sizes) <= 300_000
    for n, (X, Y) in data.items():
        value, gradients = f(start, X=X, Y=Y)
        assert value == first[n][0]
        for name, gradient in gradients.items():
            np.testing.assert_array_equal(gradient, first[n][1][name])
