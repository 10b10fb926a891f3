"""The one noun: a `Formula` is a value given by named definitions over declared inputs."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

import sympy as sp

from symgrad import algebra, bare, trees
from symgrad import graph as graphs
from symgrad.errors import (
    OptionError,
    ShapeError,
    UnsupportedError,
    checks_options,
    listed,
    unknown,
)
from symgrad.forms import Forms, combined, constant
from symgrad.graph import Graph
from symgrad.graph.layouts import held_shape, layouts
from symgrad.shapes import (
    Variable,
    declare,
    name_of,
    numpy_shape,
    same_shape,
    same_shape_by_name,
    shape_of,
    variable_of,
    worded,
)


@dataclass(frozen=True, eq=False, repr=False)
class Formula:
    """A scalar, vector or matrix value given by named definitions over declared inputs.

    Attributes:
        graph: The ordered definitions; iterating gives `(symbol, expression)` pairs.
        output: The symbol (or small expression) whose value this formula is.
        model: For a loss: the formula of its prediction, else None.
        targets: For a loss: the names of the inputs that hold the targets.
        derivation: For a derivative: how it came about, else None.
        source: The text that it was read from, if it was.
        forms: For a loss of a network: how it is made of the network's other forms, else None.

    >>> w, z, b, y = sp.symbols("w z b y", real=True)
    >>> loss = Formula.of((sp.tanh(w * z + b) - y) ** 2)
    >>> loss.shape, sorted(loss.inputs)
    ((), ['b', 'w', 'y', 'z'])
    """

    graph: Graph
    output: Any
    model: Formula | None = None
    targets: tuple[str, ...] = ()
    derivation: Any = field(default=None)
    source: str = ""
    forms: Forms | None = None

    @staticmethod
    @checks_options
    def of(
        expression: Any,
        shapes: Mapping[str, Any] | None = None,
        assumptions: Mapping[str, Any] | None = None,
        parameters: Iterable[Any] | None = None,
        *,
        name: str = "",
    ) -> Formula:
        """Wrap a bare SymPy expression; a Formula is returned as it is.

        Args:
            expression: Scalars (with `Sum`, `Indexed`, `Piecewise`, `Abs`, `Max`), explicit
                matrices of symbols, expressions over matrix symbols.
            shapes: NumPy's shape of an input by name, where it is not the symbol's own:
                `{"b": ("k",)}` makes an (k, 1) matrix symbol a 1-D array.
            assumptions: Words by name, see `symgrad.shapes.ASSUMPTIONS`.
            parameters: The names of the inputs that are trained.
            name: The name of the value; made up where none is given.

        Raises:
            ShapeError: Shapes in the expression do not fit.
            OptionError: A name in `shapes`, `assumptions` or `parameters` does not occur,
                or two symbols of one name contradict each other.
            UnsupportedError: Something that is not a real-valued SymPy expression.
        """
        if isinstance(expression, Formula):
            return expression
        if isinstance(parameters, (str, sp.Basic)):
            parameters = (parameters,)
        shaped = {name_of(key): value for key, value in (shapes or {}).items()}
        known = {name_of(key): value for key, value in (assumptions or {}).items()}
        return _wrap(expression, shaped, known, parameters, name)

    @property
    def sympy(self) -> Any:
        """The plain SymPy expression, definitions written out.

        Raises:
            UnsupportedError: It would be too large; the message has the count.
        """
        value = self.graph.inline(self.output)
        return bare.as_written(value, self.graph.inputs)

    @property
    def inputs(self) -> dict[str, Variable]:
        """The declared inputs by name, each with `.shape` and `.assumptions`."""
        return {variable.name: variable for variable in self.graph.inputs}

    @property
    def parameters(self) -> tuple[str, ...]:
        """The names of the inputs that are trained."""
        return self.graph.parameters

    @property
    def shape(self) -> tuple[Any, ...]:
        """NumPy's shape of the value; `()` for a scalar."""
        held = layouts(self.graph)
        return held_shape(self.output, held[self.output])

    @property
    def counts(self) -> dict[str, int]:
        """Matrix products, elementwise operations and reductions in all definitions."""
        return graphs.counts(self.graph)

    def latex(self, *, document: bool = False, detail: str = "result") -> str:
        """Print the definitions as LaTeX.

        Args:
            document: Print a whole document instead of the body alone.
            detail: `"result"`; a derivative also has `"chain"`.
        """
        from symgrad.formats import latex

        return latex.formula(self, document=document, detail=detail)

    def _repr_latex_(self) -> str:
        return f"$$\n{self.latex()}\n$$"

    def __repr__(self) -> str:
        names = listed(self.inputs) if self.inputs else "no inputs"
        return (
            f"Formula({name_of(self.output)}: {worded(self.shape)}, "
            f"{len(self.graph)} definitions over {names})"
        )

    def __getitem__(self, key: Any) -> Formula:
        """Return one entry as a scalar formula: `g[0, 1]`, or `g[0]` of a vector."""
        shape = self.shape
        index = key if isinstance(key, tuple) else (key,)
        if len(index) != len(shape) or not all(_is_whole(i) for i in index):
            raise OptionError(
                f"an entry of a value of shape {worded(shape)} takes {len(shape)} integers, "
                f"not {key!r}"
            )
        held = layouts(self.graph)[self.output]
        place = {"column": (*index, 0), "row": (0, *index)}.get(held, index)
        entry = _checked_entry(self.output, place)
        return self._with_output(
            f"{name_of(self.output)}_{'_'.join(str(i + 1) for i in index)}", entry
        )

    #: An entry is asked for by its place; a formula is no sequence.
    __iter__ = None

    def _with_output(self, name: str, expression: Any) -> Formula:
        name = graphs.fresh(name, self.graph.symbols)
        symbol = graphs.symbol_like(name, shape_of(expression))
        definitions = (*self.graph.definitions, (symbol, expression))
        graph = replace(self.graph, definitions=definitions, outputs=(symbol,))
        return replace(
            self, graph=graph, output=symbol, derivation=None, model=None, targets=(), forms=None
        )

    def __add__(self, other: Any) -> Formula:
        return _combine(self, other, _plus)

    def __radd__(self, other: Any) -> Formula:
        return _combine(self, other, _added_to)

    def __sub__(self, other: Any) -> Formula:
        return _combine(self, other, _minus)

    def __rsub__(self, other: Any) -> Formula:
        return _combine(self, other, _subtracted_from)

    def __neg__(self) -> Formula:
        return self * -1

    def __mul__(self, other: Any) -> Formula:
        return _combine(self, other, _times)

    __rmul__ = __mul__

    def __truediv__(self, other: Any) -> Formula:
        return _combine(self, other, _over)

    def __rtruediv__(self, other: Any) -> Formula:
        return _combine(self, other, _divided_into)

    def __pow__(self, other: Any) -> Formula:
        return _combine(self, other, _to_the)


def _is_whole(index: Any) -> bool:
    return hasattr(index, "__index__") and not isinstance(index, bool)


def _checked_entry(symbol: Any, place: tuple[int, ...]) -> Any:
    for i, size in zip(place, symbol.shape, strict=True):
        if i < 0 or (size.is_Integer and i >= size):
            raise OptionError(f"index {i} is outside 0..{size - 1} of `{symbol}`")
    return symbol[tuple(map(int, place))]


# -------------------------------------------------------------------- combining


def _plus(first: Any, second: Any) -> Any:
    if not getattr(first, "is_Matrix", False):
        return first + second
    return algebra.add(first, second)


def _minus(first: Any, second: Any) -> Any:
    return _plus(first, _negative(second))


def _added_to(first: Any, second: Any) -> Any:
    return _plus(second, first)


def _subtracted_from(first: Any, second: Any) -> Any:
    return _plus(second, _negative(first))


def _divided_into(first: Any, second: Any) -> Any:
    return _over(second, first)


def _negative(value: Any) -> Any:
    return algebra.scale(-1, value) if value.is_Matrix else trees.times(sp.S.NegativeOne, value)


def _times(first: Any, second: Any) -> Any:
    if first.is_Matrix and second.is_Matrix:
        raise UnsupportedError(
            "`*` multiplies a formula by a scalar; write matrix products in SymPy"
        )
    if first.is_Matrix:
        return algebra.scale(second, first)
    return algebra.scale(first, second) if second.is_Matrix else trees.times(second, first)


def _over(first: Any, second: Any) -> Any:
    if second.is_Matrix:
        raise UnsupportedError("a formula is divided by scalars; this one is a matrix")
    return _times(first, 1 / second)


def _to_the(first: Any, second: Any) -> Any:
    if first.is_Matrix or second.is_Matrix:
        raise UnsupportedError(
            "`**` is for scalar formulas; write powers of entries with sg.elementwise"
        )
    return first**second


_SUMS = (_plus, _minus, _added_to, _subtracted_from)


def _combine(first: Formula, other: Any, operation: Any) -> Formula:
    first, second = _of_one_naming(first, Formula.of(other))
    left, right = _absorbed(first), _absorbed(second)
    inputs = merged_inputs(left[0].inputs, right[0].inputs)
    left = _without_clash(*left, right[0])
    definitions, renamed = _merged_definitions(left[0], right[0])
    shapes = shape_of(left[1]), shape_of(right[1])
    if operation in _SUMS and not same_shape(*shapes):
        raise ShapeError(
            f"cannot add {worded(shapes[1])} to {worded(shapes[0])}; the shapes must be equal"
        )
    expression = operation(left[1], trees.replace(right[1], renamed))
    names = {v.name for v in inputs} | {name_of(s) for s, _ in definitions}
    name = graphs.fresh(name_of(first.output), names)
    symbol = graphs.symbol_like(name, shape_of(expression))
    labels = {**right[0].labels, **left[0].labels}
    new = {name_of(renamed[s]) for s in renamed if name_of(s) in right[0].introduced}
    graphs.check(inputs, [*definitions, (symbol, expression)])
    graph = Graph(
        inputs=inputs,
        parameters=tuple(dict.fromkeys(left[0].parameters + right[0].parameters)),
        definitions=(*definitions, (symbol, expression)),
        outputs=(symbol,),
        labels=labels,
        introduced=left[0].introduced | (right[0].introduced - set(map(name_of, renamed))) | new,
    )
    model = first if first.model else second
    forms = None
    if first.forms or second.forms:
        left_forms, right_forms = (f.forms or _one_form(f) for f in (first, second))
        combine = partial(_combine, operation=operation)
        forms = combined(left_forms, right_forms, combine, adds=operation in _SUMS)
    return Formula(graph, symbol, model=model.model, targets=model.targets, forms=forms)


def _one_form(formula: Formula) -> Forms | None:
    """Return the forms of a number, or of a formula of numbers, which are all the same."""
    known = formula.model is not None or any(v.shape for v in formula.graph.inputs)
    return None if known or formula.shape else constant(formula)


def _of_one_naming(*formulas: Formula) -> tuple[Formula, ...]:
    """Make symbols of one name one symbol in all formulas, where their assumptions allow it."""
    symbols = [v.symbol for formula in formulas for v in formula.graph.inputs]
    changes = bare.unification(symbols)
    if not changes:
        return formulas
    return tuple(_renamed(formula, changes) for formula in formulas)


def _renamed(formula: Formula, changes: Mapping[Any, Any]) -> Formula:
    def change(value: Any) -> Any:
        return bare.renamed(value, changes)

    graph = formula.graph
    renamed = replace(
        graph,
        inputs=tuple(replace(v, symbol=change(v.symbol)) for v in graph.inputs),
        definitions=tuple((change(s), change(e)) for s, e in graph.definitions),
        outputs=tuple(map(change, graph.outputs)),
    )
    return replace(formula, graph=renamed, output=change(formula.output))


def _without_clash(graph: Graph, value: Any, other: Graph) -> tuple[Graph, Any]:
    """Rename what the engine named in a graph and the other graph has as an input.

    Raises:
        OptionError: A definition that has its name for good is an input of the other.
    """
    names = {v.name for v in other.inputs}
    taken = {*names, *graph.symbols, *other.symbols}
    renamed: dict[Any, Any] = {}
    definitions, introduced = [], set(graph.introduced)
    for symbol, expression in graph.definitions:
        name = name_of(symbol)
        if name in names:
            if name not in graph.introduced:
                raise OptionError(
                    f"`{name}` is a definition of one formula and an input of the other"
                )
            taken.add(fresh := graphs.fresh(name, taken))
            introduced = introduced - {name} | {fresh}
            renamed[symbol] = graphs.symbol_like(fresh, shape_of(symbol))
        definitions.append((renamed.get(symbol, symbol), trees.replace(expression, renamed)))
    if not renamed:
        return graph, value
    made = replace(graph, definitions=tuple(definitions), introduced=frozenset(introduced))
    return made, trees.replace(value, renamed)


def _absorbed(formula: Formula) -> tuple[Graph, Any]:
    """Take a formula's last definition off, so that sums of losses read as one loss."""
    graph = formula.graph
    if formula.model is None:  # a loss keeps its prediction, with which gradients are written
        graph = graph.needed([formula.output])
    if graph.definitions and graph.definitions[-1][0] == formula.output:
        return replace(graph, definitions=graph.definitions[:-1]), graph.definitions[-1][1]
    return graph, formula.output


def merged_inputs(first: Iterable[Variable], second: Iterable[Variable]) -> tuple[Variable, ...]:
    """Join declared inputs; equal names must have equal shapes.

    Raises:
        ShapeError: One name is declared with two shapes.
    """
    joined = {variable.name: variable for variable in first}
    for variable in second:
        known = joined.setdefault(variable.name, variable)
        if known.symbol != variable.symbol:
            raise ShapeError(
                f"`{variable.name}` is {worded(known.shape)} in one formula and "
                f"{worded(variable.shape)} in the other"
            )
    # A scalar with the name of a size is that size, which the arrays tell.
    sizes = {name_of(size) for v in joined.values() for size in _sizes_of(v)}
    return tuple(v for v in joined.values() if v.shape or v.name not in sizes)


def _sizes_of(variable: Variable) -> set[Any]:
    return {s for size in variable.sizes for s in size.free_symbols}


def _merged_definitions(first: Graph, second: Graph) -> tuple[list[Any], dict[Any, Any]]:
    definitions = list(first.definitions)
    known = {name_of(symbol): (symbol, expression) for symbol, expression in definitions}
    taken = {*known, *(v.name for v in (*first.inputs, *second.inputs)), *second.defined_names}
    renamed: dict[Any, Any] = {}
    for symbol, expression in second.definitions:
        expression = trees.replace(expression, renamed)
        name = name_of(symbol)
        if name in known and known[name] == (symbol, expression):
            continue
        clash = any(v.name == name for v in first.inputs)
        if clash and name not in second.introduced:
            raise OptionError(f"`{name}` is an input of one formula and a definition of the other")
        if name in known or clash:
            name = graphs.fresh(name, taken)
            taken.add(name)
            renamed[symbol] = graphs.symbol_like(name, shape_of(symbol))
        definitions.append((renamed.get(symbol, symbol), expression))
    return definitions, renamed


# ------------------------------------------------------------------- wrapping


def _wrap(
    expression: Any,
    shapes: dict[str, Any],
    assumptions: dict[str, Any],
    parameters: Iterable[Any] | None,
    name: str,
) -> Formula:
    expression = bare.normalized(expression)
    found = sorted(trees.symbols(expression), key=lambda s: (name_of(s), str(type(s))))
    ranges = bare.index_ranges(expression)
    sizes = {
        size
        for symbol in found
        for extent in bare.sizes_of(symbol, ranges)
        for size in sp.sympify(extent).free_symbols
    }
    variables = [s for s in found if s not in sizes]
    names = [name_of(s) for s in variables]
    for given in (*shapes, *assumptions):
        if given not in names:
            raise unknown("input", given, names)
    inputs = tuple(
        _declared(s, shapes.get(name_of(s)), assumptions.get(name_of(s), ()), ranges)
        for s in variables
    )
    chosen = tuple(map(name_of, parameters or ()))
    for parameter in chosen:
        if parameter not in names:
            raise unknown("parameter", parameter, names)
    taken = {*names, *map(str, sizes)}
    expression = bare.without_indexed(expression, ranges)
    definitions, last = graphs.flatten(expression, taken)
    introduced = frozenset(name_of(s) for s, _ in definitions)
    symbol = graphs.symbol_like(graphs.fresh(name or "L", taken | introduced), shape_of(expression))
    definitions.append((symbol, last))
    graphs.check(inputs, definitions)
    graph = Graph(inputs, chosen, tuple(definitions), (symbol,), {}, introduced)
    return Formula(graph, symbol)


def _declared(symbol: Any, shape: Any, words: Any, ranges: Mapping[Any, Any]) -> Variable:
    if not isinstance(symbol, sp.IndexedBase):
        return variable_of(symbol, shape, words)
    extent = bare.sizes_of(symbol, ranges)
    for size, (low, high) in zip(extent, ranges[symbol], strict=True):
        if (high - low + 1 - size).is_positive:
            raise ShapeError(
                f"`{symbol}` is {worded(numpy_shape(extent))}, but its indices run from {low} to "
                f"{high}"
            )
    declared = declare(name_of(symbol), shape or numpy_shape(extent), words)
    if not same_shape_by_name(declared.sizes, extent):
        raise ShapeError(
            f"`{symbol}` is declared as {worded(declared.shape)}, but its indices run over "
            f"{worded(extent)}"
        )
    origin = tuple(low for low, _ in ranges[symbol])
    return replace(
        declared, symbol=bare.array_symbol(symbol, ranges), indexed=symbol, origin=origin
    )
