"""Claims proved for every size: true ones are, wrong ones never, also at random."""

import random
import time
from functools import cache

import pytest
import sympy as sp
from oracle import agree, evaluate, explicit, generic_point, inline
from rewriting import rewritten_matrix

import symgrad as sg
from symgrad.matrices import ENTRY, Broadcast, Elementwise
from symgrad.verification.claims import lines_of
from symgrad.verification.indexed import proved_for_every_size
from symgrad.verification.problem import TimeIsUp

n, d, m, k = sp.symbols("n d m k", integer=True, positive=True)
SIZES = {"n": 3, "d": 2, "m": 4, "k": 5}
X, Y, W = sp.MatrixSymbol("X", n, d), sp.MatrixSymbol("Y", n, m), sp.MatrixSymbol("W", d, m)
A, B, C, S = (sp.MatrixSymbol(name, n, n) for name in "ABCS")
v, u = sp.MatrixSymbol("v", n, 1), sp.MatrixSymbol("u", n, 1)
P, Q = sp.MatrixSymbol("P", n, d), sp.MatrixSymbol("Q", n, d)
a, b, x, y = sp.symbols("a b x y", real=True)
had, each = sp.HadamardProduct, sg.elementwise


def proved(graph, output, claim, name=""):
    return proved_for_every_size(graph, output, lines_of(claim, name), lambda: None)


def values(graph, output, claim, seed=1):
    """The output and the claim as numbers at small sizes."""
    lines = [
        (sp.MatrixSymbol(t, *e.shape) if e.is_Matrix else sp.Symbol(t), e)
        for t, e in lines_of(claim, "")
    ]
    # Numbers from the start: the conditions of a relu of symbols take SymPy minutes.
    drawn = [explicit(variable.symbol, SIZES) for variable in graph.inputs]
    symbols = [one for value in drawn for one in (value if value.is_Matrix else [value])]
    point = generic_point(symbols, seed, low=0.2, high=1)
    known = {
        variable.name: value.xreplace({one: sp.Float(point[one.name], 60) for one in symbols})
        for variable, value in zip(graph.inputs, drawn, strict=True)
    }
    wanted = inline(graph.definitions, output, SIZES, known)
    *before, (_, last) = lines
    given = inline([*graph.definitions, *before], last, SIZES, known)
    numbers = (evaluate(value, {}) for value in (wanted, given))
    return [value if isinstance(value, list) else [[value]] for value in numbers]


def output_of(found):
    return found.graph.outputs[-1]


@cache
def network(depth, activation, orientation="rows", bias=True, last=None, loss="mse", width=4):
    layers = [sg.Dense(width, activation, bias) for _ in range(depth - 1)]
    layers.append(sg.Dense(2 if width != 3 else 3, last or activation, bias))
    net = sg.Network(3, layers, orientation=orientation)
    return sg.gradient(getattr(sg, loss)(net)).graph


def slopes(name, z, h):
    """The derivative of an activation, as people write it."""
    one = sp.OneMatrix(*z.shape)
    return {
        "tanh": [one - had(h, h), each(lambda t: 1 - t**2, h),
                 each(lambda t: 1 / sp.cosh(t) ** 2, z),
                 each(lambda t: 1 - sp.tanh(t) ** 2, z), each(lambda t: sp.sech(t) ** 2, z),
                 each(lambda t: (1 - t) * (1 + t), h)],
        "sigmoid": [had(h, one - h), each(lambda t: t - t**2, h),
                    each(lambda t: sp.exp(-t) / (1 + sp.exp(-t)) ** 2, z),
                    each(lambda t: sg.sigmoid(t) * sg.sigmoid(-t), z)],
        "relu": [each(sg.step, z), each(lambda t: sp.Piecewise((1, t > 0), (0, True)), z),
                 each(sp.Heaviside, h)],
    }[name]  # fmt: skip


def wrong_slopes(name, z, h):
    one = sp.OneMatrix(*z.shape)
    return {
        "tanh": [one - had(z, z), one - h, one + had(h, h), each(lambda t: 1 / sp.cosh(t), z),
                 each(lambda t: 1 / sp.cosh(t) ** 2, h)],
        "sigmoid": [had(h, one + h), had(z, one - z), had(h, h - one)],
        "relu": [h, one - each(sg.step, z), one],
    }[name]  # fmt: skip


def claims_about_networks():
    for activation in ("tanh", "sigmoid", "relu"):
        for depth in (1, 2, 3):
            graph = network(depth, activation)
            names = graph.symbols
            last, z = names["Yhat"], names[f"Z{depth}"]
            below = names["X"] if depth == 1 else names[f"H{depth - 1}"]
            for slope in slopes(activation, z, last):
                delta = had(last - names["Y"], slope) / n
                yield graph, names[f"dW{depth}"], below.T * delta
            delta = had(last - names["Y"], slopes(activation, z, last)[0])
            ones = sp.OneMatrix(1, n)
            yield graph, names[f"db{depth}"], (ones * delta).T / n
            if depth > 1:
                hidden, before = names[f"H{depth - 1}"], names[f"Z{depth - 1}"]
                own = names["X"] if depth == 2 else names[f"H{depth - 2}"]
                for slope in slopes(activation, before, hidden):
                    back = had(names[f"delta{depth}"] * names[f"W{depth}"].T, slope)
                    yield graph, names[f"dW{depth - 1}"], own.T * back
    for activation in ("tanh", "sigmoid"):
        graph = network(2, activation, "columns")
        names = graph.symbols
        delta = had(names["yhat"] - names["y"], slopes(activation, names["z2"], names["yhat"])[0])
        yield graph, names["dW2"], delta * names["h1"].T
        yield graph, names["db2"], delta
        slope = slopes(activation, names["z1"], names["h1"])[2]
        yield graph, names["dW1"], had(names["W2"].T * delta, slope) * names["x"].T
    for bias in (True, False):
        graph = network(2, "tanh", bias=bias, last="softmax", loss="cross_entropy")
        names = graph.symbols
        error = (sg.softmax(names["Z2"]) - names["Y"]) / n
        yield graph, names["dW2"], names["H1"].T * error
        back = had(error * names["W2"].T, slopes("tanh", names["Z1"], names["H1"])[0])
        yield graph, names["dW1"], names["X"].T * back


def wrong_claims_about_networks():
    for activation in ("tanh", "sigmoid", "relu"):
        graph = network(3, activation, width=3)
        names = graph.symbols
        z, h = names["Z2"], names["H2"]
        good = slopes(activation, z, h)[0]
        delta, below, weight = names["delta3"], names["H1"], names["W3"]
        yield from (
            (graph, names["dW2"], below.T * had(delta * weight.T, slope))
            for slope in wrong_slopes(activation, z, h)
        )
        right = had(delta * weight.T, good)
        yield from ((graph, names["dW2"], wrong) for wrong in [
            2 * below.T * right, -below.T * right, n * below.T * right,
            right.T * below, names["Z1"].T * right, names["X"].T * right,
            below.T * had(delta * weight, good), below.T * had(delta * names["W2"].T, good),
            below.T * (delta * weight.T), below.T * had(names["delta2"] * weight.T, good),
            below.T * right + names["W2"], names["dW3"], names["dW1"],
        ])  # fmt: skip
        yield graph, names["db2"], delta.T * sp.OneMatrix(n, 1)
        yield graph, names["delta3"], had(names["Yhat"] - names["Y"], slopes(
            activation, names["Z3"], names["Yhat"])[0])  # fmt: skip


def gradient(loss, name):
    found = sg.gradient(loss, name)
    return found.graph, output_of(found)


def standard_cases():
    """A loss, a variable, right claims, wrong claims."""
    R = X * W - Y
    yield (
        sp.Trace(R.T * R),
        "W",
        [
            2 * X.T * R,
            2 * X.T * X * W - 2 * X.T * Y,
            X.T * R + (R.T * X).T,
            2 * (R.T * X).T,
            -2 * X.T * (Y - X * W),
            2 * ((W.T * X.T - Y.T) * X).T,
            2 * (X.T.T.T * R),
            2 * X.T * sp.Identity(n) * R,
        ],
        [2 * X.T * (X * W + Y), X.T * R, 2 * X.T * X * W, -2 * X.T * R, 2 * d * X.T * R],
    )
    yield sp.Trace(R.T * R) / n, "W", [2 * X.T * R / n], [2 * X.T * R / d, 2 * X.T * R / m]
    yield sg.sum_entries(had(R, R)), "W", [2 * X.T * R], [X.T * R]
    yield (
        sp.Trace(v.T * A * v),
        "v",
        [(A + A.T) * v, A * v + A.T * v, (v.T * (A + A.T)).T],
        [2 * A * v, 2 * A.T * v, (A - A.T) * v],
    )
    yield sp.Trace(v.T * A * v), "A", [v * v.T, (v * v.T).T], [2 * v * v.T, u * v.T]
    yield sp.Trace(u.T * A * v), "A", [u * v.T, (v * u.T).T], [v * u.T]
    yield sp.Trace(A * B * C), "A", [(B * C).T, C.T * B.T], [B * C, (C * B).T, B.T * C.T]
    yield sp.Trace(A * B * C), "B", [(C * A).T, A.T * C.T], [(A * C).T, C * A, A.T * C]
    yield (
        sp.Trace(A * B * A),
        "A",
        [(A * B).T + (B * A).T, B.T * A.T + A.T * B.T],
        [2 * (A * B).T, 2 * (B * A).T, A * B + B * A],
    )
    yield sp.Trace(A.T * B), "A", [B], [B.T, A]
    yield sp.Trace(A * A), "A", [2 * A.T], [2 * A]
    yield sp.Trace(A.T * A), "A", [2 * A], [2 * A.T]
    yield sg.sum_entries(had(P, Q, P)), "P", [2 * had(P, Q), 2 * had(Q, P)], [2 * P, had(P, Q)]
    yield (
        sg.sum_entries(A * B),
        "A",
        [
            sp.OneMatrix(n, n) * B.T,
            sp.OneMatrix(n, 1) * (B * sp.OneMatrix(n, 1)).T,
            Broadcast(sg.sum_columns(B).T, n, n),
        ],
        [sp.OneMatrix(n, n) * B, Broadcast(sg.sum_rows(B), n, n), B.T * sp.OneMatrix(n, n)],
    )
    yield (
        sg.sum_entries(each(sp.tanh, P)),
        "P",
        [
            each(lambda t: 1 - sp.tanh(t) ** 2, P),
            each(lambda t: sp.sech(t) ** 2, P),
            each(lambda t: 4 / (sp.exp(t) + sp.exp(-t)) ** 2, P),
        ],
        [each(lambda t: 1 - sp.tanh(t), P), each(lambda t: 2 / (sp.exp(t) + sp.exp(-t)) ** 2, P)],
    )
    yield sp.log(sp.Determinant(A)), "A", [sp.Inverse(A).T, sp.Inverse(A.T)], [sp.Inverse(A)]
    yield (
        sp.Trace(sp.Inverse(A) * B),
        "A",
        [-(sp.Inverse(A) * B * sp.Inverse(A)).T, -sp.Inverse(A).T * B.T * sp.Inverse(A.T)],
        [(sp.Inverse(A) * B * sp.Inverse(A)).T, -sp.Inverse(A) * B * sp.Inverse(A)],
    )
    yield (
        sg.sum_entries(each(sg.relu, P)),
        "P",
        [
            each(sg.step, P),
            each(lambda t: (1 + sp.sign(t)) / 2, P),
            each(lambda t: 1 - sg.step(-t), P),
        ],
        [each(lambda t: sg.step(-t), P), each(sg.relu, P)],
    )
    yield (
        sg.sum_entries(each(sg.softplus, P)),
        "P",
        [
            each(lambda t: sp.exp(t) / (1 + sp.exp(t)), P),
            each(lambda t: 1 / (1 + sp.exp(-t)), P),
            each(lambda t: 1 - 1 / (1 + sp.exp(t)), P),
        ],
        [each(lambda t: 1 / (1 + sp.exp(t)), P)],
    )
    yield (
        sp.sqrt(sp.Trace(v.T * v)),
        "v",
        [v / sp.sqrt(sp.Trace(v.T * v))],
        [v / sp.Trace(v.T * v), 2 * v / sp.sqrt(sp.Trace(v.T * v))],
    )
    yield (
        (sp.tanh(a * x) - y) ** 2,
        "a",
        [
            2 * (sp.tanh(a * x) - y) * x / sp.cosh(a * x) ** 2,
            2 * x * (sp.tanh(a * x) - y) * (1 - sp.tanh(a * x) ** 2),
        ],
        [2 * (sp.tanh(a * x) - y) * x, (sp.tanh(a * x) - y) * x / sp.cosh(a * x) ** 2],
    )
    yield (
        sp.exp(-a * x) * sp.sin(a),
        "a",
        [sp.exp(-a * x) * (sp.cos(a) - x * sp.sin(a))],
        [sp.exp(-a * x) * (sp.cos(a) + x * sp.sin(a))],
    )
    yield (
        sp.log(1 + sp.exp(-a * x)),
        "a",
        [-x / (1 + sp.exp(a * x)), -x * sg.sigmoid(-a * x)],
        [-x / (1 + sp.exp(-a * x))],
    )
    yield a / (1 + a**2), "a", [(1 - a**2) / (1 + a**2) ** 2, 1 / (1 + a**2) - 2 * a**2 / (
        1 + a**2) ** 2], [(1 - a**2) / (1 + a**2)]  # fmt: skip


TRUE = list(claims_about_networks()) + [
    (*gradient(loss, name), claim) for loss, name, right, _ in standard_cases() for claim in right
]
WRONG = list(wrong_claims_about_networks()) + [
    (*gradient(loss, name), claim) for loss, name, _, wrong in standard_cases() for claim in wrong
]


def test_there_are_enough_claims():
    assert len(TRUE) >= 60
    assert len(WRONG) >= 60


@pytest.mark.parametrize("case", [pytest.param(c, id=str(k)) for k, c in enumerate(TRUE)])
def test_a_true_claim_is_proved(case):
    began = time.process_time()
    assert proved(*case)
    assert time.process_time() - began < 1


@pytest.mark.parametrize("case", [pytest.param(c, id=str(k)) for k, c in enumerate(WRONG)])
def test_a_wrong_claim_is_not(case):
    assert not proved(*case)


@pytest.mark.parametrize("case", [pytest.param(c, id=str(k)) for k, c in enumerate(WRONG[::3])])
def test_wrong_claims_are_wrong(case):
    wanted, given = values(*case)
    assert not agree(wanted, given)


def recursion(depth, broken=None):
    graph = network(depth, "tanh")
    names, lines, delta = graph.symbols, [], None
    for layer in range(depth, 0, -1):
        h = names["Yhat"] if layer == depth else names[f"H{layer}"]
        slope = each(lambda t: 1 - t**2, h)
        if delta is None:
            value = had(h - names["Y"], slope) / n
        else:
            value = had(delta * names[f"W{layer + 1}"].T, slope)
        if layer == broken:
            value = -value
        delta = sp.MatrixSymbol(f"g{layer}", *value.shape)
        lines.append((f"g{layer}", value))
    return graph, names["dW1"], [*lines, ("dW1", names["X"].T * delta)]


def test_ten_layers_are_proved_quickly():
    case = recursion(10)
    began = time.process_time()
    assert proved(*case, name="W1")
    assert time.process_time() - began < 2


@pytest.mark.parametrize("layer", range(1, 11))
def test_one_wrong_sign_in_ten_layers_is_not_proved(layer):
    assert not proved(*recursion(10, layer), name="W1")


def written_out(graph, output):
    """The output over inputs and the forward names, as one expression."""
    return graph.inline(output) if len(graph) < 8 else graph[output]


RANDOM = [(graph, output, claim) for graph, output, claim in TRUE if getattr(claim, "is_Matrix", 0)]


def rates(count=4):
    asked = found = 0
    for number, (graph, output, claim) in enumerate(RANDOM):
        for seed in range(count):
            other = rewritten_matrix(claim, 1000 * number + seed)
            asked += 1
            found += proved(graph, output, other)
    return asked, found


def test_most_rewritten_claims_are_proved():
    asked, found = rates()
    assert found >= 0.9 * asked, (asked, found)


def corrupted(expression, rng):
    """The expression with one change at a random place."""
    nodes = [node for node in sp.preorder_traversal(expression) if isinstance(node, sp.MatrixExpr)]
    node = rng.choice([one for one in nodes if one.is_Matrix])
    changes = [lambda e: 2 * e, lambda e: -e, lambda e: sp.MatAdd(e, e, e)]
    if node.shape[0] == node.shape[1] and node.shape[0] != 1:
        changes += [sp.Transpose]
    return expression.xreplace({node: rng.choice(changes)(node)})


@pytest.mark.parametrize("number", range(len(RANDOM)))
def test_corrupted_claims_are_proved_only_where_they_are_right(number):
    graph, output, claim = RANDOM[number]
    rng = random.Random(number)
    for seed in range(2):
        other = corrupted(rewritten_matrix(claim, seed), rng)
        if other.has(sp.nan) or not proved(graph, output, other):
            continue
        assert agree(*values(graph, output, other))


def test_the_clock_is_looked_at():
    def stop():
        raise TimeIsUp

    graph, output, claim = recursion(10)
    with pytest.raises(TimeIsUp):
        proved_for_every_size(graph, output, lines_of(claim, "W1"), stop)


def test_names_of_the_claim_hide_those_of_the_graph():
    graph = network(2, "tanh")
    names = graph.symbols
    delta = names["delta2"]
    lines = [("delta2", 2 * delta), ("dW2", names["H1"].T * delta)]
    assert not proved(graph, names["dW2"], lines, "W2")
    assert proved(graph, names["dW2"], [("delta2", delta), lines[1]], "W2")


def test_the_gradient_itself_is_no_proof():
    graph = network(2, "tanh")
    assert not proved(graph, graph.symbols["dW2"], graph.symbols["dW2"])


def test_a_claim_of_another_shape_is_not_proved():
    graph, output = gradient(sp.Trace(A.T * A), "A")
    assert not proved(graph, output, sp.Integer(0))
    assert not proved(graph, output, sp.MatrixSymbol("A", d, d) * 2)


def test_steps_that_are_zero_on_open_sets_are_kept_apart():
    # step(-relu(x)) is zero everywhere, 1 - step(relu(x)) is not.
    graph, output = gradient(sp.exp(x), "x")
    assert not proved(graph, output, sp.exp(x) + sg.step(-sg.relu(x)) + sg.step(sg.relu(x)) - 1)
    assert ENTRY not in Elementwise(sp.Lambda(ENTRY, ENTRY**2), A).free_symbols
    assert explicit(output, {}, {}) is not None
