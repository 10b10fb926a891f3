"""C99 text of kernels: the function, the loop of per-sample descent, the header.

The text of a function holds everything that it needs: the formulas, its loops over samples, its
own exp, tanh and the like, accurate to a few units in the last place and made so that a compiler
turns them into vector code.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import sympy as sp

from symgrad.backends import c_functions
from symgrad.backends.c_names import KEYWORDS, taken
from symgrad.backends.descent import Loop
from symgrad.backends.kernel import Kernel
from symgrad.backends.loops import Entry, LoopWriter
from symgrad.backends.plan import VALUE
from symgrad.backends.straight import ATOM, COMMON, Language
from symgrad.tape.scalars import Straight

#: Fewer samples than this are run over one by one.
FEWEST_LANES = 16
#: Above this many operations a loop is not made of vectors: registers are few.
MOST_LANES = 2500

#: Our names of functions in C, where a tape's differ.
_NAMES = {
    **{"ceil": "ceiling", "arcsin": "asin", "arccos": "acos"},
    **{"arcsinh": "asinh", "arccosh": "acosh", "arctanh": "atanh"},
}
#: Functions that end early: in scalar code a shorter chain is faster, in vector code it is not.
_CHAINS = {"tanh": "tanh_chain", "sigmoid": "sigmoid_chain"}


def language(dtype: Any, chained: bool) -> Language:
    """Return how C is written, for a type of numbers.

    Args:
        dtype: float64 or float32.
        chained: Whether the code is a chain of scalars, not the body of a vector loop.
    """
    suffix = "f" if dtype == np.float32 else ""

    def call(kind: str) -> str:
        name = _NAMES.get(kind, kind)
        name = _CHAINS.get(name, name) if chained else name
        return c_functions.call_of(name, dtype.name)

    return Language(
        texts={
            **COMMON,
            "reciprocal": (f"1.0{suffix}/{{0}}", 2, (3,)),
            "and": ("({0} && {1})", ATOM, (ATOM, ATOM)),
            "or": ("({0} || {1})", ATOM, (ATOM, ATOM)),
            "not": ("!{0}", 3, (ATOM,)),
            "where": ("({0} ? {1} : {2})", ATOM, (1, 1, 1)),
        },
        twice={"square": ("{0}*{0}", 2)},
        calls=call,
        statement=lambda name, text: f"const real {name} = {text};",
        number=lambda value: number_text(value, suffix),
        end=";",
    )


def number_text(value: float, suffix: str = "") -> str:
    """Write a number in C."""
    if not np.isfinite(value):
        return "NAN" if value != value else ("INFINITY" if value > 0 else "-INFINITY")
    return f"{float(value)!r}{suffix}"


class Writer(LoopWriter):
    """Writes the C source of one kernel.

    Args:
        kernel: The formulas.
        dtype: The type of numbers.
        name: The name of the function.
    """

    def __init__(self, kernel: Kernel, dtype: Any, name: str) -> None:
        self.dtype, self.name = np.dtype(dtype), name
        own = [name, f"{name}_call", f"{name}_descend"]
        super().__init__(kernel, [*KEYWORDS, *taken(kernel.shapes), *own])
        self.used: dict[str, None] = {}

    def formula(self, expression: Any) -> str:
        """Return the text of an expression in `samples`, or in `learning_rate`."""
        return f"(real)({sp.ccode(expression)})"

    def variable(self, name: str, text: str) -> str:
        """Return the declaration of a number that changes."""
        return f"real {name} = {text};"

    # -------------------------------------------------------------- declarations

    @property
    def prototype(self) -> str:
        """The declaration of the function."""
        parts = ["size_t n"] if self.kernel.axis is not None else []
        parts += [f"const real *{c}" for c in self.arguments.values()]
        parts += ["real *value"] if self.kernel.valued else []
        parts += [f"real *{c}" for c in self.results.values()]
        return f"void {self.name}({', '.join(parts)})"

    @property
    def descent_prototype(self) -> str:
        """The declaration of the loop of per-sample descent."""
        trained = set(self.kernel.trained)
        data = [f"const real *{c}" for k, c in self.arguments.items() if k not in trained]
        moved = [f"real *{self.arguments[key]}" for key in self.kernel.trained]
        rest = ["real learning_rate", "size_t epochs", "const size_t *order"]
        return f"void {self.name}_descend({', '.join(['size_t n', *data, *moved, *rest])})"

    # ------------------------------------------------------------------- bodies

    def called(self, chained: bool) -> None:
        """Note the functions that the operations printed since the last time are in C."""
        written = language(self.dtype, chained)
        for kind in self.kinds:
            if kind not in written.texts and kind not in written.twice:
                name = _NAMES.get(kind, kind)
                self.used[_CHAINS.get(name, name) if chained else name] = None
        self.kinds.clear()

    def one(self, chained: bool) -> list[str]:
        """Return the statements of one sample, which add to the accumulators."""
        lines, added, own = self.sums(language(self.dtype, chained))
        self.called(chained)
        lines += [f"{name} += {text};" for name, text in added]
        for name, entries in own.items():
            target = self.results.get(name, "value")
            lines += [f"{target}[{self.offset(name, j)}] = {t};" for j, t in enumerate(entries)]
        return lines

    def function(self) -> str:
        """Return the function that computes the value and the gradients."""
        kernel, words = self.kernel, language(self.dtype, True)
        lines = self.loads([n for n in self.arguments if n not in kernel.sampled], words)
        if kernel.axis is not None:
            lines.append("const real samples = (real)n;")
        codes = [kernel.after] if kernel.body is None else [kernel.body, kernel.after]
        lines += self.expressions(codes, words)
        if kernel.body is not None:
            lines += self._summed(kernel.body)
        after, results = self.after(words)
        self.called(chained=True)
        lines += after
        for name, entries in results.items():
            target = self.results.get(name, "value")
            lines += [f"{target}[{k}] = {text};" for k, text in enumerate(entries)]
        return f"{self.prototype}\n{{\n" + "".join(f"    {line}\n" for line in lines) + "}\n"

    def _summed(self, body: Straight) -> list[str]:
        sums = self.accumulators()
        start = [f"real {', '.join(f'{name} = 0' for name in sums)};"] if sums else []
        head = "for (size_t k = 0; k < n; k++) {"
        alone = [head, *(f"    {line}" for line in self.one(chained=True)), "}"]
        if body.count > MOST_LANES:
            return [*start, *alone]
        lanes = [head, *(f"    {line}" for line in self.one(chained=False)), "}"]
        pragma = f"#pragma omp simd reduction(+:{', '.join(sums)})"
        return [
            *start,
            f"if (n < {FEWEST_LANES}) {{",
            *(f"    {line}" for line in alone),
            "} else {",
            *([f"    {pragma}"] if sums else []),
            *(f"    {line}" for line in lanes),
            "}",
        ]

    def entry(self) -> str:
        """Return the function that takes all pointers in one table, for loaders."""
        count = iter(range(1000))
        parts = [f"*(size_t *)a[{next(count)}]"] if self.kernel.axis is not None else []
        total = len(self.arguments) + self.kernel.valued + len(self.results)
        parts += [f"(real *)a[{next(count)}]" for _ in range(total)]
        body = f"    {self.name}({', '.join(parts)});\n"
        return f"void {self.name}_call(void **a)\n{{\n{body}}}\n"

    def descent(self, loop: Loop, flat: Sequence[Entry]) -> str:
        """Return the loop of per-sample descent: one update of all parameters at every sample."""
        kernel, trained, words = self.kernel, set(self.kernel.trained), language(self.dtype, True)
        fixed = [n for n in self.arguments if n not in kernel.sampled and n not in trained]
        lines = self.loads(fixed, words) + self.loads(kernel.trained, words, fixed=False)
        lines += self.expressions([loop.straight], words)
        lines += [
            "for (size_t epoch = 0; epoch < epochs; epoch++) {",
            "    for (size_t s = 0; s < n; s++) {",
            "        const size_t k = order ? order[s] : s;",
            *(f"        {line}" for line in self.update(loop, flat, words)),
            "    }",
            "}",
        ]
        self.called(chained=True)
        lines += [
            f"{self.element(name, place)} = {self.names[key]};"
            for name in kernel.trained
            for place, key in enumerate(self.entries(name))
        ]
        text = "".join(f"    {line}\n" for line in lines)
        return f"{self.descent_prototype}\n{{\n{text}}}\n"


# ------------------------------------------------------------------------ files


def source_text(kernel: Kernel, dtype: Any, name: str, loop: Any = None, flat: Any = ()) -> str:
    """Return the C source of a kernel, and of its loop of per-sample descent where one is given."""
    writer = Writer(kernel, dtype, name)
    functions = [writer.function()]
    used = dict(writer.used)
    if loop is not None:
        descent = Writer(kernel, dtype, name)
        functions.append(descent.descent(loop, flat))
        used.update(descent.used)
    functions.append(writer.entry())
    kind = "float" if np.dtype(dtype) == np.float32 else "double"
    helpers = c_functions.source_of(used, kind)
    head = [
        f"/* {name}: generated code, C99; compile with {' '.join(c_functions.FLAGS)} -fopenmp-simd",
        "   (any other flags but -ffast-math are right, too). */",
        "#include <stddef.h>",
        c_functions.HEAD.rstrip(),
        "",
        f"typedef {kind} real;",
        "",
    ]
    return "\n".join([*head, helpers, *functions])


def header_text(kernel: Kernel, dtype: Any, name: str, descent: bool) -> str:
    """Return the header that declares what a source defines."""
    writer = Writer(kernel, dtype, name)
    kind = "float" if np.dtype(dtype) == np.float32 else "double"
    guard = f"{name.upper()}_H"
    parts = [
        f"#ifndef {guard}\n#define {guard}\n#include <stddef.h>\n",
        '#ifdef __cplusplus\nextern "C" {\n#endif\n',
        *_described(writer),
        writer.prototype.replace("real ", f"{kind} ") + ";\n",
    ]
    if descent:
        parts.append(
            "/* Per-sample gradient descent: one update of all parameters at every sample, in the\n"
            "   order given, or as the samples lie where that is NULL. */\n"
            + writer.descent_prototype.replace("real ", f"{kind} ")
            + ";\n"
        )
    return "\n".join([*parts, "#ifdef __cplusplus\n}\n#endif\n", "#endif\n"])


def _described(writer: Writer) -> list[str]:
    kernel = writer.kernel
    lines = ["/* Arrays, row by row:"]
    for name, argument in writer.arguments.items():
        rows, columns = kernel.shapes[name]
        many = "n times " if name in kernel.sampled else ""
        lines.append(f"     {argument}: {many}{rows} by {columns}")
    if kernel.valued:
        count = kernel.entries(VALUE)
        many = "n times " if VALUE in kernel.each else ""
        lines.append(f"     value: {many}{count} number{'s' * (count > 1)}")
    lines += [f"     {c}: as {writer.arguments[key]}" for key, c in writer.results.items()]
    return ["\n".join(lines) + " */"]
