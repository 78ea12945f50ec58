"""Parameters of deformations, checked: `tangency.checks`, and what has to do with axes."""

from __future__ import annotations

import math
from typing import Any

from ... import checks
from ...checks import whole
from ...errors import InputError

__all__ = ["finite", "finite_tuple", "positive", "spatial_shape", "whole"]


def finite(value: Any, name: str, least: float = -math.inf) -> float:
    """A finite number of at least `least`, as a float."""
    return checks.number(value, name, least=None if least == -math.inf else least)


def positive(value: Any, name: str) -> float:
    """A finite number greater than 0."""
    return checks.number(value, name, above=0)


def finite_tuple(values: Any, name: str) -> tuple[float, ...]:
    """One finite number per spatial axis, 1 or 2 of them; a bare number is one axis."""
    if checks.is_number(values):
        values = (values,)
    try:
        given = checks.items(values, name)
    except InputError:
        message = f"{name} must be one number per axis, got {checks.shown(values)}"
        raise InputError(message) from None
    numbers = tuple(finite(v, f"each number of {name}") for v in given)
    if not 1 <= len(numbers) <= 2:
        raise InputError(
            f"{name} must be one number per axis, 1 (signals) or 2 (images); got {len(numbers)}"
        )
    return numbers


def spatial_shape(shape: Any, dims: int) -> tuple[int, ...]:
    """`dims` sizes of at least 1: the shape of an image without its channels."""
    sizes = checks.sizes(shape, "shape")
    if len(sizes) != dims:
        raise InputError(
            f"the deformation acts on {dims} spatial axes, but shape is {checks.shown(sizes)}; "
            "give the size of the image along each of them, without its channels"
        )
    return sizes
