"""Products of features, arrays of NumPy or tensors of PyTorch."""

from __future__ import annotations

from typing import Any

import numpy as np
from array_api_compat import is_numpy_array

from ...engines import blas

Array = Any


def product(x: Array, matrix: Array) -> Array:
    """x (n, d) times a matrix (d, e); of arrays the same bits on any number of threads."""
    return blas.product(x, matrix) if is_numpy_array(x) else x @ matrix


def times(x: Array, matrix: Array) -> Array:
    """x (..., d) times a matrix (d, e)."""
    flat = np.ascontiguousarray(x) if is_numpy_array(x) else x
    found = product(flat.reshape(-1, x.shape[-1]), matrix)
    return found.reshape(*x.shape[:-1], matrix.shape[1])


def squares(x: Array) -> Array:
    """‖x[u]‖² of the features at every position."""
    return np.einsum("...i,...i->...", x, x) if is_numpy_array(x) else (x * x).sum(-1)
