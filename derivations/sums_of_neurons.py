"""One hidden layer as a sum of sigmoids: one, two and four of them."""

import sympy as sp
from _page import Page

import symgrad as sg
from symgrad.formats import pictures

x = sp.Symbol("x", real=True)
# Weights into the hidden units, their biases, weights out of them; the output has no bias.
NETS = {
    1: ((1,), (0,), (6.28,)),
    2: ((-1.5, 1.5), (-8, -8), (-5, 5)),
    4: ((0.2, -0.5, 1.9, -0.8), (1, -5.7, 0, 7.1), (7.2, 9.7, -6.3, -6.3)),
}
PLACES = (-10.0, 0.0, 1.0, 5.5, 10.0)


def network(units):
    """So many sigmoids of one input, added up with weights."""
    return sg.Network(1, [sg.Dense(units, activation="sigmoid"), sg.Dense(1, bias=False)])


def output(units):
    """The output as a formula in scalars."""
    return network(units).scalars().output


def formulas():
    """What the tests compare with the oracle: by name an expression and its variables."""
    return {f"output_{units}": (output(units), ["x"]) for units in NETS}


def values(units):
    """The numbers of a net by the names of its scalar form."""
    into, biases, out = NETS[units]
    names = [name for name in output(units).inputs if name != "x"]
    of = {"w1": into, "b1": biases, "w2": out}
    found = {}
    for name in names:
        letter, *index = name.split("_")
        found[name] = float(of[letter][int(index[-1]) - 1 if index else 0])
    return found


def parts(units):
    """Every hidden unit with its weight out, as a function of x."""
    into, biases, out = NETS[units]
    if units == 1:
        return
    for unit, (inside, bias, outside) in enumerate(zip(into, biases, out, strict=True), 1):
        term = sg.compile(outside * sg.sigmoid(inside * x + bias))
        yield f"unit {unit}", lambda v, term=term: term(x=v)


def write(folder):
    """Write the slope by the input, the numbers and the pictures."""
    page = Page("sums_of_neurons", "Sums of neurons")
    page.text(
        "A hidden layer of sigmoids and an output that only adds them up, each with its weight. "
        "The more units, the more shapes the sum can take."
    )
    page.derivation(sg.derive(output(2), ["x"]), "The slope by the input, two units")
    page.section("Values")
    rows = []
    for units in NETS:
        both = sg.compile(output(units), wrt=["x"])
        at = {place: both(**values(units), x=place) for place in PLACES}
        rows.append((units, *(value for value, _ in at.values()), at[1.0][1]["x"]))
    head = ["units", *(f"$y({place:g})$" for place in PLACES), "slope at 1"]
    page.table(head, rows)
    page.section("Pictures")
    for units in NETS:
        function = sg.compile(output(units))
        bound = values(units)
        drawn = {"sum": lambda v, f=function, at=bound: f(**at, x=v), **dict(parts(units))}
        figure = pictures.curves(
            drawn, (-10.0, 15.0), ("$x$", "$y$"), dashed=[n for n in drawn if n != "sum"], steps=251
        )
        page.picture(str(units), figure, f"Units: {units}; dashed, what each one adds")
    page.errata("the-line")
    return page.write(folder)
