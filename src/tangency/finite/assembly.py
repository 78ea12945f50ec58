"""From the steps of a plan to PyTorch modules: who has how many channels, and what is drawn."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import nn

from ..errors import InputError
from ..nets import Layer
from ..nets.activations import ActivationLayer
from ..nets.facts import HermiteOfDirection, Waves, limit_of
from ..nets.geometry import AxisMatrices, Box, GridMatrix, Points, Windows
from ..nets.meeting import Branching, Concatenate, Product, Sum
from ..nets.operators import (
    Aggregate,
    Attend,
    Average,
    Drop,
    Embed,
    Normalize,
    Pointwise,
    Positions,
    Scale,
    Stack,
    Weights,
)
from ..nets.plan import Step, joined
from .attention import HEADS, Heads, PositionVectors
from .joining import Branches, OneAfterTheOther, Products, SideBySide
from .layers import BoxWeights, DenseWeights, Draw, LocalWeights, PointWeights
from .shaping import (
    Elementwise,
    GridMap,
    GridMaps,
    GridMapsApart,
    Mean,
    Normalization,
    NormalizedHermite,
    RandomWaves,
    Scaling,
)
from .sided import Sided, Sides


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
        match step.operator:
            case Weights():
                return frozenset([step])
            case Sum() | Product() | Concatenate(parts=None):
                return frozenset().union(*map(readouts, step.branches))
            case Positions():
                mixes = bool(step.space_in)
            case Pointwise(activation):
                mixes = limit_of(activation) is not None
            case Stack(maps):
                mixes = len(maps) > 1
            case operator:
                mixes = isinstance(operator, Normalize | Concatenate | Attend)
        if mixes:
            raise InputError(
                f"{step.layer!r} comes after the last layer with weights, whose channels are the "
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
    sides: Sides | None = None

    def network(self, steps: Sequence[Step], channels: int) -> nn.Sequential:
        """The modules of all steps, for inputs of so many channels."""
        return self._chain(steps, Channels(channels, 1))[0]

    def _chain(self, steps: Sequence[Step], channels: Channels) -> tuple[nn.Sequential, Channels]:
        modules = []
        for step, patch in joined(steps):
            module, channels = self._module(step, patch, channels)
            modules.append(module if self.sides is None else Sided(step, module, self.sides))
        return nn.Sequential(*modules), channels

    def _module(
        self, step: Step, patch: Box | Points | None, channels: Channels
    ) -> tuple[nn.Module, Channels]:
        match step.operator:
            case Weights() as weights:
                return self._weights(step, weights, patch, channels)
            case Branching() as operator:
                return self._branches(step, operator, channels)
            case Pointwise(activation):
                return self._activation(activation, channels), channels
            case Normalize(space):
                self._wide_enough(step.layer)
                return Normalization(space), channels
            case Drop(keep):
                return nn.Dropout(1 - keep), channels
            case Embed() as embed:
                return self._vectors(embed, step, channels), channels
            case Attend() as attend:
                return self._heads(attend, step, channels)
            case Scale(factor):
                return Scaling(factor), channels
            case Stack((only,)):
                return GridMap(only, self.draw[1]), channels
            case Stack(maps, apart=True):
                return self._apart(step, maps, channels)
            case Stack(maps):
                found = GridMaps(GridMap(a, self.draw[1]) for a in maps)
                return found, Channels(len(maps) * channels.count, channels.fan)
            case Average():
                return Mean(), channels
            case Aggregate() if self.sides is not None:
                return nn.Identity(), channels
            case Positions():
                positions = math.prod(step.space_in)
                return nn.Flatten(), Channels(channels.count * positions, channels.fan * positions)
        raise InputError(f"{step.layer!r} has no counterpart of finite width")

    def _weights(
        self, step: Step, weights: Weights, patch: Box | Points | None, channels: Channels
    ) -> tuple[nn.Module, Channels]:
        out = self.outputs if step in self.last else self.width
        sizes, fan = (out, channels.count), channels.fan * weights.fan
        if patch is None and step.space_in:
            patch = Box(tuple(Windows(n, n, 0, 1, (0,)) for n in step.space_in))
        if patch is None:
            module = DenseWeights(weights, sizes, fan, self.draw)
        elif not weights.shared:
            module = LocalWeights(weights, patch, sizes, fan, self.draw)
        elif isinstance(patch, Box):
            module = BoxWeights(weights, patch, sizes, fan, self.draw)
        else:
            module = PointWeights(weights, patch, sizes, fan, self.draw)
        return module, Channels(out, out)

    def _apart(
        self, step: Step, maps: Sequence[AxisMatrices | GridMatrix], channels: Channels
    ) -> tuple[nn.Module, Channels]:
        share, rest = divmod(channels.count, len(maps))
        if rest:
            raise InputError(
                f"{step.layer!r} shares the channels out to {len(maps)} places, but there are "
                f"{channels.count}; take a width that is a multiple of {len(maps)}"
            )
        found = GridMapsApart(GridMap(a, self.draw[1]) for a in maps)
        return found, Channels(share, channels.fan // len(maps))

    def _vectors(self, embed: Embed, step: Step, channels: Channels) -> nn.Module:
        return PositionVectors(embed, step.space_in, (channels.count, channels.fan), self.draw)

    def _heads(self, attend: Attend, step: Step, channels: Channels) -> tuple[nn.Module, Channels]:
        before = [
            self._vectors(operator, step, channels)
            if isinstance(operator, Embed)
            else Scaling(operator.factor)
            for operator in attend.before
        ]
        sizes = (channels.count, channels.fan)
        heads = Heads(attend, before, self.width, sizes, self.draw)
        return heads, Channels(HEADS * channels.count, HEADS * channels.fan)

    def _activation(self, layer: ActivationLayer, channels: Channels) -> nn.Module:
        match limit_of(layer):
            case None:
                module = Elementwise(layer)
                module(torch.zeros(1))  # a kernel that no function has says so at once
                return module
            case Waves(sigma):
                self._wide_enough(layer)
                return RandomWaves(sigma, channels.count, self.draw[1])
            case HermiteOfDirection(degree, power):
                self._wide_enough(layer)
                return NormalizedHermite(degree, power)

    def _branches(
        self, step: Step, operator: Branching, channels: Channels
    ) -> tuple[nn.Module, Channels]:
        chains, ends = zip(*(self._chain(b, channels) for b in step.branches), strict=True)
        names = [f"branch_{place}" for place in range(len(chains))]
        if isinstance(operator, Sum) and operator.residual:
            names = ["body", "shortcut"]
        named = dict(zip(names, chains, strict=True))
        larger = max(ends, key=lambda c: (c.count, c.fan))
        factors = [math.sqrt(larger.fan / end.fan) for end in ends]
        match operator:
            case Sum():
                return Branches(named, larger.count, factors), larger
            case Product():
                fan = larger.count * math.prod(end.fan / end.count for end in ends)
                return Products(named, larger.count), Channels(larger.count, round(fan))
            case Concatenate(parts=None, axis=axis):
                return OneAfterTheOther(named, larger.count, factors, axis), larger
            case Concatenate(parts=parts) if parts is not None:
                count = sum(end.count for end in ends)
                factors = [math.sqrt(p * count / c.fan) for p, c in zip(parts, ends, strict=True)]
                return SideBySide(named, count, factors), Channels(count, count)
        raise InputError(f"{step.layer!r} has no counterpart of finite width")

    def _wide_enough(self, layer: Layer) -> None:
        if self.width < 2:
            raise InputError(
                f"{layer!r} measures a norm over the channels and needs a width of at least 2, "
                f"got {self.width}"
            )
