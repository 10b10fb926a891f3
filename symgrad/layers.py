"""Networks: from a specification by layers to named definitions.

A dense layer is an affine map followed by an activation. The same network can
be had in three forms: rows (a batch in the rows of X), columns (one sample x)
and scalars (every entry its own symbol).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import sympy as sp

from symgrad import functions, graph
from symgrad.algebra import add, broadcast, elementwise, multiply, softmax, transpose
from symgrad.errors import OptionError, ShapeError, checks_init, unknown
from symgrad.formula import Formula
from symgrad.graph import Definition, Graph, Label
from symgrad.shapes import Variable, declare, name_of
from symgrad.trees import times

ORIENTATIONS = ("rows", "columns")


@checks_init
@dataclass(frozen=True, eq=False)
class Dense:
    """A dense layer: an affine map of all inputs, then an activation of every unit.

    Args:
        units: How many units the layer has.
        activation: A name of `symgrad.functions.FUNCTIONS`, or a function class; None is
            the identity. `"softmax"` is for the last layer.
        bias: Whether every unit has a bias.

    Raises:
        OptionError: `units` is not a positive integer, or the activation is unknown.

    An instance that is used twice in a network shares its weights.

    >>> Dense(4, activation="tanh")
    Dense(4, activation='tanh', bias=True)
    """

    units: int
    activation: Any = None
    bias: bool = True

    def __post_init__(self) -> None:
        """Check the options."""
        if isinstance(self.units, bool) or not isinstance(self.units, int) or self.units < 1:
            raise OptionError(f"a layer has a positive whole number of units, not {self.units!r}")
        if not self.normalised:
            functions.activation(self.activation, also=["softmax"])
        elif self.units < 2:
            raise OptionError("softmax needs at least two units: of one, it is always 1")
        if not isinstance(self.bias, bool):
            raise OptionError(f"bias is True or False, not {self.bias!r}")

    def __repr__(self) -> str:
        return f"Dense({self.units}, activation={self.name!r}, bias={self.bias})"

    @property
    def normalised(self) -> bool:
        """Whether the activation is softmax, which takes all units of the layer together."""
        return self.activation is softmax or (
            isinstance(self.activation, str) and self.activation == "softmax"
        )

    @property
    def name(self) -> str:
        """The name of the activation."""
        return "softmax" if self.normalised else self.function.name

    @property
    def function(self) -> functions.ScalarFunction:
        """The activation's entry in the registry; softmax has none."""
        return functions.activation(self.activation)

    def activate(self, z: Any, axis: int) -> Any:
        """Apply the activation to a matrix of pre-activations, units along an axis."""
        return softmax(z, axis=axis) if self.normalised else elementwise(self.function.apply, z)


@dataclass(frozen=True)
class _Built:
    """A network written out: what a Formula needs."""

    inputs: tuple[Variable, ...]
    parameters: tuple[str, ...]
    definitions: tuple[Definition, ...]
    outputs: tuple[Any, ...]
    targets: tuple[Any, ...]
    logits: tuple[Any, ...]
    labels: dict[str, Label]


@checks_init
class Network:
    """A chain of dense layers as named definitions.

    Args:
        inputs: How many inputs a sample has.
        layers: `Dense` layers, in order.
        orientation: `"rows"`: Z1 = X W1 + b1 with the batch in the rows of X and W1 of
            shape (inputs, units); `"columns"`: z1 = W1 x + b1 for one sample x, with W1 of
            shape (units, inputs).

    Raises:
        OptionError: An option is not accepted.

    >>> net = Network(3, [Dense(2, activation="sigmoid", bias=False)])
    >>> net.parameters
    {'W1': (3, 2)}
    >>> [str(symbol) for symbol, _ in net.output.graph]
    ['Z1', 'Yhat']
    """

    def __init__(self, inputs: int, layers: Iterable[Dense], *, orientation: str = "rows") -> None:
        if isinstance(inputs, bool) or not isinstance(inputs, int) or inputs < 1:
            raise OptionError(f"a network has a positive whole number of inputs, not {inputs!r}")
        if orientation not in ORIENTATIONS:
            raise unknown("orientation", orientation, ORIENTATIONS)
        self._layers = _checked_layers(layers)
        self._inputs = inputs
        self._orientation = orientation
        self._scalar = False
        self._check_sharing()

    def _check_sharing(self) -> None:
        widths = self.widths
        given: dict[Dense, set[int]] = {}
        for layer, width in zip(self._layers, widths, strict=False):
            given.setdefault(layer, set()).add(width)
        for layer, used in given.items():
            if len(used) > 1:
                raise ShapeError(
                    f"{layer} is shared, but it is given {' and '.join(map(str, sorted(used)))} "
                    "inputs; a shared layer needs the same number everywhere"
                )

    @property
    def layers(self) -> tuple[Dense, ...]:
        """The layers, in order."""
        return self._layers

    @property
    def orientation(self) -> str:
        """`"rows"` or `"columns"`: how the weights are laid out."""
        return self._orientation

    @property
    def form(self) -> str:
        """`"rows"`, `"columns"` or `"scalars"`."""
        return "scalars" if self._scalar else self._orientation

    @property
    def widths(self) -> tuple[int, ...]:
        """The number of inputs, then of the units of every layer."""
        return (self._inputs, *(layer.units for layer in self._layers))

    @property
    def parameters(self) -> dict[str, tuple[Any, ...]]:
        """The shapes of weights and biases by name, in order."""
        return {name: self.output.inputs[name].shape for name in self._built.parameters}

    def rows(self) -> Network:
        """Return the same network for a batch in the rows of X."""
        return self._as("rows", scalar=False)

    def columns(self) -> Network:
        """Return the same network for one sample x, a column."""
        return self._as("columns", scalar=False)

    def scalars(self) -> Network:
        """Return the same network for one sample, with every entry its own symbol.

        `w1_2_1` is row 2, column 1 of the first layer's weights in this network's
        orientation; indices of size 1 are dropped.

        >>> Network(1, [Dense(1, activation="tanh")]).scalars().parameters
        {'w1': (), 'b1': ()}
        """
        return self._as(self._orientation, scalar=True)

    def _as(self, orientation: str, *, scalar: bool) -> Network:
        other = Network(self._inputs, self._layers, orientation=orientation)
        other._scalar = scalar
        return other

    def __repr__(self) -> str:
        layers = ", ".join(map(repr, self._layers))
        form = ".scalars()" if self._scalar else ""
        return f"Network({self._inputs}, [{layers}], orientation={self._orientation!r}){form}"

    @cached_property
    def _built(self) -> _Built:
        if self._scalar:
            return _in_scalars(self)
        return _in_rows(self) if self._orientation == "rows" else _in_columns(self)

    @property
    def output(self) -> Formula:
        """The prediction as a formula of the input and the parameters.

        In scalar form it is the one output, or a column of all outputs.
        """
        built, definitions = self._built, self._built.definitions
        output, labels = built.outputs[0], built.labels
        if len(built.outputs) > 1:
            table = sp.ImmutableMatrix(built.outputs)
            output = sp.MatrixSymbol("yhat", len(built.outputs), 1)
            definitions = (*definitions, (output, table))
            labels = {**labels, "yhat": Label("yhat", "prediction", rank=1)}
        return self._formula(built.inputs, definitions, output, labels)

    def _formula(self, inputs: Any, definitions: Any, output: Any, labels: Any) -> Formula:
        parameters = self._built.parameters
        made = Graph(tuple(inputs), parameters, tuple(definitions), (output,), labels)
        graph.check(made.inputs, made.definitions)
        return Formula(made, output)

    @property
    def target(self) -> Formula:
        """The target as a formula: `Y`, `y`, or a column of `y_1, y_2, ...`."""
        targets, labels = self._built.targets, self._built.labels
        declared = tuple(Variable(t, _shape_of_target(t)) for t in targets)
        if len(targets) == 1:
            return Formula(Graph(declared, (), (), targets, labels), targets[0])
        output = sp.MatrixSymbol("y", len(targets), 1)
        definition = (output, sp.ImmutableMatrix(targets))
        return Formula(Graph(declared, (), (definition,), (output,), labels), output)

    def latex(self, *, document: bool = False) -> str:
        """Print the network's definitions as LaTeX."""
        return self.output.latex(document=document)

    def _repr_latex_(self) -> str:
        return self.output._repr_latex_()

    def fit(self, X: Any, y: Any, *, loss: Any = None, **options: Any) -> Any:
        """Train the network: `symgrad.train` with this network's loss and data.

        Args:
            X: Inputs, samples on the first axis.
            y: Targets, samples on the first axis.
            loss: A loss such as `sg.mse` (the default).
            **options: The options of `symgrad.train`.
        """
        from symgrad import losses, training

        if loss is not None and not callable(loss):
            raise OptionError(f"loss is a function such as sg.mse, not {loss!r}")
        made = (losses.mse if loss is None else loss)(self)
        return training.train(made, (X, y), **options)


def _shape_of_target(symbol: Any) -> tuple[Any, ...]:
    if not symbol.is_Matrix:
        return ()
    rows, columns = symbol.shape
    return (str(rows), int(columns)) if rows.is_Symbol else (int(rows),)


def _checked_layers(layers: Iterable[Dense]) -> tuple[Dense, ...]:
    try:
        checked = tuple(layers)
    except TypeError:
        raise OptionError(f"layers are a list such as [sg.Dense(2)], not {layers!r}") from None
    if not checked:
        raise OptionError("a network needs at least one layer, such as sg.Dense(1)")
    for layer in checked:
        if not isinstance(layer, Dense):
            raise OptionError(f"a layer is an sg.Dense, not {layer!r}")
    if any(layer.normalised for layer in checked[:-1]):
        raise OptionError("softmax is for the last layer only")
    return checked


class _Names:
    """Names and labels of one network; a shared layer keeps the names of its first use."""

    def __init__(self, net: Network) -> None:
        self.count = len(net.layers)
        first: dict[Dense, int] = {}
        self.first = [first.setdefault(layer, k) for k, layer in enumerate(net.layers, 1)]
        self.labels: dict[str, Label] = {}
        self.parameters: dict[str, Variable] = {}

    def mark(self, layer: int | None) -> int | None:
        """Return the layer mark: none where there is only one layer."""
        return layer if self.count > 1 else None

    def note(
        self, name: str, letter: str, role: str, layer: int | None = None, index: Any = ()
    ) -> str:
        """Remember what a name stands for, and return the name."""
        self.labels[name] = Label(letter, role, self.mark(layer), tuple(index))
        return name

    def parameter(self, name: str, shape: Any, role: str, layer: int, index: Any = ()) -> Any:
        """Declare a parameter once, and return its symbol."""
        if name not in self.parameters:
            self.parameters[name] = declare(name, shape)
            self.note(name, name[0], role, layer, index)
        return self.parameters[name].symbol

    def activated(self, k: int, upper: bool) -> str:
        """Name the output of layer k, the last of which is the prediction."""
        if k == self.count:
            name = "Yhat" if upper else "yhat"
            return self.note(name, name, "prediction")
        letter = "H" if upper else "h"
        return self.note(f"{letter}{k}", letter, "activation", k)


def _in_rows(net: Network) -> _Built:
    names, widths = _Names(net), net.widths
    samples = declare(names.note("X", "X", "input"), ("n", widths[0]))
    targets = declare(names.note("Y", "Y", "target"), ("n", widths[-1]))
    n = samples.symbol.shape[0]
    below: Any = samples.symbol
    definitions: list[Definition] = []
    for k, layer in enumerate(net.layers, 1):
        first, units = names.first[k - 1], layer.units
        weight = names.parameter(f"W{first}", (widths[k - 1], units), "weight", first)
        z: Any = multiply(below, weight)
        if layer.bias:
            b = names.parameter(f"b{first}", (units,), "bias", first)
            z = add(z, broadcast(transpose(b), n, units) if n != 1 else transpose(b))
        symbol = sp.MatrixSymbol(names.note(f"Z{k}", "Z", "pre-activation", k), n, units)
        active = sp.MatrixSymbol(names.activated(k, upper=True), n, units)
        definitions += [(symbol, z), (active, layer.activate(symbol, 1))]
        below = active
    return _built(names, (samples,), definitions, (below,), (targets.symbol,), (symbol,))


def _in_columns(net: Network) -> _Built:
    names, widths = _Names(net), net.widths
    sample = declare(names.note("x", "x", "input"), (widths[0],))
    target = declare(names.note("y", "y", "target"), (widths[-1],))
    below: Any = sample.symbol
    definitions: list[Definition] = []
    for k, layer in enumerate(net.layers, 1):
        first, units = names.first[k - 1], layer.units
        weight = names.parameter(f"W{first}", (units, widths[k - 1]), "weight", first)
        z: Any = multiply(weight, below)
        if layer.bias:
            z = add(z, names.parameter(f"b{first}", (units,), "bias", first))
        symbol = sp.MatrixSymbol(names.note(f"z{k}", "z", "pre-activation", k), units, 1)
        active = sp.MatrixSymbol(names.activated(k, upper=False), units, 1)
        definitions += [(symbol, z), (active, layer.activate(symbol, 0))]
        below = active
    return _built(names, (sample,), definitions, (below,), (target.symbol,), (symbol,))


def _built(
    names: _Names, inputs: Any, definitions: Any, outputs: Any, targets: Any, logits: Any
) -> _Built:
    parameters = tuple(names.parameters.values())
    return _Built(
        (*inputs, *parameters),
        tuple(names.parameters),
        tuple(definitions),
        tuple(outputs),
        tuple(targets),
        tuple(logits),
        names.labels,
    )


def _entry_name(name: str, sizes: tuple[int, ...], index: tuple[int, ...]) -> tuple[str, Any]:
    """Name an entry, counted from 1, without the indices of size 1."""
    kept = tuple(i for i, size in zip(index, sizes, strict=True) if size > 1)
    return "_".join((name, *map(str, kept))), kept


def _vector_of(names: _Names, name: str, letter: str, role: str, size: int, layer: Any) -> Any:
    found = []
    for j in range(1, size + 1):
        entry, index = _entry_name(name, (size,), (j,))
        names.note(entry, letter, role, layer, index)
        found.append(sp.Symbol(entry, real=True))
    return found


def _in_scalars(net: Network) -> _Built:
    names, widths = _Names(net), net.widths
    sample = _vector_of(names, "x", "x", "input", widths[0], None)
    targets = _vector_of(names, "y", "y", "target", widths[-1], None)
    below = sample
    definitions: list[Definition] = []
    for k, layer in enumerate(net.layers, 1):
        weights, biases = _scalar_parameters(names, net, k)
        zs = _vector_of(names, f"z{k}", "z", "pre-activation", layer.units, k)
        last = names.activated(k, upper=False)
        letter, role = names.labels[last].letter, names.labels[last].role
        active = _vector_of(
            names, last, letter, role, layer.units, k if role != "prediction" else None
        )
        for j, z in enumerate(zs):
            terms = [times(w, h) for w, h in zip(weights[j], below, strict=True)]
            definitions.append((z, sp.Add(*terms, *biases[j : j + 1])))
        definitions += _activated(names, layer, zs, active)
        below = active
    inputs = tuple(Variable(symbol) for symbol in sample)
    return _built(names, inputs, definitions, below, targets, zs)


def _activated(names: _Names, layer: Dense, zs: list[Any], active: list[Any]) -> list[Definition]:
    """Define the outputs of a layer's units by their pre-activations."""
    if not layer.normalised:
        return [(a, layer.function.apply(z)) for z, a in zip(zs, active, strict=True)]
    total = sp.Symbol(names.note("s", "s", "intermediate"), real=True)
    outputs = [(a, sp.exp(z - total)) for z, a in zip(zs, active, strict=True)]
    return [(total, functions.logsumexp(*zs)), *outputs]


def _scalar_parameters(names: _Names, net: Network, k: int) -> tuple[list[list[Any]], list[Any]]:
    """Return the weights of every unit of layer k, and the biases, as symbols."""
    first, layer, below = names.first[k - 1], net.layers[k - 1], net.widths[k - 1]
    rows = net.orientation == "rows"
    sizes = (below, layer.units) if rows else (layer.units, below)
    table = {}
    for i in range(1, sizes[0] + 1):
        for j in range(1, sizes[1] + 1):
            name, index = _entry_name(f"w{first}", sizes, (i, j))
            unit, source = (j, i) if rows else (i, j)
            table[unit, source] = names.parameter(name, (), "weight", first, index)
    units = range(1, layer.units + 1)
    weights = [[table[unit, source] for source in range(1, below + 1)] for unit in units]
    biases = []
    for unit in units if layer.bias else ():
        name, index = _entry_name(f"b{first}", (layer.units,), (unit,))
        biases.append(names.parameter(name, (), "bias", first, index))
    return weights, biases


def sample_names(net: Network) -> tuple[list[str], list[str]]:
    """Return the names of a network's inputs and of its targets.

    >>> sample_names(Network(2, [Dense(1)]).scalars())
    (['x_1', 'x_2'], ['y'])
    """
    built = net._built
    parameters = set(built.parameters)
    names = [v.name for v in built.inputs if v.name not in parameters]
    return names, [name_of(symbol) for symbol in built.targets]


def in_form(net: Network, form: str) -> Network:
    """Return a network in the form of a notation: `"rows"`, `"columns"`, `"scalars"`, `"samples"`.

    Entries are written as texts do: the first index of a weight is that of the unit that it leads
    to. A sum over samples has columns, or numbers where every layer has one unit.

    >>> in_form(Network(2, [Dense(1)]), "scalars").parameters
    {'w1_1': (), 'w1_2': (), 'b1': ()}
    """
    if form == "scalars" or (form == "samples" and set(net.widths) == {1}):
        return net.columns().scalars()
    return net.rows() if form == "rows" else net.columns()
