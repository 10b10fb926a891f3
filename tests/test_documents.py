"""Whole documents: HTML, PDF and notebooks of a derivation."""

import html
import html.parser
import json
import re
import shutil
import subprocess
import sys
import xml.etree.ElementTree as ElementTree

import pytest
import sympy as sp

import symgrad as sg
from symgrad.formats import html as pages
from symgrad.formats import pdf

w, x, y = sp.symbols("w x y", real=True)
NET = sg.Network(3, [sg.Dense(2, activation="sigmoid"), sg.Dense(2, activation="tanh")])
DERIVED = {
    "network": lambda: sg.derive(sg.mse(NET)),
    "scalars": lambda: sg.derive((sp.tanh(w * x) - y) ** 2, ["w"]),
    "kinks": lambda: sg.derive(sg.mae(sg.Network(2, [sg.Dense(1, activation="relu")]))),
    "classes": lambda: sg.derive(
        sg.cross_entropy(sg.Network(3, [sg.Dense(4, activation="softmax")]))
    ),
    "text": lambda: sg.derive(
        sg.parse("logdet(S) + x @ inv(S) @ x", {"S": ("n", "n"), "x": "n"}, {"S": "symmetric"}),
        ["S", "x"],
        structured=True,
    ),
    "hostile names": lambda: sg.derive(
        (sp.Symbol("<script>", real=True) * sp.Symbol('a"b&c', real=True)) ** 2, ["<script>"]
    ),
}
MATHML = "{http://www.w3.org/1998/Math/MathML}"


@pytest.fixture(params=DERIVED)
def derived(request):
    return DERIVED[request.param]()


class Tags(html.parser.HTMLParser):
    """The tags of a page, and where they refer to."""

    def __init__(self, text):
        super().__init__()
        self.tags, self.open, self.references = [], [], []
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        self.tags.append(tag)
        self.references += [v for k, v in attributes if k in ("src", "href", "onload", "onclick")]
        if tag not in ("meta", "link", "br"):
            self.open.append(tag)

    def handle_startendtag(self, tag, attributes):
        self.tags.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag


def test_a_page_is_one_file_without_scripts(derived):
    text = derived.html()
    found = Tags(text)
    assert not found.open
    assert "script" not in found.tags
    assert all(place.startswith("#") for place in found.references)
    assert set(re.findall(r"url\((.*?)[;,)]", text)) == {"data:font/woff2"}
    assert not re.findall(r"https?://(?!www\.w3\.org/)", text)
    assert 'lang="en"' in text
    assert found.tags.count("h1") == 1
    assert "prefers-color-scheme: dark" in text
    assert "@media print" in text


def test_formulas_are_mathml_with_their_source(derived):
    body = re.search(r"<main>.*</main>", derived.html(), re.S).group()
    body = re.sub(r"&(?!amp;|lt;|gt;|quot;)\w+;", lambda found: html.unescape(found.group()), body)
    tree = ElementTree.fromstring(
        body.replace("<math", '<math xmlns="http://www.w3.org/1998/Math/MathML"')
    )
    formulas = list(tree.iter(f"{MATHML}math"))
    assert len(formulas) > 4
    for formula in formulas:
        assert formula.get("alttext")
        assert formula.find(f".//{MATHML}annotation").text.strip()
    # Nothing of LaTeX is left where a reader looks.
    for note in [n for f in formulas for n in f.iter(f"{MATHML}semantics")]:
        note.remove(note.find(f"{MATHML}annotation"))
    assert "\\" not in "".join(tree.itertext())
    assert "$" not in "".join(tree.itertext())


def test_a_page_says_what_markdown_says():
    derived = DERIVED["network"]()
    body = re.search(r"<main>(.*)</main>", derived.html(), re.S).group(1)
    headings = re.findall(r"<h2[^>]*>(.*?)</h2>", body)
    assert headings == re.findall(r"^## (.*)$", derived.markdown(), re.M)
    plain = re.sub(r"\\boxed\{\n(.*?)\n\}\n", r"\1\n", derived.markdown(), flags=re.S)
    equations = re.findall(r"\$\$\n(.*?)\n\$\$", plain, re.S)
    shown = re.findall(r'<div class="formula.*?<annotation[^>]*>(.*?)</annotation>', body, re.S)
    assert [" ".join(e.split()) for e in equations] == [
        " ".join(s.replace("&amp;", "&").split()) for s in shown
    ]


def test_what_math_core_cannot_read_is_an_error():
    with pytest.raises(sg.UnsupportedError, match="no MathML"):
        pages.mathml(r"\undefined{x}", display=False, said="x")


def test_without_math_core_the_error_says_how(monkeypatch):
    monkeypatch.setitem(sys.modules, "math_core", None)
    pages._converter.cache_clear()
    try:
        with pytest.raises(sg.UnsupportedError, match=r"symgrad\[html\]"):
            DERIVED["scalars"]().html()
    finally:
        pages._converter.cache_clear()


@pytest.mark.skipif(not shutil.which("pdflatex"), reason="pdflatex is missing (texlive-latex-base)")
def test_pdf(derived, tmp_path):
    path = derived.save(tmp_path / "derivation.pdf")
    assert path.read_bytes().startswith(b"%PDF")
    if shutil.which("pdftotext"):
        text = subprocess.run(
            ["pdftotext", path, "-"], capture_output=True, text=True, check=True
        ).stdout
        assert "Backward pass" in text


@pytest.mark.skipif(not shutil.which("pdflatex"), reason="pdflatex is missing (texlive-latex-base)")
def test_a_wrong_document_is_an_error():
    with pytest.raises(sg.UnsupportedError, match="Undefined control sequence"):
        pdf.compiled("\\documentclass{article}\\begin{document}\\nothing\\end{document}")


def test_without_pdflatex_the_error_says_how(monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(sg.UnsupportedError, match="texlive-latex-base"):
        DERIVED["scalars"]().save(tmp_path / "x.pdf")
    assert not (tmp_path / "x.pdf").exists()


def test_a_notebook_runs(derived, tmp_path):
    path = derived.save(tmp_path / "derivation.ipynb")
    notebook = json.loads(path.read_text(encoding="utf-8"))
    assert (notebook["nbformat"], notebook["nbformat_minor"]) == (4, 5)
    assert len({cell["id"] for cell in notebook["cells"]}) == len(notebook["cells"])
    assert notebook["cells"][0]["source"][0].startswith("# The gradient of")
    code = ["".join(c["source"]) for c in notebook["cells"] if c["cell_type"] == "code"]
    for cell in notebook["cells"]:
        assert set(cell) >= {"cell_type", "id", "metadata", "source"}
        assert ("outputs" in cell) == (cell["cell_type"] == "code")
    assert len(code) == 3
    done = subprocess.run(
        [sys.executable, "-I", "-c", "\n\n".join(code)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert "largest relative error" in done.stdout


def test_a_wrong_gradient_fails_its_notebook(tmp_path):
    path = DERIVED["scalars"]().save(tmp_path / "derivation.ipynb")
    notebook = json.loads(path.read_text(encoding="utf-8"))
    code = "\n\n".join("".join(c["source"]) for c in notebook["cells"] if c["cell_type"] == "code")
    wrong = re.sub(r"(    dw = )(.*)", r"\1 2.0 * (\2)", code)
    assert wrong != code
    done = subprocess.run(
        [sys.executable, "-I", "-c", wrong], capture_output=True, text=True, check=False
    )
    assert "AssertionError" in done.stderr


def test_endings():
    with pytest.raises(sg.OptionError, match=r"\.html"):
        DERIVED["scalars"]().save("derivation.docx")
    with pytest.raises(sg.OptionError, match="no folder"):
        DERIVED["scalars"]().save("nowhere/derivation.pdf")


def test_jupyter_shows_a_derivation_as_markdown():
    derived = DERIVED["scalars"]()
    assert derived._repr_markdown_() == derived.markdown()
    assert not hasattr(derived, "_repr_latex_")
