"""Blocks of inputs for tiles, with what was derived from them kept as long as there is room."""

from __future__ import annotations

import threading
from collections import OrderedDict
from typing import Any

import numpy as np

from ..kernels import Prepared
from .grid import Grid
from .sources import Rows

ROOM = 2**29
"""Bytes of blocks that a process keeps, if nothing else is asked for."""


class Blocks:
    """The blocks of rows and columns of a grid of tiles, as `Prepared` inputs.

    The ones used last stay in memory, as many as `room` bytes hold and at least two.
    """

    def __init__(
        self,
        grid: Grid,
        X: Rows | np.ndarray,
        Y: Rows | np.ndarray | None = None,
        room: int = ROOM,
    ) -> None:
        self.grid = grid
        self.X, self.Y = X, Y
        self.room = room
        self._kept: OrderedDict[tuple[str, int], Prepared] = OrderedDict()
        self._lock = threading.Lock()

    def row(self, i: int) -> Prepared:
        """Inputs of the tiles (i, ·)."""
        return self._block("X", self.X, i)

    def column(self, j: int) -> Prepared:
        """Inputs of the tiles (·, j); those of the rows if the matrix is symmetric."""
        return self.row(j) if self.Y is None else self._block("Y", self.Y, j)

    def __getstate__(self) -> dict[str, Any]:
        # what is kept here is no use elsewhere
        return {"grid": self.grid, "X": self.X, "Y": self.Y, "room": self.room}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__init__(**state)

    def _block(self, name: str, data: Rows | np.ndarray, k: int) -> Prepared:
        with self._lock:
            if (name, k) in self._kept:
                self._kept.move_to_end((name, k))
                return self._kept[name, k]
            self._make_room()
            where = self.grid.rows(k) if name == "X" else self.grid.columns(k)
            block = self._kept[name, k] = Prepared(data[where])
            return block

    def _make_room(self) -> None:
        # Before a block is added: what the others hold is known only after their first use.
        sizes = {key: block.nbytes for key, block in self._kept.items()}
        total = sum(sizes.values()) + max(sizes.values(), default=0)
        for key in list(self._kept)[:-1]:
            if total <= self.room:
                break
            total -= sizes[key]
            del self._kept[key]
