"""From graphs to functions: definition i of the graph is statement i of the source."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import sympy as sp

from symgrad import functions, operations, trees
from symgrad.backends.products import Emitter
from symgrad.backends.source import identifiers
from symgrad.backends.stacked import StackedEmitter
from symgrad.errors import UnsupportedError
from symgrad.functions import several, special
from symgrad.graph import Graph
from symgrad.graph.layouts import layouts
from symgrad.graph.requirements import requirements
from symgrad.shapes import Variable, name_of
from symgrad.softmax import KERNELS

#: Branches that are not taken may leave their domain; their values are not used.
BRANCHES = '@np.errstate(divide="ignore", invalid="ignore", over="ignore")\n'


#: Names that a saved module gives a meaning of its own where arguments are known by theirs.
RESERVED = ("samples", "sample", "rows", "column")


@dataclass(frozen=True)
class Program:
    """A generated function: its source and what it takes and gives.

    Attributes:
        name: The function's name.
        source: The source of the function alone.
        kernels: The source of the helper functions that it calls.
        arguments: The identifier of every input, by the input's name.
        form: `"plain"`, `"stacked"` or `"looped"`: how samples are run over.
    """

    name: str
    source: str
    kernels: str
    arguments: Mapping[str, str]
    form: str

    @property
    def module(self) -> str:
        """Kernels and function, without imports."""
        return f"{self.kernels}\n\n{self.source}" if self.kernels else self.source


def program(
    made: Graph, outputs: Iterable[Any], batch: Iterable[str] = (), name: str = "formula"
) -> Program:
    """Generate the function of a graph's outputs, line for line.

    Args:
        made: The graph.
        outputs: Symbols of definitions or inputs.
        batch: Names of inputs that have the samples on a leading axis.
        name: The name of the function.
    """
    outputs = tuple(outputs)
    made = made.needed(outputs)
    if batch and _has_matrices(made):
        try:
            return _generated(made, outputs, StackedEmitter, name, "stacked")
        except UnsupportedError:
            return replace(_generated(made, outputs, Emitter, name, "plain"), form="looped")
    form = "looped" if batch and _has_sums(made) else "plain"
    return _generated(made, outputs, Emitter, name, form)


def _has_matrices(made: Graph) -> bool:
    if any(symbol.is_Matrix for symbol in made.symbols.values()):
        return True
    nodes = (node for _, expression in made.definitions for node in trees.postorder(expression))
    return any(getattr(node, "is_Matrix", False) for node in nodes)


def _has_sums(made: Graph) -> bool:
    return any(expression.has(sp.Sum, sp.Product) for _, expression in made.definitions)


def _generated(
    made: Graph, outputs: tuple[Any, ...], emitter_of: type[Emitter], name: str, form: str
) -> Program:
    symbols = made.symbols
    names = [*(v.name for v in made.inputs), *made.defined_names, *map(str, made.sizes)]
    outs = [f"result_{k}" for k in range(len(outputs))]
    helpers = [*functions.FUNCTIONS, *_OWN]
    chosen = identifiers(names, reserved=[*helpers, name, *RESERVED, *outs])
    held = layouts(made)
    known = {symbol: chosen[key] for key, symbol in symbols.items()}
    known.update({size: chosen[str(size)] for size in made.sizes})
    emitter = emitter_of(known, held)
    statements = [
        f"{chosen[name_of(symbol)]} = {emitter.as_layout(expression, held[symbol])}"
        for symbol, expression in made.definitions
    ]
    returned = ", ".join(chosen[name_of(symbol)] for symbol in outputs)
    guards = [
        f'if {emitter.text(size)} < 0: raise ValueError("the sizes must fulfil {size} >= 0")'
        for size in requirements(made)
    ]
    sizes = [
        f"{chosen[str(size)]} = {_size_source(size, made.inputs, chosen, form)}"
        for size in made.sizes
        if size in emitter.used
    ]
    body = "\n".join(f"    {line}" for line in [*sizes, *guards, *statements, f"return {returned}"])
    arguments = {v.name: chosen[v.name] for v in made.inputs}
    quiet = BRANCHES if emitter.branching else ""
    source = f"{quiet}def {name}({', '.join(arguments.values())}):\n{body}\n"
    kernels = "\n\n".join(_kernels(emitter.kernels))
    return Program(name, source, kernels, arguments, form)


#: Helper functions of generated code, besides those of the registered scalar functions.
_OWN = {**KERNELS, **several.KERNELS, **special.KERNELS, **operations.KERNELS}


def _kernels(names: Iterable[str]) -> list[str]:
    """Return the sources of helper functions, each after those that it calls."""
    found = dict(functions.kernels_of(name for name in names if name in functions.FUNCTIONS))
    for name in names:
        for wanted in (*special.NEEDS.get(name, ()), name):
            if wanted in _OWN:
                found[wanted] = _OWN[wanted]
    return list(found.values())


def _size_source(
    size: Any, inputs: Iterable[Variable], chosen: Mapping[str, str], form: str
) -> str:
    """Return source that reads a size off the shape of an input."""
    found = []
    for variable in inputs:
        for axis, extent in enumerate(variable.sizes):
            place = axis if form != "stacked" else axis - 2
            text = f"{chosen[variable.name]}.shape[{place}]"
            if extent == size:
                return text
            found.append((extent, text))
    for extent, text in found:
        if extent.free_symbols == {size}:
            shift = sp.expand(extent - size)
            if shift.is_Integer:
                return f"{text} - {shift}" if shift > 0 else f"{text} + {-shift}"
    raise UnsupportedError(f"the size `{size}` cannot be read off the shape of any input")
