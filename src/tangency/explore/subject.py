"""The data that a page is about, and the Python that reads them."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np

from ..data import Dataset
from ..nets import Sequential
from ..report.material import drawn, work
from ..report.samples import picture_address

SEED = 0
_MOST, _LEAST, _FIRST = 600, 40, 100
# Multiply-adds, a good third of a second of kernels on two cores.
_OPERATIONS = 2.5e9
_AS_THEY_ARE = {
    "labels": None,
    "label_column": -1,
    "header": None,
    "input_shape": None,
    "channels": "auto",
    "scale": "auto",
}


@dataclass(frozen=True, eq=False)
class Subject:
    """The training part of a data set. loaded: the call that reads it."""

    data: Dataset
    loaded: str

    @property
    def X(self) -> np.ndarray:
        """(n, ...) all examples."""
        return self.data.X_train

    @property
    def y(self) -> np.ndarray | None:
        """(n,) labels, where there is one for each."""
        y = self.data.y_train
        return None if y is None or y.ndim > 1 else y

    @property
    def classes(self) -> np.ndarray | None:
        """(n,) labels where they are classes."""
        return None if self.y is None or self.y.dtype.kind == "f" else self.y

    @property
    def shape(self) -> tuple[int, ...]:
        """Of one example."""
        return self.X.shape[1:]

    @property
    def space(self) -> tuple[int, ...]:
        """The grid on which an example lives, () for vectors."""
        return self.shape[:-1]

    @property
    def noun(self) -> str:
        """What one example is called."""
        return {0: "example", 1: "signal", 2: "image"}.get(len(self.space), "volume")

    @property
    def most(self) -> int:
        """The largest number of examples that a page compares."""
        return min(len(self.X), _MOST)

    def quick(self, net: Sequential) -> int:
        """How many examples can be compared within a second or so."""
        pairs = _OPERATIONS / work(net, self.shape)
        return int(np.clip(math.isqrt(int(2 * pairs)), min(_LEAST, self.most), self.first))

    @property
    def first(self) -> int:
        """The number of examples that a page begins with, for a network that is quick."""
        return min(self.most, _FIRST)

    def rows(self, count: int) -> np.ndarray:
        """`count` rows, classes in proportion where there are any; always the same ones."""
        return drawn(self.classes, len(self.X), count, SEED)

    def some(self, each: int) -> list[int]:
        """A few rows to choose from: `each` of the first ten classes, or as many in all."""
        rows = self.rows(self.first)
        if self.classes is None:
            return [int(row) for row in rows[: 10 * each]]
        y = self.classes[rows]
        parts = [rows[y == label][:each] for label in np.unique(y)[:10]]
        return [int(row) for part in parts for row in part]

    def name(self, row: int) -> str:
        """The label of an example, in words."""
        if self.y is None:
            return f"{self.noun} {row:,}"
        label = self.y[row]
        return f"{label:.4g}" if self.classes is None else self.data.label_name(label)

    def picture(self, row: int) -> str:
        """The address (a data URI) of an image's picture, "" where it has none."""
        return self.picture_of(self.X[row])

    def picture_of(self, x: np.ndarray) -> str:
        """The same of an array (height, width, channels); white and black are those of the data."""
        if len(self.space) != 2 or self.shape[-1] not in (1, 3):
            return ""
        return picture_address(x, *_limits(self))


@lru_cache(maxsize=4)
def _limits(subject: Subject) -> tuple[float, float]:
    return float(subject.X.min()), float(subject.X.max())


def loading(source: str, options: Mapping[str, Any]) -> str:
    """The call of `load` that reads the same data; options at their defaults are left out.

    >>> loading("rows.csv", {"label_column": "kind", "scale": "auto"})
    "load('rows.csv', label_column='kind', require_labels=False)"
    """
    said = {k: v for k, v in options.items() if v != _AS_THEY_ARE[k]}
    words = [repr(source), *(f"{k}={v!r}" for k, v in said.items()), "require_labels=False"]
    return f"load({', '.join(words)})"
