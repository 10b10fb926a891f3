"""Samples: from what a user has to checked float64 arrays, batches of them, and their scale.

Everything that is wrong with data is said here, once, with the array's name and the first place
where it is wrong; the rooms after this one may trust what they get.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from symgrad import errors

Array = NDArray[np.float64]

_NUMBER_KINDS = "biuf"  # NumPy's letters for bool, signed, unsigned and floating dtypes


def check_array(name: str, value: ArrayLike) -> Array:
    """`value` as a float64 array of finite numbers.

    Args:
        name: what the array is called, for the error.
        value: a number, nested lists, an array, a data frame: what `numpy.asarray` takes.

    Returns:
        A float64 array in the shape of `value`; `value` itself where it is one already.

    Raises:
        DataError: not numbers, rows of different lengths, empty, or values that are NaN, infinite
            or masked.

    Example:
        >>> check_array("X", [[1, 2], [3, 4]])
        array([[1., 2.],
               [3., 4.]])
    """
    array = check_numbers(name, value)
    if array.size == 0:
        raise errors.DataError(f"`{name}` has no samples: its shape is {array.shape}")
    return array


def check_numbers(name: str, value: ArrayLike) -> Array:
    """As `check_array`, with empty arrays allowed: for values that are not samples."""
    if np.ma.is_masked(value):
        # asarray would return the numbers under the mask as if they were data
        raise errors.DataError(f"`{name}` has masked values; remove or replace them")
    array = _as_array(name, value)
    if array.dtype.kind not in _NUMBER_KINDS:
        raise errors.DataError(f"`{name}` must hold real numbers, but holds {_kind(array)}")
    with np.errstate(over="ignore"):  # a long double beyond float64 is named just below
        array = array.astype(np.float64, copy=False)
    _check_finite(name, array)
    return array


def check_whole(name: str, value: Any, low: int, high: int | None = None) -> int:
    """`value` as an int in [low, high]; True is not 1 here, and 2.0 is not 2.

    Args:
        name: what the option is called, for the error.
        value: what was given for it.
        low: the smallest number accepted.
        high: the largest number accepted; None: any.

    Raises:
        OptionError: not a whole number, or out of the range.

    Example:
        >>> check_whole("epochs", 10, low=0)
        10
    """
    whole = isinstance(value, (int, np.integer)) and not isinstance(value, bool)
    if not whole or value < low or (high is not None and value > high):
        accepted = f"of at least {low}" if high is None else f"from {low} to {high}"
        raise errors.OptionError(f"`{name}` must be a whole number {accepted}; got {value!r}")
    return int(value)


def count_samples(arrays: Mapping[str, Array]) -> int:
    """How many samples there are: the length of the first axis, which all arrays share.

    Args:
        arrays: name to array, each with the samples on its first axis.

    Raises:
        DataError: no arrays, a single number among them, no samples, or different lengths.

    Example:
        >>> count_samples({"X": np.ones((5, 3)), "Y": np.ones((5, 1))})
        5
    """
    if not arrays:
        raise errors.DataError("there are no samples: no arrays were given")
    counts = {name: _length(name, array) for name, array in arrays.items()}
    if len(set(counts.values())) > 1:
        listed = ", ".join(f"`{name}` has {count}" for name, count in counts.items())
        raise errors.DataError(
            f"the arrays disagree on the number of samples, their first axis: {listed}"
        )
    count = next(iter(counts.values()))
    if count == 0:
        raise errors.DataError(f"there are no samples: `{next(iter(counts))}` is empty")
    return count


def spans(count: int, batch_size: int | None = None) -> list[slice]:
    """Where batches begin and end among samples that are in order.

    Args:
        count: the number of samples.
        batch_size: samples in a batch; the last batch may be smaller. None: all of them at once.

    Example:
        >>> spans(5, 2)
        [slice(0, 2, None), slice(2, 4, None), slice(4, 5, None)]
    """
    if batch_size is None:
        return [slice(None)]
    return [slice(at, min(at + batch_size, count)) for at in range(0, count, batch_size)]


def drawn_order(
    count: int, batch_size: int | None, shuffle: bool, rng: np.random.Generator | None
) -> NDArray[np.int64] | None:
    """The order in which an epoch visits the samples, drawn from `rng`.

    None, with nothing drawn, where the order is kept: without `shuffle`, and where all samples
    are taken at once.

    Example:
        >>> sorted(drawn_order(3, 1, True, np.random.default_rng(0)).tolist())
        [0, 1, 2]
    """
    if batch_size is None or not shuffle or rng is None:
        return None
    return rng.permutation(count)


def check_batches(
    count: int, batch_size: int | None, shuffle: bool, rng: np.random.Generator | None
) -> None:
    """Check how samples are put into batches.

    Raises:
        OptionError: `batch_size` is not None or a whole number from 1 to `count`, `shuffle` is
            not True or False, or it is True and there is no `rng`.
    """
    if not isinstance(shuffle, (bool, np.bool_)):
        raise errors.OptionError(f"`shuffle` must be True or False; got {shuffle!r}")
    if batch_size is None:
        return
    try:
        check_whole("batch_size", batch_size, 1, count)
    except errors.OptionError as error:
        are = "is" if count == 1 else "are"
        raise errors.OptionError(
            f"{error}; there {are} {errors.counted(count, 'sample')}, "
            "and None takes all of them at once"
        ) from None
    if shuffle and not isinstance(rng, np.random.Generator):
        raise errors.OptionError(
            "`shuffle=True` draws an order from `rng`, which must be a generator such as "
            f"numpy.random.default_rng(0); got {rng!r}"
        )


@dataclass(frozen=True)
class Standardisation:
    """Columns shifted and scaled to mean 0 and standard deviation 1: `(x - mean) / std`.

    The standard deviation is the population's (divided by n, not n - 1). A 1-D array is one
    column. The numbers are plain floats, so that a model can carry them as a record.

    Attributes:
        mean: one number per column.
        std: one positive number per column.

    Raises:
        DataError: no columns, different lengths, a mean that is not finite, or a standard
            deviation that is not finite and positive.

    Example:
        >>> scale = Standardisation.of([10.0, 20.0, 30.0, 40.0])
        >>> scale.mean
        (25.0,)
        >>> scale.invert(scale.apply([10.0, 40.0]))
        array([10., 40.])
    """

    mean: tuple[float, ...]
    std: tuple[float, ...]

    def __post_init__(self) -> None:
        """Hold plain floats, and only such that can be divided by."""
        mean, std = (_column_numbers(key, getattr(self, key)) for key in ("mean", "std"))
        if len(mean) != len(std) or not mean:
            raise errors.DataError(
                "a standardisation needs as many standard deviations as means, at least one; "
                f"got {len(mean)} means and {len(std)} standard deviations"
            )
        if min(std) <= 0:
            raise errors.DataError(f"the standard deviations must be positive; got {std}")
        object.__setattr__(self, "mean", mean)
        object.__setattr__(self, "std", std)

    @classmethod
    def of(cls, x: ArrayLike, name: str = "X") -> Standardisation:
        """The standardisation that gives the columns of `x` mean 0 and standard deviation 1.

        Args:
            x: shape (n,), one column, or (n, columns).
            name: what the array is called, for the error.

        Raises:
            DataError: `x` is not a checked array of 1 or 2 axes, or a column is constant.
        """
        table = _table(name, check_array(name, x))
        with np.errstate(over="ignore", invalid="ignore"):  # _check_spread finds it
            mean, std = table.mean(axis=0), table.std(axis=0)
        _check_spread(name, table, std)
        return cls(tuple(mean.tolist()), tuple(std.tolist()))

    def apply(self, x: ArrayLike, name: str = "X") -> Array:
        """`(x - mean) / std` by column, in the shape of `x`.

        Args:
            x: shape (n, columns); with one column also (n,) or a single number.
            name: what the array is called, for the error.

        Raises:
            DataError: `x` is not a checked array.
            ShapeError: `x` does not have these columns.
        """
        array, mean, std = self._matched(name, x)
        return np.asarray((array - mean) / std)

    def invert(self, x: ArrayLike, name: str = "X") -> Array:
        """`x * std + mean` by column, back to the original scale; the reverse of `apply`.

        Args:
            x: shape (n, columns); with one column also (n,) or a single number.
            name: what the array is called, for the error.

        Raises:
            DataError: `x` is not a checked array.
            ShapeError: `x` does not have these columns.
        """
        array, mean, std = self._matched(name, x)
        return np.asarray(array * std + mean)

    def to_record(self) -> dict[str, list[float]]:
        """Plain lists of numbers under "mean" and "std", as JSON holds them without loss."""
        return {"mean": list(self.mean), "std": list(self.std)}

    @classmethod
    def from_record(cls, record: Mapping[str, Any]) -> Standardisation:
        """The standardisation that `to_record` wrote down.

        Raises:
            DataError: "mean" or "std" is missing, or they do not make a standardisation.
        """
        missing = [key for key in ("mean", "std") if key not in record]
        if missing:
            raise errors.DataError(f'the record of a standardisation lacks "{missing[0]}"')
        return cls(record["mean"], record["std"])

    def _matched(self, name: str, x: ArrayLike) -> tuple[Array, Array, Array]:
        """`x` checked, with mean and std in a rank that broadcasts along its columns."""
        array = check_array(name, x)
        columns = len(self.mean)
        if array.shape[1:] != (columns,) and (columns > 1 or array.ndim > 1):
            raise errors.ShapeError(
                f"`{name}` has shape {array.shape}, but the standardisation was made for "
                f"{columns} column{'s' * (columns > 1)}; give shape (n, {columns})"
            )
        mean, std = np.array(self.mean), np.array(self.std)
        # one column and no axis for it: bare numbers leave the rank of x as it is
        return (array, mean, std) if array.ndim == 2 else (array, mean[0], std[0])


def _as_array(name: str, value: ArrayLike) -> NDArray[Any]:
    """`numpy.asarray`, with its complaint (mostly about ragged rows) under the array's name."""
    try:
        return np.asarray(value)
    except (TypeError, ValueError) as error:
        raise errors.DataError(
            f"`{name}` cannot be read as an array of numbers with rows of one length: {error}"
        ) from error


def _kind(array: NDArray[Any]) -> str:
    """What an array holds instead of real numbers, with the first such entry where one stands."""
    if array.dtype.kind == "c":
        return "complex ones"
    if array.dtype.kind in "US":
        return f"text, such as {array.flat[0].item()!r}" if array.size else "text"
    if array.dtype.kind != "O":
        return f"values of dtype {array.dtype}"
    for position, entry in np.ndenumerate(array):
        if not isinstance(entry, (int, float, np.number)):
            return f"an object of type {type(entry).__name__}{_place(position)}"
    return "numbers as Python objects; convert them with numpy.asarray(..., dtype=float)"


def _check_finite(name: str, array: Array) -> None:
    """Raise DataError with the number of NaN and infinite values and the first of them."""
    wrong = np.argwhere(~np.isfinite(array))
    if len(wrong) == 0:
        return
    first = tuple(wrong[0].tolist())
    have = "1 value that is" if len(wrong) == 1 else f"{len(wrong)} values that are"
    raise errors.DataError(
        f"`{name}` has {have} NaN or infinite, "
        f"the first is {float(array[first])}{_place(first)}; remove or replace such values"
    )


def _place(position: tuple[int, ...]) -> str:
    """Where an entry stands, as one would index it; nothing for a single number."""
    return f" at [{', '.join(map(str, position))}]" if position else ""


def _length(name: str, array: Array) -> int:
    """The length of the first axis."""
    if np.ndim(array) == 0:
        raise errors.DataError(f"`{name}` is a single number, it has no axis of samples")
    return len(array)


def _table(name: str, array: Array) -> Array:
    """`array` as (n, columns)."""
    if array.ndim not in (1, 2):
        raise errors.DataError(
            f"only arrays of shape (n,) or (n, columns) can be standardised; "
            f"`{name}` has shape {array.shape}"
        )
    return array.reshape(len(array), -1)


def _check_spread(name: str, table: Array, std: Array) -> None:
    """Raise DataError for the first column whose standard deviation cannot be divided by."""
    # rounding in the mean can leave a constant column a tiny deviation, so look at the values
    constant = table.min(axis=0) == table.max(axis=0)
    wrong = np.flatnonzero(constant | ~(std > 0) | ~np.isfinite(std))
    if len(wrong) == 0:
        return
    column = int(wrong[0])
    what = f"`{name}`" if table.shape[1] == 1 else f"column {column} of `{name}` (counted from 0)"
    if constant[column]:
        raise errors.DataError(
            f"{what} cannot be standardised: it is constant, {float(table[0, column])} everywhere, "
            "so its standard deviation is 0"
        )
    raise errors.DataError(
        f"{what} cannot be standardised: float64 gives it the standard deviation "
        f"{float(std[column])}; rescale it first"
    )


def _column_numbers(key: str, values: ArrayLike) -> tuple[float, ...]:
    """One finite float per column."""
    numbers = check_numbers(key, values)
    if numbers.ndim != 1:
        raise errors.DataError(
            f'"{key}" must be a list with one number per column; its shape is {numbers.shape}'
        )
    return tuple(numbers.tolist())
