"""Where branches meet: blocks of all of them become one."""

from __future__ import annotations

import math

import numpy as np

from ...nets.meeting import Concatenate, Product, Sum
from ...nets.plan import Step
from . import linear
from .state import Block


def met(step: Step, ends: list[Block]) -> Block:
    """Where branches meet: one block, that of the last branch or a new one."""
    match step.operator:
        case Concatenate(parts=None, axis=axis):
            return _one_after_the_other(step, ends, axis)
        case Concatenate(parts=parts) if parts is not None:
            for end, part in zip(ends, parts, strict=True):
                for array in end.arrays:
                    array *= float(part)
            return _summed(ends)
        case Product():
            return _multiplied(ends)
        case Sum():
            return _summed(ends)
    raise AssertionError("uncovered() lets no other pass")


def _summed(ends: list[Block]) -> Block:
    total, *others = ends
    for other in others:
        total.s += other.s
        total.t = _added(total.t, other.t)
        total.pairs.give(other.s, None if other.t is total.t else other.t)
    return total


def _added(one: np.ndarray | None, other: np.ndarray | None) -> np.ndarray | None:
    if one is None or other is None:
        return other if one is None else one
    one += other
    return one


def _multiplied(ends: list[Block]) -> Block:
    """Π Σ_i and Σ_i Θ_i·Π_{j≠i} Σ_j."""
    for place, end in enumerate(ends):
        for other in ends[:place] + ends[place + 1 :]:
            if end.t is not None:
                end.t *= other.s
    tangent = None
    for end in ends:
        tangent = _added(tangent, end.t)
    total, *others = ends
    for other in others:
        total.s *= other.s
    for end in ends:
        total.pairs.give(None if end is total else end.s, None if end.t is tangent else end.t)
    total.t = tangent
    return total


def _one_after_the_other(step: Step, ends: list[Block], axis: int) -> Block:
    """Blocks of Σ and Θ; between positions of two branches both are zero."""
    first, space = ends[0], step.space_out
    pairs, tangent = first.pairs, any(end.t is not None for end in ends)
    shape = (pairs.inputs * math.prod(space), pairs.columns(space, first.full))
    made = [pairs.take(shape) for _ in range(1 + tangent)]
    for array in made:
        array.fill(0)
    out = Block(made[0], made[1] if tangent else None, space, first.full, pairs)
    grid, begin = np.arange(math.prod(space)).reshape(space), 0
    for end in ends:
        stop = begin + end.space[axis]
        places = np.take(grid, np.arange(begin, stop), axis=axis).ravel()
        linear.placed(end, out, places)
        pairs.give(end.s, end.t)
        begin = stop
    return out
