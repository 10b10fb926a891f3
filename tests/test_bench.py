"""The pure parts of the benchmark: reference, statistics, checks, tables, targets.

None of the tools that are compared is needed here.
"""

import json
import math
import shutil
import statistics
import sys
import time
import types
from dataclasses import replace
from pathlib import Path

import mpmath
import numpy as np
import pytest

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "bench"))

import speed  # noqa: E402 - after the path
from comparison import environment, growth, machine, memory, reference, tables, targets  # noqa: E402
from comparison import workloads as works  # noqa: E402
from comparison.contender import Contender, Ready, built  # noqa: E402
from comparison.contenders import CONTENDERS, native, of_kind, python_side, straight  # noqa: E402
from comparison.contenders import symgrad_side as ours  # noqa: E402
from comparison.timing import Plan, calls_a_block, measure, paired_ratio, summary  # noqa: E402

NETWORKS = {
    "sigmoid": works.Network("sigmoid", samples=5, **works.SIGMOID),
    "tanh": works.Network("tanh", samples=5, **works.TANH),
    "two outputs": works.Network("two", (3, 4, 2), 5),
}
PERCEPTRON = works.Perceptron("perceptron", 3)
DESCENT = works.Network("descent", samples=6, kind="descent", **works.TANH)


def loss_in_mpmath(work, vector):
    """The mean squared error, number by number, in 40 digits."""
    parts = [np.array(p, dtype=object) for p in work.parted(np.array(vector, dtype=object))]
    total = mpmath.mpf(0)
    for x, y in zip(work.X, work.Y, strict=True):
        rest, a = iter(parts), [mpmath.mpf(float(v)) for v in x]
        for kind in work.activations:
            W = next(rest)
            z = [sum(a[r] * W[r][c] for r in range(len(a))) for c in range(W.shape[1])]
            if work.biased:
                z = [u + v for u, v in zip(z, next(rest), strict=True)]
            sigmoid = lambda v: 1 / (1 + mpmath.exp(-v))  # noqa: E731
            function = {"tanh": mpmath.tanh, "sigmoid": sigmoid, "linear": lambda v: v}[kind]
            a = [function(v) for v in z]
        total += sum((u - mpmath.mpf(float(v))) ** 2 for u, v in zip(a, y, strict=True))
    return total / work.samples / work.outputs


# --- The reference -----------------------------------------------------------------------------


@pytest.mark.parametrize("work", NETWORKS.values(), ids=NETWORKS)
def test_the_reference_is_the_slope_of_the_loss(work):
    """Against central differences in 40 digits, which share no code with it."""
    value, gradient = reference.expected(work)
    with mpmath.workdps(40):
        start = [mpmath.mpf(float(v)) for v in work.vector]
        assert math.isclose(value, loss_in_mpmath(work, start), rel_tol=1e-14)
        step = mpmath.mpf(10) ** -12
        for i in range(work.count):
            up, down = list(start), list(start)
            up[i] += step
            down[i] -= step
            slope = (loss_in_mpmath(work, up) - loss_in_mpmath(work, down)) / (2 * step)
            assert math.isclose(gradient[i], slope, rel_tol=1e-11, abs_tol=1e-15)


def test_training_references_are_steps_along_the_gradient():
    """One update by the reference is one step against the gradient of one sample."""
    one = replace(DESCENT, samples=1)
    _, after = reference.expected(one)
    _, gradient = reference.expected(replace(one, kind="network"))
    np.testing.assert_allclose(after, one.vector - one.rate * gradient, rtol=1e-14)
    assert not np.allclose(after, one.vector, rtol=1e-6)


def test_the_perceptron_learns():
    def loss(p):
        return float(np.mean((np.tanh(p[0] * PERCEPTRON.x + p[1]) - PERCEPTRON.y) ** 2))

    _, after = reference.expected(works.Perceptron("long", 300))
    assert loss(after) < loss((PERCEPTRON.weight, PERCEPTRON.bias)) / 10


@pytest.mark.parametrize(
    ("given", "complaint"),
    [
        ((2.0, [1.0, -4.0]), ""),
        ((None, [1.0, -4.0 + 1e-12]), ""),
        ((2.0, [1.0 + 1e-6, -4.0]), "is wrong"),
        ((2.0, [1.0, float("nan")]), "is wrong"),
        ((2.1, [1.0, -4.0]), "wrong loss"),
        ((float("nan"), [1.0, -4.0]), "wrong loss"),
        ((2.0, [1.0]), "1 numbers in place of 2"),
    ],
)
def test_a_wrong_answer_is_found(given, complaint):
    said = reference.complaint((2.0, np.array([1.0, -4.0])), given, 1e-9)
    assert complaint in said
    assert bool(said) == bool(complaint)


# --- Contenders --------------------------------------------------------------------------------

OWN = [
    *[(c, w) for c in python_side.CONTENDERS for w in (*NETWORKS.values(), PERCEPTRON, DESCENT)],
    *[
        (c, w)
        for c in ours.CONTENDERS
        for w in (*NETWORKS.values(), PERCEPTRON, DESCENT)
        if c.name in ("symgrad", "symgrad by name")
    ],
]
OWN = [(c, w) for c, w in OWN if c.kind == w.kind]


@pytest.mark.parametrize(("contender", "work"), OWN, ids=[f"{c.name}-{w.name}" for c, w in OWN])
def test_contenders_without_a_tool_give_the_reference(contender, work):
    made = built(contender, work, reference.expected(work), 5, reference.complaint)
    assert made.ready is not None, made.reason


class Bindable:
    """A compiled function with `bind`, whose flat vector has the parameters in reverse order."""

    def __init__(self, work):
        self.work = work
        shapes = (
            {"w": (), "b": ()}
            if work.kind == "perceptron"
            else {name: array.shape for name, array in work.parameters.items()}
        )
        self.shapes = dict(reversed(shapes.items()))
        self.form = types.SimpleNamespace(kind="rows")
        self.parameters = np.zeros(sum(map(math.prod, self.shapes.values())))
        self.raw = self.__call__

    def bind(self, **arrays):
        assert set(arrays) == ({"x", "y"} if self.work.kind == "perceptron" else {"X", "Y"})
        return self

    def pack(self, parameters):
        return np.concatenate([np.ravel(parameters[name]) for name in self.shapes])

    def unpack(self, vector):
        found, start = {}, 0
        for name, shape in self.shapes.items():
            size = math.prod(shape)
            found[name] = vector[start : start + size].reshape(shape)
            start += size
        return found

    def packed(self, vector):
        """A vector of the reference, in the order of this one."""
        if self.work.kind == "perceptron":
            return vector[::-1].copy()
        return self.pack(dict(zip(self.work.parameters, self.work.parted(vector), strict=True)))

    def __call__(self, vector):
        np.testing.assert_array_equal(vector, self.packed(self.work.vector))
        value, gradient = reference.expected(self.work)
        return value, self.packed(gradient)

    def descend(self, vector, learning_rate, epochs):
        assert learning_rate == self.work.rate
        assert epochs == (self.work.epochs if self.work.kind == "perceptron" else 1)
        return self.packed(reference.expected(self.work)[1])


@pytest.mark.parametrize(
    ("build", "work"),
    [
        (ours.bound_network, NETWORKS["two outputs"]),
        (ours.bound_descent, DESCENT),
        (ours.bound_perceptron, PERCEPTRON),
    ],
)
def test_bound_calls_are_read_in_their_own_layout(build, work):
    ready = build(work, Bindable(work))
    expected = reference.expected(work)
    assert not reference.complaint(expected, ready.answer(ready.call()), 1e-14)
    assert not ready.note


@pytest.mark.parametrize("work", NETWORKS.values(), ids=NETWORKS)
def test_straight_line_code_gives_the_reference(work):
    """The statements behind the C and the numba contenders, run by Python."""
    code = straight.straight(work)
    total = np.zeros(work.count + 1)
    for x, y in zip(work.X, work.Y, strict=True):
        space = {"tanh": math.tanh, "exp": math.exp}
        for names, values in ((code.inputs, x), (code.targets, y), (code.parameters, work.vector)):
            space.update(zip(names, values, strict=True))
        for name, text in code.statements:
            space[name] = eval(text, space)
        total += [eval(text, space) for text in (code.loss, *code.gradients)]
    total /= work.samples
    said = reference.complaint(reference.expected(work), (total[0], total[1:]), 1e-12)
    assert not said


@pytest.mark.skipif(shutil.which("gcc") is None, reason="the floor in C needs gcc")
@pytest.mark.parametrize("work", [PERCEPTRON, DESCENT, NETWORKS["tanh"]], ids=lambda w: w.name)
def test_the_floor_in_c_gives_the_reference(work):
    for contender in native.CONTENDERS:
        if contender.kind == work.kind and contender.name.startswith("C"):
            made = built(contender, work, reference.expected(work), 5, reference.complaint)
            assert made.ready is not None, made.reason


def test_the_matrix_products_hold_the_gradients_of_the_weights():
    work = works.Network("wide", (30, 20, 4), 7)
    contender = next(c for c in native.CONTENDERS if c.group == "products")
    made = built(contender, work, reference.expected(work), 5, reference.complaint)
    assert made.ready is not None, made.reason
    assert contender.unsuited(NETWORKS["tanh"])


def contender(build, **more):
    return Contender("it", "network", build, "none", **more)


def broken(work):
    raise ImportError("no such\n  tool")


def slow(work):
    def call():
        time.sleep(0.02)
        return reference.expected(work)

    return Ready(call, lambda out: out)


@pytest.mark.parametrize(
    ("given", "reason"),
    [
        (contender(broken), "ImportError: no such tool"),
        (contender(lambda work: Ready(lambda: 0, lambda out: (0.0, np.zeros(3)))), "3 numbers"),
        (contender(slow), "one call takes"),
        (contender(broken, unsuited=lambda work: "is for others"), "is for others"),
    ],
)
def test_what_is_left_out_has_a_reason(given, reason):
    work = NETWORKS["tanh"]
    made = built(given, work, reference.expected(work), 0.01, reference.complaint)
    assert made.ready is None
    assert reason in made.reason


def test_contenders_have_names_and_settings_of_their_own():
    names = [(c.kind, c.name) for c in CONTENDERS]
    assert len(set(names)) == len(names)
    assert all(c.settings for c in CONTENDERS)
    kinds = {work.kind for work in works.all_workloads().values()}
    assert {c.kind for c in CONTENDERS} == kinds
    chosen = {c.name for c in of_kind("network", ["jax jit"])}
    assert {"jax jit", "jax jit, flat, async", "symgrad"} <= chosen
    assert "torch eager" not in chosen


# --- Statistics --------------------------------------------------------------------------------


def test_ratios_are_paired():
    """A neighbour that slows both of a round down does not move their ratio."""
    load = [1, 1, 5, 1, 9]
    ours_, theirs = [2 * k for k in load], [4 * k for k in load]
    assert paired_ratio(ours_, theirs) == 0.5
    # Medians of unpaired times would say the same here, but not where the load has come to one.
    assert paired_ratio([2, 20, 20], [4, 40, 4]) == 0.5
    assert statistics.median([2, 20, 20]) / statistics.median([4, 40, 4]) == 5


def test_the_summary_counts_units():
    rows = summary({"a": [4.0, 2.0, 6.0], "b": [8.0, 8.0, 3.0]}, ("a", "absent"), units=2)
    assert rows["a"] == {"median": 2.0, "minimum": 1.0, "ratios": {"a": 1.0}}
    assert rows["b"] == {"median": 4.0, "minimum": 1.5, "ratios": {"a": 0.5}}


class Clockwork:
    """Blocks with times of their own, which write down when they ran."""

    def __init__(self, seconds):
        self.seconds, self.ran = seconds, []

    def block(self, name):
        def run(count):
            self.ran.append((name, count))
            return self.seconds[name]

        return run


def test_every_round_has_every_contender_once_in_changing_order():
    clock = Clockwork({"a": 0.001, "b": 0.004, "c": 0.5})
    blocks = {name: clock.block(name) for name in clock.seconds}
    times = measure(blocks, Plan(rounds=20, block=0.01, budget=1000))
    assert times == {name: [s] * 20 for name, s in clock.seconds.items()}
    rounds = clock.ran[-60:]
    orders = [tuple(name for name, _ in rounds[i : i + 3]) for i in range(0, 60, 3)]
    assert all(sorted(order) == ["a", "b", "c"] for order in orders)
    assert len(set(orders)) > 1
    assert set(rounds) == {("a", 10), ("b", 2), ("c", 1)}


@pytest.mark.parametrize(("budget", "rounds"), [(1000, 60), (10, 10), (0.1, 5)])
def test_the_budget_bounds_the_rounds(budget, rounds):
    clock = Clockwork({"a": 0.5})
    times = measure({"a": clock.block("a")}, Plan(budget=budget))
    assert len(times["a"]) == rounds


def test_a_block_is_filled():
    clock = Clockwork({"a": 1e-6})
    count, each = calls_a_block(clock.block("a"), 0.005)
    assert (count, each) == (5000, 1e-6)


@pytest.mark.parametrize("power", [1, 2])
def test_the_power_of_growth(power):
    assert math.isclose(growth.exponent((3, 5 * 3**power), (12, 5 * 12**power)), power)


# --- Targets and tables ------------------------------------------------------------------------


def test_targets_name_what_is_there():
    names = works.all_workloads()
    for target in targets.TARGETS:
        kind = names[target.workload].kind
        assert target.against in {c.group for c in CONTENDERS if c.kind == kind}
        assert target.who
    assert {t.workload for t in targets.TARGETS} == set(names)


RESULT = {
    "name": "3-4-4-1-n1",
    "title": "A network",
    "rounds": 7,
    "contenders": {
        "symgrad": {"median": 2e-6, "minimum": 1e-6, "ratios": {"symgrad": 1.0}},
        "jax jit": {"median": 4e-6, "minimum": 3e-6, "ratios": {"symgrad": 0.25}},
        "jax jit, flat": {"median": 5e-6, "minimum": 3e-6, "ratios": {"symgrad": 0.4}},
        "torch eager": {"median": 1e-6, "minimum": 1e-6, "ratios": {"symgrad": 2.0}},
    },
    "left out": {"heyoka": "ImportError: a | b", "sympy": "slow", "pytensor": "slow"},
    "groups": {
        "symgrad": "symgrad",
        "jax jit": "jax jit",
        "jax jit, flat": "jax jit",
        "torch eager": "torch eager",
    },
    "settings": {"jax jit": "jit", "torch eager": "eager"},
}
for row in RESULT["contenders"].values():
    row.update(build=0.5, note="")


def test_a_target_is_held_against_the_fastest_form():
    found = targets.Target("3-4-4-1-n1", targets.NUMPY, "jax jit", 0.3)
    assert targets.reached(found, RESULT) == 0.4
    assert targets.reached(replace(found, subjects=targets.COMPILED), RESULT) is None
    assert targets.reached(replace(found, against="casadi"), RESULT) is None


def test_tables_show_losses_as_plainly_as_wins():
    text = tables.workload_table(RESULT)
    lines = text.splitlines()
    rows = [line for line in lines if line.startswith("| ")][2:]
    assert rows == [
        "| torch eager | 1 µs | 1 µs | 2 | - | 500 ms |",
        "| **symgrad** | 2 µs | 1 µs | 1 | - | 500 ms |",
        "| jax jit | 4 µs | 3 µs | 0.25 | - | 500 ms |",
        "| jax jit, flat | 5 µs | 3 µs | 0.4 | - | 500 ms |",
    ]
    assert "7 rounds." in lines
    assert r"- Left out: heyoka: ImportError: a \| b" in lines
    assert "- Left out: sympy; pytensor: slow" in lines


def test_the_report_has_targets_met_missed_and_not_measured():
    grown = {
        "name": "growth-width",
        "title": "Growth",
        "text": "Text.",
        "head": ["network", "time"],
        "lines": [["2x1", "3 ms"]],
        "left out": {"sympy": "sympy: too slow"},
        "targets": [("longest", "10 ms", "30 ms", False)],
    }
    document = {
        "machine": {"processor": "one"},
        "not installed": {"casadi": "ERROR: no wheel"},
        "results": {"3-4-4-1-n1": RESULT, "growth-width": grown},
    }
    text = tables.report(document)
    assert "| 3-4-4-1-n1 | NumPy code | jax jit | 0.3 | 0.4 | **missed** |" in text
    assert "| 3-4-4-1-n1 | compiled | casadi compiled | 0.8 | - | not measured |" in text
    assert "| growth-width | longest |  | 10 ms | 30 ms | **missed** |" in text
    assert "- Not installed: casadi: ERROR: no wheel" in text
    assert "- Left out: sympy: too slow" in text
    assert "| jax jit | jit |" in text


@pytest.mark.parametrize(
    ("value", "text"), [(None, "-"), (0.98765, "0.988"), (12.345, "12.3"), (1234.5, "1,234")]
)
def test_ratios(value, text):
    assert tables.ratio(value) == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(1.5, "1.5 s"), (0.01234, "12.3 ms"), (9.996e-4, "1000 µs"), (3.2e-10, "0.32 ns")],
)
def test_durations(seconds, text):
    assert tables.duration(seconds) == text


def test_the_processor_is_read():
    text = "processor\t: 0\nmodel name\t: Some CPU @ 2 GHz\nflags\t\t: fpu avx2 avx512f\n"
    assert machine.processor(text) == ("Some CPU @ 2 GHz", "AVX-512")
    assert machine.processor(text.replace(" avx512f", ""))[1] == "AVX2"


# --- The command -------------------------------------------------------------------------------


def test_workloads_are_chosen_by_name_or_beginning():
    names = ["a-1", "a-10", "b"]
    assert speed.chosen(names, []) == names
    assert speed.chosen(names, ["a-1"]) == ["a-1"]
    assert speed.chosen(names, ["a-", "b"]) == names
    with pytest.raises(SystemExit, match=r"No workload begins with c; there are: a-1, a-10, b"):
        speed.chosen(names, ["c"])


def test_both_files_are_written_whole(tmp_path):
    document = {"machine": {}, "not installed": {}, "results": {"3-4-4-1-n1": RESULT}}
    speed.write(tmp_path / "new" / "speed.json", document)
    written = sorted(path.name for path in (tmp_path / "new").iterdir())
    assert written == ["speed.json", "speed.md"]
    text = (tmp_path / "new" / "speed.md").read_text(encoding="utf-8")
    assert text == tables.report(document)


def test_a_process_has_one_thread_and_symgrad_from_the_checkout(tmp_path):
    found = environment.variables(tmp_path)
    assert found["PYTHONPATH"].split(":" if ":" in found["PYTHONPATH"] else ";")[0] == str(tmp_path)
    assert {found[name] for name in environment.THREADS} == {"1"}
    assert environment.failures(tmp_path) == {}
    (tmp_path / environment.RECORD).write_text('{"jax": "", "casadi": "no wheel"}')
    assert environment.failures(tmp_path) == {"casadi": "no wheel"}


def test_tables_beside_the_workloads_have_names_of_their_own():
    own = [*works.all_workloads(), *growth.TABLES, *memory.TABLES]
    assert len(set(own)) == len(own)
    assert set(memory.NAMES) <= {c.name for c in of_kind("network")}


ROOT = Path(speed.__file__).parent.parent
#: By the words of the README: the workload.
ROWS = {
    "3-4-4-1, tanh, one sample": "3-4-4-1-n1",
    "3-4-4-1, 100 samples": "3-4-4-1-n100",
    "3-4-4-1, 10,000 samples": "3-4-4-1-n10000",
    "3-4-4-1, a million samples": "3-4-4-1-n1000000",
    "64-64-64-64-1, 32 samples, float32": "64-64-64-64-1-float32",
    "784-128-10, 128 samples": "784-128-10-float64",
}


def fastest(contenders, tool):
    """The median of a contender; of other tools that of their fastest form."""
    forms = [
        found["median"]
        for name, found in contenders.items()
        if name == tool or (tool in ("jax", "torch", "casadi") and name.startswith(tool))
    ]
    return tables.duration(min(forms)) if forms else "-"


def test_the_page_is_what_was_measured_and_so_is_the_readme():
    results = ROOT / "bench" / "results"
    document = json.loads((results / "speed.json").read_text(encoding="utf-8"))
    assert (results / "speed.md").read_text(encoding="utf-8") == tables.report(document)
    tools = ["symgrad", "symgrad C", "jax", "torch", "casadi", "textbook NumPy"]
    wanted = [
        [words, *(fastest(document["results"][name]["contenders"], tool) for tool in tools)]
        for words, name in ROWS.items()
    ]
    section = (ROOT / "README.md").read_text(encoding="utf-8").split("## How fast")[1]
    lines = [line for line in section.split("\n## ")[0].splitlines() if line.startswith("| ")][1:]
    assert [[cell.strip() for cell in line.strip("|").split("|")] for line in lines] == wanted
