"""Twelve gradients that every textbook has, each as one formula."""

import sympy as sp
from _page import Page

import symgrad as sg

n, d, h, k = sp.symbols("n d h k", integer=True, positive=True)
X, Y = sp.MatrixSymbol("X", n, d), sp.MatrixSymbol("Y", n, k)
W, b = sp.MatrixSymbol("W", d, k), sp.MatrixSymbol("b", 1, k)
A, B, S = (sp.MatrixSymbol(name, d, d) for name in "ABS")
U, x = sp.MatrixSymbol("X", d, d), sp.MatrixSymbol("x", d, 1)
t, w = sp.MatrixSymbol("t", n, 1), sp.MatrixSymbol("w", d, 1)


def squares(matrix):
    """The sum of the squares of all entries."""
    return sg.sum_entries(sg.elementwise(lambda entry: entry**2, matrix))


def sigmoids():
    """A layer of sigmoids with a bias, with the squared error."""
    affine = X * W + sg.broadcast(b, n, k)
    return squares(sg.elementwise(sg.sigmoid, affine) - Y)


def layers(*activations):
    """A network with as many layers, of 4, 5, ... units, and the sum of squares."""
    units = range(4, 4 + len(activations))
    made = [sg.Dense(u, activation=name) for u, name in zip(units, activations, strict=True)]
    return sg.sse(sg.Network(3, made))


def classification():
    """Softmax with cross-entropy, where the rows of Y sum to one."""
    loss = -sg.sum_entries(sp.HadamardProduct(Y, sg.elementwise(sp.log, sg.softmax(X * W))))
    return sg.Formula.of(loss, assumptions={"Y": "rows sum to one"})


def logistic():
    """Logistic regression, with targets t of -1 and 1, as it is written by hand."""
    margins = -sp.HadamardProduct(t, X * w)
    return sg.sum_entries(sg.elementwise(lambda z: sp.log(1 + sp.exp(z)), margins))


#: By number: the words, the expression, the variables.
CASES = {
    "1": ("Least squares", squares(X * W - Y), ["W"]),
    "2": ("A layer of sigmoids", sigmoids(), ["W", "b"]),
    "3": ("Two layers of tanh", layers("tanh", "identity"), None),
    "4": ("Three layers of sigmoids", layers("sigmoid", "sigmoid", "sigmoid"), None),
    "5": ("Softmax with cross-entropy", classification(), ["W"]),
    "6": ("A trace", sp.Trace(A * U * B * U.T), ["X"]),
    "7": ("The logarithm of a determinant", sp.log(sp.Determinant(S)), ["S"]),
    "8": ("The trace of an inverse", sp.Trace(S.I * A), ["S"]),
    "9": ("A quadratic form", sp.Trace(x.T * A * x), ["x"]),
    "10": ("The length of a vector", sp.sqrt(sp.Trace(x.T * x)), ["x"]),
    "11": ("Logistic regression", logistic(), ["w"]),
    "12": ("A layer of rectifiers", squares(sg.elementwise(sg.relu, X * W) - Y), ["W"]),
}


def formulas():
    """What the tests compare with the oracle: by name an expression and its variables."""
    return {number: (expression, wrt) for number, (_, expression, wrt) in CASES.items()}


def write(folder):
    """Write one section a case."""
    page = Page("standard_cases", "Twelve standard cases")
    page.text(
        "Sizes are symbols, so that the formulas hold for all of them. $\\odot$ multiplies entry "
        "by entry, functions of a matrix are taken of every entry (softmax of every row), and "
        "$\\mathbf{1}$ is a column of ones."
    )
    for number, (words, expression, wrt) in CASES.items():
        page.section(f"{number}. {words}")
        page.formula(sg.gradient(sg.Formula.of(expression), wrt).derivation.latex(
            document=False, detail="result"))  # fmt: skip
    return page.write(folder)
