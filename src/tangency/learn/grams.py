"""From a `kernel` parameter and samples to kernel matrices that are safe to solve with."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..checks import cut, shown
from ..engines.blas import product
from ..errors import InputError, NetworkError
from ..kernels import NNGP, NTK, Kernel
from ..kernels.algebra import apart
from ..kernels.coerce import as_kernel
from ..matrix.checked import as_array, as_matrix, call, is_precomputed, symmetrise
from ..matrix.tiles import Tiles, in_memory

DEFAULT_NETWORK = "dense relu dense"


@dataclass(frozen=True)
class TrainGram:
    """K(X, X) as a C-ordered float64 matrix (n, n) that the solvers may overwrite.

    `dtype` names the dtype it was computed in, `trusted` says that one
    of the library's own kernels made it (so it is positive semidefinite up to rounding),
    `samples` are the rows behind it, None when it was given precomputed. With weights of samples
    it is √wᵢ K(xᵢ, xⱼ) √wⱼ, and `roots` √w (n,); else these are None.
    """

    matrix: NDArray[np.float64]
    dtype: str
    trusted: bool
    samples: np.ndarray | None
    trace: float
    roots: NDArray[np.float64] | None = None

    @property
    def size(self) -> int:
        """The number of samples n."""
        return len(self.matrix)

    @property
    def eps(self) -> float:
        """The relative precision of the dtype that the kernel was computed in."""
        return float(np.finfo(self.dtype).eps)


_ELSEWHERE = ("rbf", "sigmoid", "cosine")
"""Kernels of scikit-learn's that are called as an activation here, which is no network alone."""


def resolve_kernel(kernel: Any, of_network: type[NTK] | type[NNGP] = NTK) -> Any:
    """Return the kernel to use, for whatever takes one.

    A network, a layer or the text form stand for the kernel `of_network`, None for that of
    `dense relu dense`; kernel objects, callables kernel(X, Y) and "precomputed" for themselves.

    Raises `InputError` for anything else.

    >>> resolve_kernel("dense relu dense") == NTK("dense relu dense") == resolve_kernel(None)
    True
    """
    if is_precomputed(kernel):
        return kernel
    given, reason = DEFAULT_NETWORK if kernel is None else kernel, ""
    try:
        if isinstance(given, str) and given in _ELSEWHERE:
            raise InputError("a kernel of scikit-learn")
        return as_kernel(given, of_network, functions="a callable kernel(X, Y)")
    except NetworkError as error:
        reason = f" ({cut(str(error), 300)})"
    except InputError:
        pass
    raise InputError(
        f"kernel={shown(kernel)} is not a kernel; expected a kernel object such as "
        'NTK("dense relu dense"), a network or its text form, a callable kernel(X, Y), '
        f'"precomputed", or None{reason}'
    )


def train_gram(kernel: Any, X: np.ndarray) -> TrainGram:
    """Return K(X, X), symmetric and finite, in memory of its own.

    Raises `InputError` if it is not square, finite and symmetric up to rounding.
    """
    if is_precomputed(kernel):
        return as_train_gram(X, kernel, None)
    if isinstance(kernel, Kernel):
        return as_train_gram(kernel(*apart(kernel, X)), kernel, X)
    return as_train_gram(call(kernel, X), kernel, X)


def as_train_gram(raw: Any, kernel: Any, samples: np.ndarray | None) -> TrainGram:
    """Return a matrix that `kernel` gave for these samples, checked, as a `TrainGram`."""
    raw = as_array(raw, f"what kernel {shown(kernel)} gave")
    size = len(raw if samples is None else samples)
    raw = as_matrix(raw, (size, size), kernel)
    trusted = isinstance(kernel, Kernel)
    if trusted and raw.flags.owndata and raw.flags.writeable:
        matrix = np.ascontiguousarray(raw, dtype=np.float64)
    else:
        # the matrix may be the caller's, and the solvers overwrite theirs
        matrix = np.array(raw, dtype=np.float64, order="C")
        symmetrise(matrix, float(np.finfo(raw.dtype).eps))
    return TrainGram(matrix, str(raw.dtype), trusted, samples, float(np.trace(matrix)))


def cross_gram(kernel: Any, X: np.ndarray, X_fit: np.ndarray | None, n_fit: int) -> np.ndarray:
    """Return K(X, X_fit), (m, n), in the dtype that the kernel gave it."""
    raw = X if is_precomputed(kernel) else kernel(*apart(kernel, X, X_fit))
    return as_matrix(raw, (len(X), n_fit), kernel)


def times(gram: np.ndarray, weights: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return gram @ weights in float64, without a float64 copy of all of `gram`."""
    return product(gram, np.asarray(weights, np.float64))


def assembled(tiles: Tiles, samples: np.ndarray | None, progress: bool = False) -> TrainGram:
    """Return the whole of a matrix of the library's own, for the solvers that overwrite it."""
    matrix = in_memory(tiles, progress)
    return TrainGram(matrix, str(tiles.dtype), True, samples, float(np.trace(matrix)))
