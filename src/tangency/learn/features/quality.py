"""How far the kernel of some features is from the exact one."""

from __future__ import annotations

import math
import warnings
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...norms import binary_scale
from ..conditioning import IllConditionedWarning, caller_level

Array = NDArray[Any]

_ROUNDING = 1e-3  # of an error of 1, as of too few features


def relative_error(exact: Array, found: Array) -> tuple[float, float]:
    """‖K - K̂‖_F / ‖K‖_F, and its standard error by leaving out one input at a time."""
    scale, n = binary_scale(exact), len(exact)  # squares stay in the range
    misses, sizes = np.square((exact - found) / scale), np.square(exact / scale)

    def root(miss: Any, size: Any) -> Any:
        return np.sqrt(miss / np.where(size > 0, size, 1))

    whole = float(root(misses.sum(), sizes.sum()))
    if n < 3:
        return whole, math.nan
    left = [m.sum() - m.sum(axis=0) - m.sum(axis=1) + np.diagonal(m) for m in (misses, sizes)]
    without = root(np.maximum(left[0], 0), left[1])
    return whole, float(np.sqrt((n - 1) / n * np.square(without - without.mean()).sum()))


def warn_if_worse_than_nothing(error: float, dtype: Any) -> None:
    """Warn of features that are farther from the kernel than zeros are, which no projection is."""
    if not error <= 1 + _ROUNDING:
        warnings.warn(
            f"features of {dtype} samples miss the kernel by {error:.0%} of its size (error_), "
            "which only rounding does: the network is too steep for such large inputs; scale them "
            f"down{', or pass float64 inputs' if dtype == np.float32 else ''}",
            IllConditionedWarning,
            stacklevel=caller_level(),
        )


def centred(matrix: Array) -> Array:
    means = matrix.mean(axis=0)
    return matrix - means[None, :] - matrix.mean(axis=1)[:, None] + means.mean()
