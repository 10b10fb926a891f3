"""Training: gradient descent on compiled formulas, and what it leaves.

The loop (`loop`), the optimizers, the initializers and the checks of data know
compiled functions and NumPy alone; `task` compiles a loss for them.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import sympy as sp

from symgrad.errors import (
    DataError,
    DivergenceError,
    OptionError,
    ShapeError,
    checks_options,
    counted,
    listed,
    unknown,
)
from symgrad.formula import Formula
from symgrad.layers import Network
from symgrad.shapes import Variable, name_of, worded
from symgrad.training.fit import Fit, load, split_columns
from symgrad.training.initializers import initializer as initializer_of
from symgrad.training.loop import descend
from symgrad.training.samples import Standardisation, check_array
from symgrad.training.task import Task, check_backend, samples_of

__all__ = ["Fit", "load", "train"]


@checks_options
def train(
    loss: Any,
    data: Any,
    start: Mapping[Any, Any] | None = None,
    *,
    optimizer: Any = "sgd",
    learning_rate: Any = 0.1,
    epochs: int = 100,
    batch_size: int | None = None,
    shuffle: bool = True,
    seed: int | None = None,
    update: str = "simultaneous",
    standardize: str | None = None,
    initializer: Any = "glorot_uniform",
    reduce: str = "mean",
    callback: Any = None,
    backend: str = "numpy",
    workers: Any = None,
) -> Fit:
    """Minimise a loss by gradient descent on its compiled formulas.

    Args:
        loss: A scalar Formula such as `sg.mse(net)`, or bare SymPy (then `start` names the
            parameters).
        data: Arrays by name, or a pair `(X, y)`. An array with one axis more than declared
            has the samples on its first axis, and the objective is the mean over samples.
        start: Start values by name; left out, they are drawn by `initializer` from `seed`.
        optimizer: `"sgd"`, `"momentum"`, `"adam"` or an `Optimizer`.
        learning_rate: A positive number, or a function of the epoch.
        epochs: How often all samples are visited.
        batch_size: None is the full batch, 1 is per sample.
        shuffle: Whether every epoch draws a new order of the samples.
        seed: For start values and orders; the same seed gives the same run.
        update: `"simultaneous"`, or `"sequential"`: one parameter moves after the other, each
            along its gradient at the point already moved.
        standardize: `"inputs"` shifts and scales every input column to mean 0 and standard
            deviation 1 (population); the model keeps the numbers.
        initializer: How start values are drawn: `"glorot_uniform"`, `"he_normal"`, `"uniform"`,
            `"zeros"`; biases start at 0.
        reduce: `"mean"` or `"sum"` over samples, for formulas of one sample.
        callback: Called as `callback(epoch, loss, parameters)`; True ends the run.
        backend: What the formulas are compiled for: `"numpy"`, or `"c"` for long runs (the
            system's C compiler is asked once; what it made is kept).
        workers: Over how many processes full batches are spread: a number, `"auto"` for as many
            cores as the data are worth, or None for this process alone.

    Returns:
        A `Fit`.

    Raises:
        DataError: NaN, no samples, lengths that disagree, text where numbers belong.
        ShapeError: An array does not have its declared shape.
        OptionError: An unknown name or option.
        DivergenceError: The numbers left the finite range; the error's `.fit` has the last
            good parameters and the losses.

    >>> import symgrad as sg
    >>> net = sg.Network(1, [sg.Dense(1)])
    >>> fit = train(sg.mse(net), ([1, 2, 3], [2, 4, 6]), epochs=400, seed=0)
    >>> round(fit.predict(10), 3)
    20.0
    """
    formula = _loss(loss)
    check_backend(backend)
    if workers is not None and batch_size is not None:
        raise OptionError(
            f"workers is for full batches: batches of batch_size={batch_size!r} follow one after "
            "the other, which is work for one process; leave one of the two out"
        )
    seeds = _generator(seed)
    given = _by_name(start or {})
    names = _parameter_names(formula, given)
    arrays, flat = _data_by_name(formula, names, data)
    scaling = _scalings(formula, arrays, standardize)
    arrays = {n: scaling[n].apply(a, n) if n in scaling else a for n, a in arrays.items()}
    task = Task.of(formula, names, arrays, reduce, backend, workers)
    begin = _start_values(formula, names, given, arrays, initializer, seeds)
    record = descend(
        task.objective(),
        task.samples,
        begin,
        learning_rate=learning_rate,
        epochs=epochs,
        optimizer=optimizer,
        batch_size=batch_size,
        shuffle=shuffle,
        rng=seeds,
        update=update,
        callback=callback,
    )
    parameters = {name: _plain(value) for name, value in record.parameters.items()}
    fit = Fit(parameters, record.losses, record.epochs, record.stopped, formula, scaling, flat)
    if record.diverged:
        raise DivergenceError(_divergence(fit, learning_rate), fit)
    return fit


def _loss(given: Any) -> Formula:
    """Return the loss as a formula; what is mistaken for one is answered with how to get one."""
    if isinstance(given, Network):
        raise OptionError(
            "train takes a loss, and a Network has none yet; pass a loss of it, such as "
            "sg.mse(net), or call net.fit(X, y)"
        )
    if callable(given) and not isinstance(given, (Formula, sp.Basic)):
        name = getattr(given, "__name__", type(given).__name__)
        raise OptionError(
            f"train takes a loss, not the function `{name}` itself; call it, as in sg.mse(net)"
        )
    formula = Formula.of(given)
    if formula.shape:
        raise ShapeError(
            f"a loss is a scalar, but `{formula!r}` is {worded(formula.shape)}; make it one with "
            "sg.mse(prediction, target), say"
        )
    return formula


def _divergence(fit: Fit, learning_rate: Any) -> str:
    if fit.stopped.startswith("diverged at the start"):
        # No step was taken, so that the learning rate is not to blame.
        return f"training {fit.stopped}; smaller start values, or data on a smaller scale, may help"
    return (
        f"training {fit.stopped}; a smaller learning rate than {learning_rate} may help. The last "
        f"good parameters, after epoch {fit.epochs}, are in this error's .fit"
    )


def _plain(value: Any) -> Any:
    return float(value) if np.ndim(value) == 0 else value


def _generator(seed: Any) -> np.random.Generator:
    whole = isinstance(seed, (int, np.integer)) and not isinstance(seed, bool)
    if seed is not None and (not whole or seed < 0):
        raise OptionError(
            "seed is a whole number of at least 0, or None for another run every time; "
            f"got {seed!r}"
        )
    return np.random.default_rng(seed)


def _by_name(mapping: Mapping[Any, Any]) -> dict[str, Any]:
    if not isinstance(mapping, Mapping):
        raise OptionError(f"start is a mapping of values by name, not {type(mapping).__name__}")
    return {k if isinstance(k, str) else name_of(k): value for k, value in mapping.items()}


def _parameter_names(formula: Formula, start: Mapping[str, Any]) -> tuple[str, ...]:
    for name in start:
        if name not in formula.inputs:
            raise unknown("parameter", name, formula.parameters or formula.inputs)
    if not formula.parameters:
        if not start:
            raise OptionError(
                "the loss declares no parameters; name them, with their start values, in start: "
                f"its inputs are {listed(formula.inputs)}"
            )
        return tuple(start)
    for name in start:
        if name not in formula.parameters:
            raise unknown("parameter", name, formula.parameters)
    return formula.parameters


# ------------------------------------------------------------------------ data


def _data_by_name(
    formula: Formula, names: tuple[str, ...], data: Any
) -> tuple[dict[str, Any], bool]:
    """Give every input that is not trained its checked array; tell whether targets are 1-D."""
    wanted = {n: v for n, v in formula.inputs.items() if n not in names}
    if isinstance(data, Mapping):
        arrays = _named_data(wanted, _by_name(data))
    elif isinstance(data, (tuple, list)) and len(data) == 2:
        arrays = _paired_data(formula, wanted, data)
    else:
        raise DataError(
            "data is a mapping of arrays by name, or a pair (X, y); "
            f"got {type(data).__name__}, wanted {listed(wanted)}"
        )
    if isinstance(data, Mapping):
        flat = all(arrays[name].ndim <= 1 for name in formula.targets if name in arrays)
    else:
        # The pair's own target: splitting it into columns loses its rank.
        flat = np.ndim(data[1]) <= 1
    for name, variable in wanted.items():
        arrays[name] = _with_sample_axis(variable, arrays[name])
    return arrays, flat


def _named_data(wanted: Mapping[str, Variable], data: Mapping[str, Any]) -> dict[str, Any]:
    for name in data:
        if name not in wanted:
            raise unknown("input", name, wanted)
    missing = [name for name in wanted if name not in data]
    if missing:
        raise DataError(f"data lacks {listed(missing)}; the loss takes {listed(wanted)}")
    return {name: check_array(name, data[name]) for name in wanted}


def _paired_data(formula: Formula, wanted: Mapping[str, Variable], data: Any) -> dict[str, Any]:
    targets = [wanted[name] for name in formula.targets if name in wanted]
    inputs = [variable for name, variable in wanted.items() if name not in formula.targets]
    if not targets:
        raise OptionError(
            f"this loss does not say which input is the target; give data by name: {listed(wanted)}"
        )
    X, y = check_array("X", data[0]), check_array("y", data[1])
    if X.ndim and y.ndim and len(X) != len(y):
        said = counted(len(X), "sample")
        raise DataError(f"X has {said}, but y has {len(y)}; they must agree")
    return {**split_columns(inputs, X, "X"), **split_columns(targets, y, "y")}


def _with_sample_axis(variable: Variable, array: Any) -> Any:
    """Read a 1-D array of a one-sample formula's one number as its samples."""
    if variable.sizes == (sp.S.One,) and array.ndim == 1 and len(array) != 1:
        return array[:, None]
    return array


def _scalings(
    formula: Formula, arrays: Mapping[str, Any], standardize: str | None
) -> dict[str, Standardisation]:
    if standardize is None:
        return {}
    if standardize != "inputs":
        raise unknown("standardize", standardize, ["inputs"])
    if not formula.targets:
        raise OptionError(
            "this loss does not say which input is the target, so that inputs cannot be "
            "standardised apart from it; build it with sg.mse(prediction, target)"
        )
    names = [
        name
        for name, array in arrays.items()
        if name not in formula.targets and samples_of(formula.inputs[name], array)
    ]
    if not names:
        raise OptionError("there is no input with samples to standardise")
    return {name: Standardisation.of(arrays[name], name) for name in names}


def _start_values(
    formula: Formula,
    names: tuple[str, ...],
    given: Mapping[str, Any],
    arrays: Mapping[str, Any],
    initializer: Any,
    rng: np.random.Generator,
) -> dict[str, Any]:
    draw = initializer_of(initializer)
    sizes = _sizes_in_data(formula, arrays)
    values = {}
    for name in names:
        variable = formula.inputs[name]
        shape = (
            tuple(_size(name, size, sizes) for size in variable.sizes) if name not in given else ()
        )
        if name in given:
            values[name] = _checked_start(variable, given[name])
        elif formula.graph.label(variable.symbol).role == "bias":
            values[name] = np.zeros(shape)
        else:
            fan_in, fan_out = _fans(formula, variable, shape)
            values[name] = draw(shape, fan_in, fan_out, rng)
    return values


def _checked_start(variable: Variable, value: Any) -> Any:
    array = check_array(variable.name, value)
    fixed = all(size.is_Integer for size in variable.sizes)
    if fixed and array.shape != tuple(map(int, variable.sizes)):
        raise ShapeError(
            f"start of `{variable.name}` must be {worded(variable.shape)}, "
            f"but it is {worded(array.shape)}"
        )
    return array


def _fans(formula: Formula, variable: Variable, shape: tuple[int, ...]) -> tuple[int, int]:
    """Return how many values feed a unit of a weight, and how many it feeds."""
    label = formula.graph.label(variable.symbol)
    if len(shape) == 2:
        # Rows layout is inputs x units; columns layout is units x inputs.
        rows = "X" in formula.inputs
        return (shape[0], shape[1]) if rows else (shape[1], shape[0])
    if label.role == "weight":
        return _scalar_fans(formula, label)
    return (shape[0], 1) if shape else (1, 1)


def _scalar_fans(formula: Formula, label: Any) -> tuple[int, int]:
    """Count the inputs of a unit, and the units, in a layer that is written in scalars."""
    layer = [
        other
        for name, other in formula.graph.labels.items()
        if other.role == "weight" and other.layer == label.layer and name in formula.inputs
    ]
    biases = [
        o for o in formula.graph.labels.values() if o.role == "bias" and o.layer == label.layer
    ]
    units = (
        max(1, len(biases)) if biases else max((o.index[-1] for o in layer if o.index), default=1)
    )
    return max(1, len(layer) // units), units


def _sizes_in_data(formula: Formula, arrays: Mapping[str, Any]) -> dict[Any, int]:
    sizes: dict[Any, int] = {}
    for name, array in arrays.items():
        variable = formula.inputs[name]
        lead = max(0, array.ndim - len(variable.sizes))
        for size, actual in zip(variable.sizes, array.shape[lead:], strict=False):
            if size.is_Symbol:
                sizes.setdefault(size, actual)
    return sizes


def _size(name: str, size: Any, sizes: Mapping[Any, int]) -> int:
    value = size.xreplace({symbol: sp.Integer(v) for symbol, v in sizes.items()})
    if not value.is_Integer:
        raise OptionError(f"the size `{size}` of `{name}` is not told by the data; give its start")
    return int(value)
