"""The figure of smoothness: feature distance, and its ratio to the step."""

from __future__ import annotations

from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, NullLocator

from ..bias.smoothness import Modulus
from .style import (
    INK,
    LABEL,
    TICK,
    legend_name,
    line_style,
    log_height,
    new_figure,
    owner,
    plain_axes,
    put_title,
)

_STEP = "size of the step, ‖x − y‖ / ‖x‖"


def draw_modulus(found: Modulus, axes: Axes | None) -> Figure:
    """Distances and ratios side by side; only the distances into given axes."""
    if axes is not None:
        _panel(found, axes, divide=False)
        _legend(found, axes)
        return owner(axes)
    figure = new_figure(10.4, 5.2)
    left, right = figure.subplots(1, 2)
    _panel(found, left, divide=False)
    _panel(found, right, divide=True)
    _legend(found, left)
    pairs = found.radii.shape[1]
    note = f"Lines: mean over {pairs} pairs at each step; shades reach up to the largest."
    note += " Thin lines: bounds on all pairs." if found.bounds else ""
    put_title(figure, found.title, note)
    return figure


def _panel(found: Modulus, axes: Axes, divide: bool) -> None:
    x = found.sizes
    for position, name in enumerate(found.distances):
        look: dict[str, Any] = line_style(name, position)
        values = found.distances[name] / (found.radii if divide else 1.0)
        mean, largest = values.mean(axis=1), values.max(axis=1)
        label = f"{legend_name(name)}: exponent {found.exponents[name]:.2f}"
        axes.plot(x, mean, label=label, linewidth=1.8, markersize=4.5, **look)
        axes.fill_between(x, mean, largest, color=look["color"], alpha=0.2, linewidth=0)
    for position, (name, (theory, values)) in enumerate(found.bounds.items()):
        color = line_style(name, position)["color"]
        line = (values / (found.radii if divide else 1.0)).max(axis=1)
        label = f"bound, {name}: {theory.label}"
        axes.plot(x, line, color=color, linewidth=1.0, linestyle=":", label=label)
    label = "‖Φ(x) − Φ(y)‖ / ‖x − y‖" if divide else "‖Φ(x) − Φ(y)‖ / ‖x‖"
    plain_axes(axes, _STEP, label, grid="both")
    axes.set_xscale("log")
    log_height(axes)
    title = "Ratio of the two: the Lipschitz constant, if any" if divide else "Distance of features"
    axes.set_title(title, fontsize=LABEL + 0.5, color=INK)
    _round_ticks(axes, x)


def _round_ticks(axes: Axes, x: np.ndarray) -> None:
    axes.xaxis.set_major_locator(LogLocator(10.0, numticks=6))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.yaxis.set_minor_locator(NullLocator())
    axes.set_xlim(x[0] / 1.5, x[-1] * 1.5)
    low, high = axes.get_ylim()
    if high < 100 * low:
        # Powers of ten are the only ticks: at least two of them must show.
        middle = 10.0 ** np.round(np.log10(low * high) / 2)
        axes.set_ylim(min(low, middle / 12), max(high, middle * 12))


def _legend(found: Modulus, axes: Axes) -> None:
    # The lower right corner is empty: all lines go from the lower left to the upper right.
    low, high = axes.get_ylim()
    axes.set_ylim(low / (high / low) ** (0.06 * (1 + len(found.bounds))), high)
    axes.legend(fontsize=TICK - 1, frameon=False, loc="lower right")
