"""Arguments of this folder, checked: arrays of real numbers, whole numbers, room in memory."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar

import numpy as np
import psutil

from .. import checks
from ..checks import real_array
from ..engines.tiles import size_text
from ..errors import InputError, MemoryLimitError
from ..printable import shown

T = TypeVar("T")

# Of quadrature, in more digits than float64 or in float64: a quarter of an hour or so.
_MOST_DEGREES = {True: 20_000, False: 60_000}
_SECONDS_PER_SQUARE = {True: 2e-6, False: 2e-7}
_MOST = 10**15
"""Larger whole numbers are not told apart by the float64 numbers that they are turned into."""


def rounding(values: Any) -> float:
    """How far a norm or a cosine may be from 1 by rounding: 16 units of float32, or of float16.

    float64 numbers have often been float32 before, so that they are given the same room.
    """
    dtype = values.dtype if isinstance(values, np.ndarray) else np.dtype(np.float64)
    coarse = dtype == np.float16
    return 16 * float(np.finfo(np.float16 if coarse else np.float32).eps)


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
    found = checks.whole(value, name, least, 2**100_000)
    if found > _MOST:
        raise InputError(f"{name} must be at most 10^15, got a number of {_digits(found)} digits")
    return found


def of_kernel(values: Mapping[str, T], name: Any) -> T:
    """What a result holds for the kernel of this name.

    Raises:
        InputError: with the names that there are.
    """
    if not isinstance(name, str) or name not in values:
        raise InputError(f"there is no kernel {shown(name)} in this result: {', '.join(values)}")
    return values[name]


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


def require_time(degree: int, multiprecision: bool) -> None:
    """Refuse quadrature that would take hours, without a word in all that time.

    multiprecision: in more digits than float64.
    """
    most = _MOST_DEGREES[multiprecision]
    if degree > most:
        hours = _SECONDS_PER_SQUARE[multiprecision] * degree**2 / 3600
        raise InputError(
            f"degree={degree:,} would take about {hours:,.1f} hours or more, as there is no closed "
            "form of this kernel and time grows as the square of the degree; ask for at most "
            f"{most:,}, which shows the decay as well"
        )


def _digits(value: Any) -> int:
    # Not through str(), which refuses integers of many digits.
    return int(int(value).bit_length() * 0.30103) + 1
