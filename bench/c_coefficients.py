"""Computes the polynomials of symgrad/backends/c_polynomials.py and prints them with their errors.

Each is the best approximation (Remez' exchange, 60 digits) of a smooth function on a short
interval, its error weighted by how much of the result it is; the coefficients are then rounded to
the type. The table in the module is what this prints.

    python bench/c_coefficients.py
"""

import functools
import struct

import mpmath

mpmath.mp.dps = 60
#: Half an interval of the reduced argument of exp, a little more for ties.
REACH = mpmath.log(2) / 2 * mpmath.mpf("1.0001")


def exp_tail(r):
    """(exp(r) - 1 - r) / r^2, by its series: the quotient cancels near 0."""
    return mpmath.polyval([1 / mpmath.factorial(j + 2) for j in range(40, -1, -1)], r)


#: The partial fractions of coth, w coth(w) = 1 + sum over n of 2 z/(z + n^2 pi^2), in powers of z.
COTH = [(-1) ** (j + 1) * 2 * mpmath.zeta(2 * j) / mpmath.pi ** (2 * j) for j in range(1, 41)]


def coth_tail(z):
    """(w coth(w) - 1) / w^2 at w^2 = z."""
    return mpmath.polyval(COTH[::-1], z)


def atanh_tail(z):
    """(atanh(s)/s - 1) / s^2 at s^2 = z."""
    return mpmath.polyval([mpmath.mpf(1) / (2 * j + 3) for j in range(60, -1, -1)], z)


def tanh_tail(z):
    """(tanh(w)/w - 1) / w^2 at w^2 = z."""
    if z == 0:
        return -mpmath.mpf(1) / 3
    with mpmath.workdps(100):
        w = mpmath.sqrt(z)
        return (mpmath.tanh(w) / w - 1) / z


@functools.cache
def erfc_body(t):
    """erfc(y) exp(y^2) (1 + 2y) at (y - 2.5)/(y + 3) = t."""
    y = (mpmath.mpf("2.5") + 3 * t) / (1 - t)
    return mpmath.erfc(y) * mpmath.exp(y * y) * (1 + 2 * y)


def erf_tail(z):
    """erf(w)/w - 1 at w^2 = z, by its series."""
    terms = [(-1) ** j / (mpmath.factorial(j) * (2 * j + 1)) for j in range(40, -1, -1)]
    return 2 / mpmath.sqrt(mpmath.pi) * mpmath.polyval(terms, z) - 1


def even(x):
    """A weight that is the same everywhere."""
    return 1


#: What is approximated: the function, its interval, the weight of its error, the degree by type.
TABLE = {
    "exp_tail": (exp_tail, -REACH, REACH, lambda r: r * r, {"double": 9, "float": 4}),
    "coth_tail": (coth_tail, 0, mpmath.mpf("0.36"), lambda z: z, {"double": 7, "float": 3}),
    "atanh_tail": (atanh_tail, 0, mpmath.mpf("0.04"), lambda z: z, {"double": 7, "float": 2}),
    "tanh_tail": (tanh_tail, 0, mpmath.mpf("0.81"), lambda z: z, {"double": 15, "float": 7}),
    "erfc_body": (
        erfc_body,
        -mpmath.mpf("2.5") / 3,
        mpmath.mpf("25.1") / mpmath.mpf("30.6"),
        even,
        {"double": 23, "float": 11},
    ),
    "erf_tail": (erf_tail, 0, mpmath.mpf("0.25"), even, {"double": 8, "float": 4}),
}


def extrema(error, low, high, count):
    """The places of the largest errors, one between every two changes of sign."""
    grid = [
        (low + high) / 2 - (high - low) / 2 * mpmath.cos(mpmath.pi * j / 600) for j in range(601)
    ]
    runs: list[list[tuple]] = []
    for x in grid:
        value = error(x)
        if value == 0:
            continue
        if not runs or (runs[-1][-1][1] > 0) != (value > 0):
            runs.append([])
        runs[-1].append((x, value))
    best = [max(run, key=lambda pair: abs(pair[1])) for run in runs]
    while len(best) > count:
        best.pop(0 if abs(best[0][1]) < abs(best[-1][1]) else -1)
    return [x for x, _ in best]


def best_polynomial(function, low, high, weight, degree):
    """Remez' exchange for the weighted error; a weight of 0 takes a place out of the game."""
    count = degree + 2
    places = [
        (low + high) / 2 - (high - low) / 2 * mpmath.cos(mpmath.pi * (2 * j + 1) / (2 * count))
        for j in range(count)
    ]
    for _ in range(12):
        system, values = mpmath.matrix(count, count), mpmath.matrix(count, 1)
        for row, x in enumerate(places):
            for power in range(degree + 1):
                system[row, power] = weight(x) * x**power
            system[row, degree + 1] = (-1) ** row
            values[row] = weight(x) * function(x)
        coefficients = list(mpmath.lu_solve(system, values))[:-1]
        found = extrema(
            lambda x, c=coefficients: weight(x) * (mpmath.polyval(c[::-1], x) - function(x)),
            low,
            high,
            count,
        )
        if len(found) < count:
            break
        places = found
    return coefficients


def rounded(value, kind):
    """The nearest number of a type, as a Python float."""
    return float(value) if kind == "double" else struct.unpack("f", struct.pack("f", value))[0]


def largest_error(coefficients, function, low, high, weight):
    """The largest weighted error on a grid, as a power of two."""
    worst = max(
        weight(x) * abs(mpmath.polyval(coefficients[::-1], x) - function(x))
        for x in (low + (high - low) * mpmath.mpf(j) / 500 for j in range(501))
    )
    return float(mpmath.log(worst, 2))


def in_c(value):
    """A hexadecimal constant of C without the zeros at the end."""
    fraction, _, exponent = value.hex().partition("p")
    return f"{fraction.rstrip('0').rstrip('.')}p{int(exponent)}"


def main():
    for name, (function, low, high, weight, degrees) in TABLE.items():
        for kind, degree in degrees.items():
            exact = best_polynomial(function, low, high, weight, degree)
            held = [rounded(value, kind) for value in exact]
            bits = largest_error(held, function, low, high, weight)
            print(f"{name}, {kind}: weighted error 2^{bits:.1f}")
            print("    " + ", ".join(f'"{in_c(value)}"' for value in held))


if __name__ == "__main__":
    main()
