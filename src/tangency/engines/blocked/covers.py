"""Which networks the blocked engine computes."""

from __future__ import annotations

import math

from ...nets.meeting import Branching
from ...nets.operators import (
    Aggregate,
    Attend,
    Average,
    Drop,
    Embed,
    Need,
    Normalize,
    Pointwise,
    Positions,
    Scale,
    Shifts,
    Stack,
    Weights,
)
from ...nets.plan import Plan, Step, walk
from ..fused.activations import no_loop
from ..fused.series import slow

_OPERATORS = (
    *(Aggregate, Attend, Average, Branching, Drop, Embed, Normalize, Pointwise, Positions, Scale),
    *(Shifts, Stack, Weights),
)

_POSITIONS = 2048
"""Positions whose pairs may all be needed: 32 MiB of float64 for each of Σ and Θ."""


def uncovered(plan: Plan) -> str | None:
    """Why this engine cannot compute a network; None where it can."""
    if not plan.space:
        return "it works on grids, not on vectors"
    for step in walk(plan.steps):
        if reason := _unknown(step):
            return reason
    return None


def _unknown(step: Step) -> str | None:
    name = type(step.layer).__name__
    size = max(math.prod(step.space_in), math.prod(step.space_out))
    if step.need_in is Need.FULL and size > _POSITIONS:
        return f"{name} needs covariances of all pairs of {size:,} positions"
    match step.operator:
        case Pointwise(activation):
            return slow(activation) if activation.quadrature else no_loop(activation)
        case operator if not isinstance(operator, _OPERATORS):
            return f"{name} is made of operators it does not know"
    return None
