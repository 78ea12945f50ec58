"""Spectral filters: ridge, gradient flow and interpolation as functions of one eigenvalue."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from .spectrum import Spectrum


def flow_filter(spectrum: Spectrum, alpha: float, time: float = np.inf) -> NDArray[np.float64]:
    """Return φ(λ), (n,), such that the coefficients at time t are Q diag(φ) Qᵀ y.

    Gradient flow with learning rate 1 on ½ Σᵢ (f(xᵢ) - yᵢ)² + ½ α ‖f‖² from f = 0 obeys
    dc/dt = y - (K + αI) c, hence φ(λ) = (1 - exp(-t(λ + α))) / (λ + α). At t = ∞ that is
    ridge regression, 1 / (λ + α); with α = 0 as well, the interpolant of minimum norm.

    With α = 0 the directions with λ at or below the cutoff are left out at every t: they
    carry no function that could be told from rounding.
    """
    kept = spectrum.values > spectrum.cutoff if alpha == 0 else np.full(spectrum.size, True)
    shifted = spectrum.values[kept] + alpha
    weights = np.zeros(spectrum.size)
    if np.isinf(time):
        weights[kept] = 1.0 / shifted
    else:
        # time * shifted may overflow to infinity, where exp(-∞) = 0 is the right value
        with np.errstate(over="ignore", under="ignore"):
            weights[kept] = -np.expm1(-time * shifted) / shifted
    return weights


def reaches_noise(spectrum: Spectrum, alpha: float, time: float) -> bool:
    """Tell whether a fit depends on eigenvalues that are only rounding.

    It does when K + αI is singular to working precision and the flow runs long enough,
    t · cutoff ≥ 1, to move along those directions.
    """
    singular = spectrum.rank < spectrum.size and alpha < spectrum.cutoff
    return singular and time * spectrum.cutoff >= 1.0
