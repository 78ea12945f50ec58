"""What the demo leaves in a folder: its table, its curves, and figures of both."""

from __future__ import annotations

import io
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ..data import stratified_subset
from ..figures.learning import accuracy_comparison, learning_curves
from ..figures.style import save_figure
from ..files import replaced
from .demo import Grams, Result
from .matrices import kernel_matrices
from .page import Page
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
    "report.html",
)


def write_outputs(result: Result, page: Page, folder: Path) -> list[Path]:
    """Write all `FILES` into an existing folder, each whole or not at all; returns their paths."""
    for name, write in (
        ("report.html", lambda stream: stream.write(page.html())),
        ("table.csv", lambda stream: write_rows(result.rows, stream)),
        ("learning_curve.csv", lambda stream: write_curves(result.curves, stream)),
    ):
        text = io.StringIO()
        write(text)
        with replaced(folder / name) as draft:
            draft.write_text(text.getvalue(), encoding="utf-8")
    save_figure(learning_curves(result.curves), folder / "learning_curve.png")
    size, few = result.few
    title = f"Test accuracy after training on {size:,} digits, mean of {len(few[0].scores)} draws"
    save_figure(accuracy_comparison(few, title), folder / "accuracy.png")
    for grams in result.grams:
        save_figure(_matrix_figure(result, grams), folder / MATRICES[grams.network.name])
    return [folder / name for name in FILES]


def _matrix_figure(result: Result, grams: Grams) -> Figure:
    y = np.asarray(result.data.y_train)
    shown = stratified_subset(y, _SHOWN, seed=0)
    return kernel_matrices(
        {name: K[np.ix_(shown, shown)] for name, K in grams.train.items()},
        y[shown],
        result.data.class_names,
        title=f"Kernel matrices, {grams.network.name}: {len(shown)} digits sorted by class",
    )
