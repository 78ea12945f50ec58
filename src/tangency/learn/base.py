"""What all estimators of this folder share."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator
from sklearn.utils import Tags
from sklearn.utils.validation import check_is_fitted

from ..checks import shown
from ..kernels.plain import plain
from ..matrix.checked import is_precomputed, require_finite
from .archive import ModelFileError
from .grams import times
from .optimized import as_options, is_chosen_from, kernel_to_fit
from .parameters import KernelParameters
from .persist import save_model
from .plain import plain_targets
from .restored import check_parameters, check_restored
from .samples import in_a_few_lines, predict_samples
from .solvers.predict import expand, on_features

if TYPE_CHECKING:
    from ..typing import ArrayLike

Matrix = NDArray[np.float64]


class PlainScore:
    """`score` for targets as `fit` takes them; named before the mixins of scikit-learn."""

    def score(self, X: ArrayLike, y: ArrayLike, sample_weight: ArrayLike | None = None) -> float:
        """Return what scikit-learn's `score` gives, R² or accuracy, of the predictions for X."""
        with in_a_few_lines():
            if sample_weight is not None:
                sample_weight = plain(sample_weight, "sample_weight")
            return super().score(X, plain_targets(y), sample_weight)  # pyright: ignore


class DualEstimator(KernelParameters, BaseEstimator):
    """A function ȳ + Σᵢ cᵢ K(·, xᵢ) of fitted coefficients, which can be saved.

    Where it is fitted on `features_` φ, it is ȳ + Σⱼ cⱼ φⱼ, and no samples are kept.
    """

    remedy = "raise alpha, scale the inputs, or pass float64 inputs"

    dual_coef_: Matrix
    intercept_: Any
    X_fit_: np.ndarray | None
    features_: Any = None
    tuned_: Any = None
    kernel_: Any
    n_features_in_: int

    def save(self, path: str | Path) -> Path:
        """Write the fitted model to one file without pickle; `tangency.learn.load` reads it.

        The file, in NumPy's .npz format, appears under exactly this path, whole or not at all.
        Returns the path. Raises `ModelFileError` for a kernel that is a plain function, for labels
        that NumPy cannot store without pickle, and for parameters changed after the fit.
        """
        check_is_fitted(self)
        return save_model(self, path)

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        kernel = self.kernel  # pyright: ignore[reportAttributeAccessIssue]
        tags.input_tags.pairwise = is_precomputed(kernel)
        return tags

    def _fitted_kernel(self) -> Any:
        """Return the kernel whose values `dual_coef_` multiplies; what `optimize` begins with."""
        return kernel_to_fit(self)

    def _restore(self) -> None:
        """Complete a model read from a file; raise `ValueError` if no fit gives its parts."""
        check_parameters(self)
        start = self._fitted_kernel()
        if as_options(self.optimize) is None:  # pyright: ignore[reportAttributeAccessIssue]
            self.kernel_ = start
        elif not is_chosen_from(self.kernel_, start):
            raise ModelFileError(
                f"the model is damaged: kernel_ is {shown(self.kernel_)}, which is not "
                f"{shown(start)} with other numbers; save it again"
            )
        check_restored(self)

    def _set_function(self, X: np.ndarray, dual: Matrix, intercept: Matrix, flat: bool) -> None:
        """Store the coefficients (n, k) and intercepts (k,); flat makes them (n,) and a float."""
        require_finite(dual, "the dual coefficients overflowed", self.remedy)
        kept = not is_precomputed(self.kernel_) and self.features_ is None
        self.X_fit_ = X if kept else None
        self.dual_coef_ = dual[:, 0].copy() if flat else np.ascontiguousarray(dual)
        self.intercept_ = float(intercept[0]) if flat else intercept

    def _check(self, X: Any) -> np.ndarray:
        """Return samples to predict for, checked against those of the fit."""
        check_is_fitted(self)
        if self.features_ is not None:
            shape = self.features_.sample_shape
        else:
            shape = (len(self.dual_coef_),) if self.X_fit_ is None else self.X_fit_.shape[1:]
        return predict_samples(self, X, shape)

    def _function_at(self, X: Any) -> Matrix:
        """Return the function at samples checked by `_check`, (m,) or (m, k), by blocks of rows."""
        with np.errstate(over="ignore", invalid="ignore"):  # reported just below, in words
            if self.features_ is not None:
                values = on_features(self.features_, X, self.dual_coef_)
            else:
                values = expand(self.kernel_, X, self.X_fit_, self.dual_coef_)
            values += self.intercept_
        return require_finite(values, "the predictions overflowed", self.remedy)

    def _evaluate(self, gram: np.ndarray) -> Matrix:
        """Return the function where K(x, X_fit) are the rows of `gram`, (m,) or (m, k)."""
        with np.errstate(over="ignore", invalid="ignore"):  # reported just below, in words
            values = times(gram, self.dual_coef_) + self.intercept_
        return require_finite(values, "the predictions overflowed", self.remedy)


def centred(targets: Matrix, center: bool, weights: Matrix | None = None) -> tuple[Matrix, Matrix]:
    """Return targets (n, k) less their mean, and the mean (k,), which is 0 without centring.

    The mean is that with `weights` (n,), where they are given.
    """
    if not center:
        return targets, np.zeros(targets.shape[1])
    with np.errstate(over="ignore", invalid="ignore"):  # reported just below, in words
        plain = weights is None
        mean = targets.mean(axis=0) if plain else (weights / weights.sum()) @ targets
        residual = targets - mean
    require_finite(residual, "the targets overflow when centred", "scale y down")
    # the mean of equal numbers may round away from them, and what is left would seem to vary
    constant = (targets == targets[0]).all(axis=0)
    residual[:, constant] = 0.0
    return residual, np.where(constant, targets[0], mean)
