"""Copies between tiles and the parts of a matrix that are asked for."""

from __future__ import annotations

import numpy as np

# Rows and columns of what is transposed at a time: both sides of the copy stay in cache.
_SIDE = 64

Part = slice | np.ndarray


def groups(positions: np.ndarray, tile: int) -> dict[int, tuple[Part, Part]]:
    """For each row of tiles: where its elements go to, and where they are in it.

    >>> groups(np.array([0, 1, 5]), 4)
    {0: (slice(0, 2, None), slice(0, 2, None)), 1: (slice(2, 3, None), slice(1, 2, None))}
    """
    blocks = positions // tile
    found: dict[int, tuple[Part, Part]] = {}
    for block in np.unique(blocks):
        to = np.flatnonzero(blocks == block)
        found[int(block)] = _compact(to), _compact(positions[to] - block * tile)
    return found


def _compact(index: np.ndarray) -> Part:
    """A run of positions as a slice, which NumPy copies much faster."""
    if len(index) and np.array_equal(index, np.arange(index[0], index[0] + len(index))):
        return slice(int(index[0]), int(index[-1]) + 1)
    return index


def put_transposed(out: np.ndarray, values: np.ndarray) -> None:
    """`out[...] = values.T`, several times faster for a large tile."""
    for i in range(0, values.shape[0], _SIDE):
        for j in range(0, values.shape[1], _SIDE):
            part = values[i : i + _SIDE, j : j + _SIDE]
            out[j : j + _SIDE, i : i + _SIDE] = part.T


def put_tile(out: np.ndarray, rows: slice, columns: slice, values: np.ndarray) -> None:
    """Put a tile of a symmetric matrix into its place, and its mirror image."""
    out[rows, columns] = values
    if rows != columns:
        put_transposed(out[columns, rows], values)
