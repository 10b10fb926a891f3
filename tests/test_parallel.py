"""Bound functions over several processes: the same numbers, clean ends, errors that come out."""

import multiprocessing
import os
import pickle
import signal
import subprocess
import sys
import time
from multiprocessing.shared_memory import SharedMemory
from pathlib import Path

import numpy as np
import pytest
import sympy as sp

import symgrad as sg
from symgrad.backends.parallel import ParallelFunction, cores, worker_count
from symgrad.backends.splitting import shares_of, weights

RNG = np.random.default_rng(8)
X, Y = RNG.normal(size=(101, 3)), RNG.normal(size=(101, 2))
NET = sg.Network(3, [sg.Dense(4, activation="tanh"), sg.Dense(2)])


def both(loss, data=None, workers=2, **options):
    """A function of all samples in this process, and the same over several."""
    data = data or {"X": X, "Y": Y}
    alone, spread = (
        sg.compile(loss, "parameters", workers=count, **options) for count in (None, workers)
    )
    return alone.bind(data), spread.bind(data)


def is_there(block):
    """Whether the machine still holds a block of shared memory; others' blocks do not matter."""
    try:
        found = SharedMemory(block)
    except FileNotFoundError:
        return False
    found.close()
    return True


def check_equal(alone, spread, p):
    """Compare by name: the order of a flat vector is the form's, and small parts have others."""
    q = spread.pack(alone.unpack(p))
    (value, gradient), (other, flat) = alone(p), spread(q)
    assert other == pytest.approx(value, rel=1e-13)
    found = spread.unpack(flat)
    for name, part in alone.unpack(gradient).items():
        np.testing.assert_allclose(found[name], part, rtol=1e-11, atol=1e-14)
    assert spread.value(q) == pytest.approx(value, rel=1e-13)


@pytest.mark.parametrize("backend", ["numpy", "c"])
@pytest.mark.parametrize("workers", [2, 3])
def test_results_are_those_of_one_process(backend, workers):
    alone, spread = both(sg.mse(NET) + sg.l2(NET, 0.1), workers=workers, backend=backend)
    assert isinstance(spread, ParallelFunction)
    with spread:
        p = RNG.normal(size=alone.size)
        check_equal(alone, spread, p)
        first = spread(p)[1].copy()
        assert first.tobytes() == spread(p)[1].tobytes()
        for call in (alone, spread):
            call.rebind(X=2 * X, Y=Y[::-1])
        assert not np.array_equal(first, spread(p)[1])
        check_equal(alone, spread, p)
        parts = spread.unpack(spread.pack({n: alone.unpack(p)[n] for n in alone.names}))
        np.testing.assert_array_equal(parts["W1"], alone.unpack(p)["W1"])


@pytest.mark.parametrize("reduce", ["mean", "sum"])
def test_formulas_of_one_sample(reduce):
    """Three samples in two parts: one of them is one sample, in Python's own floats."""
    loss = sg.mse(NET.columns())
    data = {"x": X[:3], "y": Y[:3]}
    alone, spread = both(loss, data, batch=["x", "y"], reduce=reduce)
    with spread:
        check_equal(alone, spread, RNG.normal(size=alone.size))


def test_constants_are_the_same_for_all_parts():
    f = sg.parse(
        "mean((X @ w - y)**2) + lam * sum(w**2)",
        {"X": ("n", 3), "w": (3,), "y": ("n",), "lam": ()}, parameters=["w"],
    )  # fmt: skip
    alone, spread = both(f, {"X": X, "y": Y[:, 0], "lam": 0.3}, workers=3)
    with spread:
        check_equal(alone, spread, np.array([0.3, -0.2, 0.9]))
        for call in (alone, spread):
            call.rebind(lam=2.0)
        check_equal(alone, spread, np.array([0.3, -0.2, 0.9]))


def test_single_precision_stays_so():
    alone, spread = both(sg.mse(NET), dtype="float32")
    with spread:
        p = RNG.normal(size=alone.size).astype(np.float32)
        assert spread(p)[1].dtype == np.float32
        np.testing.assert_allclose(spread(p)[1], alone(p)[1], rtol=1e-4, atol=1e-6)


# --- what can be split -----------------------------------------------------------------------


def test_the_weights_of_parts():
    sizes = {sp.Symbol("n", integer=True, positive=True): 10}
    for loss, wanted in (
        (sg.mse(NET), [0.3, 0.7]),
        (sg.sse(NET), [1.0, 1.0]),
        (sg.mse(NET) + sg.l1(NET, 2), [0.3, 0.7]),
    ):
        plan = sg.compile(loss, "parameters").plan
        found = weights(plan, {plan.axis: 10, **sizes}, [3, 7])
        assert list(found) == ["", "W1", "b1", "W2", "b2"]
        for part in found.values():
            assert part == pytest.approx(wanted)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("sqrt(mean((X @ w - y)**2))", "the value is no sum or mean"),
        ("sum((X @ w - y)**2) + sum(w**2)", "the value is no sum or mean"),
        ("mean((X @ w - y)**2) * mean(X @ w)", "meet each other"),
        ("mean((X @ w - mean(y))**2)", "meet each other"),
        ("mean((X @ w - y / n)**2)", "the value is no sum or mean|meet each other"),
    ],
)
def test_what_is_no_sum_over_samples_stays_in_one_process(text, words):
    f = sg.parse(text, {"X": ("n", 3), "w": (3,), "y": ("n",)}, parameters=["w"])
    spread = sg.compile(f, "parameters", workers=2)
    with pytest.raises(sg.UnsupportedError, match=words):
        shares_of(spread.plan)
    assert "one process: " in str(spread.plan)
    call = spread.bind(X=X, y=Y[:, 0])
    assert not isinstance(call, ParallelFunction)
    assert "in one process: " in call.form.reason
    value, _ = call(np.ones(3))
    assert value == pytest.approx(sg.compile(f)(X=X, y=Y[:, 0], w=np.ones(3)))


def test_the_plan_names_the_workers():
    loss = sg.mse(NET)
    plain = str(sg.compile(loss, "parameters").plan)
    for given, words in ((2, "over 2 processes"), ("auto", "over as many processes as they are")):
        plan = str(sg.compile(loss, "parameters", workers=given).plan)
        assert plan.startswith(plain)
        assert words in plan.removeprefix(plain)


def test_how_many_workers():
    assert worker_count("auto", 10_000, 10**6) == 1
    assert worker_count("auto", 10**9, 10**11) == cores() >= 1
    assert worker_count("auto", 128, 5 * 10**7, wide=True) == 1
    assert worker_count("auto", 4096, 10**12, wide=True) == cores()
    assert worker_count("auto", 1, 10**12, wide=True) == 1
    assert [worker_count(3, n, 100) for n in (2, 100)] == [2, 3]
    call = sg.compile(sg.mse(NET), "parameters", workers="auto").bind(X=X, Y=Y)
    assert "101 samples: work for one process" in call.form.reason
    for wrong in (0, -2, 1.5, True, "all"):
        with pytest.raises(sg.OptionError, match="workers is a whole number of at least 1"):
            sg.compile(sg.mse(NET), "parameters", workers=wrong)


# --- ends and errors -------------------------------------------------------------------------


def test_closing_leaves_nothing_behind():
    before = multiprocessing.active_children()
    _, spread = both(sg.mse(NET), workers=3)
    block = spread._crew.block.name
    assert len(multiprocessing.active_children()) == len(before) + 2
    assert is_there(block)
    with spread:
        pass
    spread.close()
    assert multiprocessing.active_children() == before
    assert not is_there(block)
    with pytest.raises(sg.UnsupportedError, match=r"was closed.*bind the data again"):
        spread(np.zeros(spread.size))
    _, spread = both(sg.mse(NET))
    block = spread._crew.block.name
    del spread
    assert multiprocessing.active_children() == before
    assert not is_there(block)


def test_errors_of_workers_come_out():
    _, spread = both(sg.mse(NET))
    with spread:
        with pytest.raises(sg.ShapeError, match="flat vector"):
            spread(np.zeros(3))
        with pytest.raises(sg.ShapeError, match=r"`X` was bound as .*101.*rebind keeps"):
            spread.rebind(X=X[:4])
        with pytest.raises(sg.OptionError, match="unknown bound input `Z`"):
            spread.rebind(Z=X)
        with pytest.raises(sg.UnsupportedError, match="work for one process"):
            spread.descend(np.zeros(spread.size), 0.1)
        assert np.isfinite(spread(np.zeros(spread.size))[0])


def test_a_worker_that_is_killed_is_told():
    _, spread = both(sg.mse(NET))
    block = spread._crew.block.name
    worker = multiprocessing.active_children()[0]
    os.kill(worker.pid, signal.SIGKILL)
    worker.join()
    with pytest.raises(sg.SymgradError, match="a worker ended before it was told to"):
        spread(np.zeros(spread.size))
    with pytest.raises(sg.UnsupportedError, match="was closed"):
        spread(np.zeros(spread.size))
    assert not is_there(block)


SCRIPT = """
import multiprocessing, signal, sys
import numpy as np
import symgrad as sg

def main():
    # A process started in the background ignores Ctrl-C, so that Python sets no handler.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    multiprocessing.set_start_method(sys.argv[1])
    net = sg.Network(3, [sg.Dense(4, activation="tanh"), sg.Dense(2)])
    data = np.random.default_rng(1)
    X, Y = data.normal(size=(50, 3)), data.normal(size=(50, 2))
    calls = [sg.compile(sg.mse(net), "parameters", workers=k).bind(X=X, Y=Y) for k in (1, 2)]
    p = data.normal(size=calls[0].size)
    print(calls[1].form.reason.rsplit("; ")[-1], np.allclose(calls[0](p)[1], calls[1](p)[1]))
    print(calls[1]._crew.block.name)
    print(multiprocessing.active_children()[0].pid, flush=True)
    while len(sys.argv) > 2:
        calls[1](p)

if __name__ == "__main__":
    main()
"""


def started(tmp_path, *arguments):
    path = tmp_path / "script.py"
    path.write_text(SCRIPT, encoding="utf-8")
    root = str(Path(sg.__file__).parents[1])
    return subprocess.Popen(
        [sys.executable, str(path), *arguments], env={**os.environ, "PYTHONPATH": root},
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip


def test_spawned_workers_and_an_end_without_close(tmp_path):
    said, wrong = started(tmp_path, "spawn").communicate(timeout=60)
    assert said.startswith("2 processes, up to 25 samples each True")
    assert wrong == ""
    assert not is_there(said.split()[-2])


@pytest.mark.skipif(sys.platform != "linux", reason="signals to processes are POSIX")
@pytest.mark.parametrize("sent", [signal.SIGINT, signal.SIGKILL])
def test_no_worker_outlives_its_caller(tmp_path, sent):
    """Ctrl-C in the middle of a call, and an end without a chance to clean up."""
    process = started(tmp_path, "fork", "forever")
    _, block, worker = (process.stdout.readline().strip() for _ in range(3))
    time.sleep(0.2)
    process.send_signal(sent)
    _, wrong = process.communicate(timeout=20)
    deadline = time.monotonic() + 10
    while Path(f"/proc/{worker}").exists() and time.monotonic() < deadline:
        time.sleep(0.02)
    assert not Path(f"/proc/{worker}").exists()
    if sent == signal.SIGINT:
        assert "KeyboardInterrupt" in wrong
        assert "leaked" not in wrong
        assert "ignored" not in wrong
    # The tracker of shared memory outlives a kill by a moment, and cleans up.
    while Path("/dev/shm", block).exists() and time.monotonic() < deadline:
        time.sleep(0.02)
    assert not Path("/dev/shm", block).exists()


def test_training_on_workers_is_training():
    before = multiprocessing.active_children()
    options = {"epochs": 9, "seed": 4, "learning_rate": 0.2}
    for optimizer in ("sgd", "adam"):
        first, second = (
            NET.fit(X, Y, workers=workers, optimizer=optimizer, **options) for workers in (None, 2)
        )
        np.testing.assert_allclose(second.losses, first.losses, rtol=1e-12)
    assert multiprocessing.active_children() == before
    with pytest.raises(sg.OptionError, match="workers is for full batches"):
        NET.fit(X, Y, workers=2, batch_size=5)


def test_training_on_workers_tells_divergence_and_ends_them():
    before = multiprocessing.active_children()
    with pytest.raises(sg.DivergenceError) as first:
        NET.fit(X, Y, workers=2, seed=1, learning_rate=1e3, epochs=300)
    with pytest.raises(sg.DivergenceError) as second:
        NET.fit(X, Y, seed=1, learning_rate=1e3, epochs=300)
    assert first.value.fit.epochs == second.value.fit.epochs
    assert str(first.value).split(" (")[0] == str(second.value).split(" (")[0]
    assert multiprocessing.active_children() == before


def test_compiled_functions_are_pickled_as_formulas():
    function = sg.compile(sg.mse(NET), "parameters", backend="c")
    again = pickle.loads(pickle.dumps(function))
    start = {"W1": np.ones((3, 4)), "b1": np.ones(4), "W2": np.ones((4, 2)), "b2": np.ones(2)}
    first, second = (f(X=X, Y=Y, **start) for f in (function, again))
    assert type(again) is type(function)
    assert first[0] == second[0]
    np.testing.assert_array_equal(first[1]["W1"], second[1]["W1"])
