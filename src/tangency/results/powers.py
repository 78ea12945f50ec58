"""Power laws d ≈ c·s^a fitted at small sizes."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class PowerFit:
    """d ≈ constant · size^exponent, by least squares on logarithms.

    Attributes:
        error: standard error of the exponent over the repeated draws; with one draw, that of the
            straight line.
        low, high: the sizes between which it was fitted.
        points: how many sizes.
    """

    exponent: float
    constant: float
    error: float
    low: float
    high: float
    points: int

    def __call__(self, sizes: np.ndarray) -> np.ndarray:
        """The fitted distances at `sizes`."""
        return self.constant * np.asarray(sizes) ** self.exponent


def fit_power(sizes: np.ndarray, distances: np.ndarray, below: float) -> PowerFit | None:
    """The power law over the sizes up to `below`; None with fewer than three, or with zeros.

    sizes: (s,) increasing. distances: (s, draws).

    >>> import numpy as np
    >>> s = np.geomspace(1e-4, 1, 9)
    >>> fit = fit_power(s, 3 * s[:, None] ** 0.5, 0.01)
    >>> round(fit.exponent, 9), round(fit.constant, 9), fit.points
    (0.5, 3.0, 5)
    """
    small = sizes <= below * (1 + 1e-9)
    means = distances[small].mean(axis=1)
    if small.sum() < 3 or not np.all(distances[small] > 0):
        return None
    x, y = np.log(sizes[small]), np.log(means)
    slope, start = np.polyfit(x, y, 1)
    draws = distances.shape[1]
    if draws > 1:
        slopes = [np.polyfit(x, np.log(d), 1)[0] for d in distances[small].T]
        error = np.std(slopes, ddof=1) / np.sqrt(draws)
    else:
        left = y - slope * x - start
        error = np.sqrt(left @ left / (len(x) - 2) / np.sum((x - x.mean()) ** 2))
    kept = sizes[small]
    return PowerFit(
        float(slope), float(np.exp(start)), float(error), float(kept[0]), float(kept[-1]), len(kept)
    )
