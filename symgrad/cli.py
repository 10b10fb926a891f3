"""The verbs on the command line: `symgrad demo | derive | verify | compile | train`.

Exit codes: 0 done or holds, 1 refuted or failed (bad data, divergence), 2 bad usage.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from symgrad import demo, errors
from symgrad.backends.numpy import compile as compiled
from symgrad.derivation import DETAILS
from symgrad.files import check_place
from symgrad.formats import text
from symgrad.gradient import derive
from symgrad.specification import add_network, loss_of, network_of
from symgrad.training import Fit, tables, train
from symgrad.training.initializers import INITIALIZERS
from symgrad.training.optimizers import OPTIMIZERS
from symgrad.training.progress import Progress
from symgrad.training.samples import counted
from symgrad.verification import results, scripts, verify

#: What `derive --format` takes, and what the endings of its files mean.
_FORMATS = {
    "text": "text",
    "tex": "latex",
    "latex": "latex",
    "md": "markdown",
    "markdown": "markdown",
}
_ENDINGS = {".tex": "latex", ".md": "markdown"}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit code."""
    parser = _parser()
    options = parser.parse_args(arguments)
    try:
        return int(options.run(options) or 0)
    except (errors.OptionError, errors.ShapeError, errors.UnsupportedError) as error:
        print(f"symgrad: {error}", file=sys.stderr)
        return 2
    except errors.DivergenceError as error:
        print(f"symgrad: {_divergence(error.fit, options)}", file=sys.stderr)
        return 1
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
        "  symgrad verify backward.py --shapes X=n,3 W=3,2 Y=n,2 --wrt W\n"
        "  symgrad compile --layers 3-4:tanh-1 --output gradients.py\n"
        "  symgrad train data.csv --target y --layers 2-4:tanh-1 --output model.json\n"
        "\n`symgrad VERB --help` says more.",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=f"symgrad {__version__}")
    verbs = parser.add_subparsers(title="verbs", metavar="VERB", required=True)
    _add_demo(verbs)
    _add_derive(verbs)
    _add_verify(verbs)
    _add_compile(verbs)
    _add_train(verbs)
    return parser


def _divergence(fit: Fit, options: argparse.Namespace) -> str:
    """Say what the error says, to someone who has options and files but no error object."""
    hint = ""
    if fit.stopped.startswith("diverged at the start"):
        hint = "; data on a smaller scale may help, as --standardize inputs makes them"
    elif "learning_rate" in options:
        hint = f"; a smaller --learning-rate than {options.learning_rate:g} may help"
    return f"training {fit.stopped}{hint}"


def _checked_output(path: str | None, endings: Sequence[str]) -> None:
    """Raise an OptionError before any work is done for a file that could not be written."""
    if path is None:
        return
    if Path(path).suffix not in endings:
        raise errors.unknown("ending of --output", Path(path).suffix or path, endings)
    check_place(path)


def _verb(verbs: Any, name: str, run: Any, says: str, examples: Sequence[tuple[str, str]]) -> Any:
    lines = [
        f"  symgrad {name} {options}".rstrip() + f"\n      {what}" for options, what in examples
    ]
    verb = verbs.add_parser(
        name,
        help=says,
        description=says[0].upper() + says[1:] + ".",
        epilog="examples:\n" + "\n".join(lines),
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
        [
            ("", "the article's 14 ages; files go to symgrad-demo/"),
            ("--data other.csv", "a file of two columns with a header: input, target"),
            ("--data big.csv --inputs dose --target response", "two columns of a larger file"),
            ("--data other.csv --at 12.5 --output folder", "predict at 12.5; files go to folder/"),
        ],
    )
    verb.add_argument("--data", metavar="FILE", help="CSV with a header: input, target")
    verb.add_argument("--inputs", metavar="NAME", help="the input's column, of more than two")
    verb.add_argument("--target", metavar="NAME", help="the target's column, of more than two")
    verb.add_argument("--at", type=float, metavar="X", help="the input to predict at")
    verb.add_argument(
        "--output",
        default="symgrad-demo",
        metavar="FOLDER",
        help="where files go; made where it is missing (%(default)s)",
    )


def _run_demo(options: argparse.Namespace) -> None:
    demo.run(options.data, options.output, options.at, inputs=options.inputs, target=options.target)


# ----------------------------------------------------------------- derive


def _add_derive(verbs: Any) -> None:
    verb = _verb(
        verbs,
        "derive",
        _run_derive,
        "derive the gradients of a network's loss",
        [
            ("--layers 1-1:tanh", "one tanh unit of one input, in scalars"),
            (
                "--layers 3-2:sigmoid-2:sigmoid --no-bias --form columns --detail result",
                "two layers for one sample; the gradients without the steps to them",
            ),
            (
                "--layers 3-4:tanh-1 --wrt W1,b1 --format md",
                "the gradients of the first layer alone, as Markdown",
            ),
            ("--layers 3-4:tanh-1 --output derivation.tex", "all of it as a LaTeX document"),
        ],
    )
    add_network(verb)
    verb.add_argument("--wrt", metavar="NAMES", help="parameters, such as W1,b1; default all")
    verb.add_argument(
        "--detail", default="chain", metavar="NAME", help=f"{', '.join(DETAILS)} (%(default)s)"
    )
    verb.add_argument(
        "--format",
        metavar="NAME",
        help="text, tex (or latex), md (or markdown); left out: --output's ending, else text",
    )
    verb.add_argument("--output", metavar="FILE", help="write to a .tex or .md file")


def _run_derive(options: argparse.Namespace) -> None:
    chosen = _format_of(options.format, options.output)
    wrt = [name.strip() for name in options.wrt.split(",")] if options.wrt else None
    derived = derive(loss_of(options), wrt, detail=options.detail)
    if options.output:
        print(f"wrote {derived.save(options.output)}")
        return
    formats = {
        "text": lambda: text.derivation(derived, detail=options.detail),
        "latex": derived.latex,
        "markdown": derived.markdown,
    }
    print(formats[chosen](), end="")


def _format_of(given: str | None, output: str | None) -> str:
    """Return "text", "latex" or "markdown": what is asked for, or what the file's ending says."""
    if given is not None and given not in _FORMATS:
        raise errors.unknown("format", given, _FORMATS)
    if output is None:
        return _FORMATS[given or "text"]
    ending = Path(output).suffix
    if ending not in _ENDINGS:
        raise errors.unknown("format", ending or output, _ENDINGS)
    if given is not None and _FORMATS[given] != _ENDINGS[ending]:
        raise errors.OptionError(
            f"--format {given} and --output {output} disagree: a file that ends in {ending} is "
            f"{_ENDINGS[ending]}; leave --format out, or change one of the two"
        )
    check_place(output)
    return _ENDINGS[ending]


# ----------------------------------------------------------------- verify


def _add_verify(verbs: Any) -> None:
    verb = _verb(
        verbs,
        "verify",
        _run_verify,
        "tell whether a gradient written by hand in NumPy is right",
        [
            (
                "backward.py",
                "its functions loss and grad, with its shapes = {'X': ('n', 3), ...} and wrt",
            ),
            ("backward.py --shapes X=n,3 w=3 y=n --wrt w", "the same, described here"),
            (
                "layer.py --shapes X=4,3 W=3,2 --upstream dout",
                "its functions forward(X, W) and backward(dout, cache)",
            ),
            (
                "grad.py --layers 3-4:tanh-1 --wrt W1,b1",
                "its grad(X, W1, b1, W2, b2, Y) against the loss of a network",
            ),
        ],
    )
    verb.add_argument("file", metavar="FILE", help="a Python file; it is run")
    verb.add_argument(
        "--shapes",
        nargs="+",
        default=[],
        metavar="NAME=SIZES",
        help="the arguments of loss in order: X=n,3 an array, b=4 a vector, t= a number",
    )
    verb.add_argument("--wrt", metavar="NAMES", help="which gradients grad returns, such as W1,b1")
    verb.add_argument("--upstream", metavar="NAME", help="verify forward and backward(dout, cache)")
    verb.add_argument("--require", metavar="WHAT", help="proved: fail for anything less")
    verb.add_argument(
        "--numeric",
        action="store_true",
        help="fall back to a check by numbers where a function cannot be traced",
    )
    verb.add_argument(
        "--timeout",
        type=float,
        default=results.TIMEOUT,
        metavar="SECONDS",
        help="for all of it: %(default)g",
    )
    verb.add_argument("--json", action="store_true", help="print the verdicts as JSON")
    add_network(verb, required=False)


def _run_verify(options: argparse.Namespace) -> int:
    script = scripts.load(options.file)
    wrt = [name.strip() for name in options.wrt.split(",")] if options.wrt else []
    given = {key: getattr(options, key) for key in ("require", "numeric", "timeout")}
    if options.layers:
        loss = loss_of(options)
        claims = scripts.claims_of(script, loss, wrt)
        verdicts = verify(loss, list(claims), claims, **given)
    else:
        shapes = scripts.shapes_of(options.shapes)
        given["upstream"] = options.upstream
        verdicts = scripts.verify_script(script, shapes, wrt, **given)
    if options.json:
        print(json.dumps({name: v.as_json() for name, v in verdicts.items()}, indent=2))
    else:
        print("\n".join(verdict.explain() for verdict in verdicts.values()))
    return 0 if all(map(bool, verdicts.values())) else 1


# ---------------------------------------------------------------- compile


def _add_compile(verbs: Any) -> None:
    verb = _verb(
        verbs,
        "compile",
        _run_compile,
        "print or save NumPy code for a network's loss and gradients",
        [
            ("--layers 3-4:tanh-1", "the function that returns the loss and all gradients"),
            (
                "--layers 3-4:tanh-1 --output gradients.py",
                "the same as a module; `python gradients.py` checks it",
            ),
            ("--layers 1-1:tanh --loss sse", "another loss; one unit of one input, in scalars"),
        ],
    )
    add_network(verb)
    verb.add_argument("--output", metavar="FILE", help="write a .py module that checks itself")


def _run_compile(options: argparse.Namespace) -> None:
    _checked_output(options.output, (".py",))
    function = compiled(loss_of(options), wrt="parameters")
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
            (
                "ages.csv --target probability --layers 1-1:tanh --standardize inputs",
                "all other columns are inputs, brought to mean 0 and deviation 1",
            ),
            (
                "data.csv --target y1,y2 --inputs a,b,c --layers 3-4:tanh-2 --epochs 500 --seed 1",
                "three columns in, two out; another seed draws another start",
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
    verb.add_argument("--target", required=True, metavar="NAMES", help="target column(s)")
    verb.add_argument("--inputs", metavar="NAMES", help="input columns; default all others")
    add_network(verb)
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


def _run_train(options: argparse.Namespace) -> int:
    _checked_output(options.output, (".json", ".py"))
    loss = loss_of(options)
    data = _read_data(options)
    starts = _starts(options.start)
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
            callback=progress,
        )
    except errors.DivergenceError as error:
        progress.clear()
        _finish(error.fit, options.output)
        raise
    progress.clear()
    _finish(fit, options.output)
    return 0


def _read_data(options: argparse.Namespace) -> tuple[Any, Any]:
    """Return the inputs and the targets, as many columns of each as the network has places."""
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
