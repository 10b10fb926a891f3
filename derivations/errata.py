"""The errors of the four articles, each beside a number that shows it wrong.

Nothing here is known beforehand: what an article writes and what is right are both evaluated, and
their numbers stand beside each other.
"""

import math
from dataclasses import dataclass

import numpy as np
import perceptron
import sigmoid_3_2_2 as net
import sums_of_neurons
import sympy as sp
from _page import Page
from _points import at_places, at_points, b, i, n, w, x, y
from line import START, compiled, descend
from line import loss as line_loss

import symgrad as sg
from symgrad import demo

SECTIONS = {
    0: "The perceptron",
    1: "The 3-2-2 net",
    2: "The line",
    3: "The overview",
}


@dataclass(frozen=True)
class Error:
    """One error: the article, a name, what is wrong in words, and the numbers that show it.

    Where it is one of a derivative, `claim` has the formula, the variable, and the derivative as
    it is printed and as it is right.
    """

    article: int
    name: str
    words: str
    wrong: tuple
    right: tuple
    claim: tuple = ()


def number_of(formula, values):
    """A formula in numbers, from values of its inputs and perhaps of others."""
    function = sg.compile(formula)
    return float(function({name: values[name] for name in function.inputs}))


# --------------------------------------------------------------- the perceptron


def on_raw_inputs():
    """Raw ages give the same outputs, with other parameters."""
    samples = demo.read_samples(None)
    fit, _ = perceptron.train("sequential")
    mean, std = float(samples.x.mean()), float(samples.x.std())
    trained = fit.parameters
    raw = {"w1": trained["w1"] / std, "b1": trained["b1"] - trained["w1"] * mean / std}
    output = sg.compile(sg.Network(1, [sg.Dense(1, activation="tanh")]).scalars().output)
    start, other = (
        np.array([float(output(x=age, **parameters)) for age in samples.x])
        for parameters in (perceptron.START, raw)
    )
    off = np.max(np.abs(other - fit.predict(samples.x)))
    return Error(
        0,
        "raw inputs",
        "The article says that on ages that are not standardised the output is about 1, whatever "
        "$w$ and $b$ are. That is so at the start. With $w / \\sigma$ and $b - w \\mu / \\sigma$, "
        "from the trained $w$ and $b$, it is what it was; raw ages only make training slow.",
        (("smallest output at the start", start.min()), ("largest output", start.max())),
        (
            ("smallest output with other parameters", other.min()),
            ("largest output", other.max()),
            ("largest distance to the trained perceptron", off),
        ),
    )


def order_of_updates():
    """The text moves both parameters along one gradient, the program does not."""
    paths = {update: perceptron.train(update)[1] for update in ("sequential", "simultaneous")}
    return Error(
        0,
        "order of updates",
        "By the text, $w$ and $b$ move along their slopes at one point. The program takes the slope"
        " by $b$ after $w$ has moved, and gets other numbers. $b$ after one pass over the data:",
        (("the program", paths["sequential"][1][1]),),
        (("the text", paths["simultaneous"][1][1]),),
    )


def one_sample_is_no_mean():
    """What is called a mean squared error is the error of one sample."""
    samples = demo.read_samples(None)
    z = (samples.x - samples.x.mean()) / samples.x.std()
    start = perceptron.START
    mean = sg.compile(perceptron.loss(), batch=["x", "y"])(x=z, y=samples.y, **start)
    first = number_of(perceptron.loss(), {"x": z[0], "y": samples.y[0], **start})
    return Error(
        0,
        "one sample is no mean",
        "The squared error of the first sample is called a mean; the mean is over all samples.",
        (("first sample", first),),
        (("mean over the samples", float(mean)),),
    )


def sorted_in_place():
    """Sorting the inputs for a picture leaves them beside the wrong targets."""
    samples = demo.read_samples(None)
    options = {"learning_rate": perceptron.RATE, "epochs": perceptron.EPOCHS, "batch_size": 1}
    ends = {}
    for name, inputs in (("wrong", np.sort(samples.x)), ("right", samples.x)):
        fit = sg.train(
            perceptron.loss(),
            (inputs, samples.y),
            start=perceptron.START,
            shuffle=False,
            update="sequential",
            standardize="inputs",
            **options,
        )
        ends[name] = fit.losses[-1]
    return Error(
        0,
        "sorted in place",
        "The program sorts the inputs for its picture where they are; run once more, it would train"
        " on pairs that do not belong together. The mean loss after training:",
        (("inputs sorted, targets not", ends["wrong"]),),
        (("pairs as they were", ends["right"]),),
    )


def overflowing_tanh():
    """The quotient of exponentials fails long before tanh does."""
    try:
        value = math.exp(710) - math.exp(-710)
    except OverflowError as error:
        value = type(error).__name__
    return Error(
        0,
        "overflow",
        "Written with exponentials, $\\tanh(710)$ has no value in floating point; $\\tanh$ has.",
        (("by exponentials", str(value)),),
        (("by tanh", number_of(sp.tanh(sp.Symbol("v", real=True)), {"v": 710.0})),),
    )


# -------------------------------------------------------------- the 3-2-2 net


def scalar_point():
    """The net's point under the names of its scalar form."""
    values = {}
    for name, table in net.POINT.items():
        for index, value in np.ndenumerate(table):
            values["_".join([name.lower(), *(str(k + 1) for k in index)])] = float(value)
    return values


def wrong_layer():
    """A weight of the second layer is printed for one of the first, wherever it occurs."""
    loss = sg.sse(net.network().scalars())
    weight, other, value = (loss.inputs[name].symbol for name in ("w1_2_2", "w2_2_2", "x_2"))
    misprint = loss.sympy.subs(weight * value, other * value)
    slope = sg.gradient(loss, weight)
    at = scalar_point()
    names = ("loss", "slope by $w_{22}^{(1)}$")
    # SymPy differentiates the misprint: symgrad refuses a symbol that does not occur.
    wrong = [number_of(formula, at) for formula in (misprint, sp.diff(misprint, weight))]
    right = [number_of(formula, at) for formula in (loss, slope)]
    return Error(
        1,
        "a weight of the other layer",
        "Five times $w_{22}^{(2)} x_2$ is printed where the weight of the first layer is meant. "
        "The loss is another one, and it does not depend on $w_{22}^{(1)}$ at all.",
        tuple(zip(names, wrong, strict=True)),
        tuple(zip(names, right, strict=True)),
    )


def sum_is_no_mean():
    """The sum of squares is called their mean."""
    values = {}
    for name, loss in (("sum", sg.sse), ("mean", sg.mse)):
        value, slopes = sg.compile(loss(net.network()), wrt="parameters")(net.POINT)
        values[name] = (("loss", value), ("slope by $w_{11}^{(1)}$", slopes["W1"][0, 0]))
    return Error(
        1,
        "a sum is no mean",
        "The loss is called a mean squared error but is written as a sum. The mean over the two "
        "outputs is half of it, and so is every slope.",
        values["sum"],
        values["mean"],
    )


# ------------------------------------------------------------------- the line


def lost_brackets():
    """The exponent of the sigmoid lacks a pair of brackets."""
    at = {symbol.name: value for symbol, value in ((v, 2.0), (w, 1.0), (b, 1.0))}
    return Error(
        2,
        "lost brackets",
        "The sigmoid of $w x + b$ is printed with $e^{-w x + b}$, which is the sigmoid of "
        "$w x - b$. At $x = 2$, $w = 1$, $b = 1$:",
        (
            ("as printed", number_of(1 / (1 + sp.exp(-w * v + b)), at)),
            ("$\\sigma(w x - b)$", number_of(sg.sigmoid(w * v - b), at)),
        ),
        (("$\\sigma(w x + b)$", number_of(sg.sigmoid(w * v + b), at)),),
    )


def dropped_targets():
    """The target does not drop out of the outer function."""
    start = dict(zip((w, b), map(sp.Rational, map(int, START)), strict=True))
    without = sg.gradient(sp.Sum((w * x[i] + b) ** 2, (i, 1, n)) / 2, "w").sympy
    whole = sg.gradient(line_loss(), "w").sympy
    wrong, right = (at_points(formula).xreplace(start) for formula in (without, whole))
    return Error(
        2,
        "dropped targets",
        "It is said that the target may be ignored, as constants drop when one differentiates. It "
        "stands inside of a square and stays. The slope by $w$ at the start:",
        (("targets ignored", wrong),),
        (("targets kept", right),),
        (line_loss(), w, without, whole),
    )


def missing_sum():
    """The final gradient lacks its sum over the samples."""
    one = sg.gradient((w * x[1] + b - y[1]) ** 2 / 2, ["w", "b"])
    whole = sg.gradient(line_loss(), ["w", "b"])
    values = [
        next(at_places([slopes["w"].sympy, slopes["b"].sympy], [tuple(map(int, START))]))[2:]
        for slopes in (one, whole)
    ]
    names = ("slope by $w$", "slope by $b$")
    return Error(
        2,
        "missing sum",
        "The gradient is printed without its sum over the samples. At the start, the first sample "
        "alone and all eight:",
        tuple(zip(names, values[0], strict=True)),
        tuple(zip(names, values[1], strict=True)),
        (line_loss(), w, one["w"].sympy, whole["w"].sympy),
    )


def uphill():
    """The gradient points uphill."""
    loss = compiled()
    _, slopes = compiled(("w", "b"))(START)
    size = 1e-4
    ahead, behind = (
        float(loss((START[0] + sign * size * slopes["w"], START[1] + sign * size * slopes["b"])))
        for sign in (1, -1)
    )
    return Error(
        2,
        "which way is down",
        "The gradient is said to tell which way is down. It points up; one goes against it. The "
        f"loss at the start is {float(loss(START)):.8g}; after a small step it is:",
        (("along the gradient", ahead),),
        (("against the gradient", behind),),
    )


def not_always_a_valley():
    """Descent with too large a rate does not end in a valley."""
    loss = compiled()
    ends = {rate: float(loss(descend(rate, 10)[-1])) for rate in (0.01, 0.001)}
    return Error(
        2,
        "not always a valley",
        "Repeated steps are said to end in a valley always. The step must be small enough, and the "
        f"function must have one. From {float(loss(START)):.8g} at the start, the loss after ten "
        "steps:",
        (("rate 0.01, the article's", ends[0.01]),),
        (("rate 0.001", ends[0.001]),),
    )


def any_function():
    """A sum of sigmoids is bounded, so that it cannot follow a line everywhere."""
    bound = sum(abs(value) for value in sums_of_neurons.NETS[4][2])
    far = 100.0
    value = number_of(sums_of_neurons.output(4), {**sums_of_neurons.values(4), "x": far})
    return Error(
        2,
        "any function",
        "Sums of sigmoids are said to reach any function. They reach continuous ones, on a bounded "
        "closed set: everywhere, each is bounded by the sum of its weights out, and a line is not. "
        f"The article's four units, and the line $y = x$, at $x$ = {far:g}:",
        (("four units", value), ("their bound", bound)),
        (("the line", far),),
    )


def one_name_for_three():
    """The total loss, the loss of a sample and the outer function have one name."""
    start = tuple(map(int, START))
    first = (w * x[1] + b - y[1]) ** 2 / 2
    outer = x[1] ** 2 / 2
    one, alone, whole = (next(at_places([f], [start]))[2] for f in (first, outer, line_loss()))
    return Error(
        2,
        "one name for three",
        "$L_2$ names the loss, the loss of one sample, and the outer function of the chain rule. "
        "At the start, with the first sample:",
        (("one sample", one), ("outer function of $x_1$", alone)),
        (("the loss", whole),),
    )


def two_starts():
    """The sliders start elsewhere than the program."""
    rows = list(at_places([line_loss()], [(0, 0), tuple(map(int, START))]))
    return Error(
        2,
        "two starts",
        "The sliders begin at $w = 0$, the program at $w = 1$. The loss there:",
        (("sliders", rows[0][2]),),
        (("program", rows[1][2]),),
    )


# --------------------------------------------------------------- the overview


def not_a_similarity():
    """The divergence is 0 where two distributions are equal, and it has a direction."""
    size = sp.Symbol("k", integer=True, positive=True)
    p, q = (sp.IndexedBase(name, positive=True) for name in "pq")
    divergence = sg.compile(sp.Sum(p[i] * sp.log(p[i] / q[i]), (i, 1, size)))
    first, second = np.array([0.5, 0.3, 0.2]), np.array([0.1, 0.1, 0.8])
    there, back = float(divergence(p=first, q=second)), float(divergence(p=second, q=first))
    return Error(
        3,
        "a divergence is no similarity",
        "The divergence (of Kullback and Leibler) is said to measure how similar two distributions "
        "are. It grows with their difference, is 0 where they are equal, and is not the same both "
        "ways. For $p$ = (0.5, 0.3, 0.2) and $q$ = (0.1, 0.1, 0.8):",
        (("of $p$ from $q$, and so also of $q$ from $p$", there),),
        (
            ("of $q$ from $p$", back),
            ("of $p$ from itself", float(divergence(p=first, q=first))),
        ),
    )


# -------------------------------------------------------------------- the page

v = sp.Symbol("v", real=True)

WORDS = {
    0: "Several times the gradient of a weight *with respect to the loss*: it is the gradient of "
    "the loss with respect to the weight.",
    1: "The nudging of weights is called backpropagation: it is gradient descent; backpropagation "
    "is how the gradient is computed. The formula announced after the input layer is missing: "
    "$z^{(2)} = W^{(1)} x$. The inputs lack the mark of their layer, which all other values have. "
    "A line break inside of a pair of brackets that grow does nothing; a block of aligned lines is "
    "needed.",
    2: "One formula has a closing bracket too many, and one function of two inputs has lost the "
    "indices of its inputs.",
    3: "The second name of the divergence is Leibler.",
}


def errors():
    """Every error that a number shows."""
    makers = (
        (on_raw_inputs, order_of_updates, one_sample_is_no_mean, sorted_in_place),
        (overflowing_tanh, wrong_layer, sum_is_no_mean, lost_brackets, dropped_targets),
        (missing_sum, uphill, not_always_a_valley, any_function, one_name_for_three),
        (two_starts, not_a_similarity),
    )
    return [make() for group in makers for make in group]


def proofs(page, loss, variable, wrong, right):
    """Print both derivatives, and what the verifier says of them."""
    rows = []
    for words, claim in (("article", wrong), ("correct", right)):
        formula = sg.Formula.of(claim).latex().partition("= ")[2]
        verdict = sg.verify(loss, variable, claim)
        by = f"by {verdict.method}" if verdict.status == "proved" else "by a point"
        rows.append((words, f"${formula}$", f"{verdict.status} {by}"))
    page.text(f"As formulas, the derivative by ${variable}$:")
    page.table(["", "formula", "verdict"], rows)


def write(folder):
    """Write the page."""
    page = Page("errata", "Errors of the four articles")
    page.text(
        "What the articles write, and what is right, in numbers. Both columns are computed by the "
        "script beside this page. At the end of every section stand the errors that are of words "
        "and of typesetting, which no number shows."
    )
    found = errors()
    for article, title in SECTIONS.items():
        page.section(title)
        for error in found:
            if error.article == article:
                page.parts.append(f"### {error.name.capitalize()}")
                page.text(error.words)
                rows = [("article", *row) for row in error.wrong]
                rows += [("correct", *row) for row in error.right]
                page.table(["", "", "value"], rows)
                if error.claim:
                    proofs(page, *error.claim)
        page.parts.append("### In words")
        page.text(WORDS[article])
    return page.write(folder)
