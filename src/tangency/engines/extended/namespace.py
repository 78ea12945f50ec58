"""The part of the Array API standard that the reference engine and the duals use, in 32 digits.

`array_namespace` finds this module for arrays of the kind `Extended`. Booleans and positions are
NumPy's.
"""

from __future__ import annotations

import math
from types import SimpleNamespace
from typing import Any

import numpy as np

from . import loops
from .array import EXTENDED, Extended, binary, extended, row_sums, unary
from .constants import PI

bool = np.bool
int8, int64 = np.int8, np.int64
float64 = EXTENDED
newaxis = None
pi = Extended(np.asarray(PI[0]), np.asarray(PI[1]))

# Operations are good to a few units of 2⁻¹⁰⁴; four of these units are what rounding may amount to.
_EPS = Extended(np.asarray(2.0**-100), np.asarray(0.0))


def finfo(dtype: Any) -> Any:
    """Precision and range; `eps` is an array, so that 1 − eps is one too."""
    return SimpleNamespace(bits=128, eps=_EPS, smallest_normal=np.finfo(np.float64).smallest_normal)


def asarray(x: Any, dtype: Any = None, device: Any = None, copy: Any = None) -> Any:
    return extended(x) if dtype is EXTENDED else np.asarray(x, dtype=dtype)


def zeros(shape: Any, dtype: Any = None, device: Any = None) -> Any:
    return extended(np.zeros(shape)) if dtype is EXTENDED else np.zeros(shape, dtype=dtype)


def zeros_like(x: Any) -> Any:
    return zeros(x.shape, dtype=x.dtype)


def ones_like(x: Any) -> Any:
    return extended(np.ones(x.shape)) if isinstance(x, Extended) else np.ones_like(x)


def _both(function: Any, x: Any) -> Any:
    """A NumPy function that moves numbers, applied to both parts."""
    return Extended(function(x.hi), function(x.lo)) if isinstance(x, Extended) else function(x)


def where(condition: Any, x: Any, y: Any) -> Extended:
    x, y = extended(x), extended(y)
    return Extended(np.where(condition, x.hi, y.hi), np.where(condition, x.lo, y.lo))


def reshape(x: Any, shape: Any) -> Any:
    return _both(lambda part: np.reshape(part, shape), x)


def matrix_transpose(x: Any) -> Any:
    return _both(lambda part: np.swapaxes(part, -1, -2), x)


def moveaxis(x: Any, source: Any, destination: Any) -> Any:
    return _both(lambda part: np.moveaxis(part, source, destination), x)


def take(x: Any, indices: Any, axis: Any = None) -> Any:
    return _both(lambda part: np.take(part, indices, axis=axis), x)


def concat(arrays: Any, axis: int = 0) -> Any:
    if not any(isinstance(a, Extended) for a in arrays):
        return np.concatenate(arrays, axis=axis)
    arrays = [extended(a) for a in arrays]
    return Extended(*(np.concatenate([getattr(a, p) for a in arrays], axis) for p in ("hi", "lo")))


linalg = SimpleNamespace(
    diagonal=lambda x: _both(lambda part: np.diagonal(part, axis1=-2, axis2=-1), x)
)


def sum(x: Extended, axis: Any = None) -> Extended:
    """Sums over one axis, several, or all."""
    axes = range(x.ndim) if axis is None else (axis,) if isinstance(axis, int) else axis
    axes = [a % x.ndim for a in axes]
    kept = [a for a in range(x.ndim) if a not in axes]
    shape = tuple(x.shape[a] for a in kept)
    count = math.prod(x.shape[a] for a in axes)
    moved = _both(lambda part: np.transpose(part, (*kept, *axes)), x)
    return reshape(row_sums(reshape(moved, (math.prod(shape), count))), shape)


def mean(x: Extended, axis: Any = None, keepdims: Any = False) -> Extended:
    total = sum(x, axis)
    found = total / (math.prod(x.shape) / math.prod(total.shape))
    if not keepdims:
        return found
    axes = {a % x.ndim for a in axis}
    return reshape(found, tuple(1 if a in axes else n for a, n in enumerate(x.shape)))


def max(x: Extended, axis: int, keepdims: Any = False) -> Extended:
    """The largest numbers as far as float64 tells."""
    return extended(np.max(x.hi, axis=axis, keepdims=keepdims))


def abs(x: Extended) -> Extended:
    return where(x.hi < 0, -x, x)


def sign(x: Extended) -> Extended:
    return extended(np.sign(x.hi))


def isfinite(x: Extended) -> np.ndarray:
    return np.isfinite(x.hi)


def sqrt(x: Extended) -> Extended:
    return unary(loops.roots, x)


def exp(x: Extended) -> Extended:
    return unary(loops.exponentials, x)


def expm1(x: Extended) -> Extended:
    return unary(loops.exponentials_minus_one, x)


def log1p(x: Extended) -> Extended:
    return unary(loops.logarithms_of_more, x)


def tanh(x: Extended) -> Extended:
    return unary(loops.hyperbolic_tangents, x)


def asin(x: Extended) -> Extended:
    return unary(loops.arcsines, x)


def atan2(y: Any, x: Any) -> Extended:
    return binary(loops.arctangents, y, x)
