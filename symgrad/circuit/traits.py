"""What is known of a node at sight: its sign, and whether it is zero on a null set alone."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import sympy as sp

from symgrad.circuit.kinds import (
    ADD,
    CALL,
    CONSTANT,
    COS,
    EXP,
    LOG,
    MULTIPLY,
    NUMBER,
    POSITIVE,
    POWER,
    SELECT,
    SIN,
    VARIABLE,
)

if TYPE_CHECKING:
    from symgrad.circuit import Circuit

#: Opaque functions that have one value for every complex argument, or a pole.
SINGLE = (sp.erf, sp.erfi, sp.gamma, sp.polygamma, sp.Si)
#: Opaque functions that are analytic on the whole real line.
ENTIRE = (sp.erf, sp.erfi, sp.atan, sp.Si)
#: Opaque functions that are analytic where their argument is positive, or lies in an interval.
ON_AN_INTERVAL = (sp.gamma, sp.loggamma, sp.polygamma, sp.asin, sp.acos)


class Traits(NamedTuple):
    """Properties of a node.

    A function that is not zero everywhere is zero on a null set alone if it is analytic on a
    connected set. Two kinds of functions are so for certain: those that have one value for every
    complex argument (their poles do not disconnect the complex numbers, as the pole of 1/x does
    the real ones), and those that are real-analytic on a convex set (logarithms and roots of
    affine functions restrict it to half-spaces, those of positive functions not at all). A root of
    a square is neither: sqrt(x^2) - x is zero for x > 0 alone.

    Attributes:
        single: It has one value for every complex argument.
        real: It is real-analytic on a convex set.
        affine: It is a sum of multiples of variables, and a constant.
        constant: It has no variables.
        nonnegative: It is nowhere negative where it is defined.
        positive: It is positive wherever it is defined.
    """

    single: bool
    real: bool
    affine: bool
    constant: bool
    nonnegative: bool
    positive: bool


def traits_of(circuit: Circuit, kind: str, args: tuple[int, ...], value: Any) -> Traits:
    """Return the traits of a node from those of the nodes below it."""
    below = [circuit.traits[arg] for arg in args]
    constant = kind != VARIABLE and kind != SELECT and all(t.constant for t in below)
    nonnegative, positive = _sign(kind, value, below)
    if kind == SELECT and not nonnegative:
        nonnegative = _is_size(circuit, args)
    return Traits(
        _is_single(circuit, kind, value, below),
        _is_real(circuit, kind, value, below),
        _is_affine(circuit, kind, value, below),
        constant,
        nonnegative,
        positive,
    )


def _is_size(circuit: Circuit, args: tuple[int, ...]) -> bool:
    """Tell whether a choice is u where u > 0, and -u or what is nowhere negative elsewhere."""
    condition, first, second = args
    kind, below, _ = circuit.nodes[condition]
    if kind != POSITIVE or (first != below[0] and not circuit.traits[first].nonnegative):
        return False
    factor, rest = circuit.with_coefficient(second)
    opposite = rest == below[0] and factor < 0
    return opposite or circuit.traits[second].nonnegative


def _is_leaf(circuit: Circuit, kind: str, value: Any) -> bool:
    return kind in (NUMBER, CONSTANT) or (kind == VARIABLE and value not in circuit.discrete)


def _is_single(circuit: Circuit, kind: str, value: Any, below: list[Traits]) -> bool:
    if kind in (ADD, MULTIPLY, EXP, SIN, COS) or (kind == CALL and value in SINGLE):
        return bool(below) and all(t.single for t in below)
    if kind == POWER and value.denominator == 1:
        return below[0].single
    return _is_leaf(circuit, kind, value)


def _is_real(circuit: Circuit, kind: str, value: Any, below: list[Traits]) -> bool:
    if kind in (ADD, MULTIPLY, EXP, SIN, COS) or (kind == CALL and value in ENTIRE):
        return bool(below) and all(t.real for t in below)
    if kind == POWER and value.denominator == 1 and value > 0:
        return below[0].real
    if kind == POWER and value.denominator == 1:
        return below[0].real and below[0].positive
    if kind in (POWER, LOG) or (kind == CALL and value in ON_AN_INTERVAL):
        last = below[-1]
        inside = last.affine or (last.positive and value not in (sp.asin, sp.acos))
        return all(t.real for t in below) and inside
    return _is_leaf(circuit, kind, value)


def _is_affine(circuit: Circuit, kind: str, value: Any, below: list[Traits]) -> bool:
    if kind == ADD:
        return all(t.affine for t in below)
    if kind == MULTIPLY:
        return all(t.affine for t in below) and sum(not t.constant for t in below) <= 1
    return _is_leaf(circuit, kind, value)


def _sign(kind: str, value: Any, below: list[Traits]) -> tuple[bool, bool]:
    """Tell whether a node is nowhere negative, and whether it is positive everywhere."""
    if kind == NUMBER:
        return bool(value >= 0), bool(value > 0)
    nonnegative = bool(below) and all(t.nonnegative for t in below)
    positive = bool(below) and all(t.positive for t in below)
    if kind == POWER:
        # An even root is positive wherever one over it is defined.
        root = value.denominator % 2 == 0
        even = value.numerator % 2 == 0 or root
        return even or nonnegative, positive or (root and value < 0)
    if kind == ADD:
        return nonnegative, nonnegative and any(t.positive for t in below)
    if kind == MULTIPLY:
        return nonnegative, positive
    if kind == SELECT:
        return all(t.nonnegative for t in below[1:]), all(t.positive for t in below[1:])
    return kind == EXP, kind == EXP
