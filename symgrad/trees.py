"""Iterative walks over SymPy expressions.

SymPy's own traversals recurse, and an expression of a few hundred levels ends
them in a RecursionError. Everything that symgrad does to a whole expression
goes through the walks of this module, which keep their own stack and visit a
shared node once.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from functools import lru_cache, wraps
from typing import Any, TypeVar

import sympy as sp

from symgrad.errors import UnsupportedError

T = TypeVar("T")


def as_sympy(value: Any, accepted: str = "a SymPy expression, a number or a matrix") -> Any:
    """Turn a value into SymPy's, without ever evaluating text.

    Raises:
        UnsupportedError: Text, or something that SymPy has no class for.

    >>> as_sympy(2)
    2
    """
    if isinstance(value, sp.Basic):
        return value
    if isinstance(value, str):
        raise UnsupportedError(
            f"text is not read as a formula here: got {value[:40]!r}; build it from SymPy symbols"
        )
    try:
        return sp.sympify(value, strict=True)
    except (sp.SympifyError, TypeError, ValueError, AttributeError):
        raise UnsupportedError(f"expected {accepted}, not {type(value).__name__}") from None


#: How many answers a function of `by_identity` keeps.
MOST_KEPT = 4096


def by_identity(
    function: Callable[[Any], T], fits: Callable[[T], bool] | None = None
) -> Callable[[Any], T]:
    """Keep what a pure function gave for a node, by the node itself (a decorator).

    Args:
        function: From a node to an answer that depends on nothing else.
        fits: Tells which answers are kept; left out, all.

    Nodes never change, and one that is kept cannot give its place to another; to look it up it
    is neither compared nor hashed, which recurses where a tree is deep.

    >>> count = by_identity(size)
    >>> node = sp.Symbol("x") + 1
    >>> count(node), count(node)
    (3, 3)
    """
    known: dict[int, tuple[Any, T]] = {}

    @wraps(function)
    def remembered(node: Any) -> T:
        kept = known.get(id(node))
        if kept is not None and kept[0] is node:
            return kept[1]
        value = function(node)
        if isinstance(node, sp.Basic) and (fits is None or fits(value)):
            if len(known) >= MOST_KEPT:
                known.clear()
            known[id(node)] = (node, value)
        return value

    return remembered


def children(node: Any) -> tuple[Any, ...]:
    """Return what a walk enters below `node`: nothing below symbols, the body of a lambda.

    >>> children(sp.MatrixSymbol("X", 2, 3))
    ()
    """
    below = _entry_to(node.__class__)
    if below is None:
        return node.args  # type: ignore[no-any-return]
    return () if not below else (node.expr,)


#: Names: a walk ends at them.
NAMES = (sp.Symbol, sp.MatrixSymbol, sp.Indexed)


@lru_cache(maxsize=1024)
def _entry_to(head: type) -> str | None:
    """Name what a walk enters below nodes of a class: nothing, one part, or (None) all."""
    if issubclass(head, NAMES):
        return ""
    return "expr" if issubclass(head, sp.Lambda) else None


#: Constructors by which nodes are built again over new children, by class: those that
#: keep a normal form are registered here by the room that has them.
CONSTRUCTORS: dict[type, Callable[..., Any]] = {}


def remade(node: Any, below: list[Any], old: tuple[Any, ...] | None = None) -> Any:
    """Build a node again over new children; a node whose children are the same is kept.

    Args:
        node: The node.
        below: Its new children.
        old: Its children, where they are known.

    >>> x, y = sp.symbols("x y")
    >>> remade(sp.Lambda(x, x + 1), [x + y])
    Lambda(x, x + y)
    """
    for new, was in zip(below, children(node) if old is None else old, strict=True):
        if new is not was:
            break
    else:
        return node
    if isinstance(node, sp.Lambda):
        return sp.Lambda(node.signature, below[0])
    return CONSTRUCTORS.get(type(node), node.func)(*below)


def postorder(root: Any, opaque: tuple[type, ...] = ()) -> Iterator[Any]:
    """Yield every distinct node below `root`, each after its children.

    Nodes of the classes in `opaque` are yielded, but not entered.

    >>> x = sp.Symbol("x")
    >>> [str(node) for node in postorder(sp.sin(x) ** 2)]
    ['x', 'sin(x)', '2', 'sin(x)**2']
    """
    entered: set[int] = set()
    left: set[Any] = set()
    # A node that was entered waits, in a tuple, below its children.
    stack: list[Any] = [root]
    while stack:
        node = stack.pop()
        if type(node) is tuple:
            (node,) = node
        elif id(node) in entered:
            continue
        else:
            entered.add(id(node))
            if not (opaque and isinstance(node, opaque)) and (below := children(node)):
                stack.append((node,))
                stack.extend(below[::-1])
                continue
        # Every child was hashed before, and SymPy keeps hashes, so that
        # hashing this node stays shallow however deep the tree is.
        if node not in left:
            left.add(node)
            yield node


#: A longer walk is not kept.
LONGEST_KEPT = 256


def nodes(root: Any) -> tuple[Any, ...]:
    """Return every distinct node below `root`, each after its children; see `postorder`.

    >>> len(nodes(sp.sin(sp.Symbol("x")) ** 2))
    4
    """
    return _nodes(root)


_nodes = by_identity(lambda root: tuple(postorder(root)), lambda found: len(found) <= LONGEST_KEPT)


def is_size(node: Any, depth: int = 4) -> bool:
    """Tell whether a node is a size: a sum or product of integers and symbols of integers.

    >>> n = sp.Symbol("n", integer=True)
    >>> is_size(2 * n - 1), is_size(sp.Symbol("x"))
    (True, False)
    """
    if not isinstance(node, (sp.Add, sp.Mul)) or not depth:
        return bool(isinstance(node, (sp.Symbol, sp.Integer)) and node.is_integer)
    return all(is_size(arg, depth - 1) for arg in node.args)


def times(*factors: Any) -> Any:
    """Multiply scalars; a number times a sum stays a product, 2*(a - y).

    >>> a, y = sp.symbols("a y")
    >>> times(2, a - y)
    2*(a - y)
    """
    result, *others = (f if isinstance(f, sp.Basic) else sp.sympify(f) for f in factors)
    for factor in others:
        if result.is_Number and factor.is_Add and result != 1:
            result = result if result == 0 else sp.Mul(result, factor, evaluate=False)
        elif factor.is_Number and result.is_Add and factor != 1:
            result = factor if factor == 0 else sp.Mul(factor, result, evaluate=False)
        elif type(result) is type(factor) is sp.Symbol and result != factor:
            result = _of_two_names(result, factor)
        else:
            result = result * factor
    return result


def _of_two_names(first: sp.Symbol, second: sp.Symbol) -> Any:
    """Multiply two different symbols: there is nothing to collect, only an order to keep."""
    if not (first.is_commutative and second.is_commutative):
        return first * second
    ordered = (first, second) if first.compare(second) < 0 else (second, first)
    return sp.Mul(*ordered, evaluate=False)


CONSTRUCTORS[sp.Mul] = times


def rebuild(root: Any, change: Callable[[Any], Any]) -> Any:
    """Rebuild `root` from its leaves up, passing each rebuilt node through `change`.

    A node whose children stay the same objects is kept, not built again.

    >>> x, y = sp.symbols("x y")
    >>> rebuild(sp.sin(x) + x, lambda node: y if node == x else node)
    y + sin(y)
    """
    done: dict[Any, Any] = {}
    for node in nodes(root):
        below = children(node)
        built = remade(node, [done[child] for child in below], below) if below else node
        done[node] = change(built)
    return done[root]


def replace(root: Any, values: Mapping[Any, Any]) -> Any:
    """Replace whole nodes by values, without entering the values.

    >>> x, y = sp.symbols("x y")
    >>> replace(sp.sin(x) + x, {x: y + 1})
    y + sin(y + 1) + 1
    """
    if not values:
        return root
    return rebuild(root, lambda node: values.get(node, node))


def is_constant(root: Any) -> bool:
    """Tell whether no symbol occurs in `root`; SymPy's `is_number` recurses.

    >>> is_constant(sp.sqrt(2) + 1), is_constant(sp.Symbol("x") + 1)
    (True, False)
    """
    stack = [root]
    while stack:
        node = stack.pop()
        if isinstance(node, NAMES):
            return False
        stack.extend(children(node))
    return True


#: Nodes that bind a variable.
BINDERS = (sp.Sum, sp.Product, sp.Lambda)


def symbols(root: Any) -> frozenset[Any]:
    """Return the free symbols, matrix symbols and indexed bases that occur in `root`.

    >>> sorted(map(str, symbols(sp.MatrixSymbol("X", 2, 3) * sp.Symbol("a"))))
    ['X', 'a']
    """
    return _symbols(root)


# The passes over a graph ask this of the same definitions again and again.
@by_identity
def _symbols(root: Any) -> frozenset[Any]:
    found: set[Any] = set()
    for node in postorder(root, BINDERS):
        if isinstance(node, sp.Indexed):
            found |= {node.base, *(s for index in node.indices for s in index.free_symbols)}
        elif isinstance(node, (sp.Symbol, sp.MatrixSymbol)):
            found.add(node)
        elif isinstance(node, sp.Lambda):
            found |= symbols(node.expr) - set(node.variables)
        elif isinstance(node, BINDERS):
            # The index is bound in the summand and in the limits further in, not outside.
            inside = symbols(node.function)
            for index, *ends in node.limits:
                inside = (inside - {index}).union(*map(symbols, ends))
            found |= inside
    return frozenset(found)


def size(root: Any) -> int:
    """Count the nodes of `root` written out as a tree, without writing it out.

    >>> x = sp.Symbol("x")
    >>> size(sp.sin(x) + sp.cos(x))
    5
    """
    count: dict[Any, int] = {}
    for node in postorder(root):
        count[node] = 1 + sum(count[child] for child in children(node))
    return count[root]
