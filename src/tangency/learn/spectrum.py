"""The eigendecomposition of a kernel matrix, from which every path of solutions is read off."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import scipy.linalg as sla
from numpy.typing import NDArray

from ..matrix.indefinite import psd_tolerance, raise_not_psd
from .conditioning import rank_cutoff
from .grams import TrainGram

Matrix = NDArray[np.float64]


@dataclass(frozen=True)
class Spectrum:
    """K = Q diag(λ) Qᵀ with λ ascending and never negative.

    `values` (n,), `vectors` (n, n) with the eigenvectors as columns; eigenvalues at or below
    `cutoff` cannot be told from rounding and do not count for the `rank`.
    """

    values: Matrix
    vectors: Matrix
    cutoff: float

    @property
    def size(self) -> int:
        """The number of samples n."""
        return len(self.values)

    @property
    def rank(self) -> int:
        """How many eigenvalues lie above the cutoff."""
        return int(np.count_nonzero(self.values > self.cutoff))

    def describe(self, shift: float = 0.0) -> str:
        """Return rank and condition number of K + shift·I, in words."""
        low, high = float(self.values[0]) + shift, float(self.values[-1]) + shift
        condition = f"{high / low:.1e}" if low > 0 else "infinite"
        return (
            f"rank {self.rank} of {self.size}, eigenvalues from {low:.2g} to {high:.2g}, "
            f"condition number {condition}, noise level {self.cutoff:.1e}"
        )

    def to_basis(self, targets: Matrix) -> Matrix:
        """Return Qᵀ targets, (n, k)."""
        return self.vectors.T @ targets

    def apply(self, weights: Matrix, in_basis: Matrix) -> Matrix:
        """Return Q diag(weights) in_basis, (n, k)."""
        return self.vectors @ (weights[:, None] * in_basis)


def decompose(gram: TrainGram) -> Spectrum:
    """Return the spectrum of a training kernel matrix, which is overwritten.

    By divide and conquer, in a workspace of 2n² numbers beside K: its eigenvectors are
    orthogonal to 1e-14, those of the leaner `evr` only to 1e-11, which small alphas would show.

    Raises `InputError` if a matrix from outside the library is not positive semidefinite. In
    a matrix of the library's own kernels, a negative eigenvalue can only be rounding; it then
    raises the cutoff, because it shows how large the rounding is.
    """
    size, trace = gram.size, gram.trace
    values, vectors = sla.eigh(gram.matrix.T, overwrite_a=True, check_finite=False, driver="evd")
    lowest = float(values[0])
    if not gram.trusted and lowest < -psd_tolerance(trace, size, gram.eps):
        raise_not_psd(lowest, size)
    cutoff = max(rank_cutoff(trace, max(float(values[-1]), 0.0), size, gram.eps), -lowest)
    return Spectrum(np.maximum(values, 0.0), vectors, cutoff)
