"""Random splits into parts that share no example."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from ..checks import is_whole, real, shown, within_memory
from .errors import DataError
from .given import given_labels


def stratified_split(
    y: np.ndarray | None, test_fraction: float = 0.2, seed: int = 0
) -> tuple[np.ndarray, np.ndarray]:
    """Row numbers of a training and a test part in which classes keep their shares.

    Returns two sorted, disjoint arrays that together are all rows of the labels y (n,). The test
    part has `test_fraction * n` of them, rounded up as in scikit-learn. The same seed gives the
    same split. Raises `DataError` for a class with one example and for parts with fewer rows than
    classes.

    >>> train, test = stratified_split(np.repeat([0, 1], 10), test_fraction=0.2, seed=0)
    >>> len(train), np.repeat([0, 1], 10)[test].tolist()
    (16, [0, 0, 1, 1])
    """
    if y is None:
        raise DataError("a stratified split needs labels, and there are none")
    labels = _labels(y)
    return _stratified(labels, _test_size(len(labels), test_fraction), seed)


def stratified_subset(y: np.ndarray, size: int, seed: int = 0) -> np.ndarray:
    """Sorted row numbers of `size` examples in which classes keep their shares.

    All rows of the labels y (n,) if `size` is n or more. Raises like `stratified_split`.

    >>> stratified_subset(np.array([0, 1, 0, 1, 0, 1]), 2).shape
    (2,)
    """
    labels = _labels(y)
    if not is_whole(size):
        raise DataError(f"the size of a subset must be a whole number, got {shown(size)}")
    if size < 1:
        raise DataError(f"a subset needs at least one example, got size {size}")
    left_over = len(labels) - int(size)  # NumPy's unsigned numbers go round at 0
    if left_over <= 0:
        return np.arange(len(labels))
    if left_over < len(np.unique(labels)):
        # Too few for a second stratified part: drop them at random.
        return _random(len(labels), left_over, seed)[0]
    return _stratified(labels, left_over, seed)[0]


def random_split(
    n: int, test_fraction: float = 0.2, seed: int = 0
) -> tuple[np.ndarray, np.ndarray]:
    """Row numbers of two disjoint random parts of n rows, each sorted.

    >>> [len(part) for part in random_split(10, 0.3, seed=1)]
    [7, 3]
    """
    if not is_whole(n) or n > 2**40:
        raise DataError(f"n must be a whole number of rows, got {shown(n)}")
    return _random(n, _test_size(n, test_fraction), seed)


def random_subset(n: int, size: int, seed: int = 0) -> np.ndarray:
    """Sorted row numbers of `size` of n rows, fewer than n, drawn evenly.

    Not `random_split` by a share: shares round, and n times a share may round up to one row more.
    """
    return _random(n, n - size, seed)[0]


@within_memory()
def _random(n: int, size: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    order = np.random.default_rng(_seed(seed)).permutation(n)
    return np.sort(order[size:]), np.sort(order[:size])


def _stratified(labels: np.ndarray, size: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    from sklearn.model_selection import train_test_split

    classes, counts = np.unique(labels, return_counts=True)
    if counts.min() < 2:
        lonely = classes[np.argmin(counts)].item()
        raise DataError(
            f"class {lonely!r} has one example only, so it cannot be in both parts; "
            "drop it or give a test part yourself"
        )
    if min(size, len(labels) - size) < len(classes):
        raise DataError(
            f"{len(labels):,} examples in parts of {len(labels) - size:,} and {size:,} leave one "
            f"too small to hold all {len(classes)} classes; choose parts nearer in size"
        )
    train, test = train_test_split(
        np.arange(len(labels)), test_size=size, random_state=_seed(seed), stratify=labels
    )
    return np.sort(train), np.sort(test)


def _labels(y: Any) -> np.ndarray:
    """One label for each example, (n,): numbers that are not NaN, or strings."""
    labels = given_labels(y, "labels of a split")
    if labels.ndim != 1 or labels.dtype.kind not in "biufU":
        raise DataError(
            f"labels of a split must be numbers or strings of shape (n,), got {labels.dtype} of "
            f"shape {labels.shape}"
        )
    if labels.dtype.kind == "f" and np.isnan(labels).any():
        first = int(np.argmax(np.isnan(labels)))
        raise DataError(f"label number {first} is NaN; fill it in or drop that example")
    return labels


def _seed(seed: Any) -> int:
    if not is_whole(seed) or not 0 <= seed < 2**32:
        raise DataError(f"seed must be a whole number from 0 to 2^32 - 1, got {shown(seed)}")
    return int(seed)


def _test_size(n: int, test_fraction: float) -> int:
    share = real(test_fraction)
    if share is None or not 0 < share < 1:
        raise DataError(f"test_fraction must lie between 0 and 1, got {shown(test_fraction)}")
    if n < 2:
        raise DataError(f"a split needs at least 2 examples, got {n}")
    return min(math.ceil(share * n), n - 1)
