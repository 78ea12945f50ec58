"""Values of a fitted function at many points, by blocks of rows of K(X, X_fit)."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...engines.progress import progress_bar
from ...kernels import Prepared
from ...kernels.algebra import apart, takes_prepared
from ...matrix.checked import as_matrix, is_precomputed
from ...matrix.view import is_stored
from ..grams import cross_gram, times

Matrix = NDArray[np.float64]

BLOCK_BYTES = 2**27
AT_ONCE = 256  # samples that become features between two looks at a bar
DEVIATION_BYTES = 2**24  # of each of some six blocks that a standard deviation takes
_ROUND = 256


def expand(kernel: Any, X: Any, X_fit: np.ndarray | None, dual: Matrix) -> Matrix:
    """Return K(X, X_fit) @ dual, (m,) or (m, k), with no more than a block of K in memory.

    Blocks have 128 MiB in float64, but at least 256 rows. For "precomputed" X is the matrix
    (m, n) itself, in memory or in a store.
    """
    n = len(dual)
    if is_precomputed(kernel) and not is_stored(X):
        return times(cross_gram(kernel, X, None, n), dual)
    shows = shows_progress(kernel)
    kernel, fitted = quiet(kernel), prepared_for(kernel, X_fit)
    out = np.empty((len(X), *dual.shape[1:]))
    for rows in row_blocks(len(X), 8 * n, shows, BLOCK_BYTES):
        block = X[rows]
        gram = block if is_precomputed(kernel) else kernel(*apart(kernel, block, fitted))
        out[rows] = times(as_matrix(gram, (len(block), n), kernel), dual)
    return out


def on_features(features: Any, X: Any, weights: Matrix) -> Matrix:
    """Return Φ(X) weights, (m,) or (m, k), for samples that are checked."""
    out = np.empty((len(X), *weights.shape[1:]))
    for start in range(0, len(X), AT_ONCE):
        rows = slice(start, start + AT_ONCE)
        out[rows] = features.transform(X[rows]).astype(np.float64) @ weights
    return out


def row_blocks(count: int, row_bytes: int, shows: bool, block_bytes: int) -> Iterator[slice]:
    """Yield slices that cover `count` rows, of `block_bytes` each but at least 256 rows.

    With `shows`, a bar counts the rows that are done, where there are several blocks.
    """
    step = max(block_bytes // row_bytes // _ROUND, 1) * _ROUND
    with progress_bar(count, shows and count > step, "row") as bar:
        for start in range(0, count, step):
            stop = min(start + step, count)
            yield slice(start, stop)
            bar.update(stop - start)


def shows_progress(kernel: Any) -> bool:
    """Whether the kernel draws a bar while it is computed."""
    return bool(getattr(kernel, "progress", False))


def quiet(kernel: Any) -> Any:
    """Return the kernel without bars of its own, which each block would draw."""
    if shows_progress(kernel) and dataclasses.is_dataclass(kernel):
        return dataclasses.replace(kernel, progress=False)  # pyright: ignore[reportArgumentType]
    return kernel


def prepared_for(kernel: Any, X_fit: np.ndarray | None) -> Any:
    """Return samples with what the kernel derives from them, once for all blocks."""
    return Prepared(X_fit) if takes_prepared(kernel) else X_fit
