"""Linear regression on the features of samples that come in batches and are not kept."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import linalg

from ...matrix.checked import require_finite
from ..conditioning import rank_cutoff
from ..features import LayerwiseFeatures
from ..flow import flow_filter
from ..threads import blas_threads
from .linear import spectrum_of
from .predict import AT_ONCE
from .sums import Sums, finite_trace

Matrix = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Stream:
    """What batches of samples leave, whatever their number: the map and sums over samples.

    Targets are less the `origin` (k,), so that a number added to all of them costs no digits;
    `targets` (k,) is their sum, and `weight` that of the weights.
    """

    features: LayerwiseFeatures
    sums: Sums
    origin: Matrix
    targets: Matrix
    weight: float = 0.0

    @classmethod
    def empty(cls, features: LayerwiseFeatures, origin: Matrix) -> Stream:
        k = len(origin)
        return cls(features, Sums.empty(features.size, k), origin, np.zeros(k))

    def after(self, X: Any, targets: Matrix, weights: Matrix | None) -> Stream:
        """What is left after some more samples with their targets (n, k) and weights (n,)."""
        found, targets = Sums.empty(*self.sums.moments.shape), targets - self.origin
        ones = np.ones(len(X)) if weights is None else np.sqrt(weights)
        for start in range(0, len(X), AT_ONCE):
            rows = slice(start, start + AT_ONCE)
            block = self.features.transform(X[rows]).astype(np.float64)
            scaled = ones[rows, None]
            found.add(block * scaled, targets[rows] * scaled, ones[rows])
        found.take(self.sums)
        own = np.square(ones)
        summed, weight = self.targets + own @ targets, self.weight + float(own.sum())
        return Stream(self.features, found, self.origin, summed, weight)

    def solved(self, alpha: float, time: float, centred: bool) -> tuple[Matrix, Matrix]:
        """w (r, k) and the mean (k,) of the function mean + Φ w that all samples so far give."""
        mean = self.targets / self.weight if centred else -self.origin
        moments = self.sums.moments - np.outer(self.sums.sums, mean)
        gram = self.sums.whole()
        require_finite(moments, "sums over samples overflowed", "scale inputs or targets down")
        trace, r = finite_trace(gram), len(gram)
        eps = float(np.finfo(np.float64).eps)
        with blas_threads(r):
            if np.isinf(time) and alpha > rank_cutoff(trace, trace, r, eps):
                shifted = gram + alpha * np.eye(r)
                return linalg.solve(
                    shifted, moments, assume_a="pos", check_finite=False
                ), mean + self.origin
            spectrum = spectrum_of(gram, trace, r, eps)
            basis = spectrum.vectors
            shrink = flow_filter(spectrum, alpha, time)[:, None]
            return basis @ (shrink * (basis.T @ moments)), mean + self.origin
