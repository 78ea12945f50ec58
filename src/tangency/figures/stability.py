"""The figures of stability: distances against sizes, and how the constants move."""

from __future__ import annotations

from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from ..bias.constants import StabilityConstants
from ..bias.stability import StabilityCurve
from ..bias.trends import StabilityTrends
from .style import (
    CLEAR,
    GREY,
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

_DISTANCE = "‖Φ(deformed x) − Φ(x)‖ / ‖Φ(x)‖"
_AXIS = {
    "gradient": "size of the deformation, ‖∇τ‖",
    "displacement": "largest displacement, ‖τ‖ (pixels)",
}


def draw_stability(curve: StabilityCurve, axes: Axes | None) -> Figure:
    """Relative distance against ‖∇τ‖ and ‖τ‖; only the prescribed norm into given axes."""
    if axes is not None:
        _panel(curve, axes, curve.by, legend=True)
        return owner(axes)
    shown = [curve.by]
    other = "displacement" if curve.by == "gradient" else "gradient"
    if np.all(_norms(curve, other) > 0):
        shown.append(other)
    figure = new_figure(1.0 + 4.6 * len(shown), 4.8)
    grid = np.atleast_1d(np.asarray(figure.subplots(1, len(shown), sharey=True)))
    for panel, by in zip(grid, shown, strict=True):
        _panel(curve, panel, by, legend=by == curve.by)
    put_title(figure, curve.title, _note(curve))
    return figure


def _note(curve: StabilityCurve) -> str:
    draws, images = next(iter(curve.distances.values())).shape[1:]
    over = f"{images} images" + (f" and {draws} draws" if draws > 1 else "")
    return f"Mean ± one standard deviation over {over} of {curve.deformation}. Thin: fitted slope."


def _norms(curve: StabilityCurve, by: str) -> np.ndarray:
    return (curve.gradients if by == "gradient" else curve.displacements).mean(axis=1)


def _panel(curve: StabilityCurve, axes: Axes, by: str, legend: bool) -> None:
    x = _norms(curve, by)
    for position, name in enumerate(curve.distances):
        look: dict[str, Any] = line_style(name, position)
        mean, spread = curve.mean(name), curve.spread(name)
        fit = curve.fits[name]
        label = legend_name(name)
        if fit is not None:
            label += f"\nslope {fit.exponent:.2f} at small sizes"
            # The norms are proportional, so the law against one is the law against the other.
            axes.plot(x, fit(curve.sizes), color=look["color"], linewidth=0.8, alpha=0.7)
        # A bar that reached 0 could not be drawn on a logarithmic axis.
        bars = np.stack([np.minimum(spread, 0.95 * mean), spread])
        axes.errorbar(x, mean, bars, label=label, capsize=2, linewidth=1.6, markersize=4.5, **look)
    plain_axes(axes, _AXIS[by], _DISTANCE if legend else "", "both")
    axes.set_xscale("log")
    log_height(axes)
    axes.minorticks_off()
    if legend:
        axes.legend(fontsize=TICK, loc="upper left", **CLEAR)
        low, high = axes.get_ylim()
        axes.set_ylim(low, high * (high / low) ** 0.18)  # room for the legend


def draw_constants(result: StabilityConstants, axes: Axes | None) -> Figure:
    """Fitted against measured distances, one panel for each kernel; into given axes, all in one."""
    names = list(result.constants)
    if axes is not None:
        for position, name in enumerate(names):
            _points(result, name, position, axes)
        _diagonal(result, axes)
        return owner(axes)
    figure = new_figure(1.0 + 4.2 * len(names), 4.8)
    grid = np.atleast_1d(np.asarray(figure.subplots(1, len(names), sharex=True, sharey=True)))
    for position, (panel, name) in enumerate(zip(grid, names, strict=True)):
        _points(result, name, position, panel)
        _diagonal(result, panel, y_label=position == 0)
    note = "Filled: deformations. Hollow: translations by whole pixels. Means over images."
    put_title(figure, result.title, note)
    return figure


def _points(result: StabilityConstants, name: str, position: int, axes: Axes) -> None:
    look = line_style(name, position)
    c = result.constants[name]
    moves = result.gradients == 0
    label = (
        f"{legend_name(name)}\nC₁ = {c.root:.2g}, C₂ = {c.linear:.2g}, C₃ = {c.shift:.2g}, "
        f"σₙ = {c.scale:.3g}"
    )
    dots: dict[str, Any] = {"marker": look.get("marker", "o"), "linestyle": "", "markersize": 5}
    dots |= {"color": look["color"]}
    fitted, measured = result.fitted(name), result.distances[name]
    axes.plot(fitted[~moves], measured[~moves], label=label, alpha=0.75, **dots)
    axes.plot(fitted[moves], measured[moves], markerfacecolor="white", **dots)


def _diagonal(result: StabilityConstants, axes: Axes, y_label: bool = True) -> None:
    values = [v[v > 0] for n in result.constants for v in (result.fitted(n), result.distances[n])]
    positive = np.concatenate(values)
    if len(positive):
        ends = positive.min() / 1.5, positive.max() * 1.5
        axes.plot(ends, ends, color=GREY, linewidth=0.8, zorder=0)
        axes.set_xlim(*ends)
        axes.set_ylim(ends[0], ends[1] * (ends[1] / ends[0]) ** 0.2)
    plain_axes(
        axes,
        "fitted  C₁√‖∇τ‖ + C₂‖∇τ‖ + C₃‖τ‖/σₙ",
        "measured relative distance" if y_label else "",
        "both",
    )
    axes.set_xscale("log")
    log_height(axes)
    axes.minorticks_off()
    axes.legend(fontsize=TICK, loc="upper left", handletextpad=0.4, **CLEAR)


_TERMS = (
    ("C₁, of √‖∇τ‖", lambda c: c.root),
    ("C₂, of ‖∇τ‖", lambda c: c.linear),
    ("C₃/σₙ, per pixel of ‖τ‖", lambda c: c.shift / c.scale),
)


def draw_trends(trends: StabilityTrends, axes: Axes | None) -> Figure:
    """Bars for each network, beside each other for each kernel: one panel for each constant."""
    if axes is not None:
        _bars(trends, axes, *_TERMS[0], legend=True)
        return owner(axes)
    figure = new_figure(11.5, 4.4)
    for index, (panel, term) in enumerate(zip(figure.subplots(1, 3), _TERMS, strict=True)):
        _bars(trends, panel, *term, legend=index == 0)
    note = "Fits of C₁√‖∇τ‖ + C₂‖∇τ‖ + C₃‖τ‖/σₙ to mean relative distances."
    put_title(figure, trends.title, note)
    return figure


def _bars(trends: StabilityTrends, axes: Axes, label: str, value: Any, legend: bool) -> None:
    networks = list(trends.results)
    kernels = list(next(iter(trends.results.values())).constants)
    width = 0.8 / len(kernels)
    highest = 0.0
    for position, name in enumerate(kernels):
        heights = [value(trends.results[network].constants[name]) for network in networks]
        places = np.arange(len(networks)) + (position - (len(kernels) - 1) / 2) * width
        colour = line_style(name, position)["color"]
        axes.bar(places, heights, width=0.92 * width, color=colour, label=legend_name(name))
        highest = max(highest, *heights)
    plain_axes(axes, trends.varied, label)
    axes.set_xticks(range(len(networks)), networks)
    axes.set_ylim(0, highest * (1.35 if legend else 1.05) or 1)
    if highest == 0:
        axes.set_yticks([0])
        axes.text(0.5, 0.5, "0 in every fit", transform=axes.transAxes, ha="center", fontsize=LABEL)
    if legend:
        axes.legend(fontsize=TICK, loc="upper left", **CLEAR)
