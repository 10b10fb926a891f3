"""C99 source of the scalar functions that generated C calls: `source_of(names, dtype)`.

A function is called `sg_NAME` in double and `sg_NAMEf` in float (`call_of`), is `static inline`,
and needs the headers of `HEAD` and the C library alone. Those of `VECTORISED` are arithmetic and
selections, which a compiler turns into vector code in a loop; the others call the C library, or
loop. `ULPS` has the largest errors that the tests allow.

Flags: every level of optimisation, -march, -ffp-contract on or off, -fno-math-errno and
-fno-trapping-math are allowed. `FLAGS` has those to compile with: without -fno-trapping-math gcc
keeps the loops scalar unless it has AVX-512. -ffast-math, -funsafe-math-optimizations and
-ffinite-math-only are not allowed: they take apart the sums that keep the last digits, and drop
NaN and infinities; `HEAD` turns them into an error of the compiler. Numbers are rounded to
nearest, and double is computed in double (not so on 32-bit x86 without SSE2, an error as well).
"""

from __future__ import annotations

from collections.abc import Iterable
from string import Template
from typing import Any

import sympy as sp

from symgrad import functions
from symgrad.backends.c_elementary import TEXTS, TYPES
from symgrad.backends.c_polynomials import COEFFICIENTS, polynomial_text
from symgrad.backends.c_special import SPECIAL
from symgrad.errors import unknown

#: What to compile with; none of them changes a value. -march=native gives the widest vectors.
FLAGS = ("-O3", "-fno-math-errno", "-fno-trapping-math")

#: What stands before the functions: the headers, and what may not be asked of the compiler.
HEAD = """\
#include <float.h>
#include <math.h>
#include <stdint.h>
#include <string.h>
#if defined(__FAST_MATH__) || defined(__ASSOCIATIVE_MATH__)
#error "compile without -ffast-math: it removes the sums that keep the last digits"
#elif defined(__FINITE_MATH_ONLY__) && __FINITE_MATH_ONLY__
#error "compile without -ffinite-math-only: NaN and infinities are told apart here"
#elif FLT_EVAL_METHOD != 0
#error "double must be computed in double: on 32-bit x86, compile with -msse2 -mfpmath=sse"
#endif
"""

#: Functions of the C library under our names, with the number of their arguments.
LIBRARY: dict[str, tuple[str, int]] = {
    "sqrt": ("sqrt", 1),
    "abs": ("fabs", 1),
    "floor": ("floor", 1),
    "ceiling": ("ceil", 1),
    "sin": ("sin", 1),
    "cos": ("cos", 1),
    "tan": ("tan", 1),
    "asin": ("asin", 1),
    "acos": ("acos", 1),
    "arctan": ("atan", 1),
    "atan2": ("atan2", 2),
    "sinh": ("sinh", 1),
    "cosh": ("cosh", 1),
    "asinh": ("asinh", 1),
    "acosh": ("acosh", 1),
    "atanh": ("atanh", 1),
    "power": ("pow", 2),
}

#: Short forms: the arguments, the value, and the texts that it calls. They propagate NaN.
FORMS: dict[str, tuple[str, str, tuple[str, ...]]] = {
    "identity": ("x", "x", ()),
    "sign": ("x", "x > 0.0$f ? 1.0$f : (x < 0.0$f ? -1.0$f : x)", ()),
    "step": ("x", "x > 0.0$f ? 1.0$f : (x <= 0.0$f ? 0.0$f : x)", ()),
    "heaviside": ("x, y", "x > 0.0$f ? 1.0$f : (x < 0.0$f ? 0.0$f : (x == 0.0$f ? y : x))", ()),
    "maximum": ("x, y", "(x >= y) | (x != x) ? x : y", ()),
    "minimum": ("x, y", "(x <= y) | (x != x) ? x : y", ()),
    "relu": ("x", "x <= 0.0$f ? 0.0$f : x", ()),
    "leaky_relu": ("x", "x > 0.0$f ? x : 0.01$f * x", ()),
    "hardtanh": ("x", "x < -1.0$f ? -1.0$f : (x > 1.0$f ? 1.0$f : x)", ()),
    "hard_sigmoid": (
        "x",
        "x < -3.0$f ? 0.0$f : (x > 3.0$f ? 1.0$f : x / 6.0$f + 0.5$f)",
        (),
    ),
    # At an infinity the quotient has no value, but a limit.
    "softsign": ("x", "fabs$f(x) > 0x1p60$f ? copysign$f(1.0$f, x) : x / (1.0$f + fabs$f(x))", ()),
    "xlogy": ("x, y", "x == 0.0$f ? 0.0$f : x * sg_log$f(x == 0.0$f ? 1.0$f : y)", ("log",)),
    "sec": ("x", "1.0$f / cos$f(x)", ()),
    "csc": ("x", "1.0$f / sin$f(x)", ()),
    "cot": ("x", "1.0$f / tan$f(x)", ()),
    "sech": ("x", "1.0$f / cosh$f(x)", ()),
    "csch": ("x", "1.0$f / sinh$f(x)", ()),
    "coth": ("x", "1.0$f / sg_tanh$f(x)", ("tanh",)),
}

#: Texts that only other texts call.
_INNER = {"bits", "power_of", "erfc_times", "sigmoid_times", "log_of", "log1p_unit"}

#: Every name that `source_of` knows.
NAMES: tuple[str, ...] = tuple(
    sorted(
        ({*TEXTS} - _INNER)
        | {*LIBRARY, *FORMS}
        | {name for name, text in SPECIAL.items() if text.public}
    )
)

#: Names whose loops a compiler can turn into vector code.
VECTORISED: frozenset[str] = frozenset(
    ({*TEXTS} - _INNER - {"tanh_chain", "sigmoid_chain"})
    | {name for name in FORMS if name not in {"sec", "csc", "cot", "sech", "csch"}}
    | {"sqrt", "abs", "floor", "ceiling"}
)

#: Our name of SymPy's functions, where it is not that of the registry's entry.
SYMPY_NAMES: dict[Any, str] = {
    sp.exp: "exp",
    sp.log: "log",
    sp.cos: "cos",
    sp.tan: "tan",
    sp.asin: "asin",
    sp.acos: "acos",
    sp.atan2: "atan2",
    sp.sinh: "sinh",
    sp.cosh: "cosh",
    sp.asinh: "asinh",
    sp.acosh: "acosh",
    sp.atanh: "atanh",
    sp.sec: "sec",
    sp.csc: "csc",
    sp.cot: "cot",
    sp.sech: "sech",
    sp.csch: "csch",
    sp.coth: "coth",
    sp.Abs: "abs",
    sp.sign: "sign",
    sp.floor: "floor",
    sp.ceiling: "ceiling",
    sp.Heaviside: "heaviside",
    sp.Max: "maximum",
    sp.Min: "minimum",
    sp.gamma: "gamma_function",
    sp.loggamma: "log_gamma",
    sp.polygamma: "polygamma",
    functions.xlogy: "xlogy",
}
#: What has no C function of its own, and what to write in its place.
REFUSED: dict[str, str] = {
    "logsumexp": "C functions have a fixed number of arguments; nest `logaddexp`, which has two",
}
#: The largest error in units in the last place, of those functions that are held to it.
ULPS: dict[str, float] = {
    **dict.fromkeys(("exp", "expm1", "tanh", "tanh_chain", "sigmoid", "log", "log1p"), 2.0),
    **dict.fromkeys(("softplus", "log1pexp", "log_sigmoid", "elu", "softsign"), 2.0),
    **dict.fromkeys(("silu", "selu", "sigmoid_chain", "xlogy"), 3.0),
    "erf": 4.0,
    "mish": 5.0,
    "log_cosh": 6.0,
    # Most in the tails, where they are products of five rounded factors.
    **dict.fromkeys(("erfc", "gelu"), 8.0),
}


def _type_of(dtype: Any) -> str:
    """Return the C type of a dtype."""
    name = getattr(dtype, "name", None) or getattr(dtype, "__name__", None) or str(dtype)
    kinds = {"double": "double", "float64": "double", "float": "float", "float32": "float"}
    # Python's own float is a double.
    kind = "double" if dtype is float else kinds.get(name)
    if kind is None:
        raise unknown("type of C numbers", name, sorted(kinds))
    return kind


def name_of_function(function: Any) -> str | None:
    """Return our name of a SymPy function class, or None where C has no form of it.

    >>> name_of_function(sp.exp), name_of_function(functions.sigmoid), name_of_function(sp.zeta)
    ('exp', 'sigmoid', None)
    """
    entry = functions.entry_of(function)
    name = entry.name if entry is not None else SYMPY_NAMES.get(function)
    return name if name in NAMES else None


def call_of(name: str, dtype: Any = "double") -> str:
    """Return what a function is called in C.

    Args:
        name: One of `NAMES`.
        dtype: `"double"` or `"float"`, or NumPy's name or type of it.

    Raises:
        OptionError: There is no such function or type.

    >>> call_of("tanh"), call_of("tanh", "float32")
    ('sg_tanh', 'sg_tanhf')
    """
    if name not in NAMES:
        raise unknown("C function", name, NAMES)
    return f"sg_{name}{TYPES[_type_of(dtype)]['f']}"


def source_of(names: Iterable[str], dtype: Any = "double") -> str:
    """Return the C source of functions: each once, and after those that it calls.

    `HEAD` is not in it; it belongs at the top of the file.

    Args:
        names: Some of `NAMES`.
        dtype: `"double"` or `"float"`, or NumPy's name or type of it.

    Raises:
        OptionError: There is no such function or type.

    >>> print(source_of(["relu"], "float"), end="")
    static inline float sg_reluf(float x) { return x <= 0.0f ? 0.0f : x; }
    """
    kind = _type_of(dtype)
    found: dict[tuple[str, str], str] = {}
    for name in names:
        call_of(name)
        _collect(name, kind, found)
    return "".join(found.values())


def _collect(name: str, kind: str, found: dict[tuple[str, str], str]) -> None:
    """Add the text of a function, those that it calls before it."""
    if (name, kind) not in found:
        text, needs = _text(name, kind)
        for other in needs:
            _collect(*other, found)
        found[name, kind] = text


def _text(name: str, kind: str) -> tuple[str, list[tuple[str, str]]]:
    """Return the text of one function, and the functions that it calls."""
    fields = TYPES[kind]
    if name in COEFFICIENTS:
        return polynomial_text(name, kind), []
    if name in TEXTS:
        text, needs = TEXTS[name]
        return Template(text).substitute(fields), [(other, kind) for other in needs]
    if name in SPECIAL:
        special = SPECIAL[name]
        if kind == "double":
            return special.text, [(other, kind) for other in special.needs]
        body = f"(float)sg_{name}({special.passed})"
        return _one_line(f"float sg_{name}f({special.given})", body), [(name, "double")]
    if name in FORMS:
        arguments, form, inner = FORMS[name]
        body, needs = Template(form).substitute(fields), inner
    else:
        function, count = LIBRARY[name]
        arguments, needs = "x, y" if count == 2 else "x", ()
        body = f"{function}{fields['f']}({arguments})"
    given = ", ".join(f"{fields['real']} {one}" for one in arguments.split(", "))
    head = f"{fields['real']} sg_{name}{fields['f']}({given})"
    return _one_line(head, body), [(other, kind) for other in needs]


def _one_line(head: str, body: str) -> str:
    return f"static inline {head} {{ return {body}; }}\n"
