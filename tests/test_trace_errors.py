"""User code that cannot be read: the error names the line."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from numpy.random import randn
from test_trace import traced

from symgrad.circuit import Circuit
from symgrad.errors import TraceError
from symgrad.reading.trace import call_traced, nodes_of, variables

GENERATOR = np.random.default_rng(4)
A = np.random.default_rng(3).uniform(-2, 2, (3, 4))


def asks_if(x):
    total = x.sum()
    if total > 0:  # the line
        return total
    return -total


def asks_in_helper(x):
    return inner_if(x)


def inner_if(x):
    return 1 if x[0, 0] else 2  # the line


def casts(x):
    return int(x[0, 0])  # the line


def reads_mask(x):
    y = x[x > 0]
    return np.dot(y, y)  # the line


def takes_argmax(x):
    return x.argmax(axis=1)  # the line


def sorts(x):
    return np.sort(x)  # the line


def draws(x):
    return x + np.random.randn(3, 4)  # the line


def draws_by_name(x):
    return x * randn(3, 4)  # the line


def draws_by_generator(x):
    return x * GENERATOR.random(4)  # the line


def fills_a_file(x):
    np.save("file.npy", x)  # the line


def takes_median(x):
    return np.median(x)  # the line


def unpacks(x):
    a, b = x  # the line
    return a + b


def mixes_complex(x):
    return x * 1j  # the line


def stores_in_plain(x):
    y = np.zeros(3, dtype=int)
    y[0] = x[0, 0]  # the line
    return y


def ranges(x):
    return sum(range(x[0, 0]))  # the line


def shapes_wrong(x):
    return x @ x  # the line


def divides(x):
    return 1 / (x - x)  # the line


def goes_deep(x):
    return goes_deep(x + 1)  # the line


def goes_on(x):
    while True:
        x = np.tanh(x)  # the line


def catches(x):
    try:
        return float(x[0, 0] // 1)  # the line
    except Exception:
        return x


def where_alone(x):
    return np.where(x > 0)  # the line


def mismatched(x):
    y = x.copy()
    y[x > 0] = x[x < 0]  # the line
    return y


def eigen(x):
    return np.linalg.eigh(x @ x.T)[0]  # the line


def all_close(x):
    return x if np.allclose(x, 0) else 2 * x  # the line


def masked_out(x):
    return np.add(x, 1, where=x > 0)  # the line


ERRORS = {
    asks_if: "np.where",
    asks_in_helper: "truth",
    casts: "int",
    reads_mask: "np.where",
    takes_argmax: "argmax",
    sorts: "sort",
    draws: "random",
    draws_by_name: "random",
    draws_by_generator: "random",
    fills_a_file: "np.save",
    takes_median: "np.median",
    unpacks: "too many values",
    mixes_complex: "",
    stores_in_plain: "np.zeros",
    ranges: "index",
    shapes_wrong: "ValueError",
    divides: "zero",
    goes_deep: "RecursionError",
    catches: "floor_divide",
    where_alone: "np.where(condition, a, b)",
    mismatched: "another mask",
    eigen: "eigh",
    all_close: "allclose",
    masked_out: "out=",
}


@pytest.mark.parametrize("function", ERRORS)
def test_errors_name_the_line(function):
    with pytest.raises(TraceError) as caught:
        nodes_of(traced(function, A))
    message = str(caught.value)
    assert ERRORS[function] in message
    assert "# the line" in message
    assert "test_trace_errors.py, line " in message
    lines = Path(__file__).read_text().splitlines()
    number = int(message.split("test_trace_errors.py, line ")[1].split(":")[0])
    assert "# the line" in lines[number - 1]


def test_loops_without_end_are_stopped():
    circuit = Circuit()
    x = variables(circuit, "x", (3, 4))
    with pytest.raises(TraceError, match="more than 5000 operations"):
        call_traced(circuit, goes_on, [x], max_nodes=5000)

    class Late(Exception):
        pass

    calls = []

    def check():
        calls.append(1)
        if len(calls) > 20:
            raise Late

    with pytest.raises(Late):
        call_traced(Circuit(), lambda: goes_on(np.ones(3)), [], check)


def test_values_outside_a_trace():
    x = variables(Circuit(), "x")
    with pytest.raises(TraceError, match="bool\\(x > 0\\)"):
        bool(x > 0)
    with pytest.raises(TraceError, match="# here"):
        float(x)  # here


def test_values_of_two_traces_do_not_mix():
    kept = variables(Circuit(), "x")
    other = Circuit()
    with pytest.raises(TraceError, match="two traces"):
        call_traced(other, lambda y: y + kept, [variables(other, "y")])
