"""Text in NumPy's expression language, read into a formula; it is never run."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from symgrad import bare, trees
from symgrad import graph as graphs
from symgrad.errors import (
    OptionError,
    SymgradError,
    checks_options,
    unknown,
)
from symgrad.formula import Formula
from symgrad.graph import Graph, Label
from symgrad.matrices import Broadcast
from symgrad.reading.text.evaluate import NAMESPACES, Evaluator
from symgrad.reading.text.grammar import Loop, Token, located, placed, statements
from symgrad.reading.text.loops import (
    Versions,
    assigned_again,
    carried_out,
    needs_no_name,
)
from symgrad.reading.text.values import Value
from symgrad.reading.text.words import WORDS
from symgrad.shapes import Variable, declare, name_of, shape_of

#: Names that no input or definition may have.
TAKEN = frozenset({*NAMESPACES, "pi", "e", "True", "False", "None"})


@checks_options
def parse(
    text: str,
    shapes: Mapping[str, Any] | None = None,
    assumptions: Mapping[str, Any] | None = None,
    parameters: Iterable[Any] | None = None,
) -> Formula:
    """Read a formula from text in NumPy's expression language.

    Args:
        text: An expression, such as `"sum((tanh(X @ W + b) - Y)**2) / n"`. Definitions
            `name = expression` may come before it, each on a line of its own or followed by `;`.
            A last definition is the formula. `np.` before a function may stand or be left out.
        shapes: NumPy's shape by name: a tuple of integers and names of sizes, `()` for a scalar.
            The names of sizes may be used in the text. Without it, all names are scalars.
        assumptions: A word, or a list of words, by name: `"symmetric"`, `"positive"`; see
            `symgrad.shapes.ASSUMPTIONS`.
        parameters: The names of the inputs that are trained.

    Returns:
        A `Formula`. Broadcasting and 1-D arrays mean what they mean in NumPy.

    Raises:
        ParseError: The text is not of this language; the message marks the column.
        ShapeError: Shapes that do not fit, with the place.
        OptionError: A name in `assumptions` or `parameters` that the text does not use.
        UnsupportedError: An operation that has no meaning here, with the place.

    >>> loss = parse("mean((X @ w + b - y)**2)", {"X": ("n", 3), "w": 3, "b": (), "y": "n"})
    >>> loss.shape, sorted(loss.inputs)
    ((), ['X', 'b', 'w', 'y'])
    """
    reading = _Reading(text, _declared(shapes, assumptions), shapes is None)
    return reading.formula(assumptions or {}, parameters or ())


def _declared(
    shapes: Mapping[str, Any] | None, assumptions: Mapping[str, Any] | None
) -> dict[str, Variable]:
    for given, what in ((shapes, "shapes"), (assumptions, "assumptions")):
        if given is not None and not isinstance(given, Mapping):
            raise OptionError(f"{what} is a mapping by name, such as {{'X': ...}}, not {given!r}")
    words = {name_of(name): given for name, given in (assumptions or {}).items()}
    found = {}
    for key, shape in (shapes or {}).items():
        name = name_of(key)
        if not (name.isidentifier() and name.isascii()):
            raise OptionError(
                f"`{name}` cannot be written in a formula: names are ASCII letters, digits and "
                "underscores"
            )
        if name in TAKEN or _is_word(name):
            raise OptionError(f"`{name}` has a meaning in formulas and cannot be an input")
        found[name] = declare(name, shape, words.get(name, ()))
    return found


def _is_word(name: str) -> bool:
    """Tell whether a name is a function's, and not one that people give to variables, too."""
    return name in WORDS and name not in ("gamma", "psi")


@dataclass
class _Reading:
    """One text on its way to a formula.

    Attributes:
        text: The text.
        declared: The inputs by name.
        scalars: Whether names that are not declared are scalars.
    """

    text: str
    declared: dict[str, Variable]
    scalars: bool = False
    definitions: list[tuple[Any, Any]] = field(default_factory=list)
    labels: dict[str, Label] = field(default_factory=dict)
    introduced: set[str] = field(default_factory=set)
    names_of_scalars: dict[Any, Any] = field(default_factory=dict)
    taken: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        """Note the names of the inputs and of the sizes."""
        self.taken |= {*self.declared, *_sizes(self.declared.values())}

    def formula(self, assumptions: Mapping[Any, Any], parameters: Iterable[Any]) -> Formula:
        """Read all statements; the last one is the formula."""
        words = {name_of(name): given for name, given in assumptions.items()}
        sizes = _sizes(self.declared.values())
        evaluator = Evaluator(self.text, self._scope(sizes), self._look_up(words), self.named)
        read = statements(self.text)
        last = read[-1]
        if isinstance(last, Loop):
            message = (
                "the last line is the formula, and a loop has no value; write what it computed"
            )
            raise located(self.text, last.name.start, message)
        versions = Versions(assigned_again(read))
        name = ""
        for token, node in carried_out(read, evaluator):
            if token is None and node is not last.value:
                raise located(self.text, node.start, "only the last line may be without a name")
            value = evaluator.value(node)
            own = self._checked(token, versions) if token else self._fresh("L")
            if own in versions.numbers and needs_no_name(value) and node is not last.value:
                versions.next(own, ())
                evaluator.scope[own] = value
                continue
            name = versions.next(own, self.taken) if token else own
            try:
                evaluator.scope[own] = self._define(name, value)
            except SymgradError as error:
                raise placed(self.text, node.start, error) from error
        return self._finished(name, words, tuple(map(name_of, parameters)))

    def _scope(self, sizes: Mapping[str, Any]) -> dict[str, Value]:
        known = {name: Value(v.symbol, len(v.shape)) for name, v in self.declared.items()}
        clash = [name for name in sizes if name in known]
        if clash:
            raise OptionError(f"`{clash[0]}` is the name of an input and of a size; rename one")
        return {**known, **{name: Value(symbol) for name, symbol in sizes.items()}}

    def _look_up(self, words: Mapping[str, Any]) -> Any:
        """Return what makes a value of a name that is not known: a scalar, or an error."""

        def found(name: str) -> Value | None:
            if not self.scalars or name in TAKEN:
                return None
            self.declared[name] = declare(name, (), words.get(name, ()))
            self.taken.add(name)
            return Value(self.declared[name].symbol)

        return found

    def _fresh(self, name: str) -> str:
        return graphs.fresh(name, self.taken)

    def _checked(self, token: Token, versions: Versions) -> str:
        name = token.text
        if name in TAKEN or _is_word(name):
            message = f"`{name}` has a meaning in formulas and cannot be defined"
            raise located(self.text, token.start, message)
        if name in self.declared or name in _sizes(self.declared.values()):
            raise located(self.text, token.start, f"`{name}` is an input; define another name")
        if name in self.taken and name not in versions.numbers:
            raise located(self.text, token.start, f"`{name}` is defined already")
        return name

    def _define(self, name: str, value: Value) -> Value:
        expression = bare.normalized(value.node)
        if value.rank and not expression.is_Matrix:  # an array of one entry was made a scalar
            expression = Broadcast(expression, 1, 1)
        last = self._flattened(expression, name)
        symbol = graphs.symbol_like(name, shape_of(expression))
        self.definitions.append((symbol, last))
        self.taken.add(name)
        self.labels[name] = Label(rank=value.rank)
        return Value(symbol, value.rank)

    def _flattened(self, expression: Any, name: str) -> Any:
        parts, last = graphs.flatten(expression, self.taken | {name}, len(self.introduced))
        self.taken |= {name_of(symbol) for symbol, _ in parts}
        self.introduced |= {name_of(symbol) for symbol, _ in parts}
        self.definitions += parts
        return last

    def named(self, value: Value) -> Value:
        """Name a scalar that is made of matrices: SymPy cannot compare those."""
        if value.rank or not _of_matrices(value.node):
            return value
        expression = bare.normalized(value.node)
        if expression not in self.names_of_scalars:
            last = self._flattened(expression, "")
            symbol = graphs.symbol_like(self._next_scalar(), ())
            self.introduced.add(name_of(symbol))
            self.definitions.append((symbol, last))
            self.taken.add(name_of(symbol))
            self.names_of_scalars[expression] = symbol
        return Value(self.names_of_scalars[expression])

    def _next_scalar(self) -> str:
        count = len(self.names_of_scalars) + 1
        while f"s{count}" in self.taken:
            count += 1
        return f"s{count}"

    def _finished(
        self, name: str, words: Mapping[str, Any], parameters: tuple[str, ...]
    ) -> Formula:
        used: set[Any] = set()
        for symbol, expression in self.definitions:
            used |= trees.symbols(expression) - {symbol}
        inputs = tuple(
            v
            for v in self.declared.values()
            # What cancels still tells the sizes.
            if v.symbol in used or not used.isdisjoint(_sizes([v]).values())
        )
        names = [v.name for v in inputs]
        for kind, given in (("input", words), ("parameter", parameters)):
            for key in given:
                if key not in names:
                    raise unknown(kind, key, names)
        graphs.check(inputs, self.definitions)
        output = self.definitions[-1][0]
        graph = Graph(
            inputs,
            parameters,
            tuple(self.definitions),
            (output,),
            self.labels,
            frozenset(self.introduced),
        )
        return Formula(graph.needed([output]), output, source=self.text)


def _of_matrices(expression: Any) -> bool:
    return any(node.is_Matrix for node in trees.postorder(expression) if hasattr(node, "is_Matrix"))


def _sizes(variables: Iterable[Variable]) -> dict[str, Any]:
    """Return the symbols of sizes, by name."""
    return {
        name_of(symbol): symbol
        for variable in variables
        for size in variable.sizes
        for symbol in sorted(size.free_symbols, key=name_of)
    }
