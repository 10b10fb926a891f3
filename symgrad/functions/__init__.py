r"""Scalar functions: one class is one function, usable everywhere.

An activation is a SymPy `Function` class with a definition in plain SymPy, a
closed derivative (a claim that the tests check against the definition), a
LaTeX name and a stable NumPy form. To add one, write a class here and decorate
it with `scalar_function`; the registry, the tests, the printers and the
backends find it. An entry without an example fails the suite.

SymPy's own functions (tanh, exp, log, ...) need no entry; those that people
name as activations have one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, ClassVar

import mpmath
import sympy as sp

from symgrad.errors import unknown


@dataclass(frozen=True)
class ScalarFunction:
    """One entry of the registry.

    Attributes:
        name: What users write, `"sigmoid"`.
        apply: Builds the expression, `sigmoid(z)`.
        definition: The function in plain SymPy.
        derivative: Its closed derivative at z.
        from_value: The derivative in terms of the value a = f(z), or None.
        latex: The name in formulas.
        kernel: Source of a stable NumPy function of that name; empty where
            NumPy has the function under the same name.
        needs: Names of entries whose kernels this kernel calls.
        law: The derivative in words of mathematics.
        example: A point at which the tests compare definition and derivative.
        kinks: Where the derivative jumps; the convention is the closed derivative there.
    """

    name: str
    apply: Callable[..., Any]
    definition: Callable[[Any], Any]
    derivative: Callable[[Any], Any]
    latex: str
    law: str
    example: Any
    from_value: Callable[[Any], Any] | None = None
    kernel: str = ""
    needs: tuple[str, ...] = ()
    kinks: tuple[Any, ...] = ()


#: Every named scalar function, by name.
FUNCTIONS: dict[str, ScalarFunction] = {}
#: Other names that people use.
ALIASES = {
    "swish": "silu",
    "heaviside": "step",
    "linear": "identity",
    "logistic": "sigmoid",
    "logsigmoid": "log_sigmoid",
    "atan": "arctan",
}
_BY_CLASS: dict[Any, ScalarFunction] = {}


def scalar_function(name: str, **fields: Any) -> Callable[[Any], Any]:
    """Register a function class (a decorator); see `ScalarFunction` for the fields."""

    def register(apply: Any) -> Any:
        entry = ScalarFunction(name=name, apply=apply, **fields)
        FUNCTIONS[name] = entry
        _BY_CLASS[apply] = entry
        return apply

    return register


def entry_of(function: Any) -> ScalarFunction | None:
    """Return the registry's entry of a function class, or None.

    >>> entry_of(sp.tanh).name
    'tanh'
    """
    return _BY_CLASS.get(function)


def activation(name: Any, also: Iterable[str] = ()) -> ScalarFunction:
    r"""Find an activation by its name, or by its function class.

    Args:
        name: A name such as `"tanh"`, or a class such as `sympy.tanh`; None is identity.
        also: Names that the caller accepts besides; an error lists them, too.

    Raises:
        OptionError: The name is not in the registry.

    >>> activation("relu").latex
    '\\operatorname{relu}'
    """
    if name is None:
        return FUNCTIONS["identity"]
    by_name = isinstance(name, str)
    found = FUNCTIONS.get(ALIASES.get(name, name)) if by_name else _BY_CLASS.get(name)
    if found is None:
        raise unknown("activation", name, sorted([*FUNCTIONS, *ALIASES, *also]))
    return found


def kernels_of(names: Iterable[str]) -> dict[str, str]:
    """Return the sources of kernels by name, those that they call before them.

    >>> list(kernels_of(["gelu"]))
    ['erfc', 'gelu']
    """
    found: dict[str, str] = {}
    for name in names:
        entry = FUNCTIONS[name]
        found.update(kernels_of(entry.needs))
        found[name] = entry.kernel
    return found


class ScalarFunctionBase(sp.Function):
    """What symgrad's own scalar functions share: one real argument, calculus by registry.

    The name ends in Base because SymPy's printers skip such classes when they
    look for a printing method.
    """

    nargs = 1
    #: Inline code for `sympy.lambdify`, by its module; `{z}` is the argument. Without it the
    #: definition is printed.
    inline: ClassVar[dict[str, str]] = {}

    @classmethod
    def eval(cls, z: Any) -> Any:
        """Evaluate at floating-point numbers; keep everything else."""
        if isinstance(z, sp.Float):
            return cls.at(z, z._prec)
        return None

    @classmethod
    def at(cls, z: Any, precision: int) -> Any:
        """Return the value at a number, to a precision in bits."""
        return _BY_CLASS[cls].definition(z)._eval_evalf(precision)

    def fdiff(self, argindex: int = 1) -> Any:
        """Return the closed derivative with respect to the one argument."""
        if argindex != 1:
            raise sp.core.function.ArgumentIndexError(self, argindex)
        return _BY_CLASS[type(self)].derivative(self.args[0])

    def definition(self) -> Any:
        """Return the function in plain SymPy."""
        return _BY_CLASS[type(self)].definition(self.args[0])

    def _eval_is_extended_real(self) -> Any:
        return self.args[0].is_extended_real

    def _eval_evalf(self, prec: int) -> Any:
        if not self.args[0].is_number:
            return None
        return self.at(self.args[0]._eval_evalf(prec), prec)

    def _eval_rewrite(self, rule: Any, args: Any, **hints: Any) -> Any:
        """Rewrite in terms of what the definition is made of; leave every other wish alone."""
        known = (sp.exp, sp.log, sp.tanh, sp.erf, sp.Piecewise, sp.Max, sp.Heaviside)
        return self.definition().rewrite(rule) if rule in known else None

    def _latex(self, printer: Any, exp: Any = None) -> str:
        name = _BY_CLASS[type(self)].latex
        power = "" if exp is None else f"^{{{exp}}}"
        return rf"{name}{power}\left({printer._print(self.args[0])}\right)"

    def _code(self, module: str, printer: Any) -> str:
        if module not in self.inline:
            return str(printer._print(self.definition()))
        z = f"({printer._print(self.args[0])})"
        parts = self.inline[module].split("@")
        # "@exp@" in a template is that function of the module, imported by the printer.
        parts[1::2] = [printer._module_format(f"{module}.{name}") for name in parts[1::2]]
        return "(" + "".join(parts).format(z=z) + ")"

    def _numpycode(self, printer: Any, **_: Any) -> str:
        return self._code("numpy", printer)

    def _scipycode(self, printer: Any, **_: Any) -> str:
        return self._code("numpy", printer)

    def _pythoncode(self, printer: Any, **_: Any) -> str:
        return self._code("math", printer)

    def _mpmathcode(self, printer: Any, **_: Any) -> str:
        return self._code("mpmath", printer)


@scalar_function(
    "sigmoid",
    definition=lambda z: 1 / (1 + sp.exp(-z)),
    derivative=lambda z: sigmoid(z) * (1 - sigmoid(z)),
    from_value=lambda a: a * (1 - a),
    latex=r"\sigma",
    law="sigma'(z) = sigma(z) (1 - sigma(z)), because 1 - sigma(z) = exp(-z) / (1 + exp(-z))",
    kernel="""\
def sigmoid(z):
    # One exponential of a negative number: nothing overflows, small values keep their digits.
    e = np.exp(-np.abs(z))
    return np.where(z >= 0, 1.0, e) / (1.0 + e)
""",
    example=sp.Rational(3, 7),
)
class sigmoid(ScalarFunctionBase):
    """The logistic function 1 / (1 + exp(-z)).

    >>> z = sp.Symbol("z", real=True)
    >>> sigmoid(z).diff(z)
    (1 - sigmoid(z))*sigmoid(z)
    """

    inline: ClassVar[dict[str, str]] = {
        "numpy": "@exp@(-@logaddexp@(0.0, -{z}))",
        "math": "1/(1 + @exp@(-{z})) if {z} >= 0 else @exp@({z})/(1 + @exp@({z}))",
        "mpmath": "1/(1 + @exp@(-{z}))",
    }

    @classmethod
    def eval(cls, z: Any) -> Any:
        """Know the value at 0, and evaluate at floating-point numbers."""
        return sp.Rational(1, 2) if z.is_zero else super().eval(z)

    def _eval_is_positive(self) -> Any:
        return self.args[0].is_extended_real


@scalar_function(
    "step",
    definition=lambda z: sp.Piecewise((1, z > 0), (0, True)),
    derivative=lambda z: sp.S.Zero,
    latex=r"\operatorname{step}",
    law="step'(z) = 0 for z != 0; at 0 the convention is 0",
    kernel="""\
def step(z):
    return np.heaviside(z, 0.0)
""",
    example=sp.Rational(-5, 7),
    kinks=(sp.S.Zero,),
)
class step(ScalarFunctionBase):
    """One where z > 0, else zero: the derivative of relu.

    >>> step(sp.Integer(3)), step(sp.Integer(0))
    (1, 0)
    """

    inline: ClassVar[dict[str, str]] = {
        "numpy": "@heaviside@({z}, 0.0)",
        "math": "1.0 if {z} > 0 else 0.0",
        "mpmath": "@mpf@(1) if {z} > 0 else @mpf@(0)",
    }

    @classmethod
    def eval(cls, z: Any) -> Any:
        """Evaluate where the sign of z is known."""
        if z.is_extended_positive:
            return sp.S.One
        return sp.S.Zero if z.is_extended_nonpositive else None


@scalar_function(
    "relu",
    definition=lambda z: sp.Piecewise((z, z > 0), (0, True)),
    derivative=lambda z: step(z),
    from_value=lambda a: step(a),
    latex=r"\operatorname{relu}",
    law="relu'(z) = 1 for z > 0 and 0 for z < 0; at 0 the convention is 0",
    kernel="""\
def relu(z):
    return np.maximum(z, 0.0)
""",
    example=sp.Rational(5, 7),
    kinks=(sp.S.Zero,),
)
class relu(ScalarFunctionBase):
    """The rectifier max(0, z); its derivative at 0 is 0 by convention.

    >>> relu(sp.Integer(-2)), relu(sp.Symbol("z", real=True)).fdiff()
    (0, step(z))
    """

    inline: ClassVar[dict[str, str]] = {
        "numpy": "@maximum@({z}, 0.0)",
        "math": "{z} if {z} > 0 else 0.0",
        "mpmath": "{z} if {z} > 0 else @mpf@(0)",
    }

    @classmethod
    def eval(cls, z: Any) -> Any:
        """Evaluate where the sign of z is known."""
        if z.is_extended_nonnegative:
            return z
        return sp.S.Zero if z.is_extended_nonpositive else None


@scalar_function(
    "softplus",
    definition=lambda z: sp.log(1 + sp.exp(z)),
    derivative=lambda z: sigmoid(z),
    latex=r"\operatorname{softplus}",
    law="softplus'(z) = exp(z) / (1 + exp(z)) = sigma(z)",
    kernel="""\
def softplus(z):
    return np.logaddexp(0.0, z)
""",
    example=sp.Rational(-3, 5),
)
class softplus(ScalarFunctionBase):
    """The smooth rectifier log(1 + exp(z)).

    >>> softplus(sp.Symbol("z", real=True)).fdiff()
    sigmoid(z)
    """

    inline: ClassVar[dict[str, str]] = {
        "numpy": "@logaddexp@(0.0, {z})",
        "math": "@log1p@(@exp@(-abs({z}))) + max({z}, 0.0)",
        "mpmath": "@log1p@(@exp@(-abs({z}))) + max({z}, 0)",
    }

    @classmethod
    def at(cls, z: Any, precision: int) -> Any:
        """Return the value at a number; log(1 + exp(z)) as it stands loses small values."""
        with mpmath.workprec(precision + 10):
            x = z._to_mpmath(precision)
            return sp.Float._new((mpmath.log1p(mpmath.exp(-abs(x))) + max(x, 0))._mpf_, precision)

    def _eval_is_positive(self) -> Any:
        return self.args[0].is_extended_real


@scalar_function(
    "identity",
    definition=lambda z: z,
    derivative=lambda z: sp.S.One,
    from_value=lambda a: sp.S.One,
    latex=r"\operatorname{id}",
    law="id'(z) = 1",
    example=sp.Rational(2, 7),
)
def identity(z: Any) -> Any:
    """Return z itself: the activation of a linear layer.

    >>> identity(sp.Symbol("z"))
    z
    """
    return z


scalar_function(
    "tanh",
    definition=lambda z: (sp.exp(z) - sp.exp(-z)) / (sp.exp(z) + sp.exp(-z)),
    derivative=lambda z: 1 - sp.tanh(z) ** 2,
    from_value=lambda a: 1 - a**2,
    latex=r"\tanh",
    law="tanh'(z) = 1 - tanh(z)^2, the quotient rule on sinh / cosh",
    example=sp.Rational(3, 8),
)(sp.tanh)


# The other activations register themselves.
from symgrad.functions.activations import (  # noqa: E402
    elu,
    gelu,
    gelu_tanh,
    hard_sigmoid,
    hardtanh,
    leaky_relu,
    log1pexp,
    log_cosh,
    log_sigmoid,
    mish,
    selu,
    silu,
    softsign,
)
from symgrad.functions.several import logsumexp, xlogy  # noqa: E402

__all__ = [
    "ALIASES",
    "FUNCTIONS",
    "ScalarFunction",
    "ScalarFunctionBase",
    "activation",
    "elu",
    "entry_of",
    "gelu",
    "gelu_tanh",
    "hard_sigmoid",
    "hardtanh",
    "identity",
    "kernels_of",
    "leaky_relu",
    "log1pexp",
    "log_cosh",
    "log_sigmoid",
    "logsumexp",
    "mish",
    "relu",
    "scalar_function",
    "selu",
    "sigmoid",
    "silu",
    "softplus",
    "softsign",
    "step",
    "xlogy",
]
