"""Factorisations and functions of square matrices: Cholesky, eigenvalues, the exponential.

What is defined for symmetric matrices is that of the symmetric part (A + A')/2: so it has a value,
and a derivative by every entry, near a symmetric matrix, too.
"""

from __future__ import annotations

from typing import Any

import sympy as sp

from symgrad.errors import UnsupportedError
from symgrad.operations import (
    KERNELS,
    Operation,
    Source,
    matrix,
    operation_shape,
    require_square,
)
from symgrad.shapes import Shape

KERNELS["expm"] = """\
def expm(a):
    # Taylor's series of degree 18 of a / 2^s with norm below 1/2, squared s times; the relative
    # error is a few roundings times 2^s.
    norm = np.max(np.sum(np.abs(a), axis=0), initial=0.0)
    squarings = max(0, int(np.ceil(np.log2(norm))) + 1) if norm > 0 else 0
    a = a / 2.0**squarings
    result = np.eye(len(a))
    for k in range(18, 0, -1):
        result = np.eye(len(a)) + a @ result / k
    for _ in range(squarings):
        result = result @ result
    return result
"""
KERNELS["expm_slope"] = """\
def expm_slope(a, *directions):
    # With numbers whose squares are zero, the exponential of A + e E is that of a block matrix.
    n = len(a)
    for k, direction in enumerate(directions):
        wide = np.kron(np.eye(2**k), direction)
        a = np.block([[a, wide], [np.zeros_like(a), a]])
    return expm(a)[:n, -n:]
"""
KERNELS["factor"] = """\
def factor(a):
    return np.linalg.cholesky((a + a.T) / 2)
"""
KERNELS["eigenvalues"] = """\
def eigenvalues(a):
    return np.linalg.eigvalsh((a + a.T) / 2)[:, None]
"""
KERNELS["eigenvectors"] = """\
def eigenvectors(a):
    # Of every vector the largest entry is positive, so that signs do not depend on LAPACK.
    v = np.linalg.eigh((a + a.T) / 2)[1]
    return v * np.sign(v[np.argmax(np.abs(v), axis=0), np.arange(len(v))])
"""


class Cholesky(Operation):
    """The lower triangular L with positive diagonal and L L' = A.

    >>> Cholesky(sp.ImmutableMatrix([[4, 2], [2, 5]])).as_explicit()
    Matrix([
    [2, 0],
    [1, 2]])
    """

    word = "cholesky"
    kernels = ("factor",)

    @property
    def shape(self) -> Any:
        """That of the matrix."""
        return self.args[0].shape

    def written_out(self, *matrices: Any) -> Any:
        """The recurrence, row by row."""
        a = _symmetric_part(matrices[0])
        lower = sp.zeros(a.rows, a.rows)
        for i in range(a.rows):
            for j in range(i + 1):
                rest = a[i, j] - sp.Add(*(lower[i, k] * lower[j, k] for k in range(j)))
                lower[i, j] = sp.sqrt(rest) if i == j else rest / lower[j, j]
        return sp.ImmutableMatrix(lower)

    def source(self, operands: list[str], text: Source) -> str:
        """Print a call of the helper function."""
        return f"factor({operands[0]})"

    def _latex(self, printer: Any) -> str:
        return rf"\operatorname{{chol}}\left({printer._print(self.args[0])}\right)"


class Eigenvalues(Operation):
    """The eigenvalues of a symmetric matrix as a column, in rising order.

    >>> Eigenvalues(sp.ImmutableMatrix([[1, 2], [2, 1]])).as_explicit().T
    Matrix([[-1, 3]])
    """

    word = "eigvalsh"
    kernels = ("eigenvalues",)

    @property
    def shape(self) -> Any:
        """A column."""
        return self.args[0].shape[0], sp.S.One

    def written_out(self, *matrices: Any) -> Any:
        """Solve the characteristic equation, which has degree one or two here."""
        middle, apart = _two_by_two(_symmetric_part(matrices[0]))
        return sp.ImmutableMatrix([middle] if apart is None else [middle - apart, middle + apart])

    def source(self, operands: list[str], text: Source) -> str:
        """Print a call of the helper function."""
        return f"eigenvalues({operands[0]})"

    def _latex(self, printer: Any) -> str:
        return rf"\lambda\left({printer._print(self.args[0])}\right)"


def _symmetric_part(a: Any) -> Any:
    return sp.ImmutableMatrix(a.rows, a.cols, lambda i, j: (a[i, j] + a[j, i]) / 2)


def _two_by_two(a: Any) -> tuple[Any, Any]:
    """Return half the trace of a symmetric matrix, and half the distance of its eigenvalues."""
    if a.rows == 1:
        return a[0, 0], None
    if a.rows > 2:
        raise UnsupportedError("eigenvalues of more than two rows have no form in scalars here")
    half = (a[0, 0] - a[1, 1]) / 2
    return (a[0, 0] + a[1, 1]) / 2, sp.sqrt(half**2 + a[1, 0] ** 2)


class Eigenvectors(Operation):
    """The eigenvectors of a symmetric matrix as columns of length one, in order of eigenvalues.

    Of each the entry of the largest absolute value is positive.
    """

    word = "eigvecsh"
    kernels = ("eigenvectors",)

    @property
    def shape(self) -> Any:
        """That of the matrix."""
        return self.args[0].shape

    def written_out(self, *matrices: Any) -> Any:
        """Rotate by the angle that makes a symmetric matrix of two rows diagonal."""
        a = _symmetric_part(matrices[0])
        _, apart = _two_by_two(a)
        if apart is None:
            return sp.ImmutableMatrix([[1]])
        # (A - lambda I) v = 0 for lambda = middle + apart, with the longer of two forms of v.
        half = (a[0, 0] - a[1, 1]) / 2
        large = half + apart, apart - half
        wide = sp.Matrix([large[0], a[1, 0]]) / sp.sqrt(large[0] ** 2 + a[1, 0] ** 2)
        tall = sp.Matrix([a[1, 0], large[1]]) / sp.sqrt(large[1] ** 2 + a[1, 0] ** 2)
        upper = [sp.Piecewise((wide[k], half > 0), (tall[k], True)) for k in range(2)]
        # The other is orthogonal; its larger entry is positive, too.
        lower = [
            sp.Piecewise((-wide[1], half > 0), (tall[1], True)),
            sp.Piecewise((wide[0], half > 0), (-tall[0], True)),
        ]
        return sp.ImmutableMatrix([[lower[0], upper[0]], [lower[1], upper[1]]])

    def source(self, operands: list[str], text: Source) -> str:
        """Print a call of the helper function."""
        return f"eigenvectors({operands[0]})"

    def _latex(self, printer: Any) -> str:
        return rf"V\left({printer._print(self.args[0])}\right)"


class Exponential(Operation):
    """The matrix exponential.

    >>> Exponential(sp.ImmutableMatrix([[0, 1], [0, 0]])).as_explicit()
    Matrix([
    [1, 1],
    [0, 1]])
    """

    word = "expm"
    kernels = ("expm",)

    @property
    def shape(self) -> Any:
        """That of the matrix."""
        return self.args[0].shape

    def written_out(self, *matrices: Any) -> Any:
        """Of numbers, and of what is nilpotent or diagonal, by SymPy; of two rows in a closed form.

        exp(A) = e^m (cosh d I + sinh d / d (A - m I)) for half the trace m and d^2 = -det(A - m I):
        Cayley's theorem says (A - m I)^2 = d^2 I, and the series splits into even and odd powers.
        """
        a = matrices[0]
        if not a.free_symbols:
            return sp.ImmutableMatrix(sp.Matrix(a).exp())
        if a.rows == 1:
            return sp.ImmutableMatrix([[sp.exp(a[0, 0])]])
        if a.rows > 2:
            raise UnsupportedError("the exponential of more than two rows has no form in scalars")
        middle = (a[0, 0] + a[1, 1]) / 2
        rest = sp.Matrix(a) - middle * sp.eye(2)
        square = rest[0, 0] ** 2 + rest[0, 1] * rest[1, 0]
        # Both are even in d, and real also where its square is negative.
        size = sp.sqrt(sp.Abs(square))
        even = sp.Piecewise((sp.cosh(size), square > 0), (sp.cos(size), True))
        odd = sp.Piecewise((sp.sinh(size) / size, square > 0), (sp.sin(size) / size, True))
        return sp.ImmutableMatrix(sp.exp(middle) * (even * sp.eye(2) + odd * rest))

    def source(self, operands: list[str], text: Source) -> str:
        """Print a call of the helper function."""
        return f"expm({operands[0]})"

    def _latex(self, printer: Any) -> str:
        return _of_exponential(printer, self.args[0])


def _of_exponential(printer: Any, matrix: Any) -> str:
    """Print e^A; exp(A) is taken of every entry."""
    inner = printer._print(matrix)
    return (
        rf"\operatorname{{expm}}({inner})" if getattr(printer, "has_e", False) else f"e^{{{inner}}}"
    )


class ExponentialSlope(Operation):
    """The derivative of the exponential at A in one or several directions, ExponentialSlope(A, E).

    >>> zero = sp.ImmutableMatrix([[0, 0], [0, 0]])
    >>> ExponentialSlope(zero, sp.ImmutableMatrix([[1, 2], [3, 4]])).as_explicit()
    Matrix([
    [1, 2],
    [3, 4]])
    """

    word = "expm_slope"
    kernels = ("expm", "expm_slope")

    @property
    def matrices(self) -> tuple[Any, ...]:
        """The matrix, and the directions."""
        return self.args

    @property
    def options(self) -> tuple[Any, ...]:
        """None."""
        return ()

    @property
    def shape(self) -> Any:
        """That of the matrix."""
        return self.args[0].shape

    def written_out(self, *matrices: Any) -> Any:
        """Differentiate the exponential entry by entry, once for every direction."""
        a, *directions = matrices
        if not a.free_symbols and not any(a) and len(directions) == 1:
            return sp.ImmutableMatrix(directions[0])
        names = sp.Matrix(a.rows, a.cols, lambda i, j: sp.Dummy(f"a{i}{j}", real=True))
        value = sp.Matrix(Exponential(sp.ImmutableMatrix(names)).as_explicit())
        for direction in directions:
            pairs = list(zip(names, direction, strict=True))
            value = sum((value.diff(s) * d for s, d in pairs), sp.zeros(a.rows, a.cols))
        return sp.ImmutableMatrix(value.xreplace(dict(zip(names, a, strict=True))))

    def source(self, operands: list[str], text: Source) -> str:
        """Print a call of the helper function."""
        return f"expm_slope({', '.join(operands)})"

    def _latex(self, printer: Any) -> str:
        directions = list(map(printer._print, self.args[1:]))
        order = f"^{{{len(directions)}}}" if len(directions) > 1 else ""
        whole = _of_exponential(printer, self.args[0])
        return rf"\mathrm{{D}}{order}{whole}\left[{', '.join(directions)}\right]"


@operation_shape(
    ExponentialSlope,
    law="matrix and direction are square, of one size",
    example=lambda head: head(matrix(2, 2), matrix(2, 2, "E")),
    wrong=lambda head: head(matrix(2, 2), matrix(2, 3, "E")),
)
def _slope_shape(node: Any, below: list[Shape]) -> None:
    for shape in below:
        require_square(node, shape)


@operation_shape(
    *(Cholesky, Eigenvalues, Eigenvectors, Exponential),
    law="functions of square matrices keep the size",
    example=lambda head: head(matrix(2, 2)),
    wrong=lambda head: head(matrix()),
)
def _square_shape(node: Any, below: list[Shape]) -> None:
    require_square(node, below[0])


__all__ = ["Cholesky", "Eigenvalues", "Eigenvectors", "Exponential", "ExponentialSlope"]
