"""User code read into a circuit: helpers, classes, closures, copies, and errors that name lines."""

from __future__ import annotations

import functools
import itertools
import math
import sys
from abc import ABC
from dataclasses import dataclass, field
from enum import Enum
from typing import Generic, TypeVar

import numpy as np
import pytest
from numpy import exp as raised
from scipy import special
from scipy.special import expit, softmax
from test_trace import agrees, traced

from symgrad.circuit import Circuit
from symgrad.reading.trace import call_traced, nodes_of, variables

T = TypeVar("T")
A = np.random.default_rng(3).uniform(-2, 2, (3, 4))
V = A[0].copy()
WEIGHTS = np.full((4, 2), 0.5)
TABLE = {"tanh": lambda z: np.tanh(z), "relu": lambda z: np.maximum(0, z)}
COUNT = 0


def sigmoid(z):
    return 1 / (1 + np.exp(-z))


def factorial_like(x, n):
    return x if n == 0 else x * factorial_like(x, n - 1)


def even(x, n):
    return x if n == 0 else odd(x + 1, n - 1)


def odd(x, n):
    return even(2 * x, n - 1) if n else 3 * x


def default(x, weights=WEIGHTS, *, scale=0.25):
    weights = weights * scale
    weights += 1
    return x @ weights


def counting(x):
    global COUNT
    COUNT += 1
    return COUNT * x


def changing(x):
    WEIGHTS[0] = 7
    WEIGHTS.T[1] += x[0, 0]
    x[0] = 0
    return x @ WEIGHTS


def logged(function):
    @functools.wraps(function)
    def inside(*args):
        return function(*args) + 1

    return inside


@logged
def decorated(x):
    return sigmoid(x)


class Layer:
    scale = 2.0

    def __init__(self, weights, activation=sigmoid):
        self.weights, self.activation = weights, activation
        self.cache = {}

    @property
    def double(self):
        return self.weights * self.scale

    @staticmethod
    def helper(x):
        return np.exp(x)

    @classmethod
    def named(cls, x):
        return cls.helper(x) * cls.scale

    def __call__(self, x):
        self.cache["x"] = x
        return self.activation(x @ self.double)

    def backward(self, g):
        return self.cache["x"].T @ g


class Twice(Layer):
    def __call__(self, x):
        return 2 * super().__call__(x)


class Slotted:
    __slots__ = ("weights",)

    def __init__(self):
        self.weights = WEIGHTS

    def __call__(self, x):
        return np.array(x @ self.weights)


class Cached(Generic[T], ABC):
    @functools.cached_property
    def weights(self):
        return np.zeros((4, 2)) + 0.5

    def __call__(self, x):
        self.weights[0] = x[0, 0]
        return x @ self.weights


class Kind(Enum):
    TANH = 1
    RELU = 2


@np.vectorize
def clipped(v):
    return max(0.0, min(1.0, v))


SLOTTED = Slotted()


@dataclass
class Options:
    rate: float = 0.5
    parts: list = field(default_factory=lambda: [1.0, 2.0])


LAYER = Twice(WEIGHTS)
OPTIONS = Options()
Pair = __import__("collections").namedtuple("Pair", "first second")
PAIR = Pair(2.0, np.array([1.0, 2.0, 3.0, 4.0]))


def closed(k):
    def inside(x):
        def deeper(y, n):
            return y if n == 0 else deeper(y * k, n - 1)

        return deeper(x, 3)

    return inside


def counter():
    count = 0

    def inside(x):
        nonlocal count
        count += 1
        return x * count

    return inside


def made(x):
    layer = Layer(np.ones((4, 2)))
    return layer.backward(layer(x))


def with_local_class(x):
    class Node:
        def __init__(self, value):
            self.value = value

        def __add__(self, other):
            return Node(self.value + other.value)

    return (Node(x) + Node(x**2)).value


CODE = {
    "helper": lambda x: sigmoid(x),
    "recursion": lambda x: factorial_like(x, 3),
    "two that call each other": lambda x: even(x, 5),
    "default": lambda x: default(x),
    "default given": lambda x: default(x, scale=2.0),
    "table": lambda x: TABLE["tanh"](x) + TABLE["relu"](x),
    "list": lambda x: [sigmoid, np.tanh][1](x),
    "partial": functools.partial(lambda k, x: k * x, 3.0),
    "decorated": lambda x: decorated(x),
    "class": lambda x: made(x),
    "object": lambda x: LAYER.backward(LAYER(x)),
    "method as function": LAYER.__call__,
    "object as function": LAYER,
    "static": lambda x: Layer.helper(x) + Layer.named(x),
    "slots": SLOTTED,
    "cached property": lambda x: Cached()(x),
    "enum": lambda x: np.tanh(x) if Kind.TANH is Kind(1) else x,
    "vectorized": lambda x: clipped(x),
    "dataclass": lambda x: OPTIONS.rate * x + OPTIONS.parts[1] * Options(rate=3.0).rate,
    "named tuple": lambda x: PAIR.first * x + PAIR.second,
    "closure": closed(2.5),
    "nonlocal": lambda x: counter()(x),
    "imported name": lambda x: raised(x),
    "local class": with_local_class,
    "generator": lambda x: sum(row for row in (r * 2 for r in x)),
    "try": lambda x: _tried(x),
    "star": lambda x: max(*x[0], 0) * x,
    "lambda default": lambda x, f=sigmoid: f(x),
    "map": lambda x: np.array(list(map(sigmoid, x))),
    "reduce": lambda x: functools.reduce(lambda a, b: a * b, x),
    "zip": lambda x: sum(a * b for a, b in itertools.pairwise(x)),
    "enumerate": lambda x: sum(k * r.sum() for k, r in enumerate(x)) if len(x) else 0,
    "known condition": lambda x: x if WEIGHTS[0, 0] > 0.25 else -x,
    "assert": lambda x: _asserted(x),
    "while": lambda x: _until(x),
}


def _tried(x):
    try:
        return {}["missing"]
    except KeyError:
        return x


def _asserted(x):
    assert x.shape == (3, 4)
    assert np.isfinite(x).all()
    assert isinstance(x, np.ndarray)
    return x


def _until(x):
    k = 0
    while k < x.shape[1]:
        k += 1
    return k * x


@pytest.mark.parametrize("name", CODE)
def test_user_code(name):
    agrees(CODE[name], A)


def test_nothing_of_the_module_changes():
    before = WEIGHTS.copy()
    known = dict(globals())
    first, second = traced(changing, A), traced(changing, A)
    np.testing.assert_array_equal(first, second)
    np.testing.assert_array_equal(WEIGHTS, before)
    assert COUNT == 0
    traced(counting, A)
    assert COUNT == 0
    LAYER.cache.clear()
    traced(LAYER, A)
    assert LAYER.cache == {}
    assert type(LAYER) is Twice
    assert all(globals()[name] is value for name, value in known.items())
    assert sigmoid(0) == 0.5


def test_arguments_are_not_changed_and_views_alias():
    circuit = Circuit()
    x = variables(circuit, "x", (3, 4))

    def change(a):
        row, column = a[1], a[:, 0]
        row += 1
        column[...] = 5
        a.reshape(-1)[2] = 9
        np.ravel(a.T)[0] = -1  # a copy
        return a

    result = call_traced(circuit, change, [x])
    assert nodes_of(x)[1, 1] == circuit.variable("x[1, 1]")
    assert repr(result[0, 2]) == "9"
    assert repr(result[2, 0]) == "5"
    assert nodes_of(result)[1, 1] == circuit.add(circuit.variable("x[1, 1]"), circuit.number(1))


def test_plain_constants_are_copies():
    circuit = Circuit()
    y, labels = np.array([0.5, 1.0]), np.array([1, 0])

    def change(x, y, labels):
        labels[0] = 0
        y[0] = x
        return y[labels]

    result = call_traced(circuit, change, [variables(circuit, "x"), y, labels])
    assert list(labels) == [1, 0]
    assert list(y) == [0.5, 1.0]
    assert nodes_of(result).tolist() == [circuit.variable("x")] * 2


def test_containers_of_arguments_and_results():
    circuit = Circuit()
    parameters = {"W": variables(circuit, "W", (4, 2)), "layers": [variables(circuit, "b", (2,))]}

    def step(x, parameters):
        parameters["W"] += 1
        return {"W": parameters["W"], "out": (x @ parameters["W"] + parameters["layers"][0],)}

    result = call_traced(circuit, step, [variables(circuit, "x", (3, 4)), parameters])
    assert nodes_of(result["out"][0]).shape == (3, 2)
    assert nodes_of(parameters["W"])[0, 0] == circuit.variable("W[0, 0]")


def test_exact_numbers():
    circuit = Circuit()
    assert nodes_of(call_traced(circuit, lambda x: np.sqrt(2) ** 2 + 0.1 + 0.2, [0]), circuit) == (
        circuit.number("2.3")
    )
    half = call_traced(circuit, lambda x: x / x.shape[0], [np.ones(3)])
    assert nodes_of(half)[0] == circuit.number("1/3")
    assert call_traced(
        circuit, lambda: math.sin(0) + np.float64(0.5) * 2, []
    ).node == circuit.number(1)


def test_spellings_of_one_function_are_one_node():
    circuit = Circuit()
    x = variables(circuit, "x")
    spelled = [math.tanh, np.tanh, lambda z: 1 - 2 / (np.exp(2 * z) + 1)]
    nodes = {call_traced(circuit, function, [x]).node for function in spelled}
    assert len(nodes) == 1


def test_user_modules_are_read_too(tmp_path, monkeypatch):
    (tmp_path / "my_helpers_of_trace.py").write_text(
        "import numpy as np\nfrom math import exp\nW = np.ones(4)\n"
        "def act(z):\n    return np.tanh(z) * W\n"
        "def one(z):\n    return exp(z)\n"
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    import my_helpers_of_trace as helpers
    from my_helpers_of_trace import act

    agrees(lambda x: helpers.act(x) + act(x), A)

    def late(x):
        from my_helpers_of_trace import one

        return one(x[0, 0]) * x

    agrees(late, A)
    sys.modules.pop("my_helpers_of_trace")


def test_scipy_special():
    agrees(lambda x: expit(x) + softmax(x, axis=1), A)
    agrees(lambda x: special.logsumexp(x, axis=1) + special.erf(x[:, 0]), A)
    agrees(lambda x: special.xlogy(x**2, x**2) + special.log_softmax(x, axis=1), A)
