"""C text of the gamma function's relatives, in double; float is computed in double.

`log_gamma`, `digamma` and `polygamma` go up by their recurrence to where the asymptotic series
holds, and come from below 0 by reflection, as in `symgrad.functions.special`. The C library's
lgamma is not called: it writes a global variable, which two threads may not share.
"""

from __future__ import annotations

from typing import NamedTuple

from symgrad.functions.special import HIGHEST_ORDER


class Special(NamedTuple):
    """A function in double.

    Attributes:
        text: Its C source.
        public: Whether users call it; then it has a form in float, too.
        given: The declaration of its arguments in float.
        passed: Those arguments, as they are passed on.
        needs: Names of the functions that it calls.
    """

    text: str
    public: bool = True
    given: str = "float x"
    passed: str = "(double)x"
    needs: tuple[str, ...] = ()


#: The source by name.
SPECIAL: dict[str, Special] = {
    "gamma_function": Special("""\
/* There is no value at 0, -1, -2, ... */
static inline double sg_gamma_function(double x) {
    return x <= 0.0 && x == floor(x) ? NAN : tgamma(x);
}
"""),
    "part_of_pi": Special(
        """\
/* pi times the distance to the nearest integer: what the sine and the tangent of pi x need. */
static inline double sg_part_of_pi(double x) { return 3.141592653589793 * (x - floor(x + 0.5)); }
""",
        public=False,
    ),
    "log_gamma": Special(
        """\
/* log |gamma(x)| */
static inline double sg_log_gamma(double x) {
    double z = fabs(x), product = 1.0;
    if (z > 1e300) return x > 0.0 ? z * (log(z) - 1.0) : NAN;
    if (z == 1.0 || z == 2.0) { if (x > 0.0) return 0.0; }
    for (; z < 10.0; z += 1.0) product *= z;
    const double s = 1.0 / (z * z);
    const double series = (1.0 / 12 - s * (1.0 / 360 - s * (1.0 / 1260 - s * (1.0 / 1680
        - s * (1.0 / 1188 - s * (691.0 / 360360 - s * (1.0 / 156))))))) / z;
    const double value = (z - 0.5) * (log(z) - 1.0) + (series + 0.4189385332046727) - log(product);
    if (x > 0.0 || x == 0.0 || x != x) return value;
    return log(3.141592653589793 / fabs(x * sin(sg_part_of_pi(x)))) - value;
}
""",
        needs=("part_of_pi",),
    ),
    "digamma": Special(
        """\
/* The derivative of log gamma; no value at 0, -1, -2, ... */
static inline double sg_digamma(double x) {
    double z = fabs(x), shift = 0.0;
    for (; z < 10.0; z += 1.0) shift += 1.0 / z;
    const double s = 1.0 / (z * z);
    const double series = s * (1.0 / 12 - s * (1.0 / 120 - s * (1.0 / 252 - s * (1.0 / 240
        - s * (1.0 / 132 - s * (691.0 / 32760 - s * (1.0 / 12 - s * (3617.0 / 8160))))))));
    const double value = log(z) - 0.5 / z - series - shift;
    if (x > 0.0 || x != x) return value;
    const double angle = sg_part_of_pi(x);
    return angle == 0.0 ? NAN : value - 1.0 / x - 3.141592653589793 / tan(angle);
}
""",
        needs=("part_of_pi",),
    ),
    "polygamma": Special(
        """\
/* The n-th derivative of digamma, 0 <= n <= HIGHEST; NAN above. */
static inline double sg_polygamma(int n, double x) {
    static const double bernoulli[] = {
        1.0 / 6, -1.0 / 30, 1.0 / 42, -1.0 / 30, 5.0 / 66, -691.0 / 2730, 7.0 / 6, -3617.0 / 510,
        43867.0 / 798
    };
    double z = fabs(x), factorial = 1.0, shift = 0.0;
    if (n == 0) return sg_digamma(x);
    if (n < 0 || n > HIGHEST) return NAN;
    for (int k = 2; k <= n; k++) factorial *= k;
    for (; z < 10.0 + n; z += 1.0) shift += factorial / pow(z, n + 1);
    double rising = factorial / n / pow(z, n);
    double value = rising * (1.0 + 0.5 * n / z) + shift;
    for (int k = 0; k < 9; k++) {
        rising *= (2.0 * k + n) * (2.0 * k + n + 1) / ((2.0 * k + 1) * (2.0 * k + 2)) / (z * z);
        value += bernoulli[k] * rising;
    }
    if (x > 0.0 || x != x) return n % 2 ? value : -value;
    const double angle = sg_part_of_pi(x);
    if (angle == 0.0) return NAN;
    /* The n-th derivative of the cotangent c is a polynomial in c: c' = -1 - c^2. */
    double poly[HIGHEST + 2] = {0.0, 1.0}, next[HIGHEST + 2];
    for (int step = 0; step < n; step++) {
        for (int k = 0; k <= n + 1; k++)
            next[k] = -(k <= n ? (k + 1) * poly[k + 1] : 0.0)
                - (k >= 1 ? (k - 1) * poly[k - 1] : 0.0);
        memcpy(poly, next, sizeof poly);
    }
    double slope = 0.0;
    for (int k = n + 1; k >= 0; k--) slope = slope / tan(angle) + poly[k];
    return factorial / pow(fabs(x), n + 1) - value - pow(3.141592653589793, n + 1) * slope;
}
""".replace("HIGHEST", str(HIGHEST_ORDER)),
        given="int n, float x",
        passed="n, (double)x",
        needs=("digamma", "part_of_pi"),
    ),
}
