"""Losses: from a network, or a prediction and a target, to one scalar definition.

To add a loss, decorate a function from the list of residual entries to a
scalar with `loss`; it then takes networks and pairs of formulas alike. The
constant of every loss is in its definition, and so in everything printed.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import sympy as sp

from symgrad import graph as graphs
from symgrad import trees
from symgrad.algebra import add, elementwise, scale, sum_entries
from symgrad.errors import OptionError, ShapeError, checks_options
from symgrad.formula import Formula, merged_inputs
from symgrad.graph import Graph, Label
from symgrad.layers import Network
from symgrad.shapes import name_of, shape_of, worded
from symgrad.trees import times


@dataclass(frozen=True)
class Loss:
    """One entry of the registry.

    Attributes:
        name: What users call, `"mse"`.
        law: The loss in words of mathematics.
        define: From prediction and target (both a matrix, or both a list of scalars) to the loss.
        example: A prediction, a target and the value, which the tests compare.
    """

    name: str
    law: str
    define: Callable[[Any, Any], Any]
    example: tuple[Any, Any, Any]


#: Every loss, by name.
LOSSES: dict[str, Loss] = {}


def loss(*, law: str, example: tuple[Any, Any, Any]) -> Callable[[Any], Any]:
    """Register a loss (a decorator); the function's docstring is what users read."""

    def register(define: Any) -> Any:
        name = define.__name__
        entry = Loss(name, law, define, example)
        LOSSES[name] = entry

        def made(prediction: Any, target: Any = None) -> Formula:
            return _applied(entry, prediction, target)

        made.__name__ = made.__qualname__ = name
        made.__doc__ = define.__doc__
        made.__module__ = define.__module__
        return checks_options(made)

    return register


def _applied(entry: Loss, prediction: Any, target: Any) -> Formula:
    if isinstance(prediction, Network):
        if target is not None:
            raise OptionError(f"{entry.name}(net) declares the target itself; give no other")
        return _of_network(entry, prediction)
    if target is None:
        raise OptionError(
            f"{entry.name} takes a network, or a prediction and a target, each a Formula or SymPy"
        )
    return _of_pair(entry, Formula.of(prediction, name="yhat"), Formula.of(target, name="y"))


def _of_network(entry: Loss, net: Network) -> Formula:
    built, model, target = net._built, net.output, net.target
    outputs, targets = list(built.outputs), list(built.targets)
    value = entry.define(
        *((outputs, targets) if net.form == "scalars" else (outputs[0], targets[0]))
    )
    base = replace(model.graph, definitions=built.definitions)
    return _loss_formula(base, target.graph, value, model, tuple(map(name_of, targets)))


def _of_pair(entry: Loss, prediction: Formula, target: Formula) -> Formula:
    first, second = shape_of(prediction.output), shape_of(target.output)
    if len(first) != len(second) or not all(
        sp.expand(a - b) == 0 for a, b in zip(first, second, strict=False)
    ):
        raise ShapeError(
            f"the prediction is {worded(prediction.shape)}, but the target is "
            f"{worded(target.shape)}; they must be equal"
        )
    pair = [prediction.output], [target.output]
    value = entry.define(*((pair[0][0], pair[1][0]) if first else pair))
    names = tuple(target.inputs)
    return _loss_formula(prediction.graph, target.graph, value, prediction, names)


def _loss_formula(
    first: Graph, second: Graph, value: Any, model: Formula, targets: tuple[str, ...]
) -> Formula:
    inputs = merged_inputs(first.inputs, second.inputs)
    known = [name_of(symbol) for symbol, _ in first.definitions]
    extra = tuple(d for d in second.definitions if name_of(d[0]) not in known)
    if len(extra) < len(second.definitions):
        raise OptionError("prediction and target use one name for different definitions")
    used = trees.symbols(value)
    extra = extra if any(symbol in used for symbol, _ in extra) else ()
    names = {variable.name for variable in inputs} | set(known)
    symbol = sp.Symbol(graphs.fresh("L", names), real=True)
    definitions = (*first.definitions, *extra, (symbol, value))
    graphs.check(inputs, definitions)
    labels = {**second.labels, **first.labels, name_of(symbol): Label("L", "loss")}
    parameters = tuple(dict.fromkeys(first.parameters + second.parameters))
    made = Graph(inputs, parameters, definitions, (symbol,), labels)
    introduced = first.introduced | second.introduced
    return Formula(replace(made, introduced=introduced), symbol, model=model, targets=targets)


def _squares(prediction: Any, target: Any) -> Any:
    """Return the sum of squared residuals, prediction minus target."""
    if isinstance(prediction, list):
        return sp.Add(*((a - y) ** 2 for a, y in zip(prediction, target, strict=True)))
    residual = add(prediction, scale(sp.S.NegativeOne, target))
    return sum_entries(elementwise(lambda r: r**2, residual))


def _count(prediction: Any) -> Any:
    """Return how many entries a prediction has: samples times outputs."""
    if isinstance(prediction, list):
        return sp.Integer(len(prediction))
    return prediction.shape[0] * prediction.shape[1]


@loss(
    law="1/(n k) sum over all n samples and k outputs of (prediction - target)^2",
    example=([[1, 2], [3, 4]], [[0, 2], [5, 3]], sp.Rational(6, 4)),
)
def mse(prediction: Any, target: Any) -> Any:
    """Mean squared error: the mean over all n samples and k outputs.

    Args:
        prediction: A `Network`, or a Formula or SymPy expression of the prediction.
        target: The target of the same shape; none for a network.

    Returns:
        A scalar Formula named `L`, with the constant 1/(n k) in its definition.

    Raises:
        ShapeError: Prediction and target have different shapes.

    >>> import symgrad as sg
    >>> net = sg.Network(1, [sg.Dense(1, activation="tanh")]).scalars()
    >>> sg.mse(net).sympy
    (-y + tanh(b1 + w1*x))**2
    """
    return times(1 / _count(prediction), _squares(prediction, target))


@loss(
    law="sum over all samples and outputs of (prediction - target)^2",
    example=([[1, 2], [3, 4]], [[0, 2], [5, 3]], sp.Integer(6)),
)
def sse(prediction: Any, target: Any) -> Any:
    """Sum of squared errors, over all samples and outputs; see `mse` for the arguments.

    >>> import symgrad as sg
    >>> net = sg.Network(1, [sg.Dense(1)]).scalars()
    >>> sg.sse(net).sympy
    (b1 + w1*x - y)**2
    """
    return _squares(prediction, target)


@loss(
    law="1/2 sum over all samples and outputs of (prediction - target)^2",
    example=([[1, 2], [3, 4]], [[0, 2], [5, 3]], sp.Integer(3)),
)
def half_sse(prediction: Any, target: Any) -> Any:
    """Half the sum of squared errors, so that the 2 of the square cancels; see `mse`.

    >>> import symgrad as sg
    >>> net = sg.Network(1, [sg.Dense(1)]).scalars()
    >>> sg.half_sse(net).sympy
    (b1 + w1*x - y)**2/2
    """
    return times(sp.Rational(1, 2), _squares(prediction, target))
