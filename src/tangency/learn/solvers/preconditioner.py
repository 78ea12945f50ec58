"""(F Fᵀ + αI)⁻¹ for every alpha, from one eigendecomposition of FᵀF."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import scipy.linalg as sla
from numpy.typing import NDArray

from ...engines.threads import each

Matrix = NDArray[np.float64]
_ROWS = 4096


@dataclass(frozen=True)
class Preconditioner:
    """M = F Fᵀ + αI with F Fᵀ = U diag(λ) Uᵀ: `vectors` U (n, r), `values` λ (r,) > 0.

    `left` (n,) is what F Fᵀ leaves of the diagonal of K. Where F Fᵀ comes from columns of K,
    F Fᵀ ⪯ K and hence M ⪯ K + αI, up to rounding.
    """

    vectors: Matrix
    values: Matrix
    left: Matrix

    def approximation(self, vectors: Matrix) -> Matrix:
        """Return F Fᵀ vectors, (n, k)."""
        return self.vectors @ (self.values[:, None] * (self.vectors.T @ vectors))

    def solve(self, targets: Matrix, alpha: float) -> Matrix:
        """Return M⁻¹ targets, (n, k): 4 n r k operations.

        >>> import numpy as np
        >>> F = np.array([[1.0], [2.0], [0.0]])
        >>> M = F @ F.T + 0.5 * np.eye(3)
        >>> found = from_factor(F, np.array([1.0, 4.0, 0.0])).solve(np.eye(3), alpha=0.5)
        >>> bool(np.allclose(found, np.linalg.inv(M)))
        True
        """
        if len(self.values) == 0:
            return targets / alpha
        shrink = self.values / (self.values + alpha)
        out = np.empty_like(targets)
        blocks = [slice(i, i + _ROWS) for i in range(0, len(targets), _ROWS)]
        inner = np.zeros((len(shrink), *targets.shape[1:]))
        for part in each(lambda rows: self.vectors[rows].T @ targets[rows], blocks):
            inner += part
        inner *= shrink[:, None]

        def fill(rows: slice) -> None:
            out[rows] = (targets[rows] - self.vectors[rows] @ inner) / alpha

        for _ in each(fill, blocks):
            pass
        return out

    def inverse_diagonal(self, alpha: float) -> Matrix:
        """Return the diagonal of M⁻¹, (n,)."""
        shrink = self.values / (self.values + alpha)
        out = np.empty(len(self.left))
        for start in range(0, len(out), _ROWS):
            rows = slice(start, start + _ROWS)
            out[rows] = (1.0 - np.square(self.vectors[rows]) @ shrink) / alpha
        # Never below what any alpha leaves: 1 - Σ u² is rounding where the rows of U have norm 1.
        return np.maximum(out, 1.0 / (self.values.max(initial=0.0) + alpha))


def from_factor(factor: Matrix, diagonal: Matrix) -> Preconditioner:
    """Return the preconditioner of F (n, r), which is overwritten; `diagonal` (n,) is that of K.

    Takes 4 n r² operations; directions of F Fᵀ below rounding are left out.
    """
    if factor.shape[1] == 0:  # of K = 0
        return no_preconditioner(diagonal)
    left = np.maximum(diagonal - np.einsum("ij,ij->i", factor, factor), 0.0)
    values, basis = sla.eigh(factor.T @ factor, check_finite=False, driver="evd")
    kept = values > len(values) * np.finfo(np.float64).eps * values[-1]
    values, basis = values[kept], basis[:, kept] / np.sqrt(values[kept])
    rank = len(values)
    for start in range(0, len(factor), _ROWS):
        rows = slice(start, start + _ROWS)
        factor[rows, :rank] = factor[rows] @ basis
    return Preconditioner(factor[:, :rank], values, left)


def no_preconditioner(diagonal: Matrix) -> Preconditioner:
    """Return M = αI."""
    return Preconditioner(np.empty((len(diagonal), 0)), np.empty(0), diagonal)
