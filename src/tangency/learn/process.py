"""Gaussian-process inference: the Bayesian posterior, and an ensemble of trained networks."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .cholesky import inverse_factor
from .conditioning import rank_cutoff
from .flow import flow_filter
from .grams import TrainGram
from .loo import alpha_grid
from .plan import Plan
from .ridge import warn_if_noisy
from .spectrum import Spectrum, decompose
from .threads import with_blas_threads

Matrix = NDArray[np.float64]


@dataclass(frozen=True)
class Posterior:
    """A posterior under y = f(x) + ε, f ~ GP(0, K), ε ~ N(0, noise).

    `dual` (n, k) is (K + noise·I)⁻¹ Y and `whitener` W (n, r) has W Wᵀ = (K + noise·I)⁻¹, so
    that the posterior covariance is K(x, x') - K(x, X) W Wᵀ K(X, x'). `noise` is one of `noises`
    (a,) with log marginal likelihoods `evidences` (a,). At noise 0 with a singular K there is no
    density; then `evidence` and `evidences` are None.
    """

    dual: Matrix
    whitener: Matrix
    noise: float
    noises: Matrix
    evidence: float | None
    evidences: Matrix | None


@with_blas_threads
def fit_posterior(gram: TrainGram, targets: Matrix, plan: Plan) -> Posterior:
    """Fit targets (n, k), by Cholesky for one noise > 0, else from one spectrum.

    `gram.matrix` is overwritten. Source: Rasmussen and Williams 2006, algorithm 2.1; the log
    marginal likelihood, summed over outputs, is -½ yᵀ(K + σ²I)⁻¹y - ½ log|K + σ²I| - n/2 log 2π.
    """
    if plan.alphas is not None and not plan.chooses:
        fit = _fit_cholesky(gram, targets, plan.alphas[0])
        if fit is not None:
            return fit
    spectrum = decompose(gram)
    if plan.alphas is None:
        noises = alpha_grid(gram.trace / gram.size, spectrum.cutoff, gram.size)
    else:
        noises = np.array(plan.alphas)
    if spectrum.rank < spectrum.size and noises[-1] > 0:
        noises = noises[noises > 0]
    in_basis = spectrum.to_basis(targets)
    noise, evidence, evidences = float(noises[0]), None, None
    if noise > 0 or spectrum.rank == spectrum.size:
        evidences = np.array([_spectral_evidence(spectrum, in_basis, each) for each in noises])
        best = float(evidences.max())
        # of noises that explain the data equally well to nine digits, the largest
        chosen = np.flatnonzero(evidences >= best - 1e-9 * abs(best))[-1]
        noise, evidence = float(noises[chosen]), float(evidences[chosen])
    warn_if_noisy(spectrum, gram, noise, math.inf, name="noise")
    weights = flow_filter(spectrum, noise)
    kept = weights > 0
    whitener = spectrum.vectors[:, kept] * np.sqrt(weights[kept])
    dual = spectrum.apply(weights, in_basis)
    return Posterior(dual, np.ascontiguousarray(whitener), noise, noises, evidence, evidences)


def _fit_cholesky(gram: TrainGram, targets: Matrix, noise: float) -> Posterior | None:
    # an indefinite matrix from outside must be refused, which takes its spectrum
    if not gram.trusted or noise <= rank_cutoff(gram.trace, gram.trace, gram.size, gram.eps):
        return None
    whitener = inverse_factor(gram.matrix, noise)
    if whitener is None:
        return None
    dual = whitener @ (whitener.T @ targets)
    log_det = -2.0 * float(np.log(np.diagonal(whitener)).sum())
    evidence = _evidence(float(np.sum(targets * dual)), log_det, targets.shape)
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
def fit_ensemble(tangent: TrainGram, targets: Matrix, plan: Plan) -> Ensemble:
    """Fit targets (n, k) by gradient flow with the tangent kernel Θ, which is overwritten.

    Source: Lee et al. 2019, section 2.2, with learning rate 1 on ½ Σᵢ (f(xᵢ) - yᵢ)²; a noise
    α > 0 adds ½ α ‖w - w₀‖² to that loss, the distance of the weights from their start.
    """
    assert plan.alphas is not None
    alpha = plan.alphas[0]
    spectrum = decompose(tangent)
    warn_if_noisy(spectrum, tangent, alpha, plan.time, name="noise")
    weights = flow_filter(spectrum, alpha, plan.time)
    operator = (spectrum.vectors * weights) @ spectrum.vectors.T
    return Ensemble(operator @ targets, operator, alpha)


def _spectral_evidence(spectrum: Spectrum, in_basis: Matrix, noise: float) -> float:
    shifted = spectrum.values + noise
    fit = float(np.sum(np.square(in_basis) / shifted[:, None]))
    return _evidence(fit, float(np.log(shifted).sum()), in_basis.shape)


def _evidence(fit: float, log_det: float, shape: tuple[int, ...]) -> float:
    n, outputs = shape
    return -0.5 * (fit + outputs * (log_det + n * math.log(2.0 * math.pi)))
