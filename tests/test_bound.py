"""Bound functions: other data in the same buffers, the value alone."""

import numpy as np
import pytest
import sympy as sp

import symgrad as sg

RNG = np.random.default_rng(11)
X, Y = RNG.normal(size=(23, 2)), RNG.uniform(-0.8, 0.8, size=(23, 2))


@pytest.mark.parametrize("backend", ["numpy", "c"])
@pytest.mark.parametrize("count", [1, 9, 700])
def test_rebinding_is_binding_again(backend, count):
    net = sg.Network(2, [sg.Dense(3, activation="tanh"), sg.Dense(1)])
    function = sg.compile(sg.mse(net), "parameters", backend=backend)
    draw = np.random.default_rng(count)
    old, new = (
        {"X": draw.normal(size=(count, 2)), "Y": draw.normal(size=(count, 1))} for _ in "ab"
    )
    call, fresh = function.bind(old), function.bind(new)
    p = draw.normal(size=call.size)
    before = call.value(p), call(p)[1].copy(), call.descend(p, 0.1)
    call.rebind(X=new["X"])
    call.rebind(new)
    np.testing.assert_allclose(call.value(p), call(p)[0], rtol=1e-13)
    assert call(p)[0] == fresh(p)[0] != before[0]
    np.testing.assert_array_equal(call(p)[1], fresh(p)[1])
    np.testing.assert_array_equal(call.descend(p, 0.1), fresh.descend(p, 0.1))
    assert call.value(p) == fresh.value(p)
    assert not np.array_equal(call(p)[1], before[1])
    assert not np.array_equal(call.descend(p, 0.1), before[2])


def test_rebinding_reaches_the_arrays_behind_pythons_own_floats():
    """exp(800) raises in Python's math: NumPy's form takes over, with the new data."""
    w, x = sp.symbols("w x", real=True)
    call = sg.compile(sp.exp(w * x) * x, wrt=["w"]).bind(x=1.0)
    assert call(np.array([800.0]))[0] == np.inf
    call.rebind(x=-1.0)
    assert call(np.array([-800.0]))[0] == -np.inf
    assert call(np.array([1.0]))[0] == pytest.approx(-np.exp(-1.0))


def test_what_rebind_refuses():
    call = sg.compile(sg.mse(sg.Network(2, [sg.Dense(1)])), "parameters").bind(X=X, Y=Y[:, :1])
    with pytest.raises(sg.ShapeError, match=r"`X` was bound as .*23.*rebind keeps the shapes"):
        call.rebind(X=X[:5])
    with pytest.raises(sg.OptionError, match="unknown bound input `W1`"):
        call.rebind(W1=np.zeros((2, 1)))
    with pytest.raises(sg.ShapeError, match=r"the flat vector of .* has 3 numbers"):
        call.value(np.zeros(4))
