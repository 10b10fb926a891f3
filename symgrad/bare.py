"""Bare SymPy read into symgrad's form.

Symbols are matched by name, SymPy's elementwise node becomes symgrad's, a 1x1
product at the border becomes a scalar, x[i] an entry of an array, and shapes
are checked.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import sympy as sp
from sympy.matrices.expressions.applyfunc import ElementwiseApplyFunction
from sympy.matrices.expressions.dotproduct import DotProduct
from sympy.matrices.expressions.matexpr import MatrixElement

from symgrad import algebra, trees
from symgrad.errors import OptionError, ShapeError, UnsupportedError
from symgrad.shapes import Variable, name_of, same_shape_by_name, shape_of, worded


def sizes_of(symbol: Any, ranges: Mapping[Any, Any]) -> tuple[Any, ...]:
    """Return the sizes of a symbol: its own, or those that the indices of a base run over."""
    own = tuple(getattr(symbol, "shape", None) or ())
    return own or tuple(high - low + 1 for low, high in ranges.get(symbol, ()))


def array_symbol(base: Any, ranges: Mapping[Any, Any]) -> Any:
    """Return the matrix symbol that stands for an indexed base inside formulas."""
    extent = sizes_of(base, ranges)
    if len(extent) > 2:
        raise UnsupportedError(f"`{base}` has {len(extent)} indices; at most two are supported")
    return sp.MatrixSymbol(name_of(base), *(*extent, sp.S.One)[:2])


def without_indexed(expression: Any, ranges: Mapping[Any, Any]) -> Any:
    """Write x[i] as an entry, counted from 0, of the matrix symbol that stands for x."""

    def change(node: Any) -> Any:
        if not isinstance(node, sp.Indexed):
            return node
        lows = [low for low, _ in ranges[node.base]]
        place = [index - low for index, low in zip(node.indices, lows, strict=True)]
        return MatrixElement(array_symbol(node.base, ranges), *(*place, sp.S.Zero)[:2])

    return trees.rebuild(expression, change)


def as_written(expression: Any, inputs: Iterable[Variable]) -> Any:
    """Write entries of indexed inputs as the user did, x[i]."""
    written = {v.symbol: v for v in inputs if v.indexed is not None}
    if not written:
        return expression

    def change(node: Any) -> Any:
        if not isinstance(node, MatrixElement) or node.args[0] not in written:
            return node
        variable = written[node.args[0]]
        places = zip(node.args[1:], variable.origin, strict=False)
        return variable.indexed[tuple(place + low for place, low in places)]

    return trees.rebuild(expression, change)


def index_ranges(expression: Any) -> dict[Any, list[tuple[Any, Any]]]:
    """Find the first and last index of every indexed base, from the sums that run over it."""
    ranges: dict[Any, list[tuple[Any, Any]]] = {}
    limits = _sum_limits(expression)
    for node in trees.postorder(expression):
        if isinstance(node, sp.Indexed):
            spans = [_index_span(index, limits) for index in node.indices]
            known = ranges.get(node.base, spans)
            if len(known) != len(spans):
                raise ShapeError(
                    f"`{node.base}` has {len(known)} indices in one place, {len(spans)} in another"
                )
            ranges[node.base] = [_joined(a, b) for a, b in zip(known, spans, strict=True)]
    return ranges


def _joined(first: tuple[Any, Any], second: tuple[Any, Any]) -> tuple[Any, Any]:
    def least(a: Any, b: Any) -> Any:
        return a if (a - b).is_nonpositive or not (b - a).is_nonpositive else b

    low = least(first[0], second[0])
    high = -least(-first[1], -second[1])
    return low, high


def _sum_limits(expression: Any) -> dict[Any, tuple[Any, Any]]:
    limits: dict[Any, tuple[Any, Any]] = {}
    for node in trees.postorder(expression):
        if isinstance(node, (sp.Sum, sp.Product)):
            for limit in node.limits:
                if len(limit) != 3:
                    raise UnsupportedError(f"`{node}` needs limits: (index, first, last)")
                limits[limit[0]] = (limit[1], limit[2])
    return limits


def _index_span(index: Any, limits: Mapping[Any, tuple[Any, Any]]) -> tuple[Any, Any]:
    low = high = index
    for symbol in sorted(index.free_symbols, key=str):
        if symbol in limits:
            low = low.xreplace({symbol: limits[symbol][0]})
            high = high.xreplace({symbol: limits[symbol][1]})
    return low, high


def normalized(expression: Any) -> Any:
    """Read bare SymPy into symgrad's form; see the module's text.

    Raises:
        UnsupportedError: Not a SymPy expression, or one that is not real.
        ShapeError: Shapes do not fit.

    >>> x = sp.MatrixSymbol("x", 3, 1)
    >>> normalized(x.T * x)
    Trace(x.T*x)
    """
    if isinstance(expression, str):
        raise UnsupportedError(
            "text is not read as a formula here; build the expression from SymPy symbols"
        )
    try:
        expression = sp.sympify(expression, strict=True)
    except (sp.SympifyError, TypeError, ValueError):
        raise UnsupportedError(
            "a formula is a SymPy expression, a number or a matrix, not "
            f"{type(expression).__name__}"
        ) from None
    if isinstance(expression, sp.MatrixBase):
        expression = sp.ImmutableMatrix(expression)
    if not isinstance(expression, (sp.Expr, sp.MatrixBase)):
        raise UnsupportedError(
            f"`{expression}` is a {type(expression).__name__}, not an expression"
        )
    expression = unified(trees.rebuild(expression, _own_form))
    shape = shape_of(expression)
    return sp.Trace(expression) if shape == (1, 1) and _is_product(expression) else expression


def _is_product(expression: Any) -> bool:
    """Tell whether a 1x1 matrix came out of a product, so that it is a scalar in disguise."""
    return isinstance(expression, (sp.MatMul, sp.MatAdd)) and not isinstance(
        expression, sp.MatrixSymbol
    )


def _own_form(node: Any) -> Any:
    if isinstance(node, ElementwiseApplyFunction):
        return algebra.elementwise(node.function, node.expr)
    if isinstance(node, sp.MatMul) and node.has(sp.OneMatrix):
        return algebra.multiply(*node.args)
    if isinstance(node, DotProduct):
        return _dot(*node.args)
    if isinstance(node, (sp.MatPow, sp.Inverse)) and shape_of(node.args[0]) == (1, 1):
        return sp.Trace(node.args[0]) ** node.exp
    if isinstance(node, sp.Indexed) and not isinstance(node.base, sp.IndexedBase):
        raise UnsupportedError(f"`{node}` is an entry of {type(node.base).__name__}, not of a name")
    if isinstance(node, (sp.Derivative, sp.Integral, sp.Subs)):
        raise UnsupportedError(f"no rule for `{type(node).__name__}`; call .doit() on it first")
    if isinstance(node, sp.Function) and any(getattr(a, "is_Matrix", False) for a in node.args):
        return _of_scalar_matrix(node)
    if node in (sp.I, sp.zoo, sp.nan, sp.oo, -sp.oo):
        raise UnsupportedError(f"`{node}` is not a real number; formulas are real and finite")
    return node


def _dot(first: Any, second: Any) -> Any:
    row = first if first.shape[0] == 1 else algebra.transpose(first)
    column = second if second.shape[1] == 1 else algebra.transpose(second)
    return sp.Trace(algebra.multiply(row, column))


def _of_scalar_matrix(node: Any) -> Any:
    args = []
    for arg in node.args:
        if getattr(arg, "is_Matrix", False):
            if shape_of(arg) != (1, 1):
                raise ShapeError(
                    f"`{type(node).__name__}` takes scalars, but `{arg}` is {worded(shape_of(arg))}"
                    f"; apply it to every entry with sg.elementwise({type(node).__name__}, ...)"
                )
            arg = sp.Trace(arg)
        args.append(arg)
    return node.func(*args)


def unified(expression: Any) -> Any:
    """Make symbols of one name one symbol, where their assumptions allow it.

    Raises:
        OptionError: Two symbols of one name contradict each other, or one is not real.

    >>> unified(sp.Symbol("x") + sp.Symbol("x", real=True))
    2*x
    """
    return trees.replace(expression, unification([expression]))


def unification(expressions: Iterable[Any]) -> dict[Any, Any]:
    """Return which symbols to replace by which, so that every name is one symbol."""
    groups: dict[str, list[Any]] = {}
    for expression in expressions:
        for symbol in trees.symbols(expression):
            groups.setdefault(name_of(symbol), [])
            if symbol not in groups[name_of(symbol)]:
                groups[name_of(symbol)].append(symbol)
    changes: dict[Any, Any] = {}
    for name, group in sorted(groups.items()):
        chosen = _representative(name, group)
        changes.update({symbol: chosen for symbol in group if symbol != chosen})
    return changes


def _representative(name: str, group: list[Any]) -> Any:
    kinds = {type(symbol).__name__ for symbol in group}
    if len(kinds - {"Symbol", "Dummy"}) > 1 or (len(kinds) > 1 and "MatrixSymbol" in kinds):
        raise OptionError(f"`{name}` is used both as {' and as '.join(sorted(kinds))}; rename one")
    for symbol in group:
        if isinstance(symbol, sp.Symbol) and symbol.is_extended_real is False:
            raise OptionError(f"`{name}` is declared as not real; all variables are real")
    if len(group) == 1:
        return group[0]
    if isinstance(group[0], sp.MatrixSymbol):
        shapes = [tuple(symbol.shape) for symbol in group]
        if not all(same_shape_by_name(shapes[0], other) for other in shapes[1:]):
            words = " and ".join(sorted(worded(shape) for shape in shapes))
            raise ShapeError(f"`{name}` is used with the shapes {words}")
    return _most_known(name, group)


def _most_known(name: str, group: list[Any]) -> Any:
    facts: dict[str, Any] = {}
    for symbol in group:
        for fact, value in getattr(symbol, "assumptions0", {}).items():
            if facts.setdefault(fact, value) != value:
                raise OptionError(
                    f"two symbols are named `{name}`, one with {fact}=True and one with "
                    f"{fact}=False; rename one"
                )
    return max(group, key=lambda s: (len(getattr(s, "assumptions0", {})), sp.srepr(s)))
