"""A network worked out for one input shape: what each layer does to Σ, and how much of Σ it needs.

Engines walk this plan. A covariance between two signals on a grid is needed in full, Σ[u,u'] for
all pairs of positions, only below a layer that mixes positions of one signal (pooling); elsewhere
its diagonal Σ[u,u] is enough, or nothing at all.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import IntEnum
from functools import lru_cache

from .activations import ActivationLayer
from .base import Layer
from .geometry import AxisMatrices, Box, GridMatrix, Points
from .linear import Conv
from .pooling import GlobalAvgPool, LinearGridLayer
from .quadrature.layer import Activation
from .signal import Signal, input_signal
from .structure import LayerNorm, Residual, Sequential


class Need(IntEnum):
    """How much of a covariance is needed; a larger need includes the smaller."""

    NOTHING = 0
    DIAGONAL = 1
    FULL = 2


@dataclass(frozen=True, eq=False)
class Step:
    """One layer on one grid.

    Attributes:
        layer: the layer.
        space_in, space_out: the grid before and after.
        need_in, need_out: what must be known of Σ before and after.
        geometry: positions of patches (Conv) or matrices (linear maps of the grid), else None.
        body, shortcut: the branches of a Residual; an identity shortcut is ().
    """

    layer: Layer
    space_in: tuple[int, ...]
    space_out: tuple[int, ...]
    need_in: Need
    need_out: Need
    geometry: Box | Points | AxisMatrices | GridMatrix | None = None
    body: tuple[Step, ...] = ()
    shortcut: tuple[Step, ...] = ()

    @property
    def reads_marginals(self) -> bool:
        """The layer divides by, or depends on, the variances of each input."""
        return isinstance(self.layer, ActivationLayer | LayerNorm)


@dataclass(frozen=True, eq=False)
class Plan:
    """All steps of a network for inputs of shape (*space, channels)."""

    net: Sequential
    input_shape: tuple[int, ...]
    steps: tuple[Step, ...]
    need_in: Need
    space_out: tuple[int, ...]

    @property
    def space(self) -> tuple[int, ...]:
        return self.input_shape[:-1]


@lru_cache(maxsize=64)
def plan(net: Sequential, input_shape: tuple[int, ...], need: Need = Need.DIAGONAL) -> Plan:
    """The plan of `net`, for a result of which `need` must be known.

    Raises:
        NetworkError: layers that do not fit the input shape.
    """
    signal = input_signal(input_shape)
    net.infer(signal)
    steps, need_in, out = _steps(net, signal, need)
    return Plan(net, tuple(input_shape), steps, need_in, out.space)


def _steps(net: Sequential, signal: Signal, need: Need) -> tuple[tuple[Step, ...], Need, Signal]:
    """The steps of a chain, what it needs of its input, and what leaves it."""
    signals = [signal]
    for layer in net.layers:
        signals.append(layer.infer(signals[-1]))
    steps = []
    for layer, before, after in zip(
        reversed(net.layers), reversed(signals[:-1]), reversed(signals[1:]), strict=True
    ):
        step = _step(layer, before, after, need)
        steps.append(step)
        need = step.need_in
    return tuple(reversed(steps)), need, signals[-1]


def _step(layer: Layer, before: Signal, after: Signal, need: Need) -> Step:
    if isinstance(layer, Residual):
        body, need_body, _ = _steps(_chain(layer.body), before, need)
        shortcut, need_shortcut, _ = _steps(_chain(layer.shortcut), before, need)
        need_in = max(need_body, need_shortcut)
        return Step(layer, before.space, after.space, need_in, need, None, body, shortcut)
    geometry, need_in = None, need
    if isinstance(layer, Conv):
        geometry = layer.geometry(before.space)
    elif isinstance(layer, LinearGridLayer):
        geometry = layer.geometry(before.space)
        if need is not Need.NOTHING and not geometry.selects:
            need_in = Need.FULL
    elif isinstance(layer, GlobalAvgPool):
        need_in = Need.NOTHING if need is Need.NOTHING else Need.FULL
    elif isinstance(layer, ActivationLayer | LayerNorm):
        need_in = max(need, Need.DIAGONAL)
    return Step(layer, before.space, after.space, need_in, need, geometry)


def _chain(branch: Layer | None) -> Sequential:
    """A branch of a Residual as a Sequential; no branch is the identity."""
    if branch is None:
        return Sequential()
    return branch if isinstance(branch, Sequential) else Sequential(branch)


def walk(steps: tuple[Step, ...]) -> Iterator[Step]:
    """All steps, those inside Residuals included (body before shortcut), in order of evaluation."""
    for step in steps:
        yield from walk(step.body)
        yield from walk(step.shortcut)
        yield step


def quadratures(net: Sequential) -> list[Activation]:
    """The activations of a network that are computed by quadrature, each once."""
    found: dict[Activation, None] = {}
    for layer in net.layers:
        if isinstance(layer, Activation):
            found[layer] = None
        elif isinstance(layer, Residual):
            for branch in (_chain(layer.body), _chain(layer.shortcut)):
                found.update(dict.fromkeys(quadratures(branch)))
    return list(found)
