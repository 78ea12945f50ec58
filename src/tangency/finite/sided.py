"""Finite networks of inputs with masks and edges: what is other in their modules.

Which positions are masked behind each step follows from the plan and from the inputs; it is worked
out before the modules run, and lies where they find it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor, nn

from ..engines.layout import Side
from ..engines.sides import follow_steps, positions
from ..nets.operators import Aggregate, Average, Normalize, Positions, Scale
from ..nets.plan import Step
from .shaping import channel_norm


@dataclass
class Sides:
    """What the inputs of the pass that runs have beside their values.

    kept: (n, *space, 1) behind each step. counts: (n,) before it. edges: (n, nodes, nodes) or None.
    """

    kept: dict[Step, Tensor] = field(default_factory=dict)
    counts: dict[Step, Tensor] = field(default_factory=dict)
    edges: Tensor | None = None

    def enter(self, steps: Sequence[Step], side: Side, like: Tensor) -> None:
        """Take in the inputs of a pass."""
        self.kept, self.counts = {}, {}
        self.edges = None if side.edges is None else side.edges.to(like)
        for step, before, after in follow_steps(steps, side):
            self.kept[step] = torch.as_tensor(after.kept).to(like)[..., None]
            self.counts[step] = torch.as_tensor(positions(before)).to(like)


class Sided(nn.Module):
    """The module of one step, and what masks and edges do there."""

    def __init__(self, step: Step, module: nn.Module, sides: Sides) -> None:
        super().__init__()
        self.step, self.module, self.sides = step, module, sides

    def forward(self, x: Tensor) -> Tensor:
        y = self._applied(x)
        return y * self.sides.kept[self.step] if self.step.space_out else y

    def _applied(self, x: Tensor) -> Tensor:
        counts, step = self.sides.counts[self.step], self.step
        ones = (1,) * (x.ndim - 1)
        match step.operator:
            case Aggregate():
                assert self.sides.edges is not None
                return self.sides.edges.mT @ x
            case Average() if step.space_in:
                return x.flatten(1, -2).sum(1) / counts[:, None]
            case Positions() if step.space_in:
                share = x[..., 0].flatten(1).shape[1] / counts
                return x.flatten(1) * share.sqrt()[:, None]
            case Scale(positions=True):
                return x * counts.reshape(-1, *ones)
            case Normalize(space=True) if step.space_in:
                share = x[..., 0].flatten(1).shape[1] / counts.reshape(-1, *ones)
                axes = tuple(range(1, x.ndim))
                mean = x.mean(axes, keepdim=True) * share
                centred = (x - mean) * self.sides.kept[step]
                return centred / (channel_norm(centred, axes)[1] * share.sqrt())
        return self.module(x)
