r"""Names as LaTeX: what people mean by them, and never anything that TeX cannot read.

A name may be any text: `w_1` and `w1` are w with an index, `rate` is a word,
`w_{11}^{(1)}` is LaTeX already, and `100%` has to be escaped.

>>> latex_name("w_1"), latex_name("rate"), latex_name("lambda_"), latex_name("100%")
('w_{1}', '\\mathrm{rate}', '\\lambda', '\\mathrm{100\\%}')
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Mapping

_LETTERS = (
    "alpha beta gamma delta epsilon zeta eta theta iota kappa lambda mu nu xi pi rho sigma tau "
    "upsilon phi chi psi omega Gamma Delta Theta Lambda Xi Pi Sigma Upsilon Phi Psi Omega"
)
#: Greek letters for which LaTeX has a command.
GREEK = tuple(re.findall(r"\w+", _LETTERS))
#: Unicode's accents, and LaTeX's commands for them.
ACCENTS = {
    "\N{COMBINING GRAVE ACCENT}": "grave",
    "\N{COMBINING ACUTE ACCENT}": "acute",
    "\N{COMBINING CIRCUMFLEX ACCENT}": "hat",
    "\N{COMBINING TILDE}": "tilde",
    "\N{COMBINING MACRON}": "bar",
    "\N{COMBINING BREVE}": "breve",
    "\N{COMBINING DOT ABOVE}": "dot",
    "\N{COMBINING DIAERESIS}": "ddot",
    "\N{COMBINING RING ABOVE}": "mathring",
    "\N{COMBINING CARON}": "check",
    "\N{COMBINING RIGHT ARROW ABOVE}": "vec",
}
_ESCAPES = {
    **{sign: f"\\{sign}" for sign in "%#$&_{} "},
    "\\": r"\backslash ",
    "^": r"\wedge ",
    "~": r"\sim ",
}
#: Commands that a LaTeX-like name may use, with the number of their arguments.
_COMMANDS = {
    **dict.fromkeys(GREEK, 0),
    **dict.fromkeys(("ell", "prime", "top", "star", "ast", "dagger", "infty", "varepsilon"), 0),
    **dict.fromkeys(("varphi", "vartheta", "partial", "nabla", "pm", "cdot", "ldots"), 0),
    **dict.fromkeys(ACCENTS.values(), 1),
    **dict.fromkeys(("widehat", "widetilde", "overline", "underline"), 1),
    **dict.fromkeys(("mathbf", "mathrm", "mathcal", "mathbb", "mathsf", "text", "operatorname"), 1),
}
_TOKEN = re.compile(r"\\[A-Za-z]+|\\.|.", re.DOTALL)


def latex_name(name: str) -> str:
    """Print a name by what people mean by it; see the module."""
    if re.search(r"[\\{}^]", name) and is_latex(name):
        return name
    text = _ascii_letters(name)
    base, *marks = list(unicodedata.normalize("NFD", text) or " ")
    if marks and base.isascii() and all(mark in ACCENTS for mark in marks):
        return _accented(base, marks)
    match = re.fullmatch(r"([^\W\d_]+?)(\d*)((?:__?[^\W_]+)*)_?('*)", text)
    if match is None:
        return in_words(name)
    stem, digits, scripts, primes = match.groups()
    up = [part for mark, part in re.findall(r"(__?)([^\W_]+)", scripts) if mark == "__"]
    down = [part for mark, part in re.findall(r"(__?)([^\W_]+)", scripts) if mark == "_"]
    printed = _word(stem) + primes
    if up:
        # A prime is a superscript for TeX: a second one would not compile.
        printed = f"{{{printed}}}" if primes else printed
        printed += f"^{{{','.join(map(_script, up))}}}"
    down = [digits, *down] if digits else down
    return printed + (f"_{{{','.join(map(_script, down))}}}" if down else "")


def in_words(name: str) -> str:
    r"""Print a name letter by letter, upright.

    >>> in_words("x1"), in_words("a_b")
    ('\\mathrm{x1}', '\\mathrm{a\\_b}')
    """
    if not name:
        return r"\square"
    return rf"\mathrm{{{''.join(map(_sign, unicodedata.normalize('NFC', name))).rstrip()}}}"


def _sign(sign: str) -> str:
    if sign in _ESCAPES:
        return _ESCAPES[sign]
    if " " < sign <= "~":
        return sign
    base, *marks = list(unicodedata.normalize("NFD", sign))
    if marks and base.isascii() and all(mark in ACCENTS for mark in marks):
        return _accented(base, marks)
    letter = _ascii_letters(sign)
    # pdflatex has no glyph for most of Unicode; the code tells which one is meant.
    return f"\\{letter} " if letter in GREEK else f"[{ord(sign):X}]"


def _accented(text: str, marks: Iterable[str]) -> str:
    for mark in marks:
        text = rf"\{ACCENTS[mark]}{{{text}}}"
    return text


def _ascii_letters(name: str) -> str:
    """Spell Greek letters out, and write raised and lowered digits as plain ones."""
    spelled = ""
    for sign in unicodedata.normalize("NFKC", name):
        words = re.fullmatch(r"GREEK (SMALL|CAPITAL) LETTER (\w+)", unicodedata.name(sign, ""))
        letter = words.group(2).lower().replace("lamda", "lambda") if words else ""
        letter = letter.capitalize() if words and words.group(1) == "CAPITAL" else letter
        spelled += letter if letter in GREEK else sign
    return spelled


def _script(word: str) -> str:
    # Two letters are two indices, as in w_ij; three are a word.
    return word if len(word) == 2 and word.isascii() and word not in GREEK else _word(word)


def _word(word: str) -> str:
    if word in GREEK:
        return f"\\{word}"
    for ending in ("hat", "bar", "tilde", "dot", "vec"):
        stem = word.removesuffix(ending)
        if stem != word and (len(stem) == 1 or stem in GREEK):
            return rf"\{ending}{{{_word(stem)}}}"
    plain = word.isascii() and (len(word) == 1 or word.isdigit())
    return word if plain else in_words(word)


def is_latex(name: str) -> bool:
    r"""Tell whether a name is LaTeX that compiles in a formula, of a small safe language.

    >>> is_latex("w_{11}^{(1)}"), is_latex(r"\hat{y}"), is_latex("x^"), is_latex(r"\input{a}")
    (True, True, False, False)
    """
    tokens = _TOKEN.findall(name)
    try:
        return bool(tokens) and _end_of_row(tokens, 0) == len(tokens)
    except (IndexError, ValueError):
        return False


def _end_of_row(tokens: list[str], place: int) -> int:
    """Read atoms with their scripts up to a closing brace or the end."""
    while place < len(tokens) and tokens[place] != "}":
        place = _end_of_atom(tokens, place)
        scripts: set[str] = set()
        while place < len(tokens) and tokens[place] in "^_":
            if tokens[place] in scripts:
                raise ValueError("two scripts of one kind")
            scripts.add(tokens[place])
            place = _end_of_atom(tokens, place + 1)
    return place


def _end_of_atom(tokens: list[str], place: int) -> int:
    token = tokens[place]
    if token == "{":
        end = _end_of_row(tokens, place + 1)
        if tokens[end] != "}":
            raise ValueError("an open brace")
        return end + 1
    if token.startswith("\\"):
        place += 1
        for _ in range(_COMMANDS.get(token[1:], -1) if token[1:] in _COMMANDS else 99):
            if tokens[place] != "{":
                raise ValueError("a command without its argument, or an unknown one")
            place = _end_of_atom(tokens, place)
        return place
    if not re.fullmatch(r"[A-Za-z0-9 ()+\-*,.=:;|/<>!?\[\]]", token):
        raise ValueError("a sign that a formula cannot hold")
    return place + 1


def distinct(names: Mapping[str, str], reserved: Iterable[str] = ()) -> dict[str, str]:
    r"""Print names so that no two look alike, nor like what is reserved.

    Args:
        names: How every name would be printed if it were alone.
        reserved: What is printed already.

    >>> distinct({"x1": "x_{1}", "x_1": "x_{1}", "e": "e"}, ["e"])
    {'x_1': 'x_{1}', 'e': '\\mathrm{e}', 'x1': '\\mathrm{x1}'}
    """
    used = {looks(text) for text in reserved}
    found: dict[str, str] = {}
    for name in sorted(names, key=lambda name: "_" not in name and name[-1:].isdigit()):
        text, count = names[name], 2
        if looks(text) in used:
            text = in_words(name)
        while looks(text) in used:
            text, count = f"{in_words(name)}_{{[{count}]}}", count + 1
        used.add(looks(text))
        found[name] = text
    return found


def looks(text: str) -> str:
    """Return what tells printed names apart: spaces and braces do not.

    >>> looks("x_{1}") == looks("x_1")
    True
    """
    return re.sub(r"[{}\s]", "", text)


def argument_letter(taken: Iterable[str]) -> str:
    """Return the letter of a function's argument: z, or another one where z has a meaning.

    >>> argument_letter(["x"]), argument_letter(["z", "w"])
    ('z', 'u')
    """
    used = set(taken)
    letters: list[str] = [*"zutvsrq", r"\xi"]
    return next(letter for letter in letters if letter not in used)
