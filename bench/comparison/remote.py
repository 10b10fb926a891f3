"""Contenders in a process of their own that take part in the same rounds.

The two processes take turns over a pipe, so that never more than one of them runs. The other
process times its own blocks: the pipe is no part of a figure.
"""

import contextlib
import multiprocessing
import os
import signal

from . import reference
from .contender import Built, built
from .timing import stopwatch


def serve(pipe, work, variables, names, longest):
    """The other process: builds the contenders, then runs the blocks that it is asked for."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # an interrupted leader closes the pipe
    os.environ.update(variables)
    from .contenders import of_kind

    expected = reference.expected(work)
    chosen = [c for c in of_kind(work.kind) if c.name in names]
    blocks = {}
    for contender in chosen:
        made = built(contender, work, expected, longest, reference.complaint)
        if made.ready:
            blocks[contender.name] = stopwatch(made.ready.call, contender.waits)
        pipe.send((contender.name, made.seconds, made.reason))
    pipe.send(None)
    with contextlib.suppress(EOFError):
        while (asked := pipe.recv()) is not None:
            name, count = asked
            pipe.send(blocks[name](count))


class Remote:
    """The other process, as seen from the one that leads the rounds."""

    def __init__(self, work, variables, contenders, longest):
        context = multiprocessing.get_context("spawn")
        self.pipe, other = context.Pipe()
        names = [c.name for c in contenders]
        arguments = (other, work, dict(variables), names, longest)
        self.process = context.Process(target=serve, args=arguments, daemon=True)
        self.process.start()
        other.close()

    def build(self):
        """What has become of each contender, by name."""
        found = {}
        while (said := self.pipe.recv()) is not None:
            name, seconds, reason = said
            found[name] = Built(None, seconds, reason)
        return found

    def block(self, name):
        def run(count):
            self.pipe.send((name, count))
            return self.pipe.recv()

        return run

    def close(self):
        """Ends the process; one that has died already is no error."""
        with contextlib.suppress(OSError):
            self.pipe.send(None)
        self.process.join(timeout=10)
        if self.process.is_alive():
            self.process.terminate()
