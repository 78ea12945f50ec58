"""Figures that compare kernels by what they learn: learning curves, accuracies."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from ..checks import items, mapping, number, shown, text, whole
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
    put_title,
)

_ONE_DRAW = "Bars: one standard error of the test accuracy (Agresti and Coull)."
_DRAWS = "Mean ± one standard deviation over random draws of the training images."


@dataclass(frozen=True, eq=False)
class Curve:
    """A score against the number of training examples.

    sizes: (s,) increasing. scores: for every size, the accuracy (0 to 1) or the R² of each
    repeated draw.
    """

    sizes: Sequence[int]
    scores: Sequence[Sequence[float]]

    def __post_init__(self) -> None:
        sizes = [number(n, "each of sizes", above=0) for n in items(self.sizes, "sizes")]
        scores = items(self.scores, "scores")
        if not sizes or len(sizes) != len(scores):
            raise InputError(
                f"a curve needs one list of scores for each size, got {len(sizes)} sizes and "
                f"{len(scores)} lists"
            )
        if not all(_scores(draws) for draws in scores):
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

    def __post_init__(self) -> None:
        text(self.name, "name")
        if self.kernel is not None:
            text(self.kernel, "kernel")
        whole(self.correct, "correct", 0, whole(self.total, "total", 1))

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

    def __post_init__(self) -> None:
        text(self.name, "name")
        if self.kernel is not None:
            text(self.kernel, "kernel")
        if not _scores(self.scores):
            raise InputError("a row of repeated draws needs at least one score")

    @property
    def value(self) -> float:
        """The mean over draws."""
        return float(np.mean(self.scores))

    @property
    def error(self) -> float:
        """The standard deviation over draws."""
        return float(np.std(self.scores, ddof=1))


def _scores(draws: Any) -> list[float]:
    return [number(score, "each of scores") for score in items(draws, "scores")]


def learning_curves(
    panels: Mapping[str, Mapping[str, Curve]],
    title: str = "Test accuracy against the number of training images",
    *,
    score: str = "accuracy",
    examples: str = "images",
    note: str = "",
) -> Figure:
    """One panel for each network, one line for each kernel, error bars over repeated draws.

    panels: network -> kernel -> curve. The bars are one standard deviation over the draws; the
    horizontal axis is logarithmic, and all panels have the same axes. From the second panel on,
    the first curve of the first panel is repeated in grey. score: "accuracy", shown in per cent, or
    another score, shown as it is. examples: what they are called; note: what the bars are, if not
    repeated draws of the training part.
    """
    panels = _panels(panels)
    title, score = text(title, "title"), text(score, "score")
    examples, note = text(examples, "examples"), text(note, "note")
    figure = new_figure(7.2 if len(panels) == 1 else 1.0 + 4.3 * len(panels), 4.7)
    grid = np.atleast_1d(np.asarray(figure.subplots(1, len(panels), sharey=True)))
    every = [curve for curves in panels.values() for curve in curves.values()]
    ends = min(min(c.sizes) for c in every) / 1.2, max(max(c.sizes) for c in every) * 1.2
    factor, scores = (100, "test accuracy (%)") if score == "accuracy" else (1, f"test {score}")
    first, curves = next(iter(panels.items()))
    reference, points = next(iter(curves.items()))
    for axes, (network, curves) in zip(grid, panels.items(), strict=True):
        if network != first:
            axes.plot(
                points.sizes,
                factor * points.mean,
                color=GREY,
                linestyle=":",
                linewidth=1.6,
                label=f"{first}, {reference}",
            )
        for position, (name, curve) in enumerate(curves.items()):
            look = line_style(name, position)
            # Lines are moved apart by a hair, so that error bars do not hide each other.
            shift = 1.03 ** (position - (len(curves) - 1) / 2)
            _draw_curve(axes, curve, factor, shift, label=legend_name(name), **look)
        plain_axes(axes, f"training {examples}", scores if axes is grid[0] else "")
        axes.set_title(network, fontsize=LABEL + 1, color=INK)
        axes.set_xscale("log")
        axes.set_xlim(*ends)
        sizes = sorted({size for curve in curves.values() for size in curve.sizes})
        axes.set_xticks(sizes, [f"{size:,}" for size in sizes])
        axes.minorticks_off()
        axes.legend(fontsize=TICK, frameon=False, loc="lower right")
    draws = max(len(scores) for curve in every for scores in curve.scores)
    note = note or (
        f"Mean ± one standard deviation over {draws} random draws of the training {examples}; a "
        "point without a bar is a single draw."
    )
    put_title(figure, title, note if draws > 1 else "")
    return figure


def _panels(given: Any) -> dict[str, dict[str, Curve]]:
    panels = {
        text(network, "each network"): mapping(curves, "the curves of a panel")
        for network, curves in mapping(given, "panels").items()
    }
    if not panels or not all(panels.values()):
        raise InputError("learning_curves needs at least one panel with one curve")
    for curves in panels.values():
        for name, curve in curves.items():
            if not isinstance(curve, Curve):
                raise InputError(
                    f"{shown(name)} must be a Curve(sizes, scores), got {shown(curve)}"
                )
    return panels


def _draw_curve(axes: Axes, curve: Curve, factor: float, shift: float, **look: Any) -> None:
    axes.errorbar(
        np.asarray(curve.sizes) * shift,
        factor * curve.mean,
        # No bar at all, rather than one of length zero, where there was one draw.
        yerr=np.where(curve.spread > 0, factor * curve.spread, np.nan),
        capsize=3,
        linewidth=1.8,
        markersize=5.5,
        elinewidth=1.2,
        **look,
    )


def accuracy_comparison(
    rows: Sequence[Accuracy | Repeated], title: str = "Test accuracy", note: str = ""
) -> Figure:
    """Accuracies as points on a common scale, best model on top, each with its error.

    Points rather than bars, because bars would have to begin at zero to be honest, and the
    differences of interest are a few per cent. Kernels of one model share its line.
    """
    rows = items(rows, "rows")
    if not rows:
        raise InputError("accuracy_comparison needs at least one row")
    for row in rows:
        if not isinstance(row, Accuracy | Repeated):
            raise InputError(f"each row must be an Accuracy or a Repeated, got {shown(row)}")
    title, note = text(title, "title"), text(note, "note")
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
    single = all(isinstance(row, Accuracy) for row in rows)
    put_title(figure, title, note or (_ONE_DRAW if single else _DRAWS))
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
