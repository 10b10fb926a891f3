"""sg.verify: right gradients are proved, wrong ones refuted with a witness that holds."""

import json
import math
import time

import mpmath
import numpy as np
import oracle
import pytest
import seeds
import sympy as sp

import symgrad as sg
from symgrad.verification import simplifiers

w, x, y, b, v = sp.symbols("w x y b v", real=True)
i, n = sp.Symbol("i", integer=True), sp.Symbol("n", integer=True, positive=True)
R = sp.Rational
LOSS = (sp.tanh(w * x + b) - y) ** 2
RIGHT = 2 * (sp.tanh(w * x + b) - y) * (1 - sp.tanh(w * x + b) ** 2) * x


def holds(verdict, loss, variable, claim):
    """The witness, computed again by SymPy and mpmath alone."""
    point = {sp.Symbol(name, real=True): value for name, value in verdict.witness.point.items()}
    with mpmath.workdps(60):
        for expression, value in (
            (loss.diff(variable), verdict.witness.derived),
            (claim, verdict.witness.claimed),
        ):
            exact = {symbol: R(number) for symbol, number in point.items()}
            number = sp.N(expression.subs(exact), 40)
            if not abs(mpmath.mpf(str(number)) - value) <= 1e-25 * (1 + abs(value)):
                return False
        return verdict.witness.derived != verdict.witness.claimed


@pytest.mark.parametrize(
    "claim",
    [
        RIGHT,
        2 * x * (sp.tanh(w * x + b) - y) / sp.cosh(w * x + b) ** 2,
        2 * x * (sp.tanh(w * x + b) - y) * sp.sech(w * x + b) ** 2,
        sp.expand(RIGHT),
        8 * x * (sp.tanh(w * x + b) - y) / (sp.exp(w * x + b) + sp.exp(-w * x - b)) ** 2,
        RIGHT.subs({w: sp.Symbol("w"), x: sp.Symbol("x", positive=True)}),
    ],
    ids=range(6),
)
def test_right_spellings_are_proved(claim):
    verdict = sg.verify(LOSS, w, claim)
    assert verdict.status == "proved"
    assert verdict
    assert verdict.log2_bound is None or verdict.bound < 1e-60
    assert verdict.witness is None
    assert verdict.diagnosis is None


HIDDEN = {
    "factor": RIGHT / 2,
    "sign": -RIGHT,
    "no derivative of tanh": 2 * (sp.tanh(w * x + b) - y) * x,
    "relative 1e-8": RIGHT * (1 + R(1, 10**8)),
    "relative 1e-30": RIGHT * (1 + R(1, 10**30)),
    "absolute 1e-40": RIGHT + R(1, 10**40),
    "only where x > 5": RIGHT + sp.Max(0, x - 5),
    "only where x > 100000": RIGHT + sp.Max(0, x - 100000),
    "only for negative slopes": RIGHT * sp.Piecewise((1, w > 0), (2, True)),
    "only off the integers": RIGHT + sp.sin(sp.pi * x),
    "period 1e-6": RIGHT + sp.sin(2 * sp.pi * 10**6 * x),
    "between 5 and 5.0001": RIGHT * sp.Piecewise((1, sp.Or(x < 5, x > R(50001, 10000))), (2, True)),
    "in one quadrant": RIGHT + sp.Piecewise((x, sp.And(w > 3, b < -2)), (0, True)),
    "zero at integers": RIGHT + x * (x - 1) * (x - 2) * (x + 1) * w * (w - 1),
    "when saturated": RIGHT + sp.Max(0, w * x + b - 30),
}


@pytest.mark.parametrize("name", HIDDEN)
def test_hidden_differences_are_found(name):
    verdict = sg.verify(LOSS, w, HIDDEN[name])
    assert verdict.status == "refuted"
    assert not verdict
    assert holds(verdict, LOSS, w, HIDDEN[name])
    assert "the claim" in verdict.explain()


def test_a_claim_that_leaves_the_real_numbers_is_refuted():
    claim = 3 * sp.sqrt(w) * sp.sqrt(w**3) * x
    verdict = sg.verify(w**3 * x, w, claim)
    assert verdict.status == "refuted"
    assert math.isnan(verdict.witness.claimed)
    assert sg.verify(w**3 * x, w, claim, domain={w: (0, sp.oo)}).status == "proved"


def test_saturated_values_are_no_differences():
    sigma = 1 / (1 + sp.exp(-w * x - b))
    loss = -y * sp.log(sigma) - (1 - y) * sp.log(1 - sigma)
    claim = x * (1 - y) / (1 - sigma) * sp.exp(-w * x - b) * sigma**2 - x * y * (1 - sigma)
    assert sg.verify(loss, w, claim).status == "proved"


def test_kinks_are_a_report_of_their_own():
    relu = (sp.Max(0, w * x + b) - y) ** 2
    slope = 2 * (sp.Max(0, w * x + b) - y) * x
    same = sg.verify(relu, w, slope * sp.Piecewise((1, w * x + b > 0), (0, True)))
    assert (same.status, same.kinks) == ("proved", ())
    for at_zero in (sp.S.Half, sp.S.One):
        other = sg.verify(relu, w, slope * sp.Heaviside(w * x + b, at_zero))
        assert other.status == "proved"
        (kink,) = other.kinks
        assert kink.where == "b + w*x = 0"
        assert kink.derived == 0.0
        expected = float(at_zero) * -2 * kink.point["y"] * kink.point["x"]
        assert kink.claimed == pytest.approx(expected, rel=1e-6)
        assert abs(kink.point["w"] * kink.point["x"] + kink.point["b"]) < 1e-9
        assert "right almost everywhere" in other.explain()
    wrong = sg.verify(relu, w, slope)
    assert wrong.status == "refuted"
    assert wrong.kinks == ()


def test_absolute_values_and_signs():
    loss = sp.Abs(w * x - y)
    assert sg.verify(loss, w, x * sp.sign(w * x - y)).status == "proved"
    claim = sp.Piecewise((x, w * x - y >= 0), (-x, True))
    verdict = sg.verify(loss, w, claim)
    assert verdict.status == "proved"
    assert [kink.where for kink in verdict.kinks] == ["w*x - y = 0"]
    assert sg.verify(loss, w, x * sp.sqrt((w * x - y) ** 2) / (w * x - y)).status == "proved"


def test_what_is_proved_of_opaque_functions_is_said():
    loss = w * (sp.atan(x) + sp.atan(1 / x))
    claim = sp.sign(x) * sp.pi / 2
    verdict = sg.verify(loss, w, claim)
    assert verdict.status == "agrees"
    assert "no proof" in verdict.notes[0]
    assert verdict.points > 20
    assert verdict
    assert not sg.verify(loss, w, claim, require="proved")
    assert sg.verify(loss, w, 2 * claim).status == "refuted"


A = sp.Symbol("a", positive=True)


@pytest.mark.parametrize(
    ("loss", "claim"),
    [
        (sp.gamma(A + 1), A * sp.gamma(A) * (sp.polygamma(0, A) + 1 / A)),
        (sp.loggamma(A + 2), sp.digamma(A) + 1 / A + 1 / (A + 1)),
        (sp.besselj(1, A), sp.besselj(0, A) - sp.besselj(1, A) / A),
    ],
    ids=str,
)
def test_simplifiers_are_the_last_rung(loss, claim):
    verdict = sg.verify(loss, A, claim)
    assert (verdict.status, verdict.method) == ("proved", "simplifiers")
    assert verdict.points > 20
    assert "SymPy's simplifiers" in verdict.explain()
    assert sg.verify(loss, A, claim * (1 + R(1, 10**30))).status == "refuted"


def test_simplifiers_are_stopped(monkeypatch):
    monkeypatch.setattr(simplifiers, "PROGRAM", "import time; time.sleep(60)")
    monkeypatch.setattr(simplifiers, "SECONDS", 0.2)
    start = time.monotonic()
    verdict = sg.verify(sp.loggamma(A + 1), A, sp.digamma(A) + 1 / A)
    assert verdict.status == "agrees"
    monkeypatch.setattr(simplifiers, "SECONDS", 30)
    verdict = sg.verify(sp.loggamma(A + 1), A, sp.digamma(A) + 1 / A, timeout=1.5)
    assert verdict.status == "agrees"
    assert "time was up" in verdict.notes[0]
    # Far from the minute that the process would take; no measure of speed.
    assert time.monotonic() - start < 30
    monkeypatch.setattr(simplifiers, "PROGRAM", "raise SystemExit(1)")
    assert sg.verify(sp.loggamma(A + 1), A, sp.digamma(A) + 1 / A).status == "agrees"


NETWORK = sg.Network(3, [sg.Dense(4, activation="tanh"), sg.Dense(2)])
MSE = sg.mse(NETWORK)


def matrix(name, rows, columns):
    return sp.MatrixSymbol(name, rows, columns)


X, Y, H1, YHAT = (matrix("X", n, 3), matrix("Y", n, 2), matrix("H1", n, 4), matrix("Yhat", n, 2))
W1, W2, D2 = matrix("W1", 3, 4), matrix("W2", 4, 2), matrix("D2", n, 2)
T = sp.Symbol("t")
SQUARE = sp.Lambda(T, 1 - T**2)


def test_matrix_claims_in_the_names_of_the_loss():
    delta = (YHAT - Y) / n
    verdict = sg.verify(MSE, "W2", H1.T * delta)
    assert verdict.status == "proved"
    assert sg.verify(MSE, "W2", (delta.T * H1).T).status == "proved"
    assert sg.verify(MSE, W2, H1.T * YHAT / n - H1.T * Y / n).status == "proved"
    back = sp.HadamardProduct(delta * W2.T, H1.applyfunc(SQUARE))
    assert sg.verify(MSE, "W1", X.T * back).status == "proved"
    wrong = sg.verify(MSE, "W1", X.T * (delta * W2.T))
    assert wrong.status == "refuted"
    assert wrong.witness.point["X"].shape[1] == 3
    assert len(wrong.witness.entries) == wrong.witness.count == 12


def test_a_claim_of_another_shape_is_refuted_without_a_point():
    verdict = sg.verify(MSE, "W2", ((YHAT - Y) / n).T * H1)
    assert (verdict.status, verdict.method) == ("refuted", "shape")
    assert "transpose" in verdict.explain()


def test_ordered_definitions():
    lines = [
        ("D2", (YHAT - Y) / n),
        ("dW2", H1.T * D2),
        ("D1", sp.HadamardProduct(D2 * W2.T, H1.applyfunc(SQUARE))),
        ("dW1", X.T * matrix("D1", n, 4)),
    ]
    verdicts = sg.verify(MSE, ["W1", "W2"], lines)
    assert {name: verdict.status for name, verdict in verdicts.items()} == {
        "W1": "proved",
        "W2": "proved",
    }
    assert sg.verify(MSE, "W2", lines).status == "proved"
    lines[0] = ("D2", 2 * (YHAT - Y) / n)
    assert sg.verify(MSE, "W1", lines).status == "refuted"
    scalars = [("e", sp.tanh(w * x + b) - y), ("s", 1 - (sp.Symbol("e") + y) ** 2)]
    claim = [*scalars, ("dw", 2 * sp.Symbol("e") * sp.Symbol("s") * x)]
    assert sg.verify(LOSS, w, claim).status == "proved"


def test_a_formula_and_the_derivation_itself():
    gradient = sg.gradient(MSE)
    for name, verdict in sg.verify(MSE, list(gradient), gradient).items():
        assert verdict.status == "proved", name
    assert sg.verify(LOSS, w, sg.gradient(LOSS, w)).method == "same form"


def test_sums_over_indices():
    data, target = sp.IndexedBase("x"), sp.IndexedBase("y")
    loss = sp.Sum((w * data[i] + b - target[i]) ** 2, (i, 1, n)) / 2
    right = sp.Sum((w * data[i] + b - target[i]) * data[i], (i, 1, n))
    assert sg.verify(loss, w, right).status == "proved"
    split = w * sp.Sum(data[i] ** 2, (i, 1, n)) + b * sp.Sum(data[i], (i, 1, n))
    assert sg.verify(loss, w, split - sp.Sum(data[i] * target[i], (i, 1, n))).status == "proved"
    assert sg.verify(loss, b, w * sp.Sum(data[i], (i, 1, n)) + b).status == "refuted"
    lucky = right * (1 + (n - 2) * (n - 3))
    assert sg.verify(loss, w, lucky).status == "refuted"


def test_functions_as_claims():
    def right(w, x, b, y):
        a = np.tanh(w * x + b)
        return 2 * (a - y) * (1 - a**2) * x

    assert sg.verify(LOSS, w, right).status == "proved"
    assert sg.verify(LOSS, w, lambda w, x, b, y: 2 * x * (math.tanh(w * x + b) - y)).status == (
        "refuted"
    )

    def opaque(w, x, b, y):
        return float(f"{right(w, x, b, y):.17g}")

    with pytest.raises(sg.TraceError, match="line"):
        sg.verify(LOSS, w, opaque)
    verdict = sg.verify(LOSS, w, opaque, numeric=True)
    assert (verdict.status, verdict.method) == ("agrees", "numeric")
    assert "no proof" in verdict.explain()
    off = sg.verify(LOSS, w, lambda w, x, b, y: 0.5 * opaque(w, x, b, y), numeric=True)
    assert (off.status, off.method) == ("refuted", "numeric")
    hidden = sg.compile(sg.gradient(MSE, "b1"))
    assert sg.verify(MSE, "b1", hidden, numeric=True).status == "agrees"


# --------------------------------------------------------------- assumptions


def test_assumptions_and_domains():
    A, p = matrix("A", 3, 3), matrix("p", 3, 1)
    loss = sg.Formula.of(p.T * A * p)
    assert sg.verify(loss, "p", (A + A.T) * p).status == "proved"
    assert sg.verify(loss, "p", 2 * A * p).status == "refuted"
    symmetric = sg.Formula.of(p.T * A * p, assumptions={"A": "symmetric"})
    assert sg.verify(symmetric, "p", 2 * A * p).status == "proved"
    rotation = sg.Formula.of(p.T * A.T * A * p, assumptions={"A": "orthogonal"})
    assert sg.verify(rotation, "p", 2 * p).status == "proved"
    definite = sg.Formula.of(sp.Trace(A * A.T), assumptions={"A": "positive definite"})
    assert sg.verify(definite, "A", 2 * A.T).status == "proved"
    t = sp.Symbol("t", positive=True)
    assert sg.verify(sp.log(t) * w, w, sp.log(t**2) / 2).status == "proved"
    assert sg.verify(w * sp.Abs(x), w, x).status == "refuted"
    assert sg.verify(w * sp.Abs(x), w, x, domain={"x": (0, 3)})
    assert sg.verify(w * sp.Abs(x), w, -x, domain={x: (-sp.oo, -1)})


def test_targets_that_sum_to_one():
    network = sg.Network(3, [sg.Dense(4, activation="softmax")])
    loss = sg.cross_entropy(network)
    claim = X.T * (matrix("Yhat", n, 4) - matrix("Y", n, 4)) / n
    assert sg.verify(loss, "W1", claim).status == "proved"
    assert sg.verify(loss, "W1", 2 * claim).status == "refuted"


# --------------------------------------------------------- the articles' errors


def sigmoid(u):
    return 1 / (1 + sp.exp(-u))


def small_network(second):
    """The 3-2-2 net of article 001 in scalars; `second` is the weight in its hidden value 2."""
    xs = sp.symbols("x_1:4", real=True)
    first = [[sp.Symbol(f"w1_{r}_{c}", real=True) for c in (1, 2, 3)] for r in (1, 2)]
    last = [[sp.Symbol(f"w2_{r}_{c}", real=True) for c in (1, 2)] for r in (1, 2)]
    first[1][1] = second(first, last)
    hidden = [sigmoid(sum(a * u for a, u in zip(row, xs, strict=True))) for row in first]
    out = [sigmoid(sum(a * h for a, h in zip(row, hidden, strict=True))) for row in last]
    ys = sp.symbols("y_1:3", real=True)
    return sum((o - t) ** 2 for o, t in zip(out, ys, strict=True)), first, last


def test_article_001_misprints():
    loss, first, _ = small_network(lambda f, s: f[1][1])
    misprinted, *_ = small_network(lambda f, s: s[1][1])
    weight = first[0][0]
    assert sg.verify(loss, weight, loss.diff(weight)).status == "proved"
    wrong = sg.verify(loss, weight, misprinted.diff(weight))  # 001a
    assert wrong.status == "refuted"
    assert holds(wrong, loss, weight, misprinted.diff(weight))
    halved = sg.verify(loss / 2, weight, loss.diff(weight))  # 001b
    assert halved.status == "refuted"
    assert halved.witness.ratio == pytest.approx(2)
    at = {**{f"x_{k + 1}": value for k, value in enumerate(seeds.SMALL_X)}, "y_1": 1, "y_2": 0}
    for table, rows in (("w1", seeds.SMALL_W1), ("w2", seeds.SMALL_W2)):
        for r, row in enumerate(rows):
            at.update({f"{table}_{r + 1}_{c + 1}": value for c, value in enumerate(row)})
    values = {sp.Symbol(name, real=True): value for name, value in at.items()}
    assert float(misprinted.subs(values)) == pytest.approx(seeds.SMALL_S_MISPRINT, rel=1e-12)
    assert float(loss.subs(values)) == pytest.approx(seeds.SMALL_S, rel=1e-12)


def test_article_002_misprints():
    output = sigmoid(w * x + b)
    loss = (output - y) ** 2 / 2
    right = (output - y) * output * (1 - output) * x
    assert sg.verify(loss, w, right).status == "proved"
    misprint = sigmoid(w * x - b)  # 002a: 1/(1 + e^(-wx + b))
    claim = (misprint - y) * misprint * (1 - misprint) * x
    wrong = sg.verify(loss, w, claim)
    assert wrong.status == "refuted"
    assert wrong.witness.point["b"] != 0
    assert holds(wrong, loss, w, claim)
    line = (w * x + b - y) ** 2 / 2
    assert sg.verify(line, w, (w * x + b - y) * x).status == "proved"
    dropped = sg.verify(line, w, (w * x + b) * x)  # 002c: the target dropped
    assert dropped.status == "refuted"
    assert holds(dropped, line, w, (w * x + b) * x)
    # 002b: a parenthesis too many closes the square early.
    assert sg.verify(line, w, (w * x + b - y**2) * x).status == "refuted"
    data, target = sp.IndexedBase("x"), sp.IndexedBase("y")
    total = sp.Sum((w * data[i] + b - target[i]) ** 2, (i, 1, n)) / 2
    one = (w * data[1] + b - target[1]) * data[1]  # 002d: the sum over i is lost
    lost = sg.verify(total, w, one)
    assert lost.status == "refuted"
    assert len(lost.witness.point["x"]) == lost.sizes[0]["n"]


# ------------------------------------------------------------------ limits


def nested(depth):
    value = w
    for _ in range(depth):
        value = sp.sin(value, evaluate=False)
    return value


@pytest.mark.parametrize(
    ("loss", "claim", "status"),
    [
        ((w * x - y) ** 2, sp.Add(*(x**k for k in range(10_000))), "refuted"),
        (
            sp.Add(*(k * w**k for k in range(1, 3000))),
            sp.Add(*(k**2 * w ** (k - 1) for k in range(1, 3000))),
            "proved",
        ),
        ((w * x - y) ** 2, nested(1000), "refuted"),
        ((w * x - y) ** 2, sp.exp(sp.exp(sp.exp(sp.exp(sp.exp(w))))), "refuted"),
        ((w * x - y) ** 2, w ** (10**9), "refuted"),
        ((w * x - y) ** 2, 10**100_000 * w, "refuted"),
    ],
    ids=["10000 terms", "3000 terms", "depth 1000", "tower", "power", "number"],
)
def test_large_claims_get_a_verdict(loss, claim, status):
    assert sg.verify(loss, w, claim, timeout=50).status == status


def test_time_is_kept():
    many = sp.Add(*(sp.tanh(k * w + b) for k in range(1, 60)))
    claim = sp.Add(*(k * sp.sech(k * w + b) ** 2 for k in range(1, 60)))
    with pytest.raises(sg.UnsupportedError, match="time was up"):
        sg.verify(many, w, claim, timeout=1e-6)
    statuses = {sg.verify(many, w, claim, timeout=60).status}
    assert statuses == {"proved"}


def test_a_batch_survives_each_of_its_claims():
    claims = {"w": RIGHT, "b": sp.Function("f")(w), "x": sp.Symbol("nowhere"), "y": -RIGHT}
    verdicts = sg.verify(LOSS, [w, b, x, y], claims)
    statuses = {name: verdict.status for name, verdict in verdicts.items()}
    assert statuses == {"w": "proved", "b": "undecided", "x": "undecided", "y": "refuted"}
    assert "undefined function" in verdicts["b"].explain()
    assert not verdicts["b"]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ((LOSS, w, None), "NoneType"),
        ((LOSS, w, sp.I * x), "real"),
        ((LOSS, w, sp.nan), "real"),
        ((LOSS, w, sp.zoo), "real"),
        ((LOSS, w, sp.Symbol("q")), "`q`"),
        ((LOSS, "q", RIGHT), "`q`"),
        ((LOSS, w, sp.Integral(x, (x, 0, w))), "Integral"),
        ((LOSS, w, sp.Sum(x, (v, 0, 10**9))), "terms"),
        ((LOSS, w, []), "no definitions"),
        ((LOSS, w, [RIGHT]), "pairs"),
        ((LOSS, [w, b], {"w": RIGHT}), "no claim for `b`"),
        ((LOSS, [w], {"w": RIGHT, "q": RIGHT}), "`q`"),
        ((LOSS, w, RIGHT, {"q": (0, 1)}), "`q`"),
        ((LOSS, w, RIGHT, {"x": (1, 0)}), "empty"),
        ((LOSS, w, RIGHT, {"x": 3}), "low, high"),
        ((LOSS, w, RIGHT, None, "sure"), "requirement"),
        ((MSE, "W2", H1 * matrix("Q", 4, 4)), "`Q`"),
        ((MSE, "W2", H1.T * matrix("Yhat", n, 3)), "Yhat"),
        ((sp.log(-(w**2) - 1), w, w), "no finite value"),
    ],
    ids=range(19),
)
def test_bad_input_is_one_clear_error(arguments, words):
    with pytest.raises(sg.SymgradError) as caught:
        sg.verify(*arguments)
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)


def test_bad_options():
    for timeout in (0, -1, "soon", math.nan):
        with pytest.raises(sg.OptionError, match="timeout"):
            sg.verify(LOSS, w, RIGHT, timeout=timeout)
    with pytest.raises(sg.OptionError, match="domain"):
        sg.verify(LOSS, w, RIGHT, domian={})


def test_verdicts_are_plain_data():
    for claim in (RIGHT, RIGHT / 2):
        verdict = sg.verify(LOSS, w, claim)
        data = json.loads(json.dumps(verdict.as_json()))
        assert data["status"] == verdict.status
        assert (data["witness"] is None) == (verdict.status == "proved")
    again = sg.verify(LOSS, w, RIGHT / 2)
    assert again == verdict


def test_the_derivative_that_is_compared_is_the_oracles():
    symbols = {"w": w, "x": x, "b": b, "y": y}
    verdict = sg.verify(LOSS, w, RIGHT / 3)
    values = {symbols[name]: R(value) for name, value in verdict.witness.point.items()}
    exact = oracle.explicit(LOSS.diff(w)).subs(
        {oracle.variable(s.name): r for s, r in values.items()}
    )
    assert float(exact) == pytest.approx(float(verdict.witness.derived), rel=1e-14)


REGRESSION = sg.parse("sum((X @ w + b - y)**2) / n", {"X": ("n", 3), "w": 3, "b": (), "y": "n"})


def test_claims_as_text():
    assert sg.verify(REGRESSION, "w", "2 * X.T @ (X @ w + b - y) / n").status == "proved"
    wrong = sg.verify(REGRESSION, "w", "X.T @ (X @ w + b - y) / n")
    assert (wrong.status, wrong.witness.entry) == ("refuted", (0,))
    lines = "r = 2 * (X @ w + b - y) / n; dw = X.T @ r\ndb = sum(r)"
    found = sg.verify(REGRESSION, ["w", "b"], lines)
    assert {verdict.status for verdict in found.values()} == {"proved"}
    pairs = [("r", "X @ w + b - y"), ("dw", "2 / n * (r @ X)")]
    assert sg.verify(REGRESSION, "w", pairs).status == "proved"
    found = sg.verify(REGRESSION, ["w", "b"], {"w": "zeros(3)", "b": "2 * mean(X @ w + b - y)"})
    assert [verdict.status for verdict in found.values()] == ["refuted", "proved"]
    assert sg.verify(REGRESSION, "w", "X @ w").method == "shape"


def test_claims_as_text_name_the_definitions_of_the_loss():
    lines = "D2 = (Yhat - Y) / n; dW2 = H1.T @ D2; D1 = (D2 @ W2.T) * (1 - H1**2); dW1 = X.T @ D1"
    found = sg.verify(MSE, ["W1", "W2"], lines)
    assert {(v.status, v.method) for v in found.values()} == {("proved", "normal form")}


@pytest.mark.parametrize(
    ("claim", "words"),
    [
        ("X.T @", "column 6"),
        ("2 * Q", "unknown name `Q`"),
        ("r = 1\n2 * r\nr", "without a name"),
        ([("r", "x + 1"), ("dw", sp.Integer(2))], "all text"),
        ("__import__('os')", "unknown function"),
    ],
)
def test_claims_as_text_that_cannot_be_read(claim, words):
    with pytest.raises(sg.SymgradError, match=words):
        sg.verify(REGRESSION, "w", claim)
