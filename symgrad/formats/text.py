r"""Formulas as plain Unicode text, for terminals.

It reads the LaTeX that symgrad's printer writes (that language, no other), so
that what a terminal shows and what a document shows cannot differ.

>>> plain(r"\frac{\partial L}{\partial w^{(1)}} = 2 (\hat{y} - y) (1 - \hat{y}^{2})")
'∂L/∂w⁽¹⁾ = 2 (ŷ - y) (1 - ŷ²)'
"""

from __future__ import annotations

import re
import unicodedata
from typing import Any

from symgrad.formats.blocks import Block, Equation, parted
from symgrad.formats.equations import document, title
from symgrad.formats.names import ACCENTS, GREEK


def _unicode_name(word: str) -> str:
    kind = "SMALL" if word.islower() else "CAPITAL"
    return f"GREEK {kind} LETTER {word.upper().replace('LAMBDA', 'LAMDA')}"


#: The sign before a rounded number.
ABOUT = "≈"
_WORDS = {
    "approx": ABOUT,
    "partial": "∂",
    "delta": "δ",
    "sigma": "σ",
    "eta": "η",
    "odot": "⊙",
    "circ": "∘",
    "bullet": "•",
    "oslash": "⊘",
    "nabla": "∇",
    "epsilon": "ε",
    "prime": "′",
    "intercal": "T",
    "dots": "...",
    "cdot": "·",
    "otimes": "⊗",
    "ast": "*",
    "mapsto": "↦",
    "top": "T",
    "times": "×",
    "leq": "≤",
    "geq": "≥",
    "vert": "|",
    "xi": "ξ",
    "leftarrow": "<-",
    "rightarrow": "->",
    "lVert": "‖",
    "rVert": "‖",
    "lvert": "|",
    "rvert": "|",
    "sum": "sum",
    "left": "",
    "right": "",
    "quad": "  ",
    "lfloor": "⌊",
    "rfloor": "⌋",
    "lceil": "⌈",
    "rceil": "⌉",
    **{word: unicodedata.lookup(_unicode_name(word)) for word in GREEK},
    "backslash": "\N{REVERSE SOLIDUS}",
    "square": "□",
    "wedge": "^",
    "sim": "~",
}
_ACCENTS = {word: mark for mark, word in ACCENTS.items()}
_UP = str.maketrans("0123456789+-=()nijT", "⁰¹²³⁴⁵⁶⁷⁸⁹⁺⁻⁼⁽⁾ⁿⁱʲᵀ")
_DOWN = str.maketrans("0123456789+-=()ij", "₀₁₂₃₄₅₆₇₈₉₊₋₌₍₎ᵢⱼ")
_TOKEN = re.compile(r"\\[a-zA-Z]+|\\.|[{}^_]|[^\\{}^_]")


def plain(latex: str) -> str:
    """Write a formula of symgrad's printer as one line of text."""
    text = _Reader(_TOKEN.findall(latex)).read()
    text = re.sub(r" *\n *", "\n", text).strip()
    return re.sub(r"(?<=\S) {2,}", " ", text).replace("( ", "(").replace(" )", ")")


class _Reader:
    """Walk over the tokens of a formula."""

    def __init__(self, tokens: list[str]) -> None:
        self.tokens = tokens
        self.place = 0

    def read(self, inside: bool = False) -> str:
        """Read up to the end, or to the brace that closes a group."""
        text = ""
        while self.place < len(self.tokens):
            token = self.tokens[self.place]
            self.place += 1
            if token == "}" and inside:
                return text
            text += self._shown(token)
        return text

    def _group(self) -> str:
        while self.tokens[self.place] == " ":
            self.place += 1
        token = self.tokens[self.place]
        self.place += 1
        return self.read(inside=True) if token == "{" else self._shown(token)

    def _shown(self, token: str) -> str:
        if token == "{":
            return self.read(inside=True)
        if token in "^_":
            return _script(self._group(), token)
        if not token.startswith("\\"):
            return "" if token == "&" else token
        return self._command(token[1:])

    def _command(self, word: str) -> str:
        if word == "underbrace":  # the part that changes
            return f"({self._group()})"
        if word in ("frac", "tfrac"):
            return _fraction(self._group(), self._group())
        if word == "sqrt":
            return f"sqrt({self._group()})"
        if word in _ACCENTS:
            return unicodedata.normalize("NFC", self._group() + _ACCENTS[word])
        if word in (
            "operatorname",
            "mathbf",
            "boldsymbol",
            "text",
            "mathrm",
            "mathsf",
            "underline",
            "overline",
        ):
            return self._group()
        if word in ("begin", "end"):
            return "{" if self._group() and word == "begin" else "}"
        if word == "\\":
            return "; "
        if word in _WORDS:
            return self._joined(_WORDS[word])
        return " " if word in ",:; " else word

    def _joined(self, text: str) -> str:
        """Drop the space that LaTeX needs after a command and text does not."""
        if text in ("∂", "") and self.place < len(self.tokens) and self.tokens[self.place] == " ":
            self.place += 1
        return text


def _script(text: str, mark: str) -> str:
    table = _UP if mark == "^" else _DOWN
    compact = re.sub("([⊙∘•⊗]) ", r"\1", text)
    moved = compact.translate(table)
    if mark == "^" and compact[:1] in ("⊙", "∘", "•", "⊗"):
        return f"^{compact}"
    if all(ord(old) != ord(new) for old, new in zip(compact, moved, strict=True)):
        return moved
    return f"{mark}{compact}" if compact.isalnum() else f"{mark}({compact})"


def _fraction(over: str, under: str) -> str:
    if over.startswith("∂") and under.startswith("∂"):
        return f"{over}/{under}"
    wrapped = [part if re.fullmatch(r"[\w.]+", part) else f"({part})" for part in (over, under)]
    return "/".join(wrapped)


def lines_of(equation: Equation, relation: str = "=") -> list[str]:
    """Write an equation as lines, later ones set under the first sign.

    >>> lines_of(Equation("a", ("b", "c")))
    ['a = b', '  = c']
    """
    left = plain(equation.left)
    first, *rest = (plain(part) for part in equation.right)
    indent = " " * len(left)
    # A rounded result begins with its own sign.
    signs = ["" if part.startswith(ABOUT) else f"{relation} " for part in (first, *rest)]
    lines = [f"{indent} {sign}{part}" for sign, part in zip(signs[1:], rest, strict=True)]
    return [f"{left} {signs[0]}{first}", *lines]


def derivation(derived: Any, *, detail: str) -> str:
    """Write a derivation as plain text for a terminal."""
    heading = _text(title(derived))
    parts = [f"{heading}\n{'=' * len(heading)}", *map(_block, document(derived, detail))]
    return "\n\n".join(parts) + "\n"


def _text(text: str) -> str:
    return "".join(
        plain(words) if kind == "formula" else _text(words) if kind == "link" else words
        for kind, words, _ in parted(text)
    )


def _block(block: Block) -> str:
    if block.kind == "heading":
        return f"{block.text}\n{'-' * len(block.text)}"
    if block.kind == "text":
        return _text(block.text)
    if block.kind == "table":
        return _table([[_text(cell) for cell in row] for row in block.rows])
    relation = plain(block.relation)
    return "\n".join(f"  {line}" for e in block.equations for line in lines_of(e, relation))


def _table(rows: list[list[str]]) -> str:
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = ("  ".join(map(str.ljust, row, widths)) for row in rows)
    return "\n".join(f"  {line}".rstrip() for line in lines)
