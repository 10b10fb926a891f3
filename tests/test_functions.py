"""Scalar functions: the registry is walked, every entry compared with the oracle."""

import math
import pickle
import subprocess
import sys

import mpmath
import numpy as np
import oracle
import pytest
import sympy as sp
from checks import function_is_right

import symgrad as sg
from symgrad import functions

z = sp.Symbol("z", real=True)
NAMES = sorted(functions.FUNCTIONS)
OWN = [
    e.apply for e in functions.FUNCTIONS.values()
    if isinstance(e.apply, type) and issubclass(e.apply, functions.ScalarFunctionBase)
]  # fmt: skip
# Saturated, ordinary and kinked arguments; never only the points at which all functions agree.
POINTS = [-800.0, -40.0, -1.25, -1e-3, 1e-3, 0.75, 40.0, 800.0]


def applied(name):
    return functions.FUNCTIONS[name].apply(z)


def slopes(name):
    """The oracle's definition and its first two derivatives, as functions of an mpf."""
    value = oracle.DEFINITIONS[name](z)
    first = oracle.gradient(value, z)
    return value, first, oracle.gradient(first, z)


def high_precision(expression, x):
    # At 800 the definitions cancel some 700 digits.
    return oracle.evaluate(expression, {"z": sp.Rational(x)}, digits=900)


@pytest.mark.parametrize("name", NAMES)
def test_an_entry_is_complete_and_right(name):
    entry = functions.FUNCTIONS[name]
    assert entry.name == name
    assert entry.law
    assert entry.latex
    assert function_is_right(entry)


@pytest.mark.parametrize("name", NAMES)
def test_the_second_derivative_is_the_definitions(name):
    entry = functions.FUNCTIONS[name]
    second = sg.gradient(sg.gradient(entry.apply(z) * z, z), z)
    wanted = oracle.gradient(oracle.gradient(oracle.DEFINITIONS[name](z) * z, z), z)
    for point in (entry.example, -entry.example, sp.Rational(29, 13)):
        got = oracle.evaluate(oracle.inline(list(second.graph), second.output), {"z": point})
        assert oracle.agree(got, oracle.evaluate(wanted, {"z": point}))


@pytest.mark.parametrize("name", NAMES)
def test_numpy_forms_are_stable(name):
    """Value, first and second derivative are finite and right, saturated or not."""
    value = sg.Formula.of(applied(name), parameters=["z"] if applied(name).has(z) else None)
    compiled = sg.compile(value, ["z"])
    again = sg.compile(sg.gradient(value, "z"), ["z"])
    wanted = slopes(name)
    for x in POINTS:
        number, first = compiled(z=x)
        repeated, second = again(z=x)
        assert repeated == first["z"]
        for got, expression in zip((number, first["z"], second["z"]), wanted, strict=True):
            right = high_precision(expression, x)
            # 1 - a^2 of a saturated a is right to the last digit of 1, not of itself.
            assert abs(got - right) <= 1e-15 + 4e-15 * abs(right), (name, x)


@pytest.mark.parametrize("name", ["sigmoid", "softplus", "silu"])
def test_small_values_keep_their_digits(name):
    compiled = sg.compile(applied(name))
    for x in (-700.0, -300.0, -36.0):
        right = high_precision(slopes(name)[0], x)
        assert abs(compiled(z=x) - right) <= 1e-14 * abs(right)


@pytest.mark.parametrize("name", NAMES)
def test_kinks_are_declared_and_follow_the_convention(name):
    entry = functions.FUNCTIONS[name]
    value = oracle.DEFINITIONS[name](z)
    tiny = sp.Rational(1, 10**30)
    for place in (-3, -1, sp.S.Zero, sp.Rational(1, 3), 1, 3):
        sides = [
            [oracle.evaluate(e, {"z": place + step}) for e in (value, oracle.gradient(value, z))]
            for step in (-tiny, tiny)
        ]
        jumps = any(abs(a - b) > 1e-20 for a, b in zip(*sides, strict=True))
        assert jumps == (place in entry.kinks), (name, place)
    for place in entry.kinks:
        # The convention is the closed derivative, in every form of it, and one of the slopes
        # beside the kink or zero.
        stated = sp.sympify(entry.derivative(z)).subs(z, place)
        through = sg.gradient(entry.apply(z), z).sympy.subs(z, place).doit()
        slope = oracle.gradient(value, z)
        beside = [oracle.evaluate(slope, {"z": place + side}) for side in (-tiny, tiny)]
        got = sg.compile(entry.apply(z), ["z"])(z=float(place))[1]["z"]
        for said in (stated, through, got):
            assert min(abs(float(said) - float(b)) for b in (*beside, 0)) < 1e-15
            assert math.isclose(float(said), got, rel_tol=1e-14)


@pytest.mark.parametrize("module", ["numpy", "math", "mpmath"])
@pytest.mark.parametrize("name", NAMES)
def test_lambdify(name, module):
    function = sp.lambdify(z, applied(name), module)
    for x in POINTS:
        if name == "tanh" or abs(x) < 100 or name in ("relu", "step", "softplus", "identity"):
            right = high_precision(oracle.DEFINITIONS[name](z), x)
            assert abs(function(x) - right) <= 1e-15 + 4e-15 * abs(right), (name, x)


def test_lambdify_takes_arrays():
    table = np.array([[-800.0, -1.0, 0.0], [0.5, 2.0, 800.0]])
    for function in set(OWN) - {sg.functions.gelu}:  # NumPy has no erf
        made = sp.lambdify(z, function(z), "numpy")(table)
        assert made.shape == table.shape
        assert np.all(np.isfinite(made))


@pytest.mark.parametrize("function", OWN, ids=lambda f: f.__name__)
def test_sympys_protocol(function):
    made = function(2 * z + 1)
    assert made.func(*made.args) == made
    assert pickle.loads(pickle.dumps(made)) == made
    assert hash(pickle.loads(pickle.dumps(made))) == hash(made)
    assert made.subs(z, sp.Symbol("q")) == function(2 * sp.Symbol("q") + 1)
    assert made.xreplace({z: z**2}) == function(2 * z**2 + 1)
    assert made.doit() == made
    assert made.is_extended_real
    entry = functions.entry_of(function)
    if entry.name not in ("log1pexp", "log_cosh"):  # is printed as what it stands for
        assert sp.latex(made) == rf"{entry.latex}\left(2 z + 1\right)"
        assert sp.latex(made**2).startswith(f"{entry.latex}^{{2}}")
    assert sp.simplify(made.diff(z) - 2 * entry.derivative(2 * z + 1)) == 0
    with pytest.raises(sp.core.function.ArgumentIndexError):
        made.fdiff(2)
    with pytest.raises(TypeError):
        function(z, z)


@pytest.mark.parametrize("x", [-800, -30, sp.Rational(-7, 3), sp.Rational(5, 2), 60])
@pytest.mark.parametrize("function", OWN, ids=lambda f: f.__name__)
def test_numbers_are_right_to_the_digits_that_they_show(function, x):
    # log(1 + exp(-30)) as it stands has two right digits of the fifteen shown.
    right = high_precision(oracle.DEFINITIONS[function.__name__](z), sp.sympify(x))
    with mpmath.workdps(60):
        exact = function(sp.sympify(x)).evalf(40)
        if abs(right) < 1e-300:  # in 1 + erf so many digits cancel, of 900 in the oracle
            assert abs(exact) < sp.Rational(10) ** -300
            return
        assert abs(oracle.number(exact) - right) <= abs(right) * mpmath.mpf(10) ** -39
        floating = oracle.number(function(sp.Float(x)))
        # The argument itself is rounded to 53 bits.
        assert abs(floating - right) <= abs(right) * 1e-13


def test_values_that_are_known_are_taken():
    positive, negative = sp.Symbol("p", positive=True), sp.Symbol("q", negative=True)
    assert sg.sigmoid(sp.S.Zero) == sp.Rational(1, 2)
    assert sg.relu(positive) == positive
    assert sg.relu(negative) == 0
    assert (sg.step(positive), sg.step(negative), sg.step(sp.S.Zero)) == (1, 0, 0)
    assert sg.relu(z).func is sg.relu
    assert sg.sigmoid(z).rewrite(sp.exp) == 1 / (1 + sp.exp(-z))
    assert math.isclose(sg.softplus(sp.Float(0)), math.log(2))


def test_activations_are_found_by_name_and_by_class():
    assert functions.activation("tanh") is functions.activation(sp.tanh)
    assert functions.activation(None).name == "identity"
    assert functions.activation("swish").name == "silu"
    assert functions.activation("heaviside").name == "step"
    assert all(name in functions.FUNCTIONS for name in functions.ALIASES.values())
    assert functions.entry_of(sp.cos) is None
    with pytest.raises(sg.OptionError, match="did you mean `sigmoid`"):
        functions.activation("sigmoyd")
    with pytest.raises(sg.OptionError, match="unknown activation"):
        functions.activation(sp.cos)


def test_the_error_function_of_saved_modules(tmp_path):
    """NumPy has none: the one that generated code carries is right to its stated accuracy."""
    erf, erfc = (sg.compile(f(z)) for f in (sp.erf, sp.erfc))
    with mpmath.workdps(40):
        for x in np.concatenate([np.linspace(-6, 26, 321), [1e-300, -1e-10, 0.5, -0.5]]):
            for compiled, right in ((erf, mpmath.erf(x)), (erfc, mpmath.erfc(x))):
                assert abs(compiled(z=x) - right) <= 5e-15 * abs(right), x
    net = sg.Network(2, [sg.Dense(3, activation="gelu"), sg.Dense(2, activation="softmax")])
    path = sg.compile(sg.cross_entropy(net), wrt="parameters").save(tmp_path / "net.py")
    done = subprocess.run([sys.executable, "-I", path], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "agree with central differences" in done.stdout
