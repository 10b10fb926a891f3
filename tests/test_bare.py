"""What symgrad makes of bare SymPy at its borders: 1x1 matrices, powers, sizes, foreign values."""

import numpy as np
import pytest
import sympy as sp
from checks import agrees_with_what_was_written, gradient_is_right

import symgrad as sg

a, b = sp.symbols("a b", real=True)
i = sp.Symbol("i", integer=True)
n, m = sp.symbols("n m", integer=True, positive=True)
x = sp.IndexedBase("x")
A, v = sp.MatrixSymbol("A", 2, 2), sp.MatrixSymbol("v", 2, 1)
P, Q = sp.MatrixSymbol("P", 1, 1), sp.MatrixSymbol("Q", 1, 1)
M, u = sp.MatrixSymbol("M", m, m), sp.MatrixSymbol("u", m, 1)

ONE_BY_ONE = {
    "inverse in a trace": sp.Trace((sp.Identity(1) + P * P.T).I),
    "power in a determinant": sp.Determinant((P * P.T) ** 2),
    "square in a function": sp.Trace(sg.elementwise(sp.tanh, Q * Q)),
    "determinant and inverse": sp.Determinant(P) * sp.Trace(P.I),
    "power of a scaled sum": sp.Trace(sp.HadamardPower(a * sg.sum_rows(v) * sg.sum_rows(v), 2)),
    "power at the border": (v.T * v) ** 3,
    "inverse at the border": (v.T * A * v).I,
}


@pytest.mark.parametrize("case", ONE_BY_ONE)
def test_matrices_of_one_entry(case):
    # SymPy's Trace of a product that it has already made a power has no explicit form for the
    # oracle in two of these cases; the formula's own expression has.
    expression = ONE_BY_ONE[case]
    assert gradient_is_right(expression)
    compiled = sg.compile(expression)
    arrays = {name: np.full(var.shape, 0.7) for name, var in compiled.inputs.items()}
    assert np.isfinite(compiled(arrays))


@pytest.mark.parametrize("power", [-1, -2, -3])
def test_negative_powers_of_matrices(power):
    assert gradient_is_right(sp.Trace(sp.MatPow(A, power)))
    assert gradient_is_right((v.T * A ** (power - 1) * v)[0, 0])


def test_entries_of_products_of_symbolic_size_are_read_as_products():
    # SymPy writes the entry as a double sum over new indices.
    quadratic = (u.T * M.I * u)[0, 0]
    assert quadratic.has(sp.Sum)
    formula = sg.Formula.of(quadratic)
    assert not formula.sympy.has(sp.Sum)
    sizes = {"M": np.array([[2.0, 1.0], [0.5, 3.0]]), "u": np.array([[1.0], [-2.0]])}
    value, parts = sg.compile(quadratic, ["M", "u"])(sizes)
    inverse = np.linalg.inv(sizes["M"])
    assert value == pytest.approx((sizes["u"].T @ inverse @ sizes["u"])[0, 0], rel=1e-14)
    wanted = -inverse.T @ sizes["u"] @ sizes["u"].T @ inverse.T
    np.testing.assert_allclose(parts["M"], wanted, rtol=1e-13)
    np.testing.assert_allclose(parts["u"], (inverse + inverse.T) @ sizes["u"], rtol=1e-13)


def test_the_size_of_an_array_is_the_widest_range():
    formula = sg.Formula.of(x[0] * x[2] + sp.Sum(x[i], (i, 0, n - 1)))
    assert formula.inputs["x"].shape == ("n",)
    value, parts = sg.compile(formula, "x")(x=np.array([2.0, 3.0, 5.0, 7.0]))
    assert (value, parts["x"].tolist()) == (27.0, [6.0, 1.0, 3.0, 1.0])
    assert sg.Formula.of(sp.Sum(x[i], (i, 1, n)) * x[n + 2]).inputs["x"].shape == (n + 2,)
    assert agrees_with_what_was_written(x[0] * x[2] + sp.Sum(x[i] ** 2, (i, 1, 4)))


def test_sizes_that_cannot_be_compared_are_refused():
    with pytest.raises(sg.ShapeError, match="the size of `x` is not clear"):
        sg.Formula.of(sp.Sum(x[i], (i, 0, n - 1)) + sp.Sum(x[i], (i, 0, m - 1)))


def test_formulas_are_divided_and_raised():
    made = sg.Formula.of(a * b)
    assert (made / 2).sympy == a * b / 2
    assert (made**2).sympy == (a * b) ** 2
    assert (1 / made).sympy == 1 / (a * b)
    assert (sg.Formula.of(A * v) / a).shape == (2, 1)
    assert gradient_is_right(made / (1 + a**2))
    for wrong in (lambda: made / sg.Formula.of(A), lambda: sg.Formula.of(A) ** 2):
        with pytest.raises(sg.UnsupportedError, match="scalar"):
            wrong()


def test_numbers_too_large_for_double_precision():
    with pytest.raises(sg.UnsupportedError, match="too large for double precision"):
        sg.compile(a * sp.Integer(10) ** 400)
    assert sg.compile(a * sp.Rational(10**30 + 1, 10**30))(a=3.0) == pytest.approx(3, rel=1e-15)


def test_singular_matrices():
    compiled = sg.compile(sp.Determinant(A), "A")
    with pytest.raises(sg.DataError, match="singular"):
        compiled(A=np.ones((2, 2)))


@pytest.mark.parametrize(
    ("function", "words"),
    [
        (3, "not int"),
        (lambda z, y: z, "it raised"),
        (lambda z: None, "not NoneType"),
        (np.tanh, "it raised"),
        (lambda z: A, "it returned a matrix"),
        (lambda z: "z", "text is not read"),
    ],
)
def test_functions_that_are_not_of_scalars(function, words):
    with pytest.raises(sg.UnsupportedError, match=words):
        sg.elementwise(function, A)


def test_text_is_never_evaluated(tmp_path):
    attack = f"__import__('pathlib').Path({str(tmp_path / 'x')!r}).touch()"
    for verb in (sg.sum_entries, sg.sum_rows, sg.sum_columns, sg.gradient, sg.compile,
                 sg.Formula.of, lambda t: sg.elementwise(sp.tanh, t),
                 lambda t: sg.elementwise(lambda z: t, A), lambda t: sg.broadcast(t, 2, 2),
                 lambda t: sg.mse(t, t)):  # fmt: skip
        with pytest.raises(sg.SymgradError, match="text is not read"):
            verb(attack)
    assert not (tmp_path / "x").exists()


def test_repetitions_to_no_size():
    with pytest.raises(sg.ShapeError, match="positive integer"):
        sg.broadcast(a, -1, 3)


@pytest.mark.parametrize(
    ("write", "words"),
    [
        (lambda: sg.compile(a**2, ["a"]).save("/no/folder/f.py"), "no folder /no/folder"),
        (lambda: sg.derive(a**2, "a").save("/nowhere/f.tex"), "no folder /nowhere"),
        (lambda: sg.Network(1, [sg.Dense(1)]).fit([1, 2], [1, 2], loss="mse"), r"sg\.mse"),
    ],
    ids=["module", "derivation", "loss"],
)
def test_files_and_losses_that_are_none(write, words):
    with pytest.raises(sg.OptionError, match=words):
        write()
