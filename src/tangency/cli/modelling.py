"""Models of the command line: a fitted estimator with the preprocessing that goes before it."""

from __future__ import annotations

import csv
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ..data import (
    ZCA,
    DataError,
    Dataset,
    NormalizeImages,
    Standardize,
    load,
)
from ..data.dataset import shape_text
from ..data.saving import Step, add_preprocessing, read_preprocessing
from ..data.tables import column_count, is_table
from ..kernels import NNGP, NTK
from ..learn import KernelClassifier, KernelRegressor, LayerwiseFeatures
from ..learn.persist import read_model

_KERNELS = {"ntk": NTK, "nngp": NNGP}
_NOTES = ("reading", "input_shape", "largest", "class_names", "feature_names")
_READING = ("label_column", "header", "input_shape", "channels", "scale", "dtype")


@dataclass(frozen=True, eq=False)
class Fitted:
    """An estimator, the steps before it, and what was noted about its training part."""

    estimator: Any
    steps: Sequence[Step]
    input_shape: tuple[int, ...]
    largest: float
    class_names: tuple[str, ...] | None = None
    feature_names: tuple[str, ...] | None = None

    def predict(self, X: np.ndarray) -> np.ndarray:
        """Preprocess X as in the fit, then predict."""
        return self.estimator.predict(self._preprocessed(X))

    def predict_proba(self, X: np.ndarray) -> np.ndarray:
        """Preprocess X as in the fit, then predict probabilities of classes, (m, n_classes)."""
        return self.estimator.predict_proba(self._preprocessed(X))

    def _preprocessed(self, X: np.ndarray) -> np.ndarray:
        for step in self.steps:
            X = step.transform(X)
        return X


def preprocessing(normalize: bool, standardize: bool, zca: float | None) -> list[Step]:
    """The steps that were asked for, not yet fitted, in the order in which they are applied."""
    steps: list[Step] = []
    if normalize:
        steps.append(NormalizeImages())
    if standardize:
        steps.append(Standardize())
    if zca is not None:
        steps.append(ZCA(zca))
    return steps


def fit_model(
    dataset: Dataset,
    net: str,
    kernel: str,
    options: dict[str, Any],
    steps: list[Step],
    means: dict[str, Any],
) -> Fitted:
    """Fit the steps and then the estimator on the training part.

    options: of the estimator. means: how kernels are computed, any of `max_memory`, `n_jobs` and
    `progress`.
    """
    X = dataset.X_train
    largest = float(np.abs(X).max())
    for step in steps:
        X = step.fit_transform(X)
    function = _KERNELS[kernel](net, **means)
    kind = KernelClassifier if dataset.task == "classification" else KernelRegressor
    estimator = kind(function, **options).fit(X, np.asarray(dataset.y_train))
    return Fitted(
        estimator, steps, dataset.input_shape, largest, dataset.class_names, dataset.feature_names
    )


def report_lines(fitted: Fitted, dataset: Dataset) -> list[str]:
    """What a person wants to know after a fit."""
    model = fitted.estimator
    task = "classes" if isinstance(model, KernelClassifier) else "targets"
    kernel = f"{type(model.kernel).__name__} of {model.kernel.net}"
    lines = [f"fitted to {task}: {kernel}", f"alpha {model.alpha_:.3g}"]
    lines.append(f"RKHS norm {model.rkhs_norm_:.4g}")
    if model.n_products_ is not None:
        lines.append(
            f"conjugate gradients: {model.n_products_} products with the kernel matrix, errors of "
            f"predictions below {model.tolerance_:.1g} of the targets' spread"
        )
    if model.features_ is not None:
        found = model.features_
        lines.append(
            f"{found.size:,} features; relative error of the kernel {found.error_:.2%}, of the "
            f"centred one {found.centred_error_:.2%}"
        )
    if model.loo_score_ is not None:
        lines.append(f"leave-one-out {_score_name(model)} {model.loo_score_:.4f}")
    if dataset.X_test is not None and dataset.y_test is not None:
        lines += score_lines(fitted, fitted.predict(dataset.X_test), dataset.y_test, "test part")
    return lines


def _score_name(model: Any) -> str:
    return "accuracy" if isinstance(model, KernelClassifier) else "R²"


def score_lines(fitted: Fitted, predicted: np.ndarray, y: np.ndarray, where: str) -> list[str]:
    """The accuracy, or R² and the root of the mean squared error."""
    if isinstance(fitted.estimator, KernelClassifier):
        if not np.isin(y, fitted.estimator.classes_).any():
            return [f"{where}: none of its labels is a class of the model, so there is no accuracy"]
        right = int(np.sum(predicted == y))
        return [f"{where}: accuracy {right / len(y):.4f} ({right:,} of {len(y):,})"]
    if y.dtype.kind not in "biuf":
        return [f"{where}: its labels are no numbers, so there is no R²"]
    if predicted.shape != y.shape:
        return [
            f"{where}: its labels have the shape {y.shape}, the predictions {predicted.shape}, so "
            "there is no R²"
        ]
    from sklearn.metrics import r2_score

    error = float(np.sqrt(np.mean(np.square(predicted - y))))
    if len(y) < 2:
        return [f"{where}: root mean squared error {error:.4g}"]
    return [f"{where}: R² {r2_score(y, predicted):.4f}, root mean squared error {error:.4g}"]


def save(fitted: Fitted, dataset: Dataset, reading: dict[str, Any], path: Path) -> None:
    """Write estimator, preprocessing and reading options into one .npz file."""
    fitted.estimator.save(path)
    notes = {
        "reading": reading,
        "data": dataset.name,
        "input_shape": list(fitted.input_shape),
        "largest": fitted.largest,
        "class_names": fitted.class_names,
        "feature_names": fitted.feature_names,
    }
    add_preprocessing(path, fitted.steps, notes)


def open_model(path: Path) -> tuple[Fitted, dict[str, Any]]:
    """A model and the options with which its data were read.

    Models saved from Python have neither preprocessing nor options: data are then taken as `load`
    gives them, and a warning says so.
    """
    estimator = read_model(path)[0]
    if isinstance(estimator, LayerwiseFeatures):
        raise DataError(f"{path}: is a feature map, which predicts nothing; give a fitted model")
    if estimator.X_fit_ is None and estimator.features_ is None:
        raise DataError(f"{path}: was fitted on a precomputed kernel, so it needs no DATA to read")
    found = read_preprocessing(path)
    if found is None:
        warnings.warn(
            f"{path} was not written by tangency fit: it holds no preprocessing, so the data are "
            "used as they are read",
            UserWarning,
            stacklevel=2,
        )
        if estimator.features_ is not None:
            shape, dtype, largest = estimator.features_.sample_shape, estimator.features_.dtype, 0.0
        else:
            X: Any = estimator.X_fit_
            shape, dtype, largest = X.shape[1:], X.dtype, float(np.abs(X).max())
        reading = {"dtype": "float32" if dtype == np.float32 else "float64"}
        return Fitted(estimator, [], shape, largest), reading
    steps, notes = found
    known = {**notes, **notes.get("reading", {})}
    if missing := [name for name in (*_NOTES, *_READING) if name not in known]:
        raise DataError(f"{path}: its preprocessing is damaged (no {missing[0]}); fit again")
    reading = {name: notes["reading"][name] for name in _READING}
    if reading["input_shape"] is not None:
        reading["input_shape"] = tuple(reading["input_shape"])
    names, features = notes["class_names"], notes["feature_names"]
    return (
        Fitted(
            estimator,
            steps,
            tuple(notes["input_shape"]),
            notes["largest"],
            None if names is None else tuple(names),
            None if features is None else tuple(features),
        ),
        reading,
    )


def read_for(
    fitted: Fitted, source: str, labels: Path | None, reading: dict[str, Any], fixed: bool
) -> Dataset:
    """Data for a model, read as its training part was; raises `DataError` where they do not fit.

    A table with as many columns as the model has features holds no labels, unless the label
    column is `fixed`.
    """
    if is_table(source) and Path(source).is_file() and not fixed:
        features, columns = int(np.prod(fitted.input_shape)), column_count(Path(source))
        if columns == features:
            reading = {**reading, "label_column": None}
        elif columns != features + 1:
            raise DataError(
                f"{source}: has {columns} columns; the model needs {features} features, with or "
                "without a label column"
            )
    dataset = load(source, labels, require_labels=False, **reading)
    if dataset.input_shape != fitted.input_shape:
        raise DataError(
            f"{dataset.name}: examples of shape {shape_text(dataset.input_shape)}, but the model "
            f"was fitted on {shape_text(fitted.input_shape)}"
        )
    _same_features(fitted, dataset)
    largest = float(np.abs(dataset.X_train).max())
    if fitted.largest > 0 and not fitted.largest / 20 < largest < 20 * fitted.largest:
        warnings.warn(
            f"the largest value in {dataset.name} is {largest:.3g}, in the training part it was "
            f"{fitted.largest:.3g}; if the two are on different scales, set --scale",
            UserWarning,
            stacklevel=2,
        )
    return dataset


def _same_features(fitted: Fitted, dataset: Dataset) -> None:
    if fitted.feature_names is None or dataset.feature_names is None:
        return
    for i, (old, new) in enumerate(zip(fitted.feature_names, dataset.feature_names, strict=True)):
        if old != new:
            raise DataError(
                f"{dataset.name}: feature {i} is {new!r}, but the model was fitted with {old!r} "
                "there; put the columns in the same order"
            )


def require_proba(fitted: Fitted, path: Path) -> None:
    """Refuse a model without probabilities of classes."""
    if not isinstance(fitted.estimator, KernelClassifier):
        raise DataError(
            f"{path}: predicts numbers, not classes, so it has no probabilities; leave out --proba"
        )
    if fitted.estimator.temperature_ is None:
        raise DataError(
            f"{path}: holds no temperature_, by which probabilities are calibrated: it is of an "
            "earlier version, or was fitted without leave-one-out; fit again, or leave out --proba"
        )


def write_predictions(
    fitted: Fitted, dataset: Dataset, part: str, path: Path, proba: bool = False
) -> list[str]:
    """Write index, prediction, the class's name and the label where known; returns the score.

    proba: whether the probabilities of all classes follow in each row.
    """
    test = part == "test" or (part == "auto" and dataset.X_test is not None)
    X, y = (dataset.X_test, dataset.y_test) if test else (dataset.X_train, dataset.y_train)
    if X is None:
        raise DataError(f"{dataset.name} has no test part; leave out --part test")
    classifies = isinstance(fitted.estimator, KernelClassifier)
    classes = fitted.estimator.classes_ if proba else np.empty(0)
    chances = fitted.predict_proba(X) if proba else np.empty((len(X), 0))
    predicted = classes[np.argmax(chances, axis=1)] if proba else np.asarray(fitted.predict(X))
    outputs = predicted.reshape(len(predicted), -1)
    heads = (
        ["prediction"]
        if outputs.shape[1] == 1
        else [f"prediction_{i}" for i in range(outputs.shape[1])]
    )
    named = Dataset(X, None, class_names=fitted.class_names) if classifies else None
    with path.open("w", encoding="utf-8", errors="backslashreplace", newline="") as stream:
        writer = csv.writer(stream, lineterminator="\n")
        has_names = named is not None and fitted.class_names is not None
        single = y is not None and y.ndim == 1
        heads += [*["name"] * has_names, *["label"] * single]
        writer.writerow(["index", *heads, *(f"probability_{each}" for each in classes)])
        for i, values in enumerate(outputs):
            row = [i, *values.tolist()]
            if has_names and named is not None:
                row.append(named.label_name(values[0]))
            if single and y is not None:
                row.append(y[i])
            writer.writerow([*row, *chances[i].tolist()])
    where = "test part" if test else "data"
    return [] if y is None else score_lines(fitted, predicted, y, where)
