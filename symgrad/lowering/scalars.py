"""How scalars and conditions are written into a circuit."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import sympy as sp
from sympy.logic.boolalg import BooleanAtom

from symgrad.circuit import Circuit, Undefined, exact, spellings
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
        sp.Heaviside: _in_circuit(spellings.step),
    }
)


@writes(sp.log)
def _log(write: Writer, node: Any) -> int:
    value, *base = map(write.circuit.log, write.below(node))
    return write.circuit.divide(value, base[0]) if base else value


def _inverted(function: Callable[[Circuit, int], int]) -> Callable[[Circuit, int], int]:
    return lambda circuit, z: circuit.power(function(circuit, z), -1)


#: Functions of one scalar, spelled in the alphabet.
SPELLED: dict[Any, Callable[[Circuit, int], int]] = {
    sp.tanh: spellings.tanh,
    sp.coth: _inverted(spellings.tanh),
    sp.cosh: spellings.cosh,
    sp.sinh: spellings.sinh,
    sp.sech: _inverted(spellings.cosh),
    sp.csch: _inverted(spellings.sinh),
    sp.asinh: spellings.asinh,
    sp.acosh: spellings.acosh,
    sp.atanh: spellings.atanh,
    sp.tan: spellings.tan,
    sp.cot: _inverted(spellings.tan),
    sp.sec: _inverted(Circuit.cos),
    sp.csc: _inverted(Circuit.sin),
    sp.erfc: spellings.erfc,
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


WRITERS.update(
    {
        sp.StrictGreaterThan: _comparison(spellings.greater),
        sp.StrictLessThan: _comparison(lambda c, a, b: spellings.greater(c, b, a)),
        sp.GreaterThan: _comparison(lambda c, a, b: c.negation(spellings.greater(c, b, a))),
        sp.LessThan: _comparison(lambda c, a, b: c.negation(spellings.greater(c, a, b))),
        sp.Equality: _comparison(spellings.equal),
        sp.Unequality: _comparison(lambda c, a, b: c.negation(spellings.equal(c, a, b))),
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
