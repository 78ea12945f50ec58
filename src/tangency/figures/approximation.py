"""The figure of approximation: error against radius."""

from __future__ import annotations

import math

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from ..bias.curves import ApproximationCurve, BallCurve
from .style import GREY, legend_name, line_style, log_height, one_panel, plain_axes

_NOTE = "Thick: the range of the fit. Dotted: a bound for every f with |f|, |∇f| ≤ η."


def draw_approximation(found: ApproximationCurve, axes: Axes | None) -> Figure:
    """Error against δ√K(x, x), logarithmic, with the fitted range drawn thick."""
    figure, axes = one_panel(axes, 7.2, 5.0, found.title, _NOTE)
    for position, curve in enumerate(found.curves.values()):
        _draw(axes, curve, position)
    plain_axes(axes, "radius δ·√K(x, x): the largest value in the ball", "error in L²")
    axes.set_xscale("log")
    log_height(axes)
    floors = [curve.floor for curve in found.curves.values() if curve.floor > 0]
    if floors:
        text = "floor: degrees with eigenvalue zero"
        axes.axhline(max(floors), color=GREY, linewidth=0.9, linestyle="-.", label=text)
    axes.legend(frameon=False, loc="best" if floors else "lower left")
    return figure


def _draw(axes: Axes, curve: BallCurve, position: int) -> None:
    style = {**line_style(curve.kernel, position), "marker": ""}
    x = curve.radii * math.sqrt(curve.diagonal)
    label = legend_name(curve.kernel)
    if curve.fit is not None:
        label += f", slope −{curve.fit.rate:.2f}" + (" above the floor" if curve.floor > 0 else "")
    elif curve.norm.status in ("finite", "converged"):
        label += ", reached exactly"
    axes.plot(x, curve.errors, label=label, linewidth=1.6, **style)
    if curve.fit is not None:
        inside = (curve.radii >= curve.fit.start) & (curve.radii <= curve.fit.stop)
        axes.plot(x[inside], curve.errors[inside], linewidth=4.5, alpha=0.35, **style)
    if np.isfinite(curve.bound).any():
        drawn = {**style, "linestyle": ":"}
        worst = curve.lipschitz_rate
        text = "bound for Lipschitz f" + (f", slope −{worst:.2f}" if worst else "")
        axes.plot(x, curve.bound, label=text, linewidth=1.2, **drawn)
