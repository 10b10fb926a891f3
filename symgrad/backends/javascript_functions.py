"""Scalar functions that JavaScript lacks, as text; those of `Math` are called as they are.

erf and erfc have the coefficients of the C target (`c_polynomials`).
"""

from __future__ import annotations

from collections.abc import Iterable

from symgrad.backends.c_polynomials import COEFFICIENTS

#: The names in `Math`, where a tape's differ.
CALLS: dict[str, str] = {
    **{"arcsin": "asin", "arccos": "acos", "arctan": "atan", "maximum": "max", "minimum": "min"},
    **{"arcsinh": "asinh", "arccosh": "acosh", "arctanh": "atanh"},
}

#: Text by name, and the names that it calls.
HELPERS: dict[str, tuple[str, tuple[str, ...]]] = {
    # Right to the last digits on both sides: exp(-x) may overflow, and 1 / Infinity is 0.
    "sigmoid": ("const sigmoid = (x) => 1 / (1 + Math.exp(-x));\n", ()),
    "softplus": (
        "const softplus = (x) => Math.max(x, 0) + Math.log1p(Math.exp(-Math.abs(x)));\n",
        (),
    ),
    "step": ("const step = (x) => (x > 0 ? 1 : x <= 0 ? 0 : x);\n", ()),
    "power": (
        """\
// Where IEEE's pow is 1 and Math.pow is not: 1 to any power, -1 to an infinite one.
const power = (x, y) => (x === 1 || (x === -1 && Math.abs(y) === Infinity) ? 1 : Math.pow(x, y));
""",
        (),
    ),
    "polynomial": (
        """\
function polynomial(z, coefficients) {
  let sum = 0;
  for (let k = coefficients.length - 1; k >= 0; k--) sum = sum * z + coefficients[k];
  return sum;
}
""",
        (),
    ),
    "erfcPositive": (
        """\
// erfc(y) exp(y^2) (1 + 2 y) is smooth in (y - 2.5)/(y + 3). In exp(-y^2) the upper half of y is
// squared, which is exact; what is left comes in as a factor.
function erfcPositive(y) {
  if (y > 27.5) return 0;
  const top = Math.fround(y), low = (y - top) * (y + top);
  const decay = Math.exp(-top * top) * Math.exp(-low);
  return decay * polynomial((y - 2.5) / (y + 3), ERFC_BODY) / (1 + 2 * y);
}
""",
        ("polynomial", "ERFC_BODY"),
    ),
    "erf": (
        """\
function erf(x) {
  const y = Math.abs(x);
  if (y < 0.5) return x + x * polynomial(x * x, ERF_TAIL);
  return x !== x ? x : Math.sign(x) * (1 - erfcPositive(y));
}
""",
        ("erfcPositive", "ERF_TAIL"),
    ),
    "erfc": (
        """\
function erfc(x) {
  if (Math.abs(x) < 0.5) return 1 - (x + x * polynomial(x * x, ERF_TAIL));
  return x !== x ? x : x > 0 ? erfcPositive(x) : 2 - erfcPositive(-x);
}
""",
        ("erfcPositive", "ERF_TAIL"),
    ),
    "ERFC_BODY": ("erfc_body", ()),
    "ERF_TAIL": ("erf_tail", ()),
}


def helpers_of(names: Iterable[str]) -> list[str]:
    """Return the text of functions: each once, and after those that it calls.

    >>> print(*helpers_of(["sigmoid", "tanh"]), end="")
    const sigmoid = (x) => 1 / (1 + Math.exp(-x));
    """
    found: dict[str, str] = {}
    for name in names:
        if name in HELPERS:
            _collect(name, found)
    return list(found.values())


def _collect(name: str, found: dict[str, str]) -> None:
    text, needs = HELPERS[name]
    for other in needs:
        if other not in found:
            _collect(other, found)
    if name.isupper():
        numbers = ", ".join(repr(float.fromhex(c)) for c in COEFFICIENTS[text]["double"])
        text = f"const {name} = [{numbers}];\n"
    found[name] = text


__all__ = ["CALLS", "HELPERS", "helpers_of"]
