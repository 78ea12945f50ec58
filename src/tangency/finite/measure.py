"""A quantity measured on networks of several widths, and its power law."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from ..results.powers import PowerFit


@dataclass(frozen=True, eq=False)
class Measure:
    """One quantity for all widths and seeds.

    Attributes:
        name: in words. points: "train", "test", or "" for a quantity of the network itself.
        widths: (w,). values: (w, seeds).
        theory: the exponent of the width that is known for wide networks, None where none is.
    """

    name: str
    points: str
    widths: np.ndarray
    values: np.ndarray
    theory: float | None

    @property
    def mean(self) -> np.ndarray:
        """(w,) mean over seeds."""
        return self.values.mean(axis=1)

    @property
    def error(self) -> np.ndarray:
        """(w,) standard error of the mean, NaN with one seed."""
        seeds = self.values.shape[1]
        if seeds == 1:
            return np.full(len(self.values), np.nan)
        return self.values.std(axis=1, ddof=1) / np.sqrt(seeds)

    @cached_property
    def fit(self) -> PowerFit | None:
        """mean ≈ constant · width^exponent by least squares on logarithms, None for one width.

        Its `error` is the exponent's standard error, from those of the means: networks of
        different widths are drawn independently.
        """
        if len(self.widths) < 2 or not np.all(self.mean > 0):
            return None
        x, y = np.log(self.widths), np.log(self.mean)
        pull = (x - x.mean()) / np.sum(np.square(x - x.mean()))
        slope = float(pull @ y)
        error = float(np.sqrt(np.sum(np.square(pull * self.error / self.mean))))
        constant = float(np.exp(y.mean() - slope * x.mean()))
        low, high = float(self.widths.min()), float(self.widths.max())
        return PowerFit(slope, constant, error, low, high, len(x))


def slope_text(fit: PowerFit) -> str:
    """A fitted slope with its standard error, in words."""
    error = "" if np.isnan(fit.error) else f" ± {fit.error:.2f}"
    return f"{fit.exponent:.2f}{error}".replace("-", "−")
