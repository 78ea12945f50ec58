"""The figure of a search: errors from round to round, and the last round's candidates by name."""

from __future__ import annotations

from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, MaxNLocator, NullLocator

from ..checks import cut
from ..learn.candidates.searched import Searched, Trial
from ..printable import printable
from .style import (
    BLUE,
    GREY,
    INK,
    PALE,
    TICK,
    VERMILION,
    new_figure,
    owner,
    plain_axes,
    put_title,
)

_NAMED = 10
_LONG = 62


def draw_searched(found: Searched, axes: Axes | None) -> Figure:
    """Errors against samples, and those of the last round by name; given axes get the former."""
    if axes is not None:
        _rounds(found, axes)
        return owner(axes)
    last = [each for each in found.trials if not each.failure and each.sizes == found.sizes]
    shown = last[:_NAMED]
    several = len(found.sizes) > 1
    figure = new_figure(10.0 if several else 7.0, max(3.8, 0.45 * len(shown) + 1.6))
    if several:
        left, right = figure.subplots(1, 2)
        _rounds(found, left)
    else:
        right = figure.subplots()
    _ranking(found, shown, right)
    more = f" {len(last) - len(shown)} more are not shown." if len(last) > len(shown) else ""
    note = "1 is the error of the mean. Bars: standard error of the distance to the best."
    if several:
        note = f"Left: each candidate as far as it came. Right: the last round. {note}"
    put_title(figure, found.title, note + more)
    return figure


def _rounds(found: Searched, axes: Axes) -> None:
    for each in reversed(found.trials):
        errors = np.where(np.isfinite(each.errors), each.errors, np.nan)
        style = _style(found, each)
        axes.plot(each.sizes, errors, marker="o", markersize=4, **style)
    plain_axes(axes, "samples", found.measure, "y")
    axes.set_xscale("log")
    axes.xaxis.set_major_locator(FixedLocator(list(found.sizes)))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.set_xticklabels([f"{size:,}" for size in found.sizes])
    low, high = _window(found)
    axes.set_ylim(low, high)


def _style(found: Searched, each: Trial) -> dict[str, Any]:
    if each is found.best:
        return {"color": VERMILION, "linewidth": 2.0, "zorder": 4}
    if len(each.errors) == len(found.sizes):
        return {"color": BLUE, "linewidth": 1.3, "zorder": 3}
    return {"color": GREY, "linewidth": 0.8, "alpha": 0.6}


def _window(found: Searched) -> tuple[float, float]:
    """All errors up to that of the mean, 1: what is worse is far above, and nobody's choice."""
    errors = np.concatenate([each.errors for each in found.trials])
    errors = errors[np.isfinite(errors)]
    top = min(float(errors.max()), max(1.0, 2 * float(found.best.errors.max())))
    room = 0.05 * (top - float(errors.min())) or 0.05 * top or 1.0
    return float(errors.min()) - room, top + room


def _ranking(found: Searched, shown: list[Trial], axes: Axes) -> None:
    for place, each in enumerate(shown):
        colour = VERMILION if each is found.best else BLUE
        axes.axhline(place, color=PALE, linewidth=0.8, zorder=1)
        spread = each.gap_error if np.isfinite(each.gap_error) else 0.0
        axes.errorbar(each.error, place, xerr=spread, color=colour, marker="o", markersize=6)
        name = printable(cut(each.name, _LONG))
        right = "" if np.isnan(each.accuracy) else f"   {each.accuracy:.1%} right"
        axes.annotate(
            f"{name}{right}",
            (0.0, place),
            (2, 7),
            xycoords=axes.get_yaxis_transform(),
            textcoords="offset points",
            fontsize=TICK - 1,
            color=INK,
        )
    plain_axes(axes, found.measure, "", "")
    axes.xaxis.set_major_locator(MaxNLocator(5))
    axes.set_ylim(len(shown) - 0.5, -0.8)
    axes.yaxis.set_major_locator(NullLocator())
    axes.spines["left"].set_visible(False)
