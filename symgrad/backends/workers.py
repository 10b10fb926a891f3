"""Workers: processes that hold a part of the samples each, and what they share with the caller.

The parameters and the results lie in shared memory; what goes through pipes is one byte to start
and a word to be done. Data goes through a block of shared memory that lives as long as it takes
the workers to copy their parts.
"""

from __future__ import annotations

import contextlib
import ctypes
import multiprocessing
import os
import signal
import sys
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from multiprocessing.shared_memory import SharedMemory
from pathlib import Path
from typing import Any

import numpy as np

from symgrad.backends.bound import BoundFunction
from symgrad.backends.runners import Call

#: What a worker is told to do.
BOTH, VALUE_ALONE, REBIND, STOP = b"b", b"v", b"r", b"s"
#: How long a worker that was told to stop may take, in seconds.
PATIENCE = 2.0
#: Makes the function of a part of the data.
Make = Callable[[Call, Mapping[str, Any]], BoundFunction]


# ------------------------------------------------------------------ shared arrays


@dataclass(frozen=True)
class Parcel:
    """Arrays in a block of shared memory, as another process finds them.

    Attributes:
        name: The block's.
        arrays: By name: the first byte, the shape, and the type of numbers.
    """

    name: str
    arrays: dict[str, tuple[int, tuple[int, ...], str]]


@contextlib.contextmanager
def parcelled(arrays: Mapping[str, Any]) -> Iterator[Parcel]:
    """Copy arrays into a block of shared memory, which is gone at the end."""
    found: dict[str, tuple[int, tuple[int, ...], str]] = {}
    size = 0
    for name, array in arrays.items():
        found[name] = size, array.shape, array.dtype.str
        size += -(-array.nbytes // 64) * 64
    block = SharedMemory(create=True, size=max(size, 1))
    try:
        for name, array in arrays.items():
            start, shape, kind = found[name]
            np.ndarray(shape, kind, block.buf, start)[...] = array
        yield Parcel(block.name, found)
    finally:
        block.close()
        block.unlink()


@contextlib.contextmanager
def opened(parcel: Parcel) -> Iterator[dict[str, Any]]:
    """Show the arrays of a parcel; they are gone at the end."""
    block = SharedMemory(parcel.name)
    views = {n: np.ndarray(s, k, block.buf, at) for n, (at, s, k) in parcel.arrays.items()}
    try:
        yield views
    finally:
        views.clear()
        with contextlib.suppress(BufferError):
            # An error that is on its way still looks at them; the process ends with it.
            block.close()


# ------------------------------------------------------------------------ workers


@dataclass(frozen=True)
class Part:
    """What one worker computes.

    Attributes:
        number: Which of them it is; 0 is the calling process.
        low: Its first sample.
        high: The sample after its last.
        call: What its arrays look like.
        sampled: The inputs that are cut; the others are the same for all parts.
        places: By parameter, where its entries are in the common flat vector.
    """

    number: int
    low: int
    high: int
    call: Call
    sampled: tuple[str, ...]
    places: Mapping[str, Any]

    def cut(self, arrays: Mapping[str, Any]) -> dict[str, Any]:
        """Return the arrays of this part: views."""
        return {n: a[self.low : self.high] if n in self.sampled else a for n, a in arrays.items()}


def _limit_blas() -> None:
    """Let BLAS use one thread in this process: the other cores have workers of their own.

    Under spawn the environment has said so before NumPy was loaded; a forked process asks the
    OpenBLAS that it has. Of other libraries, MKL_NUM_THREADS and the like are the user's to set.
    """
    maps = Path("/proc/self/maps")
    if not maps.exists():
        return
    words = [line.split() for line in maps.read_text().splitlines() if "openblas" in line.lower()]
    for path in sorted({parts[-1] for parts in words}):
        with contextlib.suppress(OSError):
            library = ctypes.CDLL(path)
            for prefix in ("", "scipy_"):
                for suffix in ("", "64_"):
                    name = f"{prefix}openblas_set_num_threads{suffix}"
                    if hasattr(library, name):
                        getattr(library, name)(1)


def _work(
    pipe: Any, foreign: Sequence[Any], make: Make, part: Part, parcel: Parcel, shared: Parcel
) -> None:
    """Be a worker: compute a part whenever told to."""
    # Ctrl-C goes to the whole group of processes; the calling one decides what ends.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    for other in foreign:
        # A fork has the ends of its elder siblings; open here, they would never see their end.
        other.close()
    _limit_blas()
    try:
        with opened(parcel) as arrays:
            function = make(part.call, part.cut(arrays))
    except Exception as error:
        pipe.send(error)
        return
    with opened(shared) as views, np.errstate(all="ignore"), contextlib.suppress(EOFError):
        _serve(pipe, function, part, views)


def _serve(pipe: Any, function: BoundFunction, part: Part, views: Mapping[str, Any]) -> None:
    p, results = views["p"], views["results"][part.number]
    order = function.pack(part.places).astype(int)
    pipe.send(None)
    while True:
        told = pipe.recv_bytes()
        try:
            if told == STOP:
                return
            if told == REBIND:
                with opened(pipe.recv()) as arrays:
                    function.rebind(part.cut(arrays))
            elif told == VALUE_ALONE:
                results[0] = function.value(p[order])
            else:
                value, gradient = function(p[order])
                results[0] = np.nan if value is None else value
                results[1:][order] = gradient
            answer = None
        except Exception as error:
            answer = error
        pipe.send(answer)


@dataclass(frozen=True)
class Crew:
    """The workers of one function, and what they share.

    Attributes:
        pipes: The calling process's ends.
        processes: The workers.
        block: The shared memory.
        views: Its arrays by name: `p`, and `results`, a row for every part.
        owner: The process that started the workers.
    """

    pipes: tuple[Any, ...]
    processes: tuple[Any, ...]
    block: SharedMemory
    views: dict[str, Any]
    owner: int

    def dismiss(self) -> None:
        """Stop the workers and give the shared memory back; twice does no harm."""
        if os.getpid() != self.owner:
            # A fork of the user's own has a copy of this, but the workers are not its children.
            return
        for pipe in self.pipes:
            with contextlib.suppress(OSError):
                pipe.send_bytes(STOP)
                pipe.close()
        for process in self.processes:
            process.join(PATIENCE)
            if process.is_alive():
                process.terminate()
                process.join()
        # The views go first: memory that is looked at cannot be given back.
        self.views.clear()
        self.block.close()
        with contextlib.suppress(FileNotFoundError):
            self.block.unlink()


@contextlib.contextmanager
def _single_threaded() -> Iterator[None]:
    """Tell BLAS libraries that are loaded meanwhile, in processes that are spawned, of one core."""
    names = ("OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "OMP_NUM_THREADS", "BLIS_NUM_THREADS")
    kept = {name: os.environ.get(name) for name in (*names, "VECLIB_MAXIMUM_THREADS")}
    os.environ.update(dict.fromkeys(kept, "1"))
    try:
        yield
    finally:
        for name, value in kept.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


def start_method() -> str:
    """Return how processes are started.

    As `multiprocessing.set_start_method` was told; else they are forked on Linux, where that is
    safe, and spawned elsewhere. Whoever spawns keeps the script's own work under
    `if __name__ == "__main__":`, as `multiprocessing` asks for.
    """
    usual = "fork" if sys.platform == "linux" else "spawn"
    return multiprocessing.get_start_method(allow_none=True) or usual


def _aligned(size: int) -> int:
    return -(-size // 64) * 64


def hired(
    make: Make, parts: Sequence[Part], data: Mapping[str, Any], dtype: Any, size: int
) -> Crew:
    """Start the workers of all parts but the first, and wait until each has its data.

    Args:
        make: Makes the function of a part; it is pickled where processes are spawned.
        parts: All parts.
        data: All arrays by name.
        dtype: The type of numbers.
        size: The number of parameters.
    """
    method = start_method()
    context: Any = multiprocessing.get_context(method)
    kind = np.dtype(dtype)
    start = _aligned(size * kind.itemsize)
    block = SharedMemory(create=True, size=start + len(parts) * (size + 1) * kind.itemsize)
    shared = Parcel(
        block.name,
        {"p": (0, (size,), kind.str), "results": (start, (len(parts), size + 1), kind.str)},
    )
    views = {n: np.ndarray(s, k, block.buf, at) for n, (at, s, k) in shared.arrays.items()}
    pipes: list[Any] = []
    processes: list[Any] = []
    try:
        with parcelled({n: np.asarray(a, kind) for n, a in data.items()}) as parcel:
            for part in parts[1:]:
                mine, its = context.Pipe()
                pipes.append(mine)
                foreign = tuple(pipes) if method == "fork" else ()
                given = (its, foreign, make, part, parcel, shared)
                process = context.Process(target=_work, args=given, daemon=True)
                with _single_threaded(), warnings.catch_warnings():
                    # Python warns of threads that a fork does not take along. The worker waits
                    # for none: it runs NumPy and generated code, and OpenBLAS minds forks itself.
                    warnings.simplefilter("ignore", DeprecationWarning)
                    process.start()
                processes.append(process)
                its.close()
            for pipe in pipes:
                fault = pipe.recv()
                if fault is not None:
                    raise fault
    except BaseException:
        Crew(tuple(pipes), tuple(processes), block, views, os.getpid()).dismiss()
        raise
    return Crew(tuple(pipes), tuple(processes), block, views, os.getpid())
