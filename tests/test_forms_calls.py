"""Compiled functions in use: copies, threads, many signatures, flat vectors, descent, memory."""

import copy
import pickle
import shutil
import threading
import tracemalloc

import numpy as np
import pytest
import sympy as sp
from forms import listed, wrong_forms

import symgrad as sg

TARGETS = [
    "numpy",
    pytest.param("c", marks=pytest.mark.skipif(not shutil.which("cc"), reason="cc")),
]
LOSS = sg.mse(sg.Network(2, [sg.Dense(3, "tanh"), sg.Dense(1)]))
SIZES = (1, 9)  # Python's own floats, and arrays


def arrays_of(samples, seed=0):
    random = np.random.default_rng(seed)
    shapes = {"X": (samples, 2), "Y": (samples, 1), "W1": (2, 3), "b1": 3, "W2": (3, 1), "b2": 1}
    return {name: random.normal(size=shape) for name, shape in shapes.items()}


def bound_to(function, arrays):
    call = function.bind(X=arrays["X"], Y=arrays["Y"])
    return call, call.pack({name: arrays[name] for name in call.names})


@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize("samples", SIZES)
def test_copies_compute(target, samples):
    function = sg.compile(LOSS, "parameters", backend=target)
    function(arrays_of(samples))
    arrays = arrays_of(samples, 1)
    wanted, gradients = function(arrays)
    for other in (
        copy.copy(function),
        copy.deepcopy(function),
        pickle.loads(pickle.dumps(function)),
    ):
        for _ in range(2):
            value, found = other(arrays)
            assert value == wanted
            assert all(np.array_equal(found[name], gradients[name]) for name in gradients)


@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize("samples", SIZES)
def test_copies_of_bound_functions_have_buffers_of_their_own(target, samples):
    call, p = bound_to(sg.compile(LOSS, "parameters", backend=target), arrays_of(samples))
    value, gradient = call(p)
    kept = np.array(gradient)
    for other in (copy.copy(call), copy.deepcopy(call)):
        assert other(p)[0] == value
        assert np.array_equal(other(p)[1], kept)
        other(p + 1)
        assert np.array_equal(gradient, kept)


def test_one_function_of_many_threads_and_many_sizes():
    function = sg.compile(LOSS, "parameters")
    # More signatures than are remembered, so that some are made and forgotten all the time.
    cases = [arrays_of(samples) for samples in range(1, 21)]
    wanted = [function(case)[0] for case in cases]
    wrong = []

    def work(first):
        try:
            for k in range(60):
                place = (first * 7 + k) % len(cases)
                if function(cases[place])[0] != wanted[place]:
                    wrong.append(place)
        except Exception as error:
            wrong.append(error)

    threads = [threading.Thread(target=work, args=(first,)) for first in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong


@pytest.mark.parametrize("target", TARGETS)
def test_types_and_shapes_may_change_from_call_to_call(target):
    function = sg.compile(LOSS, "parameters", backend=target)
    for samples in (9, 1, 9):
        for kind in (np.float64, np.float32, np.float64, np.float16, np.longdouble):
            arrays = {name: a.astype(kind) for name, a in arrays_of(samples).items()}
            exact, _ = listed(function, {name: a.astype(float) for name, a in arrays.items()})
            found = function._in_order(function(arrays))
            tolerance = {2: 1e-2, 4: 1e-5}.get(kind().itemsize, 1e-12)
            for got, wanted in zip(found, exact, strict=True):
                assert np.asarray(got).dtype == kind
                np.testing.assert_allclose(got, wanted, rtol=tolerance, atol=tolerance)
    with pytest.raises(sg.ShapeError, match="must be"):
        function({**arrays_of(9), "X": np.zeros((9, 3))})
    with pytest.raises(sg.OptionError, match="missing"):
        function({name: a for name, a in arrays_of(9).items() if name != "Y"})
    with pytest.raises(sg.OptionError, match="unknown"):
        function(arrays_of(9), Z=1)


LAYOUTS = {
    "fortran": np.asfortranarray,
    "every second": lambda a: np.repeat(a, 2, axis=0)[::2],
    "backwards": lambda a: a[::-1].copy()[::-1],
    "repeated": lambda a: np.broadcast_to(a[:1], a.shape),
    "read-only": lambda a: np.frombuffer(a.tobytes()).reshape(a.shape),
    "masked": np.ma.masked_array,
    "lists": np.ndarray.tolist,
    "whole numbers": lambda a: np.round(3 * a).astype(int),
    "other end first": lambda a: a.astype(">f8"),
}


@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize("samples", SIZES)
def test_any_layout(target, samples):
    function = sg.compile(LOSS, "parameters", backend=target)
    function(arrays_of(samples))
    for change in LAYOUTS.values():
        arrays = {name: change(a) for name, a in arrays_of(samples, 2).items()}
        plain = {name: np.array(a, float) for name, a in arrays.items()}
        (wanted, *gradients), _ = listed(function, plain)
        value, found = function(arrays)
        np.testing.assert_allclose(value, wanted, rtol=1e-12)
        for got, right in zip(found.values(), gradients, strict=True):
            np.testing.assert_allclose(got, right, rtol=1e-11, atol=1e-13)


@pytest.mark.parametrize("samples", [1, 9, 700])
def test_one_array_in_several_places(samples):
    shapes = {"X": ("n", 2), "Y": ("n", 2), "W": (2, 2), "V": (2, 2)}
    formula = sg.parse("sum((tanh(X@W)@V - Y)**2) / n", shapes)
    function = sg.compile(formula, ["W", "V"])
    random = np.random.default_rng(0)
    data, weight = random.normal(size=(samples, 2)), random.normal(size=(2, 2))
    arrays = {"X": data, "Y": data, "W": weight, "V": weight}
    assert not wrong_forms(function, arrays)
    value, gradients = function(arrays)
    for gradient in gradients.values():
        assert not np.shares_memory(gradient, weight)
        gradient[...] = 7.0  # nobody else's
    again, fresh = function(arrays)
    assert again == value
    assert not any((gradient == 7.0).any() for gradient in fresh.values())
    assert not np.shares_memory(fresh["W"], fresh["V"])


# -------------------------------------------------------------------- bound functions


@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize("samples", SIZES)
def test_flat_vectors(target, samples):
    arrays = arrays_of(samples)
    call, p = bound_to(sg.compile(LOSS, "parameters", backend=target), arrays)
    value = call(p)[0]
    for same in (p.tolist(), tuple(p), np.repeat(p, 2)[::2]):
        assert call(same)[0] == value
    parts = call.unpack(p)
    assert all(np.array_equal(parts[name], arrays[name]) for name in call.names)
    assert np.array_equal(call.pack(parts), p)
    for wrong in (
        p[:-1],
        p[:, None],
        3.0,
        np.array(1.0),
        {"W1": 1},
        [*p, 0.0],
    ):
        with pytest.raises(sg.ShapeError, match="flat vector"):
            call(wrong)
        with pytest.raises(sg.ShapeError, match="flat vector"):
            call.descend(wrong, 0.1)
    with pytest.raises(sg.DataError, match="complex128, not real"):
        call.pack({**parts, "b1": [1j, 2, 3]})


def test_what_is_bound_comes_as_in_a_call():
    function, arrays = sg.compile(LOSS, "parameters"), arrays_of(9)
    with pytest.raises(sg.OptionError, match="by name"):
        function.bind([arrays["X"], arrays["Y"]])
    with pytest.raises(sg.OptionError, match="missing `Y`"):
        function.bind(X=arrays["X"])
    with pytest.raises(sg.OptionError, match="unknown"):
        function.bind(X=arrays["X"], Y=arrays["Y"], Z=1)
    with pytest.raises(sg.ShapeError):
        function.bind(X=arrays["X"], Y=arrays["Y"][:-1])
    symbols = {name: variable.symbol for name, variable in function.inputs.items()}
    by_symbol = function.bind({symbols[name]: array for name, array in arrays.items()})
    p = by_symbol.pack({name: arrays[name] for name in by_symbol.names})
    np.testing.assert_allclose(by_symbol(p)[0], function(arrays)[0], rtol=1e-12)


LAYER = sg.Dense(2, "tanh")
W, B, Z, Y, C = sp.symbols("w b z y c", real=True)
DESCENTS = {
    "rows": (LOSS + sg.l2(sg.Network(2, [sg.Dense(3), sg.Dense(1)]), sp.Symbol("lam")), (), None),
    "columns": (sg.mae(sg.Network(2, [sg.Dense(3, "selu")], orientation="columns")), "xy", None),
    "shared": (sg.mse(sg.Network(2, [LAYER, LAYER])), (), None),
    "scalars": ((sp.tanh(W * Z + B) - Y * C) ** 2 + W**2 * B, "zy", ["w", "b"]),
}


@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize("order", [None, [3, 3, 0, 5]])
@pytest.mark.parametrize("name", DESCENTS)
def test_descent_is_the_plain_loop(target, order, name):
    formula, batch, wrt = DESCENTS[name]
    function = sg.compile(formula, wrt or "parameters", batch=list(batch), backend=target)
    random = np.random.default_rng(3)
    arrays = {}
    for key, variable in function.inputs.items():
        lead = [6] * (key in batch)
        shape = [6 if not s.is_Integer else int(s) for s in variable.sizes]
        arrays[key] = random.uniform(0.1, 1.0, (*lead, *shape))
    sampled = set(batch) or {"X", "Y"}
    call = function.bind({key: a for key, a in arrays.items() if key not in function._recipe.keys})
    p = call.pack({key: arrays[key] for key in call.names})
    wanted = dict(arrays)
    for k in 2 * (order or [*range(6)]):
        one = {key: a[k : k + 1] if key in sampled else a for key, a in wanted.items()}
        _, step = function(one)
        wanted.update({key: wanted[key] - 0.07 * step[key] for key in step})
    end = call.descend(p, 0.07, epochs=2, order=order)
    assert call.descend(p.tolist(), 0.07, epochs=2, order=order) == end.tolist()
    for key, part in call.unpack(end).items():
        np.testing.assert_allclose(part, wanted[key], rtol=1e-11, atol=1e-12)


def test_samples_are_written_out_from_the_second_time_on():
    formula = (sp.tanh(W * Z + B) - Y * C) ** 2 + W**2 * B * Z**3
    function = sg.compile(formula, ["w", "b"], batch=["z", "y"])
    zs, ys = np.array([-0.5, 2.0, -0.0, 1e-300, -3.0]), np.array([0.25, -1.0, 1.0, 0.0, -7.5])
    call = function.bind(z=zs, y=ys, c=-1.5)
    start = [0.3, -0.7]
    first = call.descend(start, 0.01, 7)
    assert call._written_out is not None
    assert call.descend(start, 0.01, 7) == first
    assert call.descend(start, 0.01, 7, order=range(5)) == first
    call.rebind(z=-zs)
    fresh = function.bind(z=-zs, y=ys, c=-1.5).descend(start, 0.01, 7)
    assert [call.descend(start, 0.01, 7) for _ in range(3)] == [fresh] * 3
    call.rebind(z=np.full(5, np.nan))
    for _ in range(3):
        with pytest.raises(sg.DivergenceError):
            call.descend(start, 0.01)
    many = function.bind(z=np.tile(zs, 90), y=np.tile(ys, 90), c=-1.5)
    assert many.descend(start, 0.01) == many.descend(start, 0.01)
    assert many._written_out is None


@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize("rate", [1e6, 1e200])
def test_a_descent_that_diverges_says_so(target, rate):
    call, p = bound_to(sg.compile(LOSS, "parameters", backend=target), arrays_of(9))
    with pytest.raises(sg.DivergenceError, match="finite"):
        call.descend(p, rate, epochs=100)
    assert np.isfinite(call(p)[0])


@pytest.mark.parametrize("target", TARGETS)
def test_a_loss_that_one_sample_does_not_have(target):
    shapes = {"X": ("n", 3), "w": (3,), "y": ("n",)}
    formula = sg.parse("sum((X@w - y)**2) / (n - 1)", shapes)
    function = sg.compile(formula, ["w"], backend=target)
    value, _ = function(X=np.ones((3, 3)), w=np.ones(3), y=np.zeros(3))
    assert value == 13.5
    if target == "numpy":
        with pytest.raises(sg.DataError, match=r"n - 1.* n = 1"):
            function(X=np.ones((1, 3)), w=np.ones(3), y=np.zeros(1))
    call = function.bind(X=np.ones((3, 3)), y=np.zeros(3))
    with pytest.raises(sg.SymgradError, match="one sample"):
        call.descend(call.pack({"w": np.ones(3)}), 0.1)


# ----------------------------------------------------------------------------- memory


@pytest.mark.parametrize("target", TARGETS)
def test_a_call_holds_the_data_once_more_and_little_else(target):
    function = sg.compile(LOSS, "parameters", backend=target)
    function(arrays_of(300))
    arrays = arrays_of(200_000)
    tracemalloc.start()
    try:
        function(arrays)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 3 * (arrays["X"].nbytes + arrays["Y"].nbytes)
