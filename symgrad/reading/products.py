"""Products of traced arrays: all of NumPy's are one contraction over named axes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from symgrad.circuit import Circuit
from symgrad.reading.arrays import FUNCTIONS, TracedArray, entries, mapped, wrapped
from symgrad.reading.scalars import apply, fold
from symgrad.reading.shaping import implements
from symgrad.reading.ufuncs import reduced, store


def _diagonals(data: Any, labels: str) -> tuple[Any, str]:
    for label in dict.fromkeys(labels):
        while labels.count(label) > 1:
            first = labels.index(label)
            second = labels.index(label, first + 1)
            data = np.diagonal(data, axis1=first, axis2=second)
            labels = labels[:first] + labels[first + 1 : second] + labels[second + 1 :] + label
    return data, labels


def _aligned(data: Any, labels: str, order: str) -> Any:
    data, labels = _diagonals(data, labels)
    present = [label for label in order if label in labels]
    moved = data.transpose([labels.index(label) for label in present])
    sizes = iter(moved.shape)
    return moved.reshape([next(sizes) if label in labels else 1 for label in order])


def contract(circuit: Circuit, arrays: Sequence[Any], inputs: Sequence[str], output: str) -> Any:
    """Multiply arrays whose axes have letters, and sum over those that the output lacks.

    Args:
        circuit: The circuit.
        arrays: Object arrays.
        inputs: The letters of each array's axes.
        output: The letters of the result's axes.

    Raises:
        ValueError: Axes of one letter with different lengths.

    >>> circuit = Circuit()
    >>> a = entries(circuit, [1, 2])
    >>> contract(circuit, [a, a], ["i", "i"], "")
    array(5, dtype=object)
    """
    _check_sizes(arrays, inputs)
    summed = "".join(dict.fromkeys(x for labels in inputs for x in labels if x not in output))
    order = output + summed
    wide = [_aligned(a, labels, order) for a, labels in zip(arrays, inputs, strict=True)]
    product = wide[0]
    if len(wide) > 1:
        product = mapped(lambda *found: apply(circuit, "multiply", *found), *wide)
    if not summed:
        return product
    axes = tuple(range(len(output), len(order)))
    return reduced(product, axes, False, lambda found: fold(circuit, "add", found))


def _check_sizes(arrays: Sequence[Any], inputs: Sequence[str]) -> None:
    sizes: dict[str, int] = {}
    for data, labels in zip(arrays, inputs, strict=True):
        if data.ndim != len(labels):
            raise ValueError(f"an array with {data.ndim} axes does not fit the letters {labels!r}")
        for label, size in zip(labels, data.shape, strict=True):
            known = sizes.setdefault(label, size)
            if known != size and 1 not in (known, size):
                raise ValueError(f"axis {label!r} has the lengths {known} and {size}")
            sizes[label] = max(known, size)


def _letters(count: int, start: int = 0) -> str:
    return "".join(chr(ord("A") + start + k) for k in range(count))


@implements(np.matmul)
def matmul(circuit: Circuit, first: Any, second: Any, **_: Any) -> Any:
    """Return the matrix product; axes before the last two are broadcast."""
    left, right = entries(circuit, first), entries(circuit, second)
    if not left.ndim or not right.ndim:
        raise ValueError("matmul: an operand is a single number; use * instead")
    _check_inner(left.shape, right.shape, left.shape[-1], right.shape[max(-2, -right.ndim)])
    batch = _letters(max(left.ndim, right.ndim) - 2)
    row = "i" if left.ndim > 1 else ""
    column = "k" if right.ndim > 1 else ""
    before = batch[len(batch) - max(left.ndim - 2, 0) :]
    after = batch[len(batch) - max(right.ndim - 2, 0) :]
    labels = [before + row + "j", after + "j" + column]
    return wrapped(circuit, contract(circuit, [left, right], labels, batch + row + column))


def _check_inner(first: Any, second: Any, inner: int, other: int) -> None:
    if inner != other:
        raise ValueError(f"shapes {first} and {second} not aligned: {inner} != {other}")


@implements(np.dot)
def dot(circuit: Circuit, first: Any, second: Any, out: Any = None) -> Any:
    """Return NumPy's dot product: over the last axis and the one before the last."""
    left, right = entries(circuit, first), entries(circuit, second)
    if not left.ndim or not right.ndim:
        return store(circuit, np.multiply(wrapped(circuit, left), wrapped(circuit, right)), out)
    _check_inner(left.shape, right.shape, left.shape[-1], right.shape[max(-2, -right.ndim)])
    before = _letters(left.ndim - 1)
    after = _letters(right.ndim - 1, left.ndim)
    labels = [before + "j", after[:-1] + "j" + after[-1:]]
    result = wrapped(circuit, contract(circuit, [left, right], labels, before + after))
    return store(circuit, result, out)


@implements(np.inner)
def inner(circuit: Circuit, first: Any, second: Any) -> Any:
    """Return the sums of products over the last axes."""
    left, right = entries(circuit, first), entries(circuit, second)
    if not left.ndim or not right.ndim:
        return np.multiply(wrapped(circuit, left), wrapped(circuit, right))
    _check_inner(left.shape, right.shape, left.shape[-1], right.shape[-1])
    before, after = _letters(left.ndim - 1), _letters(right.ndim - 1, left.ndim)
    labels = [before + "j", after + "j"]
    return wrapped(circuit, contract(circuit, [left, right], labels, before + after))


@implements(np.vdot)
def vdot(circuit: Circuit, first: Any, second: Any) -> Any:
    """Return the sum of the products of all entries."""
    return inner(
        circuit, *(np.ravel(TracedArray(circuit, entries(circuit, v))) for v in (first, second))
    )


def vecdot(circuit: Circuit, first: Any, second: Any, axis: int = -1) -> Any:
    """Return the sums of products along an axis."""
    pair = [TracedArray(circuit, entries(circuit, value)) for value in (first, second)]
    return np.sum(pair[0] * pair[1], axis=axis)


if hasattr(np, "vecdot"):
    FUNCTIONS[np.vecdot] = FUNCTIONS[np.linalg.vecdot] = vecdot
if hasattr(np.linalg, "matmul"):
    FUNCTIONS[np.linalg.matmul] = matmul


@implements(np.outer, *([np.linalg.outer] if hasattr(np.linalg, "outer") else []))
def outer(circuit: Circuit, first: Any, second: Any, out: Any = None) -> Any:
    """Return all products of entries of two arrays."""
    flat = [entries(circuit, value).reshape(-1) for value in (first, second)]
    return store(circuit, wrapped(circuit, contract(circuit, flat, ["i", "j"], "ij")), out)


@implements(np.kron)
def kron(circuit: Circuit, first: Any, second: Any) -> Any:
    """Return the Kronecker product of two matrices."""
    left, right = (np.atleast_2d(entries(circuit, value)) for value in (first, second))
    shape = [m * n for m, n in zip(left.shape, right.shape, strict=True)]
    result = contract(circuit, [left, right], ["ik", "jl"], "ijkl").reshape(shape)
    one_axis = np.ndim(first) < 2 and np.ndim(second) < 2
    return wrapped(circuit, result.reshape(-1) if one_axis else result)


@implements(np.tensordot)
def tensordot(circuit: Circuit, first: Any, second: Any, axes: Any = 2) -> Any:
    """Return sums of products over pairs of axes."""
    left, right = entries(circuit, first), entries(circuit, second)
    if isinstance(axes, (int, np.integer)):
        axes = range(left.ndim - axes, left.ndim), range(axes)
    pairs = [[part] if isinstance(part, (int, np.integer)) else list(part) for part in axes]
    before = list(_letters(left.ndim))
    after = list(_letters(right.ndim, left.ndim))
    for k, other in zip(*pairs, strict=True):
        _check_inner(left.shape, right.shape, left.shape[k], right.shape[other])
        after[other] = before[k]
    labels = "".join(before), "".join(after)
    shared = set(labels[0]) & set(labels[1])
    output = "".join(x for x in labels[0] + labels[1] if x not in shared)
    return wrapped(circuit, contract(circuit, [left, right], labels, output))


def einsum_letters(spec: str, ranks: Sequence[int]) -> tuple[list[str], str]:
    """Write a specification of `np.einsum` out: without dots and with the result's letters.

    >>> einsum_letters("...i,i", [2, 1])
    (['Āi', 'i'], 'Ā')
    """
    before, arrow, output = spec.replace(" ", "").partition("->")
    inputs = before.split(",")
    if len(inputs) != len(ranks):
        raise ValueError(f"einsum {spec!r} has {len(inputs)} operands, {len(ranks)} were given")
    hidden = [
        rank - len(labels.replace("...", "")) if "..." in labels else 0
        for labels, rank in zip(inputs, ranks, strict=True)
    ]
    # Letters that nobody writes stand for the axes behind the dots, the last ones aligned.
    dots = "".join(chr(0x100 + k) for k in range(max(hidden, default=0)))
    if not arrow:
        letters = sorted(set(before) - set(",."))
        output = "..." * ("..." in before) + "".join(x for x in letters if before.count(x) == 1)
    full = [
        labels.replace("...", dots[len(dots) - count :])
        for labels, count in zip(inputs, hidden, strict=True)
    ]
    return full, output.replace("...", dots)


@implements(np.einsum)
def einsum(circuit: Circuit, spec: Any, *operands: Any, out: Any = None, **_: Any) -> Any:
    """Return a sum of products as a specification with letters, or lists of axes, says."""
    if not isinstance(spec, str):
        spec, operands = _spelled_einsum((spec, *operands))
    arrays = [entries(circuit, value) for value in operands]
    inputs, output = einsum_letters(spec, [a.ndim for a in arrays])
    return store(circuit, wrapped(circuit, contract(circuit, arrays, inputs, output)), out)


def _spelled_einsum(given: tuple[Any, ...]) -> tuple[str, tuple[Any, ...]]:
    def letters(axes: Any) -> str:
        return "".join("..." if axis is Ellipsis else chr(ord("a") + axis) for axis in axes)

    pairs = len(given) // 2
    spec = ",".join(letters(given[2 * k + 1]) for k in range(pairs))
    if len(given) % 2:
        spec += "->" + letters(given[-1])
    return spec, given[: 2 * pairs : 2]


@implements(np.convolve)
def convolve(circuit: Circuit, a: Any, v: Any, mode: str = "full") -> Any:
    """Return the convolution of two vectors."""
    left, right = entries(circuit, a), entries(circuit, v)
    if len(right) > len(left):
        left, right = right, left
    m, n = len(left), len(right)
    result = np.empty(m + n - 1, dtype=object)
    for k in range(m + n - 1):
        pairs = [(left[i], right[k - i]) for i in range(max(0, k - n + 1), min(m, k + 1))]
        result[k] = fold(circuit, "add", [apply(circuit, "multiply", *pair) for pair in pairs])
    ends = {"full": (0, m + n - 1), "same": ((n - 1) // 2, (n - 1) // 2 + m), "valid": (n - 1, m)}
    return TracedArray(circuit, result[slice(*ends[mode])])


@implements(np.correlate)
def correlate(circuit: Circuit, a: Any, v: Any, mode: str = "valid") -> Any:
    """Return the correlation of two vectors, the first of which is the longer one."""
    right = TracedArray(circuit, entries(circuit, v))
    return convolve(circuit, a, right[::-1], mode)


@implements(np.cross)
def cross(circuit: Circuit, a: Any, b: Any) -> Any:
    """Return the vector product along the last axes, of three entries each."""
    x, y = (TracedArray(circuit, np.moveaxis(entries(circuit, v), -1, 0)) for v in (a, b))
    parts = [x[i] * y[j] - x[j] * y[i] for i, j in ((1, 2), (2, 0), (0, 1))]
    return np.stack(parts, axis=-1)
