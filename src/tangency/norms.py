"""Euclidean norms of numbers whose squares leave the range of their type."""

from __future__ import annotations

import numpy as np


def binary_scale(values: np.ndarray, axis: int | None = None) -> np.ndarray:
    """A power of two near the largest absolute value, along an axis that is kept; 1 for zeros.

    Division by it changes no digit, and brings all squares into the range.

    >>> binary_scale(np.array([[3e200, 0.0], [0.0, 0.0]]), axis=1) > 1
    array([[ True],
           [False]])
    """
    largest = np.abs(values).max(axis=axis, keepdims=axis is not None, initial=0.0)
    exponents = np.frexp(largest)[1]
    lowest, highest = np.finfo(values.dtype).minexp, np.finfo(values.dtype).maxexp - 1
    exponents = np.where(largest > 0, np.clip(exponents, lowest, highest), 0)
    return np.ldexp(np.ones((), values.dtype), exponents)


def norm(values: np.ndarray, axis: int | None = None) -> np.ndarray:
    """The Euclidean norm, of all or along an axis that is kept, in the type of the values.

    >>> [round(float(norm(size * np.array([3.0, 4.0])) / size), 12) for size in (1e200, 1e-200)]
    [5.0, 5.0]
    """
    scale = binary_scale(values, axis)
    with np.errstate(over="ignore"):  # a norm that has no place in its type is infinite
        return scale * np.linalg.norm(values / scale, axis=axis, keepdims=axis is not None)
