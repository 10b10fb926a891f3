"""The results as Markdown: every contender, faster or slower; targets beside the figures."""

from .contenders.symgrad_side import COMPILED
from .targets import TARGETS, reached


def duration(seconds):
    """A time with three digits and its unit."""
    scales = (("s", 1.0), ("ms", 1e-3), ("µs", 1e-6), ("ns", 1e-9))
    unit, size = next((pair for pair in scales if seconds >= pair[1]), scales[-1])
    shown = f"{seconds / size:.3g}"
    return f"{shown if 'e' not in shown else round(seconds / size)} {unit}"


def memory(size):
    return f"{size / 2**20:.1f} MiB"


def cell(text):
    """A text that cannot end its cell, break its line, or be read as markup."""
    return " ".join(str(text).split()).replace("|", "\\|").replace("<", "&lt;")


def table(head, rows, text=1):
    """A Markdown table: the first columns are text, the others figures."""
    lines = [head, ["---"] * text + ["---:"] * (len(head) - text), *rows]
    return "\n".join("| " + " | ".join(map(cell, line)) + " |" for line in lines)


def fastest_compiled(rows):
    own = [name for name in COMPILED if name in rows]
    return min(own, key=lambda name: rows[name]["median"]) if own else None


def ratio(value):
    if value is None:
        return "-"
    return f"{value:.3g}" if value < 100 else f"{value:,.0f}"


def workload_table(result):
    """One workload: the contenders from fast to slow; ratios below 1 are symgrad's wins."""
    rows = result["contenders"]
    subject, compiled = "symgrad", fastest_compiled(rows)
    lines = []
    for name in sorted(rows, key=lambda name: rows[name]["median"]):
        row = rows[name]
        ratios = [ratio(row["ratios"].get(s)) for s in (subject, compiled)]
        shown = f"**{name}**" if name.startswith("symgrad") else name
        build = duration(row["build"])
        lines.append([shown, duration(row["median"]), duration(row["minimum"]), *ratios, build])
    head = ["contender", "median", "minimum", "symgrad / it"]
    head += [f"{compiled or 'compiled symgrad'} / it", "build and first call"]
    parts = [f"### {result['title']}", f"{result['rounds']} rounds.", table(head, lines)]
    notes = [f"- {name}: {row['note']}." for name, row in rows.items() if row["note"]]
    notes += [f"- Left out: {line}" for line in reasons(result["left out"])]
    return "\n\n".join([*parts, "\n".join(notes)] if notes else parts)


def reasons(left_out):
    """One line a reason, with all whom it concerns."""
    by_reason = {}
    for name, reason in left_out.items():
        by_reason.setdefault(cell(reason), []).append(name)
    return [f"{'; '.join(names)}: {reason}" for reason, names in by_reason.items()]


def target_rows(results):
    lines = []
    for target in TARGETS:
        if target.workload not in results:
            continue
        got = reached(target, results[target.workload])
        verdict = "not measured" if got is None else "met" if got <= target.most else "**missed**"
        bound = f"{target.most:g}"
        lines.append([target.workload, target.who, target.against, bound, ratio(got), verdict])
    for result in results.values():
        for name, bound, got, met in result.get("targets", []):
            verdict = "met" if met else "**missed**"
            lines.append([result["name"], name, "", bound, got, verdict])
    return lines


def plain_table(result):
    """A result that brings its own head and lines: derivation times, memory."""
    parts = [f"### {result['title']}", result["text"], table(result["head"], result["lines"])]
    notes = [f"- Left out: {cell(text)}" for text in result["left out"].values()]
    return "\n\n".join([*parts, "\n".join(notes)] if notes else parts)


def settings_table(results):
    """How every contender was set; the same name may be set otherwise for other workloads."""
    seen = {}
    for result in results.values():
        for name, text in result.get("settings", {}).items():
            seen.setdefault(name, [])
            if text not in seen[name]:
                seen[name].append(text)
    return table(
        ["contender", "settings"], [[n, "; or: ".join(t)] for n, t in seen.items()], text=2
    )


READING = """\
Times are of one thread. A ratio is (time of symgrad) / (time of the contender), the median over
rounds in each of which both ran: below 1 symgrad is faster. Every contender gave the same loss and
the same gradients as a reference in extended precision before it was timed. A target is met where
the best of symgrad's named backends stays within the bound against the *fastest* form of the tool
it is held against."""


def report(document):
    """The whole page of results."""
    results = document["results"]
    about = [[name, value] for name, value in document["machine"].items()]
    parts = [READING, table(["machine", "value"], about, text=2)]
    if document["not installed"]:
        lost = document["not installed"].items()
        parts.append("\n".join(f"- Not installed: {peer}: {cell(why)}" for peer, why in lost))
    parts += ["## Targets"]
    head = ["workload", "symgrad", "against", "target", "measured", "verdict"]
    parts += [table(head, target_rows(results), text=3), "## Workloads"]
    for result in results.values():
        parts.append(workload_table(result) if "contenders" in result else plain_table(result))
    parts += ["## Settings", settings_table(results)]
    return "\n\n".join(parts) + "\n"
