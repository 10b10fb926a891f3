"""The matrix nodes that SymPy lacks.

SymPy's own elementwise node compares unequal to itself and prints code that
does not parse, and it has no node for sums over rows or for repetition. The
nodes here keep SymPy's protocol: `func(*args) == obj`, `subs`, `doit`,
`as_explicit`, `latex`, `pickle`, `lambdify`.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import Any

import sympy as sp

from symgrad.errors import ShapeError, UnsupportedError
from symgrad.shapes import (
    Shape,
    dimension,
    require_equal,
    same_size,
    shape_rule,
    worded,
)

#: The one variable that stands for an entry. A Dummy with a fixed index is equal
#: to itself in every process, and never equal to a symbol of the user's.
ENTRY = sp.Dummy("t", dummy_index=1, real=True)


@lru_cache(maxsize=64)
def entry_symbols(count: int) -> tuple[Any, ...]:
    """Return the variables that stand for the entries of `count` matrices.

    >>> len(entry_symbols(2))
    2
    """
    # The numbers from 11 on stand for rows and columns, see `symgrad.rules.indexed`.
    numbers = (k if k <= 8 else 100 + k for k in range(2, count + 1))
    more = (sp.Dummy(f"t{k}", dummy_index=k, real=True) for k in numbers)
    return (ENTRY, *more)[:count]


class _Node:
    """What all own nodes share: SymPy's `diff` refuses them.

    Where a class has no derivative of its own, SymPy's answer by a matrix or by an entry of
    one is zero or an endless recursion.
    """

    free_symbols: set[Any]

    def diff(self, *symbols: Any, **assumptions: Any) -> Any:
        """Refuse, where the node depends on a variable."""
        for symbol in symbols:
            self._eval_derivative(sp.sympify(symbol))
        return super().diff(*symbols, **assumptions)  # type: ignore[misc]

    def _eval_derivative(self, symbol: Any) -> Any:
        if self.free_symbols.isdisjoint(symbol.free_symbols):
            return sp.ZeroMatrix(*self.shape) if hasattr(self, "shape") else sp.S.Zero
        raise UnsupportedError(
            f"SymPy's diff does not differentiate {type(self).__name__}; use sg.gradient, "
            "or .doit() first to write it out at integer sizes"
        )

    def _eval_derivative_matrix_lines(self, symbol: Any) -> Any:
        return self._eval_derivative(symbol)


class Elementwise(_Node, sp.MatrixExpr):
    """A scalar function of the entries of one or several matrices of one shape.

    `Elementwise(Lambda(t, f(t)), X)` has the entries f(X[i, j]).

    >>> X, t = sp.MatrixSymbol("X", 2, 3), sp.Symbol("t")
    >>> Elementwise(sp.Lambda(t, sp.tanh(t)), X)
    tanh.(X)
    """

    def __new__(cls, function: Any, *matrices: Any) -> Any:
        """Keep the function in its canonical variables."""
        variables = entry_symbols(len(matrices))
        if function.variables != variables:
            function = sp.Lambda(variables, function(*variables))
        return super().__new__(cls, function, *map(sp.sympify, matrices))

    @property
    def function(self) -> Any:
        """The scalar function, a `Lambda`."""
        return self.args[0]

    @property
    def matrices(self) -> tuple[Any, ...]:
        """The matrices whose entries the function takes."""
        return tuple(self.args[1:])

    @property
    def shape(self) -> Any:
        """The shape of every one of the matrices."""
        return self.args[1].shape

    def _entry(self, i: Any, j: Any, **kwargs: Any) -> Any:
        return self.function(*(m._entry(i, j, **kwargs) for m in self.matrices))

    def _eval_transpose(self) -> Any:
        return Elementwise(self.function, *map(sp.transpose, self.matrices))

    def doit(self, **hints: Any) -> Any:
        """Evaluate the matrices below, and the entries where they are explicit."""
        below = [m.doit(**hints) for m in self.matrices]
        if all(isinstance(m, sp.MatrixBase) for m in below):
            return Elementwise(self.function, *below).as_explicit()
        return Elementwise(self.function, *below)

    def _latex(self, printer: Any) -> str:
        body = _placeholder_body(self)
        return str(printer._print(body))

    def _sympystr(self, printer: Any) -> str:
        parts = ", ".join(printer._print(m) for m in self.matrices)
        return f"{_function_word(self.function, printer)}({parts})"

    def _numpycode(self, printer: Any, **_: Any) -> str:
        names = {v: sp.Symbol(f"_t{k}") for k, v in enumerate(self.function.variables)}
        body = printer._print(self.function.expr.xreplace(names))
        given = ", ".join(printer._print(m) for m in self.matrices)
        return f"(lambda {', '.join(map(str, names.values()))}: {body})({given})"

    _scipycode = _numpycode


def _function_word(function: Any, printer: Any) -> str:
    body = function.expr
    if isinstance(body, sp.Function) and body.args == function.variables:
        return f"{type(body).__name__}."
    shown = [sp.Symbol(f"t{k}") for k, _ in enumerate(function.variables)]
    body = body.xreplace(dict(zip(function.variables, shown, strict=True)))
    return f"({', '.join(map(str, shown))} -> {printer._print(body)})."


def _placeholder_body(node: Elementwise) -> Any:
    """Return the function's body with a non-commutative stand-in for each matrix, for printing."""
    words = [(m, sp.latex(m)) for m in node.matrices]
    names = [
        sp.Symbol(word if isinstance(m, sp.MatrixSymbol) else rf"\left({word}\right)")
        for m, word in words
    ]
    return node.function.expr.xreplace(dict(zip(node.function.variables, names, strict=True)))


class Broadcast(_Node, sp.MatrixExpr):
    """A scalar, a row or a column repeated to a full matrix.

    >>> Broadcast(sp.MatrixSymbol("b", 1, 3), 2, 3).as_explicit().shape
    (2, 3)
    """

    def __new__(cls, value: Any, rows: Any, columns: Any) -> Any:
        """Take the value and the shape to repeat it to."""
        return super().__new__(cls, *map(sp.sympify, (value, rows, columns)))

    @property
    def of_scalar(self) -> bool:
        """Whether it is one scalar in every place."""
        return not self.args[0].is_Matrix

    @property
    def shape(self) -> Any:
        """The shape after repetition."""
        return self.args[1], self.args[2]

    def _entry(self, i: Any, j: Any, **kwargs: Any) -> Any:
        value = self.args[0]
        if not value.is_Matrix:
            return value
        rows, columns = value.shape
        return value._entry(0 if rows == 1 else i, 0 if columns == 1 else j, **kwargs)

    def _eval_transpose(self) -> Any:
        value, rows, columns = self.args
        return Broadcast(sp.transpose(value) if value.is_Matrix else value, columns, rows)

    def doit(self, **hints: Any) -> Any:
        """Evaluate the value below."""
        value = self.args[0].doit(**hints)
        made = Broadcast(value, *self.args[1:])
        known = all(size.is_Integer for size in self.args[1:])
        return made.as_explicit() if known and isinstance(value, sp.MatrixBase) else made

    def _latex(self, printer: Any) -> str:
        value = printer._print(self.args[0])
        if self.args[0].is_Matrix and self.args[0].shape[0] != 1:
            return rf"{value} \mathbf{{1}}^{{\top}}"
        return rf"\mathbf{{1}} {value}"

    def _sympystr(self, printer: Any) -> str:
        return f"broadcast({', '.join(map(printer._print, self.args))})"

    def _numpycode(self, printer: Any, **_: Any) -> str:
        value, rows, columns = map(printer._print, self.args)
        return f"{printer._module_format('numpy.broadcast_to')}({value}, ({rows}, {columns}))"

    _scipycode = _numpycode


class _Reduction(_Node):
    """What the three sums share: one matrix below."""

    args: tuple[Any, ...]
    _axis = ""
    _word = ""

    @property
    def matrix(self) -> Any:
        """The matrix whose entries are summed."""
        return self.args[0]

    def doit(self, **hints: Any) -> Any:
        """Evaluate the matrix below, and the sums where it is explicit."""
        below = self.matrix.doit(**hints)
        made = type(self)(below)  # type: ignore[call-arg]
        return made.as_explicit() if isinstance(below, sp.MatrixBase) else made  # type: ignore[attr-defined]

    def _sympystr(self, printer: Any) -> str:
        return f"{self._word}({printer._print(self.matrix)})"

    def _numpycode(self, printer: Any, **_: Any) -> str:
        inner = printer._print(self.matrix)
        return f"{printer._module_format('numpy.sum')}({inner}{self._axis})"

    _scipycode = _numpycode


class SumEntries(_Reduction, sp.Expr):
    """The sum of all entries of a matrix: a scalar.

    >>> SumEntries(sp.ImmutableMatrix([[1, 2], [3, 4]])).doit()
    10
    """

    is_commutative = True
    is_extended_real = True
    _word = "sum_entries"

    def __new__(cls, matrix: Any) -> Any:
        """Take the matrix."""
        return sp.Expr.__new__(cls, sp.sympify(matrix))

    def as_explicit(self) -> Any:
        """Write the sum out; the matrix must have integer sizes."""
        return sp.Add(*self.matrix.as_explicit())

    def doit(self, **hints: Any) -> Any:
        """Write the sum out where the sizes are integers."""
        if all(sp.sympify(size).is_Integer for size in self.matrix.shape):
            return sp.Add(*self.matrix.as_explicit().doit(**hints))
        return SumEntries(self.matrix.doit(**hints))

    def _latex(self, printer: Any, exp: Any = None) -> str:
        text = rf"\mathbf{{1}}^{{\top}} \left({printer._print(self.matrix)}\right) \mathbf{{1}}"
        return text if exp is None else rf"\left({text}\right)^{{{exp}}}"


class SumRows(_Reduction, sp.MatrixExpr):
    """The sum of the rows: (n, k) to (1, k), NumPy's `X.sum(axis=0, keepdims=True)`.

    >>> SumRows(sp.ImmutableMatrix([[1, 2], [3, 4]])).as_explicit()
    Matrix([[4, 6]])
    """

    _axis = ", axis=0, keepdims=True"
    _word = "sum_rows"

    @property
    def shape(self) -> Any:
        """One row."""
        return sp.S.One, sp.sympify(self.matrix.shape[1])

    def _entry(self, i: Any, j: Any, **kwargs: Any) -> Any:
        return _summed(self.matrix, lambda k: (k, j), self.matrix.shape[0], **kwargs)

    def _eval_transpose(self) -> Any:
        return SumColumns(sp.transpose(self.matrix))

    def _latex(self, printer: Any) -> str:
        return rf"\mathbf{{1}}^{{\top}} \left({printer._print(self.matrix)}\right)"


class SumColumns(_Reduction, sp.MatrixExpr):
    """The sum of the columns: (n, k) to (n, 1), NumPy's `X.sum(axis=1, keepdims=True)`.

    >>> SumColumns(sp.ImmutableMatrix([[1, 2], [3, 4]])).as_explicit()
    Matrix([
    [3],
    [7]])
    """

    _axis = ", axis=1, keepdims=True"
    _word = "sum_columns"

    @property
    def shape(self) -> Any:
        """One column."""
        return sp.sympify(self.matrix.shape[0]), sp.S.One

    def _entry(self, i: Any, j: Any, **kwargs: Any) -> Any:
        return _summed(self.matrix, lambda k: (i, k), self.matrix.shape[1], **kwargs)

    def _eval_transpose(self) -> Any:
        return SumRows(sp.transpose(self.matrix))

    def _latex(self, printer: Any) -> str:
        return rf"\left({printer._print(self.matrix)}\right) \mathbf{{1}}"


def _summed(matrix: Any, at: Callable[[Any], tuple[Any, Any]], size: Any, **kwargs: Any) -> Any:
    size = sp.sympify(size)
    if size.is_Integer:
        return sp.Add(*(matrix._entry(*at(sp.Integer(k)), **kwargs) for k in range(size)))
    index = sp.Dummy("k", integer=True)
    return sp.Sum(matrix._entry(*at(index), **kwargs), (index, 0, size - 1))


class UnitMatrix(_Node, sp.MatrixExpr):
    """Zeros with a single one at (i, j), counted from 0.

    >>> UnitMatrix(2, 2, 0, 1).as_explicit()
    Matrix([
    [0, 1],
    [0, 0]])
    """

    def __new__(cls, rows: Any, columns: Any, i: Any, j: Any) -> Any:
        """Take the shape and the place of the one."""
        return super().__new__(cls, *map(sp.sympify, (rows, columns, i, j)))

    @property
    def shape(self) -> Any:
        """The declared shape."""
        return self.args[0], self.args[1]

    def _entry(self, i: Any, j: Any, **_: Any) -> Any:
        return sp.KroneckerDelta(i, self.args[2]) * sp.KroneckerDelta(j, self.args[3])

    def _eval_transpose(self) -> Any:
        rows, columns, i, j = self.args
        return UnitMatrix(columns, rows, j, i)

    def _latex(self, printer: Any) -> str:
        i, j = (printer._print(index + 1) for index in self.args[2:])
        return rf"\mathbf{{e}}_{{{i}}} \mathbf{{e}}_{{{j}}}^{{\top}}"

    def _numpycode(self, printer: Any, **_: Any) -> str:
        rows, columns, i, j = map(printer._print, self.args)
        outer, eye = (printer._module_format(f"numpy.{name}") for name in ("outer", "eye"))
        return f"{outer}({eye}({rows})[{i}], {eye}({columns})[{j}])"

    _scipycode = _numpycode


# ------------------------------------------------------------------- shapes


def _m(rows: Any = 2, columns: Any = 3, name: str = "A") -> Any:
    return sp.MatrixSymbol(name, dimension(rows), dimension(columns))


@shape_rule(
    Elementwise,
    law="all matrices have one shape, and the function is of scalars",
    example=lambda: Elementwise(sp.Lambda(ENTRY, sp.tanh(ENTRY)), _m()),
    wrong=lambda: Elementwise(sp.Lambda(sp.symbols("a b"), sp.Symbol("a")), _m(), _m(3, 2, "B")),
)
def _elementwise_shape(node: Any, below: list[Shape]) -> Shape:
    return require_equal(node, zip(node.matrices, below[1:], strict=True))


@shape_rule(
    Broadcast,
    law="a scalar, (1, m) or (n, 1) repeats to (n, m)",
    example=lambda: Broadcast(_m(1, 3), 2, 3),
    wrong=lambda: Broadcast(_m(2, 3), 4, 3),
)
def _broadcast_shape(node: Any, below: list[Shape]) -> Shape:
    target = (node.args[1], node.args[2])
    for size, wanted in zip(below[0], target, strict=False):
        if size != 1 and not same_size(size, wanted):
            raise ShapeError(
                f"`{node.args[0]}` is {worded(below[0])} and does not repeat to {worded(target)}"
            )
    return target


@shape_rule(
    SumEntries,
    law="the sum of all entries is a scalar",
    example=lambda: SumEntries(_m()),
    wrong=lambda: SumEntries(sp.Symbol("a")),
)
@shape_rule(
    SumRows,
    law="(n, m) sums to (1, m)",
    example=lambda: SumRows(_m()),
    wrong=lambda: SumRows(sp.Symbol("a")),
)
@shape_rule(
    SumColumns,
    law="(n, m) sums to (n, 1)",
    example=lambda: SumColumns(_m()),
    wrong=lambda: SumColumns(sp.Symbol("a")),
)
def _reduction_shape(node: Any, below: list[Shape]) -> Shape:
    if not below[0]:
        raise ShapeError(f"`{node}` sums a matrix, but `{node.matrix}` is a scalar")
    rows, columns = below[0]
    one = sp.S.One
    return {"sum_rows": (one, columns), "sum_columns": (rows, one)}.get(node._word, ())


@shape_rule(
    UnitMatrix,
    law="a unit matrix has its declared shape, with its one inside",
    example=lambda: UnitMatrix(2, 3, 1, 2),
    wrong=lambda: UnitMatrix(2, 3, 2, 0),
)
def _unit_shape(node: Any, below: list[Shape]) -> Shape:
    rows, columns, i, j = node.args
    for index, size in ((i, rows), (j, columns)):
        if index.is_Integer and size.is_Integer and not 0 <= index < size:
            raise ShapeError(f"index {index} is outside 0..{size - 1}")
    return (rows, columns)
