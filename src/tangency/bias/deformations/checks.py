"""Parameters of deformations, checked."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from ...errors import InputError


def finite(value: Any, name: str, least: float = -math.inf) -> float:
    """A finite number of at least `least`, as a float."""
    if isinstance(value, bool | np.bool_) or not isinstance(value, int | float | np.number):
        raise InputError(f"{name} must be a number, got {value!r}")
    if isinstance(value, complex) or not math.isfinite(value):
        raise InputError(f"{name} must be finite, got {value!r}")
    if value < least:
        raise InputError(f"{name} must be at least {least:g}, got {value!r}")
    return float(value)


def positive(value: Any, name: str) -> float:
    """A finite number greater than 0."""
    number = finite(value, name)
    if number <= 0:
        raise InputError(f"{name} must be greater than 0, got {value!r}")
    return number


def finite_tuple(values: Any, name: str) -> tuple[float, ...]:
    """One finite number per spatial axis, 1 or 2 of them; a bare number is one axis."""
    if isinstance(values, int | float | np.number):
        values = (values,)
    if isinstance(values, str) or not isinstance(values, Iterable):
        raise InputError(f"{name} must be one number per axis, got {values!r}")
    numbers = tuple(finite(value, f"each number of {name}") for value in values)
    if not 1 <= len(numbers) <= 2:
        raise InputError(
            f"{name} must be one number per axis, 1 (signals) or 2 (images); got {len(numbers)}"
        )
    return numbers


def whole(value: Any, name: str, least: int) -> int:
    """A whole number of at least `least`."""
    if isinstance(value, bool) or not isinstance(value, int | np.integer):
        raise InputError(f"{name} must be a whole number, got {value!r}")
    if value < least:
        raise InputError(f"{name} must be at least {least}, got {value}")
    return int(value)


def spatial_shape(shape: Sequence[int] | int, dims: int) -> tuple[int, ...]:
    """`dims` sizes of at least 1: the shape of an image without its channels."""
    given = shape if isinstance(shape, Iterable) else (shape,)
    sizes = tuple(whole(n, "a size in shape", 1) for n in given)
    if len(sizes) != dims:
        raise InputError(
            f"the deformation acts on {dims} spatial axes, but shape is {sizes}; give the size of "
            "the image along each of them, without its channels"
        )
    return sizes
