r"""The LaTeX of expressions, in the order in which people write them.

SymPy sorts the terms of a sum before anyone can see them, and prints `b + w x`
and `-y + a`. This printer orders by role (weight times input plus bias,
prediction minus target, adjoint before local derivative). Where no roles are
declared it uses a heuristic: positive terms before negative ones, products
before single symbols before numbers; in products the order of the chain rule.

Names follow their labels: `W1` of layer 1 prints as `W^{(1)}`, its gradient as
`\frac{\partial L}{\partial W^{(1)}}`. Names that the engine made up can be
written out while printing, without building the written-out expression.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import sympy as sp
from sympy.matrices.expressions.matexpr import MatrixElement

from symgrad import functions
from symgrad.algebra import split_coefficient as _split
from symgrad.formats.indices import Indices
from symgrad.formats.naming import Naming, names_of
from symgrad.formats.nodes import Nodes
from symgrad.formats.order import (
    RANKS,
    degree,
    is_negative,
    is_product,
    norm_of,
    paren,
    shape_rank,
    tidied,
    without_one,
)
from symgrad.formats.products import Products
from symgrad.formats.signs import function_name, number
from symgrad.graph import Graph
from symgrad.matrices import Broadcast, Elementwise, SumEntries, SumRows, entry_symbols
from symgrad.operations.parts import Slice

_SPECIAL = {
    sp.exp: "e^{@}",
    sp.Abs: r"\left\lvert @ \right\rvert",
    sp.Max: r"\max@",
    sp.Min: r"\min@",
    sp.floor: r"\left\lfloor @ \right\rfloor",
    sp.ceiling: r"\left\lceil @ \right\rceil",
}


#: Scalars made of whole matrices: they come after the constants that they are multiplied by.
WHOLES = (SumEntries, sp.Trace, sp.Determinant, sp.Sum)


class Printer(Products, Nodes, Naming, Indices):
    """Print expressions of one graph.

    Args:
        graph: Its labels name the symbols, its inputs tell which entries count from where.
        written: Symbols to print as the expressions that they stand for.
        like: A printer whose names for symbols are to be used, else the graph's own.
    """

    printmethod = "_no_method_of_its_own"

    def __init__(
        self, graph: Graph, written: Mapping[Any, Any] | None = None, like: Naming | None = None
    ) -> None:
        super().__init__()
        self.graph = graph
        self.written = dict(written or {})
        self.variables = {v.symbol: v for v in graph.inputs}
        self.names = like.names if like else names_of(graph)
        self.has_e = like.has_e if like else "e" in self.names.values()
        self.letters = like.letters if like else {}

    def _print_Symbol(self, expr: Any, style: str = "plain") -> str:
        return self._print(self.written[expr]) if expr in self.written else self.name(expr)

    _print_MatrixSymbol = _print_Symbol
    _print_Dummy = _print_Symbol

    def seen(self, expr: Any) -> Any:
        """Return what is printed for an expression: what a written-out name stands for."""
        while expr in self.written:
            expr = self.written[expr]
        if isinstance(expr, sp.Transpose):
            inner = self.seen(expr.arg)
            return self.seen(inner.arg) if isinstance(inner, sp.Transpose) else expr
        return tidied(expr) if isinstance(expr, (sp.Sum, Broadcast)) else expr

    # ----------------------------------------------------------------- order

    def _roles(self, expr: Any) -> set[str]:
        found = {expr} if not expr.args else expr.free_symbols
        entries = expr.atoms(sp.MatrixSymbol) if expr.args else set()
        known = {self.graph.label(symbol).role for symbol in found | entries}
        for symbol in found & self.written.keys():
            known |= self._roles(self.written[symbol])
        return known

    def _rank(self, expr: Any) -> int:
        """Rank a factor: adjoints, residuals, weights, activations, inputs."""
        roles = self._roles(expr)
        if isinstance(self.seen(expr), (sp.Add, sp.MatAdd)) and {"prediction", "target"} <= roles:
            return 1
        return min((RANKS.get(role, 3) for role in roles), default=3)

    def _ordered_factors(self, factors: list[Any]) -> list[Any]:
        seen = [self.seen(factor) for factor in factors]
        residual = any(shape_rank(shown) == 0 for shown in seen)

        def key(factor: Any) -> tuple[Any, ...]:
            shown = self.seen(factor)
            # Beside a sum such as a residual, single symbols come last: 2 (a - y) (1 - a^2) x.
            form = 3 if residual and not shown.args else shape_rank(shown)
            whole = isinstance(shown, WHOLES)
            return (not shown.is_number, whole, self._rank(factor), form)

        return sorted(factors, key=key)

    def _ordered_terms(self, terms: list[Any]) -> list[Any]:
        others = [shown for shown in map(self.seen, terms) if not shown.is_number]
        exponentials = bool(others) and all(isinstance(shown, sp.exp) for shown in others)

        def key(term: Any) -> tuple[Any, ...]:
            role = max((RANKS.get(r, 3) for r in self._roles(term)), default=3)
            weightless = 0 if "weight" in self._roles(term) else 1
            shown = self.seen(term)
            # Beside exponentials alone a number comes first, 1 + e^{-z}.
            number = bool(shown.is_number) if not exponentials else not shown.is_number
            last = role if role >= RANKS["target"] and weightless else 0
            return (self._negative(shown), number, last, -degree(shown))

        return sorted(terms, key=key)

    # ------------------------------------------------------------------ sums

    def _negative(self, expr: Any) -> bool:
        """Tell whether a minus sign stands in front, signs of what is written out counted."""
        shown = self.seen(expr)
        if isinstance(shown, sp.Mul):
            parts = (arg for arg in shown.args if self._signed(arg))
            return sum(self._negative(part) for part in parts) % 2 == 1
        return is_negative(shown)

    def _signed(self, factor: Any) -> bool:
        shown = self.seen(factor)
        return isinstance(shown, sp.Mul) or bool(shown.is_Number)

    def _signed_sum(self, terms: list[Any]) -> str:
        text = ""
        for term in terms:
            negative = self._negative(term)
            shown = self._print(-self.seen(term) if negative else term)
            if negative and isinstance(-self.seen(term), (sp.Add, sp.MatAdd)):
                shown = paren(shown)
            if not text:
                text = f"-{shown}" if negative else shown
            else:
                text += f" {'-' if negative else '+'} {shown}"
        return text

    def _print_Add(self, expr: Any, order: Any = None) -> str:
        return self._signed_sum(self._ordered_terms(list(expr.args)))

    def _print_MatAdd(self, expr: Any) -> str:
        terms = sorted(expr.args, key=lambda term: is_negative(self.opened(term)))
        text = ""
        for term in terms:
            coefficient, rest = _split(self.opened(term))
            negative = is_negative(coefficient)
            size = -coefficient if negative else coefficient
            shown = self._scaled(size, rest, subtracted=negative)
            sign = "-" if negative else "+" if text else ""
            text += f" {sign} {shown}" if text else f"{sign}{shown}"
        return text

    # ---------------------------------------------------------------- powers

    def _raised(self, base: Any, exponent: str) -> str:
        shown = self.seen(base)
        if isinstance(shown, Elementwise) and isinstance(shown.function.expr, sp.Function):
            return self._entrywise(shown)._applied(shown.function.expr, exponent)
        text = self._print(base)
        atom = not shown.args or isinstance(shown, (sp.MatrixSymbol, MatrixElement))
        if not atom or "^" in text or r"\frac" in text:
            text = paren(text)
        return f"{text}^{{{exponent}}}"

    def _print_Pow(self, expr: Any) -> str:
        base, exponent = expr.args
        shown = self.seen(base)
        base_of_norm = norm_of(shown, self.seen)
        named = isinstance(shown, SumEntries) or not exponent.is_Integer
        if base_of_norm is not None and named and exponent.is_Rational and exponent > 0:
            return self._norm(base_of_norm, 2 * exponent)
        if exponent == sp.Rational(1, 2):
            return rf"\sqrt{{{self._print(base)}}}"
        if is_negative(exponent):
            return rf"\frac{{1}}{{{self._print(base**-exponent)}}}"
        if isinstance(shown, sp.Function) and exponent.is_Integer and len(shown.args) == 1:
            return self._applied(shown, str(exponent))
        return self._raised(base, self._print(exponent))

    def _norm(self, matrix: Any, exponent: Any) -> str:
        mark = "" if matrix.shape[1] == 1 else "_F"
        power = "" if exponent == 1 else f"^{self._print(exponent)}"
        power = power if len(power) < 3 else f"^{{{self._print(exponent)}}}"
        return rf"\left\lVert {self._print(matrix)} \right\rVert{mark}{power}"

    def _print_HadamardPower(self, expr: Any) -> str:
        return self._raised(expr.base, rf"\odot {self._exponent(expr.exp)}")

    def _exponent(self, exponent: Any) -> str:
        """Print an exponent after the sign of an entrywise power."""
        text, shown = self._print(exponent), self.seen(exponent)
        sums = (sp.Add, sp.Mul, sp.MatAdd, sp.MatMul, sp.HadamardProduct, Elementwise)
        loose = isinstance(shown, sums) or is_negative(exponent)
        return paren(text) if loose else text

    def _print_Inverse(self, expr: Any) -> str:
        return self._raised(expr.arg, "-1")

    def _print_Transpose(self, expr: Any) -> str:
        inner = self.seen(expr.arg)
        if isinstance(inner, SumRows):
            return f"{self._transposed(inner.matrix)} \\mathbf{{1}}"
        return self._transposed(expr.arg)

    def _transposed(self, matrix: Any) -> str:
        shown, text = self.seen(matrix), str(self._print(matrix))
        if isinstance(shown, sp.Transpose):
            return str(self._print(shown.arg))
        if isinstance(shown, sp.Inverse):
            return self._raised(shown.arg, r"-\top")
        # The transpose mark joins a layer mark: two superscripts would not compile.
        if isinstance(shown, (sp.MatrixSymbol, Slice)) and r"\frac" not in text:
            if text.endswith(")}") and "^{(" in text and self.profile.joined:
                return text[:-1] + r"\top}"
            if "^" not in text:
                return rf"{text}^{{\top}}"
        return rf"{paren(text)}^{{\top}}"

    # ------------------------------------------------------------- functions

    def _print_Function(self, expr: Any, exp: Any = None) -> str:
        return self._applied(expr, exp)

    def _applied(self, expr: Any, power: Any = None) -> str:
        if isinstance(expr, functions.step):
            return self._bracket(expr, power)
        if isinstance(expr, sp.exp) and self._exp_is_a_word(expr):
            raised = "" if power is None else f"^{{{power}}}"
            return rf"\exp{raised}" + paren(self._print(expr.args[0]))
        special = _SPECIAL.get(type(expr))
        if special is not None:
            inner = ", ".join(map(self._print, self._ordered_arguments(expr)))
            text = special.replace("@", paren(inner) if special.endswith("@") else inner)
            return text if power is None else f"{paren(text)}^{{{power}}}"
        if isinstance(expr, sp.polygamma):
            return str(self._print_polygamma(expr, power))
        entry = functions.entry_of(expr.func)
        name = entry.latex if entry else function_name(expr)
        raised = "" if power is None else f"^{{{power}}}"
        return name + raised + paren(", ".join(self._print(arg) for arg in expr.args))

    def _exp_is_a_word(self, expr: Any) -> bool:
        """Tell whether to write exp(x): e^x would be a power of a variable named e."""
        return self.has_e

    def _print_Exp1(self, expr: Any) -> str:
        return r"\exp(1)" if self.has_e else "e"

    @staticmethod
    def _ordered_arguments(expr: Any) -> list[Any]:
        return sorted(expr.args, key=lambda a: (not a.is_number, sp.default_sort_key(a)))

    def _print_polygamma(self, expr: Any, exp: Any = None) -> str:
        order, value = expr.args
        name = r"\psi" if order == 0 else rf"\psi^{{({self._print(order)})}}"
        text = name + paren(self._print(value))
        return text if exp is None else f"{paren(text)}^{{{exp}}}"

    def _print_Float(self, expr: Any) -> str:
        return number(float(expr))

    def _bracket(self, expr: Any, power: Any) -> str:
        # Iverson's bracket is one where the condition holds, else zero; so are its powers.
        inside = expr.args[0]
        terms = list(inside.args) if isinstance(inside, sp.Add) else [inside]
        less = [-term for term in terms if is_negative(term)]
        more = [term for term in terms if not is_negative(term)]
        left, right = (self._print(sp.Add(*part)) for part in (more, less))
        return f"[{left} > {right}]" if more else f"[{right} < 0]"

    def _print_KroneckerDelta(self, expr: Any, exp: Any = None) -> str:
        left, right = map(self._print, expr.args[:2])
        return f"[{left} = {right}]"

    def _print_Max(self, expr: Any, exp: Any = None) -> str:
        return self._applied(expr, exp)

    _print_Min = _print_Abs = _print_ExpBase = _print_floor = _print_ceiling = _print_Max
    _print_log = _print_gamma = _print_loggamma = _print_Max

    # -------------------------------------------------------------- matrices

    def _entrywise(self, expr: Any) -> Printer:
        inside = dict(zip(entry_symbols(len(expr.matrices)), expr.matrices, strict=True))
        return _Entrywise(self, {**self.written, **inside}, set(inside))

    def _print_Elementwise(self, expr: Any) -> str:
        return str(self._entrywise(expr)._print(expr.function.expr))


class _Entrywise(Printer):
    """Print the body of an elementwise function over matrices: products are entrywise."""

    def __init__(self, outer: Printer, written: Mapping[Any, Any], entries: set[Any]) -> None:
        super().__init__(outer.graph, written, outer)
        self.entries = entries

    def _is_matrix(self, expr: Any) -> bool:
        return bool(self.entries & (expr.free_symbols | {expr}))

    def _print_Mul(self, expr: Any) -> str:
        if is_negative(expr):
            return "-" + self._factor(-expr) if expr != -1 else "-1"
        factors = [f for f in expr.args if self._is_matrix(f)]
        scalars = [f for f in expr.args if not self._is_matrix(f)]
        over: list[Any] = []
        under: list[Any] = []
        several = len(factors) > 1
        for factor in self._ordered_factors(factors):
            divides = several and isinstance(factor, sp.Pow) and is_negative(factor.exp)
            divides = divides and factor.exp.is_Integer
            (under if divides else over).append(factor.base**-factor.exp if divides else factor)
        body = r" \odot ".join(self._entry_factor(f, several=several) for f in over) or "1"
        if under:
            below = r" \odot ".join(self._entry_factor(f, several=True) for f in under)
            body = rf"{body} \oslash {paren(below) if len(under) > 1 else below}"
        if not scalars:
            return body
        lead = super()._print_Mul(sp.Mul(*scalars)) if len(scalars) > 1 else self._print(scalars[0])
        return f"{lead} {paren(body) if len(factors) > 1 else without_one(body)}"

    def _entry_factor(self, factor: Any, *, several: bool) -> str:
        """Print a factor, among others or behind a division sign with products in brackets."""
        text, shown = self._print(factor), self.seen(factor)
        loose = isinstance(shown, (sp.Add, sp.MatAdd, sp.MatMul)) or is_negative(shown)
        return paren(text) if loose or (several and is_product(shown)) else text

    def _print_Pow(self, expr: Any) -> str:
        if not self._is_matrix(expr):
            return super()._print_Pow(expr)
        base, exponent = expr.args
        if exponent == -1:
            return rf"1 \oslash {self._entry_factor(base, several=True)}"
        if isinstance(base, sp.Function) and exponent.is_Integer and exponent > 0:
            return self._applied(base, rf"\odot {exponent}")
        return self._raised(base, rf"\odot {self._exponent(exponent)}")

    def _exp_is_a_word(self, expr: Any) -> bool:
        return self.has_e or self._is_matrix(expr)
