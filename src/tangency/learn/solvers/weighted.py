"""Tiles of a kernel matrix of weighted samples."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...matrix.tiles import Tiles

Matrix = NDArray[np.float64]


class WeightedTiles(Tiles):
    """√wᵢ K(xᵢ, xⱼ) √wⱼ with `roots` √w (n,), as columns, entries and a diagonal.

    The `tiles` themselves stay as they are: products with vectors scale these, in float64.
    """

    roots: Matrix  # pyright: ignore[reportIncompatibleVariableOverride]

    def __init__(self, tiles: Tiles, roots: Matrix) -> None:
        self.tiles, self.roots = tiles, roots
        self.grid, self.dtype = tiles.grid, tiles.dtype
        self.trusted, self.samples = tiles.trusted, getattr(tiles, "samples", None)
        if tiles.entries is not None:
            self.entries = self._entries

    def diagonal(self) -> Matrix:
        return np.square(self.roots) * self.tiles.diagonal()

    def columns(self, indices: NDArray[np.intp]) -> np.ndarray:
        return self._scaled(self.tiles.columns(indices), np.arange(self.size), indices)

    def _entries(self, rows: NDArray[np.intp], columns: NDArray[np.intp]) -> np.ndarray:
        assert self.tiles.entries is not None
        return self._scaled(self.tiles.entries(rows, columns), rows, columns)

    def _scaled(self, block: Any, rows: NDArray[np.intp], columns: NDArray[np.intp]) -> np.ndarray:
        # in the dtype of K, by which what uses them knows their precision
        factors = np.multiply.outer(self.roots[rows], self.roots[columns])
        return (block * factors).astype(self.dtype)

    def require_kernel(self) -> None:
        self.tiles.require_kernel()

    def require_psd(self, places: NDArray[np.intp]) -> None:
        self.tiles.require_psd(places)

    def digest(self) -> str:
        from .checkpoint import digest

        return digest(self.tiles.digest(), self.roots)
