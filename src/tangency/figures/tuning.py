"""The figure of a choice of parameters: the objective along each, through the best point."""

from __future__ import annotations

import math

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from ..learn.tuning.tuned import Profile, Tuned, words
from .style import BLUE, GREY, INK, LABEL, VERMILION, new_figure, owner, plain_axes, put_title

_MOST, _COLUMNS = 12, 3
_DEEP = 30.0  # how far below the best a log density is shown
_TALL = 4.0  # times the least error, how much is shown


def draw_tuned(found: Tuned, axes: Axes | None) -> Figure:
    """A panel for each parameter; into given axes, one line each against value over best value."""
    profiles = found.profiles()
    low, high = _window(found, profiles)
    if axes is not None:
        for profile in profiles[:_MOST]:
            axes.plot(profile.values / profile.best, profile.scores, label=words(profile.name))
        axes.plot(1.0, found.score, color=VERMILION, marker="o", zorder=3)
        plain_axes(axes, "value / best value", found.measure, "both")
        axes.set_xscale("log")
        axes.set_ylim(low, high)
        axes.legend(frameon=False)
        return owner(axes)
    shown = profiles[:_MOST]
    columns = 2 if len(shown) == 4 else min(_COLUMNS, len(shown))
    rows = math.ceil(len(shown) / columns)
    figure = new_figure(max(3.4 * columns, 5.2), 2.8 * rows + 0.9)
    panels = np.atleast_1d(figure.subplots(rows, columns, sharey=True, squeeze=False)).ravel()
    for profile, panel in zip(shown, panels, strict=False):
        _panel(found, profile, panel)
        panel.set_ylim(low, high)
    for panel in panels[len(shown) :]:
        panel.set_visible(False)
    figure.supylabel(found.measure, fontsize=LABEL, color=INK)
    more = len(profiles) - len(shown)
    note = "Others at their best. Dot: what was chosen. Dash-dotted: a bound."
    put_title(figure, found.title, note + (f" {more} more are not shown." if more else ""))
    return figure


def _panel(found: Tuned, profile: Profile, axes: Axes) -> None:
    axes.plot(profile.values, profile.scores, color=BLUE, linewidth=1.6)
    axes.plot(profile.best, found.score, color=VERMILION, marker="o", markersize=7, zorder=3)
    for bound in profile.bounds:
        if profile.values[0] <= bound * (1 + 1e-9) and bound <= profile.values[-1] * (1 + 1e-9):
            axes.axvline(bound, color=GREY, linewidth=0.9, linestyle="-.")
    name = words(profile.name)
    plain_axes(axes, f"{name} / mean K(x, x)" if name == "noise" else name, "", "both")
    axes.set_xscale("log")
    axes.minorticks_off()


def _window(found: Tuned, profiles: tuple[Profile, ...]) -> tuple[float, float]:
    """From the worst of what is shown to the best, with room: far away it falls without end."""
    scores = np.concatenate([profile.scores for profile in profiles])
    scores = scores[np.isfinite(scores)]
    best, largest = found.score, float(scores.max(initial=found.score))
    if found.objective == "leave_one_out":
        top = min(largest, _TALL * best)
        room = 0.06 * (top - best) or best or 1.0
        return best - room, top + room
    low = max(float(scores.min(initial=best)), best - _DEEP)
    room = 0.06 * (best - low) or 1.0
    return low - room, best + room
