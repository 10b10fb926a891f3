"""Every profile renders every network: proved line by line, and run as a program."""

import pickle
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import seeds
import sympy as sp

import symgrad as sg
from symgrad.formats import proof
from symgrad.formats.printer import Printer
from symgrad.formats.style import style_of
from symgrad.profiles import NOTATIONS
from symgrad.reading.printed import read
from symgrad.shapes import name_of

FOLDER = Path(__file__).resolve().parent.parent / "derivations"
DENSE = sg.Dense
#: Networks of other sizes, activations and losses.
LOSSES = {
    "article": lambda: sg.sse(
        sg.Network(3, [DENSE(2, activation="sigmoid", bias=False) for _ in range(2)])
    ),
    "tanh": lambda: sg.mse(
        sg.Network(2, [DENSE(4, activation="tanh"), DENSE(3, activation="tanh")])
    ),
    "classes": lambda: sg.cross_entropy(
        sg.Network(2, [DENSE(4, activation="relu"), DENSE(3, activation="softmax")])
    ),
    "one layer": lambda: sg.half_sse(sg.Network(2, [DENSE(1, activation="tanh")])),
    "a line": lambda: sg.half_sse(sg.Network(1, [DENSE(1)])),
    "penalty": lambda: (
        (net := sg.Network(2, [DENSE(2, activation="tanh")])) and sg.mse(net) + sg.l2(net, 0.1)
    ),
}


@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("profile", sg.PROFILES)
def test_every_line_in_every_profile_is_proved(profile, loss):
    found = sg.derive(LOSSES[loss](), profile=profile).check()
    assert len(found) >= 4
    assert {line.status for line in found} == {"proved"}, found.explain()


@pytest.mark.parametrize("notation", NOTATIONS)
@pytest.mark.parametrize("layout", ["parameter", "numerator"])
@pytest.mark.parametrize("loss", ["article", "classes", "penalty"])
def test_every_notation_is_proved(notation, layout, loss):
    derived = sg.derive(LOSSES[loss](), notation=notation, profile=sg.Profile(layout=layout))
    found = derived.check()
    assert {line.status for line in found} == {"proved"}, found.explain()
    assert ("All samples" in derived.markdown()) == (notation == "samples")


# ------------------------------------------------------------- run as a program


def run(derived, inputs):
    """Compute what a document says, line after line; values by the symbol of the definition."""
    made = derived.result
    printer, style = Printer(made), style_of(made)
    symbols = {**made.symbols, **{name_of(a.symbol): a.symbol for a in derived.adjoints}}
    names = {printer.name(symbol): symbol for symbol in symbols.values()}
    names.update({printer._print(size): size for size in made.sizes})
    values = {made.symbols[name]: np.asarray(value) for name, value in inputs.items()}
    for equation in proof.printed(derived):
        left = style.read(equation.left).split(" = ")[0]
        if left not in names or r"\sum" in equation.right[0]:
            continue
        symbol = names[left]
        shape = tuple(symbol.shape) if symbol.is_Matrix else ()
        text = style.read(equation.right[-1]).split(" = ")[-1]
        formula = sg.Formula.of(read(text, names, shape))
        arrays = {name: values[symbols[name]] for name in formula.inputs if name in symbols}
        values[symbol] = np.asarray(sg.compile(formula)(arrays)) if arrays else formula.sympy
    return {a.variable: values[a.symbol] for a in derived.adjoints if a.variable in derived.wrt}


def split(derived, table):
    """Give the arrays of a network in columns to a derivation in any form."""
    made, given = derived.result, {}
    for variable in made.inputs:
        name, *index = variable.name.split("_")
        array = table[name[0].upper() + name[1:] if name[0] != "b" else name]
        if index:
            place = tuple(int(number) - 1 for number in index)
            given[variable.name] = np.ravel(array)[place] if len(place) == 1 else array[place]
        elif name[0].isupper() and made.label(variable.symbol).role in ("input", "target"):
            given[variable.name] = array.reshape(1, -1)
        elif name[0] == "W" and any(v.name == "X" for v in made.inputs):
            given[variable.name] = array.T
        else:
            given[variable.name] = array.reshape([int(s) for s in variable.inside])
    return given


def gathered(derived, table, found):
    """Put gradients in any form together again: arrays by name, as in columns."""
    turned = derived.result.profile.layout == "numerator"
    rows = any(v.name == "X" for v in derived.result.inputs)
    gradients = {name: np.zeros_like(table[name]) for name in table if name[0] in "Wb"}
    for symbol, value in found.items():
        name, *index = name_of(symbol).split("_")
        name = name[0].upper() + name[1:] if name[0] == "w" else name
        value = value.T if turned and np.ndim(value) else value
        if index:
            gradients[name].reshape(table[name].shape)[tuple(int(i) - 1 for i in index)] = value
        else:
            value = value.T if rows and name[0] == "W" else value
            gradients[name] = np.reshape(value, table[name].shape)
    return gradients


@pytest.mark.parametrize("profile", sg.PROFILES)
def test_the_article_s_gradients_come_out_of_every_document(profile):
    table = {
        "X": np.array(seeds.SMALL_X, dtype=float),
        "Y": np.array(seeds.SMALL_Y, dtype=float),
        "W1": np.array(seeds.SMALL_W1, dtype=float),
        "W2": np.array(seeds.SMALL_W2, dtype=float),
    }
    derived = sg.derive(LOSSES["article"](), profile=profile)
    found = gathered(derived, table, run(derived, split(derived, table)))
    np.testing.assert_allclose(found["W1"], seeds.SMALL_GRADIENT_W1, seeds.RTOL)
    np.testing.assert_allclose(found["W2"], seeds.SMALL_GRADIENT_W2, seeds.RTOL)


@pytest.mark.parametrize("profile", sg.PROFILES)
def test_other_gradients_agree_with_differences(profile, rng):
    shapes = {"X": (2,), "Y": (3,), "W1": (4, 2), "b1": (4,), "W2": (3, 4), "b2": (3,)}
    table = {name: rng.uniform(0.2, 1.5, shape) for name, shape in shapes.items()}
    derived = sg.derive(LOSSES["tanh"](), profile=profile)
    found = gathered(derived, table, run(derived, split(derived, table)))

    def loss(values):
        hidden = np.tanh(values["W1"] @ values["X"] + values["b1"])
        output = np.tanh(values["W2"] @ hidden + values["b2"])
        return np.mean((output - values["Y"]) ** 2)

    for name in ("W1", "b1", "W2", "b2"):
        for place in np.ndindex(*shapes[name]):
            moved = []
            for step in (1e-6, -1e-6):
                other = {**table, name: table[name].copy()}
                other[name][place] += step
                moved.append(loss(other))
            slope = (moved[0] - moved[1]) / 2e-6
            assert found[name][place] == pytest.approx(slope, rel=1e-6, abs=1e-9)


# ------------------------------------------------------------------- what is printed


PRINTED = {
    "nielsen": [
        r"\delta^{x,2} = \frac{\partial C_{x}}{\partial z^{x,2}}",
        r"((w^{3})^{T} \delta^{x,3}) \odot",
        r"\frac{\partial C}{\partial w^{2}} &= \sum_{x}",
        r"w^{2} &\rightarrow w^{2} - \eta \frac{\partial C}{\partial w^{2}}",
    ],
    "ufldl": [
        r"z^{(2)} &= W^{(1)} a^{(1)}",
        r"\nabla_{W^{(1)}} J &= \delta^{(2)} (a^{(1)})^{T}",
        r"\bullet f'(z^{(2)})",
        r"W^{(1)} &= W^{(1)} - \alpha",
        "The activation is $f = \\sigma{}$.",
        "weights from layer 1 to layer 2",
    ],
    "cs231n": [r"S_{1} &= X W_{1}", r"dW_{1} &= X^{T} dS_{1}", r"\frac{1}{N}|H_{1}"],
    "cs224n": [
        r"\frac{\partial J}{\partial \boldsymbol{W}_{1}} &= \boldsymbol{x} \boldsymbol{\delta}_{1}"
    ],
    "parr-howard": [r"\otimes", r"W^{(1)}_{t+1} &= W^{(1)}_{t} - \eta", "transposed shape"],
    "goodfellow": [
        r"\boldsymbol{a}^{(2)} &= \boldsymbol{W}^{(2)} \boldsymbol{h}^{(1)}",
        r"J &= (\nabla_{\boldsymbol{a}^{(2)}} J) \boldsymbol{h}^{(1)\top}",
        r"- \epsilon",
    ],
    "article-network": [
        r"\vec{z}^{(2)} &= \underline{w}^{(1)} \vec{x}^{(1)}",
        r"\mathrm{MSE} &= \left\lVert \vec{x}^{(3)} - \vec{y} \right\rVert^2",
    ],
}


@pytest.mark.parametrize("profile", PRINTED)
def test_a_text_s_own_way_of_writing(profile):
    shown = sg.derive(LOSSES["article"](), profile=profile).markdown()
    for wanted in PRINTED[profile]:
        assert any(part in shown for part in wanted.split("|")), wanted


def test_units_and_entries_are_counted_as_asked():
    net = sg.Network(2, [DENSE(12), DENSE(2)])
    shown = sg.derive(sg.sse(net), notation="scalars", profile=sg.Profile(first_unit=0)).markdown()
    assert "w^{(1)}_{00} x_{0} + w^{(1)}_{01} x_{1}" in shown
    assert "w^{(1)}_{11,0}" in shown
    other = sg.derive(sg.sse(net), notation="scalars", profile=sg.Profile(comma=True)).markdown()
    assert "w^{(1)}_{1,1} x_{1} + w^{(1)}_{1,2} x_{2}" in other


def test_a_sign_that_has_another_meaning_is_not_taken():
    x, A = sp.MatrixSymbol("x", 2, 1), sp.MatrixSymbol("A", 2, 2)
    text = sg.parse("sum(kron(A, A) * B)", {"A": (2, 2), "B": (4, 4)})
    shown = sg.derive(text, ["A"], profile=sg.Profile(entrywise=r"\otimes")).markdown()
    assert r"\odot" in shown
    product = sg.sum_entries(sp.HadamardProduct(A, A)) * sp.Symbol("T", real=True)
    derived = sg.derive(product + sp.Trace(x.T * A * x), ["A"], profile=sg.Profile(transpose="T"))
    assert r"\mathrm{T}" in derived.markdown()
    assert derived.check()


def test_a_function_s_letter_is_taken_where_there_is_one_activation():
    net = sg.Network(2, [DENSE(2, activation="relu"), DENSE(2, activation="tanh")])
    shown = sg.derive(sg.mse(net), profile=sg.Profile(function="f")).markdown()
    assert "f(" not in shown
    assert r"\tanh(" in shown


def test_total_lines_that_are_wrong_are_found():
    derived = sg.derive(LOSSES["tanh"](), notation="samples")
    totals = [e for e in proof.printed(derived) if any(r"\sum" in r for r in e.right)]
    assert len(totals) == 5
    for equation in totals:
        for wrong in (
            equation.right[-1].replace(r"\frac{1}{n} ", ""),
            equation.right[-1].replace("_{i}", "_{j}"),
            equation.right[-1].replace("i=1", "i=2"),
            f"2 {equation.right[-1]}",
        ):
            assert wrong != equation.right[-1]
            assert not proof.check(derived, [replace(equation, right=(wrong,))]), wrong


def test_numerator_layout_transposes():
    loss = LOSSES["tanh"]()
    plain, turned = (
        sg.derive(loss, profile=sg.Profile(layout=w)) for w in ("parameter", "numerator")
    )
    for first, second in zip(plain.adjoints, turned.adjoints, strict=True):
        assert first.symbol.shape == second.symbol.shape[::-1]
    (equation,) = [
        e for e in proof.printed(plain) if e.left == r"\frac{\partial L}{\partial W^{(1)}}"
    ][:1]
    assert not proof.check(turned, [equation])


# ------------------------------------------------------------------- options


WRONG = {
    "profile": ({"profile": "nielson"}, "nielsen"),
    "no profile": ({"profile": 3}, "sg.Profile"),
    "notation": ({"notation": "row"}, "rows"),
}


@pytest.mark.parametrize("case", WRONG)
def test_wrong_options_teach(case):
    options, said = WRONG[case]
    with pytest.raises(sg.OptionError, match=re.escape(said)):
        sg.derive(LOSSES["a line"](), **options)


@pytest.mark.parametrize(
    "options",
    [
        {"layer": "(@)"},
        {"layer": "^{(l)}"},
        {"column": r"\mathbf"},
        {"entrywise": "*"},
        {"transpose": "t"},
        {"letters": {"weights": "w"}},
        {"weights": "both"},
        {"first_unit": 2},
        {"gradient": "D"},
        {"update": "+="},
    ],
)
def test_a_profile_that_cannot_be_printed_is_refused(options):
    with pytest.raises(sg.OptionError):
        sg.Profile(**options)


def test_a_notation_is_of_networks():
    w, x = sp.symbols("w x", real=True)
    with pytest.raises(sg.OptionError, match="networks"):
        sg.derive((w * x) ** 2, "w", notation="rows")
    assert sg.derive((w * x) ** 2, "w", profile="nielsen").check()
    net = sg.Network(1, [DENSE(1)])
    with pytest.raises(sg.UnsupportedError, match="sum or mean"):
        sg.derive(sg.sse(net) + sg.l2(net), notation="samples")
    # The profile's own notation gives way where a loss does not have it.
    assert sg.derive(sg.sse(net) + sg.l2(net), profile="nielsen").check()


def test_what_losses_are_made_of_keeps_their_forms():
    net = sg.Network(2, [DENSE(2, activation="tanh")])
    for loss, reduce in (
        (sg.mse(net) + sg.l2(net), "mean"),
        (2 * sg.mse(net), "mean"),
        (sg.sse(net) / 2, "sum"),
        (sg.sse(net) + sg.half_sse(net), "sum"),
        (sg.mse(net) - sg.l1(net, 0.5), "mean"),
        (sg.mse(net) + sg.sse(net), ""),
        (sg.mse(net) * sg.mse(net), ""),
    ):
        assert loss.forms.reduce == reduce
        for form in ("rows", "columns", "scalars"):
            assert loss.forms.make(form).shape == ()
        again = pickle.loads(pickle.dumps(loss))
        assert again.forms.reduce == reduce
    assert (sg.mse(net) + 1).forms.reduce == "mean"
    assert (sg.mse(net) ** 2).forms.make("columns").inputs.keys() == {"x", "W1", "b1", "y"}


def test_every_way_of_updating_is_printed():
    ways = {
        "arrow": r"W &\leftarrow W - \eta",
        "to": r"W &\rightarrow W - \eta",
        "equal": r"W &= W - \eta",
        "prime": r"W &\rightarrow {W}' = W - \eta",
        "new": r"W_{\mathrm{new}} &= W_{\mathrm{old}} - \eta",
        "time": r"W_{t+1} &= W_{t} - \eta",
    }
    loss = LOSSES["one layer"]()
    for update, shown in ways.items():
        assert shown in sg.derive(loss, profile=sg.Profile(update=update)).markdown(), update


def test_profiles_are_data():
    for profile in sg.PROFILES.values():
        assert pickle.loads(pickle.dumps(profile)) == profile
        assert profile.text
    mine = sg.Profile(letters={"loss": "E"}, name="mine")
    derived = sg.derive(LOSSES["article"](), profile=mine)
    assert pickle.loads(pickle.dumps(derived)).markdown() == derived.markdown()


def test_scalars_that_sum_to_one_are_tied():
    loss = sg.cross_entropy(sg.Network(2, [DENSE(3, activation="softmax")]).scalars())
    assert sg.verify(loss, "b1_1", "yhat_1 - y_1").status == "proved"
    verdict = sg.verify(loss, "b1_1", "yhat_1 - y_2")
    assert verdict.status == "refuted"
    assert sum(verdict.witness.point[f"y_{k}"] for k in (1, 2, 3)) == pytest.approx(1)
