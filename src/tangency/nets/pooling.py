"""Layers without weights that act linearly on the grid: pooling, subsampling, readouts."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any, ClassVar

import numpy as np

from ..errors import NetworkError
from .base import Layer, choice, per_axis, shown, truth, whole_or_axes
from .geometry import AxisMatrices, GridMatrix, Windows, windows
from .operators import Average, Operator, Positions, Scale, Stack
from .signal import Signal


@dataclass(frozen=True, repr=False)
class LinearGridLayer(Layer):
    """A linear map A of the grid: Σ becomes (A ⊗ A) Σ, and so does Θ."""

    def geometry(self, space: tuple[int, ...]) -> AxisMatrices | GridMatrix:
        """The matrices of A on a grid of shape `space`."""
        raise NotImplementedError

    def strides(self, dims: int) -> tuple[int, ...] | None:
        """The strides on a grid of `dims` axes, where the map has any (see `Stack`)."""
        return None

    @property
    def width(self) -> float | None:
        """The scale of a Gaussian filter (see `Stack`)."""
        return None

    @property
    def ends(self) -> str:
        """How it reads the grid, wherever that ends (see `Stack`)."""
        return ""

    def check(self, signal: Signal) -> None:
        if not signal.space:
            raise NetworkError(
                f"{type(self).__name__} needs a signal with spatial axes, but {signal.grid} "
                "reached it; remove the layer, or give images as (n, height, width, channels)"
            )

    def lower(self, space: tuple[int, ...]) -> tuple[Operator, ...]:
        maps = (self.geometry(space),)
        return (Stack(maps, self.strides(len(space)), self.width, ends=self.ends),)


@dataclass(frozen=True, repr=False)
class SumPool(LinearGridLayer):
    """The sum over windows of `size` positions, `stride` apart (default: `size`).

    Args:
        size, stride: a number, or one per axis.
        padding: "valid" drops windows that do not fit; "same" keeps ceil(n/stride) windows and
            counts positions outside the grid as zeros.

    >>> from tangency import SumPool
    >>> SumPool(2).geometry((5,)).matrices[0]
    array([[1., 1., 0., 0., 0.],
           [0., 0., 1., 1., 0.]])
    """

    size: int | tuple[int, ...]
    stride: int | tuple[int, ...] | None = None
    padding: str = "valid"

    token: ClassVar[str] = "sumpool"
    lead: ClassVar[str | None] = "size"
    short: ClassVar[dict[str, str]] = {"padding": "pad"}

    def __post_init__(self) -> None:
        object.__setattr__(self, "size", whole_or_axes(self.size, "size", 1))
        if self.stride is not None:
            object.__setattr__(self, "stride", whole_or_axes(self.stride, "stride", 1))
        object.__setattr__(self, "padding", choice(self.padding, "padding", ("valid", "same")))

    @property
    def ends(self) -> str:
        return "valid" if self.padding == "valid" else ""

    def strides(self, dims: int) -> tuple[int, ...]:
        return per_axis(self.size if self.stride is None else self.stride, dims, "stride")

    def geometry(self, space: tuple[int, ...]) -> AxisMatrices:
        sizes = per_axis(self.size, len(space), "size")
        strides = sizes if self.stride is None else self.strides(len(space))
        return AxisMatrices(
            tuple(
                self._scaled(windows(n, size, stride, 1, self.padding).matrix((1.0,) * size), size)
                for n, size, stride in zip(space, sizes, strides, strict=True)
            )
        )

    def _scaled(self, sums: np.ndarray, size: int) -> np.ndarray:
        """The map along an axis, from the one that sums windows of `size`."""
        return sums


@dataclass(frozen=True, repr=False)
class AvgPool(SumPool):
    """The mean over windows of `size` positions, `stride` apart (default: `size`).

    Args:
        size, stride: a number, or one per axis.
        padding: "valid" drops windows that do not fit; "same" keeps ceil(n/stride) windows and
            counts positions outside the grid as zeros, without renormalising.
        normalize_edges: take the mean over the positions inside the grid alone, by name.

    >>> from tangency import AvgPool
    >>> AvgPool(2).geometry((5,)).matrices[0]
    array([[0.5, 0.5, 0. , 0. , 0. ],
           [0. , 0. , 0.5, 0.5, 0. ]])
    >>> AvgPool(2, padding="same", normalize_edges=True).geometry((3,)).matrices[0]
    array([[0.5, 0.5, 0. ],
           [0. , 0. , 1. ]])
    """

    normalize_edges: bool = field(default=False, kw_only=True)

    token: ClassVar[str] = "avg"
    flags: ClassVar[dict[str, tuple[str, Any]]] = {"edges": ("normalize_edges", True)}

    def __post_init__(self) -> None:
        super().__post_init__()
        truth(self.normalize_edges, "normalize_edges")

    def _scaled(self, sums: np.ndarray, size: int) -> np.ndarray:
        if self.normalize_edges:
            return sums / sums.sum(axis=1, keepdims=True)
        return sums * (1 / size)


@dataclass(frozen=True, repr=False)
class GaussianPool(LinearGridLayer):
    """Gaussian smoothing exp(−i²/s²), i = −s..s, of sum 1, then every `stride`-th position.

    There are n // stride windows, centred in the axis (the odd position at the far end); what
    falls outside the grid counts as zero, without renormalising.

    Args:
        factor: the scale s, in positions.
        stride: a number, or one per axis; default: `factor`.

    Source: the pooling of Bietti & Mairal 2019, section 2.2, with the filter of their code.

    >>> from tangency import GaussianPool
    >>> GaussianPool(2).geometry((28, 28)).space_out
    (14, 14)
    """

    factor: int
    stride: int | tuple[int, ...] | None = field(default=None, kw_only=True)

    token: ClassVar[str] = "gauss"
    hint: ClassVar[str] = (
        "It is known by its scale in positions, which is its stride too unless "
        "GaussianPool(2, stride=1) says otherwise; there is no kernel size"
    )
    lead: ClassVar[str | None] = "factor"

    def __post_init__(self) -> None:
        factor = whole_or_axes(self.factor, "factor", 1)
        if isinstance(factor, tuple):
            raise NetworkError(
                f"factor must be one whole number, got {shown(factor)}; Pool takes a filter per "
                "axis"
            )
        object.__setattr__(self, "factor", factor)
        if self.stride is not None:
            object.__setattr__(self, "stride", whole_or_axes(self.stride, "stride", 1))

    def strides(self, dims: int) -> tuple[int, ...]:
        return per_axis(self.factor if self.stride is None else self.stride, dims, "stride")

    @property
    def width(self) -> float:
        return float(self.factor)

    def geometry(self, space: tuple[int, ...]) -> AxisMatrices:
        taps = tuple(range(-self.factor, self.factor + 1))
        weights = np.exp(-np.square(taps) / self.factor**2)
        weights = tuple(weights / weights.sum())
        matrices = []
        for n, step in zip(space, self.strides(len(space)), strict=True):
            count = n // step
            if count == 0:
                raise NetworkError(
                    f"a stride of {step} leaves no window on an axis of {n}; "
                    "use a smaller factor or stride"
                )
            start = (n - 1 - (count - 1) * step) // 2
            matrices.append(Windows(n, count, start, step, taps).matrix(weights))
        return AxisMatrices(tuple(matrices))


@dataclass(frozen=True, repr=False)
class Subsample(LinearGridLayer):
    """Keeps the positions 0, stride, 2·stride, … of every axis.

    >>> from tangency import Subsample
    >>> Subsample(2).geometry((5, 4)).space_out
    (3, 2)
    """

    stride: int | tuple[int, ...]

    token: ClassVar[str] = "sub"
    lead: ClassVar[str | None] = "stride"

    @property
    def ends(self) -> str:
        return "copies"

    def __post_init__(self) -> None:
        object.__setattr__(self, "stride", whole_or_axes(self.stride, "stride", 1))

    def strides(self, dims: int) -> tuple[int, ...]:
        return per_axis(self.stride, dims, "stride")

    def geometry(self, space: tuple[int, ...]) -> AxisMatrices:
        return AxisMatrices(
            tuple(
                Windows(n, -(-n // step), 0, step, (0,)).matrix((1.0,))
                for n, step in zip(space, self.strides(len(space)), strict=True)
            )
        )


@dataclass(frozen=True, repr=False)
class GlobalAvgPool(Layer):
    """The mean over the whole grid, a vector: Σ becomes the mean of Σ[u,u'] over u and u'.

    >>> from tangency import GlobalAvgPool
    >>> GlobalAvgPool()
    GlobalAvgPool()
    """

    token: ClassVar[str] = "gap"

    def check(self, signal: Signal) -> None:
        if not signal.space:
            raise NetworkError(
                f"GlobalAvgPool needs a grid to average over, but {signal.grid} reached it; "
                "remove it, or give images as (n, height, width, channels)"
            )

    def lower(self, space: tuple[int, ...]) -> tuple[Operator, ...]:
        return (Average(),)


@dataclass(frozen=True, repr=False)
class GlobalSumPool(Layer):
    """The sum over the whole grid, a vector: Σ becomes the sum of Σ[u,u'] over u and u'.

    >>> from tangency import GlobalSumPool
    >>> GlobalSumPool()
    GlobalSumPool()
    """

    token: ClassVar[str] = "gsp"

    def check(self, signal: Signal) -> None:
        if not signal.space:
            raise NetworkError(
                f"GlobalSumPool needs a grid to sum over, but {signal.grid} reached it; "
                "remove it, or give images as (n, height, width, channels)"
            )

    def lower(self, space: tuple[int, ...]) -> tuple[Operator, ...]:
        return (Average(), Scale(float(math.prod(space)), positions=True))


@dataclass(frozen=True, repr=False)
class Flatten(Layer):
    """The grid laid out as one vector: Σ becomes the mean of the diagonal Σ[u,u] over u.

    The mean, not the sum, as everywhere in this library; a vector passes unchanged. An activation
    comes before Flatten or after the next Dense, not in between.

    >>> from tangency import Flatten
    >>> Flatten()
    Flatten()
    """

    token: ClassVar[str] = "flatten"

    def lower(self, space: tuple[int, ...]) -> tuple[Operator, ...]:
        return (Positions(),)
