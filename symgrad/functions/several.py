"""Functions of several scalars that have a stable form of their own."""

from __future__ import annotations

from typing import Any

import sympy as sp

from symgrad import functions

#: NumPy source by the function's name in generated code.
KERNELS = {
    "xlogy": """\
def xlogy(x, y):
    # 0 log 0 is 0, the limit of x log x.
    return np.where(x == 0, 0.0, x * np.log(np.where(x == 0, 1.0, y)))
""",
    "logsumexp": """\
def logsumexp(*values):
    top = np.maximum.reduce(np.broadcast_arrays(*values))
    return top + np.log(sum(np.exp(value - top) for value in values))
""",
}


class _OfSeveral(sp.Function):
    """What both share: real values, evaluated by their definition."""

    def _eval_is_extended_real(self) -> Any:
        return all(arg.is_extended_real for arg in self.args) or None

    def definition(self) -> Any:
        """Return the function in plain SymPy."""
        raise NotImplementedError

    def _eval_evalf(self, prec: int) -> Any:
        return self.definition()._eval_evalf(prec)

    def _code(self, printer: Any, **_: Any) -> str:
        return str(printer._print(self.definition()))

    _pythoncode = _mpmathcode = _code


class xlogy(_OfSeveral):
    """The product x log(y), which is 0 at x = 0 whatever y is.

    >>> x, y = sp.symbols("x y", positive=True)
    >>> xlogy(x, y).diff(y), xlogy(0, y)
    (x/y, 0)
    """

    nargs = 2

    @classmethod
    def eval(cls, x: Any, y: Any) -> Any:
        """Know the value at x = 0 and at y = 1."""
        return sp.S.Zero if x.is_zero or y == 1 else None

    def definition(self) -> Any:
        """Return x log(y)."""
        return self.args[0] * sp.log(self.args[1])

    def fdiff(self, argindex: int = 1) -> Any:
        """Return log(y) by x, and x/y by y."""
        x, y = self.args
        return {1: sp.log(y), 2: x / y}[argindex]

    def _latex(self, printer: Any, exp: Any = None) -> str:
        text = printer._print(self.args[0] * sp.log(self.args[1], evaluate=False))
        return text if exp is None else rf"\left({text}\right)^{{{exp}}}"

    def _numpycode(self, printer: Any, **_: Any) -> str:
        x, y = map(printer._print, self.args)
        return f"(lambda _x, _y: _x*numpy.log(numpy.where(_x == 0, 1.0, _y)))({x}, {y})"

    _scipycode = _numpycode


class logsumexp(_OfSeveral):
    """The logarithm of a sum of exponentials, computed without overflow.

    >>> a, b, c = sp.symbols("a b c", real=True)
    >>> logsumexp(a, b).diff(a), logsumexp(a, b, c).diff(a)
    (sigmoid(a - b), exp(a - logsumexp(a, b, c)))
    """

    def definition(self) -> Any:
        """Return log(exp(a) + exp(b) + ...)."""
        return sp.log(sp.Add(*map(sp.exp, self.args)))

    def fdiff(self, argindex: int = 1) -> Any:
        """Return the softmax of that argument; of two it is a logistic function."""
        own = self.args[argindex - 1]
        if len(self.args) == 2:
            return functions.sigmoid(2 * own - self.args[0] - self.args[1])
        return sp.exp(own - self)

    def _latex(self, printer: Any, exp: Any = None) -> str:
        body = " + ".join(f"e^{{{printer._print(arg)}}}" for arg in self.args)
        power = "" if exp is None else f"^{{{exp}}}"
        return rf"\log{power}\left({body}\right)"

    def _numpycode(self, printer: Any, **_: Any) -> str:
        given = ", ".join(map(printer._print, self.args))
        return f"numpy.logaddexp.reduce(({given}))"

    _scipycode = _numpycode
