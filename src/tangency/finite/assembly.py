"""From the steps of a plan to PyTorch modules: who has how many channels, and what is drawn."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from torch import nn

from ..errors import InputError
from ..nets import Conv, Dense, Flatten, GlobalAvgPool, LayerNorm, Residual
from ..nets.activations import ActivationLayer, Exponential, Polynomial
from ..nets.facts import is_a
from ..nets.geometry import AxisMatrices, Box, GridMatrix, Points
from ..nets.plan import Step
from ..nets.structure import Rescale
from .layers import BoxWeights, DenseWeights, Draw, PointWeights
from .shaping import (
    Branches,
    GridMap,
    Mean,
    Normalization,
    NormalizedHermite,
    Pointwise,
    RandomWaves,
    Scale,
)


@dataclass(frozen=True)
class Channels:
    """The channels of a signal: Σ is the sum of products over `count` of them, divided by `fan`.

    Inputs have fan 1 (their channels are summed); after weights both numbers are the width, and
    Flatten multiplies both by the number of positions.
    """

    count: int
    fan: int


def readouts(steps: Sequence[Step]) -> frozenset[Step]:
    """The layers whose channels are the outputs: the last with weights, in each branch.

    Raises:
        InputError: after the last weights the channels are mixed, multiplied or added to hidden
            ones, or there are no weights.
    """
    for step in reversed(steps):
        layer = step.layer
        if isinstance(layer, Dense | Conv):
            return frozenset([step])
        if isinstance(layer, Residual):
            return readouts(step.body) | readouts(step.shortcut)
        mixes = isinstance(layer, LayerNorm | Exponential | Polynomial)
        if mixes or (isinstance(layer, Flatten) and step.space_in):
            raise InputError(
                f"{layer!r} comes after the last layer with weights, whose channels are the "
                "outputs, but it does not act on each channel alone; add Dense() at the end"
            )
    raise InputError(
        "there is no layer with weights at the end of the network, or of a branch of its last "
        "Residual (an identity shortcut has none), which could have `outputs` channels; add "
        "Dense() at the end"
    )


@dataclass(frozen=True)
class Assembly:
    """Makes modules: `width` channels everywhere but in `last`, which have `outputs`."""

    width: int
    outputs: int
    last: frozenset[Step]
    draw: Draw

    def network(self, steps: Sequence[Step], channels: int) -> nn.Sequential:
        """The modules of all steps, for inputs of so many channels."""
        return self._chain(steps, Channels(channels, 1))[0]

    def _chain(self, steps: Sequence[Step], channels: Channels) -> tuple[nn.Sequential, Channels]:
        modules = []
        for step in steps:
            module, channels = self._module(step, channels)
            modules.append(module)
        return nn.Sequential(*modules), channels

    def _module(self, step: Step, channels: Channels) -> tuple[nn.Module, Channels]:
        layer, geometry = step.layer, step.geometry
        if isinstance(layer, Dense | Conv):
            return self._weights(step, layer, channels)
        if isinstance(layer, Residual):
            return self._branches(step, channels)
        if isinstance(layer, ActivationLayer):
            return self._activation(layer, channels), channels
        if isinstance(layer, LayerNorm):
            self._wide_enough(layer)
            return Normalization(), channels
        if isinstance(layer, Rescale):
            return Scale(layer.factor), channels
        if isinstance(geometry, AxisMatrices | GridMatrix):
            return GridMap(geometry, self.draw[1]), channels
        if isinstance(layer, GlobalAvgPool):
            return Mean(), channels
        if isinstance(layer, Flatten):
            positions = math.prod(step.space_in)
            return nn.Flatten(), Channels(channels.count * positions, channels.fan * positions)
        raise InputError(f"{layer!r} has no counterpart of finite width")

    def _weights(
        self, step: Step, layer: Dense | Conv, channels: Channels
    ) -> tuple[nn.Module, Channels]:
        out = self.outputs if step in self.last else self.width
        sizes, geometry = (out, channels.count), step.geometry
        if isinstance(layer, Dense):
            module = DenseWeights(layer, sizes, channels.fan, self.draw)
        elif isinstance(geometry, Box):
            module = BoxWeights(layer, geometry, sizes, channels.fan, self.draw)
        else:
            assert isinstance(geometry, Points)
            module = PointWeights(layer, geometry, sizes, channels.fan, self.draw)
        return module, Channels(out, out)

    def _activation(self, layer: ActivationLayer, channels: Channels) -> nn.Module:
        if is_a(layer, Exponential):
            self._wide_enough(layer)
            return RandomWaves(layer, channels.count, self.draw[1])
        if is_a(layer, Polynomial):
            self._wide_enough(layer)
            return NormalizedHermite(layer)
        return Pointwise(layer)

    def _branches(self, step: Step, channels: Channels) -> tuple[nn.Module, Channels]:
        body, inner = self._chain(step.body, channels)
        shortcut, outer = self._chain(step.shortcut, channels)
        larger = max(inner, outer, key=lambda c: (c.count, c.fan))
        factors = (math.sqrt(larger.fan / inner.fan), math.sqrt(larger.fan / outer.fan))
        return Branches(body, shortcut, larger.count, factors), larger

    def _wide_enough(self, layer: ActivationLayer | LayerNorm) -> None:
        if self.width < 2:
            raise InputError(
                f"{layer!r} measures a norm over the channels and needs a width of at least 2, "
                f"got {self.width}"
            )
