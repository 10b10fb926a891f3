"""Every formula that is printed passes a strict reader of LaTeX: KaTeX, where it is installed.

On Debian it is the packages nodejs and libjs-katex.
"""

import json
import re
import shutil
import subprocess
from pathlib import Path

import pytest
import sympy as sp

import symgrad as sg
from symgrad.formats.blocks import parted
from symgrad.formats.equations import document
from symgrad.formats.latex import aligned

FOLDER = Path(__file__).resolve().parent.parent / "derivations"
KATEX = Path("/usr/share/javascript/katex/katex.js")
PROGRAM = """
const katex = require(process.argv[1]);
const texts = JSON.parse(require("fs").readFileSync(0, "utf-8"));
const wrong = [];
for (const [text, display] of texts) {
  try {
    katex.renderToString(text, { strict: "error", throwOnError: true, displayMode: display });
  } catch (error) {
    wrong.push([text, error.message]);
  }
}
process.stdout.write(JSON.stringify(wrong));
"""

pytestmark = pytest.mark.skipif(
    shutil.which("node") is None or not KATEX.exists(),
    reason="KaTeX needs node and katex.js: apt-get install nodejs libjs-katex",
)


def refused(formulas):
    """The formulas that KaTeX does not read, with what it says."""
    done = subprocess.run(
        ["node", "-e", PROGRAM, str(KATEX)],
        input=json.dumps(formulas),
        capture_output=True,
        text=True,
        check=True,
        timeout=300,
    )
    return json.loads(done.stdout)


def formulas_of(text):
    """The formulas of a page of Markdown: those on lines of their own, and those in the text."""
    found = [[formula.strip(), True] for formula in re.findall(r"\$\$\n(.*?)\n\$\$", text, re.S)]
    rest = re.sub(r"\$\$\n.*?\n\$\$", "", text, flags=re.S)
    rest = re.sub(r"```.*?```", "", rest, flags=re.S)
    words = [piece for line in rest.splitlines() for piece in parted(line)]
    return found + [[formula, False] for kind, formula, _ in words if kind == "formula"]


def test_wrong_formulas_are_refused():
    wrong = [[r"\foo", True], ["x_{1}_{2}", False], [r"\frac{1}{", True], [r"\left( x", True]]
    assert len(refused(wrong)) == len(wrong)
    assert not refused([[r"\frac{1}{2}", True]])


def test_every_formula_of_the_gallery_is_strict():
    pages = sorted(FOLDER.glob("*.md"))
    assert len(pages) > 20
    formulas = [formula for page in pages for formula in formulas_of(page.read_text("utf-8"))]
    assert len(formulas) > 1000
    assert not refused(formulas)


NET = sg.Network(3, [sg.Dense(12, activation="selu"), sg.Dense(2, activation="softmax")])
w, x = sp.symbols("w_{11}^{(1)} x'", real=True)


@pytest.mark.parametrize(
    "derived",
    [
        lambda: sg.derive(sg.cross_entropy(NET), detail="full"),
        lambda: sg.derive(sg.cross_entropy(NET.columns()), profile="parr-howard"),
        lambda: sg.derive(sg.kl_divergence(NET), profile="nielsen", detail="full"),
        lambda: sg.derive(sp.Max(w * x, sp.floor(x)) ** 2, [w.name]),
        lambda: sg.derive((w - x) ** 2, [w.name], example={w.name: -1e-9, x.name: 2}),
        lambda: sg.derive(
            sp.Symbol("100%_\N{GREEK SMALL LETTER ALPHA}", real=True) ** 2 * x, [x.name]
        ),
    ],
    ids=["full", "numerator", "samples", "kinks", "example", "odd names"],
)
def test_what_the_gallery_has_not_is_strict_too(derived):
    formulas = formulas_of(derived().markdown())
    formulas += [
        [aligned(block.equations, block.relation), True]
        for block in document(derived(), "chain")
        if block.equations
    ]
    assert len(formulas) > 4
    assert not refused(formulas)
