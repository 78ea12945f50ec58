"""What only names, orders and joins the axes of a signal, and means over them."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

from ...errors import NetworkError
from ...nets import Flatten, GlobalAvgPool, Layer, Slice
from .states import CHANNELS, ONE, State
from .trace import Call

Translated = tuple[list[Layer], State]


def flattened(start: int, end: int, state: State, sizes: tuple[int, ...]) -> Translated | None:
    """Axes from `start` to `end` as one; `sizes` are those of all."""
    state.check_batch()
    if start == 0:
        raise NetworkError("it flattens the batch too")
    one, other = state.place(start), state.place(end)
    axes = state.axes[one : other + 1]
    if CHANNELS not in axes:
        merged = tuple(a for axis in axes if isinstance(axis, tuple) for a in axis)
        new = (merged,) if merged else (ONE,)
        inside = zip(axes, sizes[one : other + 1], strict=True)
        grid = tuple(size for axis, size in inside if isinstance(axis, tuple))
        after = replace(state, axes=(*state.axes[:one], *new, *state.axes[other + 1 :]))
        return [], replace(after, merged=grid if len(grid) == len(merged) > 1 else ())
    if any(isinstance(axis, tuple) for axis in axes):
        if len(axes) != len(state.axes):
            return None  # some axes of space stay, and positions become channels
        inside = zip(axes, sizes[one : other + 1], strict=True)
        positions = math.prod(size for axis, size in inside if isinstance(axis, tuple))
        return [Flatten()], replace(state, axes=(CHANNELS,), positions=positions)
    return [], replace(state, axes=(*state.axes[:one], CHANNELS, *state.axes[other + 1 :]))


def reshaped(call: Call, state: State) -> Translated | None:
    """A view as a flatten, of all axes or of space behind the channels, or back to the grid."""
    state.check_batch()
    shape = call.shape
    if shape is None or math.prod(shape) != math.prod(call.shape_in):
        raise NetworkError("it moves numbers from one input to another")
    if len(shape) == 1:
        return flattened(1, -1, state, call.shape_in)
    if shape == call.shape_in:
        return [], state
    for place, axis in enumerate(state.axes):
        grid = (*call.shape_in[:place], *state.merged, *call.shape_in[place + 1 :])
        if isinstance(axis, tuple) and len(axis) == len(state.merged) and shape == grid:
            alone = tuple((each,) for each in axis)
            axes = (*state.axes[:place], *alone, *state.axes[place + 1 :])
            return [], replace(state, axes=axes, merged=())
    if len(shape) == 2 and state.axes[0] == CHANNELS and shape[0] == call.shape_in[0]:
        return flattened(2, -1, state, call.shape_in)
    return None


def permuted(order: list[int], state: State) -> Translated:
    """The axes in another order, that of the batch among them, each by its place before."""
    count = len(state.axes) + 1
    places = [place + count if place < 0 else place for place in order]
    axes = tuple(state.axes[state.place(place)] for place in places if place != state.batch)
    return [], replace(state, axes=axes, batch=places.index(state.batch))


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
    batch = state.batch
    if not keep:
        axes = tuple(axis for place, axis in enumerate(axes) if place not in places)
        batch -= sum(place < state.batch for place in places)
    return ([GlobalAvgPool()] if space else []), replace(state, axes=axes, batch=batch)


def squeezed(dim: Any, state: State) -> Translated | None:
    """Without axes of length 1."""
    state.check_batch()
    if dim is None:
        return [], replace(state, axes=tuple(axis for axis in state.axes if axis != ONE))
    place = state.place(dim)
    if state.axes[place] != ONE:
        return None
    return [], replace(state, axes=(*state.axes[:place], *state.axes[place + 1 :]))


def transposed(one: int, other: int, state: State) -> Translated:
    """Two axes in each other's place."""
    order = list(range(len(state.axes) + 1))
    order[one], order[other] = order[other], order[one]
    return permuted(order, state)


def taken(index: Any, state: State) -> Translated | None:
    """A part of a grid, or the values at one of its positions: x[:, 0], x[:, 1:]."""
    index = list(index) if isinstance(index, tuple) else [index]
    if Ellipsis in [each for each in index if not isinstance(each, slice)]:
        return None
    places: dict[int, Any] = {}
    for dim, each in enumerate(index):
        if isinstance(each, slice) and each == slice(None):
            continue
        places[state.place(dim)] = each
    if not places:
        return [], state
    space = [place for place, axis in enumerate(state.axes) if isinstance(axis, tuple)]
    single = all(len(state.axes[place]) == 1 for place in space)
    if not single or not set(places) <= set(space):
        return None
    if all(isinstance(each, slice) for each in places.values()):
        parts = {state.axes[p][0]: (s.start, s.stop, s.step) for p, s in places.items()}
        return [Slice(*(parts.get(axis, (None, None)) for axis in range(len(space))))], state
    if set(places) == set(space) and all(isinstance(each, int) for each in places.values()):
        where = {state.axes[p][0]: each for p, each in places.items()}
        axes = tuple(axis for axis in state.axes if not isinstance(axis, tuple))
        at = [where[axis] for axis in sorted(where)]
        batch = state.batch - sum(place < state.batch for place in space)
        return [Slice(*at)], replace(state, axes=axes, batch=batch)
    return None
