"""User code read into a circuit: every name against NumPy, views, masks, copies, errors."""

from __future__ import annotations

import functools
import math
from math import tanh

import numpy as np
import numpy.linalg as la
import pytest
import sympy as sp
from numpy import exp

from symgrad.circuit import Circuit
from symgrad.reading.trace import call_traced, nodes_of, variables


def evaluated(circuit, values):
    """Compute every node of a circuit in floating point."""
    found = []
    for kind, args, value in circuit.nodes:
        parts = [found[k] for k in args]
        found.append(_RULES[kind](parts, value, values))
    return found


def _power(parts, value):
    base = parts[0]
    if value.denominator % 2 and value.denominator > 1 and base < 0:
        return math.copysign(abs(base) ** float(value), (-1) ** value.numerator)
    return base ** float(value) if base else (0.0 if value > 0 else math.nan)


def _log(x):
    return math.log(x) if x > 0 else math.nan


def _real_power(parts, value):
    result = _power(parts, value)
    return math.nan if isinstance(result, complex) else result


_RULES = {
    "number": lambda parts, value, values: float(value),
    "constant": lambda parts, value, values: float(value),
    "variable": lambda parts, value, values: values[value],
    "add": lambda parts, value, values: math.fsum(parts),
    "multiply": lambda parts, value, values: math.prod(parts),
    "power": lambda parts, value, values: _real_power(parts, value),
    "exp": lambda parts, value, values: math.exp(parts[0]),
    "log": lambda parts, value, values: _log(parts[0]),
    "sin": lambda parts, value, values: math.sin(parts[0]),
    "cos": lambda parts, value, values: math.cos(parts[0]),
    "call": lambda parts, value, values: float(sp.N(value(*parts))),
    "select": lambda parts, value, values: parts[1] if parts[0] else parts[2],
    "positive": lambda parts, value, values: parts[0] > 0,
    "zero": lambda parts, value, values: parts[0] == 0,
    "not": lambda parts, value, values: not parts[0],
    "and": lambda parts, value, values: all(parts),
}


def traced(function, *arrays):
    """Call a function traced, and compute its results at the arrays."""
    circuit, values, given = Circuit(), {}, []
    for k, array in enumerate(arrays):
        given.append(variables(circuit, f"x{k}", np.shape(array)))
        for place, value in np.ndenumerate(np.asarray(array, dtype=float)):
            name = f"x{k}[{', '.join(map(str, place))}]" if place else f"x{k}"
            values[name] = float(value)
    result = call_traced(circuit, function, given)
    several = isinstance(result, (tuple, list))
    nodes = [nodes_of(part, circuit) for part in (result if several else [result])]
    numbers = evaluated(circuit, values)
    found = [np.vectorize(lambda k: numbers[k], otypes=[float])(part) for part in nodes]
    return found if several else found[0]


def agrees(function, *arrays):
    expected = function(*[np.array(a, dtype=float) if np.ndim(a) else float(a) for a in arrays])
    found = traced(function, *arrays)
    several = isinstance(found, list)
    pairs = zip(expected, found, strict=True) if several else [(expected, found)]
    for theirs, ours in pairs:
        assert np.shape(ours) == np.shape(theirs)
        np.testing.assert_allclose(ours, np.asarray(theirs, dtype=float), rtol=1e-9, atol=1e-12)


RNG = np.random.default_rng(7)
A = RNG.uniform(-2, 2, (3, 4))
B = RNG.uniform(-2, 2, (4, 2))
P = RNG.uniform(0.2, 0.9, (3, 4))
Q = RNG.uniform(0.2, 1.9, (3, 4))
V, W = RNG.uniform(-2, 2, 4), RNG.uniform(-2, 2, 4)
S = RNG.uniform(-1, 1, (3, 3)) + 2 * np.eye(3)
S5 = RNG.uniform(-1, 1, (5, 5)) + 3 * np.eye(5)
T3 = RNG.uniform(-2, 2, (2, 3, 4))

UNARY = (
    "negative positive square exp exp2 expm1 sin cos tan sinh cosh tanh arctan arcsinh absolute "
    "fabs sign cbrt conjugate deg2rad rad2deg isfinite isnan isinf logical_not signbit"
)
POSITIVE = "sqrt log log1p log2 log10 arcsin arccos arctanh reciprocal"
BINARY = (
    "add subtract multiply divide maximum minimum fmax fmin logaddexp logaddexp2 hypot arctan2 "
    "heaviside greater less greater_equal less_equal equal not_equal logical_and logical_or "
    "logical_xor"
)


@pytest.mark.parametrize("name", UNARY.split())
def test_functions_of_one_array(name):
    agrees(lambda x: getattr(np, name)(x), A)
    agrees(lambda x: getattr(np, name)(x), 0.7)


@pytest.mark.parametrize("name", POSITIVE.split())
def test_functions_of_one_positive_array(name):
    agrees(lambda x: getattr(np, name)(x), P)


def test_functions_from_one_on():
    agrees(lambda x: np.arccosh(x + 1), P)


@pytest.mark.parametrize("name", BINARY.split())
def test_functions_of_two_arrays(name):
    agrees(lambda x, y: getattr(np, name)(x, y), A, A[::-1].copy())
    agrees(lambda x, y: getattr(np, name)(x, y), A, V)
    agrees(lambda x: getattr(np, name)(x, 0.5), A)
    agrees(lambda x, y: getattr(np, name).outer(x, y), V, W)


FUNCTIONS = {
    "power": (lambda x, y: np.power(x, y) + x**2 + x**0.5 + 2**y + x**-1, P, Q),
    "matmul": (lambda x, y: x @ y, A, B),
    "matmul vectors": (lambda x, y: x @ y, V, W),
    "matmul left": (lambda x, y: x @ y, V, B),
    "matmul right": (lambda x, y: x @ y, A, V),
    "matmul batch": (lambda x, y: np.matmul(x, y), T3, B),
    "dot": (lambda x, y: np.dot(x, y) + x.dot(y), A, B),
    "dot 3d": (lambda x, y: np.dot(x, y), T3, B),
    "inner": (lambda x, y: np.inner(x, y), A, V),
    "outer": (lambda x, y: np.outer(x, y), A, V),
    "vdot": (lambda x, y: np.vdot(x, y), A, P),
    "kron": (lambda x, y: np.kron(x, y), A, B),
    "cross": (lambda x, y: np.cross(x, y), S, S.T.copy()),
    "convolve": (lambda x, y: np.convolve(x, y[:2]), V, W),
    "convolve valid": (lambda x, y: np.convolve(x, y[:3], "valid"), V, W),
    "convolve same": (lambda x, y: np.convolve(x, y[:3], "same"), V, W),
    "correlate": (lambda x, y: np.correlate(x, y[:3]), V, W),
    "tensordot": (lambda x, y: np.tensordot(x, y, 1), T3, B),
    "tensordot axes": (lambda x, y: np.tensordot(x, y, axes=([1, 2], [0, 1])), T3, A),
    "einsum": (lambda x, y: np.einsum("ij,jk->ik", x, y), A, B),
    "einsum implicit": (lambda x, y: np.einsum("ij,jk", x, y), A, B),
    "einsum trace": (lambda x: np.einsum("ii", x), S),
    "einsum diagonal": (lambda x: np.einsum("ii->i", x), S),
    "einsum dots": (lambda x, y: np.einsum("...j,jk->...k", x, y), T3, B),
    "einsum dots implicit": (lambda x, y: np.einsum("...j,j", x, y), T3, V),
    "einsum three": (lambda x, y, z: np.einsum("ij,jk,ik->", x, y, z), A, B, B[:3].copy()),
    "einsum transpose": (lambda x: np.einsum("ij->ji", x), A),
    "einsum lists": (lambda x, y: np.einsum(x, [0, 1], y, [1, 2], [0, 2]), A, B),
    "transpose": (lambda x: np.transpose(x, (2, 0, 1)) + 0 * x.transpose(2, 0, 1), T3),
    "swapaxes": (lambda x: np.swapaxes(x, 0, 2), T3),
    "moveaxis": (lambda x: np.moveaxis(x, 0, -1), T3),
    "reshape": (lambda x: np.reshape(x, (2, -1)) + x.reshape(2, 6), A),
    "ravel": (lambda x: np.ravel(x) + x.flatten() + x.ravel(), A),
    "squeeze": (lambda x: np.squeeze(x[None]) + np.expand_dims(x, 0).squeeze(0), A),
    "broadcast_to": (lambda x: np.broadcast_to(x, (2, 4)), V),
    "concatenate": (lambda x, y: np.concatenate([x, y], axis=1), A, P),
    "stack": (lambda x, y: np.stack([x, y], axis=1), A, P),
    "vstack": (lambda x, y: np.vstack([x, y, [1, 2, 3, 4]]), A, V),
    "hstack": (lambda x, y: np.hstack((x, y)), V, W),
    "column_stack": (lambda x, y: np.column_stack([x, y]), V, W),
    "dstack": (lambda x, y: np.dstack([x, y]), A, P),
    "split": (lambda x: np.split(x, 2, axis=1), A),
    "array_split": (lambda x: np.array_split(x, 3)[0], V),
    "hsplit": (lambda x: np.hsplit(x, 2)[1], A),
    "vsplit": (lambda x: np.vsplit(x, 3)[1], A),
    "tile": (lambda x: np.tile(x, (2, 1)), A),
    "repeat": (lambda x: np.repeat(x, 2, axis=0) + x.repeat(2, axis=0), A),
    "flip": (lambda x: np.flip(x) + np.flip(x, 1) + np.fliplr(x) + np.flipud(x), A),
    "roll": (lambda x: np.roll(x, 1, axis=1), A),
    "rot90": (lambda x: np.rot90(x), A),
    "pad": (lambda x: np.pad(x, ((1, 0), (2, 1))), A),
    "pad constant": (lambda x: np.pad(x, 1, mode="constant", constant_values=2), A),
    "where": (lambda x, y: np.where(x > 0, x, y * 2), A, P),
    "where constant": (lambda x: np.where([True, False, True, False], x, 0), A),
    "select": (lambda x: np.select([x > 1, x > 0], [x, x**2], default=-1), A),
    "piecewise": (lambda x: np.piecewise(x, [x < 0, x >= 0], [lambda v: v**2, 3]), A),
    "clip": (lambda x: np.clip(x, -1, 1) + x.clip(0, None) + np.clip(x, None, 0.5), A),
    "sum": (lambda x: np.sum(x) + x.sum(axis=0) + np.sum(x, axis=(0, 1), keepdims=True), A),
    "sum where": (lambda x: np.sum(x, where=x > 0) + np.sum(x, axis=1, initial=2).sum(), A),
    "mean": (lambda x: np.mean(x, axis=1, keepdims=True) + x.mean(0) + x.mean(), A),
    "mean where": (lambda x: np.mean(x, axis=1, where=x < 1), A),
    "average": (lambda x, y: np.average(x, axis=1, weights=y) + np.average(x), A, P),
    "prod": (lambda x: np.prod(x, axis=0) + x.prod(), A),
    "max": (lambda x: np.max(x, axis=1, keepdims=True) + x.max() + np.amax(x), A),
    "min": (lambda x: np.min(x, axis=0) + x.min() + np.amin(x), A),
    "ptp": (lambda x: np.ptp(x, axis=0), A),
    "var": (lambda x: np.var(x, axis=0) + x.var() + np.var(x, ddof=1), A),
    "std": (lambda x: np.std(x, axis=1, keepdims=True) + x.std(), A),
    "cumsum": (lambda x: np.cumsum(x, axis=1) + x.cumsum(0), A),
    "cumsum flat": (lambda x: np.cumsum(x), A),
    "cumprod": (lambda x: np.cumprod(x, axis=1), A),
    "diff": (lambda x: np.diff(x, axis=1), A),
    "trace": (lambda x: np.trace(x) + x.trace(), S),
    "diag": (lambda x: np.diag(x) @ np.diag(np.diag(x)), S),
    "diagonal": (lambda x: np.diagonal(x) + x.diagonal(), S),
    "tril": (lambda x: np.tril(x) + np.triu(x, 1) * 2, S),
    "zeros_like": (lambda x: np.zeros_like(x) + np.ones_like(x) + np.full_like(x, 3.5), A),
    "empty_like": (lambda x: _filled(np.empty_like(x), x), A),
    "zeros": (lambda x: _filled(np.zeros(x.shape), x) + np.ones((3, 4)) + np.full((3, 4), 2.0), A),
    "eye": (lambda x: np.eye(3) @ x + np.identity(3)[:, :1], A),
    "eye of classes": (lambda x: np.eye(4)[np.array([0, 3, 1])] * x, A),
    "arange": (lambda x: np.arange(4) * x + np.arange(0, 1, 0.25), A),
    "linspace": (lambda x: np.linspace(0, 1, 4) * x, A),
    "array": (lambda x: np.array([[x[0], 1], [2, x[1] * x[2]]]), V),
    "asarray": (lambda x: np.asarray(x) + np.atleast_2d(x) + np.array(x), A),
    "copy": (lambda x: np.copy(x) + x.copy(), A),
    "take": (lambda x: np.take(x, [0, 2], axis=1) + x.take([1, 3], axis=1), A),
    "take_along": (lambda x: np.take_along_axis(x, np.array([[0], [1], [3]]), axis=1), A),
    "append": (lambda x, y: np.append(x, y), V, W),
    "delete": (lambda x: np.delete(x, 1), V),
    "block": (lambda x: np.block([[x, x], [x, 0 * x]]), S),
    "c_": (lambda x, y: np.c_[x, y], V, W),
    "c_ ones": (lambda x: np.c_[x, np.ones(3)], A),
    "r_": (lambda x, y: np.r_[x, y], V, W),
    "meshgrid": (lambda x, y: np.meshgrid(x, y)[1] + np.meshgrid(x, y)[0], V, W),
    "sliding": (lambda x: np.lib.stride_tricks.sliding_window_view(x, 2), V),
    "strided": (lambda x: np.lib.stride_tricks.as_strided(x, (3, 2), x.strides * 2), V),
    "all any": (lambda x: np.all(x > -3, axis=0) + 0 * np.any(x > 1, axis=0), A),
    "count_nonzero": (lambda x: np.count_nonzero(x > 0) + np.sum(x > 0, axis=0), A),
    "mean of mask": (lambda x: np.mean(x > 0) + (x > 0).mean(axis=0), A),
    "add.reduce": (lambda x: np.add.reduce(x, axis=1) + np.maximum.reduce(x, axis=1), A),
    "add.accumulate": (lambda x: np.add.accumulate(x), V),
    "vectorize": (lambda x: np.vectorize(lambda v: max(v, 0))(x), A),
    "apply_along_axis": (lambda x: np.apply_along_axis(lambda r: r - r.mean(), 1, x), A),
    "sinc": (lambda x: np.sinc(x), A),
    "inv": (lambda x: np.linalg.inv(x), S),
    "inv 5": (lambda x: np.linalg.inv(x), S5),
    "inv batch": (lambda x: np.linalg.inv(np.stack([x, x.T])), S),
    "inv permuted": (lambda x: np.linalg.inv(x[[1, 0, 2, 3, 4]] * (1 - np.eye(5)[[1, 0, 2, 3, 4]])
                                             + np.roll(np.eye(5), 1, 0)), S5),
    "det": (lambda x: np.linalg.det(x) + la.det(x[:2, :2]), S),
    "det 5": (lambda x: np.linalg.det(x), S5),
    "slogdet": (lambda x: np.linalg.slogdet(x)[1] + np.linalg.slogdet(x)[0], S),
    "norm": (lambda x: np.linalg.norm(x) + np.linalg.norm(x, "fro"), A),
    "norm rows": (lambda x: np.linalg.norm(x, axis=1, keepdims=True), A),
    "norm 1": (lambda x: np.linalg.norm(x, 1) + np.linalg.norm(x, np.inf), V),
    "norm of matrix": (lambda x: np.linalg.norm(x, 1) + np.linalg.norm(x, np.inf), A),
    "norm 3": (lambda x: np.linalg.norm(x, 3), P[0]),
    "solve": (lambda x, y: np.linalg.solve(x, y[:3]), S, B),
    "solve vector": (lambda x, y: np.linalg.solve(x, y[:3]), S, V),
    "solve 5": (lambda x: np.linalg.solve(x, x.T[:, :2]), S5),
    "matrix_power": (lambda x: np.linalg.matrix_power(x, 3) + np.linalg.matrix_power(x, -1), S),
    "multi_dot": (lambda x, y: np.linalg.multi_dot([x, y, y.T]), A, B),
    "pinv": (lambda x: np.linalg.pinv(x.T) + np.linalg.pinv(x).T, A),
    "cholesky": (lambda x: np.linalg.cholesky(x @ x.T), S),
    "float32": (lambda x: np.float64(x).astype(np.float64) + np.float32(1.5), A),
    "errstate": (lambda x: _quiet(x), A),
    "in place": (lambda x: _in_place(x), A),
    "out": (lambda x: np.add(x, x, out=np.zeros((3, 4))), A),
    "ufunc where": (lambda x: np.divide(1, x, out=np.zeros_like(x), where=x > 0), A),
    "add.at": (lambda x: _added_at(x), V),
    "infinite mask": (lambda x: _softmax(np.where(np.tri(3, 4) > 0, x, -np.inf)), A),
    "infinite start": (lambda x: functools.reduce(max, list(x), -np.inf), V),
    "iteration": (lambda x: sum(row[0] * k for k, row in enumerate(x)), A),
    "comprehension": (lambda x: np.array([[v**2 for v in row] for row in x]), A),
    "item": (lambda x: x[0, 0].item() + x[1:2, 1].item() + float(x[2, 2]), A),
    "tolist": (lambda x: np.array(x.tolist()), A),
    "0-d": (lambda x: x.sum().reshape(1, 1) + x[0, 0].mean() + x.mean().astype(float), A),
    "index none": (lambda x: x[:, None, :] - x[None, :, ::-1], A),
    "pi": (lambda x: np.exp(-(x**2) / 2) / np.sqrt(2 * np.pi) + math.pi + np.e, A),
    "builtins": (lambda x: max(x) + min(x[0], x[1], 0) + abs(x[2]) + sum(x) + pow(x[0], 2), V),
    "python math": (lambda x: math.exp(x[0]) + tanh(x[1]) + math.log(2) + math.log(8, 2)
                    + math.sqrt(abs(x[2])) + math.hypot(x[0], x[1]) + math.atan(x[0]), V),
    "imported": (lambda x: exp(x) + la.norm(x), V),
    "dtype": (lambda x: x.astype(x.dtype) if x.dtype == np.float64 else 0 / 0, A),
    "isinstance": (lambda x: x * isinstance(x, np.ndarray) * isinstance(x[0], float), V),
    "real kinds": (lambda x: np.full(3, x[0]) + np.array(2.0) + np.array([0.1, 0.2, 0.3]), V),
    "mask product": (lambda x: (x > 0) * x + (x > 0).astype(float) + (x > 0).sum(), A),
    "mask logic": (lambda x: np.where((x > 0) & ~(x > 1) | (x < -1), x, 0), A),
    "mask xor": (lambda x: np.where((x > 0) ^ (x > 1), x, 0), A),
    "mask write": (lambda x: _masked_write(x), A),
    "mask rows": (lambda x: _masked_rows(x), A),
    "mask same": (lambda x: _masked_same(x), A),
    "mask sum": (lambda x: x[x > 0].sum() + x[x > 0].mean() + np.sum(x[x < 0] ** 2), A),
    "fancy": (lambda x: _one_hot_difference(x), A),
    "softmax": (lambda x: _softmax(x), A),
    "local import": (lambda x: _local_import(x), A),
    "copyto": (lambda x: _copyto(x), A),
    "fill_diagonal": (lambda x: _diagonal(x), S),
    "negative step": (lambda x: x[::-1, ::2] + x[..., [0, 3]], A),
}  # fmt: skip


def _filled(target, x):
    target[:] = x
    target += 1
    return target


def _quiet(x):
    with np.errstate(over="ignore"):
        return np.exp(x)


def _in_place(x):
    y = x.copy()
    y += 1
    y *= x
    y -= 0.5
    y /= 3
    y **= 2
    row = y[1]
    row[:] = 0
    y[:, 2] += x[:, 1]
    y.T[0] = 7
    return y


def _added_at(x):
    total = np.zeros(2)
    np.add.at(total, [0, 1, 0, 1], x)
    return total


def _softmax(x):
    e = np.exp(x - np.max(x, axis=1, keepdims=True))
    return e / e.sum(axis=1, keepdims=True)


def _masked_write(x):
    y = x.copy()
    y[x <= 0] = 0
    y[x > 1] *= 0.1
    y[y > 0.5] += x[0, 0]
    return y


def _masked_rows(x):
    y = x.copy()
    y[x[:, 0] > 0] = -1
    return y


def _masked_same(x):
    y = np.zeros_like(x)
    mask = x > 0
    y[mask] = np.exp(-x[mask]) + 1
    y[~mask] = x[~mask] ** 2
    return y


def _one_hot_difference(x):
    n = x.shape[0]
    y = np.array([0, 3, 1])
    p = _softmax(x)
    loss = -np.log(p[np.arange(n), y]).mean()
    p[range(n), y] -= 1
    p /= n
    return p + loss


def _local_import(x):
    import numpy as other
    from numpy.linalg import norm

    return other.zeros(3) + norm(x)


def _copyto(x):
    y = np.zeros_like(x)
    np.copyto(y, x, where=x > 0)
    return y


def _diagonal(x):
    y = x.copy()
    np.fill_diagonal(y, x[0])
    return y


@pytest.mark.parametrize("name", FUNCTIONS)
def test_functions(name):
    function, *arrays = FUNCTIONS[name]
    agrees(function, *arrays)
