r"""The signs of functions and numbers: \arctan, 10^{-5}."""

from __future__ import annotations

import re
from typing import Any

import sympy as sp

_NAMES = {
    sp.atan2: r"\operatorname{atan2}",
    sp.gamma: r"\Gamma",
    sp.loggamma: r"\log \Gamma",
}


def function_name(expr: Any) -> str:
    r"""Print the name of a function, without its arguments.

    >>> x = sp.Symbol("x")
    >>> function_name(sp.log(x)), function_name(sp.atan(x))
    ('\\log', '\\arctan')
    """
    if expr.func in _NAMES:
        return _NAMES[expr.func]
    arguments = sp.symbols(f"x:{len(expr.args)}")
    plain = sp.latex(expr.func(*arguments), inv_trig_style="full")
    # SymPy writes \log{\left(x \right)}, and \operatorname{sign}\left(x \right).
    name = str(plain.split(r"\left")[0])
    return name.removesuffix("{") if name.count("{") > name.count("}") else name


def number(value: float) -> str:
    r"""Print at most eight digits, and powers of ten as people write them.

    >>> number(0.30000000000000004), number(1e-05), number(-1.5e20)
    ('0.3', '10^{-5}', '-1.5 \\cdot 10^{20}')
    """
    digits, _, exponent = f"{value:.8g}".partition("e")
    if not exponent:
        return digits
    lead = {"1": "", "-1": "-"}.get(digits, rf"{digits} \cdot ")
    return f"{lead}10^{{{int(exponent)}}}"


def gap(left: str, right: str) -> str:
    r"""Return what has to stand between two factors for them to be read as two.

    >>> gap("2", "3"), gap(r"\mathrm{rate}", "x"), gap("a", "b")
    ('\\cdot ', '\\, ', '')
    """
    # A column of ones is printed as a bold 1.
    digit = right[:1].isdigit() or right.startswith(r"\mathbf{1}")
    if digit and re.search(r"\d$|\b10\^\{-?\d+\}$", left):
        return r"\cdot "
    words = right.startswith(r"\mathrm") or re.search(r"\\mathrm\{[^{}]*\}$", left)
    return r"\, " if words else ""
