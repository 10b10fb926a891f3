"""What a proof is made of: rules, steps, and the derivation that they compose to.

Everything here is frozen data without a string of LaTeX; printing lives in
`symgrad.formats`. A step keeps its factors apart from their product, because
SymPy evaluates products as they are built and a reader wants to see the factors.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import sympy as sp

from symgrad.errors import UnsupportedError, unknown
from symgrad.files import check_place, write
from symgrad.graph import Graph


@dataclass(frozen=True)
class Rule:
    """A rule of differentiation, in the form in which reverse accumulation applies it.

    Attributes:
        name: Its name in textbooks, "product rule".
        law: What it says, in one line.
        reason: Why it holds, in one line.
        example: Builds an expression that the tests differentiate by it.
        pull: From a node and its adjoint to contributions to the adjoints of its children.
    """

    name: str
    law: str
    reason: str
    example: Callable[[], Any]
    pull: Callable[..., Iterator[tuple[Any, Any, Any]]]


@dataclass(frozen=True, slots=True)
class Step:
    """One application of a rule.

    Attributes:
        rule: The rule.
        node: The expression that it was applied to.
        value: The name of the value of that expression, or the expression itself.
        child: The part of it whose adjoint receives the result.
        incoming: The adjoint of the node.
        local: The local derivative, the factor that the rule puts to `incoming`.
        result: The contribution to the adjoint of the child.
    """

    rule: Rule
    node: Any
    value: Any
    child: Any
    incoming: Any
    local: Any
    result: Any


@dataclass(frozen=True, slots=True)
class Contribution:
    """What one definition contributes to the adjoint of a variable that it uses.

    Attributes:
        source: The symbol of the definition.
        steps: The applied rules, from the definition's root down to the variable.
        value: The contribution, over definitions and adjoints.
    """

    source: Any
    steps: tuple[Step, ...]
    value: Any


@dataclass(frozen=True)
class Adjoint:
    """The derivative of the goal by one variable.

    Attributes:
        variable: The symbol of a definition or of an input.
        symbol: The name of the adjoint.
        contributions: The terms whose sum it is.
        value: That sum.
        kept: Whether the adjoint is a definition of the result; otherwise it is written
            out where it is used.
        rewrites: What was simplified to get from that sum to `value`: rule, before, after.
    """

    variable: Any
    symbol: Any
    contributions: tuple[Contribution, ...]
    value: Any
    kept: bool
    rewrites: tuple[Any, ...] = ()

    @property
    def total(self) -> Any:
        """The sum of the contributions, as they are before anything is simplified."""
        values = [contribution.value for contribution in self.contributions]
        if len(values) < 2:
            return values[0] if values else self.value
        return sp.MatAdd(*values) if self.variable.is_Matrix else sp.Add(*values)


@dataclass(frozen=True)
class Derivation:
    """How derivatives came about: every rule that the sweep applied, in its order.

    Attributes:
        goal: The symbol of what is differentiated.
        wrt: The symbols by which it is differentiated.
        adjoints: The adjoints in the order of the sweep, with their steps.
        result: The graph of forward and backward definitions.
        detail: What `latex` and `markdown` print unless told otherwise.
        example: The values of a worked example by the names of inputs, or None.
        reduce: Where it is of one sample of many: the loss of all is their `"mean"` or `"sum"`.
    """

    goal: Any
    wrt: tuple[Any, ...]
    adjoints: tuple[Adjoint, ...]
    result: Graph
    detail: str = "chain"
    reduce: str = ""
    example: Mapping[str, Any] | None = field(default=None, compare=False)

    @property
    def forward(self) -> tuple[Any, ...]:
        """The definitions before the sweep: pairs of a symbol and its expression."""
        swept = {adjoint.symbol for adjoint in self.adjoints}
        return tuple(d for d in self.result.definitions if d[0] not in swept)

    @property
    def steps(self) -> tuple[Step, ...]:
        """Every step, in the order in which the sweep took them."""
        return tuple(
            step for adjoint in self.adjoints for c in adjoint.contributions for step in c.steps
        )

    def latex(self, *, document: bool = True, detail: str | None = None) -> str:
        """Print as LaTeX: a whole document, or with `document=False` the body alone."""
        from symgrad.formats import latex

        return latex.derivation(self, document=document, detail=detail or self.detail)

    def markdown(self, *, detail: str | None = None) -> str:
        """Print as Markdown with formulas between `$$`."""
        from symgrad.formats import markdown

        return markdown.derivation(self, detail=detail or self.detail)

    def html(self, *, detail: str | None = None) -> str:
        """Print as one HTML page with MathML; needs math-core, the extra `html`."""
        from symgrad.formats import html

        return html.derivation(self, detail=detail or self.detail)

    def notebook(self, *, detail: str | None = None) -> str:
        """Print as a Jupyter notebook: the text, and NumPy code that checks the gradients."""
        from symgrad.formats import notebook

        return notebook.derivation(self, detail=detail or self.detail)

    def check(self) -> Any:
        """Prove every line from what is printed; see `symgrad.formats.proof`.

        Returns:
            A `Proof`: true if every line holds; `.lines` has them, `.failing` those that are
            wrong, and `.explain()` says it in words. A line that is not read back from its LaTeX
            has the status `"unread"`.
        """
        return self._proof

    @cached_property
    def _proof(self) -> Any:
        from symgrad.formats import proof

        return proof.check(self)

    def save(self, path: str | Path, *, check: bool = True) -> Path:
        """Write the derivation; the format follows from the name's ending.

        Args:
            path: It ends in `.tex`, `.pdf` (needs pdflatex), `.md`, `.html` (needs math-core) or
                `.ipynb`.
            check: Do not write a derivation of which a line is wrong.

        Raises:
            OptionError: Another ending, or the file cannot be written.
            UnsupportedError: What the format needs is missing; or a line is wrong.
        """
        path = Path(path)
        formats: dict[str, Callable[[], str | bytes]] = {
            ".tex": self.latex,
            ".pdf": self._pdf,
            ".md": self.markdown,
            ".html": self.html,
            ".ipynb": self.notebook,
        }
        if path.suffix not in formats:
            raise unknown("format", path.suffix or str(path), formats)
        check_place(path)
        failing = self.check().failing if check else ()
        if failing:
            line = failing[0]
            raise UnsupportedError(
                f"a line of this derivation does not hold, and it is not written: {line.words()}; "
                "this is a fault of symgrad's, please report it"
            )
        return write(path, formats[path.suffix]())

    def _pdf(self) -> bytes:
        from symgrad.formats import pdf

        return pdf.derivation(self, detail=self.detail)

    def _repr_markdown_(self) -> str:
        return self.markdown()


#: How much a derivation prints.
DETAILS = ("result", "chain", "full")


def check_detail(detail: str) -> None:
    """Raise an OptionError for an unknown detail.

    >>> check_detail("chain")
    """
    if detail not in DETAILS:
        raise unknown("detail", detail, DETAILS)


def replay(step: Step) -> Any:
    """Apply a step's rule again to its node and return the contribution that comes out.

    Raises:
        UnsupportedError: The rule does not give the child of the step anything.
    """
    pulled = step.rule.pull(step.node, step.incoming, step.value, {step.child})
    for child, result, local in pulled:
        # The child may occur twice, as in A B A: the local derivative tells which one is meant.
        if child == step.child and local == step.local:
            return result
    raise UnsupportedError(f"`{step.rule.name}` gives nothing to `{step.child}`")
