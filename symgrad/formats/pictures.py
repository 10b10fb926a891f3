"""Pictures with matplotlib (the extra `plot`); every function returns a figure."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from matplotlib.colors import LogNorm
from matplotlib.figure import Figure

_BLUE, _RED, _GREY = "#1f5fa8", "#c0392b", "#666666"


def _figure(width: float = 6.0, height: float = 4.2) -> tuple[Any, Any]:
    # The object interface: no window, no state shared with a caller's own pictures.
    figure = Figure(figsize=(width, height), layout="constrained")
    axes = figure.add_subplot()
    axes.spines[["top", "right"]].set_visible(False)
    return figure, axes


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


def loss_surface(
    loss: Callable[[float, float], float], path: list[tuple[float, float]], steps: int = 81
) -> Any:
    """Draw the loss over two parameters (w, b) as a map, with the path of descent on it."""
    points = np.array(path)
    low, high = points.min(axis=0), points.max(axis=0)
    margin = 0.35 * float(np.max(high - low)) + 0.1
    w = np.linspace(low[0] - margin, high[0] + margin, steps)
    b = np.linspace(low[1] - margin, high[1] + margin, steps)
    height = np.array([[loss(float(u), float(v)) for u in w] for v in b])
    # Orders of magnitude lie between start and valley; a linear scale would show one colour.
    levels = np.geomspace(max(height.min(), 1e-12), height.max(), 18)
    figure, axes = _figure(6.6, 4.8)
    filled = axes.contourf(w, b, height, levels, norm=LogNorm(), cmap="viridis_r", extend="min")
    axes.contour(w, b, height, levels, colors="white", linewidths=0.4, alpha=0.6)
    axes.plot(points[:, 0], points[:, 1], "o-", color=_RED, ms=3.5, lw=1.4, label="after an epoch")
    axes.plot(*points[0], "s", color="black", ms=7, label="start")
    axes.plot(*points[-1], "*", color="black", ms=12, label="end")
    axes.set_xlabel("$w$")
    axes.set_ylabel("$b$")
    axes.set_title("mean loss and the path of descent")
    axes.legend(loc="best", framealpha=0.9)
    bar = figure.colorbar(filled, ax=axes)
    ticks = 10.0 ** np.arange(np.ceil(np.log10(levels[0])), np.floor(np.log10(levels[-1])) + 1)
    bar.set_ticks(ticks, labels=[f"{tick:g}" for tick in ticks])
    return figure


def fitted(
    x: Any,
    y: Any,
    predict: Callable[[Any], Any],
    labels: tuple[str, str],
    at: float,
) -> Any:
    """Draw samples, the fitted curve, and the prediction at one input."""
    figure, axes = _figure()
    span = float(np.ptp(x)) * 0.05
    grid = np.linspace(min(float(np.min(x)), at) - span, max(float(np.max(x)), at) + span, 301)
    axes.plot(grid, predict(grid), color=_RED, lw=2, label="trained network")
    axes.scatter(x, y, color=_BLUE, zorder=3, label="data")
    value = float(predict(at))
    axes.plot([at], [value], "D", color="black", ms=7, zorder=4, label=f"at {at:g}: {value:.4f}")
    axes.set_xlabel(labels[0])
    axes.set_ylabel(labels[1])
    axes.grid(alpha=0.3)
    axes.legend()
    return figure
