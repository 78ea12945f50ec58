"""The buffers that one thread works in."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np


class Work(NamedTuple):
    """Buffers of one thread, flat arrays with `lanes` innermost.

    s, t: slots of Σ and Θ, and a row of zeros behind them. sums_s, sums_t: one row, summed over
    the first axis, with margins.
    rows_s, rows_t: sums over the first axis of pooling. stored_s, stored_t: registers.
    first, second: (u, v) of the two images (groups) at every activation. x, y: the inputs.
    one, image: (u, v) and the input of the first image once more, without lanes; groups[0] says
    that there are groups of images on both sides instead.
    q: marginals, when they are being found. total_s, total_t: the readout of each lane.
    touched: which rows of a pooled sum have been begun.
    tape_s, tape_t: planes that are kept for a way back.
    """

    s: Any
    t: Any
    sums_s: Any
    sums_t: Any
    rows_s: Any
    rows_t: Any
    stored_s: Any
    stored_t: Any
    first: Any
    second: Any
    x: Any
    y: Any
    one: Any
    image: Any
    groups: Any
    q: Any
    total_s: Any
    total_t: Any
    touched: Any
    tape_s: Any
    tape_t: Any


_LINE = 64


def aligned(count: int, dtype: Any) -> np.ndarray:
    """Zeros that begin with a line of the cache, so that no whole vector lies across two."""
    size = np.dtype(dtype).itemsize
    held = np.zeros(count * size + _LINE, dtype=np.uint8)
    start = -held.ctypes.data % _LINE
    return held[start : start + count * size].view(dtype)


def room(sizes: Any, lanes: int, dtype: Any, tapes: int = 0) -> Work:
    """The buffers of one thread."""

    def numbers(count: int) -> np.ndarray:
        return aligned(count * lanes, dtype)

    return Work(
        s=numbers(sizes.slots * sizes.plane + sizes.buffer),
        t=numbers(sizes.slots * sizes.plane + sizes.buffer),
        sums_s=numbers(sizes.buffer),
        sums_t=numbers(sizes.buffer),
        rows_s=numbers(sizes.row_pairs),
        rows_t=numbers(sizes.row_pairs),
        stored_s=numbers(sizes.registers),
        stored_t=numbers(sizes.registers),
        first=numbers(2 * sizes.marginals),
        second=numbers(2 * sizes.marginals),
        x=numbers(sizes.channels * sizes.plane),
        y=numbers(sizes.channels * sizes.plane),
        one=np.zeros(2 * sizes.marginals, dtype=dtype),
        image=np.zeros(sizes.channels * sizes.plane, dtype=dtype),
        groups=np.zeros(1, dtype=np.uint8),
        q=numbers(sizes.marginals),
        total_s=np.zeros(lanes),
        total_t=np.zeros(lanes),
        touched=np.zeros(sizes.row_pairs, dtype=np.uint8),
        tape_s=numbers(tapes * sizes.plane),
        tape_t=numbers(tapes * sizes.plane),
    )


def room_bytes(sizes: Any, lanes: int, itemsize: int) -> int:
    """What `room` takes."""
    numbers = 2 * (sizes.slots * sizes.plane + 2 * sizes.buffer + sizes.row_pairs + sizes.registers)
    numbers += 5 * sizes.marginals + 2 * sizes.channels * sizes.plane
    alone = 2 * sizes.marginals + sizes.channels * sizes.plane
    return (numbers * lanes + alone) * itemsize + sizes.row_pairs
