"""Circuits: scalars as a graph of operations in which equal parts are one node.

A formula at concrete sizes, or a traced NumPy function, has thousands of entries that share most
of their parts. A `Circuit` holds each part once; nodes are integers, in the order in which they
are computed. The alphabet is small: numbers, variables, sums, products, rational powers, exp,
log, sin, cos, choices by the sign of a node, and opaque functions of SymPy. Everything else is
spelled in it when it is read, so that two spellings of one function become one node.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from fractions import Fraction
from typing import Any

import sympy as sp

from symgrad.circuit import signs
from symgrad.circuit.kinds import (
    ADD,
    AND,
    CALL,
    CONSTANT,
    COS,
    EXP,
    LOG,
    MULTIPLY,
    NOT,
    NUMBER,
    POSITIVE,
    POWER,
    SELECT,
    SIN,
    VARIABLE,
    ZERO,
    Node,
    Undefined,
)
from symgrad.circuit.numbers import exact, is_rounded
from symgrad.circuit.traits import Traits, traits_of
from symgrad.errors import UnsupportedError

#: Powers of numbers with more bits than this are refused.
MOST_BITS = 100_000
#: Products of more factors are not merged with others.
MOST_FACTORS = 40


class Circuit:
    """A growing graph of scalars; its methods add operations and return nodes.

    Attributes:
        nodes: The operations, each after those that it works on.
        almost_everywhere: Whether what holds except where a condition's node is zero may be used:
            -z > 0 is then the opposite of z > 0, and z = 0 never holds, for analytic z.
        discrete: The names of variables that run over integers: nothing of them is analytic.

    >>> circuit = Circuit()
    >>> x = circuit.variable("x")
    >>> circuit.add(x, x) == circuit.multiply(circuit.number(2), x)
    True
    """

    def __init__(
        self, *, almost_everywhere: bool = False, discrete: frozenset[str] = frozenset()
    ) -> None:
        self.almost_everywhere, self.discrete = almost_everywhere, discrete
        self.traits: list[Traits] = []
        #: Nodes that were taken as not zero almost everywhere.
        self.assumed: set[int] = set()
        self._with_own_variable: dict[int, bool] = {}
        self.nodes: list[Node] = []
        self._known: dict[Node, int] = {}
        self.known_signs: dict[tuple[int, int], int] = {}  # by node and depth

    def __len__(self) -> int:
        return len(self.nodes)

    def node(self, kind: str, args: Iterable[int] = (), value: Any = None) -> int:
        """Return the node of an operation as it is; the other methods bring it into normal form."""
        node = Node(kind, tuple(args), value)
        found = self._known.get(node)
        if found is None:
            found = self._known[node] = len(self.nodes)
            self.nodes.append(node)
            self.traits.append(traits_of(self, *node))
        return found

    def analytic(self, node: int) -> bool:
        """Tell whether a node is zero nowhere but on a null set, unless it is zero everywhere.

        See `symgrad.circuit.traits`; sums with a variable of their own, as a bias is, are so, too.
        """
        known = self.traits[node]
        if known.single or known.real:
            return True
        node = self.with_coefficient(node)[1] or node
        if self.nodes[node].kind != ADD:
            return False
        if node not in self._with_own_variable:
            self._with_own_variable[node] = self._has_own_variable(node)
        return self._with_own_variable[node]

    def _has_own_variable(self, node: int) -> bool:
        args = self.nodes[node].args
        for term in args:
            _, rest = self.with_coefficient(term)
            if rest is not None and self.nodes[rest].kind == VARIABLE and self.traits[rest].single:
                others = self.variables(arg for arg in args if arg != term)
                if self.nodes[rest].value not in others:
                    return True
        return False

    def zero_on_null_set(self, node: int) -> bool:
        """Tell whether a node may be taken as not zero: it is analytic, and noted in `assumed`.

        Whoever proves with this circuit looks afterwards whether that is not zero everywhere.
        """
        if not self.almost_everywhere or not self.analytic(node):
            return False
        if not self.traits[node].positive and self.nodes[node].kind != NUMBER:
            self.assumed.add(node)
        return True

    # ------------------------------------------------------------ leaves

    def number(self, value: Any) -> int:
        """Return the node of an exact number."""
        return self.node(NUMBER, (), Fraction(value))

    def real(self, value: Any) -> int:
        """Return the node of a number that people wrote: exact, or a constant known by rounding."""
        if is_rounded(value):
            return self.constant(sp.Float(repr(float(value)), 17))
        return self.number(exact(value))

    def variable(self, name: str) -> int:
        """Return the node of a variable."""
        return self.node(VARIABLE, (), name)

    def constant(self, value: Any) -> int:
        """Return the node of a SymPy constant such as pi."""
        return self.node(CONSTANT, (), value)

    def as_number(self, node: int) -> Fraction | None:
        """Return the number that a node is, or None."""
        kind, _, value = self.nodes[node]
        return value if kind == NUMBER else None

    # ------------------------------------------------------- arithmetic

    def add(self, *terms: int) -> int:
        """Add nodes; equal terms are counted, numbers are added up."""
        total = Fraction(0)
        counts: dict[int, Fraction] = {}
        for term in terms:
            factor, rest = self.with_coefficient(term)
            if rest is None:
                total += factor
            else:
                counts[rest] = counts.get(rest, Fraction(0)) + factor
        parts = [self.scale(c, rest) for rest, c in sorted(counts.items()) if c]
        if total or not parts:
            parts.append(self.number(total))
        return parts[0] if len(parts) == 1 else self.node(ADD, parts)

    def with_coefficient(self, node: int) -> tuple[Fraction, int | None]:
        """Split a node into a number and the rest; the rest of a number is None."""
        kind, args, value = self.nodes[node]
        if kind == NUMBER:
            return value, None
        if kind == MULTIPLY:
            factor = self.as_number(args[0])
            if factor is not None:
                rest = args[1:]
                return factor, rest[0] if len(rest) == 1 else self.node(MULTIPLY, rest)
        return Fraction(1), node

    def scale(self, factor: Any, node: int) -> int:
        """Multiply a node by a number."""
        return node if factor == 1 else self.multiply(self.number(factor), node)

    def negative(self, node: int) -> int:
        """Return minus a node."""
        return self.scale(-1, node)

    def subtract(self, first: int, second: int) -> int:
        """Return the difference of two nodes."""
        return self.add(first, self.negative(second))

    def multiply(self, *factors: int) -> int:
        """Multiply nodes; the exponents of equal bases are added, numbers multiplied."""
        total = Fraction(1)
        powers: dict[int, Fraction] = {}
        for factor in self._flattened(factors):
            kind, args, value = self.nodes[factor]
            if kind == NUMBER:
                total *= value
            else:
                # Only whole powers are added up: sqrt(x) sqrt(x) is x where x >= 0 alone.
                whole = kind == POWER and value.denominator == 1
                base, exponent = (args[0], value) if whole else (factor, Fraction(1))
                powers[base] = powers.get(base, Fraction(0)) + exponent
        if not total:
            return self.number(0)
        merged = self._merged_choices(powers)
        if merged is not None:
            return self.multiply(self.number(total), *merged)
        parts = [self.power(base, e) for base, e in sorted(powers.items()) if e]
        if total != 1 or not parts:
            # The number comes first, by which `with_coefficient` finds it.
            parts.insert(0, self.number(total))
        return parts[0] if len(parts) == 1 else self.node(MULTIPLY, parts)

    def _merged_choices(self, powers: dict[int, Fraction]) -> list[int] | None:
        """Multiply choices by one condition branch by branch; None where there are none."""
        groups: dict[int, list[int]] = {}
        for base, exponent in powers.items():
            if exponent and self.nodes[base].kind == SELECT:
                groups.setdefault(self.nodes[base].args[0], []).append(base)
        if all(len(group) < 2 for group in groups.values()):
            return None
        chosen = {base for group in groups.values() if len(group) > 1 for base in group}
        parts = [self.power(b, e) for b, e in sorted(powers.items()) if e and b not in chosen]
        for condition, group in groups.items():
            if len(group) > 1:
                branches = [
                    self.multiply(
                        *(self.power(self.nodes[base].args[k], powers[base]) for base in group)
                    )
                    for k in (1, 2)
                ]
                parts.append(self.select(condition, *branches))
        return parts

    def _flattened(self, factors: Iterable[int]) -> Iterator[int]:
        for factor in factors:
            kind, args, _ = self.nodes[factor]
            # Long products stay apart, so that a chain of slopes is linear in its length.
            if kind == MULTIPLY and len(args) <= MOST_FACTORS:
                yield from args
            else:
                yield factor

    def divide(self, first: int, second: int) -> int:
        """Return the quotient of two nodes."""
        return self.multiply(first, self.power(second, -1))

    def power(self, base: int, exponent: Any) -> int:
        """Return a rational power of a node.

        Raises:
            UnsupportedError: A division by the number 0, or an even root of a negative number.
        """
        exponent = Fraction(exponent)
        kind, args, value = self.nodes[base]
        if exponent == 0:
            return self.number(1)
        if exponent == 1:
            return base
        if kind == NUMBER:
            return self._power_of_number(value, exponent)
        if kind == SELECT and exponent > 0:
            return self.select(args[0], *(self.power(arg, exponent) for arg in args[1:]))
        if kind == MULTIPLY and exponent.denominator > 1:
            return signs.root_of_product(self, base, exponent)
        if kind == EXP:
            return self.exp(self.scale(exponent, args[0]))
        if kind == POWER and exponent.denominator == 1 and value.denominator == 1:
            return self.power(args[0], value * exponent)
        if kind == POWER and value.numerator % 2 == 0 and value.denominator == 1:
            # (u^2)^(1/2) = |u|
            if exponent.denominator % 2 == 0:
                return self.power(self.absolute(args[0]), value * exponent)
        elif (
            kind == POWER
            and value.denominator % 2 == 0
            and not (self.almost_everywhere or self.traits[args[0]].nonnegative)
        ):
            pass  # (u^(1/2))^2 = u where u >= 0: elsewhere it is nothing
        elif kind == POWER and value * exponent == 1:
            return args[0]
        elif kind == POWER and exponent.denominator == 1:
            return self.power(args[0], value * exponent)
        return self.node(POWER, (base,), exponent)

    def _power_of_number(self, value: Fraction, exponent: Fraction) -> int:
        complex_root = value < 0 and exponent.denominator % 2 == 0
        if complex_root or (not value and exponent < 0):
            # No error: it may stand in a branch that is not taken.
            return self.call(Undefined)
        if exponent.denominator == 1:
            bits = max(value.numerator.bit_length(), value.denominator.bit_length())
            if abs(exponent) * bits > MOST_BITS:
                raise UnsupportedError(f"the number ({value})**({exponent}) is too large")
            return self.number(value**exponent)
        root = sp.Rational(value.numerator, value.denominator) ** sp.Rational(
            1, exponent.denominator
        )
        if root.is_Rational:
            return self.power(self.number(Fraction(int(root.p), int(root.q))), exponent.numerator)
        return self.node(POWER, (self.number(value),), exponent)

    def root(self, node: int) -> int:
        """Return the square root of a node."""
        return self.power(node, Fraction(1, 2))

    # -------------------------------------------------------- functions

    def exp(self, node: int) -> int:
        """Return the exponential of a node."""
        if self.as_number(node) == 0:
            return self.number(1)
        kind, args, _ = self.nodes[node]
        # exp(log u) is u where u > 0: elsewhere it is nothing.
        shorter = kind == LOG and self.almost_everywhere
        return args[0] if shorter else self.node(EXP, (node,))

    def log(self, node: int) -> int:
        """Return the natural logarithm of a node."""
        if self.as_number(node) == 1:
            return self.number(0)
        kind, args, _ = self.nodes[node]
        return args[0] if kind == EXP else self.node(LOG, (node,))

    def sin(self, node: int) -> int:
        """Return the sine of a node."""
        return self.number(0) if self.as_number(node) == 0 else self.node(SIN, (node,))

    def cos(self, node: int) -> int:
        """Return the cosine of a node."""
        return self.number(1) if self.as_number(node) == 0 else self.node(COS, (node,))

    def general_power(self, base: int, exponent: int) -> int:
        """Return base^exponent for any two nodes: exp(exponent log base) where it is no number."""
        known = self.as_number(exponent)
        if known is not None:
            return self.power(base, known)
        return self.exp(self.multiply(exponent, self.log(base)))

    def call(self, function: Any, *args: int) -> int:
        """Apply a SymPy function that has no spelling in this alphabet."""
        return self.node(CALL, args, function)

    # ------------------------------------------------ conditions, choices

    @property
    def true(self) -> int:
        """The condition that always holds."""
        return self.node(AND)

    @property
    def false(self) -> int:
        """The condition that never holds."""
        return self.node(NOT, (self.true,))

    def positive(self, node: int) -> int:
        """Return the condition node > 0."""
        return signs.positive(self, node)

    def zero(self, node: int) -> int:
        """Return the condition node = 0."""
        return signs.zero(self, node)

    def negation(self, condition: int) -> int:
        """Return the condition that another does not hold."""
        kind, args, _ = self.nodes[condition]
        return args[0] if kind == NOT else self.node(NOT, (condition,))

    def both(self, *conditions: int) -> int:
        """Return the condition that all given ones hold."""
        parts: set[int] = set()
        for condition in conditions:
            kind, args, _ = self.nodes[condition]
            parts.update(args if kind == AND else (condition,))
        if self.false in parts or any(self.negation(part) in parts for part in parts):
            return self.false
        signs = [self.nodes[part].args[0] for part in parts if self.nodes[part].kind == POSITIVE]
        if any(self.negative(node) in signs for node in signs):
            return self.false
        return parts.pop() if len(parts) == 1 else self.node(AND, sorted(parts))

    def either(self, *conditions: int) -> int:
        """Return the condition that one of the given ones holds."""
        return self.negation(self.both(*map(self.negation, conditions)))

    def select(self, condition: int, first: int, second: int) -> int:
        """Return `first` where the condition holds, else `second`."""
        if first == second or condition == self.true:
            return first
        if condition == self.false:
            return second
        kind, args, _ = self.nodes[condition]
        if kind == NOT:
            return self.select(args[0], second, first)
        if self._chooses_by(condition, first):
            first = self.nodes[first].args[1]
        if self._chooses_by(condition, second):
            second = self.nodes[second].args[2]
        return first if first == second else self.node(SELECT, (condition, first, second))

    def _chooses_by(self, condition: int, node: int) -> bool:
        kind, args, _ = self.nodes[node]
        return kind == SELECT and args[0] == condition

    def absolute(self, node: int) -> int:
        """Return |node|, as a choice by the node's sign."""
        known = self.as_number(node)
        if known is not None:
            return self.number(abs(known))
        inner = self.select(self.positive(self.negative(node)), self.negative(node), self.number(0))
        return self.select(self.positive(node), node, inner)

    def sign(self, node: int) -> int:
        """Return 1, -1 or 0 by the node's sign."""
        below = self.select(self.positive(self.negative(node)), self.number(-1), self.number(0))
        return self.select(self.positive(node), self.number(1), below)

    def _numbers_first(self, *nodes: int) -> list[int]:
        """Order nodes so that max(z, 0) has the slope of max(0, z) at 0, which is 0."""
        return sorted(nodes, key=lambda node: self.as_number(node) is None)

    def maximum(self, first: int, *others: int) -> int:
        """Return the greatest node; of equal ones the first, numbers before other nodes."""
        first, *rest = self._numbers_first(first, *others)
        for other in rest:
            first = self.select(self.positive(self.subtract(other, first)), other, first)
        return first

    def minimum(self, first: int, *others: int) -> int:
        """Return the least node; of equal ones the first, numbers before other nodes."""
        first, *rest = self._numbers_first(first, *others)
        for other in rest:
            first = self.select(self.positive(self.subtract(first, other)), other, first)
        return first

    def apply(self, kind: str, args: Sequence[int], value: Any = None) -> int:
        """Do the operation of a kind to nodes of this circuit, as a node of it says."""
        if kind in (NUMBER, VARIABLE, CONSTANT):
            return self.node(kind, (), value)
        if kind == POWER:
            return self.power(args[0], value)
        if kind == CALL:
            return self.call(value, *args)
        return MAKERS[kind](self, *args)

    def copy(self, source: Circuit, outputs: Sequence[int]) -> list[int]:
        """Do what another circuit does; return the nodes of its outputs.

        >>> first, second = Circuit(), Circuit(almost_everywhere=True)
        >>> second.copy(first, [first.zero(first.variable("x"))]) == [second.false]
        True
        """
        images: dict[int, int] = {}
        for node in source.cone(outputs):
            kind, args, value = source.nodes[node]
            images[node] = self.apply(kind, [images[arg] for arg in args], value)
        return [images[node] for node in outputs]

    # ------------------------------------------------------------ walks

    def cone(self, outputs: Iterable[int]) -> list[int]:
        """Return the nodes that outputs need, themselves included, in order of computation.

        >>> circuit = Circuit()
        >>> x, y = circuit.variable("x"), circuit.variable("y")
        >>> circuit.cone([circuit.exp(x)])
        [0, 2]
        """
        found: set[int] = set()
        stack = list(outputs)
        while stack:
            node = stack.pop()
            if node not in found:
                found.add(node)
                stack.extend(self.nodes[node].args)
        return sorted(found)

    def variables(self, outputs: Iterable[int]) -> list[str]:
        """Return the names of the variables that outputs depend on, in order."""
        nodes = (self.nodes[node] for node in self.cone(outputs))
        return [node.value for node in nodes if node.kind == VARIABLE]


#: How nodes of the kinds without a value are made.
MAKERS: dict[str, Callable[..., int]] = {
    ADD: Circuit.add,
    MULTIPLY: Circuit.multiply,
    EXP: Circuit.exp,
    LOG: Circuit.log,
    SIN: Circuit.sin,
    COS: Circuit.cos,
    SELECT: Circuit.select,
    POSITIVE: Circuit.positive,
    ZERO: Circuit.zero,
    NOT: Circuit.negation,
    AND: Circuit.both,
}

__all__ = ["Circuit", "Node", "Undefined", "exact"]
