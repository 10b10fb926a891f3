"""Signs of nodes: a condition u > 0 by the simplest u that has the same sign."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from functools import partial
from typing import TYPE_CHECKING

from symgrad.circuit.kinds import ADD, EXP, MULTIPLY, NUMBER, POSITIVE, POWER, SELECT, ZERO

if TYPE_CHECKING:
    from symgrad.circuit import Circuit

#: Makes a condition of a node.
Condition = Callable[["Circuit", int], int]
#: The sign of a product of up to so many factors is that of its factors.
MOST_FACTORS = 4
#: The sign of a sum with so many choices is looked at branch by branch.
MOST_CHOICES = 2
#: So many choices inside each other are looked at: each doubles the conditions.
DEEPEST = 4


def positive(circuit: Circuit, node: int, depth: int = 0) -> int:
    """Return the condition node > 0, with what does not change the sign left out.

    >>> from symgrad.circuit import Circuit
    >>> circuit = Circuit()
    >>> x = circuit.variable("x")
    >>> positive(circuit, circuit.multiply(x, circuit.exp(x))) == positive(circuit, x)
    True
    """
    # Choices inside choices ask for the same nodes again and again.
    found = circuit.known_signs.get((node, depth))
    if found is None:
        found = circuit.known_signs[node, depth] = _positive(circuit, node, depth)
    return found


def _positive(circuit: Circuit, node: int, depth: int) -> int:
    known = circuit.as_number(node)
    if known is not None:
        return circuit.true if known > 0 else circuit.false
    kind, args, value = circuit.nodes[node]
    if circuit.traits[node].positive:
        return circuit.true
    if kind == MULTIPLY:
        kept = _signed_factors(circuit, args)
        if kept != list(args):
            return positive(circuit, circuit.multiply(*kept))
        plain = [arg for arg in args if circuit.as_number(arg) is None]
        if circuit.almost_everywhere and 1 < len(plain) <= MOST_FACTORS:
            return _sign_of_product(circuit, args)
    if kind == ADD and len(args) == 2:
        compared = _compared_exponentials(circuit, args)
        if compared is not None:
            return positive(circuit, compared)
    terms = _terms(circuit, node)
    choices = [term for term in terms if _is_choice(circuit, term)]
    if kind in (ADD, MULTIPLY) and 0 < len(choices) <= MOST_CHOICES and depth < DEEPEST:
        return _of_sum_with_choice(circuit, terms, choices[0], partial(positive, depth=depth + 1))
    if kind == SELECT:
        # A choice is positive where the chosen branch is: relu(z) > 0 where z > 0.
        return _by_branch(circuit, node, partial(positive, depth=depth))
    if kind == POWER and value.denominator % 2 == 1 and value.numerator % 2 == 1:
        return positive(circuit, args[0])
    even_root = kind == POWER and value.denominator % 2 == 0 and value > 0
    if even_root and circuit.zero_on_null_set(args[0]):
        return circuit.true
    if _leads_negative(circuit, node):
        flipped = circuit.negative(node)
        if circuit.traits[flipped].positive:
            return circuit.false
        if circuit.zero_on_null_set(node):
            return circuit.negation(circuit.node(POSITIVE, (flipped,)))
    return circuit.node(POSITIVE, (node,))


def _compared_exponentials(circuit: Circuit, terms: tuple[int, ...]) -> int | None:
    """A exp(u) - b exp(v) > 0 where u + log(a) > v + log(b); a number is b exp(0)."""
    sides: list[list[int]] = [[], []]
    for term in terms:
        factor, rest = circuit.with_coefficient(term)
        if rest is not None and circuit.nodes[rest].kind != EXP:
            return None
        exponent = circuit.number(0) if rest is None else circuit.nodes[rest].args[0]
        sides[factor < 0].append(circuit.add(exponent, circuit.log(circuit.number(abs(factor)))))
    return circuit.subtract(sides[0][0], sides[1][0]) if sides[0] and sides[1] else None


def _sign_of_product(circuit: Circuit, args: tuple[int, ...]) -> int:
    """A product is positive where its first factor and the rest have one sign."""
    first, rest = args[0], circuit.multiply(*args[1:])
    if circuit.as_number(first) is not None:  # it is -1
        first, rest = args[1], circuit.negative(circuit.multiply(*args[2:]))
    both = circuit.both(positive(circuit, first), positive(circuit, rest))
    opposite = (positive(circuit, circuit.negative(node)) for node in (first, rest))
    return circuit.either(both, circuit.both(*opposite))


def _signed_factors(circuit: Circuit, args: tuple[int, ...]) -> list[int]:
    """Drop factors that do not change the sign of a product."""
    kept = []
    for factor in args:
        kind, _, value = circuit.nodes[factor]
        square = kind == POWER and value.denominator == 1 and value.numerator % 2 == 0
        if kind == NUMBER and abs(value) != 1:
            kept.append(circuit.number(1 if value > 0 else -1))
        elif not (circuit.traits[factor].positive or (square and circuit.zero_on_null_set(factor))):
            kept.append(factor)
    return kept if kept else [circuit.number(1)]


def _leads_negative(circuit: Circuit, node: int) -> bool:
    kind, args, _ = circuit.nodes[node]
    first = circuit.nodes[args[0]] if kind in (ADD, MULTIPLY) else circuit.nodes[node]
    if kind == ADD and first.kind == MULTIPLY:
        first = circuit.nodes[first.args[0]]
    return first.kind == NUMBER and first.value < 0


def _is_choice(circuit: Circuit, node: int) -> bool:
    _, rest = circuit.with_coefficient(node)
    return rest is not None and circuit.nodes[rest].kind == SELECT


def _terms(circuit: Circuit, node: int) -> tuple[int, ...]:
    """Return the terms of a sum, or of the multiple of a sum."""
    factor, rest = circuit.with_coefficient(node)
    if rest is None or circuit.nodes[rest].kind != ADD:
        return (node,)
    return tuple(circuit.scale(factor, term) for term in circuit.nodes[rest].args)


def _by_branch(circuit: Circuit, choice: int, of: Condition) -> int:
    """Return the condition that a choice gives: that of its first branch, or of its second."""
    condition, first, second = circuit.nodes[choice].args
    return circuit.either(
        circuit.both(condition, of(circuit, first)),
        circuit.both(circuit.negation(condition), of(circuit, second)),
    )


def _of_sum_with_choice(
    circuit: Circuit, terms: tuple[int, ...], choice: int, of: Condition
) -> int:
    """(u + |u|)/2 > 0 where u > 0: in the other branch the sum is the number 0."""
    factor, rest = circuit.with_coefficient(choice)
    others = [term for term in terms if term != choice]

    def of_sum(circuit: Circuit, branch: int) -> int:
        return of(circuit, circuit.add(*others, circuit.scale(factor, branch)))

    return _by_branch(circuit, choice if rest is None else rest, of_sum)


def zero(circuit: Circuit, node: int, depth: int = 0) -> int:
    """Return the condition node = 0, branch by branch and factor by factor.

    >>> from symgrad.circuit import Circuit
    >>> circuit = Circuit(almost_everywhere=True)
    >>> x = circuit.variable("x")
    >>> relu = circuit.maximum(circuit.number(0), x)
    >>> zero(circuit, relu) == circuit.negation(circuit.positive(x))
    True
    """
    known = circuit.as_number(node)
    if known is not None:
        return circuit.false if known else circuit.true
    if circuit.traits[node].positive or circuit.zero_on_null_set(node):
        return circuit.false
    kind, args, value = circuit.nodes[node]
    if kind == SELECT:
        return _by_branch(circuit, node, partial(zero, depth=depth))
    if kind == MULTIPLY:
        return circuit.either(*(circuit.zero(arg) for arg in args))
    if kind == POWER:
        return circuit.zero(args[0]) if value > 0 else circuit.false
    choices = [arg for arg in args if kind == ADD and _is_choice(circuit, arg)]
    if 0 < len(choices) <= MOST_CHOICES and depth < DEEPEST:
        return _of_sum_with_choice(circuit, args, choices[0], partial(zero, depth=depth + 1))
    return circuit.node(ZERO, (node,))


def root_of_product(circuit: Circuit, base: int, exponent: Fraction) -> int:
    """Take what is never negative out of a root: positive numbers, exponentials, squares."""
    outside: list[int] = []
    inside: list[int] = []
    for factor in circuit.nodes[base].args:
        kind, _, value = circuit.nodes[factor]
        square = kind == POWER and value.denominator == 1 and value.numerator % 2 == 0
        known = (kind == NUMBER and value > 0) or kind == EXP or square
        (outside if known else inside).append(factor)
    if not outside:
        return circuit.node(POWER, (base,), exponent)
    rest = [circuit.power(circuit.multiply(*inside), exponent)] if inside else []
    return circuit.multiply(*(circuit.power(factor, exponent) for factor in outside), *rest)
