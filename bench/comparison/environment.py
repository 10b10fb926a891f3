"""The environment of the peers, and the settings that hold every one of them to one thread.

Only the standard library is used here: this runs before there is an environment.
"""

import json
import os
import subprocess
import sys
import venv
from pathlib import Path

#: What is asked of pip, one peer at a time, so that one that fails does not take others along.
PEERS = {
    "numpy": "numpy",
    "sympy": "sympy",
    "jax": "jax",
    "torch": "torch==2.13.0",
    "casadi": "casadi",
    "heyoka": "heyoka",
    "symengine": "symengine",
    "numba": "numba",
    "pytensor": "pytensor",
}
#: symgrad itself needs these two; without them there is nothing to measure.
NEEDED = ("numpy", "sympy")

#: The record of what pip said, in the environment that was made here.
RECORD = "peers.json"

THREADS = (
    "OMP_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "MKL_NUM_THREADS",
    "NUMEXPR_NUM_THREADS",
    "NUMBA_NUM_THREADS",
    "VECLIB_MAXIMUM_THREADS",
    "NPROC",  # the size of XLA's own pool
)
SETTINGS = {
    **dict.fromkeys(THREADS, "1"),
    "XLA_FLAGS": "--xla_cpu_multi_thread_eigen=false intra_op_parallelism_threads=1",
    "JAX_PLATFORMS": "cpu",
    "JAX_ENABLE_X64": "true",
    "PYTHONHASHSEED": "0",
}


def python_of(environment):
    folder, name = ("Scripts", "python.exe") if os.name == "nt" else ("bin", "python")
    return environment / folder / name


def install(environment, say=print):
    """Makes the environment and installs every peer; a failure is recorded, not raised."""
    say(f"making an environment in {environment}")
    venv.create(environment, with_pip=True, clear=True)
    outcome = {}
    for peer, requirement in PEERS.items():
        say(f"  installing {requirement}")
        command = [str(python_of(environment)), "-m", "pip", "install", "-q", requirement]
        run = subprocess.run(command, capture_output=True, text=True, check=False)
        complaint = [line for line in run.stderr.splitlines() if line.startswith("ERROR")]
        outcome[peer] = "" if not run.returncode else (complaint or ["pip failed"])[-1][:200]
        if outcome[peer]:
            say(f"  {peer} is left out: {outcome[peer]}")
    lost = [peer for peer in NEEDED if outcome[peer]]
    if lost:
        raise SystemExit(f"Nothing can be measured without {' and '.join(lost)}.")
    (environment / RECORD).write_text(json.dumps(outcome, indent=2), encoding="utf-8")


def ready(environment, own, say=print):
    """The Python of an environment with the peers, which is made where it is missing.

    An environment that the user brings (`own` is false) is taken as it is.
    """
    there = python_of(environment).exists()
    if not there or (own and not (environment / RECORD).exists()):
        install(environment, say)
    return python_of(environment)


def failures(environment=None):
    """The peers that pip could not install, and why."""
    record = Path(environment or sys.prefix) / RECORD
    if not record.exists():
        return {}
    outcome = json.loads(record.read_text(encoding="utf-8"))
    return {peer: reason for peer, reason in outcome.items() if reason}


def variables(checkout):
    """The variables of a process that measures: one thread, and symgrad from the checkout."""
    bench = checkout / "bench"
    found = dict(os.environ, **SETTINGS)
    found["PYTHONPATH"] = os.pathsep.join([str(checkout), str(bench)])
    return found
