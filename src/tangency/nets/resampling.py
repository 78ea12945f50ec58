"""Layers without weights that make a grid finer or coarser: resizing, repeating, shuffling."""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import product
from typing import Any, ClassVar

import numpy as np

from ..errors import NetworkError
from .base import choice, per_axis, truth, whole_or_axes
from .geometry import AxisMatrices, apart, selection, zeros
from .operators import Operator, Stack
from .pooling import LinearGridLayer
from .signal import Signal


@dataclass(frozen=True, repr=False)
class Resize(LinearGridLayer):
    """The grid resized to `shape`, as `jax.image.resize` does it.

    Output o of m is centred at c = (o + 1/2)·n/m − 1/2 of an axis of n. "nearest" reads position
    ⌊(o + 1/2)·n/m⌋; "linear" the mean of all positions i with the weights max(0, 1 − |c − i|/h),
    where the half-width h is 1, or n/m where that is larger and `antialias` holds.

    Args:
        shape: the new sizes, one per axis, or one for all.
        method: "linear" or "nearest".
        antialias: widen the triangle when an axis shrinks; of "linear" only.

    >>> from tangency import Resize
    >>> Resize(4).geometry((2,)).matrices[0]
    array([[1.  , 0.  ],
           [0.75, 0.25],
           [0.25, 0.75],
           [0.  , 1.  ]])
    """

    shape: int | tuple[int, ...]
    method: str = "linear"
    antialias: bool = field(default=True, kw_only=True)

    token: ClassVar[str] = "resize"
    lead: ClassVar[str | None] = "shape"
    flags: ClassVar[dict[str, tuple[str, Any]]] = {
        "nearest": ("method", "nearest"),
        "aliased": ("antialias", False),
    }

    def __post_init__(self) -> None:
        object.__setattr__(self, "shape", whole_or_axes(self.shape, "shape", 1))
        object.__setattr__(self, "method", choice(self.method, "method", ("linear", "nearest")))
        truth(self.antialias, "antialias")

    def geometry(self, space: tuple[int, ...]) -> AxisMatrices:
        sizes = per_axis(self.shape, len(space), "shape")
        return AxisMatrices(tuple(map(self._along, space, sizes)))

    def _along(self, n: int, m: int) -> np.ndarray:
        """The map (m, n) of one axis."""
        if self.method == "nearest":
            return selection(n, [(2 * o + 1) * n // (2 * m) for o in range(m)])
        a = zeros(m, n)
        half = max(n / m, 1.0) if self.antialias else 1.0
        centres = (np.arange(m) + 0.5) * n / m - 0.5
        np.maximum(0.0, 1.0 - np.abs(centres[:, None] - np.arange(n)) / half, out=a)
        return a / a.sum(axis=1, keepdims=True)


@dataclass(frozen=True, repr=False)
class Upsample(LinearGridLayer):
    """Every position repeated `factor` times along every axis.

    Args:
        factor: a number, or one per axis.

    >>> from tangency import Sequential, Upsample
    >>> Sequential(Upsample((2, 3))).output_shape((4, 5, 1))
    (8, 15)
    """

    factor: int | tuple[int, ...]

    token: ClassVar[str] = "up"
    lead: ClassVar[str | None] = "factor"

    @property
    def ends(self) -> str:
        return "copies"

    def __post_init__(self) -> None:
        object.__setattr__(self, "factor", whole_or_axes(self.factor, "factor", 1))

    def geometry(self, space: tuple[int, ...]) -> AxisMatrices:
        factors = per_axis(self.factor, len(space), "factor")
        return AxisMatrices(
            tuple(
                selection(n, [o // factor for o in range(n * factor)])
                for n, factor in zip(space, factors, strict=True)
            )
        )


@dataclass(frozen=True, repr=False)
class PixelShuffle(LinearGridLayer):
    """Channels laid out as positions: a grid `factor` times as fine along every axis.

    One in factorᵈ of the channels goes to each place of a cell. Behind a layer with weights there
    are infinitely many, independent and of mean zero: what a place gets has the covariance of the
    cell, and two places of a cell, which share no channel, have none:
    Σ̃[r·u + a, r·u' + a'] = Σ[u,u'] where a = a', and 0 elsewhere; likewise Θ. The channels of an
    input are few, and behind an activation they have a mean, which all places share and Σ does not
    tell: the layer comes before the activation.

    Args:
        factor: r; a number, or one per axis.

    Source: the limit of the layer of Shi et al. 2016, from the independence of channels.

    >>> from tangency import parse
    >>> parse("conv3 shuffle2 relu").output_shape((4, 5, 1))
    (8, 10)
    """

    factor: int | tuple[int, ...]

    token: ClassVar[str] = "shuffle"
    lead: ClassVar[str | None] = "factor"

    def __post_init__(self) -> None:
        object.__setattr__(self, "factor", whole_or_axes(self.factor, "factor", 1))

    def check(self, signal: Signal) -> None:
        super().check(signal)
        if not signal.gaussian:
            raise NetworkError(
                "PixelShuffle needs infinitely many channels of mean zero, which a layer with "
                "weights makes, but it does not follow one; put it right after Conv(...), before "
                "the activation"
            )

    def lower(self, space: tuple[int, ...]) -> tuple[Operator, ...]:
        factors = per_axis(self.factor, len(space), "factor")
        maps = tuple(
            AxisMatrices(tuple(map(apart, space, factors, places)))
            for places in product(*map(range, factors))
        )
        return (Stack(maps, apart=True),)
