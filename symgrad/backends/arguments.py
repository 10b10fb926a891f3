"""Arguments of compiled functions: checked, and brought to the rank that the source expects."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import sympy as sp

from symgrad.errors import AssumptionError, DataError, OptionError, ShapeError, listed, unknown
from symgrad.facts import sum_axis, sums_of_scalars
from symgrad.shapes import Variable, name_of, worded

FLOAT = np.dtype(np.float64)


@dataclass(frozen=True)
class Slot:
    """What one input of a compiled function must look like; made once, used in every call.

    Attributes:
        sizes: The declared sizes: integers, names, or SymPy expressions of names.
        lead: 1 where the samples are on an additional first axis, else 0.
        stacked: Whether the source holds every value as a stack of matrices.
        facts: What is declared of the values, and was used: words that the arrays must keep.
    """

    variable: Variable
    sizes: tuple[Any, ...]
    lead: int
    stacked: bool
    facts: tuple[str, ...] = ()

    @staticmethod
    def of(variable: Variable, batched: bool, form: str, facts: Iterable[str] = ()) -> Slot:
        """Read a declaration."""
        sizes = tuple(
            int(size) if size.is_Integer else size.name if size.is_Symbol else size
            for size in variable.sizes
        )
        return Slot(variable, sizes, int(batched), form == "stacked", tuple(facts))

    def fitted(self, array: Any, sizes: dict[str, int]) -> Any:
        """Check an array against the declaration and bring it to the rank used inside."""
        wanted, given = self.sizes, array.shape
        shape = given[self.lead :]
        if len(shape) == len(wanted) - 1 and 1 in wanted:
            # A 1-D array stands for the one column, or the one row, that is declared.
            array = array.reshape(*given, 1) if wanted[-1] == 1 else array[..., None, :]
            shape = array.shape[self.lead :]
        if len(shape) != len(wanted) or (self.lead and not given):
            raise ShapeError(self.misfit(given))
        for size, actual in zip(wanted, shape, strict=True):
            known = sizes.setdefault(size, actual) if isinstance(size, str) else size
            if isinstance(known, int) and known != actual:
                said = f" with {size} = {known}" if isinstance(size, str) else ""
                raise ShapeError(self.misfit(given) + said)
        if self.stacked and len(wanted) == 1:
            return array[..., None]
        if self.stacked and self.lead and not wanted:
            return array[:, None, None]
        scalar = not wanted and not self.lead and isinstance(array, np.ndarray)
        return array[()] if scalar else array

    def check_expressions(self, array: Any, sizes: Mapping[str, int]) -> None:
        """Check sizes that are expressions, when all names in them are known."""
        for size, actual in zip(self.sizes, np.shape(array)[self.lead :], strict=False):
            if isinstance(size, (int, str)):
                continue
            names = sorted(map(str, size.free_symbols))
            if not all(name in sizes for name in names):
                continue
            if evaluated(size, sizes) != actual:
                known = ", ".join(f"{name} = {sizes[name]}" for name in names)
                raise ShapeError(f"{self.misfit(np.shape(array))} with {known}")

    def misfit(self, shape: tuple[int, ...]) -> str:
        """Word that a shape is not the declared one."""
        wanted = (*(["samples"] * self.lead), *self.variable.shape)
        said = f"`{self.variable.name}` must be {worded(wanted)}, but it is {worded(shape)}"
        classes = len(wanted) == 2 and len(shape) == 1 and sum_axis(self.variable) == 1
        return said + (f"; of class numbers make np.eye({wanted[1]})[numbers]" if classes else "")


def evaluated(size: Any, sizes: Mapping[str, int]) -> int:
    """Return the number that a declared size has, from the sizes in the arrays."""
    if isinstance(size, int):
        return size
    if isinstance(size, str):
        return sizes[size]
    return int(size.xreplace({s: sp.Integer(sizes[s.name]) for s in size.free_symbols}))


@dataclass(frozen=True)
class Call:
    """Checked arguments of one call.

    Attributes:
        arguments: Arrays in the rank that the source expects.
        arrays: The same by name, as numbers in the shapes in which they came.
        shapes: The shapes in which they came.
        sizes: The sizes that have names.
        samples: The number of samples; 0 without batched inputs.
        dtype: The type of floating-point numbers that the results have.
    """

    arguments: tuple[Any, ...]
    arrays: Mapping[str, Any]
    shapes: Mapping[str, tuple[int, ...]]
    sizes: Mapping[str, int]
    samples: int
    dtype: Any

    @staticmethod
    def of(slots: Mapping[str, Slot], given: Mapping[Any, Any], dtype: Any) -> Call:
        """Check names, numbers and shapes."""
        given = by_name(slots, given)
        arrays = {name: numbers(name, given[name], dtype) for name in slots}
        kinds = {array.dtype for array in arrays.values()} or {FLOAT}
        kind = kinds.pop() if len(kinds) == 1 else np.result_type(*kinds)
        call = Call.fitted(slots, arrays, kind)
        check_values(slots, arrays)
        return call

    @staticmethod
    def fitted(slots: Mapping[str, Slot], arrays: Mapping[str, Any], dtype: Any) -> Call:
        """Check shapes, of arrays of any kind: values are not looked at."""
        sizes: dict[str, int] = {}
        arguments = tuple(slot.fitted(arrays[name], sizes) for name, slot in slots.items())
        for name, slot in slots.items():
            slot.check_expressions(arrays[name], sizes)
        counts = {name: arrays[name].shape[0] for name, slot in slots.items() if slot.lead}
        if 0 in counts.values() or 0 in sizes.values():
            raise _empty(arrays, slots)
        if len(set(counts.values())) > 1:
            said = ", ".join(f"`{name}` has {count}" for name, count in counts.items())
            raise ShapeError(f"the numbers of samples differ: {said}")
        shapes = {name: tuple(array.shape) for name, array in arrays.items()}
        return Call(arguments, arrays, shapes, sizes, next(iter(counts.values()), 0), dtype)

    def as_given(self, key: str, value: Any) -> Any:
        """Give a gradient the shape in which its variable's array came."""
        shape = self.shapes.get(key)
        if shape is None or np.shape(value) == shape:
            return value
        value = np.reshape(value, shape)
        return value if shape else value[()]


#: How far a row of a target may be from summing to one: float32 keeps some six digits.
DISTRIBUTION_TOLERANCE = 1e-4


def is_checked(variable: Variable) -> bool:
    """Tell whether the values given for a variable are checked: probabilities."""
    words = ("in [0,1]", "entries sum to one")
    return sum_axis(variable) is not None or any(word in variable.assumptions for word in words)


def check_values(slots: Mapping[str, Slot], arrays: Mapping[str, Any]) -> None:
    """Check what formulas were simplified with, in the arrays that are there.

    Raises:
        DataError, AssumptionError: An array is not what it is declared to be.
    """
    known = {name: slot for name, slot in slots.items() if name in arrays}
    _check_distributions(known, arrays)
    for group in sums_of_scalars(slot.variable for slot in slots.values()):
        if all(v.name in arrays for v in group):
            said = " + ".join(f"`{v.name}`" for v in group)
            _check_sums(said, sum(arrays[v.name] for v in group))
    for name, slot in known.items():
        for word in slot.facts:
            check_fact(name, word, arrays[name])


def _check_distributions(slots: Mapping[str, Slot], arrays: Mapping[str, Any]) -> None:
    """Check the targets of losses: rows that sum to one, probabilities."""
    for name, slot in slots.items():
        axis = sum_axis(slot.variable)
        if axis is not None or "in [0,1]" in slot.variable.assumptions:
            _check_bounds(f"`{name}`", arrays[name])
        if (
            axis is None
            and slot.variable.shape
            and "entries sum to one" in slot.variable.assumptions
        ):
            _check_sums(f"the entries of `{name}`", arrays[name].sum(axis=(-2, -1)))
        if axis is not None:
            given = arrays[name]
            rank = given.ndim - slot.lead
            column = axis == 0 and rank == 2
            what = "rows" if axis == 1 else "entries"
            _check_sums(f"the {what} of `{name}`", given.sum(axis=-2 if column else -1))


#: How far a matrix may be from its transpose, or Q'Q from I, beside its largest entry.
STRUCTURE_TOLERANCE = 1e-5


def _off_symmetry(array: Any) -> Any:
    return np.max(np.abs(array - np.swapaxes(array, -1, -2)))


def _off_orthonormality(array: Any) -> Any:
    return np.max(np.abs(np.swapaxes(array, -1, -2) @ array - np.eye(array.shape[-1])))


#: What arrays must keep, by the word: how far off they are, and beside what that is measured.
OFF: dict[str, Callable[[Any], Any]] = {
    "symmetric": lambda a: _off_symmetry(a) / (np.max(np.abs(a)) or 1.0) - STRUCTURE_TOLERANCE,
    "positive definite": lambda a: (
        _off_symmetry(a) / (np.max(np.abs(a)) or 1.0) - STRUCTURE_TOLERANCE
    ),
    "orthogonal": lambda a: _off_orthonormality(a) - STRUCTURE_TOLERANCE,
    "positive": lambda a: -np.min(a),
    "in (0,1)": lambda a: max(-np.min(a), np.max(a) - 1.0),
    "integer": lambda a: np.max(np.abs(a - np.round(a))),
}


def check_fact(name: str, word: str, array: Any) -> None:
    """Check that an array is what it is declared to be.

    Raises:
        AssumptionError: It is not.
    """
    if array.size and OFF[word](array) > 0:
        raise AssumptionError(
            f"`{name}` is declared {word}, and the formula makes use of that; the array given is "
            "not. Declare it without the word, or give other values"
        )


def _check_bounds(what: str, array: Any) -> None:
    """Check probabilities, from 0 to 1."""
    least = np.min(array)
    if least < -DISTRIBUTION_TOLERANCE or np.max(array) > 1 + DISTRIBUTION_TOLERANCE:
        raise DataError(
            f"{what} must lie between 0 and 1, which this loss declares of its target; found "
            f"{least:.6g} to {np.max(array):.6g}"
        )


def _check_sums(what: str, sums: Any) -> None:
    off = np.abs(np.asarray(sums) - 1.0)
    if np.any(off > DISTRIBUTION_TOLERANCE):
        worst = np.ravel(sums)[np.argmax(off)]
        raise DataError(
            f"{what} must sum to one, which this loss declares of its target; found {worst:.6g}. "
            "Give one-hot rows or probabilities"
        )


def _empty(arrays: Mapping[str, Any], slots: Mapping[str, Slot]) -> DataError:
    """Build the error for arrays of which one is empty.

    A size that has a name is declared positive: formulas divide by it.
    """
    name = next(name for name in slots if 0 in arrays[name].shape)
    slot, shape = slots[name], arrays[name].shape
    lacks = "has no samples" if shape[0] == 0 else "is empty"
    wanted = (*(["samples"] * slot.lead), *slot.variable.shape)
    return DataError(
        f"`{name}` {lacks}: it is {worded(shape)}, and the sizes with a name in "
        f"{worded(wanted)} must be at least 1"
    )


def gathered(arrays: Any, named: Mapping[str, Any]) -> dict[Any, Any]:
    """Return the arguments of a call, which come by name or in one mapping.

    Raises:
        OptionError: They come otherwise.
    """
    if arrays is not None and not isinstance(arrays, Mapping):
        raise OptionError(
            f"arrays are given by name, f(X=...), or in one mapping, not as {type(arrays).__name__}"
        )
    return {**(arrays or {}), **named}


def by_name(slots: Iterable[str], given: Mapping[Any, Any], partly: bool = False) -> dict[str, Any]:
    """Return arguments by the names of their symbols.

    Args:
        slots: The names that there are.
        given: Arguments by name or symbol.
        partly: Whether some may be missing.

    Raises:
        OptionError: One is missing, or not known.
    """
    given = {name if isinstance(name, str) else name_of(name): a for name, a in given.items()}
    names = list(slots)
    for name in given:
        if name not in names:
            raise unknown("argument", name, names)
    missing = [name for name in names if name not in given]
    if missing and not partly:
        raise OptionError(f"missing {listed(missing)}; the function takes {listed(names, 40)}")
    return given


def numbers(name: str, value: Any, dtype: Any) -> Any:
    """Return a value as an array of floating-point numbers.

    Raises:
        DataError: It is not made of real numbers.
    """
    try:
        array = np.asarray(value)
    except ValueError:
        raise DataError(f"`{name}` is not a regular array of numbers") from None
    if array.dtype.kind not in "fiub":
        raise DataError(f"`{name}` holds {array.dtype}, not real numbers")
    if dtype is not None:
        return array.astype(dtype, copy=False)
    return array if array.dtype.kind == "f" else array.astype(FLOAT)
