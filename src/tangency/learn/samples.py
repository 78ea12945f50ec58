"""Samples as scikit-learn passes them: 2-d rows, or n-d arrays of signals with channels last."""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, NoReturn

import numpy as np
from sklearn.utils.validation import check_array, check_X_y, validate_data

from ..checks import cut, within_memory
from ..errors import InputError
from ..kernels import Kernel
from ..kernels.packing import Structured
from ..kernels.plain import plain
from ..matrix.checked import is_precomputed
from ..matrix.sources import Rows, is_in_a_file
from ..matrix.view import is_stored
from .grams import resolve_kernel
from .plain import plain_targets

# the kernel follows this dtype; integers (images as bytes) become float64
_DTYPES: Any = (np.float64, np.float32)
_LONGEST = 400


class SampleTypeError(InputError, TypeError):
    """Samples or targets of a type that is not numbers, which scikit-learn calls a `TypeError`."""


@contextmanager
def in_a_few_lines() -> Iterator[None]:
    """What scikit-learn refuses as an `InputError`, without the whole of the data it shows."""
    try:
        # sums of samples, which scikit-learn looks at, may overflow
        with within_memory(), np.errstate(over="ignore", invalid="ignore"):
            yield
    except InputError:
        raise
    except (TypeError, ValueError, RuntimeError, OverflowError, IndexError) as error:
        kind = SampleTypeError if isinstance(error, TypeError) else InputError
        raise kind(cut(str(error), _LONGEST)) from None


@in_a_few_lines()
def fit_samples(
    estimator: Any, X: Any, y: Any, *, min_samples: int, **y_checks: Any
) -> tuple[np.ndarray, np.ndarray]:
    """Return checked X, (n, d) or (n, *space, channels), and y; set `n_features_in_`.

    X is a copy where a model keeps it. For signals `n_features_in_` is the number of values in one
    of them. `y_checks` go to scikit-learn's `check_X_y` (`multi_output`, `y_numeric`).
    """
    precomputed = is_precomputed(estimator.kernel)
    if is_stored(X):
        if not precomputed:
            _refuse_stored(estimator, X)
        _refuse_features(X)
        estimator.n_features_in_ = X.shape[1]
        rows: Any = X  # stands for them in all that follows
        return rows, _stored_targets(estimator, X, plain_targets(y), **y_checks)
    if is_in_a_file(X) and getattr(estimator, "streams", False):
        streamed: Any = _streamed(estimator, X)
        return streamed, _stored_targets(estimator, streamed, plain_targets(y), **y_checks)
    if isinstance(X, Structured):
        structured: Any = _structured(estimator, X)
        return structured, _stored_targets(estimator, X, plain_targets(y), **y_checks)
    X, y = plain(X, "X"), plain_targets(y)
    checks: dict[str, Any] = {
        "dtype": _DTYPES,
        "order": "C",
        # what is mapped from a file may be larger than memory; a matrix is not kept, nor are
        # samples that become features, and solvers that overwrite one take a copy
        "copy": not (precomputed or _is_mapped(X) or getattr(estimator, "streams", False)),
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


@in_a_few_lines()
def fit_inputs(estimator: Any, X: Any) -> np.ndarray:
    """Return checked X, (n, d) or (n, *space, channels), not copied; set `n_features_in_`.

    For a fit without targets, which keeps none of X itself.
    """
    if is_stored(X):
        _refuse_stored(estimator, X)
    if isinstance(X, Rows) or (is_in_a_file(X) and getattr(estimator, "streams", False)):
        return _streamed(estimator, X)
    if isinstance(X, Structured) and getattr(estimator, "structured", False):
        structured: Any = _structured(estimator, X)
        return structured
    X = plain(X, "X")
    if _rank(X) <= 2:
        checked: Any = validate_data(estimator, X, dtype=_DTYPES, order="C")
        return checked
    X = check_array(X, allow_nd=True, dtype=_DTYPES, order="C", estimator=estimator)
    estimator.n_features_in_ = math.prod(X.shape[1:])
    if hasattr(estimator, "feature_names_in_"):
        del estimator.feature_names_in_  # of an earlier fit on a table
    return X


def _structured(estimator: Any, X: Structured) -> Structured:
    """Graphs, or inputs with masks, for a kernel that knows them; set `n_features_in_`."""
    kind = type(X).__name__
    if is_precomputed(estimator.kernel):
        raise InputError(f'X is {kind}, but kernel="precomputed" takes K(X), a square matrix')
    if getattr(estimator, "streams", False):
        raise InputError(
            f'X is {kind}, which solver="features" does not know; take "cholesky", "eigh", "cg" '
            'or "nystrom"'
        )
    if not isinstance(resolve_kernel(estimator.kernel), Kernel):
        raise InputError(f"X is {kind}, which only kernels of this library know, as in NTK(net)")
    estimator.n_features_in_ = X.X.shape[-1]
    if hasattr(estimator, "feature_names_in_"):
        del estimator.feature_names_in_  # of an earlier fit on a table
    return X


def _more_structured(estimator: Any, X: Any) -> Structured:
    """Such inputs to predict for, of the kind of those of the fit."""
    known: Any = _samples_of_fit(estimator)
    if type(X) is not type(known):
        raise InputError(
            f"X is {_kind(X)}; {type(estimator).__name__} was fitted on {_kind(known)}, and "
            "predicts for the same"
        )
    if X.X.shape[-1] != known.X.shape[-1]:
        raise InputError(
            f"X has {X.X.shape[-1]} channels; {type(estimator).__name__} was fitted on "
            f"{known.X.shape[-1]}"
        )
    return X


def _samples_of_fit(estimator: Any) -> Any:
    """What a fit keeps of its samples, all or some."""
    return getattr(estimator, "X_fit_", getattr(estimator, "components_", None))


def _kind(X: Any) -> str:
    return type(X).__name__ if isinstance(X, Structured) else "an array"


def _streamed(estimator: Any, X: Any) -> Any:
    """Samples in a file, read by blocks of rows and checked then; set `n_features_in_`."""
    rows = X if isinstance(X, Rows) else Rows(X)
    estimator.n_features_in_ = math.prod(rows.shape[1:])
    if hasattr(estimator, "feature_names_in_"):
        del estimator.feature_names_in_
    return rows


def _refuse_features(X: Any) -> None:
    """Refuse features, which look like a matrix K(X, Y)."""
    if X.kind == "features":
        raise InputError(
            f"X holds features in a store, {X.path}, and is no kernel matrix; a linear model takes "
            'them as X[:], or a part at a time; solver="features" takes the samples themselves, '
            "with store= that path"
        )


def _refuse_stored(estimator: Any, X: Any) -> NoReturn:
    _refuse_features(X)
    raise InputError(
        f'X is a kernel matrix in a store, {X.path}, which only kernel="precomputed" takes, of '
        "KernelRegressor, KernelClassifier and GaussianProcess; pass samples to this "
        f"{type(estimator).__name__}"
    )


def _stored_targets(estimator: Any, X: Any, y: Any, **y_checks: Any) -> Any:
    """Return y checked as `check_X_y` does, beside rows of a matrix that is not read for it."""
    rows = np.arange(float(len(X)))[:, None]
    return check_X_y(rows, y, estimator=estimator, **y_checks)[1]


@in_a_few_lines()
def predict_samples(estimator: Any, X: Any, sample_shape: tuple[int, ...]) -> Any:
    """Return X checked against the shape of one training sample."""
    if is_stored(X):
        _refuse_features(X)
        precomputed = getattr(estimator, "X_fit_", X) is None
        if X.shape[1:] != sample_shape or not precomputed:
            raise InputError(
                f"X is a stored kernel matrix of shape {X.shape}; {type(estimator).__name__} was "
                f"fitted on samples of shape {sample_shape}"
                + ("" if precomputed else ", not on a precomputed matrix")
            )
        return X
    if isinstance(X, Structured) or isinstance(_samples_of_fit(estimator), Structured):
        return _more_structured(estimator, X)
    if is_in_a_file(X) and getattr(estimator, "features_", None) is not None:
        X = Rows(X)
        _require_shape(estimator, X, sample_shape)
        return X
    X = plain(X, "X")
    if len(sample_shape) == 1 and _rank(X) <= 2:
        checked: Any = validate_data(estimator, X, reset=False, dtype=_DTYPES, order="C")
        return checked
    X = check_array(X, allow_nd=True, dtype=_DTYPES, order="C", estimator=estimator)
    _require_shape(estimator, X, sample_shape)
    return X


def _require_shape(estimator: Any, X: Any, sample_shape: tuple[int, ...]) -> None:
    if X.shape[1:] != sample_shape:
        raise InputError(
            f"X has samples of shape {X.shape[1:]}; {type(estimator).__name__} was fitted on "
            f"samples of shape {sample_shape}"
        )


def require_square(X: np.ndarray) -> None:
    """Refuse a precomputed training matrix that is not square."""
    if X.ndim != 2 or X.shape[0] != X.shape[1]:
        raise InputError(
            f'kernel="precomputed" needs K(X, X), a square matrix; X has shape {X.shape}'
        )


def _is_mapped(X: Any) -> bool:
    return isinstance(X, np.memmap)


def _rank(X: Any) -> int:
    if hasattr(X, "ndim"):
        return int(X.ndim)
    try:
        return np.asarray(X).ndim
    except ValueError:  # rows of unequal length; check_array words that error
        return 2
