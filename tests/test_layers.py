"""Networks as specifications: what may be built, what it is called, what is told apart."""

import copy
import pickle

import numpy as np
import pytest
import sympy as sp

import symgrad as sg
from symgrad import functions, layers

ACTIVATIONS = [name for name in functions.FUNCTIONS if name != "step"]


def arrays_for(net, samples=4, seed=0):
    rng = np.random.default_rng(seed)
    return {
        name: rng.uniform(0.2, 1.0, [samples if size == "n" else size for size in v.shape])
        for name, v in sg.mse(net).inputs.items()
    }


@pytest.mark.parametrize("name", ACTIVATIONS)
@pytest.mark.parametrize("form", ["rows", "columns", "scalars"])
def test_every_activation_of_the_registry_makes_a_network(name, form):
    net = getattr(sg.Network(2, [sg.Dense(2, activation=name), sg.Dense(1)]), form)()
    function = sg.compile(sg.mse(net), wrt="parameters")
    arrays = arrays_for(net)
    value, grads = function(arrays)
    assert value > 0
    for key, gradient in grads.items():
        step = 1e-6 * np.ones(np.shape(arrays[key]))
        ahead, behind = (
            function({**arrays, key: arrays[key] + sign * step})[0] for sign in (1, -1)
        )
        slope = (ahead - behind) / 2e-6
        assert np.isclose(np.sum(gradient), slope, rtol=1e-5, atol=1e-8)


def test_an_activation_may_be_its_function():
    by_class = sg.Network(1, [sg.Dense(1, activation=sp.tanh)]).scalars()
    by_name = sg.Network(1, [sg.Dense(1, activation="tanh")]).scalars()
    assert by_class.output.sympy == by_name.output.sympy
    assert sg.Dense(2, activation=sg.relu).function.name == "relu"
    assert sg.Dense(2).function.name == sg.Dense(2, activation=None).function.name == "identity"


@pytest.mark.parametrize("first", ["rows", "columns"])
def test_forms_follow_from_one_another(first):
    net = sg.Network(3, [sg.Dense(2, activation="tanh"), sg.Dense(2)], orientation=first)
    assert net.form == net.orientation == first
    assert net.rows().columns().rows().parameters == net.rows().parameters
    assert net.columns().parameters["W1"] == (2, 3)
    assert net.rows().parameters["W1"] == (3, 2)
    assert net.scalars().form == "scalars"
    # Row 2, column 1 of W1 as this network lays it out.
    expression = net.scalars().output.sympy[0]
    x1, x2, entry = sp.symbols("x_1 x_2 w1_2_1", real=True)
    source = x2 if first == "rows" else x1
    assert source * entry in sp.preorder_traversal(expression)


def test_scalars_leave_out_indices_of_size_one():
    assert list(sg.Network(1, [sg.Dense(1)]).scalars().parameters) == ["w1", "b1"]
    assert list(sg.Network(2, [sg.Dense(1)]).scalars().parameters) == ["w1_1", "w1_2", "b1"]
    assert list(sg.Network(1, [sg.Dense(2)]).scalars().parameters) == [
        "w1_1", "w1_2", "b1_1", "b1_2"
    ]  # fmt: skip
    assert layers.sample_names(sg.Network(2, [sg.Dense(2)]).scalars()) == (
        ["x_1", "x_2"], ["y_1", "y_2"]
    )  # fmt: skip


@pytest.mark.parametrize("form", ["rows", "columns", "scalars"])
def test_a_shared_layer_has_one_set_of_weights(form):
    shared = sg.Dense(2, activation="tanh")
    net = getattr(sg.Network(2, [shared, shared]), form)()
    assert {name.split("_")[0].lower() for name in net.parameters} == {"w1", "b1"}
    equal = sg.Network(2, [sg.Dense(2, activation="tanh"), sg.Dense(2, activation="tanh")])
    assert "W2" in equal.parameters


def test_networks_without_biases_have_none():
    net = sg.Network(3, [sg.Dense(2, bias=False), sg.Dense(1, bias=False)])
    assert list(net.parameters) == ["W1", "W2"]
    assert list(net.columns().parameters) == ["W1", "W2"]
    assert not any(name.startswith("b") for name in net.scalars().parameters)


def test_targets_are_formulas():
    net = sg.Network(2, [sg.Dense(3)])
    assert net.target.shape == ("n", 3)
    assert net.columns().target.shape == (3,)
    assert net.scalars().target.shape == (3,)
    value = sg.compile(sg.Network(2, [sg.Dense(2)]).scalars().target)(y_1=1, y_2=2)
    np.testing.assert_array_equal(value, [1.0, 2.0])


@pytest.mark.parametrize("form", ["rows", "columns", "scalars"])
def test_formulas_of_networks_are_copied_and_pickled(form):
    net = getattr(sg.Network(2, [sg.Dense(2, activation="sigmoid"), sg.Dense(1)]), form)()
    loss = sg.mse(net)
    for again in (copy.deepcopy(loss), pickle.loads(pickle.dumps(loss))):
        assert again.graph.definitions == loss.graph.definitions
        assert again.latex() == loss.latex()


def test_what_a_network_says_of_itself():
    net = sg.Network(2, [sg.Dense(3, activation="relu"), sg.Dense(1, bias=False)])
    names = {"Network": sg.Network, "Dense": sg.Dense}
    assert eval(repr(net), names).parameters == net.parameters
    assert eval(repr(net.columns()), names).orientation == "columns"
    assert eval(repr(net.scalars()), names).form == "scalars"


REFUSED = {
    "units as a truth": (lambda: sg.Dense(True), "positive whole number of units, not True"),
    "half a unit": (lambda: sg.Dense(1.5), "not 1.5"),
    "bias as text": (lambda: sg.Dense(1, bias="no"), "bias is True or False, not 'no'"),
    "an activation that is none": (lambda: sg.Dense(1, activation=abs), "unknown activation"),
    "one layer bare": (lambda: sg.Network(1, sg.Dense(1)), "layers are a list such as"),
    "an option of a network": (
        lambda: sg.Network(1, [sg.Dense(1)], orientatoin="rows"), "did you mean `orientation`?"
    ),
    "loss with two targets": (
        lambda: sg.mse(sg.Network(1, [sg.Dense(1)]), sp.Symbol("y")), "declares the target itself"
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_refused(name):
    call, words = REFUSED[name]
    with pytest.raises(sg.OptionError) as raised:
        call()
    assert words in str(raised.value)
