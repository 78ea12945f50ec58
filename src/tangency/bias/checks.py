"""Arguments of this folder, checked: arrays of real numbers, whole numbers, room in memory."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import psutil
from array_api_compat import is_torch_array

from ..engines.tiles import size_text
from ..errors import InputError, MemoryLimitError

_MOST = 10**15
"""Larger whole numbers are not told apart by the float64 numbers that they are turned into."""


def rounding(values: Any) -> float:
    """How far a norm or a cosine may be from 1 by rounding: 16 units of float32, or of float16.

    float64 numbers have often been float32 before, so that they are given the same room.
    """
    dtype = values.dtype if isinstance(values, np.ndarray) else np.dtype(np.float64)
    coarse = dtype == np.float16
    return 16 * float(np.finfo(np.float16 if coarse else np.float32).eps)


def real_array(values: Any, name: str) -> np.ndarray:
    """Real numbers as an array; floating point keeps its type, everything else becomes float64.

    Raises:
        InputError: masked, complex or ragged arrays, text, objects that are no numbers.
    """
    if is_torch_array(values):
        values = values.detach().cpu().resolve_neg().resolve_conj()
        if str(values.layout) != "torch.strided":
            raise InputError(f"{name} must be a dense array, got a sparse tensor; pass .to_dense()")
        values = (values if not str(values.dtype).endswith("bfloat16") else values.float()).numpy()
    if np.ma.isMaskedArray(values):
        if np.ma.is_masked(values):
            raise InputError(f"{name} has masked values; leave them out or fill them in")
        values = values.data
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            array = np.asarray(values)
            if array.dtype.kind == "O":
                array = array.astype(np.float64)
    except (ValueError, TypeError, OverflowError, RuntimeError, Warning) as error:
        raise InputError(f"{name} must be numbers: {error}") from None
    if array.dtype.kind not in "biuf":
        raise InputError(f"{name} must be numbers, real ones; got {_shown(values, array)}")
    return array if array.dtype.kind == "f" else array.astype(np.float64)


def real_number(value: Any, name: str) -> float:
    """One real number, NaN and infinity among them, as a float.

    Raises:
        InputError: anything else.
    """
    array = real_array(value, name)
    if array.ndim:
        raise InputError(f"{name} must be a single number, got shape {array.shape}")
    return float(array)


def whole(value: Any, name: str, least: int) -> int:
    """A whole number of at least `least`, as a Python integer.

    Raises:
        InputError: anything else, and numbers above 10^15.
    """
    good = isinstance(value, int | np.integer) and not isinstance(value, bool)
    if not good or value < least:
        raise InputError(f"{name} must be a whole number of at least {least}, got {value!r:.100}")
    if value > _MOST:
        raise InputError(f"{name} must be at most 10^15, got a number of {_digits(value)} digits")
    return int(value)


def require_room(count: int, what: str) -> None:
    """Refuse, before anything is computed, `count` float64 numbers that do not fit in memory.

    Raises:
        MemoryLimitError: `what` needs more than is free.
    """
    free = psutil.virtual_memory().available
    if 8 * count > free:
        raise MemoryLimitError(
            f"{what} needs {size_text(float(8 * count))}, but {size_text(free)} are free; ask for "
            "a lower degree or fewer points"
        )


def _digits(value: Any) -> int:
    # Not through str(), which refuses integers of many digits.
    return int(int(value).bit_length() * 0.30103) + 1


def _shown(values: Any, array: np.ndarray) -> str:
    return f"{values!r:.100}" if array.ndim == 0 else f"{array.dtype} of shape {array.shape}"
