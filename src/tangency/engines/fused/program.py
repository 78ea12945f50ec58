"""A network as tables of numbers that compiled loops walk.

The part of a network on a grid is cut into stages. Within a stage everything couples only
positions with one displacement δ = u' − u (convolutions do, whatever their stride or dilation), so
that a plane of pairs {(u, u + δ)}, the size of one image, goes through all its layers in cache.
A stage ends where positions are mixed: in pooling, whose result is stored for all pairs of
positions of the smaller grid, or in the readout, a weighted sum.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from enum import IntEnum

import numpy as np

from ...nets.geometry import Windows
from ...nets.plan import Step

INPUT = -1


class Code(IntEnum):
    """What an operation does to a plane."""

    CONV = 0
    POINTS = 1
    ELEMENTWISE = 2
    SCALE = 3
    COPY = 4
    ADD = 5


@dataclass
class Operation:
    """One step on planes; slots are numbered plane buffers. See `planes.py` for each code.

    tangent: Θ of the source slot is other than zero.
    down: the product of the strides before this operation, per axis: δ shrinks by it.
    """

    code: Code
    src: int
    dst: int
    grid: tuple[int, int]
    out: tuple[int, int]
    down: tuple[int, int]
    tangent: bool
    axes: tuple[Windows, Windows] | None = None
    offsets: tuple[tuple[int, int], ...] = ()
    parameters: tuple[float, ...] = ()
    trainable: bool = False
    kind: int = 0
    marginal: int = -1
    target_tangent: bool = False


@dataclass
class Stage:
    """Operations on planes between a source and a sink.

    Attributes:
        source: a register (a stored covariance), or INPUT.
        grid: the grid of the source, and `end` that of the last slot.
        wrap: planes hold u' = u + δ modulo the grid, for circular convolutions.
        sink: a register, or -1 for the readout.
        matrices: the linear maps (A₁, A₂) of the sink onto `out`; for the readout the weights
            (G₁, G₂) of Σ[u,u'].
        tangent_in, tangent_out: Θ of the source, and of the last slot, is other than zero.
    """

    source: int
    grid: tuple[int, int]
    tangent_in: bool
    wrap: bool | None = None
    operations: list[Operation] = field(default_factory=list)
    slot: int = 0
    end: tuple[int, int] = (1, 1)
    down: tuple[int, int] = (1, 1)
    sink: int = -1
    out: tuple[int, int] = (1, 1)
    matrices: tuple[np.ndarray, np.ndarray] | None = None
    tangent_out: bool = False


@dataclass(frozen=True)
class Program:
    """All stages of the grid part of a network.

    Attributes:
        stages: in order of evaluation; the last one ends in the readout.
        registers: the grid of each stored covariance.
        marginals: the grid at each activation or LayerNorm, in order of evaluation.
        rest: the steps behind the readout, on vectors.
        tangent: Θ is other than zero at the readout.
    """

    stages: tuple[Stage, ...]
    registers: tuple[tuple[int, int], ...]
    register_tangent: tuple[bool, ...]
    marginals: tuple[tuple[int, int], ...]
    rest: tuple[Step, ...]
    tangent: bool
    slots: int


class Uncovered(Exception):
    """The network has a layer that this engine does not know; the message says which."""


def marginal_program(program: Program) -> Program | None:
    """The stages up to the last activation on the grid; None where there is none."""
    last = -1
    for index, stage in enumerate(program.stages):
        if any(op.code is Code.ELEMENTWISE for op in stage.operations):
            last = index
    if last < 0:
        return None
    return replace(program, stages=program.stages[: last + 1])
