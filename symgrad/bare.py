"""Bare SymPy read into symgrad's form.

Symbols are matched by name, SymPy's elementwise node becomes symgrad's, a 1x1
product at the border becomes a scalar, x[i] an entry of an array, and shapes
are checked.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import sympy as sp
from sympy.matrices.expressions.applyfunc import ElementwiseApplyFunction
from sympy.matrices.expressions.dotproduct import DotProduct
from sympy.matrices.expressions.matexpr import MatrixElement

from symgrad import algebra, trees
from symgrad.errors import OptionError, ShapeError, UnsupportedError, listed
from symgrad.matrices import Broadcast, SumEntries
from symgrad.recognition import spelled
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
    for node, limits in _indexed_below(expression, {}, _outer_symbols(expression)):
        spans = [index_span(index, limits) for index in node.indices]
        known = ranges.get(node.base, spans)
        if len(known) != len(spans):
            raise ShapeError(
                f"`{node.base}` has {len(known)} indices in one place, {len(spans)} in another"
            )
        ranges[node.base] = [_joined(node.base, a, b) for a, b in zip(known, spans, strict=True)]
    return ranges


Limits = Mapping[Any, tuple[Any, Any]]


def _joined(base: Any, first: tuple[Any, Any], second: tuple[Any, Any]) -> tuple[Any, Any]:
    lows, highs = zip(first, second, strict=True)
    return _extreme(base, *lows, sign=1), _extreme(base, *highs, sign=-1)


def _extreme(base: Any, first: Any, second: Any, sign: int) -> Any:
    """Return the lesser of two indices (the greater, where the sign is -1)."""
    difference = sign * (first - second)
    if difference.is_nonpositive:
        return first
    if difference.is_nonnegative:
        return second
    symbolic = [index for index in (first, second) if not index.is_Integer]
    if sign < 0 and len(symbolic) == 1:
        # x[2] beside a sum up to x[n]: the array is as long as the sum says.
        return symbolic[0]
    if base.shape:
        return first
    raise ShapeError(
        f"the size of `{base}` is not clear: its indices reach to `{first}` and to `{second}`; "
        f"declare it, IndexedBase({str(base)!r}, shape=(...,))"
    )


def _outer_symbols(expression: Any) -> set[Any]:
    """Return the symbols that the limits of sums mention: sizes, such as the n of x[n]."""
    found: set[Any] = set()
    for node in trees.postorder(expression):
        if isinstance(node, (sp.Sum, sp.Product)):
            found |= {s for limit in node.limits for end in limit[1:] for s in end.free_symbols}
    return found


def _indexed_below(
    expression: Any, limits: Limits, sizes: set[Any]
) -> Iterator[tuple[Any, Limits]]:
    """Yield every x[i] with the limits of the sums around it, outermost first."""
    for node in trees.postorder(expression, (sp.Sum, sp.Product)):
        if isinstance(node, sp.Indexed):
            free = set().union(*(index.free_symbols for index in node.indices))
            if free - limits.keys() - sizes:
                raise OptionError(
                    f"no sum runs over {listed(sorted(map(str, free - limits.keys() - sizes)))} "
                    f"in `{node}`; write Sum(..., (index, first, last))"
                )
            yield node, limits
        elif isinstance(node, (sp.Sum, sp.Product)):
            inside = dict(limits)
            for limit in reversed(node.limits):
                if len(limit) != 3:
                    raise UnsupportedError(f"`{node}` needs limits: (index, first, last)")
                inside.pop(limit[0], None)
                inside[limit[0]] = (limit[1], limit[2])
            yield from _indexed_below(node.function, inside, sizes)


def index_span(index: Any, limits: Limits) -> tuple[Any, Any]:
    """Return the least and the greatest value of an index, given the limits around it."""
    return _least(index, limits), -_least(-index, limits)


def _least(index: Any, limits: Limits) -> Any:
    least = index
    # From the innermost sum outwards: inner limits may mention outer indices.
    for symbol, (first, last) in reversed(list(limits.items())):
        slope = sp.diff(least, symbol)
        if slope.is_nonnegative:
            least = least.xreplace({symbol: first})
        elif slope.is_nonpositive:
            least = least.xreplace({symbol: last})
        else:
            return min(_values(index, limits))
    return sp.expand(least)


#: So many values of an index are tried out where its least one is not seen from its form.
MOST_VALUES = 10_000


def _values(index: Any, limits: Limits) -> list[Any]:
    values: list[dict[Any, Any]] = [{}]
    for symbol, ends in limits.items():
        grown: list[dict[Any, Any]] = []
        for known in values:
            first, last = (end.xreplace(known) for end in ends)
            whole = first.is_Integer and last.is_Integer
            if not whole or len(grown) + last - first > MOST_VALUES:
                raise UnsupportedError(f"the values of the index `{index}` cannot be bounded")
            grown += [{**known, symbol: sp.Integer(k)} for k in range(first, last + 1)]
        values = grown
    found = [index.xreplace(known) for known in values]
    if not found or not all(value.is_Integer for value in found):
        raise UnsupportedError(f"the values of the index `{index}` cannot be bounded")
    return found


def normalized(expression: Any) -> Any:
    """Read bare SymPy into symgrad's form; see the module's text.

    Raises:
        UnsupportedError: Not a SymPy expression, or one that is not real.
        ShapeError: Shapes do not fit.

    >>> x = sp.MatrixSymbol("x", 3, 1)
    >>> normalized(x.T * x)
    Trace(x.T*x)
    """
    expression = trees.as_sympy(expression)
    if isinstance(expression, sp.MatrixBase):
        expression = sp.ImmutableMatrix(expression)
    if not isinstance(expression, (sp.Expr, sp.MatrixBase)):
        raise UnsupportedError(
            f"`{expression}` is a {type(expression).__name__}, not an expression"
        )
    expression = spelled(trees.rebuild(unified(expression), _own_form))
    # A 1x1 matrix that came out of an operation is a scalar in disguise.
    if shape_of(expression) != (1, 1) or isinstance(expression, (sp.MatrixSymbol, sp.MatrixBase)):
        return expression
    if isinstance(expression, Broadcast) and not expression.args[0].is_Matrix:
        return expression.args[0]
    if isinstance(expression, (sp.MatMul, sp.MatAdd)):
        return sp.Trace(expression)
    return algebra.sum_entries(expression)


def _own_form(node: Any) -> Any:
    if isinstance(node, ElementwiseApplyFunction):
        return algebra.elementwise(node.function, node.expr)
    if isinstance(node, sp.MatrixBase) and not isinstance(node, sp.ImmutableDenseMatrix):
        return sp.ImmutableMatrix(node)
    if isinstance(node, sp.MatMul) and node.has(sp.OneMatrix):
        return algebra.multiply(*node.args)
    if isinstance(node, DotProduct):
        return _dot(*node.args)
    if isinstance(node, (sp.MatPow, sp.Inverse)):
        return _power(node)
    if isinstance(node, sp.Sum) and _sums_entries_of_products(node):
        return _contracted(node)
    if isinstance(node, (sp.Trace, sp.Determinant, SumEntries)):
        return _of_repeated_scalar(node)
    if isinstance(node, sp.Indexed) and not isinstance(node.base, sp.IndexedBase):
        raise UnsupportedError(f"`{node}` is an entry of {type(node.base).__name__}, not of a name")
    if isinstance(node, (sp.Derivative, sp.Integral, sp.Subs, sp.BlockMatrix)):
        raise UnsupportedError(f"no rule for `{type(node).__name__}`; call .doit() on it first")
    if isinstance(node, sp.Function) and any(getattr(a, "is_Matrix", False) for a in node.args):
        return _of_scalar_matrix(node)
    if node in (sp.I, sp.zoo, sp.nan, sp.oo, -sp.oo) or _is_complex_power(node):
        raise UnsupportedError(f"`{node}` is not a real number; formulas are real and finite")
    return node


def _sums_entries_of_products(node: sp.Sum) -> bool:
    """Tell whether SymPy wrote an entry such as (x' A x)[0, 0] as a sum over new indices."""
    if not all(isinstance(limit[0], sp.Dummy) for limit in node.limits):
        return False
    return bool(node.function.atoms(MatrixElement)) and not node.function.has(sp.Sum)


def _contracted(node: sp.Sum) -> Any:
    """Read such a sum back as the matrix product that it came from, where SymPy can."""
    try:
        entry = sp.MatrixExpr.from_index_summation(node)
    except (ValueError, TypeError, NotImplementedError, IndexError, AttributeError):
        return node
    whole = isinstance(entry, MatrixElement) and entry.args[1:] == (0, 0)
    if not whole or shape_of(entry.args[0]) != (1, 1):
        return node
    return sp.Trace(trees.rebuild(entry.args[0], lambda below: below))


def _power(node: Any) -> Any:
    """Write a power of a 1x1 matrix by its entry, and A^-k as a power of the inverse."""
    if shape_of(node.args[0]) == (1, 1):
        return Broadcast(sp.Trace(node.args[0]) ** node.exp, 1, 1)
    if isinstance(node, sp.MatPow) and node.exp.is_Integer and node.exp < 0:
        inverse = sp.Inverse(node.base)
        return inverse if node.exp == -1 else sp.MatPow(inverse, -node.exp)
    return node


def _of_repeated_scalar(node: Any) -> Any:
    """Trace, determinant and sum of a 1x1 matrix that holds a scalar are this scalar."""
    below = node.args[0]
    repeated = isinstance(below, Broadcast) and not below.args[0].is_Matrix
    return below.args[0] if repeated and below.shape == (1, 1) else node


def _is_complex_power(node: Any) -> bool:
    """Tell whether a node is a number such as (-2)**(1/3), which is complex in SymPy."""
    return isinstance(node, sp.Pow) and trees.is_constant(node) and node.is_extended_real is False


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
    return renamed(trees.rebuild(expression, _own_index), unification([expression]))


def renamed(expression: Any, changes: Mapping[Any, Any]) -> Any:
    """Replace symbols, also in the sizes of matrices and in the indices of x[i].

    >>> n, m = sp.symbols("n m")
    >>> renamed(sp.MatrixSymbol("X", n, 2), {n: m}).shape
    (m, 2)
    """
    if not changes:
        return expression

    def change(node: Any) -> Any:
        if isinstance(node, sp.MatrixSymbol):
            return sp.MatrixSymbol(node.name, *(size.xreplace(changes) for size in node.shape))
        if isinstance(node, sp.Indexed):
            indices = (index.xreplace(changes) for index in node.indices)
            return changes.get(node.base, node.base)[tuple(indices)]
        return changes.get(node, node)

    return trees.rebuild(expression, change)


def _own_index(node: Any) -> Any:
    """Let a sum bind the symbol of its index's name, and write `Idx` as that symbol."""
    if not isinstance(node, (sp.Sum, sp.Product)):
        return node
    for limit in node.limits:
        name = name_of(limit[0])
        same = {s for s in trees.symbols(node.function) if name_of(s) == name and s != limit[0]}
        if isinstance(limit[0], sp.Idx):
            changes = {limit[0]: limit[0].label, **dict.fromkeys(same, limit[0].label)}
        else:
            changes = dict.fromkeys(same, limit[0])
        node = renamed(node, changes)
    return node


def unification(expressions: Iterable[Any]) -> dict[Any, Any]:
    """Return which symbols to replace by which, so that every name is one symbol."""
    groups: dict[str, list[Any]] = {}
    for expression in expressions:
        for symbol in trees.symbols(expression):
            sizes = (s for size in getattr(symbol, "shape", None) or () for s in _free(size))
            for found in (symbol, *sizes):
                group = groups.setdefault(name_of(found), [])
                if found not in group:
                    group.append(found)
    changes: dict[Any, Any] = {}
    for name, group in sorted(groups.items()):
        if len(group) > 1 or isinstance(group[0], sp.Symbol):
            chosen = _representative(name, group)
            changes.update({symbol: chosen for symbol in group if symbol != chosen})
    return {old: new for old, new in changes.items() if not isinstance(old, sp.MatrixSymbol)}


def _free(size: Any) -> set[Any]:
    return set(sp.sympify(size).free_symbols)


def _representative(name: str, group: list[Any]) -> Any:
    kinds = {type(symbol).__name__.replace("Dummy", "Symbol") for symbol in group}
    if len(kinds) > 1:
        raise OptionError(f"`{name}` is used both as {' and as '.join(sorted(kinds))}; rename one")
    if len(group) > 1 and any(isinstance(symbol, sp.Dummy) for symbol in group):
        raise OptionError(f"several symbols, one of them a Dummy, are named `{name}`; rename one")
    for symbol in group:
        if isinstance(symbol, sp.Symbol) and symbol.is_real is False:
            raise OptionError(f"`{name}` is declared as not real; all variables are real")
    shapes = [tuple(symbol.shape) for symbol in group if getattr(symbol, "shape", None)]
    if not all(same_shape_by_name(shapes[0], other) for other in shapes[1:]):
        words = " and ".join(sorted(worded(shape) for shape in shapes))
        raise ShapeError(f"`{name}` is used with the shapes {words}")
    if len(group) == 1:
        return group[0]
    if kinds == {"IndexedBase"} and shapes:
        group = [symbol for symbol in group if symbol.shape]
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
