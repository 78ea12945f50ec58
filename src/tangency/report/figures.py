"""Figures that compare kernels: matrices by class, learning curves, accuracies."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from ..errors import InputError
from .style import (
    GREY,
    INK,
    LABEL,
    TICK,
    legend_name,
    line_style,
    new_figure,
    plain_axes,
    put_note,
    put_title,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


_ONE_DRAW = "Bars: one standard error of the test accuracy (Agresti and Coull)."
_DRAWS = "Mean ± one standard deviation over random draws of the training images."


@dataclass(frozen=True, eq=False)
class Curve:
    """Accuracy against the number of training images.

    sizes: (s,) increasing. scores: for every size, the accuracy (0 to 1) of each repeated draw.
    """

    sizes: Sequence[int]
    scores: Sequence[Sequence[float]]

    def __post_init__(self) -> None:
        if not self.sizes or len(self.sizes) != len(self.scores):
            raise InputError(
                f"a curve needs one list of scores for each size, got {len(self.sizes)} sizes and "
                f"{len(self.scores)} lists"
            )
        if any(len(draws) == 0 for draws in self.scores):
            raise InputError("a curve needs at least one score for every size")

    @property
    def mean(self) -> np.ndarray:
        """(s,) the mean over draws."""
        return np.array([np.mean(draws) for draws in self.scores])

    @property
    def spread(self) -> np.ndarray:
        """(s,) the standard deviation over draws, 0 where there is one draw."""
        return np.array([np.std(draws, ddof=1) if len(draws) > 1 else 0.0 for draws in self.scores])


@dataclass(frozen=True)
class Accuracy:
    """One row of a comparison: a name, a kernel (or None), correct answers out of `total`."""

    name: str
    kernel: str | None
    correct: int
    total: int

    @property
    def value(self) -> float:
        """The share of correct answers."""
        return self.correct / self.total

    @property
    def error(self) -> float:
        """Its standard error √(p(1 − p)/m) with p = (correct + 2)/m, m = total + 4.

        Two right and two wrong answers are added, so that it is not 0 where all are right.
        Source: Agresti & Coull, *Approximate is better than "exact"*, 1998.
        """
        total = self.total + 4
        share = (self.correct + 2) / total
        return float(np.sqrt(share * (1 - share) / total))


@dataclass(frozen=True)
class Repeated:
    """A row like `Accuracy`, but of several draws of the training part: (draws,) scores, 0 to 1."""

    name: str
    kernel: str | None
    scores: Sequence[float]

    @property
    def value(self) -> float:
        """The mean over draws."""
        return float(np.mean(self.scores))

    @property
    def error(self) -> float:
        """The standard deviation over draws."""
        return float(np.std(self.scores, ddof=1))


def kernel_matrices(
    kernels: Mapping[str, np.ndarray],
    labels: np.ndarray,
    class_names: Sequence[str] | None = None,
    title: str = "Kernel matrices, images sorted by class",
) -> Figure:
    """Cosine-normalised kernel matrices side by side on one colour scale, rows sorted by class.

    kernels: name -> (n, n) positive semidefinite matrix. labels: (n,). class_names: one for each
    distinct label in sorted order. Shown is K(x, x') / √(K(x, x) K(x', x')), so that kernels of
    different size can share a scale. Raises `InputError` for shapes that do not fit.
    """
    labels = np.asarray(labels)
    classes, counts = np.unique(labels, return_counts=True)
    names = [str(c) for c in classes] if class_names is None else list(class_names)
    if len(names) != len(classes):
        raise InputError(f"{len(names)} class names for {len(classes)} classes")
    order = np.argsort(labels, kind="stable")
    cosines = {
        name: _cosines(K, len(labels), name)[np.ix_(order, order)] for name, K in kernels.items()
    }
    off_diagonal = ~np.eye(len(labels), dtype=bool)
    low = min(float(np.quantile(c[off_diagonal], 0.01)) for c in cosines.values())
    figure = new_figure(4.7 * len(cosines) + 1.1, 5.8)
    grid = np.atleast_1d(np.asarray(figure.subplots(1, len(cosines))))
    image = None
    for axes, (name, matrix) in zip(grid, cosines.items(), strict=True):
        image = axes.imshow(matrix, cmap="viridis", vmin=low, vmax=1, interpolation="nearest")
        _mark_classes(axes, counts, names)
        same = labels[order][:, None] == labels[order][None, :]
        inside, outside = matrix[same & off_diagonal].mean(), matrix[~same].mean()
        axes.set_title(
            f"{legend_name(name)}\nmean {inside:.3f} within a class, {outside:.3f} between classes",
            fontsize=LABEL,
            color=INK,
            pad=6,
            linespacing=1.5,
        )
    assert image is not None
    bar = figure.colorbar(image, ax=list(grid), shrink=0.8, pad=0.02, extend="min")
    bar.set_label("cosine similarity  K(x, x′) / √(K(x, x) K(x′, x′))", fontsize=LABEL, color=INK)
    bar.ax.tick_params(labelsize=TICK)
    put_title(figure, title)
    return figure


def _cosines(K: np.ndarray, n: int, name: str) -> np.ndarray:
    K = np.asarray(K, dtype=float)
    if K.shape != (n, n):
        raise InputError(f"kernel {name!r} has shape {K.shape}, expected {(n, n)} for {n} labels")
    size = np.sqrt(np.diag(K))
    if not np.all(size > 0):
        raise InputError(f"kernel {name!r} has zero or negative values on its diagonal")
    return K / np.outer(size, size)


def _mark_classes(axes: Axes, counts: np.ndarray, names: Sequence[str]) -> None:
    ends = np.cumsum(counts)
    middles = ends - counts / 2 - 0.5
    for end in ends[:-1]:
        axes.axhline(end - 0.5, color="white", linewidth=0.7)
        axes.axvline(end - 0.5, color="white", linewidth=0.7)
    turn = 90 if max(map(len, names)) > 3 else 0
    axes.set_xticks(middles, names, fontsize=TICK, rotation=turn)
    axes.set_yticks(middles, names, fontsize=TICK)
    axes.tick_params(length=0, colors=INK, top=True, labeltop=True, bottom=False, labelbottom=False)
    axes.spines[:].set_visible(False)


def learning_curves(
    panels: Mapping[str, Mapping[str, Curve]],
    title: str = "Test accuracy against the number of training images",
) -> Figure:
    """One panel for each network, one line for each kernel, error bars over repeated draws.

    panels: network -> kernel -> curve. The bars are one standard deviation over the draws; the
    horizontal axis is logarithmic, and all panels have the same axes. From the second panel on,
    the first curve of the first panel is repeated in grey.
    """
    if not panels or not all(panels.values()):
        raise InputError("learning_curves needs at least one panel with one curve")
    figure = new_figure(1.0 + 4.3 * len(panels), 4.7)
    grid = np.atleast_1d(np.asarray(figure.subplots(1, len(panels), sharey=True)))
    every = [curve for curves in panels.values() for curve in curves.values()]
    ends = min(min(c.sizes) for c in every) / 1.2, max(max(c.sizes) for c in every) * 1.2
    first, curves = next(iter(panels.items()))
    reference, points = next(iter(curves.items()))
    for axes, (network, curves) in zip(grid, panels.items(), strict=True):
        if network != first:
            axes.plot(
                points.sizes,
                100 * points.mean,
                color=GREY,
                linestyle=":",
                linewidth=1.6,
                label=f"{first}, {reference}",
            )
        for position, (name, curve) in enumerate(curves.items()):
            _draw_curve(axes, name, curve, position, len(curves))
        plain_axes(axes, "training images", "test accuracy (%)" if axes is grid[0] else "")
        axes.set_title(network, fontsize=LABEL + 1, color=INK)
        axes.set_xscale("log")
        axes.set_xlim(*ends)
        sizes = sorted({size for curve in curves.values() for size in curve.sizes})
        axes.set_xticks(sizes, [f"{size:,}" for size in sizes])
        axes.minorticks_off()
        axes.legend(fontsize=TICK, frameon=False, loc="lower right")
    put_title(figure, title)
    draws = max(len(scores) for curve in every for scores in curve.scores)
    if draws > 1:
        put_note(
            figure,
            f"Mean ± one standard deviation over {draws} random draws of the training "
            "images; a point without a bar is a single draw.",
        )
    return figure


def _draw_curve(axes: Axes, name: str, curve: Curve, position: int, total: int) -> None:
    # Lines are moved apart by a hair, so that error bars do not hide each other.
    shift = 1.03 ** (position - (total - 1) / 2)
    axes.errorbar(
        np.asarray(curve.sizes) * shift,
        100 * curve.mean,
        # No bar at all, rather than one of length zero, where there was one draw.
        yerr=np.where(curve.spread > 0, 100 * curve.spread, np.nan),
        label=legend_name(name),
        capsize=3,
        linewidth=1.8,
        markersize=5.5,
        elinewidth=1.2,
        **line_style(name, position),
    )


def accuracy_comparison(
    rows: Sequence[Accuracy | Repeated], title: str = "Test accuracy", note: str = ""
) -> Figure:
    """Accuracies as points on a common scale, best model on top, each with its error.

    Points rather than bars, because bars would have to begin at zero to be honest, and the
    differences of interest are a few per cent. Kernels of one model share its line.
    """
    if not rows:
        raise InputError("accuracy_comparison needs at least one row")
    best: dict[str, float] = {}
    for row in rows:
        best[row.name] = max(row.value, best.get(row.name, 0.0))
    models = sorted(best, key=lambda name: best[name])
    figure = new_figure(8.0, 1.7 + 0.72 * len(models))
    axes = figure.subplots()
    seen: set[str] = set()
    for height, model in enumerate(models):
        group = [row for row in rows if row.name == model]
        for position, row in enumerate(group):
            lift = 0.17 * ((len(group) - 1) / 2 - position) * 2
            _draw_accuracy(axes, row, height + lift, lift >= 0, seen)
    plain_axes(axes, "test accuracy (%)", grid="x")
    axes.set_yticks(range(len(models)), models, fontsize=LABEL)
    axes.set_ylim(-0.6, len(models) - 0.3)
    axes.legend(fontsize=TICK, frameon=False, loc="lower right")
    put_title(figure, title)
    single = all(isinstance(row, Accuracy) for row in rows)
    put_note(figure, note or (_ONE_DRAW if single else _DRAWS))
    return figure


def _draw_accuracy(
    axes: Axes, row: Accuracy | Repeated, height: float, above: bool, seen: set[str]
) -> None:
    kind = "other models" if row.kernel is None else legend_name(row.kernel)
    look = line_style(row.kernel) if row.kernel else {"color": GREY, "marker": "D"}
    axes.errorbar(
        100 * row.value,
        height,
        xerr=100 * row.error,
        capsize=3,
        markersize=7,
        color=look["color"],
        marker=look["marker"],
        linestyle="none",
        label=None if kind in seen else kind,
    )
    seen.add(kind)
    axes.annotate(
        f"{100 * row.value:.1f}",
        (100 * row.value, height),
        (0, 6 if above else -6),
        textcoords="offset points",
        ha="center",
        va="bottom" if above else "top",
        fontsize=TICK,
        color=INK,
    )
