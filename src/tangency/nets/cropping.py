"""Layers without weights that cut a grid, or add positions around it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from ..errors import NetworkError
from .base import choice, per_axis, shown, whole
from .geometry import AxisMatrices, selection
from .operators import Operator, Positions
from .pooling import LinearGridLayer
from .values import ends, sizes_at_ends


@dataclass(frozen=True, repr=False)
class Pad(LinearGridLayer):
    """Positions added around the grid.

    Args:
        size: how many at either end: a number, one per axis, or a pair (before, after) per axis.
        mode: what they hold: "zeros", or values of the grid: "circular" continues it at the other
            end, "reflect" mirrors it at its last position, "edge" repeats that position.

    >>> from tangency import Pad
    >>> Pad(((1, 2),), "reflect").geometry((3,)).matrices[0]
    array([[0., 1., 0.],
           [1., 0., 0.],
           [0., 1., 0.],
           [0., 0., 1.],
           [0., 1., 0.],
           [1., 0., 0.]])
    """

    size: int | tuple[Any, ...]
    mode: str = "zeros"

    token: ClassVar[str] = "pad"
    lead: ClassVar[str | None] = "size"
    flags: ClassVar[dict[str, tuple[str, Any]]] = {
        word: ("mode", word) for word in ("circular", "reflect", "edge")
    }

    def __post_init__(self) -> None:
        object.__setattr__(self, "size", sizes_at_ends(self.size, "size"))
        modes = ("zeros", "circular", "reflect", "edge")
        object.__setattr__(self, "mode", choice(self.mode, "mode", modes))

    def strides(self, dims: int) -> tuple[int, ...]:
        return (1,) * dims

    def geometry(self, space: tuple[int, ...]) -> AxisMatrices:
        sizes = per_axis(self.size, len(space), "size")
        return AxisMatrices(
            tuple(
                selection(n, [self._read(i, n) for i in range(-low, n + high)])
                for n, (low, high) in zip(space, map(ends, sizes), strict=True)
            )
        )

    def _read(self, position: int, n: int) -> int | None:
        """Where a position inside or outside an axis of n is read."""
        if 0 <= position < n:
            return position
        match self.mode:
            case "zeros":
                return None
            case "edge":
                return 0 if position < 0 else n - 1
            case "circular":
                found = position % n if -n <= position < 2 * n else None
            case _:
                found = -position if position < 0 else 2 * (n - 1) - position
        if found is None or not 0 <= found < n:
            most = n if self.mode == "circular" else n - 1
            raise NetworkError(
                f"{self.mode!r} padding takes at most {most} positions from an axis of {n}; use a "
                "smaller size"
            )
        return found


@dataclass(frozen=True, init=False, repr=False)
class Slice(LinearGridLayer):
    """A part of the grid, x[start:stop:step] along each axis as in Python; or one position.

    Args:
        places: one for each axis: (start, stop) or (start, stop, step), either end None where the
            axis ends; or a position, a number, for every axis, which gives a vector. Positions
            below 0 count from the far end.
        axes: the same as one tuple, in place of `places`.

    >>> from tangency import Sequential, Slice
    >>> Sequential(Slice((1, 5), (None, None, 2))).output_shape((6, 7, 1))
    (4, 4)
    >>> Sequential(Slice(2, -1)).output_shape((6, 7, 1))
    ()
    """

    axes: tuple[Any, ...]

    token: ClassVar[str] = "slice"
    hint: ClassVar[str] = (
        "It takes one (start, stop, step) per axis, as in Slice((1, 5), (0, 7, 2))"
    )
    lead: ClassVar[str | None] = "axes"

    def __init__(self, *places: Any, axes: Any = ()) -> None:
        if places and not (isinstance(axes, tuple | list) and not axes):
            raise NetworkError("places are given one by one or as axes=..., not both")
        given = places or (axes if isinstance(axes, Sequence) else (axes,))
        if not 1 <= len(given) <= 3 or isinstance(given, str):
            raise NetworkError(
                f"Slice takes one (start, stop, step) or position per axis (1 to 3), got "
                f"{shown(given)}"
            )
        found = tuple(map(_place, given))
        if len({isinstance(each, int) for each in found}) > 1:
            raise NetworkError(
                f"Slice takes a position for every axis or for none, got {shown(given)}; "
                "(2, 3) keeps position 2 as an axis of length 1"
            )
        object.__setattr__(self, "axes", found)

    def strides(self, dims: int) -> tuple[int, ...]:
        return tuple(abs(each[2]) if len(each) > 2 else 1 for each in self._slices())

    def _slices(self) -> list[tuple[Any, ...]]:
        return [(a, a + 1 or None) if isinstance(a, int) else a for a in self.axes]

    def geometry(self, space: tuple[int, ...]) -> AxisMatrices:
        if len(self.axes) != len(space):
            raise NetworkError(
                f"Slice has {len(self.axes)} places, but the signal has {len(space)} spatial "
                "axes; give one per axis, (None, None) for all of it"
            )
        found = []
        for n, place in zip(space, self._slices(), strict=True):
            positions = range(n)[slice(*place)]
            if not positions:
                raise NetworkError(f"{place} holds no position of an axis of {n}")
            found.append(selection(n, positions))
        return AxisMatrices(tuple(found))

    def lower(self, space: tuple[int, ...]) -> tuple[Operator, ...]:
        one = isinstance(self.axes[0], int)
        return (*super().lower(space), *((Positions(),) if one else ()))

    def __repr__(self) -> str:
        return f"Slice({', '.join(map(repr, self.axes))})"


def _place(place: Any) -> Any:
    """A position, or (start, stop) or (start, stop, step), of Python's numbers."""
    if isinstance(place, slice):
        place = (place.start, place.stop, place.step)
    if not isinstance(place, Sequence) or isinstance(place, str):
        return whole(place, "a position")
    if len(place) not in (2, 3):
        raise NetworkError(f"a slice is (start, stop) or (start, stop, step), got {shown(place)}")
    start, stop, *step = (None if a is None else whole(a, "an end of a slice") for a in place)
    if step in ([], [None], [1]):
        return (start, stop)
    if step == [0]:
        raise NetworkError(f"the step of a slice must not be 0, got {shown(place)}")
    return (start, stop, step[0])
