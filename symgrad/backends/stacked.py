"""The emitter for stacks of samples: every dependent value has a leading sample axis.

A formula of one sample is evaluated on many at once by letting NumPy's
stacked operations run over the leading axis: matrices are (samples, rows,
columns), scalars (samples, 1, 1); what does not depend on a sample stays
(rows, columns) and broadcasts.
"""

from __future__ import annotations

from typing import Any

from symgrad.backends.products import Emitter
from symgrad.backends.source import ATOM, PRODUCT, SIGN, Code
from symgrad.errors import UnsupportedError
from symgrad.graph.layouts import FULL, SCALAR


class StackedEmitter(Emitter):
    """Print expressions over stacks; 1-D arrays are held as (rows, 1) matrices."""

    def as_layout(self, expr: Any, layout: str) -> str:
        """Print an expression; a repeated value is written out to its full shape."""
        code = self.emit(expr)
        if layout == SCALAR or (code.exact and code.layout != SCALAR):
            return code.text
        rows, columns = map(self.text, expr.shape)
        return f"{code.within(SIGN)} + np.zeros(({rows}, {columns}))"

    def _exact(self, expr: Any) -> Code:
        code = self.emit(expr)
        if code.exact and code.layout != SCALAR:
            return code
        return Code(self._grouped(self.as_layout(expr, FULL)), ATOM, FULL)

    def _combined(self, parts: list[Code]) -> list[Code]:
        return parts

    def _operation(self, expr: Any) -> Code:
        raise UnsupportedError(f"no stacked form for `{expr.word}`")

    def _softmax(self, expr: Any) -> Code:
        # What is held as a 1-D array elsewhere is a stack of columns here.
        code = self._exact(expr.matrix)
        self.kernels[expr.name] = None
        return Code(f"{expr.name}({code.text}, axis={-1 if expr.axis else -2})", ATOM, FULL)

    def _broadcast(self, expr: Any) -> Code:
        code = self.emit(expr.args[0])
        return Code(code.text, code.level, code.layout, exact=False)

    def _thin(self, factor: Any, code: Code) -> Code:
        return code  # every value is a stack of matrices

    def product(self, left: Code, right: Code) -> Code:
        """Print one stacked matrix product."""
        return Code(f"{left.within(PRODUCT)} @ {right.within(SIGN)}", PRODUCT, FULL)

    def _transpose(self, expr: Any) -> Code:
        code = self.emit(expr.arg)
        if code.layout == SCALAR:
            return code
        return Code(f"np.swapaxes({code.text}, -1, -2)", ATOM, FULL, code.exact)

    def _reduce(self, expr: Any, axis: str, layout: str) -> Code:
        inner = self._grouped(self.as_layout(expr.matrix, FULL))
        place = {"0": "-2", "1": "-1"}[axis]
        return Code(f"{inner}.sum(axis={place}, keepdims=True)", ATOM, FULL)

    def _sum_entries(self, expr: Any) -> Code:
        inner = self._grouped(self.as_layout(expr.matrix, FULL))
        return Code(f"{inner}.sum(axis=(-2, -1), keepdims=True)")

    @staticmethod
    def _grouped(text: str) -> str:
        return text if text.isidentifier() else f"({text})"

    def _trace(self, expr: Any) -> Code:
        inner = self.as_layout(expr.arg, FULL)
        return Code(f"np.trace({inner}, axis1=-2, axis2=-1)[..., None, None]")

    def _determinant(self, expr: Any) -> Code:
        return Code(f"np.linalg.det({self.as_layout(expr.arg, FULL)})[..., None, None]")

    def _element(self, expr: Any) -> Code:
        matrix, *indices = expr.args
        if self.axes:
            raise UnsupportedError(f"no stacked form for `{expr}` inside a sum")
        places = ", ".join(f"{self.text(i)}:{self.text(i + 1)}" for i in indices)
        return Code(f"{self._grouped(self.as_layout(matrix, FULL))}[..., {places}]")

    def _sum(self, expr: Any) -> Code:
        raise UnsupportedError("no stacked form for a sum over an index")

    def _function_matrix(self, expr: Any) -> Code:
        raise UnsupportedError("no stacked form for a matrix given by its entries")

    def _explicit(self, expr: Any) -> Code:
        if expr.free_symbols:
            raise UnsupportedError("no stacked form for an explicit matrix of symbols")
        return self._table(expr)
