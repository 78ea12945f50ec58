"""Layers without weights as PyTorch modules; signals are (n, *space, channels), channels last."""

from __future__ import annotations

import math

import numpy as np
import torch
from torch import Tensor, nn

from ..errors import NetworkError
from ..nets.activations import ActivationLayer, Hermite
from ..nets.geometry import AxisMatrices, GridMatrix
from ..nets.identity import foreign
from ..nets.values import own
from ..printable import shown


class Elementwise(nn.Module):
    """The scalar function of an activation, applied to every number."""

    def __init__(self, layer: ActivationLayer) -> None:
        super().__init__()
        self.layer = layer

    def forward(self, x: Tensor) -> Tensor:
        try:
            found = self.layer(own(x) if foreign(self.layer) else x)
        except Exception as error:
            if isinstance(error, NetworkError) or not foreign(self.layer):
                raise
            raise NetworkError(
                f"{type(self.layer).__name__}.__call__ cannot compute with tensors ({error}); take "
                "functions of the arrays' own library there "
                "(array_api_compat.array_namespace(u).exp), not NumPy's or SciPy's"
            ) from error
        if getattr(found, "shape", None) != x.shape:
            raise NetworkError(
                f"{self.layer!r} must give one number for each; it gave {shown(found)} for a "
                f"tensor of shape {tuple(x.shape)}"
            )
        return found

    def extra_repr(self) -> str:
        return repr(self.layer)


class RandomWaves(nn.Module):
    """r·√2·cos(x_c/(σr) + φ_c), r the norm over the channels: the features of `Exponential(σ)`.

    For Gaussian channels of correlation c, E[2cos(βg + φ)cos(βg' + φ)] over the phase is
    exp(−β²(1 − c)) with β = 1/σ, and so is the mean of the product of derivatives times σ². The
    phases are spaced evenly over the channels, so that the terms in g + g' cancel exactly.

    Source: random Fourier features, Rahimi & Recht 2007, of the kernel of Mairal 2016.
    """

    phases: Tensor

    def __init__(self, sigma: float, channels: int, dtype: torch.dtype) -> None:
        super().__init__()
        self.sigma = sigma
        phases = torch.arange(channels, dtype=torch.float64) * (math.pi / channels)
        self.register_buffer("phases", phases.to(dtype), persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        size, divisor = channel_norm(x)
        return math.sqrt(2.0) * size * torch.cos(x / (self.sigma * divisor) + self.phases)


class NormalizedHermite(nn.Module):
    """r^p·h_d(x_c/r), r the norm over the channels: the features of `Polynomial(d)`."""

    def __init__(self, degree: int, power: int = 1) -> None:
        super().__init__()
        self.function, self.power = Hermite(degree), power

    def forward(self, x: Tensor) -> Tensor:
        size, divisor = channel_norm(x)
        return size**self.power * self.function(x / divisor)


class Normalization(nn.Module):
    """(x − mean)/standard deviation over the channels, of all positions with `space`.

    Zero where all channels are equal.
    """

    def __init__(self, space: bool = False) -> None:
        super().__init__()
        self.space = space

    def forward(self, x: Tensor) -> Tensor:
        axes = tuple(range(1, x.ndim)) if self.space else (-1,)
        centred = x - x.mean(axes, keepdim=True)
        return centred / channel_norm(centred, axes)[1]


def channel_norm(x: Tensor, axes: tuple[int, ...] = (-1,)) -> tuple[Tensor, Tensor]:
    """The root mean square over the channels, and the same with 1 in place of 0, to divide by."""
    square = x.square().mean(axes, keepdim=True)
    positive = square >= torch.finfo(x.dtype).tiny
    # Two `where`s: the branch not taken must have a finite derivative too, as 0·∞ is NaN.
    root = torch.where(positive, square, 1.0).sqrt()
    return torch.where(positive, root, 0.0), root


class GridMap(nn.Module):
    """A linear map of the grid, one matrix per axis or one for all positions."""

    def __init__(self, geometry: AxisMatrices | GridMatrix, dtype: torch.dtype) -> None:
        super().__init__()
        self.space_out = geometry.space_out
        self.whole = isinstance(geometry, GridMatrix)
        matrices = [geometry.matrix] if isinstance(geometry, GridMatrix) else geometry.matrices
        self.names = [f"matrix_{i}" for i in range(len(matrices))]
        for name, matrix in zip(self.names, matrices, strict=True):
            values = torch.as_tensor(np.array(matrix)).to(dtype)
            self.register_buffer(name, values, persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        if self.whole:
            y = self.get_buffer(self.names[0]) @ x.flatten(1, -2)
            return y.reshape(x.shape[0], *self.space_out, x.shape[-1])
        for axis, name in enumerate(self.names):
            matrix = self.get_buffer(name)
            x = (x.movedim(axis + 1, -1) @ matrix.mT).movedim(-1, axis + 1)
        return x

    def extra_repr(self) -> str:
        return f"to {'×'.join(map(str, self.space_out))}"


class GridMaps(nn.ModuleList):
    """Linear maps of the grid, the channels of all side by side."""

    def forward(self, x: Tensor) -> Tensor:
        return torch.cat([a(x) for a in self], dim=-1)


class GridMapsApart(nn.ModuleList):
    """Linear maps of the grid, each of channels of its own, their results added."""

    def forward(self, x: Tensor) -> Tensor:
        shares = torch.chunk(x, len(self), dim=-1)
        return torch.stack([a(x) for a, x in zip(self, shares, strict=True)]).sum(0)


class Mean(nn.Module):
    """The mean over the whole grid."""

    def forward(self, x: Tensor) -> Tensor:
        return x.flatten(1, -2).mean(1)


class Scaling(nn.Module):
    """Multiplication by a constant."""

    def __init__(self, factor: float) -> None:
        super().__init__()
        self.factor = factor

    def forward(self, x: Tensor) -> Tensor:
        return self.factor * x

    def extra_repr(self) -> str:
        return f"{self.factor:g}"
