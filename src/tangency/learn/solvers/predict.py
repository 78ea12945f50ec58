"""Values of a fitted function at many points, by blocks of rows of K(X, X_fit)."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...engines.progress import progress_bar
from ...kernels import Prepared
from ..grams import as_matrix, cross_gram, is_precomputed, is_stored, takes_prepared, times

Matrix = NDArray[np.float64]

BLOCK_BYTES = 2**27
_ROUND = 256


def expand(kernel: Any, X: Any, X_fit: np.ndarray | None, dual: Matrix) -> Matrix:
    """Return K(X, X_fit) @ dual, (m,) or (m, k), with no more than a block of K in memory.

    Blocks have 128 MiB in float64, but at least 256 rows. For "precomputed" X is the matrix
    (m, n) itself, in memory or in a store.
    """
    n = len(dual)
    if is_precomputed(kernel) and not is_stored(X):
        return times(cross_gram(kernel, X, None, n), dual)
    rows = max(BLOCK_BYTES // (8 * n) // _ROUND, 1) * _ROUND
    shows = bool(getattr(kernel, "progress", False)) and len(X) > rows
    if shows and dataclasses.is_dataclass(kernel):
        kernel = dataclasses.replace(kernel, progress=False)  # pyright: ignore[reportArgumentType]
    fitted = Prepared(X_fit) if takes_prepared(kernel) else X_fit
    out = np.empty((len(X), *dual.shape[1:]))
    with progress_bar(len(X), shows, "row") as bar:
        for start in range(0, len(X), rows):
            block = X[start : start + rows]
            gram = block if is_precomputed(kernel) else kernel(block, fitted)
            out[start : start + rows] = times(as_matrix(gram, (len(block), n), kernel), dual)
            bar.update(len(block))
    return out
