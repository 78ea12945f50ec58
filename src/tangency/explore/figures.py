"""Small figures, one for each card, with fixed margins, which are quick to draw."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from ..bias.mercer import SpectrumComparison
from ..figures.style import INK, LABEL, TICK, legend_name, line_style, plain_axes
from ..report.matrices import KernelMatrices, cosine_matrix, mark_classes
from .results import Moved, Profile

_WIDTH, _HEIGHT = 4.8, 3.4
_MARGINS = (0.15, 0.15, 0.82, 0.82)


def panel(draw: Callable[[Any, Axes], None], result: Any) -> Figure:
    """A figure of one panel, into which a result is drawn."""
    figure = Figure(figsize=(_WIDTH, _HEIGHT), facecolor="white")
    draw(result, figure.add_axes(_MARGINS))
    return figure


def _legend(axes: Axes, place: Any) -> None:
    """A legend of short names: the page says what they stand for."""
    handles, labels = axes.get_legend_handles_labels()
    short = [_short(label) for label in labels]
    axes.legend(handles, short, fontsize=TICK - 1, frameon=False, loc=place)


def _short(label: str) -> str:
    for name in ("NTK", "last-layer"):
        label = label.replace(legend_name(name), name)
    return label


def draw_profile(found: Profile, axes: Axes) -> None:
    """κ(u)/κ(1) against u."""
    for position, name in enumerate(found.values):
        look = {**line_style(name, position), "marker": ""}
        axes.plot(found.u, found.share(name), linewidth=1.8, label=legend_name(name), **look)
    plain_axes(axes, "cosine u", "κ(u) / κ(1)", grid="both")
    axes.set_xlim(-1, 1.01)
    _legend(axes, "upper left")


def draw_spectra(found: SpectrumComparison, axes: Axes) -> None:
    """Eigenvalues by degree, as everywhere, with a shorter legend."""
    found.plot(axes)
    _legend(axes, "lower left")
    low, high = axes.get_ylim()
    axes.set_ylim(low - 0.12 * (high - low), high)


def draw_moved(found: Moved, axes: Axes) -> None:
    """Relative distances against t, with those to the class and to other classes."""
    for position, (name, way) in enumerate(found.distances.items()):
        look = line_style(name, position)
        axes.plot(found.shares, way, label=legend_name(name), markersize=4.5, **look)
        for levels, dash in ((found.same, ":"), (found.other, "--")):
            if name in levels:
                axes.axhline(levels[name], color=look["color"], linestyle=dash, linewidth=1)
    plain_axes(axes, "share t of the deformation", "distance / ‖Φ(x)‖", grid="both")
    axes.set_xlim(0, 1.02)
    low, high = axes.get_ylim()
    axes.set_ylim(0, max(high, low + 1e-3) * 1.22)  # room for the legend
    _legend(axes, "upper left")


def draw_matrices(found: KernelMatrices) -> Figure:
    """Cosine similarities side by side on one scale of colours."""
    labels = found.labels
    order, counts = np.argsort(labels, kind="stable"), np.unique(labels, return_counts=True)[1]
    cosines = {
        name: cosine_matrix(K, len(labels), name)[np.ix_(order, order)]
        for name, K in found.kernels.items()
    }
    low = min(float(np.quantile(c, 0.01)) for c in cosines.values())
    long = max(len(str(name)) for name in found.names) > 3  # names then stand upright
    left, wide, high, top = (0.24, 0.355, 3.25, 0.56) if long else (0.07, 0.43, 2.75, 0.75)
    figure = Figure(figsize=(_WIDTH, high), facecolor="white")
    for position, (name, matrix) in enumerate(cosines.items()):
        axes = figure.add_axes((left + (wide + 0.03) * position, 0.02, wide, top))
        axes.imshow(matrix, cmap="viridis", vmin=low, vmax=1, interpolation="nearest")
        mark_classes(axes, counts, [str(name) for name in found.names], y_too=position == 0)
        axes.set_title(_short(legend_name(name)), fontsize=LABEL - 1, color=INK, pad=5)
    return figure


def draw_learning(found: Any, axes: Axes) -> None:
    """Mean scores against the number of training examples, with their spread."""
    for position, (name, curve) in enumerate(found.curves.items()):
        look = line_style(name, position)
        factor = 100 if found.score == "accuracy" else 1
        mean, spread = factor * curve.mean, factor * curve.spread
        axes.errorbar(
            curve.sizes, mean, spread, label=legend_name(name), capsize=2, markersize=4.5, **look
        )
    unit = " (%)" if found.score == "accuracy" else ""
    plain_axes(axes, f"training {found.examples}", f"test {found.score}{unit}", grid="both")
    _legend(axes, "lower right")
