"""Pooling scales σ_k of a network in pixels of its input, and the condition on its patches."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from ..checks import number, sizes
from ..errors import InputError
from ..nets.coerce import as_network
from ..nets.geometry import AxisMatrices, Box, GridMatrix, Points
from ..nets.meeting import Branching
from ..nets.operators import Average, Shifts, Stack
from ..nets.plan import Step, plan
from ..results import Result, Table

if TYPE_CHECKING:
    from ..typing import NetworkLike


class PatchRow(NamedTuple):
    """One convolution: its place in the network (from 1), text, and sizes in input pixels."""

    layer: int
    text: str
    reach: float
    scale: float

    @property
    def ratio(self) -> float:
        """sup|v| / σ_{k-1}: the β that the layer needs."""
        return self.reach / self.scale if self.scale > 0 else math.inf


@dataclass(frozen=True)
class PatchCondition(Result):
    """Whether sup|v| ≤ β σ_{k-1} holds in every convolution; made by `patch_condition`.

    Attributes:
        rows: one for each convolution, in order (body before shortcut).
        beta: the bound β.
        scale: σ_n, the pooling scale at the end of the network, in pixels.
    """

    net: str
    rows: tuple[PatchRow, ...]
    beta: float
    scale: float

    @property
    def broken(self) -> tuple[PatchRow, ...]:
        """The layers that break the condition."""
        return tuple(row for row in self.rows if not row.ratio <= self.beta)

    @property
    def holds(self) -> bool:
        """No layer breaks it."""
        return not self.broken

    @property
    def title(self) -> str:
        return "Patch size against the pooling scale below"

    @property
    def reading(self) -> str:
        return (
            "Each bar is the reach sup|v| of a patch over the pooling scale σ of the layers below "
            "it; bars above the line are patches too large for the bound with this β."
        )

    @property
    def summary(self) -> str:
        if self.holds:
            return (
                f"All {len(self.rows)} convolutions keep sup|v| ≤ β·σ with β = {self.beta:g}; the "
                f"network's pooling scale is {self.scale:.3g} pixels."
            )
        named = ", ".join(
            f"layer {row.layer} ({row.text}: sup|v| = {row.reach:.3g}, σ = {row.scale:.3g} pixels)"
            for row in self.broken
        )
        return f"The condition sup|v| ≤ β·σ with β = {self.beta:g} is broken by {named}."

    def table(self) -> Table:
        """Layer, sup|v| and σ_{k-1} in input pixels, their ratio, and whether the layer passes."""
        rows = [
            (row.layer, row.text, row.reach, row.scale, row.ratio, _verdict(row.ratio <= self.beta))
            for row in self.rows
        ]
        return Table(("layer", "text", "sup|v|", "σ below", "ratio", "condition"), rows)


def _verdict(passed: bool) -> str:
    return "holds" if passed else "broken"


def patch_condition(
    net: NetworkLike, input_shape: Sequence[int], beta: float = 3.0, antialias: float = 0.5
) -> PatchCondition:
    """The condition sup_{v∈S_k} |v| ≤ β σ_{k-1} of the stability bounds, layer by layer.

    Args:
        net: a network, or its text form.
        input_shape: (*space, channels).
        beta: the bound's β, on which its constants depend.
        antialias: σ_0, the standard deviation in pixels of the A₀ that the images went through.

    Everything is in pixels of the input: a patch's offsets v, from the patch's middle (a list of
    offsets: from the offset 0), times the strides below it. σ_{k-1} is the largest scale of the
    poolings below the layer, σ_0 if there is none; see `pooling_scale`. Where branches of a
    residual layer meet, the smaller scale counts.

    Source: Bietti & Mairal, *Group invariance, stability to deformations ...*, JMLR 2019.

    Raises:
        NetworkError: layers that do not fit. InputError: bad numbers.

    >>> from tangency.bias.patches import patch_condition
    >>> check = patch_condition("conv3 relu gauss2 conv7 relu gap dense", (28, 28, 1))
    >>> print(check.table())
    layer   text  sup|v|  σ below  ratio  condition
        1  conv3   1.414      0.5  2.828      holds
        4  conv7   8.485        2  4.243     broken
    """
    beta = number(beta, "beta", above=0)
    steps = plan(as_network(net), sizes(input_shape, "input_shape")).steps
    rows: list[PatchRow] = []
    state = _follow(steps, _start(antialias), rows)
    return PatchCondition(str(as_network(net)), tuple(rows), beta, state.scale)


def pooling_scale(net: Any, input_shape: Sequence[int], antialias: float = 0.5) -> float:
    """σ_n: the largest scale of the poolings of a network, in pixels of its input.

    The scale of a filter is the s of exp(−|u|²/s²): the factor of a `GaussianPool`; for any other
    linear pooling √2 times the standard deviation of its weights, which is the s of the Gaussian
    of equal spread (window/√6 for a wide mean over a window, the whole grid for a global mean).
    It is multiplied by all strides before it. Without pooling it is `antialias`.

    >>> from tangency.bias.patches import pooling_scale
    >>> pooling_scale("conv3 relu gauss2 conv3 relu gauss2 flatten dense", (28, 28, 1))
    4.0
    """
    steps = plan(as_network(net), sizes(input_shape, "input_shape")).steps
    return _follow(steps, _start(antialias), []).scale


class _State(NamedTuple):
    """How many input pixels apart two positions are, and the largest scale of pooling so far."""

    spacing: float
    scale: float


def _start(antialias: float) -> _State:
    return _State(1.0, number(antialias, "antialias", least=0.0))


def _follow(steps: Sequence[Step], state: _State, rows: list[PatchRow], place: int = 0) -> _State:
    """Walks the layers; patches are added to `rows`. place: of the enclosing layer, if any."""
    index = 0
    for step in steps:
        index += step.part == 0
        match step.operator:
            case Branching():
                found = [_follow(b, state, rows, place or index) for b in step.branches]
                state = _State(found[0].spacing, min(each.scale for each in found))
            case Shifts(geometry):
                reach = state.spacing * _reach(geometry)
                rows.append(PatchRow(place or index, str(step.layer), reach, state.scale))
                coarser = _mean_of([w.stride for w in geometry.axes])
                state = state._replace(spacing=state.spacing * coarser)
            case Stack() as stack:
                coarser = _mean_of(stack.strides or np.divide(step.space_in, step.space_out))
                # What only picks positions blurs nothing.
                blurs = not all(a.selects for a in stack.maps)
                width = state.spacing * _width(stack, step.space_in) if blurs else 0.0
                state = _State(state.spacing * coarser, max(state.scale, width))
            case Average():
                width = min(_spread(np.ones(n)) for n in step.space_in)
                state = state._replace(scale=max(state.scale, state.spacing * width))
    return state


def _reach(geometry: Any) -> float:
    """sup|v| of a patch in positions of its own grid, from its middle."""
    if isinstance(geometry, Box):
        return math.hypot(*((max(axis.taps) - min(axis.taps)) / 2 for axis in geometry.axes))
    if isinstance(geometry, Points):
        return max(math.hypot(*offset) for offset in geometry.offsets)
    raise InputError(f"a patch of kind {type(geometry).__name__} has no known reach")


def _mean_of(strides: Any) -> float:
    """The mean over axes of how much coarser the next grid is (as lengths: geometric)."""
    return float(np.prod(strides)) ** (1 / len(strides))


def _width(stack: Stack, space: tuple[int, ...]) -> float:
    """The scale of a pooling filter in positions of its own grid; the smallest over the axes."""
    if stack.width is not None:
        return stack.width
    return min(_width_of(a, space) for a in stack.maps)


def _width_of(a: AxisMatrices | GridMatrix, space: tuple[int, ...]) -> float:
    if isinstance(a, AxisMatrices):
        return min(max(map(_spread, matrix)) for matrix in a.matrices)
    kernels = np.abs(a.matrix).reshape(-1, *space)
    dims = range(1, kernels.ndim)
    return min(
        max(map(_spread, kernels.sum(axis=tuple(d for d in dims if d != axis)))) for axis in dims
    )


def _spread(weights: np.ndarray) -> float:
    """√2 times the standard deviation of positions under the weights |w|."""
    share = np.abs(weights)
    if share.sum() == 0:
        return 0.0
    share = share / share.sum()
    place = np.arange(len(share))
    mean = share @ place
    return math.sqrt(2 * float(share @ (place - mean) ** 2))
