"""Formulas as JSON-able records, and back.

Expressions are nested lists `[head, argument, ...]`. Reading builds nodes from
a fixed table of heads and evaluates no text: a record from a stranger can at
most be refused.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict
from typing import Any

import sympy as sp
from sympy.matrices.expressions.matexpr import MatrixElement

from symgrad import functions, trees
from symgrad.errors import DataError
from symgrad.formula import Formula
from symgrad.graph import Graph, Label, check
from symgrad.matrices import Broadcast, Elementwise, SumColumns, SumEntries, SumRows, UnitMatrix
from symgrad.shapes import ASSUMPTIONS, Variable, dimension, name_of, numpy_shape
from symgrad.softmax import LogSoftmax, Softmax

_HEADS: dict[str, Any] = {
    head.__name__: head
    for head in (
        *(sp.Add, sp.Mul, sp.Pow, sp.MatAdd, sp.MatMul, sp.HadamardProduct, sp.HadamardPower),
        *(sp.Transpose, sp.Trace, sp.Inverse, sp.Determinant, sp.MatPow, MatrixElement),
        *(sp.ZeroMatrix, sp.OneMatrix, sp.Identity, sp.FunctionMatrix, UnitMatrix),
        *(Broadcast, Elementwise, SumColumns, SumEntries, SumRows, Softmax, LogSoftmax),
        *(functions.xlogy, functions.logsumexp),
        *(sp.exp, sp.log, sp.sin, sp.cos, sp.tan, sp.asin, sp.acos, sp.atan, sp.atan2),
        *(sp.sinh, sp.cosh, sp.tanh, sp.asinh, sp.acosh, sp.atanh, sp.sec, sp.csc, sp.cot),
        *(sp.sech, sp.csch, sp.coth, sp.Abs, sp.sign, sp.floor, sp.ceiling, sp.Heaviside),
        *(sp.Max, sp.Min, sp.KroneckerDelta, sp.Piecewise, sp.Sum, sp.Tuple),
        *(sp.functions.elementary.piecewise.ExprCondPair, sp.And, sp.Or, sp.Not),
        *(sp.StrictGreaterThan, sp.GreaterThan, sp.StrictLessThan, sp.LessThan),
        *(sp.Equality, sp.Unequality),
        *(e.apply for e in functions.FUNCTIONS.values() if isinstance(e.apply, type)),
    )
}
_CONSTANTS = {"pi": sp.pi, "E": sp.E, "true": sp.true, "false": sp.false}
_FACTS = ("real", "positive", "integer", "nonnegative", "negative", "nonzero")


def of_expression(expression: Any) -> Any:
    """Write an expression as nested lists.

    Raises:
        DataError: It has a head that the table lacks.

    >>> of_expression(sp.Symbol("x", real=True) + 1)
    ['Add', ['Integer', '1'], ['Symbol', 'x', ['real']]]
    """
    done: dict[Any, Any] = {}
    for node in trees.postorder(expression):
        done[node] = _record_of(node, done)
    return done[expression]


def _record_of(node: Any, done: dict[Any, Any]) -> Any:
    for name, constant in _CONSTANTS.items():
        if node == constant and not node.is_Symbol:
            return ["Constant", name]
    if isinstance(node, sp.Dummy):
        return ["Dummy", node.name, node.dummy_index, _facts(node)]
    if isinstance(node, sp.Symbol):
        return ["Symbol", node.name, _facts(node)]
    if isinstance(node, sp.MatrixSymbol):
        return ["MatrixSymbol", node.name, *map(of_expression, node.shape)]
    if isinstance(node, sp.Integer):
        return ["Integer", str(int(node))]
    if isinstance(node, sp.Rational):
        return ["Rational", str(node.p), str(node.q)]
    if isinstance(node, sp.Float):
        return ["Float", repr(float(node))]
    if isinstance(node, sp.Lambda):
        return ["Lambda", [of_expression(v) for v in node.variables], done[node.expr]]
    if isinstance(node, sp.MatrixBase):
        return ["Matrix", *node.shape, [of_expression(entry) for entry in node.flat()]]
    if type(node).__name__ not in _HEADS:
        raise DataError(f"`{type(node).__name__}` cannot be saved as a record")
    return [type(node).__name__, *(done[child] for child in trees.children(node))]


def _facts(symbol: Any) -> list[str]:
    known = symbol.assumptions0
    return [fact for fact in _FACTS if known.get(fact)]


def to_expression(record: Any) -> Any:
    """Read an expression from nested lists.

    Raises:
        DataError: The record is not one that `of_expression` writes.

    >>> to_expression(["Add", ["Integer", "1"], ["Symbol", "x", ["real"]]])
    x + 1
    """
    if not isinstance(record, list) or not record or not isinstance(record[0], str):
        raise DataError(f"a {type(record).__name__} is not the record of an expression")
    head, *rest = record
    try:
        if head in _READERS:
            return _READERS[head](*rest)
        if head in _HEADS:
            below = [to_expression(part) for part in rest]
            _require_small(head, below)
            return trees.CONSTRUCTORS.get(_HEADS[head], _HEADS[head])(*below)
    except (TypeError, ValueError, AttributeError, KeyError, IndexError, RecursionError) as error:
        raise DataError(f"the record of `{head}` is broken: {error}") from None
    raise DataError(f"unknown head `{head}` in the record of an expression")


def _require_small(head: str, below: list[Any]) -> None:
    """Refuse numbers that SymPy would take forever to evaluate, such as 9**(9**9)."""
    if head in ("Pow", "MatPow", "HadamardPower"):
        base, exponent = below
        sizes = (max(r.p.bit_length(), r.q.bit_length()) for r in base.atoms(sp.Rational))
        bits = max(sizes, default=1)
        if exponent.is_number and not abs(sp.N(exponent)) * bits <= _LARGEST:
            raise DataError("the record has a power that is too large")
    elif issubclass(_HEADS[head], _EVALUATED) and any(
        arg.is_number and not abs(sp.N(arg)) <= _LARGEST for arg in below
    ):
        raise DataError(f"the record has a number in `{head}` that is too large")


#: Heads that SymPy evaluates where they stand over numbers.
_EVALUATED = (sp.Function, sp.core.relational.Relational)
_LARGEST = 10**6


def _known_facts(facts: list[str]) -> dict[str, bool]:
    return {fact: True for fact in facts if fact in _FACTS}


_READERS: dict[str, Callable[..., Any]] = {
    "Constant": lambda name: _CONSTANTS[name],
    "Dummy": lambda name, index, facts: sp.Dummy(
        str(name), dummy_index=int(index), **_known_facts(facts)
    ),
    "Symbol": lambda name, facts: sp.Symbol(str(name), **_known_facts(facts)),
    "MatrixSymbol": lambda name, *shape: sp.MatrixSymbol(str(name), *map(to_expression, shape)),
    "Integer": lambda digits: sp.Integer(int(digits)),
    "Rational": lambda p, q: _finite(sp.Rational(int(p), int(q))),
    "Float": lambda digits: _finite(sp.Float(float(digits))),
    "Lambda": lambda variables, body: sp.Lambda(
        tuple(map(to_expression, variables)), to_expression(body)
    ),
    "Matrix": lambda rows, columns, entries: _table(rows, columns, entries),
}


def _finite(number: Any) -> Any:
    if not number.is_finite:
        raise ValueError(f"{number} is not a finite number")
    return number


def _table(rows: int, columns: int, entries: list[Any]) -> Any:
    if len(entries) != rows * columns or not entries:
        raise ValueError(f"{len(entries)} entries in a table of {rows} by {columns}")
    return sp.ImmutableMatrix(rows, columns, list(map(to_expression, entries)))


def of_formula(formula: Formula) -> dict[str, Any]:
    """Write a formula, with its model and labels, as a record."""
    made = formula.graph
    return {
        "inputs": [_of_variable(variable) for variable in made.inputs],
        "parameters": list(made.parameters),
        "definitions": [[of_expression(s), of_expression(e)] for s, e in made.definitions],
        "output": of_expression(formula.output),
        "labels": {name: asdict(label) for name, label in made.labels.items()},
        "introduced": sorted(made.introduced),
        "targets": list(formula.targets),
        "model": of_formula(formula.model) if formula.model is not None else None,
    }


def _of_variable(variable: Variable) -> dict[str, Any]:
    indexed = variable.indexed is not None
    return {
        "symbol": of_expression(variable.symbol),
        "shape": [size if isinstance(size, (int, str)) else str(size) for size in variable.shape],
        "assumptions": list(variable.assumptions),
        "origin": [of_expression(low) for low in variable.origin] if indexed else None,
    }


def to_formula(record: Any) -> Formula:
    """Read a formula from a record, and check it as any other.

    Raises:
        DataError: The record is broken.
    """
    try:
        return _formula_of(record)
    except DataError:
        raise
    except Exception as error:
        # Whatever SymPy says about nonsense, the reader is to be told that the file is at fault.
        raise DataError(f"the record of a formula is broken: {error!r}") from None


def _formula_of(record: Any) -> Formula:
    inputs = tuple(map(_to_variable, record["inputs"]))
    definitions = tuple((to_expression(s), to_expression(e)) for s, e in record["definitions"])
    output = to_expression(record["output"])
    labels = {str(name): _to_label(label) for name, label in record["labels"].items()}
    parameters, targets, introduced = (
        tuple(map(str, record[key])) for key in ("parameters", "targets", "introduced")
    )
    model = to_formula(record["model"]) if record["model"] is not None else None
    check(inputs, definitions)
    graph = Graph(inputs, parameters, definitions, (output,), labels, frozenset(introduced))
    _require_known(output, graph)
    for name in (*parameters, *targets):
        if name not in [variable.name for variable in inputs]:
            raise DataError(f"the record of a formula trains or fits `{name}`, which is no input")
    return Formula(graph, output, model=model, targets=targets)


def _require_known(output: Any, graph: Graph) -> None:
    missing = trees.symbols(output) - set(graph.symbols.values())
    if missing:
        names = ", ".join(sorted(map(name_of, missing)))
        raise DataError(f"the record of a formula gives {names}, which it does not define")


_TEXTS = ("letter", "role", "of", "over")


def _to_label(record: Any) -> Label:
    index, layer, rank = tuple(record["index"]), record["layer"], record["rank"]
    numbers = [*index, *(n for n in (layer, rank) if n is not None)]
    texts = {key: record[key] for key in _TEXTS}
    tied = record.get("tied", [])
    written = [*texts.values(), *tied] if isinstance(tied, list) else [None]
    if not all(type(n) is int for n in numbers) or not all(type(t) is str for t in written):
        raise DataError("the record of a label holds something else than texts and numbers")
    if rank not in (None, 0, 1, 2):
        raise DataError(f"the record of a label has the rank {rank}")
    return Label(**texts, layer=layer, index=index, rank=rank, tied=tuple(tied))


def _to_variable(record: Any) -> Variable:
    symbol = to_expression(record["symbol"])
    if not isinstance(symbol, (sp.Symbol, sp.MatrixSymbol)):
        raise DataError(f"the record of an input has `{symbol}` for its symbol")
    rank = len(record["shape"])
    inside = tuple(getattr(symbol, "shape", ()))
    if rank > 2 or bool(rank) != bool(inside) or (rank == 1 and inside[1] != 1):
        raise DataError(f"the record of `{name_of(symbol)}` has a shape of {rank} sizes")
    # The sizes are those of the symbol: a text in their place could find its way into source.
    shape = numpy_shape(map(dimension, inside[:rank]))
    if any(not s.name.isidentifier() for size in inside for s in size.free_symbols):
        raise DataError(f"the record of `{name_of(symbol)}` has a size that is not a name")
    assumptions = tuple(record["assumptions"])
    if not all(word in ASSUMPTIONS for word in assumptions):
        raise DataError(f"the record of `{name_of(symbol)}` has unknown assumptions")
    origin = tuple(map(to_expression, record["origin"] or ()))
    indexed = sp.IndexedBase(name_of(symbol)) if origin else None
    return Variable(symbol, shape, assumptions, indexed, origin)
