"""How often tiles failed at workers, and when that is too often."""

from __future__ import annotations

from collections import Counter, defaultdict

from ..errors import StoreError
from .grid import Grid
from .shares import Tile

FAILURES = 3
"""Errors after which a tile is taken to fail for a reason of its own."""

LOSSES = 8
"""Workers lost with a tile, after which it is taken to be the reason."""


class Troubles:
    """Counts what went wrong with each tile, and gives up where another try is of no use."""

    def __init__(self, grid: Grid) -> None:
        self._grid = grid
        self._failed_at: defaultdict[Tile, list[str]] = defaultdict(list)
        self._lost: Counter[Tile] = Counter()

    def failed(self, tile: Tile, worker: str, error: Exception) -> list[str]:
        """The workers where the tile failed; raises `StoreError` at the third time.

        An error of the store itself, as of values that it must not hold, is raised at once.
        """
        if isinstance(error, StoreError):
            raise error
        self._failed_at[tile].append(worker)
        if len(self._failed_at[tile]) >= FAILURES:
            raise StoreError(
                f"{self._named(tile)} failed {FAILURES} times, at last on {worker}: "
                f"{type(error).__name__}: {error}; finished tiles are in the store"
            ) from error
        return self._failed_at[tile]

    def lost(self, tile: Tile) -> None:
        """A worker was lost that had the tile; raises `StoreError` at the eighth time."""
        self._lost[tile] += 1
        if self._lost[tile] >= LOSSES:
            raise StoreError(
                f"{self._named(tile)} was at {LOSSES} workers that were lost; if they ran out of "
                "memory, give them more, or begin a new store with a smaller tile; finished tiles "
                "are in the store"
            )

    def _named(self, tile: Tile) -> str:
        (i, j), side = tile, self._grid.tile
        return f"tile ({i}, {j}), from row {i * side:,} and column {j * side:,} on,"
