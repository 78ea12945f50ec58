"""The way back through the part of a network on a grid: groups of images, bands of rows."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from ...prepared import Prepared
from ...threads import run
from ..head import THREAD, Head
from ..simd import width_of
from ..work import room, room_bytes
from .blocks import image_back
from .found import Gradients, weights_of
from .room import back_bytes, room_back
from .tape import Tape

# What gradients of a band of first images may take, one set for each group of second ones.
_BAND = 64 * 2**20
# As `head._HOT`, with planes that are kept.
_HOT = 5 * 2**18


class Pairs(NamedTuple):
    """Two sets of images, (u, v) of their marginals, and gradients in the kernels of all pairs."""

    x: Any
    y: Any
    aux: tuple[Any, Any]
    gs: Any
    gt: Any
    symmetric: bool


class HeadBack:
    """The way back through the part of a network on a grid."""

    def __init__(self, head: Head, tape: Tape, parameters: bool, jobs: int) -> None:
        self.head, self.tape, self.parameters, self.jobs = head, tape, parameters, jobs
        self.sizes, self.dtype = head.sizes, head.dtype
        self.table = head.table._replace(marks=tape.marks)
        self.numbers = head.positions * head.channels
        self.width = self.numbers + self.sizes.marginals

    def lanes(self, images: int) -> int:
        """As `Head.lanes`, for more planes."""
        size, one = self.dtype.itemsize, width_of(self.dtype)
        sizes, lanes = self.sizes, 512 // size
        hot = 2 * (2 * sizes.slots + self.tape.count) * sizes.plane + 6 * sizes.marginals
        hot = (hot + 4 * sizes.channels * sizes.plane) * size
        while lanes > one:
            computed = -(-images // lanes) * lanes
            if lanes * hot <= _HOT and 7 * computed <= 8 * images:
                break
            lanes //= 2
        while lanes > 1 and (self._bytes(lanes) > THREAD or 4 * images <= min(lanes, one)):
            lanes //= 2
        return lanes

    def _bytes(self, lanes: int) -> int:
        size = self.dtype.itemsize
        there = room_bytes(self.sizes, lanes, size)
        return there + back_bytes(self.sizes, self.tape.count, lanes, size)

    def pull(
        self, one: Prepared, two: Prepared, gs: np.ndarray, gt: np.ndarray, symmetric: bool
    ) -> tuple[Gradients, Gradients, list[tuple[float, float]]]:
        n, m = gs.shape
        lanes = self.lanes(m)
        aux = self.head.marginals(one.inputs, self.jobs)
        aux_y = aux if symmetric else self.head.marginals(two.inputs, self.jobs)
        groups = range(0, m, lanes)
        per_row = len(groups) * self.width * self.dtype.itemsize
        band = max(8, min(128, _BAND // per_row))
        out_x = np.zeros((n, self.width), dtype=self.dtype)
        out_y = np.zeros((m, self.width), dtype=self.dtype)
        weights = np.zeros(len(self.table.par))
        for i in range(0, n, band):
            rows, begin = (i, min(i + band, n)), i // lanes if symmetric else 0
            parts = np.zeros((len(groups) - begin, rows[1] - i, self.width), dtype=self.dtype)
            found = np.zeros((len(parts), len(weights)))
            given = Pairs(one.inputs, two.inputs, (aux, aux_y), gs, gt, symmetric)
            self._band(given, rows, list(groups)[begin:], lanes, parts, out_y, found)
            out_x[slice(*rows)] = parts.sum(axis=0)
            weights += found.sum(axis=0)
        if symmetric:
            given = Pairs(one.inputs, one.inputs, (aux, aux), gs, gt, True)
            weights += self._alone(given, lanes, out_y)
        left, right = (
            Gradients(o[:, : self.numbers], o[:, self.numbers :]) for o in (out_x, out_y)
        )
        return left, right, weights_of(self.table, weights) if self.parameters else []

    def _band(
        self,
        given: Pairs,
        rows: tuple[int, int],
        groups: list[int],
        lanes: int,
        out_x: np.ndarray,
        out_y: np.ndarray,
        weights: np.ndarray,
        alone: bool = False,
    ) -> None:
        """Some rows with groups of columns; each group has rows of out_x, and weights, of its own.

        alone: images with themselves, gradients in row 0.
        """
        shape = (len(self.head.program.stages), self.head.positions, self.head.channels,
                 self.sizes.marginals)  # fmt: skip
        upper = given.symmetric and not alone

        def block(made: Any, k: int, first: int, last: int) -> None:
            work, back = made
            back.weights[:] = 0
            j0 = groups[k]
            image_back(
                self.table, work, back, given.x, given.y, *given.aux, rows, j0,
                min(lanes, len(given.y) - j0), shape, lanes, self.sizes.plane, given.gs, given.gt,
                out_x[k], out_y, upper, alone, self.parameters,
            )  # fmt: skip
            weights[k] = back.weights

        def make_room() -> Any:
            back = room_back(self.sizes, weights.shape[1], lanes, self.dtype)
            return room(self.sizes, lanes, self.dtype, self.tape.count), back

        # Whole items, as how they are cut would change sums.
        run([(k, 0, 1) for k in range(len(groups))], block, make_room, jobs=self.jobs,
            total=len(groups))  # fmt: skip

    def _alone(self, given: Pairs, lanes: int, out: np.ndarray) -> np.ndarray:
        """Images with themselves."""
        own = [np.ascontiguousarray(np.diagonal(g))[None] for g in (given.gs, given.gt)]
        groups = list(range(0, len(given.x), lanes))
        found = np.zeros((len(groups), len(self.table.par)))
        none = np.zeros((len(groups), 1, 1), dtype=self.dtype)
        alone = given._replace(gs=own[0], gt=own[1])
        self._band(alone, (0, 1), groups, lanes, none, out, found, True)
        return found.sum(axis=0)
