"""Circuits: what is written into them is what the oracle computes, node by node."""

import math
from fractions import Fraction

import mpmath
import numpy as np
import oracle
import pytest
import sympy as sp

import symgrad as sg
from symgrad import functions, trees
from symgrad.circuit import Circuit, Undefined, exact
from symgrad.lowering import SizedNode, lowered, table
from symgrad.lowering.calculus import gradient
from symgrad.lowering.scalars import SPELLED
from symgrad.shapes import SHAPE_RULES
from symgrad.verification.balls import balls
from symgrad.verification.values import on_points

x, y = sp.symbols("x y", real=True)
POINT = {"x": Fraction(37, 53), "y": Fraction(-29, 41)}


@pytest.fixture(autouse=True)
def _many_digits():
    with mpmath.workdps(60):
        yield


def scalar(expression):
    circuit = Circuit()
    at = {s: circuit.variable(s.name) for s in (x, y)}
    return circuit, lowered(circuit, expression, at)


def number(circuit, node, point=POINT, digits=50):
    return balls(circuit, [node], point, digits)[node]


SCALARS = list(
    dict.fromkeys(
        [
            *(entry.apply(x) for entry in functions.FUNCTIONS.values()),
            *(head(x) for head in SPELLED if head not in (sp.acosh, sp.atanh)),
            *(
                sp.acosh(x + 2),
                sp.atanh(x / 2),
                sp.Abs(y),
                sp.sign(y),
                sp.Max(x, y, 0),
                sp.Min(x, y),
            ),
            *(x**y, sp.log(x, 3), sp.pi * x, sp.E**x, sp.sqrt(x**2 + 2), sp.cbrt(x), x**-3),
            *(
                sp.Piecewise((x, y > 0), (x**2, y < -5), (y, True)),
                sp.Sum(x ** sp.Symbol("i"), ("i", 0, 3)),
            ),
            *(
                functions.xlogy(x, x + 1),
                functions.logsumexp(x, y, 1),
                sp.Heaviside(y),
                sp.gamma(x),
            ),
            *(
                sp.Product(x + sp.Symbol("i"), ("i", 1, 3)),
                sp.GoldenRatio * x,
                sp.erf(x),
                sp.erfc(y),
            ),
        ]
    )
)


@pytest.mark.parametrize("expression", SCALARS, ids=str)
def test_scalars_against_sympy(expression):
    circuit, node = scalar(expression)
    value, error = number(circuit, node)
    definition = expression
    for _ in range(4):
        definition = definition.replace(
            lambda n: hasattr(n, "definition"), lambda n: n.definition()
        ).doit()
    values = {s: sp.Rational(v.numerator, v.denominator) for s, v in zip((x, y), POINT.values())}  # noqa: B905
    exact_value = definition.subs(values)
    assert (
        abs(value - mpmath.mpf(sp.N(exact_value, 60)._to_mpmath(200)))
        <= error + mpmath.mpf(10) ** -45
    )
    floats = {name: np.array([float(v)]) for name, v in POINT.items()}
    assert math.isclose(on_points(circuit, [node], floats, 1)[node][0], float(value), rel_tol=1e-12)


@pytest.mark.parametrize("rule", SHAPE_RULES.values(), ids=lambda rule: rule.head.__name__)
def test_every_matrix_node_against_the_oracle(rule):
    expression = rule.example()
    circuit, values = Circuit(), {}
    for symbol in trees.symbols(expression):
        values[symbol] = _leaf(circuit, symbol)
    written = lowered(circuit, expression, values)
    wanted = oracle.explicit(expression)
    nodes = np.atleast_1d(np.asarray(written, dtype=object)).ravel()
    entries = list(wanted) if isinstance(wanted, sp.MatrixBase) else [wanted]
    assert len(nodes) == len(entries)
    names = sorted({s.name for entry in entries for s in sp.sympify(entry).free_symbols})
    point = {name: Fraction(k * k + 3, 7 + 2 * k) for k, name in enumerate(names)}
    numbers = {
        oracle.variable(n): sp.Rational(v.numerator, v.denominator) for n, v in point.items()
    }
    shown = [node.value for node in circuit.nodes if node.kind == "variable"]
    assert set(names) <= set(shown)
    for node, entry in zip(nodes, entries, strict=True):
        full = {name: point.get(name, Fraction(1)) for name in shown}
        value, _ = balls(circuit, [int(node)], full, 40)[int(node)]
        assert abs(value - mpmath.mpf(str(sp.N(sp.sympify(entry).subs(numbers), 40)))) < 1e-30


def _leaf(circuit, symbol):
    if isinstance(symbol, sp.MatrixSymbol):
        return table(symbol.shape, lambda i, j: circuit.variable(f"{symbol.name}_{i + 1}_{j + 1}"))
    return circuit.variable(symbol.name)


@pytest.mark.parametrize("expression", SCALARS, ids=str)
def test_derivatives_against_high_precision_differences(expression):
    circuit, node = scalar(expression)
    step = Fraction(1, 10**12)
    for name in ("x", "y"):
        slope = gradient(circuit, node, [circuit.variable(name)])[0]
        ahead, behind = ({**POINT, name: POINT[name] + sign * step} for sign in (1, -1))
        difference = (number(circuit, node, ahead)[0] - number(circuit, node, behind)[0]) / (
            2 * mpmath.mpf(step.numerator) / step.denominator
        )
        assert abs(number(circuit, slope)[0] - difference) < 1e-18 * (1 + abs(difference))


@pytest.mark.parametrize(
    ("given", "meant"),
    [
        (0.1, Fraction(1, 10)),
        (1e-5, Fraction(1, 100000)),
        (1 / 3, Fraction(1, 3)),
        (2 / 7, Fraction(2, 7)),
        (0.1 + 0.2, Fraction(3, 10)),
        (0.044715, Fraction(44715, 1000000)),
        (-1.5, Fraction(-3, 2)),
        (np.float64(0.01), Fraction(1, 100)),
        (np.int64(3), Fraction(3)),
        (sp.Rational(2, 3), Fraction(2, 3)),
        (math.sqrt(2), Fraction(repr(math.sqrt(2)))),
    ],
)
def test_numbers_are_read_as_they_are_meant(given, meant):
    assert exact(given) == meant


def test_numbers_that_are_none():
    for value in (math.nan, math.inf):
        with pytest.raises(sg.UnsupportedError, match="finite"):
            exact(value)


def test_equal_parts_are_one_node():
    circuit = Circuit()
    u, v = circuit.variable("u"), circuit.variable("v")
    assert circuit.add(u, v) == circuit.add(v, u)
    assert circuit.multiply(u, v, u) == circuit.multiply(circuit.power(u, 2), v)
    assert circuit.subtract(u, u) == circuit.number(0)
    assert circuit.divide(circuit.multiply(u, v), u) == v
    assert circuit.root(circuit.power(u, 2)) == circuit.absolute(u)
    assert circuit.log(circuit.exp(u)) == u
    # The other way round they are u where u is positive, and nothing elsewhere.
    assert circuit.power(circuit.root(u), 2) != u
    assert circuit.exp(circuit.log(u)) != u
    generic = Circuit(almost_everywhere=True)
    w = generic.variable("w")
    assert generic.power(generic.root(w), 2) == generic.exp(generic.log(w)) == w
    assert circuit.positive(circuit.scale(3, u)) == circuit.positive(u)
    relu = circuit.maximum(circuit.number(0), u)
    assert circuit.positive(relu) == circuit.positive(u)


def test_errors_name_what_cannot_be():
    circuit = Circuit()
    # What has no value may stand in a branch that is not taken, and is no error.
    nothing = circuit.call(Undefined)
    assert circuit.power(circuit.number(0), -1) == nothing
    assert circuit.power(circuit.number(-2), Fraction(1, 2)) == nothing
    assert mpmath.isnan(number(circuit, nothing)[0])
    with pytest.raises(sg.UnsupportedError, match="too large"):
        circuit.power(circuit.number(10), 10**9)
    with pytest.raises(sg.UnsupportedError, match="undefined function"):
        lowered(circuit, sp.Function("f")(sp.Integer(2)))
    with pytest.raises(sg.UnsupportedError, match="not known"):
        lowered(circuit, sp.Symbol("q"))
    with pytest.raises(sg.UnsupportedError, match="not an integer"):
        lowered(circuit, sp.Identity(sp.Symbol("n")))
    assert lowered(circuit, sp.Identity(sp.Symbol("n")), {sp.Symbol("n"): SizedNode(2)}).shape == (
        2,
        2,
    )


@pytest.mark.parametrize("size", [1, 2, 3, 4, 5])
def test_inverses_and_determinants_by_minors_and_by_elimination(size):
    circuit = Circuit()
    A = sp.MatrixSymbol("A", size, size)
    nodes = table((size, size), lambda i, j: circuit.variable(f"A_{i}_{j}"))
    random = np.random.default_rng(size)
    numbers = random.uniform(-2, 2, (size, size))
    floats = {f"A_{i}_{j}": np.array([numbers[i, j]]) for i, j in np.ndindex(size, size)}
    inverse = lowered(circuit, sp.Inverse(A), {A: nodes})
    determinant = lowered(circuit, sp.Determinant(A), {A: nodes})
    outputs = [*map(int, inverse.ravel()), determinant]
    values = on_points(circuit, outputs, floats, 1)
    found = np.array([values[n][0] for n in outputs[:-1]]).reshape(size, size)
    np.testing.assert_allclose(found, np.linalg.inv(numbers), rtol=1e-9)
    np.testing.assert_allclose(values[determinant][0], np.linalg.det(numbers), rtol=1e-9)
    zero = table((size, size), lambda i, j: circuit.number(int(i == 0 and j == 0)))
    if size > 1:
        assert lowered(circuit, sp.Determinant(A), {A: zero}) == circuit.number(0)
