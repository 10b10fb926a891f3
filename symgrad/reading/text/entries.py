"""Functions of entries: elementwise mathematics, comparisons, choices."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import sympy as sp

from symgrad import functions
from symgrad.errors import OptionError, UnsupportedError
from symgrad.functions import several, special
from symgrad.reading.text.values import (
    Value,
    entrywise,
    matrix_product,
    power,
    product,
    quotient,
    remainder,
    scaled,
    total,
)
from symgrad.reading.text.words import (
    WORDS,
    Build,
    Call,
    as_test,
    as_value,
    said,
    word,
)

#: Functions of one entry.
OF_ONE: dict[str, Callable[[Any], Any]] = {
    "exp": sp.exp,
    "log": sp.log,
    "sqrt": sp.sqrt,
    "cbrt": lambda z: sp.sign(z) * sp.Abs(z) ** sp.Rational(1, 3),
    "exp2": lambda z: sp.Integer(2) ** z,
    "expm1": lambda z: sp.exp(z) - 1,
    "log1p": lambda z: sp.log(1 + z),
    "log2": lambda z: sp.log(z) / sp.log(2),
    "log10": lambda z: sp.log(z) / sp.log(10),
    "sin": sp.sin,
    "cos": sp.cos,
    "tan": sp.tan,
    "arcsin": sp.asin,
    "arccos": sp.acos,
    "arctan": sp.atan,
    "sinh": sp.sinh,
    "cosh": sp.cosh,
    "tanh": sp.tanh,
    "arcsinh": sp.asinh,
    "arccosh": sp.acosh,
    "arctanh": sp.atanh,
    "abs": sp.Abs,
    "sign": sp.sign,
    "square": lambda z: z**2,
    "reciprocal": lambda z: 1 / z,
    "negative": lambda z: -z,
    "floor": sp.floor,
    "ceil": sp.ceiling,
    "erf": sp.erf,
    "erfc": sp.erfc,
    "gamma": sp.gamma,
    "gammaln": sp.loggamma,
    "digamma": sp.digamma,
}
#: Other names of the same.
ALSO = {
    "absolute": "abs",
    "fabs": "abs",
    "asin": "arcsin",
    "acos": "arccos",
    "asinh": "arcsinh",
    "acosh": "arccosh",
    "atanh": "arctanh",
    "expit": "sigmoid",
    "logistic": "sigmoid",
    "swish": "silu",
    "lgamma": "gammaln",
    "loggamma": "gammaln",
    "psi": "digamma",
}
#: Where functions have values, for examples: the argument is made of `X`.
INSIDE = {
    "log": "exp(X)",
    "sqrt": "exp(X)",
    "log1p": "exp(X)",
    "log2": "exp(X)",
    "log10": "exp(X)",
    "arcsin": "tanh(X)",
    "arccos": "tanh(X)",
    "arctanh": "tanh(X)",
    "arccosh": "1 + exp(X)",
    "reciprocal": "exp(X)",
    "gamma": "exp(X)",
    "gammaln": "exp(X)",
    "digamma": "exp(X)",
}
#: What is left out of the activations: names that mean something else in NumPy.
_OTHERWISE = ("identity", "sin", "tanh")


def _of_one(function: Callable[[Any], Any]) -> Build:
    def build(call: Call) -> Value:
        given = call.bound("x", required=1)["x"]
        return entrywise(_real(function), [as_value(given, call.word)])

    return build


def _real(function: Callable[..., Any]) -> Callable[..., Any]:
    def applied(*entries: Any) -> Any:
        result = function(*entries)
        if result.has(sp.I, sp.zoo, sp.nan, sp.oo, -sp.oo):
            shown = ", ".join(map(str, entries))
            raise UnsupportedError(f"no real value at {shown}")
        return result

    return applied


for _name, _function in {
    **{n: e.apply for n, e in functions.FUNCTIONS.items() if n not in _OTHERWISE},
    **OF_ONE,
}.items():
    word(_name, example=f"{{}}({INSIDE.get(_name, 'X')})")(_of_one(_function))
for _name, _first in ALSO.items():
    word(_name, example=f"{{}}({INSIDE.get(_first, 'X')})")(WORDS[_first].build)

#: Functions of two entries.
OF_TWO: dict[str, tuple[Callable[[Any, Any], Any], str]] = {
    "maximum": (sp.Max, "X, t"),
    "minimum": (sp.Min, "X, X**2"),
    "hypot": (lambda a, b: sp.sqrt(a**2 + b**2), "X, t"),
    "logaddexp": (several.logsumexp, "X, X**2"),
    "arctan2": (sp.atan2, "X, exp(X)"),
    "atan2": (sp.atan2, "X, exp(X)"),
    "xlogy": (several.xlogy, "X, exp(X)"),
}


def _of_two(function: Callable[[Any, Any], Any]) -> Build:
    def build(call: Call) -> Value:
        given = call.bound("x", "y", required=2)
        return entrywise(_real(function), [as_value(given[k], call.word) for k in ("x", "y")])

    return build


for _name, (_function2, _arguments) in OF_TWO.items():
    word(_name, example=f"{{}}({_arguments})")(_of_two(_function2))


def _operation(operation: Callable[[Value, Value], Value]) -> Build:
    def build(call: Call) -> Value:
        given = call.bound("x", "y", required=2)
        return operation(as_value(given["x"], call.word), as_value(given["y"], call.word))

    return build


word("add", example="{}(X, t)")(_operation(lambda a, b: total([a, b])))
word("subtract", example="{}(X, t)")(
    _operation(lambda a, b: total([a, scaled(sp.S.NegativeOne, b)]))
)
word("multiply", example="{}(X, t)")(_operation(product))
word("divide", "true_divide", example="{}(X, exp(t))")(_operation(quotient))
word("mod", "remainder", example="{}(X, exp(t))")(_operation(remainder))
word("floor_divide", example="{}(X, exp(t)) * X")(
    _operation(lambda a, b: entrywise(sp.floor, [quotient(a, b)]))
)
word("power", "pow", example="{}(exp(X), t)")(_operation(power))
word("matmul", example="{}(A, X)")(_operation(matrix_product))


@word("polygamma", example="{}(2, exp(X))")
def _polygamma(call: Call) -> Value:
    given = call.bound("n", "x", required=2)
    order = as_value(given["n"], call.word).node
    if not order.is_Integer or not 0 <= order <= special.HIGHEST_ORDER:
        highest = special.HIGHEST_ORDER
        raise OptionError(f"`polygamma` has an order of 0 to {highest}, not {said(given['n'])}")
    return entrywise(lambda z: sp.polygamma(order, z), [as_value(given["x"], call.word)])


@word("clip", example="{}(X, -1, t**2)")
def _clip(call: Call) -> Value:
    given = call.bound("a", "a_min", "a_max", "min", "max", required=1)
    low = given.get("a_min", given.get("min"))
    high = given.get("a_max", given.get("max"))
    value = as_value(given["a"], call.word)
    for bound, function in ((low, sp.Max), (high, sp.Min)):
        if bound is not None:
            value = entrywise(function, [value, as_value(bound, call.word)])
    return value


@word("where", example="{}(X > t, X**2, 0)")
def _where(call: Call) -> Value:
    given = call.bound("condition", "x", "y", required=3)
    condition = as_test(given["condition"], call.word)
    first, second = (as_value(given[key], call.word) for key in ("x", "y"))

    def chosen(a: Any, b: Any, *entries: Any) -> Any:
        return sp.Piecewise((a, condition.holds(*entries)), (b, True))

    return entrywise(chosen, [first, second, *condition.operands])
