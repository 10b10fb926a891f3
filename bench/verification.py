"""What the verifier says of right and of wrong gradients, and how long it takes.

Right: gradients of 24 expressions and 6 networks rewritten at random by identities, and 95 NumPy
backward passes written by hand. Wrong: those passes with one change of their source each, kept
where three random points show a difference. Prints the table of docs/concepts/verification.md.

    python bench/verification.py            # all of it, about 20 minutes on two cores
    python bench/verification.py --every 20 # every 20th
"""

import argparse
import multiprocessing
import platform
import statistics
import sys
import time
import warnings
from collections import Counter
from pathlib import Path

import sympy as sp

import symgrad as sg

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tests"))
import backward_passes
import claims
import mutation
import rewriting

#: Rewrites of each expression, and of each gradient of a network.
SEEDS, MATRIX_SEEDS = 42, 20


def scalar_claims():
    for number in range(len(claims.SCALARS)):
        for seed in range(SEEDS):
            yield "scalars", (number, seed)


def matrix_claims():
    for name, loss in claims.NETWORKS.items():
        for variable in sg.gradient(loss):
            for seed in range(MATRIX_SEEDS):
                yield "matrices", (name, variable, seed)


def passes():
    for name in backward_passes.CASES:
        yield "passes", (name,)


def mutants():
    for name, case in backward_passes.CASES.items():
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            count = sum(1 for _ in mutation.wrong_mutants(case))
        for number in range(count):
            yield "wrong", (name, number)


def scalar(number, seed):
    case = claims.SCALARS[number]
    claim = rewriting.rewritten(claims.slope(case), seed)
    return lambda: [sg.verify(case.loss, case.variable, claim, domain=case.domain)]


def matrix(name, variable, seed):
    loss = claims.NETWORKS[name]
    claim = rewriting.rewritten_matrix(sg.gradient(loss).graph[f"d{variable}"], seed)
    return lambda: [sg.verify(loss, variable, claim)]


def functions(case, grad):
    return lambda: sg.verify_functions(
        case.loss, grad, case.shapes, case.wrt, upstream=case.upstream, timeout=120
    ).values()


def backward(name):
    case = backward_passes.CASES[name]
    return functions(case, case.grad)


_mutants = {}


def mutant(name, number):
    case = backward_passes.CASES[name]
    if name not in _mutants:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            _mutants.clear()
            _mutants[name] = list(mutation.wrong_mutants(case))
    return functions(case, _mutants[name][number][1])


MAKERS = {"scalars": scalar, "matrices": matrix, "passes": backward, "wrong": mutant}
KINDS = {
    "scalars": "right: 24 expressions, rewritten",
    "matrices": "right: gradients of 6 networks, rewritten",
    "passes": "right: NumPy backward passes",
    "wrong": "wrong: NumPy backward passes, one change each",
}


def worst(statuses):
    """The verdict on a function is that on its worst gradient."""
    order = ("proved", "agrees", "undecided", "refuted")
    return max(statuses, key=order.index)


def answered(job):
    kind, arguments = job
    ask = MAKERS[kind](*arguments)
    start = time.perf_counter()
    try:
        status = worst([verdict.status for verdict in ask()])
    except sg.TraceError:
        status = "not read"
    except sg.SymgradError as error:
        status = f"error: {error}"
    return kind, arguments, status, time.perf_counter() - start


def table(answers):
    lines = ["| claims | number | proved | agrees | refuted | not read | median | worst |"]
    lines.append("|---|---:|---:|---:|---:|---:|---:|---:|")
    for kind, title in KINDS.items():
        own = [(status, seconds) for k, _, status, seconds in answers if k == kind]
        if own:
            counts = Counter(status for status, _ in own)
            shares = (counts[s] for s in ("proved", "agrees", "refuted", "not read"))
            times = [seconds for _, seconds in own]
            figures = (f"{statistics.median(times):.2f} s", f"{max(times):.1f} s")
            lines.append(
                " | ".join([f"| {title}", str(len(own)), *map(str, shares), *figures]) + " |"
            )
    return "\n".join(lines)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--every", type=int, default=1, help="take every n-th claim")
    parser.add_argument("--processes", type=int, default=2)
    options = parser.parse_args()
    jobs = [job for each in (scalar_claims, matrix_claims, passes, mutants) for job in each()]
    jobs = jobs[:: options.every]
    print(f"Python {platform.python_version()}, SymPy {sp.__version__}, {len(jobs)} claims")
    answers = []
    with multiprocessing.Pool(options.processes) as pool:
        for answer in pool.imap(answered, jobs, chunksize=16):
            answers.append(answer)
            kind, arguments, status, _ = answer
            right = kind != "wrong"
            if status not in (("proved",) if right else ("refuted", "not read")):
                print(kind, *arguments, status, flush=True)
            if len(answers) % 500 == 0:
                print(f"{len(answers)} of {len(jobs)}", file=sys.stderr, flush=True)
    print(table(answers))


if __name__ == "__main__":
    main()
