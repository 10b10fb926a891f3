r"""The LaTeX of single kinds of nodes: cases, sums over indices, reductions, softmax."""

from __future__ import annotations

from typing import Any

import sympy as sp

from symgrad import functions
from symgrad.algebra import transpose
from symgrad.formats.order import paren, squared
from symgrad.softmax import Softmax


class Nodes:
    """What the printer says of a node; mixed into `Printer`, which has the rest."""

    _print: Any
    _factor: Any
    _matrix_factor: Any
    seen: Any

    def _print_Piecewise(self, expr: Any) -> str:
        rows = []
        for value, condition in expr.args:
            shown = self._print(value)
            # After a line break an opening bracket would be taken as the break's option.
            shown = f"{{}}{shown}" if shown.startswith("[") else shown
            word = r"\text{otherwise}"
            if condition != sp.true:
                word = rf"\text{{for }} {self._print(condition)}"
            rows.append(f"{shown} & {word}")
        body = r" \\ ".join(rows)
        return rf"\begin{{cases}} {body} \end{{cases}}"

    def _print_Broadcast(self, expr: Any) -> str:
        value, shown = expr.args[0], self.seen(expr)
        if shown is not expr:
            return str(self._print(shown))
        if not value.is_Matrix:
            return f"{self._factor(value, beside=True)} {_ones(expr.shape)}"
        shown = str(self._matrix_factor(value))
        before, after = (
            old == 1 and new != 1 for old, new in zip(value.shape, expr.shape, strict=True)
        )
        left = r"\mathbf{1} " if before else ""
        return left + shown + (r" \mathbf{1}^{\top}" if after else "")

    def _print_SumEntries(self, expr: Any, exp: Any = None) -> str:
        base = squared(self.seen(expr.matrix))
        if base is not None:
            mark = "" if base.shape[1] == 1 else "_F"
            return rf"\left\lVert {self._print(base)} \right\rVert{mark}^2"
        text = self._matrix_factor(expr.matrix)
        left = "" if expr.matrix.shape[0] == 1 else r"\mathbf{1}^{\top} "
        right = "" if expr.matrix.shape[1] == 1 else r" \mathbf{1}"
        return f"{left}{text}{right}"

    def _print_SumRows(self, expr: Any) -> str:
        return rf"\mathbf{{1}}^{{\top}} {self._matrix_factor(expr.matrix)}"

    def _print_SumColumns(self, expr: Any) -> str:
        return rf"{self._matrix_factor(expr.matrix)} \mathbf{{1}}"

    def _print_Operation(self, expr: Any) -> str:
        return str(expr._latex(self))

    def _print_ScalarOperation(self, expr: Any, exp: Any = None) -> str:
        return str(expr._latex(self, exp=exp))

    def _print_Trace(self, expr: Any) -> str:
        if expr.arg.shape == (1, 1):
            return str(self._print(expr.arg))
        return rf"\operatorname{{tr}}{paren(self._print(expr.arg))}"

    def _print_Determinant(self, expr: Any, exp: Any = None) -> str:
        text = rf"\det{paren(self._print(expr.arg))}"
        return text if exp is None else f"{paren(text)}^{{{exp}}}"

    def _print_Pi(self, expr: Any) -> str:
        return r"\pi"

    def _print_OneMatrix(self, expr: Any) -> str:
        return _ones(expr.shape)

    def _print_ZeroMatrix(self, expr: Any) -> str:
        return r"\mathbf{0}"

    def _print_Identity(self, expr: Any) -> str:
        return "1" if expr.shape[0] == 1 else "I"

    def _print_UnitMatrix(self, expr: Any) -> str:
        i, j = (self._print(index + 1) for index in expr.args[2:])
        if expr.shape[1] == 1:
            return rf"\mathbf{{e}}_{{{i}}}"
        return rf"\mathbf{{e}}_{{{i}}} \mathbf{{e}}_{{{j}}}^{{\top}}"

    def _print_Softmax(self, expr: Any) -> str:
        if expr.axis == 0 and expr.shape[1] != 1:
            # Of a matrix, softmax is that of every row.
            flipped = expr.func(transpose(expr.matrix), 1)
            return rf"{self._print(flipped)}^{{\top}}"
        return rf"\operatorname{{softmax}}{paren(self._print(expr.matrix))}"

    def _print_LogSoftmax(self, expr: Any) -> str:
        if expr.axis == 0 and expr.shape[1] != 1:
            return rf"{self._print(expr.func(transpose(expr.matrix), 1))}^{{\top}}"
        return rf"\log{paren(self._print(Softmax(*expr.args)))}"

    def _print_log_sigmoid(self, expr: Any, exp: Any = None) -> str:
        power = "" if exp is None else f"^{{{exp}}}"
        return rf"\log{power}{paren(self._print(functions.sigmoid(*expr.args)))}"

    def _print_log_cosh(self, expr: Any, exp: Any = None) -> str:
        power = "" if exp is None else f"^{{{exp}}}"
        return rf"\log{power}{paren(self._print(sp.cosh(*expr.args)))}"

    def _print_xlogy(self, expr: Any, exp: Any = None) -> str:
        x, y = expr.args
        text = str(self._print(sp.Mul(x, sp.log(y, evaluate=False), evaluate=False)))
        return text if exp is None else f"{paren(text)}^{{{exp}}}"

    def _print_logsumexp(self, expr: Any, exp: Any = None) -> str:
        below = " + ".join(self._print(sp.exp(arg)) for arg in expr.args)
        power = "" if exp is None else f"^{{{exp}}}"
        return rf"\log{power}{paren(below)}"

    def _print_log1pexp(self, expr: Any, exp: Any = None) -> str:
        power = "" if exp is None else f"^{{{exp}}}"
        return rf"\log{power}{paren(f'1 + {self._print(sp.exp(expr.args[0]))}')}"

    def _print_SeluAlpha(self, expr: Any) -> str:
        return str(expr._latex(self))

    _print_SeluScale = _print_SeluAlpha


def _ones(shape: Any) -> str:
    """Print a matrix of ones as the product of a column and a row."""
    column = "" if shape[0] == 1 else r"\mathbf{1}"
    row = "" if shape[1] == 1 else r"\mathbf{1}^{\top}"
    return f"{column} {row}".strip() or "1"
