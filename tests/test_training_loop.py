"""The training room against numbers that were computed without it.

The objectives here are written by hand in NumPy; the reference numbers of the tanh perceptron and
of the line fit come from independent computations at higher precision.
"""

from __future__ import annotations

import dataclasses
import doctest
import json
import math
import signal
import types
from collections.abc import Mapping

import numpy as np
import pytest

from symgrad import errors
from symgrad.training import initializers, loop, optimizers, samples
from symgrad.training.loop import Objective, descend
from symgrad.training.samples import Standardisation

AGES = [21, 57, 23, 75, 15, 90, 39, 46, 10, 26, 77, 36, 16, 19]
PROBABILITIES = [
    0.16257491909664504, 0.4498912027529245, 0.17450833117876016, 0.531685242634573,
    0.1862944760997236, 0.5723139374289526, 0.33334961096655963, 0.3442800291772686,
    0.1450107473774238, 0.19879042910822511, 0.5717675652170906, 0.3285269754996645,
    0.16914684898481053, 0.12500664046884424,
]  # fmt: skip
START = {"w": 0.3, "b": -0.7}

LINE = {
    "x": [1, 2, 3, 4, 5, 6, 7, 8],
    "y": [0.85, 1.43, 1.92, 2.59, 3.20, 3.82, 4.38, 4.97],
}


def perceptron() -> Objective:
    """Mean over the batch of (tanh(w z + b) - y)^2."""

    def gradients(at, batch):
        a = np.tanh(at["w"] * batch["z"] + at["b"])
        delta = 2 * (a - batch["y"]) * (1 - a**2)
        return {"w": np.mean(delta * batch["z"]), "b": np.mean(delta)}

    def value(at, batch):
        return np.mean((np.tanh(at["w"] * batch["z"] + at["b"]) - batch["y"]) ** 2)

    return _objective(value, gradients)


def line() -> Objective:
    """Half the sum over the batch of (w x + b - y)^2."""

    def residual(at, batch):
        return at["w"] * batch["x"] + at["b"] - batch["y"]

    return _objective(
        lambda at, batch: np.sum(residual(at, batch) ** 2) / 2,
        lambda at, batch: {
            "w": np.sum(residual(at, batch) * batch["x"]),
            "b": np.sum(residual(at, batch)),
        },
    )


def bowl() -> Objective:
    """w^2, without data."""
    return _objective(lambda at, batch: at["w"] ** 2, lambda at, batch: {"w": 2 * at["w"]})


def _objective(value, gradients) -> Objective:
    return Objective(
        value=value,
        value_and_gradients=lambda at, batch: (value(at, batch), gradients(at, batch)),
        gradient_of=lambda name, at, batch: gradients(at, batch)[name],
    )


@pytest.fixture
def ages() -> dict[str, np.ndarray]:
    return {"z": Standardisation.of(AGES).apply(AGES), "y": np.array(PROBABILITIES)}


def numbers(record) -> tuple[float, float]:
    return float(record.parameters["w"]), float(record.parameters["b"])


# --- the tanh perceptron ---------------------------------------------------------------------

FIRST_STEP = {
    "simultaneous": (0.26933442199857033, -0.6579145369906217, 0.7324177295435083),
    "sequential": (0.26933442199857033, -0.6570655838198118, 0.7316627155841994),
}
THREE_SAMPLES = {
    "simultaneous": [
        (0.26933442199857033, -0.6579145369906217),
        (0.3199814493816444, -0.5861643231865269),
        (0.2894357255009872, -0.5390951581382012),
    ],
    "sequential": [
        (0.26933442199857033, -0.6570655838198118),
        (0.3199796465939809, -0.5855801303703325),
        (0.28942237993143805, -0.5379108116617468),
    ],
}
TEN_EPOCHS = {
    "sequential": [
        (0.288283745863274, -0.044578577617424, 0.139237545383),
        (0.197918661943389, 0.223754140649475, 0.010518233873),
        (0.182286774456821, 0.295097981735190, 0.001726236650),
        (0.182442610824511, 0.316207262793599, 0.000976771904),
        (0.184367798550767, 0.323180404171277, 0.000887039848),
        (0.185753712503438, 0.325705607386206, 0.000873392017),
        (0.186531045236061, 0.326695052993488, 0.000871301666),
        (0.186928927212982, 0.327107497363393, 0.000871148213),
        (0.187124079234587, 0.327287113723167, 0.000871254641),
        (0.187217718036249, 0.327367593856949, 0.000871344971),
    ],
    "simultaneous": [
        (0.285174527010321, -0.022666280762738, 0.124485753912),
        (0.198418674788165, 0.238272258567519, 0.008098440085),
        (0.183960784721606, 0.301968494179477, 0.001413674473),
        (0.183822352183146, 0.319351800593335, 0.000927942946),
        (0.185279185165724, 0.324686436423298, 0.000877824268),
        (0.186321652303408, 0.326502026895020, 0.000871440940),
        (0.186893118969147, 0.327180364056631, 0.000870862335),
        (0.187178526038066, 0.327453455013952, 0.000871032828),
        (0.187315235452376, 0.327569314283363, 0.000871202723),
        (0.187379379912228, 0.327620128086459, 0.000871300908),
    ],
}
PER_SAMPLE = {"learning_rate": 0.05, "batch_size": 1, "shuffle": False}
ORDERS = ["simultaneous", "sequential"]


@pytest.mark.parametrize("update", ORDERS)
def test_the_first_step_of_the_perceptron(ages, update):
    first = {name: array[:1] for name, array in ages.items()}
    record = descend(perceptron(), first, START, learning_rate=0.05, epochs=1, update=update)
    w, b, loss = FIRST_STEP[update]
    assert numbers(record) == pytest.approx((w, b), rel=1e-12)
    assert record.losses == pytest.approx([0.7882012807909957, loss], rel=1e-12)


@pytest.mark.parametrize("update", ORDERS)
@pytest.mark.parametrize("count", [1, 2, 3])
def test_the_first_three_samples_of_the_perceptron(ages, update, count):
    part = {name: array[:count] for name, array in ages.items()}
    record = descend(perceptron(), part, START, epochs=1, update=update, **PER_SAMPLE)
    assert numbers(record) == pytest.approx(THREE_SAMPLES[update][count - 1], rel=1e-12)


@pytest.mark.parametrize("update", ORDERS)
def test_ten_epochs_of_the_perceptron(ages, update):
    seen = []
    record = descend(
        perceptron(), ages, START, epochs=10, update=update,
        callback=lambda epoch, loss, at: seen.append((float(at["w"]), float(at["b"]), loss)),
        **PER_SAMPLE,
    )  # fmt: skip
    assert len(seen) == len(TEN_EPOCHS[update]) == 10
    for got, expected in zip(seen, TEN_EPOCHS[update], strict=True):
        # half a unit of the last printed digit, or rtol 1e-12
        assert got[:2] == pytest.approx(expected[:2], rel=1e-12, abs=5e-16)
        assert got[2] == pytest.approx(expected[2], rel=1e-12, abs=5e-13)
    assert record.losses[0] == pytest.approx(0.7771462416487382, rel=1e-12)
    assert record.losses[1:].tolist() == [loss for _, _, loss in seen]
    assert (record.epochs, record.stopped, record.diverged) == (10, "finished", False)


def test_the_final_perceptron_predicts_as_published(ages):
    record = descend(perceptron(), ages, START, epochs=10, update="sequential", **PER_SAMPLE)
    w, b = numbers(record)
    assert (w, b) == pytest.approx((0.1872177180362486, 0.3273675938569492), rel=1e-12)
    z = float(Standardisation.of(AGES).apply(30))
    assert z == pytest.approx(-0.37001764303700047, rel=1e-12)
    assert math.tanh(w * z + b) == pytest.approx(0.25251167609059105, rel=1e-12)


@pytest.mark.parametrize("batch_size", [None, 14])
def test_full_batch_steps_of_the_perceptron(ages, batch_size):
    record = descend(
        perceptron(), ages, START, learning_rate=0.05, epochs=140, batch_size=batch_size,
        shuffle=False,
    )  # fmt: skip
    expected = (0.18501173252032851, 0.3282764515683446)
    assert numbers(record) == pytest.approx(expected, rel=1e-12)
    assert record.losses[-1] == pytest.approx(0.0008669939351240906, rel=1e-12)
    assert len(record.losses) == 141


# --- the line --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("rate", "steps", "w", "b", "loss"),
    [
        (0.01, 1, 0.2517, -0.1284, 16.76593794),
        (0.01, 2, 1.076156, 0.02286, 20.418412646432),
        (0.01, 10, 1.592992750775303, 0.14918558270855214, 99.20011171338527),
        (0.001, 1, 0.92517, -0.01284, 8.6118063294),
        (0.001, 10, 0.6773966930480585, -0.0527179381993181, 0.1912994144408095),
        (0.001, 100, 0.6372474224786283, -0.021096858536547573, 0.05354921828611519),
        (0.001, 1000, 0.6042993412483887, 0.16414738106688623, 0.0076925201403763915),
        (0.005, 100, 0.616784420105698, 0.0939524302724808, 0.01841676476800717),
    ],
)
def test_the_line_fit(rate, steps, w, b, loss):
    record = descend(line(), LINE, {"w": 1, "b": 0}, learning_rate=rate, epochs=steps)
    # the loss cancels: its error is relative to the squares that it is the difference of
    assert numbers(record) == pytest.approx((w, b), rel=1e-12, abs=1e-13)
    assert record.losses[-1] == pytest.approx(loss, rel=1e-11)
    assert record.losses[0] == pytest.approx(13.7698, rel=1e-12)


# --- batches and determinism -----------------------------------------------------------------


def test_mini_batches_are_visited_in_file_order_and_the_last_may_be_smaller():
    data = {"x": np.arange(7.0), "y": np.arange(7.0)}
    seen = []
    base = line()

    def spy(at, batch):
        seen.append(batch["x"].tolist())
        return base.value_and_gradients(at, batch)

    spying = dataclasses.replace(base, value_and_gradients=spy)
    descend(
        spying, data, {"w": 0, "b": 0}, learning_rate=1e-3, epochs=2, batch_size=3, shuffle=False
    )
    assert seen == [[0, 1, 2], [3, 4, 5], [6]] * 2


def test_shuffled_batches_pair_samples_and_visit_each_once_per_epoch():
    data = {"x": np.arange(7.0), "y": 10 * np.arange(7.0)}
    seen = []
    base = line()

    def spy(at, batch):
        assert (batch["y"] == 10 * batch["x"]).all()
        seen.extend(batch["x"].tolist())
        return base.value_and_gradients(at, batch)

    spying = dataclasses.replace(base, value_and_gradients=spy)
    options = {"learning_rate": 1e-3, "epochs": 2, "batch_size": 3}
    descend(spying, data, {"w": 0, "b": 0}, rng=np.random.default_rng(3), **options)
    first, second = seen[:7], seen[7:]
    assert sorted(first) == sorted(second) == list(range(7))
    assert first != second
    assert first != sorted(first)


@pytest.mark.parametrize("update", ORDERS)
def test_the_same_seed_gives_the_same_run_and_another_seed_another(ages, update):
    def run(seed):
        return descend(
            perceptron(), ages, START, learning_rate=0.05, epochs=3, batch_size=4,
            rng=np.random.default_rng(seed), update=update,
        )  # fmt: skip

    assert run(1).losses.tolist() == run(1).losses.tolist()
    assert numbers(run(1)) == numbers(run(1))
    assert run(1).losses.tolist() != run(2).losses.tolist()


def test_a_full_batch_draws_nothing_from_the_generator(ages):
    rng = np.random.default_rng(0)
    before = rng.bit_generator.state
    descend(perceptron(), ages, START, learning_rate=0.05, epochs=3, rng=rng)
    assert rng.bit_generator.state == before


def test_no_epochs_only_evaluate_the_start(ages):
    record = descend(perceptron(), ages, START, learning_rate=0.05, epochs=0)
    assert numbers(record) == (0.3, -0.7)
    assert record.losses == pytest.approx([0.7771462416487382], rel=1e-12)
    assert (record.epochs, record.stopped) == (0, "finished")


@pytest.mark.parametrize("update", ORDERS)
def test_a_loss_without_data(update):
    record = descend(bowl(), {}, {"w": 1}, learning_rate=0.25, epochs=3, update=update)
    assert record.losses.tolist() == [1, 0.25, 0.0625, 0.015625]


def test_inputs_are_not_changed_and_not_aliased(ages):
    start = {"w": np.array(0.3), "b": np.array(-0.7)}
    given = {name: array.copy() for name, array in ages.items()}
    for epochs in (0, 2):
        record = descend(perceptron(), given, start, epochs=epochs, **PER_SAMPLE)
        record.parameters["w"][...] = 99
    assert (start["w"], start["b"]) == (0.3, -0.7)
    assert all((given[name] == ages[name]).all() for name in ages)


def test_array_parameters_keep_their_shapes():
    target = np.arange(6.0).reshape(3, 2)
    objective = _objective(
        lambda at, batch: np.sum((at["W"] - target) ** 2) + np.sum(at["b"] ** 2),
        lambda at, batch: {"W": 2 * (at["W"] - target), "b": 2 * at["b"]},
    )
    start = {"W": np.zeros((3, 2), dtype=int), "b": [1, 1]}
    for name in optimizers.OPTIMIZERS:
        record = descend(objective, {}, start, learning_rate=0.1, epochs=5, optimizer=name)
        assert {key: value.shape for key, value in record.parameters.items()} == {
            "W": (3, 2),
            "b": (2,),
        }
        assert record.losses[-1] < record.losses[0]


def test_an_objective_may_reuse_its_buffers():
    buffer = {"w": np.zeros(2)}

    def gradients(at, batch):
        np.multiply(at["w"], 2, out=buffer["w"])
        return buffer

    reusing = _objective(lambda at, batch: np.sum(at["w"] ** 2), gradients)
    fresh = _objective(lambda at, batch: np.sum(at["w"] ** 2), lambda at, batch: {"w": 2 * at["w"]})
    for name in optimizers.OPTIMIZERS:
        for update in ORDERS:
            options = {"learning_rate": 0.1, "epochs": 4, "optimizer": name, "update": update}
            one = descend(reusing, {}, {"w": [1.0, -2.0]}, **options)
            two = descend(fresh, {}, {"w": [1.0, -2.0]}, **options)
            assert one.losses.tolist() == two.losses.tolist()


def test_every_optimizer_keeps_its_state_in_both_orders():
    """On a loss without interaction between parameters both orders are the same run."""
    separate = _objective(
        lambda at, batch: at["u"] ** 2 + 3 * at["v"] ** 2,
        lambda at, batch: {"u": 2 * at["u"], "v": 6 * at["v"]},
    )
    for name in optimizers.OPTIMIZERS:
        one, two = (
            descend(
                separate, {}, {"u": 1.0, "v": -2.0}, learning_rate=0.05, epochs=8,
                optimizer=name, update=update,
            )
            for update in ORDERS
        )  # fmt: skip
        assert one.losses.tolist() == two.losses.tolist()


def test_momentum_in_the_loop_follows_its_law():
    w, v, losses = 1.0, 0.0, [1.0]
    for _ in range(6):
        v = 0.9 * v + 2 * w
        w = w - 0.1 * v
        losses.append(w**2)
    record = descend(bowl(), {}, {"w": 1.0}, learning_rate=0.1, epochs=6, optimizer="momentum")
    assert record.losses == pytest.approx(losses, rel=1e-12)


def test_a_schedule_is_asked_with_the_epoch_from_1():
    asked = []

    def schedule(epoch):
        asked.append(epoch)
        return [0.25, 0.5, 0.0][epoch - 1]

    record = descend(bowl(), {}, {"w": 1.0}, learning_rate=schedule, epochs=3)
    assert asked == [1, 2, 3]
    assert record.losses.tolist() == [1, 0.25, 0, 0]


# --- stops -----------------------------------------------------------------------------------


@pytest.mark.parametrize("update", ORDERS)
@pytest.mark.filterwarnings("error")
def test_divergence_keeps_the_last_good_parameters(update):
    good = {}

    def remember(epoch, loss, parameters):
        good.update(parameters, epoch=epoch, loss=loss)

    record = descend(
        line(), LINE, {"w": 1, "b": 0}, learning_rate=0.02, epochs=2000, update=update,
        callback=remember,
    )  # fmt: skip
    assert record.diverged
    assert 0 < record.epochs < 2000
    assert record.stopped.startswith(f"diverged in epoch {record.epochs + 1}: ")
    assert "is not finite (" in record.stopped
    assert len(record.losses) == record.epochs + 1
    assert np.isfinite(record.losses).all()
    assert (record.parameters["w"], record.parameters["b"]) == (good["w"], good["b"])
    assert (record.epochs, record.losses[-1]) == (good["epoch"], good["loss"])


def test_slow_divergence_is_not_called_before_numbers_overflow():
    """At rate 0.01 the loss grows by about 1.22 per epoch: finite after 2000, not after 4000."""
    options = {"learning_rate": 0.01}
    assert not descend(line(), LINE, {"w": 1, "b": 0}, epochs=2000, **options).diverged
    record = descend(line(), LINE, {"w": 1, "b": 0}, epochs=4000, **options)
    assert record.diverged
    assert 3000 < record.epochs < 4000


@pytest.mark.parametrize(
    ("gradient", "named"),
    [
        (np.nan, "diverged in epoch 3: the gradient of `w` is not finite (nan)"),
        (np.inf, "diverged in epoch 3: the gradient of `w` is not finite (inf)"),
        (-1e308, "diverged in epoch 3: `w` is not finite (inf)"),
    ],
)
@pytest.mark.parametrize("update", ORDERS)
def test_a_bad_gradient_is_named_with_its_epoch(gradient, named, update):
    calls = []

    def gradients(at, batch):
        calls.append(1)
        return {"w": np.float64(gradient if len(calls) == 3 else 0.1)}

    objective = _objective(lambda at, batch: 1.0, gradients)
    record = descend(objective, {}, {"w": 1.0}, learning_rate=10.0, epochs=9, update=update)
    assert record.stopped == named
    assert (record.epochs, float(record.parameters["w"])) == (2, -1.0)


def test_the_place_in_an_array_is_named():
    gradient = np.array([[0.0, 0.0], [0.0, np.inf]])
    objective = _objective(lambda at, batch: 0.0, lambda at, batch: {"W": gradient})
    record = descend(objective, {}, {"W": np.ones((2, 2))}, learning_rate=1.0, epochs=1)
    assert record.stopped == (
        "diverged in epoch 1: the gradient of `W` is not finite (inf at [1, 1])"
    )
    assert record.parameters["W"].tolist() == [[1, 1], [1, 1]]


def test_a_divergence_within_an_epoch_returns_to_the_epoch_before():
    """The first batch of epoch 2 still moves; the record must not show it."""
    data = {"x": np.array([1.0, 2.0])}
    steps = []

    def gradients(at, batch):
        steps.append(1)
        return {"w": np.float64(np.nan if len(steps) == 4 else 1.0)}

    objective = _objective(lambda at, batch: at["w"], gradients)
    record = descend(
        objective, data, {"w": 0.0}, learning_rate=1.0, epochs=5, batch_size=1, shuffle=False
    )
    assert (record.epochs, float(record.parameters["w"])) == (1, -2.0)
    assert record.losses.tolist() == [0, -2]


def test_a_batch_whose_loss_is_not_finite_stops_the_run_before_it_moves():
    base = bowl()
    broken = dataclasses.replace(
        base, value_and_gradients=lambda at, batch: (np.inf, {"w": np.float64(1.0)})
    )
    record = descend(broken, {}, {"w": 3.0}, learning_rate=0.1, epochs=2)
    assert record.stopped == "diverged in epoch 1: the loss is not finite (inf)"
    assert (record.epochs, float(record.parameters["w"])) == (0, 3.0)


@pytest.mark.filterwarnings("error")
def test_a_loss_that_is_not_finite_after_an_epoch_is_not_kept():
    objective = _objective(lambda at, batch: np.log(at["w"]), lambda at, batch: {"w": 1 / at["w"]})
    record = descend(objective, {}, {"w": 1.0}, learning_rate=0.6, epochs=5)
    # w: 1, 0.4, then 0.4 - 1.5 < 0, where log is nan
    assert record.stopped == "diverged in epoch 2: the loss is not finite (nan)"
    assert record.losses == pytest.approx([0, math.log(0.4)])
    assert float(record.parameters["w"]) == pytest.approx(0.4)


@pytest.mark.filterwarnings("error")
def test_a_start_whose_loss_is_not_finite_is_kept_and_named():
    objective = _objective(lambda at, batch: np.log(at["w"]), lambda at, batch: {"w": 1.0})
    record = descend(objective, {}, {"w": -1.0}, learning_rate=0.1, epochs=5)
    assert record.stopped == "diverged at the start: the loss is not finite (nan)"
    assert (record.epochs, float(record.parameters["w"])) == (0, -1.0)
    assert record.diverged
    assert np.isnan(record.losses).tolist() == [True]


@pytest.mark.parametrize("faulty", ["value", "gradients"])
def test_overflow_in_plain_python_is_divergence_too(faulty):
    def exploding(at):
        return float(at["w"]) ** 2 if at["w"] < 100 else math.exp(1e3)

    def value(at, batch):
        return exploding(at) if faulty == "value" else 1.0

    def gradients(at, batch):
        return {"w": np.float64(-exploding(at) if faulty == "gradients" else -50.0)}

    record = descend(_objective(value, gradients), {}, {"w": 2.0}, learning_rate=1.0, epochs=50)
    assert record.diverged
    assert "too large" in record.stopped
    assert math.isfinite(record.parameters["w"])


def test_the_callers_numpy_settings_are_left_alone():
    before = np.geterr()
    with np.errstate(all="raise"):
        record = descend(line(), LINE, {"w": 1, "b": 0}, learning_rate=0.02, epochs=2000)
        assert record.diverged
    assert np.geterr() == before


@pytest.mark.parametrize("at_call", [3, 4])
def test_an_interrupt_keeps_the_last_complete_epoch(ages, at_call):
    """Two batches per epoch: call 3 and 4 are the first and second batch of epoch 2."""
    base = perceptron()
    calls = []

    def interrupting(at, batch):
        calls.append(1)
        if len(calls) == at_call:
            raise KeyboardInterrupt
        return base.value_and_gradients(at, batch)

    options = {"learning_rate": 0.05, "batch_size": 7, "shuffle": False}
    objective = dataclasses.replace(base, value_and_gradients=interrupting)
    record = descend(objective, ages, START, epochs=5, **options)
    whole = descend(base, ages, START, epochs=1, **options)
    assert (record.stopped, record.epochs) == ("interrupted", 1)
    assert numbers(record) == numbers(whole)
    assert record.losses.tolist() == whole.losses.tolist()


def test_an_interrupt_by_signal_in_the_callback(ages):
    def press(epoch, loss, parameters):
        if epoch == 4:
            signal.raise_signal(signal.SIGINT)

    # A process started in the background ignores the signal, so that Python sets no handler.
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        record = descend(perceptron(), ages, START, learning_rate=0.05, epochs=9, callback=press)
    finally:
        signal.signal(signal.SIGINT, before)
    assert (record.stopped, record.epochs, len(record.losses)) == ("interrupted", 4, 5)


def test_a_callback_may_stop_the_run(ages):
    def stop_iteration(epoch, loss, parameters):
        if epoch == 3:
            raise StopIteration

    for callback in (lambda epoch, *_: epoch == 3, lambda e, *_: np.bool_(e == 3), stop_iteration):
        record = descend(perceptron(), ages, START, learning_rate=0.05, epochs=9, callback=callback)
        assert (record.stopped, record.epochs, len(record.losses)) == ("callback", 3, 4)


def test_a_callback_that_returns_a_number_does_not_stop_the_run(ages):
    record = descend(
        perceptron(), ages, START, learning_rate=0.05, epochs=3, callback=lambda *given: given[1]
    )
    assert record.stopped == "finished"


def test_a_callback_cannot_corrupt_the_run(ages):
    def corrupt(epoch, loss, parameters):
        parameters["w"][...] = 99
        parameters.clear()

    options = {"learning_rate": 0.05, "epochs": 4}
    clean = descend(perceptron(), ages, START, **options)
    record = descend(perceptron(), ages, START, callback=corrupt, **options)
    assert record.losses.tolist() == clean.losses.tolist()
    assert numbers(record) == numbers(clean)


@pytest.mark.filterwarnings("error")
def test_the_callback_runs_under_the_callers_numpy_settings(ages):
    def divide(epoch, loss, parameters):
        with pytest.raises(RuntimeWarning):
            np.float64(1) / np.float64(0)

    descend(perceptron(), ages, START, learning_rate=0.05, epochs=1, callback=divide)


def test_other_errors_of_a_callback_come_through(ages):
    def fail(epoch, loss, parameters):
        raise LookupError("mine")

    with pytest.raises(LookupError, match="mine"):
        descend(perceptron(), ages, START, learning_rate=0.05, epochs=1, callback=fail)


# --- what is refused, and in which words -----------------------------------------------------


@pytest.mark.parametrize(
    ("changed", "error", "words"),
    [
        ({"epochs": 2.0}, "OptionError", "`epochs` must be a whole number of at least 0; got 2.0"),
        ({"epochs": -1}, "OptionError", "`epochs` must be .* at least 0; got -1"),
        ({"epochs": True}, "OptionError", "`epochs` must be .* got True"),
        ({"epochs": "ten"}, "OptionError", "`epochs` must be .* got 'ten'"),
        ({"learning_rate": 0}, "OptionError", "`learning_rate` must be positive; at 0"),
        ({"learning_rate": -0.1}, "OptionError", "must be a positive finite number.*got -0.1"),
        ({"learning_rate": math.nan}, "OptionError", "must be a positive finite number.*got nan"),
        ({"learning_rate": math.inf}, "OptionError", "must be a positive finite number.*got inf"),
        ({"learning_rate": "0.1"}, "OptionError", "a function of the epoch; got '0.1'"),
        ({"learning_rate": True}, "OptionError", "`learning_rate` must be .* got True"),
        ({"learning_rate": lambda epoch: -1.0}, "OptionError", "at least 0 in epoch 1; got -1.0"),
        ({"learning_rate": lambda epoch: None}, "OptionError", "in epoch 1; got None"),
        ({"batch_size": 0}, "OptionError", "`batch_size` .* from 1 to 14; got 0; there are 14"),
        ({"batch_size": 15}, "OptionError", "from 1 to 14; got 15; .* None takes all of them"),
        ({"batch_size": 2.0}, "OptionError", "`batch_size` must be a whole number.*got 2.0"),
        ({"batch_size": True}, "OptionError", "`batch_size` must be a whole number.*got True"),
        ({"batch_size": 2}, "OptionError", "`shuffle=True` draws .*default_rng.*; got None"),
        ({"batch_size": 2, "rng": 7}, "OptionError", "`rng`, which must be a generator.*got 7"),
        ({"shuffle": "no"}, "OptionError", "`shuffle` must be True or False; got 'no'"),
        ({"update": "sequentially"}, "OptionError", "update.*sequentially.*`sequential`"),
        ({"update": None}, "OptionError", "update.*None.*simultaneous"),
        ({"optimizer": "adma"}, "OptionError", "optimizer.*adma.*adam"),
        ({"optimizer": 3}, "OptionError", "one of `adam`, `momentum`, `sgd`, or.*got 3"),
        ({"optimizer": optimizers.Adam}, "OptionError", r"Adam\(beta1=0.8\); got <class"),
        ({"callback": "print"}, "OptionError", "`callback` must be None or a function of"),
        ({"start": {}}, "DataError", "no parameters to train"),
        ({"start": {"w": math.nan, "b": 0}}, "DataError", "`w` has 1 value that is NaN"),
        ({"start": {"w": "0.3", "b": 0}}, "DataError", "`w` must hold real numbers"),
        ({"start": {"w": 1, "b": 0, "z": 0}}, "DataError", "`z` is in both `start` and `data`"),
        ({"start": {"w": 1, "b": 0, "c": 0}}, "DataError", "no gradient .*`c`; given: `w`, `b`"),
        ({"start": {"w": [1], "b": 0}}, "ShapeError", r"`w` has shape \(\), .* itself \(1,\)"),
        ({"data": {"z": [1, 2], "y": [1]}}, "DataError", "`z` has 2, `y` has 1"),
        ({"data": {"z": [], "y": []}}, "DataError", r"`z` has no samples: its shape is \(0,\)"),
        ({"data": {"z": 1.0, "y": [1.0]}}, "DataError", "`z` is a single number"),
        ({"data": {"z": [1, math.nan], "y": [1, 2]}}, "DataError", r"`z` has 1 .*nan at \[1\]"),
        ({"data": {}, "batch_size": 1}, "OptionError", "no data to take batches of; got 1"),
    ],
)  # fmt: skip
def test_what_descend_refuses(ages, changed, error, words):
    given = {"data": ages, "start": START, "learning_rate": 0.05, "epochs": 1} | changed
    with pytest.raises(getattr(errors, error), match=words):
        descend(perceptron(), given.pop("data"), given.pop("start"), **given)


def test_a_loss_that_is_not_one_number_is_refused():
    objective = _objective(lambda at, batch: np.ones((1, 1)), lambda at, batch: {"w": 1.0})
    with pytest.raises(errors.ShapeError, match=r"single number; .* shape \(1, 1\)"):
        descend(objective, {}, {"w": 1.0}, learning_rate=1.0, epochs=1)


# --- optimizers ------------------------------------------------------------------------------


def walk_optimizers(registry: Mapping[str, optimizers.OptimizerEntry]) -> list[str]:
    """What is wrong with the entries, by their own laws and examples."""
    return [fault for name, entry in registry.items() for fault in _optimizer_faults(name, entry)]


def _optimizer_faults(name: str, entry: optimizers.OptimizerEntry) -> list[str]:
    if entry.example is None or not entry.example.gradients:
        return [f"{name}: no example"]
    if not entry.law or "\n" in entry.law:
        return [f"{name}: no law of one line"]
    got = _run_by_steps(entry.make(), entry.example)
    close = np.allclose(got, entry.example.expected, rtol=1e-12, atol=0)
    same = optimizers.optimizer(name) == entry.make()
    return [f"{name}: {got}"] * (not close) + [f"{name}: another default"] * (not same)


def _run_by_steps(chosen: optimizers.Optimizer, example: optimizers.Example) -> list[float]:
    assert len(example.gradients) == len(example.expected)
    at = {"w": example.start, "V": np.full((2, 3), example.start)}
    state, got = chosen.init(at), []
    for gradient in example.gradients:
        gradients = {"w": gradient, "V": np.full((2, 3), gradient)}
        at, state = chosen.step(at, gradients, state, example.learning_rate)
        assert (at["V"] == at["w"]).all()
        got.append(float(at["w"]))
    return got


def test_every_optimizer_follows_its_law():
    assert walk_optimizers(optimizers.OPTIMIZERS) == []
    assert set(optimizers.OPTIMIZERS) >= {"sgd", "momentum", "adam"}


@pytest.mark.parametrize(
    ("name", "planted"),
    [
        ("sgd", {"make": optimizers.Momentum}),
        ("momentum", {"make": lambda: optimizers.Momentum(0.8)}),
        ("momentum", {"make": optimizers.Sgd}),
        ("adam", {"make": lambda: optimizers.Adam(epsilon=1e-7)}),
        ("adam", {"make": lambda: optimizers.Adam(beta2=0.99)}),
        ("adam", {"example": None}),
        ("sgd", {"law": ""}),
    ],
)
def test_a_planted_fault_in_an_optimizer_is_caught(name, planted):
    entry = dataclasses.replace(optimizers.OPTIMIZERS[name], **planted)
    assert walk_optimizers({**optimizers.OPTIMIZERS, name: entry}) != []


class Ascent(optimizers.Sgd):
    """A wrong rule: uphill."""

    def move(self, parameter, gradient, memory, rate):
        return parameter + rate * gradient, memory


class Biased(optimizers.Adam):
    """A wrong rule: the bias towards the zero start is left in."""

    def move(self, parameter, gradient, memory, rate):
        mean = self.beta1 * memory[0] + (1 - self.beta1) * gradient
        square = self.beta2 * memory[1] + (1 - self.beta2) * gradient**2
        return parameter - rate * mean / (np.sqrt(square) + self.epsilon), (mean, square, memory[2])


@pytest.mark.parametrize(("name", "wrong"), [("sgd", Ascent), ("adam", Biased)])
def test_a_wrong_rule_is_caught(name, wrong):
    entry = dataclasses.replace(optimizers.OPTIMIZERS[name], make=wrong)
    assert walk_optimizers({name: entry}) != []


def test_sgd_is_exactly_the_formula_in_float64():
    rng = np.random.default_rng(5)
    for w, g, rate in rng.normal(size=(50, 3)):
        moved, _ = optimizers.Sgd().step({"w": w}, {"w": g}, {"w": ()}, rate)
        assert moved["w"] == w - rate * g
        assert isinstance(moved["w"], np.ndarray)


def test_a_step_is_pure():
    for name in optimizers.OPTIMIZERS:
        chosen = optimizers.optimizer(name)
        at, gradients = {"w": np.array([1.0, 2.0])}, {"w": np.array([0.5, -0.5])}
        _, state = chosen.step(at, gradients, chosen.init(at), 0.1)
        kept = [array.copy() for array in state["w"]]
        once, _ = chosen.step(at, gradients, state, 0.1)
        again, _ = chosen.step(at, gradients, state, 0.1)
        assert once["w"].tolist() == again["w"].tolist()
        assert at["w"].tolist() == [1, 2]
        assert all((a == b).all() for a, b in zip(kept, state["w"], strict=True))


def test_optimizers_are_frozen_and_found_by_name_or_instance():
    mine = optimizers.Adam(beta1=0.8)
    assert optimizers.optimizer(mine) is mine
    assert optimizers.optimizer("adam") == optimizers.Adam()
    with pytest.raises(dataclasses.FrozenInstanceError):
        mine.beta1 = 0.5
    with pytest.raises(TypeError):
        optimizers.OPTIMIZERS["mine"] = mine


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: optimizers.Momentum(1.0), "`coefficient` must be .* 0 to below 1; got 1.0"),
        (lambda: optimizers.Momentum(math.nan), "`coefficient` .* got nan"),
        (lambda: optimizers.Adam(beta1=-0.1), "`beta1` .* got -0.1"),
        (lambda: optimizers.Adam(beta2=1), "`beta2` .* got 1"),
        (lambda: optimizers.Adam(epsilon=0), "`epsilon` must be a positive .* got 0"),
    ],
)
def test_options_of_optimizers_are_checked(make, words):
    with pytest.raises(errors.OptionError, match=words):
        make()


# --- initializers ----------------------------------------------------------------------------


def walk_initializers(registry: Mapping[str, initializers.Initializer]) -> list[str]:
    """What is wrong with the entries, by 40,000 draws each."""
    return [fault for name, entry in registry.items() for fault in _initializer_faults(name, entry)]


def _initializer_faults(name: str, entry: initializers.Initializer) -> list[str]:
    expected = entry.example
    if expected is None:
        return [f"{name}: no example"]
    if entry.name != name or not entry.law:
        return [f"{name}: no law, or another name"]
    fans = expected.fan_in, expected.fan_out
    drawn = entry((200, 200), *fans, np.random.default_rng(11))
    # the error of a variance over N draws is about sqrt(2 / N) of it, 0.7 %; of a mean sigma / 200
    spread = math.sqrt(expected.variance)
    fine = {
        "bound": np.abs(drawn).max() <= expected.bound,
        "reach": np.isinf(expected.bound) or np.abs(drawn).max() >= 0.99 * expected.bound,
        "mean": abs(drawn.mean()) <= 4 * spread / 200,
        "variance": abs(drawn.var() - expected.variance) <= 0.03 * expected.variance,
        "shape": drawn.shape == (200, 200) and drawn.dtype == np.float64,
    }
    return [f"{name}: {what}" for what, holds in fine.items() if not holds]


def test_every_initializer_follows_its_law():
    assert walk_initializers(initializers.INITIALIZERS) == []
    assert set(initializers.INITIALIZERS) >= {"glorot_uniform", "he_normal", "uniform", "zeros"}


def _swapped_fans(shape, fan_in, fan_out, rng):
    return initializers.INITIALIZERS["he_normal"].draw(shape, fan_out, fan_in, rng)


@pytest.mark.parametrize(
    ("name", "planted"),
    [
        ("he_normal", {"draw": _swapped_fans}),
        ("glorot_uniform", {"draw": initializers.INITIALIZERS["he_normal"].draw}),
        ("uniform", {"draw": initializers.INITIALIZERS["glorot_uniform"].draw}),
        ("zeros", {"draw": initializers.INITIALIZERS["uniform"].draw}),
        ("uniform", {"draw": lambda shape, fan_in, fan_out, rng: rng.uniform(0, 0.25, shape)}),
        ("uniform", {"example": None}),
        ("uniform", {"law": ""}),
    ],
)
def test_a_planted_fault_in_an_initializer_is_caught(name, planted):
    entry = dataclasses.replace(initializers.INITIALIZERS[name], **planted)
    assert walk_initializers({**initializers.INITIALIZERS, name: entry}) != []


def test_initializers_follow_the_generator():
    draw = initializers.initializer("glorot_uniform")
    one, two, three = (draw((3, 2), 3, 2, np.random.default_rng(seed)) for seed in (0, 0, 1))
    assert one.tolist() == two.tolist() != three.tolist()
    assert draw((), 1, 1, np.random.default_rng(0)).shape == ()


def test_initializers_are_found_by_name_or_instance():
    mine = initializers.Initializer("mine", "1", lambda shape, *_: np.ones(shape))
    assert initializers.initializer(mine) is mine
    with pytest.raises(errors.OptionError, match=r"he_norm.*he_normal"):
        initializers.initializer("he_norm")
    with pytest.raises(errors.OptionError, match=r"one of `glorot_uniform`, .*got 0"):
        initializers.initializer(0)
    with pytest.raises(errors.OptionError, match=r"`fan_in` must be .* at least 1; got 0"):
        mine((2,), 0, 1, np.random.default_rng(0))


# --- samples ---------------------------------------------------------------------------------


class Frame:
    """Stands for a data frame: known to NumPy by its `__array__` alone."""

    def __init__(self, values):
        self.values = values

    def __array__(self, dtype=None, copy=None):
        return np.asarray(self.values, dtype=dtype)


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (3, 3.0),
        (np.float32(0.5), 0.5),
        ([True, False], [1.0, 0.0]),
        ([[1, 2], [3, 4]], [[1.0, 2.0], [3.0, 4.0]]),
        (range(3), [0.0, 1.0, 2.0]),
        (np.arange(3, dtype=np.uint8), [0.0, 1.0, 2.0]),
        (Frame([[1, 2]]), [[1.0, 2.0]]),
        (np.ma.array([1.0, 2.0]), [1.0, 2.0]),
    ],
)
def test_what_is_read_as_an_array(given, expected):
    array = samples.check_array("X", given)
    assert array.dtype == np.float64
    assert array.tolist() == expected


def test_a_float64_array_is_not_copied():
    given = np.ones(3)
    assert samples.check_array("X", given) is given


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ([], r"`X` has no samples: its shape is \(0,\)"),
        (np.ones((0, 3)), r"`X` has no samples: its shape is \(0, 3\)"),
        (["1", "2"], "`X` must hold real numbers, but holds text, such as '1'"),
        ("abc", "holds text, such as 'abc'"),
        ([1, None], r"holds an object of type NoneType at \[1\]"),
        ({"a": 1}, "holds an object of type dict$"),
        (np.array([1.0, 2.0], dtype=object), "holds numbers as Python objects; convert"),
        ([1 + 2j], "holds complex ones"),
        (np.array(["2020-01-01"], dtype="M8[D]"), "holds values of dtype datetime64"),
        ([[1, 2], [3]], "`X` cannot be read as an array of numbers with rows of one length"),
        (math.nan, "`X` has 1 value that is NaN or infinite, the first is nan; remove"),
        ([1, -math.inf, 2, math.nan], r"2 values that are NaN or .*, the first is -inf at \[1\];"),
        ([[1, 2], [3, math.nan]], r"the first is nan at \[1, 1\]"),
        (np.ma.array([1.0, 2.0], mask=[False, True]), "`X` has masked values"),
    ],
)
def test_what_is_not_read_as_an_array(given, words):
    with pytest.raises(errors.DataError, match=words):
        samples.check_array("X", given)


def test_count_samples():
    assert samples.count_samples({"X": np.ones((5, 2)), "y": np.ones(5)}) == 5
    with pytest.raises(errors.DataError, match="`X` has 5, `y` has 4"):
        samples.count_samples({"X": np.ones((5, 2)), "y": np.ones(4)})
    with pytest.raises(errors.DataError, match="no arrays were given"):
        samples.count_samples({})
    with pytest.raises(errors.DataError, match="`t` is a single number"):
        samples.count_samples({"t": np.ones(())})
    with pytest.raises(errors.DataError, match="no samples: `X` is empty"):
        samples.count_samples({"X": np.ones((0, 2))})


def test_batches():
    assert samples.spans(5, None) == [slice(None)]
    assert samples.spans(4, 2) == [slice(0, 2), slice(2, 4)]
    assert samples.spans(5, 5) == [slice(0, 5)]
    assert samples.spans(5, 2) == [slice(0, 2), slice(2, 4), slice(4, 5)]


def test_orders_are_drawn_where_samples_are_shuffled():
    rng = np.random.default_rng(0)
    kept = [(5, None, True, rng), (4, 2, False, rng), (4, 2, False, None)]
    assert [samples.drawn_order(*given) for given in kept] == [None] * 3
    # The generator was not asked before: the first order is its first.
    wanted = np.random.default_rng(0).permutation(5)
    np.testing.assert_array_equal(samples.drawn_order(5, 2, True, rng), wanted)


def test_batches_are_checked():
    with pytest.raises(errors.OptionError, match="from 1 to 5; got 6"):
        samples.check_batches(5, 6, False, None)


def test_standardisation_of_the_ages():
    scale = Standardisation.of(AGES)
    assert scale.mean == pytest.approx((39.285714285714285,), rel=1e-12)
    assert scale.std == pytest.approx((25.095328453799556,), rel=1e-12)
    z = scale.apply(AGES)
    assert z[0] == pytest.approx(-0.7286501278267086, rel=1e-12)
    assert (z.mean(), z.std()) == pytest.approx((0, 1), abs=1e-12)
    assert scale.invert(z) == pytest.approx(AGES, rel=1e-12)


def test_standardisation_keeps_the_rank():
    scale = Standardisation.of(AGES)
    column = np.reshape(AGES, (-1, 1))
    assert Standardisation.of(column) == scale
    assert scale.apply(column).shape == (14, 1)
    assert scale.apply(column)[:, 0].tolist() == scale.apply(AGES).tolist()
    assert scale.apply(30).shape == ()
    assert scale.invert(scale.apply(column)) == pytest.approx(column)


def test_standardisation_by_column():
    x = np.array([[1.0, 10.0, -4.0], [3.0, 30.0, 0.0], [5.0, 20.0, 4.0]])
    scale = Standardisation.of(x)
    assert scale.mean == (3.0, 20.0, 0.0)
    expected = (math.sqrt(8 / 3), math.sqrt(200 / 3), math.sqrt(32 / 3))
    assert scale.std == pytest.approx(expected, rel=1e-14)
    assert scale.apply(x)[0] == pytest.approx((x[0] - scale.mean) / expected)
    assert scale.invert(scale.apply(x)) == pytest.approx(x)
    assert scale.apply(x[:1]).shape == (1, 3)


def test_standardisation_survives_json_to_the_bit():
    scale = Standardisation.of(np.random.default_rng(0).normal(size=(9, 3)))
    again = Standardisation.from_record(json.loads(json.dumps(scale.to_record())))
    assert again == scale
    assert hash(again) == hash(scale)


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ([0.1] * 14, "`age` cannot be standardised: it is constant, 0.1 everywhere"),
        ([[1, 2], [3, 2]], r"column 1 of `age` \(counted from 0\) .*: it is constant, 2.0"),
        ([5], "it is constant, 5.0 everywhere, so its standard deviation is 0"),
        ([0, 1e-300], "standard deviation 0.0; rescale it first"),
        ([-1e300, 1e300], "standard deviation inf; rescale it first"),
        ([1.7e308, 1.6e308], "standard deviation inf; rescale it first"),
        (5, r"shape \(n,\) or \(n, columns\) .* `age` has shape \(\)"),
        (np.ones((2, 2, 2)), r"`age` has shape \(2, 2, 2\)"),
        ([1, math.nan], "`age` has 1 value that is NaN"),
        ([], "`age` has no samples"),
    ],
)
@pytest.mark.filterwarnings("error")
def test_what_cannot_be_standardised(given, words):
    with pytest.raises(errors.DataError, match=words):
        Standardisation.of(given, name="age")


@pytest.mark.parametrize(
    ("columns", "given", "words"),
    [
        (2, np.ones((4, 3)), r"shape \(4, 3\), .* made for 2 columns; give shape \(n, 2\)"),
        (2, np.ones(2), r"shape \(2,\), .* give shape \(n, 2\)"),
        (1, np.ones((4, 3)), r"made for 1 column; give shape \(n, 1\)"),
        (1, np.ones((4, 1, 1)), r"shape \(4, 1, 1\)"),
    ],
)
def test_standardisation_of_other_columns(columns, given, words):
    scale = Standardisation((0.0,) * columns, (1.0,) * columns)
    for verb in (scale.apply, scale.invert):
        with pytest.raises(errors.ShapeError, match=words):
            verb(given)


@pytest.mark.parametrize(
    ("record", "words"),
    [
        ({"mean": [1.0]}, 'lacks "std"'),
        ({"mean": [1.0], "std": [0.0]}, "must be positive"),
        ({"mean": [1.0], "std": [-1.0]}, "must be positive"),
        ({"mean": [1.0], "std": [math.nan]}, "`std` has 1 value that is NaN"),
        ({"mean": [1.0, 2.0], "std": [1.0]}, "got 2 means and 1 standard deviations"),
        ({"mean": [], "std": []}, "at least one; got 0 means"),
        ({"mean": 1.0, "std": [1.0]}, '"mean" must be a list'),
        ({"mean": ["1"], "std": [1.0]}, "`mean` must hold real numbers"),
    ],
)
def test_records_of_standardisations_are_checked(record, words):
    with pytest.raises(errors.DataError, match=words):
        Standardisation.from_record(record)


# --- the room itself -------------------------------------------------------------------------


@pytest.mark.parametrize("module", [optimizers, initializers, samples, loop])
def test_the_examples_in_the_docstrings_run(module: types.ModuleType):
    result = doctest.testmod(module)
    assert result.failed == 0
    assert result.attempted > 0


@pytest.mark.parametrize("module", [optimizers, initializers, samples, loop])
def test_the_room_knows_no_sympy(module: types.ModuleType):
    assert "sympy" not in vars(module)
    assert not any(type(value).__module__.startswith("sympy") for value in vars(module).values())
