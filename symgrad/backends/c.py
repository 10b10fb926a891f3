"""The C backend: portable C99 without dependencies, and the same loaded through a compiler.

Loading asks the system's C compiler once; the library is kept in a cache by the hash of its text.
"""

from __future__ import annotations

import ctypes
import functools
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from symgrad.backends.c_library import library
from symgrad.backends.c_names import function_name
from symgrad.backends.c_text import header_text, source_text
from symgrad.backends.function import CompiledFunction
from symgrad.backends.kernel import Kernel
from symgrad.backends.native import (
    Engine,
    NativeFunction,
    Space,
    through,
)
from symgrad.backends.recipe import Recipe
from symgrad.errors import OptionError
from symgrad.files import write

#: The name of the function, where none is given.
NAME = "value_and_gradients"


class CEngine(Engine):
    """A kernel compiled by the system's C compiler, called by a module of its own or ctypes."""

    def __init__(self, kernel: Kernel, dtype: Any, loop: Any, flat: Any) -> None:
        self.kernel, self.dtype = kernel, np.dtype(dtype)
        self.descends = loop is not None
        self.source = source_text(kernel, dtype, NAME, loop, flat)
        self._library = library(self.source, f"{NAME}_call", self.dtype == np.float32)
        self._call = getattr(self._library.functions, f"{NAME}_call")
        self._call.argtypes, self._call.restype = [ctypes.c_void_p], None

    def caller(self, count: int, space: Space) -> Callable[[Any], Any]:
        """Return a function of the vector of parameters; see `Engine`."""
        size = ctypes.c_size_t(count)
        kernel = self.kernel
        arrays = [space.inputs[name] for name in kernel.shapes]
        arrays += [space.value] * kernel.valued
        arrays += [space.parts[name] for name in kernel.trained]
        pointers = [array.ctypes.data for array in arrays]
        if kernel.axis is not None:
            pointers.insert(0, ctypes.addressof(size))
        table = (ctypes.c_void_p * len(pointers))(*pointers)
        kept = size, table, arrays
        if self._library.door is None:
            pointer = ctypes.c_void_p(ctypes.addressof(table))
            run = functools.partial(self._call, pointer)
            run.kept = kept  # type: ignore[attr-defined]
            return through(space, run, kernel.valued)
        return self._library.door.bind(  # type: ignore[no-any-return]
            ctypes.addressof(table),
            space.parameters.ctypes.data,
            space.value.ctypes.data if kernel.valued else 0,
            count,
            len(space.parameters),
            space.parameters,
            space.gradient,
            kept,
        )

    def descender(self, space: Space) -> Callable[[int, float, int, Any], None]:
        """Return the loop that moves the parameters in place; see `Engine`."""
        run = getattr(self._library.functions, f"{NAME}_descend")
        run.restype = None
        kernel = self.kernel
        names = [name for name in kernel.shapes if name not in kernel.trained]
        arrays = [space.inputs[name] for name in [*names, *kernel.trained]]
        pointers = [ctypes.c_void_p(array.ctypes.data) for array in arrays]
        number = ctypes.c_float if self.dtype == np.float32 else ctypes.c_double
        size, pointer = ctypes.c_size_t, ctypes.c_void_p

        def descend(count: int, learning_rate: float, epochs: int, order: Any) -> None:
            places = None if order is None else pointer(order.ctypes.data)
            run(size(count), *pointers, number(learning_rate), size(epochs), places)

        descend.kept = arrays  # type: ignore[attr-defined]
        return descend


class CFunction(NativeFunction):
    """A function of NumPy arrays, computed by C."""

    target = "c"
    engine = CEngine

    @property
    def source(self) -> str:
        """The C source, of the function and of its loop of per-sample descent.

        Raises:
            UnsupportedError: A size of a layer is open: it is known when the function is called.
        """
        return self._texts(NAME)[0]

    def _texts(self, name: str) -> tuple[str, str]:
        kernel, dtype, loop, flat = self._opened()
        source = source_text(kernel, dtype, name, loop, flat)
        return source, header_text(kernel, dtype, name, loop is not None)

    def save(self, path: str | Path) -> Path:
        """Write `name.c` and `name.h`: C99 that needs nothing but the C library.

        The function is called as the file is; where C has that name, an underscore follows it.

        Raises:
            UnsupportedError: The formulas have no form in C; the message says why.
        """
        path = Path(path)
        if path.suffix != ".c":
            raise OptionError(f"a C source is saved as name.c, not as {path.name}")
        source, header = self._texts(function_name(path.stem))
        write(path.with_suffix(".h"), header)
        return write(path, source)


def compiled(recipe: Recipe) -> CompiledFunction:
    """Compile for C; see `symgrad.backends.targets`."""
    return CFunction(recipe)
