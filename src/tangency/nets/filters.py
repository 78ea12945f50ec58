"""Layers that act on the grid by a filter or a matrix of one's own."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar

import numpy as np

from ..errors import NetworkError
from .base import fixed, per_axis, shown, truth, whole_or_axes
from .geometry import AxisMatrices, GridMatrix, Windows, zeros
from .pooling import LinearGridLayer

_MOST_NUMBERS = 2**24
"""Of a filter or matrix, which a layer holds as Python's numbers."""


@dataclass(frozen=True, repr=False)
class Pool(LinearGridLayer):
    """Any linear filter: output o is Σ_j filter[j]·x[start + stride·o + j], zeros outside.

    Args:
        filter: numbers (the same filter along every axis), an n-dimensional array (as nested
            sequences) for a grid of n axes, or one list of numbers per axis with `per_axis=True`.
        stride, start: a number, or one per axis.
        size: how many windows, a number or one per axis; default: those that end inside the grid.
        per_axis: read `filter` as one 1-d filter per axis.

    >>> from tangency import Pool
    >>> Pool([1, 2, 1], stride=2, start=-1, size=2).geometry((4,)).matrices[0]
    array([[2., 1., 0., 0.],
           [0., 1., 2., 1.]])
    """

    filter: tuple[Any, ...]
    stride: int | tuple[int, ...] = field(default=1, kw_only=True)
    start: int | tuple[int, ...] = field(default=0, kw_only=True)
    size: int | tuple[int, ...] | None = field(default=None, kw_only=True)
    per_axis: bool = field(default=False, kw_only=True)

    token: ClassVar[str] = "pool"
    hint: ClassVar[str] = (
        "The first argument is the filter itself, as in Pool([1, 2, 1], stride=2), and all others "
        "have names; AvgPool(2) takes the mean of windows of 2"
    )
    lead: ClassVar[str | None] = "filter"
    flags: ClassVar[dict[str, tuple[str, Any]]] = {"peraxis": ("per_axis", True)}

    def __post_init__(self) -> None:
        object.__setattr__(self, "filter", _nested(self.filter, "filter"))
        object.__setattr__(self, "stride", whole_or_axes(self.stride, "stride", 1))
        object.__setattr__(self, "start", whole_or_axes(self.start, "start"))
        if self.size is not None:
            object.__setattr__(self, "size", whole_or_axes(self.size, "size", 1))
        truth(self.per_axis, "per_axis")
        if self.per_axis:
            if not all(isinstance(f, tuple) for f in self.filter):
                raise NetworkError("per_axis=True needs one list of numbers per axis in filter")
            for axis_filter in self.filter:
                if any(isinstance(v, tuple) for v in axis_filter):
                    raise NetworkError("per_axis=True needs 1-d filters, one per axis")
        else:
            self._array()

    def strides(self, dims: int) -> tuple[int, ...]:
        return per_axis(self.stride, dims, "stride")

    def _array(self) -> np.ndarray:
        try:
            return np.asarray(self.filter, dtype=float)
        except ValueError:
            raise NetworkError(
                f"filter is ragged: {shown(self.filter)}; give every row the same length, "
                "or per_axis=True for one filter per axis"
            ) from None

    def _filters(self, dims: int) -> tuple[tuple[float, ...], ...] | None:
        """One 1-d filter per axis, or None where the filter is a full array."""
        if self.per_axis:
            if len(self.filter) != dims:
                raise NetworkError(
                    f"{len(self.filter)} filters for {dims} spatial axes; give one per axis"
                )
            return self.filter
        if self._array().ndim == 1:
            return (self.filter,) * dims
        if self._array().ndim != dims:
            raise NetworkError(
                f"the filter has {self._array().ndim} dimensions, but the signal has {dims} "
                "spatial axes; give a 1-d filter, or one with a dimension per axis"
            )
        return None

    def _axes(self, space: tuple[int, ...], lengths: tuple[int, ...]) -> list[Windows]:
        dims = len(space)
        strides, starts = self.strides(dims), per_axis(self.start, dims, "start")
        sizes = (None,) * dims if self.size is None else per_axis(self.size, dims, "size")
        axes = []
        for n, length, stride, start, size in zip(
            space, lengths, strides, starts, sizes, strict=True
        ):
            if size is None:
                if start + length > n:
                    raise NetworkError(
                        f"no window of {length} positions that starts at {start} ends inside an "
                        f"axis of {n}; use a shorter filter, or give size="
                    )
                size = (n - start - length) // stride + 1
            axes.append(Windows(n, size, start, stride, tuple(range(length))))
        return axes

    def geometry(self, space: tuple[int, ...]) -> AxisMatrices | GridMatrix:
        filters = self._filters(len(space))
        if filters is not None:
            axes = self._axes(space, tuple(len(f) for f in filters))
            return AxisMatrices(tuple(w.matrix(f) for w, f in zip(axes, filters, strict=True)))
        array = self._array()
        axes = self._axes(space, array.shape)
        space_out = tuple(w.size_out for w in axes)
        a = zeros(math.prod(space_out), math.prod(space))
        for row, output in enumerate(np.ndindex(*space_out)):
            for tap in np.ndindex(*array.shape):
                position = [
                    w.start + w.stride * o + t for w, o, t in zip(axes, output, tap, strict=True)
                ]
                if all(0 <= p < n for p, n in zip(position, space, strict=True)):
                    a[row, np.ravel_multi_index(position, space)] += array[tap]
        return GridMatrix(a, space_out)


@dataclass(frozen=True, repr=False)
class LinearMap(LinearGridLayer):
    """Any linear map along the axes: x becomes A x along every axis.

    Args:
        matrix: rows of numbers, (out, in), for every axis; or a sequence of such matrices, one
            per axis.

    >>> from tangency import LinearMap
    >>> LinearMap([[1, 0, 0], [0, 0, 1]]).geometry((3,)).space_out
    (2,)
    """

    matrix: tuple[Any, ...]

    token: ClassVar[str] = "map"
    lead: ClassVar[str | None] = "matrix"

    def __post_init__(self) -> None:
        object.__setattr__(self, "matrix", _nested(self.matrix, "matrix"))
        for a in self._matrices(None):
            if a.ndim != 2:
                raise NetworkError(
                    f"matrix must have rows of numbers, (out, in); got {a.ndim} dimensions"
                )

    def _matrices(self, dims: int | None) -> list[np.ndarray]:
        rows = self.matrix[0]
        several = isinstance(rows, tuple) and isinstance(rows[0], tuple)
        parts = list(self.matrix) if several else [self.matrix] * (dims or 1)
        try:
            return [np.asarray(a, dtype=float) for a in parts]
        except ValueError:
            raise NetworkError("matrix is ragged; give every row the same length") from None

    def geometry(self, space: tuple[int, ...]) -> AxisMatrices:
        matrices = self._matrices(len(space))
        if len(matrices) != len(space):
            raise NetworkError(
                f"{len(matrices)} matrices for {len(space)} spatial axes; give one per axis"
            )
        for n, a in zip(space, matrices, strict=True):
            if a.shape[1] != n:
                raise NetworkError(
                    f"a matrix with {a.shape[1]} columns cannot act on an axis of {n} positions"
                )
        return AxisMatrices(tuple(matrices))


def _nested(values: Any, name: str, depth: int = 3) -> tuple[Any, ...]:
    """Sequences of numbers, nested at most `depth` deep, as nested tuples of floats."""
    if isinstance(values, np.ndarray | memoryview):
        values = np.asarray(values)
        if values.size > _MOST_NUMBERS:
            raise NetworkError(
                f"{name} has {values.size:,} numbers, more than the {_MOST_NUMBERS:,} that a layer "
                "may hold"
            )
        values = values.tolist()
    if not isinstance(values, Sequence) or isinstance(values, str) or len(values) == 0:
        raise NetworkError(
            f"{name} must be a sequence of numbers (or of such), got {shown(values)}"
        )
    if depth == 0:
        raise NetworkError(f"{name} is nested more than 3 deep; a grid has at most 3 axes")
    return tuple(
        _nested(v, name, depth - 1)
        if isinstance(v, Sequence | np.ndarray) and not isinstance(v, str)
        else fixed(v, name)
        for v in values
    )
