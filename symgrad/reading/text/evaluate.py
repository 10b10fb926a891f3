"""What the parts of a parsed text mean: names, operators, calls, indices."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import sympy as sp

from symgrad.errors import OptionError, ParseError, SymgradError, UnsupportedError, unknown
from symgrad.reading.text import contraction, entries, making  # noqa: F401 (they register functions)
from symgrad.reading.text.grammar import Node, Token, located, placed
from symgrad.reading.text.indices import indexed
from symgrad.reading.text.linear import transposed
from symgrad.reading.text.values import (
    MOST_BITS,
    TOO_LARGE,
    Test,
    Value,
    entrywise,
    matrix_product,
    negative,
    number,
    power,
    product,
    quotient,
    remainder,
    total,
)
from symgrad.reading.text.words import WORDS, Call, as_test, as_value

#: Names before a dot that say where a function comes from.
NAMESPACES = frozenset({"np", "numpy", "linalg", "special", "scipy", "sg", "symgrad", "math"})
CONSTANTS = {"pi": sp.pi, "e": sp.E}
LITERALS = {"True": True, "False": False, "None": None, "inf": "inf"}
#: What an array has besides methods.
ATTRIBUTES = ("T", "shape", "size")
#: Functions that an array has as methods.
METHODS = frozenset(
    "sum mean var std max min prod cumsum dot trace reshape clip transpose ravel flatten "  # noqa: SIM905
    "diagonal".split()
)

RELATIONS: dict[str, Any] = {
    "==": sp.Eq,
    "!=": sp.Ne,
    "<": sp.StrictLessThan,
    "<=": sp.LessThan,
    ">": sp.StrictGreaterThan,
    ">=": sp.GreaterThan,
}
#: Functions that compare their arguments.
COMPARING = frozenset(
    ["maximum", "minimum", "where", "clip", "abs", "absolute", "fabs", "sign", "floor", "ceil"]
)
LOGIC: dict[str, Any] = {"&": sp.And, "|": sp.Or, "^": sp.Xor, "and": sp.And, "or": sp.Or}
#: A decimal fraction with a denominator up to this is read as the fraction that it is.
LARGEST_DENOMINATOR = 1000


class Evaluator:
    """Gives the parts of a text their values.

    Attributes:
        text: The text, for messages.
        scope: Values by name; definitions are added as they come.
        look_up: Makes a value of a name that is not in the scope, or returns None.
        named: Gives a scalar that is made of matrices a name.
    """

    def __init__(
        self,
        text: str,
        scope: dict[str, Value],
        look_up: Callable[[str], Value | None],
        named: Callable[[Value], Value],
    ) -> None:
        self.text, self.scope, self.look_up, self.named = text, scope, look_up, named

    def value(self, node: Node) -> Value:
        """Return the value of a whole expression.

        Raises:
            SymgradError: With the place in the text.
        """
        try:
            found = self.evaluate(node)
        except RecursionError:
            raise located(self.text, node.start, "too deeply nested") from None
        with self._at(node):
            return as_value(found, "a formula")

    def evaluate(self, node: Node) -> Any:
        """Return what a part means: a `Value`, a `Test`, a tuple, a str, a bool or None."""
        rule = getattr(self, f"_{node.kind}")
        with self._at(node):
            return rule(node)

    @contextmanager
    def _at(self, node: Node) -> Iterator[None]:
        try:
            yield
        except SymgradError as error:
            raise placed(self.text, node.start, error) from error
        except (TypeError, ValueError, ArithmeticError, AttributeError, NotImplementedError) as e:
            # SymPy's own refusals, of what is no real-valued mathematics.
            message = f"this has no value ({type(e).__name__} in SymPy: {e})"
            raise located(self.text, node.start, message) from e

    # ---------------------------------------------------------------- leaves

    def _number(self, node: Node) -> Value:
        digits = node.value.replace("_", "")
        if len(digits) > MOST_BITS // 4:
            raise UnsupportedError(TOO_LARGE)
        mantissa, _, exponent = digits.lower().partition("e")
        if exponent and abs(int(exponent)) > MOST_DIGITS:
            raise UnsupportedError(f"the number {digits} is out of the range of double precision")
        exact = sp.Rational(mantissa) * sp.Integer(10) ** int(exponent or 0)
        if exact.q > LARGEST_DENOMINATOR:
            return number(sp.Float(digits))
        return number(exact)

    def _string(self, node: Node) -> str:
        return str(node.value)

    def _name(self, node: Node) -> Any:
        name = node.value
        if name in self.scope:
            return self.scope[name]
        if name in LITERALS:
            return LITERALS[name]
        if name in CONSTANTS:
            return number(CONSTANTS[name])
        if name in WORDS:
            raise ParseError(f"`{name}` is a function; call it, `{name}(...)`")
        found = self.look_up(name)
        if found is None:
            wrong = unknown("name", name, self.scope)
            raise ParseError(f"{wrong}. Declare an input by its shape")
        self.scope[name] = found
        return found

    def _tuple(self, node: Node) -> tuple[Any, ...]:
        return tuple(self.evaluate(part) for part in node.parts)

    _list = _tuple

    def _keyword(self, node: Node) -> Any:
        raise ParseError("a keyword stands in a call only")

    def _slice(self, node: Node) -> Any:
        raise ParseError("a slice stands in an index only")

    # ------------------------------------------------------------- operators

    def _sign(self, node: Node) -> Any:
        inner = self.evaluate(node.parts[0])
        if node.value in ("~", "not"):
            condition = condition_of(inner, node.value)
            return Test(condition.operands, lambda *entries: sp.Not(condition.holds(*entries)))
        value = as_value(inner, node.value)
        return negative(value) if node.value == "-" else value

    def _power(self, node: Node) -> Value:
        base, exponent = (as_value(self.evaluate(part), "**") for part in node.parts)
        # SymPy asks for signs and common factors here, which it cannot of matrices.
        plain = exponent.node.is_number
        return power(base if plain else self.named(base), self.named(exponent))

    def _chain(self, node: Node) -> Any:
        operators: tuple[Token, ...] = node.value
        first = operators[0].text
        if first in LOGIC:
            return self._logic(node)
        parts = [as_value(self.evaluate(part), first) for part in node.parts]
        if first in RELATIONS:
            return Test(tuple(map(self.named, parts)), RELATIONS[first])
        if first in "+-":
            signs = [token.text for token in operators]
            rest = zip(signs, parts[1:], strict=True)
            return total([parts[0], *(p if s == "+" else negative(p) for s, p in rest)])
        result = parts[0]
        for token, part in zip(operators, parts[1:], strict=True):
            with self._at(Node("operator", token.start)):
                result = _times(token.text, result, part)
        return result

    def _logic(self, node: Node) -> Test:
        operator = node.value[0].text
        conditions = [condition_of(self.evaluate(part), operator) for part in node.parts]
        joined = LOGIC[node.value[0].text]
        counts = [len(condition.operands) for condition in conditions]

        def holds(*values: Any) -> Any:
            parts, at = [], 0
            for condition, count in zip(conditions, counts, strict=True):
                parts.append(condition.holds(*values[at : at + count]))
                at += count
            return joined(*parts)

        return Test(tuple(v for condition in conditions for v in condition.operands), holds)

    # ------------------------------------------------------- calls, attributes

    def _path(self, node: Node) -> str | None:
        """Return a function's name behind its namespaces: np.linalg.inv is inv."""
        if node.kind == "name":
            return str(node.value)
        if node.kind == "attribute" and self._is_namespace(node.parts[0]):
            return str(node.value)
        return None

    def _is_namespace(self, node: Node) -> bool:
        if node.kind == "name":
            return node.value in NAMESPACES and node.value not in self.scope
        return (
            node.kind == "attribute"
            and node.value in NAMESPACES
            and self._is_namespace(node.parts[0])
        )

    def _attribute(self, node: Node) -> Any:
        if self._is_namespace(node.parts[0]):
            name = node.value
            if name in CONSTANTS:
                return number(CONSTANTS[name])
            if name in ("newaxis", "inf"):
                return LITERALS.get(name)
            if name in WORDS:
                raise ParseError(f"`{name}` is a function; call it, `{name}(...)`")
            raise ParseError(str(unknown("function", name, WORDS)))
        value = self.evaluate(node.parts[0])
        if node.value == "T":
            return transposed(as_value(value, ".T"))
        if node.value == "shape":
            return tuple(number(size) for size in as_value(value, ".shape").shape)
        if node.value == "size":
            return number(sp.Mul(*as_value(value, ".size").shape))
        if node.value in METHODS:
            raise ParseError(f"`.{node.value}` is a method; call it, `.{node.value}(...)`")
        raise ParseError(str(unknown("attribute", node.value, [*ATTRIBUTES, *sorted(METHODS)])))

    def _call(self, node: Node) -> Value:
        function, *parts = node.parts
        name = self._path(function)
        before: list[Any] = []
        if name is None:
            if function.kind != "attribute":
                raise ParseError("only functions are called, by their names")
            if function.value not in METHODS:
                raise ParseError(str(unknown("method", function.value, sorted(METHODS))))
            name, before = function.value, [self.evaluate(function.parts[0])]
        if name in self.scope or name not in WORDS:
            wrong = unknown("function", name, WORDS)
            raise ParseError(f"`{name}` is no function" if name in self.scope else str(wrong))
        call = Call(name, before)
        for part in parts:
            if part.kind == "keyword":
                if part.value in call.named:
                    raise ParseError(f"`{part.value}` is given twice")
                call.named[part.value] = self.evaluate(part.parts[0])
            elif call.named:
                raise ParseError("an argument by position stands before those by keyword")
            else:
                call.given.append(self.evaluate(part))
        if name in COMPARING:
            call.given = [self.named(v) if isinstance(v, Value) else v for v in call.given]
        return WORDS[name].build(call)

    def _index(self, node: Node) -> Value:
        given = self.evaluate(node.parts[0])
        if isinstance(given, tuple) and node.parts[0].kind == "attribute":
            return self._size_of(given, node)
        value = as_value(given, "[]")
        return indexed(value, [self._place(part) for part in node.parts[1:]])

    def _size_of(self, shape: tuple[Any, ...], node: Node) -> Value:
        """Return one size of a shape."""
        place = self.evaluate(node.parts[1]) if len(node.parts) == 2 else None
        axis = place.node if isinstance(place, Value) else None
        if axis is None or not axis.is_Integer or not -len(shape) <= axis < len(shape):
            raise OptionError(f"a shape of {len(shape)} sizes takes one integer below that")
        found: Value = shape[int(axis)]
        return found

    def _place(self, node: Node) -> Any:
        if node.kind != "slice":
            return self.evaluate(node)
        return slice(*(self.evaluate(p) if p else None for p in _three(node.parts)))


def _three(parts: tuple[Any, ...]) -> tuple[Any, ...]:
    return (*parts, None, None)[:3]


def condition_of(given: Any, operator: str) -> Test:
    """Return what `&`, `|`, `^` and `~` work on: a condition.

    Raises:
        UnsupportedError: It is a number.
    """
    if isinstance(given, Value):
        power = "; a power is `**`" if operator == "^" else ""
        raise UnsupportedError(
            f"`{operator}` works on conditions, such as (x > 0) & (x < 1), not on numbers{power}"
        )
    return as_test(given, operator)


#: Exponents of ten that doubles have.
MOST_DIGITS = 300


def _times(operator: str, first: Value, second: Value) -> Value:
    if operator == "*":
        return product(first, second)
    if operator == "/":
        return quotient(first, second)
    if operator == "@":
        return matrix_product(first, second)
    if operator == "//":
        return entrywise(sp.floor, [quotient(first, second)])
    return remainder(first, second)
