"""Training and what it leaves: data in every shape, models that save, load and export."""

import json
import runpy

import numpy as np
import pytest
import sympy as sp

import symgrad as sg
from symgrad.training.initializers import INITIALIZERS

RNG = np.random.default_rng(5)
X2, T2 = RNG.normal(size=(30, 2)), RNG.uniform(-0.8, 0.8, size=(30, 2))
w, b, z, t = sp.symbols("w b z t", real=True)
FORMS = ("rows", "columns", "scalars")


def net_of(form, outputs=2):
    net = sg.Network(2, [sg.Dense(3, activation="tanh"), sg.Dense(outputs)])
    return getattr(net, form)()


def fit_of(form, outputs=2, **options):
    settings = {"epochs": 40, "learning_rate": 0.2, "seed": 3, **options}
    return net_of(form, outputs).fit(X2, T2 if outputs == 2 else T2[:, 0], **settings)


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("batch_size", [None, 7, 1])
def test_training_lowers_the_loss(form, batch_size):
    fit = fit_of(form, batch_size=batch_size, learning_rate=0.05)
    assert len(fit.losses) == 41
    assert fit.losses[-1] < 0.8 * fit.losses[0]
    assert fit.stopped == "finished"


def test_the_same_seed_gives_the_same_run():
    first, second, other = (fit_of("rows", batch_size=4, seed=s) for s in (1, 1, 2))
    np.testing.assert_array_equal(first.losses, second.losses)
    for name, value in first.parameters.items():
        np.testing.assert_array_equal(value, second.parameters[name])
    assert not np.array_equal(first.losses, other.losses)


@pytest.mark.parametrize("form", FORMS)
def test_losses_are_those_of_all_data(form):
    fit = fit_of(form, batch_size=4)
    prediction = fit.predict(X2)
    np.testing.assert_allclose(fit.losses[-1], np.mean((prediction - T2) ** 2), rtol=1e-12)


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("standardize", [None, "inputs"])
@pytest.mark.parametrize("outputs", [1, 2])
def test_models_survive_saving_and_export(form, standardize, outputs, tmp_path):
    fit = fit_of(form, outputs, standardize=standardize, epochs=5)
    prediction = fit.predict(X2)
    assert prediction.shape == ((30, 2) if outputs == 2 else (30,))
    again = sg.load(fit.save(tmp_path / "model.json"))
    np.testing.assert_array_equal(again.predict(X2), prediction)
    np.testing.assert_array_equal(again.losses, fit.losses)
    assert again.stopped == fit.stopped
    exported = runpy.run_path(str(fit.export(tmp_path / "model.py")))["predict"]
    columns = [X2] if form != "scalars" else [X2[:, 0], X2[:, 1]]
    np.testing.assert_allclose(exported(*columns), prediction, rtol=1e-12)


def test_predictions_come_in_the_rank_of_the_targets():
    net = sg.Network(1, [sg.Dense(1)])
    x = np.arange(5.0)
    for form in FORMS:
        made = getattr(net, form)()
        assert made.fit(x, 2 * x, epochs=1, seed=0).predict(x).shape == (5,)
        assert isinstance(made.fit(x, 2 * x, epochs=1, seed=0).predict(3), float)
    table = net.fit(x[:, None], 2 * x[:, None], epochs=1, seed=0)
    assert table.predict(x[:, None]).shape == (5, 1)
    assert net.fit([1, 2], [2, 4], epochs=1, seed=0).predict([1, 2, 3]).shape == (3,)


def test_the_fitted_formula_is_the_prediction():
    fit = fit_of("rows", standardize="inputs", epochs=3)
    formula = fit.formula()
    assert formula.parameters == ()
    assert set(formula.inputs) == {"X"}
    np.testing.assert_allclose(sg.compile(formula)(X=X2), fit.predict(X2), rtol=1e-13)


def test_bare_sympy_trains_with_the_names_in_start():
    zs = np.linspace(-1, 1, 12)
    fit = sg.train(
        (sp.tanh(w * z + b) - t) ** 2, {"z": zs, "t": np.tanh(0.7 * zs - 0.2)},
        start={"w": 0.1, b: 0.0}, learning_rate=0.5, epochs=400,
    )  # fmt: skip
    assert abs(fit.parameters["w"] - 0.7) < 1e-4
    assert abs(fit.parameters["b"] + 0.2) < 1e-4
    with pytest.raises(sg.OptionError, match="has no prediction"):
        _ = fit.model


def test_sums_over_data_train_and_take_batches():
    i, n = sp.Symbol("i", integer=True), sp.Symbol("n", integer=True, positive=True)
    xs, ys = sp.IndexedBase("x"), sp.IndexedBase("y")
    loss = sp.Sum((w * xs[i] + b - ys[i]) ** 2, (i, 1, n)) / 2
    data = {"x": np.arange(1.0, 9.0), "y": 0.6 * np.arange(1.0, 9.0) + 0.2}
    fit = sg.train(loss, data, start={"w": 1.0, "b": 0.0}, learning_rate=0.005, epochs=6000)
    np.testing.assert_allclose([fit.parameters["w"], fit.parameters["b"]], [0.6, 0.2], atol=1e-6)
    part = sg.train(
        loss, data, start={"w": 1.0, "b": 0.0}, learning_rate=0.005, epochs=50, batch_size=3, seed=0
    )
    assert part.losses[-1] < part.losses[0]


def test_a_constant_among_the_data_stays_constant():
    weight = sp.Symbol("lam", real=True)
    loss = (w * z - t) ** 2 + weight * w**2
    zs = np.array([1.0, 2.0, 3.0])
    data = {"z": zs, "t": 2 * zs, "lam": 0.5}
    fit = sg.train(loss, data, start={"w": 0.0}, learning_rate=0.05, epochs=500, batch_size=None)
    wanted = np.mean(2 * zs * zs) / (np.mean(zs * zs) + 0.5)
    assert abs(fit.parameters["w"] - wanted) < 1e-9


def test_the_sum_over_samples_is_that_many_times_the_mean():
    loss, data = (w * z - t) ** 2, {"z": [1.0, 2.0, 3.0, 4.0], "t": [1.0, 1.0, 1.0, 1.0]}
    mean = sg.train(loss, data, start={"w": 0.3}, learning_rate=0.04, epochs=3)
    total = sg.train(loss, data, start={"w": 0.3}, learning_rate=0.01, epochs=3, reduce="sum")
    np.testing.assert_allclose(total.losses, 4 * mean.losses, rtol=1e-12)


@pytest.mark.parametrize("name", INITIALIZERS)
def test_start_values_are_drawn_by_name(name):
    for form in FORMS:
        fit = net_of(form).fit(X2, T2, epochs=0, seed=0, initializer=name)
        weights = [v for k, v in fit.parameters.items() if k[0] in "Ww"]
        biases = [v for k, v in fit.parameters.items() if k[0] == "b"]
        assert all(np.all(np.asarray(value) == 0) for value in biases)
        assert all(np.all(np.asarray(value) == 0) for value in weights) == (name == "zeros")


def test_fan_in_and_out_do_not_depend_on_the_form():
    bound = np.sqrt(6 / (40 + 2))
    for form in ("rows", "columns", "scalars"):
        net = getattr(sg.Network(40, [sg.Dense(2)]), form)()
        fit = net.fit(np.ones((2, 40)), np.ones((2, 2)), epochs=0, seed=1)
        weights = np.concatenate([np.ravel(v) for k, v in fit.parameters.items() if k[0] in "Ww"])
        assert 0.8 * bound < np.max(np.abs(weights)) <= bound


@pytest.mark.parametrize("optimizer", ["sgd", "momentum", "adam"])
@pytest.mark.parametrize("update", ["simultaneous", "sequential"])
def test_every_optimizer_in_both_orders(optimizer, update):
    rate = {"sgd": 0.2, "momentum": 0.05, "adam": 0.05}[optimizer]
    fit = fit_of("rows", optimizer=optimizer, update=update, learning_rate=rate)
    assert fit.losses[-1] < 0.9 * fit.losses[0]


def test_divergence_keeps_what_was_good():
    net = sg.Network(1, [sg.Dense(1)])
    with pytest.raises(
        sg.DivergenceError, match=r"diverged in epoch .* smaller learning rate"
    ) as e:
        net.fit(np.arange(1.0, 9.0), np.arange(1.0, 9.0), learning_rate=1.0, epochs=2000, seed=0)
    fit = e.value.fit
    assert np.all(np.isfinite(fit.losses))
    assert all(np.all(np.isfinite(value)) for value in fit.parameters.values())
    assert np.all(np.isfinite(fit.predict([1.0, 2.0])))


def test_interruption_keeps_what_was_reached():
    def stop(epoch, loss, parameters):
        if epoch == 7:
            raise KeyboardInterrupt

    fit = fit_of("rows", callback=stop)
    assert fit.stopped == "interrupted"
    assert len(fit.losses) == fit.epochs + 1
    assert fit.epochs in (6, 7)


def test_a_callback_may_stop():
    fit = fit_of("rows", callback=lambda epoch, loss, parameters: epoch == 4)
    assert (fit.stopped, fit.epochs) == ("callback", 4)


# ----------------------------------------------------------------- hostile files


def broken(tmp_path, change):
    path = fit_of("rows", epochs=1).save(tmp_path / "model.json")
    record = json.loads(path.read_text())
    path.write_text(json.dumps(change(record)))
    return path


def nested(depth):
    value = ["Symbol", "x", []]
    for _ in range(depth):
        value = ["tanh", value]
    return value


CHANGES = {
    "format": lambda r: {**r, "format": "other"},
    "a list": lambda r: [1, 2],
    "no loss": lambda r: {k: v for k, v in r.items() if k != "loss"},
    "no numbers": lambda r: {**r, "parameters": {"W1": "import os"}},
    "null": lambda r: {**r, "loss": None},
    "unknown head": lambda r: {**r, "loss": {**r["loss"], "output": ["Lambdify", "x"]}},
    "text": lambda r: {**r, "loss": {**r["loss"], "output": "__import__('os').system('true')"}},
    "number as text": lambda r: {**r, "loss": {**r["loss"], "output": ["Integer", "9**9**9"]}},
    "no arguments": lambda r: {**r, "loss": {**r["loss"], "output": ["Symbol"]}},
    "deep": lambda r: {**r, "loss": {**r["loss"], "output": nested(900)}},
    "wrong order": lambda r: {
        **r, "loss": {**r["loss"], "definitions": r["loss"]["definitions"][::-1]}
    },
}  # fmt: skip


@pytest.mark.parametrize("name", CHANGES)
def test_a_broken_or_hostile_file_is_refused(name, tmp_path):
    path = broken(tmp_path, CHANGES[name])
    with pytest.raises(sg.SymgradError):
        sg.load(path)


def test_what_is_no_json_is_refused(tmp_path):
    path = tmp_path / "model.json"
    path.write_text("not json {")
    with pytest.raises(sg.DataError, match="not JSON"):
        sg.load(path)
    with pytest.raises(sg.DataError, match="no file"):
        sg.load(tmp_path / "none.json")
