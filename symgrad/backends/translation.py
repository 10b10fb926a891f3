"""NumPy source, as the emitter prints it, in the words of another array library.

The text stays as it is, line for line and with its comments: only what is spelled otherwise is
replaced, in place. A `Translator` knows one library. What it has no word for is refused by name.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar

from symgrad import functions
from symgrad.backends.program import BRANCHES, Program
from symgrad.errors import UnsupportedError
from symgrad.functions import several, special

#: NumPy source of helper functions in place of those that NumPy runs. An array library
#: differentiates them once more, for second derivatives: here it meets no tie of a maximum and no
#: absolute value where the function is smooth, and writes into no array.
SMOOTH: dict[str, str] = {
    "log_cosh": """\
def log_cosh(z):
    # log(1 + 2 sinh^2(z/2)) near 0, |z| + log(1 + exp(-2|z|)) - log 2 elsewhere.
    size = np.abs(z)
    near = np.log1p(2.0 * np.sinh(0.5 * np.where(size < 1.0, z, 0.0)) ** 2)
    return np.where(size < 1.0, near, size + np.log1p(np.exp(-2.0 * size)) - 0.6931471805599453)
""",
    "elu": """\
def elu(z):
    return np.where(z > 0, z, np.expm1(np.where(z > 0, 0.0, z)))
""",
    "selu": """\
def selu(z):
    low = 1.6732632423543772 * np.expm1(np.where(z > 0, 0.0, z))
    return 1.0507009873554805 * np.where(z > 0, z, low)
""",
    "hardtanh": """\
def hardtanh(z):
    return np.where(np.abs(z) < 1.0, z, np.sign(z))
""",
    "hard_sigmoid": """\
def hard_sigmoid(z):
    return np.where(np.abs(z) < 3.0, z / 6.0 + 0.5, 0.5 + 0.5 * np.sign(z))
""",
    "others_product": """\
def others_product(z, axis):
    # The product of all other entries, by products from both ends: no division by zero.
    z = np.moveaxis(z, axis, 0)
    one = np.ones_like(z[:1])
    before = np.concatenate([one, np.cumprod(z[:-1], axis=0)], axis=0)
    after = np.concatenate([one, np.cumprod(np.flip(z[1:], axis=0), axis=0)], axis=0)
    return np.moveaxis(before * np.flip(after, axis=0), 0, axis)
""",
}

#: Helper functions of entries: a number among their arguments is made an array first.
_OF_ENTRIES = {*functions.FUNCTIONS, *several.KERNELS, *special.NAMES.values(), "digamma"}


@dataclass(frozen=True)
class Argument:
    """One argument of a call.

    Attributes:
        node: The argument in the NumPy source.
        text: Its translation.
        number: Whether it is a Python number, and no array.
    """

    node: ast.expr
    text: str
    number: bool


@dataclass(frozen=True)
class Called:
    """A call of a NumPy function, its arguments translated.

    Attributes:
        name: The function, `"sum"` or `"linalg.det"`.
        args: The positional arguments.
        keywords: The others, by name.
    """

    name: str
    args: tuple[Argument, ...]
    keywords: Mapping[str, Argument] = field(default_factory=dict)

    def __getitem__(self, place: int) -> str:
        return self.args[place].text

    @property
    def inner(self) -> str:
        """All arguments, as they stand between the parentheses."""
        named = [f"{name}={argument.text}" for name, argument in self.keywords.items()]
        return ", ".join([*(argument.text for argument in self.args), *named])


@dataclass(frozen=True)
class Translated:
    """A generated function in another library's words.

    Attributes:
        name: The function's name.
        imports: The imports, a line each.
        helpers: The source of the helper functions that it calls.
        listing: The source of the function alone.
    """

    name: str
    imports: str
    helpers: tuple[str, ...]
    listing: str

    @property
    def source(self) -> str:
        """The text of a module."""
        return "\n\n".join([f"{self.imports}\n", *self.helpers, self.listing])


def dotted(node: ast.AST) -> str:
    """Return the name under which source mentions something of NumPy, or nothing.

    >>> dotted(ast.parse("np.linalg.det", mode="eval").body)
    'linalg.det'
    """
    parts = []
    while isinstance(node, ast.Attribute):
        parts.append(node.attr)
        node = node.value
    of_numpy = parts and isinstance(node, ast.Name) and node.id == "np"
    return ".".join(reversed(parts)) if of_numpy else ""


def _names(node: ast.AST) -> set[str]:
    return {part.id for part in ast.walk(node) if isinstance(part, ast.Name)}


def _functions(text: str) -> dict[str, ast.FunctionDef]:
    found = (node for node in ast.parse(text).body if isinstance(node, ast.FunctionDef))
    return {node.name: node for node in found}


def _placed_children(node: ast.AST) -> Iterator[Any]:
    """The nodes below that have a place in the text."""
    for child in ast.iter_child_nodes(node):
        if hasattr(child, "lineno"):
            yield child
        else:
            yield from _placed_children(child)


class Translator:
    """Translates the functions of one generated NumPy module.

    A subclass is one library: it lists what is spelled alike and has a method
    for the rest, `on_<name>` (`on_linalg_det` for `np.linalg.det`), which takes a `Called`.

    Attributes:
        name: What users write in `backend=`.
        library: The library's name in messages.
        cut: How a value is cut off from derivatives.
        module: What stands for `np`.
        imports: The imports of what is generated.
        alike: Functions of NumPy that are called alike, in the module.
        values: What else of NumPy stands in the text, by its name.
        kernels: Helper functions in the library's own words, by name.
        helpers: Helper functions that translations call, by name.
        words: Names that translations use, so that no variable may have them.
    """

    name: ClassVar[str]
    library: ClassVar[str]
    cut: ClassVar[str]
    module: ClassVar[str]
    imports: ClassVar[str]
    alike: ClassVar[frozenset[str]]
    values: ClassVar[Mapping[str, str]]
    kernels: ClassVar[Mapping[str, str]]
    helpers: ClassVar[Mapping[str, str]] = {}
    words: ClassVar[frozenset[str]]

    def __init__(self, program: Program) -> None:
        self.program = program
        self.text = b""
        self.starts: list[int] = []
        self.like = ""
        self.numbers: set[str] = set()
        self.renamed: dict[str, str] = {}

    @classmethod
    def translated(cls, program: Program) -> Translated:
        """Translate a program.

        Raises:
            UnsupportedError: Something that the library has no form for.
        """
        return cls(program)._module()

    def _module(self) -> Translated:
        main = self.program.name
        # Warnings of branches that are not taken are NumPy's own.
        text = self.program.module.replace(BRANCHES, "")
        nodes = {name: (text, node) for name, node in _functions(text).items()}
        listing = self._function(*nodes.pop(main))
        own = {**self.helpers, **self.kernels}
        chosen: dict[str, str] = {}
        waiting = [listing]
        while waiting:
            mentioned = _names(ast.parse(waiting.pop()))
            for name in dict.fromkeys((*nodes, *own)):
                if name in mentioned and name not in chosen:
                    chosen[name] = own[name] if name in own else self._helper(name, nodes)
                    waiting.append(chosen[name])
        # Helper functions stand in front of those that call them.
        order = [*self.helpers, *nodes, *own]
        helpers = tuple(chosen[name] for name in dict.fromkeys(order) if name in chosen)
        return Translated(main, self.imports, helpers, listing)

    def _helper(self, name: str, nodes: Mapping[str, tuple[str, ast.FunctionDef]]) -> str:
        if name in SMOOTH:
            return self._function(SMOOTH[name], _functions(SMOOTH[name])[name])
        return self._function(*nodes[name])

    def _function(self, text: str, node: ast.FunctionDef) -> str:
        self.text = text.encode()
        self.starts = [0]
        for line in self.text.splitlines(keepends=True):
            self.starts.append(self.starts[-1] + len(line))
        arguments = [argument.arg for argument in node.args.args]
        self.numbers, self.renamed = set(), {}
        if node.name == self.program.name:
            assigned = [n.id for n in ast.walk(node) if isinstance(n, ast.Name) and _stored(n)]
            self.renamed = self._free_names([*arguments, *assigned])
        self.like = self.renamed.get(arguments[0], arguments[0]) if arguments else ""
        return self.render(node) + "\n"

    def _free_names(self, names: list[str]) -> dict[str, str]:
        """Rename variables that have a name which translations use."""
        taken = {*names, *self.words, *self.helpers, *self.kernels, *SMOOTH}
        renamed: dict[str, str] = {}
        for name in dict.fromkeys(names):
            if name in self.words or name in self.helpers:
                free = f"{name}_"
                while free in taken:
                    free += "_"
                taken.add(free)
                renamed[name] = free
        return renamed

    # ------------------------------------------------------------ the text of a node

    def _span(self, node: Any) -> tuple[int, int]:
        first = self.starts[node.lineno - 1] + node.col_offset
        return first, self.starts[node.end_lineno - 1] + node.end_col_offset

    def render(self, node: Any) -> str:
        """Return the translation of a node."""
        if isinstance(node, ast.Call):
            return self._call(node)
        if isinstance(node, ast.Subscript):
            return self.subscript(node)
        if isinstance(node, ast.BinOp):
            return self.binary(node)
        if isinstance(node, ast.Constant):
            return self.constant(node)
        if isinstance(node, ast.Name):
            return self.renamed.get(node.id, node.id)
        if isinstance(node, ast.Attribute) and dotted(node):
            return self._value(dotted(node))
        text = self.spliced(node)
        if isinstance(node, ast.arg):
            return self.renamed.get(text, text)
        if isinstance(node, ast.Assign) and self.is_number(node.value):
            self.numbers |= _names(node.targets[0])
        return text

    def spliced(self, node: Any) -> str:
        """Return the text of a node with everything below it translated."""
        first, last = self._span(node)
        text, done = "", first
        for child in sorted(_placed_children(node), key=self._span):
            start, end = self._span(child)
            text += self.text[done:start].decode() + self.render(child)
            done = end
        return text + self.text[done:last].decode()

    def _value(self, name: str) -> str:
        if name in self.values:
            return self.values[name]
        if name in self.alike:
            return f"{self.module}.{name}"
        raise UnsupportedError(f"no {self.library} form for NumPy's `{name}`")

    def _call(self, node: ast.Call) -> str:
        name = dotted(node.func)
        if not name and isinstance(node.func, ast.Name) and node.func.id in _OF_ENTRIES:
            skipped = 1 if node.func.id == "polygamma" else 0
            given = [self.argument(part) for part in node.args]
            parts = [a.text if k < skipped else self.array(a) for k, a in enumerate(given)]
            return f"{node.func.id}({', '.join(parts)})"
        if not name:
            return self.method(node)
        keywords = {str(part.arg): self.argument(part.value) for part in node.keywords}
        called = Called(name, tuple(map(self.argument, node.args)), keywords)
        translate = getattr(self, f"on_{name.replace('.', '_')}", None)
        if translate is not None:
            return str(translate(called))
        return self.function(called)

    def argument(self, node: ast.expr) -> Argument:
        """Translate an argument."""
        return Argument(node, self.render(node), self.is_number(node))

    def is_number(self, node: ast.AST) -> bool:
        """Tell whether an expression is a Python number: of constants and sizes alone."""
        if isinstance(node, (ast.UnaryOp, ast.BinOp, ast.Compare, ast.IfExp)):
            parts = [n for n in ast.iter_child_nodes(node) if isinstance(n, ast.expr)]
            return all(map(self.is_number, parts))
        if isinstance(node, ast.Name):
            return node.id in self.numbers
        if isinstance(node, ast.Subscript):
            return isinstance(node.value, ast.Attribute) and node.value.attr == "shape"
        return isinstance(node, ast.Constant) or dotted(node) in ("pi", "e", "nan", "inf")

    # ------------------------------------------------------------ what libraries differ in

    def function(self, called: Called) -> str:
        """Translate a call of a function of NumPy that has no method of its own."""
        return f"{self._value(called.name)}({called.inner})"

    def array(self, argument: Argument) -> str:
        """Return an argument as an array, a number too."""
        raise NotImplementedError

    def method(self, node: ast.Call) -> str:
        """Translate a call of an array's method, or of a helper function."""
        return self.spliced(node)

    def subscript(self, node: ast.Subscript) -> str:
        """Translate entries and slices."""
        return self.spliced(node)

    def binary(self, node: ast.BinOp) -> str:
        """Translate a sum, a product and the like."""
        return self.spliced(node)

    def constant(self, node: ast.Constant) -> str:
        """Translate a constant."""
        return self.spliced(node)


def _stored(node: ast.Name) -> bool:
    return isinstance(node.ctx, ast.Store)


__all__ = ["SMOOTH", "Argument", "Called", "Translated", "Translator", "dotted"]
