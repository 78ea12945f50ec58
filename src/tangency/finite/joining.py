"""Branches that meet, as PyTorch modules.

A signal carries its covariance as a sum over channels divided by its `fan` (1 for inputs, the
width after weights). Rescaling brings branches to one fan; products between the channels of two
branches average to zero, as weights end all of them but one.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional


class _Meeting(nn.Module):
    """Branches by their names, and how many channels there are where they have met."""

    def __init__(
        self, branches: Mapping[str, nn.Module], channels: int, factors: Sequence[float] = ()
    ) -> None:
        super().__init__()
        self.names, self.channels, self.factors = list(branches), channels, list(factors)
        for name, branch in branches.items():
            self.add_module(name, branch)

    def ends(self, x: Tensor) -> list[Tensor]:
        """What leaves each branch, rescaled."""
        found = [self.get_submodule(name)(x) for name in self.names]
        if not self.factors:
            return found
        pairs = zip(found, self.factors, strict=True)
        return [end if factor == 1 else factor * end for end, factor in pairs]

    def filled(self, x: Tensor) -> Tensor:
        """Zeros for the channels that are missing."""
        missing = self.channels - x.shape[-1]
        return functional.pad(x, [0, missing]) if missing else x


class Branches(_Meeting):
    """The sum of branches; those with fewer channels get zeros for the rest."""

    def forward(self, x: Tensor) -> Tensor:
        first, *rest = map(self.filled, self.ends(x))
        for other in rest:
            first = first + other
        return first


class Products(_Meeting):
    """The product of branches; those with fewer channels are repeated."""

    def forward(self, x: Tensor) -> Tensor:
        first, *rest = map(self._repeated, self.ends(x))
        for other in rest:
            first = first * other
        return first

    def _repeated(self, x: Tensor) -> Tensor:
        times = self.channels // x.shape[-1]
        return x if times == 1 else torch.cat([x] * times, dim=-1)


class SideBySide(_Meeting):
    """The channels of branches side by side, rescaled to the part that each has of them."""

    def forward(self, x: Tensor) -> Tensor:
        return torch.cat(self.ends(x), dim=-1)


class OneAfterTheOther(_Meeting):
    """The grids of branches one after the other, along an axis of space."""

    def __init__(
        self, branches: Mapping[str, nn.Module], channels: int, factors: Sequence[float], axis: int
    ) -> None:
        super().__init__(branches, channels, factors)
        self.axis = axis

    def forward(self, x: Tensor) -> Tensor:
        return torch.cat([self.filled(end) for end in self.ends(x)], dim=self.axis + 1)
