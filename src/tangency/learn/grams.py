"""From a `kernel` parameter and samples to kernel matrices that are safe to solve with."""

from __future__ import annotations

import math
import sys
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..checks import called, cut, plain_array, shown
from ..engines.blas import product
from ..errors import InputError, NetworkError
from ..kernels import NNGP, NTK, Kernel, Product, Scaled, Sum
from ..kernels.coerce import is_module
from ..kernels.network import NetworkKernel, as_network
from ..nets import Layer
from .conditioning import FLOAT32_EPS, require_finite
from .plain import plain

DEFAULT_NETWORK = "dense relu dense"
_FINITE_REMEDY = "scale the inputs down, or pass float64 inputs"
_ROWS = 1024


@dataclass(frozen=True)
class TrainGram:
    """K(X, X) as a C-ordered float64 matrix (n, n) that the solvers may overwrite.

    `dtype` names the dtype it was computed in, `trusted` says that one
    of the library's own kernels made it (so it is positive semidefinite up to rounding),
    `samples` are the rows behind it, None when it was given precomputed.
    """

    matrix: NDArray[np.float64]
    dtype: str
    trusted: bool
    samples: np.ndarray | None
    trace: float

    @property
    def size(self) -> int:
        """The number of samples n."""
        return len(self.matrix)

    @property
    def eps(self) -> float:
        """The relative precision of the dtype that the kernel was computed in."""
        return float(np.finfo(self.dtype).eps)


def resolve_kernel(kernel: Any, of_network: type[NTK] | type[NNGP] = NTK) -> Any:
    """Return the kernel to use, for whatever takes one.

    A network, a layer or the text form stand for the kernel `of_network`, None for that of
    `dense relu dense`; kernel objects, callables kernel(X, Y) and "precomputed" for themselves.

    Raises `InputError` for anything else.

    >>> resolve_kernel("dense relu dense") == NTK("dense relu dense") == resolve_kernel(None)
    True
    """
    reason = ""
    if kernel is None:
        return of_network(as_network(DEFAULT_NETWORK))
    function = callable(kernel) and not isinstance(kernel, type) and not is_module(kernel)
    if is_precomputed(kernel) or function:
        return kernel
    if isinstance(kernel, str | Layer) or is_module(kernel):
        try:
            return of_network(as_network(kernel))
        except NetworkError as error:
            reason = f" ({cut(str(error), 300)})"
    raise InputError(
        f"kernel={shown(kernel)} is not a kernel; expected a kernel object such as "
        'NTK("dense relu dense"), a network or its text form, a callable kernel(X, Y), '
        f'"precomputed", or None{reason}'
    )


def is_precomputed(kernel: Any) -> bool:
    """Tell whether the samples are rows of a kernel matrix already."""
    return isinstance(kernel, str) and kernel == "precomputed"


def takes_prepared(kernel: Any) -> bool:
    """Tell whether a kernel takes `Prepared` inputs: the library's do, others need arrays."""
    if isinstance(kernel, Scaled):
        return takes_prepared(kernel.kernel)
    if isinstance(kernel, Sum | Product):
        return all(takes_prepared(part) for part in kernel.parts)
    return isinstance(kernel, NetworkKernel)


def is_stored(X: Any) -> bool:
    """Tell whether X is a kernel matrix in a store, as `gram.open` gives it."""
    module = sys.modules.get("tangency.gram.view")  # not loaded, so nothing can come from there
    return module is not None and isinstance(X, module.StoredGram)


def train_gram(kernel: Any, X: np.ndarray) -> TrainGram:
    """Return K(X, X), symmetric and finite, in memory of its own.

    Raises `InputError` if it is not square, finite and symmetric up to rounding.
    """
    if is_precomputed(kernel):
        return as_train_gram(X, kernel, None)
    if isinstance(kernel, Kernel):
        return as_train_gram(kernel(X), kernel, X)
    return as_train_gram(called(kernel, "a kernel, which is called as K(X, Y),", X, X), kernel, X)


def _array(raw: Any, name: str) -> np.ndarray:
    return plain_array(plain(raw, name), name)


def as_train_gram(raw: Any, kernel: Any, samples: np.ndarray | None) -> TrainGram:
    """Return a matrix that `kernel` gave for these samples, checked, as a `TrainGram`."""
    raw = _array(raw, f"what kernel {shown(kernel)} gave")
    size = len(raw if samples is None else samples)
    raw = as_matrix(raw, (size, size), kernel)
    trusted = isinstance(kernel, Kernel)
    if trusted and raw.flags.owndata and raw.flags.writeable:
        matrix = np.ascontiguousarray(raw, dtype=np.float64)
    else:
        # the matrix may be the caller's, and the solvers overwrite theirs
        matrix = np.array(raw, dtype=np.float64, order="C")
        _symmetrise(matrix, float(np.finfo(raw.dtype).eps))
    return TrainGram(matrix, str(raw.dtype), trusted, samples, float(np.trace(matrix)))


def cross_gram(kernel: Any, X: np.ndarray, X_fit: np.ndarray | None, n_fit: int) -> np.ndarray:
    """Return K(X, X_fit), (m, n), in the dtype that the kernel gave it."""
    raw = X if is_precomputed(kernel) else kernel(X, X_fit)
    return as_matrix(raw, (len(X), n_fit), kernel)


def kernel_diagonal(kernel: Any, X: np.ndarray) -> NDArray[np.float64]:
    """Return K(x, x) for every row, (m,), through `kernel.diag` where there is one."""
    if hasattr(kernel, "diag"):
        return as_matrix(kernel.diag(X), (len(X),), kernel).astype(np.float64)
    blocks: list[np.ndarray] = []
    for start in range(0, len(X), 64):
        block = X[start : start + 64]
        blocks.append(np.diagonal(as_matrix(_called(kernel, block), (len(block),) * 2, kernel)))
    return np.concatenate(blocks).astype(np.float64)


def _called(kernel: Any, block: np.ndarray) -> Any:
    return called(kernel, "a kernel, which is called as K(X, Y),", block, block)


def times(gram: np.ndarray, weights: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return gram @ weights in float64, without a float64 copy of all of `gram`."""
    return product(gram, np.asarray(weights, np.float64))


def as_matrix(raw: Any, shape: tuple[int, ...] | None, kernel: Any) -> np.ndarray:
    """Return what `kernel` gave, in float32 or float64; refuse NaN, infinity and other shapes."""
    name = "the precomputed kernel matrix" if is_precomputed(kernel) else f"kernel {shown(kernel)}"
    raw = _array(raw, f"what {name} gave")
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


def _symmetrise(matrix: NDArray[np.float64], eps: float) -> None:
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
