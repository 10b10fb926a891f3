"""The gamma function and its relatives: NumPy source of their values.

SymPy has the functions (`gamma`, `loggamma`, `polygamma`), NumPy has not. Lanczos' sum gives gamma;
for its logarithmic derivatives a small argument is shifted up by the recurrence
psi(z) = psi(z + 1) - 1/z, to where the asymptotic series holds. A negative argument is reflected:
gamma(x) gamma(1 - x) = pi / sin(pi x), with gamma(1 - x) = -x gamma(-x), so that nothing is rounded
before. The tests compare all of it with mpmath.
"""

from __future__ import annotations

from typing import Any

import sympy as sp

#: How SymPy's functions are called in generated code.
NAMES: dict[Any, str] = {
    sp.gamma: "gamma_function",
    sp.loggamma: "log_gamma",
    sp.polygamma: "polygamma",
}
#: Above this order the derivatives of digamma are not computed.
HIGHEST_ORDER = 20

#: NumPy source by the function's name in generated code; the tests measure the stated errors.
KERNELS = {
    "lanczos": """\
def lanczos(z):
    # gamma(z) exp(base) / base ** (z - 0.5) at base = z + 5.52468..., for z > 0.
    z = np.minimum(z, 1e20)
    over, under = 2.5066282746310002, 1.0
    for a, b in (
        (210.82427775157935, 66.0),
        (8071.6720023658163, 1925.0),
        (186056.26539522350, 32670.0),
        (2876370.6289353725, 357423.0),
        (31426415.585400194, 2637558.0),
        (248874557.86205417, 13339535.0),
        (1439720407.3117216, 45995730.0),
        (6039542586.3520281, 105258076.0),
        (17921034426.037210, 150917976.0),
        (35711959237.355668, 120543840.0),
        (42919803642.649099, 39916800.0),
        (23531376880.410759, 0.0),
    ):
        over, under = over * z + a, under * z + b
    return over / under
""",
    "gamma_function": """\
def gamma_function(x):
    # The relative error is below 5e-15; at 0, -1, -2, ... there is no value.
    x, kind = np.asarray(x, dtype=float), np.result_type(x, 0.0)
    z, whole = np.abs(x), np.round(x)
    base = z + 5.5246800407767296
    # What rounding took from the base, and what that changes.
    lost = ((base - z) - 5.5246800407767296) * 6.0246800407767296 / base
    side = np.where(whole % 2 == 0, np.sin(np.pi * (x - whole)), -np.sin(np.pi * (x - whole)))
    with np.errstate(all="ignore"):
        half = base ** (0.5 * z - 0.25)
        value = half * (lanczos(z) * np.exp(-base) * (1.0 - lost) * half)
        below = np.where(side == 0, np.nan, -np.pi / (x * side) / value)
    return np.where(x <= 0, below, value).astype(kind)[()]
""",
    "log_gamma": """\
def log_gamma(x):
    # log |gamma(x)|; the error is below 2e-15 (1 + |value|).
    x, kind = np.asarray(x, dtype=float), np.result_type(x, 0.0)
    z = np.abs(x)
    base = z + 5.5246800407767296
    with np.errstate(all="ignore"):
        value = (z - 0.5) * (np.log(base) - 1.0) + (np.log(lanczos(z)) - 6.0246800407767296)
        value = np.where((z == 1.0) | (z == 2.0), 0.0, value)
        below = np.log(np.pi / np.abs(x * np.sin(np.pi * (x - np.round(x))))) - value
    return np.where(x <= 0, below, value).astype(kind)[()]
""",
    "digamma": """\
def digamma(x):
    # The derivative of log gamma; the error is below 2e-15 (1 + |value|). No value at 0, -1, ...
    x, kind = np.asarray(x, dtype=float), np.result_type(x, 0.0)
    z = np.abs(x)
    shift = np.zeros_like(z)
    with np.errstate(all="ignore"):
        for _ in range(10):
            small = z < 10.0
            shift, z = np.where(small, shift + 1.0 / z, shift), np.where(small, z + 1.0, z)
        s = 1.0 / (z * z)
        series = 1 / 240 - s * (1 / 132 - s * (691 / 32760 - s * (1 / 12 - s * 3617 / 8160)))
        series = s * (1 / 12 - s * (1 / 120 - s * (1 / 252 - s * series)))
        value = np.log(z) - 0.5 / z - series - shift
        angle = np.pi * (x - np.round(x))
        below = value - 1.0 / x - np.pi / np.where(angle == 0, np.nan, np.tan(angle))
    return np.where(x <= 0, below, value).astype(kind)[()]
""",
    "polygamma": """\
def polygamma(n, x):
    # The n-th derivative of digamma, n > 0; the relative error is below 1e-14 where x > 0.
    x, kind = np.asarray(x, dtype=float), np.result_type(x, 0.0)
    z, factorial = np.abs(x), 1.0
    for k in range(2, n + 1):
        factorial *= k
    shift = np.zeros_like(z)
    with np.errstate(all="ignore"):
        for _ in range(10 + n):
            small = z < 10.0 + n
            shift = np.where(small, shift + factorial / z ** (n + 1), shift)
            z = np.where(small, z + 1.0, z)
        rising = factorial / n / z**n
        value = rising * (1.0 + 0.5 * n / z) + shift
        for k, b in enumerate(
            (1 / 6, -1 / 30, 1 / 42, -1 / 30, 5 / 66, -691 / 2730, 7 / 6, -3617 / 510, 43867 / 798)
        ):
            # With the Bernoulli numbers b: (2k + n + 1)! / (2k + 2)! / z^(2k + n + 2).
            growth = (2 * k + n) * (2 * k + n + 1) / ((2 * k + 1) * (2 * k + 2))
            rising = rising * growth / (z * z)
            value = value + b * rising
        # Below 0 by reflection: derivatives of the cotangent are polynomials in the cotangent.
        angle = np.pi * (x - np.round(x))
        cotangent = 1.0 / np.where(angle == 0, np.nan, np.tan(angle))
        slope = np.polynomial.Polynomial([0.0, 1.0])
        for _ in range(n):
            slope = slope.deriv() * np.polynomial.Polynomial([-1.0, 0.0, -1.0])
        below = factorial / np.abs(x) ** (n + 1) - value - np.pi ** (n + 1) * slope(cotangent)
    return np.where(x <= 0, below, (-1.0) ** (n + 1) * value).astype(kind)[()]
""",
}

#: The kernels that a kernel calls.
NEEDS = {"gamma_function": ("lanczos",), "log_gamma": ("lanczos",)}
