"""Linear systems with kernel matrices, written out plainly."""

from __future__ import annotations

import numpy as np

from tangency.learn.solvers.block_cg import System
from tangency.learn.solvers.preconditioner import from_factor, no_preconditioner


def nystrom_factor(matrix: np.ndarray, pivots: np.ndarray) -> np.ndarray:
    """F with F Fᵀ = K[:, S] K[S, S]⁻¹ K[S, :], by the plain formula."""
    lower = np.linalg.cholesky(matrix[np.ix_(pivots, pivots)])
    return np.linalg.solve(lower, matrix[pivots]).T


def system(matrix, targets, alpha, rank=0, tol=1e-9) -> System:
    diagonal = np.diagonal(matrix).copy()
    if rank:
        preconditioner = from_factor(nystrom_factor(matrix, np.arange(rank)), diagonal)
    else:
        preconditioner = no_preconditioner(diagonal)
    wanted = np.full(targets.shape[1], tol)
    return System(lambda v: matrix @ v, preconditioner, targets, alpha, wanted)
