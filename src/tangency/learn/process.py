"""Gaussian-process inference: the Bayesian posterior, and an ensemble of trained networks."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..norms import binary_scale
from .cholesky import inverse_factor
from .conditioning import rank_cutoff
from .flow import flow_filter
from .grams import TrainGram
from .grid import best_place, search, warn_at_edge
from .loo import alpha_grid
from .regularization import Regularization
from .solvers.direct import warn_if_noisy
from .spectrum import Spectrum, decompose
from .threads import with_blas_threads

Matrix = NDArray[np.float64]


@dataclass(frozen=True)
class Posterior:
    """A posterior under y = f(x) + ε, f ~ GP(0, s²K), ε ~ N(0, s²·noise).

    `dual` (n, k) is (K + noise·I)⁻¹ Y and `whitener` W (n, r) has W Wᵀ = (K + noise·I)⁻¹, so
    that the posterior covariance is s² (K(x, x') - K(x, X) W Wᵀ K(X, x')). `noise` is one of
    `noises` (a,) with log marginal likelihoods `evidences` (a,). At noise 0 with a singular K there
    is no density; then `evidence` and `evidences` are None. `amplitudes` s (k,) belong to the
    outputs; None is 1, the prior as it stands, for a noise that was given.
    """

    dual: Matrix
    whitener: Matrix
    noise: float
    noises: Matrix
    evidence: float | None
    evidences: Matrix | None
    amplitudes: Matrix | None = None


@with_blas_threads
def fit_posterior(gram: TrainGram, targets: Matrix, regularization: Regularization) -> Posterior:
    """Fit targets (n, k), by Cholesky for one noise > 0, else from one spectrum.

    `gram.matrix` is overwritten. Source: Rasmussen and Williams 2006, algorithm 2.1; the log
    marginal likelihood, summed over outputs, is -½ yᵀ(K + σ²I)⁻¹y - ½ log|K + σ²I| - n/2 log 2π.
    Where a noise is chosen, each output has the amplitude of greatest likelihood, s² = yᵀG⁻¹y/n
    with G = K + σ²I (ibid., section 5.4.1, with the derivative for s² set to zero), which leaves
    -n/2 log(2πe s²) - ½ log|G|: multiplying an output by a number shifts this by a constant.
    Warns with `SearchWarning` where the best noise stands at the edge of the search.
    """
    if regularization.alphas is not None and not regularization.chooses:
        fit = _fit_cholesky(gram, targets, regularization.alphas[0])
        if fit is not None:
            return fit
    spectrum = decompose(gram)
    in_basis = spectrum.to_basis(targets)
    if regularization.chooses:
        noise, noises, evidences = _choose(gram, spectrum, in_basis, regularization)
        amplitudes = _amplitudes(spectrum, in_basis, noise)
    else:
        assert regularization.alphas is not None
        noise, amplitudes, evidences = regularization.alphas[0], None, None
        noises = np.array([noise])
        if noise > 0 or spectrum.rank == spectrum.size:
            evidences = np.array([_spectral_evidence(spectrum, in_basis, noise)])
    evidence = None if evidences is None else float(evidences[noises == noise][0])
    warn_if_noisy(spectrum, gram, noise, math.inf, name="noise")
    weights = flow_filter(spectrum, noise)
    kept = weights > 0
    whitener = np.ascontiguousarray(spectrum.vectors[:, kept] * np.sqrt(weights[kept]))
    dual = spectrum.apply(weights, in_basis)
    return Posterior(dual, whitener, noise, noises, evidence, evidences, amplitudes)


def _choose(
    gram: TrainGram, spectrum: Spectrum, in_basis: Matrix, regularization: Regularization
) -> tuple[float, Matrix, Matrix | None]:
    """Return the noise of greatest profiled likelihood, those tried, and their likelihoods."""
    tolerance = 1e-9 * in_basis.size  # likelihoods that differ by less are equal

    def loss(noise: float) -> float:
        return -_profiled_evidence(spectrum, in_basis, noise)

    if regularization.alphas is None:
        grid = alpha_grid(gram.trace / gram.size, spectrum.cutoff, gram.size)
        found = search(loss, grid, spectrum.cutoff, gains=_likelier, tolerance=tolerance)
        warn_at_edge(found.at_edge, found.best, "noise", gram.dtype)
        return found.best, found.alphas, -found.losses
    noises = np.array(regularization.alphas)
    if spectrum.rank < spectrum.size:  # at noise 0 there is no density
        noises = noises[noises > 0]
    losses = np.array([loss(noise) for noise in noises])
    return float(noises[best_place(losses, tolerance)]), noises, -losses


def _likelier(loss: float, neighbour: float) -> bool:
    return loss < neighbour - 0.1


def _fit_cholesky(gram: TrainGram, targets: Matrix, noise: float) -> Posterior | None:
    # an indefinite matrix from outside must be refused, which takes its spectrum
    if not gram.trusted or noise <= rank_cutoff(gram.trace, gram.trace, gram.size, gram.eps):
        return None
    whitener = inverse_factor(gram.matrix, noise)
    if whitener is None:
        return None
    dual = whitener @ (whitener.T @ targets)
    log_det = -2.0 * float(np.log(np.diagonal(whitener)).sum())
    unit = float(binary_scale(targets))  # terms may be infinite, of both signs
    fit = float(np.sum(targets / unit * (dual / unit))) * unit * unit
    evidence = _evidence(fit, log_det, targets.shape)
    one = np.array([noise])
    return Posterior(dual, whitener, noise, one, evidence, np.array([evidence]))


@dataclass(frozen=True)
class Ensemble:
    """Wide networks trained from random starts: `dual` (n, k) is A y, `operator` A (n, n).

    A = (Θ + αI)⁻¹ (I - exp(-t (Θ + αI))) takes what a network still has to learn, y - f₀(X), to
    the coefficients of its change: f_t = f₀ + Θ(·, X) A (y - f₀(X)).
    """

    dual: Matrix
    operator: Matrix
    noise: float


@with_blas_threads
def fit_ensemble(tangent: TrainGram, targets: Matrix, regularization: Regularization) -> Ensemble:
    """Fit targets (n, k) by gradient flow with the tangent kernel Θ, which is overwritten.

    Source: Lee et al. 2019, section 2.2, with learning rate 1 on ½ Σᵢ (f(xᵢ) - yᵢ)²; a noise
    α > 0 adds ½ α ‖w - w₀‖² to that loss, the distance of the weights from their start.
    """
    assert regularization.alphas is not None
    alpha = regularization.alphas[0]
    spectrum = decompose(tangent)
    warn_if_noisy(spectrum, tangent, alpha, regularization.time, name="noise")
    weights = flow_filter(spectrum, alpha, regularization.time)
    operator = (spectrum.vectors * weights) @ spectrum.vectors.T
    return Ensemble(operator @ targets, operator, alpha)


def _amplitudes(spectrum: Spectrum, in_basis: Matrix, noise: float) -> Matrix:
    """Return √(yᵀ(K + noise·I)⁻¹y / n), (k,); 1 for an output that is zero, which shows none."""
    largest = np.abs(in_basis).max(axis=0)  # squares of very small or large numbers leave the range
    scale = np.where(largest > 0, largest, 1.0)
    shifted = spectrum.values + noise
    found = scale * np.sqrt(np.mean(np.square(in_basis / scale) / shifted[:, None], axis=0))
    return np.where(found > 0, found, 1.0)


def _profiled_evidence(spectrum: Spectrum, in_basis: Matrix, noise: float) -> float:
    """Return the log marginal likelihood at the amplitudes of greatest likelihood."""
    amplitudes = _amplitudes(spectrum, in_basis, noise)
    log_det = float(np.log(spectrum.values + noise).sum())
    n, outputs = in_basis.shape
    log_scales = 2.0 * n * float(np.log(amplitudes).sum())
    squares = n * int(np.count_nonzero(in_basis.any(axis=0)))
    return _evidence(squares + log_scales, log_det, (n, outputs))


def _spectral_evidence(spectrum: Spectrum, in_basis: Matrix, noise: float) -> float:
    shifted = spectrum.values + noise
    with np.errstate(over="ignore"):  # a likelihood below the range is -inf
        fit = float(np.sum(np.square(in_basis) / shifted[:, None]))
    return _evidence(fit, float(np.log(shifted).sum()), in_basis.shape)


def _evidence(fit: float, log_det: float, shape: tuple[int, ...]) -> float:
    n, outputs = shape
    return -0.5 * (fit + outputs * (log_det + n * math.log(2.0 * math.pi)))
