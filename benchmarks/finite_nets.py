"""The networks of finite.py, in PyTorch, and their weights in a form that the other side reads."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn


@dataclass(frozen=True)
class FiniteCase:
    """A network and inputs.

    Attributes:
        layers: ("dense", in, out), ("conv", in, out, stride), ("relu",), ("gap",).
        shape: of one input, channels first.
        count: of inputs.
        chunk: pairs at once in PyTorch's kernel-vector products, which keep a copy of the
            parameters for each; the largest of a few tried that was not slower.
    """

    name: str
    layers: tuple[tuple[Any, ...], ...]
    shape: tuple[int, ...]
    count: int
    chunk: int

    @property
    def words(self) -> str:
        names = {"dense": "dense {2}", "conv": "conv3 {2}", "relu": "relu", "gap": "gap"}
        return " ".join(names[layer[0]].format(*layer) for layer in self.layers)

    def module(self) -> nn.Sequential:
        torch.manual_seed(0)
        return nn.Sequential(*[_layer(*layer) for layer in self.layers]).eval()

    def inputs(self, count: int | None = None) -> np.ndarray:
        rng = np.random.default_rng(1)
        return rng.standard_normal((count or self.count, *self.shape), dtype=np.float32)


def _layer(kind: str, *sizes: int) -> nn.Module:
    if kind == "dense":
        return nn.Linear(sizes[0], sizes[1])
    if kind == "conv":
        return nn.Conv2d(sizes[0], sizes[1], 3, stride=sizes[2], padding=1)
    return nn.ReLU() if kind == "relu" else nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten())


CASES = {
    case.name: case
    for case in (
        FiniteCase(
            "dense",
            (
                ("dense", 784, 1024),
                ("relu",),
                ("dense", 1024, 1024),
                ("relu",),
                ("dense", 1024, 1024),
                ("relu",),
                ("dense", 1024, 1),
            ),
            (784,),
            64,
            64,
        ),
        FiniteCase(
            "conv",
            (
                ("conv", 3, 64, 1),
                ("relu",),
                ("conv", 64, 128, 2),
                ("relu",),
                ("conv", 128, 256, 2),
                ("relu",),
                ("conv", 256, 512, 2),
                ("relu",),
                ("gap",),
                ("dense", 512, 1),
            ),
            (3, 32, 32),
            128,
            16,
        ),
    )
}


class Block(nn.Module):
    """Two 3×3 convolutions beside a shortcut."""

    def __init__(self, before: int, after: int, stride: int) -> None:
        super().__init__()
        self.body = nn.Sequential(
            nn.Conv2d(before, after, 3, stride, 1, bias=False),
            nn.BatchNorm2d(after),
            nn.ReLU(inplace=True),
            nn.Conv2d(after, after, 3, 1, 1, bias=False),
            nn.BatchNorm2d(after),
        )
        self.shortcut = nn.Identity()
        if stride > 1 or before != after:
            self.shortcut = nn.Sequential(
                nn.Conv2d(before, after, 1, stride, bias=False), nn.BatchNorm2d(after)
            )

    def forward(self, x: Tensor) -> Tensor:
        return torch.relu(self.body(x) + self.shortcut(x))


def resnet() -> nn.Module:
    """A residual network of 2.5 million parameters for images 3×64×64."""
    torch.manual_seed(0)
    blocks = [Block(64, 64, 1), Block(64, 64, 1), Block(64, 128, 2), Block(128, 128, 1)]
    blocks += [Block(128, 240, 2), Block(240, 240, 1)]
    stem = [nn.Conv2d(3, 64, 3, 1, 1, bias=False), nn.BatchNorm2d(64), nn.ReLU(inplace=True)]
    head = [nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(240, 1)]
    return nn.Sequential(*stem, *blocks, *head).eval()


def exported(module: nn.Sequential) -> dict[str, np.ndarray]:
    """All parameters by name."""
    return {name: p.detach().numpy() for name, p in module.named_parameters()}
