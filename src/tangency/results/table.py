"""A small table: what every result of this package gives beside its figure."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from ..checks import items, text
from ..errors import InputError
from ..printable import printable


@dataclass(frozen=True)
class Table:
    """Named columns and rows of numbers and words.

    >>> table = Table(("degree", "eigenvalue"), [(0, 0.5), (1, 0.00012345)])
    >>> print(table)
    degree  eigenvalue
         0         0.5
         1   0.0001234
    """

    columns: Sequence[str]
    rows: Sequence[Sequence[Any]]

    def __post_init__(self) -> None:
        columns = items(self.columns, "columns")
        for row in items(self.rows, "rows"):
            row = items(row, "a row")
            if len(row) != len(columns):
                raise InputError(f"a row of {len(row)} cells under {len(columns)} columns")
        for column in columns:
            text(column, "a column")

    def cells(self) -> list[list[str]]:
        """The rows as words, numbers with four significant digits."""
        return [[_word(value) for value in row] for row in self.rows]

    def __str__(self) -> str:
        lines = [list(map(printable, self.columns)), *self.cells()]
        widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
        return "\n".join(
            "  ".join(cell.rjust(width) for cell, width in zip(line, widths, strict=True))
            for line in lines
        )

    def to_csv(self) -> str:
        """The table as comma-separated values, numbers in full."""
        out = io.StringIO()
        writer = csv.writer(out, lineterminator="\n")
        writer.writerow(self.columns)
        writer.writerows(self.rows)
        return out.getvalue()


def _word(value: Any) -> str:
    if isinstance(value, float) or getattr(value, "dtype", None) is not None:
        number = float(value)
        return f"{number:.4g}"
    if isinstance(value, int):
        return f"{value:,}"
    return printable(str(value))
