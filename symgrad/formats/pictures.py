"""Pictures with matplotlib (the extra `plot`); every function returns a figure.

Functions take arrays and callables of plain floats, so that they draw compiled formulas as well as
anything else. matplotlib is imported when the first picture is drawn.
"""

from __future__ import annotations

import io
import re
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

_BLUE, _RED, _GREY = "#1f5fa8", "#c0392b", "#666666"
_CYCLE = (_BLUE, _RED, "#2e8b57", "#b8860b", "#6a3d9a", "#444444")


def _figure(*, bar: bool = False) -> tuple[Any, Any]:
    """Return a figure with its axes, and for `bar` room for a bar of colours at the right."""
    from matplotlib.figure import Figure

    # The object interface: no window, no state shared with a caller's own pictures. The places are
    # fixed: a layout made to measure depends on the fonts, and so on the version of matplotlib.
    figure = Figure(figsize=(6.0, 4.2))
    axes = figure.add_axes((0.13, 0.13, 0.69 if bar else 0.84, 0.74))
    axes.spines[["top", "right"]].set_visible(False)
    return figure, axes


def _bar(figure: Any, filled: Any) -> Any:
    return figure.colorbar(filled, cax=figure.add_axes((0.85, 0.13, 0.03, 0.74)))


def _sampled(function: Callable[[float], Any], grid: Any) -> Any:
    return np.array([float(function(float(value))) for value in grid])


def _legend(figure: Any) -> None:
    # Above the axes it hides nothing, and its place does not depend on what is drawn.
    figure.legend(loc="upper center", ncols=3, frameon=False)


def save_svg(figure: Any, path: str | Path) -> Path:
    """Write a figure as SVG, the same bytes for the same picture.

    Letters stay text, identifiers do not depend on the run, there is no date, and coordinates are
    rounded to hundredths of a point, so that the last digits of a computation do not show.

    Args:
        figure: What a function of this module returned, or any other figure of matplotlib.
        path: Where the file goes.
    """
    from matplotlib import rc_context

    buffer = io.StringIO()
    with rc_context({"svg.hashsalt": "symgrad", "svg.fonttype": "none"}):
        figure.savefig(buffer, format="svg", metadata={"Date": None, "Creator": None})
    # Attributes alone: words between the tags are shown as they are.
    rounded = re.sub(r'="[^"]*"', _rounded, buffer.getvalue())
    path = Path(path)
    path.write_text("\n".join(line.rstrip() for line in rounded.splitlines()) + "\n")
    return path


def _rounded(attribute: re.Match[str]) -> str:
    return re.sub(r"-?\d+\.\d{3,}", _hundredths, attribute.group())


def _hundredths(number: re.Match[str]) -> str:
    # Adding zero turns -0.0 into 0.0.
    return f"{round(float(number.group()), 2) + 0.0:g}"


def scatter(x: Any, y: Any, labels: tuple[str, str]) -> Any:
    """Draw samples as dots."""
    figure, axes = _figure()
    axes.scatter(x, y, color=_BLUE, zorder=3)
    axes.set_xlabel(labels[0])
    axes.set_ylabel(labels[1])
    axes.grid(alpha=0.3)
    return figure


def curve(function: Callable[..., Any], limits: tuple[float, float], title: str) -> Any:
    """Draw a function of one variable `v`, with its asymptotes' frame."""
    figure, axes = _figure()
    grid = np.linspace(*limits, 401)
    axes.plot(grid, [function(v=float(v)) for v in grid], color=_BLUE, lw=2)
    axes.axhline(0, color=_GREY, lw=0.8)
    axes.axvline(0, color=_GREY, lw=0.8)
    axes.set_title(title)
    axes.set_xlabel("$v$")
    axes.grid(alpha=0.3)
    return figure


def curves(
    functions: Mapping[str, Callable[[float], Any]],
    limits: tuple[float, float],
    labels: tuple[str, str],
    *,
    dashed: Iterable[str] = (),
    steps: int = 401,
) -> Any:
    """Draw several functions of one variable.

    Args:
        functions: Every function under the words that the legend shows.
        limits: Where the variable begins and ends.
        labels: The words at the two axes.
        dashed: The functions that are drawn thin and dashed, such as the parts of a sum.
        steps: How many points a curve has.
    """
    figure, axes = _figure()
    grid = np.linspace(*limits, steps)
    thin = set(dashed)
    for k, (name, function) in enumerate(functions.items()):
        style = {"lw": 1.2, "ls": "--"} if name in thin else {"lw": 2}
        values = _sampled(function, grid)
        axes.plot(grid, values, color=_CYCLE[k % len(_CYCLE)], label=name, **style)
    axes.axhline(0, color=_GREY, lw=0.8)
    axes.set_xlabel(labels[0])
    axes.set_ylabel(labels[1])
    axes.grid(alpha=0.3)
    _legend(figure)
    return figure


def tangents(
    function: Callable[[float], Any],
    slope: Callable[[float], Any],
    places: Iterable[float],
    limits: tuple[float, float],
    labels: tuple[str, str],
    *,
    steps: int = 401,
) -> Any:
    """Draw a curve with its tangents at some places.

    Args:
        function: The function of one variable.
        slope: Its derivative.
        places: Where the tangents touch.
        limits: Where the variable begins and ends.
        labels: The words at the two axes.
        steps: How many points the curve has.
    """
    figure, axes = _figure()
    grid = np.linspace(*limits, steps)
    axes.plot(grid, _sampled(function, grid), color=_BLUE, lw=2)
    reach = 0.12 * (limits[1] - limits[0])
    for k, place in enumerate(places, 1):
        # Rounded, as a slope that cancels to 0 leaves the noise of floats; 0 makes -0 a 0.
        value, rise = float(function(place)), round(float(slope(place)), 10) + 0.0
        ends = np.array([-reach, reach])
        words = f"slope {rise:.4g} at {place:g}"
        color = _CYCLE[k % len(_CYCLE)]
        axes.plot(place + ends, value + rise * ends, color=color, lw=1.6, label=words)
        axes.plot([place], [value], "o", color=color, ms=6)
    axes.set_xlabel(labels[0])
    axes.set_ylabel(labels[1])
    axes.grid(alpha=0.3)
    _legend(figure)
    return figure


def decision(
    function: Callable[[float, float], Any],
    level: float,
    limits: tuple[tuple[float, float], tuple[float, float]],
    labels: tuple[str, str],
    *,
    steps: int = 61,
) -> Any:
    """Draw a function of two inputs as a map, with the line on which it has a level.

    Args:
        function: The function, such as a neuron with its weights bound.
        level: The value at which the decision changes, 0.5 for a sigmoid.
        limits: Where the first and the second input begin and end.
        labels: The words at the two axes.
        steps: How many points a side of the map has.
    """
    first, second = (np.linspace(*ends, steps) for ends in limits)
    height = np.array([[float(function(float(u), float(v))) for u in first] for v in second])
    figure, axes = _figure(bar=True)
    filled = axes.contourf(first, second, height, 12, cmap="viridis")
    axes.contour(first, second, height, [level], colors=_RED, linewidths=2.2)
    axes.plot([], [], color=_RED, lw=2.2, label=f"output {level:g}")
    axes.set_xlabel(labels[0])
    axes.set_ylabel(labels[1])
    _legend(figure)
    _bar(figure, filled)
    return figure


def loss_surface(
    loss: Callable[[float, float], float],
    path: list[tuple[float, float]],
    steps: int = 81,
    *,
    labels: tuple[str, str] = ("$w$", "$b$"),
    each: str = "after an epoch",
) -> Any:
    """Draw the loss over two parameters as a map, with the path of descent on it.

    Args:
        loss: The loss as a function of the two parameters.
        path: The points that descent visits, the start first.
        steps: How many points a side of the map has.
        labels: The words at the two axes.
        each: What a dot of the path is.
    """
    from matplotlib.colors import LogNorm

    points = np.array(path)
    low, high = points.min(axis=0), points.max(axis=0)
    margin = 0.35 * float(np.max(high - low)) + 0.1
    across = np.linspace(low[0] - margin, high[0] + margin, steps)
    along = np.linspace(low[1] - margin, high[1] + margin, steps)
    height = np.array([[loss(float(u), float(v)) for u in across] for v in along])
    # Orders of magnitude lie between start and valley; a linear scale would show one colour.
    levels = np.geomspace(max(height.min(), 1e-12), height.max(), 18)
    figure, axes = _figure(bar=True)
    norm = LogNorm()
    filled = axes.contourf(across, along, height, levels, norm=norm, cmap="viridis_r", extend="min")
    axes.contour(across, along, height, levels, colors="white", linewidths=0.4, alpha=0.6)
    axes.plot(points[:, 0], points[:, 1], "o-", color=_RED, ms=3.5, lw=1.4, label=each)
    axes.plot(*points[0], "s", color="black", ms=7, label="start")
    axes.plot(*points[-1], "*", color="black", ms=12, label="end")
    axes.set_xlabel(labels[0])
    axes.set_ylabel(labels[1])
    _legend(figure)
    bar = _bar(figure, filled)
    ticks = 10.0 ** np.arange(np.ceil(np.log10(levels[0])), np.floor(np.log10(levels[-1])) + 1)
    bar.set_ticks(ticks, labels=[f"{tick:g}" for tick in ticks])
    return figure


def fitted(
    x: Any,
    y: Any,
    predict: Callable[[Any], Any],
    labels: tuple[str, str],
    at: float,
    *,
    name: str = "trained network",
) -> Any:
    """Draw samples, the fitted curve, and the prediction at one input.

    Args:
        x: The inputs of the samples.
        y: Their targets.
        predict: The fitted function, of an array of inputs.
        labels: The words at the two axes.
        at: The input whose prediction is marked.
        name: What the legend calls the curve.
    """
    figure, axes = _figure()
    span = float(np.ptp(x)) * 0.05
    grid = np.linspace(min(float(np.min(x)), at) - span, max(float(np.max(x)), at) + span, 301)
    axes.plot(grid, predict(grid), color=_RED, lw=2, label=name)
    axes.scatter(x, y, color=_BLUE, zorder=3, label="data")
    value = float(predict(at))
    axes.plot([at], [value], "D", color="black", ms=7, zorder=4, label=f"at {at:g}: {value:.4f}")
    axes.set_xlabel(labels[0])
    axes.set_ylabel(labels[1])
    axes.grid(alpha=0.3)
    _legend(figure)
    return figure
