"""A set of examples in a training and, where there is one, a test part."""

# Types are checked when called, too.
# pyright: reportUnnecessaryIsInstance=false

from __future__ import annotations

import numbers
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np

from ..checks import is_whole, items, shown, text, within_memory
from ..printable import printable
from .errors import DataError
from .given import given_numbers
from .splitting import random_split, stratified_split


@dataclass(frozen=True, eq=False)
class Dataset:
    """Examples and their labels, checked: finite numbers, parts that fit together.

    X_train: (n, d) vectors or (n, *space, channels) images, channels last, floating point.
    y_train: (n,) labels or targets, (n, outputs) targets, or None where there are none.
    X_test, y_test: likewise, or None. `class_names[i]` is the name of class number i.
    `feature_names` are the columns of a table that had a header.

    >>> parts = Dataset(np.eye(4), np.array([0, 1, 0, 1]), name="four").split(0.5, seed=0)
    >>> parts.X_train.shape, parts.X_test.shape, parts.task
    ((2, 4), (2, 4), 'classification')
    """

    X_train: np.ndarray
    y_train: np.ndarray | None
    X_test: np.ndarray | None = None
    y_test: np.ndarray | None = None
    name: str = "data"
    class_names: tuple[str, ...] | None = None
    feature_names: tuple[str, ...] | None = None

    def __post_init__(self) -> None:
        text(self.name, "name", error=DataError)
        for part in ("class_names", "feature_names"):
            if getattr(self, part) is not None:
                object.__setattr__(self, part, _names(getattr(self, part), part))
        for part in ("X_train", "y_train", "X_test", "y_test"):
            if np.ma.isMaskedArray(getattr(self, part)):
                plain = given_numbers(getattr(self, part), f"{self.name}, {part}")
                object.__setattr__(self, part, plain)
        _check_part(self.X_train, self.y_train, f"{self.name}, training part")
        if self.X_test is None:
            if self.y_test is not None:
                raise DataError(f"{self.name}: test labels without test examples; give X_test too")
            return
        _check_part(self.X_test, self.y_test, f"{self.name}, test part")
        if self.X_test.shape[1:] != self.X_train.shape[1:]:
            raise DataError(
                f"{self.name}: test examples have shape {shape_text(self.X_test.shape[1:])}, "
                f"training examples {shape_text(self.X_train.shape[1:])}; the two must agree"
            )

    @property
    def input_shape(self) -> tuple[int, ...]:
        """The shape of one example: (d,) or (*space, channels)."""
        return self.X_train.shape[1:]

    @property
    def task(self) -> Literal["classification", "regression"] | None:
        """What the labels ask for: floating-point labels are targets, all others are classes."""
        if self.y_train is None:
            return None
        return "regression" if self.y_train.dtype.kind == "f" else "classification"

    def split(self, test_fraction: float = 0.2, seed: int = 0) -> Dataset:
        """The same examples with a test part drawn from the training part.

        Classes keep their shares in both parts (to one example); targets are drawn at random.
        Raises `DataError` if there is a test part already, or a class with a single example.
        """
        if self.X_test is not None:
            raise DataError(
                f"{self.name} has a test part of {len(self.X_test):,} already; use that one, or "
                "build a Dataset without it first"
            )
        if self.task == "classification":
            train, test = stratified_split(self.y_train, test_fraction, seed)
        else:
            train, test = random_split(len(self.X_train), test_fraction, seed)
        y = self.y_train
        return replace(
            self,
            X_train=self.X_train[train],
            y_train=None if y is None else y[train],
            X_test=self.X_train[test],
            y_test=None if y is None else y[test],
        )

    def label_name(self, label: Any) -> str:
        """The name of a label: `class_names[label]` where there are names, else the label.

        Control characters in it are shown by their codes.
        """
        names = self.class_names
        if (
            names is not None
            and (is_whole(label) or isinstance(label, bool))
            and 0 <= label < len(names)
        ):
            return printable(names[int(label)])
        simple = isinstance(label, str | numbers.Number | np.generic)
        return printable(str(label)) if simple else shown(label)

    def summary(self) -> str:
        """One line: examples in each part, their shape, the number of classes."""
        parts = [f"{len(self.X_train):,} training examples"]
        if self.X_test is not None:
            parts.append(f"{len(self.X_test):,} test examples")
        parts.append(f"shape {shape_text(self.input_shape)}")
        if self.task == "classification":
            parts.append(f"{len(np.unique(np.asarray(self.y_train)))} classes")
        elif self.task == "regression":
            parts.append("real targets")
        else:
            parts.append("no labels")
        return f"{printable(self.name)}: {', '.join(parts)}"


def _names(value: Any, what: str) -> tuple[Any, ...]:
    found = items(value, what, error=DataError)
    for name in found:
        if not isinstance(name, str | numbers.Number | np.generic):
            raise DataError(f"each of {what} must be a text, got {shown(name)}")
    return tuple(found)


def shape_text(shape: tuple[int, ...]) -> str:
    """`28x28x1` for (28, 28, 1): the way shapes are written on the command line."""
    return "x".join(str(size) for size in shape) or "()"


def _check_part(X: np.ndarray, y: np.ndarray | None, where: str) -> None:
    if not isinstance(X, np.ndarray) or X.ndim < 2 or X.dtype.kind != "f":
        got = f"{X.dtype} of shape {X.shape}" if isinstance(X, np.ndarray) else type(X).__name__
        raise DataError(
            f"{where}: examples must be a floating-point array (n, d) or (n, *space, channels), "
            f"got {got}"
        )
    if X.size == 0:
        raise DataError(f"{where}: there are no examples (shape {X.shape})")
    check_finite(X, where)
    if y is None:
        return
    if not isinstance(y, np.ndarray) or y.dtype.kind not in "iubfU":
        got = str(y.dtype) if isinstance(y, np.ndarray) else type(y).__name__
        raise DataError(f"{where}: labels must be an array of numbers or strings, got {got}")
    if y.ndim == 0 or len(y) != len(X):
        count = len(y) if y.ndim else 0
        raise DataError(
            f"{where}: {len(X):,} examples but {count:,} labels; there must be one label for each"
        )
    if y.dtype.kind == "f":
        check_finite(y, f"{where}, labels")


@within_memory()
def check_finite(array: np.ndarray, where: str) -> None:
    """Raise `DataError` that names the first NaN or infinity, if there is one."""
    with np.errstate(over="ignore", invalid="ignore"):
        # One pass, which needs no array of its own; a sum that overflows is looked at again.
        if np.isfinite(np.sum(array)):
            return
    finite = np.isfinite(array)
    if finite.all():
        return
    first = np.unravel_index(int(np.argmin(finite)), array.shape)
    count = int(array.size - np.count_nonzero(finite))
    raise DataError(
        f"{where}: {count:,} of {array.size:,} values are not finite, the first one is "
        f"{array[first]} at index {tuple(int(i) for i in first)}; fill in or drop those examples"
    )
