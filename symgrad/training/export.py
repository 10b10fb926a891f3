"""A fitted model as a Python module with one function, `predict`, on NumPy alone."""

from __future__ import annotations

from typing import Any

from symgrad.backends.module import over_samples
from symgrad.graph.layouts import SCALAR
from symgrad.shapes import worded

_MODULE = '''"""A model fitted by symgrad {version}: NumPy is all it needs.

predict({names}) takes samples on the first axis and returns their predictions.
{shapes}
"""

import numpy as np


{function}

def predict({names}):
    """Predict for samples on the first axis; a single number gives a number."""
{lines}


if __name__ == "__main__":
    print("predictions for {count} made-up samples:")
    print(predict({example}))
'''


def text_of(fit: Any) -> str:
    """Return the text of the module for a fit."""
    from symgrad import __version__

    plan = fit.compiled()._recipe
    made = plan.program
    function = made.module + (over_samples(plan) if plan.batch else "")
    inputs = list(plan.graph.inputs)
    names = ", ".join(made.arguments[v.name] for v in inputs)
    shapes = "\n".join(
        f"{made.arguments[v.name]}: one {_sample(v, v.name in plan.batch)} a sample" for v in inputs
    )
    return _MODULE.format(
        version=__version__,
        names=names,
        shapes=shapes,
        function=function,
        lines="\n".join(f"    {line}" for line in _lines(fit, plan)),
        count=3,
        example=", ".join(_example(v, v.name in plan.batch) for v in inputs),
    )


def _sample(variable: Any, batched: bool) -> str:
    shape = variable.shape if batched else variable.shape[1:]
    if shape in ((), (1,)):
        return "number"
    return f"row of shape {worded(shape)}"


def _lines(fit: Any, plan: Any) -> list[str]:
    """Return the body of `predict`: bring the arrays into shape, call, bring the result back."""
    made = plan.program
    lines = []
    for k, variable in enumerate(plan.graph.inputs):
        name = made.arguments[variable.name]
        batched = variable.name in plan.batch
        width = [str(size) for size in (variable.shape if batched else variable.shape[1:])]
        lines.append(f"{name} = np.asarray({name}, dtype=float)")
        if k == 0:
            lines.append(f"single = {name}.ndim == 0")
        inner = ", ".join(["-1", *width])
        lines.append(f"{name} = {name}.reshape({inner})")
    given = ", ".join(made.arguments.values())
    call = "over_samples" if plan.batch else made.name
    lines.append(f"samples = len({next(iter(made.arguments.values()))})")
    lines.append(f"prediction = np.asarray({call}({given}))")
    one = _gives_one_number(plan)
    rank = "samples" if fit.flat and one else "samples, -1"
    lines.append(f"prediction = prediction.reshape({rank})")
    alone = "float(prediction.ravel()[0])" if one else "prediction"
    lines.append(f"return {alone} if single else prediction")
    return lines


def _gives_one_number(plan: Any) -> bool:
    """Tell whether the prediction of a sample is a single number."""
    output = plan.outputs[0]
    if plan.layouts[output] == SCALAR:
        return True
    # Without a sample axis of its own, the rows of the output are the samples.
    return bool(output.shape[1] == 1 and (not plan.batch or output.shape[0] == 1))


def _example(variable: Any, batched: bool) -> str:
    width = list(variable.shape if batched else variable.shape[1:])
    shape = ", ".join(map(str, [3, *width]))
    return f"np.linspace(0.2, 1.0, {_count(width) * 3}).reshape({shape})"


def _count(width: list[Any]) -> int:
    count = 1
    for size in width:
        count *= int(size)
    return count
