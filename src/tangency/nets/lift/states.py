"""What travels between the calls of a module, as the layers here see it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from ...errors import NetworkError

CHANNELS, ONE = "channels", "one"


@dataclass(frozen=True)
class State:
    """The axes of one signal in PyTorch's order, that of the batch left out.

    axes: CHANNELS; ONE, an axis of length 1 that signals here have not; or the axes of space that
        one of PyTorch's runs over, as (0, 1) after flatten(2).
    channels: how many there are, without the positions that a flatten put among them.
    positions: how many a flatten put among them.
    hidden: they come from a layer with weights, and so are without number in the limit.
    apart: each has been through weights of its own (a depthwise convolution). Its values are not
        Gaussian, but have the covariance of a convolution, which is all that other weights see.
    batch: the place of the axis of the batch among all of PyTorch's.
    merged: the sizes of the axes of space that a flatten made one; () for others.
    """

    axes: tuple[str | tuple[int, ...], ...]
    channels: int
    hidden: bool = False
    apart: bool = False
    batch: int = 0
    merged: tuple[int, ...] = ()
    positions: int = 1

    @classmethod
    def of_input(cls, shape: tuple[int, ...], last: bool) -> State:
        """An input of this shape, whose channels come first, or `last`."""
        space = [(axis,) for axis in range(len(shape) - 1)]
        axes = (*space, CHANNELS) if last else (CHANNELS, *space)
        return cls(axes, shape[-1 if last else 0])

    @property
    def space(self) -> tuple[int, ...]:
        """The axes of space, in the order in which PyTorch has them."""
        return tuple(a for axis in self.axes if isinstance(axis, tuple) for a in axis)

    def place(self, dim: int) -> int:
        """The place among `axes` of a dimension of PyTorch's, one of which is the batch."""
        count = len(self.axes) + 1
        found = dim + count if dim < 0 else dim
        if found == self.batch or not 0 <= found < count:
            raise NetworkError("it acts on the axis of the batch, across inputs")
        return found - (found > self.batch)

    def check_batch(self) -> None:
        """Raise `NetworkError` where the batch is not the first axis."""
        if self.batch != 0:
            raise NetworkError("the axis of the batch is not the first; move it back before")

    def in_order(self) -> State:
        """The same, where channels come first, and then the axes of space, in order, each alone.

        Raises `NetworkError` for other axes, on which layers of grids act in another way.
        """
        self.check_batch()
        if not self.axes or self.axes[0] != CHANNELS:
            raise NetworkError(
                "its channels are not the first axis of its input; move them there (positions in "
                "their place, as in MLP-Mixer, have no limit)"
            )
        if any(len(axis) != 1 for axis in self.axes if isinstance(axis, tuple)):
            raise NetworkError("it takes a grid, but its axes were merged by a flatten before")
        if self.space != tuple(range(len(self.space))):
            raise NetworkError("it takes a grid whose axes were swapped before")
        return self

    def without_space(self) -> State:
        """The same with axes of length 1 in the place of those of space."""
        axes = tuple(ONE if isinstance(axis, tuple) else axis for axis in self.axes)
        return replace(self, axes=axes)


def alike(values: Any) -> Any:
    """One number for axes that are all alike, as layers take it."""
    values = tuple(values)
    return values[0] if len(set(values)) == 1 and isinstance(values[0], int) else values
