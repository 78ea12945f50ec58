"""Ridge regression and gradient flow in the span of a few columns of K."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import scipy.linalg as sla
from numpy.typing import NDArray

from ...matrix.tiles import Tiles
from ..conditioning import rank_cutoff, warn_below_noise
from ..fitted import DualFit
from ..flow import flow_filter
from ..grid import best_place, search, warn_at_edge
from ..loo import Criterion, alpha_grid, loo_residuals
from ..lowrank import LowRank, low_rank
from ..regularization import Regularization
from ..spectrum import Spectrum
from ..threads import blas_threads
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
        values, basis = sla.eigh(factor.T @ factor, check_finite=False, driver="evd")
        values = np.maximum(values, 0.0)
        cutoff = rank_cutoff(found.trace, float(values.max(initial=0.0)), n, tiles.eps)
        spectrum = Spectrum(values, basis, cutoff)
        fit = _Features(factor, spectrum, targets, centred, tiles.roots)
        exact = math.isinf(regularization.time) and n > 1
        if regularization.alphas is None:
            grid = alpha_grid(found.trace / n, cutoff, n)
            best = search(lambda alpha: criterion(fit.residuals(alpha)), grid, cutoff)
            alpha, alphas, losses = best.best, best.alphas, best.losses
            warn_at_edge(best.at_edge, alpha, "alpha", str(tiles.dtype))
        else:
            alphas = np.array(regularization.alphas)
            losses = np.array([criterion(fit.residuals(a)) for a in alphas]) if exact else None
            alpha = float(alphas[0] if losses is None else alphas[best_place(losses)])
        dropped = found.rank < min(options.n_components, n) or spectrum.rank < found.rank
        if dropped and alpha < cutoff and regularization.time * cutoff >= 1.0:
            _warn_noisy(spectrum, tiles, alpha)
        weights = fit.weights(alpha, regularization.time)
        landmarks, dual = _coefficients(found, weights)
        return DualFit(
            dual,
            alpha,
            np.linalg.norm(weights, axis=0),
            fit.residuals(alpha) if exact else None,
            alphas,
            losses,
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


class _Features:
    """Linear regression on the rows of F (n, r), for every alpha from one spectrum of FᵀF."""

    def __init__(
        self,
        factor: Matrix,
        spectrum: Spectrum,
        targets: Matrix,
        centred: bool,
        roots: Matrix | None = None,
    ) -> None:
        self.spectrum, self.targets, self.centred = spectrum, targets, centred
        self.roots = roots
        self.rotated = factor @ spectrum.vectors
        self.moments = self.rotated.T @ targets
        self.sums = self.rotated.sum(axis=0) if roots is None else roots @ self.rotated
        self.squares = np.square(self.rotated)

    def weights(self, alpha: float, time: float) -> Matrix:
        """w (r, k) such that f = F w."""
        return self.spectrum.vectors @ (
            flow_filter(self.spectrum, alpha, time)[:, None] * self.moments
        )

    def residuals(self, alpha: float) -> Matrix:
        """The leave-one-out residuals, (n, k).

        They are those of G = F Fᵀ + αI, with αG⁻¹ = I - F(FᵀF + αI)⁻¹Fᵀ; the factor α cancels.
        For α = 0 that is the projector on what F does not reach. A sample with nothing there has
        (F Fᵀ)⁺ = F (FᵀF)⁻² Fᵀ in the place of G⁻¹, as in `loo.spectral_residuals`.
        """
        shrink = flow_filter(self.spectrum, alpha)
        # a sample that the features meet whatever the others say: nothing is known without it
        left = np.maximum(1.0 - self.squares @ shrink, np.finfo(np.float64).eps)
        solved = self.targets - self.rotated @ (shrink[:, None] * self.moments)
        ones = (1.0 if self.roots is None else self.roots) - self.rotated @ (shrink * self.sums)
        if alpha == 0:
            met = left <= np.sqrt(np.finfo(np.float64).eps)  # below that, left is only rounding
            rows, inverse = self.rotated[met], np.square(shrink)
            left[met] = self.squares[met] @ inverse
            solved[met] = rows @ (inverse[:, None] * self.moments)
            ones[met] = rows @ (inverse * self.sums)
        return loo_residuals(
            solved, ones, left, self.targets, centred=self.centred, roots=self.roots
        )


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
