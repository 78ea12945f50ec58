"""Ridge regression and gradient flow in the span of a few columns of K."""

from __future__ import annotations

from typing import Any

import numpy as np
import scipy.linalg as sla
from numpy.typing import NDArray

from ...matrix.tiles import Tiles
from ..conditioning import warn_below_noise
from ..fitted import DualFit
from ..loo import Criterion
from ..lowrank import LowRank, low_rank
from ..regularization import Regularization
from ..spectrum import Spectrum
from ..threads import blas_threads
from .linear import LinearFit, below_noise, choose_alpha, rotated_once, spectrum_of
from .options import Nystrom

Matrix = NDArray[np.float64]


def fit_nystrom(
    tiles: Tiles,
    targets: Matrix,
    regularization: Regularization,
    options: Nystrom,
    criterion: Criterion,
    *,
    centred: bool,
) -> DualFit:
    """Fit the targets, (n, k), with F Fᵀ = K[:, S] K[S, S]⁺ K[S, :] in the place of K.

    The function lies in the span of K(·, xᵢ), i in S, whose indices are the fit's `landmarks` and
    whose coefficients (r, k) its `dual`. Leave-one-out residuals are exact for F Fᵀ, with the
    landmarks as they are.

    Warns with `IllConditionedWarning` where the fit depends on rounding.
    """
    n = tiles.size
    with blas_threads(n):
        tiles.require_kernel()
        found = low_rank(
            tiles.columns,
            tiles.diagonal(),
            options.n_components,
            method=options.method,
            seed=options.seed,
            entries=tiles.entries,
        )
        tiles.require_psd(found.pivots)
        factor = found.factor
        spectrum = spectrum_of(factor.T @ factor, found.trace, n, tiles.eps)
        fit = LinearFit(rotated_once(factor, spectrum), spectrum, targets, centred, tiles.roots)
        chosen = choose_alpha(fit, regularization, criterion, found.trace / n, str(tiles.dtype))
        alpha = chosen.alpha
        dropped = found.rank < min(options.n_components, n) or spectrum.rank < found.rank
        if dropped and below_noise(spectrum, alpha, regularization.time):
            _warn_noisy(spectrum, tiles, alpha)
        weights = fit.weights(alpha, regularization.time)
        landmarks, dual = _coefficients(found, weights)
        return DualFit(
            dual,
            alpha,
            np.linalg.norm(weights, axis=0),
            chosen.residuals,
            chosen.alphas,
            chosen.losses,
            solver="nystrom",
            landmarks=landmarks,
        )


def _coefficients(found: LowRank, weights: Matrix) -> tuple[NDArray[np.intp], Matrix]:
    """Return landmarks (r,) and c (r, k) with Σ cⱼ K(·, xⱼ) = F w."""
    if found.rank == 0:  # K = 0; a function is a sum over one sample at least
        return np.zeros(1, dtype=np.intp), np.zeros((1, weights.shape[1]))
    # F = K[:, S] F[S]⁻ᵀ, so the function F w has the coefficients F[S]⁻ᵀ w
    dual: Any = sla.lstsq(found.factor[found.pivots].T, weights, check_finite=False)
    return found.pivots, np.ascontiguousarray(dual[0])


def _warn_noisy(spectrum: Spectrum, tiles: Tiles, alpha: float) -> None:
    """Warn that columns of K depend on others, to rounding, and that the ridge is no larger."""
    warn_below_noise(
        found=f"{spectrum.rank} of its columns are independent, noise level {spectrum.cutoff:.1e}",
        alpha=alpha,
        rank=spectrum.rank,
        cutoff=spectrum.cutoff,
        dtype=str(tiles.dtype),
        samples=getattr(tiles, "samples", None),
        weighted=tiles.roots is not None,
    )
