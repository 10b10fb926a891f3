"""Files that symgrad writes: where they may go, and what is said when they may not."""

from __future__ import annotations

import os
from pathlib import Path

from symgrad.errors import OptionError


def check_place(path: str | Path) -> Path:
    """Return where a file is to be written, once its folder is known to exist.

    Folders are not made here: a mistyped one would hide what was saved.

    Raises:
        OptionError: There is no such folder, or the path itself is a folder.
    """
    path = Path(path)
    # os.path answers False where pathlib's own is_dir raises, as for names that are too long.
    if os.path.isdir(path):
        raise OptionError(f"cannot write {path}: it is a folder; add the name of a file")
    if not os.path.isdir(path.parent):
        raise OptionError(
            f"cannot write {path}: there is no folder {path.parent}; make it first, or write "
            "somewhere else"
        )
    return path


def write(path: str | Path, content: str | bytes) -> Path:
    """Write text or bytes to a file, in a folder that exists, and return the file's path.

    Raises:
        OptionError: The file cannot be written; the message says why.
    """
    path = check_place(path)
    try:
        path.write_bytes(content.encode("utf-8") if isinstance(content, str) else content)
    except (OSError, ValueError) as error:
        why = getattr(error, "strerror", None) or error
        raise OptionError(f"cannot write {path}: {why}") from None
    return path
