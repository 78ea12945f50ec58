"""The search for the best alpha on a grid, which grows where the best one stands at its edge."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .conditioning import caller_level

Matrix = NDArray[np.float64]
Loss = Callable[[float], float]
Gains = Callable[[float, float], bool]  # whether the first loss is better than the second by much

_MOST_STEPS = 40  # beyond an end of the grid: 20 decades


class SearchWarning(UserWarning):
    """The best value of a search stands at the edge of what can be searched."""


@dataclass(frozen=True)
class Found:
    """The `best` of `alphas` (a,) ascending by `losses` (a,).

    `at_edge` is "lower" or "upper" where the loss is still falling at that end, else "".
    """

    best: float
    alphas: Matrix
    losses: Matrix
    at_edge: str


def falls(loss: float, neighbour: float) -> bool:
    """Tell whether a mean square is smaller than the next one by more than 0.1 %."""
    return loss < 0.999 * neighbour


def best_place(losses: Matrix, tolerance: float | None = None) -> int:
    """Return the place of the smallest loss; of those equal to `tolerance`, the last.

    The tolerance is a part in 10⁹ of the smallest loss, unless it is given. NaN is the largest.

    >>> best_place(np.array([3.0, 1.0, 1.0 + 1e-12, 2.0]))
    2
    """
    losses = np.where(np.isnan(losses), np.inf, losses)
    smallest = float(np.min(losses))
    allowed = 1e-9 * abs(smallest) if tolerance is None else tolerance
    return int(np.flatnonzero(losses <= smallest + allowed)[-1])


def search(
    loss: Loss, grid: Matrix, lowest: float, *, gains: Gains = falls, tolerance: float | None = None
) -> Found:
    """Return the best alpha of an ascending `grid`, extended where the loss still falls at an end.

    Steps beyond an end have the ratio of the grid's last two values there, and go on as long as
    `gains(loss, neighbour)`; never down to `lowest` or below, where K holds only rounding.

    >>> found = search(lambda a: (np.log10(a) + 3.2) ** 2, np.array([0.1, 1.0, 10.0]), 1e-9)
    >>> float(round(found.best, 9)), found.at_edge
    (0.001, '')
    """
    alphas = [float(a) for a in grid]
    losses = [loss(a) for a in alphas]
    for _ in range(_MOST_STEPS):
        edge = edge_of(losses, gains)
        if not edge:
            break
        step = alphas[1] / alphas[0] if edge == "lower" else alphas[-1] / alphas[-2]
        following = alphas[0] / step if edge == "lower" else alphas[-1] * step
        if not lowest < following < np.inf:
            break
        place = 0 if edge == "lower" else len(alphas)
        alphas.insert(place, following)
        losses.insert(place, loss(following))
    found = np.array(losses)
    best = best_place(found, tolerance)
    return Found(alphas[best], np.array(alphas), found, edge_of(losses, gains))


def edge_of(losses: list[float], gains: Gains = falls) -> str:
    """Return the end at which the smallest loss stands and still falls, "lower" or "upper", or "".

    >>> edge_of([1.0, 2.0, 3.0]), edge_of([2.0, 1.0, 3.0]), edge_of([1.0, 1.0, 3.0])
    ('lower', '', '')
    """
    if len(losses) < 2:
        return ""
    place = int(np.argmin(losses))
    if place == 0 and gains(losses[0], losses[1]):
        return "lower"
    if place == len(losses) - 1 and gains(losses[-1], losses[-2]):
        return "upper"
    return ""


def warn_at_edge(edge: str, best: float, name: str, dtype: str) -> None:
    """Warn with `SearchWarning` that the best value stands at an end of what was searched."""
    if not edge:
        return
    if edge == "lower":
        remedies = [f"set {name}=0, which interpolates, if the targets hold no noise"]
        if dtype != "float64":
            remedies.insert(0, f"pass the inputs as float64 (they are {dtype})")
        found = "the smallest that was searched, and smaller is better"
    else:
        remedies = ["take another kernel, or standardise the inputs"]
        found = "the largest that was searched, and larger is better: K explains little of y"
    warnings.warn(
        f"the best {name}, {best:.3g}, is {found}. To do: {'; or '.join(remedies)}; or choose "
        f"{name} yourself, a number or a list that reaches further.",
        SearchWarning,
        stacklevel=caller_level(),
    )
