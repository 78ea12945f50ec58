"""The figures of what is near an image."""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from ..bias.geometries import Geometries
from ..bias.geometry import Geometry, Neighbours
from .style import (
    GREEN,
    GREY,
    INK,
    LABEL,
    PURPLE,
    TICK,
    legend_name,
    new_figure,
    owner,
    plain_axes,
    put_title,
)

_X = "size of the deformation, ‖∇τ‖"
_Y = "relative distance"


def draw_geometry(result: Geometry, axes: Axes | None) -> Figure:
    """A panel for each kernel; into given axes, the first kernel."""
    names = list(result.neighbours)
    if axes is not None:
        _lines(result, result.neighbours[names[0]], axes)
        plain_axes(axes, _X, _Y)
        return owner(axes)
    figure = new_figure(3.6 + 3.9 * len(names), 4.6)
    grid = np.atleast_1d(np.asarray(figure.subplots(1, len(names), sharey=True)))
    for panel, name in zip(grid, names, strict=True):
        _lines(result, result.neighbours[name], panel)
        plain_axes(panel, _X, _Y if panel is grid[0] else "")
        panel.set_title(legend_name(name), fontsize=LABEL, color=INK)
    _legend(figure, grid[0])
    put_title(figure, result.title, _note(result))
    return figure


def draw_geometries(results: Geometries, axes: Axes | None) -> Figure:
    """A column for each network with a scale of its own, a row for each kernel."""
    first = next(iter(results.results.values()))
    if axes is not None:
        return draw_geometry(first, axes)
    columns, names = list(results.results.items()), list(first.neighbours)
    figure = new_figure(2.9 + 2.7 * len(columns), 1.4 + 2.7 * len(names))
    grid = figure.subplots(len(names), len(columns), sharex=True, sharey="col", squeeze=False)
    for row, name in enumerate(names):
        for column, (network, result) in enumerate(columns):
            panel = grid[row, column]
            _lines(result, result.neighbours[name], panel)
            below, left = row == len(names) - 1, column == 0
            y_label = f"{legend_name(name)}\n{_Y}" if left else ""
            plain_axes(panel, "‖∇τ‖" if below else "", y_label)
            if row == 0:
                panel.set_title(network, fontsize=LABEL, color=INK)
    _legend(figure, grid[0, 0])
    note = _note(first) + " Every column has a scale of its own."
    put_title(figure, results.title, note)
    return figure


def _legend(figure: Figure, axes: Axes) -> None:
    handles, labels = axes.get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside right center", fontsize=TICK, frameon=False)


def _note(result: Geometry) -> str:
    return (
        f"Means over {result.images} images; bands: one standard deviation over images and "
        f"{result.draws} deformations."
    )


def _lines(result: Geometry, near: Neighbours, axes: Axes) -> None:
    moved = f"translation by {result.shift} px"
    # From the farthest to the nearest: the legend then has the order of the lines. Colours are not
    # those of the kernels, which are panels here; green is whatever was translated.
    levels = (
        ("other classes", near.other, INK, "--"),
        ("same class", near.same, GREY, "-"),
        (moved, near.translated, GREEN, ":"),
    )
    for label, level, colour, dash in levels:
        axes.axhline(level, color=colour, linestyle=dash, linewidth=1.6, label=label)
    curves = (
        ("deformation and\ntranslation", near.both, near.both_spread, GREEN, "s"),
        ("deformation", near.deformed, near.deformed_spread, PURPLE, "o"),
    )
    x = result.strengths
    for label, mean, spread, colour, marker in curves:
        axes.plot(x, mean, color=colour, marker=marker, markersize=4.5, label=label)
        axes.fill_between(x, mean - spread, mean + spread, color=colour, alpha=0.15, linewidth=0)
    axes.set_ylim(bottom=0)
    axes.set_xlim(left=0)
