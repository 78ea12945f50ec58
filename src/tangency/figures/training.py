"""The figures of training: one run, and networks of several widths beside their limit."""

from __future__ import annotations

from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from ..finite.lazy import LazyTraining
from ..finite.measure import Measure, slope_text
from ..finite.training import Training
from .narrow import WIDTH
from .style import (
    BLUE,
    CLEAR,
    GREEN,
    INK,
    LABEL,
    TICK,
    VERMILION,
    log_height,
    new_figure,
    owner,
    plain_axes,
    put_title,
)


def draw_training(run: Training, axes: Axes | None) -> Figure:
    """Loss against time, and movement of weights and kernel; the latter alone into given axes."""
    if axes is not None:
        _movement(run, axes)
        return owner(axes)
    figure = new_figure(10.2, 4.4)
    left, right = figure.subplots(1, 2)
    _loss(run, left)
    _movement(run, right)
    note = f"Kernel: empirical NTK on {run.kernel_points} training inputs."
    put_title(figure, run.title, "" if run.kernel_change is None else note)
    return figure


def _loss(run: Training, axes: Axes) -> None:
    later = run.times > 0
    axes.plot(run.times[later], run.losses[later], color=BLUE, marker="o", markersize=4.5)
    plain_axes(axes, "time (steps × lr)", "training loss", "both")
    axes.set_xscale("log")
    if np.all(run.losses > 0):
        axes.set_yscale("log")
    axes.minorticks_off()


def _movement(run: Training, axes: Axes) -> None:
    lines = [("weights, ‖θ − θ₀‖/‖θ₀‖", run.movement, BLUE, "o", "-")]
    if run.kernel_change is not None:
        lines.append(("kernel, ‖K − K₀‖/‖K₀‖", run.kernel_change, VERMILION, "s", "--"))
    later = run.times > 0
    for label, values, colour, marker, dash in lines:
        look: dict[str, Any] = {"color": colour, "marker": marker, "linestyle": dash}
        axes.plot(run.times[later], values[later], label=label, markersize=4.5, **look)
    plain_axes(axes, "time (steps × lr)", "relative change since the start", "both")
    axes.set_xscale("log")
    if all(np.all(values[later] > 0) for _, values, *_ in lines):
        axes.set_yscale("log")
    axes.minorticks_off()
    axes.legend(fontsize=TICK, loc="best", **CLEAR)


def draw_lazy(lazy: LazyTraining, axes: Axes | None) -> Figure:
    """Kernel and weights against width, and distances of functions; the latter into given axes."""
    functions = _functions(lazy)
    if axes is not None:
        _against_width(functions, axes)
        return owner(axes)
    figure = new_figure(10.8, 5.2)
    _panels(lazy, functions, *figure.subplots(1, 2))
    put_title(figure, lazy.title, _note(lazy))
    return figure


def draw_lazy_narrow(lazy: LazyTraining) -> Figure:
    """The same, one panel below the other, each with a legend of its own."""
    figure = new_figure(WIDTH, 10.0)
    _panels(lazy, _functions(lazy), *figure.subplots(2, 1))
    put_title(figure, lazy.title, _note(lazy))
    return figure


def _functions(lazy: LazyTraining) -> list[Measure]:
    points = "test" if lazy.test_points else "train"
    return [lazy.measures[f"{key} {points}"] for key in ("trained", "start", "linear")]


def _note(lazy: LazyTraining) -> str:
    seeds = len(lazy.seeds)
    over = f"Means of {seeds} networks ± standard error. " if seeds > 1 else "One network each. "
    return f"{over}Thin: fitted slope."


def _panels(lazy: LazyTraining, functions: list[Measure], first: Axes, second: Axes) -> None:
    _against_width([lazy.measures[key] for key in ("fluctuation", "change", "movement")], first)
    _against_width(functions, second)
    first.set_title("Kernel and weights", fontsize=LABEL, color=INK)
    words = "test points" if lazy.test_points else "training points"
    second.set_title(f"Function on {words}", fontsize=LABEL, color=INK)


def _against_width(measures: list[Measure], axes: Axes) -> None:
    looks = ((BLUE, "o", "-"), (GREEN, "^", "-."), (VERMILION, "s", "--"))
    for measure, (colour, marker, dash) in zip(measures, looks, strict=True):
        look: dict[str, Any] = {"color": colour, "marker": marker, "linestyle": dash}
        label, fit = measure.name, measure.fit
        if fit is not None:
            label += f"\nslope {slope_text(fit)}"
            axes.plot(measure.widths, fit(measure.widths), color=colour, linewidth=0.8, alpha=0.7)
        # A bar that reached 0 could not be drawn on a logarithmic axis.
        error = np.nan_to_num(measure.error)
        bars = np.stack([np.minimum(error, 0.95 * measure.mean), error])
        axes.errorbar(
            *(measure.widths, measure.mean, bars), label=label, capsize=2, markersize=4.5, **look
        )
    plain_axes(axes, "width", "relative distance", "both")
    axes.set_xscale("log", base=2)
    log_height(axes)
    axes.minorticks_off()
    axes.set_xticks(measures[0].widths, [f"{int(w):,}" for w in measures[0].widths])
    axes.legend(fontsize=TICK, loc="lower left", **CLEAR)
    low, high = axes.get_ylim()
    axes.set_ylim(low / (high / low) ** 0.5, high)  # room for the legend
