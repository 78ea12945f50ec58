"""What a report is made from: part of a data set, a network, and its kernels on that part."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from ..data import Dataset, stratified_subset
from ..errors import InputError
from ..kernels import gram
from ..kernels.coerce import both_kernels
from ..kernels.kinds import labelled
from ..kernels.work import vector_plan
from ..nets import Sequential, parse
from ..nets.plan import plan
from ..nets.summary import operations

# About ten seconds of kernels on two cores, for the largest matrix of the page.
_OPERATIONS = 1e11
_MOST, _LEAST = 600, 60


@dataclass(frozen=True)
class Options:
    """What a report may use.

    limit: examples in its largest kernel matrix, None for as many as are quick. draws: repetitions
    wherever something is drawn. means: how kernels are computed, any of the options of `NTK`.
    effort: how much work is spent, 1 for a full report, less for a quick look.
    """

    limit: int | None = None
    draws: int = 5
    seed: int = 0
    means: Mapping[str, Any] | None = None
    effort: float = 1.0


@dataclass(frozen=True, eq=False)
class Material:
    """The examples that a page is about, (n, ...) in `X`, with both kernels of the network.

    raw: the same examples before preprocessing. y: (n,) labels, None where there are none. test:
    rows of the data's own test part, None where it has none. total: examples that the data hold.
    """

    data: Dataset
    net: Sequential
    raw: np.ndarray
    X: np.ndarray
    y: np.ndarray | None
    test: np.ndarray | None
    total: int
    options: Options

    @property
    def space(self) -> tuple[int, ...]:
        """The grid on which an example lives, () for vectors."""
        return self.X.shape[1:-1]

    @property
    def examples(self) -> str:
        """What examples are called."""
        return {0: "examples", 1: "signals", 2: "images"}.get(len(self.space), "volumes")

    @property
    def classes(self) -> np.ndarray | None:
        """(n,) labels where they are classes."""
        return None if self.y is None or self.y.dtype.kind == "f" else self.y

    @cached_property
    def kernels(self) -> dict[str, Any]:
        """Both kernels by name."""
        means = dict(self.options.means or {})
        return both_kernels(self.net, **means)

    @cached_property
    def matrices(self) -> dict[str, np.ndarray]:
        """Both kernels between all examples, (n, n), from one pass."""
        pair = gram(self.net, self.X, **dict(self.options.means or {}))
        return labelled(pair)

    def subset(self, size: int) -> np.ndarray:
        """At most `size` rows, classes in proportion where there are any; always the same ones."""
        return drawn(self.classes, len(self.X), size, self.options.seed)

    def affordable(self, share: float, least: int, most: int) -> int:
        """How many examples a measurement takes on `share` of the work of the largest matrix."""
        operations = self.options.effort * _OPERATIONS
        pairs = share * operations / work(self.net, self.X.shape[1:])
        return int(np.clip(pairs, least, most))


def prepare(
    data: Dataset, net: Sequential | str, options: Options, steps: Sequence[Any] = ()
) -> Material:
    """Choose the examples, and apply the preprocessing steps, fitted on the training part.

    Raises `InputError` for fewer than 2 examples, a limit below 2, and outputs in several columns.
    """
    net = parse(net) if isinstance(net, str) else net
    vector_plan(net, data.input_shape)  # a network that does not fit is said before all else
    y = data.y_train
    if y is not None and y.ndim > 1:
        raise InputError(
            f"a report needs one label for each example, got labels of shape {y.shape}"
        )
    if len(data.X_train) < 2:
        raise InputError(
            f"a report compares examples and needs 2 or more; {data.name or 'the data'} has "
            f"{len(data.X_train)} to train on"
        )
    size = _size(net, data, options)
    train = drawn(None if data.task == "regression" else y, len(data.X_train), size, options.seed)
    raw, labels, test = data.X_train[train], None if y is None else y[train], None
    if data.X_test is not None and data.y_test is not None and labels is not None:
        rows = drawn(None, len(data.X_test), max(size // 2, 1), options.seed)
        test = len(raw) + np.arange(len(rows))
        raw = np.concatenate([raw, data.X_test[rows]])
        labels = np.concatenate([labels, data.y_test[rows]])
    X = data.X_train
    for step in steps:
        X = step.fit_transform(X)
    X = raw
    for step in steps:
        X = step.transform(X)
    total = len(data.X_train) + (0 if data.X_test is None else len(data.X_test))
    return Material(data, net, raw, X, labels, test, total, options)


def work(net: Sequential, shape: tuple[int, ...]) -> int:
    """Multiply-adds for both kernels of one pair of examples, as `net.summary` counts them."""
    return max(1, sum(map(operations, plan(net, tuple(shape)).steps)))


def _size(net: Sequential, data: Dataset, options: Options) -> int:
    if options.limit is not None:
        if options.limit < 2:
            raise InputError(f"a report needs 2 examples or more, got a limit of {options.limit}")
        return options.limit
    operations = options.effort * _OPERATIONS
    quick = math.isqrt(int(2 * operations / work(net, data.input_shape)))
    return int(np.clip(quick, _LEAST, _MOST))


def drawn(y: np.ndarray | None, n: int, size: int, seed: int) -> np.ndarray:
    """At most `size` of n rows in increasing order, classes in proportion where that can be."""
    if size >= n:
        return np.arange(n)
    if (
        y is not None
        and np.unique(y, return_counts=True)[1].min() > 1
        and size >= len(np.unique(y))
    ):
        return stratified_subset(y, size, seed)
    return np.sort(np.random.default_rng(seed).permutation(n)[:size])
