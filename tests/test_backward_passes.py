"""The gradients written by hand are right, and what is made of them is what it says it is."""

import inspect

import numpy as np
import pytest
from backward_passes import CASES, arrays_of
from mutation import mutants, wrong_mutants


def moved(value, place, step):
    """The argument with one of its numbers moved, counted through all its arrays."""
    if isinstance(value, (list, tuple)):
        parts = []
        for one in value:
            size = sum(array.size for array in arrays_of(one))
            parts.append(moved(one, place, step) if 0 <= place < size else one)
            place -= size
        return parts
    if isinstance(value, float):
        return value + step
    copy = value.copy()
    copy.flat[place] += step
    return copy


def differences(case, arguments, upstream):
    """The gradients by central differences, a flat array for each name in `wrt`."""

    def value(point):
        found = case.loss(**point)
        return found if case.upstream is None else np.sum(found[0] * upstream)

    found = {}
    for name in case.wrt:
        holder = next(
            (
                key
                for key, shape in case.shapes.items()
                if isinstance(shape, dict) and name in shape
            ),
            None,
        )
        start = arguments[name] if holder is None else arguments[holder][name]
        flat = []
        for place in range(sum(array.size for array in arrays_of(start))):
            ends = []
            for step in (1e-5, -1e-5):
                at = moved(start, place, step)
                point = {name: at} if holder is None else {holder: {**arguments[holder], name: at}}
                ends.append(value({**arguments, **point}))
            flat.append((ends[0] - ends[1]) / 2e-5)
        found[name] = np.array(flat)
    return found


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("name", CASES)
def test_each_gradient_is_right(name, seed):
    case = CASES[name]
    rng = np.random.default_rng([seed, *name.encode()])
    arguments = case.arguments(rng)
    upstream = None
    if case.upstream is None:
        gradient = case.grad(**arguments)
    else:
        out, cache = case.loss(**arguments)
        upstream = rng.normal(size=out.shape)
        gradient = case.grad(upstream, cache)
    gradient = case.by_name(gradient)
    wanted = differences(case, arguments, upstream)
    for key in case.wrt:
        parts = arrays_of(gradient[key])
        start = arguments.get(key)
        if start is None:
            start = next(v[key] for v in arguments.values() if isinstance(v, dict) and key in v)
        assert [part.shape for part in parts] == [part.shape for part in arrays_of(start)], key
        flat = np.concatenate([part.ravel() for part in parts])
        scale = max(np.abs(wanted[key]).max(), 1e-3)
        np.testing.assert_allclose(flat / scale, wanted[key] / scale, rtol=0, atol=1e-6)


# ---------------------------------------------------------------- wrong versions of the gradients


def test_every_gradient_has_wrong_versions_and_there_are_many():
    counts = {name: sum(1 for _ in wrong_mutants(case)) for name, case in CASES.items()}
    assert min(counts.values()) >= 4, counts
    assert sum(counts.values()) > 5000, counts


@pytest.mark.parametrize("name", ["relu_mse", "class", "rnn", "conv1d"])
def test_the_wrong_versions_are_wrong_and_the_same_each_time(name):
    case = CASES[name]
    found = list(wrong_mutants(case))
    assert [text for text, _ in found] == [text for text, _ in wrong_mutants(case)]
    assert len({text for text, _ in found}) == len(found)
    right = case.grad(*case.inputs(np.random.default_rng(7)))
    for _, mutant in found[:10]:
        mutant(*case.inputs(np.random.default_rng(7)))
    again = case.grad(*case.inputs(np.random.default_rng(7)))
    for one, other in zip(arrays_of(right), arrays_of(again), strict=True):
        np.testing.assert_array_equal(one, other)


def test_a_mutant_has_its_own_source_and_helpers():
    case = CASES["columns"]
    found = dict(mutants(case.grad, case.helpers))
    flipped = next(text for text in found if "sign flipped: (o - y)" in text)
    assert "delta_o = -(" in inspect.getsource(found[flipped])
    inside = next(text for text in found if text.startswith("in sigmoid"))
    point = case.inputs(np.random.default_rng(0))
    assert not np.allclose(found[inside](*point)["W1"], case.grad(*point)["W1"])
    assert any(".T dropped: W2.T -> W2" in text for text in found)


@pytest.mark.parametrize(
    ("name", "mistake"),
    [
        ("relu_softmax", "statement deleted: dh[h <= 0] = 0"),
        ("relu_softmax", "statement deleted: dscores /= n"),
        ("rnn", "assigned, not added up: grads['Wh'] +="),
        ("tanh_einsum", "power dropped: H ** 2 -> H"),
        ("leaky", "the other comparison: Z > 0 -> Z < 0"),
        ("logistic", "division dropped: X.T @ (p - y) / n"),
        ("linear_out", "another function: dY_hat.sum -> dY_hat.mean"),
        ("softmax_labels", "another number: 1 -> 2"),
        ("attention", "keepdims dropped"),
        ("rnn", "index off by one: xs[t] -> xs[t - 1]"),
        ("conv2d", "bound shifted"),
        ("char_rnn", "not reversed"),
    ],
)
def test_the_mistakes_that_people_make_are_among_them(name, mistake):
    assert any(mistake in text for text, _ in wrong_mutants(CASES[name]))
