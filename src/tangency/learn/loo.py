"""Leave-one-out residuals in closed form, and the choice of alpha among many by them."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from .flow import flow_filter
from .grid import best_place
from .spectrum import Spectrum

Matrix = NDArray[np.float64]
Criterion = Callable[[Matrix], float]

_STEPS_PER_DECADE = 2
_LOWEST_EXPONENT = -8
_ROWS = 1024


def loo_residuals(
    inverse_targets: Matrix,
    inverse_ones: Matrix,
    inverse_diagonal: Matrix,
    targets: Matrix,
    *,
    centred: bool,
    roots: Matrix | None = None,
) -> Matrix:
    """Return yᵢ - f₍₋ᵢ₎(xᵢ), (n, k), where f₍₋ᵢ₎ is fitted without sample i.

    With G = K + αI, leaving sample i out of ridge regression on targets z gives the residual
    (G⁻¹z)ᵢ / (G⁻¹)ᵢᵢ, which does not depend on zᵢ (Rasmussen and Williams 2006, section 5.4.2).
    When the mean of the targets is removed before the fit, the fit without sample i removes
    the mean of the others, ȳ - (yᵢ - ȳ)/(n - 1). Putting that mean into z, the residual is
    ((G⁻¹ỹ)ᵢ + ỹᵢ (G⁻¹1)ᵢ / (n - 1)) / (G⁻¹)ᵢᵢ with ỹ = y - ȳ: exact, intercept included.

    `targets` are the ỹ, (n, k); `inverse_targets` is G⁻¹ỹ; `centred=False` is for ȳ = 0.

    With weights w the same holds of √w K √w and targets √w ỹ, and gives √wᵢ times the residual of
    sample i. The function 1 is √w there, `roots` (n,), so that `inverse_ones` is G⁻¹√w; and the
    mean of the others is ȳ - wᵢ (yᵢ - ȳ)/Σⱼ≠ᵢ wⱼ.
    """
    numerator = inverse_targets
    if centred:
        if roots is None:
            shift = inverse_ones[:, None] * targets / (len(targets) - 1)
        else:
            shift = (inverse_ones * roots / sums_of_others(np.square(roots)))[:, None] * targets
        numerator = numerator + shift
    return numerator / inverse_diagonal[:, None]


def sums_of_others(weights: Matrix) -> Matrix:
    """Return Σⱼ≠ᵢ wⱼ, (n,), also of one that is nearly all of the sum.

    >>> sums_of_others(np.array([1e-20, 3.0, 1.0]))
    array([4., 1., 3.])
    """
    before = np.concatenate([[0.0], np.cumsum(weights)[:-1]])
    after = np.concatenate([np.cumsum(weights[::-1])[-2::-1], [0.0]])
    return before + after


def spectral_residuals(
    spectrum: Spectrum,
    targets: Matrix,
    alpha: float,
    *,
    centred: bool,
    roots: Matrix | None = None,
) -> Matrix:
    """Return the leave-one-out residuals, (n, k), for one alpha ≥ 0; `roots` as `loo_residuals`.

    For α = 0 they are the limit α → 0. Where K has a null space with projector N, G⁻¹ grows
    like N/α there: a sample with Nᵢᵢ > 0 is predicted by N in place of G⁻¹, and the others
    by the pseudo-inverse.
    """
    ones = np.ones(len(targets)) if roots is None else roots
    in_basis = spectrum.to_basis(np.hstack([targets, ones[:, None]]))

    def filtered(weights: Matrix) -> Matrix:
        solved = spectrum.apply(weights, in_basis)
        diagonal = _diagonal(spectrum, weights)
        # zero only for a sample that lies wholly in the other one of null space and range
        diagonal = np.where(diagonal > 0, diagonal, 1.0)
        return loo_residuals(
            solved[:, :-1], solved[:, -1], diagonal, targets, centred=centred, roots=roots
        )

    residuals = filtered(flow_filter(spectrum, alpha))
    if alpha > 0 or spectrum.rank == spectrum.size:
        return residuals
    null = (spectrum.values <= spectrum.cutoff).astype(np.float64)
    leverage = _diagonal(spectrum, null)
    # below √eps the projector's diagonal is itself only rounding
    in_null = leverage > np.sqrt(np.finfo(np.float64).eps)
    return np.where(in_null[:, None], filtered(null), residuals)


def choose_alpha(
    spectrum: Spectrum,
    targets: Matrix,
    alphas: Matrix,
    criterion: Criterion,
    *,
    centred: bool,
    roots: Matrix | None = None,
) -> tuple[float, Matrix]:
    """Return the alpha whose leave-one-out residuals make `criterion` smallest, and all losses.

    `alphas` (a,) ascending; the losses are (a,). All from one spectrum, 2n² (k + 2) operations
    an alpha. Where alphas are equally good to nine digits, the largest is taken.
    """
    losses = np.array(
        [
            criterion(spectral_residuals(spectrum, targets, a, centred=centred, roots=roots))
            for a in alphas
        ]
    )
    return float(alphas[best_place(losses)]), losses


def alpha_grid(mean_diagonal: float, cutoff: float, size: int) -> Matrix:
    """Return the grid that alpha="loo" begins with, ascending, two values a decade.

    From 1e-8 times the mean diagonal of K, but never below the noise level of K, up to
    10 n times it: every eigenvalue is at most n times the mean diagonal, so at the upper end
    every direction is shrunk at least tenfold.

    >>> alpha_grid(mean_diagonal=2.0, cutoff=0.1, size=4).round(3)
    array([ 0.2  ,  0.632,  2.   ,  6.325, 20.   , 63.246])
    """
    scale = mean_diagonal if mean_diagonal > 0 else 1.0
    top = int(np.floor(_STEPS_PER_DECADE * np.log10(10.0 * size)))
    steps = np.arange(_LOWEST_EXPONENT * _STEPS_PER_DECADE, top + 1)
    grid = scale * 10.0 ** (steps / _STEPS_PER_DECADE)
    above = grid[grid > cutoff]
    return above if len(above) else grid[-1:]


def _diagonal(spectrum: Spectrum, weights: Matrix) -> Matrix:
    """Return the diagonal of Q diag(weights) Qᵀ, (n,)."""
    out = np.empty(spectrum.size)
    for start in range(0, spectrum.size, _ROWS):
        rows = slice(start, start + _ROWS)
        out[rows] = np.square(spectrum.vectors[rows]) @ weights
    return out
