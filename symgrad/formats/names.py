r"""Names as LaTeX: letters with indices, words upright, nothing that breaks TeX, no two alike."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable

from sympy.printing.latex import greek_letters_set, translate

#: What is taken as LaTeX written on purpose: balanced, of harmless characters.
_HARMLESS = re.compile(r"[A-Za-z0-9_^{}()\\ ,+*'-]*")
_ESCAPES = {
    "\\": r"\textbackslash{}", "^": r"\textasciicircum{}", "~": r"\textasciitilde{}",
    **{c: rf"\{c}" for c in "#$%&_{}"},
}  # fmt: skip


def plain_name(name: str) -> str:
    r"""Print a name: x_1 and x1 as x_{1}, lambda as \lambda, words upright.

    >>> plain_name("x1"), plain_name("lambda_"), plain_name("rate"), plain_name("a%b")
    ('x_{1}', '\\lambda', '\\mathrm{rate}', '\\text{a\\%b}')
    """
    name = "".join(map(_greek, unicodedata.normalize("NFC", name)))
    if any(mark in name for mark in "{}^\\") and _is_harmless(name):
        return name
    base, *indices = [part for part in re.split(r"_+", name) if part] or [""]
    if not re.fullmatch(r"[A-Za-z0-9]+(_+[A-Za-z0-9]+)*_*", name) or not base[0].isalpha():
        return rf"\text{{{''.join(map(_escaped, name)) or '?'}}}"
    found = re.fullmatch(r"([A-Za-z]+)([0-9]+)", base)
    if found:
        base, indices = found[1], [found[2], *indices]
    shown = _letter(base)
    comma = "," if any(len(index) > 1 for index in indices) and len(indices) > 1 else ""
    below = comma.join(index if index.isdigit() or len(index) == 1 else rf"\mathrm{{{index}}}"
                       for index in indices)  # fmt: skip
    return f"{shown}_{{{below}}}" if below else shown


def _greek(character: str) -> str:
    """Spell a Greek letter out, as SymPy's own printer knows it."""
    found = re.fullmatch(r"GREEK (SMALL|CAPITAL) LETTER ([A-Z]+)", unicodedata.name(character, ""))
    if not found or found[2].lower() not in greek_letters_set:
        return character
    return found[2].lower() if found[1] == "SMALL" else found[2].title()


def _escaped(character: str) -> str:
    """Write a character so that TeX prints it; what its fonts lack is written by its number."""
    if character in _ESCAPES:
        return _ESCAPES[character]
    known = character.isascii() or character in "äöüÄÖÜßéèêëáàâíìîóòôúùûçñÉÈÁÀÓÚÇÑ"
    return character if known and character.isprintable() else f"U+{ord(character):04X}"


def _is_harmless(name: str) -> bool:
    depth = 0
    for character in name:
        depth += {"{": 1, "}": -1}.get(character, 0)
        if depth < 0:
            return False
    # Two superscripts, or an index with nothing in it, do not compile.
    broken = re.search(r"[_^]($|[_^])|\^.*\^|\\$", re.sub(r"\{[^{}]*\}", "x", name))
    return depth == 0 and bool(_HARMLESS.fullmatch(name)) and not broken


def _letter(base: str) -> str:
    if len(base) == 1:
        return base
    shown = str(translate(base))
    return rf"\mathrm{{{base}}}" if shown == base else shown


def distinct(names: Iterable[str]) -> dict[str, str]:
    r"""Print names so that no two look alike: x1 beside x_1 is \mathrm{x1}.

    >>> distinct(["x_1", "x1"])
    {'x_1': 'x_{1}', 'x1': '\\mathtt{x1}'}
    """
    shown: dict[str, str] = {}
    taken: set[str] = set()
    # Those with an underscore say what they mean; the others give way.
    for name in sorted(names, key=lambda name: ("_" not in name, name)):
        text = plain_name(name)
        if text in taken:
            text = rf"\mathtt{{{''.join(map(_escaped, name))}}}"
        shown[name] = text
        taken.add(text)
    return shown


#: Letters for indices, in the order in which they are taken.
INDEX_LETTERS = "ijklmpqruv"


def free_letters(taken: Iterable[str], count: int) -> list[str]:
    """Return letters for indices that are not taken.

    >>> free_letters({"i"}, 2)
    ['j', 'k']
    """
    taken = set(taken)
    more = (f"i_{k}" for k in range(1, count + len(taken) + 1))
    return [letter for letter in (*INDEX_LETTERS, *more) if letter not in taken][:count]
