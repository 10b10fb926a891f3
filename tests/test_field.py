"""Evaluation in a prime field: identities hold there, and nothing else does."""

import itertools
import random
from fractions import Fraction

import numpy as np
import pytest
import sympy as sp
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import optimize

from symgrad import sigmoid, softplus
from symgrad.circuit import Circuit
from symgrad.lowering import lowered
from symgrad.verification import feasible
from symgrad.verification.feasible import possible
from symgrad.verification.field import Evaluation
from symgrad.verification.field.degrees import log2_of_degree
from symgrad.verification.field.modular import PRIMES, Relations, rational
from symgrad.verification.groups import independent
from symgrad.verification.problem import Problem
from symgrad.verification.proof import prove

x, y, z = sp.symbols("x y z", real=True)
R = sp.Rational


def proof_of(first, second):
    circuit = Circuit()
    at = {s: circuit.variable(s.name) for s in (x, y, z)}
    nodes = [lowered(circuit, sp.sympify(e), at) for e in (first, second)]
    return prove(Problem(circuit, (nodes[0],), (nodes[1],), ((),)), lambda: None)


EQUAL = [
    (sp.tanh(z), 2 * sigmoid(2 * z) - 1),
    (1 - sp.tanh(z) ** 2, sp.sech(z) ** 2),
    (sp.log(1 + sp.exp(-z)), softplus(z) - z),
    (sp.log(sp.exp(x) + sp.exp(y)), y + sp.log(1 + sp.exp(x - y))),
    (sp.exp(x * (y + z)), sp.exp(x * y) * sp.exp(x * z)),
    (sp.sqrt(1 + x**2) * sp.sqrt(1 + y**2), sp.sqrt((1 + x**2 + y**2) + x**2 * y**2)),
    (sp.sqrt(x**2), sp.Abs(x)),
    (sp.sin(x + y), sp.sin(x) * sp.cos(y) + sp.cos(x) * sp.sin(y)),
    (sp.sin(x + sp.pi / 3, evaluate=False), sp.sin(x) / 2 + sp.sqrt(3) * sp.cos(x) / 2),
    (sp.cos(x - sp.pi / 4, evaluate=False), (sp.cos(x) + sp.sin(x)) / sp.sqrt(2)),
    (sp.cos(x + sp.pi, evaluate=False), -sp.cos(x)),
    (sp.sin(2 * x) / (1 + sp.cos(2 * x)), sp.tan(x)),
    (sp.exp(2 * sp.tanh(x)), sp.exp(2 - 4 / (sp.exp(2 * x) + 1))),
    (sp.Max(x, y), (x + y + sp.Abs(x - y)) / 2),
    (sp.exp(sp.Max(0, z)), sp.Piecewise((sp.exp(z), z > 0), (1, True))),
    (2 * sp.log(x**2 + 1), sp.log(x**4 + 2 * x**2 + 1)),
    (sp.log(6 * (x**2 + 1)), sp.log(2) + sp.log(3) + sp.log(1 + x**2)),
    (sp.exp(sp.sqrt(2) * x) * sp.exp(x), sp.exp(x * (1 + sp.sqrt(2)))),
    (sp.asinh(x), -sp.log(sp.sqrt(x**2 + 1) - x)),
    (x**y * x, x ** (y + 1)),
    ((x**2 + 1) ** R(3, 2), (x**2 + 1) * sp.sqrt(x**2 + 1)),
    (sp.cbrt(1 + x**2) ** 4, (1 + x**2) * sp.cbrt(1 + x**2)),
    (sp.log(x), sp.log(2 * x) - sp.log(2)),
    (sp.exp(sp.exp(x) + y), sp.exp(sp.exp(x)) * sp.exp(y)),
    (sp.log(sp.exp(x) * (1 + y**2)), x + sp.log(1 + y**2)),
    (sp.Abs(x * y), sp.Abs(x) * sp.Abs(y)),
    (sp.exp(sp.Abs(x)), sp.Max(sp.exp(x), sp.exp(-x))),
    (sp.Max(x, y) * sp.Min(x, y), x * y),
    (sp.Abs(x - 1) + sp.Abs(x + 1), 2 * sp.Max(1, sp.Abs(x))),
    (sp.erf(-x, evaluate=False), -sp.erf(x)),
    (sp.gamma(x + y), sp.gamma(y + x)),
    # Roots of squares that are written as such nowhere, though their root is.
    (sp.sqrt(sp.sinh(x) ** 2 + 1), sp.cosh(x)),
    (sp.sqrt(x**2 + 2 * x * y + y**2), sp.Abs(x + y)),
    (sp.sqrt(12 * x**2 + 12 * x + 3), sp.sqrt(3) * sp.Abs(2 * x + 1)),
    ((sp.cosh(x) ** 2 - 1) ** R(3, 2), sp.Abs(sp.sinh(x)) ** 3),
    (1 / sp.sqrt(1 - sp.tanh(x) ** 2), sp.cosh(x)),
    (sp.sqrt(sp.sinh(x * y) ** 2 + 1) + sp.sinh(x * y), sp.exp(x * y)),
    (sp.sqrt((sp.exp(x) + sp.exp(-x)) ** 2 / 4 - 1), sp.Abs(sp.sinh(x))),
]
UNEQUAL = [
    (sp.sqrt(x**2), x),
    (sp.tanh(x), sp.tanh(2 * x) / 2),
    (sp.log(x**2), 2 * sp.log(x + 1)),
    (sp.log(x) + sp.log(y), sp.log(x + y)),
    (sp.exp(x * y), sp.exp(x) * sp.exp(y)),
    (sp.exp(x), sp.exp(x) * R(10**9 + 1, 10**9)),
    (sp.sin(x), sp.cos(x)),
    (sp.sin(x + sp.pi / 3, evaluate=False), -sp.sin(x)),
    (sp.sin(x + sp.pi / 5, evaluate=False), -sp.sin(x)),
    (sp.sin(x + sp.pi / 3, evaluate=False), sp.sin(x) / 2 - sp.sqrt(3) * sp.cos(x) / 2),
    (sp.sin(2 * x), 2 * sp.sin(x)),
    (sp.sqrt(2) * x, R(14142135623730951, 10**16) * x),
    (sp.Max(x, 0), x),
    (sp.Abs(x - 1), sp.Abs(x) - 1),
    (sp.exp(sp.Max(0, z)), sp.Piecewise((sp.exp(z), z > 0), (0, True))),
    (sp.Max(x, y, z), sp.Max(x, y)),
    (sp.erf(x), sp.erf(2 * x)),
    (sp.gamma(x + 1), sp.gamma(x)),
    (sp.pi * x, R(22, 7) * x),
    (x ** R(1, 3), x ** R(1, 2)),
    (sp.sqrt(1 + x**2), 1 + x),
    (sp.sqrt(x + 1) * sp.sqrt(x), x),
    (sp.sqrt(x**2 + 2 * x * y + y**2), x + y),
    (sp.sqrt(sp.cosh(x) ** 2 - 1), sp.sinh(x)),
    (sp.sqrt(2 * sp.sinh(x) ** 2 + 2), sp.cosh(x)),
]


@pytest.mark.parametrize("pair", EQUAL, ids=str)
def test_identities_are_proved(pair):
    proof = proof_of(*pair)
    assert proof.equal, proof.reason
    assert proof.log2_bound < -200


@pytest.mark.parametrize("pair", UNEQUAL, ids=str)
def test_what_is_no_identity_is_not_proved(pair):
    assert not proof_of(*pair).equal


def test_conditions_elsewhere_prove_nothing():
    # One pair has a condition and is equal; the other has none and is not.
    circuit = Circuit()
    at = {s: circuit.variable(s.name) for s in (x, y)}
    sides = [(sp.Max(x, 0), (x + sp.Abs(x)) / 2), (y, y + y**2 * R(1, 10**70))]
    first, second = zip(*sides, strict=True)
    nodes = [tuple(lowered(circuit, e, at) for e in side) for side in (first, second)]
    proof = prove(Problem(circuit, *nodes, ((0,), (1,))), lambda: None)
    assert not proof.equal
    assert proof.places == (1,)


def test_every_variable_is_seen():
    # A value that ignored an argument would prove f(x) = f(y).
    for head in (sp.exp, sp.log, sp.sin, sp.cos, sp.erf, sp.Abs, sp.sqrt, sp.gamma, sp.atan):
        assert not proof_of(head(x), head(y)).equal


terms = st.deferred(
    lambda: (
        st.sampled_from([x, y, sp.Integer(2), R(1, 3)])
        | st.tuples(terms, terms).map(lambda t: t[0] + t[1])
        | st.tuples(terms, terms).map(lambda t: t[0] * t[1])
        | terms.map(sp.tanh)
        | terms.map(lambda t: sp.exp(t / 5))
    )
)


@settings(max_examples=60, deadline=None)
@given(terms, terms)
def test_expansion_keeps_and_a_change_shows(first, second):
    whole = (first + second) ** 2
    parts = first**2 + 2 * first * second + second**2
    assert proof_of(whole, parts).equal
    assert not proof_of(whole, parts + x * R(1, 10**6)).equal


def test_square_roots_and_inverses():
    for prime in itertools.chain(*PRIMES):
        assert prime.p % 16 == 9
        assert sp.isprime(prime.p)
        random = np.random.default_rng(7)
        values = random.integers(1, prime.p, 2000, dtype=np.uint64)
        assert (values * prime.inverse(values) % np.uint64(prime.p) == 1).all()
        roots, there = prime.root(values)
        squares = roots * roots % np.uint64(prime.p)
        assert (squares[there] == values[there]).all()
        assert 0.4 < there.mean() < 0.6
        euler = prime.power(values, (prime.p - 1) // 2) == 1
        assert (euler == there).all()
        assert pow(prime.eighth_root, 4, prime.p) == prime.p - 1
        fifth = prime.odd_root(values, 5)
        assert (prime.power(fifth, 5) == values).all()
    cubes = [prime.odd_root(values, 3) is None for prime in PRIMES[3]]
    assert cubes == [False, True]


@given(st.integers(-20_000, 20_000), st.integers(1, 1000))
def test_small_rationals_are_read_back(numerator, denominator):
    number = Fraction(numerator, denominator)
    for prime in itertools.chain(*PRIMES):
        assert rational(prime.of(number), prime.p) == number


def test_relations_are_found_and_only_those():
    random = np.random.default_rng(5)
    prime = PRIMES[0][0]
    p = np.uint64(prime.p)
    first, second, third = random.integers(1, prime.p, (3, 80), dtype=np.uint64)
    relations = Relations(prime)
    assert relations.find(first) is None
    relations.add(first)
    assert relations.find(second) is None
    relations.add(second)
    mixed = (first * np.uint64(prime.of(Fraction(-2, 3))) + second * np.uint64(5)) % p
    assert relations.find(mixed) == {0: Fraction(-2, 3), 1: Fraction(5)}
    assert relations.find(third) is None
    assert relations.rank == 2


def test_degrees_bound_what_they_count():
    # (x^3 + 1)/(x + y)^2 has the numerator 3 and the denominator 2.
    circuit = Circuit()
    at = {s: circuit.variable(s.name) for s in (x, y)}
    run = Evaluation(PRIMES[0][0], 100)
    nodes = run.take(circuit, [lowered(circuit, (x**3 + 1) / (x + y) ** 2, at)])
    assert log2_of_degree(run, nodes) == pytest.approx(np.log2(5) + 1)
    # The same denominator twice counts once.
    twice = lowered(circuit, x / (x + y) + y / (x + y) + 1 / (x + y), at)
    run = Evaluation(PRIMES[0][0], 100)
    assert log2_of_degree(run, run.take(circuit, [twice])) <= 3


def test_a_degree_beyond_the_field_is_no_proof():
    big = x
    for _ in range(40):
        big = big**2 + y
    proof = proof_of(big * (x + 1), sp.Add(big * x, big, evaluate=False))
    assert not proof.equal
    assert "degree" in proof.reason


def test_conditions_that_cannot_hold_together():
    circuit = Circuit()
    at = {s: circuit.variable(s.name) for s in (x, y, z)}
    u = [lowered(circuit, e, at) for e in (x - 5, x - 3, x - y, y - z, z - x, sp.exp(x))]
    assert not possible(circuit, [(u[0], True), (u[1], False)])
    assert possible(circuit, [(u[0], False), (u[1], True)])
    assert not possible(circuit, [(u[2], True), (u[3], True), (u[4], True)])
    assert not possible(circuit, [(u[5], False)])


def holds_somewhere(circuit, conditions):
    """Whether a linear program in floats finds numbers for the nodes: t > 0 with u >= t."""
    rows = [feasible._linear(circuit, node, 1 if above else -1) for node, above in conditions]
    nodes = sorted({node for row in rows for node in row if node >= 0})
    strict = [feasible._above_zero(circuit, *condition) for condition in conditions]
    table = [
        [float(t), *(-float(row.get(n, 0)) for n in nodes)]
        for t, row in zip(strict, rows, strict=True)
    ]
    sides = [(0 if circuit.nodes[n].kind == "exp" else None, None) for n in nodes]
    found = optimize.linprog(
        [-1, *[0] * len(nodes)],
        table,
        [float(row.get(-1, 0)) for row in rows],
        bounds=[(None, 1), *sides],
    )
    return found.status == 0 and -found.fun > 1e-9


def test_conditions_hold_together_where_a_linear_program_says_so():
    draw = random.Random(5)
    told = []
    for _ in range(400):
        circuit = Circuit(almost_everywhere=draw.random() < 0.5)
        nodes = [circuit.variable(f"x{k}") for k in range(draw.randint(1, 4))]
        nodes += [circuit.exp(nodes[0]), circuit.maximum(circuit.number(0), nodes[0])]
        conditions = []
        for _ in range(draw.randint(1, 6)):
            parts = [circuit.scale(Fraction(draw.randint(-3, 3), 2), n) for n in nodes]
            node = circuit.add(*parts, circuit.number(draw.randint(-2, 2)))
            conditions.append((node, draw.random() < 0.5))
        told.append(possible(circuit, conditions))
        assert told[-1] == holds_somewhere(circuit, conditions)
    assert 20 < told.count(False) < 380


def test_sums_over_samples_have_groups_of_conditions():
    circuit = Circuit()
    at = {s: circuit.variable(s.name) for s in (x, y, z)}
    nodes = {s: circuit.positive(at[s]) for s in (x, y, z)}
    numbers = {nodes[s]: k for k, s in enumerate((x, y, z))}
    total = lowered(circuit, sp.Max(x, 0) + sp.Max(y, 0) * sp.Max(z, 0), at)
    half = circuit.scale(Fraction(1, 2), total)
    assert independent(circuit, [half], numbers) == [(0,), (1, 2)]
