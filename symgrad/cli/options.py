"""What the verbs of the command line share."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from symgrad import errors
from symgrad.files import check_place


def checked_output(path: str | None, endings: Sequence[str]) -> None:
    """Raise an OptionError before any work is done for a file that could not be written."""
    if path is None:
        return
    if Path(path).suffix not in endings:
        raise errors.unknown("ending of --output", Path(path).suffix or path, endings)
    check_place(path)


def verb_of(verbs: Any, name: str, run: Any, says: str, examples: Sequence[tuple[str, str]]) -> Any:
    """Add a verb, with examples that teach."""
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


def names_of(given: str | None) -> list[str]:
    """Split names at commas."""
    return [name.strip() for name in given.split(",")] if given else []


def all_of_text(options: argparse.Namespace, loss: Any) -> list[str] | None:
    """Return all inputs of a formula as text: it has no parameters of its own."""
    return list(loss.inputs) if options.text else None
