"""The Numba backend: loops over samples as Python source, which `numba.njit` compiles.

The source is a module of its own: it imports NumPy and Numba alone. Numba is imported by that
source, when it is loaded. Compiling takes half a second and more; the same source is compiled once
in a process.
"""

from __future__ import annotations

import functools
import keyword
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import sympy as sp

from symgrad.backends.descent import Loop
from symgrad.backends.function import CompiledFunction, compile_source
from symgrad.backends.kernel import Kernel
from symgrad.backends.loops import Entry, LoopWriter
from symgrad.backends.native import (
    Engine,
    NativeFunction,
    Space,
    through,
)
from symgrad.backends.numba_functions import CHAINS, TEXTS, source_of
from symgrad.backends.plan import VALUE
from symgrad.backends.recipe import Recipe
from symgrad.backends.straight import PYTHON, Language
from symgrad.errors import OptionError
from symgrad.files import write

#: The names of the functions.
NAME, DESCEND = "value_and_gradients", "descend"
#: Above this many operations a loop is compiled as a chain: lanes would be slow to compile.
MOST_LANES = 700

#: Python's functions for the operations that have no text of ours.
_CALLS = {
    **{"arcsin": "math.asin", "arccos": "math.acos", "arctan": "math.atan", "abs": "math.fabs"},
    **{"arcsinh": "math.asinh", "arccosh": "math.acosh", "arctanh": "math.atanh"},
    **{"power": "math.pow", "floor": "np.floor", "ceil": "np.ceil"},
}
_WORDS = (
    *(
        "math",
        "np",
        "njit",
        "real",
        "range",
        "n",
        "k",
        "s",
        "order",
        "epoch",
        "epochs",
        "value",
        "float",
    ),
    *(
        "learning_rate",
        "samples",
        NAME,
        DESCEND,
        "exp_tail",
        "coth_tail",
        "atanh_tail",
        "tanh_tail",
    ),
    *TEXTS,
    *keyword.kwlist,
)


def language(dtype: Any, chained: bool) -> Language:
    """Return how Python is written for Numba, for a type of numbers.

    Args:
        dtype: float64 or float32.
        chained: Whether the code is a chain of scalars, not the body of a vector loop.
    """
    single = dtype == np.float32

    def number(value: float) -> str:
        text = repr(float(value)) if np.isfinite(value) else f"math.{value!r}"
        text = text.replace("math.-", "-math.")
        return f"real({text})" if single else text

    def call(kind: str) -> str:
        name = CHAINS.get(kind, kind) if chained else kind
        return name if name in TEXTS else _CALLS.get(kind, f"math.{kind}")

    kept = ("and", "or", "not", "where")
    plain = ("add", "subtract", "multiply", "divide", "negative")
    tests = ("greater", "greater_equal", "equal")
    return Language(
        texts={
            **{kind: PYTHON.texts[kind] for kind in (*kept, *plain, *tests)},
            "reciprocal": (f"{number(1.0)}/{{0}}", 2, (3,)),
        },
        twice={"square": PYTHON.twice["square"]},
        calls=call,
        statement=PYTHON.statement,
        number=number,
    )


class Writer(LoopWriter):
    """Writes the Numba source of one function.

    Args:
        kernel: The formulas.
        dtype: The type of numbers.
    """

    def __init__(self, kernel: Kernel, dtype: Any) -> None:
        self.dtype = np.dtype(dtype)
        super().__init__(kernel, _WORDS)
        self.used: dict[str, None] = {}

    def formula(self, expression: Any) -> str:
        """Return the text of an expression in `samples`, or in `learning_rate`."""
        return f"real({sp.pycode(expression)})"

    def variable(self, name: str, text: str) -> str:
        """Return the declaration of a number that changes."""
        return f"{name} = {text}"

    def called(self, chained: bool) -> None:
        """Note the functions of ours that the operations printed since the last time call."""
        found = language(self.dtype, chained)
        for kind in self.kinds:
            if kind not in found.texts and kind not in found.twice and found.calls(kind) in TEXTS:
                self.used[found.calls(kind)] = None
        self.kinds.clear()

    def _outside(self, names: Iterable[str]) -> list[str]:
        return [name for name in names if name not in self.kernel.sampled]

    def function(self) -> str:
        """Return the function that computes the value and the gradients."""
        kernel, words = self.kernel, language(self.dtype, True)
        arguments = ["n"] if kernel.axis is not None else []
        arguments += self.arguments.values()
        arguments += ["value"] * kernel.valued
        arguments += self.results.values()
        lines = self.loads(self._outside(self.arguments), words)
        codes = [kernel.after] if kernel.body is None else [kernel.body, kernel.after]
        numbers = self.expressions(codes, words)
        lines += ["samples = float(n)", *numbers] if numbers else []
        if kernel.body is not None:
            lines += self._summed(chained=kernel.body.count > MOST_LANES)
        after, results = self.after(words)
        self.called(chained=True)
        lines += after
        for name, entries in results.items():
            target = self.results.get(name, "value")
            lines += [f"{target}[{k}] = {text}" for k, text in enumerate(entries)]
        return _defined(NAME, arguments, lines)

    def _summed(self, chained: bool) -> list[str]:
        starts = [self.variable(name, "real(0.0)") for name in self.accumulators()]
        lines, added, own = self.sums(language(self.dtype, chained))
        self.called(chained)
        if added:
            self.used["plus"] = None
        lines += [f"{name} = plus({name}, {text})" for name, text in added]
        for name, entries in own.items():
            target = self.results.get(name, "value")
            lines += [f"{target}[{self.offset(name, j)}] = {t}" for j, t in enumerate(entries)]
        return [*starts, "for k in range(n):", *(f"    {line}" for line in lines)]

    def descent(self, loop: Loop, flat: Sequence[Entry]) -> str:
        """Return the loop of per-sample descent: one update of all parameters at every sample."""
        kernel, words = self.kernel, language(self.dtype, True)
        fixed = [name for name in self.arguments if name not in kernel.trained]
        arguments = ["order", *(self.arguments[name] for name in (*fixed, *kernel.trained))]
        lines = self.loads(self._outside(fixed), words)
        lines += self.loads(kernel.trained, words, fixed=False)
        lines += self.expressions([loop.straight], words)
        lines += [
            "for epoch in range(epochs):",
            "    for s in order:",
            "        k = np.intp(s)",
            *(f"        {line}" for line in self.update(loop, flat, words)),
        ]
        self.called(chained=True)
        lines += [
            f"{self.element(name, place)} = {self.names[key]}"
            for name in kernel.trained
            for place, key in enumerate(self.entries(name))
        ]
        return _defined(DESCEND, [*arguments, "learning_rate", "epochs"], lines)


def _defined(name: str, arguments: Iterable[str], lines: Iterable[str]) -> str:
    head = '@njit(nogil=True, error_model="numpy", fastmath={"contract"})'
    body = "".join(f"    {line}\n" for line in lines)
    return f"{head}\ndef {name}({', '.join(arguments)}):\n{body}"


def source_text(kernel: Kernel, dtype: Any, loop: Loop | None, flat: Sequence[Entry]) -> str:
    """Return a module's text: the function of a kernel, and its loop of per-sample descent."""
    writer = Writer(kernel, dtype)
    parts, used = [writer.function()], dict(writer.used)
    if loop is not None:
        descent = Writer(kernel, dtype)
        parts.append(descent.descent(loop, flat))
        used.update(descent.used)
    helpers = source_of(used, np.dtype(dtype).name)
    head = "import math\n\nimport numpy as np\nfrom numba import njit\n"
    said = "".join(f"# {line}\n" for line in _described(writer))
    kind = f"{said}real = np.{np.dtype(dtype).name}\n"
    return "\n\n".join([f"{head}\n{kind}", *([helpers] if helpers else []), *parts])


def _described(writer: Writer) -> list[str]:
    kernel = writer.kernel
    lines = ["Flat arrays, row by row; results are written into the last of them:"]
    for name, argument in writer.arguments.items():
        rows, columns = kernel.shapes[name]
        many = "n times " if name in kernel.sampled else ""
        lines.append(f"  {argument}: {many}{rows} by {columns}")
    if kernel.valued:
        lines.append(f"  value: {'n times ' * (VALUE in kernel.each)}{kernel.entries(VALUE)}")
    return lines + [f"  {c}: as {writer.arguments[key]}" for key, c in writer.results.items()]


@functools.lru_cache(maxsize=64)
def _loaded(source: str) -> dict[str, Any]:
    """Load a source; the functions in it are compiled when they are needed."""
    namespace: dict[str, Any] = {"__name__": "symgrad_numba"}
    # Only source printed by a Writer comes here, with identifiers of its own choosing.
    exec(compile_source(source, "<symgrad numba>"), namespace)
    return namespace


class NumbaEngine(Engine):
    """A kernel compiled by Numba."""

    def __init__(
        self, kernel: Kernel, dtype: Any, loop: Loop | None, flat: Sequence[Entry]
    ) -> None:
        self.kernel, self.dtype, self.descends = kernel, np.dtype(dtype), loop is not None
        self.source = source_text(kernel, dtype, loop, flat)
        self._functions = _loaded(self.source)

    def caller(self, count: int, space: Space) -> Callable[[Any], Any]:
        """Return a function of the vector of parameters; see `Engine`."""
        kernel = self.kernel
        arguments: list[Any] = [count] if kernel.axis is not None else []
        arguments += [space.inputs[name].reshape(-1) for name in kernel.shapes]
        arguments += [space.value.reshape(-1)] * kernel.valued
        arguments += [space.parts[name].reshape(-1) for name in kernel.trained]
        run = functools.partial(self._compiled(NAME, arguments), *arguments)
        return through(space, run, kernel.valued)

    def descender(self, space: Space) -> Callable[[int, float, int, Any], None]:
        """Return the loop that moves the parameters in place; see `Engine`."""
        kernel = self.kernel
        fixed = [name for name in kernel.shapes if name not in kernel.trained]
        arrays = [space.inputs[name].reshape(-1) for name in (*fixed, *kernel.trained)]
        every = np.arange(0, dtype=np.uintp)
        compiled = None

        def descend(count: int, learning_rate: float, epochs: int, order: Any) -> None:
            nonlocal every, compiled
            if order is None and len(every) != count:
                every = np.arange(count, dtype=np.uintp)
            places = every if order is None else order
            arguments = [places, *arrays, float(learning_rate), int(epochs)]
            if compiled is None:
                # The types are the same every time.
                compiled = self._compiled(DESCEND, arguments)
            compiled(*arguments)

        return descend

    def _compiled(self, name: str, arguments: Sequence[Any]) -> Any:
        """Compile a function for arguments, unless that was done."""
        from numba import typeof

        function = self._functions[name]
        function.compile(tuple(map(typeof, arguments)))
        return function


class NumbaFunction(NativeFunction):
    """A function of NumPy arrays, compiled by Numba."""

    target = "numba"
    engine = NumbaEngine

    @property
    def source(self) -> str:
        """The module that Numba compiles: the function and its loop of per-sample descent.

        Raises:
            UnsupportedError: A size of a layer is open: it is known when the function is called.
        """
        return source_text(*self._opened())

    def save(self, path: str | Path) -> Path:
        """Write the module that Numba compiles; it imports NumPy and Numba alone.

        Raises:
            UnsupportedError: The formulas have no form as a loop; the message says why.
        """
        path = Path(path)
        if path.suffix != ".py":
            raise OptionError(f"a module is saved as name.py, not as {path.name}")
        return write(path, self.source)


def compiled(recipe: Recipe) -> CompiledFunction:
    """Compile for Numba; see `symgrad.backends.targets`."""
    return NumbaFunction(recipe)
