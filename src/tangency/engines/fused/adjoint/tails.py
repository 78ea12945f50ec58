"""The way back through layers on vectors, a tile of pairs at a time."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from ...threads import run
from ..tail import COLUMNS, Tail
from ..work import room
from .blocks import vector_back
from .found import weights_of
from .room import room_back
from .tape import tape_of

ROWS = 128
"""Rows of a tile."""


def tail_back(
    tail: Tail,
    values: Callable[[slice, slice], tuple[np.ndarray, np.ndarray]],
    gs: np.ndarray,
    gt: np.ndarray,
    aux: tuple[np.ndarray, np.ndarray],
    symmetric: bool,
    parameters: bool,
    jobs: int,
) -> tuple[np.ndarray, np.ndarray, list[tuple[float, float]]]:
    """Back through layers on vectors, gs and gt in place; gradients in marginals and weights.

    values: Σ and Θ before these layers, of some rows and columns.
    """
    sizes, tape = tail.sizes, tape_of(tail.program, parameters)
    table = tail.table._replace(marks=tape.marks)
    n, m, count = *gs.shape, sizes.marginals
    items = [(i, 0, 1) for i in range(0, n, ROWS)]
    left = np.zeros((n, count), dtype=gs.dtype)
    right = np.zeros((len(items), m, count), dtype=gs.dtype)
    weights = np.zeros((len(items), len(table.par)))

    def make_room() -> Any:
        lanes, dtype = COLUMNS, gs.dtype
        return room(sizes, lanes, dtype, tape.count), room_back(sizes, len(table.par), lanes, dtype)

    def block(made: Any, i: int, begin: int, end: int) -> None:
        work, back = made
        rows, cols = slice(i, min(i + ROWS, n)), slice(i if symmetric else 0, m)
        s, t = values(rows, cols)
        part_s, part_t = gs[rows, cols], gt[rows, cols]
        back.weights[:] = 0
        vector_back(
            table, work, back, s, t, part_s, part_t, aux[0][rows], aux[1][cols],
            (0, len(s)), (0, s.shape[1]), COLUMNS, count, left[rows], right[i // ROWS, cols],
            parameters,
        )  # fmt: skip
        weights[i // ROWS] = back.weights

    run(items, block, make_room, jobs=jobs, total=len(items))
    found = weights_of(table, weights.sum(axis=0)) if parameters else []
    return left, right.sum(axis=0), found
