"""What only names, orders and joins the axes of a signal, and means over them."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

from ...errors import NetworkError
from ...nets import Flatten, GlobalAvgPool, Layer
from .states import CHANNELS, ONE, State
from .trace import Call

Translated = tuple[list[Layer], State]


def flattened(start: int, end: int, state: State) -> Translated | None:
    """Axes from `start` to `end` as one."""
    if start == 0:
        raise NetworkError("it flattens the batch too")
    one, other = state.place(start), state.place(end)
    axes = state.axes[one : other + 1]
    if CHANNELS not in axes:
        merged = tuple(a for axis in axes if isinstance(axis, tuple) for a in axis)
        new = (merged,) if merged else (ONE,)
        return [], replace(state, axes=(*state.axes[:one], *new, *state.axes[other + 1 :]))
    if any(isinstance(axis, tuple) for axis in axes):
        if len(axes) != len(state.axes):
            return None  # some axes of space stay, and positions become channels
        return [Flatten()], replace(state, axes=(CHANNELS,))
    return [], replace(state, axes=(*state.axes[:one], CHANNELS, *state.axes[other + 1 :]))


def reshaped(call: Call, state: State) -> Translated | None:
    """A view as a flatten: of all axes, or of space behind the channels."""
    shape = call.shape
    if shape is None or math.prod(shape) != math.prod(call.shape_in):
        raise NetworkError("it moves numbers from one input to another")
    if len(shape) == 1:
        return flattened(1, -1, state)
    if shape == call.shape_in:
        return [], state
    if len(shape) == 2 and state.axes[0] == CHANNELS and shape[0] == call.shape_in[0]:
        return flattened(2, -1, state)
    return None


def permuted(order: list[int], batch: int, state: State) -> Translated:
    """The axes in another order, `batch` the place that the first comes from."""
    if batch != 0:
        raise NetworkError("it moves the axis of the batch")
    return [], replace(state, axes=tuple(state.axes[place] for place in order))


def mean(dim: Any, keep: bool, state: State) -> Translated | None:
    """A mean over space, or over axes of length 1."""
    if dim is None:
        raise NetworkError("a mean over all numbers takes those of the batch too; name the axes")
    places = {state.place(d) for d in ([dim] if isinstance(dim, int) else dim)}
    space = {place for place, axis in enumerate(state.axes) if isinstance(axis, tuple)}
    ones = {place for place, axis in enumerate(state.axes) if axis == ONE}
    if places - space - ones:
        raise NetworkError("a mean over infinitely many channels is zero")
    if space and places & space != space:
        return None
    axes = tuple(ONE if place in places else axis for place, axis in enumerate(state.axes))
    if not keep:
        axes = tuple(axis for place, axis in enumerate(axes) if place not in places)
    return ([GlobalAvgPool()] if space else []), replace(state, axes=axes)


def squeezed(dim: Any, state: State) -> Translated | None:
    """Without axes of length 1."""
    if dim is None:
        return [], replace(state, axes=tuple(axis for axis in state.axes if axis != ONE))
    place = state.place(dim)
    if state.axes[place] != ONE:
        return None
    return [], replace(state, axes=(*state.axes[:place], *state.axes[place + 1 :]))


def transposed(one: int, other: int, state: State) -> Translated:
    """Two axes in each other's place."""
    order = list(range(len(state.axes)))
    first, second = state.place(one), state.place(other)
    order[first], order[second] = second, first
    return permuted(order, 0, state)
