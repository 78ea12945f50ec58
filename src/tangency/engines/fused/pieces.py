"""Steps of a plan as the fused engine takes them: weights together with the patch before them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ...errors import NetworkError
from ...nets.geometry import Box, Points
from ...nets.operators import Operator
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
        return tuple(
            Piece(step.operator, patch, tuple(map(pieces, step.branches)))
            for step, patch in joined(steps)
        )
    except NetworkError as error:
        raise Uncovered(str(error)) from None
