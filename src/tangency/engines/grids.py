"""What the reference engine does to grids: sums over patches, and linear maps."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from array_api_compat import array_namespace, device

from ..nets.geometry import AxisMatrices, Box, GridMatrix, Points, Windows
from ..nets.special import safe_sqrt
from .layout import Covariances
from .sides import mean_over_space


def patch_sum(array: Any, geometry: Box | Points, state: Covariances) -> Any:
    """Σ_{v∈S} of the array at (u+v, u'+v), or at u+v for a diagonal."""
    if isinstance(geometry, Points):
        axes = [state.grid_axes(i) for i in range(len(geometry.axes))]
        return _shifted_sum(array, axes, geometry.axes, geometry.offsets)
    for i, window in enumerate(geometry.axes):
        taps = tuple((tap,) for tap in window.taps)
        array = _shifted_sum(array, [state.grid_axes(i)], (window,), taps)
    return array


def _shifted_sum(
    array: Any,
    axes: Sequence[tuple[int, ...]],
    windows: Sequence[Windows],
    offsets: Sequence[tuple[int, ...]],
) -> Any:
    """The sum of copies of `array`, read at start + stride·o + offset along each group of axes."""
    low = [
        max(0, -(w.start + min(o[i] for o in offsets))) if not w.circular else 0
        for i, w in enumerate(windows)
    ]
    for i, (group, w) in enumerate(zip(axes, windows, strict=True)):
        if not w.circular:
            last = w.start + w.stride * (w.size_out - 1) + max(o[i] for o in offsets)
            for axis in group:
                array = _pad(array, axis, low[i], max(0, last - (w.size_in - 1)))
    total: Any = None
    for offset in offsets:
        part = array
        for i, (group, w) in enumerate(zip(axes, windows, strict=True)):
            for axis in group:
                part = _window(part, axis, w, low[i] + offset[i])
        total = part if total is None else total + part
    return total


def _pad(array: Any, axis: int, low: int, high: int) -> Any:
    xp = array_namespace(array)

    def zeros(n: int) -> Any:
        shape = (*array.shape[:axis], n, *array.shape[axis + 1 :])
        return xp.zeros(shape, dtype=array.dtype, device=device(array))

    parts = [zeros(low)] * (low > 0) + [array] + [zeros(high)] * (high > 0)
    return xp.concat(parts, axis=axis) if len(parts) > 1 else array


def _window(array: Any, axis: int, w: Windows, offset: int) -> Any:
    """Positions start + stride·o + offset of one axis."""
    first = w.start + offset
    if w.circular:
        xp = array_namespace(array)
        positions = [(first + w.stride * o) % w.size_in for o in range(w.size_out)]
        return xp.take(array, xp.asarray(positions, device=device(array)), axis=axis)
    stop = first + w.stride * (w.size_out - 1) + 1
    return array[(*(slice(None),) * axis, slice(first, stop, w.stride))]


def stacked(maps: Sequence[AxisMatrices | GridMatrix], array: Any, state: Covariances) -> Any:
    """Σ_v (A_v ⊗ A_v) Σ; on a diagonal, where A copies positions, A∘A does the same."""
    first, *rest = (_grid_map(a, array, state) for a in maps)
    return sum(rest, start=first)


def _grid_map(geometry: AxisMatrices | GridMatrix, array: Any, state: Covariances) -> Any:
    if isinstance(geometry, GridMatrix):
        return _whole_grid_map(array, geometry, state)
    for i, matrix in enumerate(geometry.matrices):
        for axis in state.grid_axes(i):
            array = _axis_map(array, matrix if state.full else matrix**2, axis)
    return array


def _axis_map(array: Any, matrix: Any, axis: int) -> Any:
    xp = array_namespace(array)
    a = xp.asarray(matrix.T, dtype=array.dtype, device=device(array))
    return xp.moveaxis(xp.moveaxis(array, axis, -1) @ a, -1, axis)


def _whole_grid_map(array: Any, geometry: GridMatrix, state: Covariances) -> Any:
    xp = state.xp
    pairs = array.shape[: 2 if state.outer else 1]
    size = geometry.matrix.shape[1]
    a = xp.asarray(geometry.matrix, dtype=array.dtype, device=device(array))
    if not state.full:
        flat = xp.reshape(array, (*pairs, size)) @ xp.matrix_transpose(a * a)
        return xp.reshape(flat, (*pairs, *geometry.space_out))
    square = a @ xp.reshape(array, (*pairs, size, size)) @ xp.matrix_transpose(a)
    return xp.reshape(square, (*pairs, *geometry.space_out, *geometry.space_out))


def normalized(state: Covariances, q1: Any, q2: Any, space: bool) -> Covariances:
    """Σ/√(q q') and Θ/√(q q'); with `space`, q is the mean over all positions."""
    xp = state.xp
    if space and state.sides is not None:
        q1, q2 = mean_over_space(state, q1, False), mean_over_space(state, q2, True)
    elif space:
        axes = tuple(range(2 if state.outer else 1, q1.ndim))
        q1, q2 = (xp.mean(q, axis=axes, keepdims=True) for q in (q1, q2))
    norm = safe_sqrt(q1) * safe_sqrt(q2)
    positive = norm > 0
    scale = xp.where(positive, norm, xp.ones_like(norm))
    return state.map(lambda a: xp.where(positive, a / scale, xp.zeros_like(a)))


def dropped(state: Covariances, keep: float) -> Covariances:
    """Σ/keep and Θ/keep of an input with itself, at one position."""
    if not state.full:
        return state.map(lambda a: a / keep)
    size = math.prod(state.space)
    grid = np.reshape(np.eye(size), (*state.space, *state.space))
    same = state.xp.asarray(grid, dtype=state.nngp.dtype, device=device(state.nngp))
    return state.map(lambda a: a + same * (a / keep - a))
