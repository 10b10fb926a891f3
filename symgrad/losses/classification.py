"""Losses of classification: cross-entropies and the divergence between distributions."""

from __future__ import annotations

from typing import Any

import sympy as sp

from symgrad import functions
from symgrad.algebra import hadamard, log_softmax, sum_entries
from symgrad.losses import Operands, loss
from symgrad.trees import times


@loss(
    law="-1/(n k) sum of y log(p) + (1 - y) log(1 - p)",
    example=(
        [[sp.Rational(1, 4), sp.Rational(1, 2)]],
        [[0, 1]],
        (sp.log(sp.Rational(4, 3)) + sp.log(2)) / 2,
    ),
    fuses="sigmoid",
)
def binary_cross_entropy(operands: Operands) -> Any:
    """Binary cross-entropy: the mean over all n samples and k outputs.

    Args:
        prediction: A `Network`, or a Formula of probabilities, or with `from_logits=True` of
            pre-activations z, for which the probability is sigma(z).
        target: The target, between 0 and 1; none for a network.
        from_logits: Whether the prediction is that of a linear last layer.

    A network's last sigmoid is taken together with the loss, so that nothing overflows and
    the gradient by the pre-activation is (prediction - target)/(n k).

    Raises:
        OptionError: The outputs of the network are not probabilities.

    >>> import symgrad as sg
    >>> net = sg.Network(1, [sg.Dense(1, activation="sigmoid")]).scalars()
    >>> sg.gradient(sg.binary_cross_entropy(net), "b1").sympy
    -y + sigmoid(b1 + w1*x)
    """
    log_sigmoid = functions.log_sigmoid
    if operands.logits is not None:
        total = operands.total(
            lambda z, y: y * log_sigmoid(z) + (1 - y) * log_sigmoid(-z),
            operands.logits,
            operands.target,
        )
    else:
        total = operands.total(
            lambda p, y: functions.xlogy(y, p) + functions.xlogy(1 - y, 1 - p),
            operands.prediction,
            operands.target,
        )
    return times(-1 / operands.count, total)


def _log_probabilities(operands: Operands) -> Any:
    """Return log softmax of the logits: a matrix, or a list of scalars."""
    if isinstance(operands.logits, list):
        top = functions.logsumexp(*operands.logits)
        return [z - top for z in operands.logits]
    return log_softmax(operands.logits, axis=operands.axis)


@loss(
    law="-1/n sum over all n samples and all classes of y log(p)",
    example=(
        [[sp.Rational(1, 4), sp.Rational(3, 4)]],
        [[sp.Rational(1, 3), sp.Rational(2, 3)]],
        sp.log(4) / 3 + 2 * sp.log(sp.Rational(4, 3)) / 3,
    ),
    fuses="softmax",
    distribution=True,
)
def cross_entropy(operands: Operands) -> Any:
    """Cross-entropy: summed over the classes, the mean over samples.

    Args:
        prediction: A `Network`, or a Formula of probabilities, or with `from_logits=True` of
            pre-activations Z, for which the probabilities are softmax(Z).
        target: The target, whose rows are declared to sum to one: formulas use it, and data
            are checked. A column is one sample. None for a network.
        from_logits: Whether the prediction is that of a linear last layer.

    A network's last softmax is taken together with the loss: the gradient by the
    pre-activations is (P - Y)/n.

    Raises:
        OptionError: The outputs of the network are not probabilities.

    >>> import symgrad as sg
    >>> net = sg.Network(2, [sg.Dense(3, activation="softmax", bias=False)])
    >>> sg.gradient(sg.cross_entropy(net), "W1").graph["delta1"]
    1/n*(-Y + Yhat)
    """
    if operands.logits is None:
        total = operands.total(
            lambda p, y: functions.xlogy(y, p), operands.prediction, operands.target
        )
    else:
        total = _weighted(operands.target, _log_probabilities(operands))
    return times(-1 / operands.samples, total)


def _weighted(weights: Any, values: Any) -> Any:
    if isinstance(weights, list):
        return sp.Add(*(y * value for y, value in zip(weights, values, strict=True)))
    return sum_entries(hadamard(weights, values))


@loss(
    law="1/n sum over all n samples and all classes of y log(y/p)",
    example=(
        [[sp.Rational(1, 4), sp.Rational(3, 4)]],
        [[sp.Rational(1, 3), sp.Rational(2, 3)]],
        sp.log(sp.Rational(4, 3)) / 3 + 2 * sp.log(sp.Rational(8, 9)) / 3,
    ),
    fuses="softmax",
    distribution=True,
)
def kl_divergence(operands: Operands) -> Any:
    """Kullback-Leibler divergence of the target from the prediction, the mean over samples.

    It is 0 where the two are equal, positive elsewhere, and not symmetric. Terms with y = 0
    are 0. See `cross_entropy` for the arguments.

    >>> import symgrad as sg
    >>> import sympy as sp
    >>> p, y = sp.MatrixSymbol("p", 2, 1), sp.MatrixSymbol("y", 2, 1)
    >>> sg.compile(sg.kl_divergence(p, y))(p=[0.5, 0.5], y=[0.0, 1.0])
    0.6931471805599453
    """
    xlogy = functions.xlogy
    if operands.logits is None:
        total = operands.total(lambda p, y: xlogy(y, y / p), operands.prediction, operands.target)
        return times(1 / operands.samples, total)
    own = operands.total(lambda y: xlogy(y, y), operands.target)
    cross = _weighted(operands.target, _log_probabilities(operands))
    return times(1 / operands.samples, own - cross)
