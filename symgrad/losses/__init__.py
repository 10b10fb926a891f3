"""Losses: from a network, or a prediction and a target, to one scalar definition.

To add a loss, decorate a function from `Operands` to a scalar with `loss`; it
then takes networks and pairs of formulas alike. The constant of every loss is
in its definition, and so in everything printed.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import sympy as sp

from symgrad import functions, trees
from symgrad import graph as graphs
from symgrad.algebra import add, elementwise, scale, sum_entries
from symgrad.errors import OptionError, ShapeError, checks_options
from symgrad.facts import stem
from symgrad.forms import MEAN, Forms
from symgrad.formula import Formula, merged_inputs
from symgrad.graph import Graph, Label
from symgrad.layers import Network, in_form
from symgrad.matrices import Elementwise
from symgrad.shapes import Variable, name_of, shape_of, worded
from symgrad.softmax import Softmax


@dataclass(frozen=True)
class Operands:
    """What a loss is made of; matrices, or lists of scalars.

    Attributes:
        prediction: The prediction.
        target: The target, of the same shape.
        logits: The pre-activations of the prediction, where the loss is taken from them.
        axis: The axis of a matrix along which the classes are: 1, or 0 for a column.
    """

    prediction: Any
    target: Any
    logits: Any = None
    axis: int = 1

    @property
    def count(self) -> Any:
        """How many entries the prediction has: samples times outputs."""
        if isinstance(self.prediction, list):
            return sp.Integer(len(self.prediction))
        return self.prediction.shape[0] * self.prediction.shape[1]

    @property
    def samples(self) -> Any:
        """How many samples there are."""
        return (
            sp.S.One if isinstance(self.prediction, list) else self.prediction.shape[1 - self.axis]
        )

    @staticmethod
    def total(function: Callable[..., Any], *operands: Any) -> Any:
        """Add up a function of the entries of the operands."""
        if isinstance(operands[0], list):
            return sp.Add(*(function(*entries) for entries in zip(*operands, strict=True)))
        return sum_entries(elementwise(function, *operands))

    @property
    def residuals(self) -> Any:
        """Prediction minus target."""
        if isinstance(self.prediction, list):
            return [a - y for a, y in zip(self.prediction, self.target, strict=True)]
        return add(self.prediction, scale(sp.S.NegativeOne, self.target))


@dataclass(frozen=True)
class Loss:
    """One entry of the registry.

    Attributes:
        name: What users call, `"mse"`.
        law: The loss in words of mathematics.
        define: From `Operands`, and the loss's options, to a scalar.
        example: A prediction, a target and the value, which the tests compare.
        fuses: The activation with which the loss is taken from pre-activations: `"sigmoid"`,
            `"softmax"` or none.
        distribution: Whether every row of the target is one, and sums to one.
        reduce: What the loss of many samples is of those of single ones, `"mean"` or `"sum"`.
    """

    name: str
    law: str
    define: Callable[..., Any]
    example: tuple[Any, Any, Any]
    fuses: str = ""
    distribution: bool = False
    reduce: str = MEAN


#: Every loss, by name.
LOSSES: dict[str, Loss] = {}


def loss(
    *,
    law: str,
    example: tuple[Any, Any, Any],
    fuses: str = "",
    distribution: bool = False,
    reduce: str = MEAN,
) -> Callable[[Any], Any]:
    """Register a loss (a decorator); the function's docstring is what users read.

    Keyword arguments of the function are options of the loss. `from_logits` is an option of
    every loss that fuses an activation.
    """

    def register(define: Any) -> Any:
        name = define.__name__
        entry = Loss(name, law, define, example, fuses, distribution, reduce)
        LOSSES[name] = entry

        def made(prediction: Any, target: Any = None, **options: Any) -> Formula:
            return _applied(entry, prediction, target, **options)

        made.__name__ = made.__qualname__ = name
        made.__doc__ = define.__doc__
        made.__module__ = define.__module__
        made.__signature__ = _signature(define, fuses)  # type: ignore[attr-defined]
        return checks_options(made)

    return register


def _signature(define: Any, fuses: str) -> inspect.Signature:
    """Return what users see: the pair, then the options."""
    kind = inspect.Parameter
    pair = [
        kind("prediction", kind.POSITIONAL_OR_KEYWORD),
        kind("target", kind.POSITIONAL_OR_KEYWORD, default=None),
    ]
    options = list(inspect.signature(define).parameters.values())[1:]
    if fuses:
        options.append(kind("from_logits", kind.KEYWORD_ONLY, default=False))
    return inspect.Signature([*pair, *options], return_annotation=Formula)


def _applied(
    entry: Loss, prediction: Any, target: Any, *, from_logits: bool = False, **options: Any
) -> Formula:
    if isinstance(prediction, Network):
        if target is not None:
            raise OptionError(f"{entry.name}(net) declares the target itself; give no other")
        return _of_network(entry, prediction, from_logits, options)
    if target is None:
        raise OptionError(
            f"{entry.name} takes a network, or a prediction and a target, each a Formula or SymPy"
        )
    first, second = Formula.of(prediction, name="yhat"), Formula.of(target, name="y")
    return _of_pair(entry, first, second, from_logits, options)


def _of_network(entry: Loss, net: Network, from_logits: bool, options: Any) -> Formula:
    built, model, target = net._built, net.output, net.target
    used = _takes_logits(entry, net, from_logits)
    listed = net.form == "scalars"

    def operand(symbols: Iterable[Any]) -> Any:
        return list(symbols) if listed else next(iter(symbols))

    operands = Operands(
        operand(built.outputs),
        operand(built.targets),
        operand(built.logits) if used else None,
        axis=0 if net.form == "columns" else 1,
    )
    value = entry.define(operands, **_symbolic(options))
    base = replace(model.graph, definitions=built.definitions)
    goal = _declared_target(entry, target.graph, operands.axis)
    names = tuple(map(name_of, built.targets))
    made = _loss_formula(base, goal, value, model, names, options)
    # By its name: a registered function does not pickle.
    again = partial(_in_form, entry.name, net, from_logits, options)
    return replace(made, forms=Forms(again, entry.reduce))


def _in_form(name: str, net: Network, from_logits: bool, options: Any, form: str) -> Formula:
    return _of_network(LOSSES[name], in_form(net, form), from_logits, options)


def _takes_logits(entry: Loss, net: Network, from_logits: bool) -> bool:
    """Tell whether a loss of a network is taken from its pre-activations."""
    last = net.layers[-1].name
    if not entry.fuses:
        return False
    if entry.distribution and net.widths[-1] == 1:
        raise OptionError(
            f"{entry.name} is of several classes, but the network has one output; for two classes "
            "take sg.binary_cross_entropy, or two outputs"
        )
    if from_logits:
        if last != "identity":
            raise OptionError(
                f"from_logits=True is for a network whose last layer is linear, but its "
                f"activation is `{last}`; leave from_logits out"
            )
        return True
    if last == entry.fuses:
        return True
    if last in PROBABILITIES:
        return False
    raise OptionError(
        f"{entry.name} takes probabilities, which outputs of `{last}` are not; end the network "
        f"with activation={entry.fuses!r}, or, if the last layer is linear, give from_logits=True"
    )


#: Activations whose values lie between 0 and 1.
PROBABILITIES = ("sigmoid", "softmax", "hard_sigmoid")


def _symbolic(options: Any) -> dict[str, Any]:
    return {name: trees.as_sympy(value) for name, value in options.items()}


def _of_pair(
    entry: Loss, prediction: Formula, target: Formula, from_logits: bool, options: Any
) -> Formula:
    first, second = shape_of(prediction.output), shape_of(target.output)
    if len(first) != len(second) or not all(
        sp.expand(a - b) == 0 for a, b in zip(first, second, strict=False)
    ):
        raise ShapeError(
            f"the prediction is {worded(prediction.shape)}, but the target is "
            f"{worded(target.shape)}; they must be equal"
        )
    if from_logits and not entry.fuses:
        raise OptionError(f"{entry.name} has no option from_logits")
    base, own = _without_alias(prediction)
    goal, other = _without_alias(target)
    values, wanted = (own, other) if first else ([own], [other])
    axis = 0 if first and first[1] == 1 else 1
    logits = values if from_logits else _logits_of(entry, prediction, axis)
    value = entry.define(Operands(values, wanted, logits, axis), **_symbolic(options))
    goal = _declared_target(entry, goal, axis)
    return _loss_formula(base, goal, value, prediction, tuple(target.inputs), options)


def _logits_of(entry: Loss, prediction: Formula, axis: int) -> Any:
    """Return what a prediction is the softmax (or sigmoid) of, with which the loss is taken."""
    made = prediction.graph[prediction.output]
    if entry.fuses == "softmax" and isinstance(made, Softmax):
        return made.matrix if made.axis == axis else None
    if entry.fuses != "sigmoid":
        return None
    if isinstance(made, functions.sigmoid):
        return [made.args[0]]
    if isinstance(made, Elementwise) and isinstance(made.function.expr, functions.sigmoid):
        whole = made.function.expr.args[0] in made.function.variables
        return made.matrices[0] if whole else None
    return None


def _without_alias(formula: Formula) -> tuple[Graph, Any]:
    """Return the graph and the value of a formula; of a bare symbol, that symbol itself."""
    made, expression = formula.graph, formula.graph[formula.output]
    if expression not in {v.symbol for v in made.inputs} or len(made.definitions) > 1:
        return made, formula.output
    return replace(made, definitions=(), outputs=(expression,)), expression


def _declared_target(entry: Loss, target: Graph, axis: int) -> Graph:
    """Declare what a loss needs of a target, where that is not computed from others."""
    if not entry.fuses or any(not isinstance(e, sp.MatrixBase) for _, e in target.definitions):
        return target
    word = "in [0,1]"
    if entry.distribution:
        scalars = not any(v.shape for v in target.inputs)
        word = "entries sum to one" if axis == 0 or scalars else "rows sum to one"
        if scalars and not _is_one_sample(target):
            return target

    def declared(variable: Variable) -> Variable:
        if word in variable.assumptions or "one-hot" in variable.assumptions:
            return variable
        return replace(variable, assumptions=(*variable.assumptions, word))

    return replace(target, inputs=tuple(map(declared, target.inputs)))


def _is_one_sample(target: Graph) -> bool:
    """Tell whether scalars are all the entries of one sample, y_1, y_2, ..."""
    names = {stem(v.name) for v in target.inputs}
    tables = [e for _, e in target.definitions]
    shown = not tables or (1 in tables[0].shape and all(e.is_Symbol for e in tables[0]))
    whole = not tables or len(set(tables[0])) == len(tables[0]) == len(target.inputs)
    return len(names) == 1 and len(tables) <= 1 and shown and whole


def _loss_formula(
    first: Graph, second: Graph, value: Any, model: Formula, targets: tuple[str, ...], options: Any
) -> Formula:
    constants = [trees.as_sympy(option) for option in options.values()]
    extra = [s for constant in constants for s in sorted(constant.free_symbols, key=name_of)]
    inputs = merged_inputs(first.inputs, second.inputs)
    inputs = merged_inputs(inputs, tuple(Variable(symbol) for symbol in extra))
    known = [name_of(symbol) for symbol, _ in first.definitions]
    more = tuple(d for d in second.definitions if name_of(d[0]) not in known)
    if len(more) < len(second.definitions):
        raise OptionError("prediction and target use one name for different definitions")
    used = trees.symbols(value)
    more = more if any(symbol in used for symbol, _ in more) else ()
    names = {variable.name for variable in inputs} | set(known)
    symbol = sp.Symbol(graphs.fresh("L", names), real=True)
    # What the network has a name for, such as the sum of exponentials, is used by that name.
    named = {e: s for s, e in first.definitions if isinstance(e, functions.logsumexp)}
    sizes = {name_of(s): s for v in inputs for size in v.sizes for s in size.free_symbols}
    named.update({s: sizes[name_of(s)] for s in extra if name_of(s) in sizes})
    definitions = (*first.definitions, *more, (symbol, trees.replace(value, named)))
    graphs.check(inputs, definitions)
    labels = {**second.labels, **first.labels, name_of(symbol): Label("L", "loss")}
    parameters = tuple(dict.fromkeys(first.parameters + second.parameters))
    made = Graph(inputs, parameters, definitions, (symbol,), labels)
    introduced = first.introduced | second.introduced
    return Formula(replace(made, introduced=introduced), symbol, model=model, targets=targets)


# The losses register themselves.
from symgrad.losses.classification import (  # noqa: E402
    binary_cross_entropy,
    cross_entropy,
    kl_divergence,
)
from symgrad.losses.penalties import l1, l2  # noqa: E402
from symgrad.losses.regression import half_sse, huber, mae, mse, sse  # noqa: E402

__all__ = [
    "LOSSES",
    "Loss",
    "Operands",
    "binary_cross_entropy",
    "cross_entropy",
    "half_sse",
    "huber",
    "kl_divergence",
    "l1",
    "l2",
    "loss",
    "mae",
    "mse",
    "sse",
]
