"""Inputs with a scale for each feature, as a step in front of an estimator."""

from __future__ import annotations

from typing import Any, Self

import numpy as np
from sklearn.base import BaseEstimator, TransformerMixin

from ...errors import InputError
from ...kernels.plain import plain


def in_float64(X: Any) -> Any:
    """Arrays, tensors and tables with their numbers in float64; lists as they are."""
    for name, dtype in (("double", None), ("astype", np.float64), ("cast", float)):
        if hasattr(X, name):
            return getattr(X, name)(*([] if dtype is None else [dtype]))
    return X


class ScaledInputs(TransformerMixin, BaseEstimator):
    """Multiplies features, or the channels of signals, by numbers that are known.

    scales: (d,), one for each of the last axis.

    >>> ScaledInputs((2.0, 0.5)).fit([[1.0, 1.0]]).transform([[1.0, 4.0]])
    array([[2., 2.]])
    """

    def __init__(self, scales: Any) -> None:
        self.scales = scales

    def fit(self, X: Any, y: Any = None) -> Self:
        """Note how many features there are; nothing else is learned."""
        self.n_features_in_ = self._values(X).shape[-1]
        return self

    def transform(self, X: Any) -> Any:
        """X times the scales, (n, …, d)."""
        return self._values(X) * np.asarray(self.scales, np.float64)

    def _values(self, X: Any) -> Any:
        found = np.asarray(plain(X, "X"))
        count = np.size(self.scales)
        if found.ndim < 2 or found.shape[-1] != count:
            raise InputError(f"X has shape {found.shape}, but scales are for {count} features")
        return found
