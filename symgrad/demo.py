"""The demonstration: a tanh perceptron from its expression to its formulas to trained parameters.

It follows a teaching article: 14 ages, standardised, and the probability that
belongs to each; the network tanh(w z + b); the squared error of one sample;
ten epochs of descent, sample after sample, w before b. The article's own
program, in plain Python, runs beside symgrad, so that every number shown is
computed from the data at hand.
"""

from __future__ import annotations

import importlib.util
import math
from collections.abc import Callable
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Any

import numpy as np
import sympy as sp

from symgrad import errors
from symgrad.backends.numpy import compile
from symgrad.confirmation import derive
from symgrad.derivation import Derivation
from symgrad.formats import equations, pictures, text
from symgrad.formats.printer import Printer
from symgrad.formula import Formula
from symgrad.gradient import Gradient, gradient
from symgrad.layers import Dense, Network
from symgrad.losses import mse
from symgrad.training import Fit, tables, train
from symgrad.verification import verify

#: The article's settings.
START = {"w1": 0.3, "b1": -0.7}
LEARNING_RATE = 0.05
EPOCHS = 10
AGE = 30.0

#: What the article itself prints, to as many digits as it prints.
PRINTED = {
    "mean": "39.285714285714285",
    "standard deviation": "25.095328453799556",
    "first standardised input": "-0.729",
    "first loss": "0.788",
}

Say = Callable[[str], None]


@dataclass(frozen=True)
class Samples:
    """The data: one input and one target a sample, with their names."""

    x: Any
    y: Any
    x_name: str
    y_name: str
    own: bool


def read_samples(
    path: str | Path | None, inputs: str | None = None, target: str | None = None
) -> Samples:
    """Read samples from a CSV file with a header.

    Args:
        path: The file; None is the article's data, which come with symgrad.
        inputs: The name of the input's column; left out, the first of two columns.
        target: The name of the target's column; left out, the other of two columns.

    Raises:
        DataError: No file, no two columns, more of them and no choice, fewer than two samples,
            or something that is no number.
        OptionError: A name is not that of a column, or there is no file to choose columns of.
    """
    if path is None:
        if inputs or target:
            raise errors.OptionError(
                "the input and the target are chosen from a file; name it with --data"
            )
        lines = resources.files("symgrad").joinpath("data/ages.csv").read_text().splitlines()
        table = tables.parsed(lines, "the article's data")
    else:
        table = tables.read(path)
    if len(table.rows) < 2 or len(table.names) < 2:
        raise errors.DataError(
            f"{table.source}: the data need a header line with two names and at least two "
            "samples below it"
        )
    x_name, y_name = _chosen(table, inputs, target)
    return Samples(table.array([x_name]), table.array([y_name]), x_name, y_name, path is None)


def _chosen(table: tables.Table, inputs: str | None, target: str | None) -> tuple[str, str]:
    """Return the names of the input's column and of the target's."""
    if not (inputs and target) and len(table.names) > 2:
        first, *_, last = (name for name in table.names if name)
        raise errors.DataError(
            f"{table.source} has {len(table.names)} columns: {errors.listed(table.names)}; the "
            "demo takes one input and one target, so name both, such as "
            f"--inputs {first} --target {last}"
        )
    if not inputs and not target:
        return table.names[0], table.names[1]
    if not target:
        target = next(name for name in reversed(table.names) if name != inputs)
    found, targets = tables.choose(table, target, inputs)
    if len(found) != 1 or len(targets) != 1:
        raise errors.OptionError(
            f"the demo takes one input and one target, not {errors.listed(found)} and "
            f"{errors.listed(targets)}; `symgrad train` takes several"
        )
    return found[0], targets[0]


def run(
    data: str | Path | None = None,
    folder: str | Path = "symgrad-demo",
    at: float | None = None,
    say: Say = print,
    *,
    inputs: str | None = None,
    target: str | None = None,
) -> Path:
    """Run the demonstration and write its files.

    Args:
        data: A CSV file as for `read_samples`; None is the article's data.
        folder: Where the files go.
        at: The input to predict at; the article's 30, or the middle of other data.
        say: Takes every line of the report.
        inputs: The column of the input, where the file has more than two.
        target: The column of the target.

    Returns:
        The folder.

    Raises:
        OptionError: The folder cannot be made.
    """
    samples = read_samples(data, inputs, target)
    folder = Path(folder)
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise errors.OptionError(
            f"cannot make the folder {folder}: {error.strerror}; choose another"
        ) from None
    net = Network(1, [Dense(1, activation="tanh")]).scalars()
    loss = mse(net)
    parts = gradient(loss)
    derived = derive(loss)
    _say_network(say, loss)
    _say_derivation(say, derived)
    _compare_formulas(say, loss, parts)
    fit, path = _trained(say, loss, samples)
    _say_prediction(say, fit, samples, at)
    _write(say, folder, derived, loss, fit)
    _draw(say, folder, samples, fit, path, at)
    return folder


def _heading(say: Say, title: str) -> None:
    say("")
    say(title)
    say("=" * len(title))


def _say_network(say: Say, loss: Formula) -> None:
    say("A perceptron with one input: its network and its loss")
    say("=====================================================")
    for equation in equations.definitions(loss.graph):
        for line in text.lines_of(equation):
            say(f"  {line}")


def _say_derivation(say: Say, derived: Derivation) -> None:
    _heading(say, "Both gradients, by the chain rule")
    for equation in (*equations.chain(derived), *equations.written_out(derived)):
        for line in text.lines_of(equation):
            say(f"  {line}")


# -------------------------------------------------- the article's own formulas


def hand_written() -> dict[str, Any]:
    """Return the two gradient formulas that the article writes by hand, as SymPy."""
    w, b, x, y = (sp.Symbol(name, real=True) for name in ("w1", "b1", "x", "y"))
    common = 2 * (sp.tanh(x * w + b) - y) * (1 - sp.tanh(x * w + b) ** 2)
    return {"w1": common * x, "b1": common}


def _compare_formulas(say: Say, loss: Formula, parts: Gradient) -> None:
    _heading(say, "The article's hand-written gradients")
    names = Printer(parts.graph)
    for name, verdict in verify(loss, list(parts), hand_written()).items():
        by = f" by {verdict.method}" if verdict.status == "proved" else ""
        say(f"  {text.plain(names.derivative('L', name))}: {verdict.status}{by}")


@dataclass(frozen=True)
class ArticleRun:
    """What the article's program computes: standardisation, first loss, path of (w, b)."""

    mean: float
    std: float
    z: list[float]
    first_loss: float
    path: list[tuple[float, float]]


def article_program(x: list[float], y: list[float]) -> ArticleRun:
    """Run the article's program, re-expressed: plain floats, tanh by exponentials, w before b."""

    def squash(v: float) -> float:
        return (math.exp(v) - math.exp(-v)) / (math.exp(v) + math.exp(-v))

    mean = sum(x) / len(x)
    std = math.sqrt(sum((value - mean) ** 2 for value in x) / len(x))
    z = [(value - mean) / std for value in x]
    w, b = START["w1"], START["b1"]
    first_loss = (squash(w * z[0] + b) - y[0]) ** 2
    path = [(w, b)]
    for _ in range(EPOCHS):
        for value, target in zip(z, y, strict=True):
            a = squash(value * w + b)
            w -= LEARNING_RATE * 2 * (a - target) * (1 - a**2) * value
            a = squash(value * w + b)
            b -= LEARNING_RATE * 2 * (a - target) * (1 - a**2)
        path.append((w, b))
    return ArticleRun(mean, std, z, first_loss, path)


# ---------------------------------------------------------------- the training


def _trained(say: Say, loss: Formula, samples: Samples) -> tuple[Fit, list[tuple[float, float]]]:
    """Train as the article does, and report beside the article's program."""
    _heading(say, f"Training on {len(samples.x)} samples: {samples.y_name} by {samples.x_name}")
    path = [(START["w1"], START["b1"])]

    def follow(epoch: int, value: float, parameters: Any) -> None:
        path.append((float(parameters["w1"]), float(parameters["b1"])))

    fit = train(
        loss,
        (samples.x, samples.y),
        start=START,
        learning_rate=LEARNING_RATE,
        epochs=EPOCHS,
        batch_size=1,
        shuffle=False,
        update="sequential",
        standardize="inputs",
        callback=follow,
    )
    article = article_program(samples.x.tolist(), samples.y.tolist())
    _say_start(say, fit, samples, article)
    _say_epochs(say, fit, path, article)
    return fit, path


def _say_start(say: Say, fit: Fit, samples: Samples, article: ArticleRun) -> None:
    scaling = fit.standardisation["x"]
    first = float(scaling.apply(samples.x)[0])
    value = compile(fit.loss)(x=first, y=samples.y[0], **START)
    rows = [
        ("mean", scaling.mean[0], article.mean),
        ("standard deviation", scaling.std[0], article.std),
        ("first standardised input", first, article.z[0]),
        ("first loss", value, article.first_loss),
    ]
    said = f"{'article prints':>20}" if samples.own else ""
    say(f"  {'':26}{'symgrad':>20}{'article program':>20}{said}")
    for name, ours, theirs in rows:
        printed = f"{PRINTED[name]:>20}" if samples.own else ""
        say(f"  {name:26}{ours:20.15g}{theirs:20.15g}{printed}")


def _say_epochs(say: Say, fit: Fit, path: list[tuple[float, float]], article: ArticleRun) -> None:
    say("")
    say(f"  start w = {START['w1']}, b = {START['b1']}; rate {LEARNING_RATE}; w moves before b")
    say(f"  {'epoch':>5}{'w':>20}{'b':>20}{'mean loss':>18}{'off the article':>18}")
    for epoch, ((w, b), (w_art, b_art)) in enumerate(zip(path, article.path, strict=True)):
        off = max(abs(w - w_art), abs(b - b_art))
        say(f"  {epoch:5}{w:20.15f}{b:20.15f}{fit.losses[epoch]:18.12f}{off:18.1e}")


def _say_prediction(say: Say, fit: Fit, samples: Samples, at: float | None) -> None:
    x = _place(samples, at)
    _heading(say, "The trained network is a formula again")
    for equation in equations.definitions(fit.formula().graph):
        for line in text.lines_of(equation):
            say(f"  {line}")
    article = article_program(samples.x.tolist(), samples.y.tolist())
    w, b = article.path[-1]
    theirs = math.tanh(w * (x - article.mean) / article.std + b)
    say("")
    say(f"  predicted {samples.y_name} at {samples.x_name} {x:g}:")
    say(f"    {'symgrad':20}{fit.predict(x):.16g}")
    say(f"    {'article program':20}{theirs:.16g}")


def _place(samples: Samples, at: float | None) -> float:
    if at is not None:
        return at
    return AGE if samples.own else float(np.median(samples.x))


# ------------------------------------------------------------------- the files


def _write(say: Say, folder: Path, derived: Derivation, loss: Formula, fit: Fit) -> None:
    _heading(say, f"Written into {folder}/")
    derived.save(folder / "derivation.tex")
    derived.save(folder / "derivation.md")
    fit.save(folder / "model.json")
    fit.export(folder / "model.py")
    compile(loss, wrt="parameters").save(folder / "gradients.py")
    for name, what in (
        ("derivation.tex", "the derivation as LaTeX"),
        ("derivation.md", "the same as Markdown"),
        (
            "gradients.py",
            "loss and gradients as NumPy code; run it, and it checks itself",
        ),
        ("model.py", "the trained network as a function of the raw input, on NumPy alone"),
        ("model.json", "the trained network, for sg.load"),
    ):
        say(f"  {name:20}{what}")


def _draw(
    say: Say,
    folder: Path,
    samples: Samples,
    fit: Fit,
    path: list[tuple[float, float]],
    at: float | None,
) -> None:
    if importlib.util.find_spec("matplotlib") is None:
        say("  no pictures: they need matplotlib, pip install 'symgrad[plot]'")
        return
    z = fit.standardisation["x"].apply(samples.x)
    sample_loss = compile(fit.loss, batch=["x", "y"])

    def surface(w: float, b: float) -> float:
        return float(sample_loss(x=z, y=samples.y, w1=w, b1=b))

    labels = samples.x_name, samples.y_name
    drawn = {
        "data.png": pictures.scatter(samples.x, samples.y, labels),
        "tanh.png": pictures.curve(compile(sp.tanh(sp.Symbol("v"))), (-10.0, 10.0), r"$\tanh(v)$"),
        "loss_surface.png": pictures.loss_surface(surface, path),
        "fit.png": pictures.fitted(samples.x, samples.y, fit.predict, labels, _place(samples, at)),
    }
    for name, figure in drawn.items():
        figure.savefig(folder / name, dpi=120)
    say(f"  {', '.join(drawn)}: the data, the activation, the loss with the path taken, the fit")
