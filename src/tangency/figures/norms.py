"""The figures of RKHS norms: of one function, of powers |u|^a, of interpolants of data."""

from __future__ import annotations

import math

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from ..bias.condition import SmoothnessCondition
from ..bias.interpolants import InterpolationNorms, KernelInterpolation
from ..bias.norms import RkhsNorm
from .style import (
    GREY,
    TICK,
    legend_name,
    line_style,
    log_height,
    new_figure,
    one_panel,
    owner,
    plain_axes,
    put_title,
)

_CONDITION = (
    "Dotted: the exact threshold. Shaded: where a has the number of bounded derivatives that the "
    "condition of the paper asks for."
)


def draw_norm(found: RkhsNorm, axes: Axes | None) -> Figure:
    """The norm of f up to degree k against k."""
    figure, axes = one_panel(axes, 6.4, 4.4, found.title)
    partial = found.partial_norms
    k = np.arange(len(partial))
    drawn = (k > 0) & np.isfinite(partial) & (partial > 0)
    style = {**line_style(found.kernel), "marker": ""}
    axes.semilogx(k[drawn], partial[drawn], label=legend_name(found.kernel), **style)
    if found.status in ("converged", "finite") and found.value > 0:
        axes.axhline(found.value, color=style["color"], linewidth=0.8, label="norm of f")
    plain_axes(axes, "largest degree k", "RKHS norm of the part up to degree k")
    axes.set_ylim(bottom=0)
    axes.legend(frameon=False, loc="lower right")
    return figure


def draw_condition(found: SmoothnessCondition, axes: Axes | None) -> Figure:
    """Decay of the terms ‖f_k‖²/μ_k, and norms, against a; in `axes`, the norms only."""
    if axes is not None:
        _norms_of_powers(found, axes)
        return owner(axes)
    figure = new_figure(10.6, 4.6)
    left, right = figure.subplots(1, 2)
    _decay_of_powers(found, left)
    _norms_of_powers(found, right)
    put_title(figure, found.title, _CONDITION)
    return figure


def _decay_of_powers(found: SmoothnessCondition, axes: Axes) -> None:
    for position, (name, item) in enumerate(found.kernels.items()):
        style = {**line_style(name, position), "marker": ""}
        axes.plot(found.exponents, item.fitted, **style)
    axes.axhline(1, color=GREY, linewidth=1)
    start = found.exponents[0]
    axes.text(start, 1.15, "norm finite above", va="bottom", fontsize=TICK, color=GREY)
    _thresholds(found, axes)
    plain_axes(axes, "exponent a of f(u) = |u|^a", "decay t of the terms ‖fₖ‖²/μₖ ~ k⁻ᵗ")


def _norms_of_powers(found: SmoothnessCondition, axes: Axes) -> None:
    for position, (name, item) in enumerate(found.kernels.items()):
        norms = np.array([norm.value for norm in item.norms])
        shown = np.where(np.isfinite(norms), norms, np.nan) * math.sqrt(item.diagonal)
        style = line_style(name, position)
        axes.plot(found.exponents, shown, label=legend_name(name), markersize=4, **style)
        enough = math.inf if item.derivatives is None else math.ceil(item.derivatives)
        if enough < found.exponents[-1]:
            ends = enough, found.exponents[-1]
            axes.axvspan(*ends, color=style["color"], alpha=0.08, linewidth=0)
    _thresholds(found, axes)
    plain_axes(axes, "exponent a of f(u) = |u|^a", "‖f‖ in the RKHS × √K(x, x)")
    axes.set_xlim(found.exponents[0], found.exponents[-1])
    axes.set_ylim(bottom=0)
    axes.legend(loc="best", framealpha=0.9, edgecolor="none")


def _thresholds(found: SmoothnessCondition, axes: Axes) -> None:
    for position, (name, item) in enumerate(found.kernels.items()):
        if item.threshold is not None:
            color = line_style(name, position)["color"]
            axes.axvline(item.threshold, color=color, linewidth=1.2, linestyle=":")


def draw_interpolation(found: InterpolationNorms, axes: Axes | None) -> Figure:
    """Scale-free norms against n, with one standard deviation over draws."""
    note = f"Mean ± one standard deviation over {found.draws} random draws."
    figure, axes = one_panel(axes, 6.8, 4.6, found.title, note)
    for position, item in enumerate(found.kernels.values()):
        _interpolants(axes, found.sizes, item, position)
    plain_axes(axes, "samples n", "‖f‖·√(mean K(x, x)) / rms(y)")
    axes.set_xscale("log")
    log_height(axes)
    axes.set_xticks(found.sizes, [f"{int(size):,}" for size in found.sizes])
    axes.minorticks_off()
    axes.legend(frameon=False, loc="upper left")
    return figure


def _interpolants(axes: Axes, sizes: np.ndarray, item: KernelInterpolation, position: int) -> None:
    style = line_style(item.kernel, position)
    shift = 1.02 ** (position - 0.5)
    axes.errorbar(
        sizes * shift,
        np.where(np.isfinite(item.mean), item.mean, np.nan),
        yerr=np.where(item.spread > 0, item.spread, np.nan),
        label=legend_name(item.kernel),
        capsize=3,
        markersize=5,
        **style,
    )
    if item.shuffled is not None:
        look = {"color": style["color"], "linestyle": ":", "linewidth": 1.3}
        mean = item.shuffled.mean(axis=1) * item.scale
        axes.plot(sizes * shift, mean, label=f"{item.kernel}, shuffled labels", **look)
