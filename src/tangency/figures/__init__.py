"""Figures: one drawing for each kind of result, found by the name of its class.

Private by convention: a result draws itself by `.plot()`. Nothing below imports this package,
except `Result.plot` when it is called; so only here is Matplotlib imported at the head of a module.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .. import checks
from ..errors import InputError
from .lookup import drawing
from .style import save_figure

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


def draw(result: Any, axes: Axes | None = None) -> Figure:
    """The figure of a result; into given axes, its main panel alone.

    Raises `InputError` for axes that are none of Matplotlib's, and for a result without a drawing.
    """
    axes = checks.axes(axes)
    if (drawn := drawing(result)) is not None:
        return drawn(result, axes)
    raise InputError(
        f"there is no drawing for {checks.shown(result)}; a result of your own draws itself in "
        "plot(axes)"
    )


__all__ = ["draw", "save_figure"]
