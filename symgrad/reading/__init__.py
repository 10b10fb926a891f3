"""Reading a user's own NumPy code: the function is called once, and what it computes recorded."""

from __future__ import annotations
