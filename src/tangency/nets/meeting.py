"""The operators in which branches meet, and whether they can.

They must be on one grid, and independent of each other as far as need be. What becomes of Σ and Θ
is in the table of `operators`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from ..errors import NetworkError
from .operators import Operator
from .signal import Signal

if TYPE_CHECKING:
    from .structure import Sequential


@dataclass(frozen=True, eq=False)
class Branching(Operator):
    """Networks of their own that take the same signal; an empty one is the identity."""

    branches: tuple[Sequential, ...]

    def ends(self, signal: Signal) -> list[Signal]:
        """What leaves each branch, `weighted` where it has weights of its own."""
        start = replace(signal, weighted=False)
        return [branch.infer(start) for branch in self.branches]

    def space(self, spaces: Sequence[tuple[int, ...]]) -> tuple[int, ...]:
        """The grid where branches that end on these grids have met."""
        return spaces[0]

    def met(self, signal: Signal, ends: Sequence[Signal]) -> Signal:
        """The signal where they have met, as far as all that meet in one way have it in common."""
        return Signal(
            self.space([end.space for end in ends]),
            gaussian=all(end.gaussian for end in ends),
            # An outer Sum may count on fresh weights only if every path through this one has them.
            weighted=signal.weighted or all(end.weighted for end in ends),
            mixed=any(end.mixed for end in ends),
            centred=all(end.centred for end in ends),
            hidden=all(end.hidden for end in ends),
        )


@dataclass(frozen=True, eq=False)
class Sum(Branching):
    """The sum of branches, of which all but one must be uncorrelated with the others.

    residual: they are a body and a shortcut, in messages.
    """

    residual: bool = False

    def after(self, signal: Signal) -> Signal:
        ends = self.ends(signal)
        if self.residual:
            check_residual(*ends)
        else:
            check_grids("Sum", [end.space for end in ends])
            check_uncorrelated("Sum", ends, "covariances do not add")
        return self.met(signal, ends)


@dataclass(frozen=True, eq=False)
class Product(Branching):
    """The product of branches, channel by channel, which must be independent."""

    def after(self, signal: Signal) -> Signal:
        ends = self.ends(signal)
        check_grids("Product", [end.space for end in ends])
        check_independent("Product", ends, signal.hidden)
        # A factor of mean zero that is independent of all others leaves none to the product.
        centred = any(end.centred and end.weighted for end in ends)
        return replace(self.met(signal, ends), gaussian=False, centred=centred)


@dataclass(frozen=True, eq=False)
class Concatenate(Branching):
    """The channels of branches side by side, or their grids one after the other.

    parts: the part p_i that each branch has of all channels, which sum to 1; None for grids.
    axis: of the grid.
    """

    parts: tuple[float, ...] | None = None
    axis: int = 0

    def space(self, spaces: Sequence[tuple[int, ...]]) -> tuple[int, ...]:
        if self.parts is not None:
            return spaces[0]
        size = sum(space[self.axis] for space in spaces)
        return (*spaces[0][: self.axis], size, *spaces[0][self.axis + 1 :])

    def after(self, signal: Signal) -> Signal:
        ends = self.ends(signal)
        grids = [end.space for end in ends]
        if self.parts is not None:
            check_grids("Concatenate", grids)
            return replace(self.met(signal, ends), mixed=True)
        check_grids("Concatenate", grids, self.axis)
        check_uncorrelated("Concatenate", ends, "covariances between their grids are not zero")
        return self.met(signal, ends)


def check_grids(name: str, grids: Sequence[tuple[int, ...]], axis: int | None = None) -> None:
    """Refuses grids that differ, but for one axis where it is given.

    Raises:
        NetworkError: with the grids.
    """
    dims = len(grids[0])
    if axis is not None and axis >= dims and all(len(grid) == dims for grid in grids):
        raise NetworkError(
            f"{name} has axis {axis}, but {Signal(grids[0]).grid} leaves the branches; axes count "
            "those of the grid from 0, and axis=-1 is that of the channels"
        )

    def alike(grid: tuple[int, ...]) -> tuple[int, ...]:
        return grid if axis is None else (*grid[:axis], 0, *grid[axis + 1 :])

    for place, grid in enumerate(grids):
        if len(grid) != dims or alike(grid) != alike(grids[0]):
            rest = "" if axis is None else f" in all axes but {axis}"
            raise NetworkError(
                f"branch 1 of {name} gives {Signal(grids[0]).grid} and branch {place + 1} "
                f"{Signal(grid).grid}, which must be the same{rest}; give both the same strides, "
                "padding and pooling"
            )


def check_uncorrelated(name: str, ends: Sequence[Signal], why: str) -> None:
    """Refuses more than one branch that fresh weights do not make uncorrelated with the others.

    Raises:
        NetworkError: with the branches.
    """
    rest = [place for place, end in enumerate(ends) if not (end.centred and end.weighted)]
    if len(rest) > 1:
        raise NetworkError(
            f"{_listed(rest)} of {name} do not end in layers with weights of their own, so they "
            f"are not independent and their {why}; end all but one of the branches with Conv(...) "
            "or Dense()"
        )


def check_independent(name: str, ends: Sequence[Signal], hidden: bool) -> None:
    """Refuses branches whose values at one channel depend on each other.

    hidden: the signal that they take has infinitely many channels.

    Raises:
        NetworkError: with the branches.
    """
    rest = [place for place, end in enumerate(ends) if not end.weighted]
    if len(rest) > 1:
        raise NetworkError(
            f"{_listed(rest)} of {name} have no weights of their own, so they are not independent "
            "and their covariances do not multiply; put Conv(...) or Dense() into all but one of "
            "the branches"
        )
    if rest and not hidden:
        raise NetworkError(
            f"{_listed(rest)} of {name} has no weights of its own and is the inputs themselves, "
            "which have too few channels for a product to have a limit; put Conv(...) or Dense() "
            "into it"
        )
    mixed = [place for place, end in enumerate(ends) if end.mixed]
    if len(mixed) > 1:
        raise NetworkError(
            f"the channels of {_listed(mixed)} of {name} have different variances (after Flatten "
            "or Concatenate), whose products are not the product of their means; put Dense() or "
            "Conv(...) at the end of all but one of the branches"
        )


def check_residual(body: Signal, shortcut: Signal) -> None:
    """Refuses a body and a shortcut that cannot be added.

    Raises:
        NetworkError: different grids, or no fresh weights at the end of either.
    """
    if body.space != shortcut.space:
        raise NetworkError(
            f"the body gives {body.grid} and the shortcut {shortcut.grid}; give the shortcut "
            "the same strides, for example shortcut=Conv(1, stride=2)"
        )
    if not any(branch.centred and branch.weighted for branch in (body, shortcut)):
        raise NetworkError(
            "neither branch of the Residual ends in a layer with weights of its own, so the "
            "branches are not independent and their covariances do not add; end one of them "
            "with Conv(...) or Dense()"
        )


def _listed(places: Sequence[int]) -> str:
    """Branches by their numbers, in words."""
    names = [str(place + 1) for place in places]
    if len(names) == 1:
        return f"branch {names[0]}"
    return f"branches {', '.join(names[:-1])} and {names[-1]}"
