"""From expressions to NumPy source text, one expression at a time.

An emitter prints what a good engineer would write by hand: 1-D arrays stay
1-D, a bias is added by broadcasting, matrix chains are bracketed in the cheap
order, and functions come in their stable form. It never evaluates anything.
"""

from __future__ import annotations

import keyword
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import sympy as sp
from sympy.matrices.expressions.matexpr import MatrixElement

from symgrad import functions
from symgrad.errors import UnsupportedError
from symgrad.functions import several, special
from symgrad.graph.layouts import COLUMN, FULL, ROW, SCALAR
from symgrad.matrices import (
    Broadcast,
    Elementwise,
    SumColumns,
    SumEntries,
    SumRows,
    UnitMatrix,
)
from symgrad.operations import Operation, ScalarOperation
from symgrad.shapes import name_of
from symgrad.softmax import LogSoftmax, Softmax

# How tightly a text holds together, from loosest to tightest.
COMPARISON, SUM, PRODUCT, SIGN, POWER, ATOM = range(6)

#: NumPy's names of SymPy's functions, where the arguments are the same.
NUMPY_NAMES: dict[Any, str] = {
    sp.exp: "np.exp",
    sp.log: "np.log",
    sp.sin: "np.sin",
    sp.cos: "np.cos",
    sp.tan: "np.tan",
    sp.asin: "np.arcsin",
    sp.acos: "np.arccos",
    sp.atan: "np.arctan",
    sp.atan2: "np.arctan2",
    sp.sinh: "np.sinh",
    sp.cosh: "np.cosh",
    sp.tanh: "np.tanh",
    sp.asinh: "np.arcsinh",
    sp.acosh: "np.arccosh",
    sp.atanh: "np.arctanh",
    sp.Abs: "np.abs",
    sp.sign: "np.sign",
    sp.floor: "np.floor",
    sp.ceiling: "np.ceil",
    sp.Heaviside: "np.heaviside",
}

#: Functions that NumPy has as the reciprocal of another.
RECIPROCALS: dict[Any, Any] = {
    sp.sec: sp.cos,
    sp.csc: sp.sin,
    sp.cot: sp.tan,
    sp.sech: sp.cosh,
    sp.csch: sp.sinh,
    sp.coth: sp.tanh,
}

_RELATIONS = {
    sp.StrictGreaterThan: ">",
    sp.GreaterThan: ">=",
    sp.StrictLessThan: "<",
    sp.LessThan: "<=",
    sp.Equality: "==",
    sp.Unequality: "!=",
}


@dataclass(frozen=True)
class Code:
    """A piece of source.

    Attributes:
        text: The source.
        level: How tightly it holds together, `SUM` to `ATOM`.
        layout: How its value is held, see `symgrad.graph.layouts`.
        exact: Whether its value has its full shape; a scalar or a row that stands for
            a whole matrix until it is broadcast has not.
    """

    text: str
    level: int = ATOM
    layout: str = SCALAR
    exact: bool = True

    def within(self, level: int) -> str:
        """Return the text, in parentheses where it holds less tightly than `level`."""
        return self.text if self.level >= level else f"({self.text})"


def _float_text(number: Any) -> str:
    """Write a number in double precision."""
    value = float(sp.Float(number)) if not number.is_Integer else _as_float(int(number))
    if value in (float("inf"), float("-inf")):
        raise UnsupportedError(f"the number {sp.N(number, 5)} is too large for double precision")
    return repr(value)


def _as_float(number: int) -> float:
    try:
        return float(number)
    except OverflowError:
        return float("inf")


def identifiers(names: Iterable[str], reserved: Iterable[str] = ()) -> dict[str, str]:
    """Choose a Python identifier for every name: the name itself wherever that is one.

    >>> identifiers(["w", "lambda", "w_{11}^{(1)}"])
    {'w': 'w', 'lambda': 'lambda_', 'w_{11}^{(1)}': 'w_11_1'}
    """
    taken = {"np", "print", "sum", *reserved}
    chosen: dict[str, str] = {}
    for name in names:
        plain = re.sub(r"[\W_]+", "_", name, flags=re.ASCII).strip("_") or "x"
        plain = f"_{plain}" if plain[0].isdigit() else plain
        plain = name if name.isidentifier() and name.isascii() else plain
        while plain in taken or keyword.iskeyword(plain):
            plain += "_"
        taken.add(plain)
        chosen[name] = plain
    return chosen


@dataclass(frozen=True)
class Axis:
    """An index that runs along an array axis: its symbol and its first and last value."""

    index: Any
    low: Any
    high: Any


class ScalarEmitter:
    """Print expressions over named values as NumPy source.

    Args:
        names: The identifier of every symbol.
        held: How every symbol's value is held.

    Attributes:
        kernels: Names of the helper functions that the printed source calls.
        used: The symbols that the printed source mentions.
        placing: Whether what is printed is a place in an array, an integer.
        branching: Whether the source computes branches that are not taken.
    """

    def __init__(self, names: Mapping[Any, str], held: Mapping[Any, str]) -> None:
        self.names = dict(names)
        self.held = dict(held)
        self.kernels: dict[str, None] = {}
        self.used: set[Any] = set()
        self.inside: dict[Any, Code] = {}
        self.axes: tuple[Axis, ...] = ()
        self.placing = False
        self.branching = False

    def emit(self, expr: Any) -> Code:
        """Print one expression.

        Raises:
            UnsupportedError: Something that NumPy has no form for; the message names it.
        """
        if expr in self.inside:
            return self.inside[expr]
        if isinstance(expr, (sp.Symbol, sp.MatrixSymbol)):
            return self._symbol(expr)
        for head in type(expr).__mro__:
            method = _METHODS.get(head)
            if method is not None:
                return getattr(self, method)(expr)  # type: ignore[no-any-return]
        raise UnsupportedError(f"no NumPy form for `{type(expr).__name__}`, in `{expr}`")

    def text(self, expr: Any, level: int = COMPARISON) -> str:
        """Print one expression for a place that needs a level."""
        return self.emit(expr).within(level)

    def as_layout(self, expr: Any, layout: str) -> str:
        """Print an expression so that its value has its full shape, held in a layout."""
        if isinstance(expr, sp.MatrixBase) and layout == FULL:
            return self._table(expr).text
        code = self.emit(expr)
        if layout == SCALAR:
            return code.text
        if code.exact and code.layout == layout:
            return code.text
        rows, columns = expr.shape
        shape = {COLUMN: (rows,), ROW: (columns,)}.get(layout, (rows, columns))
        wanted = f"({', '.join(map(self.text, shape))}{',' if len(shape) == 1 else ''})"
        if code.layout == SCALAR:
            filling = f"{code.text}.0" if code.text.isdigit() else code.text
            return f"np.full({wanted}, {filling})"
        if code.exact:
            return f"np.reshape({code.text}, {wanted})"
        return f"np.broadcast_to({self._aligned(code, layout)}, {wanted})"

    @staticmethod
    def _aligned(code: Code, layout: str) -> str:
        if layout == FULL and code.layout == COLUMN:
            return f"{code.within(ATOM)}[:, None]"
        return code.text

    def _joined(self, parts: list[Code]) -> tuple[str, bool]:
        """Return how an elementwise combination is held, and whether it has its full shape."""
        layouts = {part.layout for part in parts} - {SCALAR}
        if not layouts:
            return SCALAR, not any(not part.exact for part in parts)
        layout = layouts.pop() if len(layouts) == 1 else FULL
        exact = any(part.exact and part.layout == layout for part in parts)
        return layout, exact

    def _table(self, expr: Any) -> Code:
        return Code(f"np.array([{', '.join(f'[{row}]' for row in self._rows(expr))}])", ATOM, FULL)

    def _rows(self, expr: Any) -> list[str]:
        rows, columns = expr.shape
        return [", ".join(self.text(expr[i, j]) for j in range(columns)) for i in range(rows)]

    # ---------------------------------------------------------------- leaves

    def _symbol(self, expr: Any) -> Code:
        for place, axis in enumerate(self.axes):
            if axis.index == expr:
                after = ", None" * (len(self.axes) - place - 1)
                # As a factor or a base an index is a real number: 2**(-i) is not an integer.
                kind = "" if self.placing else ", dtype=float"
                run = f"np.arange({self.text(axis.low)}, {self.text(axis.high + 1)}{kind})"
                return Code(f"{run}[:{after}]" if after else run)
        if expr not in self.names:
            raise UnsupportedError(f"`{name_of(expr)}` is not an input or a definition")
        self.used.add(expr)
        return Code(self.names[expr], ATOM, self.held.get(expr, SCALAR))

    def _integer(self, expr: Any) -> Code:
        number = int(expr)
        text = str(number) if abs(number) < 2**53 else _float_text(expr)
        return Code(text, ATOM if number >= 0 else SIGN)

    def _rational(self, expr: Any) -> Code:
        if max(abs(expr.p), expr.q) >= 2**53:
            return Code(_float_text(expr), ATOM if expr.p > 0 else SIGN)
        return Code(f"{int(expr.p)} / {int(expr.q)}", PRODUCT if expr.p > 0 else SUM)

    def _float(self, expr: Any) -> Code:
        return Code(_float_text(expr), ATOM if expr >= 0 else SIGN)

    def _number_symbol(self, expr: Any) -> Code:
        known = {sp.pi: "np.pi", sp.E: "np.e"}
        return Code(known.get(expr, repr(float(expr))))

    # --------------------------------------------------------------- scalars

    def _add(self, expr: Any) -> Code:
        return self._signed([(term, self._signed_part(term)) for term in expr.args])

    def _signed_part(self, term: Any) -> tuple[bool, Code]:
        coefficient, rest = term.as_coeff_Mul()
        if coefficient.is_negative:
            return True, self.emit(-coefficient if rest == 1 else sp.Mul(-coefficient, rest))
        return False, self.emit(term)

    def _signed(self, parts: list[tuple[Any, tuple[bool, Code]]]) -> Code:
        parts = sorted(parts, key=lambda part: part[1][0])
        text = ""
        for _, (negative, code) in parts:
            if not text:
                text = f"-{code.within(SIGN)}" if negative else code.within(SUM)
            else:
                text += f" - {code.within(PRODUCT)}" if negative else f" + {code.within(SUM)}"
        return Code(text, SUM, *self._joined([code for _, (_, code) in parts]))

    def _mul(self, expr: Any) -> Code:
        over: list[Code] = []
        under: list[Code] = []
        sign = ""
        for factor in expr.args:
            if factor.is_Rational:
                sign = "-" if factor.is_negative else ""
                over += [self.emit(sp.Integer(abs(factor.p)))] if abs(factor.p) != 1 else []
                under += [self.emit(sp.Integer(factor.q))] if factor.q != 1 else []
            elif isinstance(factor, sp.Pow) and factor.exp.is_Number and factor.exp.is_negative:
                under.append(self.emit(factor.base**-factor.exp))
            else:
                over.append(self.emit(factor))
        text = " * ".join(code.within(PRODUCT if k == 0 else SIGN) for k, code in enumerate(over))
        text = text or "1"
        if under:
            below = " * ".join(code.within(SIGN) for code in under)
            text += f" / ({below})" if len(under) > 1 else f" / {under[0].within(POWER)}"
        level = SUM if sign else PRODUCT
        if len(over) == 1 and not under and not sign:
            level = over[0].level
        return Code(sign + text, level, *self._joined([*over, *under]))

    def _pow(self, expr: Any) -> Code:
        base, exponent = self.emit(expr.base), expr.exp
        if exponent == sp.Rational(1, 2):
            return Code(f"np.sqrt({base.text})", ATOM, base.layout, base.exact)
        if exponent.is_Number and exponent.is_negative:
            below = self.emit(expr.base**-exponent)
            return Code(f"1 / {below.within(POWER)}", PRODUCT, below.layout, below.exact)
        raised = self.emit(
            sp.Float(exponent) if exponent.is_Rational and not exponent.is_Integer else exponent
        )
        layout = self._joined([base, raised])
        return Code(f"{base.within(ATOM)}**{raised.within(ATOM)}", POWER, *layout)

    def _function(self, expr: Any) -> Code:
        args = [self.emit(arg) for arg in expr.args]
        inner = ", ".join(code.text for code in args)
        layout = self._joined(args)
        entry = functions.entry_of(expr.func)
        if entry is not None and entry.kernel:
            self.kernels[entry.name] = None
            return Code(f"{entry.name}({inner})", ATOM, *layout)
        if expr.func in special.NAMES:
            return self._special(expr, args[-1].text, layout)
        if expr.func.__name__ in several.KERNELS:
            self.kernels[expr.func.__name__] = None
            return Code(f"{expr.func.__name__}({inner})", ATOM, *layout)
        if expr.func in RECIPROCALS:
            name = NUMPY_NAMES[RECIPROCALS[expr.func]]
            return Code(f"1 / {name}({inner})", PRODUCT, *layout)
        if expr.func not in NUMPY_NAMES:
            raise UnsupportedError(f"no NumPy form for `{expr.func}`, in `{expr}`")
        return Code(f"{NUMPY_NAMES[expr.func]}({inner})", ATOM, *layout)

    def _special(self, expr: Any, inner: str, layout: Any) -> Code:
        name = special.NAMES[expr.func]
        if isinstance(expr, sp.polygamma):
            order = expr.args[0]
            if not order.is_Integer or not 0 <= order <= special.HIGHEST_ORDER:
                highest = special.HIGHEST_ORDER
                raise UnsupportedError(
                    f"NumPy code for polygamma has an order of 0 to {highest}, not `{order}`"
                )
            name = name if order else "digamma"
            inner = f"{order}, {inner}" if order else inner
        self.kernels[name] = None
        return Code(f"{name}({inner})", ATOM, *layout)

    def _extremum(self, expr: Any) -> Code:
        name = "np.maximum" if isinstance(expr, sp.Max) else "np.minimum"
        args = [self.emit(arg) for arg in expr.args]
        text = args[0].text
        for code in args[1:]:
            text = f"{name}({text}, {code.text})"
        return Code(text, ATOM, *self._joined(args))

    def _piecewise(self, expr: Any) -> Code:
        parts = []
        text = "np.nan"
        for value, condition in reversed(expr.args):
            code = self.emit(value)
            parts.append(code)
            if condition == sp.true:
                text = code.text
            else:
                test = self.emit(condition)
                parts.append(test)
                self.branching = True
                text = f"np.where({test.text}, {code.text}, {text})"
        return Code(text, ATOM, *self._joined(parts))

    def _relation(self, expr: Any) -> Code:
        left, right = map(self.emit, expr.args)
        text = f"{left.within(SUM)} {_RELATIONS[type(expr)]} {right.within(SUM)}"
        return Code(text, COMPARISON, *self._joined([left, right]))

    def _delta(self, expr: Any) -> Code:
        left, right = map(self.emit, expr.args[:2])
        return Code(f"1.0 * ({left.within(SUM)} == {right.within(SUM)})", PRODUCT)

    def _logic(self, expr: Any) -> Code:
        parts = [self.emit(arg) for arg in expr.args]
        if isinstance(expr, sp.Not):
            text = f"np.logical_not({parts[0].text})"
            return Code(text, ATOM, parts[0].layout, parts[0].exact)
        sign = " & " if isinstance(expr, sp.And) else " | "
        text = sign.join(f"({part.text})" for part in parts)
        return Code(f"({text})", ATOM, *self._joined(parts))

    def _choice(self, expr: Any) -> Code:
        parts = [self.emit(arg) for arg in expr.args]
        text = f"np.where({', '.join(part.text for part in parts)})"
        return Code(text, ATOM, *self._joined(parts))

    def _truth(self, expr: Any) -> Code:
        return Code("True" if expr == sp.true else "False")


#: The method that prints a node, by its class; matrix nodes are printed by `products`.
_METHODS: dict[Any, str] = {
    sp.Integer: "_integer",
    sp.Rational: "_rational",
    sp.Float: "_float",
    sp.NumberSymbol: "_number_symbol",
    sp.Add: "_add",
    sp.Mul: "_mul",
    sp.Pow: "_pow",
    sp.Function: "_function",
    sp.KroneckerDelta: "_delta",
    sp.Max: "_extremum",
    sp.Min: "_extremum",
    sp.Piecewise: "_piecewise",
    sp.core.relational.Relational: "_relation",
    sp.And: "_logic",
    sp.Or: "_logic",
    sp.Not: "_logic",
    sp.ITE: "_choice",
    sp.logic.boolalg.BooleanAtom: "_truth",
    sp.Sum: "_sum",
    MatrixElement: "_element",
    sp.FunctionMatrix: "_function_matrix",
    sp.MatAdd: "_matrix_add",
    sp.MatMul: "_matrix_mul",
    sp.HadamardProduct: "_hadamard",
    sp.HadamardPower: "_hadamard_power",
    Elementwise: "_elementwise",
    Broadcast: "_broadcast",
    Softmax: "_softmax",
    LogSoftmax: "_softmax",
    sp.Transpose: "_transpose",
    SumRows: "_sum_rows",
    SumColumns: "_sum_columns",
    SumEntries: "_sum_entries",
    sp.Trace: "_trace",
    sp.Inverse: "_inverse",
    sp.Determinant: "_determinant",
    sp.MatPow: "_matrix_power",
    sp.ZeroMatrix: "_constant",
    sp.OneMatrix: "_constant",
    sp.Identity: "_constant",
    UnitMatrix: "_unit",
    Operation: "_operation",
    ScalarOperation: "_operation",
    sp.matrices.immutable.ImmutableDenseMatrix: "_explicit",
}
