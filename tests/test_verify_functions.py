"""sg.verify_functions, sg.trace's errors in it, assert_gradient: NumPy code as people write it."""

import warnings

import backward_passes
import claims
import mutation
import numpy as np
import pytest
import rewriting
import sympy as sp

import symgrad as sg
from symgrad.testing import assert_gradient

#: Cases that no trace can read, and why.
UNREAD = {"maxpool_loop": "argmax", "triplet": "truth"}
#: Cases whose claim differs from the derivative in places that no number shows: a mask of -1e9
#: lets exp(-1e9) through.
AGREEING = {"causal_attention": {"Q", "K"}}


def verified(case, grad=None, **options):
    return sg.verify_functions(
        case.loss, grad or case.grad, case.shapes, case.wrt, upstream=case.upstream, **options
    )


@pytest.mark.parametrize("name", sorted(set(backward_passes.CASES) - set(UNREAD)))
def test_right_backward_passes_are_proved(name):
    for variable, verdict in verified(backward_passes.CASES[name], timeout=120).items():
        wanted = "agrees" if variable in AGREEING.get(name, ()) else "proved"
        assert verdict.status == wanted, verdict.explain()


@pytest.mark.parametrize("name", sorted(UNREAD))
def test_what_cannot_be_read_names_its_line_and_has_a_numeric_check(name):
    case = backward_passes.CASES[name]
    with pytest.raises(sg.TraceError, match=rf"(?s){UNREAD[name]}.*backward_passes.py, line \d+"):
        verified(case)
    for verdict in verified(case, numeric=True).values():
        assert (verdict.status, verdict.method) == ("agrees", "numeric")
        assert "numeric check only" in verdict.explain()


#: Of the wrong versions of every case so many are verified here; `bench/verification.py` takes all.
EACH = 3


@pytest.mark.parametrize("name", sorted(backward_passes.CASES))
def test_wrong_backward_passes_are_not_accepted(name):
    case = backward_passes.CASES[name]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        wrong = list(mutation.wrong_mutants(case))
    chosen = wrong[:: max(1, len(wrong) // EACH)][:EACH]
    assert chosen
    for text, grad in chosen:
        try:
            verdicts = verified(case, grad, timeout=120)
        except sg.TraceError:
            continue
        assert not all(verdicts.values()), text
        assert any(verdict.status == "refuted" for verdict in verdicts.values()), text


def test_numeric_checks_refute_too():
    for name in ("maxpool_loop", "triplet", "relu_softmax", "lstm"):
        case = backward_passes.CASES[name]
        right = verified_numerically(case, case.grad)
        assert all(verdict.status == "agrees" for verdict in right.values()), name
        halves = verified_numerically(case, halved(case))
        assert all(verdict.status == "refuted" for verdict in halves.values()), name


def verified_numerically(case, grad):
    def loss(*arguments):
        # A detour through text: no trace can read it.
        result = case.loss(*arguments)
        return result if case.upstream else float(repr(float(result)))

    def opaque(*arguments):
        np.argsort(np.ravel(arguments[0] if np.size(arguments[0]) else [0.0]))
        return grad(*arguments)

    return sg.verify_functions(
        loss, opaque, case.shapes, case.wrt, upstream=case.upstream, numeric=True
    )


def halved(case):
    def grad(*arguments):
        found = case.by_name(case.grad(*arguments))
        return {name: scaled(value) for name, value in found.items()}

    return grad


def scaled(value):
    if isinstance(value, dict):
        return {key: scaled(part) for key, part in value.items()}
    return [scaled(part) for part in value] if isinstance(value, list) else 0.5 * np.asarray(value)


# ------------------------------------------------------------ right, rewritten


@pytest.mark.parametrize("case", claims.SCALARS, ids=lambda case: case.name)
def test_rewritten_gradients_are_not_refuted(case):
    right, proved = claims.slope(case), 0
    for seed in range(4):
        claim = rewriting.rewritten(right, seed)
        verdict = sg.verify(case.loss, case.variable, claim, domain=case.domain)
        assert verdict, (claim, verdict.explain())
        proved += verdict.status == "proved"
    assert proved >= 3


@pytest.mark.parametrize("name", claims.NETWORKS)
def test_rewritten_matrix_gradients_are_proved_for_every_size(name):
    loss = claims.NETWORKS[name]
    gradient = sg.gradient(loss)
    for variable in gradient:
        expression = gradient.graph[f"d{variable}"]
        for seed in range(3):
            claim = rewriting.rewritten_matrix(expression, seed)
            verdict = sg.verify(loss, variable, claim)
            assert verdict.status == "proved", verdict.explain()
            assert verdict.method == "normal form" or not loss.graph.sizes
            assert verdict.sizes == ()
            wrong = sg.verify(loss, variable, sp.Rational(3, 2) * claim)
            assert wrong.status == "refuted"


# ------------------------------------------------------------------- the face


def loss_of_one(w, x, y):
    return np.mean((np.tanh(x @ w) - y) ** 2)


def grad_of_one(w, x, y):
    a = np.tanh(x @ w)
    return {"w": x.T @ (2 * (a - y) * (1 - a**2)) / len(y)}


SHAPES = {"w": (2,), "x": ("n", 2), "y": ("n",)}


def test_sizes_with_names_get_two_values():
    verdict = sg.verify_functions(loss_of_one, grad_of_one, SHAPES, "w")["w"]
    assert verdict.status == "proved"
    assert [sizes["n"] for sizes in verdict.sizes] == [6, 4]

    def lucky(w, x, y):
        n = len(y)
        return {"w": grad_of_one(w, x, y)["w"] * (1 if n in (4, 6) else 2)}

    assert sg.verify_functions(loss_of_one, lucky, SHAPES, "w")["w"].status == "refuted"


def test_constants_domains_and_upstream():
    labels = np.array([0, 2, 1])

    def loss(W, X, y):
        z = X @ W
        return np.mean(np.log(np.exp(z).sum(axis=1)) - z[np.arange(3), y])

    def grad(W, X, y):
        p = np.exp(X @ W)
        p /= p.sum(axis=1, keepdims=True)
        p[np.arange(3), y] -= 1
        return X.T @ p / 3

    shapes = {"W": (2, 3), "X": (3, 2), "y": labels}
    assert sg.verify_functions(loss, grad, shapes, "W")["W"].status == "proved"
    assert (labels == [0, 2, 1]).all()

    def root(x):
        return np.sum(np.sqrt(x) ** 4)

    assert sg.verify_functions(root, lambda x: 2 * x, {"x": (3,)}, "x")["x"]
    inside = {"x": (0, 5)}
    assert sg.verify_functions(root, lambda x: 2 * x, {"x": (3,)}, "x", domain=inside)["x"]

    def forward(x, w):
        return np.maximum(x @ w, 0), (x, w)

    def backward(dout, cache):
        x, w = cache
        dz = dout * (x @ w > 0)
        return dz @ w.T, x.T @ dz

    shapes = {"x": (3, 2), "w": (2, 4)}
    names = ("x", "w")
    for verdict in sg.verify_functions(forward, backward, shapes, names, upstream="dout").values():
        assert verdict.status == "proved"
    loose = sg.verify_functions(
        forward, lambda d, c: (backward(d, c)[0], c[0].T @ d), shapes, names, upstream="dout"
    )
    assert [verdict.status for verdict in loose.values()] == ["proved", "refuted"]


def test_a_kink_of_another_convention():
    def loss(z):
        return np.sum(np.maximum(z, 0) ** 2 + np.maximum(z, 0))

    def grad(z):
        return (2 * np.maximum(z, 0) + 1) * (z >= 0)

    verdict = sg.verify_functions(loss, grad, {"z": (2,)}, "z")["z"]
    assert verdict.status == "proved"
    assert {(kink.derived, kink.claimed) for kink in verdict.kinks} == {(0.0, 1.0)}
    assert all("= 0" in kink.where for kink in verdict.kinks)


def test_assert_gradient():
    verdicts = assert_gradient(loss_of_one, grad_of_one, SHAPES, "w", require="proved")
    assert verdicts["w"].status == "proved"
    with pytest.raises(AssertionError, match=r"d/dw: refuted(?s:.)*the claim gives"):
        assert_gradient(loss_of_one, lambda w, x, y: grad_of_one(w, x, y)["w"] / 2, SHAPES, "w")
    with pytest.raises(sg.OptionError, match="option"):
        assert_gradient(loss_of_one, grad_of_one, SHAPES, "w", tolerance=3)


@pytest.mark.parametrize(
    ("grad", "shapes", "wrt", "words"),
    [
        (grad_of_one, SHAPES, "q", "`q`"),
        (lambda w, x, y: {"v": w}, SHAPES, "w", "no gradient by `w`"),
        (lambda w, x, y: (w, x), SHAPES, ("w", "x", "y"), "2 values for the 3 names"),
        (grad_of_one, {"w": (2,), "x": np.ones((3, 2)), "y": (3,)}, "x", "constant"),
        (grad_of_one, {"w": (2,), "x": (3, 4), "y": (3,)}, "w", "not aligned"),
        (grad_of_one, {"w": (0,), "x": (3, 0), "y": (3,)}, "w", "without entries"),
        (lambda w: w, SHAPES, "w", "argument"),
        (grad_of_one, SHAPES, (), "no variable"),
    ],
    ids=range(8),
)
def test_bad_input_is_one_clear_error(grad, shapes, wrt, words):
    with pytest.raises(sg.SymgradError) as caught:
        sg.verify_functions(loss_of_one, grad, shapes, wrt)
    assert words in str(caught.value)


def test_shapes_go_by_name_in_any_order():
    def residual(x, w, y):
        return ((x @ w - y) ** 2).sum()

    def by_hand(y, w, x):
        return 2 * x.T @ (x @ w - y)

    shapes = {"w": (3,), "y": ("n",), "x": ("n", 3)}
    assert sg.verify_functions(residual, by_hand, shapes, "w")["w"].status == "proved"
    found = sg.verify_functions(residual, by_hand, shapes, "w", numeric=True)
    assert found["w"].status == "proved"
    with pytest.raises(sg.OptionError, match=r"`x`, `w`, `y`; .* for `y`"):
        sg.verify_functions(residual, by_hand, {"w": (3,), "x": ("n", 3)}, "w")
    with pytest.raises(sg.OptionError, match="shapes are given for"):
        sg.verify_functions(residual, by_hand, {**shapes, "t": ()}, "w")


def test_more_names_of_sizes_than_there_are_generic_ones():
    names = "abcdefgh"
    shapes = {f"w{name}": (name,) for name in names}

    def squares(*arrays):
        return sum((array**2).sum() for array in arrays)

    found = sg.verify_functions(
        squares, lambda *arrays: tuple(2 * a for a in arrays), shapes, list(shapes)
    )
    assert {verdict.status for verdict in found.values()} == {"proved"}


def test_a_loss_that_is_no_scalar():
    with pytest.raises(sg.ShapeError, match="upstream"):
        sg.verify_functions(lambda x: 2 * x, lambda x: x, {"x": (3,)}, "x")


def test_a_gradient_of_another_shape_is_refuted():
    found = sg.verify_functions(
        loss_of_one, lambda w, x, y: grad_of_one(w, x, y)["w"][:, None], SHAPES, "w"
    )
    assert (found["w"].status, found["w"].method) == ("refuted", "shape")


def test_loops_that_never_end_are_stopped():
    def endless(w):
        total = w.sum()
        while True:
            total = total * 1.5 + 1

    with pytest.raises(sg.SymgradError, match=r"time was up|operations|nodes"):
        sg.verify_functions(endless, lambda w: w, {"w": (2,)}, "w", timeout=1)
