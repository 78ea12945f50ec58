"""`calibration`: whether models are right to be as sure as they say, on samples that are new."""

from __future__ import annotations

import inspect
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from sklearn.base import is_classifier
from sklearn.pipeline import Pipeline

from ...checks import is_number, items, number, plain_array, shown, text, whole
from ...errors import InputError
from ...kernels.plain import plain
from ..plain import plain_targets, regression_targets
from .results import ClassCalibration, ClassScores, IntervalScores, RegressionCalibration
from .scores import binned, crps, half_widths, log_loss

if TYPE_CHECKING:
    from ...typing import ArrayLike

Matrix = NDArray[np.float64]

LEVELS = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95)


def calibration(
    models: Any,
    X: ArrayLike | None,
    y: ArrayLike,
    *,
    levels: Sequence[float] = LEVELS,
    bins: int = 10,
) -> RegressionCalibration | ClassCalibration:
    """Score the uncertainty of one or several models on samples that they were not fitted to.

    Args:
        models: a fitted estimator, or a mapping from names to estimators. For regression a
            `GaussianProcess` (its density of y: the noise is included, except for an ensemble,
            which has none), a `KernelRegressor` (the intervals of `predict_interval`, without a
            density), a pipeline that ends with one, or any other whose `predict` takes
            `return_std`. For classification any with `predict_proba`. Predictions that are made
            already serve too: a pair (mean, std) of (m,) each, or probabilities (m, k).
        X: samples (m, ...), or None where all predictions are made already.
        y: their targets (m,), or labels; for probabilities that are given, the numbers of columns.
        levels: of the intervals of regression, between 0 and 1.
        bins: of equal counts, for the calibration error of classification.

    The result has `scores` by name, `table()`, `plot()`, `reading` and `summary`. For regression
    they are NLL and CRPS of the normal law, coverage and mean width of central intervals; for
    classification NLL, Brier score and the expected calibration error (ECE) of the most probable
    class, with what it would be by chance alone.

    Raises:
        InputError: models of both kinds, several outputs, samples that do not match.

    Sources: Gneiting & Raftery 2007, "Strictly proper scoring rules"; Guo et al. 2017, "On
    calibration of modern neural networks".

    >>> import numpy as np
    >>> random = np.random.default_rng(0)
    >>> mean = random.standard_normal(2000)
    >>> y = mean + 0.5 * random.standard_normal(2000)
    >>> found = calibration({"right": (mean, 0.5), "too sure": (mean, 0.2)}, None, y)
    >>> {name: float(s.coverage[8].round(1)) for name, s in found.scores.items()}  # at 0.9
    {'right': 0.9, 'too sure': 0.5}
    """
    named = _named(models)
    asked = np.array(sorted({number(v, "levels", above=0) for v in items(levels, "levels")}))
    if asked.size == 0 or asked[-1] >= 1:
        raise InputError(f"levels must be numbers between 0 and 1, got {shown(levels)}")
    bins = whole(bins, "bins", 1, 10_000)
    truth = np.asarray(plain_targets(y))
    if truth.ndim != 1 or len(truth) == 0:
        raise InputError(
            f"y must be (m,), of at least one sample, got shape {truth.shape}; score several "
            "outputs one by one"
        )
    kinds = {name: _classifies(model) for name, model in named.items()}
    if len(set(kinds.values())) > 1:
        raise InputError(
            f"{_list(n for n in kinds if kinds[n])} give classes, and "
            f"{_list(n for n in kinds if not kinds[n])} do not; compare models of one kind"
        )
    if X is None and (fitted := [n for n, model in named.items() if not _is_made(model)]):
        raise InputError(f"X is None, but {_list(fitted)} must predict; give the samples of y")
    if all(kinds.values()):
        classes = {n: _class_scores(n, model, X, truth, bins) for n, model in named.items()}
        return ClassCalibration(classes, len(truth))
    targets = regression_targets(truth).astype(np.float64)
    if not np.isfinite(targets).all():
        raise InputError("y has NaN or infinite values; drop these samples")
    scores = {n: _interval_scores(n, model, X, targets, asked) for n, model in named.items()}
    return RegressionCalibration(asked, scores, len(targets))


def _named(models: Any) -> dict[str, Any]:
    if not isinstance(models, Mapping):
        models = {type(models).__name__ if hasattr(models, "predict") else "model": models}
    if not models:
        raise InputError("models is empty; give a fitted estimator, or names of several")
    return {
        text(name, "a name in models"): getattr(model, "best_estimator_", model)  # of a search
        for name, model in models.items()
    }


def _list(names: Any) -> str:
    return ", ".join(sorted(names))


def _is_made(model: Any) -> bool:
    return not hasattr(model, "predict")


def _classifies(model: Any) -> bool:
    """Whether a model gives probabilities of classes."""
    if _is_made(model):
        return not (isinstance(model, tuple | list) and len(model) == 2)
    try:
        return is_classifier(model)
    except (AttributeError, TypeError):  # none of scikit-learn's
        return hasattr(model, "predict_proba")


def _last(model: Any) -> Any:
    return model.steps[-1][1] if isinstance(model, Pipeline) else model


def _interval_scores(name: str, model: Any, X: Any, y: Matrix, levels: Matrix) -> IntervalScores:
    if hasattr(_last(model), "predict_interval"):
        mean, ends = _one_output(name, model.predict(X), len(y)), _intervals(model, X, levels)
        loss = score = np.full(len(y), np.nan)
    else:
        mean, std = _density(name, model, X, len(y))
        ends = [mean + sign * np.multiply.outer(half_widths(levels), std) for sign in (-1, 1)]
        loss, score = log_loss(y, mean, std), crps(y, mean, std)
    lower, upper = ends
    coverage = np.mean((lower <= y) & (y <= upper), axis=1)
    return IntervalScores(
        float(np.sqrt(np.mean(np.square(y - mean)))),
        *_mean(loss),
        *_mean(score),
        coverage,
        np.mean(upper - lower, axis=1),
        float(np.mean(np.abs(coverage - levels))),
    )


def _mean(values: Matrix) -> tuple[float, float]:
    """The mean over samples, and its standard error."""
    m = len(values)
    error = float(np.std(values, ddof=1)) / m**0.5 if m > 1 else float("nan")
    return float(np.mean(values)), error


def _intervals(model: Any, X: Any, levels: Matrix) -> Any:
    samples = model[:-1].transform(X) if isinstance(model, Pipeline) else X
    return _last(model).predict_interval(samples, coverage=levels.tolist())


def _density(name: str, model: Any, X: Any, m: int) -> tuple[Matrix, Matrix]:
    """Mean and standard deviation of the density of y, (m,) each."""
    if _is_made(model):
        mean, std = (np.asarray(plain_array(plain(v, name), name)) for v in model)
        if is_number(model[1]):
            std = np.full(m, float(model[1]))
    else:
        last = _last(model)
        if "return_std" not in inspect.signature(last.predict).parameters:
            raise InputError(
                f"{name} is {shown(last)}, which gives no uncertainty: expected a GaussianProcess, "
                "a KernelRegressor, any model whose predict takes return_std, or a pair (mean, std)"
            )
        mean, std = model.predict(X, return_std=True)
        std = np.sqrt(np.square(std) + _noise(last))
    mean, std = _one_output(name, mean, m), _one_output(name, std, m)
    if not (np.isfinite(mean).all() and np.isfinite(std).all() and np.all(std > 0)):
        raise InputError(
            f"{name} predicts means that are not finite, or standard deviations that are not above "
            "zero; a noise above zero has none of these"
        )
    return mean, std


def _noise(model: Any) -> Any:
    """The variance of the noise that a `GaussianProcess` leaves out of its deviations."""
    if getattr(model, "inference", None) != "posterior":
        return 0.0
    return np.square(model.amplitude_) * model.noise_


def _one_output(name: str, values: Any, m: int) -> Matrix:
    found = np.asarray(values)
    if found.shape != (m,) or found.dtype.kind not in "iuf":
        raise InputError(
            f"{name} predicts {found.shape} of {found.dtype}, and y has {m} targets of one output: "
            "give real predictions for these samples, of one output"
        )
    return found.astype(np.float64)


def _class_scores(name: str, model: Any, X: Any, y: np.ndarray, bins: int) -> ClassScores:
    probabilities, logarithms, classes = _probabilities(name, model, X, len(y))
    codes = np.searchsorted(classes, y).clip(max=len(classes) - 1)
    unknown = classes[codes] != y
    if unknown.any():
        raise InputError(
            f"y holds {shown(y[np.argmax(unknown)].item())}, which is not one of the classes of "
            f"{name}, {shown(classes.tolist())}"
        )
    every = np.arange(len(y))
    distance = np.square(probabilities)
    distance[every, codes] = np.square(1 - probabilities[every, codes])
    right = probabilities.argmax(axis=1) == codes
    found = binned(probabilities.max(axis=1), right.astype(np.float64), bins)
    with np.errstate(invalid="ignore"):  # a class that was ruled out costs infinitely much
        nll = _mean(-logarithms[every, codes])
    return ClassScores(float(right.mean()), *nll, *_mean(distance.sum(axis=1)), found)


def _probabilities(name: str, model: Any, X: Any, m: int) -> tuple[Matrix, Matrix, np.ndarray]:
    """Probabilities (m, k), their logarithms, and the labels (k,) in ascending order."""
    if _is_made(model):
        found = np.asarray(plain_array(plain(model, name), name))
        if found.ndim == 2:
            classes = np.arange(found.shape[1])
        else:
            raise InputError(
                f"{name} must be a fitted estimator, a pair (mean, std), or probabilities (m, k); "
                f"got {shown(model)}"
            )
    else:
        found, classes = model.predict_proba(X), model.classes_
    if found.shape != (m, len(classes)) or found.dtype.kind not in "iuf":
        raise InputError(
            f"{name} gives {found.shape} probabilities of {found.dtype}, and y has {m} samples; "
            "give those of the same samples"
        )
    found = found.astype(np.float64)
    if not (found.min() >= 0 and np.allclose(found.sum(axis=1), 1.0, atol=1e-4)):
        raise InputError(f"{name} gives rows that are not probabilities: each must add up to 1")
    if not _is_made(model) and hasattr(model, "predict_log_proba"):
        return found, np.asarray(model.predict_log_proba(X)), np.asarray(classes)
    with np.errstate(divide="ignore"):
        return found, np.log(found), np.asarray(classes)
