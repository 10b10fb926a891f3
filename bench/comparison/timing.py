"""Rounds of short blocks in random order, and what is said of them."""

import gc
import random
import statistics
import time
from dataclasses import dataclass
from itertools import repeat


@dataclass(frozen=True)
class Plan:
    """How long and how often: every round has one block of each contender."""

    rounds: int = 60
    block: float = 0.005  # seconds
    budget: float = 60.0  # seconds for all rounds together
    fewest: int = 5


def stopwatch(call, waits=False):
    """A function that runs a block of `count` calls and says how long one call took.

    Of wall time and CPU time the smaller is taken: with one thread they are equal on an idle
    machine, and CPU time does not count what a neighbour took. A contender that `waits` for a
    thread of its own is timed by the wall alone, because its waiting is part of the call.
    """

    def block(count):
        call()  # brings its data back into the caches
        cpu, wall = time.process_time(), time.perf_counter()
        for _ in repeat(None, count):
            call()
        wall = time.perf_counter() - wall
        cpu = time.process_time() - cpu
        return (wall if waits else min(wall, cpu)) / count

    return block


def calls_a_block(block, seconds):
    """How many calls fill a block, found by doubling from one call."""
    count, each = 1, block(1)
    while count * each < seconds / 4 and count < 1 << 20:
        count *= 4
        each = block(count)
    return max(1, round(seconds / max(each, 1e-9))), each


def measure(blocks, plan, seed=1):
    """Seconds a call, by contender and round. `blocks` maps names to what `stopwatch` gives."""
    counts, cost = {}, 0.0
    for name, block in blocks.items():
        counts[name], each = calls_a_block(block, plan.block)
        cost += (counts[name] + 1) * each
    rounds = max(plan.fewest, min(plan.rounds, int(plan.budget / max(cost, 1e-9))))
    times = {name: [] for name in blocks}
    order, shuffler = list(blocks), random.Random(seed)
    gc.collect()
    gc.freeze()  # the collections between rounds need not walk the libraries
    gc.disable()
    try:
        for _ in range(rounds):
            shuffler.shuffle(order)
            for name in order:
                times[name].append(blocks[name](counts[name]))
            gc.collect()
    finally:
        gc.enable()
        gc.unfreeze()
    return times


def paired_ratio(ours, theirs):
    """The median over rounds of ours / theirs: both of a round stood under the same load."""
    return statistics.median(a / b for a, b in zip(ours, theirs, strict=True))


def summary(times, subjects, units=1):
    """Median and minimum of every contender, and its ratios to each of the subjects.

    A ratio is (time of the subject) / (time of the contender): below 1 the subject is faster.
    """
    return {
        name: {
            "median": statistics.median(own) / units,
            "minimum": min(own) / units,
            "ratios": {s: paired_ratio(times[s], own) for s in subjects if s in times},
        }
        for name, own in times.items()
    }
