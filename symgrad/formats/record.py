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
from symgrad.shapes import Variable, name_of

_HEADS: dict[str, Any] = {
    head.__name__: head
    for head in (
        *(sp.Add, sp.Mul, sp.Pow, sp.MatAdd, sp.MatMul, sp.HadamardProduct, sp.HadamardPower),
        *(sp.Transpose, sp.Trace, sp.Inverse, sp.Determinant, sp.MatPow, MatrixElement),
        *(sp.ZeroMatrix, sp.OneMatrix, sp.Identity, sp.FunctionMatrix, UnitMatrix),
        *(Broadcast, Elementwise, SumColumns, SumEntries, SumRows),
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
        raise DataError(f"not the record of an expression: {str(record)[:80]}")
    head, *rest = record
    try:
        if head in _READERS:
            return _READERS[head](*rest)
        if head in _HEADS:
            below = [to_expression(part) for part in rest]
            return trees.CONSTRUCTORS.get(_HEADS[head], _HEADS[head])(*below)
    except (TypeError, ValueError, AttributeError, KeyError, IndexError, RecursionError) as error:
        raise DataError(f"the record of `{head}` is broken: {error}") from None
    raise DataError(f"unknown head `{head}` in the record of an expression")


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
    "Rational": lambda p, q: sp.Rational(int(p), int(q)),
    "Float": lambda digits: sp.Float(float(digits)),
    "Lambda": lambda variables, body: sp.Lambda(
        tuple(map(to_expression, variables)), to_expression(body)
    ),
    "Matrix": lambda rows, columns, entries: sp.ImmutableMatrix(
        int(rows), int(columns), list(map(to_expression, entries))
    ),
}


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
        inputs = tuple(map(_to_variable, record["inputs"]))
        definitions = tuple((to_expression(s), to_expression(e)) for s, e in record["definitions"])
        output = to_expression(record["output"])
        labels = {
            name: Label(**{**label, "index": tuple(label["index"])})
            for name, label in record["labels"].items()
        }
        parameters = tuple(map(str, record["parameters"]))
        introduced = frozenset(map(str, record["introduced"]))
        targets = tuple(map(str, record["targets"]))
        model = to_formula(record["model"]) if record["model"] is not None else None
    except (KeyError, TypeError, AttributeError, ValueError) as error:
        raise DataError(f"the record of a formula is broken: {error!r}") from None
    check(inputs, definitions)
    graph = Graph(inputs, parameters, definitions, (output,), labels, introduced)
    return Formula(graph, output, model=model, targets=targets)


def _to_variable(record: Any) -> Variable:
    symbol = to_expression(record["symbol"])
    shape = tuple(size if isinstance(size, int) else str(size) for size in record["shape"])
    origin = tuple(map(to_expression, record["origin"] or ()))
    indexed = sp.IndexedBase(name_of(symbol)) if origin else None
    return Variable(symbol, shape, tuple(record["assumptions"]), indexed, origin)
