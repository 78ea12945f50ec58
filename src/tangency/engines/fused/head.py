"""The part of a network on a grid, up to the readout: groups of images, bands of marginals."""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache
from typing import Any

import numpy as np

from ...nets.plan import Plan
from ..prepared import Prepared
from ..threads import run
from . import blocks
from .blocks import DIAGONAL, MARGINALS, PAIRS, UPPER
from .lowering import lower
from .marginals import auxiliary
from .program import marginal_program
from .simd import width_of
from .tables import Tables, tables
from .work import room, room_bytes

# Buffers of one thread, of all of them, and marginals of a band of inputs, in bytes.
THREAD, ROOM, BAND = 32 * 2**20, 96 * 2**20, 48 * 2**20
# What a group's planes, marginals and inputs may take, for most of it to stay in cache, in bytes.
_HOT = 9 * 2**18


class Head:
    """The part of a network on a grid, up to the readout, compiled for one dtype."""

    def __init__(self, plan: Plan, want_ntk: bool, dtype: np.dtype) -> None:
        self.key = plan, want_ntk
        self.program = lower(plan, want_ntk)
        self.dtype = dtype
        self.positions = int(np.prod(plan.space))
        self.channels = plan.input_shape[-1]
        self.table, self.sizes = tables(self.program, self.channels, dtype)
        # Marginals need Σ alone, and planes only as far as the last activation.
        short = marginal_program(lower(plan, False))
        self.short = None if short is None else tables(short, self.channels, dtype, True)[0]
        self.short_stages = 0 if short is None else len(short.stages)

    def lanes(self, images: int) -> int:
        """How many of the second images to take together.

        As many as stay in cache, for long rows, but at most one in eight may be empty. One vector
        is the least, unless three quarters of it would be empty or buffers take too much room.
        """
        size = self.dtype.itemsize
        one, lanes = width_of(self.dtype), 512 // size
        hot = 2 * self.sizes.slots * self.sizes.plane + 2 * self.sizes.marginals
        hot = (hot + self.sizes.channels * self.sizes.plane) * size
        while lanes > one:
            computed = -(-images // lanes) * lanes
            if lanes * hot <= _HOT and 7 * computed <= 8 * images:
                break
            lanes //= 2
        while lanes > 1 and (self._room_bytes(lanes) > THREAD or 4 * images <= min(lanes, one)):
            lanes //= 2
        return lanes

    def _room_bytes(self, lanes: int) -> int:
        return room_bytes(self.sizes, lanes, self.dtype.itemsize)

    def _run(self, items: Any, block: Any, lanes: int, jobs: int, **options: Any) -> None:
        jobs = max(1, min(jobs, ROOM // self._room_bytes(lanes)))
        run(items, block, lambda: room(self.sizes, lanes, self.dtype), jobs=jobs, **options)

    def _shape(self, stages: int) -> tuple[int, int, int, int]:
        return stages, self.positions, self.channels, self.sizes.marginals

    def marginals(self, x: np.ndarray, jobs: int) -> np.ndarray:
        """(u, v) of every marginal, (n, 2·marginals)."""
        return auxiliary(self.variances(x, jobs), self.table)

    def variances(self, x: np.ndarray, jobs: int) -> np.ndarray:
        """Every marginal, (n, marginals)."""
        q = np.zeros((len(x), self.sizes.marginals), dtype=self.dtype)
        if self.short is not None:
            none = np.zeros((1, 1), dtype=self.dtype)
            self._alone(x, self.short, self.short_stages, (none, none), q, MARGINALS, jobs)
        return q

    def diagonal(self, x: np.ndarray, jobs: int) -> tuple[np.ndarray, np.ndarray]:
        """K(x, x): (nngp, ntk), each (n,)."""
        q = np.zeros((len(x), self.sizes.marginals), dtype=self.dtype)
        s, t = (np.zeros((1, len(x)), dtype=self.dtype) for _ in range(2))
        self._alone(x, self.table, len(self.program.stages), (s, t), q, DIAGONAL, jobs)
        return s[0], t[0]

    def _alone(
        self, x: Any, table: Tables, stages: int, out: Any, q: Any, mode: int, jobs: int
    ) -> None:
        """Each image with itself."""
        lanes, plane, shape = self.lanes(len(x)), self.sizes.plane, self._shape(stages)
        none = np.zeros((1, 2), dtype=self.dtype)

        def block(work: Any, key: None, first: int, last: int) -> None:
            for j0 in range(first * lanes, min(last * lanes, len(x)), lanes):
                count = min(lanes, len(x) - j0)
                blocks.image_block(
                    table, work, x, x, none, none, 0, 1, j0, count, shape, lanes, plane, *out,
                    (0, 0), q, mode,
                )  # fmt: skip

        groups = -(-len(x) // lanes)
        self._run([(None, 0, groups)], block, lanes, jobs, total=groups)

    def gram(
        self,
        first: Prepared,
        second: Prepared,
        out: tuple[np.ndarray, np.ndarray],
        symmetric: bool,
        jobs: int,
        progress: bool,
    ) -> None:
        """Writes K(x_i, y_j); of a symmetric matrix the pairs with j > i."""
        x, y = first.inputs, second.inputs
        each = 3 * self.sizes.marginals * self.dtype.itemsize
        # A whole number of groups, so that the grid of groups does not depend on the band.
        lanes = self.lanes(len(y))
        band = max(1, BAND // each // lanes) * lanes
        for j in range(0, len(y), band):
            aux_y = self._band_marginals(second, j, band, jobs)
            for i in range(0, min(len(x), j + band) if symmetric else len(x), band):
                same = symmetric and i == j
                aux_x = aux_y if same else self._band_marginals(first, i, band, jobs)
                part = (x[i : i + band], y[j : j + band])
                self._band(part, (aux_x, aux_y), out, (i, j), same, lanes, jobs, progress)

    def _band_marginals(self, given: Prepared, start: int, band: int, jobs: int) -> np.ndarray:
        """Marginals of a band; they are kept where one band holds all inputs."""

        def make() -> np.ndarray:
            return self.marginals(given.inputs[start : start + band], jobs)

        return make() if len(given) > band else given.derive(("marginals", *self.key), make)

    def _band(
        self,
        part: tuple[np.ndarray, np.ndarray],
        aux: tuple[np.ndarray, np.ndarray],
        out: tuple[np.ndarray, np.ndarray],
        at: tuple[int, int],
        upper: bool,
        lanes: int,
        jobs: int,
        progress: bool,
    ) -> None:
        x, y = part
        plane, shape = self.sizes.plane, self._shape(len(self.program.stages))
        none, mode = np.zeros((1, 1), dtype=self.dtype), UPPER if upper else PAIRS

        def block(work: Any, key: tuple[int, int], first: int, last: int) -> None:
            j0, group = key
            count = min(group, len(y) - j0)
            blocks.image_block(
                self.table, work, x, y, *aux, first, last, j0, count, shape, group, plane, *out,
                at, none, mode,
            )  # fmt: skip

        items = list(self._groups(len(x), len(y), upper, lanes))
        self._run(
            items,
            block,
            lanes,
            jobs,
            total=sum((last - first) * key[1] for key, first, last in items),
            progress=progress,
            weight=lambda key, first, last: (last - first) * key[1],
        )

    def _groups(self, n: int, m: int, upper: bool, lanes: int) -> Iterator[Any]:
        """((first column, lanes), first row, last row): groups of columns and their rows.

        On the diagonal of a symmetric matrix a group of k lanes computes k²/2 pairs in vain, so
        that groups are half as large there. The last row of a group would have the pair of an
        image with itself only, which `diagonal` has.
        """
        for j0 in range(0, m, lanes):
            yield (j0, lanes), 0, min(n, j0) if upper else n
            if upper:
                small = max(lanes // 2, min(lanes, width_of(self.dtype)))
                for j in range(j0, min(m, j0 + lanes), small):
                    yield (j, small), j0, min(n, j + small) - 1


@lru_cache(maxsize=32)
def head_of(plan: Plan, want_ntk: bool, dtype: np.dtype) -> Head:
    """The `Head` of a plan, kept: its tables take a while for large grids."""
    return Head(plan, want_ntk, dtype)
