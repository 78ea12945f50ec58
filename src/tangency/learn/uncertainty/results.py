"""What `calibration` found: scores of several models on the same samples."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...results import Result, Table
from .scores import Bins

Matrix = NDArray[np.float64]

_SHOWN = (0.5, 0.9, 0.95)


@dataclass(frozen=True, eq=False)
class IntervalScores:
    """One model's predictive intervals of m targets, in the units of the targets.

    coverage, width: (c,) of intervals at the levels, the share of targets inside and the mean
    width; gap: the mean of |coverage - level|. nll, crps: means over samples with their standard
    errors; NaN where a model gives intervals and no density, as the jackknife+.
    """

    rmse: float
    nll: float
    nll_error: float
    crps: float
    crps_error: float
    coverage: Matrix
    width: Matrix
    gap: float


@dataclass(frozen=True, eq=False)
class ClassScores:
    """One model's probabilities for m samples.

    nll: mean of -log p of the true class. brier: mean of the squared distance between the
    probabilities and the true class's corner, from 0 to 2. bins: of the probability of the most
    probable class, with the expected calibration error.
    """

    accuracy: float
    nll: float
    nll_error: float
    brier: float
    brier_error: float
    bins: Bins


@dataclass(frozen=True, eq=False)
class RegressionCalibration(Result):
    """How well predictive intervals hold: `scores` by name of the model, at `levels` (c,).

    count: of targets.
    """

    levels: Matrix
    scores: dict[str, IntervalScores]
    count: int

    @property
    def title(self) -> str:
        """What the figure shows."""
        return "Coverage of predictive intervals, and their width"

    @property
    def reading(self) -> str:
        """How to read the figure, in one sentence."""
        return (
            "On the diagonal intervals hold what they promise; below it they are too narrow, above "
            "it wider than they need be; of models that hold, the one with the narrower intervals "
            "knows more."
        )

    @property
    def summary(self) -> str:
        """What was found, in one sentence."""
        level = self._shown()[-1]
        at = int(np.flatnonzero(self.levels == level)[0])
        each = "; ".join(
            f"{name} {100 * s.coverage[at]:.1f} %, width {s.width[at]:.3g}"
            for name, s in self.scores.items()
        )
        spread = 100 * self.errors[at]
        return (
            f"Of {self.count:,} targets {100 * level:g} % intervals hold {each} (± {spread:.1f})."
        )

    @property
    def errors(self) -> Matrix:
        """Standard errors of a coverage that is right, (c,): √(level (1 - level)/m)."""
        return np.sqrt(self.levels * (1 - self.levels) / self.count)

    @property
    def by_chance(self) -> float:
        """The `gap` of a model that is right, in expectation."""
        return float(np.mean(self.errors) * math.sqrt(2 / math.pi))

    def _shown(self) -> list[float]:
        nearest = {float(self.levels[np.argmin(np.abs(self.levels - v))]) for v in _SHOWN}
        return sorted(nearest)

    def table(self) -> Table:
        """A row for each model; scores with standard errors, coverage at up to three levels."""
        places = [int(np.flatnonzero(self.levels == level)[0]) for level in self._shown()]
        names = [f"coverage {self.levels[p]:g}" for p in places]
        widths = [f"width {self.levels[p]:g}" for p in places[-2:]]
        rows = []
        for name, s in self.scores.items():
            sizes = (s.rmse, s.nll, s.nll_error, s.crps, s.crps_error)
            cells: list[Any] = [name, *("" if math.isnan(v) else v for v in sizes)]
            cells += [float(s.coverage[p]) for p in places]
            rows.append([*cells, *(float(s.width[p]) for p in places[-2:]), s.gap])
        columns = ("model", "RMSE", "NLL", "± NLL", "CRPS", "± CRPS", *names, *widths, "mean gap")
        return Table(columns, rows)


@dataclass(frozen=True, eq=False)
class ClassCalibration(Result):
    """How well probabilities of classes hold: `scores` by name of the model.

    count: of samples.
    """

    scores: dict[str, ClassScores]
    count: int

    @property
    def title(self) -> str:
        """What the figure shows."""
        return "Accuracy at each level of confidence"

    @property
    def reading(self) -> str:
        """How to read the figure, in one sentence."""
        return (
            "On the diagonal predictions are right as often as they say; below it the model is too "
            "sure, above it not sure enough; bars are two standard errors of a bin whose "
            "confidence is right."
        )

    @property
    def summary(self) -> str:
        """What was found, in one sentence."""
        each = "; ".join(
            f"{name} {100 * s.bins.ece:.1f} % ± {100 * s.bins.error:.1f} "
            f"({100 * s.bins.by_chance:.1f} % by chance alone)"
            for name, s in self.scores.items()
        )
        return f"Expected calibration error on {self.count:,} samples: {each}."

    def table(self) -> Table:
        """A row for each model: scores with standard errors, the calibration error by chance."""
        rows = [
            (
                name,
                *(s.accuracy, s.nll, s.nll_error, s.brier, s.brier_error),
                *(s.bins.ece, s.bins.error, s.bins.by_chance, len(s.bins.counts)),
            )
            for name, s in self.scores.items()
        ]
        scores = ("accuracy", "NLL", "± NLL", "Brier", "± Brier")
        return Table(("model", *scores, "ECE", "± ECE", "ECE by chance", "bins"), rows)
