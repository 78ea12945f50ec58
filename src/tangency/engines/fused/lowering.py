"""From the plan of a network to a program of stages and operations on planes."""

from __future__ import annotations

from typing import Any

import numpy as np

from ...nets import Conv, Dense, Flatten, GlobalAvgPool, LayerNorm, Residual
from ...nets.activations import ActivationLayer
from ...nets.geometry import AxisMatrices, Box, Points, Windows
from ...nets.plan import Plan, Step
from ...nets.pooling import LinearGridLayer
from ...nets.structure import Rescale
from .activations import kind_and_parameters
from .program import INPUT, Code, Operation, Program, Stage, Uncovered
from .scalars import NORMALIZE


def lower(plan: Plan, want_ntk: bool) -> Program:
    """The program of the grid part of a network.

    Raises:
        Uncovered: with the reason.
    """
    if len(plan.space) not in (1, 2):
        raise Uncovered(f"it works on grids of 1 or 2 dimensions, not {len(plan.space)}")
    builder = _Builder(want_ntk)
    stage = builder.start(INPUT, _grid(plan.space), False)
    for index, step in enumerate(plan.steps):
        if isinstance(step.layer, GlobalAvgPool | Flatten):
            builder.readout(stage, isinstance(step.layer, GlobalAvgPool))
            rest = plan.steps[index + 1 :]
            break
        stage = builder.step(stage, step)
    else:
        raise Uncovered("the network ends on a grid")
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
    for step in steps:
        if not isinstance(step.layer, Flatten):
            stage.slot = builder.on_planes(stage, step, stage.slot, keep=False)
    stage.matrices = (np.eye(1), np.eye(1))
    return Program((stage,), (), (), tuple(builder.marginals), (), stage.tangent_out, builder.slots)


def _grid(space: tuple[int, ...]) -> tuple[int, int]:
    return (1, space[0]) if len(space) == 1 else (space[0], space[1])


def breaks(step: Step) -> bool:
    """The step, or one inside it, mixes positions of one signal and so ends a stage."""
    if isinstance(step.layer, Residual):
        return any(map(breaks, step.body + step.shortcut))
    return isinstance(step.layer, LinearGridLayer) or _wraps_and_strides(step)


def _wraps(step: Step) -> bool | None:
    """True: needs planes that wrap; False: needs planes that do not; None: either."""
    geometry = step.geometry
    if not isinstance(geometry, Box | Points):
        return None
    if any(w.circular for w in geometry.axes):
        return True
    pointwise = isinstance(geometry, Box) and geometry.count == 1
    return None if pointwise and all(w.stride == 1 for w in geometry.axes) else False


def _wraps_and_strides(step: Step) -> bool:
    geometry = step.geometry
    return bool(_wraps(step)) and any(w.stride != 1 for w in geometry.axes)  # type: ignore[union-attr]


def _total_stride(steps: tuple[Step, ...]) -> tuple[int, int]:
    """The product of the strides of a branch, per axis."""
    down = (1, 1)
    for step in steps:
        if isinstance(step.layer, Residual):
            more = _total_stride(step.body)
        elif isinstance(step.geometry, Box | Points):
            first, second = _two_axes(step.geometry.axes)
            more = (first.stride, second.stride)
        else:
            continue
        down = (down[0] * more[0], down[1] * more[1])
    return down


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

    def step(self, stage: Stage, step: Step) -> Stage:
        """Appends a step of the network; may end the stage and begin another."""
        wrap = self._wrap_of(step)
        if wrap is not None and stage.wrap is not None and wrap != stage.wrap:
            stage = self.store(stage)
        if wrap is not None:
            stage.wrap = wrap
        if isinstance(step.layer, LinearGridLayer):
            assert isinstance(step.geometry, AxisMatrices), "covered() lets no other pass"
            return self.store(stage, step.geometry.matrices)
        if isinstance(step.layer, Residual) and (breaks(step) or self._mixed(step)):
            return self._stored_residual(stage, step)
        if _wraps_and_strides(step):
            return self._circular_stride(stage, step)
        stage.slot = self.on_planes(stage, step, stage.slot, keep=False)
        return stage

    def _wrap_of(self, step: Step) -> bool | None:
        if not isinstance(step.layer, Residual):
            return _wraps(step)
        found = {self._wrap_of(s) for s in step.body + step.shortcut} - {None}
        return found.pop() if len(found) == 1 else None

    def _mixed(self, step: Step) -> bool:
        """The branches do not fit on the planes of one stage."""
        found = {self._wrap_of(s) for s in step.body + step.shortcut} - {None}
        inner = [s for s in step.body + step.shortcut if isinstance(s.layer, Residual)]
        if len(found) > 1 or any(map(self._mixed, inner)):
            return True
        # Grids can agree where strides do not: δ would then mean two things.
        return _total_stride(step.body) != _total_stride(step.shortcut)

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

    def _circular_stride(self, stage: Stage, step: Step) -> Stage:
        """A circular convolution at all positions, of which a stride is kept."""
        geometry = step.geometry
        assert isinstance(geometry, Box | Points)
        axes = tuple(
            Windows(w.size_in, w.size_in, 0, 1, w.taps, True) for w in _two_axes(geometry.axes)
        )
        dense = (
            Box(axes) if isinstance(geometry, Box) else Points(axes, _two_offsets(geometry.offsets))
        )
        plain = Step(step.layer, step.space_in, step.space_in, step.need_in, step.need_out, dense)
        stage.slot = self.on_planes(stage, plain, stage.slot, keep=False)
        kept = []
        for w in _two_axes(geometry.axes):
            positions = [(w.start + w.stride * o) % w.size_in for o in range(w.size_out)]
            kept.append(np.eye(w.size_in)[positions])
        return self.store(stage, tuple(kept))

    def _stored_residual(self, stage: Stage, step: Step) -> Stage:
        """A Residual with a stage boundary inside: both branches add into one register."""
        if stage.operations or stage.source == INPUT:
            stage = self.store(stage)
        source, grid, tangent = stage.source, stage.grid, stage.tangent_in
        target: int | None = None
        for branch in (step.body, step.shortcut):
            part = self.start(source, grid, tangent)
            for inner in branch:
                part = self.step(part, inner)
            stage = self.store(part, into=target)
            target = stage.source
        return stage

    def _take(self) -> int:
        if self.free:
            return self.free.pop(0)
        self.slots += 1
        return self.slots - 1

    def on_planes(self, stage: Stage, step: Step, slot: int, keep: bool) -> int:
        """Appends operations for a step; returns the slot of the result.

        `keep`: the slot is needed afterwards and must not be written.
        """
        layer = step.layer
        if isinstance(layer, Residual):
            return self._residual(stage, step, slot, keep)
        if isinstance(layer, Conv | Dense):
            return self._weights(stage, step, layer, slot, keep)
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
        if isinstance(layer, ActivationLayer | LayerNorm):
            kind, parameters = (
                (NORMALIZE, ()) if isinstance(layer, LayerNorm) else kind_and_parameters(layer)
            )
            self.marginals.append(stage.end)
            operation = Operation(
                Code.ELEMENTWISE,
                **common,
                kind=kind,
                parameters=parameters,
                marginal=len(self.marginals) - 1,
            )
        else:
            assert isinstance(layer, Rescale), "covered() lets no other pass"
            operation = Operation(Code.SCALE, **common, parameters=(float(layer.factor) ** 2,))
        stage.operations.append(operation)
        return slot

    def _copy(self, stage: Stage, slot: int) -> int:
        target = self._take()
        stage.operations.append(
            Operation(Code.COPY, slot, target, stage.end, stage.end, stage.down, stage.tangent_out)
        )
        return target

    def _weights(self, stage: Stage, step: Step, layer: Conv | Dense, slot: int, keep: bool) -> int:
        # A dense layer is a convolution with a patch of one position.
        geometry = step.geometry or Box((Windows(1, 1, 0, 1, (0,)),))
        assert isinstance(geometry, Box | Points)
        axes = _two_axes(geometry.axes)
        out = (axes[0].size_out, axes[1].size_out)
        target = self._take()
        weight = float(layer.weight_std) ** 2 / geometry.count
        stage.operations.append(
            Operation(
                Code.CONV if isinstance(geometry, Box) else Code.POINTS,
                slot,
                target,
                stage.end,
                out,
                stage.down,
                stage.tangent_out,
                axes=axes,
                offsets=() if isinstance(geometry, Box) else _two_offsets(geometry.offsets),
                parameters=(weight, float(layer.bias_std) ** 2),
                trainable=layer.trainable and self.want_ntk,
            )
        )
        stage.tangent_out = stage.tangent_out or (layer.trainable and self.want_ntk)
        stage.end = out
        stage.down = (stage.down[0] * axes[0].stride, stage.down[1] * axes[1].stride)
        if not keep:
            self.free.append(slot)
        return target

    def _residual(self, stage: Stage, step: Step, slot: int, keep: bool) -> int:
        start = (stage.end, stage.down, stage.tangent_out)
        body = slot
        for index, inner in enumerate(step.body):
            body = self.on_planes(stage, inner, body, keep=index == 0)
        tangent = stage.tangent_out
        if body == slot:
            body = self._copy(stage, slot)
        stage.end, stage.down, stage.tangent_out = start
        shortcut = slot
        for index, inner in enumerate(step.shortcut):
            shortcut = self.on_planes(stage, inner, shortcut, keep=keep and index == 0)
        stage.operations.append(
            Operation(
                Code.ADD,
                shortcut,
                body,
                stage.end,
                stage.end,
                stage.down,
                stage.tangent_out,
                target_tangent=tangent,
            )
        )
        stage.tangent_out = stage.tangent_out or tangent
        if not (keep and shortcut == slot):
            self.free.append(shortcut)
        return body


def _two_axes(axes: tuple[Windows, ...]) -> tuple[Windows, Windows]:
    if len(axes) == 2:
        return (axes[0], axes[1])
    return (Windows(1, 1, 0, 1, (0,), axes[0].circular), axes[0])


def _two_offsets(offsets: tuple[tuple[int, ...], ...]) -> tuple[tuple[int, int], ...]:
    return tuple((o[0], o[1]) if len(o) == 2 else (0, o[0]) for o in offsets)
