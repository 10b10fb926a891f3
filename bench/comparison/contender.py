"""What a contender is, and how it is built and checked before it is timed."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Ready:
    """One unit of work, ready to run, and how its native result is read.

    `answer` turns the result of `call` into (loss or None, flat vector); it is used for the check
    alone and never timed.
    """

    call: Callable[[], Any]
    answer: Callable[[Any], tuple]
    note: str = ""


@dataclass(frozen=True)
class Contender:
    """A tool in one of its forms: what it is called, how it is set, how it is built.

    `family` groups the forms that a target names together. `unsuited` gives the reason why a
    workload is not for it, or an empty text. A contender with `variables` runs in a process of its
    own, with these environment variables, and takes part in the same rounds.
    """

    name: str
    kind: str
    build: Callable[[Any], Ready]
    settings: str
    family: str = ""
    unsuited: Callable[[Any], str] = lambda work: ""
    variables: tuple = ()
    waits: bool = False

    @property
    def group(self):
        return self.family or self.name


@dataclass(frozen=True)
class Built:
    """A contender that has given the right numbers, or the reason why it is left out."""

    ready: Ready | None
    seconds: float = 0.0
    reason: str = ""


def reason_of(error):
    text = " ".join(str(error).split())
    return f"{type(error).__name__}: {text}"[:240]


def built(contender, work, expected, longest, complaint):
    """Builds a contender, checks its numbers and drops it where one call takes too long."""
    unsuited = contender.unsuited(work)
    if unsuited:
        return Built(None, reason=unsuited)
    try:
        start = time.perf_counter()
        ready = contender.build(work)
        result = ready.call()
        seconds = time.perf_counter() - start
        wrong = complaint(expected, ready.answer(result), work.tolerance)
        if wrong:
            return Built(None, seconds, wrong)
        start = time.perf_counter()
        ready.call()
        again = time.perf_counter() - start
    # Whatever a peer raises: it is reported, and the others are measured.
    except Exception as error:
        return Built(None, reason=reason_of(error))
    if again > longest:
        return Built(None, seconds, f"one call takes {again:.1f} s, over the {longest:g} s allowed")
    return Built(ready, seconds)
