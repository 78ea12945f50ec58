"""Pooling scales σ_k of a network in pixels of its input, and the condition on its patches."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from .. import checks
from ..checks import sizes
from ..errors import InputError
from ..kernels.network import as_network
from ..nets import Conv, GaussianPool, GlobalAvgPool, Residual, Subsample
from ..nets.base import per_axis
from ..nets.geometry import AxisMatrices, Box, Points
from ..nets.plan import Step, plan
from ..nets.pooling import LinearGridLayer
from .deformations.checks import finite, positive
from .tables import Table

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


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
class PatchCondition:
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

    def plot(self, axes: Axes | None = None) -> Figure:
        """A bar for each convolution, and the line β."""
        from ..report.style import GREEN, GREY, PURPLE, TICK, new_figure, plain_axes, put_title

        figure = None
        axes = checks.axes(axes)
        if axes is None:
            figure = new_figure(1.6 + 1.1 * max(len(self.rows), 3), 3.8)
            axes = figure.subplots()
            put_title(figure, self.title)
        ratios = [row.ratio if math.isfinite(row.ratio) else math.nan for row in self.rows]
        colours = [GREEN if row.ratio <= self.beta else PURPLE for row in self.rows]
        axes.bar(range(len(ratios)), ratios, color=colours, width=0.6)
        axes.axhline(self.beta, color=GREY, linestyle=":")
        axes.annotate(
            f"β = {self.beta:g}",
            (1, self.beta),
            xycoords=("axes fraction", "data"),
            xytext=(4, 0),
            textcoords="offset points",
            va="center",
            fontsize=TICK,
            color=GREY,
        )
        labels = [f"{row.layer}: {row.text}" for row in self.rows]
        plain_axes(axes, "layer of the network", "sup|v| / σ of the layers below")
        axes.set_xticks(range(len(labels)), labels)
        axes.set_ylim(0, 1.15 * max([self.beta, *(r for r in ratios if r == r)]))
        return figure if figure is not None else axes.figure  # type: ignore[return-value]


def _verdict(passed: bool) -> str:
    return "holds" if passed else "broken"


def patch_condition(
    net: Any, input_shape: Sequence[int], beta: float = 3.0, antialias: float = 0.5
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
    beta = positive(beta, "beta")
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
    return _State(1.0, finite(antialias, "antialias", least=0.0))


def _follow(steps: tuple[Step, ...], state: _State, rows: list[PatchRow], place: int = 0) -> _State:
    """Walks the layers; convolutions are added to `rows`. place: of the enclosing layer, if any."""
    for index, step in enumerate(steps, 1):
        layer = step.layer
        if isinstance(layer, Residual):
            where = place or index
            body = _follow(step.body, state, rows, where)
            shortcut = _follow(step.shortcut, state, rows, where)
            state = _State(body.spacing, min(body.scale, shortcut.scale))
        elif isinstance(layer, Conv):
            reach = state.spacing * _reach(step.geometry)
            rows.append(PatchRow(place or index, str(layer), reach, state.scale))
            state = state._replace(spacing=state.spacing * _stride(layer, step))
        elif isinstance(layer, Subsample):
            state = state._replace(spacing=state.spacing * _stride(layer, step))
        elif isinstance(layer, LinearGridLayer):
            width = _width(layer, step)
            state = _State(
                state.spacing * _stride(layer, step),
                max(state.scale, state.spacing * width),
            )
        elif isinstance(layer, GlobalAvgPool):
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


def _stride(layer: Any, step: Step) -> float:
    """The mean over axes (as lengths: geometric) of how much coarser the next grid is."""
    stride = getattr(layer, "stride", None)
    if stride is None:
        stride = getattr(layer, "factor", None) or getattr(layer, "size", None)
    dims = len(step.space_in)
    if stride is None:
        pairs = zip(step.space_in, step.space_out, strict=True)
        return float(np.prod([a / b for a, b in pairs])) ** (1 / dims)
    return float(np.prod(per_axis(stride, dims, "stride"))) ** (1 / dims)


def _width(layer: LinearGridLayer, step: Step) -> float:
    """The scale of a pooling filter in positions of its own grid; the smallest over the axes."""
    if isinstance(layer, GaussianPool):
        return float(layer.factor)  # type: ignore[arg-type]
    geometry = step.geometry
    if isinstance(geometry, AxisMatrices):
        return min(max(map(_spread, matrix)) for matrix in geometry.matrices)
    kernels = np.abs(geometry.matrix).reshape(-1, *step.space_in)  # type: ignore[union-attr]
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
