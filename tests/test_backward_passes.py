"""The gradients written by hand are right, and what is made of them is what it says it is."""

import itertools

import numpy as np
import pytest
from backward_passes import CASES


def drawn(shape, rng):
    """An argument of the kind that a case's `shapes` describes."""
    if isinstance(shape, tuple):
        return rng.normal(size=shape) if shape else float(rng.normal())
    if isinstance(shape, list):
        return [drawn(one, rng) for one in shape]
    if isinstance(shape, dict):
        return {name: drawn(one, rng) for name, one in shape.items()}
    return shape.copy() if isinstance(shape, np.ndarray) else shape


def arrays_of(value):
    """The arrays of an argument or of a gradient, in order."""
    if isinstance(value, dict):
        value = list(value.values())
    if isinstance(value, (list, tuple)):
        return list(itertools.chain.from_iterable(map(arrays_of, value)))
    return [np.asarray(value, dtype=float)]


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
    arguments = {key: drawn(shape, rng) for key, shape in case.shapes.items()}
    upstream = None
    if case.upstream is None:
        gradient = case.grad(**arguments)
    else:
        out, cache = case.loss(**arguments)
        upstream = rng.normal(size=out.shape)
        gradient = case.grad(upstream, cache)
    if isinstance(gradient, tuple):
        gradient = dict(zip(case.wrt, gradient, strict=True))
    assert set(gradient) == set(case.wrt)
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
