"""The figures of calibration: coverage and width of intervals, accuracy against confidence."""

from __future__ import annotations

from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from ..learn.uncertainty.results import ClassCalibration, RegressionCalibration
from ..printable import printable
from .style import (
    BLUE,
    CLEAR,
    GREEN,
    GREY,
    ORANGE,
    PALE,
    PURPLE,
    TICK,
    VERMILION,
    new_figure,
    one_panel,
    owner,
    plain_axes,
    put_title,
)

_LOOKS = ((BLUE, "o", "-"), (VERMILION, "s", "--"), (GREEN, "^", "-."), (ORANGE, "D", ":"),
          (PURPLE, "v", "-"), (GREY, "P", "--"))  # fmt: skip


def _look(place: int) -> dict[str, Any]:
    color, marker, line = _LOOKS[place % len(_LOOKS)]
    return {"color": color, "marker": marker, "linestyle": line, "linewidth": 1.6, "markersize": 5}


def draw_coverage(found: RegressionCalibration, axes: Axes | None) -> Figure:
    """Coverage against what was promised, and the width; into given axes, the coverage alone."""
    if axes is not None:
        _coverage(found, axes)
        return owner(axes)
    figure = new_figure(9.6, 4.8)
    left, right = figure.subplots(1, 2)
    _coverage(found, left)
    for place, (name, scores) in enumerate(found.scores.items()):
        right.plot(found.levels, scores.width, label=printable(name), **_look(place))
    plain_axes(right, "level of the intervals", "mean width, in units of y", "both")
    right.set_xlim(0, 1)
    right.set_ylim(0)
    note = f"{found.count:,} targets. Grey: where 95 % of the points of a model lie that is right."
    put_title(figure, found.title, note)
    return figure


def _coverage(found: RegressionCalibration, axes: Axes) -> None:
    grid = np.linspace(0, 1, 201)
    spread = 1.96 * np.sqrt(grid * (1 - grid) / found.count)
    low, high = np.maximum(grid - spread, 0), np.minimum(grid + spread, 1)
    axes.fill_between(grid, low, high, color=PALE, linewidth=0, zorder=0)
    axes.plot([0, 1], [0, 1], color=GREY, linewidth=0.8, zorder=1)
    for place, (name, scores) in enumerate(found.scores.items()):
        axes.plot(found.levels, scores.coverage, label=printable(name), **_look(place))
    plain_axes(axes, "level of the intervals", "share of targets inside", "")
    _unit(axes)


def draw_reliability(found: ClassCalibration, axes: Axes | None) -> Figure:
    """Accuracy in bins against the confidence there, with two standard errors."""
    note = f"{found.count:,} samples in bins of equal counts. Bars: two standard errors."
    figure, panel = one_panel(axes, 5.6, 5.4, found.title, note)
    panel.plot([0, 1], [0, 1], color=GREY, linewidth=0.8, zorder=1)
    for place, (name, scores) in enumerate(found.scores.items()):
        bins, look = scores.bins, _look(place)
        label = (
            f"{printable(name)}: ECE {100 * bins.ece:.1f} %, chance {100 * bins.by_chance:.1f} %"
        )
        bars = 2 * bins.errors
        panel.errorbar(bins.confidence, bins.accuracy, bars, label=label, capsize=2, **look)
    plain_axes(panel, "probability of the most probable class", "share of predictions right", "")
    _unit(panel)
    return figure


def _unit(axes: Axes) -> None:
    axes.set_xlim(0, 1.01)
    axes.set_ylim(0, 1.01)
    axes.set_aspect("equal")
    axes.legend(fontsize=TICK, loc="upper left", **CLEAR)
