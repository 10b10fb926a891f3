"""What it costs to come from a network to code: with width, with depth, beside other tools.

Every figure is CPU time, compilers that are started included, of a process forked for it, in which
the tool is imported and has built another small network: imports are warm, memory is touched, and
caches know nothing of the network that is timed. The shortest of five counts.
"""

import argparse
import gc
import json
import math
import multiprocessing
import os
import resource
import time
from pathlib import Path

import numpy as np

from . import reference
from .contender import reason_of
from .contenders import CONTENDERS
from .contenders.symgrad_side import network_of
from .tables import duration
from .workloads import Network

#: Width x depth of the hidden layers; one output, one sample.
GRID = ((2, 1), (2, 4), (2, 6), (4, 2), (4, 4), (4, 6), (8, 2), (8, 4), (8, 6))
GRID += ((16, 1), (16, 3), (16, 6))
WIDTHS = (2, 8, 32, 128, 512, 1024)
DEPTHS = (16, 32, 64, 128)
CAP = 20.0  # seconds; what takes longer is not asked for larger networks
REPEATS = 5  # the shortest counts: whatever else the machine does only adds


def net(width, depth, samples=1):
    return Network(f"{width}x{depth}", (width,) * (depth + 1) + (1,), samples)


#: Warms imports and lazy set-up; it is not in the grid.
WARM = net(3, 1)


def cpu():
    children = resource.getrusage(resource.RUSAGE_CHILDREN)
    return time.process_time() + children.ru_utime + children.ru_stime


def scalar_formula(work):
    """symgrad on `net.scalars()`: every weight is a symbol of its own."""
    import symgrad as sg

    network = network_of(work).scalars()
    function = sg.compile(sg.mse(network), "parameters")
    # The names are those of the parameters with the place in them; an index of size 1 is dropped.
    given = {}
    arrays = {"x": work.X[0], "y": work.Y[0]}
    for k, (W, b, _) in enumerate(work.layers, 1):
        arrays[f"w{k}"], arrays[f"b{k}"] = W, b
    for name, array in arrays.items():
        kept = np.squeeze(array)
        for index in np.ndindex(kept.shape):
            given["_".join([name, *(str(i + 1) for i in index)])] = float(kept[index])
    value, gradients = function(**given)
    flat = []
    for k, (W, b, _) in enumerate(work.layers, 1):
        for name, array in ((f"w{k}", W), (f"b{k}", b)):
            kept = np.squeeze(array)
            entries = np.empty(kept.shape)
            for index in np.ndindex(kept.shape):
                entries[index] = gradients["_".join([name, *(str(i + 1) for i in index)])]
            flat.append(entries.ravel())
    return value, np.concatenate(flat)


def by_contender(name):
    contender = next(c for c in CONTENDERS if c.name == name and c.kind == "network")

    def build(work):
        ready = contender.build(work)
        return ready.answer(ready.call())

    return build


#: The tools, and whether a fork of a process that has used them is safe.
TOOLS = {
    "symgrad": (by_contender("symgrad"), True),
    "symgrad scalars": (scalar_formula, True),
    "casadi": (by_contender("casadi"), True),
    "casadi compiled": (by_contender("casadi compiled"), True),
    "symengine": (by_contender("symengine"), True),
    "heyoka": (by_contender("heyoka"), True),
    "sympy math cse": (by_contender("sympy math cse"), True),
    "jax jit": (by_contender("jax jit"), False),
}


def timed(build, work, pipe=None):
    """CPU seconds to the first checked gradient, and a complaint or an empty text."""
    expected = reference.expected(work)
    if pipe is not None:
        build(WARM)  # a fork copies memory when it is first touched
    start = cpu()
    try:
        got = build(work)
        seconds = cpu() - start
        said = seconds, reference.complaint(expected, got, work.tolerance)
    except Exception as error:  # a peer may raise anything; the table says what
        said = cpu() - start, reason_of(error)
    if pipe is None:
        return said
    pipe.send(said)
    pipe.close()
    os._exit(0)  # no clean-up of what the parent has opened


def forked(build, work):
    """`timed` in a fork, which is ended when it takes too long."""
    context = multiprocessing.get_context("fork")
    mine, theirs = context.Pipe(duplex=False)
    process = context.Process(target=timed, args=(build, work, theirs))
    process.start()
    theirs.close()
    try:
        said = mine.recv() if mine.poll(1.5 * CAP) else (math.inf, "")
    except EOFError:
        said = math.inf, "its process ended"
    if process.is_alive():
        process.terminate()
    process.join()
    return said


def column(name, works):
    """Seconds for each network (None from where it takes too long) and a complaint."""
    build, fork = TOOLS[name]
    found = {}
    _, complaint = timed(build, WARM)
    if complaint:
        return found, complaint
    ask = forked if fork else timed
    gc.freeze()  # a collection in a fork would copy every page
    for work in sorted(works, key=lambda w: w.count):
        seconds = []
        for _ in range(REPEATS):
            taken, complaint = ask(build, work)
            if complaint:
                return found, f"{work.name}: {complaint}"
            seconds.append(taken)
            if taken > 2:
                break
        if min(seconds) > CAP:
            return found, f"over {CAP:g} s from {work.name} on"
        found[work.name] = min(seconds)
    return found, ""


def exponent(small, large):
    """The power of growth between two (size, seconds): 1 is linear."""
    return math.log(large[1] / small[1]) / math.log(large[0] / small[0])


def scalar_table(name):
    works = [net(*cell) for cell in GRID]
    columns, left_out = {}, {}
    for tool in TOOLS:
        print(f"    {tool}", flush=True)
        columns[tool], complaint = column(tool, works)
        if complaint:
            left_out[tool] = f"{tool}: {complaint}"
    lines, worst = [], {}
    for work in works:
        cells = [columns[tool].get(work.name) for tool in TOOLS]
        line = [f"{work.name}, {work.count} weights"]
        line += ["-" if c is None else duration(c) for c in cells]
        for tool in ("symgrad", "symgrad scalars"):
            own, other = columns[tool].get(work.name), columns["casadi"].get(work.name)
            known = own is not None and other is not None
            line.append(f"{own / other:.3g}" if known else "-")
            if known:
                worst[tool] = max(worst.get(tool, 0), own / other)
        lines.append(line)
    targets = []
    if "symgrad" in worst:
        got = worst["symgrad"]
        targets.append(("Network to code, largest ratio to casadi", "2", f"{got:.3g}", got <= 2))
    # From 85 weights on: below, the fixed part of the cost hides how it grows.
    own = columns["symgrad"]
    if {"4x4", "16x6"} <= set(own):
        sizes = {w.name: w.count for w in works}
        got = exponent((sizes["4x4"], own["4x4"]), (sizes["16x6"], own["16x6"]))
        targets.append(("power of the weights, 4x4 to 16x6", "1.1", f"{got:.2f}", got <= 1.1))
    return {
        "name": name,
        "title": "From a network to its first gradient, one sample: CPU time",
        "text": "tanh, width x depth of the hidden layers, linear output of one unit.",
        "head": ["network", *TOOLS, "symgrad / casadi", "scalars / casadi"],
        "lines": lines,
        "left out": left_out,
        "targets": targets,
    }


def code_only(work):
    """The time from the network to code that can be called."""
    import symgrad as sg

    start = cpu()
    function = sg.compile(sg.mse(network_of(work)), "parameters")
    if hasattr(function, "bind"):
        function.bind(X=work.X, Y=work.Y)
    return cpu() - start


def measured_code(works):
    """The shortest of some forks, by network."""
    context = multiprocessing.get_context("fork")
    code_only(net(3, 1, 8))
    gc.freeze()  # a collection in a fork would copy every page
    found = {}
    for work in works:
        assert work.X.size  # the data are drawn before the clock runs
        seconds = []
        for _ in range(REPEATS):
            mine, theirs = context.Pipe(duplex=False)
            process = context.Process(
                target=lambda w=work, p=theirs: p.send((code_only(net(3, 1, 8)), code_only(w)))
            )
            process.start()
            theirs.close()
            seconds.append(mine.recv()[1])  # the first warms the fork
            process.join()
        found[work.name] = min(seconds)
    return found


def width_table(name):
    works = [net(width, 2, 8) for width in WIDTHS]
    found = measured_code(works)
    worst = max(found.values())
    return {
        "name": name,
        "title": "From a network to matrix code, by width: CPU time",
        "text": "Two hidden tanh layers, 8 samples; bound, not yet called.",
        "head": ["network", "weights", "time"],
        "lines": [[w.name, f"{w.count:,}", duration(found[w.name])] for w in works],
        "left out": {},
        "targets": [("longest", "10 ms", duration(worst), worst <= 0.01)],
    }


def depth_table(name):
    works = [net(4, depth, 8) for depth in DEPTHS]
    found = measured_code(works)
    power = exponent((64, found["4x64"]), (128, found["4x128"]))
    return {
        "name": name,
        "title": "From a network to matrix code, by depth: CPU time",
        "text": "Layers of width 4, 8 samples; bound, not yet called.",
        "head": ["network", "layers", "time"],
        "lines": [[w.name, str(len(w.sizes) - 1), duration(found[w.name])] for w in works],
        "left out": {},
        "targets": [("power of the depth, 64 to 128", "1.2", f"{power:.2f}", power <= 1.2)],
    }


TABLES = {
    "growth-scalar": scalar_table,
    "growth-width": width_table,
    "growth-depth": depth_table,
}


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("name", choices=TABLES)
    parser.add_argument("file", type=Path)
    options, _ = parser.parse_known_args()
    result = TABLES[options.name](options.name)
    options.file.write_text(json.dumps(result, indent=2), encoding="utf-8")


if __name__ == "__main__":
    main()
