"""What the figures were measured on."""

import os
import platform
import re
import subprocess
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from .environment import PEERS


def text_of(path):
    try:
        return Path(path).read_text(encoding="utf-8")
    except OSError:
        return ""


def processor(cpuinfo):
    """The model's name and the vector units, from the text of /proc/cpuinfo."""
    model = re.search(r"^model name\s*: (.*)$", cpuinfo, re.MULTILINE)
    flags = re.search(r"^flags\s*: (.*)$", cpuinfo, re.MULTILINE)
    own = set(flags[1].split()) if flags else set()
    vectors = "AVX-512" if "avx512f" in own else "AVX2" if "avx2" in own else "not known"
    return (model[1].strip() if model else platform.processor() or "not known"), vectors


def second_level():
    """The size of the second-level cache of one core, as the kernel writes it."""
    folder = Path("/sys/devices/system/cpu/cpu0/cache")
    for index in sorted(folder.glob("index*")):
        if text_of(index / "level").strip() == "2":
            return text_of(index / "size").strip().replace("K", " KiB")
    return "not known"


def compiler():
    try:
        run = subprocess.run(["gcc", "--version"], capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        return "none"
    return run.stdout.splitlines()[0]


def blas():
    import numpy as np

    found = np.show_config(mode="dicts")["Build Dependencies"]["blas"]
    return f"{found['name']} {found['version']}"


def versions():
    """The installed version of every peer, or that it is missing."""
    found = {}
    for peer in PEERS:
        try:
            found[peer] = version(peer)
        except PackageNotFoundError:
            found[peer] = "missing"
    return found


def describe():
    import symgrad

    model, vectors = processor(text_of("/proc/cpuinfo"))
    return {
        "processor": model,
        "cores": os.cpu_count(),
        "second-level cache of a core": second_level(),
        "vector units": vectors,
        "system": f"{platform.system()} {platform.machine()}, {' '.join(platform.libc_ver())}",
        "compiler": compiler(),
        "python": platform.python_version(),
        "BLAS of NumPy": blas(),
        "symgrad": symgrad.__version__,
        **versions(),
    }
