"""Arrays that wait for the next call: a few for every function, and large ones within a bound.

A function computes into arrays of its own, which it puts back when it is done. Whoever calls with
ever other sizes would fill the memory with them: all large ones together stay below `MOST_BYTES`,
those that were used last stay.
"""

from __future__ import annotations

import weakref
from typing import Any, Generic, TypeVar

T = TypeVar("T")

#: What one shelf holds for threads that come at the same time.
MOST_SPACES = 4
#: Bytes from which on a space counts as large, and of all large ones that wait.
LARGE, MOST_BYTES = 2**20, 2**28

#: The shelves with large spaces by their identity, that used last at the end.
_LARGE: dict[int, weakref.ref[Shelf[Any]]] = {}


class Shelf(Generic[T]):
    """What is free for the next call of one function, for arrays of one shape.

    Args:
        size: The bytes of one space.

    >>> shelf = Shelf[str](size=8)
    >>> shelf.put("space")
    >>> shelf.take(), shelf.take()
    ('space', None)
    """

    def __init__(self, size: int) -> None:
        self.size = size
        self._free: list[T] = []

    def __len__(self) -> int:
        return len(self._free)

    def take(self) -> T | None:
        """Take a space that nobody else has; None where there is none."""
        try:
            return self._free.pop()
        except IndexError:
            return None

    def put(self, space: T) -> None:
        """Leave a space for the next call, and let go of others where that is too much."""
        if len(self._free) < MOST_SPACES:
            self._free.append(space)
        if self.size >= LARGE:
            self._settle()

    def _settle(self) -> None:
        _LARGE.pop(id(self), None)
        _LARGE[id(self)] = weakref.ref(self)
        room = MOST_BYTES
        for key, found in reversed(list(_LARGE.items())):
            shelf = found()
            if shelf is None:
                _LARGE.pop(key, None)
                continue
            room -= shelf.size * len(shelf)
            if room < 0:
                # What has just been used is likely to be used again: one of that stays.
                del shelf._free[1 if shelf is self else 0 :]
