"""How every figure looks, and how it is written to a file.

Only Matplotlib's object-oriented interface is used: no pyplot, no global state.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from .. import checks
from ..errors import InputError
from ..files import replaced
from ..printable import printable

# Okabe and Ito's palette: told apart with any common colour blindness, and in grey by lightness.
BLUE, VERMILION, GREEN, ORANGE = "#0072B2", "#D55E00", "#009E73", "#E69F00"
# Paul Tol's, as theirs is too pale for lines.
PURPLE = "#AA4499"
INK, GREY, PALE = "#222222", "#6E6E6E", "#D9D9D9"

#: One look for each kernel, wherever it appears.
KERNEL_STYLES: dict[str, dict[str, Any]] = {
    "NTK": {"color": BLUE, "marker": "o", "linestyle": "-"},
    "last-layer": {"color": VERMILION, "marker": "s", "linestyle": "--"},
}
_LEGENDS = {"NTK": "NTK (all layers trained)", "last-layer": "last-layer kernel (NNGP)"}
_OTHERS = ({"color": GREEN, "marker": "^"}, {"color": ORANGE, "marker": "D"}, {"color": GREY})

#: A legend without a frame, through which no grid line shows.
CLEAR: dict[str, Any] = {"edgecolor": "none", "facecolor": "white", "framealpha": 1.0}

TITLE, LABEL, TICK = 13, 11, 10
SUFFIXES = (".png", ".svg", ".pdf")
_FINEST = 10_000


def line_style(name: str, position: int = 0) -> dict[str, Any]:
    """Colour, marker and dash for a named kernel, or the position-th look for another name."""
    if name in KERNEL_STYLES:
        return KERNEL_STYLES[name]
    return {"marker": "v", "linestyle": "-.", **_OTHERS[position % len(_OTHERS)]}


def legend_name(kernel: str) -> str:
    """How a kernel is called in a legend: the two neural kernels say what is trained."""
    return _LEGENDS.get(kernel, printable(kernel))


def new_figure(width: float, height: float) -> Figure:
    """A white figure, sizes in inches, with a layout that leaves room for all text."""
    return Figure(figsize=(width, height), layout="constrained", facecolor="white")


def one_panel(
    axes: Axes | None, width: float, height: float, title: str, note: str = ""
) -> tuple[Figure, Axes]:
    """The given axes and their figure; without any, a new figure of one panel with its title."""
    if axes is not None:
        return owner(axes), axes
    figure = new_figure(width, height)
    panel = figure.subplots()
    put_title(figure, title, note)
    return figure, panel


def owner(axes: Axes) -> Figure:
    """The figure that axes belong to."""
    figure = axes.get_figure(root=True)
    assert figure is not None
    return figure


def plain_axes(axes: Axes, x_label: str = "", y_label: str = "", grid: str = "y") -> None:
    """Labels and ticks in readable sizes, light grid lines, no box around the data."""
    axes.set_xlabel(x_label, fontsize=LABEL, color=INK)
    axes.set_ylabel(y_label, fontsize=LABEL, color=INK)
    axes.tick_params(labelsize=TICK, colors=INK, length=3)
    axes.spines[["top", "right"]].set_visible(False)
    axes.spines[["left", "bottom"]].set_color(GREY)
    if grid:
        axes.grid(axis=grid, color=PALE, linewidth=0.8)  # pyright: ignore[reportArgumentType]
        axes.set_axisbelow(True)


def log_height(axes: Axes) -> None:
    """A logarithmic vertical axis, where anything drawn is above zero: Matplotlib fails on none."""
    if axes.dataLim.minposy < np.inf:
        axes.set_yscale("log")


def put_title(figure: Figure, title: str, note: str = "") -> None:
    """The figure's one title, above all panels, and a line in small print below them."""
    figure.suptitle(title, fontsize=TITLE, color=INK, fontweight="bold")
    # Constrained layout leaves too little air below the title by itself.
    figure.get_layout_engine().set(h_pad=0.12)  # pyright: ignore
    if note:
        figure.supxlabel(note, fontsize=TICK - 1, color=GREY)


def save_figure(figure: Figure, path: str | os.PathLike[str], dpi: int = 160) -> Path:
    """Write a figure as .png, .svg or .pdf, whole or not at all; returns the path.

    The same figure gives the same file: no dates or random names are stored in it. Raises
    `InputError` for another suffix.
    """
    if not isinstance(figure, Figure):
        raise InputError(f"figure must be a figure of Matplotlib, got {checks.shown(figure)}")
    path, dpi = checks.path(path), checks.whole(dpi, "dpi", 1, _FINEST)
    kind = path.suffix.lower()
    if kind not in SUFFIXES:
        raise InputError(f"{path}: figures are written as {', '.join(SUFFIXES)}, not {kind!r}")
    metadata = {".png": {"Software": None}, ".svg": {"Date": None}, ".pdf": {"CreationDate": None}}
    settings: Any = {"svg.hashsalt": "tangency", "svg.fonttype": "none"}
    with replaced(path, path.suffix) as draft, matplotlib.rc_context(settings):
        try:
            figure.savefig(draft, dpi=dpi, metadata=metadata[kind])
        except RuntimeError as error:  # of FreeType, for letters of less than a pixel
            raise InputError(
                f"Matplotlib cannot draw the figure at dpi={dpi} ({checks.cut(str(error))}); take "
                "a larger one"
            ) from error
        if kind == ".svg":
            text = draft.read_text(encoding="utf-8")
            draft.write_text(printable(text, keep="\n\t"), encoding="utf-8")
    return path
