"""Linear maps of the grid, applied to features: arrays or tensors (n, *space, d)."""

from __future__ import annotations

import math
from itertools import product as every
from typing import Any

import numpy as np
from array_api_compat import array_namespace, device, is_numpy_array

from ...nets.geometry import AxisMatrices, Box, GridMatrix, Points, Windows
from .products import times

Array = Any


def patches(x: Array, geometry: Box | Points) -> Array:
    """The features at u + v for every offset v, side by side: (n, *space_out, |S|·d)."""
    taps = _taps(geometry)
    parts: list[tuple[slice, ...]] = [(slice(None),)] * len(taps)
    for i, (axis, along) in enumerate(zip(geometry.axes, zip(*taps, strict=True), strict=True), 1):
        low, reach = min(along), axis.stride * (axis.size_out - 1) + 1
        x = span(x, i, axis, axis.start + low, axis.start + max(along) + reach)
        for place, tap in enumerate(along):
            parts[place] += (slice(tap - low, tap - low + reach, axis.stride),)
    return array_namespace(x).concat([x[part] for part in parts], axis=-1)


def mapped(x: Array, maps: tuple[AxisMatrices | GridMatrix, ...]) -> Array:
    """What the maps give, their results side by side: (n, *space_out, len(maps)·d)."""
    found = [_mapped(x, each) for each in maps]
    return found[0] if len(found) == 1 else array_namespace(x).concat(found, axis=-1)


def _taps(geometry: Box | Points) -> list[tuple[int, ...]]:
    if isinstance(geometry, Points):
        return list(geometry.offsets)
    return list(every(*(window.taps for window in geometry.axes)))


def span(x: Array, axis: int, window: Windows, first: int, stop: int) -> Array:
    """The positions of an axis from `first` on, zero where there is none."""
    xp, size = array_namespace(x), window.size_in
    if (first, stop) == (0, size):
        return x
    read = np.arange(first, stop)
    if window.circular:
        read %= size
    else:
        read[(read < 0) | (read > size)] = size
        shape = (*x.shape[:axis], 1, *x.shape[axis + 1 :])
        x = xp.concat([x, xp.zeros(shape, dtype=x.dtype, device=device(x))], axis=axis)
    return xp.take(x, xp.asarray(read, device=device(x)), axis=axis)


def _mapped(x: Array, geometry: AxisMatrices | GridMatrix) -> Array:
    xp, n, width = array_namespace(x), len(x), x.shape[-1]

    def matching(matrix: Any) -> Array:
        return xp.asarray(matrix, dtype=x.dtype, device=device(x))

    if isinstance(geometry, GridMatrix):
        flat = x.reshape(n, math.prod(x.shape[1:-1]), width)
        out = xp.matmul(matching(geometry.matrix), flat)
        return out.reshape(n, *geometry.space_out, width)
    for axis, matrix in enumerate(geometry.matrices, start=1):
        x = xp.moveaxis(times(xp.moveaxis(x, axis, -1), matching(matrix).T), -1, axis)
    return np.ascontiguousarray(x) if is_numpy_array(x) else x
