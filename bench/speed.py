"""symgrad's compiled code beside that of other tools: one command, one table a workload.

The command makes an environment with the other tools (`bench/.venv`, once), runs itself there with
one thread for everybody, and writes bench/results/speed.json and speed.md after every workload, so
that an interrupted run keeps what it has measured.

    python bench/speed.py                                   # everything, about an hour
    python bench/speed.py --only 3-4-4-1 descent            # names that begin so
    python bench/speed.py --only 784 --contenders torch jax # symgrad is always in
    python bench/speed.py --rounds 20 --budget 15           # quick
    python bench/speed.py --list
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
from importlib.util import find_spec
from pathlib import Path

BENCH = Path(__file__).resolve().parent
sys.path.insert(0, str(BENCH))

from comparison import environment  # noqa: E402 - after the path

INSIDE = "SYMGRAD_BENCH_INSIDE"


def arguments():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--only", nargs="+", default=[], metavar="WORKLOAD")
    parser.add_argument("--contenders", nargs="+", default=[], metavar="NAME")
    parser.add_argument("--rounds", type=int, default=60, help="at most so many a workload")
    parser.add_argument("--budget", type=float, default=60.0, help="seconds of timing a workload")
    parser.add_argument("--environment", type=Path, help="an environment that has the tools")
    parser.add_argument("--output", type=Path, default=BENCH / "results" / "speed.json")
    parser.add_argument("--keep", action="store_true", help="keep other tables of the output")
    parser.add_argument("--list", action="store_true", help="print the names of the workloads")
    return parser.parse_args()


def outside(options):
    """Runs this file again inside the environment of the peers."""
    own = options.environment is None
    folder = BENCH / ".venv" if own else options.environment.absolute()
    python = environment.ready(folder, own)
    variables = environment.variables(BENCH.parent)
    variables[INSIDE] = "1"
    command = [str(python), str(Path(__file__).resolve()), *sys.argv[1:]]
    with subprocess.Popen(command, env=variables) as process:
        while True:
            try:
                return process.wait()
            except KeyboardInterrupt:  # the other process has it too, and says what is kept
                continue


def chosen(names, wanted):
    """The workloads that are named, or whose names begin with a text that is no name itself."""
    lost = [w for w in wanted if not any(name.startswith(w) for name in names)]
    if lost:
        raise SystemExit(
            f"No workload begins with {', '.join(lost)}; there are: {', '.join(names)}"
        )
    own = [w for w in wanted if w in names]
    stems = tuple(w for w in wanted if w not in names)
    return [n for n in names if not wanted or n in own or (stems and n.startswith(stems))]


def measured(module, name, options):
    """One workload in a process of its own, which may fail without harm to the others."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "result.json"
        command = [sys.executable, "-W", "ignore", "-m", f"comparison.{module}", name, str(file)]
        command += ["--rounds", str(options.rounds), "--budget", str(options.budget)]
        command += ["--contenders", *options.contenders] if options.contenders else []
        # CasADi leaves what it compiles in the current folder when it is interrupted.
        run = subprocess.run(command, cwd=folder, check=False)
        if file.exists():
            return json.loads(file.read_text(encoding="utf-8"))
    print(f"  {name} gave no result: its process ended with status {run.returncode}", flush=True)
    return None


def write(path, document):
    """Both files, each replaced at once, so that a reader never finds a half of one."""
    from comparison.tables import report

    path.parent.mkdir(parents=True, exist_ok=True)
    texts = {".json": json.dumps(document, indent=1) + "\n", ".md": report(document)}
    for suffix, text in texts.items():
        draft = path.with_suffix(suffix + ".part")
        draft.write_text(text, encoding="utf-8")
        draft.replace(path.with_suffix(suffix))


def inside(options):
    from comparison import growth, machine, memory, tables, workloads

    names = dict.fromkeys(workloads.all_workloads(), "measure")
    names |= dict.fromkeys(growth.TABLES, "growth") | dict.fromkeys(memory.TABLES, "memory")
    if options.list:
        print(*names, sep="\n")
        return 0
    document = {
        "machine": machine.describe(),
        "not installed": environment.failures(),
        "results": {},
    }
    if options.keep and options.output.exists():
        old = json.loads(options.output.read_text(encoding="utf-8"))
        document["results"] = old["results"]
    work = chosen(list(names), options.only)
    for number, name in enumerate(work, 1):
        print(f"[{number}/{len(work)}] {name}", flush=True)
        result = measured(names[name], name, options)
        if result is None:
            continue
        document["results"][name] = result
        kind = tables.workload_table if "contenders" in result else tables.plain_table
        print(kind(result), flush=True)
        order = [n for n in names if n in document["results"]]
        document["results"] = {n: document["results"][n] for n in order}
        write(options.output, document)
    return 0


def main():
    options = arguments()
    # The names need no other tool.
    here = os.environ.get(INSIDE) or (options.list and find_spec("numpy"))
    try:
        return inside(options) if here else outside(options)
    except KeyboardInterrupt:
        print("\ninterrupted; the tables measured so far are kept", file=sys.stderr)
        return 130


if __name__ == "__main__":
    sys.exit(main())
