"""How much memory a gradient over a million samples takes beyond its data.

Every contender runs in a process of its own: the tool is imported and warmed on a few samples, the
data are there, then the peak of resident memory over building and two calls is compared with what
was resident before. For code that allocates through NumPy, tracemalloc gives a second figure.
"""

import argparse
import json
import subprocess
import sys
import tracemalloc
from dataclasses import replace
from pathlib import Path

from .contender import reason_of
from .contenders import of_kind
from .tables import memory
from .workloads import all_workloads

WORK = "3-4-4-1-n1000000"
NAMES = (
    "symgrad",
    "symgrad C",
    "symgrad numba",
    "symgrad by name",
    "C",
    "textbook NumPy",
    "jax jit",
    "jax tuned, chunks",
    "torch eager",
    "pytensor",
    "casadi compiled",
    "heyoka",
    "symengine",
    "sympy cse",
)
MOST = 3.0  # times the data


def status(key):
    """A size in /proc/self/status, in bytes."""
    for line in Path("/proc/self/status").read_text(encoding="utf-8").splitlines():
        if line.startswith(f"{key}:"):
            return int(line.split()[1]) * 1024
    raise OSError(f"/proc/self/status has no {key}")


def one(name):
    """The two figures of one contender, in this process."""
    work = all_workloads()[WORK]
    contender = next(c for c in of_kind("network") if c.name == name)
    # The smallest batch that every form accepts.
    few = replace(work, samples=400_000 if "chunks" in name else 1_000)
    contender.build(few).call()
    data = work.X.nbytes + work.Y.nbytes
    Path("/proc/self/clear_refs").write_text("5", encoding="ascii")  # forgets the old peak
    before = status("VmRSS")
    ready = contender.build(work)
    ready.call()
    ready.call()
    resident = status("VmHWM") - before
    del ready
    tracemalloc.start()
    ready = contender.build(work)
    ready.call()
    traced = tracemalloc.get_traced_memory()[1]
    return {"data": data, "resident": resident, "traced": traced}


def chosen(wanted):
    if not wanted:
        return NAMES
    return [n for n in NAMES if any(n.startswith(w) for w in (*wanted, "symgrad"))]


def memory_table(name, wanted):
    lines, left_out, targets = [], {}, []
    for contender in chosen(wanted):
        print(f"    {contender}", flush=True)
        command = [sys.executable, "-W", "ignore", "-m", "comparison.memory", "--one", contender]
        run = subprocess.run([*command, name, "-"], capture_output=True, text=True, check=False)
        try:
            found = json.loads(run.stdout.splitlines()[-1])
        except (IndexError, ValueError):
            found = {"error": f"its process ended with status {run.returncode}"}
        if "error" in found:
            left_out[contender] = f"{contender}: {found['error']}"
            continue
        share = found["resident"] / found["data"]
        shown = f"**{contender}**" if contender.startswith("symgrad") else contender
        lines.append([shown, memory(found["resident"]), f"{share:.2f}", memory(found["traced"])])
        if contender.startswith("symgrad"):
            targets.append((f"{contender}: peak / data", f"{MOST:g}", f"{share:.2f}", share < MOST))
    return {
        "name": name,
        "title": "Memory beyond the data, 3-4-4-1 tanh, 1,000,000 samples",
        "text": "The data are 30.5 MiB. Peak of resident memory while building and calling, less "
        "what was resident before; the peak that tracemalloc sees (NumPy's arrays, not those of "
        "other libraries).",
        "head": ["contender", "resident", "resident / data", "traced"],
        "lines": lines,
        "left out": left_out,
        "targets": targets,
    }


TABLES = {"memory": memory_table}


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("name", choices=TABLES)
    parser.add_argument("file")
    parser.add_argument("--contenders", nargs="*", default=[])
    parser.add_argument("--one", help="measure this contender here and print its figures")
    options, _ = parser.parse_known_args()
    if options.one:
        try:
            print(json.dumps(one(options.one)))
        except Exception as error:  # whatever a peer raises is reported in the table
            print(json.dumps({"error": reason_of(error)}))
        return
    result = TABLES[options.name](options.name, options.contenders)
    Path(options.file).write_text(json.dumps(result, indent=2), encoding="utf-8")


if __name__ == "__main__":
    main()
