"""Intervals that hold their coverage whatever the data: the jackknife+ in closed form."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ...checks import is_number, items, number, shown, within_memory
from ...errors import InputError
from ...matrix.checked import is_precomputed, require_finite
from ..cholesky import inverse_factor
from ..flow import flow_filter
from ..grams import TrainGram, cross_gram, times, train_gram
from ..loo import sums_of_others
from ..solvers.predict import DEVIATION_BYTES, prepared_for, quiet, row_blocks, shows_progress
from ..spectrum import decompose
from ..threads import with_blas_threads
from ..weights import weighted

Matrix = NDArray[np.float64]

_EXACT = ("cholesky", "eigh")


class Intervals(NamedTuple):
    """The ends of intervals, (m,) or (m, k); (c, m, ...) where there are several coverages."""

    lower: Matrix
    upper: Matrix


@within_memory()
def jackknife_plus(model: Any, X: Any, coverage: Any) -> Intervals:
    """Return the jackknife+ intervals of a fitted `KernelRegressor` at checked samples X (m, ...).

    With rᵢ the leave-one-out residuals and f₍₋ᵢ₎ the fits without one sample, and k the whole part
    of (1 - coverage)(n + 1), the ends are the k-th smallest of f₍₋ᵢ₎(x) - |rᵢ| and the k-th largest
    of f₍₋ᵢ₎(x) + |rᵢ|. n² operations and n numbers for each x, of which a block is in memory.

    Source: Barber, Candès, Ramdas & Tibshirani 2021, "Predictive inference with the jackknife+".

    Raises:
        InputError: a model without exact leave-one-out predictions, no coverage, or one that takes
            more samples.
    """
    _require_exact(model)
    residuals = model.loo_residuals_.reshape(len(model.dual_coef_), -1)
    n, outputs = residuals.shape
    single, ks = _places(coverage, n)
    fits, sizes = _left_out(model, residuals), np.abs(residuals)
    kernel, fitted = quiet(model.kernel_), prepared_for(model.kernel_, model.X_fit_)
    lower, upper = (np.empty((len(ks), len(X), outputs)) for _ in range(2))
    smallest, largest = [k - 1 for k in ks], [n - k for k in ks]
    for rows in row_blocks(len(X), 8 * n, shows_progress(model.kernel_), DEVIATION_BYTES):
        for j, values in enumerate(fits.at(cross_gram(kernel, X[rows], fitted, n))):
            for ends, those, order in (
                (lower, values - sizes[:, j], smallest),
                (upper, values + sizes[:, j], largest),
            ):
                ends[:, rows, j] = np.partition(those, order, axis=1)[:, order].T
    if model.dual_coef_.ndim == 1:
        lower, upper = lower[..., 0], upper[..., 0]
    found = Intervals(lower[0], upper[0]) if single else Intervals(lower, upper)
    for ends in found:
        require_finite(ends, "the intervals overflowed", model.remedy)
    return found


@dataclass(frozen=True)
class _LeftOut:
    """What the fits without one sample each are made of, for n samples and k outputs.

    With G = √w K √w + αI, h = G⁻¹ √w k(x), u = Σⱼ √wⱼ hⱼ, residuals ρᵢ = √wᵢ rᵢ, and the mean of
    the others lower by δᵢ = wᵢ ỹᵢ / Σⱼ≠ᵢ wⱼ than that of all,

        f₍₋ᵢ₎(x) = f(x) - δᵢ (1 - u) - ρᵢ hᵢ

    as the coefficients of the fit without sample i are those of all less a multiple of column i
    of G⁻¹, by which cᵢ becomes zero (see `loo.loo_residuals`).
    """

    dual: Matrix  # (n, k)
    intercept: Matrix  # (k,)
    residuals: Matrix  # ρ, (n, k)
    shifts: Matrix  # δ, (n, k)
    roots: Matrix  # √w, (n,)
    scaled: Matrix  # √w W (n, n)
    inverse: Matrix  # W (n, n) with W Wᵀ = G⁻¹

    def at(self, raw: np.ndarray) -> Iterator[Matrix]:
        """For each output what all n fits say where K(x, X) are the rows of `raw`, (b, n)."""
        whole = times(raw, self.dual) + self.intercept
        solved = times(raw, self.scaled) @ self.inverse.T
        rest = 1.0 - solved @ self.roots
        for j, values in enumerate(whole.T):
            left = values[:, None] - np.outer(rest, self.shifts[:, j])
            left -= solved * self.residuals[:, j]
            yield left


def _left_out(model: Any, residuals: Matrix) -> _LeftOut:
    gram = train_gram(model.kernel_, model.X_fit_)
    weights = model.sample_weight_
    roots = np.ones(gram.size) if weights is None else np.sqrt(weights)
    dual = model.dual_coef_.reshape(residuals.shape)
    shifts = np.zeros_like(dual)
    # the parameter may be another since the fit, and a file of an earlier version has only that
    if model.center if model.center_ is None else model.center_:
        squares = np.square(roots)
        targets = times(gram.matrix, dual) + model.alpha_ * dual / squares[:, None]
        shifts = targets * (squares / sums_of_others(squares))[:, None]
    gram = weighted(gram, None if weights is None else roots)
    inverse = _inverse_root(gram, model.alpha_)
    scaled = inverse if weights is None else roots[:, None] * inverse
    own, intercept = roots[:, None] * residuals, np.ravel(model.intercept_)
    return _LeftOut(dual, intercept, own, shifts, roots, scaled, inverse)


@with_blas_threads
def _inverse_root(gram: TrainGram, alpha: float) -> Matrix:
    """Return W (n, n) with W Wᵀ = (K + αI)⁻¹; `gram.matrix` is overwritten.

    Raises:
        InputError: an alpha below what rounding leaves of K, where there is no inverse.
    """
    inverse = inverse_factor(gram.matrix, alpha) if alpha > 0 else None
    if inverse is not None:
        return inverse
    spectrum = decompose(gram)
    if spectrum.rank < gram.size and alpha <= spectrum.cutoff:
        raise InputError(
            f"K + alpha·I is singular to working precision at alpha={alpha:.3g}, so the fits "
            "without one sample cannot be computed from the fit with all; raise alpha, or drop "
            "samples that are copies of others"
        )
    return spectrum.vectors * np.sqrt(flow_filter(spectrum, alpha))


def _require_exact(model: Any) -> None:
    if is_precomputed(model.kernel_):
        raise InputError(
            'intervals need the matrix of the training samples, which kernel="precomputed" does '
            "not keep; pass the kernel object or a callable kernel(X, Y)"
        )
    if model.solver_ not in _EXACT:
        reason = (
            "estimates leave-one-out residuals by probes"
            if model.solver_ == "cg"
            else "chooses its landmarks with all samples, so no sample is truly left out"
        )
        raise InputError(
            f'intervals need exact leave-one-out predictions; solver="{model.solver_}" '
            f'{reason}; fit with solver="cholesky" or "eigh"'
        )
    if model.loo_residuals_ is None:
        raise InputError(
            "this KernelRegressor has no leave-one-out residuals, which intervals need: they are "
            f"missing for a finite training_time (here {shown(model.training_time)}), for a single "
            "sample, and in files of earlier versions; fit it again, with training_time=None"
        )


def _places(coverage: Any, n: int) -> tuple[bool, list[int]]:
    """Whether one coverage is given, and for each the k of `jackknife_plus`."""
    single = is_number(coverage)
    asked = [coverage] if single else items(coverage, "coverage")
    if not asked:
        raise InputError("coverage is empty; give a number between 0 and 1, or several")
    ks = []
    for each in asked:
        missed = 1.0 - number(each, "coverage", above=0, most=1)
        k = int((n + 1) * missed + 1e-9)
        if k < 1:
            needed = f"{math.ceil(1 / missed - 1 - 1e-9):,}" if missed else "infinitely many"
            raise InputError(
                f"coverage={each:g} takes {needed} samples, and there are {n}; ask for at most "
                f"{math.floor(1e4 * n / (n + 1)) / 1e4:g}, or fit more samples"
            )
        ks.append(k)
    return single, ks
