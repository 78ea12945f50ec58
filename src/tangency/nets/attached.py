"""What inputs may have beside their values: masks of positions, and the edges of a graph.

An input some of whose positions are masked is the input without them, at its own size: values there
are zero behind every layer, biases included, and means are over the positions that are left. That
is so where masked positions are the last ones, as those that fill short sequences up; a layer for
which it cannot be, as where its windows begin depends on the size of the grid, is refused here.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from ..errors import NetworkError
from .meeting import Branching, Concatenate
from .operators import (
    Aggregate,
    Attend,
    Average,
    Drop,
    Embed,
    Normalize,
    Operator,
    Pointwise,
    Positions,
    Scale,
    Shifts,
    Stack,
    Weights,
)

if TYPE_CHECKING:
    from .plan import Step

_EVERYWHERE = (
    *(Aggregate, Attend, Average, Drop, Embed, Normalize, Pointwise, Positions, Scale, Weights),
)


@dataclass(frozen=True)
class Attached:
    """Channels of an array of inputs behind those of the values, which no layer sees.

    The first is 1 at positions that are not masked, and 0 at others. With `nodes`, as many follow:
    of node i the weights of the edges from i to each node.
    """

    nodes: int = 0

    @property
    def channels(self) -> int:
        """How many they are."""
        return 1 + self.nodes


def check_attached(step: Step, attached: Attached | None) -> None:
    """Refuses an operator that cannot act on such inputs.

    Raises:
        NetworkError: with the layer, why, and the remedy.
    """
    name = step.layer
    if attached is None:
        return
    if isinstance(step.operator, Aggregate) and step.space_in != (attached.nodes,):
        why = (
            "inputs with masks have no edges; pass tg.Graphs(X, adjacency)"
            if not attached.nodes
            else f"it follows layers that made {step.space_in[0]} positions of the "
            f"{attached.nodes} nodes, whose edges are not known; put it before them"
        )
        raise NetworkError(f"{name!r} sums over the edges of a graph, but {why}")
    if why := _unmasked(step.operator):
        raise NetworkError(f"{name!r} cannot take inputs with masked positions: {why}")


def _unmasked(operator: Operator) -> str | None:
    """Why it is not the same to an input with masked positions as to one without them."""
    match operator:
        case Concatenate(parts=None):
            return "one grid follows the other, and masked positions lie between; take axis=-1"
        case Branching():
            return None
        case Shifts(ends="valid") | Stack(ends="valid" | "copies"):
            return None
        case Shifts(geometry, ends="same"):
            points = not getattr(geometry.axes[0], "taps", ())
            if points or all(w.stride == 1 or len(w.taps) == 1 for w in geometry.axes):
                return None
            return (
                "where its windows begin depends on the size of the grid; take "
                "padding='valid', or stride 1 and Subsample(stride) behind it"
            )
        case Shifts(ends="circular"):
            return "its windows wrap around the end of the grid; take padding='same' or 'valid'"
        case Stack() | Shifts():
            return (
                "what it reads depends on the size of the grid; convolutions of stride 1, "
                "AvgPool(size) and SumPool(size) with padding='valid', Subsample, Upsample and "
                "GlobalAvgPool take them"
            )
        case known if isinstance(known, _EVERYWHERE):
            return None
    return "what it does to them is not known; leave the layer out"
