"""Kernel ridge regression as a scikit-learn estimator, and what classification shares with it."""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, Self

import numpy as np
from numpy.typing import NDArray
from sklearn.base import MultiOutputMixin, RegressorMixin
from sklearn.metrics import r2_score
from sklearn.utils.metaestimators import available_if

from ..checks import flag, path, plain_array, shown
from ..errors import InputError
from ..kernels.packing import Structured
from ..kernels.plain import plain
from ..matrix.checked import is_precomputed
from ..matrix.view import is_stored
from .attempt import whole_or_not_at_all
from .base import DualEstimator, PlainScore, centred
from .fitted import DualFit
from .optimized import as_options, chosen, refuse
from .plain import regression_targets
from .regularization import Penalty, Regularization, make_regularization
from .samples import fit_samples, require_square
from .solvers.fit import Problem
from .solvers.fit import fit as solve
from .solvers.options import Features, as_solver
from .solvers.rules import check_applies
from .solvers.stream import Stream
from .streaming import batch, one_alpha, take_in, takes_batches
from .uncertainty.jackknife import Intervals, jackknife_plus
from .units import Units, in_units
from .weights import Training, training

if TYPE_CHECKING:
    from ..typing import ArrayLike, KernelLike, RandomState
    from .optimized import Optimize
    from .solvers.options import Solver

Matrix = NDArray[np.float64]


class RidgeEstimator(DualEstimator):
    """What regression and classification share: the parameters and the fit."""

    alpha_: float
    alphas_: Matrix
    loo_losses_: Matrix | None
    loo_score_: float | None
    loo_error_: float | None
    rkhs_norm_: float
    rkhs_norms_: Matrix
    solver_: str
    n_products_: int | None
    tolerance_: float | None
    _stream: Stream | None = None

    def __init__(
        self,
        kernel: KernelLike | Callable[..., Any] | None = None,
        *,
        alpha: Penalty = None,
        training_time: float | None = None,
        center: bool = True,
        solver: str | Solver = "auto",
        store: str | os.PathLike[str] | None = None,
        optimize: Optimize = None,
        random_state: RandomState = 0,
    ) -> None:
        self.kernel = kernel
        self.alpha = alpha
        self.training_time = training_time
        self.center = center
        self.solver = solver
        self.store = store
        self.optimize = optimize
        self.random_state = random_state

    @property
    def streams(self) -> bool:
        """Whether samples may stay in a file, of which `fit` reads one part after the other."""
        return isinstance(as_solver(self.solver), Features)

    def explain_solver(self, X: ArrayLike) -> str:
        """Say which solver `fit` would take for these samples, why, and its memory.

        >>> import numpy as np
        >>> from tangency.learn import KernelRegressor
        >>> print(KernelRegressor(alpha=0.1).explain_solver(np.ones((500, 3))))
        cholesky: one alpha > 0, up to 15,000 samples; needs 1.9 MiB
        """
        known = is_stored(X) or isinstance(X, Structured)
        samples: Any = X if known else plain_array(plain(X, "X"), "X")
        if len(samples.shape) < 2 and not known:
            raise InputError(f"X must have a row for each sample, got {shown(samples)}")
        regularization = self._penalty()
        problem = Problem(self._fitted_kernel(), samples, self.store)
        return str(problem.choose(regularization, self.solver))

    def _penalty(self) -> Regularization:
        """What is asked for; with `optimize` some alpha, until it is chosen. Refuse what is not."""
        found = make_regularization(self.alpha, self.training_time)
        if as_options(self.optimize) is None:
            return found
        refuse(self, found)
        return Regularization((1.0,), math.inf) if found.chooses else found

    def _chosen(self, data: Training, targets: Matrix, *, alike: bool) -> Regularization:
        """The ridge; with `optimize`, that which is chosen together with the kernel."""
        found = make_regularization(self.alpha, self.training_time)
        vars(self).pop("tuned_", None)  # of a fit before
        if as_options(self.optimize) is None:
            return found
        if data.weights is not None:
            raise InputError(
                "optimize needs samples of equal weight; leave sample_weight out, or give "
                "weights of 0 and 1 only"
            )
        noise = None if found.chooses or found.alphas is None else found.alphas[0]
        tuned = chosen(self, data.X, targets, "leave_one_out", noise, alike=alike)
        return Regularization((tuned.noise,), math.inf)

    def _begin(self, X: Any, y: Any, sample_weight: Any, **y_checks: Any) -> Training:
        """Check parameters and data before anything is computed; set `kernel_`."""
        regularization = self._penalty()
        kernel = self._fitted_kernel()
        if (asked := as_solver(self.solver)) is not None:
            check_applies(asked, regularization)
        flag(self.center, "center")
        if self.store is not None:
            path(self.store, "store")
        least = 2 if regularization.chooses else 1
        X, y = fit_samples(self, X, y, min_samples=least, **y_checks)
        if is_precomputed(kernel):
            require_square(X)
        data = training(X, y, sample_weight, kernel)
        if len(data.y) < least:
            one = "sample_weight is above zero for one sample only"
            raise InputError(
                f"{one if len(y) > 1 else 'X holds one sample'}, and alpha is chosen by "
                "leave-one-out, which needs two; give one number as alpha"
            )
        self.kernel_ = kernel
        vars(self).pop("_stream", None)  # of batches before
        return data

    def _fit_dual(
        self,
        data: Training,
        units: Units,
        mean: Matrix,
        regularization: Regularization,
        *,
        flat: bool,
    ) -> DualFit:
        """Fit scaled targets less their `mean` (k,); set all attributes but the score.

        Returns the fit of the `units`, with residuals as they are without weights.
        """
        problem = Problem(self.kernel_, data.X, self.store, data.roots)
        choice = problem.choose(regularization, self.solver)
        scaled = solve(
            problem, units.targets, regularization, choice, units.loss, centred=bool(self.center)
        )
        scaled = data.restored(scaled)
        fit = units.restored(scaled)
        self.features_ = fit.features
        places = data.places(fit.landmarks)
        if places is None or fit.features is not None:
            self._set_function(data.X, fit.dual, mean, flat)
        elif is_precomputed(self.kernel_):
            dual = np.zeros((data.size, len(mean)))
            dual[places] = fit.dual
            self._set_function(data.X, dual, mean, flat)
        else:
            samples = data.X if fit.landmarks is None else data.X[fit.landmarks]
            self._set_function(samples, fit.dual, mean, flat)
        self.solver_, self.n_products_, self.tolerance_ = fit.solver, fit.products, fit.tolerance
        self.alpha_, self.alphas_, self.loo_losses_ = fit.alpha, fit.alphas, fit.losses
        self.loo_error_ = fit.loo_error
        self.rkhs_norms_ = fit.norms
        self.rkhs_norm_ = math.hypot(*fit.norms)
        return scaled

    def _function(self, X: Any) -> Matrix:
        """Return the fitted function at X, (m,) or (m, k) as `dual_coef_` has it."""
        return self._function_at(self._check(X))


class KernelRegressor(PlainScore, MultiOutputMixin, RegressorMixin, RidgeEstimator):
    """Kernel ridge regression and gradient flow with a neural kernel.

    f(x) = ȳ + Σᵢ cᵢ K(x, xᵢ) with c = (K + αI)⁻¹ (I - exp(-t (K + αI))) (y - ȳ): the result of
    gradient flow on ½ Σᵢ (f(xᵢ) - yᵢ)² + ½ α ‖f - ȳ‖² with learning rate 1, from f = ȳ, stopped at
    time t. t = ∞ is ridge regression; α = 0 and t = ∞ is the interpolant of minimum norm.

    Parameters
    ----------
    kernel : a kernel object or callable kernel(X, Y), "precomputed", or a network or its text
        form, which stand for its NTK; None is the NTK of `dense relu dense`.
    alpha : strength of the regularization, a number ≥ 0 in units of K. With a list of numbers, or
        "loo" (a grid scaled with the mean of K(x, x)), the best one is chosen by leave-one-out
        errors in closed form. None is "loo" without a `training_time` and 0 with one.
    training_time : t ≥ 0, ∞ allowed. None is ∞.
    center : whether the mean ȳ of the targets is subtracted before the fit and added back.
    solver : "auto" (`explain_solver` says which), "cholesky", "eigh", "cg", "nystrom", "features",
        or one of them with options, such as `CG(tol=1e-4)`; see `tangency.learn.solvers`.
    store : None, or the path of a Zarr store into which K(X, X) is computed. If the store is there
        already, it is continued or read, as `tangency.gram.compute` does.
    optimize : whether `fit` first chooses numbers in the network by `tangency.tune`, for the
        smallest leave-one-out error, together with alpha (unless it is a number). True: those
        marked by `?` in a text form, or without marks the standard deviations of weights and biases
        of all layers but the last; or names of parameters; or options of `tune`, {"restarts": 1}.
        None: the network as it is. Needs PyTorch; not with "cg", "nystrom", "features" or `store`.
    random_state : sets where the restarts of `optimize` begin.

    Attributes
    ----------
    dual_coef_ : c, (n,) or (n, k), as y; `intercept_` is ȳ, and 0 if `center_` is false.
    alpha_ : the alpha used, one of `alphas_` (a,) with mean squared leave-one-out errors
        `loo_losses_` (a,), weighted means with `sample_weight`; None without a closed form. Of
        values equally good to nine digits the largest is taken. Several outputs count equally,
        in any units: the error of each is multiplied by the mean variance of all outputs and
        divided by its own.
    loo_residuals_ : y minus the leave-one-out predictions, shaped as y, without samples of weight
        0; None if `loo_score_` is. `sample_weight_` are their weights, None if all are 1.
    rkhs_norm_ : the norm of f - ȳ, √(Σₖ cₖᵀKcₖ), over all outputs; `rkhs_norms_` (k,) for each.
    loo_score_ : R² of the leave-one-out predictions; None for a
        finite `training_time` or a single sample, which have no closed form, and for
        `CG(probes=0)`. `loo_error_` is the relative error of the residuals if they are estimated
        by probes, as "cg" does, else None.
    solver_ : the solver used. For "cg", `n_products_` counts products with K, and `tolerance_`
        bounds the errors of predictions, in units of the root mean square of y - ȳ.
    X_fit_ : the training samples ("nystrom": the landmarks only), None for "precomputed" and
        "features"; `kernel_` is the kernel used.
    features_ : with "features", the `LayerwiseFeatures`; `dual_coef_` (r,) or (r, k) are then the
        coefficients of these, and its `error_` measures ⟨φ(x), φ(y)⟩ - K(x, y). Else None.
    tuned_ : the result of `optimize`, as `tune` returns it; None without, and in a loaded model.

    X is (n, d) or (n, *space, channels). K is computed in the dtype of X, everything else in
    float64; predictions are float64. Warns with `IllConditionedWarning`, and with `SearchWarning`
    if the best alpha is at the edge of what "loo" can search. No choice depends on the units
    of y or, with `center`, on a number added to it.

    Examples
    --------
    >>> import numpy as np
    >>> from tangency.learn import KernelRegressor
    >>> X = np.array([[1.0, 0.0], [0.6, 0.8], [0.0, 1.0], [-0.6, 0.8]])
    >>> model = KernelRegressor(alpha=0).fit(X, [1.0, 2.0, 3.0, 5.0])
    >>> model.predict(X).round(6)
    array([1., 2., 3., 5.])
    """

    loo_residuals_: Matrix | None
    sample_weight_: Matrix | None
    center_: bool | None  # None in files of earlier versions

    @whole_or_not_at_all
    def fit(self, X: ArrayLike, y: ArrayLike, sample_weight: ArrayLike | None = None) -> Self:
        """Fit to X, (n, d) or (n, *space, channels), and y, (n,) or (n, k). Returns self.

        `sample_weight`, a number or one ≥ 0 for each sample, multiplies its squared error. A sample
        of weight 0 is left out; whole weights are as good as so many copies, but that leave-one-out
        takes all copies out together. Weights times a number are an alpha divided by it.
        """
        data = self._begin(X, y, sample_weight, multi_output=True, y_numeric=True)
        targets = regression_targets(data.y).reshape(len(data.y), -1)
        regularization = self._chosen(data, targets, alike=False)
        residual, mean = centred(targets, self.center, data.weights)
        units = in_units(data.scaled(residual))
        fit = self._fit_dual(data, units, mean, regularization, flat=data.y.ndim == 1)
        self.loo_score_ = self.loo_residuals_ = None
        self.sample_weight_, self.center_ = data.weights, bool(self.center)
        if fit.residuals is not None:
            left = fit.residuals * units.scales
            self.loo_residuals_ = left[:, 0] if data.y.ndim == 1 else left
            fitted = data.unscaled(units.targets)
            found = r2_score(fitted, fitted - fit.residuals, sample_weight=data.weights)
            self.loo_score_ = float(found)
        return self

    @available_if(takes_batches)
    @whole_or_not_at_all
    def partial_fit(
        self, X: ArrayLike, y: ArrayLike, sample_weight: ArrayLike | None = None
    ) -> Self:
        """Fit to these samples and those of all calls before, none of which is kept. Returns self.

        For solver="features" and one alpha. The first batch chooses the landmarks, so that it
        should have some hundred samples like the others. The result is that of one fit with these
        landmarks, whatever the batches; leave-one-out there is none, as it needs the samples.
        """
        regularization = one_alpha(self)
        data = batch(self, X, y, sample_weight, multi_output=True, y_numeric=True)
        if data is not None:
            targets = regression_targets(data.y).reshape(len(data.y), -1)
            take_in(self, data, targets, regularization, flat=data.y.ndim == 1)
            self.loo_residuals_ = self.sample_weight_ = None
            self.center_ = bool(self.center)
        return self

    def predict(self, X: ArrayLike) -> Matrix:
        """Return f(X), (m,) or (m, k) as y was, float64."""
        return self._function(X)

    def predict_interval(self, X: ArrayLike, coverage: float | Sequence[float] = 0.9) -> Intervals:
        """Return the ends of intervals that hold new targets with at least this coverage.

        Conformal prediction by the jackknife+, exact, from one factorisation of K: however wrong
        the kernel, a new sample drawn as the others were lies inside with a probability of at least
        2·coverage - 1, and in practice of about `coverage`; over samples, not for each x. It holds
        for each output by itself, and for an alpha that was not chosen by the same samples; one
        number of many samples costs it little. Samples with weights count alike: the weights bend
        the fit, and no promise.

        `lower` and `upper` are (m,) or (m, k), as predictions; for several coverages (c, m, ...).
        Each call takes what "cholesky" does, and then 4n² operations for each row of X.

        Raises `InputError` for a coverage above n/(n + 1), for `kernel="precomputed"`, a finite
        `training_time`, and solvers other than "cholesky" and "eigh". Source: Barber, Candès,
        Ramdas & Tibshirani 2021, "Predictive inference with the jackknife+".

        >>> import numpy as np
        >>> random = np.random.default_rng(0)
        >>> X = random.uniform(-3, 3, (200, 1))
        >>> y = np.sin(X[:, 0]) + 0.1 * random.standard_normal(200)
        >>> model = KernelRegressor("dense:b=1 erf dense").fit(X[:100], y[:100])
        >>> lower, upper = model.predict_interval(X[100:], coverage=0.9)
        >>> bool(np.mean((lower <= y[100:]) & (y[100:] <= upper)) > 0.8)
        True
        """
        return jackknife_plus(self, self._check(X), coverage)
