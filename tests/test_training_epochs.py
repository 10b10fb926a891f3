"""Epochs on bound functions: the same runs as step by step, and what is left to the steps."""

import dataclasses

import numpy as np
import pytest
import sympy as sp

import symgrad as sg
from symgrad import errors
from symgrad.training import loop, optimizers
from symgrad.training.epochs import AllAtOnce, BatchByBatch, OneByOne, epochs_on
from symgrad.training.task import Task, check_backend

RNG = np.random.default_rng(11)
X, Y = RNG.normal(size=(23, 2)), RNG.uniform(-0.8, 0.8, size=(23, 2))
FORMS = ("rows", "columns", "scalars")


def task_of(form="rows", widths=(3, 2), backend="numpy", loss=sg.mse):
    """A task of a network in some form, its start values, its samples."""
    net = sg.Network(2, [sg.Dense(width, activation="tanh") for width in widths])
    formula = loss(getattr(net, form)())
    targets = np.resize(Y, (len(X), widths[-1]))
    if form == "scalars":
        names = [n for n in formula.inputs if n not in formula.parameters]
        columns = [*X.T, *targets.T]
        data = dict(zip(sorted(names), columns, strict=True))
    else:
        data = {"X": X, "Y": targets} if form == "rows" else {"x": X, "y": targets}
    task = Task.of(formula, formula.parameters, data, "mean", backend)
    draw = np.random.default_rng(2)
    start = {
        name: draw.normal(0, 0.5, size=tuple(map(int, formula.inputs[name].sizes)))
        for name in formula.parameters
    }
    return task, start


def unreachable(*given):
    raise AssertionError("a run that was to be fast went step by step")


def both_ways(task, start, **options):
    """The record of the fast run, which takes no step, and that of the run in steps."""
    objective = task.objective()
    blind = dataclasses.replace(
        objective, value=unreachable, value_and_gradients=unreachable, gradient_of=unreachable
    )
    plain = dataclasses.replace(objective, bind=None)
    settings = {"learning_rate": 0.05, "epochs": 6, **options}
    return [
        loop.descend(each, task.samples, start, rng=np.random.default_rng(4), **settings)
        for each in (blind, plain)
    ]


def same(fast, plain, rtol=1e-11):
    assert (fast.stopped, fast.epochs) == (plain.stopped, plain.epochs)
    np.testing.assert_allclose(fast.losses, plain.losses, rtol=rtol)
    assert list(fast.parameters) == list(plain.parameters)
    for name, value in plain.parameters.items():
        assert fast.parameters[name].shape == value.shape
        np.testing.assert_allclose(fast.parameters[name], value, rtol=rtol, atol=1e-13)


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize(
    ("batch_size", "shuffle"), [(None, True), (5, True), (5, False), (1, True)]
)
def test_fast_epochs_are_the_epochs_in_steps(form, batch_size, shuffle):
    task, start = task_of(form)
    same(*both_ways(task, start, batch_size=batch_size, shuffle=shuffle))


@pytest.mark.parametrize("optimizer", sorted(optimizers.OPTIMIZERS))
@pytest.mark.parametrize("batch_size", [None, 7, 1])
def test_every_optimizer_moves_a_flat_vector_as_it_moves_arrays(optimizer, batch_size):
    assert optimizers.moves_flat(optimizers.OPTIMIZERS[optimizer].make())
    task, start = task_of()
    same(*both_ways(task, start, batch_size=batch_size, optimizer=optimizer))


@pytest.mark.parametrize("batch_size", [None, 5, 1])
def test_fast_epochs_in_c(batch_size):
    task, start = task_of(backend="c")
    same(*both_ways(task, start, batch_size=batch_size))


def test_a_schedule_and_a_penalty():
    task, start = task_of(loss=lambda net: sg.mse(net) + sg.l2(net, 0.01))
    same(*both_ways(task, start, batch_size=1, learning_rate=lambda epoch: 0.1 / epoch))


@pytest.mark.parametrize(("batch_size", "optimizer"), [(11, "sgd"), (1, "momentum")])
def test_functions_of_different_layouts_share_one_flat_vector(batch_size, optimizer):
    """One sample runs in Python's floats, which hold the weights of columns the other way round."""
    task, start = task_of("columns")
    bind = task.objective().bind
    one, all_ = (bind(start, {n: a[:k] for n, a in task.samples.items()}) for k in (1, 23))
    places = np.arange(one.size)
    assert not np.array_equal(one.pack(all_.unpack(places)), places)
    options = {"batch_size": batch_size, "optimizer": optimizer, "shuffle": False}
    same(*both_ways(task, start, **options))


@pytest.mark.parametrize(
    ("widths", "batch_size", "optimizer", "kind"),
    [
        ((3, 2), None, "sgd", AllAtOnce),
        ((3, 2), 23, "sgd", AllAtOnce),
        ((3, 2), 5, "sgd", BatchByBatch),
        ((3, 2), 1, "sgd", OneByOne),
        ((3, 2), 1, "momentum", BatchByBatch),
        # Written out, one update of these layers would be thousands of statements.
        ((60, 60, 2), 1, "sgd", BatchByBatch),
    ],
)
def test_the_way_through_the_samples(widths, batch_size, optimizer, kind):
    task, start = task_of(widths=widths)
    chosen = optimizers.optimizer(optimizer)
    bind = task.objective().bind
    assert type(epochs_on(bind, start, task.samples, len(X), chosen, batch_size)) is kind


@pytest.mark.parametrize(("batch_size", "rate"), [(None, 0.03), (5, 0.2), (1, 0.2)])
def test_divergence_is_told_as_in_steps(batch_size, rate):
    """Fast epochs see that it happened; the steps, done again, say where."""
    w, z, t = sp.symbols("w z t", real=True)
    formula = sg.Formula.of((w**3 * z - t) ** 2, parameters=["w"])
    data = {"z": np.linspace(0.5, 2, 12), "t": np.linspace(1, 3, 12)}
    objective = Task.of(formula, ("w",), data, "mean").objective()
    settings = {"learning_rate": rate, "epochs": 60, "batch_size": batch_size, "shuffle": False}
    fast = loop.descend(objective, data, {"w": 2.0}, **settings)
    plain = loop.descend(dataclasses.replace(objective, bind=None), data, {"w": 2.0}, **settings)
    assert plain.diverged
    assert fast.epochs == plain.epochs
    assert fast.stopped.split(" (")[0] == plain.stopped.split(" (")[0]
    np.testing.assert_allclose(fast.losses, plain.losses, rtol=1e-9)


class Faulty:
    """A bound function that is not finite in some of its calls."""

    def __init__(self, function, calls):
        self.function, self.calls, self.count = function, calls, 0

    def __getattr__(self, name):
        return getattr(self.function, name)

    def __call__(self, p):
        self.count += 1
        value, gradient = self.function(p)
        return (np.inf if self.count in self.calls else value), gradient


@pytest.mark.parametrize("optimizer", sorted(optimizers.OPTIMIZERS))
@pytest.mark.parametrize("batch_size", [None, 5])
def test_an_epoch_that_is_done_again_in_steps_keeps_the_optimizers_memory(optimizer, batch_size):
    task, start = task_of()
    objective = task.objective()
    steps = []

    def counted(at, batch):
        steps.append(1)
        return objective.value_and_gradients(at, batch)

    faulty = dataclasses.replace(
        objective,
        bind=lambda at, data: Faulty(objective.bind(at, data), {3}),
        value_and_gradients=counted,
    )
    settings = {"learning_rate": 0.05, "epochs": 6, "batch_size": batch_size, "shuffle": False}
    settings["optimizer"] = optimizer
    record = loop.descend(faulty, task.samples, start, **settings)
    # Of five batches, the last is smaller: its function is another, which fails in another epoch.
    assert len(steps) == (1 if batch_size is None else 10)
    plain = dataclasses.replace(objective, bind=None)
    same(record, loop.descend(plain, task.samples, start, **settings))


def test_an_interrupt_within_a_fast_epoch_keeps_the_epoch_before():
    task, start = task_of()
    objective = task.objective()

    class Pressed(Faulty):
        def __call__(self, p):
            self.count += 1
            if self.count in self.calls:
                raise KeyboardInterrupt
            return self.function(p)

    pressed = dataclasses.replace(
        objective, bind=lambda at, data: Pressed(objective.bind(at, data), {8})
    )
    settings = {"learning_rate": 0.05, "batch_size": 5, "shuffle": False}
    record = loop.descend(pressed, task.samples, start, epochs=4, **settings)
    whole = loop.descend(objective, task.samples, start, epochs=1, **settings)
    assert (record.stopped, record.epochs) == ("interrupted", 1)
    assert record.losses.tolist() == whole.losses.tolist()
    for name, value in whole.parameters.items():
        np.testing.assert_array_equal(record.parameters[name], value)


def test_a_callback_gets_copies_in_the_order_of_the_start():
    task, start = task_of()
    seen = []

    def corrupt(epoch, loss, parameters):
        seen.append(list(parameters))
        for value in parameters.values():
            value[...] = 99.0
        return epoch == 3

    settings = {"learning_rate": 0.05, "epochs": 5, "batch_size": 5, "shuffle": False}
    record = loop.descend(task.objective(), task.samples, start, callback=corrupt, **settings)
    clean = loop.descend(task.objective(), task.samples, start, **{**settings, "epochs": 3})
    assert (record.stopped, record.epochs) == ("callback", 3)
    assert seen == [list(start)] * 3
    np.testing.assert_array_equal(record.losses, clean.losses)


def test_an_optimizer_that_overrides_a_law_is_called_by_name():
    @dataclasses.dataclass(frozen=True)
    class Largest(optimizers.Sgd):
        """Moves along the gradient over its largest entry: not entry by entry."""

        def move(self, parameter, gradient, memory, rate):
            return parameter - rate * gradient / np.max(np.abs(gradient)), memory

    task, start = task_of()
    record = loop.descend(
        task.objective(), task.samples, start, learning_rate=0.1, epochs=1, optimizer=Largest()
    )
    for name, value in record.parameters.items():
        np.testing.assert_allclose(np.max(np.abs(value - start[name])), 0.1, rtol=1e-12)


def test_a_parameter_that_leaves_what_it_is_declared_to_be_ends_the_run():
    s, z = sp.symbols("s z", real=True)
    formula = sg.Formula.of(sp.log(s) ** 2 * z, assumptions={"s": "positive"}, parameters=["s"])
    task = Task.of(formula, ("s",), {"z": np.ones(3)}, "mean")
    assert task.objective().bind is None
    with pytest.raises(sg.DivergenceError, match="`s` is declared positive"):
        sg.train(formula, {"z": np.ones(3)}, start={"s": 3.0}, learning_rate=9.0, epochs=9)


def test_targets_are_checked_before_the_first_epoch():
    net = sg.Network(2, [sg.Dense(2, activation="softmax")])
    with pytest.raises(sg.DataError, match="must sum to one"):
        net.fit(X, np.ones((23, 2)), loss=sg.cross_entropy, epochs=1, seed=0)


def test_formulas_without_a_fast_form_train_in_steps():
    formula = sg.parse(
        "mean((X @ inv(A) @ w - y)**2)", {"X": ("n", 2), "A": (2, 2), "w": (2,), "y": ("n",)}
    )
    data = {"X": X, "A": np.array([[2.0, 0.3], [0.1, 1.0]]), "y": Y[:, 0]}
    fit = sg.train(formula, data, start={"w": np.zeros(2)}, learning_rate=0.1, epochs=300)
    best = np.linalg.lstsq(X @ np.linalg.inv(data["A"]), Y[:, 0], rcond=None)[0]
    np.testing.assert_allclose(fit.parameters["w"], best, atol=1e-3)


def test_an_input_that_the_loss_does_not_read_may_be_among_the_data():
    formula = sg.parse("mean((y - b)**2 + 0 * x)", {"y": ("n",), "x": ("n",), "b": ()})
    assert set(formula.inputs) == {"y", "x", "b"}
    data = {"y": Y[:, 0], "x": X[:, 0]}
    for batch_size in (None, 4, 1):
        fit = sg.train(formula, data, {"b": 9.0}, learning_rate=0.1, batch_size=batch_size, seed=0)
        assert abs(fit.parameters["b"] - np.mean(Y[:, 0])) < 0.3


def test_the_backend_is_one_that_takes_numpys_arrays():
    with pytest.raises(sg.OptionError, match=r"NumPy's arrays: backend is one of .*`c`"):
        sg.Network(2, [sg.Dense(1)]).fit(X, Y[:, 0], backend="jax")
    with pytest.raises(sg.OptionError, match="did you mean `numpy`"):
        check_backend("nunpy")
    with pytest.raises(errors.OptionError, match="unknown backend"):
        check_backend(None)


def test_c_trains_as_numpy_does():
    net = sg.Network(2, [sg.Dense(3, activation="tanh"), sg.Dense(2)])
    options = {"epochs": 8, "seed": 1, "batch_size": 1}
    first, second = (net.fit(X, Y, backend=name, **options) for name in ("numpy", "c"))
    np.testing.assert_allclose(first.losses, second.losses, rtol=1e-11)
    ordered = net.fit(X, Y, backend="c", update="sequential", **options)
    np.testing.assert_allclose(
        ordered.losses, net.fit(X, Y, update="sequential", **options).losses, rtol=1e-11
    )
