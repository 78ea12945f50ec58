"""From the plan of a network to a program of stages and operations on planes."""

from __future__ import annotations

from typing import Any

import numpy as np

from ...nets.geometry import AxisMatrices, Box, GridMatrix, Points, Windows
from ...nets.meeting import Sum
from ...nets.operators import Average, Normalize, Pointwise, Positions, Scale, Stack, Weights
from ...nets.plan import Plan, Step
from .activations import kind_and_parameters
from .expanded import series_blocks
from .pieces import (
    Piece,
    breaks,
    pieces,
    total_stride,
    two_axes,
    two_offsets,
    wraps,
    wraps_and_strides,
)
from .program import INPUT, Code, Operation, Program, Stage, Uncovered
from .scalars import NORMALIZE, SERIES


def lower(plan: Plan, want_ntk: bool) -> Program:
    """The program of the grid part of a network.

    Raises:
        Uncovered: with the reason.
    """
    if len(plan.space) not in (1, 2):
        raise Uncovered(f"it works on grids of 1 or 2 dimensions, not {len(plan.space)}")
    builder = _Builder(want_ntk)
    stage = builder.start(INPUT, _grid(plan.space), False)
    places = [i for i, s in enumerate(plan.steps) if isinstance(s.operator, Average | Positions)]
    if not places:
        raise Uncovered("the network ends on a grid")
    for piece in pieces(plan.steps[: places[0]]):
        stage = builder.step(stage, piece)
    builder.readout(stage, isinstance(plan.steps[places[0]].operator, Average))
    rest = plan.steps[places[0] + 1 :]
    return Program(
        tuple(builder.stages),
        tuple(builder.registers),
        tuple(builder.register_tangent),
        tuple(builder.marginals),
        rest,
        stage.tangent_out,
        builder.slots,
    )


def lower_vector(steps: tuple[Step, ...], want_ntk: bool, tangent: bool) -> Program:
    """The program of layers on vectors, as one stage on a grid of one position.

    Args:
        tangent: Θ is other than zero where the steps begin.
    """
    builder = _Builder(want_ntk)
    stage = builder.start(INPUT, (1, 1), tangent)
    for piece in pieces(steps):
        if not isinstance(piece.operator, Positions):
            stage.slot = builder.on_planes(stage, piece, stage.slot, keep=False)
    stage.matrices = (np.eye(1), np.eye(1))
    return Program((stage,), (), (), tuple(builder.marginals), (), stage.tangent_out, builder.slots)


def _grid(space: tuple[int, ...]) -> tuple[int, int]:
    return (1, space[0]) if len(space) == 1 else (space[0], space[1])


class _Builder:
    """Lowers steps into stages, keeping track of slots, registers and marginals."""

    def __init__(self, want_ntk: bool) -> None:
        self.want_ntk = want_ntk
        self.stages: list[Stage] = []
        self.registers: list[tuple[int, int]] = []
        self.register_tangent: list[bool] = []
        self.marginals: list[tuple[int, int]] = []
        self.slots = 1
        self.free: list[int] = []

    def start(self, source: int, grid: tuple[int, int], tangent: bool) -> Stage:
        """A new stage; its source is read into slot 0."""
        self.free = list(range(1, self.slots))
        return Stage(source, grid, tangent, end=grid, tangent_out=tangent)

    def step(self, stage: Stage, piece: Piece) -> Stage:
        """Appends a piece of the network; may end the stage and begin another."""
        wrap = self._wrap_of(piece)
        if wrap is not None and stage.wrap is not None and wrap != stage.wrap:
            stage = self.store(stage)
        if wrap is not None:
            stage.wrap = wrap
        if isinstance(piece.operator, Stack):
            return self._maps(stage, piece.operator.maps)
        if piece.branches and (breaks(piece) or self._mixed(piece)):
            return self._stored_sum(stage, piece)
        if wraps_and_strides(piece):
            return self._circular_stride(stage, piece)
        stage.slot = self.on_planes(stage, piece, stage.slot, keep=False)
        return stage

    def _wrap_of(self, piece: Piece) -> bool | None:
        if not piece.branches:
            return wraps(piece)
        found = {self._wrap_of(inner) for inner in piece.inner} - {None}
        return found.pop() if len(found) == 1 else None

    def _mixed(self, piece: Piece) -> bool:
        """The branches do not fit on the planes of one stage."""
        found = {self._wrap_of(inner) for inner in piece.inner} - {None}
        if len(found) > 1 or any(self._mixed(inner) for inner in piece.inner if inner.branches):
            return True
        # Grids can agree where strides do not: δ would then mean two things.
        return len(set(map(total_stride, piece.branches))) > 1

    def store(
        self,
        stage: Stage,
        matrices: tuple[np.ndarray, ...] | None = None,
        into: int | None = None,
    ) -> Stage:
        """Ends a stage in a register, behind linear maps of the axes; begins one that reads it."""
        if matrices is None:
            matrices = tuple(np.eye(n) for n in stage.end)
        elif len(matrices) == 1:
            matrices = (np.eye(1), matrices[0])
        stage.matrices = (matrices[0], matrices[1])
        stage.out = (matrices[0].shape[0], matrices[1].shape[0])
        if into is None:
            into = len(self.registers)
            self.registers.append(stage.out)
            self.register_tangent.append(False)
        stage.sink = into
        self.register_tangent[into] |= stage.tangent_out
        self.stages.append(stage)
        return self.start(into, stage.out, self.register_tangent[into])

    def readout(self, stage: Stage, gap: bool) -> None:
        """Ends the last stage in the mean of Σ[u,u'] over all pairs, or over u = u'."""
        weights = []
        for n in stage.end:
            weights.append(np.full((n, n), 1.0 / (n * n)) if gap else np.eye(n) / n)
        # A linear map right before the readout becomes part of its weights: no need to store it.
        while not stage.operations and stage.source != INPUT:
            before = self.stages[-1]
            if before.sink != stage.source or self._uses(stage.source) > 1:
                break
            assert before.matrices is not None
            weights = [a.T @ g @ a for a, g in zip(before.matrices, weights, strict=True)]
            self.stages.pop()
            self.registers.pop()
            self.register_tangent.pop()
            stage = before
        stage.sink, stage.out, stage.matrices = -1, (1, 1), (weights[0], weights[1])
        self.stages.append(stage)

    def _uses(self, register: int) -> int:
        return sum(s.sink == register for s in self.stages)

    def _circular_stride(self, stage: Stage, piece: Piece) -> Stage:
        """A circular convolution at all positions, of which a stride is kept."""
        patch = piece.patch
        assert patch is not None
        axes = tuple(
            Windows(w.size_in, w.size_in, 0, 1, w.taps, True) for w in two_axes(patch.axes)
        )
        dense = Box(axes) if isinstance(patch, Box) else Points(axes, two_offsets(patch.offsets))
        plain = Piece(piece.operator, dense)
        stage.slot = self.on_planes(stage, plain, stage.slot, keep=False)
        kept = []
        for w in two_axes(patch.axes):
            positions = [(w.start + w.stride * o) % w.size_in for o in range(w.size_out)]
            kept.append(np.eye(w.size_in)[positions])
        return self.store(stage, tuple(kept))

    def _stored_sum(self, stage: Stage, piece: Piece) -> Stage:
        """A sum with a stage boundary inside: all branches add into one register."""
        if stage.operations or stage.source == INPUT:
            stage = self.store(stage)
        source, grid, tangent = stage.source, stage.grid, stage.tangent_in
        target: int | None = None
        for branch in piece.branches:
            part = self.start(source, grid, tangent)
            for inner in branch:
                part = self.step(part, inner)
            stage = self.store(part, into=target)
            target = stage.source
        return stage

    def _maps(self, stage: Stage, maps: tuple[AxisMatrices | GridMatrix, ...]) -> Stage:
        """Linear maps of the grid: one ends the stage; of several, all add into one register."""
        several = len(maps) > 1
        if several and (stage.operations or stage.source == INPUT):
            stage = self.store(stage)
        source, grid, tangent = stage.source, stage.grid, stage.tangent_in
        target: int | None = None
        for a in maps:
            assert isinstance(a, AxisMatrices), "uncovered() lets no other pass"
            part = self.start(source, grid, tangent) if several else stage
            stage = self.store(part, a.matrices, into=target)
            target = stage.source
        return stage

    def _take(self) -> int:
        if self.free:
            return self.free.pop(0)
        self.slots += 1
        return self.slots - 1

    def on_planes(self, stage: Stage, piece: Piece, slot: int, keep: bool) -> int:
        """Appends operations for a piece; returns the slot of the result.

        `keep`: the slot is needed afterwards and must not be written.
        """
        operator = piece.operator
        if isinstance(operator, Sum):
            return self._sum(stage, piece, slot, keep)
        if isinstance(operator, Weights):
            return self._weights(stage, operator, piece.patch, slot, keep)
        if keep:
            slot = self._copy(stage, slot)
        common: dict[str, Any] = {
            "src": slot,
            "dst": slot,
            "grid": stage.end,
            "out": stage.end,
            "down": stage.down,
            "tangent": stage.tangent_out,
        }
        if isinstance(operator, Scale):
            parameters = (float(operator.factor) ** 2,)
            stage.operations.append(Operation(Code.SCALE, **common, parameters=parameters))
            return slot
        if isinstance(operator, Pointwise):
            kind, parameters = kind_and_parameters(operator.activation)
        else:
            assert isinstance(operator, Normalize), "uncovered() lets no other pass"
            kind, parameters = NORMALIZE, ()
        place = {"kind": kind, "parameters": parameters, "marginal": len(self.marginals)}
        pairs = series_blocks(parameters, 0) if kind == SERIES else 1
        self.marginals += [stage.end] * pairs
        stage.operations.append(Operation(Code.ELEMENTWISE, **common, **place))
        return slot

    def _copy(self, stage: Stage, slot: int) -> int:
        target = self._take()
        stage.operations.append(
            Operation(Code.COPY, slot, target, stage.end, stage.end, stage.down, stage.tangent_out)
        )
        return target

    def _weights(
        self, stage: Stage, weights: Weights, patch: Box | Points | None, slot: int, keep: bool
    ) -> int:
        # Weights on their own are a convolution with a patch of one position.
        if patch is None:
            patch = Box(tuple(Windows(n, n, 0, 1, (0,)) for n in stage.end))
        axes = two_axes(patch.axes)
        out = (axes[0].size_out, axes[1].size_out)
        target = self._take()
        trainable = weights.trainable and self.want_ntk
        weight = float(weights.weight_std) ** 2 / weights.fan
        stage.operations.append(
            Operation(
                Code.CONV if isinstance(patch, Box) else Code.POINTS,
                slot,
                target,
                stage.end,
                out,
                stage.down,
                stage.tangent_out,
                axes=axes,
                offsets=() if isinstance(patch, Box) else two_offsets(patch.offsets),
                parameters=(weight, float(weights.bias_std) ** 2),
                trainable=trainable,
            )
        )
        stage.tangent_out = stage.tangent_out or trainable
        stage.end = out
        stage.down = (stage.down[0] * axes[0].stride, stage.down[1] * axes[1].stride)
        if not keep:
            self.free.append(slot)
        return target

    def _sum(self, stage: Stage, piece: Piece, slot: int, keep: bool) -> int:
        start = (stage.end, stage.down, stage.tangent_out)
        first, *others = piece.branches
        total = slot
        for index, inner in enumerate(first):
            total = self.on_planes(stage, inner, total, keep=index == 0)
        tangent = stage.tangent_out
        if total == slot:
            total = self._copy(stage, slot)
        for place, branch in enumerate(others, 1):
            stage.end, stage.down, stage.tangent_out = start
            held = keep or place < len(others)
            part = slot
            for index, inner in enumerate(branch):
                part = self.on_planes(stage, inner, part, keep=held and index == 0)
            grids = (stage.end, stage.end, stage.down, stage.tangent_out)
            add = Operation(Code.ADD, part, total, *grids, target_tangent=tangent)
            stage.operations.append(add)
            stage.tangent_out = tangent = stage.tangent_out or tangent
            if not (held and part == slot):
                self.free.append(part)
        return total
