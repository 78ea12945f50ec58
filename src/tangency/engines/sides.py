"""What inputs have beside their values, on its way through the reference engine.

A mask follows each layer: behind it Σ and Θ are zero at positions that are masked. Means are over
the positions that are left, and sums along the edges of a graph are maps of each input's own.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from array_api_compat import device

from ..errors import InputError, NetworkError
from ..nets.attached import Attached
from ..nets.geometry import AxisMatrices, GridMatrix
from ..nets.meeting import Branching
from ..nets.operators import Average, Positions, Shifts, Stack
from ..nets.plan import Step
from .layout import Covariances, Side


def split(x: Any, attached: Attached | None) -> tuple[Any, Side | None]:
    """The values of inputs, and what lies in the channels behind them."""
    if attached is None:
        return x, None
    channels = x.shape[-1] - attached.channels
    kept = x[..., channels]
    edges = x[..., channels + 1 :] if attached.nodes else None
    return x[..., :channels], Side(_plain(kept), edges)


def follow(step: Step, state: Covariances, after: Covariances) -> Covariances:
    """`after` an operator, with masks as they are there, and zeros where they mask."""
    if state.sides is None or isinstance(step.operator, Branching):
        return after
    first, second = state.sides
    left = _behind(step, first)
    right = left if second is first else _behind(step, second)
    return masked(replace(after, sides=(left, right)))


def follow_steps(steps: Sequence[Step], side: Side) -> Iterator[tuple[Step, Side, Side]]:
    """Each step, those of branches too, with what inputs have before and behind it."""
    for step in steps:
        after = _behind(step, side)
        ends = []
        for branch in step.branches:
            last = side
            for found in follow_steps(branch, side):
                yield found
                last = found[2]
            ends.append((last,))
        if isinstance(step.operator, Branching):
            check_met(step.operator, ends)
            after = ends[-1][0]
        yield step, side, after
        side = after


def masked(state: Covariances) -> Covariances:
    """Zeros where one of the two positions is masked."""
    if state.sides is None or not state.space:
        return state
    first, second = (side.kept for side in state.sides)
    if np.all(first == 1) and np.all(second == 1):
        return state
    left, right = (_like(state, q, s) for q, s in ((first, False), (second, True)))
    return state.map(lambda a: a * left * right)


def pooled(operator: Average | Positions, state: Covariances) -> Covariances:
    """Σ over positions that are not masked, divided by how many they are; Θ likewise."""
    assert state.sides is not None
    xp, axes = state.xp, tuple(range(2 if state.outer else 1, state.nngp.ndim))
    counts = [positions(side) for side in state.sides]
    if isinstance(operator, Positions):
        # Side by side, each divided by the root of its number.
        counts = [np.sqrt(count) for count in counts]
    norm = _pairs(state, *counts)
    found = state.map(lambda a: xp.sum(a, axis=axes) / norm, ())
    return replace(found, full=False)


def counted(state: Covariances) -> Covariances:
    """A mean over positions turned into a sum."""
    assert state.sides is not None
    factor = _pairs(state, *(side.count for side in state.sides))
    return state.map(lambda a: a * factor)


def mean_over_space(state: Covariances, q: Any, second: bool) -> Any:
    """The mean over unmasked positions of marginals as `expand` lays them out."""
    assert state.sides is not None
    xp, side = state.xp, state.sides[int(second)]
    axes = tuple(range(2 if state.outer else 1, q.ndim))
    share = math.prod(side.kept.shape[1:]) / positions(side)
    lead = share.shape[:1] if not state.outer else ((1, -1) if second else (-1, 1))
    share = share.reshape(*lead, *(1,) * len(axes))
    return xp.mean(q, axis=axes, keepdims=True) * _as(state, share)


def aggregated(state: Covariances) -> Covariances:
    """Aᵀ Σ A' and Aᵀ Θ A', with the adjacency of each input."""
    if state.sides is None or state.sides[0].edges is None:
        raise NetworkError(
            "Aggregate() sums over the edges of a graph, but the inputs have none; pass "
            "tangency.Graphs(X, adjacency) in place of X"
        )
    first: Any = state.sides[0].edges
    second: Any = state.sides[1].edges
    xp = state.xp
    left = xp.matrix_transpose(first)
    if state.outer:
        left, second = left[:, None, ...], second[None, ...]
    return state.map(lambda a: (left @ a) @ second)


def _behind(step: Step, side: Side) -> Side:
    operator, kept = step.operator, side.kept
    match operator:
        case Average() | Positions():
            if kept.ndim == 1:
                return side
            return replace(side, kept=np.ones(len(kept)), count=positions(side))
        case Shifts(geometry, ends="valid"):
            kept = _windows(kept, geometry)
        case Shifts(geometry):
            # Of an explicit patch, the place of the offset 0.
            steps = tuple(slice(None, None, w.stride) for w in geometry.axes)
            kept = kept[(slice(None), *steps)]
        case Stack(maps):
            kept = _read(kept, maps)
        case _:
            return side
    gone = np.flatnonzero(kept.reshape(len(kept), -1).sum(axis=1) == 0)
    if len(gone):
        raise InputError(
            f"an input is too short for {step.layer!r}: of its {int(positions(side)[gone[0]])} "
            "positions that are not masked none is left; drop it, or use smaller windows"
        )
    return replace(side, kept=kept)


def _windows(kept: np.ndarray, geometry: Any) -> np.ndarray:
    """Where no position of a window is masked."""
    axes = geometry.axes
    offsets = getattr(geometry, "offsets", None)
    if offsets is not None:
        # A window belongs to its position, which must be there even if nothing is read at it.
        every = {*offsets, (0,) * len(axes)}
        return np.prod([_taken(kept, axes, offset) for offset in every], axis=0)
    for axis, w in enumerate(axes):
        places = w.start + w.stride * np.arange(w.size_out)[:, None] + np.array(w.taps)
        kept = np.take(kept, places, axis=1 + axis).prod(axis=2 + axis)
    return kept


def _taken(kept: np.ndarray, axes: Any, offset: Sequence[int]) -> Any:
    for axis, (w, shift) in enumerate(zip(axes, offset, strict=True)):
        kept = np.take(kept, w.start + w.stride * np.arange(w.size_out) + shift, axis=1 + axis)
    return kept


def _read(kept: np.ndarray, maps: Sequence[AxisMatrices | GridMatrix]) -> np.ndarray:
    """Where no map reads a masked position."""
    missing = 0.0
    for a in maps:
        out = 1.0 - kept
        matrices = [a.matrix] if isinstance(a, GridMatrix) else a.matrices
        if isinstance(a, GridMatrix):
            out = out.reshape(len(out), -1)
        for axis, matrix in enumerate(matrices):
            read = (matrix != 0).astype(float)
            out = np.moveaxis(np.moveaxis(out, 1 + axis, -1) @ read.T, -1, 1 + axis)
        missing = missing + out.reshape(len(out), *a.space_out)
    return np.where(np.asarray(missing) > 0, 0.0, 1.0)


def check_met(operator: Branching, ends: Sequence[tuple[Side, ...] | None]) -> None:
    """Refuses branches that end with other positions masked (`NetworkError`)."""
    first, *others = ends
    for other in others:
        if first is None or other is None:
            continue
        if not all(np.array_equal(a.kept, b.kept) for a, b in zip(first, other, strict=True)):
            raise NetworkError(
                f"the branches of {type(operator).__name__} leave other positions masked; give "
                "them the same padding, strides and pooling"
            )


def positions(side: Side) -> np.ndarray:
    """How many positions of each input are not masked, or were not where they were pooled."""
    if side.kept.ndim == 1:
        return side.kept if side.count is None else side.count
    return side.kept.reshape(len(side.kept), -1).sum(axis=1)


def _pairs(state: Covariances, first: Any, second: Any) -> Any:
    product = first[:, None] * second[None, :] if state.outer else first * second
    return _as(state, product)


def _like(state: Covariances, kept: np.ndarray, second: bool) -> Any:
    return state.expand(_as(state, kept), second=second)


def _as(state: Covariances, values: np.ndarray) -> Any:
    return state.xp.asarray(values, dtype=state.nngp.dtype, device=device(state.nngp))


def _plain(kept: Any) -> np.ndarray:
    """A mask in NumPy's numbers, whichever library the values are of."""
    if hasattr(kept, "detach"):
        kept = kept.detach().cpu().numpy()
    return np.asarray(kept, dtype=float)
