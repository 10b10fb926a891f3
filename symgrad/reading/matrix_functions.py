"""What functions of NumPy do with whole matrices, by name."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import sympy as sp

from symgrad import algebra, functions, trees
from symgrad.matrices import Broadcast, Elementwise, SumColumns, SumRows
from symgrad.reading.matrices import (
    FUNCTIONS,
    LOGIC,
    METHODS,
    REDUCTIONS,
    UFUNCS,
    E,
    MatrixValue,
    Where,
    applied,
    common,
    is_number,
    lifted,
    not_matrices,
    transposed,
    view,
    where,
    wide,
)
from symgrad.shapes import name_of, same_size


def _sum_of(*given: Any) -> MatrixValue:
    values = tuple(map(lifted, given))
    sizes = common(values)
    if not sizes or any(map(is_number, values)):
        return applied(lambda *v: sp.Add(*v), *values)
    return MatrixValue(algebra.add(*(wide(value, sizes) for value in values)), sizes)


def _negative(value: Any) -> MatrixValue:
    return applied(lambda v: -v, lifted(value))


def _difference(first: Any, second: Any) -> MatrixValue:
    return _sum_of(first, _negative(second))


def _product(first: Any, second: Any) -> MatrixValue:
    values = lifted(first), lifted(second)
    sizes = common(values)
    if not sizes or any(map(is_number, values)):
        return applied(lambda a, b: a * b, *values)
    arrays = [value for value in values if value.sizes]
    if len(arrays) == 1:
        single = next(value for value in values if not value.sizes)
        return MatrixValue(algebra.scale(single.expression, arrays[0].expression), sizes)
    if values[0].sizes == values[1].sizes and values[0].base == values[1].base:
        return applied(lambda a, b: a * b, *values)
    return MatrixValue(algebra.hadamard(*(wide(value, sizes) for value in values)), sizes)


def _quotient(first: Any, second: Any) -> MatrixValue:
    above, below = lifted(first), lifted(second)
    axis = _softmax_axis(above, below)
    if axis is not None:
        scores = _without_held(above.expression.matrices[0], axis)
        return MatrixValue(algebra.softmax(scores, axis=axis), above.sizes)
    if above.sizes == below.sizes and above.base == below.base:
        return applied(lambda a, b: a / b, above, below)
    return _product(above, applied(lambda v: 1 / v, below))


def _softmax_axis(above: MatrixValue, below: MatrixValue) -> int | None:
    """Tell over which axis exp(Z) is divided by its sums, if it is."""
    if above.ndim != 2 or above.body != sp.exp(E) or not isinstance(above.expression, Elementwise):
        return None
    sums = {0: SumRows, 1: SumColumns}
    return next((k for k in sums if below.expression == sums[k](above.expression)), None)


#: Names of maxima that stand until a softmax, which they do not change, drops them.
HELD = "max of "


def _maximum_of(value: Any, axis: Any = None, out: Any = None, keepdims: Any = False) -> Any:
    found = lifted(value)
    kept = _sum(found, axis, keepdims=keepdims).sizes
    shape = MatrixValue(None, kept).inside
    name = f"{HELD}{found.expression}"
    return MatrixValue(sp.MatrixSymbol(name, *shape) if kept else sp.Symbol(name, real=True), kept)


def _without_held(scores: Any, axis: int) -> Any:
    """Drop terms that a softmax over an axis does not see: repeated maxima."""

    def is_held(term: Any) -> bool:
        _, rest = algebra.split_coefficient(term)
        if not isinstance(rest, Broadcast):
            return False
        names = map(name_of, trees.symbols(rest.args[0]))
        repeated = not rest.args[0].is_Matrix or rest.args[0].shape[axis] == 1
        return repeated and all(name.startswith(HELD) for name in names)

    if not isinstance(scores, sp.MatAdd):
        return scores
    kept = [term for term in scores.args if not is_held(term)]
    return algebra.add(*kept) if kept else scores


def _power(first: Any, second: Any) -> MatrixValue:
    base, exponent = lifted(first), lifted(second)
    if exponent.sizes or not (is_number(exponent) or not base.sizes):
        raise not_matrices("a power with an exponent that is no number")
    return applied(lambda a, b: a**b, base, exponent)


def _matmul(first: Any, second: Any, **_: Any) -> MatrixValue:
    left, right = lifted(first), lifted(second)
    if not left.sizes or not right.sizes:
        raise ValueError("matmul: an operand is a single number; use * instead")
    inner = left.sizes[-1], right.sizes[0]
    if not same_size(*map(sp.sympify, inner)):
        raise ValueError(
            f"shapes {tuple(left.sizes)} and {tuple(right.sizes)} not aligned: "
            f"{inner[0]} != {inner[1]}"
        )
    a, b = left.expression, right.expression
    if left.ndim == right.ndim == 1:
        return MatrixValue(algebra.sum_entries(algebra.hadamard(a, b)), ())
    if left.ndim == 1:
        return MatrixValue(algebra.multiply(algebra.transpose(b), a), right.sizes[1:])
    return MatrixValue(algebra.multiply(a, b), left.sizes[:1] + right.sizes[1:])


def _dot(first: Any, second: Any) -> MatrixValue:
    left, right = lifted(first), lifted(second)
    return _matmul(left, right) if left.sizes and right.sizes else _product(left, right)


def _outer(first: Any, second: Any) -> MatrixValue:
    a, b = lifted(first), lifted(second)
    if a.ndim != 1 or b.ndim != 1:
        raise not_matrices("np.outer of matrices")
    product = algebra.multiply(a.expression, algebra.transpose(b.expression))
    return MatrixValue(product, a.sizes + b.sizes)


def _sum(
    value: Any, axis: Any = None, dtype: Any = None, out: Any = None, keepdims: Any = False
) -> MatrixValue:
    found = lifted(value)
    kept = keepdims is not np._NoValue and bool(keepdims)
    if out is not None:
        raise not_matrices("out=")
    axes = tuple(range(found.ndim)) if axis is None else axis
    axes = tuple(k % found.ndim for k in (axes if isinstance(axes, tuple) else (axes,)))
    sizes = tuple(1 if k in axes else s for k, s in enumerate(found.sizes))
    if not axes:
        return found
    if len(axes) == found.ndim:
        total = algebra.sum_entries(found.expression)
        whole = MatrixValue(total, ())
        return MatrixValue(algebra.broadcast(total, 1, 1), sizes) if kept else whole
    rule = (algebra.sum_rows, algebra.sum_columns)[axes[0]]
    summed = MatrixValue(rule(found.expression), sizes)
    if kept:
        return summed
    rest = tuple(s for k, s in enumerate(found.sizes) if k not in axes)
    return MatrixValue(algebra.transpose(summed.base) if axes[0] == 0 else summed.base, rest)


def _mean(
    value: Any, axis: Any = None, dtype: Any = None, out: Any = None, keepdims: Any = False
) -> MatrixValue:
    found = lifted(value)
    if out is not None:
        raise not_matrices("out=")
    axes = range(found.ndim) if axis is None else axis if isinstance(axis, tuple) else (axis,)
    count = sp.Mul(*(found.sizes[k] for k in axes))
    return _product(MatrixValue(1 / count, ()), _sum(found, axis, keepdims=keepdims))


def _var(value: Any, axis: Any = None, ddof: Any = 0, keepdims: Any = False) -> MatrixValue:
    if ddof:
        raise not_matrices("ddof=")
    apart = _difference(value, _mean(value, axis, keepdims=True))
    return _mean(_power(apart, 2), axis, keepdims=keepdims)


def _norm(value: Any, ord: Any = None, axis: Any = None, keepdims: Any = False) -> MatrixValue:
    if ord not in (None, 2, "fro"):
        raise not_matrices(f"a norm {ord!r}")
    return applied(sp.sqrt, _sum(_power(value, 2), axis, keepdims=keepdims))


def _reshape(value: Any, *shape: Any, **_: Any) -> MatrixValue:
    found = lifted(value)
    wanted = shape[0] if len(shape) == 1 and isinstance(shape[0], (tuple, list)) else shape
    long = [size for size in found.sizes if size != 1] or [1]
    one = sum(1 for size in wanted if isinstance(size, MatrixValue) or size != 1)
    if len(long) > 1 or len(wanted) > 2 or one > 1 or not wanted:
        raise not_matrices("reshape of a matrix")
    sizes = tuple(long[0] if isinstance(s, MatrixValue) or s != 1 else 1 for s in wanted)
    is_row = len(found.sizes) == 2 and found.sizes[0] == 1 and long != [1]
    to_row = len(sizes) == 2 and sizes[0] == 1 and long != [1]
    return view(found, sizes, is_row != to_row)


def _clip(value: Any, low: Any = None, high: Any = None, **more: Any) -> MatrixValue:
    result = lifted(value)
    if more.get("out") is not None:
        raise not_matrices("out=")
    for bound, rule in ((more.get("min", low), sp.Max), (more.get("max", high), sp.Min)):
        result = result if bound is None else applied(rule, result, lifted(bound))
    return result


def _filled(number: int) -> Callable[..., Any]:
    def rule(shape: Any, *_: Any, **__: Any) -> MatrixValue:
        sizes = shape if isinstance(shape, (tuple, list)) else (shape,)
        plain = tuple(s.base if isinstance(s, MatrixValue) else s for s in sizes)
        rows, columns = MatrixValue(None, plain).inside
        return MatrixValue(algebra.broadcast(number, rows, columns), plain)

    return rule


def _like(number: int) -> Callable[..., Any]:
    return lambda value, **_: _filled(number)(lifted(value).sizes)


def _copied(value: Any) -> MatrixValue:
    found = lifted(value)
    return MatrixValue(found.base, found.sizes, found.body)


def _inverse(value: Any) -> MatrixValue:
    return MatrixValue(sp.Inverse(lifted(value).expression), lifted(value).sizes)


def _scalar_of(kind: Any) -> Callable[..., Any]:
    return lambda value, *_: MatrixValue(kind(lifted(value).expression), ())


def _one(function: Any) -> Callable[..., Any]:
    return lambda value, **_: applied(function, lifted(value))


def _two(function: Any) -> Callable[..., Any]:
    return lambda a, b, **_: applied(function, lifted(a), lifted(b))


def _relation(kind: Any) -> Callable[..., Any]:
    return lambda a, b, **_: Where(lambda x, y: kind(x, y), lifted(a), lifted(b))


def _both(kind: Any) -> Callable[..., Any]:
    def rule(*given: Any) -> Where:
        if not all(isinstance(part, Where) for part in given):
            raise not_matrices("a logical operation on real numbers")
        counts = [len(part.values) for part in given]
        ends = [sum(counts[: k + 1]) for k in range(len(counts))]

        def holds(*values: Any) -> Any:
            parts = zip(given, counts, ends, strict=True)
            return kind(*(p.holds(*values[end - n : end]) for p, n, end in parts))

        return Where(holds, *(value for part in given for value in part.values))

    return rule


LOGIC.update(
    {
        "logical_and": _both(sp.And),
        "logical_or": _both(sp.Or),
        "logical_not": _both(sp.Not),
        "bitwise_and": _both(sp.And),
        "bitwise_or": _both(sp.Or),
        "invert": _both(sp.Not),
    }
)
UFUNCS.update(
    {
        "add": lambda a, b, **_: _sum_of(a, b),
        "subtract": lambda a, b, **_: _difference(a, b),
        "multiply": lambda a, b, **_: _product(a, b),
        "divide": lambda a, b, **_: _quotient(a, b),
        "power": lambda a, b, **_: _power(a, b),
        "matmul": _matmul,
        "negative": lambda a, **_: _negative(a),
        "positive": lambda a, **_: _copied(a),
        "square": lambda a, **_: _power(a, 2),
        "sqrt": _one(sp.sqrt),
        "reciprocal": _one(lambda v: 1 / v),
        "exp": _one(sp.exp),
        "expm1": _one(lambda v: sp.exp(v) - 1),
        "log": _one(sp.log),
        "log1p": _one(lambda v: sp.log(1 + v)),
        "log2": _one(lambda v: sp.log(v) / sp.log(2)),
        "log10": _one(lambda v: sp.log(v) / sp.log(10)),
        "sin": _one(sp.sin),
        "cos": _one(sp.cos),
        "tan": _one(sp.tan),
        "sinh": _one(sp.sinh),
        "cosh": _one(sp.cosh),
        "tanh": _one(sp.tanh),
        "arctan": _one(sp.atan),
        "absolute": _one(sp.Abs),
        "fabs": _one(sp.Abs),
        "sign": _one(sp.sign),
        "maximum": _two(sp.Max),
        "minimum": _two(sp.Min),
        "logaddexp": _two(lambda a, b: sp.log(sp.exp(a) + sp.exp(b))),
        "expit": _one(lambda v: functions.activation("sigmoid").apply(v)),
        "erf": _one(sp.erf),
        "greater": _relation(sp.Gt),
        "less": _relation(sp.Lt),
        "greater_equal": _relation(sp.Ge),
        "less_equal": _relation(sp.Le),
    }
)
REDUCTIONS.update({"add": lambda a, axis=0, **o: _sum(a, axis, **o)})
FUNCTIONS.update(
    {
        "sum": _sum,
        "mean": _mean,
        "max": _maximum_of,
        "amax": _maximum_of,
        "average": lambda a, axis=None: _mean(a, axis),
        "var": _var,
        "std": lambda *a, **o: applied(sp.sqrt, _var(*a, **o)),
        "dot": _dot,
        "inner": lambda a, b: _dot(a, transposed(b)),
        "vdot": lambda a, b: _sum(_product(a, b)),
        "outer": _outer,
        "transpose": lambda a, axes=None: transposed(a),
        "trace": _scalar_of(sp.Trace),
        "det": _scalar_of(sp.Determinant),
        "inv": _inverse,
        "norm": _norm,
        "reshape": _reshape,
        "ravel": lambda a, **_: _reshape(a, -1),
        "squeeze": lambda a, axis=None: _reshape(a, -1),
        "where": where,
        "clip": _clip,
        "zeros": _filled(0),
        "ones": _filled(1),
        "zeros_like": _like(0),
        "ones_like": _like(1),
        "copy": lambda a: _copied(a),
        "asarray": lambda a, *_, **__: lifted(a),
        "array": lambda a, *_, **__: MatrixValue(lifted(a).base, lifted(a).sizes, lifted(a).body),
        "shape": lambda a: lifted(a).shape,
        "ndim": lambda a: lifted(a).ndim,
        "size": lambda a: lifted(a).size,
    }
)
METHODS.update(
    {
        name: FUNCTIONS[name]
        for name in (
            "sum",
            "mean",
            "max",
            "var",
            "std",
            "dot",
            "transpose",
            "reshape",
            "ravel",
            "copy",
        )
    }
    | {
        "squeeze": FUNCTIONS["squeeze"],
        "clip": _clip,
        "flatten": FUNCTIONS["ravel"],
        "astype": lambda a, *_, **__: MatrixValue(a.base, a.sizes, a.body),
        "item": lambda a: a,
    }
)
