"""Kernel ridge regression and gradient flow: from K(X, X) and targets to dual coefficients."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from ...errors import InputError
from ..cholesky import solve_ridge
from ..conditioning import rank_cutoff, warn_below_noise
from ..fitted import DualFit
from ..flow import flow_filter, reaches_noise
from ..grams import TrainGram
from ..grid import search, warn_at_edge
from ..loo import (
    Criterion,
    alpha_grid,
    choose_alpha,
    loo_residuals,
    spectral_residuals,
)
from ..regularization import Regularization
from ..spectrum import Spectrum, decompose
from ..threads import with_blas_threads
from .options import Cholesky, Eigh, Solver
from .rules import require_solver_memory

Matrix = NDArray[np.float64]


@with_blas_threads
def fit_dual(
    gram: TrainGram,
    targets: Matrix,
    regularization: Regularization,
    criterion: Criterion,
    *,
    centred: bool,
    solver: Solver | None = None,
) -> DualFit:
    """Fit the targets, (n, k), by Cholesky for one alpha > 0, else from one spectrum.

    `gram.matrix` is overwritten. `criterion` maps leave-one-out residuals (n, k) to a loss.
    `centred` says that the targets' mean was removed, which the residuals take into account.
    `solver`, Cholesky or Eigh, allows that one only; it raises `InputError` where there is no
    Cholesky factor.

    A weighted `gram` takes targets times its `roots`, and gives coefficients and residuals of the
    scaled problem; see `weights`. Warns with `IllConditionedWarning` where the fit depends on
    rounding.
    """
    single = (
        regularization.alphas is not None
        and not regularization.chooses
        and math.isinf(regularization.time)
    )
    if single and not isinstance(solver, Eigh):
        assert regularization.alphas is not None
        # no eigenvalue exceeds the trace, so this alpha lies above the noise level of K
        noise = rank_cutoff(gram.trace, gram.trace, gram.size, gram.eps)
        if regularization.alphas[0] > noise:
            fit = _fit_cholesky(gram, targets, regularization.alphas[0], criterion, centred=centred)
            if fit is not None:
                return fit
        if isinstance(solver, Cholesky):
            raise InputError(
                f"K + αI has no Cholesky factor at alpha={regularization.alphas[0]:.3g}, which "
                f"lies near or below the rounding of K, {noise:.1e}; raise alpha, pass the inputs "
                'as float64, or take solver="eigh", which leaves out what is rounding'
            )
        require_solver_memory(Eigh(), gram.size, beside=gram.matrix.nbytes)
    spectrum, roots = decompose(gram), gram.roots

    def left_out(alpha: float) -> Matrix:
        return spectral_residuals(spectrum, targets, alpha, centred=centred, roots=roots)

    if regularization.alphas is None:
        grid = alpha_grid(gram.trace / gram.size, spectrum.cutoff, gram.size)
        found = search(lambda alpha: criterion(left_out(alpha)), grid, spectrum.cutoff)
        alpha, alphas, losses = found.best, found.alphas, found.losses
        warn_at_edge(found.at_edge, alpha, "alpha", gram.dtype)
    else:
        alphas = np.array(regularization.alphas)
        alpha, losses = float(alphas[0]), None
        if len(alphas) > 1:
            alpha, losses = choose_alpha(
                spectrum, targets, alphas, criterion, centred=centred, roots=roots
            )
    warn_if_noisy(spectrum, gram, alpha, regularization.time)
    weights = flow_filter(spectrum, alpha, regularization.time)
    in_basis = spectrum.to_basis(targets)
    dual = spectrum.apply(weights, in_basis)
    norms = _norms(spectrum.values, weights[:, None] * in_basis)
    residuals = None
    if math.isinf(regularization.time) and gram.size > 1:
        residuals = left_out(alpha)
        losses = np.array([criterion(residuals)]) if losses is None else losses
    return DualFit(dual, alpha, norms, residuals, alphas, losses)


def _norms(values: Matrix, coefficients: Matrix) -> Matrix:
    """Return √(Σᵢ λᵢ wᵢ²) of each column of w (n, k), also where squares leave the range."""
    with np.errstate(over="ignore", invalid="ignore"):
        norms = np.sqrt(values @ np.square(coefficients))
        if np.isfinite(norms).all():
            return norms
        parts = np.sqrt(np.maximum(values, 0.0))[:, None] * coefficients
        largest = np.abs(parts).max(axis=0)
        scales = np.where(largest > 0, largest, 1.0)
        return scales * np.linalg.norm(parts / scales, axis=0)


def _fit_cholesky(
    gram: TrainGram, targets: Matrix, alpha: float, criterion: Criterion, *, centred: bool
) -> DualFit | None:
    solved = solve_ridge(gram, targets, alpha)
    if solved is None:
        return None
    residuals, losses = None, None
    if gram.size > 1:
        residuals = loo_residuals(
            solved.dual,
            solved.inverse_ones,
            solved.inverse_diagonal,
            targets,
            centred=centred,
            roots=gram.roots,
        )
        losses = np.array([criterion(residuals)])
    norms = np.sqrt(np.maximum(solved.kernel_norms, 0.0))
    return DualFit(
        solved.dual, alpha, norms, residuals, np.array([alpha]), losses, solver="cholesky"
    )


def warn_if_noisy(
    spectrum: Spectrum, gram: TrainGram, alpha: float, time: float, name: str = "alpha"
) -> None:
    """Warn with `IllConditionedWarning` if the fit depends on eigenvalues that are rounding."""
    if not reaches_noise(spectrum, alpha, time):
        return
    warn_below_noise(
        found=spectrum.describe(alpha),
        alpha=alpha,
        rank=spectrum.rank,
        cutoff=spectrum.cutoff,
        dtype=gram.dtype,
        samples=gram.samples,
        weighted=gram.roots is not None,
        name=name,
    )
