"""Saved modules: a generated function in a file that needs NumPy alone.

Run as a program, the file checks its gradients by central differences at a
random point and says what it found.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import sympy as sp

from symgrad.backends.source import identifiers
from symgrad.errors import OptionError
from symgrad.graph import COLUMN, ROW, SCALAR
from symgrad.shapes import name_of

_CHECK = '''

def example(seed):
    """Random arguments of the declared shapes: no zeros, nothing saturated."""
    random = np.random.default_rng(seed)
    low, high = RANGES[seed % len(RANGES)]

    def draw(*shape):
        return random.uniform(low, high, shape) * random.choice(SIGNS, shape)

{sizes}    return {arguments}


def difference(arguments, place, index, step):
    """The central difference of the value in one entry of one argument."""
    sides = []
    for sign in (1.0, -1.0):
        moved = [np.array(a, float) for a in arguments]
        moved[place][index] += sign * step
        sides.append(float({call}(*moved)[0]))
    return (sides[0] - sides[1]) / (2.0 * step)


def check(seed=0, step=1e-6):
    """Compare every gradient with central differences; return the largest relative error.

    What two steps disagree about is the differences' own error, and is not held against
    the gradients.
    """
    arguments = list(example(seed))
    results = {call}(*arguments)
    worst = 0.0
    for place, result in CHECKED:
        gradient = np.asarray(results[result], float)
        near, far = np.zeros_like(gradient), np.zeros_like(gradient)
        for index in np.ndindex(gradient.shape):
            near[index] = difference(arguments, place, index, step)
            far[index] = difference(arguments, place, index, 4.0 * step)
        scale = np.max(np.abs(gradient)) + np.max(np.abs(near)) + 1e-3
        error = np.abs(gradient - near) - 4.0 * np.abs(far - near)
        worst = max(worst, float(np.max(error) / scale)) if np.isfinite(error).all() else np.nan
    return worst


SIGNS = {signs}
RANGES = [(0.2, 1.0), (1.2, 3.0)]
#: Places of the arguments and of their gradients in what {call} returns.
CHECKED = {checked}
LIMIT = 1e-5

if __name__ == "__main__":
    with np.errstate(all="ignore"):
        errors = [check(seed) for seed in range(4)]
    errors = [error for error in errors if np.isfinite(error)]
    if not errors:
        raise SystemExit("no random point lies in the domain of the formula; nothing was checked")
    error = max(errors)
    verdict = "{agree} with" if error < LIMIT else "{differ} from"
    points = f"{{len(errors)}} random point{{'s' * (len(errors) > 1)}}"
    print(f"{gradients} {{verdict}} central differences at {{points}}")
    # Zero: no gradient is further from the differences than two of these from each other.
    worst = f"{{error:.1e}}" if error else "below that of the differences themselves"
    print(f"largest relative error {{worst}}, limit {{LIMIT:.0e}}")
    raise SystemExit(0 if error < LIMIT else 1)
'''

#: Where the value of a 1-D layout is in a stack of matrices.
_PICKED = {COLUMN: "..., 0", ROW: "..., 0, :"}

_VALUE = '''

def example(seed):
    """Random arguments of the declared shapes: no zeros, nothing saturated."""
    random = np.random.default_rng(seed)
    low, high = RANGES[seed % len(RANGES)]

    def draw(*shape):
        return random.uniform(low, high, shape) * random.choice(SIGNS, shape)

{sizes}    return {arguments}


SIGNS = {signs}
RANGES = [(0.2, 1.0)]

if __name__ == "__main__":
    print("no gradients to check; the value at a random point is")
    print({call}(*example(0)))
'''


def check_place(path: str | Path) -> Path:
    """Return where a file is to be written, once its folder is known to exist.

    Folders are not made here: a mistyped one would hide what was saved.

    Raises:
        OptionError: There is no such folder, or the path itself is a folder.
    """
    path = Path(path)
    # os.path answers False where pathlib's own is_dir raises, as for names that are too long.
    if os.path.isdir(path):
        raise OptionError(f"cannot write {path}: it is a folder; add the name of a file")
    if not os.path.isdir(path.parent):
        raise OptionError(
            f"cannot write {path}: there is no folder {path.parent}; make it first, or write "
            "somewhere else"
        )
    return path


def write(path: str | Path, text: str) -> Path:
    """Write text to a file, in a folder that exists, and return the file's path.

    Raises:
        OptionError: The file cannot be written; the message says why.
    """
    path = check_place(path)
    try:
        path.write_text(text, encoding="utf-8")
    except (OSError, ValueError) as error:
        why = getattr(error, "strerror", None) or error
        raise OptionError(f"cannot write {path}: {why}") from None
    return path


def text_of(plan: Any) -> str:
    """Return the text of a module for a compiled function's plan."""
    from symgrad import __version__

    program = plan.program
    names = program.arguments
    shapes = "\n".join(
        f"    {names[v.name]}: {_shape_text(v, v.name in plan.batch)}" for v in plan.graph.inputs
    )
    # Names of symbols may hold anything, and this text is going to run.
    results = ", ".join(identifiers(map(name_of, plan.outputs)).values())
    call = "over_samples" if plan.batch else program.name
    header = (
        f'"""Generated by symgrad {__version__}: NumPy is all it needs.\n\n'
        f"{call}({', '.join(names.values())}) returns {results}.\n\nArguments:\n{shapes}\n\n"
        f'Run this file to check it.\n"""\n'
    )
    wrapper = over_samples(plan) if plan.batch else ""
    body = f"{header}\nimport numpy as np\n\n\n{program.module}{wrapper}"
    return body + _self_check(plan, call)


def _shape_text(variable: Any, batched: bool) -> str:
    sizes = [*(["samples"] if batched else []), *map(str, variable.shape)]
    return f"array of shape ({', '.join(sizes)})" if sizes else "number"


def _self_check(plan: Any, call: str) -> str:
    names = plan.program.arguments
    sizes = [str(size) for size in plan.graph.sizes]
    chosen = identifiers(sizes, reserved=["random", "seed", "draw", "low", "high", "samples"])
    lines = ["    samples = 4\n"] if plan.batch else []
    lines += [f"    {chosen[size]} = {5 + k}\n" for k, size in enumerate(sizes)]
    draws = [_draw(v, v.name in plan.batch, chosen) for v in plan.graph.inputs]
    first = 1 if plan.valued else 0
    checked = [(list(names).index(key), first + k) for k, key in enumerate(plan.keys)]
    template = _CHECK if checked and plan.valued else _VALUE
    one = len(checked) == 1
    return template.format(
        sizes="".join(lines),
        arguments=f"({', '.join(draws)},)",
        call=call,
        checked=checked,
        gradients="1 gradient" if one else f"{len(checked)} gradients",
        agree="agrees" if one else "agree",
        differ="DIFFERS" if one else "DIFFER",
        signs="[1.0]" if _needs_positive(plan.graph) else "[-1.0, 1.0]",
    )


def _draw(variable: Any, batched: bool, chosen: Mapping[str, str]) -> str:
    extent = ["samples"] if batched else []
    for size in variable.sizes:
        extent.append(str(size.xreplace({s: s.func(chosen[str(s)]) for s in size.free_symbols})))
    return f"draw({', '.join(extent)})"


def _needs_positive(made: Any) -> bool:
    """Tell whether random signs would leave the domain: logarithms and broken powers."""

    def outside(expression: Any) -> bool:
        powers = expression.atoms(sp.Pow, sp.HadamardPower)
        return bool(expression.atoms(sp.log)) or any(not p.exp.is_integer for p in powers)

    return any(outside(expression) for _, expression in made.definitions)


def over_samples(plan: Any) -> str:
    """Return a function that runs over samples as the compiled function does."""
    names, program = plan.program.arguments, plan.program
    inputs = {v.name: v for v in plan.graph.inputs}
    batched = [names[name] for name in plan.batch]
    lines = [f"    samples = len({batched[0]})"]
    outs = [f"result_{k}" for k in range(len(plan.outputs))]
    if program.form == "looped":
        pick = ", ".join(f"{i}[sample]" if name in plan.batch else i for name, i in names.items())
        one = f"{program.name}({pick})"
        one = one if len(outs) > 1 else f"({one},)"
        lines += [
            f"    rows = [{one} for sample in range(samples)]",
            f"    {', '.join(outs)}, = (np.array(column) for column in zip(*rows, strict=True))",
        ]
    else:
        given = ", ".join(_lifted(plan, inputs[name], i) for name, i in names.items())
        lines.append(f"    {', '.join(outs)} = {program.name}({given})")
    for out, symbol in zip(outs, plan.outputs, strict=True):
        lines += _settled(plan, out, symbol, names)
    said = {"mean": "means", "sum": "sums", None: "results"}[plan.reduce]
    doc = f'    """Return the {said} over samples, which are on the first axis of the data."""'
    returned = ", ".join(outs)
    body = "\n".join([doc, *lines, f"    return {returned}"])
    return f"\n\ndef over_samples({', '.join(names.values())}):\n{body}\n"


def _lifted(plan: Any, variable: Any, name: str) -> str:
    if plan.program.form != "stacked" or len(variable.sizes) == 2:
        return name
    if len(variable.sizes) == 1:
        return f"{name}[..., None]"
    return f"{name}[:, None, None]" if variable.name in plan.batch else name


def _settled(plan: Any, out: str, symbol: Any, names: Any) -> list[str]:
    """Return statements that bring one result into its shape and put samples together."""
    of, layout = plan.graph.label(symbol).of, plan.layouts[symbol]
    own = of in plan.batch
    looped = plan.program.form == "looped"
    spread = looped or symbol in plan.dependent
    text = out
    if layout == SCALAR and not looped:
        text = f"np.reshape({out}, {'samples' if spread else '()'})"
    elif layout in _PICKED and plan.program.form == "stacked":
        text = f"{out}[{_PICKED[layout]}]"
    lines = [text]
    if not spread and (own or plan.reduce is None):
        lines.append(f"np.broadcast_to({out}, (samples, *np.shape({out})))")
    if own:
        lines += [f"{out} / samples"] if plan.reduce == "mean" else []
    elif plan.reduce is not None:
        reduced = f"np.{plan.reduce}({out}, axis=0)"
        kept = [f"{out} * samples"] if plan.reduce == "sum" else []
        lines += [reduced] if spread else kept
    if of in names:
        lines.append(f"np.reshape({out}, np.shape({names[of]}))")
    return [f"    {out} = {line}" for line in lines if line != out]
