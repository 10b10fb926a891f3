"""Reading and writing under masks that depend on the inputs: `a[a > 0] = 0`."""

from __future__ import annotations

from typing import Any

import numpy as np

from symgrad.circuit import Circuit
from symgrad.reading.arrays import UFUNCS, TracedArray, boxed, entries, mapped
from symgrad.reading.operators import Operators
from symgrad.reading.places import refusal
from symgrad.reading.scalars import apply, choose, read


class Masked(Operators):
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
        if isinstance(function, np.ufunc):
            return UFUNCS[0](self.circuit, function, "__call__", args, options)
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


def assign_masked(array: TracedArray, mask: TracedArray, value: Any) -> None:
    """Write into the entries of an array at which unknown conditions hold."""
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
