"""Rewrite rules and the engine that applies them; the stable spellings of formulas.

A `Rewrite` says the same in another form; its law and its example are tested
numerically and exactly, as those of derivative rules are. At every node the
cheapest of all forms that the rules offer is taken, and only if it is cheaper
than what stood there: so the result does not depend on the order of the rules,
rewriting it again changes nothing, and the engine ends.

The rules of this room recognise what has a numerically stable form, such as
log(1 + exp(z)), while an expression is read in: printed it looks as before,
compiled it does not overflow.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

import sympy as sp

from symgrad import functions, trees
from symgrad.functions import several
from symgrad.matrices import ENTRY, Broadcast, Elementwise
from symgrad.softmax import LogSoftmax, Softmax


@dataclass(frozen=True)
class Facts:
    """What is known of symbols.

    Attributes:
        normal: Pairs of a matrix symbol and an axis along which its entries sum to one.
        sums: Tuples of scalars that sum to one.
        symmetric: Matrix symbols that equal their transposes.
        orthogonal: Matrix symbols whose columns are orthonormal.
        positive: Matrix symbols whose entries are all greater than zero.
        sources: For definitions of which something is known: pairs of the definition's symbol and
            of a variable from which that follows; a definition without one is so in any case.
        defined: The symbols of these definitions.
    """

    normal: frozenset[tuple[Any, int]] = frozenset()
    sums: tuple[tuple[Any, ...], ...] = ()
    symmetric: frozenset[Any] = frozenset()
    orthogonal: frozenset[Any] = frozenset()
    positive: frozenset[Any] = frozenset()
    sources: frozenset[tuple[Any, Any]] = frozenset()
    defined: frozenset[Any] = frozenset()

    @property
    def tied(self) -> frozenset[Any]:
        """The variables whose entries do not vary one by one."""
        sums = {symbol for group in self.sums for symbol in group}
        known = frozenset({s for s, _ in self.normal} | sums) | self.symmetric | self.orthogonal
        return known - self.defined

    def ties(self, expression: Any) -> frozenset[Any]:
        """Return the tied variables that occur in an expression, or from which it is known."""
        used = trees.symbols(expression)
        return (self.tied & used) | {source for symbol, source in self.sources if symbol in used}


#: No facts at all.
NOTHING = Facts()


@dataclass(frozen=True)
class Rewrite:
    """One way to write the same differently.

    Attributes:
        name: What a derivation calls it.
        law: What it says, in one line.
        heads: The classes of nodes to which it may apply.
        example: Builds an expression (and the facts it needs) to which it does apply.
        apply: From a node and facts to the new form, or None.
        tied: Whether it holds only while what is known of the variables does, so that its result
            cannot be differentiated by them.
    """

    name: str
    law: str
    heads: tuple[type, ...]
    example: Callable[[], tuple[Any, Facts]]
    apply: Callable[[Any, Facts], Any]
    tied: bool = False

    def __hash__(self) -> int:
        return hash(self.law)


@dataclass
class Registry:
    """Rewrites by the class of the node to which they apply."""

    rules: list[Rewrite] = field(default_factory=list)

    def rule(
        self,
        *heads: type,
        name: str,
        law: str,
        example: Callable[[], Any],
        tied: bool = False,
    ) -> Callable[[Any], Any]:
        """Register a rewrite (a decorator)."""

        def register(apply: Any) -> Any:
            def made() -> tuple[Any, Facts]:
                built = example()
                return built if isinstance(built, tuple) else (built, Facts())

            self.rules.append(Rewrite(name, law, heads, made, apply, tied))
            return apply

        return register

    @property
    def heads(self) -> tuple[type, ...]:
        """The classes of nodes to which any rule may apply."""
        return tuple({head: None for rule in self.rules for head in rule.heads})


#: An applied rewrite: the rule, the node before, the node after.
Applied = tuple[Rewrite, Any, Any]


def rewrite(
    expression: Any,
    rules: Iterable[Rewrite],
    facts: Facts = NOTHING,
    settled: set[Any] | None = None,
) -> tuple[Any, tuple[Applied, ...]]:
    """Rewrite an expression until no rule offers a cheaper form.

    Args:
        expression: A scalar or a matrix expression.
        rules: The rules that may be applied.
        facts: What is known of its symbols.
        settled: Nodes to which no rule applies by these facts; those that are found are added.

    Returns:
        The new expression, and what was applied, in order.
    """
    concerned = _by_class(tuple(rules))
    applied: list[Applied] = []
    settled = set() if settled is None else settled
    while True:
        done: dict[Any, Any] = {}
        changed = False
        for node in trees.nodes(expression):
            below = trees.children(node)
            built = trees.remade(node, [done[child] for child in below], below) if below else node
            own = concerned[type(built)]
            if own and built not in settled:
                best = _cheapest(built, own, facts)
                if best is not None:
                    applied.append((best[0], built, best[1]))
                    built, changed = best[1], True
                else:
                    settled.add(built)
            done[node] = built
        expression = done[expression]
        if not changed:
            return expression, tuple(applied)


def _cheapest(node: Any, rules: Iterable[Rewrite], facts: Facts) -> tuple[Rewrite, Any] | None:
    """Return the rule that offers the cheapest form of a node, and that form, if it is cheaper."""
    offers = []
    for rule in rules:
        new = rule.apply(node, facts)
        if new is not None and new != node:
            offers.append((cost(new), rule, new))
    if not offers:
        return None
    least = min(price for price, _, _ in offers)
    if least >= cost(node):
        return None
    best = [(rule, new) for price, rule, new in offers if price == least]
    if len(best) == 1:
        return best[0]
    return min(best, key=lambda offer: (sp.srepr(offer[1]), offer[0].name))


#: Classes of scalars of which SymPy derives its sums and products of matrices.
_SCALARS = (sp.Add, sp.Mul, sp.Pow)


class _Concerned(dict[type, tuple[Rewrite, ...]]):
    """Of some rules those that are of a class of nodes, found when they are first asked for."""

    def __init__(self, rules: tuple[Rewrite, ...]) -> None:
        super().__init__()
        self._rules = rules

    def __missing__(self, kind: type) -> tuple[Rewrite, ...]:
        found = self[kind] = tuple(rule for rule in self._rules if _concerns(rule, kind))
        return found


@lru_cache(maxsize=64)
def _by_class(rules: tuple[Rewrite, ...]) -> _Concerned:
    return _Concerned(rules)


def _concerns(rule: Rewrite, kind: Any) -> bool:
    """Tell whether a rule is of such nodes: one of scalar sums is not of sums of matrices."""
    matched = [head for head in rule.heads if issubclass(kind, head)]
    return bool(matched) and not (kind.is_Matrix and all(head in _SCALARS for head in matched))


def cost(expression: Any) -> float:
    """Count what a reader has to read: symbols, operations, functions.

    >>> x = sp.Symbol("x")
    >>> cost(x + 1) < cost(sp.log(1 + sp.exp(x)))
    True
    """
    return _price(expression)


@trees.by_identity
def _price(expression: Any) -> float:
    prices: dict[Any, float] = {}
    for node in trees.postorder(expression, (sp.Lambda,)):
        if isinstance(node, sp.Lambda):
            # The same few functions are taken of the entries of many matrices.
            below = _price(node.expr)
        else:
            below = sum([prices[child] for child in _read(node)])
        prices[node] = _own_price(node) + below
    return prices[expression]


def _read(node: Any) -> tuple[Any, ...]:
    """Return the children that a reader reads: not the sizes of what is repeated."""
    if isinstance(node, (sp.OneMatrix, sp.ZeroMatrix, sp.Identity)):
        return ()
    below = trees.children(node)
    return below[:1] if isinstance(node, (Broadcast, Softmax, LogSoftmax)) else below


def _own_price(node: Any) -> float:
    if node.is_Symbol or isinstance(node, (sp.MatrixSymbol, sp.Indexed)):
        return 0.5 if isinstance(node, sp.Dummy) else 1.0
    if node.is_Number:
        return 0.5 if abs(node) == 1 else 1.0
    if isinstance(node, (sp.Add, sp.Mul, sp.MatAdd, sp.MatMul, sp.HadamardProduct)):
        return len(node.args) - 1.0
    if isinstance(node, Elementwise):
        return 1.0 + 3.0 * (len(node.matrices) - 1)
    if isinstance(node, functions.ScalarFunctionBase):
        # Its definition is longer, or it would not have a name.
        return 1.0
    if isinstance(node, (Softmax, LogSoftmax, sp.OneMatrix, sp.ZeroMatrix, sp.Identity)):
        return 1.0
    # A transpose is simpler than an inverse.
    return 3.0 if isinstance(node, sp.Inverse) else 2.0


# ----------------------------------------------------------------- spellings

#: The rules that are applied while an expression is read in.
SPELLINGS = Registry()


def _x() -> Any:
    return sp.Symbol("x", real=True)


def _exponent(term: Any) -> Any:
    """Return u of exp(u), or None."""
    return term.args[0] if isinstance(term, sp.exp) else None


def _one_plus_exp(node: Any) -> Any:
    """Return u of 1 + exp(u), or None."""
    if not isinstance(node, sp.Add) or len(node.args) != 2 or node.args[0] != 1:
        return None
    return _exponent(node.args[1])


@SPELLINGS.rule(
    sp.log,
    name="softplus",
    law="log(1 + exp(u)) = softplus(u)",
    example=lambda: sp.log(1 + sp.exp(2 * _x())),
)
def _softplus(node: Any, facts: Facts) -> Any:
    u = _one_plus_exp(node.args[0])
    return None if u is None else functions.log1pexp(u)


@SPELLINGS.rule(
    sp.Pow,
    name="logistic function",
    law="1/(1 + exp(-u)) = sigma(u)",
    example=lambda: 1 / (1 + sp.exp(-_x())),
)
def _logistic(node: Any, facts: Facts) -> Any:
    u = _one_plus_exp(node.base)
    if u is None or not node.exp.is_Integer or node.exp >= 0:
        return None
    return functions.sigmoid(-u) ** -node.exp


@SPELLINGS.rule(
    sp.Mul,
    name="logistic function",
    law="exp(u)/(1 + exp(u)) = exp(u) sigma(-u) = sigma(u)",
    example=lambda: sp.exp(_x()) * functions.sigmoid(-_x()),
)
def _logistic_quotient(node: Any, facts: Facts) -> Any:
    args = list(node.args)
    for factor in args:
        base, often = factor.as_base_exp()
        if not isinstance(base, functions.sigmoid) or not often.is_Integer or often < 1:
            continue
        # exp(u) sigma(-u)^k = sigma(u) sigma(-u)^(k - 1)
        for other in args:
            u = _exponent(other)
            if u is not None and sp.expand(u + base.args[0]) == 0:
                rest = [arg for arg in args if arg is not factor and arg is not other]
                return sp.Mul(*rest, functions.sigmoid(u), base ** (often - 1))
    return None


@SPELLINGS.rule(
    sp.Mul,
    name="hyperbolic tangent",
    law="(exp(a) - exp(b))/(exp(a) + exp(b)) = tanh((a - b)/2)",
    example=lambda: (sp.exp(_x()) - sp.exp(-_x())) / (sp.exp(_x()) + sp.exp(-_x())),
)
def _hyperbolic_tangent(node: Any, facts: Facts) -> Any:
    for over in node.args:
        for under in node.args:
            difference, total = _exponentials(over), _exponentials(_inverse_of(under))
            if len(difference) != 2 or difference.keys() != total.keys():
                continue
            (a, first), (b, second) = difference.items()
            if first == -second and total[a] == total[b]:
                rest = [arg for arg in node.args if arg is not over and arg is not under]
                return sp.Mul(*rest, first / total[a], sp.tanh((a - b) / 2))
    return None


def _inverse_of(factor: Any) -> Any:
    """Return u of 1/u, and 1 + exp(-u) of sigma(u)."""
    if isinstance(factor, functions.sigmoid):
        return 1 + sp.exp(-factor.args[0])
    return factor.base if isinstance(factor, sp.Pow) and factor.exp == -1 else sp.S.Zero


def _exponentials(total: Any) -> dict[Any, Any]:
    """Return the numbers c by the exponents u of a sum of c exp(u), or nothing if it is none."""
    found: dict[Any, Any] = {}
    for term in sp.Add.make_args(total):
        coefficient, rest = term.as_coeff_Mul()
        exponent = sp.S.Zero if rest == 1 else _exponent(rest)
        if exponent is None or coefficient == 0:
            return {}
        found[exponent] = found.get(exponent, sp.S.Zero) + coefficient
    return found


@SPELLINGS.rule(
    sp.log,
    name="logarithm of a sum of exponentials",
    law="log(exp(a) + c exp(b)) = logsumexp(a, b + log(c)), which does not overflow",
    example=lambda: sp.log(sp.exp(_x()) + 2 * sp.exp(3 * _x())),
)
def _log_of_exponentials(node: Any, facts: Facts) -> Any:
    parts = _exponentials(node.args[0])
    if len(parts) < 2 or not all(c.is_positive for c in parts.values()):
        return None
    return several.logsumexp(*(u + sp.log(c) for u, c in parts.items()))


@SPELLINGS.rule(
    sp.log,
    name="logarithm of the hyperbolic cosine",
    law="log(cosh(u)) does not overflow as a function of its own",
    example=lambda: sp.log(sp.cosh(2 * _x())),
)
def _log_cosh(node: Any, facts: Facts) -> Any:
    below = node.args[0]
    return functions.log_cosh(below.args[0]) if isinstance(below, sp.cosh) else None


@SPELLINGS.rule(
    sp.log,
    name="logarithm of the logistic function",
    law="log(sigma(u)) keeps its digits where sigma(u) underflows",
    example=lambda: sp.log(functions.sigmoid(_x())),
)
def _log_sigmoid(node: Any, facts: Facts) -> Any:
    below = node.args[0]
    if isinstance(below, functions.sigmoid):
        return functions.log_sigmoid(below.args[0])
    return None


@SPELLINGS.rule(
    sp.log,
    name="logarithm of the logistic function",
    law="log(1 - sigma(u)) = log(sigma(-u))",
    example=lambda: sp.log(1 - functions.sigmoid(_x())),
)
def _log_one_minus_sigmoid(node: Any, facts: Facts) -> Any:
    u = one_minus_sigmoid(node.args[0])
    return None if u is None else functions.log_sigmoid(-u)


def one_minus_sigmoid(node: Any) -> Any:
    """Return u of 1 - sigma(u), or None.

    >>> one_minus_sigmoid(1 - functions.sigmoid(sp.Symbol("u")))
    u
    """
    if not isinstance(node, sp.Add) or len(node.args) != 2 or node.args[0] != 1:
        return None
    coefficient, rest = node.args[1].as_coeff_Mul()
    return rest.args[0] if coefficient == -1 and isinstance(rest, functions.sigmoid) else None


@SPELLINGS.rule(
    Elementwise,
    name="logarithm of softmax",
    law="log(softmax(Z)) entry by entry keeps its digits where softmax(Z) underflows",
    example=lambda: Elementwise(
        sp.Lambda(ENTRY, sp.log(ENTRY)), Softmax(sp.MatrixSymbol("Z", 2, 3))
    ),
)
def _log_softmax(node: Any, facts: Facts) -> Any:
    below = node.matrices[0]
    if node.function.expr == sp.log(ENTRY) and isinstance(below, Softmax):
        return LogSoftmax(below.matrix, below.axis)
    return None


def spelled(expression: Any) -> Any:
    """Write what has a stable form in it.

    >>> spelled(sp.log(1 + sp.exp(sp.Symbol("x", real=True))))
    log1pexp(x)
    """
    return rewrite(expression, SPELLINGS.rules)[0]
