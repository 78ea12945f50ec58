"""Probabilities of classes by a softmax whose temperature suits the scores of held-out samples."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import brentq

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
    the targets. For two classes it is Platt's sigmoid without a shift. Some 15 sums over n k terms.

    >>> scores = np.array([[2.0, 0.0], [1.0, 0.0], [0.0, 1.0], [0.5, 0.0]])
    >>> T = fit_temperature(scores, np.array([0, 0, 1, 1]), None)
    >>> bool(np.isclose(fit_temperature(8 * scores, np.array([0, 0, 1, 1]), None), 8 * T))
    True
    """
    shares = np.ones(len(scores)) if weights is None else weights
    shares = shares / shares.sum()
    below = scores - scores.max(axis=1, keepdims=True)
    unit = -float(below.min())
    if unit == 0:
        return 1.0
    below /= unit
    typical = float(np.sqrt(shares @ np.mean(np.square(below), axis=1)))
    if typical == 0:  # all but samples whose weights vanish beside the others say nothing
        return unit
    n = 1.0 / float(shares @ shares)
    own = below[np.arange(len(below)), codes]
    others = (below.sum(axis=1) - own) / (below.shape[1] - 1)
    wanted = float(shares @ (own * (n + 1) + others)) / (n + 2)

    def slope(inverse: float) -> float:
        chances = np.exp(inverse * below)
        means = np.einsum("ij,ij->i", chances, below) / chances.sum(axis=1)
        return float(shares @ means) - wanted

    low, high = _FAINT / typical, 1.0 / typical
    if slope(low) >= 0:
        return unit / low
    while slope(high) < 0:  # ends, as the targets are uncertain
        low, high = high, 2 * high
    root: Any = brentq(slope, low, high, xtol=1e-12 * low)
    return unit / float(root)
