"""Samples as scikit-learn passes them: 2-d rows, or n-d arrays of signals with channels last."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from sklearn.utils.validation import check_array, check_X_y, validate_data

from ..errors import InputError

# the kernel follows this dtype; integers (images as bytes) become float64
_DTYPES: Any = (np.float64, np.float32)


def fit_samples(
    estimator: Any, X: Any, y: Any, *, min_samples: int, **y_checks: Any
) -> tuple[np.ndarray, np.ndarray]:
    """Return checked copies of X, (n, d) or (n, *space, channels), and y; set `n_features_in_`.

    For signals `n_features_in_` is the number of values in one of them. `y_checks` go to
    scikit-learn's `check_X_y` (`multi_output`, `y_numeric`).
    """
    checks: dict[str, Any] = {
        "dtype": _DTYPES,
        "order": "C",
        "copy": True,
        "ensure_min_samples": min_samples,
    }
    if _rank(X) <= 2:
        checked: Any = validate_data(estimator, X, y, **checks, **y_checks)
        return checked
    X, y = check_X_y(X, y, allow_nd=True, estimator=estimator, **checks, **y_checks)
    estimator.n_features_in_ = math.prod(X.shape[1:])
    if hasattr(estimator, "feature_names_in_"):
        del estimator.feature_names_in_  # of an earlier fit on a table
    return X, y


def predict_samples(estimator: Any, X: Any, sample_shape: tuple[int, ...]) -> np.ndarray:
    """Return X checked against the shape of one training sample."""
    if len(sample_shape) == 1 and _rank(X) <= 2:
        checked: Any = validate_data(estimator, X, reset=False, dtype=_DTYPES, order="C")
        return checked
    X = check_array(X, allow_nd=True, dtype=_DTYPES, order="C", estimator=estimator)
    if X.shape[1:] != sample_shape:
        raise InputError(
            f"X has samples of shape {X.shape[1:]}; {type(estimator).__name__} was fitted on "
            f"samples of shape {sample_shape}"
        )
    return X


def require_square(X: np.ndarray) -> None:
    """Refuse a precomputed training matrix that is not square."""
    if X.ndim != 2 or X.shape[0] != X.shape[1]:
        raise InputError(
            f'kernel="precomputed" needs K(X, X), a square matrix; X has shape {X.shape}'
        )


def _rank(X: Any) -> int:
    if hasattr(X, "ndim"):
        return int(X.ndim)
    try:
        return np.asarray(X).ndim
    except ValueError:  # rows of unequal length; check_array words that error
        return 2
