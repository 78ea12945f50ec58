"""The variances q[u] of inputs alone at the activations on a grid, in compiled loops."""

from __future__ import annotations

import math
from collections.abc import Iterator
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from ...nets.operators import Average, Positions
from ...nets.plan import Plan, Step, walk
from ..overflow import check_values
from ..threads import threads
from . import warm
from .engine import flat, uncovered
from .head import head_of
from .program import Code, Program

__all__ = ["on_grid", "starts", "uncovered", "variances"]


@lru_cache(maxsize=64)
def on_grid(plan: Plan) -> tuple[bool, ...]:
    """For each step that reads marginals, in order of evaluation: whether it stands on the grid."""
    ends = [i for i, s in enumerate(plan.steps) if isinstance(s.operator, Average | Positions)]
    head, tail = plan.steps[: ends[0]], plan.steps[ends[0] :]
    return (True,) * len(list(_readers(head))) + (False,) * len(list(_readers(tail)))


def variances(plan: Plan, x: NDArray, n_jobs: int | None = None) -> list[NDArray | None]:
    """q (n, *space) of each step that reads marginals; None for those behind the grid.

    `uncovered(plan)` must be None, and the inputs x (n, *space, channels) must lie on a grid.

    Raises:
        InputError: values beyond the range of the dtype.
    """
    warm.get_ready(x.dtype, True)
    head = head_of(plan, False, x.dtype)
    found = head.variances(flat(x), threads(n_jobs))
    check_values(found)
    places = iter(starts(head.program))
    out: list[NDArray | None] = []
    for step, grid in zip(_readers(plan.steps), on_grid(plan), strict=True):
        if not grid:
            out.append(None)
            continue
        start = next(places)
        q = found[:, start : start + math.prod(step.space_in)]
        out.append(q.reshape(-1, *step.space_in))
    return out


def starts(program: Program) -> list[int]:
    """Where the marginals of each activation begin, in order; series take them several times."""
    ends = np.cumsum([0, *(h * w for h, w in program.marginals)])
    operations = [op for stage in program.stages for op in stage.operations]
    places = sorted(op.marginal for op in operations if op.code is Code.ELEMENTWISE)
    return [int(ends[place]) for place in places]


def _readers(steps: tuple[Step, ...]) -> Iterator[Step]:
    return (step for step in walk(steps) if step.reads_marginals)
