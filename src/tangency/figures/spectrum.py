"""Figures of spectra: eigenvalues by degree, shares of variance, clusters in data."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, MaxNLocator

from ..bias.empirical import EmpiricalComparison, EmpiricalSpectrum
from ..bias.mercer import MercerSpectrum, SpectrumComparison
from .style import (
    GREY,
    INK,
    LABEL,
    TICK,
    legend_name,
    line_style,
    new_figure,
    one_panel,
    owner,
    plain_axes,
    put_title,
)

_MARKERS = 14


def draw_spectrum(found: MercerSpectrum, axes: Axes | None) -> Figure:
    """Eigenvalues against degree, with the slope of theory; and the share of variance."""
    return _spectra({found.name: found}, found.title, axes)


def draw_spectra(found: SpectrumComparison, axes: Axes | None) -> Figure:
    """Eigenvalues against degree, one line a kernel, with the slopes of theory."""
    return _spectra(found.spectra, found.title, axes)


def _spectra(spectra: Mapping[str, MercerSpectrum], title: str, axes: Axes | None) -> Figure:
    """Eigenvalues, and beside them (unless drawn into given axes) the shares of variance."""
    if axes is not None:
        _draw_eigenvalues(axes, spectra)
        return owner(axes)
    figure = new_figure(10.5, 4.9)
    left, right = figure.subplots(1, 2, width_ratios=(3, 2))
    _draw_eigenvalues(left, spectra)
    _draw_shares(right, spectra)
    put_title(figure, title, _not_drawn(spectra))
    return figure


def _draw_eigenvalues(axes: Axes, spectra: Mapping[str, MercerSpectrum]) -> None:
    """log μ_k against log k (against k where the decay is exponential), parities apart."""
    straight = all(s.law in ("exponential", "finite") for s in spectra.values())
    for position, (name, spectrum) in enumerate(spectra.items()):
        style = line_style(name, position)
        _draw_parities(axes, spectrum, style, straight)
        axes.plot([], [], label=_label(name, spectrum), **{**style, "linestyle": "-"})
        if isinstance(spectrum.law, float) and not straight:
            _draw_guide(axes, spectrum)
    if any(s.positive[1::2].any() for s in spectra.values()):
        hollow: dict[str, Any] = {"marker": "o", "linestyle": "none", "color": GREY}
        hollow["markerfacecolor"] = "white"
        axes.plot([], [], label="hollow: odd degrees", **hollow)
    if not straight:
        axes.set_xscale("log")
        if any(isinstance(s.law, float) for s in spectra.values()):
            axes.plot([], [], color=GREY, linewidth=1, linestyle=":", label="slope in theory")
    plain_axes(axes, "degree k", "eigenvalue μ of degree k", grid="both")
    _powers_of_ten(axes)
    axes.legend(fontsize=TICK - 1, frameon=False, loc="best" if straight else "lower left")


def _draw_parities(axes: Axes, s: MercerSpectrum, style: dict[str, Any], straight: bool) -> None:
    k = np.arange(s.degree + 1)
    for parity in (0, 1):
        chosen = s.positive & (k % 2 == parity) & (straight | (k > 0))
        if not chosen.any():
            continue
        x, y = k[chosen], s.log_eigenvalues[chosen] / math.log(10)
        at = _spread(x, straight)
        axes.plot(x, y, color=style["color"], linewidth=1, alpha=0.6)
        axes.plot(
            x[at],
            y[at],
            linestyle="none",
            color=style["color"],
            marker=style.get("marker", "o"),
            markersize=5,
            markerfacecolor="white" if parity else style["color"],
        )


def _spread(x: np.ndarray, straight: bool) -> np.ndarray:
    """Which of many degrees get a marker."""
    if len(x) <= _MARKERS:
        return np.arange(len(x))
    space = np.linspace if straight else np.geomspace
    wanted = space(max(x[0], 1), x[-1], _MARKERS)
    return np.unique(np.argmin(np.abs(x[:, None] - wanted[None, :]), axis=0))


def _draw_guide(axes: Axes, s: MercerSpectrum) -> None:
    """A line of the slope of theory, a little above the end of the curve."""
    known = np.flatnonzero(s.positive)
    if len(known) < 4 or not isinstance(s.law, float):
        return
    high = int(known[-1])
    low = max(1, high // 3)
    if s.positive[high - 1]:
        # Beside the parity that lies higher.
        high = int(max((high, high - 1), key=lambda k: s.log_eigenvalues[k]))
    end = s.log_eigenvalues[high] / math.log(10)
    x = np.array([low, high], dtype=float)
    shift = (s.dim - 2) / 2
    rise = s.law * np.log10((x + shift) / (high + shift))
    span = np.ptp(s.log_eigenvalues[s.positive]) / math.log(10)
    axes.plot(x, end + rise + 0.04 * span, color=GREY, linewidth=1.2, linestyle=":")


def _label(name: str, s: MercerSpectrum) -> str:
    called = legend_name(name)
    fitted = s.fit().steepest
    if isinstance(s.law, float) and fitted is not None:
        return f"{called}: slope {fitted:.2f} (theory {s.law:g})".replace("-", "−").replace(
            "last−layer", "last-layer"
        )
    words = {"exponential": "exponential decay", "finite": "finite rank"}
    if isinstance(s.law, str):
        return f"{called}: {words.get(s.law, f'decay {s.law}')}"
    return called


def _not_drawn(spectra: Mapping[str, MercerSpectrum]) -> str:
    """What a logarithmic axis leaves out."""
    parts = []
    if zeros := {note for s in spectra.values() if (note := s.zeros_in_words)}:
        parts.append("Not drawn, being exactly zero: " + "; ".join(sorted(zeros)) + ".")
    for name, s in spectra.items():
        if not s.resolved.all():
            first = int(np.argmin(s.resolved))
            parts.append(
                f"{name}: some degrees from {first} on are lost in rounding, and left out."
            )
    return "\n".join(parts)


def _draw_shares(axes: Axes, spectra: Mapping[str, MercerSpectrum]) -> None:
    shown = 12
    for position, (name, s) in enumerate(spectra.items()):
        k = np.arange(min(shown, s.degree) + 1)
        style = line_style(name, position)
        axes.plot(k, 100 * s.cumulative[k], label=legend_name(name), markersize=5, **style)
    plain_axes(axes, "degree k", "variance in degrees up to k (%)")
    axes.set_ylim(0, 103)
    axes.set_xticks(range(0, shown + 1, 2))


def _powers_of_ten(axes: Axes) -> None:
    low, high = axes.get_ylim()
    if math.floor(high) - math.ceil(low) < 1:
        low, high = math.floor(low), math.ceil(high)
    axes.set_ylim(low, high)
    axes.yaxis.set_major_locator(MaxNLocator(nbins=8, integer=True, min_n_ticks=1))
    if axes.get_xscale() == "linear":
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.yaxis.set_major_formatter(FuncFormatter(lambda y, _: f"$10^{{{round(y)}}}$"))


def draw_cluster(found: EmpiricalSpectrum, axes: Axes | None) -> Figure:
    """Eigenvalues of K/n on data by rank, over the steps of theory."""
    return _clusters({found.name: found}, found.title, axes)


def draw_clusters(found: EmpiricalComparison, axes: Axes | None) -> Figure:
    """The same for several kernels."""
    return _clusters(found.spectra, found.title, axes)


def _clusters(results: Mapping[str, EmpiricalSpectrum], title: str, axes: Axes | None) -> Figure:
    figure, draw = one_panel(axes, 8.0, 4.9, title)
    for position, (name, result) in enumerate(results.items()):
        style = line_style(name, position)
        index = np.arange(1, len(result.eigenvalues) + 1)
        shown = result.eigenvalues > 0
        draw.plot(
            index[shown],
            result.eigenvalues[shown],
            linestyle="none",
            marker=style.get("marker", "o"),
            markersize=3.5,
            markeredgewidth=0,
            alpha=0.75,
            color=style["color"],
            label=f"{legend_name(name)}: on data",
        )
        if result.theory is not None:
            steps = result.theory > 0
            draw.step(
                index[: len(steps)][steps],
                result.theory[steps],
                where="mid",
                color=INK,
                linewidth=1,
                label="theory, uniform points" if position == 0 else None,
            )
    draw.set_xscale("log")
    draw.set_yscale("log")
    plain_axes(draw, "rank of the eigenvalue", "eigenvalue of K/n", grid="both")
    draw.xaxis.label.set_fontsize(LABEL)
    draw.legend(fontsize=TICK - 1, frameon=False, loc="lower left")
    return figure
