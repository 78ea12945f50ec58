"""The layer that follows the edges of a graph."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from ..errors import NetworkError
from . import operators
from .base import Layer
from .operators import Operator
from .signal import Signal


@dataclass(frozen=True, repr=False)
class Aggregate(Layer):
    """The sum over the edges of a graph: Σ becomes Aᵀ Σ A', and Θ Aᵀ Θ A'.

    A is the adjacency of one input, A' that of the other, and node j gets Σ_i A[i, j]·x[i]: what
    comes along the edges that lead to it, and its own values where A has a diagonal (for sums over
    a node and its neighbours, pass A + I; for means, columns of sum 1). The network takes
    `tangency.Graphs(X, adjacency)`, whose positions are the nodes.

    Source: Du et al. 2019, "Graph neural tangent kernel"; the layer of neural-tangents.

    >>> import numpy as np
    >>> from tangency import NTK, Graphs
    >>> edges = np.array([[[0.0, 1.0], [0.0, 0.0]]])
    >>> NTK("aggregate dense relu gap dense").diag(Graphs(np.array([[[3.0], [4.0]]]), edges))
    array([4.5])
    """

    token: ClassVar[str] = "aggregate"
    hint: ClassVar[str] = "The edges come with the inputs, as in NTK(net)(Graphs(X, adjacency))"

    def check(self, signal: Signal) -> None:
        if len(signal.space) != 1:
            raise NetworkError(
                f"Aggregate needs the nodes of a graph, (n, nodes, channels), but {signal.grid} "
                "reached it; put it before what pools the nodes, and pass Graphs(X, adjacency)"
            )

    def lower(self, space: tuple[int, ...]) -> tuple[Operator, ...]:
        return (operators.Aggregate(),)
