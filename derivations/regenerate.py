"""Write every derivation of this folder anew: one script a network, each with a `write(folder)`.

With `--documents FOLDER` every derivation is written there as LaTeX, Markdown, HTML, notebook and,
with pdflatex, PDF. With `--check` nothing is written here: the files are made in another folder and
compared. Text must be equal; pictures must draw the same, as versions of matplotlib write them
differently.
"""

import importlib
import itertools
import re
import shutil
import sys
import tempfile
import xml.etree.ElementTree as ElementTree
from pathlib import Path

HERE = Path(__file__).resolve().parent
MADE = (".tex", ".md", ".json", ".svg")  # the endings of what is written here
TOLERANCE = 0.5  # points by which a coordinate of a picture may differ
OF_WORDS = 6.0  # the same for words and the legend: their places depend on the fonts

# A number that is not part of a word or of a colour such as #1f5fa8.
_NUMBER = re.compile(r"(?<![\w#.])-?\d+(?:\.\d+)?(?:e[-+]?\d+)?")
# Attributes that name parts of the file, or say what the file's own text says elsewhere.
_NAMES = ("id", "clip-path", "href", "version")


def scripts():
    """The scripts, in order; what begins with an underscore is shared by them."""
    found = (path for path in sorted(HERE.glob("*.py")) if path != Path(__file__).resolve())
    return [path for path in found if not path.stem.startswith("_")]


def load(script):
    """Import a script of this folder by its path."""
    if str(HERE) not in sys.path:
        sys.path.insert(0, str(HERE))
    return importlib.import_module(script.stem)


def write_all(folder):
    """Run every script; returns the paths written."""
    return [Path(path) for script in scripts() for path in load(script).write(folder)]


def drawn_alike(first, second):
    """Tell whether two SVG texts draw the same: the same parts, numbers within the tolerance."""
    pairs = itertools.zip_longest(_parts(first), _parts(second), fillvalue=("", [], 0))
    return all(
        words == others
        and len(numbers) == len(values)
        and all(abs(a - b) <= near for a, b in zip(numbers, values, strict=True))
        for (words, numbers, near), (others, values, _) in pairs
    )


def _parts(svg):
    """Every element as its words, its numbers and their tolerance, without names and metadata."""
    return _below(ElementTree.fromstring(svg), TOLERANCE)


def _below(element, near):
    tag = element.tag.rpartition("}")[2]
    if tag == "metadata":
        return
    if tag == "text" or element.get("id", "").startswith("legend"):
        near = OF_WORDS
    # Versions write the font of words in several ways.
    skipped = (*_NAMES, "style") if tag == "text" else _NAMES
    named = {key.rpartition("}")[2]: value for key, value in element.attrib.items()}
    line = " ".join([tag, *(f"{k}={named[k]}" for k in sorted(named) if k not in skipped)])
    words = _shown(element) if tag == "text" else ""
    yield f"{_NUMBER.sub('#', line)} {words}", [float(n) for n in _NUMBER.findall(line)], near
    if tag != "text":
        for child in element:
            yield from _below(child, near)


def _shown(element):
    """The letters of a text: as they are, or in order of the alphabet where they are placed singly.

    Versions write a formula letter by letter, or the letters of one font together.
    """
    letters = "".join("".join(element.itertext()).split())
    return "".join(sorted(letters)) if len(element) else letters


def differences(made, kept):
    """Say which files of two folders differ, are missing or are left over."""
    names = {p.name for f in (made, kept) for p in f.iterdir() if p.suffix in MADE}
    for name in sorted(names - {"README.md"}):
        new, old = made / name, kept / name
        if not new.exists():
            yield f"{name} is written by no script"
        elif not old.exists():
            yield f"{name} is not checked in"
        else:
            texts = [path.read_text(encoding="utf-8") for path in (new, old)]
            same = drawn_alike(*texts) if new.suffix == ".svg" else texts[0] == texts[1]
            if not same:
                yield f"{name} differs from what is checked in"


def write_documents(folder):
    """Write every derivation as a document of its own, in every format that can be had here."""
    with tempfile.TemporaryDirectory() as pages:
        write_all(Path(pages))
    folder.mkdir(parents=True, exist_ok=True)
    endings = [".tex", ".md", ".html", ".ipynb", *([".pdf"] if shutil.which("pdflatex") else [])]
    for name, derivation in sys.modules["_page"].WRITTEN.items():
        for ending in endings:
            # Each was proved when its page was written.
            yield derivation.save(folder / f"{name}{ending}", check=False)


def main(arguments):
    """Write all files here, or with `--check` compare; returns the exit status."""
    if arguments == ["--check"]:
        with tempfile.TemporaryDirectory() as folder:
            write_all(Path(folder))
            found = list(differences(Path(folder), HERE))
        print(*(found or ["derivations/ is what symgrad prints"]), sep="\n")
        return 1 if found else 0
    if len(arguments) == 2 and arguments[0] == "--documents":
        for path in write_documents(Path(arguments[1])):
            print(f"wrote {path.name}", file=sys.stderr)
        return 0
    if arguments:
        print("usage: regenerate.py [--check | --documents FOLDER]", file=sys.stderr)
        return 2
    for path in write_all(HERE):
        print(f"wrote {path.name}", file=sys.stderr)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
