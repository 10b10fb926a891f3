"""One timed workload in a process of its own: build, check, rounds, and the result as JSON.

`python -m comparison.measure NAME FILE` writes the result; `speed.py` starts it.
"""

import argparse
import json
from pathlib import Path

from . import reference
from .contender import built, reason_of
from .contenders import of_kind
from .contenders.symgrad_side import SUBJECTS
from .remote import Remote
from .timing import Plan, measure, stopwatch, summary
from .workloads import all_workloads

#: A contender whose one call takes longer than this share of the budget is left out: with the
#: fewest rounds, and a call before each block, it would take most of it.
SHARE = 1 / 15


def say(text):
    print(text, flush=True)


def local_blocks(contenders, work, expected, longest):
    """The stopwatches of the contenders of this process, and what has been left out."""
    blocks, seconds, notes, left_out = {}, {}, {}, {}
    for contender in contenders:
        say(f"    building {contender.name}")
        made = built(contender, work, expected, longest, reference.complaint)
        if made.ready is None:
            left_out[contender.name] = made.reason
            continue
        blocks[contender.name] = stopwatch(made.ready.call, contender.waits)
        seconds[contender.name] = made.seconds
        if made.ready.note:
            notes[contender.name] = made.ready.note
    return blocks, seconds, notes, left_out


def remote_blocks(contenders, work, longest, blocks, seconds, left_out):
    """Adds the contenders that need a process of their own; gives back the processes."""
    remotes, groups = [], {}
    for contender in contenders:
        groups.setdefault(contender.variables, []).append(contender)
    for variables, members in groups.items():
        say(f"    building {', '.join(c.name for c in members)}, in a second process")
        remote = Remote(work, variables, members, longest)
        remotes.append(remote)
        try:
            outcome = remote.build()
        except EOFError as error:
            left_out.update(dict.fromkeys((c.name for c in members), reason_of(error)))
            continue
        for name, made in outcome.items():
            if made.reason:
                left_out[name] = made.reason
            else:
                blocks[name], seconds[name] = remote.block(name), made.seconds
    return remotes


def run(work, contenders, plan):
    """The result of a workload, as it is kept."""
    expected = reference.expected(work)
    longest = plan.budget * SHARE
    here = [c for c in contenders if not c.variables]
    blocks, seconds, notes, left_out = local_blocks(here, work, expected, longest)
    apart = []
    for contender in contenders:
        reason = contender.unsuited(work) if contender.variables else ""
        if reason:
            left_out[contender.name] = reason
        elif contender.variables:
            apart.append(contender)
    remotes = remote_blocks(apart, work, longest, blocks, seconds, left_out)
    say(f"    timing {len(blocks)} contenders")
    try:
        times = measure(blocks, plan) if blocks else {}
    finally:
        for remote in remotes:
            remote.close()
    table = summary(times, SUBJECTS, work.units)
    for name, row in table.items():
        row["build"] = seconds[name]
        row["note"] = notes.get(name, "")
    return {
        "name": work.name,
        "title": work.title,
        "rounds": len(next(iter(times.values()), [])),
        "contenders": table,
        "left out": left_out,
        "groups": {c.name: c.group for c in contenders if c.name in table},
        "settings": {c.name: c.settings for c in contenders if c.name in table},
    }


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("name")
    parser.add_argument("file", type=Path)
    parser.add_argument("--contenders", nargs="*", default=[])
    parser.add_argument("--rounds", type=int, default=60)
    parser.add_argument("--budget", type=float, default=60.0)
    options = parser.parse_args()
    work = all_workloads()[options.name]
    plan = Plan(rounds=options.rounds, budget=options.budget)
    try:
        result = run(work, of_kind(work.kind, options.contenders), plan)
    except KeyboardInterrupt:
        raise SystemExit(130) from None
    options.file.write_text(json.dumps(result, indent=2), encoding="utf-8")


if __name__ == "__main__":
    main()
