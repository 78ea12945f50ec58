"""From the numbers in a file to the floating-point array that a kernel takes."""

from __future__ import annotations

import math
import warnings
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

import numpy as np

from ..checks import cut, is_whole, real, shown
from ..errors import callers_level
from ..nets.signal import channels_first
from .dataset import shape_text
from .errors import DataError, DataWarning

Channels = Literal["auto", "last", "first", "none"]
_GAPS = ("na", "n/a", "<na>", "null", "none", "missing", "?", "-")
_CHANNELS = ("auto", "last", "first", "none")


class RawParts(NamedTuple):
    """What a reader found in a file, as it lies there."""

    X_train: np.ndarray
    y_train: np.ndarray | None = None
    X_test: np.ndarray | None = None
    y_test: np.ndarray | None = None
    name: str = "data"
    class_names: tuple[str, ...] | None = None
    feature_names: tuple[str, ...] | None = None
    full_scale: float | None = None
    """The value of a white pixel, where the source is known to have one."""
    pictures: bool = False
    """Whether all are files of pictures or images of Pillow, whose channels are known."""


@dataclass(frozen=True)
class InputOptions:
    """How stored examples become inputs; see `load` for the meaning of each."""

    input_shape: tuple[int, ...] | None = None
    channels: Channels = "auto"
    scale: float | Literal["auto"] | None = "auto"
    dtype: str = "float64"

    def __post_init__(self) -> None:
        if not isinstance(self.channels, str) or self.channels not in _CHANNELS:
            raise DataError(
                f"channels must be 'auto', 'last', 'first' or 'none', got {shown(self.channels)}"
            )
        if not isinstance(self.dtype, str) or self.dtype not in ("float32", "float64"):
            raise DataError(f"dtype must be 'float32' or 'float64', got {shown(self.dtype)}")
        if self.input_shape is not None:
            object.__setattr__(self, "input_shape", _checked_shape(self.input_shape))
        if self.scale is None or (isinstance(self.scale, str) and self.scale == "auto"):
            return
        scale = real(self.scale)
        if scale is None:
            raise DataError(f"scale must be a number, 'auto' or None, got {shown(self.scale)}")
        if not 0 < scale < float("inf"):
            raise DataError(f"scale must be a positive number, got {shown(self.scale)}")
        object.__setattr__(self, "scale", scale)


def _checked_shape(shape: Any) -> tuple[int, ...]:
    sizes = shape if isinstance(shape, tuple | list) else (shape,)
    good = all(map(is_whole, sizes))
    if not sizes or not good or not 1 <= min(sizes) <= max(sizes) < 2**63:
        raise DataError(
            f"input_shape must be whole numbers from 1 on, as in (28, 28, 1); got {shown(shape)}"
        )
    return tuple(int(n) for n in sizes)


def check_types(train: np.ndarray, test: np.ndarray, options: InputOptions, name: str) -> None:
    """Refuse parts of one set of images whose types "auto" would scale differently.

    Raises `DataError` with both types.
    """
    if options.scale != "auto":
        return
    scales = [_divisor(_with_shape(X, options, name), options, None) for X in (train, test)]
    if scales[0] != scales[1]:
        first, second = (
            f"are {X.dtype} and would be " + (f"divided by {s:g}" if s else "taken as they are")
            for X, s in zip((train, test), scales, strict=True)
        )
        raise DataError(
            f"{name}: training images {first}, test images {second}; store both with one type, or "
            "say what to divide by (scale=, --scale)"
        )


def prepare(
    X: np.ndarray, options: InputOptions, where: str, full_scale: float | None = None
) -> np.ndarray:
    """Floating-point examples, channels last, pixels of unsigned integers scaled to [0, 1].

    X: (n, ...) numbers. Raises `DataError` for anything that is not an array of real numbers, and
    for a shape that does not fit the options; `where` opens the message.
    """
    if X.dtype.kind not in "biuf":
        raise DataError(
            f"{where}: examples must be numbers, got {X.dtype}; turn categories and text into "
            "numbers first"
        )
    if X.ndim < 2:
        raise DataError(
            f"{where}: examples must be the rows of an array with two or more axes, got shape "
            f"{X.shape}; a single feature needs X.reshape(-1, 1)"
        )
    shaped = _with_shape(X, options, where)
    divisor = _divisor(shaped, options, full_scale)
    with np.errstate(over="ignore"):  # reported just below, in words
        inputs = np.asarray(shaped, dtype=options.dtype)
        if divisor is not None:
            inputs = inputs / np.asarray(divisor, dtype=options.dtype)
    _refuse_overflow(shaped, inputs, where)
    return np.ascontiguousarray(inputs)


def narrowed(X: np.ndarray, dtype: str, where: str) -> np.ndarray:
    """Finite examples in another precision; raises `DataError` where that cannot hold them.

    >>> narrowed(np.array([[1e150]]), "float32", "a.csv")
    Traceback (most recent call last):
        ...
    tangency.data.errors.DataError: a.csv: its numbers, up to 1e+150, leave the range of float32; \
divide them by another number (scale=, --scale), or take float64
    """
    with np.errstate(over="ignore"):
        inputs = X.astype(dtype)
    _refuse_overflow(X, inputs, where)
    return inputs


def _refuse_overflow(given: np.ndarray, inputs: np.ndarray, where: str) -> None:
    """Numbers of a file that became infinite here are no gaps in it."""
    if given.dtype.kind == "f" and not np.isfinite(given).all():
        return  # told of with its place, where a data set is made
    if not np.isfinite(inputs).all():
        raise DataError(
            f"{where}: its numbers, up to {np.abs(given).max():.3g}, leave the range of "
            f"{inputs.dtype}; divide them by another number (scale=, --scale), or take float64"
        )


def _with_shape(X: np.ndarray, options: InputOptions, where: str) -> np.ndarray:
    if options.input_shape is not None:
        size = math.prod(options.input_shape)
        if X[:1].size != size * len(X[:1]):
            raise DataError(
                f"{where}: examples of shape {shape_text(X.shape[1:])} cannot become "
                f"{cut(shape_text(options.input_shape))}, which has {cut(f'{size:,}')} values"
            )
        return X.reshape(len(X), *options.input_shape)
    if options.channels == "first":
        if X.ndim == 2:
            raise DataError(f"{where}: vectors of shape {X.shape} have no channel axis to move")
        return np.moveaxis(X, 1, -1)
    if options.channels == "none" or (options.channels == "auto" and X.ndim == 3):
        return X[..., np.newaxis]
    if options.channels == "auto" and channels_first(X.shape):
        raise DataError(
            f"{where}: images of shape {shape_text(X.shape[1:])} look as if channels came first; "
            "say channels='first' to move them last, or channels='last' if they are last"
        )
    return X


def _divisor(X: np.ndarray, options: InputOptions, full_scale: float | None) -> float | None:
    if options.scale != "auto":
        return options.scale
    if full_scale is not None:
        return full_scale
    # By kind and size: NumPy's == tells the byte orders of one type apart.
    if X.ndim > 2 and X.dtype.kind == "u" and X.dtype.itemsize <= 2:
        return float(np.iinfo(X.dtype).max)
    return None


def _warn_of_gaps(y: np.ndarray, where: str) -> None:
    """Names by which many tables say that there is no label may be classes too: a word on them."""
    lowered = np.char.lower(y)
    gaps = np.isin(lowered, _GAPS)
    if "+" in lowered:
        gaps &= lowered != "-"
    if not gaps.any() or gaps.all():
        return
    names = ", ".join(map(shown, np.unique(y[gaps]).tolist()))
    warnings.warn(
        f"{where}: {names} among the labels (of {int(gaps.sum()):,} of {y.size:,} examples) is "
        "taken for the name of a class; if it says that the label is missing, drop these examples",
        DataWarning,
        stacklevel=callers_level(),
    )


def check_labels(y: np.ndarray, where: str) -> np.ndarray:
    """Labels as an array of numbers or strings; a single column becomes (n,).

    Raises `DataError` for labels of any other type; warns of names as "NA" among others.
    """
    if y.dtype.kind not in "biufU":
        raise DataError(f"{where}: labels must be numbers or strings, got {y.dtype}")
    if y.dtype.kind == "U" and (missing := np.char.lower(y) == "nan").any():
        # What NumPy makes of a gap among names.
        raise DataError(
            f"{where}: {int(missing.sum()):,} labels are 'nan', the first is number "
            f"{int(np.argmax(missing))}; fill them in or drop those examples"
        )
    if y.dtype.kind == "U":
        _warn_of_gaps(y, where)
    if y.ndim == 2 and y.shape[1] == 1:
        return y[:, 0]
    if y.ndim == 0 or y.ndim > 2:
        raise DataError(f"{where}: labels must have the shape (n,), got {y.shape}")
    if y.ndim == 2 and y.dtype.kind != "f":
        raise DataError(
            f"{where}: labels of shape {y.shape} give every example {y.shape[1]} classes; "
            "one-hot labels need y.argmax(axis=1)"
        )
    return y
