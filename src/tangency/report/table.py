"""The table of a comparison, on the screen and as CSV."""

from __future__ import annotations

import csv
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TextIO

from ..figures.learning import Accuracy, Curve
from ..results import Table


@dataclass(frozen=True)
class Row:
    """One model of a comparison.

    kernel_seconds: for the kernel matrices that the fit uses. chosen: the parameters chosen without
    the test part. rkhs_norm: ‖f‖ of the fitted function, None where there is no single one. size:
    √(mean K(x, x)) over the training part.
    """

    model: str
    kernel: str | None
    trained_on: int
    correct: int
    total: int
    kernel_seconds: float
    chosen: str
    rkhs_norm: float | None = None
    size: float | None = None
    network: str = ""

    @property
    def accuracy(self) -> Accuracy:
        """The same as a point of `accuracy_comparison`."""
        return Accuracy(self.model, self.kernel, self.correct, self.total)

    @property
    def scaled_norm(self) -> float | None:
        """‖f‖ √(mean K(x, x)), which does not change when the kernel is multiplied by a number."""
        if self.rkhs_norm is None or self.size is None:
            return None
        return self.rkhs_norm * self.size


def _optional(value: float | None, form: str) -> str:
    return "-" if value is None else format(value, form)


_COLUMNS: tuple[tuple[str, Callable[[Row], str]], ...] = (
    ("model", lambda row: row.model),
    ("kernel", lambda row: row.kernel or "-"),
    ("accuracy %", lambda row: f"{100 * row.accuracy.value:.1f} ± {100 * row.accuracy.error:.1f}"),
    ("kernel s", lambda row: f"{row.kernel_seconds:.2f}"),
    ("norm", lambda row: _optional(row.rkhs_norm, ".1f")),
    ("norm × size", lambda row: _optional(row.scaled_norm, ".1f")),
    ("chosen", lambda row: row.chosen),
)
_TEXT_COLUMNS = ("model", "kernel", "chosen")


def row_table(rows: Sequence[Row]) -> Table:
    """The rows as words under the heads of the columns."""
    heads = [head for head, _ in _COLUMNS]
    return Table(heads, [[show(row) for _, show in _COLUMNS] for row in rows])


def table_text(rows: Sequence[Row]) -> str:
    """The rows in aligned columns; all are about the same training and test part."""
    table = row_table(rows)
    heads, cells = list(table.columns), table.cells()
    widths = [max(map(len, column)) for column in zip(heads, *cells, strict=True)]

    def line(values: Sequence[str]) -> str:
        parts = [
            value.ljust(width) if head in _TEXT_COLUMNS else value.rjust(width)
            for value, width, head in zip(values, widths, heads, strict=True)
        ]
        return "  ".join(parts).rstrip()

    parts = f"trained on {rows[0].trained_on:,} images, tested on {rows[0].total:,}"
    rule = line(["-" * width for width in widths])
    return "\n".join([parts, line(heads), rule, *map(line, cells)])


_CSV_HEADER = (
    *("model", "kernel", "network", "training_images", "test_images", "correct", "accuracy"),
    *("standard_error", "kernel_seconds", "rkhs_norm", "root_mean_kernel", "chosen"),
)


def write_rows(rows: Sequence[Row], stream: TextIO) -> None:
    """The rows as CSV, numbers in full precision, empty where there is none."""
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow(_CSV_HEADER)
    for row in rows:
        writer.writerow(
            [
                row.model,
                row.kernel,
                row.network,
                row.trained_on,
                row.total,
                row.correct,
                row.accuracy.value,
                row.accuracy.error,
                row.kernel_seconds,
                row.rkhs_norm,
                row.size,
                row.chosen,
            ]
        )


def write_curves(panels: dict[str, dict[str, Curve]], stream: TextIO) -> None:
    """The points of learning curves as CSV, one line for each draw."""
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow(["model", "kernel", "training_images", "draw", "accuracy"])
    for model, curves in panels.items():
        for kernel, curve in curves.items():
            for size, scores in zip(curve.sizes, curve.scores, strict=True):
                for draw, score in enumerate(scores):
                    writer.writerow([model, kernel, size, draw, score])
