"""Declared shapes, and the shape checker that SymPy lacks.

SymPy accepts X(n,d) + Y(m,d) without a word. Here every expression is checked
from its leaves up, and sizes are compared after `expand`: two different
symbolic sizes are an error, not a hope.

The shape of an expression is `()` for a scalar and `(rows, columns)` for a
matrix; a 1-D array is an (n, 1) matrix inside, and its `Variable` remembers
that it came as one. A new matrix node registers its own rule with
`shape_rule`; a rule without an example fails the suite.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise
from typing import Any

import sympy as sp
from sympy.matrices.expressions.matexpr import MatrixElement

from symgrad import trees
from symgrad.errors import ShapeError, UnsupportedError

Shape = tuple[Any, ...]


def dimension(size: Any) -> Any:
    """Return a size as a SymPy integer or a positive integer symbol.

    Raises:
        ShapeError: The size is neither a positive integer nor a name.

    >>> dimension("n"), dimension(3)
    (n, 3)
    """
    if isinstance(size, str) and size.isidentifier():
        return sp.Symbol(size, integer=True, positive=True)
    if isinstance(size, sp.Expr) and not size.is_number:
        return size
    whole = sp.sympify(size) if not isinstance(size, (str, bool, float)) else None
    if whole is None or not whole.is_Integer or whole < 1:
        raise ShapeError(f"a size is a positive integer or a name such as `n`, not {size!r}")
    return whole


def same_size(first: Any, second: Any) -> bool:
    """Tell whether two sizes are equal for all values of their symbols.

    >>> n = sp.Symbol("n")
    >>> same_size(2 * (n + 1), 2 * n + 2), same_size(n, 3)
    (True, False)
    """
    if first == second:
        return True
    if isinstance(first, _PLAIN) and isinstance(second, _PLAIN):
        return False
    return bool(sp.expand(first - second) == 0)


#: Sizes that are equal for all values of their symbols only if they are the same.
_PLAIN = (int, sp.Integer, sp.Symbol)


def same_shape(first: Shape, second: Shape) -> bool:
    """Tell whether two shapes are equal; see `same_size`.

    >>> same_shape((2, 3), (2, 3)), same_shape((), (1, 1))
    (True, False)
    """
    return len(first) == len(second) and all(map(same_size, first, second))


def worded(shape: Shape) -> str:
    """Word a shape for a message.

    >>> worded((2, "n")), worded(())
    ('(2, n)', 'a scalar')
    """
    if not shape:
        return "a scalar"
    comma = "," if len(shape) == 1 else ""
    return f"({', '.join(map(str, shape))}{comma})"


# --------------------------------------------------------------- the checker


@dataclass(frozen=True)
class ShapeRule:
    """How the shape of one kind of node follows from the shapes below it.

    Attributes:
        head: The node's class.
        rule: From the node and its children's shapes to its shape; raises `ShapeError`.
        law: The rule in words.
        example: A well-shaped node of concrete size, whose explicit form the tests compare.
        wrong: A node that the rule must refuse, or None where no node can be wrong.
    """

    head: type
    rule: Callable[[Any, list[Shape]], Shape]
    law: str
    example: Callable[[], Any]
    wrong: Callable[[], Any] | None


#: Every shape rule, by the class of its node.
SHAPE_RULES: dict[type, ShapeRule] = {}


def shape_rule(
    *heads: type,
    law: str,
    example: Callable[[], Any],
    wrong: Callable[[], Any] | None = None,
) -> Callable[[Any], Any]:
    """Register the shape rule of the node classes `heads` (a decorator)."""

    def register(rule: Any) -> Any:
        for head in heads:
            SHAPE_RULES[head] = ShapeRule(head, rule, law, example, wrong)
        _head_of.cache_clear()
        return rule

    return register


def shape_of(expression: Any, known: Mapping[Any, Shape] | None = None) -> Shape:
    """Check an expression from its leaves up and return its shape.

    Args:
        expression: A scalar or matrix SymPy expression.
        known: Shapes of subexpressions that were checked before.

    Returns:
        `()` for a scalar, `(rows, columns)` for a matrix.

    Raises:
        ShapeError: Two shapes do not fit; the message names the operation and both.
        UnsupportedError: A matrix node without a shape rule.

    >>> X = sp.MatrixSymbol("X", dimension("n"), 3)
    >>> shape_of(X.T)
    (3, n)
    """
    if isinstance(expression, sp.MatrixSymbol):
        own: Shape = expression.shape
        return own
    if not known:
        return _shape(expression)
    shapes = dict(known)
    for node in trees.postorder(expression):
        if node not in shapes:
            shapes[node] = _node_shape(node, shapes)
    shape: Shape = shapes[expression]
    return shape


@trees.by_identity
def _shape(expression: Any) -> Shape:
    shapes: dict[Any, Shape] = {}
    for node in trees.postorder(expression, (sp.Lambda,)):
        if isinstance(node, sp.Lambda):
            # The same few functions are taken of the entries of many matrices.
            _shape(node.expr)
        shapes[node] = _node_shape(node, shapes)
    return shapes[expression]


@lru_cache(maxsize=1024)
def _head_of(kind: type) -> type | None:
    """Return the class whose shape rule is that of nodes of a class; None for leaves."""
    if issubclass(kind, LEAVES):
        return None
    return next((head for head in kind.__mro__ if head in SHAPE_RULES), object)


#: Scalars at which the checker ends.
LEAVES = (sp.Symbol, sp.Indexed, sp.Number, sp.NumberSymbol, sp.Lambda)


def _node_shape(node: Any, shapes: dict[Any, Shape]) -> Shape:
    if isinstance(node, sp.MatrixSymbol):
        return node.shape  # type: ignore[no-any-return]
    head = _head_of(node.__class__)
    if head is None:
        return ()
    if head in SHAPE_RULES:
        return SHAPE_RULES[head].rule(node, [shapes[child] for child in trees.children(node)])
    if getattr(node, "is_Matrix", False):
        raise UnsupportedError(f"no rule for the matrix operation `{type(node).__name__}`")
    return _scalar_shape(node, [shapes[child] for child in trees.children(node)])


def _scalar_shape(node: Any, below: list[Shape]) -> Shape:
    for child, shape in zip(trees.children(node), below, strict=True):
        if shape:
            name = type(node).__name__
            raise ShapeError(
                f"`{name}` takes scalars, but `{child}` has the shape {worded(shape)}; "
                f"apply it to every entry with sg.elementwise({name}, ...)"
                if isinstance(node, sp.Function)
                else f"`{name}` takes scalars, but `{child}` has the shape {worded(shape)}"
            )
    return ()


def require_equal(node: Any, parts: Iterable[tuple[Any, Shape]]) -> Shape:
    """Return the common shape of the parts of a node, or raise.

    Raises:
        ShapeError: Two parts have different shapes.

    >>> require_equal("A + B", [("A", (2, 3)), ("B", (2, 3))])
    (2, 3)
    """
    parts = list(parts)
    first, shape = parts[0]
    for part, other in parts[1:]:
        if not same_shape(shape, other):
            raise ShapeError(
                f"shapes do not fit in `{node}`: `{first}` is {worded(shape)}, "
                f"`{part}` is {worded(other)}"
            )
    return shape


def require_square(node: Any, part: Any, shape: Shape) -> Shape:
    """Return the shape of a square matrix, or raise.

    Raises:
        ShapeError: `shape` is not (n, n).

    >>> require_square("A**2", "A", (2, 2))
    (2, 2)
    """
    if len(shape) != 2 or not same_size(*shape):
        raise ShapeError(f"`{node}` needs a square matrix, but `{part}` is {worded(shape)}")
    return shape


def _matrix(rows: Any, columns: Any, name: str = "A") -> Any:
    return sp.MatrixSymbol(name, dimension(rows), dimension(columns))


@shape_rule(
    sp.MatAdd,
    law="all terms have one shape",
    example=lambda: sp.MatAdd(_matrix(2, 3), _matrix(2, 3, "B")),
    wrong=lambda: sp.MatAdd(_matrix("n", 3), _matrix("m", 3, "B")),
)
@shape_rule(
    sp.HadamardProduct,
    law="all factors have one shape",
    example=lambda: sp.HadamardProduct(_matrix(2, 3), _matrix(2, 3, "B")),
    wrong=lambda: sp.HadamardProduct(_matrix("n", 3), _matrix("m", 3, "B")),
)
def _equal(node: Any, below: list[Shape]) -> Shape:
    shape = require_equal(node, zip(node.args, below, strict=True))
    if not shape:
        raise ShapeError(f"`{node}` is an operation on matrices, but its parts are scalars")
    return shape


@shape_rule(
    sp.MatMul,
    law="(n, k) times (k, m) is (n, m); scalar factors do not count",
    example=lambda: sp.MatMul(2, _matrix(2, 3), _matrix(3, 4, "B")),
    wrong=lambda: sp.MatMul(_matrix("n", "k"), _matrix("m", 3, "B")),
)
def _product(node: Any, below: list[Shape]) -> Shape:
    factors = [(f, s) for f, s in zip(node.args, below, strict=True) if s]
    for (left, first), (right, second) in pairwise(factors):
        if not same_size(first[1], second[0]):
            raise ShapeError(
                f"shapes do not fit in `{node}`: `{left}` is {worded(first)} and `{right}` is "
                f"{worded(second)}, and the inner sizes {first[1]} and {second[0]} differ"
            )
    return (factors[0][1][0], factors[-1][1][1])


@shape_rule(
    sp.Transpose,
    law="the transpose of (n, m) is (m, n)",
    example=lambda: sp.Transpose(_matrix(2, 3)),
)
def _transpose(node: Any, below: list[Shape]) -> Shape:
    return (below[0][1], below[0][0])


@shape_rule(
    sp.MatPow,
    law="powers are of square matrices, and keep the shape",
    example=lambda: sp.MatPow(_matrix(2, 2), 3),
    wrong=lambda: sp.MatPow(_matrix("n", "m"), 2),
)
@shape_rule(
    sp.Inverse,
    law="inverses are of square matrices, and keep the shape",
    example=lambda: sp.Inverse(_matrix(2, 2)),
    wrong=lambda: sp.Basic.__new__(sp.Inverse, _matrix(2, 3), sp.S.NegativeOne),
)
def _square_power(node: Any, below: list[Shape]) -> Shape:
    return require_square(node, node.args[0], below[0])


@shape_rule(
    sp.Trace,
    law="the trace takes a square matrix to a scalar",
    example=lambda: sp.Trace(_matrix(2, 2)),
    wrong=lambda: sp.Trace(_matrix("n", "m")),
)
@shape_rule(
    sp.Determinant,
    law="the determinant takes a square matrix to a scalar",
    example=lambda: sp.Determinant(_matrix(2, 2)),
    wrong=lambda: sp.Determinant(_matrix("n", "m")),
)
def _square_scalar(node: Any, below: list[Shape]) -> Shape:
    require_square(node, node.args[0], below[0])
    return ()


@shape_rule(
    sp.HadamardPower,
    law="a power of every entry keeps the shape; the exponent is a scalar",
    example=lambda: sp.HadamardPower(_matrix(2, 3), 2),
)
def _hadamard_power(node: Any, below: list[Shape]) -> Shape:
    if below[1]:
        raise ShapeError(f"the exponent in `{node}` has the shape {worded(below[1])}, not a scalar")
    return below[0]


@shape_rule(
    sp.ZeroMatrix,
    law="zeros have their declared shape",
    example=lambda: sp.ZeroMatrix(2, 3),
)
@shape_rule(
    sp.OneMatrix,
    law="ones have their declared shape",
    example=lambda: sp.OneMatrix(2, 3),
)
@shape_rule(
    sp.Identity,
    law="the identity of size n is (n, n)",
    example=lambda: sp.Identity(3),
)
@shape_rule(
    sp.FunctionMatrix,
    law="a matrix given by a function of its indices has its declared shape",
    example=lambda: sp.FunctionMatrix(2, 3, "lambda i, j: i - 2*j"),
)
def _declared(node: Any, below: list[Shape]) -> Shape:
    return (node.shape[0], node.shape[1])


@shape_rule(
    sp.matrices.immutable.ImmutableDenseMatrix,
    law="an explicit matrix has the shape of its table, and scalar entries",
    example=lambda: sp.ImmutableMatrix([[1, 2, 3], [4, 5, 6]]),
)
def _explicit(node: Any, below: list[Shape]) -> Shape:
    return (sp.Integer(node.shape[0]), sp.Integer(node.shape[1]))


@shape_rule(
    MatrixElement,
    law="an entry is a scalar, and its indices lie inside the matrix",
    example=lambda: _matrix(2, 3)[1, 2],
    wrong=lambda: sp.Basic.__new__(MatrixElement, _matrix(2, 3), sp.Integer(2), sp.Integer(0)),
)
def _element(node: Any, below: list[Shape]) -> Shape:
    for index, size in zip(node.args[1:], below[0], strict=True):
        if index.is_Integer and size.is_Integer and not 0 <= index < size:
            raise ShapeError(f"`{node}`: index {index} is outside 0..{size - 1}")
    return ()


# Declared inputs are built on the checker.
from symgrad.shapes.declared import (  # noqa: E402
    ASSUMPTIONS,
    Variable,
    declare,
    name_of,
    numpy_shape,
    same_shape_by_name,
    scalar_symbol,
    variable_of,
)

__all__ = [
    "ASSUMPTIONS",
    "Shape",
    "ShapeRule",
    "Variable",
    "declare",
    "dimension",
    "name_of",
    "numpy_shape",
    "require_equal",
    "require_square",
    "same_shape",
    "same_shape_by_name",
    "same_size",
    "scalar_symbol",
    "shape_of",
    "shape_rule",
    "variable_of",
    "worded",
]
