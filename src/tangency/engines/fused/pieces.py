"""Steps of a plan as the fused engine takes them: weights together with the patch before them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from ...errors import NetworkError
from ...nets.geometry import Box, Points
from ...nets.meeting import Concatenate, Sum
from ...nets.operators import Operator, Scale
from ...nets.plan import Step, joined
from .program import Uncovered


@dataclass(frozen=True, eq=False)
class Piece:
    """An operator, with the patch before it if it is one with weights, and its branches."""

    operator: Operator
    patch: Box | Points | None = None
    branches: tuple[tuple[Piece, ...], ...] = ()

    @property
    def inner(self) -> tuple[Piece, ...]:
        """The pieces of all branches."""
        return sum(self.branches, ())


def pieces(steps: Sequence[Step]) -> tuple[Piece, ...]:
    """The pieces of a chain.

    Raises:
        Uncovered: patches without weights.
    """
    try:
        return tuple(_piece(step, patch) for step, patch in joined(steps))
    except NetworkError as error:
        raise Uncovered(str(error)) from None


def _piece(step: Step, patch: Box | Points | None) -> Piece:
    operator, branches = step.operator, tuple(map(pieces, step.branches))
    if isinstance(operator, Concatenate) and operator.parts is not None:
        # Σ and Θ of channels side by side are a sum of multiples.
        pairs = zip(branches, operator.parts, strict=True)
        branches = tuple((*branch, Piece(Scale(math.sqrt(p)))) for branch, p in pairs)
        operator = Sum(operator.branches)
    return Piece(operator, patch, branches)
