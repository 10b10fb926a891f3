"""Every form of a compiled function, held to the line-for-line function."""

import numpy as np

from symgrad.backends.arguments import Call
from symgrad.backends.plan import COLUMNS, ROWS, Form
from symgrad.backends.runners import ArrayRunner, ScalarRunner
from symgrad.errors import UnsupportedError


def arrays_of(function, samples=7, seed=0, size=4):
    """Generic arrays for a compiled function: the size `n` is `samples`, other names `size`."""
    random = np.random.default_rng(seed)
    arrays = {}
    for name, variable in function.inputs.items():
        counts = {"n": samples}
        shape = [int(s) if s.is_Integer else counts.get(str(s), size) for s in variable.sizes]
        lead = [samples] * (name in function._recipe.batch)
        array = random.uniform(0.2, 1.3, (*lead, *shape))
        arrays[name] = array * random.choice([-1.0, 1.0], array.shape)
    return arrays


def listed(function, arrays):
    """What the line-for-line function says: the value, where there is one, and the gradients."""
    recipe = function._recipe
    call = Call.of(recipe.slots, arrays, recipe.dtype)
    with np.errstate(all="ignore"):
        result = recipe.presented(call, function._evaluate(call))
    return [np.asarray(part) for part in function._in_order(result)], call


def close(found, wanted, tolerance):
    """Equal shapes, equal places of what is not finite, and numbers that agree."""
    found, wanted = np.asarray(found), np.asarray(wanted)
    if found.shape != wanted.shape:
        return False
    finite = np.isfinite(wanted)
    if not np.array_equal(found[~finite], wanted[~finite], equal_nan=True):
        return False
    scale = np.max(np.abs(wanted[finite]), initial=1e-300)
    off = np.max(np.abs(found[finite] - wanted[finite]), initial=0.0)
    return bool(off <= tolerance * scale)


def runners(function, call):
    """The forms that exist, whatever the plan chooses: by name, as (makes a runner)."""
    quick, seen = function._quick, function._recipe.seen(call)
    plan = quick.plan
    if plan.obstacle or plan._by_sample() or call.dtype not in (np.float32, np.float64):
        return
    yield "rows", ArrayRunner(quick, Form(ROWS, "asked for"), seen)
    if plan.columns is not None:
        yield "columns", ArrayRunner(quick, Form(COLUMNS, "asked for"), seen)
    if call.dtype == np.float64 and plan.operations(seen.sizes) < 20_000:
        yield "scalars", ScalarRunner(quick, seen)


def results(function, arrays, call):
    """All ways to the results, each used more than once: (its name, value and gradients)."""
    recipe = function._recipe
    given = list(call.arrays.values())
    for name, runner in runners(function, call):
        for run in (runner, runner.raw, runner):
            with np.errstate(all="ignore"):
                found = run(given)
            if found is not None:  # where Python's math raises, the listing answers
                yield name, [found[0]] * recipe.valued + list(runner.parts(found[1]).values())
    for _ in range(2):
        yield "call", function._in_order(function(arrays))
    for _ in range(2):
        yield "raw", function.raw(*(call.arrays[name] for name in function.inputs))
    if recipe.keys:
        try:
            bound = function.bind(arrays)
        except UnsupportedError:
            return
        for _ in range(2):
            value, gradient = bound(bound.pack({key: call.arrays[key] for key in recipe.keys}))
            parts = bound.unpack(gradient)
            yield "bind", [value] * recipe.valued + [parts[key] for key in recipe.keys]


def wrong_forms(function, arrays, tolerance=1e-11, others=()):
    """The forms that give something else than the listing, with what they give.

    Args:
        function: A compiled function.
        arrays: Its arguments.
        tolerance: How far off a number may be, beside the largest of its array.
        others: Functions of the same formula for other targets, by name.
    """
    wanted, call = listed(function, arrays)
    found = [(name, parts) for name, parts in results(function, arrays, call)]
    for name, other in dict(others).items():
        found += [(f"{name} {way}", parts) for way, parts in results(other, arrays, call)]
    return [
        (name, place, got, right)
        for name, parts in found
        for place, (got, right) in enumerate(zip(parts, wanted, strict=True))
        if not close(got, right, tolerance)
    ]
