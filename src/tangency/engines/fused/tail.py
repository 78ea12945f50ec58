"""Layers on vectors: tiles of the kernel matrix, taken through all layers in place."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from ...nets.plan import Step
from . import blocks
from .lowering import lower_vector
from .marginals import auxiliary
from .program import Program
from .tables import Tables, tables
from .work import room

# Numbers of a row that go through the layers together.
COLUMNS = 512


@dataclass(frozen=True)
class Tail:
    """Layers on vectors, compiled for one dtype."""

    steps: tuple[Step, ...]
    want_ntk: bool
    tangent: bool
    dtype: Any

    @cached_property
    def program(self) -> Program:
        return lower_vector(self.steps, self.want_ntk, self.tangent)

    @cached_property
    def _tables(self) -> tuple[Tables, Any]:
        return tables(self.program, 1, self.dtype)

    @property
    def table(self) -> Tables:
        return self._tables[0]

    @property
    def sizes(self) -> Any:
        return self._tables[1]

    @property
    def empty(self) -> bool:
        return not self.program.stages[0].operations

    @property
    def reads_marginals(self) -> bool:
        return bool(self.program.marginals)

    def diagonal(self, s: np.ndarray, t: np.ndarray) -> np.ndarray:
        """Takes K(x, x) (n,) through the layers in place; returns (u, v) of all marginals."""
        return auxiliary(self.variances(s, t), self.table)

    def variances(self, s: np.ndarray, t: np.ndarray) -> np.ndarray:
        """As `diagonal`; returns all marginals (n, marginals)."""
        table, sizes = self.table, self.sizes
        count = len(self.program.marginals)
        q = np.zeros((max(count, 1), len(s)), dtype=self.dtype)
        work = room(sizes, COLUMNS, self.dtype)
        none, all_of = np.zeros((1, 2), dtype=self.dtype), (0, len(s))
        blocks.vector_block(
            table, work, s[None], t[None], none, none, (0, 1), all_of, COLUMNS, sizes.marginals, q,
            True,
        )  # fmt: skip
        return np.ascontiguousarray(q.T)

    def tile(
        self, work: Any, s: np.ndarray, t: np.ndarray, aux: tuple[Any, Any], rows: Any, cols: Any
    ) -> None:
        """Takes a tile of Σ and Θ through the layers in place."""
        table, sizes = self.table, self.sizes
        none = np.zeros((1, 1), dtype=self.dtype)
        blocks.vector_block(
            table, work, s, t, *aux, rows, cols, COLUMNS, sizes.marginals, none, False
        )

    def room(self) -> Any:
        return room(self.sizes, COLUMNS, self.dtype)
