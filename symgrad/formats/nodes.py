r"""The LaTeX of single kinds of nodes: cases, sums over indices, reductions, softmax."""

from __future__ import annotations

from typing import Any

import sympy as sp

from symgrad.formats.names import free_letters
from symgrad.formats.order import is_negative, paren, squared
from symgrad.shapes import name_of


class Nodes:
    """What the printer says of a node; mixed into `Printer`, which has the rest."""

    _print: Any
    _factor: Any
    _matrix_factor: Any
    seen: Any
    symbols: Any
    variables: Any

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
        value = expr.args[0]
        if not value.is_Matrix:
            if is_negative(self.seen(value)):
                return f"-{self._print_Broadcast(expr.func(-self.seen(value), *expr.args[1:]))}"
            lead = "" if value == 1 else f"{self._factor(value)} "
            return lead + _ones(expr.shape)
        shown = self._matrix_factor(value)
        if value.shape[0] == 1:
            return rf"\mathbf{{1}} {shown}"
        return rf"{shown} \mathbf{{1}}^{{\top}}"

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
        return "I"

    def _print_UnitMatrix(self, expr: Any) -> str:
        i, j = (self._print(index + 1) for index in expr.args[2:])
        if expr.shape[1] == 1:
            return rf"\mathbf{{e}}_{{{i}}}"
        return rf"\mathbf{{e}}_{{{i}}} \mathbf{{e}}_{{{j}}}^{{\top}}"

    def _print_MatrixElement(self, expr: Any) -> str:
        matrix, *indices = expr.args
        variable = self.variables.get(matrix)
        origin = variable.origin if variable and variable.origin else (1, 1)
        rank = 1 if matrix.shape[1] == 1 else 2
        shown = [self._print(i + o) for i, o in zip(indices[:rank], origin, strict=False)]
        name = self._matrix_factor(matrix)
        if not isinstance(matrix, sp.MatrixSymbol) or r"\frac" in name:
            name = rf"\left[{self._print(matrix)}\right]"
        comma = "," if any(len(text) > 1 for text in shown) else ""
        return f"{name}_{{{comma.join(shown)}}}"

    def _taken(self, *parts: Any) -> set[str]:
        """Return the names that may not be used for an index: of inputs, and of other indices."""
        found = {name_of(s) for part in parts for s in part.atoms(sp.Symbol)}
        found |= {name_of(s) for part in parts for s in part.atoms(sp.Indexed)}
        return found | set(self.symbols)

    def _print_FunctionMatrix(self, expr: Any) -> str:
        places, body = expr.lamda.variables, expr.lamda.expr
        count = 1 if expr.shape[1] == 1 else 2
        letters = free_letters(self._taken(body.xreplace(dict.fromkeys(places, sp.S.Zero))), count)
        shown = {
            place: sp.Symbol(letter, integer=True) - 1
            for place, letter in zip(places, letters, strict=False)
        }
        text = self._print(body.xreplace(shown))
        ends = [
            f"{letter}=1,\\dots,{self._print(size)}"
            for letter, size in zip(letters, expr.shape, strict=False)
        ]
        if count == 1:
            return rf"\left[{text}\right]_{{{letters[0]}=1}}^{{{self._print(expr.shape[0])}}}"
        return rf"\left[{text}\right]_{{{'; '.join(ends)}}}"

    def _print_Sum(self, expr: Any) -> str:
        body, limits = self._lettered(expr)
        # The first of SymPy's limits is the innermost sum.
        sums = "".join(
            rf"\sum_{{{self._print(i)}={self._print(low)}}}^{{{self._print(high)}}} "
            for i, low, high in reversed(limits)
        )
        return f"{sums}{self._factor(body)}"

    def _lettered(self, expr: Any) -> tuple[Any, list[Any]]:
        """Give letters to the indices that SymPy made up, and count those from 1."""
        body, limits = expr.function, [tuple(limit) for limit in expr.limits]
        made_up = [limit[0] for limit in limits if isinstance(limit[0], sp.Dummy)]
        letters = free_letters(self._taken(expr), len(made_up))
        for index, letter in zip(made_up, letters, strict=True):
            symbol = sp.Symbol(letter, integer=True)
            shift = int(any(limit[0] == index and limit[1] == 0 for limit in limits))
            new = {index: symbol - shift}
            body = body.xreplace(new)
            limits = [
                (symbol, low + shift, high + shift)
                if i == index
                else (i, low.xreplace(new), high.xreplace(new))
                for i, low, high in limits
            ]
        return body, limits

    def _print_Softmax(self, expr: Any) -> str:
        return rf"\operatorname{{softmax}}{paren(self._print(expr.matrix))}"

    def _print_LogSoftmax(self, expr: Any) -> str:
        return rf"\log \operatorname{{softmax}}{paren(self._print(expr.matrix))}"

    def _print_xlogy(self, expr: Any, exp: Any = None) -> str:
        x, y = expr.args
        text = str(self._print(sp.Mul(x, sp.log(y, evaluate=False), evaluate=False)))
        return text if exp is None else f"{paren(text)}^{{{exp}}}"

    def _print_logsumexp(self, expr: Any, exp: Any = None) -> str:
        below = " + ".join(f"e^{{{self._print(arg)}}}" for arg in expr.args)
        power = "" if exp is None else f"^{{{exp}}}"
        return rf"\log{power}{paren(below)}"

    def _print_log1pexp(self, expr: Any, exp: Any = None) -> str:
        power = "" if exp is None else f"^{{{exp}}}"
        return rf"\log{power}{paren(f'1 + {self._print(sp.exp(expr.args[0]))}')}"

    def _print_SeluAlpha(self, expr: Any) -> str:
        return str(expr._latex(self))

    _print_SeluScale = _print_SeluAlpha

    def _print_Float(self, expr: Any) -> str:
        """Print the shortest digits that tell the number; a power of ten as one."""
        text = repr(float(expr)).removesuffix(".0")
        digits, e, power = text.partition("e")
        if not e:
            return text
        ten = f"10^{{{int(power)}}}"
        return ten if digits == "1" else rf"{digits} \cdot {ten}"


def _ones(shape: Any) -> str:
    """Print a matrix of ones as the product of a column and a row."""
    column = "" if shape[0] == 1 else r"\mathbf{1}"
    row = "" if shape[1] == 1 else r"\mathbf{1}^{\top}"
    return f"{column} {row}".strip() or "1"
