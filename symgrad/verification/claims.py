"""Claims read: SymPy, formulas and ordered definitions, in the names of the loss."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import sympy as sp

from symgrad import bare, trees
from symgrad.errors import OptionError, UnsupportedError, unknown
from symgrad.formula import Formula
from symgrad.graph import Graph
from symgrad.lowering import SizedNode, Writer
from symgrad.reading.text.claims import definitions_of
from symgrad.shapes import name_of, numpy_shape, worded
from symgrad.verification.settings import Setting

#: Pairs of a name and an expression, in order; the last one is what is claimed.
Lines = tuple[tuple[str, Any], ...]


def lines_of(claim: Any, name: str) -> Lines:
    """Read a claim about one variable as ordered definitions.

    Args:
        claim: SymPy, a Formula, or ordered definitions: pairs of a name and an expression.
        name: The variable; among definitions, the one named `d` and this name is the claim, or
            else the last one.

    Raises:
        OptionError: Not pairs, or no definitions at all.
        UnsupportedError: Text, or something that is no expression.

    >>> lines_of([("u", sp.Symbol("x") + 1), ("dx", 2 * sp.Symbol("u"))], "x")
    (('u', x + 1), ('dx', 2*u))
    """
    if isinstance(claim, Formula):
        pairs = [(name_of(symbol), expression) for symbol, expression in claim.graph.definitions]
        return (*pairs, ("", claim.output))
    if not isinstance(claim, (list, tuple, Graph)):
        return (("", _expression(claim)),)
    pairs = []
    for pair in claim:
        if isinstance(pair, (str, sp.Basic)) or not hasattr(pair, "__len__") or len(pair) != 2:
            raise OptionError(
                f"ordered definitions are pairs of a name and an expression, not {pair!r}"
            )
        pairs.append((name_of(pair[0]), _expression(pair[1])))
    if not pairs:
        raise OptionError("the claim has no definitions")
    chosen = [k for k, (given, _) in enumerate(pairs) if given in (f"d{name}", name)]
    return tuple(pairs[: chosen[-1] + 1] if chosen else pairs)


def read(claim: Any, graph: Graph) -> Any:
    """Read what is text in a claim, in the names of a graph; leave the rest as it is.

    Raises:
        ParseError: Text that is no formula.
    """
    if isinstance(claim, str):
        return definitions_of(claim, graph)
    if isinstance(claim, Mapping):
        return {name: read(each, graph) for name, each in claim.items()}
    if isinstance(claim, (list, tuple)):
        return _read_lines(claim, graph)
    return claim


def _read_lines(claim: Sequence[Any], graph: Graph) -> Any:
    """Read definitions of which some are text: then each is, in the names of those before it."""
    pairs = [pair for pair in claim if isinstance(pair, (list, tuple)) and len(pair) == 2]
    texts = [value for _, value in pairs if isinstance(value, str)]
    if not texts or len(pairs) != len(claim):
        return claim
    if len(texts) < len(pairs):
        raise OptionError("definitions are all text, or all SymPy")
    return definitions_of("; ".join(f"{name_of(n)} = {value}" for n, value in pairs), graph)


def _expression(claim: Any) -> Any:
    if isinstance(claim, Formula):
        return claim.sympy
    if isinstance(claim, np.ndarray) and claim.ndim == 0:
        claim = claim.item()
    if isinstance(claim, np.ndarray) and claim.ndim > 2:
        raise UnsupportedError(f"a claim has at most two axes, this array has {claim.ndim}")
    if isinstance(claim, (np.ndarray, float)):
        claim = sp.ImmutableMatrix(claim) if isinstance(claim, np.ndarray) else sp.Float(claim)
    expression = trees.as_sympy(claim, "a gradient as SymPy, a Formula or ordered definitions")
    if not isinstance(expression, (sp.Expr, sp.MatrixBase, sp.MatrixExpr)):
        raise UnsupportedError(f"a claim is an expression, not {type(expression).__name__}")
    return expression


def written(
    lines: Lines, setting: Setting, named: Mapping[str, Any]
) -> tuple[Any, list[tuple[str, Any]]]:
    """Write a claim's lines into the circuit of a setting.

    Args:
        lines: From `lines_of`.
        setting: The inputs.
        named: Nodes or tables of what the claim may name: inputs and the loss's definitions.

    Returns:
        The claim's node or table, and every line's with its name.

    Raises:
        OptionError: An unknown name.
        ShapeError: Shapes do not fit.
    """
    known = dict(named)
    values: list[tuple[str, Any]] = []
    for name, expression in lines:
        value = _written(expression, setting, known)
        values.append((name, value))
        if name:
            known[name] = value
    return values[-1][1], values


def _written(expression: Any, setting: Setting, known: Mapping[str, Any]) -> Any:
    expression = trees.rebuild(bare.unified(expression), lambda node: node)
    if _has_matrices(expression):
        expression = bare.normalized(expression)
    write = Writer(setting.circuit, {})
    for symbol in trees.symbols(expression):
        _bind(write, symbol, setting, known)
    return write(expression)


def _has_matrices(expression: Any) -> bool:
    kinds = (sp.MatrixExpr, sp.MatrixSymbol)
    return any(isinstance(node, kinds) for node in trees.postorder(expression))


def _bind(write: Writer, symbol: Any, setting: Setting, known: Mapping[str, Any]) -> None:
    for size in getattr(symbol, "shape", None) or ():
        for inner in sp.sympify(size).free_symbols:
            _bind(write, inner, setting, known)
    name = name_of(symbol)
    if name in setting.sizes:
        write.values[symbol] = SizedNode(setting.sizes[name])
        return
    if name not in known:
        raise unknown("name in the claim", name, [*known, *setting.sizes])
    value = known[name]
    if isinstance(symbol, sp.IndexedBase):
        table = value.reshape(-1, 1) if np.ndim(value) == 1 else value
        write.values[symbol] = (table, setting.origins.get(name, (0, 0)))
    elif isinstance(symbol, sp.MatrixSymbol):
        write.values[symbol] = _of_shape(value, symbol, write)
    elif np.ndim(value) and np.size(value) != 1:
        raise OptionError(
            f"`{name}` is {worded(numpy_shape(np.shape(value)))}, but a scalar symbol in the claim"
        )
    else:
        write.values[symbol] = int(np.ravel(value)[0])


def _of_shape(value: Any, symbol: Any, write: Writer) -> Any:
    table = np.asarray(value, dtype=object)
    table = table.reshape(-1, 1) if table.ndim < 2 else table
    shape = tuple(write.size(size) for size in symbol.shape)
    if table.shape != shape:
        raise OptionError(
            f"`{symbol}` is {worded(shape)} in the claim, but {worded(table.shape)} in the loss"
        )
    return table


def by_variable(claim: Any, names: Sequence[str]) -> dict[str, Any]:
    """Split claims about several variables: a mapping by name, or definitions with all of them.

    Raises:
        OptionError: A variable without a claim, or a claim without a variable.
    """
    if isinstance(claim, Mapping):
        given = {name_of(key): value for key, value in claim.items()}
        for name in given:
            if name not in names:
                raise unknown("variable with a claim", name, names)
        _require_all(given, names)
        return {name: given[name] for name in names}
    if isinstance(claim, (list, tuple)):
        defined = {name_of(pair[0]) for pair in claim if hasattr(pair, "__len__")}
        _require_all({n: 0 for n in names if {n, f"d{n}"} & defined}, names)
        return dict.fromkeys(names, claim)
    raise OptionError(
        "claims about several variables are a mapping by name, or ordered definitions that "
        f"define {', '.join(f'd{name}' for name in names)}"
    )


def _require_all(given: Iterable[str], names: Sequence[str]) -> None:
    missing = [name for name in names if name not in given]
    if missing:
        raise OptionError(f"no claim for `{missing[0]}`")
