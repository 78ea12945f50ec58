"""Kernel ridge classification as a scikit-learn estimator."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, Self

import numpy as np
from numpy.typing import NDArray
from scipy.special import log_softmax
from sklearn.base import ClassifierMixin
from sklearn.utils.metaestimators import available_if
from sklearn.utils.multiclass import check_classification_targets

from ..checks import is_number, plain_array, shown
from ..errors import InputError
from .attempt import whole_or_not_at_all
from .base import PlainScore, centred
from .estimators import RidgeEstimator
from .plain import plain_targets
from .samples import in_a_few_lines
from .solvers.options import CG
from .streaming import batch, one_alpha, take_in, takes_batches
from .uncertainty.temperature import fit_temperature
from .units import as_they_are

if TYPE_CHECKING:
    from ..typing import ArrayLike

Matrix = NDArray[np.float64]


def _knows_its_errors(model: KernelClassifier) -> bool:
    """Whether a fit has leave-one-out scores to calibrate by. Raises `InputError` if not."""
    remedy = (
        "CalibratedClassifierCV(model, method='temperature') of scikit-learn calibrates by refits"
    )
    if model.training_time is not None and not _endless(model.training_time):
        raise InputError(
            f"probabilities are calibrated by leave-one-out, which has no closed form for "
            f"training_time={shown(model.training_time)}; leave it None, or {remedy}"
        )
    if isinstance(model.solver, CG) and model.solver.probes == 0:
        raise InputError(
            "probabilities are calibrated by leave-one-out, which CG(probes=0) leaves out; "
            f"set probes to 16, or {remedy}"
        )
    return True


def _endless(time: Any) -> bool:
    return is_number(time) and math.isinf(time)


class KernelClassifier(PlainScore, ClassifierMixin, RidgeEstimator):
    """Kernel ridge classification: regression on one-hot targets; the largest value wins.

    As in `KernelRegressor`, one function per class is fitted, to 1 on its own samples and 0
    on the others; all classes share one factorisation. Parameters are those of
    `KernelRegressor`; labels may be numbers, strings or booleans.

    Attributes are those of `KernelRegressor`, where k is the number of classes, in the order of
    `classes_`. `loo_score_` is the accuracy of the leave-one-out predictions, while alpha is chosen
    by their mean squared error.

    Probabilities are softmax(f(x)/T). The temperature T, `temperature_`, is chosen at the end of
    the fit by the log loss of the leave-one-out predictions. If there are none (a finite
    `training_time`, `CG(probes=0)`), there is no `predict_proba`.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from tangency.learn import KernelClassifier
    >>> X, y = load_iris(return_X_y=True)
    >>> model = KernelClassifier(alpha=[0.1, 1.0]).fit(X, y)
    >>> model.score(X, y) > 0.95, model.alpha_ in (0.1, 1.0)
    (True, True)
    >>> model.predict_proba(X[[0, 75]]).round(1)
    array([[1., 0., 0.],
           [0., 1., 0.]])
    """

    classes_: np.ndarray
    temperature_: float | None

    @whole_or_not_at_all
    def fit(self, X: ArrayLike, y: ArrayLike, sample_weight: ArrayLike | None = None) -> Self:
        """Fit to X, (n, d) or (n, *space, channels), and labels y, (n,). Returns self.

        `sample_weight` as in `KernelRegressor.fit`. A class whose samples all have the weight 0 is
        none of `classes_`.
        """
        data = self._begin(X, y, sample_weight)
        self.classes_, codes = labels_and_places(data.y)
        with in_a_few_lines():
            check_classification_targets(data.y)
        if len(self.classes_) < 2:
            where = "y" if data.kept is None else "y, without samples of weight 0,"
            raise InputError(
                f"KernelClassifier needs at least two classes; {where} has only one class, "
                f"{shown(self.classes_.tolist()[0])}"
            )
        targets = np.eye(len(self.classes_))[codes]
        regularization = self._chosen(data, targets, alike=True)
        residual, mean = centred(targets, self.center, data.weights)
        units = as_they_are(data.scaled(residual))
        fit = self._fit_dual(data, units, mean, regularization, flat=False)
        self.loo_score_ = self.temperature_ = None
        if fit.residuals is not None:
            held_out = targets - fit.residuals
            right = np.argmax(held_out, axis=1) == codes
            self.loo_score_ = float(np.average(right, weights=data.weights))
            self.temperature_ = fit_temperature(held_out, codes, data.weights)
        return self

    @available_if(takes_batches)
    @whole_or_not_at_all
    def partial_fit(
        self,
        X: ArrayLike,
        y: ArrayLike,
        classes: ArrayLike | None = None,
        sample_weight: ArrayLike | None = None,
    ) -> Self:
        """Fit to these samples and those of all calls before, as `KernelRegressor.partial_fit`.

        `classes` are all labels that there will be, which the first call needs. Probabilities
        there are none, as they are calibrated by leave-one-out.
        """
        regularization = one_alpha(self)
        data = batch(self, X, y, sample_weight)
        if data is None:
            return self
        known = self.classes_ if self._stream is not None else _all_classes(classes)
        if classes is not None and not np.array_equal(_all_classes(classes), known):
            raise InputError(f"classes must be those of the first call, {shown(known.tolist())}")
        targets = (data.y[:, None] == known[None, :]).astype(np.float64)
        if not targets.any(axis=1).all():
            other = data.y[np.argmin(targets.any(axis=1))].tolist()
            raise InputError(
                f"y holds {shown(other)}, which is not one of classes, {shown(known.tolist())}"
            )
        take_in(self, data, targets, regularization, flat=False)
        self.classes_, self.temperature_ = known, None
        return self

    def decision_function(self, X: ArrayLike) -> Matrix:
        """Return the fitted functions, (m, n_classes); for two classes f₂ - f₁, (m,)."""
        values = self._function(X)
        return values[:, 1] - values[:, 0] if values.shape[1] == 2 else values

    def predict(self, X: ArrayLike) -> np.ndarray:
        """Return the class with the largest function value for each row of X, (m,)."""
        values = self._function(X)
        return self.classes_[np.argmax(values, axis=1)]

    @available_if(_knows_its_errors)
    def predict_proba(self, X: ArrayLike) -> Matrix:
        """Return the probabilities of `classes_`, (m, n_classes): softmax(f(X)/`temperature_`)."""
        return np.exp(self.predict_log_proba(X))

    @available_if(_knows_its_errors)
    def predict_log_proba(self, X: ArrayLike) -> Matrix:
        """Return the logarithms of `predict_proba`, (m, n_classes), of tiny ones too."""
        values = self._function(X)
        if self.temperature_ is None:
            raise InputError(
                "this KernelClassifier holds no temperature_, by which probabilities are "
                "calibrated: it was fitted by partial_fit, or comes from a file of an earlier "
                "version; fit it again, to all samples at once"
            )
        return log_softmax(values / self.temperature_, axis=1)


def _all_classes(classes: Any) -> np.ndarray:
    if classes is None:
        raise InputError(
            "the first call of partial_fit needs classes, all labels that there will be, such as "
            "np.unique(y) of all samples"
        )
    found = labels_and_places(plain_array(plain_targets(classes), "classes"))[0]
    if found.ndim != 1 or len(found) < 2:
        raise InputError(f"classes must be at least two labels, got {shown(classes)}")
    return found


def labels_and_places(y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the different labels in order, and the place of each sample's among them."""
    try:
        return np.unique(y, return_inverse=True)
    except TypeError:
        kinds = sorted({type(each).__name__ for each in y})
        raise InputError(
            f"y holds labels that have no order among each other, of types {', '.join(kinds)}; "
            "pass all of one type, such as y.astype(str)"
        ) from None
