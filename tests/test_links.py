"""Lines have labels, and what a text refers to is there, in every format."""

import re

import pytest
import sympy as sp

import symgrad as sg
from symgrad.formats.blocks import label_of, parted

w, x, y = sp.symbols("w x y", real=True)
NET = sg.Network(3, [sg.Dense(2, activation="sigmoid"), sg.Dense(2, activation="tanh")])
DERIVED = {
    "rows": lambda: sg.derive(sg.mse(NET)),
    "scalars": lambda: sg.derive(sg.mse(NET.scalars())),
    "samples": lambda: sg.derive(sg.mse(NET), profile="nielsen"),
    "full": lambda: sg.derive(sg.mse(NET), detail="full"),
    "result": lambda: sg.derive(sg.mse(NET), detail="result"),
    "odd names": lambda: sg.derive(
        (sp.tanh(sp.Symbol("w_{11}^{(1)}", real=True) * x) - sp.Symbol("100%", real=True)) ** 2,
        ["w_{11}^{(1)}"],
    ),
}


@pytest.fixture(params=DERIVED)
def derived(request):
    return DERIVED[request.param]()


def test_labels_in_latex_are_unique_and_referred_to(derived):
    text = derived.latex()
    labels = re.findall(r"\\label\{([^}]*)\}", text)
    assert labels
    assert len(labels) == len(set(labels))
    assert all(re.fullmatch(r"(eq|lemma):[A-Za-z0-9-]*", label) for label in labels)
    assert set(re.findall(r"\\eqref\{([^}]*)\}", text)) <= set(labels)
    numbered = re.findall(r"\\begin\{align\}(.*?)\\end\{align\}", text, re.DOTALL)
    for block in numbered:  # every line has a number with a label, or none
        assert all(
            "\\label" in line or "\\notag" in line for line in block.strip().split(r"\\" + "\n")
        )


def test_lemmas_are_linked_from_where_they_are_used():
    derived = DERIVED["rows"]()
    assert r"Here \eqref{lemma:sigmoid} and \eqref{lemma:tanh} are used" in derived.latex()
    assert r"\tag{$\sigma'$} \label{lemma:sigmoid}" in derived.latex()
    assert '<a href="#lemma:tanh">' in derived.html()
    assert "[$\\sigma'$](#the-functions)" in derived.markdown()
    assert "## The functions" in derived.markdown()


def test_links_of_a_page_lead_somewhere(derived):
    pytest.importorskip("math_core", reason="HTML needs math-core: pip install 'symgrad[html]'")
    page = derived.html()
    places = re.findall(r'id="([^"]*)"', page)
    assert len(places) == len(set(places))
    assert set(re.findall(r'href="#([^"]*)"', page)) <= set(places)


def test_texts_are_parted():
    text = "by [the rule of $x$](#rules), `d(u v)` and $y$; 5\\$"
    assert [piece for piece in parted(text) if piece[0] != "words"] == [
        ("link", "the rule of $x$", "rules"),
        ("code", "d(u v)", ""),
        ("formula", "y", ""),
    ]
    assert label_of("eq", "W^{(1)}_{11}") == "eq:W-1-11"


def test_functions_of_derivatives_are_defined_once():
    layers = [sg.Dense(2, activation="softplus"), sg.Dense(2, activation="softplus")]
    text = sg.derive(sg.mse(sg.Network(2, layers))).markdown()
    assert text.count(r"\sigma(z) &= \frac{1}{1 + e^{-z}}") == 1
    assert text.count(r"\operatorname{softplus}'(z) &= \sigma(z)") == 1
