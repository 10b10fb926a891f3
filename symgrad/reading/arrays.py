"""The array that user code computes with while it is read.

A `TracedArray` holds a real NumPy array of objects, so that views, slices and updates in place
alias exactly as in NumPy; NumPy's protocols bring every function of NumPy here, where it is looked
up in `FUNCTIONS` and `symgrad.reading.ufuncs`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from symgrad.circuit import Circuit
from symgrad.reading import scalars
from symgrad.reading.operators import Operators
from symgrad.reading.places import refusal, tick
from symgrad.reading.scalars import (
    Condition,
    Entry,
    as_condition,
    as_real,
    is_entry,
    read,
)

#: What functions of NumPy do with traced arrays, by the function: called with the circuit first.
FUNCTIONS: dict[Any, Callable[..., Any]] = {}
#: Called for a ufunc: with the circuit, the ufunc, its method, inputs and options.
UFUNCS: list[Callable[..., Any]] = []

#: Constant arrays with more entries than this stay plain until they are computed with.
MOST_CONSTANTS = 20_000
FLOAT, BOOL = np.dtype(float), np.dtype(bool)


def boxed(entry: Any) -> Any:
    """Return one entry as an object array without axes.

    >>> boxed(3).shape
    ()
    """
    box = np.empty((), dtype=object)
    box.fill(entry)
    return box


def mapped(function: Callable[..., Any], *arrays: Any) -> Any:
    """Apply a function to the entries of object arrays, which broadcast.

    >>> mapped(lambda a, b: a + b, boxed(1), np.array([1, 2], dtype=object))
    array([2, 3], dtype=object)
    """
    result = np.frompyfunc(function, len(arrays), 1)(*arrays)
    return result if isinstance(result, np.ndarray) else boxed(result)


def entries(circuit: Circuit, value: Any) -> Any:
    """Return any value that NumPy takes as an array, as an object array of entries.

    Raises:
        TraceError: Text, None or something else that is no number.

    >>> entries(Circuit(), [1, 0.5])
    array([1, 1/2], dtype=object)
    """
    if isinstance(value, TracedArray):
        return value.data
    if is_entry(value):
        return boxed(read(circuit, value))
    if isinstance(value, (list, tuple, range)):
        return _stacked(circuit, value)
    if isinstance(value, Operators):
        raise value.refused("a function with another array")
    if not isinstance(value, np.ndarray):
        raise refusal(f"an array of numbers is expected here, not {type(value).__name__}")
    return mapped(lambda entry: read(circuit, entry), value)


def _stacked(circuit: Circuit, value: Any) -> Any:
    parts = [entries(circuit, part) for part in value]
    if not parts:
        return np.empty((0,), dtype=object)
    if any(part.shape != parts[0].shape for part in parts):
        raise ValueError(
            "setting an array element with a sequence. The requested array has an inhomogeneous "
            f"shape: {[part.shape for part in parts]}"
        )
    return uniform(circuit, np.stack(parts))


def uniform(circuit: Circuit, data: Any) -> Any:
    """Return entries that are all read, and all conditions or all real numbers."""
    flat = data.ravel()
    if not all(isinstance(entry, (Entry, float)) for entry in flat):
        data = mapped(lambda entry: read(circuit, entry), data)
        flat = data.ravel()
    some = [isinstance(entry, Condition) for entry in flat]
    if any(some) and not all(some):
        return mapped(lambda entry: as_real(circuit, entry), data)
    return data


def wrapped(circuit: Circuit, data: Any) -> Any:
    """Return entries as user code gets them: a single number, or a traced array."""
    if not isinstance(data, np.ndarray):
        return data if isinstance(data, TracedArray) else read(circuit, data)
    return read(circuit, data[()]) if data.ndim == 0 else TracedArray(circuit, data)


def is_traced(value: Any) -> bool:
    """Tell whether a traced value is in a value, or in a list or tuple of them.

    >>> is_traced([1, (2, 3)])
    False
    """
    if isinstance(value, (list, tuple)):
        return any(map(is_traced, value))
    if isinstance(value, dict):
        return any(map(is_traced, value.values()))
    return isinstance(value, (Entry, Operators))


def known_entries(array: Any) -> Any:
    """Return the plain numbers of a traced array that depends on no input, else None."""
    flat = [entry if isinstance(entry, float) else entry.known for entry in array.data.flat]
    if any(entry is None for entry in flat):
        return None
    kind = BOOL if array.boolean else FLOAT
    return np.array([kind.type(entry) for entry in flat], dtype=kind).reshape(array.shape)


def real_dtype(dtype: Any) -> Any:
    """Return the kind that a dtype stands for: `bool`, `int` or `float`.

    >>> real_dtype("float32"), real_dtype(None)
    (<class 'float'>, <class 'float'>)
    """
    kinds = {"b": bool, "i": int, "u": int, "f": float, "O": float}
    kind = "f" if dtype is None else np.dtype(dtype).kind
    if kind not in kinds:
        raise refusal(f"arrays of {np.dtype(dtype)} are not read, only those of real numbers")
    return kinds[kind]


def plain_key(key: Any) -> Any:
    """Return an index with known traced parts made plain.

    Raises:
        TraceError: An index that depends on the inputs.
    """
    if isinstance(key, tuple):
        return tuple(map(plain_key, key))
    if isinstance(key, list) and is_traced(key):
        return [plain_key(part) for part in key]
    if isinstance(key, slice):
        return slice(*map(plain_key, (key.start, key.stop, key.step)))
    if isinstance(key, Entry):
        return bool(key) if isinstance(key, Condition) else key.__index__()
    if isinstance(key, TracedArray):
        known = known_entries(key)
        if known is None:
            raise refusal(
                "an index depends on the inputs; write np.where(mask, a, b), a product with the "
                "mask, or an index that is known"
            )
        if known.dtype != bool:
            raise IndexError("arrays used as indices must be of integer (or boolean) type")
        return known
    return key


def is_open_mask(key: Any) -> bool:
    """Tell whether an index is a mask of conditions that are not known."""
    return isinstance(key, TracedArray) and key.boolean and known_entries(key) is None


class TracedArray(Operators):
    """An array of entries of a circuit that acts as one of NumPy's.

    Attributes:
        circuit: The circuit.
        data: An object array of `Scalar`s, or of `Condition`s; infinite floats stay floats.

    >>> circuit = Circuit()
    >>> a = TracedArray(circuit, entries(circuit, [[1, 2], [3, 4]]))
    >>> (a @ a.T).shape
    (2, 2)
    """

    __array_priority__ = 1000

    def __init__(self, circuit: Circuit, data: Any) -> None:
        self.circuit, self.data = circuit, data

    # ------------------------------------------------------- what it is

    shape = property(lambda self: self.data.shape)
    ndim = property(lambda self: self.data.ndim)
    size = property(lambda self: self.data.size)
    strides = property(lambda self: self.data.strides)
    nbytes = property(lambda self: self.data.nbytes)
    itemsize = 8
    flags = property(lambda self: self.data.flags)
    imag = property(lambda self: 0 * self)
    real = property(lambda self: self)
    T = property(lambda self: TracedArray(self.circuit, self.data.T))
    mT = property(lambda self: TracedArray(self.circuit, self.data.mT))

    @property
    def boolean(self) -> bool:
        """Whether the entries are conditions."""
        return bool(self.data.size) and isinstance(self.data.flat[0], Condition)

    @property
    def dtype(self) -> Any:
        """NumPy's dtype: float64, or bool for conditions."""
        return BOOL if self.boolean else FLOAT

    @property
    def flat(self) -> Any:
        """An array over all entries in order, as NumPy's `flat` where it is read."""
        return self.reshape(-1)

    def __len__(self) -> int:
        return len(self.data)

    def __iter__(self) -> Iterator[Any]:
        if not self.ndim:
            raise TypeError("iteration over a 0-d array")
        return (self[k] for k in range(len(self)))

    def __repr__(self) -> str:
        return f"TracedArray(shape={self.shape})"

    def __format__(self, form: str) -> str:
        return repr(self)

    def __bool__(self) -> bool:
        if self.size != 1:
            raise ValueError(
                "The truth value of an array with more than one element is ambiguous. "
                "Use a.any() or a.all()"
            )
        return bool(self.item())

    def __float__(self) -> float:
        return float(self.item())

    def __int__(self) -> int:
        return int(self.item())

    def __index__(self) -> int:
        return int(self.item().__index__())

    def __contains__(self, value: Any) -> bool:
        return bool(np.any(self == value))

    def __array__(self, *_: Any, **__: Any) -> Any:
        raise refusal(
            "a traced array is turned into plain numbers, by compiled code or a function that "
            "symgrad does not know; write this step with NumPy's elementwise functions, sums and "
            "products"
        )

    def __copy__(self) -> TracedArray:
        return self.copy()

    def __deepcopy__(self, memo: Any) -> TracedArray:
        return self.copy()

    # ---------------------------------------------------------- NumPy's protocols

    def __array_ufunc__(self, ufunc: Any, method: str, *inputs: Any, **options: Any) -> Any:
        return UFUNCS[0](self.circuit, ufunc, method, inputs, options)

    def __array_function__(self, function: Any, types: Any, args: Any, options: Any) -> Any:
        return call_function(self.circuit, function, args, options)

    # ------------------------------------------------------------- entries

    def __getitem__(self, key: Any) -> Any:
        tick()
        if is_open_mask(key):
            from symgrad.reading.masks import Masked

            return Masked(self, key)
        found = self.data[plain_key(key)]
        return TracedArray(self.circuit, found) if isinstance(found, np.ndarray) else found

    def __setitem__(self, key: Any, value: Any) -> None:
        tick()
        if is_open_mask(key):
            from symgrad.reading.masks import assign_masked

            assign_masked(self, key, value)
            return
        plain = plain_key(key)
        given = self.cast(entries(self.circuit, value))
        target = self.data[plain]
        if not isinstance(target, np.ndarray):
            if given.size != 1:
                raise ValueError("setting an array element with a sequence.")
            self.data[plain] = given.reshape(-1)[0]
        elif given.ndim == 0:
            self.data[plain] = given[()]
        else:
            self.data[plain] = given

    def cast(self, data: Any) -> Any:
        """Return entries as this array stores them: as conditions, or as real numbers."""
        kind = as_condition if self.boolean else as_real
        return mapped(lambda entry: kind(self.circuit, entry), data)

    # ------------------------------------------------------------- methods

    def item(self, *place: Any) -> Any:
        """Return one entry."""
        found = self.data[place] if len(place) > 1 else self.data.reshape(-1)
        if len(place) > 1:
            return found
        if not place and self.size != 1:
            raise ValueError("can only convert an array of size 1 to a Python scalar")
        return found[plain_key(place[0]) if place else 0]

    def tolist(self) -> Any:
        """Return nested lists of entries."""
        return self.data.tolist() if self.ndim else self.item()

    def copy(self, order: str = "C") -> TracedArray:
        """Return a copy."""
        return TracedArray(self.circuit, self.data.copy())

    def astype(self, dtype: Any, **_: Any) -> Any:
        """Return the array with another dtype; whole numbers only where they are known."""
        kind = real_dtype(dtype)
        if kind is bool:
            return TracedArray(self.circuit, mapped(_caster(self, as_condition), self.data))
        known = known_entries(self) if kind is int else None
        if known is not None:
            return known.astype(dtype)
        if kind is int and not self.boolean:
            raise refusal("astype(int) of values that depend on the inputs")
        made = mapped(_caster(self, as_real), self.data)
        if kind is int:
            if np.dtype(dtype).kind == "u":
                raise refusal("a mask as unsigned integers, which wrap around below 0; use float")
            # What NumPy stores in it is cut to whole numbers: nothing is stored in it here.
            made.flags.writeable = False
        return TracedArray(self.circuit, made)

    def reshape(self, *shape: Any, **options: Any) -> TracedArray:
        """Return the array in another shape, as a view."""
        sizes = shape[0] if len(shape) == 1 else shape
        return TracedArray(self.circuit, self.data.reshape(plain_key(sizes), **options))

    def transpose(self, *axes: Any) -> TracedArray:
        """Return a view with the axes in another order."""
        return TracedArray(self.circuit, self.data.transpose(*axes))

    def flatten(self, order: str = "C") -> TracedArray:
        """Return a copy without axes but one."""
        return TracedArray(self.circuit, self.data.flatten())

    def fill(self, value: Any) -> None:
        """Set every entry."""
        self[...] = value

    def __getattr__(self, name: str) -> Any:
        if name not in METHODS:
            raise AttributeError(f"a traced array has no attribute {name!r}")
        function = getattr(np, METHODS[name])
        return lambda *args, **options: call_function(
            self.circuit, function, (self, *args), options
        )


def _caster(array: TracedArray, kind: Any) -> Any:
    return lambda entry: kind(array.circuit, entry)


#: Methods of arrays that are functions of NumPy, with the name of the function.
_METHODS = (
    "sum mean max min var std prod dot ravel swapaxes clip repeat squeeze cumsum cumprod all "
    "any argmax argmin argsort sort argpartition partition nonzero trace diagonal take ptp "
    "round searchsorted choose compress put resize"
)
METHODS = {name: name for name in [*_METHODS.split(), "conjugate"]} | {"conj": "conjugate"}


def call_function(circuit: Circuit, function: Any, args: Any, options: Any) -> Any:
    """Call a function of NumPy with traced arguments.

    Raises:
        TraceError: A function that is not read, of values that depend on the inputs.
    """
    tick()
    other = [v for v in args if isinstance(v, Operators) and not isinstance(v, TracedArray)]
    if other:
        return other[0].__array_function__(function, (), args, options)  # type: ignore[attr-defined]
    if isinstance(function, np.ufunc):
        return UFUNCS[0](circuit, function, "__call__", args, options)
    if function in FUNCTIONS:
        return FUNCTIONS[function](circuit, *args, **options)
    plain = _all_known([*args, *options.values()])
    if plain is None:
        name = getattr(function, "__name__", str(function))
        raise refusal(f"np.{name} of values that depend on the inputs is not read{_hint(name)}")
    count = len(args)
    result = function(*plain[:count], **dict(zip(options, plain[count:], strict=True)))
    return as_given(circuit, result)


_HINTS = {
    "argmax": "; a gradient needs np.max, or a product with one-hot targets",
    "sort": "; write np.maximum or np.where",
    "eigh": "; write the function with solve, inv, det, or products",
}


def _hint(name: str) -> str:
    return _HINTS.get(name.removeprefix("nan"), "")


def _all_known(values: list[Any]) -> list[Any] | None:
    plain = []
    for value in values:
        if isinstance(value, (list, tuple)):
            inside = _all_known(list(value))
            value = None if inside is None else type(value)(inside)
            if value is None:
                return None
        elif isinstance(value, TracedArray):
            value = known_entries(value)
            if value is None:
                return None
        elif isinstance(value, Entry):
            if value.known is None:
                return None
            value = bool(value) if isinstance(value, Condition) else float(value)
        elif isinstance(value, Operators):
            return None
        plain.append(value)
    return plain


def as_given(circuit: Circuit, value: Any) -> Any:
    """Return what a function of plain numbers gave: floating-point numbers become exact."""
    if isinstance(value, np.ndarray):
        exact = value.dtype.kind == "f" and value.size <= MOST_CONSTANTS
        return TracedArray(circuit, entries(circuit, value)) if exact else value
    if isinstance(value, (float, np.floating)):
        return read(circuit, value)
    if type(value) in (list, tuple):
        return type(value)(as_given(circuit, part) for part in value)
    return value


def _without_axes(entry: Entry) -> TracedArray:
    return TracedArray(entry.circuit, boxed(entry))


scalars._AS_ARRAY.append(_without_axes)
