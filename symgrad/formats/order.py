"""How people write: the order of terms and factors, parentheses, squares."""

from __future__ import annotations

from typing import Any

import sympy as sp

from symgrad.algebra import split_coefficient
from symgrad.matrices import ENTRY, Broadcast, Elementwise, SumEntries

#: Factors and terms of lower rank are written first; see `Printer._rank`.
RANKS = {
    "adjoint": 0,
    "gradient": 0,
    "weight": 2,
    "parameter": 2,
    "intermediate": 3,
    "pre-activation": 3,
    "activation": 4,
    "prediction": 4,
    "input": 5,
    "target": 6,
    "bias": 7,
}


def paren(text: str) -> str:
    r"""Put text into parentheses, growing ones where it is tall.

    >>> paren(r"\frac{1}{2}"), paren("x")
    ('\\left(\\frac{1}{2}\\right)', '(x)')
    """
    tall = any(word in text for word in (r"\frac", r"\sum", r"\begin", r"\prod", r"\int"))
    return rf"\left({text}\right)" if tall else f"({text})"


def is_negative(expr: Any) -> bool:
    """Tell whether an expression is written with a minus sign in front.

    >>> x = sp.Symbol("x")
    >>> is_negative(-2 * x), is_negative(x)
    (True, False)
    """
    if isinstance(expr, sp.MatMul):
        return is_negative(split_coefficient(expr)[0])
    if isinstance(expr, sp.Mul):
        return bool(expr.args[0].is_number and expr.args[0].is_negative)
    return bool(getattr(expr, "is_number", False) and expr.is_negative)


def shape_rank(expr: Any) -> int:
    """Rank a factor by its form: sums, then single symbols, then 1 - a^2 and its like."""
    if isinstance(expr, sp.Add):
        return 2 if any(term.is_number for term in expr.args) else 0
    return 1


def numbers_first(factors: list[Any], seen: Any) -> list[Any]:
    """Move the numbers of a product to the front and multiply them."""
    numbers = [f for f in factors if seen(f).is_Number]
    rest = [f for f in factors if not seen(f).is_Number]
    product = sp.Mul(*map(seen, numbers))
    return rest if product in (1, 1.0) and rest else [product, *rest]


def degree(expr: Any) -> int:
    """Count the factors of a term, numbers apart.

    >>> x, y = sp.symbols("x y")
    >>> degree(3 * x**2 * y)
    3
    """
    if isinstance(expr, sp.Mul):
        return sum(degree(arg) for arg in expr.args)
    if isinstance(expr, sp.Pow):
        return int(expr.exp) if expr.exp.is_Integer and expr.exp > 0 else 1
    return 0 if expr.is_number else 1


def squared(matrix: Any) -> Any:
    """Return A for a matrix of the squares of its entries, else None."""
    if isinstance(matrix, sp.HadamardPower) and matrix.exp == 2:
        return matrix.base
    if isinstance(matrix, Elementwise) and matrix.function.expr == ENTRY**2:
        return matrix.matrices[0]
    return None


def inverted(matrix: Any) -> Any:
    """Return A for the matrix of the reciprocals of its entries, else None."""
    if isinstance(matrix, sp.HadamardPower) and matrix.exp == -1:
        return matrix.base
    if isinstance(matrix, Elementwise) and matrix.function.expr == 1 / ENTRY:
        return matrix.matrices[0]
    return None


def is_product(shown: Any) -> bool:
    """Tell whether something is printed with a sign of an entrywise product or quotient.

    >>> is_product(sp.HadamardProduct(sp.MatrixSymbol("A", 2, 2), sp.MatrixSymbol("B", 2, 2)))
    True
    """
    if isinstance(shown, Elementwise):
        body = shown.function.expr
        return isinstance(body, sp.Mul) or divides(body)
    return isinstance(shown, sp.HadamardProduct)


def divides(body: Any) -> bool:
    """Tell whether a function of entries is printed with a division sign.

    >>> x, y = sp.symbols("x y")
    >>> divides(x / y), divides(x / 2), divides(sp.tanh(x))
    (True, False, False)
    """
    powers = [f for f in sp.Mul.make_args(body) if isinstance(f, sp.Pow) and f.exp.is_Integer]
    return any(power.exp.is_negative for power in powers if not power.is_number)


def norm_of(expr: Any, seen: Any) -> Any:
    """Return the column x for x'x and for the sum of its squares, else None."""
    if isinstance(expr, SumEntries):
        return squared(seen(expr.matrix))
    if isinstance(expr, sp.Trace) and isinstance(expr.arg, sp.MatMul) and len(expr.arg.args) == 2:
        left, right = expr.arg.args
        return right if left == sp.Transpose(right) and right.shape[1] == 1 else None
    return None


def tidied(expr: Any) -> Any:
    """Write a sum or a broadcast as people do: signs and numbers in front, n for n ones.

    >>> i, n = sp.symbols("i n")
    >>> tidied(sp.Sum(1, (i, 1, n))), tidied(sp.Sum(-i, (i, 1, n)))
    (n, -Sum(i, (i, 1, n)))
    """
    if isinstance(expr, sp.Sum):
        (index, low, high), *more = expr.limits
        if not more and index not in expr.function.free_symbols:
            return (high - low + 1) * expr.function
        if is_negative(expr.function):
            return sp.Mul(-1, sp.Sum(-expr.function, *expr.limits))
    elif isinstance(expr, Broadcast) and not expr.args[0].is_Matrix:
        value = expr.args[0]
        if value.is_number:
            ones = sp.OneMatrix(*expr.shape)
            return ones if value == 1 else sp.MatMul(value, ones)
        if is_negative(value):
            return sp.MatMul(-1, expr.func(-value, *expr.args[1:]))
    return expr


def without_one(text: str) -> str:
    r"""Leave out the 1 of a quotient that a factor stands before: 2 (1 / x) is 2 / x.

    >>> without_one(r"1 \oslash x"), without_one("x")
    ('\\oslash x', 'x')
    """
    return text[2:] if text.startswith(r"1 \oslash ") else text
