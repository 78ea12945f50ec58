"""Probabilities of classes by a softmax whose temperature suits the scores of held-out samples."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import brentq
from scipy.special import log_softmax, softmax

Matrix = NDArray[np.float64]

# Where held-out scores say less than nothing, probabilities differ by no more than about this.
_FAINT = 1e-3


def fit_temperature(scores: Matrix, codes: NDArray[np.intp], weights: Matrix | None) -> float:
    """Return T > 0 such that softmax(s/T) suits held-out scores s (n, k) of classes `codes` (n,).

    T minimises the mean log loss, with `weights` (n,), which is convex in 1/T, towards targets
    that are not quite certain: (n + 1)/(n + 2) for the class that was seen, the rest shared by the
    others, as if one more sample than were seen had been missed. So T stays above zero for scores
    that never miss. With weights n is (Σw)²/Σw², which no common factor of them changes. T is cut
    where scores mislead, so that the order of the classes remains; it scales with the scores, and a
    number added to all scores of a sample changes nothing.

    Sources: Guo et al. 2017, "On calibration of modern neural networks", section 4.2, for the
    temperature; Platt 1999, "Probabilistic outputs for support vector machines", section 2.2, for
    the targets. For two classes it is Platt's sigmoid without a shift. Some 30 sums over n k terms.

    >>> scores = np.array([[2.0, 0.0], [1.0, 0.0], [0.0, 1.0], [0.5, 0.0]])
    >>> T = fit_temperature(scores, np.array([0, 0, 1, 1]), None)
    >>> bool(np.isclose(fit_temperature(8 * scores, np.array([0, 0, 1, 1]), None), 8 * T))
    True
    """
    shares = np.ones(len(scores)) if weights is None else weights
    shares = shares / shares.sum()
    spread = scores - scores.mean(axis=1, keepdims=True)
    unit = float(np.abs(spread).max())
    if unit == 0:
        return 1.0
    spread /= unit
    unit_rms = float(np.sqrt(shares @ np.mean(np.square(spread), axis=1)))
    if unit_rms == 0:  # all but samples whose weights vanish beside the others
        return unit
    n = 1.0 / float(shares @ shares)
    own = spread[np.arange(len(spread)), codes]
    others = -own / (spread.shape[1] - 1)  # the mean score of the other classes
    wanted = float(shares @ (own * (n + 1) + others)) / (n + 2)

    def slope(inverse: float) -> float:
        return float(shares @ np.sum(softmax(inverse * spread, axis=1) * spread, axis=1)) - wanted

    least = high = _FAINT / unit_rms
    while slope(high) < 0:  # at most log₂ of some n/unit_rms steps: the targets are uncertain
        high *= 2
    if high == least:
        return unit / least
    root: Any = brentq(slope, max(high / 2, least), high, xtol=1e-300)
    return unit / float(root)


def log_probabilities(scores: Matrix, temperature: float) -> Matrix:
    """Return log softmax(s/T), (m, k)."""
    return log_softmax(scores / temperature, axis=1)
