"""The gamma function and its relatives: compiled values to the accuracy that is stated."""

import subprocess
import sys

import mpmath
import numpy as np
import pytest
import sympy as sp

import symgrad as sg
from symgrad.functions.special import HIGHEST_ORDER, KERNELS, NAMES, NEEDS

x = sp.Symbol("x", real=True)
RANDOM = np.random.default_rng(3)
POSITIVE = np.concatenate(
    [
        RANDOM.uniform(0.001, 3, 200),
        RANDOM.uniform(3, 170, 200),
        10.0 ** RANDOM.uniform(-8, 5, 100),
        np.arange(1, 30),
    ]
)
NEGATIVE = -np.concatenate([RANDOM.uniform(0.001, 3, 200), RANDOM.uniform(3, 160, 200)])


def exact(function, points):
    with mpmath.workdps(40):
        return [function(mpmath.mpf(float(point))) for point in points]


def worst(expression, function, points, absolute):
    """The largest error, relative to the value, or to 1 and the value."""
    found = sg.compile(sg.Formula.of(expression), batch=["x"])(x=points)
    errors = []
    with mpmath.workdps(40):
        for value, wanted in zip(found, exact(function, points), strict=True):
            if mpmath.mpf("1e-300") < abs(wanted) < mpmath.mpf("1e308"):
                scale = absolute + abs(wanted)
                errors.append(float(abs(mpmath.mpf(float(value)) - wanted) / scale))
    assert len(errors) > 300
    return max(errors)


def log_absolute_gamma(z):
    return mpmath.log(abs(mpmath.gamma(z)))


@pytest.mark.parametrize("points", [POSITIVE, NEGATIVE], ids=["positive", "negative"])
def test_values_have_the_stated_accuracy(points):
    assert worst(sp.gamma(x), mpmath.gamma, points, 0) < 5e-15
    assert worst(sp.loggamma(x), log_absolute_gamma, points, 1) < 2e-15
    assert worst(sp.digamma(x), mpmath.digamma, points, 1) < 2e-15


@pytest.mark.parametrize("order", [1, 2, 3, 7, HIGHEST_ORDER])
def test_polygamma_has_the_stated_accuracy(order):
    least = 10.0 ** (-280 / (order + 1))  # below it the value overflows
    found = POSITIVE[least < POSITIVE]
    expression = sp.polygamma(order, x)
    assert worst(expression, lambda z: mpmath.polygamma(order, z), found, 0) < 1e-14
    below = worst(expression, lambda z: mpmath.polygamma(order, z), NEGATIVE, 1)
    assert below < 1e-12


def test_at_a_pole_there_is_no_value():
    for expression in (sp.gamma(x), sp.digamma(x), sp.polygamma(1, x)):
        assert np.isnan(sg.compile(sg.Formula.of(expression))(x=-2.0))


def test_types_are_kept():
    for expression in (sp.gamma(x), sp.loggamma(x), sp.digamma(x), sp.polygamma(3, x)):
        f = sg.compile(sg.Formula.of(expression), dtype="float32")
        assert f(x=np.float32(2.5)).dtype == np.float32
        assert isinstance(sg.compile(sg.Formula.of(expression))(x=2.5), float)


def test_every_kernel_is_used():
    assert {*NAMES.values(), *(k for needed in NEEDS.values() for k in needed), "digamma"} == {
        *KERNELS
    }


DERIVATIVES = {
    "gammaln(x)": "digamma(x)",
    "gamma(x)": "gamma(x) * digamma(x)",
    "digamma(x)": "polygamma(1, x)",
    "polygamma(2, x)": "polygamma(3, x)",
    "gammaln(x + 1) - log(x) - gammaln(x)": "digamma(x + 1) - 1/x - digamma(x)",
}


@pytest.mark.parametrize("text", DERIVATIVES)
def test_derivatives_are_proved(text):
    assert sg.verify(sg.parse(text), "x", DERIVATIVES[text]).status == "proved"
    assert sg.verify(sg.parse(text), "x", f"{DERIVATIVES[text]} + 1e-9").status == "refuted"


def test_a_likelihood_with_gamma_functions():
    text = "sum((a - 1) * log(y) - b * y + a * log(b) - gammaln(a))"
    loss = sg.parse(text, {"y": "n", "a": (), "b": ()}, {"y": "positive", "a": "positive"})
    y = RANDOM.gamma(2.0, size=50)
    function = sg.compile(loss, wrt=["a", "b"])
    _, grads = function(y=y, a=2.0, b=1.5)
    step = 1e-5
    slope = (function(y=y, a=2 + step, b=1.5)[0] - function(y=y, a=2 - step, b=1.5)[0]) / 2 / step
    assert grads["a"] == pytest.approx(slope, rel=1e-8)
    assert grads["b"] == pytest.approx(50 * 2 / 1.5 - y.sum())


def test_names_of_variables_may_be_those_of_functions():
    loss = sg.parse("sum(gamma * X + beta)", {"X": ("n", "d"), "gamma": "d", "beta": "d"})
    assert sg.compile(loss)(X=np.ones((2, 3)), gamma=np.ones(3), beta=np.zeros(3)) == 6
    with pytest.raises(sg.ParseError, match="no function"):
        sg.parse("gamma * gamma(2)", {"gamma": ()})
    both = sg.parse("psi * digamma(psi)", {"psi": ()})
    assert "psi" in sg.compile(both).source


def test_a_saved_module_carries_its_own(tmp_path):
    path = tmp_path / "likelihood.py"
    sg.compile(sg.parse("gammaln(a) + gamma(a) * polygamma(2, a)"), wrt="a").save(path)
    done = subprocess.run(
        [sys.executable, "-I", str(path)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr


def test_orders_out_of_range():
    with pytest.raises(sg.OptionError, match="order"):
        sg.parse("polygamma(-1, x)")
    with pytest.raises(sg.OptionError, match="order"):
        sg.parse("polygamma(t, x)")
    with pytest.raises(sg.UnsupportedError, match="order"):
        sg.compile(sp.polygamma(HIGHEST_ORDER + 1, x))
