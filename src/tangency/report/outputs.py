"""What the demo leaves in a folder: its table, its curves, and figures of both."""

from __future__ import annotations

import io
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ..data import stratified_subset
from .demo import Grams, Result
from .figures import accuracy_comparison, kernel_matrices, learning_curves
from .style import save_figure
from .table import write_curves, write_rows

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_SHOWN = 300
MATRICES = {
    "dense": "kernel_matrix_dense.png",
    "conv + flatten": "kernel_matrix_conv_flatten.png",
    "conv + average": "kernel_matrix_conv_average.png",
}
FILES = (
    "table.csv",
    "learning_curve.csv",
    "learning_curve.png",
    "accuracy.png",
    *MATRICES.values(),
)


def write_outputs(result: Result, folder: Path) -> list[Path]:
    """Write all `FILES` into an existing folder, each whole or not at all; returns their paths."""
    for name, write in (
        ("table.csv", lambda stream: write_rows(result.rows, stream)),
        ("learning_curve.csv", lambda stream: write_curves(result.curves, stream)),
    ):
        text = io.StringIO()
        write(text)
        draft = folder / f".{name}.part"
        draft.write_text(text.getvalue(), encoding="utf-8")
        draft.replace(folder / name)
    panels = {
        _panel_name(result, grams): result.curves[grams.network.name] for grams in result.grams
    }
    save_figure(learning_curves(panels), folder / "learning_curve.png")
    smallest = min(row.trained_on for row in result.rows)
    compared = [row.accuracy for row in result.rows if row.trained_on == smallest]
    title = f"Test accuracy after training on {smallest:,} digits"
    save_figure(accuracy_comparison(compared, title), folder / "accuracy.png")
    for grams in result.grams:
        save_figure(_matrix_figure(result, grams), folder / MATRICES[grams.network.name])
    return [folder / name for name in FILES]


def _panel_name(result: Result, grams: Grams) -> str:
    used, full = len(grams.rows), len(result.data.X_train)
    return grams.network.name + (f" (at most {used:,} images)" if used < full else "")


def _matrix_figure(result: Result, grams: Grams) -> Figure:
    y = np.asarray(result.data.y_train)[grams.rows]
    shown = stratified_subset(y, _SHOWN, seed=0)
    return kernel_matrices(
        {name: K[np.ix_(shown, shown)] for name, K in grams.train.items()},
        y[shown],
        result.data.class_names,
        title=f"Kernel matrices, {grams.network.name}: {len(shown)} digits sorted by class",
    )
