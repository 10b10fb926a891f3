"""The independent oracle of the tests: all written out in scalars, by SymPy and mpmath alone.

A formula over matrices of small concrete shapes becomes a table of scalar expressions
(`explicit`, `inline`), from the definitions of this file; `sympy.diff` differentiates it
(`gradient`); mpmath gives its numbers at a generic point (`generic_point`, `evaluate`).
Dense networks are written out a second time, without any matrix (`network`,
`network_gradients`). Nothing here imports the package under test: its nodes and functions are
recognised by the names of their classes, so a fault there cannot hide itself here.

To extend: a scalar function is one line in `DEFINITIONS`, a matrix node one in `NODES` (or in
`WRITERS`, if it binds symbols), a loss one in `LOSSES`.
"""

import operator
import random
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial, reduce
from itertools import pairwise
from typing import Any

import mpmath
import sympy
from sympy import Add, Expr, ImmutableDenseMatrix, Integer, MatrixBase, Mul, Piecewise, Symbol
from sympy.logic.boolalg import BooleanAtom, BooleanFunction

Value = Expr | ImmutableDenseMatrix
Table = list[list[Any]]


def require(condition: bool, message: str) -> None:
    """Raises ValueError with the message unless the condition holds."""
    if not condition:
        raise ValueError(message)


# --- Scalar functions ------------------------------------------------------------------------
def if_positive(x: Expr, then: Any, otherwise: Any) -> Expr:
    """`then` where x > 0, else `otherwise`: differentiates branch by branch, without Heaviside."""
    if x.is_number:
        return sympy.sympify(then if x > 0 else otherwise)
    # Unevaluated, because SymPy would otherwise try to decide the sign of a long sum.
    condition = sympy.StrictGreaterThan(x, 0, evaluate=False)
    return Piecewise((then, condition), (otherwise, True), evaluate=False)


SELU_ALPHA = sympy.Rational("1.6732632423543772848170429916717")
SELU_SCALE = sympy.Rational("1.0507009873554804934193349852946")
DEFINITIONS: dict[str, Callable[..., Expr]] = {
    "identity": lambda x: x,
    "sigmoid": lambda x: 1 / (1 + sympy.exp(-x)),
    "tanh": lambda x: sympy.tanh(x),
    "relu": lambda x: if_positive(x, x, 0),
    "softplus": lambda x: sympy.log(1 + sympy.exp(x)),
    "step": lambda x: if_positive(x, 1, 0),
    "leaky_relu": lambda x: if_positive(x, x, x / 100),
    "elu": lambda x: if_positive(x, x, sympy.exp(x) - 1),
    "selu": lambda x: SELU_SCALE * if_positive(x, x, SELU_ALPHA * (sympy.exp(x) - 1)),
    "silu": lambda x: x / (1 + sympy.exp(-x)),
    "mish": lambda x: x * sympy.tanh(sympy.log(1 + sympy.exp(x))),
    "softsign": lambda x: if_positive(x, x / (1 + x), x / (1 - x)),
    "hardtanh": lambda x: if_positive(x - 1, 1, if_positive(-x - 1, -1, x)),
    "hard_sigmoid": lambda x: if_positive(x - 3, 1, if_positive(-x - 3, 0, (x + 3) / 6)),
    "log1pexp": lambda x: sympy.log(1 + sympy.exp(x)),
    "log_cosh": lambda x: sympy.log(sympy.cosh(x)),
    "log_sigmoid": lambda x: -sympy.log(1 + sympy.exp(-x)),
    "gelu": lambda x: x * (1 + sympy.erf(x / sympy.sqrt(2))) / 2,
    "gelu_tanh": lambda x: (
        x * (1 + sympy.tanh(sympy.sqrt(2 / sympy.pi) * (x + sympy.Rational("0.044715") * x**3))) / 2
    ),
    "xlogy": lambda x, y: x * sympy.log(y),
    "logsumexp": lambda *xs: sympy.log(Add(*map(sympy.exp, xs))),
    "SeluAlpha": lambda: SELU_ALPHA,
    "SeluScale": lambda: SELU_SCALE,
    "arctan": lambda x: sympy.atan(x),
    "sin": lambda x: sympy.sin(x),
    "erf": lambda x: sympy.erf(x),
    "erfc": lambda x: 1 - sympy.erf(x),
    "sign": lambda x: if_positive(x, 1, if_positive(-x, -1, 0)),
    "Abs": lambda x: if_positive(x, x, if_positive(-x, -x, 0)),
    "Max": lambda *xs: reduce(lambda a, b: if_positive(a - b, a, b), xs),
    "Min": lambda *xs: reduce(lambda a, b: if_positive(a - b, b, a), xs),
}


# --- Matrices of scalars ---------------------------------------------------------------------
def variable(name: str) -> Symbol:
    """The one real symbol of this name: variables are matched by name and are all real."""
    return Symbol(name, real=True)


def size(dimension: Any) -> int:
    """A dimension, a bound or an index as an int."""
    value = sympy.sympify(dimension)
    require(value.is_Integer, f"{dimension} is no known integer; give its symbols in sizes")
    return int(value)


def table(rows: Any, columns: Any, entry: Callable[[int, int], Any]) -> ImmutableDenseMatrix:
    """The matrix whose entry at the 0-based (i, j) is entry(i, j)."""
    return ImmutableDenseMatrix(size(rows), size(columns), entry)


def named(name: str, rows: Any, columns: Any) -> ImmutableDenseMatrix:
    """The matrix of real symbols name_1_1, name_1_2, ... (1-based)."""
    return table(rows, columns, lambda i, j: variable(f"{name}_{i + 1}_{j + 1}"))


def entrywise(function: Callable[..., Any], *matrices: Any) -> ImmutableDenseMatrix:
    """The function of corresponding entries; SymPy itself would let unequal shapes pass."""
    shapes = [getattr(matrix, "shape", "scalar") for matrix in matrices]
    require(len(set(shapes)) == 1, f"entrywise function of shapes {shapes}")
    return table(*shapes[0], lambda i, j: function(*(matrix[i, j] for matrix in matrices)))


def inverse(a: ImmutableDenseMatrix, _: Any = -1) -> ImmutableDenseMatrix:
    """The adjugate divided by the determinant, by Laplace expansion: nothing is simplified."""
    det = a.det(method="laplace")
    return entrywise(lambda entry: entry / det, a.adjugate(method="laplace"))


def hadamard_power(base: Any, exponent: Any) -> ImmutableDenseMatrix:
    """Powers entry by entry; one of the two may be a scalar."""
    shape = getattr(base, "shape", None) or exponent.shape
    pair = (x if isinstance(x, MatrixBase) else broadcast(x, *shape) for x in (base, exponent))
    return entrywise(operator.pow, *pair)


def broadcast(value: Any, rows: Any, columns: Any) -> ImmutableDenseMatrix:
    """A scalar, a row or a column repeated to a shape."""
    value = value if isinstance(value, MatrixBase) else ImmutableDenseMatrix([[value]])
    fits = value.rows in (1, rows) and value.cols in (1, columns)
    require(fits, f"broadcast of shape {value.shape} to {(rows, columns)}")
    return table(rows, columns, lambda i, j: value[i % value.rows, j % value.cols])


def softmax(a: ImmutableDenseMatrix, axis: int) -> ImmutableDenseMatrix:
    """The exponentials over their sum along the rows (axis 1) or the columns (axis 0)."""
    if axis == 0:
        return softmax(a.T, 1).T
    e = a.applyfunc(sympy.exp)
    return table(a.rows, a.cols, lambda i, j: e[i, j] / Add(*e[i, :]))


def place(places: Any, k: int) -> int:
    """The index of the k-th place of a start, a count and a step."""
    return size(places[0]) + k * size(places[2])


def placed(a: Any, r: Any, c: Any, rows: Any, columns: Any) -> ImmutableDenseMatrix:
    """Zeros, with the matrix at some places."""
    where = {
        (place(rows, i), place(columns, j)): a[i, j] for i in range(a.rows) for j in range(a.cols)
    }
    return table(r, c, lambda i, j: where.get((i, j), 0))


def vstack(*parts: Any) -> ImmutableDenseMatrix:
    """Matrices below each other."""
    return ImmutableDenseMatrix.vstack(*parts)


def every(a: Any, axis: Any, function: Callable[[list, int], Any]) -> ImmutableDenseMatrix:
    """A function of every line along an axis, and of a place in it."""

    def entry(i: int, j: int) -> Any:
        return function(list(a[i, :]) if axis else list(a[:, j]), j if axis else i)

    return table(a.rows, a.cols, entry)


def along(a: Any, axis: Any, function: Callable[[list], Any]) -> ImmutableDenseMatrix:
    """A function of every line along an axis."""
    shape = (a.rows, 1) if axis else (1, a.cols)
    return table(*shape, lambda i, j: function(list(a[i, :]) if axis else list(a[:, j])))


def kronecker_blocks(whole: Any, factor: Any, left: Any) -> ImmutableDenseMatrix:
    """Written by what defines it: the derivative of <whole, kron> by the other factor."""
    other = named("_k", whole.rows // factor.rows, whole.cols // factor.cols)
    pair = (factor, other) if left else (other, factor)
    product = NODES["Kronecker"](*pair)
    total = Add(*(a * b for a, b in zip(whole, product, strict=True)))
    return other.applyfunc(lambda symbol: sympy.diff(total, symbol))


def cholesky(a: Any) -> ImmutableDenseMatrix:
    """The factor of a symmetric matrix of two rows, by its three equations."""
    require(a.rows == 2, "written out for two rows")
    corner, below = sympy.sqrt(a[0, 0]), (a[0, 1] + a[1, 0]) / 2
    low = below / corner
    return ImmutableDenseMatrix([[corner, 0], [low, sympy.sqrt(a[1, 1] - low**2)]])


def eigen(a: Any) -> tuple[ImmutableDenseMatrix, ImmutableDenseMatrix]:
    """Eigenvalues and vectors of a symmetric matrix of two rows, by its angle of rotation."""
    require(a.rows == 2, "written out for two rows")
    p, q, r = a[0, 0], a[1, 1], (a[0, 1] + a[1, 0]) / 2
    root = sympy.sqrt((p - q) ** 2 + 4 * r**2)
    values = ImmutableDenseMatrix([(p + q - root) / 2, (p + q + root) / 2])
    # The angle of (p - q, 2 r), halved, is that of the larger eigenvalue's vector.
    cosine = sympy.sqrt((1 + (p - q) / root) / 2)
    sine = sympy.sqrt((1 - (p - q) / root) / 2)
    turn = if_positive(r, 1, -1)
    # (cosine, turn * sine) and (-turn * sine, cosine), each with its larger entry above 0: where
    # p > q the cosine is that, else the sine is.
    large = [if_positive(p - q, 1, turn) * cosine, if_positive(p - q, turn, 1) * sine]
    small = [if_positive(p - q, -turn, 1) * sine, if_positive(p - q, 1, -turn) * cosine]
    columns = [small, large]
    return values, table(2, 2, lambda i, j: columns[j][i])


class hyp0f1(sympy.Function):
    """The sum over k of z^k / (b (b + 1) ... (b + k - 1) k!); mpmath has its numbers."""

    nargs = 2

    def fdiff(self, argindex: int = 2) -> Expr:
        """The derivative by z, term by term."""
        b, z = self.args
        require(argindex == 2, "b is a number")
        return hyp0f1(b + 1, z) / b


def exponential(a: Any) -> ImmutableDenseMatrix:
    """The exponential of two rows, by the square of what is left without its middle."""
    require(a.rows == 2, "written out for two rows")
    middle = (a[0, 0] + a[1, 1]) / 2
    b = a - middle * ImmutableDenseMatrix.eye(2)
    # b^2 = d I: exp(b) is cosh(root of d) I + sinh(root of d) / (root of d) b, whatever d's sign.
    d = b[0, 0] ** 2 + b[0, 1] * b[1, 0]
    even, odd = hyp0f1(sympy.Rational(1, 2), d / 4), hyp0f1(sympy.Rational(3, 2), d / 4)
    whole = sympy.exp(middle) * (even * ImmutableDenseMatrix.eye(2) + odd * b)
    return ImmutableDenseMatrix(whole)


def exponential_slope(a: Any, *directions: Any) -> ImmutableDenseMatrix:
    """The derivative of the exponential along directions, one after the other."""
    steps = [Symbol(f"t_of_slope_{k}", real=True) for k, _ in enumerate(directions)]
    whole = exponential(a + sum((t * e for t, e in zip(steps, directions, strict=True)), 0 * a))
    for t in steps:
        whole = whole.applyfunc(lambda entry, t=t: sympy.diff(entry, t).subs(t, 0))
    return whole


NODES: dict[str, Callable[..., Value]] = {
    "MatAdd": lambda *terms: entrywise(Add, *terms),
    "MatMul": lambda *factors: reduce(operator.mul, factors),
    "Transpose": lambda a: a.T,
    "HadamardProduct": lambda *factors: entrywise(Mul, *factors),
    "HadamardPower": hadamard_power,
    "MatPow": lambda a, n: (a if size(n) >= 0 else inverse(a)) ** abs(size(n)),
    "Inverse": inverse,
    "Determinant": lambda a: a.det(method="laplace"),
    "Trace": lambda a: a.trace(),
    "ZeroMatrix": lambda rows, columns: table(rows, columns, lambda i, j: 0),
    "OneMatrix": lambda rows, columns: table(rows, columns, lambda i, j: 1),
    "Identity": lambda n: ImmutableDenseMatrix.eye(size(n)),
    "MatrixElement": lambda a, i, j: a[size(i), size(j)],
    "Softmax": lambda a, axis: softmax(a, size(axis)),
    "LogSoftmax": lambda a, axis: softmax(a, size(axis)).applyfunc(sympy.log),
    "SumEntries": lambda a: Add(*a),
    "SumRows": lambda a: table(1, a.cols, lambda _, j: Add(*a[:, j])),
    "SumColumns": lambda a: table(a.rows, 1, lambda i, _: Add(*a[i, :])),
    "Broadcast": broadcast,
    "Slice": lambda a, rows, columns: table(
        *(rows[1], columns[1]), lambda i, j: a[place(rows, i), place(columns, j)]
    ),
    "Placed": placed,
    "Stacked": lambda *parts: (ImmutableDenseMatrix.hstack if parts[-1] else vstack)(*parts[:-1]),
    "Tuple": sympy.Tuple,
    "Reshaped": lambda a, r, c: ImmutableDenseMatrix(size(r), size(c), list(a)),
    "Diagonal": lambda a: table(a.rows, 1, lambda i, _: a[i, i]),
    "DiagonalMatrix": lambda a: table(a.rows, a.rows, lambda i, j: a[i] if i == j else 0),
    "Triangle": lambda a, k, lower: table(
        *a.shape, lambda i, j: a[i, j] if ((j - i <= k) if lower else (j - i >= k)) else 0
    ),
    "LogSumExp": lambda a, axis: along(a, axis, lambda xs: sympy.log(Add(*map(sympy.exp, xs)))),
    "Extreme": lambda a, axis, sign: along(
        a, axis, lambda xs: DEFINITIONS["Max" if sign > 0 else "Min"](*xs)
    ),
    "ExtremeWeights": lambda a, axis, sign: every(
        *(a, axis),
        lambda xs, k: Mul(
            *(if_positive(sign * (xs[k] - x), 1, 0) for m, x in enumerate(xs) if m != k)
        ),
    ),
    "ProductAlong": lambda a, axis: along(a, axis, lambda xs: Mul(*xs)),
    "OthersProduct": lambda a, axis: every(
        a, axis, lambda xs, k: Mul(*(x for m, x in enumerate(xs) if m != k))
    ),
    "CumulativeSum": lambda a, axis, reverse: every(
        a, axis, lambda xs, k: Add(*(xs[k:] if reverse else xs[: k + 1]))
    ),
    "Kronecker": lambda a, b: table(
        *(a.rows * b.rows, a.cols * b.cols),
        lambda i, j: a[i // b.rows, j // b.cols] * b[i % b.rows, j % b.cols],
    ),
    "KroneckerBlocks": kronecker_blocks,
    "PseudoInverse": lambda a: (
        inverse(a.T * a) * a.T if a.rows >= a.cols else a.T * inverse(a * a.T)
    ),
    "LogDeterminant": lambda a: sympy.log(DEFINITIONS["Abs"](a.det(method="laplace"))),
    "Convolution": lambda a, b: table(
        *(a.rows + b.rows - 1, 1),
        lambda k, _: Add(*(a[i] * b[k - i] for i in range(a.rows) if 0 <= k - i < b.rows)),
    ),
    "Toeplitz": lambda w, r, c: table(r, c, lambda i, j: w[size(c) - 1 + i - j]),
    "DiagonalSums": lambda a: table(
        *(a.rows + a.cols - 1, 1),
        lambda k, _: Add(
            *(a[i, j] for i in range(a.rows) for j in range(a.cols) if a.cols - 1 + i - j == k)
        ),
    ),
    "Cholesky": cholesky,
    "Eigenvalues": lambda a: eigen(a)[0],
    "Eigenvectors": lambda a: eigen(a)[1],
    "Exponential": exponential,
    "ExponentialSlope": exponential_slope,
    "UnitMatrix": lambda r, c, row, column: table(r, c, lambda i, j: int((i, j) == (row, column))),
}


# --- Writing expressions out -----------------------------------------------------------------
class Writer:
    """Writes expressions out in scalars, each shared subexpression once.

    `bound` holds what the bound symbols (of a Lambda, of a Sum) stand for at the moment.
    """

    def __init__(self, sizes: Mapping, values: Mapping, bound: Mapping) -> None:
        self.sizes, self.values, self.bound = sizes, values, bound
        self.memo: dict[Any, Any] = {}

    def __call__(self, node: Any) -> Any:
        """The node written out: a scalar, an explicit matrix or a condition."""
        node = ImmutableDenseMatrix(node) if isinstance(node, MatrixBase) else sympy.sympify(node)
        if node not in self.memo:
            self.memo[node] = self._written(node)
        return self.memo[node]

    def _written(self, node: Any) -> Any:
        """Looks the class name up: nodes, then defined functions, then SymPy's own scalars."""
        name = type(node).__name__
        if isinstance(node, ImmutableDenseMatrix):
            return entrywise(self.scalar, node)
        if name in WRITERS:
            return WRITERS[name](self, node)
        if name in NODES:
            arguments = [self(arg) for arg in node.args]
            try:
                return NODES[name](*arguments)
            except (AttributeError, IndexError, TypeError, ValueError) as error:
                raise ValueError(f"the shapes in {name} do not fit: {node}: {error}") from error
        if name in DEFINITIONS:
            return DEFINITIONS[name](*map(self.scalar, node.args))
        if is_plain_scalar(node):
            return node.func(*map(self.scalar, node.args)) if node.args else node
        raise NotImplementedError(f"the oracle has no definition of the node {name}: {node}")

    def scalar(self, node: Any) -> Expr:
        """The node written out, which must be a scalar."""
        value = self(node)
        if isinstance(value, MatrixBase):
            raise ValueError(f"a matrix where a scalar is needed: {node}")
        return value

    def binding(self, symbols: Iterable, replacements: Iterable) -> "Writer":
        """A writer in which the bound symbols stand for the replacements."""
        bound = self.bound | dict(zip(symbols, replacements, strict=True))
        return Writer(self.sizes, self.values, bound)

    def apply(self, function: Any, *arguments: Any) -> Expr:
        """A SymPy Lambda (or Function class) of arguments that are written out already."""
        dummies = [sympy.Dummy(real=True) for _ in arguments]
        return self.binding(dummies, arguments).scalar(function(*dummies))


def is_plain_scalar(node: Any) -> bool:
    """True for SymPy's own numbers, sums, powers, functions, logic; never for a class of others."""
    kinds = (sympy.Number, sympy.NumberSymbol, Add, Mul, sympy.Pow, sympy.Function)
    ours = (type(node).__module__ or "").startswith("sympy.")
    return ours and isinstance(node, (*kinds, BooleanFunction, BooleanAtom))


def _symbol(write: Writer, node: Any) -> Value:
    known = {node.name: variable(node.name), **write.values, **write.sizes}
    return write.bound.get(node, known[node.name])


def _matrix_symbol(write: Writer, node: Any) -> ImmutableDenseMatrix:
    shape = tuple(size(write(dimension)) for dimension in node.shape)
    value = write.values.get(node.name, named(node.name, *shape))
    got = getattr(value, "shape", ())
    require(got == shape, f"{node.name} is declared {shape} but its value has shape {got}")
    return value


def _indexed(write: Writer, node: Any) -> Value:
    name = "_".join([str(node.base.label), *(str(size(write(i))) for i in node.indices)])
    return write.values.get(name, variable(name))


def _unrolled(write: Writer, node: Any) -> Expr:
    *inner, (index, low, high) = node.limits
    body = node.func(node.function, *inner) if inner else node.function
    steps = range(size(write(low)), size(write(high)) + 1)
    terms = [write.binding([index], [Integer(k)]).scalar(body) for k in steps]
    return (Add if isinstance(node, sympy.Sum) else Mul)(*terms)


def _piecewise(write: Writer, node: Any) -> Expr:
    # A case that does not hold is not written out: its entries may lie outside an array.
    conditions = [(expr, write(condition)) for expr, condition in node.args]
    pairs = [(write.scalar(expr), holds) for expr, holds in conditions if holds != False]  # noqa: E712
    return Piecewise(*pairs, evaluate=False)  # this still drops what is known not to hold


def _relation(write: Writer, node: Any) -> Any:
    sides = [write.scalar(node.lhs), write.scalar(node.rhs)]
    return node.func(*sides, evaluate=all(side.is_number for side in sides))


def _elementwise(write: Writer, node: Any) -> ImmutableDenseMatrix:
    function, *matrices = node.args
    return entrywise(partial(write.apply, function), *map(write, matrices))


def _slice(write: Writer, node: Any) -> ImmutableDenseMatrix:
    rows, columns = (range(*(size(write(k)) for k in part)) for part in node.args[1:])
    return write(node.args[0]).extract(list(rows), list(columns))


def _function_matrix(write: Writer, node: Any) -> ImmutableDenseMatrix:
    rows, columns, function = node.args
    return table(write(rows), write(columns), partial(write.apply, function))


WRITERS: dict[str, Callable[[Writer, Any], Any]] = {
    **dict.fromkeys(["Symbol", "Dummy", "Idx"], _symbol),
    **dict.fromkeys(["Sum", "Product"], _unrolled),
    **dict.fromkeys(["StrictGreaterThan", "GreaterThan", "Equality", "Unequality"], _relation),
    **dict.fromkeys(["StrictLessThan", "LessThan"], _relation),
    **dict.fromkeys(["Elementwise", "ElementwiseApplyFunction"], _elementwise),
    "MatrixSymbol": _matrix_symbol,
    "Indexed": _indexed,
    "Piecewise": _piecewise,
    "MatrixSlice": _slice,
    "FunctionMatrix": _function_matrix,
}


def name_of(symbol: Any) -> str:
    """The name of a Symbol or a MatrixSymbol, or the name itself."""
    return str(getattr(symbol, "name", symbol))


def by_name(mapping: Mapping | None) -> dict[str, Any]:
    """The mapping with names for keys; lists become explicit matrices, numbers SymPy's."""
    known = {name_of(key): value for key, value in (mapping or {}).items()}
    lists = {key: ImmutableDenseMatrix(v) for key, v in known.items() if isinstance(v, list)}
    return {key: lists.get(key, sympy.sympify(value)) for key, value in known.items()}


def explicit(expr: Any, sizes: Mapping | None = None, values: Mapping | None = None) -> Value:
    """A scalar or matrix expression written out in scalars; free variables become real symbols.

    Args:
        expr: A SymPy expression, also with the nodes and functions of the package under test.
        sizes: Dimension (name or symbol) to int, where shapes are symbolic.
        values: Name to an explicit value (of symbols or numbers) that stands for the symbol.
    """
    return Writer(by_name(sizes), by_name(values), {})(expr)


def inline(definitions: Iterable, target: Any, sizes: Any = None, values: Any = None) -> Value:
    """The explicit form of the target over ordered definitions (symbol, expression)."""
    known = by_name(values)
    for symbol, expr in definitions:
        known[name_of(symbol)] = explicit(expr, sizes, known)
    return explicit(target, sizes, known)


def entries(symbol: Any, sizes: Mapping | None = None) -> Value:
    """The matrix of real symbols X_1_1, X_1_2, ... that stands for a MatrixSymbol X."""
    return explicit(symbol, sizes)


# --- Derivatives and numbers -----------------------------------------------------------------
def gradient(scalar: Expr, variables: Any) -> Value:
    """sympy.diff of an explicit scalar by a symbol, or by each entry of an explicit matrix."""
    if isinstance(variables, MatrixBase):
        return entrywise(lambda entry: sympy.diff(scalar, entry), variables)
    return sympy.diff(scalar, variables)


def central_difference(function: Callable, point: Mapping, name: str, digits: int = 50) -> Any:
    """(f(p + h) - f(p - h)) / 2h in one coordinate of the point p, right to the digits.

    At more than twice the digits neither its error, about h^2, nor the cancellation reaches them.
    """
    with mpmath.workdps(2 * digits + 20):
        h, centre = mpmath.mpf(10) ** -(digits // 2 + 5), number(point[name])
        ahead, behind = (function({**point, name: centre + step}) for step in (h, -h))
        return (ahead - behind) / (2 * h)


def flat_names(names_or_symbols: Iterable) -> set[str]:
    """The names in a mixed iterable of names, symbols, MatrixSymbols and explicit matrices."""
    items = [entries(x) if isinstance(x, sympy.MatrixSymbol) else x for x in names_or_symbols]
    parts = [item if isinstance(item, MatrixBase) else [item] for item in items]
    return {name_of(symbol) for part in parts for symbol in part}


def generic_point(
    names_or_symbols: Iterable, seed: int, low: float = 0.2, high: float = 2, positive: bool = False
) -> dict[str, sympy.Rational]:
    """Rational values by name: magnitudes in low .. high, all distinct, never 1, in both signs.

    A formula that is right by accident, at zeros, ones, equal or symmetric values, differs here.
    The denominators are primes of five digits; neither the order given nor the hash seed matters.
    """
    source, point = random.Random(seed), {}
    for name in sorted(flat_names(names_or_symbols)):
        magnitude = Integer(1)
        while magnitude == 1 or magnitude in map(abs, point.values()):
            prime = sympy.nextprime(source.randint(10_000, 90_000))
            numerator = source.randint(int(low * prime) + 1, int(high * prime))
            magnitude = sympy.Rational(numerator, prime)
        point[name] = magnitude if positive or source.random() < 0.5 else -magnitude
    return point


def number(value: Any) -> mpmath.mpf:
    """A Rational, Float, int, float or mpf as an mpf of the current precision."""
    if isinstance(value, sympy.Rational):
        return mpmath.mpf(value.p) / value.q
    return mpmath.mpf(value._mpf_ if isinstance(value, sympy.Float) else value)


SAME_NAME = [
    "exp",
    "log",
    "sin",
    "cos",
    "tan",
    "sinh",
    "cosh",
    "tanh",
    "erf",
    "sign",
    "gamma",
    "hyp0f1",
]
NUMERIC: dict[str, Callable[..., Any]] = {
    **{name: getattr(mpmath, name) for name in SAME_NAME},
    **{"Add": lambda *xs: mpmath.fsum(xs), "Mul": lambda *xs: mpmath.fprod(xs)},
    **{"Pow": operator.pow, "Abs": abs, "Max": max, "Min": min, "Not": operator.not_},
    **{"And": lambda *xs: all(xs), "Or": lambda *xs: any(xs), "ITE": lambda c, a, b: a if c else b},
    **{"StrictGreaterThan": operator.gt, "GreaterThan": operator.ge, "Equality": operator.eq},
    **{"StrictLessThan": operator.lt, "LessThan": operator.le, "Unequality": operator.ne},
}


class Evaluator:
    """The numbers of scalar expressions at a point, each shared subexpression once."""

    def __init__(self, point: Mapping) -> None:
        self.point = {name_of(key): number(value) for key, value in point.items()}
        self.memo: dict[Any, Any] = {}

    def __call__(self, node: Any) -> Any:
        """The number (or truth value) of the node."""
        if node not in self.memo:
            self.memo[node] = self._number(node)
        if isinstance(self.memo[node], mpmath.mpc):
            raise ValueError(f"not real at this point: {node}")
        return self.memo[node]

    def _number(self, node: Any) -> Any:
        """Atoms, then cases (only the branch that holds), then functions."""
        if node.is_Symbol:
            return self.point[node.name]
        if isinstance(node, BooleanAtom):
            return bool(node)
        if isinstance(node, Piecewise):
            return self(next(expr for expr, condition in node.args if self(condition)))
        arguments = [self(arg) for arg in node.args]
        if type(node).__name__ in NUMERIC:
            return NUMERIC[type(node).__name__](*arguments)
        digits = mpmath.mp.dps
        node = node.func(*(sympy.Float(x, digits) for x in arguments)) if arguments else node
        return number(node if node.is_Rational else sympy.N(node, digits))


def evaluate(value: Any, point: Mapping, digits: int = 50) -> Any:
    """The mpf of a scalar (nested lists of them for a matrix) at a point, right to the digits."""
    with mpmath.workdps(digits + 15):
        evaluator = Evaluator(point)
        if isinstance(value, MatrixBase):
            return [[evaluator(entry) for entry in row] for row in value.tolist()]
        return evaluator(sympy.sympify(value))


def flat(value: Any, index: tuple = ()) -> dict[tuple, Any]:
    """The numbers of nested lists by their indices."""
    if not isinstance(value, list | tuple):
        return {index: value}
    return {key: x for i, part in enumerate(value) for key, x in flat(part, (*index, i)).items()}


def largest_difference(left: Any, right: Any) -> mpmath.mpf:
    """The largest difference relative to the largest number; infinite for different shapes."""
    a, b = flat(left), flat(right)
    if a.keys() != b.keys():
        return mpmath.inf
    with mpmath.workdps(100):
        pairs = [(number(a[key]), number(b[key])) for key in a]
        scale = max(abs(x) for pair in pairs for x in pair)
        return max(abs(x - y) for x, y in pairs) / (scale or 1)


def agree(left: Any, right: Any, digits: int = 40) -> bool:
    """True when two (nested lists of) numbers have one shape and are equal to so many digits."""
    return largest_difference(left, right) < mpmath.mpf(10) ** -digits


# --- Dense networks, written out in scalars --------------------------------------------------


# Of the pairs (output, target) of all samples and outputs.
def magnitude(r: Any) -> Expr:
    """The absolute value, branch by branch."""
    return DEFINITIONS["Abs"](sympy.sympify(r))


def _huber(size: Expr) -> Expr:
    return if_positive(size - 1, size - sympy.Rational(1, 2), size**2 / 2)


#: Losses that are summed over the outputs of a sample and averaged over the samples.
MEAN_OVER_SAMPLES = ("cross_entropy", "kl_divergence")


def loss_of(name: str, predictions: Table, targets: Table) -> Expr:
    """A loss by its name, of tables with one sample a row."""
    rows = [
        list(zip(own, wanted, strict=True))
        for own, wanted in zip(predictions, targets, strict=True)
    ]
    if name in MEAN_OVER_SAMPLES:
        return Add(*(LOSSES[name](row) for row in rows)) / len(rows)
    return LOSSES[name]([pair for row in rows for pair in row])


LOSSES: dict[str, Callable[[list], Any]] = {
    "mse": lambda pairs: sum((a - y) ** 2 for a, y in pairs) / len(pairs),
    "sse": lambda pairs: sum((a - y) ** 2 for a, y in pairs),
    "half_sse": lambda pairs: sum((a - y) ** 2 for a, y in pairs) / 2,
    "mae": lambda pairs: sum(magnitude(a - y) for a, y in pairs) / len(pairs),
    "huber": lambda pairs: sum(_huber(magnitude(a - y)) for a, y in pairs) / len(pairs),
    "binary_cross_entropy": lambda pairs: (
        -sum(y * sympy.log(a) + (1 - y) * sympy.log(1 - a) for a, y in pairs) / len(pairs)
    ),
    # Of one sample; the mean over samples is taken by `mean_over_samples`.
    "cross_entropy": lambda pairs: -sum(y * sympy.log(a) for a, y in pairs),
    "kl_divergence": lambda pairs: sum(y * sympy.log(y / a) for a, y in pairs),
}


def layer(sample: list, weights: MatrixBase, biases: list, columns: bool) -> list[Expr]:
    """In rows sum_i x_i W_ij + b_j for the units j, in columns sum_j W_ij x_j + b_i for the i."""
    units = range(weights.rows if columns else weights.cols)
    lines = [weights[j, :] if columns else weights[:, j] for j in units]
    return [Add(*map(Mul, sample, line), b) for line, b in zip(lines, biases, strict=True)]


@dataclass(frozen=True)
class Network:
    """A dense network in scalars: tables of symbols, the predictions and the loss over them."""

    inputs: ImmutableDenseMatrix
    targets: ImmutableDenseMatrix
    parameters: dict[str, ImmutableDenseMatrix]
    output: ImmutableDenseMatrix
    loss: Expr


def activated(name: str, row: list) -> list[Expr]:
    """The outputs of a layer for one sample, from its pre-activations."""
    if name == "softmax":
        return list(softmax(ImmutableDenseMatrix([row]), 1))
    return [DEFINITIONS[name](z) for z in row]


def network(
    sizes: Sequence[int],
    activations: Sequence[str],
    bias: bool = True,
    samples: int = 1,
    orientation: str = "rows",
    loss: str = "mse",
) -> Network:
    """A dense network of sizes such as (3, 4, 4, 1), one activation name per layer.

    Rows: Z = X W + b, W is inputs x units, the batch is the rows of X. Columns: z = W x + b, W is
    units x inputs, x is one sample. Parameters are W1, b1, W2, ...
    """
    columns = {"rows": False, "columns": True}[orientation]
    require(not columns or samples == 1, "columns take one sample")
    flip = -1 if columns else 1
    inputs = named("x" if columns else "X", *(samples, sizes[0])[::flip])
    targets = named("y" if columns else "Y", *(samples, sizes[-1])[::flip])
    parameters, values = {}, (inputs.T if columns else inputs).tolist()
    for depth, (shape, name) in enumerate(zip(pairwise(sizes), activations, strict=True), 1):
        weights = parameters[f"W{depth}"] = named(f"W{depth}", *shape[::flip])
        if bias:
            parameters[f"b{depth}"] = named(f"b{depth}", *(1, shape[1])[::flip])
        biases = list(parameters.get(f"b{depth}", [Integer(0)] * shape[1]))
        sums = [layer(sample, weights, biases, columns) for sample in values]
        values = [activated(name, row) for row in sums]
    output = ImmutableDenseMatrix(values).T if columns else ImmutableDenseMatrix(values)
    wanted = (targets.T if columns else targets).tolist()
    value = loss_of(loss, values, wanted)
    return Network(inputs, targets, parameters, output, value)


def network_gradients(net: Network, point: Mapping, digits: int = 50, exact: bool = False) -> dict:
    """The gradients of the loss by parameter name at a point, as tables of mpf.

    By central differences of the forward pass in numbers, which stays fast for wide networks;
    with `exact` by `sympy.diff` of the written-out loss, for small ones.
    """
    if exact:
        slopes = {name: gradient(net.loss, symbols) for name, symbols in net.parameters.items()}
        return {name: evaluate(value, point, digits) for name, value in slopes.items()}
    loss, at = partial(evaluate, net.loss, digits=2 * digits + 5), by_name(point)
    tables = {name: symbols.tolist() for name, symbols in net.parameters.items()}
    return {
        name: [[central_difference(loss, at, s.name, digits) for s in row] for row in rows]
        for name, rows in tables.items()
    }
