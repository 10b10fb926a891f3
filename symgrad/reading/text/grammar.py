"""The grammar of formulas as text: Python's expressions, read by a parser of their own.

Python's own parser answers a hundred thousand minus signs with a crash of its stack and ten
thousand honest terms with a RecursionError. This one bounds nesting, not length: operators of one
rank are a flat list, however many there are. It knows no names and runs nothing.
"""

from __future__ import annotations

import keyword
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple

from symgrad.errors import ParseError, SymgradError

#: How deep parentheses may be nested, and signs and powers may follow each other.
DEEPEST = 40
#: Longer texts are not read.
LONGEST = 1_000_000
#: Longer names are not read.
LONGEST_NAME = 200

#: Binary operators by rank, from the loosest; all of one rank are taken from the left.
RANKS: tuple[tuple[str, ...], ...] = (
    ("or",),
    ("and",),
    ("==", "!=", "<", "<=", ">", ">="),
    ("|",),
    ("^",),
    ("&",),
    ("+", "-"),
    ("*", "/", "@", "//", "%"),
)
_RANK = {operator: rank for rank, operators in enumerate(RANKS) for operator in operators}
#: `not` binds looser than comparisons, signs tighter than products.
_NOT_RANK, _COMPARISON = 2, 2
_SIGNS = ("+", "-", "~")

_TOKEN = re.compile(
    r"""[ \t\f]*(?:
      (?P<number>(?:\d[\d_]*\.?[\d_]*|\.\d[\d_]*)(?:[eE][+-]?\d+)?)
    | (?P<name>[A-Za-z_][A-Za-z0-9_]*)
    | (?P<string>'[^'\n]*'|"[^"\n]*")
    | (?P<operator>[-+*/@]=|\*\*|//|<=|>=|==|!=|[-+*/@%<>=()\[\],.:;|&^~])
    | (?P<newline>\n|\r\n?)
    | (?P<comment>\#[^\n]*)
    )""",
    re.VERBOSE,
)


@dataclass(frozen=True)
class Token:
    """A word of the text: its kind, its characters, and where it begins."""

    kind: str
    text: str
    start: int


@dataclass(frozen=True)
class Node:
    """A part of a formula.

    Attributes:
        kind: number, name, string, sign, chain, power, attribute, call, keyword, index, slice,
            tuple or list.
        start: Where in the text it begins.
        value: The characters of a number, name or string; the operators of a chain.
        parts: The parts below; None for an end of a slice that is left out.
    """

    kind: str
    start: int
    value: Any = ""
    parts: tuple[Any, ...] = ()


class Statement(NamedTuple):
    """A definition `name = value`; without a name, the value alone."""

    name: Token | None
    value: Node


class Loop(NamedTuple):
    """Statements that are repeated: `for name in range(bounds): body`."""

    name: Token
    bounds: Node
    body: tuple[Any, ...]


def located(text: str, start: int, message: str) -> ParseError:
    """Return an error that shows the place in the text.

    >>> print(located("x + $", 4, "no such sign"))
    no such sign, in line 1, column 5:
      x + $
          ^
    """
    before = text[:start]
    line = before.count("\n") + 1
    first = before.rfind("\n") + 1
    whole = text[first:].split("\n", 1)[0]
    low = max(0, start - first - WIDTH)
    shown = whole[low : start - first + WIDTH]
    mark = " " * (start - first - low) + "^"
    # What is not printed would move the mark away from its place.
    shown = "".join(c if c.isprintable() else "?" for c in shown)
    place = f"line {line}, column {start - first + 1}"
    return ParseError(f"{message}, in {place}:\n  {shown}\n  {mark}", start)


def placed(text: str, start: int, error: SymgradError) -> SymgradError:
    """Return an error with its place in the text, unless it has one."""
    if getattr(error, "start", None) is not None:
        return error
    found = type(error)(str(located(text, start, str(error))))
    found.start = start  # type: ignore[attr-defined]
    return found


#: How many characters an error shows on either side.
WIDTH = 50


def tokens_of(text: str) -> Iterator[Token]:
    """Split a text into words.

    Raises:
        ParseError: A character that means nothing here.
    """
    at = 0
    while at < len(text):
        found = _TOKEN.match(text, at)
        if found is None:
            rest = text[at:]
            at += len(rest) - len(rest.lstrip(" \t\f"))
            if at < len(text):
                raise located(text, at, _refused(text[at]))
            break
        kind = str(found.lastgroup)
        if kind == "name" and len(found.group(kind)) > LONGEST_NAME:
            message = f"names of more than {LONGEST_NAME} characters are not read"
            raise located(text, found.start(kind), message)
        if kind != "comment":
            yield Token(kind, found.group(kind), found.start(kind))
        at = found.end()
    yield Token("end", "", len(text))


def _refused(character: str) -> str:
    if character in "'\"":
        return "this quotation has no end"
    if character == "!":
        return "`!` means nothing here; unequal is !="
    if not character.isascii():
        return (
            f"the character {character!r} (U+{ord(character):04X}) is not read; names are ASCII "
            "letters, digits and underscores"
        )
    return f"the character {character!r} is not read"


def statements(text: str) -> list[Statement | Loop]:
    """Parse a text: expressions and definitions `name = expression`, by `;` or line breaks.

    Returns:
        Statements, with the name's token (None for a bare expression), and loops, in order.

    Raises:
        ParseError: It is not of this grammar; the message shows the place.

    >>> [(name.text if name else None, node.kind) for name, node in statements("a = x + 1; a**2")]
    [('a', 'chain'), (None, 'power')]
    """
    if not isinstance(text, str):
        raise ParseError(f"a formula as text is a str, not {type(text).__name__}")
    if len(text) > LONGEST:
        raise ParseError(f"the text has {len(text)} characters; at most {LONGEST} are read")
    return _Parser(text).statements()


class _Parser:
    def __init__(self, text: str) -> None:
        self.text = text
        self.coming = tokens_of(text)
        self.depth = 0
        self.open = 0
        self.token = Token("end", "", 0)
        self._after: Token | None = None
        self.advance()

    def advance(self) -> Token:
        """Go to the next word, and return the one before it."""
        before = self.token
        if before.kind == "end" and before.start:
            return before
        self.token = self._after or next(self.coming)
        self._after = None
        # Inside brackets line breaks are blanks.
        while self.open and self.token.kind == "newline":
            self.token = next(self.coming)
        return before

    def peek(self) -> Token:
        """Return the word after the present one."""
        if self._after is None:
            self._after = next(self.coming)
        return self._after

    def error(self, message: str, token: Token | None = None) -> ParseError:
        return located(self.text, (token or self.token).start, message)

    def is_sign(self, *texts: str) -> bool:
        return self.token.kind == "operator" and self.token.text in texts

    def expect(self, text: str, within: str) -> None:
        if not self.is_sign(text):
            raise self.error(f"expected `{text}` {within}, found {self._shown()}")
        self.advance()

    def _shown(self) -> str:
        named = {"end": "the end", "newline": "the end of the line"}
        return named.get(self.token.kind, f"`{self.token.text[:20]}`")

    def statements(self) -> list[Statement | Loop]:
        found: list[Statement | Loop] = []
        while self.token.kind != "end":
            if self.token.kind == "newline" or self.is_sign(";"):
                self.advance()
                continue
            found.append(self.item())
        if not found:
            raise self.error("the text has no expression")
        return found

    def item(self) -> Statement | Loop:
        """Parse a statement, or a loop with its body, up to where it ends."""
        if self.token.kind == "name" and self.token.text == "for":
            return self.loop()
        found = self.statement()
        if self.token.kind not in ("newline", "end") and not self.is_sign(";"):
            raise self.error(f"expected an operator or the end, found {self._shown()}")
        return found

    def statement(self) -> Statement:
        name = operator = None
        if self.token.kind == "name":
            after = self.peek()
            if after.kind == "operator" and (after.text == "=" or after.text in UPDATES):
                name = self.advance()
                operator = self.advance()
        value = self.expression()
        if self.is_sign("=", *UPDATES):
            raise self.error("only a name can be defined with `=`; equal is ==")
        if name and operator and operator.text != "=":
            old = Node("name", name.start, name.text)
            sign = Token("operator", operator.text[0], operator.start)
            value = Node("chain", name.start, (sign,), (old, value))
        return Statement(name, value)

    def loop(self) -> Loop:
        first = self.advance()
        self.depth += 1
        if self.depth > DEEPEST:
            raise self.error(f"more than {DEEPEST} levels of nesting are not read", first)
        name = self.advance()
        if name.kind != "name" or name.text in RESERVED:
            raise self.error("expected a name behind `for`", name)
        if self.token.text != "in":
            raise self.error(f"expected `in range(...)` behind `for`, found {self._shown()}")
        self.advance()
        bounds = self.expression()
        if bounds.kind != "call" or bounds.parts[0] != Node("name", bounds.start, "range"):
            raise located(
                self.text, bounds.start, "a loop is over `range(...)`, with whole numbers"
            )
        self.expect(":", "behind `range(...)`")
        body = self.indented(first) if self.token.kind == "newline" else self.in_line()
        if not body:
            raise self.error("the loop has no body", first)
        self.depth -= 1
        return Loop(name, bounds, tuple(body))

    def in_line(self) -> list[Statement | Loop]:
        """Parse statements up to the end of the line."""
        found = [self.item()]
        while self.is_sign(";"):
            self.advance()
            if self.token.kind not in ("newline", "end"):
                found.append(self.item())
        return found

    def indented(self, first: Token) -> list[Statement | Loop]:
        """Parse the lines that begin further to the right than the loop itself."""
        found: list[Statement | Loop] = []
        while self.token.kind != "end":
            if self.token.kind == "newline" or self.is_sign(";"):
                self.advance()
            elif self._column(self.token) <= self._column(first):
                break
            else:
                found.append(self.item())
        return found

    def _column(self, token: Token) -> int:
        """Return how far the line of a word is moved to the right."""
        begin = self.text.rfind("\n", 0, token.start) + 1
        line = self.text[begin : token.start + 1]
        return len(line) - len(line.lstrip(" \t\f"))

    def expression(self, rank: int = 0) -> Node:
        if self.depth > DEEPEST:
            raise self.error(f"more than {DEEPEST} levels of nesting are not read")
        self.depth += 1
        if rank <= _NOT_RANK and self.token.kind == "name" and self.token.text == "not":
            token = self.advance()
            left = Node("sign", token.start, "not", (self.expression(_NOT_RANK),))
        else:
            left = self.signed()
        while True:
            found = self._rank_here()
            if found is None or found < rank:
                break
            left = self.chain(left, found)
        self.depth -= 1
        return left

    def _rank_here(self) -> int | None:
        word = self.token.kind == "name" and self.token.text in ("and", "or")
        if self.token.kind != "operator" and not word:
            return None
        return _RANK.get(self.token.text)

    def chain(self, left: Node, rank: int) -> Node:
        """Parse the operators of one rank, taken from the left."""
        operators: list[Token] = []
        parts = [left]
        while self._rank_here() == rank:
            operators.append(self.advance())
            parts.append(self.expression(rank + 1))
        if rank == _COMPARISON and len(operators) > 1:
            raise self.error("comparisons in a chain are not read; join two with &", operators[1])
        return Node("chain", left.start, tuple(operators), tuple(parts))

    def signed(self) -> Node:
        signs: list[Token] = []
        while self.is_sign(*_SIGNS):
            signs.append(self.advance())
            if len(signs) > DEEPEST:
                raise self.error(f"more than {DEEPEST} signs in a row are not read", signs[0])
        value = self.power()
        for sign in reversed(signs):
            value = Node("sign", sign.start, sign.text, (value,))
        return value

    def power(self) -> Node:
        base = self.postfix()
        if not self.is_sign("**"):
            return base
        operator = self.advance()
        if self.depth > DEEPEST:
            raise self.error(f"more than {DEEPEST} levels of nesting are not read")
        self.depth += 1
        exponent = self.signed()
        self.depth -= 1
        return Node("power", base.start, operator, (base, exponent))

    def postfix(self) -> Node:
        value = self.atom()
        count = 0
        while self.is_sign(".", "(", "["):
            count += 1
            if count > DEEPEST:
                raise self.error(f"more than {DEEPEST} calls or indices in a row are not read")
            opening = self.advance()
            if opening.text == ".":
                name = self.token
                if name.kind != "name":
                    raise self.error(f"expected a name after the dot, found {self._shown()}")
                self.advance()
                value = Node("attribute", name.start, name.text, (value,))
            elif opening.text == "(":
                value = Node("call", value.start, "", (value, *self.listed(")", keywords=True)))
            else:
                value = Node("index", opening.start, "", (value, *self.listed("]", slices=True)))
        return value

    def listed(self, closing: str, *, keywords: bool = False, slices: bool = False) -> list[Node]:
        """Parse parts between commas up to a closing bracket, the opening one being read."""
        self.open += 1
        if self.token.kind == "newline":
            self.advance()
        found: list[Node] = []
        while not self.is_sign(closing):
            found.append(self.keyword() if keywords else self.place() if slices else self.part())
            if not self.is_sign(","):
                break
            self.advance()
        self.close(closing)
        return found

    def close(self, closing: str) -> None:
        if not self.is_sign(closing):
            raise self.error(f"expected `{closing}` or an operator, found {self._shown()}")
        # The word after the bracket is read under the rules outside of it.
        self.open -= 1
        self.advance()

    def part(self) -> Node:
        if self.is_sign("*", "**"):
            raise self.error("starred arguments are not read")
        return self.expression()

    def keyword(self) -> Node:
        if self.token.kind == "name" and self.peek().text == "=" and self._after is not None:
            name = self.advance()
            self.advance()
            return Node("keyword", name.start, name.text, (self.part(),))
        return self.part()

    def place(self) -> Node:
        """Parse an index or a slice."""
        start = self.token.start
        ends: list[Node | None] = [None]
        while not self.is_sign(",", "]") and len(ends) <= 3:
            if self.is_sign(":"):
                self.advance()
                ends.append(None)
            else:
                ends[-1] = self.expression()
                if not self.is_sign(":", ",", "]"):
                    break
        if len(ends) == 1 and ends[0] is not None:
            return ends[0]
        return Node("slice", start, "", tuple(ends))

    def atom(self) -> Node:
        token = self.token
        if token.kind in ("number", "string") or (
            token.kind == "name" and token.text not in RESERVED
        ):
            self.advance()
            value = token.text[1:-1] if token.kind == "string" else token.text
            if token.kind == "number":
                self._require_number(token)
            return Node(token.kind, token.start, value)
        if self.is_sign("("):
            return self.parenthesised()
        if self.is_sign("["):
            self.advance()
            return Node("list", token.start, "", tuple(self.listed("]")))
        if token.kind == "name":
            raise self.error(f"`{token.text}` is Python's, and not read in formulas")
        raise self.error(f"expected a number, a name or a bracket, found {self._shown()}")

    def _require_number(self, token: Token) -> None:
        after = self.token
        glued = after.kind in ("name", "number") and after.start == token.start + len(token.text)
        if glued or token.text.strip("_") != token.text or "__" in token.text:
            raise self.error(f"`{token.text}{after.text if glued else ''}` is no number", token)

    def parenthesised(self) -> Node:
        start = self.advance().start
        self.open += 1
        if self.token.kind == "newline":
            self.advance()
        parts: list[Node] = []
        comma = False
        while not self.is_sign(")"):
            parts.append(self.part())
            if not self.is_sign(","):
                break
            comma = True
            self.advance()
        self.close(")")
        if len(parts) == 1 and not comma:
            return parts[0]
        return Node("tuple", start, "", tuple(parts))


#: Operators that take the old value of a name: `a += b` is `a = a + b`.
UPDATES = ("+=", "-=", "*=", "/=", "@=")
#: Words of Python that are no names.
RESERVED = frozenset(keyword.kwlist) - {"True", "False", "None"}
