r"""The signs of functions and constants, by what is printed: \sigma, \log \Gamma, \pi."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from typing import Any

import sympy as sp

from symgrad import functions
from symgrad.functions.activations import SELU_ALPHA, SELU_SCALE

#: Functions by what is printed: of scalars, taken of every entry of a matrix.
FUNCTIONS: dict[str, Callable[..., Any]] = {
    **{entry.latex: entry.apply for entry in functions.FUNCTIONS.values()},
    **{
        rf"\{name}": getattr(sp, name)
        for name in (
            *("sin", "cos", "tan", "cot", "sec", "csc"),
            *("sinh", "cosh", "tanh", "coth", "exp", "log"),
        )
    },
    **{
        rf"\operatorname{{{name}}}": getattr(sp, name)
        for name in ("sech", "csch", "erf", "erfc", "erfi", "erfinv", "sign", "sinc", "atan2", "Si")
    },
    **{
        rf"\operatorname{{ar{name}}}": getattr(sp, f"a{name}")
        for name in ("sinh", "cosh", "tanh", "coth", "sech", "csch")
    },
    **{rf"\arc{name}": getattr(sp, f"a{name}") for name in ("sin", "cos", "tan")},
    **{rf"\operatorname{{arc{name}}}": getattr(sp, f"a{name}") for name in ("cot", "sec", "csc")},
    r"\Gamma": sp.gamma,
    r"\log \Gamma": sp.loggamma,
    r"\theta": sp.Heaviside,
}
#: Their derivatives, as f'(z).
SLOPES = {entry.latex: entry.derivative for entry in functions.FUNCTIONS.values()}
#: Numbers that have a sign.
CONSTANTS = {
    r"\pi": sp.pi,
    "e": sp.E,
    r"\gamma": sp.EulerGamma,
    r"\phi": sp.GoldenRatio,
    "G": sp.Catalan,
    r"\alpha_{\mathrm{selu}}": SELU_ALPHA,
    r"\lambda_{\mathrm{selu}}": SELU_SCALE,
}


def longest_first(signs: Iterable[str]) -> re.Pattern[str]:
    r"""Return a pattern of signs, the longest first; one of letters ends where they end.

    >>> longest_first(["e", r"\log", r"\log \Gamma"]).match(r"\log \Gamma(x)").group()
    '\\log \\Gamma'
    """
    words = (
        re.escape(sign) + ("(?![A-Za-z])" if sign[-1:].isalpha() else "")
        for sign in sorted(signs, key=lambda sign: (-len(sign), sign))
    )
    return re.compile("|".join(words))


#: What begins a function.
FUNCTION = longest_first(FUNCTIONS)
