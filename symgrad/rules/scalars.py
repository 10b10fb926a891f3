"""Derivative rules of scalar expressions."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import sympy as sp

from symgrad import functions, trees
from symgrad.errors import UnsupportedError
from symgrad.rules import Pull, derivative_rule
from symgrad.trees import times


def _x(name: str = "x") -> Any:
    return sp.Symbol(name, real=True)


@derivative_rule(
    sp.Add,
    name="sum rule",
    law="d(u + v) = du + dv",
    reason="the limit of a sum is the sum of the limits",
    example=lambda: _x() + 3 * _x("y") + 1,
)
def _sum(node: Any, g: Any, value: Any, active: Any) -> Pull:
    for term in node.args:
        if term in active:
            yield term, g, sp.S.One


@derivative_rule(
    sp.Mul,
    name="product rule",
    law="d(u v) = v du + u dv",
    reason="(u + du)(v + dv) - u v = v du + u dv + du dv, and du dv is of second order",
    example=lambda: 3 * _x() * _x("y") * sp.exp(_x("z")),
)
def _product(node: Any, g: Any, value: Any, active: Any) -> Pull:
    factors = node.args
    for k, factor in enumerate(factors):
        if factor in active:
            others = factors[:k] + factors[k + 1 :]
            local = others[0] if len(others) == 1 else sp.Mul(*others)
            yield factor, times(g, local), local


@derivative_rule(
    sp.Pow,
    name="power rule",
    law="d(u^p) = p u^(p - 1) du + u^p log(u) dp",
    reason="u^p = exp(p log u); for a constant exponent the formula holds for negative u too",
    example=lambda: (_x() ** 2 + 1) ** (_x("y") / 2),
)
def _power(node: Any, g: Any, value: Any, active: Any) -> Pull:
    base, exponent = node.args
    if base in active:
        local = times(exponent, base ** (exponent - 1))
        yield base, times(g, local), local
    if exponent in active:
        local = value * sp.log(base)
        yield exponent, times(g, local), local


@derivative_rule(
    sp.Function,
    name="chain rule",
    law="d f(u) = f'(u) du",
    reason="f(u + du) = f(u) + f'(u) du + o(du); f' is the function's own closed derivative",
    example=lambda: sp.tanh(_x() * _x("y")) + functions.sigmoid(_x()) + sp.atan2(_x(), _x("y")),
)
def _chain(node: Any, g: Any, value: Any, active: Any) -> Pull:
    for k, arg in enumerate(node.args):
        if arg in active:
            local = local_derivative(node, k, value)
            yield arg, times(g, local), local


def local_derivative(node: Any, k: int, value: Any) -> Any:
    """Return the derivative of a function by its k-th argument, through its value where it can.

    Raises:
        UnsupportedError: The function has no closed derivative.

    >>> a = sp.Symbol("a")
    >>> local_derivative(sp.tanh(sp.Symbol("x")), 0, a)
    1 - a**2
    """
    entry = functions.entry_of(node.func)
    if entry is not None and entry.from_value is not None:
        return entry.from_value(value)
    try:
        derivative = node.fdiff(k + 1)
    except (sp.core.function.ArgumentIndexError, NotImplementedError, AttributeError):
        derivative = None
    if derivative is None or derivative.has(sp.Derivative, sp.Subs, sp.re, sp.im, sp.Integral):
        raise UnsupportedError(f"no closed derivative of `{type(node).__name__}`, in `{node}`")
    return trees.replace(derivative, {node: value}) if value != node else derivative


@derivative_rule(
    sp.Abs,
    name="absolute value",
    law="d |u| = sign(u) du",
    reason="|u| is u for u > 0 and -u for u < 0; at 0 the convention is sign(0) = 0",
    example=lambda: sp.Abs(_x() - 2 * _x("y")),
)
def _abs(node: Any, g: Any, value: Any, active: Any) -> Pull:
    if node.args[0] in active:
        local = sp.sign(node.args[0])
        yield node.args[0], times(g, local), local


@derivative_rule(
    sp.sign,
    sp.Heaviside,
    sp.floor,
    sp.ceiling,
    functions.step,
    name="piecewise constant function",
    law="d f(u) = 0",
    reason="f is constant between its jumps; at a jump the convention is 0",
    example=lambda: sp.sign(_x()) * _x("y"),
)
def _constant(node: Any, g: Any, value: Any, active: Any) -> Pull:
    yield from ()


@derivative_rule(
    sp.Max,
    name="maximum",
    law="d max(u, v) is du where u > v and dv where v > u",
    reason="near such a point the maximum is that argument; of equal arguments the first counts, "
    "numbers before variables, so that the derivative of max(0, z) at 0 is 0",
    example=lambda: sp.Max(_x(), 2 * _x("y"), sp.Rational(1, 3)),
)
def _max(node: Any, g: Any, value: Any, active: Any) -> Pull:
    yield from _extremum(node, g, active, lambda a, b: a - b)


@derivative_rule(
    sp.Min,
    name="minimum",
    law="d min(u, v) is du where u < v and dv where v < u",
    reason="near such a point the minimum is that argument; of equal arguments the first counts, "
    "numbers before variables, so that the derivative of min(0, z) at 0 is 0",
    example=lambda: sp.Min(_x(), 2 * _x("y"), sp.Rational(1, 3)),
)
def _min(node: Any, g: Any, value: Any, active: Any) -> Pull:
    yield from _extremum(node, g, active, lambda a, b: b - a)


def _extremum(node: Any, g: Any, active: Any, lead: Callable[[Any, Any], Any]) -> Pull:
    ranked = sorted(node.args, key=lambda a: (not a.is_number, sp.default_sort_key(a)))
    for k, arg in enumerate(ranked):
        if arg in active:
            ahead = [functions.step(lead(arg, other)) for other in ranked[:k]]
            behind = [1 - functions.step(lead(other, arg)) for other in ranked[k + 1 :]]
            local = sp.Mul(*ahead, *behind)
            yield arg, times(g, local), local
