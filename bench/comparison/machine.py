"""What the figures were measured on."""

import os
import platform
import re
import subprocess
import timeit
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


def spellings():
    """What tanh takes in NumPy's own word for it, which symgrad prints, and written by exp.

    By exp it has fewer right digits near 0; it is here because it is the other word that NumPy has
    vector code for, and would be the faster one without AVX-512 if exp were.
    """
    import numpy as np

    z = np.random.default_rng(0).normal(size=16_384)
    out = np.empty_like(z)

    def by_exp():
        np.multiply(z, 2.0, out)
        np.exp(out, out)
        np.add(out, 1.0, out)
        np.divide(-2.0, out, out)
        np.add(out, 1.0, out)

    def nanoseconds(call):
        seconds = min(timeit.repeat(call, number=20, repeat=25)) / 20
        return f"{seconds / z.size * 1e9:.2g} ns"

    return f"{nanoseconds(lambda: np.tanh(z, out))} an entry; by exp {nanoseconds(by_exp)}"


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
        "tanh of NumPy": spellings(),
        "symgrad": symgrad.__version__,
        **versions(),
    }
