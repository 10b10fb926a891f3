"""Progress: what a long run says while it lasts."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any, TextIO

#: Seconds between two states of the line that changes in its place.
PAUSE = 0.5


class Progress:
    """A callback of `train` that says how it goes.

    That is about ten lines; on a terminal also one that changes in its place, twice a second, so
    that long epochs are seen to pass.

    Args:
        epochs: How many epochs there will be.
        stream: Where it is said.
        clock: Seconds that only grow; for tests.
    """

    def __init__(
        self, epochs: int, stream: TextIO, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._epochs, self._stream, self._clock = epochs, stream, clock
        self._every = max(1, epochs // 10)
        self._live = stream.isatty()
        self._due = clock() + PAUSE
        self._width = 0

    def __call__(self, epoch: int, loss: float, parameters: Any) -> None:
        """Report an epoch."""
        if epoch % self._every == 0 or epoch == self._epochs:
            self.clear()
            print(f"epoch {epoch}: loss {loss:.8g}", file=self._stream)
        elif self._live and self._clock() >= self._due:
            self._due = self._clock() + PAUSE
            said = f"epoch {epoch} of {self._epochs}: loss {loss:.8g}"
            self._show(said.ljust(self._width))
            self._width = len(said)

    def clear(self) -> None:
        """Take the changing line away, so that what comes next has the line to itself."""
        if self._width:
            self._show(" " * self._width)
            self._width = 0

    def _show(self, line: str) -> None:
        print(f"\r{line}\r", end="", file=self._stream, flush=True)
