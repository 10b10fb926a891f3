"""Networks and losses in words, as the options of the command line give them."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from itertools import pairwise
from typing import Any

from symgrad import errors, losses
from symgrad.formula import Formula
from symgrad.layers import Dense, Network
from symgrad.reading.text import parse

FORMS = ("rows", "columns", "scalars")
_LAYERS_HELP = (
    "inputs, then units[:activation] of every layer: 3-2:sigmoid-2:sigmoid has three inputs and "
    "two sigmoid layers of two units"
)
_GRAMMAR = "write inputs-units[:activation]-units[:activation]-..., such as 3-2:sigmoid-1"

#: What a slip of the keyboard may ask for at most, before it fills the memory or takes hours.
MOST_UNITS = 1_000_000
MOST_WEIGHTS = 100_000_000
MOST_SCALARS = 10_000


def add_text(verb: Any, *, positional: bool = True) -> None:
    """Add the options that describe a formula as text."""
    says = 'a formula in NumPy\'s language: "sum((X @ w - y)**2) / n"'
    if positional:
        verb.add_argument("text", nargs="?", metavar="TEXT", help=says)
    else:
        verb.add_argument("--formula", dest="text", metavar="TEXT", help=says)
    add_shapes(verb)


def add_shapes(verb: Any) -> None:
    """Add the options that declare inputs: their shapes, and what is known of them."""
    verb.add_argument(
        "--shape",
        "--shapes",
        dest="shapes",
        nargs="+",
        action="extend",
        default=[],
        metavar="NAME=SIZES",
        help="X=n,3 an array, b=4 a vector, t= a number; without any, all names are numbers",
    )
    verb.add_argument(
        "--assume",
        nargs="+",
        action="extend",
        default=[],
        metavar="NAME=WORDS",
        help="what is known of an input, such as S=symmetric or t=positive",
    )


def shapes_of(words: Sequence[str]) -> dict[str, Any]:
    """Read shapes from words: `X=n,3` is an array, `b=4` a vector, `t=` a number.

    Raises:
        OptionError: A word is not of that form.

    >>> shapes_of(["X=n,3", "b=4", "t="])
    {'X': ('n', 3), 'b': (4,), 't': ()}
    """
    shapes: dict[str, Any] = {}
    for word in words:
        name, equals, sizes = word.partition("=")
        parts = [part.strip() for part in sizes.strip("() ").split(",") if part.strip()]
        if not equals or not name.isidentifier():
            raise errors.OptionError(
                f"--shape {word!r}: write NAME=SIZES, such as X=n,3 or b=4 or t="
            )
        for part in parts:
            if not part.isidentifier() and not (part.isascii() and part.isdigit()):
                raise errors.OptionError(
                    f"--shape {word!r}: {part!r} is neither a number nor a name"
                )
        shapes[name] = tuple(int(part) if part.isdigit() else part for part in parts)
    return shapes


def assumptions_of(words: Sequence[str]) -> dict[str, Any]:
    """Read assumptions from words: `S=symmetric`, `p=positive,integer`.

    Raises:
        OptionError: A word is not of that form.

    >>> assumptions_of(["S=positive definite"])
    {'S': ['positive definite']}
    """
    found = {}
    for word in words:
        name, equals, given = word.partition("=")
        if not equals or not name.isidentifier():
            raise errors.OptionError(f"--assume {word!r}: write NAME=WORD, such as S=symmetric")
        found[name] = [each.strip() for each in given.split(",")]
    return found


def formula_of(options: argparse.Namespace, parameters: Sequence[str] = ()) -> Formula:
    """Build what the options describe: a formula as text, or the loss of a network.

    Raises:
        OptionError: Both, or neither, or options of the other.
        ParseError: Text that is no formula.
    """
    if bool(options.text) == bool(options.layers):
        raise errors.OptionError(
            "give a formula as text, or --layers for a network: one of the two"
        )
    if options.layers:
        if options.shapes or options.assume:
            raise errors.OptionError("--shape and --assume belong to a formula as text")
        return loss_of(options)
    shapes = shapes_of(options.shapes) if options.shapes else None
    return parse(options.text, shapes, assumptions_of(options.assume), parameters or None)


def add_network(verb: Any, *, required: bool = True) -> None:
    """Add the options that describe a network and its loss."""
    verb.add_argument("--layers", required=required, metavar="SIZES", help=_LAYERS_HELP)
    verb.add_argument("--no-bias", action="store_true", help="leave the biases out")
    verb.add_argument(
        "--loss", default="mse", metavar="NAME", help=f"{', '.join(losses.LOSSES)} (%(default)s)"
    )
    verb.add_argument(
        "--from-logits",
        action="store_true",
        help="cross-entropies take a linear last layer as that of a sigmoid or softmax",
    )
    verb.add_argument("--delta", type=float, help="where huber turns from squares to lines: 1")
    for name, what in (("l1", "absolute values"), ("l2", "squares")):
        verb.add_argument(
            f"--{name}",
            type=float,
            metavar="WEIGHT",
            help=f"add this times the sum of the {what} of the weights",
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
    inputs = _count(first, sizes, "inputs")
    if not rest:
        raise errors.OptionError(f"--layers {sizes!r} has no layer; {_GRAMMAR}")
    layers = []
    for part in rest:
        units, colon, activation = part.partition(":")
        count = _count(units, sizes, "units")
        if colon and not activation:
            raise errors.OptionError(f"--layers {sizes!r}: no activation after `:`; {_GRAMMAR}")
        layers.append(Dense(count, activation=activation or None, bias=bias))
    net = Network(inputs, layers)
    form = form or ("scalars" if net.widths == (1, 1) else "rows")
    if form not in FORMS:
        raise errors.unknown("form", form, FORMS)
    _check_weights(net.widths, form)
    made: Network = getattr(net, form)()
    return made


def _count(word: str, sizes: str, what: str) -> int:
    if not word.isascii() or not word.isdigit():
        raise errors.OptionError(
            f"--layers {sizes[:60]!r}: {word[:20]!r} is not a number of {what}; {_GRAMMAR}"
        )
    # Lengths are compared first, because Python reads no number of thousands of digits.
    digits = word.lstrip("0") or "0"
    if len(digits) > len(str(MOST_UNITS)) or int(digits) > MOST_UNITS:
        raise errors.OptionError(
            f"--layers {sizes[:60]!r}: {digits[:20]} is above the limit of {MOST_UNITS} {what}, "
            "which keeps a slip of the keyboard from filling the memory"
        )
    return int(digits)


def _check_weights(widths: Sequence[int], form: str) -> None:
    count = sum(below * units for below, units in pairwise(widths))
    if count > MOST_WEIGHTS:
        raise errors.OptionError(
            f"the layers have {count} weights, above the limit of {MOST_WEIGHTS}, which keeps a "
            "slip of the keyboard from filling the memory"
        )
    if form == "scalars" and count > MOST_SCALARS:
        raise errors.OptionError(
            f"the layers have {count} weights, above the limit of {MOST_SCALARS} for --form "
            "scalars, where every weight is a symbol of its own; --form rows has one for a layer"
        )


def loss_of(options: argparse.Namespace) -> Formula:
    """Build the loss that the options describe, with its penalties.

    Raises:
        OptionError: An unknown loss, or an option that the loss does not have.
    """
    if options.loss not in losses.LOSSES:
        raise errors.unknown("loss", options.loss, losses.LOSSES)
    net = network_of(options.layers, bias=not options.no_bias, form=options.form)
    given = {"from_logits": True} if options.from_logits else {}
    if options.delta is not None:
        given["delta"] = options.delta
    made: Formula = getattr(losses, options.loss)(net, **given)
    for penalty in (losses.l1, losses.l2):
        weight = getattr(options, penalty.__name__)
        if weight is not None:
            made = made + penalty(net, weight)
    return made
