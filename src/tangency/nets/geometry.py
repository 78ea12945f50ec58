"""Where windows fall: positions, padding and pooling matrices, worked out for one grid size."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ..errors import NetworkError

_ENTRIES = 2**27
_SPAN = 128


def zeros(rows: int, columns: int) -> np.ndarray:
    """A matrix (rows, columns) of zeros for a linear map of the grid.

    Raises:
        NetworkError: a matrix of more than 2²⁷ numbers (1 GiB).
    """
    if rows * columns > _ENTRIES:
        raise NetworkError(
            f"a linear map from {columns:,} positions to {rows:,} is more than the {_ENTRIES:,} "
            "numbers that its matrix may have; use a smaller grid or a larger stride"
        )
    return np.zeros((rows, columns))


def selection(size_in: int, positions: Sequence[int | None]) -> np.ndarray:
    """The linear map (out, size_in) whose outputs copy these positions; None is zero."""
    a = zeros(len(positions), size_in)
    for o, position in enumerate(positions):
        if position is not None:
            a[o, position] = 1.0
    return a


def apart(size_in: int, stride: int, first: int = 0) -> np.ndarray:
    """The linear map to an axis `stride` times as fine, zeros between: i goes to first + stride·i.

    >>> apart(2, 2)
    array([[1., 0.],
           [0., 0.],
           [0., 1.],
           [0., 0.]])
    """
    places: list[int | None] = [None] * (size_in * stride)
    places[first::stride] = range(size_in)
    return selection(size_in, places)


def check_span(extent: int, size_in: int) -> None:
    """Refuses windows that reach far beyond the grid: all that is there is memory for zeros.

    Raises:
        NetworkError: more than 128 positions and more than twice the axis.
    """
    if extent > max(_SPAN, 2 * size_in):
        raise NetworkError(
            f"a window that spans {extent} positions reaches far beyond an axis of {size_in}, "
            f"where at most {max(_SPAN, 2 * size_in)} are taken; use a smaller patch or dilation"
        )


@dataclass(frozen=True)
class Windows:
    """Windows along one axis: output o reads the positions start + stride·o + tap for every tap.

    Positions outside 0..size_in−1 read zero, or wrap around if `circular`.
    """

    size_in: int
    size_out: int
    start: int
    stride: int
    taps: tuple[int, ...]
    circular: bool = False

    def matrix(self, weights: tuple[float, ...]) -> np.ndarray:
        """The linear map (size_out, size_in) with `weights[j]` at tap j."""
        a = zeros(self.size_out, self.size_in)
        for o in range(self.size_out):
            for tap, weight in zip(self.taps, weights, strict=True):
                position = self.start + self.stride * o + tap
                if self.circular:
                    position %= self.size_in
                if 0 <= position < self.size_in:
                    a[o, position] += weight
        return a


def windows(
    size_in: int, length: int, stride: int, dilation: int, padding: str | tuple[int, int]
) -> Windows:
    """Windows of `length` taps, `dilation` apart, for padding "valid", "same" or "circular".

    "same" has ceil(size_in / stride) windows and splits the missing positions evenly between both
    ends, the odd one at the far end (XLA's rule); "circular" has the same geometry, wrapped. A pair
    is the number of zeros at either end, with as many windows as fit then.

    Raises:
        NetworkError: "valid" windows longer than the axis, others far longer.
    """
    extent = dilation * (length - 1) + 1
    if padding == "valid" or isinstance(padding, tuple):
        low, high = (0, 0) if padding == "valid" else padding
        if extent > size_in + low + high:
            raise NetworkError(
                f"a window of {extent} positions does not fit in an axis of {size_in}"
                f"{f' with {low} and {high} zeros' if low + high else ''}; use a smaller one, or "
                "padding='same'"
            )
        check_span(max(extent, low + high), size_in)
        size_out, start = (size_in + low + high - extent) // stride + 1, -low
    else:
        check_span(extent, size_in)
        size_out = -(-size_in // stride)
        start = -(max((size_out - 1) * stride + extent - size_in, 0) // 2)
    taps = tuple(dilation * k for k in range(length))
    return Windows(size_in, size_out, start, stride, taps, padding == "circular")


@dataclass(frozen=True)
class Box:
    """A patch that is a product of windows, one for each axis."""

    axes: tuple[Windows, ...]

    @property
    def space_out(self) -> tuple[int, ...]:
        return tuple(w.size_out for w in self.axes)

    @property
    def count(self) -> int:
        """Positions in the patch, |S|."""
        return int(np.prod([len(w.taps) for w in self.axes]))


@dataclass(frozen=True)
class Points:
    """A patch that is an explicit list of offsets (one number per axis in each).

    `axes` carries start, stride and sizes; its taps are not used.
    """

    axes: tuple[Windows, ...]
    offsets: tuple[tuple[int, ...], ...]

    @property
    def space_out(self) -> tuple[int, ...]:
        return tuple(w.size_out for w in self.axes)

    @property
    def count(self) -> int:
        """Positions in the patch, |S|."""
        return len(self.offsets)


def points(
    space: tuple[int, ...],
    offsets: tuple[tuple[int, ...], ...],
    strides: tuple[int, ...],
    padding: str,
) -> Points:
    """The geometry of an explicit patch.

    "same" and "circular" put the offset 0 on positions 0, stride, 2·stride, …; "valid" keeps the
    windows that lie inside the grid, from the first such position on.

    Raises:
        NetworkError: a "valid" patch that is wider than the grid.
    """
    axes = []
    for axis, size in enumerate(space):
        along = [offset[axis] for offset in offsets]
        low, high = min(along), max(along)
        stride = strides[axis]
        check_span(1 + max(high, 0) - min(low, 0), size)
        if padding == "valid":
            start, last = max(0, -low), size - 1 - max(0, high)
            if start > last:
                raise NetworkError(
                    f"offsets from {low} to {high} do not fit in an axis of {size}; "
                    "use a smaller patch, or padding='same'"
                )
            size_out = (last - start) // stride + 1
        else:
            start, size_out = 0, -(-size // stride)
        axes.append(Windows(size, size_out, start, stride, (), padding == "circular"))
    return Points(tuple(axes), offsets)


@dataclass(frozen=True, eq=False)
class AxisMatrices:
    """A linear map of the grid that acts on each axis by a matrix of its own, (out, in)."""

    matrices: tuple[np.ndarray, ...]

    @property
    def space_out(self) -> tuple[int, ...]:
        return tuple(a.shape[0] for a in self.matrices)

    @property
    def selects(self) -> bool:
        """Every output copies one input (times a factor): covariances then need no cross terms."""
        return all(bool(np.all(np.count_nonzero(a, axis=1) <= 1)) for a in self.matrices)


@dataclass(frozen=True, eq=False)
class GridMatrix:
    """A linear map of the whole grid: positions in row-major order, (prod(out), prod(in))."""

    matrix: np.ndarray
    space_out: tuple[int, ...]

    @property
    def selects(self) -> bool:
        """Every output copies one input (times a factor): covariances then need no cross terms."""
        return bool(np.all(np.count_nonzero(self.matrix, axis=1) <= 1))
