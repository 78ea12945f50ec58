"""Linear maps of the grid on blocks: patches, pooling, filters, attention, graphs."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np

from ...nets.geometry import AxisMatrices, Box, GridMatrix, Points
from . import loops
from .state import Block, padded


class Sources(NamedTuple):
    """What `loops.shifted` reads: positions for each offset, and which of them run together."""

    positions: np.ndarray
    runs: np.ndarray


class Sparse(NamedTuple):
    """A sparse matrix, row after row."""

    starts: np.ndarray
    places: np.ndarray
    values: np.ndarray


@lru_cache(maxsize=64)
def sources(geometry: Box | Points) -> tuple[Sources, ...]:
    """Those of a patch: of a box one axis after the other, which takes fewer sums."""
    space_in = tuple(w.size_in for w in geometry.axes)
    if isinstance(geometry, Points):
        return (_sources([_along(geometry.axes, offset) for offset in geometry.offsets], space_in),)
    found, space = [], list(space_in)
    for axis, w in enumerate(geometry.axes):
        lines = []
        for tap in w.taps:
            kept = [np.arange(n) for n in space]
            kept[axis] = _line(w, tap)
            lines.append(kept)
        found.append(_sources(lines, tuple(space)))
        space[axis] = w.size_out
    return tuple(found)


def _along(axes: Any, offset: Sequence[int]) -> list[np.ndarray]:
    return [_line(w, shift) for w, shift in zip(axes, offset, strict=True)]


def _line(w: Any, tap: int) -> np.ndarray:
    """What the windows of one axis read at a tap; −1 outside."""
    at = w.start + w.stride * np.arange(w.size_out) + tap
    return at % w.size_in if w.circular else np.where((at >= 0) & (at < w.size_in), at, -1)


def _sources(lines: list[list[np.ndarray]], space: tuple[int, ...]) -> Sources:
    rows = []
    for line in lines:
        grids = np.meshgrid(*line, indexing="ij")
        inside = np.all([g >= 0 for g in grids], axis=0)
        flat = np.ravel_multi_index([np.where(inside, g, 0) for g in grids], space)
        rows.append(np.where(inside, flat, -1).ravel())
    positions = np.array(rows, dtype=np.int64)
    runs = [(v, *run) for v, row in enumerate(positions) for run in _runs(row)]
    return Sources(positions, np.array(runs, dtype=np.int64).reshape(-1, 4))


def _runs(row: np.ndarray) -> list[tuple[int, int, int]]:
    """(first after, first before, length) of positions that follow each other on both sides."""
    found, start = [], 0
    for k in range(1, len(row) + 1):
        if k < len(row) and row[start] >= 0 and row[k] == row[k - 1] + 1:
            continue
        if row[start] >= 0:
            found.append((start, int(row[start]), k - start))
        start = k
    return found


def shifted(block: Block, geometry: Box | Points) -> None:
    """Σ_v Σ[u + v, u' + v]."""
    space = [w.size_in for w in geometry.axes]
    for axis, found in enumerate(sources(geometry)):
        if isinstance(geometry, Points):
            space = list(geometry.space_out)
        else:
            space[axis] = geometry.axes[axis].size_out
        _shift(block, found, tuple(space))


def _shift(block: Block, found: Sources, space: tuple[int, ...]) -> None:
    pairs, full, wide = block.pairs, block.full, block.wide
    before, after = block.size, math.prod(space)
    layout = (pairs.seconds if full else 0, wide, padded(after, pairs.dtype) if full else 1)

    def change(out: np.ndarray, array: np.ndarray) -> None:
        columns, columns_out = array.shape[1], out.shape[1]
        loops.shifted(
            out.ravel(), array.ravel(), *found, pairs.inputs, before, after, columns, columns_out,
            layout,
        )  # fmt: skip

    block.turned(change, space, full)


@lru_cache(maxsize=64)
def sparse(a: AxisMatrices | GridMatrix, square: bool, dtype: Any) -> Sparse:
    """A map of the grid as one sparse matrix; `square`: of its numbers' squares."""
    if isinstance(a, GridMatrix):
        matrix = a.matrix
    else:
        matrix = np.ones((1, 1))
        for each in a.matrices:
            matrix = np.kron(matrix, each)
    rows, places = np.nonzero(matrix)
    values = matrix[rows, places]
    starts = np.searchsorted(rows, np.arange(len(matrix) + 1))
    values = (values * values if square else values).astype(dtype)
    return Sparse(starts, np.ascontiguousarray(places), values)


def mapped(block: Block, maps: Sequence[AxisMatrices | GridMatrix], space: tuple[int, ...]) -> None:
    """Σ_v A_v Σ A_vᵀ; of a diagonal, where A copies positions, A∘A does the same."""
    pairs, full, before, wide = block.pairs, block.full, block.size, block.wide
    found = [sparse(a, not full, pairs.dtype) for a in maps]
    after, count = math.prod(space), pairs.inputs
    wide_out = padded(after, pairs.dtype)

    def change(out: np.ndarray, array: np.ndarray) -> None:
        columns = array.shape[1]
        for each in found:
            if not full:
                loops.rows_mapped(out.ravel(), array.ravel(), *each, count, before, columns)
                continue
            half = pairs.take((count * after, columns))
            half.fill(0)
            loops.rows_mapped(half.ravel(), array.ravel(), *each, count, before, columns)
            loops.columns_mapped(
                out.ravel(), half.ravel(), *each, count * after, pairs.seconds, wide, wide_out,
                (columns, out.shape[1]),
            )  # fmt: skip
            pairs.give(half)

    block.turned(change, space, full)


def attended(block: Block, left: np.ndarray, right: np.ndarray) -> None:
    """L Σ R with maps of each first input, (n, positions, positions), and of each second one.

    right: (n, positions, positions and padding).
    """
    pairs, size, wide = block.pairs, block.size, block.wide
    own = size if pairs.alone else 0

    def change(out: np.ndarray, array: np.ndarray) -> None:
        rows, columns = array.shape
        half = pairs.take((rows, columns))
        loops.products_left(
            half.ravel(), left.ravel(), array.ravel(), pairs.inputs, size, size, columns
        )
        loops.products_right(
            out.ravel(), half.ravel(), right.ravel(), rows, own, pairs.seconds, size, wide, wide,
            columns, columns,
        )  # fmt: skip
        pairs.give(half)

    block.turned(change, block.space, True, clear=False)


def placed(block: Block, out: Block, places: np.ndarray) -> None:
    """Writes a block of some positions to its places in one of more."""
    pairs = block.pairs
    layout = (pairs.seconds if block.full else 0, block.wide, out.wide)
    for target, array in zip(out.arrays, block.arrays, strict=False):
        loops.placed(
            target.ravel(), array.ravel(), places, pairs.inputs, out.size, array.shape[1],
            target.shape[1], layout,
        )  # fmt: skip


def summed(block: Block) -> None:
    """Σ over all positions, a vector."""
    pairs, size = block.pairs, block.size
    layout = (pairs.seconds if block.full else 0, block.wide, 1)

    def change(out: np.ndarray, array: np.ndarray) -> None:
        own = np.zeros(array.shape[1], dtype=array.dtype)
        loops.summed(
            out.ravel(), array.ravel(), own, pairs.inputs, size, array.shape[1], out.shape[1],
            layout,
        )  # fmt: skip

    block.turned(change, (), False, clear=False)


def reduced(block: Block) -> None:
    """Only Σ[u, u] of Σ[u, u']."""
    _between(block, loops.diagonal, block.wide, False)


def spread(block: Block) -> None:
    """Σ[u, u'] with zeros where u ≠ u', of Σ[u, u]."""
    _between(block, loops.spread_out, padded(block.size, block.pairs.dtype), True)


def _between(block: Block, loop: Any, wide: int, full: bool) -> None:
    pairs, size = block.pairs, block.size

    def change(out: np.ndarray, array: np.ndarray) -> None:
        loop(
            out.ravel(), array.ravel(), pairs.inputs, size, pairs.seconds, wide, array.shape[1],
            out.shape[1],
        )  # fmt: skip

    block.turned(change, block.space, full)
