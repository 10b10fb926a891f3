r"""Products as people write them: what is written out joins them, inner products are in brackets.

2 X (-Y) is -2 X Y, and the column a, the number b'x times, is (b^\top x) a.
"""

from __future__ import annotations

from typing import Any

import sympy as sp

from symgrad import functions
from symgrad.algebra import hadamard, multiply, transpose
from symgrad.algebra import split_coefficient as _split
from symgrad.formats.order import (
    divides,
    inverted,
    is_negative,
    is_product,
    norm_of,
    numbers_first,
    paren,
    without_one,
)
from symgrad.formats.signs import gap
from symgrad.matrices import Broadcast, Elementwise, SumColumns, SumEntries, SumRows
from symgrad.operations.linear import Kronecker
from symgrad.operations.sequences import Convolution

#: Bodies of entrywise functions that need parentheses beside a matrix.
BODIES = (sp.Add, sp.Mul, functions.xlogy)


class Products:
    """How products of scalars, of matrices and of entries are printed; mixed into `Printer`."""

    _print: Any
    seen: Any
    _negative: Any
    _ordered_factors: Any

    def opened(self, expr: Any) -> Any:
        """Return a product with the products in it that are written out: 2 X (-Y) is -2 X Y."""
        shown = self.seen(expr)
        if isinstance(shown, sp.Transpose):
            inner = self.opened(shown.arg)
            return transpose(inner) if isinstance(inner, sp.MatMul) else shown
        if isinstance(shown, Elementwise):
            number, body = shown.function.expr.as_coeff_Mul()
            if number == 1 or not isinstance(body, (sp.Mul, sp.Pow, sp.Function)):
                return expr
            function = sp.Lambda(shown.function.signature, body)
            return sp.MatMul(number, Elementwise(function, *shown.matrices))
        if not isinstance(shown, (sp.MatMul, sp.HadamardProduct)):
            return expr
        parts = [self.opened(arg) if arg.is_Matrix else arg for arg in shown.args]
        if all(part is arg for part, arg in zip(parts, shown.args, strict=True)):
            return shown
        return (multiply if isinstance(shown, sp.MatMul) else hadamard)(*parts)

    def _flat_factors(self, expr: Any) -> list[Any]:
        """List the factors, an adjoint that is written out before the local derivative."""
        shown = self.seen(expr)
        if not isinstance(shown, sp.Mul):
            return [expr]
        ordered = self._ordered_factors(list(shown.args))
        return [f for arg in ordered for f in self._flat_factors(arg)]

    def _factor(self, expr: Any, *, beside: bool = False) -> str:
        """Print a factor; beside a matrix, or another of its kind, an inner product in brackets."""
        shown = self.seen(expr)
        if beside and isinstance(shown, sp.Mul) and not self._negative(shown):
            return self._product(shown, beside=True)
        text = self._print(expr)
        loose = isinstance(shown, (sp.Add, sp.MatAdd, sp.Piecewise)) or self._negative(shown)
        if isinstance(shown, Elementwise):
            loose = isinstance(shown.function.expr, sp.Add)
        if isinstance(shown, sp.Trace) and shown.arg.shape == (1, 1):
            inner = self.seen(shown.arg)
            loose = isinstance(inner, sp.MatAdd) or is_negative(_split(inner)[0])
        return paren(text) if loose or (beside and self._is_inner(shown)) else text

    def _is_inner(self, shown: Any) -> bool:
        """Tell whether a scalar is printed as a product of matrices: a' x, or 1' x."""
        if isinstance(shown, sp.Trace) and shown.arg.shape == (1, 1):
            inner = _split(self.opened(shown.arg))[1]
            return isinstance(inner, sp.MatMul) and norm_of(shown, self.seen) is None
        return isinstance(shown, SumEntries) and norm_of(shown, self.seen) is None

    def _print_Mul(self, expr: Any) -> str:
        return self._product(expr)

    def _product(self, expr: Any, *, beside: bool = False) -> str:
        if self._negative(expr):
            return "-" + self._factor(-expr)
        over, under = [], []
        for factor in self._flat_factors(expr):
            shown = self.seen(factor)
            if shown.is_Rational:
                over += [sp.Integer(shown.p)] if shown.p != 1 else []
                under += [sp.Integer(shown.q)] if shown.q != 1 else []
            elif isinstance(shown, sp.Pow) and is_negative(shown.exp):
                under.append(shown.base**-shown.exp)
            else:
                over.append(factor)
        return self._fraction(over, self._without_repeats(under), beside=beside)

    def _without_repeats(self, factors: list[Any]) -> list[Any]:
        """Multiply factors that are printed alike: sqrt(u) sqrt(u) is u."""
        shown = [self.seen(factor) for factor in factors]
        bases = [factor.as_base_exp()[0] for factor in shown]
        if len(set(bases)) == len(bases):
            return factors
        return list(sp.Mul.make_args(sp.Mul(*shown)))

    def _fraction(self, over: list[Any], under: list[Any], *, beside: bool) -> str:
        over = numbers_first(over, self.seen)
        if not under:
            return self._juxtaposed(over, beside=beside) if beside else self._alone(over)
        simple = all(self._fits_on_a_fraction(factor) for factor in over)
        # Measured numbers, as in (x - mean) / deviation, keep the form of the quotient.
        simple = simple or all(self.seen(factor).is_Float for factor in under)
        # A compound factor reads better beside the fraction than on top of it.
        top = over if simple else [f for f in over if self.seen(f).is_number]
        rest = [] if simple else [f for f in over if not self.seen(f).is_number]
        fraction = rf"\frac{{{self._alone(top) or '1'}}}{{{self._alone(under)}}}"
        return f"{fraction} {self._juxtaposed(rest, beside=beside)}".rstrip()

    def _fits_on_a_fraction(self, factor: Any) -> bool:
        shown = self.seen(factor)
        return (not shown.args or shown.is_Pow) and r"\frac" not in self._print(factor)

    def _alone(self, factors: list[Any]) -> str:
        """Print a product that stands alone: a single sum needs no parentheses."""
        return self._print(factors[0]) if len(factors) == 1 else self._juxtaposed(factors)

    def _juxtaposed(self, factors: list[Any], *, beside: bool = False) -> str:
        text = ""
        beside = beside or sum(self._is_inner(self.seen(factor)) for factor in factors) > 1
        for factor in factors:
            part = self._factor(factor, beside=beside)
            text += f" {gap(text, part)}{part}" if text else part
        return text

    def _scaled(self, coefficient: Any, matrix: Any, *, subtracted: bool = False) -> str:
        if is_negative(coefficient):
            return f"-{self._scaled(-coefficient, matrix, subtracted=True)}"
        shown = str(self._print(matrix))
        below = self.seen(matrix)
        body = below.function.expr if isinstance(below, Elementwise) else below
        if isinstance(body, (sp.MatAdd, sp.Add)) and (subtracted or coefficient != 1):
            shown = paren(shown)
        if coefficient == 1:
            return shown
        return f"{self._factor(coefficient, beside=True)} {without_one(shown)}"

    def _print_MatMul(self, expr: Any) -> str:
        expr = self.opened(expr)
        coefficient, rest = _split(expr)
        if coefficient != 1:
            return self._scaled(coefficient, rest)
        if not isinstance(expr, sp.MatMul):
            return str(self._print(expr))
        # A nabla acts on what follows it: in a product it stands in brackets.
        texts = [self._matrix_factor(factor) for factor in expr.args]
        return " ".join(paren(t) if t.startswith(r"\nabla_") else t for t in texts)

    def _matrix_factor(self, expr: Any) -> str:
        shown = self.seen(expr)
        text = self._print(expr)
        loose = (sp.MatAdd, sp.HadamardProduct, Kronecker, Convolution)
        if isinstance(shown, Elementwise):
            body = shown.function.expr
            return paren(text) if isinstance(body, BODIES) or divides(body) else text
        return paren(text) if isinstance(shown, loose) or _split(shown)[0] != 1 else text

    def _print_HadamardProduct(self, expr: Any) -> str:
        expr = self.opened(expr)
        if not isinstance(expr, sp.HadamardProduct):
            return str(self._print(expr))
        divisors = [inverted(self.seen(factor)) for factor in expr.args]
        pairs = list(zip(expr.args, divisors, strict=True))
        over = [self._entrywise_factor(factor) for factor, divisor in pairs if divisor is None]
        under = [self._divisor(divisor) for _, divisor in pairs if divisor is not None]
        text = r" \odot ".join(over) or "1"
        if not under:
            return text
        below = r" \odot ".join(under)
        return rf"{text} \oslash {paren(below) if len(under) > 1 else below}"

    def _divisor(self, expr: Any) -> str:
        """Print what stands behind a division sign: products are in brackets."""
        text = self._entrywise_factor(expr)
        return paren(text) if is_product(self.seen(expr)) and text == self._print(expr) else text

    def _entrywise_factor(self, expr: Any) -> str:
        shown = self.seen(expr)
        text = self._print(expr)
        loose = isinstance(shown, (sp.MatAdd, sp.MatMul, Broadcast, Kronecker, Convolution))
        if isinstance(shown, Elementwise):
            body = shown.function.expr
            loose = isinstance(body, sp.Add) or is_negative(body) or divides(body)
        if isinstance(shown, sp.HadamardProduct):
            loose = any(inverted(self.seen(factor)) is not None for factor in shown.args)
        return paren(text) if loose or self._is_sum(shown) else text

    def _is_sum(self, shown: Any) -> bool:
        """Tell whether something is printed as a product with ones."""
        if isinstance(shown, sp.Transpose):
            return isinstance(self.seen(shown.arg), SumRows)
        return isinstance(shown, (SumRows, SumColumns))
