"""Ridge leverage scores of a kernel matrix, estimated from few of its entries."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import scipy.linalg as sla
from numpy.typing import NDArray

Matrix = NDArray[np.float64]
Indices = NDArray[np.intp]
Entries = Callable[[Indices, Indices], Any]

# Sets no larger than this multiple of the number of landmarks are not halved any further.
_START = 2


def leverage_scores(
    entries: Entries, diagonal: Matrix, size: int, rng: np.random.Generator
) -> Matrix:
    """Return estimates of the leverage scores (K(K + λI)⁻¹)ᵢᵢ, (n,), for about `size` landmarks.

    `entries` maps indices (a,), (b,) to K[a, b]; `diagonal` (n,) is that of K. Half of the rows,
    half of these and so on are looked at, from the smallest set up: landmarks drawn by their
    scores within one set give the scores of the next, twice as large. λ is what the best
    approximation of the rank that `size` landmarks can support leaves of the trace, by rank.
    Entries are computed for about `size` columns of K, twice over. All scores are positive
    where the diagonal is. Exact scores add up to tr(K(K + λI)⁻¹), the effective dimension (degrees
    of freedom) of ridge regression.

    Source: Musco & Musco 2017, "Recursive sampling for the Nyström method", algorithm 3.

    >>> import numpy as np
    >>> K = np.diag([1.0, 1.0, 1.0, 0.0])
    >>> rng = np.random.default_rng(0)
    >>> scores = leverage_scores(lambda i, j: K[np.ix_(i, j)], np.diag(K), 2, rng)
    >>> bool(scores[0] > 0), float(scores[3])
    (True, 0.0)
    """
    n = len(diagonal)
    oversampling = max(math.log(size), 1.0)
    rank = max(int(size / (4 * oversampling)), 1)
    order = rng.permutation(n)
    sizes = [n]
    while sizes[-1] > max(_START * size, 8):
        sizes.append((sizes[-1] + 1) // 2)
    landmarks = order[: min(sizes[-1], size)]
    weights = np.ones(len(landmarks))
    scores = np.ones(n)
    for count in reversed(sizes):
        rows = order[:count]
        scores = _scores(entries, diagonal, rows, landmarks, weights, rank)
        if count < n:
            chances = np.minimum(1.0, oversampling * scores)
            drawn = np.flatnonzero(rng.random(count) < chances)
            if len(drawn) > size:
                # Chance may draw far more than it should on average; a part of them will do.
                chances *= size / len(drawn)
                drawn = np.sort(rng.choice(drawn, size, replace=False))
            if len(drawn) > 0:
                landmarks, weights = rows[drawn], 1 / np.sqrt(chances[drawn])
    found = np.empty(n)
    found[order] = scores
    return np.where(diagonal > 0, np.maximum(found, np.finfo(np.float64).tiny), 0.0)


def _scores(
    entries: Entries,
    diagonal: Matrix,
    rows: Indices,
    landmarks: Indices,
    weights: Matrix,
    rank: int,
) -> Matrix:
    """Estimates for `rows` (a,) from weighted landmarks (b,): (Kᵢᵢ - kᵢᵀ(K_S + λW⁻²)⁻¹kᵢ)/λ."""
    inner = np.asarray(entries(landmarks, landmarks), dtype=np.float64)
    values = sla.eigvalsh(inner * np.outer(weights, weights), check_finite=False)
    # The largest eigenvalues show in the landmarks; of the others only the trace tells.
    trace = float(diagonal[rows].sum())
    left = max(trace - float(values[-rank:].sum()), float(values[:-rank].sum()))
    # The floor keeps the system solvable where the rank of K is smaller than that asked for.
    ridge = max(left, 1e-8 * trace, 1e-300) / rank
    inner[np.diag_indices_from(inner)] += ridge / np.square(weights)
    part = np.asarray(entries(rows, landmarks), dtype=np.float64)
    solved = sla.solve(inner, part.T, assume_a="sym", check_finite=False)
    explained = np.einsum("ij,ji->i", part, solved)
    return np.clip((diagonal[rows] - explained) / ridge, 0.0, 1.0)
