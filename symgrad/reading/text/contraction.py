"""np.einsum of scalars, vectors and matrices, as matrix algebra."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from symgrad import algebra
from symgrad.errors import OptionError, ShapeError, UnsupportedError
from symgrad.operations.parts import Diagonal
from symgrad.reading.text.values import Value, matrix_product, product, spread
from symgrad.reading.text.words import Call, as_value, word
from symgrad.shapes import same_size


@dataclass(frozen=True)
class _Part:
    """An operand on its way: a value, and the letters of its axes."""

    value: Value
    letters: str

    def summed(self, letter: str) -> _Part:
        """Add up along one axis."""
        rest = self.letters.replace(letter, "")
        node = self.value.node
        if len(self.letters) == 1:
            return _Part(Value(algebra.sum_entries(node)), rest)
        if self.letters[0] == letter:
            return _Part(Value(algebra.transpose(algebra.sum_rows(node)), 1), rest)
        return _Part(Value(algebra.sum_columns(node), 1), rest)

    def ordered(self, letters: str) -> Value:
        """Return the value with its axes in another order."""
        if self.letters == letters:
            return self.value
        return Value(algebra.transpose(self.value.node), 2)

    def over(self, letters: str, sizes: dict[str, Any]) -> Value:
        """Repeat along the letters that it has not."""
        shape = tuple(sizes[letter] for letter in letters)
        if sorted(self.letters) == sorted(letters):
            return self.ordered(letters)
        if self.letters and letters.index(self.letters) == 0:
            # A column; NumPy would take a 1-D array as a row.
            return Value(spread(Value(self.value.node, 2), shape), 2)
        return Value(spread(self.value, shape), len(shape))


@word("einsum", example='{}("ij,kj->ik", X, X) + {}("i,j", x, y) * {}("ii", A)')
def _einsum(call: Call) -> Value:
    if call.named or not call.given or not isinstance(call.given[0], str):
        raise OptionError('`einsum` takes a text such as "ij,jk->ik", and then arrays')
    values = [as_value(given, call.word) for given in call.given[1:]]
    inputs, output = _letters(call.given[0], values)
    sizes = _sizes(inputs, values)
    parts = [_single(value, letters) for value, letters in zip(values, inputs, strict=True)]
    result = _summed(parts[0], "".join(p.letters for p in parts[1:]) + output)
    for k, part in enumerate(parts[1:], 1):
        needed = "".join(p.letters for p in parts[k + 1 :]) + output
        result = _contracted(result, _summed(part, result.letters + needed), needed, sizes)
    return result.ordered(output)


def _letters(text: str, values: Sequence[Value]) -> tuple[list[str], str]:
    """Split the text, and complete it by the output that NumPy takes where none is given."""
    left, arrow, output = text.replace(" ", "").partition("->")
    inputs = left.split(",")
    letters = [letter for part in inputs for letter in part]
    if not all(letter.isascii() and letter.isalpha() for letter in [*letters, *output]):
        raise UnsupportedError(f"`einsum` of {text!r}: letters, commas and -> are read")
    if not arrow:
        output = "".join(sorted(letter for letter in set(letters) if letters.count(letter) == 1))
    if len(inputs) != len(values):
        raise OptionError(f"`einsum` of {text!r} has {len(inputs)} parts for {len(values)} arrays")
    for part, value in zip(inputs, values, strict=True):
        if len(part) != value.rank:
            raise ShapeError(f"`einsum`: {part!r} stands for an array of shape {value.worded}")
    if len(set(output)) != len(output) or not set(output) <= set(letters):
        raise OptionError(f"`einsum` of {text!r}: each letter of the output occurs on the left")
    if len(output) > 2:
        raise UnsupportedError(f"`einsum` of {text!r} has more than two axes")
    return inputs, output


def _sizes(inputs: Sequence[str], values: Sequence[Value]) -> dict[str, Any]:
    sizes: dict[str, Any] = {}
    for letters, value in zip(inputs, values, strict=True):
        for letter, size in zip(letters, value.shape, strict=True):
            if not same_size(sizes.setdefault(letter, size), size):
                raise ShapeError(
                    f"`einsum`: the axes {letter!r} have the sizes {sizes[letter]} and {size}"
                )
    return sizes


def _single(value: Value, letters: str) -> _Part:
    """Take the diagonal where a letter stands twice."""
    if len(letters) == 2 and letters[0] == letters[1]:
        return _Part(Value(Diagonal(value.node), 1), letters[0])
    return _Part(value, letters)


def _summed(part: _Part, needed: str) -> _Part:
    """Add up along the axes that nothing else has."""
    for letter in part.letters:
        if letter not in needed:
            part = part.summed(letter)
    return part


def _contracted(first: _Part, second: _Part, needed: str, sizes: dict[str, Any]) -> _Part:
    """Multiply two operands, and add up along the axes that are not needed any more."""
    union = "".join(dict.fromkeys(first.letters + second.letters))
    if not first.letters or not second.letters:
        return _summed(_Part(product(first.value, second.value), union), needed)
    shared = [letter for letter in first.letters if letter in second.letters]
    gone = [letter for letter in shared if letter not in needed]
    if len(shared) == 1 and gone:
        (letter,) = gone
        rows, columns = first.letters.replace(letter, ""), second.letters.replace(letter, "")
        left, right = first.ordered(rows + letter), second.ordered(letter + columns)
        return _Part(matrix_product(left, right), rows + columns)
    if len(union) > 2:
        raise UnsupportedError(f"`einsum` has the axes {union!r} at once; at most two are read")
    whole = product(first.over(union, sizes), second.over(union, sizes))
    return _summed(_Part(whole, union), needed)
