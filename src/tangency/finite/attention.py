"""Attention of finitely many heads, and vectors of positions, as PyTorch modules."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor, nn

from ..nets.operators import Attend, Embed
from .layers import Draw, normal

HEADS = 2
"""How many heads there are: in the limit of wide keys all of one layer have the same weights."""


class PositionVectors(nn.Module):
    """A vector for each position, added to the channels; parameters standard normal.

    Args:
        embed: their standard deviation and covariance.
        space: the grid.
        channels: how many there are, and by how many Σ is divided.
        draw: the generator and the dtype of the parameters.
    """

    root: Tensor

    def __init__(
        self, embed: Embed, space: tuple[int, ...], channels: tuple[int, int], draw: Draw
    ) -> None:
        super().__init__()
        count, fan = channels
        self.space, self.scale = space, embed.weight_std * math.sqrt(fan / count)
        values, vectors = np.linalg.eigh(embed.covariance)
        root = vectors * np.sqrt(np.maximum(values, 0)) @ vectors.T
        self.register_buffer("root", torch.as_tensor(root).to(draw[1]), persistent=False)
        self.vectors = normal((math.prod(space), count), embed.trainable, draw)

    def forward(self, x: Tensor) -> Tensor:
        return x + self.scale * (self.root @ self.vectors).reshape(*self.space, -1)


class Heads(nn.Module):
    """Sums over positions with the weights of each head, the channels of all heads side by side.

    Keys and queries have the same weights, and products are divided by their width.

    Args:
        attend: the mechanism and the scale.
        before: what keys go through before.
        width: of the keys of one head.
        channels: how many there are, and by how many Σ is divided.
        draw: the generator and the dtype of the parameters.
    """

    def __init__(
        self,
        attend: Attend,
        before: Sequence[nn.Module],
        width: int,
        channels: tuple[int, int],
        draw: Draw,
    ) -> None:
        super().__init__()
        count, fan = channels
        self.mechanism, self.before = attend.mechanism, nn.Sequential(*before)
        self.scale = float(attend.scale) / (width * fan)
        self.keys = normal((HEADS, width, count), True, draw)

    def forward(self, x: Tensor) -> Tensor:
        values = x.flatten(1, -2)
        keys = torch.einsum("npc,hwc->nhpw", self.before(x).flatten(1, -2), self.keys)
        weights = self._weighting(self.scale * (keys @ keys.mT))
        found = torch.einsum("nhpq,nqc->nphc", weights, values)
        return found.reshape(*x.shape[:-1], -1)

    def _weighting(self, logits: Tensor) -> Tensor:
        match self.mechanism:
            case "softmax":
                return logits.softmax(-1)
            case "relu":
                return logits.relu()
            case "abs":
                return logits.abs()
        return logits

    def extra_repr(self) -> str:
        return f"{self.mechanism}, {HEADS} heads of width {self.keys.shape[1]}"
