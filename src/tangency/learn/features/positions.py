"""Linear maps of the grid, applied to features: arrays (n, *space, d)."""

from __future__ import annotations

from itertools import product as every
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...engines.blas import product
from ...nets.geometry import AxisMatrices, Box, GridMatrix, Points, Windows

Array = NDArray[Any]


def patches(x: Array, geometry: Box | Points) -> Array:
    """The features at u + v for every offset v, side by side: (n, *space_out, |S|·d)."""
    space, width = geometry.space_out, x.shape[-1]
    padded = np.pad(x, [(0, 0), *[(0, 1)] * len(space), (0, 0)])  # a zero behind each axis
    taps = _taps(geometry)
    out = np.empty((len(x), *space, len(taps), width), dtype=x.dtype)
    for place, tap in enumerate(taps):
        read = [np.arange(len(x))]
        read += [_read(axis, v) for axis, v in zip(geometry.axes, tap, strict=True)]
        out[..., place, :] = padded[np.ix_(*read)]
    return out.reshape(len(x), *space, len(taps) * width)


def mapped(x: Array, maps: tuple[AxisMatrices | GridMatrix, ...]) -> Array:
    """What the maps give, their results side by side: (n, *space_out, len(maps)·d)."""
    found = [_mapped(x, each) for each in maps]
    return found[0] if len(found) == 1 else np.concatenate(found, axis=-1)


def _taps(geometry: Box | Points) -> list[tuple[int, ...]]:
    if isinstance(geometry, Points):
        return list(geometry.offsets)
    return list(every(*(window.taps for window in geometry.axes)))


def _read(axis: Windows, tap: int) -> Array:
    """Which position along an axis each output reads; the one behind the last is a zero."""
    read = axis.start + axis.stride * np.arange(axis.size_out) + tap
    if axis.circular:
        return read % axis.size_in
    return np.where((read >= 0) & (read < axis.size_in), read, axis.size_in)


def _mapped(x: Array, geometry: AxisMatrices | GridMatrix) -> Array:
    n, width = len(x), x.shape[-1]
    if isinstance(geometry, GridMatrix):
        matrix = geometry.matrix.astype(x.dtype, copy=False)
        out = np.matmul(matrix, x.reshape(n, -1, width))
        return out.reshape(n, *geometry.space_out, width)
    for axis, matrix in enumerate(geometry.matrices, start=1):
        moved = np.ascontiguousarray(np.moveaxis(x, axis, -1))
        flat = product(moved.reshape(-1, moved.shape[-1]), matrix.T.astype(x.dtype))
        x = np.moveaxis(flat.reshape(*moved.shape[:-1], len(matrix)), -1, axis)
    return np.ascontiguousarray(x)
