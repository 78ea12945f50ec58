"""Sequences and graphs of several sizes, each pair on a grid no larger than the larger of the two.

What fills short inputs up has no bearing on any kernel, and time grows with the square of the grid,
or faster. So inputs are sorted by how far they reach, in steps of whole vectors.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from ...errors import NetworkError
from ...nets.attached import Attached
from ...nets.operators import Need
from ...nets.plan import Plan
from ...nets.plan import plan as plan_of
from .state import padded


class Part(NamedTuple):
    """Pairs of some rows and columns on a grid of their own; a symmetric part has equal ones.

    turned: the second inputs go first, so that in pairs of two sizes the larger one always does.
    """

    plan: Plan
    rows: np.ndarray
    columns: np.ndarray
    symmetric: bool
    turned: bool = False


def parts(plan: Plan, x: np.ndarray, y: np.ndarray, symmetric: bool) -> Iterator[Part]:
    """All pairs, or of a symmetric matrix those of one half; one part where nothing is gained."""
    attached = plan.attached
    if attached is None or len(plan.space) != 1:
        yield Part(plan, np.arange(len(x)), np.arange(len(y)), symmetric)
        return
    left, right = (sizes(each, plan) for each in (x, y))
    smaller: list[int] = []
    for size in sorted({*left.tolist(), *right.tolist()}):
        part = _on(plan, size)
        if part is None:
            # Windows may not fit on a grid that small: these go with the next ones.
            smaller.append(size)
            continue
        new = [*smaller, size]
        smaller = []
        rows, columns = (np.flatnonzero(np.isin(s, new)) for s in (left, right))
        below = np.flatnonzero(right < new[0])
        yield Part(part, rows, columns, symmetric)
        yield Part(part, rows, below, False)
        if not symmetric:
            yield Part(part, np.flatnonzero(left < new[0]), columns, False, True)


def sizes(x: np.ndarray, plan: Plan) -> np.ndarray:
    """How far each input reaches, rounded up, and at most the grid."""
    length = plan.space[0]
    kept = x[..., plan.input_shape[-1]] > 0
    reach = length - np.argmax(kept[:, ::-1], axis=1)
    return np.array([min(length, padded(int(n), x.dtype)) for n in reach], dtype=np.int64)


def _on(plan: Plan, size: int) -> Plan | None:
    """The plan for a smaller grid; None where the network does not fit there."""
    assert plan.attached is not None
    if size == plan.space[0]:
        return plan
    attached = Attached(size if plan.attached.nodes else 0)
    try:
        return plan_of(plan.net, (size, plan.input_shape[-1]), Need.DIAGONAL, attached)
    except NetworkError:
        return None


def cropped(x: np.ndarray, rows: np.ndarray, part: Plan, plan: Plan) -> np.ndarray:
    """Some inputs on the grid of a part."""
    if part is plan and len(rows) == len(x):
        return x
    assert part.attached is not None
    size = part.space[0]
    return np.ascontiguousarray(x[rows, :size, : part.input_shape[-1] + part.attached.channels])
