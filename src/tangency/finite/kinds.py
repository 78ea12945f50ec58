"""Kinds of operations with parameters, and the gradient that each input of a batch gives them.

Of an operation y = W·x + b, only what the gradient is made of is kept: the activations a (x as it
went in) and g, the gradient at y. Summed over the positions t of a grid, the gradient at W is
Σ_t g_t a_tᵀ.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.nn import functional


class Sizes(NamedTuple):
    """Positions, numbers that go into one of them, and numbers that come out."""

    positions: int
    fan_in: int
    fan_out: int


class Kind:
    """One way in which parameters enter.

    Attributes:
        sliceable: whether the gradient can be had for some of the output channels alone.
        factored: whether Σ_t g_t a_tᵀ is its form at all.
    """

    sliceable = True
    factored = True

    @property
    def key(self) -> Any:
        """Equal for equal operations."""
        return self

    def stored(self, x: Tensor | None, g: Tensor, n: int) -> tuple[Tensor | None, Tensor]:
        """(a, g) with one row for each of n inputs."""
        raise NotImplementedError

    def factors(self, a: Tensor, g: Tensor) -> tuple[Tensor, Tensor]:
        """(n, positions, fan_in) and (n, positions, fan_out)."""
        raise NotImplementedError

    def gradient(self, a: Tensor, g: Tensor, first: int = 0, last: int | None = None) -> Tensor:
        """(n, size) at the weight; its output channels from `first` to `last` only."""
        raise NotImplementedError

    def summed(self, a: Tensor, g: Tensor) -> Tensor:
        """(size,), the sum of the gradients at the weight over all inputs."""
        return self.gradient(a, g).sum(dim=0)

    def bias_gradient(self, g: Tensor) -> Tensor:
        """(n, size) at the bias."""
        raise NotImplementedError


@dataclass(frozen=True)
class Linear(Kind):
    """Products with a matrix along the last axis; inputs of a batch may be split among rows."""

    def stored(self, x: Tensor | None, g: Tensor, n: int) -> tuple[Tensor | None, Tensor]:
        a = None if x is None else x.reshape(n, -1, x.shape[-1])
        return a, g.reshape(n, -1, g.shape[-1])

    def factors(self, a: Tensor, g: Tensor) -> tuple[Tensor, Tensor]:
        return a, g

    def gradient(self, a: Tensor, g: Tensor, first: int = 0, last: int | None = None) -> Tensor:
        g = g[..., first:last]
        if g.shape[1] == 1:
            return (g.mT * a).reshape(len(a), -1)
        return torch.bmm(g.mT, a).reshape(len(a), -1)

    def summed(self, a: Tensor, g: Tensor) -> Tensor:
        return (g.flatten(0, 1).T @ a.flatten(0, 1)).flatten()

    def bias_gradient(self, g: Tensor) -> Tensor:
        return g.sum(dim=1)


@dataclass(frozen=True)
class Convolution(Kind):
    """Convolutions in 1 to 3 dimensions, plain or transposed, in groups or not."""

    shape: tuple[int, ...]
    stride: tuple[int, ...]
    padding: tuple[int, ...]
    dilation: tuple[int, ...]
    groups: int = 1
    output_padding: tuple[int, ...] | None = None

    @property
    def sliceable(self) -> bool:
        return self.factored and self.groups == 1

    @property
    def factored(self) -> bool:
        return self.output_padding is None

    def stored(self, x: Tensor | None, g: Tensor, n: int) -> tuple[Tensor | None, Tensor]:
        return x, g

    def factors(self, a: Tensor, g: Tensor) -> tuple[Tensor, Tensor]:
        return self._patches(a, g.shape[2:]), g.flatten(2).mT

    def _patches(self, a: Tensor, space: Sequence[int]) -> Tensor:
        """(n, positions, channels × patch); a view of the padded input, then one copy."""
        pads = [p for p in reversed(self.padding) for _ in range(2)]
        a = functional.pad(a, pads).contiguous() if any(pads) else a.contiguous()
        n, c, *steps = a.stride()
        strides = [k * s for k, s in zip(self.stride, steps, strict=True)]
        taps = [d * s for d, s in zip(self.dilation, steps, strict=True)]
        shape = (len(a), *space, a.shape[1], *self.shape[2:])
        view = a.as_strided(shape, (n, *strides, c, *taps), a.storage_offset())
        return view.reshape(len(a), math.prod(space), -1)

    def gradient(self, a: Tensor, g: Tensor, first: int = 0, last: int | None = None) -> Tensor:
        g = g if self.groups > 1 or not self.factored else g[:, first:last]
        rows = self.shape[0] if self.groups > 1 or not self.factored else g.shape[1]
        like = a.new_empty((rows, *self.shape[1:]))
        found = a.new_empty((len(a), like.numel()))
        for i in range(len(a)):
            found[i] = self._over(a[i : i + 1], g[i : i + 1], like).flatten()
        return found

    def summed(self, a: Tensor, g: Tensor) -> Tensor:
        return self._over(a, g, a.new_empty(self.shape)).flatten()

    def _over(self, a: Tensor, g: Tensor, like: Tensor) -> Tensor:
        return torch.ops.aten.convolution_backward(
            g,
            a,
            like,
            None,
            self.stride,
            self.padding,
            self.dilation,
            not self.factored,
            self.output_padding or (0,) * len(self.stride),
            self.groups,
            (False, True, False),
        )[1]

    def bias_gradient(self, g: Tensor) -> Tensor:
        return g.flatten(2).sum(dim=2)


@dataclass(frozen=True, eq=False)
class Elementwise(Kind):
    """Parameters that multiply or shift activations, number by number or channel by channel.

    Attributes:
        shape: of the parameters, as they are broadcast against the activations.
        prepare: what happens to the input before it is multiplied (a normalisation).
    """

    shape: tuple[int, ...]
    prepare: Callable[[Tensor], Tensor] | None = None

    sliceable = False
    factored = False

    @property
    def key(self) -> Any:
        return Elementwise, self.shape

    def stored(self, x: Tensor | None, g: Tensor, n: int) -> tuple[Tensor | None, Tensor]:
        return (self.prepare(x) if self.prepare and x is not None else x), g

    def gradient(self, a: Tensor, g: Tensor, first: int = 0, last: int | None = None) -> Tensor:
        return self._summed(a * g)

    def bias_gradient(self, g: Tensor) -> Tensor:
        return self._summed(g)

    def _summed(self, values: Tensor) -> Tensor:
        shape = (1,) * (values.ndim - len(self.shape)) + self.shape
        axes = [i for i in range(1, values.ndim) if shape[i] == 1 < values.shape[i]]
        return (values.sum(axes) if axes else values).reshape(len(values), -1)
