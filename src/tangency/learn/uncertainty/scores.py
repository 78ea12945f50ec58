"""Scores of predictive densities and of probabilities, for each sample: lower is better."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import erf, ndtri

Matrix = NDArray[np.float64]


def log_loss(y: Matrix, mean: Matrix, std: Matrix) -> Matrix:
    """-log N(y; mean, std²), (m,).

    >>> log_loss(np.zeros(1), np.zeros(1), np.ones(1)).round(4)  # ½ log 2π
    array([0.9189])
    """
    return 0.5 * np.square((y - mean) / std) + np.log(std) + 0.5 * math.log(2 * math.pi)


def crps(y: Matrix, mean: Matrix, std: Matrix) -> Matrix:
    """The continuous ranked probability score of N(mean, std²), (m,), in the units of y.

    ∫ (F(t) - [t ≥ y])² dt with the distribution function F; for std = 0 it is |y - mean|. Source:
    Gneiting, Raftery, Westveld & Goldman 2005, equation 5.

    >>> crps(np.zeros(1), np.zeros(1), np.ones(1)).round(4)  # (√2 - 1)/√π
    array([0.2337])
    """
    z = (y - mean) / std
    density = np.exp(-0.5 * np.square(z)) / math.sqrt(2 * math.pi)
    return std * (z * erf(z / math.sqrt(2)) + 2 * density - 1 / math.sqrt(math.pi))


def half_widths(levels: Matrix) -> Matrix:
    """How many standard deviations to either side hold these shares of a normal law, (c,)."""
    return ndtri(0.5 + 0.5 * np.asarray(levels))


@dataclass(frozen=True, eq=False)
class Bins:
    """Confidence and accuracy of samples in bins of equal counts, each (b,).

    ece: the mean gap between both over samples, and what probabilities that are right would show by
    chance, in expectation (`by_chance`); `error` bounds its standard deviation over samples.
    """

    confidence: Matrix
    accuracy: Matrix
    counts: NDArray[np.intp]
    ece: float
    error: float
    by_chance: float

    @property
    def errors(self) -> Matrix:
        """Standard errors of `accuracy`, as they are where the confidence is right, (b,)."""
        return np.sqrt(self.confidence * (1 - self.confidence) / self.counts)


def binned(confidence: Matrix, right: Matrix, count: int) -> Bins:
    """Samples with a confidence (m,) each, right (m,) or not, in at most `count` bins.

    Equal confidences are never apart, so that the order of samples changes nothing.

    By chance each gap is |N(0, v)| with the variance v of the mean of independent hits with the
    probabilities stated, hence √(2v/π) in expectation.

    >>> found = binned(np.array([0.6, 0.6, 0.9, 0.9]), np.array([1.0, 0.0, 1.0, 1.0]), 2)
    >>> found.confidence, found.accuracy, round(found.ece, 3)
    (array([0.6, 0.9]), array([0.5, 1. ]), 0.1)
    """
    edges = np.quantile(confidence, np.linspace(0, 1, count + 1)[1:-1])
    _, places, counts = np.unique(
        np.searchsorted(edges, confidence, side="left"), return_inverse=True, return_counts=True
    )

    def means(values: Any) -> Matrix:
        return np.bincount(places, weights=values) / counts

    stated, hits = means(confidence), means(right)
    shares = counts / counts.sum()
    scatter = means(confidence * (1 - confidence)) / counts
    return Bins(
        stated,
        hits,
        counts,
        float(shares @ np.abs(stated - hits)),
        float(np.sqrt(np.square(shares) @ (hits * (1 - hits) / counts))),
        float(shares @ np.sqrt(2 * scatter / math.pi)),
    )
