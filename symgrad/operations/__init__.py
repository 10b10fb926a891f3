"""Operations of matrices beyond products and sums: parts, diagonals, extremes, factorisations.

An operation is one class: its arguments are matrices, then sizes and numbers. It says what it is in
scalars (`written_out`), how NumPy computes it (`source`) and how it is printed (`_latex`). Its
derivative rule stands in `symgrad.rules.operations`, where the tests look for an example.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, ClassVar

import sympy as sp

from symgrad.errors import ShapeError
from symgrad.matrices import _Node
from symgrad.shapes import Shape, dimension, shape_rule, worded

#: NumPy source of helper functions, by name; filled by the modules of this package.
KERNELS: dict[str, str] = {}

Source = Callable[[Any], str]


class _Operation(_Node):
    """What matrix-valued and scalar operations share.

    Attributes:
        word: The name in text.
        arity: How many of the arguments are matrices.
        kernels: Names of the helper functions that the source calls.
    """

    args: tuple[Any, ...]
    word: ClassVar[str] = ""
    arity: ClassVar[int] = 1
    kernels: ClassVar[tuple[str, ...]] = ()

    @property
    def matrices(self) -> tuple[Any, ...]:
        """The matrices below."""
        return self.args[: self.arity]

    @property
    def options(self) -> tuple[Any, ...]:
        """Sizes, axes and other numbers."""
        return self.args[self.arity :]

    def written_out(self, *matrices: Any) -> Any:
        """Return the value in scalars.

        Args:
            *matrices: Explicit matrices in place of those below; sizes are integers.
        """
        raise NotImplementedError

    def source(self, operands: list[str], text: Source) -> str:
        """Return NumPy source.

        Args:
            operands: The source of the matrices, as 2-D arrays.
            text: Prints a size.
        """
        raise NotImplementedError

    def as_explicit(self) -> Any:
        """Write the operation out; sizes must be integers."""
        return self.written_out(*(m.as_explicit() for m in self.matrices))

    def doit(self, **hints: Any) -> Any:
        """Evaluate the matrices below, and the operation where they are explicit."""
        below = [m.doit(**hints) for m in self.matrices]
        made = self.func(*below, *self.options)  # type: ignore[attr-defined]
        explicit = all(isinstance(m, sp.MatrixBase) for m in below)
        return made.written_out(*below) if explicit else made

    def _sympystr(self, printer: Any) -> str:
        return f"{self.word}({', '.join(map(printer._print, self.args))})"

    def _latex(self, printer: Any) -> str:
        inner = ", ".join(map(printer._print, self.matrices))
        return rf"\operatorname{{{self.word}}}\left({inner}\right)"

    def _numpycode(self, printer: Any, **_: Any) -> str:
        operands = [f"({printer._print(m)})" for m in self.matrices]
        return self.source(operands, printer._print).replace("np.", "numpy.")

    _scipycode = _numpycode


class Operation(_Operation, sp.MatrixExpr):
    """An operation whose value is a matrix."""

    def __new__(cls, *args: Any) -> Any:
        """Take the matrices, then sizes and numbers."""
        return super().__new__(cls, *map(sp.sympify, args))

    def _entry(self, i: Any, j: Any, **kwargs: Any) -> Any:
        return self.as_explicit()[i, j]

    def _eval_transpose(self) -> Any:
        return sp.Transpose(self)


class ScalarOperation(_Operation, sp.Expr):
    """An operation whose value is a scalar."""

    is_commutative = True
    is_extended_real = True

    def __new__(cls, *args: Any) -> Any:
        """Take the matrices, then sizes and numbers."""
        return sp.Expr.__new__(cls, *map(sp.sympify, args))

    def _latex(self, printer: Any, exp: Any = None) -> str:
        text = super()._latex(printer)
        return text if exp is None else rf"\left({text}\right)^{{{exp}}}"


def operation_shape(*heads: Any, law: str, example: Any, wrong: Any) -> Callable[..., Any]:
    """Register the shape rule of operations whose shape is their own property (a decorator).

    The decorated function takes the node and the shapes below, and raises a ShapeError where these
    do not fit.
    """

    def register(check: Callable[[Any, list[Shape]], None]) -> Any:
        def rule(node: Any, below: list[Shape]) -> Shape:
            for matrix, shape in zip(node.matrices, below, strict=False):
                if not shape:
                    raise ShapeError(f"`{node.word}` takes a matrix, but `{matrix}` is a scalar")
            check(node, below)
            return tuple(node.shape) if isinstance(node, Operation) else ()

        for head in heads:
            examples = {"example": partial(example, head), "wrong": partial(wrong, head)}
            shape_rule(head, law=law, **examples)(rule)
        return check

    return register


def operand(node: Any, printer: Any, *, indexed: bool = False) -> str:
    """Print a matrix where only a name can stand without brackets; with an index behind it, too."""
    # symgrad's printer writes some names out as what they stand for.
    shown = printer.seen(node) if hasattr(printer, "seen") else node
    text = str(printer._print(node))
    plain = isinstance(shown, sp.MatrixSymbol) and not (indexed and "_" in text)
    return text if plain else rf"\left({text}\right)"


def matrix(rows: Any = 2, columns: Any = 3, name: str = "A") -> Any:
    """Return a matrix symbol for examples."""
    return sp.MatrixSymbol(name, dimension(rows), dimension(columns))


def require_square(node: Any, shape: Shape) -> None:
    """Raise a ShapeError for a matrix that is not square."""
    if shape[0] != shape[1]:
        raise ShapeError(f"`{node.word}` takes a square matrix, not {worded(shape)}")


# The operations register their kernels and shapes.
from symgrad.operations import along, linear, parts, sequences, spectral  # noqa: E402, F401
