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

from symgrad import demo, errors
from symgrad.backends.function import CompiledFunction
from symgrad.backends.targets import BACKENDS
from symgrad.cli import training
from symgrad.cli.options import all_of_text, checked_output, names_of, verb_of
from symgrad.confirmation import derive
from symgrad.confirmation.compilation import compile as compiled
from symgrad.derivation import DETAILS
from symgrad.files import check_place, write
from symgrad.formats import text
from symgrad.profiles import NOTATIONS, PROFILES
from symgrad.specification import (
    add_network,
    add_shapes,
    add_text,
    formula_of,
    loss_of,
    shapes_of,
)
from symgrad.training import Fit
from symgrad.verification import results, scripts, verify

#: What `derive --format` takes, and what the endings of its files mean.
_FORMATS = {
    "text": "text",
    "tex": "latex",
    "latex": "latex",
    "md": "markdown",
    "markdown": "markdown",
    "html": "html",
    "ipynb": "notebook",
    "notebook": "notebook",
    "pdf": "pdf",
}
_ENDINGS = {
    ".tex": "latex",
    ".md": "markdown",
    ".html": "html",
    ".ipynb": "notebook",
    ".pdf": "pdf",
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit code."""
    parser = _parser()
    options = parser.parse_args(arguments)
    try:
        return int(options.run(options) or 0)
    except (
        errors.OptionError,
        errors.ParseError,
        errors.ShapeError,
        errors.UnsupportedError,
    ) as error:
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
    training.add(verbs)
    return parser


def _divergence(fit: Fit, options: argparse.Namespace) -> str:
    """Say what the error says, to someone who has options and files but no error object."""
    hint = ""
    if fit.stopped.startswith("diverged at the start"):
        hint = "; data on a smaller scale may help, as --standardize inputs makes them"
    elif "learning_rate" in options:
        hint = f"; a smaller --learning-rate than {options.learning_rate:g} may help"
    return f"training {fit.stopped}{hint}"


# ------------------------------------------------------------------- demo


def _add_demo(verbs: Any) -> None:
    verb = verb_of(
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
    verb = verb_of(
        verbs,
        "derive",
        _run_derive,
        "derive the gradients of a network's loss, or of a formula as text",
        [
            ("--layers 1-1:tanh", "one tanh unit of one input, in scalars"),
            ('"(tanh(w*z + b) - y)**2" --wrt w,b', "a formula as text; all names are numbers"),
            (
                '"sum((tanh(X @ W + b) - Y)**2) / n" --shape X=n,d W=d,k b=k Y=n,k --wrt W,b',
                "the same of arrays, with their shapes",
            ),
            (
                "--layers 3-2:sigmoid-2:sigmoid --no-bias --form columns --detail result",
                "two layers for one sample; the gradients without the steps to them",
            ),
            (
                "--layers 3-4:tanh-1 --wrt W1,b1 --format md",
                "the gradients of the first layer alone, as Markdown",
            ),
            ("--layers 3-4:tanh-1 --output derivation.html", "all of it as a page for a browser"),
            (
                "--layers 3-4:tanh-1 --profile nielsen --output derivation.pdf",
                "as Nielsen's book writes it: its letters, its marks, its sums over samples",
            ),
        ],
    )
    add_text(verb)
    add_network(verb, required=False)
    verb.add_argument("--wrt", metavar="NAMES", help="parameters, such as W1,b1; default all")
    verb.add_argument(
        "--detail", default="chain", metavar="NAME", help=f"{', '.join(DETAILS)} (%(default)s)"
    )
    verb.add_argument(
        "--notation",
        metavar="NAME",
        help=f"how a network is written: {', '.join(NOTATIONS)}; left out, as --form says",
    )
    verb.add_argument(
        "--profile", metavar="NAME", help=f"whose letters and signs: {', '.join(PROFILES)}"
    )
    verb.add_argument(
        "--structured",
        action="store_true",
        help="symmetric gradients by variables that are declared symmetric (--assume A=symmetric)",
    )
    verb.add_argument(
        "--format",
        metavar="NAME",
        help="text, tex (or latex), md (or markdown), html, ipynb (or notebook); left out: "
        "--output's ending, else text",
    )
    verb.add_argument(
        "--output", metavar="FILE", help="write to a .tex, .pdf, .md, .html or .ipynb file"
    )


def _run_derive(options: argparse.Namespace) -> None:
    chosen = _format_of(options.format, options.output)
    loss = formula_of(options)
    names = names_of(options.wrt) or all_of_text(options, loss)
    derived = derive(
        loss,
        names,
        detail=options.detail,
        notation=options.notation,
        profile=options.profile,
        structured=options.structured,
    )
    if options.output:
        print(f"wrote {derived.save(options.output)}")
        return
    formats = {
        "text": lambda: text.derivation(derived, detail=options.detail),
        "latex": derived.latex,
        "markdown": derived.markdown,
        "html": derived.html,
        "notebook": derived.notebook,
    }
    if chosen not in formats:
        raise errors.OptionError("PDF is written to a file: --output derivation.pdf")
    print(formats[chosen](), end="")


def _format_of(given: str | None, output: str | None) -> str:
    """Return the format that is asked for, or that the file's ending says."""
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
    verb = verb_of(
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
                '"sum((X @ w - y)**2)" --claim "2 * X.T @ (X @ w - y)" --shape X=n,3 w=3 y=n',
                'a gradient as text, or definitions: "r = X @ w - y; dw = 2 * X.T @ r"',
            ),
            (
                "grad.py --layers 3-4:tanh-1 --wrt W1,b1",
                "its grad(X, W1, b1, W2, b2, Y) against the loss of a network",
            ),
        ],
    )
    verb.add_argument(
        "text", metavar="FILE", help="a Python file, which is run; with --claim, a formula as text"
    )
    verb.add_argument("--claim", metavar="TEXT", help="a gradient, or definitions, as text")
    add_shapes(verb)
    _add_claim(verb)
    add_network(verb, required=False)


def _add_claim(verb: Any) -> None:
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


def _run_verify(options: argparse.Namespace) -> int:
    wrt = names_of(options.wrt)
    given = {key: getattr(options, key) for key in ("require", "numeric", "timeout")}
    if options.claim is not None:
        loss = formula_of(options)
        by = wrt or list(loss.inputs)
        if len(by) == 1:
            verdicts = {by[0]: verify(loss, by[0], options.claim, **given)}
        else:
            verdicts = verify(loss, by, options.claim, **given)
        return _report(verdicts, as_json=options.json)
    script = scripts.load(options.text)
    if options.layers:
        loss = loss_of(options)
        claims = scripts.claims_of(script, loss, wrt)
        verdicts = verify(loss, list(claims), claims, **given)
    else:
        shapes = shapes_of(options.shapes)
        given["upstream"] = options.upstream
        verdicts = scripts.verify_script(script, shapes, wrt, **given)
    return _report(verdicts, as_json=options.json)


def _report(verdicts: Any, *, as_json: bool) -> int:
    if as_json:
        print(json.dumps({name: v.as_json() for name, v in verdicts.items()}, indent=2))
    else:
        print("\n".join(verdict.explain() for verdict in verdicts.values()))
    return 0 if all(map(bool, verdicts.values())) else 1


# ---------------------------------------------------------------- compile


def _add_compile(verbs: Any) -> None:
    verb = verb_of(
        verbs,
        "compile",
        _run_compile,
        "print or save NumPy code for a loss and its gradients",
        [
            (
                '"mean((X @ w + b - y)**2)" --shape X=n,3 w=3 b= y=n --wrt w,b',
                "of a formula as text",
            ),
            ("--layers 3-4:tanh-1", "the function that returns the loss and all gradients"),
            (
                "--layers 3-4:tanh-1 --output gradients.py",
                "the same as a module; `python gradients.py` checks it",
            ),
            ("--layers 3-4:tanh-1 --output net.c", "the same in C, net.c and net.h; or net.mjs"),
            ("--layers 3-4:tanh-1 --backend jax", "the text for another target"),
            ("--layers 1-1:tanh --loss sse", "another loss; one unit of one input, in scalars"),
        ],
    )
    add_text(verb)
    add_network(verb, required=False)
    verb.add_argument("--wrt", metavar="NAMES", help="by which gradients are taken; default all")
    verb.add_argument(
        "--backend",
        metavar="NAME",
        help=f"{', '.join(BACKENDS)}; left out: as --output's ending says, else numpy",
    )
    verb.add_argument(
        "--output",
        metavar="FILE",
        help="write a .py module that checks itself, C (.c, and its .h), or JavaScript (.mjs, .js)",
    )


def _run_compile(options: argparse.Namespace) -> None:
    checked_output(options.output, tuple(_LANGUAGES))
    backend = _backend_of(options.backend, options.output)
    loss = formula_of(options)
    wrt = names_of(options.wrt) or all_of_text(options, loss) or "parameters"
    function = compiled(loss, wrt=wrt, backend=backend)
    if not options.output:
        print(_printed(function, backend).rstrip("\n"))
    elif backend in _LANGUAGES[".py"] and backend != "numpy":
        print(f"wrote {write(options.output, _printed(function, backend))}")
    else:
        more = {
            "numpy": f"; python {options.output} checks it",
            "c": f" and {Path(options.output).with_suffix('.h')}",
        }
        print(f"wrote {function.save(options.output)}{more.get(backend, '')}")


def _printed(function: CompiledFunction, backend: str) -> str:
    if backend != "numpy":
        return function.source
    return f"import numpy as np\n\n\n{function._recipe.program.module}"


#: By the ending of a file: the targets whose text it may hold, the usual one first.
_LANGUAGES = {
    ".py": ("numpy", "numba", "jax", "torch"),
    ".c": ("c",),
    ".mjs": ("javascript",),
    ".js": ("javascript",),
}


def _backend_of(given: str | None, output: str | None) -> str:
    """Return the target that an option names, or that a file's ending stands for."""
    if given is not None and given not in BACKENDS:
        raise errors.unknown("backend", given, BACKENDS)
    if output is None:
        return given or "numpy"
    meant = _LANGUAGES[Path(output).suffix]
    if given is None or given in meant:
        return given or meant[0]
    endings = [ending for ending, names in _LANGUAGES.items() if given in names]
    raise errors.OptionError(
        f"--backend {given} and --output {output} disagree: {Path(output).suffix} is for "
        f"{errors.listed(meant)}; {given} is written to a file that ends in "
        f"{errors.listed(endings)}"
    )
