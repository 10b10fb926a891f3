"""Claims made to be accepted although they are wrong, and right ones that are easily refused."""

import time

import numpy as np
import pytest
import sympy as sp
from sympy import Abs, And, Eq, Heaviside, Max, Ne, Or, Piecewise, floor, log, sign, sqrt

import symgrad as sg

R = sp.Rational
x, y, z, w = sp.symbols("x y z w", real=True)
k, t = sp.symbols("k t", integer=True)
xs = sp.symbols("x1:7", real=True)
A, B, C, E = R(12345, 10**4), R(23456, 10**4), R(17171, 10**4), R(1, 1000)
BOX = Max(0, Abs(x - A) - E) + Max(0, Abs(y - B) - E)
INSIDE = x - A + Max(0, Abs(y - B) - E) + Max(0, Abs(z - C) - E)
CHOICE = Piecewise((y, x > A), (z, True))
FAR = And(Abs(y - B) < E, Abs(z - C) < E, INSIDE <= 0)
ALL_POSITIVE = Eq(sum(Max(0, -q) for q in xs), 0)

#: Losses, variables and claims that are wrong somewhere.
WRONG = {
    "where an integer is 5": (k * x**2, x, Piecewise((3 * x, Eq(k, 5)), (2 * k * x, True))),
    "at some integers": (
        k * x**2,
        x,
        Piecewise((0, Eq(k * (k - 3) * (k + 4), 0)), (2 * k * x, True)),
    ),
    "at an integer's edge": (
        Piecewise((k * x**2, k > 5), (x**3, True)),
        x,
        Piecewise((2 * k * x, k >= 5), (3 * x**2, True)),
    ),
    "where a sign is one": (x * y, x, y + Piecewise((1, Eq(sign(x), 1)), (0, True))),
    "where a step is one": (x * y, x, y + Piecewise((1, Heaviside(x) >= 1), (0, True))),
    "in one cell": (x * y, x, y + Piecewise((1, Eq(floor(x), 1)), (0, True))),
    "for one label": (
        Max(0, 1 - x * t),
        x,
        Piecewise((-t, And(x * t < 1, Ne(t, 1))), (0, True)),
    ),
    "in one orthant": (
        sum(q**2 for q in xs),
        xs[0],
        Piecewise((5, ALL_POSITIVE), (2 * xs[0], True)),
    ),
    "on half a plane": (Max(x, y), x, Piecewise((7, Eq(Max(x, y), x)), (0, True))),
    "a multiple of a prime": (x**2, x, 2 * x * (1 + 2147433929 * R(1, 10**40))),
    "no value on half a line": (x**2, x, [("u", log(x)), ("dx", 2 * sp.exp(sp.Symbol("u")))]),
}
#: Wrong in a box that no line meets: not refuted, and never proved.
UNSEEN = {
    "box by <=": (x**2 * y, x, Piecewise((5 * x, BOX <= 0), (2 * x * y, True))),
    "box by two": (x**2 * y, x, Piecewise((5 * x, And(BOX >= 0, BOX <= 0)), (2 * x * y, True))),
    "box by =": (x**2 * y, x, Piecewise((5 * x, Eq(BOX, 0)), (2 * x * y, True))),
    "box with a hole": (
        x**2 * y,
        x,
        Piecewise((2 * x * y, Or(Abs(x - A) > E, Abs(y - B) > E))),
    ),
    "across groups": (
        w * sp.exp(CHOICE),
        w,
        sp.exp(CHOICE) + Piecewise((1, FAR), (0, True)),
    ),
}
#: Right claims.
RIGHT = {
    "log of a size": (log(Abs(x)), x, 1 / x),
    "log of a distance": (y * log(Abs(x - 1)), x, y / (x - 1)),
    "behind a condition that fails": (
        x**2,
        x,
        Piecewise(
            (2 * x, And(x > 0, log(x) > 1)), (2 * x * (sp.sin(x) ** 2 + sp.cos(x) ** 2), True)
        ),
    ),
    "power of a size": (Abs(x) ** R(3, 2), x, R(3, 2) * sign(x) * sqrt(Abs(x))),
}


@pytest.mark.parametrize("name", WRONG)
def test_wrong_somewhere_is_refuted(name):
    assert sg.verify(*WRONG[name]).status == "refuted"


@pytest.mark.parametrize("name", UNSEEN)
def test_wrong_where_no_point_is_found_is_not_proved(name):
    verdict = sg.verify(*UNSEEN[name])
    assert verdict.status != "proved"
    assert not sg.verify(*UNSEEN[name], require="proved")


@pytest.mark.parametrize("name", RIGHT)
def test_right_claims_that_are_easily_refused(name):
    assert sg.verify(*RIGHT[name]).status == "proved"


def test_claims_do_not_prove_each_other():
    dx, dy = sp.symbols("dx dy", real=True)
    claims = {"x": 2 * dy * y / x, "y": dx * x / (2 * y)}
    verdicts = sg.verify(x**2 * y, [x, y], claims)
    assert not any(verdicts.values())


def test_orthogonal_matrices_are_reflections_too():
    Q, S = sp.MatrixSymbol("Q", 3, 3), sp.MatrixSymbol("S", 3, 3)
    loss = sg.Formula.of(sp.Determinant(Q) * sp.Trace(S), assumptions={"Q": "orthogonal"})
    assert sg.verify(loss, "S", sp.Identity(3)).status == "refuted"


def test_constants_known_by_rounding():
    verdict = sg.verify(w * sqrt(2 / sp.pi) * x, w, x * sp.Float("0.7978845608028654"))
    assert verdict.status == "agrees"
    assert "rounding" in verdict.notes[0]
    assert sg.verify(w * sqrt(2 / sp.pi) * x, w, x * 0.79788456).status == "refuted"
    assert sg.verify(w * x / 3, w, x * 0.3333333333333333).status == "proved"
    many = sp.Float("2.00000000000000000001", 40)
    assert sg.verify(w * x * 2, w, x * many).status == "refuted"


# ------------------------------------------------------------------- in NumPy


def second_difference(x):
    return np.sum((x[2:] - 2 * x[1:-1] + x[:-2]) ** 2)


def overwritten(x):
    d = x[2:] - 2 * x[1:-1] + x[:-2]
    g = np.zeros_like(x)
    g[2:] = 2 * d
    g[1:-1] = -4 * d
    g[:-2] = 2 * d
    return g


def by_rows(X, W, b):
    return np.sum((X @ W + b) ** 2) / (X.shape[0] + 1)


def by_columns(X, W, b):
    return X.T @ (2 * (X @ W + b)) / W.shape[1]


def root_or_square(x):
    return np.where(x > 0, np.sqrt(x), -(x**2))


FUNCTIONS = {
    "neighbours overwritten": (second_difference, overwritten, {"x": ("n",)}, "refuted"),
    "one size for another": (
        by_rows,
        by_columns,
        {"X": ("n", "d"), "W": ("d", "k"), "b": ("k",)},
        "refuted",
    ),
    "where a sign is one": (
        lambda x: np.sum(x * x),
        lambda x: np.where(np.sign(x) == 1, 9 * x, 2 * x),
        {"x": (3,)},
        "refuted",
    ),
    "behind an undefined branch": (
        root_or_square,
        lambda x: np.where(x > 0, 0.5 / np.sqrt(x), -123.0),
        {"x": ()},
        "refuted",
    ),
    "its right slope": (
        root_or_square,
        lambda x: np.where(x > 0, 0.5 / np.sqrt(x), -2 * x),
        {"x": ()},
        "proved",
    ),
    "cube roots of negatives": (
        lambda x: np.cbrt(x) ** 2 * x,
        lambda x: np.where(x > 0, 5 / 3 * np.cbrt(x) ** 2, -123.0),
        {"x": ()},
        "refuted",
    ),
    "the largest": (lambda x: x.max(), lambda x: (x == x.max()) * 1.0, {"x": (4,)}, "proved"),
    "twice the largest": (
        lambda x: x.max(),
        lambda x: (x == x.max()) * 2.0,
        {"x": (4,)},
        "refuted",
    ),
    "a mask by equality": (
        lambda x: np.sum(np.maximum(x, 0) ** 2),
        lambda x: 2 * x * (np.maximum(x, 0) != 0),
        {"x": (3,)},
        "proved",
    ),
    "roots of sizes": (
        lambda x: np.sum(np.sqrt(np.abs(x))),
        lambda x: 0.5 * np.sign(x) / np.sqrt(np.abs(x)),
        {"x": (3,)},
        "proved",
    ),
}


@pytest.mark.parametrize("name", FUNCTIONS)
def test_numpy_functions(name):
    loss, grad, shapes, wanted = FUNCTIONS[name]
    variable = "W" if "W" in shapes else "x"
    assert sg.verify_functions(loss, grad, shapes, variable)[variable].status == wanted


def test_masks_of_whole_numbers_take_no_fractions():
    def loss(x):
        return np.sum(np.maximum(x, 0))

    def cut(x):
        mask = (x > 0).astype(int)
        mask[:] = mask * 0.5  # NumPy stores zeros
        return mask * 2.0

    def wraps(x):
        return ((x > 0).astype(np.uint8) - (x < 0).astype(np.uint8)) * 1.0

    for grad in (cut, wraps):
        with pytest.raises(sg.TraceError, match="line"):
            sg.verify_functions(loss, grad, {"x": (4,)}, "x")
    right = sg.verify_functions(loss, lambda x: (x > 0).astype(int) * 1.0, {"x": (4,)}, "x")
    assert right["x"].status == "proved"


# ---------------------------------------- what a second pair of eyes broke, and must stay whole

SQUARE_ROOT = sp.sqrt(x**2 - 20 * x + 100)  # |x - 10|
TINY = R(1, 10**70)
ROOT, SINE = sp.sqrt(1 - sp.cos(2 * x)), sp.sqrt(2) * sp.sin(x)
GAMMA_ZERO = sp.gamma(x + 1) - x * sp.gamma(x)
RELUS = sp.Max(0, x) + sp.Max(0, y) + sp.Max(0, z)
P1, P2 = 2147433929, 2147422489
ERFC_SLOPE = -2 * sp.exp(-(x**2)) / sp.sqrt(sp.pi)


def _always_one(s):
    inner = sp.Piecewise((1, sp.floor(s) + sp.Abs(s) < 1), (0, True))
    return 1 - 2 * sp.Piecewise((inner, sp.floor(s) + sp.Abs(s) > 2), (0, True))


def _cases(value, condition, other):
    return sp.Piecewise((value, condition), (other, True))


LOGS = _cases(sp.log(x + 1), x > -1, 1) * _cases(sp.log(y + 1), y > -1, 2)
WRONG_ON_A_REGION = {
    "a root that is zero for x > 10": (
        *(y * _cases(1, sp.Eq(SQUARE_ROOT, x - 10), 0), y, sp.Integer(0)),
    ),
    "its square": (y * _cases(1, (SQUARE_ROOT - x + 10) ** 2 > 0, 0), y, sp.Integer(1)),
    "its sign": (*(y * sp.sign(SQUARE_ROOT - x + 10), y, _cases(1, SQUARE_ROOT - x + 10 > 0, -1)),),
    "a root of a square in disguise": (
        *(y * _cases(2, ROOT > SINE, 1), y, sp.Piecewise((1, ROOT < SINE), (2, True))),
    ),
    "what is zero without looking like it": (
        sp.Piecewise(
            *((x, sp.And(x > 5, GAMMA_ZERO > 0)), (x, sp.And(x > 5, -GAMMA_ZERO > 0)), (0, True))
        )
        + x**2,
        x,
        2 * x + _cases(1, x > 5, 0),
    ),
    "an identity as a condition": (
        x**2,
        x,
        2 * x
        + _cases(1, sp.And(x > 5, sp.Eq(sp.sin(x) ** 2 + sp.cos(x) ** 2, 1, evaluate=False)), 0),
    ),
    "all relus off": (x**2 + y**2 * z**2, x, 2 * x + TINY * x * _cases(0, RELUS > 0, 1)),
    "branches compared with one that cannot be": (
        *(x**2 + y**2 * z**2, x, 2 * x + TINY * (_always_one(x) + _always_one(y)) * x),
    ),
    "a logarithm of the other branch": (
        LOGS * z,
        z,
        LOGS + TINY * (sp.sqrt(sp.expand((x + 1) ** 2 * (y + 1) ** 2)) - (x + 1) * (y + 1)),
    ),
    "a multiple of two primes": (x**2, x, 2 * x + R(P1 * P2, 10**80) * x),
}


@pytest.mark.parametrize("name", WRONG_ON_A_REGION)
def test_wrong_on_a_region_is_not_proved(name):
    assert sg.verify(*WRONG_ON_A_REGION[name]).status != "proved"


@pytest.mark.parametrize(
    ("loss", "variable", "claim"),
    [
        (y * sp.Max(0, sp.erfc(x)), x, y * ERFC_SLOPE),
        (y * sp.Max(0, 1 - sp.erf(x)), x, y * ERFC_SLOPE),
        (y * sp.Abs(1 - sp.erf(x)), x, y * ERFC_SLOPE),
        (_cases(x**2, 1 - sp.erf(x**6) > 0, x), x, 2 * x),
        (sp.sqrt((x + 1) ** 2) + sp.log(x + 1), x, 1 + 1 / (x + 1)),
        (sp.exp(sp.log(x + 2) / 2) ** 2 * y, y, x + 2),
    ],
    ids=str,
)
def test_right_where_digits_run_out_is_not_refuted(loss, variable, claim):
    assert sg.verify(loss, variable, claim).status != "refuted"


def test_one_prime_is_not_enough_beside_what_is_unprovable():
    loss = x**2 + y**2 + z**2 + sp.gamma(w + 1) + w**2
    wrong = 2 * x + R(P1, 10**80) * x
    hidden = 2 * w + w * sp.gamma(w) * sp.polygamma(0, w + 1)
    claims = {"x": wrong, "y": 2 * y, "z": 2 * z, "w": hidden}
    verdicts = sg.verify(loss, [x, y, z, w], claims)
    assert verdicts["x"].status == "agrees"
    assert verdicts["y"].status == "proved"


def test_determinants_with_pivots_that_are_zero_in_disguise():
    table = sp.ImmutableMatrix(
        [[x + 1, x, x**2, 1], [2 * x + 2, 2 * x, x, 3 * x], [x, x**2, x + 5, x], [1, x, x, x**3]]
    )
    claim = sp.diff(table.det(method="berkowitz"), x)
    assert sg.verify(sp.Determinant(table), x, claim).status == "proved"


def test_choices_inside_choices_are_looked_at_once():
    def loss(v):
        for _ in range(30):
            v = np.maximum(v * 1.01, 0.5 * np.sum(v)) - 0.1 * np.abs(v)
        return np.sum(v)

    verdicts = sg.verify_functions(loss, lambda v: np.ones_like(v), {"v": (3,)}, "v")
    assert verdicts["v"].status == "refuted"


def test_tracing_keeps_the_time_limit():
    def loss(v):
        for _ in range(10**7):
            v = np.tanh(v)
        return np.sum(v)

    start = time.monotonic()
    with pytest.raises(sg.SymgradError, match="time was up while the functions were traced"):
        sg.verify_functions(loss, lambda v: np.ones_like(v), {"v": (3,)}, "v", timeout=1)
    # It ends long before the many minutes that it takes without a limit, on a busy machine, too.
    assert time.monotonic() - start < 240


@pytest.mark.parametrize("claim", [np.zeros((1, 1, 1)), np.array("a")])
def test_arrays_that_are_no_claims(claim):
    with pytest.raises(sg.SymgradError):
        sg.verify(x**2, x, claim)
