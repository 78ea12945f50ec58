"""The figure of patch sizes against pooling scales."""

from __future__ import annotations

import math

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from ..bias.patches import PatchCondition
from .style import GREEN, GREY, PURPLE, TICK, one_panel, plain_axes


def draw_patches(found: PatchCondition, axes: Axes | None) -> Figure:
    """A bar for each convolution, and the line β."""
    figure, axes = one_panel(axes, 1.6 + 1.1 * max(len(found.rows), 3), 3.8, found.title)
    ratios = [row.ratio if math.isfinite(row.ratio) else math.nan for row in found.rows]
    colours = [GREEN if row.ratio <= found.beta else PURPLE for row in found.rows]
    axes.bar(range(len(ratios)), ratios, color=colours, width=0.6)
    axes.axhline(found.beta, color=GREY, linestyle=":")
    axes.annotate(
        f"β = {found.beta:g}",
        (1, found.beta),
        xycoords=("axes fraction", "data"),
        xytext=(4, 0),
        textcoords="offset points",
        va="center",
        fontsize=TICK,
        color=GREY,
    )
    labels = [f"{row.layer}: {row.text}" for row in found.rows]
    plain_axes(axes, "layer of the network", "sup|v| / σ of the layers below")
    axes.set_xticks(range(len(labels)), labels)
    axes.set_ylim(0, 1.15 * max([found.beta, *(r for r in ratios if r == r)]))
    return figure
