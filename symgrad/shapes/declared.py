"""Declared inputs: their names, their shapes as NumPy has them, what is known of them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import sympy as sp

from symgrad.errors import OptionError, ShapeError, listed
from symgrad.shapes import Shape, dimension, same_shape, same_size, worded

#: The words that `assumptions` accepts.
ASSUMPTIONS = (
    "symmetric",
    "positive definite",
    "positive",
    "invertible",
    "orthogonal",
    "in (0,1)",
    "rows sum to one",
    "entries sum to one",
    "in [0,1]",
    "one-hot",
    "integer",
)


@dataclass(frozen=True)
class Variable:
    """One declared input.

    Attributes:
        symbol: The SymPy symbol or matrix symbol that stands for it.
        shape: NumPy's shape: `()`, `("n",)`, `("n", 3)`; sizes are integers, names or expressions.
        assumptions: What is known of it, words of `ASSUMPTIONS`.
        indexed: The indexed base that the user wrote for it, if any.
        origin: For an indexed base: the index of its first element on every axis.
    """

    symbol: Any
    shape: tuple[Any, ...] = ()
    assumptions: tuple[str, ...] = ()
    indexed: Any = None
    origin: tuple[Any, ...] = ()

    @property
    def sizes(self) -> tuple[Any, ...]:
        """SymPy's size of every axis of `shape`."""
        return tuple(self.symbol.shape)[: len(self.shape)] if self.shape else ()

    @property
    def inside(self) -> Shape:
        """The shape inside formulas: `()` or `(rows, columns)`."""
        return (*self.sizes, sp.S.One)[:2] if self.sizes else ()

    @property
    def name(self) -> str:
        """The name under which the variable is known."""
        return name_of(self.symbol)


def name_of(symbol: Any) -> str:
    """Return the name of a symbol, a matrix symbol or an indexed base.

    >>> name_of(sp.MatrixSymbol("X", 2, 3))
    'X'
    """
    return str(getattr(symbol, "name", symbol))


def numpy_shape(shape: Iterable[Any]) -> tuple[Any, ...]:
    """Write sizes as users do: Python integers, names, other expressions as they are.

    >>> numpy_shape((dimension("n"), sp.Integer(3)))
    ('n', 3)
    """
    return tuple(
        int(size) if size.is_Integer else str(size) if size.is_Symbol else size
        for size in map(sp.sympify, shape)
    )


def declare(name: str, shape: Any, assumptions: Any = ()) -> Variable:
    """Declare an input by NumPy's shape: its symbol and what is known of it.

    Args:
        name: Any non-empty string; a Python identifier prints and compiles best.
        shape: `()` for a scalar, a tuple of one or two sizes for an array.
        assumptions: A word of `ASSUMPTIONS`, or several.

    Raises:
        ShapeError: A size is not a positive integer or a name, or there are more than two.
        OptionError: An assumption is not a known word, or not possible for this shape.

    >>> declare("b", ("k",)).symbol.shape
    (k, 1)
    """
    if not isinstance(name, str) or not name:
        raise OptionError(f"an input has a name, not {name!r}")
    sizes = _sizes(name, shape)
    words = words_of(name, assumptions)
    inside = [dimension(size) for size in sizes]
    _require_possible(name, tuple(inside), words)
    if not inside:
        return Variable(scalar_symbol(name, words), (), words)
    columns = inside[1] if len(inside) == 2 else 1
    return Variable(sp.MatrixSymbol(name, inside[0], columns), numpy_shape(inside), words)


def _sizes(name: str, shape: Any) -> tuple[Any, ...]:
    if isinstance(shape, (int, str, sp.Expr)) and not isinstance(shape, bool):
        return (shape,)
    if not isinstance(shape, Iterable) or isinstance(shape, Mapping):
        raise ShapeError(
            f'the shape of `{name}` is a tuple of sizes, such as ("n", 3), a single size, or () '
            f"for a number, not {shape!r}"
        )
    sizes = tuple(shape)
    if len(sizes) > 2:
        raise ShapeError(f"`{name}` has {len(sizes)} axes; a formula's variables have at most two")
    return sizes


def words_of(name: str, assumptions: Any) -> tuple[str, ...]:
    """Return what is assumed of an input as words.

    Raises:
        OptionError: A word is not known, or there are no words.

    >>> words_of("S", "symmetric")
    ('symmetric',)
    """
    several = isinstance(assumptions, Iterable) and not isinstance(assumptions, (str, Mapping))
    words = tuple(assumptions) if several else (assumptions,)
    for word in words:
        if word not in ASSUMPTIONS:
            raise OptionError(
                f"unknown assumption `{word}` for `{name}`; accepted: {listed(ASSUMPTIONS)}"
            )
    return words


#: Words of square matrices alone.
SQUARE = ("symmetric", "positive definite", "invertible")
#: Words that tie entries to each other, in groups of which one may be declared.
TIES = (
    ("symmetric", "positive definite"),
    ("orthogonal",),
    ("rows sum to one", "one-hot"),
    ("entries sum to one",),
)


def _require_possible(name: str, sizes: Shape, words: tuple[str, ...]) -> None:
    """Refuse words that no array of this shape, or none together, can meet."""
    said = worded(numpy_shape(sizes))
    for word in words:
        if word in SQUARE and (len(sizes) != 2 or not same_size(*sizes)):
            raise OptionError(f"`{name}` is declared {word}, which a square matrix is, not {said}")
    if "orthogonal" in words:
        wide = all(size.is_Integer for size in sizes) and len(sizes) == 2 and sizes[0] < sizes[1]
        if len(sizes) != 2 or wide:
            raise OptionError(
                f"`{name}` is declared orthogonal, with orthonormal columns: a matrix with at "
                f"least as many rows as columns is, not {said}"
            )
    tied = [[word for word in group if word in words] for group in TIES]
    several = [group[0] for group in tied if group]
    if len(several) > 1:
        raise OptionError(
            f"`{name}` is declared {' and '.join(several)}; one of them at a time is read"
        )


def scalar_symbol(name: str, words: Iterable[str] = ()) -> Any:
    """Return the real scalar symbol of a name, with SymPy's part of the assumptions.

    >>> scalar_symbol("t", ["positive"]).is_positive
    True
    """
    known = {word: True for word in words if word in ("positive", "integer")}
    return sp.Symbol(name, real=True, **known)


def variable_of(symbol: Any, shape: Any = None, assumptions: Any = ()) -> Variable:
    """Declare a bare SymPy symbol as an input, by its own shape or by the one given.

    Raises:
        ShapeError: The given shape does not fit the symbol's own.

    >>> variable_of(sp.MatrixSymbol("X", 2, 3)).shape
    (2, 3)
    """
    inside: Shape = tuple(getattr(symbol, "shape", None) or ())
    if isinstance(symbol, sp.MatrixSymbol):
        inside = (symbol.shape[0], symbol.shape[1])
    words = words_of(name_of(symbol), assumptions)
    if shape is None:
        _require_possible(name_of(symbol), inside, words)
        return Variable(symbol, numpy_shape(inside), words)
    declared = declare(name_of(symbol), shape, assumptions)
    wanted = tuple(getattr(declared.symbol, "shape", ()))
    if not same_shape_by_name(wanted, inside):
        raise ShapeError(
            f"`{symbol}` is declared as {worded(declared.shape)}, but in the expression it is "
            f"{worded(inside)}"
        )
    return Variable(symbol, declared.shape, words)


def same_shape_by_name(first: Shape, second: Shape) -> bool:
    """Compare shapes with size symbols matched by name, whatever their assumptions.

    >>> same_shape_by_name((sp.Symbol("n"),), (dimension("n"),))
    True
    """

    def plain(size: Any) -> Any:
        size = sp.sympify(size)
        return size.xreplace({s: sp.Symbol(s.name) for s in size.free_symbols})

    return same_shape(tuple(map(plain, first)), tuple(map(plain, second)))
