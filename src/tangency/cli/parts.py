"""Which part of the data is learnt from, and what kind of labels it has."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from ..data import DataError, Dataset, stratified_subset
from ..data.splitting import random_subset


def chosen_task(dataset: Dataset, task: str) -> Dataset:
    """The data with labels of the type that the task needs; raises `DataError` where in doubt."""
    y = np.asarray(dataset.y_train)
    if task == "regression" and y.dtype.kind == "U":
        raise DataError(f"{dataset.name}: regression needs numbers, but the labels are text")
    if task == "classification" and y.dtype.kind == "f":
        if y.ndim > 1 or not np.array_equal(y, np.round(y)):
            raise DataError(f"{dataset.name}: classes must be whole numbers, got {y.flat[0]}")
        return _with_labels(dataset, np.int64)
    if task == "regression":
        return _with_labels(dataset, np.float64)
    distinct = len(np.unique(y))
    if task == "auto" and y.dtype.kind in "iu" and distinct > max(20, len(y) // 4):
        raise DataError(
            f"{dataset.name}: its labels are {distinct:,} different whole numbers for {len(y):,} "
            "examples; say --task regression or --task classification"
        )
    return dataset


def _with_labels(dataset: Dataset, dtype: type) -> Dataset:
    test = dataset.y_test
    return replace(
        dataset,
        y_train=np.asarray(dataset.y_train).astype(dtype),
        y_test=None if test is None else test.astype(dtype),
    )


def held_out(
    dataset: Dataset, test_fraction: float | None, limit: int | None, seed: int
) -> Dataset:
    """The data with a test part drawn, and the training part cut to `limit` examples."""
    if test_fraction is not None:
        dataset = dataset.split(test_fraction, seed)
    return limited(dataset, limit, seed)[0]


def limited(dataset: Dataset, limit: int | None, seed: int) -> tuple[Dataset, np.ndarray]:
    """The data with the training part cut to `limit` examples, and the rows that are left of it.

    Classes keep their proportions; examples without a class are drawn evenly.
    """
    n = len(dataset.X_train)
    if limit is None or limit >= n:
        return dataset, np.arange(n)
    if limit < 2:
        raise DataError(f"--limit {limit}: at least 2 examples are needed")
    if dataset.y_train is not None and dataset.task == "classification":
        rows = stratified_subset(dataset.y_train, limit, seed)
    else:
        rows = random_subset(n, limit, seed)
    y = None if dataset.y_train is None else dataset.y_train[rows]
    return replace(dataset, X_train=dataset.X_train[rows], y_train=y), rows
