"""Claims about matrices proved for every size, in index notation.

Both the gradient and the claim are written as polynomials of entries, in canonical form; see
`symgrad.verification.indexed.forms`. Names stay names, so that the cost grows with the number of
definitions; where the difference is not zero over the names, they are unfolded, the latest first.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import sympy as sp

from symgrad import bare, trees
from symgrad.errors import SymgradError
from symgrad.graph import Graph
from symgrad.matrices import Elementwise
from symgrad.shapes import name_of, shape_of
from symgrad.softmax import LogSoftmax, Softmax
from symgrad.verification.indexed.forms import GiveUp, Poly
from symgrad.verification.indexed.functions import Functions
from symgrad.verification.indexed.reading import Name, Reader

#: How often a name is unfolded, and the most terms a difference may have meanwhile.
MOST_UNFOLDED = 60
#: An elementwise function of so many terms is written for its name everywhere.
MOST_INLINED = 4
#: What an expression that is not understood may end in.
UNREADABLE = (
    *(GiveUp, SymgradError, RecursionError, ArithmeticError, LookupError),
    *(TypeError, ValueError, AttributeError, NotImplementedError),
)


def proved_for_every_size(
    graph: Graph, output: Any, lines: Sequence[tuple[str, Any]], check: Callable[[], None]
) -> bool:
    """Tell whether a claim is proved to equal an output of a graph, whatever the sizes are.

    Args:
        graph: The ordered definitions of loss and gradients.
        output: The symbol whose expression is claimed, or an expression over the graph's symbols.
        lines: The claim as ordered definitions, the claim last.
        check: Called now and then; what it raises when time is up is passed on.

    Returns:
        True only where the two are proved equal wherever both are defined, up to points where the
        argument of a step is zero. False tells nothing.

    >>> from symgrad import gradient
    >>> n, d = sp.symbols("n d", integer=True, positive=True)
    >>> X, w = sp.MatrixSymbol("X", n, d), sp.MatrixSymbol("w", d, 1)
    >>> found = gradient(sp.Trace(w.T * X.T * X * w), "w")
    >>> output = found.graph.outputs[-1]
    >>> proved_for_every_size(found.graph, output, [("", 2 * X.T * X * w)], lambda: None)
    True
    >>> proved_for_every_size(found.graph, output, [("", X.T * X * w)], lambda: None)
    False
    """
    try:
        return _Proof(graph, check).holds(output, lines)
    except UNREADABLE:
        return False


class _Proof:
    """One question: the names of a graph, and of a claim after them."""

    def __init__(self, graph: Graph, check: Callable[[], None]) -> None:
        self.forms = Functions(check)
        self.reader = Reader(self.forms, {})
        self.ordered: list[Name] = []
        for size in graph.sizes:
            self.forms.positive.add(name_of(size))
            self._declare(name_of(size), ())
        for variable in graph.inputs:
            if name_of(variable.symbol) not in self.forms.positive:
                name = self._declare(variable.name, variable.inside)
                name.origin = (*variable.origin, 0, 0)[:2]
        for symbol, expression in graph:
            self._define(name_of(symbol), expression, getattr(symbol, "shape", ()))

    def _declare(self, name: str, shape: Any) -> Name:
        made = Name(name, tuple(map(self.reader.size, shape)))
        self.reader.names[name] = made
        self.forms.inputs[name] = frozenset({name})
        return made

    def _define(self, name: str, expression: Any, shape: Any, prefix: str = "") -> Name:
        """Let a name stand for an expression; one that is not understood stays unknown."""
        made = Name(f"{prefix}{name}", tuple(map(self.reader.size, shape)))
        self.ordered.append(made)
        # What is not understood may depend on anything.
        own = frozenset({"?", *self.reader.names})
        try:
            poly = self.reader(expression)
        except UNREADABLE:
            poly = None
        if poly is not None:
            self.reader.define(made, poly)
            made.inlined = made.inlined or _is_elementwise(expression, poly)
            known = (self.forms.inputs[below] for below in self.forms.names(poly))
            own = frozenset().union(*known)
        self.forms.inputs[made.symbol] = own
        self.reader.names[name] = made
        return made

    def holds(self, output: Any, lines: Sequence[tuple[str, Any]]) -> bool:
        """Tell whether the last of the lines is proved to be the output."""
        wanted = self.reader(output)
        hidden = self.reader.names.get(name_of(output))
        if hidden is not None:
            del self.reader.names[name_of(output)]
        *before, (_, claim) = lines
        for k, (name, expression) in enumerate(before):
            self._line(k, name, _normal(expression), hidden)
        claim = _normal(claim)
        shape = shape_of(claim) or (sp.S.One, sp.S.One)
        wished = shape_of(output) or (sp.S.One, sp.S.One)
        if [*map(self.reader.size, shape)] != [*map(self.reader.size, wished)]:
            return False
        return self._vanishes(self._difference(wanted, self.reader(claim)))

    def _line(self, k: int, name: str, expression: Any, hidden: Name | None) -> None:
        """Read a line of the claim; one that is proved to be the graph's of its name is that."""
        same = self.reader.names.get(name)
        if same is None and hidden is not None and hidden.symbol == name:
            same = hidden
        made = self._define(name, expression, shape_of(expression), prefix=f"claim {k}:")
        if same is None or made.value is None or made.inlined or same.shape != made.shape:
            return
        try:
            if self._vanishes(self._difference(self.reader.atom(same), made.value)):
                made.value, made.inlined = self.reader.atom(same), True
        except GiveUp:
            return

    def _difference(self, first: Poly, second: Poly) -> Poly:
        return self.forms.add(first, self.forms.scale(-1, second))

    def _vanishes(self, poly: Poly) -> bool:
        """Tell whether a polynomial is zero, its names unfolded as far as it takes."""
        order = {name.symbol: k for k, name in enumerate(self.ordered)}
        for _ in range(MOST_UNFOLDED):
            if not poly or not self._without_divisors(poly):
                return True
            mentioned = self.forms.names(poly) & order.keys()
            known = [n for n in mentioned if self.ordered[order[n]].value is not None]
            if not known:
                return False
            latest = self.ordered[max(order[name] for name in known)]
            assert latest.value is not None
            poly = self.forms.mapped(poly, {}, {latest.symbol: latest.value})
        return False

    def _without_divisors(self, poly: Poly) -> Poly:
        """Multiply by the sums that terms are divided by, where they are the same everywhere."""
        forms = self.forms
        divisors: dict[int, int] = {}
        for powers, bound in poly:
            labels = {label for label, _ in bound}
            for fid, exponent in powers:
                if forms.factors[fid].tag == "paren" and labels.isdisjoint(forms.indices(fid)):
                    divisors[fid] = min(divisors.get(fid, 0), int(exponent))
        for fid, least in sorted(divisors.items()):
            base = forms.polys[forms.factors[fid].args[0]]
            cleared: Poly = {}
            for (powers, bound), number in poly.items():
                own = int(dict(powers).get(fid, 0))
                rest = {f: e for f, e in powers if f != fid}
                raw = forms.times(forms.power(base, own - least), rest, dict(bound))
                part = forms.collected((number * value, *more) for value, *more in raw)  # type: ignore[misc]
                cleared = forms.add(cleared, part)
            poly = cleared
        return poly


def _is_elementwise(expression: Any, poly: Poly) -> bool:
    """Tell whether a definition is a short function of the entries of names."""
    if len(poly) > MOST_INLINED or any(bound for _, bound in poly):
        return False
    kinds = (Elementwise, Softmax, LogSoftmax, sp.Function)
    leaves = (sp.Symbol, sp.MatrixSymbol, sp.Lambda)
    return isinstance(expression, kinds) and all(isinstance(a, leaves) for a in expression.args)


def _normal(expression: Any) -> Any:
    """Read a claim's expression into the form of the graph's, and check its shapes."""
    try:
        expression = trees.rebuild(bare.unified(expression), lambda node: node)
        kinds = (sp.MatrixExpr, sp.MatrixSymbol)
        if any(isinstance(node, kinds) for node in trees.postorder(expression)):
            expression = bare.normalized(expression)
        shape_of(expression)
    except UNREADABLE as error:
        raise GiveUp(str(error)) from error
    return expression
