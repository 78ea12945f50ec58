"""Steps of a plan as the fused engine takes them: weights together with the patch before them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from ...errors import NetworkError
from ...nets.geometry import Box, Points, Windows
from ...nets.meeting import Concatenate, Sum
from ...nets.operators import Operator, Scale, Stack
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


def breaks(piece: Piece) -> bool:
    """The piece, or one inside it, mixes positions of one signal and so ends a stage."""
    return any(map(breaks, piece.inner)) or mixes(piece) or wraps_and_strides(piece)


def mixes(piece: Piece) -> bool:
    """It is a linear map of the grid."""
    return isinstance(piece.operator, Stack)


def wraps(piece: Piece) -> bool | None:
    """True: needs planes that wrap; False: needs planes that do not; None: either."""
    patch = piece.patch
    if patch is None:
        return None
    if any(w.circular for w in patch.axes):
        return True
    pointwise = isinstance(patch, Box) and patch.count == 1
    return None if pointwise and all(w.stride == 1 for w in patch.axes) else False


def wraps_and_strides(piece: Piece) -> bool:
    """It needs planes that wrap, and leaves positions out."""
    return bool(wraps(piece)) and any(w.stride != 1 for w in piece.patch.axes)  # type: ignore[union-attr]


def total_stride(branch: tuple[Piece, ...]) -> tuple[int, int]:
    """The product of the strides of a branch, per axis."""
    down = (1, 1)
    for piece in branch:
        if piece.branches:
            more = total_stride(piece.branches[0])
        elif piece.patch is not None:
            first, second = two_axes(piece.patch.axes)
            more = (first.stride, second.stride)
        else:
            continue
        down = (down[0] * more[0], down[1] * more[1])
    return down


def two_axes(axes: tuple[Windows, ...]) -> tuple[Windows, Windows]:
    """The windows of a plane: a line is one row of it."""
    if len(axes) == 2:
        return (axes[0], axes[1])
    return (Windows(1, 1, 0, 1, (0,), axes[0].circular), axes[0])


def two_offsets(offsets: tuple[tuple[int, ...], ...]) -> tuple[tuple[int, int], ...]:
    """Offsets on a plane, as `two_axes`."""
    return tuple((o[0], o[1]) if len(o) == 2 else (0, o[0]) for o in offsets)
