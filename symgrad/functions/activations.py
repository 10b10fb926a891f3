r"""More activations, and the error function that one of them needs.

Constants are those of the papers and of the frameworks: slope 1/100 of leaky
relu, alpha = 1 of elu, the fixed point of selu, (z + 3)/6 of hard sigmoid.
Where a derivative jumps, its value there is the limit from one side or zero, as
each entry's law says.
"""

from __future__ import annotations

from typing import Any, ClassVar

import mpmath
import sympy as sp

from symgrad.functions import ScalarFunctionBase, scalar_function, sigmoid, softplus, step

HALF = sp.Rational(1, 2)
#: The constant in the tanh form of gelu.
CUBIC = sp.Rational(44715, 1000000)


class _SeluConstant(sp.NumberSymbol):
    """A constant of selu: with the two, a layer keeps mean 0 and variance 1."""

    is_real = is_finite = is_positive = True
    is_negative = is_zero = False
    is_number = True
    __slots__ = ()
    digits: ClassVar[str]
    word: ClassVar[str]

    def _as_mpf_val(self, prec: int) -> Any:
        return sp.Rational(self.digits)._as_mpf_val(prec)

    def _latex(self, printer: Any) -> str:
        return rf"{self.word}_{{\mathrm{{selu}}}}"

    def _code(self, printer: Any, **_: Any) -> str:
        return self.digits

    _numpycode = _scipycode = _pythoncode = _code

    def _mpmathcode(self, printer: Any, **_: Any) -> str:
        return str(printer._print(sp.Rational(self.digits)))


class SeluAlpha(_SeluConstant):
    """The value -selu(-oo) / scale.

    >>> sp.N(SeluAlpha(), 8)
    1.6732632
    """

    digits = "1.6732632423543772848170429916717"
    word = r"\alpha"


class SeluScale(_SeluConstant):
    """The slope of selu for z > 0.

    >>> sp.N(SeluScale(), 8)
    1.0507010
    """

    digits = "1.0507009873554804934193349852946"
    word = r"\lambda"


SELU_ALPHA, SELU_SCALE = SeluAlpha(), SeluScale()


@scalar_function(
    "leaky_relu",
    definition=lambda z: sp.Piecewise((z, z > 0), (z / 100, True)),
    derivative=lambda z: (1 + 99 * step(z)) / 100,
    from_value=lambda a: (1 + 99 * step(a)) / 100,
    latex=r"\operatorname{leaky}",
    law="leaky'(z) = 1 for z > 0 and 1/100 for z < 0; at 0 the convention is 1/100",
    kernel="""\
def leaky_relu(z):
    return np.where(z > 0, z, 0.01 * z)
""",
    example=sp.Rational(5, 7),
    kinks=(sp.S.Zero,),
)
class leaky_relu(ScalarFunctionBase):
    """The leaky rectifier: z for z > 0, z/100 below.

    >>> leaky_relu(sp.Symbol("z", real=True)).fdiff()
    99*step(z)/100 + 1/100
    """


@scalar_function(
    "elu",
    definition=lambda z: sp.Piecewise((z, z > 0), (sp.exp(z) - 1, True)),
    derivative=lambda z: sp.exp(sp.Min(0, z)),
    from_value=lambda a: 1 + sp.Min(0, a),
    latex=r"\operatorname{elu}",
    law="elu'(z) = 1 for z > 0 and exp(z) = 1 + elu(z) below: exp(min(0, z))",
    kernel="""\
def elu(z):
    return np.where(z > 0, z, np.expm1(np.minimum(z, 0.0)))
""",
    example=sp.Rational(-4, 7),
)
class elu(ScalarFunctionBase):
    """The exponential linear unit: z for z > 0, exp(z) - 1 below.

    >>> elu(sp.Symbol("z", real=True)).fdiff()
    exp(Min(0, z))
    """

    inline: ClassVar[dict[str, str]] = {
        "numpy": "@where@({z} > 0, {z}, @expm1@(@minimum@({z}, 0.0)))"
    }


@scalar_function(
    "selu",
    definition=lambda z: (
        SELU_SCALE * sp.Piecewise((z, z > 0), (SELU_ALPHA * (sp.exp(z) - 1), True))
    ),
    derivative=lambda z: (
        SELU_SCALE * sp.Piecewise((1, z > 0), (SELU_ALPHA * sp.exp(sp.Min(0, z)), True))
    ),
    from_value=lambda a: sp.Piecewise((SELU_SCALE, a > 0), (SELU_SCALE * SELU_ALPHA + a, True)),
    latex=r"\operatorname{selu}",
    law="selu'(z) = s for z > 0 and s alpha exp(z) = selu(z) + s alpha below; at 0 the convention "
    "is s alpha",
    kernel="""\
def selu(z):
    low = 1.6732632423543772 * np.expm1(np.minimum(z, 0.0))
    return 1.0507009873554805 * np.where(z > 0, z, low)
""",
    example=sp.Rational(-3, 8),
    kinks=(sp.S.Zero,),
)
class selu(ScalarFunctionBase):
    """The scaled exponential linear unit (self-normalising).

    >>> sp.N(selu(sp.Float(1)), 6)
    1.05070
    """

    inline: ClassVar[dict[str, str]] = {
        "numpy": "(1.0507009873554805*@where@({z} > 0, {z}, "
        "1.6732632423543772*@expm1@(@minimum@({z}, 0.0))))"
    }


@scalar_function(
    "silu",
    definition=lambda z: z / (1 + sp.exp(-z)),
    derivative=lambda z: sigmoid(z) * (1 + z * (1 - sigmoid(z))),
    latex=r"\operatorname{silu}",
    law="silu(z) = z sigma(z), so silu'(z) = sigma(z) + z sigma(z) (1 - sigma(z))",
    kernel="""\
def silu(z):
    return z * sigmoid(z)
""",
    needs=("sigmoid",),
    example=sp.Rational(5, 9),
)
class silu(ScalarFunctionBase):
    """The sigmoid-weighted linear unit z sigma(z), also called swish.

    >>> silu(sp.Symbol("z", real=True)).definition()
    z/(1 + exp(-z))
    """

    inline: ClassVar[dict[str, str]] = {"numpy": "({z}*@exp@(-@logaddexp@(0.0, -{z})))"}


@scalar_function(
    "mish",
    definition=lambda z: z * sp.tanh(sp.log(1 + sp.exp(z))),
    derivative=lambda z: sp.tanh(softplus(z)) + z * sigmoid(z) * (1 - sp.tanh(softplus(z)) ** 2),
    latex=r"\operatorname{mish}",
    law="mish(z) = z t with t = tanh(softplus(z)), so mish'(z) = t + z sigma(z) (1 - t^2)",
    kernel="""\
def mish(z):
    return z * np.tanh(np.logaddexp(0.0, z))
""",
    example=sp.Rational(-2, 5),
)
class mish(ScalarFunctionBase):
    """The self-regularised activation z tanh(softplus(z)).

    >>> mish(sp.Integer(0)).definition()
    0
    """

    inline: ClassVar[dict[str, str]] = {"numpy": "({z}*@tanh@(@logaddexp@(0.0, {z})))"}

    @classmethod
    def at(cls, z: Any, precision: int) -> Any:
        """Return the value at a number; log(1 + exp(z)) as it stands loses small values."""
        return (z * sp.tanh(softplus.at(z, precision + 10)))._eval_evalf(precision)


@scalar_function(
    "softsign",
    definition=lambda z: z / (1 + sp.Abs(z)),
    derivative=lambda z: (1 + sp.Abs(z)) ** -2,
    from_value=lambda a: (1 - sp.Abs(a)) ** 2,
    latex=r"\operatorname{softsign}",
    law="softsign'(z) = 1/(1 + |z|)^2 = (1 - |softsign(z)|)^2, by the quotient rule",
    kernel="""\
def softsign(z):
    return z / (1.0 + np.abs(z))
""",
    example=sp.Rational(-7, 5),
)
class softsign(ScalarFunctionBase):
    """The rational sigmoid z / (1 + abs(z)).

    >>> softsign(sp.Symbol("z", real=True)).fdiff()
    (Abs(z) + 1)**(-2)
    """


@scalar_function(
    "hardtanh",
    definition=lambda z: sp.Piecewise((-1, z < -1), (1, z > 1), (z, True)),
    derivative=lambda z: step(1 - sp.Abs(z)),
    from_value=lambda a: step(1 - sp.Abs(a)),
    latex=r"\operatorname{hardtanh}",
    law="hardtanh'(z) = 1 for |z| < 1 and 0 for |z| > 1; at -1 and 1 the convention is 0",
    kernel="""\
def hardtanh(z):
    return np.clip(z, -1.0, 1.0)
""",
    example=sp.Rational(2, 3),
    kinks=(sp.S.NegativeOne, sp.S.One),
)
class hardtanh(ScalarFunctionBase):
    """The piecewise linear tanh: z clipped to [-1, 1].

    >>> hardtanh(sp.Symbol("z", real=True)).fdiff()
    step(1 - Abs(z))
    """


@scalar_function(
    "hard_sigmoid",
    definition=lambda z: sp.Piecewise((0, z < -3), (1, z > 3), (z / 6 + HALF, True)),
    derivative=lambda z: step(3 - sp.Abs(z)) / 6,
    from_value=lambda a: step(a) * step(1 - a) / 6,
    latex=r"\operatorname{hard\,\sigma}",
    law="1/6 for |z| < 3 and 0 for |z| > 3; at -3 and 3 the convention is 0",
    kernel="""\
def hard_sigmoid(z):
    return np.clip(z / 6.0 + 0.5, 0.0, 1.0)
""",
    example=sp.Rational(9, 5),
    kinks=(sp.Integer(-3), sp.Integer(3)),
)
class hard_sigmoid(ScalarFunctionBase):
    """The piecewise linear sigmoid: z/6 + 1/2 clipped to [0, 1].

    >>> hard_sigmoid(sp.Symbol("z", real=True)).fdiff()
    step(3 - Abs(z))/6
    """


@scalar_function(
    "log_sigmoid",
    definition=lambda z: -sp.log(1 + sp.exp(-z)),
    derivative=lambda z: 1 - sigmoid(z),
    latex=r"(\log\sigma)",
    law="(log sigma)'(z) = sigma'(z)/sigma(z) = 1 - sigma(z)",
    kernel="""\
def log_sigmoid(z):
    return -np.logaddexp(0.0, -z)
""",
    example=sp.Rational(4, 9),
)
class log_sigmoid(ScalarFunctionBase):
    """The logarithm of the logistic function, without underflow.

    >>> log_sigmoid(sp.Symbol("z", real=True)).fdiff()
    1 - sigmoid(z)
    """

    inline: ClassVar[dict[str, str]] = {
        "numpy": "(-@logaddexp@(0.0, -{z}))",
        "math": "(-@log1p@(@exp@(-abs({z}))) + min({z}, 0.0))",
        "mpmath": "(-@log1p@(@exp@(-abs({z}))) + min({z}, 0))",
    }

    @classmethod
    def at(cls, z: Any, precision: int) -> Any:
        """Return the value at a number, -softplus(-z)."""
        return -softplus.at(-z, precision)


@scalar_function(
    "log_cosh",
    definition=lambda z: sp.log(sp.cosh(z)),
    derivative=lambda z: sp.tanh(z),
    latex=r"(\log\cosh)",
    law="(log cosh)'(z) = sinh(z)/cosh(z) = tanh(z)",
    kernel="""\
def log_cosh(z):
    # log(1 + 2 sinh^2(z/2)) near 0, |z| + log(1 + exp(-2|z|)) - log 2 elsewhere.
    size = np.abs(z)
    near = np.log1p(2.0 * np.sinh(0.5 * np.minimum(size, 1.0)) ** 2)
    return np.where(size < 1.0, near, size + np.log1p(np.exp(-2.0 * size)) - 0.6931471805599453)
""",
    example=sp.Rational(4, 7),
)
class log_cosh(ScalarFunctionBase):
    """The logarithm of the hyperbolic cosine, without overflow: a smooth absolute value.

    >>> log_cosh(sp.Symbol("z", real=True)).fdiff()
    tanh(z)
    """

    inline: ClassVar[dict[str, str]] = {
        "numpy": "(@logaddexp@({z}, -{z}) - @log@(2.0))",
        "math": "(abs({z}) + @log1p@(@exp@(-2*abs({z}))) - @log@(2))",
        "mpmath": "@log1p@(2*@sinh@({z}/2)**2)",
    }

    @classmethod
    def at(cls, z: Any, precision: int) -> Any:
        """Return the value at a number; log(cosh(z)) as it stands loses small values."""
        with mpmath.workprec(precision + 10):
            value = mpmath.log1p(2 * mpmath.sinh(z._to_mpmath(precision) / 2) ** 2)
            return sp.Float._new(value._mpf_, precision)


@scalar_function(
    "log1pexp",
    definition=lambda z: sp.log(1 + sp.exp(z)),
    derivative=lambda z: sigmoid(z),
    latex=r"\operatorname{log1pexp}",
    law="d/dz log(1 + exp(z)) = exp(z) / (1 + exp(z)) = sigma(z)",
    kernel="""\
def log1pexp(z):
    return np.logaddexp(0.0, z)
""",
    example=sp.Rational(-3, 5),
)
class log1pexp(softplus):
    r"""What people write as log(1 + exp(z)), and is printed so: softplus, computed stably.

    >>> print(sp.latex(log1pexp(sp.Symbol("z"))))
    \log\left(1 + e^{z}\right)
    """

    def _latex(self, printer: Any, exp: Any = None) -> str:
        power = "" if exp is None else f"^{{{exp}}}"
        return rf"\log{power}\left(1 + e^{{{printer._print(self.args[0])}}}\right)"


@scalar_function(
    "gelu",
    definition=lambda z: z * (1 + sp.erf(z / sp.sqrt(2))) / 2,
    derivative=lambda z: (
        (1 + sp.erf(z / sp.sqrt(2))) / 2 + z * sp.exp(-(z**2) / 2) / sp.sqrt(2 * sp.pi)
    ),
    latex=r"\operatorname{gelu}",
    law="gelu(z) = z Phi(z) with the normal distribution function Phi, so gelu'(z) = Phi(z) + "
    "z phi(z)",
    kernel="""\
def gelu(z):
    return 0.5 * z * erfc(-0.7071067811865476 * z)
""",
    needs=("erfc",),
    example=sp.Rational(-3, 7),
)
class gelu(ScalarFunctionBase):
    """The Gaussian error linear unit z Phi(z), exact.

    >>> gelu(sp.Symbol("z", real=True)).definition()
    z*(erf(sqrt(2)*z/2) + 1)/2
    """

    inline: ClassVar[dict[str, str]] = {
        "math": "({z}*@erfc@(-{z}*0.7071067811865476)/2)",
        "mpmath": "({z}*@erfc@(-{z}/@sqrt@(2))/2)",
    }

    @classmethod
    def at(cls, z: Any, precision: int) -> Any:
        """Return the value at a number; 1 + erf loses small values."""
        return (z * sp.erfc(-z / sp.sqrt(2)) / 2)._eval_evalf(precision)


def _inner(z: Any) -> Any:
    return sp.sqrt(2 / sp.pi) * (z + CUBIC * z**3)


@scalar_function(
    "gelu_tanh",
    definition=lambda z: z * (1 + sp.tanh(_inner(z))) / 2,
    derivative=lambda z: (
        (1 + sp.tanh(_inner(z))) / 2
        + z * (1 - sp.tanh(_inner(z)) ** 2) * sp.sqrt(2 / sp.pi) * (1 + 3 * CUBIC * z**2) / 2
    ),
    latex=r"\operatorname{gelu}_{\tanh}",
    law="with u = sqrt(2/pi) (z + 0.044715 z^3): (1 + tanh u)/2 + z (1 - tanh^2 u) u'/2",
    kernel="""\
def gelu_tanh(z):
    u = 0.7978845608028654 * (z + 0.044715 * z**3)
    return z * sigmoid(2.0 * u)
""",
    needs=("sigmoid",),
    example=sp.Rational(3, 7),
)
class gelu_tanh(ScalarFunctionBase):
    """The tanh form of the Gaussian error linear unit.

    >>> sp.N(gelu_tanh(sp.Float(1)), 6)
    0.841192
    """

    inline: ClassVar[dict[str, str]] = {
        "mpmath": "{z}/(1 + @exp@(-2*@sqrt@(2/@pi@)*({z} + @mpf@(44715)/1000000*{z}**3)))"
    }

    @classmethod
    def at(cls, z: Any, precision: int) -> Any:
        """Return the value at a number, z sigma(2 u); 1 + tanh(u) loses small values."""
        return (z / (1 + sp.exp(-2 * _inner(z))))._eval_evalf(precision)


scalar_function(
    "arctan",
    definition=lambda z: sp.atan(z),
    derivative=lambda z: 1 / (1 + z**2),
    latex=r"\arctan",
    law="arctan'(z) = 1/(1 + z^2), because tan' = 1 + tan^2",
    example=sp.Rational(3, 4),
)(sp.atan)

scalar_function(
    "sin",
    definition=lambda z: sp.sin(z),
    derivative=lambda z: sp.cos(z),
    latex=r"\sin",
    law="sin'(z) = cos(z)",
    example=sp.Rational(3, 4),
)(sp.sin)

scalar_function(
    "erf",
    definition=lambda z: sp.erf(z),
    derivative=lambda z: 2 * sp.exp(-(z**2)) / sp.sqrt(sp.pi),
    latex=r"\operatorname{erf}",
    law="erf'(z) = 2/sqrt(pi) exp(-z^2), the integrand of erf",
    kernel="""\
def erf(z):
    # x P(x^2) below 1/2, 1 - erfc above; the relative error is below 1e-15.
    series = (
        1.083882205490613, -0.04367779108737525, 0.0008071118294133213, -1.191317951927046e-05,
        1.440278733630302e-07, -1.467715582316901e-09, 1.2902439604484931e-11,
        -9.963857180158892e-14, 6.857505850501839e-16, -4.255370438044438e-18,
    )
    small = np.clip(z, -0.5, 0.5)
    near = z * np.polynomial.chebyshev.chebval(8.0 * small * small - 1.0, series)
    return np.where(np.abs(z) < 0.5, near, np.sign(z) * (1.0 - erfc(np.abs(z))))
""",
    needs=("erfc",),
    example=sp.Rational(2, 7),
)(sp.erf)

scalar_function(
    "erfc",
    definition=lambda z: sp.erfc(z),
    derivative=lambda z: -2 * sp.exp(-(z**2)) / sp.sqrt(sp.pi),
    latex=r"\operatorname{erfc}",
    law="erfc(z) = 1 - erf(z), so erfc'(z) = -2/sqrt(pi) exp(-z^2)",
    kernel="""\
def erfc(z):
    # exp(z^2) erfc(z) (1 + 2 z) is smooth in (z - 4)/(z + 4), where its Chebyshev series has
    # these coefficients (computed to 60 digits); the relative error is below 5e-15.
    series = (
        1.1774832005374487, -0.007260796620301896, -0.081265123236185, 0.06009212804122225,
        -0.02875393558027666, 0.010595663363472856, -0.0031369272945542693,
        0.0007456494372536141, -0.00013696965030100786, 1.718386160030101e-05,
        -7.15836462342478e-07, -2.4261399442016896e-07, 5.5765709400614974e-08,
        -2.1057869472156934e-09, -1.1717889328844296e-09, 1.9098355156906662e-10,
        1.4088715102194523e-11, -6.901112524272058e-12, 9.167487799781923e-14,
        2.1454115718488388e-13, -1.4718669674424494e-14, -6.6684014569842295e-15,
        7.529863414762441e-16, 2.26061724873172e-16, -2.7256904585986998e-17,
    )
    x = np.minimum(np.abs(z), 30.0)
    near = np.round(16.0 * x) / 16.0  # near^2 is exact, so that exp(-x^2) keeps its digits
    decay = np.exp(-near * near) * np.exp((near - x) * (near + x))
    tail = decay * np.polynomial.chebyshev.chebval((x - 4.0) / (x + 4.0), series) / (1.0 + 2.0 * x)
    return np.where(z >= 0, tail, 2.0 - tail)
""",
    example=sp.Rational(2, 7),
)(sp.erfc)
