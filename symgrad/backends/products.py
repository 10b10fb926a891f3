"""NumPy source of matrix expressions: products in the cheap order, broadcasting, reductions."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import sympy as sp

from symgrad.backends.indexed import IndexedEmitter
from symgrad.backends.source import ATOM, PRODUCT, SIGN, SUM, Code
from symgrad.graph.layouts import COLUMN, FULL, ROW, SCALAR
from symgrad.matrices import entry_symbols
from symgrad.tape.reading import cheapest_order


class Emitter(IndexedEmitter):
    """Print every expression that a graph can hold; see `ScalarEmitter`."""

    def _combined(self, parts: list[Code]) -> list[Code]:
        """Make the operands of an elementwise operation broadcast to what they stand for."""
        layout, _ = self._joined(parts)
        if layout != FULL:
            return parts
        return [
            Code(f"{p.within(ATOM)}[:, None]", ATOM, FULL, p.exact) if p.layout == COLUMN else p
            for p in parts
        ]

    def _matrix_add(self, expr: Any) -> Code:
        signed = []
        for term in expr.args:
            coefficient, rest = term.as_coeff_mmul()
            negative = bool(coefficient.is_number and coefficient.is_negative)
            scaled = _scaled(-coefficient if negative else coefficient, rest)
            signed.append((negative, self.emit(scaled)))
        codes = self._combined([code for _, code in signed])
        parts = [(None, (sign, code)) for (sign, _), code in zip(signed, codes, strict=True)]
        return self._signed(parts)

    def _hadamard(self, expr: Any) -> Code:
        codes = self._combined([self.emit(arg) for arg in expr.args])
        text = " * ".join(code.within(PRODUCT if k == 0 else SIGN) for k, code in enumerate(codes))
        return Code(text, PRODUCT, *self._joined(codes))

    def _hadamard_power(self, expr: Any) -> Code:
        base = self.emit(expr.base)
        stand_in = sp.Dummy("base")
        outer, self.inside = self.inside, {**self.inside, stand_in: base}
        try:
            return self.emit(stand_in**expr.exp)
        finally:
            self.inside = outer

    def _elementwise(self, expr: Any) -> Code:
        codes = self._combined([self.emit(matrix) for matrix in expr.matrices])
        variables = entry_symbols(len(codes))
        outer, self.inside = (
            self.inside,
            {**self.inside, **dict(zip(variables, codes, strict=True))},
        )
        try:
            return self.emit(expr.function.expr)
        finally:
            self.inside = outer

    def _operation(self, expr: Any) -> Code:
        operands = [self._operand(matrix) for matrix in expr.matrices]
        self.kernels.update(dict.fromkeys(expr.kernels))
        layout = FULL if expr.is_Matrix else SCALAR
        return Code(expr.source(operands, self.text), ATOM, layout)

    def _operand(self, matrix: Any) -> str:
        text = self.as_layout(matrix, FULL)
        return text if text.isidentifier() else f"({text})"

    def _softmax(self, expr: Any) -> Code:
        code = self._exact(expr.matrix)
        if code.layout == (COLUMN if expr.axis else ROW):  # a single entry along the axis
            code = Code(self.as_layout(expr.matrix, FULL), ATOM, FULL)
        self.kernels[expr.name] = None
        axis = -1 if expr.axis or code.layout == COLUMN else -2
        return Code(f"{expr.name}({code.text}, axis={axis})", ATOM, code.layout)

    def _broadcast(self, expr: Any) -> Code:
        code = self.emit(expr.args[0])
        if code.layout == FULL or code.layout == SCALAR or not code.exact:
            return Code(code.text, code.level, code.layout, exact=False)
        value = expr.args[0]
        if code.layout == COLUMN and value.shape[0] == 1:
            return Code(code.text, code.level, ROW, exact=False)
        if code.layout == COLUMN:
            return Code(f"{code.within(ATOM)}[:, None]", ATOM, FULL, exact=False)
        return Code(code.text, code.level, code.layout, exact=False)

    def _matrix_mul(self, expr: Any) -> Code:
        coefficient, factors = expr.as_coeff_matrices()
        product = self._chain(list(factors)) if len(factors) > 1 else self.emit(factors[0])
        if coefficient == 1:
            return product
        negative = bool(coefficient.is_number and coefficient.is_negative)
        lead = self.emit(-coefficient if negative else coefficient)
        sign = "-" if negative else ""
        text = product.within(SIGN)
        if lead.text != "1":
            text = f"{lead.within(PRODUCT)} * {text}"
        level = SUM if negative else PRODUCT
        return Code(sign + text, level, product.layout, product.exact)

    def _chain(self, factors: list[Any]) -> Code:
        codes = [self._exact(factor) for factor in factors]
        if any(code.layout in (COLUMN, ROW) for code in codes):
            # A matrix of one column beside 1-D arrays is one, too: y' X z' would lose an axis.
            codes = [self._thin(*pair) for pair in zip(factors, codes, strict=True)]
        sizes = [_guess(factors[0].shape[0]), *(_guess(f.shape[1]) for f in factors)]
        return self._bracketed(codes, cheapest_order(sizes))

    def _exact(self, expr: Any) -> Code:
        """Print a factor with its full shape."""
        code = self.emit(expr)
        if code.exact and code.layout != SCALAR:
            return code
        # What stands for a whole matrix until it is broadcast is that matrix in a product.
        return Code(self.as_layout(expr, FULL), ATOM, FULL)

    def _thin(self, factor: Any, code: Code) -> Code:
        """Hold a single column, or a single row, of two axes as a 1-D array."""
        single = [size == 1 for size in factor.shape]
        if code.layout != FULL or not any(single):
            return code
        if all(single):
            return Code(f"{code.within(ATOM)}[0, 0]", ATOM, SCALAR)
        place, layout = ("[:, 0]", COLUMN) if single[1] else ("[0]", ROW)
        return Code(f"{code.within(ATOM)}{place}", ATOM, layout)

    def _bracketed(self, codes: list[Code], order: Any) -> Code:
        if isinstance(order, int):
            return codes[order]
        left, right = (self._bracketed(codes, part) for part in order)
        return self.product(left, right)

    def product(self, left: Code, right: Code) -> Code:
        """Print one matrix product, by the layouts of its two sides."""
        kinds = left.layout, right.layout
        if SCALAR in kinds:
            other = right.layout if left.layout == SCALAR else left.layout
            return Code(f"{left.within(PRODUCT)} * {right.within(SIGN)}", PRODUCT, other)
        if left.layout == COLUMN or (left.layout == FULL and right.layout == ROW):
            return Code(f"np.outer({left.text}, {right.text})", ATOM, FULL)
        layout = {(FULL, COLUMN): COLUMN, (ROW, FULL): ROW, (ROW, COLUMN): SCALAR}.get(kinds, FULL)
        return Code(f"{left.within(PRODUCT)} @ {right.within(SIGN)}", PRODUCT, layout)

    def _transpose(self, expr: Any) -> Code:
        code = self.emit(expr.arg)
        flipped = {COLUMN: ROW, ROW: COLUMN}.get(code.layout)
        if flipped:
            return Code(code.text, code.level, flipped, code.exact)
        if code.layout == SCALAR:
            return code
        return Code(f"{code.within(ATOM)}.T", ATOM, FULL, code.exact)

    def _reduce(self, expr: Any, axis: str, layout: str) -> Code:
        code = self.emit(expr.matrix)
        if not code.exact or code.layout == SCALAR:
            code = Code(self.as_layout(expr.matrix, FULL), ATOM, FULL)
        if code.layout == layout:
            return code
        if code.layout == FULL:
            return Code(f"{code.within(ATOM)}.sum(axis={axis})", ATOM, layout)
        return Code(f"{code.within(ATOM)}.sum(keepdims=True)", ATOM, layout)

    def _sum_rows(self, expr: Any) -> Code:
        return self._reduce(expr, "0", ROW)

    def _sum_columns(self, expr: Any) -> Code:
        return self._reduce(expr, "1", COLUMN)

    def _sum_entries(self, expr: Any) -> Code:
        code = self.emit(expr.matrix)
        if not code.exact or code.layout == SCALAR:
            return Code(f"np.sum({self.as_layout(expr.matrix, FULL)})")
        return Code(f"np.sum({code.text})")

    def _trace(self, expr: Any) -> Code:
        code = self.emit(expr.arg)
        if code.layout == SCALAR and code.exact:
            return code
        if expr.arg.shape == (1, 1):
            return Code(f"np.sum({code.text})")
        return Code(f"np.trace({self.as_layout(expr.arg, FULL)})")

    def _linalg(self, name: str) -> Callable[[Any], Code]:
        def call(expr: Any) -> Code:
            layout = SCALAR if name == "det" else FULL
            return Code(f"np.linalg.{name}({self.as_layout(expr.arg, FULL)})", ATOM, layout)

        return call

    def _inverse(self, expr: Any) -> Code:
        return self._linalg("inv")(expr)

    def _determinant(self, expr: Any) -> Code:
        return self._linalg("det")(expr)

    def _matrix_power(self, expr: Any) -> Code:
        base = self.as_layout(expr.base, FULL)
        return Code(f"np.linalg.matrix_power({base}, {self.text(expr.exp)})", ATOM, FULL)

    def _constant(self, expr: Any) -> Code:
        rows, columns = (self.text(size) for size in expr.shape)
        calls = {
            sp.ZeroMatrix: f"np.zeros(({rows}, {columns}))",
            sp.OneMatrix: f"np.ones(({rows}, {columns}))",
            sp.Identity: f"np.eye({rows})",
        }
        return Code(calls[type(expr)], ATOM, FULL)

    def _unit(self, expr: Any) -> Code:
        rows, columns, i, j = (self.text(arg) for arg in expr.args)
        return Code(f"np.outer(np.eye({rows})[{i}], np.eye({columns})[{j}])", ATOM, FULL)

    def _explicit(self, expr: Any) -> Code:
        if expr.shape[1] == 1:
            return Code(f"np.array([{', '.join(self._rows(expr))}])", ATOM, COLUMN)
        return self._table(expr)


def _scaled(coefficient: Any, matrix: Any) -> Any:
    return matrix if coefficient == 1 else sp.MatMul(coefficient, matrix)


def _guess(size: Any) -> float:
    """Guess a symbolic size as large, as a number of samples is."""
    size = sp.sympify(size)
    return float(size.xreplace({symbol: sp.Integer(100) for symbol in size.free_symbols}))
