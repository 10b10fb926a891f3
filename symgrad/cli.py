"""The verbs on the command line: `symgrad demo | derive | train | compile`.

Exit codes: 0 done, 1 failed (bad data, divergence), 2 bad usage.
"""

from __future__ import annotations

import argparse
import csv
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from symgrad import demo, errors, losses
from symgrad.backends.numpy import compile as compiled
from symgrad.derivation import DETAILS
from symgrad.formats import text
from symgrad.gradient import derive
from symgrad.layers import Dense, Network
from symgrad.training import Fit, train
from symgrad.training.initializers import INITIALIZERS
from symgrad.training.optimizers import OPTIMIZERS

FORMS = ("rows", "columns", "scalars")
_LAYERS_HELP = (
    "inputs, then units[:activation] of every layer: 3-2:sigmoid-2:sigmoid has three inputs and "
    "two sigmoid layers of two units"
)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit code."""
    parser = _parser()
    options = parser.parse_args(arguments)
    try:
        return int(options.run(options) or 0)
    except (errors.OptionError, errors.ShapeError, errors.UnsupportedError) as error:
        print(f"symgrad: {error}", file=sys.stderr)
        return 2
    except errors.SymgradError as error:
        print(f"symgrad: {error}", file=sys.stderr)
        return 1
    except BrokenPipeError:
        # The reader of a pipe has seen enough; there is nothing left to say to it.
        sys.stderr.close()
        return 0
    except OSError as error:
        print(f"symgrad: {error}", file=sys.stderr)
        return 1


def _parser() -> argparse.ArgumentParser:
    from symgrad import __version__

    parser = argparse.ArgumentParser(
        prog="symgrad",
        description="Closed-form gradients: derived step by step, compiled to NumPy, trained.",
        epilog="examples:\n"
        "  symgrad demo\n"
        "  symgrad derive --layers 1-1:tanh\n"
        "  symgrad derive --layers 3-2:sigmoid-2:sigmoid --no-bias --output derivation.tex\n"
        "  symgrad compile --layers 3-4:tanh-1 --output gradients.py\n"
        "  symgrad train data.csv --target y --layers 2-4:tanh-1 --output model.json\n"
        "\n`symgrad VERB --help` says more.",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=f"symgrad {__version__}")
    verbs = parser.add_subparsers(title="verbs", metavar="VERB", required=True)
    _add_demo(verbs)
    _add_derive(verbs)
    _add_compile(verbs)
    _add_train(verbs)
    return parser


def _verb(verbs: Any, name: str, run: Any, says: str, examples: Sequence[str]) -> Any:
    verb = verbs.add_parser(
        name,
        help=says,
        description=says[0].upper() + says[1:] + ".",
        epilog="examples:\n" + "\n".join(f"  symgrad {name} {example}" for example in examples),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    verb.set_defaults(run=run)
    return verb


# ------------------------------------------------------------------- demo


def _add_demo(verbs: Any) -> None:
    verb = _verb(
        verbs,
        "demo",
        _run_demo,
        "derive, check, train and draw a perceptron on 14 ages, or on your data",
        ["", "--data other.csv", "--data other.csv --at 12.5 --output folder"],
    )
    verb.add_argument("--data", metavar="FILE", help="CSV with a header: input, target")
    verb.add_argument("--at", type=float, metavar="X", help="the input to predict at")
    verb.add_argument("--output", default="symgrad-demo", metavar="FOLDER", help="%(default)s")


def _run_demo(options: argparse.Namespace) -> None:
    demo.run(options.data, options.output, options.at)


# --------------------------------------------------------------- networks


def _add_network(verb: Any) -> None:
    verb.add_argument("--layers", required=True, metavar="SIZES", help=_LAYERS_HELP)
    verb.add_argument("--no-bias", action="store_true", help="leave the biases out")
    verb.add_argument(
        "--loss", default="mse", metavar="NAME", help=f"{', '.join(losses.LOSSES)} (%(default)s)"
    )
    verb.add_argument(
        "--form",
        metavar="FORM",
        help="rows (a batch in the rows of X), columns (one sample), scalars (entry by entry); "
        "left out: scalars for 1-1 networks, else rows",
    )


def network_of(sizes: str, *, bias: bool = True, form: str | None = None) -> Network:
    """Build a network from its sizes, as `--layers` takes them.

    Raises:
        OptionError: The text is not of the form inputs-units:activation-...

    >>> network_of("3-2:sigmoid").layers
    (Dense(2, activation='sigmoid', bias=True),)
    """
    first, *rest = sizes.split("-")
    if not rest:
        raise errors.OptionError(
            f"--layers {sizes!r} has no layer; write inputs-units:activation, such as 3-2:sigmoid-1"
        )
    layers = []
    for part in rest:
        units, _, activation = part.partition(":")
        layers.append(Dense(_count(units, sizes), activation=activation or None, bias=bias))
    net = Network(_count(first, sizes), layers)
    form = form or ("scalars" if net.widths == (1, 1) else "rows")
    if form not in FORMS:
        raise errors.unknown("form", form, FORMS)
    made: Network = getattr(net, form)()
    return made


def _count(word: str, sizes: str) -> int:
    if not word.isascii() or not word.isdigit() or not 1 <= len(word) <= 6:
        raise errors.OptionError(
            f"--layers {sizes!r}: {word!r} is not a number of units; write 3-2:sigmoid-1"
        )
    return int(word)


def _loss_of(options: argparse.Namespace) -> Any:
    if options.loss not in losses.LOSSES:
        raise errors.unknown("loss", options.loss, losses.LOSSES)
    net = network_of(options.layers, bias=not options.no_bias, form=options.form)
    return getattr(losses, options.loss)(net)


# ----------------------------------------------------------------- derive


def _add_derive(verbs: Any) -> None:
    verb = _verb(
        verbs,
        "derive",
        _run_derive,
        "derive the gradients of a network's loss",
        [
            "--layers 1-1:tanh",
            "--layers 3-2:sigmoid-2:sigmoid --no-bias --form columns --detail result",
            "--layers 3-4:tanh-1 --wrt W1,b1 --format markdown",
            "--layers 3-4:tanh-1 --output derivation.tex",
        ],
    )
    _add_network(verb)
    verb.add_argument("--wrt", metavar="NAMES", help="parameters, such as W1,b1; default all")
    verb.add_argument(
        "--detail", default="chain", metavar="NAME", help=f"{', '.join(DETAILS)} (%(default)s)"
    )
    verb.add_argument(
        "--format", metavar="NAME", help="text (default), latex, markdown; by --output's ending"
    )
    verb.add_argument("--output", metavar="FILE", help="write to a .tex or .md file")


def _run_derive(options: argparse.Namespace) -> None:
    wrt = [name.strip() for name in options.wrt.split(",")] if options.wrt else None
    derived = derive(_loss_of(options), wrt, detail=options.detail)
    if options.output:
        if options.format:
            raise errors.OptionError("--format is for printing; --output goes by the file's ending")
        print(f"wrote {derived.save(options.output)}")
        return
    formats = {
        "text": lambda: text.derivation(derived, detail=options.detail),
        "latex": derived.latex,
        "markdown": derived.markdown,
    }
    chosen = options.format or "text"
    if chosen not in formats:
        raise errors.unknown("format", chosen, formats)
    print(formats[chosen](), end="")


# ---------------------------------------------------------------- compile


def _add_compile(verbs: Any) -> None:
    verb = _verb(
        verbs,
        "compile",
        _run_compile,
        "print or save NumPy code for a network's loss and gradients",
        ["--layers 3-4:tanh-1", "--layers 3-4:tanh-1 --output gradients.py"],
    )
    _add_network(verb)
    verb.add_argument("--output", metavar="FILE", help="write a module that checks itself")


def _run_compile(options: argparse.Namespace) -> None:
    function = compiled(_loss_of(options), wrt="parameters")
    if options.output:
        print(f"wrote {function.save(options.output)}; python {options.output} checks it")
    else:
        print(function.source, end="")


# ------------------------------------------------------------------ train


def _add_train(verbs: Any) -> None:
    verb = _verb(
        verbs,
        "train",
        _run_train,
        "train a network on a CSV file with a header",
        [
            "ages.csv --target probability --layers 1-1:tanh --standardize inputs",
            "data.csv --target y1,y2 --inputs a,b,c --layers 3-4:tanh-2 --epochs 500 --seed 1",
            "data.csv --target y --layers 2-4:tanh-1 --batch-size 16 --output model.json",
        ],
    )
    verb.add_argument("data", metavar="FILE", help="CSV with a header line")
    verb.add_argument("--target", required=True, metavar="NAMES", help="target column(s)")
    verb.add_argument("--inputs", metavar="NAMES", help="input columns; default all others")
    _add_network(verb)
    verb.add_argument("--learning-rate", type=float, default=0.1, help="%(default)s")
    verb.add_argument("--epochs", type=int, default=100, help="%(default)s")
    verb.add_argument("--batch-size", type=int, help="samples a step; left out: all")
    verb.add_argument("--no-shuffle", action="store_true", help="keep the order of the file")
    verb.add_argument("--seed", type=int, default=0, help="%(default)s")
    verb.add_argument("--update", default="simultaneous", help="or sequential")
    verb.add_argument("--optimizer", default="sgd", help=", ".join(OPTIMIZERS))
    verb.add_argument("--initializer", default="glorot_uniform", help=", ".join(INITIALIZERS))
    verb.add_argument("--standardize", metavar="WHAT", help="inputs: mean 0, deviation 1")
    verb.add_argument("--start", metavar="NAME=VALUE,...", help="start of scalars: w1=0.3,b1=-0.7")
    verb.add_argument("--output", metavar="FILE", help="write the model (.json), or code (.py)")


def _run_train(options: argparse.Namespace) -> int:
    if options.output and Path(options.output).suffix not in (".json", ".py"):
        raise errors.unknown("ending of --output", Path(options.output).suffix, (".json", ".py"))
    loss = _loss_of(options)
    X, y = read_columns(options.data, options.target, options.inputs)
    try:
        fit = train(
            loss,
            (X, y),
            start=_starts(options.start),
            optimizer=options.optimizer,
            learning_rate=options.learning_rate,
            epochs=options.epochs,
            batch_size=options.batch_size,
            shuffle=not options.no_shuffle,
            seed=options.seed,
            update=options.update,
            standardize=options.standardize,
            initializer=options.initializer,
            callback=_progress(options.epochs),
        )
    except errors.DivergenceError as error:
        _finish(error.fit, options.output)
        raise
    _finish(fit, options.output)
    return 0


def _progress(epochs: int) -> Any:
    """Report about ten times on the way, on the standard error stream."""
    every = max(1, epochs // 10)

    def report(epoch: int, loss: float, parameters: Any) -> None:
        if epoch % every == 0 or epoch == epochs:
            print(f"epoch {epoch}: loss {loss:.8g}", file=sys.stderr)

    return report


def _finish(fit: Fit, output: str | None) -> None:
    print(f"{fit.stopped} after {fit.epochs} epochs: loss {fit.losses[0]:.8g} -> ", end="")
    print(f"{fit.losses[-1]:.8g}")
    for name, value in fit.parameters.items():
        shown = np.array2string(np.asarray(value), precision=8, separator=", ", prefix=f"{name} = ")
        print(f"{name} = {shown}")
    if output:
        saved = fit.export(output) if output.endswith(".py") else fit.save(output)
        print(f"wrote {saved}")


def _starts(given: str | None) -> dict[str, float] | None:
    if not given:
        return None
    starts = {}
    for part in given.split(","):
        name, equals, value = part.partition("=")
        try:
            starts[name.strip()] = float(value)
        except ValueError:
            equals = ""
        if not equals:
            raise errors.OptionError(f"--start {part!r}: write NAME=NUMBER, such as w1=0.3")
    return starts


def read_columns(path: str, target: str, inputs: str | None = None) -> tuple[Any, Any]:
    """Read the columns of a CSV file with a header as inputs X and targets y.

    Returns:
        X of shape (n, inputs), or (n,) for one input; y likewise.

    Raises:
        DataError: No such file or column, or a cell that is not a number.
    """
    try:
        with Path(path).open(encoding="utf-8-sig", newline="") as file:
            rows = [row for row in csv.reader(file) if row]
    except (OSError, UnicodeDecodeError) as error:
        raise errors.DataError(f"cannot read {path}: {error}") from None
    if len(rows) < 2:
        raise errors.DataError(f"{path} has no samples below its header line")
    header = [name.strip() for name in rows[0]]
    targets = _columns(target, header)
    others = [name for name in header if name not in targets]
    chosen = _columns(inputs, header) if inputs else others
    return _table(rows[1:], header, chosen, path), _table(rows[1:], header, targets, path)


def _columns(names: str, header: list[str]) -> list[str]:
    found = [name.strip() for name in names.split(",")]
    for name in found:
        if name not in header:
            raise errors.unknown("column", name, header)
    return found


def _table(rows: list[list[str]], header: list[str], names: list[str], path: str) -> Any:
    places = [header.index(name) for name in names]
    table = np.empty((len(rows), len(places)))
    for line, row in enumerate(rows):
        for k, place in enumerate(places):
            cell = row[place] if place < len(row) else ""
            try:
                table[line, k] = float(cell)
            except ValueError:
                raise errors.DataError(
                    f"{path}, line {line + 2}, column {names[k]}: {cell!r} is not a number"
                ) from None
    return table[:, 0] if len(places) == 1 else table
