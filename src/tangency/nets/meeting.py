"""Whether branches can meet: on one grid, and independent of each other as far as need be."""

from __future__ import annotations

from collections.abc import Sequence

from ..errors import NetworkError
from .signal import Signal


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
