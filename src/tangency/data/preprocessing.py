"""Transformers for vectors and images, fitted on the training part only.

They follow scikit-learn: `fit` learns from the training part, `transform` applies what was learnt
to any part, and they work as steps of a `Pipeline`. Arrays are (n, d) or (n, *space, channels), in
and out; float32 stays float32, everything else becomes float64.
"""

from __future__ import annotations

import math
from typing import Any, ClassVar, Literal, Self

import numpy as np
from sklearn.base import BaseEstimator, OneToOneFeatureMixin, TransformerMixin
from sklearn.exceptions import NotFittedError
from sklearn.preprocessing import StandardScaler
from sklearn.utils.metaestimators import available_if
from sklearn.utils.validation import (
    _check_feature_names,  # pyright: ignore[reportPrivateUsage]
    check_is_fitted,
)

from ..checks import cut, flag, real, shown, within_memory
from ..norms import binary_scale, norm
from .dataset import check_finite, shape_text
from .errors import DataError
from .given import given_numbers

_LEAST = {np.dtype(np.float32): 1e-12, np.dtype(np.float64): 1e-120}


def _are_names(given: Any) -> bool:
    if isinstance(given, str) or getattr(given, "ndim", 1) != 1 or not hasattr(given, "__len__"):
        return False
    return all(isinstance(name, str) for name in given)


def _gives_columns(estimator: Any) -> bool:
    """Whether examples are rows of a table: without names for images, these stay arrays."""
    return len(getattr(estimator, "input_shape_", (0,))) == 1


class _Preprocessing(OneToOneFeatureMixin, TransformerMixin, BaseEstimator):
    """What the three have in common: checked input and the shape seen at `fit`."""

    #: The fitted attributes, all arrays: what a saved model has to store.
    fitted: ClassVar[tuple[str, ...]] = ("input_shape_",)

    input_shape_: np.ndarray

    @property
    def n_features_in_(self) -> int:
        """How many numbers an example has, after `fit`."""
        return math.prod(int(size) for size in self.input_shape_)

    @available_if(_gives_columns)
    def get_feature_names_out(self, input_features: Any = None) -> np.ndarray:
        """The names of the columns, (d,): those of the table of the fit, else x0, x1, ….

        Raises:
            DataError: `input_features` that are not the names of the columns of the fit.
        """
        if input_features is not None and not _are_names(input_features):
            raise DataError(
                "input_features must be a list of the names of the columns, strings; got "
                f"{shown(input_features)}"
            )
        try:
            return np.asarray(super().get_feature_names_out(input_features))
        except NotFittedError:
            raise
        except ValueError as error:
            raise DataError(f"{error}; leave input_features out") from None

    def check_parameters(self) -> None:
        """Raise `DataError` for parameters that `fit` would not take."""

    def check_fitted(self) -> None:
        """Raise `DataError` for fitted attributes, read from a file, that no fit gives."""
        shape = self.input_shape_
        if shape.ndim != 1 or shape.dtype.kind not in "iu" or not 1 <= len(shape) <= 4:
            raise DataError("input_shape_ is no shape")
        if not (shape > 0).all():
            raise DataError("input_shape_ is not above 0")
        shapes = self._fitted_shapes(tuple(int(size) for size in shape))
        for name, expected in shapes.items():
            found = getattr(self, name)
            if found.dtype != np.float64 or found.shape != expected:
                raise DataError(f"{name} is {found.dtype} of shape {found.shape}")
            if not np.isfinite(found).all():
                raise DataError(f"{name} is not finite")

    def _fitted_shapes(self, shape: tuple[int, ...]) -> dict[str, tuple[int, ...]]:
        """The shapes of fitted attributes, for examples of this shape."""
        return {}

    def _begin_fit(self, X: np.ndarray) -> np.ndarray:
        given, X = X, _checked(X, type(self).__name__)
        self._note_names(given)
        self.input_shape_ = np.array(X.shape[1:])
        return X

    def _note_names(self, X: object) -> None:
        """Note the columns of a table; names that repeat, or are no texts, say nothing."""
        try:
            _check_feature_names(self, X, reset=True)
        except (TypeError, ValueError):
            vars(self).pop("feature_names_in_", None)

    def _check_names(self, X: object) -> None:
        """As scikit-learn does: a table has the columns of the fit, in their order."""
        if not hasattr(self, "feature_names_in_"):
            return
        try:
            _check_feature_names(self, X, reset=False)
        except (TypeError, ValueError) as error:
            raise DataError(f"{type(self).__name__}: {cut(str(error).strip(), 400)}") from None

    def _begin_transform(self, X: np.ndarray) -> np.ndarray:
        check_is_fitted(self, "input_shape_")
        given, X = X, _checked(X, type(self).__name__)
        expected = tuple(int(size) for size in self.input_shape_)
        if X.shape[1:] != expected:
            raise DataError(
                f"{type(self).__name__} was fitted on examples of shape {shape_text(expected)}, "
                f"got {shape_text(X.shape[1:])}"
            )
        self._check_names(given)
        return X


class Standardize(_Preprocessing):
    """Subtract the training part's mean and divide by its standard deviation.

    Args:
        per: "feature" treats every value of an example on its own, "channel" all positions of a
            channel together; "auto" is per channel for images and per feature for vectors.

    A feature that never changes is only centred. Computed by scikit-learn's `StandardScaler`.

    >>> Standardize().fit_transform(np.array([[1.0, 5.0], [3.0, 5.0]])).tolist()
    [[-1.0, 0.0], [1.0, 0.0]]
    """

    fitted = ("input_shape_", "mean_", "scale_")

    def __init__(self, per: Literal["auto", "feature", "channel"] = "auto") -> None:
        self.per = per

    def check_parameters(self) -> None:
        """Raise `DataError` for parameters that `fit` would not take."""
        if not isinstance(self.per, str) or self.per not in ("auto", "feature", "channel"):
            raise DataError(f"per must be 'auto', 'feature' or 'channel', got {shown(self.per)}")

    def check_fitted(self) -> None:
        """Raise `DataError` for fitted attributes, read from a file, that no fit gives."""
        super().check_fitted()
        if self.scale_.min() <= 0:
            raise DataError("scale_ is not above 0")

    def _fitted_shapes(self, shape: tuple[int, ...]) -> dict[str, tuple[int, ...]]:
        own = shape if self.per == "feature" else shape[-1:]
        return {"mean_": own, "scale_": own}

    def fit(self, X: np.ndarray, y: object = None) -> Self:
        """Learn mean_ and scale_, both of shape (d,), (*space, channels) or (channels,)."""
        self.check_parameters()
        X = self._begin_fit(X)
        shape = X.shape[-1:] if self.per != "feature" else X.shape[1:]
        flat = X.reshape(-1, int(np.prod(shape)))
        unit = _unit(flat, axis=0)
        scaler = StandardScaler().fit(flat / unit if (unit != 1).any() else flat)
        unit = unit.ravel().astype(float)
        self.mean_ = np.reshape(scaler.mean_ * unit, shape)
        self.scale_ = np.reshape(scaler.scale_ * unit, shape)
        return self

    def transform(self, X: np.ndarray) -> np.ndarray:
        """(X - mean_) / scale_, same shape as X."""
        X = self._begin_transform(X)
        return (X - self.mean_.astype(X.dtype)) / self.scale_.astype(X.dtype)


class NormalizeImages(_Preprocessing):
    """Centre every image on its own mean and scale it to unit size, image by image.

    Args:
        center: whether to subtract the image's mean over all positions and channels.
        size: "norm" makes its Euclidean norm 1, "std" the standard deviation of its values; None
            leaves its size alone.

    An image that is constant becomes zero when centred. Nothing is learnt from the training part.

    >>> NormalizeImages().fit_transform(np.array([[3.0, 1.0], [2.0, 2.0]])).round(3).tolist()
    [[0.707, -0.707], [0.0, 0.0]]
    """

    def __init__(self, center: bool = True, size: Literal["norm", "std"] | None = "norm") -> None:
        self.center = center
        self.size = size

    def check_parameters(self) -> None:
        """Raise `DataError` for parameters that `fit` would not take."""
        flag(self.center, "center", error=DataError)
        known = self.size is None or (isinstance(self.size, str) and self.size in ("norm", "std"))
        if not known:
            raise DataError(f"size must be 'norm', 'std' or None, got {shown(self.size)}")

    def fit(self, X: np.ndarray, y: object = None) -> Self:
        """Note the shape of an example."""
        self.check_parameters()
        self._begin_fit(X)
        return self

    def transform(self, X: np.ndarray) -> np.ndarray:
        """The images, centred and scaled one by one, same shape as X."""
        X = self._begin_transform(X)
        flat = X.reshape(len(X), -1)
        unit = binary_scale(flat, axis=1)
        flat = flat / unit  # sums and norms of the largest floats have no place in their type
        mean = flat.mean(axis=1, keepdims=True)
        size = norm(flat - mean if self.center else flat, axis=1)
        if self.center:
            # A constant image leaves only rounding behind, which must not be blown up to norm 1.
            rounding = np.finfo(X.dtype).eps * norm(flat, axis=1)
            flat = np.where(size > 4 * rounding, flat - mean, 0)
        if self.size is None:
            flat = flat * unit
        else:
            wanted = 1.0 if self.size == "norm" else np.sqrt(X.dtype.type(flat.shape[1]))
            flat = flat * wanted / np.where(size > 0, size, 1)
        return flat.reshape(X.shape)


class ZCA(_Preprocessing):
    """Whiten with the symmetric square root of the training part's covariance.

    W = U (D + r mean(D))^(-1/2) U' with covariance U D U' and r = `regularization`, so that r does
    not depend on the scale of the data; y = (x - mean) W. With fewer examples than values the
    covariance has zero eigenvalues, and r must be positive. One value and its covariance entry for
    every pixel and channel: (d,) and (d, d) for d = height * width * channels.
    Source: Krizhevsky, *Learning multiple layers of features from tiny images*, 2009, appendix A.

    >>> X = np.random.default_rng(0).normal(size=(50, 3)) @ np.diag([1.0, 5.0, 9.0])
    >>> np.allclose(np.cov(ZCA(regularization=0).fit_transform(X).T, bias=True), np.eye(3))
    True
    """

    fitted = ("input_shape_", "mean_", "whitening_")

    def __init__(self, regularization: float = 0.1) -> None:
        self.regularization = regularization

    def check_parameters(self) -> None:
        """Raise `DataError` for parameters that `fit` would not take."""
        self._regularization()

    def _regularization(self) -> float:
        found = real(self.regularization)
        if found is None or not 0 <= found < np.inf:
            raise DataError(f"regularization must be 0 or more, got {shown(self.regularization)}")
        return found

    def _fitted_shapes(self, shape: tuple[int, ...]) -> dict[str, tuple[int, ...]]:
        size = math.prod(shape)
        return {"mean_": (size,), "whitening_": (size, size)}

    def fit(self, X: np.ndarray, y: object = None) -> Self:
        """Learn mean_ (d,) and whitening_ (d, d); raises `DataError` for a singular covariance."""
        regularization = self._regularization()
        X = self._begin_fit(X)
        flat = X.reshape(len(X), -1).astype(float)
        unit = float(_unit(flat))
        flat = flat / unit
        self.mean_ = flat.mean(axis=0) * unit
        values, vectors = np.linalg.eigh(
            np.cov(flat, rowvar=False, bias=True).reshape(flat.shape[1], flat.shape[1])
        )
        if values.mean() <= 0:
            raise DataError("ZCA: every example is the same, so there is nothing to whiten")
        values = np.maximum(values, 0) + regularization * values.mean()
        if values.min() <= len(values) * np.finfo(float).eps * values.max():
            raise DataError(
                f"ZCA: the covariance of {len(flat):,} examples with {flat.shape[1]:,} values is "
                f"singular at regularization {regularization:g}; choose a larger one, say 0.1"
            )
        self.whitening_ = (vectors / np.sqrt(values)) @ vectors.T / unit
        return self

    def transform(self, X: np.ndarray) -> np.ndarray:
        """(X - mean_) whitening_ for every example, same shape as X."""
        X = self._begin_transform(X)
        centred = X.reshape(len(X), -1) - self.mean_.astype(X.dtype)
        return (centred @ self.whitening_.astype(X.dtype)).reshape(X.shape)


def _unit(X: np.ndarray, axis: int | None = None) -> np.ndarray:
    """1, or where squares would leave the range of X's type, a power of two like its largest."""
    unit, least = binary_scale(X, axis), _LEAST[X.dtype]
    return np.where((unit > least) & (unit < 1 / least), 1, unit)


@within_memory()
def _checked(X: np.ndarray, where: str) -> np.ndarray:
    array = given_numbers(X, where)
    if array.ndim < 2 or array.size == 0:
        raise DataError(
            f"{where}: expected numbers of shape (n, d) or (n, *space, channels), got "
            f"{array.dtype} of shape {array.shape}"
        )
    array = array if array.dtype == np.float32 else array.astype(float)
    check_finite(array, where)
    return array
