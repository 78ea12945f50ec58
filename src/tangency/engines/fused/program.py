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
from typing import Any

import numpy as np

from ...nets import Conv, Dense, Flatten, GlobalAvgPool, LayerNorm, Residual
from ...nets.activations import ActivationLayer
from ...nets.geometry import AxisMatrices, Box, Points, Windows
from ...nets.plan import Plan, Step
from ...nets.pooling import LinearGridLayer
from ...nets.structure import Rescale
from .activations import kind_and_parameters
from .scalars import NORMALIZE

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


def marginal_program(program: Program) -> Program | None:
    """The stages up to the last activation on the grid; None where there is none."""
    last = -1
    for index, stage in enumerate(program.stages):
        if any(op.code is Code.ELEMENTWISE for op in stage.operations):
            last = index
    if last < 0:
        return None
    return replace(program, stages=program.stages[: last + 1])


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


def needed_displacements(program: Program, diagonal_only: bool) -> list[tuple[list[int], ...]]:
    """For each stage, the displacements of its source grid (per axis) that must be evaluated.

    Args:
        diagonal_only: only the diagonal of the last stage's source is needed (marginals).
    """
    wanted: list[list[set[int]]] = [[set(), set()] for _ in program.registers]
    result: list[tuple[list[int], ...]] = [([], [])] * len(program.stages)
    for index in range(len(program.stages) - 1, -1, -1):
        stage = program.stages[index]
        assert stage.matrices is not None
        last = index == len(program.stages) - 1
        axes = []
        for axis in (0, 1):
            n, down = stage.grid[axis], stage.down[axis]
            found: set[int] = set()
            if last and diagonal_only:
                found = {0}
            else:
                a = stage.matrices[axis]
                for d in _displacements(stage.end[axis], bool(stage.wrap)):
                    if last:
                        used = any(w != 0 for _, w in diagonal_weights(a, d, bool(stage.wrap)))
                    else:
                        used = bool(targets(a, d, bool(stage.wrap), wanted[stage.sink][axis]))
                    if used and abs(d * down) < n:
                        found.add(d * down)
            axes.append(sorted(found))
            if stage.source != INPUT:
                reach = found
                if stage.wrap:
                    reach = found | {d - n for d in found if d > 0}
                wanted[stage.source][axis] |= reach
        result[index] = (axes[0], axes[1])
    return result


def _displacements(n: int, wrap: bool) -> range:
    return range(n) if wrap else range(-n + 1, n)


def diagonal_weights(g: np.ndarray, d: int, wrap: bool) -> list[tuple[int, float]]:
    """(i, G[i, i+d]) for the positions i of a plane of displacement d."""
    n = g.shape[0]
    pairs = ((i, (i + d) % n if wrap else i + d) for i in range(n))
    return [(i, float(g[i, j])) for i, j in pairs if 0 <= j < n]


def targets(
    a: np.ndarray, d: int, wrap: bool, wanted: set[int] | None = None
) -> list[tuple[int, int, list[tuple[int, float]]]]:
    """What the plane of displacement d adds to, along one axis: (o, o', [(i, A[o,i]A[o',i'])]).

    Args:
        a: the linear map of the axis.
        wanted: only targets with o' − o in this set.
    """
    n = a.shape[1]
    found: dict[tuple[int, int], list[tuple[int, float]]] = {}
    for i in range(n):
        j = (i + d) % n if wrap else i + d
        if not 0 <= j < n:
            continue
        for o in np.flatnonzero(a[:, i]):
            for p in np.flatnonzero(a[:, j]):
                if wanted is None or int(p - o) in wanted:
                    found.setdefault((int(o), int(p)), []).append((i, float(a[o, i] * a[p, j])))
    return [(o, p, terms) for (o, p), terms in sorted(found.items())]
