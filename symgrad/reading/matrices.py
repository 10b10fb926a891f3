"""A carrier of whole matrices: user code that uses two axes at most is read as it is written.

A `MatrixValue` holds a SymPy expression over matrix symbols; a vector is held as a column. What
cannot be said that way raises `TraceError`, after which the function is read entry by entry.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import sympy as sp

from symgrad import algebra, functions
from symgrad.circuit import exact
from symgrad.reading.operators import Operators
from symgrad.reading.places import refusal, tick
from symgrad.reading.scalars import NUMBERS, Entry
from symgrad.shapes import same_size

#: The entry that the body of a value stands over.
E = sp.Symbol("e", real=True)


def not_matrices(what: str) -> Exception:
    """Return the error for something that is not said with whole matrices."""
    return refusal(
        f"{what} is not read with whole matrices; give integers for all sizes, and it is read "
        "entry by entry"
    )


def _named(body: Any) -> Any:
    """Return the function that people have a name for, or None."""
    relu = functions.activation("relu").apply
    known = {
        1 / (1 + sp.exp(-E)): functions.activation("sigmoid").apply,
        sp.exp(E) / (1 + sp.exp(E)): functions.activation("sigmoid").apply,
        sp.log(1 + sp.exp(E)): functions.activation("softplus").apply,
        sp.Max(0, E): relu,
        sp.Piecewise((E, E > 0), (0, True)): relu,
        sp.Piecewise((E, E >= 0), (0, True)): relu,
        sp.tanh(E): sp.tanh,
    }
    return known.get(body)


class MatrixValue(Operators):
    """A scalar, a vector or a matrix as an expression.

    Attributes:
        base: A SymPy scalar or matrix; a vector is a column.
        shape: NumPy's shape, of integers and `Size`s.
        body: What is still to be applied to every entry: an expression in the symbol `E`.
        viewed: Whether something else shares the entries, so that they cannot be replaced.

    >>> import symgrad.reading.matrix_functions
    >>> x = MatrixValue(sp.MatrixSymbol("X", 2, 3), (2, 3))
    >>> np.sum(np.tanh(x), axis=0).expression
    sum_rows(tanh.(X)).T
    """

    __array_priority__ = 2000
    circuit = None
    dtype = np.dtype(float)

    def __init__(self, base: Any, shape: tuple[Any, ...], body: Any = E) -> None:
        self.base, self.sizes, self.body, self.viewed = base, shape, body, False

    @property
    def expression(self) -> Any:
        """The whole SymPy expression."""
        if self.body == E:
            return self.base
        if not self.sizes:
            return self.body.subs(E, self.base)
        return algebra.elementwise(sp.Lambda(E, self.body), self.base)

    @property
    def inside(self) -> tuple[Any, Any]:
        """The rows and columns of the expression."""
        rows, *columns = map(sp.sympify, (*self.sizes, *(1,) * (2 - len(self.sizes))))
        return rows, columns[0]

    @property
    def shape(self) -> tuple[Any, ...]:
        """NumPy's shape: integers, and objects that stand for sizes that are names."""
        return tuple(int(s) if sp.sympify(s).is_Integer else Size(s, ()) for s in self.sizes)

    ndim = property(lambda self: len(self.sizes))
    is_single = property(lambda self: not self.sizes)
    T = property(lambda self: transposed(self))

    @property
    def size(self) -> Any:
        """The number of entries."""
        count = sp.Mul(*self.sizes)
        return int(count) if count.is_Integer else Size(count, ())

    def __len__(self) -> int:
        if not self.sizes or not sp.sympify(self.sizes[0]).is_Integer:
            raise not_matrices("len() of an array whose size is a name (write X.shape[0])")
        return int(self.sizes[0])

    def __bool__(self) -> bool:
        raise refusal(
            "the truth of a value that depends on the inputs is asked; write "
            "np.where(condition, a, b) or np.maximum instead"
        )

    def __float__(self) -> float:
        raise not_matrices("float()")

    def __int__(self) -> int:
        raise not_matrices("int()")

    def __index__(self) -> int:
        raise not_matrices("a size or value that is used as an index or in range()")

    def __iter__(self) -> Any:
        raise not_matrices("a loop over an array")

    def __array__(self, *_: Any, **__: Any) -> Any:
        raise not_matrices("an array of plain numbers")

    def __getattr__(self, name: str) -> Any:
        if name not in METHODS:
            raise AttributeError(name) if name.startswith("_") else not_matrices(f".{name}")
        return lambda *args, **options: METHODS[name](self, *args, **options)

    def __getitem__(self, key: Any) -> Any:
        keys = key if isinstance(key, tuple) else (key,)
        rule = KEYS.get((self.ndim, tuple(None if k is None else str(k) for k in keys)))
        if rule is None:
            raise not_matrices("an index")
        return view(self, rule(self.sizes), rule is _as_row)

    def __setitem__(self, key: Any, value: Any) -> None:
        raise not_matrices("an assignment to entries")

    def __array_ufunc__(self, ufunc: Any, method: str, *inputs: Any, **options: Any) -> Any:
        rules = {"__call__": UFUNCS.get(ufunc.__name__), "reduce": REDUCTIONS.get(ufunc.__name__)}
        out = options.pop("out", None)
        if rules.get(method) is None or options.get("where", True) is not True:
            raise not_matrices(f"np.{ufunc.__name__}")
        tick()
        result = rules[method](*inputs, **options)  # type: ignore[misc]
        return result if out is None else _stored(result, out)

    def __array_function__(self, function: Any, types: Any, args: Any, options: Any) -> Any:
        if isinstance(function, np.ufunc):
            return self.__array_ufunc__(function, "__call__", *args, **options)
        name = getattr(function, "__name__", "")
        if name not in FUNCTIONS:
            raise not_matrices(f"np.{name}")
        tick()
        return FUNCTIONS[name](*args, **options)

    def refused(self, use: str) -> Exception:
        """Return the error for a use that is not said with whole matrices."""
        return not_matrices(use)

    def called_by(self, name: str, args: Any, options: Any) -> Any:
        """Apply a function that is no ufunc: of `math`, or one that makes arrays."""
        ufunc = getattr(np, _MATH.get(name, name), None)
        if isinstance(ufunc, np.ufunc):
            return ufunc(*args, **options)
        if name not in FUNCTIONS:
            raise not_matrices(name)
        return FUNCTIONS[name](*args, **options)


#: What functions of NumPy do, by name; `matrix_functions` fills the tables.
UFUNCS: dict[str, Callable[..., Any]] = {}
REDUCTIONS: dict[str, Callable[..., Any]] = {}
LOGIC: dict[str, Callable[..., Any]] = {}
FUNCTIONS: dict[str, Callable[..., Any]] = {}
METHODS: dict[str, Callable[..., Any]] = {}
_MATH = {"max": "maximum", "min": "minimum", "pow": "power"}


class Size(MatrixValue):
    """The length of an axis whose size is a name."""

    def __eq__(self, other: Any) -> bool:
        theirs = other.base if isinstance(other, Size) else other
        return bool(same_size(sp.sympify(self.base), sp.sympify(theirs)))

    def __ne__(self, other: Any) -> bool:
        return not self == other

    def __hash__(self) -> int:  # type: ignore[override]
        return hash(self.base)

    def __repr__(self) -> str:
        return str(self.base)


class Where(Operators):
    """A condition on entries: a function of values, which broadcast.

    Attributes:
        holds: From SymPy scalars to a condition.
        values: The values.
    """

    __array_priority__ = 2001

    def __init__(self, holds: Callable[..., Any], *values: MatrixValue) -> None:
        self.holds, self.values = holds, values

    def chosen(self, first: Any, second: Any) -> MatrixValue:
        """Choose between two values, entry by entry."""
        return applied(
            lambda a, b, *v: sp.Piecewise((a, self.holds(*v)), (b, True)),
            lifted(first),
            lifted(second),
            *self.values,
        )

    def __array_ufunc__(self, ufunc: Any, method: str, *inputs: Any, **options: Any) -> Any:
        if ufunc.__name__ in LOGIC:
            return LOGIC[ufunc.__name__](*inputs)
        plain = [v.chosen(1, 0) if isinstance(v, Where) else v for v in inputs]
        return getattr(ufunc, method)(*plain, **options)

    def __array_function__(self, function: Any, types: Any, args: Any, options: Any) -> Any:
        if isinstance(function, np.ufunc):
            return self.__array_ufunc__(function, "__call__", *args, **options)
        if function is np.where:
            return where(*args)
        return function(*(a.chosen(1, 0) if isinstance(a, Where) else a for a in args), **options)

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):
            raise AttributeError(name)
        return getattr(self.chosen(1, 0), name)

    def refused(self, use: str) -> Exception:
        """Return the error for a use that is not said with whole matrices."""
        return not_matrices(use)

    __bool__ = MatrixValue.__bool__


# ---------------------------------------------------------------- reading values


def lifted(value: Any) -> MatrixValue:
    """Return a value as an expression: numbers are exact.

    Raises:
        TraceError: An array of numbers, or something else.

    >>> lifted(0.5).expression
    1/2
    """
    if isinstance(value, MatrixValue):
        return value
    if isinstance(value, Where):
        return value.chosen(1, 0)
    if isinstance(value, Entry):
        from symgrad.reading.formulas import expression_of

        return MatrixValue(expression_of(value.circuit, value.node), ())
    if isinstance(value, NUMBERS) and np.isfinite(float(value)):
        number = exact(value)
        return MatrixValue(sp.Rational(number.numerator, number.denominator), ())
    raise not_matrices(f"a value of type {type(value).__name__}")


def is_number(value: MatrixValue) -> bool:
    """Tell whether a value is a number that is known."""
    return not value.sizes and bool(value.expression.is_number)


def common(values: tuple[MatrixValue, ...]) -> tuple[Any, ...]:
    """Return the sizes to which values broadcast, as NumPy's rules are."""
    rank = max(value.ndim for value in values)
    sizes: list[Any] = [1] * rank
    for value in values:
        for k, size in enumerate(reversed(value.sizes), 1):
            if sizes[-k] == 1:
                sizes[-k] = size
            elif size != 1 and not same_size(sp.sympify(sizes[-k]), sp.sympify(size)):
                shapes = " ".join(str(tuple(v.sizes)) for v in values)
                raise ValueError(f"operands could not be broadcast together with shapes {shapes}")
    return tuple(sizes)


def wide(value: MatrixValue, sizes: tuple[Any, ...]) -> Any:
    """Return the expression of a value that is repeated to a shape."""
    rows, columns = MatrixValue(None, sizes).inside
    found = value.expression
    if len(sizes) == 2 and value.ndim == 1:
        found = algebra.transpose(found)
    return algebra.broadcast(found, rows, columns)


def applied(function: Callable[..., Any], *values: MatrixValue) -> MatrixValue:
    """Apply a function of SymPy scalars to values that broadcast, entry by entry."""
    sizes = common(values)
    arrays = [value for value in values if value.sizes]
    single = [value for value in values if not value.sizes]
    if not arrays:
        return MatrixValue(function(*(value.expression for value in values)), ())
    same = all(v.base is arrays[0].base or v.base == arrays[0].base for v in arrays)
    if same and all(map(is_number, single)) and all(v.sizes == sizes for v in arrays):
        body = function(*(v.body if v.sizes else v.expression for v in values))
        return _fused(arrays[0].base, sizes, body)
    if single and not all(map(is_number, single)):
        return MatrixValue(
            algebra.elementwise(function, *(wide(value, sizes) for value in values)), sizes
        )
    names = sp.symbols(f"u:{len(values)}", real=True)
    parts = [v.expression if not v.sizes else name for v, name in zip(values, names, strict=True)]
    kept = [name for v, name in zip(values, names, strict=True) if v.sizes]
    found = sp.Lambda(kept, function(*parts))
    return MatrixValue(algebra.elementwise(found, *(wide(v, sizes) for v in arrays)), sizes)


def _fused(base: Any, sizes: tuple[Any, ...], body: Any) -> MatrixValue:
    if not body.has(E):
        rows, columns = MatrixValue(None, sizes).inside
        return MatrixValue(algebra.broadcast(body, rows, columns), sizes)
    named = _named(body)
    if named is not None:
        return MatrixValue(algebra.elementwise(named, base), sizes)
    return MatrixValue(base, sizes, body)


def transposed(value: Any) -> MatrixValue:
    """Return the transpose; vectors and single numbers are their own."""
    found = lifted(value)
    return view(found, found.sizes[::-1], found.ndim == 2)


def view(value: MatrixValue, sizes: tuple[Any, ...], turned: bool) -> MatrixValue:
    """Return the same entries in another shape, a row or column turned."""
    value.viewed = True
    base = algebra.transpose(value.base) if turned else value.base
    result = MatrixValue(base, sizes, value.body)
    result.viewed = True
    return result


def _stored(result: MatrixValue, out: Any) -> Any:
    target = out[0] if isinstance(out, tuple) else out
    if not isinstance(target, MatrixValue) or isinstance(target, Size) or target.viewed:
        raise not_matrices("an update in place of an array of which there are views")
    if target.sizes != result.sizes:
        raise ValueError(
            f"non-broadcastable output operand with shape {target.sizes} doesn't match the "
            f"broadcast shape {result.sizes}"
        )
    target.base, target.body = result.base, result.body
    return target


def where(condition: Any, *choices: Any) -> MatrixValue:
    """Choose between two values by a condition."""
    if not isinstance(condition, Where) or len(choices) != 2:
        raise not_matrices("np.where of this condition")
    return condition.chosen(*choices)


def _as_row(sizes: tuple[Any, ...]) -> tuple[Any, ...]:
    return (1, *sizes)


_ALL = str(slice(None))
#: Indices that only add an axis, by the number of axes: whole axes and None.
KEYS: dict[Any, Callable[[tuple[Any, ...]], tuple[Any, ...]]] = {
    (1, (_ALL, None)): lambda sizes: (*sizes, 1),
    (1, ("Ellipsis", None)): lambda sizes: (*sizes, 1),
    (1, (None, _ALL)): _as_row,
    (1, (None,)): _as_row,
    (1, (_ALL,)): lambda sizes: sizes,
    (2, (_ALL,)): lambda sizes: sizes,
    (2, (_ALL, _ALL)): lambda sizes: sizes,
}
