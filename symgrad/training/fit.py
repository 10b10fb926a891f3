"""What training leaves: a `Fit`, which predicts, is again a formula, and saves itself."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import sympy as sp

from symgrad import graph as graphs
from symgrad import trees
from symgrad.algebra import add, elementwise, hadamard, scale, transpose
from symgrad.backends.numpy import CompiledFunction, compile
from symgrad.errors import DataError, OptionError, ShapeError, SymgradError, counted, listed
from symgrad.files import write
from symgrad.formats import record as records
from symgrad.formula import Formula
from symgrad.graph import Graph, Label
from symgrad.matrices import Broadcast
from symgrad.shapes import Variable, worded
from symgrad.training.samples import Standardisation, check_array

_FORMAT = "symgrad fit 1"


@dataclass(frozen=True, eq=False, repr=False)
class Fit:
    """Trained parameters, the way to them, and the model that they make.

    Attributes:
        parameters: The trained values by name: floats, or arrays in the declared shapes.
        losses: `losses[k]` is the loss on all data after epoch k, `losses[0]` at the start.
        epochs: How many epochs lie behind the parameters.
        stopped: `"finished"`, `"callback"`, `"interrupted"` or `"diverged ..."`.
        loss: The formula that was trained.
        standardisation: By input name, what was done to the data before training.
        flat: Whether the targets came as a 1-D array, so that predictions do too.
    """

    parameters: dict[str, Any]
    losses: Any
    epochs: int
    stopped: str
    loss: Formula
    standardisation: Mapping[str, Standardisation]
    flat: bool = False

    def __repr__(self) -> str:
        last = f"{self.losses[-1]:.6g}" if len(self.losses) else "unknown"
        return f"Fit({listed(self.parameters)}: loss {last} after {counted(self.epochs, 'epoch')})"

    @property
    def model(self) -> Formula:
        """The formula of the prediction, with parameters.

        Raises:
            OptionError: The loss was not made from a prediction.
        """
        if self.loss.model is None:
            raise OptionError(
                "this loss has no prediction; build it with sg.mse(prediction, target) or a Network"
            )
        return self.loss.model

    def formula(self) -> Formula:
        """Return the model with the fitted numbers, and the standardisation, in it.

        For a loss without a prediction it is the loss.
        """
        base = self.loss.model or self.loss
        return _with_numbers(base, self.parameters, self.standardisation)

    def _repr_latex_(self) -> str:
        return self.formula()._repr_latex_()

    def predict(self, X: Any) -> Any:
        """Predict for samples on the first axis of X, or for a mapping of arrays by name.

        Predictions come in the rank in which the targets came; a single number gives a number.

        Raises:
            DataError: X has no samples, or NaN, or is not made of numbers.
            ShapeError: X does not have the shape of the inputs.
        """
        formula = self._fitted
        single = not isinstance(X, Mapping) and np.ndim(X) == 0
        arrays = _inputs_by_name(formula, [X] if single else X)
        stacked = tuple(
            name for name, v in formula.inputs.items() if _is_stack(v, arrays.get(name))
        )
        if stacked not in self._compiled:
            self._compiled[stacked] = compile(formula, batch=stacked)
        value = np.asarray(self._compiled[stacked](arrays))
        if single and value.size == 1:
            return float(value.reshape(-1)[0])
        if self.flat:
            return value[:, 0] if value.ndim == 2 and value.shape[1] == 1 else value
        return value[:, None] if stacked and value.ndim == 1 else value

    @cached_property
    def _fitted(self) -> Formula:
        return self.formula()

    @cached_property
    def _compiled(self) -> dict[tuple[str, ...], CompiledFunction]:
        return {}

    def save(self, path: str | Path) -> Path:
        """Write the fit as JSON, to be read back by `symgrad.load`.

        Numbers keep all their digits; nothing in the file is ever run.

        Raises:
            OptionError: There is no such folder, or the file cannot be written.
        """
        return write(path, json.dumps(self._record(), indent=1) + "\n")

    def _record(self) -> dict[str, Any]:
        return {
            "format": _FORMAT,
            "parameters": {name: np.asarray(v).tolist() for name, v in self.parameters.items()},
            "losses": np.asarray(self.losses).tolist(),
            "epochs": self.epochs,
            "stopped": self.stopped,
            "flat": self.flat,
            "standardisation": {n: s.to_record() for n, s in self.standardisation.items()},
            "loss": records.of_formula(self.loss),
        }

    def export(self, path: str | Path) -> Path:
        """Write a Python module with a function `predict` that needs NumPy alone.

        Raises:
            OptionError: There is no such folder, or the file cannot be written.
        """
        from symgrad.training.export import text_of

        return write(path, text_of(self))

    def compiled(self) -> CompiledFunction:
        """Compile the fitted model for arrays of samples."""
        formula = self._fitted
        stacked = [v.name for v in formula.graph.inputs if not _has_sample_axis(v)]
        return compile(formula, batch=stacked)


def load(path: str | Path) -> Fit:
    """Read a fit that `Fit.save` wrote.

    Raises:
        DataError: The file is not such a fit.
    """
    path = Path(path)
    try:
        record = json.loads(path.read_text(encoding="utf-8"))
    except RecursionError:
        raise DataError(f"{path.name} is nested too deeply for a fit") from None
    except ValueError as error:
        raise DataError(f"{path.name} is not JSON: {error}") from None
    except FileNotFoundError:
        raise DataError(f"there is no file {path}") from None
    except OSError as error:
        raise DataError(f"cannot read {path}: {error.strerror}") from None
    if not isinstance(record, dict) or record.get("format") != _FORMAT:
        raise DataError(f"{path.name} is not a fit saved by symgrad ({_FORMAT!r})")
    try:
        return _fit_of(record)
    except (KeyError, TypeError, AttributeError, ValueError, RecursionError) as error:
        said = error if isinstance(error, SymgradError) else repr(error)
        raise DataError(f"{path.name} is broken: {said}") from None


def _fit_of(record: Mapping[str, Any]) -> Fit:
    loss = records.to_formula(record["loss"])
    kinds = {"losses": list, "epochs": int, "stopped": str, "flat": bool}
    for key, kind in kinds.items():
        if type(record[key]) is not kind:
            raise DataError(f"`{key}` is a {type(record[key]).__name__}, not a {kind.__name__}")
    losses = np.array(record["losses"])
    if losses.ndim != 1 or losses.dtype.kind not in "fi":
        raise DataError("`losses` is not a list of numbers")
    parameters = {name: _value(check_array(name, v)) for name, v in record["parameters"].items()}
    standardisation = {
        name: Standardisation.from_record(s) for name, s in record["standardisation"].items()
    }
    _check_names(loss, parameters, standardisation)
    return Fit(
        parameters=parameters,
        losses=losses.astype(np.float64),
        epochs=record["epochs"],
        stopped=record["stopped"],
        loss=loss,
        standardisation=standardisation,
        flat=record["flat"],
    )


def _check_names(loss: Formula, parameters: Mapping[str, Any], scaled: Mapping[str, Any]) -> None:
    inputs = loss.inputs
    wanted = loss.parameters or tuple(parameters)
    if set(wanted) != set(parameters):
        raise DataError(f"it has numbers for {listed(parameters)}, not for {listed(wanted)}")
    for name in (*parameters, *scaled):
        if name not in inputs:
            raise DataError(f"`{name}` is not an input of its loss")
    for name, value in parameters.items():
        sizes = inputs[name].sizes
        if len(sizes) != np.ndim(value) or any(
            size.is_Integer and size != actual
            for size, actual in zip(sizes, np.shape(value), strict=True)
        ):
            said = f"{worded(np.shape(value))}, not {worded(inputs[name].shape)}"
            raise DataError(f"`{name}` is {said}")


def _value(array: Any) -> Any:
    """Return a number as a float, an array as it is."""
    return float(array) if np.ndim(array) == 0 else np.asarray(array)


def _has_sample_axis(variable: Variable) -> bool:
    """Tell whether the declared first axis is the samples', so that arrays need no other."""
    return bool(variable.sizes) and not variable.sizes[0].is_Integer


def _is_stack(variable: Variable, array: Any) -> bool:
    return not _has_sample_axis(variable) and np.ndim(array) > len(variable.shape)


def _inputs_by_name(formula: Formula, X: Any) -> dict[str, Any]:
    """Give every input of a model its array: by name, or columns of one array."""
    inputs = formula.inputs
    if isinstance(X, Mapping):
        return {name: check_array(name, array) for name, array in X.items()}
    return split_columns(list(inputs.values()), check_array("X", X), "X")


def split_columns(variables: list[Variable], array: Any, name: str) -> dict[str, Any]:
    """Give variables the columns of one array, or the one variable all of it.

    Raises:
        ShapeError: The array has not as many columns as there are variables.
    """
    if not variables:
        return {}
    if len(variables) == 1:
        variable = variables[0]
        return {variable.name: _with_columns(variable, array)}
    if array.ndim != 2 or array.shape[1] != len(variables):
        names = listed(variable.name for variable in variables)
        raise ShapeError(
            f"`{name}` must have {len(variables)} columns, one each for {names}, "
            f"but it is {worded(array.shape)}"
        )
    return {variable.name: array[:, k] for k, variable in enumerate(variables)}


def _with_columns(variable: Variable, array: Any) -> Any:
    """Read a 1-D array as samples of one number, or a table of one column as numbers."""
    if variable.sizes and not _has_sample_axis(variable) and array.ndim == 1:
        return array[:, None] if variable.sizes == (1,) else array
    if not variable.shape and array.ndim == 2 and array.shape[1] == 1:
        return array[:, 0]
    return array


# ---------------------------------------------------------------- the formula


def _with_numbers(
    base: Formula, parameters: Mapping[str, Any], standardisation: Mapping[str, Standardisation]
) -> Formula:
    made = base.graph
    values: dict[Any, Any] = {}
    numbers: list[Any] = []
    labels = dict(made.labels)
    names = set(made.symbols)
    for variable in made.inputs:
        label = made.label(variable.symbol)
        if variable.name in parameters and not variable.shape:
            values[variable.symbol] = sp.Float(float(parameters[variable.name]))
        elif variable.name in parameters:
            table = np.asarray(parameters[variable.name], dtype=float)
            numbers.append((variable.symbol, _table(table)))
            labels[variable.name] = replace(label, rank=len(variable.shape))
        elif variable.name in standardisation:
            symbol = graphs.symbol_like(
                graphs.fresh(f"{variable.name}_std", names), variable.inside
            )
            names.add(symbol.name)
            numbers += _standardised(variable, symbol, standardisation[variable.name], labels)
            values[variable.symbol] = symbol
    definitions = [(s, trees.replace(e, values)) for s, e in made.definitions]
    inputs = tuple(v for v in made.inputs if v.name not in parameters)
    graph = Graph(inputs, (), (*numbers, *definitions), made.outputs, labels, made.introduced)
    return Formula(graph, base.output)


def _table(array: Any) -> Any:
    rows = array.reshape(array.shape[0], -1)
    return sp.ImmutableMatrix([[sp.Float(float(entry)) for entry in row] for row in rows])


def _standardised(
    variable: Variable, symbol: Any, scaling: Standardisation, labels: dict[str, Any]
) -> list[Any]:
    """Return the definition of (x - mean) / std, and of its numbers where there are several."""
    given = variable.symbol
    if len(scaling.mean) == 1:
        mean, std = sp.Float(scaling.mean[0]), sp.Float(scaling.std[0])
        rate = sp.Pow(std, -1, evaluate=False)
        # Unevaluated, because SymPy would multiply the bracket out and hide the mean.
        return [(symbol, elementwise(lambda t: sp.Mul(t - mean, rate, evaluate=False), given))]
    parts: list[Any] = []
    for word, numbers in (("mean", scaling.mean), ("rate", [1 / std for std in scaling.std])):
        name = f"{variable.name}_{word}"
        vector = sp.MatrixSymbol(name, len(numbers), 1)
        labels[name] = Label(rank=1)
        parts.append((vector, _table(np.array(numbers))))
    (mean, _), (rate, _) = parts
    if _has_sample_axis(variable):
        mean, rate = (Broadcast(transpose(v), *variable.inside) for v in (mean, rate))
    shifted = add(given, scale(sp.S.NegativeOne, mean))
    return [*parts, (symbol, hadamard(shifted, rate))]


__all__ = ["Fit", "load", "split_columns"]
