"""Softmax and its logarithm, along the rows or along the columns of a matrix.

Two nodes of their own, because written out in exponentials they overflow, and
because P - Y, the gradient that people want to see, needs P to have a name.
"""

from __future__ import annotations

from typing import Any

import sympy as sp

from symgrad.errors import ShapeError
from symgrad.matrices import _Node
from symgrad.shapes import Shape, dimension, shape_rule

#: NumPy source of the two functions, by their name in generated code.
KERNELS = {
    "softmax": """\
def softmax(z, axis):
    # The largest entry is taken off first, so that no exponential overflows.
    e = np.exp(z - np.max(z, axis=axis, keepdims=True))
    return e / np.sum(e, axis=axis, keepdims=True)
""",
    "log_softmax": """\
def log_softmax(z, axis):
    z = z - np.max(z, axis=axis, keepdims=True)
    return z - np.log(np.sum(np.exp(z), axis=axis, keepdims=True))
""",
}


class _Normalised(_Node, sp.MatrixExpr):
    """What both share: a matrix, and NumPy's number of the axis that is normalised."""

    name: str

    def __new__(cls, matrix: Any, axis: Any = 1) -> Any:
        """Take the matrix and the axis: 1 for every row, 0 for every column."""
        return super().__new__(cls, sp.sympify(matrix), sp.sympify(axis))

    @property
    def matrix(self) -> Any:
        """The matrix below."""
        return self.args[0]

    @property
    def axis(self) -> int:
        """1: every row is normalised; 0: every column."""
        return int(self.args[1])

    @property
    def shape(self) -> Any:
        """The shape of the matrix below."""
        return self.matrix.shape

    def _total(self, i: Any, j: Any, **kwargs: Any) -> Any:
        """Add up the exponentials of the row (or column) of an entry."""
        size = sp.sympify(self.shape[self.axis])

        def term(k: Any) -> Any:
            place = (i, k) if self.axis else (k, j)
            return sp.exp(self.matrix._entry(*place, **kwargs))

        if size.is_Integer:
            return sp.Add(*(term(sp.Integer(k)) for k in range(size)))
        index = sp.Dummy("k", integer=True)
        return sp.Sum(term(index), (index, 0, size - 1))

    def _eval_transpose(self) -> Any:
        return self.func(sp.transpose(self.matrix), 1 - self.axis)

    def doit(self, **hints: Any) -> Any:
        """Evaluate the matrix below, and the entries where it is explicit."""
        below = self.func(self.matrix.doit(**hints), self.axis)
        return below.as_explicit() if isinstance(below.matrix, sp.MatrixBase) else below

    def _sympystr(self, printer: Any) -> str:
        along = "" if self.axis else ", axis=0"
        return f"{self.name}({printer._print(self.matrix)}{along})"

    def _latex(self, printer: Any) -> str:
        word = self.name.replace("log_softmax", r"\log\operatorname{softmax}")
        word = r"\operatorname{softmax}" if word == "softmax" else word
        return rf"{word}\left({printer._print(self.matrix)}\right)"


class Softmax(_Normalised):
    """The softmax of every row: exp(X_ij) / sum over k of exp(X_ik).

    >>> Softmax(sp.ImmutableMatrix([[0, 0]])).as_explicit()
    Matrix([[1/2, 1/2]])
    """

    name = "softmax"

    def _entry(self, i: Any, j: Any, **kwargs: Any) -> Any:
        return sp.exp(self.matrix._entry(i, j, **kwargs)) / self._total(i, j, **kwargs)

    def _numpycode(self, printer: Any, **_: Any) -> str:
        e = f"numpy.exp(_z - numpy.max(_z, axis={self.axis}, keepdims=True))"
        inner = f"(lambda _e: _e/numpy.sum(_e, axis={self.axis}, keepdims=True))({e})"
        return f"(lambda _z: {inner})({printer._print(self.matrix)})"

    _scipycode = _numpycode


class LogSoftmax(_Normalised):
    """The logarithm of the softmax of every row: X_ij - log(sum over k of exp(X_ik)).

    >>> LogSoftmax(sp.ImmutableMatrix([[0, 0]])).as_explicit()
    Matrix([[-log(2), -log(2)]])
    """

    name = "log_softmax"

    def _entry(self, i: Any, j: Any, **kwargs: Any) -> Any:
        return self.matrix._entry(i, j, **kwargs) - sp.log(self._total(i, j, **kwargs))

    def _numpycode(self, printer: Any, **_: Any) -> str:
        total = f"numpy.sum(numpy.exp(_z), axis={self.axis}, keepdims=True)"
        shifted = f"_z - numpy.max(_z, axis={self.axis}, keepdims=True)"
        inner = f"(lambda _z: _z - numpy.log({total}))({shifted})"
        return f"(lambda _z: {inner})({printer._print(self.matrix)})"

    _scipycode = _numpycode


def _m(name: str = "A") -> Any:
    return sp.MatrixSymbol(name, dimension(2), dimension(3))


@shape_rule(
    Softmax,
    law="softmax keeps the shape",
    example=lambda: Softmax(_m()),
    wrong=lambda: Softmax(sp.Symbol("a")),
)
@shape_rule(
    LogSoftmax,
    law="the logarithm of softmax keeps the shape",
    example=lambda: LogSoftmax(_m(), 0),
    wrong=lambda: LogSoftmax(sp.Symbol("a")),
)
def _same_shape(node: Any, below: list[Shape]) -> Shape:
    if not below[0]:
        raise ShapeError(f"`{node.name}` takes a matrix, but `{node.matrix}` is a scalar")
    return below[0]
