"""The part of a network on a grid, up to the readout: groups of images, bands of marginals."""

from __future__ import annotations

from typing import Any

import numpy as np

from ...nets.plan import Plan
from . import blocks
from .lowering import lower
from .marginals import auxiliary, kinds_of
from .program import marginal_program
from .run import run
from .tables import Tables, tables
from .work import room, room_bytes

# Buffers of all threads, and marginals of a band of inputs, in bytes.
ROOM, BAND = 64 * 2**20, 64 * 2**20


class Head:
    """The part of a network on a grid, up to the readout, compiled for one dtype."""

    def __init__(self, plan: Plan, want_ntk: bool, dtype: Any, jobs: int) -> None:
        self.program = lower(plan, want_ntk)
        self.dtype, self.jobs = np.dtype(dtype), jobs
        self.positions = int(np.prod(plan.space))
        self.channels = plan.input_shape[-1]
        self.table, self.sizes = tables(self.program, self.channels, dtype)
        # Marginals need Σ alone, and planes only as far as the last activation.
        self.full_self = tables(lower(plan, want_ntk), self.channels, dtype)
        short = marginal_program(lower(plan, False))
        self.short_self = None if short is None else tables(short, self.channels, dtype, True)
        self.short_stages = 0 if short is None else len(short.stages)
        self.kinds = kinds_of(self.program)
        self.lanes = self._lanes()

    def _lanes(self) -> int:
        lanes = 32 if self.dtype.itemsize == 4 else 16
        while lanes > 1 and room_bytes(self.sizes, lanes, self.dtype.itemsize) > ROOM // self.jobs:
            lanes //= 2
        return lanes

    def room(self) -> Any:
        return room(self.sizes, self.lanes, self.dtype)

    def _shape(self, stages: int) -> tuple[int, int, int, int]:
        return stages, self.positions, self.channels, self.sizes.marginals

    def marginals(self, x: np.ndarray) -> np.ndarray:
        """(u, v) of every marginal, (n, 2·marginals)."""
        q = np.zeros((len(x), self.sizes.marginals), dtype=self.dtype)
        if self.short_self is not None:
            none = np.zeros(1, dtype=self.dtype)
            self._self(x, self.short_self, self.short_stages, q, none, none, False)
        return auxiliary(q, self.kinds, self.table)

    def diagonal(self, x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """K(x, x): (nngp, ntk), each (n,)."""
        q = np.zeros((len(x), self.sizes.marginals), dtype=self.dtype)
        s, t = np.zeros(len(x), dtype=self.dtype), np.zeros(len(x), dtype=self.dtype)
        self._self(x, self.full_self, len(self.program.stages), q, s, t, True)
        return s, t

    def _self(
        self,
        x: np.ndarray,
        compiled: tuple[Tables, Any],
        stages: int,
        q: np.ndarray,
        s: np.ndarray,
        t: np.ndarray,
        planes_too: bool,
    ) -> None:
        table, _ = compiled
        lanes, plane = self.lanes, self.sizes.plane

        def block(work: Any, key: None, first: int, last: int) -> None:
            for group in range(first, last):
                i0 = group * lanes
                count = min(lanes, len(x) - i0)
                shape = self._shape(stages)
                blocks.self_block(
                    table, work, x, i0, count, shape, lanes, plane, q, s, t, planes_too
                )

        groups = -(-len(x) // lanes)
        run([(None, 0, groups)], block, self.room, jobs=self.jobs, total=groups)

    def gram(
        self,
        x: np.ndarray,
        y: np.ndarray,
        out: tuple[np.ndarray, np.ndarray],
        symmetric: bool,
        progress: bool,
    ) -> None:
        """Writes K(x_i, y_j); of a symmetric matrix the pairs with j ≥ i."""
        each = 3 * self.sizes.marginals * self.dtype.itemsize
        # A whole number of groups, so that the grid of groups does not depend on the band.
        band = max(1, BAND // each // self.lanes) * self.lanes
        for j in range(0, len(y), band):
            aux_y = self.marginals(y[j : j + band])
            for i in range(0, min(len(x), j + band) if symmetric else len(x), band):
                same = symmetric and i == j
                aux_x = aux_y if same else self.marginals(x[i : i + band])
                self._band(
                    x[i : i + band], y[j : j + band], (aux_x, aux_y), out, (i, j), same, progress
                )

    def _band(
        self,
        x: np.ndarray,
        y: np.ndarray,
        aux: tuple[np.ndarray, np.ndarray],
        out: tuple[np.ndarray, np.ndarray],
        at: tuple[int, int],
        upper: bool,
        progress: bool,
    ) -> None:
        lanes, plane, shape = self.lanes, self.sizes.plane, self._shape(len(self.program.stages))

        def block(work: Any, j0: int, first: int, last: int) -> None:
            count = min(lanes, len(y) - j0)
            blocks.pair_block(
                self.table, work, x, y, *aux, first, last, j0, count, shape, lanes, plane, *out,
                at, upper,
            )  # fmt: skip

        def rows(j0: int) -> int:
            return min(len(x), j0 + lanes) if upper else len(x)

        items = [(j0, 0, rows(j0)) for j0 in range(0, len(y), lanes)]
        total = sum(last for _, _, last in items) * lanes
        run(
            items,
            block,
            self.room,
            jobs=self.jobs,
            total=total,
            progress=progress,
            weight=lambda _, first, last: (last - first) * lanes,
        )
