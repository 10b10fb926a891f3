"""Where in the user's code something happened, and how much reading may cost.

Whatever stops a trace is a `TraceError` that names the file, the line and its text. The first one
is kept by the running `Watch`: user code that catches it and takes another path would be read
wrongly, since NumPy itself would not have raised it.
"""

from __future__ import annotations

import linecache
import os
import sys
import sysconfig
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import FrameType, TracebackType
from typing import Any

from symgrad.errors import TraceError

#: After so many operations the caller is asked whether to go on.
CHECK_EVERY = 256
#: Folders whose frames are not the user's: this package, the standard library, installed ones.
_FOREIGN = (
    str(Path(__file__).resolve().parents[1]) + os.sep,
    sysconfig.get_paths()["stdlib"] + os.sep,
    sysconfig.get_paths()["purelib"] + os.sep,
)


class UserGlobals(dict[str, Any]):
    """The globals of user code that is being read; its frames are known by them."""


@dataclass
class Watch:
    """The costs of one trace.

    Attributes:
        circuit: What is recorded.
        check: Called now and then; it raises where time is over.
        max_nodes: The most nodes that the circuit may get.
        count: The operations so far.
        refused: The first error that this trace raised.
    """

    circuit: Any
    check: Callable[[], None] | None = None
    max_nodes: int = 2_000_000
    count: int = 0
    refused: TraceError | None = None

    def tick(self) -> None:
        """Count an operation; look at the limits now and then."""
        self.count += 1
        if self.count % CHECK_EVERY:
            return
        if self.check is not None:
            self.check()
        if len(self.circuit) > self.max_nodes:
            raise refusal(
                f"more than {self.max_nodes} operations: a loop that does not end, or sizes that "
                "are too large; try it with smaller arrays"
            )


_running: list[Watch] = []


@contextmanager
def watched(watch: Watch) -> Iterator[Watch]:
    """Make a watch the running one inside a `with` block."""
    _running.append(watch)
    try:
        yield watch
    finally:
        _running.pop()


def tick() -> None:
    """Count an operation of the running trace, if there is one."""
    if _running:
        _running[-1].tick()


def place_of(frame: FrameType | None, line: int | None = None) -> str:
    """Word a place in the user's code: file, line, and the line's text.

    >>> place_of(None)
    ''
    """
    if frame is None:
        return ""
    file = frame.f_code.co_filename
    number = line if line is not None else frame.f_lineno
    text = linecache.getline(file, number, frame.f_globals).strip()
    return f"\n  {file}, line {number}" + (f": {text}" if text else "")


def _frames(frame: FrameType | None) -> Iterator[FrameType]:
    while frame is not None:
        yield frame
        frame = frame.f_back


def _here() -> FrameType | None:
    frames = list(_frames(sys._getframe(2)))
    read = (frame for frame in frames if isinstance(frame.f_globals, UserGlobals))
    own = (f for f in frames if not f.f_code.co_filename.startswith((*_FOREIGN, "<__array")))
    return next(read, None) or next(own, None)


def refusal(message: str) -> TraceError:
    """Make the error for something that cannot be read, with the line that is running now.

    >>> print(str(refusal("no argmax")).split(",")[0].split()[1])
    argmax
    """
    error = TraceError(message + place_of(_here()))
    if _running and _running[-1].refused is None:
        _running[-1].refused = error
    return error


def located(error: BaseException, trace: TracebackType | None) -> TraceError:
    """Make the error for an exception out of user code, with the innermost line of the user's."""
    frame, line = None, None
    while trace is not None:
        if isinstance(trace.tb_frame.f_globals, UserGlobals):
            frame, line = trace.tb_frame, trace.tb_lineno
        trace = trace.tb_next
    kind = type(error).__name__
    return TraceError(f"the function raised {kind}: {error}{place_of(frame, line)}")
