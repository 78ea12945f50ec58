"""Whether what a kernel gave is finite, symmetric and of the right shape."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..checks import called, plain_array, shown
from ..errors import InputError
from ..kernels.algebra import apart
from ..kernels.plain import plain

FLOAT32_EPS = float(np.finfo(np.float32).eps)
_CALLED = "a kernel, which is called as K(X, Y),"
_FINITE_REMEDY = "scale the inputs down, or pass float64 inputs"
_ROWS = 1024


def is_precomputed(kernel: Any) -> bool:
    """Tell whether the samples are rows of a kernel matrix already."""
    return isinstance(kernel, str) and kernel == "precomputed"


def call(kernel: Any, X: np.ndarray) -> Any:
    """Return K(X, X) of a kernel from outside the library, as it gives it."""
    return called(kernel, _CALLED, *apart(kernel, X, X))


def kernel_diagonal(kernel: Any, X: np.ndarray) -> NDArray[np.float64]:
    """Return K(x, x) for every row, (m,), through `kernel.diag` where there is one."""
    if hasattr(kernel, "diag"):
        return as_matrix(kernel.diag(*apart(kernel, X)), (len(X),), kernel).astype(np.float64)
    blocks: list[np.ndarray] = []
    for start in range(0, len(X), 64):
        block = X[start : start + 64]
        blocks.append(np.diagonal(as_matrix(call(kernel, block), (len(block),) * 2, kernel)))
    return np.concatenate(blocks).astype(np.float64)


def as_array(raw: Any, name: str) -> np.ndarray:
    """Return what a kernel gave as an array of NumPy's, whatever library it comes from."""
    return plain_array(plain(raw, name), name)


def as_matrix(raw: Any, shape: tuple[int, ...] | None, kernel: Any) -> np.ndarray:
    """Return what `kernel` gave, in float32 or float64; refuse NaN, infinity and other shapes."""
    name = "the precomputed kernel matrix" if is_precomputed(kernel) else f"kernel {shown(kernel)}"
    raw = as_array(raw, f"what {name} gave")
    if shape is not None and raw.shape != shape:
        raise InputError(
            f"{name} has shape {raw.shape}; expected {shape}, one row per sample "
            f"{'and one column per training sample' if len(shape) == 2 else ''}"
        )
    if raw.dtype not in (np.float64, np.float32):
        if raw.dtype.kind not in "iuf":
            raise InputError(f"{name} has dtype {raw.dtype}; expected real numbers")
        raw = raw.astype(np.float64)
    return require_finite(raw, f"{name} has bad entries", _FINITE_REMEDY)


def require_symmetric(matrix: np.ndarray, transposed: np.ndarray | None = None) -> None:
    """Refuse a matrix that differs from its transpose by more than rounding.

    `transposed` (n, m), if given, is compared with `matrix` (n, m) in the transpose's place.
    """
    other = matrix.T if transposed is None else transposed
    scale, eps = float(np.abs(matrix).max(initial=0.0)), float(np.finfo(matrix.dtype).eps)
    for start in range(0, len(matrix), _ROWS):
        rows = slice(start, start + _ROWS)
        gap = np.abs(matrix[rows].astype(np.float64) - other[rows])
        _check_gap(float(gap.max(initial=0.0)), scale, eps)


def symmetrise(matrix: NDArray[np.float64], eps: float) -> None:
    """Replace K by (K + Kᵀ)/2 in place, or refuse it if the two differ by more than rounding."""
    n = len(matrix)
    scale = float(np.abs(matrix).max(initial=0.0))
    for start in range(0, n, _ROWS):
        rows = slice(start, start + _ROWS)
        upper, lower = matrix[rows, start:], matrix[start:, rows].T
        _check_gap(float(np.abs(upper - lower).max(initial=0.0)), scale, eps)
        mean = 0.5 * (upper + lower)
        matrix[rows, start:] = mean
        matrix[start:, rows] = mean.T


def _check_gap(gap: float, scale: float, eps: float) -> None:
    # float64 matrices may well have been computed in float32
    if gap > 10.0 * max(math.sqrt(eps), FLOAT32_EPS) * scale:
        raise InputError(
            f"the kernel matrix is not symmetric: K and its transpose differ by {gap:.3g}, "
            f"entries reach {scale:.3g}; pass K(X, X), rows and columns in the same order"
        )


def require_finite(values: np.ndarray, what: str, remedy: str) -> np.ndarray:
    """Return `values` unchanged, or refuse them if any is NaN or infinite."""
    if not np.isfinite(values).all():
        bad = int(np.size(values) - np.count_nonzero(np.isfinite(values)))
        raise InputError(f"{what}: {bad} of {np.size(values)} values are not finite; {remedy}")
    return values
