"""The tiles of a kernel matrix: a fixed grid, of which a symmetric matrix needs the upper part."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

MOST_TILES = 10**7
"""Tiles of a matrix, beyond which nobody could keep a file for each."""


@dataclass(frozen=True)
class Grid:
    """Tiles of side `tile` over n rows and m columns; the last row and column may be smaller.

    With `width` above 0, tiles have so many columns in the place of `tile`.

    >>> grid = Grid(5, 5, 2, symmetric=True)
    >>> list(grid)
    [(0, 0), (0, 1), (0, 2), (1, 1), (1, 2), (2, 2)]
    >>> grid.rows(2), grid.pairs(2, 2)
    (slice(4, 5, None), 1)
    """

    n: int
    m: int
    tile: int
    symmetric: bool
    width: int = 0

    @property
    def across(self) -> int:
        """Columns of a tile."""
        return self.width or self.tile

    @property
    def shape(self) -> tuple[int, int]:
        """How many tiles there are from top to bottom, and from left to right."""
        return -(-self.n // self.tile), -(-self.m // self.across)

    @property
    def chunk(self) -> tuple[int, int]:
        """The shape in which a tile is stored: that of the whole ones."""
        return min(self.tile, self.n), min(self.across, self.m)

    def rows(self, i: int) -> slice:
        """The rows of the tiles (i, ·)."""
        return slice(i * self.tile, min((i + 1) * self.tile, self.n))

    def columns(self, j: int) -> slice:
        """The columns of the tiles (·, j)."""
        return slice(j * self.across, min((j + 1) * self.across, self.m))

    def extent(self, i: int, j: int) -> tuple[int, int]:
        """Rows and columns of the tile (i, j)."""
        rows, columns = self.rows(i), self.columns(j)
        return rows.stop - rows.start, columns.stop - columns.start

    def pairs(self, i: int, j: int) -> int:
        """Pairs that are computed for the tile (i, j)."""
        rows, columns = self.extent(i, j)
        return rows * (rows + 1) // 2 if self.symmetric and i == j else rows * columns

    @property
    def all_pairs(self) -> int:
        """Pairs that are computed for all tiles."""
        return self.n * (self.n + 1) // 2 if self.symmetric else self.n * self.m

    def __len__(self) -> int:
        return self.count

    @property
    def count(self) -> int:
        """The number of tiles, of any size; `len` knows none beyond 2⁶³."""
        down, across = self.shape
        return down * (down + 1) // 2 if self.symmetric else down * across

    def __contains__(self, tile: object) -> bool:
        """Whether it is the place (i, j) of a tile, without a look at all of them."""
        if not isinstance(tile, tuple) or len(tile) != 2:
            return False
        (i, j), (down, across) = tile, self.shape
        return 0 <= i < down and 0 <= j < across and (j >= i or not self.symmetric)

    def __iter__(self) -> Iterator[tuple[int, int]]:
        """All tiles (i, j), row by row; those with j ≥ i if symmetric."""
        down, across = self.shape
        for i in range(down):
            for j in range(i if self.symmetric else 0, across):
                yield i, j
