"""C source compiled by the system's compiler, loaded, and kept in a cache by its text's hash."""

from __future__ import annotations

import ctypes
import functools
import hashlib
import os
import shutil
import subprocess
import tempfile
from pathlib import Path

from symgrad.backends import c_functions
from symgrad.errors import UnsupportedError


def compiler() -> list[str]:
    """Return the command of the system's C compiler.

    Raises:
        UnsupportedError: There is none.
    """
    given = os.environ.get("CC", "").split()
    for command in (given, ["cc"], ["gcc"], ["clang"]):
        if command and shutil.which(command[0]):
            return command
    raise UnsupportedError(
        "backend='c' loads its code through a C compiler, and none was found; install gcc or "
        "clang, or name one in the environment variable CC. f.save('name.c') writes the source"
    )


def cache_folder() -> Path:
    """Return the folder where compiled libraries are kept."""
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / "symgrad"


@functools.lru_cache(maxsize=64)
def library(source: str) -> ctypes.CDLL:
    """Compile a source, unless that was done before, and load it.

    Raises:
        UnsupportedError: There is no compiler, or it refuses.
    """
    command = compiler()
    flags = [*c_functions.FLAGS, "-march=native", "-fopenmp-simd", "-std=c99", "-shared", "-fPIC"]
    version = subprocess.run([*command, "--version"], capture_output=True, text=True, check=False)
    key = "\0".join([source, *command, *flags, version.stdout])
    digest = hashlib.sha256(key.encode()).hexdigest()[:32]
    folder = cache_folder()
    target = folder / f"{digest}.so"
    if not target.exists():
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        with tempfile.TemporaryDirectory(dir=folder) as scratch:
            text, made = Path(scratch) / "code.c", Path(scratch) / "code.so"
            text.write_text(source, encoding="utf-8")
            parts = [*command, *flags, str(text), "-o", str(made), "-lm"]
            done = subprocess.run(parts, capture_output=True, text=True, check=False)
            if done.returncode:
                # Some machines do not know -march=native.
                parts.remove("-march=native")
                done = subprocess.run(parts, capture_output=True, text=True, check=False)
            if done.returncode:
                said = done.stderr.strip().splitlines()
                raise UnsupportedError(
                    f"the C compiler `{command[0]}` refused the code: {' '.join(said[:3])}"
                )
            # Another process may have made the same file meanwhile: either is as good.
            os.replace(made, target)
    return ctypes.CDLL(str(target))
