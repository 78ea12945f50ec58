"""The buffers that one thread works in on the way back, beside those of the way there."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np


class Back(NamedTuple):
    """Gradients, flat arrays with `lanes` innermost.

    s, t: in the slots. rows_s, rows_t,
    stored_s, stored_t: in row sums and registers. readout_s, readout_t: in the readout, one number
    a lane. x, y, first, second: in the two images and their marginals. weights: in the
    parameters of weights, in float64, see `planes._weigh`.
    """

    s: Any
    t: Any
    rows_s: Any
    rows_t: Any
    stored_s: Any
    stored_t: Any
    readout_s: Any
    readout_t: Any
    x: Any
    y: Any
    first: Any
    second: Any
    weights: Any


def room_back(sizes: Any, parameters: int, lanes: int, dtype: Any) -> Back:
    """The buffers of one thread."""

    def numbers(count: int) -> np.ndarray:
        return np.zeros(count * lanes, dtype=dtype)

    slots, pairs, inputs = sizes.slots * sizes.plane, sizes.row_pairs, sizes.channels * sizes.plane
    counts = (slots, slots, pairs, pairs, sizes.registers, sizes.registers, 1, 1)
    counts += (inputs, inputs, sizes.marginals, sizes.marginals)
    return Back(*map(numbers, counts), weights=np.zeros(max(parameters, 1)))


def back_bytes(sizes: Any, tapes: int, lanes: int, itemsize: int) -> int:
    """What `room_back` and the tapes take, about."""
    numbers = max(tapes, 1) * sizes.plane + sizes.slots * sizes.plane + sizes.row_pairs
    numbers += sizes.registers + sizes.channels * sizes.plane + sizes.marginals + 1
    return 2 * numbers * lanes * itemsize
