"""The logarithm of the Gaussian density: many numbers, and one vector."""

import sympy as sp
from _page import Page, named

import symgrad as sg
from symgrad import demo
from symgrad.formats import pictures

n, d = sp.symbols("n d", integer=True, positive=True)
i = sp.Symbol("i", integer=True)
mu, sigma = sp.Symbol("mu", real=True), sp.Symbol("sigma", positive=True)
x = sp.IndexedBase("x", real=True)


def log_density(value):
    """The logarithm of the density at one number."""
    return -((value - mu) ** 2) / (2 * sigma**2) - sp.log(sigma) - sp.log(2 * sp.pi) / 2


def likelihood():
    """The sum of the logarithms over n samples."""
    return sp.Sum(log_density(x[i]), (i, 1, n))


def of_vector():
    """The logarithm of the density at a vector, with a matrix of covariances."""
    covariance, mean = sp.MatrixSymbol("Sigma", d, d), sp.MatrixSymbol("mu", d, 1)
    at, rest = sp.MatrixSymbol("x", d, 1), sp.MatrixSymbol("r", d, 1)
    distance = sp.Trace(rest.T * covariance.I * rest)
    size = sp.log(sp.Determinant(covariance))
    value = -distance / 2 - size / 2 - d * sp.log(2 * sp.pi) / 2
    return named((rest, at - mean), (sp.Symbol("L", real=True), value))


def formulas():
    """What the tests compare with the oracle: by name an expression and its variables."""
    return {
        "likelihood": (likelihood(), ["mu", "sigma"]),
        "of_vector": (of_vector(), ["mu", "Sigma"]),
    }


def numbers(page):
    """The ages: the slopes at their mean and deviation are 0, beside them they are not."""
    ages = demo.read_samples(None).x
    both = sg.compile(likelihood(), wrt=["mu", "sigma"])
    mean, deviation = float(ages.mean()), float(ages.std())
    rows = []
    for name, place in (
        ("mean and deviation (by n)", (mean, deviation)),
        ("the same, by n - 1", (mean, float(ages.std(ddof=1)))),
        ("mean 30, deviation 20", (30.0, 20.0)),
    ):
        value, slopes = both(x=ages, mu=place[0], sigma=place[1])
        rows.append((name, *place, value, slopes["mu"], slopes["sigma"]))
    page.section("The ages of the perceptron")
    page.text(
        "Both slopes are 0 at the mean and the population's standard deviation, the numbers by "
        "which the perceptron's inputs are standardised:"
    )
    page.table(["", "$\\mu$", "$\\sigma$", "$L$", "slope by $\\mu$", "slope by $\\sigma$"], rows)


def write(folder):
    """Write both derivations, the numbers and the picture."""
    page = Page("gaussian", "The Gaussian density")
    page.text("The logarithm turns the product of the samples' densities into a sum.")
    page.derivation(sg.derive(likelihood(), ["mu", "sigma"]), "Many numbers")
    numbers(page)
    page.derivation(sg.derive(of_vector(), ["mu", "Sigma"]), "One vector", "vector")
    page.text(
        "$\\Sigma$ is differentiated as a matrix of independent entries; for a symmetric one "
        "$\\Sigma^{-\\top} = \\Sigma^{-1}$."
    )
    page.section("The density")
    density = sg.compile(sp.exp(log_density(sp.Symbol("v", real=True))))
    shown = {}
    for mean, deviation in ((0.0, 1.0), (0.0, 2.0), (2.0, 0.7)):
        words = f"$\\mu$ = {mean:g}, $\\sigma$ = {deviation:g}"
        shown[words] = lambda v, m=mean, s=deviation: density(v=v, mu=m, sigma=s)
    figure = pictures.curves(shown, (-6.0, 6.0), ("$x$", "density"), steps=241)
    page.picture("density", figure, "Three densities")
    return page.write(folder)
