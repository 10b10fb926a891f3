"""A perceptron with one input and a tanh: the squared error of one sample, and its training."""

import sympy as sp
from _page import Page

import symgrad as sg
from symgrad import demo
from symgrad.formats import pictures

START, RATE, EPOCHS, NEW_AGE = demo.START, demo.LEARNING_RATE, demo.EPOCHS, demo.AGE


def loss():
    """The squared error of one sample."""
    return sg.mse(sg.Network(1, [sg.Dense(1, activation="tanh")]).scalars())


def formulas():
    """What the tests compare with the oracle: by name an expression and its variables."""
    return {"loss": (loss(), ["w1", "b1"])}


def train(update):
    """Ten epochs, sample after sample, and the (w, b) after each; the start comes first."""
    samples = demo.read_samples(None)
    path = [(START["w1"], START["b1"])]

    def follow(epoch, value, parameters):
        path.append((float(parameters["w1"]), float(parameters["b1"])))

    options = {"batch_size": 1, "shuffle": False, "standardize": "inputs"}
    fit = sg.train(
        loss(),
        (samples.x, samples.y),
        start=START,
        learning_rate=RATE,
        epochs=EPOCHS,
        update=update,
        callback=follow,
        **options,
    )
    return fit, path


def first_step(page, samples, z):
    """One sample at the start: its loss, its gradients, and where each update order goes."""
    point = {"x": z[0], "y": samples.y[0]}
    value, slopes = sg.compile(loss(), wrt=["w1", "b1"])(**point, **START)
    rows = [
        ("standardised input", z[0]),
        ("loss", value),
        ("slope by $w$", slopes["w1"]),
        ("slope by $b$", slopes["b1"]),
        ("$w$ after one step", START["w1"] - RATE * slopes["w1"]),
        ("$b$ after one step", START["b1"] - RATE * slopes["b1"]),
    ]
    moved = {**START, "w1": START["w1"] - RATE * slopes["w1"]}
    late = sg.compile(loss(), wrt=["b1"])(**point, **moved)[1]["b1"]
    rows.append(("$b$ after one step, if $w$ moves first", START["b1"] - RATE * late))
    page.section("One step on the first sample")
    page.text(f"At the start $w$ = {START['w1']}, $b$ = {START['b1']} with the rate {RATE}:")
    page.table(["", "value"], rows)


def training(page, samples):
    """The epochs beside the article's own program, and the new age."""
    article = demo.article_program(samples.x.tolist(), samples.y.tolist())
    fit, path = train("sequential")
    other, apart = train("simultaneous")
    page.section("Training")
    page.text(
        "Ten epochs in the order of the data. The article's program moves $w$ first and takes the "
        "slope by $b$ at the new $w$; its text moves both along one gradient. Both are shown; the "
        "program was run again in plain Python, and the last column is the larger distance to it."
    )
    head = ["epoch", "$w$, $w$ first", "$b$", "mean loss", "$w$, both at once", "$b$", "mean loss"]
    rows = [
        (k, *path[k], fit.losses[k], *apart[k], other.losses[k], max(map(abs, off)))
        for k in range(EPOCHS + 1)
        for off in [(path[k][0] - article.path[k][0], path[k][1] - article.path[k][1])]
    ]
    page.table([*head, "off the program"], rows)
    page.text(f"At the age {NEW_AGE:g}, both trained perceptrons predict:")
    page.table(
        ["order", "probability"],
        [
            ("$w$ first", fit.predict(NEW_AGE)),
            ("both at once", other.predict(NEW_AGE)),
        ],
    )
    page.text("What the article prints of its numbers, and the same from symgrad:")
    scaling = fit.standardisation["x"]
    first = float(scaling.apply(samples.x)[0])
    value = sg.compile(loss())(x=first, y=samples.y[0], **START)
    ours = [scaling.mean[0], scaling.std[0], first, value]
    page.table(
        ["", "article", "symgrad"],
        [
            (name, f"`{said}`", own)
            for (name, said), own in zip(demo.PRINTED.items(), ours, strict=True)
        ],
    )
    return fit, path


def draw(page, samples, z, fit, path):
    """The four pictures: data, activation, loss with the path, trained curve."""
    mean_loss = sg.compile(loss(), batch=["x", "y"])
    labels = ("age", "probability")
    tanh = sg.compile(sp.tanh(sp.Symbol("v", real=True)))
    page.section("Pictures")
    page.picture("data", pictures.scatter(samples.x, samples.y, labels), "The samples")
    page.picture("tanh", pictures.curve(tanh, (-10.0, 10.0), r"$\tanh(v)$"), "The activation")

    def height(w, b):
        # Contours are drawn from the digits that every machine has in common.
        return round(float(mean_loss(x=z, y=samples.y, w1=w, b1=b)), 12)

    surface = pictures.loss_surface(height, path, 61)
    page.picture("surface", surface, "The mean loss over both parameters, and the path of training")
    curve = pictures.fitted(samples.x, samples.y, fit.predict, labels, NEW_AGE)
    page.picture("fit", curve, "The trained perceptron among the samples")


def write(folder):
    """Write the derivation of both gradients, the training and its pictures."""
    samples = demo.read_samples(None)
    z = (samples.x - samples.x.mean()) / samples.x.std()
    page = Page("perceptron", "A perceptron with a tanh")
    page.text(
        "One input, one weight, one bias, $\\tanh$, and the squared error of one sample; 14 ages "
        "with a probability each, standardised to mean 0 and standard deviation 1."
    )
    first = {**START, "x": z[0], "y": samples.y[0]}
    page.derivation(sg.derive(loss(), example=first), "The gradients")
    first_step(page, samples, z)
    fit, path = training(page, samples)
    draw(page, samples, z, fit, path)
    page.errata("the-perceptron")
    return page.write(folder)
