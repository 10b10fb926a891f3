"""Every line of a derivation, read back from its LaTeX and proved; and wrong lines are found."""

import re
import sys
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import pytest
import sympy as sp

import symgrad as sg
from symgrad import shrinking
from symgrad.formats import proof, world
from symgrad.formats.blocks import Equation
from symgrad.reading.printed import read
from symgrad.soundness import faults
from symgrad.staging import in_full

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "derivations"))
import identities
import regenerate

w, x, y = sp.symbols("w x y", real=True)
NET = sg.Network(3, [sg.Dense(2, activation="sigmoid"), sg.Dense(2, activation="sigmoid")])
DEEP = sg.Network(2, [sg.Dense(3, activation="tanh") for _ in range(4)])
#: Derivations of which every line is proved.
PROVED = {
    "a neuron": lambda: sg.derive((sp.tanh(w * x) - y) ** 2, ["w"]),
    "rows": lambda: sg.derive(sg.mse(NET)),
    "columns": lambda: sg.derive(sg.half_sse(NET.columns())),
    "scalars": lambda: sg.derive(sg.sse(NET.scalars())),
    "four layers": lambda: sg.derive(sg.mse(DEEP)),
    "classes": lambda: sg.derive(
        sg.cross_entropy(sg.Network(3, [sg.Dense(4, activation="softmax")]))
    ),
    "binary": lambda: sg.derive(
        sg.binary_cross_entropy(sg.Network(2, [sg.Dense(1, activation="sigmoid")]))
    ),
    "kinks": lambda: sg.derive(sg.mae(sg.Network(2, [sg.Dense(2, activation="relu")]))),
    "a quadratic form": lambda: sg.derive(
        sg.parse("x @ S @ x + logdet(S)", {"S": ("n", "n"), "x": "n"}, {"S": "symmetric"}),
        ["S", "x"],
        structured=True,
    ),
    "an alias": lambda: sg.derive(sg.parse("a = w * x; b = a; (b - y)**2 * a"), ["w"]),
}


@pytest.fixture(params=PROVED)
def derived(request):
    return PROVED[request.param]()


def test_every_line_is_proved(derived):
    found = derived.check()
    assert found
    assert len(found) >= 4
    assert {line.status for line in found} == {"proved"}, found.explain()
    assert not found.failing


SCRIPTS = [
    (script.stem, part)
    for script in regenerate.scripts()
    for module in [regenerate.load(script)]
    if hasattr(module, "formulas")
    for part in module.formulas()
]


@pytest.mark.parametrize(("name", "part"), SCRIPTS)
def test_no_line_of_the_gallery_is_wrong(name, part):
    expression, wrt = regenerate.load(regenerate.HERE / f"{name}.py").formulas()[part]
    found = sg.derive(expression, wrt).check()
    assert not found.failing, found.explain()


def test_every_line_of_the_identities_is_read_and_almost_all_are_proved():
    counts = dict.fromkeys(("proved", "agrees", "refuted", "unread"), 0)
    for number, (_, text, by, _) in identities.rows().items():
        if number % 6 == 0:
            for line in sg.derive(identities.loss_of(text), by, check=False).check():
                counts[line.status] += 1
    assert not counts["refuted"], counts
    assert not counts["unread"], counts
    assert counts["proved"] >= 50 * counts["agrees"], counts


def test_numbers_that_are_rounded_in_print_refute_nothing(tmp_path):
    derived = sg.derive(0.123456789 * x**2, "x")
    found = derived.check()
    assert not found
    assert {line.status for line in found} == {"unread"}
    assert "eight digits" in found.explain()
    assert derived.save(tmp_path / "x.md").exists()
    assert sg.derive(0.125 * x**2, "x").check()


def test_entries_and_names_that_look_alike_are_told_apart():
    entries = sp.IndexedBase("x", real=True)
    derived = sg.derive(entries[0] * sp.Symbol("x1", real=True), ["x1"])
    assert derived.check(), derived.check().explain()
    lam = sg.parse("lambda_*sum(eigvalsh(A))", {"A": (2, 2), "lambda_": ()}, {"A": "symmetric"})
    assert r"\mathrm{lambda\_}" in sg.derive(lam, ["A"]).latex()


#: How a line may be spoiled: what is found, and what stands there then.
SPOILED = [
    (r" \+ ", " - "),
    (r" - ", " + "),
    (r"\^\{\\top\}", ""),
    (r"\\top\}", "}"),
    (r"(?<![_^]\{)\b2\b", "3"),
    (r"\^\{2\}", "^{3}"),
    (r"\\odot", r"\oslash"),
    (r"\\sigma\(", r"\tanh("),
    (r"\\tanh", r"\sigma"),
    (r"\(1 - ", "(2 - "),
    (r"\\hat\{Y\}", "Y"),
    (r"\\frac\{1\}\{n\}", r"\frac{2}{n}"),
    (r"\\frac\{\\partial L\}\{\\partial b[^}]*\}\}", "x"),
]


def spoiled(equation):
    """The equation with one thing changed in one of its right sides, in every way."""
    for k, right in enumerate(equation.right):
        for pattern, other in SPOILED:
            for found in re.finditer(pattern, right):
                changed = (
                    right[: found.start()] + other.replace("\\\\", "\\") + right[found.end() :]
                )
                yield replace(
                    equation, right=(*equation.right[:k], changed, *equation.right[k + 1 :])
                )


#: The derivations that are spoiled, and every how many of their changes are tried.
STRIDES = {"a neuron": 1, "rows": 1, "columns": 1, "scalars": 1, "four layers": 7}


@pytest.mark.parametrize("name", STRIDES)
def test_a_changed_line_does_not_pass(name):
    derived = PROVED[name]()
    wrongs = [wrong for line in proof.printed(derived) for wrong in spoiled(line)]
    assert len(wrongs) >= 5
    for wrong in wrongs[:: STRIDES[name]]:
        assert not proof.check(derived, [wrong]), wrong


def test_exchanged_sides_do_not_pass():
    derived = PROVED["rows"]()
    lines = proof.printed(derived)
    ends = [line for line in lines if "partial L" in line.left]
    for first, second in pairwise(ends):
        if first.right != second.right:
            assert not proof.check(derived, [replace(first, right=second.right)])


def test_a_derivation_with_a_wrong_line_is_not_written(monkeypatch, tmp_path):
    derived = PROVED["a neuron"]()
    wrong = [Equation("L", ("2 y",))]
    monkeypatch.setattr(proof, "printed", lambda derived: wrong)
    with pytest.raises(sg.UnsupportedError, match="does not hold"):
        derived.save(tmp_path / "x.tex")
    assert not (tmp_path / "x.tex").exists()
    derived.save(tmp_path / "x.tex", check=False)
    assert (tmp_path / "x.tex").exists()


def test_what_is_not_read_is_said():
    derived = PROVED["a neuron"]()
    (line,) = proof.check(derived, [Equation("L", (r"\nothing",))])
    assert line.status == "unread"
    assert "not read" in line.reason
    assert not proof.check(derived, [Equation("L", (r"\nothing",))])


# ------------------------------------------------------------- the chain of steps


def without(values, k):
    return (*values[:k], *values[k + 1 :])


def doubled(values, k):
    return (*values[: k + 1], *values[k:])


def exchanged(values, k):
    return (*values[:k], *values[k : k + 2][::-1], *values[k + 2 :])


def spoiled_steps(derived):
    """The derivation with one adjoint, term or step deleted, doubled, exchanged or altered."""
    for k, adjoint in enumerate(derived.adjoints):
        for change in (without, doubled, exchanged):
            yield replace(derived, adjoints=change(derived.adjoints, k))
        for j in range(len(adjoint.contributions)):
            for changed in spoiled_terms(adjoint.contributions, j):
                other = replace(adjoint, contributions=changed)
                yield replace(
                    derived, adjoints=(*derived.adjoints[:k], other, *derived.adjoints[k + 1 :])
                )


def spoiled_terms(contributions, j):
    yield without(contributions, j)
    yield doubled(contributions, j)
    contribution = contributions[j]
    steps = contribution.steps
    changes = [without(steps, i) for i in range(len(steps)) if len(steps) > 1]
    changes += [doubled(steps, i) for i in range(len(steps))]
    changes += [exchanged(steps, i) for i in range(len(steps) - 1)]
    for i, step in enumerate(steps):
        others = [s.rule for s in steps if s.rule is not step.rule][:1]
        altered = [replace(step, rule=rule) for rule in others]
        altered.append(replace(step, result=step.incoming + step.incoming))
        changes += [(*steps[:i], other, *steps[i + 1 :]) for other in altered]
    for changed in changes:
        if changed != steps:
            yield (
                *contributions[:j],
                replace(contribution, steps=changed),
                *contributions[j + 1 :],
            )


@pytest.mark.parametrize("name", ["a neuron", "rows", "scalars", "classes", "an alias"])
@pytest.mark.parametrize("detail", ["chain", "full"])
def test_a_deleted_doubled_exchanged_or_altered_step_is_found(name, detail):
    derived = PROVED[name]()
    derived = in_full(derived) if detail == "full" else derived
    assert not faults(derived)
    count = 0
    for wrong in spoiled_steps(derived):
        if wrong != derived:
            count += 1
            assert faults(wrong), wrong
    assert count > 20


def test_the_check_asks_for_the_chain_of_steps():
    derived = PROVED["a neuron"]()
    for wrong in spoiled_steps(derived):
        if wrong != derived:
            found = wrong.check()
            assert not found
            assert found.failing
    assert derived.check()


@pytest.mark.parametrize("name", PROVED)
def test_every_line_in_full_is_proved(name):
    derived = replace(PROVED[name](), detail="full")
    found = derived.check()
    assert {line.status for line in found} == {"proved"}, found.explain()
    assert len(found) >= len(PROVED[name]().check())


def test_full_names_every_rule_and_marks_what_changes():
    shown = replace(PROVED["classes"](), detail="full").markdown()
    assert "By the [matrix product rule](#rules)." in shown
    assert "By the [logarithm of softmax](#rules)." in shown
    entry = r"\\left[\\frac{\\partial L}{\\partial W}\\right]_{ij} = \\sum_{k=1}^{n} \\left["
    assert entry.replace("\\\\", "\\") in shown
    assert "Simplified by: what sums to one, repeated ones, common factor." in shown
    assert r"\underbrace{Y \mathbf{1}} \mathbf{1}^{\top}" in shown
    assert "| matrix product rule | `for C = A B with adjoint G:" in shown
    for rule in {step.rule for step in in_full(PROVED["classes"]()).steps}:
        assert f"| {rule.name} | `{rule.law}` | {rule.reason} |" in shown


#: Written out in scalars these would take hundreds of millions of operations.
WIDE = sg.Network(784, [sg.Dense(128, activation="tanh"), sg.Dense(10, activation="softmax")])


def test_a_wide_network_is_proved_at_other_sizes(tmp_path):
    derived = sg.derive(sg.cross_entropy(WIDE))
    assert {line.status for line in derived.check()} == {"proved"}
    assert derived.save(tmp_path / "x.tex").exists()
    (equation,) = (e for e in proof.printed(derived) if "delta^{(1)}" in e.left)
    for wrong in spoiled(equation):
        assert not proof.check(derived, [wrong]), wrong


def test_a_size_that_is_also_a_number_is_not_exchanged():
    X = sp.MatrixSymbol("X", 300, 200)
    derived = sg.derive(sp.Trace(X.T * X) / 300, ["X"])
    found = derived.check()
    assert not found
    assert not found.failing
    assert {line.status for line in found} == {"unread"}
    assert "`300`" in found.lines[0].reason


def test_many_scalars_are_too_many():
    derived = sg.derive(sp.Trace(sp.MatrixSymbol("X", 4, 4) ** 2), ["X"])
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(shrinking, "LARGE", 10)
        patch.setattr(shrinking, "HOPELESS", 10)
        assert {line.status for line in derived.check()} == {"unread"}


@pytest.mark.parametrize("seconds", [0.0, 0.05])
def test_time_that_is_up_is_said(monkeypatch, tmp_path, seconds):
    monkeypatch.setattr(proof, "TIME", seconds)
    derived = PROVED["four layers"]()
    found = derived.check()
    assert any(line.reason == "time was up" for line in found)
    assert not found.failing
    assert derived.save(tmp_path / "x.md").exists()


A, B, c = sp.MatrixSymbol("A", 2, 3), sp.MatrixSymbol("B", 3, 2), sp.MatrixSymbol("c", 3, 1)
NAMES = {"A": A, "B": B, "c": c, "t": w, r"\frac{\partial L}{\partial t}": y}
#: What is printed, and what it means.
MEANINGS = {
    "2 t + 1": 2 * w + 1,
    r"\frac{1}{2} t^{2}": w**2 / 2,
    r"\frac{\partial L}{\partial t} t": w * y,
    "e^{-t}": sp.exp(-w),
    r"\sigma'(t)": sg.sigmoid(w) * (1 - sg.sigmoid(w)),
    r"\tanh^{2}(t)": sp.tanh(w) ** 2,
    r"\sqrt{t}": sp.sqrt(w),
    r"-2 (1 - t) t": -2 * (1 - w) * w,
    r"\left\lvert t \right\rvert": sp.Abs(w),
}


@pytest.mark.parametrize("text", MEANINGS)
def test_scalars_mean_what_is_printed(text):
    assert sp.simplify(read(text, NAMES, ()) - MEANINGS[text]) == 0


@pytest.mark.parametrize(
    "text", ["A +", "A B)", r"\frac{A}", "A + c", r"\unknown", "", "A^{", r"\mathbf{1}", "(A"]
)
def test_what_is_no_formula_is_an_error(text):
    with pytest.raises(sg.SymgradError):
        read(text, NAMES, (2, 3))


def test_kinks_are_proved_where_they_are_and_cost_no_other_line_its_time():
    text = "sum(maximum(0, 1 - y * (X @ w))) / n"
    hinge = sg.derive(sg.parse(text, {"X": ("n", "d"), "w": "d", "y": "n"}), ["w"])
    assert {line.status for line in hinge.check()} == {"proved"}
    layers = [sg.Dense(3, activation="gelu"), sg.Dense(1, activation="elu")]
    found = sg.derive(sg.huber(sg.Network(2, layers))).check()
    assert found, found.explain()
    assert sum(line.status == "proved" for line in found) >= len(found) - 2


def test_what_is_taken_as_not_zero_is_looked_at(monkeypatch):
    looked = []
    certified = world.World._certified

    def seen(self, problem, assumed, leaves, stopped):
        looked.append(certified(self, problem, assumed, leaves, stopped))
        return looked[-1]

    monkeypatch.setattr(world.World, "_certified", seen)
    assert sg.derive(sg.huber(sg.Network(1, [sg.Dense(1, activation="elu")]))).check()
    assert looked
    assert all(looked)
