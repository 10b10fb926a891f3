"""NumPy source of sums over indices: every running index becomes an array axis."""

from __future__ import annotations

from typing import Any

import sympy as sp

from symgrad import bare
from symgrad.backends.source import ATOM, PRODUCT, Axis, Code, ScalarEmitter
from symgrad.graph.layouts import COLUMN, FULL, ROW


class IndexedEmitter(ScalarEmitter):
    """Print sums over an index, entries of arrays, and matrices given by their entries."""

    def _sum(self, expr: Any) -> Code:
        axes, body_expr = self._rectangular(*self._apart(expr))
        outer = self.axes
        try:
            used = [axis for axis in axes if axis.index in body_expr.free_symbols]
            idle = [axis for axis in axes if axis not in used]
            self.axes = outer + tuple(used)
            body = self.emit(body_expr)
        finally:
            self.axes = outer
        lengths = [f"({self.text(axis.high - axis.low + 1)})" for axis in idle]
        text = body.text
        if used:
            places = ", ".join(str(place - len(used)) for place in range(len(used)))
            axis_text = "" if not outer else f", axis=({places},)"
            text = f"np.sum({text}{axis_text})"
        else:
            text = body.within(PRODUCT)
        return Code(" * ".join([*lengths, text]), PRODUCT if lengths else ATOM)

    def _apart(self, expr: Any) -> tuple[Any, Any]:
        """Rename the indices of a sum that stand for another axis outside of it."""
        taken = {axis.index for axis in self.axes}
        clashing = [limit[0] for limit in expr.limits if limit[0] in taken]
        fresh = {index: sp.Dummy(str(index), integer=True) for index in clashing}
        limits = [tuple(part.xreplace(fresh) for part in limit) for limit in expr.limits]
        return expr.function.xreplace(fresh), limits

    def _rectangular(self, function: Any, limits: Any) -> tuple[tuple[Axis, ...], Any]:
        """Let indices run over the widest range that their limits reach, and mask the rest."""
        ranges = {axis.index: (axis.low, axis.high) for axis in self.axes}
        ranges.update({index: (low, high) for index, low, high in limits})
        axes, conditions = [], []
        for index, low, high in limits:
            if (low + high).free_symbols & ranges.keys():
                conditions += [index >= low, index <= high]
                low, high = bare.index_span(low, ranges)[0], bare.index_span(high, ranges)[1]
            axes.append(Axis(index, low, high))
        if not conditions:
            return tuple(axes), function
        return tuple(axes), sp.Piecewise((function, sp.And(*conditions)), (0, True))

    def _element(self, expr: Any) -> Code:
        matrix, *indices = expr.args
        code = self.emit(matrix)
        if code.layout == COLUMN:
            indices = indices[:1]
        elif code.layout == ROW:
            indices = indices[1:]
        if not any(axis.index in i.free_symbols for axis in self.axes for i in indices):
            inside = ", ".join(map(self.text, indices))
            return Code(f"{code.within(ATOM)}[{inside}]")
        return Code(self._slices(code, indices, matrix))

    def _slices(self, code: Code, indices: list[Any], matrix: Any) -> str:
        """Slice an array along the indices that run, each to its own axis of the result."""
        parts: list[tuple[int, str]] = []
        for index, size in zip(indices, matrix.shape, strict=False):
            axis = next((a for a in self.axes if a.index in index.free_symbols), None)
            if axis is None:
                parts.append((-1, self.text(index)))
                continue
            shift = sp.expand(index - axis.index)
            if shift.free_symbols & {a.index for a in self.axes}:
                return self._gathered(code, indices, matrix)
            low, high = sp.expand(axis.low + shift), sp.expand(axis.high + shift + 1)
            parts.append((self.axes.index(axis), self._run(low, high, size)))
        places = [place for place, _ in parts if place >= 0]
        if len(set(places)) < len(places):
            return self._gathered(code, indices, matrix)
        source = code.within(ATOM)
        if places != sorted(places):
            source, parts = f"{source}.T", parts[::-1]
        inside = self._with_new_axes(parts)
        return source if set(inside) <= set(":, ") else f"{source}[{inside}]"

    def _gathered(self, code: Code, indices: list[Any], matrix: Any) -> str:
        """Pick entries one by one: diagonals, and indices that are no slice."""
        outer, self.placing = self.placing, True
        try:
            inside = [
                f"({self.text(index)}).clip(0, {self.text(sp.expand(size - 1))})"
                if any(axis.index in index.free_symbols for axis in self.axes)
                else self.text(index)
                for index, size in zip(indices, matrix.shape, strict=False)
            ]
        finally:
            self.placing = outer
        return f"{code.within(ATOM)}[{', '.join(inside)}]"

    def _run(self, low: Any, high: Any, size: Any) -> str:
        """Return the slice low:high of an axis, or clipped places where it may reach outside."""
        if low == 0 and sp.expand(high - size) == 0:
            return ":"
        if sp.expand(low).is_nonnegative and sp.expand(size - high).is_nonnegative:
            return f"{self.text(low)}:{self.text(high)}"
        # What lies outside is masked by the case that the entry stands in.
        return (
            f"np.arange({self.text(low)}, {self.text(high)})"
            f".clip(0, {self.text(sp.expand(size - 1))})"
        )

    def _with_new_axes(self, parts: list[tuple[int, str]]) -> str:
        places = {place for place, _ in parts if place >= 0}
        first = min(places)
        missing = [p for p in range(first, len(self.axes)) if p not in places]
        out: list[str] = []
        for place, text in parts:
            while place >= 0 and missing and missing[0] < place:
                out.append("None")
                missing.pop(0)
            out.append(text)
        return ", ".join([*out, *["None"] * len(missing)])

    def _function_matrix(self, expr: Any) -> Code:
        rows, columns = expr.shape
        first, second = expr.lamda.variables
        body = expr.lamda.expr
        if columns == 1:
            body = body.xreplace({second: sp.S.Zero})
        axes = [Axis(first, sp.S.Zero, rows - 1), Axis(second, sp.S.Zero, columns - 1)]
        outer, self.axes = self.axes, tuple(axes[: 1 if columns == 1 else 2])
        try:
            code = self.emit(body)
        finally:
            self.axes = outer
        layout = COLUMN if columns == 1 else FULL
        shape = (rows,) if columns == 1 else (rows, columns)
        wanted = f"({', '.join(map(self.text, shape))},)"
        return Code(f"np.broadcast_to({code.text}, {wanted})", ATOM, layout)
