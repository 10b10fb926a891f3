"""How scalars and conditions are written into a circuit."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from functools import partial
from typing import Any

import sympy as sp
from sympy.logic.boolalg import BooleanAtom

from symgrad.circuit import Circuit, Undefined, exact
from symgrad.errors import UnsupportedError
from symgrad.functions import ScalarFunctionBase, several
from symgrad.lowering import WRITERS, SizedNode, Write, Writer, lowered, short, writes


@writes(sp.Rational, sp.Float)
def _number(write: Writer, node: Any) -> int:
    if isinstance(node, sp.Float):
        # More digits than a double has are meant as they are.
        written = sp.Rational(str(node)) if node._prec > 60 else float(node)
        return write.circuit.real(written)
    return write.circuit.number(exact(node))


@writes(sp.NumberSymbol)
def _constant(write: Writer, node: Any) -> int:
    return write.circuit.constant(node)


@writes(sp.core.numbers.Exp1)
def _e(write: Writer, node: Any) -> int:
    return write.circuit.exp(write.circuit.number(1))


@writes(sp.Symbol)
def _symbol(write: Writer, node: Any) -> int:
    raise UnsupportedError(f"the symbol `{node}` is not known here")


@writes(sp.Indexed)
def _indexed(write: Writer, node: Any) -> Any:
    place = tuple(write.size(index) for index in node.indices)
    values, origin = write.values[node.base]
    return values[tuple(k - low for k, low in zip((*place, 0)[:2], (*origin, 0)[:2], strict=True))]


@writes(sp.Add)
def _add(write: Writer, node: Any) -> int:
    return write.circuit.add(*write.below(node))


@writes(sp.Mul)
def _multiply(write: Writer, node: Any) -> int:
    return write.circuit.multiply(*write.below(node))


@writes(sp.Pow)
def _power(write: Writer, node: Any) -> int:
    base, exponent = write.below(node)
    circuit = write.circuit
    if node.base is sp.E:
        return circuit.exp(exponent)
    return circuit.general_power(base, exponent)


def _in_circuit(method: Callable[..., int]) -> Write:
    def write_function(write: Writer, node: Any) -> int:
        return method(write.circuit, *write.below(node))

    return write_function


WRITERS.update(
    {
        sp.exp: _in_circuit(Circuit.exp),
        sp.sin: _in_circuit(Circuit.sin),
        sp.cos: _in_circuit(Circuit.cos),
        sp.Abs: _in_circuit(Circuit.absolute),
        sp.sign: _in_circuit(Circuit.sign),
        sp.Max: _in_circuit(Circuit.maximum),
        sp.Min: _in_circuit(Circuit.minimum),
    }
)


@writes(sp.log)
def _log(write: Writer, node: Any) -> int:
    value, *base = map(write.circuit.log, write.below(node))
    return write.circuit.divide(value, base[0]) if base else value


@writes(sp.Heaviside)
def _heaviside(write: Writer, node: Any) -> int:
    circuit, (z, at_zero) = write.circuit, write.below(node)
    less = circuit.select(circuit.zero(z), at_zero, circuit.number(0))
    return circuit.select(circuit.positive(z), circuit.number(1), less)


def tanh(circuit: Circuit, z: int) -> int:
    """Write tanh z = 1 - 2/(exp(2z) + 1)."""
    below = circuit.add(circuit.exp(circuit.scale(2, z)), circuit.number(1))
    return circuit.subtract(circuit.number(1), circuit.divide(circuit.number(2), below))


def hyperbolic(circuit: Circuit, z: int, sign: int) -> int:
    """Write cosh z (sign 1) or sinh z (sign -1) in exponentials."""
    parts = circuit.exp(z), circuit.scale(sign, circuit.exp(circuit.negative(z)))
    return circuit.scale(Fraction(1, 2), circuit.add(*parts))


def area(circuit: Circuit, z: int, sign: int) -> int:
    """Write asinh z (sign 1) or acosh z (sign -1) as a logarithm."""
    inside = circuit.add(circuit.power(z, 2), circuit.number(sign))
    return circuit.log(circuit.add(z, circuit.root(inside)))


def atanh(circuit: Circuit, z: int) -> int:
    """Write atanh z = log((1 + z)/(1 - z))/2."""
    one = circuit.number(1)
    quotient = circuit.divide(circuit.add(one, z), circuit.subtract(one, z))
    return circuit.scale(Fraction(1, 2), circuit.log(quotient))


def tan(circuit: Circuit, z: int) -> int:
    """Write tan z = sin z / cos z."""
    return circuit.divide(circuit.sin(z), circuit.cos(z))


def erfc(circuit: Circuit, z: int) -> int:
    """Write erfc z = 1 - erf z."""
    return circuit.subtract(circuit.number(1), circuit.call(sp.erf, z))


def _inverted(function: Callable[[Circuit, int], int]) -> Callable[[Circuit, int], int]:
    return lambda circuit, z: circuit.power(function(circuit, z), -1)


#: Functions of one scalar, spelled in the alphabet.
SPELLED: dict[Any, Callable[[Circuit, int], int]] = {
    sp.tanh: tanh,
    sp.coth: _inverted(tanh),
    sp.cosh: partial(hyperbolic, sign=1),
    sp.sinh: partial(hyperbolic, sign=-1),
    sp.sech: _inverted(partial(hyperbolic, sign=1)),
    sp.csch: _inverted(partial(hyperbolic, sign=-1)),
    sp.asinh: partial(area, sign=1),
    sp.acosh: partial(area, sign=-1),
    sp.atanh: atanh,
    sp.tan: tan,
    sp.cot: _inverted(tan),
    sp.sec: _inverted(Circuit.cos),
    sp.csc: _inverted(Circuit.sin),
    sp.erfc: erfc,
}
WRITERS.update({head: _in_circuit(spelling) for head, spelling in SPELLED.items()})


@writes(ScalarFunctionBase, several._OfSeveral)
def _own_function(write: Writer, node: Any) -> Any:
    names = [sp.Dummy(f"u{k}", real=True) for k, _ in enumerate(node.args)]
    inner = dict(zip(names, write.below(node), strict=True))
    return lowered(write.circuit, type(node)(*names).definition(), inner)


@writes(sp.Function)
def _opaque(write: Writer, node: Any) -> int:
    if isinstance(node, sp.core.function.AppliedUndef):
        raise UnsupportedError(f"`{node.func}` is an undefined function; give it a formula")
    return write.circuit.call(type(node), *write.below(node))


@writes(sp.Sum, sp.Product)
def _unrolled(write: Writer, node: Any) -> int:
    *inner, (index, low, high) = node.limits
    body = node.func(node.function, *inner) if inner else node.function
    first, last = write.size(low), write.size(high)
    if last - first > MOST_TERMS:
        raise UnsupportedError(f"`{short(node)}` has {last - first + 1} terms")
    terms = [
        Writer(write.circuit, {**write.values, index: SizedNode(k)})(body)
        for k in range(first, last + 1)
    ]
    circuit = write.circuit
    return circuit.add(*terms) if isinstance(node, sp.Sum) else circuit.multiply(*terms)


#: Sums with more terms than this are not written out.
MOST_TERMS = 100_000


# ---------------------------------------------------------------- conditions


@writes(sp.Piecewise)
def _piecewise(write: Writer, node: Any) -> int:
    pairs = [(value, write(condition)) for value, condition in node.args]
    circuit = write.circuit
    # A case that never holds is not written out: its entries may lie outside an array.
    pairs = [(value, condition) for value, condition in pairs if condition != circuit.false]
    last, condition = pairs[-1]
    result = write(last)
    if condition != circuit.true:
        nothing = circuit.call(Undefined)
        result = circuit.select(condition, result, nothing)
    for value, condition in reversed(pairs[:-1]):
        result = circuit.select(condition, write(value), result)
    return int(result)


def _comparison(method: Callable[[Circuit, int, int], int]) -> Write:
    def write_comparison(write: Writer, node: Any) -> int:
        return method(write.circuit, *write.below(node))

    return write_comparison


def greater(circuit: Circuit, first: int, second: int) -> int:
    """Write the condition first > second."""
    return circuit.positive(circuit.subtract(first, second))


def equal(circuit: Circuit, first: int, second: int) -> int:
    """Write the condition first = second."""
    return circuit.zero(circuit.subtract(first, second))


WRITERS.update(
    {
        sp.StrictGreaterThan: _comparison(greater),
        sp.StrictLessThan: _comparison(lambda c, a, b: greater(c, b, a)),
        sp.GreaterThan: _comparison(lambda c, a, b: c.negation(greater(c, b, a))),
        sp.LessThan: _comparison(lambda c, a, b: c.negation(greater(c, a, b))),
        sp.Equality: _comparison(equal),
        sp.Unequality: _comparison(lambda c, a, b: c.negation(equal(c, a, b))),
        sp.And: _in_circuit(Circuit.both),
        sp.Or: _in_circuit(Circuit.either),
        sp.Not: _in_circuit(Circuit.negation),
    }
)


@writes(sp.ITE)
def _if_then_else(write: Writer, node: Any) -> int:
    circuit, (condition, first, second) = write.circuit, write.below(node)
    other = circuit.both(circuit.negation(condition), second)
    return circuit.either(circuit.both(condition, first), other)


@writes(sp.Xor)
def _one_of_two(write: Writer, node: Any) -> int:
    circuit: Circuit = write.circuit
    total = circuit.false
    for part in write.below(node):
        one = circuit.both(total, circuit.negation(part))
        total = circuit.either(one, circuit.both(circuit.negation(total), part))
    return total


@writes(BooleanAtom)
def _truth(write: Writer, node: Any) -> int:
    return write.circuit.true if node == True else write.circuit.false  # noqa: E712


@writes(sp.KroneckerDelta)
def _delta(write: Writer, node: Any) -> int:
    first, second = node.args[:2]
    return write.circuit.number(int(write.size(first) == write.size(second)))
