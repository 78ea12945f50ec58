"""The same figure for a telephone: panels below one another, letters as large as before."""

from __future__ import annotations

import textwrap
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from .lookup import NARROW, drawing

WIDTH, _PANEL, _ALONE = 4.4, 3.5, 4.2
# How many letters fit: along a title, along the height of a panel, beside a mark in a legend.
_TITLE, _HEIGHT, _LEGEND = 42, 32, 46


def narrowed(result: Any) -> Figure | None:
    """A result's figure at most `WIDTH` inches wide, None where its panels cannot be moved.

    What has a narrow drawing of its own gets it (`NARROW`, or its `plot_narrow()`). Else panels
    go below one another, and legends above them all. Colour bars belong to several panels, so that
    figures with them stay.
    """
    if hasattr(result, "plot_narrow"):
        return result.plot_narrow()
    if (own := drawing(result, NARROW)) is not None:
        return own(result)
    figure = result.plot()
    width, height = figure.get_size_inches()
    if width <= WIDTH + 0.2:
        return figure
    panels = list(figure.axes)
    if not panels or not all(map(_movable, panels)):
        return None
    legend = _legend_above(figure, panels)
    if len(panels) == 1:
        figure.set_size_inches(WIDTH, min(height, _ALONE) + legend)
    else:
        _stack(figure, panels)
        figure.set_size_inches(WIDTH, _PANEL * len(panels) + legend)
    for axes in panels:
        axes.set_title(textwrap.fill(axes.get_title(), _TITLE))
        axes.yaxis.label.set_text(textwrap.fill(axes.get_ylabel(), _HEIGHT))
    return figure


def _movable(axes: Axes) -> bool:
    return axes.get_label() != "<colorbar>" and axes.get_subplotspec() is not None


def _stack(figure: Figure, panels: list[Axes]) -> None:
    grid = figure.add_gridspec(len(panels), 1)
    labels = [axes.get_ylabel() for axes in panels]
    for position, axes in enumerate(panels):
        axes.set_subplotspec(grid[position, 0])
        axes.tick_params(labelleft=True, labelbottom=True)
        if not labels[position]:  # said once, at the left of a row
            look = panels[0].yaxis.label
            axes.set_ylabel(labels[0], fontsize=look.get_fontsize(), color=look.get_color())


def _legend_above(figure: Figure, panels: list[Axes]) -> float:
    """Move all legends above the first panel; returns their height in inches."""
    entries: dict[str, Any] = {}
    size = 0.0
    for owner in [*panels, figure]:
        handles, names = [], []
        if isinstance(owner, Axes):
            handles, names = owner.get_legend_handles_labels()
            legends = [owner.get_legend()]
        else:
            legends = list(owner.legends)
        own = dict(zip(names, handles, strict=True))
        for legend in filter(None, legends):
            for text, drawn in zip(legend.get_texts(), legend.legend_handles, strict=True):
                name = " ".join(text.get_text().split())
                entries.setdefault(name, own.get(text.get_text(), drawn))
                size = float(text.get_fontsize())
            legend.remove()
    if not entries:
        return 0.0
    names = [textwrap.fill(name, _LEGEND) for name in entries]
    place = "outside upper left"
    figure.legend(list(entries.values()), names, loc=place, fontsize=size, frameon=False)
    lines = sum(1 + name.count("\n") for name in names)
    return 1.35 * size / 72 * lines
