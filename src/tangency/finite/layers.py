"""Layers with weights as PyTorch modules; signals are (n, *space, channels), channels last."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from itertools import product

import torch
from torch import Tensor, nn
from torch.nn import functional

from ..checks import cut, shown
from ..errors import MemoryLimitError
from ..nets.geometry import Box, Points, Windows
from ..nets.operators import Weights

Draw = tuple[torch.Generator, torch.dtype]
"""Where standard normal parameters come from, and the type they get."""


class Weighted(nn.Module):
    """weight_std/√fan·⟨weight, x⟩ + bias_std·bias, parameters standard normal: NTK parametrisation.

    Without a bias if bias_std is 0. With learning rates r of their own, parameters are multiplied
    by √r, and are drawn with a variance that makes up for it. A frozen layer's parameters have
    `requires_grad=False`.

    Args:
        weights: their standard deviations.
        shape: of the weight, (channels out, channels in, *patch).
        fan: over how many numbers the variance is averaged, of a patch and of channels.
        draw: the generator and the dtype of the parameters.
    """

    def __init__(self, weights: Weights, shape: tuple[int, ...], fan: int, draw: Draw) -> None:
        super().__init__()
        self.scale = std = weights.weight_std / math.sqrt(fan)
        self.bias_std = bias_std = weights.bias_std
        learn = learn_bias = weights.trainable
        if learn and not weights.usual:
            rate, bias_rate = weights.rates
            learn, learn_bias = rate > 0, bias_rate > 0
            self.scale = math.sqrt(rate * weights.fan / fan) if learn else std
            self.bias_std = math.sqrt(bias_rate) if learn_bias else bias_std
        self.weight = normal(shape, learn, draw, std / self.scale if self.scale else 1.0)
        self.bias = None
        if self.bias_std:
            places = shape[:1] if weights.shared else (shape[0], *shape[3:])
            self.bias = normal(places, learn_bias, draw, bias_std / self.bias_std)

    def product(self, x: Tensor) -> Tensor:
        """⟨weight, x⟩ at every position of the output."""
        raise NotImplementedError

    def forward(self, x: Tensor) -> Tensor:
        y = self.scale * self.product(x)
        return y if self.bias is None else y + self.bias_std * self.bias.movedim(0, -1)

    def extra_repr(self) -> str:
        return f"{tuple(self.weight.shape)}, scale={self.scale:.4g}, bias_std={self.bias_std:.4g}"


def normal(shape: tuple[int, ...], trainable: bool, draw: Draw, std: float = 1.0) -> nn.Parameter:
    """Normal parameters, the same in every dtype up to rounding."""
    generator, dtype = draw
    # Drawn in float64 whatever the dtype: one seed is one network, up to rounding.
    try:
        values = torch.randn(shape, generator=generator, dtype=torch.float64)
    except RuntimeError as error:
        raise MemoryLimitError(
            f"weights of shape {shown(shape)} do not fit in memory ({cut(str(error))}); take a "
            "smaller width or fewer outputs"
        ) from None
    values = values if std == 1 else std * values
    return nn.Parameter(values.to(dtype), requires_grad=trainable)


class DenseWeights(Weighted):
    """A dense layer: weight (channels out, channels in)."""

    def product(self, x: Tensor) -> Tensor:
        return functional.linear(x, self.weight)


class BoxWeights(Weighted):
    """A convolution with a box as patch: weight (channels out, channels in, *patch)."""

    def __init__(
        self, weights: Weights, geometry: Box, channels: tuple[int, int], fan: int, draw: Draw
    ) -> None:
        sizes = tuple(len(w.taps) for w in geometry.axes)
        super().__init__(weights, (*channels, *sizes), fan, draw)
        self.axes = geometry.axes
        self.strides = tuple(w.stride for w in geometry.axes)
        self.dilations = tuple(w.taps[1] if len(w.taps) > 1 else 1 for w in geometry.axes)

    def product(self, x: Tensor) -> Tensor:
        x = region(x, self.axes, [(0, w.taps[-1]) for w in self.axes])
        convolution = (functional.conv1d, functional.conv2d, functional.conv3d)[len(self.axes) - 1]
        y = convolution(x.movedim(-1, 1), self.weight, stride=self.strides, dilation=self.dilations)
        return y.movedim(1, -1)


class PointWeights(Weighted):
    """A convolution with a list of offsets as patch: weight (channels out, channels in, |S|)."""

    def __init__(
        self, weights: Weights, geometry: Points, channels: tuple[int, int], fan: int, draw: Draw
    ) -> None:
        super().__init__(weights, (*channels, geometry.count), fan, draw)
        self.geometry = geometry

    def product(self, x: Tensor) -> Tensor:
        total = torch.zeros((), dtype=x.dtype, device=x.device)
        for j, part in enumerate(patches(x, self.geometry)):
            total = total + functional.linear(part, self.weight[..., j])
        return total


class LocalWeights(Weighted):
    """Weights of their own at each position: (channels out, channels in, |S|, *space out)."""

    def __init__(
        self,
        weights: Weights,
        geometry: Box | Points,
        channels: tuple[int, int],
        fan: int,
        draw: Draw,
    ) -> None:
        shape = (*channels, geometry.count, *geometry.space_out)
        super().__init__(weights, shape, fan, draw)
        self.geometry = geometry

    def product(self, x: Tensor) -> Tensor:
        total = torch.zeros((), dtype=x.dtype, device=x.device)
        for j, part in enumerate(patches(x, self.geometry)):
            total = total + torch.einsum("n...i,oi...->n...o", part, self.weight[:, :, j])
        return total


def patches(x: Tensor, geometry: Box | Points) -> Iterator[Tensor]:
    """The values at u + v, (n, *space_out, channels), for one offset v after the other."""
    if isinstance(geometry, Points):
        offsets = geometry.offsets
    else:
        offsets = tuple(product(*(w.taps for w in geometry.axes)))
    along = list(zip(*offsets, strict=True))
    lows = [min(taps) for taps in along]
    x = region(x, geometry.axes, list(zip(lows, map(max, along), strict=True)))
    for offset in offsets:
        part = x
        for axis, (w, low) in enumerate(zip(geometry.axes, lows, strict=True)):
            first = offset[axis] - low
            stop = first + w.stride * (w.size_out - 1) + 1
            part = part[(slice(None),) * (axis + 1) + (slice(first, stop, w.stride),)]
        yield part


def region(x: Tensor, axes: Sequence[Windows], spans: Sequence[tuple[int, int]]) -> Tensor:
    """The positions that windows read, and no others; outside the grid zeros, or wrapped around.

    Args:
        x: a signal (n, *space, channels).
        axes: the windows along each axis.
        spans: the least and the greatest tap along each axis.
    """
    pads: list[int] = []
    for axis, (w, (low, high)) in enumerate(zip(axes, spans, strict=True)):
        first, last = w.start + low, w.start + w.stride * (w.size_out - 1) + high
        if w.circular:
            positions = torch.arange(first, last + 1, device=x.device) % w.size_in
            x = x.index_select(axis + 1, positions)
            pads = [0, 0, *pads]
        else:
            pads = [-first, last + 1 - w.size_in, *pads]
    return functional.pad(x, [0, 0, *pads]) if any(pads) else x
