"""Penalties on the weights of a network, to be added to a loss."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import sympy as sp

from symgrad import graph as graphs
from symgrad import trees
from symgrad.algebra import elementwise, sum_entries
from symgrad.errors import OptionError, checks_options
from symgrad.forms import ANY, Forms
from symgrad.formula import Formula, merged_inputs
from symgrad.graph import Graph, Label
from symgrad.layers import Network, in_form
from symgrad.shapes import Variable, name_of
from symgrad.trees import times


@checks_options
def l1(net: Any, weight: Any = 1, *, biases: bool = False) -> Formula:
    """Penalty: weight times the sum of the absolute values of the weights.

    Args:
        net: A `Network`, or a Formula with parameters.
        weight: A number, or a symbol, which is then an input.
        biases: Whether biases are penalised, too.

    Returns:
        A scalar Formula, to be added to a loss: `sg.mse(net) + sg.l1(net, 0.01)`. At 0 the
        derivative is 0.

    Raises:
        OptionError: There are no parameters to penalise.

    >>> import symgrad as sg
    >>> net = sg.Network(1, [sg.Dense(1)]).scalars()
    >>> l1(net, 3).sympy
    3*Abs(w1)
    """
    return _penalty(net, weight, biases, sp.Abs)


@checks_options
def l2(net: Any, weight: Any = 1, *, biases: bool = False) -> Formula:
    """Penalty: weight times the sum of the squares of the weights; see `l1`.

    >>> import symgrad as sg
    >>> net = sg.Network(1, [sg.Dense(1)]).scalars()
    >>> l2(net, sp.Rational(1, 2), biases=True).sympy
    b1**2/2 + w1**2/2
    """
    return _penalty(net, weight, biases, _square)


def _square(value: Any) -> Any:
    return value**2


def _penalty(net: Any, weight: Any, biases: bool, function: Callable[[Any], Any]) -> Formula:
    model = net.output if isinstance(net, Network) else net
    if not isinstance(model, Formula) or not model.parameters:
        raise OptionError("a penalty takes a Network or a Formula that has parameters")
    weight = trees.as_sympy(weight, "a number or a symbol")
    if weight.is_Matrix or (not weight.is_finite and weight.is_number):
        raise OptionError(f"the weight of a penalty is a finite number or a symbol, not {weight}")
    made = model.graph
    roles = {name: made.labels[name].role if name in made.labels else "" for name in made.symbols}
    chosen = [v for v in made.inputs if v.name in model.parameters]
    chosen = [v for v in chosen if biases or roles[v.name] != "bias"]
    if not chosen:
        raise OptionError("there are no weights to penalise")
    terms = [
        sum_entries(elementwise(function, v.symbol)) if v.symbol.is_Matrix else function(v.symbol)
        for v in chosen
    ]
    free = sorted(weight.free_symbols, key=name_of)
    inputs = merged_inputs(chosen, tuple(Variable(symbol) for symbol in free))
    symbol = sp.Symbol(graphs.fresh("R", [v.name for v in inputs]), real=True)
    value = sp.Add(*(times(weight, term) for term in terms))
    labels = {v.name: made.labels[v.name] for v in chosen if v.name in made.labels}
    labels[name_of(symbol)] = Label("R", "penalty")
    parameters = tuple(v.name for v in chosen)
    graphs.check(inputs, [(symbol, value)])
    forms = None
    if isinstance(net, Network):
        again = partial(_in_form, net, weight=weight, biases=biases, function=function)
        forms = Forms(again, ANY)
    graph = Graph(inputs, parameters, ((symbol, value),), (symbol,), labels)
    return Formula(graph, symbol, forms=forms)


def _in_form(net: Network, form: str, **options: Any) -> Formula:
    return _penalty(in_form(net, form), **options)
