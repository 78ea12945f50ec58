"""Ridge regression for one alpha through a Cholesky factor, in the kernel matrix's own memory.

LAPACK's `potrf` writes the factor into the lower triangle and leaves the strict upper one
alone, so K survives there: the RKHS norm, and a second attempt by another method, need no copy.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import get_blas_funcs, get_lapack_funcs

from ..matrix.indefinite import psd_tolerance, raise_not_psd
from .grams import TrainGram

Matrix = NDArray[np.float64]
_COLUMNS = 512


@dataclass(frozen=True)
class RidgeSolution:
    """The dual coefficients c = (K + αI)⁻¹ Y, (n, k), with what else the factor gives.

    `kernel_norms` (k,) holds cᵀKc, `inverse_ones` (n,) (K + αI)⁻¹ 1, or √w for 1 with weights, and
    `inverse_diagonal` (n,) the diagonal of (K + αI)⁻¹, from which leave-one-out residuals follow.
    """

    dual: Matrix
    kernel_norms: Matrix
    inverse_ones: Matrix
    inverse_diagonal: Matrix


def solve_ridge(gram: TrainGram, targets: Matrix, alpha: float) -> RidgeSolution | None:
    """Solve (K + αI) c = targets, (n, k), overwriting `gram.matrix`; α > 0.

    Returns None, with `gram.matrix` as it was, where K + αI is not positive definite to
    working precision. Raises `InputError` for a matrix from outside the library that is not
    positive semidefinite. Takes 2n³/3 operations and memory of order n beyond K.
    """
    a = gram.matrix.T  # symmetric; Fortran order lets LAPACK work in place
    diagonal = np.diagonal(a).copy()
    if not gram.trusted:
        _require_psd(a, diagonal, gram.eps)
    if not _factorise(a, diagonal + alpha):
        _restore(a, diagonal)
        return None
    potrs, trtri = get_lapack_funcs(("potrs", "trtri"), (a,))
    ones = np.ones(len(a)) if gram.roots is None else gram.roots
    rhs = np.asfortranarray(np.column_stack([targets, ones]))
    solved, info = potrs(a, rhs, lower=1, overwrite_b=1)
    inverse, info = trtri(a, lower=1, overwrite_c=1)
    if info != 0 or not np.isfinite(solved).all():
        _restore(a, diagonal)
        return None
    inverse_diagonal = _lower_column_squares(inverse)
    np.fill_diagonal(a, diagonal)  # the upper triangle is K once more
    dual = np.ascontiguousarray(solved[:, :-1])
    (symm,) = get_blas_funcs(("symm",), (a,))
    norms = np.einsum("ij,ij->j", dual, symm(1.0, a, dual, lower=0))
    return RidgeSolution(dual, norms, np.ascontiguousarray(solved[:, -1]), inverse_diagonal)


def inverse_factor(matrix: Matrix, shift: float) -> Matrix | None:
    """Return W, (n, n), with W Wᵀ = (K + shift·I)⁻¹ and log|K + shift·I| = -2 Σ log Wᵢᵢ.

    Overwrites `matrix`; returns None, with it as it was, where the factor does not exist.
    """
    a = matrix.T
    diagonal = np.diagonal(a).copy()
    if not _factorise(a, diagonal + shift):
        _restore(a, diagonal)
        return None
    (trtri,) = get_lapack_funcs(("trtri",), (a,))
    inverse, _ = trtri(a, lower=1, overwrite_c=1)
    for start in range(0, len(a), _COLUMNS):
        stop = start + _COLUMNS
        inverse[:start, start:stop] = 0.0
        inverse[start:stop, start:stop] = np.tril(inverse[start:stop, start:stop])
    return inverse.T


def _factorise(a: Matrix, diagonal: Matrix) -> bool:
    """Write the Cholesky factor of `a` with this diagonal into its lower triangle."""
    np.fill_diagonal(a, diagonal)
    (potrf,) = get_lapack_funcs(("potrf",), (a,))
    _, info = potrf(a, lower=1, clean=0, overwrite_a=1)
    return info == 0


def _require_psd(a: Matrix, diagonal: Matrix, eps: float) -> None:
    """Refuse an indefinite matrix: K + τI has a factor when no eigenvalue is below -τ."""
    tolerance = psd_tolerance(float(diagonal.sum()), len(a), eps)
    if tolerance == 0 and not a.any():
        return
    definite = _factorise(a, diagonal + tolerance)
    _restore(a, diagonal)
    if not definite:
        raise_not_psd(None, len(a))


def _restore(a: Matrix, diagonal: Matrix) -> None:
    """Copy the strict upper triangle, which `potrf` left alone, back onto the lower one."""
    np.fill_diagonal(a, diagonal)
    for start in range(0, len(a), _COLUMNS):
        stop = start + _COLUMNS
        block = np.triu(a[start:stop, start:stop])
        a[start:stop, start:stop] = block + np.triu(block, 1).T
        a[stop:, start:stop] = a[start:stop, stop:].T


def _lower_column_squares(lower: Matrix) -> Matrix:
    """Return Σᵢ≥ⱼ lower[i, j]², (n,), whatever stands in the strict upper triangle."""
    out = np.empty(len(lower))
    for start in range(0, len(lower), _COLUMNS):
        stop = start + _COLUMNS
        head = np.tril(lower[start:stop, start:stop])
        tail = lower[stop:, start:stop]
        out[start:stop] = np.einsum("ij,ij->j", head, head) + np.einsum("ij,ij->j", tail, tail)
    return out
