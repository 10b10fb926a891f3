"""Losses of regression: squares and absolute values of residuals."""

from __future__ import annotations

from typing import Any

import sympy as sp

from symgrad.errors import OptionError
from symgrad.forms import SUM
from symgrad.losses import Operands, loss
from symgrad.trees import times


def _squares(operands: Operands) -> Any:
    """Return the sum of squared residuals."""
    return operands.total(lambda r: r**2, operands.residuals)


@loss(
    law="1/(n k) sum over all n samples and k outputs of (prediction - target)^2",
    example=([[1, 2], [3, 4]], [[0, 2], [5, 3]], sp.Rational(6, 4)),
)
def mse(operands: Operands) -> Any:
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
    return times(1 / operands.count, _squares(operands))


@loss(
    law="sum over all samples and outputs of (prediction - target)^2",
    example=([[1, 2], [3, 4]], [[0, 2], [5, 3]], sp.Integer(6)),
    reduce=SUM,
)
def sse(operands: Operands) -> Any:
    """Sum of squared errors, over all samples and outputs; see `mse` for the arguments.

    >>> import symgrad as sg
    >>> net = sg.Network(1, [sg.Dense(1)]).scalars()
    >>> sg.sse(net).sympy
    (b1 + w1*x - y)**2
    """
    return _squares(operands)


@loss(
    law="1/2 sum over all samples and outputs of (prediction - target)^2",
    example=([[1, 2], [3, 4]], [[0, 2], [5, 3]], sp.Integer(3)),
    reduce=SUM,
)
def half_sse(operands: Operands) -> Any:
    """Half the sum of squared errors, so that the 2 of the square cancels; see `mse`.

    >>> import symgrad as sg
    >>> net = sg.Network(1, [sg.Dense(1)]).scalars()
    >>> sg.half_sse(net).sympy
    (b1 + w1*x - y)**2/2
    """
    return times(sp.Rational(1, 2), _squares(operands))


@loss(
    law="1/(n k) sum over all n samples and k outputs of |prediction - target|",
    example=([[1, 2], [3, 4]], [[0, 2], [5, 3]], sp.Integer(1)),
)
def mae(operands: Operands) -> Any:
    """Mean absolute error; where prediction and target are equal, its derivative is 0.

    See `mse` for the arguments.

    >>> import symgrad as sg
    >>> net = sg.Network(1, [sg.Dense(1)]).scalars()
    >>> sg.mae(net).sympy
    Abs(b1 + w1*x - y)
    """
    return times(1 / operands.count, operands.total(sp.Abs, operands.residuals))


@loss(
    law="1/(n k) sum of r^2/2 where |r| <= delta, delta (|r| - delta/2) elsewhere, with "
    "r = prediction - target",
    example=([[1, 2], [3, 4]], [[0, 2], [5, 3]], sp.Rational(5, 8)),
)
def huber(operands: Operands, *, delta: Any = 1) -> Any:
    """Huber's loss: squares for residuals up to delta, absolute values beyond; the mean.

    Args:
        delta: Where the one ends and the other begins: a positive number, or a symbol, which
            is then an input.

    See `mse` for the other arguments. Source: P. J. Huber, Robust estimation of a location
    parameter, Ann. Math. Statist. 35 (1964); value and slope agree where the two meet.

    >>> import symgrad as sg
    >>> net = sg.Network(1, [sg.Dense(1)]).scalars()
    >>> sg.compile(sg.huber(net, delta=2))(w1=1.0, b1=0.0, x=3.0, y=0.0)
    4.0
    """
    delta = sp.sympify(delta)
    if delta.is_Matrix:
        raise OptionError("delta is a positive number or a symbol, not a matrix")
    if delta.is_number and not delta.is_positive:
        raise OptionError(f"delta is a positive number or a symbol, not {delta}")

    def piece(r: Any) -> Any:
        far = delta * (sp.Abs(r) - delta / 2)
        return sp.Piecewise((r**2 / 2, sp.Abs(r) <= delta), (far, True))

    return times(1 / operands.count, operands.total(piece, operands.residuals))
