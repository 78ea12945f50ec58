"""The memory that the choice of landmarks takes, and whether it is there."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

import psutil

from ...engines.tiles import size_text
from ...errors import MemoryLimitError
from ...nets.operators import Pointwise, Sum
from ...nets.plan import Plan, Step
from .chain import sizes_after


def require_room(
    plan: Plan, widths: Sequence[int], tangent: bool, samples: int, itemsize: int
) -> None:
    """Do nothing where the features of so many samples have room at every step of a fit.

    Raises:
        MemoryLimitError: before anything is computed.
    """
    start = plan.input_shape[-1], 0
    need = samples * itemsize * _kept(plan.steps, start, iter(widths), tangent)[2]
    free = psutil.virtual_memory().available
    if need > free:
        raise MemoryLimitError(
            f"landmarks are chosen among the features of {samples:,} samples, which take "
            f"{size_text(need)} at every position, but {size_text(free)} are free; pass fewer "
            f"max_samples (now {samples:,}) or widths, or float32 samples"
        )


def _kept(
    steps: Sequence[Step], sizes: tuple[int, int], widths: Iterator[int], tangent: bool
) -> tuple[tuple[int, int], int, int]:
    """Features of Σ and Θ behind some steps, numbers of a sample there, and the most at once.

    `Fit.chain` keeps what is behind an activation, before and behind a sum, and at the end.
    """
    here = most = 0
    for step in steps:
        if isinstance(step.operator, Sum):
            start, here, ends = math.prod(step.space_in) * sum(sizes), 0, []
            for branch in step.branches:
                end, left, inside = _kept(branch, sizes, widths, tangent)
                most, here, ends = max(most, start + here + inside), here + left, [*ends, end]
            sizes = sum(end[0] for end in ends), sum(end[1] for end in ends)
            most = max(most, 2 * here)  # the branches, and what joins them
            continue
        sizes = sizes_after([step], sizes, widths, tangent)
        if isinstance(step.operator, Pointwise):
            before, here = here, math.prod(step.space_out) * sum(sizes)
            most = max(most, before + here)
    here = math.prod(steps[-1].space_out) * sum(sizes) if steps else here
    return sizes, here, max(most, here)
