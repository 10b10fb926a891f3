"""The C backend: portable C99 without dependencies, and the same loaded through a compiler.

Loading asks the system's C compiler once; the library is kept in a cache by the hash of its text.
"""

from __future__ import annotations

import ctypes
import functools
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from symgrad.backends.c_library import library
from symgrad.backends.c_text import KEYWORDS, header_text, source_text
from symgrad.backends.function import CompiledFunction
from symgrad.backends.kernel import Kernel
from symgrad.backends.native import Engine, NativeFunction, NativeQuick, looped, open_call
from symgrad.backends.recipe import Recipe
from symgrad.backends.runners import Call
from symgrad.backends.source import identifiers
from symgrad.errors import OptionError
from symgrad.files import write

#: The name of the function, where none is given.
NAME = "value_and_gradients"


class CEngine(Engine):
    """A kernel compiled by the system's C compiler, called through ctypes."""

    def __init__(self, kernel: Kernel, dtype: Any, loop: Any, flat: Any) -> None:
        self.kernel, self.dtype = kernel, np.dtype(dtype)
        self.source = source_text(kernel, dtype, NAME, loop, flat)
        self._library = library(self.source)
        self._call = getattr(self._library, f"{NAME}_call")
        self._call.argtypes, self._call.restype = [ctypes.c_void_p], None

    def caller(
        self, count: int, inputs: Mapping[str, Any], value: Any, gradients: Mapping[str, Any]
    ) -> Callable[[], None]:
        """Return a function that computes from arrays into arrays; see `Engine`."""
        size = ctypes.c_size_t(count)
        arrays = [inputs[name] for name in self.kernel.shapes]
        arrays += [value] * self.kernel.valued
        arrays += [gradients[name] for name in self.kernel.trained]
        pointers = [array.ctypes.data for array in arrays]
        if self.kernel.axis is not None:
            pointers.insert(0, ctypes.addressof(size))
        table = (ctypes.c_void_p * len(pointers))(*pointers)
        made = functools.partial(self._call, ctypes.c_void_p(ctypes.addressof(table)))
        # What the table points to must live as long as the function.
        made.kept = (size, table, arrays)  # type: ignore[attr-defined]
        return made

    def descend(
        self, count: int, inputs: Mapping[str, Any], learning_rate: float, epochs: int, order: Any
    ) -> None:
        """Move the parameters among the inputs, in place, sample by sample."""
        pointers = [inputs[name].__array_interface__["data"][0] for name in self._moved]
        places = None if order is None else order.__array_interface__["data"][0]
        self._descend(count, *pointers, learning_rate, epochs, places)

    @functools.cached_property
    def _moved(self) -> list[str]:
        """The inputs in the order in which the loop takes them: the data, then what moves."""
        trained = self.kernel.trained
        return [*(name for name in self.kernel.shapes if name not in trained), *trained]

    @functools.cached_property
    def _descend(self) -> Any:
        """The loop, with the types of its arguments, so that Python's own numbers do."""
        run = getattr(self._library, f"{NAME}_descend")
        number = ctypes.c_float if self.dtype == np.float32 else ctypes.c_double
        pointers = [ctypes.c_void_p] * len(self._moved)
        sizes = ctypes.c_size_t
        run.argtypes = [sizes, *pointers, number, sizes, ctypes.c_void_p]
        run.restype = None
        return run


class CFunction(NativeFunction):
    """A function of NumPy arrays, computed by C."""

    target = "c"

    def _compile(self, quick: NativeQuick, kernel: Kernel, call: Call) -> Engine:
        loop, flat = looped(quick, kernel, call)
        return CEngine(kernel, call.dtype, loop, flat)

    @property
    def source(self) -> str:
        """The C source, of the function and of its loop of per-sample descent.

        Raises:
            UnsupportedError: A size of a layer is open: it is known when the function is called.
        """
        return self._texts(NAME)[0]

    def _texts(self, name: str) -> tuple[str, str]:
        call = open_call(self._quick, self._recipe)
        kernel = self._quick.kernel(call.sizes)
        loop, flat = looped(self._quick, kernel, call)
        source = source_text(kernel, call.dtype, name, loop, flat)
        return source, header_text(kernel, call.dtype, name, loop is not None)

    def save(self, path: str | Path) -> Path:
        """Write `name.c` and `name.h`: C99 that needs nothing but the C library.

        Raises:
            UnsupportedError: The formulas have no form in C; the message says why.
        """
        path = Path(path)
        if path.suffix != ".c":
            raise OptionError(f"a C source is saved as name.c, not as {path.name}")
        name = identifiers([path.stem], reserved=KEYWORDS)[path.stem]
        source, header = self._texts(name)
        write(path.with_suffix(".h"), header)
        return write(path, source)


def compiled(recipe: Recipe) -> CompiledFunction:
    """Compile for C; see `symgrad.backends.targets`."""
    return CFunction(recipe)
