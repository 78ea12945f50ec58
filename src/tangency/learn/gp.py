"""Gaussian processes of infinitely wide networks, Bayesian or trained, as one estimator."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Self

import numpy as np
from numpy.typing import NDArray
from sklearn.base import MultiOutputMixin, RegressorMixin

from ..checks import flag, shown
from ..errors import InputError
from ..kernels import NNGP, NTK, KernelPair, gram
from ..kernels.coerce import is_network
from ..kernels.network import NetworkKernel
from ..matrix.checked import is_precomputed, kernel_diagonal, require_finite
from ..matrix.tiles import StoredTiles
from ..matrix.view import is_stored
from .attempt import whole_or_not_at_all
from .base import DualEstimator, PlainScore, centred
from .grams import (
    TrainGram,
    as_train_gram,
    assembled,
    cross_gram,
    resolve_kernel,
    times,
    train_gram,
)
from .optimized import as_options, chosen, kernel_to_fit, refuse_process
from .plain import regression_targets
from .process import fit_ensemble, fit_posterior
from .regularization import Penalty, Regularization, make_noise_regularization
from .samples import fit_samples, require_square
from .solvers.predict import DEVIATION_BYTES, prepared_for, quiet, row_blocks, shows_progress

if TYPE_CHECKING:
    from ..typing import ArrayLike, KernelLike, RandomState
    from .optimized import Optimize

Matrix = NDArray[np.float64]


class GaussianProcess(PlainScore, MultiOutputMixin, RegressorMixin, DualEstimator):
    """The Gaussian process of an infinitely wide network, with its uncertainty.

    inference="posterior": Bayesian regression with the prior f - ȳ ~ GP(0, K), K the NNGP kernel
    (a network trained by Bayes' rule), and observation noise N(0, `noise`).

    inference="ensemble": networks drawn at random and trained by gradient flow until
    `training_time`. With the NNGP kernel K and the NTK Θ of one network and
    B = Θ(x, X) (Θ + noise·I)⁻¹ (I - exp(-t (Θ + noise·I))), their mean is ȳ + B (y - ȳ) and their
    covariance K + B K Bᵀ - B K - K Bᵀ. t = 0 is the prior. Time is as in `KernelRegressor`.

    Parameters
    ----------
    kernel : a network, its text form or None for `dense relu dense`; for the posterior also a
        kernel object, a callable kernel(X, Y), or "precomputed" for means without variances; for
        the ensemble also an NTK or NNGP, which then only says which network (and `input_shape`).
    noise : for the posterior, the variance of the noise, a number; the prior is then K itself.
        With "ml" (None) or a list of numbers it is chosen by the marginal likelihood, "ml" over a
        grid scaled with the mean of K(x, x), together with an amplitude s of each output in closed
        form: the prior is then s²K and the variance of the noise s²·noise, so that neither the
        choice nor predictions relative to y depend on the units of y.
        For the ensemble, the weight of ½ ‖w - w₀‖² in the loss; None is 0.
    inference : "posterior" or "ensemble".
    training_time : t ≥ 0 for the ensemble, ∞ (None) for networks trained to the end.
    center : whether the mean ȳ of the targets is subtracted before the fit and added back.
    optimize, random_state : as in `KernelRegressor`, but by the marginal likelihood; for the
        posterior with noise "ml", which is then chosen among all numbers.

    Attributes
    ----------
    dual_coef_, intercept_, X_fit_, kernel_ : as in `KernelRegressor`.
    noise_ : the noise used, one of `noises_` (a,) with `log_marginal_likelihoods_` (a,).
    amplitude_ : s, a number or (k,) as y; 1 if `noise` is a number, for the ensemble, and
        for an output that does not vary. The noise has the variance amplitude_² noise_.
    log_marginal_likelihood_ : of y - ȳ at `noise_` and `amplitude_`, summed over outputs. Both
        likelihoods are None for the ensemble, and at noise 0 with a singular K, for which there is
        no density.
    tuned_ : as in `KernelRegressor`.
    whitener_ (n, r) : W Wᵀ = (K + noise·I)⁻¹, for the posterior.
    operator_, prior_gram_ (n, n) : of the ensemble; B = Θ(x, X) operator_, and K(X, X).

    `fit` takes no weights of samples: a weight w would mean noise of variance noise/w, and the
    likelihood that "ml" uses would not be that of w copies. For the mean under such noise, use
    `KernelRegressor(NNGP(net), alpha=noise)` with weights.

    Warns with `IllConditionedWarning`, and with `SearchWarning` if the best noise is at the
    edge of what can be searched. Sources: Rasmussen and Williams 2006, chapter 2; Lee et al.
    2019, *Wide neural networks of any depth evolve as linear models under gradient descent*.

    Examples
    --------
    >>> import numpy as np
    >>> from tangency.learn import GaussianProcess
    >>> X = np.array([[1.0, 0.0], [0.6, 0.8], [0.0, 1.0]])
    >>> model = GaussianProcess("dense relu dense", noise=1e-6).fit(X, [1.0, 2.0, 3.0])
    >>> mean, std = model.predict(X, return_std=True)
    >>> mean.round(3), bool(np.all(std < 0.002))
    (array([1., 2., 3.]), True)
    """

    remedy = "raise noise, scale the inputs, or pass float64 inputs"

    noise_: float
    noises_: Matrix
    amplitude_: Any
    log_marginal_likelihood_: float | None
    log_marginal_likelihoods_: Matrix | None
    whitener_: Matrix | None
    operator_: Matrix | None
    prior_gram_: Matrix | None

    def __init__(
        self,
        kernel: KernelLike | Callable[..., Any] | None = None,
        *,
        noise: Penalty = None,
        inference: str = "posterior",
        training_time: float | None = None,
        center: bool = True,
        optimize: Optimize = None,
        random_state: RandomState = 0,
    ) -> None:
        self.kernel = kernel
        self.noise = noise
        self.inference = inference
        self.training_time = training_time
        self.center = center
        self.optimize = optimize
        self.random_state = random_state

    @whole_or_not_at_all
    def fit(self, X: ArrayLike, y: ArrayLike) -> Self:
        """Fit to X, (n, d) or (n, *space, channels), and y, (n,) or (n, k). Returns self."""
        regularization = make_noise_regularization(self.noise, self.training_time, self.inference)
        if as_options(self.optimize) is not None:
            refuse_process(self)
        self.kernel_ = self._fitted_kernel()
        flag(self.center, "center")
        X, y = fit_samples(self, X, y, min_samples=1, multi_output=True, y_numeric=True)
        if is_precomputed(self.kernel_):
            require_square(X)
        vars(self).pop("tuned_", None)  # of a fit before
        if as_options(self.optimize) is not None:
            found = chosen(self, X, y, "marginal_likelihood", None)
            regularization = Regularization((found.noise,), regularization.time, profiled=True)
        targets, mean = centred(regression_targets(y).reshape(len(y), -1), self.center)
        fit = self._fit_ensemble if self.inference == "ensemble" else self._fit_posterior
        self._set_function(X, fit(X, targets, regularization), mean, flat=y.ndim == 1)
        if y.ndim == 1 and np.ndim(self.amplitude_):
            self.amplitude_ = float(self.amplitude_[0])
        return self

    def _train_gram(self, X: Any) -> TrainGram:
        if is_stored(X):
            return assembled(StoredTiles(X), None)
        return train_gram(self.kernel_, X)

    def predict(self, X: ArrayLike, return_std: bool = False, return_cov: bool = False) -> Any:
        """Return the mean, (m,) or (m, k); with it, on request, deviations or covariances.

        `return_std` adds the standard deviations (m,), `return_cov` the covariance (m, m), of the
        function itself, noise not included. Where `amplitude_` is an array, (k,), each output has
        its own, (m, k) and (m, m, k); else they are the same for every output. Raises
        `ValueError` for both at once.
        """
        return_std, return_cov = flag(return_std, "return_std"), flag(return_cov, "return_cov")
        if return_std and return_cov:
            raise InputError(
                "return_std and return_cov are both true; ask for return_cov alone: the standard "
                "deviations are the square roots of its diagonal"
            )
        X = self._check(X)
        if not (return_std or return_cov):
            return self._function_at(X)
        if is_precomputed(self.kernel_):
            raise InputError(
                'GaussianProcess with kernel="precomputed" gives means only: its variances need '
                "K(x, x) at new points; pass the kernel object or a callable kernel(X, Y)"
            )
        with np.errstate(over="ignore", invalid="ignore"):  # reported just below, in words
            mean, spread = self._with_deviations(X) if return_std else self._with_covariance(X)
        return mean, require_finite(spread, "the covariances overflowed", self.remedy)

    def _with_deviations(self, X: np.ndarray) -> tuple[Matrix, Matrix]:
        """Return means and standard deviations, by blocks of rows."""
        kernel, fitted = quiet(self.kernel_), prepared_for(self.kernel_, self.X_fit_)
        mean = np.empty((len(X), *self.dual_coef_.shape[1:]))
        variance = np.empty(len(X))
        shows = shows_progress(self.kernel_)
        for rows in row_blocks(len(X), 8 * len(self.dual_coef_), shows, DEVIATION_BYTES):
            raw, left, right = self._parts(kernel, X[rows], fitted)
            mean[rows] = self._evaluate(raw)
            change = np.einsum("ij,ij->i", left, right)
            variance[rows] = kernel_diagonal(self._prior(kernel), X[rows]) + change
        # a variance below zero is the rounding of one that is zero
        deviations = np.sqrt(np.maximum(variance, 0.0))
        return mean, _times(deviations, self.amplitude_)

    def _with_covariance(self, X: np.ndarray) -> tuple[Matrix, Matrix]:
        """Return means and the covariance matrix, or one for each amplitude."""
        raw, left, right = self._parts(self.kernel_, X, self.X_fit_)
        change = left @ right.T
        covariance = train_gram(self._prior(self.kernel_), X).matrix
        covariance += 0.5 * (change + change.T)
        return self._evaluate(raw), _times(covariance, np.square(self.amplitude_))

    def _parts(self, kernel: Any, X: np.ndarray, fitted: Any) -> tuple[np.ndarray, Matrix, Matrix]:
        parts = self._posterior_parts if self.operator_ is None else self._ensemble_parts
        return parts(kernel, X, fitted)

    def _prior(self, kernel: Any) -> Any:
        return kernel if self.operator_ is None else _sibling(kernel, NNGP)

    def _fitted_kernel(self) -> Any:
        if self.inference == "ensemble":
            return ensemble_kernel(self.kernel)
        return kernel_to_fit(self, NNGP)

    def _fit_posterior(
        self, X: np.ndarray, targets: Matrix, regularization: Regularization
    ) -> Matrix:
        fit = fit_posterior(self._train_gram(X), targets, regularization)
        self.whitener_, self.operator_, self.prior_gram_ = fit.whitener, None, None
        self.noise_, self.noises_ = fit.noise, fit.noises
        self.amplitude_ = 1.0 if fit.amplitudes is None else fit.amplitudes
        self.log_marginal_likelihood_ = fit.evidence
        self.log_marginal_likelihoods_ = fit.evidences
        return fit.dual

    def _fit_ensemble(
        self, X: np.ndarray, targets: Matrix, regularization: Regularization
    ) -> Matrix:
        both = both_grams(self.kernel_, X)
        tangent = as_train_gram(both.ntk, self.kernel_, X)
        self.prior_gram_ = as_train_gram(both.nngp, self.kernel_, X).matrix
        fit = fit_ensemble(tangent, targets, regularization)
        self.whitener_, self.operator_ = None, fit.operator
        self.noise_, self.noises_, self.amplitude_ = fit.noise, np.array([fit.noise]), 1.0
        self.log_marginal_likelihood_ = self.log_marginal_likelihoods_ = None
        return fit.dual

    def _posterior_parts(
        self, kernel: Any, X: np.ndarray, fitted: Any
    ) -> tuple[np.ndarray, Matrix, Matrix]:
        """Return K(X, X_fit) and V, -V with the reduction V Vᵀ of the prior covariance."""
        raw = cross_gram(kernel, X, fitted, len(self.dual_coef_))
        assert self.whitener_ is not None
        reduction = times(raw, self.whitener_)
        return raw, reduction, -reduction

    def _ensemble_parts(
        self, kernel: Any, X: np.ndarray, fitted: Any
    ) -> tuple[np.ndarray, Matrix, Matrix]:
        """Return Θ(X, X_fit), and B, S such that (B Sᵀ + S Bᵀ)/2 changes the prior covariance.

        f_t(x) = f₀(x) - B (f₀(X) - y) with f₀ ~ GP(0, K) has the covariance
        K(x, x') + B K Bᵀ - B K(X, x') - K(x, X) Bᵀ, hence S = B K - 2 K(x, X)
        (Lee et al. 2019, section 2.3).
        """
        both = both_grams(kernel, X, fitted)
        assert self.operator_ is not None
        assert self.prior_gram_ is not None
        solved = times(both.ntk, self.operator_)
        return both.ntk, solved, solved @ self.prior_gram_ - 2.0 * both.nngp


def _times(spread: Matrix, amplitude: Any) -> Matrix:
    """Return `spread` (overwritten) for one amplitude, or with a last axis for several."""
    if np.ndim(amplitude):
        return np.multiply.outer(spread, amplitude)
    spread *= amplitude
    return spread


def ensemble_kernel(kernel: Any) -> NTK:
    """Return the NTK of the network that was given, or that the kernel given belongs to.

    Raises `InputError` for a kernel that belongs to no single network, or is normalised.
    """
    if kernel is None or is_network(kernel):
        kernel = resolve_kernel(kernel)
    if isinstance(kernel, NetworkKernel) and not kernel.normalize:
        return _sibling(kernel, NTK)
    raise InputError(
        f'inference="ensemble" needs the network itself, for both its kernels; got '
        f"{shown(kernel)}; pass a network, its text form, or NTK(net) without normalize"
    )


def both_grams(kernel: NTK, X: np.ndarray, Y: Any = None) -> KernelPair:
    """Return the NNGP and NTK matrices of a kernel's network in one pass, finite."""
    both = gram(
        kernel.net,
        X,
        Y,
        input_shape=kernel.input_shape,
        engine=kernel.engine,
        max_memory=kernel.max_memory,
        n_jobs=kernel.n_jobs,
        progress=kernel.progress,
    )
    remedy = "scale the inputs down, or pass float64 inputs"
    for name, matrix in zip(both._fields, both, strict=True):
        require_finite(matrix, f"the {name} matrix overflowed", remedy)
    return both


def _sibling(kernel: NetworkKernel, kind: type[NTK] | type[NNGP]) -> Any:
    """Return the kernel of this kind of the same network, with the same options."""
    return kind(**{f.name: getattr(kernel, f.name) for f in dataclasses.fields(kernel)})
