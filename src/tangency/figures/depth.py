"""The figure of kernels behind each layer of a network."""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from ..kernels.layers import LayerKernels
from ..printable import printable
from .style import CLEAR, TICK, legend_name, line_style, one_panel, plain_axes

_LONG = 16


def draw_layers(found: LayerKernels, axes: Axes | None) -> Figure:
    """The median cosine behind each layer, with a band, for both kernels."""
    count = len(found.layers)
    figure, axes = one_panel(axes, 2.5 + 0.55 * max(count, 5), 4.2, found.title)
    places = np.arange(1, count + 1)
    for name, kind in (("NTK", "ntk"), ("last-layer", "nngp")):
        cosines = found.cosines(kind)
        # Θ is zero before the first trained layer.
        some = np.asarray([bool(np.any(row)) for row in cosines]) | (kind == "nngp")
        low, middle, high = np.quantile(cosines[some], (0.1, 0.5, 0.9), axis=1)
        style = line_style(name)
        axes.fill_between(places[some], low, high, color=style["color"], alpha=0.15, linewidth=0)
        axes.plot(places[some], middle, label=legend_name(name), markersize=4, **style)
    plain_axes(axes, "layer of the network", "cosine of two inputs")
    texts = [printable(t if len(t) <= _LONG else t[: _LONG - 1] + "…") for t in found.layers]
    axes.set_xticks(places, texts, rotation=45, ha="right", rotation_mode="anchor", fontsize=TICK)
    axes.legend(fontsize=TICK, **CLEAR)
    return figure
