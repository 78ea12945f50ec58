"""What feature maps share: samples checked as the estimators do, features made block by block."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Self

import numpy as np
from array_api_compat import array_namespace
from sklearn.base import BaseEstimator, ClassNamePrefixFeaturesOutMixin, TransformerMixin
from sklearn.utils import Tags, check_random_state
from sklearn.utils.validation import check_is_fitted

from ...checks import whole, within_memory
from ...errors import InputError
from ..attempt import whole_or_not_at_all
from ..parameters import KernelParameters
from ..samples import fit_inputs, predict_samples

if TYPE_CHECKING:
    from ...typing import ArrayLike

# Features held beside the result while a block of rows is on its way: this many numbers.
_BLOCK = 2**22
_FEWEST_ROWS = 128


class FeatureMap(
    KernelParameters, ClassNamePrefixFeaturesOutMixin, TransformerMixin, BaseEstimator
):
    """A transformer Φ with ⟨Φ(x), Φ(y)⟩ ≈ K(x, y), fitted to samples without targets."""

    n_features_in_: int

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        assert tags.transformer_tags is not None
        tags.transformer_tags.preserves_dtype = ["float64", "float32"]
        return tags

    @whole_or_not_at_all
    def fit(self, X: ArrayLike, y: Any = None) -> Self:
        """Fit to X, (n, d) or (n, *space, channels); y is ignored. Returns self."""
        samples = fit_inputs(self, X)
        with np.errstate(over="ignore", invalid="ignore"):  # reported in words
            self._fit(samples)
        return self

    @within_memory()
    def transform(self, X: ArrayLike) -> np.ndarray:
        """Return the features of X, (m, n_features_out), in the dtype of X, float32 or float64."""
        check_is_fitted(self)
        samples = self._samples(X)
        with np.errstate(over="ignore", invalid="ignore"):  # reported just below, in words
            features = self._features(samples)
        return finite(features)

    def _samples(self, X: Any) -> Any:
        return predict_samples(self, X, self._sample_shape)

    def _features(self, samples: Any) -> Any:
        dtype = getattr(samples, "X", samples).dtype  # of graphs, that of their values
        features = np.empty((len(samples), self._n_features_out), dtype=dtype)
        for rows in blocks(len(samples), self._work_per_row):
            features[rows] = self._map(samples[rows])
        return features

    @property
    def _sample_shape(self) -> tuple[int, ...]:
        raise NotImplementedError

    @property
    def _n_features_out(self) -> int:
        raise NotImplementedError

    @property
    def _work_per_row(self) -> int:
        """Numbers that one row takes while it is transformed."""
        return self._n_features_out

    def _fit(self, X: np.ndarray) -> None:
        raise NotImplementedError

    def _map(self, X: np.ndarray) -> np.ndarray:
        raise NotImplementedError


def finite(features: Any) -> Any:
    """Features, or an `InputError` where one is not finite."""
    if not array_namespace(features).isfinite(features).all():
        dtype = str(features.dtype).removeprefix("torch.")
        raise InputError(
            f"the features overflowed {dtype}; scale the inputs down, or pass float64 inputs"
        )
    return features


def blocks(rows: int, work: int) -> list[slice]:
    """Slices that cover `rows` rows, short enough for `work` numbers on each row."""
    step = max(_BLOCK // max(work, 1), _FEWEST_ROWS)
    return [slice(start, min(start + step, rows)) for start in range(0, rows, step)]


def at_least_one(value: Any, name: str) -> int:
    """A parameter that counts something."""
    return whole(value, name, 1)


def generator(random_state: Any) -> np.random.Generator:
    """A generator from scikit-learn's `random_state`: None, a number, or a generator itself."""
    if isinstance(random_state, np.random.Generator):
        return random_state
    if not (random_state is None or isinstance(random_state, np.random.RandomState)):
        random_state = whole(random_state, "random_state", 0, 2**32 - 1)
    words = check_random_state(random_state).randint(0, 2**32, size=4, dtype=np.uint32)
    return np.random.default_rng(words)
