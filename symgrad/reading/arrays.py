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
from symgrad.reading.places import refusal, tick
from symgrad.reading.scalars import (
    Condition,
    Entry,
    apply,
    as_condition,
    as_real,
    choose,
    is_entry,
    read,
)

#: What functions of NumPy do with traced arrays, by the function: called with the circuit first.
FUNCTIONS: dict[Any, Callable[..., Any]] = {}
#: Called for a ufunc: with the circuit, the ufunc, its method, inputs and options.
UFUNCS: list[Callable[..., Any]] = []

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
    return isinstance(value, (Entry, TracedArray, Masked))


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


def _operator(name: str) -> Any:
    ufunc = getattr(np, name)
    return lambda self, other: _binary(ufunc, self, other)


def _binary(ufunc: Any, first: Any, second: Any) -> Any:
    if not isinstance(second, (Entry, TracedArray, Masked, np.ndarray, list, tuple)) and (
        not is_entry(second)
    ):
        return NotImplemented
    return ufunc(first, second)


def _reflected(name: str) -> Any:
    ufunc = getattr(np, name)
    return lambda self, other: NotImplemented if other is None else ufunc(other, self)


def _in_place(name: str) -> Any:
    ufunc = getattr(np, name)

    def operator(self: Any, other: Any) -> Any:
        ufunc(self, other, out=(self,))
        return self

    return operator


def _unary(name: str) -> Any:
    return lambda self: getattr(np, name)(self)


class _Operators:
    """Python's operators, all by NumPy's functions."""

    __add__, __radd__, __iadd__ = _operator("add"), _reflected("add"), _in_place("add")
    __sub__, __rsub__ = _operator("subtract"), _reflected("subtract")
    __isub__ = _in_place("subtract")
    __mul__, __rmul__ = _operator("multiply"), _reflected("multiply")
    __imul__ = _in_place("multiply")
    __truediv__, __rtruediv__ = _operator("divide"), _reflected("divide")
    __itruediv__ = _in_place("divide")
    __pow__, __rpow__, __ipow__ = _operator("power"), _reflected("power"), _in_place("power")
    __floordiv__, __rfloordiv__ = _operator("floor_divide"), _reflected("floor_divide")
    __mod__, __rmod__ = _operator("remainder"), _reflected("remainder")
    __matmul__, __rmatmul__ = _operator("matmul"), _reflected("matmul")
    __imatmul__ = _in_place("matmul")
    __and__, __rand__ = _operator("bitwise_and"), _reflected("bitwise_and")
    __iand__ = _in_place("bitwise_and")
    __or__, __ror__ = _operator("bitwise_or"), _reflected("bitwise_or")
    __ior__ = _in_place("bitwise_or")
    __xor__, __rxor__ = _operator("bitwise_xor"), _reflected("bitwise_xor")
    __lt__, __gt__ = _operator("less"), _operator("greater")
    __le__, __ge__ = _operator("less_equal"), _operator("greater_equal")
    __eq__, __ne__ = _operator("equal"), _operator("not_equal")
    __neg__, __pos__ = _unary("negative"), _unary("positive")
    __abs__, __invert__ = _unary("absolute"), _unary("invert")
    __hash__ = None  # type: ignore[assignment]


class TracedArray(_Operators):
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
            return Masked(self, key)
        found = self.data[plain_key(key)]
        return TracedArray(self.circuit, found) if isinstance(found, np.ndarray) else found

    def __setitem__(self, key: Any, value: Any) -> None:
        tick()
        if is_open_mask(key):
            _assign_masked(self, key, value)
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
        return TracedArray(self.circuit, mapped(_caster(self, as_real), self.data))

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
METHODS = {
    name: name
    for name in (
        "sum mean max min var std prod dot ravel swapaxes clip repeat squeeze cumsum cumprod all "
        "any argmax argmin argsort sort argpartition partition nonzero trace diagonal take ptp "
        "round searchsorted choose compress put resize"
    ).split()
} | {"conj": "conjugate", "conjugate": "conjugate"}


def call_function(circuit: Circuit, function: Any, args: Any, options: Any) -> Any:
    """Call a function of NumPy with traced arguments.

    Raises:
        TraceError: A function that is not read, of values that depend on the inputs.
    """
    tick()
    if isinstance(function, np.ufunc):
        return UFUNCS[0](circuit, function, "__call__", args, options)
    masked = [value for value in args if isinstance(value, Masked)]
    if masked:
        return masked[0].__array_function__(function, (), args, options)
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
        elif isinstance(value, Masked):
            return None
        plain.append(value)
    return plain


def as_given(circuit: Circuit, value: Any) -> Any:
    """Return what a function of plain numbers gave: floating-point numbers become exact."""
    if isinstance(value, np.ndarray):
        return TracedArray(circuit, entries(circuit, value)) if value.dtype.kind == "f" else value
    if isinstance(value, (float, np.floating)):
        return read(circuit, value)
    if type(value) in (list, tuple):
        return type(value)(as_given(circuit, part) for part in value)
    return value


# ------------------------------------------------------------------ masks


class Masked(_Operators):
    """The entries of an array at which an unknown condition holds: `a[a > 0]`.

    How many there are is not known. They can be computed with entry by entry, summed up, and
    stored where the same condition holds; anything else cannot be read.
    """

    __array_priority__ = 1001

    def __init__(self, array: TracedArray, mask: TracedArray) -> None:
        self.array, self.mask = array, mask
        self.circuit = array.circuit
        if mask.shape != array.shape[: mask.ndim]:
            raise IndexError(
                f"boolean index of shape {mask.shape} did not match an array of shape {array.shape}"
            )

    @property
    def wide(self) -> Any:
        """The mask with an axis for each of the array's."""
        data = self.mask.data
        return data.reshape(data.shape + (1,) * (self.array.ndim - data.ndim))

    def same_mask(self, other: Masked) -> bool:
        """Tell whether two masks are the same conditions."""
        own, others = self.mask.data, other.mask.data
        return own.shape == others.shape and all(
            a.node == b.node for a, b in zip(own.flat, others.flat, strict=True)
        )

    def with_zeros(self) -> TracedArray:
        """Return the whole array with 0 where the condition does not hold."""
        zero, c = boxed(read(self.circuit, 0)), self.circuit
        return TracedArray(
            c, mapped(lambda m, a, z: choose(c, m, a, z), self.wide, self.array.data, zero)
        )

    def sum(self) -> Any:
        """Return the sum of the entries."""
        return np.sum(self.with_zeros())

    def mean(self) -> Any:
        """Return the mean of the entries."""
        count = np.sum(TracedArray(self.circuit, np.broadcast_to(self.wide, self.array.shape)))
        return self.sum() / count

    def __array_ufunc__(self, ufunc: Any, method: str, *inputs: Any, **options: Any) -> Any:
        return UFUNCS[0](self.circuit, ufunc, method, inputs, options)

    def __array_function__(self, function: Any, types: Any, args: Any, options: Any) -> Any:
        if function in (np.sum, np.mean) and len(args) == 1 and not options:
            return self.sum() if function is np.sum else self.mean()
        raise self.refused(getattr(function, "__name__", str(function)))

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__array"):
            raise AttributeError(name)
        raise self.refused(name)

    def __array__(self, *_: Any, **__: Any) -> Any:
        raise self.refused("np.array")

    def __len__(self) -> int:
        raise self.refused("len()")

    def __iter__(self) -> Any:
        raise self.refused("a loop")

    def refused(self, use: str) -> Exception:
        """Return the error for a use that cannot be read."""
        return refusal(
            f"a[mask] with a mask that depends on the inputs is used by {use}: how many entries "
            "it has is not known; write np.where(mask, a, b) or a product with the mask"
        )


def map_masked(circuit: Circuit, name: str, inputs: tuple[Any, ...]) -> Masked:
    """Apply a function to entries under a mask, entry by entry.

    Raises:
        TraceError: Two masks that are not the same, or arrays beside the masked ones.
    """
    masked = [value for value in inputs if isinstance(value, Masked)]
    first = masked[0]
    others = (value for value in inputs if not isinstance(value, Masked))
    if not all(map(first.same_mask, masked)) or not all(np.ndim(v) == 0 for v in others):
        raise first.refused(f"np.{name} with other arrays")
    data = [v.array.data if isinstance(v, Masked) else entries(circuit, v) for v in inputs]
    values = mapped(lambda *found: apply(circuit, name, *found), *data)
    return Masked(TracedArray(circuit, values), first.mask)


def _assign_masked(array: TracedArray, mask: TracedArray, value: Any) -> None:
    target = Masked(array, mask)
    if isinstance(value, Masked):
        if not target.same_mask(value):
            raise value.refused("an assignment under another mask")
        given = value.array.data
    else:
        given = entries(array.circuit, value)
        if given.size != 1:
            raise target.refused("an assignment of several values")
        given = boxed(given.reshape(-1)[0])
    c = array.circuit
    array.data[...] = mapped(
        lambda m, new, old: choose(c, m, new, old), target.wide, array.cast(given), array.data
    )


def _without_axes(entry: Entry) -> TracedArray:
    return TracedArray(entry.circuit, boxed(entry))


scalars._AS_ARRAY.append(_without_axes)
