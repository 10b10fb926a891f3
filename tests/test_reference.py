"""The reference numbers, through symgrad's own path: network, gradient, compile, train."""

import itertools

import numpy as np
import pytest
import seeds
import sympy as sp

import symgrad as sg

FORMS = ("rows", "columns", "scalars")
AGES = np.array(seeds.AGES, dtype=float)
TARGETS = np.array(seeds.PROBABILITIES)
Z = (AGES - seeds.AGE_MEAN) / seeds.AGE_STD


def close(got, wanted, rtol=seeds.RTOL):
    np.testing.assert_allclose(got, wanted, rtol=rtol, atol=0)


def printed(got, wanted, decimals):
    """Equal up to half a unit of the last printed decimal."""
    np.testing.assert_allclose(got, wanted, rtol=0, atol=0.5 * 10.0**-decimals)


def perceptron(form):
    net = sg.Network(1, [sg.Dense(1, activation="tanh")])
    return getattr(net, form)()


def values(net, w, b):
    """Parameter values in the shapes of a net."""
    return {
        name: np.full(shape, w if name[0] in "Ww" else b) for name, shape in net.parameters.items()
    }


def data_names(net):
    names = [name for name in sg.mse(net).inputs if name not in net.parameters]
    return sorted(names, key=str.lower)


def loss_and_slopes(net, z, y, w, b):
    """Mean loss and its two slopes for samples z, y."""
    loss = sg.mse(net)
    x_name, y_name = data_names(net)
    batch = () if net.form == "rows" else (x_name, y_name)
    shape = (-1, 1) if net.form != "scalars" else (-1,)
    data = {x_name: np.reshape(z, shape), y_name: np.reshape(y, shape)}
    function = sg.compile(loss, wrt="parameters", batch=batch)
    value, grads = function(**data, **values(net, w, b))
    return value, [float(np.ravel(g)[0]) for g in grads.values()]


def fitted(net, epochs=seeds.EPOCHS, samples=slice(None), **options):
    settings = {
        "start": values(net, *seeds.START),
        "learning_rate": seeds.LEARNING_RATE,
        "epochs": epochs,
        "batch_size": 1,
        "shuffle": False,
        "standardize": "inputs",
        **options,
    }
    return net.fit(AGES[samples], TARGETS[samples], **settings)


def numbers(fit):
    return [float(np.ravel(value)[0]) for value in fit.parameters.values()]


def test_standardisation():
    scaling = fitted(perceptron("rows"), epochs=0).standardisation["X"]
    close(scaling.mean[0], seeds.AGE_MEAN)
    close(scaling.std[0], seeds.AGE_STD)
    close(scaling.apply(AGES)[0], seeds.FIRST_Z)


@pytest.mark.parametrize("form", FORMS)
def test_first_sample_and_mean_at_the_start(form):
    net = perceptron(form)
    value, slopes = loss_and_slopes(net, Z[:1], TARGETS[:1], *seeds.START)
    close(value, seeds.FIRST_LOSS)
    close(slopes, seeds.FIRST_GRADIENT)
    value, slopes = loss_and_slopes(net, Z, TARGETS, *seeds.START)
    close(value, seeds.START_MEAN_LOSS)
    close(slopes, seeds.START_MEAN_GRADIENT)
    rounded, _ = loss_and_slopes(
        net, [seeds.FIRST_Z_PRINTED], [seeds.FIRST_TARGET_ROUNDED], *seeds.START
    )
    close(rounded, seeds.FIRST_LOSS_ROUNDED)


def test_first_prediction():
    net = perceptron("scalars")
    start = {"w1": seeds.START[0], "b1": seeds.START[1]}
    close(sg.compile(net.output)(x=seeds.FIRST_Z, **start), seeds.FIRST_PREDICTION)
    z1 = net.output.graph["z1"]
    close(sg.compile(z1)(x=seeds.FIRST_Z, **start), seeds.FIRST_PREACTIVATION)


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize(
    ("update", "steps", "last"),
    [
        ("sequential", seeds.THREE_STEPS_SEQUENTIAL, seeds.STEP_SEQUENTIAL_LOSS),
        ("simultaneous", seeds.THREE_STEPS_SIMULTANEOUS, seeds.STEP_SIMULTANEOUS_LOSS),
    ],
)
def test_first_steps(form, update, steps, last):
    net = perceptron(form)
    for count, wanted in enumerate(steps, 1):
        start = values(net, *seeds.START)
        fit = net.fit(
            Z[:count], TARGETS[:count], start=start, learning_rate=seeds.LEARNING_RATE, epochs=1,
            batch_size=1, shuffle=False, update=update,
        )  # fmt: skip
        close(numbers(fit), wanted)
        if count == 1:
            close(fit.losses, [seeds.FIRST_LOSS, last])


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize(
    ("update", "table"),
    [("sequential", seeds.EPOCHS_SEQUENTIAL), ("simultaneous", seeds.EPOCHS_SIMULTANEOUS)],
)
def test_ten_epochs(form, update, table):
    net = perceptron(form)
    path = []

    def follow(epoch, loss, parameters):
        path.append((*(float(np.ravel(value)[0]) for value in parameters.values()), loss))

    fit = fitted(net, update=update, callback=follow)
    assert len(path) == len(table) == 10
    for got, wanted in zip(path, table, strict=True):
        for number, reference, decimals in zip(got, wanted, seeds.EPOCH_DECIMALS, strict=True):
            printed(number, reference, decimals)
    if update == "sequential":
        close(numbers(fit), seeds.FINAL_SEQUENTIAL)
        close(fit.predict(seeds.NEW_AGE), seeds.PREDICTION_SEQUENTIAL)
        printed(np.ravel(fit.predict(AGES)), seeds.TRAINED_OUTPUTS, 6)
    else:
        close(fit.predict(seeds.NEW_AGE), seeds.PREDICTION_SIMULTANEOUS)
    # Per-sample descent at a constant rate settles near the optimum, not at it.
    lowest = int(np.argmin(fit.losses))
    rises = {"sequential": 8, "simultaneous": 7}[update]
    assert lowest == rises
    assert np.all(np.diff(fit.losses[rises:]) > 0)


@pytest.mark.parametrize("form", FORMS)
def test_full_batch(form):
    net = perceptron(form)
    fit = fitted(net, epochs=seeds.FULL_BATCH_STEPS, batch_size=None)
    close(numbers(fit), seeds.FULL_BATCH)
    close(fit.losses[-1], seeds.FULL_BATCH_LOSS)


def test_optimum():
    net = perceptron("rows")
    fit = fitted(net, epochs=4000, batch_size=None, learning_rate=0.5)
    close(numbers(fit), seeds.OPTIMUM, rtol=1e-11)
    close(fit.losses[-1], seeds.OPTIMUM_LOSS)
    close(fit.predict(seeds.NEW_AGE), seeds.OPTIMUM_PREDICTION, rtol=1e-11)
    raw = sg.compile(net.output)
    same = raw(X=AGES, W1=[[seeds.RAW_OPTIMUM[0]]], b1=[seeds.RAW_OPTIMUM[1]])
    close(np.ravel(same), np.ravel(fit.predict(AGES)), rtol=1e-10)


def test_raw_ages_are_badly_scaled():
    net = perceptron("rows")
    outputs = sg.compile(net.output)(X=AGES, **values(net, *seeds.START))
    printed([outputs.min(), outputs.max()], seeds.RAW_OUTPUT_RANGE, 6)
    _, slopes = loss_and_slopes(net, AGES[:1], TARGETS[:1], *seeds.START)
    np.testing.assert_allclose(slopes, seeds.RAW_FIRST_GRADIENT, rtol=5e-6)


def test_the_articles_hand_written_gradients_are_right():
    w, b, x, y = sp.symbols("w1 b1 x y", real=True)
    common = 2 * (sp.tanh(x * w + b) - y) * (1 - sp.tanh(x * w + b) ** 2)
    parts = sg.gradient(sg.mse(perceptron("scalars")))
    for name, claim in {"w1": common * x, "b1": common}.items():
        assert sp.expand(parts[name].sympy - claim) == 0
        assert sp.expand(parts[name].sympy - claim / 2) != 0


# --------------------------------------------------------------- the 3-2-2 net


def small(form):
    layers = [sg.Dense(2, activation="sigmoid", bias=False) for _ in range(2)]
    return getattr(sg.Network(3, layers, orientation="columns"), form)()


def small_arguments(form):
    W1, W2 = np.array(seeds.SMALL_W1, float), np.array(seeds.SMALL_W2, float)
    x, y = np.array(seeds.SMALL_X, float), np.array(seeds.SMALL_Y, float)
    if form == "rows":
        return {"W1": W1.T, "W2": W2.T, "X": x[None], "Y": y[None]}
    if form == "columns":
        return {"W1": W1, "W2": W2, "x": x, "y": y}
    entries = {f"w1_{i + 1}_{j + 1}": W1[i, j] for i in range(2) for j in range(3)}
    entries |= {f"w2_{i + 1}_{j + 1}": W2[i, j] for i in range(2) for j in range(2)}
    entries |= {f"x_{i + 1}": x[i] for i in range(3)} | {f"y_{i + 1}": y[i] for i in range(2)}
    return entries


def as_matrices(form, grads):
    if form == "rows":
        return [grads["W1"].T, grads["W2"].T]
    if form == "columns":
        return [grads["W1"], grads["W2"]]
    return [
        np.array([[grads[f"w{k}_{i + 1}_{j + 1}"] for j in range(columns)] for i in range(2)])
        for k, columns in ((1, 3), (2, 2))
    ]


@pytest.mark.parametrize("form", FORMS)
def test_three_two_two(form):
    net, arguments = small(form), small_arguments(form)
    value, grads = sg.compile(sg.sse(net), wrt="parameters")(**arguments)
    close(value, seeds.SMALL_S)
    for got, wanted in zip(
        as_matrices(form, grads), (seeds.SMALL_GRADIENT_W1, seeds.SMALL_GRADIENT_W2), strict=True
    ):
        close(got, wanted)
    mean, half = sg.compile(sg.mse(net), wrt="parameters")(**arguments)
    close(mean, seeds.SMALL_MEAN)
    for name, gradient in half.items():
        close(2 * gradient, grads[name])
    moved = {n: arguments[n] - seeds.SMALL_STEP_RATE * g for n, g in grads.items()}
    close(sg.compile(sg.sse(net))({**arguments, **moved}), seeds.SMALL_S_AFTER_STEP)


def test_three_two_two_inside():
    graph = sg.gradient(sg.sse(small("columns"))).graph
    arguments = small_arguments("columns")
    inside = {
        "z1": seeds.SMALL_Z2, "h1": seeds.SMALL_X2, "z2": seeds.SMALL_Z3, "yhat": seeds.SMALL_X3,
        "delta2": seeds.SMALL_D3, "delta1": seeds.SMALL_D2,
    }  # fmt: skip
    for name, wanted in inside.items():
        formula = sg.Formula(graph, graph.symbols[name])
        function = sg.compile(formula)
        given = {key: arguments[key] for key in function.inputs}
        close(function(**given), wanted)


# ------------------------------------------------------------- the 3-4-4-1 net


def test_three_four_four_one():
    sizes = seeds.DEEP_SIZES
    chosen = zip(sizes[1:], seeds.DEEP_ACTIVATIONS, strict=True)
    layers = [sg.Dense(k, activation=a) for k, a in chosen]
    net = sg.Network(sizes[0], layers, orientation="columns")
    arguments = {"x": np.array(seeds.DEEP_X, float), "y": np.array([seeds.DEEP_Y], float)}
    for layer, (columns, rows) in enumerate(itertools.pairwise(sizes), 1):
        i, j = np.meshgrid(range(1, rows + 1), range(1, columns + 1), indexing="ij")
        arguments[f"W{layer}"] = np.sin(100 * layer + 10 * i + j) / 2
        arguments[f"b{layer}"] = np.cos(100 * layer + 10 * i[:, 0]) / 2
    value, grads = sg.compile(sg.mse(net), wrt="parameters")(**arguments)
    close(value, seeds.DEEP_SQUARED["loss"])
    for name, wanted in seeds.DEEP_SQUARED.items():
        if name in ("loss", "norm"):
            continue
        parameter, i, j = name.split("_")
        gradient = grads[parameter]
        place = (int(i) - 1, int(j) - 1)[: gradient.ndim]
        close(gradient[place], wanted)
    norm = np.sqrt(sum(np.sum(g**2) for g in grads.values()))
    close(norm, seeds.DEEP_SQUARED["norm"])


def test_ten_layers():
    net = sg.Network(3, [sg.Dense(4, activation="tanh") for _ in range(10)])
    gradients = sg.gradient(sg.mse(net))
    assert gradients.derivation.steps
    function = sg.compile(sg.mse(net), wrt="parameters")
    assert function.listing.count("@") == 29
    assert len(gradients.latex()) <= 3500
