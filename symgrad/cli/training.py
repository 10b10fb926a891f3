"""The verb `train`."""

from __future__ import annotations

import argparse
import sys
from typing import Any

import numpy as np

from symgrad import errors
from symgrad.cli.options import checked_output, verb_of
from symgrad.errors import counted
from symgrad.specification import add_network, add_text, formula_of, network_of
from symgrad.training import Fit, tables, train
from symgrad.training.initializers import INITIALIZERS
from symgrad.training.optimizers import OPTIMIZERS
from symgrad.training.progress import Progress


def add(verbs: Any) -> None:
    """Add the verb."""
    verb = verb_of(
        verbs,
        "train",
        _run_train,
        "train a network on a CSV file with a header",
        [
            (
                "ages.csv --target probability --layers 1-1:tanh --standardize inputs",
                "all other columns are inputs, brought to mean 0 and deviation 1",
            ),
            (
                "data.csv --target y1,y2 --inputs a,b,c --layers 3-4:tanh-2 --epochs 500 --seed 1",
                "three columns in, two out; another seed draws another start",
            ),
            (
                'data.csv --formula "(tanh(w*z + b) - y)**2" --start w=0.3,b=-0.7',
                "a formula for one sample; its other names are columns of the file",
            ),
            (
                "data.csv --target y --layers 2-4:tanh-1 --batch-size 16 --output model.json",
                'in batches; in Python, sg.load("model.json").predict(X)',
            ),
            (
                "data.csv --target y --layers 2-4:tanh-1 --optimizer adam --output model.py",
                "the trained network as a module with a function predict(X), on NumPy alone",
            ),
        ],
    )
    verb.add_argument("data", metavar="FILE", help="CSV with a header line")
    verb.add_argument("--target", metavar="NAMES", help="target column(s) of a network")
    verb.add_argument("--inputs", metavar="NAMES", help="input columns; default all others")
    add_text(verb, positional=False)
    add_network(verb, required=False)
    _add_descent(verb)
    verb.add_argument("--output", metavar="FILE", help="write the model (.json), or code (.py)")


def _add_descent(verb: Any) -> None:
    verb.add_argument(
        "--learning-rate",
        type=float,
        default=0.1,
        metavar="RATE",
        help="size of a step: %(default)s",
    )
    verb.add_argument(
        "--epochs", type=int, default=100, metavar="N", help="visits of all samples: %(default)s"
    )
    verb.add_argument("--batch-size", type=int, metavar="N", help="samples a step; left out: all")
    verb.add_argument("--no-shuffle", action="store_true", help="keep the order of the file")
    verb.add_argument(
        "--seed", type=int, default=0, metavar="N", help="for the start and the order: %(default)s"
    )
    verb.add_argument(
        "--update",
        default="simultaneous",
        metavar="ORDER",
        help="%(default)s, or sequential: one parameter after the other",
    )
    verb.add_argument(
        "--optimizer", default="sgd", metavar="NAME", help=f"{', '.join(OPTIMIZERS)} (%(default)s)"
    )
    verb.add_argument(
        "--initializer",
        default="glorot_uniform",
        metavar="NAME",
        help=f"{', '.join(INITIALIZERS)} (%(default)s)",
    )
    verb.add_argument("--standardize", metavar="WHAT", help="inputs: mean 0, deviation 1")
    verb.add_argument("--start", metavar="NAME=VALUE,...", help="start of scalars: w1=0.3,b1=-0.7")
    verb.add_argument(
        "--backend", default="numpy", metavar="NAME", help="numpy, c or numba (%(default)s)"
    )
    verb.add_argument(
        "--workers", type=_workers, metavar="N", help="processes that share large batches, or auto"
    )


def _workers(given: str) -> int | str:
    if given == "auto":
        return given
    try:
        return int(given)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{given!r} is neither a whole number nor auto") from None


def _run_train(options: argparse.Namespace) -> int:
    checked_output(options.output, (".json", ".py"))
    starts = _starts(options.start)
    loss = formula_of(options, list(starts or ()))
    data = _columns(options, loss) if options.text else _read_data(options)
    progress = Progress(options.epochs, sys.stderr)
    try:
        fit = train(
            loss,
            data,
            start=starts,
            optimizer=options.optimizer,
            learning_rate=options.learning_rate,
            epochs=options.epochs,
            batch_size=options.batch_size,
            shuffle=not options.no_shuffle,
            seed=options.seed,
            update=options.update,
            standardize=options.standardize,
            initializer=options.initializer,
            backend=options.backend,
            workers=options.workers,
            callback=progress,
        )
    except errors.DivergenceError as error:
        progress.clear()
        _finish(error.fit, options.output)
        raise
    progress.clear()
    _finish(fit, options.output)
    return 0


def _columns(options: argparse.Namespace, loss: Any) -> dict[str, Any]:
    """Return the columns that a formula as text names.

    Raises:
        OptionError: There is no start, a name is no column, or an option is for networks.
    """
    if not options.start:
        raise errors.OptionError("a formula as text is trained from --start, such as w=0.3,b=-0.7")
    for option in ("target", "inputs", "standardize"):
        if getattr(options, option):
            raise errors.OptionError(f"--{option} is for networks; a formula names its columns")
    table = tables.read(options.data)
    names = [name for name in loss.inputs if name not in loss.parameters]
    for name in names:
        if name not in table.names:
            raise errors.unknown(f"column of {options.data}", name, table.names)
    return {name: table.array([name]) for name in names}


def _read_data(options: argparse.Namespace) -> tuple[Any, Any]:
    """Return the inputs and the targets, as many columns of each as the network has places."""
    if not options.target:
        raise errors.OptionError("--target names the column(s) that the network predicts")
    table = tables.read(options.data)
    inputs, targets = tables.choose(table, options.target, options.inputs)
    widths = network_of(options.layers).widths
    places = (
        ("takes", "input", widths[0], "--inputs", inputs),
        ("gives", "output", widths[-1], "--target", targets),
    )
    for verb, what, wanted, option, names in places:
        if len(names) != wanted:
            raise errors.OptionError(
                f"--layers {options.layers} {verb} {counted(wanted, what)}, but {option} has "
                f"{counted(len(names), 'column')}: {errors.listed(names)}; change one of the two. "
                f"The columns of {options.data}: {errors.listed(table.names)}"
            )
    return table.array(inputs), table.array(targets)


def _finish(fit: Fit, output: str | None) -> None:
    ended = f"{fit.stopped};" if fit.stopped.startswith("diverged") else fit.stopped
    losses = f"loss {fit.losses[0]:.8g} -> {fit.losses[-1]:.8g}"
    print(f"{ended} after {counted(fit.epochs, 'epoch')}: {losses}")
    for name, value in fit.parameters.items():
        shown = np.array2string(np.asarray(value), precision=8, separator=", ", prefix=f"{name} = ")
        print(f"{name} = {shown}")
    if output:
        saved = fit.export(output) if output.endswith(".py") else fit.save(output)
        print(f"wrote {saved}")


def _starts(given: str | None) -> dict[str, float] | None:
    if not given:
        return None
    starts: dict[str, float] = {}
    for part in given.split(","):
        name, equals, value = part.partition("=")
        name = name.strip()
        try:
            number = float(value)
        except ValueError:
            equals = ""
        if not equals:
            raise errors.OptionError(f"--start {part!r}: write NAME=NUMBER, such as w1=0.3")
        if name in starts:
            raise errors.OptionError(f"--start {given!r} has `{name}` twice; give it once")
        starts[name] = number
    return starts
